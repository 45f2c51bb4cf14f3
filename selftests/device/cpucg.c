// SPDX-License-Identifier: GPL-2.0
/*
 * CPU cgroups: who pays for what a collector computes.
 *
 * The cgroup of the program that has it collect does, once that is worth it,
 * and cpu.stat says how much; every cgroup has that file, with controllers or
 * not. The collector is in the program's cgroup then, as /proc/PID/cgroup
 * shows, and out of it soon after there is no reason any more: removing the
 * cgroup is the proof.
 */
#include <grp.h>
#include <sys/prctl.h>

#include "cgroup.h"
#include "kthread.h"

/* Documentation/admin.rst says half a second and ten; machines may be busy. */
#define SOON_MS		10000
#define IDLE_MS		40000
#define SWITCH		"/sys/module/goheap/parameters"

/* Shared with a program that collects. */
struct task {
	int stop;		/* it shall end */
	int pause;		/* it shall do nothing */
	int uid;		/* to be; 0 is root */
	char move_to[200];	/* a cgroup that it shall enter */
	int moves;		/* how many times it has */
	__u32 heap_id;
	__u64 cycles;		/* that it has had run */
	__u64 cpu_us;		/* it has used itself */
};

FIXTURE(cpucg) {
	struct cgroups cgroups;
	const char *missing;
	char dir[192];
	char other[192];
	struct task *task;
	pid_t pid;
};

FIXTURE_SETUP(cpucg)
{
	struct cgroups *c = &self->cgroups;

	self->task = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->task);
	self->missing = cgroups_find(c);
	if (!self->missing && !has_word(SWITCH, "charge_cpu", "Y"))
		self->missing = "no cgroups, or not charged";
	if (self->missing)
		return;
	snprintf(self->dir, sizeof(self->dir), "%s/goheap-cpu-%d", c->root,
		 getpid());
	snprintf(self->other, sizeof(self->other), "%s/goheap-cpu2-%d",
		 c->root, getpid());
	if (mkdir(self->dir, 0755) || mkdir(self->other, 0755) ||
	    !enter(self->dir) || !enter(c->home))
		self->missing = "no cgroup can be made";
}

static int remove_within(const char *dir, unsigned int ms)
{
	__u64 start = now_ms();
	int err;

	do {
		err = rmdir(dir) ? -errno : 0;
		if (err)
			usleep(10 * 1000);
	} while (err == -EBUSY && now_ms() - start < ms);
	return err;
}

FIXTURE_TEARDOWN(cpucg)
{
	write_text(SWITCH, "charge_cpu", "Y");
	if (self->pid > 0) {
		kill(self->pid, SIGKILL);
		wait_for(self->pid);
	}
	if (self->dir[0]) {
		remove_within(self->dir, SOON_MS);
		remove_within(self->other, SOON_MS);
	}
	cgroups_leave(&self->cgroups);
	munmap(self->task, PAGE);
}

/* usage_usec of cpu.stat, or a value that none has. */
static __u64 usage_us(const char *dir)
{
	char buf[1024];
	__u64 us;

	if (!read_text(dir, "cpu.stat", buf, sizeof(buf)) ||
	    sscanf(buf, "usage_usec %llu", &us) != 1)
		return ~0ULL / 2;
	return us;
}

/* CPU time of a thread of the kernel, or a value that none has. */
static __u64 thread_us(pid_t pid)
{
	unsigned long user, system;
	char dir[32], buf[512], *end;

	snprintf(dir, sizeof(dir), "/proc/%d", pid);
	if (!read_text(dir, "stat", buf, sizeof(buf)))
		return ~0ULL / 2;
	end = strrchr(buf, ')');
	if (!end || sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u"
			   " %*u %lu %lu", &user, &system) != 2)
		return ~0ULL / 2;
	return (user + system) * (1000000ULL / sysconf(_SC_CLK_TCK));
}

/* Is a thread in a cgroup? */
static bool is_in(const struct cgroups *c, pid_t pid, const char *dir)
{
	char proc[32], buf[1024], *path;
	const char *want = dir + strlen(c->root);

	snprintf(proc, sizeof(proc), "/proc/%d", pid);
	if (!read_text(proc, "cgroup", buf, sizeof(buf)))
		return false;
	path = strstr(buf, "0::");
	if (!path)
		return false;
	path += 3;
	path[strcspn(path, "\n")] = '\0';
	return !strcmp(path, *want ? want : "/");
}

static bool gets_into(const struct cgroups *c, pid_t pid, const char *dir,
		      unsigned int ms)
{
	__u64 start = now_ms();

	while (!is_in(c, pid, dir)) {
		if (now_ms() - start > ms)
			return false;
		usleep(10 * 1000);
	}
	return true;
}

static __u64 own_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

