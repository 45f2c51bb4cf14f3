// SPDX-License-Identifier: GPL-2.0
/*
 * Page allocator: which pages of the heap's addresses are free.
 *
 * Hands out runs of pages, always the lowest that fits (first fit by address):
 * low addresses stay dense, and memory to give back is found at the high end.
 * Here are addresses only; whether a page has memory is a second bit, kept for
 * whoever gives memory back.
 *
 * Data structure
 * --------------
 * Each chunk of GH_CHUNK_PAGES has two bitmaps, and above the chunks stands a
 * tree of five levels of summaries (see gh_pallocbits.h). An entry of the last
 * level describes one chunk, an entry of any other level eight entries of the
 * next one:
 *
 *	level			0	1	2	3	4
 *	log2 of pages		21	18	15	12	9
 *	address space		16 GiB	2 GiB	256 MiB	32 MiB	4 MiB
 *
 * A level is an array over the whole address space, in blocks that are made as
 * the heap grows over what they describe. Entries of addresses beyond end_page
 * are 0, "nothing free", so that searches need no bound but on level 0.
 *
 * Invariants
 * ----------
 * - Every summary is that of the bits below it, whenever the lock is free.
 * - No free page lies below search_page, and no free page with memory at or
 *   above backed_end. Both are hints: they may be far from the next such page,
 *   but never on the wrong side of one.
 * - A scavenged bit is set on free pages only.
 * - The scavenger's index (gh_scavindex.c) has the number of pages in use of each
 *   chunk. When a generation begins no chunk that is sparse and has free pages
 *   with memory lies at or above sparse_end; what becomes one later in the
 *   generation lies below freed_end.
 * - The heap grows by whole chunks; grown addresses are never taken back.
 * gh_pagealloc_check() in gh_pagecheck.c verifies all of it.
 *
 * Callers: gh_heap.c for spans, for growth and for giving memory back;
 * gh_pagecache.c for the groups of pages of the mcaches. Locking is the
 * owner's: gh_heap.lock is held around every call.
 */
#include "gh_internal.h"
#include "gh_pagealloc.h"

#define LEAF		GH_SUMMARY_LEAF
#define BLOCK_BYTES	(GH_SUMMARIES_PER_BLOCK * sizeof(u64))

/* Blocks of a level that describe the first @npages pages. */
static u64 nr_sum_blocks(u32 level, u64 npages)
{
	u64 nr = DIV_ROUND_UP(npages, 1ULL << gh_pagealloc_shift(level));

	return DIV_ROUND_UP(nr, GH_SUMMARIES_PER_BLOCK);
}

static u64 nr_chunk_blocks(u64 npages)
{
	return DIV_ROUND_UP(npages / GH_CHUNK_PAGES, GH_CHUNKS_PER_BLOCK);
}

/* Number of pages from @page on that are in its chunk and below @end. */
static u32 in_chunk(u64 page, u64 end)
{
	u64 left = GH_CHUNK_PAGES - page % GH_CHUNK_PAGES;

	return min(left, end - page);
}

/* Read without the lock by whoever compares with the memory limit. */
static void add_meta(struct gh_pagealloc *pa, u64 bytes)
{
	WRITE_ONCE(pa->meta_bytes, pa->meta_bytes + bytes);
}

/* Free the blocks of growth from @from pages on; there are some up to @to. */
static void free_blocks(struct gh_pagealloc *pa, u64 from, u64 to)
{
	u32 level;
	u64 i;

	for (level = 0; level < GH_SUMMARY_LEVELS; level++) {
		for (i = nr_sum_blocks(level, from);
		     i < nr_sum_blocks(level, to); i++) {
			if (pa->summaries[level][i])
				add_meta(pa, -BLOCK_BYTES);
			kvfree(pa->summaries[level][i]);
			pa->summaries[level][i] = NULL;
		}
	}
	for (i = nr_chunk_blocks(from); i < nr_chunk_blocks(to); i++) {
		if (pa->chunks[i].data)
			add_meta(pa, -GH_CHUNKBLOCK_BYTES);
		kvfree(pa->chunks[i].data);
		pa->chunks[i].data = NULL;
		pa->chunks[i].index = NULL;
	}
}

