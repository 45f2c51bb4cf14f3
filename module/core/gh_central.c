// SPDX-License-Identifier: GPL-2.0
/*
 * mcentral: the spans of one span class that no mcache holds.
 *
 * Four lists: spans with free slots and full ones, each swept or not. When a
 * cycle ends and gh_heap.sweepgen moves on, all swept spans need sweeping
 * again; the lists change roles by that alone, without a walk.
 *
 * An mcache that needs a span takes, in this order: a swept one with free
 * slots; an unswept one with free slots, which it sweeps; an unswept full one
 * in which sweeping finds a free slot; a new one. It looks at no more than
 * GH_SPAN_BUDGET unswept spans, so that a long run of full spans cannot make
 * one allocation slow; the space this may waste is one span in a hundred.
 *
 * A list hands a span to exactly one caller, who from then on owns it. All
 * functions are called with gh_heap.world held, so sweepgen does not change.
 */
#include "gh_internal.h"
#include "gh_heap.h"

/* Index of the swept lists; the other one is that of the unswept. */
static inline u32 swept_index(const struct gh_heap *heap)
{
	return (heap->sweepgen / 2) & 1;
}

/**
 * gh_central_init() - make a span class's lists
 * @c: lists
 */
void gh_central_init(struct gh_central *c)
{
	int i;

	spin_lock_init(&c->lock);
	for (i = 0; i < 2; i++) {
		INIT_LIST_HEAD(&c->partial[i]);
		INIT_LIST_HEAD(&c->full[i]);
	}
}

static struct gh_span *pop(struct gh_central *c, struct list_head *list)
{
	struct gh_span *s;

	/* Most are. None comes to an unswept list, and one may be missed. */
	if (list_empty(list))
		return NULL;
	spin_lock(&c->lock);
	s = list_first_entry_or_null(list, struct gh_span, node);
	if (s)
		list_del_init(&s->node);
	spin_unlock(&c->lock);
	return s;
}

/**
 * gh_central_push_swept() - put a swept span on its list
 * @heap: heap
 * @s: span of the caller's with sweepgen == heap->sweepgen
 */
void gh_central_push_swept(struct gh_heap *heap, struct gh_span *s)
{
	struct gh_central *c = &s->sc->central;
	u32 i = swept_index(heap);
	bool full = s->alloc_count == s->nelems;

	spin_lock(&c->lock);
	list_add_tail(&s->node, full ? &c->full[i] : &c->partial[i]);
	spin_unlock(&c->lock);
}

/**
 * gh_central_pop_unswept() - take a span that needs sweeping
 * @heap: heap
 * @sc: span class
 *
 * Return: a span that the caller owns and sweeps, or NULL.
 */
struct gh_span *gh_central_pop_unswept(struct gh_heap *heap,
				       struct gh_spanclass *sc)
{
	struct gh_central *c = &sc->central;
	u32 i = !swept_index(heap);
	struct gh_span *s;

	s = pop(c, &c->partial[i]);
	if (!s)
		s = pop(c, &c->full[i]);
	if (s)
		gh_sweep_own(heap, s);
	return s;
}

/* An unswept span that has a free slot once it has been swept. */
static struct gh_span *sweep_for_slot(struct gh_heap *heap,
				      struct gh_spanclass *sc)
{
	struct gh_span *s;
	int budget;

	for (budget = GH_SPAN_BUDGET; budget; budget--) {
		s = gh_central_pop_unswept(heap, sc);
		if (!s)
			return NULL;
		gh_sweep_span(heap, s, true);
		if (s->alloc_count < s->nelems)
			return s;
		gh_central_push_swept(heap, s);
	}
	return NULL;
}

/**
 * gh_central_cache_span() - get a span with a free slot for an mcache
 * @heap: heap
 * @mc: the mcache
 * @sc: span class of small objects
 *
 * Context: may sleep; mc->lock and heap->world held.
 * Return: the span; ERR_PTR as gh_heap_prepare_span().
 */
struct gh_span *gh_central_cache_span(struct gh_heap *heap,
				      struct gh_mcache *mc,
				      struct gh_spanclass *sc)
{
	struct gh_span *s;

	lockdep_assert_held(&mc->lock);
	s = pop(&sc->central, &sc->central.partial[swept_index(heap)]);
	if (!s)
		s = sweep_for_slot(heap, sc);
	if (!s) {
		s = gh_heap_prepare_span(heap, mc, sc, sc->npages);
		if (IS_ERR(s))
			return s;
		gh_heap_publish_span(heap, s);
	}
	WRITE_ONCE(s->sweepgen, heap->sweepgen + 3);
	return s;
}

/**
 * gh_central_uncache_span() - take a span back from an mcache
 * @heap: heap
 * @s: span with sweepgen == heap->sweepgen + 3
 */
void gh_central_uncache_span(struct gh_heap *heap, struct gh_span *s)
{
	WARN_ON_ONCE(s->sweepgen != heap->sweepgen + 3);
	WRITE_ONCE(s->sweepgen, heap->sweepgen);
	gh_central_push_swept(heap, s);
}
