// SPDX-License-Identifier: GPL-2.0
/*
 * Collections: when they start, what they leave, what they say of themselves,
 * and that threads that build and take apart their graphs meanwhile lose
 * nothing.
 */
#include <stdatomic.h>

#include "goheap_test.h"

FIXTURE(gc) {
	struct heap heap;
	int fd;
	__u32 node;		/* { next, value } */
};

FIXTURE_SETUP(gc)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
	self->node = gh_layout_words(self->fd, 2, 1);
	ASSERT_NE(~0U, self->node);
}

FIXTURE_TEARDOWN(gc)
{
	heap_close(&self->heap);
}

#define LOOSE_BATCH	64

/* Allocate garbage; the largest value of @peak seen on the way. */
static __u64 make_garbage(struct heap *h, __u64 sum, __u64 bytes,
			  __u64 (*peak)(const struct goheap_stats *))
{
	goheap_ref refs[LOOSE_BATCH];
	struct goheap_stats stats;
	__u64 made, max = 0;
	__u32 done;

	for (made = 0; made < sum; made += done * bytes) {
		if (gh_alloc(h->fd, bytes, 0, LOOSE_BATCH, refs, &done) ||
		    gh_stats(h->fd, &stats))
			return ~0ULL;
		if (peak(&stats) > max)
			max = peak(&stats);
	}
	return max;
}

static __u64 inuse(const struct goheap_stats *stats)
{
	return stats->heap_inuse;
}

/* Memory that the heap holds. */
static __u64 held(const struct goheap_stats *stats)
{
	return stats->sys - stats->heap_released;
}

TEST_F(gc, automatic)
{
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	struct goheap_cycle cycle;
	goheap_ref live;
	__u64 peak;

	live = heap_push(h, MIB, 0);
	memset(heap_ptr(h, live), 0x77, MIB);
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT, 100));
	peak = make_garbage(h, 64 * MIB, KIB, inuse);
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	/* At 4 MiB each, or a little later. */
	EXPECT_LE(4, stats.num_gc);
	EXPECT_EQ(0, stats.num_forced_gc);
	EXPECT_GE(24 * MIB, peak);
	EXPECT_LE(4 * MIB, stats.next_gc);
	EXPECT_GE(16 * MIB, stats.next_gc);
	EXPECT_LE(64 * MIB, stats.total_alloc);
	ASSERT_EQ(0, gh_cycle(self->fd, 0, &cycle));
	EXPECT_EQ(GOHEAP_CYCLE_HEAP, cycle.reason);
	EXPECT_TRUE(all_bytes(heap_ptr(h, live), 0x77, MIB));
	EXPECT_EQ(1, heap_live(h));
}

/* Large objects come to the goal in one step. */
TEST_F(gc, automatic_large)
{
	struct goheap_stats stats;
	__u64 peak;

	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT, 100));
	peak = make_garbage(&self->heap, 256 * MIB, 100 * KIB, inuse);
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_LE(8, stats.num_gc);
	EXPECT_GE(48 * MIB, peak);
}

/* The goal follows what the last collection found live. */
TEST_F(gc, goal)
{
	static const unsigned int percents[] = { 50, 100, 200 };
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	unsigned int i;

	ASSERT_EQ(20000, heap_push_many(h, KIB, 0, 20000));
	for (i = 0; i < ARRAY_SIZE(percents); i++) {
		__u64 goal;

		ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT,
					  percents[i]));
		EXPECT_EQ(20000, heap_live(h));
		ASSERT_EQ(0, gh_stats(self->fd, &stats));
		EXPECT_EQ(20000 * KIB, stats.heap_marked);
		goal = stats.heap_marked + stats.heap_marked * percents[i] / 100;
		EXPECT_LE(goal, stats.next_gc);
		/* Stacks and globals count, too. */
		EXPECT_GE(goal + 8 * MIB, stats.next_gc);
	}
}

TEST_F(gc, off)
{
	struct goheap_stats stats;
	__u64 peak;

	peak = make_garbage(&self->heap, 32 * MIB, KIB, inuse);
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.num_gc);
	EXPECT_EQ(0, stats.frees);
	EXPECT_EQ(32 * KIB, stats.heap_objects);
	EXPECT_LE(32 * MIB, peak);
	EXPECT_EQ(0, heap_live(&self->heap));
}

