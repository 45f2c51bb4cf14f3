// SPDX-License-Identifier: GPL-2.0
/*
 * What a program does with a heap, for any of those of heap.h:
 * workload-HEAP [PATTERN[|PATTERN...] OF FIGURES [SAMPLES OF EACH]]
 *
 * BENCH_ONLY in the environment has more patterns, of which one must fit as well.
 * NAME/rss is the most memory that the process of workload NAME has had, in MiB.
 * The figures below are the smallest; others are described in sizes.c, ring.c,
 * mark.c, trees.c, cache.c, index.c, memory.c, share.c and barrier.c, and most of them
 * are taken once.
 *
 *	alloc/N		an object of N bytes without references: allocate it,
 *			write its first word, keep it while WINDOW others are
 *			allocated, then free it or forget it
 *	zeroed/8192	the same, and its bytes are zero
 *	alloc/node	the same with a node of two references, empty
 *	tree/16		a binary tree of depth 16, 131071 nodes, from the leaves
 *			up; then visit every node, then free or forget the tree
 *	tree/16+16	the same while another such tree lives
 *
 * Two trees of depth 16 are as large as goheap's smallest goal: by and by it
 * collects when one tree is dead and the next has not begun, and finds nothing to
 * mark. With another tree it collects at any time.
 *
 * Between trees the stack below is cleared, in all heaps alike. (In Go no dead
 * variable keeps anything.)
 *
 * The window is an array of local variables, first in, first out. Each figure is
 * taken in a steady state: memory has been used before.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload.h"

#define WINDOW	64
#define DEPTH	16

const char *only;
int samples = 7;
clockid_t collector_clock;

INLINE void churn(size_t bytes, ref (*new_one)(size_t bytes), long n)
{
	ref window[WINDOW] = { 0 };
	long i;

	SEEN(window);
	for (i = 0; i < n; i++) {
		ref *place = &window[i % WINDOW];

		if (*place)
			drop(*place);
		*place = new_one(bytes);
		*(volatile long *)at(*place) = i;
	}
	SEEN(window);
	for (i = 0; HEAP_FREES && i < WINDOW; i++)
		drop(window[i]);
}

#define CHURN(bytes)						\
	static MEASURED void churn_##bytes(long n)		\
	{							\
		churn(bytes, new_bytes, n);			\
	}

CHURN(8)
CHURN(32)
CHURN(64)
CHURN(256)
CHURN(1024)
CHURN(8192)

static MEASURED void churn_zeroed(long n)
{
	churn(8192, new_zeroed, n);
}

static MEASURED void churn_node(long n)
{
	ref window[WINDOW] = { 0 };
	long i;

	SEEN(window);
	for (i = 0; i < n; i++) {
		ref *place = &window[i % WINDOW];

		if (*place)
			drop(*place);
		*place = new_node();
		*(volatile ref *)at(*place) = 0;
	}
	SEEN(window);
	for (i = 0; HEAP_FREES && i < WINDOW; i++)
		drop(window[i]);
}

static ref build(int depth)
{
	ref left = 0, right = 0, r;
	struct node *n;

	if (depth) {
		left = build(depth - 1);
		right = build(depth - 1);
	}
	r = new_node();
	n = at(r);
	if (depth) {
		put(&n->left, left);
		put(&n->right, right);
	}
	return r;
}

static long walk(ref r)
{
	struct node *n = at(r);
	ref left = get(&n->left);

	return left ? 1 + walk(left) + walk(get(&n->right)) : 1;
}

static void drop_tree(ref r)
{
	struct node *n = at(r);

	if (n->left) {
		drop_tree(n->left);
		drop_tree(n->right);
	}
	drop(r);
}

static MEASURED void trees(long n)
{
	while (n--) {
		ref r = build(DEPTH);

		require(walk(r) == (2L << DEPTH) - 1);
		if (HEAP_FREES)
			drop_tree(r);
		/* No register keeps it while the next one is built. */
		r = 0;
		__asm__ volatile("" : "+r"(r));
		clear_stack();
	}
}

/* A static variable, which all heaps look at. */
static ref kept;

static void keep_tree(void)
{
	put(&kept, build(DEPTH));
}

#ifdef HEAP_GOHEAP
struct goheap *heap;
int node_layout;
int refs_layout;

void measure_library(struct goheap *h, int layout);
#endif

/*
 * Zeroed memory for what is not the workload's but the benchmark's. It comes from
 * no heap, so that none has more that is live, or a larger goal.
 */
void *outside(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	require(p != MAP_FAILED);
	return p;
}

/*
 * Zero what calls of the caller have left below its frame. There may be references
 * to trees that are dropped, which a collector that is conservative takes for live
 * ones: how many is chance, and differs from one compiler to the next.
 */
MEASURED void clear_stack(void)
{
	char dead[8192];

	memset(dead, 0, sizeof(dead));
	SEEN(dead);
}

/* A figure that is no time of a run. One that is 0 cannot be compared. */
void report(const char *name, double value)
{
	value = value > 0.001 ? value : 0.001;
	printf("%s %.3f %.3f\n", name, value, value);
}

