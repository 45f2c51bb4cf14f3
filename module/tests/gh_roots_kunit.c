// SPDX-License-Identifier: GPL-2.0
/*
 * Pinned handles: numbers, room, and what the marker is offered.
 */
#include "gh_internal.h"
#include "gh_roots.h"
#include "gh_test.h"

#define MODEL	3000

static u64 random_state;

static u64 rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void gh_roots_none(struct kunit *test)
{
	struct gh_roots *r = test->priv;
	u64 refs[4];
	u32 pos = 0;

	KUNIT_EXPECT_FALSE(test, gh_roots_has(r, 0));
	KUNIT_EXPECT_FALSE(test, gh_roots_has(r, U32_MAX));
	KUNIT_EXPECT_EQ(test, gh_roots_next(r, &pos, refs, 4), 0);
	KUNIT_EXPECT_EQ(test, gh_roots_reserve(r, 0), 0);
	KUNIT_EXPECT_EQ(test, r->nr_slots, 0);
}

static void gh_roots_numbers(struct kunit *test)
{
	struct gh_roots *r = test->priv;
	u32 id;

	KUNIT_ASSERT_EQ(test, gh_roots_reserve(r, 3), 0);
	KUNIT_EXPECT_EQ(test, gh_roots_add(r, 10), 0);
	KUNIT_EXPECT_EQ(test, gh_roots_add(r, 0), 1);
	KUNIT_EXPECT_EQ(test, gh_roots_add(r, 12), 2);
	KUNIT_EXPECT_EQ(test, r->nr_used, 3);
	KUNIT_EXPECT_TRUE(test, gh_roots_has(r, 1));
	KUNIT_EXPECT_FALSE(test, gh_roots_has(r, 3));
	gh_roots_remove(r, 1);
	KUNIT_EXPECT_FALSE(test, gh_roots_has(r, 1));
	KUNIT_EXPECT_TRUE(test, gh_roots_has(r, 0));
	KUNIT_EXPECT_TRUE(test, gh_roots_has(r, 2));
	KUNIT_EXPECT_EQ(test, r->nr_used, 2);
	KUNIT_ASSERT_EQ(test, gh_roots_reserve(r, 1), 0);
	KUNIT_EXPECT_EQ(test, gh_roots_add(r, 11), 1);

	/* The whole of the first block, then on to the next. */
	KUNIT_ASSERT_EQ(test, gh_roots_reserve(r, GH_ROOTS_PER_BLOCK), 0);
	KUNIT_EXPECT_EQ(test, r->nr_slots, 2 * GH_ROOTS_PER_BLOCK);
	for (id = 0; id < GH_ROOTS_PER_BLOCK; id++)
		KUNIT_ASSERT_LT(test, gh_roots_add(r, id), r->nr_slots);
	KUNIT_EXPECT_EQ(test, r->nr_used, GH_ROOTS_PER_BLOCK + 3);
	for (id = 0; id < GH_ROOTS_PER_BLOCK; id++)
		KUNIT_ASSERT_TRUE(test, gh_roots_has(r, id) ||
				  gh_roots_has(r, id + GH_ROOTS_PER_BLOCK));
	KUNIT_EXPECT_FALSE(test, gh_roots_has(r, 2 * GH_ROOTS_PER_BLOCK));
}

