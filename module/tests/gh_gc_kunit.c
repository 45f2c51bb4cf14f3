// SPDX-License-Identifier: GPL-2.0
/*
 * When a cycle starts, and what is kept of it.
 */
#include "gh_test_heap.h"

#define MIB	(1ULL << 20)

static u64 goal(struct gh_test_env *env)
{
	return gh_pacer_goal(&env->heap->pace.pacer);
}

static u64 trigger(struct gh_test_env *env)
{
	return gh_pacer_trigger(&env->heap->pace.pacer);
}

/* What the pacer is told of the heap; what it makes of it is its own suite's. */
static void gh_gc_goal(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 live;

	KUNIT_EXPECT_EQ(test, goal(env), U64_MAX);
	KUNIT_EXPECT_EQ(test, trigger(env), U64_MAX);
	gh_gc_set_percent(env->heap, 100);
	KUNIT_EXPECT_EQ(test, goal(env), 4 * MIB);
	KUNIT_EXPECT_LT(test, trigger(env), 4 * MIB);
	KUNIT_EXPECT_GT(test, trigger(env), 2 * MIB);
	gh_gc_set_percent(env->heap, 50);
	KUNIT_EXPECT_EQ(test, goal(env), 2 * MIB);

	env->root[0] = gh_test_new(test, 0, 16 * MIB);
	gh_test_collect(env);
	live = env->heap->heap_marked;
	KUNIT_EXPECT_EQ(test, live, 16 * MIB);
	/* GOGC counts roots as well, which are less than a page. */
	gh_gc_set_percent(env->heap, 50);
	KUNIT_EXPECT_GE(test, goal(env), live * 3 / 2);
	KUNIT_EXPECT_LE(test, goal(env), live * 3 / 2 + GH_PAGE_SIZE);
	KUNIT_EXPECT_GE(test, trigger(env), live + live / 2 / 10 * 7 - 1);
	KUNIT_EXPECT_LT(test, trigger(env), goal(env));
	gh_gc_set_limit(env->heap, 20 * MIB);
	KUNIT_EXPECT_LT(test, goal(env), 20 * MIB);
	KUNIT_EXPECT_GT(test, goal(env), 16 * MIB);
	/* What is live is not fought. */
	gh_gc_set_limit(env->heap, 0);
	KUNIT_EXPECT_EQ(test, goal(env), live);
}

/* Even if the goal is what is live already, not each span makes a cycle. */
static void gh_gc_limit_below_live(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 before, i;

	env->root[0] = gh_test_new(test, 0, 16 * MIB);
	gh_test_collect(env);
	gh_gc_set_limit(env->heap, MIB);
	before = env->heap->nr_cycles;
	for (i = 0; i < 64; i++)
		gh_test_many(test, 0, 1024, 64);
	KUNIT_EXPECT_GE(test, env->heap->nr_cycles, before + 8);
	KUNIT_EXPECT_LE(test, env->heap->nr_cycles, before + 20);
}

/* The limit of the surroundings counts like the program's; the lower holds. */
static void gh_gc_outer_limit(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 meta = gh_test_stat(env, meta_bytes) +
		   gh_test_stat(env, span_bytes) + env->heap->pages.meta_bytes;
	u64 room = 10 * MIB;

	gh_test_heap_limit(env->heap, room + meta);
	KUNIT_EXPECT_EQ(test, goal(env), U64_MAX);
	gh_gc_limit_changed(env->heap);
	KUNIT_EXPECT_EQ(test, goal(env), 9 * MIB);
	KUNIT_EXPECT_LE(test, trigger(env), 9 * MIB);
	gh_gc_set_limit(env->heap, 2 * room + meta);
	KUNIT_EXPECT_EQ(test, goal(env), 9 * MIB);
	gh_gc_set_limit(env->heap, room / 2 + meta);
	KUNIT_EXPECT_EQ(test, goal(env), 4 * MIB);
	gh_gc_set_limit(env->heap, S64_MAX);
	gh_test_heap_limit(env->heap, U64_MAX);
	gh_gc_limit_changed(env->heap);
	KUNIT_EXPECT_EQ(test, goal(env), U64_MAX);
}

