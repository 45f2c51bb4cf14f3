// SPDX-License-Identifier: LGPL-2.1-or-later
#include "tap.h"

int tap_failures;

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "GOGC is a number or off", test_gogc },
	{ "sizes have units and do not overflow", test_size },
	{ "GODEBUG keys", test_debug },
	{ "a bad variable is mentioned once", test_env_warns_once },
	{ "gctrace times", test_trace_times },
	{ "gctrace line", test_trace_line },
	{ "gctrace for parsers", test_trace_parser },
	{ "pause quantiles", test_quantiles },
	{ "words for errors", test_error_text },
	{ "pointer masks", test_mask },
	{ "members of GOHEAP_LAYOUT", test_layout_macro },
	{ "references and pointers", test_references },
	{ "table of caches loses nothing", test_cache_table },
	{ "slots are taken from the lowest up", test_cache_take },
	{ "a lease that was taken back gives nothing", test_cache_generation },
	{ "tiny objects share a block", test_cache_tiny },
	{ "the write barrier", test_barrier },
	{ "all variables are registered, once", test_variables },
	{ "a precise heap needs no variables", test_variables_precise },
	{ "no room for all of the variables", test_variables_no_room },
	{ "a range in the way of variables", test_variables_in_the_way },
};

int main(void)
{
	size_t nr = sizeof(tests) / sizeof(tests[0]);
	int failed = 0;

	printf("TAP version 13\n1..%zu\n", nr);
	for (size_t i = 0; i < nr; i++) {
		tap_failures = 0;
		tests[i].run();
		printf("%sok %zu - %s\n", tap_failures ? "not " : "", i + 1,
		       tests[i].name);
		failed += !!tap_failures;
	}
	return failed ? 1 : 0;
}
