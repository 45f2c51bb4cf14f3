/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_THREAD_H
#define GOHEAP_THREAD_H

#include <linux/mm.h>

struct gh_mark;
struct goheap_attachment;
struct goheap_copy;
struct goheap_file;
struct task_struct;

/* May a stack be there? Not in what a driver maps, this one included. */
static inline bool goheap_vma_memory(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP));
}

struct goheap_copy *goheap_copy_new(void);
void goheap_copy_free(struct goheap_copy *c);
void goheap_copy_process(struct goheap_copy *c, struct goheap_file *gf,
			 struct mm_struct *mm);
void goheap_copy_done(struct goheap_copy *c);
bool goheap_copy_again(struct goheap_copy *c, u32 nth, int why, u64 *since);
int goheap_thread_mark(struct goheap_copy *c, struct goheap_attachment *att,
		       struct task_struct *task, unsigned long at,
		       unsigned long hi, struct gh_mark *m);
int goheap_range_mark(struct goheap_copy *c, struct goheap_attachment *att,
		      unsigned long start, unsigned long end, bool stack,
		      struct gh_mark *m);

#endif /* GOHEAP_THREAD_H */
