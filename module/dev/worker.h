/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_WORKER_H
#define GOHEAP_WORKER_H

#include <linux/ratelimit_types.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

struct gh_heap;
struct goheap_file;
struct task_struct;

/**
 * struct goheap_worker - the collector thread of a heap and what it is asked
 * @task: the thread
 * @lock: protects the members below
 * @wake: the thread waits here for requests
 * @done: everybody else waits here for the thread
 * @started: number of the last cycle that has been started
 * @marked: number of the last cycle whose marking is over
 * @swept: number of the last cycle whose sweep is over
 * @wanted: number of the last cycle that has been asked for
 * @reason: why, enum gh_cycle_reason; for cycle @wanted while it is greater
 *	than @started
 * @ended: when the last cycle ended, or the file was made, in jiffies; the
 *	thread's
 * @log_limit: how many lines the heap may write to the kernel log
 *
 * swept <= marked <= started <= wanted <= started + 1, and started <= swept + 1.
 */
struct goheap_worker {
	struct task_struct *task;
	spinlock_t lock;		/* all that follows */
	wait_queue_head_t wake;
	wait_queue_head_t done;
	u64 started;
	u64 marked;
	u64 swept;
	u64 wanted;
	int reason;
	unsigned long ended;
	struct ratelimit_state log_limit;
};

void goheap_worker_init(struct goheap_file *gf);
int goheap_worker_start(struct goheap_file *gf);
void goheap_worker_stop(struct goheap_file *gf);
void goheap_worker_period(struct goheap_file *gf);
bool goheap_worker_request(struct goheap_file *gf);
int goheap_worker_collect(struct goheap_file *gf);

#endif /* GOHEAP_WORKER_H */
