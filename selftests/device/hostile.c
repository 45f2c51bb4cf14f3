// SPDX-License-Identifier: GPL-2.0
/*
 * A program that does all it can to hurt the kernel: it scribbles over the
 * memory it shares with it while the collector reads there, calls commands
 * with random arguments, and pulls mappings away under running calls. It may
 * spoil its own data. At the end the kernel knows exactly which objects there
 * are, and the heap closes.
 *
 * The numbers come from a seed that is printed, GOHEAP_TEST_SEED if that is
 * set.
 */
#include <setjmp.h>
#include <stdatomic.h>

#include "goheap_test.h"

FIXTURE(hostile) {
	struct heap heap;
	int fd;
	__u32 node;
	__u64 seed;
};

static atomic_bool done;
static __thread sigjmp_buf fault_env;

static void on_fault(int sig)
{
	siglongjmp(fault_env, sig);
}

FIXTURE_SETUP(hostile)
{
	struct sigaction action = {
		.sa_handler = on_fault,
		.sa_flags = SA_NODEFER,
	};
	const char *seed = getenv("GOHEAP_TEST_SEED");

	self->seed = seed ? strtoull(seed, NULL, 0) : 0x5c71bb1e;
	TH_LOG("seed %#llx", self->seed);
	ASSERT_NE(0, self->seed);
	ASSERT_EQ(0, heap_open(&self->heap, 256 * MIB, 64 * MIB));
	self->fd = self->heap.fd;
	/* One line in the log for each bad reference would be many. */
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_INVALIDPTR, 0));
	self->node = gh_layout_words(self->fd, 4, 0x7);
	ASSERT_EQ(0, sigaction(SIGBUS, &action, NULL));
	ASSERT_EQ(0, sigaction(SIGSEGV, &action, NULL));
}

FIXTURE_TEARDOWN(hostile)
{
	heap_close(&self->heap);
}

/* A word that the collector will not like, or that it will like too much. */
static __u64 evil(const struct heap *h, __u64 *seed)
{
	__u64 tag = (__u64)h->info.tag << GOHEAP_REF_TAG_SHIFT;
	__u64 r = rnd(seed);

	switch (r >> 60) {
	case 0 ... 7:		/* something in the heap, likely */
		return tag | (r & (8 * MIB - 1));
	case 8 ... 9:
		return tag | (r & GOHEAP_REF_OFFSET_MASK);
	case 10:
		return tag | h->info.address_space;
	case 11:
		return ~0ULL;
	case 12:
		return 0;
	default:
		return r;
	}
}

struct scribbler {
	struct heap heap;
	__u64 seed;
	__u64 words;
};

static void poke(struct scribbler *s, volatile __u64 *p)
{
	if (!sigsetjmp(fault_env, 1)) {
		*p = evil(&s->heap, &s->seed);
		s->words++;
	}
}

/* Write over objects and handle stack, wherever there is memory. */
static void *scribble(void *arg)
{
	struct scribbler *s = arg;
	struct heap *h = &s->heap;

	while (!atomic_load(&done)) {
		__u64 r = rnd(&s->seed);

		if (r % 512 == 0)
			poke(s, &h->stack->top);
		else if (r % 8 == 0)
			poke(s, &h->stack->slots[(r >> 8) % STACK_SLOTS]);
		else
			poke(s, (__u64 *)h->base + (r >> 8) % MIB);
	}
	return NULL;
}

