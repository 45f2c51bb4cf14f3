// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that die: by a signal at any instant, by exit with threads, by
 * turning into another program. What only they held is freed by the next
 * collection, and nobody else notices.
 *
 * The parent has a list of its own in the shared heap. After every death it
 * counts the objects of the heap, which must be those of its list, and walks
 * the list.
 */
#include "goheap_test.h"

#define NODES	2000

FIXTURE(death) {
	struct heap heap;
	__u32 node;
	unsigned long *progress;	/* shared with the children */
};

FIXTURE_SETUP(death)
{
	struct heap *h = &self->heap;
	unsigned int i;

	ASSERT_EQ(0, heap_open(h, GIB, 0));
	self->node = gh_layout_words(h->fd, 2, 1);
	for (i = 0; i < NODES; i++) {
		goheap_ref ref = heap_push(h, 16, self->node);

		ASSERT_NE(0, ref);
		*heap_word(h, ref, 1) = i * 3;
		if (i) {
			*heap_word(h, ref, 0) = h->stack->slots[0];
			h->stack->slots[0] = ref;
			h->stack->top = 1;
		}
	}
	self->progress = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->progress);
	ASSERT_EQ(NODES, heap_live(h));
}

FIXTURE_TEARDOWN(death)
{
	heap_close(&self->heap);
}

/* Is the parent's list all there is, and as it was? */
static bool only_ours(struct heap *h)
{
	goheap_ref ref = h->stack->slots[0];
	unsigned int i = NODES;
	__u64 live;

	live = heap_live(h);
	if (live != NODES) {
		fprintf(stderr, "# %llu objects, not %u\n", live, NODES);
		return false;
	}
	for (; ref; ref = *heap_word(h, ref, 0)) {
		if (!i || *heap_word(h, ref, 1) != --i * 3ULL)
			return false;
	}
	return !i;
}

enum { LIVE_SLOTS = 500, ROOTS = 64 };

/* One random thing that a program does with its heap. */
static void step(struct heap *h, __u32 node, __u64 *seed)
{
	goheap_ref refs[ROOTS];
	__u32 ids[ROOTS], i;
	__u64 at;

	at = rnd(seed) % LIVE_SLOTS;
	switch (rnd(seed) % 16) {
	case 0:
		gh_collect(h->fd);
		break;
	case 1 ... 2:
		if (gh_alloc(h->fd, 40, 0, ROOTS, refs, NULL) ||
		    gh_roots(h->fd, GOHEAP_IOC_ROOT_ADD, ROOTS, refs, ids))
			break;
		if (rnd(seed) % 2)
			gh_roots(h->fd, GOHEAP_IOC_ROOT_REMOVE, ROOTS / 2,
				 NULL, ids);
		break;
	case 3:
		gh_alloc(h->fd, 100 * KIB, 0, 1, &h->stack->slots[at], NULL);
		break;
	case 4:
		heap_detach(h);
		if (heap_attach(h))
			_exit(2);
		h->stack->top = LIVE_SLOTS;
		break;
	default:
		gh_alloc(h->fd, 16, node, 20, &h->stack->slots[at], NULL);
		for (i = 1; i < 20; i++) {
			goheap_ref ref = h->stack->slots[at + i];

			if (ref)
				heap_set(h, ref, 0, h->stack->slots[at]);
		}
	}
}

struct life {
	struct heap heap;
	__u32 node;
	__u64 seed;
	unsigned long *progress;
};

