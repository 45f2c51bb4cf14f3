// SPDX-License-Identifier: GPL-2.0
/*
 * Marker: finds what the roots lead to.
 *
 * Work is kept by span, not by object (the idea of Go's Green Tea). Marking a
 * slot sets its bit and puts the span on a queue unless it is there already;
 * taking a span off the queue scans all of its slots that have been marked but
 * not scanned. While a span waits, more of its slots are marked, so one visit
 * scans many objects of the same size and layout that lie side by side. The
 * queue is a list through the span descriptors: it needs no memory, so it has
 * no bound to hit and nothing to lose when memory is short, and a list of a
 * million nodes needs no more stack than a tree.
 *
 *	marked, not scanned	half[mark] set, scan clear, and either bit of
 *				the word set in dirty or the span being scanned
 *	marked, scanned		both set
 *	free or dead		neither
 *
 * Invariant: a span with dirty != 0 is on the queue, in the window, or being
 * scanned (queued is set). Marking ends when the queue, the window and the
 * pipeline are empty.
 *
 * Pipeline. A reference found in an object leads to three places that are not
 * likely to be in the cache: the span descriptor, the word of its bitmaps, the
 * object. References pass through two short rings, and spans through a window,
 * each stage prefetching what the next one needs; references into the span
 * being scanned take no detour.
 *
 * A managed stack is an object whose first word counts the words in use behind
 * it. Only those are looked at, and only those with the heap's tag: the others
 * are numbers of the program's, and no error.
 *
 * Every word of an object, and every root, may have been written by a hostile
 * program. Each is read once. A value is a reference if it has the heap's tag
 * and lies in a slot that is allocated; anything else but zero is counted and
 * ignored. Nothing else is believed of it.
 *
 * One thread marks a heap, with the world stopped.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"

#define RING		8	/* references per stage of the pipeline */
#define WINDOW		4	/* spans whose objects are being prefetched */
#define PREFETCH_MAX	16	/* objects of a word prefetched at once */
#define RESCHED_WORDS	65536	/* words of a large object between breaks */
#define GH_BLOCK_BYTES	512UL	/* 64 words, as many as a mask word covers */

struct pending {
	struct gh_span *s;
	u64 off;
};

/**
 * struct gh_mark - state of the marker, for one cycle at a time
 * @heap: heap
 * @tag: copy of gh_heap.tag
 * @half: which half of gh_bits takes the marks
 * @end: offsets below have been grown
 * @cur: span being scanned
 * @head: queue of spans
 * @tail: where the next one goes
 * @pos: moves on with every reference put in @spans
 * @spans: references whose span descriptor is being fetched
 * @words: references whose bitmap word is being fetched
 * @window: spans whose first objects are being fetched
 * @win: moves on with every span put in @window
 * @bytes: bytes of marked slots
 * @invalid: bad references
 * @nr_roots: roots offered
 * @root_bytes: bytes of roots by kind
 */
struct gh_mark {
	struct gh_heap *heap;
	u64 tag;
	u32 half;
	u64 end;
	struct gh_span *cur;
	struct gh_span *head;
	struct gh_span **tail;
	u32 pos;
	struct pending spans[RING];
	struct pending words[RING];
	struct gh_span *window[WINDOW];
	u32 win;
	u64 bytes;
	u64 invalid;
	u64 nr_roots;
	u64 root_bytes[GH_ROOT_BATCH + 1];
};

/**
 * gh_mark_create() - make the marker of a heap
 * @heap: heap
 *
 * Return: the marker or NULL without memory.
 */
struct gh_mark *gh_mark_create(struct gh_heap *heap)
{
	struct gh_mark *m = kzalloc(sizeof(*m), GH_GFP);

	if (m)
		m->heap = heap;
	return m;
}

/**
 * gh_mark_destroy() - free a marker
 * @m: marker or NULL
 */
void gh_mark_destroy(struct gh_mark *m)
{
	kfree(m);
}

static void enqueue(struct gh_mark *m, struct gh_span *s)
{
	s->queued = 1;
	s->next_queued = NULL;
	*m->tail = s;
	m->tail = &s->next_queued;
}

static struct gh_span *dequeue(struct gh_mark *m)
{
	struct gh_span *s = m->head;

	if (s) {
		m->head = s->next_queued;
		if (!m->head)
			m->tail = &m->head;
	}
	return s;
}

