// SPDX-License-Identifier: GPL-2.0
/*
 * What a thread writes into its control pages, at its worst: any bytes anywhere,
 * by itself or by another thread, while it allocates and while the collector
 * marks; counts that are too large or run backwards; references that are none, or
 * another heap's; a place to store that does not exist; and steps that are begun
 * and not ended for many cycles.
 *
 * The program may lose or spoil what is its own. A process that shares the heap
 * and keeps to the rules loses nothing, and the kernel says nothing.
 */
#include <sys/prctl.h>

#include "holder.h"

/* A process that does everything right. */
struct witness {
	int done;
	unsigned long rounds;
};

FIXTURE(forge) {
	struct heap heap;
	struct mutator mut;
	int fd;
	__u32 node;		/* { next, value } */
	struct witness *w;	/* shared with the child that it is */
};

FIXTURE_SETUP(forge)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
	/* One line in the log for each bad reference would be many. */
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_INVALIDPTR, 0));
	self->node = gh_layout_words(self->fd, 2, 1);
	self->w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->w);
	ASSERT_EQ(0, mutator_attach(&self->mut, self->fd, true));
}

FIXTURE_TEARDOWN(forge)
{
	mutator_detach(&self->mut);
	munmap(self->w, PAGE);
	heap_close(&self->heap);
}

/* A list of @n nodes, or 0. */
static goheap_ref witness_list(struct heap *h, struct mutator *m, __u32 node,
			       unsigned int n)
{
	volatile goheap_ref head = 0;

	for (unsigned int i = 0; i < n; i++) {
		goheap_ref ref = mutator_new(m, h->fd, 1, 16, node);

		if (!ref)
			return 0;
		mutator_store(m, h, heap_word(h, ref, 0), head);
		*heap_word(h, ref, 1) = i * 11;
		head = ref;
	}
	return head;
}

static bool witness_check(struct heap *h, goheap_ref ref, unsigned int n)
{
	for (; ref; ref = *heap_word(h, ref, 0))
		if (!n-- || *heap_word(h, ref, 1) != n * 11)
			return false;
	return !n;
}

/* One list all the time, and new ones in turn. */
static void bear_witness(struct heap *h, __u32 node, struct witness *w)
{
	volatile goheap_ref kept, other;
	struct mutator m;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	heap_detach(h);
	CHILD_CHECK(!heap_attach(h));
	CHILD_CHECK(!mutator_attach(&m, h->fd, false));
	kept = witness_list(h, &m, node, 500);
	CHILD_CHECK(kept);
	while (!__atomic_load_n(&w->done, __ATOMIC_ACQUIRE)) {
		other = witness_list(h, &m, node, 200);
		CHILD_CHECK(other);
		CHILD_CHECK(witness_check(h, other, 200));
		CHILD_CHECK(witness_check(h, kept, 500));
		__atomic_fetch_add(&w->rounds, 1, __ATOMIC_RELAXED);
	}
	CHILD_CHECK(witness_check(h, kept, 500));
	_exit(0);
}

static pid_t start_witness(FIXTURE_DATA(forge) *self)
{
	pid_t pid = fork();

	if (!pid)
		bear_witness(&self->heap, self->node, self->w);
	while (pid > 0 && !__atomic_load_n(&self->w->rounds, __ATOMIC_RELAXED))
		usleep(1000);
	return pid;
}

static int end_witness(FIXTURE_DATA(forge) *self, pid_t pid)
{
	__atomic_store_n(&self->w->done, 1, __ATOMIC_RELEASE);
	return wait_for(pid);
}

/* Threads that allocate, and one that writes over what they have. */
#define VICTIMS	2

struct scribbler {
	struct heap *h;
	__u32 node;
	int done;			/* 1: scribble no more; 2: all */
	struct mutator m[VICTIMS];	/* whose pages these are */
	int started;
	int ready;
	unsigned long allocated;
	unsigned long written;
};

