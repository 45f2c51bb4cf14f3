// SPDX-License-Identifier: GPL-2.0
/*
 * The pacer against programs that exist in numbers only.
 *
 * A program has a rate at which it allocates and a live heap that grows by a
 * factor from cycle to cycle; the collector has a rate at which it scans. Both
 * rates are bytes for each ms of CPU time. Programs assist as exactly as the
 * ratio asks: with utilization u, in any time,
 *
 *	scanned   = scan rate * CPUs * u
 *	allocated = alloc rate * CPUs * (1 - u)
 *	scanned   = ratio * allocated
 *
 * which has one solution for u, and u is a quarter if that is more. The pacer
 * is told every half ms. Globals are scanned first, then stacks, then the heap.
 *
 * Each case runs a program for some cycles and says what must hold for which of
 * them. run() checks in every cycle of every case that goal and trigger keep
 * to their bounds, and that the heap does not outgrow the last resort.
 */
#include "gh_test.h"
#include "gh_limiter.h"
#include "gh_pacer.h"

#define KB		1024ULL
#define MB		(1024ULL * KB)
#define PERIOD_NS	500000ULL
#define NS_PER_MS	1000000ULL
#define FIRST_LIVE	(256 * KB)
#define SCAN_RATE	(1024 * KB)
#define MAX_CYCLES	100
#define CPUS		8

/* Where growth ends in all programs; the live heap is 18 MB then. */
#define GROWN		12

/* The goal for utilization in units of 1/10000. */
#define QUARTER		2500

/* What a program does in one cycle; factors in 1/1000. */
struct script {
	u64 alloc_rate;
	u64 growth;
	u64 scannable;
	u64 stack;
};

/* What has come of it; utilization in 1/10000, peak in 1/1000 of the goal. */
struct result {
	u64 marked;
	u64 trigger;
	u64 goal;
	u64 peak;
	u64 peak_ratio;
	u64 utilization;
	u64 mapped;
};

struct sim {
	s64 percent;
	s64 limit;
	u64 overhead;
	u64 globals;
	u32 nr_cycles;
	bool limiter;
	void (*script)(u32 cycle, struct script *s);

	struct gh_pacer pacer;
	struct gh_limiter lim;
	struct result results[MAX_CYCLES];
	struct gh_pacer_heap heap;
	struct gh_pacer_work todo;
	struct gh_pacer_work done;
	u64 black;
	u64 now_ns;
	u64 assist_ns;
	u64 gc_cpu_ns;
};

/* 2, then less and less, and 1 from cycle GROWN on. */
static u64 growing(u32 cycle)
{
	return cycle < GROWN ? 2000 - 1000 * cycle / GROWN : 1000;
}

static void steady(u32 cycle, struct script *s)
{
	s->alloc_rate = 33 * KB;
	s->growth = growing(cycle);
	s->scannable = 1000;
	s->stack = 8 * KB;
}

/* A number from 0 to below @n that only depends on the cycle. */
static u64 noise(u32 cycle, u32 seed, u32 n)
{
	u64 x = (cycle + 1) * 0x9e3779b97f4a7c15ULL + seed;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return ((x ^ (x >> 31)) >> 32) % n;
}

static void set_memory(struct sim *sim)
{
	struct gh_pacer_memory mem = {
		.mapped_ready = sim->overhead + sim->heap.live,
		.heap_alloc = sim->heap.live,
	};

	gh_pacer_set_memory(&sim->pacer, &mem);
}

/* Take up to @bytes of scan work from what is left. */
static u64 scan(struct sim *sim, u64 bytes)
{
	u64 *left[] = { &sim->todo.globals, &sim->todo.stack, &sim->todo.heap };
	u64 *done[] = { &sim->done.globals, &sim->done.stack, &sim->done.heap };
	u64 scanned = 0, n;
	int i;

	for (i = 0; i < 3; i++) {
		n = min(*left[i], bytes - scanned);
		*left[i] -= n;
		*done[i] += n;
		scanned += n;
	}
	return scanned;
}

