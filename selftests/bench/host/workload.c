// SPDX-License-Identifier: GPL-2.0
/*
 * What a program does with a heap, for any of those of heap.h:
 * workload-HEAP [PATTERN OF FIGURES [SAMPLES OF EACH]]
 *
 *	alloc/N		an object of N bytes without references: allocate it,
 *			write its first word, keep it while WINDOW others are
 *			allocated, then free it or forget it
 *	zeroed/8192	the same, and its bytes are zero
 *	alloc/node	the same with a node of two references, empty
 *	tree/16		a binary tree of depth 16, 131071 nodes, from the leaves
 *			up; then visit every node, then free or forget the tree
 *	tree/16+16	the same while another such tree lives
 *
 * Two trees of depth 16 are as large as goheap's smallest goal: by and by it
 * collects when one tree is dead and the next has not begun, and finds nothing to
 * mark. With another tree it collects at any time.
 *
 * The window is an array of local variables, first in, first out. Each figure is
 * taken in a steady state: memory has been used before.
 */
#include "heap.h"
#include "measure.h"

#define WINDOW	64
#define DEPTH	16

const char *only;
int samples = 7;
clockid_t collector_clock;

/* Somebody may look at it, now and whenever memory is said to change. */
#define SEEN(array)	__asm__ volatile("" : : "r"(array) : "memory")

#define INLINE	static inline __attribute__((always_inline))

INLINE void churn(size_t bytes, ref (*new_one)(size_t bytes), long n)
{
	ref window[WINDOW] = { 0 };
	long i;

	SEEN(window);
	for (i = 0; i < n; i++) {
		ref *place = &window[i % WINDOW];

		if (*place)
			drop(*place);
		*place = new_one(bytes);
		*(volatile long *)at(*place) = i;
	}
	SEEN(window);
	for (i = 0; HEAP_FREES && i < WINDOW; i++)
		drop(window[i]);
}

#define CHURN(bytes)						\
	static MEASURED void churn_##bytes(long n)		\
	{							\
		churn(bytes, new_bytes, n);			\
	}

CHURN(8)
CHURN(32)
CHURN(64)
CHURN(256)
CHURN(1024)
CHURN(8192)

static MEASURED void churn_zeroed(long n)
{
	churn(8192, new_zeroed, n);
}

static MEASURED void churn_node(long n)
{
	ref window[WINDOW] = { 0 };
	long i;

	SEEN(window);
	for (i = 0; i < n; i++) {
		ref *place = &window[i % WINDOW];

		if (*place)
			drop(*place);
		*place = new_node();
		*(volatile ref *)at(*place) = 0;
	}
	SEEN(window);
	for (i = 0; HEAP_FREES && i < WINDOW; i++)
		drop(window[i]);
}

static ref build(int depth)
{
	ref left = 0, right = 0, r;
	struct node *n;

	if (depth) {
		left = build(depth - 1);
		right = build(depth - 1);
	}
	r = new_node();
	n = at(r);
	if (depth) {
		put(&n->left, left);
		put(&n->right, right);
	}
	return r;
}

static long walk(ref r)
{
	struct node *n = at(r);
	ref left = get(&n->left);

	return left ? 1 + walk(left) + walk(get(&n->right)) : 1;
}

static void drop_tree(ref r)
{
	struct node *n = at(r);

	if (n->left) {
		drop_tree(n->left);
		drop_tree(n->right);
	}
	drop(r);
}

static MEASURED void trees(long n)
{
	while (n--) {
		ref r = build(DEPTH);

		require(walk(r) == (2L << DEPTH) - 1);
		if (HEAP_FREES)
			drop_tree(r);
		/* No register keeps it while the next one is built. */
		r = 0;
		__asm__ volatile("" : "+r"(r));
	}
}

/* A static variable, which all heaps look at. */
static ref kept;

static void keep_tree(void)
{
	put(&kept, build(DEPTH));
}

#ifdef HEAP_GOHEAP
#include "host.h"

void measure_library(struct goheap *h, int layout);
#endif

int main(int argc, char **argv)
{
	only = argc > 1 ? argv[1] : "*";
	if (argc > 2)
		samples = atoi(argv[2]);
	require(samples > 0 && samples <= MAX_SAMPLES);
	heap_init();
#ifdef HEAP_GOHEAP
	collector_clock = host_collector(heap);
#endif
	measure("alloc/8", churn_8, 1000000);
	measure("alloc/node", churn_node, 1000000);
	measure("alloc/32", churn_32, 500000);
	measure("alloc/64", churn_64, 250000);
	measure("alloc/256", churn_256, 100000);
	measure("alloc/1024", churn_1024, 25000);
	measure("alloc/8192", churn_8192, 10000);
	measure("zeroed/8192", churn_zeroed, 10000);
	measure("tree/16", trees, 10);
	keep_tree();
	measure("tree/16+16", trees, 10);
	require(walk(get(&kept)) == (2L << DEPTH) - 1);
#ifdef HEAP_GOHEAP
	measure_library(heap, node_layout);
#endif
	return 0;
}
