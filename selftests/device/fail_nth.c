// SPDX-License-Identifier: GPL-2.0
/*
 * Memory exhaustion at every allocation site.
 *
 * The kernel can be told to let the nth allocation (or copy from or to the
 * program) of one thread fail. Each command is run with n = 1, 2, ... on a new
 * heap each time, until it gets through without a failure being due: then
 * every site it has was visited. Each run ends in success, ENOMEM, or EFAULT
 * for a copy, and the heap must work and add up afterwards; what is left
 * allocated behind its back is for kmemleak to find.
 *
 * Skipped on kernels without CONFIG_FAULT_INJECTION.
 */
#include <linux/userfaultfd.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "holder.h"
#include "kthread.h"

#define DEBUGFS		"/sys/kernel/debug"
#define MAX_SITES	5000

static int write_file(const char *path, const char *value)
{
	int fd, ret;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, value, strlen(value)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* Let allocations fail that may wait and use high memory, and be quiet. */
static int configure(const char *what)
{
	static const char * const settings[][2] = {
		{ "ignore-gfp-wait", "N" },
		{ "ignore-gfp-highmem", "N" },
		{ "min-order", "0" },
		{ "cache-filter", "N" },
		{ "task-filter", "N" },
		{ "probability", "0" },
		{ "times", "-1" },
		{ "space", "0" },
		{ "verbose", "0" },
	};
	char path[128];
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		snprintf(path, sizeof(path), DEBUGFS "/%s/%s", what,
			 settings[i][0]);
		ret = write_file(path, settings[i][1]);
		if (ret && ret != -ENOENT)
			return ret;
	}
	return 0;
}

static void arm(int fd, unsigned int nth)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%u", nth);
	if (pwrite(fd, buf, strlen(buf), 0) < 0)
		abort();
}

/*
 * Was the failure delivered? The file says 0 then. Reading and writing it copy
 * to and from this program, so that the failure may hit here, too.
 */
static bool disarm(int fd)
{
	bool delivered = false;
	char buf[16] = "";
	int tries = 0;

	if (pread(fd, buf, sizeof(buf) - 1, 0) > 0)
		delivered = !atoi(buf);
	while (pwrite(fd, "0", 1, 0) < 0)
		if (++tries > 3)
			abort();
	return delivered;
}

/* One run: a heap, prepared up to the call that is to fail. */
struct scene {
	struct heap h;
	__u32 node;
	goheap_ref refs[512];
	__u32 ids[512];
	void *extra;
	size_t extra_len;
};

/* How far a scene is prepared before its call. */
enum stage { CLOSED, OPENED, MAPPED, WITH_LAYOUT, WITH_OBJECTS };

static int open_heap(struct scene *s)
{
	s->h.fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	return s->h.fd < 0 ? -errno : 0;
}

static int setup(struct scene *s)
{
	return gh_setup(s->h.fd, 2 * GIB, 0);
}

static int info(struct scene *s)
{
	struct goheap_info arg;

	return gh_info(s->h.fd, &arg);
}

static int map(struct scene *s)
{
	s->extra = map_objects(s->h.fd, GIB);
	if (s->extra == MAP_FAILED)
		return -errno;
	s->extra_len = GIB;
	return 0;
}

static int stack(struct scene *s)
{
	s->extra = map_stack(s->h.fd, STACK_BYTES);
	if (s->extra == MAP_FAILED)
		return -errno;
	s->extra_len = STACK_BYTES;
	return 0;
}

static int mutator(struct scene *s)
{
	s->extra = map_mutator(s->h.fd, MUTATOR_PAGES, true);
	if (s->extra == MAP_FAILED)
		return -errno;
	s->extra_len = MUTATOR_PAGES * PAGE;
	return 0;
}

static int status(struct scene *s)
{
	s->extra = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, s->h.fd,
			GOHEAP_MMAP_STATUS);
	if (s->extra == MAP_FAILED)
		return -errno;
	s->extra_len = PAGE;
	return 0;
}

/* With the leases' pages, and spans that have no memory yet. */
static int refill(struct scene *s)
{
	struct goheap_lease l[3] = {
		{ .index = 0, .bytes = 16, .layout = s->node },
		{ .index = 1, .bytes = 3 },
		{ .index = MUTATOR_LEASES - 1, .bytes = 5000 },
	};
	int ret = mutator(s);

	return ret ? ret : gh_refill(s->h.fd, l, ARRAY_SIZE(l), NULL);
}

