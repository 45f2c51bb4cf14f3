// SPDX-License-Identifier: GPL-2.0
/*
 * Where a mapping of a process lies, for a collector.
 *
 * That takes the mmap lock, and a collector must not wait for it without end: who
 * holds it may wait for the collector, or for a program that serves a page. To
 * try again and again is no way either. Where threads map and unmap all the time
 * there is always somebody who waits for the lock, and then no try succeeds.
 *
 * So after one try a work item waits for its turn like everybody else, and the
 * collector waits for the work item, up to a limit. A look-up that was given up
 * ends by itself when it gets the lock; until then it keeps the process's memory
 * and the module, whose queue is emptied before it goes.
 */
#include <linux/completion.h>
#include <linux/mm.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "mapping.h"
#include "thread.h"

#define PATIENCE	(10 * HZ)

static struct workqueue_struct *goheap_mapping_queue;

/**
 * struct lookup - a look-up that waits for its turn
 * @work: the work item
 * @done: it has looked
 * @ref: one for each side
 * @mm: the process, with a reference of the work item's
 * @addr: address that is looked for
 * @lo: out: start of the mapping that it is in
 * @hi: out: its end; 0 if there is none
 */
struct lookup {
	struct work_struct work;
	struct completion done;
	refcount_t ref;
	struct mm_struct *mm;
	unsigned long addr;
	unsigned long lo;
	unsigned long hi;
};

static void find(struct mm_struct *mm, unsigned long addr, unsigned long *lo,
		 unsigned long *hi)
{
	struct vm_area_struct *vma = find_vma(mm, addr);
	bool found = vma && vma->vm_start <= addr && goheap_vma_memory(vma);

	*lo = found ? vma->vm_start : 0;
	*hi = found ? vma->vm_end : 0;
}

static void put(struct lookup *l)
{
	if (refcount_dec_and_test(&l->ref))
		kfree(l);
}

static void look_up(struct work_struct *work)
{
	struct lookup *l = container_of(work, struct lookup, work);

	mmap_read_lock(l->mm);
	find(l->mm, l->addr, &l->lo, &l->hi);
	mmap_read_unlock(l->mm);
	mmput_async(l->mm);
	complete(&l->done);
	put(l);
}

/* Wait until it has been this look-up's turn. */
static int find_in_turn(struct mm_struct *mm, unsigned long addr,
			unsigned long *lo, unsigned long *hi)
{
	struct lookup *l = kzalloc(sizeof(*l), GFP_KERNEL_ACCOUNT);
	int err = 0;

	if (!l)
		return -ENOMEM;
	INIT_WORK(&l->work, look_up);
	init_completion(&l->done);
	refcount_set(&l->ref, 2);
	mmget(mm);
	l->mm = mm;
	l->addr = addr;
	queue_work(goheap_mapping_queue, &l->work);
	if (wait_for_completion_timeout(&l->done, PATIENCE)) {
		*lo = l->lo;
		*hi = l->hi;
	} else {
		err = -EBUSY;
	}
	put(l);
	return err;
}

/**
 * goheap_mapping_find() - find the mapping that an address is in
 * @mm: process, with a reference
 * @addr: any address
 * @lo: out: start of a mapping in which a stack may be, see goheap_vma_memory()
 * @hi: out: its end; 0 if there is none
 *
 * Context: sleeps, up to ten seconds; the mmap lock not held.
 * Return: 0; -EBUSY if the mmap lock could not be had, or -ENOMEM: neither is set.
 */
int goheap_mapping_find(struct mm_struct *mm, unsigned long addr,
			unsigned long *lo, unsigned long *hi)
{
	if (!mmap_read_trylock(mm))
		return find_in_turn(mm, addr, lo, hi);
	find(mm, addr, lo, hi);
	mmap_read_unlock(mm);
	return 0;
}

/**
 * goheap_mapping_init() - make the queue
 *
 * Return: 0 or -ENOMEM.
 */
int goheap_mapping_init(void)
{
	goheap_mapping_queue = alloc_workqueue("goheap-mapping", WQ_UNBOUND, 0);
	return goheap_mapping_queue ? 0 : -ENOMEM;
}

/**
 * goheap_mapping_exit() - undo goheap_mapping_init(); no heap is left
 */
void goheap_mapping_exit(void)
{
	destroy_workqueue(goheap_mapping_queue);
}