/* Mark the slot that @off lies in, if it is one. */
static inline void mark_slot(struct gh_mark *m, struct gh_span *s, u64 off)
{
	u32 idx = gh_span_index(s, off);
	u64 bit = 1ULL << (idx % 64);
	struct gh_bits *w;

	if (unlikely(idx >= s->nelems))
		goto invalid;
	w = &s->bits[idx / 64];
	if (w->half[m->half] & bit)
		return;
	if (unlikely(idx >= s->freeindex && !(w->half[!m->half] & bit)))
		goto invalid;
	w->half[m->half] |= bit;
	m->bytes += s->elemsize;
	if (s->noscan)
		return;
	s->dirty |= 1U << (idx / 64);
	if (!s->queued)
		enqueue(m, s);
	return;
invalid:
	m->invalid++;
}

/* Second stage: the descriptor is there, fetch the bitmap word. */
static inline void fetch_word(struct gh_mark *m, struct pending p, u32 i)
{
	struct pending old = m->words[i];

	m->words[i] = p;
	if (p.s)
		prefetchw(&p.s->bits[gh_span_index(p.s, p.off) / 64]);
	if (old.s)
		mark_slot(m, old.s, old.off);
}

/* First stage: a word that may be a reference. */
static inline void discover(struct gh_mark *m, u64 ref)
{
	u64 off = ref & ((1ULL << 48) - 1);
	struct pending old;
	struct gh_span *s;
	u32 i;

	if (!ref)
		return;
	if (unlikely(ref >> 48 != m->tag || off >= m->end))
		goto invalid;
	/* A program wrote the word; the tables are not to be read beyond. */
	off = array_index_nospec(off, m->end);
	s = gh_heap_span_of(m->heap, off);
	if (unlikely(!s))
		goto invalid;
	if (s == m->cur) {
		mark_slot(m, s, off);
		return;
	}
	i = m->pos++ % RING;
	old = m->spans[i];
	m->spans[i].s = s;
	m->spans[i].off = off;
	prefetch(s);
	fetch_word(m, old, i);
	return;
invalid:
	m->invalid++;
}

/* Let what is in the pipeline reach the bitmaps. */
static void flush_pipeline(struct gh_mark *m)
{
	const struct pending none = {};
	u32 n;

	for (n = 0; n < RING; n++) {
		u32 i = m->pos++ % RING;

		fetch_word(m, m->spans[i], i);
		m->spans[i] = none;
	}
	for (n = 0; n < RING; n++)
		fetch_word(m, none, n);
}

static inline void scan_words(struct gh_mark *m, const u64 *p, u64 mask)
{
	for (; mask; mask &= mask - 1)
		discover(m, READ_ONCE(p[__ffs64(mask)]));
}

/*
 * Scan 64 words at an offset whose page may end among them. The words before
 * the page's end are at the page's address, the others at that of the next.
 */
static void scan_block(struct gh_mark *m, u64 off, u64 mask)
{
	u64 room = (GH_PAGE_SIZE - (off & ~GH_PAGE_MASK)) / 8;
	u64 here = room < 64 ? mask & ((1ULL << room) - 1) : mask;

	if (here)
		scan_words(m, gh_heap_kaddr(m->heap, off), here);
	if (mask != here)
		scan_words(m, (u64 *)gh_heap_kaddr(m->heap, off + room * 8) -
			   room, mask & ~here);
}

/* Scan words of which those without the heap's tag are not references. */
static void scan_tagged(struct gh_mark *m, const u64 *p, u64 nr)
{
	u64 i;

	for (i = 0; i < nr; i++) {
		u64 word = READ_ONCE(p[i]);

		if (word >> 48 == m->tag)
			discover(m, word);
	}
}

/* Scan the slots in use of a managed stack, page by page. */
static void scan_stack(struct gh_mark *m, u64 off, u64 bytes)
{
	u64 *top = gh_heap_kaddr(m->heap, off);
	u64 slots = bytes / 8 - 1;
	u64 nr = min_t(u64, READ_ONCE(*top), slots);
	u64 pos = off + 8;
	u64 end, next;

	/* A program wrote top; the tables are not to be read beyond. */
	end = pos + array_index_nospec(nr, slots + 1) * 8;
	for (; pos < end; pos = next) {
		next = min_t(u64, (pos & GH_PAGE_MASK) + GH_PAGE_SIZE, end);
		scan_tagged(m, gh_heap_kaddr(m->heap, pos), (next - pos) / 8);
		cond_resched();
	}
}

/* Scan a small slot of more than 64 words, or in a span of several pages. */
static void scan_wide(struct gh_mark *m, struct gh_span *s, u64 off)
{
	u32 nr = DIV_ROUND_UP(s->sc->ptr_words, 64);
	u32 i;

	if (s->sc->stack) {
		scan_stack(m, off, s->elemsize);
		return;
	}
	for (i = 0; i < nr; i++)
		if (s->sc->mask[i])
			scan_block(m, off + i * GH_BLOCK_BYTES,
				   s->sc->mask[i]);
}

