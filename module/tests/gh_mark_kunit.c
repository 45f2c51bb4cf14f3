// SPDX-License-Identifier: GPL-2.0
/*
 * Marking: what is reachable stays, what is not goes, what is not a reference
 * is counted; whatever the shape of the graph or of the objects.
 */
#include "gh_test_heap.h"

/* Set word @i of @from to @to. */
static void set_ref(struct gh_test_env *env, u64 from, u64 i, u64 to)
{
	*gh_test_word(env, from, i) = to;
}

static void gh_mark_chain(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 l = gh_test_layout(test, 2, 0x1);
	const u32 nr = 100000;
	u64 ref, prev = 0;
	u32 i = 0, j;

	while (i < nr) {
		u32 n = min_t(u32, nr - i, 1000);

		gh_test_many(test, l, 16, n);
		for (j = 0; j < n; j++, i++) {
			set_ref(env, env->fresh[j], 0, prev);
			set_ref(env, env->fresh[j], 1, i);
			prev = env->fresh[j];
		}
	}
	env->root[0] = prev;
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, env->heap->heap_marked, nr * 16);
	for (ref = prev, i = nr; ref; ref = *gh_test_word(env, ref, 0)) {
		KUNIT_ASSERT_TRUE(test, gh_test_alive(env, ref));
		KUNIT_ASSERT_EQ(test, *gh_test_word(env, ref, 1), --i);
	}
	KUNIT_EXPECT_EQ(test, i, 0);

	env->root[0] = 0;
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, env->heap->heap_marked, 0);
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, inuse_pages), 0);
}

static void gh_mark_cycles(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 l = gh_test_layout(test, 2, 0x3);
	u64 a = gh_test_new(test, l, 16);
	u64 b = gh_test_new(test, l, 4096);
	u64 c = gh_test_new(test, l, 32);

	set_ref(env, a, 0, b);
	set_ref(env, b, 500, a);
	set_ref(env, c, 1, c);
	env->root[0] = a;
	gh_test_collect(env);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, a));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, b));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, c));
	env->root[0] = 0;
	gh_test_collect(env);
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, a));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, b));
}

/*
 * One object of @bytes, all references, each to an object of its own; each
 * other one is then cleared.
 */
static void try_array(struct kunit *test, u64 bytes)
{
	struct gh_test_env *env = test->priv;
	u32 l = gh_test_layout(test, 1, 1);
	u64 nr = bytes / 8;
	u64 *leaf = kunit_kzalloc(test, bytes, GFP_KERNEL);
	u64 array, i;

	KUNIT_ASSERT_NOT_NULL(test, leaf);
	array = gh_test_new(test, l, bytes);
	for (i = 0; i < nr; i++) {
		leaf[i] = gh_test_new(test, 0, 16);
		set_ref(env, array, i, leaf[i]);
	}
	env->root[0] = array;
	gh_test_collect(env);
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_TRUE(test, gh_test_alive(env, leaf[i]));
	for (i = 0; i < nr; i += 2)
		set_ref(env, array, i, 0);
	gh_test_collect(env);
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(test, gh_test_alive(env, leaf[i]), i & 1);
	KUNIT_EXPECT_EQ(test, env->heap->invalid_refs, 0);
	env->root[0] = 0;
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, env->heap->heap_marked, 0);
}

static void gh_mark_arrays(struct kunit *test)
{
	/* Up to 64 words; more; spans of several pages; large objects. */
	try_array(test, 64);
	try_array(test, 512);
	try_array(test, 576);
	try_array(test, 6784);
	try_array(test, 28672);
	try_array(test, 32768);
	try_array(test, 32768 + 8192);
}

