// SPDX-License-Identifier: GPL-2.0
/*
 * The states of a span between two cycles, and the lists it goes through.
 *
 *	in an mcache	sweepgen h + 3
 *	swept		h, on a swept list: full or partial
 *	not swept	h - 2, on an unswept list
 *	being swept	h - 1, on none
 */
#include "gh_test_heap.h"

/* Which of the lists of its span class has the span first; "" for none. */
static const char *list_of(struct gh_test_env *env, struct gh_span *s)
{
	struct gh_central *c = &s->sc->central;
	u32 swept = env->heap->sweepgen / 2 & 1;

	if (list_empty(&s->node))
		return "";
	if (c->partial[swept].next == &s->node)
		return "partial swept";
	if (c->partial[!swept].next == &s->node)
		return "partial unswept";
	if (c->full[swept].next == &s->node)
		return "full swept";
	if (c->full[!swept].next == &s->node)
		return "full unswept";
	return "another";
}

static void expect_span(struct kunit *test, struct gh_span *s, int gen,
			const char *list)
{
	struct gh_test_env *env = test->priv;

	KUNIT_EXPECT_EQ(test, (int)(s->sweepgen - env->heap->sweepgen), gen);
	KUNIT_EXPECT_STREQ(test, list_of(env, s), list);
}

static void gh_sweep_states(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_span *s, *t;

	env->root[0] = gh_test_new(test, 0, 64);
	s = gh_test_span(env, env->root[0]);
	expect_span(test, s, 3, "");
	gh_test_flush(env);
	expect_span(test, s, 0, "partial swept");
	gh_test_mark(env);
	expect_span(test, s, -2, "partial unswept");

	down_read(&env->heap->world);
	t = gh_central_pop_unswept(env->heap, s->sc);
	KUNIT_EXPECT_PTR_EQ(test, t, s);
	expect_span(test, s, -1, "");
	KUNIT_EXPECT_NULL(test, gh_central_pop_unswept(env->heap, s->sc));
	KUNIT_EXPECT_FALSE(test, gh_sweep_span(env->heap, s, false));
	up_read(&env->heap->world);
	expect_span(test, s, 0, "partial swept");
}

/* A span that is swept to be used stays with whoever sweeps it. */
static void gh_sweep_preserve(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_span *s;
	u64 ref = gh_test_new(test, 0, 64);

	s = gh_test_span(env, ref);
	gh_test_mark(env);
	down_read(&env->heap->world);
	KUNIT_EXPECT_PTR_EQ(test, gh_central_pop_unswept(env->heap, s->sc), s);
	KUNIT_EXPECT_FALSE(test, gh_sweep_span(env->heap, s, true));
	expect_span(test, s, 0, "");
	KUNIT_EXPECT_EQ(test, s->alloc_count, 0);
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span(env, ref), s);
	gh_central_push_swept(env->heap, s);
	up_read(&env->heap->world);
	expect_span(test, s, 0, "partial swept");
}

static void gh_sweep_full_and_partial(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 n = GH_PAGE_SIZE / 128;
	struct gh_span *s;

	gh_test_many(test, 0, 128, n);
	memcpy(env->root, env->fresh, n * sizeof(u64));
	s = gh_test_span(env, env->root[0]);
	gh_test_flush(env);
	expect_span(test, s, 0, "full swept");
	gh_test_mark(env);
	expect_span(test, s, -2, "full unswept");
	gh_gc_sweep(env->heap);
	expect_span(test, s, 0, "full swept");

	env->root[n / 2] = 0;
	gh_test_mark(env);
	expect_span(test, s, -2, "full unswept");
	gh_gc_sweep(env->heap);
	expect_span(test, s, 0, "partial swept");
	KUNIT_EXPECT_EQ(test, s->alloc_count, n - 1);

	memset(env->root, 0, sizeof(env->root));
	gh_test_mark(env);
	expect_span(test, s, -2, "partial unswept");
	KUNIT_EXPECT_EQ(test, gh_gc_sweep(env->heap), 1);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, inuse_pages), 0);
}

/* An object counts as free from the end of marking, swept or not. */
static void gh_sweep_dead_before_swept(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 dead, live;

	gh_test_many(test, 0, 64, 2);
	dead = env->fresh[0];
	live = env->fresh[1];
	env->root[0] = live;
	gh_test_mark(env);
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, dead));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, live));
	gh_test_check(test);
	gh_gc_sweep(env->heap);
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, dead));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, live));
}

