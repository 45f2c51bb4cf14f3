// SPDX-License-Identifier: GPL-2.0
/*
 * Roots: references that a program has pinned, each named by a number.
 *
 * A table of slots in blocks, so that a slot never moves and the table grows
 * without copying references. A slot in use holds its reference, which may be
 * nil; a free one holds the number of the next free slot. Which of the two it
 * is, is said by a bit per slot: a program may store any number, so that the
 * word itself cannot tell.
 *
 * Blocks are added in gh_roots_reserve(), which can fail; after it so many
 * gh_roots_add() cannot. So a caller that adds several roots finds out whether
 * there is room before it has added the first. The array of blocks and the bits
 * have room for a power of two of slots, which follows from the number of
 * slots. Nothing shrinks before gh_roots_destroy(), which an attachment's end
 * brings.
 *
 * Invariants: every free slot is on the list that begins at gh_roots.free, once,
 * and nr_used of nr_slots are not.
 *
 * Called by the device layer, one table per attachment, whose lock protects it.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_roots.h"

#define BATCH	64	/* references offered to the marker at a time */

static u64 *slot_of(const struct gh_roots *r, u32 id)
{
	return &r->blocks[id / GH_ROOTS_PER_BLOCK][id % GH_ROOTS_PER_BLOCK];
}

/* Slots that the array of blocks and the bits have room for. */
static u32 room_for(u32 nr_slots)
{
	return nr_slots ? 1U << fls64(nr_slots - 1) : 0;
}

/**
 * gh_roots_init() - make an empty table
 * @r: what to fill in
 */
void gh_roots_init(struct gh_roots *r)
{
	memset(r, 0, sizeof(*r));
	r->free = GH_MAX_ROOTS;
}

/**
 * gh_roots_destroy() - drop all roots and free the table's memory
 * @r: table; empty afterwards and may be used again
 */
void gh_roots_destroy(struct gh_roots *r)
{
	u32 i;

	for (i = 0; i < r->nr_slots / GH_ROOTS_PER_BLOCK; i++)
		kfree(r->blocks[i]);
	kvfree(r->blocks);
	kvfree(r->used);
	gh_roots_init(r);
}

/* Give the array of blocks and the bits room for @nr_slots. */
static int make_room(struct gh_roots *r, u32 nr_slots)
{
	u32 old = room_for(r->nr_slots), room = room_for(nr_slots);
	u64 **blocks;
	u64 *used;

	if (room == old)
		return 0;
	blocks = kvcalloc(room / GH_ROOTS_PER_BLOCK, sizeof(*blocks),
			  GH_GFP);
	used = kvcalloc(room / 64, sizeof(*used), GH_GFP);
	if (!blocks || !used) {
		kvfree(blocks);
		kvfree(used);
		return -ENOMEM;
	}
	if (old) {
		memcpy(blocks, r->blocks,
		       old / GH_ROOTS_PER_BLOCK * sizeof(*blocks));
		memcpy(used, r->used, old / 64 * sizeof(*used));
	}
	kvfree(r->blocks);
	kvfree(r->used);
	r->blocks = blocks;
	r->used = used;
	return 0;
}

static void free_blocks(struct gh_roots *r, u32 from, u32 to)
{
	u32 i;

	for (i = from; i < to; i++) {
		kfree(r->blocks[i]);
		r->blocks[i] = NULL;
	}
}

static int make_blocks(struct gh_roots *r, u32 from, u32 to)
{
	u32 i;

	for (i = from; i < to; i++) {
		r->blocks[i] = kcalloc(GH_ROOTS_PER_BLOCK, sizeof(u64),
				       GH_GFP);
		if (!r->blocks[i]) {
			free_blocks(r, from, i);
			return -ENOMEM;
		}
	}
	return 0;
}

/**
 * gh_roots_reserve() - make sure that roots can be added
 * @r: table
 * @count: how many
 *
 * Context: may sleep; owner's lock held.
 * Return: 0: that many gh_roots_add() will find a slot; -ENOSPC beyond
 * GH_MAX_ROOTS or -ENOMEM: nothing has changed.
 */
