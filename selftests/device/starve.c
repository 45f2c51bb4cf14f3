// SPDX-License-Identifier: GPL-2.0
/*
 * A collector that does not get the CPU.
 *
 * Real-time tasks that never sleep run on all CPUs, and the kernel's throttle
 * leaves a slice of each to all others; or the collector may run on one CPU only
 * and a real-time task has that altogether. Either way nothing is lost, the heap
 * stays within its bounds, whoever has to wait for the collector can be killed
 * meanwhile, and all goes on when the task has ended.
 *
 * A task that spins ends by itself, whatever happens to the test.
 */
#include <sys/prctl.h>

#include "kthread.h"
#include "movers.h"

#define RUNTIME		"/proc/sys/kernel/sched_rt_runtime_us"
#define PERIOD		"/proc/sys/kernel/sched_rt_period_us"
#define MAX_SECONDS	30	/* of a task that spins */
#define TOO_LATE	2	/* how they say that they have done so */
#define CPU		1	/* the one that a test takes from the collector */
#define OTHER_CPU	0

static long read_number(const char *path)
{
	long value = 0;
	FILE *f;

	f = fopen(path, "re");
	if (!f || fscanf(f, "%ld", &value) != 1)
		value = 0;
	if (f)
		fclose(f);
	return value;
}

static bool write_number(const char *path, long value)
{
	FILE *f = fopen(path, "we");
	bool done;

	if (!f)
		return false;
	done = fprintf(f, "%ld\n", value) > 0;
	return !fclose(f) && done;
}

/* The process that runs the tests outlives a test that does not end well. */
static long runtime, period;

static void restore(void)
{
	if (!runtime || !period)
		return;
	/* Never is one of them longer than the other. */
	write_number(RUNTIME, -1);
	write_number(PERIOD, period);
	write_number(RUNTIME, runtime);
}

static void __attribute__((constructor)) remember(void)
{
	runtime = read_number(RUNTIME);
	period = read_number(PERIOD);
}

static void __attribute__((destructor)) restore_at_end(void)
{
	restore();
}

/* Of each period real-time tasks have @us of 100 ms, or all if it is -1. */
static bool throttle(long us)
{
	return write_number(RUNTIME, -1) && write_number(PERIOD, 100000) &&
	       write_number(RUNTIME, us);
}

static int run_on(pid_t pid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(pid, sizeof(set), &set) ? -errno : 0;
}

static int make_real_time(void)
{
	struct sched_param param = { .sched_priority = 10 };

	return sched_setscheduler(0, SCHED_FIFO, &param) ? -errno : 0;
}

FIXTURE(starve) {
	struct heap heap;
	int fd;
	const char *missing;
	int cpus;
	pid_t hogs[64];
	int *end;		/* shared with the hogs */
	unsigned long *turns;	/* of each */
};

FIXTURE_SETUP(starve)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(make_real_time() ? 1 : 0);
	if (wait_for(pid))
		self->missing = "no real-time tasks";
	else if (!runtime || !period || !throttle(80000))
		self->missing = "no throttle of real-time tasks";
	self->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	ASSERT_GE((int)ARRAY_SIZE(self->hogs), self->cpus);
	self->end = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->end);
	self->turns = (unsigned long *)self->end + 1;
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
}

static void release(FIXTURE_DATA(starve) *self)
{
	__atomic_store_n(self->end, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < self->cpus; i++) {
		if (self->hogs[i] > 0)
			wait_for(self->hogs[i]);
		self->hogs[i] = 0;
	}
}

FIXTURE_TEARDOWN(starve)
{
	release(self);
	restore();
	munmap(self->end, PAGE);
	heap_close(&self->heap);
}

/* Until somebody says so; if it takes too long, all tasks end. */
static void spin(int *end, unsigned long *turns)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (!__atomic_load_n(end, __ATOMIC_ACQUIRE)) {
		__atomic_fetch_add(turns, 1, __ATOMIC_RELAXED);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec >= MAX_SECONDS)
			__atomic_store_n(end, TOO_LATE, __ATOMIC_RELEASE);
	}
}

/* A real-time task on a CPU from now on. */
static bool occupy(FIXTURE_DATA(starve) *self, int cpu)
{
	unsigned long *turns = &self->turns[cpu];
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		heap_detach(&self->heap);
		CHILD_CHECK(!run_on(0, cpu) && !make_real_time());
		spin(self->end, turns);
		_exit(0);
	}
	self->hogs[cpu] = pid;
	while (pid > 0 && !__atomic_load_n(turns, __ATOMIC_RELAXED))
		usleep(1000);
	return pid > 0;
}

/* Wait until so many cycles more have ended. */
static void wait_for_cycles(struct heap *h, __u64 more)
{
	__u64 start = heap_cycles(h);

	while (heap_cycles(h) - start < more)
		usleep(1000);
}