/* Scan a large array whose elements repeat evenly in 64 words. */
static void scan_tiled(struct gh_mark *m, struct gh_span *s, u64 tile)
{
	u64 end = s->base + s->elemsize;
	u64 off;

	for (off = s->base; off < end; off += GH_BLOCK_BYTES) {
		scan_words(m, gh_heap_kaddr(m->heap, off), tile);
		if (!(off & ~GH_PAGE_MASK))
			cond_resched();
	}
}

/* Scan a large object: the layout's mask, repeated over the elements. */
static void scan_large(struct gh_mark *m, struct gh_span *s)
{
	const struct gh_layout *l = s->sc->layout;
	u32 nr = DIV_ROUND_UP(l->nr_bits, 64);
	u64 end = s->base + s->elemsize;
	u64 work = 0;
	u64 elem;
	u32 i;

	if (s->sc->stack) {
		scan_stack(m, s->base, s->elemsize);
		return;
	}
	if (l->tile) {
		scan_tiled(m, s, l->tile);
		return;
	}
	for (elem = s->base; elem < end; elem += l->elem_size) {
		for (i = 0; i < nr && elem + i * GH_BLOCK_BYTES < end; i++) {
			u64 left = (end - elem - i * GH_BLOCK_BYTES) / 8;
			u64 mask = l->mask[i];

			if (left < 64)
				mask &= (1ULL << left) - 1;
			if (mask)
				scan_block(m, elem + i * GH_BLOCK_BYTES, mask);
			work += min_t(u64, l->elem_size / 8, 64);
			if (work >= RESCHED_WORDS) {
				cond_resched();
				work = 0;
			}
		}
	}
}

static void prefetch_slots(const struct gh_span *s, u32 first, u64 todo)
{
	int n = PREFETCH_MAX;

	for (; todo && n; todo &= todo - 1, n--)
		prefetch(s->kaddr + (first + __ffs64(todo)) * s->elemsize);
}

/* Scan the marked slots of a word, in a span of one page. */
static void scan_slots(struct gh_mark *m, struct gh_span *s, u32 first,
		       u64 todo)
{
	u64 elemsize = s->elemsize;

	prefetch_slots(s, first, todo & (todo - 1));
	for (; todo; todo &= todo - 1) {
		u32 idx = first + __ffs64(todo);

		if (likely(elemsize <= 512))
			scan_words(m, s->kaddr + idx * elemsize, s->mask0);
		else
			scan_wide(m, s, s->base + idx * elemsize);
	}
}

static void scan_slots_multipage(struct gh_mark *m, struct gh_span *s,
				 u32 first, u64 todo)
{
	if (!s->sc->sizeclass) {
		scan_large(m, s);
		return;
	}
	for (; todo; todo &= todo - 1)
		scan_wide(m, s,
			  s->base + (first + __ffs64(todo)) * s->elemsize);
}

/* Scan what is marked in a span until marking in it comes to rest. */
static void scan_span(struct gh_mark *m, struct gh_span *s)
{
	m->cur = s;
	while (s->dirty) {
		u32 i = __ffs64(s->dirty);
		struct gh_bits *w = &s->bits[i];
		u64 todo = w->half[m->half] & ~w->scan;

		s->dirty &= s->dirty - 1;
		w->scan |= todo;
		if (s->npages == 1 && s->sc->sizeclass)
			scan_slots(m, s, i * 64, todo);
		else
			scan_slots_multipage(m, s, i * 64, todo);
	}
	m->cur = NULL;
	s->queued = 0;
}

/* Put a span in the window; returns the one whose turn it is, or NULL. */
static struct gh_span *pass_window(struct gh_mark *m, struct gh_span *s)
{
	u32 i = m->win++ % WINDOW;
	struct gh_span *old = m->window[i];

	m->window[i] = s;
	if (s && s->npages == 1) {
		u32 w = __ffs64(s->dirty);

		prefetch_slots(s, w * 64, s->bits[w].half[m->half] &
			       ~s->bits[w].scan);
	}
	return old;
}

/* Next span to scan; NULL when there is no work left anywhere. */
static struct gh_span *next_span(struct gh_mark *m)
{
	struct gh_span *s;
	u32 n;

	if (!m->head)
		flush_pipeline(m);
	for (n = 0; n <= WINDOW; n++) {
		s = pass_window(m, dequeue(m));
		if (s)
			return s;
	}
	return NULL;
}

/**
 * gh_mark_begin() - begin a cycle
 * @m: marker
 *
 * Context: heap->world held for writing, all spans swept.
 */
void gh_mark_begin(struct gh_mark *m)
{
	struct gh_heap *heap = m->heap;

	lockdep_assert_held_write(&heap->world);
	memset(m, 0, sizeof(*m));
	m->heap = heap;
	m->tag = heap->tag;
	m->half = gh_mark_half(heap->sweepgen);
	m->end = heap->pages.end_page << GH_PAGE_SHIFT;
	m->tail = &m->head;
}

