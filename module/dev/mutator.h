/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_MUTATOR_H
#define GOHEAP_MUTATOR_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct file;
struct gh_mutator;
struct goheap_attachment;
struct goheap_file;
struct mm_struct;
struct task_struct;
struct vm_area_struct;

/**
 * struct goheap_mutator - a thread that maps control pages
 * @node: in goheap_attachment.mutators as long as it is mapped; under
 *	goheap_file.attach_lock
 * @hash: in goheap_file.mutators by @task; readable under RCU
 * @reading: on goheap_attachment.threads; the collector's
 * @seen_cycle: goheap_file.mark_cycle when it was noted there; the collector's
 * @reap: on goheap_file.ended_mutators
 * @gf: the file, which outlives it
 * @att: the attachment, with a reference; NULL if there was none
 * @core: leases and barrier buffer
 * @task: the thread
 * @mm: its process; compared only, while a mapping of that mm exists
 * @precise: neither registers nor stack are looked at
 * @nr_vmas: mappings of it, under goheap_file.attach_lock
 * @stack_at: an address in the stack that the thread had at first, 0 if not known
 * @stack_hi: its end then
 * @ref: one for the mapping, one for each command at work
 * @rcu: for goheap_mutator_get()
 */
struct goheap_mutator {
	struct list_head node;
	struct hlist_node hash;
	struct list_head reading;
	u64 seen_cycle;
	struct list_head reap;
	struct goheap_file *gf;
	struct goheap_attachment *att;
	struct gh_mutator *core;
	struct task_struct *task;
	struct mm_struct *mm;
	bool precise;
	unsigned int nr_vmas;
	unsigned long stack_at;
	unsigned long stack_hi;
	struct kref ref;
	struct rcu_head rcu;
};

int goheap_mutator_mmap(struct file *file, struct vm_area_struct *vma,
			bool precise);
struct goheap_mutator *goheap_mutator_get(struct goheap_file *gf);
bool goheap_mutator_known(struct goheap_file *gf, struct task_struct *task);
void goheap_mutator_unhash(struct goheap_mutator *mut);
void goheap_mutator_put(struct goheap_mutator *mut);
void goheap_mutators_init(struct goheap_file *gf);
void goheap_mutators_hold(struct goheap_file *gf,
			  struct goheap_attachment *att);
void goheap_mutators_reap(struct goheap_file *gf);

#endif /* GOHEAP_MUTATOR_H */
