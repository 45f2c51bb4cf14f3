// SPDX-License-Identifier: GPL-2.0
/*
 * Allocation: the size of slots, alignment, zeroed memory, objects that do not
 * overlap, batches, and everything that ALLOC and LAYOUT refuse.
 *
 * The size classes below are written down once more, from Go's published
 * table, so that the module's generator has something to disagree with.
 */
#include "goheap_test.h"

static const __u32 classes[GOHEAP_NR_SIZE_CLASSES] = {
	0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208,
	224, 240, 256, 288, 320, 352, 384, 416, 448, 480, 512, 576, 640, 704,
	768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072,
	3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728,
	10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760,
	24576, 27264, 28672, 32768,
};

/* The slot that an object of @bytes gets when it shares with nobody. */
static __u64 slot_bytes(__u64 bytes)
{
	unsigned int i;

	for (i = 1; i < ARRAY_SIZE(classes); i++)
		if (bytes <= classes[i])
			return classes[i];
	return (bytes + HEAP_PAGE - 1) / HEAP_PAGE * HEAP_PAGE;
}

FIXTURE(alloc) {
	struct heap heap;
	__u32 layout;		/* one reference, then data, in 8 bytes */
};

FIXTURE_SETUP(alloc)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->layout = gh_layout_words(self->heap.fd, 1, 1);
	ASSERT_NE(~0U, self->layout);
}

FIXTURE_TEARDOWN(alloc)
{
	heap_close(&self->heap);
}

/* Allocate @bytes and compare the slot with the table. */
static void check_slot(struct __test_metadata *_metadata, struct heap *h,
		       __u64 bytes, __u32 layout)
{
	struct goheap_object obj;
	goheap_ref ref;

	ref = heap_push(h, bytes, layout);
	ASSERT_NE(0, ref)
		TH_LOG("%llu bytes", bytes);
	ASSERT_EQ(0, gh_object(h->fd, ref, &obj));
	EXPECT_EQ(layout, obj.layout)
		TH_LOG("%llu bytes", bytes);
	if (layout == GOHEAP_LAYOUT_NOSCAN && bytes < 16) {
		/* May lie anywhere in a slot that it shares. */
		EXPECT_GE(obj.base + obj.bytes, ref + (bytes ? bytes : 1));
		EXPECT_LE(obj.base, ref);
		EXPECT_TRUE(obj.bytes == 8 || obj.bytes == 16);
		return;
	}
	EXPECT_EQ(ref, obj.base)
		TH_LOG("%llu bytes", bytes);
	EXPECT_EQ(slot_bytes(bytes), obj.bytes)
		TH_LOG("%llu bytes", bytes);
}

TEST_F(alloc, class_table)
{
	struct goheap_stats stats;
	unsigned int i;

	ASSERT_EQ(0, gh_stats(self->heap.fd, &stats));
	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		EXPECT_EQ(classes[i], stats.by_class[i].bytes)
			TH_LOG("class %u", i);
	}
}

TEST_F(alloc, known_slots)
{
	static const __u64 sizes[][2] = {
		{ 16, 16 }, { 17, 24 }, { 25, 32 }, { 100, 112 },
		{ 1000, 1024 }, { 5000, 5376 }, { 32768, 32768 },
		{ 32769, 40960 }, { MIB + 1, MIB + 8192 },
	};
	struct goheap_object obj;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, gh_object(self->heap.fd,
				       heap_push(&self->heap, sizes[i][0], 0),
				       &obj));
		EXPECT_EQ(sizes[i][1], obj.bytes)
			TH_LOG("%llu bytes", sizes[i][0]);
		EXPECT_EQ(0, obj.layout);
	}
	/* With references nothing is too small for a slot of its own. */
	ASSERT_EQ(0, gh_object(self->heap.fd,
			       heap_push(&self->heap, 8, self->layout), &obj));
	EXPECT_EQ(8, obj.bytes);
}

