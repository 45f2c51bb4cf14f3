// SPDX-License-Identifier: GPL-2.0
/*
 * Roots and reachability: what keeps an object and what does not.
 *
 * The oracle is GOHEAP_IOC_OBJECT, which knows allocated slots from free ones,
 * together with the number of objects after a collection. A test that expects
 * an object to be kept always has one beside it that must go, so that a
 * collector that frees nothing fails as surely as one that frees too much.
 */
#include "goheap_test.h"

FIXTURE(roots) {
	struct heap heap;
	int fd;
	__u32 node;		/* { next, value } */
};

FIXTURE_SETUP(roots)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
	self->node = gh_layout_words(self->fd, 2, 1);
	ASSERT_NE(~0U, self->node);
}

FIXTURE_TEARDOWN(roots)
{
	heap_close(&self->heap);
}

/* An object that nothing keeps. */
static goheap_ref loose(struct heap *h, __u64 bytes, __u32 layout)
{
	goheap_ref ref = 0;

	gh_alloc(h->fd, bytes, layout, 1, &ref, NULL);
	return ref;
}

/* Roots and slots that the last collection saw. */
static __u64 root_count(struct heap *h)
{
	struct goheap_stats stats;

	return gh_collect(h->fd) || gh_stats(h->fd, &stats) ?
	       ~0ULL : stats.root_count;
}

TEST_F(roots, add_set_remove)
{
	struct heap *h = &self->heap;
	goheap_ref a, b, c;
	__u32 id = ~0U, other = ~0U;

	a = loose(h, 32, 0);
	b = loose(h, 32, 0);
	c = loose(h, 32, 0);
	EXPECT_EQ(0, gh_root_add(self->fd, a, &id));
	EXPECT_EQ(0, gh_root_add(self->fd, b, &other));
	EXPECT_NE(id, other);
	EXPECT_EQ(2, heap_live(h));
	EXPECT_TRUE(heap_has(h, a));
	EXPECT_TRUE(heap_has(h, b));
	EXPECT_FALSE(heap_has(h, c));

	/* Another object for the root: the first one goes. */
	c = loose(h, 32, 0);
	EXPECT_EQ(0, gh_root_set(self->fd, id, c));
	EXPECT_EQ(2, heap_live(h));
	EXPECT_FALSE(heap_has(h, a));
	EXPECT_TRUE(heap_has(h, c));

	/* None: the root stays, and can be set again. */
	EXPECT_EQ(0, gh_root_set(self->fd, id, 0));
	EXPECT_EQ(1, heap_live(h));
	a = loose(h, 32, 0);
	EXPECT_EQ(0, gh_root_set(self->fd, id, a));
	EXPECT_EQ(2, heap_live(h));

	EXPECT_EQ(0, gh_root_remove(self->fd, id));
	EXPECT_EQ(-ENOENT, gh_root_remove(self->fd, id));
	EXPECT_EQ(-ENOENT, gh_root_set(self->fd, id, b));
	EXPECT_EQ(1, heap_live(h));
	EXPECT_EQ(0, gh_root_remove(self->fd, other));
	EXPECT_EQ(0, heap_live(h));
}

/* Two roots of one object: it stays until both are gone. */
TEST_F(roots, twice)
{
	struct heap *h = &self->heap;
	goheap_ref ref = loose(h, 64, 0);
	__u32 ids[2];

	ASSERT_EQ(0, gh_root_add(self->fd, ref, &ids[0]));
	ASSERT_EQ(0, gh_root_add(self->fd, ref + 63, &ids[1]));
	EXPECT_NE(ids[0], ids[1]);
	ASSERT_EQ(0, gh_root_remove(self->fd, ids[0]));
	EXPECT_EQ(1, heap_live(h));
	EXPECT_TRUE(heap_has(h, ref));
	ASSERT_EQ(0, gh_root_remove(self->fd, ids[1]));
	EXPECT_EQ(0, heap_live(h));
}

