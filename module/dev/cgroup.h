/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_CGROUP_H
#define GOHEAP_CGROUP_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct goheap_file;
struct pid;
struct task_struct;

/**
 * struct goheap_cgroup - where the collector thread is a guest
 * @lock: held while the thread is moved; inside of no other lock of a heap
 * @host: process in whose cgroups it is, with a reference; NULL at home. Changed
 *	under @lock, compared without
 * @home_ns: CPU time that the thread had when it last came home
 * @seen_ns: the same when it was last seen to have worked
 * @seen: when that was, jiffies
 * @left: @host has unmapped the heap
 * @look: sees whether the thread has to go home
 */
struct goheap_cgroup {
	struct mutex lock;		/* the thread's place, host */
	struct pid *host;
	u64 home_ns;
	u64 seen_ns;
	unsigned long seen;
	bool left;
	struct delayed_work look;
};

void goheap_cgroup_init(struct goheap_file *gf);
void goheap_cgroup_enter(struct goheap_file *gf);
void goheap_cgroup_detached(struct goheap_file *gf);
void goheap_cgroup_stop(struct goheap_file *gf);
void goheap_cgroup_ended(struct goheap_file *gf, struct task_struct *task);

#endif /* GOHEAP_CGROUP_H */
