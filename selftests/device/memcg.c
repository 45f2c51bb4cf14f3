// SPDX-License-Identifier: GPL-2.0
/*
 * Memory cgroups: who pays for a heap, and what happens when it cannot.
 *
 * The cgroup of the process that opened the heap pays for all of it, whoever
 * allocates. memory.current is therefore compared with what the heap says it
 * holds. The kernel charges in batches of 64 pages per CPU and frees small
 * objects late, hence some slack.
 *
 * A cgroup at its limit is no reason to kill anybody: the heap collects, and if
 * that does not help, ALLOC says ENOMEM. A page fault of a program cannot say
 * so. The programs of most tests at the limit are therefore not members of the
 * cgroup: they open the heap as members, touch all of the handle stack, which
 * the cgroup pays for too, and leave. From then on only the heap's memory is
 * charged to the cgroup, and a kill would be the module's doing.
 */
#include <limits.h>
#include <sys/ptrace.h>
#include <sys/stat.h>

#include "cgroup.h"

#define LIMIT		(32 * MIB)

FIXTURE(memcg) {
	const char *missing;
	struct cgroups cgroups;
	bool enabled;		/* we gave cgroups a memory controller */
	char dir[192];		/* the one to test with */
	struct heap heap;
	int fd;
};

/* memory.current, or a value that none has. */
static __s64 usage(const char *dir)
{
	char buf[64];

	if (!read_text(dir, "memory.current", buf, sizeof(buf)))
		return LLONG_MIN / 2;
	return strtoll(buf, NULL, 10);
}

/* A number of memory.events, -1 if it is not there. */
static long event(const char *dir, const char *name)
{
	char buf[512], *line, *save;
	size_t len = strlen(name);

	if (!read_text(dir, "memory.events", buf, sizeof(buf)))
		return -1;
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (!strncmp(line, name, len) && line[len] == ' ')
			return strtol(line + len, NULL, 10);
	return -1;
}

static bool set_limit(const char *dir, __u64 bytes)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%llu", bytes);
	return write_text(dir, "memory.max", buf);
}

static bool set_high(const char *dir, __u64 bytes)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%llu", bytes);
	return write_text(dir, "memory.high", buf);
}

static void nothing(int sig)
{
	(void)sig;
}

