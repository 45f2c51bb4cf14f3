// SPDX-License-Identifier: GPL-2.0
/*
 * Signals during every command that may wait. A storm comes from a timer and
 * from a thread that sends to the working one; its handler does not ask for
 * restarts. ALLOC never fails because of it, and whatever says EINTR has lost
 * nothing.
 */
#include <stdatomic.h>

#include "goheap_test.h"

FIXTURE(signals) {
	struct heap heap;
	int fd;
	pthread_t target;
	pthread_t sender;
};

static atomic_bool done;
static atomic_ulong caught;

static void on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&caught, 1);
}

static void *send_signals(void *arg)
{
	pthread_t *target = arg;
	sigset_t set;

	/* The timer's are for the other thread, too. */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (!atomic_load(&done)) {
		pthread_kill(*target, SIGUSR1);
		usleep(1500);
	}
	return NULL;
}

FIXTURE_SETUP(signals)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct itimerval timer = {
		.it_interval.tv_usec = 1000,
		.it_value.tv_usec = 1000,
	};

	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
	ASSERT_EQ(0, sigaction(SIGALRM, &action, NULL));
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	self->target = pthread_self();
	ASSERT_EQ(0, pthread_create(&self->sender, NULL, send_signals,
				    &self->target));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &timer, NULL));
}

/* The weather clears. */
static void calm(FIXTURE_DATA(signals) *self)
{
	struct itimerval timer = { .it_value.tv_usec = 0 };

	setitimer(ITIMER_REAL, &timer, NULL);
	if (!atomic_exchange(&done, true))
		pthread_join(self->sender, NULL);
}

FIXTURE_TEARDOWN(signals)
{
	calm(self);
	heap_close(&self->heap);
}

static void fill(struct __test_metadata *_metadata, struct heap *h,
		 unsigned int nr)
{
	unsigned int i;

	ASSERT_EQ(nr, heap_push_many(h, 64, 0, nr));
	for (i = 0; i < nr; i++)
		*heap_word(h, h->stack->slots[i], 3) = i * 7;
}

static bool filled(struct heap *h, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (*heap_word(h, h->stack->slots[i], 3) != i * 7)
			return false;
	return true;
}

/* Allocations that start collections and wait for them. */
TEST_F(signals, alloc)
{
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	__u32 got, i, n;
	__u64 sum = 0;

	fill(_metadata, h, 5000);
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT, 20));
	h->stack->top = 5000 + 64;
	for (i = 0; i < 1000; i++) {
		goheap_ref *refs = &h->stack->slots[5000];

		memset(refs, 0, 64 * 8);
		ASSERT_EQ(0, gh_alloc(self->fd, 512, 0, 64, refs, &got));
		ASSERT_LT(0, got);
		for (n = 0; n < got; n++) {
			ASSERT_NE(0, refs[n]);
			*heap_word(h, refs[n], 0) = n;
		}
		sum += got;
	}
	calm(self);
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(5000 + sum, stats.mallocs);
	EXPECT_LT(10, stats.num_gc);
	EXPECT_LT(10, atomic_load(&caught));
	EXPECT_TRUE(filled(h, 5000));
	EXPECT_EQ(5000 + got, heap_live(h));
}

/* At the ceiling each allocation collects; ENOMEM is not for signals either. */
TEST_F(signals, alloc_at_ceiling)
{
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	goheap_ref refs[4];
	unsigned int i;

	fill(_metadata, h, 5000);
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MAX_HEAP, 12 * MIB));
	for (i = 0; i < 150; i++) {
		ASSERT_EQ(0, gh_alloc(self->fd, MIB, 0, 4, refs, NULL));
	}
	calm(self);
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_LT(10, stats.num_gc);
	EXPECT_LT(10, atomic_load(&caught));
	EXPECT_TRUE(filled(h, 5000));
	EXPECT_EQ(5000, heap_live(h));
}

