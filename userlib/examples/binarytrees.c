// SPDX-License-Identifier: GPL-2.0
/*
 * binarytrees [depth]: the benchmark of that name of the benchmarks game, by
 * its rules: a stretch tree; a tree that lives to the end; and for each depth
 * from 4 in steps of 2 so many trees that the work is about the same, each
 * allocated node by node, walked to count its nodes, and dropped.
 */
#include <stdio.h>
#include <stdlib.h>

#include <libgoheap.h>

#define MIN_DEPTH 4

struct node {
	goheap_ref left;
	goheap_ref right;
};

static struct goheap *heap;
static int layout;

static void fail(const char *what)
{
	fprintf(stderr, "binarytrees: %s: %s\n", what, goheap_error());
	exit(1);
}

/* The caller's frame keeps the result. */
static goheap_ref build(unsigned int depth)
{
	goheap_frame frame = goheap_frame_begin(heap);
	goheap_ref ref = goheap_new(heap, layout, sizeof(struct node));
	struct node *node = goheap_ptr(heap, ref);

	if (!node)
		fail("node");
	if (depth) {
		goheap_store(heap, &node->left, build(depth - 1));
		goheap_store(heap, &node->right, build(depth - 1));
	}
	return goheap_frame_return(heap, frame, ref);
}

static unsigned int count(goheap_ref ref)
{
	const struct node *node = goheap_ptr(heap, ref);

	if (!node->left)
		return 1;
	return 1 + count(node->left) + count(node->right);
}

/* Build, walk and drop. */
static unsigned int try_tree(unsigned int depth)
{
	goheap_frame frame = goheap_frame_begin(heap);
	unsigned int nodes = count(build(depth));

	goheap_frame_end(heap, frame);
	return nodes;
}

int main(int argc, char **argv)
{
	unsigned int max_depth = argc > 1 ? strtoul(argv[1], NULL, 10) : 10;
	unsigned int depth;
	goheap_ref long_lived;

	if (max_depth < MIN_DEPTH + 2)
		max_depth = MIN_DEPTH + 2;
	if (max_depth > 28) {
		fprintf(stderr, "binarytrees: depth is at most 28\n");
		return 2;
	}
	heap = goheap_open(0);
	if (!heap)
		fail("heap");
	layout = GOHEAP_LAYOUT(heap, struct node, left, right);
	if (layout < 0)
		fail("layout");

	printf("stretch tree of depth %u\t check: %u\n", max_depth + 1,
	       try_tree(max_depth + 1));
	long_lived = build(max_depth);
	for (depth = MIN_DEPTH; depth <= max_depth; depth += 2) {
		unsigned int iterations = 1U << (max_depth - depth + MIN_DEPTH);
		unsigned int check = 0;

		for (unsigned int i = 0; i < iterations; i++)
			check += try_tree(depth);
		printf("%u\t trees of depth %u\t check: %u\n", iterations,
		       depth, check);
	}
	printf("long lived tree of depth %u\t check: %u\n", max_depth,
	       count(long_lived));
	goheap_close(heap);
	return 0;
}
