// SPDX-License-Identifier: GPL-2.0
/*
 * What cycles are shared by, who marks in them, and what they say they have
 * looked at.
 */
#include <sys/mman.h>

#include "holder.h"

FIXTURE(cycles) {
	struct heap heap;
	int fd;
	__u32 node;		/* { next, value } */
};

FIXTURE_SETUP(cycles)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
	self->node = gh_layout_words(self->fd, 2, 1);
}

FIXTURE_TEARDOWN(cycles)
{
	heap_close(&self->heap);
}

/* @nr objects of @bytes, each with a reference to the one before; the last. */
static goheap_ref make_list(struct heap *h, __u32 layout, __u64 bytes,
			    unsigned int nr)
{
	goheap_ref *slots = h->stack->slots, head = 0;

	for (; nr; nr -= 1000) {
		h->stack->top = 1;
		if (heap_push_many(h, bytes, layout, 1000) != 1000)
			return 0;
		for (unsigned int i = 1; i <= 1000; i++) {
			*heap_word(h, slots[i], 0) = head;
			head = slots[i];
		}
		slots[0] = head;
	}
	h->stack->top = 1;
	return head;
}

/*
 * Many call at once, threads of two processes. Each has an object that is garbage
 * when it calls, and that must be gone when the call returns: so the call has
 * waited for all of a cycle that began after it. Nobody else has objects of its
 * size.
 */
enum { PROCESSES = 2, THREADS = 8, ROUNDS = 10 };

struct caller {
	int fd;
	__u64 bytes;
	unsigned int left;	/* calls after which its garbage was there */
	int error;
};

/* All of them, shared by the processes. */
struct callers {
	pthread_barrier_t start;
	struct caller of[PROCESSES][THREADS];
};

static bool is_there(struct caller *c, goheap_ref ref)
{
	struct goheap_object obj;

	/* Its page may serve another size by now. */
	return !gh_object(c->fd, ref, &obj) && obj.base == ref &&
	       obj.bytes == c->bytes;
}

static int call_once(struct caller *c)
{
	goheap_ref ref = 0;
	int err = gh_alloc(c->fd, c->bytes, 0, 1, &ref, NULL);

	if (!err && !is_there(c, ref))
		err = -EIO;
	if (!err)
		err = gh_collect(c->fd);
	if (!err)
		c->left += is_there(c, ref);
	return err;
}

struct arg {
	struct callers *all;
	struct caller *c;
};

static void *call_often(void *p)
{
	struct arg *arg = p;

	pthread_barrier_wait(&arg->all->start);
	for (int i = 0; i < ROUNDS && !arg->c->error; i++)
		arg->c->error = call_once(arg->c);
	return NULL;
}

static bool run_threads(struct callers *all, unsigned int process)
{
	struct arg args[THREADS];
	pthread_t threads[THREADS];
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		args[i] = (struct arg){ all, &all->of[process][i] };
		if (pthread_create(&threads[i], NULL, call_often, &args[i]))
			return false;
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return true;
}

static struct callers *make_callers(int fd)
{
	static const __u16 sizes[PROCESSES * THREADS] = {
		64, 80, 96, 112, 128, 144, 160, 176,
		192, 208, 224, 240, 256, 288, 320, 352,
	};
	struct callers *all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_t shared;

	if (all == MAP_FAILED)
		return NULL;
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&all->start, &shared, PROCESSES * THREADS);
	for (unsigned int i = 0; i < PROCESSES * THREADS; i++) {
		all->of[i / THREADS][i % THREADS] = (struct caller){
			.fd = fd,
			.bytes = sizes[i],
		};
	}
	return all;
}

TEST_F(cycles, shared)
{
	enum { CALLS = PROCESSES * THREADS * ROUNDS };
	struct goheap_stats before, after;
	struct callers *all;
	__u64 cycles;
	pid_t pid;

	/* So that one takes long enough for all others to have called. */
	ASSERT_NE(0, make_list(&self->heap, self->node, 16, 200000));
	all = make_callers(self->fd);
	ASSERT_NE(NULL, all);
	ASSERT_EQ(0, gh_stats(self->fd, &before));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_CHECK(run_threads(all, 1));
		_exit(0);
	}
	EXPECT_TRUE(run_threads(all, 0));
	EXPECT_EQ(0, wait_for(pid));
	for (unsigned int i = 0; i < PROCESSES * THREADS; i++) {
		struct caller *c = &all->of[i / THREADS][i % THREADS];

		EXPECT_EQ(0, c->error);
		EXPECT_EQ(0, c->left)
			TH_LOG("caller %u came back too early", i);
	}
	ASSERT_EQ(0, gh_stats(self->fd, &after));
	cycles = after.num_gc - before.num_gc;
	TH_LOG("%u calls, %llu cycles", CALLS, cycles);
	/* No call shares the one that runs, so each needs two at the worst. */
	EXPECT_LE(ROUNDS, cycles);
	EXPECT_GE(CALLS / 2, cycles);
	/* Nobody else asked for one. */
	EXPECT_EQ(cycles, after.num_forced_gc - before.num_forced_gc);
	munmap(all, sizeof(*all));
}

/* An array of @nr objects of @bytes in slot 0: no two depend on each other. */
static bool make_array(struct heap *h, __u64 bytes, unsigned int nr)
{
	__u32 refs = gh_layout_words(h->fd, 1, 1);
	goheap_ref *slots = h->stack->slots;

	if (!heap_push(h, nr * 8ULL, refs))
		return false;
	for (unsigned int done = 0; done < nr; done += 1000) {
		h->stack->top = 1;
		if (heap_push_many(h, bytes, refs, 1000) != 1000)
			return false;
		memcpy(heap_word(h, slots[0], done), &slots[1], 8000);
	}
	h->stack->top = 1;
	return true;
}

