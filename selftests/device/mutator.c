// SPDX-License-Identifier: GPL-2.0
/*
 * Mutators: control pages, leases, the status page, the barrier buffer.
 */
#include "mutator.h"

FIXTURE(mutator) {
	struct heap heap;
	struct mutator mut;
	int fd;
	__u32 node;		/* { next, value } */
};

FIXTURE_SETUP(mutator)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
	self->node = gh_layout_words(self->fd, 2, 1);
	ASSERT_EQ(0, mutator_attach(&self->mut, self->fd, true));
}

FIXTURE_TEARDOWN(mutator)
{
	mutator_detach(&self->mut);
	heap_close(&self->heap);
}

TEST_F(mutator, mapping)
{
	int ro = open(DEVICE, O_RDONLY);
	struct goheap_info info;

	ASSERT_GE(ro, 0);
	ASSERT_EQ(0, gh_info(ro, &info));
	/* One for each thread. */
	EXPECT_EQ(MAP_FAILED, map_mutator(self->fd, MUTATOR_PAGES, false));
	EXPECT_EQ(EBUSY, errno);
	/* Who may not write is attached, and no more. */
	ASSERT_NE(MAP_FAILED, mmap(NULL, info.address_space, PROT_READ,
				   MAP_SHARED, ro, GOHEAP_MMAP_OBJECTS));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, MUTATOR_PAGES * PAGE, PROT_READ,
				   MAP_SHARED, ro, GOHEAP_MMAP_MUTATOR));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(MAP_FAILED, map_mutator(ro, MUTATOR_PAGES, false));
	EXPECT_EQ(EACCES, errno);
	mutator_detach(&self->mut);
	EXPECT_EQ(MAP_FAILED, map_mutator(self->fd, 1, false));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, map_mutator(self->fd, 34, false));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED,
		  mmap(NULL, MUTATOR_PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE, self->fd, GOHEAP_MMAP_MUTATOR));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, mutator_attach(&self->mut, self->fd, true));
	/* It stays in one piece, and where it is. */
	EXPECT_EQ(-1, munmap(self->mut.page, PAGE));
	EXPECT_EQ(-1, mprotect(self->mut.page, PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(MAP_FAILED, mremap(self->mut.page, MUTATOR_PAGES * PAGE,
				     8 * PAGE, MREMAP_MAYMOVE));
	close(ro);
}

TEST_F(mutator, not_attached)
{
	int fd = open(DEVICE, O_RDWR);
	struct goheap_lease l = { .bytes = 16 };

	ASSERT_GE(fd, 0);
	EXPECT_EQ(MAP_FAILED, map_mutator(fd, MUTATOR_PAGES, false));
	EXPECT_EQ(ENOTCONN, errno);
	EXPECT_EQ(-ENOTCONN, gh_refill(fd, &l, 1, NULL));
	EXPECT_EQ(-ENOTCONN, gh_barrier(fd));
	EXPECT_EQ(-ENOTCONN, gh_range_add(fd, 0, self, 8));
	close(fd);
}

TEST_F(mutator, refill_arguments)
{
	struct goheap_lease l[GOHEAP_MAX_REFILL + 1] = { { .bytes = 16 } };
	struct goheap_refill arg;
	__u32 done = ~0U;

	EXPECT_EQ(-EINVAL, gh_refill(self->fd, l, 0, NULL));
	EXPECT_EQ(-EINVAL, gh_refill(self->fd, l, GOHEAP_MAX_REFILL + 1, NULL));
	EXPECT_EQ(-EFAULT, gh_refill(self->fd, NULL, 1, NULL));
	l[0].index = MUTATOR_LEASES;
	EXPECT_EQ(-EINVAL, gh_refill(self->fd, l, 1, NULL));
	l[0].index = ~0U;
	EXPECT_EQ(-EINVAL, gh_refill(self->fd, l, 1, NULL));
	l[0].index = 0;
	l[0].layout = 4711;
	EXPECT_EQ(-ENOENT, gh_refill(self->fd, l, 1, NULL));
	l[0].layout = 0;
	l[0].bytes = self->heap.info.max_small_size + 1;
	EXPECT_EQ(-EINVAL, gh_refill(self->fd, l, 1, NULL));
	gh_init(&arg);
	arg.count = 1;
	arg.leases = (uintptr_t)l;
	EXPECT_EQ(-EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_REFILL, &arg));
	arg.reserved = 0;
	arg.flags = 1;
	EXPECT_EQ(-EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_REFILL, &arg));
	/* Several in one call; the first bad one ends it. */
	for (int i = 0; i < GOHEAP_MAX_REFILL; i++)
		l[i] = (struct goheap_lease){ .index = i, .bytes = 16 << i % 4 };
	EXPECT_EQ(0, gh_refill(self->fd, l, GOHEAP_MAX_REFILL, &done));
	EXPECT_EQ(GOHEAP_MAX_REFILL, done);
	for (int i = 0; i < GOHEAP_MAX_REFILL; i++) {
		EXPECT_EQ(16 << i % 4, l[i].slot_bytes);
		EXPECT_LE(1, l[i].words);
	}
	l[3].layout = 4711;
	EXPECT_EQ(0, gh_refill(self->fd, l, GOHEAP_MAX_REFILL, &done));
	EXPECT_EQ(3, done);
}

