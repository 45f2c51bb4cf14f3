// SPDX-License-Identifier: GPL-2.0
/*
 * What a collector has to wait for in a process: where a mapping lies, and pages
 * that another program fills.
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
 *
 * A page that a userfaultfd stands for comes when its server is asked for it, and
 * it is asked by a fault that waits. A collector does not do that, but has a work
 * item do it and goes on trying without. What is given up is killed, so that it
 * does not wait for a server that never answers. That is a signal to a thread of
 * the kernel's, which takes it for the time of that work only.
 */
#include <linux/completion.h>
#include <linux/mm.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/userfaultfd_k.h>
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
 * struct goheap_ask - a work item that asks for pages
 * @work: the work item
 * @ref: one for each side
 * @mm: the process, with a reference of the work item's
 * @start: first page
 * @end: behind the last one
 * @lock: protects @task and @over
 * @task: who does the work now, or NULL
 * @over: it is not to be done, or has been
 */
struct goheap_ask {
	struct work_struct work;
	refcount_t ref;
	struct mm_struct *mm;
	unsigned long start;
	unsigned long end;
	spinlock_t lock;		/* task, over */
	struct task_struct *task;
	bool over;
};

static void put_ask(struct goheap_ask *a)
{
	if (refcount_dec_and_test(&a->ref))
		kfree(a);
}

/* As long as userfaultfds stand for them. */
static void fault_in(struct goheap_ask *a)
{
	unsigned long addr;
	bool unlocked;

	if (mmap_read_lock_killable(a->mm))
		return;
	for (addr = a->start; addr < a->end; addr += PAGE_SIZE) {
		struct vm_area_struct *vma = vma_lookup(a->mm, addr);

		if (!vma || !userfaultfd_armed(vma) ||
		    fixup_user_fault(a->mm, addr, FAULT_FLAG_REMOTE, &unlocked))
			break;
	}
	mmap_read_unlock(a->mm);
}

static bool set_task(struct goheap_ask *a, struct task_struct *task)
{
	bool over;

	spin_lock(&a->lock);
	over = a->over;
	a->task = task;
	WRITE_ONCE(a->over, over || !task);
	spin_unlock(&a->lock);
	return !over;
}

static void ask_for_pages(struct work_struct *work)
{
	struct goheap_ask *a = container_of(work, struct goheap_ask, work);

	allow_signal(SIGKILL);
	if (set_task(a, current))
		fault_in(a);
	set_task(a, NULL);
	/* Forgets one that has come. */
	disallow_signal(SIGKILL);
	mmput_async(a->mm);
	put_ask(a);
}

/**
 * goheap_mapping_ask() - have a program asked for pages
 * @ask: the last one, or NULL; out: the one that is under way, or NULL
 * @mm: process, with a reference
 * @start: first page
 * @end: behind the last one
 *
 * Does nothing as long as the last one is under way.
 * Context: may sleep.
 */
void goheap_mapping_ask(struct goheap_ask **ask, struct mm_struct *mm,
			unsigned long start, unsigned long end)
{
	struct goheap_ask *a = *ask;

	if (a && !READ_ONCE(a->over))
		return;
	goheap_mapping_ask_end(ask);
	a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
	if (!a)
		return;
	INIT_WORK(&a->work, ask_for_pages);
	refcount_set(&a->ref, 2);
	spin_lock_init(&a->lock);
	mmget(mm);
	a->mm = mm;
	a->start = start;
	a->end = end;
	*ask = a;
	queue_work(goheap_mapping_queue, &a->work);
}

/**
 * goheap_mapping_ask_end() - ask no longer
 * @ask: what goheap_mapping_ask() has set; out: NULL
 */
void goheap_mapping_ask_end(struct goheap_ask **ask)
{
	struct goheap_ask *a = *ask;

	if (!a)
		return;
	*ask = NULL;
	spin_lock(&a->lock);
	WRITE_ONCE(a->over, true);
	if (a->task)
		send_sig(SIGKILL, a->task, 1);
	spin_unlock(&a->lock);
	put_ask(a);
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