static int barrier(struct scene *s)
{
	return gh_report(s->h.fd, s->h.stack->slots, 2);
}

static int range_add(struct scene *s)
{
	int ret = 0;

	/* Enough for the table to grow. */
	for (unsigned int i = 0; !ret && i < 40; i++)
		ret = gh_range_add(s->h.fd, GOHEAP_RANGE_STATIC,
				   &s->refs[i * 2], 8);
	return ret;
}

static int range_remove(struct scene *s)
{
	int ret = gh_range_add(s->h.fd, GOHEAP_RANGE_STATIC, s->refs, 8);

	return ret ? ret : gh_range_remove(s->h.fd, s->refs);
}

/* No descriptor is left that the program has not been told of. */
static int reader(struct scene *s)
{
	int before = dup(s->h.fd), ret, after;
	struct goheap_reader arg;

	gh_init(&arg);
	arg.reserved = 0;
	close(before);
	ret = gh_ioctl(s->h.fd, GOHEAP_IOC_READER, &arg);
	if (!ret)
		close(arg.fd);
	after = dup(s->h.fd);
	close(after);
	return before != after ? -EIO : ret;
}

static int layout_small(struct scene *s)
{
	__u64 mask = 5;

	return gh_layout(s->h.fd, 24, 3, &mask, &s->ids[0]);
}

static int layout_large(struct scene *s)
{
	static __u64 mask[1024] = { [1023] = 1 };

	return gh_layout(s->h.fd, 1 << 20, 1 << 16, mask, &s->ids[0]);
}

static int alloc_tiny(struct scene *s)
{
	return gh_alloc(s->h.fd, 3, 0, 1, s->refs, NULL);
}

static int alloc_node(struct scene *s)
{
	return gh_alloc(s->h.fd, 16, s->node, 1, s->refs, NULL);
}

static int alloc_batch(struct scene *s)
{
	return gh_alloc(s->h.fd, 5000, s->node, 10, s->refs, NULL);
}

static int alloc_large(struct scene *s)
{
	return gh_alloc(s->h.fd, MIB, s->node, 1, s->refs, NULL);
}

static int alloc_chunks(struct scene *s)
{
	return gh_alloc(s->h.fd, 5 * MIB, 0, 1, s->refs, NULL);
}

/* An allocation that comes to the ceiling and collects. */
static int alloc_ceiling(struct scene *s)
{
	return gh_alloc(s->h.fd, 3 * MIB, 0, 1, s->refs, NULL);
}

static int touch(struct scene *s)
{
	char *p = heap_ptr(&s->h, s->h.stack->slots[1]);

	return all_bytes(p, 0, 64 * KIB) ? 0 : -EIO;
}

static int object(struct scene *s)
{
	struct goheap_object arg;

	return gh_object(s->h.fd, s->h.stack->slots[0], &arg);
}

static int root_add(struct scene *s)
{
	unsigned int i;

	for (i = 0; i < 512; i++)
		s->refs[i] = s->h.stack->slots[0];
	return gh_roots(s->h.fd, GOHEAP_IOC_ROOT_ADD, 512, s->refs, s->ids);
}

static int root_set(struct scene *s)
{
	return gh_root_set(s->h.fd, s->ids[0], s->h.stack->slots[0]);
}

static int root_remove(struct scene *s)
{
	return gh_root_remove(s->h.fd, s->ids[0]);
}

static int collect(struct scene *s)
{
	return gh_collect(s->h.fd);
}

static int param(struct scene *s)
{
	return gh_param_set(s->h.fd, GOHEAP_PARAM_GC_PERCENT, -1);
}

static int stats(struct scene *s)
{
	struct goheap_stats arg;

	return gh_stats(s->h.fd, &arg);
}

static int cycle(struct scene *s)
{
	struct goheap_cycle arg;

	return gh_cycle(s->h.fd, 1, &arg);
}

static int free_os_memory(struct scene *s)
{
	return gh_free_os_memory(s->h.fd, NULL);
}

