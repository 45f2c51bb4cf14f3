// SPDX-License-Identifier: GPL-2.0
/*
 * The heap: pages, spans, and the way from an address to an object (mheap).
 *
 * A heap is a range of offsets, 0 to aspace, that belongs to nobody else, so
 * it simply grows upwards by whole chunks as long as there is room; Go's list
 * of address ranges and hints has no counterpart. Page 0 is never given out,
 * so no object has offset 0.
 *
 * For every 64 MiB grown there is an arena: for each of its pages the span it
 * belongs to and the kernel address of its memory. A page is a physically
 * contiguous block, so the kernel reads objects through the direct map, which
 * the CPU translates in large pages; no kernel mapping is ever made or torn
 * down for objects. A span of several pages is contiguous in the heap, not in
 * the kernel.
 *
 *	offset -> arena -> span -> slot	constant time, two loads and a multiply
 *
 * Backing. A page without memory is what the page allocator calls scavenged.
 * The memory of a span's pages is got when the span is made, after the page
 * allocator's lock has been dropped: until its span is published the pages
 * belong to the caller. Giving memory back works the other way round: the
 * pages are marked allocated, then taken from programs and freed without the
 * lock, then marked free and scavenged. So nobody waits for clearing or for
 * TLB flushes but who asked for it.
 *
 * The hard ceiling is a bound on backed pages, kept exactly: memory is charged
 * before it is asked for.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"
#include "gh_sizeclass.h"

/* Pages taken from programs and freed at a time. */
#define GH_RELEASE_PAGES	64

static struct kmem_cache *gh_span_caches[GH_SPAN_CACHES];
static const char *const gh_span_cache_names[GH_SPAN_CACHES] = {
	"goheap_span_64", "goheap_span_128", "goheap_span_256",
	"goheap_span_512", "goheap_span_1024",
};

static size_t span_bytes(u32 nr_words)
{
	return sizeof(struct gh_span) +
	       (sizeof(struct gh_bits) << order_base_2(nr_words));
}

static unsigned int nr_core_users;

static void destroy_span_caches(void)
{
	int i;

	for (i = 0; i < GH_SPAN_CACHES; i++) {
		kmem_cache_destroy(gh_span_caches[i]);
		gh_span_caches[i] = NULL;
	}
}

/**
 * gh_core_init() - make what all heaps share, unless it is there
 *
 * Loading a module is single threaded, and so are its unit tests, which may
 * run before or after module_init and call this too.
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int gh_core_init(void)
{
	int i;

	BUILD_BUG_ON(offsetofend(struct gh_span, sc) != 64);
	BUILD_BUG_ON(GH_MAX_OBJS_PER_SPAN > 64 << (GH_SPAN_CACHES - 1));
	if (nr_core_users++)
		return 0;
	for (i = 0; i < GH_SPAN_CACHES; i++) {
		gh_span_caches[i] =
			kmem_cache_create(gh_span_cache_names[i],
					  span_bytes(1 << i), 64,
					  SLAB_TYPESAFE_BY_RCU | SLAB_ACCOUNT,
					  NULL);
		if (!gh_span_caches[i]) {
			gh_core_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

/**
 * gh_core_exit() - undo a gh_core_init(); after the last one no heap is left
 */
void gh_core_exit(void)
{
	if (!--nr_core_users)
		destroy_span_caches();
}

static struct kmem_cache *span_cache(u32 nr_words)
{
	return gh_span_caches[order_base_2(nr_words)];
}

static struct gh_arena *arena_of(struct gh_heap *heap, u64 page)
{
	return heap->arenas[page >> (GH_ARENA_SHIFT - GH_PAGE_SHIFT)];
}

static u32 arena_index(u64 page)
{
	return page & (GH_ARENA_PAGES - 1);
}

static void *page_kaddr(struct gh_heap *heap, u64 page)
{
	return arena_of(heap, page)->kaddr[arena_index(page)];
}

static void mcaches_init(struct gh_heap *heap)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct gh_mcache *mc = per_cpu_ptr(heap->mcaches, cpu);

		mutex_init(&mc->lock);
		mc->heap = heap;
	}
}

