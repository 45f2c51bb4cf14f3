// SPDX-License-Identifier: GPL-2.0
/*
 * New roots while objects are marked. A thread holds an object in a variable, and
 * a large range has the collector at work before it looks at threads. Meanwhile
 * the object gets a root that the collector may have been past already, and the
 * thread drops it. Delays differ, so that it happens at every stage.
 */
#include <sys/prctl.h>

#include "holder.h"

FIXTURE(newcomers) {
	struct heap heap;
	int *ready;		/* a child is, on a page that it shares */
};

FIXTURE_SETUP(newcomers)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->ready = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->ready);
}

FIXTURE_TEARDOWN(newcomers)
{
	munmap(self->ready, PAGE);
	heap_close(&self->heap);
}

#define ROUNDS		12
#define RANGE_BYTES	(8 * MIB)
#define MOST_BYTES	(128 * MIB)

static char *new_range(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		       MAP_ANONYMOUS, -1, 0);

	/* Words that the collector looks at, and that mean nothing. */
	return p == MAP_FAILED ? NULL : memset(p, 0x11, bytes);
}

static __u64 handshakes(int fd)
{
	struct goheap_stats stats;

	return gh_stats(fd, &stats) ? ~0ULL : stats.handshakes;
}

struct newcomer {
	struct heap *h;
	int *child_ready;
	__u32 id;		/* a root for ROOT_SET */
	goheap_ref *words;	/* a page for RANGE_ADD */
	struct goheap_stack *stack;
	pthread_t thread;
	pid_t pid;
	int ready, stop;
	__u64 hid;
};

/* Give the object another root; false if that failed. */
typedef bool (*give_fn)(struct newcomer *n, goheap_ref ref);
/* Undo that. */
typedef void (*undo_fn)(struct newcomer *n);

static __attribute__((noinline)) bool hold_and_give(struct newcomer *n,
						    give_fn give,
						    pthread_t *collector,
						    unsigned int delay)
{
	volatile goheap_ref ref = 0;
	__u64 cycles;
	bool ok;

	if (gh_alloc(n->h->fd, 64, 0, 1, (goheap_ref *)&ref, NULL))
		return false;
	n->hid = hidden(ref);
	memset(heap_ptr(n->h, ref), 0x5a, 64);
	cycles = heap_cycles(n->h);
	if (pthread_create(collector, NULL, collect_once, n->h))
		return false;
	wait_for_marking(n->h, cycles);
	for (volatile unsigned int i = 0; i < delay; i++)
		;
	ok = give(n, ref);
	ref = 0;
	return ok;
}

/* How many rounds have dropped the object before any thread was read? */
static int try_rounds(struct __test_metadata *_metadata, struct newcomer *n,
		      size_t bytes, give_fn give, undo_fn undo)
{
	struct heap *h = n->h;
	char *range = new_range(bytes);
	int before = 0, lost = 0, spoilt = 0, left = 0;

	ASSERT_NE(NULL, range);
	for (int i = 0; i < ROUNDS; i++) {
		__u64 seen, hands = handshakes(h->fd);
		pthread_t t;
		void *bad;

		ASSERT_EQ(0, gh_range_add(h->fd, GOHEAP_RANGE_STATIC, range,
					  bytes));
		ASSERT_EQ(0, gh_root_add(h->fd, 0, &n->id));
		ASSERT_TRUE(hold_and_give(n, give, &t, i * i * 8000));
		clear_stack();
		seen = handshakes(h->fd);
		before += heap_marking(h) && seen == hands;
		pthread_join(t, &bad);
		ASSERT_EQ(NULL, bad);
		ASSERT_EQ(0, gh_range_remove(h->fd, range));
		if (!alive(h, n->hid))
			lost++;
		else if (!all_bytes(heap_ptr(h, ~n->hid), 0x5a, 64))
			spoilt++;
		clear_stack();
		ASSERT_EQ(0, gh_collect(h->fd));
		lost += !alive(h, n->hid);
		undo(n);
		ASSERT_EQ(0, gh_root_remove(h->fd, n->id));
		clear_stack();
		ASSERT_EQ(0, gh_collect(h->fd));
		left += alive(h, n->hid);
	}
	TH_LOG("%d of %d dropped before a thread was read", before, ROUNDS);
	EXPECT_EQ(0, lost);
	EXPECT_EQ(0, spoilt);
	/* Nothing but the new root has kept it. */
	EXPECT_GE(ROUNDS / 4, left);
	munmap(range, bytes);
	return before;
}

static void try_newcomer(struct __test_metadata *_metadata, struct heap *h,
			 int *child_ready, give_fn give, undo_fn undo)
{
	struct newcomer n = { .h = h, .child_ready = child_ready };
	struct mutator m;
	size_t bytes;
	int before = 0;

	n.words = page_with(PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, n.words);
	ASSERT_EQ(0, mutator_attach(&m, h->fd, false));
	/* A kernel may be through with the range sooner than with a fork(). */
	for (bytes = RANGE_BYTES; bytes <= MOST_BYTES && !before; bytes *= 2)
		before = try_rounds(_metadata, &n, bytes, give, undo);
	EXPECT_LT(0, before);
	mutator_detach(&m);
	munmap(n.words, PAGE);
}

