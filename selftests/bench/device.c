// SPDX-License-Identifier: GPL-2.0
/*
 * What the device costs: device [PART...]
 *
 * Parts: loop ioctl alloc touch collect start metadata; without arguments all
 * of them. Only `loop` does without the module.
 *
 * Every figure is the median of at least ten samples and is printed with the
 * lowest and the highest one. Time is wall clock time, because much of what is
 * measured happens in other threads of the kernel. Samples are short, about a
 * millisecond where that is possible: on a machine with other work to do most
 * of them then fall between two interruptions, and the median is of those.
 *
 * Allocation is measured in three states:
 *
 *	fresh		GOGC off: each page is new and comes from the kernel
 *	reused		GOGC off, after a collection that found everything dead:
 *			the pages are the heap's, the slots have to be cleared.
 *			This is what selftests/core/bench.c measures.
 *	collecting	GOGC=100 and nothing kept: a sample is all that happens
 *			from one collection to the next, that one included
 *
 * A loop of plain computing tells how fast the processor is here, so that
 * figures of an emulated machine can be set against those of the real one. It
 * has to be run by the same binary in both.
 *
 * With GOHEAP_BENCH_JSON=FILE in the environment each figure is also one line of
 * JSON in FILE, or in the output if that is "-". Nothing passes or fails here;
 * the exit status is 1 if something could not be measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include <linux/goheap.h>

#define DEVICE		"/dev/goheap"
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define KIB		(1UL << 10)
#define MIB		(1UL << 20)
#define OS_PAGE		4096UL
#define STACK_BYTES	(64 * KIB)
#define MAX_SAMPLES	256
#define MAX_BATCH	256

/* A function that the compiler must call as it stands. */
#define MEASURED	__attribute__((noipa))

/* A command of ours that does not exist. */
#define NO_COMMAND	_IO(GOHEAP_IOC_TYPE, 0x7f)

typedef __u64 u64;
typedef __u32 u32;

struct series {
	unsigned int nr;
	double v[MAX_SAMPLES];
};

struct heap {
	int fd;
	u32 two_refs;			/* layout */
	u64 space;
	char *base;
	struct goheap_stack *stack;
};

static FILE *json;

#define require(c) do {							\
	if (!(c)) {							\
		fprintf(stderr, "device.c:%d: %s: %s; not measured\n",	\
			__LINE__, #c, strerror(errno));			\
		exit(1);						\
	}								\
} while (0)

/* Figures */
static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void add(struct series *s, double v)
{
	require(s->nr < MAX_SAMPLES);
	s->v[s->nr++] = v;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Print a series by a name like alloc/64/noscan/256/reused, and empty it. */
static double report(struct series *s, const char *unit, const char *fmt, ...)
{
	char name[80];
	double median;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	require(s->nr >= 10);
	qsort(s->v, s->nr, sizeof(s->v[0]), by_value);
	median = (s->v[s->nr / 2] + s->v[(s->nr - 1) / 2]) / 2;
	printf("%-38s %13.2f %-10s %13.2f .. %.2f\n", name, median, unit,
	       s->v[0], s->v[s->nr - 1]);
	if (json) {
		fprintf(json, "{\"name\":\"%s\",\"unit\":\"%s\",\"median\":%.3f,"
			"\"min\":%.3f,\"max\":%.3f,\"samples\":%u}\n", name,
			unit, median, s->v[0], s->v[s->nr - 1], s->nr);
		fflush(json);
	}
	s->nr = 0;
	return median;
}

/* Heaps */
static void set_gc_percent(struct heap *h, int percent)
{
	struct goheap_param p = {
		.size = sizeof(p),
		.flags = GOHEAP_PARAM_SET,
		.id = GOHEAP_PARAM_GC_PERCENT,
		.value = percent,
	};

	require(!ioctl(h->fd, GOHEAP_IOC_PARAM, &p));
}

static void map_heap(struct heap *h)
{
	struct goheap_info info = { .size = sizeof(info) };

	require(!ioctl(h->fd, GOHEAP_IOC_INFO, &info));
	h->space = info.address_space;
	h->base = mmap(NULL, h->space, PROT_READ | PROT_WRITE, MAP_SHARED,
		       h->fd, GOHEAP_MMAP_OBJECTS);
	require(h->base != MAP_FAILED);
	h->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			h->fd, GOHEAP_MMAP_STACK);
	require(h->stack != MAP_FAILED);
}

