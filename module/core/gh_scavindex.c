// SPDX-License-Identifier: GPL-2.0
/*
 * Index of the scavenger: which chunks are worth taking memory from.
 *
 * Memory that is taken in the background comes from chunks that are sparse. A
 * dense chunk is being filled, or will be soon: its few free pages are the next
 * ones that first fit hands out, taking them frees next to nothing, and it
 * tears up memory that is contiguous, in the kernel and in page tables.
 *
 * "Dense" is about now and about the last generation; a generation ends with
 * each cycle. A chunk that was full until a moment ago and has been swept since
 * may fill up again before the next cycle, as a heap does that breathes between
 * two sizes. So a chunk that has changed in this generation has to be sparse
 * now, and has to have been so when the last one ended. For a chunk that has
 * not changed both are one number, which is why it is enough to keep the number
 * of pages in use, its value before the first change in a generation, and when
 * that was.
 *
 * The entries are kept by gh_pagealloc.c, one for each chunk beside its
 * bitmaps. Pages in page caches and pages whose memory is being given back
 * count as in use, as they do in the bitmaps: in_use is the number of bits set
 * there. Pure functions of one entry.
 */
#include "gh_internal.h"
#include "gh_scavindex.h"

/* The first change in a generation keeps what the last one ended with. */
static void enter(struct gh_scav_chunk *c, u32 gen)
{
	if (c->gen == gen)
		return;
	c->last_in_use = c->in_use;
	c->gen = gen;
}

/**
 * gh_scav_chunk_taken() - free pages of a chunk have been taken
 * @c: its entry
 * @npages: how many
 * @gen: current generation
 */
void gh_scav_chunk_taken(struct gh_scav_chunk *c, u32 npages, u32 gen)
{
	WARN_ON_ONCE(c->in_use + npages > GH_CHUNK_PAGES);
	enter(c, gen);
	c->in_use += npages;
	if (c->in_use == GH_CHUNK_PAGES)
		c->has_free = 0;
}

/**
 * gh_scav_chunk_freed() - pages of a chunk have become free
 * @c: its entry
 * @npages: how many
 * @gen: current generation
 * @backed: some of them have memory
 */
void gh_scav_chunk_freed(struct gh_scav_chunk *c, u32 npages, u32 gen,
			 bool backed)
{
	WARN_ON_ONCE(npages > c->in_use);
	enter(c, gen);
	c->in_use -= npages;
	if (backed)
		c->has_free = 1;
}

/**
 * gh_scav_chunk_sparse() - may memory be taken in the background?
 * @c: entry of a chunk
 * @gen: current generation
 *
 * Return: true if the chunk may have some, and is not dense.
 */
bool gh_scav_chunk_sparse(const struct gh_scav_chunk *c, u32 gen)
{
	if (!c->has_free || c->in_use >= GH_SCAV_DENSE_PAGES)
		return false;
	return c->gen != gen || c->last_in_use < GH_SCAV_DENSE_PAGES;
}
