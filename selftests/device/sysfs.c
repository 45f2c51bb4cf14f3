// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/goheap: a folder for each heap and one for their sum, files
 * named as in Go's runtime/metrics, one value in each. And the module, which
 * stays while there is a heap.
 */
#include <ctype.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>

#include "mutator.h"

#define ROOT	"/sys/kernel/goheap"
#define MODULE	"/sys/module/goheap"

FIXTURE(sysfs) {
	struct heap heap;
	int fd;
	char folder[64];
};

FIXTURE_SETUP(sysfs)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
	snprintf(self->folder, sizeof(self->folder), ROOT "/%u",
		 self->heap.info.heap_id);
}

FIXTURE_TEARDOWN(sysfs)
{
	heap_close(&self->heap);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Text of a file without its newline; false if there is none. */
static bool read_text(const char *path, char *buf, size_t len)
{
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, len - 1);
	close(fd);
	if (n <= 0 || buf[n - 1] != '\n')
		return false;
	buf[n - 1] = '\0';
	return true;
}

/* The number in a file of a heap, or a value that none has. */
static __u64 metric(const char *folder, const char *name)
{
	char path[256], buf[64], *end;
	__u64 value;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (!read_text(path, buf, sizeof(buf)))
		return NO_REF;
	value = strtoull(buf, &end, 10);
	return *end ? NO_REF : value;
}

/* Metrics that every heap has, and where STATS says the same. */
static const struct {
	const char *name;
	size_t member;
	bool no_sum;		/* means nothing for several heaps together */
} same[] = {
#define MEMBER(member)		offsetof(struct goheap_stats, member)
#define SAME(name, member)	{ name, MEMBER(member), false }
	SAME("gc/cycles/total:gc-cycles", num_gc),
	SAME("gc/cycles/forced:gc-cycles", num_forced_gc),
	SAME("gc/heap/allocs:bytes", total_alloc),
	SAME("gc/heap/allocs:objects", mallocs),
	SAME("gc/heap/frees:objects", frees),
	SAME("gc/heap/tiny/allocs:objects", tiny_allocs),
	{ "gc/heap/goal:bytes", MEMBER(next_gc), true },
	SAME("gc/heap/live:bytes", heap_marked),
	SAME("gc/heap/objects:objects", heap_objects),
	SAME("memory/classes/heap/released:bytes", heap_released),
	SAME("memory/classes/heap/objects:bytes", alloc),
	SAME("memory/classes/metadata/mcache/inuse:bytes", mcache_inuse),
	SAME("memory/classes/metadata/mspan/inuse:bytes", mspan_inuse),
	SAME("memory/classes/total:bytes", sys),
};

TEST_F(sysfs, values)
{
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	const char *dir = self->folder;
	unsigned int i;

	ASSERT_TRUE(exists(dir));
	ASSERT_EQ(2000, heap_push_many(h, 100, 0, 2000));
	ASSERT_NE(0, heap_push(h, 100 * KIB, 0));
	h->stack->top = 700;
	ASSERT_EQ(0, gh_collect(self->fd));
	ASSERT_EQ(0, gh_collect(self->fd));
	ASSERT_EQ(0, gh_free_os_memory(self->fd, NULL));
	ASSERT_EQ(300, heap_push_many(h, 64, 0, 300));
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	for (i = 0; i < ARRAY_SIZE(same); i++) {
		EXPECT_EQ(*(__u64 *)((char *)&stats + same[i].member),
			  metric(dir, same[i].name))
			TH_LOG("%s", same[i].name);
	}
	EXPECT_EQ(3, stats.num_gc);
	EXPECT_EQ(stats.num_gc - stats.num_forced_gc,
		  metric(dir, "gc/cycles/automatic:gc-cycles"));
	EXPECT_EQ(stats.total_alloc - stats.alloc,
		  metric(dir, "gc/heap/frees:bytes"));
	EXPECT_EQ(stats.heap_inuse - stats.alloc,
		  metric(dir, "memory/classes/heap/unused:bytes"));
	EXPECT_EQ(stats.heap_idle - stats.heap_released,
		  metric(dir, "memory/classes/heap/free:bytes"));
}

TEST_F(sysfs, parameters)
{
	char path[256], buf[64];

	snprintf(path, sizeof(path), "%s/gc/gogc:percent", self->folder);
	ASSERT_TRUE(read_text(path, buf, sizeof(buf)));
	/* The fixture turned it off. */
	EXPECT_TRUE(!strcmp(buf, "-1") || !strcmp(buf, "off"))
		TH_LOG("%s", buf);
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT, 170));
	EXPECT_EQ(170, metric(self->folder, "gc/gogc:percent"));
	EXPECT_EQ(S64_MAX, metric(self->folder, "gc/gomemlimit:bytes"));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MEMORY_LIMIT,
				  77 * MIB));
	EXPECT_EQ(77 * MIB, metric(self->folder, "gc/gomemlimit:bytes"));
}

