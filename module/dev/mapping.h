/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_MAPPING_H
#define GOHEAP_MAPPING_H

struct goheap_ask;
struct mm_struct;

int goheap_mapping_find(struct mm_struct *mm, unsigned long addr,
			unsigned long *lo, unsigned long *hi);
int goheap_mapping_init(void);
void goheap_mapping_ask(struct goheap_ask **ask, struct mm_struct *mm,
			unsigned long start, unsigned long end);
void goheap_mapping_ask_end(struct goheap_ask **ask);
void goheap_mapping_exit(void);

#endif /* GOHEAP_MAPPING_H */
