// SPDX-License-Identifier: GPL-2.0
/*
 * For how long collections get in the way: latency [PART...]
 *
 * Parts: move running preempted sleeping stops; without arguments all of them. For a kernel
 * that runs at the machine's own speed, and has two processors or more.
 *
 *	move			a real-time thread moves to the CPU where another one
 *				computes: what it takes the kernel to get there at
 *				all, system call included. User-mode Linux reads
 *				running threads so, and nothing below can be faster
 *	handshake/running	a thread that computes is read: its registers and
 *				its stack, from the start of the reading to its
 *				end. One sample is one collection.
 *	handshake/preempted	the same of one that computes on the collector's own CPU,
 *				which it need not leave: the reading alone
 *	handshake/sleeping	the same of NR_SLEEPING threads that sleep, all
 *				together, and each of them
 *	stop/.../setup, term	the time in which calls of programs wait, at the
 *				start and at the end of marking, with so much
 *				live, and two threads of two processes that compute
 *	stop/.../longest	the longer one of both, of each collection
 *	stop/.../seen		the longest time in a collection in which one of the two
 *				threads did not run, whatever the reason: they look
 *				at the processor's counter all the time. The collector
 *				needs one of the two CPUs, and the machine's other work
 *				is in it, too
 *	stop/.../quiet		the same in as long a time without a collection
 *	mark/...		bytes of live objects that are marked in a second
 *
 * The heap is opened and asked to collect by a process that is no mutator, so
 * what is read is what was put there for it. Percentiles are of all samples: of
 * NR_CYCLES collections of a large heap, or of as many as fit into ten minutes.
 *
 * With GOHEAP_BENCH_JSON=FILE each figure is also one line of JSON in FILE, or in
 * the output if that is "-". Nothing passes or fails here; the exit status is 1
 * if something could not be measured.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/goheap.h>

#define DEVICE		"/dev/goheap"
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define KIB		(1UL << 10)
#define MIB		(1UL << 20)
#define MUTATOR_BYTES	(2 * 4096UL)	/* the least that can be mapped */
#define STACK_BYTES	(64 * KIB)
#define NR_SLEEPING	1000
#define NR_SAMPLES	400
#define NR_CYCLES	200	/* of a large heap */
#define FEWEST_CYCLES	30	/* if those take longer than: */
#define PATIENCE	600e6	/* us */
#define NR_WARM		10

/* An object of a list: two references, and a payload. */
#define OBJECT_BYTES	64
#define BATCH		256

typedef __u64 u64;
typedef __u32 u32;

struct heap {
	int fd;
	u64 space;
	char *base;
	struct goheap_stack *stack;
};

static FILE *json;
static double samples[NR_SAMPLES];

#define require(c) do {							\
	if (!(c)) {							\
		fprintf(stderr, "latency.c:%d: %s: %s; not measured\n",	\
			__LINE__, #c, strerror(errno));			\
		exit(1);						\
	}								\
} while (0)

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The value that so many percent of @nr sorted ones do not exceed. */
static double percentile(const double *v, unsigned int nr, unsigned int percent)
{
	return v[(nr * percent + 99) / 100 - 1];
}

/* Print the samples by a name like stop/64MiB/setup. */
static void report(unsigned int nr, const char *unit, const char *fmt, ...)
{
	double median, p99;
	char name[80];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	require(nr);
	qsort(samples, nr, sizeof(samples[0]), by_value);
	median = percentile(samples, nr, 50);
	p99 = percentile(samples, nr, 99);
	printf("%-28s %10.2f %-8s p99 %10.2f  %10.2f .. %.2f, %u samples\n", name,
	       median, unit, p99, samples[0], samples[nr - 1], nr);
	if (json) {
		fprintf(json, "{\"name\":\"%s\",\"unit\":\"%s\",\"median\":%.3f,"
			"\"min\":%.3f,\"max\":%.3f,\"p99\":%.3f,\"samples\":%u}\n",
			name, unit, median, samples[0], samples[nr - 1], p99,
			nr);
	}
	fflush(NULL);
}

