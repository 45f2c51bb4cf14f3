// SPDX-License-Identifier: GPL-2.0
/*
 *	larson		two threads free what the other one has allocated, at random;
 *			one object of 16 to 512 bytes, wall time
 *	tail/p50..max	time of one allocation of 16 to 1024 bytes, 20 MB live
 *	soak		32 MB live; the size of new objects grows and shrinks
 *			again between 16 bytes and 4 KiB; one object
 *	soak/peak	the most memory that the process has had, by what is live
 *	memory/N	memory of the process by what is live, objects of N bytes
 *			without references, after a collection
 *	startup		from nothing to the first object, wall time
 */
#include <unistd.h>

#include "workload.h"

#define SLOTS		4096L
#define ROUNDS		100
#define TAIL_SLOTS	40000L
#define TAIL_OPS	1000000L
#define LIVE		(32UL << 20)
#define MAX_OBJECTS	(LIVE / 16 + 1)
#define PHASES		24
#define PHASE_BYTES	(16UL << 20)

static ref table;
static uint64_t seeds[MAX_THREADS] = { 1, 2 };

static ref *slot(long i)
{
	return (ref *)at(get(&table)) + i;
}

static void replace(long i, size_t bytes)
{
	ref r = new_bytes(bytes);

	*(long *)at(r) = i;
	if (HEAP_FREES && *slot(i))
		drop(*slot(i));
	put(slot(i), r);
}

/* Threads */
static pthread_barrier_t round_over;

static void larson(int thread)
{
	uint64_t *seed = &seeds[thread];
	long i, round;

	for (round = 0; round < ROUNDS; round++) {
		/* The half that the other thread had in the last round. */
		long from = (thread + round) % 2 * SLOTS;

		for (i = 0; i < SLOTS; i++)
			replace(from + random64(seed) % SLOTS,
				16 + random64(seed) % 497);
		pthread_barrier_wait(&round_over);
	}
}

static void larson_all(long n)
{
	run_threads(2, larson);
}

void measure_larson(int unused)
{
	if (!wanted("larson"))
		return;
	put(&table, new_refs(2 * SLOTS));
	pthread_barrier_init(&round_over, NULL, 2);
	larson_all(0);
	samples = 1;
	measure("larson", larson_all, 2 * SLOTS * ROUNDS);
}

/* Time of allocations alone */
void measure_tail(int unused)
{
	static struct latencies times;
	uint64_t *seed = &seeds[0];
	long i;

	if (!wanted("tail/p50"))
		return;
	latency_begin();
	put(&table, new_refs(TAIL_SLOTS));
	for (i = -TAIL_OPS / 2; i < TAIL_OPS; i++) {
		long k = random64(seed) % TAIL_SLOTS;
		size_t bytes = 16 + random64(seed) % 1009;
		uint64_t from = latency_now();
		ref r = new_bytes(bytes);

		*(long *)at(r) = k;
		if (i >= 0)
			latency_add(&times, latency_now() - from);
		if (HEAP_FREES && *slot(k))
			drop(*slot(k));
		put(slot(k), r);
	}
	latency_report(&times, "tail");
}

/* Memory */
static double memory(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages;

	require(file && fscanf(file, "%*u %lu", &pages) == 1);
	fclose(file);
	return (double)pages * sysconf(_SC_PAGESIZE);
}

static unsigned short *sizes;
static double before, peak;

/* Sizes of a phase: up to 64 .. 4096 bytes, and back. */
static size_t soak_size(int phase)
{
	int top = phase % 16 < 8 ? phase % 16 : 16 - phase % 16;

	return 16 + random64(&seeds[0]) % (64UL << (top < 7 ? top : 6));
}

static void soak(long n)
{
	uint64_t *seed = &seeds[0];
	size_t live = 0, made, bytes;
	long nr = 0, k, count = 0;
	int phase;

	for (phase = 0; phase < PHASES; phase++) {
		for (made = 0; made < PHASE_BYTES; made += bytes) {
			bytes = soak_size(phase);
			put(slot(nr), new_bytes(bytes));
			*(long *)at(*slot(nr)) = 0;
			sizes[nr++] = bytes;
			live += bytes;
			while (live > LIVE) {
				k = random64(seed) % nr--;
				live -= sizes[k];
				if (HEAP_FREES)
					drop(*slot(k));
				put(slot(k), *slot(nr));
				put(slot(nr), 0);
				sizes[k] = sizes[nr];
			}
			if (++count % 8192)
				continue;
			peak = memory() > peak ? memory() : peak;
		}
	}
}

void measure_soak(int unused)
{
	if (!wanted("soak"))
		return;
	sizes = outside(MAX_OBJECTS * sizeof(*sizes));
	put(&table, new_refs(MAX_OBJECTS));
	/* Tables are not what is measured. */
	memset(sizes, 1, MAX_OBJECTS * sizeof(*sizes));
	memset(at(get(&table)), 0, MAX_OBJECTS * sizeof(ref));
	before = memory();
	measure_once("soak", soak, 0);
	report("soak/peak", (peak - before) / LIVE);
}

void measure_memory(int bytes)
{
	long n = LIVE / bytes, i;
	char name[30];

	snprintf(name, sizeof(name), "memory/%d", bytes);
	if (!wanted(name))
		return;
	put(&table, new_refs(n));
	memset(at(get(&table)), 0, n * sizeof(ref));
	heap_collect();
	before = memory();
	for (i = 0; i < n; i++)
		replace(i, bytes);
	heap_collect();
	report(name, (memory() - before) / LIVE);
}

void measure_startup(int unused)
{
	if (!wanted("startup"))
		return;
	*(long *)at(new_bytes(16)) = 1;
	report("startup", now_ns() - process_begun);
}
