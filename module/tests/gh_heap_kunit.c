// SPDX-License-Identifier: GPL-2.0
/*
 * Spans, their pages and memory, and the way from an address to an object.
 */
#include "gh_test_heap.h"

static void expect_object(struct kunit *test, u64 ref, u64 base, u64 bytes)
{
	struct gh_test_env *env = test->priv;
	struct gh_objinfo info = {};

	KUNIT_ASSERT_EQ(test, gh_test_lookup(env, ref, &info), 0);
	KUNIT_EXPECT_EQ(test, info.base, gh_test_off(base));
	KUNIT_EXPECT_EQ(test, info.bytes, bytes);
}

static void gh_heap_lookup_interior(struct kunit *test)
{
	u64 a = gh_test_new(test, 0, 48);
	u64 b = gh_test_new(test, 0, 48);

	expect_object(test, a, a, 48);
	expect_object(test, a + 1, a, 48);
	expect_object(test, a + 47, a, 48);
	expect_object(test, b, b, 48);
	KUNIT_EXPECT_NE(test, a, b);
}

static void gh_heap_lookup_nothing(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 ref = gh_test_new(test, 0, 48);
	struct gh_span *s = gh_test_span(env, ref);
	u64 tag = ref - gh_test_off(ref);

	/* Page 0, the slot behind, waste behind the last slot. */
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, 0));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, tag));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, ref + 48));
	KUNIT_EXPECT_LT(test, gh_span_limit(s), s->base + GH_PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, tag + gh_span_limit(s)));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, tag + s->base +
					       GH_PAGE_SIZE - 1));
	/* Addresses that have not been grown, or never will be. */
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, tag + GH_TEST_ASPACE - 8));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, tag + GH_TEST_ASPACE));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, tag | ((1ULL << 48) - 1)));
	/* Another heap's tag. */
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, ref ^ (1ULL << 48)));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, gh_test_off(ref)));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, ref));
}

static void gh_heap_lookup_waste_when_full(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_span *s;
	u64 tag;

	gh_test_many(test, 0, 48, GH_PAGE_SIZE / 48);
	s = gh_test_span(env, env->fresh[0]);
	tag = env->fresh[0] - gh_test_off(env->fresh[0]);
	KUNIT_EXPECT_EQ(test, s->alloc_count, s->nelems);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, tag + gh_span_limit(s) - 1));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, tag + gh_span_limit(s)));
}

static void gh_heap_large(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 bytes = 100000;
	u64 size = round_up(bytes, GH_PAGE_SIZE);
	u64 a = gh_test_new(test, 0, bytes);
	u64 b = gh_test_new(test, 0, bytes);
	u64 i;

	for (i = 0; i < size; i += GH_PAGE_SIZE / 2)
		expect_object(test, a + i, a, size);
	expect_object(test, a + size - 1, a, size);
	expect_object(test, b, b, size);
	KUNIT_EXPECT_GE(test, a > b ? a - b : b - a, size);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, inuse_pages),
			2 * size / GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, large_alloc_bytes), 2 * size);

	env->root[0] = b + 50000;
	gh_test_collect(env);
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, a));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, a + size - 1));
	expect_object(test, b, b, size);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, inuse_pages),
			size / GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, large_free_bytes), size);
}

/* A large object across the border of two arenas. */
static void gh_heap_two_arenas(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 l = gh_test_layout(test, 1, 1);
	u64 bytes = GH_ARENA_SIZE + GH_CHUNK_SIZE;
	u64 ref = gh_test_new(test, l, bytes);
	u64 leaf = gh_test_new(test, 0, 32);
	u64 lost = gh_test_new(test, 0, 32);

	KUNIT_ASSERT_NE(test, gh_test_off(ref) >> GH_ARENA_SHIFT,
			(gh_test_off(ref) + bytes - 1) >> GH_ARENA_SHIFT);
	expect_object(test, ref + bytes - 1, ref, bytes);
	*gh_test_word(env, ref, bytes / 8 - 1) = leaf;
	env->root[0] = ref;
	gh_test_collect(env);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, leaf));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, lost));
}

static void gh_heap_pages_come_back(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 a, b;

	gh_test_many(test, 0, 1024, 100);
	a = env->fresh[0];
	b = env->fresh[99];
	KUNIT_EXPECT_GT(test, gh_test_stat(env, inuse_pages), 0);
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, inuse_pages), 0);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, span_bytes), 0);
	KUNIT_EXPECT_NULL(test, gh_test_span(env, a));
	KUNIT_EXPECT_NULL(test, gh_test_span(env, b));
	KUNIT_EXPECT_EQ(test, env->heap->pages.free_pages + 1,
			env->heap->pages.end_page);
}

