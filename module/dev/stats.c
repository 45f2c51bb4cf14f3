// SPDX-License-Identifier: GPL-2.0
/*
 * Statistics of a heap, computed when somebody asks.
 *
 * The core counts events per CPU; the sums over all possible CPUs are exact, and
 * what is derived from them keeps Go's identities (MemStats, runtime/metrics):
 *
 *	total_alloc	= sum of mallocs x slot size + large_alloc_bytes
 *	alloc		= total_alloc - sum of frees x slot size
 *			  - large_free_bytes
 *	mallocs, frees	= sum over the classes + tiny_allocs, in both
 *	heap_objects	= mallocs - frees
 *	heap_sys	= heap_inuse + heap_idle
 *	sys		= heap_sys + stacks + mspan_inuse + mcache_inuse + gc_sys
 *
 * heap_released is the part of heap_sys without memory, in spans or not; Go has
 * no spans without memory, nor have we but for a moment. Objects not yet swept
 * count as allocated.
 *
 * Nothing is stopped for a reading. Frees are read before allocations, so that
 * no difference is negative, and numbers that belong together can be apart by
 * what happened in between.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_mutator.h"
#include "gh_sizeclass.h"

#include <linux/goheap.h>

#include "device.h"
#include "stats.h"

/* Counters of all CPUs together that are not by size class. */
struct sums {
	s64 inuse_pages;
	s64 span_bytes;
	s64 meta_bytes;
};

static u64 positive(s64 n)
{
	return max_t(s64, n, 0);
}

/*
 * What mutators have not taken is no object; what they share a slot for is. How
 * much that is only they know, and a slot has room for no more than so many.
 */
static void sum_mutators(struct gh_heap *heap, struct goheap_stats *st)
{
	u64 unused[GH_NR_CLASSES] = { };
	u64 tiny = gh_mutator_unused(heap, unused);
	int i;

	for (i = 0; i < GH_NR_CLASSES; i++)
		st->by_class[i].mallocs -= unused[i];
	st->tiny_allocs += min(tiny, st->by_class[GH_TINY_CLASS].mallocs *
				     (GH_TINY_SIZE - 1));
}

/* Sum up per-CPU counters; @st is zero. */
static void sum_cpus(struct gh_heap *heap, struct goheap_stats *st,
		     struct sums *sums)
{
	int cpu, i;

	for_each_possible_cpu(cpu) {
		struct gh_stats *c = per_cpu_ptr(heap->stats, cpu);

		st->large_free_bytes += READ_ONCE(c->large_free_bytes);
		for (i = 0; i < GH_NR_CLASSES; i++)
			st->by_class[i].frees += READ_ONCE(c->frees[i]);
	}
	/* Frees before the allocations that they undo. */
	smp_rmb();
	for_each_possible_cpu(cpu) {
		struct gh_stats *c = per_cpu_ptr(heap->stats, cpu);

		st->tiny_allocs += READ_ONCE(c->tiny_allocs);
		st->large_alloc_bytes += READ_ONCE(c->large_alloc_bytes);
		for (i = 0; i < GH_NR_CLASSES; i++)
			st->by_class[i].mallocs += READ_ONCE(c->mallocs[i]);
		sums->inuse_pages += READ_ONCE(c->inuse_pages);
		sums->span_bytes += READ_ONCE(c->span_bytes);
		sums->meta_bytes += READ_ONCE(c->meta_bytes);
	}
}

static void sum_objects(struct goheap_stats *st)
{
	u64 freed = st->large_free_bytes;
	int i;

	st->total_alloc = st->large_alloc_bytes;
	st->mallocs = st->tiny_allocs;
	st->frees = st->tiny_allocs;
	for (i = 0; i < GH_NR_CLASSES; i++) {
		struct goheap_class_stats *c = &st->by_class[i];

		c->bytes = gh_sizeclasses[i].size;
		st->total_alloc += c->mallocs * c->bytes;
		freed += c->frees * c->bytes;
		st->mallocs += c->mallocs;
		st->frees += c->frees;
	}
	st->alloc = st->total_alloc - freed;
	st->heap_objects = st->mallocs - st->frees;
}

