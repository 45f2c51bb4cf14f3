// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings: which there may be, and what may be done to them.
 *
 * A mapping is whole or it is not there. Whatever tries to make it another one
 * (a part, another protection, another place) is refused, and leaves the
 * objects and the roots as they were.
 */
#include "touch.h"

FIXTURE(map) {
	struct heap heap;
	int fd;
	goheap_ref ref;		/* of make_witness() */
};

FIXTURE_SETUP(map)
{
	ASSERT_EQ(0, heap_open(&self->heap, SPACE, 0));
	self->fd = self->heap.fd;
	self->ref = make_witness(&self->heap);
	ASSERT_NE(0, self->ref);
}

FIXTURE_TEARDOWN(map)
{
	heap_close(&self->heap);
}

static int try_mmap(int fd, size_t len, int prot, int flags, off_t off)
{
	void *p = mmap(NULL, len, prot, flags | MAP_NORESERVE, fd, off);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, len);
	return 0;
}

#define OBJECTS	GOHEAP_MMAP_OBJECTS
#define STACK	GOHEAP_MMAP_STACK

TEST_F(map, refused)
{
	static const struct {
		size_t len;
		int prot;
		int flags;
		off_t off;
	} wrong[] = {
		/* length */
		{ PAGE, RW, MAP_SHARED, OBJECTS },
		{ SPACE / 2, RW, MAP_SHARED, OBJECTS },
		{ SPACE - PAGE, RW, MAP_SHARED, OBJECTS },
		{ SPACE + PAGE, RW, MAP_SHARED, OBJECTS },
		{ SPACE * 2, RW, MAP_SHARED, OBJECTS },
		{ GOHEAP_STACK_MAX + PAGE, RW, MAP_SHARED, STACK },
		/* offset */
		{ SPACE, RW, MAP_SHARED, OBJECTS + PAGE },
		{ SPACE - PAGE, RW, MAP_SHARED, OBJECTS + PAGE },
		{ PAGE, RW, MAP_SHARED, OBJECTS + SPACE },
		{ SPACE, RW, MAP_SHARED, OBJECTS + SPACE },
		{ PAGE, RW, MAP_SHARED, STACK + PAGE },
		{ PAGE, RW, MAP_SHARED, STACK - PAGE },
		{ PAGE, RW, MAP_SHARED, STACK / 2 },
		{ PAGE, RW, MAP_SHARED, STACK + (STACK >> 1) },
		{ SPACE, RW, MAP_SHARED, STACK * 2 - SPACE },
		/* not shared */
		{ SPACE, RW, MAP_PRIVATE, OBJECTS },
		{ SPACE, PROT_READ, MAP_PRIVATE, OBJECTS },
		{ SPACE, PROT_NONE, MAP_PRIVATE, OBJECTS },
		{ PAGE, RW, MAP_PRIVATE, STACK },
		{ PAGE, PROT_READ, MAP_PRIVATE, STACK },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-EINVAL, try_mmap(self->fd, wrong[i].len,
					    wrong[i].prot, wrong[i].flags,
					    wrong[i].off))
			TH_LOG("row %u", i);
	}
	EXPECT_TRUE(intact(&self->heap, self->ref));
}

