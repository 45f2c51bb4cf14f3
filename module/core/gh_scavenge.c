// SPDX-License-Identifier: GPL-2.0
/*
 * Scavenger: gives memory of free pages back to the kernel while programs run.
 *
 * Memory is given back at three occasions, as in Go:
 *
 *	background	gh_scavenge_run(), which the port calls again and again
 *			from one thread at a time: while the heap has more memory
 *			than its goals (gh_scavpace.c) say, 64 KiB at a time from
 *			the highest sparse chunk (gh_scavindex.c), at 1 % of the
 *			CPUs' time
 *	growth		an allocation that had to grow the heap's addresses
 *			although there are free pages: they are in pieces too
 *			small for it, and as many bytes of those go as the heap
 *			has grown by, if it has more than GOGC's goal
 *	limit		an allocation for which pages have to get memory beyond
 *			the memory limit: first as much goes from elsewhere, from
 *			dense chunks, too, unless the limiter is on
 *			(gh_limiter.c), which counts the time of this and growth
 *
 * and whenever somebody calls gh_heap_release(): at the hard ceiling, for
 * FREE_OS_MEMORY, after a sweep beyond the limit, for the kernel in need. That
 * and what allocations do is called eager.
 *
 * When. Goals are set when the heap goal is, that is at the end of a cycle and
 * when a program changes GOGC or the limit. Whoever has no more memory than a
 * goal says at that moment, or less than a page, is left alone by it until the
 * next time: there is no point in chasing an allocation that comes and goes. The
 * background scavenger is woken then and after the sweep, which is what makes
 * pages free.
 *
 * A generation of the index ends with each cycle, so what a sweep has freed is
 * taken at the end of the next cycle at the earliest, if it is still free. Go
 * runs a cycle at least every two minutes; here a heap that nobody allocates from
 * has none, so its generation ends after two minutes, and what its last sweep has
 * freed goes then.
 *
 * With gh_heap.madvdontneed off the background scavenger only counts what it
 * would take and leaves it to whoever takes memory when the kernel has little.
 *
 * Locks: none is needed but those of gh_heap_scavenge(). An allocation may come
 * with gh_heap.world (read) and its mcache's lock held, the background with
 * nothing, so no stop of the world waits for it and it waits for none.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"
#include "gh_fixed.h"

/* Bytes given back between two looks at the limiter. */
#define ASSIST_STEP	(1UL << 20)

/**
 * gh_scavenge_init() - make the scavenger of a new heap
 * @heap: heap being made
 */
void gh_scavenge_init(struct gh_heap *heap)
{
	struct gh_scavenge *sc = &heap->scav;

	heap->madvdontneed = true;
	sc->percent_goal = GH_SCAV_NO_GOAL;
	sc->limit_goal = GH_SCAV_NO_GOAL;
	sc->gen_ns = heap->birth_ns;
	gh_scav_pacer_init(&sc->pacer);
}

/* Bytes of spans. */
static u64 bytes_in_use(struct gh_heap *heap)
{
	s64 pages = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		pages += READ_ONCE(per_cpu_ptr(heap->stats, cpu)->inuse_pages);
	return (u64)max_t(s64, pages, 0) << GH_PAGE_SHIFT;
}

/* Bytes of addresses, with memory or not. */
static u64 bytes_grown(struct gh_heap *heap)
{
	u64 pages;

	mutex_lock(&heap->lock);
	pages = heap->pages.end_page;
	mutex_unlock(&heap->lock);
	return pages << GH_PAGE_SHIFT;
}

static u64 retained(struct gh_heap *heap)
{
	return atomic64_read(&heap->mapped);
}

static void next_gen(struct gh_heap *heap)
{
	mutex_lock(&heap->lock);
	gh_pagealloc_next_gen(&heap->pages);
	heap->scav.gen_ns = ktime_get_ns();
	mutex_unlock(&heap->lock);
}

/**
 * gh_scavenge_end_cycle() - take note of a cycle that ends
 * @heap: heap, with the goal that the cycle had, and not swept yet
 *
 * Context: may sleep; heap->world held for writing.
 */
void gh_scavenge_end_cycle(struct gh_heap *heap)
{
	lockdep_assert_held_write(&heap->world);
	heap->scav.last_goal = gh_pacer_goal(&heap->pace.pacer);
	heap->scav.last_in_use = bytes_in_use(heap);
	next_gen(heap);
}

/* A goal that is met, or missed by less than a page, is none. */
static u64 if_missed(u64 goal, u64 now)
{
	return now > goal && now - goal >= GH_PAGE_SIZE ? goal :
							  GH_SCAV_NO_GOAL;
}

