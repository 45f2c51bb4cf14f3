// SPDX-License-Identifier: GPL-2.0
/*
 * Managed stacks: what lies below the top is kept, what lies above it is not,
 * whatever a program writes to the top.
 */
#include "gh_test_heap.h"

/* All slots of a stack, and an object for each. */
struct stack {
	u64 ref;
	u64 slots;
	u64 *leaf;
};

static void set_word(struct gh_test_env *env, u64 ref, u64 i, u64 value)
{
	*gh_test_word(env, ref, i) = value;
}

/* A stack of @bytes that is a root, every slot of which refers to a leaf. */
static void make_stack(struct kunit *test, struct stack *s, u64 bytes)
{
	struct gh_test_env *env = test->priv;
	u64 i, n;

	s->slots = bytes / 8 - 1;
	s->leaf = kunit_kzalloc(test, bytes, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s->leaf);
	s->ref = gh_test_new(test, GH_LAYOUT_STACK, bytes);
	env->root[0] = s->ref;
	for (i = 0; i < s->slots; i += n) {
		n = min_t(u64, s->slots - i, GH_MAX_BATCH);
		gh_test_many(test, 0, 48, n);
		memcpy(s->leaf + i, env->fresh, n * sizeof(u64));
	}
}

/* What is kept when @top is written over a full stack? */
static void try_top(struct kunit *test, u64 bytes, u64 top, u64 kept)
{
	struct gh_test_env *env = test->priv;
	struct stack s;
	u64 i;

	make_stack(test, &s, bytes);
	for (i = 0; i < s.slots; i++)
		set_word(env, s.ref, i + 1, s.leaf[i]);
	set_word(env, s.ref, 0, top);
	gh_test_collect(env);
	for (i = 0; i < s.slots; i++)
		KUNIT_ASSERT_EQ_MSG(test, gh_test_alive(env, s.leaf[i]),
				    i < kept, "slot %llu of %llu, top %llx", i,
				    s.slots, top);
	KUNIT_EXPECT_EQ(test, env->heap->heap_marked, bytes + kept * 48);
	KUNIT_EXPECT_EQ(test, env->heap->invalid_refs, 0);
	env->root[0] = 0;
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, env->heap->heap_marked, 0);
}

/* Tops around every place where a page of the kernel's may end, and no top. */
static void try_tops(struct kunit *test, u64 bytes)
{
	const u64 slots = bytes / 8 - 1;
	const u64 page = GH_PAGE_SIZE / 8;
	u64 tops[] = {
		0, 1, 2, 63, 64, 65, page - 2, page - 1, page, page + 1,
		2 * page - 1, 2 * page, slots / 2, slots - 1, slots,
	};
	u64 wrong[] = {
		slots + 1, slots + 2, 2 * slots, 1ULL << 29, 1ULL << 32,
		1ULL << 60, 1ULL << 61, (1ULL << 61) - 1, 1ULL << 63, ~0ULL,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(tops); i++)
		if (tops[i] <= slots)
			try_top(test, bytes, tops[i], tops[i]);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		try_top(test, bytes, wrong[i], slots);
}

/* Spans of one page, of several with slots across them, of one object. */
static void gh_stack_one_page(struct kunit *test)
{
	try_tops(test, 1024);
	try_tops(test, 2048);
	try_tops(test, 8192);
}

static void gh_stack_pages(struct kunit *test)
{
	try_tops(test, 6784);
	try_tops(test, 16384);
	try_tops(test, 28672);
	try_tops(test, 32768);
}

static void gh_stack_large(struct kunit *test)
{
	try_tops(test, 5 * GH_PAGE_SIZE);
	try_top(test, 1UL << 20, 100000, 100000);
	try_top(test, 1UL << 20, ~0ULL, (1UL << 17) - 1);
}

/* What lies behind a stack is not looked at, whatever its top says. */
static void gh_stack_neighbours(struct kunit *test)
{
	static const u64 sizes[] = { 1024, 16384, 40960 };
	struct gh_test_env *env = test->priv;
	u64 decoy, a, b, i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		decoy = gh_test_new(test, 0, 64);
		a = gh_test_new(test, GH_LAYOUT_STACK, sizes[i]);
		b = gh_test_new(test, GH_LAYOUT_STACK, sizes[i]);
		KUNIT_EXPECT_EQ(test, b, a + sizes[i]);
		gh_test_fill(env, b, sizes[i], decoy);
		set_word(env, a, 0, ~0ULL);
		env->root[0] = a;
		gh_test_collect(env);
		KUNIT_EXPECT_FALSE(test, gh_test_alive(env, decoy));
		KUNIT_EXPECT_EQ(test, env->heap->heap_marked, sizes[i]);
		env->root[0] = 0;
		gh_test_collect(env);
	}
}

