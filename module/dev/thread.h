/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_THREAD_H
#define GOHEAP_THREAD_H

#include <linux/mm.h>

struct gh_mark;
struct goheap_attachment;
struct goheap_copy;
struct task_struct;

/* May a stack be there? Not in what a driver maps, this one included. */
static inline bool goheap_vma_memory(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP));
}

int goheap_thread_mark(struct goheap_copy *c, struct goheap_attachment *att,
		       struct task_struct *task, unsigned long at,
		       unsigned long hi, struct gh_mark *m);

#endif /* GOHEAP_THREAD_H */