/* Free memory beyond it goes back after the next cycle. */
static void gh_gc_outer_limit_releases(struct kunit *test)
{
	struct gh_test_env *env = test->priv;

	env->root[0] = gh_test_new(test, 0, 2 * MIB);
	gh_test_new(test, 0, 16 * MIB);
	gh_test_collect(env);
	KUNIT_EXPECT_GE(test, (s64)atomic64_read(&env->heap->mapped),
			(s64)(18 * MIB));
	gh_test_heap_limit(env->heap, 8 * MIB);
	gh_test_collect(env);
	KUNIT_EXPECT_LE(test, (s64)atomic64_read(&env->heap->mapped),
			(s64)(8 * MIB));
	KUNIT_EXPECT_GE(test, (s64)atomic64_read(&env->heap->mapped),
			(s64)(2 * MIB));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, env->root[0]));
}

/* GOGC 100 with little alive: a cycle per 4 MiB, more or less. */
static void gh_gc_automatic(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	s64 most = 0;
	u32 i;

	gh_gc_set_percent(env->heap, 100);
	for (i = 0; i < 40; i++) {
		gh_test_many(test, 0, 1024, 1024);
		gh_gc_sweep(env->heap);
		most = max(most, gh_test_stat(env, inuse_pages));
	}
	KUNIT_EXPECT_GE(test, env->heap->nr_cycles, 8);
	KUNIT_EXPECT_LE(test, env->heap->nr_cycles, 14);
	KUNIT_EXPECT_LE(test, most * GH_PAGE_SIZE, 6 * MIB);
	KUNIT_EXPECT_EQ(test, env->heap->nr_forced, 0);
}

static void gh_gc_off(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 i;

	for (i = 0; i < 10; i++)
		gh_test_many(test, 0, 1024, 1024);
	KUNIT_EXPECT_EQ(test, env->heap->nr_cycles, 0);
	KUNIT_EXPECT_FALSE(test, gh_gc_triggered(env->heap));
}

static void gh_gc_by_limit(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 i;

	gh_gc_set_limit(env->heap, 12 * MIB);
	for (i = 0; i < 40; i++)
		gh_test_many(test, 0, 1024, 1024);
	KUNIT_EXPECT_GE(test, env->heap->nr_cycles, 3);
	KUNIT_EXPECT_LE(test, (u64)atomic64_read(&env->heap->mapped), 13 * MIB);
}

/* What is free beyond the limit goes back; below it, it stays. */
static void gh_gc_limit_releases(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	s64 before;

	env->root[0] = gh_test_new(test, 0, 2 * MIB);
	gh_test_new(test, 0, 16 * MIB);
	gh_test_collect(env);
	before = atomic64_read(&env->heap->mapped);
	KUNIT_EXPECT_GE(test, before, (s64)(18 * MIB));

	gh_gc_set_limit(env->heap, 64 * MIB);
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, (s64)atomic64_read(&env->heap->mapped), before);

	gh_gc_set_limit(env->heap, 8 * MIB);
	gh_test_collect(env);
	KUNIT_EXPECT_LE(test, (s64)atomic64_read(&env->heap->mapped),
			(s64)(8 * MIB));
	KUNIT_EXPECT_GE(test, (s64)atomic64_read(&env->heap->mapped),
			(s64)(2 * MIB));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, env->root[0]));
}

/* Slots count as live when an mcache gets them, so a trigger cannot be missed. */
static void gh_gc_heap_live(struct kunit *test)
{
	struct gh_test_env *env = test->priv;

	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&env->heap->heap_live), 0);
	env->root[0] = gh_test_new(test, 0, 64);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&env->heap->heap_live),
			GH_PAGE_SIZE);
	gh_test_flush(env);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&env->heap->heap_live), 64);
	gh_test_new(test, 0, 100000);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&env->heap->heap_live),
			64 + round_up(100000, GH_PAGE_SIZE));
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&env->heap->heap_live), 64);
}

