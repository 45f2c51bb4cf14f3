// SPDX-License-Identifier: GPL-2.0
/*
 * Bitmap of one chunk.
 *
 * GH_CHUNK_PAGES bits in 64-bit words, the lowest page first; a set bit is a
 * page in use. The page allocator keeps one such bitmap per chunk and a summary
 * of it: free pages at the start, in the longest run, and at the end. Summaries
 * of eight neighbours merge into the summary of the region they make up, which
 * is all there is to the tree above the chunks.
 *
 * The functions see the bits only. They work on words rather than bits, since
 * every allocation and every release of pages comes through here: a run is
 * either inside of a word, where shifting the word against itself finds it, or
 * it touches a word's edge, where counting leading and trailing zeros does.
 *
 * Pure functions of their arguments; the caller owns the bits.
 */
#include "gh_internal.h"
#include "gh_pallocbits.h"

/**
 * gh_summary_merge() - summary of a region from those of its parts
 * @sums: summaries of GH_SUMMARY_FANOUT parts, lowest address first
 * @shift: log2 of the pages in a part, below GH_SUMMARY_BITS
 *
 * Return: the summary.
 */
u64 gh_summary_merge(const u64 *sums, u32 shift)
{
	u32 full = 1U << shift;
	u32 start = 0, most = 0, end = 0;
	u32 i;

	for (i = 0; i < GH_SUMMARY_FANOUT; i++) {
		/* Not gh_summary_start() and so on: a part is never "all". */
		u32 part = sums[i] & GH_SUMMARY_MASK;
		u32 inside = sums[i] >> GH_SUMMARY_BITS & GH_SUMMARY_MASK;
		u32 tail = sums[i] >> (2 * GH_SUMMARY_BITS);

		/* Free so far from the start on: this part continues it. */
		if (start == i << shift)
			start += part;
		most = max3(most, end + part, inside);
		end = part == full ? end + full : tail;
	}
	return gh_summary_pack(start, most, end);
}

/* Longest run of free pages inside of a word, if it is longer than @most. */
static u32 longest_inside(const u64 *bits, u32 most)
{
	u32 i;

	for (i = 0; i < GH_CHUNK_WORDS; i++) {
		u64 runs;

		/* A run inside of a word has a used page at each side. */
		if (most >= 62)
			break;
		runs = gh_bits_runs(~bits[i], 0, most + 1);
		for (; runs; runs &= runs >> 1)
			most++;
	}
	return most;
}

/**
 * gh_pallocbits_summarize() - summary of a chunk
 * @bits: its bitmap
 *
 * Return: the summary.
 */
u64 gh_pallocbits_summarize(const u64 *bits)
{
	u32 start = GH_CHUNK_PAGES;
	u32 most = 0, run = 0;
	u32 i;

	/* Runs that touch the edge of a word; @run ends at the current one. */
	for (i = 0; i < GH_CHUNK_WORDS; i++) {
		u64 used = bits[i];

		if (!used) {
			run += 64;
			continue;
		}
		run += __ffs64(used);
		if (start == GH_CHUNK_PAGES)
			start = run;
		most = max(most, run);
		run = 64 - fls64(used);
	}
	most = max(most, run);
	return gh_summary_pack(start, longest_inside(bits, most), run);
}

/* Number of free pages right before @page. */
static u32 free_before(const u64 *bits, u32 page)
{
	u32 first = page;

	while (first) {
		u32 last = (first - 1) % 64;
		u64 used = bits[(first - 1) / 64] << (63 - last);

		if (used)
			return page - first + 64 - fls64(used);
		first -= last + 1;
	}
	return page;
}

/* Number of free pages from @page on. */
static u32 free_from(const u64 *bits, u32 page)
{
	u32 end = page;

	while (end < GH_CHUNK_PAGES) {
		u64 used = bits[end / 64] >> (end % 64);

		if (used)
			return end - page + __ffs64(used);
		end = round_up(end + 1, 64);
	}
	return GH_CHUNK_PAGES - page;
}

/**
 * gh_pallocbits_resummarize() - summary of a chunk after a change
 * @bits: its bitmap, after the change
 * @sum: its summary, before
 * @first: first page that has changed
 * @n: how many; all of them have been freed, or all of them taken
 * @freed: which of the two
 *
 * The same as gh_pallocbits_summarize(), but as a rule it looks only at the run
 * that the change is in.
 * Return: the summary.
 */
