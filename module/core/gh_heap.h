/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GH_HEAP_H
#define GH_HEAP_H

#include "gh_mark.h"
#include "gh_pace.h"
#include "gh_pagealloc.h"
#include "gh_scavenge.h"
#include "gh_types.h"

#define GH_SPAN_CACHES		5	/* bitmaps of 1, 2, 4, 8, 16 words */
#define GH_MCACHE_BLOCK		64	/* span classes per block of an mcache */

/* Why a cycle runs; the values of enum goheap_cycle_reason. */
enum gh_cycle_reason {
	GH_CYCLE_HEAP = 0,
	GH_CYCLE_FORCED,
	GH_CYCLE_CEILING,
	GH_CYCLE_PERIODIC,
};

enum gh_phase {
	GH_PHASE_OFF = 0,
	GH_PHASE_MARK,
	GH_PHASE_MARK_TERMINATION,
};

/**
 * struct gh_mcache - free slots and pages of one CPU (mcache and pageCache)
 * @lock: protects all of it
 * @heap: heap it belongs to
 * @pages: pages taken from the page allocator
 * @tiny: offset of the current block of the tiny allocator, 0 without one
 * @tiny_used: bytes of it in use
 * @credit: bytes that may be allocated without an assist, see gh_pace_pay()
 * @spans: by span class id, blocks of GH_MCACHE_BLOCK made on first use; each
 *	entry a span with gh_span.sweepgen == h + 3, or NULL
 */
struct gh_mcache {
	struct mutex lock;
	struct gh_heap *heap;
	struct gh_pagecache pages;
	u64 tiny;
	u32 tiny_used;
	atomic64_t credit;
	struct gh_span **spans[GH_MAX_SPANCLASSES / GH_MCACHE_BLOCK];
};

/**
 * struct gh_stats - event counts of one CPU; the sum over all CPUs is exact
 * @mallocs: slots handed out, by size class; [0] large objects
 * @frees: slots freed
 * @large_alloc_bytes: bytes of large spans allocated
 * @large_free_bytes: bytes of large spans freed
 * @tiny_allocs: objects that share a slot
 * @inuse_pages: pages of spans in use, may be negative on one CPU
 * @span_bytes: bytes of span descriptors, likewise
 * @meta_bytes: bytes of other metadata, likewise
 * @swept_pages: pages swept
 * @black_bytes: bytes of slots allocated while objects were being marked,
 *	likewise
 */
struct gh_stats {
	u64 mallocs[GH_NR_CLASSES];
	u64 frees[GH_NR_CLASSES];
	u64 large_alloc_bytes;
	u64 large_free_bytes;
	u64 tiny_allocs;
	s64 inuse_pages;
	s64 span_bytes;
	s64 meta_bytes;
	u64 swept_pages;
	s64 black_bytes;
};

/**
 * struct gh_cycle - record of one collection; times in ns
 * @cycle: number, from 1
 * @start_ns: since the heap began
 * @end_ns: end of marking, real time
 * @setup_ns: wall time that setting marking up took, and looks in vain for its
 *	end; all of the marking if the world was stopped for it
 * @mark_ns: wall time of marking beside the programs
 * @term_ns: wall time of ending the cycle
 * @stopped_ns: @setup_ns and @term_ns
 * @cpu_ns: CPU time of the collector, up to the start of the sweep
 * @assist_ns: CPU time of assists
 * @idle_ns: CPU time of idle workers
 * @heap_start: live bytes at the start, as the pacer counts them
 * @heap_end: live bytes at the end of marking
 * @heap_marked: bytes found live, or allocated during the cycle
 * @scanned: bytes of objects with references that were scanned
 * @scanned_objs: how many objects those were
 * @goal: heap goal of the cycle
 * @stack_bytes: bytes of handle stacks scanned
 * @global_bytes: bytes of pinned handles scanned
 * @invalid_refs: bad references found
 * @nr_cpus: CPUs
 * @cpu_permille: share of CPU time since the heap began
 * @reason: enum gh_cycle_reason
 */
