/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Samples and their report: a line "NAME CPU WALL" for each figure, the medians
 * of the samples in ns of what was counted. CPU is that of all threads of the
 * process and of a collector outside of it, which is paid for wherever it runs.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_SAMPLES	32

/* A function that the compiler must call as it stands. */
#define MEASURED	__attribute__((noipa))

struct sample {
	double cpu;
	double wall;
};

/* Samples of each figure; half as many runs come before. */
extern int samples;

/* CPU time of a thread that collects for the process from outside, or 0. */
extern clockid_t collector_clock;

static inline double clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static inline struct sample clocks(void)
{
	struct sample s = {
		.cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
		.wall = clock_ns(CLOCK_MONOTONIC),
	};

	if (collector_clock)
		s.cpu += clock_ns(collector_clock);
	return s;
}

static inline int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static inline double median(double *v, int n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

/* Which figures to measure, a pattern of the shell. */
extern const char *only;

static inline int wanted(const char *name)
{
	return !fnmatch(only, name, 0);
}

/* Run @work(@n), which does @n of what is counted, and report. */
static inline void measure(const char *name, void (*work)(long n), long n)
{
	double cpu[MAX_SAMPLES], wall[MAX_SAMPLES];
	struct sample from, to;
	int i;

	if (!wanted(name))
		return;
	for (i = -(samples / 2); i < samples; i++) {
		from = clocks();
		work(n);
		to = clocks();
		if (i < 0)
			continue;
		cpu[i] = (to.cpu - from.cpu) / n;
		wall[i] = (to.wall - from.wall) / n;
	}
	printf("%s %.3f %.3f\n", name, median(cpu, samples),
	       median(wall, samples));
}

#endif /* MEASURE_H */
