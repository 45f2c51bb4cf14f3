// SPDX-License-Identifier: GPL-2.0
/*
 * Mutators: threads that take slots, and report stores, without a call.
 *
 * A mutator is the P of Go's runtime with the program on one side and the
 * kernel on the other. It holds leases, one for each span class it allocates
 * from. A lease owns spans the way an mcache does and grants their free slots
 * word by word: the kernel keeps the grant, the mutator gets the same mask in
 * memory that both can write (struct gh_slots) and takes a slot by clearing its
 * bit. Slots are zeroed when they are granted.
 *
 * Nothing the mutator writes is believed but its own mask, and of that only
 * bits that were granted:
 *
 *	granted, bit clear	taken: an object
 *	granted, bit set	not taken: free again when the lease is settled
 *	not granted		nothing, whatever the mask says
 *
 * A mutator that sets a bit again has the kernel hand the slot to somebody else
 * as well; that is the heap's own damage, no more than any store to a wrong
 * address. Granted slots count as allocated (gh_span.freeindex is behind them),
 * so that a reference to one can be used at once.
 *
 * Settling. A lease is settled when the mutator asks for more, and all of them
 * when a cycle's marking ends and when the mutator ends: what was not taken goes
 * back into the span, exactly, and the spans back to mcentral. So no grant
 * outlives a change of sweepgen. In the first case the mutator waits in the
 * call. In the second it runs on, perhaps between its load of a mask and the
 * store of the new one. Both sides of the protocol:
 *
 *	mutator				kernel
 *	load mask			generation++
 *	store mask without the slot	gh_port_sync_users()	(A)
 *	load generation; as known?	read masks, clear them
 *
 * (A) interrupts the mutator between two instructions, with all its stores done.
 * If that is after its load of the generation, its mask has been stored and the
 * slot counts as taken; if it is before, the mutator finds a new generation and
 * leaves the slot, and a mask stored later means nothing any more.
 *
 * What the mutator knows is the generation that its last call returned, under
 * which slots were granted. It must not be read from the shared page after the
 * call: it may have moved by then while the masks are still as they were, and
 * the mutator would go on with a lease that is being settled.
 *
 * Marking begins the same way: gh_heap.phase is set with nobody in a call, then
 * programs are told and (A) is done, then what is granted and not taken is made
 * black, and only then threads are read for roots. A slot that was taken before
 * that and is not reported anywhere is in the thread when it is read.
 *
 * Words granted double with each refill that follows an empty lease, and halve
 * when most of them were not used.
 *
 * Barrier buffer: references that the mutator stores or overwrites while objects
 * are being marked. The mutator only adds, until the buffer is full and it calls
 * for it to be emptied; the kernel remembers how far it has read
 * (gh_mutator.drained). What was added after the last look of one cycle is a root
 * of the next, because a thread may be slow to store.
 *
 * A mutator whose process has lost the heap keeps its control pages. What it had
 * reported by then is taken once more, since others may have seen the stores. From
 * then on the pages mean nothing (gh_mutator_end()).
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_mutator.h"
#include "gh_port.h"
#include "gh_sizeclass.h"

/* Most bytes of slots that one refill grants. */
#define LEASE_BYTES	(128UL << 10)

/*
 * Slots are paid for with marking at once (gh_pace_pay()). If that is more than
 * ASSIST_LONG bytes for a whole lease, 1 / MARKING_DIV of it is granted.
 */
#define ASSIST_LONG	(256UL << 10)
#define MARKING_DIV	4

/* Pieces that one refill clears: each may be a miss of the cache or two. */
#define LEASE_PIECES	512

static struct gh_control *control_of(struct gh_mutator *mut)
{
	return mut->pages[0];
}

/* The shared words of a lease, whose page is there. */
static struct gh_slots *slots_of(struct gh_mutator *mut, u32 index)
{
	void *page = mut->pages[1 + index / GH_LEASES_PER_PAGE];