/* Stops in front of its write() for a signal to be pending in it. */
static void write_traced(int fd, const char *text)
{
	signal(SIGUSR1, nothing);
	CHILD_CHECK(!ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	syscall(SYS_kill, getpid(), SIGSTOP);
	_exit(write(fd, text, strlen(text)) != (ssize_t)strlen(text));
}

/*
 * Set memory.max below the use. Who writes it reclaims, and if that does not
 * help calls the OOM killer, members or not, unless a signal is pending.
 */
static bool set_limit_below(const char *dir, __u64 bytes)
{
	char path[256], buf[32];
	int fd, status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/memory.max", dir);
	snprintf(buf, sizeof(buf), "%llu", bytes);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	pid = fork();
	if (!pid)
		write_traced(fd, buf);
	close(fd);
	/* At SIGSTOP, at the call, and at the signal that came with it. */
	if (waitpid(pid, &status, 0) != pid ||
	    ptrace(PTRACE_SYSCALL, pid, NULL, NULL) ||
	    waitpid(pid, &status, 0) != pid ||
	    ptrace(PTRACE_CONT, pid, NULL, (void *)SIGUSR1) ||
	    waitpid(pid, &status, 0) != pid ||
	    ptrace(PTRACE_DETACH, pid, NULL, NULL))
		return false;
	return waitpid(pid, &status, 0) == pid && !status;
}

static const char *prepare_root(FIXTURE_DATA(memcg) *self)
{
	const char *missing = cgroups_find(&self->cgroups);
	char buf[512];

	if (missing)
		return missing;
	if (!has_word(self->cgroups.root, "cgroup.controllers", "memory"))
		return "no memory controller in cgroup2";
	if (read_text("/proc", "cmdline", buf, sizeof(buf)) &&
	    strstr(buf, "nokmem"))
		return "kernel memory is not charged";
	self->enabled = cgroups_enable(&self->cgroups, "memory");
	if (!self->enabled &&
	    !has_word(self->cgroups.root, "cgroup.subtree_control", "memory"))
		return "the memory controller cannot be enabled";
	return NULL;
}

static const char *prepare(FIXTURE_DATA(memcg) *self)
{
	const char *missing = prepare_root(self);

	if (missing)
		return missing;
	snprintf(self->dir, sizeof(self->dir), "%s/goheap-test-%d",
		 self->cgroups.root, getpid());
	if (mkdir(self->dir, 0755))
		return "no cgroup can be made";
	if (!enter(self->dir) || !enter(self->cgroups.home))
		return "the process cannot be moved";
	return NULL;
}

FIXTURE_SETUP(memcg)
{
	self->missing = prepare(self);
}

FIXTURE_TEARDOWN(memcg)
{
	if (self->dir[0]) {
		enter(self->cgroups.home);
		rmdir(self->dir);
	}
	if (self->enabled)
		cgroups_disable(&self->cgroups, "memory");
	cgroups_leave(&self->cgroups);
}

/* Open a heap as a member of a cgroup, and stay one. */
static int open_in(struct heap *h, const char *dir)
{
	int err;

	if (!enter(dir))
		return -errno;
	err = heap_open(h, GIB, 0);
	if (!err)
		memset(h->stack, 0, STACK_BYTES);
	return err;
}

/* What a heap holds and what its cgroup pays, at one moment. */
struct balance {
	__s64 objects;		/* bytes with memory behind them */
	__s64 others;		/* metadata and handle stacks */
	__s64 paid;
};

static int get_balance(int fd, const char *dir, struct balance *b)
{
	struct goheap_stats stats;
	int err;

	err = gh_stats(fd, &stats);
	b->objects = stats.heap_sys - stats.heap_released;
	b->others = stats.sys - stats.heap_sys;
	b->paid = usage(dir);
	return err;
}

static __s64 slack(void)
{
	return sysconf(_SC_NPROCESSORS_CONF) * 64 * PAGE + 2 * MIB;
}

/* Did the cgroup pay what the heap got, or get back what it gave? */
static bool balanced(const struct balance *before, const struct balance *now)
{
	__s64 objects = now->objects - before->objects;
	__s64 others = now->others - before->others;
	__s64 paid = now->paid - before->paid;
	__s64 least = objects + (others < 0 ? others : 0) - slack();
	__s64 most = objects + (others > 0 ? others : 0) + slack();

	if (paid >= least && paid <= most)
		return true;
	fprintf(stderr, "# paid %lld for %lld and %lld of metadata\n", paid,
		objects, others);
	return false;
}

/* 48 MiB, small and large. */
static bool fill(struct heap *h)
{
	return heap_push_many(h, KIB, 0, 24 * KIB) == 24 * KIB &&
	       heap_push_many(h, MIB, 0, 24) == 24;
}

TEST_F(memcg, pays)
{
	struct balance empty, full, now;
	struct heap *h = &self->heap;
	const char *dir = self->dir;
	__s64 before;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_TRUE(enter(dir));
	before = usage(dir);
	ASSERT_EQ(0, open_in(h, dir));
	ASSERT_EQ(0, get_balance(h->fd, dir, &empty));
	ASSERT_TRUE(fill(h));
	ASSERT_EQ(0, get_balance(h->fd, dir, &full));
	EXPECT_LE(48 * MIB, full.objects - empty.objects);
	EXPECT_TRUE(balanced(&empty, &full));

	/* Garbage costs the same; only memory given back is not paid for. */
	h->stack->top = 6 * KIB;
	ASSERT_EQ(0, gh_collect(h->fd));
	ASSERT_EQ(0, get_balance(h->fd, dir, &now));
	EXPECT_EQ(full.objects, now.objects);
	EXPECT_TRUE(balanced(&empty, &now));
	ASSERT_EQ(0, gh_free_os_memory(h->fd, NULL));
	ASSERT_EQ(0, get_balance(h->fd, dir, &now));
	EXPECT_GE(8 * MIB, now.objects - empty.objects);
	EXPECT_TRUE(balanced(&empty, &now));

	/* Once more, and all at once. */
	h->stack->top = 0;
	ASSERT_TRUE(fill(h));
	ASSERT_EQ(0, get_balance(h->fd, dir, &now));
	EXPECT_LE(48 * MIB, now.objects - empty.objects);
	EXPECT_TRUE(balanced(&empty, &now));
	heap_close(h);
	EXPECT_GE(slack(), usage(dir) - before);
}

static bool fill_and_touch(struct heap *h)
{
	__u64 i;

	if (!fill(h))
		return false;
	for (i = 0; i < h->stack->top; i++)
		*heap_word(h, h->stack->slots[i], 0) = NO_REF;
	return true;
}

/* Another process allocates, which is a member of another cgroup. */
TEST_F(memcg, opener_pays)
{
	struct balance empty, now;
	struct heap *h = &self->heap;
	const char *dir = self->dir;
	int up[2], down[2];
	char other[224], c;
	__s64 theirs;
	pid_t pid;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, open_in(h, dir));
	snprintf(other, sizeof(other), "%s-other", dir);
	ASSERT_EQ(0, mkdir(other, 0755));
	ASSERT_EQ(0, pipe(up));
	ASSERT_EQ(0, pipe(down));
	ASSERT_EQ(0, get_balance(h->fd, dir, &empty));
	theirs = usage(other);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(down[1]);
		CHILD_CHECK(enter(other));
		heap_detach(h);
		CHILD_CHECK(heap_attach(h) == 0);
		CHILD_CHECK(fill_and_touch(h));
		CHILD_CHECK(write(up[1], "x", 1) == 1);
		CHILD_CHECK(read(down[0], &c, 1) == 0);
		_exit(0);
	}
	close(up[1]);
	EXPECT_EQ(1, read(up[0], &c, 1));
	EXPECT_EQ(0, get_balance(h->fd, dir, &now));
	EXPECT_LE(48 * MIB, now.objects - empty.objects);
	EXPECT_TRUE(balanced(&empty, &now));
	/* Page tables, and what the child wrote of its own. */
	EXPECT_GE(slack(), usage(other) - theirs);
	close(down[1]);
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_EQ(0, gh_free_os_memory(h->fd, NULL));
	EXPECT_EQ(0, get_balance(h->fd, dir, &now));
	EXPECT_GE(slack(), now.objects - empty.objects);
	EXPECT_TRUE(balanced(&empty, &now));
	close(up[0]);
	close(down[0]);
	EXPECT_EQ(0, rmdir(other));
	heap_close(h);
}

