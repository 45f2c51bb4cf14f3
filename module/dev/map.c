// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of the objects, and what all mappings of a heap have in common.
 *
 * A mapping of the objects has the length of the heap's addresses, so the byte
 * at offset off of the heap is at vm_start + off, and whatever the offset, its
 * neighbours are in the same mapping. Mappings are shared, never executable,
 * and stay in one piece: splitting and moving are refused. Page tables are
 * filled by faults alone, and only with pages that have memory; the rest is
 * SIGBUS.
 *
 * A fault maps around: the backed pages of the aligned 512 KiB it lies in, from
 * the faulting page outwards in both directions until it meets pages that are
 * mapped already. Pages are inserted by the handler itself and not returned in
 * vmf->page, because the caller would insert such a page after the handler has
 * dropped its locks.
 *
 * Two locks are held while pages are inserted, both for reading:
 * - gh_heap.world. A collector that stops the world takes every page out of
 *   every mapping (gh_port_hold_users()); from then on the next access of each
 *   program ends here and waits. One that does not holds it for a moment only.
 * - gh_heap.backing. Whoever takes the memory of a page away clears its entry
 *   in gh_arena.kaddr with backing held for writing and then takes the page out
 *   of the mappings, so a page found here is mapped before that or not at all.
 *   The same for all pages when a process loses the heap (goheap_map_revoke()).
 *
 * Waiting for the world. The mmap lock comes before the world and would stop
 * everything else in the process that needs it, the collector perhaps among them,
 * so the handler drops it where the caller allows it and has the fault tried
 * again; and the lock of a mapping, in favour of the mmap lock, always. The wait can be
 * interrupted by a fatal signal only, since a page fault has no other way to
 * fail: a killed thread gets SIGBUS, which it never sees, and in a system call
 * EFAULT.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"

#include <linux/file.h>
#include <linux/fs.h>
#include <linux/goheap.h>

#include "attach.h"
#include "compat.h"
#include "device.h"
#include "map.h"
#include "mutator.h"
#include "stack.h"
#include "status.h"

/* Heap pages of the window that a fault maps, and of one step in it. */
#define WINDOW_PAGES	(SZ_512K >> GH_PAGE_SHIFT)
#define STEP_PAGES	8
#define OS_PAGES	(GH_PAGE_SIZE / PAGE_SIZE)

/**
 * goheap_fault_begin() - wait until programs may touch the heap
 * @vmf: fault of a mapping of the heap
 * @sem: what programs may be held off with: gh_heap.world,
 *	goheap_attachment.switching
 *
 * Context: may sleep; mmap lock held, and dropped if VM_FAULT_RETRY is returned
 * and the caller allows it.
 * Return: 0 with @sem held for reading, or what the fault handler must return.
 */
vm_fault_t goheap_fault_begin(struct vm_fault *vmf, struct rw_semaphore *sem)
{
	struct file *file;

	if (down_read_trylock(sem))
		return 0;
	if (goheap_fault_unlock_vma(vmf))
		return VM_FAULT_RETRY;
	if (!(vmf->flags & FAULT_FLAG_ALLOW_RETRY))
		return down_read_killable(sem) ? VM_FAULT_SIGBUS : 0;
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;

	/* Without the mmap lock only the file keeps the heap. */
	file = get_file(vmf->vma->vm_file);
	mmap_read_unlock(vmf->vma->vm_mm);
	if (!down_read_killable(sem))
		up_read(sem);
	fput(file);
	return VM_FAULT_RETRY;
}

/**
 * goheap_fault_insert() - answer a fault with a page of the kernel's
 * @vmf: fault of a mapping of the heap
 * @page: the page that belongs there
 *
 * Return: what the fault handler must return.
 */
vm_fault_t goheap_fault_insert(struct vm_fault *vmf, struct page *page)
{
	int err = vm_insert_page(vmf->vma, vmf->address & PAGE_MASK, page);

	/* -EBUSY: another thread has mapped it. */
	return err && err != -EBUSY ? vmf_error(err) : VM_FAULT_NOPAGE;
}

