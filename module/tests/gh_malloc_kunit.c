// SPDX-License-Identifier: GPL-2.0
/*
 * Allocation: every size, zeroed, nobody else's, counted; mcaches.
 */
#include "gh_test_heap.h"

static void gh_malloc_arguments(struct kunit *test)
{
	struct gh_test_env *env = test->priv;

	KUNIT_EXPECT_EQ(test, gh_test_try(env, 0, 16, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, gh_test_try(env, 0, 16, GH_MAX_BATCH + 1),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, gh_test_try(env, 0, U64_MAX, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, gh_test_try(env, 0, GH_TEST_ASPACE, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, gh_test_try(env, env->heap->nr_layouts, 16, 1),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, gh_test_try(env, U32_MAX, 16, 1), -ENOENT);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, inuse_pages), 0);
	KUNIT_EXPECT_EQ(test, gh_test_try(env, 0, 0, 1), 1);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, env->fresh[0]));
}

/*
 * Two rounds over all classes, with and without references. The second round
 * gets the memory of the first one, which was filled.
 */
static void try_class(struct kunit *test, u32 layout, u64 size)
{
	struct gh_test_env *env = test->priv;
	struct gh_objinfo info;
	int i;

	gh_test_many(test, layout, size, 3);
	for (i = 0; i < 3; i++) {
		u64 ref = env->fresh[i];

		KUNIT_ASSERT_EQ(test, gh_test_lookup(env, ref, &info), 0);
		if (layout || size >= GH_TINY_SIZE)
			KUNIT_EXPECT_EQ(test, info.bytes, size);
		KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env, ref, size));
		if (!layout)
			gh_test_fill(env, ref, size, ~0ULL);
	}
}

static void gh_malloc_classes(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 refs = gh_test_layout(test, 1, 1);
	int round, c;

	for (round = 0; round < 2; round++) {
		for (c = 1; c < GH_NR_CLASSES; c++) {
			try_class(test, 0, gh_sizeclasses[c].size);
			try_class(test, refs, gh_sizeclasses[c].size);
		}
		gh_test_check(test);
		/* The block that tiny objects share stays for one cycle more. */
		gh_test_collect(env);
		gh_test_collect(env);
		KUNIT_EXPECT_EQ(test, gh_test_stat(env, inuse_pages), 0);
	}
}

/* Every second object dies; what comes in its place is clean and not alive. */
static void gh_malloc_reuse(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 refs[64];
	u64 round;
	int i;

	memset(refs, 0, sizeof(refs));
	for (round = 1; round < 5; round++) {
		gh_test_many(test, 0, 416, 64);
		for (i = 0; i < 64; i++) {
			u64 ref = env->fresh[i];

			KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env, ref, 416));
			gh_test_fill(env, ref, 416, round * 100 + i);
			if (i % 2)
				continue;
			/* Half of what is kept dies a round later. */
			refs[i] = ref;
			env->root[round % 2 * 64 + i] = ref;
		}
		gh_test_collect(env);
		gh_test_check(test);
		for (i = 0; i < 64; i += 2) {
			KUNIT_EXPECT_TRUE(test, gh_test_alive(env, refs[i]));
			KUNIT_EXPECT_EQ(test, *gh_test_word(env, refs[i], 51),
					round * 100 + i);
		}
	}
}

static void gh_malloc_batch(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 a, b;
	int i, j;

	gh_test_many(test, 0, 96, GH_MAX_BATCH);
	for (i = 0; i < GH_MAX_BATCH; i++) {
		KUNIT_ASSERT_TRUE(test, gh_test_alive(env, env->fresh[i]));
		*gh_test_word(env, env->fresh[i], 0) = i;
		*gh_test_word(env, env->fresh[i], 11) = i;
	}
	for (i = 0; i < GH_MAX_BATCH; i++) {
		a = *gh_test_word(env, env->fresh[i], 0);
		b = *gh_test_word(env, env->fresh[i], 11);
		KUNIT_EXPECT_EQ(test, a, i);
		KUNIT_EXPECT_EQ(test, b, i);
	}
	for (i = 0; i < 50; i++)
		for (j = i + 1; j < 50; j++)
			KUNIT_EXPECT_NE(test, env->fresh[i], env->fresh[j]);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, mallocs[gh_sizeclass_of(96)]),
			GH_MAX_BATCH);
}

