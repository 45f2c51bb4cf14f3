/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the scavenger knows of a chunk: see gh_scavindex.c.
 */
#ifndef GH_SCAVINDEX_H
#define GH_SCAVINDEX_H

#include "gh_config.h"

/*
 * A chunk with so many pages in use is dense: 96.875 % of it, Go's
 * scavChunkHiOccFrac.
 */
#define GH_SCAV_DENSE_PAGES	(GH_CHUNK_PAGES / 32 * 31)

/**
 * struct gh_scav_chunk - candidate of the scavenger (scavChunkData)
 * @in_use: pages in use now, 0 to GH_CHUNK_PAGES
 * @last_in_use: pages in use when the generation before @gen ended
 * @has_free: may have free pages with memory; clear: has none
 * @gen: generation of the last change of @in_use
 *
 * Eight bytes, so that a search goes through eight chunks, 32 MiB, in a cache
 * line. Protected as the page allocator is (gh_heap.lock).
 */
struct gh_scav_chunk {
	u16 in_use;
	u16 last_in_use:15;
	u16 has_free:1;
	u32 gen;
};

void gh_scav_chunk_taken(struct gh_scav_chunk *c, u32 npages, u32 gen);
void gh_scav_chunk_freed(struct gh_scav_chunk *c, u32 npages, u32 gen,
			 bool backed);
bool gh_scav_chunk_sparse(const struct gh_scav_chunk *c, u32 gen);

#endif /* GH_SCAVINDEX_H */
