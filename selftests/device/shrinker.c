// SPDX-License-Identifier: GPL-2.0
/*
 * The shrinker: the kernel asks for memory, and heaps give it what they do not
 * need; at once what is free, and garbage after a collection that nobody waits
 * for. See memcg.c for cgroups that are short of memory while the machine is not.
 */
#include <time.h>

#include "goheap_test.h"

#define FREE		"memory/classes/heap/free:bytes"
#define CALLS		"memory/shrinker-calls:calls"
#define CYCLES		"memory/shrinker-cycles:gc-cycles"
#define RELEASED	"memory/shrinker-released:bytes"

FIXTURE(shrinker) {
	struct heap heap;
};

FIXTURE_SETUP(shrinker)
{
	ASSERT_EQ(0, heap_open(&self->heap, 4 * GIB, 0));
}

FIXTURE_TEARDOWN(shrinker)
{
	heap_close(&self->heap);
}

/* Have the kernel call all shrinkers. */
static bool drop_slab(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, "2", 1) == 1;

	close(fd);
	return ok;
}

/* A number of /proc/meminfo in bytes. */
static __u64 meminfo(const char *name)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	__u64 kib = 0;

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) &&
		    sscanf(line + strlen(name), ": %llu kB", &kib) == 1)
			break;
	fclose(f);
	return kib * KIB;
}

/* Objects of a MiB that stay free pages with memory. */
static bool make_free(struct heap *h, __u32 mib)
{
	if (heap_push_many(h, MIB, 0, mib) != mib)
		return false;
	h->stack->top = 0;
	return !gh_collect(h->fd);
}

TEST_F(shrinker, free_pages)
{
	struct heap *h = &self->heap;
	goheap_ref keep;

	keep = heap_push(h, MIB, 0);
	ASSERT_NE(0, keep);
	memset(heap_ptr(h, keep), 'k', MIB);
	ASSERT_EQ(32, heap_push_many(h, MIB, 0, 32));
	h->stack->top = 1;
	ASSERT_EQ(0, gh_collect(h->fd));
	ASSERT_LE(32 * MIB, heap_metric(h, FREE));
	ASSERT_EQ(0, heap_metric(h, RELEASED));

	ASSERT_TRUE(drop_slab());
	EXPECT_GE(MIB, heap_metric(h, FREE));
	EXPECT_LE(31 * MIB, heap_metric(h, RELEASED));
	EXPECT_LE(1, heap_metric(h, CALLS));
	EXPECT_TRUE(all_bytes(heap_ptr(h, keep), 'k', MIB));
	/* They can be had again, and are clear. */
	ASSERT_EQ(32, heap_push_many(h, MIB, 0, 32));
	EXPECT_TRUE(all_bytes(heap_ptr(h, h->stack->slots[32]), 0, MIB));
}

/* Garbage: a collection, which the kernel does not wait for. */
TEST_F(shrinker, garbage)
{
	struct heap *h = &self->heap;
	struct goheap_stats before, after;
	struct goheap_cycle cycle;
	unsigned int i;

	ASSERT_EQ(16, heap_push_many(h, MIB, 0, 16));
	h->stack->top = 2;
	ASSERT_EQ(0, gh_stats(h->fd, &before));
	ASSERT_TRUE(drop_slab());
	for (i = 0; i < 1000 && heap_metric(h, RELEASED) < 8 * MIB; i++) {
		ASSERT_TRUE(drop_slab());
		usleep(10 * 1000);
	}
	ASSERT_EQ(0, gh_stats(h->fd, &after));
	EXPECT_LT(before.num_gc, after.num_gc);
	EXPECT_EQ(0, after.num_forced_gc);
	EXPECT_LE(1, heap_metric(h, CYCLES));
	ASSERT_EQ(0, gh_cycle(h->fd, 0, &cycle));
	EXPECT_EQ(GOHEAP_CYCLE_CEILING, cycle.reason);
	EXPECT_LE(8 * MIB, heap_metric(h, RELEASED));

	/* There is no garbage now, so there are no collections. */
	ASSERT_TRUE(drop_slab());
	usleep(200 * 1000);
	ASSERT_EQ(0, gh_stats(h->fd, &before));
	for (i = 0; i < 20; i++)
		ASSERT_TRUE(drop_slab());
	usleep(200 * 1000);
	ASSERT_EQ(0, gh_stats(h->fd, &after));
	EXPECT_EQ(before.num_gc, after.num_gc);
	EXPECT_TRUE(heap_has(h, h->stack->slots[0]));
}

/* A heap that is not in use yet has nothing to give. */
TEST_F(shrinker, unused)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_TRUE(drop_slab());
	close(fd);
}

/* Allocation, collections, opens and closes while the kernel asks. */

#define STORM_SECONDS	4

static bool storm_ended(time_t start)
{
	return time(NULL) - start >= STORM_SECONDS;
}

static int storm_allocate(int fd)
{
	struct heap h = { .fd = fd };
	time_t start = time(NULL);
	__u64 i;

	CHILD_CHECK(heap_attach(&h) == 0);
	for (i = 0; !storm_ended(start); i++) {
		goheap_ref ref;

		h.stack->top = i % 64;
		ref = heap_push(&h, (i * 2654435761U) % (256 * KIB) + 16, 0);
		CHILD_CHECK(ref);
		CHILD_CHECK(*heap_word(&h, ref, 0) == 0);
		*heap_word(&h, ref, 0) = i;
		CHILD_CHECK(*heap_word(&h, h.stack->slots[0], 0) <= i);
		if (!(i % 500))
			CHILD_CHECK(gh_collect(fd) == 0);
	}
	return 0;
}

static int storm_open(void)
{
	time_t start = time(NULL);
	struct heap h;

	while (!storm_ended(start)) {
		CHILD_CHECK(heap_open(&h, GIB, 0) == 0);
		CHILD_CHECK(make_free(&h, 2));
		heap_close(&h);
	}
	return 0;
}

static int storm_drop(void)
{
	time_t start = time(NULL);

	while (!storm_ended(start))
		CHILD_CHECK(drop_slab());
	return 0;
}

TEST_F(shrinker, storm)
{
	int fd = self->heap.fd;
	pid_t pids[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i])
			_exit(i < 2 ? storm_allocate(fd) :
			      i == 2 ? storm_open() : storm_drop());
	}
	for (i = 0; i < ARRAY_SIZE(pids); i++)
		EXPECT_EQ(0, wait_for(pids[i]));
	EXPECT_LE(1, heap_metric(&self->heap, CALLS));
}

/*
 * The machine itself runs short: a program takes all that is available and a
 * part of what the heap holds free.
 */
TEST_F(shrinker, pressure)
{
	struct heap *h = &self->heap;
	__u64 avail = meminfo("MemAvailable"), take;
	pid_t pid;

	ASSERT_LT(64 * MIB, avail);
	ASSERT_TRUE(make_free(h, avail / 4 / MIB));
	take = meminfo("MemAvailable") + avail / 8;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		char *p = mmap(NULL, take, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			       -1, 0);
		__u64 i;

		CHILD_CHECK(p != MAP_FAILED);
		for (i = 0; i < take; i += PAGE)
			p[i] = 1;
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_LE(avail / 16, heap_metric(h, RELEASED));
	TH_LOG("%llu MiB of %llu", heap_metric(h, RELEASED) / MIB,
	       avail / 4 / MIB);
}

TEST_HARNESS_MAIN