static void open_heap(struct heap *h, int gc_percent)
{
	u64 mask = 3;
	struct goheap_layout l = {
		.size = sizeof(l),
		.elem_size = 16,
		.nr_bits = 2,
		.mask = (uintptr_t)&mask,
	};

	h->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	require(h->fd >= 0);
	set_gc_percent(h, gc_percent);
	map_heap(h);
	require(!ioctl(h->fd, GOHEAP_IOC_LAYOUT, &l));
	h->two_refs = l.id;
}

static void close_heap(struct heap *h)
{
	munmap(h->stack, STACK_BYTES);
	munmap(h->base, h->space);
	close(h->fd);
}

static void *ptr(struct heap *h, u64 ref)
{
	return h->base + (ref & GOHEAP_REF_OFFSET_MASK);
}

/* Returns the number of collections. */
static u32 alloc(struct heap *h, u64 bytes, u32 layout, u32 count, u64 *refs)
{
	struct goheap_alloc a = {
		.size = sizeof(a),
		.bytes = bytes,
		.layout = layout,
		.count = count,
		.refs = (uintptr_t)refs,
	};

	require(!ioctl(h->fd, GOHEAP_IOC_ALLOC, &a) && a.done == count);
	return a.cycles;
}

static void collect(struct heap *h)
{
	struct goheap_collect c = { .size = sizeof(c) };

	require(!ioctl(h->fd, GOHEAP_IOC_COLLECT, &c));
}

static void read_stats(struct heap *h, struct goheap_stats *st)
{
	memset(st, 0, sizeof(*st));
	st->size = sizeof(*st);
	require(!ioctl(h->fd, GOHEAP_IOC_STATS, st));
}

/* Plain computing */
static u64 next_random(u64 *x)
{
	*x ^= *x >> 12;
	*x ^= *x << 25;
	*x ^= *x >> 27;
	return *x * 0x2545f4914f6cdd1dULL;
}

static u64 MEASURED arithmetic(u64 x, u32 n)
{
	while (n--)
		x = next_random(&x);
	return x;
}

/* Loads, stores and branches that the processor predicts, in 32 KiB. */
static u64 MEASURED memory(u64 *table, u32 n)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < n; i++) {
		u64 *p = &table[i * 37 % 4096];

		if (*p & 1ULL << 63)
			sum++;
		*p += sum + i;
	}
	return sum;
}

/* Calls, returns and branches that depend on what they return. */
static u32 MEASURED calls(u32 n)
{
	return n < 2 ? 1 : calls(n - 1) + calls(n - 2);
}

static void bench_loop(void)
{
	const u32 n = 20000;
	/* The result is the number of leaves of the tree of calls. */
	const u32 nr_calls = 2 * calls(18) - 1;
	static u64 table[4096];
	volatile u64 sink = 1;
	struct series s = {};
	double start;
	int i;

	for (i = 0; i < 101; i++) {
		start = now();
		sink = arithmetic(sink, n);
		add(&s, (now() - start) / n);
	}
	report(&s, "ns", "loop/arithmetic");
	for (i = 0; i < 101; i++) {
		start = now();
		sink += memory(table, n);
		add(&s, (now() - start) / n);
	}
	report(&s, "ns", "loop/memory");
	for (i = 0; i < 101; i++) {
		start = now();
		sink += calls(18);
		add(&s, (now() - start) / nr_calls);
	}
	report(&s, "ns", "loop/calls");
}

/* System calls */
static void bench_ioctl(void)
{
	const int n = 500;
	struct goheap_info info = { .size = sizeof(info) };
	struct series s = {};
	struct heap h;
	double start;
	int i, j;

	open_heap(&h, -1);
	for (i = 0; i < 101; i++) {
		start = now();
		for (j = 0; j < n; j++)
			ioctl(h.fd, NO_COMMAND, &info);
		add(&s, (now() - start) / n);
		require(errno == ENOTTY);
	}
	report(&s, "ns/call", "ioctl/enotty");
	for (i = 0; i < 101; i++) {
		start = now();
		for (j = 0; j < n; j++)
			require(!ioctl(h.fd, GOHEAP_IOC_INFO, &info));
		add(&s, (now() - start) / n);
	}
	report(&s, "ns/call", "ioctl/info");
	close_heap(&h);
}

/* Allocation */
struct kind {
	u32 bytes;
	bool refs;
	u32 count;
};

static u64 refs[MAX_BATCH];

static u32 allocate(struct heap *h, const struct kind *k, u32 calls)
{
	u32 cycles = 0;

	while (calls--)
		cycles = alloc(h, k->bytes, k->refs ? h->two_refs : 0, k->count,
			       refs);
	return cycles;
}