static int make_blocks(struct gh_pagealloc *pa, u64 from, u64 to)
{
	u32 level;
	u64 i;

	for (level = 0; level < GH_SUMMARY_LEVELS; level++) {
		for (i = nr_sum_blocks(level, from);
		     i < nr_sum_blocks(level, to); i++) {
			u64 *b = kvzalloc(BLOCK_BYTES, GH_GFP);

			if (!b)
				return -ENOMEM;
			pa->summaries[level][i] = b;
			add_meta(pa, BLOCK_BYTES);
		}
	}
	for (i = nr_chunk_blocks(from); i < nr_chunk_blocks(to); i++) {
		pa->chunks[i].data = kvzalloc(GH_CHUNKBLOCK_BYTES, GH_GFP);
		if (!pa->chunks[i].data)
			return -ENOMEM;
		pa->chunks[i].index =
			(void *)(pa->chunks[i].data + GH_CHUNKS_PER_BLOCK);
		add_meta(pa, GH_CHUNKBLOCK_BYTES);
	}
	return 0;
}

/**
 * gh_pagealloc_init() - make an allocator without pages
 * @pa: what to fill in
 * @max_pages: size of the address space, a multiple of GH_CHUNK_PAGES
 *
 * Context: may sleep.
 * Return: 0, -EINVAL for a bad size, or -ENOMEM; after an error there is
 * nothing to destroy.
 */
int gh_pagealloc_init(struct gh_pagealloc *pa, u64 max_pages)
{
	u32 level;
	u64 n;

	memset(pa, 0, sizeof(*pa));
	if (!max_pages || max_pages % GH_CHUNK_PAGES ||
	    max_pages > GH_MAX_ASPACE / GH_PAGE_SIZE)
		return -EINVAL;
	pa->max_pages = max_pages;
	pa->search_page = GH_NO_PAGE;
	for (level = 0; level < GH_SUMMARY_LEVELS; level++) {
		n = nr_sum_blocks(level, max_pages);
		pa->summaries[level] = kvcalloc(n, sizeof(u64 *),
						GH_GFP);
		if (!pa->summaries[level])
			goto err_destroy;
		WRITE_ONCE(pa->meta_bytes, pa->meta_bytes + n * sizeof(u64 *));
	}
	n = nr_chunk_blocks(max_pages);
	pa->chunks = kvcalloc(n, sizeof(*pa->chunks), GH_GFP);
	if (!pa->chunks)
		goto err_destroy;
	WRITE_ONCE(pa->meta_bytes, pa->meta_bytes + n * sizeof(*pa->chunks));
	return 0;

err_destroy:
	gh_pagealloc_destroy(pa);
	return -ENOMEM;
}

/**
 * gh_pagealloc_destroy() - free the memory of an allocator
 * @pa: allocator; its pages may be in use
 */
void gh_pagealloc_destroy(struct gh_pagealloc *pa)
{
	u32 level;

	free_blocks(pa, 0, pa->end_page);
	for (level = 0; level < GH_SUMMARY_LEVELS; level++)
		kvfree(pa->summaries[level]);
	kvfree(pa->chunks);
	memset(pa, 0, sizeof(*pa));
	pa->search_page = GH_NO_PAGE;
}

/* Entries [lo, hi] of the last level have changed: bring the others up to it. */
static void update_tree(struct gh_pagealloc *pa, u64 lo, u64 hi)
{
	u32 level = LEAF;
	bool changed;
	u64 i;

	do {
		level--;
		lo >>= GH_SUMMARY_FANOUT_SHIFT;
		hi >>= GH_SUMMARY_FANOUT_SHIFT;
		changed = false;
		for (i = lo; i <= hi; i++) {
			u64 *sum = gh_pagealloc_sum(pa, level, i);
			u64 part = i << GH_SUMMARY_FANOUT_SHIFT;
			u64 old = *sum;

			*sum = gh_summary_merge(gh_pagealloc_sum(pa, level + 1,
								 part),
						gh_pagealloc_shift(level + 1));
			changed |= *sum != old;
		}
	} while (changed && level);
}

/* Bring the tree up to date after pages [page, end) have been freed or taken. */
static void update(struct gh_pagealloc *pa, u64 page, u64 end, bool freed)
{
	bool changed = false;
	u64 p;
	u32 n;

	for (p = page; p < end; p += n) {
		u64 *bits = gh_pagealloc_data(pa, p)->alloc;
		u64 *sum = gh_pagealloc_sum(pa, LEAF, p / GH_CHUNK_PAGES);
		u64 old = *sum;

		n = in_chunk(p, end);
		*sum = gh_pallocbits_resummarize(bits, old, p % GH_CHUNK_PAGES,
						 n, freed);
		changed |= *sum != old;
	}
	if (changed)
		update_tree(pa, page / GH_CHUNK_PAGES,
			    (end - 1) / GH_CHUNK_PAGES);
}