/**
 * gh_mark_refs() - offer roots
 * @m: marker
 * @refs: kernel memory that nobody changes meanwhile
 * @nr: how many
 * @kind: what they are, for the statistics
 *
 * Context: between gh_mark_begin() and gh_mark_drain().
 */
void gh_mark_refs(struct gh_mark *m, const u64 *refs, u64 nr,
		  enum gh_root_kind kind)
{
	u64 i;

	m->nr_roots += nr;
	m->root_bytes[kind] += nr * sizeof(*refs);
	for (i = 0; i < nr; i++)
		discover(m, refs[i]);
}

/* Does the offset lie in an allocated slot? */
static bool is_object(struct gh_mark *m, u64 off)
{
	struct gh_span *s;
	u32 idx;

	if (off >= m->end)
		return false;
	off = array_index_nospec(off, m->end);
	s = gh_heap_span_of(m->heap, off);
	if (!s)
		return false;
	idx = gh_span_index(s, off);
	return idx < s->nelems &&
	       (idx < s->freeindex ||
		s->bits[idx / 64].half[!m->half] >> (idx % 64) & 1);
}

/* Where in the heap a word may lead to; GH_MAX_ASPACE if nowhere. */
static u64 offset_of(const struct gh_mark *m, u64 word,
		     const struct gh_window *windows, u32 nr_windows)
{
	u32 i;

	if (word >> 48 == m->tag)
		return word & ((1ULL << 48) - 1);
	for (i = 0; i < nr_windows; i++)
		if (word - windows[i].base < windows[i].bytes)
			return word - windows[i].base;
	return GH_MAX_ASPACE;
}

/**
 * gh_mark_words() - offer words that may be references or pointers
 * @m: marker
 * @words: kernel memory that nobody changes meanwhile
 * @nr: how many
 * @windows: where the words' program sees the heap
 * @nr_windows: how many
 * @kind: what they are, for the statistics
 *
 * Conservative: a word that has the heap's tag, or is an address in a window,
 * keeps the object it leads into; any other means nothing and is not counted as
 * a bad reference.
 * Context: between gh_mark_begin() and gh_mark_drain().
 */
void gh_mark_words(struct gh_mark *m, const u64 *words, u64 nr,
		   const struct gh_window *windows, u32 nr_windows,
		   enum gh_root_kind kind)
{
	u64 i;

	m->root_bytes[kind] += nr * sizeof(*words);
	for (i = 0; i < nr; i++) {
		u64 off;

		/* Most of what is looked at. */
		if (!words[i])
			continue;
		off = offset_of(m, words[i], windows, nr_windows);
		if (!is_object(m, off))
			continue;
		m->nr_roots++;
		discover(m, m->tag << 48 | off);
	}
}

/**
 * gh_mark_drain() - mark whatever is reachable from what is marked
 * @m: marker
 *
 * Context: may sleep; heap->world held for writing.
 */
void gh_mark_drain(struct gh_mark *m)
{
	struct gh_span *s;

	lockdep_assert_held_write(&m->heap->world);
	while ((s = next_span(m))) {
		scan_span(m, s);
		cond_resched();
	}
}

/**
 * gh_mark_end() - end a cycle and report
 * @m: marker
 * @c: out: what the marker knows of the cycle
 *
 * Context: heap->world held for writing.
 */
void gh_mark_end(struct gh_mark *m, struct gh_cycle *c)
{
	struct gh_heap *heap = m->heap;

	WARN_ON_ONCE(m->head);
	c->heap_marked = m->bytes;
	c->stack_bytes = m->root_bytes[GH_ROOT_STACK];
	c->global_bytes = m->root_bytes[GH_ROOT_HANDLE] +
			  m->root_bytes[GH_ROOT_STATIC];
	c->invalid_refs = m->invalid;
	WRITE_ONCE(heap->invalid_refs, heap->invalid_refs + m->invalid);
	WRITE_ONCE(heap->root_count, m->nr_roots);
}

/**
 * gh_mark_black() - mark a slot that is being allocated during a cycle
 * @heap: heap
 * @s: span
 * @idx: slot
 *
 * It counts as scanned, since it is empty.
 * Context: the caller owns the span; heap->phase is not GH_PHASE_OFF.
 */
void gh_mark_black(struct gh_heap *heap, struct gh_span *s, u32 idx)
{
	struct gh_bits *w = &s->bits[idx / 64];
	u64 bit = 1ULL << (idx % 64);

	w->half[gh_mark_half(heap->sweepgen)] |= bit;
	w->scan |= bit;
}
