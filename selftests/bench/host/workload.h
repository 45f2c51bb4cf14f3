/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the workloads share. Each group of figures is measured in a process of its
 * own, so that none has the heap that another one has left.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <pthread.h>
#include <stdbool.h>

#include "heap.h"
#include "measure.h"

#define INLINE	static inline __attribute__((always_inline))

/* Somebody may look at it, now and whenever memory is said to change. */
#define SEEN(array)	__asm__ volatile("" : : "r"(array) : "memory")

#define MAX_THREADS	2

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* xorshift64; never 0 */
static inline uint64_t random64(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* The groups; main() says with what, and how many markers they allow. */
void measure_barrier(int unused);
void measure_sizes(int unused);
void measure_ring(int nr_threads);
void measure_marking(int nr_markers);
void measure_binarytrees(int depth);
void measure_binarytrees_growth(int percent);
void measure_binarytrees_mmu(int depth);
void measure_gcbench(int unused);
void measure_gcbench_growth(int percent);
void measure_gcbench_mmu(int unused);
void measure_cache(int unused);
void measure_cache_growth(int percent);
void measure_cache_mmu(int unused);
void measure_index(int unused);
void measure_larson(int unused);
void measure_tail(int unused);
void measure_soak(int unused);
void measure_memory(int bytes);
void measure_startup(int unused);
void measure_share(int nr_processes);

/* workload.c */
extern uint64_t process_begun;
void begin_heap(int markers);
void *outside(size_t bytes);
void clear_stack(void);
void run_threads(int nr, void (*work)(int thread));
void report(const char *name, double value);

/* latency.c */

#define LATENCY_STEPS	16	/* per power of two */
#define LATENCY_BUCKETS	(40 * LATENCY_STEPS)

/**
 * struct latencies - how often something took how long
 * @n: how many there were
 * @max: longest, ns
 * @count: by time, LATENCY_STEPS to a power of two
 */
struct latencies {
	uint64_t n;
	uint64_t max;
	uint64_t count[LATENCY_BUCKETS];
};

extern double latency_step;

/* Before the first latency_now(). */
void latency_begin(void);

static inline uint64_t latency_now(void)
{
#ifdef __x86_64__
	if (latency_step)
		return (uint64_t)(__builtin_ia32_rdtsc() * latency_step);
#endif
	return now_ns();
}

void latency_add(struct latencies *l, uint64_t ns);
void latency_merge(struct latencies *to, const struct latencies *from);
void latency_report(const struct latencies *l, const char *name);

/* mmu.c: a thread's progress */
void mmu_begin(void);
void mmu_tick(void);
void mmu_report(const char *name);

#endif /* WORKLOAD_H */