TEST_F(hostile, scribble)
{
	enum { THREADS = 2 };
	struct heap *h = &self->heap;
	struct scribbler scribblers[THREADS];
	pthread_t threads[THREADS];
	goheap_ref refs[64];
	__u32 ids[64], i, got, cycles = 0;
	struct goheap_stats stats;
	int ret;

	h->stack->top = 4096;
	for (i = 0; i < THREADS; i++) {
		scribblers[i] = (struct scribbler){
			.heap = *h,
			.seed = self->seed + i,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, scribble,
					    &scribblers[i]));
	}
	for (i = 0; i < 1200; i++) {
		__u64 r = rnd(&self->seed);
		__u64 bytes = r >> 8 & (r % 7 ? 0x1ff : 0xffff);
		__u32 layout = r % 2 ? self->node : 0;

		if (bytes >= GOHEAP_MANAGED_STACK_MIN && r % 3)
			layout = GOHEAP_LAYOUT_STACK;
		ret = gh_alloc(self->fd, bytes, layout, 64, refs, &got);
		ASSERT_TRUE(!ret || ret == -ENOMEM)
			TH_LOG("error %d", -ret);
		if (ret)
			got = 0;
		if (got && r % 5 == 0) {
			ret = gh_roots(self->fd, GOHEAP_IOC_ROOT_ADD, got, refs,
				       ids);
			/* Nobody kept them for long enough. */
			ASSERT_TRUE(!ret || ret == -EINVAL)
				TH_LOG("error %d", -ret);
			if (!ret) {
				ASSERT_EQ(0, gh_roots(self->fd,
						      GOHEAP_IOC_ROOT_REMOVE,
						      got, NULL, ids));
			}
		}
		if (i % 16 == 0) {
			ASSERT_EQ(0, gh_collect(self->fd));
			cycles++;
		}
		if (i % 512 == 0) {
			ASSERT_EQ(0, gh_free_os_memory(self->fd, NULL));
		}
	}
	atomic_store(&done, true);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_LT(1000, scribblers[i].words);
	}
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_LE(cycles, stats.num_gc);
	EXPECT_LT(0, stats.invalid_refs);
	/* With the stack out of the way nothing is left. */
	h->stack->top = 0;
	EXPECT_EQ(0, heap_live(h));
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(stats.mallocs, stats.frees);
	EXPECT_EQ(0, stats.alloc);
	EXPECT_NE(0, heap_push(h, 100, self->node));
	EXPECT_EQ(1, heap_live(h));
}

/* Parameters that would let the heap eat the machine, or flood its log. */
static void tame(int fd)
{
	gh_param_set(fd, GOHEAP_PARAM_MAX_HEAP, 32 * MIB);
	gh_param_set(fd, GOHEAP_PARAM_GCTRACE, 0);
	gh_param_set(fd, GOHEAP_PARAM_INVALIDPTR, 0);
}

TEST_F(hostile, random_commands)
{
	static const __u32 sizes[] = {
		sizeof(struct goheap_info), sizeof(struct goheap_setup),
		sizeof(struct goheap_layout), sizeof(struct goheap_alloc),
		sizeof(struct goheap_object), sizeof(struct goheap_roots),
		sizeof(struct goheap_roots), sizeof(struct goheap_roots),
		sizeof(struct goheap_collect), sizeof(struct goheap_param),
		sizeof(struct goheap_stats), sizeof(struct goheap_cycle),
		sizeof(struct goheap_free_os_memory),
		sizeof(struct goheap_refill), sizeof(struct goheap_barrier),
		sizeof(struct goheap_range), sizeof(struct goheap_range),
	};
	struct heap *h = &self->heap;
	unsigned int i, k, ok = 0, failed = 0;
	__u64 seed = self->seed;
	__u64 *arg, *buf;

	/* The structure, and memory that its pointers may hit. */
	arg = calloc(1, 65536);
	buf = calloc(1, 65536);
	heap_push_many(h, 40, self->node, 100);
	tame(self->fd);
	for (i = 0; i < 6000; i++) {
		unsigned int nr = rnd(&seed) % 20;
		unsigned int cmd = _IO(GOHEAP_IOC_TYPE, nr);
		__u32 size = nr < ARRAY_SIZE(sizes) ? sizes[nr] : 64;

		/* Most calls are nearly right. */
		for (k = 0; k < size / 8; k++) {
			switch (rnd(&seed) % 8) {
			case 0:
				arg[k] = evil(h, &seed);
				break;
			case 1:
				arg[k] = rnd(&seed) % 2048;
				break;
			case 2:
				arg[k] = (uintptr_t)buf + rnd(&seed) % 65536;
				break;
			case 3:
				arg[k] = h->stack->slots[rnd(&seed) % 100];
				break;
			case 4:
				arg[k] = rnd(&seed) % 64 |
					 (rnd(&seed) % 64) << 32;
				break;
			case 5:
				arg[k] = (uintptr_t)buf;
				break;
			default:
				arg[k] = 0;
			}
		}
		if (rnd(&seed) % 16)
			((__u32 *)arg)[0] = size;
		else if (rnd(&seed) % 2)
			((__u32 *)arg)[0] = rnd(&seed) % 4096;
		if (rnd(&seed) % 8)
			((__u32 *)arg)[1] = nr == GOHEAP_CMD_PARAM ?
					    rnd(&seed) % 2 : 0;
		if (rnd(&seed) % 64 == 0)
			cmd = rnd(&seed);
		/* Commands that all files have are not for the module. */
		if (_IOC_TYPE(cmd) != GOHEAP_IOC_TYPE && cmd < 0x10000)
			continue;
		for (k = 0; k < 64; k++)
			buf[rnd(&seed) % 8192] = evil(h, &seed);
		if (gh_ioctl(self->fd, cmd, arg))
			failed++;
		else
			ok++;
		if (nr == GOHEAP_CMD_PARAM)
			tame(self->fd);
	}
	TH_LOG("%u succeeded, %u failed", ok, failed);
	EXPECT_LT(100, ok);
	EXPECT_LT(100, failed);
	free(arg);
	free(buf);
	/* Roots that were made go with the mapping. */
	heap_detach(h);
	ASSERT_EQ(0, heap_attach(h));
	EXPECT_EQ(0, heap_live(h));
	EXPECT_NE(0, heap_push(h, 100, self->node));
	EXPECT_EQ(1, heap_live(h));
}

