// SPDX-License-Identifier: GPL-2.0
/*
 * Markers: find what the roots lead to, while programs run.
 *
 * Work is kept by span, not by object (the idea of Go's Green Tea). Marking a
 * slot sets its bit and puts the span on the marker's queue unless it is on one
 * already; taking a span off the queue scans all of its slots that have been
 * marked but not scanned. While a span waits, more of its slots are marked, so
 * one visit scans many objects of the same size and layout that lie side by
 * side. A queue is a list through the span descriptors: it needs no memory, so
 * it has no bound to hit and nothing to lose when memory is short, and a list of
 * a million nodes needs no more stack than a tree. How markers share work is told
 * in gh_work.c.
 *
 *	white	half[mark] clear
 *	grey	half[mark] set, scan clear, and the bit of the word set in
 *		gh_span.work, or in gh_mark.dirty of who scans the span
 *	black	both set, or half[mark] set and neither
 *
 * In the span that it scans a marker notes in gh_mark.near what it marks and
 * tells the bitmaps before it gives the span up, a word at a time: most references
 * of trees and lists lead there, and an atomic operation for each took longer than
 * all the rest. Until then another marker may mark the same slot, too; scan says
 * that there is nothing more to do, and whose operation sets the bit counts it.
 *
 * Several markers, and programs that allocate, change the same words. A mark is
 * set once, by compare and exchange. Then gh_span.work is looked at, and changed
 * unless the word is dirty there and the span queued. Whoever scans the span
 * clears the dirty bits before it looks at the marks; both are full barriers, so
 * either it sees the mark or the bit is set again. A span is scanned by one
 * marker at a time: the one that took it off a queue, until it has exchanged
 * GH_SPAN_QUEUED alone for 0.
 *
 * New objects are marked when they are allocated. There is no need to scan them,
 * since what is stored in them is reported; they are scanned all the same if a
 * marker comes to their word of slots, which is cheaper than to tell it not to.
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
 * ignored. Nothing else is believed of it. A program that forges a reference to a
 * slot which has been granted to it and which it gives back may have it marked
 * while it is free; the sweeper sorts that out.
 *
 * No span is swept, hence none freed, while there are markers, so that a marker
 * may follow what it finds in the tables without a lock.
 */
#include "gh_internal.h"
#include "gh_checkmark.h"
#include "gh_heap.h"
#include "gh_port.h"

#define IDLE_REST	(500 * NSEC_PER_USEC)	/* while a CPU is in use */
#define REPORT_BYTES	(64UL << 10)	/* scanned before it is told */
#define PREFETCH_MAX	16	/* objects of a word prefetched at once */
#define RUN		4	/* roots looked at together */
#define RESCHED_WORDS	65536	/* words of a large object between breaks */
#define OBLET_BYTES	(128UL << 10)	/* scanned at a time, as in Go */
#define GH_BLOCK_BYTES	512UL	/* 64 words, as many as a mask word covers */

static void enqueue(struct gh_mark *m, struct gh_span *s)
{
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
		if (unlikely(!s->sc->sizeclass))
			/* Before others can share it again. */
			atomic_fetch_andnot(GH_SPAN_SHARED, &s->work);
	}
	return s;
}

/*
 * Is the slot allocated? All spans are swept, but allocation goes on. Grants are
 * published after freeindex, and taken back after the allocation bits.
 */
static inline bool is_allocated(const struct gh_mark *m,
				const struct gh_span *s, u32 idx)
{
	/* Pairs with the store in settle_grant(). */
	if (idx < smp_load_acquire(&s->freeindex))
		return true;
	return READ_ONCE(s->bits[idx / 64].half[!m->half]) >> (idx % 64) & 1;
}

/* A slot of another span than the one being scanned has turned grey. */
static inline void make_dirty(struct gh_mark *m, struct gh_span *s, u32 idx)
{
	int work = GH_SPAN_QUEUED | 1 << (idx / 64);

	/* Pairs with the exchange in scan_span(). */
	if ((atomic_read(&s->work) & work) == work)
		return;
	if (atomic_fetch_or(work, &s->work) & GH_SPAN_QUEUED)
		return;
	if (unlikely(!s->sc->sizeclass))
		atomic64_set(&s->scan_pos, 0);
	enqueue(m, s);
}

