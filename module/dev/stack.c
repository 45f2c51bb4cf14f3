// SPDX-License-Identifier: GPL-2.0
/*
 * Handle stacks: memory that a process maps, writes references into, and thereby
 * keeps objects, without a system call.
 *
 * A stack is made by an mmap(), belongs to the attachment of the process and
 * goes with its mapping. Its pages come zeroed when they are first touched. If
 * the attachment ends first, the stack is no root any more but stays ordinary
 * memory as long as it is mapped.
 *
 * A child does not inherit a stack (VM_DONTCOPY). A program can ask for that
 * with madvise(MADV_DOFORK); the child then shares the pages that are mapped, gets
 * no new ones (SIGBUS), and has no part in the stack's life.
 *
 * Words on a stack are whatever a program wrote, and goes on writing: each is
 * read once, into a buffer of the kernel's. The number of slots in use is bounded
 * by the mapping's length. What a program pushes or drops while its stack is read
 * it reports (write barrier).
 *
 * Locking. Pages are added under gh_heap.world (read) and stay as long as the
 * stack; the collector has a reference to it while it reads.
 *
 * All stacks of a heap share one range of file offsets, and the objects of a
 * very large heap reach into it. That does no harm: pages are taken out of
 * mappings by offset, a stack that is hit faults them in again, and no stack is
 * ever emptied for its own sake.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include <linux/fs.h>
#include <linux/goheap.h>
#include <linux/sched/mm.h>

#include "attach.h"
#include "compat.h"
#include "device.h"
#include "map.h"
#include "stack.h"

#define WORDS_PER_PAGE	(PAGE_SIZE / sizeof(u64))
#define SNAPSHOT	64	/* words offered to the marker at a time */

static struct page *add_page(struct goheap_file *gf,
			     struct goheap_stack_map *s, unsigned long index)
{
	struct page *page, *other;

	page = alloc_page(GH_GFP | __GFP_ZERO);
	if (!page)
		return ERR_PTR(-ENOMEM);
	other = xa_cmpxchg(&s->pages, index, NULL, page, GH_GFP);
	if (other) {
		/* An error, or another thread's page. */
		__free_page(page);
		return xa_is_err(other) ? ERR_PTR(xa_err(other)) : other;
	}
	atomic64_inc(&gf->stack_pages);
	return page;
}

/* The page of a stack at an index, made if it is not there. */
static struct page *get_page_at(struct goheap_file *gf,
				struct goheap_stack_map *s,
				unsigned long index)
{
	struct page *page = xa_load(&s->pages, index);
	struct mem_cgroup *old;

	lockdep_assert_held_read(&gf->heap->world);
	if (page)
		return page;
	old = set_active_memcg(gf->memcg);
	page = add_page(gf, s, index);
	set_active_memcg(old);
	return page;
}

static vm_fault_t stack_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct goheap_file *gf = vma->vm_file->private_data;
	struct goheap_stack_map *s = vma->vm_private_data;
	struct page *page;
	vm_fault_t ret;

	if (!s)
		return VM_FAULT_SIGBUS;
	ret = goheap_fault_begin(vmf, &gf->heap->world);
	if (ret)
		return ret;
	page = get_page_at(gf, s, vmf->pgoff - vma->vm_pgoff);
	/*
	 * VM_FAULT_OOM would have the fault tried again for ever when it is the
	 * opener's cgroup that has no memory and not the caller's.
	 */
	ret = IS_ERR(page) ? VM_FAULT_SIGBUS : goheap_fault_insert(vmf, page);
	up_read(&gf->heap->world);
	return ret;
}

static void stack_open(struct vm_area_struct *vma)
{
	struct goheap_file *gf = vma->vm_file->private_data;
	struct goheap_stack_map *s = vma->vm_private_data;

	if (!s)
		return;
	mutex_lock(&gf->attach_lock);
	if (vma->vm_mm == s->mm)
		s->nr_vmas++;
	else
		vma->vm_private_data = NULL;
	mutex_unlock(&gf->attach_lock);
}

static void free_stack(struct kref *ref)
{
	struct goheap_stack_map *s =
		container_of(ref, struct goheap_stack_map, ref);
	unsigned long index, n = 0;
	struct page *page;

	xa_for_each(&s->pages, index, page) {
		put_page(page);
		if (!(++n % 1024))
			cond_resched();
	}
	atomic64_sub(n, &s->gf->stack_pages);
	xa_destroy(&s->pages);
	kfree(s);
}