/* Allocation sweeps what it needs before the heap grows. */
static void gh_sweep_by_allocation(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	s64 pages;
	u32 i;

	gh_test_many(test, 0, 512, 160);
	for (i = 0; i < 160; i++)
		gh_test_fill(env, env->fresh[i], 512, ~0ULL);
	pages = gh_test_stat(env, inuse_pages);
	KUNIT_EXPECT_EQ(test, pages, 10);
	gh_test_mark(env);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, swept_pages), 0);
	gh_test_many(test, 0, 512, 160);
	for (i = 0; i < 160; i++)
		KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env, env->fresh[i],
						       512));
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, inuse_pages), pages);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, swept_pages), pages);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, frees[gh_sizeclass_of(512)]),
			160);
}

/* But not without end: behind the budget of full spans the heap grows. */
static void gh_sweep_budget(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 n = GH_SPAN_BUDGET + 20;

	gh_test_many(test, 0, GH_PAGE_SIZE, n);
	memcpy(env->root, env->fresh, n * sizeof(u64));
	gh_test_mark(env);
	gh_test_new(test, 0, GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, swept_pages), GH_SPAN_BUDGET);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, inuse_pages), n + 1);
	gh_gc_sweep(env->heap);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, swept_pages), n);
}

/* Each cycle sweeps each span once, and a cycle sweeps what is left. */
static void gh_sweep_once(struct kunit *test)
{
	struct gh_test_env *env = test->priv;

	gh_test_many(test, 0, GH_PAGE_SIZE, 30);
	memcpy(env->root, env->fresh, 30 * sizeof(u64));
	gh_test_mark(env);
	gh_test_mark(env);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, swept_pages), 30);
	KUNIT_EXPECT_EQ(test, gh_gc_sweep(env->heap), 0);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, swept_pages), 60);
	KUNIT_EXPECT_EQ(test, gh_gc_sweep(env->heap), 0);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, swept_pages), 60);
	gh_test_check(test);
}

static void allocate_up_to(struct kunit *test, u64 live)
{
	struct gh_test_env *env = test->priv;

	while (atomic64_read(&env->heap->heap_live) < (s64)live)
		gh_test_new(test, 0, 2 * GH_PAGE_SIZE);
}

/* Whoever allocates sweeps other spans as well, so that none is left in time. */
static void gh_sweep_proportional(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 live, trigger;

	gh_gc_set_percent(env->heap, 100);
	gh_test_many(test, 0, GH_PAGE_SIZE, 30);
	memcpy(env->root, env->fresh, 30 * sizeof(u64));
	gh_test_mark(env);
	live = atomic64_read(&env->heap->heap_live);
	trigger = gh_pacer_trigger(&env->heap->pace.pacer);
	KUNIT_ASSERT_GT(test, trigger, live + (2 << 20));
	KUNIT_ASSERT_LT(test, trigger, live + (16 << 20));
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, swept_pages), 0);
	allocate_up_to(test, (live + trigger) / 2);
	KUNIT_EXPECT_GE(test, gh_test_stat(env, swept_pages), 15);
	KUNIT_EXPECT_LT(test, gh_test_stat(env, swept_pages), 30);
	allocate_up_to(test, trigger - GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, swept_pages), 30);
	gh_gc_sweep(env->heap);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, swept_pages), 30);
	gh_test_check(test);
}

static struct kunit_case gh_sweep_cases[] = {
	KUNIT_CASE(gh_sweep_states),
	KUNIT_CASE(gh_sweep_preserve),
	KUNIT_CASE(gh_sweep_full_and_partial),
	KUNIT_CASE(gh_sweep_dead_before_swept),
	KUNIT_CASE(gh_sweep_by_allocation),
	KUNIT_CASE(gh_sweep_budget),
	KUNIT_CASE(gh_sweep_once),
	KUNIT_CASE(gh_sweep_proportional),
	{}
};

static struct kunit_suite gh_sweep_suite = {
	.name = "gh_sweep",
	.init = gh_test_env_init,
	.exit = gh_test_env_exit,
	.test_cases = gh_sweep_cases,
};

gh_test_suite(gh_sweep_suite);
