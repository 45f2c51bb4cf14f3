// SPDX-License-Identifier: GPL-2.0
/*
 * gh_port.h: memory of the heap, and the programs that touch it.
 *
 * Memory comes from the page allocator and is addressed through the direct map.
 * A heap page is a block of two OS pages (on 4 KiB systems) that is split, so
 * that each can be mapped into programs and counted by its mappings on its own.
 * Longer runs are first asked for as larger blocks, without any effort on the
 * kernel's side, so that marking walks few translations; a block is never larger
 * than what is still needed.
 *
 * The cgroup of the heap's opener pays, whoever runs. Neither the system's nor
 * a cgroup's OOM killer is called for a heap: it is for the core to collect
 * first and then to say ENOMEM (__GFP_RETRY_MAYFAIL).
 *
 * A page is freed by dropping the reference that is the heap's. A mapping holds
 * one of its own, and so does direct I/O under way; pages are taken out of the
 * mappings before, so that only the latter can keep a page, which then belongs
 * to that I/O alone.
 *
 * Holding programs off means to empty all their page tables of the heap: the
 * next access faults and waits for gh_heap.world. Forks need no care: the
 * kernel visits the mapping of a child after that of its parent.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"

#include <linux/cpu.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>

#include "attach.h"
#include "compat.h"
#include "device.h"
#include "sysfs.h"

/* Order of a heap page, and of the largest block asked for: 2 MiB. */
#define PAGE_ORDER	(GH_PAGE_SHIFT - PAGE_SHIFT)
#define MAX_BLOCK_ORDER	(PAGE_ORDER + 8)

/* Shortest run that is worth the try of a larger block. */
#define LARGE_RUN	GH_BACK_PAGES

#define GFP_HEAP	(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN)
#define GFP_PAGE	(GFP_HEAP | __GFP_RETRY_MAYFAIL)
#define GFP_BLOCK	((GFP_HEAP | __GFP_NORETRY) & ~__GFP_DIRECT_RECLAIM)

/* Get a block and put it on a list; returns the heap pages in it, or 0. */
static u32 get_block(struct list_head *blocks, unsigned int order, gfp_t gfp)
{
	struct page *page = alloc_pages(gfp, order);

	if (!page)
		return 0;
	set_page_private(page, order);
	list_add_tail(&page->lru, blocks);
	return 1U << (order - PAGE_ORDER);
}

/* Take a block from its list; returns its order. */
static unsigned int take_block(struct page *page)
{
	unsigned int order = page_private(page);

	list_del(&page->lru);
	set_page_private(page, 0);
	return order;
}

/*
 * Get a heap page. A charge that may wait, in a cgroup above its memory.high,
 * makes the caller sleep, up to 2 seconds for each 64 OS pages, and here under
 * locks that all others of the heap wait for. One that may not wait has it sleep
 * when it is back in user mode, once. So the other way is for when memory is
 * short.
 */
static u32 get_page_block(struct list_head *blocks)
{
	return get_block(blocks, PAGE_ORDER, GFP_BLOCK) ?:
	       get_block(blocks, PAGE_ORDER, GFP_PAGE);
}

static void drop_blocks(struct list_head *blocks)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, blocks, lru)
		__free_pages(page, take_block(page));
}

/* Split blocks into pages, and let page faults find them. */
static void publish_blocks(struct list_head *blocks, void **kaddr)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, blocks, lru) {
		unsigned int order = take_block(page);
		u32 n = 1U << (order - PAGE_ORDER);
		u32 i;

		split_page(page, order);
		for (i = 0; i < n; i++)
			/* Pairs with the load in collect_run() in map.c. */
			smp_store_release(kaddr++, page_address(page) +
					  i * GH_PAGE_SIZE);
	}
}

/* Largest order whose block is not longer than the run. */
static unsigned int order_for(u32 npages)
{
	if (npages < LARGE_RUN)
		return PAGE_ORDER;
	return min_t(unsigned int, PAGE_ORDER + ilog2(npages),
		     MAX_BLOCK_ORDER);
}

/* All or nothing: what has been published may be mapped a moment later. */
static int populate(void **kaddr, u32 npages)
{
	unsigned int max_order = MAX_BLOCK_ORDER;
	LIST_HEAD(blocks);
	u32 done = 0;

	while (done < npages) {
		unsigned int order = min(order_for(npages - done), max_order);
		u32 n;

		if (order > PAGE_ORDER)
			n = get_block(&blocks, order, GFP_BLOCK);
		else
			n = get_page_block(&blocks);
		if ((!n && order == PAGE_ORDER) ||
		    fatal_signal_pending(current)) {
			drop_blocks(&blocks);
			return -ENOMEM;
		}
		if (!n)
			max_order = order - 1;
		done += n;
		cond_resched();
	}
	publish_blocks(&blocks, kaddr);
	return 0;
}