/* Calls that make up a sample: a millisecond or so and at most 1 MiB. */
static u32 calls_per_sample(const struct kind *k)
{
	u32 most = k->count > 16 ? 32 : k->count > 1 ? 128 : 512;
	u32 calls = MIB / (k->bytes * k->count);

	return calls < 1 ? 1 : calls > most ? most : calls;
}

static void report_alloc(struct series *s, const struct kind *k,
			 const char *state)
{
	report(s, "ns/call", "alloc/%u/%s/%u/%s", k->bytes,
	       k->refs ? "refs" : "noscan", k->count, state);
}

static void bench_gc_off(const struct kind *k, bool reused)
{
	u32 calls = calls_per_sample(k), i;
	u32 samples = 64 * MIB / calls / (k->bytes * k->count);
	struct series s = {};
	struct heap h;

	if (samples < 20)
		samples = 20;
	if (samples > 128)
		samples = 128;
	open_heap(&h, -1);
	allocate(&h, k, 1);
	if (reused) {
		allocate(&h, k, calls * samples);
		collect(&h);
	}
	for (i = 0; i < samples; i++) {
		double start = now();

		allocate(&h, k, calls);
		add(&s, (now() - start) / calls);
	}
	report_alloc(&s, k, reused ? "reused" : "fresh");
	close_heap(&h);
}

/* Allocate until the next collection is over; returns the calls. */
static u32 until_collected(struct heap *h, const struct kind *k, u32 *cycles)
{
	u32 before = *cycles, calls = 0;

	while (*cycles == before) {
		*cycles = allocate(h, k, 1);
		calls++;
	}
	return calls;
}

static void bench_collecting(const struct kind *k)
{
	struct series s = {};
	u32 cycles = 0, calls;
	struct heap h;
	double start;
	int i;

	open_heap(&h, 100);
	for (i = -2; i < 10; i++) {
		start = now();
		calls = until_collected(&h, k, &cycles);
		if (i >= 0)
			add(&s, (now() - start) / calls);
	}
	report_alloc(&s, k, "collecting");
	close_heap(&h);
}

static void bench_alloc(void)
{
	static const struct kind kinds[] = {
		{ 8, false }, { 16, false }, { 16, true }, { 64, false },
		{ 64, true }, { 1024, false }, { 8192, false }, { 65536, false },
	};
	static const u32 counts[] = { 1, 16, 256 };
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (j = 0; j < ARRAY_SIZE(counts); j++) {
			struct kind k = kinds[i];

			k.count = counts[j];
			if ((u64)k.bytes * k.count > 2 * MIB)
				continue;
			bench_gc_off(&k, false);
			bench_gc_off(&k, true);
			bench_collecting(&k);
		}
	}
}

/* Touching memory for the first time */
#define TOUCH_BYTES	(64 * MIB)
#define TOUCH_PAGES	(TOUCH_BYTES / OS_PAGE)

static double touch(char *p, u64 bytes)
{
	double start = now();
	u64 i;

	for (i = 0; i < bytes; i += OS_PAGE)
		*(volatile char *)(p + i) = 1;
	return now() - start;
}

struct touch_series {
	struct series faults, per_fault, per_page;
};

static void report_touch(struct touch_series *t, const char *what)
{
	report(&t->faults, "faults", "touch/%s/faults", what);
	report(&t->per_fault, "ns/fault", "touch/%s/fault", what);
	report(&t->per_page, "ns/page", "touch/%s/page", what);
}

static void add_touch(struct touch_series *t, u64 faults, double ns)
{
	require(faults);
	add(&t->faults, faults);
	add(&t->per_fault, ns / faults);
	add(&t->per_page, ns / TOUCH_PAGES);
}

static u64 faults_of(struct heap *h)
{
	struct goheap_stats st;

	read_stats(h, &st);
	return st.faults;
}

/* Objects of 64 KiB, touched when all of them are there. */
static void touch_large(struct heap *h, struct touch_series *t)
{
	double ns = 0;
	u64 before = faults_of(h);
	u32 i;

	for (i = 0; i < h->stack->top; i++)
		ns += touch(ptr(h, h->stack->slots[i]), 64 * KIB);
	add_touch(t, faults_of(h) - before, ns);
}

static void bench_touch_large(void)
{
	struct touch_series first = {}, again = {};
	struct series get = {}, both = {};
	const u32 nr = TOUCH_BYTES / (64 * KIB);
	struct heap h;
	double start;
	u32 i, j;

	for (i = 0; i < 11; i++) {
		open_heap(&h, -1);
		start = now();
		for (j = 0; j < nr; j += 256)
			alloc(&h, 64 * KIB, 0, 256, &h.stack->slots[j]);
		h.stack->top = nr;
		add(&get, (now() - start) / TOUCH_PAGES);
		touch_large(&h, &first);
		add(&both, (now() - start) / TOUCH_PAGES);
		collect(&h);
		touch_large(&h, &again);
		close_heap(&h);
	}
	report_touch(&first, "first");
	report(&get, "ns/page", "touch/first/allocate");
	report(&both, "ns/page", "touch/first/allocate+touch");
	report_touch(&again, "after-collection");
}

