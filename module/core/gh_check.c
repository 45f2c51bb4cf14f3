// SPDX-License-Identifier: GPL-2.0
/*
 * Validator: derives again what the heap believes of itself.
 *
 * Every page is in a span, in an mcache's page cache, or free; a span's pages
 * all lead to it; the allocation count of a span is that of its slots, and the
 * sum of all is what was handed out and not freed; a span that no mcache or lease
 * holds is on the list of mcentral on which it will be looked for; what is backed
 * is what was charged; and the page allocator agrees. Tests call it between
 * operations, and the collector if gh_heap.verify says so; nothing in the core
 * depends on it.
 */
#include "gh_internal.h"
#include "gh_heap.h"

/**
 * struct check - what spans and lists say
 * @backed: pages with memory
 * @inuse: pages of spans
 * @large: bytes of large objects
 * @slots: allocated slots, by size class
 * @spans: spans that have to be on a list
 * @listed: spans that are on one
 */
struct check {
	u64 backed;
	s64 inuse;
	u64 large;
	u64 slots[GH_NR_CLASSES];
	u64 spans;
	u64 listed;
};

/* Are there bits for slots that do not exist? */
static bool has_bits_beyond(const struct gh_span *s)
{
	const struct gh_bits *w = &s->bits[s->nr_words - 1];
	u64 used = s->nelems % 64 ? (1ULL << s->nelems % 64) - 1 : ~0ULL;

	return (w->half[0] | w->half[1] | w->scan) & ~used;
}

static const char *check_slots(struct gh_heap *heap, struct gh_span *s)
{
	u32 half = gh_mark_half(heap->sweepgen);
	u32 count = 0;
	u32 i;

	if (s->freeindex > s->nelems)
		return "freeindex";
	if (has_bits_beyond(s))
		return "bits beyond the last slot";
	for (i = 0; i < s->nelems; i++)
		count += gh_span_slot_allocated(heap, s, i);
	if (s->sweepgen == heap->sweepgen - 2)
		return count > s->alloc_count ? "marked more than allocated" :
						NULL;
	if (s->sweepgen != heap->sweepgen && s->sweepgen != heap->sweepgen + 3)
		return "sweepgen";
	if (count != s->alloc_count)
		return "alloc_count";
	for (i = 0; i < s->nr_words; i++)
		if (s->bits[i].half[half] || s->bits[i].scan)
			return "mark bits of a swept span";
	return atomic_read(&s->work) ? "span left on the mark queue" : NULL;
}

static const char *check_span(struct gh_heap *heap, struct gh_span *s,
			      u64 page)
{
	u64 i;

	if (s->state != GH_SPAN_IN_USE)
		return "span of a page not in use";
	if (s->base != page << GH_PAGE_SHIFT)
		return "page leads to a span elsewhere";
	for (i = 0; i < s->npages; i++) {
		u64 off = s->base + i * GH_PAGE_SIZE;

		if (gh_heap_span_of(heap, off) != s)
			return "page of a span leads elsewhere";
		if (!gh_heap_kaddr(heap, off))
			return "page of a span not backed";
	}
	if (gh_span_limit(s) > s->base + s->npages * GH_PAGE_SIZE)
		return "slots beyond the span";
	return check_slots(heap, s);
}

static void count_span(const struct gh_heap *heap, const struct gh_span *s,
		       struct check *c)
{
	c->backed += s->npages;
	c->inuse += s->npages;
	c->spans += s->sweepgen != heap->sweepgen + 3;
	c->slots[s->sc->sizeclass] += s->alloc_count;
	if (!s->sc->sizeclass)
		c->large += s->elemsize;
}

static const char *check_pages(struct gh_heap *heap, struct check *c)
{
	u64 end = heap->pages.end_page;
	u64 page, next;

	for (page = 0; page < end; page = next) {
		u64 off = page << GH_PAGE_SHIFT;
		struct gh_span *s = gh_heap_span_of(heap, off);
		const char *why;

		next = page + 1;
		if (!(page % 1024))
			cond_resched();
		if (!s) {
			c->backed += !!gh_heap_kaddr(heap, off);
			continue;
		}
		why = check_span(heap, s, page);
		if (why)
			return why;
		count_span(heap, s, c);
		next = page + s->npages;
	}
	return NULL;
}

