/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_MAPPING_H
#define GOHEAP_MAPPING_H

struct mm_struct;

int goheap_mapping_find(struct mm_struct *mm, unsigned long addr,
			unsigned long *lo, unsigned long *hi);
int goheap_mapping_init(void);
void goheap_mapping_exit(void);

#endif /* GOHEAP_MAPPING_H */
