// SPDX-License-Identifier: GPL-2.0
/*
 * gh_port.h: threads that help a collector to mark.
 *
 * They are the kernel's: work items on a queue of the module's own, one for each
 * CPU but that of the collector, started when marking begins and gone when it
 * ends. So a heap costs no thread but its collector, and thousands of heaps that
 * are collected at once have no more threads than the queue allows.
 *
 * An idle worker in the sense of Go is to run where nobody else would. It runs
 * with nice 19, and the thread gets its own back before it returns to the queue.
 * SCHED_IDLE is weaker (sched_setattr_nocheck()), but marking does not end before
 * a worker that was preempted within a span has had the CPU again, and with a
 * fifth of the weight that takes longer.
 *
 * What workers compute is charged to the kernel's cgroup: their threads serve all
 * heaps. The CPU time is part of the cycle's record. The collector is another
 * matter, see cgroup.c.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"

#include <linux/delay.h>
#include <linux/sched/stat.h>

#include "device.h"
#include "helpers.h"

static struct workqueue_struct *goheap_mark_queue;

static void help(struct work_struct *work)
{
	struct goheap_helper *h =
		container_of(work, struct goheap_helper, work);
	int nice = task_nice(current);

	if (h->idle)
		sched_set_normal(current, MAX_NICE);
	gh_mark_worker(h->gf->heap, h->idle);
	if (h->idle)
		sched_set_normal(current, nice);
}

/**
 * gh_port_start_workers() - have threads call gh_mark_worker()
 * @heap: heap
 * @nr: how many at most
 * @idle: how many of them only on CPUs that nobody else needs
 *
 * Context: may sleep; the collector.
 */
void gh_port_start_workers(struct gh_heap *heap, u32 nr, u32 idle)
{
	struct goheap_file *gf = goheap_file_of(heap);
	struct goheap_helpers *hs = &gf->helpers;
	u32 i;

	/* A test is its heap's collector, perhaps before the module is there. */
	if (!gf->worker.task)
		return;
	hs->nr = min_t(u32, nr, GOHEAP_MAX_HELPERS);
	for (i = 0; i < hs->nr; i++) {
		/* The first ones are those that have to run. */
		hs->v[i].idle = i >= nr - min(idle, nr);
		queue_work(goheap_mark_queue, &hs->v[i].work);
	}
}

/**
 * gh_port_stop_workers() - wait until they have returned
 * @heap: heap whose marking is over
 *
 * Context: may sleep; the collector, gh_heap.world not held.
 */
void gh_port_stop_workers(struct gh_heap *heap)
{
	struct goheap_helpers *hs = &goheap_file_of(heap)->helpers;

	while (hs->nr)
		cancel_work_sync(&hs->v[--hs->nr].work);
}

/**
 * gh_port_cpu_wanted() - is there somebody else who waits for the caller's CPU?
 *
 * Return: true if so.
 */
bool gh_port_cpu_wanted(void)
{
	return need_resched() || !single_task_running();
}

/**
 * gh_port_rest() - let others have the CPU
 * @ns: for so long, about
 *
 * Context: sleeps.
 */
void gh_port_rest(u64 ns)
{
	unsigned long us = div_u64(ns, NSEC_PER_USEC);

	usleep_range_state(us, us + us / 4 + 1, TASK_IDLE);
}

/**
 * goheap_helpers_init_file() - make a new file ready for helpers
 * @gf: file
 */
void goheap_helpers_init_file(struct goheap_file *gf)
{
	struct goheap_helpers *hs = &gf->helpers;
	u32 i;

	for (i = 0; i < GOHEAP_MAX_HELPERS; i++) {
		INIT_WORK(&hs->v[i].work, help);
		hs->v[i].gf = gf;
	}
}

/**
 * goheap_helpers_init() - make the queue
 *
 * Return: 0 or -ENOMEM.
 */
int goheap_helpers_init(void)
{
	goheap_mark_queue = alloc_workqueue("goheap-mark", WQ_UNBOUND, 0);
	return goheap_mark_queue ? 0 : -ENOMEM;
}

/**
 * goheap_helpers_exit() - undo goheap_helpers_init(); no heap is left
 */
void goheap_helpers_exit(void)
{
	destroy_workqueue(goheap_mark_queue);
}
