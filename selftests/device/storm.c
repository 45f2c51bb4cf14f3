// SPDX-License-Identifier: GPL-2.0
/*
 * Threads in all states that there are, while the heap is collected again and
 * again: stopped, traced, in vfork(), executing other programs, ending together,
 * sharing memory without being threads, coming and going, in great number. None of
 * them is to notice.
 */
#include <sys/ptrace.h>
#include <sys/resource.h>

#include "holder.h"

FIXTURE(storm) {
	struct heap heap;
	int fd;
	__u32 node;
	unsigned long *progress;	/* shared with the children */
};

FIXTURE_SETUP(storm)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
	self->node = gh_layout_words(self->fd, 2, 1);
	self->progress = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->progress);
}

FIXTURE_TEARDOWN(storm)
{
	munmap(self->progress, PAGE);
	heap_close(&self->heap);
}

/* Allocate for ever: a list in a local variable, checked as it is dropped. */
struct maker {
	struct heap *h;
	__u32 node;
	unsigned long *progress;
	int *done;
};

static void *make(void *arg)
{
	struct maker *k = arg;
	struct mutator m;

	if (mutator_attach(&m, k->h->fd, false))
		return arg;
	while (!k->done || !__atomic_load_n(k->done, __ATOMIC_ACQUIRE)) {
		volatile goheap_ref head = 0;
		goheap_ref ref;
		int i;

		for (i = 0; i < 200; i++) {
			ref = mutator_new(&m, k->h->fd, 0, 16, k->node);
			if (!ref)
				return arg;
			mutator_store(&m, k->h, heap_word(k->h, ref, 0), head);
			*heap_word(k->h, ref, 1) = i;
			head = ref;
		}
		for (ref = head; ref; ref = *heap_word(k->h, ref, 0))
			if (*heap_word(k->h, ref, 1) != (__u64)--i)
				return arg;
		if (i)
			return arg;
		__atomic_fetch_add(k->progress, 1, __ATOMIC_RELAXED);
	}
	mutator_detach(&m);
	return NULL;
}

/* A child with threads that allocate; it ends with 1 if one finds a mistake. */
static void *make_or_die(void *arg)
{
	if (make(arg))
		_exit(1);
	return NULL;
}

static pid_t start_makers(struct heap *h, __u32 node, unsigned long *progress,
			  int threads, unsigned long exit_at)
{
	pid_t pid = fork();

	if (!pid) {
		struct maker k = { h, node, progress, NULL };
		pthread_t t;

		heap_detach(h);
		CHILD_CHECK(!heap_attach(h));
		for (int i = 1; i < threads; i++)
			CHILD_CHECK(!pthread_create(&t, NULL, make_or_die,
						    &k));
		if (exit_at) {
			while (__atomic_load_n(progress, __ATOMIC_RELAXED) <
			       exit_at)
				usleep(100);
			_exit(17);
		}
		make_or_die(&k);
	}
	return pid;
}

static void wait_progress(unsigned long *progress, unsigned long n)
{
	unsigned long start = __atomic_load_n(progress, __ATOMIC_RELAXED);

	for (int i = 0; i < 20000; i++) {
		if (__atomic_load_n(progress, __ATOMIC_RELAXED) >= start + n)
			break;
		usleep(1000);
	}
}

TEST_F(storm, stopped)
{
	struct heap *h = &self->heap;
	pid_t pid;

	pid = start_makers(h, self->node, self->progress, 3, 0);
	ASSERT_LE(0, pid);
	wait_progress(self->progress, 10);
	for (int i = 0; i < 15 * test_length(); i++) {
		kill(pid, SIGSTOP);
		ASSERT_EQ(0, gh_collect(self->fd));
		ASSERT_EQ(0, gh_collect(self->fd));
		kill(pid, SIGCONT);
		wait_progress(self->progress, 5);
		ASSERT_EQ(0, gh_collect(self->fd));
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_for(pid));
	EXPECT_LT(15, *self->progress);
	EXPECT_EQ(0, heap_left(h));
}