static int heap_tables(struct gh_heap *heap)
{
	u64 nr_arenas = heap->aspace >> GH_ARENA_SHIFT;
	int err;

	heap->mcaches = alloc_percpu_gfp(struct gh_mcache, GH_GFP);
	heap->stats = alloc_percpu_gfp(struct gh_stats, GH_GFP);
	heap->arenas = kvcalloc(nr_arenas, sizeof(*heap->arenas),
				GH_GFP);
	heap->cycles = kvcalloc(GH_NR_CYCLES, sizeof(*heap->cycles),
				GH_GFP);
	if (!heap->mcaches || !heap->stats || !heap->arenas || !heap->cycles)
		return -ENOMEM;
	mcaches_init(heap);
	err = gh_pagealloc_init(&heap->pages, heap->aspace >> GH_PAGE_SHIFT);
	if (err)
		return err;
	gh_stat_add(heap, meta_bytes, sizeof(*heap) +
		    nr_arenas * sizeof(*heap->arenas) +
		    GH_NR_CYCLES * sizeof(*heap->cycles));
	gh_work_init(&heap->work);
	return gh_layout_init(heap);
}

/**
 * gh_heap_create() - make a heap
 * @cfg: its parameters, already checked
 *
 * Context: may sleep.
 * Return: the heap, or ERR_PTR(-ENOMEM).
 */
struct gh_heap *gh_heap_create(const struct gh_config *cfg)
{
	struct gh_heap *heap = kvzalloc(sizeof(*heap), GH_GFP);
	int err;

	if (!heap)
		return ERR_PTR(-ENOMEM);
	heap->aspace = cfg->aspace;
	heap->tag = cfg->tag;
	heap->port = cfg->port;
	heap->max_heap = cfg->max_heap;
	heap->sweepgen = 2;
	init_rwsem(&heap->world);
	init_rwsem(&heap->backing);
	mutex_init(&heap->lock);
	mutex_init(&heap->batch_lock);
	spin_lock_init(&heap->cycle_lock);
	INIT_LIST_HEAD(&heap->batches);
	mutex_init(&heap->mutators_lock);
	INIT_LIST_HEAD(&heap->mutators);
	heap->invalidptr = true;
	heap->birth_ns = ktime_get_ns();
	gh_scavenge_init(heap);

	err = heap_tables(heap);
	if (err) {
		gh_heap_destroy(heap);
		return ERR_PTR(err);
	}
	gh_pace_init(heap);
	return heap;
}

/* Free the spans that begin in an arena; spans of later ones are gone. */
static void destroy_spans(struct gh_heap *heap, u64 first_page)
{
	struct gh_arena *a = arena_of(heap, first_page);
	u64 end = first_page + GH_ARENA_PAGES;
	u64 page, next;

	for (page = first_page; page < end; page = next) {
		struct gh_span *s = a->spans[arena_index(page)];

		next = page + 1;
		if (!s)
			continue;
		next = (s->base >> GH_PAGE_SHIFT) + s->npages;
		if (s->base == page << GH_PAGE_SHIFT)
			kmem_cache_free(span_cache(s->nr_words), s);
	}
	cond_resched();
}

static void destroy_arena(struct gh_heap *heap, u64 first_page)
{
	struct gh_arena *a = arena_of(heap, first_page);
	u32 i, n;

	for (i = 0; i < GH_ARENA_PAGES; i += n) {
		for (n = 0; i + n < GH_ARENA_PAGES && a->kaddr[i + n]; n++)
			;
		if (n)
			gh_port_depopulate(heap, first_page + i, &a->kaddr[i],
					   n);
		else
			n = 1;
	}
	kvfree(a);
	cond_resched();
}

/**
 * gh_heap_destroy() - free a heap with everything in it
 * @heap: heap that no program, mapping or thread uses any more
 *
 * Context: may sleep.
 */
