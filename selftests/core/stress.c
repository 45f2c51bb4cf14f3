// SPDX-License-Identifier: GPL-2.0
/*
 * Threads on one heap, for ThreadSanitizer: stress [--ops N] [--seed S]
 *
 * Four mutators allocate, keep some objects, look at what they keep and at
 * addresses of others, by calls and from leases, on CPUs that they share. Whoever
 * notices that a cycle is due runs it; besides, they ask for cycles, sweep, flush
 * each other's mcaches, give memory back and register layouts. What a mutator
 * keeps must be there, with its contents, until it lets go; some of it is so large
 * that several markers scan it in pieces. Objects are marked meanwhile, so
 * whatever is stored is reported; with the world held for reading, so that a
 * cycle does not begin between a report and its store (how programs do without
 * is another test's business).
 */
#include <pthread.h>

#include "user.h"
#include "gh_mutator.h"
#include "gh_port.h"

#define MUTATORS	4
#define KEPT		256
#define LEASES		8
#define PIECE		(131072 / 8)	/* words scanned at a time */
#define WIDE		(3 * PIECE - 100)

#define check(c)	gh_user_require(c, #c)

struct mutator {
	pthread_t thread;
	int nr;
	u64 ops;
	u64 seed;
	struct gh_mutator *leases;
	u64 *root;		/* KEPT of them */
	u64 bytes[KEPT];
	u64 value[KEPT];
	bool wide[KEPT];
	u64 allocated;
};

/* Words of a wide object that are used: the first, the last, beside borders. */
static const u64 places[] = {
	0, PIECE - 1, PIECE, 2 * PIECE - 1, 2 * PIECE, WIDE - 1,
};

static struct gh_heap *heap;
static u32 chain;		/* layout with one reference, the first word */
static u32 wide;		/* with nothing but references */
static u64 roots[MUTATORS * KEPT];

static u64 rnd(struct mutator *t, u64 below)
{
	return gh_user_random(&t->seed) % below;
}

/* World held. Store a reference where the collector looks, and report it. */
static void store(u64 *slot, u64 ref)
{
	u64 refs[] = { *slot, ref };

	gh_mark_shade(heap, refs, 2, NULL, 0);
	WRITE_ONCE(*slot, ref);
}

static u64 *word(u64 ref, u64 i)
{
	return gh_heap_kaddr(heap, (ref & ((1ULL << 48) - 1)) + i * 8);
}

/* World held. All that a wide object leads to. */
static void look_wide(struct mutator *t, u32 i)
{
	struct gh_objinfo info;
	u32 k;

	for (k = 0; k < ARRAY_SIZE(places); k++) {
		u64 ref = *word(t->root[i], places[k]);

		check(!gh_heap_lookup(heap, ref, &info));
		check(*word(ref, 1) == t->value[i] + k);
	}
}

/* World held. First and last word of an object of a chain of two. */
static void look(struct mutator *t, u32 i)
{
	u64 ref = t->root[i], n = t->bytes[i] / 8;
	struct gh_objinfo info;

	if (!ref)
		return;
	if (t->wide[i]) {
		look_wide(t, i);
		return;
	}
	check(!gh_heap_lookup(heap, ref, &info));
	check(info.base == (ref & ((1ULL << 48) - 1)));
	check(info.bytes >= t->bytes[i]);
	check(*word(ref, n - 1) == t->value[i]);
	if (*word(ref, 0)) {
		check(!gh_heap_lookup(heap, *word(ref, 0), &info));
		check(*word(*word(ref, 0), 1) == t->value[i] + 1);
	}
}

static void allocate(struct mutator *t)
{
	u64 bytes = 16 + rnd(t, 4) * rnd(t, 4) * rnd(t, 900) / 8 * 8;
	u32 count = 1 + rnd(t, 8), i;
	u32 layout = rnd(t, 2) ? chain : 0;
	u64 refs[8], tail[1];
	struct gh_batch b, c;

	if (!rnd(t, 200))
		bytes += 40000;
	gh_batch_begin(heap, &b, refs);
	gh_batch_begin(heap, &c, tail);
	check(!gh_malloc(heap, layout, bytes, count, &b));
	check(!gh_malloc(heap, 0, 16, 1, &c));
	down_read(&heap->world);
	*word(tail[0], 1) = t->allocated + 1;
	for (i = 0; i < b.nr; i++) {
		u32 k = rnd(t, KEPT);

		check(!*word(refs[i], 0) && !*word(refs[i], bytes / 8 - 1));
		store(&t->root[k], refs[i]);
		t->wide[k] = false;
		t->bytes[k] = bytes;
		t->value[k] = t->allocated;
		*word(refs[i], bytes / 8 - 1) = t->allocated;
		if (layout && bytes > 16)
			store(word(refs[i], 0), tail[0]);
	}
	up_read(&heap->world);
	gh_batch_end(heap, &c);
	gh_batch_end(heap, &b);
	t->allocated += 2;
}

