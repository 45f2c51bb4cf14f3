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
 * A collection runs from start to end, sweep included, in the thread that asks
 * for it: all that collecting costs is in the program's own time.
 *
 * Roots are all that the module reads: pinned handles, handle stacks, registered
 * ranges, and registers and stack of the thread unless it is precise. The thread
 * is in a call; its registers were saved at the call's entry, and what the call
 * itself has on the stack is not looked at.
 */
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "gh_port.h"

u64 *host_stack_from, *host_stack_to;

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

void gh_port_wake_scavenger(struct gh_heap *heap)
{
}

void gh_port_trace_scavenge(struct gh_heap *heap,
			    const struct gh_scav_trace *t)
{
}

void gh_port_hold_users(struct gh_heap *heap)
{
}

void gh_port_start_workers(struct gh_heap *heap, u32 nr, u32 idle)
{
}

void gh_port_stop_workers(struct gh_heap *heap)
{
}

u64 gh_port_memory_limit(struct gh_heap *heap)
{
	return U64_MAX;
}

/* There is one thread, and it is in a call. */
void gh_port_sync_users(struct gh_heap *heap)
{
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

static void mark_words(struct host_heap *hh, struct gh_mark *m, const u64 *from,
		       u64 nr, enum gh_root_kind kind)
{
	struct gh_window window = {
		.base = (uintptr_t)hh->base,
		.bytes = hh->config.aspace,
	};

	gh_mark_words(m, from, nr, &window, 1, kind);
}

static void mark_mapping(struct host_heap *hh, struct gh_mark *m,
			 const struct host_mapping *map)
{
	const struct goheap_stack *s = (void *)map->start;

	if (map->what == GOHEAP_MMAP_STACK)
		gh_mark_refs(m, s->slots,
			     min_t(u64, s->top, map->bytes / sizeof(u64) - 1),
			     GH_ROOT_STACK);
	else if (map->what == GOHEAP_MMAP_MUTATOR)
		mark_words(hh, m, host_stack_from,
			   host_stack_to - host_stack_from, GH_ROOT_STACK);
}

void gh_port_mark_roots(struct gh_heap *heap, struct gh_mark *m)
{
	struct host_heap *hh = heap->port;
	u32 i;

	gh_roots_mark(&hh->roots, m);
	for (i = 0; i < hh->nr_ranges; i++)
		mark_words(hh, m, (const u64 *)(uintptr_t)hh->ranges[i].base,
			   hh->ranges[i].bytes / sizeof(u64), GH_ROOT_STATIC);
	for (i = 0; i < HOST_MAPPINGS; i++)
		if (hh->mappings[i].start)
			mark_mapping(hh, m, &hh->mappings[i]);
}

int gh_port_collect(struct gh_heap *heap, int reason)
{
	u64 start = gh_port_cpu_ns();

	gh_gc_mark_cycle(heap, reason);
	gh_gc_sweep(heap);
	host_counts.cycles++;
	host_counts.cycle_ns += gh_port_cpu_ns() - start;
	return 0;
}

void gh_port_trace_cycle(struct gh_heap *heap, const struct gh_cycle *c)
{
}

void gh_port_event(struct gh_heap *heap, enum gh_event event, u64 a, u64 b)
{
}

void gh_port_checkmark(struct gh_heap *heap, const struct gh_check_report *r)
{
	gh_user_bail(__FILE__, __LINE__, "an object is reachable and not marked");
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
