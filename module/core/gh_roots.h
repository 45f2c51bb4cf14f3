/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GH_ROOTS_H
#define GH_ROOTS_H

#include "gh_config.h"

struct gh_heap;
struct gh_mark;

#define GH_ROOTS_PER_BLOCK	512

/**
 * struct gh_roots - table of pinned handles of one attachment
 * @blocks: blocks of GH_ROOTS_PER_BLOCK words: a reference, or while a slot is
 *	free the index of the next free one
 * @used: bit per slot: in use
 * @nr_slots: slots there are, a multiple of GH_ROOTS_PER_BLOCK
 * @nr_used: slots in use
 * @free: first free slot, GH_MAX_ROOTS without one
 *
 * Protected by a lock of the owner; the collector reads it with the world
 * stopped.
 */
struct gh_roots {
	u64 **blocks;
	u64 *used;
	u32 nr_slots;
	u32 nr_used;
	u32 free;
};

void gh_roots_init(struct gh_roots *r);
void gh_roots_destroy(struct gh_roots *r);
int gh_roots_reserve(struct gh_roots *r, u32 count);
u32 gh_roots_add(struct gh_roots *r, u64 ref);
bool gh_roots_has(const struct gh_roots *r, u32 id);
void gh_roots_set(struct gh_roots *r, u32 id, u64 ref);
void gh_roots_remove(struct gh_roots *r, u32 id);
u32 gh_roots_next(const struct gh_roots *r, u32 *pos, u64 *refs, u32 max);
void gh_roots_mark(struct gh_roots *r, struct gh_mark *m);

#endif /* GH_ROOTS_H */