TEST_F(alloc, class_boundaries)
{
	unsigned int i;
	int delta;

	check_slot(_metadata, &self->heap, 0, 0);
	for (i = 1; i < ARRAY_SIZE(classes); i++) {
		for (delta = -1; delta <= 1; delta++)
			check_slot(_metadata, &self->heap, classes[i] + delta, 0);
		for (delta = -8; delta <= 8; delta += 8)
			if (classes[i] + delta)
				check_slot(_metadata, &self->heap,
					   classes[i] + delta, self->layout);
	}
}

/* A size aligns the object as in Go, from the least size that always does. */
TEST_F(alloc, alignment)
{
	static const struct {
		__u64 bytes;
		__u64 align;
	} rules[] = {
		{ 2, 2 }, { 4, 4 }, { 8, 8 }, { 12, 4 }, { 16, 16 }, { 24, 8 },
		{ 32, 16 }, { 48, 16 }, { 64, 64 }, { 256, 32 }, { 512, 64 },
		{ 768, 128 }, { 1024, 1024 }, { 4096, 4096 }, { 8192, 8192 },
		{ 28672, 4096 }, { 32768, 8192 }, { 40000, 8192 },
	};
	unsigned int i, n;
	goheap_ref ref;

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		for (n = 0; n < 20; n++) {
			/* Leave the tiny allocator's block at odd places. */
			ASSERT_NE(0, heap_push(&self->heap, n % 7 + 1, 0));
			ref = heap_push(&self->heap, rules[i].bytes, 0);
			ASSERT_NE(0, ref);
			EXPECT_EQ(0, ref % rules[i].align)
				TH_LOG("%llu bytes at %#llx", rules[i].bytes,
				       ref);
		}
	}
}

/*
 * What is left when nothing is kept: the slot that tiny objects still went into
 * on each CPU lives for one more cycle.
 */
static void check_empty(struct __test_metadata *_metadata, struct heap *h)
{
	struct goheap_stats stats;

	EXPECT_GE(sysconf(_SC_NPROCESSORS_CONF), heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(stats.heap_objects * 16, stats.alloc);
	EXPECT_EQ(0, heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(0, stats.alloc);
}

/* All sizes: zero at first, and zero again where garbage was. */
TEST_F(alloc, zeroed)
{
	static const __u64 sizes[] = {
		1, 8, 15, 16, 24, 100, 256, 1000, 5000, 8192, 16000, 32768,
		32769, 100000, MIB,
	};
	struct heap *h = &self->heap;
	unsigned int i, n, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			for (n = 0; n < 12; n++) {
				goheap_ref ref;
				char *p;

				ref = heap_push(h, sizes[i], n % 2 ? 0 :
						sizes[i] % 8 ? 0 : self->layout);
				ASSERT_NE(0, ref);
				p = heap_ptr(h, ref);
				EXPECT_TRUE(all_bytes(p, 0, sizes[i]))
					TH_LOG("%llu bytes, round %u", sizes[i],
					       round);
				memset(p, 0xff, sizes[i]);
			}
		}
		h->stack->top = 0;
		check_empty(_metadata, h);
	}
}

/* Slots that were freed are the ones that are given out again. */
TEST_F(alloc, reuse)
{
	struct heap *h = &self->heap;
	struct goheap_stats first, last;
	unsigned int i, round;

	for (round = 0; round < 10; round++) {
		ASSERT_EQ(10000, heap_push_many(h, 64, 0, 10000));
		for (i = 0; i < 10000; i++) {
			char *p = heap_ptr(h, h->stack->slots[i]);

			ASSERT_TRUE(all_bytes(p, 0, 64))
				TH_LOG("object %u, round %u", i, round);
			memset(p, 0xff, 64);
		}
		h->stack->top = 0;
		EXPECT_EQ(0, heap_live(h));
		ASSERT_EQ(0, gh_stats(h->fd, round ? &last : &first));
	}
	EXPECT_EQ(100000, last.mallocs);
	EXPECT_EQ(100000, last.frees);
	/* Not a byte of address space more than for one round and a little. */
	EXPECT_LE(last.heap_sys, first.heap_sys + 4 * MIB);
}

