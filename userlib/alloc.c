// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Allocation, where goheap_new() finds its cache empty or has none.
 *
 * The kernel keeps new objects until it has written their references; from then
 * on the handle stack that they were written to keeps them. That is the cache
 * stack for small objects. Larger ones and batches are written to locals above
 * the old top, which rises before, over zeroed slots, and falls to what was
 * really allocated after.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

/* Allocate into slots of a handle stack. Returns how many, 0 for an error. */
static uint32_t alloc_into(struct gh_heap *heap, int layout, size_t bytes,
			   goheap_ref *slots, uint32_t count)
{
	struct goheap_alloc alloc = {
		.size = sizeof(alloc),
		.bytes = bytes,
		.layout = (uint32_t)layout,
		.count = count,
		.refs = (uintptr_t)slots,
	};

	if (gh_ioctl(&heap->pub, GOHEAP_IOC_ALLOC, &alloc))
		return 0;
	gh_saw_cycles(heap, alloc.cycles);
	return alloc.done;
}

static int locals_full(const struct gh_thread *t)
{
	return gh_error(ENOSPC, "handle stack exceeds its limit of %zu bytes",
			t->locals_bytes);
}

/* Allocate into locals, so many as there is room for. Returns how many. */
static uint32_t alloc_locals(struct gh_thread *t, int layout, size_t bytes,
			     uint32_t count)
{
	struct goheap_stack *locals = t->pub.locals;
	uint64_t top = locals->top;
	uint64_t room = top < t->pub.nr_locals ? t->pub.nr_locals - top : 0;
	uint32_t done;

	if (!room) {
		locals_full(t);
		return 0;
	}
	if (count > room)
		count = (uint32_t)room;
	memset(&locals->slots[top], 0, count * sizeof(goheap_ref));
	__atomic_store_n(&locals->top, top + count, __ATOMIC_RELEASE);
	done = alloc_into(gh_heap_of(t->pub.heap), layout, bytes,
			  &locals->slots[top], count);
	if (!done && errno == ENOMEM) {
		gh_caches_drop(t);
		done = alloc_into(gh_heap_of(t->pub.heap), layout, bytes,
				  &locals->slots[top], 1);
	}
	__atomic_store_n(&locals->top, top + done, __ATOMIC_RELEASE);
	return done;
}

/* Fill an empty cache. */
static bool refill(struct gh_thread *t, struct goheap_cache *cache)
{
	struct gh_heap *heap = gh_heap_of(t->pub.heap);
	int layout = (int)(cache->key >> 8);
	size_t bytes = (cache->key & 0xff) * 8;
	uint32_t batch = cache->batch;
	uint32_t done;

	if (batch > heap->info.max_batch)
		batch = heap->info.max_batch;
	done = alloc_into(heap, layout, bytes, cache->slots, batch);
	if (!done && errno == ENOMEM) {
		/* What this thread has in store may be what is missing. */
		gh_caches_drop(t);
		done = alloc_into(heap, layout, bytes, cache->slots, 1);
	}
	if (!done)
		return false;
	cache->next = cache->slots;
	cache->end = cache->slots + done;
	cache->batch *= 2;
	if (cache->batch > cache->nr_slots)
		cache->batch = cache->nr_slots;
	return true;
}

/* goheap_new() when it cannot do without a call. */
goheap_ref goheap_new_slow(struct goheap *h, int layout, size_t bytes)
{
	struct gh_thread *t = gh_thread_get(h);
	struct goheap_cache *cache = NULL;
	uint64_t top;

	if (!t)
		return 0;
	if (!bytes)
		bytes = 1;
	top = t->pub.locals->top;
	if (top >= t->pub.nr_locals) {
		locals_full(t);
		return 0;
	}
	if (bytes <= GOHEAP_CACHE_BYTES && layout >= 0)
		cache = gh_cache_get(t, goheap_cache_key(layout, bytes));
	if (!cache) {
		if (!alloc_locals(t, layout, bytes, 1))
			return 0;
		return t->pub.locals->slots[top];
	}
	if (cache->next == cache->end && !refill(t, cache))
		return 0;
	return goheap_cache_take(&t->pub, cache);
}

/**
 * goheap_new_array() - allocate an array
 * @h: the heap
 * @layout: layout of an element
 * @elem_size: bytes of an element, the same as the layout's
 * @n: number of elements
 *
 * Return: as goheap_new(); ENOMEM for a product that does not fit a size_t.
 */
goheap_ref goheap_new_array(struct goheap *h, int layout, size_t elem_size,
			    size_t n)
{
	size_t bytes;

	if (__builtin_mul_overflow(elem_size, n, &bytes)) {
		gh_error(ENOMEM, "array of %zu elements of %zu bytes", n,
			 elem_size);
		return 0;
	}
	return goheap_new(h, layout, bytes);
}

/**
 * goheap_alloc_batch() - allocate objects of one size
 * @h: the heap
 * @layout: layout of each
 * @bytes: bytes of each
 * @refs: receives their references
 * @n: number of objects
 *
 * All of them are kept until the thread's current frame ends, as if each came
 * from goheap_new().
 *
 * Return: how many were allocated; fewer than @n, or 0, with errno set as by
 * goheap_new().
 */
size_t goheap_alloc_batch(struct goheap *h, int layout, size_t bytes,
			  goheap_ref *refs, size_t n)
{
	struct gh_thread *t = gh_thread_get(h);
	size_t sum = 0;

	while (t && sum < n) {
		uint32_t count = gh_heap_of(h)->info.max_batch;
		uint64_t top = t->pub.locals->top;
		uint32_t done;

		if (count > n - sum)
			count = (uint32_t)(n - sum);
		done = alloc_locals(t, layout, bytes, count);
		if (!done)
			break;
		memcpy(refs + sum, &t->pub.locals->slots[top],
		       done * sizeof(*refs));
		sum += done;
	}
	return sum;
}