/* Give up what a container's program does not have either. */
static bool become(int uid)
{
	return !uid || (!setgroups(0, NULL) && !setgid(uid) && !setuid(uid));
}

/* A program that has its heap collected all the time. */
static void work(struct task *t, struct heap *h)
{
	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
		if (t->move_to[0]) {
			CHILD_CHECK(enter(t->move_to));
			t->move_to[0] = '\0';
			__atomic_fetch_add(&t->moves, 1, __ATOMIC_RELEASE);
		}
		if (__atomic_load_n(&t->pause, __ATOMIC_ACQUIRE)) {
			usleep(10 * 1000);
			continue;
		}
		CHILD_CHECK(gh_collect(h->fd) == 0);
		__atomic_store_n(&t->cpu_us, own_us(), __ATOMIC_RELAXED);
		__atomic_fetch_add(&t->cycles, 1, __ATOMIC_RELEASE);
	}
	_exit(0);
}

/* In a cgroup, with a heap of its own or the one that is given. */
static pid_t start(struct task *t, const char *dir, struct heap *shared)
{
	pid_t pid;

	pid = fork();
	if (!pid) {
		struct heap own, *h = shared ? shared : &own;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CHILD_CHECK(enter(dir));
		CHILD_CHECK(become(t->uid));
		if (shared)
			heap_detach(h);
		CHILD_CHECK((shared ? heap_attach(h) :
				      heap_open(h, GIB, 0)) == 0);
		CHILD_CHECK(heap_push_many(h, KIB, 0, 4000) == 4000);
		__atomic_store_n(&t->heap_id, h->info.heap_id,
				 __ATOMIC_RELEASE);
		work(t, h);
	}
	return pid;
}

/* The collector of a program that has been started; 0 if it ended. */
static pid_t collector(struct task *t, pid_t pid)
{
	struct heap h = { };

	while (!__atomic_load_n(&t->heap_id, __ATOMIC_ACQUIRE)) {
		if (kill(pid, 0) || waitpid(pid, NULL, WNOHANG))
			return 0;
		usleep(1000);
	}
	h.info.heap_id = t->heap_id;
	return collector_of(&h);
}

/*
 * A program at work, whose collector has become a guest in the program's cgroup;
 * 0 if not.
 */
static pid_t start_guest(FIXTURE_DATA(cpucg) *self)
{
	struct task *t = self->task;
	pid_t gc;

	self->pid = start(t, self->dir, NULL);
	gc = self->pid > 0 ? collector(t, self->pid) : 0;
	return gc && gets_into(&self->cgroups, gc, self->dir, 10 * 1000) ? gc :
									   0;
}

/* What the collector computes is the program's, root or not. */
static void charged(struct __test_metadata *_metadata,
		    FIXTURE_DATA(cpucg) *self, int uid)
{
	struct task *t = self->task;
	__u64 gc_us, paid_us, own;
	pid_t gc;

	t->uid = uid;
	gc = start_guest(self);
	ASSERT_NE(0, gc);

	own = __atomic_load_n(&t->cpu_us, __ATOMIC_RELAXED);
	gc_us = thread_us(gc);
	paid_us = usage_us(self->dir);
	do {
		usleep(100 * 1000);
	} while (thread_us(gc) - gc_us < 500 * 1000);
	__atomic_store_n(&t->stop, 1, __ATOMIC_RELEASE);
	gc_us = thread_us(gc) - gc_us;
	EXPECT_EQ(0, wait_for(self->pid));
	self->pid = 0;
	own = t->cpu_us - own;
	paid_us = usage_us(self->dir) - paid_us;
	TH_LOG("collector %llu us, program %llu us, cgroup %llu us", gc_us,
	       own, paid_us);
	/* A tick and what is counted late. */
	EXPECT_LE(gc_us + own * 9 / 10 - 50 * 1000, paid_us);
	/* The heap has ended with the program: no delay at all. */
	EXPECT_EQ(0, remove_within(self->dir, 0));
}

TEST_F(cpucg, charged)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	charged(_metadata, self, 0);
}

/* It needs no right over threads of the kernel, not for cpusets either. */
TEST_F(cpucg, unprivileged)
{
	bool cpuset;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	cpuset = cgroups_enable(&self->cgroups, "cpuset");
	if (cpuset)
		EXPECT_TRUE(write_text(self->dir, "cpuset.cpus", "0"));
	charged(_metadata, self, 65534);
	rmdir(self->dir);
	if (cpuset)
		cgroups_disable(&self->cgroups, "cpuset");
}

