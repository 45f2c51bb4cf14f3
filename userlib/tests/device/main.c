// SPDX-License-Identifier: LGPL-2.1-or-later
#include "device.h"

int tap_failures;

static const struct {
	const char *name;
	void (*run)(struct goheap *h);
} tests[] = {
	{ "a frame keeps what was allocated in it", test_frames },
	{ "frames nest, and one object is returned", test_nested_frames },
	{ "variables keep what they refer to", test_vars },
	{ "roots", test_roots },
	{ "batches", test_batch },
	{ "lists survive collections at any allocation", test_lists },
	{ "arrays", test_arrays },
	{ "the limit of a handle stack", test_stack_limit },
	{ "the ceiling, and going on below it", test_ceiling },
	{ "parameters and their old values", test_parameters },
	{ "statistics agree with each other", test_statistics },
	{ "two heaps in turn", test_two_heaps },
	{ "a managed stack grows and loses nothing", test_hstack_growth },
	{ "references to a managed stack's own slots", test_hstack_self },
	{ "a managed stack is halved after a collection", test_hstack_shrink },
	{ "the limit of a managed stack", test_hstack_limit },
	{ "what is on a managed stack, and only that, is kept",
	  test_hstack_keeps },
	{ "a thousand managed stacks", test_hstack_many },
	{ "managed stacks change while another thread collects",
	  test_hstack_threads },
	{ "a managed stack without memory, or without a heap",
	  test_hstack_no_memory },
	{ "a child has none of its parent's managed stacks", test_hstack_fork },
	{ "somebody else writes the top of a managed stack",
	  test_hstack_hostile },
	{ "threads allocate while another collects", test_threads },
	{ "a thread's end drops what it kept", test_thread_exit },
	{ "a heap closed before its threads end", test_close_before_thread },
	{ "a child shares the heap", test_fork },
	{ "a descriptor is enough to use a heap", test_passed },
	{ "a child killed while it collects", test_killed },
	{ "a timer's signals do not disturb allocation", test_signals },
	{ "gctrace writes a line for each collection", test_trace },
};

int main(void)
{
	size_t nr = sizeof(tests) / sizeof(tests[0]);
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%zu\n", nr);
	for (size_t i = 0; i < nr; i++) {
		struct goheap *h = goheap_open(0);

		tap_failures = 0;
		if (h) {
			tests[i].run(h);
		} else {
			printf("# %s\n", goheap_error());
			tap_failures = 1;
		}
		goheap_close(h);
		printf("%sok %zu - %s\n", tap_failures ? "not " : "", i + 1,
		       tests[i].name);
		failed += !!tap_failures;
	}
	return failed ? 1 : 0;
}