TEST_F(roots, unknown_ids)
{
	static const __u32 wrong[] = { 1, 511, 512, 1U << 20, 1U << 31, ~0U };
	struct heap *h = &self->heap;
	goheap_ref ref = heap_push(h, 64, 0);
	unsigned int i;
	__u32 id;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-ENOENT, gh_root_remove(self->fd, wrong[i]));
		EXPECT_EQ(-ENOENT, gh_root_set(self->fd, wrong[i], ref));
		EXPECT_EQ(-ENOENT, gh_root_set(self->fd, wrong[i], 0));
	}
	ASSERT_EQ(0, gh_root_add(self->fd, ref, &id));
	EXPECT_EQ(-ENOENT, gh_root_remove(self->fd, id + 1));
	EXPECT_EQ(-ENOENT, gh_root_set(self->fd, ~id, ref));
	EXPECT_EQ(0, gh_root_remove(self->fd, id));
}

TEST_F(roots, counts)
{
	static const unsigned int cmds[] = {
		GOHEAP_IOC_ROOT_ADD, GOHEAP_IOC_ROOT_SET,
		GOHEAP_IOC_ROOT_REMOVE,
	};
	struct heap *h = &self->heap;
	__u32 max = h->info.max_batch;
	goheap_ref *refs;
	unsigned int i;
	__u32 *ids;

	refs = calloc(max + 1, sizeof(*refs));
	ids = malloc((max + 1) * sizeof(*ids));
	for (i = 0; i <= max; i++)
		refs[i] = heap_push(h, 16, 0);
	h->stack->top = 0;
	memset(ids, POISON, (max + 1) * sizeof(*ids));
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		EXPECT_EQ(-EINVAL, gh_roots(self->fd, cmds[i], 0, refs, ids));
		EXPECT_EQ(-EINVAL, gh_roots(self->fd, cmds[i], max + 1, refs,
					    ids));
		EXPECT_EQ(-EINVAL, gh_roots(self->fd, cmds[i], ~0U, refs, ids));
	}
	EXPECT_TRUE(all_bytes(ids, POISON, (max + 1) * sizeof(*ids)));
	/* The largest batch, there and back. */
	EXPECT_EQ(0, gh_roots(self->fd, GOHEAP_IOC_ROOT_ADD, max, refs, ids));
	EXPECT_TRUE(all_bytes(&ids[max], POISON, sizeof(*ids)));
	EXPECT_EQ(max, root_count(h));
	EXPECT_EQ(max, heap_live(h));
	EXPECT_EQ(0, gh_roots(self->fd, GOHEAP_IOC_ROOT_REMOVE, max, NULL, ids));
	EXPECT_EQ(0, root_count(h));
	EXPECT_EQ(0, heap_live(h));
	free(refs);
	free(ids);
}

/* A wrong one among right ones: the call does nothing, wherever it stands. */
TEST_F(roots, all_or_none)
{
	enum { NR = 5 };
	struct heap *h = &self->heap;
	goheap_ref refs[NR], other[NR], bad[NR];
	__u32 ids[NR], wrong[NR], poison[NR];
	unsigned int i, k;

	for (i = 0; i < NR; i++) {
		refs[i] = heap_push(h, 32, 0);
		other[i] = heap_push(h, 32, 0);
	}
	memset(poison, POISON, sizeof(poison));
	for (i = 0; i < NR; i++) {
		memcpy(bad, refs, sizeof(bad));
		bad[i] = NO_REF;
		memcpy(ids, poison, sizeof(ids));
		EXPECT_EQ(-EINVAL, gh_roots(self->fd, GOHEAP_IOC_ROOT_ADD, NR,
					    bad, ids));
		EXPECT_EQ(0, memcmp(ids, poison, sizeof(ids)));
		EXPECT_EQ(2 * NR, root_count(h));
	}

	ASSERT_EQ(0, gh_roots(self->fd, GOHEAP_IOC_ROOT_ADD, NR, refs, ids));
	for (i = 0; i < NR; i++) {
		memcpy(bad, other, sizeof(bad));
		bad[i] = NO_REF;
		EXPECT_EQ(-EINVAL, gh_roots(self->fd, GOHEAP_IOC_ROOT_SET, NR,
					    bad, ids));
		memcpy(wrong, ids, sizeof(ids));
		wrong[i] = ~0U;
		EXPECT_EQ(-ENOENT, gh_roots(self->fd, GOHEAP_IOC_ROOT_SET, NR,
					    other, wrong));
		EXPECT_EQ(-ENOENT, gh_roots(self->fd, GOHEAP_IOC_ROOT_REMOVE,
					    NR, NULL, wrong));
	}
	/* All roots hold what they held. */
	h->stack->top = 0;
	EXPECT_EQ(NR, heap_live(h));
	for (k = 0; k < NR; k++) {
		EXPECT_TRUE(heap_has(h, refs[k]));
		EXPECT_FALSE(heap_has(h, other[k]));
	}
	/* The same root twice can be removed only once, so not at all. */
	memcpy(wrong, ids, sizeof(ids));
	wrong[NR - 1] = ids[0];
	EXPECT_EQ(-ENOENT, gh_roots(self->fd, GOHEAP_IOC_ROOT_REMOVE, NR, NULL,
				    wrong));
	EXPECT_EQ(NR, heap_live(h));
	EXPECT_EQ(0, gh_roots(self->fd, GOHEAP_IOC_ROOT_REMOVE, NR, NULL, ids));
	EXPECT_EQ(0, heap_live(h));
}