struct extent {
	__u64 begin;
	__u64 end;
};

static int by_begin(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/*
 * A random crowd of sizes and layouts, some of it dropped and replaced between
 * collections: no two live objects share a byte, and each keeps its bytes.
 */
TEST_F(alloc, no_overlap)
{
	enum { CROWD = 8000, ROUNDS = 4 };
	struct heap *h = &self->heap;
	struct extent *extents;
	__u64 seed = 0x600df00d;
	__u64 *sizes;
	__u32 layouts[4];
	unsigned int i, round;

	layouts[0] = GOHEAP_LAYOUT_NOSCAN;
	layouts[1] = self->layout;
	layouts[2] = gh_layout_words(h->fd, 4, 0x5);
	layouts[3] = gh_layout_words(h->fd, 6, 0x20);
	sizes = calloc(CROWD, sizeof(*sizes));
	extents = calloc(CROWD, sizeof(*extents));
	h->stack->top = CROWD;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < CROWD; i++) {
			goheap_ref *slot = &h->stack->slots[i];
			__u32 layout = rnd(&seed) % 4;
			__u64 bytes;
			char *p;

			if (*slot && rnd(&seed) % 2)
				continue;
			bytes = rnd(&seed) % (1 << (rnd(&seed) % 14));
			if (layout)
				bytes = bytes / 96 * 96 + 96;
			*slot = 0;
			ASSERT_EQ(0, gh_alloc(h->fd, bytes, layouts[layout], 1,
					      slot, NULL));
			sizes[i] = bytes;
			p = heap_ptr(h, *slot);
			ASSERT_TRUE(all_bytes(p, 0, bytes))
				TH_LOG("%llu bytes, layout %u", bytes, layout);
			/* A word of equal bytes leads out of a heap this small. */
			memset(p, i % 251 + 1, bytes);
		}
		ASSERT_EQ(0, gh_collect(h->fd));
		for (i = 0; i < CROWD; i++) {
			goheap_ref ref = h->stack->slots[i];

			ASSERT_TRUE(all_bytes(heap_ptr(h, ref), i % 251 + 1,
					      sizes[i]))
				TH_LOG("object %u of %llu bytes", i, sizes[i]);
			extents[i].begin = ref;
			extents[i].end = ref + (sizes[i] ? sizes[i] : 1);
		}
		qsort(extents, CROWD, sizeof(*extents), by_begin);
		for (i = 1; i < CROWD; i++) {
			ASSERT_LE(extents[i - 1].end, extents[i].begin);
		}
	}
	free(sizes);
	free(extents);
}

TEST_F(alloc, tiny)
{
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	struct goheap_object obj;
	unsigned int i;
	__u64 base;

	ASSERT_EQ(1000, heap_push_many(h, 1, 0, 1000));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(1000, stats.mallocs);
	/* They share: many of them in a slot of 16 bytes. */
	EXPECT_LE(stats.alloc, 1000 * 8);
	EXPECT_LE(500, stats.tiny_allocs);
	/* Nobody knows when a part of a slot dies: slots are counted. */
	EXPECT_EQ(1000 - stats.tiny_allocs, stats.heap_objects);
	EXPECT_EQ(stats.tiny_allocs, stats.frees);
	for (i = 0; i < 1000; i++)
		memset(heap_ptr(h, h->stack->slots[i]), i, 1);
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ((char)i,
			  *(char *)heap_ptr(h, h->stack->slots[i]));
	}
	/* One of a slot keeps the others. */
	ASSERT_EQ(0, gh_object(h->fd, h->stack->slots[500], &obj));
	base = obj.base;
	h->stack->slots[0] = h->stack->slots[500];
	h->stack->top = 1;
	/* Twice, because of the slot that was still filled. */
	ASSERT_EQ(0, gh_collect(h->fd));
	ASSERT_EQ(0, gh_collect(h->fd));
	EXPECT_EQ((char)500, *(char *)heap_ptr(h, h->stack->slots[0]));
	EXPECT_TRUE(heap_has(h, base));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(1, stats.heap_objects);
	EXPECT_EQ(16, stats.alloc);
	/* No cycle leaves a slot open. */
	h->stack->top = 0;
	EXPECT_EQ(0, heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(0, stats.alloc);
}

