/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Bitmap of one chunk, and packed summaries of runs of free pages.
 */
#ifndef GH_PALLOCBITS_H
#define GH_PALLOCBITS_H

#include "gh_config.h"

#define GH_CHUNK_WORDS		(GH_CHUNK_PAGES / 64)

/* A summary covers at most 1 << 21 pages, and stands for 8 below it. */
#define GH_SUMMARY_BITS		21
#define GH_SUMMARY_MASK		((u32)BIT(GH_SUMMARY_BITS) - 1)
#define GH_SUMMARY_FANOUT_SHIFT	3
#define GH_SUMMARY_FANOUT	8

/*
 * A summary:
 *
 *	 63   62 ... 42   41 ... 21   20 ... 0
 *	+---+-----------+-----------+-----------+
 *	| A |    end    |    max    |   start   |
 *	+---+-----------+-----------+-----------+
 *
 * start, end: free pages at the low and at the high end; max: longest run. All
 * three are 1 << 21 when a region of that size is free, which is a bit too wide
 * for the fields; A stands for that, and the rest is 0 then. A summary of 0
 * says that nothing is free.
 */
#define GH_SUMMARY_ALL		BIT_ULL(63)

static inline u64 gh_summary_pack(u32 start, u32 max, u32 end)
{
	if (max > GH_SUMMARY_MASK)
		return GH_SUMMARY_ALL;
	return start | (u64)max << GH_SUMMARY_BITS |
	       (u64)end << (2 * GH_SUMMARY_BITS);
}

static inline u32 gh_summary_field(u64 sum, u32 nr)
{
	if (sum & GH_SUMMARY_ALL)
		return GH_SUMMARY_MASK + 1;
	return (sum >> (nr * GH_SUMMARY_BITS)) & GH_SUMMARY_MASK;
}

static inline u32 gh_summary_start(u64 sum)
{
	return gh_summary_field(sum, 0);
}

static inline u32 gh_summary_max(u64 sum)
{
	return gh_summary_field(sum, 1);
}

static inline u32 gh_summary_end(u64 sum)
{
	return gh_summary_field(sum, 2);
}

/*
 * Where runs of n set bits begin in @word, 1 <= n <= 64; a run may go on in
 * @next, the word after it.
 */
static inline u64 gh_bits_runs(u64 word, u64 next, u32 n)
{
	u32 have = 1;

	/* A bit of @word says that a run of @have begins there. */
	while (have < n && word) {
		u32 step = min(have, n - have);

		word &= word >> step | next << (64 - step);
		next &= next >> step;
		have += step;
	}
	return word;
}

u64 gh_summary_merge(const u64 *sums, u32 shift);
u64 gh_pallocbits_summarize(const u64 *bits);
u64 gh_pallocbits_resummarize(const u64 *bits, u64 sum, u32 first, u32 n,
			      bool freed);
u32 gh_pallocbits_find(const u64 *bits, u32 n, u32 hint);
void gh_pallocbits_set(u64 *bits, u32 first, u32 n);
void gh_pallocbits_clear(u64 *bits, u32 first, u32 n);
u32 gh_pallocbits_count(const u64 *bits, u32 first, u32 n);

#endif /* GH_PALLOCBITS_H */