TEST_F(mutator, objects)
{
	struct heap *h = &self->heap;
	__u64 *seen = calloc(MIB / 16 / 64, 8);
	goheap_ref ref;

	ASSERT_NE(NULL, seen);
	for (int i = 0; i < 20000; i++) {
		__u64 slot;

		ref = mutator_new(&self->mut, self->fd, 1, 16, self->node);
		ASSERT_NE(0, ref);
		slot = (ref & GOHEAP_REF_OFFSET_MASK) / 16;
		ASSERT_GT(MIB / 16, slot);
		ASSERT_EQ(0, seen[slot / 64] >> slot % 64 & 1);
		seen[slot / 64] |= 1ULL << slot % 64;
		ASSERT_EQ(0, *heap_word(h, ref, 0));
		ASSERT_EQ(0, *heap_word(h, ref, 1));
		*heap_word(h, ref, 1) = ~0ULL;
	}
	EXPECT_TRUE(heap_has(h, ref));
	free(seen);
	EXPECT_EQ(0, heap_live(h));
}

TEST_F(mutator, few_calls)
{
	struct heap *h = &self->heap;
	unsigned int calls = 0;

	for (int i = 0; i < 200000; i++) {
		if (mutator_take(&self->mut, 2))
			continue;
		calls++;
		ASSERT_EQ(0, mutator_refill(&self->mut, self->fd, 2, 32, 0));
		ASSERT_NE(0, mutator_take(&self->mut, 2));
	}
	EXPECT_GT(200, calls);
	EXPECT_EQ(0, heap_live(h));
}

TEST_F(mutator, statistics_are_exact)
{
	struct goheap_stats a, b;

	ASSERT_EQ(0, gh_stats(self->fd, &a));
	for (int i = 0; i < 1000; i++)
		ASSERT_NE(0, mutator_new(&self->mut, self->fd, 0, 48, 0));
	/* One slot, shared by eight objects; what cannot be is not believed. */
	ASSERT_NE(0, mutator_new(&self->mut, self->fd, 1, 16, 0));
	self->mut.page->tiny_allocs = ~0ULL;
	ASSERT_EQ(0, gh_stats(self->fd, &b));
	EXPECT_EQ(15, b.tiny_allocs);
	self->mut.page->tiny_allocs = 7;
	ASSERT_EQ(0, gh_stats(self->fd, &b));
	EXPECT_EQ(a.mallocs + 1008, b.mallocs);
	EXPECT_EQ(a.total_alloc + 48016, b.total_alloc);
	EXPECT_EQ(7, b.tiny_allocs);
	ASSERT_EQ(0, gh_collect(self->fd));
	ASSERT_EQ(0, gh_stats(self->fd, &b));
	EXPECT_EQ(a.mallocs + 1008, b.mallocs);
	EXPECT_EQ(a.frees + 1008, b.frees);
	mutator_detach(&self->mut);
	ASSERT_EQ(0, gh_collect(self->fd));
	ASSERT_EQ(0, gh_stats(self->fd, &b));
	EXPECT_EQ(a.mallocs + 1008, b.mallocs);
	EXPECT_EQ(7, b.tiny_allocs);
	ASSERT_EQ(0, mutator_attach(&self->mut, self->fd, true));
}

TEST_F(mutator, collection_takes_leases_back)
{
	struct heap *h = &self->heap;
	struct mutator *m = &self->mut;
	__u64 generation;
	goheap_ref ref;

	ref = mutator_new(m, self->fd, 0, 64, 0);
	ASSERT_NE(0, ref);
	h->stack->slots[0] = ref;
	h->stack->top = 1;
	generation = m->page->generation;
	ASSERT_NE(0, m->slots[0].mask);
	EXPECT_EQ(1, heap_live(h));
	EXPECT_EQ(generation + 1, m->page->generation);
	EXPECT_EQ(0, m->slots[0].mask);
	EXPECT_EQ(0, mutator_take(m, 0));
	EXPECT_TRUE(heap_has(h, ref));
	EXPECT_NE(0, mutator_new(m, self->fd, 0, 64, 0));
}

