// SPDX-License-Identifier: GPL-2.0
/*
 * Bitmaps of chunks and summaries, against loops over single bits.
 */
#include "gh_internal.h"
#include "gh_pallocbits.h"
#include "gh_test.h"

#define PAGES	GH_CHUNK_PAGES
#define MANY	(GH_SUMMARY_FANOUT * PAGES)

static u64 random_state;

static u64 rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static bool bit(const u64 *bits, u32 i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

/* Some bits at random: few, half, most, in long runs, or none of that. */
static void fill(u64 *bits)
{
	u32 kind = rnd() % 5;
	u32 i;

	for (i = 0; i < GH_CHUNK_WORDS; i++) {
		switch (kind) {
		case 0:
			bits[i] = rnd() & rnd() & rnd() & rnd();
			break;
		case 1:
			bits[i] = rnd();
			break;
		case 2:
			bits[i] = rnd() | rnd() | rnd();
			break;
		case 3:
			bits[i] = rnd() & 1 ? 0 : ~0ULL << (rnd() % 64);
			break;
		default:
			bits[i] = rnd() & 1 ? ~0ULL : 1ULL << (rnd() % 64);
		}
	}
}

/* Summary of @n bits; each stands for 1 << @scale pages. */
static u64 naive_summary(const u64 *bits, u32 n, u32 scale)
{
	u32 start = n, most = 0, run = 0;
	u32 i;

	for (i = 0; i < n; i++) {
		if (bit(bits, i)) {
			start = min(start, i);
			run = 0;
			continue;
		}
		run++;
		most = max(most, run);
	}
	return gh_summary_pack(start << scale, most << scale, run << scale);
}

static u32 naive_find(const u64 *bits, u32 n, u32 hint)
{
	u32 run = 0;
	u32 i;

	for (i = hint; i < PAGES; i++) {
		run = bit(bits, i) ? 0 : run + 1;
		if (run == n)
			return i + 1 - n;
	}
	return PAGES;
}

static void gh_pallocbits_pack(struct kunit *test)
{
	u32 all = 1U << GH_SUMMARY_BITS;
	u64 sum = gh_summary_pack(1, all - 1, all - 2);

	KUNIT_EXPECT_EQ(test, gh_summary_start(sum), 1);
	KUNIT_EXPECT_EQ(test, gh_summary_max(sum), all - 1);
	KUNIT_EXPECT_EQ(test, gh_summary_end(sum), all - 2);
	sum = gh_summary_pack(all - 1, all - 1, 0);
	KUNIT_EXPECT_EQ(test, gh_summary_start(sum), all - 1);
	KUNIT_EXPECT_EQ(test, gh_summary_max(sum), all - 1);
	KUNIT_EXPECT_EQ(test, gh_summary_end(sum), 0);
	KUNIT_EXPECT_EQ(test, gh_summary_pack(0, 0, 0), 0);
	sum = gh_summary_pack(all, all, all);
	KUNIT_EXPECT_EQ(test, sum, GH_SUMMARY_ALL);
	KUNIT_EXPECT_EQ(test, gh_summary_start(sum), all);
	KUNIT_EXPECT_EQ(test, gh_summary_max(sum), all);
	KUNIT_EXPECT_EQ(test, gh_summary_end(sum), all);
}

static u64 naive_runs(u64 word, u64 next, u32 n)
{
	u64 runs = 0;
	u32 i, k;

	for (i = 0; i < 64; i++) {
		for (k = i; k < i + n; k++)
			if (!((k < 64 ? word >> k : next >> (k - 64)) & 1))
				break;
		if (k == i + n)
			runs |= 1ULL << i;
	}
	return runs;
}

static void gh_pallocbits_runs(struct kunit *test)
{
	u32 i, n;

	for (i = 0; i < 40; i++) {
		u64 word = rnd(), next = rnd() | rnd();

		if (i % 2)
			word = ~0ULL << (rnd() % 64);
		if (i % 4 == 3)
			next = ~0ULL >> (rnd() % 64);
		if (i % 8 == 7)
			word |= rnd();
		for (n = 1; n <= 64; n++)
			KUNIT_EXPECT_EQ_MSG(test, gh_bits_runs(word, next, n),
					    naive_runs(word, next, n),
					    "%llx %llx %u", word, next, n);
	}
}

/* One free run of each interesting length at each place. */
static void gh_pallocbits_one_run(struct kunit *test)
{
	static const u32 lengths[] = { 1, 2, 61, 62, 63, 64, 65, 66, 127, 128,
		129, 200, 447, 448, 449, 511, 512 };
	u32 i, first, n;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		n = lengths[i];
		for (first = 0; first + n <= PAGES; first++) {
			u32 start = first ? 0 : n;
			u32 end = first + n < PAGES ? 0 : n;
			u64 bits[GH_CHUNK_WORDS];

			memset(bits, 0xff, sizeof(bits));
			gh_pallocbits_clear(bits, first, n);
			KUNIT_ASSERT_EQ(test, gh_pallocbits_summarize(bits),
					gh_summary_pack(start, n, end));
			KUNIT_ASSERT_EQ(test, gh_pallocbits_find(bits, n, 0),
					first);
			KUNIT_ASSERT_EQ(test,
					gh_pallocbits_find(bits, n, first),
					first);
			if (n < PAGES)
				KUNIT_ASSERT_EQ(test, PAGES,
						gh_pallocbits_find(bits, n + 1,
								   0));
		}
	}
}

