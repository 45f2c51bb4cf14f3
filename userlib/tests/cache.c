// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a thread does without a call: taking slots, and the write barrier.
 *
 * The device is a fake one, so the tests fill in what the kernel would and see when
 * the library asks for more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "tap.h"

/* What REFILL does: words of 64 slots, the first at @base. */
static struct goheap_cache *grant(struct gh_thread *t, int layout, size_t bytes,
				  uint64_t base, uint32_t words)
{
	struct goheap_cache *cache =
		gh_cache_get(t, goheap_cache_key(layout, bytes));

	cache->cur = &t->slots[cache->lease * GOHEAP_LEASE_WORDS];
	cache->end = cache->cur + words;
	cache->slot_bytes = (uint32_t)bytes;
	for (uint32_t i = 0; i < words; i++) {
		cache->cur[i].mask = ~0ULL;
		cache->cur[i].base = base + i * 64 * bytes;
	}
	return cache;
}

void test_cache_table(void)
{
	struct gh_heap heap;
	struct gh_thread *t = open_fake(&heap, true);
	const int nr = GH_NR_LEASES - 1;
	uint32_t leases[GH_NR_LEASES];

	EXPECT(t);
	for (int i = 0; i < nr; i++) {
		uint64_t key =
			goheap_cache_key(1 + i % 5, 8 + (size_t)i / 5 * 8);
		struct goheap_cache *cache = gh_cache_get(t, key);

		EXPECT(cache && cache->key == key && !cache->cur->mask);
		leases[i] = cache->lease;
		EXPECT(leases[i] < GH_NR_LEASES);
		for (int k = 0; k < i; k++)
			EXPECT(leases[k] != leases[i]);
	}
	EXPECT(!gh_cache_get(t, goheap_cache_key(7, 8)));
	for (int i = 0; i < nr; i++) {
		uint64_t key =
			goheap_cache_key(1 + i % 5, 1 + (size_t)i / 5 * 8);

		EXPECT(gh_cache_get(t, key)->lease == leases[i]);
	}
	/* Tiny objects had theirs from the start. */
	EXPECT(gh_cache_get(t, goheap_cache_key(0, 16)));
	close_fake(&heap);
}

void test_cache_take(void)
{
	struct gh_heap heap;
	struct gh_thread *t = open_fake(&heap, false);
	uint64_t base = 0x8001000000010000;
	struct goheap_slots *slots;

	slots = grant(t, 3, 48, base, 3)->cur;
	slots[1].mask = 0x8000000000000001;
	for (uint64_t i = 0; i < 64; i++)
		EXPECT(goheap_new(&heap.pub, 3, 41) == base + i * 48);
	EXPECT(goheap_new(&heap.pub, 3, 48) == base + 64 * 48);
	EXPECT(goheap_new(&heap.pub, 3, 48) == base + 127 * 48);
	for (uint64_t i = 128; i < 192; i++)
		EXPECT(goheap_new(&heap.pub, 3, 45) == base + i * 48);
	EXPECT(!slots[0].mask && !slots[1].mask && !slots[2].mask);
	/* The kernel is asked when there is nothing left. */
	EXPECT(!goheap_new(&heap.pub, 3, 48) && errno == ENOTTY);
	close_fake(&heap);
}

/* Leases are taken back: what is left is void, and so is a stale mask. */
void test_cache_generation(void)
{
	struct gh_heap heap;
	struct gh_thread *t = open_fake(&heap, true);
	struct goheap_slots *first, *second;
	uint64_t top;

	first = grant(t, 0, 16, 0x8001000000010000, 1)->cur;
	second = grant(t, 0, 32, 0x8001000000020000, 1)->cur;
	EXPECT(goheap_new(&heap.pub, 0, 16) && goheap_new(&heap.pub, 0, 32));
	top = t->pub.locals->top;
	EXPECT(top == 2);
	t->pub.page->generation++;
	second->mask = 0;
	EXPECT(first->mask);
	EXPECT(!goheap_new(&heap.pub, 0, 16) && errno == ENOTTY);
	EXPECT(t->pub.locals->top == top);
	/* The kernel may count what is left a moment later. */
	EXPECT(first->mask == ~1ULL);
	EXPECT(t->pub.generation == t->pub.page->generation);
	/* The next grant holds. */
	grant(t, 0, 32, 0x8001000000030000, 1);
	EXPECT(goheap_new(&heap.pub, 0, 32) == 0x8001000000030000);
	close_fake(&heap);
}