/* The heap, without a place in this process. */
static void open_heap(struct heap *h)
{
	struct goheap_info info = { .size = sizeof(info) };
	struct goheap_param p = {
		.size = sizeof(p),
		.flags = GOHEAP_PARAM_SET,
		.id = GOHEAP_PARAM_GC_PERCENT,
		.value = -1,
	};

	h->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	require(h->fd >= 0);
	require(!ioctl(h->fd, GOHEAP_IOC_PARAM, &p));
	require(!ioctl(h->fd, GOHEAP_IOC_INFO, &info));
	h->space = info.address_space;
}

static char *map_objects(struct heap *h)
{
	char *base = mmap(NULL, h->space, PROT_READ | PROT_WRITE, MAP_SHARED,
			  h->fd, GOHEAP_MMAP_OBJECTS);

	require(base != MAP_FAILED);
	return base;
}

static void map_heap(struct heap *h)
{
	h->base = map_objects(h);
	h->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			h->fd, GOHEAP_MMAP_STACK);
	require(h->stack != MAP_FAILED);
}

static void attach_thread(struct heap *h)
{
	require(mmap(NULL, MUTATOR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		     h->fd, GOHEAP_MMAP_MUTATOR) != MAP_FAILED);
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

static void last_cycle(struct heap *h, struct goheap_cycle *c)
{
	memset(c, 0, sizeof(*c));
	c->size = sizeof(*c);
	require(!ioctl(h->fd, GOHEAP_IOC_CYCLE, c));
}

/* A process that is a mutator; returns when it has said that it is ready. */
static pid_t start(struct heap *h, void (*run)(struct heap *h, int ready))
{
	int ready[2];
	pid_t pid;
	char c;

	require(!pipe(ready));
	pid = fork();
	require(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		run(h, ready[1]);
		_exit(1);
	}
	close(ready[1]);
	require(read(ready[0], &c, 1) == 1);
	close(ready[0]);
	return pid;
}

static void stop(pid_t pid)
{
	require(!kill(pid, SIGKILL));
	require(waitpid(pid, NULL, 0) == pid);
}

static void say_ready(int fd)
{
	require(write(fd, "r", 1) == 1);
}

static void compute(struct heap *h, int ready)
{
	volatile u64 x = 1;

	map_heap(h);
	attach_thread(h);
	say_ready(ready);
	for (;;)
		x = x * 0x5851f42d4c957f2dULL + 1;
}

/* Samples of what reading the threads of a process took, and of each thread. */
static void measure_handshakes(struct heap *h, u32 threads, const char *name)
{
	struct goheap_stats before, after;
	u32 i, nr = 0;

	for (i = 0; i < NR_SAMPLES + NR_WARM; i++) {
		read_stats(h, &before);
		collect(h);
		read_stats(h, &after);
		if (i < NR_WARM)
			continue;
		require(after.handshakes - before.handshakes == threads);
		samples[nr++] = (after.handshake_total_ns -
				 before.handshake_total_ns) / 1000.0;
	}
	report(nr, "us", "handshake/%s", name);
}

static void move_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	require(!sched_setaffinity(0, sizeof(set), &set));
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void spin(struct heap *h, int ready)
{
	volatile u64 x = 1;

	move_to(0);
	say_ready(ready);
	for (;;)
		x = x * 0x5851f42d4c957f2dULL + 1;
}

/* Between the CPU that is free and the one where the other process computes. */
static void bench_move(void)
{
	struct sched_param rt = { .sched_priority = 1 }, other = { 0 };
	cpu_set_t home;
	u32 i, nr = 0;
	pid_t pid;

	require(!sched_getaffinity(0, sizeof(home), &home));
	pid = start(NULL, spin);
	require(!sched_setscheduler(0, SCHED_FIFO, &rt));
	for (i = 0; i < NR_SAMPLES + NR_WARM; i++) {
		double us;

		move_to(1);
		usleep(2000);
		us = now_us();
		move_to(0);
		us = now_us() - us;
		if (i >= NR_WARM)
			samples[nr++] = us;
	}
	require(!sched_setaffinity(0, sizeof(home), &home));
	require(!sched_setscheduler(0, SCHED_OTHER, &other));
	stop(pid);
	report(nr, "us", "move");
}

static void bench_running(void)
{
	struct heap h;
	pid_t pid;

	open_heap(&h);
	pid = start(&h, compute);
	measure_handshakes(&h, 1, "running");
	stop(pid);
	close(h.fd);
}

/* What both threads have seen: the longest time without them, in steps of a counter. */
static struct watch {
	u64 longest[2];
} *watch;

static u64 counter(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
#endif
}

/* Steps of the counter in a microsecond. */
static double counter_rate(void)
{
	double us = now_us();
	u64 steps = counter();

	usleep(50000);
	steps = counter() - steps;
	return steps / (now_us() - us);
}

static void look(u64 *longest)
{
	u64 last = counter(), now;

	for (;;) {
		now = counter();
		if (now - last > __atomic_load_n(longest, __ATOMIC_RELAXED))
			__atomic_store_n(longest, now - last, __ATOMIC_RELAXED);
		last = now;
	}
}

static void look_on(struct heap *h, int ready)
{
	map_heap(h);
	attach_thread(h);
	say_ready(ready);
	look(&watch->longest[1]);
}

/* What has been seen since the last call. */
static u64 seen(void)
{
	u64 a = __atomic_exchange_n(&watch->longest[0], 0, __ATOMIC_RELAXED);
	u64 b = __atomic_exchange_n(&watch->longest[1], 0, __ATOMIC_RELAXED);

	return a > b ? a : b;
}

static void compute_here(struct heap *h, int ready)
{
	move_to(0);
	compute(h, ready);
}

/* Let the kernel threads of all heaps run on one CPU only. */
static void confine_collectors(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	cpu_set_t set;
	u32 nr = 0;

	require(proc);
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	while ((entry = readdir(proc))) {
		char path[300], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) &&
		    !strncmp(name, "goheap", 6)) {
			require(!sched_setaffinity(atoi(entry->d_name),
						   sizeof(set), &set));
			nr++;
		}
		fclose(file);
	}
	closedir(proc);
	require(nr);
}