/* The u that the assist ratio leads to, Q32. */
static u64 utilization(struct sim *sim, const struct script *s)
{
	u64 ra = gh_fix_mul(s->alloc_rate, sim->pacer.assist_work_per_byte);
	u64 u = gh_fix_div(ra, gh_sat_add(ra, SCAN_RATE));

	if (sim->limiter && gh_limiter_limiting(&sim->lim))
		return GH_PACER_UTILIZATION;
	return max(u, GH_PACER_UTILIZATION);
}

/* Half a ms of marking, or less if there is no more to do. */
static void mark_period(struct sim *sim, const struct script *s)
{
	u64 u = utilization(sim, s);
	u64 assist = u - GH_PACER_UTILIZATION;
	u64 ns = PERIOD_NS, planned, scanned, allocated;

	planned = gh_fix_mul(SCAN_RATE * CPUS * ns / NS_PER_MS, u);
	scanned = scan(sim, planned);
	if (scanned < planned)
		ns = gh_mul_div(ns, scanned, planned);
	allocated = gh_fix_mul(s->alloc_rate * CPUS * ns / NS_PER_MS,
			       GH_FIX_ONE - u);

	sim->now_ns += ns;
	sim->assist_ns += gh_fix_mul(ns * CPUS, assist);
	sim->gc_cpu_ns += gh_fix_mul(ns * CPUS, u);
	sim->black += allocated;
	sim->heap.live += allocated;
	if (sim->limiter) {
		gh_limiter_add_assist(&sim->lim, gh_fix_mul(ns * CPUS, assist));
		gh_limiter_update(&sim->lim, sim->now_ns);
	}
	set_memory(sim);
	gh_pacer_revise(&sim->pacer, &sim->heap, &sim->done);
}

/* The program alone, up to the trigger. */
static void reach_trigger(struct sim *sim, const struct script *s)
{
	struct gh_pacer *p = &sim->pacer;
	u64 grown;

	set_memory(sim);
	grown = gh_sat_sub(p->trigger, p->heap_marked);
	sim->now_ns += gh_mul_div(grown, NS_PER_MS, s->alloc_rate * CPUS);
	sim->heap.live = p->heap_marked + grown;
	sim->heap.scan = p->last_heap_scan + grown * s->scannable / 1000;
	sim->heap.globals = sim->globals;
	sim->heap.max_stack = s->stack;
	set_memory(sim);
	if (sim->limiter)
		gh_limiter_update(&sim->lim, sim->now_ns);
}

static void end_cycle(struct sim *sim, u64 live, struct result *r)
{
	struct gh_pacer_result end = {
		.now_ns = sim->now_ns,
		.assist_ns = sim->assist_ns,
		.heap_live = sim->heap.live,
		.heap_marked = live + sim->black,
		.work = sim->done,
	};
	struct gh_pacer_memory mem = {
		.mapped_ready = sim->overhead + sim->heap.live,
		.heap_alloc = sim->heap.live,
	};

	r->peak = sim->heap.live;
	r->peak_ratio = gh_mul_div(r->peak, 1000, r->goal);
	r->mapped = mem.mapped_ready;
	gh_pacer_end(&sim->pacer, &end);
	r->utilization = gh_fix_mul(10000, sim->pacer.trace.utilization);
	gh_pacer_commit(&sim->pacer, end.heap_marked, true, &mem);
}

/* What holds in any cycle, whatever the program does. */
static void check_bounds(struct kunit *test, const struct sim *sim, u32 cycle,
			 const struct script *s)
{
	const struct result *r = &sim->results[cycle];
	u64 way = r->goal - r->marked;
	u64 percent = sim->percent < 0 ? 100000 : sim->percent;
	u64 last = r->goal + gh_mul_div(r->goal, percent, 100);
	u64 upper;

	KUNIT_EXPECT_GE_MSG(test, r->goal, r->marked, "cycle %u", cycle);
	KUNIT_EXPECT_GE_MSG(test, r->trigger, r->marked + way / 64 * 45,
			    "cycle %u", cycle);
	upper = max(r->marked + way / 64 * 61,
		    gh_sat_sub(r->goal, GH_HEAP_MINIMUM));
	KUNIT_EXPECT_LE_MSG(test, r->trigger, upper, "cycle %u", cycle);
	/* The hard goal, the tenth beyond it, and half a ms; or no assists. */
	if (sim->limiter)
		return;
	last += last / 10 + s->alloc_rate * CPUS / 2;
	KUNIT_EXPECT_LE_MSG(test, r->peak, last, "cycle %u", cycle);
}

