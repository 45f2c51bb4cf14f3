// SPDX-License-Identifier: GPL-2.0
/*
 * Attachments: which processes take part in a heap, and what they keep alive.
 *
 * A process, that is an mm, is attached to a heap exactly as long as it maps the
 * heap's objects, however it came by the mapping: by mmap() or as a child that
 * inherited one. An attachment counts those mappings. It owns the roots and the
 * handle stacks of the process and ends with the last mapping, at the latest
 * when the mm dies; closing descriptors has nothing to do with it. A child
 * begins with an attachment of its own, without roots.
 *
 * If there is no memory for the attachment of a child at fork(), which cannot
 * fail any more, the child has the mapping but is not attached; a mapping it
 * makes itself attaches it.
 *
 * Locking. Commands change the tables of roots with the world held for reading,
 * so that no cycle begins or ends meanwhile, under goheap_attachment.lock; the
 * collector reads them under the latter. The end of a mapping can wait
 * neither for the world nor fail, so it takes goheap_file.attach_lock and
 * goheap_attachment.lock alone: the roots go at once, and a cycle that has seen
 * them already keeps their objects once more.
 *
 * Eviction. A process whose threads or ranges cannot be read in time (see
 * process.c) is evicted: its attachment ends, the objects are taken out of its
 * mappings, and whoever touches them there gets SIGBUS. Nothing else could be done
 * without losing objects that it may hold, or holding up all others.
 *
 * Whether current is attached is asked at every allocation, hence under RCU and
 * without a lock.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_mutator.h"

#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "attach.h"
#include "copy.h"
#include "device.h"
#include "map.h"
#include "mutator.h"
#include "process.h"
#include "stack.h"

#define OFFER_WORDS	64	/* of memory that becomes a root, at a time */

/* The attachment of a process, or NULL. */
static struct goheap_attachment *find(struct goheap_file *gf,
				      struct mm_struct *mm)
{
	struct goheap_attachment *att;

	hash_for_each_possible_rcu(gf->attachments, att, node,
				   (unsigned long)mm,
				   lockdep_is_held(&gf->attach_lock))
		if (att->mm == mm)
			return att;
	return NULL;
}

static struct goheap_attachment *new_attachment(struct mm_struct *mm)
{
	struct goheap_attachment *att;

	att = kzalloc(sizeof(*att), GFP_KERNEL_ACCOUNT);
	if (!att)
		return NULL;
	att->mm = mm;
	mmgrab(mm);
	INIT_LIST_HEAD(&att->stacks);
	INIT_LIST_HEAD(&att->mutators);
	mutex_init(&att->lock);
	init_rwsem(&att->switching);
	gh_roots_init(&att->roots);
	kref_init(&att->ref);
	return att;
}

static void free_attachment(struct kref *ref)
{
	struct goheap_attachment *att =
		container_of(ref, struct goheap_attachment, ref);

	mmdrop(att->mm);
	put_pid(att->group);
	goheap_ranges_destroy(&att->ranges);
	mutex_destroy(&att->lock);
	kfree_rcu(att, rcu);
}

/**
 * goheap_attachment_put() - give back goheap_attachment_get()
 * @att: attachment
 */
void goheap_attachment_put(struct goheap_attachment *att)
{
	kref_put(&att->ref, free_attachment);
}

/**
 * goheap_attachment_get() - the attachment of current, for a command
 * @gf: file
 *
 * It may have ended by the time its lock is taken.
 * Return: the attachment, or NULL without one.
 */
struct goheap_attachment *goheap_attachment_get(struct goheap_file *gf)
{
	struct goheap_attachment *att;

	mutex_lock(&gf->attach_lock);
	att = find(gf, current->mm);
	if (att)
		kref_get(&att->ref);
	mutex_unlock(&gf->attach_lock);
	return att;
}

/**
 * goheap_attached() - is current attached?
 * @gf: file
 *
 * Return: true if it is, at the moment of asking.
 */
