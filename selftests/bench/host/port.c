// SPDX-License-Identifier: GPL-2.0
/*
 * gh_port.h for the host device.
 *
 * Objects lie in one reservation of addresses, where the program sees them, so
 * that a page of the heap has its place there before it has memory. Which page
 * is meant follows from where in the tables of the heap its address is to be
 * stored. The kernel gives it memory when somebody touches it first, as it does
 * for any malloc(), and takes it back when the heap gives it up.
 *
 * A thread of the heap's own collects beside the program (worker.c), with helpers
 * (helpers.c), and another one gives memory back (scavenger.c). They are threads
 * of the process, so what they cost is in its CPU time.
 *
 * Roots are all that the module reads, in the same order: pinned handles,
 * registered ranges, handle stacks, and then, unless the heap is precise,
 * registers and stack of each thread (thread.c). Everything is copied first:
 * programs write to it meanwhile.
 *
 * gh_port_sync_users() is the system call for just that; it interrupts the CPUs
 * that run threads of the process, as the module does. What interrupts at all
 * costs is real, therefore.
 *
 * A collection that stops the world is not to be had here: nobody can be kept from
 * memory of its own process.
 */
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "gh_port.h"

/* Longest piece of memory that is copied at once. */
#define STEP_WORDS	(64UL << 7)

static u64 page_of(struct gh_heap *heap, void **kaddr)
{
	u64 i;

	for (i = 0;; i++) {
		struct gh_arena *a = heap->arenas[i];

		gh_user_require(a, "memory for a page of no arena");
		if (kaddr >= a->kaddr && kaddr < a->kaddr + GH_ARENA_PAGES)
			return i * GH_ARENA_PAGES + (kaddr - a->kaddr);
	}
}

int gh_port_populate(struct gh_heap *heap, void **kaddr, u32 npages)
{
	struct host_heap *hh = heap->port;
	u64 page = page_of(heap, kaddr);
	u32 i;

	for (i = 0; i < npages; i++)
		/* Nobody else looks; it is how gh_port.h wants it. */
		smp_store_release(&kaddr[i],
				  hh->base + (page + i) * GH_PAGE_SIZE);
	return 0;
}

void gh_port_depopulate(struct gh_heap *heap, u64 page, void **kaddr,
			u32 npages)
{
	struct host_heap *hh = heap->port;

	madvise(hh->base + page * GH_PAGE_SIZE, npages * GH_PAGE_SIZE,
		MADV_DONTNEED);
}

void gh_port_shortage(struct gh_heap *heap)
{
}

void gh_port_trace_scavenge(struct gh_heap *heap,
			    const struct gh_scav_trace *t)
{
}

void gh_port_hold_users(struct gh_heap *heap)
{
}

u64 gh_port_memory_limit(struct gh_heap *heap)
{
	return U64_MAX;
}

void gh_port_sync_users(struct gh_heap *heap)
{
	gh_user_require(!syscall(__NR_membarrier,
				 MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0),
			"no membarrier");
}

void gh_port_set_marking(struct gh_heap *heap, u64 cycle)
{
	struct host_heap *hh = heap->port;

	if (!hh->status)
		return;
	WRITE_ONCE(hh->status->marking, cycle);
	if (!cycle)
		WRITE_ONCE(hh->status->cycles, heap->nr_cycles + 1);
}

static void mark_range(struct host_heap *hh, struct gh_mark *m,
		       const struct gh_window *range)
{
	struct gh_window window = {
		.base = (uintptr_t)hh->base,
		.bytes = hh->config.aspace,
	};
	const u64 *words = (const u64 *)(uintptr_t)range->base;
	u64 nr = range->bytes / sizeof(u64), n;

	for (; nr; words += n, nr -= n) {
		n = min(nr, STEP_WORDS);
		gh_mark_words(m, host_copy_words(&hh->copy, words, n), n,
			      &window, 1, GH_ROOT_STATIC);
	}
}

static void mark_stack(struct host_heap *hh, struct gh_mark *m,
		       const struct host_mapping *map)
{
	const struct goheap_stack *s = (void *)map->start;
	u64 nr = min_t(u64, smp_load_acquire(&s->top),
		       map->bytes / sizeof(u64) - 1);

	gh_mark_refs(m, host_copy_words(&hh->copy, s->slots, nr), nr,
		     GH_ROOT_STACK);
}

void gh_port_mark_roots(struct gh_heap *heap, struct gh_mark *m)
{
	struct host_heap *hh = heap->port;
	struct host_mapping *map, *end = hh->mappings + HOST_MAPPINGS;
	u32 i;

	pthread_mutex_lock(&hh->lock);
	gh_roots_mark(&hh->roots, m);
	for (i = 0; i < hh->nr_ranges; i++)
		mark_range(hh, m, &hh->ranges[i]);
	for (map = hh->mappings; map < end; map++)
		if (map->start && map->what == GOHEAP_MMAP_STACK)
			mark_stack(hh, m, map);
	for (map = hh->mappings; map < end; map++)
		if (map->start && map->what == GOHEAP_MMAP_MUTATOR)
			host_thread_mark(hh, map, m);
	pthread_mutex_unlock(&hh->lock);
}

void gh_port_trace_cycle(struct gh_heap *heap, const struct gh_cycle *c)
{
}

u64 gh_port_idle_ns(void)
{
	return 0;
}

void gh_port_event(struct gh_heap *heap, enum gh_event event, u64 a, u64 b)
{
}

void gh_port_checkmark(struct gh_heap *heap, const struct gh_check_report *r)
{
	gh_user_bail(__FILE__, __LINE__, "an object is reachable and not marked");
}

void gh_port_rest(u64 ns)
{
	struct timespec ts = { .tv_nsec = ns };

	nanosleep(&ts, NULL);
}

u64 gh_port_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

u64 gh_port_memory(void)
{
	return (u64)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}
