/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_STATUS_H
#define GOHEAP_STATUS_H

struct file;
struct vm_area_struct;

int goheap_status_mmap(struct file *file, struct vm_area_struct *vma);

#endif /* GOHEAP_STATUS_H */
