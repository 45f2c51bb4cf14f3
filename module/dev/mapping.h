/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_MAPPING_H
#define GOHEAP_MAPPING_H

#include <linux/types.h>

struct goheap_ask;
struct mm_struct;
struct vm_area_struct;

/**
 * struct goheap_mapping - a mapping of a process
 * @lo: its start; of one that grows, what it may have become
 * @hi: its end; 0 if there is none
 * @used: lowest page that exists of those looked for, or @hi
 */
struct goheap_mapping {
	unsigned long lo;
	unsigned long hi;
	unsigned long used;
};

int goheap_mapping_locked(struct mm_struct *mm,
			  void (*fn)(struct mm_struct *mm, void *data),
			  void *data, size_t bytes, u64 *waited);
int goheap_mapping_find(struct mm_struct *mm, unsigned long addr,
			unsigned long below, struct goheap_mapping *map,
			u64 *waited);
long goheap_mapping_bring_in(struct vm_area_struct *vma, unsigned long addr,
			     unsigned long end);
int goheap_mapping_init(void);
void goheap_mapping_ask(struct goheap_ask **ask, struct mm_struct *mm,
			unsigned long start, unsigned long end);
void goheap_mapping_ask_end(struct goheap_ask **ask);
void goheap_mapping_exit(void);

#endif /* GOHEAP_MAPPING_H */