/* Objects of 64 B, each batch touched when it comes. */
static void bench_touch_small(void)
{
	struct touch_series t = {};
	struct heap h;
	u32 i, j, k;

	for (i = 0; i < 11; i++) {
		double ns = 0, start;

		open_heap(&h, -1);
		for (j = 0; j < TOUCH_BYTES / 64; j += MAX_BATCH) {
			alloc(&h, 64, 0, MAX_BATCH, refs);
			start = now();
			for (k = 0; k < MAX_BATCH; k++)
				*(volatile char *)ptr(&h, refs[k]) = 1;
			ns += now() - start;
		}
		add_touch(&t, faults_of(&h), ns);
		close_heap(&h);
	}
	report_touch(&t, "by-batch");
}

static void bench_touch_anonymous(void)
{
	struct series s = {};
	int i;

	for (i = 0; i < 11; i++) {
		char *p = mmap(NULL, TOUCH_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		require(p != MAP_FAILED);
		madvise(p, TOUCH_BYTES, MADV_NOHUGEPAGE);
		add(&s, touch(p, TOUCH_BYTES) / TOUCH_PAGES);
		munmap(p, TOUCH_BYTES);
	}
	report(&s, "ns/page", "touch/anonymous/page");
}

static void bench_touch(void)
{
	bench_touch_large();
	bench_touch_small();
	bench_touch_anonymous();
}

/* Collection */
#define NODES	(1U << 20)

/* A binary tree of all nodes in the order of the array, held by one slot. */
static void link_tree(struct heap *h, const u64 *node)
{
	u32 i;

	for (i = 1; i < NODES; i++) {
		u64 *p = ptr(h, node[(i - 1) / 2]);

		p[(i - 1) % 2] = node[i];
	}
	h->stack->slots[0] = node[0];
	h->stack->top = 1;
}

static void clear_links(struct heap *h, const u64 *node)
{
	u32 i;

	h->stack->top = 0;
	for (i = 0; i < NODES; i++)
		memset(ptr(h, node[i]), 0, 16);
}

static void shuffle(u64 *node)
{
	u64 x = 88172645463325252ULL;
	u32 i;

	for (i = NODES - 1; i; i--) {
		u32 j = next_random(&x) % (i + 1);
		u64 t = node[i];

		node[i] = node[j];
		node[j] = t;
	}
}

static void time_collections(struct heap *h, const char *what, u64 live)
{
	struct series s = {}, mark = {}, rate = {};
	int i;

	for (i = -1; i < 11; i++) {
		struct goheap_cycle c = { .size = sizeof(c) };
		double start = now();

		collect(h);
		start = now() - start;
		require(!ioctl(h->fd, GOHEAP_IOC_CYCLE, &c));
		require(c.heap_marked == live * 16);
		if (i < 0)
			continue;
		add(&s, start / 1000);
		add(&mark, c.mark_ns / 1000.0);
		if (live)
			add(&rate, live * 1000.0 / c.mark_ns);
	}
	report(&s, "us", "collect/%s", what);
	report(&mark, "us", "collect/%s/mark", what);
	if (live)
		report(&rate, "M/s", "collect/%s/rate", what);
}

static void bench_collect(void)
{
	u64 *node = malloc(NODES * sizeof(*node));
	struct heap h;
	u32 i;

	require(node);
	open_heap(&h, -1);
	time_collections(&h, "empty", 0);
	for (i = 0; i < NODES; i += MAX_BATCH)
		alloc(&h, 16, h.two_refs, MAX_BATCH, &node[i]);
	link_tree(&h, node);
	time_collections(&h, "1M-tree", NODES);
	clear_links(&h, node);
	shuffle(node);
	link_tree(&h, node);
	time_collections(&h, "1M-random", NODES);
	close_heap(&h);
	free(node);
}

/* From open() to the first object that a program has written to */
static void bench_start(void)
{
	struct series opened = {}, mapped = {}, first = {}, closed = {};
	struct heap h;
	int i;

	for (i = -1; i < 31; i++) {
		double t0 = now(), t1, t2, t3, t4;

		h.fd = open(DEVICE, O_RDWR | O_CLOEXEC);
		require(h.fd >= 0);
		t1 = now();
		map_heap(&h);
		t2 = now();
		alloc(&h, 16, 0, 1, refs);
		*(volatile char *)ptr(&h, refs[0]) = 1;
		t3 = now();
		close_heap(&h);
		t4 = now();
		if (i < 0)
			continue;
		add(&opened, (t1 - t0) / 1000);
		add(&mapped, (t2 - t1) / 1000);
		add(&first, (t3 - t0) / 1000);
		add(&closed, (t4 - t3) / 1000);
	}
	report(&opened, "us", "start/open");
	report(&mapped, "us", "start/map");
	report(&first, "us", "start/first-object");
	report(&closed, "us", "start/close");
}

/* Metadata */
static double free_memory(void)
{
	struct sysinfo si;

	require(!sysinfo(&si));
	return (double)si.freeram * si.mem_unit;
}

static void bench_metadata_of(u64 heap_bytes)
{
	struct series bytes = {}, percent = {}, lost = {};
	struct goheap_stats st;
	struct heap h;
	u64 i, meta;
	int run;

	for (run = 0; run < 10; run++) {
		double before = free_memory();

		open_heap(&h, -1);
		for (i = 0; i < heap_bytes; i += MAX_BATCH * 32)
			alloc(&h, 32, 0, MAX_BATCH, refs);
		read_stats(&h, &st);
		meta = st.mspan_inuse + st.mcache_inuse + st.gc_sys;
		add(&bytes, meta);
		if (heap_bytes) {
			require(st.heap_inuse >= heap_bytes);
			add(&percent, meta * 100.0 / st.heap_inuse);
			add(&lost, (before - free_memory() - st.heap_inuse) *
				   100 / st.heap_inuse);
		}
		close_heap(&h);
	}
	report(&bytes, "bytes", "metadata/%lluMiB/bytes",
	       (heap_bytes / MIB));
	if (heap_bytes) {
		report(&percent, "%", "metadata/%lluMiB/percent",
		       (heap_bytes / MIB));
		/* What else the machine lost; only an idle one can tell. */
		report(&lost, "%", "metadata/%lluMiB/free-memory",
		       (heap_bytes / MIB));
	}
	printf("  of these: spans %llu, per CPU %llu, other %llu bytes\n",
	       st.mspan_inuse,
	       st.mcache_inuse,
	       st.gc_sys);
}

static void bench_metadata(void)
{
	static const u64 sizes[] = { 0, 4 * MIB, 64 * MIB, 256 * MIB };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		bench_metadata_of(sizes[i]);
}

/* The machine */
static void cpu_model(char *model, size_t len)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[256], *p;

	snprintf(model, len, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		p = strstr(line, ": ");
		if (p && !strncmp(line, "model name", 10)) {
			p[strcspn(p, "\n")] = 0;
			snprintf(model, len, "%s", p + 2);
			break;
		}
	}
	if (f)
		fclose(f);
}

