/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Structures shared by several units of the core.
 *
 * Words
 * -----
 * offset ("off")	byte address in the heap, 0 <= off < aspace; what the low
 *			48 bits of a program's reference hold
 * page			offset >> GH_PAGE_SHIFT
 * span			run of pages that holds objects of one span class, or one
 *			large object
 * size class		one of Go's 68; class 0 stands for large objects
 * layout		which words of an object hold references
 * span class		size class x layout; what a span, a list of spans and a
 *			place in an mcache belong to
 * slot			room for one object in a span
 * backed		a page that has memory; the page allocator's "scavenged"
 *			is the opposite
 * kaddr		kernel address of something
 * last, end		inclusive, exclusive bound
 *
 * Locks, outermost first
 * ----------------------
 * 1. gh_heap.world (rw_semaphore). Read: an operation on behalf of a program
 *    that allocates, looks at objects or roots, or maps pages. Write: the
 *    collector has stopped the heap. Never held across an access to user
 *    memory, because page faults take it.
 * 2. gh_mcache.lock (mutex, one per CPU): the mcache. Held across refill, so
 *    it is a mutex; almost never contended, since each CPU has its own.
 * 3. gh_heap.lock (mutex): page allocator, growth, arena table, layouts and
 *    span classes.
 * 4. gh_heap.backing (rw_semaphore). Read: a page fault that maps backed
 *    pages. Write: backing is being taken away.
 * 5. gh_central.lock (spinlock): four lists of spans.
 * 6. gh_heap.batch_lock (mutex): batches not yet handed over.
 * 7. gh_work.lock (spinlock): spans that any marker may scan.
 * 8. gh_heap.cycle_lock (spinlock): records of cycles.
 *
 * A span is owned by whoever moved its sweepgen on (see struct gh_span), by
 * the mcache it sits in, or by the central list it is on; its fields need no
 * lock of their own.
 */
#ifndef GH_TYPES_H
#define GH_TYPES_H

#include "gh_config.h"

struct gh_heap;
struct gh_spanclass;

/**
 * struct gh_layout - where the references of an object lie
 * @id: index in gh_heap.layouts
 * @elem_size: bytes after which the mask repeats
 * @nr_bits: bits in @mask; words of the element beyond hold no reference
 * @tile: mask of 64 words, if the element repeats evenly in them; else 0
 * @classes: span class by size class, made on first use under gh_heap.lock,
 *	read with smp_load_acquire() without it
 * @mask: bit n: the word at n * 8 holds a reference
 *
 * Constant once published in gh_heap.layouts; freed with the heap.
 * GH_LAYOUT_NOSCAN has no bits. GH_LAYOUT_STACK calls every word a reference;
 * that its first word is a count of those in use is known to the marker.
 */
struct gh_layout {
	u32 id;
	u32 nr_bits;
	u64 elem_size;
	u64 tile;
	struct gh_spanclass *classes[GH_NR_CLASSES];
	u64 mask[];
};

/**
 * struct gh_central - spans of one span class that no mcache holds (mcentral)
 * @lock: protects all lists
 * @partial: spans with free slots
 * @full: spans without
 *
 * [swept(heap)] of each is the list of swept spans, the other one that of
 * unswept spans; they change roles when gh_heap.sweepgen moves on by 2. Go has
 * lock-free sets here; list_head under a lock that is held for a few
 * instructions once per span is simpler and needs no memory.
 */
struct gh_central {
	spinlock_t lock;
	struct list_head partial[2];
	struct list_head full[2];
};

/**
 * struct gh_spanclass - size class x layout
 * @id: index in gh_heap.spanclasses and in gh_mcache.spans
 * @sizeclass: size class, 0 for large objects
 * @nr_words: words of one bitmap of a span, (nelems + 63) / 64
 * @nelems: slots in a span
 * @npages: pages of a span; 0 for large objects, whose spans differ
 * @elemsize: bytes of a slot; 0 for large objects
 * @divmul: 2^32 / elemsize rounded up, for the slot index by multiplication
 * @layout: a layout that objects of this class have; several layouts with the
 *	same references in a slot share the span class
 * @ptr_words: words of a slot up to and with the last reference; 0 is noscan
 * @stack: the objects are managed stacks, scanned up to the top they say
 * @mask0: the first 64 bits of @mask; all there is for slots up to 512 bytes
 * @mask: references of a whole slot; NULL for noscan and large objects
 * @same_size: next span class of this size class, for sharing
 * @central: spans without an mcache
 */
struct gh_spanclass {
	u32 id;
	u8 sizeclass;
	u8 nr_words;
	u16 nelems;
	u32 npages;
	u32 elemsize;
	u32 divmul;
	u32 ptr_words;
	bool stack;
	u64 mask0;
	u64 *mask;
	struct gh_layout *layout;
	struct gh_spanclass *same_size;
	struct gh_central central;
};

/* gh_span.state; in use is published last and read first. */
enum gh_span_state {
	GH_SPAN_DEAD = 0,
	GH_SPAN_IN_USE = 1,
};

/*
 * gh_span.work. A span that is queued is on one queue, or in the window of a
 * marker, or being scanned; a large object is queued to the end of the cycle and
 * on a queue while it is shared.
 */
