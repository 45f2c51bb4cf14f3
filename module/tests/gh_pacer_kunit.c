// SPDX-License-Identifier: GPL-2.0
/*
 * The formulas of the pacer, one by one, with numbers that can be worked out by
 * hand; and with numbers that nobody would expect.
 */
#include "gh_test.h"
#include "gh_pacer.h"

#define KB	1024ULL
#define MB	(1024ULL * KB)
#define GB	(1024ULL * MB)

/* Bytes of globals of the program in gh_pacer_like_go(). */
#define GO_GLOBALS	149930

static const struct gh_pacer_memory no_memory;

/* Behind a cycle that found @marked bytes live and scanned @work. */
static void after_cycle(struct gh_pacer *p, u64 marked,
			const struct gh_pacer_work *work)
{
	struct gh_pacer_heap heap = { .globals = work->globals };
	struct gh_pacer_result r = { .heap_marked = marked, .work = *work };

	gh_pacer_start(p, GH_PACER_NORMAL, 4, 0, &heap);
	gh_pacer_end(p, &r);
	gh_pacer_commit(p, marked, true, &no_memory);
}

/* The same with a heap that is scanned whole and nothing else. */
static void after_heap(struct gh_pacer *p, s64 percent, u64 marked)
{
	struct gh_pacer_work work = { .heap = marked };

	gh_pacer_init(p, percent, S64_MAX);
	after_cycle(p, marked, &work);
}

static void gh_pacer_fixed(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, gh_mul_div(7, 9, 4), 15ULL);
	KUNIT_EXPECT_EQ(test, gh_mul_div(U64_MAX, U64_MAX, U64_MAX), U64_MAX);
	KUNIT_EXPECT_EQ(test, gh_mul_div(U64_MAX, U64_MAX, U64_MAX - 1),
			U64_MAX);
	KUNIT_EXPECT_EQ(test, gh_mul_div(U64_MAX - 1, U64_MAX, U64_MAX),
			U64_MAX - 1);
	KUNIT_EXPECT_EQ(test, gh_mul_div(1ULL << 40, 1ULL << 40, 1ULL << 17),
			1ULL << 63);
	KUNIT_EXPECT_EQ(test, gh_mul_div(1ULL << 40, 1ULL << 40, 1ULL << 16),
			U64_MAX);
	KUNIT_EXPECT_EQ(test, gh_mul_div(5, 1, 0), U64_MAX);
	KUNIT_EXPECT_EQ(test, gh_mul_div(0, 1, 0), 0ULL);
	KUNIT_EXPECT_EQ(test, gh_fix_div(1, 4), GH_PACER_UTILIZATION);
	KUNIT_EXPECT_EQ(test, gh_fix_div(GH_FIX_ONE, 1), U64_MAX);
	KUNIT_EXPECT_EQ(test, gh_fix_mul(10, gh_fix_div(5, 2)), 25ULL);
	KUNIT_EXPECT_EQ(test, gh_sat_add(U64_MAX, 1), U64_MAX);
	KUNIT_EXPECT_EQ(test, gh_sat_sub(1, 2), 0ULL);
	KUNIT_EXPECT_EQ(test, gh_sat_mul(1ULL << 32, 1ULL << 32), U64_MAX);
}

/* GOGC, the minimum, and roots. */
static void gh_pacer_percent(struct kunit *test)
{
	const struct gh_pacer_work work = { .heap = MB, .stack = 2 * MB,
					    .globals = 3 * MB };
	struct gh_pacer p;

	gh_pacer_init(&p, 100, S64_MAX);
	KUNIT_EXPECT_EQ(test, gh_pacer_goal(&p), 4 * MB);
	KUNIT_EXPECT_EQ(test, gh_pacer_trigger(&p), 4 * MB / 64 * 61);
	gh_pacer_init(&p, 50, S64_MAX);
	KUNIT_EXPECT_EQ(test, gh_pacer_goal(&p), 2 * MB);
	gh_pacer_init(&p, 0, S64_MAX);
	KUNIT_EXPECT_EQ(test, gh_pacer_goal(&p), 0ULL);
	KUNIT_EXPECT_EQ(test, gh_pacer_trigger(&p), 0ULL);
	gh_pacer_init(&p, -1, S64_MAX);
	KUNIT_EXPECT_EQ(test, gh_pacer_goal(&p), U64_MAX);
	KUNIT_EXPECT_EQ(test, gh_pacer_trigger(&p), U64_MAX);
	gh_pacer_init(&p, S64_MAX, S64_MAX);
	KUNIT_EXPECT_EQ(test, p.gc_percent, GH_MAX_GC_PERCENT);
	gh_pacer_init(&p, S64_MIN, S64_MIN);
	KUNIT_EXPECT_EQ(test, p.gc_percent, -1LL);
	KUNIT_EXPECT_EQ(test, p.memory_limit, 0ULL);

	gh_pacer_init(&p, 100, S64_MAX);
	after_cycle(&p, 10 * MB, &work);
	KUNIT_EXPECT_EQ(test, gh_pacer_goal(&p), 25 * MB);
	gh_pacer_set_percent(&p, 200);
	KUNIT_EXPECT_EQ(test, gh_pacer_goal(&p), 25 * MB);
	gh_pacer_commit(&p, 10 * MB, true, &no_memory);
	KUNIT_EXPECT_EQ(test, gh_pacer_goal(&p), 40 * MB);
	gh_pacer_set_percent(&p, 1);
	gh_pacer_commit(&p, 10 * MB, true, &no_memory);
	KUNIT_EXPECT_EQ(test, gh_pacer_goal(&p), 10 * MB + 15 * MB / 100);
	gh_pacer_set_percent(&p, -1);
	gh_pacer_commit(&p, 10 * MB, true, &no_memory);
	KUNIT_EXPECT_EQ(test, gh_pacer_goal(&p), U64_MAX);
}

