/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the host device share.
 *
 * Locks, outermost first: gh_heap.world, host_heap.lock, those of the core.
 */
#ifndef GH_HOST_DEVICE_H
#define GH_HOST_DEVICE_H

#include <pthread.h>
#include <semaphore.h>

#include "gh_heap.h"
#include "gh_mutator.h"
#include "gh_roots.h"

#include <linux/goheap.h>

#include "host.h"

#define HOST_HEAPS	4
#define HOST_MAPPINGS	32
#define HOST_RANGES	64
#define HOST_OS_PAGE	4096UL

/*
 * A thread is a CPU to the core. The last CPUs are those of the collector, of
 * the scavenger and of the helpers, as many as may run beside the collector.
 */
#define HOST_HELPERS	(GH_USER_ONLINE - 1)
#define HOST_COLLECTOR	(NR_CPUS - 1)
#define HOST_SCAVENGER	(NR_CPUS - 2)
#define HOST_HELPER	(NR_CPUS - 2 - HOST_HELPERS)

/**
 * struct host_mapping - a mapping of a heap's file
 * @start: its address, NULL for a free entry
 * @bytes: its length
 * @what: offset in the file: GOHEAP_MMAP_*
 * @mut: mutator of control pages
 * @thread: thread that the mutator is
 */
struct host_mapping {
	char *start;
	size_t bytes;
	u64 what;
	struct gh_mutator *mut;
	pthread_t thread;
};

/**
 * struct host_worker - the collector thread of a heap and what it is asked
 *
 * As struct goheap_worker of the module.
 */
struct host_worker {
	pthread_t thread;
	spinlock_t lock;		/* all that follows */
	wait_queue_head_t wake;
	wait_queue_head_t done;
	u64 started;
	u64 marked;
	u64 swept;
	u64 wanted;
	int reason;
	bool stop;
};

/**
 * struct host_helper - a thread that helps to mark
 * @thread: the thread
 * @hh: its heap
 * @wake: it waits here for work
 * @state: what it is to do, see helpers.c
 * @idle: only where nobody else would run
 */
struct host_helper {
	pthread_t thread;
	struct host_heap *hh;
	wait_queue_head_t wake;
	u32 state;
	bool idle;
};

/**
 * struct host_helpers - all of them
 * @done: the collector waits here for them
 * @v: those that always run, and those that are idle
 */
struct host_helpers {
	wait_queue_head_t done;
	struct host_helper v[2][HOST_HELPERS];
};

/**
 * struct host_scavenger - the thread that gives memory back
 * @thread: the thread
 * @lock: protects all that follows
 * @wake: it waits here
 * @wanted: it has been woken
 * @stop: it is to end
 */
struct host_scavenger {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool wanted;
	bool stop;
};

/**
 * struct host_copy - what a thread held at one moment
 * @words: where it goes
 * @max: room for so many
 * @nr: how many there are; more than @max: it did not fit
 * @done: the thread has been read
 */
struct host_copy {
	u64 *words;
	size_t max;
	size_t nr;
	sem_t done;
};

/**
 * struct host_heap - an open file
 * @number: of the heap, from 0
 * @fd: descriptor of an unrelated file, for its number and its ioctl(); 0 for
 *	a free entry
 * @config: parameters of @core
 * @core: the heap, NULL before its first use
 * @base: address of its objects
 * @status: what programs read
 * @lock: protects @mappings, @ranges and @roots
 * @mappings: all mappings but that of the objects
 * @ranges: ranges of RANGE_ADD
 * @nr_ranges: length of @ranges
 * @roots: pinned handles
 * @copy: what the collector reads
 * @worker: see there
 * @helpers: see there
 * @scavenger: see there
 */
struct host_heap {
	u32 number;
	int fd;
	struct gh_config config;
	struct gh_heap *core;
	char *base;
	struct goheap_status *status;
	pthread_mutex_t lock;		/* mappings, ranges, roots */
	struct host_mapping mappings[HOST_MAPPINGS];
	struct gh_window ranges[HOST_RANGES];
	u32 nr_ranges;
	struct gh_roots roots;
	struct host_copy copy;
	struct host_worker worker;
	struct host_helpers helpers;
	struct host_scavenger scavenger;
};

/* device.c */
void *host_reserve(size_t bytes);

/* thread.c */
void host_thread_enter(u64 *frame);
void host_thread_leave(void);
struct gh_mutator *host_thread_begin(struct host_heap *hh,
				     struct host_mapping *map);
void host_thread_end(struct host_heap *hh, struct host_mapping *map);
struct gh_mutator *host_thread_mutator(struct host_heap *hh);
void host_thread_mark(struct host_heap *hh, const struct host_mapping *map,
		      struct gh_mark *m);
void host_thread_waits(bool waits);
u64 *host_copy_words(struct host_copy *c, const u64 *from, size_t nr);
void host_copy_init(struct host_copy *c);
void host_copy_destroy(struct host_copy *c);

/* worker.c, helpers.c, scavenger.c */
void host_worker_start(struct host_heap *hh);
void host_worker_stop(struct host_heap *hh);
void host_worker_collect(struct host_heap *hh);
void host_helpers_start(struct host_heap *hh);
void host_helpers_stop(struct host_heap *hh);
void host_scavenger_init(struct host_heap *hh);
void host_scavenger_start(struct host_heap *hh);
void host_scavenger_stop(struct host_heap *hh);

#endif /* GH_HOST_DEVICE_H */