/* The collector is one of the workers; what it and others are to be. */
static void gh_gc_workers(struct kunit *test)
{
	static const struct {
		enum gh_pacer_kind kind;
		u32 cpus, workers, idle;
		u64 num, den;	/* share of a CPU */
	} rows[] = {
		{ GH_PACER_NORMAL, 1, 0, 0, 1, 4 },
		{ GH_PACER_NORMAL, 2, 1, 1, 1, 2 },
		{ GH_PACER_NORMAL, 3, 2, 2, 3, 4 },
		{ GH_PACER_NORMAL, 4, 3, 3, 0, 1 },
		{ GH_PACER_NORMAL, 6, 5, 4, 1, 2 },
		{ GH_PACER_NORMAL, 8, 7, 6, 0, 1 },
		{ GH_PACER_NORMAL, 64, 63, 48, 0, 1 },
		/* Nobody is in a hurry: a quarter is enough. */
		{ GH_PACER_PERIODIC, 1, 0, 0, 1, 4 },
		{ GH_PACER_PERIODIC, 2, 1, 1, 1, 2 },
		{ GH_PACER_PERIODIC, 4, 0, 0, 0, 1 },
		{ GH_PACER_PERIODIC, 6, 1, 0, 1, 2 },
		{ GH_PACER_PERIODIC, 64, 15, 0, 0, 1 },
		/* Everybody waits. */
		{ GH_PACER_STW, 1, 0, 0, 0, 1 },
		{ GH_PACER_STW, 2, 1, 0, 0, 1 },
		{ GH_PACER_STW, 64, 63, 0, 0, 1 },
	};
	const struct gh_pacer_heap none = {};
	struct gh_test_env *env = test->priv;
	struct gh_pace *p = &env->heap->pace;
	u32 i, idle, nr;
	u64 share;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		gh_pacer_start(&p->pacer, rows[i].kind, rows[i].cpus, 0, &none);
		share = gh_fix_div(rows[i].num, rows[i].den);
		/* A share of each CPU, which is rounded down. */
		KUNIT_EXPECT_LE(test, gh_pace_share(env->heap), share);
		KUNIT_EXPECT_GE(test, gh_pace_share(env->heap) + rows[i].cpus,
				share);
		/* Too little to be worth a thread. */
		KUNIT_EXPECT_EQ(test, gh_pace_workers(env->heap, &idle), 0);
		atomic64_set(&p->heap_scan, 64 * MIB);
		nr = gh_pace_workers(env->heap, &idle);
		KUNIT_EXPECT_EQ_MSG(test, nr, rows[i].workers, "row %u", i);
		KUNIT_EXPECT_EQ_MSG(test, idle, rows[i].idle, "row %u", i);
		atomic64_set(&p->heap_scan, 0);
	}
	p->pacer.marking = false;
	/* A quarter of the CPU: three times as long. */
	KUNIT_EXPECT_EQ(test, gh_pace_rest(GH_FIX_ONE / 4, 1000), 3000);
	KUNIT_EXPECT_EQ(test, gh_pace_rest(GH_FIX_ONE / 2, 1000), 1000);
	KUNIT_EXPECT_EQ(test, gh_pace_rest(GH_FIX_ONE, 1000), 0);
	KUNIT_EXPECT_EQ(test, gh_pace_rest(1, U64_MAX / 2), GH_MAX_REST);
}

/*
 * A CPU that comes back, or wakes up, with idle time of an hour: assists go on.
 */