static void *be_scribbled_on(void *arg)
{
	struct scribbler *s = arg;
	int nr = __atomic_fetch_add(&s->started, 1, __ATOMIC_RELAXED);
	struct mutator *m = &s->m[nr];
	__u64 seed = 77 + nr;

	/* One that is read by the collector, and one that is not. */
	if (mutator_attach(m, s->h->fd, nr % 2))
		abort();
	__atomic_fetch_add(&s->ready, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&s->done, __ATOMIC_ACQUIRE) < 2) {
		__u32 lease = rnd(&seed) % MUTATOR_LEASES;
		goheap_ref ref = mutator_take(m, lease);

		/* What it takes may be anything, so it does not look there. */
		if (!ref)
			mutator_refill(m, s->h->fd, lease, 16ULL << lease % 8,
				       lease % 2 ? s->node : 0);
		if (rnd(&seed) % 16 == 0)
			mutator_report(m, ref);
		__atomic_fetch_add(&s->allocated, 1, __ATOMIC_RELAXED);
	}
	mutator_detach(m);
	return NULL;
}

/* A number, an address, a reference, or what is nearly one of these. */
static __u64 anything(struct heap *h, __u64 *seed)
{
	__u64 tag = (__u64)h->info.tag << GOHEAP_REF_TAG_SHIFT;
	__u64 r = rnd(seed);

	switch (r >> 61) {
	case 0:
		return tag | (r & (4 * MIB - 1));
	case 1:
		return (uintptr_t)h->base + (r & (4 * MIB - 1));
	case 2:
		return (uintptr_t)h->base + h->info.address_space - r % 16;
	case 3:
		return 0xffff888000000000ULL + (r & (GIB - 1));
	case 4:
		return r % 1024;
	case 5:
		return ~0ULL;
	default:
		return r;
	}
}

static void *scribble(void *arg)
{
	struct scribbler *s = arg;
	__u64 seed = 4242;

	while (!__atomic_load_n(&s->done, __ATOMIC_ACQUIRE)) {
		struct mutator *m = &s->m[rnd(&seed) % VICTIMS];
		volatile __u64 *words = (volatile void *)m->page;
		unsigned int n;

		switch (rnd(&seed) % 8) {
		case 0:
			for (n = 0; n < MUTATOR_PAGES * PAGE / 8; n++)
				words[n] = anything(s->h, &seed);
			break;
		case 1:
			m->page->nr_barrier = rnd(&seed);
			break;
		case 2:
			m->page->nr_barrier = rnd(&seed) % 600;
			break;
		case 3:
			m->page->slot = anything(s->h, &seed);
			break;
		case 4:
			m->page->generation += rnd(&seed) % 3 - 1;
			break;
		default:
			for (n = 0; n < 64; n++)
				words[rnd(&seed) % (MUTATOR_PAGES * PAGE / 8)] =
					anything(s->h, &seed);
		}
		__atomic_fetch_add(&s->written, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F(forge, random_pages)
{
	struct heap *h = &self->heap;
	struct scribbler s = { .h = h, .node = self->node };
	unsigned long rounds, written;
	pthread_t t[VICTIMS + 1];
	pid_t pid;
	int i;

	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MAX_HEAP, 64 * MIB));
	pid = start_witness(self);
	ASSERT_LT(0, pid);
	for (i = 0; i < VICTIMS; i++) {
		ASSERT_EQ(0, pthread_create(&t[i], NULL, be_scribbled_on, &s));
	}
	while (__atomic_load_n(&s.ready, __ATOMIC_ACQUIRE) < VICTIMS)
		usleep(1000);
	ASSERT_EQ(0, pthread_create(&t[i], NULL, scribble, &s));
	rounds = self->w->rounds;
	written = s.written;
	for (i = 0; i < 30 || s.written - written < 1000 ||
		    self->w->rounds - rounds < 10; i++) {
		ASSERT_EQ(0, gh_collect(self->fd));
		/* Somebody who died is not to be waited for. */
		if (waitpid(pid, NULL, WNOHANG))
			break;
	}
	__atomic_store_n(&s.done, 1, __ATOMIC_RELEASE);
	pthread_join(t[VICTIMS], NULL);
	__atomic_store_n(&s.done, 2, __ATOMIC_RELEASE);
	for (int k = 0; k < VICTIMS; k++)
		pthread_join(t[k], NULL);
	TH_LOG("%d cycles, %lu allocations, %lu times written, %lu rounds",
	       i, s.allocated, s.written - written, self->w->rounds - rounds);
	EXPECT_LT(0, s.allocated);
	EXPECT_EQ(0, end_witness(self, pid));
	EXPECT_EQ(0, heap_left(h));
}

/* Counts of the barrier buffer. */

static goheap_ref new_object(FIXTURE_DATA(forge) *self)
{
	return mutator_new(&self->mut, self->fd, 0, 64, 0);
}

/* Beyond the end: all that there is is read, once. */
TEST_F(forge, count_beyond)
{
	static const __u32 counts[] = {
		GOHEAP_BARRIER_REFS + 1, 4096, 1 << 20, INT32_MAX,
		(__u32)INT32_MIN, ~0U,
	};
	struct goheap_mutator_page *page = self->mut.page;
	goheap_ref first, last;

	for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++) {
		memset(page->barrier, 0, sizeof(page->barrier));
		first = new_object(self);
		last = new_object(self);
		page->barrier[0] = first;
		page->barrier[GOHEAP_BARRIER_REFS - 1] = last;
		page->nr_barrier = counts[i];
		ASSERT_EQ(0, gh_collect(self->fd));
		EXPECT_TRUE(heap_has(&self->heap, first))
			TH_LOG("count %u", counts[i]);
		EXPECT_TRUE(heap_has(&self->heap, last))
			TH_LOG("count %u", counts[i]);
		EXPECT_EQ(0, heap_live(&self->heap))
			TH_LOG("count %u", counts[i]);
		EXPECT_EQ(0, gh_barrier(self->fd));
		EXPECT_EQ(0, page->nr_barrier);
	}
}

