// SPDX-License-Identifier: GPL-2.0
/*
 * The limiter: what goes into the bucket and what follows from it.
 */
#include "gh_test.h"
#include "gh_limiter.h"

#define SEC	1000000000ULL
#define MSEC	1000000ULL

static void expect(struct kunit *test, const struct gh_limiter *l, u64 fill,
		   u64 overflow, bool limiting)
{
	KUNIT_EXPECT_EQ(test, l->fill, fill);
	KUNIT_EXPECT_EQ(test, l->overflow, overflow);
	KUNIT_EXPECT_EQ(test, gh_limiter_limiting(l), limiting);
	KUNIT_EXPECT_LE(test, l->fill, l->capacity);
}

/* Stop the world at @from, start it at @to. */
static void transition(struct gh_limiter *l, bool gc_on, u64 cycle, u64 from,
		       u64 to)
{
	gh_limiter_start_transition(l, gc_on, cycle, from);
	gh_limiter_finish_transition(l, to);
}

static void gh_limiter_bucket(struct kunit *test)
{
	struct gh_limiter l;

	gh_limiter_init(&l, 4, 7);
	KUNIT_EXPECT_EQ(test, l.capacity, 4 * SEC);
	expect(test, &l, 0, 0, false);
	/* No credit for being idle. */
	gh_limiter_accumulate(&l, 100 * SEC, 0);
	expect(test, &l, 0, 0, false);
	gh_limiter_accumulate(&l, 0, 4 * SEC - 1);
	expect(test, &l, 4 * SEC - 1, 0, false);
	gh_limiter_accumulate(&l, 0, 1);
	expect(test, &l, 4 * SEC, 0, true);
	gh_limiter_accumulate(&l, SEC, SEC + 5);
	expect(test, &l, 4 * SEC, 5, true);
	/* Half and half changes nothing, neither way. */
	gh_limiter_accumulate(&l, SEC, SEC);
	expect(test, &l, 4 * SEC, 5, true);
	gh_limiter_accumulate(&l, 1, 0);
	expect(test, &l, 4 * SEC - 1, 5, false);
	gh_limiter_accumulate(&l, SEC, SEC);
	expect(test, &l, 4 * SEC - 1, 5, false);
	gh_limiter_accumulate(&l, SEC, 0);
	expect(test, &l, 3 * SEC - 1, 5, false);
	gh_limiter_accumulate(&l, 3 * SEC, 0);
	expect(test, &l, 0, 5, false);
}

/* A cycle: the world stops, a quarter and assists while marking, it stops. */
static void gh_limiter_cycle(struct kunit *test)
{
	struct gh_limiter l;

	gh_limiter_init(&l, 10, 0);
	gh_limiter_update(&l, 500 * MSEC);
	expect(test, &l, 0, 0, false);
	transition(&l, true, 1, SEC, SEC + 20 * MSEC);
	expect(test, &l, 200 * MSEC, 0, false);
	/* 1000 ms: 250 and 600 the collector's, 150 not. */
	gh_limiter_add_assist(&l, 400 * MSEC);
	gh_limiter_add_assist(&l, 200 * MSEC);
	gh_limiter_update(&l, SEC + 120 * MSEC);
	expect(test, &l, 900 * MSEC, 0, false);
	/* A quarter only, then the end of the cycle. */
	transition(&l, false, 1, SEC + 220 * MSEC, SEC + 230 * MSEC);
	expect(test, &l, 500 * MSEC, 0, false);
	/* Between cycles, assists of giving memory back. */
	gh_limiter_add_assist(&l, 30 * MSEC);
	gh_limiter_update(&l, SEC + 240 * MSEC);
	expect(test, &l, 460 * MSEC, 0, false);
	gh_limiter_update(&l, 2 * SEC);
	expect(test, &l, 0, 0, false);
}

