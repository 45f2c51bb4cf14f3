// SPDX-License-Identifier: GPL-2.0
/*
 * A histogram of times with buckets that are 3 % wide, whatever the time: the
 * first 32 are one nanosecond each, and from there on each power of two has 32.
 *
 * The thread that measures only adds; who wants to know about a second takes the
 * difference of two looks. So nobody waits for anybody.
 */
#include <math.h>
#include <string.h>

#include "cache.h"

#define SUBS (1U << HISTOGRAM_SUB_BITS)

static unsigned int bucket_of(uint64_t ns)
{
	unsigned int power;

	if (ns < SUBS)
		return (unsigned int)ns;
	if (ns >> HISTOGRAM_MAX_BITS)
		return HISTOGRAM_BUCKETS - 1;
	power = 63 - (unsigned int)__builtin_clzll(ns);
	return ((power - HISTOGRAM_SUB_BITS) << HISTOGRAM_SUB_BITS) +
	       (unsigned int)(ns >> (power - HISTOGRAM_SUB_BITS));
}

/* The longest time that a bucket stands for. */
static uint64_t bucket_end(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < SUBS)
		return bucket;
	shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
	return ((uint64_t)(SUBS + bucket % SUBS + 1) << shift) - 1;
}

/* Count a time. One thread for each histogram. */
void histogram_add(struct histogram *histogram, uint64_t ns)
{
	uint64_t *count = &histogram->count[bucket_of(ns)];

	__atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
}

/* Add up histograms, which may be in use. */
void histogram_sum(struct histogram *sum, const struct histogram *histogram)
{
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++)
		sum->count[i] +=
			__atomic_load_n(&histogram->count[i], __ATOMIC_RELAXED);
}

/* Make of @now what came since @before, which becomes what @now was. */
void histogram_since(struct histogram *now, struct histogram *before)
{
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t count = now->count[i];

		now->count[i] -= before->count[i];
		before->count[i] = count;
	}
}

uint64_t histogram_total(const struct histogram *histogram)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += histogram->count[i];
	return total;
}

/* The time that a share of all did not exceed; 1 is the longest, 0 if none. */
uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
	uint64_t total = histogram_total(histogram);
	uint64_t rank = (uint64_t)ceil(share * (double)total);
	uint64_t seen = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS && total; i++) {
		seen += histogram->count[i];
		if (seen && seen >= rank)
			return bucket_end(i);
	}
	return 0;
}