TEST_F(map, not_executable)
{
	struct heap *h = &self->heap;

	EXPECT_EQ(-EACCES, try_mmap(self->fd, SPACE, RW | PROT_EXEC,
				    MAP_SHARED, OBJECTS));
	EXPECT_EQ(-EACCES, try_mmap(self->fd, SPACE, PROT_EXEC, MAP_SHARED,
				    OBJECTS));
	EXPECT_EQ(-EACCES, try_mmap(self->fd, PAGE, RW | PROT_EXEC, MAP_SHARED,
				    STACK));
	errno = 0;
	EXPECT_EQ(-1, mprotect(h->base, SPACE, RW | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	errno = 0;
	EXPECT_EQ(-1, mprotect(h->base, SPACE, PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	errno = 0;
	EXPECT_EQ(-1, mprotect(h->stack, STACK_BYTES, RW | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_TRUE(intact(h, self->ref));
}

TEST_F(map, protection)
{
	struct heap *h = &self->heap;
	char *p = heap_ptr(h, self->ref);

	/* The whole of it may be closed and opened again. */
	ASSERT_EQ(0, mprotect(h->base, SPACE, PROT_READ));
	EXPECT_EQ(0, touch(p, false));
	EXPECT_EQ(SIGSEGV, touch(p, true));
	ASSERT_EQ(0, mprotect(h->base, SPACE, PROT_NONE));
	EXPECT_EQ(SIGSEGV, touch(p, false));
	EXPECT_EQ(1, heap_live(h));
	ASSERT_EQ(0, mprotect(h->base, SPACE, RW));
	EXPECT_EQ(0, touch(p, false));
	/* A part of it may not. */
	errno = 0;
	EXPECT_EQ(-1, mprotect(h->base, PAGE, PROT_READ));
	EXPECT_EQ(EINVAL, errno);
	errno = 0;
	EXPECT_EQ(-1, mprotect(h->base + SPACE - PAGE, PAGE, PROT_NONE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(intact(h, self->ref));
}

TEST_F(map, no_mremap)
{
	struct heap *h = &self->heap;
	char *stack = (char *)h->stack;
	char *room;

	room = mmap(NULL, 2 * SPACE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, room);
	/* To another place, ... */
	errno = 0;
	EXPECT_EQ(MAP_FAILED, mremap(h->base, SPACE, SPACE,
				     MREMAP_MAYMOVE | MREMAP_FIXED, room));
	EXPECT_EQ(EINVAL, errno);
	errno = 0;
	EXPECT_EQ(MAP_FAILED, mremap(stack, STACK_BYTES, STACK_BYTES,
				     MREMAP_MAYMOVE | MREMAP_FIXED, room));
	EXPECT_EQ(EINVAL, errno);
	/* ... a part of it, ... */
	errno = 0;
	EXPECT_EQ(MAP_FAILED, mremap(h->base, PAGE, PAGE,
				     MREMAP_MAYMOVE | MREMAP_FIXED, room));
	EXPECT_EQ(EINVAL, errno);
	/* ... twice, shorter and longer. */
	EXPECT_EQ(MAP_FAILED, mremap(h->base, 0, SPACE, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(h->base, SPACE, SPACE / 2, 0));
	EXPECT_EQ(MAP_FAILED, mremap(h->base, SPACE, 2 * SPACE,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(stack, STACK_BYTES, STACK_BYTES / 2, 0));
	EXPECT_EQ(MAP_FAILED, mremap(stack, STACK_BYTES, 2 * STACK_BYTES,
				     MREMAP_MAYMOVE));
	munmap(room, 2 * SPACE);
	EXPECT_TRUE(intact(h, self->ref));
}

TEST_F(map, no_munmap_of_a_part)
{
	struct heap *h = &self->heap;
	char *stack = (char *)h->stack;
	const struct {
		char *addr;
		size_t len;
	} parts[] = {
		{ h->base, PAGE },
		{ h->base, SPACE - PAGE },
		{ h->base + PAGE, SPACE - PAGE },
		{ h->base + SPACE / 2, PAGE },
		{ h->base + SPACE - PAGE, PAGE },
		{ stack, PAGE },
		{ stack + PAGE, PAGE },
		{ stack + STACK_BYTES - PAGE, PAGE },
	};
	unsigned int i;
	void *p;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		errno = 0;
		EXPECT_EQ(-1, munmap(parts[i].addr, parts[i].len))
			TH_LOG("part %u", i);
		EXPECT_EQ(EINVAL, errno)
			TH_LOG("part %u", i);
		/* Another mapping in its place is a munmap, too. */
		p = mmap(parts[i].addr, parts[i].len, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		EXPECT_EQ(MAP_FAILED, p)
			TH_LOG("part %u", i);
	}
	EXPECT_TRUE(intact(h, self->ref));
	EXPECT_EQ(0, touch(stack, true));
	h->stack->top = 1;
	EXPECT_EQ(0, touch(stack + STACK_BYTES - 1, true));
	EXPECT_TRUE(intact(h, self->ref));
}

/* Advice may empty page tables, never objects. */
TEST_F(map, madvise)
{
	struct heap *h = &self->heap;
	char *p = heap_ptr(h, self->ref);

	madvise(h->base, SPACE, MADV_DONTNEED);
	EXPECT_TRUE(intact(h, self->ref));
	madvise(p, 32 * KIB, MADV_DONTNEED);
	EXPECT_TRUE(intact(h, self->ref));
	EXPECT_EQ(-1, madvise(p, 32 * KIB, MADV_REMOVE));
	EXPECT_EQ(-1, madvise(p, 32 * KIB, MADV_FREE));
	EXPECT_TRUE(intact(h, self->ref));
	errno = 0;
	EXPECT_EQ(-1, madvise(h->base, PAGE, MADV_DONTFORK));
	EXPECT_EQ(EINVAL, errno);
	madvise(h->stack, STACK_BYTES, MADV_DONTNEED);
	EXPECT_EQ(self->ref, h->stack->slots[0]);
	EXPECT_TRUE(intact(h, self->ref));
}

/* Addresses without an object: SIGBUS, or EFAULT in a system call. */
TEST_F(map, nothing_there)
{
	struct heap *h = &self->heap;
	char *unused = h->base + SPACE - HEAP_PAGE;
	goheap_ref big;
	int fds[2];
	char *p;

	EXPECT_EQ(SIGBUS, touch(unused, false));
	EXPECT_EQ(SIGBUS, touch(unused, true));
	EXPECT_EQ(SIGBUS, touch(h->base + SPACE / 2, false));
	EXPECT_EQ(SIGBUS, touch(h->base + SPACE - 1, true));
	ASSERT_EQ(0, pipe(fds));
	errno = 0;
	EXPECT_EQ(-1, write(fds[1], unused, 16));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(4, write(fds[1], "four", 4));
	errno = 0;
	EXPECT_EQ(-1, read(fds[0], unused, 4));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, touch(heap_ptr(h, self->ref), true));

	/* An object that is gone, with its memory. */
	big = heap_push(h, 4 * MIB, 0);
	p = heap_ptr(h, big);
	memset(p, 1, 4 * MIB);
	h->stack->top = 1;
	ASSERT_EQ(0, gh_free_os_memory(self->fd, NULL));
	EXPECT_EQ(SIGBUS, touch(p, false));
	EXPECT_EQ(SIGBUS, touch(p + 3 * MIB, true));
	/* Its addresses come to life again with the next one. */
	big = heap_push(h, 4 * MIB, 0);
	EXPECT_TRUE(all_bytes(heap_ptr(h, big), 0, 4 * MIB));
}

/*
 * A program that writes where it has no object yet, or no more, gets SIGBUS or
 * gets away with it; what is allocated there later is zero all the same.
 */
TEST_F(map, stray_writes)
{
	struct heap *h = &self->heap;
	char *around = heap_ptr(h, self->ref & ~(4 * MIB - 1));
	unsigned int i, round;
	goheap_ref ref;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < 4 * MIB / PAGE; i++) {
			char *p = around + i * PAGE;

			if (p < (char *)heap_ptr(h, self->ref) ||
			    p >= (char *)heap_ptr(h, self->ref) + 32 * KIB)
				touch(p + 100, true);
		}
		for (i = 0; i < 6000; i++) {
			ref = heap_push(h, i % 2 ? 512 : 1024, 0);
			ASSERT_NE(0, ref);
			ASSERT_TRUE(all_bytes(heap_ptr(h, ref), 0,
					      i % 2 ? 512 : 1024))
				TH_LOG("object %u, round %u", i, round);
		}
		h->stack->top = 1;
		ASSERT_TRUE(intact(h, self->ref));
	}
}

/* Memory of objects is memory: system calls read and write it. */
TEST_F(map, system_calls)
{
	struct heap *h = &self->heap;
	char *p = heap_ptr(h, self->ref);
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(1000, write(fds[1], p, 1000));
	memset(p, 0, 1000);
	ASSERT_EQ(1000, read(fds[0], p, 1000));
	EXPECT_TRUE(intact(h, self->ref));
}

TEST_F(map, two_mappings)
{
	struct heap *h = &self->heap;
	char *other, *first;
	goheap_ref ref;
	__u32 id;

	other = map_objects(self->fd, SPACE);
	ASSERT_NE(MAP_FAILED, other);
	EXPECT_NE(h->base, other);
	ref = heap_push(h, 100, 0);
	ASSERT_EQ(0, gh_root_add(self->fd, ref, &id));
	first = heap_ptr(h, ref);
	strcpy(first, "written here");
	EXPECT_STREQ("written here", other + (first - h->base));
	strcpy(other + (first - h->base), "and there");
	EXPECT_STREQ("and there", first);

	/* The attachment ends with the last of them. */
	ASSERT_EQ(0, munmap(h->base, SPACE));
	heap_set_base(h, other);
	EXPECT_EQ(2, heap_live(h));
	EXPECT_STREQ("and there", (char *)heap_ptr(h, ref));
	EXPECT_EQ(0, gh_root_set(self->fd, id, ref));
	h->stack->top = 0;
	EXPECT_EQ(1, heap_live(h));
	ASSERT_EQ(0, munmap(h->base, SPACE));
	EXPECT_EQ(-ENOTCONN, gh_root_set(self->fd, id, ref));
	EXPECT_EQ(-ENOTCONN, gh_alloc(self->fd, 8, 0, 1, &ref, NULL));
}

/* Without a mapping a process holds nothing; with a new one it starts anew. */
TEST_F(map, again)
{
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	goheap_ref ref;
	__u32 id;

	ref = heap_push(h, 100, 0);
	ASSERT_EQ(0, gh_root_add(self->fd, ref, &id));
	heap_detach(h);
	EXPECT_EQ(-ENOTCONN, gh_root_remove(self->fd, id));
	ASSERT_EQ(0, heap_attach(h));
	EXPECT_EQ(-ENOENT, gh_root_remove(self->fd, id));
	EXPECT_EQ(0, heap_live(h));
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.root_count);
	ref = heap_push(h, 100, 0);
	EXPECT_NE(0, ref);
	EXPECT_EQ(1, heap_live(h));
}

TEST_F(map, read_only)
{
	struct goheap_info info;
	char *p;
	int fd;

	fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, gh_info(fd, &info));
	EXPECT_EQ(-EACCES, try_mmap(fd, info.address_space, RW, MAP_SHARED,
				    OBJECTS));
	EXPECT_EQ(-EACCES, try_mmap(fd, info.address_space, PROT_WRITE,
				    MAP_SHARED, OBJECTS));
	p = mmap(NULL, info.address_space, PROT_READ, MAP_SHARED, fd, OBJECTS);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(SIGSEGV, touch(p, true));
	EXPECT_EQ(SIGBUS, touch(p, false));
	errno = 0;
	EXPECT_EQ(-1, mprotect(p, info.address_space, RW));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(SIGSEGV, touch(p, true));
	ASSERT_EQ(0, munmap(p, info.address_space));
	close(fd);

	fd = open(DEVICE, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, try_mmap(fd, info.address_space, PROT_WRITE,
				    MAP_SHARED, OBJECTS));
	close(fd);
}

/* A mapping that is only read is made with a descriptor that may write. */
TEST_F(map, read_only_view)
{
	struct heap *h = &self->heap;
	char *view, *p;

	view = mmap(NULL, SPACE, PROT_READ, MAP_SHARED, self->fd, OBJECTS);
	ASSERT_NE(MAP_FAILED, view);
	p = view + ((char *)heap_ptr(h, self->ref) - h->base);
	EXPECT_TRUE(all_bytes(p, 0x5c, 32 * KIB));
	EXPECT_EQ(SIGSEGV, touch(p, true));
	EXPECT_EQ(0, touch(heap_ptr(h, self->ref), false));
	ASSERT_EQ(0, munmap(view, SPACE));
	EXPECT_TRUE(intact(h, self->ref));
}

/* The heap lives in its mappings after the last descriptor is closed. */
TEST_F(map, closed_descriptor)
{
	struct heap *h = &self->heap;
	char *p = heap_ptr(h, self->ref);
	goheap_ref big;

	/* Pages that nobody touched yet, too. */
	big = heap_push(h, MIB, 0);
	ASSERT_EQ(0, close(self->fd));
	EXPECT_TRUE(all_bytes(p, 0x5c, 32 * KIB));
	EXPECT_TRUE(all_bytes(heap_ptr(h, big), 0, MIB));
	memset(heap_ptr(h, big), 0x11, MIB);
	EXPECT_TRUE(all_bytes(heap_ptr(h, big), 0x11, MIB));
	EXPECT_EQ(self->ref, h->stack->slots[0]);
	/* Stack first, then the objects; the teardown finds nothing left. */
	heap_detach(h);
	EXPECT_EQ(SIGSEGV, touch(p, false));
	self->heap.fd = -1;
}

TEST_F(map, dup)
{
	struct heap *h = &self->heap;
	struct goheap_info info;
	int fds[3], i;

	for (i = 0; i < 3; i++) {
		fds[i] = dup(h->fd);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, gh_info(fds[i], &info));
		EXPECT_EQ(h->info.heap_id, info.heap_id);
		EXPECT_EQ(h->info.tag, info.tag);
	}
	close(h->fd);
	close(fds[1]);
	h->fd = fds[2];
	EXPECT_TRUE(intact(h, self->ref));
	close(fds[2]);
	h->fd = fds[0];
	EXPECT_TRUE(intact(h, self->ref));
}

TEST_HARNESS_MAIN
