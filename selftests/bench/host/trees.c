// SPDX-License-Identifier: GPL-2.0
/*
 * Two well-known benchmarks of collectors, and their utilisation (mmu.c):
 *
 *	binarytrees/D	a tree of depth D lives, trees of depth 4, 8 .. D are built,
 *			visited and dropped, of each as many as have 2^(D + 5)
 *			nodes together
 *	gcbench		a tree of depth 18 is built and dropped; one of depth 16 and
 *			an array of 4 MB live; trees of depth 4, 6 .. 16 are
 *			built from the top down, and as many from the leaves up
 *	NAME/GOGC/P	binarytrees/18 and gcbench where the heap may grow by P per
 *			cent of what is live
 *	NAME/mmu/...	utilisation in binarytrees/16 and gcbench
 */
#include "workload.h"

#define STRETCH	18
#define LIVE	16
#define ARRAY	(4UL << 20)

static ref kept, kept_array;

static struct node *node_at(ref r)
{
	return at(r);
}

static ref build(int depth)
{
	ref left = 0, right = 0, r;

	if (depth) {
		left = build(depth - 1);
		right = build(depth - 1);
	}
	r = new_node();
	mmu_tick();
	put(&node_at(r)->left, left);
	put(&node_at(r)->right, right);
	return r;
}

static void populate(ref r, int depth)
{
	if (!depth)
		return;
	put(&node_at(r)->left, new_node());
	put(&node_at(r)->right, new_node());
	mmu_tick();
	populate(get(&node_at(r)->left), depth - 1);
	populate(get(&node_at(r)->right), depth - 1);
}

static long count(ref r)
{
	ref left = get(&node_at(r)->left);

	return left ? 1 + count(left) + count(get(&node_at(r)->right)) : 1;
}

static void drop_tree(ref r)
{
	if (get(&node_at(r)->left)) {
		drop_tree(get(&node_at(r)->left));
		drop_tree(get(&node_at(r)->right));
	}
	drop(r);
}

/* Visit and drop. */
static __attribute__((noipa)) void done_with(ref r, int depth)
{
	require(count(r) == (2L << depth) - 1);
	if (HEAP_FREES)
		drop_tree(r);
}

/*
 * What a tree has left on the stack is cleared before the next one is built, but
 * not after small ones: it would take as long as they do, and they are no large
 * things to keep.
 */
static void next_tree(int depth)
{
	if (depth >= 8)
		clear_stack();
}

static void binarytrees(int max)
{
	int depth;
	long i;

	done_with(build(max + 1), max + 1);
	next_tree(max + 1);
	put(&kept, build(max));
	for (depth = 4; depth <= max; depth += 4) {
		for (i = 1L << (max - depth + 4); i; i--) {
			done_with(build(depth), depth);
			next_tree(depth);
		}
	}
	done_with(get(&kept), max);
	put(&kept, 0);
	next_tree(max);
}

/* A tree from the top down, which no variable of the caller's keeps. */
static __attribute__((noipa)) void populated(int depth)
{
	ref r = new_node();

	populate(r, depth);
	done_with(r, depth);
}

static void gcbench(void)
{
	int depth;
	long i;

	done_with(build(STRETCH), STRETCH);
	next_tree(STRETCH);
	put(&kept, new_node());
	populate(get(&kept), LIVE);
	put(&kept_array, new_zeroed(ARRAY));
	for (depth = 4; depth <= LIVE; depth += 2) {
		for (i = 2L << (STRETCH - depth); i; i--) {
			populated(depth);
			next_tree(depth);
			done_with(build(depth), depth);
			next_tree(depth);
		}
	}
	done_with(get(&kept), LIVE);
	drop(get(&kept_array));
	put(&kept, 0);
	put(&kept_array, 0);
}

static void binarytrees_once(long depth)
{
	binarytrees(depth);
}

static void gcbench_once(long unused)
{
	gcbench();
}

/* The same where the heap may grow by so much, if that can be had. */
static void measure_growth(const char *base, int percent,
			   void (*work)(long n), long n)
{
	char name[40];

	snprintf(name, sizeof(name), "%s/GOGC/%d", base, percent);
	if (wanted(name) && heap_growth(percent))
		measure_once(name, work, n);
}

static void measure_utilisation(const char *name, void (*work)(long n), long n)
{
	char text[60];

	snprintf(text, sizeof(text), "%s/mmu/1ms", name);
	if (!HEAP_COLLECTS || !wanted(text))
		return;
	mmu_begin();
	work(n);
	mmu_report(name);
}

void measure_binarytrees(int depth)
{
	char name[20];

	snprintf(name, sizeof(name), "binarytrees/%d", depth);
	measure_once(name, binarytrees_once, depth);
}

void measure_binarytrees_growth(int percent)
{
	measure_growth("binarytrees/18", percent, binarytrees_once, 18);
}

void measure_binarytrees_mmu(int depth)
{
	measure_utilisation("binarytrees", binarytrees_once, depth);
}

void measure_gcbench(int unused)
{
	measure_once("gcbench", gcbench_once, 0);
}

void measure_gcbench_growth(int percent)
{
	measure_growth("gcbench", percent, gcbench_once, 0);
}

void measure_gcbench_mmu(int unused)
{
	measure_utilisation("gcbench", gcbench_once, 0);
}