static void run_cycle(struct kunit *test, struct sim *sim, u32 cycle)
{
	struct gh_pacer *p = &sim->pacer;
	struct result *r = &sim->results[cycle];
	struct script s;
	u64 live;

	sim->script(cycle, &s);
	reach_trigger(sim, &s);
	r->marked = p->heap_marked;
	r->trigger = p->trigger;
	if (sim->limiter) {
		gh_limiter_start_transition(&sim->lim, true, cycle + 1,
					    sim->now_ns);
		gh_limiter_finish_transition(&sim->lim, sim->now_ns);
	}
	gh_pacer_start(p, GH_PACER_NORMAL, CPUS, sim->now_ns, &sim->heap);
	r->goal = p->goal;

	/* What was allocated black lives for one cycle. */
	live = cycle ? (p->heap_marked - sim->black) * s.growth / 1000 :
		       FIRST_LIVE;
	sim->todo.globals = sim->globals;
	sim->todo.stack = s.stack;
	sim->todo.heap = live * s.scannable / 1000;
	memset(&sim->done, 0, sizeof(sim->done));
	sim->black = 0;
	sim->assist_ns = 0;
	while (sim->todo.globals + sim->todo.stack + sim->todo.heap)
		mark_period(sim, &s);
	if (sim->limiter) {
		gh_limiter_start_transition(&sim->lim, false, cycle + 1,
					    sim->now_ns);
		gh_limiter_finish_transition(&sim->lim, sim->now_ns);
	}
	end_cycle(sim, live, r);
	check_bounds(test, sim, cycle, &s);
}

static struct sim *sim_new(struct kunit *test, u32 nr_cycles,
			   void (*script)(u32 cycle, struct script *s))
{
	struct sim *sim = kunit_kzalloc(test, sizeof(*sim), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sim);
	sim->percent = 100;
	sim->limit = S64_MAX;
	sim->globals = 32 * KB;
	sim->nr_cycles = nr_cycles;
	sim->script = script;
	return sim;
}

static void run(struct kunit *test, struct sim *sim)
{
	u32 i;

	gh_pacer_init(&sim->pacer, sim->percent, sim->limit);
	gh_limiter_init(&sim->lim, CPUS, 0);
	for (i = 0; i < sim->nr_cycles; i++)
		run_cycle(test, sim, i);
}

/* From cycle @from to below @to: the peak is near the goal. */
static void expect_peak(struct kunit *test, const struct sim *sim, u32 from,
			u32 to, u64 low, u64 high)
{
	u32 i;

	for (i = from; i < to; i++) {
		const struct result *r = &sim->results[i];

		KUNIT_EXPECT_GE_MSG(test, r->peak_ratio, low, "cycle %u", i);
		KUNIT_EXPECT_LE_MSG(test, r->peak_ratio, high, "cycle %u", i);
	}
}

static void expect_utilization(struct kunit *test, const struct sim *sim,
			       u32 from, u32 to, u64 low, u64 high)
{
	u32 i;

	for (i = from; i < to; i++) {
		u64 u = sim->results[i].utilization;

		KUNIT_EXPECT_GE_MSG(test, u, low, "cycle %u", i);
		KUNIT_EXPECT_LE_MSG(test, u, high, "cycle %u", i);
	}
}

/* From the cycle after growth has ended: 25 % within 0.5 % of it, goal met. */
static void gh_sim_steady(struct kunit *test)
{
	struct sim *sim = sim_new(test, 50, steady);

	run(test, sim);
	expect_peak(test, sim, 25, 50, 950, 1050);
	expect_utilization(test, sim, 25, 50, QUARTER, 2513);
}

static void big_stacks(u32 cycle, struct script *s)
{
	steady(cycle, s);
	s->alloc_rate = 132 * KB;
	s->stack = 2 * KB + 128 * MB * min(cycle, 8U) / 8;
}

/* Stacks seven times as large as the heap. */
static void gh_sim_big_stacks(struct kunit *test)
{
	struct sim *sim = sim_new(test, 50, big_stacks);

	run(test, sim);
	expect_peak(test, sim, 25, 50, 950, 1050);
	expect_utilization(test, sim, 25, 50, QUARTER, 2513);
}

