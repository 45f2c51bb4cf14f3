// SPDX-License-Identifier: GPL-2.0
/*
 * The status page: what a heap tells its programs without being asked.
 *
 * One page for each open file, made with it and freed with it, which is later
 * than any mapping of it. The collector writes it, programs can only read it.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"

#include <linux/fs.h>
#include <linux/goheap.h>

#include "compat.h"
#include "device.h"
#include "map.h"
#include "status.h"

static vm_fault_t status_fault(struct vm_fault *vmf)
{
	struct goheap_file *gf = vmf->vma->vm_file->private_data;

	return goheap_fault_insert(vmf, virt_to_page(gf->status));
}

static const struct vm_operations_struct status_vm_ops = {
	.may_split = goheap_vma_may_split,
	.mremap = goheap_vma_mremap,
	.fault = status_fault,
};

/**
 * goheap_status_mmap() - map the status page
 * @file: open file
 * @vma: its mapping
 *
 * Context: mmap lock held for writing.
 * Return: 0, -EINVAL or -EACCES.
 */
int goheap_status_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (vma->vm_end - vma->vm_start != PAGE_SIZE)
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EACCES;
	vma->vm_ops = &status_vm_ops;
	goheap_vma_flags(vma, 0, VM_MAYWRITE);
	return 0;
}

/**
 * gh_port_set_marking() - tell programs that references are being marked
 * @heap: heap
 * @cycle: number of the cycle that marks, 0 if it has ended
 *
 * Context: gh_heap.world held for writing.
 */
void gh_port_set_marking(struct gh_heap *heap, u64 cycle)
{
	struct goheap_status *status = goheap_file_of(heap)->status;

	WRITE_ONCE(status->cycles, heap->nr_cycles + !cycle);
	/* 0 is for no cycle, also after 2^32 of them. */
	WRITE_ONCE(status->marking, cycle ? (u32)cycle ?: 1 : 0);
}
