// SPDX-License-Identifier: GPL-2.0
/*
 * Sweeper: turns what the last cycle did not mark into free slots.
 *
 * Nothing is copied and no object is touched, unless dead ones are to be filled
 * for whoever looks for stale pointers (gh_heap.clobberfree). When a cycle
 * ends, gh_heap.sweepgen moves on by 2 and the bitmap that took the marks
 * becomes the bitmap of allocated slots of every span (see gh_mark_half()).
 * Sweeping a span then means: count its bits, clear the other bitmap for the
 * marks of the next cycle, let allocation begin at slot 0 again, and give the
 * span back to the heap if nothing in it is live.
 *
 * Who sweeps: the collector after its cycle; an mcache that needs a span; an
 * allocation that has run into the ceiling; and whoever takes a span sweeps as
 * much as the pacer asks, so that all is swept when the next cycle is due even if
 * the collector does not get the CPU. A span is taken off mcentral's unswept list
 * by exactly one of them. All run with gh_heap.world held for reading, and the
 * collector ends its sweep before it starts another cycle, so each span is swept
 * exactly once between two cycles.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"

/* Work before a rest, in ns: it takes some time by itself. */
#define REST_MIN	(100 * NSEC_PER_USEC)

/* Spans swept before others may stop the world. */
#define GH_SWEEP_BATCH	32

/**
 * gh_sweep_own() - say that a span is being swept
 * @heap: heap
 * @s: span just taken off an unswept list
 */
void gh_sweep_own(struct gh_heap *heap, struct gh_span *s)
{
	WARN_ON_ONCE(s->sweepgen != heap->sweepgen - 2);
	WRITE_ONCE(s->sweepgen, heap->sweepgen - 1);
}

/* Slots of a word that were allocated when marking ended. */
static u64 allocated(const struct gh_span *s, u32 word, u64 bits)
{
	u32 below = s->freeindex > word * 64 ? s->freeindex - word * 64 : 0;

	return below >= 64 ? ~0ULL : bits | ((1ULL << below) - 1);
}

/* Fill the slots of a word that have died. */
static void clobber(struct gh_heap *heap, struct gh_span *s, u32 word, u64 dead)
{
	for (; dead; dead &= dead - 1) {
		u32 idx = word * 64 + __ffs64(dead);

		if (idx < s->nelems)
			gh_span_clobber(heap, s, idx);
	}
}

/*
 * Count live slots and make room for the marks of the next cycle. A marker can
 * have been deceived about a slot that a mutator gave back just then.
 */
static u32 sweep_bits(struct gh_heap *heap, struct gh_span *s)
{
	u32 mark = gh_mark_half(heap->sweepgen);
	u32 sum = 0;
	u32 i;

	for (i = 0; i < s->nr_words; i++) {
		struct gh_bits *w = &s->bits[i];
		u64 old = allocated(s, i, w->half[mark]);
		u64 live = w->half[!mark] & old;

		if (unlikely(READ_ONCE(heap->clobberfree)))
			clobber(heap, s, i, old & ~live);
		if (unlikely(live != w->half[!mark]))
			WRITE_ONCE(w->half[!mark], live);
		sum += hweight64(live);
		WRITE_ONCE(w->half[mark], 0);
		w->scan = 0;
	}
	atomic_set(&s->work, 0);
	return sum;
}

static void count_frees(struct gh_heap *heap, struct gh_span *s, u32 freed)
{
	if (s->sc->sizeclass) {
		gh_stat_add(heap, frees[s->sc->sizeclass], freed);
	} else if (freed) {
		gh_stat_add(heap, frees[0], 1);
		gh_stat_add(heap, large_free_bytes, s->elemsize);
	}
}

/**
 * gh_sweep_span() - sweep a span
 * @heap: heap
 * @s: span owned by gh_sweep_own()
 * @preserve: the caller keeps the span, even an empty one; else it goes to
 *	mcentral or back to the heap
 *
 * Context: may sleep; gh_heap.world held.
 * Return: true if the span was freed.
 */
bool gh_sweep_span(struct gh_heap *heap, struct gh_span *s, bool preserve)
{
	u32 live = sweep_bits(heap, s);

	/* The marker only marks allocated slots. */
	WARN_ON_ONCE(live > s->alloc_count);
	count_frees(heap, s, s->alloc_count - live);
	gh_stat_add(heap, swept_pages, s->npages);
	if (live != s->alloc_count)
		s->needzero = 1;
	s->alloc_count = live;
	if (!live && !preserve) {
		gh_heap_free_span(heap, s);
		return true;
	}
	WRITE_ONCE(s->freeindex, 0);
	s->alloc_cache = ~s->bits[0].half[!gh_mark_half(heap->sweepgen)];
	/* Pairs with the load in gh_span_slot_allocated(). */
	smp_store_release(&s->sweepgen, heap->sweepgen);
	if (!preserve)
		gh_central_push_swept(heap, s);
	return false;
}