static void gh_malloc_tiny(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 block;
	int i;

	gh_test_many(test, 0, 1, 17);
	block = env->fresh[0];
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(block, GH_TINY_SIZE));
	for (i = 1; i < 16; i++)
		KUNIT_EXPECT_EQ(test, env->fresh[i], block + i);
	KUNIT_EXPECT_NE(test, env->fresh[16], block + 16 - GH_TINY_SIZE);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, tiny_allocs), 15);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, mallocs[GH_TINY_CLASS]), 2);

	/* One of them keeps the block. */
	env->root[0] = block + 9;
	gh_test_collect(env);
	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_TRUE(test, gh_test_alive(env, block + i));
}

static void gh_malloc_tiny_align(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 a, b, c, d;

	gh_test_flush(env);
	a = gh_test_new(test, 0, 1);
	b = gh_test_new(test, 0, 2);
	c = gh_test_new(test, 0, 4);
	d = gh_test_new(test, 0, 8);
	KUNIT_EXPECT_EQ(test, b, a + 2);
	KUNIT_EXPECT_EQ(test, c, a + 4);
	KUNIT_EXPECT_EQ(test, d, a + 8);
	/* Objects with references are never combined. */
	a = gh_test_new(test, gh_test_layout(test, 1, 1), 8);
	b = gh_test_new(test, gh_test_layout(test, 1, 1), 8);
	KUNIT_EXPECT_EQ(test, gh_sizeclasses[1].size, 8);
	KUNIT_EXPECT_NE(test, a, b);
	KUNIT_EXPECT_EQ(test, gh_test_span(env, a)->elemsize, 8);
}

/* The open block is not lost to a cycle, nor used on after one. */
static void gh_malloc_tiny_cycle(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 a = gh_test_new(test, 0, 1);
	u64 b;

	*(u8 *)gh_heap_kaddr(env->heap, gh_test_off(a)) = 1;
	/* Another object could come into the block while objects are marked. */
	gh_test_collect(env);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, a));
	b = gh_test_new(test, 0, 1);
	KUNIT_EXPECT_NE(test, round_down(b, GH_TINY_SIZE), a);
	gh_test_flush(env);
	gh_test_collect(env);
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, a));
	b = gh_test_new(test, 0, 1);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED(b, GH_TINY_SIZE));
	KUNIT_EXPECT_EQ(test, *(u8 *)gh_heap_kaddr(env->heap, gh_test_off(b)),
			0);
}

static void gh_malloc_counts(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u8 c = gh_sizeclass_of(128);

	gh_test_many(test, 0, 128, 70);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, mallocs[c]), 70);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, frees[c]), 0);
	memcpy(env->root, env->fresh, 10 * sizeof(u64));
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, mallocs[c]), 70);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, frees[c]), 60);
	KUNIT_EXPECT_EQ(test, env->heap->heap_marked, 1280);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&env->heap->heap_live), 1280);
	memset(env->root, 0, 10 * sizeof(u64));
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, frees[c]), 70);
}