static void allocate_wide(struct mutator *t)
{
	u32 k = rnd(t, KEPT), i;
	u64 refs[ARRAY_SIZE(places)], ref;
	struct gh_batch b, c;

	gh_batch_begin(heap, &b, &ref);
	gh_batch_begin(heap, &c, refs);
	check(!gh_malloc(heap, wide, WIDE * 8, 1, &b));
	while (c.nr < ARRAY_SIZE(places))
		check(!gh_malloc(heap, 0, 16, ARRAY_SIZE(places), &c));
	down_read(&heap->world);
	store(&t->root[k], ref);
	t->wide[k] = true;
	t->value[k] = t->allocated;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		*word(refs[i], 1) = t->allocated + i;
		store(word(ref, places[i]), refs[i]);
	}
	up_read(&heap->world);
	gh_batch_end(heap, &c);
	gh_batch_end(heap, &b);
	t->allocated += ARRAY_SIZE(places);
}

/* World held, so that leases are not taken back; 0 if there is nothing. */
static u64 take(struct mutator *t, u32 lease, u64 bytes)
{
	struct gh_slots *s = t->leases->pages[1];
	u32 i;

	for (i = 0; s && i < GH_LEASE_WORDS; i++) {
		struct gh_slots *w = &s[lease * GH_LEASE_WORDS + i];
		u64 mask = READ_ONCE(w->mask);

		if (!mask)
			continue;
		WRITE_ONCE(w->mask, mask & (mask - 1));
		return READ_ONCE(w->base) + __ffs64(mask) * bytes;
	}
	return 0;
}

/* An object of a lease, of 16 bytes to 2 KiB. */
static void allocate_leased(struct mutator *t)
{
	u32 lease = rnd(t, LEASES), k = rnd(t, KEPT);
	u64 bytes = 16ULL << lease, ref;
	struct gh_refill out;

	down_read(&heap->world);
	while (!(ref = take(t, lease, bytes))) {
		up_read(&heap->world);
		check(!gh_mutator_refill(heap, t->leases, lease, 0, bytes,
					 &out));
		down_read(&heap->world);
	}
	check(!*word(ref, 0) && !*word(ref, bytes / 8 - 1));
	store(&t->root[k], ref);
	t->wide[k] = false;
	t->bytes[k] = bytes;
	t->value[k] = t->allocated;
	*word(ref, bytes / 8 - 1) = t->allocated++;
	up_read(&heap->world);
}

static void count_unused(void)
{
	u64 unused[GH_NR_CLASSES] = {};

	mutex_lock(&heap->mutators_lock);
	gh_mutator_unused(heap, unused);
	mutex_unlock(&heap->mutators_lock);
}

static void look_anywhere(struct mutator *t)
{
	struct gh_objinfo info;
	u64 off = rnd(t, 24UL << 20);

	down_read(&heap->world);
	if (!gh_heap_lookup(heap, (u64)GH_USER_TAG << 48 | off, &info))
		check(info.base <= off && off < info.base + info.bytes);
	up_read(&heap->world);
}

static void flush(struct mutator *t)
{
	down_read(&heap->world);
	gh_mcache_flush(heap, rnd(t, NR_CPUS));
	up_read(&heap->world);
}

static void look_at_cycles(struct mutator *t)
{
	struct gh_cycle c;

	if (gh_gc_get_cycle(heap, 0, &c)) {
		check(c.cycle);
		check(gh_user_stat(heap, mallocs[3]) >= 0);
		check(gh_gc_get_cycle(heap, c.cycle, &c) ||
		      READ_ONCE(heap->nr_cycles) > c.cycle);
	}
}

static void register_layout(struct mutator *t)
{
	u64 mask = 1 + rnd(t, 255);

	check(gh_layout_register(heap, 64 + 8 * rnd(t, 4), 8, &mask) > 0);
}

