// SPDX-License-Identifier: GPL-2.0
/*
 *	sizes/KIND/BYTES/N	N threads; each keeps the last 64 objects of a size
 *				and replaces the oldest; CPU time of one object.
 *				KIND is noscan, without references, or refs,
 *				nothing but references, which are nil. Its
 *				first and its last word are written.
 */
#include "workload.h"

#define WINDOW	64

static size_t bytes;
static bool refs;
static long each;
static ref windows[MAX_THREADS];

static ref new_one(void)
{
	return refs ? new_refs(bytes / sizeof(ref)) : new_bytes(bytes);
}

static void churn(int thread)
{
	ref *window = at(get(&windows[thread]));
	long i;

	for (i = 0; i < each; i++) {
		ref *place = &window[i % WINDOW];
		ref r = new_one();
		volatile long *words = at(r);

		words[0] = 0;
		words[bytes / sizeof(long) - 1] = 0;
		if (HEAP_FREES && *place)
			drop(*place);
		put(place, r);
	}
}

static void churn_all(int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		put(&windows[i], new_refs(WINDOW));
	run_threads(nr, churn);
}

static void measure_size(int nr)
{
	static const char *const kinds[] = { "noscan", "refs" };
	double cpu[MAX_SAMPLES], wall[MAX_SAMPLES];
	struct sample from, to;
	char name[50];
	int i;

	snprintf(name, sizeof(name), "sizes/%s/%zu/%d", kinds[refs], bytes, nr);
	if (!wanted(name))
		return;
	/* 8 MiB of each, but that a thread's start does not count. */
	each = (8L << 20) / bytes;
	each = each > 500000 ? 500000 : each < 100 ? 100 : each;
	for (i = -1; i < 3; i++) {
		from = clocks();
		churn_all(nr);
		to = clocks();
		if (i < 0)
			continue;
		cpu[i] = (to.cpu - from.cpu) / (each * nr);
		wall[i] = (to.wall - from.wall) / (each * nr);
	}
	printf("%s %.3f %.3f\n", name, median(cpu, 3), median(wall, 3));
}

void measure_sizes(void)
{
	static const size_t all[] = {
		8, 16, 32, 64, 256, 1024, 8192, 65536, 1 << 20
	};
	size_t i;
	int nr;

	for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
		for (nr = 1; nr <= MAX_THREADS; nr++) {
			bytes = all[i];
			refs = false;
			measure_size(nr);
			refs = true;
			measure_size(nr);
		}
	}
}