/* The soft limit starts collections though GOGC is off. */
TEST_F(gc, memory_limit)
{
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	goheap_ref live;
	__u64 peak;

	live = heap_push(h, 4 * MIB, 0);
	memset(heap_ptr(h, live), 0x77, 4 * MIB);
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MEMORY_LIMIT,
				  32 * MIB));
	peak = make_garbage(h, 128 * MIB, KIB, held);
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_LE(3, stats.num_gc);
	EXPECT_GE(48 * MIB, peak);
	EXPECT_TRUE(all_bytes(heap_ptr(h, live), 0x77, 4 * MIB));
	/* It is soft: more than that can be live. */
	EXPECT_EQ(40, heap_push_many(h, MIB, 0, 40));
	EXPECT_EQ(41, heap_live(h));
}

/* A list of a hundred nodes in slot 0, which tells if one has been lost. */
static bool make_hundred(struct heap *h, __u32 node)
{
	h->stack->slots[0] = 0;
	for (unsigned int i = 0; i < 100; i++) {
		h->stack->top = 1;
		if (!heap_push(h, 16, node))
			return false;
		heap_set(h, h->stack->slots[1], 0, h->stack->slots[0]);
		*heap_word(h, h->stack->slots[1], 1) = i;
		heap_store(h, &h->stack->slots[0], h->stack->slots[1]);
	}
	h->stack->top = 1;
	return true;
}

static unsigned int hundred_left(struct heap *h)
{
	unsigned int n = 100;
	goheap_ref ref;

	for (ref = h->stack->slots[0]; ref; ref = *heap_word(h, ref, 0))
		if (!n-- || *heap_word(h, ref, 1) != n)
			return 0;
	return 100 - n;
}

/*
 * The ends of what can be set: programs that allocate go on, at whatever speed,
 * and what is live stays. The less room there is, the more cycles; with a limit
 * that nothing can be below there are many, and the heap stands still for none.
 */
TEST_F(gc, extremes)
{
	static const struct {
		__s64 percent, limit;
		__u64 least, most;	/* cycles for 6 MiB of garbage */
	} settings[] = {
		{ 0, S64_MAX, 3, 100 },
		{ 1, S64_MAX, 2, 100 },
		{ 10000000, S64_MAX, 0, 0 },
		{ -1, 0, 3, 100 },
		{ -1, 1, 3, 100 },
		{ 0, 0, 3, 100 },
		{ 10000000, 0, 3, 100 },
		{ -1, S64_MAX, 0, 0 },
	};
	struct heap *h = &self->heap;
	struct goheap_stats before, after;

	for (unsigned int i = 0; i < ARRAY_SIZE(settings); i++) {
		__u64 n;

		ASSERT_TRUE(make_hundred(h, self->node));
		ASSERT_EQ(0, gh_collect(self->fd));
		ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT,
					  settings[i].percent));
		ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MEMORY_LIMIT,
					  settings[i].limit));
		ASSERT_EQ(0, gh_stats(self->fd, &before));
		make_garbage(h, 6 * MIB, KIB, inuse);
		ASSERT_EQ(0, gh_stats(self->fd, &after));
		n = after.num_gc - before.num_gc;
		EXPECT_LE(settings[i].least, n)
			TH_LOG("GOGC %lld, limit %lld", settings[i].percent,
			       settings[i].limit);
		EXPECT_GE(settings[i].most, n)
			TH_LOG("GOGC %lld, limit %lld", settings[i].percent,
			       settings[i].limit);
		EXPECT_EQ(100, hundred_left(h));
		ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT,
					  -1));
		ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MEMORY_LIMIT,
					  S64_MAX));
		EXPECT_EQ(100, heap_live(h));
	}
}

/* Garbage alone never meets the hard ceiling. */
TEST_F(gc, ceiling_and_garbage)
{
	struct goheap_cycle cycle;
	__u64 peak;

	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MAX_HEAP, 16 * MIB));
	peak = make_garbage(&self->heap, 96 * MIB, KIB, inuse);
	EXPECT_GE(16 * MIB, peak);
	peak = make_garbage(&self->heap, 256 * MIB, 200 * KIB, inuse);
	EXPECT_GE(16 * MIB, peak);
	ASSERT_EQ(0, gh_cycle(self->fd, 0, &cycle));
	EXPECT_EQ(GOHEAP_CYCLE_CEILING, cycle.reason);
}

