// SPDX-License-Identifier: GPL-2.0
/*
 * A collection from start to end, and when to start one.
 *
 *	sweep what the last cycle left		beside the program
 *	stop the world; take leases back	setup
 *	phase = mark; roots; drain		mark
 *	phase = mark termination; flush the
 *	mcaches; sweepgen += 2; new goal;
 *	start the world				termination
 *	sweep					beside the program
 *
 * One thread, the heap's collector, runs cycles one after another; it alone
 * changes phase and sweepgen, with gh_heap.world held for writing. So whoever
 * holds world for reading sees neither change, and no span is in an mcache
 * across a change of sweepgen.
 *
 * The goal is Go's: what the last cycle found live, plus GOGC percent of it
 * and of the roots, at least 4 MiB scaled by GOGC; and no more than what the
 * memory limit leaves after metadata, with 3 % headroom; after the sweep, free
 * memory beyond the limit is given back. Where the port knows a lower limit than
 * the program's, that one holds. The cycle starts when
 * the goal is reached, since programs wait while it marks. A limit below the
 * live heap would make every allocation collect; the runway keeps the cost of
 * marking per byte allocated bounded, which is why the limit is soft.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_mutator.h"
#include "gh_port.h"

/* Least growth between two cycles: 1/16 of the live heap, 64 KiB. */
#define GH_RUNWAY_DIV	16
#define GH_RUNWAY_MIN	(64UL << 10)

/* Bytes of everything but objects that the kernel gave to the heap. */
static u64 metadata_bytes(struct gh_heap *heap)
{
	s64 sum = heap->pages.meta_bytes;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct gh_stats *st = per_cpu_ptr(heap->stats, cpu);

		sum += READ_ONCE(st->meta_bytes) + READ_ONCE(st->span_bytes);
	}
	return sum > 0 ? sum : 0;
}

/* GOGC's goal; U64_MAX when it is off. */
static u64 percent_goal(struct gh_heap *heap, u64 marked, u64 root_bytes)
{
	u64 percent = heap->gc_percent;
	u64 minimum, extra;

	if (heap->gc_percent < 0)
		return U64_MAX;
	minimum = mul_u64_u64_div_u64(GH_HEAP_MINIMUM, percent, 100);
	extra = mul_u64_u64_div_u64(marked + root_bytes, percent, 100);
	return max(marked + extra, minimum);
}

/* The program's limit or that of its surroundings; S64_MAX is none. */
static u64 memory_limit(struct gh_heap *heap)
{
	return min_t(u64, READ_ONCE(heap->memory_limit),
		     gh_port_memory_limit(heap));
}

/* The memory limit's goal; U64_MAX without one. */
static u64 limit_goal(struct gh_heap *heap, u64 marked)
{
	u64 limit = memory_limit(heap);
	u64 other, goal, headroom;

	if (limit == S64_MAX)
		return U64_MAX;
	other = metadata_bytes(heap);
	if (other >= limit)
		return marked;
	goal = limit - other;
	headroom = max_t(u64, goal / 100 * GH_LIMIT_HEADROOM_PCT,
			 GH_LIMIT_HEADROOM_MIN);
	goal = goal > 2 * headroom ? goal - headroom : headroom;
	return max(goal, marked);
}

/* Set goal and trigger from what the last cycle found. */
static void commit_goal(struct gh_heap *heap, u64 marked, u64 root_bytes)
{
	u64 runway = max_t(u64, marked / GH_RUNWAY_DIV, GH_RUNWAY_MIN);
	u64 goal = min(percent_goal(heap, marked, root_bytes),
		       limit_goal(heap, marked));

	if (goal != U64_MAX)
		goal = max(goal, marked + runway);
	WRITE_ONCE(heap->goal, goal);
	WRITE_ONCE(heap->trigger, goal);
}

