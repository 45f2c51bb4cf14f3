// SPDX-License-Identifier: GPL-2.0
/*
 * What only goheap has: the cost of its stores, of its frames, of its refills.
 * (Of stores while references are marked: barrier.c.)
 *
 *	store/SIZE/HOW	a reference stored in an array of SIZE, at places that
 *			follow each other with a stride of 17, while nothing is
 *			marked: plain, atomic (release), or by goheap_store()
 *	push		goheap_frame_begin(), goheap_var(), goheap_frame_end() in
 *			a precise heap
 *	hstack		goheap_hstack_push() and goheap_hstack_pop()
 *	metadata/32	metadata by the pages of objects of 32 bytes, 256 MiB
 *	refill/WHAT	CPU time of the thread in the kernel per object, without
 *			the system call: its share of sweeping and marking is in
 *			it, what the collector's threads do is not
 *	entries/WHAT	commands per 1000 objects, all of them; of store and push
 *			per 1000 of those
 *
 * With the device of a kernel (host_in_process is 0) refill/ is left out: nobody
 * measures inside.
 */
#include <libgoheap.h>

#include "host.h"
#include "measure.h"

#define SMALL	(4UL << 10)
#define LARGE	(16UL << 20)
#define FULL	(256UL << 20)

static struct goheap *heap;
static goheap_ref *array;
static goheap_ref value[2];
static unsigned long mask;

static MEASURED void store_plain(long n)
{
	goheap_ref *a = array, *v = value;
	unsigned long i, m = mask;

	for (i = 0; i < n; i++) {
		a[i * 17 & m] = v[i & 1];
		__asm__ volatile("" : : : "memory");
	}
}

static MEASURED void store_atomic(long n)
{
	goheap_ref *a = array, *v = value;
	unsigned long i, m = mask;

	for (i = 0; i < n; i++) {
		__atomic_store_n(&a[i * 17 & m], v[i & 1], __ATOMIC_RELEASE);
		__asm__ volatile("" : : : "memory");
	}
}

static MEASURED void store_goheap(long n)
{
	goheap_ref *a = array, *v = value;
	struct goheap *h = heap;
	unsigned long i, m = mask;

	for (i = 0; i < n; i++) {
		goheap_store(h, &a[i * 17 & m], v[i & 1]);
		__asm__ volatile("" : : : "memory");
	}
}

/* Commands per 1000 of what @work does. */
static void measure_entries(const char *name, void (*work)(long n))
{
	const long n = 2000000;
	unsigned long from;
	double entries;

	if (!wanted(name))
		return;
	work(n);
	from = host_counts.entries;
	work(n);
	entries = (host_counts.entries - from) * 1000.0 / n;
	printf("%s %.4f %.4f\n", name, entries, entries);
}

static void measure_stores(const char *size, size_t bytes, int layout)
{
	goheap_ref ref = goheap_new_array(heap, layout, 8, bytes / 8);
	char name[40];

	array = goheap_ptr(heap, ref);
	mask = bytes / 8 - 1;
	snprintf(name, sizeof(name), "store/%s/plain", size);
	measure(name, store_plain, 2000000);
	snprintf(name, sizeof(name), "store/%s/atomic", size);
	measure(name, store_atomic, 2000000);
	snprintf(name, sizeof(name), "store/%s/goheap", size);
	measure(name, store_goheap, 2000000);
	if (bytes == SMALL)
		measure_entries("entries/store", store_goheap);
}

static MEASURED void push(long n)
{
	struct goheap *h = heap;
	goheap_ref r = value[0];

	while (n--) {
		goheap_frame frame = goheap_frame_begin(h);

		goheap_var(h, r);
		goheap_frame_end(h, frame);
	}
}

static struct goheap_hstack *hstack;

static MEASURED void push_and_pop(long n)
{
	struct goheap_hstack *s = hstack;
	goheap_ref r = value[0];

	while (n--) {
		goheap_hstack_push(s, r);
		goheap_hstack_pop(s);
	}
}

static void measure_hstack(void)
{
	hstack = goheap_hstack_new(heap);
	if (!hstack) {
		fprintf(stderr, "no managed stack: %s\n", goheap_error());
		exit(1);
	}
	measure("hstack", push_and_pop, 2000000);
	goheap_hstack_free(hstack);
}

static void measure_push(void)
{
	struct goheap *conservative = heap;
	goheap_ref kept = value[0];

	heap = goheap_open(GOHEAP_OPEN_PRECISE);
	value[0] = goheap_new(heap, GOHEAP_LAYOUT_NOSCAN, 8);
	measure("push", push, 2000000);
	measure_entries("entries/push", push);
	goheap_close(heap);
	heap = conservative;
	value[0] = kept;
}

static void allocate(int layout, size_t bytes, long n)
{
	while (n--) {
		goheap_ref ref = goheap_new(heap, layout, bytes);

		__asm__ volatile("" : : "r"(ref));
	}
}

/* Nothing is collected, so nobody needs to hold what is there. */
static void measure_metadata(void)
{
	struct goheap *other = heap;
	struct goheap_stats st;
	double percent;

	if (!wanted("metadata/32"))
		return;
	heap = goheap_open(0);
	goheap_set_gc_percent(heap, -1);
	allocate(GOHEAP_LAYOUT_NOSCAN, 32, FULL / 32);
	if (goheap_stats(heap, &st) || st.heap_inuse < FULL) {
		fprintf(stderr, "no statistics: %s\n", goheap_error());
		exit(1);
	}
	percent = (st.mspan_inuse + st.mcache_inuse + st.gc_sys) * 100.0 /
		  st.heap_inuse;
	printf("metadata/32 %.3f %.3f\n", percent, percent);
	goheap_close(heap);
	heap = other;
}

/* Of a size in steady state. */
static void measure_refill(const char *what, int layout, size_t bytes)
{
	const long n = (64L << 20) / bytes;
	double ns[MAX_SAMPLES], entries = 0;
	char name[2][40];
	int i;

	snprintf(name[0], sizeof(name[0]), "refill/%s", what);
	snprintf(name[1], sizeof(name[1]), "entries/%s", what);
	if (!wanted(name[0]) && !wanted(name[1]))
		return;
	allocate(layout, bytes, n);
	for (i = 0; i < samples; i++) {
		struct host_counts from = host_counts;
		const struct host_counts *to = &host_counts;

		host_counts.timed = 1;
		allocate(layout, bytes, n);
		host_counts.timed = 0;
		ns[i] = (double)(to->refill_ns - from.refill_ns) /
			(to->granted - from.granted);
		entries += (to->entries - from.entries) * 1000.0 / n / samples;
	}
	if (host_in_process) {
		ns[0] = median(ns, samples);
		printf("%s %.3f %.3f\n", name[0], ns[0], ns[0]);
	}
	printf("%s %.4f %.4f\n", name[1], entries, entries);
}

void measure_library(struct goheap *h, int node)
{
	int refs = goheap_layout_refs(h);

	heap = h;
	value[0] = goheap_new(h, node, 16);
	value[1] = goheap_new(h, node, 16);
	measure_stores("4K", SMALL, refs);
	measure_stores("16M", LARGE, refs);
	measure_push();
	measure_hstack();
	measure_refill("8", GOHEAP_LAYOUT_NOSCAN, 8);
	measure_refill("16", GOHEAP_LAYOUT_NOSCAN, 16);
	measure_refill("node", node, 16);
	measure_refill("64", GOHEAP_LAYOUT_NOSCAN, 64);
	measure_refill("1024", GOHEAP_LAYOUT_NOSCAN, 1024);
	measure_metadata();
}
