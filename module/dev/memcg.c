// SPDX-License-Identifier: GPL-2.0
/*
 * Memory cgroups: how much of their limits is left to a heap.
 *
 * A heap is paid for by the cgroup of its opener and all cgroups above that. Go
 * asks its user to set GOMEMLIMIT beside the limit of the container; here the
 * heap follows the limits by itself, and GOMEMLIMIT counts where it is lower.
 *
 * What is left by one cgroup:
 *
 *	limit	 = the lower of memory.max and memory.high
 *	others	 = memory.current - this heap - inactive file pages
 *	left	 = limit - others - reserve
 *	reserve	 = limit / 16, at most 64 MiB
 *
 * and the least of all holds. Above memory.high programs are slowed down, so
 * there is no use in going there. Inactive file pages of the cgroup and those
 * below it are what the kernel takes first when it needs room, so they are room;
 * a cgroup that has read large files would have no limit left without that. The
 * reserve is for what other memory grows by between two looks at it, page
 * tables and stacks of the heap's own programs above all: a page fault cannot
 * collect first, it ends with the OOM killer. It has a bound because that does
 * not grow with the limit. The core keeps another 3 % back (GH_LIMIT_HEADROOM_PCT).
 *
 * When. Nobody is told when a limit is set. It is read at the end of each cycle,
 * and compared with what it was whenever the heap asks the kernel for memory,
 * which is the only way in which it comes nearer to a limit: a few loads for 64
 * KiB or more. If a limit has changed, or little is left and the last look is
 * QUARTER ago, a work item computes the goal anew; it needs gh_heap.world, which
 * who asks for memory holds. So a change is noticed no later than with the next
 * memory that the heap gets, and acted on one work item later; a heap that gets
 * none notices with its next cycle, or when the kernel, to keep to the limit,
 * calls the shrinker.
 *
 * A limit is no promise: it may be below what is live, and other memory may
 * grow. At memory.max an allocation fails without any killing (see populate() in
 * port_vm.c and gh_malloc_make_room()): it collects once and then says ENOMEM.
 *
 * A cgroup that has been removed does not pay any more: from then on the nearest
 * one above it that is left does, and its counters are the first that matter.
 * Each holds a reference to the one above, so the way up is safe. With
 * cgroup.memory=nokmem no cgroup pays and no limit is the heap's business.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"

#include <linux/jiffies.h>
#include <linux/memcontrol.h>
#include <linux/nodemask.h>
#include <linux/page_counter.h>

#include "compat.h"
#include "device.h"
#include "memcg.h"

#define QUARTER		(HZ / 4)

#ifdef CONFIG_MEMCG

/* Bounds of the reserve, see above. */
#define RESERVE_DIV	16
#define RESERVE_MAX	((64UL << 20) >> PAGE_SHIFT)

/* The limit of one cgroup in OS pages; PAGE_COUNTER_MAX without one. */
static unsigned long limit_of(struct mem_cgroup *memcg)
{
	return min(READ_ONCE(memcg->memory.max),
		   READ_ONCE(memcg->memory.high));
}

static unsigned long reserve(unsigned long limit)
{
	return min(limit / RESERVE_DIV, RESERVE_MAX);
}

/* The first cgroup that pays for a heap; NULL if none does. */
static struct mem_cgroup *payer(struct goheap_file *gf)
{
	struct mem_cgroup *memcg = gf->memcg;

	if (!goheap_memcg_charges())
		return NULL;
	while (memcg && !(READ_ONCE(memcg->css.flags) & CSS_ONLINE))
		memcg = parent_mem_cgroup(memcg);
	return memcg;
}

static unsigned long inactive_file(struct mem_cgroup *memcg)
{
	unsigned long sum = 0;
	int nid, zone;

	for_each_node_state(nid, N_MEMORY) {
		struct mem_cgroup_per_node *n = memcg->nodeinfo[nid];

		for (zone = 0; zone < MAX_NR_ZONES; zone++)
			sum += READ_ONCE(n->lru_zone_size[zone]
						[LRU_INACTIVE_FILE]);
	}
	return sum;
}

/* What the kernel gives up first of a cgroup and those below it. */
static unsigned long reclaimable(struct mem_cgroup *memcg)
{
	struct cgroup_subsys_state *css;
	unsigned long sum = 0;

	rcu_read_lock();
	css_for_each_descendant_pre(css, &memcg->css)
		sum += inactive_file(mem_cgroup_from_css(css));
	rcu_read_unlock();
	return sum;
}

/* OS pages that one cgroup leaves to a heap that has @own. */
static unsigned long left_by(struct mem_cgroup *memcg, unsigned long limit,
			     unsigned long own)
{
	unsigned long used = page_counter_read(&memcg->memory);
	unsigned long others = used > own ? used - own : 0;
	unsigned long taken;

	taken = others - min(others, reclaimable(memcg)) + reserve(limit);
	return limit > taken ? limit - taken : 0;
}

