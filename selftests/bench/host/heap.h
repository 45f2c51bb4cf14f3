/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A heap by the names that workload.c uses. One of these is chosen when it is
 * compiled:
 *
 *	HEAP_GOHEAP	the library; put() is goheap_store(), drop() is nothing
 *	HEAP_MALLOC	malloc() and free(), of whatever library is linked or
 *			preloaded
 *	HEAP_GC		libgc: GC_MALLOC() and GC_MALLOC_ATOMIC(); no free()
 *
 * A new node has no children, and new_zeroed() is zero. new_bytes() of malloc()
 * is not; that of goheap always is.
 */
#ifndef HEAP_H
#define HEAP_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define require(c) do {							\
	if (!(c)) {							\
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c);	\
		exit(1);						\
	}								\
} while (0)

#ifdef HEAP_GOHEAP
#include <libgoheap.h>

typedef goheap_ref ref;

struct node {
	ref left;
	ref right;
};

static struct goheap *heap;
static int node_layout;

static inline void heap_init(void)
{
	heap = goheap_open(0);
	require(heap);
	node_layout = GOHEAP_LAYOUT(heap, struct node, left, right);
	require(node_layout > 0);
}

static inline void *at(ref r)
{
	return goheap_ptr(heap, r);
}

static inline ref new_bytes(size_t bytes)
{
	return goheap_new(heap, GOHEAP_LAYOUT_NOSCAN, bytes);
}

static inline ref new_zeroed(size_t bytes)
{
	return new_bytes(bytes);
}

static inline ref new_node(void)
{
	return goheap_new(heap, node_layout, sizeof(struct node));
}

static inline void put(ref *slot, ref r)
{
	goheap_store(heap, slot, r);
}

static inline ref get(const ref *slot)
{
	return goheap_load(heap, slot);
}

static inline void drop(ref r)
{
}

#define HEAP_FREES	0

#else /* plain pointers */

typedef void *ref;

struct node {
	ref left;
	ref right;
};

static inline void *at(ref r)
{
	return r;
}

static inline void put(ref *slot, ref r)
{
	*slot = r;
}

static inline ref get(const ref *slot)
{
	return *slot;
}

#ifdef HEAP_GC
#include <gc.h>

static inline void heap_init(void)
{
	GC_INIT();
}

static inline ref new_bytes(size_t bytes)
{
	return GC_MALLOC_ATOMIC(bytes);
}

static inline ref new_zeroed(size_t bytes)
{
	return memset(GC_MALLOC_ATOMIC(bytes), 0, bytes);
}

static inline ref new_node(void)
{
	return GC_MALLOC(sizeof(struct node));
}

static inline void drop(ref r)
{
}

#define HEAP_FREES	0

#else

static inline void heap_init(void)
{
}

static inline ref new_bytes(size_t bytes)
{
	return malloc(bytes);
}

static inline ref new_zeroed(size_t bytes)
{
	return calloc(1, bytes);
}

static inline ref new_node(void)
{
	struct node *n = malloc(sizeof(*n));

	n->left = NULL;
	n->right = NULL;
	return n;
}

static inline void drop(ref r)
{
	free(r);
}

#define HEAP_FREES	1

#endif
#endif
#endif /* HEAP_H */
