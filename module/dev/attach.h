/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_ATTACH_H
#define GOHEAP_ATTACH_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>

#include "gh_roots.h"

struct gh_mark;
struct goheap_file;
struct goheap_stack_map;
struct mm_struct;
struct vm_area_struct;

/**
 * struct goheap_attachment - a process that maps the objects of a heap
 * @node: in goheap_file.attachments, under goheap_file.attach_lock
 * @mm: the process; a reference of mmgrab() keeps the address from being used
 *	again, but not the process alive
 * @nr_vmas: mappings of the objects, under goheap_file.attach_lock
 * @stacks: handle stacks, under goheap_file.attach_lock
 * @lock: protects @roots and @ended; inside of gh_heap.world and
 *	goheap_file.attach_lock
 * @roots: pinned handles
 * @ended: the last mapping is gone, and @roots with it
 * @ref: one for the mappings together, one for each command at work
 * @rcu: for goheap_attached()
 */
struct goheap_attachment {
	struct hlist_node node;
	struct mm_struct *mm;
	unsigned int nr_vmas;
	struct list_head stacks;
	struct mutex lock;		/* roots, ended */
	struct gh_roots roots;
	bool ended;
	struct kref ref;
	struct rcu_head rcu;
};

int goheap_attach(struct goheap_file *gf, struct vm_area_struct *vma);
void goheap_attach_copy(struct goheap_file *gf, struct vm_area_struct *vma);
void goheap_detach(struct goheap_file *gf, struct vm_area_struct *vma);

bool goheap_attached(struct goheap_file *gf);
struct goheap_attachment *goheap_attachment_get(struct goheap_file *gf);
void goheap_attachment_put(struct goheap_attachment *att);

int goheap_attach_stack(struct goheap_file *gf, struct goheap_stack_map *s);
void goheap_attach_mark(struct goheap_file *gf, struct gh_mark *m);

#endif /* GOHEAP_ATTACH_H */
