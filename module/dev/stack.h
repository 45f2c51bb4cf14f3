/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_STACK_H
#define GOHEAP_STACK_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/xarray.h>

struct file;
struct gh_mark;
struct goheap_file;
struct mm_struct;
struct vm_area_struct;

/**
 * struct goheap_stack_map - a handle stack; its layout is struct goheap_stack
 * @node: in goheap_attachment.stacks, or empty once the attachment has ended;
 *	under goheap_file.attach_lock
 * @reading: on the collector's list of stacks to read; the collector's
 * @gf: the file, which outlives it
 * @mm: whose it is; compared only, while a mapping of that mm exists
 * @nr_vmas: mappings of it in @mm, under goheap_file.attach_lock
 * @nr_pages: OS pages it can have
 * @pages: those it has, by index; grows by faults under gh_heap.world (read)
 * @ref: one for the mappings together, one for the collector that reads it
 */
struct goheap_stack_map {
	struct list_head node;
	struct list_head reading;
	struct goheap_file *gf;
	struct mm_struct *mm;
	unsigned int nr_vmas;
	unsigned long nr_pages;
	struct xarray pages;
	struct kref ref;
};

int goheap_stack_mmap(struct file *file, struct vm_area_struct *vma);
void goheap_stack_put(struct goheap_stack_map *s);
void goheap_stack_mark(struct goheap_stack_map *s, struct gh_mark *m);

#endif /* GOHEAP_STACK_H */