struct gh_cycle {
	u64 cycle;
	u64 start_ns;
	u64 end_ns;
	u64 setup_ns;
	u64 mark_ns;
	u64 term_ns;
	u64 stopped_ns;
	u64 cpu_ns;
	u64 assist_ns;
	u64 idle_ns;
	u64 heap_start;
	u64 heap_end;
	u64 heap_marked;
	u64 scanned;
	u64 scanned_objs;
	u64 goal;
	u64 stack_bytes;
	u64 global_bytes;
	u64 invalid_refs;
	u32 nr_cpus;
	u32 cpu_permille;
	u32 reason;
};

/**
 * struct gh_batch - objects on their way to the program
 * @node: on gh_heap.batches
 * @refs: references to them
 * @nr: how many; written by the allocating thread under gh_heap.world (read)
 *
 * The collector takes them as roots, so that no object is lost between its
 * allocation and the moment its reference is where the program wants it.
 */
struct gh_batch {
	struct list_head node;
	u64 *refs;
	u32 nr;
};

/**
 * struct gh_config - what a heap is made with
 * @aspace: bytes of heap addresses, a multiple of GH_ARENA_SIZE
 * @tag: upper 16 bits of references
 * @max_heap: hard ceiling in bytes, 0 for none
 * @port: gh_heap.port
 */
struct gh_config {
	u64 aspace;
	u16 tag;
	u64 max_heap;
	void *port;
};

/**
 * struct gh_heap - a heap (mheap, and what the collector knows of it)
 * @aspace: bytes of heap addresses
 * @tag: upper 16 bits of its references
 * @port: whatever the port needs to find its part of the heap
 * @sweepgen: see gh_span.sweepgen; moved on with @world held for writing
 * @sweep_class: span classes before this one have no unswept spans
 * @phase: enum gh_phase; changed with @world held for writing
 * @arenas: tables of grown addresses; entries appear under @lock and stay
 * @world: see gh_types.h
 * @lock: see gh_types.h
 * @backing: see gh_types.h
 * @pages: page allocator, under @lock
 * @layouts: by id; entries appear under @lock and stay
 * @nr_layouts: published with smp_store_release() after the entry
 * @spanclasses: by id, likewise
 * @nr_spanclasses: likewise
 * @by_size: head of the chain of span classes of each size class, under @lock
 * @mcaches: one per possible CPU
 * @stats: counters per CPU
 * @batch_lock: protects @batches
 * @batches: allocations on their way to programs
 * @mutators_lock: protects @mutators and @ended_tiny_allocs
 * @mutators: struct gh_mutator of all threads
 * @ended_tiny_allocs: gh_control.tiny_allocs of those that have ended
 * @mapped: bytes of backed pages
 * @max_heap: hard ceiling of @mapped, 0 for none
 * @heap_live: bytes the pacer takes for live: marked ones and all slots given
 *	to mcaches since
 * @heap_marked: bytes the last cycle found live
 * @pace: goal, trigger, and what allocation does about them
 * @invalidptr: report bad references found in objects
 * @stop_the_world: 1: mark with all programs held off; 2: sweep so, too
 * @checkmark: look again whether all that is reachable is marked
 * @verify: look for what does not add up after each marking and each sweep
 * @clobberfree: fill slots that die with GH_CLOBBER
 * @collect_every: a cycle is due each time so many spans have been taken for
 *	allocation, 0 for not
 * @nr_refills: spans taken since the last cycle began, if that is not 0
 * @check_failures: unmarked objects that checks have found
 * @check_doubts: those that only registers and stacks led to
 * @madvdontneed: the background scavenger gives memory back; else it only counts
 *	what it could
 * @scav: scavenger
 * @work: what markers share
 * @mark: marker of the collector
 * @invalid_refs: bad references found since the heap began
 * @root_count: roots of the last cycle
 * @nr_forced: cycles asked for by programs
 * @nr_cycles: finished cycles, published after the record
 * @gc_cpu_ns: CPU time of all cycles
 * @pause_ns: time the world was stopped, all cycles together
 * @birth_ns: time of creation
 * @cycles: records of the last cycles, cycle n at n % GH_NR_CYCLES; written by
 *	the collector under @cycle_lock
 * @cycle_lock: protects @cycles
 */