/* The longest run may be any of them, wherever it lies in its word. */
static void gh_pallocbits_two_runs(struct kunit *test)
{
	u64 bits[GH_CHUNK_WORDS];
	u32 a, b;

	for (a = 1; a < 64; a++) {
		for (b = 1; b < 64; b++) {
			memset(bits, 0xff, sizeof(bits));
			gh_pallocbits_clear(bits, 64, a);
			gh_pallocbits_clear(bits, 320 + (64 - b) / 2, b);
			KUNIT_ASSERT_EQ(test, gh_pallocbits_summarize(bits),
					gh_summary_pack(0, max(a, b), 0));
		}
	}
}

static void gh_pallocbits_ranges(struct kunit *test)
{
	u64 bits[GH_CHUNK_WORDS], want[GH_CHUNK_WORDS];
	u32 round, i;

	for (round = 0; round < 400; round++) {
		u32 first = rnd() % PAGES;
		u32 n = rnd() % (PAGES - first) + 1;
		bool set = rnd() & 1;
		u32 nr = 0;

		fill(bits);
		memcpy(want, bits, sizeof(bits));
		for (i = first; i < first + n; i++) {
			nr += bit(bits, i);
			want[i / 64] &= ~(1ULL << (i % 64));
			want[i / 64] |= (u64)set << (i % 64);
		}
		KUNIT_EXPECT_EQ(test, gh_pallocbits_count(bits, first, n), nr);
		if (set)
			gh_pallocbits_set(bits, first, n);
		else
			gh_pallocbits_clear(bits, first, n);
		KUNIT_ASSERT_EQ(test, memcmp(bits, want, sizeof(bits)), 0);
	}
}

static void gh_pallocbits_random(struct kunit *test)
{
	u64 bits[GH_CHUNK_WORDS];
	u32 round, i;

	for (round = 0; round < 500; round++) {
		fill(bits);
		KUNIT_ASSERT_EQ(test, gh_pallocbits_summarize(bits),
				naive_summary(bits, PAGES, 0));
		for (i = 0; i < 10; i++) {
			u32 n = rnd() % (i < 5 ? 12 : i < 8 ? 80 : PAGES) + 1;
			u32 hint = rnd() % PAGES;

			KUNIT_ASSERT_EQ_MSG(test,
					    gh_pallocbits_find(bits, n, hint),
					    naive_find(bits, n, hint),
					    "n %u hint %u", n, hint);
		}
	}
}

