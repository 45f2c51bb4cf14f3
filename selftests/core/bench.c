// SPDX-License-Identifier: GPL-2.0
/*
 * What the core costs on this machine, one thread: bench [--only N]
 *
 * Each figure is the median of several runs, printed with the lowest and the
 * highest. Time is CPU time of the thread, so that a busy machine disturbs
 * little. There is no system call in any of it, unless a line says so. Marking
 * is a cycle without its sweep. Nothing passes or fails here.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "user.h"
#include "gh_port.h"

#define check(c)	gh_user_require(c, #c)
#define RUNS		9
#define BATCH		256

static struct gh_heap *heap;
static struct gh_user_roots roots;
static u64 root;
static u64 seed = 88172645463325252ULL;

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *what, double *v, int n, const char *unit)
{
	qsort(v, n, sizeof(*v), by_value);
	printf("%-52s %9.2f %-12s (%.2f .. %.2f)\n", what, v[n / 2], unit,
	       v[0], v[n - 1]);
}

/* Nodes that new_node() has in store; those of another heap are of no use. */
static u32 nodes_left;

static void open_heap(u64 aspace)
{
	nodes_left = 0;
	heap = gh_user_heap(aspace, 0);
	check(heap);
	gh_gc_set_percent(heap, -1);
	roots.refs = &root;
	roots.nr = 1;
	root = 0;
	gh_user_set_roots(heap, &roots);
}

static void close_heap(void)
{
	gh_user_set_roots(heap, NULL);
	gh_heap_destroy(heap);
}

static u32 two_refs(void)
{
	u64 mask = 3;
	int id = gh_layout_register(heap, 16, 2, &mask);

	check(id > 0);
	return id;
}

/* Allocation */
static void fill(u32 layout, u64 bytes, u64 nr, u32 batch)
{
	u64 refs[BATCH];
	struct gh_batch b;

	for (; nr >= batch; nr -= batch) {
		gh_batch_begin(heap, &b, refs);
		check(!gh_malloc(heap, layout, bytes, batch, &b));
		gh_batch_end(heap, &b);
	}
}

static void bench_size(u64 bytes, u32 layout, u32 batch)
{
	u64 nr = min((u64)1 << 20, (u64)(64UL << 20) / bytes);
	double v[RUNS], w[RUNS];
	char what[80];
	u64 start, mid;
	int i;

	/* The first two runs get fresh memory from the system. */
	for (i = -2; i < RUNS; i++) {
		start = gh_port_cpu_ns();
		fill(layout, bytes, nr, batch);
		mid = gh_port_cpu_ns();
		gh_gc_mark_cycle(heap, GH_CYCLE_FORCED);
		gh_gc_sweep(heap);
		if (i < 0)
			continue;
		v[i] = (double)(mid - start) / nr;
		w[i] = (double)(gh_port_cpu_ns() - start) / nr;
	}
	snprintf(what, sizeof(what), "allocate %llu B %s, %s", bytes,
		 layout ? "references" : "no references",
		 batch > 1 ? "256 at a time" : "one at a time");
	report(what, v, RUNS, "ns/object");
	if (batch > 1) {
		snprintf(what, sizeof(what), "  and collect it");
		report(what, w, RUNS, "ns/object");
	}
}

static void bench_alloc(void)
{
	static const u64 sizes[] = { 8, 16, 32, 64, 256, 1024 };
	u32 layout, i, l;

	open_heap(4UL << 30);
	layout = two_refs();
	for (l = 0; l < 2; l++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			bench_size(sizes[i], l ? layout : 0, BATCH);
			bench_size(sizes[i], l ? layout : 0, 1);
		}
	}
	close_heap();
}

static void bench_syscall(void)
{
	const int nr = 100000;
	double v[RUNS];
	int i, j;

	for (i = 0; i < RUNS; i++) {
		u64 start = gh_port_cpu_ns();

		for (j = 0; j < nr; j++)
			syscall(SYS_getppid);
		v[i] = (double)(gh_port_cpu_ns() - start) / nr;
	}
	report("(a system call of this machine)", v, RUNS, "ns");
}

