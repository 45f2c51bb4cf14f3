// SPDX-License-Identifier: GPL-2.0
/*
 * Page cache: pages that a CPU has taken from the page allocator in advance.
 *
 * A cache holds free pages of one aligned group of 64, so that it is three
 * words: where the group begins, which of its pages the cache still has, and
 * which of those have no memory. All the free pages of a group are taken at
 * once; they need not be adjacent. Short runs come out of the words without the
 * lock of the page allocator.
 *
 * To the page allocator the pages of a cache are in use: their scavenged bits
 * live in the cache (scav is a subset of free) until the cache is flushed.
 *
 * Each mcache has one; gh_heap.c fills it with gh_pagealloc_fill_cache() and
 * allocates from it, gh_malloc.c
 * flushes it with the rest of the mcache. gh_mcache.lock protects it; to fill
 * and to flush it the lock of the page allocator is held, too.
 */
#include "gh_internal.h"
#include "gh_pagealloc.h"

/**
 * gh_pagecache_alloc() - allocate a run of pages from a cache
 * @c: cache, may be empty
 * @npages: length of the run, 1 to GH_PAGECACHE_PAGES
 * @nr_scav: out: how many of them have no memory
 *
 * Context: lock of the cache held.
 * Return: the first page of the lowest run there is, or GH_NO_PAGE.
 */
u64 gh_pagecache_alloc(struct gh_pagecache *c, u32 npages, u64 *nr_scav)
{
	u64 runs, mask;
	u32 first;

	*nr_scav = 0;
	if (WARN_ON_ONCE(!npages || npages > GH_PAGECACHE_PAGES))
		return GH_NO_PAGE;
	runs = gh_bits_runs(c->free, 0, npages);
	if (!runs)
		return GH_NO_PAGE;
	first = __ffs64(runs);
	mask = ~0ULL >> (GH_PAGECACHE_PAGES - npages) << first;
	*nr_scav = hweight64(c->scav & mask);
	c->free &= ~mask;
	c->scav &= ~mask;
	return c->base + first;
}

/**
 * gh_pagecache_flush() - give what is left in a cache back
 * @c: cache; empty afterwards
 * @pa: page allocator it was filled from
 *
 * Context: locks of the page allocator and of the cache held.
 */
void gh_pagecache_flush(struct gh_pagecache *c, struct gh_pagealloc *pa)
{
	gh_pagealloc_give_group(pa, c);
	memset(c, 0, sizeof(*c));
}