static void bench_preempted(void)
{
	struct heap h;
	pid_t pid;

	open_heap(&h);
	pid = start(&h, compute_here);
	confine_collectors();
	measure_handshakes(&h, 1, "preempted");
	stop(pid);
	close(h.fd);
}

/* Threads that sleep, a few frames deep. */
static struct heap *sleepers_heap;
static pthread_barrier_t asleep;

static void *sleeper(void *unused)
{
	attach_thread(sleepers_heap);
	pthread_barrier_wait(&asleep);
	for (;;)
		pause();
	return unused;
}

static void sleep_together(struct heap *h, int ready)
{
	pthread_attr_t attr;
	pthread_t t;
	int i;

	map_heap(h);
	sleepers_heap = h;
	attach_thread(h);
	require(!pthread_attr_init(&attr));
	require(!pthread_attr_setstacksize(&attr, 64 * KIB));
	require(!pthread_barrier_init(&asleep, NULL, NR_SLEEPING));
	for (i = 1; i < NR_SLEEPING; i++)
		require(!pthread_create(&t, &attr, sleeper, NULL));
	pthread_barrier_wait(&asleep);
	say_ready(ready);
	for (;;)
		pause();
}

static void bench_sleeping(void)
{
	struct heap h;
	pid_t pid;

	open_heap(&h);
	pid = start(&h, sleep_together);
	sleep(1);
	measure_handshakes(&h, NR_SLEEPING, "sleeping/1000");
	stop(pid);
	close(h.fd);
}

static u64 live_bytes;

/* A list of trees: a batch of objects is a tree, and refers to the one before. */

