// SPDX-License-Identifier: GPL-2.0
/*
 * Limit of the collector's share of CPU time.
 *
 * When the live heap does not fit the memory limit, one cycle follows another
 * and each asks the program for assists: all CPU time goes to collections that
 * free next to nothing. The limiter says when that has lasted too long, and
 * until it has been made good again the program does not assist, so that the
 * heap grows beyond its limit instead.
 *
 * It is a bucket. CPU time of the collector fills it, CPU time of the program
 * drains it, one for one; so the collector may have half of the time, and the
 * size of the bucket, a second for each CPU, is by how much it may exceed that
 * at first. It does not drain below empty: an hour without collections earns
 * no credit. Nor does it fill beyond full: what overflows, since assists do not
 * stop at once, is counted but need not be made good, and so half is what is
 * aimed at rather than a bound.
 *
 * What counts as the collector's: assists; while marking runs beside the
 * program the planned quarter of all CPUs, as in the pacer; and all CPUs while
 * the world is stopped, since nobody else can use them. Idle time counts as
 * nobody's: it is taken out of the program's share, or a program with one
 * thread on many CPUs would never be found to suffer. It can come late and all at
 * once, of a CPU that has slept for minutes. Then it undoes what the program's
 * share has drained since marking began or ended, and what is left of it is
 * forgotten: time that nobody used is none of the collector's.
 *
 * Invariants: fill <= capacity; enabled if and only if fill == capacity, but
 * for a change of nothing, which leaves it as it is.
 *
 * Called by the collector, and by assists through whoever serialises them; no
 * function takes a lock, sleeps or looks at a clock. gh_limiter_limiting() and
 * gh_limiter_need_update() read one word each and need no lock. A state that
 * the order of calls in gh_limiter.h does not allow warns and changes nothing.
 */
#include "gh_internal.h"
#include "gh_fixed.h"
#include "gh_limiter.h"
#include "gh_pacer.h"

/* More than any CPU time, and far enough from the end of s64 to add some. */
#define TIME_MAX	(S64_MAX / 8)

static s64 as_time(u64 ns)
{
	return min_t(u64, ns, TIME_MAX);
}

static void set_enabled(struct gh_limiter *l, bool enabled)
{
	if (l->enabled == enabled)
		return;
	if (enabled)
		l->last_enabled = l->cycle;
	WRITE_ONCE(l->enabled, enabled);
}

/**
 * gh_limiter_accumulate() - count CPU time
 * @l: limiter
 * @mutator_ns: of the program; negative if others used more than there was
 * @gc_ns: of the collector
 *
 * The bucket alone; gh_limiter_update() is what callers want.
 */
void gh_limiter_accumulate(struct gh_limiter *l, s64 mutator_ns, s64 gc_ns)
{
	u64 headroom = l->capacity - l->fill;
	s64 change;

	change = clamp_t(s64, gc_ns, -TIME_MAX, TIME_MAX) -
		 clamp_t(s64, mutator_ns, -TIME_MAX, TIME_MAX);
	if (change > 0 && headroom <= change) {
		l->overflow = gh_sat_add(l->overflow, change - headroom);
		l->fill = l->capacity;
		set_enabled(l, true);
		return;
	}
	if (change < 0)
		l->fill = gh_sat_sub(l->fill, -change);
	else
		l->fill += change;
	/* Not full any more; but one that was full stays so if change is 0. */
	if (change)
		set_enabled(l, false);
}

/* Count what has passed since the last time. */
static void update(struct gh_limiter *l, u64 now)
{
	s64 total, gc, idle, mutator, late;

	/* Not the latest: the pools wait for a caller who knows the time. */
	if (now < l->last_update)
		return;
	total = as_time(gh_sat_mul(now - l->last_update, l->nr_cpus));
	WRITE_ONCE(l->last_update, now);
	gc = as_time(l->assist_pool);
	idle = as_time(l->idle_pool);
	l->assist_pool = 0;
	l->idle_pool = 0;
	/* The collector's share is one of all CPUs, idle or not. */
	if (l->gc_enabled)
		gc += total / GH_PACER_UTILIZATION_DIV;
	mutator = total - gc;
	/* Out of the program's share now, or where that has drained before. */
	late = idle - min(idle, max_t(s64, mutator, 0));
	mutator -= idle - late;
	late = min_t(u64, late, l->drained);
	l->drained -= late;
	if (mutator > 0)
		l->drained = gh_sat_add(l->drained,
					min_t(u64, mutator, l->fill + gc));
	gh_limiter_accumulate(l, mutator - late, gc);
}