/* All is live: ENOMEM, after a collection, and nothing is lost. */
TEST_F(gc, ceiling)
{
	struct heap *h = &self->heap;
	struct goheap_stats stats, after;
	struct goheap_cycle cycle;
	__u64 filled, i;
	goheap_ref ref;

	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MAX_HEAP, 16 * MIB));
	for (filled = 0; filled < 20000; filled++) {
		ref = heap_push(h, KIB, 0);
		if (!ref)
			break;
		memset(heap_ptr(h, ref), filled % 251, KIB);
	}
	EXPECT_LE(12 * KIB, filled);
	EXPECT_GE(16 * KIB, filled);
	for (i = 0; i < 3; i++) {
		ref = NO_REF;
		EXPECT_EQ(-ENOMEM, gh_alloc(self->fd, KIB, 0, 1, &ref, NULL));
		EXPECT_EQ(-ENOMEM, gh_alloc(self->fd, MIB, 0, 1, &ref, NULL));
		EXPECT_EQ(NO_REF, ref);
	}
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_LE(1, stats.num_gc);
	EXPECT_EQ(0, stats.num_forced_gc);
	EXPECT_EQ(filled, stats.heap_objects);
	EXPECT_GE(16 * MIB, stats.heap_sys - stats.heap_released);
	ASSERT_EQ(0, gh_cycle(self->fd, 0, &cycle));
	EXPECT_EQ(GOHEAP_CYCLE_CEILING, cycle.reason);
	for (i = 0; i < filled; i++) {
		ASSERT_TRUE(all_bytes(heap_ptr(h, h->stack->slots[i]), i % 251,
				      KIB));
	}
	/* Room again: by dropping, without an explicit collection, ... */
	h->stack->top = filled / 2;
	EXPECT_EQ(1000, heap_push_many(h, KIB, 0, 1000));
	ASSERT_EQ(0, gh_stats(self->fd, &after));
	EXPECT_LT(stats.num_gc, after.num_gc);
	/* ... and by a higher ceiling. */
	while (heap_push(h, KIB, 0))
		;
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MAX_HEAP, 24 * MIB));
	EXPECT_NE(0, heap_push(h, KIB, 0));
	for (i = 0; i < filled / 2; i++) {
		ASSERT_TRUE(all_bytes(heap_ptr(h, h->stack->slots[i]), i % 251,
				      KIB));
	}
}

TEST_F(gc, forced)
{
	struct goheap_collect arg;
	struct goheap_stats stats;
	unsigned int i;

	for (i = 1; i <= 20; i++) {
		gh_init(&arg);
		arg.reserved = 0;
		ASSERT_EQ(0, gh_ioctl(self->fd, GOHEAP_IOC_COLLECT, &arg));
		EXPECT_EQ(i, arg.cycles);
		ASSERT_EQ(0, gh_stats(self->fd, &stats));
		EXPECT_EQ(i, stats.num_gc);
		EXPECT_EQ(i, stats.num_forced_gc);
	}
}