	return page + index % GH_LEASES_PER_PAGE * GH_LEASE_SLOTS_BYTES;
}

/**
 * gh_mutator_create() - make a mutator
 * @heap: heap
 * @nr_leases: leases it can have, at most GH_MAX_LEASES
 * @window: where it sees the objects
 *
 * Context: may sleep; heap->world not held.
 * Return: the mutator or NULL without memory.
 */
struct gh_mutator *gh_mutator_create(struct gh_heap *heap, u32 nr_leases,
				     const struct gh_window *window)
{
	struct gh_mutator *mut;

	BUILD_BUG_ON(PAGE_SIZE % GH_LEASE_SLOTS_BYTES);
	BUILD_BUG_ON(sizeof(struct gh_control) > PAGE_SIZE);
	mut = kzalloc(sizeof(*mut), GH_GFP);
	if (!mut)
		return NULL;
	mut->pages[0] = (void *)get_zeroed_page(GH_GFP);
	if (!mut->pages[0]) {
		kfree(mut);
		return NULL;
	}
	mut->nr_leases = nr_leases;
	mut->window = *window;
	mutex_init(&mut->lock);
	gh_stat_add(heap, meta_bytes, sizeof(*mut) + PAGE_SIZE);
	mutex_lock(&heap->mutators_lock);
	list_add_tail(&mut->node, &heap->mutators);
	mutex_unlock(&heap->mutators_lock);
	return mut;
}

/**
 * gh_mutator_page() - a page that the mutator shares, made if need be
 * @heap: heap
 * @mut: mutator
 * @index: 0 is struct gh_control, the others hold struct gh_slots
 *
 * Context: may sleep; gh_heap.world held.
 * Return: its kernel address; NULL beyond the last lease or without memory.
 */
void *gh_mutator_page(struct gh_heap *heap, struct gh_mutator *mut, u32 index)
{
	void *page;

	if (index > DIV_ROUND_UP(mut->nr_leases, GH_LEASES_PER_PAGE))
		return NULL;
	/* Pairs with the store below. */
	page = smp_load_acquire(&mut->pages[index]);
	if (page)
		return page;
	page = (void *)get_zeroed_page(GH_GFP);
	if (!page)
		return NULL;
	mutex_lock(&mut->lock);
	if (mut->pages[index]) {
		free_page((unsigned long)page);
		page = mut->pages[index];
	} else {
		/* Pairs with the load above. */
		smp_store_release(&mut->pages[index], page);
		gh_stat_add(heap, meta_bytes, PAGE_SIZE);
	}
	mutex_unlock(&mut->lock);
	return page;
}

static s64 free_bytes(const struct gh_span *s)
{
	return (s64)(s->nelems - s->alloc_count) * s->elemsize;
}

/*
 * Clear the slots of a word, as many at once as lie side by side. Returns how
 * many pieces that were.
 */
static u32 zero_slots(struct gh_heap *heap, struct gh_span *s, u32 word,
		      u64 mask)
{
	u32 pieces = 0;

	while (mask) {
		u32 first = __ffs64(mask);
		u64 rest = ~(mask >> first);
		u32 n = rest ? __ffs64(rest) : 64 - first;

		gh_span_zero(heap, s, word * 64 + first, n);
		mask &= n == 64 ? 0 : ~(((1ULL << n) - 1) << first);
		pieces++;
	}
	return pieces;
}

/* Grant the slots in @mask, which are zero and behind freeindex. */
static void grant(struct gh_heap *heap, struct gh_lease *l, struct gh_span *s,
		  u32 word, u64 mask, struct gh_slots *to)
{
	u32 n = hweight64(mask);

	l->grants[l->nr++] = (struct gh_grant){
		.span = s, .mask = mask, .word = word,
	};
	s->alloc_count += n;
	gh_stat_add(heap, mallocs[s->sc->sizeclass], n);
	if (unlikely(READ_ONCE(heap->phase) != GH_PHASE_OFF))
		gh_mark_black(heap, s, word, mask);
	WRITE_ONCE(to->base, ((u64)heap->tag << 48) +
			     s->base + word * 64 * s->elemsize);
	/* Whoever finds a slot of these in an object sees all of the above. */
	smp_store_release(&to->mask, mask);
}

