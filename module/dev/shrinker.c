// SPDX-License-Identifier: GPL-2.0
/*
 * The shrinker: one for all heaps, through which the kernel asks for memory.
 *
 * What a heap can give back at once is the memory of free pages. What it can
 * give back later is garbage, which takes a collection to find. Both count:
 *
 *	count	free pages with memory, plus what was allocated since the last
 *		cycle if that is worth a cycle
 *	scan	gives free pages back; if they do not suffice, asks for a cycle
 *		and leaves word how much the collector shall give back after it
 *
 * The upper bound in the count is deliberate: the kernel does not call scan
 * where nothing is counted, and then nobody would collect. It is worth a cycle
 * if it is a quarter of what is live, and GARBAGE_MIN at least. So under pressure
 * a heap is collected as with GOGC=25, and no more often.
 *
 * Locks. Reclaim is entered by whoever allocates, and the heaps themselves
 * allocate under their locks: a refill for the page tables of a fault, say, with
 * the world, an mcache and the lock of the page allocator held. So scan waits for
 * no lock of a heap: gh_heap_try_release() tries, and a cycle is asked for with a
 * spinlock under which nobody allocates (goheap_worker.lock). What it does take
 * is legal there:
 *
 *	heaps_lock	tried. Adding and removing a heap takes it for writing
 *			and allocates nothing meanwhile
 *	i_mmap_rwsem	taken for reading by unmap_mapping_range(), as reclaim
 *			itself does to find the mappings of a file's page
 *			(rmap_walk_file()). Therefore nobody in the kernel
 *			allocates memory with it held
 *	page tables	spinlocks, like those; and MMU notifiers, which the
 *			kernel calls from reclaim, too
 *
 * A heap is on the list from the end of its open to the start of its release.
 * Removing it waits for scans that see it.
 *
 * Cgroups. Reclaim in a cgroup that has reached its limit calls only shrinkers
 * that know cgroups (SHRINKER_MEMCG_AWARE), and those only for cgroups in which
 * they have something. That is what the kernel keeps a list_lru for. Ours has no
 * other use: each heap has one small object in it, made at the expense of the
 * heap's cgroup, and the kernel moves it to the parent when the cgroup goes.
 * The heaps of the cgroup are then found on our own list, because one of them has
 * to be held while pages are taken from it, which may sleep.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include <linux/list_lru.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>

#include "compat.h"
#include "device.h"
#include "shrinker.h"

/* Least garbage, and 1/n of the live heap, that is worth a cycle. */
#define GARBAGE_MIN	(1UL << 20)
#define GARBAGE_DIV	4

/**
 * struct goheap_shrink_mark - stands for a heap in the list of its cgroup
 * @node: in goheap_marks
 */
struct goheap_shrink_mark {
	struct list_head node;
};

static LIST_HEAD(goheap_heaps);
static DECLARE_RWSEM(goheap_heaps_lock);

static struct shrinker *goheap_shrinker;
static struct list_lru goheap_marks;
static struct kmem_cache *goheap_mark_cache;

/* Bytes that a cycle may find, 0 if too few. */
static u64 garbage(struct gh_heap *heap)
{
	u64 marked = READ_ONCE(heap->heap_marked);
	s64 grown = atomic64_read(&heap->heap_live) - marked;
	u64 least = max_t(u64, marked / GARBAGE_DIV, GARBAGE_MIN);

	return grown > 0 && grown >= least ? grown : 0;
}

/*
 * The heap of a file, if it is in use and its memory is that of the cgroup whose
 * memory is wanted. What no cgroup pays for is asked for once, at the top: there
 * are no marks then that would have the kernel ask anywhere else.
 */
static struct gh_heap *heap_of(struct goheap_file *gf,
			       struct shrink_control *sc)
{
	struct mem_cgroup *payer = goheap_memcg_payer(gf);

	if (sc->memcg && payer && payer != sc->memcg)
		return NULL;
	return goheap_heap(gf);
}

/* Sums over the heaps that are asked. */
struct counts {
	u64 free;
	u64 garbage;
};

static void count(struct shrink_control *sc, struct counts *c)
{
	struct goheap_file *gf;

	list_for_each_entry(gf, &goheap_heaps, shrink.node) {
		struct gh_heap *heap = heap_of(gf, sc);

		if (!heap)
			continue;
		c->free += gh_heap_releasable(heap);
		c->garbage += garbage(heap);
	}
}

/* 0 and not SHRINK_EMPTY, which would have to be taken back. */
static unsigned long count_objects(struct shrinker *shrinker,
				   struct shrink_control *sc)
{
	struct counts c = { };

	if (!down_read_trylock(&goheap_heaps_lock))
		return 0;
	count(sc, &c);
	up_read(&goheap_heaps_lock);
	return (c.free + c.garbage) >> PAGE_SHIFT;
}

static void want_cycle(struct goheap_file *gf, u64 bytes)
{
	atomic64_add(bytes, &gf->shrink.wanted);
	if (goheap_worker_request(gf))
		atomic64_inc(&gf->shrink.collections);
}