static u64 last_root_bytes(struct gh_heap *heap)
{
	struct gh_cycle c;

	if (!gh_gc_get_cycle(heap, 0, &c))
		return 0;
	return c.stack_bytes + c.global_bytes;
}

/**
 * gh_gc_init() - give a new heap GOGC 100 and no limit
 * @heap: heap being made
 */
void gh_gc_init(struct gh_heap *heap)
{
	heap->gc_percent = 100;
	heap->memory_limit = S64_MAX;
	commit_goal(heap, 0, 0);
}

/**
 * gh_gc_set_percent() - set GOGC
 * @heap: heap
 * @percent: 0 to GH_MAX_GC_PERCENT, or -1 for off
 *
 * Context: may sleep; heap->world not held.
 */
void gh_gc_set_percent(struct gh_heap *heap, s64 percent)
{
	down_write(&heap->world);
	percent = clamp_t(s64, percent, -1, GH_MAX_GC_PERCENT);
	WRITE_ONCE(heap->gc_percent, percent);
	commit_goal(heap, heap->heap_marked, last_root_bytes(heap));
	up_write(&heap->world);
}

/**
 * gh_gc_set_limit() - set GOMEMLIMIT
 * @heap: heap
 * @limit: bytes, 0 to S64_MAX
 *
 * Context: may sleep; heap->world not held.
 */
void gh_gc_set_limit(struct gh_heap *heap, s64 limit)
{
	down_write(&heap->world);
	WRITE_ONCE(heap->memory_limit, limit);
	commit_goal(heap, heap->heap_marked, last_root_bytes(heap));
	up_write(&heap->world);
}

/**
 * gh_gc_limit_changed() - compute the goal anew
 * @heap: heap whose gh_port_memory_limit() is another than before
 *
 * Context: may sleep; heap->world not held.
 */
void gh_gc_limit_changed(struct gh_heap *heap)
{
	down_write(&heap->world);
	commit_goal(heap, heap->heap_marked, last_root_bytes(heap));
	up_write(&heap->world);
}

/**
 * gh_gc_triggered() - is a cycle due?
 * @heap: heap
 */
bool gh_gc_triggered(struct gh_heap *heap)
{
	return (u64)atomic64_read(&heap->heap_live) >=
	       READ_ONCE(heap->trigger);
}

static void mark_batches(struct gh_heap *heap)
{
	struct gh_batch *b;

	mutex_lock(&heap->batch_lock);
	list_for_each_entry(b, &heap->batches, node) {
		gh_mark_refs(heap->mark, b->refs, b->nr, GH_ROOT_BATCH);
		cond_resched();
	}
	mutex_unlock(&heap->batch_lock);
}

/*
 * Programs are told first and held off then: holding them off interrupts their
 * CPUs, so that a store which was not reported is seen by whoever looks later.
 */
static void stop_world(struct gh_heap *heap)
{
	WRITE_ONCE(heap->phase, GH_PHASE_MARK);
	gh_port_set_marking(heap, true);
	gh_port_hold_users(heap);
	gh_mutator_flush_all(heap);
}

static void mark_phase(struct gh_heap *heap)
{
	gh_mark_begin(heap->mark);
	mark_batches(heap);
	gh_mutator_mark_all(heap, heap->mark);
	gh_port_mark_roots(heap, heap->mark);
	gh_mark_drain(heap->mark);
}

static void mark_termination(struct gh_heap *heap, struct gh_cycle *c)
{
	WRITE_ONCE(heap->phase, GH_PHASE_MARK_TERMINATION);
	c->heap_end = atomic64_read(&heap->heap_live);
	gh_mark_end(heap->mark, c);
	gh_mcache_flush_all(heap);
	WRITE_ONCE(heap->sweepgen, heap->sweepgen + 2);
	WRITE_ONCE(heap->heap_marked, c->heap_marked);
	atomic64_set(&heap->heap_live, c->heap_marked);
	commit_goal(heap, c->heap_marked, c->stack_bytes + c->global_bytes);
	gh_port_set_marking(heap, false);
	WRITE_ONCE(heap->phase, GH_PHASE_OFF);
}