/**
 * gh_scavenge_commit() - set the goals
 * @heap: heap whose heap goal has been set
 *
 * Context: heap->world held for writing, or the heap is being made.
 */
void gh_scavenge_commit(struct gh_heap *heap)
{
	struct gh_scavenge *sc = &heap->scav;
	u64 now = retained(heap);
	u64 goal;

	goal = gh_scav_percent_goal(sc->last_in_use,
				    gh_pacer_goal(&heap->pace.pacer),
				    sc->last_goal);
	WRITE_ONCE(sc->percent_goal, if_missed(goal, now));
	goal = gh_scav_limit_goal(READ_ONCE(heap->pace.pacer.memory_limit));
	if (goal != GH_SCAV_NO_GOAL)
		goal = if_missed(goal, now + gh_pace_metadata(heap));
	WRITE_ONCE(sc->limit_goal, goal);
	if (gh_scavenge_excess(heap))
		gh_port_wake_scavenger(heap);
}

/**
 * gh_scavenge_excess() - bytes of memory that a heap has beyond its goals
 * @heap: heap
 *
 * Some of them may be of pages in use.
 * Return: bytes, 0 if both goals are met.
 */
u64 gh_scavenge_excess(struct gh_heap *heap)
{
	u64 percent = READ_ONCE(heap->scav.percent_goal);
	u64 limit = READ_ONCE(heap->scav.limit_goal);
	u64 now = retained(heap);
	u64 excess = now > percent ? now - percent : 0;

	if (limit == GH_SCAV_NO_GOAL)
		return excess;
	now += gh_pace_metadata(heap);
	return max(excess, now > limit ? now - limit : 0);
}

static u64 free_bytes(struct gh_heap *heap)
{
	u64 pages;

	mutex_lock(&heap->lock);
	pages = heap->pages.free_pages - heap->pages.scav_pages;
	mutex_unlock(&heap->lock);
	return pages << GH_PAGE_SHIFT;
}

/**
 * gh_scavenge_step() - give some memory back in the background
 * @heap: heap
 * @budget: most bytes to give back, exceeded for a whole huge page;
 *	GH_SCAV_QUANTUM keeps the page allocator's lock free for others
 *
 * Context: may sleep; no lock held. One thread at a time.
 * Return: bytes given back; 0 if the goals are met, there is nothing to take, or
 * gh_heap.madvdontneed is off.
 */
u64 gh_scavenge_step(struct gh_heap *heap, u64 budget)
{
	struct gh_scavenge *sc = &heap->scav;
	u64 excess = gh_scavenge_excess(heap);
	u64 lazy = 0, done = 0;

	if (!READ_ONCE(heap->madvdontneed))
		lazy = excess ? min(excess, free_bytes(heap)) : 0;
	else if (excess)
		done = gh_heap_scavenge(heap, min(budget, excess), false);
	WRITE_ONCE(sc->lazy_bytes, lazy);
	atomic64_add(done, &sc->bg_bytes);
	atomic64_add(done, &sc->traced_bg_bytes);
	return done;
}

/* When the generation ends by itself; U64_MAX if that would change nothing. */
static u64 gen_end_ns(struct gh_heap *heap)
{
	u64 end = U64_MAX;

	mutex_lock(&heap->lock);
	if (heap->pages.freed_end)
		end = heap->scav.gen_ns + GH_SCAV_PERIOD_NS;
	mutex_unlock(&heap->lock);
	return end;
}

/* When to look again if there is nothing to take now; 0 for not. */
static u64 idle_ns(struct gh_heap *heap, u64 now)
{
	u64 end = gen_end_ns(heap);

	if (end == U64_MAX || !gh_scavenge_excess(heap))
		return 0;
	return now < end ? end - now : 1;
}

/* Steps for a millisecond; returns bytes given back. */
static u64 work(struct gh_heap *heap, u64 *worked_ns)
{
	u64 begin = gh_port_cpu_ns();
	u64 done = 0, n;

	do {
		n = gh_scavenge_step(heap, GH_SCAV_QUANTUM);
		done += n;
		*worked_ns = gh_port_cpu_ns() - begin;
		cond_resched();
	} while (n && *worked_ns < GH_SCAV_WORK_NS);
	if (done && !*worked_ns)
		*worked_ns = done / GH_PAGE_SIZE * GH_SCAV_PAGE_NS;
	if (done)
		gh_port_event(heap, GH_EVENT_SCAVENGE, done, *worked_ns);
	return done;
}

/**
 * gh_scavenge_run() - a round of the background scavenger
 * @heap: heap
 *
 * The port calls it when gh_port_wake_scavenger() was called, and then again
 * after the time that it says has passed.
 * Context: may sleep; no lock held. One thread at a time, not always the same.
 * Return: ns to sleep before the next round: long enough for the pace if
 * something was given back; else the time until there may be something; 0 for
 * until the next wake.
 */