static int prepare(struct scene *s, enum stage stage)
{
	struct heap *h = &s->h;
	int ret;

	memset(s, 0, sizeof(*s));
	h->fd = -1;
	if (stage == CLOSED)
		return 0;
	h->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (h->fd < 0)
		return -errno;
	ret = gh_setup(h->fd, GIB, 16 * MIB + 16 * MIB * (stage < WITH_OBJECTS));
	if (!ret)
		ret = gh_param_set(h->fd, GOHEAP_PARAM_GC_PERCENT, -1);
	if (ret || stage == OPENED)
		return ret;
	ret = heap_attach(h);
	if (ret || stage == MAPPED)
		return ret;
	s->node = gh_layout_words(h->fd, 2, 1);
	if (stage == WITH_LAYOUT)
		return 0;
	/* A rooted object, one that nobody touched, and garbage. */
	if (!heap_push(h, 16, s->node) || !heap_push(h, 64 * KIB, 0))
		return -ENOMEM;
	ret = gh_root_add(h->fd, h->stack->slots[0], &s->ids[0]);
	if (ret)
		return ret;
	ret = gh_collect(h->fd);
	if (ret)
		return ret;
	return gh_alloc(h->fd, 3 * MIB, 0, 4, s->refs, NULL);
}

/*
 * Whatever happened, the heap can be used, and keeps and frees as always. The
 * line of what does not hold, or 0.
 */
static int check_heap(struct scene *s, enum stage stage)
{
	struct heap *h = &s->h;
	struct goheap_stats now;
	goheap_ref ref;
	__u32 node;

	if (h->fd < 0)
		return 0;
	/* A new mapping has no roots of the call that was disturbed. */
	if (stage >= MAPPED)
		heap_detach(h);
	else if (stage == CLOSED && gh_setup(h->fd, GIB, 0))
		return __LINE__;
	if (s->extra && s->extra != MAP_FAILED)
		munmap(s->extra, s->extra_len);
	s->extra = NULL;
	if (heap_attach(h))
		return __LINE__;
	node = gh_layout_words(h->fd, 2, 1);
	ref = heap_push(h, 16, node);
	if (!ref)
		return __LINE__;
	*heap_word(h, ref, 0) = heap_push(h, 100 * KIB, 0);
	*heap_word(h, ref, 1) = 7;
	h->stack->top = 1;
	/*
	 * These two are all that is left; a block that is open for tiny objects
	 * lives for one collection more.
	 */
	if (gh_collect(h->fd) || heap_live(h) != 2 || gh_stats(h->fd, &now))
		return __LINE__;
	if (*heap_word(h, ref, 1) != 7)
		return __LINE__;
	if (now.mallocs != now.frees + 2 || now.root_count != 1 ||
	    now.alloc != 16 + 13 * HEAP_PAGE)
		return __LINE__;
	if (now.heap_sys != now.heap_inuse + now.heap_idle)
		return __LINE__;
	return 0;
}

static void finish(struct scene *s)
{
	if (s->h.fd < 0)
		return;
	heap_detach(&s->h);
	close(s->h.fd);
}

FIXTURE(fail_nth) {
	int fd;			/* of fail-nth */
	const char *missing;	/* what this kernel does not have */
};

/* A command, and the scene it needs. */
FIXTURE_VARIANT(fail_nth) {
	enum stage stage;
	int (*run)(struct scene *s);
	bool cannot_fail;
};

#define SITE(name, when)						\
	FIXTURE_VARIANT_ADD(fail_nth, name) {				\
		.stage = (when),					\
		.run = name,						\
	}

SITE(open_heap, CLOSED);
SITE(setup, OPENED);
SITE(info, OPENED);
SITE(map, OPENED);
SITE(stack, MAPPED);
SITE(mutator, MAPPED);
SITE(status, MAPPED);
SITE(range_add, MAPPED);
SITE(range_remove, MAPPED);
SITE(reader, MAPPED);
SITE(refill, WITH_LAYOUT);
SITE(layout_small, MAPPED);
SITE(layout_large, MAPPED);
SITE(alloc_tiny, WITH_LAYOUT);
SITE(alloc_node, WITH_LAYOUT);
SITE(alloc_batch, WITH_LAYOUT);
SITE(alloc_large, WITH_LAYOUT);
SITE(alloc_chunks, WITH_LAYOUT);
SITE(alloc_ceiling, WITH_OBJECTS);
SITE(object, WITH_OBJECTS);
SITE(root_add, WITH_OBJECTS);
SITE(root_set, WITH_OBJECTS);
SITE(root_remove, WITH_OBJECTS);
SITE(barrier, WITH_OBJECTS);
SITE(collect, WITH_OBJECTS);
SITE(param, WITH_OBJECTS);
SITE(stats, WITH_OBJECTS);
SITE(cycle, WITH_OBJECTS);
SITE(free_os_memory, WITH_OBJECTS);
/* A page fault without memory is tried again. */
FIXTURE_VARIANT_ADD(fail_nth, touch) {
	.stage = WITH_OBJECTS,
	.run = touch,
	.cannot_fail = true,
};