u64 gh_pallocbits_resummarize(const u64 *bits, u64 sum, u32 first, u32 n,
			      bool freed)
{
	u32 start = gh_summary_start(sum);
	u32 most = gh_summary_max(sum);
	u32 end = gh_summary_end(sum);
	u32 before = free_before(bits, first);
	u32 after = free_from(bits, first + n);
	u32 run = before + n + after;

	if (freed)
		most = max(most, run);
	else if (run == most)
		return gh_pallocbits_summarize(bits);
	if (before == first)
		start = freed ? run : before;
	if (first + n + after == GH_CHUNK_PAGES)
		end = freed ? run : after;
	return gh_summary_pack(start, most, end);
}

/* First run of 1 to 64 free pages at or after @hint. */
static u32 find_short(const u64 *bits, u32 n, u32 hint)
{
	u32 i = hint / 64;
	u64 word = ~bits[i] & ~0ULL << (hint % 64);

	for (;;) {
		u64 next = i + 1 < GH_CHUNK_WORDS ? ~bits[i + 1] : 0;
		u64 runs = gh_bits_runs(word, next, n);

		if (runs)
			return i * 64 + __ffs64(runs);
		if (++i == GH_CHUNK_WORDS)
			return GH_CHUNK_PAGES;
		word = next;
	}
}

/* First run of more than 64 free pages: it touches the edge of a word. */
static u32 find_long(const u64 *bits, u32 n, u32 hint)
{
	u32 first = hint;
	u32 i;

	for (i = hint / 64; i < GH_CHUNK_WORDS; i++) {
		u64 used = bits[i];

		if (i == hint / 64)
			used &= ~0ULL << (hint % 64);
		if (!used)
			continue;
		if (i * 64 + __ffs64(used) >= first + n)
			return first;
		first = i * 64 + fls64(used);
	}
	return first + n <= GH_CHUNK_PAGES ? first : GH_CHUNK_PAGES;
}

/**
 * gh_pallocbits_find() - first run of free pages in a chunk
 * @bits: its bitmap
 * @n: pages, 1 to GH_CHUNK_PAGES
 * @hint: first page to look at, below GH_CHUNK_PAGES
 *
 * Return: the first page of the run, GH_CHUNK_PAGES if there is none.
 */
u32 gh_pallocbits_find(const u64 *bits, u32 n, u32 hint)
{
	return n <= 64 ? find_short(bits, n, hint) : find_long(bits, n, hint);
}

/* Bits of word @i that lie in [first, end), which has some in that word. */
static u64 word_mask(u32 i, u32 first, u32 end)
{
	u64 mask = ~0ULL;

	if (first > i * 64)
		mask <<= first % 64;
	if (end < i * 64 + 64)
		mask &= ~(~0ULL << end % 64);
	return mask;
}

/**
 * gh_pallocbits_set() - set a range of bits
 * @bits: bitmap of a chunk
 * @first: first bit
 * @n: how many
 */
void gh_pallocbits_set(u64 *bits, u32 first, u32 n)
{
	u32 end = first + n;
	u32 i;

	for (i = first / 64; i * 64 < end; i++)
		bits[i] |= word_mask(i, first, end);
}

/**
 * gh_pallocbits_clear() - clear a range of bits
 * @bits: bitmap of a chunk
 * @first: first bit
 * @n: how many
 */
void gh_pallocbits_clear(u64 *bits, u32 first, u32 n)
{
	u32 end = first + n;
	u32 i;

	for (i = first / 64; i * 64 < end; i++)
		bits[i] &= ~word_mask(i, first, end);
}

/**
 * gh_pallocbits_count() - number of set bits in a range
 * @bits: bitmap of a chunk
 * @first: first bit
 * @n: length of the range
 *
 * Return: the number.
 */
u32 gh_pallocbits_count(const u64 *bits, u32 first, u32 n)
{
	u32 end = first + n;
	u32 nr = 0;
	u32 i;

	for (i = first / 64; i * 64 < end; i++)
		nr += hweight64(bits[i] & word_mask(i, first, end));
	return nr;
}
