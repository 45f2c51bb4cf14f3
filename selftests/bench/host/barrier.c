// SPDX-License-Identifier: GPL-2.0
/*
 * What a store of a reference costs while the collector marks; only goheap's:
 *
 *	marking/plain	one of NODES references stored in an array of 4 KiB, at
 *			places that follow each other with a stride of 17, as it
 *			is without a barrier, while nothing is marked
 *	marking/store	the same by goheap_store() while a cycle marks
 *	entries/marking	commands per 1000 of those
 *
 * A second thread asks for one collection after the other, of a tree that takes
 * long enough to mark. Stores come in batches, and a batch counts if the same
 * cycle was marking before and after it. That is CPU time of the thread that
 * stores: of filling the buffer, of the command that hands it over, and of the
 * marking of what is in it, which is most of the references once in each cycle.
 * It does not show how a program waits where the collector takes its CPU.
 *
 * The nodes are in an array of the heap, so plain stores lose none of them.
 */
#include <libgoheap.h>

#include "workload.h"

#define BYTES	(4UL << 10)
#define SLOTS	(BYTES / sizeof(ref))
#define NODES	8192UL
#define LEVELS	20
#define BATCH	4096
#define BATCHES	100		/* of each sample */
#define PATIENCE	60	/* seconds */

static ref graph, array, nodes;
static int over;

static ref make_tree(int levels)
{
	ref r = new_node();

	if (levels) {
		struct node *n = at(r);

		put(&n->left, make_tree(levels - 1));
		put(&n->right, make_tree(levels - 1));
	}
	return r;
}

static void make_all(void)
{
	size_t i;

	put(&graph, make_tree(LEVELS));
	put(&array, new_refs(SLOTS));
	put(&nodes, new_refs(NODES));
	for (i = 0; i < NODES; i++)
		put((ref *)at(nodes) + i, new_node());
}

static void store_plain(unsigned long from)
{
	ref *to = at(array), *of = at(nodes);
	unsigned long i;

	for (i = from; i < from + BATCH; i++) {
		to[i * 17 % SLOTS] = of[i % NODES];
		__asm__ volatile("" : : : "memory");
	}
}

static void store_goheap(unsigned long from)
{
	ref *to = at(array), *of = at(nodes);
	unsigned long i;

	for (i = from; i < from + BATCH; i++) {
		put(&to[i * 17 % SLOTS], of[i % NODES]);
		__asm__ volatile("" : : : "memory");
	}
}

/* The cycle that marks, or 0. */
static uint64_t cycle(void)
{
	return __atomic_load_n(&heap->status->marking, __ATOMIC_ACQUIRE);
}

struct sums {
	double ns;
	long entries;
	long stores;
};

/* One batch; it counts if the collector marks all the time, or never. */
static void run_batch(struct sums *s, void (*store)(unsigned long from),
		      bool marking)
{
	static unsigned long next;
	struct host_counts before = host_counts;
	uint64_t of = cycle();
	double ns;

	if (!of == marking)
		return;
	ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	store(next);
	ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - ns;
	next += BATCH;
	if (cycle() != of)
		return;
	s->ns += ns;
	s->entries += host_counts.entries - before.entries;
	s->stores += BATCH;
}

/* Samples of what a store takes; returns commands per 1000. */
static double sample(const char *name, void (*store)(unsigned long from),
		     bool marking)
{
	const uint64_t end = now_ns() + PATIENCE * 1000000000ULL;
	double ns[MAX_SAMPLES], entries = 0;
	int i;

	for (i = -(samples / 2); i < samples; i++) {
		struct sums s = { 0 };

		while (s.stores < BATCHES * BATCH) {
			run_batch(&s, store, marking);
			require(now_ns() < end);
		}
		if (i < 0)
			continue;
		ns[i] = s.ns / s.stores;
		entries += s.entries * 1000.0 / s.stores / samples;
	}
	ns[0] = median(ns, samples);
	printf("%s %.3f %.3f\n", name, ns[0], ns[0]);
	return entries;
}

static void *collect(void *arg)
{
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED))
		heap_collect();
	return NULL;
}

void measure_barrier(int unused)
{
	pthread_t collector;
	double entries;

	if (!wanted("marking/store") && !wanted("entries/marking"))
		return;
	make_all();
	sample("marking/plain", store_plain, false);
	require(!pthread_create(&collector, NULL, collect, NULL));
	entries = sample("marking/store", store_goheap, true);
	printf("entries/marking %.4f %.4f\n", entries, entries);
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	require(!pthread_join(collector, NULL));
}