static void fast(u32 cycle, struct script *s)
{
	steady(cycle, s);
	s->alloc_rate = 132 * KB;
}

static void gh_sim_big_globals(struct kunit *test)
{
	struct sim *sim = sim_new(test, 50, fast);

	sim->globals = 128 * MB;
	run(test, sim);
	expect_peak(test, sim, 25, 50, 950, 1050);
	expect_utilization(test, sim, 25, 50, QUARTER, 2513);
}

static void step_up(u32 cycle, struct script *s)
{
	steady(cycle, s);
	if (cycle >= 50)
		s->alloc_rate = 99 * KB;
}

/*
 * One cycle is not foreseen. Its runway is one on which the old rate a takes a
 * quarter, which is to say that ratio * a : scan rate is 1 : 3; the new rate 3a
 * takes 3 / (3 + 3) there. From the second cycle on the new rate is known.
 */
static void gh_sim_step_up(struct kunit *test)
{
	struct sim *sim = sim_new(test, 100, step_up);

	run(test, sim);
	expect_peak(test, sim, 25, 100, 950, 1050);
	expect_utilization(test, sim, 25, 50, QUARTER, 2513);
	expect_utilization(test, sim, 50, 51, 4975, 5025);
	expect_utilization(test, sim, 51, 100, QUARTER, 2513);
}

static void step_up_much(u32 cycle, struct script *s)
{
	steady(cycle, s);
	if (cycle >= 50)
		s->alloc_rate = 363 * KB;
}

/*
 * Too fast for 25 %: at 11 times the rate one cycle takes 11 / (11 + 3), and
 * then the trigger is at its lower bound. There the runway is 19/64 of G - M,
 * where the goal G is 2 * M and M consists of the live heap L and of the
 * runway, which was allocated black; so the runway is 0.422 L. In it L is
 * scanned, the ratio is r = 2.368, and u = r * 363 / (r * 363 + 1024) = 45.6 %.
 */
static void gh_sim_step_up_much(struct kunit *test)
{
	struct sim *sim = sim_new(test, 100, step_up_much);

	run(test, sim);
	expect_peak(test, sim, 25, 100, 950, 1050);
	expect_utilization(test, sim, 50, 51, 7780, 7900);
	expect_utilization(test, sim, 56, 100, 4540, 4590);
}

static void step_down(u32 cycle, struct script *s)
{
	steady(cycle, s);
	s->alloc_rate = cycle < 50 ? 99 * KB : 33 * KB;
}

/*
 * The largest cons/mark of five cycles counts, so for five cycles marking
 * starts too early and ends below the goal, without assists; then not any more.
 */
static void gh_sim_step_down(struct kunit *test)
{
	struct sim *sim = sim_new(test, 100, step_down);

	run(test, sim);
	expect_peak(test, sim, 25, 50, 950, 1050);
	expect_peak(test, sim, 50, 55, 850, 1000);
	expect_peak(test, sim, 55, 100, 950, 1050);
	expect_utilization(test, sim, 50, 100, QUARTER, 2513);
}

static void step_growth(u32 cycle, struct script *s)
{
	steady(cycle, s);
	if (cycle == 30)
		s->growth = 2000;
}

/*
 * More turns out to be live than was expected: the goal gives way, in that
 * cycle only, and the program need not assist for it.
 */
static void gh_sim_step_growth(struct kunit *test)
{
	struct sim *sim = sim_new(test, 60, step_growth);

	run(test, sim);
	expect_peak(test, sim, 30, 31, 1001, 1050);
	expect_peak(test, sim, 31, 60, 950, 1001);
	expect_utilization(test, sim, 25, 60, QUARTER, 2513);
}

static void step_scannable(u32 cycle, struct script *s)
{
	steady(cycle, s);
	s->alloc_rate = 128 * KB;
	s->scannable = cycle < 50 ? 200 : 700;
}

static void gh_sim_step_scannable(struct kunit *test)
{
	struct sim *sim = sim_new(test, 100, step_scannable);

	run(test, sim);
	expect_peak(test, sim, 25, 50, 950, 1050);
	expect_peak(test, sim, 75, 100, 950, 1050);
	expect_utilization(test, sim, 75, 100, QUARTER, 2550);
}