bool goheap_attached(struct goheap_file *gf)
{
	bool yes;

	rcu_read_lock();
	yes = find(gf, current->mm);
	rcu_read_unlock();
	return yes;
}

static int add_window(struct goheap_attachment *att,
		      const struct vm_area_struct *vma)
{
	if (att->nr_windows == GOHEAP_MAX_WINDOWS)
		return -ENOSPC;
	att->windows[att->nr_windows++] = (struct gh_window) {
		.base = vma->vm_start, .bytes = vma->vm_end - vma->vm_start,
	};
	return 0;
}

static void remove_window(struct goheap_attachment *att,
			  const struct vm_area_struct *vma)
{
	unsigned int i;

	for (i = 0; i < att->nr_windows; i++) {
		if (att->windows[i].base == vma->vm_start) {
			att->windows[i] = att->windows[--att->nr_windows];
			return;
		}
	}
	WARN_ON_ONCE(1);
}

/**
 * goheap_attach() - attach the process that makes a mapping of the objects
 * @gf: file
 * @vma: the mapping; its vm_private_data becomes the attachment
 *
 * Context: may sleep; mmap lock held for writing, gh_heap.world not.
 * Return: 0, -ENOSPC (too many mappings) or -ENOMEM.
 */
int goheap_attach(struct goheap_file *gf, struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	struct goheap_attachment *att;
	int err = -ENOMEM;

	mutex_lock(&gf->attach_lock);
	att = find(gf, mm);
	if (!att) {
		att = new_attachment(mm);
		if (att)
			hash_add_rcu(gf->attachments, &att->node,
				     (unsigned long)mm);
	}
	if (att)
		err = add_window(att, vma);
	mutex_unlock(&gf->attach_lock);
	vma->vm_private_data = err ? NULL : att;
	return err;
}

/**
 * goheap_attach_copy() - the same for a copy that the kernel makes
 * @gf: file
 * @vma: the copy: of a child at fork(), or of mremap(), which will be refused
 *
 * Context: may sleep; mmap lock held for writing.
 */
void goheap_attach_copy(struct goheap_file *gf, struct vm_area_struct *vma)
{
	/* Without memory vm_private_data is NULL: mapped, but not attached. */
	goheap_attach(gf, vma);
}

/* The last mapping is gone, or the process has to go. */
static void end(struct goheap_file *gf, struct goheap_attachment *att)
{
	struct goheap_stack_map *s, *next;
	struct goheap_mutator *mut;

	lockdep_assert_held(&gf->attach_lock);
	hash_del_rcu(&att->node);
	list_for_each_entry_safe(s, next, &att->stacks, node)
		list_del_init(&s->node);
	list_for_each_entry(mut, &att->mutators, node)
		goheap_mutator_unhash(mut);
	mutex_lock(&att->lock);
	WRITE_ONCE(att->ended, true);
	gh_roots_destroy(&att->roots);
	mutex_unlock(&att->lock);
}

/* None of them can touch the objects any more. */
static void end_mutators(struct goheap_file *gf, struct goheap_attachment *att)
{
	struct goheap_mutator *mut;

	lockdep_assert_held(&gf->attach_lock);
	list_for_each_entry(mut, &att->mutators, node)
		gh_mutator_end(mut->core);
}

/**
 * goheap_detach() - a mapping of the objects is going away
 * @gf: file
 * @vma: the mapping
 *
 * Context: may sleep; mmap lock held for writing, or the mm is dying.
 */
void goheap_detach(struct goheap_file *gf, struct vm_area_struct *vma)
{
	struct goheap_attachment *att = vma->vm_private_data;
	bool last;

	if (!att)
		return;
	mutex_lock(&gf->attach_lock);
	remove_window(att, vma);
	last = !att->nr_windows;
	if (last && !att->ended)
		end(gf, att);
	if (last)
		end_mutators(gf, att);
	mutex_unlock(&gf->attach_lock);
	if (last) {
		goheap_cgroup_detached(gf);
		goheap_attachment_put(att);
	}
}