/* The cgroup is removed: its parent pays. */
TEST_F(memcg, removed)
{
	struct balance empty, now;
	struct heap *h = &self->heap;
	const char *dir = self->dir;
	char inner[224];
	__s64 before;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_TRUE(write_text(dir, "cgroup.subtree_control", "+memory"));
	snprintf(inner, sizeof(inner), "%s/inner", dir);
	ASSERT_EQ(0, mkdir(inner, 0755));
	before = usage(dir);
	ASSERT_EQ(0, open_in(h, inner));
	ASSERT_NE(0, heap_push(h, MIB, 0));
	ASSERT_TRUE(enter(self->cgroups.home));
	ASSERT_EQ(0, rmdir(inner));

	ASSERT_EQ(0, get_balance(h->fd, dir, &empty));
	ASSERT_TRUE(fill_and_touch(h));
	ASSERT_EQ(0, get_balance(h->fd, dir, &now));
	EXPECT_LE(48 * MIB, now.objects - empty.objects);
	EXPECT_TRUE(balanced(&empty, &now));
	h->stack->top = 1;
	ASSERT_EQ(0, gh_free_os_memory(h->fd, NULL));
	ASSERT_EQ(0, get_balance(h->fd, dir, &now));
	EXPECT_TRUE(balanced(&empty, &now));
	heap_close(h);
	EXPECT_GE(slack(), usage(dir) - before);
}