static void gh_gc_idle(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_pace *p = &env->heap->pace;

	gh_test_collect(env);
	p->idle_seen -= min_t(u64, p->idle_seen, 3600 * NSEC_PER_SEC);
	gh_test_mark(env);
	KUNIT_EXPECT_FALSE(test, gh_limiter_limiting(&p->limiter));
	KUNIT_EXPECT_LT(test, p->limiter.fill, p->limiter.capacity / 2);
	KUNIT_EXPECT_EQ(test, p->limiter.last_enabled, 0);
}

static void gh_gc_record(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_cycle c;

	KUNIT_EXPECT_FALSE(test, gh_gc_get_cycle(env->heap, 0, &c));
	env->root[0] = gh_test_new(test, 0, 48);
	gh_test_new(test, 0, 48);
	gh_test_collect(env);
	gh_gc_mark_cycle(env->heap, GH_CYCLE_HEAP);

	KUNIT_ASSERT_TRUE(test, gh_gc_get_cycle(env->heap, 1, &c));
	KUNIT_EXPECT_EQ(test, c.cycle, 1);
	KUNIT_EXPECT_EQ(test, c.reason, GH_CYCLE_FORCED);
	KUNIT_EXPECT_EQ(test, c.heap_start, GH_PAGE_SIZE / 48 * 48);
	KUNIT_EXPECT_EQ(test, c.heap_marked, 48);
	KUNIT_EXPECT_EQ(test, c.stopped_ns, c.setup_ns + c.term_ns);
	KUNIT_ASSERT_TRUE(test, gh_gc_get_cycle(env->heap, 0, &c));
	KUNIT_EXPECT_EQ(test, c.cycle, 2);
	KUNIT_EXPECT_EQ(test, c.reason, GH_CYCLE_HEAP);
	KUNIT_EXPECT_EQ(test, c.heap_start, 48);
	KUNIT_EXPECT_FALSE(test, gh_gc_get_cycle(env->heap, 3, &c));
	KUNIT_EXPECT_EQ(test, env->heap->nr_forced, 1);
	KUNIT_EXPECT_EQ(test, env->heap->root_count, GH_TEST_ROOTS);
}

static void gh_gc_record_ring(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_cycle c;
	u32 i;

	for (i = 0; i < GH_NR_CYCLES + 4; i++)
		gh_test_collect(env);
	KUNIT_EXPECT_FALSE(test, gh_gc_get_cycle(env->heap, 1, &c));
	KUNIT_EXPECT_FALSE(test, gh_gc_get_cycle(env->heap, 4, &c));
	for (i = 5; i <= GH_NR_CYCLES + 4; i++) {
		KUNIT_ASSERT_TRUE(test, gh_gc_get_cycle(env->heap, i, &c));
		KUNIT_EXPECT_EQ(test, c.cycle, i);
	}
	KUNIT_EXPECT_FALSE(test, gh_gc_get_cycle(env->heap, i, &c));
	KUNIT_EXPECT_FALSE(test, gh_gc_get_cycle(env->heap, U64_MAX, &c));
}

static struct kunit_case gh_gc_cases[] = {
	KUNIT_CASE(gh_gc_goal),
	KUNIT_CASE(gh_gc_limit_below_live),
	KUNIT_CASE(gh_gc_automatic),
	KUNIT_CASE(gh_gc_off),
	KUNIT_CASE(gh_gc_by_limit),
	KUNIT_CASE(gh_gc_limit_releases),
	KUNIT_CASE(gh_gc_outer_limit),
	KUNIT_CASE(gh_gc_outer_limit_releases),
	KUNIT_CASE(gh_gc_heap_live),
	KUNIT_CASE(gh_gc_workers),
	KUNIT_CASE(gh_gc_idle),
	KUNIT_CASE(gh_gc_record),
	KUNIT_CASE(gh_gc_record_ring),
	{}
};

static struct kunit_suite gh_gc_suite = {
	.name = "gh_gc",
	.init = gh_test_env_init,
	.exit = gh_test_env_exit,
	.test_cases = gh_gc_cases,
};

gh_test_suite(gh_gc_suite);
