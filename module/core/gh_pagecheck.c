// SPDX-License-Identifier: GPL-2.0
/*
 * Verification of the page allocator.
 *
 * The bitmaps of the chunks are taken for the truth, and all the rest, which
 * could be computed from them, is computed once more and compared: every
 * summary, every counter, the search hints, the scavenger's index and the
 * account of memory. It takes time in proportion to the addresses that have been
 * grown. Tests call it, and gh_check.c in debug builds; gh_heap.lock is held.
 */
#include "gh_internal.h"
#include "gh_pagealloc.h"

/**
 * struct recount - what the bitmaps say
 * @free: free pages
 * @scav: free pages without memory
 * @first: lowest free page, GH_NO_PAGE without one
 * @backed_end: end of the highest free page with memory, 0 without one
 * @meta: bytes of blocks and tables
 */
struct recount {
	u64 free;
	u64 scav;
	u64 first;
	u64 backed_end;
	u64 meta;
};

static const char *check_word(struct recount *r, u64 page, u64 alloc, u64 scav)
{
	u64 backed = ~alloc & ~scav;

	if (alloc & scav)
		return "page in use with scavenged bit";
	if (~alloc && r->first == GH_NO_PAGE)
		r->first = page + __ffs64(~alloc);
	if (backed)
		r->backed_end = page + fls64(backed);
	r->free += hweight64(~alloc);
	r->scav += hweight64(scav);
	return NULL;
}

static const char *check_chunk(struct gh_pagealloc *pa, struct recount *r,
			       u64 page)
{
	struct gh_pallocdata *d = gh_pagealloc_data(pa, page);
	u64 *sum = gh_pagealloc_sum(pa, GH_SUMMARY_LEAF, page / GH_CHUNK_PAGES);
	struct gh_scav_chunk *c = gh_pagealloc_index(pa, page);
	u64 backed = r->free - r->scav;
	const char *err = NULL;
	u32 i;

	for (i = 0; i < GH_CHUNK_WORDS && !err; i++)
		err = check_word(r, page + i * 64, d->alloc[i], d->scav[i]);
	if (!err && c->in_use != gh_pallocbits_count(d->alloc, 0,
						     GH_CHUNK_PAGES))
		err = "in_use of the scavenger's index";
	if (!err && !c->has_free && r->free - r->scav != backed)
		err = "has_free of the scavenger's index";
	if (!err && *sum != gh_pallocbits_summarize(d->alloc))
		err = "summary of a chunk";
	return err;
}

static const char *check_chunks(struct gh_pagealloc *pa, struct recount *r)
{
	u64 block_pages = GH_CHUNKS_PER_BLOCK * GH_CHUNK_PAGES;
	u64 last = 0;	/* free pages with memory in blocks before this one */
	u64 page;

	for (page = 0; page < pa->end_page; page += GH_CHUNK_PAGES) {
		struct gh_chunkblock *b = gh_pagealloc_block(pa, page);
		u64 next = page + GH_CHUNK_PAGES;
		const char *err;

		if (!b->data)
			return "no block of chunks";
		err = check_chunk(pa, r, page);
		if (err)
			return err;
		if (next % block_pages && next != pa->end_page)
			continue;
		if (b->nr_backed != r->free - r->scav - last)
			return "nr_backed";
		last = r->free - r->scav;
		r->meta += GH_CHUNKBLOCK_BYTES;
	}
	return NULL;
}

/* Entries of a block beyond the grown addresses must be 0. */
static const char *check_sum(struct gh_pagealloc *pa, u32 level, u64 idx)
{
	u64 sum = *gh_pagealloc_sum(pa, level, idx);
	u64 *parts;

	if (idx << gh_pagealloc_shift(level) >= pa->end_page)
		return sum ? "summary beyond end_page" : NULL;
	if (level == GH_SUMMARY_LEAF)
		return NULL;
	parts = gh_pagealloc_sum(pa, level + 1, idx << GH_SUMMARY_FANOUT_SHIFT);
	if (sum != gh_summary_merge(parts, gh_pagealloc_shift(level + 1)))
		return "summary of an inner level";
	return NULL;
}

static const char *check_level(struct gh_pagealloc *pa, struct recount *r,
			       u32 level)
{
	u64 size = 1ULL << gh_pagealloc_shift(level);
	u64 nr = DIV_ROUND_UP(pa->end_page, size);
	const char *err = NULL;
	u64 i;

	for (i = 0; i < round_up(nr, (u64)GH_SUMMARIES_PER_BLOCK); i++) {
		if (i % GH_SUMMARIES_PER_BLOCK == 0) {
			if (!pa->summaries[level][i / GH_SUMMARIES_PER_BLOCK])
				return "no block of summaries";
			r->meta += GH_SUMMARIES_PER_BLOCK * sizeof(u64);
		}
		err = check_sum(pa, level, i);
		if (err)
			break;
	}
	nr = DIV_ROUND_UP(pa->max_pages, size);
	r->meta += DIV_ROUND_UP(nr, GH_SUMMARIES_PER_BLOCK) * sizeof(u64 *);
	return err;
}

static const char *check_totals(struct gh_pagealloc *pa, struct recount *r)
{
	if (pa->free_pages != r->free)
		return "free_pages";
	if (pa->scav_pages != r->scav)
		return "scav_pages";
	if (pa->search_page > r->first)
		return "free page below search_page";
	if (!r->free && pa->search_page != GH_NO_PAGE)
		return "search_page without a free page";
	if (pa->backed_end < r->backed_end)
		return "free page with memory above backed_end";
	if (pa->backed_end > pa->end_page)
		return "backed_end beyond end_page";
	if (max(pa->sparse_end, pa->freed_end) > pa->end_page)
		return "sparse_end or freed_end beyond end_page";
	if (pa->meta_bytes != r->meta)
		return "meta_bytes";
	return NULL;
}

/**
 * gh_pagealloc_check() - compare all that is derived from the bitmaps with them
 * @pa: allocator
 *
 * Context: owner's lock held; slow.
 * Return: NULL, or what the first disagreement is about.
 */
const char *gh_pagealloc_check(struct gh_pagealloc *pa)
{
	struct recount r = { .first = GH_NO_PAGE };
	const char *err;
	u64 nr;
	u32 level;

	if (pa->end_page % GH_CHUNK_PAGES || pa->end_page > pa->max_pages)
		return "end_page";
	err = check_chunks(pa, &r);
	for (level = GH_SUMMARY_LEVELS; level-- && !err;)
		err = check_level(pa, &r, level);
	if (err)
		return err;
	nr = DIV_ROUND_UP(pa->max_pages / GH_CHUNK_PAGES, GH_CHUNKS_PER_BLOCK);
	r.meta += nr * sizeof(struct gh_chunkblock);
	return check_totals(pa, &r);
}
