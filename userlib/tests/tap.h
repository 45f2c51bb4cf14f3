/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of what needs no device. Each test is a function; main.c lists them
 * and prints TAP.
 */
#ifndef GOHEAP_TESTS_TAP_H
#define GOHEAP_TESTS_TAP_H

#include <stdio.h>

extern int tap_failures;

/* Note a failure, with the place, and go on. */
#define EXPECT(condition)                                           \
	do {                                                        \
		if (!(condition)) {                                 \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, \
			       #condition);                         \
			tap_failures++;                             \
		}                                                   \
	} while (0)

void test_gogc(void);
void test_size(void);
void test_debug(void);
void test_env_warns_once(void);
void test_trace_times(void);
void test_trace_line(void);
void test_trace_parser(void);
void test_quantiles(void);
void test_error_text(void);
void test_mask(void);
void test_layout_macro(void);
void test_references(void);
void test_cache_table(void);
void test_cache_take(void);
void test_cache_generation(void);
void test_cache_tiny(void);
void test_barrier(void);
void test_variables(void);
void test_variables_precise(void);
void test_variables_no_room(void);
void test_variables_in_the_way(void);

#endif /* GOHEAP_TESTS_TAP_H */