static bool push_marked(struct heap *h, __u64 i)
{
	goheap_ref ref = heap_push(h, KIB, 0);

	if (ref)
		memset(heap_ptr(h, ref), i % 251 + 1, KIB);
	return ref;
}

static bool marked(struct heap *h, __u64 nr)
{
	__u64 i;

	for (i = 0; i < nr; i++)
		if (!all_bytes(heap_ptr(h, h->stack->slots[i]), i % 251 + 1,
			       KIB))
			return false;
	return true;
}

/*
 * Is there room for no more? The kernel may have charged some pages ahead on
 * another CPU, and these are then to be had. What comes is counted.
 */
static bool refused(struct heap *h, __u64 bytes, __u64 *made)
{
	unsigned int i;

	for (i = 0; i < 2 * KIB; i++) {
		goheap_ref ref = NO_REF;
		int err = gh_alloc(h->fd, bytes, 0, 1, &ref, NULL);

		if (err)
			return err == -ENOMEM && ref == NO_REF;
		++*made;
	}
	return false;
}

/* Has there been a collection because of the limit? Others may have followed. */
static bool collected_for_limit(struct heap *h, __u64 num_gc)
{
	struct goheap_cycle cycle;

	for (; num_gc; num_gc--)
		if (!gh_cycle(h->fd, num_gc, &cycle) &&
		    cycle.reason == GOHEAP_CYCLE_CEILING)
			return true;
	return false;
}

/* All is live at the limit. */
TEST_F(memcg, limit)
{
	struct goheap_stats stats, after;
	struct heap *h = &self->heap;
	const char *dir = self->dir;
	__u64 filled, i, made = 0;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, open_in(h, dir));
	ASSERT_TRUE(enter(self->cgroups.home));
	ASSERT_TRUE(set_limit(dir, LIMIT));
	ASSERT_EQ(0, event(dir, "max"));
	for (filled = 0; filled < LIMIT / KIB; filled++)
		if (!push_marked(h, filled))
			break;
	EXPECT_LE(LIMIT / KIB * 3 / 4, filled);
	EXPECT_GT(LIMIT / KIB, filled);
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(refused(h, KIB, &made));
		EXPECT_TRUE(refused(h, MIB, &made));
		EXPECT_TRUE(refused(h, 100, &made));
	}
	EXPECT_LT(0, event(dir, "max"));
	EXPECT_GE(LIMIT, usage(dir));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_LE(1, stats.num_gc);
	EXPECT_EQ(0, stats.num_forced_gc);
	EXPECT_LE(filled, stats.heap_objects);
	EXPECT_GE(filled + made, stats.heap_objects);
	EXPECT_TRUE(collected_for_limit(h, stats.num_gc));
	ASSERT_TRUE(marked(h, filled));

	/* Room again: by dropping, without an explicit collection, ... */
	h->stack->top = filled / 2;
	for (i = filled / 2; i < filled / 2 + 1000; i++) {
		ASSERT_TRUE(push_marked(h, i));
	}
	ASSERT_EQ(0, gh_stats(h->fd, &after));
	EXPECT_LT(stats.num_gc, after.num_gc);
	EXPECT_EQ(0, after.num_forced_gc);
	ASSERT_TRUE(marked(h, filled / 2 + 1000));
	/* ... and by a higher limit. */
	for (; i < LIMIT / KIB; i++)
		if (!push_marked(h, i))
			break;
	EXPECT_LE(filled - filled / 32, i);
	ASSERT_TRUE(set_limit(dir, LIMIT + 8 * MIB));
	ASSERT_TRUE(push_marked(h, i));
	EXPECT_TRUE(marked(h, i + 1));

	EXPECT_EQ(0, event(dir, "oom"));
	EXPECT_EQ(0, event(dir, "oom_kill"));
	heap_close(h);
}

/* Allocate garbage; false if an allocation was refused. */
static bool make_garbage(struct heap *h, __u64 sum, __u64 bytes)
{
	goheap_ref refs[64];
	__u64 made;
	__u32 done;

	for (made = 0; made < sum; made += done * bytes)
		if (gh_alloc(h->fd, bytes, 0, ARRAY_SIZE(refs), refs, &done))
			return false;
	return true;
}

