// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the unit suites in user space: TAP on stdout, 1 if a case failed.
 *
 *	unit [FILTER]	only suites or cases whose name contains FILTER
 */
#include "user.h"
#include "gh_test.h"
#include "gh_test_heap.h"

struct gh_heap *gh_test_heap_create(struct kunit *test, u64 aspace)
{
	struct gh_heap *heap = gh_user_heap(aspace, 0);

	KUNIT_ASSERT_NOT_NULL(test, heap);
	return heap;
}

void gh_test_heap_destroy(struct gh_heap *heap)
{
	gh_user_set_limit(U64_MAX);
	if (heap)
		gh_heap_destroy(heap);
}

void gh_test_heap_limit(struct gh_heap *heap, u64 bytes)
{
	gh_user_set_limit(bytes);
}

int main(int argc, char **argv)
{
	int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		gh_test_filter = argv[1];
	if (gh_core_init())
		return 2;
	failed = gh_selftest_run();
	gh_core_exit();
	if (gh_user_live()) {
		printf("# %lld blocks are left at the end\n", gh_user_live());
		failed++;
	}
	return failed ? 1 : 0;
}
