/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Threads that move references about, for tests of what is done to the collector
 * meanwhile: each takes items out of a table, holds them in a local variable, hands
 * what they refer to on to new items, and puts those back. All of them allocate and
 * drop other objects all the time, so that the place of an object that was lost is
 * given away and its hashes are wrong when it is looked at.
 *
 * An allocation that is refused is made again, and counted. Beside what they move
 * there is a ballast that takes a collection some time.
 */
#ifndef GOHEAP_TEST_MOVERS_H
#define GOHEAP_TEST_MOVERS_H

#include "mutator.h"

#define MOVERS		3
#define MOVER_SLOTS	64	/* of the table */

/* Words of an item, and of what it refers to. */
enum { MOVER_PAYLOAD, MOVER_VALUE, MOVER_ITEM_WORDS = 4, MOVER_WORDS = 6 };

struct movers {
	struct heap *h;
	goheap_ref table;
	__u32 root;
	__u32 item;		/* layout */
	__u64 ballast;		/* objects */
	int done;
	const char *error;	/* of whoever was the first */
	unsigned long steps;
	unsigned long moved;
	unsigned long refused;
	int nr;			/* threads that have been started */
	pthread_t threads[MOVERS];
};

struct mover {
	struct movers *all;
	struct heap *h;
	struct mutator m;
	__u64 seed;
};

static inline __u64 mover_hash(__u64 value, unsigned int i)
{
	return (value + i + 1) * 0x9e3779b97f4a7c15ULL >> 8;
}

static inline bool mover_stopped(struct movers *all)
{
	return __atomic_load_n(&all->done, __ATOMIC_ACQUIRE);
}