/* Something with references never shares, however small. */
TEST_F(alloc, small_with_references)
{
	struct heap *h = &self->heap;
	struct goheap_object obj;
	unsigned int i;

	ASSERT_EQ(1000, heap_push_many(h, 8, self->layout, 1000));
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(0, gh_object(h->fd, h->stack->slots[i], &obj));
		ASSERT_EQ(h->stack->slots[i], obj.base);
		ASSERT_EQ(8, obj.bytes);
	}
	h->stack->top = 1;
	EXPECT_EQ(1, heap_live(h));
}

TEST_F(alloc, large)
{
	static const __u64 sizes[] = {
		32 * KIB + 1, 40 * KIB, 100 * 1000, 512 * KIB, MIB,
		4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 8 * MIB + 8, 64 * MIB,
	};
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	struct goheap_object obj;
	__u64 sum = 0, slot;
	unsigned int i;
	goheap_ref ref;
	char *p;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		slot = (sizes[i] + HEAP_PAGE - 1) / HEAP_PAGE * HEAP_PAGE;
		ref = heap_push(h, sizes[i], 0);
		ASSERT_NE(0, ref)
			TH_LOG("%llu bytes", sizes[i]);
		ASSERT_EQ(0, gh_object(h->fd, ref + sizes[i] - 1, &obj));
		EXPECT_EQ(ref, obj.base);
		EXPECT_EQ(slot, obj.bytes);
		p = heap_ptr(h, ref);
		EXPECT_TRUE(all_bytes(p, 0, sizes[i] < 5 * MIB ? sizes[i] :
				      4 * PAGE));
		EXPECT_EQ(0, p[sizes[i] - 1]);
		p[0] = p[sizes[i] / 2] = p[sizes[i] - 1] = i + 1;
		sum += slot;
		ASSERT_EQ(0, gh_stats(h->fd, &stats));
		EXPECT_EQ(sum, stats.large_alloc_bytes);
		EXPECT_EQ(i + 1, stats.by_class[0].mallocs);
		EXPECT_LE(sum, stats.heap_inuse);
	}
	ASSERT_EQ(0, gh_collect(h->fd));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		p = heap_ptr(h, h->stack->slots[i]);
		EXPECT_EQ(i + 1, p[0]);
		EXPECT_EQ(i + 1, p[sizes[i] / 2]);
		EXPECT_EQ(i + 1, p[sizes[i] - 1]);
	}
	h->stack->top = 0;
	EXPECT_EQ(0, heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(sum, stats.large_free_bytes);
	EXPECT_EQ(ARRAY_SIZE(sizes), stats.by_class[0].frees);
	/* What was freed is zero when it comes back. */
	ref = heap_push(h, 8 * MIB, 0);
	ASSERT_NE(0, ref);
	EXPECT_TRUE(all_bytes(heap_ptr(h, ref), 0, 8 * MIB));
}

TEST_F(alloc, batches)
{
	struct heap *h = &self->heap;
	__u32 max = h->info.max_batch, done = 0;
	struct goheap_object obj;
	struct goheap_stats stats;
	goheap_ref *refs;
	__u32 i;

	refs = malloc((max + 1) * sizeof(*refs));
	memset(refs, POISON, (max + 1) * sizeof(*refs));
	ASSERT_EQ(0, gh_alloc(h->fd, 48, 0, max, refs, &done));
	EXPECT_EQ(max, done);
	for (i = 0; i < done; i++) {
		ASSERT_EQ(0, gh_object(h->fd, refs[i], &obj));
		ASSERT_EQ(refs[i], obj.base);
		ASSERT_EQ(48, obj.bytes);
	}
	EXPECT_TRUE(all_bytes(&refs[max], POISON, 8));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(max, stats.mallocs);
	EXPECT_EQ(max * 48, stats.total_alloc);
	EXPECT_EQ(0, heap_live(h));
	free(refs);
}

