// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Statistics: the heap's counters and the records of its collections, under the
 * names that Go gives them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/**
 * goheap_stats() - the heap's counters
 * @h: the heap
 * @stats: filled in; see <linux/goheap.h>
 *
 * Return: 0, or -1 with errno set.
 */
int goheap_stats(struct goheap *h, struct goheap_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->size = sizeof(*stats);
	return gh_ioctl(h, GOHEAP_IOC_STATS, stats);
}

/**
 * goheap_object() - look up an object
 * @h: the heap
 * @ref: a reference anywhere into it
 * @object: filled in; see <linux/goheap.h>
 *
 * Return: 0, or -1 with errno EINVAL if there is no object.
 */
int goheap_object(struct goheap *h, goheap_ref ref,
		  struct goheap_object *object)
{
	memset(object, 0, sizeof(*object));
	object->size = sizeof(*object);
	object->ref = ref;
	return gh_ioctl(h, GOHEAP_IOC_OBJECT, object);
}

static int get_cycle(struct goheap *h, uint64_t number,
		     struct goheap_cycle *cycle)
{
	memset(cycle, 0, sizeof(*cycle));
	cycle->size = sizeof(*cycle);
	cycle->cycle = number;
	return gh_ioctl(h, GOHEAP_IOC_CYCLE, cycle);
}

/* How long a collection stopped the heap: at its start and at its end. */
uint64_t gh_pause(const struct goheap_cycle *cycle)
{
	return cycle->setup_ns + cycle->term_ns;
}

/* Records of collections, from the last on, for as long as there are any. */
static int read_pauses(struct goheap *h, struct goheap_gc_stats *stats,
		       struct goheap_cycle *last)
{
	struct goheap_cycle cycle;

	memset(last, 0, sizeof(*last));
	if (get_cycle(h, 0, last))
		return errno == ENOENT ? 0 : -1;
	cycle = *last;
	while (stats->nr_pauses < GOHEAP_NR_PAUSES) {
		stats->pause[stats->nr_pauses] = gh_pause(&cycle);
		stats->pause_end[stats->nr_pauses] = cycle.end_ns;
		stats->nr_pauses++;
		if (cycle.cycle <= 1)
			break;
		if (get_cycle(h, cycle.cycle - 1, &cycle)) {
			if (errno != ENOENT)
				return -1;
			break;
		}
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Least, quarter, half, three quarters and greatest of at most 256 values. */
void gh_quantiles(const uint64_t *values, unsigned int n, uint64_t out[5])
{
	uint64_t sorted[GOHEAP_NR_PAUSES];

	memset(out, 0, 5 * sizeof(*out));
	if (!n)
		return;
	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), compare);
	for (unsigned int i = 0; i < 4; i++)
		out[i] = sorted[n * i / 4];
	out[4] = sorted[n - 1];
}

static void copy_stats(struct goheap_mem_stats *to,
		       const struct goheap_stats *from)
{
	to->alloc = from->alloc;
	to->total_alloc = from->total_alloc;
	to->sys = from->sys;
	to->mallocs = from->mallocs;
	to->frees = from->frees;
	to->heap_alloc = from->alloc;
	to->heap_sys = from->heap_sys;
	to->heap_idle = from->heap_idle;
	to->heap_inuse = from->heap_inuse;
	to->heap_released = from->heap_released;
	to->heap_objects = from->heap_objects;
	to->mspan_inuse = from->mspan_inuse;
	to->mcache_inuse = from->mcache_inuse;
	to->gc_sys = from->gc_sys;
	to->next_gc = from->next_gc;
	to->last_gc = from->last_gc;
	to->pause_total_ns = from->pause_total_ns;
	to->num_gc = from->num_gc;
	to->num_forced_gc = from->num_forced_gc;
	to->enable_gc = 1;
	to->heap_live = from->heap_live;
	to->heap_marked = from->heap_marked;
	to->invalid_refs = from->invalid_refs;
	memcpy(to->by_size, from->by_class, sizeof(to->by_size));
}

/**
 * goheap_read_mem_stats() - the heap in numbers
 * @h: the heap
 * @stats: filled in
 *
 * Costs up to 258 commands, for the history of pauses; goheap_stats() costs
 * one.
 *
 * Return: 0, or -1 with errno set.
 */
int goheap_read_mem_stats(struct goheap *h, struct goheap_mem_stats *stats)
{
	struct goheap_gc_stats gc = { 0 };
	struct goheap_stats counters;
	struct goheap_cycle last;

	memset(stats, 0, sizeof(*stats));
	if (goheap_stats(h, &counters) || read_pauses(h, &gc, &last))
		return -1;
	copy_stats(stats, &counters);
	stats->stack_inuse = last.stack_bytes;
	stats->gc_cpu_fraction = last.cpu_permille / 1000.0;
	for (unsigned int i = 0; i < gc.nr_pauses; i++) {
		unsigned int slot = (last.cycle - i + 255) % GOHEAP_NR_PAUSES;

		stats->pause_ns[slot] = gc.pause[i];
		stats->pause_end[slot] = gc.pause_end[i];
	}
	return 0;
}

/**
 * goheap_read_gc_stats() - recent collections
 * @h: the heap
 * @stats: filled in
 *
 * Return: 0, or -1 with errno set.
 */
int goheap_read_gc_stats(struct goheap *h, struct goheap_gc_stats *stats)
{
	struct goheap_stats counters;
	struct goheap_cycle last;

	memset(stats, 0, sizeof(*stats));
	if (goheap_stats(h, &counters) || read_pauses(h, stats, &last))
		return -1;
	stats->last_gc = counters.last_gc;
	stats->num_gc = counters.num_gc;
	stats->pause_total = counters.pause_total_ns;
	gh_quantiles(stats->pause, stats->nr_pauses, stats->pause_quantiles);
	return 0;
}
