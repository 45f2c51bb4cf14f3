// SPDX-License-Identifier: GPL-2.0
/*
 * When a cycle starts, and what is kept of it.
 */
#include "gh_test_heap.h"

#define MIB	(1ULL << 20)

/* The goal for a live heap of @marked bytes. */
static u64 goal(struct gh_test_env *env, u64 marked, s64 percent, s64 limit)
{
	env->heap->heap_marked = marked;
	gh_gc_set_limit(env->heap, limit);
	gh_gc_set_percent(env->heap, percent);
	env->heap->heap_marked = 0;
	return env->heap->goal;
}

static void gh_gc_percent_goal(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	static const struct {
		u64 marked;
		s64 percent;
		u64 goal;
	} t[] = {
		{ 0, 100, 4 * MIB },
		{ MIB, 100, 4 * MIB },
		{ 4 * MIB, 100, 8 * MIB },
		{ 10 * MIB, 100, 20 * MIB },
		{ 10 * MIB, 50, 15 * MIB },
		{ 10 * MIB, 300, 40 * MIB },
		{ MIB, 200, 8 * MIB },
		{ MIB, 50, 2 * MIB },
		{ 1ULL << 40, 100, 2ULL << 40 },
		/* Never less than the runway: 1/16, or 64 KiB. */
		{ 160 * MIB, 0, 170 * MIB },
		{ 0, 0, 64 << 10 },
		{ MIB, -1, U64_MAX },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		KUNIT_EXPECT_EQ_MSG(test, goal(env, t[i].marked, t[i].percent,
					       S64_MAX),
				    t[i].goal, "row %u", i);
		KUNIT_EXPECT_EQ(test, env->heap->trigger, t[i].goal);
	}
}

static void gh_gc_limit_goal(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 meta = gh_test_stat(env, meta_bytes) +
		   gh_test_stat(env, span_bytes) + env->heap->pages.meta_bytes;
	u64 room, got;

	/* 3 % are kept back, at least 1 MiB. */
	room = 200 * MIB;
	got = goal(env, 0, -1, room + meta);
	KUNIT_EXPECT_LE(test, got, room - room / 100 * 3);
	KUNIT_EXPECT_GE(test, got, room - room / 100 * 3 - 1000);
	room = 10 * MIB;
	KUNIT_EXPECT_EQ(test, goal(env, 0, -1, room + meta), 9 * MIB);
	/* The lower of both holds. */
	KUNIT_EXPECT_EQ(test, goal(env, 2 * MIB, 100, room + meta), 4 * MIB);
	KUNIT_EXPECT_EQ(test, goal(env, 8 * MIB, 100, room + meta), 9 * MIB);
	/* What is live is not fought. */
	KUNIT_EXPECT_EQ(test, goal(env, 32 * MIB, 100, room + meta), 34 * MIB);
	KUNIT_EXPECT_EQ(test, goal(env, 32 * MIB, 100, 0), 34 * MIB);
	KUNIT_EXPECT_EQ(test, goal(env, 0, -1, S64_MAX), U64_MAX);
}

/* The limit of the surroundings counts like the program's; the lower holds. */
static void gh_gc_outer_limit(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 meta = gh_test_stat(env, meta_bytes) +
		   gh_test_stat(env, span_bytes) + env->heap->pages.meta_bytes;
	u64 room = 10 * MIB;

	gh_test_heap_limit(env->heap, room + meta);
	KUNIT_EXPECT_EQ(test, env->heap->goal, U64_MAX);
	gh_gc_limit_changed(env->heap);
	KUNIT_EXPECT_EQ(test, env->heap->goal, 9 * MIB);
	KUNIT_EXPECT_EQ(test, env->heap->trigger, 9 * MIB);
	KUNIT_EXPECT_EQ(test, goal(env, 0, -1, 2 * room + meta), 9 * MIB);
	KUNIT_EXPECT_EQ(test, goal(env, 0, -1, room / 2 + meta), 4 * MIB);
	KUNIT_EXPECT_EQ(test, goal(env, 32 * MIB, 100, S64_MAX), 34 * MIB);
	gh_test_heap_limit(env->heap, 0);
	KUNIT_EXPECT_EQ(test, goal(env, 32 * MIB, 100, S64_MAX), 34 * MIB);
	gh_test_heap_limit(env->heap, U64_MAX);
	KUNIT_EXPECT_EQ(test, goal(env, 0, -1, S64_MAX), U64_MAX);
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
	KUNIT_EXPECT_LE(test, env->heap->nr_cycles, 12);
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
	KUNIT_EXPECT_GE(test, c.stopped_ns, c.mark_ns);
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
	KUNIT_CASE(gh_gc_percent_goal),
	KUNIT_CASE(gh_gc_limit_goal),
	KUNIT_CASE(gh_gc_automatic),
	KUNIT_CASE(gh_gc_off),
	KUNIT_CASE(gh_gc_by_limit),
	KUNIT_CASE(gh_gc_limit_releases),
	KUNIT_CASE(gh_gc_outer_limit),
	KUNIT_CASE(gh_gc_outer_limit_releases),
	KUNIT_CASE(gh_gc_heap_live),
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