/* The same after some of the pages of a group of 64 have changed. */
static void update_group(struct gh_pagealloc *pa, u64 page)
{
	u64 chunk = page / GH_CHUNK_PAGES;
	u64 *sum = gh_pagealloc_sum(pa, LEAF, chunk);
	u64 old = *sum;

	*sum = gh_pallocbits_summarize(gh_pagealloc_data(pa, page)->alloc);
	if (*sum != old)
		update_tree(pa, chunk, chunk);
}

/* Raise search_page: none below @page is free. */
static void search_from(struct gh_pagealloc *pa, u64 page)
{
	if (!pa->free_pages)
		pa->search_page = GH_NO_PAGE;
	else
		pa->search_page = max(pa->search_page, page);
}

/* Pages of one chunk, the first of them @page, have been taken. */
static void index_taken(struct gh_pagealloc *pa, u64 page, u32 npages)
{
	gh_scav_chunk_taken(gh_pagealloc_index(pa, page), npages, pa->gen);
}

/*
 * They have become free. If that may have made the chunk a sparse one, all of it
 * is to be looked at; Go looks no higher than at the pages themselves.
 */
static void index_freed(struct gh_pagealloc *pa, u64 page, u32 npages,
			bool backed)
{
	struct gh_scav_chunk *c = gh_pagealloc_index(pa, page);
	bool dense = c->in_use >= GH_SCAV_DENSE_PAGES;

	gh_scav_chunk_freed(c, npages, pa->gen, backed);
	if (backed || dense)
		pa->freed_end = max(pa->freed_end,
				    round_up(page + npages,
					     (u64)GH_CHUNK_PAGES));
}

/* Mark free pages used; returns how many of them have no memory. */
static u64 take_range(struct gh_pagealloc *pa, u64 page, u64 npages)
{
	u64 end = page + npages;
	u64 nr_scav = 0;
	u64 p;
	u32 n;

	for (p = page; p < end; p += n) {
		struct gh_pallocdata *d = gh_pagealloc_data(pa, p);
		u32 first = p % GH_CHUNK_PAGES;
		u32 scav;

		n = in_chunk(p, end);
		scav = gh_pallocbits_count(d->scav, first, n);
		if (scav)
			gh_pallocbits_clear(d->scav, first, n);
		gh_pallocbits_set(d->alloc, first, n);
		index_taken(pa, p, n);
		gh_pagealloc_block(pa, p)->nr_backed -= n - scav;
		nr_scav += scav;
	}
	pa->free_pages -= npages;
	pa->scav_pages -= nr_scav;
	update(pa, page, end, false);
	return nr_scav;
}

/**
 * gh_pagealloc_grow() - add addresses at the end
 * @pa: allocator
 * @npages: pages to add, rounded up to whole chunks; they are free and have no
 *	memory
 *
 * Context: may sleep; owner's lock held.
 * Return: 0, -ENOSPC beyond the address space, or -ENOMEM; after an error
 * nothing has changed.
 */
int gh_pagealloc_grow(struct gh_pagealloc *pa, u64 npages)
{
	u64 start = pa->end_page;
	u64 p, end;
	int err;

	if (!npages)
		return 0;
	if (npages > pa->max_pages - start)
		return -ENOSPC;
	end = start + round_up(npages, (u64)GH_CHUNK_PAGES);
	err = make_blocks(pa, start, end);
	if (err) {
		free_blocks(pa, start, end);
		return err;
	}
	for (p = start; p < end; p += GH_CHUNK_PAGES) {
		memset(gh_pagealloc_data(pa, p)->scav, 0xff, GH_CHUNK_PAGES / 8);
		gh_pagealloc_index(pa, p)->gen = pa->gen;
	}
	/* Markers and lookups read it without the lock. */
	WRITE_ONCE(pa->end_page, end);
	pa->free_pages += end - start;
	pa->scav_pages += end - start;
	pa->search_page = min(pa->search_page, start);
	update(pa, start, end, true);
	return 0;
}

/**
 * struct search - state of the search for a run
 * @npages: length of the run
 * @page: out: its first page
 * @first: no free page lies below; the search makes it as high as it can
 * @narrow: all entries taken on the way down were the first with free pages
 */
struct search {
	u64 npages;
	u64 page;
	u64 first;
	bool narrow;
};

