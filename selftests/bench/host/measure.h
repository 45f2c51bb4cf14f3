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
#include <string.h>
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

/* Which figures to measure: patterns of the shell, with | between them. */
extern const char *only;

static inline int matches(const char *patterns, const char *name)
{
	char copy[200], *p, *rest;

	snprintf(copy, sizeof(copy), "%s", patterns);
	for (p = strtok_r(copy, "|", &rest); p; p = strtok_r(NULL, "|", &rest))
		if (!fnmatch(p, name, 0))
			return 1;
	return 0;
}

/* Of those only what the environment wants, too. */
static inline int wanted(const char *name)
{
	const char *within = getenv("BENCH_ONLY");

	return matches(only, name) && (!within || matches(within, name));
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

/* The same for what takes long and does not need a steady state: one run, @n as it is. */
static inline void measure_once(const char *name, void (*work)(long n), long n)
{
	struct sample from, to;

	if (!wanted(name))
		return;
	from = clocks();
	work(n);
	to = clocks();
	printf("%s %.3f %.3f\n", name, to.cpu - from.cpu, to.wall - from.wall);
}

#endif /* MEASURE_H */
