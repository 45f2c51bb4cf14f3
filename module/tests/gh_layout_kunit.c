// SPDX-License-Identifier: GPL-2.0
/*
 * Layouts and span classes: what is accepted, what is the same, what is shared.
 */
#include "gh_test_heap.h"

static int reg(struct kunit *test, u64 elem_size, u32 nr_bits, u64 mask)
{
	struct gh_test_env *env = test->priv;

	return gh_layout_register(env->heap, elem_size, nr_bits, &mask);
}

static struct gh_spanclass *sc_of(struct kunit *test, int id, u64 bytes)
{
	struct gh_test_env *env = test->priv;
	struct gh_layout *l;
	struct gh_spanclass *sc;

	KUNIT_ASSERT_GE(test, id, 0);
	l = gh_layout_get(env->heap, id);
	KUNIT_ASSERT_NOT_NULL(test, l);
	sc = gh_spanclass_get(env->heap, l, gh_sizeclass_of(bytes));
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(sc));
	return sc;
}

static void gh_layout_noscan(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_layout *l = gh_layout_get(env->heap, 0);

	KUNIT_ASSERT_NOT_NULL(test, l);
	KUNIT_EXPECT_EQ(test, l->nr_bits, 0);
	KUNIT_EXPECT_EQ(test, reg(test, 64, 8, 0), 0);
	KUNIT_EXPECT_EQ(test, sc_of(test, 0, 64)->ptr_words, 0);
}