/**
 * gh_port_memory() - bytes of memory that the machine has
 */
u64 gh_port_memory(void)
{
	return (u64)totalram_pages() << PAGE_SHIFT;
}

/**
 * gh_port_shortage() - an allocation has found no room, and a collection is next
 * @heap: heap
 *
 * Context: may sleep; no lock held.
 */
void gh_port_shortage(struct gh_heap *heap)
{
	struct goheap_file *gf = goheap_file_of(heap);

	atomic64_inc(&gf->shortages);
	goheap_sysfs_shortage(gf);
}

/**
 * gh_port_populate() - get zeroed memory for heap pages
 * @heap: heap to charge
 * @kaddr: out: kernel address of each page, GH_PAGE_SIZE contiguous bytes; part
 *	of gh_arena.kaddr
 * @npages: number of pages
 *
 * Context: may sleep; gh_mcache.lock may be held, gh_heap.lock not.
 * Return: 0, or -ENOMEM and no memory.
 */
int gh_port_populate(struct gh_heap *heap, void **kaddr, u32 npages)
{
	struct goheap_file *gf = goheap_file_of(heap);
	struct mem_cgroup *old;
	int err;

	old = set_active_memcg(gf->memcg);
	err = populate(kaddr, npages);
	set_active_memcg(old);
	goheap_memcg_check(gf);
	return err;
}

/**
 * gh_port_depopulate() - give the memory of heap pages back
 * @heap: heap
 * @page: first page
 * @kaddr: their kernel addresses
 * @npages: number of pages, adjacent in the heap, none of which has a span or
 *	can get one meanwhile
 *
 * Context: may sleep; gh_heap.backing not held.
 */
void gh_port_depopulate(struct gh_heap *heap, u64 page, void **kaddr,
			u32 npages)
{
	struct goheap_file *gf = goheap_file_of(heap);
	u32 i, k;

	unmap_mapping_range(gf->inode->i_mapping, page << GH_PAGE_SHIFT,
			    (u64)npages << GH_PAGE_SHIFT, 1);
	for (i = 0; i < npages; i++) {
		struct page *p = virt_to_page(kaddr[i]);

		for (k = 0; k < 1U << PAGE_ORDER; k++)
			put_page(p + k);
		if (!((i + 1) % 512))
			cond_resched();
	}
}

/* Whoever ran there is not on the CPU when the caller is. */
static void visit_all(void)
{
	struct goheap_visit visit;
	int cpu;

	goheap_visit_begin(&visit);
	cpus_read_lock();
	for_each_online_cpu(cpu)
		goheap_visit_cpu(cpu);
	cpus_read_unlock();
	goheap_visit_end(&visit);
}

/* In an interrupt, which is a barrier already. */
static void pass_barrier(void *unused)
{
	/* Pairs with those of gh_port_sync_users(). */
	smp_mb();
}

/**
 * gh_port_sync_users() - have every thread of a program pass a barrier
 * @heap: heap
 *
 * A thread that is not on a CPU has passed the one of the scheduler.
 * Context: may sleep.
 */
void gh_port_sync_users(struct gh_heap *heap)
{
	/* What was written before is seen by those that are interrupted, */
	smp_mb();
	if (GOHEAP_VISIT_CPUS)
		visit_all();
	else
		smp_call_function(pass_barrier, NULL, 1);
	/* and what they have written is seen by what follows. */
	smp_mb();
}

/**
 * gh_port_hold_users() - keep programs from the heap until the world starts
 * @heap: heap whose world the caller has stopped
 *
 * Context: may sleep; gh_heap.world held for writing.
 */
void gh_port_hold_users(struct gh_heap *heap)
{
	lockdep_assert_held_write(&heap->world);
	unmap_mapping_range(goheap_file_of(heap)->inode->i_mapping, 0, 0, 1);
	gh_port_sync_users(heap);
}

/**
 * gh_port_mark_roots() - offer every root outside of the core to the marker
 * @heap: heap
 * @m: marker to pass to gh_mark_refs()
 *
 * Context: may sleep; gh_heap.world not held, or held for writing.
 */
void gh_port_mark_roots(struct gh_heap *heap, struct gh_mark *m)
{
	goheap_attach_mark(goheap_file_of(heap), m);
}