/* Set cons/mark to @num / @den as the last cycles would have. */
static void set_cons_mark(struct gh_pacer *p, u64 num, u64 den)
{
	p->cons_mark = gh_fix_div(num, den);
	gh_pacer_commit(p, p->heap_marked, true, &no_memory);
}

static void gh_pacer_trigger_bounds(struct kunit *test)
{
	struct gh_pacer p;

	/* A small heap: from 45 to 61 64ths of the way. */
	after_heap(&p, 100, 4 * MB);
	KUNIT_EXPECT_EQ(test, p.trigger, 4 * MB + 4 * MB / 64 * 61);
	set_cons_mark(&p, 1, 12);
	KUNIT_EXPECT_EQ(test, p.runway, MB - 1);
	KUNIT_EXPECT_EQ(test, p.trigger, 7 * MB + 1);
	set_cons_mark(&p, 1, 3);
	KUNIT_EXPECT_EQ(test, p.trigger, 4 * MB + 4 * MB / 64 * 45);
	set_cons_mark(&p, GB, 1);
	KUNIT_EXPECT_EQ(test, p.trigger, 4 * MB + 4 * MB / 64 * 45);
	/* A large heap: up to 4 MiB before the goal. */
	after_heap(&p, 100, GB);
	KUNIT_EXPECT_EQ(test, p.goal, 2 * GB);
	KUNIT_EXPECT_EQ(test, p.trigger, 2 * GB - 4 * MB);
	/* Nothing to gain: one cycle after the other. */
	after_heap(&p, 0, GB);
	KUNIT_EXPECT_EQ(test, p.goal, GB);
	KUNIT_EXPECT_EQ(test, p.trigger, GB);
	/* Less than 64 bytes of way. */
	p.percent_goal = GB + 63;
	gh_pacer_set_memory(&p, &no_memory);
	KUNIT_EXPECT_EQ(test, p.trigger, GB);
}

/* As long as there is something to sweep the next cycle is 1 MiB away. */
static void gh_pacer_sweep_distance(struct kunit *test)
{
	struct gh_pacer_memory mem = { .mapped_ready = 100 * MB,
				       .heap_alloc = 100 * MB };
	struct gh_pacer p;

	after_heap(&p, 1, 10 * MB);
	gh_pacer_commit(&p, 10 * MB, false, &no_memory);
	KUNIT_EXPECT_EQ(test, p.goal, 11 * MB);
	KUNIT_EXPECT_EQ(test, p.trigger, 11 * MB);
	gh_pacer_commit(&p, 12 * MB, false, &no_memory);
	KUNIT_EXPECT_EQ(test, p.goal, 13 * MB);
	gh_pacer_commit(&p, 12 * MB, true, &no_memory);
	KUNIT_EXPECT_LT(test, p.goal, 11 * MB);
	/* But not if there is no memory for it. */
	gh_pacer_set_limit(&p, 50 * MB);
	gh_pacer_commit(&p, 12 * MB, false, &mem);
	KUNIT_EXPECT_EQ(test, p.goal, 10 * MB);
	KUNIT_EXPECT_EQ(test, p.trigger, 10 * MB);
}

