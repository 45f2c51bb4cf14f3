// SPDX-License-Identifier: GPL-2.0
/*
 * Readers: files that show a heap in use and change nothing of it, whatever the
 * process that has one tries.
 */
#include <sys/wait.h>

#include "touch.h"

#define NODES	1000

FIXTURE(reader) {
	struct heap heap;
	__u32 node;		/* { next, number } */
	goheap_ref list;	/* of NODES, in slot 0 */
	int fd;			/* the reader */
};

static int make_reader(int fd)
{
	struct goheap_reader r;
	int err;

	gh_init(&r);
	r.flags = 0;
	r.reserved = 0;
	err = gh_ioctl(fd, GOHEAP_IOC_READER, &r);
	return err ?: r.fd;
}

FIXTURE_SETUP(reader)
{
	struct heap *h = &self->heap;

	ASSERT_EQ(0, heap_open(h, SPACE, 0));
	self->node = gh_layout_words(h->fd, 2, 1);
	for (__u64 i = 0; i < NODES; i++) {
		goheap_ref ref = heap_push(h, 16, self->node);

		ASSERT_NE(0, ref);
		*heap_word(h, ref, 0) = i ? h->stack->slots[0] : 0;
		*heap_word(h, ref, 1) = i;
		h->stack->slots[0] = ref;
		h->stack->top = 1;
	}
	self->list = h->stack->slots[0];
	self->fd = make_reader(h->fd);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(reader)
{
	close(self->fd);
	heap_close(&self->heap);
}

/* Is the list there, seen through a mapping at @view? */
static bool sees_list(const char *view, goheap_ref ref)
{
	__u64 nr = NODES;

	while (ref) {
		const __u64 *n = (void *)(view + (ref & GOHEAP_REF_OFFSET_MASK));

		if (n[1] != --nr)
			return false;
		ref = n[0];
	}
	return !nr;
}

static char *map_view(int fd)
{
	return mmap(NULL, SPACE, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd,
		    GOHEAP_MMAP_OBJECTS);
}

/* How mapping a region fails; 0 if it does not. */
static int map_error(int fd, size_t bytes, int prot, off_t region)
{
	void *p = mmap(NULL, bytes, prot, MAP_SHARED | MAP_NORESERVE, fd,
		       region);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, bytes);
	return 0;
}

/*
 * What a process can do that has the reader alone, none of the heap's other
 * descriptors and mappings.
 */
static int alone(struct heap *h, int fd, goheap_ref list)
{
	goheap_ref own[3] = { list, list, list };
	struct goheap_stats stats;
	__u32 ids[3], done;
	__u64 mask = 1;
	__u64 released;
	__s64 value;
	char *view, *p;
	int mem;

	heap_detach(h);
	close(h->fd);
	view = map_view(fd);
	CHILD_CHECK(view != MAP_FAILED);
	CHILD_CHECK(sees_list(view, list));
	p = view + (list & GOHEAP_REF_OFFSET_MASK);

	/* by its own hand, or the kernel's */
	CHILD_CHECK(touch(p, true) == SIGSEGV);
	CHILD_CHECK(mprotect(view, SPACE, PROT_READ | PROT_WRITE) &&
		    errno == EACCES);
	CHILD_CHECK(read(open("/dev/zero", O_RDONLY), p, 8) == -1 &&
		    errno == EFAULT);
	mem = open("/proc/self/mem", O_RDWR);
	CHILD_CHECK(mem < 0 || pwrite(mem, "x", 1, (off_t)(long)p) == -1);

	/* by a mapping of another kind */
	CHILD_CHECK(map_error(fd, SPACE, PROT_READ | PROT_WRITE,
			      GOHEAP_MMAP_OBJECTS) == -EACCES);
	CHILD_CHECK(map_error(fd, SPACE, PROT_WRITE, GOHEAP_MMAP_OBJECTS) ==
		    -EACCES);
	CHILD_CHECK(map_error(fd, STACK_BYTES, PROT_READ, GOHEAP_MMAP_STACK) ==
		    -EPERM);
	CHILD_CHECK(map_error(fd, 2 * PAGE, PROT_READ, GOHEAP_MMAP_MUTATOR) ==
		    -EPERM);

	/* by a command */
	CHILD_CHECK(gh_alloc(fd, 16, 0, 1, own, &done) == -EPERM);
	CHILD_CHECK(gh_layout(fd, 8, 1, &mask, ids) == -EPERM);
	CHILD_CHECK(gh_root_add(fd, list, ids) == -EPERM);
	CHILD_CHECK(gh_collect(fd) == -EPERM);
	CHILD_CHECK(gh_report(fd, own, 3) == -EPERM);
	CHILD_CHECK(gh_free_os_memory(fd, &released) == -EPERM);
	CHILD_CHECK(gh_param_set(fd, GOHEAP_PARAM_GC_PERCENT, 1) == -EPERM);
	CHILD_CHECK(!gh_param_get(fd, GOHEAP_PARAM_GC_PERCENT, &value));
	CHILD_CHECK(!gh_stats(fd, &stats) && stats.heap_objects == NODES);
	CHILD_CHECK(sees_list(view, list));
	return 0;
}