struct gh_heap {
	u64 aspace;
	u16 tag;
	void *port;
	u32 sweepgen;
	u32 sweep_class;
	int phase;
	struct gh_arena **arenas;

	struct rw_semaphore world;
	struct mutex lock;
	struct rw_semaphore backing;

	struct gh_pagealloc pages;
	struct gh_layout **layouts;
	u32 nr_layouts;
	struct gh_spanclass **spanclasses;
	u32 nr_spanclasses;
	struct gh_spanclass *by_size[GH_NR_CLASSES];
	struct gh_mcache __percpu *mcaches;
	struct gh_stats __percpu *stats;

	struct mutex batch_lock;
	struct list_head batches;

	struct mutex mutators_lock;
	struct list_head mutators;
	u64 ended_tiny_allocs;

	atomic64_t mapped;
	u64 max_heap;
	atomic64_t heap_live;
	u64 heap_marked;
	struct gh_pace pace;
	bool invalidptr;
	u32 stop_the_world;
	bool checkmark;
	bool verify;
	bool clobberfree;
	u64 collect_every;
	atomic64_t nr_refills;
	u64 check_failures;
	u64 check_doubts;
	bool madvdontneed;
	struct gh_scavenge scav;

	struct gh_work work;
	struct gh_mark mark;
	u64 invalid_refs;
	u64 root_count;
	u64 nr_forced;
	u64 nr_cycles;
	u64 gc_cpu_ns;
	u64 pause_ns;
	u64 birth_ns;
	struct gh_cycle *cycles;
	spinlock_t cycle_lock;
};

#define gh_stat_add(heap, field, n)	this_cpu_add((heap)->stats->field, n)

/* Once per module: kmem_caches. */
int gh_core_init(void);
void gh_core_exit(void);

struct gh_heap *gh_heap_create(const struct gh_config *cfg);
void gh_heap_destroy(struct gh_heap *heap);

/* Spans; module/core/gh_heap.c */
struct gh_span *gh_heap_prepare_span(struct gh_heap *heap,
				     struct gh_mcache *mc,
				     struct gh_spanclass *sc, u32 npages);
void gh_heap_publish_span(struct gh_heap *heap, struct gh_span *s);
void gh_heap_drop_span(struct gh_heap *heap, struct gh_span *s);
void gh_heap_free_span(struct gh_heap *heap, struct gh_span *s);
u64 gh_heap_scavenge(struct gh_heap *heap, u64 bytes, bool force);
u64 gh_heap_release(struct gh_heap *heap, u64 bytes);
u64 gh_heap_try_release(struct gh_heap *heap, u64 bytes);
u64 gh_heap_releasable(struct gh_heap *heap);

/* Largest object in bytes of a heap with so many addresses. */
static inline u64 gh_max_object(u64 aspace)
{
	return min_t(u64, aspace / 2, GH_MAX_OBJECT);
}

/* Kernel address of a byte of a backed page. */
static inline void *gh_heap_kaddr(struct gh_heap *heap, u64 off)
{
	struct gh_arena *a = heap->arenas[off >> GH_ARENA_SHIFT];
	u32 page = (off >> GH_PAGE_SHIFT) & (GH_ARENA_PAGES - 1);

	return a->kaddr[page] + (off & ~GH_PAGE_MASK);
}

/* Span of an offset below aspace, or NULL; see gh_heap_lookup(). */
static inline struct gh_span *gh_heap_span_of(struct gh_heap *heap, u64 off)
{
	u32 page = (off >> GH_PAGE_SHIFT) & (GH_ARENA_PAGES - 1);
	struct gh_arena *a;

	/* Pairs with the store in grow_arenas(). */
	a = smp_load_acquire(&heap->arenas[off >> GH_ARENA_SHIFT]);
	if (!a)
		return NULL;
	/* Pairs with the store in set_spans(). */
	return smp_load_acquire(&a->spans[page]);
}

/*
 * Is the slot allocated? The caller owns the span, or holds gh_heap.world and
 * the answer may be out of date when it comes. A span that has not been swept
 * has allocated what the last cycle marked, and its freeindex means nothing.
 */
