// SPDX-License-Identifier: GPL-2.0
/*
 * The collector thread of a host heap: what module/dev/worker.c is in the kernel,
 * with the same counters and the same four rules of who waits for what; see
 * there. There is no cycle after a long time without one, which no benchmark
 * waits for.
 */
#include "device.h"
#include "gh_port.h"

/* Make sure that cycle started + 1 will run; returns its number. */
static u64 want_next(struct host_worker *w, int reason)
{
	u64 n = w->started + 1;

	if (w->wanted != n || reason != GH_CYCLE_HEAP)
		w->reason = reason;
	WRITE_ONCE(w->wanted, n);
	wake_up_all(&w->wake);
	return n;
}

static bool work_to_do(struct host_worker *w)
{
	return READ_ONCE(w->wanted) > w->started || READ_ONCE(w->stop);
}

/* Begin the next cycle; returns why. */
static int start_cycle(struct host_worker *w)
{
	int reason;

	spin_lock(&w->lock);
	w->started++;
	reason = w->reason;
	spin_unlock(&w->lock);
	return reason;
}

/* Publish that @counter has reached the current cycle. */
static void finish(struct host_worker *w, u64 *counter)
{
	spin_lock(&w->lock);
	WRITE_ONCE(*counter, w->started);
	spin_unlock(&w->lock);
	wake_up_all(&w->done);
}

static void *collector(void *data)
{
	struct host_heap *hh = data;
	struct host_worker *w = &hh->worker;

	gh_user_cpu = HOST_COLLECTOR;
	for (;;) {
		int reason;

		wait_event_idle(w->wake, work_to_do(w));
		if (READ_ONCE(w->stop))
			return NULL;
		reason = start_cycle(w);
		gh_gc_mark_cycle(hh->core, reason);
		finish(w, &w->marked);
		gh_gc_sweep(hh->core);
		finish(w, &w->swept);
	}
}

/* Number of the cycle to wait for because the goal was reached, or 0. */
static u64 want_for_goal(struct gh_heap *heap, struct host_worker *w)
{
	bool overdue = gh_gc_overdue(heap);

	if (w->started != w->marked)
		return overdue ? w->started : 0;
	if (!gh_gc_triggered(heap))
		return 0;
	want_next(w, GH_CYCLE_HEAP);
	return overdue ? w->wanted : 0;
}

int gh_port_collect(struct gh_heap *heap, int reason)
{
	struct host_worker *w = &((struct host_heap *)heap->port)->worker;
	u64 n;

	spin_lock(&w->lock);
	n = reason == GH_CYCLE_HEAP ? want_for_goal(heap, w) :
				      want_next(w, reason);
	spin_unlock(&w->lock);
	if (READ_ONCE(w->marked) >= n)
		return 0;
	host_thread_waits(true);
	wait_event_idle(w->done, READ_ONCE(w->marked) >= n);
	host_thread_waits(false);
	return 0;
}

/* Wait until a cycle that starts after the call has been swept. */
void host_worker_collect(struct host_heap *hh)
{
	struct host_worker *w = &hh->worker;
	u64 n;

	spin_lock(&w->lock);
	n = want_next(w, GH_CYCLE_FORCED);
	spin_unlock(&w->lock);
	host_thread_waits(true);
	wait_event_idle(w->done, READ_ONCE(w->swept) >= n);
	host_thread_waits(false);
}

void host_worker_start(struct host_heap *hh)
{
	struct host_worker *w = &hh->worker;

	spin_lock_init(&w->lock);
	gh_user_require(!pthread_create(&w->thread, NULL, collector, hh),
			"no thread");
}

void host_worker_stop(struct host_heap *hh)
{
	WRITE_ONCE(hh->worker.stop, true);
	wake_up_all(&hh->worker.wake);
	pthread_join(hh->worker.thread, NULL);
}
