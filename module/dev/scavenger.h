/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_SCAVENGER_H
#define GOHEAP_SCAVENGER_H

#include <linux/types.h>
#include <linux/workqueue.h>

struct goheap_file;

/**
 * struct goheap_scavenger - background scavenger of a heap
 * @work: a round of it; pending while it sleeps
 * @on: it may be woken; false in heaps of tests
 * @idle: @work is pending only to look again later, so a wake need not wait
 */
struct goheap_scavenger {
	struct delayed_work work;
	bool on;
	bool idle;
};

void goheap_scavenger_start(struct goheap_file *gf);
void goheap_scavenger_stop(struct goheap_file *gf);

#endif /* GOHEAP_SCAVENGER_H */