/*
 * Go through entries [from, end) of a level. Finds a run that crosses entries
 * or begins one (and sets s->page), or else the first entry that has one
 * inside, and returns it; @end if there is neither.
 */
static u64 search_level(struct gh_pagealloc *pa, struct search *s, u32 level,
			u64 from, u64 end)
{
	u32 shift = gh_pagealloc_shift(level);
	bool seen = false;
	u64 run = 0;	/* free pages right before entry i */
	u64 i;

	for (i = from; i < end; i++) {
		u64 sum = *gh_pagealloc_sum(pa, level, i);
		u64 start = gh_summary_start(sum);

		if (!sum) {
			run = 0;
			continue;
		}
		if (!seen && s->narrow)
			s->first = max(s->first, i << shift);
		else
			s->narrow = false;
		seen = true;
		if (run + start >= s->npages) {
			s->page = (i << shift) - run;
			return i;
		}
		if (gh_summary_max(sum) >= s->npages)
			return i;
		run = start >> shift ? run + start : gh_summary_end(sum);
	}
	return end;
}

/* The last step down: a run inside of a chunk that is known to have one. */
static bool search_chunk(struct gh_pagealloc *pa, struct search *s, u64 chunk)
{
	u64 base = chunk * GH_CHUNK_PAGES;
	u64 *bits = gh_pagealloc_data(pa, base)->alloc;
	u32 hint = 0, n;

	if (s->first > base)
		hint = s->first - base;
	if (s->narrow) {
		hint = gh_pallocbits_find(bits, 1, hint);
		if (WARN_ON_ONCE(hint == GH_CHUNK_PAGES))
			return false;
		s->first = base + hint;
	}
	n = gh_pallocbits_find(bits, s->npages, hint);
	s->page = base + n;
	return !WARN_ON_ONCE(n == GH_CHUNK_PAGES);
}

/* Find the lowest run of @s->npages free pages. */
static bool search(struct gh_pagealloc *pa, struct search *s)
{
	u64 chunk = pa->search_page / GH_CHUNK_PAGES;
	u64 idx, end;
	u32 level;

	if (s->npages > pa->free_pages)
		return false;
	s->page = GH_NO_PAGE;
	s->first = pa->search_page;
	s->narrow = true;

	/* Most often there is room where the last allocation was. */
	if (gh_summary_max(*gh_pagealloc_sum(pa, LEAF, chunk)) >= s->npages)
		return search_chunk(pa, s, chunk);

	idx = s->first >> gh_pagealloc_shift(0);
	end = ((pa->end_page - 1) >> gh_pagealloc_shift(0)) + 1;
	for (level = 0; level < GH_SUMMARY_LEVELS; level++) {
		idx = search_level(pa, s, level, idx, end);
		if (s->page != GH_NO_PAGE)
			return true;
		if (idx == end || level == LEAF)
			break;
		idx <<= GH_SUMMARY_FANOUT_SHIFT;
		end = idx + GH_SUMMARY_FANOUT;
	}
	if (idx == end) {
		/* On level 0 there is no such run; below it there must be. */
		WARN_ON_ONCE(level);
		return false;
	}
	return search_chunk(pa, s, idx);
}

/**
 * gh_pagealloc_alloc() - allocate a run of pages
 * @pa: allocator
 * @npages: length of the run, not 0
 * @nr_scav: out: how many of them have no memory
 *
 * Context: owner's lock held.
 * Return: the first page of the lowest run there is, or GH_NO_PAGE.
 */
u64 gh_pagealloc_alloc(struct gh_pagealloc *pa, u64 npages, u64 *nr_scav)
{
	struct search s = { .npages = npages };

	*nr_scav = 0;
	if (WARN_ON_ONCE(!npages) || !search(pa, &s))
		return GH_NO_PAGE;
	*nr_scav = take_range(pa, s.page, npages);
	if (s.first >= s.page && s.first < s.page + npages)
		s.first = s.page + npages;
	search_from(pa, s.first);
	return s.page;
}

/**
 * gh_pagealloc_free() - free a run of pages
 * @pa: allocator
 * @page: first page
 * @npages: how many; all of them are in use, by one or several allocations
 * @scavenged: they have no memory
 *
 * Context: owner's lock held.
 */