/**
 * goheap_stack_put() - give a stack back
 * @s: stack
 *
 * Context: may sleep.
 */
void goheap_stack_put(struct goheap_stack_map *s)
{
	kref_put(&s->ref, free_stack);
}

static void stack_close(struct vm_area_struct *vma)
{
	struct goheap_file *gf = vma->vm_file->private_data;
	struct goheap_stack_map *s = vma->vm_private_data;
	bool last;

	if (!s)
		return;
	mutex_lock(&gf->attach_lock);
	last = !--s->nr_vmas;
	if (last)
		list_del_init(&s->node);
	mutex_unlock(&gf->attach_lock);
	if (last)
		goheap_stack_put(s);
}

static const struct vm_operations_struct stack_vm_ops = {
	.open = stack_open,
	.close = stack_close,
	.may_split = goheap_vma_may_split,
	.mremap = goheap_vma_mremap,
	.fault = stack_fault,
};

/**
 * goheap_stack_mmap() - make a handle stack
 * @file: open file
 * @vma: its mapping
 *
 * Context: may sleep; mmap lock held for writing.
 * Return: 0, -EPERM, -EINVAL, -ENOTCONN or -ENOMEM.
 */
int goheap_stack_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct goheap_file *gf = file->private_data;
	unsigned long bytes = vma->vm_end - vma->vm_start;
	struct goheap_stack_map *s;
	int err;

	if (!(file->f_mode & FMODE_WRITE))
		return -EPERM;
	if (bytes > GOHEAP_STACK_MAX)
		return -EINVAL;
	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	INIT_LIST_HEAD(&s->node);
	kref_init(&s->ref);
	s->gf = gf;
	s->mm = vma->vm_mm;
	s->nr_vmas = 1;
	s->nr_pages = bytes >> PAGE_SHIFT;
	xa_init(&s->pages);
	err = goheap_attach_stack(gf, s);
	if (err) {
		kfree(s);
		return err;
	}
	vma->vm_private_data = s;
	vma->vm_ops = &stack_vm_ops;
	goheap_vma_flags(vma, VM_DONTCOPY, 0);
	return 0;
}

/* Slots in use; the word of that name on the stack cannot be trusted. */
static u64 stack_top(struct goheap_stack_map *s)
{
	u64 slots = s->nr_pages * WORDS_PER_PAGE - 1;
	struct page *page = xa_load(&s->pages, 0);
	u64 *words;

	if (!page)
		return 0;
	words = page_address(page);
	return min_t(u64, READ_ONCE(words[0]), slots);
}

/* Offer words [first, end) of a page. */
static void mark_words(struct gh_mark *m, const u64 *words, u32 first, u32 end)
{
	u64 snapshot[SNAPSHOT];

	while (first < end) {
		u32 n = min_t(u32, end - first, SNAPSHOT);
		u32 i;

		for (i = 0; i < n; i++)
			snapshot[i] = READ_ONCE(words[first + i]);
		gh_mark_refs(m, snapshot, n, GH_ROOT_STACK);
		first += n;
	}
}

/*
 * Offer the topmost slot, word @n. It may refer to a slot of the heap that its
 * thread was about to take when leases were taken back, so it is not counted as
 * a bad reference.
 */
static void mark_topmost(struct goheap_stack_map *s, struct gh_mark *m, u64 n)
{
	struct page *page = xa_load(&s->pages, n / WORDS_PER_PAGE);
	u64 *words;
	u64 word;

	if (!page)
		return;
	words = page_address(page);
	word = READ_ONCE(words[n % WORDS_PER_PAGE]);
	gh_mark_words(m, &word, 1, NULL, 0, GH_ROOT_STACK);
}

/**
 * goheap_stack_mark() - offer the slots of a stack to the marker
 * @s: stack, which cannot go away
 * @m: marker
 *
 * Pages that nobody has touched are zero and left out.
 * Context: may sleep.
 */
void goheap_stack_mark(struct goheap_stack_map *s, struct gh_mark *m)
{
	u64 words = stack_top(s);
	unsigned long index;
	struct page *page;

	if (!words)
		return;
	/* Slot n is word n + 1; the one at the top is word top. */
	mark_topmost(s, m, words);
	xa_for_each_range(&s->pages, index, page, 0,
			  (words - 1) / WORDS_PER_PAGE) {
		u64 first = (u64)index * WORDS_PER_PAGE;

		mark_words(m, page_address(page), index ? 0 : 1,
			   min_t(u64, words - first, WORDS_PER_PAGE));
		cond_resched();
	}
}
