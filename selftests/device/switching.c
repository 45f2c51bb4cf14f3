// SPDX-License-Identifier: GPL-2.0
/*
 * Workers that switch between stacks of their own and carry the last reference
 * from one to the other, without telling anybody but that they switch.
 */
#include <ucontext.h>

#include "crowd.h"

FIXTURE(switching) {
	struct heap heap;
	struct shared *s;
};

FIXTURE_SETUP(switching)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->s = make_shared(&self->heap);
	ASSERT_NE(NULL, self->s);
}

FIXTURE_TEARDOWN(switching)
{
	munmap(self->s, PAGE);
	heap_close(&self->heap);
}

#define SIDE_BYTES	(64 * KIB)
#define SIDES		2

struct hopper {
	struct worker w;
	ucontext_t main, side[SIDES];
	int cur;
	volatile goheap_ref box;	/* on the thread's first stack */
};

static __thread struct hopper *hopper;

static void switch_stack(struct hopper *x, ucontext_t *from, ucontext_t *to)
{
	struct goheap_mutator_page *page = x->w.m.page;

	__atomic_store_n(&page->switches, page->switches + 1, __ATOMIC_RELEASE);
	swapcontext(from, to);
}

static void side(void)
{
	struct hopper *x = hopper;
	volatile goheap_ref mine;

	for (;;) {
		mine = x->box;
		x->box = 0;
		linger(&x->w);
		switch_stack(x, &x->side[x->cur], &x->main);
		check_item(&x->w, mine, "an item on a stack that was left");
		x->box = mine;
		mine = 0;
		switch_stack(x, &x->side[x->cur], &x->main);
	}
}

static void hop(struct hopper *x)
{
	struct worker *w = &x->w;

	x->box = take(w);
	if (!x->box)
		return;
	x->cur = rnd(&w->seed) % SIDES;
	switch_stack(x, &x->main, &x->side[x->cur]);
	linger(w);
	switch_stack(x, &x->main, &x->side[x->cur]);
	check_item(w, x->box, "an item that was on another stack");
	put(w, x->box);
	x->box = 0;
}

static bool start_sides(struct hopper *x, char *stacks)
{
	for (int i = 0; i < SIDES; i++) {
		char *stack = stacks + i * SIDE_BYTES;

		if (gh_range_add(x->w.h->fd, GOHEAP_RANGE_STACK, stack,
				 SIDE_BYTES))
			return false;
		getcontext(&x->side[i]);
		x->side[i].uc_stack.ss_sp = stack;
		x->side[i].uc_stack.ss_size = SIDE_BYTES;
		makecontext(&x->side[i], side, 0);
	}
	return true;
}

static void *work_hopping(void *arg)
{
	struct worker *shown = arg;
	struct hopper x = { .w = *shown };
	char *stacks = mmap(NULL, SIDES * SIDE_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	hopper = &x;
	x.w.stack = map_stack(x.w.h->fd, PAGE);
	if (stacks == MAP_FAILED || x.w.stack == MAP_FAILED ||
	    mutator_attach(&x.w.m, x.w.h->fd, false) ||
	    !start_sides(&x, stacks)) {
		fail(shown, "no stacks");
		return NULL;
	}
	while (!stopped(&x.w)) {
		hop(&x);
		step(&x.w);
	}
	shown->bad = x.w.bad;
	for (int i = 0; i < SIDES; i++)
		gh_range_remove(x.w.h->fd, stacks + i * SIDE_BYTES);
	mutator_detach(&x.w.m);
	munmap(x.w.stack, PAGE);
	munmap(stacks, SIDES * SIDE_BYTES);
	return NULL;
}

TEST_F(switching, threads)
{
	enum { THREADS = 2 };
	struct heap *h = &self->heap;
	struct shared *s = self->s;
	struct worker w[THREADS];
	long cycles;

	for (int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){
			.h = h, .s = s, .mode = CONSERVATIVE, .seed = 815 + i,
		};
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, work_hopping,
					    &w[i]));
	}
	cycles = collect_on(h->fd);
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, join_workers(w, THREADS));
	EXPECT_LT(0, cycles);
	TH_LOG("%ld cycles, %lu steps, %lu of them while it marked; %lu taken",
	       cycles, s->steps, s->marking, s->taken);
	check_end(_metadata, h, s);
}

TEST_HARNESS_MAIN
