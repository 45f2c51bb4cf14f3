// SPDX-License-Identifier: GPL-2.0
/*
 * Size classes: the table that mksizeclasses has made against the one that Go
 * publishes, and the lookup of every size against a search.
 */
#include "gh_internal.h"
#include "gh_sizeclass.h"
#include "gh_test.h"

struct row {
	u32 size;
	u32 span_bytes;
	u32 objects;
	u32 tail_waste;
};

static const struct row rows[GH_NR_CLASSES] = {
	[1] = { 8, 8192, 1024, 0 },
	[2] = { 16, 8192, 512, 0 },
	[3] = { 24, 8192, 341, 8 },
	[4] = { 32, 8192, 256, 0 },
	[5] = { 48, 8192, 170, 32 },
	[6] = { 64, 8192, 128, 0 },
	[7] = { 80, 8192, 102, 32 },
	[8] = { 96, 8192, 85, 32 },
	[9] = { 112, 8192, 73, 16 },
	[10] = { 128, 8192, 64, 0 },
	[11] = { 144, 8192, 56, 128 },
	[12] = { 160, 8192, 51, 32 },
	[13] = { 176, 8192, 46, 96 },
	[14] = { 192, 8192, 42, 128 },
	[15] = { 208, 8192, 39, 80 },
	[16] = { 224, 8192, 36, 128 },
	[17] = { 240, 8192, 34, 32 },
	[18] = { 256, 8192, 32, 0 },
	[19] = { 288, 8192, 28, 128 },
	[20] = { 320, 8192, 25, 192 },
	[21] = { 352, 8192, 23, 96 },
	[22] = { 384, 8192, 21, 128 },
	[23] = { 416, 8192, 19, 288 },
	[24] = { 448, 8192, 18, 128 },
	[25] = { 480, 8192, 17, 32 },
	[26] = { 512, 8192, 16, 0 },
	[27] = { 576, 8192, 14, 128 },
	[28] = { 640, 8192, 12, 512 },
	[29] = { 704, 8192, 11, 448 },
	[30] = { 768, 8192, 10, 512 },
	[31] = { 896, 8192, 9, 128 },
	[32] = { 1024, 8192, 8, 0 },
	[33] = { 1152, 8192, 7, 128 },
	[34] = { 1280, 8192, 6, 512 },
	[35] = { 1408, 16384, 11, 896 },
	[36] = { 1536, 8192, 5, 512 },
	[37] = { 1792, 16384, 9, 256 },
	[38] = { 2048, 8192, 4, 0 },
	[39] = { 2304, 16384, 7, 256 },
	[40] = { 2688, 8192, 3, 128 },
	[41] = { 3072, 24576, 8, 0 },
	[42] = { 3200, 16384, 5, 384 },
	[43] = { 3456, 24576, 7, 384 },
	[44] = { 4096, 8192, 2, 0 },
	[45] = { 4864, 24576, 5, 256 },
	[46] = { 5376, 16384, 3, 256 },
	[47] = { 6144, 24576, 4, 0 },
	[48] = { 6528, 32768, 5, 128 },
	[49] = { 6784, 40960, 6, 256 },
	[50] = { 6912, 49152, 7, 768 },
	[51] = { 8192, 8192, 1, 0 },
	[52] = { 9472, 57344, 6, 512 },
	[53] = { 9728, 49152, 5, 512 },
	[54] = { 10240, 40960, 4, 0 },
	[55] = { 10880, 32768, 3, 128 },
	[56] = { 12288, 24576, 2, 0 },
	[57] = { 13568, 40960, 3, 256 },
	[58] = { 14336, 57344, 4, 0 },
	[59] = { 16384, 16384, 1, 0 },
	[60] = { 18432, 73728, 4, 0 },
	[61] = { 19072, 57344, 3, 128 },
	[62] = { 20480, 40960, 2, 0 },
	[63] = { 21760, 65536, 3, 256 },
	[64] = { 24576, 24576, 1, 0 },
	[65] = { 27264, 81920, 3, 128 },
	[66] = { 28672, 57344, 2, 0 },
	[67] = { 32768, 32768, 1, 0 },
};

