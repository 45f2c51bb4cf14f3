// SPDX-License-Identifier: GPL-2.0
/*
 *	ring/N		N threads, each with a ring of a million nodes in all, 48
 *			bytes each, linked both ways; an operation replaces a
 *			node taken at random by a new one. CPU time of one; with two
 *			threads wall time, in which they wait for locks
 *	ring/N/p50..max	how long one takes, wall time
 *
 * All that is live was made before, and stays as much. So after a while nodes of
 * all ages lie side by side, and each store is one of a reference into a heap that
 * is being marked for some of the time.
 */
#include "workload.h"

#define NODES	1000000
#define OPS	1500000L

struct link {
	ref next;
	ref prev;
	long value[4];
};

static struct type link_type = { sizeof(struct link), 2 };

static struct ring {
	ref table;
	int nodes;
	uint64_t seed;
	struct latencies times;
} rings[MAX_THREADS];

static int nr_threads;

static struct link *link_at(ref r)
{
	return at(r);
}

/* Put a new node between two others. */
static void insert(ref r, ref prev, ref next)
{
	put(&link_at(r)->prev, prev);
	put(&link_at(r)->next, next);
	put(&link_at(prev)->next, r);
	put(&link_at(next)->prev, r);
}

static void make_ring(struct ring *ring)
{
	ref first;
	int i;

	put(&ring->table, new_refs(ring->nodes));
	for (i = 0; i < ring->nodes; i++) {
		ref r = new_typed(&link_type);
		ref *table = at(get(&ring->table));

		link_at(r)->value[0] = i;
		put(&table[i], r);
		first = get(&table[0]);
		if (i)
			insert(r, get(&link_at(first)->prev), first);
		else
			insert(r, r, r);
	}
}

static void replace(struct ring *ring, int i)
{
	ref *table = at(get(&ring->table));
	ref r = new_typed(&link_type), old = get(&table[i]);

	require(link_at(old)->value[0] == i);
	link_at(r)->value[0] = i;
	insert(r, get(&link_at(old)->prev), get(&link_at(old)->next));
	put(&table[i], r);
	if (HEAP_FREES)
		drop(old);
}

static void run(struct ring *ring, long ops)
{
	uint64_t before = latency_now(), after;

	while (ops--) {
		replace(ring, random64(&ring->seed) % ring->nodes);
		after = latency_now();
		latency_add(&ring->times, after - before);
		before = after;
	}
}

static void check_ring(struct ring *ring)
{
	ref *table = at(get(&ring->table));
	ref r = get(&table[0]);
	int i;

	for (i = 0; i < ring->nodes; i++) {
		require(link_at(r)->value[0] == i && get(&table[i]) == r);
		r = get(&link_at(r)->next);
	}
	require(r == get(&table[0]));
}

static void make(int thread)
{
	struct ring *ring = &rings[thread];

	ring->nodes = NODES / nr_threads;
	ring->seed = thread + 1;
	make_ring(ring);
	/* Until memory has been used by several collections. */
	run(ring, OPS / nr_threads / 2);
	memset(&ring->times, 0, sizeof(ring->times));
}

static void work(int thread)
{
	run(&rings[thread], OPS / nr_threads);
}

void measure_ring(int nr)
{
	struct latencies *times = &rings[0].times;
	struct sample from, to;
	char name[20];
	int i;

	snprintf(name, sizeof(name), "ring/%d", nr);
	if (!wanted(name))
		return;
	type_init(&link_type);
	latency_begin();
	nr_threads = nr;
	run_threads(nr, make);
	from = clocks();
	run_threads(nr, work);
	to = clocks();
	for (i = 0; i < nr; i++)
		check_ring(&rings[i]);
	for (i = 1; i < nr; i++)
		latency_merge(times, &rings[i].times);
	printf("%s %.3f %.3f\n", name, (to.cpu - from.cpu) / OPS,
	       (to.wall - from.wall) / OPS);
	latency_report(times, name);
}
