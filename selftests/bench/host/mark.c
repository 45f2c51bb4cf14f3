// SPDX-License-Identifier: GPL-2.0
/*
 * A collection that is asked for, of a heap where everything is live and one shape
 * is most of it: objects and bytes marked in a second.
 *
 *	mark/random/N	nodes of two references, 16 bytes: a random tree of
 *			them, and random references wherever it has none
 *	mark/tree/N	a binary tree of them
 *	mark/list/N	a list of them
 *	mark/map/N	a hash table: an array of chains of entries of 48 bytes,
 *			three references each, to keys of 16 bytes and values
 *			of 32 bytes without references
 *	mark/wide/N	arrays of 1024 references to arrays of 1024 references
 *			to 4096 nodes
 *
 * N is how many threads mark at most. With one it is CPU time that counts, with
 * two it is wall time, for that is what the second one is for. A sweep is part
 * of it where the heap does not put it off (libgc does).
 */
#include "workload.h"

#define LEVELS	20
#define NODES	(1L << (LEVELS + 1))
#define WIDE	1024
#define ENTRIES	(NODES / 4)

struct entry {
	ref next;
	ref key;
	ref value;
	long hash;
	long rest[2];
};

static struct type entry_type = { sizeof(struct entry), 3 };
static ref graph;
static uint64_t seed;
static const char *suffix;

static struct node *node_at(ref r)
{
	return at(r);
}

static ref array_get(ref array, long i)
{
	return get((ref *)at(array) + i);
}

static void array_put(ref array, long i, ref r)
{
	put((ref *)at(array) + i, r);
}

/* A reference of a node that is nil; one that is there is tried at random. */
static ref *free_place(ref array, long below)
{
	ref *place;

	do {
		struct node *n = node_at(array_get(array,
						   random64(&seed) % below));

		place = random64(&seed) & 1024 ? &n->left : &n->right;
	} while (*place);
	return place;
}

static long make_random(void)
{
	ref array;
	long i;

	put(&graph, new_refs(NODES));
	array = graph;
	for (i = 0; i < NODES; i++) {
		array_put(array, i, new_node());
		if (i)
			put(free_place(array, i), array_get(array, i));
	}
	for (i = 0; i < NODES; i++) {
		struct node *n = node_at(array_get(array, i));

		if (!n->left)
			put(&n->left, array_get(array, random64(&seed) % NODES));
		if (!n->right)
			put(&n->right, array_get(array, random64(&seed) % NODES));
	}
	put(&graph, array_get(array, 0));
	return NODES * sizeof(struct node);
}

static ref make_node(int levels)
{
	ref r = new_node();

	if (levels) {
		put(&node_at(r)->left, make_node(levels - 1));
		put(&node_at(r)->right, make_node(levels - 1));
	}
	return r;
}

static long make_tree(void)
{
	put(&graph, make_node(LEVELS));
	return NODES * sizeof(struct node);
}

static long make_list(void)
{
	ref last;
	long i;

	put(&graph, new_node());
	last = graph;
	for (i = 1; i < NODES; i++) {
		ref r = new_node();

		put(&node_at(last)->left, r);
		last = r;
	}
	return NODES * sizeof(struct node);
}

static long make_map(void)
{
	long i;

	put(&graph, new_refs(ENTRIES));
	for (i = 0; i < ENTRIES; i++) {
		long hash = random64(&seed) % ENTRIES;
		ref r = new_typed(&entry_type);

		((struct entry *)at(r))->hash = hash;
		put(&((struct entry *)at(r))->key, new_bytes(16));
		put(&((struct entry *)at(r))->value, new_bytes(32));
		put(&((struct entry *)at(r))->next, array_get(graph, hash));
		array_put(graph, hash, r);
	}
	return ENTRIES * (sizeof(ref) + sizeof(struct entry) + 16 + 32);
}

static long make_wide(void)
{
	ref few[4] = { 0 };
	long i, k;

	SEEN(few);
	put(&graph, new_refs(WIDE));
	for (i = 0; i < WIDE; i++) {
		ref array = new_refs(WIDE);

		array_put(graph, i, array);
		for (k = 0; k < WIDE; k++) {
			if (i * WIDE + k < 4096)
				few[k % 4] = new_node();
			array_put(array, k, few[k % 4]);
		}
	}
	return WIDE * WIDE * sizeof(ref);
}

static void measure_graph(const char *shape, long objects, long (*make)(void))
{
	char name[2][40];
	double v[MAX_SAMPLES];
	long bytes;
	int i, runs = 3;

	snprintf(name[0], sizeof(name[0]), "mark/%s/%s", shape, suffix);
	snprintf(name[1], sizeof(name[1]), "mark/%s/%s/bytes", shape, suffix);
	if (!wanted(name[0]))
		return;
	seed = 88172645463325252ULL;
	bytes = make();
	/* What was only needed to make it is not in a register any more. */
	heap_collect();
	for (i = 0; i < runs; i++) {
		struct sample from = clocks(), to;

		heap_collect();
		to = clocks();
		v[i] = *suffix == '1' ? to.cpu - from.cpu : to.wall - from.wall;
	}
	v[0] = median(v, runs);
	report(name[0], objects * 1e9 / v[0]);
	report(name[1], bytes * 1e9 / v[0]);
	put(&graph, 0);
	heap_collect();
}

void measure_marking(int nr_markers)
{
	if (!HEAP_COLLECTS)
		return;
	suffix = nr_markers == 1 ? "1" : "2";
	type_init(&entry_type);
	measure_graph("random", NODES, make_random);
	measure_graph("tree", NODES, make_tree);
	measure_graph("list", NODES, make_list);
	measure_graph("map", ENTRIES * 3, make_map);
	measure_graph("wide", WIDE, make_wide);
}
