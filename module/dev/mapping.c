// SPDX-License-Identifier: GPL-2.0
/*
 * What a collector has to wait for in a process: where a mapping lies, which of its
 * pages exist, and pages that another program fills.
 *
 * That takes the mmap lock, and a collector must not wait for it without end: who
 * holds it may wait for the collector, or for a program that serves a page. To
 * try again and again is no way either. Where threads map and unmap all the time
 * there is always somebody who waits for the lock, and then no try succeeds.
 *
 * So after one try a work item waits for its turn like everybody else, and the
 * collector waits for the work item, up to a limit. A look-up that was given up
 * ends by itself when it gets the lock; until then it keeps the process's memory
 * and the module, whose queue is emptied before it goes.
 *
 * A page that a userfaultfd stands for comes when its server is asked for it, and
 * it is asked by a fault that waits. A collector does not do that, but has a work
 * item do it and goes on trying without. What is given up is killed, so that it
 * does not wait for a server that never answers. That is a signal to a thread of
 * the kernel's, which takes it for the time of that work only.
 */
#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/userfaultfd_k.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "mapping.h"
#include "thread.h"

#define PATIENCE	(10 * HZ)
#define BATCH_PAGES	16

/* A stack that grows may have done so by the time it is read. */
#define GROWTH		(64UL << 10)

static struct workqueue_struct *goheap_mapping_queue;

/**
 * struct lookup - a look-up that waits for its turn
 * @work: the work item
 * @done: it has looked
 * @ref: one for each side
 * @mm: the process, with a reference of the work item's
 * @addr: address that is looked for
 * @below: pages that far below it are looked for
 * @map: out: the mapping that it is in
 */
struct lookup {
	struct work_struct work;
	struct completion done;
	refcount_t ref;
	struct mm_struct *mm;
	unsigned long addr;
	unsigned long below;
	struct goheap_mapping map;
};

/* Is it the kernel alone that fills the pages of a mapping? */
static bool filled_by_kernel(const struct vm_area_struct *vma)
{
	const struct super_block *sb;

	if (!goheap_vma_memory(vma))
		return false;
	if (!vma->vm_file || !vma->vm_ops)
		return true;
	if (!S_ISREG(file_inode(vma->vm_file)->i_mode))
		return false;
	sb = file_inode(vma->vm_file)->i_sb;
	switch (sb->s_magic) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case HUGETLBFS_MAGIC:
		return true;
	case FUSE_SUPER_MAGIC:
		return false;
	default:
		return sb->s_type->fs_flags & FS_REQUIRES_DEV;
	}
}

/**
 * goheap_mapping_bring_in() - have pages of a mapping brought in
 * @vma: mapping
 * @addr: the first one
 * @end: behind the last one
 *
 * Context: may sleep, but not for whoever serves a fault; mmap lock held.
 * Return: how many from @addr on are there, 0 if the first is on its way, or
 * -EFAULT if that does not exist.
 */
long goheap_mapping_bring_in(struct vm_area_struct *vma, unsigned long addr,
			     unsigned long end)
{
	unsigned long want = min((min(end, vma->vm_end) - addr) / PAGE_SIZE,
				 (unsigned long)BATCH_PAGES);
	struct page *pages[BATCH_PAGES];
	unsigned int flags = FOLL_NOWAIT;
	long n, i;

	lockdep_assert_held(&vma->vm_mm->mmap_lock);
	if (!filled_by_kernel(vma))
		flags = FOLL_NOFAULT;
	else if (!userfaultfd_missing(vma))
		flags |= FOLL_DUMP;
	n = goheap_get_user_pages(vma->vm_mm, addr, want, flags, pages);
	for (i = 0; i < n; i++)
		put_page(pages[i]);
	if (n >= 0)
		return n;
	return n == -EFAULT || n == -EHWPOISON ? -EFAULT : 0;
}

/* The first page from @addr on that exists. */
static unsigned long first_used(struct vm_area_struct *vma, unsigned long addr)
{
	while (addr < vma->vm_end &&
	       goheap_mapping_bring_in(vma, addr, addr + PAGE_SIZE) < 0)
		addr += PAGE_SIZE;
	return addr;
}

static void find(struct mm_struct *mm, unsigned long addr, unsigned long below,
		 struct goheap_mapping *map)
{
	struct vm_area_struct *vma = find_vma(mm, addr);

	memset(map, 0, sizeof(*map));
	if (!vma || vma->vm_start > addr || !goheap_vma_memory(vma))
		return;
	map->lo = vma->vm_start;
	map->hi = vma->vm_end;
	if (vma->vm_flags & VM_GROWSDOWN)
		map->lo -= min(map->lo, GROWTH);
	if (below)
		map->used = first_used(vma, max(vma->vm_start,
						round_down(addr - min(addr, below),
							   PAGE_SIZE)));
}

static void put(struct lookup *l)
{
	if (refcount_dec_and_test(&l->ref))
		kfree(l);
}

static void look_up(struct work_struct *work)
{
	struct lookup *l = container_of(work, struct lookup, work);

	mmap_read_lock(l->mm);
	find(l->mm, l->addr, l->below, &l->map);
	mmap_read_unlock(l->mm);
	mmput_async(l->mm);
	complete(&l->done);
	put(l);
}