/* Mappings come and go while other threads are inside of commands. */

static void *pull(void *arg)
{
	const struct heap *h = arg;
	struct goheap_stack *stack;
	void *objects;
	long n = 0;

	while (!atomic_load(&done)) {
		objects = map_objects(h->fd, h->info.address_space);
		if (objects == MAP_FAILED)
			return (void *)-1L;
		stack = map_stack(h->fd, 64 * KIB);
		/* The fixture's mapping may hold the attachment or not. */
		if (stack != MAP_FAILED) {
			stack->top = 1000;
			gh_alloc(h->fd, 64, 0, 500, stack->slots, NULL);
			munmap(stack, 64 * KIB);
		}
		munmap(objects, h->info.address_space);
		n++;
	}
	return (void *)n;
}

TEST_F(hostile, pulled_mappings)
{
	enum { THREADS = 2 };
	struct heap *h = &self->heap;
	pthread_t threads[THREADS];
	goheap_ref refs[64];
	unsigned int i, late = 0;
	__u32 ids[64];
	void *rounds;
	int ret;

	heap_detach(h);
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, pull, h));
	}
	for (i = 0; i < 3000; i++) {
		ret = gh_alloc(self->fd, 32, self->node, 64, refs, NULL);
		ASSERT_TRUE(!ret || ret == -ENOTCONN)
			TH_LOG("error %d", -ret);
		if (!ret) {
			ret = gh_roots(self->fd, GOHEAP_IOC_ROOT_ADD, 64, refs,
				       ids);
			ASSERT_TRUE(!ret || ret == -ENOTCONN || ret == -EINVAL)
				TH_LOG("error %d", -ret);
		}
		late += ret == -ENOTCONN;
		if (i % 32 == 0) {
			ret = gh_collect(self->fd);
			ASSERT_TRUE(!ret || ret == -ENOTCONN)
				TH_LOG("error %d", -ret);
		}
	}
	atomic_store(&done, true);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &rounds);
		EXPECT_LT(0, (long)rounds);
	}
	TH_LOG("%u calls came too late", late);
	ASSERT_EQ(0, heap_attach(h));
	EXPECT_EQ(0, heap_live(h));
}

/* Heaps opened and closed by many threads at once. */
static void *open_and_close(void *arg)
{
	__u64 seed = (uintptr_t)arg;
	struct heap h;
	long n;

	for (n = 0; n < 30; n++) {
		if (heap_open(&h, 64 * MIB << rnd(&seed) % 8, 0))
			return (void *)-1L;
		if (heap_push_many(&h, rnd(&seed) % 4096, 0, 100) != 100)
			return (void *)-2L;
		if (rnd(&seed) % 2) {
			close(h.fd);
			heap_detach(&h);
		} else {
			heap_close(&h);
		}
	}
	return (void *)n;
}

TEST_F(hostile, many_heaps)
{
	enum { THREADS = 4 };
	pthread_t threads[THREADS];
	unsigned long i;
	void *n;

	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, open_and_close,
					    (void *)(i + 1)));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &n);
		EXPECT_EQ(30, (long)n);
	}
}

TEST_HARNESS_MAIN