/* A cycle that starts late has 64 KiB at least; not against the limit. */
static void gh_pacer_min_runway(struct kunit *test)
{
	struct gh_pacer_memory mem = { .mapped_ready = 8 * MB,
				       .heap_alloc = 8 * MB };
	struct gh_pacer_heap heap = { .live = 8 * MB + 100 };
	struct gh_pacer p;

	after_heap(&p, 100, 4 * MB);
	KUNIT_EXPECT_EQ(test, p.goal, 8 * MB);
	gh_pacer_start(&p, GH_PACER_NORMAL, 1, 0, &heap);
	KUNIT_EXPECT_EQ(test, p.goal, heap.live + 64 * KB);

	after_heap(&p, 100, 4 * MB);
	gh_pacer_set_limit(&p, 8 * MB);
	gh_pacer_commit(&p, 4 * MB, true, &mem);
	gh_pacer_start(&p, GH_PACER_NORMAL, 1, 0, &heap);
	KUNIT_EXPECT_EQ(test, p.goal, 7 * MB);
}

static void gh_pacer_limit(struct kunit *test)
{
	static const struct {
		u64 limit, mapped, free, alloc, goal;
	} rows[] = {
		/* 3 % off what is left, or 1 MiB */
		{ 1000 * MB, 0, 0, 0, 1000 * MB - 1000 * MB / 100 * 3 },
		{ 30 * MB, 20 * MB, 5 * MB, 5 * MB, 19 * MB },
		/* free memory is no overhead */
		{ 30 * MB, 29 * MB, 24 * MB, 5 * MB, 29 * MB },
		/* what is beyond the limit counts twice: as overhead, and so */
		{ 30 * MB, 35 * MB, 0, 25 * MB, 14 * MB },
		/* not even the headroom is left */
		{ 11 * MB + 512 * KB, 10 * MB, 0, 0, MB },
		/* nothing is left: what is live */
		{ 10 * MB, 10 * MB, 0, 0, 512 * KB },
		{ 10 * MB, 5 * GB, 0, 5 * GB, 512 * KB },
		{ 0, 0, 0, 0, 512 * KB },
		{ 1, 0, 0, 0, MB },
		/* numbers that do not go together */
		{ 30 * MB, 20 * MB, 15 * MB, 15 * MB, 29 * MB },
		{ 30 * MB, U64_MAX, U64_MAX, U64_MAX, 512 * KB },
	};
	struct gh_pacer p;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct gh_pacer_memory mem = {
			.mapped_ready = rows[i].mapped,
			.heap_free = rows[i].free,
			.heap_alloc = rows[i].alloc,
		};

		after_heap(&p, -1, 512 * KB);
		gh_pacer_set_limit(&p, rows[i].limit);
		gh_pacer_commit(&p, 512 * KB, true, &mem);
		KUNIT_EXPECT_EQ_MSG(test, p.goal, rows[i].goal, "row %u", i);
		KUNIT_EXPECT_LE_MSG(test, p.trigger, p.goal, "row %u", i);
	}
	/* The lower one of two goals. */
	after_heap(&p, 100, 20 * MB);
	gh_pacer_set_limit(&p, 1000 * MB);
	gh_pacer_commit(&p, 20 * MB, true, &no_memory);
	KUNIT_EXPECT_EQ(test, p.goal, 40 * MB);
}

static void gh_pacer_workers(struct kunit *test)
{
	static const struct {
		u32 cpus, dedicated;
		u64 num, den;
	} rows[] = {
		{ 0, 0, 1, 4 }, { 1, 0, 1, 4 }, { 2, 0, 1, 4 }, { 3, 0, 1, 4 },
		{ 4, 1, 0, 1 }, { 5, 1, 0, 1 }, { 6, 1, 1, 12 }, { 7, 2, 0, 1 },
		{ 8, 2, 0, 1 }, { 12, 3, 0, 1 }, { 16, 4, 0, 1 },
		{ 32, 8, 0, 1 }, { 64, 16, 0, 1 }, { U32_MAX, 1 << 30, 0, 1 },
	};
	const struct gh_pacer_heap heap = {};
	struct gh_pacer p;
	u32 i, cpus;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		cpus = max(rows[i].cpus, 1U);
		gh_pacer_init(&p, 100, S64_MAX);
		gh_pacer_start(&p, GH_PACER_NORMAL, rows[i].cpus, 0, &heap);
		KUNIT_EXPECT_EQ_MSG(test, p.dedicated, rows[i].dedicated,
				    "%u CPUs", cpus);
		KUNIT_EXPECT_EQ_MSG(test, p.fractional,
				    gh_fix_div(rows[i].num, rows[i].den),
				    "%u CPUs", cpus);
		KUNIT_EXPECT_EQ(test, p.max_idle, cpus - p.dedicated);
		gh_pacer_start(&p, GH_PACER_PERIODIC, rows[i].cpus, 0, &heap);
		KUNIT_EXPECT_EQ(test, p.max_idle, p.dedicated ? 0U : 1U);
		gh_pacer_start(&p, GH_PACER_STW, rows[i].cpus, 0, &heap);
		KUNIT_EXPECT_EQ(test, p.dedicated, cpus);
		KUNIT_EXPECT_EQ(test, p.fractional, 0ULL);
		KUNIT_EXPECT_EQ(test, p.max_idle, 0U);
	}
}

