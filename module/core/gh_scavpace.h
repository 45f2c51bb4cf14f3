/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How much the scavenger leaves to the heap, and how fast it works: see
 * gh_scavpace.c.
 */
#ifndef GH_SCAVPACE_H
#define GH_SCAVPACE_H

#include "gh_config.h"

/* A goal that is always met. */
#define GH_SCAV_NO_GOAL		U64_MAX

/* Fixed point of the pacer: 24 bits behind the point. */
#define GH_PACE_SHIFT		24
#define GH_PACE_ONE		BIT_ULL(GH_PACE_SHIFT)

/* 1 % of the CPU time of all CPUs. */
#define GH_PACE_TARGET		(GH_PACE_ONE / 100)

/* Bounds of the ratio of work to sleep, 0.001 to 1000; it starts at the lower. */
#define GH_PACE_RATIO_MIN	(GH_PACE_ONE / 1000)
#define GH_PACE_RATIO_MAX	(GH_PACE_ONE * 1000)

/* For so long the ratio stays at its lower bound after the controller failed. */
#define GH_PACE_COOLDOWN_NS	(5 * NSEC_PER_SEC)

/**
 * struct gh_scav_pacer - how long to sleep after how much work
 * @ratio: of work to sleep, GH_PACE_ONE is 1
 * @integral: of the controller, in the same unit
 * @cooldown_ns: time for which the controller still has no say
 * @failed: it has failed since somebody cleared this, which anybody may do
 *
 * All zero but @ratio in the beginning, see gh_scav_pacer_init(). Used by one
 * thread at a time.
 */
struct gh_scav_pacer {
	u64 ratio;
	s64 integral;
	u64 cooldown_ns;
	bool failed;
};

u64 gh_scav_percent_goal(u64 in_use, u64 goal, u64 last_goal);
u64 gh_scav_limit_goal(u64 limit);
void gh_scav_pacer_init(struct gh_scav_pacer *p);
u64 gh_scav_pacer_sleep(const struct gh_scav_pacer *p, u64 worked_ns);
void gh_scav_pacer_update(struct gh_scav_pacer *p, u64 worked_ns, u64 slept_ns,
			  u32 nr_cpus);

#endif /* GH_SCAVPACE_H */