/*
 * Grant the free slots of the next word that has any; false if none has. @pieces
 * is how many have been cleared.
 */
static bool grant_word(struct gh_heap *heap, struct gh_lease *l,
		       struct gh_span *s, struct gh_slots *to, u32 *pieces)
{
	u32 half = !gh_mark_half(heap->sweepgen);

	while (s->freeindex < s->nelems) {
		u32 word = s->freeindex / 64;
		u32 end = min_t(u32, s->nelems - word * 64, 64);
		u64 below = (1ULL << (s->freeindex % 64)) - 1;
		u64 *bits = &s->bits[word].half[half];
		u64 mask = ~(*bits | below) & (~0ULL >> (64 - end));

		if (s->needzero)
			*pieces += zero_slots(heap, s, word, mask);
		/* Freeindex may come back to the start of the word. */
		WRITE_ONCE(*bits, *bits | below);
		/*
		 * What stale words on stacks lead to counts as allocated from
		 * now on. Pairs with is_allocated().
		 */
		smp_store_release(&s->freeindex, word * 64 + end);
		if (mask) {
			grant(heap, l, s, word, mask, to);
			return true;
		}
	}
	return false;
}

/* Put what was not taken of a grant back into its span. */
static void settle_grant(struct gh_heap *heap, struct gh_grant *g, u64 left)
{
	u32 mark = gh_mark_half(heap->sweepgen);
	struct gh_span *s = g->span;
	struct gh_bits *w = &s->bits[g->word];
	u32 n = hweight64(left);

	WRITE_ONCE(w->half[!mark], w->half[!mark] | (g->mask & ~left));
	if (!left)
		return;
	if (READ_ONCE(heap->phase) != GH_PHASE_OFF)
		gh_mark_white(heap, s, g->word, left);
	s->alloc_count -= n;
	gh_stat_add(heap, mallocs[s->sc->sizeclass], -(u64)n);
	if (g->word * 64 < s->freeindex)
		/* Pairs with gh_span_slot_allocated() and is_allocated(). */
		smp_store_release(&s->freeindex, g->word * 64);
}

/* Give a span back to mcentral. */
static void return_span(struct gh_heap *heap, struct gh_span *s)
{
	u32 i = s->freeindex;
	u32 half = !gh_mark_half(heap->sweepgen);

	s->alloc_cache = i < s->nelems ? ~s->bits[i / 64].half[half] >> i % 64 :
					 0;
	list_del_init(&s->node);
	gh_pace_add(heap, -free_bytes(s), s->noscan);
	gh_central_uncache_span(heap, s);
}

/* End all grants of a lease. Returns the slots that were not taken. */
static u32 settle(struct gh_heap *heap, struct gh_mutator *mut, u32 index)
{
	struct gh_lease *l = mut->leases[index];
	struct gh_slots *slots;
	u32 i, granted = 0, unused = 0;

	lockdep_assert_held(&mut->lock);
	if (!l->nr)
		return 0;
	slots = slots_of(mut, index);
	/*
	 * The last one first: a marker may ask for slots of the words behind
	 * the one that freeindex comes back to, and their bits tell then.
	 */
	for (i = l->nr; i--;) {
		struct gh_grant *g = &l->grants[i];
		u64 left = READ_ONCE(slots[i].mask) & g->mask;

		WRITE_ONCE(slots[i].mask, 0);
		granted += hweight64(g->mask);
		unused += hweight64(left);
		settle_grant(heap, g, left);
	}
	l->nr = 0;
	if (unused > granted / 2)
		l->want = max_t(u32, l->want / 2, 1);
	return unused;
}