#define TEST_NEWCOMER(name)						\
	TEST_F(newcomers, name) {					\
		try_newcomer(_metadata, &self->heap, self->ready,	\
			     give_##name, undo_##name);			\
	}

static bool give_root_add(struct newcomer *n, goheap_ref ref)
{
	gh_root_remove(n->h->fd, n->id);
	return !gh_root_add(n->h->fd, ref, &n->id);
}

/* The handle stack of the thread, which has been looked at when it is pushed. */
static bool give_push(struct newcomer *n, goheap_ref ref)
{
	heap_keep(n->h, ref);
	return true;
}

static void undo_push(struct newcomer *n)
{
	n->h->stack->top--;
}

/* Stored, not pushed. */
static bool give_stack_slot(struct newcomer *n, goheap_ref ref)
{
	heap_keep(n->h, 0);
	heap_store(n->h, &n->h->stack->slots[n->h->stack->top - 1], ref);
	return true;
}

#define undo_stack_slot	undo_push

static bool give_root_set(struct newcomer *n, goheap_ref ref)
{
	return !gh_root_set(n->h->fd, n->id, ref);
}

static void undo_nothing(struct newcomer *n)
{
	(void)n;
}

#define undo_root_add	undo_nothing
#define undo_root_set	undo_nothing

/* In the last word of a range that ends where memory does, or in its first. */
static bool give_range_add(struct newcomer *n, goheap_ref ref)
{
	unsigned int word = n->hid / 64 % 2 ? PAGE / 8 - 1 : 0;

	memset(n->words, 0, PAGE);
	n->words[word] = ref;
	return !gh_range_add(n->h->fd, GOHEAP_RANGE_STATIC, n->words, PAGE);
}

static void undo_range_add(struct newcomer *n)
{
	gh_range_remove(n->h->fd, n->words);
}

/* A handle stack that is made when all have been noted. */
static bool give_new_stack(struct newcomer *n, goheap_ref ref)
{
	n->stack = map_stack(n->h->fd, PAGE);
	if (n->stack == MAP_FAILED)
		return false;
	stack_keep(n->h, n->stack, ref);
	return true;
}

static void undo_new_stack(struct newcomer *n)
{
	munmap(n->stack, PAGE);
}

/* A thread that is made when all have been noted. */
static void *newcomer_thread(void *arg)
{
	struct newcomer *n = arg;
	volatile goheap_ref local = ~n->hid;

	__atomic_store_n(&n->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&n->stop, __ATOMIC_ACQUIRE))
		sched_yield();
	(void)local;
	return NULL;
}

static bool start_newcomer(struct newcomer *n, void *(*run)(void *))
{
	n->ready = 0;
	n->stop = 0;
	if (pthread_create(&n->thread, NULL, run, n))
		return false;
	while (!__atomic_load_n(&n->ready, __ATOMIC_ACQUIRE))
		sched_yield();
	return true;
}

static bool give_new_thread(struct newcomer *n, goheap_ref ref)
{
	(void)ref;
	return start_newcomer(n, newcomer_thread);
}

static void undo_new_thread(struct newcomer *n)
{
	__atomic_store_n(&n->stop, 1, __ATOMIC_RELEASE);
	pthread_join(n->thread, NULL);
}

/* One that becomes a mutator, too, before the object is dropped elsewhere. */
static void *newcomer_mutator(void *arg)
{
	struct newcomer *n = arg;
	volatile goheap_ref local = ~n->hid;
	struct mutator m;

	if (mutator_attach(&m, n->h->fd, false))
		abort();
	__atomic_store_n(&n->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&n->stop, __ATOMIC_ACQUIRE))
		sched_yield();
	local = 0;
	mutator_detach(&m);
	(void)local;
	return NULL;
}

static bool give_new_mutator(struct newcomer *n, goheap_ref ref)
{
	(void)ref;
	return start_newcomer(n, newcomer_mutator);
}

#define undo_new_mutator	undo_new_thread

/* A process that attaches, and has the object from its parent. */
static void run_child(struct newcomer *n, goheap_ref ref)
{
	volatile goheap_ref local = ref;
	struct heap h = *n->h;
	struct mutator m;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CHILD_CHECK(!mutator_attach(&m, h.fd, false));
	__atomic_store_n(n->child_ready, 1, __ATOMIC_RELEASE);
	for (;;)
		(void)local;
}

static bool give_new_process(struct newcomer *n, goheap_ref ref)
{
	*n->child_ready = 0;
	n->pid = fork();
	if (!n->pid)
		run_child(n, ref);
	while (!__atomic_load_n(n->child_ready, __ATOMIC_ACQUIRE))
		sched_yield();
	return n->pid > 0;
}

static void undo_new_process(struct newcomer *n)
{
	kill(n->pid, SIGKILL);
	wait_for(n->pid);
}

TEST_NEWCOMER(root_add)
TEST_NEWCOMER(root_set)
TEST_NEWCOMER(push)
TEST_NEWCOMER(stack_slot)
TEST_NEWCOMER(range_add)
TEST_NEWCOMER(new_stack)
TEST_NEWCOMER(new_thread)
TEST_NEWCOMER(new_mutator)
TEST_NEWCOMER(new_process)

/*
 * A range whose end, or start, is not mapped: what is there is a root at once all
 * the same.
 */
static bool give_ragged_range(struct newcomer *n, goheap_ref ref)
{
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		       MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	n->stack = (void *)p;
	*(goheap_ref *)(p + (n->hid / 64 % 2 ? PAGE : 2 * PAGE - 8)) = ref;
	munmap(p, PAGE);
	munmap(p + 2 * PAGE, PAGE);
	/* Starts and ends a little outside. */
	return !gh_range_add(n->h->fd, GOHEAP_RANGE_STATIC, p + PAGE - 64,
			     PAGE + 128);
}

static void undo_ragged_range(struct newcomer *n)
{
	gh_range_remove(n->h->fd, (char *)n->stack + PAGE - 64);
	munmap((char *)n->stack + PAGE, PAGE);
}

TEST_NEWCOMER(ragged_range)

TEST_HARNESS_MAIN