TEST_F(gc, cycle_records)
{
	struct heap *h = &self->heap;
	struct goheap_cycle cycle, last;
	struct goheap_stats stats;
	__u64 i, end = 0, start = 0;

	EXPECT_EQ(-ENOENT, gh_cycle(self->fd, 0, &cycle));
	EXPECT_EQ(-ENOENT, gh_cycle(self->fd, 1, &cycle));
	ASSERT_EQ(1000, heap_push_many(h, KIB, 0, 1000));
	for (i = 1; i <= 300; i++) {
		ASSERT_EQ(0, gh_collect(self->fd));
	}
	for (i = 1; i <= 300; i++) {
		if (i <= 300 - 256) {
			EXPECT_EQ(-ENOENT, gh_cycle(self->fd, i, &cycle))
				TH_LOG("cycle %llu", i);
			continue;
		}
		ASSERT_EQ(0, gh_cycle(self->fd, i, &cycle))
			TH_LOG("cycle %llu", i);
		EXPECT_EQ(i, cycle.cycle);
		EXPECT_EQ(GOHEAP_CYCLE_FORCED, cycle.reason);
		EXPECT_LT(start, cycle.start_ns);
		EXPECT_LT(end, cycle.end_ns);
		EXPECT_EQ(1000 * KIB, cycle.heap_marked);
		EXPECT_LE(1000 * KIB, cycle.heap_start);
		EXPECT_LE(cycle.heap_marked, cycle.heap_end);
		EXPECT_LE(1000 * 8, cycle.stack_bytes);
		EXPECT_EQ(0, cycle.global_bytes);
		EXPECT_EQ(sysconf(_SC_NPROCESSORS_ONLN), cycle.nr_cpus);
		EXPECT_GE(1000, cycle.cpu_permille);
		EXPECT_EQ(0, cycle.reserved);
		start = cycle.start_ns;
		end = cycle.end_ns;
	}
	EXPECT_EQ(-ENOENT, gh_cycle(self->fd, 301, &cycle));
	EXPECT_EQ(-ENOENT, gh_cycle(self->fd, 300 + 256, &cycle));
	EXPECT_EQ(-ENOENT, gh_cycle(self->fd, 1ULL << 32, &cycle));
	EXPECT_EQ(-ENOENT, gh_cycle(self->fd, ~0ULL, &cycle));
	ASSERT_EQ(0, gh_cycle(self->fd, 300, &cycle));
	ASSERT_EQ(0, gh_cycle(self->fd, 0, &last));
	EXPECT_EQ(0, memcmp(&cycle, &last, sizeof(last)));
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(stats.heap_marked, last.heap_marked);
	EXPECT_EQ(300, stats.num_gc);
	EXPECT_LT(0, stats.pause_total_ns);
	/* It may be counted in ticks, of which short cycles fill few. */
	for (i = 0; i < 5000 && !stats.gc_cpu_ns; i++) {
		ASSERT_EQ(0, gh_collect(self->fd));
		ASSERT_EQ(0, gh_stats(self->fd, &stats));
	}
	EXPECT_LT(0, stats.gc_cpu_ns);
	EXPECT_LE(last.end_ns, stats.last_gc);
}

/* Every number of STATS that follows from others does. */
TEST_F(gc, stats_add_up)
{
	struct heap *h = &self->heap;
	__u64 mallocs, frees, bytes, seed = 0xadd5;
	struct goheap_stats stats;
	unsigned int i, round;

	for (round = 0; round < 4; round++) {
		/* 16 bytes and more: what shares a slot counts otherwise. */
		for (i = 0; i < 3000; i++) {
			ASSERT_NE(0, heap_push(h, 16 + rnd(&seed) % 4000, 0));
			if (rnd(&seed) % 3 == 0)
				h->stack->top--;
		}
		ASSERT_NE(0, heap_push(h, 50000, self->node));
		if (round) {
			ASSERT_EQ(0, gh_collect(self->fd));
		}
		ASSERT_EQ(0, gh_stats(self->fd, &stats));
		mallocs = frees = 0;
		bytes = stats.large_alloc_bytes;
		for (i = 0; i < GOHEAP_NR_SIZE_CLASSES; i++) {
			mallocs += stats.by_class[i].mallocs;
			frees += stats.by_class[i].frees;
			bytes += stats.by_class[i].mallocs *
				 stats.by_class[i].bytes;
			EXPECT_LE(stats.by_class[i].frees,
				  stats.by_class[i].mallocs);
		}
		EXPECT_EQ(0, stats.tiny_allocs);
		EXPECT_EQ(mallocs, stats.mallocs);
		EXPECT_EQ(frees, stats.frees);
		EXPECT_EQ(bytes, stats.total_alloc);
		EXPECT_EQ(mallocs - frees, stats.heap_objects);
		EXPECT_EQ(3001 * (round + 1), stats.mallocs);
		if (round) {
			EXPECT_EQ(h->stack->top, stats.heap_objects);
		}
		EXPECT_EQ(stats.heap_sys, stats.heap_inuse + stats.heap_idle);
		EXPECT_LE(stats.heap_released, stats.heap_idle);
		EXPECT_LE(stats.alloc, stats.heap_inuse);
		EXPECT_LE(stats.alloc, stats.total_alloc);
		EXPECT_EQ(0, stats.heap_inuse % HEAP_PAGE);
		EXPECT_EQ(0, stats.heap_idle % HEAP_PAGE);
		EXPECT_LE(stats.heap_sys + stats.mspan_inuse +
			  stats.mcache_inuse + stats.gc_sys, stats.sys);
		EXPECT_LT(0, stats.mspan_inuse);
		EXPECT_LT(0, stats.faults + 1);
	}
}