/* Threads */
static struct thread {
	pthread_t thread;
	void (*work)(int thread);
} threads[MAX_THREADS];

static void *run_thread(void *arg)
{
	struct thread *t = arg;

	t->work(t - threads);
	return NULL;
}

/* One runs in the caller. */
void run_threads(int nr, void (*work)(int thread))
{
	int i;

	for (i = 1; i < nr; i++) {
		threads[i].work = work;
		require(!pthread_create(&threads[i].thread, NULL, run_thread,
					&threads[i]));
	}
	work(0);
	for (i = 1; i < nr; i++)
		require(!pthread_join(threads[i].thread, NULL));
}

static void measure_small(int unused)
{
	measure("alloc/8", churn_8, 1000000);
	measure("alloc/node", churn_node, 1000000);
	measure("alloc/32", churn_32, 500000);
	measure("alloc/64", churn_64, 250000);
	measure("alloc/256", churn_256, 100000);
	measure("alloc/1024", churn_1024, 25000);
	measure("alloc/8192", churn_8192, 10000);
	measure("zeroed/8192", churn_zeroed, 10000);
	measure("tree/16", trees, 10);
	keep_tree();
	measure("tree/16+16", trees, 10);
	require(walk(get(&kept)) == (2L << DEPTH) - 1);
#ifdef HEAP_GOHEAP
	measure_library(heap, node_layout);
#endif
}

/*
 * What is measured in a process of its own: with what, with how many markers (none:
 * it opens its heaps itself), and, if the process has one workload, its name for the
 * most memory that it has had.
 */
static const struct group {
	void (*measure)(int which);
	int which;
	int markers;
	const char *name;
} groups[] = {
	{ measure_small, 0, 1 },
#ifdef HEAP_GOHEAP
	{ measure_barrier, 0, 1 },
#endif
	{ measure_sizes, 0, 2 },
	{ measure_ring, 1, 2, "ring/1" },
	{ measure_ring, 2, 2, "ring/2" },
	{ measure_marking, 1, 1 },
	{ measure_marking, 2, 2 },
	{ measure_binarytrees, 16, 2, "binarytrees/16" },
	{ measure_binarytrees, 17, 2, "binarytrees/17" },
	{ measure_binarytrees, 18, 2, "binarytrees/18" },
	{ measure_binarytrees, 19, 2, "binarytrees/19" },
	{ measure_binarytrees, 20, 2, "binarytrees/20" },
	{ measure_binarytrees, 21, 2, "binarytrees/21" },
	{ measure_binarytrees_growth, 30, 2 },
	{ measure_binarytrees_growth, 100, 2 },
	{ measure_binarytrees_growth, 300, 2 },
	{ measure_binarytrees_mmu, 16, 2 },
	{ measure_gcbench, 0, 2, "gcbench" },
	{ measure_gcbench_growth, 30, 2 },
	{ measure_gcbench_growth, 100, 2 },
	{ measure_gcbench_growth, 300, 2 },
	{ measure_gcbench_mmu, 0, 2 },
	{ measure_cache, 0, 2, "cache" },
	{ measure_cache_growth, 30, 2 },
	{ measure_cache_growth, 100, 2 },
	{ measure_cache_growth, 300, 2 },
	{ measure_cache_mmu, 0, 2 },
	{ measure_index, 0, 2, "wordindex" },
	{ measure_larson, 0, 2, "larson" },
	{ measure_tail, 0, 2 },
	{ measure_soak, 0, 2 },
	{ measure_memory, 32, 2 },
	{ measure_memory, 1024, 2 },
	{ measure_startup, 0, 2 },
	{ measure_share, 2, 0 },
	{ measure_share, 4, 0 },
	{ measure_share, 8, 0 },
};

/* When the group's process began. */
uint64_t process_begun;

/* NAME/rss, in MiB */
static void report_memory(const char *workload, const struct rusage *usage)
{
	char name[60];

	if (!workload || !wanted(workload))
		return;
	snprintf(name, sizeof(name), "%s/rss", workload);
	report(name, usage->ru_maxrss / 1024.0);
}

/* The heap of the calling process. */
void begin_heap(int markers)
{
	heap_markers(markers);
	heap_init();
#ifdef HEAP_GOHEAP
	collector_clock = host_collector(heap);
#endif
}

/* A group in a process of its own; returns whether all went well. */
static bool run_group(const struct group *g)
{
	struct rusage usage;
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	require(pid >= 0);
	if (pid) {
		require(wait4(pid, &status, 0, &usage) == pid);
		report_memory(g->name, &usage);
		return WIFEXITED(status) && !WEXITSTATUS(status);
	}
	process_begun = now_ns();
	if (g->markers)
		begin_heap(g->markers);
	g->measure(g->which);
	exit(0);
}

int main(int argc, char **argv)
{
	size_t i;

	only = argc > 1 ? argv[1] : "*";
	if (argc > 2)
		samples = atoi(argv[2]);
	require(samples > 0 && samples <= MAX_SAMPLES);
	for (i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		require(run_group(&groups[i]));
	return 0;
}