/* Page allocator, 64 GiB of addresses, every second page used at random */
static void bench_pages(void)
{
	const u64 total = (64UL << 30) >> GH_PAGE_SHIFT, nr = 100000;
	u64 *got = malloc(nr * sizeof(*got));
	double v[RUNS], w[RUNS], x[RUNS];
	struct gh_pagealloc pa = {};
	u64 page, i, scav, start, mid;
	int run;

	check(got && !gh_pagealloc_init(&pa, total));
	check(!gh_pagealloc_grow(&pa, total));
	for (page = 0; page < total; page += GH_CHUNK_PAGES)
		check(gh_pagealloc_alloc(&pa, GH_CHUNK_PAGES, &scav) == page);
	for (page = 0; page < total; page++)
		if (gh_user_random(&seed) & 1)
			gh_pagealloc_free(&pa, page, 1, false);
	for (run = 0; run < RUNS; run++) {
		struct gh_pagecache c = {};

		start = gh_port_cpu_ns();
		for (i = 0; i < nr; i++)
			got[i] = gh_pagealloc_alloc(&pa, 1, &scav);
		mid = gh_port_cpu_ns();
		for (i = 0; i < nr; i++)
			gh_pagealloc_free(&pa, got[i], 1, false);
		w[run] = (double)(gh_port_cpu_ns() - mid) / nr;
		v[run] = (double)(mid - start) / nr;

		start = gh_port_cpu_ns();
		for (i = 0; i < nr; i++) {
			if (gh_pagecache_empty(&c))
				c = gh_pagealloc_fill_cache(&pa);
			got[i] = gh_pagecache_alloc(&c, 1, &scav);
		}
		x[run] = (double)(gh_port_cpu_ns() - start) / nr;
		gh_pagecache_flush(&c, &pa);
		for (i = 0; i < nr; i++)
			gh_pagealloc_free(&pa, got[i], 1, false);
	}
	report("allocate a page, 64 GiB half full", v, RUNS, "ns");
	report("allocate a page by the page cache", x, RUNS, "ns");
	report("free a page", w, RUNS, "ns");
	gh_pagealloc_destroy(&pa);
	free(got);
}

/* Graphs */
static u64 *word(u64 ref, u64 i)
{
	return gh_heap_kaddr(heap, (ref & ((1ULL << 48) - 1)) + i * 8);
}

/* The next of many nodes, 256 allocated at a time. */
static u64 new_node(u32 layout)
{
	static u64 refs[BATCH];
	struct gh_batch b;

	if (!nodes_left) {
		gh_batch_begin(heap, &b, refs);
		check(!gh_malloc(heap, layout, 16, BATCH, &b));
		gh_batch_end(heap, &b);
		check(b.nr == BATCH);
		nodes_left = BATCH;
	}
	return refs[BATCH - nodes_left--];
}

/* Mark and sweep what @root holds; @sweep: report sweeping too. */
static void bench_graph(const char *what, bool sweep)
{
	double v[RUNS], w[RUNS];
	struct gh_cycle c;
	u64 start, pages;
	int i;

	gh_gc_mark_cycle(heap, GH_CYCLE_FORCED);
	gh_gc_sweep(heap);
	for (i = 0; i < RUNS; i++) {
		gh_gc_mark_cycle(heap, GH_CYCLE_FORCED);
		check(gh_gc_get_cycle(heap, 0, &c));
		v[i] = (double)c.heap_marked / 16 * 1000 / c.cpu_ns;
		pages = gh_user_stat(heap, swept_pages);
		start = gh_port_cpu_ns();
		gh_gc_sweep(heap);
		start = gh_port_cpu_ns() - start;
		pages = gh_user_stat(heap, swept_pages) - pages;
		w[i] = (double)pages * GH_PAGE_SIZE / start;
	}
	report(what, v, RUNS, "M objects/s");
	if (sweep)
		report("  sweeping it, all live", w, RUNS, "GB/s");
}