/**
 * goheap_attach_stack() - let a new handle stack keep objects
 * @gf: file
 * @s: the stack of current
 *
 * Context: may sleep.
 * Return: 0, or -ENOTCONN if current is not attached.
 */
int goheap_attach_stack(struct goheap_file *gf, struct goheap_stack_map *s)
{
	struct goheap_attachment *att;

	mutex_lock(&gf->attach_lock);
	att = find(gf, current->mm);
	if (att)
		list_add_tail(&s->node, &att->stacks);
	mutex_unlock(&gf->attach_lock);
	return att ? 0 : -ENOTCONN;
}

/**
 * goheap_attach_mutator() - let a new mutator keep objects
 * @gf: file, attach_lock held
 * @mut: current
 *
 * Context: may sleep.
 * Return: 0, -ENOTCONN if current is not attached, -ENOMEM.
 */
int goheap_attach_mutator(struct goheap_file *gf, struct goheap_mutator *mut)
{
	struct goheap_attachment *att = find(gf, current->mm);

	if (!att)
		return -ENOTCONN;
	if (!gf->copy)
		gf->copy = goheap_copy_new();
	if (!gf->copy)
		return -ENOMEM;
	kref_get(&att->ref);
	mut->att = att;
	list_add_tail(&mut->node, &att->mutators);
	return 0;
}

static int change_range(struct goheap_attachment *att, unsigned long start,
			unsigned long end, bool stack)
{
	int err = -ENOTCONN;

	mutex_lock(&att->lock);
	if (!att->ended)
		err = end ? goheap_ranges_add(&att->ranges, start, end, stack) :
			    goheap_ranges_remove(&att->ranges, start);
	mutex_unlock(&att->lock);
	return err;
}

/*
 * What is in memory that has just become a root is a root now if objects are
 * being marked: its thread may have been the only one to hold it, and may drop it
 * before it is read. What is not mapped is passed over page by page.
 */
static void offer_memory(struct goheap_file *gf, struct goheap_attachment *att,
			 unsigned long start, unsigned long end)
{
	struct gh_heap *heap = gf->heap;
	struct gh_window windows[GOHEAP_MAX_WINDOWS];
	u32 nr = goheap_attach_windows(gf, att, windows);
	u64 words[OFFER_WORDS];
	size_t n;

	for (; start < end; start += n) {
		n = min3(end - start, sizeof(words),
			 PAGE_SIZE - offset_in_page(start));
		if (READ_ONCE(heap->phase) != GH_PHASE_MARK)
			return;
		if (copy_from_user(words, (void __user *)start, n))
			continue;
		down_read(&heap->world);
		gh_mark_shade(heap, words, n / sizeof(*words), windows, nr);
		up_read(&heap->world);
		if (fatal_signal_pending(current))
			return;
		cond_resched();
	}
}

/**
 * goheap_attach_range() - add or remove a conservative root of current
 * @gf: file
 * @start: first address
 * @end: behind the last one; 0 removes the range
 * @stack: a stack, else variables
 *
 * Context: may sleep; no lock held.
 * Return: 0, -ENOTCONN, -ENOMEM, or as goheap_ranges_add() and _remove().
 */
int goheap_attach_range(struct goheap_file *gf, unsigned long start,
			unsigned long end, bool stack)
{
	struct goheap_attachment *att;
	int err = 0;

	mutex_lock(&gf->attach_lock);
	if (!gf->copy)
		gf->copy = goheap_copy_new();
	if (!gf->copy)
		err = -ENOMEM;
	mutex_unlock(&gf->attach_lock);
	if (err)
		return err;
	att = goheap_attachment_get(gf);
	if (!att)
		return -ENOTCONN;
	err = change_range(att, start, end, stack);
	if (!err && end)
		offer_memory(gf, att, start, end);
	goheap_attachment_put(att);
	return err;
}