/* Garbage alone fails nothing at the limit, whether collections are on or not. */
TEST_F(memcg, limit_and_garbage)
{
	static const int percents[] = { -1, 400 };
	struct goheap_stats before, after;
	struct heap *h = &self->heap;
	const char *dir = self->dir;
	unsigned int i, k;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, open_in(h, dir));
	ASSERT_TRUE(enter(self->cgroups.home));
	ASSERT_TRUE(set_limit(dir, LIMIT));
	ASSERT_EQ(0, event(dir, "max"));
	for (k = 0; k < 8 * KIB; k++) {
		ASSERT_TRUE(push_marked(h, k));
	}
	for (i = 0; i < ARRAY_SIZE(percents); i++) {
		ASSERT_EQ(0, gh_param_set(h->fd, GOHEAP_PARAM_GC_PERCENT,
					  percents[i]));
		ASSERT_EQ(0, gh_stats(h->fd, &before));
		EXPECT_TRUE(make_garbage(h, 64 * MIB, KIB));
		EXPECT_TRUE(make_garbage(h, 64 * MIB, 200 * KIB));
		EXPECT_TRUE(make_garbage(h, 32 * MIB, 5000));
		ASSERT_EQ(0, gh_stats(h->fd, &after));
		EXPECT_LE(before.num_gc + 5, after.num_gc);
		EXPECT_EQ(0, after.num_forced_gc);
		EXPECT_TRUE(marked(h, 8 * KIB));
	}
	EXPECT_GE(LIMIT, usage(dir));
	EXPECT_EQ(0, event(dir, "oom"));
	EXPECT_EQ(0, event(dir, "oom_kill"));
	EXPECT_EQ(8 * KIB, heap_live(h));
	heap_close(h);
}

/*
 * A whole program makes twice as much garbage as the limit. Its page faults
 * could end it, but the pacer keeps it away from there.
 */
TEST_F(memcg, member)
{
	struct heap *h = &self->heap;
	const char *dir = self->dir;
	unsigned int round, i;
	pid_t pid;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_TRUE(set_limit(dir, LIMIT));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_CHECK(open_in(h, dir) == 0);
		CHILD_CHECK(gh_param_set(h->fd, GOHEAP_PARAM_GC_PERCENT,
					 100) == 0);
		for (i = 0; i < 4 * KIB; i++)
			CHILD_CHECK(push_marked(h, i));
		for (round = 0; round < 32; round++) {
			h->stack->top = 4 * KIB;
			for (i = 0; i < KIB; i++)
				CHILD_CHECK(push_marked(h, i));
			CHILD_CHECK(make_garbage(h, MIB, 500));
		}
		CHILD_CHECK(marked(h, 4 * KIB));
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_EQ(0, event(dir, "oom_kill"));
}

/* The heap's own word about its limit, once it has got memory. */
static __u64 effective_limit(struct heap *h)
{
	__u64 top = h->stack->top;
	unsigned int i;

	for (i = 0; i < 8; i++)
		heap_push(h, 256 * KIB, 0);
	h->stack->top = top;
	usleep(300 * 1000);
	return heap_metric(h, "gc/effective-limit:bytes");
}

/*
 * The limit is followed without the program's doing, whatever is set: max or
 * high, in the cgroup or above it, and beside a limit of the program's.
 */