TEST_F(alloc, refused)
{
	struct heap *h = &self->heap;
	__u64 max = h->info.max_object_size;
	const struct {
		__u64 bytes;
		__u32 layout;
		__u32 count;
		int error;
	} wrong[] = {
		{ 8, 0, 0, -EINVAL },
		{ 8, 0, h->info.max_batch + 1, -EINVAL },
		{ 8, 0, 1U << 31, -EINVAL },
		{ 8, 0, ~0U, -EINVAL },
		{ max + 1, 0, 1, -EINVAL },
		{ 1ULL << 62, 0, 1, -EINVAL },
		{ (1ULL << 63) - 1, 0, 1, -EINVAL },
		{ 1ULL << 63, 0, 1, -EINVAL },
		{ ~0ULL - HEAP_PAGE, 0, 1, -EINVAL },
		{ ~0ULL, 0, 1, -EINVAL },
		{ ~0ULL / h->info.max_batch + 1, 0, h->info.max_batch, -EINVAL },
		{ 8, self->layout + 1, 1, -ENOENT },
		{ 8, h->info.max_layouts, 1, -ENOENT },
		{ 8, 1U << 31, 1, -ENOENT },
		{ 8, ~0U, 1, -ENOENT },
		{ GOHEAP_MANAGED_STACK_MIN - 1, GOHEAP_LAYOUT_STACK, 1,
		  -EINVAL },
	};
	struct goheap_stats before, after;
	goheap_ref refs[4];
	unsigned int i;

	ASSERT_EQ(0, gh_stats(h->fd, &before));
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		memset(refs, POISON, sizeof(refs));
		EXPECT_EQ(wrong[i].error,
			  gh_alloc(h->fd, wrong[i].bytes, wrong[i].layout,
				   wrong[i].count, refs, NULL))
			TH_LOG("row %u", i);
		EXPECT_TRUE(all_bytes(refs, POISON, sizeof(refs)))
			TH_LOG("row %u", i);
		ASSERT_EQ(0, gh_stats(h->fd, &after));
		EXPECT_TRUE(stats_same(&before, &after))
			TH_LOG("row %u", i);
	}
}

/* The largest object there may be, in a heap that has no room for it. */
TEST_F(alloc, no_room)
{
	struct heap *h = &self->heap;
	struct goheap_stats before, after;
	goheap_ref ref = NO_REF;

	ASSERT_EQ(0, gh_param_set(h->fd, GOHEAP_PARAM_MAX_HEAP, 16 * MIB));
	ASSERT_EQ(0, gh_stats(h->fd, &before));
	EXPECT_EQ(-ENOMEM, gh_alloc(h->fd, h->info.max_object_size, 0, 1, &ref,
				    NULL));
	EXPECT_EQ(-ENOMEM, gh_alloc(h->fd, 17 * MIB, 0, 1, &ref, NULL));
	EXPECT_EQ(NO_REF, ref);
	ASSERT_EQ(0, gh_stats(h->fd, &after));
	EXPECT_EQ(before.heap_objects, after.heap_objects);
	EXPECT_EQ(before.mallocs, after.mallocs);
	EXPECT_NE(0, heap_push(h, 8 * MIB, 0));
}

/* The ceiling comes in the middle of a batch: a part of it is handed out. */
TEST_F(alloc, partial)
{
	struct heap *h = &self->heap;
	__u32 count = h->info.max_batch, done = 0, i;
	struct goheap_stats stats;

	ASSERT_EQ(0, gh_param_set(h->fd, GOHEAP_PARAM_MAX_HEAP, 16 * MIB));
	h->stack->top = count;
	ASSERT_EQ(0, gh_alloc(h->fd, MIB, 0, count, h->stack->slots, &done));
	EXPECT_LE(8, done);
	EXPECT_GE(16, done);
	for (i = 0; i < done; i++) {
		EXPECT_TRUE(heap_has(h, h->stack->slots[i]));
	}
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(done, stats.heap_objects);
	EXPECT_EQ(done, heap_live(h));
	/* Nothing at all is an error. */
	EXPECT_EQ(-ENOMEM, gh_alloc(h->fd, 8 * MIB, 0, count,
				    h->stack->slots + done, NULL));
	EXPECT_EQ(done, heap_live(h));
}