/* Wait until it has been this look-up's turn. */
static int find_in_turn(struct mm_struct *mm, unsigned long addr,
			unsigned long below, struct goheap_mapping *map)
{
	struct lookup *l = kzalloc(sizeof(*l), GFP_KERNEL_ACCOUNT);
	int err = 0;

	if (!l)
		return -ENOMEM;
	INIT_WORK(&l->work, look_up);
	init_completion(&l->done);
	refcount_set(&l->ref, 2);
	mmget(mm);
	l->mm = mm;
	l->addr = addr;
	l->below = below;
	queue_work(goheap_mapping_queue, &l->work);
	if (wait_for_completion_timeout(&l->done, PATIENCE))
		*map = l->map;
	else
		err = -EBUSY;
	put(l);
	return err;
}

/**
 * goheap_mapping_find() - find the mapping that an address is in
 * @mm: process, with a reference
 * @addr: any address
 * @below: look for pages that exist from so many bytes below it on; 0 for not
 * @map: out: a mapping in which a stack may be, see goheap_vma_memory()
 *
 * Context: sleeps, up to ten seconds; the mmap lock not held.
 * Return: 0; -EBUSY if the mmap lock could not be had, or -ENOMEM: @map is not set.
 */
int goheap_mapping_find(struct mm_struct *mm, unsigned long addr,
			unsigned long below, struct goheap_mapping *map)
{
	if (!mmap_read_trylock(mm))
		return find_in_turn(mm, addr, below, map);
	find(mm, addr, below, map);
	mmap_read_unlock(mm);
	return 0;
}

/**
 * struct goheap_ask - a work item that asks for pages
 * @work: the work item
 * @ref: one for each side
 * @mm: the process, with a reference of the work item's
 * @start: first page
 * @end: behind the last one
 * @lock: protects @task and @over
 * @task: who does the work now, or NULL
 * @over: it is not to be done, or has been
 */
struct goheap_ask {
	struct work_struct work;
	refcount_t ref;
	struct mm_struct *mm;
	unsigned long start;
	unsigned long end;
	spinlock_t lock;		/* task, over */
	struct task_struct *task;
	bool over;
};

static void put_ask(struct goheap_ask *a)
{
	if (refcount_dec_and_test(&a->ref))
		kfree(a);
}

/* As long as userfaultfds stand for them. */
static void fault_in(struct goheap_ask *a)
{
	unsigned long addr;
	bool unlocked;

	if (mmap_read_lock_killable(a->mm))
		return;
	for (addr = a->start; addr < a->end; addr += PAGE_SIZE) {
		struct vm_area_struct *vma = vma_lookup(a->mm, addr);

		if (!vma || !userfaultfd_armed(vma) ||
		    fixup_user_fault(a->mm, addr, FAULT_FLAG_REMOTE, &unlocked))
			break;
	}
	mmap_read_unlock(a->mm);
}

static bool set_task(struct goheap_ask *a, struct task_struct *task)
{
	bool over;

	spin_lock(&a->lock);
	over = a->over;
	a->task = task;
	WRITE_ONCE(a->over, over || !task);
	spin_unlock(&a->lock);
	return !over;
}

static void ask_for_pages(struct work_struct *work)
{
	struct goheap_ask *a = container_of(work, struct goheap_ask, work);

	allow_signal(SIGKILL);
	if (set_task(a, current))
		fault_in(a);
	set_task(a, NULL);
	/* Forgets one that has come. */
	disallow_signal(SIGKILL);
	mmput_async(a->mm);
	put_ask(a);
}

/**
 * goheap_mapping_ask() - have a program asked for pages
 * @ask: the last one, or NULL; out: the one that is under way, or NULL
 * @mm: process, with a reference
 * @start: first page
 * @end: behind the last one
 *
 * Does nothing as long as the last one is under way.
 * Context: may sleep.
 */
void goheap_mapping_ask(struct goheap_ask **ask, struct mm_struct *mm,
			unsigned long start, unsigned long end)
{
	struct goheap_ask *a = *ask;

	if (a && !READ_ONCE(a->over))
		return;
	goheap_mapping_ask_end(ask);
	a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);
	if (!a)
		return;
	INIT_WORK(&a->work, ask_for_pages);
	refcount_set(&a->ref, 2);
	spin_lock_init(&a->lock);
	mmget(mm);
	a->mm = mm;
	a->start = start;
	a->end = end;
	*ask = a;
	queue_work(goheap_mapping_queue, &a->work);
}

/**
 * goheap_mapping_ask_end() - ask no longer
 * @ask: what goheap_mapping_ask() has set; out: NULL
 */
void goheap_mapping_ask_end(struct goheap_ask **ask)
{
	struct goheap_ask *a = *ask;

	if (!a)
		return;
	*ask = NULL;
	spin_lock(&a->lock);
	WRITE_ONCE(a->over, true);
	if (a->task)
		send_sig(SIGKILL, a->task, 1);
	spin_unlock(&a->lock);
	put_ask(a);
}

/**
 * goheap_mapping_init() - make the queue
 *
 * Return: 0 or -ENOMEM.
 */
int goheap_mapping_init(void)
{
	goheap_mapping_queue = alloc_workqueue("goheap-mapping", WQ_UNBOUND, 0);
	return goheap_mapping_queue ? 0 : -ENOMEM;
}

/**
 * goheap_mapping_exit() - undo goheap_mapping_init(); no heap is left
 */
void goheap_mapping_exit(void)
{
	destroy_workqueue(goheap_mapping_queue);
}