static void evict(struct goheap_file *gf, struct goheap_attachment *att,
		  int why)
{
	struct goheap_mutator *mut;
	pid_t pid = 0;

	mut = list_first_entry_or_null(&att->threads, struct goheap_mutator,
				       reading);
	if (mut)
		pid = task_tgid_nr(mut->task);
	pr_warn_ratelimited("goheap: heap %u: process %d cannot be read (%d) and loses the heap\n",
			    gf->id, pid, why);
	atomic64_inc(&gf->evictions);
	mutex_lock(&gf->attach_lock);
	if (!att->ended)
		end(gf, att);
	mutex_unlock(&gf->attach_lock);
	goheap_map_revoke(gf);
	mutex_lock(&gf->attach_lock);
	end_mutators(gf, att);
	mutex_unlock(&gf->attach_lock);
}

/**
 * goheap_attach_window() - where current sees the objects
 * @gf: file
 * @window: out: its first mapping
 *
 * Context: may sleep.
 * Return: false if current is not attached.
 */
bool goheap_attach_window(struct goheap_file *gf, struct gh_window *window)
{
	struct goheap_attachment *att;

	mutex_lock(&gf->attach_lock);
	att = find(gf, current->mm);
	if (att)
		*window = att->windows[0];
	mutex_unlock(&gf->attach_lock);
	return att;
}

/**
 * goheap_attach_windows() - where a process sees the objects now
 * @gf: file
 * @att: attachment
 * @windows: out: its mappings, room for GOHEAP_MAX_WINDOWS
 *
 * Context: may sleep; attach_lock not held.
 * Return: how many there are.
 */
u32 goheap_attach_windows(struct goheap_file *gf,
			  const struct goheap_attachment *att,
			  struct gh_window *windows)
{
	u32 nr;

	mutex_lock(&gf->attach_lock);
	nr = att->nr_windows;
	memcpy(windows, att->windows, nr * sizeof(*windows));
	mutex_unlock(&gf->attach_lock);
	return nr;
}

/* Note all there is to read; false if there is nothing. */
static bool note_all(struct goheap_file *gf, struct list_head *processes)
{
	struct goheap_attachment *att;
	bool any = false;
	int bucket;

	mutex_lock(&gf->attach_lock);
	hash_for_each(gf->attachments, bucket, att, node)
		/*
		 * A process that is ending runs no program any more. Its end
		 * may be late, if the last one to hold its mm was a collector.
		 */
		if (atomic_read(&att->mm->mm_users))
			any |= goheap_process_note(gf, att, processes);
	mutex_unlock(&gf->attach_lock);
	return any;
}

typedef int (*goheap_read_fn)(struct goheap_file *gf,
			      struct goheap_attachment *att,
			      struct gh_mark *m);

static void read_all(struct goheap_file *gf, struct list_head *processes,
		     goheap_read_fn read, struct gh_mark *m)
{
	struct goheap_attachment *att;

	list_for_each_entry(att, processes, reading) {
		int err = READ_ONCE(att->ended) ? 0 : read(gf, att, m);

		if (err)
			evict(gf, att, err);
		cond_resched();
	}
}

/**
 * goheap_attach_mark() - offer the roots of all processes to the marker
 * @gf: file
 * @m: marker
 *
 * Until there is no process, and no mutator of a group of threads, that has not been
 * read. One that comes later holds what threads that have been read, or reported it,
 * gave to it. So that others cannot hold up the end by coming all the time, looks are
 * limited: what could be missed is handed on through as many generations of processes,
 * each of which is forked, and attaches, before its parent has been read.
 * Context: may sleep; the collector.
 */
void goheap_attach_mark(struct goheap_file *gf, struct gh_mark *m)
{
	struct goheap_attachment *att, *next;
	LIST_HEAD(processes);
	int looks;

	gf->mark_cycle++;
	for (looks = 0; looks < GOHEAP_MAX_LOOKS; looks++) {
		if (!note_all(gf, &processes))
			break;
		read_all(gf, &processes, goheap_process_mark_data, m);
		read_all(gf, &processes, goheap_process_mark_threads, m);
		list_for_each_entry_safe(att, next, &processes, reading)
			goheap_process_forget(att);
		INIT_LIST_HEAD(&processes);
	}
}
