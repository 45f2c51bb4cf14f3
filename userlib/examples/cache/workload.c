// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that use the cache as the programs in front of a database would: they
 * look up keys, bring what was not there, set some and delete some.
 *
 * Key number n is a path of three words of the texts and n itself. Which key is
 * used follows Zipf's law with exponent 1: the probability of the key of rank r
 * is proportional to 1 / r, which makes the logarithm of the rank uniform. A
 * value is a piece of the texts; the logarithm of its length is uniform too, so
 * that there are as many between 64 and 128 bytes as between 8 and 16 KiB.
 *
 * Key and version alone say what a value must be, and its sum is over both and
 * its bytes: a value that was read after its memory had been used again, or that
 * belongs to another key, does not pass.
 *
 * Operations follow one another without a pause. What one takes is measured from
 * the end of the one before, so that whatever keeps a thread waiting is in.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache.h"

#define WORD_MAX 14

static struct workload load;
static double log_keys;

/* Where words begin in the texts. */
static uint32_t *words;
static size_t nr_words;

struct worker {
	struct worker_counts counts;
	struct histogram times;
	uint64_t random;
	uint32_t next_version;
	pthread_t thread;
	struct crew *crew;
} __attribute__((aligned(64)));

struct crew {
	unsigned int nr;
	bool stop;
	struct worker *workers;
};

/* Fill on a thread: each @step-th key from @first down. */
struct fill {
	int64_t first;
	int64_t step;
	int result;
	pthread_t thread;
};

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15ULL;
	return mix(*state);
}

