/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the host device share.
 */
#ifndef GH_HOST_DEVICE_H
#define GH_HOST_DEVICE_H

#include "gh_heap.h"
#include "gh_mutator.h"
#include "gh_roots.h"

#include <linux/goheap.h>

#include "host.h"

#define HOST_MAPPINGS	16
#define HOST_RANGES	64

/**
 * struct host_mapping - a mapping of a heap's file
 * @start: its address, NULL for a free entry
 * @bytes: its length
 * @what: offset in the file: GOHEAP_MMAP_*
 * @mut: mutator of control pages
 */
struct host_mapping {
	char *start;
	size_t bytes;
	u64 what;
	struct gh_mutator *mut;
};

/**
 * struct host_heap - an open file
 * @fd: descriptor of an unrelated file, for its number and its ioctl(); 0 for
 *	a free entry
 * @config: parameters of @core
 * @core: the heap, NULL before its first use
 * @base: address of its objects
 * @status: what programs read
 * @mappings: all mappings but that of the objects
 * @ranges: ranges of RANGE_ADD
 * @nr_ranges: length of @ranges
 * @roots: pinned handles
 */
struct host_heap {
	int fd;
	struct gh_config config;
	struct gh_heap *core;
	char *base;
	struct goheap_status *status;
	struct host_mapping mappings[HOST_MAPPINGS];
	struct gh_window ranges[HOST_RANGES];
	u32 nr_ranges;
	struct gh_roots roots;
};

/* Where the caller's registers and stack begin, and where its stack ends. */
extern u64 *host_stack_from, *host_stack_to;

#endif /* GH_HOST_DEVICE_H */