TEST_F(memcg, follows)
{
	struct heap *h = &self->heap;
	const char *dir = self->dir;
	unsigned int i;
	char inner[224];
	__u64 limit;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_TRUE(write_text(dir, "cgroup.subtree_control", "+memory"));
	snprintf(inner, sizeof(inner), "%s/inner", dir);
	ASSERT_EQ(0, mkdir(inner, 0755));
	ASSERT_EQ(0, open_in(h, inner));
	ASSERT_TRUE(enter(self->cgroups.home));
	EXPECT_EQ(S64_MAX, effective_limit(h));

	/* A sixteenth is kept back, and others take something. */
	ASSERT_TRUE(set_limit(inner, 64 * MIB));
	limit = effective_limit(h);
	EXPECT_GE(60 * MIB, limit);
	EXPECT_LE(48 * MIB, limit);
	ASSERT_TRUE(set_high(inner, LIMIT));
	limit = effective_limit(h);
	EXPECT_GE(30 * MIB, limit);
	EXPECT_LE(20 * MIB, limit);
	ASSERT_TRUE(set_high(dir, LIMIT / 2));
	limit = effective_limit(h);
	EXPECT_GE(15 * MIB, limit);
	EXPECT_LE(6 * MIB, limit);
	ASSERT_EQ(0, gh_param_set(h->fd, GOHEAP_PARAM_MEMORY_LIMIT, 5 * MIB));
	EXPECT_EQ(5 * MIB, effective_limit(h));
	ASSERT_EQ(0, gh_param_set(h->fd, GOHEAP_PARAM_MEMORY_LIMIT, GIB));
	limit = effective_limit(h);
	EXPECT_GE(15 * MIB, limit);
	EXPECT_LE(6 * MIB, limit);

	ASSERT_TRUE(write_text(dir, "memory.high", "max"));
	ASSERT_TRUE(write_text(inner, "memory.high", "max"));
	limit = effective_limit(h);
	EXPECT_GE(60 * MIB, limit);
	EXPECT_LE(40 * MIB, limit);
	/* That of a cgroup that is gone counts no more, once it is. */
	ASSERT_EQ(0, rmdir(inner));
	for (i = 0; i < 100 && effective_limit(h) != GIB; i++)
		;
	EXPECT_EQ(GIB, heap_metric(h, "gc/effective-limit:bytes"));
	ASSERT_EQ(0, gh_param_set(h->fd, GOHEAP_PARAM_MEMORY_LIMIT, S64_MAX));
	EXPECT_EQ(S64_MAX, effective_limit(h));
	EXPECT_EQ(0, event(dir, "oom_kill"));
	heap_close(h);
}

/* The limit moves while a program allocates. */
TEST_F(memcg, moves)
{
	/* Every other one is lower than the one before. */
	static const __u64 limits[] = { 80, 16, 32, 12, 64, 12 };
	struct heap *h = &self->heap;
	const char *dir = self->dir;
	unsigned int i, k;
	int down[2];
	pid_t pid;
	char c;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, open_in(h, dir));
	ASSERT_TRUE(enter(self->cgroups.home));
	ASSERT_TRUE(set_limit(dir, 64 * MIB));
	ASSERT_EQ(0, pipe2(down, O_NONBLOCK));
	for (i = 0; i < 4 * KIB; i++) {
		ASSERT_TRUE(push_marked(h, i));
	}
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(down[1]);
		while (read(down[0], &c, 1) < 0)
			CHILD_CHECK(make_garbage(h, 4 * MIB, 2000));
		_exit(0);
	}
	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		EXPECT_TRUE(i % 2 ? set_limit_below(dir, limits[i] * MIB) :
				    set_limit(dir, limits[i] * MIB));
		usleep(500 * 1000);
		for (k = 0; k < 200; k++) {
			if (usage(dir) <= (__s64)(limits[i] * MIB))
				break;
			usleep(100 * 1000);
		}
		EXPECT_GE(limits[i] * MIB, usage(dir))
			TH_LOG("%llu MiB", limits[i]);
	}
	close(down[1]);
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_TRUE(marked(h, 4 * KIB));
	EXPECT_EQ(0, event(dir, "oom_kill"));
	close(down[0]);
	heap_close(h);
}

