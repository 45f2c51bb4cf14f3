/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_SHRINKER_H
#define GOHEAP_SHRINKER_H

#include <linux/atomic.h>
#include <linux/list.h>

struct goheap_file;
struct goheap_shrink_mark;

/**
 * struct goheap_shrink - a heap as the shrinker sees it
 * @node: on the list of all heaps in shrinker.c
 * @mark: tells the kernel that this heap's cgroup has something to shrink
 * @wanted: bytes that were asked for and could not be given back; the collector
 *	gives them back after its next sweep
 * @calls: how many times the kernel has asked
 * @bytes: given back since the heap began
 * @collections: asked for since the heap began
 */
struct goheap_shrink {
	struct list_head node;
	struct goheap_shrink_mark *mark;
	atomic64_t wanted;
	atomic64_t calls;
	atomic64_t bytes;
	atomic64_t collections;
};

int goheap_shrinker_add(struct goheap_file *gf);
void goheap_shrinker_remove(struct goheap_file *gf);
void goheap_shrinker_swept(struct goheap_file *gf);

int goheap_shrinker_init(void);
void goheap_shrinker_exit(void);

#endif /* GOHEAP_SHRINKER_H */