static void *live(void *arg)
{
	struct life *life = arg;

	for (;;) {
		step(&life->heap, life->node, &life->seed);
		__atomic_fetch_add(life->progress, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* The child's side; never returns. */
static void run_child(struct heap *h, __u32 node, unsigned long *progress,
		      __u64 seed, unsigned int threads)
{
	struct life lives[8];
	pthread_t thread;
	unsigned int i;

	heap_detach(h);
	for (i = 0; i < threads; i++) {
		lives[i] = (struct life){
			.heap = *h,
			.node = node,
			.seed = seed + i,
			.progress = progress,
		};
		/* A mapping and a handle stack for each. */
		if (heap_attach(&lives[i].heap))
			_exit(1);
		lives[i].heap.stack->top = LIVE_SLOTS;
	}
	for (i = 1; i < threads; i++)
		pthread_create(&thread, NULL, live, &lives[i]);
	live(&lives[0]);
}

TEST_F(death, killed)
{
	__u64 seed = 0xdead;
	unsigned int round, rounds = 100 * test_length();
	pid_t pid;

	for (round = 0; round < rounds; round++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			run_child(&self->heap, self->node, self->progress,
				  seed, 1);
		usleep(rnd(&seed) % 20000);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(-SIGKILL, wait_for(pid));
		ASSERT_TRUE(only_ours(&self->heap))
			TH_LOG("round %u", round);
	}
	/* They did get to do something. */
	EXPECT_LT(rounds, *self->progress);
}

/* Several at once, with threads, while the parent works, too. */
TEST_F(death, killed_together)
{
	enum { CHILDREN = 3, ROUNDS = 15 };
	struct heap *h = &self->heap;
	__u64 seed = 0xdeadbeef;
	unsigned int round, i;
	pid_t pids[CHILDREN];

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < CHILDREN; i++) {
			pids[i] = fork();
			ASSERT_LE(0, pids[i]);
			if (!pids[i])
				run_child(h, self->node, self->progress,
					  rnd(&seed) + i, 1 + i);
		}
		for (i = 0; i < 20; i++) {
			ASSERT_NE(0, heap_push(h, 100, 0));
			usleep(rnd(&seed) % 1000);
		}
		for (i = 0; i < CHILDREN; i++) {
			ASSERT_EQ(0, gh_collect(h->fd));
			ASSERT_EQ(0, kill(pids[i], SIGKILL));
			usleep(rnd(&seed) % 3000);
		}
		for (i = 0; i < CHILDREN; i++) {
			ASSERT_EQ(-SIGKILL, wait_for(pids[i]));
		}
		h->stack->top = 1;
		ASSERT_TRUE(only_ours(h))
			TH_LOG("round %u", round);
	}
	EXPECT_LT(ROUNDS, *self->progress);
}

/* The reason a collection is under way does not matter to who dies in it. */
TEST_F(death, killed_collecting)
{
	__u64 seed = 0xc011ec7;
	unsigned int round;
	pid_t pid;

	for (round = 0; round < 30; round++) {
		unsigned long before = *self->progress;

		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			for (;;) {
				__atomic_fetch_add(self->progress, 1,
						   __ATOMIC_RELEASE);
				gh_collect(self->heap.fd);
			}
		}
		/* However slow it is, it is at it. */
		while (__atomic_load_n(self->progress, __ATOMIC_ACQUIRE) ==
		       before)
			usleep(100);
		usleep(rnd(&seed) % 5000);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(-SIGKILL, wait_for(pid));
		ASSERT_TRUE(only_ours(&self->heap))
			TH_LOG("round %u", round);
	}
}

TEST_F(death, exit_with_threads)
{
	unsigned int round;
	pid_t pid;

	for (round = 0; round < 10; round++) {
		*self->progress = 0;
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			struct life life = {
				.heap = self->heap,
				.node = self->node,
				.seed = round,
				.progress = self->progress,
			};
			pthread_t thread;
			unsigned int i;

			heap_detach(&life.heap);
			for (i = 0; i < 3; i++) {
				struct life *copy = malloc(sizeof(*copy));

				*copy = life;
				copy->seed += 1 + i * 100;
				CHILD_CHECK(heap_attach(&copy->heap) == 0);
				copy->heap.stack->top = LIVE_SLOTS;
				CHILD_CHECK(!pthread_create(&thread, NULL, live,
							    copy));
			}
			while (__atomic_load_n(self->progress,
					       __ATOMIC_RELAXED) < 100)
				usleep(100);
			_exit(17);
		}
		ASSERT_EQ(17, wait_for(pid));
		ASSERT_TRUE(only_ours(&self->heap))
			TH_LOG("round %u", round);
	}
}