/* A heap at rest is nobody's, and one at work again somebody's. */
TEST_F(cpucg, idle)
{
	struct task *t = self->task;
	pid_t gc;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	gc = start_guest(self);
	ASSERT_NE(0, gc);
	__atomic_store_n(&t->pause, 1, __ATOMIC_RELEASE);
	EXPECT_TRUE(gets_into(&self->cgroups, gc, self->cgroups.root, IDLE_MS));
	__atomic_store_n(&t->pause, 0, __ATOMIC_RELEASE);
	EXPECT_TRUE(gets_into(&self->cgroups, gc, self->dir, 10 * 1000));
}

/* The program moves, and the collector with it. */
TEST_F(cpucg, follows)
{
	struct task *t = self->task;
	const char *to;
	pid_t gc;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	gc = start_guest(self);
	ASSERT_NE(0, gc);
	for (int i = 0; i < 4; i++) {
		to = i % 2 ? self->dir : self->other;
		strcpy(t->move_to, to);
		while (__atomic_load_n(&t->moves, __ATOMIC_ACQUIRE) <= i)
			usleep(1000);
		EXPECT_EQ(0, remove_within(i % 2 ? self->other : self->dir,
					   SOON_MS));
		EXPECT_TRUE(gets_into(&self->cgroups, gc, to, 10 * 1000));
		EXPECT_EQ(0, mkdir(i % 2 ? self->other : self->dir, 0755));
	}
}

/* The program that pays ends while another one keeps the heap at work. */
TEST_F(cpucg, survivor)
{
	struct task *t = self->task, *first;
	struct heap h;
	pid_t gc, pid;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_GE(PAGE / 2, sizeof(*t));
	first = (struct task *)((char *)t + PAGE / 2);
	ASSERT_EQ(0, heap_open(&h, GIB, 0));
	gc = collector_of(&h);
	ASSERT_NE(0, gc);
	pid = start(first, self->dir, &h);
	ASSERT_LT(0, pid);
	EXPECT_TRUE(gets_into(&self->cgroups, gc, self->dir, 10 * 1000));
	self->pid = start(t, self->other, &h);
	ASSERT_LT(0, self->pid);
	while (__atomic_load_n(&t->cycles, __ATOMIC_ACQUIRE) < 3)
		usleep(1000);
	EXPECT_TRUE(is_in(&self->cgroups, gc, self->dir));
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_for(pid));
	EXPECT_EQ(0, remove_within(self->dir, SOON_MS));
	EXPECT_TRUE(gets_into(&self->cgroups, gc, self->other, 10 * 1000));
	heap_close(&h);
}

/* It unmaps the heap and goes on in its cgroup: others pay from now on. */
TEST_F(cpucg, unmaps)
{
	struct task *t = self->task;
	struct heap h;
	pid_t gc;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_TRUE(enter(self->dir));
	ASSERT_EQ(0, heap_open(&h, GIB, 0));
	gc = collector_of(&h);
	ASSERT_NE(0, gc);
	ASSERT_EQ(4000, heap_push_many(&h, KIB, 0, 4000));
	while (!is_in(&self->cgroups, gc, self->dir)) {
		ASSERT_EQ(0, gh_collect(h.fd));
	}
	self->pid = start(t, self->other, &h);
	while (__atomic_load_n(&t->cycles, __ATOMIC_ACQUIRE) < 3)
		usleep(1000);
	heap_detach(&h);
	EXPECT_TRUE(gets_into(&self->cgroups, gc, self->other, SOON_MS));
	EXPECT_TRUE(enter(self->cgroups.home));
	close(h.fd);
}

static bool freezes(const char *dir, unsigned int ms)
{
	__u64 start = now_ms();
	char buf[256];

	if (!write_text(dir, "cgroup.freeze", "1"))
		return false;
	do {
		if (!read_text(dir, "cgroup.events", buf, sizeof(buf)))
			return false;
		if (strstr(buf, "frozen 1"))
			return true;
		usleep(10 * 1000);
	} while (now_ms() - start < ms);
	return false;
}

/* A thread of the kernel is never frozen, so it must not stay. */
TEST_F(cpucg, frozen)
{
	struct task *t = self->task;
	__u64 cycles;
	pid_t gc;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	gc = start_guest(self);
	ASSERT_NE(0, gc);
	/* It holds for the program at once, and the collector goes home. */
	freezes(self->dir, 100);
	EXPECT_TRUE(gets_into(&self->cgroups, gc, self->cgroups.root, SOON_MS));
	cycles = __atomic_load_n(&t->cycles, __ATOMIC_ACQUIRE);
	usleep(100 * 1000);
	EXPECT_EQ(cycles, __atomic_load_n(&t->cycles, __ATOMIC_ACQUIRE));
	/* With a second try it can be seen. */
	__atomic_store_n(&t->pause, 1, __ATOMIC_RELEASE);
	ASSERT_TRUE(write_text(self->dir, "cgroup.freeze", "0"));
	EXPECT_TRUE(freezes(self->dir, SOON_MS));
	ASSERT_TRUE(write_text(self->dir, "cgroup.freeze", "0"));
	__atomic_store_n(&t->pause, 0, __ATOMIC_RELEASE);
	EXPECT_TRUE(gets_into(&self->cgroups, gc, self->dir, 10 * 1000));
}