static inline bool gh_span_slot_allocated(struct gh_heap *heap,
					  struct gh_span *s, u32 idx)
{
	/* Pairs with the store in gh_sweep_span(). */
	u32 gen = smp_load_acquire(&s->sweepgen);
	u32 half = !gh_mark_half(heap->sweepgen);
	/* Pairs with the store in settle_grant(). */
	u32 freeindex = smp_load_acquire(&s->freeindex);

	if ((gen == heap->sweepgen || gen == heap->sweepgen + 3) &&
	    idx < freeindex)
		return true;
	return READ_ONCE(s->bits[idx / 64].half[half]) >> (idx % 64) & 1;
}

/**
 * struct gh_objinfo - what gh_heap_lookup() finds
 * @base: offset of the object's first byte
 * @bytes: bytes of its slot
 * @layout: id of a layout it has
 */
struct gh_objinfo {
	u64 base;
	u64 bytes;
	u32 layout;
};

int gh_heap_lookup(struct gh_heap *heap, u64 ref, struct gh_objinfo *info);

/* Layouts and span classes; module/core/gh_layout.c */
int gh_layout_init(struct gh_heap *heap);
int gh_layout_register(struct gh_heap *heap, u64 elem_size, u32 nr_bits,
		       const u64 *mask);
struct gh_layout *gh_layout_get(struct gh_heap *heap, u32 id);
struct gh_spanclass *gh_spanclass_get(struct gh_heap *heap,
				      struct gh_layout *layout, u8 sizeclass);
void gh_layout_destroy_all(struct gh_heap *heap);

/* mcentral; module/core/gh_central.c */
void gh_central_init(struct gh_central *c);
struct gh_span *gh_central_cache_span(struct gh_heap *heap,
				      struct gh_mcache *mc,
				      struct gh_spanclass *sc);
void gh_central_uncache_span(struct gh_heap *heap, struct gh_span *s);
void gh_central_push_swept(struct gh_heap *heap, struct gh_span *s);
struct gh_span *gh_central_pop_unswept(struct gh_heap *heap,
				       struct gh_spanclass *sc);

/* mcache and objects; module/core/gh_malloc.c */
void gh_batch_begin(struct gh_heap *heap, struct gh_batch *b, u64 *refs);
void gh_batch_end(struct gh_heap *heap, struct gh_batch *b);
int gh_malloc(struct gh_heap *heap, u32 layout, u64 bytes, u32 count,
	      struct gh_batch *b);
int gh_malloc_make_room(struct gh_heap *heap, u64 bytes, int why, int *tries);
void gh_span_zero(struct gh_heap *heap, struct gh_span *s, u32 idx, u32 n);
void gh_span_clobber(struct gh_heap *heap, struct gh_span *s, u32 idx);
void gh_mcache_flush(struct gh_heap *heap, int cpu);
void gh_mcache_begin_all(struct gh_heap *heap, struct gh_mark *m);
void gh_mcache_flush_all(struct gh_heap *heap);

/* Sweeper; module/core/gh_sweep.c */
bool gh_sweep_span(struct gh_heap *heap, struct gh_span *s, bool preserve);
void gh_sweep_own(struct gh_heap *heap, struct gh_span *s);
void gh_sweep_pay(struct gh_heap *heap, u64 bytes);
u64 gh_sweep_all(struct gh_heap *heap);
u64 gh_sweep_background(struct gh_heap *heap);
u64 gh_sweep_stopped(struct gh_heap *heap);

/* Cycle; module/core/gh_gc.c */
void gh_gc_mark_cycle(struct gh_heap *heap, enum gh_cycle_reason reason);
u64 gh_gc_sweep(struct gh_heap *heap);
bool gh_gc_get_cycle(struct gh_heap *heap, u64 cycle, struct gh_cycle *c);

/* Validator; module/core/gh_check.c */
const char *gh_check_heap(struct gh_heap *heap);
void gh_check_verify(struct gh_heap *heap);

#endif /* GH_HEAP_H */