int gh_roots_reserve(struct gh_roots *r, u32 count)
{
	u32 nr, id;
	int err;

	if (count > GH_MAX_ROOTS - r->nr_used)
		return -ENOSPC;
	nr = round_up(r->nr_used + count, GH_ROOTS_PER_BLOCK);
	if (nr <= r->nr_slots)
		return 0;
	/* Room without blocks does no harm: it is made anew next time. */
	err = make_room(r, nr);
	if (!err)
		err = make_blocks(r, r->nr_slots / GH_ROOTS_PER_BLOCK,
				  nr / GH_ROOTS_PER_BLOCK);
	if (err)
		return err;
	/* The new slots go before the free ones, the lowest first. */
	for (id = nr; id-- > r->nr_slots; r->free = id)
		*slot_of(r, id) = r->free;
	r->nr_slots = nr;
	return 0;
}

/**
 * gh_roots_add() - pin a reference
 * @r: table in which gh_roots_reserve() has made room
 * @ref: reference, checked by the caller; may be 0
 *
 * Return: number of the root.
 */
u32 gh_roots_add(struct gh_roots *r, u64 ref)
{
	u32 id = r->free;

	if (WARN_ON_ONCE(id >= r->nr_slots))
		return GH_MAX_ROOTS;
	r->free = *slot_of(r, id);
	r->used[id / 64] |= 1ULL << (id % 64);
	r->nr_used++;
	*slot_of(r, id) = ref;
	return id;
}

/**
 * gh_roots_has() - is there a root of that number?
 * @r: table
 * @id: any number
 *
 * Return: true if there is.
 */
bool gh_roots_has(const struct gh_roots *r, u32 id)
{
	if (id >= r->nr_slots)
		return false;
	/* Numbers come from programs; no access beyond, not even a guess. */
	id = array_index_nospec(id, r->nr_slots);
	return r->used[id / 64] >> (id % 64) & 1;
}

/**
 * gh_roots_set() - let a root hold another reference
 * @r: table
 * @id: root for which gh_roots_has() is true
 * @ref: reference, checked by the caller; may be 0
 */
void gh_roots_set(struct gh_roots *r, u32 id, u64 ref)
{
	if (!WARN_ON_ONCE(!gh_roots_has(r, id)))
		*slot_of(r, id) = ref;
}

/**
 * gh_roots_remove() - drop a root
 * @r: table
 * @id: root for which gh_roots_has() is true; the number may be given again
 */
void gh_roots_remove(struct gh_roots *r, u32 id)
{
	if (WARN_ON_ONCE(!gh_roots_has(r, id)))
		return;
	r->used[id / 64] &= ~(1ULL << (id % 64));
	r->nr_used--;
	*slot_of(r, id) = r->free;
	r->free = id;
}

/**
 * gh_roots_next() - collect references
 * @r: table
 * @pos: slot to go on from, 0 at first; moved on
 * @refs: out: references that are not nil
 * @max: most of them, not 0
 *
 * Return: how many there are in @refs; 0 at the end of the table.
 */
u32 gh_roots_next(const struct gh_roots *r, u32 *pos, u64 *refs, u32 max)
{
	u32 nr = 0;
	u32 id = *pos;

	while (id < r->nr_slots && nr < max) {
		u64 used = r->used[id / 64] >> (id % 64);
		u64 ref;

		if (!used) {
			id = round_up(id + 1, 64);
			continue;
		}
		id += __ffs64(used);
		ref = *slot_of(r, id++);
		if (ref)
			refs[nr++] = ref;
	}
	*pos = id;
	return nr;
}

/**
 * gh_roots_mark() - offer the roots to the marker
 * @r: table
 * @m: marker
 *
 * Context: nobody changes the table meanwhile; the device layer, where programs
 * do, goes through it with gh_roots_next().
 */
void gh_roots_mark(struct gh_roots *r, struct gh_mark *m)
{
	u64 refs[BATCH];
	u32 pos = 0;
	u32 nr;

	while ((nr = gh_roots_next(r, &pos, refs, BATCH)))
		gh_mark_refs(m, refs, nr, GH_ROOT_HANDLE);
}