/* work per byte is @work / @bytes, and the other way round; @work is left. */
static void expect_ratio(struct kunit *test, const struct gh_pacer *p, u64 work,
			 u64 bytes)
{
	KUNIT_EXPECT_EQ(test, p->assist_work_per_byte, gh_fix_div(work, bytes));
	KUNIT_EXPECT_EQ(test, p->assist_bytes_per_work,
			gh_fix_div(bytes, work));
	KUNIT_EXPECT_EQ(test, p->overdraft, work / 8);
}

/* 10 MiB were live, 20 MiB is the goal, and the cycle starts at 16 MiB. */
static void gh_pacer_assist_ratio(struct kunit *test)
{
	struct gh_pacer_heap heap = { .live = 16 * MB, .scan = 16 * MB,
				      .max_stack = MB };
	struct gh_pacer_work work = {};
	struct gh_pacer p;

	after_heap(&p, 100, 10 * MB);
	gh_pacer_start(&p, GH_PACER_NORMAL, 4, 0, &heap);
	expect_ratio(test, &p, 10 * MB, 4 * MB);
	work.heap = 4 * MB;
	work.stack = 100 * KB;
	heap.live = 17 * MB;
	gh_pacer_revise(&p, &heap, &work);
	expect_ratio(test, &p, 6 * MB - 100 * KB, 3 * MB);
	/* Nearly done: never less than 1000 bytes. */
	work.heap = 10 * MB - 100 * KB;
	gh_pacer_revise(&p, &heap, &work);
	expect_ratio(test, &p, 1000, 3 * MB);
	/* More than expected: 17 MiB of work for 4 / 10 of that in bytes. */
	work.heap = 11 * MB;
	work.stack = 0;
	gh_pacer_revise(&p, &heap, &work);
	expect_ratio(test, &p, 6 * MB, 16 * MB + 68 * MB / 10 - 17 * MB);
	/* No more than GOGC would add to the goal. */
	heap.scan = 100 * MB;
	gh_pacer_revise(&p, &heap, &work);
	expect_ratio(test, &p, 90 * MB, 40 * MB - 17 * MB);
	/* Beyond the goal, with all the heap may be: a tenth of it. */
	heap.scan = 16 * MB;
	heap.live = 21 * MB;
	work.heap = 5 * MB;
	gh_pacer_revise(&p, &heap, &work);
	expect_ratio(test, &p, 12 * MB, MB);
	/* Beyond that, too. */
	heap.live = 30 * MB;
	gh_pacer_revise(&p, &heap, &work);
	expect_ratio(test, &p, 12 * MB, 1);
	/* Between cycles only the roots count. */
	p.marking = false;
	heap.globals = 7;
	heap.live = 0;
	gh_pacer_revise(&p, &heap, &work);
	expect_ratio(test, &p, 12 * MB, 1);
	KUNIT_EXPECT_EQ(test, p.globals_scan, 7ULL);
}

/* GOGC off, and a limit: the hard goal is far away. */
static void gh_pacer_assist_off(struct kunit *test)
{
	struct gh_pacer_heap heap = { .live = 10 * MB, .scan = 1010 * MB };
	struct gh_pacer_work work = { .heap = 10 * MB };
	struct gh_pacer p;

	gh_pacer_init(&p, -1, 21 * MB);
	after_cycle(&p, 5 * MB, &work);
	KUNIT_EXPECT_EQ(test, p.goal, 20 * MB);
	gh_pacer_start(&p, GH_PACER_NORMAL, 4, 0, &heap);
	work.heap++;
	gh_pacer_revise(&p, &heap, &work);
	expect_ratio(test, &p, 1000 * MB - 1, 1010 * MB);
	/* The limit gives way below the start: so does the goal. */
	gh_pacer_set_limit(&p, 10 * MB);
	gh_pacer_set_memory(&p, &no_memory);
	KUNIT_EXPECT_EQ(test, p.goal, 9 * MB);
	heap.scan = 30 * MB;
	gh_pacer_revise(&p, &heap, &work);
	expect_ratio(test, &p, 20 * MB - 1, 1);
	/* Nothing asks for a collection but a program. */
	after_heap(&p, -1, 10 * MB);
	gh_pacer_start(&p, GH_PACER_NORMAL, 4, 0, &heap);
	KUNIT_EXPECT_EQ(test, p.assist_work_per_byte, 0ULL);
	KUNIT_EXPECT_EQ(test, gh_pacer_assist_work(&p, GB), 64 * KB);
	KUNIT_EXPECT_GT(test, gh_pacer_assist_bytes(&p, 64 * KB), GB);
}

