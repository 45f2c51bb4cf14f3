/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GH_MUTATOR_H
#define GH_MUTATOR_H

#include "gh_config.h"
#include "gh_mark.h"

struct gh_heap;
struct gh_spanclass;

/* Leases share OS pages evenly, so that each lies in one. */
#define GH_LEASE_SLOTS_BYTES	(GH_LEASE_WORDS * sizeof(struct gh_slots))
#define GH_LEASES_PER_PAGE	(PAGE_SIZE / GH_LEASE_SLOTS_BYTES)
#define GH_BARRIER_REFS		506

/**
 * struct gh_control - first page that a mutator shares with the kernel
 * @generation: written by the kernel, moved on whenever leases are taken back
 * @tiny_allocs: objects the mutator has put in 16-byte slots beside others
 * @tiny: block that tiny objects share, 0 for none
 * @slot: address that the mutator stores a reference to, or last has
 * @nr_barrier: entries of @barrier in use
 * @reserved: zero
 * @barrier: references for the collector
 * @switches: not read
 *
 * The same as struct goheap_mutator. The mutator can write all of it.
 */
struct gh_control {
	u64 generation;
	u64 tiny_allocs;
	u64 tiny;
	u64 slot;
	u32 nr_barrier;
	u32 reserved;
	u64 barrier[GH_BARRIER_REFS];
	u64 switches;
};

/**
 * struct gh_slots - a word of slots that the mutator may take
 * @mask: bit n: slot n is free to take; the mutator clears it
 * @base: reference to slot 0 of the word
 *
 * The same as struct goheap_slots; on the pages after gh_control.
 */
struct gh_slots {
	u64 mask;
	u64 base;
};

/**
 * struct gh_grant - what the kernel knows of a struct gh_slots
 * @span: span of the slots
 * @mask: slots granted
 * @word: which word of the span's bitmap
 */
struct gh_grant {
	struct gh_span *span;
	u64 mask;
	u32 word;
};

/**
 * struct gh_lease - slots of one span class that a mutator holds
 * @sc: span class
 * @spans: spans that grants come from, owned like those in an mcache; the next
 *	word is the last one's
 * @nr: grants
 * @want: words to grant next time
 * @grants: one for each struct gh_slots of the lease
 */
struct gh_lease {
	struct gh_spanclass *sc;
	struct list_head spans;
	u32 nr;
	u32 want;
	struct gh_grant grants[GH_LEASE_WORDS];
};

/**
 * struct gh_mutator - a thread that allocates without calls
 * @node: on gh_heap.mutators
 * @lock: protects all below; inside of gh_heap.world and mutators_lock
 * @nr_leases: length of @leases
 * @window: where it sees the objects
 * @generation: last value written to gh_control.generation
 * @credit: bytes it may take without an assist, see gh_pace_pay()
 * @drained: entries of gh_control.barrier that have been taken as roots
 * @silent: all that it had to say before @ended has been taken
 * @ended: its thread has no objects any more; set without @lock
 * @pages: kernel addresses of the shared OS pages, NULL where not made yet;
 *	published with smp_store_release()
 * @leases: NULL where not made yet
 */
struct gh_mutator {
	struct list_head node;
	struct mutex lock;
	u32 nr_leases;
	struct gh_window window;
	u64 generation;
	atomic64_t credit;
	u32 drained;
	bool silent;
	bool ended;
	void *pages[1 + GH_MAX_LEASES / GH_LEASES_PER_PAGE];
	struct gh_lease *leases[GH_MAX_LEASES];
};

/**
 * struct gh_refill - what gh_mutator_refill() has granted
 * @words: number of struct gh_slots filled
 * @slot_bytes: distance of slots in bytes
 * @generation: that of the mutator when they were granted
 */
struct gh_refill {
	u32 words;
	u32 slot_bytes;
	u64 generation;
};

struct gh_mutator *gh_mutator_create(struct gh_heap *heap, u32 nr_leases,
				     const struct gh_window *window);
void gh_mutator_end(struct gh_mutator *mut);
void gh_mutator_destroy(struct gh_heap *heap, struct gh_mutator *mut);
void *gh_mutator_page(struct gh_heap *heap, struct gh_mutator *mut, u32 index);
int gh_mutator_refill(struct gh_heap *heap, struct gh_mutator *mut, u32 index,
		      u32 layout, u64 bytes, struct gh_refill *out);
void gh_mutator_begin_all(struct gh_heap *heap, struct gh_mark *m);
void gh_mutator_drain_all(struct gh_heap *heap, struct gh_mark *m);
void gh_mutator_flush_all(struct gh_heap *heap);
u64 gh_mutator_slot(const struct gh_mutator *mut);
void gh_mutator_enter(struct gh_mutator *mut);
void gh_mutator_barrier(struct gh_heap *heap, struct gh_mutator *mut);
u64 gh_mutator_unused(struct gh_heap *heap, u64 *unused);

#endif /* GH_MUTATOR_H */