/* @swept: it is a list of swept spans; @full: of those without a free slot. */
static const char *check_list(struct gh_heap *heap, struct gh_spanclass *sc,
			      struct list_head *list, bool swept, bool full)
{
	struct gh_span *s;

	list_for_each_entry(s, list, node) {
		bool is_full = s->alloc_count == s->nelems;

		if (s->sc != sc)
			return "span on the list of another class";
		if (s->sweepgen != heap->sweepgen - (swept ? 0 : 2))
			return "sweepgen of a span on a list";
		if (swept && is_full != full)
			return "span on the list of full ones, or not";
	}
	return NULL;
}

static u64 list_length(struct list_head *list)
{
	struct list_head *pos;
	u64 n = 0;

	list_for_each(pos, list)
		n++;
	return n;
}

static const char *check_lists(struct gh_heap *heap, struct check *c)
{
	u32 i, k;

	for (i = 0; i < heap->nr_spanclasses; i++) {
		struct gh_spanclass *sc = heap->spanclasses[i];

		for (k = 0; k < 2; k++) {
			bool swept = k == ((heap->sweepgen / 2) & 1);
			struct list_head *partial = &sc->central.partial[k];
			struct list_head *full = &sc->central.full[k];
			const char *why;

			why = check_list(heap, sc, partial, swept, false);
			if (!why)
				why = check_list(heap, sc, full, swept, true);
			if (why)
				return why;
			c->listed += list_length(partial) + list_length(full);
		}
	}
	return c->listed == c->spans ? NULL : "span on no list";
}

/* Have as many slots been handed out, and not been freed, as are allocated? */
static const char *check_counts(struct gh_heap *heap, struct check *c)
{
	s64 large = 0, slots, inuse = 0;
	int cpu;
	u32 i;

	for_each_possible_cpu(cpu) {
		struct gh_stats *st = per_cpu_ptr(heap->stats, cpu);

		inuse += st->inuse_pages;
		large += st->large_alloc_bytes - st->large_free_bytes;
	}
	if (inuse != c->inuse)
		return "inuse_pages";
	if (large != c->large)
		return "bytes of large objects";
	for (i = 0; i < GH_NR_CLASSES; i++) {
		slots = 0;
		for_each_possible_cpu(cpu) {
			struct gh_stats *st = per_cpu_ptr(heap->stats, cpu);

			slots += st->mallocs[i] - st->frees[i];
		}
		if (slots != c->slots[i])
			return "mallocs and frees";
	}
	return NULL;
}

/*
 * Is what is backed what was charged? Memory that somebody is giving back, who
 * does not need the world for it, is charged until it has gone.
 */
static bool is_charged(struct gh_heap *heap, u64 pages, bool alone)
{
	u64 mapped = atomic64_read(&heap->mapped);
	u64 backed = pages * GH_PAGE_SIZE;

	return alone ? mapped == backed : mapped >= backed;
}

/* @alone: nobody gives memory back. */
static const char *check_heap(struct gh_heap *heap, bool alone)
{
	struct check c = {};
	const char *why;

	down_read(&heap->backing);
	why = check_pages(heap, &c);
	if (!why && !is_charged(heap, c.backed, alone))
		why = "mapped";
	up_read(&heap->backing);
	if (!why)
		why = check_lists(heap, &c);
	if (!why)
		why = check_counts(heap, &c);
	if (why)
		return why;
	mutex_lock(&heap->lock);
	why = gh_pagealloc_check(&heap->pages);
	mutex_unlock(&heap->lock);
	return why;
}

/**
 * gh_check_heap() - find the first thing that does not add up
 * @heap: heap on which nothing else is going on
 *
 * Context: may sleep; heap->world held, or the heap is the caller's alone.
 * Return: NULL if all is well, else what is wrong.
 */
const char *gh_check_heap(struct gh_heap *heap)
{
	return check_heap(heap, true);
}

/**
 * gh_check_verify() - warn about what does not add up
 * @heap: heap
 *
 * Context: may sleep; heap->world held for writing.
 */
void gh_check_verify(struct gh_heap *heap)
{
	const char *why;

	lockdep_assert_held_write(&heap->world);
	if (likely(!READ_ONCE(heap->verify)))
		return;
	why = check_heap(heap, false);
	WARN(why, "goheap: after cycle %llu: %s\n", heap->nr_cycles, why);
}
