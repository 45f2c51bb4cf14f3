// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Caches of unused objects, one for each layout and size that the thread has
 * allocated, in a hash table with open addressing that never loses an entry.
 *
 * Each cache has a part of the thread's cache stack. The kernel writes the
 * references of a batch straight into it, and they stay there until they are
 * taken, so that no collection can miss them. A slot whose reference was taken
 * is zero.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static struct goheap_cache *new_table(unsigned int shift)
{
	size_t length = (size_t)1 << (64 - shift);
	struct goheap_cache *table = calloc(length, sizeof(*table));

	if (table)
		for (size_t i = 0; i < length; i++)
			table[i].key = GH_NO_KEY;
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

/* Give a new cache its part of the cache stack. */
static bool reserve_slots(struct gh_thread *t, struct goheap_cache *cache,
			  uint64_t key)
{
	uint64_t room =
		(GH_CACHE_STACK_BYTES - sizeof(*t->stack)) / sizeof(goheap_ref);
	uint64_t top = t->stack->top;
	size_t bytes = (key & 0xff) * 8;
	uint32_t n = GH_BATCH_BYTES / bytes;

	if (n > GH_BATCH_MAX)
		n = GH_BATCH_MAX;
	if (n > room - top)
		return false;
	/* Never used before, so zero. */
	cache->slots = &t->stack->slots[top];
	cache->next = cache->slots;
	cache->end = cache->slots;
	cache->nr_slots = n;
	cache->batch = n < GH_BATCH_MIN ? n : GH_BATCH_MIN;
	__atomic_store_n(&t->stack->top, top + n, __ATOMIC_RELEASE);
	return true;
}

/* The cache of a key, made if need be; NULL if there is no room for it. */
struct goheap_cache *gh_cache_get(struct gh_thread *t, uint64_t key)
{
	struct goheap_cache *cache = probe(&t->pub, key);
	size_t length = (size_t)1 << (64 - t->pub.cache_shift);

	if (cache->key == key)
		return cache;
	if (t->nr_caches >= length / 2) {
		grow(t);
		cache = probe(&t->pub, key);
		length = (size_t)1 << (64 - t->pub.cache_shift);
	}
	/* One entry stays free, for probe() to end at. */
	if (t->nr_caches + 1 >= length || !reserve_slots(t, cache, key))
		return NULL;
	cache->key = key;
	t->nr_caches++;
	return cache;
}

/* Leave all unused objects to the collector. */
void gh_caches_drop(struct gh_thread *t)
{
	size_t length = (size_t)1 << (64 - t->pub.cache_shift);

	for (size_t i = 0; i < length; i++) {
		struct goheap_cache *cache = &t->pub.caches[i];

		if (cache->key == GH_NO_KEY)
			continue;
		memset(cache->next, 0,
		       (char *)cache->end - (char *)cache->next);
		cache->end = cache->next;
		cache->batch = 1;
	}
}