static void oscillating(u32 cycle, struct script *s)
{
	/* 13 * sin(2 * pi * cycle / 8), rounded */
	static const s8 sine[] = { 0, 9, 13, 9, 0, -9, -13, -9 };

	steady(cycle, s);
	s->alloc_rate = (67 + sine[cycle % ARRAY_SIZE(sine)]) * KB;
}

static void gh_sim_oscillating(struct kunit *test)
{
	struct sim *sim = sim_new(test, 50, oscillating);

	run(test, sim);
	expect_peak(test, sim, GROWN + 1, 50, 950, 1050);
	expect_utilization(test, sim, GROWN + 1, 50, QUARTER, 3000);
}

static void jittered(u32 cycle, struct script *s)
{
	steady(cycle, s);
	s->alloc_rate = 119 * KB + noise(cycle, 1, 26 * KB);
	s->growth += noise(cycle, 2, 21) - 10;
}

static void gh_sim_jittered(struct kunit *test)
{
	struct sim *sim = sim_new(test, 100, jittered);

	run(test, sim);
	expect_peak(test, sim, GROWN + 1, 100, 950, 1050);
	expect_utilization(test, sim, GROWN + 1, 100, QUARTER, 3000);
}

static void jittered_much(u32 cycle, struct script *s)
{
	jittered(cycle, s);
	s->alloc_rate = 297 * KB + noise(cycle, 3, 66 * KB);
}

/* At the lower bound of the trigger; see gh_sim_step_up_much(). */
static void gh_sim_jittered_much(struct kunit *test)
{
	struct sim *sim = sim_new(test, 100, jittered_much);

	run(test, sim);
	expect_peak(test, sim, GROWN + 2, 100, 950, 1050);
	expect_utilization(test, sim, GROWN + 2, 100, 3900, 4700);
}

static void high_percent(u32 cycle, struct script *s)
{
	steady(cycle, s);
	s->alloc_rate = 158 * KB + noise(cycle, 4, 14 * KB);
	s->growth += noise(cycle, 5, 21) - 10;
	if (cycle == 25)
		s->growth += 14000;
}

/*
 * With a large GOGC a live heap that is 15 times as large still fits below the
 * goal; utilization does not depend on it.
 */
static void gh_sim_high_percent(struct kunit *test)
{
	struct sim *sim = sim_new(test, 50, high_percent);

	sim->percent = 1500;
	run(test, sim);
	expect_peak(test, sim, GROWN + 1, 25, 900, 1050);
	expect_peak(test, sim, 25, 26, 900, 15000);
	expect_peak(test, sim, 26, 50, 900, 1050);
	expect_utilization(test, sim, GROWN + 1, 50, QUARTER, 2575);
}

static void bursty(u32 cycle, struct script *s)
{
	steady(cycle, s);
	if (cycle % 8 == 7)
		s->alloc_rate *= 8;
}

/*
 * In a burst there are assists, 8 / (8 + 3) of the time, and the goal is met.
 * The next five cycles prepare for another one and end early.
 */
static void gh_sim_bursty(struct kunit *test)
{
	struct sim *sim = sim_new(test, 96, bursty);
	u32 i;

	run(test, sim);
	for (i = 16; i < 96; i += 8) {
		expect_peak(test, sim, i, i + 5, 850, 1001);
		expect_peak(test, sim, i + 5, i + 8, 950, 1050);
		expect_utilization(test, sim, i, i + 7, QUARTER, 2513);
		expect_utilization(test, sim, i + 7, i + 8, 7200, 7350);
	}
}

/* A limit below GOGC's goal and above the live heap: memory keeps to it. */
static void gh_sim_limit_steady(struct kunit *test)
{
	struct sim *sim = sim_new(test, 50, steady);
	u32 i;

	sim->overhead = 4 * MB;
	sim->limit = 44 * MB;
	run(test, sim);
	for (i = 0; i < 50; i++)
		KUNIT_EXPECT_LE_MSG(test, sim->results[i].mapped, 44 * MB,
				    "cycle %u", i);
	for (i = 25; i < 50; i++)
		KUNIT_EXPECT_EQ(test, sim->results[i].goal,
				40 * MB - 40 * MB / 100 * 3);
	expect_peak(test, sim, 25, 50, 950, 1010);
	expect_utilization(test, sim, 25, 50, QUARTER, 2513);
}