/* Identifiers that cannot be handed over name no root afterwards. */
TEST_F(roots, half_a_buffer)
{
	struct heap *h = &self->heap;
	goheap_ref refs[100];
	unsigned int i;
	char *page;

	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, munmap(page + PAGE, PAGE));
	for (i = 0; i < 100; i++)
		refs[i] = loose(h, 32, 0);
	EXPECT_EQ(-EFAULT, gh_roots(self->fd, GOHEAP_IOC_ROOT_ADD, 100, refs,
				    (__u32 *)(page + PAGE) - 50));
	EXPECT_EQ(0, root_count(h));
	EXPECT_EQ(0, heap_live(h));
	/* References that cannot be read. */
	for (i = 0; i < 50; i++)
		((goheap_ref *)(page + PAGE))[-1 - (int)i] = loose(h, 32, 0);
	EXPECT_EQ(-EFAULT, gh_roots(self->fd, GOHEAP_IOC_ROOT_ADD, 51,
				    (goheap_ref *)(page + PAGE) - 50,
				    (__u32 *)page));
	EXPECT_EQ(0, root_count(h));
	EXPECT_EQ(0, heap_live(h));
}

TEST_F(roots, table_full)
{
	struct heap *h = &self->heap;
	__u32 max = h->info.max_roots, batch = h->info.max_batch;
	__u32 added, n, i, last[16];
	goheap_ref *refs;
	__u32 *ids;

	refs = malloc(batch * sizeof(*refs));
	ids = malloc(batch * sizeof(*ids));
	refs[0] = heap_push(h, 64, 0);
	for (i = 1; i < batch; i++)
		refs[i] = refs[0];
	ASSERT_LT(16, max);
	for (added = 0; added < max - 16; added += n) {
		n = max - 16 - added;
		if (n > batch)
			n = batch;
		ASSERT_EQ(0, gh_roots(self->fd, GOHEAP_IOC_ROOT_ADD, n, refs,
				      ids));
	}
	EXPECT_EQ(-ENOSPC, gh_roots(self->fd, GOHEAP_IOC_ROOT_ADD, 17, refs,
				    last));
	EXPECT_EQ(0, gh_roots(self->fd, GOHEAP_IOC_ROOT_ADD, 16, refs, last));
	EXPECT_EQ(-ENOSPC, gh_root_add(self->fd, refs[0], &i));
	EXPECT_EQ(0, gh_root_remove(self->fd, last[3]));
	EXPECT_EQ(0, gh_root_add(self->fd, refs[0], &i));
	EXPECT_EQ(max + 1, root_count(h));
	EXPECT_EQ(1, heap_live(h));
	free(refs);
	free(ids);
}

/* What looks like a reference and is none, at every door. */
static void refused(struct __test_metadata *_metadata, struct heap *h,
		    goheap_ref ref, const char *why)
{
	struct goheap_object obj;
	__u32 id = 0x5a5a5a5a, known;

	ASSERT_EQ(0, gh_root_add(h->fd, h->stack->slots[0], &known));
	EXPECT_EQ(-EINVAL, gh_object(h->fd, ref, &obj))
		TH_LOG("%s: %#llx", why, ref);
	EXPECT_EQ(-EINVAL, gh_root_add(h->fd, ref, &id))
		TH_LOG("%s: %#llx", why, ref);
	EXPECT_EQ(0x5a5a5a5a, id);
	EXPECT_EQ(-EINVAL, gh_root_set(h->fd, known, ref))
		TH_LOG("%s: %#llx", why, ref);
	EXPECT_EQ(0, gh_root_remove(h->fd, known));
}