TEST_F(storm, traced)
{
	struct heap *h = &self->heap;
	int status;
	pid_t pid;

	pid = start_makers(h, self->node, self->progress, 1, 0);
	ASSERT_LE(0, pid);
	wait_progress(self->progress, 10);
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid, 0, 0));
	for (int i = 0; i < 15 * test_length(); i++) {
		ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, pid, 0, 0));
		ASSERT_EQ(pid, waitpid(pid, &status, __WALL));
		ASSERT_TRUE(WIFSTOPPED(status))
			TH_LOG("status %#x", status);
		ASSERT_EQ(0, gh_collect(self->fd));
		/* By single instructions through whatever it is in. */
		for (int k = 0; k < 20; k++) {
			if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0))
				break;
			waitpid(pid, &status, __WALL);
			if (k % 5 == 0) {
				ASSERT_EQ(0, gh_collect(self->fd));
			}
		}
		ASSERT_EQ(0, ptrace(PTRACE_CONT, pid, 0, 0));
		wait_progress(self->progress, 3);
	}
	kill(pid, SIGKILL);
	do {
		status = 0;
		ASSERT_EQ(pid, waitpid(pid, &status, __WALL));
	} while (!WIFSIGNALED(status) && !WIFEXITED(status));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, heap_left(h));
}

TEST_F(storm, exit_group)
{
	struct heap *h = &self->heap;

	for (int round = 0; round < 8 * test_length(); round++) {
		pid_t pid;

		*self->progress = 0;
		pid = start_makers(h, self->node, self->progress, 9,
				   20 + round);
		ASSERT_LE(0, pid);
		for (int i = 0; i < 10; i++)
			ASSERT_EQ(0, gh_collect(self->fd));
		ASSERT_EQ(17, wait_for(pid));
		ASSERT_EQ(0, heap_left(h))
			TH_LOG("round %d", round);
	}
}

/*
 * Another program: this one, which sees by a variable that it is meant. It has
 * a reference of the heap in plain view, in a register and on its stack, and
 * nobody is to look at those.
 */
#define OTHER	"GOHEAP_TEST_OTHER"

static void __attribute__((constructor)) other_program(void)
{
	const char *text = getenv(OTHER);
	struct mutator m;
	struct heap h = { 0 };
	unsigned long hid;
	int up, down;
	char c;

	if (!text || sscanf(text, "%d %d %d %lx", &h.fd, &up, &down, &hid) != 4)
		return;
	unsetenv(OTHER);
	/* It is nobody's mutator, and can become its own. */
	CHILD_CHECK(gh_barrier(h.fd) == -ENOTCONN);
	CHILD_CHECK(!heap_attach(&h));
	CHILD_CHECK(gh_barrier(h.fd) == -ENOTCONN);
	CHILD_CHECK(!mutator_attach(&m, h.fd, true));
	CHILD_CHECK(mutator_new(&m, h.fd, 0, 16, 0));
	mutator_detach(&m);
	heap_detach(&h);
	{
		volatile goheap_ref view[64];

		for (int i = 0; i < 64; i++)
			view[i] = ~hid;
		CHILD_CHECK(write(up, "x", 1) == 1);
		CHILD_CHECK(read(down, &c, 1) == 1);
		CHILD_CHECK(view[63] == ~hid);
	}
	_exit(0);
}

struct executer {
	struct heap *h;
	int up, down;
	__u64 hid;
	char *argv[2];
	char *envp[2];
	char text[100];
};

static int execute(void *arg)
{
	struct executer *e = arg;
	struct mutator m;

	if (mutator_attach(&m, e->h->fd, false))
		_exit(3);
	if (fcntl(e->h->fd, F_SETFD, 0) ||
	    !mutator_new(&m, e->h->fd, 0, 64, 0))
		_exit(4);
	snprintf(e->text, sizeof(e->text), OTHER "=%d %d %d %lx", e->h->fd,
		 e->up, e->down, (unsigned long)e->hid);
	e->envp[0] = e->text;
	e->argv[0] = "other";
	execve("/proc/self/exe", e->argv, e->envp);
	_exit(5);
}

/*
 * A child with the memory of its parent attaches, and executes another program.
 * Its control pages stay mapped by the parent.
 */
static void try_execute(struct __test_metadata *_metadata, struct heap *h,
			int flags)
{
	size_t bytes = 64 * KIB;
	char *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			   MAP_ANONYMOUS, -1, 0);
	struct executer e = { .h = h };
	int up[2], down[2];
	char c;
	pid_t pid;

	ASSERT_EQ(0, pipe(up));
	ASSERT_EQ(0, pipe(down));
	e.up = up[1];
	e.down = down[0];
	e.hid = new_hidden(h->fd);
	pid = clone(execute, stack + bytes, flags | SIGCHLD, &e);
	ASSERT_LT(0, pid);
	close(up[1]);
	ASSERT_EQ(1, read(up[0], &c, 1));
	munmap(stack, bytes);
	clear_stack();
	ASSERT_EQ(0, gh_collect(h->fd));
	EXPECT_FALSE(alive(h, e.hid));
	ASSERT_EQ(1, write(down[1], "x", 1));
	EXPECT_EQ(0, wait_for(pid));
	close(up[0]);
	close(down[0]);
	close(down[1]);
	EXPECT_EQ(0, heap_left(h));
}