/* A nil root is a root, but nothing to mark; a removed one neither. */
static void gh_roots_offered(struct kunit *test)
{
	struct gh_roots *r = test->priv;
	u32 i, id, pos = 0, n = 0, nr = 0;
	u64 refs[7];
	u64 sum = 0;

	KUNIT_ASSERT_EQ(test, gh_roots_reserve(r, 1200), 0);
	for (i = 0; i < 1200; i++) {
		id = gh_roots_add(r, 1000 + i);
		if (i % 3 == 1)
			gh_roots_set(r, id, 0);
		if (i % 3 == 2)
			gh_roots_remove(r, id);
	}
	/* Removed numbers come back at once: 800 are left in 800 slots. */
	KUNIT_EXPECT_EQ(test, r->nr_used, 800);
	while ((n = gh_roots_next(r, &pos, refs, 7))) {
		KUNIT_ASSERT_LE(test, n, 7);
		for (i = 0; i < n; i++) {
			KUNIT_ASSERT_EQ(test, (refs[i] - 1000) % 3, 0);
			sum += refs[i] - 1000;
		}
		nr += n;
	}
	KUNIT_EXPECT_EQ(test, nr, 400);
	KUNIT_EXPECT_EQ(test, sum, 3 * 399 * 400 / 2);
	KUNIT_EXPECT_EQ(test, gh_roots_next(r, &pos, refs, 7), 0);
}