/* Give back all spans but one that has slots left, if it may be kept. */
static void return_spans(struct gh_heap *heap, struct gh_lease *l, bool keep)
{
	struct gh_span *s, *next;

	list_for_each_entry_safe(s, next, &l->spans, node) {
		if (keep && s->freeindex < s->nelems)
			keep = false;
		else
			return_span(heap, s);
	}
}

/* A word has as many slots as it has bits, or as its span has. */
static u32 max_words(const struct gh_spanclass *sc)
{
	u64 bytes = (u64)min_t(u32, sc->nelems, 64) * sc->elemsize;

	return clamp_t(u32, LEASE_BYTES / bytes, 1, GH_LEASE_WORDS);
}

/* The lease of that number, for that span class, with nothing granted. */
static struct gh_lease *open_lease(struct gh_heap *heap,
				   struct gh_mutator *mut, u32 index,
				   struct gh_spanclass *sc)
{
	struct gh_lease *l = mut->leases[index];
	u32 granted, unused;

	if (!l) {
		l = kzalloc(sizeof(*l), GH_GFP);
		if (!l)
			return NULL;
		INIT_LIST_HEAD(&l->spans);
		mut->leases[index] = l;
		gh_stat_add(heap, meta_bytes, sizeof(*l));
	}
	/* None if a cycle has taken it back, which says nothing of its use. */
	granted = l->nr;
	unused = settle(heap, mut, index);
	return_spans(heap, l, l->sc == sc);
	if (l->sc != sc) {
		l->sc = sc;
		l->want = 1;
	} else if (granted && !unused) {
		l->want = min(max_t(u32, l->want * 2, 1), max_words(sc));
	}
	return l;
}

static struct gh_span *cache_span(struct gh_heap *heap, struct gh_spanclass *sc)
{
	struct gh_mcache *mc = per_cpu_ptr(heap->mcaches,
					   raw_smp_processor_id());
	struct gh_span *s;

	mutex_lock(&mc->lock);
	s = gh_central_cache_span(heap, mc, sc);
	mutex_unlock(&mc->lock);
	return s;
}

/* So many words a refill grants at most. */
static u32 words_wanted(struct gh_heap *heap, const struct gh_lease *l)
{
	const struct gh_pacer *p = &heap->pace.pacer;

	if (READ_ONCE(heap->phase) == GH_PHASE_MARK &&
	    gh_pacer_assist_work(p, LEASE_BYTES) > ASSIST_LONG)
		return max_t(u32, l->want / MARKING_DIV, 1);
	return l->want;
}

/*
 * Grant as many words as the lease wants, or as there are. @taken: bytes of the
 * spans that were taken for it.
 */
static int fill(struct gh_heap *heap, struct gh_lease *l,
		struct gh_slots *slots, bool collect, u64 *taken)
{
	u32 want = words_wanted(heap, l), pieces = 0;

	while (l->nr < want && pieces < LEASE_PIECES) {
		struct gh_span *s = NULL;

		if (!list_empty(&l->spans))
			s = list_last_entry(&l->spans, struct gh_span, node);
		if (s && grant_word(heap, l, s, &slots[l->nr], &pieces))
			continue;
		if (collect && gh_gc_triggered(heap))
			return l->nr ? 0 : -EAGAIN;
		gh_sweep_pay(heap, (u64)l->sc->npages << GH_PAGE_SHIFT);
		s = cache_span(heap, l->sc);
		if (IS_ERR(s))
			return l->nr ? 0 : PTR_ERR(s);
		list_add_tail(&s->node, &l->spans);
		gh_pace_add(heap, free_bytes(s), s->noscan);
		*taken += free_bytes(s);
		gh_port_event(heap, GH_EVENT_REFILL, s->elemsize,
			      free_bytes(s));
	}
	return 0;
}

static int refill_once(struct gh_heap *heap, struct gh_mutator *mut, u32 index,
		       struct gh_spanclass *sc, bool collect,
		       struct gh_refill *out)
{
	struct gh_lease *l;
	int err = -ENOMEM;
	u64 taken = 0;