TEST_F(roots, forged)
{
	struct heap *h = &self->heap;
	struct goheap_object obj;
	goheap_ref ref, big, gone, alien, tag;
	struct heap other;
	unsigned int i;

	ref = heap_push(h, 24, 0);
	big = heap_push(h, 5 * HEAP_PAGE, 0);
	tag = (__u64)h->info.tag << GOHEAP_REF_TAG_SHIFT;
	gone = loose(h, 24, 0);
	ASSERT_TRUE(heap_has(h, gone));
	ASSERT_EQ(2, heap_live(h));

	refused(_metadata, h, gone, "freed slot");
	refused(_metadata, h, ref & GOHEAP_REF_OFFSET_MASK, "no tag");
	for (i = 0; i < 16; i++) {
		refused(_metadata, h, ref ^ 1ULL << (GOHEAP_REF_TAG_SHIFT + i),
			"wrong tag");
	}
	refused(_metadata, h, tag | h->info.address_space, "just beyond");
	refused(_metadata, h, tag | GOHEAP_REF_OFFSET_MASK, "far beyond");
	refused(_metadata, h, ref + h->info.address_space, "wrapped around");
	refused(_metadata, h, tag | (h->info.address_space - 1), "unused");
	refused(_metadata, h, big + 5 * HEAP_PAGE, "behind a large object");
	refused(_metadata, h, ~0ULL, "all ones");
	refused(_metadata, h, 1, "one");
	/* 341 slots of 24 bytes leave 8 bytes of a page. */
	refused(_metadata, h, (ref & ~(HEAP_PAGE - 1)) + 8184, "tail of a span");
	refused(_metadata, h, (ref & ~(HEAP_PAGE - 1)) + 8191, "tail of a span");

	/* A good reference of a heap that is not this one. */
	ASSERT_EQ(0, heap_open(&other, GIB, 0));
	alien = heap_push(&other, 24, 0);
	ASSERT_NE(0, alien);
	refused(_metadata, h, alien, "other heap");
	heap_close(&other);

	/* Every byte of an object is good. */
	for (i = 0; i < 24; i++) {
		ASSERT_EQ(0, gh_object(h->fd, ref + i, &obj));
		EXPECT_EQ(ref, obj.base);
	}
	for (i = 0; i < 5 * HEAP_PAGE; i += 1111) {
		ASSERT_EQ(0, gh_object(h->fd, big + i, &obj));
		EXPECT_EQ(big, obj.base);
		EXPECT_EQ(5 * HEAP_PAGE, obj.bytes);
	}
	EXPECT_EQ(-EINVAL, gh_object(h->fd, 0, &obj));
	EXPECT_EQ(2, heap_live(h));
}

/* Random words: hardly one of them is a reference. */
TEST_F(roots, forged_at_random)
{
	struct heap *h = &self->heap;
	__u64 tag = (__u64)h->info.tag << GOHEAP_REF_TAG_SHIFT;
	__u64 seed = 0xf0e9ed, found = 0;
	struct goheap_object obj;
	unsigned int i;

	heap_push_many(h, 48, 0, 1000);
	for (i = 0; i < 30000; i++) {
		__u64 ref = rnd(&seed);
		int ret;

		if (i % 3)
			ref = tag | ref % (i % 2 ? GIB : MIB);
		ret = gh_object(h->fd, ref, &obj);
		if (!ret) {
			found++;
			ASSERT_EQ(48, obj.bytes);
			ASSERT_LE(obj.base, ref);
			ASSERT_GT(obj.base + 48, ref);
		} else {
			ASSERT_EQ(-EINVAL, ret);
		}
	}
	/* 48000 bytes of 1 MiB: some of the guesses are right. */
	EXPECT_LT(0, found);
	EXPECT_GT(3000, found);
}

