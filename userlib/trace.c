// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * GODEBUG=gctrace=1: a line on stderr for each collection, in Go's format; with
 * gctrace=2 another one, about the objects scanned.
 *
 * Commands that may have waited for collections return how many there were by
 * then; the records of those that were not written yet are fetched one by one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/*
 * Nanoseconds as milliseconds: whole ones from 10 ms on, two digits that mean
 * something below, and never more than three after the point.
 */
static const char *format_ms(char text[24], uint64_t ns)
{
	uint64_t us = ns / 1000;
	uint64_t scale = 1000;
	int decimals = 3;

	if (ns >= 10000000) {
		snprintf(text, 24, "%llu", (unsigned long long)(ns / 1000000));
		return text;
	}
	if (!us)
		return "0";
	while (us >= 100) {
		us /= 10;
		scale /= 10;
		decimals--;
	}
	snprintf(text, 24, "%u.%0*u", (unsigned int)(us / scale), decimals,
		 (unsigned int)(us % scale));
	return text;
}

/*
 * CPU times are counted as Go does: of the stops before and after marking for
 * all CPUs; of marking, assists, the collector, and idle workers.
 */
size_t gh_trace_format(char *line, size_t size, const struct goheap_cycle *c)
{
	char a[24], b[24], w[24], d[24], e[24], f[24], g[24], h[24];
	uint64_t most_ns = c->mark_ns * c->nr_cpus;
	uint64_t cpu_ns = c->cpu_ns < most_ns ? c->cpu_ns : most_ns;
	unsigned long long ms = c->start_ns / 1000000;

	snprintf(line, size,
		 "gc %llu @%llu.%03llus %u%%: %s+%s+%s ms clock, "
		 "%s+%s/%s/%s+%s ms cpu, %llu->%llu->%llu MB, %llu MB goal, "
		 "%llu MB stacks, %llu MB globals, %u P%s\n",
		 (unsigned long long)c->cycle, ms / 1000, ms % 1000,
		 c->cpu_permille / 10, format_ms(a, c->setup_ns),
		 format_ms(b, c->mark_ns), format_ms(w, c->term_ns),
		 format_ms(d, c->setup_ns * c->nr_cpus),
		 format_ms(e, c->assist_ns), format_ms(f, cpu_ns),
		 format_ms(g, c->idle_ns),
		 format_ms(h, c->term_ns * c->nr_cpus),
		 (unsigned long long)c->heap_start >> 20,
		 (unsigned long long)c->heap_end >> 20,
		 (unsigned long long)c->heap_marked >> 20,
		 (unsigned long long)c->goal >> 20,
		 (unsigned long long)c->stack_bytes >> 20,
		 (unsigned long long)c->global_bytes >> 20, c->nr_cpus,
		 c->reason == GOHEAP_CYCLE_FORCED ? " (forced)" : "");
	return strlen(line);
}

/* What gctrace=2 adds. */
size_t gh_trace_format_scan(char *line, size_t size,
			    const struct goheap_cycle *c)
{
	snprintf(line, size, "scan: total %llu objs\n",
		 (unsigned long long)c->scanned_objs);
	return strlen(line);
}

static int get_cycle(struct gh_heap *heap, uint64_t number,
		     struct goheap_cycle *cycle)
{
	memset(cycle, 0, sizeof(*cycle));
	cycle->size = sizeof(*cycle);
	cycle->cycle = number;
	return gh_ioctl(&heap->pub, GOHEAP_IOC_CYCLE, cycle);
}

/* Collections from now on are of interest if the environment says so. */
void gh_trace_init(struct gh_heap *heap)
{
	struct goheap_cycle last;
	struct gh_debug debug;

	gh_env_debug(&debug);
	heap->gctrace = debug.gctrace;
	if (heap->gctrace && !get_cycle(heap, 0, &last))
		heap->traced = last.cycle;
}

/* Write the lines of all collections that ended and were not written yet. */
void gh_trace_new(struct gh_heap *heap)
{
	struct goheap_cycle last, cycle;
	char line[512];
	int saved = errno;
	uint64_t number;

	pthread_mutex_lock(&heap->trace_lock);
	if (get_cycle(heap, 0, &last))
		goto out;
	number = heap->traced + 1;
	/* The kernel keeps the last 256. */
	if (last.cycle - heap->traced > 256)
		number = last.cycle - 255;
	for (; number <= last.cycle; number++) {
		size_t length;

		if (get_cycle(heap, number, &cycle))
			continue;
		length = gh_trace_format(line, sizeof(line), &cycle);
		if (heap->gctrace > 1)
			length += gh_trace_format_scan(
				line + length, sizeof(line) - length, &cycle);
		if (write(STDERR_FILENO, line, length) < 0)
			break;
	}
	__atomic_store_n(&heap->traced, last.cycle, __ATOMIC_RELAXED);
out:
	pthread_mutex_unlock(&heap->trace_lock);
	errno = saved;
}
