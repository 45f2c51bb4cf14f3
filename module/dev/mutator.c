// SPDX-License-Identifier: GPL-2.0
/*
 * Mutators: threads that have mapped control pages (see core/gh_mutator.c).
 *
 * A thread becomes a mutator by mapping them and is one until the mapping goes
 * or its process's attachment ends. A thread that exits without unmapping has
 * nothing left that could be scanned, its leases are taken back by the next
 * collection like those of all mutators, and the mapping goes with the process.
 * A child has no part in its parent's mutators (VM_DONTCOPY); the mapping it
 * makes itself makes one of its own.
 *
 * Commands find the mutator of current by its task under RCU, without a lock.
 * The mutator holds a reference to the task, so that no other gets its address.
 *
 * The end of a mapping cannot wait for the world, but giving leases back needs
 * it. So the last reference puts the mutator on a list, and a work item ends it.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_mutator.h"

#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/goheap.h>
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>

#include "attach.h"
#include "compat.h"
#include "device.h"
#include "map.h"
#include "mutator.h"
#include "thread.h"

/* OS pages of a mapping at most. */
#define MAX_PAGES	(1 + GH_MAX_LEASES / GH_LEASES_PER_PAGE)

static struct goheap_mutator *find(struct goheap_file *gf,
				   struct task_struct *task)
{
	struct goheap_mutator *mut;

	hash_for_each_possible_rcu(gf->mutators, mut, hash,
				   (unsigned long)task,
				   lockdep_is_held(&gf->attach_lock))
		/* A task that runs another program left its mm behind. */
		if (mut->task == task && mut->mm == task->mm)
			return mut;
	return NULL;
}

/**
 * goheap_mutator_get() - the mutator that current is
 * @gf: file
 *
 * Return: the mutator, to be given back, or NULL.
 */
struct goheap_mutator *goheap_mutator_get(struct goheap_file *gf)
{
	struct goheap_mutator *mut;

	rcu_read_lock();
	mut = find(gf, current);
	if (mut && !kref_get_unless_zero(&mut->ref))
		mut = NULL;
	rcu_read_unlock();
	return mut;
}

/**
 * goheap_mutator_known() - does the collector know of a thread already?
 * @gf: file
 * @task: the thread
 *
 * Context: the collector; RCU read lock held.
 * Return: true for a mutator that is precise, or has been noted in this cycle.
 * One that has become a mutator since then is like a thread that is none.
 */
bool goheap_mutator_known(struct goheap_file *gf, struct task_struct *task)
{
	struct goheap_mutator *mut = find(gf, task);

	return mut && (mut->precise || mut->seen_cycle == gf->mark_cycle);
}

static void queue_reap(struct kref *ref)
{
	struct goheap_mutator *mut =
		container_of(ref, struct goheap_mutator, ref);
	struct goheap_file *gf = mut->gf;

	spin_lock(&gf->reap_lock);
	list_add_tail(&mut->reap, &gf->ended_mutators);
	spin_unlock(&gf->reap_lock);
	queue_work(system_unbound_wq, &gf->reap_work);
}

/**
 * goheap_mutator_unhash() - let current be no mutator any more
 * @mut: mutator; may be unhashed already
 *
 * Context: goheap_file.attach_lock held.
 */
void goheap_mutator_unhash(struct goheap_mutator *mut)
{
	lockdep_assert_held(&mut->gf->attach_lock);
	if (!hlist_unhashed(&mut->hash))
		hlist_del_init_rcu(&mut->hash);
}

/**
 * goheap_mutator_put() - give back goheap_mutator_get()
 * @mut: mutator
 */
void goheap_mutator_put(struct goheap_mutator *mut)
{
	kref_put(&mut->ref, queue_reap);
}

static struct goheap_mutator *pop_ended(struct goheap_file *gf)
{
	struct goheap_mutator *mut;

	spin_lock(&gf->reap_lock);
	mut = list_first_entry_or_null(&gf->ended_mutators,
				       struct goheap_mutator, reap);
	if (mut)
		list_del(&mut->reap);
	spin_unlock(&gf->reap_lock);
	return mut;
}

static void free_mutator(struct goheap_mutator *mut)
{
	gh_mutator_destroy(mut->gf->heap, mut->core);
	if (mut->att)
		goheap_attachment_put(mut->att);
	put_task_struct(mut->task);
	kfree_rcu(mut, rcu);
}

static void reap(struct work_struct *work)
{
	struct goheap_file *gf =
		container_of(work, struct goheap_file, reap_work);
	struct goheap_mutator *mut;

	while ((mut = pop_ended(gf))) {
		free_mutator(mut);
		cond_resched();
	}
}