/* From 0 to 1, without 1. */
static double fraction(uint64_t random)
{
	return (double)(random >> 11) * 0x1p-53;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static uint32_t word_length(uint32_t start)
{
	uint32_t n = 0;

	while (n < WORD_MAX && start + n < load.text_length &&
	       is_letter(load.text[start + n]))
		n++;
	return n;
}

static int find_words(void)
{
	words = malloc(load.text_length * sizeof(*words));
	if (!words)
		return -1;
	nr_words = 0;
	for (size_t i = 0; i < load.text_length; i++)
		if (is_letter(load.text[i]) &&
		    (!i || !is_letter(load.text[i - 1])))
			words[nr_words++] = (uint32_t)i;
	return nr_words ? 0 : -1;
}

/* Returns 0, or -1 if there are no words in the texts, or no memory. */
int workload_init(const struct workload *workload)
{
	load = *workload;
	log_keys = log((double)load.keys);
	return find_words();
}

void workload_exit(void)
{
	free(words);
	words = NULL;
}

/* Bytes of a value on average. */
double workload_mean_value(const struct workload *workload)
{
	double min = workload->min_value;
	double max = workload->max_value;

	return max > min ? (max - min) / log(max / min) : max;
}

/* The text of a key; returns its length, at most KEY_MAX. */
static uint32_t make_key(char *text, uint64_t number)
{
	uint64_t random = mix(number);
	char digits[16];
	char *p = text;
	unsigned int n = 0;

	for (unsigned int i = 0; i < 3; i++) {
		uint32_t start = words[random % nr_words];
		uint32_t length = word_length(start);

		memcpy(p, load.text + start, length);
		p += length;
		*p++ = '/';
		random = mix(random);
	}
	do {
		digits[n++] = "0123456789abcdef"[number % 16];
		number /= 16;
	} while (number);
	while (n)
		*p++ = digits[--n];
	return (uint32_t)(p - text);
}

/* Which key is wanted next. */
static uint64_t choose_key(uint64_t *random)
{
	double rank = exp(fraction(next_random(random)) * log_keys);
	uint64_t number = (uint64_t)rank - 1;

	return number < load.keys ? number : load.keys - 1;
}

static uint32_t choose_length(uint64_t seed)
{
	double ratio = (double)load.max_value / load.min_value;

	return (uint32_t)(load.min_value * pow(ratio, fraction(mix(seed))));
}

/* Fill with the texts from some place on; they begin anew where they end. */
static void copy_text(char *to, uint32_t length, uint64_t seed)
{
	size_t from = seed % load.text_length;

	while (length) {
		size_t n = load.text_length - from;

		if (n > length)
			n = length;
		memcpy(to, load.text + from, n);
		to += n;
		length -= (uint32_t)n;
		from = 0;
	}
}

static uint64_t value_sum(uint64_t number, const struct value *value)
{
	uint64_t sum =
		mix(number ^ (uint64_t)value->version << 32) + value->length;
	uint32_t i = 0;
	uint64_t part;

	for (; i + sizeof(part) <= value->length; i += sizeof(part)) {
		memcpy(&part, value->text + i, sizeof(part));
		sum = (sum ^ part) * 0x9e3779b97f4a7c15ULL;
		sum ^= sum >> 32;
	}
	for (; i < value->length; i++)
		sum = (sum ^ (unsigned char)value->text[i]) * 0x100000001b3ULL;
	return sum;
}

/* A value of a key; 0 if there is no memory. */
static goheap_ref make_value(uint64_t number, uint32_t version)
{
	uint64_t seed = mix(number + ((uint64_t)version << 40));
	uint32_t length = choose_length(seed);
	goheap_ref ref = goheap_new(heap, GOHEAP_LAYOUT_NOSCAN,
				    sizeof(struct value) + length);
	struct value *value = goheap_ptr(heap, ref);

	if (!ref)
		return 0;
	value->version = version;
	value->length = length;
	copy_text(value->text, length, seed);
	value->sum = value_sum(number, value);
	return ref;
}

static bool is_right(uint64_t number, goheap_ref ref)
{
	const struct value *value = goheap_ptr(heap, ref);

	if (value->length > load.max_value)
		return false;
	return value->sum == value_sum(number, value);
}

static void count(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static void complain(uint64_t number, goheap_ref ref)
{
	const struct value *value = goheap_ptr(heap, ref);

	fprintf(stderr,
		"cache: key %llu has a wrong value: reference %#llx, version %u, length %u\n",
		(unsigned long long)number, (unsigned long long)ref,
		value->version, value->length);
}

static void set(struct worker *w, uint64_t number, const char *key,
		uint32_t length)
{
	goheap_ref value = make_value(number, w->next_version++);

	if (value && !cache_set(key, length, value)) {
		count(&w->counts.sets);
		return;
	}
	/* What a cache does that gets no memory: do with less. */
	count(&w->counts.refused);
	cache_give_way();
}

static void get(struct worker *w, uint64_t number, const char *key,
		uint32_t length)
{
	goheap_ref value = cache_get(key, length);

	count(&w->counts.gets);
	if (!value) {
		set(w, number, key, length);
		return;
	}
	count(&w->counts.hits);
	if (is_right(number, value))
		return;
	if (!w->counts.damaged)
		complain(number, value);
	count(&w->counts.damaged);
}

static void operate(struct worker *w)
{
	uint64_t number = choose_key(&w->random);
	unsigned int what = (unsigned int)(next_random(&w->random) % 100);
	char key[KEY_MAX];
	uint32_t length = make_key(key, number);

	if (what < load.set_percent) {
		set(w, number, key, length);
	} else if (what < load.set_percent + load.delete_percent) {
		cache_delete(key, length);
		count(&w->counts.deletes);
	} else {
		get(w, number, key, length);
	}
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t start = now_ns();

	while (!__atomic_load_n(&w->crew->stop, __ATOMIC_RELAXED)) {
		uint64_t end;

		operate(w);
		end = now_ns();
		histogram_add(&w->times, end - start);
		start = end;
	}
	return NULL;
}

static void *fill(void *arg)
{
	struct fill *f = arg;

	for (int64_t i = f->first; i >= 0; i -= f->step) {
		char key[KEY_MAX];
		uint32_t length = make_key(key, (uint64_t)i);
		goheap_ref value = make_value((uint64_t)i, 0);

		if (!value || cache_set(key, length, value)) {
			f->result = -1;
			break;
		}
	}
	return NULL;
}

/*
 * Set so many of the keys that will be wanted most; the most wanted come last,
 * so that they stay. Returns 0, or -1 if there is no memory.
 */
int workload_fill(unsigned int nr_threads, uint64_t nr_keys)
{
	struct fill *fills = calloc(nr_threads, sizeof(*fills));
	unsigned int started = 0;
	int result = -1;

	if (!fills)
		return -1;
	if (nr_keys > load.keys)
		nr_keys = load.keys;
	for (; started < nr_threads; started++) {
		fills[started].first = (int64_t)nr_keys - 1 - started;
		fills[started].step = nr_threads;
		if (pthread_create(&fills[started].thread, NULL, fill,
				   &fills[started]))
			break;
	}
	if (started == nr_threads)
		result = 0;
	while (started--) {
		pthread_join(fills[started].thread, NULL);
		if (fills[started].result)
			result = -1;
	}
	free(fills);
	return result;
}

/* Let threads begin. Returns NULL if there is no memory for them. */
struct crew *crew_start(unsigned int nr_threads)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (!crew)
		return NULL;
	crew->workers = aligned_alloc(64, nr_threads * sizeof(struct worker));
	if (!crew->workers) {
		free(crew);
		return NULL;
	}
	memset(crew->workers, 0, nr_threads * sizeof(struct worker));
	for (; crew->nr < nr_threads; crew->nr++) {
		struct worker *w = &crew->workers[crew->nr];

		w->crew = crew;
		w->random = crew->nr + 1;
		w->next_version = crew->nr << 24;
		if (!pthread_create(&w->thread, NULL, work, w))
			continue;
		crew_stop(crew, NULL);
		return NULL;
	}
	return crew;
}

/* What all threads have done so far, and how long it took. */
void crew_read(struct crew *crew, struct worker_counts *counts,
	       struct histogram *times)
{
	uint64_t *to = (uint64_t *)counts;

	memset(counts, 0, sizeof(*counts));
	memset(times, 0, sizeof(*times));
	for (unsigned int i = 0; i < crew->nr; i++) {
		const struct worker *w = &crew->workers[i];
		const uint64_t *from = (const uint64_t *)&w->counts;

		for (size_t k = 0; k < sizeof(*counts) / sizeof(*to); k++)
			to[k] += __atomic_load_n(&from[k], __ATOMIC_RELAXED);
		histogram_sum(times, &w->times);
	}
}

/* Stop the threads; @counts, if not NULL, is what they have done. */
void crew_stop(struct crew *crew, struct worker_counts *counts)
{
	struct histogram times;

	__atomic_store_n(&crew->stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < crew->nr; i++)
		pthread_join(crew->workers[i].thread, NULL);
	if (counts)
		crew_read(crew, counts, &times);
	free(crew->workers);
	free(crew);
}
