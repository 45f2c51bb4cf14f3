/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cache: a key-value cache in a managed heap, under load.
 */
#ifndef CACHE_H
#define CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <libgoheap.h>

extern struct goheap *heap;

/* histogram.c: how long operations took */

#define HISTOGRAM_SUB_BITS 5 /* 32 buckets for each power of two: 3 % */
#define HISTOGRAM_MAX_BITS \
	40 /* what takes longer, 18 minutes, counts as that */
#define HISTOGRAM_BUCKETS \
	((HISTOGRAM_MAX_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

/**
 * struct histogram - how often which time was measured
 * @count: by bucket; only ever grows, and one thread writes
 */
struct histogram {
	uint64_t count[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t ns);
void histogram_sum(struct histogram *sum, const struct histogram *histogram);
void histogram_since(struct histogram *now, struct histogram *before);
uint64_t histogram_total(const struct histogram *histogram);
uint64_t histogram_quantile(const struct histogram *histogram, double share);

/* table.c: the cache itself */

/**
 * struct key - managed: a key
 * @length: bytes of @text
 * @text: a path made of words
 */
struct key {
	uint32_t length;
	char text[];
};

/**
 * struct value - managed: a value; never changes once it is in the cache
 * @sum: value_sum() of key and contents
 * @version: which one of the key's values it is
 * @length: bytes of @text
 * @text: a piece of the texts
 */
struct value {
	uint64_t sum;
	uint32_t version;
	uint32_t length;
	char text[];
};

/**
 * struct cache_use - what is in the cache
 * @bytes: of entries, keys and values as they were asked for
 * @entries: number of entries
 * @evicted: entries that had to make room since the cache began
 */
struct cache_use {
	uint64_t bytes;
	uint64_t entries;
	uint64_t evicted;
};

int cache_init(uint64_t capacity, uint64_t mean_bytes);
void cache_use(struct cache_use *use);
goheap_ref cache_get(const char *text, uint32_t length);
int cache_set(const char *text, uint32_t length, goheap_ref value);
bool cache_delete(const char *text, uint32_t length);
void cache_give_way(void);
uint64_t cache_entry_bytes(uint32_t key_length, uint32_t value_length);
const char *cache_check(void);

/* workload.c: who uses the cache, and how */

#define KEY_MAX 64 /* bytes of the longest key */

/**
 * struct workload - parameters
 * @keys: number of different keys
 * @min_value: bytes of the smallest value
 * @max_value: bytes of the largest value
 * @set_percent: how many operations set a key
 * @delete_percent: how many operations delete one
 * @text: what keys and values are taken from
 * @text_length: bytes of it
 */
struct workload {
	uint64_t keys;
	uint32_t min_value;
	uint32_t max_value;
	unsigned int set_percent;
	unsigned int delete_percent;
	const char *text;
	size_t text_length;
};

/**
 * struct worker_counts - what threads have done
 * @gets: keys looked up
 * @hits: and found
 * @sets: values set, those included that a miss brought
 * @deletes: keys deleted
 * @refused: values that there was no memory for
 * @damaged: values that were not those of their key
 */
struct worker_counts {
	uint64_t gets;
	uint64_t hits;
	uint64_t sets;
	uint64_t deletes;
	uint64_t refused;
	uint64_t damaged;
};

struct crew;

int workload_init(const struct workload *workload);
void workload_exit(void);
double workload_mean_value(const struct workload *workload);
int workload_fill(unsigned int nr_threads, uint64_t nr_keys);
struct crew *crew_start(unsigned int nr_threads);
void crew_read(struct crew *crew, struct worker_counts *counts,
	       struct histogram *times);
void crew_stop(struct crew *crew, struct worker_counts *counts);

/* report.c: what is printed, once a second */

int report_begin(const char *cgroup, const char *tsv);
int report_line(struct crew *crew, double second);
void report_end(void);

#endif /* CACHE_H */