TEST_F(mutator, status)
{
	struct goheap_status *s;

	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED, self->fd, GOHEAP_MMAP_STATUS));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED,
				   self->fd, GOHEAP_MMAP_STATUS));
	EXPECT_EQ(EINVAL, errno);
	s = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd,
		 GOHEAP_MMAP_STATUS);
	ASSERT_NE(MAP_FAILED, s);
	EXPECT_EQ(-1, mprotect(s, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, s->cycles);
	EXPECT_EQ(0, s->marking);
	ASSERT_EQ(0, gh_collect(self->fd));
	ASSERT_EQ(0, gh_collect(self->fd));
	EXPECT_EQ(2, s->cycles);
	EXPECT_EQ(0, s->marking);
	munmap(s, PAGE);
}

/* What is counted is a root of the next cycle, and of one only. */
TEST_F(mutator, barrier_buffer)
{
	struct heap *h = &self->heap;
	struct mutator *m = &self->mut;
	goheap_ref kept, later, other;

	kept = mutator_new(m, self->fd, 0, 64, 0);
	other = mutator_new(m, self->fd, 0, 64, 0);
	m->page->barrier[0] = kept;
	m->page->barrier[1] = other;
	m->page->nr_barrier = 1;
	ASSERT_EQ(0, gh_collect(self->fd));
	EXPECT_TRUE(heap_has(h, kept));
	EXPECT_FALSE(heap_has(h, other));
	/* The thread alone knows whether it is about to add one. */
	EXPECT_EQ(1, m->page->nr_barrier);
	later = mutator_new(m, self->fd, 0, 64, 0);
	m->page->barrier[1] = later;
	m->page->nr_barrier = 2;
	ASSERT_EQ(0, gh_collect(self->fd));
	EXPECT_FALSE(heap_has(h, kept));
	EXPECT_TRUE(heap_has(h, later));
	EXPECT_EQ(2, m->page->nr_barrier);
	EXPECT_EQ(0, heap_live(h));
}

/* Emptied while nobody marks, it has nothing to say. */
TEST_F(mutator, barrier_emptied)
{
	struct heap *h = &self->heap;
	struct mutator *m = &self->mut;
	goheap_ref ref;

	ref = mutator_new(m, self->fd, 0, 64, 0);
	m->page->barrier[0] = ref;
	m->page->nr_barrier = 5;
	EXPECT_EQ(0, gh_barrier(self->fd));
	EXPECT_EQ(0, m->page->nr_barrier);
	EXPECT_EQ(0, gh_report(self->fd, &ref, 1));
	EXPECT_EQ(0, heap_live(h));
	/* And is read from its start again. */
	ref = mutator_new(m, self->fd, 0, 64, 0);
	m->page->barrier[0] = ref;
	m->page->nr_barrier = 1;
	EXPECT_EQ(1, heap_live(h));
	EXPECT_TRUE(heap_has(h, ref));
	EXPECT_EQ(0, heap_live(h));
}

/* References that come in the call need no control pages, only a mapping. */
TEST_F(mutator, barrier_arguments)
{
	struct heap *h = &self->heap;
	__u32 max = h->info.max_batch;
	goheap_ref *refs = calloc(max + 1, sizeof(*refs));
	struct goheap_barrier arg;
	char *page = page_with(PROT_READ | PROT_WRITE);

	ASSERT_NE(NULL, refs);
	ASSERT_NE(MAP_FAILED, page);
	mutator_detach(&self->mut);
	EXPECT_EQ(-ENOTCONN, gh_barrier(self->fd));
	for (__u32 i = 0; i <= max; i++)
		refs[i] = i % 2 ? NO_REF + i : ~0ULL - i;
	refs[7] = heap_push(h, 64, 0);
	EXPECT_EQ(0, gh_report(self->fd, refs, 1));
	EXPECT_EQ(0, gh_report(self->fd, refs, max));
	EXPECT_EQ(-EINVAL, gh_report(self->fd, refs, max + 1));
	EXPECT_EQ(-EINVAL, gh_report(self->fd, refs, ~0U));
	EXPECT_EQ(-EFAULT, gh_report(self->fd, NULL, 1));
	munmap(page, PAGE);
	EXPECT_EQ(-EFAULT, gh_report(self->fd, (void *)page, max));
	gh_init(&arg);
	arg.count = 1;
	arg.refs = (uintptr_t)refs;
	EXPECT_EQ(-EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_BARRIER, &arg));
	arg.reserved = 0;
	arg.flags = 1;
	EXPECT_EQ(-EINVAL, gh_ioctl(self->fd, GOHEAP_IOC_BARRIER, &arg));
	EXPECT_EQ(1, heap_live(h));
	munmap(h->base, h->info.address_space);
	EXPECT_EQ(-ENOTCONN, gh_report(self->fd, refs, 1));
	heap_set_base(h, map_objects(self->fd, h->info.address_space));
	ASSERT_NE(MAP_FAILED, h->base);
	free(refs);
	ASSERT_EQ(0, mutator_attach(&self->mut, self->fd, true));
}

