// SPDX-License-Identifier: GPL-2.0
/*
 * From what happens in the core to tracepoints. Each is a jump over nothing
 * while it is off.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"

#include "device.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* The phases of a cycle; false if the event is none. */
static bool trace_phase(struct goheap_file *gf, enum gh_event event, u64 a)
{
	/* The number of a cycle counts when its marking is over. */
	u64 cycle = gf->heap->nr_cycles;

	switch (event) {
	case GH_EVENT_CYCLE_START:
		trace_goheap_cycle_start(gf->id, cycle + 1, a);
		return true;
	case GH_EVENT_MARK_START:
		trace_goheap_mark_start(gf->id, cycle + 1);
		return true;
	case GH_EVENT_MARK_DONE:
		trace_goheap_mark_done(gf->id, cycle + 1);
		return true;
	case GH_EVENT_MARK_TERM:
		trace_goheap_mark_term(gf->id, cycle + 1, a);
		return true;
	case GH_EVENT_SWEEP_DONE:
		trace_goheap_sweep_done(gf->id, cycle);
		return true;
	default:
		return false;
	}
}

/**
 * gh_port_event() - something has happened
 * @heap: heap
 * @event: what
 * @a: see enum gh_event
 * @b: likewise
 *
 * Context: any; does not sleep.
 */
void gh_port_event(struct gh_heap *heap, enum gh_event event, u64 a, u64 b)
{
	struct goheap_file *gf = goheap_file_of(heap);

	/* A heap that is being made has no name yet. */
	if (!goheap_heap(gf) || trace_phase(gf, event, a))
		return;
	switch (event) {
	case GH_EVENT_ASSIST:
		trace_goheap_assist(gf->id, a, b);
		break;
	case GH_EVENT_SWEEP:
		trace_goheap_sweep(gf->id, a << GH_PAGE_SHIFT, b);
		break;
	case GH_EVENT_SCAVENGE:
		trace_goheap_scavenge(gf->id, a, b);
		break;
	case GH_EVENT_REFILL:
		trace_goheap_refill(gf->id, a, b);
		break;
	case GH_EVENT_LIMITER:
		trace_goheap_limiter(gf->id, a);
		break;
	default:
		break;
	}
}
