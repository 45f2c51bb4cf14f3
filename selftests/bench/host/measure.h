/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Samples and their report: a line "NAME CPU WALL" for each figure, the medians
 * of the samples in ns of what was counted. CPU is that of all threads of the
 * process, so that a collector is paid for wherever it runs.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SAMPLES	7
#define WARM_UP	3

/* A function that the compiler must call as it stands. */
#define MEASURED	__attribute__((noipa))

struct sample {
	double cpu;
	double wall;
};

static inline double clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static inline struct sample clocks(void)
{
	return (struct sample){
		.cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
		.wall = clock_ns(CLOCK_MONOTONIC),
	};
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
	double cpu[SAMPLES], wall[SAMPLES];
	struct sample from, to;
	int i;

	if (!wanted(name))
		return;
	for (i = -WARM_UP; i < SAMPLES; i++) {
		from = clocks();
		work(n);
		to = clocks();
		if (i < 0)
			continue;
		cpu[i] = (to.cpu - from.cpu) / n;
		wall[i] = (to.wall - from.wall) / n;
	}
	printf("%s %.3f %.3f\n", name, median(cpu, SAMPLES),
	       median(wall, SAMPLES));
}

#endif /* MEASURE_H */