static void set_capacity(struct gh_limiter *l, u32 nr_cpus)
{
	l->nr_cpus = max(nr_cpus, 1U);
	l->capacity = l->nr_cpus * GH_LIMITER_CAPACITY_NS;
}

/**
 * gh_limiter_init() - an empty bucket
 * @l: what to fill in
 * @nr_cpus: CPUs the program may use; 0 counts as 1
 * @now: ns, of any monotonic clock
 */
void gh_limiter_init(struct gh_limiter *l, u32 nr_cpus, u64 now)
{
	memset(l, 0, sizeof(*l));
	l->last_update = now;
	set_capacity(l, nr_cpus);
}

/**
 * gh_limiter_reset_capacity() - the number of CPUs has changed
 * @l: limiter, not in a transition
 * @nr_cpus: CPUs the program may use from now on; 0 counts as 1
 * @now: ns
 *
 * What a smaller bucket cannot hold is gone; it is no overflow.
 */
void gh_limiter_reset_capacity(struct gh_limiter *l, u32 nr_cpus, u64 now)
{
	if (WARN_ON_ONCE(l->transitioning))
		return;
	update(l, now);
	set_capacity(l, nr_cpus);
	l->fill = min(l->fill, l->capacity);
	set_enabled(l, l->fill == l->capacity);
}

/**
 * gh_limiter_start_transition() - the world has been stopped
 * @l: limiter, not in a transition
 * @gc_on: for marking to begin; else it has ended
 * @cycle: number of the cycle
 * @now: ns, when the world began to stop
 *
 * Counts what the program and its assists did up to now. Nothing but
 * gh_limiter_finish_transition() may follow.
 */
void gh_limiter_start_transition(struct gh_limiter *l, bool gc_on, u64 cycle,
				 u64 now)
{
	if (WARN_ON_ONCE(l->transitioning || l->gc_enabled == gc_on))
		return;
	update(l, now);
	l->drained = 0;
	l->gc_enabled = gc_on;
	l->cycle = cycle;
	l->transitioning = true;
}

/**
 * gh_limiter_finish_transition() - the world is about to start
 * @l: limiter in a transition
 * @now: ns
 */
void gh_limiter_finish_transition(struct gh_limiter *l, u64 now)
{
	u64 stopped = gh_sat_sub(now, l->last_update);

	if (WARN_ON_ONCE(!l->transitioning))
		return;
	gh_limiter_accumulate(l, 0, as_time(gh_sat_mul(stopped, l->nr_cpus)));
	WRITE_ONCE(l->last_update, max(now, l->last_update));
	/* After a cycle the bucket can fill up on account of the next one. */
	if (!l->gc_enabled)
		l->cycle++;
	l->transitioning = false;
}

/**
 * gh_limiter_add_assist() - the program has worked for the collector
 * @l: limiter
 * @ns: CPU time since the last call; assists of marking and, between cycles,
 *	of giving memory back
 *
 * Counts with the next update.
 */
void gh_limiter_add_assist(struct gh_limiter *l, u64 ns)
{
	l->assist_pool = gh_sat_add(l->assist_pool, ns);
}

/**
 * gh_limiter_add_idle() - CPUs had nothing to do
 * @l: limiter
 * @ns: CPU time since the last call, with that of idle mark workers
 *
 * Counts with the next update.
 */
void gh_limiter_add_idle(struct gh_limiter *l, u64 ns)
{
	l->idle_pool = gh_sat_add(l->idle_pool, ns);
}

/**
 * gh_limiter_update() - count the time since the last update
 * @l: limiter, not in a transition
 * @now: ns; before the last update nothing happens
 */
void gh_limiter_update(struct gh_limiter *l, u64 now)
{
	if (!WARN_ON_ONCE(l->transitioning))
		update(l, now);
}
