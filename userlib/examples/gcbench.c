// SPDX-License-Identifier: GPL-2.0
/*
 * gcbench [depth]: the collector benchmark by Ellis, Kovac and Boehm, after its
 * published description. It stretches the heap with a tree that is dropped at
 * once, keeps a tree and an array of doubles to the end, and meanwhile makes
 * trees of several depths, top-down, which stores into old objects, and
 * bottom-up, which does not. Depth is that of the long-lived tree, 16 in the
 * original; everything else is scaled with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <libgoheap.h>

#define MIN_DEPTH 4

struct node {
	goheap_ref left;
	goheap_ref right;
	int i;
	int j;
};

static struct goheap *heap;
static int layout;

static void fail(const char *what)
{
	fprintf(stderr, "gcbench: %s: %s\n", what, goheap_error());
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static unsigned long tree_size(unsigned int depth)
{
	return (1UL << (depth + 1)) - 1;
}

static goheap_ref new_node(void)
{
	goheap_ref ref = goheap_new(heap, layout, sizeof(struct node));

	if (!ref)
		fail("node");
	return ref;
}

/* Give a node that something keeps a tree of its own. */
static void populate(unsigned int depth, goheap_ref ref)
{
	struct node *node = goheap_ptr(heap, ref);
	goheap_frame frame;

	if (!depth)
		return;
	frame = goheap_frame_begin(heap);
	goheap_store(heap, &node->left, new_node());
	goheap_store(heap, &node->right, new_node());
	goheap_frame_end(heap, frame);
	populate(depth - 1, node->left);
	populate(depth - 1, node->right);
}

static goheap_ref make_tree_top_down(unsigned int depth)
{
	goheap_ref ref = new_node();

	populate(depth, ref);
	return ref;
}

/* Children first. The caller's frame keeps the result. */
static goheap_ref make_tree(unsigned int depth)
{
	goheap_frame frame = goheap_frame_begin(heap);
	goheap_ref left = depth ? make_tree(depth - 1) : 0;
	goheap_ref right = depth ? make_tree(depth - 1) : 0;
	goheap_ref ref = new_node();
	struct node *node = goheap_ptr(heap, ref);

	goheap_store(heap, &node->left, left);
	goheap_store(heap, &node->right, right);
	return goheap_frame_return(heap, frame, ref);
}

static unsigned long count(goheap_ref ref)
{
	const struct node *node = goheap_ptr(heap, ref);

	return node ? 1 + count(node->left) + count(node->right) : 0;
}

static void time_trees(const char *how, goheap_ref (*make)(unsigned int),
		       unsigned int depth, unsigned long trees)
{
	double start = now_ms();

	for (unsigned long i = 0; i < trees; i++) {
		goheap_frame frame = goheap_frame_begin(heap);

		make(depth);
		goheap_frame_end(heap, frame);
	}
	printf("\t%s construction took %.0f ms\n", how, now_ms() - start);
}

/* The array: half of it is written, as in the original. */
static double *make_array(size_t length)
{
	goheap_ref ref = goheap_new_array(heap, GOHEAP_LAYOUT_NOSCAN,
					  sizeof(double), length);
	double *array = goheap_ptr(heap, ref);

	if (!array)
		fail("array");
	for (size_t i = 1; i < length / 2; i++)
		array[i] = 1.0 / i;
	return array;
}

static void report(double start)
{
	static struct goheap_mem_stats stats;

	if (goheap_read_mem_stats(heap, &stats))
		fail("statistics");
	printf("completed in %.0f ms, %llu collections, %.1f ms stopped, "
	       "%.1f MiB from the system\n",
	       now_ms() - start, (unsigned long long)stats.num_gc,
	       stats.pause_total_ns / 1e6, stats.sys / 1048576.0);
}

int main(int argc, char **argv)
{
	unsigned int depth = argc > 1 ? strtoul(argv[1], NULL, 10) : 16;
	unsigned int stretch = depth + 2;
	double start = now_ms();
	goheap_frame frame;
	goheap_ref long_lived;
	size_t length;
	double *array;

	if (depth < MIN_DEPTH + 2 || depth > 26) {
		fprintf(stderr, "gcbench: depth is 6 to 26\n");
		return 2;
	}
	length = 500000UL * (1UL << depth) / 65536;
	heap = goheap_open(0);
	if (!heap)
		fail("heap");
	layout = GOHEAP_LAYOUT(heap, struct node, left, right);
	if (layout < 0)
		fail("layout");

	printf("stretching with a binary tree of depth %u\n", stretch);
	frame = goheap_frame_begin(heap);
	make_tree(stretch);
	goheap_frame_end(heap, frame);
	printf("long-lived binary tree of depth %u\n", depth);
	long_lived = make_tree_top_down(depth);
	printf("long-lived array of %zu doubles\n", length);
	array = make_array(length);

	for (unsigned int d = MIN_DEPTH; d <= depth; d += 2) {
		unsigned long trees = 2 * tree_size(stretch) / tree_size(d);

		printf("creating %lu trees of depth %u\n", trees, d);
		time_trees("top-down", make_tree_top_down, d, trees);
		time_trees("bottom-up", make_tree, d, trees);
	}

	if (count(long_lived) != tree_size(depth) ||
	    array[length / 4] != 1.0 / (length / 4)) {
		fprintf(stderr, "gcbench: long-lived data were damaged\n");
		return 1;
	}
	report(start);
	goheap_close(heap);
	return 0;
}