/* Mark the slot that @off lies in; false if it is none. */
static inline bool mark_slot(struct gh_mark *m, struct gh_span *s, u64 off)
{
	u32 idx = gh_span_index(s, off);
	u64 bit = 1ULL << (idx % 64);
	u64 *marks, old;

	if (unlikely(idx >= s->nelems))
		return false;
	marks = &s->bits[idx / 64].half[m->half];
	old = READ_ONCE(*marks);
	if (old & bit)
		return true;
	if (unlikely(!is_allocated(m, s, idx)))
		return false;
	while (!try_cmpxchg(marks, &old, old | bit))
		if (old & bit)
			return true;
	m->bytes += s->elemsize;
	if (!s->noscan)
		make_dirty(m, s, idx);
	return true;
}

/* The same in the span being scanned; nobody else needs to know yet. */
static inline bool mark_near(struct gh_mark *m, u64 off)
{
	struct gh_span *s = m->cur;
	u32 idx = gh_span_index(s, off);
	u64 bit = 1ULL << (idx % 64);
	u32 word = idx / 64;

	if (unlikely(idx >= s->nelems))
		return false;
	if ((s->bits[word].scan | m->near[word]) & bit)
		return true;
	if (unlikely(!is_allocated(m, s, idx)))
		return false;
	m->near[word] |= bit;
	m->dirty |= 1U << word;
	return true;
}

/* Put what mark_near() has noted into the bitmaps. */
static void publish_near(struct gh_mark *m, struct gh_span *s)
{
	for (; m->near_words; m->near_words &= m->near_words - 1) {
		u32 i = __ffs64(m->near_words);
		u64 *marks = &s->bits[i].half[m->half];
		u64 fresh = m->near[i] & ~READ_ONCE(*marks);

		m->near[i] = 0;
		if (!fresh)
			continue;
		fresh &= ~gh_bits_or(marks, fresh);
		m->bytes += hweight64(fresh) * s->elemsize;
	}
}

/* Second stage: the descriptor is there, fetch the bitmap word. */
static inline void fetch_word(struct gh_mark *m, struct gh_pending p, u32 i)
{
	struct gh_pending old = m->words[i];

	m->words[i] = p;
	if (p.s)
		prefetchw(&p.s->bits[gh_span_index(p.s, p.off) / 64]);
	if (old.s && unlikely(!mark_slot(m, old.s, old.off)))
		m->invalid++;
}

/* Is the offset below the end of the heap, which may have grown? */
static bool is_grown(struct gh_mark *m, u64 off)
{
	m->end = READ_ONCE(m->heap->pages.end_page) << GH_PAGE_SHIFT;
	return off < m->end;
}