static void bench_random_graph(void)
{
	const u64 nr = 10000000 / BATCH * BATCH;
	u64 *node = malloc(nr * sizeof(*node));
	u32 layout;
	u64 i;

	open_heap(4UL << 30);
	layout = two_refs();
	check(node);
	for (i = 0; i < nr; i++)
		node[i] = new_node(layout);
	/* A random tree, so that one root holds all, then random edges. */
	for (i = 1; i < nr; i++) {
		u64 *p;

		do
			p = word(node[gh_user_random(&seed) % i],
				 gh_user_random(&seed) >> 63);
		while (*p);
		*p = node[i];
	}
	for (i = 0; i < 2 * nr; i++)
		if (!*word(node[i / 2], i % 2))
			*word(node[i / 2], i % 2) =
				node[gh_user_random(&seed) % nr];
	root = node[0];
	bench_graph("mark 10 M nodes linked at random", false);
	for (i = 0; i < nr; i++) {
		*word(node[i], 0) = node[gh_user_random(&seed) % nr];
		*word(node[i], 1) = node[gh_user_random(&seed) % nr];
	}
	bench_graph("mark 10 M nodes, two random edges each", true);
	free(node);
	close_heap();
}

static u64 tree(u32 layout, int depth)
{
	u64 ref = new_node(layout);

	if (depth) {
		*word(ref, 0) = tree(layout, depth - 1);
		*word(ref, 1) = tree(layout, depth - 1);
	}
	return ref;
}

static void bench_tree(void)
{
	open_heap(4UL << 30);
	root = tree(two_refs(), 23);
	bench_graph("mark a binary tree of 2^24 nodes", true);
	close_heap();
}

static void bench_list(void)
{
	const u64 nr = 8 << 20;
	u64 last, i;
	u32 layout;

	open_heap(4UL << 30);
	layout = two_refs();
	root = new_node(layout);
	for (i = 1, last = root; i < nr; i++) {
		*word(last, 0) = new_node(layout);
		last = *word(last, 0);
	}
	bench_graph("mark a list of 8 M nodes", false);
	close_heap();
}

static void bench_wide(void)
{
	const u64 nr = 8 << 20;
	struct gh_batch b;
	u64 i, mask = 1;
	int one;
	u32 two;

	open_heap(4UL << 30);
	one = gh_layout_register(heap, 8, 1, &mask);
	two = two_refs();
	check(one > 0);
	gh_batch_begin(heap, &b, &root);
	check(!gh_malloc(heap, one, nr * 8, 1, &b));
	gh_batch_end(heap, &b);
	for (i = 0; i < nr; i++)
		*word(root, i) = new_node(two);
	bench_graph("mark an array of 8 M references (16 B objects)", false);
	close_heap();
}

/* Metadata */
static void bench_metadata(u64 bytes)
{
	u64 nr = (512UL << 20) / bytes, used, meta;
	char what[80];

	open_heap(4UL << 30);
	fill(0, bytes, nr, BATCH);
	used = gh_user_stat(heap, inuse_pages) * GH_PAGE_SIZE;
	meta = gh_user_stat(heap, meta_bytes) + heap->pages.meta_bytes;
	snprintf(what, sizeof(what), "metadata, 512 MiB of %llu B objects",
		 bytes);
	printf("%-52s %9.2f %-12s (spans %lld, other %llu bytes)\n", what,
	       (meta + gh_user_stat(heap, span_bytes)) * 100.0 / used, "%",
	       gh_user_stat(heap, span_bytes), meta);
	close_heap();
}

int main(int argc, char **argv)
{
	u64 only = gh_user_arg(argc, argv, "only", 0);

	setvbuf(stdout, NULL, _IOLBF, 0);
	check(!gh_core_init());
	printf("%-52s %9s\n", "(CPU time of one thread)", "median");
	if (!only || only == 1) {
		bench_syscall();
		bench_alloc();
	}
	if (!only || only == 2)
		bench_pages();
	if (!only || only == 3)
		bench_random_graph();
	if (!only || only == 4)
		bench_tree();
	if (!only || only == 5)
		bench_list();
	if (!only || only == 6)
		bench_wide();
	if (!only || only == 7) {
		bench_metadata(32);
		bench_metadata(1024);
	}
	gh_core_exit();
	return 0;
}