void gh_pagealloc_free(struct gh_pagealloc *pa, u64 page, u64 npages,
		       bool scavenged)
{
	u64 end = page + npages;
	u64 p;
	u32 n;

	if (WARN_ON_ONCE(!npages || end > pa->end_page || end < page))
		return;
	for (p = page; p < end; p += n) {
		struct gh_pallocdata *d = gh_pagealloc_data(pa, p);
		u32 first = p % GH_CHUNK_PAGES;

		n = in_chunk(p, end);
		gh_pallocbits_clear(d->alloc, first, n);
		index_freed(pa, p, n, !scavenged);
		if (scavenged)
			gh_pallocbits_set(d->scav, first, n);
		else
			gh_pagealloc_block(pa, p)->nr_backed += n;
	}
	pa->free_pages += npages;
	if (scavenged)
		pa->scav_pages += npages;
	else
		pa->backed_end = max(pa->backed_end, end);
	pa->search_page = min(pa->search_page, page);
	update(pa, page, end, true);
}

/* Free pages with memory, in the word of the bitmaps that @page is in. */
static u64 backed_word(struct gh_pagealloc *pa, u64 page)
{
	struct gh_pallocdata *d = gh_pagealloc_data(pa, page);
	u32 i = page % GH_CHUNK_PAGES / 64;

	return ~(d->alloc[i] | d->scav[i]);
}

/* End of the highest run of free pages with memory, 0 without one. */
static u64 last_backed(struct gh_pagealloc *pa)
{
	u64 p = round_up(pa->backed_end, 64ULL);

	while (p) {
		struct gh_chunkblock *b = gh_pagealloc_block(pa, p - 1);
		u64 word;

		if (!b->nr_backed) {
			p = (u64)(b - pa->chunks) * GH_CHUNKS_PER_BLOCK *
			    GH_CHUNK_PAGES;
			continue;
		}
		p -= 64;
		word = backed_word(pa, p);
		if (word)
			return p + fls64(word);
	}
	return 0;
}

/**
 * gh_pagealloc_take_unscavenged() - allocate pages whose memory can be given
 *	back
 * @pa: allocator
 * @max_pages: most pages to take, not 0
 * @npages: out: how many there are
 *
 * Takes the high end of the highest run of free pages with memory. The caller
 * gives their memory back and then frees the pages as scavenged.
 * Context: owner's lock held.
 * Return: the first of the pages, or GH_NO_PAGE if no free page has memory.
 */
u64 gh_pagealloc_take_unscavenged(struct gh_pagealloc *pa, u64 max_pages,
				  u64 *npages)
{
	u64 end = last_backed(pa);
	u64 page = end;

	*npages = 0;
	pa->backed_end = end;
	if (!end || WARN_ON_ONCE(!max_pages))
		return GH_NO_PAGE;
	while (page && end - page < max_pages) {
		u32 last = (page - 1) % 64;
		u64 word = backed_word(pa, page - 1) << (63 - last);
		u32 run = 64 - fls64(~word);

		page -= run;
		if (run <= last)
			break;
	}
	if (end - page > max_pages)
		page = end - max_pages;
	*npages = end - page;
	pa->backed_end = page;
	take_range(pa, page, *npages);
	search_from(pa, 0);
	return page;
}

/* End of the highest free page with memory in [@start, @end) of a chunk, or 0. */
static u64 chunk_backed_end(struct gh_pagealloc *pa, u64 start, u64 end)
{
	while (end > start) {
		u32 last = (end - 1) % 64;
		u64 word = backed_word(pa, end - 1) << (63 - last);

		if (word)
			return end - (64 - fls64(word));
		end -= last + 1;
	}
	return 0;
}

/* First page of the run of free pages with memory that ends at @end. */
static u64 chunk_backed_start(struct gh_pagealloc *pa, u64 start, u64 end)
{
	while (end > start) {
		u32 last = (end - 1) % 64;
		u64 word = backed_word(pa, end - 1) << (63 - last);
		u32 run = 64 - fls64(~word);

		end -= run;
		if (run <= last)
			break;
	}
	return end;
}

/* End of the highest such page below sparse_end in a sparse chunk, or 0. */
static u64 last_sparse(struct gh_pagealloc *pa)
{
	u64 p = pa->sparse_end;
	u64 start, end;

	for (; p; p = start) {
		struct gh_chunkblock *b = gh_pagealloc_block(pa, p - 1);
		struct gh_scav_chunk *c = gh_pagealloc_index(pa, p - 1);

		start = (u64)(b - pa->chunks) * GH_CHUNKS_PER_BLOCK *
			GH_CHUNK_PAGES;
		if (!b->nr_backed)
			continue;
		start = round_down(p - 1, (u64)GH_CHUNK_PAGES);
		if (!gh_scav_chunk_sparse(c, pa->gen))
			continue;
		end = chunk_backed_end(pa, start, p);
		if (end)
			return end;
		if (p == start + GH_CHUNK_PAGES)
			c->has_free = 0;
	}
	return 0;
}