/* Insert pages that are adjacent in the mapping; *mapped says how many were. */
static int insert_run(struct vm_area_struct *vma, unsigned long addr,
		      struct page **pages, unsigned long n, u64 *mapped)
{
	while (n) {
		unsigned long left = n;
		int err = vm_insert_pages(vma, addr, pages, &left);
		unsigned long done = n - left;

		*mapped += done;
		if (!err)
			break;
		if (err != -EBUSY)
			return err;
		/* Somebody has mapped the next one. */
		done++;
		addr += done * PAGE_SIZE;
		pages += done;
		n -= done;
	}
	return 0;
}

/* OS pages of the backed run of heap pages at index @i of an arena. */
static unsigned long collect_run(struct gh_arena *a, u32 i, u32 end,
				 struct page **pages)
{
	unsigned long n = 0;
	u32 k;

	for (; i < end; i++) {
		/* Pairs with the store in gh_port_populate(). */
		void *kaddr = smp_load_acquire(&a->kaddr[i]);

		if (!kaddr)
			break;
		for (k = 0; k < OS_PAGES; k++)
			pages[n++] = virt_to_page(kaddr + k * PAGE_SIZE);
	}
	return n;
}

/*
 * Map what is backed of a step. Returns 1 if all of that was not mapped before,
 * 0 if some was, or -errno.
 */
static int map_step(struct vm_area_struct *vma, struct gh_arena *a, u64 page,
		    u64 *mapped)
{
	struct page *pages[STEP_PAGES * OS_PAGES];
	u32 i = page & (GH_ARENA_PAGES - 1);
	u32 end = i + STEP_PAGES;
	u64 before = *mapped;
	u64 backed = 0;

	while (i < end) {
		unsigned long n = collect_run(a, i, end, pages);
		unsigned long addr = vma->vm_start +
				     (page << GH_PAGE_SHIFT);
		u32 step = n ? n / OS_PAGES : 1;
		int err;

		err = insert_run(vma, addr, pages, n, mapped);
		if (err)
			return err;
		backed += n;
		i += step;
		page += step;
	}
	return *mapped - before == backed;
}

/* Map the window around a page, outwards from the step it lies in. */
static int map_window(struct vm_area_struct *vma, struct gh_arena *a,
		      u64 page, u64 *mapped)
{
	u64 first = round_down(page, WINDOW_PAGES);
	u64 end = first + WINDOW_PAGES;
	u64 step = round_down(page, STEP_PAGES);
	u64 p;
	int ret;

	ret = map_step(vma, a, step, mapped);
	for (p = step + STEP_PAGES; ret >= 0 && p < end; p += STEP_PAGES) {
		ret = map_step(vma, a, p, mapped);
		if (!ret)
			break;
	}
	for (p = step; ret >= 0 && p > first; p -= STEP_PAGES) {
		ret = map_step(vma, a, p - STEP_PAGES, mapped);
		if (!ret)
			break;
	}
	return ret < 0 ? ret : 0;
}

static vm_fault_t map_objects(struct vm_area_struct *vma,
			      struct goheap_file *gf, u64 page)
{
	const struct goheap_attachment *att = vma->vm_private_data;
	struct gh_heap *heap = gf->heap;
	struct gh_arena *a;
	u64 mapped = 0;
	int err;

	lockdep_assert_held_read(&heap->world);
	lockdep_assert_held_read(&heap->backing);
	if (att && READ_ONCE(att->ended))
		return VM_FAULT_SIGBUS;
	/* Pairs with the publication of the arena; a dependent load. */
	a = READ_ONCE(heap->arenas[page / GH_ARENA_PAGES]);
	if (!a || !READ_ONCE(a->kaddr[page & (GH_ARENA_PAGES - 1)]))
		return VM_FAULT_SIGBUS;
	err = map_window(vma, a, page, &mapped);
	atomic64_inc(&gf->faults);
	atomic64_add(mapped, &gf->fault_pages);
	return err ? vmf_error(err) : VM_FAULT_NOPAGE;
}