FIXTURE_SETUP(fail_nth)
{
	char path[64];

	if (access("/proc/self/fail-nth", F_OK)) {
		self->missing = "no /proc/self/fail-nth in this kernel";
		return;
	}
	if (access(DEBUGFS "/failslab", F_OK))
		mount("debugfs", DEBUGFS, "debugfs", 0, NULL);
	if (access(DEBUGFS "/failslab", F_OK)) {
		self->missing = "no failslab in this kernel";
		return;
	}
	ASSERT_EQ(0, configure("failslab"));
	ASSERT_EQ(0, configure("fail_page_alloc"));
	ASSERT_EQ(0, configure("fail_usercopy"));
	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth",
		 (int)syscall(SYS_gettid));
	self->fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(fail_nth)
{
	if (self->fd > 0)
		close(self->fd);
}

TEST_F(fail_nth, sweep)
{
	unsigned int nth, failed = 0;
	int ret, line;
	struct scene s;
	bool delivered;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	for (nth = 1; nth < MAX_SITES; nth++) {
		ASSERT_EQ(0, prepare(&s, variant->stage))
			TH_LOG("n = %u", nth);
		arm(self->fd, nth);
		ret = variant->run(&s);
		delivered = disarm(self->fd);
		ASSERT_TRUE(!ret || ret == -ENOMEM || ret == -EFAULT)
			TH_LOG("n = %u: error %d", nth, -ret);
		if (!delivered) {
			ASSERT_EQ(0, ret)
				TH_LOG("n = %u", nth);
		}
		failed += ret != 0;
		/* Nothing has been done to a heap that is only open. */
		if (variant->stage == CLOSED && nth % 32) {
			if (!ret) {
				ASSERT_EQ(0, info(&s));
				close(s.h.fd);
			}
			if (!delivered)
				break;
			continue;
		}
		line = check_heap(&s, variant->stage);
		ASSERT_EQ(0, line)
			TH_LOG("n = %u, error %d, line %d", nth, -ret, line);
		finish(&s);
		if (!delivered)
			break;
	}
	EXPECT_GT(MAX_SITES, nth);
	TH_LOG("%u sites, %u of them failed", nth - 1, failed);
	EXPECT_EQ(variant->cannot_fail, failed == 0);
}

/* The collector's thread, which runs without the program's failures. */
FIXTURE(fail_nth_gc) {
	int fd;
	const char *missing;
};

FIXTURE_SETUP(fail_nth_gc)
{
	fail_nth_setup(_metadata, (void *)self, NULL);
}

FIXTURE_TEARDOWN(fail_nth_gc)
{
	fail_nth_teardown(_metadata, (void *)self, NULL);
}

/* The collectors of all heaps that there are. */
static int collector_files(int *fds, int max)
{
	pid_t pids[16];
	int n, i, nr = 0;

	n = kthreads("goheap-gc/", pids, ARRAY_SIZE(pids));
	for (i = 0; i < n && nr < max; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/fail-nth", pids[i]);
		fds[nr] = open(path, O_RDWR | O_CLOEXEC);
		nr += fds[nr] >= 0;
	}
	return nr;
}

