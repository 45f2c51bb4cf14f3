/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of the library that need the device. Each test has a heap of its own.
 */
#ifndef GOHEAP_TESTS_DEVICE_H
#define GOHEAP_TESTS_DEVICE_H

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>

#include <libgoheap.h>

#include "../tap.h"

struct node {
	goheap_ref next;
	uint64_t value;
};

/* Too large for the caches, so that it is free as soon as it is garbage. */
#define BIG (2 * GOHEAP_CACHE_BYTES)

static inline int node_layout(struct goheap *h)
{
	return GOHEAP_LAYOUT(h, struct node, next);
}

/* Whether an object is allocated. */
static inline bool is_object(struct goheap *h, goheap_ref ref)
{
	struct goheap_object object;

	return !goheap_object(h, ref, &object);
}

goheap_ref make_list(struct goheap *h, int layout, uint64_t length);
bool check_list(struct goheap *h, goheap_ref list, uint64_t length);
pid_t start_child(bool (*work)(struct goheap *h, void *arg), struct goheap *h,
		  void *arg);
pid_t clone_child(unsigned long flags);
bool ends_well(pid_t pid);

void test_frames(struct goheap *h);
void test_nested_frames(struct goheap *h);
void test_vars(struct goheap *h);
void test_roots(struct goheap *h);
void test_batch(struct goheap *h);
void test_lists(struct goheap *h);
void test_arrays(struct goheap *h);
void test_stack_limit(struct goheap *h);
void test_ceiling(struct goheap *h);
void test_parameters(struct goheap *h);
void test_statistics(struct goheap *h);
void test_two_heaps(struct goheap *h);
void test_hstack_growth(struct goheap *h);
void test_hstack_self(struct goheap *h);
void test_hstack_shrink(struct goheap *h);
void test_hstack_limit(struct goheap *h);
void test_hstack_ceiling(struct goheap *h);
void test_hstack_largest(struct goheap *h);
void test_hstack_keeps(struct goheap *h);
void test_hstack_many(struct goheap *h);
void test_hstack_threads(struct goheap *h);
void test_hstack_no_memory(struct goheap *h);
void test_hstack_fork(struct goheap *h);
void test_hstack_hostile(struct goheap *h);
void test_threads(struct goheap *h);
void test_thread_exit(struct goheap *h);
void test_close_before_thread(struct goheap *h);
void test_fork(struct goheap *h);
void test_attach(struct goheap *h);
void test_attach_same_number(struct goheap *h);
void test_passed(struct goheap *h);
void test_killed(struct goheap *h);
void test_signals(struct goheap *h);
void test_trace(struct goheap *h);
void test_debug_parameters(struct goheap *h);
void test_bad_environment(struct goheap *h);

void test_plain_locals(struct goheap *h);
void test_plain_variables(struct goheap *h);
void test_sizes(struct goheap *h);
void test_tiny_objects(struct goheap *h);
void test_exact(struct goheap *h);
void test_ranges(struct goheap *h);
void test_many_ranges(struct goheap *h);
void test_trees(struct goheap *h);
void test_plain_fork(struct goheap *h);
void test_thread_storm(struct goheap *h);
void test_plain_frames(struct goheap *h);

void test_reader(struct goheap *h);
void test_reader_fork(struct goheap *h);
void test_reader_keeps_nothing(struct goheap *h);
void test_reader_beside(struct goheap *h);
void test_reader_alone(struct goheap *h);

void test_no_memory(struct goheap *h);
void test_fork_no_memory(struct goheap *h);
void test_fork_beside(struct goheap *h);
void test_exec(struct goheap *h);
void test_longjmp(struct goheap *h);
void test_last_words(struct goheap *h);
void test_close_and_end(struct goheap *h);
void test_descriptor_closed(struct goheap *h);
void test_open_twice(struct goheap *h);

void test_coroutines(struct goheap *h);
void test_coroutine_heaps(struct goheap *h);
void test_coroutine_registers(struct goheap *h);

#endif /* GOHEAP_TESTS_DEVICE_H */
