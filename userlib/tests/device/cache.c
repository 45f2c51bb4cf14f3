// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The example `cache`, small and for some seconds: does every thread read what
 * was set, while collections follow one another and the limit moves, and is the
 * table whole in the end?
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../examples/cache/cache.h"
#include "../tap.h"

int tap_failures;

#define MIB (1U << 20)
#define LIVE (8 * MIB)
#define THREADS 4

static char text[200000];

static struct workload load = {
	.keys = 10000,
	.min_value = 16,
	.max_value = 12000, /* some do not come from a thread's cache */
	.set_percent = 40,
	.delete_percent = 5,
	.text = text,
	.text_length = sizeof(text),
};

/* Words of one to eight letters. */
static void write_text(void)
{
	unsigned int left = 1;

	srand(1);
	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = left ? (char)('a' + rand() % 26) : ' ';
		left = left ? left - 1 : (unsigned int)rand() % 8 + 1;
	}
}

static void test_histogram(void)
{
	static struct histogram h, before, now;

	EXPECT(histogram_quantile(&h, 0.5) == 0);
	for (uint64_t ns = 1; ns <= 100000; ns++)
		histogram_add(&h, ns);
	EXPECT(histogram_total(&h) == 100000);
	for (unsigned int percent = 1; percent <= 100; percent++) {
		uint64_t right = percent * 1000;
		uint64_t ns = histogram_quantile(&h, percent / 100.0);

		EXPECT(ns >= right && ns <= right + right / 31);
	}
	histogram_sum(&before, &h);
	histogram_add(&h, 31);
	histogram_add(&h, UINT64_MAX);
	histogram_sum(&now, &h);
	histogram_since(&now, &before);
	EXPECT(histogram_total(&now) == 2);
	EXPECT(histogram_quantile(&now, 0.5) == 31);
	EXPECT(histogram_quantile(&now, 1) == (1ULL << HISTOGRAM_MAX_BITS) - 1);
}

/* Half a second under each of these limits, in MiB; 0 is none. */
static const unsigned int limits[] = { 0, 24, 0, 20, 40, 18, 0, 24 };

static void churn(struct worker_counts *counts)
{
	struct crew *crew = crew_start(THREADS);

	EXPECT(crew);
	for (size_t i = 0; crew && i < sizeof(limits) / sizeof(*limits); i++) {
		goheap_set_memory_limit(heap, limits[i] ? limits[i] * MIB
							: INT64_MAX);
		usleep(500000);
	}
	if (crew)
		crew_stop(crew, counts);
}

static void test_churn(void)
{
	struct worker_counts counts = { 0 };
	struct goheap_stats before, after;
	struct cache_use use;
	const char *wrong;

	goheap_set_gc_percent(heap, 50);
	EXPECT(!goheap_stats(heap, &before));
	EXPECT(!cache_init(LIVE, 2000));
	EXPECT(!workload_init(&load));
	EXPECT(!workload_fill(THREADS, load.keys));
	cache_use(&use);
	EXPECT(use.evicted && use.bytes > LIVE / 2 && use.bytes <= LIVE);
	churn(&counts);
	wrong = cache_check();
	EXPECT(!wrong);
	if (wrong)
		printf("# %s\n", wrong);
	EXPECT(!goheap_stats(heap, &after));
	printf("# %llu lookups, %llu sets, %llu deletes, %llu cycles\n",
	       (unsigned long long)counts.gets, (unsigned long long)counts.sets,
	       (unsigned long long)counts.deletes,
	       (unsigned long long)(after.num_gc - before.num_gc));
	EXPECT(counts.hits && counts.sets && counts.deletes);
	EXPECT(!counts.damaged && !counts.refused);
	EXPECT(after.num_gc > before.num_gc && !after.invalid_refs);
	cache_use(&use);
	EXPECT(use.bytes <= LIVE);
}

/* What the cache drops is garbage. */
static void test_empty(void)
{
	struct goheap_stats stats;
	struct cache_use use;

	do {
		cache_give_way();
		cache_use(&use);
	} while (use.entries);
	EXPECT(!cache_check());
	EXPECT(!goheap_gc(heap) && !goheap_gc(heap));
	EXPECT(!goheap_stats(heap, &stats));
	printf("# %llu bytes are live\n",
	       (unsigned long long)stats.heap_marked);
	EXPECT(stats.heap_marked < MIB);
	workload_exit();
}

int main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
		{ "quantiles", test_histogram },
		{ "a cache under load while the limit moves", test_churn },
		{ "an empty cache keeps nothing", test_empty },
	};
	size_t nr = sizeof(tests) / sizeof(tests[0]);
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%zu\n", nr);
	write_text();
	heap = goheap_open(GOHEAP_OPEN_NOENV);
	if (!heap) {
		printf("Bail out! %s\n", goheap_error());
		return 1;
	}
	for (size_t i = 0; i < nr; i++) {
		tap_failures = 0;
		tests[i].run();
		printf("%sok %zu - %s\n", tap_failures ? "not " : "", i + 1,
		       tests[i].name);
		failed += !!tap_failures;
	}
	goheap_close(heap);
	return failed ? 1 : 0;
}