static void gh_sizeclass_table(struct kunit *test)
{
	u32 i;

	for (i = 1; i < GH_NR_CLASSES; i++) {
		const struct gh_sizeclass *c = &gh_sizeclasses[i];
		const struct row *r = &rows[i];
		u32 bytes = c->npages * GH_PAGE_SIZE;

		KUNIT_EXPECT_EQ_MSG(test, c->size, r->size, "class %u", i);
		KUNIT_EXPECT_EQ_MSG(test, bytes, r->span_bytes, "class %u", i);
		KUNIT_EXPECT_EQ_MSG(test, c->nelems, r->objects, "class %u", i);
		KUNIT_EXPECT_EQ_MSG(test, bytes - c->nelems * c->size,
				    r->tail_waste, "class %u", i);
	}
}

/* Class 0 has no slots of its own: every offset is in slot 0. */
static void gh_sizeclass_large(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, gh_sizeclasses[0].size, 0);
	KUNIT_EXPECT_EQ(test, gh_sizeclasses[0].npages, 0);
	KUNIT_EXPECT_EQ(test, gh_sizeclasses[0].nelems, 0);
	KUNIT_EXPECT_EQ(test, gh_sizeclasses[0].divmul, 0);
}

static void gh_sizeclass_divmul(struct kunit *test)
{
	u32 i, slot, off;

	for (i = 1; i < GH_NR_CLASSES; i++) {
		const struct gh_sizeclass *c = &gh_sizeclasses[i];
		u32 bytes = c->npages * GH_PAGE_SIZE;

		for (slot = 0, off = 0; off <= bytes; off++) {
			if (off == (slot + 1) * c->size)
				slot++;
			if ((u64)off * c->divmul >> 32 != slot)
				break;
		}
		KUNIT_EXPECT_EQ_MSG(test, off, bytes + 1, "class %u", i);
	}
}

static void gh_sizeclass_lookup(struct kunit *test)
{
	u32 i = 1, bytes;

	for (bytes = 1; bytes <= GH_MAX_SMALL_SIZE; bytes++) {
		while (rows[i].size < bytes)
			i++;
		if (gh_sizeclass_of(bytes) != i)
			break;
	}
	KUNIT_EXPECT_EQ(test, bytes, GH_MAX_SMALL_SIZE + 1);
}

static u32 slot_for(u64 bytes)
{
	return gh_sizeclasses[gh_sizeclass_of(bytes)].size;
}

static void gh_sizeclass_sizes(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, slot_for(0), 8);
	KUNIT_EXPECT_EQ(test, slot_for(1), 8);
	KUNIT_EXPECT_EQ(test, slot_for(8), 8);
	KUNIT_EXPECT_EQ(test, slot_for(9), 16);
	KUNIT_EXPECT_EQ(test, slot_for(17), 24);
	KUNIT_EXPECT_EQ(test, slot_for(100), 112);
	KUNIT_EXPECT_EQ(test, slot_for(1016), 1024);
	KUNIT_EXPECT_EQ(test, slot_for(1024), 1024);
	KUNIT_EXPECT_EQ(test, slot_for(1025), 1152);
	KUNIT_EXPECT_EQ(test, slot_for(5000), 5376);
	KUNIT_EXPECT_EQ(test, slot_for(32768), 32768);
	KUNIT_EXPECT_EQ(test, gh_sizeclass_of(32769), 0);
	KUNIT_EXPECT_EQ(test, gh_sizeclass_of(U64_MAX), 0);
	KUNIT_EXPECT_EQ(test, gh_sizeclasses[GH_TINY_CLASS].size, GH_TINY_SIZE);
}

static struct kunit_case gh_sizeclass_cases[] = {
	KUNIT_CASE(gh_sizeclass_table),
	KUNIT_CASE(gh_sizeclass_large),
	KUNIT_CASE(gh_sizeclass_divmul),
	KUNIT_CASE(gh_sizeclass_lookup),
	KUNIT_CASE(gh_sizeclass_sizes),
	{}
};

static struct kunit_suite gh_sizeclass_suite = {
	.name = "gh_sizeclass",
	.test_cases = gh_sizeclass_cases,
};

gh_test_suite(gh_sizeclass_suite);