	if (down_read_killable(&heap->world))
		return -EINTR;
	if (gh_mutator_page(heap, mut, 1 + index / GH_LEASES_PER_PAGE)) {
		mutex_lock(&mut->lock);
		l = open_lease(heap, mut, index, sc);
		if (l)
			err = fill(heap, l, slots_of(mut, index), collect,
				   &taken);
		if (!err)
			out->words = l->nr;
		out->generation = mut->generation;
		mutex_unlock(&mut->lock);
	}
	gh_pace_pay(heap, &mut->credit, taken);
	up_read(&heap->world);
	return err;
}

/**
 * gh_mutator_refill() - settle a lease and grant it new slots
 * @heap: heap
 * @mut: mutator, which is the caller
 * @index: number of the lease
 * @layout: id of a layout
 * @bytes: bytes of an object, at most GH_MAX_SMALL_SIZE; 0 counts as 1
 * @out: what was granted
 *
 * A lease that served another span class is taken over. Starts a cycle and
 * waits for it when one is due.
 * Context: may sleep; no lock held.
 * Return: 0; -EINVAL, -ENOENT (layout), -ENOMEM, -ENOSPC, -EINTR as
 * gh_malloc().
 */
int gh_mutator_refill(struct gh_heap *heap, struct gh_mutator *mut, u32 index,
		      u32 layout, u64 bytes, struct gh_refill *out)
{
	struct gh_layout *l = gh_layout_get(heap, layout);
	struct gh_spanclass *sc;
	bool collect = true;
	int tries = 0;
	int err;

	gh_mutator_enter(mut);
	if (!l)
		return -ENOENT;
	if (index >= mut->nr_leases || bytes > GH_MAX_SMALL_SIZE)
		return -EINVAL;
	index = array_index_nospec(index, mut->nr_leases);
	sc = gh_spanclass_get(heap, l, gh_sizeclass_of(max_t(u64, bytes, 1)));
	if (IS_ERR(sc))
		return PTR_ERR(sc);
	out->slot_bytes = sc->elemsize;
	for (;;) {
		err = refill_once(heap, mut, index, sc, collect, out);
		if (!err)
			return 0;
		if (err == -EAGAIN) {
			err = gh_port_collect(heap, GH_CYCLE_HEAP);
			collect = false;
		} else {
			err = gh_malloc_make_room(heap, sc->elemsize, err,
						  &tries);
		}
		if (err)
			return err;
	}
}

/*
 * Offer what has come into the barrier buffer since it was last read, and what is
 * in the place where the mutator stores, see the top of gh_gc.c. A process may
 * have mapped the objects a second time, but the library has not.
 */
static void drain(struct gh_mutator *mut, struct gh_mark *m)
{
	struct gh_control *c = control_of(mut);
	/* Pairs with gh_mutator_end(): all that was reported before is seen. */
	bool ended = smp_load_acquire(&mut->ended);
	/* Pairs with the mutator's store after it has written an entry. */
	u32 nr = min_t(u32, smp_load_acquire(&c->nr_barrier), GH_BARRIER_REFS);

	lockdep_assert_held(&mut->lock);
	if (mut->silent)
		return;
	if (mut->drained < nr)
		gh_mark_reported(m, c->barrier + mut->drained,
				 nr - mut->drained);
	mut->drained = nr;
	gh_mark_place(m, READ_ONCE(c->slot) - mut->window.base);
	mut->silent = ended;
}

/* What is granted and has not been taken is black, if it ever is taken. */
static void blacken(struct gh_heap *heap, struct gh_mutator *mut)
{
	u32 i, k;

	lockdep_assert_held(&mut->lock);
	for (i = 0; i < mut->nr_leases; i++) {
		struct gh_lease *l = mut->leases[i];

		for (k = 0; l && k < l->nr; k++) {
			struct gh_grant *g = &l->grants[k];
			u64 left = READ_ONCE(slots_of(mut, i)[k].mask) & g->mask;

			if (left)
				gh_mark_black(heap, g->span, g->word, left);
		}
	}
}