/* Wait until all real-time tasks have run since. */
static void wait_for_turns(FIXTURE_DATA(starve) *self)
{
	for (int i = 0; i < self->cpus; i++) {
		unsigned long start = __atomic_load_n(&self->turns[i],
						      __ATOMIC_RELAXED);

		while (__atomic_load_n(&self->turns[i], __ATOMIC_RELAXED) ==
		       start && !__atomic_load_n(self->end, __ATOMIC_ACQUIRE))
			usleep(1000);
	}
}

/*
 * On all CPUs, with a fifth of the time for all others: cycles begin and end,
 * programs go on, a forced collection comes back.
 */
TEST_F(starve, throttled)
{
	enum { LIMIT = 64 };
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	struct movers all;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MAX_HEAP,
				  LIMIT * MIB));
	ASSERT_EQ(0, movers_start(&all, h, MIB));
	movers_wait(&all, 100);
	for (int i = 0; i < self->cpus; i++) {
		ASSERT_TRUE(occupy(self, i));
	}
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT, 20));
	for (int i = 0; i < 3; i++) {
		wait_for_turns(self);
		wait_for_cycles(h, 1);
		movers_wait(&all, 100);
		EXPECT_EQ(0, gh_collect(self->fd));
	}
	EXPECT_EQ(0, *self->end);
	release(self);
	EXPECT_EQ(0, gh_collect(self->fd));
	movers_wait(&all, 100);
	EXPECT_EQ(0, movers_stop(&all));
	EXPECT_LT(0, all.s.moved);
	EXPECT_EQ(0, movers_surplus(&all));
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.invalid_refs);
	EXPECT_EQ(0, stats.evictions);
	EXPECT_GE(LIMIT * MIB, stats.heap_sys - stats.heap_released);
}

/* At the ceiling with all alive: no memory, and it is said so. */
TEST_F(starve, ceiling)
{
	struct heap *h = &self->heap;
	goheap_ref ref = NO_REF;
	__u64 i, filled;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MAX_HEAP, 4 * MIB));
	for (int cpu = 0; cpu < self->cpus; cpu++) {
		ASSERT_TRUE(occupy(self, cpu));
	}
	for (filled = 0; filled < 1000; filled++) {
		if (!heap_push(h, 8 * KIB, 0))
			break;
		memset(heap_ptr(h, h->stack->slots[filled]), filled % 251 + 1,
		       8 * KIB);
	}
	EXPECT_LE(400, filled);
	EXPECT_GE(512, filled);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-ENOMEM, gh_alloc(self->fd, 64 * KIB, 0, 1, &ref,
					    NULL));
	}
	EXPECT_EQ(NO_REF, ref);
	/* Garbage is found all the same. */
	h->stack->top = filled / 2;
	EXPECT_EQ(0, gh_alloc(self->fd, 64 * KIB, 0, 1, &ref, NULL));
	for (i = 0; i < filled / 2; i++) {
		ASSERT_TRUE(all_bytes(heap_ptr(h, h->stack->slots[i]),
				      i % 251 + 1, 8 * KIB));
	}
}

/* Allocate garbage for ever, and count. */
static pid_t start_hungry(FIXTURE_DATA(starve) *self, unsigned long *count)
{
	pid_t pid = fork();

	if (!pid) {
		struct heap *h = &self->heap;
		struct mutator m;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		heap_detach(h);
		CHILD_CHECK(!heap_attach(h));
		CHILD_CHECK(!run_on(0, OTHER_CPU));
		CHILD_CHECK(!mutator_attach(&m, h->fd, true));
		for (;;)
			if (mutator_new(&m, h->fd, 0, 1024, 0))
				__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
	}
	return pid;
}

/* What a counter is when it stands still for a while, or ~0 if it never does. */
static unsigned long settled(const unsigned long *counter)
{
	unsigned long is, was = ~0UL;

	for (int i = 0; i < 50; i++) {
		is = __atomic_load_n(counter, __ATOMIC_RELAXED);
		if (is == was)
			return is;
		was = is;
		usleep(200000);
	}
	return ~0UL;
}

static void *collect(void *arg)
{
	struct heap *h = arg;

	return (void *)(long)gh_collect(h->fd);
}

/* Can a real-time task have a CPU to itself? Newer kernels leave a slice. */
static bool altogether(FIXTURE_DATA(starve) *self)
{
	unsigned long *count = (unsigned long *)self->end + 101;
	unsigned long before;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CHILD_CHECK(!run_on(0, CPU));
		for (;;)
			__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
	}
	usleep(10000);
	before = __atomic_load_n(count, __ATOMIC_RELAXED);
	usleep(1500000);
	/* It can only end where it gets the CPU. */
	run_on(pid, OTHER_CPU);
	kill(pid, SIGKILL);
	wait_for(pid);
	return __atomic_load_n(count, __ATOMIC_RELAXED) == before;
}