/* File the record; readers see the cycle as finished from here on. */
static void publish_cycle(struct gh_heap *heap, struct gh_cycle *c)
{
	u64 total = ktime_get_ns() - heap->birth_ns;

	heap->gc_cpu_ns += c->cpu_ns;
	heap->pause_ns += c->stopped_ns;
	if (c->reason == GH_CYCLE_FORCED)
		heap->nr_forced++;
	c->nr_cpus = num_online_cpus();
	c->cpu_permille = div64_u64(heap->gc_cpu_ns * 1000,
				    max_t(u64, total * c->nr_cpus, 1));
	spin_lock(&heap->cycle_lock);
	c->cycle = heap->nr_cycles + 1;
	heap->cycles[c->cycle % GH_NR_CYCLES] = *c;
	WRITE_ONCE(heap->nr_cycles, c->cycle);
	spin_unlock(&heap->cycle_lock);
}

/**
 * gh_gc_mark_cycle() - run a cycle up to the start of its sweep
 * @heap: heap
 * @reason: why
 *
 * Context: may sleep; the heap's collector only, no lock held.
 */
void gh_gc_mark_cycle(struct gh_heap *heap, enum gh_cycle_reason reason)
{
	struct gh_cycle c = { .reason = reason };
	u64 begin, stopped, marking, marked, end, cpu;

	begin = ktime_get_ns();
	cpu = gh_port_cpu_ns();
	c.start_ns = begin - heap->birth_ns;
	c.heap_start = atomic64_read(&heap->heap_live);
	c.goal = READ_ONCE(heap->goal);
	gh_sweep_all(heap);

	stopped = ktime_get_ns();
	down_write(&heap->world);
	stop_world(heap);
	marking = ktime_get_ns();
	mark_phase(heap);
	marked = ktime_get_ns();
	mark_termination(heap, &c);
	up_write(&heap->world);
	end = ktime_get_ns();

	c.end_ns = ktime_get_real_ns();
	c.setup_ns = marking - stopped;
	c.mark_ns = marked - marking;
	c.term_ns = end - marked;
	c.stopped_ns = end - stopped;
	c.cpu_ns = gh_port_cpu_ns() - cpu;
	publish_cycle(heap, &c);
	gh_port_trace_cycle(heap, &c);
}

/* Give back free memory that is beyond the memory limit. */
static void release_to_limit(struct gh_heap *heap)
{
	u64 limit = memory_limit(heap);
	u64 now = atomic64_read(&heap->mapped) + metadata_bytes(heap);

	if (now > limit)
		gh_heap_release(heap, now - limit);
}

/**
 * gh_gc_sweep() - sweep after a cycle, and keep to the memory limit
 * @heap: heap
 *
 * Context: may sleep; no lock held.
 * Return: pages freed.
 */
u64 gh_gc_sweep(struct gh_heap *heap)
{
	u64 freed = gh_sweep_all(heap);

	release_to_limit(heap);
	return freed;
}

/**
 * gh_gc_get_cycle() - read the record of a cycle
 * @heap: heap
 * @cycle: its number, 0 for the last one
 * @c: out: the record
 *
 * Return: false if the cycle has not ended, or its record is gone.
 */
bool gh_gc_get_cycle(struct gh_heap *heap, u64 cycle, struct gh_cycle *c)
{
	bool found;

	spin_lock(&heap->cycle_lock);
	if (!cycle)
		cycle = heap->nr_cycles;
	found = cycle && cycle <= heap->nr_cycles &&
		heap->nr_cycles - cycle < GH_NR_CYCLES;
	if (found)
		*c = heap->cycles[cycle % GH_NR_CYCLES];
	spin_unlock(&heap->cycle_lock);
	return found;
}