/**
 * goheap_mutators_init() - make a new file ready for mutators
 * @gf: file
 */
void goheap_mutators_init(struct goheap_file *gf)
{
	hash_init(gf->mutators);
	spin_lock_init(&gf->reap_lock);
	INIT_LIST_HEAD(&gf->ended_mutators);
	INIT_WORK(&gf->reap_work, reap);
}

/**
 * goheap_mutators_reap() - wait until all mutators have ended
 * @gf: file without mappings and commands
 */
void goheap_mutators_reap(struct goheap_file *gf)
{
	flush_work(&gf->reap_work);
	WARN_ON_ONCE(!hash_empty(gf->mutators));
}

/**
 * goheap_mutators_hold() - take the control pages of conservative mutators away
 * @gf: file
 * @att: the process that is meant
 *
 * Who touches them there waits for goheap_attachment.switching. Those of other
 * processes go, too, and come back with the next fault.
 * Context: may sleep; @att's switching held for writing.
 */
void goheap_mutators_hold(struct goheap_file *gf,
			  struct goheap_attachment *att)
{
	lockdep_assert_held_write(&att->switching);
	unmap_mapping_range(gf->inode->i_mapping, GOHEAP_MMAP_MUTATOR,
			    MAX_PAGES * PAGE_SIZE, 1);
}

/* Without the mmap lock the mutator may go, and @att with it. */
static vm_fault_t wait_switching(struct vm_fault *vmf,
				 struct goheap_attachment *att)
{
	vm_fault_t ret;

	kref_get(&att->ref);
	ret = goheap_fault_begin(vmf, &att->switching);
	goheap_attachment_put(att);
	return ret;
}

/*
 * Hold both semaphores for reading. None is waited for while the other one is
 * held: whoever wants to stop the world would wait as well, and when the fault is
 * to be tried again the file may be gone, and the other one with it.
 */
static vm_fault_t begin_fault(struct vm_fault *vmf, struct gh_heap *heap,
			      struct goheap_attachment *att)
{
	vm_fault_t ret;

	for (;;) {
		ret = goheap_fault_begin(vmf, &heap->world);
		if (ret || down_read_trylock(&att->switching))
			return ret;
		up_read(&heap->world);
		ret = wait_switching(vmf, att);
		if (ret)
			return ret;
		up_read(&att->switching);
	}
}

static vm_fault_t mutator_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct goheap_mutator *mut = vma->vm_private_data;
	struct goheap_file *gf = vma->vm_file->private_data;
	struct mem_cgroup *old;
	vm_fault_t ret;
	void *page;

	if (!mut)
		return VM_FAULT_SIGBUS;
	ret = begin_fault(vmf, gf->heap, mut->att);
	if (ret)
		return ret;
	old = set_active_memcg(gf->memcg);
	page = gh_mutator_page(gf->heap, mut->core,
			       vmf->pgoff - vma->vm_pgoff);
	set_active_memcg(old);
	ret = page ? goheap_fault_insert(vmf, virt_to_page(page)) :
		     VM_FAULT_SIGBUS;
	up_read(&mut->att->switching);
	up_read(&gf->heap->world);
	return ret;
}

static void mutator_open(struct vm_area_struct *vma)
{
	struct goheap_file *gf = vma->vm_file->private_data;
	struct goheap_mutator *mut = vma->vm_private_data;

	if (!mut)
		return;
	mutex_lock(&gf->attach_lock);
	if (vma->vm_mm == mut->mm)
		mut->nr_vmas++;
	else
		vma->vm_private_data = NULL;
	mutex_unlock(&gf->attach_lock);
}

static void mutator_close(struct vm_area_struct *vma)
{
	struct goheap_file *gf = vma->vm_file->private_data;
	struct goheap_mutator *mut = vma->vm_private_data;
	bool last;

	if (!mut)
		return;
	mutex_lock(&gf->attach_lock);
	last = !--mut->nr_vmas;
	if (last) {
		list_del_init(&mut->node);
		goheap_mutator_unhash(mut);
	}
	mutex_unlock(&gf->attach_lock);
	if (last)
		goheap_mutator_put(mut);
}

static const struct vm_operations_struct mutator_vm_ops = {
	.open = mutator_open,
	.close = mutator_close,
	.may_split = goheap_vma_may_split,
	.mremap = goheap_vma_mremap,
	.fault = mutator_fault,
};

/*
 * Is current on a stack that is not its first one? It may make its first call in a
 * coroutine.
 */
