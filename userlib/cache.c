// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Caches: where a thread takes slots from, one for each layout and size that it
 * has allocated, in a hash table with open addressing that never loses an entry.
 *
 * A cache is the thread's side of a lease of the kernel's (struct goheap_slots).
 * The kernel takes leases back at each collection, which it tells by moving
 * goheap_mutator_page.generation on. Whatever the thread did under another
 * generation than that of its last call is void: the slot it was about to take,
 * the block that tiny objects share, and what its caches have left. A store of
 * the thread's that was under way can leave a mask behind that is not granted,
 * so all caches are emptied before anything is taken under a new generation.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* What a cache without slots refers to. */
static struct goheap_slots no_slots[2];

static struct goheap_cache *new_table(unsigned int shift)
{
	size_t length = (size_t)1 << (64 - shift);
	struct goheap_cache *table = calloc(length, sizeof(*table));

	if (table)
		for (size_t i = 0; i < length; i++) {
			table[i].key = GH_NO_KEY;
			table[i].cur = no_slots;
			table[i].end = no_slots + 1;
		}
	return table;
}

/* The entry of a key in a table, or the free one where it belongs. */
static struct goheap_cache *probe(const struct goheap_thread *t, uint64_t key)
{
	struct goheap_cache *end =
		t->caches + ((size_t)1 << (64 - t->cache_shift));
	struct goheap_cache *cache = goheap_cache_first(t, key);

	while (cache->key != key && cache->key != GH_NO_KEY)
		if (++cache == end)
			cache = t->caches;
	return cache;
}

/* Twice the table; a thread that cannot have it goes on with the old one. */
static void grow(struct gh_thread *t)
{
	struct goheap_thread old = t->pub;
	size_t length = (size_t)1 << (64 - old.cache_shift);
	struct goheap_cache *table = new_table(old.cache_shift - 1);

	if (!table)
		return;
	t->pub.caches = table;
	t->pub.cache_shift--;
	for (size_t i = 0; i < length; i++)
		if (old.caches[i].key != GH_NO_KEY)
			*probe(&t->pub, old.caches[i].key) = old.caches[i];
	free(old.caches);
}

int gh_caches_init(struct gh_thread *t)
{
	t->pub.cache_shift = 64 - __builtin_ctz(GH_CACHES_MIN);
	t->pub.caches = new_table(t->pub.cache_shift);
	return t->pub.caches ? 0 : -1;
}

/* The cache of a key, made if need be; NULL if there is no room for it. */
struct goheap_cache *gh_cache_get(struct gh_thread *t, uint64_t key)
{
	struct goheap_cache *cache = probe(&t->pub, key);
	size_t length = (size_t)1 << (64 - t->pub.cache_shift);

	if (cache->key == key)
		return cache;
	if (t->nr_caches >= GH_NR_LEASES)
		return NULL;
	if (t->nr_caches >= length / 2) {
		grow(t);
		cache = probe(&t->pub, key);
		length = (size_t)1 << (64 - t->pub.cache_shift);
	}
	/* One entry stays free, for probe() to end at. */
	if (t->nr_caches + 1 >= length)
		return NULL;
	cache->lease = t->nr_caches++;
	cache->key = key;
	return cache;
}

/* The kernel has taken the leases back: forget them. */
void gh_caches_void(struct gh_thread *t)
{
	size_t length = (size_t)1 << (64 - t->pub.cache_shift);

	for (size_t i = 0; i < length; i++) {
		t->pub.caches[i].cur = no_slots;
		t->pub.caches[i].end = no_slots + 1;
	}
	t->pub.tiny = 0;
	t->pub.tiny_used = GOHEAP_TINY_BYTES;
	t->pub.generation =
		__atomic_load_n(&t->pub.page->generation, __ATOMIC_RELAXED);
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
	/* Taken back by now, the masks would be empty. */
	if (t->pub.page->generation != t->pub.generation)
		gh_caches_void(t);
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
		if (t->pub.page->generation != t->pub.generation)
			gh_caches_void(t);
		if (!next_word(cache)) {
			if (!refill(t, cache))
				return 0;
			continue;
		}
		ref = goheap_cache_take(&t->pub, cache);
		if (ref)
			return ref;
	}
}

static goheap_ref tiny_take(struct goheap_thread *t, size_t bytes)
{
	uint32_t off = goheap_tiny_offset(t, bytes);

	if (off + bytes > GOHEAP_TINY_BYTES)
		return 0;
	return goheap_tiny_take(t, off, bytes);
}

/* A tiny object, in a new block if need be. Returns 0 with errno set. */
goheap_ref gh_tiny_take(struct gh_thread *t, size_t bytes)
{
	uint64_t key =
		goheap_cache_key(GOHEAP_LAYOUT_NOSCAN, GOHEAP_TINY_BYTES);
	struct goheap_cache *cache = gh_cache_get(t, key);
	goheap_ref ref;

	if (t->pub.page->generation != t->pub.generation)
		gh_caches_void(t);
	ref = tiny_take(&t->pub, bytes);
	if (ref)
		return ref;
	if (!cache) {
		errno = ENOMEM;
		return 0;
	}
	ref = gh_cache_take(t, cache);
	/* The block with more room left is the one to go on with. */
	if (ref && bytes < t->pub.tiny_used) {
		t->pub.tiny = ref;
		t->pub.tiny_used = (uint32_t)bytes;
	}
	return ref;
}