static vm_fault_t objects_fault(struct vm_fault *vmf)
{
	struct goheap_file *gf = vmf->vma->vm_file->private_data;
	u64 page = vmf->pgoff / OS_PAGES;
	struct gh_heap *heap = gf->heap;
	vm_fault_t ret;

	ret = goheap_fault_begin(vmf, &heap->world);
	if (ret)
		return ret;
	down_read(&heap->backing);
	ret = map_objects(vmf->vma, gf, page);
	up_read(&heap->backing);
	up_read(&heap->world);
	return ret;
}

/**
 * goheap_map_revoke() - take the objects from processes that have lost the heap
 * @gf: file
 *
 * Their attachments have ended. A kernel module can take pages out of all mappings
 * of a file only; other processes get theirs back with their next faults.
 * Context: may sleep; gh_heap.world not held, or held for writing.
 */
void goheap_map_revoke(struct goheap_file *gf)
{
	struct gh_heap *heap = gf->heap;

	/* Faults that have not seen the end have mapped what they map. */
	down_write(&heap->backing);
	up_write(&heap->backing);
	unmap_mapping_range(gf->inode->i_mapping, GOHEAP_MMAP_OBJECTS,
			    heap->aspace, 1);
	gh_port_sync_users(heap);
}

static void objects_open(struct vm_area_struct *vma)
{
	goheap_attach_copy(vma->vm_file->private_data, vma);
}

static void objects_close(struct vm_area_struct *vma)
{
	goheap_detach(vma->vm_file->private_data, vma);
}

/**
 * goheap_vma_may_split() - mappings of a heap stay in one piece
 * @vma: mapping
 * @addr: where it would be split
 *
 * Return: -EINVAL.
 */
int goheap_vma_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

/**
 * goheap_vma_mremap() - mappings of a heap stay where they are
 * @vma: mapping
 *
 * Return: -EINVAL.
 */
int goheap_vma_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static const struct vm_operations_struct objects_vm_ops = {
	.open = objects_open,
	.close = objects_close,
	.may_split = goheap_vma_may_split,
	.mremap = goheap_vma_mremap,
	.fault = objects_fault,
};

static int objects_mmap(struct goheap_file *gf, struct vm_area_struct *vma)
{
	u64 bytes = vma->vm_end - vma->vm_start;
	struct gh_heap *heap;
	int err;

	/* A mapping that is refused is no use of the heap. */
	if (bytes != goheap_aspace(gf))
		return -EINVAL;
	heap = goheap_use(gf);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	if (bytes != heap->aspace)
		return -EINVAL;
	err = goheap_attach(gf, vma);
	if (!err)
		vma->vm_ops = &objects_vm_ops;
	return err;
}

/**
 * goheap_mmap() - map a region of a heap
 * @file: open file
 * @vma: mapping to be
 *
 * Return: 0; -EINVAL for a wrong region, length or kind of mapping, -EACCES for
 * an executable one or a writable one of the status page, -EPERM, -ENOTCONN,
 * -EBUSY, -ENOSPC, -ENOMEM.
 */
int goheap_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct goheap_file *gf = file->private_data;
	int err;

	BUILD_BUG_ON(PAGE_SIZE > GH_PAGE_SIZE);

	/* A shared mapping of a file that is open for reading: VM_MAYSHARE. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	if (vma->vm_pgoff == GOHEAP_MMAP_OBJECTS >> PAGE_SHIFT)
		err = objects_mmap(gf, vma);
	else if (vma->vm_pgoff == GOHEAP_MMAP_STACK >> PAGE_SHIFT)
		err = goheap_stack_mmap(file, vma);
	else if (vma->vm_pgoff == GOHEAP_MMAP_STATUS >> PAGE_SHIFT)
		err = goheap_status_mmap(file, vma);
	else if (vma->vm_pgoff == GOHEAP_MMAP_MUTATOR >> PAGE_SHIFT)
		err = goheap_mutator_mmap(file, vma, false);
	else if (vma->vm_pgoff == GOHEAP_MMAP_MUTATOR_PRECISE >> PAGE_SHIFT)
		err = goheap_mutator_mmap(file, vma, true);
	else
		err = -EINVAL;
	if (err)
		return err;
	goheap_vma_flags(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_MIXEDMAP,
			 VM_MAYEXEC);
	return 0;
}
