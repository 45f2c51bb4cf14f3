// SPDX-License-Identifier: GPL-2.0
/*
 * Deep stacks: what is in the outermost frame is found however many megabytes the
 * thread is away from it, whether it runs or sleeps, and whatever stack it is.
 */
#include <sys/resource.h>

#include "holder.h"

FIXTURE(deep) {
	struct heap heap;
	int fd;
	unsigned long *said;	/* by a child */
};

FIXTURE_SETUP(deep)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
	self->said = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->said);
}

FIXTURE_TEARDOWN(deep)
{
	munmap(self->said, PAGE);
	heap_close(&self->heap);
}

/* Deep recursion; nothing knows of the object but the outermost frame. */
static __attribute__((noinline)) void dive(struct holder *x, unsigned long n)
{
	volatile char frame[4000];

	frame[0] = n;
	frame[sizeof(frame) - 1] = n;
	if (n) {
		dive(x, n - 1);
	} else {
		say_ready(x);
		wait_until_done(x);
	}
	(void)frame[0];
}

static void hold_deep(struct holder *x, goheap_ref ref)
{
	volatile goheap_ref local = ref;

	ref = 0;
	dive(x, x->depth / 4096);
	(void)local;
}

static void try_depth(struct __test_metadata *_metadata, struct heap *h,
		      size_t stack, unsigned long depth, bool asleep)
{
	struct holder x = {
		.hold = hold_deep, .depth = depth, .asleep = asleep,
	};
	struct goheap_cycle c;
	pthread_attr_t attr;
	__u64 longest = 0, stop = 0;

	pthread_attr_init(&attr);
	ASSERT_EQ(0, pthread_attr_setstacksize(&attr, stack));
	ASSERT_EQ(0, holder_start(&x, h, &attr));
	for (int i = 0; i < 3; i++) {
		EXPECT_GE(10, survivors(h));
		EXPECT_TRUE(alive(h, x.hid));
		ASSERT_EQ(0, gh_cycle(h->fd, 0, &c));
		EXPECT_LE(depth / 10 * 9, c.stack_bytes);
		if (c.setup_ns + c.mark_ns + c.term_ns > longest)
			longest = c.setup_ns + c.mark_ns + c.term_ns;
		if (c.setup_ns + c.term_ns > stop)
			stop = c.setup_ns + c.term_ns;
	}
	TH_LOG("%lu MiB deep, %s: longest cycle %llu us, stop %llu us",
	       (unsigned long)(depth / MIB), asleep ? "asleep" : "running",
	       longest / 1000, stop / 1000);
	holder_stop(&x);
	EXPECT_EQ(0, gh_collect(h->fd));
	EXPECT_FALSE(alive(h, x.hid));
}

TEST_F(deep, mib_8)
{
	try_depth(_metadata, &self->heap, 9 * MIB, 8 * MIB, true);
	try_depth(_metadata, &self->heap, 9 * MIB, 8 * MIB, false);
}

TEST_F(deep, mib_60)
{
	try_depth(_metadata, &self->heap, 64 * MIB, 60 * MIB, true);
	try_depth(_metadata, &self->heap, 64 * MIB, 60 * MIB, false);
}

static void *dive_unattached(void *arg)
{
	struct holder *x = arg;

	hold_deep(x, ~x->hid);
	return NULL;
}

/* More than is copied at once, of a thread that has not used the heap. */
TEST_F(deep, unattached)
{
	struct heap *h = &self->heap;
	struct holder x = { .depth = 60 * MIB, .asleep = true };
	pthread_attr_t attr;
	struct mutator m;

	ASSERT_EQ(0, mutator_attach(&m, self->fd, false));
	pthread_attr_init(&attr);
	ASSERT_EQ(0, pthread_attr_setstacksize(&attr, 64 * MIB));
	ASSERT_EQ(0, holder_start_unattached(&x, h, &attr, dive_unattached));
	for (int i = 0; i < 3; i++) {
		EXPECT_GE(10, survivors(h));
		EXPECT_TRUE(alive(h, x.hid));
	}
	holder_stop(&x);
	mutator_detach(&m);
	EXPECT_EQ(0, heap_left(h));
}

/* The stack of the process, which grows. */
TEST_F(deep, main_stack)
{
	struct rlimit limit = { 64 * MIB, 64 * MIB };
	struct heap *h = &self->heap;
	pid_t pid;

	if (setrlimit(RLIMIT_STACK, &limit))
		SKIP(return, "no stack of 64 MiB");
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct holder x = {
			.h = h, .depth = 32 * MIB, .asleep = true,
		};
		struct mutator m;

		heap_detach(h);
		CHILD_CHECK(!heap_attach(h));
		CHILD_CHECK(!pipe(x.stop));
		CHILD_CHECK(!mutator_attach(&m, h->fd, false));
		self->said[1] = new_hidden(h->fd);
		__atomic_store_n(self->said, 1, __ATOMIC_RELEASE);
		hold_deep(&x, ~self->said[1]);
		_exit(0);
	}
	while (!__atomic_load_n(self->said, __ATOMIC_ACQUIRE))
		usleep(1000);
	for (int i = 0; i < 10; i++) {
		EXPECT_EQ(0, gh_collect(self->fd));
		EXPECT_TRUE(alive(h, self->said[1]));
		usleep(20000);
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_for(pid));
	EXPECT_EQ(0, heap_left(h));
}

TEST_HARNESS_MAIN
