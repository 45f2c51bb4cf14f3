/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GH_SCAVENGE_H
#define GH_SCAVENGE_H

#include "gh_scavpace.h"

struct gh_heap;

/* Released at a time in the background, 64 KiB. */
#define GH_SCAV_QUANTUM		(64UL << 10)

/* The background scavenger works at least so long before it sleeps. */
#define GH_SCAV_WORK_NS		NSEC_PER_MSEC

/* Assumed for a page when the clock says that no time has passed. */
#define GH_SCAV_PAGE_NS		(GH_PAGE_SIZE / 4096 * 10 * NSEC_PER_USEC)

/*
 * A generation ends with a cycle, and in a heap that does not allocate after so
 * long: two minutes, as Go has a cycle at least so often.
 */
#define GH_SCAV_PERIOD_NS	(120 * NSEC_PER_SEC)

/**
 * struct gh_scavenge - scavenger of a heap
 * @percent_goal: bytes of memory of pages to keep, GH_SCAV_NO_GOAL for all;
 *	like the next three written with gh_heap.world held for writing
 * @limit_goal: bytes of memory, metadata included, likewise
 * @last_goal: heap goal of the last cycle, 0 before the first
 * @last_in_use: bytes of spans when it ended, before its sweep
 * @gen_ns: when the generation began; under gh_heap.lock
 * @pacer: belongs to the one thread that calls gh_scavenge_run(), as do
 * @ended_ns: when its last round ended, and
 * @worked_ns: CPU time of that round, 0 for none
 * @lazy_bytes: bytes beyond the goals that gh_heap.madvdontneed left in place
 * @bg_bytes: bytes given back in the background since the heap began
 * @eager_bytes: bytes given back otherwise
 * @bg_ns: CPU time of the background scavenger
 * @assist_ns: wall time that allocations spent giving memory back
 * @traced_bg_bytes: @bg_bytes since the last line of scavtrace
 * @traced_eager_bytes: likewise
 */
struct gh_scavenge {
	u64 percent_goal;
	u64 limit_goal;
	u64 last_goal;
	u64 last_in_use;
	u64 gen_ns;

	struct gh_scav_pacer pacer;
	u64 ended_ns;
	u64 worked_ns;

	u64 lazy_bytes;
	atomic64_t bg_bytes;
	atomic64_t eager_bytes;
	atomic64_t bg_ns;
	atomic64_t assist_ns;
	atomic64_t traced_bg_bytes;
	atomic64_t traced_eager_bytes;
};

/**
 * struct gh_scav_trace - what a line of scavtrace says
 * @bg_bytes: given back in the background since the last line
 * @eager_bytes: given back otherwise
 * @released: bytes of heap addresses without memory
 * @in_use: bytes of spans
 * @retained: bytes of memory of pages
 * @forced: a program asked for all memory to be given back
 * @reset: the pacer's controller has failed
 */
struct gh_scav_trace {
	u64 bg_bytes;
	u64 eager_bytes;
	u64 released;
	u64 in_use;
	u64 retained;
	bool forced;
	bool reset;
};

void gh_scavenge_init(struct gh_heap *heap);
void gh_scavenge_end_cycle(struct gh_heap *heap);
void gh_scavenge_commit(struct gh_heap *heap);
void gh_scavenge_swept(struct gh_heap *heap);
u64 gh_scavenge_excess(struct gh_heap *heap);
u64 gh_scavenge_step(struct gh_heap *heap, u64 budget);
u64 gh_scavenge_run(struct gh_heap *heap);
void gh_scavenge_for_growth(struct gh_heap *heap, u64 growth);
void gh_scavenge_for_limit(struct gh_heap *heap, u64 bytes);
void gh_scavenge_count_eager(struct gh_heap *heap, u64 bytes);
void gh_scavenge_trace(struct gh_heap *heap, bool forced);

#endif /* GH_SCAVENGE_H */
