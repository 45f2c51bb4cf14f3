/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_MAP_H
#define GOHEAP_MAP_H

#include <linux/mm_types.h>

struct file;
struct goheap_file;
struct rw_semaphore;
struct vm_area_struct;
struct vm_fault;

int goheap_mmap(struct file *file, struct vm_area_struct *vma);
void goheap_map_revoke(struct goheap_file *gf);

vm_fault_t goheap_fault_begin(struct vm_fault *vmf, struct rw_semaphore *sem);
vm_fault_t goheap_fault_insert(struct vm_fault *vmf, struct page *page);
int goheap_vma_may_split(struct vm_area_struct *vma, unsigned long addr);
int goheap_vma_mremap(struct vm_area_struct *vma);

#endif /* GOHEAP_MAP_H */