/* Backwards between two looks: what comes then is read as from there. */
TEST_F(forge, count_backwards)
{
	struct goheap_mutator_page *page = self->mut.page;
	goheap_ref ref, stale;

	for (__u32 from = 7; from <= GOHEAP_BARRIER_REFS; from += 71) {
		for (__u32 to = 0; to < 7; to += 3) {
			stale = new_object(self);
			for (__u32 i = 0; i < from; i++)
				page->barrier[i] = stale;
			page->nr_barrier = from;
			ASSERT_EQ(0, gh_collect(self->fd));
			EXPECT_TRUE(heap_has(&self->heap, stale));
			page->nr_barrier = to;
			ASSERT_EQ(0, gh_collect(self->fd));
			EXPECT_FALSE(heap_has(&self->heap, stale));
			ref = new_object(self);
			page->barrier[to] = ref;
			page->nr_barrier = to + 1;
			ASSERT_EQ(0, gh_collect(self->fd));
			EXPECT_TRUE(heap_has(&self->heap, ref))
				TH_LOG("from %u to %u", from, to);
			/* And never more, wherever the count goes. */
			page->nr_barrier = 0;
			EXPECT_EQ(0, heap_live(&self->heap));
		}
	}
}

/* References that are none, or not this heap's. */
TEST_F(forge, bad_references)
{
	struct heap *h = &self->heap, other;
	__u64 tag = (__u64)h->info.tag << GOHEAP_REF_TAG_SHIFT;
	struct goheap_mutator_page *page = self->mut.page;
	goheap_ref kept, dead, foreign;
	unsigned int n = 0;

	ASSERT_EQ(0, heap_open(&other, GIB, 0));
	ASSERT_EQ(0, gh_alloc(other.fd, 64, 0, 1, &foreign, NULL));
	EXPECT_NE(h->info.tag, other.info.tag);
	kept = heap_push(h, 64, 0);
	ASSERT_NE(0, kept);
	memset(heap_ptr(h, kept), 0x5a, 64);
	dead = new_object(self);
	EXPECT_EQ(1, heap_live(h));
	EXPECT_FALSE(heap_has(h, dead));
	for (int bit = 0; bit < 64; bit++)
		page->barrier[n++] = 1ULL << bit;
	for (int bit = 0; bit < 48; bit++)
		page->barrier[n++] = tag | 1ULL << bit;
	for (int i = -4; i <= 4; i++) {
		page->barrier[n++] = tag + i;
		page->barrier[n++] = tag + h->info.address_space + i;
		page->barrier[n++] = (uintptr_t)h->base + i;
		page->barrier[n++] = ~0ULL + i;
	}
	page->barrier[n++] = foreign;
	page->barrier[n++] = dead;
	/* A free slot beside the one that is kept. */
	page->barrier[n++] = kept + 64;
	page->barrier[n++] = (__u64)other.info.tag << GOHEAP_REF_TAG_SHIFT |
			     (kept & GOHEAP_REF_OFFSET_MASK);
	ASSERT_GE(GOHEAP_BARRIER_REFS, n);
	page->nr_barrier = n;
	EXPECT_EQ(1, heap_live(h));
	EXPECT_FALSE(heap_has(h, dead));
	EXPECT_TRUE(all_bytes(heap_ptr(h, kept), 0x5a, 64));
	EXPECT_EQ(0, heap_live(&other));
	/* Right ones among them are not overlooked. */
	dead = new_object(self);
	page->barrier[n++] = dead + 63;
	page->nr_barrier = n;
	EXPECT_EQ(2, heap_live(h));
	EXPECT_TRUE(heap_has(h, dead));
	EXPECT_EQ(1, heap_live(h));
	/* In the call they are no errors either. */
	EXPECT_EQ(0, gh_report(self->fd, page->barrier, n));
	EXPECT_EQ(0, gh_barrier(self->fd));
	EXPECT_EQ(1, heap_live(h));
	heap_close(&other);
}

