// SPDX-License-Identifier: GPL-2.0
/*
 * Leases used against the rules: slots that were not granted are taken, several
 * threads take from the same ones, and control pages go while their owner is in a
 * call. Who does so may lose or spoil objects of its own heap; the kernel says
 * nothing, loses no count, and the heap goes on.
 */
#include "mutator.h"

FIXTURE(leases) {
	struct heap heap;
	int fd;
	__u32 node;
};

FIXTURE_SETUP(leases)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
	self->node = gh_layout_words(self->fd, 2, 1);
}

FIXTURE_TEARDOWN(leases)
{
	heap_close(&self->heap);
}

/* Whoever says in its control pages what it should not. */
struct forger {
	struct heap *h;
	struct mutator *shared;
	__u32 node;
	__u64 seed;
	int *done;
	unsigned long allocated;
};

static void forge(struct heap *h, struct mutator *m, __u64 *seed)
{
	struct goheap_slots *s = &m->slots[rnd(seed) % 4 * GOHEAP_LEASE_WORDS +
					   rnd(seed) % 4];
	__u64 tag = (__u64)h->info.tag << GOHEAP_REF_TAG_SHIFT;

	switch (rnd(seed) % 8) {
	case 0:
		s->mask = ~0ULL;
		break;
	case 1:
		s->mask |= rnd(seed);
		break;
	case 2:
		s->base = rnd(seed);
		break;
	case 3:
		s->base = tag | (rnd(seed) & (MIB - 1));
		break;
	case 4:
		m->page->nr_barrier = rnd(seed);
		break;
	case 5:
		m->page->generation = rnd(seed) % 3 ? rnd(seed) :
				      m->generation;
		break;
	case 6:
		m->page->barrier[rnd(seed) % GOHEAP_BARRIER_REFS] =
			tag | (rnd(seed) & (4 * MIB - 1));
		m->page->nr_barrier = ~0U;
		break;
	default:
		m->page->tiny_allocs = rnd(seed);
	}
}

static void *run_forger(void *arg)
{
	struct forger *f = arg;
	struct mutator own;

	if (mutator_attach(&own, f->h->fd, f->seed % 2))
		return arg;
	while (!__atomic_load_n(f->done, __ATOMIC_ACQUIRE)) {
		struct mutator *m = f->shared && rnd(&f->seed) % 2 ?
				    f->shared : &own;
		__u32 lease = rnd(&f->seed) % 4;
		goheap_ref ref = mutator_take(m, lease);

		if (!ref)
			mutator_refill(m, f->h->fd, lease, 16 << lease,
				       lease % 2 ? f->node : 0);
		f->allocated += !!ref;
		if (rnd(&f->seed) % 8 == 0)
			forge(f->h, m, &f->seed);
	}
	mutator_detach(&own);
	return NULL;
}

static void try_forgers(struct __test_metadata *_metadata, struct heap *h,
			__u32 node, bool share)
{
	enum { N = 4 };
	struct forger f[N];
	struct goheap_stats stats;
	struct mutator shared;
	pthread_t t[N];
	goheap_ref kept;
	int done = 0;

	/* One line in the log for each bad reference would be many. */
	ASSERT_EQ(0, gh_param_set(h->fd, GOHEAP_PARAM_INVALIDPTR, 0));
	kept = heap_push(h, 128, 0);
	ASSERT_NE(0, kept);
	ASSERT_EQ(0, mutator_attach(&shared, h->fd, true));
	for (int i = 0; i < N; i++) {
		f[i] = (struct forger){
			h, share ? &shared : NULL, node, 1000 + i, &done,
		};
		ASSERT_EQ(0, pthread_create(&t[i], NULL, run_forger, &f[i]));
	}
	for (int i = 0; i < 30 * test_length(); i++) {
		ASSERT_EQ(0, gh_collect(h->fd));
		ASSERT_EQ(0, gh_stats(h->fd, &stats));
		usleep(2000);
	}
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < N; i++) {
		pthread_join(t[i], NULL);
		EXPECT_LT(0, f[i].allocated);
	}
	mutator_detach(&shared);
	EXPECT_TRUE(heap_has(h, kept));
	/*
	 * The kernel has not lost count. A mutator that has ended is done away
	 * with a little later, and until then its barrier buffer is a root.
	 */
	for (int i = 0; i < 100 && heap_live(h) != 1; i++)
		usleep(10000);
	EXPECT_EQ(1, heap_live(h));
	h->stack->top = 0;
	EXPECT_EQ(0, heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(0, stats.alloc);
	EXPECT_EQ(stats.mallocs, stats.frees);
}

TEST_F(leases, forged)
{
	try_forgers(_metadata, &self->heap, self->node, false);
}

/* Several threads that use the leases of one of them. */
TEST_F(leases, shared)
{
	try_forgers(_metadata, &self->heap, self->node, true);
}

/* Control pages that go while their owner is in a call. */
struct owner {
	int fd;
	void *page;
	int *done;
	unsigned long ok, late;
	int error;
};

static void *refill_for_ever(void *arg)
{
	struct goheap_lease l[4];
	struct owner *o = arg;
	int ret;

	while (!__atomic_load_n(o->done, __ATOMIC_ACQUIRE)) {
		if (!__atomic_load_n(&o->page, __ATOMIC_ACQUIRE)) {
			void *page = map_mutator(o->fd, MUTATOR_PAGES, true);

			/* The old ones are still going away. */
			if (page == MAP_FAILED && errno == EBUSY) {
				sched_yield();
				continue;
			}
			if (page == MAP_FAILED) {
				o->error = errno;
				return NULL;
			}
			__atomic_store_n(&o->page, page, __ATOMIC_RELEASE);
		}
		for (int i = 0; i < 4; i++)
			l[i] = (struct goheap_lease){
				.index = i * 3, .bytes = 16 << i,
			};
		ret = gh_refill(o->fd, l, 4, NULL);
		if (!ret)
			o->ok++;
		else if (ret == -ENOTCONN)
			o->late++;
		else
			o->error = -ret;
	}
	return NULL;
}

TEST_F(leases, unmapped_by_others)
{
	int done = 0;
	struct owner o = { .fd = self->fd, .done = &done };
	unsigned long n = 0;
	pthread_t t;

	ASSERT_EQ(0, pthread_create(&t, NULL, refill_for_ever, &o));
	for (int i = 0; i < 2000; i++) {
		void *page = __atomic_exchange_n(&o.page, NULL,
						 __ATOMIC_ACQ_REL);

		if (page) {
			munmap(page, MUTATOR_PAGES * PAGE);
			n++;
		}
		if (i % 16 == 0) {
			ASSERT_EQ(0, gh_collect(self->fd));
		}
		usleep(100);
	}
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	TH_LOG("%lu unmapped, %lu refills, %lu came too late", n, o.ok, o.late);
	EXPECT_EQ(0, o.error);
	EXPECT_LT(0, o.ok);
	EXPECT_LT(0, n);
	if (o.page)
		munmap(o.page, MUTATOR_PAGES * PAGE);
	EXPECT_EQ(0, heap_live(&self->heap));
}

TEST_HARNESS_MAIN
