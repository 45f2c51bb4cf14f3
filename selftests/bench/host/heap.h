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
 * is not; that of goheap always is. The references of new_typed() and new_refs()
 * are nil.
 *
 * Any thread may use the heap. Static variables are roots of those that collect.
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

/**
 * struct type - a kind of objects
 * @bytes: size of one
 * @refs: so many words at its start are references
 * @layout: number that goheap has given to it
 */
struct type {
	size_t bytes;
	unsigned int refs;
	int layout;
};

#ifdef HEAP_GOHEAP
#include <libgoheap.h>

#include "host.h"

typedef goheap_ref ref;

struct node {
	ref left;
	ref right;
};

extern struct goheap *heap;
extern int node_layout;
extern int refs_layout;

static inline void heap_init(void)
{
	heap = goheap_open(0);
	require(heap);
	node_layout = GOHEAP_LAYOUT(heap, struct node, left, right);
	refs_layout = goheap_layout_refs(heap);
	require(node_layout > 0 && refs_layout > 0);
}

static inline void heap_markers(int nr)
{
	host_set_markers(nr);
}

static inline void heap_collect(void)
{
	require(!goheap_gc(heap));
}

/* Returns whether the heap can do that. */
static inline int heap_growth(int percent)
{
	goheap_set_gc_percent(heap, percent);
	return 1;
}

static inline void type_init(struct type *t)
{
	uint64_t mask = (1ULL << t->refs) - 1;

	t->layout = GOHEAP_LAYOUT_NOSCAN;
	if (t->refs)
		t->layout = goheap_layout(heap, t->bytes, &mask, t->refs);
	require(t->layout >= 0);
}

static inline ref new_typed(const struct type *t)
{
	return goheap_new(heap, t->layout, t->bytes);
}

static inline ref new_refs(size_t n)
{
	return goheap_new(heap, refs_layout, n * sizeof(ref));
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
#define HEAP_COLLECTS	1

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

static inline void type_init(struct type *t)
{
}

static inline int heap_growth(int percent)
{
	return 0;
}

#ifdef HEAP_GC
#define GC_THREADS
#include <gc.h>

static inline void heap_init(void)
{
	GC_INIT();
}

/* Before heap_init(). */
static inline void heap_markers(int nr)
{
	setenv("GC_MARKERS", nr == 1 ? "1" : "2", 1);
}

static inline void heap_collect(void)
{
	GC_gcollect();
}

static inline ref new_typed(const struct type *t)
{
	return t->refs ? GC_MALLOC(t->bytes) : GC_MALLOC_ATOMIC(t->bytes);
}

static inline ref new_refs(size_t n)
{
	return GC_MALLOC(n * sizeof(ref));
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
#define HEAP_COLLECTS	1

#else

static inline void heap_init(void)
{
}

static inline void heap_markers(int nr)
{
}

static inline void heap_collect(void)
{
}

static inline ref new_typed(const struct type *t)
{
	ref r = malloc(t->bytes);

	return memset(r, 0, t->refs * sizeof(ref));
}

static inline ref new_refs(size_t n)
{
	return calloc(n, sizeof(ref));
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
#define HEAP_COLLECTS	0

#endif
#endif
#endif /* HEAP_H */
