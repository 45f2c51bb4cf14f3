/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_DEVICE_H
#define GOHEAP_DEVICE_H

#include <linux/atomic.h>
#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include "cgroup.h"
#include "helpers.h"
#include "memcg.h"
#include "metrics.h"
#include "param.h"
#include "scavenger.h"
#include "shrinker.h"
#include "worker.h"

struct file;
struct gh_heap;
struct goheap_copy;
struct goheap_dir;
struct goheap_status;
struct inode;
struct mem_cgroup;

/**
 * struct goheap_file - what one open() of the device makes
 * @id: name in sysfs and of the collector thread
 * @tag: upper 16 bits of the heap's references
 * @tag_reserved: @tag is no other heap's and has to be put back
 * @memcg: cgroup of the opener, which pays for the heap's memory; may be NULL
 * @limit: what the limits of @memcg and the cgroups above it leave
 * @inode: private inode; its mapping finds every user mapping of this heap
 * @file: the file, which readers hold; not counted here
 * @owner: user who has opened the device
 * @group: and group
 * @lock: protects @aspace, @params and the making of @heap; taken with the mmap
 *	lock held, so user memory must not be touched under it
 * @aspace: bytes of heap addresses that @heap will get, or has
 * @params: by enum goheap_param_id; read without @lock as well
 * @heap: the heap once it is in use; published with smp_store_release() and
 *	constant from then on
 * @attach_lock: protects @attachments, the lists of stacks in them, and the
 *	counts of mappings; inside of the mmap lock and gh_heap.world
 * @attachments: struct goheap_attachment by mm; readable under RCU
 * @mutators: struct goheap_mutator by task; readable under RCU
 * @copy: for reading threads; made under @attach_lock, used by the collector
 * @mark_cycle: number of the cycle whose roots are being read, or were last; the
 *	collector's
 * @reap_lock: protects @ended_mutators
 * @ended_mutators: mutators whose leases have to be given back
 * @reap_work: does that
 * @status: the status page, struct goheap_status
 * @shortages: allocations that have found no room and had a collection run
 * @evictions: processes that could not be read and lost the heap
 * @handshakes: threads read; written by the collector, like the next three
 * @handshake_total_ns: time that took
 * @handshake_max_ns: longest of them
 * @handshake_times: how many took how long, by powers of two, see metrics.h
 * @worker: the collector thread
 * @cgroup: in whose cgroups it is
 * @helpers: threads that help it to mark
 * @scavenger: the background scavenger
 * @shrink: what the shrinker needs
 * @dir: folder in sysfs
 * @node: on the list of all heaps in sysfs.c
 * @cpu_node: on the list of the CPU hotplug state
 * @cpu_work: flushes the mcaches of CPUs that have gone
 * @faults: page faults answered on the objects
 * @fault_pages: OS pages mapped by them
 * @stack_pages: OS pages of handle stacks
 *
 * Lives from open() to the last fput(): descriptors and mappings hold the
 * struct file, and commands run on behalf of one of them.
 */
struct goheap_file {
	u32 id;
	u16 tag;
	bool tag_reserved;
	struct mem_cgroup *memcg;
	struct goheap_memcg_limit limit;
	struct inode *inode;
	struct file *file;
	kuid_t owner;
	kgid_t group;

	struct mutex lock;		/* aspace, params, making of heap */
	u64 aspace;
	s64 params[GOHEAP_NR_PARAMS];
	struct gh_heap *heap;

	struct mutex attach_lock;	/* attachments, stacks, VMA counts */
	DECLARE_HASHTABLE(attachments, 4);
	DECLARE_HASHTABLE(mutators, 6);
	struct goheap_copy *copy;
	u64 mark_cycle;

	spinlock_t reap_lock;		/* ended_mutators */
	struct list_head ended_mutators;
	struct work_struct reap_work;

	struct goheap_status *status;
	atomic64_t shortages;
	atomic64_t evictions;
	u64 handshakes;
	u64 handshake_total_ns;
	u64 handshake_max_ns;
	u64 handshake_times[GOHEAP_NR_BUCKETS];

	struct goheap_worker worker;
	struct goheap_cgroup cgroup;
	struct goheap_helpers helpers;
	struct goheap_scavenger scavenger;
	struct goheap_shrink shrink;
	struct goheap_dir *dir;
	struct list_head node;
	struct hlist_node cpu_node;
	struct work_struct cpu_work;

	atomic64_t faults;
	atomic64_t fault_pages;
	atomic64_t stack_pages;
};

/* The heap if it is in use, else NULL. */
static inline struct gh_heap *goheap_heap(struct goheap_file *gf)
{
	/* Pairs with the store in goheap_use(). */
	return smp_load_acquire(&gf->heap);
}

struct goheap_file *goheap_file_new(void);
void goheap_file_free(struct goheap_file *gf);
struct file *goheap_reader_new(struct goheap_file *gf);
struct gh_heap *goheap_use(struct goheap_file *gf);
struct goheap_file *goheap_file_of(struct gh_heap *heap);
u64 goheap_default_aspace(void);
u64 goheap_aspace(struct goheap_file *gf);

int goheap_device_init(void);
void goheap_device_exit(void);

#endif /* GOHEAP_DEVICE_H */
