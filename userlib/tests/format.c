// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the library prints and works out: trace lines, quantiles, errors.
 */
#include <errno.h>
#include <regex.h>
#include <string.h>

#include "internal.h"
#include "tap.h"

/* Whether a trace line has a marking time written in some way. */
static bool time_is(uint64_t ns, const char *text)
{
	struct goheap_cycle cycle = { .cycle = 1, .mark_ns = ns, .nr_cpus = 1 };
	char line[400], wanted[64];

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

/* What programs that read Go's lines look for. */
static bool parses(const char *line)
{
	static const char pattern[] =
		"^gc ([0-9]+) @([0-9]+\\.[0-9]{3})s ([0-9]+)%: "
		"([0-9.]+)\\+([0-9.]+)\\+([0-9.]+) ms clock, "
		"([0-9.]+)\\+([0-9.]+)/([0-9.]+)/([0-9.]+)\\+([0-9.]+) ms cpu, "
		"([0-9]+)->([0-9]+)->([0-9]+) MB, ([0-9]+) MB goal, "
		"([0-9]+) MB stacks, ([0-9]+) MB globals, ([0-9]+) P"
		"( \\(forced\\))?\n$";
	regex_t regex;
	bool found;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB))
		return false;
	found = !regexec(&regex, line, 0, NULL, 0);
	regfree(&regex);
	return found;
}

void test_trace_parser(void)
{
	struct goheap_cycle cycle = { .nr_cpus = 2 };
	uint64_t seed = 1;
	char line[400];

	/* The pattern is not too kind. */
	EXPECT(parses("gc 1 @0.006s 1%: 0.018+0.45+0.006 ms clock, "
		      "0.036+0.10/0.30/0.002+0.012 ms cpu, 4->4->1 MB, "
		      "4 MB goal, 0 MB stacks, 0 MB globals, 2 P\n"));
	EXPECT(!parses("gc 1 @0.006s 1%: 0.018+0.45 ms clock\n"));
	for (unsigned int i = 0; i < 200; i++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		cycle.cycle = i + 1;
		cycle.start_ns = seed >> 20;
		cycle.setup_ns = seed >> (20 + i % 40);
		cycle.mark_ns = seed >> (25 + i % 30);
		cycle.term_ns = seed >> (64 - i % 30 - 1);
		cycle.cpu_ns = cycle.mark_ns;
		cycle.assist_ns = seed >> 40;
		cycle.idle_ns = seed >> 50;
		cycle.heap_start = seed >> 30;
		cycle.reason = i % 4;
		gh_trace_format(line, sizeof(line), &cycle);
		EXPECT(parses(line));
	}
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
		.assist_ns = 345000,
		.idle_ns = 12000,
		.scanned_objs = 4711,
		.heap_start = 4 << 20,
		.heap_end = (5 << 20) + 12345,
		.heap_marked = (2 << 20) - 1,
		.goal = 8 << 20,
		.nr_cpus = 2,
		.cpu_permille = 37,
		.reason = GOHEAP_CYCLE_HEAP,
	};
	char line[400];

	EXPECT(gh_trace_format(line, sizeof(line), &cycle) == strlen(line));
	EXPECT(!strcmp(line, "gc 7 @12.034s 3%: 0.021+1.2+0.005 ms clock, "
			     "0.042+0.34/1.1/0.012+0.010 ms cpu, 4->5->1 MB, "
			     "8 MB goal, 0 MB stacks, 0 MB globals, 2 P\n"));
	cycle.reason = GOHEAP_CYCLE_FORCED;
	gh_trace_format(line, sizeof(line), &cycle);
	EXPECT(strstr(line, " 2 P (forced)\n"));
	gh_trace_format_scan(line, sizeof(line), &cycle);
	EXPECT(!strcmp(line, "scan: total 4711 objs\n"));
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