static void hypervisor(char name[13])
{
	strcpy(name, "none");
#ifdef __x86_64__
	u32 a, b, c, d;

	__cpuid(1, a, b, c, d);
	if (!(c & 1U << 31))
		return;
	__cpuid(0x40000000, a, b, c, d);
	memcpy(name, &b, 4);
	memcpy(name + 4, &c, 4);
	memcpy(name + 8, &d, 4);
	name[12] = 0;
#endif
}

static void describe_machine(void)
{
	char model[128], hyper[13];
	struct utsname u;

	uname(&u);
	cpu_model(model, sizeof(model));
	hypervisor(hyper);
	printf("machine: %s, %ld CPUs, %s %s, hypervisor %s\n", model,
	       sysconf(_SC_NPROCESSORS_ONLN), u.sysname, u.release, hyper);
}

/* One CPU, so that each allocation finds the same mcache. */
static void stay_here(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void open_json(void)
{
	const char *name = getenv("GOHEAP_BENCH_JSON");

	if (!name)
		return;
	json = strcmp(name, "-") ? fopen(name, "w") : stdout;
	require(json);
}

static const struct part {
	const char *name;
	void (*run)(void);
} parts[] = {
	{ "loop", bench_loop },
	{ "ioctl", bench_ioctl },
	{ "alloc", bench_alloc },
	{ "touch", bench_touch },
	{ "collect", bench_collect },
	{ "start", bench_start },
	{ "metadata", bench_metadata },
};

static bool wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(name, argv[i]))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	u32 i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	open_json();
	stay_here();
	describe_machine();
	printf("%-38s %13s %-10s %13s\n", "", "median", "", "min .. max");
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		if (wanted(parts[i].name, argc, argv))
			parts[i].run();
	return 0;
}