void gh_heap_destroy(struct gh_heap *heap)
{
	u64 nr_arenas = heap->arenas ? heap->aspace >> GH_ARENA_SHIFT : 0;
	int cpu;
	u64 i;

	while (nr_arenas && !heap->arenas[nr_arenas - 1])
		nr_arenas--;
	for (i = nr_arenas; i--;)
		destroy_spans(heap, i * GH_ARENA_PAGES);
	for (i = nr_arenas; i--;)
		destroy_arena(heap, i * GH_ARENA_PAGES);
	gh_layout_destroy_all(heap);
	gh_pagealloc_destroy(&heap->pages);
	if (heap->mcaches)
		for_each_possible_cpu(cpu)
			for (i = 0; i < GH_MAX_SPANCLASSES / GH_MCACHE_BLOCK;
			     i++)
				kfree(per_cpu_ptr(heap->mcaches, cpu)->spans[i]);
	kvfree(heap->cycles);
	kvfree(heap->arenas);
	free_percpu(heap->stats);
	free_percpu(heap->mcaches);
	kvfree(heap);
}

/* Tables for the addresses that growing by @npages adds. */
static int grow_arenas(struct gh_heap *heap, u64 npages)
{
	u64 end = heap->pages.end_page + npages;
	u64 i;

	for (i = heap->pages.end_page / GH_ARENA_PAGES;
	     i * GH_ARENA_PAGES < end; i++) {
		struct gh_arena *a;

		if (heap->arenas[i])
			continue;
		a = kvzalloc(sizeof(*a), GH_GFP);
		if (!a)
			return -ENOMEM;
		gh_stat_add(heap, meta_bytes, sizeof(*a));
		/* Pairs with the load in gh_heap_span_of(). */
		smp_store_release(&heap->arenas[i], a);
	}
	return 0;
}

/* Add addresses; adds their bytes to *@growth. */
static int grow(struct gh_heap *heap, u64 npages, u64 *growth)
{
	bool first = !heap->pages.end_page;
	u64 nr_scav;
	int err;

	lockdep_assert_held(&heap->lock);
	npages = round_up(npages + first, GH_CHUNK_PAGES);
	if (npages > heap->pages.max_pages - heap->pages.end_page)
		return -ENOSPC;
	err = grow_arenas(heap, npages);
	if (!err)
		err = gh_pagealloc_grow(&heap->pages, npages);
	if (!err && first)
		WARN_ON_ONCE(gh_pagealloc_alloc(&heap->pages, 1, &nr_scav));
	if (!err)
		*growth += npages << GH_PAGE_SHIFT;
	return err;
}

static u64 take_pages_cached(struct gh_heap *heap, struct gh_mcache *mc,
			     u32 npages, u64 *growth)
{
	u64 nr_scav;

	lockdep_assert_held(&mc->lock);
	if (gh_pagecache_empty(&mc->pages)) {
		mutex_lock(&heap->lock);
		mc->pages = gh_pagealloc_fill_cache(&heap->pages);
		if (gh_pagecache_empty(&mc->pages) &&
		    !grow(heap, npages, growth))
			mc->pages = gh_pagealloc_fill_cache(&heap->pages);
		mutex_unlock(&heap->lock);
	}
	return gh_pagecache_alloc(&mc->pages, npages, &nr_scav);
}

/* Find pages for a span; adds to *@growth what the heap has grown by. */
static int take_pages(struct gh_heap *heap, struct gh_mcache *mc, u64 npages,
		      u64 *page, u64 *growth)
{
	u64 nr_scav;
	int err = 0;

	if (mc && npages < GH_PAGECACHE_MAX) {
		*page = take_pages_cached(heap, mc, npages, growth);
		if (*page != GH_NO_PAGE)
			return 0;
	}
	mutex_lock(&heap->lock);
	*page = gh_pagealloc_alloc(&heap->pages, npages, &nr_scav);
	if (*page == GH_NO_PAGE) {
		err = grow(heap, npages, growth);
		if (!err)
			*page = gh_pagealloc_alloc(&heap->pages, npages,
						   &nr_scav);
	}
	mutex_unlock(&heap->lock);
	return err;
}

/* Give pages of no span to the page allocator, backed or not. */
static void give_pages(struct gh_heap *heap, u64 page, u64 npages)
{
	u64 end = page + npages;
	u64 run;

	mutex_lock(&heap->lock);
	for (; page < end; page = run) {
		bool backed = page_kaddr(heap, page);

		for (run = page + 1; run < end; run++)
			if (!!page_kaddr(heap, run) != backed)
				break;
		gh_pagealloc_free(&heap->pages, page, run - page, !backed);
		cond_resched();
	}
	mutex_unlock(&heap->lock);
}

