// SPDX-License-Identifier: GPL-2.0
/*
 * Conservative roots of threads that have not used the heap, of a process that has:
 * where they are nobody has noted, and their registers and stacks count as those of
 * mutators do (threads.c).
 */
#include "side.h"

FIXTURE(unattached) {
	struct heap heap;
	int fd;
};

FIXTURE_SETUP(unattached)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
}

FIXTURE_TEARDOWN(unattached)
{
	heap_close(&self->heap);
}

static void *hold_unattached(void *arg)
{
	struct holder *x = arg;
	volatile goheap_ref local = ~x->hid;

	say_ready(x);
	while (!finished(x))
		(void)local;
	return NULL;
}

/* In the frame that a signal handler has interrupted, on another stack. */
static void *interrupt_unattached(void *arg)
{
	struct holder *x = arg;
	volatile goheap_ref local = ~x->hid;

	wait_on_signal_stack(x);
	(void)local;
	return NULL;
}

/* The same on the stack of a coroutine. */
static void *side_unattached(void *arg)
{
	static char stack[64 * KIB] __attribute__((aligned(16)));
	struct holder *x = arg;
	volatile goheap_ref local = ~x->hid;

	side_make(x, stack, sizeof(stack), side_wait);
	side_go();
	(void)local;
	gh_range_remove(x->h->fd, stack);
	return NULL;
}

static void try_unattached(struct __test_metadata *_metadata, struct heap *h,
			   void *(*run)(void *arg), bool asleep)
{
	struct holder x = { .asleep = asleep };
	struct mutator m;

	ASSERT_EQ(0, mutator_attach(&m, h->fd, false));
	ASSERT_EQ(0, holder_start_unattached(&x, h, NULL, run));
	for (int i = 0; i < 3; i++) {
		EXPECT_GE(10, survivors(h));
		EXPECT_TRUE(alive(h, x.hid));
	}
	holder_stop(&x);
	clear_stack();
	EXPECT_EQ(0, gh_collect(h->fd));
	EXPECT_FALSE(alive(h, x.hid));
	mutator_detach(&m);
}

TEST_F(unattached, running)
{
	try_unattached(_metadata, &self->heap, hold_unattached, false);
}

TEST_F(unattached, on_signal_stack)
{
	try_unattached(_metadata, &self->heap, interrupt_unattached, false);
	try_unattached(_metadata, &self->heap, interrupt_unattached, true);
}

TEST_F(unattached, in_coroutine)
{
	try_unattached(_metadata, &self->heap, side_unattached, false);
}

/* The first thread of a process, whose stack no library has made. */
TEST_F(unattached, main)
{
	struct heap *h = &self->heap;
	struct holder *x;
	pid_t pid;

	x = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		 -1, 0);
	ASSERT_NE(MAP_FAILED, x);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct holder other = { .hold = hold_asleep };

		CHILD_CHECK(!heap_attach(h));
		CHILD_CHECK(!holder_start(&other, h, NULL));
		x->hid = new_hidden(h->fd);
		interrupt_unattached(x);
		_exit(0);
	}
	while (!__atomic_load_n(&x->ready, __ATOMIC_ACQUIRE))
		sched_yield();
	for (int i = 0; i < 3; i++) {
		EXPECT_GE(10, survivors(h));
		EXPECT_TRUE(alive(h, x->hid));
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_for(pid));
	EXPECT_EQ(0, gh_collect(self->fd));
	EXPECT_FALSE(alive(h, x->hid));
	munmap(x, PAGE);
}

/* Change a large mapping again and again, so that the mmap lock is hardly ever free. */
static void *change_mappings(void *arg)
{
	const size_t bytes = 4 * MIB;
	struct holder *x = arg;
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	__atomic_store_n(&x->changing, 1, __ATOMIC_RELEASE);
	while (p != MAP_FAILED && !finished(x)) {
		mprotect(p, bytes, PROT_READ);
		mprotect(p, bytes, PROT_READ | PROT_WRITE);
	}
	munmap(p, bytes);
	return NULL;
}

/* Where its stack is has to be looked up each time, however long that takes. */
TEST_F(unattached, while_mappings_change)
{
	struct heap *h = &self->heap;
	struct holder x = { 0 };
	pthread_t changer;
	struct mutator m;

	ASSERT_EQ(0, mutator_attach(&m, self->fd, false));
	ASSERT_EQ(0, holder_start_unattached(&x, h, NULL, sleep_unattached));
	ASSERT_EQ(0, pthread_create(&changer, NULL, change_mappings, &x));
	while (!__atomic_load_n(&x.changing, __ATOMIC_ACQUIRE))
		sched_yield();
	for (int i = 0; i < 10; i++) {
		EXPECT_GE(10, survivors(h));
		ASSERT_TRUE(alive(h, x.hid));
	}
	holder_stop(&x);
	pthread_join(changer, NULL);
	clear_stack();
	EXPECT_EQ(0, gh_collect(self->fd));
	EXPECT_FALSE(alive(h, x.hid));
	mutator_detach(&m);
}

TEST_HARNESS_MAIN
