// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Caches: where a thread takes slots from, one for each layout and size that it
 * has allocated, in a hash table with open addressing that never loses an entry
 * and that at least half of stays empty, since a thread has no more leases.
 *
 * A cache is the thread's side of a lease of the kernel's (struct goheap_slots).
 * The kernel takes leases back at each collection, which it tells by moving
 * goheap_mutator_page.generation on. Whatever the thread did under another
 * generation than that of its last call is void: the slot it was about to take,
 * the block that tiny objects share, and what its caches have left. A store of
 * the thread's that was under way can leave a mask behind that is not granted,
 * so all caches are emptied before anything is taken under a new generation.
 *
 * A cache that has been filled is of the generation that the call has returned.
 * What the page says after the call may be a later one already, while the kernel
 * is still to read what is left of the lease.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define TINY_KEY goheap_cache_key(GOHEAP_LAYOUT_NOSCAN, GOHEAP_TINY_BYTES)

/* What a cache without slots refers to. */
static struct goheap_slots no_slots[2];

/* The entry of a key, or the free one where it belongs. */
static struct goheap_cache *probe(struct goheap_thread *t, uint64_t key)
{
	struct goheap_cache *cache = goheap_cache_first(t, key);

	while (cache->key != key && cache->key != GH_NO_KEY)
		if (++cache == t->caches + GOHEAP_CACHES)
			cache = t->caches;
	return cache;
}

/* The cache of a key, made if need be; NULL if there is no room for it. */
struct goheap_cache *gh_cache_get(struct gh_thread *t, uint64_t key)
{
	struct goheap_cache *cache = probe(&t->pub, key);

	if (cache->key == key)
		return cache;
	if (t->nr_caches >= GH_NR_LEASES)
		return NULL;
	cache->lease = t->nr_caches++;
	cache->key = key;
	return cache;
}

/* An empty table, but that tiny objects are sure to find a cache. */
void gh_caches_init(struct gh_thread *t)
{
	for (size_t i = 0; i < GOHEAP_CACHES; i++)
		t->pub.caches[i].key = GH_NO_KEY;
	gh_cache_get(t, TINY_KEY);
}

/* The kernel takes the leases back: forget them. */
void gh_caches_void(struct gh_thread *t, uint64_t generation)
{
	for (size_t i = 0; i < GOHEAP_CACHES; i++) {
		t->pub.caches[i].cur = no_slots;
		t->pub.caches[i].end = no_slots + 1;
	}
	t->pub.tiny = 0;
	t->pub.page->tiny = 0;
	t->pub.tiny_used = GOHEAP_TINY_BYTES;
	t->pub.generation = generation;
}

static void check_generation(struct gh_thread *t)
{
	uint64_t now =
		__atomic_load_n(&t->pub.page->generation, __ATOMIC_RELAXED);

	/* Nothing is taken before the next call, which waits for the kernel. */
	if (now != t->pub.generation)
		gh_caches_void(t, now);
}

/* Bytes of the largest object that goheap_cache_key() gives this key. */
static uint64_t key_bytes(uint64_t key)
{
	uint64_t units = key & 0xff;

	return units <= 128 ? units * 8 : (units - 120) * 128;
}

/* Fill a cache that has no slot left. Returns false with errno set. */
static bool refill(struct gh_thread *t, struct goheap_cache *cache)
{
	struct gh_heap *heap = gh_heap_of(t->pub.heap);
	struct goheap_lease lease = {
		.index = cache->lease,
		.layout = (uint32_t)(cache->key >> 8),
		.bytes = key_bytes(cache->key),
	};
	struct goheap_refill refill = {
		.size = sizeof(refill),
		.count = 1,
		.leases = (uintptr_t)&lease,
	};

	if (gh_variables_changed(heap) && goheap_update_variables(&heap->pub))
		return false;
	if (gh_ioctl(&heap->pub, GOHEAP_IOC_REFILL, &refill))
		return false;
	gh_trace(heap, refill.cycles);
	if (refill.generation != t->pub.generation)
		gh_caches_void(t, refill.generation);
	cache->cur = &t->slots[cache->lease * GOHEAP_LEASE_WORDS];
	cache->end = cache->cur + lease.words;
	cache->slot_bytes = lease.slot_bytes;
	return true;
}

/* Move on to a word that has a slot left; false if there is none. */
static bool next_word(struct goheap_cache *cache)
{
	while (!cache->cur->mask)
		if (++cache->cur >= cache->end) {
			cache->cur = no_slots;
			cache->end = no_slots + 1;
			return false;
		}
	return true;
}

/* Take a slot, whatever it needs. Returns 0 with errno set. */
goheap_ref gh_cache_take(struct gh_thread *t, struct goheap_cache *cache)
{
	goheap_ref ref;

	for (;;) {
		check_generation(t);
		if (!next_word(cache)) {
			if (!refill(t, cache))
				return 0;
			continue;
		}
		if (goheap_cache_take(&t->pub, cache, &ref) &&
		    gh_keep_new(&t->pub, ref))
			return ref;
	}
}

/* A tiny object, in a new block if need be. Returns 0 with errno set. */
goheap_ref gh_tiny_take(struct gh_thread *t, size_t bytes)
{
	goheap_ref ref;

	check_generation(t);
	if (goheap_tiny_take(&t->pub, bytes, &ref)) {
		if (gh_keep_new(&t->pub, ref))
			return ref;
		t->pub.page->tiny_allocs--;
	}
	ref = gh_cache_take(t, probe(&t->pub, TINY_KEY));
	/* The block with more room left is the one to go on with. */
	if (ref && bytes < t->pub.tiny_used) {
		t->pub.tiny = ref;
		/* All that is in it may be dead when the next one comes. */
		__atomic_store_n(&t->pub.page->tiny, ref, __ATOMIC_RELAXED);
		t->pub.tiny_used = (uint32_t)bytes;
	}
	return ref;
}