/* Charge memory against the ceiling. */
static int charge(struct gh_heap *heap, u64 bytes)
{
	u64 max = READ_ONCE(heap->max_heap);
	u64 now = atomic64_add_return(bytes, &heap->mapped);

	if (max && now > max) {
		atomic64_sub(bytes, &heap->mapped);
		return -EDQUOT;
	}
	return 0;
}

/* Length of the run of unbacked pages at @page within its arena. */
static u32 unbacked_run(struct gh_heap *heap, u64 page, u64 end)
{
	struct gh_arena *a = arena_of(heap, page);
	u32 i = arena_index(page);
	u32 n = 0;

	while (page + n < end && i + n < GH_ARENA_PAGES && !a->kaddr[i + n])
		n++;
	return n;
}

/* Get memory for those of the pages that have none. */
static int back_pages(struct gh_heap *heap, u64 page, u64 npages)
{
	u64 end = page + npages;
	u32 n;

	for (; page < end; page += n) {
		int err;

		n = unbacked_run(heap, page, end);
		if (!n) {
			n = 1;
			continue;
		}
		gh_scavenge_for_limit(heap, n * GH_PAGE_SIZE);
		err = charge(heap, n * GH_PAGE_SIZE);
		if (err)
			return err;
		err = gh_port_populate(heap, &arena_of(heap, page)
				       ->kaddr[arena_index(page)], n);
		if (err) {
			atomic64_sub(n * GH_PAGE_SIZE, &heap->mapped);
			return err;
		}
	}
	return 0;
}

/* Bits of @npages pages from @page on that are of the cache's group of 64. */
static u64 cache_mask(const struct gh_pagecache *c, u64 page, u32 npages)
{
	if (page < c->base || page + npages > c->base + GH_PAGECACHE_PAGES)
		return 0;
	return (~0ULL >> (GH_PAGECACHE_PAGES - npages)) << (page - c->base);
}

/*
 * Memory for a span whose pages are from @mc's page cache, if they are: pages
 * of the cache that follow and have none get it as well, if there is enough.
 */
static int back_cached(struct gh_heap *heap, struct gh_mcache *mc, u64 page,
		       u32 npages)
{
	struct gh_pagecache *c = &mc->pages;
	u64 unbacked = c->free & c->scav;
	u64 end = page + npages;
	u32 ahead = 0;

	lockdep_assert_held(&mc->lock);
	while (npages + ahead < GH_BACK_PAGES &&
	       unbacked & cache_mask(c, end + ahead, 1))
		ahead++;
	if (!ahead || page_kaddr(heap, end - 1))
		return back_pages(heap, page, npages);
	if (back_pages(heap, page, npages + ahead))
		return back_pages(heap, page, npages);
	c->scav &= ~cache_mask(c, end, ahead);
	return 0;
}

/*
 * May a page of a new span hold something? Asked before it gets memory. What
 * has memory is mapped into programs as soon as a fault comes near, and may
 * have been written to even if it has never been in a span.
 */
static bool pages_dirty(struct gh_heap *heap, u64 page, u64 npages)
{
	u64 end = page + npages;

	for (; page < end; page++)
		if (page_kaddr(heap, page))
			return true;
	return false;
}

static void set_spans(struct gh_heap *heap, u64 page, u64 npages,
		      struct gh_span *s)
{
	u64 end = page + npages;

	for (; page < end; page++) {
		/* Pairs with the load in gh_heap_span_of(). */
		smp_store_release(&arena_of(heap, page)->spans[arena_index(page)],
				  s);
		if (!arena_index(page))
			cond_resched();
	}
}

/*
 * What lookup_span() reads. The descriptor may have been another span's just
 * now, and a lookup that has found that one may still be looking.
 */
static void init_lookup(struct gh_heap *heap, struct gh_span *s,
			struct gh_spanclass *sc, u64 page, u32 npages)
{
	u64 large = npages * GH_PAGE_SIZE;
	u32 i;