/* A half used span goes on serving after a cycle: each free slot once. */
static void gh_malloc_half_used(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 nelems = GH_PAGE_SIZE / 64;
	struct gh_span *s;
	u64 base;
	u32 i;

	gh_test_many(test, 0, 64, nelems / 2);
	s = gh_test_span(env, env->fresh[0]);
	base = s->base;
	for (i = 0; i < nelems / 2; i++) {
		gh_test_fill(env, env->fresh[i], 64, i + 1);
		if (i % 3 == 0)
			env->root[i] = env->fresh[i];
	}
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, s->alloc_count, DIV_ROUND_UP(nelems / 2, 3));

	for (i = s->alloc_count; i < nelems; i++) {
		u64 ref = gh_test_new(test, 0, 64);

		KUNIT_EXPECT_EQ(test, gh_test_off(ref) & GH_PAGE_MASK, base);
		KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env, ref, 64));
		gh_test_fill(env, ref, 64, ~0ULL);
	}
	for (i = 0; i < nelems / 2; i += 3)
		KUNIT_EXPECT_EQ(test, *gh_test_word(env, env->root[i], 7),
				i + 1);
	KUNIT_EXPECT_EQ(test, s->alloc_count, nelems);
	KUNIT_EXPECT_NE(test, gh_test_off(gh_test_new(test, 0, 64)) &
			GH_PAGE_MASK, base);
}

static int cached_spans(struct gh_test_env *env, int cpu)
{
	struct gh_mcache *mc = per_cpu_ptr(env->heap->mcaches, cpu);
	u32 i;
	int n = 0;

	for (i = 0; i < env->heap->nr_spanclasses; i++)
		if (mc->spans[i / GH_MCACHE_BLOCK])
			n += !!mc->spans[i / GH_MCACHE_BLOCK]
					[i % GH_MCACHE_BLOCK];
	return n;
}

/* Any CPU can empty the mcache of another one. */
static void gh_malloc_flush(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	int cpu, had = 0;
	struct gh_span *s;
	u64 a, b;

	a = gh_test_new(test, 0, 64);
	s = gh_test_span(env, a);
	KUNIT_EXPECT_EQ(test, s->sweepgen, env->heap->sweepgen + 3);
	down_read(&env->heap->world);
	for_each_possible_cpu(cpu) {
		had += cached_spans(env, cpu);
		gh_mcache_flush(env->heap, cpu);
		KUNIT_EXPECT_EQ(test, cached_spans(env, cpu), 0);
	}
	up_read(&env->heap->world);
	KUNIT_EXPECT_EQ(test, had, 1);
	KUNIT_EXPECT_EQ(test, s->sweepgen, env->heap->sweepgen);
	/* With the caches empty all pages are either used or free. */
	KUNIT_EXPECT_EQ(test, env->heap->pages.free_pages + 2,
			env->heap->pages.end_page);
	gh_test_check(test);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, a));

	b = gh_test_new(test, 0, 64);
	KUNIT_EXPECT_PTR_EQ(test, gh_test_span(env, b), s);
	KUNIT_EXPECT_NE(test, a, b);
	KUNIT_EXPECT_EQ(test, s->alloc_count, 2);
}

/* What a batch holds is alive until it ends. */
static void gh_malloc_batch_roots(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_batch b;

	gh_batch_begin(env->heap, &b, env->fresh);
	KUNIT_EXPECT_EQ(test, gh_malloc(env->heap, 0, 320, 20, &b), 0);
	gh_test_collect(env);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, env->fresh[0]));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, env->fresh[19]));
	gh_batch_end(env->heap, &b);
	gh_test_collect(env);
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, env->fresh[0]));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, env->fresh[19]));
}

static struct kunit_case gh_malloc_cases[] = {
	KUNIT_CASE(gh_malloc_arguments),
	KUNIT_CASE(gh_malloc_classes),
	KUNIT_CASE(gh_malloc_reuse),
	KUNIT_CASE(gh_malloc_batch),
	KUNIT_CASE(gh_malloc_tiny),
	KUNIT_CASE(gh_malloc_tiny_align),
	KUNIT_CASE(gh_malloc_tiny_cycle),
	KUNIT_CASE(gh_malloc_counts),
	KUNIT_CASE(gh_malloc_half_used),
	KUNIT_CASE(gh_malloc_flush),
	KUNIT_CASE(gh_malloc_batch_roots),
	{}
};

static struct kunit_suite gh_malloc_suite = {
	.name = "gh_malloc",
	.init = gh_test_env_init,
	.exit = gh_test_env_exit,
	.test_cases = gh_malloc_cases,
};

gh_test_suite(gh_malloc_suite);