/* Places to store that cannot be; 0 stands for the word that says so itself. */
static void visit_slots(FIXTURE_DATA(forge) *self, const __u64 *slots,
			unsigned int nr, bool precise)
{
	struct witness *w = self->w;
	struct mutator m;

	/* The objects are where they are in the parent. */
	CHILD_CHECK(!mutator_attach(&m, self->fd, precise));
	for (unsigned int i = 0; i < nr; i++) {
		m.page->slot = slots[i] ? slots[i] : (uintptr_t)&m.page->slot;
		__atomic_store_n(&w->rounds, i + 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&w->done, __ATOMIC_ACQUIRE) <= (int)i)
			usleep(100);
	}
	_exit(0);
}

TEST_F(forge, bad_slots)
{
	struct heap *h = &self->heap;
	char *hole = page_with(PROT_NONE), *gone = page_with(PROT_READ);
	__u64 base = (uintptr_t)h->base, end = base + h->info.address_space;
	const __u64 slots[] = {
		0, 1, 7, 8, PAGE, ~0ULL, ~7ULL, 1ULL << 63,
		0x00007ffffffffff8ULL, 0x0000800000000000ULL,
		0xffff888000000000ULL, 0xffffffff81000000ULL,
		(uintptr_t)hole, (uintptr_t)gone, (uintptr_t)hole + PAGE - 4,
		base - 8, base - 1, base, base + 1, end - 8, end - 4, end,
		end + 8, base + h->info.address_space / 2,
		(uintptr_t)h->status, (uintptr_t)h->stack,
	};
	struct goheap_stats stats;
	pid_t pid;

	ASSERT_NE(0, heap_push(h, 64, 0));
	munmap(gone, PAGE);
	/* Of a thread that is read, and of one that is not. */
	for (int precise = 0; precise < 2; precise++) {
		memset(self->w, 0, sizeof(*self->w));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			visit_slots(self, slots, ARRAY_SIZE(slots), precise);
		for (unsigned int i = 0; i < ARRAY_SIZE(slots); i++) {
			while (__atomic_load_n(&self->w->rounds,
					       __ATOMIC_ACQUIRE) <= i)
				usleep(100);
			EXPECT_EQ(1, heap_live(h))
				TH_LOG("%#llx", slots[i]);
			__atomic_store_n(&self->w->done, i + 1,
					 __ATOMIC_RELEASE);
		}
		EXPECT_EQ(0, wait_for(pid));
	}
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.evictions);
	munmap(hole, PAGE);
}

