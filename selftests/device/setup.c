// SPDX-License-Identifier: GPL-2.0
/*
 * What a heap is told, and tells of itself: values of INFO, SETUP and PARAM.
 */
#include "goheap_test.h"

FIXTURE(setup) {
	struct heap heap;
	int fresh;		/* a heap that is not in use, for SETUP */
	goheap_ref ref;		/* in slot 0 */
	__u64 mask;
};

FIXTURE_SETUP(setup)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fresh = open(DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fresh);
	self->ref = heap_push(&self->heap, 64, GOHEAP_LAYOUT_NOSCAN);
	ASSERT_NE(0, self->ref);
	self->mask = 1;
}

FIXTURE_TEARDOWN(setup)
{
	close(self->fresh);
	heap_close(&self->heap);
}

TEST_F(setup, info)
{
	struct goheap_info a, b;

	ASSERT_EQ(0, gh_info(self->heap.fd, &a));
	ASSERT_EQ(0, gh_info(self->fresh, &b));
	EXPECT_EQ(sizeof(a), a.size);
	EXPECT_EQ(GOHEAP_ABI, a.abi);
	EXPECT_EQ(GOHEAP_FEATURE_ROOTS | GOHEAP_FEATURE_HANDLE_STACKS |
		  GOHEAP_FEATURE_MEMORY_LIMIT | GOHEAP_FEATURE_MANAGED_STACKS |
		  GOHEAP_FEATURE_MUTATORS | GOHEAP_FEATURE_RANGES |
		  GOHEAP_FEATURE_READERS,
		  a.features);
	EXPECT_NE(a.heap_id, b.heap_id);
	EXPECT_NE(0, a.tag);
	EXPECT_NE(0, b.tag);
	EXPECT_GE(0xffff, a.tag);
	EXPECT_NE(a.tag, b.tag);
	EXPECT_EQ(GIB, a.address_space);
	EXPECT_EQ(0, b.address_space % (64 * MIB));
	EXPECT_LE(64 * MIB, b.address_space);
	EXPECT_GE(64 * TIB, b.address_space);
	EXPECT_EQ(HEAP_PAGE, a.page_size);
	EXPECT_EQ(GOHEAP_NR_SIZE_CLASSES, a.nr_size_classes);
	EXPECT_EQ(32 * KIB, a.max_small_size);
	EXPECT_LT(a.max_small_size, a.max_object_size);
	EXPECT_GE(a.address_space, a.max_object_size);
	EXPECT_LT(1, a.max_layouts);
	EXPECT_LE(64, a.max_layout_bits);
	EXPECT_LT(1, a.max_batch);
	EXPECT_LT(1, a.max_roots);
	EXPECT_EQ(0, a.reserved);
	/* The reference carries the heap's tag. */
	EXPECT_EQ(a.tag, self->ref >> GOHEAP_REF_TAG_SHIFT);
	EXPECT_GT(a.address_space, self->ref & GOHEAP_REF_OFFSET_MASK);
}