static inline void mover_fail(struct movers *all, const char *why)
{
	const char *none = NULL;

	__atomic_compare_exchange_n(&all->error, &none, why, false,
				    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	__atomic_store_n(&all->done, 1, __ATOMIC_RELEASE);
}

static inline goheap_ref mover_new(struct mover *v, bool item)
{
	goheap_ref ref;

	do {
		ref = mutator_new(&v->m, v->h->fd, item,
				  (item ? MOVER_ITEM_WORDS : MOVER_WORDS) * 8,
				  item ? v->all->item : GOHEAP_LAYOUT_NOSCAN);
		if (!ref)
			__atomic_fetch_add(&v->all->refused, 1,
					   __ATOMIC_RELAXED);
	} while (!ref && !mover_stopped(v->all));
	return ref;
}

/* The barrier, with an exchange since others store there, too. */
static inline bool mover_swap(struct mover *v, goheap_ref *slot, goheap_ref old,
			      goheap_ref ref)
{
	__u64 cycles = heap_cycles(v->h);
	__u32 marking = heap_marking(v->h);
	goheap_ref was = old;

	if (marking) {
		mutator_report(&v->m, old);
		mutator_report(&v->m, ref);
	}
	if (!__atomic_compare_exchange_n(slot, &was, ref, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (marking ? heap_cycles(v->h) != cycles : heap_marking(v->h)) {
		mutator_report(&v->m, old);
		mutator_report(&v->m, ref);
	}
	return true;
}

static inline bool mover_item_is_good(const struct heap *h, goheap_ref ref)
{
	__u64 value = *heap_word(h, ref, MOVER_VALUE);
	goheap_ref payload = *heap_word(h, ref, MOVER_PAYLOAD);

	if (!payload)
		return false;
	for (unsigned int i = 0; i < MOVER_WORDS; i++)
		if (*heap_word(h, payload, i) != mover_hash(value, i))
			return false;
	return true;
}

/* An item with a new payload, or with the one of another. */
static inline goheap_ref mover_item(struct mover *v, goheap_ref payload,
				    __u64 value)
{
	goheap_ref ref;

	if (!payload) {
		payload = mover_new(v, false);
		for (unsigned int i = 0; payload && i < MOVER_WORDS; i++)
			*heap_word(v->h, payload, i) = mover_hash(value, i);
	}
	ref = payload ? mover_new(v, true) : 0;
	if (ref) {
		*heap_word(v->h, ref, MOVER_VALUE) = value;
		mover_swap(v, heap_word(v->h, ref, MOVER_PAYLOAD), 0, payload);
	}
	return ref;
}

/* What the places of lost objects would be given to. */
static inline void mover_garbage(struct mover *v)
{
	for (int i = 0; i < 16; i++) {
		goheap_ref ref = mover_new(v, i & 1);

		for (int k = 1; ref && k < MOVER_ITEM_WORDS; k++)
			*heap_word(v->h, ref, k) = NO_REF;
	}
}

static inline void mover_step(struct mover *v)
{
	goheap_ref *slot = heap_word(v->h, v->all->table,
				     rnd(&v->seed) % MOVER_SLOTS);
	goheap_ref ref = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	goheap_ref payload = 0;
	__u64 value = rnd(&v->seed);

	if (ref) {
		if (!mover_swap(v, slot, ref, 0))
			return;
		if (!mover_item_is_good(v->h, ref)) {
			mover_fail(v->all, "an item that was taken");
			return;
		}
		value = *heap_word(v->h, ref, MOVER_VALUE);
		payload = *heap_word(v->h, ref, MOVER_PAYLOAD);
		/* From here on the thread alone has the payload. */
		mover_swap(v, heap_word(v->h, ref, MOVER_PAYLOAD), payload, 0);
		__atomic_fetch_add(&v->all->moved, 1, __ATOMIC_RELAXED);
	}
	mover_garbage(v);
	ref = mover_item(v, payload, value);
	if (!ref)
		return;
	mover_garbage(v);
	if (!mover_item_is_good(v->h, ref))
		mover_fail(v->all, "an item that only the thread has");
	/* What finds no place is dropped. */
	for (int i = 0; i < 4; i++) {
		slot = heap_word(v->h, v->all->table,
				 rnd(&v->seed) % MOVER_SLOTS);
		if (mover_swap(v, slot, 0, ref))
			break;
	}
	__atomic_fetch_add(&v->all->steps, 1, __ATOMIC_RELAXED);
}

static inline void *mover_run(void *arg)
{
	struct movers *all = arg;
	struct mover v = {
		.all = all,
		.h = all->h,
		.seed = 1 + __atomic_fetch_add(&all->nr, 1, __ATOMIC_RELAXED),
	};

	if (mutator_attach(&v.m, all->h->fd, false)) {
		mover_fail(all, "no control pages");
		return NULL;
	}
	while (!mover_stopped(all))
		mover_step(&v);
	mutator_detach(&v.m);
	return NULL;
}

/* Start them, with so much ballast; the table is a root. */
static inline int movers_start(struct movers *all, struct heap *h,
			       __u64 ballast)
{
	__u32 refs = gh_layout_words(h->fd, 1, 1);
	int err;

	memset(all, 0, sizeof(*all));
	all->h = h;
	all->item = gh_layout_words(h->fd, MOVER_ITEM_WORDS,
				    1 << MOVER_PAYLOAD);
	all->table = heap_push(h, MOVER_SLOTS * 8, refs);
	if (!all->table)
		return -ENOMEM;
	err = gh_root_add(h->fd, all->table, &all->root);
	all->ballast = ballast / (64 * KIB);
	if (!err && heap_push_many(h, 64 * KIB, refs, all->ballast) !=
			    all->ballast)
		err = -ENOMEM;
	for (int i = 0; !err && i < MOVERS; i++)
		err = -pthread_create(&all->threads[i], NULL, mover_run, all);
	return err;
}

/* Wait until they have made so many steps more; what does not move is a hang. */
static inline void movers_wait(struct movers *all, unsigned long more)
{
	unsigned long start = __atomic_load_n(&all->steps, __ATOMIC_RELAXED);

	while (__atomic_load_n(&all->steps, __ATOMIC_RELAXED) - start < more &&
	       !mover_stopped(all))
		usleep(1000);
}

/* Stop them; what was wrong, or NULL. */
static inline const char *movers_stop(struct movers *all)
{
	__atomic_store_n(&all->done, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < MOVERS; i++)
		pthread_join(all->threads[i], NULL);
	for (int i = 0; i < MOVER_SLOTS; i++) {
		goheap_ref ref = *heap_word(all->h, all->table, i);

		if (ref && !mover_item_is_good(all->h, ref))
			mover_fail(all, "an item that is left");
	}
	return all->error;
}

/* Objects that are reachable when all are stopped. */
static inline __u64 movers_objects(const struct movers *all)
{
	__u64 n = 1 + all->ballast;

	for (int i = 0; i < MOVER_SLOTS; i++)
		n += *heap_word(all->h, all->table, i) ? 2 : 0;
	return n;
}

/*
 * Objects that are more than that, after collections. A mutator that has ended is
 * done away with a little later.
 */
static inline __u64 movers_surplus(const struct movers *all)
{
	__u64 want = movers_objects(all), live = heap_live(all->h);

	for (int i = 0; live != want && i < 100; i++) {
		usleep(10000);
		live = heap_live(all->h);
	}
	return live - want;
}

#endif /* GOHEAP_TEST_MOVERS_H */