static bool on_other_stack(struct goheap_file *gf, unsigned long sp)
{
	struct goheap_attachment *att = goheap_attachment_get(gf);
	const struct goheap_memory *range;
	bool on;

	if (!att)
		return false;
	mutex_lock(&att->lock);
	range = goheap_ranges_find(&att->ranges, sp);
	on = range && range->stack;
	mutex_unlock(&att->lock);
	goheap_attachment_put(att);
	return on || on_sig_stack(sp);
}

/* The mapping that the thread's first stack lies in; nothing if it is elsewhere. */
static void find_stack(struct goheap_mutator *mut)
{
	unsigned long sp = user_stack_pointer(task_pt_regs(current));
	struct vm_area_struct *vma = find_vma(current->mm, sp);

	if (!vma || vma->vm_start > sp || !goheap_vma_memory(vma) ||
	    on_other_stack(mut->gf, sp))
		return;
	mut->stack_at = sp;
	mut->stack_hi = vma->vm_end;
}

static struct goheap_mutator *new_mutator(struct goheap_file *gf,
					  const struct gh_window *window,
					  unsigned long nr_pages, bool precise)
{
	u32 nr_leases = (nr_pages - 1) * GH_LEASES_PER_PAGE;
	struct goheap_mutator *mut;
	struct mem_cgroup *old;

	mut = kzalloc(sizeof(*mut), GFP_KERNEL_ACCOUNT);
	if (!mut)
		return NULL;
	old = set_active_memcg(gf->memcg);
	mut->core = gh_mutator_create(gf->heap, nr_leases, window);
	set_active_memcg(old);
	if (!mut->core) {
		kfree(mut);
		return NULL;
	}
	INIT_LIST_HEAD(&mut->node);
	mut->gf = gf;
	mut->task = get_task_struct(current);
	mut->mm = current->mm;
	mut->precise = precise;
	mut->nr_vmas = 1;
	kref_init(&mut->ref);
	if (!precise)
		find_stack(mut);
	return mut;
}

static int add_mutator(struct goheap_file *gf, struct goheap_mutator *mut)
{
	int err = -EBUSY;

	mutex_lock(&gf->attach_lock);
	if (!find(gf, current)) {
		err = goheap_attach_mutator(gf, mut);
		if (!err)
			hash_add_rcu(gf->mutators, &mut->hash,
				     (unsigned long)current);
	}
	mutex_unlock(&gf->attach_lock);
	return err;
}

/**
 * goheap_mutator_mmap() - make current a mutator
 * @file: open file
 * @vma: mapping of the control pages
 * @precise: neither registers nor stack are to be looked at
 *
 * Context: may sleep; mmap lock held for writing.
 * Return: 0, -EPERM, -EOPNOTSUPP, -EINVAL, -EBUSY (is one already), -ENOTCONN or -ENOMEM.
 */
int goheap_mutator_mmap(struct file *file, struct vm_area_struct *vma,
			bool precise)
{
	unsigned long nr_pages = (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
	struct goheap_file *gf = file->private_data;
	struct goheap_mutator *mut;
	struct gh_window window;
	int err;

	BUILD_BUG_ON(sizeof(struct goheap_mutator_page) != GOHEAP_CONTROL_BYTES);
	BUILD_BUG_ON(sizeof(struct goheap_mutator_page) !=
		     sizeof(struct gh_control));
	BUILD_BUG_ON(offsetof(struct goheap_mutator_page, barrier) !=
		     offsetof(struct gh_control, barrier));
	BUILD_BUG_ON(offsetof(struct goheap_mutator_page, slot) !=
		     offsetof(struct gh_control, slot));
	BUILD_BUG_ON(offsetof(struct goheap_mutator_page, tiny) !=
		     offsetof(struct gh_control, tiny));
	BUILD_BUG_ON(sizeof(struct goheap_slots) != sizeof(struct gh_slots));
	BUILD_BUG_ON(GOHEAP_LEASE_WORDS != GH_LEASE_WORDS);
	BUILD_BUG_ON(GOHEAP_BARRIER_REFS != GH_BARRIER_REFS);

	if (!(file->f_mode & FMODE_WRITE))
		return -EPERM;
	/* The words of a 32-bit program are too short for references. */
	if (!precise && in_compat_syscall())
		return -EOPNOTSUPP;
	if (nr_pages < 2 || nr_pages > MAX_PAGES)
		return -EINVAL;
	if (!goheap_attach_window(gf, &window))
		return -ENOTCONN;
	mut = new_mutator(gf, &window, nr_pages, precise);
	if (!mut)
		return -ENOMEM;
	vma->vm_private_data = mut;
	err = add_mutator(gf, mut);
	if (err) {
		goheap_mutator_put(mut);
		return err;
	}
	vma->vm_ops = &mutator_vm_ops;
	goheap_vma_flags(vma, VM_DONTCOPY, 0);
	return 0;
}