TEST_F(mutator, child_attaches_anew)
{
	struct heap *h = &self->heap;
	pid_t pid;

	ASSERT_NE(0, mutator_new(&self->mut, self->fd, 0, 16, 0));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct mutator m;
		struct goheap_lease l = { .bytes = 16 };

		/* The parent's mapping is not there, and neither is a mutator. */
		CHILD_CHECK(gh_refill(self->fd, &l, 1, NULL) == -ENOTCONN);
		CHILD_CHECK(!mutator_attach(&m, self->fd, true));
		CHILD_CHECK(mutator_new(&m, self->fd, 0, 16, 0));
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_NE(0, mutator_new(&self->mut, self->fd, 0, 16, 0));
	EXPECT_EQ(0, heap_live(h));
}

TEST_F(mutator, parents_mapping_in_a_child)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		self->mut.page->nr_barrier = 1;
		_exit(0);
	}
	EXPECT_EQ(-SIGSEGV, wait_for(pid));
}

static void *attach_and_exit(void *arg)
{
	struct mutator m;
	int fd = *(int *)arg;

	if (mutator_attach(&m, fd, true) || !mutator_new(&m, fd, 0, 16, 0))
		return arg;
	/* Nothing is unmapped. */
	return NULL;
}

TEST_F(mutator, thread_exits_without_detach)
{
	struct heap *h = &self->heap;
	void *failed;

	for (int i = 0; i < 200; i++) {
		pthread_t t;

		ASSERT_EQ(0, pthread_create(&t, NULL, attach_and_exit,
					    &self->fd));
		ASSERT_EQ(0, pthread_join(t, &failed));
		ASSERT_EQ(NULL, failed);
	}
	EXPECT_EQ(0, heap_live(h));
}

static void *attach_often(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 300; i++) {
		struct mutator m;

		if (mutator_attach(&m, fd, i & 1) ||
		    !mutator_new(&m, fd, i % MUTATOR_LEASES, 16 + i, 0))
			return arg;
		mutator_detach(&m);
	}
	return NULL;
}

TEST_F(mutator, attach_and_detach_often)
{
	pthread_t t[4];
	void *failed;

	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&t[i], NULL, attach_often,
					    &self->fd));
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(0, gh_collect(self->fd));
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &failed);
		EXPECT_EQ(NULL, failed);
	}
	EXPECT_EQ(0, heap_live(&self->heap));
}

TEST_F(mutator, scribbled_control_pages)
{
	struct heap *h = &self->heap;
	struct mutator *m = &self->mut;
	__u64 *words = (void *)m->page;
	__u64 seed = 42;
	goheap_ref kept;

	kept = heap_push(h, 128, 0);
	memset(heap_ptr(h, kept), 0x5a, 128);
	for (int i = 0; i < 300; i++) {
		for (unsigned int k = 0; k < MUTATOR_PAGES * PAGE / 8; k++)
			words[k] = rnd(&seed);
		EXPECT_EQ(0, mutator_refill(m, self->fd, i % MUTATOR_LEASES,
					    1ULL << i % 12, 0));
		if (i % 30 == 29)
			EXPECT_EQ(0, gh_collect(self->fd));
	}
	EXPECT_TRUE(heap_has(h, kept));
	EXPECT_TRUE(all_bytes(heap_ptr(h, kept), 0x5a, 128));
}

TEST_F(mutator, killed_while_allocating)
{
	struct heap *h = &self->heap;

	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			struct mutator m;

			heap_attach(h);
			if (mutator_attach(&m, h->fd, false))
				_exit(1);
			for (;;)
				mutator_new(&m, h->fd, 0, 16, self->node);
		}
		usleep(20000);
		kill(pid, SIGKILL);
		EXPECT_EQ(-SIGKILL, wait_for(pid));
	}
	EXPECT_EQ(0, heap_live(h));
}

TEST_HARNESS_MAIN
