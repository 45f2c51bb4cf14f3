// SPDX-License-Identifier: GPL-2.0
/*
 * Distributions of times: figures NAME/p50, p99, p99.9, p99.99 and max. A bucket
 * is a sixteenth of a power of two wide, and a quantile is its upper end.
 *
 * In User-mode Linux reading the clock is a system call of tens of microseconds, and
 * would be most of what is measured. Where it takes more than one, the processor's
 * counter is read instead, which is compared with the clock once.
 */
#include <unistd.h>

#include "workload.h"

#define CLOCK_READS	100
#define SLOW_READ	1000	/* ns */
#define COMPARED_FOR	50000	/* us */

/* ns of one step of the processor's counter, if that is to be read. */
double latency_step;

void latency_begin(void)
{
#ifdef __x86_64__
	uint64_t from = now_ns(), ticks;
	int i;

	for (i = 1; i < CLOCK_READS; i++)
		now_ns();
	if (now_ns() - from < CLOCK_READS * SLOW_READ)
		return;
	from = now_ns();
	ticks = __builtin_ia32_rdtsc();
	usleep(COMPARED_FOR);
	ticks = __builtin_ia32_rdtsc() - ticks;
	latency_step = (double)(now_ns() - from) / ticks;
#endif
}

static int bucket_of(uint64_t ns)
{
	int shift = 63 - __builtin_clzll(ns | LATENCY_STEPS) - 4;
	int bucket = shift * LATENCY_STEPS + (int)(ns >> shift);

	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

static double end_of(int bucket)
{
	int shift = bucket / LATENCY_STEPS - 1;

	if (shift < 0)
		return bucket + 1;
	return (double)((bucket % LATENCY_STEPS + LATENCY_STEPS + 1ULL)
			<< shift);
}

void latency_add(struct latencies *l, uint64_t ns)
{
	l->n++;
	l->count[bucket_of(ns)]++;
	if (ns > l->max)
		l->max = ns;
}

void latency_merge(struct latencies *to, const struct latencies *from)
{
	int i;

	to->n += from->n;
	for (i = 0; i < LATENCY_BUCKETS; i++)
		to->count[i] += from->count[i];
	if (from->max > to->max)
		to->max = from->max;
}

static double quantile(const struct latencies *l, double q)
{
	uint64_t left = (uint64_t)(l->n * q);
	int i;

	for (i = 0; left >= l->count[i]; i++)
		left -= l->count[i];
	return end_of(i) < l->max ? end_of(i) : l->max;
}

void latency_report(const struct latencies *l, const char *name)
{
	static const struct {
		const char *name;
		double q;
	} of[] = {
		{ "p50", 0.5 }, { "p99", 0.99 }, { "p99.9", 0.999 },
		{ "p99.99", 0.9999 },
	};
	char text[60];
	size_t i;

	for (i = 0; i < sizeof(of) / sizeof(*of); i++) {
		snprintf(text, sizeof(text), "%s/%s", name, of[i].name);
		report(text, quantile(l, of[i].q));
	}
	snprintf(text, sizeof(text), "%s/max", name);
	report(text, l->max);
}
