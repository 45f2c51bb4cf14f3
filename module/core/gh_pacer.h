/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pacer: when a collection starts, when it is to be over, and how much the
 * program helps it (Go's gcControllerState since 1.18).
 *
 * The collector calls, in this order:
 *
 *	gh_pacer_init()		when the heap is made
 *
 *	heap_live >= gh_pacer_trigger(): sweep what is left, then, with the
 *	world stopped,
 *	gh_pacer_start()	before the program runs beside the marking; says
 *				how many workers there are
 *
 *	while marking
 *	gh_pacer_revise()	when heap_live or the scan work has moved on, as
 *				often as is convenient; once per span taken by
 *				an mcache in Go
 *	gh_pacer_assist_work(), gh_pacer_assist_bytes()
 *				in a thread that is in debt for what it has
 *				allocated since the start
 *
 *	with the world stopped, when nothing is left to mark
 *	gh_pacer_end()		what the cycle has shown
 *	gh_pacer_commit()	goal and trigger of the next one
 *	gh_pacer_pace_sweep()	how fast to sweep up to that trigger
 *
 *	while sweeping
 *	gh_pacer_sweep_target()	before a span is allocated
 *	gh_pacer_sweep_done()	when nothing is left to sweep
 *
 *	gh_pacer_set_percent(), gh_pacer_set_limit()
 *				when a knob is turned, with the world stopped;
 *				then gh_pacer_commit(), gh_pacer_pace_sweep()
 *				and, while marking, gh_pacer_revise()
 *	gh_pacer_set_memory()	when memory came or went; Go looks each time it
 *				needs the trigger
 */
#ifndef GH_PACER_H
#define GH_PACER_H

#include "gh_config.h"
#include "gh_fixed.h"

/*
 * The collector's share of CPU time while it marks is 1 / this, planned and
 * aimed at (gcBackgroundUtilization and gcGoalUtilization, 0.25).
 */
#define GH_PACER_UTILIZATION_DIV 4
#define GH_PACER_UTILIZATION	(GH_FIX_ONE / GH_PACER_UTILIZATION_DIV)

/*
 * An assist does so much work at least, paying in advance for what the thread
 * allocates next (gcOverAssistWork).
 */
#define GH_PACER_OVER_ASSIST	(64ULL << 10)

/* Cycles before the last one that cons/mark remembers (lastConsMark). */
#define GH_PACER_HISTORY	4

/* Why a cycle starts, as far as its workers depend on it. */
enum gh_pacer_kind {
	GH_PACER_NORMAL = 0,	/* trigger, or asked for */
	GH_PACER_PERIODIC,	/* long since the last one (gcTriggerTime) */
	GH_PACER_STW,		/* the program waits (gcstoptheworld) */
};

/**
 * struct gh_pacer_memory - what the memory limit is compared with, in bytes
 * @mapped_ready: memory there is for the heap, metadata included (mappedReady)
 * @heap_free: of that, pages of the heap that no span has (heapFree)
 * @heap_alloc: of that, objects, live or not yet swept (totalAlloc - totalFree)
 *
 * The rest is overhead: metadata, stacks, and what spans have no object in.
 */
struct gh_pacer_memory {
	u64 mapped_ready;
	u64 heap_free;
	u64 heap_alloc;
};

/**
 * struct gh_pacer_heap - the heap at some time, in bytes
 * @live: marked by the last cycle, and allocated since (heapLive)
 * @scan: of that, what has to be scanned: up to the last reference of each
 *	object (heapScan); while marking as at the start of the cycle, since
 *	what is allocated then is black
 * @max_stack: stacks there are, used or not (maxStackScan)
 * @globals: other roots (globalsScan)
 */
struct gh_pacer_heap {
	u64 live;
	u64 scan;
	u64 max_stack;
	u64 globals;
};

/**
 * struct gh_pacer_work - bytes scanned since the cycle began
 * @heap: of objects (heapScanWork)
 * @stack: of stacks (stackScanWork)
 * @globals: of other roots (globalsScanWork)
 *
 * Never goes down in a cycle.
 */
struct gh_pacer_work {
	u64 heap;
	u64 stack;
	u64 globals;
};

/**
 * struct gh_pacer_result - what is known at the end of marking
 * @now_ns: time, of the same clock as for gh_pacer_start()
 * @assist_ns: CPU time of all assists (assistTime)
 * @idle_ns: CPU time of idle mark workers (idleMarkTime)
 * @heap_live: as gh_pacer_heap.live, at the end of marking
 * @heap_marked: bytes found live, and allocated since the start (bytesMarked)
 * @work: bytes scanned, all in all
 */
struct gh_pacer_result {
	u64 now_ns;
	u64 assist_ns;
	u64 idle_ns;
	u64 heap_live;
	u64 heap_marked;
	struct gh_pacer_work work;
};

/**
 * struct gh_pacer_trace - what gcpacertrace=1 prints
 * @assist_ratio: at the start of the cycle, Q32: work per byte
 * @heap_scan: gh_pacer_heap.scan then, bytes
 * @start_live: heap_live then, bytes
 * @start_goal: goal then, bytes
 * @dedicated: dedicated workers
 * @fractional: share of each other CPU for fractional workers, Q32
 * @utilization: share of CPU time while marking without idle workers, Q32
 * @work: bytes scanned
 * @expected: bytes expected at the start
 * @triggered: heap_live at the start, bytes
 * @end_live: heap_live at the end of marking, bytes
 * @goal_delta: by how much that is above the goal, bytes
 * @cons_mark: cons/mark that the cycle was started with, Q32
 * @sweep_live: heap_live when all was swept, bytes
 * @sweep_allocated: bytes allocated while sweeping
 * @swept_pages: pages swept by then, as the caller counts them
 * @sweep_ratio: pages per byte, Q32
 *
 * In the order of the three lines: start, end, sweep done.
 */
struct gh_pacer_trace {
	u64 assist_ratio;
	u64 heap_scan;
	u64 start_live;
	u64 start_goal;
	u32 dedicated;
	u64 fractional;

	u64 utilization;
	struct gh_pacer_work work;
	u64 expected;
	u64 triggered;
	u64 end_live;
	s64 goal_delta;
	u64 cons_mark;

	u64 sweep_live;
	u64 sweep_allocated;
	u64 swept_pages;
	u64 sweep_ratio;
};

/**
 * struct gh_pacer - the pacer's state; bytes unless it says otherwise
 * @gc_percent: GOGC, -1 for off (gcPercent)
 * @memory_limit: GOMEMLIMIT, S64_MAX for none (memoryLimit)
 * @heap_minimum: no goal of GOGC's is below it (heapMinimum)
 * @memory: for the memory limit
 *
 * @heap_marked: what the last cycle found live (heapMarked)
 * @last_heap_scan: heap it scanned (lastHeapScan)
 * @last_stack_scan: stacks it scanned (lastStackScan)
 * @globals_scan: other roots, as told last (globalsScan)
 * @percent_goal: GOGC's goal, U64_MAX if it is off (gcPercentHeapGoal)
 * @sweep_min_trigger: where sweeping is to be over at the latest, 0 if it was
 *	when the goal was set (sweepDistMinTrigger)
 * @runway: how far before the goal to start (runway)
 * @goal: heap_live at which marking is to be over; read without any lock
 * @trigger: heap_live at which it starts; read without any lock
 *
 * @cons_mark: bytes allocated per byte scanned, each for its CPU time, Q32: the
 *	largest of the last cycles (consMark)
 * @last_cons_mark: of each of the cycles before the last, the oldest first, Q32
 *	(lastConsMark)
 *
 * @marking: a cycle is marking
 * @triggered: heap_live when it started (triggered)
 * @start_ns: when it started, ns (markStartTime)
 * @nr_cpus: CPUs of the program then
 * @dedicated: workers to keep running (dedicatedMarkWorkersNeeded)
 * @max_idle: workers to run on CPUs that are idle (maxIdleMarkWorkers)
 * @fractional: share of each CPU without a dedicated worker for another worker,
 *	Q32 (fractionalUtilizationGoal)
 * @overdraft: scan work of collector threads that assists may count on before it
 *	has been done; read without any lock
 * @assist_work_per_byte: scan work for a byte allocated, Q32; read without any
 *	lock (assistWorkPerByte)
 * @assist_bytes_per_work: the inverse, Q32; read without any lock
 *	(assistBytesPerWork)
 *
 * @sweep_ratio: pages to sweep for a byte allocated, Q32, 0 if there are none;
 *	read without any lock (sweepPagesPerByte)
 * @sweep_live_basis: heap_live when that was set (sweepHeapLiveBasis)
 * @sweep_pages_basis: pages swept by then (pagesSweptBasis)
 *
 * @trace: for gh_pacer_trace()
 *
 * Owned by the caller, who serialises all calls that change it, with the world
 * stopped except for gh_pacer_revise(), gh_pacer_set_memory() and
 * gh_pacer_sweep_done(). What is read without a lock is one word each.
 */
struct gh_pacer {
	s64 gc_percent;
	u64 memory_limit;
	u64 heap_minimum;
	struct gh_pacer_memory memory;

	u64 heap_marked;
	u64 last_heap_scan;
	u64 last_stack_scan;
	u64 globals_scan;
	u64 percent_goal;
	u64 sweep_min_trigger;
	u64 runway;
	u64 goal;
	u64 trigger;

	u64 cons_mark;
	u64 last_cons_mark[GH_PACER_HISTORY];

	bool marking;
	u64 triggered;
	u64 start_ns;
	u32 nr_cpus;
	u32 dedicated;
	u32 max_idle;
	u64 fractional;
	u64 overdraft;
	u64 assist_work_per_byte;
	u64 assist_bytes_per_work;

	u64 sweep_ratio;
	u64 sweep_live_basis;
	u64 sweep_pages_basis;

	struct gh_pacer_trace trace;
};

void gh_pacer_init(struct gh_pacer *p, s64 percent, s64 limit);
void gh_pacer_set_percent(struct gh_pacer *p, s64 percent);
void gh_pacer_set_limit(struct gh_pacer *p, s64 limit);
void gh_pacer_set_memory(struct gh_pacer *p, const struct gh_pacer_memory *mem);
void gh_pacer_commit(struct gh_pacer *p, u64 heap_live, bool sweep_done,
		     const struct gh_pacer_memory *mem);
void gh_pacer_start(struct gh_pacer *p, enum gh_pacer_kind kind, u32 nr_cpus,
		    u64 now_ns, const struct gh_pacer_heap *heap);
void gh_pacer_revise(struct gh_pacer *p, const struct gh_pacer_heap *heap,
		     const struct gh_pacer_work *work);
void gh_pacer_end(struct gh_pacer *p, const struct gh_pacer_result *r);
void gh_pacer_pace_sweep(struct gh_pacer *p, u64 heap_live, u64 pages_in_use,
			 u64 pages_swept);
u64 gh_pacer_sweep_target(const struct gh_pacer *p, u64 bytes, u64 heap_live,
			  u64 caller_pages);
void gh_pacer_sweep_done(struct gh_pacer *p, u64 heap_live, u64 pages_swept);
u64 gh_pacer_assist_work(const struct gh_pacer *p, u64 debt);
u64 gh_pacer_assist_bytes(const struct gh_pacer *p, u64 work);
void gh_pacer_trace(const struct gh_pacer *p, struct gh_pacer_trace *trace);

/**
 * gh_pacer_goal() - heap_live at which marking is to be over
 * @p: pacer
 *
 * Context: any, no lock.
 * Return: bytes, U64_MAX if nothing asks for a collection.
 */
static inline u64 gh_pacer_goal(const struct gh_pacer *p)
{
	return READ_ONCE(p->goal);
}

/**
 * gh_pacer_trigger() - heap_live at which a cycle starts
 * @p: pacer
 *
 * Context: any, no lock.
 * Return: bytes, U64_MAX if nothing asks for a collection.
 */
static inline u64 gh_pacer_trigger(const struct gh_pacer *p)
{
	return READ_ONCE(p->trigger);
}

#endif /* GH_PACER_H */
