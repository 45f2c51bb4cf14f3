// SPDX-License-Identifier: LGPL-2.1-or-later
#include "device.h"

int tap_failures;

static const struct {
	const char *name;
	void (*run)(struct goheap *h);
	unsigned int flags;
} tests[] = {
	{ "a frame keeps what was allocated in it", test_frames,
	  GOHEAP_OPEN_PRECISE },
	{ "frames nest, and one object is returned", test_nested_frames,
	  GOHEAP_OPEN_PRECISE },
	{ "variables keep what they refer to", test_vars, GOHEAP_OPEN_PRECISE },
	{ "roots", test_roots, GOHEAP_OPEN_PRECISE },
	{ "batches", test_batch, GOHEAP_OPEN_PRECISE },
	{ "lists survive collections at any allocation", test_lists,
	  GOHEAP_OPEN_PRECISE },
	{ "arrays", test_arrays, GOHEAP_OPEN_PRECISE },
	{ "the limit of a handle stack", test_stack_limit,
	  GOHEAP_OPEN_PRECISE },
	{ "the ceiling, and going on below it", test_ceiling,
	  GOHEAP_OPEN_PRECISE },
	{ "parameters and their old values", test_parameters,
	  GOHEAP_OPEN_PRECISE },
	{ "statistics agree with each other", test_statistics,
	  GOHEAP_OPEN_PRECISE },
	{ "two heaps in turn", test_two_heaps, GOHEAP_OPEN_PRECISE },
	{ "threads allocate while another collects", test_threads,
	  GOHEAP_OPEN_PRECISE },
	{ "a thread's end drops what it kept", test_thread_exit,
	  GOHEAP_OPEN_PRECISE },
	{ "a heap closed before its threads end", test_close_before_thread,
	  GOHEAP_OPEN_PRECISE },
	{ "a child shares the heap", test_fork, GOHEAP_OPEN_PRECISE },
	{ "a child of clone() attaches itself", test_attach,
	  GOHEAP_OPEN_PRECISE },
	{ "a child that has its parent's number", test_attach_same_number,
	  GOHEAP_OPEN_PRECISE },
	{ "a descriptor is enough to use a heap", test_passed,
	  GOHEAP_OPEN_PRECISE },
	{ "a process that can only read a heap", test_reader,
	  GOHEAP_OPEN_PRECISE },
	{ "children of a process that can only read", test_reader_fork,
	  GOHEAP_OPEN_PRECISE },
	{ "what can only be read is kept by those that write",
	  test_reader_keeps_nothing, GOHEAP_OPEN_PRECISE },
	{ "a heap twice in a process, once to be read only", test_reader_beside,
	  GOHEAP_OPEN_PRECISE },
	{ "a heap that nobody can write", test_reader_alone,
	  GOHEAP_OPEN_PRECISE },
	{ "a child killed while it collects", test_killed,
	  GOHEAP_OPEN_PRECISE },
	{ "a timer's signals do not disturb allocation", test_signals,
	  GOHEAP_OPEN_PRECISE },
	{ "gctrace writes a line for each collection", test_trace,
	  GOHEAP_OPEN_PRECISE },
	{ "GODEBUG sets the parameters of a heap", test_debug_parameters,
	  GOHEAP_OPEN_PRECISE },
	{ "what cannot be in the environment changes nothing",
	  test_bad_environment, GOHEAP_OPEN_PRECISE },
	{ "plain local variables keep objects", test_plain_locals, 0 },
	{ "static and thread-local variables keep objects",
	  test_plain_variables, 0 },
	{ "every size from the cache", test_sizes, 0 },
	{ "tiny objects share blocks", test_tiny_objects, 0 },
	{ "the number of allocations is exact", test_exact, 0 },
	{ "memory of malloc() keeps what it is told to", test_ranges, 0 },
	{ "no room for a thread's variables", test_many_ranges, 0 },
	{ "coroutines", test_coroutines, 0 },
	{ "a change of stack is told to the heap that it is about",
	  test_coroutine_heaps, 0 },
	{ "registers of coroutines that have left their stack",
	  test_coroutine_registers, 0 },
	{ "threads build trees in plain variables", test_trees, 0 },
	{ "a child goes on with plain variables", test_plain_fork, 0 },
	{ "threads come and go", test_thread_storm, 0 },
	{ "frames in a heap that needs none", test_plain_frames, 0 },
	{ "a managed stack grows and loses nothing", test_hstack_growth,
	  GOHEAP_OPEN_PRECISE },
	{ "references to a managed stack's own slots", test_hstack_self,
	  GOHEAP_OPEN_PRECISE },
	{ "a managed stack is halved after a collection", test_hstack_shrink,
	  GOHEAP_OPEN_PRECISE },
	{ "the limit of a managed stack", test_hstack_limit,
	  GOHEAP_OPEN_PRECISE },
	{ "a managed stack of 64 MiB is full", test_hstack_ceiling,
	  GOHEAP_OPEN_PRECISE },
	{ "the largest limit of a managed stack", test_hstack_largest,
	  GOHEAP_OPEN_PRECISE },
	{ "what is on a managed stack, and only that, is kept",
	  test_hstack_keeps, GOHEAP_OPEN_PRECISE },
	{ "a thousand managed stacks", test_hstack_many, GOHEAP_OPEN_PRECISE },
	{ "managed stacks change while another thread collects",
	  test_hstack_threads, GOHEAP_OPEN_PRECISE },
	{ "a managed stack without memory, or without a heap",
	  test_hstack_no_memory, GOHEAP_OPEN_PRECISE },
	{ "a child has none of its parent's managed stacks", test_hstack_fork,
	  GOHEAP_OPEN_PRECISE },
	{ "somebody else writes the top of a managed stack",
	  test_hstack_hostile, GOHEAP_OPEN_PRECISE },
	{ "no memory, at each place where some is needed", test_no_memory,
	  GOHEAP_OPEN_PRECISE },
	{ "a child that cannot map the heap", test_fork_no_memory,
	  GOHEAP_OPEN_PRECISE },
	{ "a fork while threads allocate", test_fork_beside, 0 },
	{ "the same in a precise heap", test_fork_beside, GOHEAP_OPEN_PRECISE },
	{ "another program is executed", test_exec, GOHEAP_OPEN_PRECISE },
	{ "a jump out of frames", test_longjmp, GOHEAP_OPEN_PRECISE },
	{ "destructors of a thread use the heap", test_last_words, 0 },
	{ "the same of a precise heap", test_last_words, GOHEAP_OPEN_PRECISE },
	{ "threads end when their heap is closed", test_close_and_end, 0 },
	{ "the program closes the library's descriptor", test_descriptor_closed,
	  GOHEAP_OPEN_PRECISE },
	{ "a heap that a process has twice", test_open_twice,
	  GOHEAP_OPEN_PRECISE },
};

int main(void)
{
	size_t nr = sizeof(tests) / sizeof(tests[0]);
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%zu\n", nr);
	for (size_t i = 0; i < nr; i++) {
		struct goheap *h = goheap_open(tests[i].flags);

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