TEST_F(storm, execve)
{
	for (int i = 0; i < 5; i++) {
		try_execute(_metadata, &self->heap, CLONE_VM | CLONE_VFORK);
		try_execute(_metadata, &self->heap, CLONE_VM);
		try_execute(_metadata, &self->heap, CLONE_VFORK);
		try_execute(_metadata, &self->heap, 0);
	}
}

/* The parent in vfork() is a mutator asleep, and the child is another one. */
static int in_vfork(void *arg)
{
	struct heap *h = arg;
	struct mutator m;

	if (mutator_attach(&m, h->fd, false))
		_exit(2);
	for (int i = 0; i < 100; i++)
		if (!mutator_new(&m, h->fd, 0, 48, 0))
			_exit(3);
	if (gh_collect(h->fd))
		_exit(4);
	/* Nothing is unmapped. */
	_exit(0);
}

TEST_F(storm, vfork)
{
	struct heap *h = &self->heap;
	static char stack[64 * KIB];
	volatile goheap_ref local;
	struct mutator m;
	__u64 hid;

	ASSERT_EQ(0, mutator_attach(&m, self->fd, false));
	hid = new_hidden(self->fd);
	local = ~hid;
	for (int i = 0; i < 20; i++) {
		pid_t pid = clone(in_vfork, stack + sizeof(stack),
				  CLONE_VM | CLONE_VFORK | SIGCHLD, h);

		ASSERT_LT(0, pid);
		EXPECT_EQ(0, wait_for(pid));
		EXPECT_GE(10, survivors(h));
		EXPECT_TRUE(alive(h, hid));
	}
	(void)local;
	mutator_detach(&m);
	EXPECT_EQ(0, heap_left(h));
}

/* The first mutator of the memory is gone, and was of another process. */
TEST_F(storm, vfork_first)
{
	struct heap *h = &self->heap;
	struct holder x = { 0 };
	static char stack[64 * KIB];
	struct mutator m;
	pid_t pid;

	pid = clone(in_vfork, stack + sizeof(stack),
		    CLONE_VM | CLONE_VFORK | SIGCHLD, h);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, wait_for(pid));
	ASSERT_EQ(0, mutator_attach(&m, self->fd, false));
	ASSERT_EQ(0, holder_start_unattached(&x, h, NULL, sleep_unattached));
	for (int i = 0; i < 3; i++) {
		EXPECT_GE(10, survivors(h));
		EXPECT_TRUE(alive(h, x.hid));
	}
	holder_stop(&x);
	mutator_detach(&m);
	EXPECT_EQ(0, heap_left(h));
}

/* Processes that share memory are mutators as threads are. */
static int make_in_clone(void *arg)
{
	_exit(make(arg) ? 1 : 0);
}

TEST_F(storm, clone_vm)
{
	enum { N = 4 };
	struct heap *h = &self->heap;
	size_t bytes = 64 * KIB;
	int done = 0;
	struct maker k = { h, self->node, self->progress, &done };
	pid_t pids[N];
	char *stack = mmap(NULL, N * bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, stack);
	for (int i = 0; i < N; i++) {
		pids[i] = clone(make_in_clone, stack + (i + 1) * bytes,
				CLONE_VM | SIGCHLD, &k);
		ASSERT_LT(0, pids[i]);
	}
	for (int i = 0; i < 15 * test_length(); i++)
		EXPECT_EQ(0, gh_collect(self->fd));
	wait_progress(self->progress, 20);
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < N; i++)
		EXPECT_EQ(0, wait_for(pids[i]));
	munmap(stack, N * bytes);
	EXPECT_EQ(0, heap_left(h));
}

struct comer {
	int fd;
	int *done;
	unsigned long rounds;
	bool failed;
};

static void *come_and_go(void *arg)
{
	struct comer *c = arg;

	while (!__atomic_load_n(c->done, __ATOMIC_ACQUIRE)) {
		struct mutator m;

		if (mutator_attach(&m, c->fd, c->rounds % 4 == 0) ||
		    (c->rounds % 3 && !mutator_new(&m, c->fd, c->rounds % 16,
						   16 + c->rounds % 500, 0)))
			c->failed = true;
		mutator_detach(&m);
		c->rounds++;
	}
	return NULL;
}

/*
 * However many come, a collection ends: one that comes when the threads of its
 * process have been read holds nothing that they did not.
 */
