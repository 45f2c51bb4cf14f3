// SPDX-License-Identifier: GPL-2.0
/*
 * Minimum mutator utilisation: what is left of the worst window of so many ms.
 *
 * A thread says after every few objects that it goes on. What lies between two of
 * that and is longer than NOTICED is a gap, in which the thread waited, helped the
 * collector, or was not on a CPU; the machine's own share of that is in the
 * figures, too.
 */
#include "workload.h"

#define NOTICED		10000	/* ns */
#define MAX_GAPS	(1 << 20)
#define EVERY		16

static struct gap {
	uint64_t from;
	uint64_t to;
} *gaps;

static long nr_gaps;
static uint64_t begun, last;
static unsigned int ticks;

void mmu_begin(void)
{
	if (!gaps)
		gaps = outside(MAX_GAPS * sizeof(*gaps));
	nr_gaps = 0;
	begun = now_ns();
	last = begun;
}

void mmu_tick(void)
{
	uint64_t now;

	if (!gaps || ++ticks % EVERY)
		return;
	now = now_ns();
	if (now - last > NOTICED && nr_gaps < MAX_GAPS)
		gaps[nr_gaps++] = (struct gap){ last, now };
	last = now;
}

/* What gaps take of the window from @from to @to; @i: the first of them. */
static uint64_t taken(uint64_t from, uint64_t to, long i)
{
	uint64_t sum = 0;

	for (; i < nr_gaps && gaps[i].from < to; i++) {
		uint64_t a = gaps[i].from > from ? gaps[i].from : from;
		uint64_t b = gaps[i].to < to ? gaps[i].to : to;

		sum += b > a ? b - a : 0;
	}
	return sum;
}

/* The worst window begins where a gap does, or ends where one does. */
static uint64_t worst(uint64_t window)
{
	uint64_t most = 0, t;
	long i, first = 0;

	for (i = 0; i < nr_gaps; i++) {
		t = taken(gaps[i].from, gaps[i].from + window, i);
		most = t > most ? t : most;
		if (gaps[i].to < begun + window)
			continue;
		while (gaps[first].to < gaps[i].to - window)
			first++;
		t = taken(gaps[i].to - window, gaps[i].to, first);
		most = t > most ? t : most;
	}
	return most;
}

void mmu_report(const char *name)
{
	static const int ms[] = { 1, 5, 10, 50 };
	char text[60];
	size_t i;

	for (i = 0; i < sizeof(ms) / sizeof(*ms); i++) {
		double lost = worst(ms[i] * 1000000ULL) / (ms[i] * 10000.0);

		snprintf(text, sizeof(text), "%s/mmu/%dms", name, ms[i]);
		report(text, 100 - lost);
	}
}