	WRITE_ONCE(s->base, page << GH_PAGE_SHIFT);
	WRITE_ONCE(s->elemsize, sc->sizeclass ? sc->elemsize : large);
	WRITE_ONCE(s->divmul, sc->divmul);
	WRITE_ONCE(s->nelems, sc->nelems);
	WRITE_ONCE(s->freeindex, 0);
	WRITE_ONCE(s->layout, sc->layout->id);
	for (i = 0; i < sc->nr_words; i++) {
		WRITE_ONCE(s->bits[i].half[0], 0);
		WRITE_ONCE(s->bits[i].half[1], 0);
		s->bits[i].scan = 0;
	}
}

static void init_span(struct gh_heap *heap, struct gh_span *s,
		      struct gh_spanclass *sc, u64 page, u32 npages)
{
	init_lookup(heap, s, sc, page, npages);
	s->kaddr = page_kaddr(heap, page);
	s->mask0 = sc->mask0;
	s->nr_words = sc->nr_words;
	atomic_set(&s->work, 0);
	s->npages = npages;
	s->noscan = !sc->ptr_words;
	s->sc = sc;
	s->alloc_cache = ~0ULL;
	INIT_LIST_HEAD(&s->node);
	s->next_queued = NULL;
	s->alloc_count = 0;
}

/**
 * gh_heap_prepare_span() - get a descriptor, and pages with memory
 * @heap: heap
 * @mc: mcache of the caller, or NULL to pass by its page cache
 * @sc: span class
 * @npages: pages, sc->npages except for large objects
 *
 * Nobody else knows of the span until it is published, so no collector minds
 * how long this takes.
 * Context: may sleep; mc->lock held, heap->world (read) held or not.
 * Return: the span, with no slot allocated; ERR_PTR: -EDQUOT beyond the
 * ceiling, -ENOSPC without addresses, -ENOMEM.
 */
struct gh_span *gh_heap_prepare_span(struct gh_heap *heap,
				     struct gh_mcache *mc,
				     struct gh_spanclass *sc, u32 npages)
{
	struct gh_span *s;
	u64 growth = 0;
	bool dirty;
	u64 page;
	int err;

	s = kmem_cache_alloc(span_cache(sc->nr_words), GH_GFP);
	if (!s)
		return ERR_PTR(-ENOMEM);
	err = take_pages(heap, mc, npages, &page, &growth);
	if (err)
		goto free_span;
	gh_scavenge_for_growth(heap, growth);
	dirty = pages_dirty(heap, page, npages);
	if (mc)
		err = back_cached(heap, mc, page, npages);
	else
		err = back_pages(heap, page, npages);
	if (err)
		goto free_pages;

	init_span(heap, s, sc, page, npages);
	s->needzero = dirty;
	return s;

free_pages:
	give_pages(heap, page, npages);
free_span:
	kmem_cache_free(span_cache(sc->nr_words), s);
	return ERR_PTR(err);
}

/**
 * gh_heap_publish_span() - let references lead to a span
 * @heap: heap
 * @s: span of gh_heap_prepare_span()
 *
 * Context: may sleep; heap->world (read) held.
 */
void gh_heap_publish_span(struct gh_heap *heap, struct gh_span *s)
{
	lockdep_assert_held(&heap->world);
	WRITE_ONCE(s->sweepgen, heap->sweepgen);
	WRITE_ONCE(s->state, GH_SPAN_IN_USE);
	set_spans(heap, s->base >> GH_PAGE_SHIFT, s->npages, s);
	gh_stat_add(heap, inuse_pages, s->npages);
	gh_stat_add(heap, span_bytes, span_bytes(s->nr_words));
}

/**
 * gh_heap_drop_span() - give back a span that has not been published
 * @heap: heap
 * @s: span of gh_heap_prepare_span()
 *
 * Context: may sleep; takes heap->lock.
 */
void gh_heap_drop_span(struct gh_heap *heap, struct gh_span *s)
{
	give_pages(heap, s->base >> GH_PAGE_SHIFT, s->npages);
	kmem_cache_free(span_cache(s->nr_words), s);
}

/**
 * gh_heap_free_span() - give a span's pages back to the heap
 * @heap: heap
 * @s: span of the caller's, on no list, without live objects
 *
 * Context: may sleep; takes heap->lock.
 */