/* More is live than the limit: an error, soon, and nothing lost. */
TEST_F(memcg, below_use)
{
	struct heap *h = &self->heap;
	const char *dir = self->dir;
	goheap_ref ref = 0;
	__u64 start, i;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, open_in(h, dir));
	ASSERT_TRUE(enter(self->cgroups.home));
	for (i = 0; i < 24 * KIB; i++) {
		ASSERT_TRUE(push_marked(h, i));
	}
	ASSERT_TRUE(set_limit_below(dir, LIMIT / 2));
	EXPECT_LE(LIMIT / 2, usage(dir));
	start = now_ms();
	while (!gh_alloc(h->fd, 30 * KIB, 0, 1, &ref, NULL))
		;
	EXPECT_EQ(-ENOMEM, gh_alloc(h->fd, MIB, 0, 1, &ref, NULL));
	EXPECT_EQ(-ENOMEM, gh_alloc(h->fd, 30 * KIB, 0, 1, &ref, NULL));
	EXPECT_GE(60 * 1000, now_ms() - start);
	EXPECT_TRUE(marked(h, 24 * KIB));
	ASSERT_TRUE(set_limit(dir, 2 * LIMIT));
	EXPECT_EQ(0, gh_alloc(h->fd, MIB, 0, 1, &ref, NULL));
	EXPECT_TRUE(make_garbage(h, 64 * MIB, KIB));
	EXPECT_TRUE(marked(h, 24 * KIB));
	EXPECT_EQ(0, event(dir, "oom_kill"));
	heap_close(h);
}

/*
 * A member of a cgroup above its memory.high is slowed down, and it alone: who
 * has nothing to do with the cgroup but the heap is not.
 */
TEST_F(memcg, high)
{
	struct heap *h = &self->heap;
	const char *dir = self->dir;
	__u64 start, took, most = 0;
	goheap_ref ref;
	int status;
	pid_t pid;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, open_in(h, dir));
	ASSERT_TRUE(enter(self->cgroups.home));
	ASSERT_TRUE(set_high(dir, LIMIT));
	/* Garbage stays below it. */
	ASSERT_TRUE(make_garbage(h, 128 * MIB, 3000));
	EXPECT_EQ(0, event(dir, "high"));
	ASSERT_TRUE(set_high(dir, 8 * MIB));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		unsigned int i;

		CHILD_CHECK(enter(dir));
		heap_detach(h);
		CHILD_CHECK(heap_attach(h) == 0);
		for (i = 0; i < 4; i++)
			CHILD_CHECK(heap_push(h, 8 * MIB, 0));
		_exit(0);
	}
	while (!waitpid(pid, &status, WNOHANG)) {
		start = now_ms();
		EXPECT_EQ(0, gh_alloc(h->fd, 100, 0, 1, &ref, NULL));
		took = now_ms() - start;
		most = took > most ? took : most;
		usleep(10 * 1000);
	}
	EXPECT_EQ(0, status);
	EXPECT_LT(0, event(dir, "high"));
	EXPECT_GE(1500, most)
		TH_LOG("%llu ms", most);
	EXPECT_EQ(0, event(dir, "oom_kill"));
	heap_close(h);
}

/* Pages without objects are there for whoever else is in the cgroup. */
TEST_F(memcg, shrinks)
{
	struct heap *h = &self->heap;
	const char *dir = self->dir;
	pid_t pid;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, open_in(h, dir));
	ASSERT_TRUE(enter(self->cgroups.home));
	ASSERT_EQ(20, heap_push_many(h, MIB, 0, 20));
	h->stack->top = 0;
	ASSERT_EQ(0, gh_collect(h->fd));
	ASSERT_LE(20 * MIB, usage(dir));
	ASSERT_TRUE(set_limit(dir, LIMIT));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		char *p;

		CHILD_CHECK(enter(dir));
		p = mmap(NULL, 24 * MIB, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHILD_CHECK(p != MAP_FAILED);
		memset(p, 1, 24 * MIB);
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(pid));
	EXPECT_LE(8 * MIB, heap_metric(h, "memory/shrinker-released:bytes"));
	EXPECT_EQ(0, event(dir, "oom_kill"));

	/* The limit falls below what is free. */
	h->stack->top = 0;
	ASSERT_EQ(16, heap_push_many(h, MIB, 0, 16));
	h->stack->top = 0;
	ASSERT_EQ(0, gh_collect(h->fd));
	ASSERT_TRUE(set_limit(dir, 10 * MIB));
	EXPECT_GE(10 * MIB, usage(dir));
	EXPECT_EQ(0, event(dir, "oom"));
	heap_close(h);
}

TEST_HARNESS_MAIN
