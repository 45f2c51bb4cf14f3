// SPDX-License-Identifier: GPL-2.0
/*
 * The background scavenger of a heap: calls gh_scavenge_run() at its pace.
 *
 * A thread for each heap would be one more that no limit of a user counts, to
 * work one per cent of the time at most; so it is work of the system's unbound
 * queue, which sleeps as a timer. What it costs is the same: CPU time of whoever
 * executes it, measured there. It gets no memory, so there is no cgroup to
 * charge.
 *
 * Three states:
 *
 *	parked	nothing queued; a wake queues the work
 *	asleep	the work is pending after a round that has given memory back. A
 *		wake changes nothing: the pace is kept
 *	idle	pending, but only to look again when a generation of the index
 *		ends; a wake has it look at once
 *
 * A wake while the work is being executed queues it again, before it can go to
 * sleep itself: no wake is lost, and a round too many gives nothing back.
 *
 * Stopping. Wakes come from the collector thread and from commands, so after
 * goheap_worker_stop() in release there are no more, and cancelling the work,
 * which waits for a round that is being executed, is the end of it.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"

#include <linux/jiffies.h>

#include "device.h"
#include "scavenger.h"

static void scavenge(struct work_struct *work)
{
	struct goheap_file *gf = container_of(to_delayed_work(work),
					      struct goheap_file,
					      scavenger.work);
	struct goheap_scavenger *s = &gf->scavenger;
	struct gh_heap *heap = goheap_heap(gf);
	u64 sleep_ns;

	/* The wake of a heap that is being made: its parameters are set. */
	if (!heap)
		return;
	WRITE_ONCE(s->idle, false);
	sleep_ns = gh_scavenge_run(heap);
	if (!sleep_ns)
		return;
	WRITE_ONCE(s->idle, !heap->scav.worked_ns);
	queue_delayed_work(system_unbound_wq, &s->work,
			   nsecs_to_jiffies(sleep_ns) + 1);
}

/**
 * gh_port_wake_scavenger() - have gh_scavenge_run() called
 * @heap: heap
 *
 * Context: does not sleep; gh_heap.world may be held.
 */
void gh_port_wake_scavenger(struct gh_heap *heap)
{
	struct goheap_scavenger *s = &goheap_file_of(heap)->scavenger;

	if (!s->on)
		return;
	if (READ_ONCE(s->idle))
		mod_delayed_work(system_unbound_wq, &s->work, 0);
	else
		queue_delayed_work(system_unbound_wq, &s->work, 0);
}

/**
 * goheap_scavenger_start() - let the scavenger of a new file be woken
 * @gf: file that has no heap yet
 */
void goheap_scavenger_start(struct goheap_file *gf)
{
	INIT_DELAYED_WORK(&gf->scavenger.work, scavenge);
	gf->scavenger.on = true;
}

/**
 * goheap_scavenger_stop() - end the scavenger
 * @gf: file that nobody uses any more and whose collector has ended
 *
 * Context: may sleep; waits for a round that is under way.
 */
void goheap_scavenger_stop(struct goheap_file *gf)
{
	cancel_delayed_work_sync(&gf->scavenger.work);
}
