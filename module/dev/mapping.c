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
 * collector waits for the work item, up to a limit. What was given up is done all
 * the same when the work item gets the lock, and nobody sees what it came to; until
 * then it keeps the process's memory and the module, whose queue is emptied before
 * it goes.
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
 * struct turn - something to be done under the mmap lock, when its turn comes
 * @work: the work item
 * @done: it has been done
 * @ref: one for each side
 * @mm: the process, with a reference of the work item's
 * @fn: what is to be done
 * @data: a copy of what @fn reads and writes
 */
struct turn {
	struct work_struct work;
	struct completion done;
	refcount_t ref;
	struct mm_struct *mm;
	void (*fn)(struct mm_struct *mm, void *data);
	u64 data[];
};

/* What is looked for, and what was found: see goheap_mapping_find(). */
struct lookup {
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

static void put(struct turn *t)
{
	if (refcount_dec_and_test(&t->ref))
		kfree(t);
}

static void take_turn(struct work_struct *work)
{
	struct turn *t = container_of(work, struct turn, work);

	mmap_read_lock(t->mm);
	t->fn(t->mm, t->data);
	mmap_read_unlock(t->mm);
	mmput_async(t->mm);
	complete(&t->done);
	put(t);
}

/* Wait until it has been done. */
static int wait_for_turn(struct mm_struct *mm,
			 void (*fn)(struct mm_struct *mm, void *data),
			 void *data, size_t bytes)
{
	struct turn *t = kzalloc(sizeof(*t) + bytes, GFP_KERNEL_ACCOUNT);
	int err = 0;

	if (!t)
		return -ENOMEM;
	INIT_WORK(&t->work, take_turn);
	init_completion(&t->done);
	refcount_set(&t->ref, 2);
	mmget(mm);
	t->mm = mm;
	t->fn = fn;
	memcpy(t->data, data, bytes);
	queue_work(goheap_mapping_queue, &t->work);
	if (wait_for_completion_timeout(&t->done, PATIENCE))
		memcpy(data, t->data, bytes);
	else
		err = -EBUSY;
	put(t);
	return err;
}

/**
 * goheap_mapping_locked() - do something under the mmap lock
 * @mm: process, with a reference
 * @fn: what is to be done; it must not wait for the process
 * @data: what @fn reads and writes, with no pointers to what may go meanwhile
 * @bytes: bytes of @data
 * @waited: out: increased by what waiting for the lock has taken, ns
 *
 * Context: sleeps, up to ten seconds; the mmap lock not held.
 * Return: 0; -EBUSY if the mmap lock could not be had, or -ENOMEM: @data is as it
 * was.
 */
int goheap_mapping_locked(struct mm_struct *mm,
			  void (*fn)(struct mm_struct *mm, void *data),
			  void *data, size_t bytes, u64 *waited)
{
	u64 since;
	int err;

	if (mmap_read_trylock(mm)) {
		fn(mm, data);
		mmap_read_unlock(mm);
		return 0;
	}
	since = ktime_get_ns();
	err = wait_for_turn(mm, fn, data, bytes);
	*waited += ktime_get_ns() - since;
	return err;
}

static void find(struct mm_struct *mm, void *data)
{
	struct lookup *l = data;
	struct goheap_mapping *map = &l->map;
	struct vm_area_struct *vma = find_vma(mm, l->addr);
	unsigned long from;

	memset(map, 0, sizeof(*map));
	if (!vma || vma->vm_start > l->addr || !goheap_vma_memory(vma))
		return;
	map->lo = vma->vm_start;
	map->hi = vma->vm_end;
	if (vma->vm_flags & VM_GROWSDOWN)
		map->lo -= min(map->lo, GROWTH);
	if (!l->below)
		return;
	from = round_down(l->addr - min(l->addr, l->below), PAGE_SIZE);
	map->used = first_used(vma, max(vma->vm_start, from));
}

/**
 * goheap_mapping_find() - find the mapping that an address is in
 * @mm: process, with a reference
 * @addr: any address
 * @below: look for pages that exist from so many bytes below it on; 0 for not
 * @map: out: a mapping in which a stack may be, see goheap_vma_memory()
 * @waited: as for goheap_mapping_locked()
 *
 * Context: as goheap_mapping_locked().
 * Return: as goheap_mapping_locked(); unless 0, @map is not set.
 */
int goheap_mapping_find(struct mm_struct *mm, unsigned long addr,
			unsigned long below, struct goheap_mapping *map,
			u64 *waited)
{
	struct lookup l = { .addr = addr, .below = below };
	int err = goheap_mapping_locked(mm, find, &l, sizeof(l), waited);

	if (!err)
		*map = l.map;
	return err;
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