/* The collector has no memory: it still finds all that is live, and no more. */
TEST_F(fail_nth_gc, collector)
{
	enum { NODES = 3000 };
	unsigned int nth, i, misses = 0;
	int fds[16], nr, n;
	struct scene s;
	struct heap *h = &s.h;
	goheap_ref ref;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, prepare(&s, WITH_LAYOUT));
	nr = collector_files(fds, ARRAY_SIZE(fds));
	if (!nr) {
		finish(&s);
		SKIP(return, "no thread named goheap-gc/*");
	}
	ASSERT_EQ(NODES, heap_push_many(h, 16, s.node, NODES));
	for (i = 1; i < NODES; i++) {
		*heap_word(h, h->stack->slots[i - 1], 0) = h->stack->slots[i];
		*heap_word(h, h->stack->slots[i], 1) = i;
	}
	h->stack->top = 1;
	for (nth = 1; nth < 1000 && misses < 3; nth++) {
		ASSERT_EQ(0, gh_alloc(h->fd, 200, s.node, 100, s.refs, NULL));
		for (n = 0; n < nr; n++)
			arm(fds[n], nth);
		n = gh_collect(h->fd);
		EXPECT_TRUE(!n || n == -ENOMEM)
			TH_LOG("n = %u: error %d", nth, -n);
		misses++;
		for (n = 0; n < nr; n++)
			if (disarm(fds[n]))
				misses = 0;
		ASSERT_EQ(NODES, heap_live(h))
			TH_LOG("n = %u", nth);
		for (i = 0, ref = h->stack->slots[0]; ref;
		     ref = *heap_word(h, ref, 0), i++) {
			ASSERT_TRUE(!i || i == *heap_word(h, ref, 1));
		}
		ASSERT_EQ(NODES, i);
	}
	TH_LOG("%u sites in the collector", nth - 1 - misses);
	EXPECT_GT(1000, nth);
	for (n = 0; n < nr; n++)
		close(fds[n]);
	finish(&s);
}

/*
 * What the collector needs memory for is to read processes: a list of threads, room
 * for a deep stack, page tables of theirs.
 */
#define DEEP	(200 * KIB)
#define FAR	(64 * MIB)	/* its page tables are its own */

static __attribute__((noinline)) void hold_deep(struct holder *x,
						goheap_ref ref)
{
	volatile goheap_ref local = ref;
	volatile char room[DEEP];

	memset((void *)room, 0, sizeof(room));
	say_ready(x);
	wait_until_done(x);
	(void)local;
}

/* A range whose last word has the only reference to an object. */
static goheap_ref *make_range(struct heap *h, __u64 *hid)
{
	int fd = memfd_create("range", MFD_CLOEXEC);
	goheap_ref ref;
	char *p;

	*hid = new_hidden(h->fd);
	ref = ~*hid;
	/* The page is there, but nothing in the page tables leads to it. */
	if (fd < 0 || ftruncate(fd, FAR) ||
	    pwrite(fd, &ref, 8, FAR - 8) != 8)
		return NULL;
	p = mmap(NULL, FAR, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED ||
	    gh_range_add(h->fd, GOHEAP_RANGE_STATIC, p + FAR - PAGE, PAGE) ||
	    madvise(p, FAR, MADV_DONTNEED))
		return NULL;
	return (goheap_ref *)(p + FAR - PAGE);
}

/*
 * Two more reasons to need memory: the mmap lock is taken, so that a work item has
 * to wait for it; and a page is one that a program fills when it is asked.
 */
enum how { AS_IT_IS, CONTENDED, SERVED };

struct changer {
	pthread_t thread;
	int done;
};

/* Change a large mapping again and again. */
static void *change_mappings(void *arg)
{
	const size_t bytes = 4 * MIB;
	struct changer *c = arg;
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	while (p != MAP_FAILED && !__atomic_load_n(&c->done, __ATOMIC_ACQUIRE)) {
		mprotect(p, bytes, PROT_READ);
		mprotect(p, bytes, PROT_READ | PROT_WRITE);
	}
	munmap(p, bytes);
	return NULL;
}

/* A page that @uffd stands for, and what is to be in it. */
struct served {
	pthread_t thread;
	goheap_ref *page;
	goheap_ref *filling;
	int uffd;
	__u64 hid;
};

static void *serve(void *arg)
{
	struct served *v = arg;
	struct uffd_msg msg;

	while (read(v->uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		struct uffdio_copy copy = {
			.dst = (uintptr_t)v->page,
			.src = (uintptr_t)v->filling,
			.len = PAGE,
		};

		if (msg.event == UFFD_EVENT_REMOVE)
			break;
		ioctl(v->uffd, UFFDIO_COPY, &copy);
	}
	return NULL;
}

/* A range with the only reference to an object; false if that cannot be had. */
static bool make_served(struct heap *h, struct served *v)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_EVENT_REMOVE,
	};
	struct uffdio_register reg = {
		.mode = UFFDIO_REGISTER_MODE_MISSING,
		.range.len = PAGE,
	};

	v->page = page_with(PROT_READ | PROT_WRITE);
	v->filling = page_with(PROT_READ | PROT_WRITE);
	reg.range.start = (uintptr_t)v->page;
	v->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (v->page == MAP_FAILED || v->filling == MAP_FAILED || v->uffd < 0 ||
	    ioctl(v->uffd, UFFDIO_API, &api) ||
	    ioctl(v->uffd, UFFDIO_REGISTER, &reg) ||
	    gh_range_add(h->fd, GOHEAP_RANGE_STATIC, v->page, PAGE))
		return false;
	v->hid = new_hidden(h->fd);
	v->filling[PAGE / 8 - 1] = ~v->hid;
	return !pthread_create(&v->thread, NULL, serve, v);
}