static void gh_heap_release_all(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 keep = gh_test_new(test, 0, 8192);
	s64 mapped;

	gh_test_fill(env, keep, 8192, 77);
	env->root[0] = keep;
	gh_test_fill(env, gh_test_new(test, 0, 200000), 200000, ~0ULL);
	gh_test_collect(env);
	mapped = atomic64_read(&env->heap->mapped);
	KUNIT_EXPECT_GE(test, mapped, 200000 + 8192);

	KUNIT_EXPECT_EQ(test, gh_heap_release(env->heap, U64_MAX),
			mapped - 8192);
	KUNIT_EXPECT_EQ(test, atomic64_read(&env->heap->mapped), 8192);
	KUNIT_EXPECT_EQ(test, gh_heap_release(env->heap, U64_MAX), 0);
	gh_test_check(test);
	KUNIT_EXPECT_EQ(test, *gh_test_word(env, keep, 1023), 77);
	KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env, gh_test_new(test, 0, 200000),
					       200000));
}

static void gh_heap_release_some(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	s64 mapped;
	u64 done;

	gh_test_new(test, 0, 1 << 20);
	gh_test_collect(env);
	mapped = atomic64_read(&env->heap->mapped);
	done = gh_heap_release(env->heap, 3 * GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, done, 3 * GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&env->heap->mapped),
			mapped - (s64)done);
	/* Partly backed pages serve one object; what had memory is cleared. */
	KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env,
					       gh_test_new(test, 0, 1 << 20),
					       1 << 20));
}

static void gh_heap_try_release_some(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_heap *heap = env->heap;
	u64 keep = gh_test_new(test, 0, 8192);
	u64 free;

	gh_test_fill(env, keep, 8192, 77);
	env->root[0] = keep;
	gh_test_fill(env, gh_test_new(test, 0, 1 << 20), 1 << 20, ~0ULL);
	gh_test_collect(env);
	free = gh_heap_releasable(heap);
	KUNIT_EXPECT_EQ(test, free, atomic64_read(&heap->mapped) - 8192);

	KUNIT_EXPECT_EQ(test, gh_heap_try_release(heap, GH_PAGE_SIZE + 1),
			2 * GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, gh_heap_releasable(heap),
			free - 2 * GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, gh_heap_try_release(heap, U64_MAX),
			free - 2 * GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&heap->mapped), 8192);
	KUNIT_EXPECT_EQ(test, gh_heap_releasable(heap), 0);
	KUNIT_EXPECT_EQ(test, gh_heap_try_release(heap, U64_MAX), 0);
	gh_test_check(test);
	KUNIT_EXPECT_EQ(test, *gh_test_word(env, keep, 1023), 77);
	KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env,
					       gh_test_new(test, 0, 1 << 20),
					       1 << 20));
}

/* Whoever is in the way, also the caller itself, is not waited for. */
static void gh_heap_try_release_busy(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_heap *heap = env->heap;
	u64 free;

	gh_test_new(test, 0, 1 << 20);
	gh_test_collect(env);
	free = gh_heap_releasable(heap);
	KUNIT_EXPECT_GT(test, free, 0);

	mutex_lock(&heap->lock);
	KUNIT_EXPECT_EQ(test, gh_heap_try_release(heap, U64_MAX), 0);
	mutex_unlock(&heap->lock);
	down_read(&heap->backing);
	KUNIT_EXPECT_EQ(test, gh_heap_try_release(heap, U64_MAX), 0);
	up_read(&heap->backing);
	KUNIT_EXPECT_EQ(test, gh_heap_releasable(heap), free);
	gh_test_check(test);
	KUNIT_EXPECT_EQ(test, gh_heap_try_release(heap, U64_MAX), free);
	gh_test_check(test);
}

/* The first span brings memory for the next ones. */
static void gh_heap_back_ahead(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 bytes = GH_BACK_PAGES * GH_PAGE_SIZE;
	u32 i;

	for (i = 0; i < GH_BACK_PAGES; i++) {
		u64 ref = gh_test_new(test, 0, GH_PAGE_SIZE);

		env->root[i] = ref;
		KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&env->heap->mapped),
				bytes);
		KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env, ref,
						       GH_PAGE_SIZE));
		gh_test_fill(env, ref, GH_PAGE_SIZE, ~0ULL);
	}
	gh_test_check(test);
	env->root[GH_BACK_PAGES] = gh_test_new(test, 0, GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&env->heap->mapped),
			2 * bytes);

	/* What was used and is free again is cleared. */
	memset(env->root, 0, sizeof(env->root));
	gh_test_collect(env);
	for (i = 0; i < 2 * GH_BACK_PAGES; i++) {
		env->root[i] = gh_test_new(test, 0, GH_PAGE_SIZE);
		KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env, env->root[i],
						       GH_PAGE_SIZE));
	}
}