/* Sweep some spans of one class; returns false when there are no more. */
static bool sweep_some(struct gh_heap *heap, struct gh_spanclass *sc,
		       u64 *freed)
{
	struct gh_span *s;
	int n;

	for (n = 0; n < GH_SWEEP_BATCH; n++) {
		u32 npages;

		s = gh_central_pop_unswept(heap, sc);
		if (!s)
			return false;
		npages = s->npages;
		if (gh_sweep_span(heap, s, false))
			*freed += npages;
	}
	return true;
}

/* Sweep one span of any class; returns its pages, 0 when there are no more. */
static u32 sweep_one(struct gh_heap *heap)
{
	/* Pairs with the store in spanclass_make(). */
	u32 nr = smp_load_acquire(&heap->nr_spanclasses);
	u32 i;

	for (i = READ_ONCE(heap->sweep_class); i < nr; i++) {
		struct gh_spanclass *sc = heap->spanclasses[i];
		struct gh_span *s = gh_central_pop_unswept(heap, sc);

		if (s) {
			u32 npages = s->npages;

			gh_sweep_span(heap, s, false);
			return npages;
		}
		/* Nothing comes to an unswept list, so whoever is last is right. */
		WRITE_ONCE(heap->sweep_class, i + 1);
	}
	return 0;
}

/**
 * gh_sweep_pay() - sweep as much as is due before a span is taken
 * @heap: heap
 * @bytes: bytes of the span
 *
 * Go's deductSweepCredit().
 * Context: may sleep; gh_heap.world held for reading.
 */
void gh_sweep_pay(struct gh_heap *heap, u64 bytes)
{
	u64 target = gh_pace_sweep_target(heap, bytes);

	lockdep_assert_held_read(&heap->world);
	if (likely(!target))
		return;
	while (gh_pace_swept_pages(heap) < target)
		if (!sweep_one(heap))
			break;
}

/**
 * gh_sweep_stopped() - sweep whatever has not been swept
 * @heap: heap
 *
 * Context: may sleep; gh_heap.world held for writing.
 * Return: pages freed.
 */
u64 gh_sweep_stopped(struct gh_heap *heap)
{
	u64 freed = 0;
	u32 i;

	lockdep_assert_held_write(&heap->world);
	for (i = 0; i < heap->nr_spanclasses; i++)
		while (sweep_some(heap, heap->spanclasses[i], &freed))
			cond_resched();
	return freed;
}

/* If others wait for the CPU, they have it for as long as this has. */
static void rest(u64 *since)
{
	u64 now, worked;

	if (!gh_port_cpu_wanted())
		return;
	now = gh_port_cpu_ns();
	worked = now - *since;
	if (worked < REST_MIN)
		return;
	gh_port_rest(gh_pace_rest(GH_FIX_ONE / 2, worked));
	*since = now;
}

static u64 sweep_all(struct gh_heap *heap, bool background)
{
	u64 since = gh_port_cpu_ns(), freed = 0;
	u32 i;

	/* Pairs with the store in spanclass_make(). */
	for (i = 0; i < smp_load_acquire(&heap->nr_spanclasses); i++) {
		bool more = true;

		while (more) {
			down_read(&heap->world);
			more = sweep_some(heap, heap->spanclasses[i], &freed);
			up_read(&heap->world);
			if (background)
				rest(&since);
			cond_resched();
		}
	}
	return freed;
}

/**
 * gh_sweep_all() - sweep whatever has not been swept
 * @heap: heap
 *
 * When it returns no unswept span is left on a list; others may still be
 * sweeping theirs.
 * Context: may sleep; no lock held.
 * Return: pages freed.
 */
u64 gh_sweep_all(struct gh_heap *heap)
{
	return sweep_all(heap, false);
}

/**
 * gh_sweep_background() - the same, as long as nobody is in a hurry
 * @heap: heap
 *
 * Programs need not wait for it: they sweep what they take.
 * Context: may sleep; no lock held; the heap's collector.
 * Return: pages freed.
 */
u64 gh_sweep_background(struct gh_heap *heap)
{
	return sweep_all(heap, true);
}