static void fill(struct heap *h, int ready)
{
	u64 mask = 3, made, refs[BATCH];
	struct goheap_layout l = {
		.size = sizeof(l),
		.elem_size = OBJECT_BYTES,
		.nr_bits = 2,
		.mask = (uintptr_t)&mask,
	};
	struct goheap_alloc a = {
		.size = sizeof(a),
		.bytes = OBJECT_BYTES,
		.count = BATCH,
		.refs = (uintptr_t)refs,
	};
	u64 last = 0;
	int i;

	map_heap(h);
	require(!ioctl(h->fd, GOHEAP_IOC_LAYOUT, &l));
	a.layout = l.id;
	h->stack->top = 1;
	for (made = 0; made < live_bytes; made += BATCH * OBJECT_BYTES) {
		require(!ioctl(h->fd, GOHEAP_IOC_ALLOC, &a) && a.done == BATCH);
		for (i = 0; i < BATCH; i++) {
			u64 *p = (u64 *)(h->base +
					 (refs[i] & GOHEAP_REF_OFFSET_MASK));

			/* A binary tree of the batch; its first leaf goes on. */
			p[0] = 2 * i + 1 < BATCH ? refs[2 * i + 1] : 0;
			p[1] = 2 * i + 2 < BATCH ? refs[2 * i + 2] : 0;
			if (i == BATCH - 1)
				p[0] = last;
		}
		last = refs[0];
		h->stack->slots[0] = last;
	}
	/* All that has been touched need not be in the way of what is measured. */
	munmap(h->base, h->space);
	h->base = map_objects(h);
	attach_thread(h);
	say_ready(ready);
	look(&watch->longest[0]);
}

/* What a collection is measured by. */
static const struct {
	const char *name;
	const char *unit;
} series[] = {
	{ "stop/%lluMiB/setup", "us" },
	{ "stop/%lluMiB/term", "us" },
	{ "stop/%lluMiB/longest", "us" },
	{ "stop/%lluMiB/seen", "us" },
	{ "mark/%lluMiB", "MiB/s" },
};

static void measure_stops(struct heap *h, u64 mib)
{
	static double taken[ARRAY_SIZE(series)][NR_SAMPLES];
	u32 cycles = mib > 16 ? NR_CYCLES : NR_SAMPLES, i;
	double rate = counter_rate(), begun = now_us();
	struct goheap_cycle c;

	for (i = 0; i < cycles + 2; i++) {
		double *sample;

		if (i >= FEWEST_CYCLES + 2 && now_us() - begun > PATIENCE) {
			cycles = i - 2;
			break;
		}
		seen();
		collect(h);
		if (i < 2)
			continue;
		sample = &taken[0][i - 2];
		last_cycle(h, &c);
		require(c.heap_marked >= mib * MIB);
		sample[0 * NR_SAMPLES] = c.setup_ns / 1000.0;
		sample[1 * NR_SAMPLES] = c.term_ns / 1000.0;
		sample[2 * NR_SAMPLES] = (c.setup_ns > c.term_ns ?
					  c.setup_ns : c.term_ns) / 1000.0;
		sample[3 * NR_SAMPLES] = seen() / rate;
		sample[4 * NR_SAMPLES] = (double)c.heap_marked / c.mark_ns * 1e9 / MIB;
	}
	for (i = 0; i < ARRAY_SIZE(series); i++) {
		memcpy(samples, taken[i], sizeof(samples));
		report(cycles, series[i].unit, series[i].name, mib);
	}
	for (i = 0; i < FEWEST_CYCLES; i++) {
		seen();
		usleep(c.mark_ns / 1000);
		samples[i] = seen() / rate;
	}
	report(i, "us", "stop/%lluMiB/quiet", mib);
}

static void bench_stops(void)
{
	static const u64 mib[] = { 1, 64, 1024 };
	struct heap h;
	u32 i;

	watch = mmap(NULL, sizeof(*watch), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	require(watch != MAP_FAILED);
	for (i = 0; i < ARRAY_SIZE(mib); i++) {
		pid_t filler, other;

		open_heap(&h);
		live_bytes = mib[i] * MIB;
		filler = start(&h, fill);
		other = start(&h, look_on);
		measure_stops(&h, mib[i]);
		stop(filler);
		stop(other);
		close(h.fd);
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {
	{ "move", bench_move },
	{ "running", bench_running },
	{ "preempted", bench_preempted },
	{ "sleeping", bench_sleeping },
	{ "stops", bench_stops },
};

static bool wanted(int argc, char **argv, const char *name)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	const char *path = getenv("GOHEAP_BENCH_JSON");
	u32 i;

	if (path) {
		json = strcmp(path, "-") ? fopen(path, "a") : stdout;
		require(json);
	}
	for (i = 0; i < ARRAY_SIZE(parts); i++)
		if (wanted(argc, argv, parts[i].name))
			parts[i].run();
	return 0;
}
