// SPDX-License-Identifier: GPL-2.0
/*
 * A line each second: what the cache did in it, how long that took, and how the
 * heap and its control group stand at its end. For people on standard output, in
 * MiB and microseconds; for programs in a file, in bytes and nanoseconds, with
 * tabs between.
 */
#include <stdlib.h>
#include <string.h>

#include "cache.h"

#define MIB (1024.0 * 1024.0)

static const char *cgroup_dir;
static char heap_dir[64];
static FILE *tsv;

static struct worker_counts counts_before;
static struct histogram times_before;
static double second_before;

/* All that a line says. No limit is UINT64_MAX. */
struct line {
	double second;
	double seconds; /* that it is about */
	uint64_t operations;
	struct worker_counts counts;
	uint64_t p50;
	uint64_t p99;
	uint64_t p999;
	uint64_t longest;
	uint64_t alloc;
	uint64_t live;
	uint64_t goal;
	uint64_t spans;
	uint64_t held;
	uint64_t released;
	uint64_t limit;
	uint64_t cgroup_use;
	uint64_t cgroup_limit;
	uint64_t cycles;
};

/* A number of a file; UINT64_MAX for "max", the largest number, or no file. */
static uint64_t read_number(const char *dir, const char *name)
{
	unsigned long long number;
	char path[512];
	FILE *file;
	int n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "r");
	if (!file)
		return UINT64_MAX;
	n = fscanf(file, "%llu", &number);
	fclose(file);
	return n == 1 && number < INT64_MAX ? number : UINT64_MAX;
}

static void read_cgroup(struct line *line)
{
	uint64_t high;

	line->cgroup_use = UINT64_MAX;
	line->cgroup_limit = UINT64_MAX;
	if (!cgroup_dir)
		return;
	line->cgroup_use = read_number(cgroup_dir, "memory.current");
	line->cgroup_limit = read_number(cgroup_dir, "memory.max");
	high = read_number(cgroup_dir, "memory.high");
	if (high < line->cgroup_limit)
		line->cgroup_limit = high;
}

static int read_heap(struct line *line)
{
	struct goheap_stats stats;

	if (goheap_stats(heap, &stats))
		return -1;
	line->alloc = stats.alloc;
	line->live = stats.heap_marked;
	line->goal = stats.next_gc < INT64_MAX ? stats.next_gc : UINT64_MAX;
	line->spans = stats.heap_inuse;
	line->held = stats.sys - stats.heap_released;
	line->released = stats.heap_released;
	line->cycles = stats.num_gc;
	line->limit = read_number(heap_dir, "gc/effective-limit:bytes");
	return 0;
}

static void read_crew(struct crew *crew, struct line *line)
{
	uint64_t *now = (uint64_t *)&line->counts;
	uint64_t *before = (uint64_t *)&counts_before;
	struct histogram times;

	crew_read(crew, &line->counts, &times);
	for (size_t i = 0; i < sizeof(counts_before) / sizeof(*now); i++) {
		uint64_t count = now[i];

		now[i] -= before[i];
		before[i] = count;
	}
	histogram_since(&times, &times_before);
	line->operations = histogram_total(&times);
	line->p50 = histogram_quantile(&times, 0.5);
	line->p99 = histogram_quantile(&times, 0.99);
	line->p999 = histogram_quantile(&times, 0.999);
	line->longest = histogram_quantile(&times, 1);
}

static void print_head(void)
{
	printf("%4s %7s %4s %6s %6s %7s %7s | %5s %5s %5s %5s %5s %8s | %5s %5s %3s\n",
	       "", "", "", "us", "us", "us", "ms", "heap", "MiB", "", "", "",
	       "", "group", "MiB", "");
	printf("%4s %7s %4s %6s %6s %7s %7s | %5s %5s %5s %5s %5s %8s | %5s %5s %3s\n",
	       "s", "ops/s", "hit%", "p50", "p99", "p99.9", "max", "alloc",
	       "live", "goal", "held", "limit", "released", "use", "limit",
	       "gc");
}

static const char *mib(char *text, size_t size, uint64_t bytes)
{
	if (bytes == UINT64_MAX)
		return "-";
	snprintf(text, size, "%.0f", bytes / MIB);
	return text;
}

#define MIB_TEXT(bytes) mib((char[24]){ "" }, 24, bytes)

static double hit_percent(const struct worker_counts *counts)
{
	return counts->gets ? 100.0 * counts->hits / counts->gets : 0;
}

static void print_line(const struct line *l)
{
	printf("%4.0f %7.0f %4.0f %6.1f %6.0f %7.0f %7.1f | %5s %5s %5s %5s %5s %8s | %5s %5s %3llu\n",
	       l->second, (double)l->operations / l->seconds,
	       hit_percent(&l->counts), l->p50 / 1e3, l->p99 / 1e3,
	       l->p999 / 1e3, l->longest / 1e6, MIB_TEXT(l->alloc),
	       MIB_TEXT(l->live), MIB_TEXT(l->goal), MIB_TEXT(l->held),
	       MIB_TEXT(l->limit), MIB_TEXT(l->released),
	       MIB_TEXT(l->cgroup_use), MIB_TEXT(l->cgroup_limit),
	       (unsigned long long)l->cycles);
	if (l->counts.refused)
		printf("     %llu values were refused for want of memory\n",
		       (unsigned long long)l->counts.refused);
	fflush(stdout);
}

static void put_tsv(uint64_t number)
{
	if (number == UINT64_MAX)
		fprintf(tsv, "\tNaN");
	else
		fprintf(tsv, "\t%llu", (unsigned long long)number);
}

static void print_tsv(const struct line *l)
{
	const uint64_t numbers[] = {
		l->p50,		 l->p99,    l->p999,	       l->longest,
		l->alloc,	 l->live,   l->goal,	       l->spans,
		l->held,	 l->limit,  l->released,       l->cgroup_use,
		l->cgroup_limit, l->cycles, l->counts.refused,
	};

	fprintf(tsv, "%.3f\t%.1f\t%.2f", l->second,
		(double)l->operations / l->seconds, hit_percent(&l->counts));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		put_tsv(numbers[i]);
	putc('\n', tsv);
	fflush(tsv);
}

/* Begin a report. Folder of the control group and file may be NULL. */
int report_begin(const char *cgroup, const char *file)
{
	struct goheap_info info = { .size = sizeof(info) };

	if (goheap_info(heap, &info))
		return -1;
	snprintf(heap_dir, sizeof(heap_dir), "/sys/kernel/goheap/%u",
		 info.heap_id);
	cgroup_dir = cgroup;
	memset(&counts_before, 0, sizeof(counts_before));
	memset(&times_before, 0, sizeof(times_before));
	second_before = 0;
	print_head();
	if (!file)
		return 0;
	tsv = fopen(file, "w");
	if (!tsv)
		return -1;
	fprintf(tsv,
		"second\tops\thit\tp50\tp99\tp999\tmax\talloc\tlive\tgoal\tspans\theld\tlimit\treleased\tcgroup_use\tcgroup_limit\tcycles\trefused\n");
	fflush(tsv);
	return 0;
}

/* Report what happened since the last line; so many seconds have passed. */
int report_line(struct crew *crew, double second)
{
	struct line line = {
		.second = second,
		.seconds = second - second_before,
	};

	second_before = second;
	read_crew(crew, &line);
	if (read_heap(&line))
		return -1;
	read_cgroup(&line);
	print_line(&line);
	if (tsv)
		print_tsv(&line);
	return 0;
}

void report_end(void)
{
	if (tsv)
		fclose(tsv);
	tsv = NULL;
}