TEST_F(roots, chain)
{
	struct heap *h = &self->heap;
	goheap_ref head = 0, ref, middle = 0;
	unsigned int i;
	__u32 id;

	for (i = 0; i < 1000; i++) {
		ref = loose(h, 16, self->node);
		*heap_word(h, ref, 0) = head;
		*heap_word(h, ref, 1) = i;
		head = ref;
		if (i == 300)
			middle = ref;
	}
	ASSERT_EQ(0, gh_root_add(self->fd, head, &id));
	EXPECT_EQ(1000, heap_live(h));
	for (ref = head, i = 1000; ref; ref = *heap_word(h, ref, 0)) {
		ASSERT_EQ(--i, *heap_word(h, ref, 1));
	}
	EXPECT_EQ(0, i);
	/* A root in the middle keeps what is behind it. */
	ASSERT_EQ(0, gh_root_set(self->fd, id, middle));
	EXPECT_EQ(301, heap_live(h));
	/* A cut frees what was behind it. */
	*heap_word(h, middle, 0) = 0;
	EXPECT_EQ(1, heap_live(h));
	EXPECT_EQ(300, *heap_word(h, middle, 1));
}

TEST_F(roots, cycles)
{
	struct heap *h = &self->heap;
	goheap_ref ring[100];
	unsigned int i;

	for (i = 0; i < 100; i++)
		ring[i] = loose(h, 16, self->node);
	for (i = 0; i < 100; i++)
		*heap_word(h, ring[i], 0) = ring[(i + 1) % 100];
	/* An object that refers to itself, from its own middle. */
	i = h->stack->top++;
	h->stack->slots[i] = loose(h, 16, self->node);
	*heap_word(h, h->stack->slots[i], 0) = h->stack->slots[i] + 8;
	h->stack->slots[h->stack->top++] = ring[42];
	EXPECT_EQ(101, heap_live(h));
	h->stack->top = 1;
	EXPECT_EQ(1, heap_live(h));
	h->stack->top = 0;
	EXPECT_EQ(0, heap_live(h));
}

/* References to the middle of an object keep it, from wherever they come. */
TEST_F(roots, interior)
{
	struct heap *h = &self->heap;
	goheap_ref from, a, b, c;
	__u32 id;

	from = heap_push(h, 16, self->node);
	a = loose(h, 100, 0);
	*heap_word(h, from, 0) = a + 111;	/* slots of 112 bytes */
	b = loose(h, 100 * KIB, 0);
	h->stack->slots[h->stack->top++] = b + 100 * KIB - 1;
	c = loose(h, 5000, 0);
	ASSERT_EQ(0, gh_root_add(self->fd, c + 2500, &id));
	EXPECT_EQ(4, heap_live(h));
	EXPECT_TRUE(heap_has(h, a) && heap_has(h, b) && heap_has(h, c));
	*heap_word(h, from, 0) = a + 112;
	h->stack->top = 1;
	EXPECT_EQ(2, heap_live(h));
	EXPECT_FALSE(heap_has(h, a) || heap_has(h, b));
}

/* A layout says where references lie, and nothing else is one. */
TEST_F(roots, precise)
{
	static const __u64 masks[] = { 0x1, 0x5, 0xa, 0x80, 0xff, 0x96 };
	struct heap *h = &self->heap;
	goheap_ref from, to[8];
	unsigned int i, n;
	__u32 layout;

	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		layout = gh_layout_words(self->fd, 8, masks[i]);
		from = heap_push(h, 64, layout);
		ASSERT_NE(0, from);
		for (n = 0; n < 8; n++)
			*heap_word(h, from, n) = to[n] = loose(h, 32, 0);
		EXPECT_EQ(1 + __builtin_popcountll(masks[i]), heap_live(h))
			TH_LOG("mask %#llx", masks[i]);
		for (n = 0; n < 8; n++) {
			EXPECT_EQ(masks[i] >> n & 1, heap_has(h, to[n]))
				TH_LOG("mask %#llx, word %u", masks[i], n);
			EXPECT_EQ(to[n], *heap_word(h, from, n));
		}
		h->stack->top = 0;
		EXPECT_EQ(0, heap_live(h));
	}
	/* An object of layout 0 keeps nothing. */
	from = heap_push(h, 64, GOHEAP_LAYOUT_NOSCAN);
	*heap_word(h, from, 0) = loose(h, 32, 0);
	EXPECT_EQ(1, heap_live(h));
}