/*
 * Threads that begin a step and have all the time in the world to end it: one has
 * loaded a mask, one has said where it is going to store.
 */
struct slow {
	struct heap *h;
	__u32 node;
	goheap_ref *box;	/* where it stores */
	int step;		/* what the thread has done, or may do */
	__u64 stale;		/* the mask as it was */
	int error;
};

static void go(struct slow *x, int step)
{
	__atomic_store_n(&x->step, step, __ATOMIC_RELEASE);
}

static bool at(struct slow *x, int step)
{
	return __atomic_load_n(&x->step, __ATOMIC_ACQUIRE) >= step;
}

static void wait_until(struct slow *x, int step)
{
	while (!at(x, step))
		usleep(50);
}

static void *take_slowly(void *arg)
{
	struct slow *x = arg;
	struct goheap_slots *s;
	struct mutator m;
	__u64 mask;

	if (mutator_attach(&m, x->h->fd, false) ||
	    mutator_refill(&m, x->h->fd, 0, 16, x->node))
		abort();
	s = m.slots;
	mask = s->mask;
	x->stale = mask;
	go(x, 1);
	while (!at(x, 2))
		;
	/* The store that was begun so long ago. */
	__atomic_store_n(&s->mask, mask & (mask - 1), __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (m.page->generation == m.generation)
		x->error = -ESTALE;
	go(x, 3);
	wait_until(x, 4);
	mutator_detach(&m);
	return NULL;
}

TEST_F(forge, taken_late)
{
	enum { CYCLES = 10, OBJECTS = 2000 };
	struct heap *h = &self->heap;
	struct slow x = { .h = h, .node = self->node };
	goheap_ref *refs = h->stack->slots;
	pthread_t t;

	ASSERT_EQ(0, pthread_create(&t, NULL, take_slowly, &x));
	wait_until(&x, 1);
	ASSERT_NE(0, x.stale);
	for (int i = 0; i < CYCLES; i++) {
		ASSERT_EQ(0, gh_collect(self->fd));
	}
	/* The slots that it has been granted are others' now. */
	ASSERT_EQ(OBJECTS, heap_push_many(h, 16, self->node, OBJECTS));
	for (int i = 0; i < OBJECTS; i++)
		*heap_word(h, refs[i], 1) = i + 1;
	go(&x, 2);
	wait_until(&x, 3);
	EXPECT_EQ(0, x.error);
	for (int i = 0; i < CYCLES; i++) {
		EXPECT_EQ(OBJECTS, heap_live(h));
	}
	/* None of them is given away a second time. */
	ASSERT_EQ(OBJECTS, heap_push_many(h, 16, self->node, OBJECTS));
	for (int i = 0; i < OBJECTS; i++)
		ASSERT_EQ(i + 1, *heap_word(h, refs[i], 1));
	EXPECT_EQ(2 * OBJECTS, heap_live(h));
	go(&x, 4);
	pthread_join(t, NULL);
	h->stack->top = 0;
	EXPECT_EQ(0, heap_left(h));
}

static void *store_slowly(void *arg)
{
	struct slow *x = arg;
	volatile goheap_ref ref;
	struct mutator m;
	__u32 before, after;

	if (mutator_attach(&m, x->h->fd, false))
		abort();
	ref = mutator_new(&m, x->h->fd, 0, 64, 0);
	__atomic_store_n(&m.page->slot, (uintptr_t)x->box, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	before = heap_marking(x->h);
	go(x, 1);
	wait_until(x, 2);
	__atomic_store_n(x->box, ref, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	after = heap_marking(x->h);
	if (after && after != before)
		mutator_report(&m, ref);
	go(x, 3);
	wait_until(x, 4);
	mutator_detach(&m);
	return NULL;
}

/* Has been read by the collector when it loads what is about to be replaced. */
static void *load_late(void *arg)
{
	struct slow *x = arg;
	volatile goheap_ref ref = 0;
	struct mutator m;

	if (mutator_attach(&m, x->h->fd, false))
		abort();
	go(x, 1);
	wait_until(x, 2);
	ref = __atomic_load_n(x->box, __ATOMIC_ACQUIRE);
	go(x, 3);
	wait_until(x, 4);
	(void)ref;
	mutator_detach(&m);
	return NULL;
}

static void *collect(void *arg)
{
	return (void *)(long)gh_collect(((struct heap *)arg)->fd);
}

/* Nodes that the collector needs some time for; the last one's first word. */
static goheap_ref *long_list(struct heap *h, __u32 node, unsigned int nodes)
{
	enum { BATCH = 500 };
	goheap_ref *head = &h->stack->slots[0], *batch = head + 1, *last = NULL;

	memset(head, 0, (1 + BATCH) * 8);
	h->stack->top = 1 + BATCH;
	for (unsigned int i = 0; i < nodes; i++) {
		if (i % BATCH == 0 &&
		    gh_alloc(h->fd, 16, node, BATCH, batch, NULL))
			return NULL;
		if (!last)
			last = heap_word(h, *batch, 0);
		heap_set(h, batch[i % BATCH], 0, *head);
		heap_store(h, head, batch[i % BATCH]);
	}
	h->stack->top = 1;
	return last;
}

static __u64 handshakes(struct heap *h)
{
	struct goheap_stats stats;

	return gh_stats(h->fd, &stats) ? 0 : stats.handshakes;
}

/*
 * The end of a long list has the only reference to an object. Marking begins while
 * a thread is about to overwrite it; another one, which has been read, loads it;
 * then it is overwritten. Is it there in the end? -1 if marking was over too soon.
 */
static int store_late(struct __test_metadata *_metadata, struct heap *h,
		      goheap_ref *box)
{
	struct slow store = { .h = h, .box = box };
	struct slow load = { .h = h, .box = box };
	pthread_t threads[3];
	__u64 hid, read, cycles;
	int ret = 0;
	void *err;

	ASSERT_EQ(0, gh_alloc(h->fd, 64, 0, 1, box, NULL));
	hid = hidden(*box);
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, store_slowly, &store));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, load_late, &load));
	wait_until(&store, 1);
	wait_until(&load, 1);
	read = handshakes(h);
	cycles = heap_cycles(h);
	ASSERT_EQ(0, pthread_create(&threads[2], NULL, collect, h));
	wait_for_marking(h, cycles);
	/* These two and the one that collects; this thread is precise. */
	while (heap_marking(h) && handshakes(h) - read < 3)
		;
	go(&load, 2);
	wait_until(&load, 3);
	go(&store, 2);
	wait_until(&store, 3);
	if (!heap_marking(h))
		ret = -1;
	pthread_join(threads[2], &err);
	EXPECT_EQ(NULL, err);
	if (!ret)
		ret = alive(h, hid);
	go(&load, 4);
	go(&store, 4);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	return ret;
}

TEST_F(forge, stored_late)
{
	enum { NODES = 60000, TRIES = 20 };
	struct heap *h = &self->heap;
	goheap_ref *box = long_list(h, self->node, NODES);
	int kept = 0, tried = 0;

	ASSERT_NE(NULL, box);
	for (int i = 0; i < TRIES; i++) {
		int ret = store_late(_metadata, h, box);

		tried += ret >= 0;
		kept += ret > 0;
	}
	TH_LOG("%d tries", tried);
	EXPECT_LT(0, tried);
	EXPECT_EQ(tried, kept);
	h->stack->top = 0;
	EXPECT_EQ(0, heap_left(h));
}

TEST_HARNESS_MAIN
