// SPDX-License-Identifier: GPL-2.0
/*
 * A second opinion on what is reachable (gccheckmark).
 *
 * When marking is over, and before anything is made of it, programs are held
 * off, roots are read once more, and everything that can be reached from them
 * is visited again, with nothing of the marker's: object by object and depth
 * first, with bitmaps of its own, slots found by division and references by
 * asking the layout word by word. An object that is visited and has no mark is
 * one that the sweep would have freed. It is reported with the way that leads
 * to it, counted, and offered to the marker, so that it and all that it leads
 * to stays.
 *
 * The stack of a depth-first search is the way from the root to where it is,
 * which is why it is one. It grows in chunks, 16 bytes for each level.
 *
 * What may be believed. Roots that programs write with the barrier, and
 * objects, lead to marked objects only: such a find is an error, of the marker
 * or of a program that stores without the barrier. It is different with
 * registers and stacks, which are read at another moment than by the marker. A
 * function that has been called since has uninitialised variables in its frame,
 * where older frames have left references to what has been garbage for long. So
 * what only registers and stacks lead to, or the topmost slot of a handle
 * stack, is counted apart, as a doubt; those roots are put aside until the
 * others are done.
 *
 * Memory: a bit for each 8 bytes of arenas with objects, and the chunks. If
 * there is none left what cannot be visited is not, and the check says that it
 * is incomplete.
 */
#include "gh_internal.h"
#include "gh_checkmark.h"
#include "gh_heap.h"
#include "gh_port.h"

#define WORD_BYTES	8ULL
#define BITMAP_WORDS	(GH_ARENA_SIZE / WORD_BYTES / 64)
#define CHUNK_STEPS	4095	/* 64 KiB with the link */

/* Part of a stack. */
struct chunk {
	struct chunk *below;
	u64 nr;
	struct gh_check_step steps[CHUNK_STEPS];
};

/* Steps, the last one first out. */
struct steps {
	struct chunk *top;
	struct chunk *spare;
	u64 nr;
};

/**
 * struct gh_checkmark - a check under way
 * @heap: heap
 * @visited: by arena: a bit for each word in which a visited object begins;
 *	NULL before the first one
 * @path: the way to the object that is being looked at, which is the last
 * @doubtful: roots put aside: offset, and kind in place of a word
 * @kind: kind of the root that @path begins with
 * @exact: it is not one of @doubtful
 * @incomplete: there was no memory for all
 * @failures: unmarked objects behind exact roots
 * @doubts: other unmarked objects
 * @first: where the first report is to go, or NULL
 */
struct gh_checkmark {
	struct gh_heap *heap;
	u64 **visited;
	struct steps path;
	struct steps doubtful;
	enum gh_root_kind kind;
	bool exact;
	bool incomplete;
	u64 failures;
	u64 doubts;
	struct gh_check_report *first;
};

/* The object that an offset leads into. */
struct object {
	struct gh_span *s;
	u32 idx;
	u64 off;
};

static bool push(struct steps *st, u64 off, u64 word)
{
	struct chunk *c = st->top;

	if (!c || c->nr == CHUNK_STEPS) {
		c = st->spare;
		st->spare = NULL;
		if (!c)
			c = kvmalloc(sizeof(*c), GH_GFP);
		if (!c)
			return false;
		c->nr = 0;
		c->below = st->top;
		st->top = c;
	}
	c->steps[c->nr++] = (struct gh_check_step){ off, word };
	st->nr++;
	return true;
}

/* The last step; NULL if there is none. */
static struct gh_check_step *top(struct steps *st)
{
	return st->nr ? &st->top->steps[st->top->nr - 1] : NULL;
}

static void pop(struct steps *st)
{
	struct chunk *c = st->top;

	st->nr--;
	if (--c->nr)
		return;
	st->top = c->below;
	kvfree(st->spare);
	st->spare = c;
}

static void free_steps(struct steps *st)
{
	while (st->nr)
		pop(st);
	kvfree(st->spare);
}

/* Is there an object at the offset? Spans are swept, marking is over. */
static bool find(struct gh_checkmark *c, u64 off, struct object *o)
{
	struct gh_heap *heap = c->heap;
	u64 end = READ_ONCE(heap->pages.end_page) << GH_PAGE_SHIFT;

	if (off >= end)
		return false;
	off = array_index_nospec(off, end);
	o->s = gh_heap_span_of(heap, off);
	if (!o->s)
		return false;
	o->idx = (off - o->s->base) / o->s->elemsize;
	if (o->idx >= o->s->nelems)
		return false;
	o->off = o->s->base + o->idx * o->s->elemsize;
	return gh_span_slot_allocated(heap, o->s, o->idx);
}

static bool is_marked(struct gh_checkmark *c, const struct object *o)
{
	u64 marks = READ_ONCE(o->s->bits[o->idx / 64]
				      .half[gh_mark_half(c->heap->sweepgen)]);

	return marks >> (o->idx % 64) & 1;
}

