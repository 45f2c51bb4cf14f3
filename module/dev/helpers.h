/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_HELPERS_H
#define GOHEAP_HELPERS_H

#include <linux/types.h>
#include <linux/workqueue.h>

struct goheap_file;

/* More do not help: a heap has one shared queue of spans. */
#define GOHEAP_MAX_HELPERS	15

/**
 * struct goheap_helper - a place for a thread that helps to mark
 * @work: runs it
 * @gf: file
 * @idle: only on a CPU that nobody else needs
 */
struct goheap_helper {
	struct work_struct work;
	struct goheap_file *gf;
	bool idle;
};

/**
 * struct goheap_helpers - the threads that help to mark a heap
 * @nr: how many have been started in this cycle
 * @v: they
 *
 * The collector's.
 */
struct goheap_helpers {
	u32 nr;
	struct goheap_helper v[GOHEAP_MAX_HELPERS];
};

void goheap_helpers_init_file(struct goheap_file *gf);
int goheap_helpers_init(void);
void goheap_helpers_exit(void);

#endif /* GOHEAP_HELPERS_H */