/* The top is not a slot, though it may look like a reference. */
static void gh_stack_top_is_no_slot(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 leaf = gh_test_new(test, 0, 48);
	u64 small = gh_test_new(test, GH_LAYOUT_STACK, 1024);
	u64 large = gh_test_new(test, GH_LAYOUT_STACK, 65536);

	set_word(env, small, 0, leaf);
	set_word(env, large, 0, leaf);
	env->root[0] = small;
	env->root[1] = large;
	gh_test_collect(env);
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, leaf));
	KUNIT_EXPECT_EQ(test, env->heap->heap_marked, 1024 + 65536);
}

/* Numbers of a program's are no errors; what has the tag and is wrong, is. */
static void gh_stack_values(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 s = gh_test_new(test, GH_LAYOUT_STACK, 1024);
	u64 tag = s - gh_test_off(s);
	u64 leaf = gh_test_new(test, 0, 48);
	u64 i = 1;

	set_word(env, s, i++, 1);
	set_word(env, s, i++, ~0ULL);
	set_word(env, s, i++, gh_test_off(leaf));
	set_word(env, s, i++, leaf ^ (1ULL << 63));
	set_word(env, s, i++, 0);
	set_word(env, s, i++, s);
	set_word(env, s, i++, s + 1016);
	set_word(env, s, i++, leaf + 47);
	set_word(env, s, 0, i - 1);
	env->root[0] = s;
	gh_test_collect(env);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, leaf));
	KUNIT_EXPECT_EQ(test, env->heap->invalid_refs, 0);

	set_word(env, s, i++, tag);
	set_word(env, s, i++, tag + GH_TEST_ASPACE - 8);
	set_word(env, s, i++, leaf + 48);
	set_word(env, s, 0, i - 1);
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, env->heap->invalid_refs, 3);
	KUNIT_EXPECT_EQ(test, env->heap->heap_marked, 1024 + 48);
}

/* A chain of stacks, each in the last slot of the one before. */
static void gh_stack_chain(struct kunit *test)
{
	static const u64 sizes[] = { 1024, 8192, 28672, 65536 };
	struct gh_test_env *env = test->priv;
	u64 first = 0, prev = 0, bytes = 0, i;

	for (i = 0; i < 200; i++) {
		u64 size = sizes[i % ARRAY_SIZE(sizes)];
		u64 s = gh_test_new(test, GH_LAYOUT_STACK, size);

		set_word(env, s, 0, size / 8 - 1);
		set_word(env, s, size / 8 - 1, prev);
		if (!i)
			first = s;
		prev = s;
		bytes += size;
	}
	env->root[0] = prev + 8;
	gh_test_collect(env);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, first));
	KUNIT_EXPECT_EQ(test, env->heap->heap_marked, bytes);
	KUNIT_EXPECT_EQ(test, env->heap->invalid_refs, 0);
}

static void gh_stack_too_small(struct kunit *test)
{
	struct gh_test_env *env = test->priv;

	KUNIT_EXPECT_EQ(test, gh_test_try(env, GH_LAYOUT_STACK, 0, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, gh_test_try(env, GH_LAYOUT_STACK, 8, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, gh_test_try(env, GH_LAYOUT_STACK,
					  GH_STACK_MIN - 1, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, gh_test_try(env, GH_LAYOUT_STACK,
					  GH_STACK_MIN, 2), 2);
	KUNIT_EXPECT_EQ(test, gh_test_try(env, 0, 8, 1), 1);
}

static struct kunit_case gh_stack_cases[] = {
	KUNIT_CASE(gh_stack_one_page),
	KUNIT_CASE(gh_stack_pages),
	KUNIT_CASE(gh_stack_large),
	KUNIT_CASE(gh_stack_neighbours),
	KUNIT_CASE(gh_stack_top_is_no_slot),
	KUNIT_CASE(gh_stack_values),
	KUNIT_CASE(gh_stack_chain),
	KUNIT_CASE(gh_stack_too_small),
	{}
};

static struct kunit_suite gh_stack_suite = {
	.name = "gh_stack",
	.init = gh_test_env_init,
	.exit = gh_test_env_exit,
	.test_cases = gh_stack_cases,
};

gh_test_suite(gh_stack_suite);