static void sum_memory(struct goheap_file *gf, struct gh_heap *heap,
		       struct goheap_stats *st, struct sums *sums)
{
	u64 mapped = atomic64_read(&heap->mapped);

	st->heap_sys = READ_ONCE(heap->pages.end_page) << GH_PAGE_SHIFT;
	st->heap_inuse = min(positive(sums->inuse_pages) << GH_PAGE_SHIFT,
			     st->heap_sys);
	st->heap_idle = st->heap_sys - st->heap_inuse;
	st->heap_released = min(positive(st->heap_sys - mapped),
				st->heap_idle);
	st->mspan_inuse = positive(sums->span_bytes);
	st->mcache_inuse = num_possible_cpus() * sizeof(struct gh_mcache);
	st->gc_sys = positive(sums->meta_bytes) +
		     READ_ONCE(heap->pages.meta_bytes) +
		     num_possible_cpus() * sizeof(struct gh_stats);
	st->sys = st->heap_sys + goheap_stack_bytes(gf) + st->mspan_inuse +
		  st->mcache_inuse + st->gc_sys;
}

static void sum_cycles(struct gh_heap *heap, struct goheap_stats *st)
{
	struct gh_cycle c;

	st->heap_live = positive(atomic64_read(&heap->heap_live));
	st->heap_marked = READ_ONCE(heap->heap_marked);
	st->next_gc = gh_pacer_goal(&heap->pace.pacer);
	st->pause_total_ns = READ_ONCE(heap->pause_ns);
	st->gc_cpu_ns = READ_ONCE(heap->gc_cpu_ns);
	st->num_forced_gc = READ_ONCE(heap->nr_forced);
	st->invalid_refs = READ_ONCE(heap->invalid_refs);
	st->root_count = READ_ONCE(heap->root_count);
	if (gh_gc_get_cycle(heap, 0, &c)) {
		st->num_gc = c.cycle;
		st->last_gc = c.end_ns;
	}
}

/**
 * goheap_stack_bytes() - memory of the handle stacks of a heap
 * @gf: file
 *
 * Return: bytes.
 */
u64 goheap_stack_bytes(struct goheap_file *gf)
{
	return (u64)atomic64_read(&gf->stack_pages) << PAGE_SHIFT;
}

/**
 * goheap_stats_read() - statistics of a heap
 * @gf: file, its heap in use or not
 * @st: out: all but @st->size and @st->flags, which are zero
 *
 * Context: may sleep.
 */
void goheap_stats_read(struct goheap_file *gf, struct goheap_stats *st)
{
	struct gh_heap *heap = goheap_heap(gf);
	struct sums sums = { };
	int i;

	BUILD_BUG_ON(GOHEAP_NR_SIZE_CLASSES != GH_NR_CLASSES);
	memset(st, 0, sizeof(*st));
	for (i = 0; i < GH_NR_CLASSES; i++)
		st->by_class[i].bytes = gh_sizeclasses[i].size;
	if (!heap)
		return;
	mutex_lock(&heap->mutators_lock);
	sum_cpus(heap, st, &sums);
	sum_mutators(heap, st);
	mutex_unlock(&heap->mutators_lock);
	sum_objects(st);
	sum_memory(gf, heap, st, &sums);
	sum_cycles(heap, st);
	st->faults = atomic64_read(&gf->faults);
	st->fault_pages = atomic64_read(&gf->fault_pages);
	st->handshakes = READ_ONCE(gf->handshakes);
	st->handshake_total_ns = READ_ONCE(gf->handshake_total_ns);
	st->handshake_max_ns = READ_ONCE(gf->handshake_max_ns);
	st->evictions = atomic64_read(&gf->evictions);
	st->shortages = atomic64_read(&gf->shortages);
	st->scav_bg_bytes = atomic64_read(&heap->scav.bg_bytes);
	st->scav_eager_bytes = atomic64_read(&heap->scav.eager_bytes);
	st->scav_bg_ns = atomic64_read(&heap->scav.bg_ns);
	st->scav_assist_ns = atomic64_read(&heap->scav.assist_ns);
	st->check_failures = READ_ONCE(heap->check_failures);
	st->check_doubts = READ_ONCE(heap->check_doubts);
}
