/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GH_PAGEALLOC_H
#define GH_PAGEALLOC_H

#include "gh_config.h"
#include "gh_pallocbits.h"
#include "gh_scavindex.h"

#define GH_NO_PAGE		U64_MAX
#define GH_SUMMARY_LEVELS	5
#define GH_SUMMARY_LEAF		(GH_SUMMARY_LEVELS - 1)
#define GH_SUMMARIES_PER_BLOCK	512
#define GH_CHUNKS_PER_BLOCK	128
#define GH_CHUNKBLOCK_BYTES \
	(GH_CHUNKS_PER_BLOCK * (sizeof(struct gh_pallocdata) + \
				sizeof(struct gh_scav_chunk)))

/**
 * struct gh_pallocdata - bitmaps of one chunk
 * @alloc: bit set: page in use
 * @scav: bit set: page is free and has no memory
 */
struct gh_pallocdata {
	u64 alloc[GH_CHUNK_PAGES / 64];
	u64 scav[GH_CHUNK_PAGES / 64];
};

/**
 * struct gh_chunkblock - neighbouring chunks
 * @data: their bitmaps, GH_CHUNKS_PER_BLOCK of them
 * @index: their entries in the scavenger's index, as many, behind @data in the
 *	same piece of memory
 * @nr_backed: free pages with memory in all of them
 */
struct gh_chunkblock {
	struct gh_pallocdata *data;
	struct gh_scav_chunk *index;
	u64 nr_backed;
};

/**
 * struct gh_pagealloc - first-fit allocator of heap pages (pageAlloc)
 * @max_pages: size of the address space, a multiple of a chunk
 * @end_page: pages below have been grown; always a multiple of a chunk
 * @search_page: no free page lies below; GH_NO_PAGE when none is free
 * @backed_end: no free page with memory lies at or above it
 * @sparse_end: no page that gh_pagealloc_take_sparse() could take lies at or
 *	above it; raised to @freed_end by gh_pagealloc_next_gen()
 * @freed_end: end of the highest chunk in which something to take has become
 *	free in this generation, 0 without one
 * @gen: generation of the scavenger's index; may wrap around
 * @free_pages: free pages, scavenged ones included
 * @scav_pages: free pages without memory
 * @summaries: per level, blocks of packed summaries, made as the heap grows
 * @chunks: blocks of chunk bitmaps, made as the heap grows
 * @meta_bytes: memory of the blocks and of the tables of blocks
 *
 * All of it is protected by a lock of the owner (gh_heap.lock).
 */
struct gh_pagealloc {
	u64 max_pages;
	u64 end_page;
	u64 search_page;
	u64 backed_end;
	u64 sparse_end;
	u64 freed_end;
	u32 gen;
	u64 free_pages;
	u64 scav_pages;
	u64 **summaries[GH_SUMMARY_LEVELS];
	struct gh_chunkblock *chunks;
	u64 meta_bytes;
};

/**
 * struct gh_pagecache - up to 64 pages taken from the allocator (pageCache)
 * @base: first page of the aligned group of 64
 * @free: bit n: page @base + n belongs to the cache
 * @scav: bit n: it has no memory
 *
 * Protected by the owner's lock (gh_mcache.lock).
 */
struct gh_pagecache {
	u64 base;
	u64 free;
	u64 scav;
};

int gh_pagealloc_init(struct gh_pagealloc *pa, u64 max_pages);
void gh_pagealloc_destroy(struct gh_pagealloc *pa);
int gh_pagealloc_grow(struct gh_pagealloc *pa, u64 npages);
u64 gh_pagealloc_alloc(struct gh_pagealloc *pa, u64 npages, u64 *nr_scav);
void gh_pagealloc_free(struct gh_pagealloc *pa, u64 page, u64 npages,
		       bool scavenged);
u64 gh_pagealloc_take_unscavenged(struct gh_pagealloc *pa, u64 max_pages,
				  u64 *npages);
u64 gh_pagealloc_take_sparse(struct gh_pagealloc *pa, u64 max_pages,
			     u64 *npages);
void gh_pagealloc_next_gen(struct gh_pagealloc *pa);
void gh_pagealloc_give_group(struct gh_pagealloc *pa,
			     const struct gh_pagecache *c);
const char *gh_pagealloc_check(struct gh_pagealloc *pa);

struct gh_pagecache gh_pagealloc_fill_cache(struct gh_pagealloc *pa);
u64 gh_pagecache_alloc(struct gh_pagecache *c, u32 npages, u64 *nr_scav);
void gh_pagecache_flush(struct gh_pagecache *c, struct gh_pagealloc *pa);

/* log2 of the pages that an entry of a level describes */
static inline u32 gh_pagealloc_shift(u32 level)
{
	return GH_CHUNK_PAGES_SHIFT +
	       GH_SUMMARY_FANOUT_SHIFT * (GH_SUMMARY_LEAF - level);
}

static inline u64 *gh_pagealloc_sum(struct gh_pagealloc *pa, u32 level, u64 idx)
{
	return &pa->summaries[level][idx / GH_SUMMARIES_PER_BLOCK]
				    [idx % GH_SUMMARIES_PER_BLOCK];
}

static inline struct gh_chunkblock *
gh_pagealloc_block(struct gh_pagealloc *pa, u64 page)
{
	return &pa->chunks[page / GH_CHUNK_PAGES / GH_CHUNKS_PER_BLOCK];
}

static inline struct gh_pallocdata *
gh_pagealloc_data(struct gh_pagealloc *pa, u64 page)
{
	u64 chunk = page / GH_CHUNK_PAGES;

	return &gh_pagealloc_block(pa, page)->data[chunk % GH_CHUNKS_PER_BLOCK];
}

static inline struct gh_scav_chunk *
gh_pagealloc_index(struct gh_pagealloc *pa, u64 page)
{
	u64 chunk = page / GH_CHUNK_PAGES;

	return &gh_pagealloc_block(pa, page)->index[chunk % GH_CHUNKS_PER_BLOCK];
}

static inline bool gh_pagecache_empty(const struct gh_pagecache *c)
{
	return !c->free;
}

#endif /* GH_PAGEALLOC_H */