TEST_F(signals, collect)
{
	struct heap *h = &self->heap;
	unsigned int i, ok = 0, interrupted = 0;
	struct goheap_stats stats;
	int ret;

	fill(_metadata, h, 50000);
	for (i = 0; i < 200; i++) {
		ret = gh_collect(self->fd);
		if (ret == -EINTR)
			interrupted++;
		else if (!ret)
			ok++;
		ASSERT_TRUE(!ret || ret == -EINTR)
			TH_LOG("error %d", -ret);
	}
	calm(self);
	TH_LOG("%u ended, %u interrupted", ok, interrupted);
	EXPECT_LT(10, atomic_load(&caught));
	ASSERT_EQ(0, gh_collect(self->fd));
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_LE(ok + 1, stats.num_gc);
	EXPECT_EQ(50000, stats.heap_objects);
	EXPECT_TRUE(filled(h, 50000));
}

TEST_F(signals, free_os_memory)
{
	struct heap *h = &self->heap;
	unsigned int i;
	int ret;

	fill(_metadata, h, 5000);
	for (i = 0; i < 60; i++) {
		goheap_ref ref;

		ASSERT_EQ(0, gh_alloc(self->fd, MIB, 0, 1, &ref, NULL));
		ret = gh_free_os_memory(self->fd, NULL);
		ASSERT_TRUE(!ret || ret == -EINTR)
			TH_LOG("error %d", -ret);
	}
	calm(self);
	EXPECT_EQ(0, gh_free_os_memory(self->fd, NULL));
	EXPECT_TRUE(filled(h, 5000));
	EXPECT_EQ(5000, heap_live(h));
}

/* The commands that do not wait have no reason to notice. */
TEST_F(signals, others)
{
	struct heap *h = &self->heap;
	struct goheap_object obj;
	struct goheap_stats stats;
	unsigned int i;
	__u32 id, layout;
	__u64 mask;
	__s64 value;

	fill(_metadata, h, 1000);
	for (i = 0; i < 500; i++) {
		goheap_ref ref = h->stack->slots[i % 1000];

		ASSERT_EQ(0, gh_object(self->fd, ref, &obj));
		ASSERT_EQ(0, gh_root_add(self->fd, ref, &id));
		ASSERT_EQ(0, gh_root_set(self->fd, id, ref));
		ASSERT_EQ(0, gh_root_remove(self->fd, id));
		ASSERT_EQ(0, gh_stats(self->fd, &stats));
		ASSERT_EQ(0, gh_param_get(self->fd, GOHEAP_PARAM_MAX_HEAP,
					  &value));
		mask = i % 100 + 1;
		ASSERT_EQ(0, gh_layout(self->fd, 64, 7, &mask, &layout));
	}
	EXPECT_TRUE(filled(h, 1000));
}

/* A process that is stopped, in the middle of whatever, holds up nobody. */
TEST_F(signals, stopped)
{
	struct heap *h = &self->heap;
	unsigned int i, n;
	pid_t pid;
	int ret;

	calm(self);
	fill(_metadata, h, 1000);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		heap_detach(h);
		CHILD_CHECK(heap_attach(h) == 0);
		for (;;) {
			h->stack->top = 0;
			CHILD_CHECK(heap_push_many(h, 64, 0, 2000) == 2000);
			for (i = 0; i < 2000; i++)
				*heap_word(h, h->stack->slots[i], 0) = i;
			ret = gh_collect(h->fd);
			CHILD_CHECK(ret == 0 || ret == -EINTR);
		}
	}
	for (n = 0; n < 20; n++) {
		int status;

		usleep(3000 + n * 100);
		ASSERT_EQ(0, kill(pid, SIGSTOP));
		ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
		ASSERT_TRUE(WIFSTOPPED(status));
		for (i = 0; i < 3; i++) {
			ASSERT_EQ(0, gh_collect(self->fd));
		}
		ASSERT_NE(0, heap_push(h, 64, 0));
		ASSERT_EQ(0, kill(pid, SIGCONT));
	}
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, wait_for(pid));
	EXPECT_TRUE(filled(h, 1000));
	EXPECT_EQ(1020, heap_live(h));
}

TEST_HARNESS_MAIN