/* Without GOGC the limit is the only reason to collect. */
static void gh_sim_limit_only(struct kunit *test)
{
	struct sim *sim = sim_new(test, 50, step_growth);
	u32 i;

	sim->percent = -1;
	sim->overhead = 4 * MB;
	sim->limit = 128 * MB;
	run(test, sim);
	for (i = 0; i < 50; i++) {
		KUNIT_EXPECT_LE_MSG(test, sim->results[i].mapped, 128 * MB,
				    "cycle %u", i);
		KUNIT_EXPECT_EQ(test, sim->results[i].goal,
				124 * MB - 124 * MB / 100 * 3);
	}
	expect_utilization(test, sim, 36, 50, QUARTER, 2513);
}

/*
 * A live heap that does not fit: each cycle starts when the last one has ended.
 * The goal is what is live, so the program gets a tenth of that at most before
 * marking is over, whatever it has to assist.
 */
static void gh_sim_limit_exceeded(struct kunit *test)
{
	struct sim *sim = sim_new(test, 60, fast);
	u32 i;

	sim->limit = 16 * MB;
	run(test, sim);
	for (i = 20; i < 60; i++) {
		const struct result *r = &sim->results[i];

		KUNIT_EXPECT_EQ(test, r->goal, r->marked);
		KUNIT_EXPECT_EQ(test, r->trigger, r->marked);
	}
	expect_peak(test, sim, 20, 60, 1000, 1110);
	KUNIT_EXPECT_GT(test, sim->results[59].utilization, 5500);
}

/*
 * With the limiter the collector gets half of the time, and of what the bucket
 * holds and what has overflowed the half that the program did not get. Here,
 * where every other half ms is all of the collector's, that is 5/8 of the time;
 * without the limiter it is nearly all. In exchange the heap exceeds its limit
 * by more. Globals make cycles long enough for the bucket to fill.
 */
static void gh_sim_limit_limiter(struct kunit *test)
{
	struct sim *sim = sim_new(test, MAX_CYCLES, fast);
	u64 total, most;

	sim->limit = 16 * MB;
	sim->globals = 512 * MB;
	sim->limiter = true;
	run(test, sim);
	total = sim->now_ns * CPUS;
	most = total + sim->lim.fill + sim->lim.overflow;
	KUNIT_EXPECT_LE(test, sim->gc_cpu_ns, most / 2 + 1000);
	KUNIT_EXPECT_LE(test, sim->gc_cpu_ns, total / 100 * 67);
	KUNIT_EXPECT_GE(test, sim->gc_cpu_ns, total / 100 * 50);
	KUNIT_EXPECT_GT(test, sim->lim.last_enabled, 0ULL);
	KUNIT_EXPECT_GT(test, sim->results[MAX_CYCLES - 1].peak, 32 * MB);
}

static struct kunit_case gh_pacer_sim_cases[] = {
	KUNIT_CASE(gh_sim_steady),
	KUNIT_CASE(gh_sim_big_stacks),
	KUNIT_CASE(gh_sim_big_globals),
	KUNIT_CASE(gh_sim_step_up),
	KUNIT_CASE(gh_sim_step_up_much),
	KUNIT_CASE(gh_sim_step_down),
	KUNIT_CASE(gh_sim_step_growth),
	KUNIT_CASE(gh_sim_step_scannable),
	KUNIT_CASE(gh_sim_oscillating),
	KUNIT_CASE(gh_sim_jittered),
	KUNIT_CASE(gh_sim_jittered_much),
	KUNIT_CASE(gh_sim_high_percent),
	KUNIT_CASE(gh_sim_bursty),
	KUNIT_CASE(gh_sim_limit_steady),
	KUNIT_CASE(gh_sim_limit_only),
	KUNIT_CASE(gh_sim_limit_exceeded),
	KUNIT_CASE(gh_sim_limit_limiter),
	{}
};

static struct kunit_suite gh_pacer_sim_suite = {
	.name = "gh_pacer_sim",
	.test_cases = gh_pacer_sim_cases,
};

gh_test_suite(gh_pacer_sim_suite);
