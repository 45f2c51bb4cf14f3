/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_ATTACH_H
#define GOHEAP_ATTACH_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>

#include "gh_heap.h"
#include "gh_roots.h"
#include "range.h"

struct gh_mark;
struct goheap_file;
struct goheap_mutator;
struct goheap_stack_map;
struct mm_struct;
struct pid;
struct vm_area_struct;

/* Most mappings of the objects of one heap in one process. */
#define GOHEAP_MAX_WINDOWS	16

/**
 * struct goheap_attachment - a process that maps the objects of a heap
 * @node: in goheap_file.attachments, under goheap_file.attach_lock
 * @mm: the process; a reference of mmgrab() keeps the address from being used
 *	again, but not the process alive
 * @windows: mappings of the objects, under goheap_file.attach_lock
 * @nr_windows: how many there are
 * @stacks: handle stacks, under goheap_file.attach_lock
 * @mutators: threads with control pages, under goheap_file.attach_lock
 * @lock: protects @roots, @ranges and @ended; inside of gh_heap.world and
 *	goheap_file.attach_lock
 * @roots: pinned handles
 * @ranges: conservative roots; freed with the attachment
 * @switching: written while stacks that its threads switch between are read: one
 *	waits for it when it touches its control pages; inside of gh_heap.world
 * @seen: @windows as they were when the last thread was read; the collector's
 * @nr_seen: how many there are
 * @seen_cycle: goheap_file.mark_cycle when it was noted; the collector's
 * @group: thread group all of which has been read in this cycle, with a reference,
 *	or NULL; the collector's
 * @fresh: that was the first time in this cycle; the collector's
 * @reading: on the collector's list of processes to read; the collector's
 * @threads: mutators to read, by goheap_mutator.reading; the collector's
 * @seen_stacks: stacks to read, by goheap_stack_map.reading; the collector's
 * @ended: the last mapping is gone or the process was evicted, and all roots
 *	with it; read by page faults without a lock
 * @ref: one for the mappings together, one for each mutator, one for each command
 *	or page fault at work
 * @rcu: for goheap_attached()
 */
struct goheap_attachment {
	struct hlist_node node;
	struct mm_struct *mm;
	struct gh_window windows[GOHEAP_MAX_WINDOWS];
	unsigned int nr_windows;
	struct list_head stacks;
	struct list_head mutators;
	struct mutex lock;		/* roots, ranges, ended */
	struct gh_roots roots;
	struct goheap_ranges ranges;
	struct rw_semaphore switching;	/* its own stacks are read */
	struct gh_window seen[GOHEAP_MAX_WINDOWS];
	unsigned int nr_seen;
	u64 seen_cycle;
	struct pid *group;
	bool fresh;
	struct list_head reading;
	struct list_head threads;
	struct list_head seen_stacks;
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
int goheap_attach_mutator(struct goheap_file *gf, struct goheap_mutator *mut);
int goheap_attach_range(struct goheap_file *gf, unsigned long start,
			unsigned long end, bool stack);
bool goheap_attach_window(struct goheap_file *gf, struct gh_window *window);
u32 goheap_attach_windows(struct goheap_file *gf,
			  const struct goheap_attachment *att,
			  struct gh_window *windows);
void goheap_attach_mark(struct goheap_file *gf, struct gh_mark *m);

#endif /* GOHEAP_ATTACH_H */
