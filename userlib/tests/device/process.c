// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Threads, processes, signals.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"

#define THREADS 4

static struct goheap *heap;
static int layout;
static bool stop;
static int collections;

static int collected(void)
{
	return __atomic_load_n(&collections, __ATOMIC_RELAXED);
}

/* Lists of all lengths, with a longer one that lives. */
static void *churn(void *unused)
{
	goheap_frame frame = goheap_frame_begin(heap);
	goheap_ref kept = make_list(heap, layout, 5000);
	bool good = kept;

	(void)unused;
	/* The collector may have its turn late. */
	for (int i = 0; good && (i < 60 || (i < 60000 && collected() < 2));
	     i++) {
		uint64_t length = 50 * (uint64_t)(i % 60);
		goheap_frame inner = goheap_frame_begin(heap);
		goheap_ref list = make_list(heap, layout, length);

		good = check_list(heap, list, length) &&
		       check_list(heap, kept, 5000);
		goheap_frame_end(heap, inner);
	}
	goheap_frame_end(heap, frame);
	return good ? heap : NULL;
}

static void *collect(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		if (goheap_gc(heap))
			return NULL;
		__atomic_fetch_add(&collections, 1, __ATOMIC_RELAXED);
	}
	return heap;
}

void test_threads(struct goheap *h)
{
	pthread_t threads[THREADS], collector;
	struct goheap_stats stats;
	void *result;

	heap = h;
	layout = node_layout(h);
	stop = false;
	collections = 0;
	EXPECT(!pthread_create(&collector, NULL, collect, NULL));
	for (int i = 0; i < THREADS; i++)
		EXPECT(!pthread_create(&threads[i], NULL, churn, NULL));
	for (int i = 0; i < THREADS; i++)
		EXPECT(!pthread_join(threads[i], &result) && result);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	EXPECT(!pthread_join(collector, &result) && result);
	EXPECT(!goheap_stats(h, &stats) && !stats.invalid_refs);
	EXPECT(stats.num_forced_gc > 1);
}

static void *keep_big(void *ref)
{
	*(goheap_ref *)ref = goheap_new(heap, GOHEAP_LAYOUT_NOSCAN, BIG);
	return *(goheap_ref *)ref && !goheap_gc(heap) &&
			       is_object(heap, *(goheap_ref *)ref)
		       ? heap
		       : NULL;
}

void test_thread_exit(struct goheap *h)
{
	struct goheap_stats stats;
	pthread_t thread;
	goheap_ref ref;
	void *result;

	heap = h;
	for (int i = 0; i < 50; i++) {
		EXPECT(!pthread_create(&thread, NULL, keep_big, &ref));
		EXPECT(!pthread_join(thread, &result) && result);
		EXPECT(!goheap_gc(h) && !is_object(h, ref));
	}
	EXPECT(!goheap_stats(h, &stats) && !stats.root_count);
}

static pthread_barrier_t barrier;

/* Uses a heap, and another one after the first was closed under it. */
static void *outlive(void *unused)
{
	goheap_ref ref = goheap_new(heap, 0, 16);

	(void)unused;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return ref && goheap_new(heap, 0, 16) ? &barrier : NULL;
}

void test_close_before_thread(struct goheap *h)
{
	struct goheap *first = goheap_open(GOHEAP_OPEN_PRECISE);
	pthread_t thread;
	void *result;

	EXPECT(first);
	if (!first)
		return;
	heap = first;
	pthread_barrier_init(&barrier, NULL, 2);
	EXPECT(!pthread_create(&thread, NULL, outlive, NULL));
	pthread_barrier_wait(&barrier);
	goheap_close(first);
	heap = h;
	pthread_barrier_wait(&barrier);
	EXPECT(!pthread_join(thread, &result) && result);
	pthread_barrier_destroy(&barrier);
}

/* A child that does some work, and ends well if that was good. */
pid_t start_child(bool (*work)(struct goheap *h, void *arg), struct goheap *h,
		  void *arg)
{
	pid_t pid = fork();

	if (!pid)
		_exit(work(h, arg) ? 0 : 1);
	return pid;
}