/* Under a ceiling there is no memory for more than what is asked for. */
static void gh_heap_back_exact(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 i;

	env->heap->max_heap = (GH_BACK_PAGES + 3) * GH_PAGE_SIZE;
	for (i = 0; i < GH_BACK_PAGES + 3; i++)
		env->root[i] = gh_test_new(test, 0, GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, gh_test_try(env, 0, GH_PAGE_SIZE, 1), -ENOMEM);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&env->heap->mapped),
			env->heap->max_heap);
}

/* The ceiling holds exactly, loses nothing, and lets go. */
static void gh_heap_ceiling(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 bytes = 16 * GH_PAGE_SIZE;
	int i, n, got = 0;

	env->heap->max_heap = 10 * bytes;
	for (i = 0; i < 20; i++) {
		n = gh_test_try(env, 0, bytes, 1);
		if (n < 0)
			break;
		env->root[got++] = env->fresh[0];
		gh_test_fill(env, env->fresh[0], bytes, i);
	}
	KUNIT_EXPECT_EQ(test, n, -ENOMEM);
	KUNIT_EXPECT_EQ(test, got, 10);
	KUNIT_EXPECT_LE(test, (u64)atomic64_read(&env->heap->mapped),
			env->heap->max_heap);
	gh_test_check(test);
	for (i = 0; i < got; i++)
		KUNIT_EXPECT_EQ(test, *gh_test_word(env, env->root[i], 9), i);

	/* Garbage makes room: two dropped, two fit. */
	env->root[3] = 0;
	env->root[7] = 0;
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, gh_test_try(env, 0, bytes, 1), 1);
		KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env, env->fresh[0],
						       bytes));
		env->root[i ? 3 : 7] = env->fresh[0];
	}
	KUNIT_EXPECT_EQ(test, gh_test_try(env, 0, bytes, 1), -ENOMEM);
	KUNIT_EXPECT_GT(test, env->heap->nr_cycles, 0);
}

/* So does the end of the addresses. */
static void gh_heap_addresses(struct kunit *test)
{
	u64 bytes = GH_ARENA_SIZE / 4;
	struct gh_test_env *env;
	int err = 0;
	int i;

	gh_test_env_exit(test);
	KUNIT_ASSERT_EQ(test, gh_test_env_init_size(test, GH_ARENA_SIZE), 0);
	env = test->priv;
	for (i = 0; i < 4 && err >= 0; i++) {
		err = gh_test_try(env, 0, bytes, 1);
		if (err > 0)
			env->root[i] = env->fresh[0];
	}
	/* Page 0 is nobody's, so the fourth does not fit. */
	KUNIT_EXPECT_EQ(test, i, 4);
	KUNIT_EXPECT_TRUE(test, err == -ENOMEM || err == -ENOSPC);
	gh_test_check(test);
	env->root[1] = 0;
	KUNIT_EXPECT_EQ(test, gh_test_try(env, 0, bytes, 1), 1);
}

static struct kunit_case gh_heap_cases[] = {
	KUNIT_CASE(gh_heap_lookup_interior),
	KUNIT_CASE(gh_heap_lookup_nothing),
	KUNIT_CASE(gh_heap_lookup_waste_when_full),
	KUNIT_CASE(gh_heap_large),
	KUNIT_CASE(gh_heap_two_arenas),
	KUNIT_CASE(gh_heap_pages_come_back),
	KUNIT_CASE(gh_heap_release_all),
	KUNIT_CASE(gh_heap_release_some),
	KUNIT_CASE(gh_heap_try_release_some),
	KUNIT_CASE(gh_heap_try_release_busy),
	KUNIT_CASE(gh_heap_back_ahead),
	KUNIT_CASE(gh_heap_back_exact),
	KUNIT_CASE(gh_heap_ceiling),
	KUNIT_CASE(gh_heap_addresses),
	{}
};

static struct kunit_suite gh_heap_suite = {
	.name = "gh_heap",
	.init = gh_test_env_init,
	.exit = gh_test_env_exit,
	.test_cases = gh_heap_cases,
};

gh_test_suite(gh_heap_suite);
