/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_MEMCG_H
#define GOHEAP_MEMCG_H

#include <linux/types.h>
#include <linux/workqueue.h>

struct goheap_file;
struct mem_cgroup;

/**
 * struct goheap_memcg_limit - what the cgroups leave to a heap
 * @bytes: as last computed; U64_MAX is none
 * @cap: no more than this whatever the cgroups say; U64_MAX but in unit tests
 * @seen: the limits of all cgroups as one number, when last looked at
 * @next: do not compute again before, in jiffies, if only the use has changed
 * @changed: @seen has changed, so the goal is due
 * @work: computes it and has the core set its goal
 */
struct goheap_memcg_limit {
	u64 bytes;
	u64 cap;
	unsigned long seen;
	unsigned long next;
	bool changed;
	struct work_struct work;
};

void goheap_memcg_init(struct goheap_file *gf);
void goheap_memcg_stop(struct goheap_file *gf);
void goheap_memcg_check(struct goheap_file *gf);
struct mem_cgroup *goheap_memcg_payer(struct goheap_file *gf);

#endif /* GOHEAP_MEMCG_H */