/* A managed stack keeps what lies below its top, whatever number that is. */
TEST_F(roots, managed_stack)
{
	static const __u64 sizes[] = { 1024, 8 * KIB, 16 * KIB, 100 * KIB };
	struct heap *h = &self->heap;
	struct goheap_object obj;
	struct goheap_stack *s;
	goheap_ref ref, leaf;
	unsigned int i;
	__u64 slots;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ref = heap_push(h, sizes[i], GOHEAP_LAYOUT_STACK);
		ASSERT_NE(0, ref);
		ASSERT_EQ(0, gh_object(self->fd, ref, &obj));
		EXPECT_EQ(GOHEAP_LAYOUT_STACK, obj.layout);
		slots = obj.bytes / 8 - 1;
		s = heap_ptr(h, ref);
		s->slots[0] = loose(h, 32, 0);
		s->slots[slots - 1] = leaf = loose(h, 32, 0);
		s->top = slots;
		EXPECT_EQ(3, heap_live(h));
		s->top = ~0ULL;
		EXPECT_EQ(3, heap_live(h));
		s->top = slots - 1;
		EXPECT_EQ(2, heap_live(h));
		EXPECT_FALSE(heap_has(h, leaf));
		s->slots[slots - 1] = 12345;
		s->top = ref;
		EXPECT_EQ(2, heap_live(h));
		s->top = 0;
		EXPECT_EQ(1, heap_live(h));
		h->stack->top = 0;
		EXPECT_EQ(0, heap_live(h));
	}
}

/* Layouts with one size class and different masks do not mix. */
TEST_F(roots, layouts_side_by_side)
{
	struct heap *h = &self->heap;
	goheap_ref a, b, x, y;

	a = heap_push(h, 32, gh_layout_words(self->fd, 4, 0x3));
	b = heap_push(h, 32, gh_layout_words(self->fd, 4, 0xc));
	x = loose(h, 16, 0);
	y = loose(h, 16, 0);
	*heap_word(h, a, 1) = x;
	*heap_word(h, a, 2) = y;
	*heap_word(h, b, 1) = y;
	EXPECT_EQ(3, heap_live(h));
	EXPECT_TRUE(heap_has(h, x));
	*heap_word(h, b, 2) = x;
	*heap_word(h, a, 1) = 0;
	EXPECT_EQ(3, heap_live(h));
	EXPECT_TRUE(heap_has(h, x));
	*heap_word(h, b, 2) = 0;
	EXPECT_EQ(2, heap_live(h));
}

/* An array repeats the mask of its element, in small and large objects. */
TEST_F(roots, arrays)
{
	static const struct {
		unsigned int words;
		__u64 mask;
		unsigned int elems;
	} arrays[] = {
		{ 3, 0x2, 50 }, { 5, 0x11, 100 }, { 7, 0x40, 31 },
		{ 3, 0x1, 2000 }, { 9, 0x101, 3000 }, { 1, 0x1, 10000 },
		{ 64, 1ULL << 63, 200 },
	};
	struct heap *h = &self->heap;
	unsigned int i, n, words;
	goheap_ref from, *to;
	__u64 kept;

	to = malloc(64 * 3000 * sizeof(*to));
	for (i = 0; i < ARRAY_SIZE(arrays); i++) {
		words = arrays[i].words * arrays[i].elems;
		from = heap_push(h, words * 8, gh_layout_words(self->fd,
				 arrays[i].words, arrays[i].mask));
		ASSERT_NE(0, from);
		for (n = 0, kept = 0; n < words; n++) {
			*heap_word(h, from, n) = to[n] = loose(h, 16, 0);
			kept += arrays[i].mask >> n % arrays[i].words & 1;
		}
		EXPECT_EQ(1 + kept, heap_live(h))
			TH_LOG("array %u", i);
		for (n = 0; n < words; n++) {
			ASSERT_EQ(arrays[i].mask >> n % arrays[i].words & 1,
				  heap_has(h, to[n]))
				TH_LOG("array %u, word %u", i, n);
		}
		h->stack->top = 0;
		EXPECT_EQ(0, heap_live(h));
	}
	free(to);
}