static void gh_pacer_assist(struct kunit *test)
{
	struct gh_pacer p = {
		.assist_work_per_byte = gh_fix_div(5, 2),
		.assist_bytes_per_work = gh_fix_div(2, 5),
	};

	KUNIT_EXPECT_EQ(test, gh_pacer_assist_work(&p, 100 * KB), 250 * KB);
	KUNIT_EXPECT_EQ(test, gh_pacer_assist_work(&p, 10 * KB), 64 * KB);
	KUNIT_EXPECT_EQ(test, gh_pacer_assist_work(&p, 0), 64 * KB);
	KUNIT_EXPECT_EQ(test, gh_pacer_assist_work(&p, U64_MAX), U64_MAX);
	/* The debt is paid, rounded as it may be. */
	KUNIT_EXPECT_GE(test, gh_pacer_assist_bytes(&p, 250 * KB), 100 * KB);
	KUNIT_EXPECT_LE(test, gh_pacer_assist_bytes(&p, 250 * KB),
			100 * KB + 1);
	p.assist_bytes_per_work = 0;
	KUNIT_EXPECT_EQ(test, gh_pacer_assist_bytes(&p, GB), 1ULL);
}

/* A cycle from 10 MiB on, 1 s on 4 CPUs; Q32 of 1/1000000 for reading. */
static u64 cons_mark(struct gh_pacer *p, u64 allocated, u64 scanned,
		     u64 assist_ms, u64 idle_ms)
{
	struct gh_pacer_heap heap = { .live = 10 * MB };
	struct gh_pacer_result r = {
		.now_ns = 1000000000,
		.assist_ns = assist_ms * 1000000,
		.idle_ns = idle_ms * 1000000,
		.heap_live = 10 * MB + allocated,
		.heap_marked = 5 * MB,
		.work = { .heap = scanned },
	};

	gh_pacer_start(p, GH_PACER_NORMAL, 4, 0, &heap);
	gh_pacer_end(p, &r);
	return gh_fix_mul(1000000, p->cons_mark);
}

static void gh_pacer_cons_mark(struct kunit *test)
{
	struct gh_pacer p;
	u32 i;

	gh_pacer_init(&p, 100, S64_MAX);
	/* 1/4 * 1/4 / (3/4) */
	KUNIT_EXPECT_EQ(test, cons_mark(&p, MB, 4 * MB, 0, 0), 83333ULL);
	gh_pacer_init(&p, 100, S64_MAX);
	/* 1/4 * 1/2 / (1/2), with a second of assists */
	KUNIT_EXPECT_EQ(test, cons_mark(&p, MB, 4 * MB, 1000, 0), 250000ULL);
	gh_pacer_init(&p, 100, S64_MAX);
	/* 1/4 * 1/2 / (3/4), with a second of idle workers */
	KUNIT_EXPECT_EQ(test, cons_mark(&p, MB, 4 * MB, 0, 1000), 166666ULL);
	/* The largest of five. */
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, cons_mark(&p, MB, 8 * MB, 0, 0),
				166666ULL);
	KUNIT_EXPECT_EQ(test, cons_mark(&p, MB, 8 * MB, 0, 0), 41666ULL);
	/* A cycle that shows nothing is none of them. */
	KUNIT_EXPECT_EQ(test, cons_mark(&p, MB, 4 * MB, 0, 0), 83333ULL);
	for (i = 0; i < 9; i++) {
		KUNIT_EXPECT_EQ(test, cons_mark(&p, 0, 4 * MB, 0, 0), 83333ULL);
		KUNIT_EXPECT_EQ(test, cons_mark(&p, MB, 0, 0, 0), 83333ULL);
	}
	/* Clocks that disagree: 1/4 * 63/64 / (1/64). */
	gh_pacer_init(&p, 100, S64_MAX);
	KUNIT_EXPECT_EQ(test, cons_mark(&p, MB, 4 * MB, 9000, 0), 15750000ULL);
}