/**
 * gh_mutator_begin_all() - let all mutators allocate black
 * @heap: heap
 * @m: marker; takes what is left of the last cycle's barrier, and the blocks that
 *	tiny objects still go into
 *
 * Context: may sleep; heap->world held for writing, after gh_port_sync_users().
 */
void gh_mutator_begin_all(struct gh_heap *heap, struct gh_mark *m)
{
	struct gh_mutator *mut;

	lockdep_assert_held_write(&heap->world);
	mutex_lock(&heap->mutators_lock);
	list_for_each_entry(mut, &heap->mutators, node) {
		u64 tiny = READ_ONCE(control_of(mut)->tiny);

		if (READ_ONCE(mut->ended))
			tiny = 0;
		mutex_lock(&mut->lock);
		blacken(heap, mut);
		drain(mut, m);
		atomic64_set(&mut->credit, 0);
		mutex_unlock(&mut->lock);
		gh_mark_words(m, &tiny, 1, NULL, 0, GH_ROOT_BATCH);
	}
	mutex_unlock(&heap->mutators_lock);
}

/**
 * gh_mutator_drain_all() - take what is in the barrier buffers as roots
 * @heap: heap
 * @m: marker
 *
 * Context: may sleep; to be sure that nothing is missed, after
 * gh_port_sync_users().
 */
void gh_mutator_drain_all(struct gh_heap *heap, struct gh_mark *m)
{
	struct gh_mutator *mut;

	mutex_lock(&heap->mutators_lock);
	list_for_each_entry(mut, &heap->mutators, node) {
		mutex_lock(&mut->lock);
		drain(mut, m);
		mutex_unlock(&mut->lock);
	}
	mutex_unlock(&heap->mutators_lock);
}

/* Settle all leases and give their spans back. */
static void flush(struct gh_heap *heap, struct gh_mutator *mut)
{
	u32 i;

	mutex_lock(&mut->lock);
	for (i = 0; i < mut->nr_leases; i++) {
		if (!mut->leases[i])
			continue;
		settle(heap, mut, i);
		return_spans(heap, mut->leases[i], false);
	}
	mutex_unlock(&mut->lock);
}

/**
 * gh_mutator_flush_all() - take back the leases of all mutators
 * @heap: heap
 *
 * They learn it from the generation.
 * Context: may sleep; heap->world held for writing.
 */
void gh_mutator_flush_all(struct gh_heap *heap)
{
	struct gh_mutator *mut;

	lockdep_assert_held_write(&heap->world);
	mutex_lock(&heap->mutators_lock);
	list_for_each_entry(mut, &heap->mutators, node)
		WRITE_ONCE(control_of(mut)->generation, ++mut->generation);
	gh_port_sync_users(heap);
	list_for_each_entry(mut, &heap->mutators, node)
		flush(heap, mut);
	mutex_unlock(&heap->mutators_lock);
}

/* Take a barrier buffer as roots if objects are being marked, and empty it. */
static void empty_barrier(struct gh_heap *heap, struct gh_mutator *mut)
{
	struct gh_mark m;

	lockdep_assert_held_read(&heap->world);
	mutex_lock(&mut->lock);
	if (READ_ONCE(heap->phase) == GH_PHASE_MARK) {
		gh_mark_begin(&m, heap);
		drain(mut, &m);
		gh_mark_finish(&m);
	}
	WRITE_ONCE(control_of(mut)->nr_barrier, 0);
	mut->drained = 0;
	mutex_unlock(&mut->lock);
}

/**
 * gh_mutator_end() - the thread of a mutator has no objects any more
 * @mut: mutator, whose pages it may go on writing
 *
 * Neither stores of its to objects can come, nor stores that it has not yet
 * reported or announced.
 */
