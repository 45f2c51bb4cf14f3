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
 * Locking. The tables of roots are read by the collector with the world
 * stopped, under goheap_file.attach_lock. Commands change them with the world
 * held for reading, under goheap_attachment.lock. The end of a mapping can wait
 * neither for the world nor fail, so it takes goheap_file.attach_lock alone: the
 * roots go at once, and a cycle that has seen them already keeps their objects
 * once more.
 *
 * Whether current is attached is asked at every allocation, hence under RCU and
 * without a lock.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include <linux/sched/mm.h>

#include "attach.h"
#include "device.h"
#include "stack.h"

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
	mutex_init(&att->lock);
	gh_roots_init(&att->roots);
	kref_init(&att->ref);
	return att;
}

static void free_attachment(struct kref *ref)
{
	struct goheap_attachment *att =
		container_of(ref, struct goheap_attachment, ref);

	mmdrop(att->mm);
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

/**
 * goheap_attach() - attach the process that makes a mapping of the objects
 * @gf: file
 * @vma: the mapping; its vm_private_data becomes the attachment
 *
 * Context: may sleep; mmap lock held for writing, gh_heap.world not.
 * Return: 0 or -ENOMEM.
 */
int goheap_attach(struct goheap_file *gf, struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;
	struct goheap_attachment *att;

	mutex_lock(&gf->attach_lock);
	att = find(gf, mm);
	if (!att) {
		att = new_attachment(mm);
		if (att)
			hash_add_rcu(gf->attachments, &att->node,
				     (unsigned long)mm);
	}
	if (att)
		att->nr_vmas++;
	mutex_unlock(&gf->attach_lock);
	vma->vm_private_data = att;
	return att ? 0 : -ENOMEM;
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

/* The last mapping is gone. */
static void end(struct goheap_file *gf, struct goheap_attachment *att)
{
	struct goheap_stack_map *s, *next;

	lockdep_assert_held(&gf->attach_lock);
	hash_del_rcu(&att->node);
	list_for_each_entry_safe(s, next, &att->stacks, node)
		list_del_init(&s->node);
	mutex_lock(&att->lock);
	att->ended = true;
	gh_roots_destroy(&att->roots);
	mutex_unlock(&att->lock);
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
	last = !--att->nr_vmas;
	if (last)
		end(gf, att);
	mutex_unlock(&gf->attach_lock);
	if (last)
		goheap_attachment_put(att);
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
 * goheap_attach_mark() - offer the roots of all processes to the marker
 * @gf: file
 * @m: marker
 *
 * Context: may sleep; gh_heap.world held for writing.
 */
void goheap_attach_mark(struct goheap_file *gf, struct gh_mark *m)
{
	struct goheap_attachment *att;
	struct goheap_stack_map *s;
	int bucket;

	lockdep_assert_held_write(&gf->heap->world);
	mutex_lock(&gf->attach_lock);
	hash_for_each(gf->attachments, bucket, att, node) {
		gh_roots_mark(&att->roots, m);
		list_for_each_entry(s, &att->stacks, node)
			goheap_stack_mark(s, m);
		cond_resched();
	}
	mutex_unlock(&gf->attach_lock);
}