static void gh_mark_wide(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 l = gh_test_layout(test, 1, 1);
	const u64 nr = 100000;
	u64 array = gh_test_new(test, l, nr * 8);
	u64 i, j;

	for (i = 0; i < nr; i += 1000) {
		gh_test_many(test, 0, 16, 1000);
		for (j = 0; j < 1000; j++)
			set_ref(env, array, i + j, env->fresh[j]);
	}
	env->root[0] = array + 12345;
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, env->heap->heap_marked,
			nr * 16 + round_up(nr * 8, GH_PAGE_SIZE));
	for (i = 0; i < nr; i++) {
		u64 ref = *gh_test_word(env, array, i);

		KUNIT_ASSERT_TRUE(test, gh_test_alive(env, ref));
	}
}

/* Words outside of the mask keep nothing, those inside do. */
static void try_mask(struct kunit *test, u32 words, u64 mask, u64 bytes)
{
	struct gh_test_env *env = test->priv;
	u32 l = gh_test_layout(test, words, mask);
	u64 nr = bytes / 8;
	u64 *leaf = kunit_kzalloc(test, bytes, GFP_KERNEL);
	u64 obj, i;

	KUNIT_ASSERT_NOT_NULL(test, leaf);
	obj = gh_test_new(test, l, bytes);
	for (i = 0; i < nr; i++) {
		leaf[i] = gh_test_new(test, 0, 24);
		set_ref(env, obj, i, leaf[i]);
	}
	env->root[0] = obj;
	gh_test_collect(env);
	for (i = 0; i < nr; i++)
		KUNIT_EXPECT_EQ_MSG(test, gh_test_alive(env, leaf[i]),
				    (bool)(mask >> (i % words) & 1),
				    "word %llu of %llu bytes", i, bytes);
	KUNIT_EXPECT_EQ(test, env->heap->invalid_refs, 0);
	env->root[0] = 0;
}

static void gh_mark_masks(struct kunit *test)
{
	try_mask(test, 1, 1, 8);
	try_mask(test, 3, 0x4, 24);
	try_mask(test, 3, 0x1, 480);
	try_mask(test, 3, 0x6, 512);
	try_mask(test, 5, 0x12, 1024);
	try_mask(test, 7, 0x41, 6784);
	try_mask(test, 11, 0x402, 20480);
	try_mask(test, 3, 0x4, 40960);
	try_mask(test, 64, 0x8000000000000001, 65536);
	try_mask(test, 60, 0x0800000000000001, 49152);
}

/*
 * A large object of elements of @words words, the first and the 64th of which
 * are references. Every other word, and the object behind, refers to a decoy.
 */
static void try_elements(struct kunit *test, u32 words, u32 pages)
{
	struct gh_test_env *env = test->priv;
	const u64 mask = 0x8000000000000001, nr = pages * GH_PAGE_SIZE / 8;
	u64 decoy = gh_test_new(test, 0, 64);
	u64 obj, next, ref, i;
	u32 leaves = 0;
	int l;

	l = gh_layout_register(env->heap, words * 8, 64, &mask);
	KUNIT_ASSERT_GT(test, l, 0);
	obj = gh_test_new(test, l, nr * 8);
	next = gh_test_new(test, 0, pages * GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, next, obj + nr * 8);
	gh_test_fill(env, next, GH_PAGE_SIZE, decoy);
	gh_test_fill(env, obj, nr * 8, decoy);
	for (i = 0; i < nr; i++) {
		if (i % words && i % words != 63)
			continue;
		set_ref(env, obj, i, gh_test_new(test, 0, 48));
		leaves++;
	}
	env->root[0] = obj;
	gh_test_collect(env);
	KUNIT_EXPECT_FALSE_MSG(test, gh_test_alive(env, decoy),
			       "%u words", words);
	KUNIT_EXPECT_EQ_MSG(test, env->heap->heap_marked,
			    nr * 8 + leaves * 48, "%u words", words);
	for (i = 0; i < nr; i += words) {
		ref = *gh_test_word(env, obj, i);
		KUNIT_EXPECT_TRUE(test, gh_test_alive(env, ref));
	}
	env->root[0] = 0;
	gh_test_collect(env);
}