/* The bit of an object, and the word it is in; NULL without memory. */
static u64 *visited_word(struct gh_checkmark *c, u64 off, u64 *bit)
{
	u64 **map = &c->visited[off >> GH_ARENA_SHIFT];
	u64 n = (off & (GH_ARENA_SIZE - 1)) / WORD_BYTES;

	if (!*map)
		*map = kvcalloc(BITMAP_WORDS, sizeof(**map), GH_GFP);
	if (!*map)
		return NULL;
	*bit = 1ULL << (n % 64);
	return &(*map)[n / 64];
}

/* The ends of the path, without its last step, which is the object itself. */
static void copy_path(struct gh_checkmark *c, struct gh_check_report *r)
{
	u64 n = c->path.nr;
	struct chunk *k;

	r->steps = n - 1;
	for (k = c->path.top; k; k = k->below) {
		u64 i = k->nr;

		while (i--) {
			if (--n < GH_CHECK_PATH && n < r->steps)
				r->first[n] = k->steps[i];
			else if (n < r->steps && r->steps - n <= GH_CHECK_PATH)
				r->last[n + GH_CHECK_PATH - r->steps] =
					k->steps[i];
		}
	}
}

/* The object that the path leads to has no mark. */
static void report(struct gh_checkmark *c, const struct object *o)
{
	u64 ref = (u64)c->heap->tag << 48 | o->off;
	struct gh_check_report r = {
		.off = o->off,
		.bytes = o->s->elemsize,
		.layout = o->s->layout,
		.kind = c->kind,
		.exact = c->exact,
	};

	if (c->exact)
		c->failures++;
	else
		c->doubts++;
	/* What follows from the first ones is of less interest. */
	if (c->failures + c->doubts <= GH_CHECK_REPORTS) {
		copy_path(c, &r);
		gh_port_checkmark(c->heap, &r);
	}
	if (c->first && c->failures + c->doubts == 1)
		*c->first = r;
	gh_mark_refs(&c->heap->mark, &ref, 1, GH_ROOT_BATCH);
}

/* Go to an object that has not been visited yet, if there is one. */
static void visit(struct gh_checkmark *c, u64 off)
{
	struct object o;
	u64 *word, bit;

	if (!find(c, off, &o))
		return;
	word = visited_word(c, o.off, &bit);
	if (word && *word & bit)
		return;
	if (!word || !push(&c->path, o.off, 0)) {
		c->incomplete = true;
		return;
	}
	*word |= bit;
	if (!is_marked(c, &o))
		report(c, &o);
}

/* Does a word of an object hold a reference? */
static bool is_reference(const struct gh_layout *l, u64 word)
{
	u64 n = word % (l->elem_size / WORD_BYTES);

	return n < l->nr_bits && l->mask[n / 64] >> (n % 64) & 1;
}

static u64 read_word(struct gh_checkmark *c, u64 off, u64 word)
{
	return READ_ONCE(*(u64 *)gh_heap_kaddr(c->heap,
					       off + word * WORD_BYTES));
}

/* Words of an object up to the last that can be one. */
static u64 nr_words(struct gh_checkmark *c, const struct object *o)
{
	u64 nr = o->s->elemsize / WORD_BYTES;

	if (o->s->noscan)
		return 0;
	/* A managed stack says how much of it is in use. */
	if (o->s->sc->stack)
		nr = min(nr - 1, read_word(c, o->off, 0)) + 1;
	return nr;
}

/* The object at the end of the path is done; its holder goes on behind it. */
static void leave(struct gh_checkmark *c)
{
	struct gh_check_step *step;

	pop(&c->path);
	step = top(&c->path);
	if (step)
		step->word++;
}

/* Find the next reference of the object at the end of the path and go there. */
static void next_reference(struct gh_checkmark *c)
{
	struct gh_check_step *step = top(&c->path);
	u64 depth = c->path.nr;
	struct object o;
	u64 nr;

	nr = find(c, step->off, &o) ? nr_words(c, &o) : 0;
	if (nr && o.s->sc->stack && !step->word)
		step->word = 1;
	/* The step of the object holds the word that is being followed. */
	for (; step->word < nr; step->word++) {
		u64 ref;

		if (!o.s->sc->stack &&
		    !is_reference(o.s->sc->layout, step->word))
			continue;
		ref = read_word(c, o.off, step->word);
		if (ref >> 48 == c->heap->tag)
			visit(c, ref & ((1ULL << 48) - 1));
		if (c->path.nr != depth)
			return;
		if (step->word % 4096 == 4095)
			cond_resched();
	}
	leave(c);
}

/* Visit all that a root leads to. */
static void trace(struct gh_checkmark *c, u64 off)
{
	u64 n = 0;

	visit(c, off);
	while (c->path.nr) {
		next_reference(c);
		if (!(++n % 256))
			cond_resched();
	}
}

/**
 * gh_checkmark_refs() - take references as roots
 * @c: check
 * @refs: kernel memory that nobody changes meanwhile
 * @nr: how many
 * @kind: what they are
 */