void gh_mutator_end(struct gh_mutator *mut)
{
	/* Pairs with the load in drain(). */
	smp_store_release(&mut->ended, true);
}

/**
 * gh_mutator_destroy() - free a mutator
 * @heap: heap
 * @mut: mutator whose pages nobody maps any more
 *
 * Context: may sleep; heap->world not held.
 */
void gh_mutator_destroy(struct gh_heap *heap, struct gh_mutator *mut)
{
	u32 i;

	down_read(&heap->world);
	empty_barrier(heap, mut);
	/* Who counts sees it with what it has not taken, or neither. */
	mutex_lock(&heap->mutators_lock);
	list_del(&mut->node);
	heap->ended_tiny_allocs += READ_ONCE(control_of(mut)->tiny_allocs);
	flush(heap, mut);
	mutex_unlock(&heap->mutators_lock);
	for (i = 0; i < mut->nr_leases; i++) {
		if (!mut->leases[i])
			continue;
		kfree(mut->leases[i]);
		gh_stat_add(heap, meta_bytes, -(s64)sizeof(struct gh_lease));
	}
	for (i = 0; i < ARRAY_SIZE(mut->pages); i++) {
		if (!mut->pages[i])
			continue;
		free_page((unsigned long)mut->pages[i]);
		gh_stat_add(heap, meta_bytes, -(s64)PAGE_SIZE);
	}
	gh_stat_add(heap, meta_bytes, -(s64)sizeof(*mut));
	up_read(&heap->world);
	mutex_destroy(&mut->lock);
	kfree(mut);
}

/**
 * gh_mutator_slot() - where a mutator stores
 * @mut: mutator
 *
 * Return: an address, or whatever else it has written.
 */
u64 gh_mutator_slot(const struct gh_mutator *mut)
{
	const struct gh_control *c = mut->pages[0];

	return READ_ONCE(c->slot);
}

/**
 * gh_mutator_enter() - the mutator is in a call, so it stores nowhere
 * @mut: mutator, which is the caller
 *
 * What is in the place where it last has need not be kept any more.
 */
void gh_mutator_enter(struct gh_mutator *mut)
{
	WRITE_ONCE(control_of(mut)->slot, 0);
}

/**
 * gh_mutator_barrier() - empty the barrier buffer of the caller
 * @heap: heap
 * @mut: mutator, which is the caller
 *
 * Context: may sleep; no lock held.
 */
void gh_mutator_barrier(struct gh_heap *heap, struct gh_mutator *mut)
{
	down_read(&heap->world);
	empty_barrier(heap, mut);
	up_read(&heap->world);
}

/**
 * gh_mutator_unused() - count slots that are granted but not taken
 * @heap: heap
 * @unused: by size class; added to
 *
 * They are part of gh_stats.mallocs. A slot that a mutator was about to take when
 * its lease was taken back may count as taken, though it takes another one then.
 * Context: may sleep; heap->mutators_lock held, also while gh_stats are read.
 * Return: objects that mutators have put beside others in a slot.
 */
u64 gh_mutator_unused(struct gh_heap *heap, u64 *unused)
{
	struct gh_mutator *mut;
	u64 tiny;
	u32 i, k;

	lockdep_assert_held(&heap->mutators_lock);
	tiny = heap->ended_tiny_allocs;
	list_for_each_entry(mut, &heap->mutators, node) {
		tiny += READ_ONCE(control_of(mut)->tiny_allocs);
		mutex_lock(&mut->lock);
		for (i = 0; i < mut->nr_leases; i++) {
			struct gh_lease *l = mut->leases[i];

			for (k = 0; l && k < l->nr; k++)
				unused[l->sc->sizeclass] +=
					hweight64(l->grants[k].mask &
						  READ_ONCE(slots_of(mut, i)[k].mask));
		}
		mutex_unlock(&mut->lock);
	}
	return tiny;
}