/* The collector has nothing at all. */
TEST_F(starve, altogether)
{
	struct heap *h = &self->heap;
	unsigned long *count = (unsigned long *)self->end + 100;
	struct goheap_stats stats;
	pthread_t forced;
	goheap_ref live;
	pid_t gc, pid;
	void *err;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	if (self->cpus < 2)
		SKIP(return, "only one CPU");
	gc = collector_of(h);
	ASSERT_NE(0, gc);
	ASSERT_EQ(0, run_on(gc, CPU));
	ASSERT_EQ(0, run_on(0, OTHER_CPU));
	live = heap_push(h, MIB, 0);
	ASSERT_NE(0, live);
	memset(heap_ptr(h, live), 0x77, MIB);
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT, 100));
	ASSERT_TRUE(throttle(-1));
	ASSERT_TRUE(occupy(self, CPU));
	if (!altogether(self))
		SKIP(return, "real-time tasks leave a slice to others");
	pid = start_hungry(self, count);
	ASSERT_LT(0, pid);
	/* A little beyond the goal it has to wait. */
	EXPECT_GE(8 * KIB, settled(count));
	EXPECT_LT(0, *count);
	ASSERT_EQ(0, pthread_create(&forced, NULL, collect, h));
	/* What waits can be killed. */
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(-SIGKILL, wait_for(pid));
	/* The collector has not come by meanwhile. */
	EXPECT_EQ(0, heap_cycles(h));
	EXPECT_EQ(0, *self->end);
	/* Who does not wait for it has no disadvantage. */
	EXPECT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_TRUE(heap_has(h, live));
	release(self);
	pthread_join(forced, &err);
	EXPECT_EQ(NULL, err);
	EXPECT_LT(0, heap_cycles(h));
	EXPECT_TRUE(all_bytes(heap_ptr(h, live), 0x77, MIB));
	EXPECT_EQ(1, heap_live(h));
}

/* Who needs memory that only the collector can find fails in the end. */
TEST_F(starve, fails_in_time)
{
	struct heap heap, *h = &heap;
	__u64 since, ns;
	goheap_ref ref;
	pid_t gc;
	int err;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	if (self->cpus < 2)
		SKIP(return, "only one CPU");
	ASSERT_EQ(0, heap_open(h, GIB, 2 * MIB));
	gc = collector_of(h);
	ASSERT_NE(0, gc);
	ASSERT_EQ(0, run_on(gc, CPU));
	ASSERT_EQ(0, run_on(0, OTHER_CPU));
	ASSERT_TRUE(throttle(-1));
	ASSERT_TRUE(occupy(self, CPU));
	if (!altogether(self)) {
		heap_close(h);
		SKIP(return, "real-time tasks leave a slice to others");
	}
	do {
		since = now_ns();
		err = gh_alloc(h->fd, 256 * KIB, 0, 1, &ref, NULL);
		ns = now_ns() - since;
	} while (!err);
	EXPECT_EQ(-ENOMEM, err);
	EXPECT_EQ(0, heap_cycles(h));
	EXPECT_LE(10, ns / 1000000000);
	EXPECT_GE(25, ns / 1000000000);
	EXPECT_EQ(0, *self->end);
	release(self);
	EXPECT_EQ(0, gh_alloc(h->fd, 256 * KIB, 0, 1, &ref, NULL));
	heap_close(h);
}

/*
 * A mutator that is a real-time task itself, never makes a call and leaves the
 * collector's CPU to nobody: it is read where it runs.
 */
TEST_F(starve, mutator)
{
	struct heap *h = &self->heap;
	__u64 *hid = (__u64 *)self->end + 100;
	pid_t pid;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		volatile goheap_ref local = 0;
		struct mutator m;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		heap_detach(h);
		CHILD_CHECK(!heap_attach(h));
		CHILD_CHECK(!mutator_attach(&m, h->fd, false));
		CHILD_CHECK(!gh_alloc(h->fd, 64, 0, 1, (goheap_ref *)&local,
				      NULL));
		CHILD_CHECK(!make_real_time());
		__atomic_store_n(hid, hidden(local), __ATOMIC_RELEASE);
		spin(self->end, self->turns);
		(void)local;
		_exit(0);
	}
	while (!__atomic_load_n(hid, __ATOMIC_ACQUIRE))
		usleep(1000);
	for (int i = 0; i < 5; i++) {
		EXPECT_EQ(0, gh_collect(self->fd));
		EXPECT_TRUE(heap_has(h, ~*hid));
	}
	__atomic_store_n(self->end, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_EQ(0, gh_collect(self->fd));
	EXPECT_FALSE(heap_has(h, ~*hid));
}

TEST_HARNESS_MAIN