/* Words of an element beyond nr_bits hold none, whatever they look like. */
TEST_F(roots, short_mask)
{
	struct heap *h = &self->heap;
	goheap_ref from;
	__u64 mask = 1;
	unsigned int n;
	__u32 layout;

	ASSERT_EQ(0, gh_layout(self->fd, 800, 1, &mask, &layout));
	from = heap_push(h, 8000, layout);
	ASSERT_NE(0, from);
	for (n = 0; n < 1000; n++)
		*heap_word(h, from, n) = loose(h, 16, 0);
	EXPECT_EQ(1 + 10, heap_live(h));
	for (n = 0; n < 1000; n += 100) {
		EXPECT_TRUE(heap_has(h, *heap_word(h, from, n)));
	}
}

/* A mask of more than a word, at the ends and at the seams of its words. */
TEST_F(roots, long_mask)
{
	static const unsigned int bits[] = { 0, 63, 64, 127, 128, 4095 };
	struct heap *h = &self->heap;
	__u64 mask[64] = { 0 };
	goheap_ref from;
	unsigned int i;
	__u32 layout;

	for (i = 0; i < ARRAY_SIZE(bits); i++)
		mask[bits[i] / 64] |= 1ULL << bits[i] % 64;
	ASSERT_EQ(0, gh_layout(self->fd, 4096 * 8, 4096, mask, &layout));
	/* A small object, a large one of one element, and of three. */
	for (i = 1; i <= 3; i += 2) {
		unsigned int n;

		from = heap_push(h, i * 32768, layout);
		ASSERT_NE(0, from);
		for (n = 0; n < i * 4096; n++)
			*heap_word(h, from, n) = loose(h, 16, 0);
		EXPECT_EQ(1 + i * ARRAY_SIZE(bits), heap_live(h));
		for (n = 0; n < i * ARRAY_SIZE(bits); n++) {
			EXPECT_TRUE(heap_has(h, *heap_word(h, from,
				n / ARRAY_SIZE(bits) * 4096 +
				bits[n % ARRAY_SIZE(bits)])));
		}
		h->stack->top = 0;
	}
}

/* Handle stacks. */

TEST_F(roots, stack)
{
	struct heap *h = &self->heap;
	unsigned int i;

	ASSERT_EQ(1000, heap_push_many(h, 32, 0, 1000));
	EXPECT_EQ(1000, heap_live(h));
	EXPECT_EQ(1000, root_count(h));
	/* Popped slots keep nothing, though they still hold references. */
	h->stack->top = 600;
	EXPECT_EQ(600, heap_live(h));
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(i < 600, heap_has(h, h->stack->slots[i]));
	}
	/* Nor do slots that were set to zero. */
	h->stack->slots[17] = 0;
	EXPECT_EQ(599, heap_live(h));
	h->stack->top = 0;
	EXPECT_EQ(0, heap_live(h));
	EXPECT_EQ(0, root_count(h));
}

/* A top that the mapping cannot hold means all slots there are. */
TEST_F(roots, stack_top_beyond)
{
	static const __u64 tops[] = {
		STACK_SLOTS, STACK_SLOTS + 1, 1ULL << 32, 1ULL << 60,
		1ULL << 61, 1ULL << 63, ~0ULL,
	};
	struct heap *h = &self->heap;
	unsigned int i;

	memset(h->stack->slots, 0, STACK_SLOTS * 8);
	h->stack->slots[0] = loose(h, 32, 0);
	h->stack->slots[STACK_SLOTS - 1] = loose(h, 32, 0);
	for (i = 0; i < ARRAY_SIZE(tops); i++) {
		h->stack->top = tops[i];
		loose(h, 32, 0);
		EXPECT_EQ(2, heap_live(h))
			TH_LOG("top %#llx", tops[i]);
		EXPECT_EQ(tops[i], h->stack->top);
	}
	h->stack->top = STACK_SLOTS - 1;
	EXPECT_EQ(1, heap_live(h));
}

TEST_F(roots, stack_garbage)
{
	struct heap *h = &self->heap;
	struct goheap_stats before, after;
	goheap_ref gone;
	unsigned int i;

	ASSERT_EQ(10, heap_push_many(h, 32, 0, 10));
	gone = loose(h, 32, 0);
	ASSERT_EQ(10, heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &before));
	for (i = 0; i < 20; i++)
		h->stack->slots[10 + i] = NO_REF + i;
	h->stack->slots[30] = gone;
	h->stack->slots[31] = 1;
	h->stack->slots[32] = ~0ULL;
	h->stack->slots[33] = 0;
	h->stack->top = 34;
	EXPECT_EQ(10, heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &after));
	EXPECT_EQ(before.invalid_refs + 23, after.invalid_refs);
	/* Each collection counts them again. */
	EXPECT_EQ(10, heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &after));
	EXPECT_EQ(before.invalid_refs + 46, after.invalid_refs);
}