static void end_served(struct heap *h, struct served *v)
{
	gh_range_remove(h->fd, v->page);
	/* Ends the thread, too. */
	madvise(v->page, PAGE, MADV_DONTNEED);
	pthread_join(v->thread, NULL);
	munmap(v->page, PAGE);
	munmap(v->filling, PAGE);
	close(v->uffd);
}

/* Collect while the nth allocation fails; was it due, and is all well? */
static bool try_reading(struct __test_metadata *_metadata, unsigned int nth,
			enum how how)
{
	struct holder x = { .hold = hold_deep, .asleep = true };
	struct changer c = { };
	struct served v = { };
	struct goheap_stats stats;
	bool delivered = false;
	int fds[16], nr, n;
	goheap_ref *range;
	struct scene s;
	__u64 hid;

	ASSERT_EQ(0, prepare(&s, WITH_LAYOUT));
	ASSERT_EQ(0, gh_param_set(s.h.fd, GOHEAP_PARAM_GCCHECKMARK, nth % 2));
	range = make_range(&s.h, &hid);
	ASSERT_NE(NULL, range);
	if (how == SERVED)
		ASSERT_TRUE(make_served(&s.h, &v));
	ASSERT_EQ(0, holder_start(&x, &s.h, NULL));
	if (how == CONTENDED)
		ASSERT_EQ(0, pthread_create(&c.thread, NULL, change_mappings,
					    &c));
	nr = collector_files(fds, ARRAY_SIZE(fds));
	ASSERT_LT(0, nr);
	for (n = 0; n < nr; n++)
		arm(fds[n], nth);
	EXPECT_EQ(0, gh_collect(s.h.fd));
	for (n = 0; n < nr; n++) {
		delivered |= disarm(fds[n]);
		close(fds[n]);
	}
	__atomic_store_n(&c.done, 1, __ATOMIC_RELEASE);
	if (how == CONTENDED)
		pthread_join(c.thread, NULL);
	if (how == SERVED) {
		EXPECT_TRUE(alive(&s.h, v.hid))
			TH_LOG("n = %u: what a page has that comes late", nth);
		end_served(&s.h, &v);
	}
	EXPECT_TRUE(alive(&s.h, x.hid))
		TH_LOG("n = %u: what a stack has", nth);
	EXPECT_TRUE(alive(&s.h, hid))
		TH_LOG("n = %u: what a range has", nth);
	EXPECT_EQ(0, gh_collect(s.h.fd));
	EXPECT_TRUE(alive(&s.h, x.hid));
	EXPECT_TRUE(alive(&s.h, hid));
	EXPECT_EQ(0, gh_stats(s.h.fd, &stats));
	EXPECT_EQ(0, stats.evictions)
		TH_LOG("n = %u", nth);
	holder_stop(&x);
	EXPECT_EQ(0, gh_range_remove(s.h.fd, range));
	munmap((char *)range + PAGE - FAR, FAR);
	finish(&s);
	return delivered;
}

static void sweep_reading(struct __test_metadata *_metadata, enum how how)
{
	unsigned int nth, misses = 0;

	/* Each second one checks its marks, which takes memory as well. */
	for (nth = 1; nth < MAX_SITES && misses < 4; nth++)
		misses = try_reading(_metadata, nth, how) ? 0 : misses + 1;
	TH_LOG("%u sites", nth - 1 - misses);
	EXPECT_GT(MAX_SITES, nth);
	EXPECT_LT(2, nth - 1 - misses);
}

TEST_F(fail_nth_gc, reading)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	sweep_reading(_metadata, AS_IT_IS);
}

TEST_F(fail_nth_gc, reading_contended)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	sweep_reading(_metadata, CONTENDED);
}

TEST_F(fail_nth_gc, reading_served)
{
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (self->missing)
		SKIP(return, "%s", self->missing);
	if (uffd < 0)
		SKIP(return, "no userfaultfd for the kernel's faults");
	close(uffd);
	sweep_reading(_metadata, SERVED);
}

TEST_HARNESS_MAIN
