// SPDX-License-Identifier: GPL-2.0
/*
 *	sizes/KIND/BYTES/N	N threads; each keeps the last 64 objects of a size
 *				and replaces the oldest; time of one object: CPU
 *				time of one thread, wall time of two, which is
 *				what waiting for each other is seen in.
 *				KIND is noscan, without references, or refs,
 *				nothing but references, which are nil. Its
 *				first and its last word are written.
 */
#include "workload.h"

#define WINDOW	64

static long each;
static ref windows[MAX_THREADS];

INLINE void churn(int thread, size_t bytes, bool refs)
{
	ref *window = at(get(&windows[thread]));
	long i;

	for (i = 0; i < each; i++) {
		ref *place = &window[i % WINDOW];
		ref r = refs ? new_refs(bytes / sizeof(ref)) : new_bytes(bytes);
		volatile long *words = at(r);

		words[0] = 0;
		words[bytes / sizeof(long) - 1] = 0;
		if (HEAP_FREES && *place)
			drop(*place);
		put(place, r);
	}
}

/* A function for each, which knows the size as most programs do. */
#define SIZE(bytes)						\
	static void noscan_##bytes(int thread)			\
	{							\
		churn(thread, bytes, false);			\
	}							\
								\
	static void refs_##bytes(int thread)			\
	{							\
		churn(thread, bytes, true);			\
	}

SIZE(8)
SIZE(16)
SIZE(32)
SIZE(64)
SIZE(256)
SIZE(1024)
SIZE(8192)
SIZE(65536)
SIZE(1048576)

#define SIZE_OF(bytes)	{ bytes, noscan_##bytes, refs_##bytes }

static const struct size {
	size_t bytes;
	void (*noscan)(int thread);
	void (*refs)(int thread);
} sizes[] = {
	SIZE_OF(8), SIZE_OF(16), SIZE_OF(32), SIZE_OF(64), SIZE_OF(256),
	SIZE_OF(1024), SIZE_OF(8192), SIZE_OF(65536), SIZE_OF(1048576),
};

static void churn_all(int nr, void (*work)(int thread))
{
	int i;

	for (i = 0; i < nr; i++)
		put(&windows[i], new_refs(WINDOW));
	run_threads(nr, work);
}

static void measure_size(const char *kind, size_t bytes, int nr,
			 void (*work)(int thread))
{
	double cpu[MAX_SAMPLES], wall[MAX_SAMPLES];
	struct sample from, to;
	char name[50];
	int i;

	snprintf(name, sizeof(name), "sizes/%s/%zu/%d", kind, bytes, nr);
	if (!wanted(name))
		return;
	/* 8 MiB of each, but that a thread's start does not count. */
	each = (8L << 20) / bytes;
	each = each > 500000 ? 500000 : each < 100 ? 100 : each;
	for (i = -1; i < 3; i++) {
		from = clocks();
		churn_all(nr, work);
		to = clocks();
		if (i < 0)
			continue;
		cpu[i] = (to.cpu - from.cpu) / (each * nr);
		wall[i] = (to.wall - from.wall) / (each * nr);
	}
	printf("%s %.3f %.3f\n", name, median(cpu, 3), median(wall, 3));
}

void measure_sizes(int unused)
{
	const struct size *s;
	int nr;

	for (s = sizes; s < sizes + sizeof(sizes) / sizeof(*sizes); s++) {
		for (nr = 1; nr <= MAX_THREADS; nr++) {
			measure_size("noscan", s->bytes, nr, s->noscan);
			measure_size("refs", s->bytes, nr, s->refs);
		}
	}
}