/* The background scavenger is one thread at a time, and at times of use. */
static void scavenge(struct mutator *t)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;

	gh_gc_set_limit(heap, rnd(t, 2) ? S64_MAX : rnd(t, 8UL << 20));
	pthread_mutex_lock(&one);
	gh_scavenge_run(heap);
	pthread_mutex_unlock(&one);
}

static void other(struct mutator *t)
{
	switch (rnd(t, 13)) {
	case 0:
		check(!gh_port_collect(heap, GH_CYCLE_FORCED));
		break;
	case 1:
		gh_gc_sweep(heap);
		break;
	case 2:
		gh_heap_release(heap, rnd(t, 1 << 20));
		break;
	case 3:
		register_layout(t);
		break;
	case 4:
		gh_gc_set_percent(heap, 20 + rnd(t, 100));
		break;
	case 5:
		count_unused();
		break;
	case 6:
		scavenge(t);
		break;
	default:
		flush(t);
		look_at_cycles(t);
	}
}

static void *mutate(void *arg)
{
	struct mutator *t = arg;
	u64 i;

	for (i = 0; i < t->ops; i++) {
		u64 what = rnd(t, 100);
		u32 k = rnd(t, KEPT);

		/* Mostly a CPU of its own, at times anybody's. */
		gh_user_cpu = rnd(t, 4) ? t->nr : (int)rnd(t, NR_CPUS);
		if (what < 20 && !rnd(t, 100)) {
			allocate_wide(t);
		} else if (what < 20) {
			allocate(t);
		} else if (what < 40) {
			allocate_leased(t);
		} else if (what < 80) {
			down_read(&heap->world);
			look(t, k);
			if (what < 50)
				store(&t->root[k], 0);
			up_read(&heap->world);
		} else if (what < 97) {
			look_anywhere(t);
		} else {
			other(t);
		}
	}
	return NULL;
}

static void check_heap(void)
{
	const char *why = gh_check_heap(heap);

	gh_user_require(!why, why);
}

static void finish(struct gh_user_roots *r)
{
	check_heap();
	memset(roots, 0, sizeof(roots));
	check(!gh_port_collect(heap, GH_CYCLE_FORCED));
	gh_gc_sweep(heap);
	check_heap();
	check(!gh_user_stat(heap, inuse_pages));
	check(!heap->invalid_refs);
	printf("# %llu cycles\n", heap->nr_cycles);
	check(heap->nr_cycles > 10);
	gh_user_set_roots(heap, NULL);
	gh_heap_destroy(heap);
	gh_core_exit();
	check(!gh_user_live());
}

int main(int argc, char **argv)
{
	u64 ops = gh_user_arg(argc, argv, "ops", 30000);
	u64 seed = gh_user_arg(argc, argv, "seed", 0);
	struct gh_user_roots r = { roots, ARRAY_SIZE(roots) };
	static struct mutator t[MUTATORS];
	u64 mask = 1;
	int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!seed)
		seed = ktime_get_real_ns() % 1000000007 + 1;
	printf("TAP version 13\n1..1\n# stress --ops %llu --seed %llu\n", ops,
	       seed);
	check(!gh_core_init());
	heap = gh_user_heap(4 * GH_ARENA_SIZE, 0);
	check(heap);
	chain = gh_layout_register(heap, 1UL << 20, 1, &mask);
	check(chain == GH_LAYOUT_STACK + 1);
	wide = gh_layout_register(heap, 8, 1, &mask);
	check(wide == chain + 1);
	gh_user_set_roots(heap, &r);
	gh_user_workers = 2;
	for (i = 0; i < MUTATORS; i++) {
		t[i].nr = i;
		t[i].ops = ops;
		t[i].seed = seed + i * 1000003;
		t[i].root = &roots[i * KEPT];
		t[i].leases = gh_mutator_create(heap, LEASES, &(struct gh_window){});
		check(t[i].leases);
		check(!pthread_create(&t[i].thread, NULL, mutate, &t[i]));
	}
	for (i = 0; i < MUTATORS; i++)
		check(!pthread_join(t[i].thread, NULL));
	for (i = 0; i < MUTATORS; i++)
		gh_mutator_destroy(heap, t[i].leases);
	finish(&r);
	printf("ok 1 stress\n");
	return 0;
}