bool ends_well(pid_t pid)
{
	int status = -1;

	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

/* Run a child and see that it ends well. */
static bool child_does(bool (*work)(struct goheap *h, goheap_ref ref),
		       struct goheap *h, goheap_ref ref)
{
	pid_t pid = fork();

	if (!pid)
		_exit(work(h, ref) ? 0 : 1);
	return ends_well(pid);
}

static bool use_list(struct goheap *h, goheap_ref ref)
{
	struct node *node = goheap_ptr(h, ref);
	goheap_frame frame = goheap_frame_begin(h);
	bool good = !frame && check_list(h, ref, 3000);
	goheap_ref list = make_list(h, layout, 3000);

	good = good && check_list(h, list, 3000) && !goheap_gc(h);
	good = good && check_list(h, ref, 3000) && check_list(h, list, 3000);
	good = good && node_layout(h) == layout;
	/* What is stored in a kept object outlives the process. */
	if (good)
		goheap_store(h, &node->next, make_list(h, layout, 2999));
	goheap_frame_end(h, frame);
	return good;
}

static bool use_list_twice(struct goheap *h, goheap_ref ref)
{
	bool good = use_list(h, ref) && child_does(use_list, h, ref);

	goheap_close(h);
	return good;
}

void test_fork(struct goheap *h)
{
	goheap_frame frame = goheap_frame_begin(h);
	goheap_ref list;

	layout = node_layout(h);
	list = make_list(h, layout, 3000);
	EXPECT(child_does(use_list, h, list));
	EXPECT(!goheap_gc(h) && check_list(h, list, 3000));
	EXPECT(child_does(use_list_twice, h, list));
	EXPECT(!goheap_gc(h) && check_list(h, list, 3000));
	EXPECT(!goheap_attach(h));
	goheap_frame_end(h, frame);
}

/* A child that no fork handler knows of; -1 for none. */
pid_t clone_child(unsigned long flags)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

/* What a child does that has the heap only once it has attached itself. */
static bool use_attached(struct goheap *h, goheap_ref ref)
{
	return !goheap_attach(h) && use_list(h, ref);
}

void test_attach(struct goheap *h)
{
	goheap_frame frame = goheap_frame_begin(h);
	goheap_ref list;
	pid_t pid;

	layout = node_layout(h);
	list = make_list(h, layout, 3000);
	pid = clone_child(0);
	if (!pid)
		_exit(!use_attached(h, list));
	EXPECT(ends_well(pid));
	EXPECT(!goheap_gc(h) && check_list(h, list, 3000));
	goheap_frame_end(h, frame);
}

/* The same with the parent's number, in a namespace of its own. */
static bool attach_as_first(void)
{
	struct goheap *h = goheap_open(GOHEAP_OPEN_PRECISE);
	goheap_ref list;
	pid_t pid;

	if (getpid() != 1 || !h)
		return false;
	layout = node_layout(h);
	list = make_list(h, layout, 3000);
	pid = clone_child(CLONE_NEWPID);
	if (!pid)
		_exit(getpid() != 1 || !use_attached(h, list));
	return ends_well(pid) && check_list(h, list, 3000);
}

void test_attach_same_number(struct goheap *h)
{
	pid_t pid = clone_child(CLONE_NEWPID);

	(void)h;
	if (!pid)
		_exit(!attach_as_first());
	EXPECT(ends_well(pid));
}

static bool use_passed(struct goheap *h, goheap_ref ref)
{
	int fd = dup(goheap_fd(h));
	struct goheap *again;
	bool good;

	goheap_close(h);
	again = goheap_from_fd(fd, GOHEAP_OPEN_PRECISE);
	good = again && use_list(again, ref);
	goheap_close(again);
	return good;
}

void test_passed(struct goheap *h)
{
	goheap_frame frame = goheap_frame_begin(h);
	int pipes[2];
	goheap_ref list;

	layout = node_layout(h);
	list = make_list(h, layout, 3000);
	EXPECT(child_does(use_passed, h, list));
	EXPECT(!goheap_gc(h) && check_list(h, list, 3000));
	EXPECT(!pipe(pipes) && !goheap_from_fd(pipes[0], 0) && errno);
	close(pipes[0]);
	close(pipes[1]);
	goheap_frame_end(h, frame);
}

/* Allocates and collects until it is killed. */
static void rage(struct goheap *h)
{
	for (;;) {
		goheap_ref *var = goheap_var(h, make_list(h, layout, 20000));
		uint32_t id;

		if (!var || goheap_root_add(h, *var, &id) || goheap_gc(h))
			_exit(1);
	}
}

void test_killed(struct goheap *h)
{
	goheap_frame frame = goheap_frame_begin(h);
	struct goheap_stats stats;
	goheap_ref list;
	int status;
	pid_t pid;

	layout = node_layout(h);
	list = make_list(h, layout, 5000);
	for (int i = 0; i < 10; i++) {
		pid = fork();
		if (!pid)
			rage(h);
		for (int k = 0; k < 10 + i; k++) {
			goheap_frame inner = goheap_frame_begin(h);
			goheap_ref other = make_list(h, layout, 5000);

			EXPECT(check_list(h, other, 5000));
			EXPECT(check_list(h, list, 5000));
			goheap_frame_end(h, inner);
		}
		EXPECT(pid > 0 && !kill(pid, SIGKILL));
		EXPECT(waitpid(pid, &status, 0) == pid);
		EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	EXPECT(!goheap_gc(h) && !goheap_stats(h, &stats));
	EXPECT(stats.heap_marked < 200000 && stats.root_count < 1000);
	EXPECT(check_list(h, list, 5000));
	goheap_frame_end(h, frame);
}

static volatile sig_atomic_t ticks;

static void tick(int unused)
{
	(void)unused;
	ticks++;
}

void test_signals(struct goheap *h)
{
	struct itimerval timer = { { 0, 500 }, { 0, 500 } };
	struct itimerval none = { 0 };

	layout = node_layout(h);
	ticks = 0;
	signal(SIGALRM, tick);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int i = 0; i < 40; i++) {
		goheap_frame frame = goheap_frame_begin(h);
		goheap_ref list = make_list(h, layout, 20000);

		EXPECT(check_list(h, list, 20000));
		EXPECT(!goheap_gc(h) || errno == EINTR);
		goheap_frame_end(h, frame);
	}
	setitimer(ITIMER_REAL, &none, NULL);
	signal(SIGALRM, SIG_DFL);
	EXPECT(ticks > 10);
}

/* What a traced heap writes to stderr. */
static void read_trace(char *text, size_t size)
{
	int saved = dup(STDERR_FILENO);
	struct goheap *traced;
	ssize_t length;
	int pipes[2];

	*text = 0;
	if (pipe(pipes))
		return;
	dup2(pipes[1], STDERR_FILENO);
	close(pipes[1]);
	setenv("GODEBUG", "gctrace=1", 1);
	setenv("GOGC", "off", 1);
	traced = goheap_open(GOHEAP_OPEN_PRECISE);
	unsetenv("GODEBUG");
	unsetenv("GOGC");
	for (int i = 0; traced && i < 3; i++)
		goheap_gc(traced);
	goheap_close(traced);
	dup2(saved, STDERR_FILENO);
	close(saved);
	length = read(pipes[0], text, size - 1);
	text[length > 0 ? length : 0] = 0;
	close(pipes[0]);
}

void test_trace(struct goheap *h)
{
	char text[2000];
	char *line = text;

	(void)h;
	read_trace(text, sizeof(text));
	for (unsigned int i = 1; i <= 3; i++) {
		unsigned int cycle, s, ms, percent;
		char *end = strchr(line, '\n');

		EXPECT(end);
		if (!end)
			return;
		*end = 0;
		EXPECT(sscanf(line, "gc %u @%u.%us %u%%: ", &cycle, &s, &ms,
			      &percent) == 4 &&
		       cycle == i);
		EXPECT(strstr(line, " ms clock, ") && strstr(line, " MB goal"));
		EXPECT(end - line > 9 && !strcmp(end - 9, " (forced)"));
		line = end + 1;
	}
	EXPECT(!*line);
}

/* What the kernel says of a parameter; -1000 if it does not. */
static int64_t param(struct goheap *h, unsigned int id)
{
	struct goheap_param arg = { .size = sizeof(arg), .id = id };

	return ioctl(goheap_fd(h), GOHEAP_IOC_PARAM, &arg) ? -1000 : arg.old;
}

void test_debug_parameters(struct goheap *h)
{
	struct goheap *other;

	(void)h;
	setenv("GODEBUG",
	       "gccheckmark=1,gcstoptheworld=7,gcstress=100,gcverify=1,"
	       "clobberfree=1,gcperiod=5000,unknown=1,madvdontneed=0",
	       1);
	other = goheap_open(0);
	EXPECT(other);
	if (!other)
		return;
	EXPECT(param(other, GOHEAP_PARAM_GCCHECKMARK) == 1);
	EXPECT(param(other, GOHEAP_PARAM_GCSTOPTHEWORLD) == 2);
	EXPECT(param(other, GOHEAP_PARAM_GCSTRESS) == 100);
	EXPECT(param(other, GOHEAP_PARAM_GCVERIFY) == 1);
	EXPECT(param(other, GOHEAP_PARAM_CLOBBERFREE) == 1);
	EXPECT(param(other, GOHEAP_PARAM_GCPERIOD) == 5000);
	EXPECT(param(other, GOHEAP_PARAM_MADVDONTNEED) == 0);
	EXPECT(param(other, GOHEAP_PARAM_GCPACERTRACE) == 0);
	EXPECT(!goheap_gc(other));
	goheap_close(other);
	/* The environment is not for a heap that wants nothing of it. */
	other = goheap_open(GOHEAP_OPEN_NOENV);
	EXPECT(other && param(other, GOHEAP_PARAM_GCCHECKMARK) == 0);
	goheap_close(other);
	unsetenv("GODEBUG");
}

/* What cannot be changes nothing, and the heap can be used. */
void test_bad_environment(struct goheap *h)
{
	static const struct {
		const char *name;
		const char *value;
	} bad[] = {
		{ "GOGC", "many" },
		{ "GOGC", "1e3" },
		{ "GOGC", "99999999999999999999" },
		{ "GOGC", "2147483647" },
		{ "GOMEMLIMIT", "-1" },
		{ "GOMEMLIMIT", "1GB" },
		{ "GOMEMLIMIT", "9223372036854775808" },
		{ "GODEBUG", "gcstress=-1,gccheckmark=on,gcverify=,gctrace=x" },
		{ "GODEBUG", "gcperiod=99999999999999999999" },
		{ "GODEBUG", "gogc=1,gomemlimit=1,maxheap" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct goheap *other;

		setenv(bad[i].name, bad[i].value, 1);
		other = goheap_open(0);
		unsetenv(bad[i].name);
		EXPECT(other);
		if (!other)
			continue;
		for (unsigned int id = 0; id <= GOHEAP_PARAM_GCPERIOD; id++)
			EXPECT(param(other, id) == param(h, id));
		EXPECT(goheap_new(other, 0, 16) && !goheap_gc(other));
		goheap_close(other);
	}
}
