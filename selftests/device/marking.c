// SPDX-License-Identifier: GPL-2.0
/*
 * A heap that takes long to mark: what threads report meanwhile counts, and they
 * go on.
 */
#include "mutator.h"

FIXTURE(marking) {
	struct heap heap;
	int fd;
	__u32 node;		/* { next, value } */
};

FIXTURE_SETUP(marking)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
	self->node = gh_layout_words(self->fd, 2, 1);
}

FIXTURE_TEARDOWN(marking)
{
	heap_close(&self->heap);
}

/* Nodes that keep the collector busy; the last one comes last. */
static goheap_ref long_list(struct heap *h, __u32 node, unsigned int nodes,
			    __u64 bytes)
{
	enum { BATCH = 1000 };
	goheap_ref *head = &h->stack->slots[0];
	goheap_ref *batch = &h->stack->slots[1];
	goheap_ref last = 0;
	__u32 done;

	*head = 0;
	memset(batch, 0, BATCH * 8);
	h->stack->top = 1 + BATCH;
	for (unsigned int i = 0; i < nodes; i += done) {
		if (gh_alloc(h->fd, bytes, node, BATCH, batch, &done) || !done)
			return 0;
		/* In strides, so that neighbours are far apart in the list. */
		for (__u32 n = 0; n < done; n++) {
			goheap_ref ref = batch[n * 7 % done];

			if (!last)
				last = ref;
			heap_set(h, ref, 0, *head);
			heap_store(h, head, ref);
		}
		if (done % 7 == 0)
			return 0;
	}
	h->stack->top = 1;
	return last;
}

enum how { BY_BUFFER, BY_CALL, BY_FULL_BUFFER, NOT_AT_ALL };

/*
 * The end of a long list has the only reference to an object. It is reported
 * while the collector marks and then overwritten. @how tells by which way.
 */
static int try_report(struct heap *h, goheap_ref last, enum how how)
{
	goheap_ref *slot = heap_word(h, last, 0);
	goheap_ref ref = 0;
	struct mutator m;
	__u64 cycles;
	pthread_t t;
	int ret;

	if (mutator_attach(&m, h->fd, true) ||
	    gh_alloc(h->fd, 64, 0, 1, slot, NULL))
		return -1;
	ref = *slot;
	if (how == BY_FULL_BUFFER)
		m.page->nr_barrier = GOHEAP_BARRIER_REFS;
	cycles = heap_cycles(h);
	if (pthread_create(&t, NULL, collect_once, h))
		return -1;
	wait_for_marking(h, cycles);
	if (how == BY_CALL)
		ret = gh_report(h->fd, &ref, 1);
	else if (how != NOT_AT_ALL)
		mutator_report(&m, ref);
	*slot = 0;
	/* Too late to say anything? */
	ret = heap_marking(h) ? 0 : -2;
	pthread_join(t, NULL);
	if (!ret)
		ret = heap_has(h, ref);
	mutator_detach(&m);
	return ret;
}

TEST_F(marking, reports)
{
	enum { NODES = 200000 };
	struct heap *h = &self->heap;
	goheap_ref last = long_list(h, self->node, NODES, 16);
	int kept[4] = {}, tried[4] = {};

	ASSERT_NE(0, last);
	for (int i = 0; i < 40; i++) {
		int ret = try_report(h, last, i % 4);

		ASSERT_NE(-1, ret);
		if (ret < 0)
			continue;
		tried[i % 4]++;
		kept[i % 4] += ret;
	}
	for (enum how how = BY_BUFFER; how < NOT_AT_ALL; how++) {
		EXPECT_LT(0, tried[how]);
		EXPECT_EQ(tried[how], kept[how])
			TH_LOG("way %d", how);
	}
	/* Else this test has not tested anything. */
	EXPECT_LT(kept[NOT_AT_ALL], tried[NOT_AT_ALL])
		TH_LOG("what was not reported was kept, too");
	EXPECT_EQ(NODES, heap_live(h));
}

/*
 * A thread that allocates and stores goes on while a large heap is marked. The
 * longest gap between two of its steps is a fraction of the time it takes; if the
 * heap were stopped it would be all of it.
 */
struct spinner {
	struct heap *h;
	__u32 node;
	int done;
	int error;
	__u64 gap;		/* longest, ns; taken and reset by others */
	unsigned long steps;	/* while objects were marked */
};