TEST_F(setup, values)
{
	static const __u64 wrong[] = {
		1, 4096, 64 * MIB - 1, 64 * MIB + 1, 96 * MIB,
		64 * TIB + 64 * MIB, 128 * TIB, 1ULL << 63, ~0ULL,
		~0ULL << 26,
	};
	static const __u64 right[] = { 64 * MIB, GIB, TIB, 64 * TIB };
	struct goheap_info before, info;
	unsigned int i;
	goheap_ref ref;
	__s64 value;
	void *p;
	__u32 id;
	int fd;

	ASSERT_EQ(0, gh_info(self->fresh, &before));
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-EINVAL, gh_setup(self->fresh, wrong[i], 0))
			TH_LOG("%#llx", wrong[i]);
		ASSERT_EQ(0, gh_info(self->fresh, &info));
		EXPECT_EQ(0, memcmp(&before, &info, sizeof(info)));
	}
	EXPECT_EQ(-EINVAL, gh_setup(self->fresh, GIB, 1ULL << 63));
	for (i = 0; i < ARRAY_SIZE(right); i++) {
		EXPECT_EQ(0, gh_setup(self->fresh, right[i], 128 * MIB))
			TH_LOG("%#llx", right[i]);
		ASSERT_EQ(0, gh_info(self->fresh, &info));
		EXPECT_EQ(right[i], info.address_space);
		ASSERT_EQ(0, gh_param_get(self->fresh, GOHEAP_PARAM_MAX_HEAP,
					  &value));
		EXPECT_EQ(128 * MIB, value);
	}
	/* Zero takes the defaults back. */
	EXPECT_EQ(0, gh_setup(self->fresh, 0, 0));
	ASSERT_EQ(0, gh_info(self->fresh, &info));
	EXPECT_EQ(before.address_space, info.address_space);
	ASSERT_EQ(0, gh_param_get(self->fresh, GOHEAP_PARAM_MAX_HEAP, &value));
	EXPECT_EQ(0, value);

	/* In use: mapped, ... */
	EXPECT_EQ(-EBUSY, gh_setup(self->heap.fd, GIB, 0));
	/* ... with a layout, or (below) collected. */
	ASSERT_EQ(0, gh_setup(self->fresh, 64 * TIB, 0));
	ASSERT_EQ(0, gh_layout(self->fresh, 8, 1, &self->mask, &id));
	EXPECT_EQ(-EBUSY, gh_setup(self->fresh, GIB, 0));
	ASSERT_EQ(0, gh_info(self->fresh, &info));
	EXPECT_EQ(64 * TIB, info.address_space);
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, gh_collect(fd));
	EXPECT_EQ(-EBUSY, gh_setup(fd, GIB, 0));
	close(fd);
	/* The largest heap can be mapped and used. */
	p = map_objects(self->fresh, 64 * TIB);
	EXPECT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, gh_alloc(self->fresh, 100, 0, 1, &ref, NULL));
}

/* What was refused, or only asked, has not made use of the heap. */
TEST_F(setup, after_refusals)
{
	struct goheap_stats stats;
	struct goheap_object obj;
	unsigned int i;
	goheap_ref ref;
	__u32 id;
	int fd;

	for (i = 0; i < 8; i++) {
		fd = open(DEVICE, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fd);
		switch (i) {
		case 0:		/* wrong length */
			EXPECT_EQ(MAP_FAILED, map_objects(fd, 64 * MIB));
			break;
		case 1:
			ASSERT_EQ(0, gh_setup(fd, GIB, 0));
			EXPECT_EQ(MAP_FAILED,
				  mmap(NULL, GIB, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE, fd, GOHEAP_MMAP_OBJECTS));
			break;
		case 2:
			EXPECT_EQ(MAP_FAILED, map_stack(fd, PAGE));
			break;
		case 3:
			EXPECT_EQ(-EINVAL, gh_layout(fd, 12, 1, &self->mask,
						     &id));
			break;
		case 4:
			EXPECT_EQ(-ENOTCONN, gh_alloc(fd, 8, 0, 1,
						      &ref, NULL));
			break;
		case 5:
			EXPECT_EQ(-EINVAL, gh_object(fd, self->ref, &obj));
			break;
		case 6:
			ASSERT_EQ(0, gh_stats(fd, &stats));
			EXPECT_EQ(0, stats.mallocs);
			EXPECT_EQ(0, stats.sys);
			break;
		default:
			ASSERT_EQ(0, gh_param_set(fd, GOHEAP_PARAM_GC_PERCENT,
						  50));
		}
		EXPECT_EQ(0, gh_setup(fd, 2 * GIB, 0))
			TH_LOG("case %u", i);
		close(fd);
	}
}