/* What the heap's cgroup pays for, but for handle stacks. */
static unsigned long own_pages(struct gh_heap *heap)
{
	s64 sum = atomic64_read(&heap->mapped) +
		  READ_ONCE(heap->pages.meta_bytes);
	int cpu;

	for_each_possible_cpu(cpu) {
		struct gh_stats *st = per_cpu_ptr(heap->stats, cpu);

		sum += READ_ONCE(st->meta_bytes) + READ_ONCE(st->span_bytes);
	}
	return max_t(s64, sum, 0) >> PAGE_SHIFT;
}

static u64 left_by_all(struct goheap_file *gf, struct gh_heap *heap)
{
	struct mem_cgroup *memcg = payer(gf);
	unsigned long least = PAGE_COUNTER_MAX;
	unsigned long own = own_pages(heap);

	for (; memcg; memcg = parent_mem_cgroup(memcg)) {
		unsigned long limit = limit_of(memcg);

		if (limit < PAGE_COUNTER_MAX)
			least = min(least, left_by(memcg, limit, own));
	}
	return least < PAGE_COUNTER_MAX ? (u64)least << PAGE_SHIFT : U64_MAX;
}

/* All limits as one number, and whether there is less than the reserve left. */
static unsigned long look(struct goheap_file *gf, bool *near)
{
	struct mem_cgroup *memcg = payer(gf);
	unsigned long sum = 0;

	*near = false;
	for (; memcg; memcg = parent_mem_cgroup(memcg)) {
		unsigned long limit = limit_of(memcg);

		if (limit >= PAGE_COUNTER_MAX)
			continue;
		sum = sum * 31 + limit + 1;
		if (page_counter_read(&memcg->memory) + reserve(limit) >
		    limit)
			*near = true;
	}
	return sum;
}

/**
 * goheap_memcg_payer() - the cgroup that pays for what a heap gets now
 * @gf: file
 *
 * Return: it, to be compared; NULL if none does (no cgroups, or nokmem).
 */
struct mem_cgroup *goheap_memcg_payer(struct goheap_file *gf)
{
	return payer(gf);
}
#else /* CONFIG_MEMCG */

static u64 left_by_all(struct goheap_file *gf, struct gh_heap *heap)
{
	return U64_MAX;
}

static unsigned long look(struct goheap_file *gf, bool *near)
{
	*near = false;
	return 0;
}

struct mem_cgroup *goheap_memcg_payer(struct goheap_file *gf)
{
	return NULL;
}
#endif /* CONFIG_MEMCG */

/**
 * gh_port_memory_limit() - bytes that the heap's cgroups leave to it
 * @heap: heap
 *
 * Context: gh_heap.world may be held; does not sleep.
 * Return: bytes, U64_MAX for no limit.
 */
u64 gh_port_memory_limit(struct gh_heap *heap)
{
	struct goheap_file *gf = goheap_file_of(heap);
	struct goheap_memcg_limit *l = &gf->limit;
	u64 bytes = min(left_by_all(gf, heap), READ_ONCE(l->cap));

	WRITE_ONCE(l->bytes, bytes);
	return bytes;
}

static void update_goal(struct work_struct *work)
{
	struct goheap_file *gf = container_of(work, struct goheap_file,
					      limit.work);
	struct goheap_memcg_limit *l = &gf->limit;
	struct gh_heap *heap = goheap_heap(gf);
	u64 old = READ_ONCE(l->bytes);
	u64 now;

	/* Memory can be asked for before the heap is there for others. */
	if (!heap)
		return;
	now = left_by_all(gf, heap);
	if (xchg(&l->changed, false) ||
	    max(old, now) - min(old, now) > old / 32)
		gh_gc_limit_changed(heap);
}

/**
 * goheap_memcg_check() - see to it that the goal follows the limits
 * @gf: file whose heap gets memory
 *
 * Context: gh_heap.world may be held; does not sleep.
 */
void goheap_memcg_check(struct goheap_file *gf)
{
	struct goheap_memcg_limit *l = &gf->limit;
	unsigned long seen;
	bool near;

	seen = look(gf, &near);
	if (seen != READ_ONCE(l->seen)) {
		WRITE_ONCE(l->seen, seen);
		/* Ordered before the queueing, which is a full barrier. */
		WRITE_ONCE(l->changed, true);
	} else if (!near || time_before(jiffies, READ_ONCE(l->next))) {
		return;
	}
	WRITE_ONCE(l->next, jiffies + QUARTER);
	queue_work(system_unbound_wq, &l->work);
}

/**
 * goheap_memcg_init() - prepare the limit of a new file
 * @gf: file
 */
void goheap_memcg_init(struct goheap_file *gf)
{
	gf->limit.bytes = U64_MAX;
	gf->limit.cap = U64_MAX;
	gf->limit.next = jiffies;
	INIT_WORK(&gf->limit.work, update_goal);
}

/**
 * goheap_memcg_stop() - have nothing run for a file any more
 * @gf: file whose heap gets no memory any more
 *
 * Context: may sleep; no lock held.
 */
void goheap_memcg_stop(struct goheap_file *gf)
{
	cancel_work_sync(&gf->limit.work);
}