static void *spin(void *arg)
{
	struct spinner *x = arg;
	struct heap *h = x->h;
	volatile goheap_ref head = 0;
	struct mutator m;
	__u64 last, cycles;
	__u32 marking = 0;

	x->error = mutator_attach(&m, h->fd, false);
	cycles = heap_cycles(h);
	last = now_ns();
	for (int i = 0; !x->error; i++) {
		goheap_ref ref = mutator_new(&m, h->fd, 0, 16, x->node);
		__u32 was = marking;
		__u64 now;

		if (!ref) {
			x->error = -ENOMEM;
			break;
		}
		if (i % 64)
			mutator_store(&m, h, heap_word(h, ref, 0), head);
		head = ref;
		marking = heap_marking(h);
		now = now_ns();
		if (was || marking || heap_cycles(h) != cycles) {
			if (now - last >
			    __atomic_load_n(&x->gap, __ATOMIC_RELAXED))
				__atomic_store_n(&x->gap, now - last,
						 __ATOMIC_RELAXED);
			cycles = heap_cycles(h);
		}
		if (marking)
			__atomic_fetch_add(&x->steps, 1, __ATOMIC_RELAXED);
		last = now;
		if (__atomic_load_n(&x->done, __ATOMIC_ACQUIRE))
			break;
	}
	head = 0;
	mutator_detach(&m);
	return NULL;
}

TEST_F(marking, stops)
{
	enum { CYCLES = 8, BYTES = 128, NODES = 64 * MIB / BYTES };
	struct heap *h = &self->heap;
	struct spinner x = { .h = h, .node = self->node };
	unsigned long least = ~0UL;
	struct goheap_cycle c;
	pthread_t t;
	int good = 0;
	__u32 wide;

	/* Every word a reference or none: all of it is looked at. */
	wide = gh_layout_words(self->fd, BYTES / 8, (1ULL << BYTES / 8) - 1);
	ASSERT_NE(0, long_list(h, wide, NODES, BYTES));
	ASSERT_EQ(0, gh_collect(self->fd));
	ASSERT_EQ(0, pthread_create(&t, NULL, spin, &x));
	for (int i = 0; i < CYCLES; i++) {
		unsigned long steps;
		__u64 gap;

		usleep(10000);
		__atomic_store_n(&x.gap, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&x.steps, 0, __ATOMIC_RELAXED);
		ASSERT_EQ(0, gh_collect(self->fd));
		gap = __atomic_load_n(&x.gap, __ATOMIC_RELAXED);
		steps = __atomic_load_n(&x.steps, __ATOMIC_RELAXED);
		ASSERT_EQ(0, gh_cycle(self->fd, 0, &c));
		TH_LOG("marked %llu MiB in %llu us: gap %llu us, %lu steps, stops of %llu and %llu us",
		       c.heap_marked / MIB, c.mark_ns / 1000, gap / 1000, steps,
		       c.setup_ns / 1000, c.term_ns / 1000);
		EXPECT_LE(64 * MIB, c.heap_marked);
		good += gap < c.mark_ns / 4;
		if (steps < least)
			least = steps;
	}
	__atomic_store_n(&x.done, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	EXPECT_EQ(0, x.error);
	/* A machine may stand still now and then; a stopped heap always does. */
	EXPECT_LE(CYCLES / 2, good);
	EXPECT_LT(100, least);
}

enum { LARGE_TRIES = 4096, LARGE_WANTED = 100, LARGE_BYTES = 128 * MIB };

struct large {
	int fd;
	int stop;
	unsigned int begun;	/* odd: an allocation is under way */
	int error;
};

/* Large objects, one after the other, that nobody keeps. */
static void *allocate_large(void *arg)
{
	struct large *l = arg;

	while (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED) && !l->error) {
		goheap_ref ref = 0;

		__atomic_add_fetch(&l->begun, 1, __ATOMIC_SEQ_CST);
		l->error = gh_alloc(l->fd, LARGE_BYTES, GOHEAP_LAYOUT_NOSCAN,
				    1, &ref, NULL);
		__atomic_add_fetch(&l->begun, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/*
 * Nobody waits for a collector that waits for somebody's large object: whole
 * collections, which stop the heap twice, find room in the time of one.
 */
TEST_F(marking, no_stop_waits_for_large_objects)
{
	struct large l = { 0 };
	unsigned int i, inside = 0;
	struct heap heap;
	pthread_t thread;

	ASSERT_EQ(0, heap_open(&heap, 64 * GIB, 0));
	l.fd = heap.fd;
	ASSERT_EQ(0, pthread_create(&thread, NULL, allocate_large, &l));
	for (i = 0; i < LARGE_TRIES && inside < LARGE_WANTED; i++) {
		unsigned int begun = __atomic_load_n(&l.begun, __ATOMIC_SEQ_CST);

		ASSERT_EQ(0, gh_collect(heap.fd));
		inside += begun % 2 &&
			  begun == __atomic_load_n(&l.begun, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&l.stop, 1, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, l.error);
	TH_LOG("%u of %u collections beside %u objects ended before one did",
	       inside, i, l.begun / 2);
	EXPECT_EQ(LARGE_WANTED, inside);
	heap_close(&heap);
}

TEST_HARNESS_MAIN