/* As deep as a graph gets, and as wide; nothing here may recurse. */
TEST_F(gc, deep_list)
{
	enum { NODES = 1000000, BATCH = 1000 };
	struct heap *h = &self->heap;
	goheap_ref *head = &h->stack->slots[0];
	goheap_ref *batch = &h->stack->slots[1];
	goheap_ref ref;
	unsigned int i, n;
	__u32 done;

	h->stack->top = 1 + BATCH;
	for (i = 0; i < NODES; i += done) {
		done = 0;
		ASSERT_EQ(0, gh_alloc(self->fd, 16, self->node, BATCH, batch,
				      &done));
		for (n = 0; n < done; n++) {
			*heap_word(h, batch[n], 0) = *head;
			*heap_word(h, batch[n], 1) = i + n;
			*head = batch[n];
		}
	}
	h->stack->top = 1;
	EXPECT_EQ(NODES, heap_live(h));
	for (ref = *head, n = 0; ref; ref = *heap_word(h, ref, 0), n++) {
		ASSERT_EQ(NODES - 1 - n, *heap_word(h, ref, 1));
		/* Cut the list in the middle, further down. */
		if (n == NODES / 2 - 1)
			batch[0] = ref;
	}
	EXPECT_EQ(NODES, n);
	*heap_word(h, batch[0], 0) = 0;
	EXPECT_EQ(NODES / 2, heap_live(h));
	h->stack->top = 0;
	EXPECT_EQ(0, heap_live(h));
}

TEST_F(gc, wide_array)
{
	enum { WIDTH = 300000, BATCH = 1000 };
	struct heap *h = &self->heap;
	goheap_ref *batch = &h->stack->slots[1];
	goheap_ref array;
	unsigned int i, n;
	__u32 refs, done;

	refs = gh_layout_words(self->fd, 1, 1);
	array = heap_push(h, WIDTH * 8, refs);
	ASSERT_NE(0, array);
	h->stack->top = 1 + BATCH;
	for (i = 0; i < WIDTH; i += done) {
		done = 0;
		ASSERT_EQ(0, gh_alloc(self->fd, 16, self->node, BATCH, batch,
				      &done));
		for (n = 0; n < done && i + n < WIDTH; n++) {
			*heap_word(h, batch[n], 1) = i + n;
			*heap_word(h, array, i + n) = batch[n];
		}
	}
	h->stack->top = 1;
	EXPECT_EQ(1 + WIDTH, heap_live(h));
	for (i = 0; i < WIDTH; i++) {
		ASSERT_EQ(i, *heap_word(h, *heap_word(h, array, i), 1));
		if (i % 3)
			*heap_word(h, array, i) = 0;
	}
	EXPECT_EQ(1 + (WIDTH + 2) / 3, heap_live(h));
}

/* Rings that nothing points into. */
TEST_F(gc, cyclic_garbage)
{
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	goheap_ref ring[64];
	unsigned int i, n;

	for (i = 0; i < 500; i++) {
		ASSERT_EQ(0, gh_alloc(self->fd, 16, self->node, 64, ring, NULL));
		for (n = 0; n < 64; n++)
			*heap_word(h, ring[n], 0) = ring[(n * 7 + 1) % 64];
	}
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(500 * 64, stats.heap_objects);
	EXPECT_EQ(0, heap_live(h));
}

TEST_F(gc, free_os_memory)
{
	struct heap *h = &self->heap;
	struct goheap_stats before, after;
	unsigned int i, round;
	__u64 released;

	for (round = 0; round < 3; round++) {
		h->stack->top = 0;
		ASSERT_EQ(32000, heap_push_many(h, KIB, 0, 32000));
		for (i = 0; i < 32000; i++) {
			char *p = heap_ptr(h, h->stack->slots[i]);

			ASSERT_TRUE(all_bytes(p, 0, KIB))
				TH_LOG("object %u, round %u", i, round);
			memset(p, i % 251 + 1, KIB);
		}
		/* Keep those of few pages, here and there. */
		for (i = 0; i < 32000; i++)
			if (i % 1000 >= 10)
				h->stack->slots[i] = 0;
		ASSERT_EQ(0, gh_stats(self->fd, &before));
		released = NO_REF;
		ASSERT_EQ(0, gh_free_os_memory(self->fd, &released));
		ASSERT_EQ(0, gh_stats(self->fd, &after));
		EXPECT_EQ(before.num_gc + 1, after.num_gc);
		EXPECT_EQ(320, after.heap_objects);
		EXPECT_LE(24 * MIB, released);
		EXPECT_GE(40 * MIB, released);
		EXPECT_LE(24 * MIB, after.heap_released);
		EXPECT_GE(8 * MIB, after.heap_sys - after.heap_released);
		for (i = 0; i < 32000; i++) {
			if (!h->stack->slots[i])
				continue;
			ASSERT_TRUE(all_bytes(heap_ptr(h, h->stack->slots[i]),
					      i % 251 + 1, KIB))
				TH_LOG("object %u, round %u", i, round);
		}
	}
	/* All of it, and nothing is left to give. */
	h->stack->top = 0;
	ASSERT_EQ(0, gh_free_os_memory(self->fd, &released));
	ASSERT_EQ(0, gh_stats(self->fd, &after));
	EXPECT_EQ(0, after.heap_objects);
	EXPECT_LE(after.heap_sys - after.heap_released, MIB);
	ASSERT_EQ(0, gh_free_os_memory(self->fd, &released));
	EXPECT_EQ(0, released);
}