/**
 * gh_pagealloc_take_sparse() - allocate pages for the background scavenger
 * @pa: allocator
 * @max_pages: most pages to take, not 0; exceeded for a whole huge page
 * @npages: out: how many there are, all in one chunk
 *
 * As gh_pagealloc_take_unscavenged(), but leaves dense chunks alone and looks
 * only at addresses that were below sparse_end when the generation began. Pages
 * that reach into a huge page all of which is free and has memory are extended
 * to its start: what is given back is then a block to the kernel as well, and
 * no half of one is left. The rule is Go's.
 * Context: owner's lock held.
 * Return: the first of the pages, or GH_NO_PAGE if there is nothing to take.
 */
u64 gh_pagealloc_take_sparse(struct gh_pagealloc *pa, u64 max_pages,
			     u64 *npages)
{
	u64 end = last_sparse(pa);
	u64 page = end, first, huge;

	*npages = 0;
	pa->sparse_end = end;
	if (!end || WARN_ON_ONCE(!max_pages))
		return GH_NO_PAGE;
	first = round_down(end - 1, (u64)GH_CHUNK_PAGES);
	first = chunk_backed_start(pa, first, end);
	page = end - min(end - first, max_pages);
	huge = round_down(page, (u64)GH_HUGE_PAGES);
	if (huge >= first && huge + GH_HUGE_PAGES <= end)
		page = huge;
	*npages = end - page;
	pa->sparse_end = page;
	take_range(pa, page, *npages);
	search_from(pa, 0);
	return page;
}

/**
 * gh_pagealloc_next_gen() - begin a generation of the scavenger's index
 * @pa: allocator
 *
 * What has become free in the last one can be taken from now on.
 * Context: owner's lock held.
 */
void gh_pagealloc_next_gen(struct gh_pagealloc *pa)
{
	pa->gen++;
	pa->sparse_end = max(pa->sparse_end, pa->freed_end);
	pa->freed_end = 0;
}

/**
 * gh_pagealloc_fill_cache() - allocate the free pages of a group of 64
 * @pa: allocator
 *
 * Context: owner's lock held.
 * Return: the lowest group with free pages, an empty one if there is none.
 */
struct gh_pagecache gh_pagealloc_fill_cache(struct gh_pagealloc *pa)
{
	struct search s = { .npages = 1 };
	struct gh_pagecache c = { };
	struct gh_pallocdata *d;
	u32 i;

	if (!search(pa, &s))
		return c;
	d = gh_pagealloc_data(pa, s.page);
	i = s.page % GH_CHUNK_PAGES / 64;
	c.base = s.page & ~63ULL;
	c.free = ~d->alloc[i];
	c.scav = d->scav[i];
	d->alloc[i] = ~0ULL;
	d->scav[i] = 0;
	index_taken(pa, c.base, hweight64(c.free));
	pa->free_pages -= hweight64(c.free);
	pa->scav_pages -= hweight64(c.scav);
	gh_pagealloc_block(pa, c.base)->nr_backed -= hweight64(c.free & ~c.scav);
	update_group(pa, c.base);
	search_from(pa, c.base + 64);
	return c;
}

/**
 * gh_pagealloc_give_group() - free pages of a group of 64
 * @pa: allocator
 * @c: the pages, and which of them have no memory
 *
 * Context: owner's lock held.
 */
void gh_pagealloc_give_group(struct gh_pagealloc *pa,
			     const struct gh_pagecache *c)
{
	struct gh_pallocdata *d;
	u64 backed;
	u32 i;

	if (!c->free)
		return;
	d = gh_pagealloc_data(pa, c->base);
	i = c->base % GH_CHUNK_PAGES / 64;
	backed = c->free & ~c->scav;
	d->alloc[i] &= ~c->free;
	d->scav[i] |= c->scav;
	index_freed(pa, c->base, hweight64(c->free), backed);
	pa->free_pages += hweight64(c->free);
	pa->scav_pages += hweight64(c->scav);
	gh_pagealloc_block(pa, c->base)->nr_backed += hweight64(backed);
	pa->search_page = min(pa->search_page, c->base + __ffs64(c->free));
	pa->backed_end = max(pa->backed_end, c->base + fls64(backed));
	update_group(pa, c->base);
}
