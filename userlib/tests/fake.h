/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A heap without a device. A memory file stands for that: it can be mapped at all
 * the offsets that the device knows. Of the commands there are RANGE_ADD and
 * RANGE_REMOVE, and all others are refused.
 */
#ifndef GOHEAP_TESTS_FAKE_H
#define GOHEAP_TESTS_FAKE_H

#include "../internal.h"

/* What the kernel says of the heap. */
extern struct goheap_status fake_status;

/* Ranges that are registered; how many more there is room for, then ENOSPC. */
extern int fake_ranges;
extern int fake_room;

struct gh_thread *open_fake(struct gh_heap *heap, bool precise);
void close_fake(struct gh_heap *heap);
bool fake_has(uintptr_t address);

#endif /* GOHEAP_TESTS_FAKE_H */