static void gh_mark_large_elements(struct kunit *test)
{
	static const u32 words[] = {
		64, 65, 100, 1000, 1024, 1025, 5120,
		961,	/* 63 words before the end of a page */
		389,	/* 63 words of the last element are in the object */
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		try_elements(test, words[i], 5);
}

/*
 * Objects that are scanned in pieces of 128 KiB, or of an element that is larger,
 * which are whole elements. Four of them, and a half.
 */
static void gh_mark_oblets(struct kunit *test)
{
	static const u32 words[] = {
		64, 65, 127, 1000, 3000, 16383, 16384, 16385, 20000,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		try_elements(test, words[i], 4 * 16 + 8);
}

static void gh_mark_interior(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 l = gh_test_layout(test, 2, 0x3);
	u64 box = gh_test_new(test, l, 16);
	u64 a, b, c;

	gh_test_many(test, 0, 96, 3);
	a = env->fresh[0];
	b = env->fresh[1];
	c = env->fresh[2];
	KUNIT_ASSERT_EQ(test, b, a + 96);
	set_ref(env, box, 0, a + 95);
	set_ref(env, box, 1, b + 96);	/* that is c */
	env->root[0] = box + 8;
	gh_test_collect(env);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, box));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, a));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, b));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, c));
}

/* Whatever a program writes: counted, one by one, and harmless. */
static void gh_mark_bad_refs(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 l = gh_test_layout(test, 1, 1);
	u64 box = gh_test_new(test, l, 128);
	u64 tag = box - gh_test_off(box);
	u64 dead, leaf = gh_test_new(test, 0, 48);
	struct gh_span *s = gh_test_span(env, leaf);
	u64 before, i = 0;

	dead = gh_test_new(test, 0, 4096);
	env->root[0] = box;
	env->root[1] = leaf;
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, env->heap->invalid_refs, 0);

	set_ref(env, box, i++, ~0ULL);
	set_ref(env, box, i++, 1);
	set_ref(env, box, i++, gh_test_off(leaf));
	set_ref(env, box, i++, leaf ^ (1ULL << 63));
	set_ref(env, box, i++, tag);
	set_ref(env, box, i++, tag + GH_TEST_ASPACE - 8);
	set_ref(env, box, i++, tag + GH_TEST_ASPACE);
	set_ref(env, box, i++, tag | ((1ULL << 48) - 1));
	set_ref(env, box, i++, dead);
	set_ref(env, box, i++, leaf + 48);		/* free slot */
	set_ref(env, box, i++, box + 128);		/* in this span */
	set_ref(env, box, i++, tag + gh_span_limit(s));	/* waste */
	set_ref(env, box, i++, tag + (env->heap->pages.end_page <<
				      GH_PAGE_SHIFT));
	set_ref(env, box, i++, leaf);
	before = i - 1;
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, env->heap->invalid_refs, before);
	gh_test_check(test);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, leaf));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, leaf + 48));
	KUNIT_EXPECT_EQ(test, env->heap->heap_marked, 128 + 48);

	/* Roots count too. */
	env->root[2] = ~0ULL;
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, env->heap->invalid_refs, 2 * before + 1);
}

/* A tree with everything in spans of every size. */
static void gh_mark_tree(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 l = gh_test_layout(test, 2, 0x3);
	const u32 nr = 4095;
	u64 *node = kunit_kzalloc(test, nr * sizeof(u64), GFP_KERNEL);
	u64 bytes = 0;
	u32 i, j;

	KUNIT_ASSERT_NOT_NULL(test, node);
	for (i = 0; i < nr; i++) {
		u64 size = gh_sizeclasses[2 + i % 40].size;

		node[i] = gh_test_new(test, l, size);
		bytes += size;
		if (i)
			set_ref(env, node[(i - 1) / 2], 1 - i % 2, node[i]);
	}
	env->root[0] = node[0];
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, env->heap->heap_marked, bytes);
	/* Cut off the subtree of node 2. */
	set_ref(env, node[0], 1, 0);
	set_ref(env, node[0], 0, node[1]);
	gh_test_collect(env);
	for (i = 1; i < nr; i++) {
		for (j = i; j > 2; j = (j - 1) / 2)
			;
		KUNIT_ASSERT_EQ(test, gh_test_alive(env, node[i]), j == 1);
	}
}