/* One file after another: a value, a newline, and nothing else. */

static unsigned int files, odd;

static int look(const char *path, const struct stat *st, int type,
		struct FTW *ftw)
{
	char buf[PAGE];

	(void)st;
	(void)ftw;
	if (type != FTW_F)
		return 0;
	files++;
	if (!read_text(path, buf, sizeof(buf)) || !buf[0] ||
	    strpbrk(buf, " \t\n") ||
	    (!strchr(path, ':') && !strstr(path, "/knobs/"))) {
		fprintf(stderr, "# %s\n", path);
		odd++;
	}
	return 0;
}

TEST_F(sysfs, one_value_per_file)
{
	unsigned int total;

	ASSERT_EQ(0, nftw(ROOT "/total", look, 16, FTW_PHYS));
	total = files;
	EXPECT_LE(ARRAY_SIZE(same) - 1, total);
	ASSERT_EQ(0, nftw(self->folder, look, 16, FTW_PHYS));
	EXPECT_LE(ARRAY_SIZE(same), files - total);
	EXPECT_EQ(0, odd);
}

/* Metrics are to be read by all and written by none. */
TEST_F(sysfs, modes)
{
	struct stat st;
	char path[256];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(same); i++) {
		snprintf(path, sizeof(path), "%s/%s", self->folder,
			 same[i].name);
		ASSERT_EQ(0, stat(path, &st));
		EXPECT_EQ(0444, st.st_mode & 07777)
			TH_LOG("%s", path);
		snprintf(path, sizeof(path), ROOT "/total/%s", same[i].name);
		if (same[i].no_sum) {
			EXPECT_FALSE(exists(path));
			continue;
		}
		ASSERT_EQ(0, stat(path, &st));
		EXPECT_EQ(0444, st.st_mode & 07777)
			TH_LOG("%s", path);
	}
}

/* Every thread that was read is in one of the buckets. */
TEST_F(sysfs, handshake_times)
{
	struct mutator m;
	char name[64];
	__u64 sum = 0;

	ASSERT_EQ(0, mutator_attach(&m, self->fd, false));
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0, gh_collect(self->fd));
	for (__u64 ns = KIB; ns <= 16 * MIB; ns *= 2) {
		snprintf(name, sizeof(name), "gc/handshake-times/%lluns:threads",
			 ns);
		sum += metric(self->folder, name);
	}
	sum += metric(self->folder, "gc/handshake-times/longer:threads");
	EXPECT_LE(20, sum);
	EXPECT_EQ(metric(self->folder, "gc/handshakes:threads"), sum);
	mutator_detach(&m);
}

/* The sum of all heaps, those that are gone included where it only grows. */
/* Told before an allocation fails, and if it need not fail after all. */
TEST_F(sysfs, shortages)
{
	enum { BYTES = 32 * KIB, NR = 16 * MIB / BYTES };
	struct goheap_stats stats;
	struct heap heap, *h = &heap;
	struct pollfd p = { .events = POLLPRI };
	char path[256], text[32];
	goheap_ref ref;

	ASSERT_EQ(0, heap_open(h, GIB, 4 * MIB));
	snprintf(path, sizeof(path), ROOT "/%u/memory/shortages:allocations",
		 h->info.heap_id);
	p.fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, p.fd);
	ASSERT_EQ(2, read(p.fd, text, sizeof(text)));
	EXPECT_EQ('0', text[0]);
	EXPECT_EQ(0, poll(&p, 1, 0));

	/* All of it garbage: there is room again and again. */
	for (int i = 0; i < NR; i++)
		ASSERT_EQ(0, gh_alloc(h->fd, BYTES, 0, 1, &ref, NULL));
	EXPECT_EQ(1, poll(&p, 1, 10000));
	EXPECT_TRUE(p.revents & POLLPRI);
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_LE(2, stats.shortages);
	EXPECT_GE(16 * MIB / MIB, stats.shortages);
	EXPECT_EQ(stats.shortages, heap_metric(h, "memory/shortages:allocations"));
	ASSERT_LT(0, pread(p.fd, text, sizeof(text), 0));
	EXPECT_EQ(0, poll(&p, 1, 0));

	/* None of it garbage. */
	while (heap_push(h, BYTES, 0))
		;
	EXPECT_EQ(1, poll(&p, 1, 10000));
	close(p.fd);
	heap_close(h);
}