TEST_F(setup, defaults)
{
	static const struct {
		__u32 id;
		__s64 value;
	} defaults[] = {
		{ GOHEAP_PARAM_GC_PERCENT, 100 },
		{ GOHEAP_PARAM_MEMORY_LIMIT, S64_MAX },
		{ GOHEAP_PARAM_MAX_HEAP, 0 },
		{ GOHEAP_PARAM_GCTRACE, 0 },
		{ GOHEAP_PARAM_INVALIDPTR, 1 },
		{ GOHEAP_PARAM_SCAVTRACE, 0 },
		{ GOHEAP_PARAM_MADVDONTNEED, 1 },
	};
	unsigned int i;
	__s64 value;

	for (i = 0; i < ARRAY_SIZE(defaults); i++) {
		value = ~defaults[i].value;
		EXPECT_EQ(0, gh_param_get(self->fresh, defaults[i].id, &value));
		EXPECT_EQ(defaults[i].value, value)
			TH_LOG("parameter %u", defaults[i].id);
	}
}

TEST_F(setup, parameters)
{
	static const struct {
		__u32 id;
		__s64 right[3];
		__s64 wrong[3];
	} params[] = {
		{ GOHEAP_PARAM_GC_PERCENT, { 0, 10000000, -1 },
		  { -2, INT64_MIN, 10000001 } },
		{ GOHEAP_PARAM_MEMORY_LIMIT, { 64 * MIB, 0, S64_MAX },
		  { -1, INT64_MIN, -1 } },
		{ GOHEAP_PARAM_MAX_HEAP, { 64 * MIB, GIB, 0 },
		  { -1, INT64_MIN, -1 } },
		{ GOHEAP_PARAM_GCTRACE, { 1, 2, 0 }, { 3, -1, INT64_MIN } },
		{ GOHEAP_PARAM_INVALIDPTR, { 1, 0, 1 }, { 2, -1, INT64_MIN } },
		{ GOHEAP_PARAM_SCAVTRACE, { 1, 1, 0 }, { 2, -1, INT64_MIN } },
		{ GOHEAP_PARAM_MADVDONTNEED, { 0, 0, 1 },
		  { 2, -1, INT64_MIN } },
	};
	int fd = self->fresh;
	unsigned int i, n;
	__s64 old, value;
	__u32 id;

	for (i = 0; i < ARRAY_SIZE(params); i++) {
		ASSERT_EQ(0, gh_param_get(fd, params[i].id, &value));
		for (n = 0; n < 3; n++) {
			old = NO_REF;
			EXPECT_EQ(0, gh_param(fd, GOHEAP_PARAM_SET,
					      params[i].id, params[i].right[n],
					      &old))
				TH_LOG("parameter %u, value %u", i, n);
			EXPECT_EQ(value, old);
			value = old = NO_REF;
			EXPECT_EQ(0, gh_param_get(fd, params[i].id, &value));
			EXPECT_EQ(params[i].right[n], value);
			EXPECT_EQ(-EINVAL, gh_param_set(fd, params[i].id,
							params[i].wrong[n]))
				TH_LOG("parameter %u, value %u", i, n);
			EXPECT_EQ(0, gh_param_get(fd, params[i].id, &value));
			EXPECT_EQ(params[i].right[n], value);
		}
	}
	for (id = GOHEAP_PARAM_GCPERIOD + 1; id; id <<= 1) {
		EXPECT_EQ(-ENOENT, gh_param_get(fd, id, &value))
			TH_LOG("parameter %u", id);
		EXPECT_EQ(-ENOENT, gh_param_set(fd, id, 0))
			TH_LOG("parameter %u", id);
	}
}

/* The value of a parameter means nothing without GOHEAP_PARAM_SET. */
TEST_F(setup, value_without_set)
{
	__s64 value = 0;

	EXPECT_EQ(-EINVAL, gh_param(self->heap.fd, 0, GOHEAP_PARAM_GC_PERCENT,
				    50, &value));
	EXPECT_EQ(0, value);
	EXPECT_EQ(0, gh_param_get(self->heap.fd, GOHEAP_PARAM_GC_PERCENT,
				  &value));
	EXPECT_EQ(-1, value);
}

TEST_HARNESS_MAIN