/* Have one heap give @bytes back; returns how much it did. */
static u64 shrink_heap(struct goheap_file *gf, struct gh_heap *heap, u64 bytes)
{
	u64 done = gh_heap_try_release(heap, bytes);

	/* Perhaps it is called because a limit has been lowered. */
	goheap_memcg_check(gf);
	atomic64_inc(&gf->shrink.calls);
	atomic64_add(done, &gf->shrink.bytes);
	if (done < bytes && garbage(heap))
		want_cycle(gf, min(bytes - done, garbage(heap)));
	return done;
}

/* Each heap gives its share, so that none pays for all. */
static u64 shrink_heaps(struct shrink_control *sc, u64 bytes)
{
	struct goheap_file *gf;
	struct counts all = { };
	u64 done = 0;

	count(sc, &all);
	if (!(all.free + all.garbage))
		return 0;
	bytes = min(bytes, all.free + all.garbage);
	list_for_each_entry(gf, &goheap_heaps, shrink.node) {
		struct gh_heap *heap = heap_of(gf, sc);
		u64 has, share;

		if (!heap)
			continue;
		has = gh_heap_releasable(heap) + garbage(heap);
		share = mul_u64_u64_div_u64(bytes, has,
					    all.free + all.garbage);
		if (has)
			done += shrink_heap(gf, heap, share + 1);
	}
	return done;
}

static unsigned long scan_objects(struct shrinker *shrinker,
				  struct shrink_control *sc)
{
	unsigned long pages;

	if (!down_read_trylock(&goheap_heaps_lock))
		return SHRINK_STOP;
	pages = shrink_heaps(sc, (u64)sc->nr_to_scan << PAGE_SHIFT) >>
		PAGE_SHIFT;
	up_read(&goheap_heaps_lock);
	goheap_account_reclaimed(pages);
	return pages ?: SHRINK_STOP;
}

/**
 * goheap_shrinker_swept() - give back what the kernel still waits for
 * @gf: file whose heap has been swept
 *
 * Context: may sleep; the collector, no lock held.
 */
void goheap_shrinker_swept(struct goheap_file *gf)
{
	u64 bytes = atomic64_xchg(&gf->shrink.wanted, 0);

	if (bytes)
		atomic64_add(gh_heap_scavenge(goheap_heap(gf), bytes, true),
			     &gf->shrink.bytes);
}

static int add_mark(struct goheap_file *gf)
{
	struct mem_cgroup *old = set_active_memcg(gf->memcg);
	struct goheap_shrink_mark *mark;

	mark = kmem_cache_alloc_lru(goheap_mark_cache, &goheap_marks,
				    GFP_KERNEL_ACCOUNT);
	set_active_memcg(old);
	if (!mark)
		return -ENOMEM;
	INIT_LIST_HEAD(&mark->node);
	goheap_lru_add(&goheap_marks, &mark->node);
	gf->shrink.mark = mark;
	return 0;
}

static void remove_mark(struct goheap_file *gf)
{
	goheap_lru_del(&goheap_marks, &gf->shrink.mark->node);
	kmem_cache_free(goheap_mark_cache, gf->shrink.mark);
}

/**
 * goheap_shrinker_add() - let the kernel ask a heap for memory
 * @gf: file with a collector thread
 *
 * Context: may sleep; no lock held.
 * Return: 0 or -ENOMEM.
 */
int goheap_shrinker_add(struct goheap_file *gf)
{
	int err = add_mark(gf);

	if (err)
		return err;
	down_write(&goheap_heaps_lock);
	list_add_tail(&gf->shrink.node, &goheap_heaps);
	up_write(&goheap_heaps_lock);
	return 0;
}

/**
 * goheap_shrinker_remove() - undo goheap_shrinker_add()
 * @gf: file, nothing of it freed yet
 *
 * Context: may sleep; no lock held.
 */
void goheap_shrinker_remove(struct goheap_file *gf)
{
	down_write(&goheap_heaps_lock);
	list_del(&gf->shrink.node);
	up_write(&goheap_heaps_lock);
	remove_mark(gf);
}

/**
 * goheap_shrinker_init() - register the shrinker
 *
 * Return: 0 or -errno.
 */
int goheap_shrinker_init(void)
{
	int err = -ENOMEM;

	goheap_mark_cache = KMEM_CACHE(goheap_shrink_mark, SLAB_ACCOUNT);
	if (!goheap_mark_cache)
		return -ENOMEM;
	goheap_shrinker = goheap_shrinker_alloc(count_objects, scan_objects);
	if (!goheap_shrinker)
		goto destroy_cache;
	/* The list takes the shrinker's number, which it has from here on. */
	err = list_lru_init_memcg(&goheap_marks, goheap_shrinker);
	if (err)
		goto free_shrinker;
	goheap_shrinker_register(goheap_shrinker);
	return 0;

free_shrinker:
	goheap_shrinker_free(goheap_shrinker);
destroy_cache:
	kmem_cache_destroy(goheap_mark_cache);
	return err;
}

/**
 * goheap_shrinker_exit() - undo goheap_shrinker_init(); no heap is left
 */
void goheap_shrinker_exit(void)
{
	goheap_shrinker_free(goheap_shrinker);
	list_lru_destroy(&goheap_marks);
	kmem_cache_destroy(goheap_mark_cache);
}