TEST_F(sysfs, total)
{
	__u64 objects, allocs, bytes;
	struct heap other;

	ASSERT_EQ(0, gh_collect(self->fd));
	allocs = metric(ROOT "/total", "gc/heap/allocs:objects");
	objects = metric(ROOT "/total", "gc/heap/objects:objects");
	bytes = metric(ROOT "/total", "memory/classes/total:bytes");
	ASSERT_NE(NO_REF, allocs);
	ASSERT_NE(NO_REF, objects);
	ASSERT_EQ(1000, heap_push_many(&self->heap, 100, 0, 1000));
	ASSERT_EQ(0, heap_open(&other, GIB, 0));
	ASSERT_EQ(500, heap_push_many(&other, 8 * KIB, 0, 500));
	EXPECT_EQ(allocs + 1500, metric(ROOT "/total",
					"gc/heap/allocs:objects"));
	EXPECT_EQ(objects + 1500, metric(ROOT "/total",
					 "gc/heap/objects:objects"));
	EXPECT_LE(bytes + 4000 * KIB, metric(ROOT "/total",
					     "memory/classes/total:bytes"));
	heap_close(&other);
	EXPECT_EQ(objects + 1000, metric(ROOT "/total",
					 "gc/heap/objects:objects"));
}

/* The folder is there as long as the heap, not the descriptor. */
TEST_F(sysfs, folder_lives_with_heap)
{
	char folder[64], file[128], buf[64];
	struct heap h;
	int fd;

	ASSERT_EQ(0, heap_open(&h, GIB, 0));
	snprintf(folder, sizeof(folder), ROOT "/%u", h.info.heap_id);
	snprintf(file, sizeof(file), "%s/gc/heap/objects:objects", folder);
	EXPECT_TRUE(exists(folder));
	ASSERT_EQ(10, heap_push_many(&h, 100, 0, 10));
	close(h.fd);
	EXPECT_TRUE(exists(folder));
	EXPECT_EQ(10, metric(folder, "gc/heap/objects:objects"));
	/* An open file does not keep the heap. */
	fd = open(file, O_RDONLY);
	ASSERT_LE(0, fd);
	munmap(h.stack, STACK_BYTES);
	EXPECT_TRUE(exists(folder));
	munmap((void *)h.status, PAGE);
	EXPECT_TRUE(exists(folder));
	munmap(h.base, GIB);
	EXPECT_FALSE(exists(folder));
	EXPECT_EQ(-1, read(fd, buf, sizeof(buf)));
	EXPECT_EQ(ENODEV, errno);
	close(fd);
	EXPECT_TRUE(exists(self->folder));
	EXPECT_TRUE(exists(ROOT "/total"));
}

/* Reading races with the end of heaps. */

static void *read_all(void *arg)
{
	volatile bool *stop = arg;
	char path[128], buf[64];
	long n = 0;
	int id;

	while (!*stop) {
		for (id = 0; id < 32; id++) {
			snprintf(path, sizeof(path),
				 ROOT "/%d/memory/classes/total:bytes", id);
			n += read_text(path, buf, sizeof(buf));
		}
		n += read_text(ROOT "/total/gc/heap/allocs:bytes", buf,
			       sizeof(buf));
	}
	return (void *)n;
}

TEST_F(sysfs, read_while_closing)
{
	static volatile bool stop;
	pthread_t thread;
	unsigned int i;
	struct heap h;
	void *n;

	ASSERT_EQ(0, pthread_create(&thread, NULL, read_all, (void *)&stop));
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(0, heap_open(&h, 64 * MIB, 0));
		ASSERT_EQ(10, heap_push_many(&h, 1000, 0, 10));
		heap_close(&h);
	}
	stop = true;
	pthread_join(thread, &n);
	EXPECT_LT(0, (long)n);
}

/*
 * The module's use count. What this asks for is refused; if it were not, the
 * module would be gone, and this program would be right to fail.
 */
static int try_to_remove(void)
{
	return syscall(SYS_delete_module, "goheap", O_NONBLOCK) ? -errno : 0;
}

TEST_F(sysfs, module_in_use)
{
	char buf[32];
	struct heap h;

	if (!read_text(MODULE "/refcnt", buf, sizeof(buf)))
		SKIP(return, "goheap is not a module that could be removed");
	EXPECT_LT(0, atoi(buf));
	EXPECT_EQ(-EWOULDBLOCK, try_to_remove());
	/* Mappings without a descriptor count as much. */
	ASSERT_EQ(0, heap_open(&h, GIB, 0));
	ASSERT_NE(0, heap_push(&h, 100, 0));
	heap_close(&self->heap);
	close(h.fd);
	EXPECT_EQ(-EWOULDBLOCK, try_to_remove());
	EXPECT_TRUE(all_bytes(heap_ptr(&h, h.stack->slots[0]), 0, 100));
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	heap_detach(&h);
	EXPECT_EQ(-EWOULDBLOCK, try_to_remove());
	EXPECT_TRUE(exists(MODULE));
	EXPECT_TRUE(exists(ROOT));
}

TEST_HARNESS_MAIN