/* References that look like numbers of free slots, in a table that is full. */
static void gh_roots_full(struct kunit *test)
{
	struct gh_roots *r = test->priv;
	u32 i, id;

	KUNIT_EXPECT_EQ(test, gh_roots_reserve(r, GH_MAX_ROOTS + 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, gh_roots_reserve(r, U32_MAX), -ENOSPC);
	KUNIT_EXPECT_EQ(test, r->nr_slots, 0);
	KUNIT_ASSERT_EQ(test, gh_roots_reserve(r, 1), 0);
	KUNIT_EXPECT_EQ(test, gh_roots_add(r, 0), 0);
	KUNIT_EXPECT_EQ(test, gh_roots_reserve(r, GH_MAX_ROOTS), -ENOSPC);
	KUNIT_EXPECT_EQ(test, gh_roots_reserve(r, U32_MAX), -ENOSPC);
	KUNIT_ASSERT_EQ(test, gh_roots_reserve(r, GH_MAX_ROOTS - 1), 0);
	KUNIT_EXPECT_EQ(test, r->nr_slots, GH_MAX_ROOTS);
	for (i = 1; i < GH_MAX_ROOTS; i++) {
		id = r->free;
		if (gh_roots_has(r, id) || gh_roots_add(r, i) != id)
			break;
	}
	KUNIT_ASSERT_EQ(test, i, GH_MAX_ROOTS);
	KUNIT_EXPECT_EQ(test, r->nr_used, GH_MAX_ROOTS);
	KUNIT_EXPECT_EQ(test, r->free, GH_MAX_ROOTS);
	KUNIT_EXPECT_EQ(test, gh_roots_reserve(r, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, gh_roots_reserve(r, 0), 0);
	gh_roots_remove(r, 12345);
	KUNIT_EXPECT_EQ(test, gh_roots_reserve(r, 2), -ENOSPC);
	KUNIT_ASSERT_EQ(test, gh_roots_reserve(r, 1), 0);
	KUNIT_EXPECT_EQ(test, gh_roots_add(r, 1), 12345);
}

/* All that @want says is offered, in the order of the numbers. */
static bool offers(struct gh_roots *r, const u64 *want, const bool *used)
{
	u64 refs[16];
	u32 pos = 0, id = 0, i, n;

	while ((n = gh_roots_next(r, &pos, refs, 16))) {
		for (i = 0; i < n; i++, id++) {
			while (id < MODEL && !(used[id] && want[id]))
				id++;
			if (id == MODEL || refs[i] != want[id])
				return false;
		}
	}
	while (id < MODEL && !(used[id] && want[id]))
		id++;
	return id == MODEL;
}

static void gh_roots_random(struct kunit *test)
{
	struct gh_roots *r = test->priv;
	u64 *want = kunit_kzalloc(test, MODEL * sizeof(*want), GFP_KERNEL);
	bool *used = kunit_kzalloc(test, MODEL * sizeof(*used), GFP_KERNEL);
	u32 step, id, n, nr = 0;

	KUNIT_ASSERT_NOT_NULL(test, want);
	KUNIT_ASSERT_NOT_NULL(test, used);
	for (step = 0; step < 20000; step++) {
		id = rnd() % MODEL;
		KUNIT_ASSERT_EQ(test, gh_roots_has(r, id), used[id]);
		if (used[id] && rnd() % 2) {
			gh_roots_remove(r, id);
			used[id] = false;
			nr--;
		} else if (used[id]) {
			want[id] = rnd() % 8;
			gh_roots_set(r, id, want[id]);
		} else if (nr < MODEL * 3 / 5) {
			n = rnd() % 3 + 1;
			KUNIT_ASSERT_EQ(test, gh_roots_reserve(r, n), 0);
			while (n--) {
				id = gh_roots_add(r, step);
				KUNIT_ASSERT_LT(test, id, MODEL);
				KUNIT_ASSERT_FALSE(test, used[id]);
				used[id] = true;
				want[id] = step;
				nr++;
			}
		}
		KUNIT_ASSERT_EQ(test, r->nr_used, nr);
		if (step % 500 == 0)
			KUNIT_ASSERT_TRUE(test, offers(r, want, used));
	}
	KUNIT_EXPECT_TRUE(test, offers(r, want, used));
}

#ifndef __KERNEL__
/* Here allocations can be told to fail: each in turn, and nothing changes. */
static void gh_roots_no_memory(struct kunit *test)
{
	struct gh_roots *r = test->priv;
	struct gh_roots old;
	u32 round, n;
	s64 live;
	int err;

	for (round = 0; round < 3; round++) {
		for (n = 1;; n++) {
			old = *r;
			live = gh_user_live();
			gh_user_fail_at(n);
			err = gh_roots_reserve(r, 1700);
			gh_user_fail_at(0);
			if (!err)
				break;
			KUNIT_ASSERT_EQ(test, err, -ENOMEM);
			KUNIT_EXPECT_EQ(test, r->nr_slots, old.nr_slots);
			KUNIT_EXPECT_EQ(test, r->nr_used, old.nr_used);
			KUNIT_EXPECT_EQ(test, r->free, old.free);
			if (old.nr_slots)
				KUNIT_EXPECT_EQ(test, gh_user_live(), live);
			KUNIT_EXPECT_FALSE(test, gh_roots_has(r, r->nr_slots));
		}
		KUNIT_EXPECT_GE(test, n, 4);
		for (n = 0; n < 1700; n++)
			KUNIT_ASSERT_LT(test, gh_roots_add(r, n), r->nr_slots);
		KUNIT_EXPECT_EQ(test, r->nr_used, (round + 1) * 1700);
	}
}
#endif

static int gh_roots_setup(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct gh_roots), GFP_KERNEL);
	if (!test->priv)
		return -ENOMEM;
	gh_roots_init(test->priv);
	random_state = 88172645463325252ULL;
	return 0;
}

static void gh_roots_teardown(struct kunit *test)
{
	struct gh_roots *r = test->priv;

	if (!r)
		return;
	gh_roots_destroy(r);
	KUNIT_EXPECT_EQ(test, r->nr_used, 0);
	KUNIT_EXPECT_FALSE(test, gh_roots_has(r, 0));
}

static struct kunit_case gh_roots_cases[] = {
	KUNIT_CASE(gh_roots_none),
	KUNIT_CASE(gh_roots_numbers),
	KUNIT_CASE(gh_roots_offered),
	KUNIT_CASE(gh_roots_full),
	KUNIT_CASE(gh_roots_random),
#ifndef __KERNEL__
	KUNIT_CASE(gh_roots_no_memory),
#endif
	{}
};

static struct kunit_suite gh_roots_suite = {
	.name = "gh_roots",
	.init = gh_roots_setup,
	.exit = gh_roots_teardown,
	.test_cases = gh_roots_cases,
};

gh_test_suite(gh_roots_suite);
