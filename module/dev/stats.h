/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_STATS_H
#define GOHEAP_STATS_H

#include <linux/types.h>

struct goheap_file;
struct goheap_stats;

u64 goheap_stack_bytes(struct goheap_file *gf);
void goheap_stats_read(struct goheap_file *gf, struct goheap_stats *st);

#endif /* GOHEAP_STATS_H */