static void gh_layout_bounds(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 *mask = kunit_kzalloc(test, GH_MAX_LAYOUT_BITS / 8 + 8, GFP_KERNEL);
	int id;

	KUNIT_ASSERT_NOT_NULL(test, mask);
	KUNIT_EXPECT_EQ(test, reg(test, 0, 0, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, reg(test, 12, 1, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, reg(test, GH_MAX_ELEM_SIZE + 8, 1, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, reg(test, 16, 3, 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, reg(test, 64, 3, 0x8), -EINVAL);
	KUNIT_EXPECT_EQ(test, reg(test, 64, 3, 0x7) < 0, false);

	memset(mask, 0xff, GH_MAX_LAYOUT_BITS / 8 + 8);
	KUNIT_EXPECT_EQ(test, gh_layout_register(env->heap, GH_MAX_ELEM_SIZE,
						 GH_MAX_LAYOUT_BITS + 1, mask),
			-EINVAL);
	id = gh_layout_register(env->heap, GH_MAX_ELEM_SIZE, GH_MAX_LAYOUT_BITS,
				mask);
	KUNIT_EXPECT_GT(test, id, 0);
}

static void gh_layout_get_unknown(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	int id = reg(test, 16, 2, 3);

	KUNIT_EXPECT_NOT_NULL(test, gh_layout_get(env->heap, id));
	KUNIT_EXPECT_NULL(test, gh_layout_get(env->heap, id + 1));
	KUNIT_EXPECT_NULL(test, gh_layout_get(env->heap, U32_MAX));
}

static void gh_layout_same(struct kunit *test)
{
	int id = reg(test, 64, 8, 0x5);

	KUNIT_EXPECT_EQ(test, reg(test, 64, 8, 0x5), id);
	KUNIT_EXPECT_EQ(test, reg(test, 64, 3, 0x5), id);
	KUNIT_EXPECT_NE(test, reg(test, 64, 8, 0x7), id);
	KUNIT_EXPECT_NE(test, reg(test, 32, 3, 0x5), id);
}

static void gh_layout_full(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 i;

	for (i = env->heap->nr_layouts; i < GH_MAX_LAYOUTS; i++)
		if (reg(test, 8 * i + 8, 1, 1) != i)
			break;
	KUNIT_EXPECT_EQ(test, i, GH_MAX_LAYOUTS);
	KUNIT_EXPECT_EQ(test, reg(test, 8 * i + 8, 1, 1), -ENOSPC);
	/* Known ones are still found. */
	KUNIT_EXPECT_EQ(test, reg(test, 8 * i, 1, 1), (int)i - 1);
}

static void gh_layout_tiling(struct kunit *test)
{
	struct gh_spanclass *sc;

	/* One reference in three words, in slots of 6, 8 and 128 words. */
	sc = sc_of(test, reg(test, 24, 1, 1), 48);
	KUNIT_EXPECT_EQ(test, sc->mask0, 0x9);
	KUNIT_EXPECT_EQ(test, sc->ptr_words, 4);
	sc = sc_of(test, reg(test, 24, 1, 1), 64);
	KUNIT_EXPECT_EQ(test, sc->mask0, 0x49);
	KUNIT_EXPECT_EQ(test, sc->ptr_words, 7);
	sc = sc_of(test, reg(test, 24, 1, 1), 1024);
	KUNIT_EXPECT_EQ(test, sc->mask[0], 0x9249249249249249);
	KUNIT_EXPECT_EQ(test, sc->mask[1], 0x4924924924924924);
	KUNIT_EXPECT_EQ(test, sc->ptr_words, 127);
}

/* The mask ends where the slot ends, or where the element has no more. */
static void gh_layout_cut(struct kunit *test)
{
	struct gh_spanclass *sc;

	sc = sc_of(test, reg(test, 64, 8, 0x81), 32);
	KUNIT_EXPECT_EQ(test, sc->mask0, 0x1);
	KUNIT_EXPECT_EQ(test, sc->ptr_words, 1);
	sc = sc_of(test, reg(test, 80, 2, 0x2), 80);
	KUNIT_EXPECT_EQ(test, sc->mask0, 0x2);
}

static void gh_layout_sharing(struct kunit *test)
{
	int pair = reg(test, 16, 2, 0x3);
	int six = reg(test, 48, 6, 0x3f);
	int last = reg(test, 64, 8, 0x80);

	KUNIT_EXPECT_NE(test, pair, six);
	KUNIT_EXPECT_PTR_EQ(test, sc_of(test, pair, 48), sc_of(test, six, 48));
	KUNIT_EXPECT_PTR_NE(test, sc_of(test, pair, 48), sc_of(test, pair, 64));
	KUNIT_EXPECT_PTR_NE(test, sc_of(test, pair, 64), sc_of(test, last, 64));
	/* Nothing of it lies in a slot of 32 bytes. */
	KUNIT_EXPECT_PTR_EQ(test, sc_of(test, last, 32), sc_of(test, 0, 32));
	/* Large objects keep their layouts apart. */
	KUNIT_EXPECT_PTR_NE(test, sc_of(test, pair, 100000),
			    sc_of(test, six, 100000));
}

/* The layout of managed stacks is nobody else's, and neither are its spans. */
static void gh_layout_stack(struct kunit *test)
{
	static const u64 sizes[] = { 1024, 8192, 32768, 65536 };
	struct gh_test_env *env = test->priv;
	struct gh_layout *l = gh_layout_get(env->heap, GH_LAYOUT_STACK);
	int refs = reg(test, l->elem_size, l->nr_bits, l->mask[0]);
	int pair = reg(test, 16, 2, 0x3);
	struct gh_spanclass *sc;
	u32 i;

	KUNIT_EXPECT_EQ(test, env->heap->nr_layouts, 4);
	KUNIT_EXPECT_EQ(test, refs, GH_LAYOUT_STACK + 1);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		/* Either may be made first. */
		if (i % 2)
			sc_of(test, refs, sizes[i]);
		sc = sc_of(test, GH_LAYOUT_STACK, sizes[i]);
		KUNIT_EXPECT_TRUE(test, sc->stack);
		KUNIT_EXPECT_FALSE(test, sc_of(test, refs, sizes[i])->stack);
		KUNIT_EXPECT_FALSE(test, sc_of(test, pair, sizes[i])->stack);
		KUNIT_EXPECT_EQ(test, sc->layout->id, GH_LAYOUT_STACK);
	}
}

static struct kunit_case gh_layout_cases[] = {
	KUNIT_CASE(gh_layout_noscan),
	KUNIT_CASE(gh_layout_bounds),
	KUNIT_CASE(gh_layout_get_unknown),
	KUNIT_CASE(gh_layout_same),
	KUNIT_CASE(gh_layout_full),
	KUNIT_CASE(gh_layout_tiling),
	KUNIT_CASE(gh_layout_cut),
	KUNIT_CASE(gh_layout_sharing),
	KUNIT_CASE(gh_layout_stack),
	{}
};

static struct kunit_suite gh_layout_suite = {
	.name = "gh_layout",
	.init = gh_test_env_init,
	.exit = gh_test_env_exit,
	.test_cases = gh_layout_cases,
};

gh_test_suite(gh_layout_suite);
