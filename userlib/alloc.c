// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Allocation, where goheap_new() finds its cache empty or has none.
 *
 * The kernel keeps new objects until it has written their references; from then
 * on the place that they were written to has to keep them. In a precise heap
 * that is locals above the old top, which rises before, over zeroed slots, and
 * falls to what was really allocated after.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

/* Allocate by the kernel. Returns how many, 0 for an error. */
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

	if (count > heap->info.max_batch)
		alloc.count = heap->info.max_batch;
	if (gh_variables_changed(heap) && goheap_update_variables(&heap->pub))
		return 0;
	if (gh_ioctl(&heap->pub, GOHEAP_IOC_ALLOC, &alloc))
		return 0;
	gh_trace(heap, alloc.cycles);
	return alloc.done;
}

static int locals_full(const struct gh_thread *t)
{
	return gh_error(ENOSPC, "handle stack exceeds its limit of %zu bytes",
			t->locals_bytes);
}

/* Allocate into locals, so many as there is room for. Returns how many. */
static uint32_t alloc_locals(struct gh_thread *t, int layout, size_t bytes,
			     goheap_ref *refs, uint32_t count)
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
	__atomic_store_n(&locals->top, top + done, __ATOMIC_RELEASE);
	memcpy(refs, &locals->slots[top], done * sizeof(*refs));
	return done;
}

static uint32_t alloc_by_call(struct gh_thread *t, int layout, size_t bytes,
			      goheap_ref *refs, uint32_t count)
{
	if (t->pub.precise)
		return alloc_locals(t, layout, bytes, refs, count);
	return alloc_into(gh_heap_of(t->pub.heap), layout, bytes, refs, count);
}

/* A new tiny object in the thread's block, kept; 0 if that is not possible. */
static goheap_ref new_tiny(struct goheap_thread *t, size_t bytes)
{
	goheap_ref ref;

	if (!goheap_tiny_take(t, bytes, &ref))
		return 0;
	if (gh_keep_new(t, ref))
		return ref;
	t->page->tiny_allocs--;
	return 0;
}

/* What goheap_new() does, for the precise heap that the thread used last. */
static goheap_ref new_precise(struct goheap_thread *t, int layout, size_t bytes)
{
	uint64_t key = goheap_cache_key(layout, bytes);
	struct goheap_cache *cache = goheap_cache_first(t, key);
	goheap_ref ref;

	if (t->locals->top >= t->nr_locals || bytes > GOHEAP_CACHE_BYTES)
		return 0;
	if (goheap_is_tiny(layout, bytes))
		return new_tiny(t, bytes);
	if (cache->key == key && goheap_cache_take(t, cache, &ref) &&
	    gh_keep_new(t, ref))
		return ref;
	return 0;
}

/* goheap_new() in a precise heap, and where it cannot do without a call. */
goheap_ref goheap_new_slow(struct goheap *h, int layout, size_t bytes)
{
	struct goheap_cache *cache = NULL;
	struct gh_thread *t;
	goheap_ref ref = 0;

	if (goheap_self->heap == h && goheap_self->precise) {
		ref = new_precise(goheap_self, layout, bytes);
		if (ref)
			return ref;
	}
	t = gh_thread_get(h);
	if (!t)
		return 0;
	if (t->pub.precise && t->pub.locals->top >= t->pub.nr_locals) {
		locals_full(t);
		return 0;
	}
	if (!bytes)
		bytes = 1;
	if (goheap_is_tiny(layout, bytes))
		return gh_tiny_take(t, bytes);
	if (bytes <= GOHEAP_CACHE_BYTES && layout >= 0)
		cache = gh_cache_get(t, goheap_cache_key(layout, bytes));
	if (cache)
		return gh_cache_take(t, cache);
	alloc_by_call(t, layout, bytes, &ref, 1);
	return ref;
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
 * @refs: receives their references; in a local or static variable, an object or
 *	other memory that is looked at
 * @n: number of objects
 *
 * In a precise heap all of them are kept until the thread's current frame ends,
 * as if each came from goheap_new(), and @refs may be anywhere.
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
		uint32_t done;

		if (count > n - sum)
			count = (uint32_t)(n - sum);
		done = alloc_by_call(t, layout, bytes, refs + sum, count);
		if (!done)
			break;
		sum += done;
	}
	return sum;
}
