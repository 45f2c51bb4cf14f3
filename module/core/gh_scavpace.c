// SPDX-License-Identifier: GPL-2.0
/*
 * Goals and pace of the scavenger: arithmetic only.
 *
 * Goals. A heap that has been collected will grow to its heap goal again, so
 * memory up to there is not worth giving back. What it takes to get there
 * follows from the last cycle: when that ended, so many bytes of spans were
 * needed for a heap at its goal of then. Scaled with the ratio of the goals, and
 * with 10 % on top because no two cycles are alike, that is how much memory the
 * heap may keep. The other goal is 95 % of the memory limit, so that the
 * scavenger has been there before an allocation has to wait for it.
 *
 * Pace. The scavenger may take 1 % of the time of all CPUs. It works for a
 * millisecond or a little more and sleeps for that time divided by a ratio. A
 * proportional-integral controller finds the ratio: what the work costs others
 * (flushes, locks) and how well the kernel sleeps are not known to it. With x
 * the share of CPU time of the last round, t the round's duration, and
 * e = 1 % - x,
 *
 *	raw       = kp e + I
 *	ratio     = raw, not below 0.001 and not above 1000
 *	I        += kp t / ti e + t / tt (ratio - raw)
 *
 * The last term keeps the integral from running away while the ratio is at a
 * bound. As long as it is at none, I is the sum of e over time but for a factor,
 * and as I stays bounded, the share is 1 % on average over a long time, however
 * it varies from round to round. Constants, and the pause of five seconds at the
 * lowest ratio after a failure, are Go's.
 *
 * The kernel does not compute with floating point. Numbers have 24 bits behind
 * the point. In place of an overflow to infinity the controller fails when
 * |I| reaches 2^20, which is a thousand times the largest ratio. Rounds of more
 * than ten seconds count as that long: somebody slept.
 */
#include "gh_internal.h"
#include "gh_scavpace.h"

/* 10 %, and 5 %. */
#define EXTRA_DIV	10
#define REDUCE_DIV	20

/* Beyond this ratio of goals, and with it 64 bits, everything is retained. */
#define MAX_GOAL_RATIO	BIT_ULL(17)

/* kp = 0.3375 = 27 / 80, ti = 3.2e6 ns, tt = 1e9 ns; kp / ti = 27 / 2.56e8 */
#define KP_NUM		27
#define KP_DEN		80
#define TI_NS		3200000ULL
#define TT_NS		1000000000ULL

#define MAX_PERIOD_NS	(10 * NSEC_PER_SEC)
#define MAX_INTEGRAL	((s64)GH_PACE_ONE << 20)

/**
 * gh_scav_percent_goal() - how much memory a heap may keep for GOGC's sake
 * @in_use: bytes of spans when the last cycle ended, up to GH_MAX_ASPACE
 * @goal: heap goal now, U64_MAX for none
 * @last_goal: heap goal of that cycle, U64_MAX for none; 0 if there was no cycle
 *
 * Return: bytes of memory of pages, GH_SCAV_NO_GOAL for as much as it likes.
 */
u64 gh_scav_percent_goal(u64 in_use, u64 goal, u64 last_goal)
{
	u64 retain = in_use;

	if (!last_goal)
		return GH_SCAV_NO_GOAL;
	/* No goal then: nothing to scale with. */
	if (last_goal != U64_MAX) {
		if (goal / last_goal >= MAX_GOAL_RATIO)
			return GH_SCAV_NO_GOAL;
		retain = mul_u64_u64_div_u64(in_use, goal, last_goal);
	}
	retain += retain / EXTRA_DIV;
	return round_up(retain, (u64)GH_PAGE_SIZE);
}

/**
 * gh_scav_limit_goal() - how much memory a heap may keep for its limit's sake
 * @limit: memory limit in bytes, S64_MAX for none
 *
 * Return: bytes of memory, metadata included, GH_SCAV_NO_GOAL for any number.
 */
u64 gh_scav_limit_goal(u64 limit)
{
	if (limit >= S64_MAX)
		return GH_SCAV_NO_GOAL;
	return limit - limit / REDUCE_DIV;
}

/**
 * gh_scav_pacer_init() - make a pacer
 * @p: what to fill in
 */
void gh_scav_pacer_init(struct gh_scav_pacer *p)
{
	*p = (struct gh_scav_pacer) { .ratio = GH_PACE_RATIO_MIN };
}

/**
 * gh_scav_pacer_sleep() - how long to sleep
 * @p: pacer
 * @worked_ns: CPU time of the work just done, below 2^39
 *
 * Return: ns.
 */
u64 gh_scav_pacer_sleep(const struct gh_scav_pacer *p, u64 worked_ns)
{
	return div64_u64(worked_ns << GH_PACE_SHIFT, p->ratio);
}

/* a * b / c without overflow in between. */
static s64 scale(s64 a, u64 b, u64 c)
{
	u64 m = mul_u64_u64_div_u64(a < 0 ? -a : a, b, c);

	return a < 0 ? -(s64)m : (s64)m;
}

static void control(struct gh_scav_pacer *p, s64 error, u64 period_ns)
{
	s64 raw = scale(error, KP_NUM, KP_DEN) + p->integral;

	p->ratio = clamp_t(s64, raw, GH_PACE_RATIO_MIN, GH_PACE_RATIO_MAX);
	p->integral += scale(error, period_ns * KP_NUM, TI_NS * KP_DEN) +
		       scale((s64)p->ratio - raw, period_ns, TT_NS);
	if (p->integral < MAX_INTEGRAL && p->integral > -MAX_INTEGRAL)
		return;
	p->ratio = GH_PACE_RATIO_MIN;
	p->integral = 0;
	p->cooldown_ns = GH_PACE_COOLDOWN_NS;
	WRITE_ONCE(p->failed, true);
}

/**
 * gh_scav_pacer_update() - learn how a round went
 * @p: pacer
 * @worked_ns: CPU time of its work
 * @slept_ns: wall time of the sleep that followed
 * @nr_cpus: CPUs that programs can use, not 0
 */
void gh_scav_pacer_update(struct gh_scav_pacer *p, u64 worked_ns, u64 slept_ns,
			  u32 nr_cpus)
{
	u64 period, share;

	worked_ns = min_t(u64, worked_ns, MAX_PERIOD_NS);
	period = worked_ns + min_t(u64, slept_ns, MAX_PERIOD_NS);
	if (!period)
		return;
	if (p->cooldown_ns) {
		p->cooldown_ns -= min(p->cooldown_ns, period);
		return;
	}
	share = div64_u64(worked_ns << GH_PACE_SHIFT, period * nr_cpus);
	control(p, (s64)GH_PACE_TARGET - (s64)share,
		min_t(u64, period, MAX_PERIOD_NS));
}