/* An administrator who wants it otherwise. */
TEST_F(cpucg, switched_off)
{
	struct task *t = self->task;
	__u64 cycles;
	pid_t gc;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	gc = start_guest(self);
	ASSERT_NE(0, gc);
	ASSERT_TRUE(write_text(SWITCH, "charge_cpu", "N"));
	EXPECT_TRUE(gets_into(&self->cgroups, gc, self->cgroups.root, SOON_MS));
	cycles = __atomic_load_n(&t->cycles, __ATOMIC_ACQUIRE);
	while (__atomic_load_n(&t->cycles, __ATOMIC_ACQUIRE) < cycles + 20)
		usleep(1000);
	EXPECT_TRUE(is_in(&self->cgroups, gc, self->cgroups.root));
	ASSERT_TRUE(write_text(SWITCH, "charge_cpu", "Y"));
	EXPECT_TRUE(gets_into(&self->cgroups, gc, self->dir, 10 * 1000));
}

/*
 * A quota holds for program and collector together, and a program outside of it
 * that uses the heap too gets on.
 */
TEST_F(cpucg, quota)
{
	struct task *t = self->task;
	__u64 start_ms, took, most = 0, paid_us, rounds = 0;
	goheap_ref ref;
	struct heap h;
	bool enabled;
	pid_t gc;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	enabled = cgroups_enable(&self->cgroups, "cpu");
	if (!write_text(self->dir, "cpu.max", "20000 100000")) {
		if (enabled)
			cgroups_disable(&self->cgroups, "cpu");
		SKIP(return, "no quota");
	}
	ASSERT_EQ(0, heap_open(&h, GIB, 0));
	gc = collector_of(&h);
	self->pid = start(t, self->dir, &h);
	ASSERT_LT(0, self->pid);
	EXPECT_TRUE(gets_into(&self->cgroups, gc, self->dir, 30 * 1000));
	paid_us = usage_us(self->dir);
	start_ms = now_ms();
	while (now_ms() - start_ms < 3000) {
		took = now_ms();
		EXPECT_EQ(0, gh_alloc(h.fd, 100, 0, 1, &ref, NULL));
		took = now_ms() - took;
		most = took > most ? took : most;
		rounds++;
		usleep(1000);
	}
	took = now_ms() - start_ms;
	paid_us = usage_us(self->dir) - paid_us;
	TH_LOG("%llu us in %llu ms, outside %llu allocations, at most %llu ms",
	       paid_us, took, rounds, most);
	EXPECT_TRUE(is_in(&self->cgroups, gc, self->dir));
	/* A fifth of one CPU, and a slice on each. */
	EXPECT_GE(took * 1000 / 5 * 3 / 2 + 100 * 1000, paid_us);
	kill(self->pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_for(self->pid));
	self->pid = 0;
	EXPECT_EQ(0, gh_collect(h.fd));
	EXPECT_EQ(0, remove_within(self->dir, SOON_MS));
	heap_close(&h);
	if (enabled)
		cgroups_disable(&self->cgroups, "cpu");
}

/* Heaps, programs and cgroups come and go, some in the middle of a move. */
TEST_F(cpucg, many)
{
	const unsigned int rounds = 12;
	pid_t pids[3];

	if (self->missing)
		SKIP(return, "%s", self->missing);
	for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (pids[i])
			continue;
		for (unsigned int k = 0; k < rounds; k++) {
			struct task *t = mmap(NULL, PAGE,
					      PROT_READ | PROT_WRITE,
					      MAP_SHARED | MAP_ANONYMOUS, -1,
					      0);
			char dir[224];
			pid_t pid;

			snprintf(dir, sizeof(dir), "%s/%u", self->dir,
				 i);
			CHILD_CHECK(mkdir(dir, 0755) == 0);
			pid = start(t, dir, NULL);
			while (__atomic_load_n(&t->cycles, __ATOMIC_ACQUIRE) <
			       k % 4 + 1)
				usleep(1000);
			usleep(k * 7000);
			kill(pid, k % 2 ? SIGKILL : 0);
			__atomic_store_n(&t->stop, 1, __ATOMIC_RELEASE);
			CHILD_CHECK(wait_for(pid) == (k % 2 ? -SIGKILL : 0));
			CHILD_CHECK(remove_within(dir, 0) == 0);
			munmap(t, PAGE);
		}
		_exit(0);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++)
		EXPECT_EQ(0, wait_for(pids[i]));
}

TEST_HARNESS_MAIN
