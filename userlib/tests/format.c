// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the library prints and works out: trace lines, quantiles, errors.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "tap.h"

/* Whether a trace line has a marking time written in some way. */
static bool time_is(uint64_t ns, const char *text)
{
	struct goheap_cycle cycle = { .cycle = 1, .mark_ns = ns, .nr_cpus = 1 };
	char line[320], wanted[64];

	gh_trace_format(line, sizeof(line), &cycle);
	snprintf(wanted, sizeof(wanted), ": 0+%s+0 ms clock", text);
	return strstr(line, wanted);
}

void test_trace_times(void)
{
	EXPECT(time_is(0, "0"));
	EXPECT(time_is(999, "0"));
	EXPECT(time_is(1000, "0.001"));
	EXPECT(time_is(12345, "0.012"));
	EXPECT(time_is(99999, "0.099"));
	EXPECT(time_is(100000, "0.10"));
	EXPECT(time_is(456000, "0.45"));
	EXPECT(time_is(999999, "0.99"));
	EXPECT(time_is(1000000, "1.0"));
	EXPECT(time_is(9999999, "9.9"));
	EXPECT(time_is(10000000, "10"));
	EXPECT(time_is(123456789, "123"));
}

void test_trace_line(void)
{
	struct goheap_cycle cycle = {
		.cycle = 7,
		.start_ns = 12034567890,
		.setup_ns = 21000,
		.mark_ns = 1234000,
		.term_ns = 5000,
		.cpu_ns = 1100000,
		.heap_start = 4 << 20,
		.heap_end = (5 << 20) + 12345,
		.heap_marked = (2 << 20) - 1,
		.goal = 8 << 20,
		.nr_cpus = 2,
		.cpu_permille = 37,
		.reason = GOHEAP_CYCLE_HEAP,
	};
	char line[320];

	EXPECT(gh_trace_format(line, sizeof(line), &cycle) == strlen(line));
	EXPECT(!strcmp(line, "gc 7 @12.034s 3%: 0.021+1.2+0.005 ms clock, "
			     "0.042+0/1.1/0+0.010 ms cpu, 4->5->1 MB, "
			     "8 MB goal, 0 MB stacks, 0 MB globals, 2 P\n"));
	cycle.reason = GOHEAP_CYCLE_FORCED;
	gh_trace_format(line, sizeof(line), &cycle);
	EXPECT(strstr(line, " 2 P (forced)\n"));
	memset(&cycle, 0xff, sizeof(cycle));
	EXPECT(gh_trace_format(line, sizeof(line), &cycle) < sizeof(line) - 1);
}

void test_quantiles(void)
{
	uint64_t values[GOHEAP_NR_PAUSES] = { 0 };
	uint64_t q[5];

	gh_quantiles(values, 0, q);
	EXPECT(!q[0] && !q[4]);
	values[0] = 9;
	gh_quantiles(values, 1, q);
	EXPECT(q[0] == 9 && q[2] == 9 && q[4] == 9);
	for (unsigned int i = 0; i < GOHEAP_NR_PAUSES; i++)
		values[i] = (i * 77) % 256;
	gh_quantiles(values, GOHEAP_NR_PAUSES, q);
	EXPECT(q[0] == 0 && q[1] == 64 && q[2] == 128 && q[3] == 192 &&
	       q[4] == 255);
}

void test_error_text(void)
{
	EXPECT(gh_error(ENOSPC, "limit of %d", 5) == -1);
	EXPECT(errno == ENOSPC);
	EXPECT(!strcmp(goheap_error(), "limit of 5"));
	errno = ENOMEM;
	EXPECT(!strcmp(goheap_error(), strerror(ENOMEM)));
	EXPECT(!goheap_open(1U << 31) && errno == EINVAL);
}