/* Half of the references have no place to go. */
TEST_F(alloc, half_a_buffer)
{
	struct heap *h = &self->heap;
	goheap_ref *refs;
	unsigned int i;
	char *page;

	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, munmap(page + PAGE, PAGE));
	for (i = 0; i < 20; i++) {
		refs = (goheap_ref *)(page + PAGE) - 100;
		EXPECT_EQ(-EFAULT, gh_alloc(h->fd, 16 << (i % 12), 0, 200, refs,
					    NULL));
		/* In the middle of a reference. */
		EXPECT_EQ(-EFAULT, gh_alloc(h->fd, 40, self->layout, 101,
					    (void *)refs + 4, NULL));
	}
	EXPECT_EQ(0, heap_live(h));
	EXPECT_NE(0, heap_push(h, 16, 0));
	EXPECT_EQ(1, heap_live(h));
}

TEST_F(alloc, layouts_refused)
{
	struct heap *h = &self->heap;
	static __u64 mask[2 + (1 << 16)] = { 1 };
	__u32 bits = h->info.max_layout_bits, id = ~0U;
	struct goheap_stats before, after;

	ASSERT_GE(sizeof(mask) * 8, bits + 64ULL);
	ASSERT_EQ(0, gh_stats(h->fd, &before));
	EXPECT_EQ(-EINVAL, gh_layout(h->fd, 0, 0, mask, &id));
	EXPECT_EQ(-EINVAL, gh_layout(h->fd, 0, 1, mask, &id));
	EXPECT_EQ(-EINVAL, gh_layout(h->fd, 1, 0, mask, &id));
	EXPECT_EQ(-EINVAL, gh_layout(h->fd, 4, 1, mask, &id));
	EXPECT_EQ(-EINVAL, gh_layout(h->fd, 12, 1, mask, &id));
	EXPECT_EQ(-EINVAL, gh_layout(h->fd, ~0ULL, 1, mask, &id));
	/* More bits than words. */
	EXPECT_EQ(-EINVAL, gh_layout(h->fd, 8, 2, mask, &id));
	EXPECT_EQ(-EINVAL, gh_layout(h->fd, 512, 65, mask, &id));
	EXPECT_EQ(-EINVAL, gh_layout(h->fd, 64, ~0U, mask, &id));
	EXPECT_EQ(-EINVAL, gh_layout(h->fd, (bits + 1) * 8ULL, bits + 1, mask,
				     &id));
	/* Bits beyond nr_bits, in the last word and only there. */
	mask[0] = 2;
	EXPECT_EQ(-EINVAL, gh_layout(h->fd, 64, 1, mask, &id));
	mask[0] = 1ULL << 63;
	EXPECT_EQ(-EINVAL, gh_layout(h->fd, 1024, 63, mask, &id));
	mask[0] = 1;
	mask[1] = 2;
	EXPECT_EQ(-EINVAL, gh_layout(h->fd, 1024, 65, mask, &id));
	EXPECT_EQ(~0U, id);
	/* A word that nr_bits does not reach is not looked at. */
	mask[1] = ~0ULL;
	EXPECT_EQ(0, gh_layout(h->fd, 1024, 64, mask, &id));
	EXPECT_NE(0, id);
	mask[1] = 0;
	EXPECT_EQ(0, gh_layout(h->fd, bits * 8ULL, bits, mask, &id));
	ASSERT_EQ(0, gh_stats(h->fd, &after));
	EXPECT_TRUE(stats_same(&before, &after));
}