/* A fault in the child, on the heap itself. */
TEST_F(death, segfault)
{
	struct heap *h = &self->heap;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		heap_detach(h);
		CHILD_CHECK(heap_attach(h) == 0);
		CHILD_CHECK(heap_push_many(h, 64, 0, 1000) == 1000);
		signal(SIGBUS, SIG_DFL);
		*(volatile char *)(h->base + GIB - PAGE) = 1;
		_exit(0);
	}
	EXPECT_EQ(-SIGBUS, wait_for(pid));
	EXPECT_TRUE(only_ours(h));
}

/*
 * Turned into another program, the process lives on, and with it perhaps the
 * descriptor, but its mapping is gone, and so is what it held. The other
 * program is this one, which sees by a variable that it is meant.
 */
#define TALK	"GOHEAP_TEST_TALK"

static void __attribute__((constructor)) other_program(void)
{
	const char *talk = getenv(TALK);
	int to_parent, from_parent;
	char c;

	if (!talk || sscanf(talk, "%d %d", &to_parent, &from_parent) != 2)
		return;
	if (write(to_parent, "x", 1) != 1)
		_exit(1);
	close(to_parent);
	_exit(read(from_parent, &c, 1) == 1 ? 0 : 2);
}

static void exec_child(struct __test_metadata *_metadata, struct heap *h,
		       bool keep_descriptor)
{
	int up[2], down[2];
	char talk[64], c;
	pid_t pid;

	ASSERT_EQ(0, pipe(up));
	ASSERT_EQ(0, pipe(down));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		goheap_ref ref;
		__u32 id;

		heap_detach(h);
		CHILD_CHECK(heap_attach(h) == 0);
		CHILD_CHECK(heap_push_many(h, 64, 0, 1000) == 1000);
		CHILD_CHECK(gh_alloc(h->fd, 64, 0, 1, &ref, NULL) == 0);
		CHILD_CHECK(gh_root_add(h->fd, ref, &id) == 0);
		CHILD_CHECK(heap_live(h) == NODES + 1001);
		if (keep_descriptor)
			CHILD_CHECK(fcntl(h->fd, F_SETFD, 0) == 0);
		snprintf(talk, sizeof(talk), "%d %d", up[1], down[0]);
		close(down[1]);
		setenv(TALK, talk, 1);
		execl("/proc/self/exe", "other", NULL);
		CHILD_CHECK(!"execl");
	}
	close(up[1]);
	ASSERT_EQ(1, read(up[0], &c, 1));
	EXPECT_TRUE(only_ours(h));
	ASSERT_EQ(1, write(down[1], "x", 1));
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_TRUE(only_ours(h));
	close(up[0]);
	close(down[0]);
	close(down[1]);
}

TEST_F(death, execve)
{
	exec_child(_metadata, &self->heap, false);
	exec_child(_metadata, &self->heap, true);
}

/* vfork() shares the memory, so the attachment is one; _exit() ends nothing. */
TEST_F(death, vfork)
{
	struct heap *h = &self->heap;
	static goheap_ref ref;
	static __u32 id;
	pid_t pid;

	pid = vfork();
	if (!pid) {
		if (gh_alloc(h->fd, 64, 0, 1, &ref, NULL) ||
		    gh_root_add(h->fd, ref, &id))
			_exit(1);
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_EQ(NODES + 1, heap_live(h));
	EXPECT_TRUE(heap_has(h, ref));
	EXPECT_EQ(0, gh_root_remove(h->fd, id));
	EXPECT_TRUE(only_ours(h));
}

TEST_HARNESS_MAIN