/* Bad references in objects are counted, too, and do no more harm. */
TEST_F(roots, object_garbage)
{
	struct heap *h = &self->heap;
	struct goheap_stats before, after;
	goheap_ref good, bad;

	ASSERT_EQ(0, gh_param_set(h->fd, GOHEAP_PARAM_INVALIDPTR, 0));
	good = heap_push(h, 16, self->node);
	*heap_word(h, good, 0) = loose(h, 32, 0);
	bad = heap_push(h, 16, self->node);
	*heap_word(h, bad, 0) = NO_REF;
	*heap_word(h, bad, 1) = NO_REF;
	ASSERT_EQ(0, gh_stats(h->fd, &before));
	EXPECT_EQ(3, heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &after));
	EXPECT_EQ(before.invalid_refs + 1, after.invalid_refs);
	EXPECT_TRUE(heap_has(h, *heap_word(h, good, 0)));
	EXPECT_EQ(NO_REF, *heap_word(h, bad, 0));
}

TEST_F(roots, two_stacks)
{
	struct heap *h = &self->heap;
	struct goheap_stack *second, *third;
	goheap_ref a, b, c;

	second = map_stack(self->fd, PAGE);
	ASSERT_NE(MAP_FAILED, second);
	third = map_stack(self->fd, 4 * PAGE);
	ASSERT_NE(MAP_FAILED, third);
	/* A new stack is empty. */
	EXPECT_TRUE(all_bytes(second, 0, PAGE));
	EXPECT_TRUE(all_bytes(third, 0, 4 * PAGE));

	a = heap_push(h, 32, 0);
	second->slots[0] = b = loose(h, 32, 0);
	second->top = 1;
	third->slots[2046] = c = loose(h, 32, 0);
	third->top = 2047;
	EXPECT_EQ(3, heap_live(h));
	ASSERT_EQ(0, munmap(second, PAGE));
	EXPECT_EQ(2, heap_live(h));
	EXPECT_FALSE(heap_has(h, b));
	EXPECT_TRUE(heap_has(h, a) && heap_has(h, c));
	ASSERT_EQ(0, munmap(third, 4 * PAGE));
	EXPECT_EQ(1, heap_live(h));
	EXPECT_TRUE(heap_has(h, a));
}

/* Slots on pages that nobody ever touched are zero, and cost nothing. */
TEST_F(roots, large_stack)
{
	struct heap *h = &self->heap;
	struct goheap_stack *stack;

	stack = map_stack(self->fd, GOHEAP_STACK_MAX);
	ASSERT_NE(MAP_FAILED, stack);
	stack->top = GOHEAP_STACK_MAX / 8 - 1;
	stack->slots[0] = loose(h, 32, 0);
	stack->slots[GOHEAP_STACK_MAX / 8 - 2] = loose(h, 32, 0);
	stack->slots[12345678] = loose(h, 32, 0);
	loose(h, 32, 0);
	EXPECT_EQ(3, heap_live(h));
	ASSERT_EQ(0, munmap(stack, GOHEAP_STACK_MAX));
	EXPECT_EQ(0, heap_live(h));
}

/* An allocation straight into a slot is kept without a gap. */
TEST_F(roots, alloc_into_stack)
{
	struct heap *h = &self->heap;
	unsigned int i;

	ASSERT_EQ(0, gh_param_set(h->fd, GOHEAP_PARAM_GC_PERCENT, 0));
	for (i = 0; i < 3000; i++) {
		goheap_ref ref = heap_push(h, 5000, 0);

		ASSERT_NE(0, ref);
		*heap_word(h, ref, 0) = i;
	}
	for (i = 0; i < 3000; i++) {
		ASSERT_EQ(i, *heap_word(h, h->stack->slots[i], 0));
	}
	EXPECT_EQ(3000, heap_live(h));
}

TEST_HARNESS_MAIN