TEST_F(reader, changes_nothing)
{
	struct goheap_stats before, after;
	pid_t pid;

	ASSERT_EQ(0, gh_stats(self->heap.fd, &before));
	pid = fork();
	if (!pid)
		_exit(alone(&self->heap, self->fd, self->list));
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_TRUE(sees_list(self->heap.base, self->list));
	ASSERT_EQ(0, gh_stats(self->heap.fd, &after));
	EXPECT_TRUE(stats_same(&before, &after));
}

/* Neither by its name nor by another reader does one become more. */
TEST_F(reader, stays_one)
{
	struct goheap_info info, other;
	char name[64];
	int fd;

	ASSERT_EQ(0, gh_info(self->heap.fd, &info));
	fd = make_reader(self->fd);
	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_EQ(O_RDONLY, fcntl(fd, F_GETFL) & O_ACCMODE);
	ASSERT_EQ(0, gh_info(fd, &other));
	EXPECT_EQ(info.heap_id, other.heap_id);
	EXPECT_EQ(info.tag, other.tag);
	EXPECT_EQ(-EPERM, gh_collect(fd));
	EXPECT_EQ(0, fcntl(fd, F_SETFL, O_RDWR));
	EXPECT_EQ(-EPERM, gh_collect(fd));
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	EXPECT_EQ(-1, open(name, O_RDWR));
	close(fd);
}

/* Whoever has a reader sees what is stored later, and pages that come later. */
TEST_F(reader, sees_what_others_do)
{
	struct heap *h = &self->heap;
	char *view = map_view(self->fd);
	goheap_ref big;

	ASSERT_NE(MAP_FAILED, view);
	EXPECT_TRUE(sees_list(view, self->list));
	big = heap_push(h, 8 * MIB, 0);
	ASSERT_NE(0, big);
	memset(heap_ptr(h, big), 0x33, 8 * MIB);
	EXPECT_TRUE(all_bytes(view + (big & GOHEAP_REF_OFFSET_MASK), 0x33,
			      8 * MIB));
	/* Memory that is given back is nobody's any more. */
	h->stack->top = 1;
	ASSERT_EQ(0, gh_collect(h->fd));
	ASSERT_EQ(0, gh_free_os_memory(h->fd, &(__u64){ 0 }));
	EXPECT_EQ(SIGBUS, touch(view + (big & GOHEAP_REF_OFFSET_MASK), false));
	EXPECT_TRUE(sees_list(view, self->list));
	munmap(view, SPACE);
}

/* It keeps the heap like any other descriptor, its mapping likewise. */
TEST_F(reader, keeps_the_heap)
{
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	char *view;

	heap_detach(h);
	close(h->fd);
	h->fd = -1;
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(NODES, stats.heap_objects);
	view = map_view(self->fd);
	ASSERT_NE(MAP_FAILED, view);
	close(self->fd);
	self->fd = -1;
	EXPECT_TRUE(sees_list(view, self->list));
	munmap(view, SPACE);
}

TEST_F(reader, refused)
{
	struct goheap_reader r;

	for (int bit = 0; bit < 32; bit++) {
		gh_init(&r);
		r.flags = 1U << bit;
		r.reserved = 0;
		EXPECT_EQ(-EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_READER, &r));
	}
}

/* Who cannot be told of a descriptor has none, and the heap can go. */
TEST_F(reader, nowhere_to_tell)
{
	struct goheap_reader *r = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int next;

	ASSERT_NE(MAP_FAILED, r);
	gh_init(r);
	r->flags = 0;
	r->reserved = 0;
	ASSERT_EQ(0, mprotect(r, PAGE, PROT_READ));
	next = dup(self->fd);
	ASSERT_LE(0, next);
	close(next);
	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(-EFAULT, gh_ioctl(self->heap.fd, GOHEAP_IOC_READER, r));
	}
	EXPECT_EQ(next, dup(self->fd));
	close(next);
	munmap(r, PAGE);
}

TEST_HARNESS_MAIN
