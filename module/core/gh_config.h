/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Constants of the heap. Numbers are Go's unless a comment says otherwise;
 * changing one changes the format of nothing outside the module.
 */
#ifndef GH_CONFIG_H
#define GH_CONFIG_H

/* A heap page, "page" everywhere in the core; the system's is an OS page. */
#define GH_PAGE_SHIFT		13
#define GH_PAGE_SIZE		(1UL << GH_PAGE_SHIFT)
#define GH_PAGE_MASK		(~(GH_PAGE_SIZE - 1))

/* A chunk: the unit of the page allocator's bitmaps and of heap growth. */
#define GH_CHUNK_PAGES_SHIFT	9
#define GH_CHUNK_PAGES		(1U << GH_CHUNK_PAGES_SHIFT)
#define GH_CHUNK_SHIFT		(GH_PAGE_SHIFT + GH_CHUNK_PAGES_SHIFT)
#define GH_CHUNK_SIZE		(1UL << GH_CHUNK_SHIFT)

/* Pages of a huge page of the processor, 2 MiB; a chunk is two of them. */
#define GH_HUGE_PAGES		256U

/* An arena: the unit of the page to span table. */
#define GH_ARENA_SHIFT		26
#define GH_ARENA_SIZE		(1UL << GH_ARENA_SHIFT)
#define GH_ARENA_PAGES		(1U << (GH_ARENA_SHIFT - GH_PAGE_SHIFT))

/* Heap addresses: Go has 48 bits; 46 fit a process's half of the space. */
#define GH_MAX_ASPACE_SHIFT	46
#define GH_MAX_ASPACE		(1UL << GH_MAX_ASPACE_SHIFT)

#define GH_NR_CLASSES		68
#define GH_MAX_SMALL_SIZE	32768
#define GH_TINY_SIZE		16
#define GH_TINY_CLASS		2
#define GH_MAX_OBJS_PER_SPAN	1024
#define GH_MAX_SPAN_WORDS	(GH_MAX_OBJS_PER_SPAN / 64)

/* Largest object; an object is also at most half of the address space. */
#define GH_MAX_OBJECT		(1UL << 40)

/* Bounded tables (D5); our own numbers. */
#define GH_MAX_LAYOUTS		4096
#define GH_MAX_LAYOUT_BITS	(1U << 17)
#define GH_MAX_ELEM_SIZE	(1UL << 30)
#define GH_MAX_SPANCLASSES	16384
#define GH_MAX_BATCH		1024
#define GH_MAX_ROOTS		(1U << 20)

/*
 * A lease grants up to so many words of 64 slots; a mutator has up to so many
 * leases. Our own numbers.
 */
#define GH_LEASE_WORDS		32
#define GH_MAX_LEASES		256

/*
 * Layouts that every heap has: objects without references, and managed stacks.
 * A stack is larger than the slots that are scanned with one mask, so that the
 * loop over those need not ask.
 */
#define GH_LAYOUT_NOSCAN	0
#define GH_LAYOUT_STACK		1
#define GH_STACK_MIN		1024

/* Requests below this many pages go through the per-CPU page cache. */
#define GH_PAGECACHE_PAGES	64
#define GH_PAGECACHE_MAX	(GH_PAGECACHE_PAGES / 4)

/*
 * A span from the page cache that needs memory gets it for so many pages at
 * once, its own and the next ones of the cache. Fewer and larger blocks are
 * asked for, and one page fault maps them all. Our own number.
 */
#define GH_BACK_PAGES		8

/* mcentral looks at so many unswept spans before it grows the heap. */
#define GH_SPAN_BUDGET		100

/*
 * Memory for metadata: paid by the heap's cgroup, and when there is none the
 * call fails instead of waking the OOM killer.
 */
#define GH_GFP	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Largest GOGC; keeps the arithmetic of goals within 64 bits. */
#define GH_MAX_GC_PERCENT	10000000

/* Longest time that a collector thread leaves its CPU to others, in ns. */
#define GH_MAX_REST		(NSEC_PER_MSEC)

#define GH_HEAP_MINIMUM		(4UL << 20)
#define GH_LIMIT_HEADROOM_PCT	3
#define GH_LIMIT_HEADROOM_MIN	(1UL << 20)

/* What a dead slot is filled with if gh_heap.clobberfree says so. */
#define GH_CLOBBER		0xdb

/* Cycle records kept, as many as Go's PauseNs. */
#define GH_NR_CYCLES		256

#endif /* GH_CONFIG_H */