u64 gh_scavenge_run(struct gh_heap *heap)
{
	struct gh_scavenge *sc = &heap->scav;
	u64 now = ktime_get_ns();
	u64 done;

	if (sc->worked_ns)
		gh_scav_pacer_update(&sc->pacer, sc->worked_ns,
				     now - sc->ended_ns, num_online_cpus());
	if (now >= gen_end_ns(heap))
		next_gen(heap);
	done = work(heap, &sc->worked_ns);
	atomic64_add(sc->worked_ns, &sc->bg_ns);
	sc->ended_ns = ktime_get_ns();
	if (done)
		return gh_scav_pacer_sleep(&sc->pacer, sc->worked_ns);
	sc->worked_ns = 0;
	return idle_ns(heap, sc->ended_ns);
}

/**
 * gh_scavenge_count_eager() - count what was not given back in the background
 * @heap: heap
 * @bytes: how much
 */
void gh_scavenge_count_eager(struct gh_heap *heap, u64 bytes)
{
	atomic64_add(bytes, &heap->scav.eager_bytes);
	atomic64_add(bytes, &heap->scav.traced_eager_bytes);
}

/* On behalf of an allocation; returns bytes given back. */
static u64 assist(struct gh_heap *heap, u64 bytes, bool force)
{
	u64 begin = ktime_get_ns();
	u64 done = gh_heap_scavenge(heap, bytes, force);
	u64 ns = ktime_get_ns() - begin;

	gh_scavenge_count_eager(heap, done);
	atomic64_add(ns, &heap->scav.assist_ns);
	gh_pace_helped(heap, ns);
	gh_port_event(heap, GH_EVENT_SCAVENGE, done, ns);
	return done;
}

/**
 * gh_scavenge_for_growth() - make up for addresses that an allocation has added
 * @heap: heap
 * @growth: bytes of addresses it has grown by, 0 for none
 *
 * Context: may sleep; no lock held but perhaps heap->world (read) and a
 * gh_mcache.lock.
 */
void gh_scavenge_for_growth(struct gh_heap *heap, u64 growth)
{
	u64 goal = READ_ONCE(heap->scav.percent_goal);
	u64 after = retained(heap) + growth;

	if (growth && after > goal)
		assist(heap, min(growth, after - goal), false);
}

/**
 * gh_scavenge_for_limit() - make room under the memory limit
 * @heap: heap
 * @bytes: memory that pages are about to get
 *
 * Not while the limiter says that the collector has had its share of the CPU
 * time: the heap grows beyond the limit then.
 * Context: may sleep; no lock held but perhaps heap->world (read) and a
 * gh_mcache.lock.
 */
void gh_scavenge_for_limit(struct gh_heap *heap, u64 bytes)
{
	u64 limit = READ_ONCE(heap->pace.pacer.memory_limit);
	u64 after, excess, n, done;

	if (limit >= S64_MAX)
		return;
	after = retained(heap) + gh_pace_metadata(heap) + bytes;
	for (excess = gh_sat_sub(after, limit); excess;
	     excess = gh_sat_sub(excess, done)) {
		if (gh_pace_limiting(heap))
			break;
		n = min_t(u64, excess, ASSIST_STEP);
		done = assist(heap, n, true);
		if (done < n)
			break;
	}
}

/**
 * gh_scavenge_trace() - report what was given back since the last report
 * @heap: heap
 * @forced: a program has asked for all memory to be given back
 *
 * Context: may sleep; no lock held.
 */
void gh_scavenge_trace(struct gh_heap *heap, bool forced)
{
	struct gh_scavenge *sc = &heap->scav;
	u64 sys = bytes_grown(heap);
	struct gh_scav_trace t = {
		.bg_bytes = atomic64_xchg(&sc->traced_bg_bytes, 0),
		.eager_bytes = atomic64_xchg(&sc->traced_eager_bytes, 0),
		.in_use = bytes_in_use(heap),
		.retained = retained(heap),
		.forced = forced,
		.reset = READ_ONCE(sc->pacer.failed),
	};

	if (t.reset)
		WRITE_ONCE(sc->pacer.failed, false);
	t.released = sys - min(sys, t.retained);
	gh_port_trace_scavenge(heap, &t);
}

/**
 * gh_scavenge_swept() - a sweep is over
 * @heap: heap
 *
 * Context: may sleep; no lock held.
 */
void gh_scavenge_swept(struct gh_heap *heap)
{
	if (gh_scavenge_excess(heap))
		gh_port_wake_scavenger(heap);
	gh_scavenge_trace(heap, false);
}