#define GH_SPAN_DIRTY		0xffff
#define GH_SPAN_QUEUED		(1 << 16)
#define GH_SPAN_SHARED		(1 << 17)

/**
 * struct gh_bits - bitmaps of 64 slots, side by side in a cache line
 * @half: mark and allocation bits; which is which follows from
 *	gh_heap.sweepgen, see gh_mark_half()
 * @scan: slots that have been scanned in this cycle; of the marker that scans the
 *	span, and the sweeper
 *
 * Allocation bits change by the owner of the span alone. Marks change by many
 * while objects are being marked, so by gh_bits_or(), gh_bits_andnot() and
 * compare and exchange only.
 */
struct gh_bits {
	u64 half[2];
	u64 scan;
};

/**
 * struct gh_span - a run of pages with objects of one span class (mspan)
 * @base: offset of the first byte
 * @kaddr: kernel address of the first page; covers one page only, see
 *	gh_arena.kaddr for the others
 * @mask0: copy of gh_spanclass.mask0, for the marker
 * @elemsize: bytes of a slot; for a large object all of the span
 * @divmul: copy of gh_spanclass.divmul; 0 for a large object
 * @nelems: slots
 * @freeindex: slots below it are allocated, whatever their allocation bit
 * @work: what markers have to do here: GH_SPAN_QUEUED, GH_SPAN_SHARED, and bit n
 *	of GH_SPAN_DIRTY: @bits[n] may have marked slots to scan
 * @npages: pages
 * @nr_words: length of @bits
 * @state: enum gh_span_state
 * @noscan: objects hold no references
 * @needzero: free slots may be dirty
 * @sc: span class
 * @sweepgen: relation to gh_heap.sweepgen h, which moves by 2 each cycle:
 *	h - 2: needs sweeping; h - 1: being swept; h: swept, may be used;
 *	h + 3: swept and in an mcache. mcaches are flushed at each mark
 *	termination, so that Go's h + 1 does not occur.
 * @alloc_count: allocated slots
 * @layout: id of @sc's layout, for gh_heap_lookup(), which must not follow @sc
 * @alloc_cache: complement of the 64 allocation bits at @freeindex, shifted so
 *	that bit 0 is @freeindex
 * @scan_pos: of a large object: byte from which on nobody scans it yet
 * @node: on a list of gh_central
 * @next_queued: next on a queue of spans, see gh_work.c
 * @bits: bitmaps
 *
 * The first cache line is what the marker reads. Allocated from a kmem_cache
 * with SLAB_TYPESAFE_BY_RCU: gh_heap_lookup() may find one that is being
 * freed, or has become one of another heap, and sees it for what it is by
 * checking again; it follows no pointer in it.
 */
struct gh_span {
	u64 base;
	void *kaddr;
	u64 mask0;
	u64 elemsize;
	u32 divmul;
	u16 nelems;
	u16 freeindex;
	atomic_t work;
	u32 npages;
	u8 nr_words;
	u8 state;
	u8 noscan;
	u8 needzero;
	u32 sweepgen;

	struct gh_spanclass *sc;
	union {
		u64 alloc_cache;
		atomic64_t scan_pos;
	};
	struct list_head node;
	struct gh_span *next_queued;
	u16 alloc_count;
	u32 layout;
	struct gh_bits bits[];
};

/* Set bits of a word that others change too; a full barrier. Returns the old. */
static inline u64 gh_bits_or(u64 *word, u64 mask)
{
	return atomic64_fetch_or(mask, (atomic64_t *)word);
}

/* Clear bits of a word that others change too; a full barrier. */
static inline void gh_bits_andnot(u64 *word, u64 mask)
{
	atomic64_fetch_andnot(mask, (atomic64_t *)word);
}

/*
 * Which half of gh_bits takes marks in the generation sweepgen; the other half
 * says which slots were allocated when that generation began. When sweepgen
 * moves on, the marks of the last cycle so become the allocation bits of every
 * span at once, and sweeping only has to clear the old allocation bits.
 */
static inline u32 gh_mark_half(u32 sweepgen)
{
	return (sweepgen / 2) & 1;
}

/* Exclusive bound of the slots; the rest of the span is waste. */
static inline u64 gh_span_limit(const struct gh_span *s)
{
	return s->base + (u64)s->nelems * s->elemsize;
}

/* Slot of an offset in the span; a large object is always slot 0. */
static inline u32 gh_span_index(const struct gh_span *s, u64 off)
{
	return (u32)(((off - s->base) * s->divmul) >> 32);
}

/**
 * struct gh_arena - tables of 64 MiB of heap addresses (heapArena)
 * @spans: span of each page, NULL without one; written by the owner of the
 *	page, read by anyone under RCU
 * @kaddr: kernel address of each page's memory, NULL if not backed; written by
 *	the owner of the page (its span, or whoever holds it allocated) under
 *	gh_heap.backing for write when memory is taken away
 */
struct gh_arena {
	struct gh_span *spans[GH_ARENA_PAGES];
	void *kaddr[GH_ARENA_PAGES];
};

#endif /* GH_TYPES_H */