/*
 * Mutators. Each thread has a handle stack and in it the heads of some lists.
 * It adds nodes, moves them from list to list and drops lists; a node carries
 * the number of its thread, a value, and a check of both. Two rules make this
 * right: at every moment a node is reachable from a slot or from a node that is,
 * never only from a variable; and every store is one of heap_store().
 */

#define LISTS		16
#define SCRATCH		LISTS

struct mutator {
	struct heap *heap;
	struct goheap_stack *stack;
	__u32 layout;
	unsigned int id;
	unsigned int steps;
	unsigned int nodes;	/* that its lists have at the end */
	int error;
};

#define NODE_NEXT	0
#define NODE_VALUE	1
#define NODE_CHECK	2
#define NODE_LAST	3	/* a second reference, to the previous head */

static __u64 node_check(const struct mutator *m, __u64 value)
{
	return (value ^ m->id) * 0x9e3779b97f4a7c15ULL >> 20;
}

/* Length of a list, or -1 if a node of it is not what it was. */
static int list_length(struct mutator *m, unsigned int list)
{
	struct heap *h = m->heap;
	goheap_ref ref;
	int n = 0;

	for (ref = m->stack->slots[list]; ref;
	     ref = *heap_word(h, ref, NODE_NEXT), n++) {
		if (*heap_word(h, ref, NODE_CHECK) !=
		    node_check(m, *heap_word(h, ref, NODE_VALUE)))
			return -1;
	}
	return n;
}

static void *mutate(void *arg)
{
	struct mutator *m = arg;
	goheap_ref *slots = m->stack->slots;
	struct heap *h = m->heap;
	__u64 seed = m->id + 1;
	unsigned int i, a, b;
	int n;

	m->stack->top = LISTS + 1;
	for (i = 0; i < m->steps && !m->error; i++) {
		a = rnd(&seed) % LISTS;
		b = rnd(&seed) % LISTS;
		switch (rnd(&seed) % 16) {
		case 0:			/* drop a list */
			heap_store(h, &slots[a], 0);
			break;
		case 1:			/* look at one */
			if (list_length(m, a) < 0)
				m->error = -EIO;
			break;
		case 2 ... 5:		/* move a node */
			if (!slots[a] || a == b)
				break;
			heap_store(h, &slots[SCRATCH], slots[a]);
			heap_store(h, &slots[a],
				   *heap_word(h, slots[a], NODE_NEXT));
			heap_set(h, slots[SCRATCH], NODE_NEXT, slots[b]);
			heap_store(h, &slots[b], slots[SCRATCH]);
			heap_store(h, &slots[SCRATCH], 0);
			break;
		default:		/* add one */
			m->error = gh_alloc(h->fd, 32, m->layout, 1,
					    &slots[SCRATCH], NULL);
			if (m->error)
				break;
			*heap_word(h, slots[SCRATCH], NODE_VALUE) = i;
			*heap_word(h, slots[SCRATCH], NODE_CHECK) =
				node_check(m, i);
			heap_set(h, slots[SCRATCH], NODE_NEXT, slots[a]);
			heap_set(h, slots[SCRATCH], NODE_LAST, slots[b]);
			heap_store(h, &slots[a], slots[SCRATCH]);
			heap_set(h, slots[a], NODE_LAST, 0);
			heap_store(h, &slots[SCRATCH], 0);
		}
	}
	for (i = 0; i < LISTS; i++) {
		n = list_length(m, i);
		if (n < 0)
			m->error = -EIO;
		else
			m->nodes += n;
	}
	return NULL;
}

