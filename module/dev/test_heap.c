// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps for the unit suites (module/tests), in builds that contain them.
 *
 * Such a heap is a file that nobody has opened: it has an inode and a cgroup
 * like any other, so that memory comes and goes as it does in earnest, but no
 * collector thread. A cycle that an allocation asks for runs in the test's own
 * thread, and nothing is swept behind the test's back.
 *
 * A case runs in a thread of its own, which stays on the CPU where it made its
 * heap: cases look into that CPU's mcache.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_test.h"
#include "gh_test_heap.h"

#include "device.h"

/**
 * gh_test_heap_create() - make a heap for a test
 * @test: fails an assertion without memory
 * @aspace: bytes of heap addresses
 *
 * Return: the heap.
 */
struct gh_heap *gh_test_heap_create(struct kunit *test, u64 aspace)
{
	struct goheap_file *gf = goheap_file_new();
	struct gh_heap *heap;

	KUNIT_ASSERT_FALSE(test, IS_ERR(gf));
	WARN_ON_ONCE(set_cpus_allowed_ptr(current,
					  cpumask_of(raw_smp_processor_id())));
	gf->aspace = aspace;
	heap = goheap_use(gf);
	if (IS_ERR(heap))
		goheap_file_free(gf);
	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	return heap;
}

/**
 * gh_test_heap_destroy() - free the heap of a test
 * @heap: heap or NULL
 */
void gh_test_heap_destroy(struct gh_heap *heap)
{
	if (heap)
		goheap_file_free(goheap_file_of(heap));
}

/**
 * gh_test_heap_limit() - set what gh_port_memory_limit() returns at most
 * @heap: heap
 * @bytes: limit
 */
void gh_test_heap_limit(struct gh_heap *heap, u64 bytes)
{
	WRITE_ONCE(goheap_file_of(heap)->limit.cap, bytes);
}