TEST_F(alloc, equal_layouts)
{
	struct heap *h = &self->heap;
	__u64 mask[2] = { 0x11, 0x8 };
	__u32 a, b, c, d;

	ASSERT_EQ(0, gh_layout(h->fd, 1024, 68, mask, &a));
	ASSERT_EQ(0, gh_layout(h->fd, 1024, 68, mask, &b));
	EXPECT_EQ(a, b);
	mask[1] = 0x4;
	ASSERT_EQ(0, gh_layout(h->fd, 1024, 68, mask, &c));
	EXPECT_NE(a, c);
	ASSERT_EQ(0, gh_layout(h->fd, 1032, 68, mask, &d));
	EXPECT_NE(c, d);
	/* No bit set is no layout of its own. */
	mask[0] = mask[1] = 0;
	ASSERT_EQ(0, gh_layout(h->fd, 1024, 68, mask, &d));
	EXPECT_EQ(GOHEAP_LAYOUT_NOSCAN, d);
	ASSERT_EQ(0, gh_layout(h->fd, 8, 0, NULL, &d));
	EXPECT_EQ(GOHEAP_LAYOUT_NOSCAN, d);
	/* Nor is any that of managed stacks. */
	mask[0] = 1;
	ASSERT_EQ(0, gh_layout(h->fd, 8, 1, mask, &d));
	EXPECT_LT(GOHEAP_LAYOUT_STACK, d);
}

TEST_F(alloc, layout_table_full)
{
	struct heap *h = &self->heap;
	__u32 i, id = 0, last = 0, nr = 2;
	goheap_ref ref;
	__u64 mask;

	/* NOSCAN, STACK and the fixture's are there; count the others. */
	for (i = 2; i <= h->info.max_layouts + 1; i++) {
		int ret;

		mask = i;
		ret = gh_layout(h->fd, 128, 16, &mask, &id);
		if (ret) {
			EXPECT_EQ(-ENOSPC, ret);
			break;
		}
		nr++;
		EXPECT_NE(last, id);
		EXPECT_GT(h->info.max_layouts, id);
		last = id;
	}
	EXPECT_EQ(h->info.max_layouts, nr + 1);
	/* Those that are there go on working, old ones and equal ones. */
	EXPECT_NE(0, heap_push(h, 8, self->layout));
	ref = heap_push(h, 128, last);
	EXPECT_NE(0, ref);
	mask = 2;
	EXPECT_EQ(0, gh_layout(h->fd, 128, 16, &mask, &id));
	mask = ~0ULL >> 48;
	EXPECT_EQ(-ENOSPC, gh_layout(h->fd, 128, 16, &mask, &id));
}

/* Threads allocate at once: nothing is given to two of them. */

struct worker {
	struct heap *heap;
	goheap_ref *refs;
	unsigned int nr;
	int error;
};

static void *allocate(void *arg)
{
	struct worker *w = arg;
	unsigned int i;

	for (i = 0; i < w->nr && !w->error; i += 50)
		w->error = gh_alloc(w->heap->fd, 32, 0, 50, w->refs + i, NULL);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	const goheap_ref *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

TEST_F(alloc, threads)
{
	enum { THREADS = 4, EACH = 10000 };
	struct heap *h = &self->heap;
	struct worker workers[THREADS];
	struct goheap_stats stats;
	pthread_t threads[THREADS];
	goheap_ref *all;
	unsigned int i;

	h->stack->top = THREADS * EACH;
	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){
			.heap = h,
			.refs = &h->stack->slots[i * EACH],
			.nr = EACH,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, allocate,
					    &workers[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, workers[i].error);
	}
	EXPECT_EQ(THREADS * EACH, heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(THREADS * EACH, stats.mallocs);
	all = malloc(THREADS * EACH * sizeof(*all));
	memcpy(all, h->stack->slots, THREADS * EACH * sizeof(*all));
	qsort(all, THREADS * EACH, sizeof(*all), by_value);
	for (i = 1; i < THREADS * EACH; i++) {
		ASSERT_LE(all[i - 1] + 32, all[i]);
	}
	free(all);
}

TEST_HARNESS_MAIN