void test_cache_tiny(void)
{
	struct gh_heap heap;
	struct gh_thread *t = open_fake(&heap, true);
	uint64_t base = 0x8001000000010000;
	goheap_ref a, b, c;

	grant(t, 0, 8, base + 0x10000, 1);
	grant(t, 0, 16, base, 2);
	a = goheap_new(&heap.pub, 0, 3);
	b = goheap_new(&heap.pub, 0, 4);
	c = goheap_new(&heap.pub, 0, 6);
	EXPECT(a == base && b == base + 4 && c == base + 8);
	EXPECT(goheap_new(&heap.pub, 0, 2) == base + 14);
	EXPECT(t->pub.page->tiny_allocs == 3);
	/* 8 bytes are a slot. */
	EXPECT(goheap_new(&heap.pub, 0, 8) == base + 0x10000);
	EXPECT(t->pub.page->tiny_allocs == 3);
	EXPECT(goheap_new(&heap.pub, 0, 15) == base + 16);
	/* Less room than that block has: not the one to go on with. */
	EXPECT(goheap_new(&heap.pub, 0, 1) == base + 16 + 15);
	EXPECT(t->pub.locals->top == 7);
	t->pub.page->generation++;
	EXPECT(!goheap_new(&heap.pub, 0, 1) && errno == ENOTTY);
	EXPECT(t->pub.locals->top == 7 && !t->pub.tiny);
	EXPECT(t->pub.page->tiny_allocs == 4);
	close_fake(&heap);
}

void test_barrier(void)
{
	struct gh_heap heap;
	struct gh_thread *t = open_fake(&heap, false);
	struct goheap_mutator_page *page = t->pub.page;
	goheap_ref slot = 5;

	goheap_store(&heap.pub, &slot, 6);
	EXPECT(slot == 6 && !page->nr_barrier);
	EXPECT(page->slot == (uintptr_t)&slot);
	fake_status.marking = 1;
	goheap_store(&heap.pub, &slot, 7);
	EXPECT(slot == 7 && page->nr_barrier == 2);
	EXPECT(page->barrier[0] == 6 && page->barrier[1] == 7);
	goheap_store(&heap.pub, &slot, 0);
	EXPECT(!slot && page->nr_barrier == 3 && page->barrier[2] == 7);
	goheap_store(&heap.pub, &slot, 0);
	EXPECT(page->nr_barrier == 3);
	goheap_store_late(&heap.pub, 9);
	EXPECT(page->nr_barrier == 4 && page->barrier[3] == 9);
	/* A store reports two references, or one. */
	slot = 13;
	page->nr_barrier = GOHEAP_BARRIER_REFS - 2;
	goheap_store(&heap.pub, &slot, 14);
	EXPECT(page->nr_barrier == GOHEAP_BARRIER_REFS);
	EXPECT(page->barrier[GOHEAP_BARRIER_REFS - 2] == 13);
	EXPECT(page->barrier[GOHEAP_BARRIER_REFS - 1] == 14);
	page->nr_barrier = GOHEAP_BARRIER_REFS - 2;
	goheap_store_late(&heap.pub, 10);
	EXPECT(page->nr_barrier == GOHEAP_BARRIER_REFS - 1);
	EXPECT(page->barrier[GOHEAP_BARRIER_REFS - 2] == 10);
	/* Without room for two it is emptied by a call, and used again. */
	page->switches = 0x5a5a;
	goheap_store(&heap.pub, &slot, 15);
	EXPECT(page->nr_barrier == 2);
	EXPECT(page->barrier[0] == 14 && page->barrier[1] == 15);
	page->nr_barrier = GOHEAP_BARRIER_REFS;
	goheap_store_late(&heap.pub, 11);
	EXPECT(page->nr_barrier == 1 && page->barrier[0] == 11);
	EXPECT(page->switches == 0x5a5a);
	/* What the buffer claims to hold is not believed. */
	page->nr_barrier = UINT32_MAX;
	goheap_store_late(&heap.pub, 12);
	EXPECT(page->nr_barrier == 1 && page->barrier[0] == 12);
	close_fake(&heap);
}
