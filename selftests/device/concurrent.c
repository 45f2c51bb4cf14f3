// SPDX-License-Identifier: GPL-2.0
/*
 * Marking beside programs: crowds of workers, which are threads or processes, with
 * stacks that are read, with handle stacks, and without control pages.
 */
#include "crowd.h"

FIXTURE(concurrent) {
	struct heap heap;
	struct shared *s;
};

FIXTURE_SETUP(concurrent)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->s = make_shared(&self->heap);
	ASSERT_NE(NULL, self->s);
}

FIXTURE_TEARDOWN(concurrent)
{
	munmap(self->s, PAGE);
	heap_close(&self->heap);
}

struct crowd {
	enum mode mode;
	int threads;		/* at most 4 */
};

/* The first crowd is threads of this process, each other one a process. */
static void try_crowds(struct __test_metadata *_metadata, struct heap *h,
		       struct shared *s, const struct crowd *crowds, int nr)
{
	struct worker w[4];
	pid_t pids[4];
	long cycles;

	for (int i = 1; i < nr; i++) {
		pids[i] = fork_workers(h, s, crowds[i].threads, crowds[i].mode,
				       false);
		ASSERT_LT(0, pids[i]);
	}
	start_workers(w, crowds[0].threads, h, s, crowds[0].mode, false);
	cycles = collect_on(h->fd);
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, join_workers(w, crowds[0].threads));
	for (int i = 1; i < nr; i++)
		EXPECT_EQ(0, wait_for(pids[i]));
	EXPECT_LT(0, cycles);
	TH_LOG("%ld cycles, %lu steps, %lu of them while it marked; %lu taken, %lu looked at, %lu payloads",
	       cycles, s->steps, s->marking, s->taken, s->peeks, s->moved);
	check_end(_metadata, h, s);
}

#define TEST_CROWDS(name, ...)						\
	TEST_F(concurrent, name) {					\
		static const struct crowd crowds[] = { __VA_ARGS__ };	\
									\
		try_crowds(_metadata, &self->heap, self->s, crowds,	\
			   ARRAY_SIZE(crowds));				\
	}

TEST_CROWDS(threads, { CONSERVATIVE, 3 })
TEST_CROWDS(precise_threads, { PRECISE, 3 })
TEST_CROWDS(bare_threads, { BARE, 3 })
TEST_CROWDS(processes, { CONSERVATIVE, 1 }, { CONSERVATIVE, 2 },
	    { CONSERVATIVE, 1 })
TEST_CROWDS(mixed_processes, { CONSERVATIVE, 1 }, { PRECISE, 1 }, { BARE, 1 },
	    { CONSERVATIVE, 2 })

/*
 * Programs that report nothing may lose what is theirs. A list of this process's
 * stays what it was, the kernel keeps count, and the heap goes on.
 */
TEST_F(concurrent, no_barrier)
{
	enum { NODES = 500 };
	struct heap *h = &self->heap;
	struct shared *s = self->s;
	struct goheap_stats stats;
	goheap_ref ref;
	pid_t pids[2];
	__u32 node;		/* { next, value } */
	int i;

	node = gh_layout_words(h->fd, 2, 1);
	ASSERT_EQ(0, gh_param_set(h->fd, GOHEAP_PARAM_INVALIDPTR, 0));
	pids[0] = fork_workers(h, s, 2, CONSERVATIVE, true);
	ASSERT_LT(0, pids[0]);
	pids[1] = fork_workers(h, s, 2, BARE, true);
	ASSERT_LT(0, pids[1]);
	for (i = 0; i < NODES; i++) {
		ref = heap_push(h, 16, node);
		ASSERT_NE(0, ref);
		*heap_word(h, ref, 1) = i * 5;
		if (i)
			heap_set(h, ref, 0, h->stack->slots[0]);
		heap_store(h, &h->stack->slots[0], ref);
		h->stack->top = 1;
		if (i % 10 == 0) {
			ASSERT_EQ(0, gh_collect(h->fd));
		}
	}
	ASSERT_LT(0, collect_on(h->fd));
	for (ref = h->stack->slots[0]; ref; ref = *heap_word(h, ref, 0)) {
		ASSERT_EQ(--i * 5, *heap_word(h, ref, 1));
	}
	EXPECT_EQ(0, i);
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, wait_for(pids[0]));
	EXPECT_EQ(0, wait_for(pids[1]));
	TH_LOG("%lu steps, %lu of them while it marked", s->steps, s->marking);
	EXPECT_LT(0, s->marking);
	ASSERT_EQ(0, gh_roots(h->fd, GOHEAP_IOC_ROOT_REMOVE, TABLES, NULL,
			      s->roots));
	for (i = 0; i < 100 && heap_live(h) != NODES; i++)
		usleep(10000);
	EXPECT_EQ(NODES, heap_live(h));
	h->stack->top = 0;
	EXPECT_EQ(0, heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(stats.mallocs, stats.frees);
	EXPECT_EQ(0, stats.alloc);
}

TEST_HARNESS_MAIN