/* First stage: a word that may be a reference. */
static inline void discover(struct gh_mark *m, u64 ref)
{
	u64 off = ref & ((1ULL << 48) - 1);
	struct gh_pending old;
	struct gh_span *s;
	u32 i;

	if (!ref)
		return;
	if (unlikely(ref >> 48 != m->tag))
		goto invalid;
	if (off - m->cur_base < m->cur_bytes) {
		/* A program wrote the word; nothing is to be read beyond. */
		off = array_index_nospec(off - m->cur_base, m->cur_bytes);
		if (unlikely(!mark_near(m, m->cur_base + off)))
			goto invalid;
		return;
	}
	if (unlikely(off >= m->end) && !is_grown(m, off))
		goto invalid;
	off = array_index_nospec(off, m->end);
	s = gh_heap_span_of(m->heap, off);
	if (unlikely(!s))
		goto invalid;
	i = m->pos++ % GH_MARK_RING;
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
	const struct gh_pending none = {};
	u32 n;

	for (n = 0; n < GH_MARK_RING; n++) {
		u32 i = m->pos++ % GH_MARK_RING;

		fetch_word(m, m->spans[i], i);
		m->spans[i] = none;
	}
	for (n = 0; n < GH_MARK_RING; n++)
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

/* Scan part of a large array whose elements repeat evenly in 64 words. */
static void scan_tiled(struct gh_mark *m, u64 off, u64 end, u64 tile)
{
	for (; off < end; off += GH_BLOCK_BYTES)
		scan_words(m, gh_heap_kaddr(m->heap, off), tile);
}

/* Scan elements of a large object: the layout's mask, repeated. */
static void scan_elements(struct gh_mark *m, const struct gh_layout *l,
			  u64 elem, u64 end, u64 limit)
{
	u32 nr = DIV_ROUND_UP(l->nr_bits, 64);
	u64 work = 0;
	u32 i;

	for (; elem < end; elem += l->elem_size) {
		for (i = 0; i < nr && elem + i * GH_BLOCK_BYTES < limit; i++) {
			u64 left = (limit - elem - i * GH_BLOCK_BYTES) / 8;
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

/* Bytes of a large object that one marker scans at a time: whole elements. */
static u64 oblet_bytes(const struct gh_layout *l)
{
	if (l->tile || l->elem_size >= OBLET_BYTES)
		return max_t(u64, l->tile ? 0 : l->elem_size, OBLET_BYTES);
	return OBLET_BYTES - OBLET_BYTES % l->elem_size;
}

/* Scan what nobody scans yet of a large object, piece by piece. */
static void scan_large(struct gh_mark *m, struct gh_span *s)
{
	const struct gh_layout *l = s->sc->layout;
	u64 limit = s->base + s->elemsize;
	u64 step = oblet_bytes(l);

	if (s->sc->stack) {
		scan_stack(m, s->base, s->elemsize);
		m->scanned += s->elemsize;
		m->nr_objs++;
		return;
	}
	for (;;) {
		u64 pos = atomic64_fetch_add(step, &s->scan_pos);
		u64 off = s->base + pos, end;

		if (pos >= s->elemsize)
			break;
		m->nr_objs += !pos;
		end = min(off + step, limit);
		if (end < limit && gh_work_hungry(&m->heap->work))
			gh_work_share(m, s);
		if (l->tile)
			scan_tiled(m, off, end, l->tile);
		else
			scan_elements(m, l, off, end, limit);
		m->scanned += end - off;
		cond_resched();
	}
}

static void prefetch_slots(const struct gh_span *s, u32 first, u64 todo)
{
	int n = PREFETCH_MAX;

	for (; todo && n; todo &= todo - 1, n--)
		prefetch(s->kaddr + (first + __ffs64(todo)) * s->elemsize);
}

/* Fetch what is to be scanned of a word of slots, if that is a small one. */
static inline void prefetch_word(const struct gh_mark *m,
				 const struct gh_span *s, u32 i)
{
	if (s->npages == 1)
		prefetch_slots(s, i * 64,
			       READ_ONCE(s->bits[i].half[m->half]) &
			       ~s->bits[i].scan);
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
	for (; todo; todo &= todo - 1)
		scan_wide(m, s,
			  s->base + (first + __ffs64(todo)) * s->elemsize);
}

/* Scan what is marked of a word of slots. */
static void scan_word(struct gh_mark *m, struct gh_span *s, u32 i)
{
	struct gh_bits *w = &s->bits[i];
	/* Pairs with gh_mark_black(): what is new is zero. */
	u64 todo = smp_load_acquire(&w->half[m->half]);

	todo = (todo | m->near[i]) & ~w->scan;
	if (!todo)
		return;
	if (m->near[i])
		m->near_words |= 1U << i;
	w->scan |= todo;
	m->nr_objs += hweight64(todo);
	m->scanned += hweight64(todo) * s->elemsize;
	if (s->npages == 1)
		scan_slots(m, s, i * 64, todo);
	else
		scan_slots_multipage(m, s, i * 64, todo);
}

/* Scan what is marked in a span until marking in it comes to rest. */
static void scan_span(struct gh_mark *m, struct gh_span *s)
{
	if (unlikely(!s->sc->sizeclass)) {
		scan_large(m, s);
		return;
	}
	m->cur = s;
	m->cur_base = s->base;
	m->cur_bytes = (u64)s->npages << GH_PAGE_SHIFT;
	do {
		/* Pairs with the look in make_dirty(). */
		m->dirty |= atomic_xchg(&s->work, GH_SPAN_QUEUED) &
			    GH_SPAN_DIRTY;
		while (m->dirty) {
			u32 i = __ffs64(m->dirty);

			m->dirty &= m->dirty - 1;
			if (m->dirty)
				prefetch_word(m, s, __ffs64(m->dirty));
			scan_word(m, s, i);
		}
		publish_near(m, s);
	} while (atomic_cmpxchg(&s->work, GH_SPAN_QUEUED, 0) !=
		 GH_SPAN_QUEUED);
	m->cur_bytes = 0;
}

/* Put a span in the window; returns the one whose turn it is, or NULL. */
static struct gh_span *pass_window(struct gh_mark *m, struct gh_span *s)
{
	u32 i = m->win++ % GH_MARK_WINDOW;
	struct gh_span *old = m->window[i];

	m->window[i] = s;
	if (s)
		prefetch_word(m, s, __ffs64(atomic_read(&s->work) |
					    GH_SPAN_QUEUED) % 16);
	return old;
}

/* Next span to scan; NULL when there is no work left anywhere. */
static struct gh_span *next_span(struct gh_mark *m)
{
	struct gh_span *s;
	u32 n;

	do {
		if (!m->head)
			flush_pipeline(m);
		for (n = 0; n <= GH_MARK_WINDOW; n++) {
			s = pass_window(m, dequeue(m));
			if (s)
				return s;
		}
	} while (gh_work_take(m));
	return NULL;
}

static void init(struct gh_mark *m, struct gh_heap *heap)
{
	memset(m, 0, sizeof(*m));
	m->heap = heap;
	m->tag = heap->tag;
	m->tail = &m->head;
}

/* What does not change while the marker is active. */
static void look_at_heap(struct gh_mark *m)
{
	m->half = gh_mark_half(m->heap->sweepgen);
	m->end = READ_ONCE(m->heap->pages.end_page) << GH_PAGE_SHIFT;
}

/**
 * gh_mark_begin() - begin to mark
 * @m: marker to be
 * @heap: heap, with gh_heap.phase not GH_PHASE_OFF and no way for it to become so
 */
void gh_mark_begin(struct gh_mark *m, struct gh_heap *heap)
{
	init(m, heap);
	gh_work_join(m);
	look_at_heap(m);
}

/**
 * gh_mark_finish() - leave what is not scanned to others
 * @m: marker
 */
void gh_mark_finish(struct gh_mark *m)
{
	u32 n;

	flush_pipeline(m);
	for (n = 0; n < GH_MARK_WINDOW; n++) {
		struct gh_span *s = pass_window(m, NULL);

		if (!s)
			continue;
		/* A large object may be on a queue, for others to help with. */
		if (s->sc->sizeclass)
			enqueue(m, s);
		else
			gh_work_share(m, s);
	}
	gh_work_leave(m);
}

/**
 * gh_mark_pending() - is there something that this marker is to scan?
 * @m: marker
 */
bool gh_mark_pending(struct gh_mark *m)
{
	u32 n;

	flush_pipeline(m);
	for (n = 0; n < GH_MARK_WINDOW; n++)
		if (m->window[n])
			return true;
	return m->head;
}

/**
 * gh_mark_refs() - offer roots
 * @m: marker
 * @refs: kernel memory that nobody changes meanwhile
 * @nr: how many
 * @kind: what they are, for the statistics
 *
 */
void gh_mark_refs(struct gh_mark *m, const u64 *refs, u64 nr,
		  enum gh_root_kind kind)
{
	u64 i;

	if (unlikely(m->check)) {
		gh_checkmark_refs(m->check, refs, nr, kind);
		return;
	}
	m->nr_roots += nr;
	m->root_bytes[kind] += nr * sizeof(*refs);
	for (i = 0; i < nr; i++)
		discover(m, refs[i]);
}

/* The span that the offset lies in; NULL if that is none. */
static struct gh_span *find_span(struct gh_mark *m, u64 off)
{
	if (off >= m->end && !is_grown(m, off))
		return NULL;
	return gh_heap_span_of(m->heap, array_index_nospec(off, m->end));
}

/* Does the offset lie in an allocated slot? */
static bool is_object(struct gh_mark *m, u64 off)
{
	struct gh_span *s = find_span(m, off);
	u32 idx;

	if (!s)
		return false;
	idx = gh_span_index(s, off);
	return idx < s->nelems && is_allocated(m, s, idx);
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
 * a bad reference. What it leads into may be a slot that is granted and given
 * back again, so it is marked at once.
 */
void gh_mark_words(struct gh_mark *m, const u64 *words, u64 nr,
		   const struct gh_window *windows, u32 nr_windows,
		   enum gh_root_kind kind)
{
	u64 i;

	if (unlikely(m->check)) {
		gh_checkmark_words(m->check, words, nr, windows, nr_windows,
				   kind);
		return;
	}
	m->root_bytes[kind] += nr * sizeof(*words);
	for (i = 0; i < nr; i++) {
		struct gh_span *s;
		u64 off;

		/* Most of what is looked at comes in runs. */
		while (i + RUN < nr && !(words[i] | words[i + 1] |
					 words[i + 2] | words[i + 3]))
			i += RUN;
		if (!words[i])
			continue;
		/* And most of the rest leads elsewhere. */
		off = offset_of(m, words[i], windows, nr_windows);
		if (off == GH_MAX_ASPACE)
			continue;
		s = find_span(m, off);
		if (s && mark_slot(m, s, off))
			m->nr_roots++;
	}
}

/**
 * gh_mark_reported() - offer references that a program has reported
 * @m: marker
 * @words: memory that the program may go on writing; each word is read once
 * @nr: how many
 *
 * What a store replaced need not be a reference: a stack's slot above its top
 * holds anything. So these words are taken as gh_mark_words() takes them.
 */
void gh_mark_reported(struct gh_mark *m, const u64 *words, u32 nr)
{
	u32 i;

	if (likely(!m->check))
		m->root_bytes[GH_ROOT_BATCH] += nr * sizeof(*words);
	for (i = 0; i < nr; i++) {
		u64 word = READ_ONCE(words[i]);
		struct gh_span *s;

		if (unlikely(m->check)) {
			gh_checkmark_words(m->check, &word, 1, NULL, 0,
					   GH_ROOT_BATCH);
			continue;
		}
		if (word >> 48 != m->tag)
			continue;
		word &= (1ULL << 48) - 1;
		s = find_span(m, word);
		if (s && mark_slot(m, s, word))
			m->nr_roots++;
	}
}

/**
 * gh_mark_place() - offer what is in a word of an object, whatever it is
 * @m: marker
 * @off: offset of the word; may be anything
 */
void gh_mark_place(struct gh_mark *m, u64 off)
{
	u64 word;

	if (off % sizeof(word) || !is_object(m, off))
		return;
	off = array_index_nospec(off, m->end);
	word = READ_ONCE(*(u64 *)gh_heap_kaddr(m->heap, off));
	gh_mark_words(m, &word, 1, NULL, 0, GH_ROOT_BATCH);
}

/**
 * gh_mark_shade() - mark what is stored or overwritten
 * @heap: heap
 * @refs: words in kernel memory that nobody changes meanwhile
 * @nr: how many
 * @windows: where the words' program sees the heap
 * @nr_windows: how many; 0 if words are to be references
 *
 * Nothing to do unless objects are being marked. Words that are no references
 * mean nothing.
 * Context: heap->world held for reading.
 */
void gh_mark_shade(struct gh_heap *heap, const u64 *refs, u64 nr,
		   const struct gh_window *windows, u32 nr_windows)
{
	struct gh_mark m;

	lockdep_assert_held_read(&heap->world);
	if (READ_ONCE(heap->phase) != GH_PHASE_MARK)
		return;
	gh_mark_begin(&m, heap);
	gh_mark_words(&m, refs, nr, windows, nr_windows, GH_ROOT_BATCH);
	gh_mark_finish(&m);
}

/*
 * A fractional worker: if others wait for the CPU they get theirs of it, soon
 * and often, rather than when the scheduler thinks that it is their turn.
 */
static void rest(struct gh_mark *m)
{
	u64 now = gh_port_cpu_ns();

	if (gh_port_cpu_wanted()) {
		gh_work_give(m);
		gh_port_rest(gh_pace_rest(m->share, now - m->since));
	}
	m->since = now;
}

/**
 * gh_mark_share() - say what a marker may have of a CPU that others wait for
 * @m: marker of the calling thread
 * @share: Q32; 0 is all of it
 */
void gh_mark_share(struct gh_mark *m, u64 share)
{
	m->share = share;
	m->since = gh_port_cpu_ns();
}

/**
 * gh_mark_drain() - mark what is reachable from what is marked
 * @m: marker
 * @budget: bytes of objects to scan before it is enough, more or less
 *
 * Context: may sleep.
 * Return: bytes of objects scanned. If less than the budget, neither this
 * marker's queue nor the shared one had anything left, or an idle marker's CPU is
 * needed.
 */
u64 gh_mark_drain(struct gh_mark *m, u64 budget)
{
	struct gh_span *s;
	u64 done = 0;

	while (done < budget && (s = next_span(m))) {
		u64 before = m->scanned;

		scan_span(m, s);
		done += m->scanned - before;
		if (m->scanned >= REPORT_BYTES) {
			gh_work_report(m);
			if (m->share)
				rest(m);
		}
		if (m->head && gh_work_hungry(&m->heap->work))
			gh_work_give(m);
		if (m->idle && gh_port_cpu_wanted())
			break;
		cond_resched();
	}
	return done;
}

/**
 * gh_mark_worker() - mark until it is over
 * @heap: heap
 * @idle: only on CPUs that nobody else needs
 *
 * Context: may sleep; a thread of the collector's, no lock held.
 */
void gh_mark_worker(struct gh_heap *heap, bool idle)
{
	struct gh_mark m;
	u64 since;

	init(&m, heap);
	m.background = true;
	m.idle = idle;
	if (!idle)
		gh_mark_share(&m, gh_pace_share(heap));
	if (!gh_work_try_join(&m))
		return;
	look_at_heap(&m);
	for (;;) {
		since = gh_port_cpu_ns();
		gh_mark_drain(&m, U64_MAX);
		since = gh_port_cpu_ns() - since;
		atomic64_add(since, idle ? &heap->pace.idle_ns :
					   &heap->pace.worker_ns);
		if (!gh_mark_pending(&m)) {
			if (!gh_work_wait(&m))
				return;
			continue;
		}
		/* It may take long to come back: keep nothing from the others. */
		gh_mark_finish(&m);
		gh_port_rest(IDLE_REST);
		if (!gh_work_try_join(&m))
			return;
	}
}

/**
 * gh_mark_black() - mark slots that are being allocated during a cycle
 * @heap: heap
 * @s: span
 * @word: which word of its slots
 * @mask: the slots
 *
 * Context: the caller owns the span; heap->phase is not GH_PHASE_OFF.
 */
void gh_mark_black(struct gh_heap *heap, struct gh_span *s, u32 word, u64 mask)
{
	gh_stat_add(heap, black_bytes, hweight64(mask) * s->elemsize);
	gh_bits_or(&s->bits[word].half[gh_mark_half(heap->sweepgen)], mask);
}

/**
 * gh_mark_white() - take back what gh_mark_black() has done to free slots
 * @heap: heap
 * @s: span
 * @word: which word of its slots
 * @mask: the slots
 *
 * Context: the caller owns the span; heap->phase is not GH_PHASE_OFF.
 */
void gh_mark_white(struct gh_heap *heap, struct gh_span *s, u32 word, u64 mask)
{
	gh_stat_add(heap, black_bytes, -(s64)(hweight64(mask) * s->elemsize));
	gh_bits_andnot(&s->bits[word].half[gh_mark_half(heap->sweepgen)],
		       mask);
}
