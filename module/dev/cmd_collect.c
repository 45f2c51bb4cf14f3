// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about collections: COLLECT, STATS, CYCLE, FREE_OS_MEMORY.
 *
 * STATS and CYCLE only look and do not make a heap that is not in use; the
 * other two are a use.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_mutator.h"

#include <linux/goheap.h>

#include "device.h"
#include "ioctl.h"
#include "mutator.h"
#include "stats.h"

/* Run a cycle that sees the present, to the end of its sweep. */
static struct gh_heap *collect(struct goheap_file *gf)
{
	struct gh_heap *heap = goheap_use(gf);
	struct goheap_mutator *mut;
	int err;

	if (IS_ERR(heap))
		return heap;
	mut = goheap_mutator_get(gf);
	if (mut) {
		gh_mutator_enter(mut->core);
		goheap_mutator_put(mut);
	}
	err = goheap_worker_collect(gf);
	return err ? ERR_PTR(err) : heap;
}

/**
 * goheap_cmd_collect() - GOHEAP_IOC_COLLECT
 * @gf: file
 * @arg: struct goheap_collect
 * @may_write: true
 *
 * Return: 0, -EINVAL, -ENOMEM or -EINTR.
 */
int goheap_cmd_collect(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_collect *c = arg;
	struct gh_heap *heap;

	if (c->flags || c->reserved)
		return -EINVAL;
	heap = collect(gf);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	c->cycles = READ_ONCE(heap->nr_cycles);
	return 0;
}

/**
 * goheap_cmd_stats() - GOHEAP_IOC_STATS
 * @gf: file
 * @arg: struct goheap_stats
 * @may_write: unused
 *
 * Return: 0 or -EINVAL.
 */
int goheap_cmd_stats(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_stats *st = arg;

	if (st->flags)
		return -EINVAL;
	goheap_stats_read(gf, st);
	return 0;
}

/**
 * goheap_cmd_cycle() - GOHEAP_IOC_CYCLE
 * @gf: file
 * @arg: struct goheap_cycle
 * @may_write: unused
 *
 * Return: 0, -EINVAL or -ENOENT.
 */
int goheap_cmd_cycle(struct goheap_file *gf, void *arg, bool may_write)
{
	struct gh_heap *heap = goheap_heap(gf);
	struct goheap_cycle *out = arg;
	struct gh_cycle c;

	BUILD_BUG_ON((int)GOHEAP_CYCLE_HEAP != (int)GH_CYCLE_HEAP);
	BUILD_BUG_ON((int)GOHEAP_CYCLE_FORCED != (int)GH_CYCLE_FORCED);
	BUILD_BUG_ON((int)GOHEAP_CYCLE_CEILING != (int)GH_CYCLE_CEILING);
	BUILD_BUG_ON((int)GOHEAP_CYCLE_PERIODIC != (int)GH_CYCLE_PERIODIC);

	if (out->flags || out->reserved)
		return -EINVAL;
	if (!heap || !gh_gc_get_cycle(heap, out->cycle, &c))
		return -ENOENT;
	*out = (struct goheap_cycle) {
		.cycle = c.cycle,
		.start_ns = c.start_ns,
		.end_ns = c.end_ns,
		.setup_ns = c.setup_ns,
		.mark_ns = c.mark_ns,
		.term_ns = c.term_ns,
		.cpu_ns = c.cpu_ns,
		.heap_start = c.heap_start,
		.heap_end = c.heap_end,
		.heap_marked = c.heap_marked,
		.goal = c.goal,
		.stack_bytes = c.stack_bytes,
		.global_bytes = c.global_bytes,
		.nr_cpus = c.nr_cpus,
		.cpu_permille = c.cpu_permille,
		.reason = c.reason,
		.assist_ns = c.assist_ns,
		.idle_ns = c.idle_ns,
		.scanned_objs = c.scanned_objs,
	};
	return 0;
}

/**
 * goheap_cmd_free_os_memory() - GOHEAP_IOC_FREE_OS_MEMORY
 * @gf: file
 * @arg: struct goheap_free_os_memory
 * @may_write: true
 *
 * Return: 0, -EINVAL, -ENOMEM or -EINTR.
 */
int goheap_cmd_free_os_memory(struct goheap_file *gf, void *arg,
			      bool may_write)
{
	struct goheap_free_os_memory *f = arg;
	struct gh_heap *heap;

	if (f->flags)
		return -EINVAL;
	heap = collect(gf);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	/* Free pages that have come into mcaches since the cycle. */
	if (down_read_killable(&heap->world))
		return -EINTR;
	gh_mcache_flush_all(heap);
	up_read(&heap->world);
	f->released = gh_heap_release(heap, S64_MAX);
	gh_scavenge_trace(heap, true);
	return 0;
}