/* In a steady state the runway is what was allocated while marking. */
static void gh_pacer_runway(struct kunit *test)
{
	struct gh_pacer p;

	gh_pacer_init(&p, 100, S64_MAX);
	cons_mark(&p, MB, 4 * MB, 0, 0);
	gh_pacer_commit(&p, 5 * MB, true, &no_memory);
	KUNIT_EXPECT_EQ(test, p.goal, 10 * MB);
	KUNIT_EXPECT_GE(test, p.runway, MB - 1);
	KUNIT_EXPECT_LE(test, p.runway, MB);
	KUNIT_EXPECT_EQ(test, p.trigger, 10 * MB - p.runway);
}

static void gh_pacer_sweep(struct kunit *test)
{
	struct gh_pacer_trace t;
	struct gh_pacer p;
	u64 live;

	after_heap(&p, 100, 10 * MB);
	KUNIT_EXPECT_EQ(test, gh_pacer_sweep_target(&p, MB, 20 * MB, 0), 0ULL);
	/* 1000 pages until 1 MiB before the trigger. */
	gh_pacer_pace_sweep(&p, 10 * MB, 1500, 500);
	KUNIT_EXPECT_LE(test, gh_pacer_sweep_target(&p, 0, 10 * MB, 0), 500ULL);
	live = p.trigger - MB;
	KUNIT_EXPECT_EQ(test, gh_pacer_sweep_target(&p, 0, live, 0), 1500ULL);
	live = (10 * MB + live) / 2;
	KUNIT_EXPECT_EQ(test, gh_pacer_sweep_target(&p, 0, live, 0), 1000ULL);
	KUNIT_EXPECT_EQ(test, gh_pacer_sweep_target(&p, 8 * KB, live - 8 * KB,
						    30), 970ULL);
	/* Before the basis: as if at it. */
	KUNIT_EXPECT_EQ(test, gh_pacer_sweep_target(&p, 0, 0, 30), 500ULL);
	gh_pacer_sweep_done(&p, 12 * MB, 1500);
	KUNIT_EXPECT_EQ(test, gh_pacer_sweep_target(&p, MB, 20 * MB, 0), 0ULL);
	gh_pacer_trace(&p, &t);
	KUNIT_EXPECT_EQ(test, t.sweep_live, 12 * MB);
	KUNIT_EXPECT_EQ(test, t.sweep_allocated, 2 * MB);
	KUNIT_EXPECT_EQ(test, t.swept_pages, 1500ULL);
	KUNIT_EXPECT_GT(test, t.sweep_ratio, 0ULL);
	/* Hardly any way: a page of it. */
	gh_pacer_pace_sweep(&p, p.trigger, 1500, 500);
	KUNIT_EXPECT_EQ(test, gh_pacer_sweep_target(&p, GH_PAGE_SIZE, p.trigger,
						    0), 1500ULL);
	/* Nothing left, or more than there is. */
	gh_pacer_pace_sweep(&p, 10 * MB, 1500, 1500);
	KUNIT_EXPECT_EQ(test, p.sweep_ratio, 0ULL);
	gh_pacer_pace_sweep(&p, 10 * MB, 1500, 1501);
	KUNIT_EXPECT_EQ(test, p.sweep_ratio, 0ULL);
	/* No trigger in sight: still some. */
	after_heap(&p, -1, 10 * MB);
	gh_pacer_pace_sweep(&p, 10 * MB, 1, 0);
	KUNIT_EXPECT_GT(test, p.sweep_ratio, 0ULL);
}