void gh_heap_free_span(struct gh_heap *heap, struct gh_span *s)
{
	u64 page = s->base >> GH_PAGE_SHIFT;
	u32 npages = s->npages;

	gh_stat_add(heap, inuse_pages, -(s64)npages);
	gh_stat_add(heap, span_bytes, -(s64)span_bytes(s->nr_words));
	WRITE_ONCE(s->state, GH_SPAN_DEAD);
	set_spans(heap, page, npages, NULL);
	kmem_cache_free(span_cache(s->nr_words), s);

	mutex_lock(&heap->lock);
	gh_pagealloc_free(&heap->pages, page, npages, false);
	mutex_unlock(&heap->lock);
}

/* Take the kernel addresses of pages, so that no fault maps them any more. */
static void take_kaddrs(struct gh_heap *heap, u64 page, u32 n, void **kaddr)
{
	u32 i;

	lockdep_assert_held_write(&heap->backing);
	for (i = 0; i < n; i++) {
		void **p = &arena_of(heap, page + i)->kaddr[arena_index(page + i)];

		kaddr[i] = *p;
		WRITE_ONCE(*p, NULL);
	}
}

static void free_backing(struct gh_heap *heap, u64 page, u32 n, void **kaddr)
{
	gh_port_depopulate(heap, page, kaddr, n);
	atomic64_sub(n * GH_PAGE_SIZE, &heap->mapped);
}

/* Allocate free pages that have memory, the highest there are. */
static u64 take_backed(struct gh_heap *heap, u64 max, bool force, u64 *n)
{
	u64 page;

	mutex_lock(&heap->lock);
	if (force)
		page = gh_pagealloc_take_unscavenged(&heap->pages, max, n);
	else
		page = gh_pagealloc_take_sparse(&heap->pages, max, n);
	mutex_unlock(&heap->lock);
	return page;
}

/* Take the memory of @n pages that the caller holds allocated. */
static void unback_pages(struct gh_heap *heap, u64 page, u32 n)
{
	void *kaddr[GH_RELEASE_PAGES];

	down_write(&heap->backing);
	take_kaddrs(heap, page, n, kaddr);
	up_write(&heap->backing);
	free_backing(heap, page, n, kaddr);
}

/* The same without waiting for faults; false if that cannot be. */
static bool try_unback_pages(struct gh_heap *heap, u64 page, u32 n)
{
	void *kaddr[GH_RELEASE_PAGES];

	if (!down_write_trylock(&heap->backing))
		return false;
	take_kaddrs(heap, page, n, kaddr);
	up_write(&heap->backing);
	free_backing(heap, page, n, kaddr);
	return true;
}

/**
 * gh_heap_scavenge() - give the memory of free pages back to the kernel
 * @heap: heap
 * @bytes: how much is enough
 * @force: whatever chunk it is in; else only what the background scavenger would
 *	take, see gh_scavindex.c
 *
 * Takes the highest addresses first, because allocation prefers the lowest.
 * Pages in mcaches are not reached. Counts nothing: gh_scavenge.c does.
 * Context: may sleep; no lock held but perhaps gh_heap.world (read) and a
 * gh_mcache.lock.
 * Return: bytes given back.
 */
