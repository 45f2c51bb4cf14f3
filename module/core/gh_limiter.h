/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Limit of the collector's share of CPU time (Go's gcCPULimiter).
 *
 * The collector calls, in this order:
 *
 *	gh_limiter_init()			when the heap is made
 *	gh_limiter_start_transition(true)	world stopped, before marking
 *	gh_limiter_finish_transition()		before the world starts
 *	gh_limiter_add_assist(), _add_idle(),
 *	gh_limiter_update()			at any time between transitions,
 *						when gh_limiter_need_update()
 *	gh_limiter_start_transition(false)	world stopped, marking has ended
 *	gh_limiter_finish_transition()		before the world starts
 *	gh_limiter_reset_capacity()		CPUs have changed, not marking
 *
 * and while gh_limiter_limiting() nobody assists and no memory is given back
 * to stay within the memory limit.
 */
#ifndef GH_LIMITER_H
#define GH_LIMITER_H

#include "gh_config.h"

/* Size of the bucket: 1 s for each CPU (capacityPerProc). */
#define GH_LIMITER_CAPACITY_NS	1000000000ULL

/* Longest time without an update (gcCPULimiterUpdatePeriod). */
#define GH_LIMITER_PERIOD_NS	10000000ULL

/**
 * struct gh_limiter - leaky bucket of CPU time; times in ns
 * @fill: CPU time in the bucket, at most @capacity
 * @capacity: size of the bucket
 * @overflow: CPU time of the collector that did not fit, since the beginning
 * @drained: by how much more it would have been filled since the last transition
 *	without the program's share
 * @last_update: up to when time has been counted
 * @assist_pool: CPU time of assists not counted yet (assistTimePool)
 * @idle_pool: idle CPU time not counted yet (idleTimePool)
 * @cycle: the cycle that runs or, between two, the next one
 * @last_enabled: @cycle when the limiter was last switched on, 0 for never
 *	(lastEnabledCycle)
 * @nr_cpus: CPUs the program may use
 * @enabled: the bucket is full; read without any lock
 * @gc_enabled: there is marking beside the program
 * @transitioning: between the two calls of a transition
 *
 * Owned by the caller, who serialises all calls but gh_limiter_limiting() and
 * gh_limiter_need_update().
 */
struct gh_limiter {
	u64 fill;
	u64 capacity;
	u64 overflow;
	u64 drained;
	u64 last_update;
	u64 assist_pool;
	u64 idle_pool;
	u64 cycle;
	u64 last_enabled;
	u32 nr_cpus;
	bool enabled;
	bool gc_enabled;
	bool transitioning;
};

void gh_limiter_init(struct gh_limiter *l, u32 nr_cpus, u64 now);
void gh_limiter_reset_capacity(struct gh_limiter *l, u32 nr_cpus, u64 now);
void gh_limiter_start_transition(struct gh_limiter *l, bool gc_on, u64 cycle,
				 u64 now);
void gh_limiter_finish_transition(struct gh_limiter *l, u64 now);
void gh_limiter_add_assist(struct gh_limiter *l, u64 ns);
void gh_limiter_add_idle(struct gh_limiter *l, u64 ns);
void gh_limiter_update(struct gh_limiter *l, u64 now);
void gh_limiter_accumulate(struct gh_limiter *l, s64 mutator_ns, s64 gc_ns);

/**
 * gh_limiter_limiting() - is the collector to do without the program's help?
 * @l: limiter
 *
 * Context: any, no lock.
 * Return: true while the bucket is full.
 */
static inline bool gh_limiter_limiting(const struct gh_limiter *l)
{
	return READ_ONCE(l->enabled);
}

/**
 * gh_limiter_need_update() - is gh_limiter_update() due?
 * @l: limiter
 * @now: ns
 *
 * Context: any, no lock.
 * Return: true if the last update was more than GH_LIMITER_PERIOD_NS ago.
 */
static inline bool gh_limiter_need_update(const struct gh_limiter *l, u64 now)
{
	u64 last = READ_ONCE(l->last_update);

	return now > last && now - last > GH_LIMITER_PERIOD_NS;
}

#endif /* GH_LIMITER_H */