static void gh_pacer_traced(struct kunit *test)
{
	struct gh_pacer_heap heap = { .live = 16 * MB, .scan = 12 * MB,
				      .globals = MB };
	struct gh_pacer_result r = {
		.now_ns = 3000000000, .assist_ns = 2000000000,
		.heap_live = 21 * MB, .heap_marked = 15 * MB,
		.work = { .heap = 8 * MB, .stack = MB, .globals = MB },
	};
	struct gh_pacer_trace t;
	struct gh_pacer p;

	after_heap(&p, 100, 10 * MB);
	gh_pacer_start(&p, GH_PACER_NORMAL, 4, 1000000000, &heap);
	p.cons_mark = 4711;
	gh_pacer_end(&p, &r);
	gh_pacer_commit(&p, 15 * MB, false, &no_memory);
	gh_pacer_trace(&p, &t);
	KUNIT_EXPECT_EQ(test, t.assist_ratio, gh_fix_div(11, 4));
	KUNIT_EXPECT_EQ(test, t.heap_scan, 12 * MB);
	KUNIT_EXPECT_EQ(test, t.start_live, 16 * MB);
	KUNIT_EXPECT_EQ(test, t.start_goal, 20 * MB);
	KUNIT_EXPECT_EQ(test, t.dedicated, 1U);
	KUNIT_EXPECT_EQ(test, t.fractional, 0ULL);
	KUNIT_EXPECT_EQ(test, t.utilization, GH_FIX_ONE / 2);
	KUNIT_EXPECT_EQ(test, t.work.heap, 8 * MB);
	KUNIT_EXPECT_EQ(test, t.work.stack, MB);
	KUNIT_EXPECT_EQ(test, t.work.globals, MB);
	KUNIT_EXPECT_EQ(test, t.expected, 11 * MB);
	KUNIT_EXPECT_EQ(test, t.triggered, 16 * MB);
	KUNIT_EXPECT_EQ(test, t.end_live, 21 * MB);
	KUNIT_EXPECT_EQ(test, t.goal_delta, (s64)MB);
	KUNIT_EXPECT_EQ(test, t.cons_mark, 4711ULL);
}

/*
 * A program of Go 1.27 on 2 CPUs, as its gcpacertrace=1 and gctrace=1 tell it:
 * two threads that allocate objects of 56 bytes and keep the last of each of
 * 200 thousand slots. Given what Go saw in a cycle, the pacer starts the next
 * one where Go did. Go looks at the trigger when it has taken a span, which
 * makes it some spans late, here 32 KiB at most; and its times are printed with
 * two digits only, which makes 0.3 % at most. The assist ratio at the start of
 * a cycle is the same in all digits but the last.
 */
static void gh_pacer_like_go(struct kunit *test)
{
	static const struct {
		/* bytes; us; in 1/10000 */
		u64 triggered, end_live, heap_work, stack_work;
		u64 mark_us, assist_us, idle_us, marked, ratio;
	} go[] = {
		{ 4022272, 4153344, 3727376, 3000,
		  5500, 0, 0, 3872576, 8715 },
		{ 7712448, 8433344, 7218344, 3000,
		  86000, 68000, 0, 7938368, 209030 },
		{ 13633728, 13969600, 11783080, 3032,
		  29000, 7900, 0, 12122496, 30766 },
		{ 20755648, 21353664, 15813512, 2632,
		  85000, 52, 0, 17142976, 32771 },
		{ 29307328, 30544096, 20774728, 3000,
		  161000, 0, 0, 22366640, 31116 },
		{ 38201648, 39438640, 23178744, 3112,
		  160000, 29000, 0, 25931952, 31307 },
		{ 44279088, 45622576, 25792064, 3000,
		  183000, 39000, 0, 28144880, 30153 },
		{ 54270000, 54884400, 27369784, 3032,
		  126000, 41000, 0, 28724336, 119414 },
		{ 55299632, 55807200, 28013248, 3000,
		  67000, 36000, 0, 29092576, 119560 },
		{ 55976608, 58131104, 28202656, 2616,
		  262000, 14000, 0, 30865568, 119274 },
		{ 59408544, 60055712, 28787048, 3000,
		  65000, 9800, 0, 29477408, 114560 },
		{ 56576928, 57842592, 28713960, 3000,
		  127000, 33000, 0, 30052320, 114350 },
		{ 57731616, 60217248, 25762712, 3032,
		  143000, 7600, 0, 31263392, 114281 },
		{ 59855520, 61410976, 27587384, 3032,
		  109000, 8900, 0, 30332320, 91762 },
		{ 57795104, 58420576, 27842344, 2872,
		  45000, 23000, 0, 29452640, 91780 },
		{ 56008992, 57581216, 28554104, 2792,
		  113000, 36000, 0, 30336160, 91815 },
	};
	struct gh_pacer p;
	u64 ratio;
	u32 i;

	gh_pacer_init(&p, 100, S64_MAX);
	for (i = 0; i < ARRAY_SIZE(go); i++) {
		struct gh_pacer_heap heap = { .live = go[i].triggered,
					      .globals = GO_GLOBALS };
		struct gh_pacer_result r = {
			.now_ns = go[i].mark_us * 1000,
			.assist_ns = go[i].assist_us * 1000,
			.idle_ns = go[i].idle_us * 1000,
			.heap_live = go[i].end_live,
			.heap_marked = go[i].marked,
			.work = { go[i].heap_work, go[i].stack_work,
				  GO_GLOBALS },
		};

		KUNIT_EXPECT_GE_MSG(test, go[i].triggered,
				    p.trigger - p.trigger / 333, "%u", i);
		KUNIT_EXPECT_LE_MSG(test, go[i].triggered,
				    p.trigger + p.trigger / 333 + 32 * KB, "%u",
				    i);
		gh_pacer_start(&p, GH_PACER_NORMAL, 2, 0, &heap);
		ratio = gh_fix_mul(10000, p.assist_work_per_byte);
		KUNIT_EXPECT_GE_MSG(test, ratio + 1, go[i].ratio, "%u", i);
		KUNIT_EXPECT_LE_MSG(test, ratio, go[i].ratio, "%u", i);
		gh_pacer_end(&p, &r);
		gh_pacer_commit(&p, go[i].marked, true, &no_memory);
	}
}

