/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_RANGE_H
#define GOHEAP_RANGE_H

#include <linux/types.h>

/**
 * struct goheap_memory - memory of a process that holds references
 * @start: first address
 * @end: behind the last one
 * @stack: a stack, else variables
 */
struct goheap_memory {
	unsigned long start;
	unsigned long end;
	bool stack;
};

/**
 * struct goheap_ranges - such memory of one process, by address
 * @v: array, sorted, without overlaps
 * @nr: entries in use
 * @max: entries there is room for
 * @bytes: sum of their lengths
 */
struct goheap_ranges {
	struct goheap_memory *v;
	u32 nr;
	u32 max;
	u64 bytes;
};

void goheap_ranges_destroy(struct goheap_ranges *r);
int goheap_ranges_add(struct goheap_ranges *r, unsigned long start,
		      unsigned long end, bool stack);
int goheap_ranges_remove(struct goheap_ranges *r, unsigned long start);
bool goheap_ranges_next(const struct goheap_ranges *r, unsigned long addr,
			struct goheap_memory *out);
const struct goheap_memory *goheap_ranges_find(const struct goheap_ranges *r,
					       unsigned long addr);

#endif /* GOHEAP_RANGE_H */