/*
 * With two CPUs there is a worker beside the collector, which marks its part, and
 * no object is found twice or not at all. A worker that finds nothing uses no CPU
 * time to speak of, and one whose CPU others need marks nothing: it may take some
 * cycles.
 */
TEST_F(cycles, workers)
{
	enum { NODES = 256000, BYTES = 128, TRIES = 100 };
	struct heap *h = &self->heap;
	struct goheap_cycle c = { };
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU");
	ASSERT_TRUE(make_array(h, BYTES, NODES));
	for (i = 0; i < TRIES && c.idle_ns <= c.cpu_ns / 8; i++) {
		ASSERT_EQ(0, gh_collect(self->fd));
		ASSERT_EQ(0, gh_cycle(self->fd, 0, &c));
		EXPECT_EQ(NODES * (BYTES + 8), c.heap_marked);
		EXPECT_EQ(NODES + 1, c.scanned_objs);
	}
	TH_LOG("cycle %d: collector %llu us, idle workers %llu us", i,
	       c.cpu_ns / 1000, c.idle_ns / 1000);
	EXPECT_LT(c.cpu_ns / 8, c.idle_ns);
	EXPECT_EQ(NODES + 1, heap_live(h));
}

/* What a metric of this name is after a collection. */
static __u64 scanned(struct heap *h, const char *what)
{
	char name[64];

	if (gh_collect(h->fd))
		return NO_REF;
	snprintf(name, sizeof(name), "gc/scan/%s:bytes", what);
	return heap_metric(h, name);
}

/* Ranges that are registered and handles that are pinned. */
TEST_F(cycles, scanned_globals)
{
	static __u64 range[100 * KIB / 8];
	struct heap *h = &self->heap;
	__u32 ids[10];

	EXPECT_EQ(0, scanned(h, "globals"));
	ASSERT_EQ(0, gh_range_add(self->fd, GOHEAP_RANGE_STATIC, range,
				  sizeof(range)));
	EXPECT_EQ(sizeof(range), scanned(h, "globals"));
	ASSERT_NE(0, heap_push(h, 16, self->node));
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(0, gh_root_add(self->fd, h->stack->slots[0], &ids[i]));
	EXPECT_EQ(sizeof(range) + sizeof(__u64) * 10, scanned(h, "globals"));
	ASSERT_EQ(0, gh_range_remove(self->fd, range));
	EXPECT_EQ(sizeof(__u64) * 10, scanned(h, "globals"));
}

enum { SHALLOW = 4 * KIB, DEEP = 300 * KIB };

static __attribute__((noinline)) void hold_shallow(struct holder *x,
						   goheap_ref ref)
{
	volatile char room[SHALLOW];

	memset((void *)room, 0, sizeof(room));
	(void)ref;
	say_ready(x);
	wait_until_done(x);
	/* No jump instead of the call. */
	(void)room[0];
}

static __attribute__((noinline)) void hold_deep(struct holder *x,
						goheap_ref ref)
{
	volatile char room[DEEP];

	memset((void *)room, 0, sizeof(room));
	(void)ref;
	say_ready(x);
	wait_until_done(x);
	/* No jump instead of the call. */
	(void)room[0];
}

/* With a thread in that function. */
static __u64 scanned_with(struct heap *h,
			  void (*hold)(struct holder *x, goheap_ref ref))
{
	struct holder x = { .hold = hold, .asleep = true };
	__u64 bytes;

	if (holder_start(&x, h, NULL))
		return NO_REF;
	bytes = scanned(h, "stack");
	holder_stop(&x);
	return bytes;
}

/* Handle stacks up to their tops, and threads' stacks from where they are. */
TEST_F(cycles, scanned_stacks)
{
	struct heap *h = &self->heap;
	__u64 shallow, deep;

	EXPECT_EQ(0, scanned(h, "stack"));
	ASSERT_EQ(1000, heap_push_many(h, 16, 0, 1000));
	EXPECT_EQ(1000 * sizeof(__u64), scanned(h, "stack"));
	h->stack->top = 0;
	shallow = scanned_with(h, hold_shallow);
	deep = scanned_with(h, hold_deep);
	TH_LOG("%llu and %llu bytes", shallow, deep);
	EXPECT_LT(SHALLOW, shallow);
	EXPECT_GT(SHALLOW + 64 * KIB, shallow);
	/* All else is the same, but for what a page border makes of it. */
	EXPECT_LE(shallow + DEEP - SHALLOW - PAGE, deep);
	EXPECT_GE(shallow + DEEP - SHALLOW + PAGE, deep);
	EXPECT_EQ(0, scanned(h, "stack"));
}

/* Of the heap, what may hold references. */
TEST_F(cycles, scanned_heap)
{
	struct heap *h = &self->heap;

	EXPECT_EQ(0, scanned(h, "heap"));
	ASSERT_EQ(1000, heap_push_many(h, KIB, self->node, 1000));
	ASSERT_EQ(1000, heap_push_many(h, 2 * KIB, 0, 1000));
	ASSERT_NE(0, heap_push(h, MIB, self->node));
	EXPECT_EQ(1000 * KIB + MIB, scanned(h, "heap"));
	EXPECT_EQ(1000 * KIB + MIB + 2001 * sizeof(__u64), scanned(h, "total"));
	h->stack->top = 500;
	EXPECT_EQ(500 * KIB, scanned(h, "heap"));
}

TEST_HARNESS_MAIN