/* Free or take a range that is wholly of the other kind. */
static void gh_pallocbits_change(struct kunit *test)
{
	u64 bits[GH_CHUNK_WORDS];
	u64 sum;
	u32 round;

	for (round = 0; round < 3000; round++) {
		u32 first = rnd() % PAGES;
		u32 n = rnd() % 4 ? 1 : rnd() % (PAGES - first) + 1;
		bool freed = rnd() & 1;

		fill(bits);
		if (freed)
			gh_pallocbits_set(bits, first, n);
		else
			gh_pallocbits_clear(bits, first, n);
		sum = gh_pallocbits_summarize(bits);
		if (freed)
			gh_pallocbits_clear(bits, first, n);
		else
			gh_pallocbits_set(bits, first, n);
		KUNIT_ASSERT_EQ(test, naive_summary(bits, PAGES, 0),
				gh_pallocbits_resummarize(bits, sum, first, n,
							  freed));
	}
}

/* Each bit stands for more and more pages, up to the largest regions. */
static void gh_pallocbits_merge(struct kunit *test)
{
	u64 *bits = kunit_kzalloc(test, MANY / 8, GFP_KERNEL);
	u64 sums[GH_SUMMARY_FANOUT];
	u32 round, i, k, scale;

	KUNIT_ASSERT_NOT_NULL(test, bits);
	for (round = 0; round < 200; round++) {
		scale = round % 10;
		for (i = 0; i < GH_SUMMARY_FANOUT; i++) {
			u64 *part = bits + i * GH_CHUNK_WORDS;
			u32 kind = rnd() % 3;

			fill(part);
			for (k = 0; k < GH_CHUNK_WORDS && kind; k++)
				part[k] = kind == 1 ? 0 : ~0ULL;
			sums[i] = naive_summary(part, PAGES, scale);
		}
		KUNIT_ASSERT_EQ(test,
				gh_summary_merge(sums,
						 GH_CHUNK_PAGES_SHIFT + scale),
				naive_summary(bits, MANY, scale));
	}
}

static void gh_pallocbits_merge_all(struct kunit *test)
{
	u32 shift = GH_SUMMARY_BITS - GH_SUMMARY_FANOUT_SHIFT;
	u32 full = 1U << shift;
	u64 sums[GH_SUMMARY_FANOUT];
	u32 i;

	for (i = 0; i < GH_SUMMARY_FANOUT; i++)
		sums[i] = gh_summary_pack(full, full, full);
	KUNIT_EXPECT_EQ(test, gh_summary_merge(sums, shift), GH_SUMMARY_ALL);
	sums[7] = gh_summary_pack(full - 1, full - 1, 0);
	KUNIT_EXPECT_EQ(test, gh_summary_merge(sums, shift),
			gh_summary_pack(8 * full - 1, 8 * full - 1, 0));
	sums[7] = gh_summary_pack(full, full, full);
	sums[0] = gh_summary_pack(0, full - 1, full - 1);
	KUNIT_EXPECT_EQ(test, gh_summary_merge(sums, shift),
			gh_summary_pack(0, 8 * full - 1, 8 * full - 1));
}

static int gh_pallocbits_init(struct kunit *test)
{
	random_state = 88172645463325252ULL;
	return 0;
}

static struct kunit_case gh_pallocbits_cases[] = {
	KUNIT_CASE(gh_pallocbits_pack),
	KUNIT_CASE(gh_pallocbits_runs),
	KUNIT_CASE(gh_pallocbits_one_run),
	KUNIT_CASE(gh_pallocbits_two_runs),
	KUNIT_CASE(gh_pallocbits_ranges),
	KUNIT_CASE(gh_pallocbits_random),
	KUNIT_CASE(gh_pallocbits_change),
	KUNIT_CASE(gh_pallocbits_merge),
	KUNIT_CASE(gh_pallocbits_merge_all),
	{}
};

static struct kunit_suite gh_pallocbits_suite = {
	.name = "gh_pallocbits",
	.init = gh_pallocbits_init,
	.test_cases = gh_pallocbits_cases,
};

gh_test_suite(gh_pallocbits_suite);