void gh_checkmark_refs(struct gh_checkmark *c, const u64 *refs, u64 nr,
		       enum gh_root_kind kind)
{
	u64 i;

	c->kind = kind;
	c->exact = true;
	for (i = 0; i < nr; i++)
		if (refs[i] >> 48 == c->heap->tag)
			trace(c, refs[i] & ((1ULL << 48) - 1));
}

/* Where in the heap a word may lead to; aspace if nowhere. */
static u64 offset_of(struct gh_checkmark *c, u64 word,
		     const struct gh_window *windows, u32 nr_windows)
{
	u32 i;

	if (word >> 48 == c->heap->tag)
		return word & ((1ULL << 48) - 1);
	for (i = 0; i < nr_windows; i++)
		if (word >= windows[i].base &&
		    word - windows[i].base < windows[i].bytes)
			return word - windows[i].base;
	return c->heap->aspace;
}

/**
 * gh_checkmark_words() - take words that may be references or pointers as roots
 * @c: check
 * @words: kernel memory that nobody changes meanwhile
 * @nr: how many
 * @windows: where the words' program sees the heap
 * @nr_windows: how many
 * @kind: what they are; all but GH_ROOT_STATIC are put aside
 */
void gh_checkmark_words(struct gh_checkmark *c, const u64 *words, u64 nr,
			const struct gh_window *windows, u32 nr_windows,
			enum gh_root_kind kind)
{
	struct object o;
	u64 i;

	c->kind = kind;
	c->exact = true;
	for (i = 0; i < nr; i++) {
		u64 off = offset_of(c, words[i], windows, nr_windows);

		if (!find(c, off, &o))
			continue;
		if (kind == GH_ROOT_STATIC)
			trace(c, off);
		else if (!push(&c->doubtful, off, kind))
			c->incomplete = true;
	}
}

static void check_batches(struct gh_checkmark *c)
{
	struct gh_heap *heap = c->heap;
	struct gh_batch *b;

	mutex_lock(&heap->batch_lock);
	list_for_each_entry(b, &heap->batches, node)
		gh_checkmark_refs(c, b->refs, b->nr, GH_ROOT_BATCH);
	mutex_unlock(&heap->batch_lock);
}

static void check_doubtful(struct gh_checkmark *c)
{
	struct gh_check_step *step;

	c->exact = false;
	while ((step = top(&c->doubtful))) {
		u64 off = step->off;

		c->kind = step->word;
		pop(&c->doubtful);
		trace(c, off);
	}
}

static void free_check(struct gh_checkmark *c)
{
	u64 i;

	for (i = 0; c->visited && i < c->heap->aspace >> GH_ARENA_SHIFT; i++)
		kvfree(c->visited[i]);
	kvfree(c->visited);
	free_steps(&c->path);
	free_steps(&c->doubtful);
	kfree(c);
}

/**
 * gh_checkmark_begin() - begin to see whether all that is reachable is marked
 * @heap: heap
 * @first: out: the first object that is not, or NULL; unchanged if there is
 *	none
 *
 * Context: may sleep; the collector; gh_heap.world held for writing, programs
 * held off, phase GH_PHASE_MARK and nothing left to mark.
 * Return: the check, NULL without memory.
 */
struct gh_checkmark *gh_checkmark_begin(struct gh_heap *heap,
					struct gh_check_report *first)
{
	struct gh_checkmark *c = kzalloc(sizeof(*c), GH_GFP);

	lockdep_assert_held_write(&heap->world);
	if (!c)
		return NULL;
	c->heap = heap;
	c->first = first;
	c->visited = kvcalloc(heap->aspace >> GH_ARENA_SHIFT,
			      sizeof(*c->visited), GH_GFP);
	if (!c->visited) {
		free_check(c);
		return NULL;
	}
	return c;
}

/**
 * gh_checkmark_end() - see to what was put aside, and end the check
 * @c: check
 *
 * What was found is counted in gh_heap.check_failures and .check_doubts, and
 * has been offered to the collector's marker, which has to mark on.
 */
void gh_checkmark_end(struct gh_checkmark *c)
{
	struct gh_heap *heap = c->heap;

	check_doubtful(c);
	if (c->incomplete)
		gh_port_checkmark(heap, NULL);
	WRITE_ONCE(heap->check_failures, heap->check_failures + c->failures);
	WRITE_ONCE(heap->check_doubts, heap->check_doubts + c->doubts);
	free_check(c);
}

/**
 * gh_checkmark_run() - see whether all that is reachable is marked
 * @heap: heap
 * @first: as for gh_checkmark_begin()
 *
 * Context: as gh_checkmark_begin().
 */
void gh_checkmark_run(struct gh_heap *heap, struct gh_check_report *first)
{
	struct gh_mark m = { .heap = heap };

	m.check = gh_checkmark_begin(heap, first);
	if (!m.check) {
		gh_port_checkmark(heap, NULL);
		return;
	}
	check_batches(m.check);
	gh_port_mark_roots(heap, &m);
	gh_checkmark_end(m.check);
}