/* A random graph, against a search of the test's own. */
static void gh_mark_graph(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 l = gh_test_layout(test, 4, 0x7);
	const u32 nr = 3000;
	u64 *node = kunit_kzalloc(test, nr * sizeof(u64), GFP_KERNEL);
	u32 *to = kunit_kzalloc(test, nr * 3 * sizeof(u32), GFP_KERNEL);
	u32 *todo = kunit_kzalloc(test, nr * sizeof(u32), GFP_KERNEL);
	u8 *seen = kunit_kzalloc(test, nr, GFP_KERNEL);
	u32 x = 12345, head = 0, tail = 0, i, j;

	KUNIT_ASSERT_TRUE(test, node && to && todo && seen);
	for (i = 0; i < nr; i++)
		node[i] = gh_test_new(test, l, 32 << i % 3);
	for (i = 0; i < nr; i++) {
		/* Few enough that much is not reachable. */
		for (j = 0; j < 3; j++) {
			x = x * 1664525 + 1013904223;
			if (x >> 16 & 1)
				continue;
			to[i * 3 + j] = (x >> 17) % nr + 1;
			set_ref(env, node[i], j, node[to[i * 3 + j] - 1]);
		}
	}
	env->root[0] = node[0];
	env->root[1] = node[1];
	todo[tail++] = 0;
	todo[tail++] = 1;
	seen[0] = 1;
	seen[1] = 1;
	for (; head < tail; head++) {
		for (j = 0; j < 3; j++) {
			i = to[todo[head] * 3 + j];
			if (!i || seen[i - 1])
				continue;
			seen[i - 1] = 1;
			todo[tail++] = i - 1;
		}
	}
	KUNIT_EXPECT_LT(test, tail, nr);
	gh_test_collect(env);
	for (i = 0; i < nr; i++)
		KUNIT_EXPECT_EQ(test, gh_test_alive(env, node[i]), seen[i]);
}

/* What is allocated while marking runs survives the cycle. */
static void gh_mark_black_survives(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_heap *heap = env->heap;
	u64 a = gh_test_new(test, gh_test_layout(test, 1, 1), 1024);
	u64 b = gh_test_new(test, gh_test_layout(test, 1, 1), 1024);
	struct gh_span *s = gh_test_span(env, a);
	struct gh_cycle c = {};
	u32 idx = gh_span_index(s, gh_test_off(a));

	gh_test_mark_begin(env);
	gh_mark_black(heap, s, idx / 64, 1ULL << idx % 64);
	gh_test_mark_end(env, &c);
	KUNIT_EXPECT_EQ(test, c.heap_marked, 1024);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, a));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, b));
	gh_test_collect(env);
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, a));
}

static struct kunit_case gh_mark_cases[] = {
	KUNIT_CASE(gh_mark_chain),
	KUNIT_CASE(gh_mark_cycles),
	KUNIT_CASE(gh_mark_arrays),
	KUNIT_CASE(gh_mark_wide),
	KUNIT_CASE(gh_mark_masks),
	KUNIT_CASE(gh_mark_large_elements),
	KUNIT_CASE(gh_mark_oblets),
	KUNIT_CASE(gh_mark_interior),
	KUNIT_CASE(gh_mark_bad_refs),
	KUNIT_CASE(gh_mark_tree),
	KUNIT_CASE(gh_mark_graph),
	KUNIT_CASE(gh_mark_black_survives),
	{}
};

static struct kunit_suite gh_mark_suite = {
	.name = "gh_mark",
	.init = gh_test_env_init,
	.exit = gh_test_env_exit,
	.test_cases = gh_mark_cases,
};

gh_test_suite(gh_mark_suite);