/* Idle time drains nothing; the quarter is one of all CPUs nevertheless. */
static void gh_limiter_idle(struct kunit *test)
{
	struct gh_limiter l;

	gh_limiter_init(&l, 4, 0);
	transition(&l, true, 1, 0, 0);
	gh_limiter_add_idle(&l, 300 * MSEC);
	gh_limiter_update(&l, 100 * MSEC);
	expect(test, &l, 100 * MSEC, 0, false);
	gh_limiter_add_idle(&l, 200 * MSEC);
	gh_limiter_update(&l, 200 * MSEC);
	expect(test, &l, 100 * MSEC, 0, false);
	/* More than there was: times of other CPUs come late. */
	gh_limiter_add_idle(&l, 400 * MSEC);
	gh_limiter_update(&l, 300 * MSEC);
	expect(test, &l, 300 * MSEC, 0, false);
}

/* Late idle time undoes what the program has drained meanwhile, and no more. */
static void gh_limiter_late(struct kunit *test)
{
	struct gh_limiter l;

	gh_limiter_init(&l, 4, 0);
	gh_limiter_accumulate(&l, 0, SEC);
	transition(&l, true, 1, 0, 0);
	gh_limiter_update(&l, 100 * MSEC);
	expect(test, &l, 800 * MSEC, 0, false);
	gh_limiter_add_idle(&l, 3600 * SEC);
	gh_limiter_update(&l, 200 * MSEC);
	expect(test, &l, 1200 * MSEC, 0, false);
	/* The rest is gone, and so is what has been undone. */
	gh_limiter_add_idle(&l, 3600 * SEC);
	gh_limiter_add_assist(&l, 350 * MSEC);
	gh_limiter_update(&l, 300 * MSEC);
	expect(test, &l, 1700 * MSEC, 0, false);
	/* What is below empty was not drained. */
	transition(&l, false, 1, 300 * MSEC, 300 * MSEC);
	gh_limiter_update(&l, 10 * SEC);
	expect(test, &l, 0, 0, false);
	gh_limiter_add_idle(&l, U64_MAX);
	gh_limiter_update(&l, 10 * SEC);
	expect(test, &l, 1700 * MSEC, 0, false);
	/* Nor does what was drained before the last transition come back. */
	gh_limiter_update(&l, 11 * SEC);
	transition(&l, true, 2, 11 * SEC, 11 * SEC);
	gh_limiter_add_idle(&l, U64_MAX);
	gh_limiter_update(&l, 11 * SEC);
	expect(test, &l, 0, 0, false);
}

/* Nothing but collections: on after a second, off after a moment without. */
static void gh_limiter_spiral(struct kunit *test)
{
	struct gh_limiter l;
	u64 now = 0;
	u32 n = 0;

	gh_limiter_init(&l, 2, now);
	transition(&l, true, 5, now, now);
	while (!gh_limiter_limiting(&l) && n++ < 1000) {
		now += 10 * MSEC;
		gh_limiter_add_assist(&l, 15 * MSEC);
		gh_limiter_update(&l, now);
	}
	KUNIT_EXPECT_EQ(test, now, SEC);
	expect(test, &l, 2 * SEC, 0, true);
	KUNIT_EXPECT_EQ(test, l.last_enabled, 5ULL);
	now += 10 * MSEC;
	gh_limiter_add_assist(&l, 15 * MSEC);
	gh_limiter_update(&l, now);
	expect(test, &l, 2 * SEC, 20 * MSEC, true);
	now += 10 * MSEC;
	gh_limiter_update(&l, now);
	expect(test, &l, 2 * SEC - 10 * MSEC, 20 * MSEC, false);
	/* A long stop fills it again, on account of the cycle that it ends. */
	transition(&l, false, 6, now, now + SEC);
	expect(test, &l, 2 * SEC, 2 * SEC + 10 * MSEC, true);
	KUNIT_EXPECT_EQ(test, l.last_enabled, 6ULL);
	/* Switched off and on again before the next cycle: the next one's. */
	now += SEC;
	gh_limiter_update(&l, now + 1);
	gh_limiter_accumulate(&l, 0, SEC);
	KUNIT_EXPECT_EQ(test, l.last_enabled, 7ULL);
}

