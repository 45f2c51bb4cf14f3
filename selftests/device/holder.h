/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A thread that holds one object in a way of its own, for tests of what the
 * collector finds there; a mutator, unless that is what the test is about. The
 * test knows the object by its hidden() reference only.
 */
#ifndef GOHEAP_TEST_HOLDER_H
#define GOHEAP_TEST_HOLDER_H

#include "mutator.h"

struct holder {
	struct heap *h;
	/* Holds the object until done; run with a pipe to sleep on. */
	void (*hold)(struct holder *x, goheap_ref ref);
	pthread_t thread;
	pid_t tid;
	__u64 hid;
	int error;
	int ready;
	int done;
	int changing;
	bool interrupted;
	bool asleep;
	int stop[2];
	unsigned long sp;
	unsigned long depth;
	void *side;	/* another stack */
};

/* Allocate by ioctl; nothing but the hidden result knows of it. */
static __attribute__((noinline, unused)) __u64 new_hidden(int fd)
{
	volatile goheap_ref ref = 0;
	__u64 hid;

	gh_alloc(fd, 64, 0, 1, (goheap_ref *)&ref, NULL);
	hid = hidden(ref);
	ref = 0;
	return hid;
}

/* Not inlined, so that no caller has the reference in sight. */
static __attribute__((noinline, unused)) bool alive(struct heap *h, __u64 hid)
{
	return heap_has(h, ~hid);
}

static inline void say_ready(struct holder *x)
{
	clear_stack();
	__atomic_store_n(&x->ready, 1, __ATOMIC_RELEASE);
}

static inline bool finished(struct holder *x)
{
	return __atomic_load_n(&x->done, __ATOMIC_ACQUIRE);
}

/* Sleep in a system call until the test is done. */
static inline void sleep_until_done(struct holder *x)
{
	char c;

	if (read(x->stop[0], &c, 1) < 0 && errno == EINTR)
		x->interrupted = true;
}

static inline void wait_until_done(struct holder *x)
{
	if (x->asleep)
		sleep_until_done(x);
	else
		while (!finished(x))
			;
}

/* In a variable on the stack, asleep in a system call. */
static inline void hold_asleep(struct holder *x, goheap_ref ref)
{
	volatile goheap_ref local = ref;

	ref = 0;
	say_ready(x);
	sleep_until_done(x);
	(void)local;
}

static inline void *holder_run(void *arg)
{
	struct holder *x = arg;
	struct mutator m;

	x->tid = syscall(SYS_gettid);
	x->error = mutator_attach(&m, x->h->fd, false);
	if (!x->error) {
		x->hid = new_hidden(x->h->fd);
		x->hold(x, ~x->hid);
		mutator_detach(&m);
	}
	__atomic_store_n(&x->ready, 1, __ATOMIC_RELEASE);
	return NULL;
}

static inline int holder_create(struct holder *x, struct heap *h,
				const pthread_attr_t *attr,
				void *(*run)(void *holder))
{
	x->h = h;
	if (pipe2(x->stop, O_CLOEXEC) ||
	    pthread_create(&x->thread, attr, run, x))
		return -1;
	while (!__atomic_load_n(&x->ready, __ATOMIC_ACQUIRE))
		usleep(100);
	return x->error;
}

/* Set hold, and what it needs, before. */
static inline int holder_start(struct holder *x, struct heap *h,
			       const pthread_attr_t *attr)
{
	return holder_create(x, h, attr, holder_run);
}

/*
 * A thread that does not use the heap, of a process that does. It has an object of
 * the caller's, and no more of it than hid.
 */
static inline int holder_start_unattached(struct holder *x, struct heap *h,
					  const pthread_attr_t *attr,
					  void *(*run)(void *holder))
{
	x->hid = new_hidden(h->fd);
	return holder_create(x, h, attr, run);
}

/* What such a thread may do. */
static inline void *sleep_unattached(void *arg)
{
	struct holder *x = arg;

	hold_asleep(x, ~x->hid);
	return NULL;
}

static inline void holder_stop(struct holder *x)
{
	__atomic_store_n(&x->done, 1, __ATOMIC_RELEASE);
	if (write(x->stop[1], "", 1) != 1)
		abort();
	pthread_join(x->thread, NULL);
	close(x->stop[0]);
	close(x->stop[1]);
}

/* How many of 100 objects survive a collection that nothing asks to. */
static inline int survivors(struct heap *h)
{
	__u64 hid[100];
	int n = 0;

	for (int i = 0; i < 100; i++)
		hid[i] = new_hidden(h->fd);
	clear_stack();
	gh_collect(h->fd);
	for (int i = 0; i < 100; i++)
		n += alive(h, hid[i]);
	return n;
}

/*
 * Objects that are left in the end. A mutator that has ended is done away with a
 * little later, and until then what it reported last is a root.
 */
static inline __u64 heap_left(struct heap *h)
{
	__u64 n = heap_live(h);

	for (int i = 0; n && i < 100; i++) {
		usleep(10000);
		n = heap_live(h);
	}
	return n;
}

/* Collect; how many milliseconds it took. */
static inline long timed_collect(int fd)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	if (gh_collect(fd))
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (b.tv_sec - a.tv_sec) * 1000 +
	       (b.tv_nsec - a.tv_nsec) / 1000000;
}

#endif /* GOHEAP_TEST_HOLDER_H */