TEST_F(storm, come_and_go)
{
	enum { N = 8 };
	struct comer c[N];
	struct timespec a, b;
	struct goheap_stats before, after;
	unsigned long rounds = 0, cycles = 0, most = 0;
	long ms, longest = 0;
	pthread_t t[N];
	int done = 0;

	for (int i = 0; i < N; i++) {
		c[i] = (struct comer){ self->fd, &done };
		ASSERT_EQ(0, pthread_create(&t[i], NULL, come_and_go, &c[i]));
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	do {
		unsigned long n;

		ASSERT_EQ(0, gh_stats(self->fd, &before));
		ms = timed_collect(self->fd);
		ASSERT_LE(0, ms);
		ASSERT_EQ(0, gh_stats(self->fd, &after));
		longest = ms > longest ? ms : longest;
		n = after.handshakes - before.handshakes;
		most = n > most ? n : most;
		cycles++;
		clock_gettime(CLOCK_MONOTONIC, &b);
	} while (b.tv_sec - a.tv_sec < 2 * test_length());
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < N; i++) {
		pthread_join(t[i], NULL);
		EXPECT_FALSE(c[i].failed);
		rounds += c[i].rounds;
	}
	TH_LOG("%lu mutators came and went in %lu cycles, of %ld ms and %lu threads read at most",
	       rounds, cycles, longest, most);
	EXPECT_LT(20, rounds);
	EXPECT_GT(20000, longest);
	/* As mutators, and as other threads, of which new ones are read twice. */
	EXPECT_GE(N + 2 * (N + 1), most);
	EXPECT_EQ(0, heap_left(&self->heap));
}

/* Context switches of a thread of this process, of both kinds. */
static void switches(pid_t tid, long *voluntary, long *forced)
{
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
	*voluntary = -1;
	*forced = -1;
	f = fopen(path, "r");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "voluntary_ctxt_switches: %ld", voluntary);
		sscanf(line, "nonvoluntary_ctxt_switches: %ld", forced);
	}
	fclose(f);
}

static char task_state(pid_t tid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "r");
	if (f) {
		if (fscanf(f, "%*d %*s %c", &state) != 1)
			state = 0;
		fclose(f);
	}
	return state;
}

TEST_F(storm, sleepers_sleep_on)
{
	enum { N = 20 };
	struct heap *h = &self->heap;
	static struct holder x[N];
	long before[N][2], after[2];

	for (int i = 0; i < N; i++) {
		x[i] = (struct holder){ .hold = hold_asleep };
		ASSERT_EQ(0, holder_start(&x[i], h, NULL));
	}
	for (int i = 0; i < N; i++) {
		while (task_state(x[i].tid) != 'S')
			usleep(1000);
		switches(x[i].tid, &before[i][0], &before[i][1]);
		ASSERT_LE(0, before[i][0]);
		ASSERT_LE(0, before[i][1]);
	}
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(0, gh_collect(self->fd));
	for (int i = 0; i < N; i++) {
		switches(x[i].tid, &after[0], &after[1]);
		EXPECT_EQ(before[i][0], after[0]);
		EXPECT_EQ(before[i][1], after[1]);
		EXPECT_TRUE(alive(h, x[i].hid));
		holder_stop(&x[i]);
		EXPECT_FALSE(x[i].interrupted);
	}
}

TEST_F(storm, a_thousand_sleepers)
{
	enum { N = 1000 };
	struct heap *h = &self->heap;
	static struct holder x[N];
	__u64 setup = 0, mark = 0;
	struct goheap_cycle c;
	struct rlimit files = { 2 * N + 100, 2 * N + 100 };
	pthread_attr_t attr;
	int lost = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * KIB);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	for (int i = 0; i < N; i++) {
		x[i] = (struct holder){ .hold = hold_asleep };
		ASSERT_EQ(0, holder_start(&x[i], h, &attr))
			TH_LOG("thread %d, errno %d", i, errno);
	}
	for (int i = 0; i < 5; i++) {
		EXPECT_GE(20, survivors(h));
		ASSERT_EQ(0, gh_cycle(self->fd, 0, &c));
		if (c.setup_ns > setup)
			setup = c.setup_ns;
		if (c.mark_ns > mark)
			mark = c.mark_ns;
		for (int k = 0; k < N; k++)
			lost += !alive(h, x[k].hid);
	}
	EXPECT_EQ(0, lost);
	TH_LOG("%d threads: setup at most %llu us, mark %llu us, %llu bytes",
	       N, setup / 1000, mark / 1000, c.stack_bytes);
	for (int i = 0; i < N; i++) {
		holder_stop(&x[i]);
		lost += x[i].interrupted;
	}
	EXPECT_EQ(0, lost);
	/* Words in what the dead threads' stacks have left are nobody's. */
	EXPECT_GE(20, heap_live(h));
}

TEST_HARNESS_MAIN