u64 gh_heap_scavenge(struct gh_heap *heap, u64 bytes, bool force)
{
	u64 done = 0;

	while (done < bytes) {
		u64 max = min_t(u64, GH_RELEASE_PAGES,
				(bytes - done - 1) / GH_PAGE_SIZE + 1);
		u64 page, n, i;

		page = take_backed(heap, max, force, &n);
		if (page == GH_NO_PAGE)
			break;
		for (i = 0; i < n; i += GH_RELEASE_PAGES)
			unback_pages(heap, page + i,
				     min_t(u64, n - i, GH_RELEASE_PAGES));
		mutex_lock(&heap->lock);
		gh_pagealloc_free(&heap->pages, page, n, true);
		mutex_unlock(&heap->lock);
		done += n * GH_PAGE_SIZE;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}

/**
 * gh_heap_release() - give memory back because somebody needs it
 * @heap: heap
 * @bytes: how much is enough
 *
 * Context: as gh_heap_scavenge().
 * Return: bytes given back.
 */
u64 gh_heap_release(struct gh_heap *heap, u64 bytes)
{
	u64 done = gh_heap_scavenge(heap, bytes, true);

	gh_scavenge_count_eager(heap, done);
	return done;
}

/* One step of gh_heap_try_release(); returns the pages given back. */
static u64 try_release_step(struct gh_heap *heap, u64 max)
{
	u64 page, n;
	bool done;

	if (!mutex_trylock(&heap->lock))
		return 0;
	page = gh_pagealloc_take_unscavenged(&heap->pages, max, &n);
	if (page == GH_NO_PAGE) {
		mutex_unlock(&heap->lock);
		return 0;
	}
	done = try_unback_pages(heap, page, n);
	gh_pagealloc_free(&heap->pages, page, n, done);
	mutex_unlock(&heap->lock);
	return done ? n : 0;
}

/**
 * gh_heap_try_release() - give memory of free pages back without waiting
 * @heap: heap
 * @bytes: how much is enough
 *
 * For a caller whom somebody waits for who may hold any lock of this heap or of
 * another: memory reclaim. So it waits for none, and allocates nothing. The lock
 * of the page allocator is kept until the pages are free again: it could not be
 * taken once more without waiting.
 * Context: may sleep; any lock may be held.
 * Return: bytes given back; 0 also if somebody is in the way.
 */
u64 gh_heap_try_release(struct gh_heap *heap, u64 bytes)
{
	u64 done = 0;

	while (done < bytes) {
		u64 max = min_t(u64, GH_RELEASE_PAGES,
				(bytes - done - 1) / GH_PAGE_SIZE + 1);
		u64 n = try_release_step(heap, max);

		if (!n)
			break;
		done += n * GH_PAGE_SIZE;
		cond_resched();
	}
	return done;
}

/**
 * gh_heap_releasable() - memory that gh_heap_release() could give back
 * @heap: heap
 *
 * Context: any; the answer is out of date when it comes.
 * Return: bytes.
 */
u64 gh_heap_releasable(struct gh_heap *heap)
{
	u64 scav = READ_ONCE(heap->pages.scav_pages);
	u64 free = READ_ONCE(heap->pages.free_pages);

	return free > scav ? (free - scav) << GH_PAGE_SHIFT : 0;
}

/* One try of gh_heap_lookup(); the span may be freed meanwhile. */
static int lookup_span(struct gh_heap *heap, struct gh_span *s, u64 off,
		       struct gh_objinfo *info)
{
	u64 base = READ_ONCE(s->base);
	u64 elemsize = READ_ONCE(s->elemsize);
	u32 nelems = READ_ONCE(s->nelems);
	u32 idx;

	if (READ_ONCE(s->state) != GH_SPAN_IN_USE)
		return -EINVAL;
	if (off < base || off - base >= nelems * elemsize)
		return -EINVAL;
	idx = ((off - base) * READ_ONCE(s->divmul)) >> 32;
	if (idx >= nelems || !gh_span_slot_allocated(heap, s, idx))
		return -EINVAL;
	info->base = base + idx * elemsize;
	info->bytes = elemsize;
	info->layout = READ_ONCE(s->layout);
	return 0;
}

/**
 * gh_heap_lookup() - find the object a reference points into
 * @heap: heap
 * @ref: anything
 * @info: out: the object
 *
 * A slot that the last cycle found dead counts as free, swept or not. The
 * answer can be out of date when it comes if @ref is to an object that nothing
 * keeps.
 * Context: heap->world held; does not sleep.
 * Return: 0, or -EINVAL if @ref is not inside an allocated object.
 */
int gh_heap_lookup(struct gh_heap *heap, u64 ref, struct gh_objinfo *info)
{
	u64 off = ref & ((1ULL << 48) - 1);
	struct gh_span *s;
	int err = -EINVAL;

	if (ref >> 48 != heap->tag || off >= heap->aspace)
		return -EINVAL;
	off = array_index_nospec(off, heap->aspace);
	rcu_read_lock();
	s = gh_heap_span_of(heap, off);
	if (s) {
		err = lookup_span(heap, s, off, info);
		/*
		 * A span freed in between may have become another one; the
		 * table tells. Orders the reads above before this one.
		 */
		smp_rmb();
		if (gh_heap_span_of(heap, off) != s)
			err = -EINVAL;
	}
	rcu_read_unlock();
	return err;
}