static void expect_sane(struct kunit *test, const struct gh_pacer *p, u32 i)
{
	KUNIT_EXPECT_GE_MSG(test, p->goal, p->heap_marked, "%u", i);
	KUNIT_EXPECT_GE_MSG(test, p->trigger, p->heap_marked, "%u", i);
	KUNIT_EXPECT_LE_MSG(test, p->trigger, p->goal, "%u", i);
}

/* Two cycles in which every number is @a or @b. */
static void two_cycles(struct kunit *test, struct gh_pacer *p, u64 a, u64 b,
		       u32 i)
{
	struct gh_pacer_heap heap = { a, b, b, a };
	struct gh_pacer_memory mem = { a, b, b };
	struct gh_pacer_result r = { a, b, a, b, a, { b, a, b } };
	u32 n;

	for (n = 0; n < 2; n++) {
		gh_pacer_start(p, i % 3, n ? a : b, b, &heap);
		gh_pacer_set_memory(p, &mem);
		gh_pacer_revise(p, &heap, &r.work);
		heap.live = b;
		gh_pacer_revise(p, &heap, &r.work);
		gh_pacer_assist_work(p, b);
		KUNIT_EXPECT_GT_MSG(test, gh_pacer_assist_bytes(p, b), 0ULL,
				    "%u", i);
		gh_pacer_end(p, &r);
		gh_pacer_commit(p, a, n, &mem);
		expect_sane(test, p, i);
		gh_pacer_pace_sweep(p, a, a, b);
		gh_pacer_sweep_target(p, b, b, a);
		gh_pacer_sweep_done(p, b, a);
	}
}

/*
 * Numbers that cannot be, in all combinations: nothing overflows in a way that
 * the sanitizer of undefined behaviour knows, or divides by 0.
 */
static void gh_pacer_extremes(struct kunit *test)
{
	static const s64 percents[] = { S64_MIN, -1, 0, 1, 100,
					GH_MAX_GC_PERCENT, S64_MAX };
	static const s64 limits[] = { S64_MIN, -1, 0, 1, 1LL << 30,
				      S64_MAX - 1, S64_MAX };
	static const u64 sizes[] = { 0, 1, 63, 4 * MB, 1ULL << 46, S64_MAX,
				     1ULL << 63, U64_MAX };
	u32 n = ARRAY_SIZE(sizes), i, nr = n * n * 7 * 7;
	struct gh_pacer p;

	for (i = 0; i < nr; i++) {
		gh_pacer_init(&p, percents[i % 7], limits[i / 7 % 7]);
		two_cycles(test, &p, sizes[i / 49 % n], sizes[i / 49 / n], i);
	}
}

static struct kunit_case gh_pacer_cases[] = {
	KUNIT_CASE(gh_pacer_fixed),
	KUNIT_CASE(gh_pacer_percent),
	KUNIT_CASE(gh_pacer_trigger_bounds),
	KUNIT_CASE(gh_pacer_sweep_distance),
	KUNIT_CASE(gh_pacer_min_runway),
	KUNIT_CASE(gh_pacer_limit),
	KUNIT_CASE(gh_pacer_workers),
	KUNIT_CASE(gh_pacer_assist_ratio),
	KUNIT_CASE(gh_pacer_assist_off),
	KUNIT_CASE(gh_pacer_assist),
	KUNIT_CASE(gh_pacer_cons_mark),
	KUNIT_CASE(gh_pacer_runway),
	KUNIT_CASE(gh_pacer_sweep),
	KUNIT_CASE(gh_pacer_traced),
	KUNIT_CASE(gh_pacer_like_go),
	KUNIT_CASE(gh_pacer_extremes),
	{}
};

static struct kunit_suite gh_pacer_suite = {
	.name = "gh_pacer",
	.test_cases = gh_pacer_cases,
};

gh_test_suite(gh_pacer_suite);