static void gh_limiter_resize(struct kunit *test)
{
	struct gh_limiter l;

	gh_limiter_init(&l, 8, 0);
	gh_limiter_accumulate(&l, 0, 6 * SEC);
	/* The time until now counts with the old number. */
	gh_limiter_reset_capacity(&l, 4, 125 * MSEC);
	KUNIT_EXPECT_EQ(test, l.capacity, 4 * SEC);
	expect(test, &l, 4 * SEC, 0, true);
	gh_limiter_reset_capacity(&l, 16, 125 * MSEC);
	KUNIT_EXPECT_EQ(test, l.capacity, 16 * SEC);
	expect(test, &l, 4 * SEC, 0, false);
	gh_limiter_update(&l, 250 * MSEC);
	expect(test, &l, 2 * SEC, 0, false);
	gh_limiter_reset_capacity(&l, 0, 250 * MSEC);
	KUNIT_EXPECT_EQ(test, l.capacity, SEC);
	expect(test, &l, SEC, 0, true);
}

static void gh_limiter_clock(struct kunit *test)
{
	struct gh_limiter l;

	gh_limiter_init(&l, 1, 5 * SEC);
	KUNIT_EXPECT_FALSE(test, gh_limiter_need_update(&l, 5 * SEC));
	KUNIT_EXPECT_FALSE(test, gh_limiter_need_update(&l, 0));
	KUNIT_EXPECT_FALSE(test, gh_limiter_need_update(&l, 5 * SEC +
							10 * MSEC));
	KUNIT_EXPECT_TRUE(test, gh_limiter_need_update(&l, 5 * SEC +
						       10 * MSEC + 1));
	/* A time that is not the latest counts nothing, and loses nothing. */
	gh_limiter_add_assist(&l, 100 * MSEC);
	gh_limiter_update(&l, 4 * SEC);
	expect(test, &l, 0, 0, false);
	gh_limiter_update(&l, 5 * SEC + 100 * MSEC);
	expect(test, &l, 100 * MSEC, 0, false);
	transition(&l, true, 1, 5 * SEC + 100 * MSEC, 5 * SEC);
	expect(test, &l, 100 * MSEC, 0, false);
	KUNIT_EXPECT_EQ(test, l.last_update, 5 * SEC + 100 * MSEC);
}

/* Times that cannot be, in all combinations: no overflow, and the invariant. */
static void gh_limiter_extremes(struct kunit *test)
{
	static const u64 times[] = {
		0, 1, SEC, S64_MAX / 8, S64_MAX, U64_MAX - 1, U64_MAX,
	};
	struct gh_limiter l;
	u32 i, n = ARRAY_SIZE(times);

	for (i = 0; i < n * n * n * 2; i++) {
		u64 now = times[i / 2 / n % n];

		gh_limiter_init(&l, i % 2 ? 1 : U32_MAX, 0);
		gh_limiter_accumulate(&l, times[i / 2 % n], now);
		gh_limiter_accumulate(&l, now, times[i / 2 % n]);
		transition(&l, true, 1, now / 4, now / 3);
		gh_limiter_add_assist(&l, times[i / 2 % n]);
		gh_limiter_add_assist(&l, times[i / 2 % n]);
		gh_limiter_add_idle(&l, times[i / 2 / n / n]);
		gh_limiter_update(&l, now / 2);
		transition(&l, false, 1, now, U64_MAX);
		gh_limiter_reset_capacity(&l, U32_MAX, U64_MAX);
		KUNIT_EXPECT_LE_MSG(test, l.fill, l.capacity, "%u", i);
		KUNIT_EXPECT_EQ_MSG(test, gh_limiter_limiting(&l),
				    l.fill == l.capacity, "%u", i);
	}
}

static struct kunit_case gh_limiter_cases[] = {
	KUNIT_CASE(gh_limiter_bucket),
	KUNIT_CASE(gh_limiter_cycle),
	KUNIT_CASE(gh_limiter_idle),
	KUNIT_CASE(gh_limiter_late),
	KUNIT_CASE(gh_limiter_spiral),
	KUNIT_CASE(gh_limiter_resize),
	KUNIT_CASE(gh_limiter_clock),
	KUNIT_CASE(gh_limiter_extremes),
	{}
};

static struct kunit_suite gh_limiter_suite = {
	.name = "gh_limiter",
	.test_cases = gh_limiter_cases,
};

gh_test_suite(gh_limiter_suite);
