// SPDX-License-Identifier: GPL-2.0
/*
 * The heap's curve over the rounds, and its bound.
 *
 * While an index is built the one before it is still in use, so that at most
 * two are live, and the collector lets the heap grow by GOGC percent of what is
 * live, or to 4 MiB * GOGC / 100 where that is more. Spans that are partly free
 * and objects that threads have in store are allowed another quarter and 4 MiB.
 */
#include <time.h>

#include "wordindex.h"

#define MIB (1024.0 * 1024.0)

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* Print the head of the table. */
int curve_begin(struct curve *curve, FILE *out)
{
	*curve = (struct curve){ .out = out };
	fprintf(out, "%5s %10s %12s %10s %7s %8s\n", "round", "live MiB",
		"in use MiB", "peak MiB", "cycles", "ms");
	return 0;
}

/* Work out the bound while there is just one index. */
int curve_set_bound(struct curve *curve)
{
	struct goheap_stats stats;
	int64_t percent;
	double goal, least;

	if (goheap_gc(heap) || goheap_stats(heap, &stats) ||
	    goheap_read_param(heap, GOHEAP_PARAM_GC_PERCENT, &percent))
		return -1;
	if (percent < 0) {
		fprintf(curve->out, "no bound, for GOGC is off\n");
		return 0;
	}
	goal = 2.0 * stats.heap_marked * (1 + percent / 100.0);
	least = 4 * MIB * percent / 100;
	if (goal < least)
		goal = least;
	curve->bound = (uint64_t)(goal * 1.25 + 4 * MIB);
	fprintf(curve->out,
		"bound: %.2f MiB in use; one index is %.2f MiB, GOGC=%lld\n",
		curve->bound / MIB, stats.heap_marked / MIB,
		(long long)percent);
	return 0;
}

void curve_round_begin(struct curve *curve)
{
	curve->peak = 0;
	curve->start_ms = now_ms();
}

/* Note the bytes in use by now. */
int curve_sample(struct curve *curve)
{
	struct goheap_stats stats;

	if (goheap_stats(heap, &stats))
		return -1;
	if (curve->peak < stats.heap_inuse)
		curve->peak = stats.heap_inuse;
	return 0;
}

/* Print a line of the table. */
int curve_round_end(struct curve *curve, unsigned int round)
{
	double ms = now_ms() - curve->start_ms;
	struct goheap_stats stats;

	if (goheap_stats(heap, &stats))
		return -1;
	if (curve->bound && curve->peak > curve->bound)
		curve->exceeded = true;
	fprintf(curve->out, "%5u %10.2f %12.2f %10.2f %7llu %8.1f\n", round,
		stats.heap_live / MIB, stats.heap_inuse / MIB,
		curve->peak / MIB, (unsigned long long)stats.num_gc, ms);
	return 0;
}