static atomic_bool done;

static void *collect(void *arg)
{
	struct heap *h = arg;
	long n = 0;

	do {
		if (gh_collect(h->fd))
			return (void *)-1L;
		n++;
	} while (!atomic_load(&done));
	return (void *)n;
}

TEST_F(gc, mutators)
{
	enum { THREADS = 3, STEPS = 30000 };
	struct heap *h = &self->heap;
	struct mutator mutators[THREADS];
	pthread_t threads[THREADS], collector;
	unsigned int i, nodes = 0;
	struct goheap_stats stats;
	void *cycles;
	__u32 layout;

	layout = gh_layout_words(self->fd, 4, 0x9);
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT, 100));
	ASSERT_EQ(0, pthread_create(&collector, NULL, collect, h));
	for (i = 0; i < THREADS; i++) {
		mutators[i] = (struct mutator){
			.heap = h,
			.stack = map_stack(self->fd, PAGE),
			.layout = layout,
			.id = i,
			.steps = STEPS,
		};
		ASSERT_NE(MAP_FAILED, mutators[i].stack);
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, mutate,
					    &mutators[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, mutators[i].error)
			TH_LOG("thread %u", i);
		nodes += mutators[i].nodes;
	}
	atomic_store(&done, true);
	pthread_join(collector, &cycles);
	EXPECT_LT(0, (long)cycles);
	EXPECT_EQ(nodes, heap_live(h));
	EXPECT_LT(0, nodes);
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_LE((long)cycles, stats.num_gc);
	EXPECT_EQ(0, stats.invalid_refs);
}

/* Collections asked for by several threads at once all end. */
TEST_F(gc, collectors)
{
	enum { THREADS = 4 };
	pthread_t threads[THREADS];
	struct goheap_stats stats;
	unsigned int i;
	void *ret;

	heap_push_many(&self->heap, 64, 0, 10000);
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, collect,
					    &self->heap));
	}
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, gh_collect(self->fd));
	}
	atomic_store(&done, true);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &ret);
		EXPECT_LT(0, (long)ret);
	}
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_LE(100, stats.num_gc);
	EXPECT_EQ(10000, stats.heap_objects);
}

/* Make 16 MiB garbage, have two collections, and wait; bytes given back then. */
static __u64 drop_and_wait(struct heap *h, unsigned int tenths)
{
	struct goheap_stats stats = { };
	unsigned int i;

	if (heap_push_many(h, 64 * KIB, 0, 256) != 256)
		return ~0ULL;
	h->stack->top = 0;
	if (gh_collect(h->fd) || gh_collect(h->fd))
		return ~0ULL;
	for (i = 0; i < tenths && stats.scav_bg_bytes < 14 * MIB; i++) {
		usleep(100000);
		if (gh_stats(h->fd, &stats))
			return ~0ULL;
	}
	return stats.scav_bg_bytes;
}

/* Nobody asks for it: what a heap will not need goes back in the background. */
TEST_F(gc, background_release)
{
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	__u64 bytes;

	ASSERT_NE(0, heap_push(h, MIB, 0));
	h->stack->top = 0;
	bytes = drop_and_wait(h, 300);
	EXPECT_LE(14 * MIB, bytes);
	EXPECT_GE(18 * MIB, bytes);
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_GE(8 * MIB, held(&stats));
	EXPECT_NE(0, stats.scav_bg_ns);
	EXPECT_EQ(0, stats.scav_eager_bytes);
}

TEST_F(gc, background_leaves)
{
	__u64 released = 0;

	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MADVDONTNEED, 0));
	EXPECT_EQ(0, drop_and_wait(&self->heap, 20));
	/* It is there when somebody wants it. */
	ASSERT_EQ(0, gh_free_os_memory(self->fd, &released));
	EXPECT_LE(14 * MIB, released);
}

/* The scavenger may sleep, or be at work, when its heap ends. */
TEST_F(gc, end_while_releasing)
{
	unsigned int i;
	struct heap h;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, heap_open(&h, GIB, 0));
		EXPECT_NE(~0ULL, drop_and_wait(&h, i % 2));
		heap_close(&h);
	}
}

TEST_HARNESS_MAIN
