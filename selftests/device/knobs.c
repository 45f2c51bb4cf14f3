// SPDX-License-Identifier: GPL-2.0
/*
 * Knobs: parameters by command and through sysfs, what they have the kernel
 * write, the checks and stress modes, collections that nobody asks for, and
 * tracepoints.
 */
#include <ctype.h>
#include <regex.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "goheap_test.h"

#define SYSFS	"/sys/kernel/goheap"
#define TRACING	"/sys/kernel/tracing"

/* Somebody who is not root, and may not become it. */
#define NOBODY	65534

FIXTURE(knobs) {
	struct heap heap;
	int fd;
	__u32 node;
};

FIXTURE_SETUP(knobs)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
	self->node = gh_layout_words(self->fd, 2, 1);
}

FIXTURE_TEARDOWN(knobs)
{
	heap_close(&self->heap);
}

static const struct knob {
	const char *name;
	__u32 id;
	__s64 dflt;
	__s64 max;
	__s64 other;
} table[] = {
	{ "gogc", GOHEAP_PARAM_GC_PERCENT, -1, 10000000, 50 },
	{ "gomemlimit", GOHEAP_PARAM_MEMORY_LIMIT, S64_MAX, S64_MAX, GIB },
	{ "maxheap", GOHEAP_PARAM_MAX_HEAP, 0, S64_MAX, GIB },
	{ "gctrace", GOHEAP_PARAM_GCTRACE, 0, 2, 1 },
	{ "invalidptr", GOHEAP_PARAM_INVALIDPTR, 1, 1, 0 },
	{ "scavtrace", GOHEAP_PARAM_SCAVTRACE, 0, 1, 1 },
	{ "madvdontneed", GOHEAP_PARAM_MADVDONTNEED, 1, 1, 0 },
	{ "gcpacertrace", GOHEAP_PARAM_GCPACERTRACE, 0, 1, 1 },
	{ "gcstoptheworld", GOHEAP_PARAM_GCSTOPTHEWORLD, 0, 2, 2 },
	{ "gccheckmark", GOHEAP_PARAM_GCCHECKMARK, 0, 1, 1 },
	{ "clobberfree", GOHEAP_PARAM_CLOBBERFREE, 0, 1, 1 },
	{ "gcstress", GOHEAP_PARAM_GCSTRESS, 0, S64_MAX, 1000 },
	{ "gcverify", GOHEAP_PARAM_GCVERIFY, 0, 1, 1 },
	{ "gcperiod", GOHEAP_PARAM_GCPERIOD, 120000, 31536000000LL, 0 },
};

static void knob_path(const struct heap *h, const char *name, char *path)
{
	sprintf(path, SYSFS "/%u/knobs/%s", h->info.heap_id, name);
}

/* Write to a knob: 0 or the negative errno. */
static int knob_write(const struct heap *h, const char *name, const char *text)
{
	char path[256];
	ssize_t n;
	int fd, err = 0;

	knob_path(h, name, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	if (n != (ssize_t)strlen(text))
		err = n < 0 ? -errno : -EIO;
	close(fd);
	return err;
}

static __s64 knob_read(const struct heap *h, const char *name)
{
	char path[256];
	__s64 value = (__s64)NO_REF;
	FILE *f;

	knob_path(h, name, path);
	f = fopen(path, "re");
	if (!f)
		return value;
	if (fscanf(f, "%lld", &value) != 1)
		value = (__s64)NO_REF;
	fclose(f);
	return value;
}

/* By command and through sysfs: the same values. */
TEST_F(knobs, sysfs)
{
	struct heap *h = &self->heap;
	unsigned int i;
	char text[32];
	__s64 value = 0;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const struct knob *k = &table[i];

		EXPECT_EQ(k->dflt, knob_read(h, k->name))
			TH_LOG("%s", k->name);
		sprintf(text, "%lld\n", k->other);
		EXPECT_EQ(0, knob_write(h, k->name, text))
			TH_LOG("%s", k->name);
		EXPECT_EQ(0, gh_param_get(self->fd, k->id, &value));
		EXPECT_EQ(k->other, value);
		EXPECT_EQ(0, gh_param_set(self->fd, k->id, k->dflt));
		EXPECT_EQ(k->dflt, knob_read(h, k->name));
	}
	EXPECT_EQ(0, knob_write(h, "gomemlimit", "4096"));
	EXPECT_EQ(0, knob_write(h, "gomemlimit", "off\n"));
	EXPECT_EQ(S64_MAX, knob_read(h, "gomemlimit"));
	EXPECT_EQ(0, knob_write(h, "gogc", "70"));
	EXPECT_EQ(0, knob_write(h, "gogc", "off"));
	EXPECT_EQ(-1, knob_read(h, "gogc"));
}

static const struct {
	const char *text;
	int err;
} nonsense[] = {
	{ "\n", -EINVAL },
	{ "off and on", -EINVAL },
	{ "1x", -EINVAL },
	{ "on", -EINVAL },
	{ "0x1", -EINVAL },
	{ "1 1", -EINVAL },
	{ " 1", -EINVAL },
	{ "1.5", -EINVAL },
	{ "1MiB", -EINVAL },
	{ "1e3", -EINVAL },
	{ "--1", -EINVAL },
	{ "-2", -EINVAL },
	{ "-9223372036854775808", -EINVAL },
	{ "9223372036854775808", -ERANGE },
	{ "99999999999999999999", -ERANGE },
	{ "-99999999999999999999", -ERANGE },
};

/* What makes no sense changes nothing, and it is said why. */
TEST_F(knobs, bad_values)
{
	struct heap *h = &self->heap;
	unsigned int i, n;
	char text[32];

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		const struct knob *k = &table[i];

		ASSERT_EQ(0, gh_param_set(self->fd, k->id, k->other));
		for (n = 0; n < ARRAY_SIZE(nonsense); n++) {
			EXPECT_EQ(nonsense[n].err,
				  knob_write(h, k->name, nonsense[n].text))
				TH_LOG("%s: %s", k->name, nonsense[n].text);
			EXPECT_EQ(k->other, knob_read(h, k->name));
		}
		if (k->max != S64_MAX) {
			EXPECT_EQ(-EINVAL, gh_param_set(self->fd, k->id,
							k->max + 1));
			sprintf(text, "%lld", k->max + 1);
			EXPECT_EQ(-EINVAL, knob_write(h, k->name, text));
		}
		EXPECT_EQ(-EINVAL, gh_param_set(self->fd, k->id, -2));
		EXPECT_EQ(-EINVAL, gh_param_set(self->fd, k->id, INT64_MIN));
		EXPECT_EQ(k->other, knob_read(h, k->name));
		EXPECT_EQ(0, gh_param_set(self->fd, k->id, k->max));
		EXPECT_EQ(0, gh_param_set(self->fd, k->id, k->dflt));
	}
	EXPECT_EQ(-EINVAL, knob_write(h, "gctrace", "off"));
	EXPECT_EQ(-EINVAL, knob_write(h, "gctrace", "3"));
}

/* The file belongs to who has opened the heap; others only read. */
TEST_F(knobs, owner)
{
	char path[256];
	struct heap h;
	struct stat st;
	pid_t pid;

	knob_path(&self->heap, "gctrace", path);
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ(0644, st.st_mode & 07777);
	EXPECT_EQ(geteuid(), st.st_uid);
	if (geteuid())
		return;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		CHILD_CHECK(!setgid(NOBODY) && !setuid(NOBODY));
		CHILD_CHECK(knob_write(&self->heap, "gctrace", "1") == -EACCES);
		CHILD_CHECK(knob_read(&self->heap, "gctrace") == 0);
		CHILD_CHECK(!heap_open(&h, GIB, 0));
		knob_path(&h, "gcstress", path);
		CHILD_CHECK(!stat(path, &st) && st.st_uid == NOBODY &&
			    st.st_gid == NOBODY);
		CHILD_CHECK(!knob_write(&h, "gcstress", "7"));
		CHILD_CHECK(knob_read(&h, "gcstress") == 7);
		/* A heap that ends takes the files with it. */
		heap_close(&h);
		_exit(0);
	}
	EXPECT_EQ(0, wait_for(pid));
}

/* A list of @n nodes in slot 0. */
static bool make_list(struct heap *h, __u32 node, unsigned int n)
{
	h->stack->slots[0] = 0;
	h->stack->top = 1;
	while (n--) {
		goheap_ref ref = heap_push(h, 16, node);

		if (!ref)
			return false;
		*heap_word(h, ref, 0) = h->stack->slots[0];
		*heap_word(h, ref, 1) = n;
		h->stack->slots[0] = ref;
		h->stack->top = 1;
	}
	return true;
}

static unsigned int list_length(struct heap *h)
{
	unsigned int n = 0;
	goheap_ref ref;

	for (ref = h->stack->slots[0]; ref; ref = *heap_word(h, ref, 0))
		if (*heap_word(h, ref, 1) != n++)
			return ~0U;
	return n;
}

/*
 * Whatever is switched on, the heap stays what it is, and nothing is found. The
 * list is made without the write barrier, so if collections may start meanwhile
 * they have to stop the world.
 */
TEST_F(knobs, modes)
{
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	unsigned int mode;

	for (mode = 0; mode < 24; mode++) {
		ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCSTOPTHEWORLD,
					  mode < 12 ? mode % 3 : 1 + mode % 2));
		ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCCHECKMARK,
					  mode / 3 & 1));
		ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_CLOBBERFREE,
					  mode / 6 & 1));
		ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCVERIFY,
					  mode / 12 & 1));
		ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCSTRESS,
					  mode / 12 & 1 ? 3 : 0));
		ASSERT_TRUE(make_list(h, self->node, 3000));
		EXPECT_EQ(3000, heap_live(h))
			TH_LOG("mode %u", mode);
		EXPECT_EQ(3000, list_length(h));
	}
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.check_failures);
	EXPECT_EQ(0, stats.check_doubts);
	EXPECT_EQ(0, heap_metric(h, "gc/checkmark-failures:objects"));
}

/* A list that takes a while to mark, in slot 0; returns the node at its end. */
static goheap_ref make_long_list(struct heap *h, __u32 node, unsigned int n)
{
	goheap_ref *slots = h->stack->slots;
	goheap_ref last = 0;

	slots[0] = 0;
	for (; n; n -= 1000) {
		h->stack->top = 1;
		if (heap_push_many(h, 16, node, 1000) != 1000)
			return 0;
		/* In strides, so that neighbours are far apart in the list. */
		for (unsigned int i = 0; i < 1000; i++) {
			goheap_ref ref = slots[1 + i * 7 % 1000];

			if (!last)
				last = ref;
			*heap_word(h, ref, 0) = slots[0];
			slots[0] = ref;
		}
	}
	h->stack->top = 1;
	return last;
}

/*
 * Move the reference at the end of the list to a slot that has been read by then,
 * perhaps, and say nothing of it. It leads to an object that leads to another.
 * Returns whether both are left; less than 0 if it could not be tried.
 */
static int move_silently(struct heap *h, __u32 node, goheap_ref last, int delay)
{
	goheap_ref *slots = h->stack->slots, ref, leaf;
	__u64 cycles = heap_cycles(h);
	pthread_t t;

	/* The topmost slot would be a doubt. */
	slots[2] = 0;
	h->stack->top = 1;
	ref = heap_push(h, 16, node);
	if (!ref || gh_alloc(h->fd, 16, 0, 1, heap_word(h, ref, 0), NULL))
		return -1;
	leaf = *heap_word(h, ref, 0);
	*heap_word(h, last, 0) = ref;
	slots[1] = 0;
	h->stack->top = 3;
	if (pthread_create(&t, NULL, collect_once, h))
		return -1;
	wait_for_marking(h, cycles);
	for (__u64 end = now_ns() + delay * 1000; now_ns() < end;)
		;
	slots[1] = ref;
	*heap_word(h, last, 0) = 0;
	pthread_join(t, NULL);
	return heap_has(h, ref) && heap_has(h, leaf);
}

/* What a program loses for want of a barrier is found and kept, whole. */
TEST_F(knobs, checkmark_finds)
{
	struct heap *h = &self->heap;
	struct goheap_stats stats = { };
	goheap_ref last;
	int i;

	last = make_long_list(h, self->node, 100000);
	ASSERT_NE(0, last);
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCCHECKMARK, 1));
	for (i = 0; i < 400 && stats.check_failures < 3; i++) {
		ASSERT_EQ(1, move_silently(h, self->node, last, i % 20 * 20));
		ASSERT_EQ(0, gh_stats(self->fd, &stats));
	}
	EXPECT_LE(3, stats.check_failures)
		TH_LOG("%d tries", i);
	/* The heap goes on as if nothing had been. */
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCCHECKMARK, 0));
	EXPECT_EQ(100002, heap_live(h));
}

/* Enough for helpers to be called, while programs are held off. */
TEST_F(knobs, stop_large)
{
	struct heap *h = &self->heap;
	unsigned int i;

	ASSERT_NE(0, make_long_list(h, self->node, 300000));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCSTOPTHEWORLD,
					  1 + i % 2));
		ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCCHECKMARK,
					  i / 2));
		EXPECT_EQ(300000, heap_live(h));
	}
}

TEST_F(knobs, clobber)
{
	struct heap *h = &self->heap;
	goheap_ref dead, live;

	live = heap_push(h, 64, 0);
	dead = heap_push(h, 64, 0);
	memset(heap_ptr(h, live), 1, 64);
	memset(heap_ptr(h, dead), 2, 64);
	h->stack->top = 1;
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_CLOBBERFREE, 1));
	ASSERT_EQ(0, gh_collect(self->fd));
	EXPECT_TRUE(all_bytes(heap_ptr(h, live), 1, 64));
	EXPECT_TRUE(all_bytes(heap_ptr(h, dead), 0xdb, 64));
	h->stack->top = 0;
	ASSERT_EQ(128, heap_push_many(h, 64, 0, 128));
	EXPECT_TRUE(all_bytes(heap_ptr(h, dead), 0, 64));
}

/* With GOGC off nothing else would start one. */
TEST_F(knobs, stress)
{
	struct goheap_stats before, after;
	unsigned int i;

	ASSERT_EQ(0, gh_stats(self->fd, &before));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCSTRESS, 5));
	for (i = 0; i < 400; i++) {
		ASSERT_NE(0, heap_push(&self->heap, 8 * KIB, 0));
	}
	ASSERT_EQ(0, gh_stats(self->fd, &after));
	EXPECT_LE(before.num_gc + 3, after.num_gc);
	EXPECT_EQ(before.num_forced_gc, after.num_forced_gc);
}

/* Wait for a cycle more than @n, for @tenths of a second. */
static __u64 wait_for_cycle(int fd, __u64 n, unsigned int tenths)
{
	struct goheap_stats stats = { };

	do {
		usleep(100000);
		gh_stats(fd, &stats);
	} while (stats.num_gc <= n && tenths--);
	return stats.num_gc;
}

TEST_F(knobs, period)
{
	struct goheap_cycle cycle;
	struct goheap_stats stats;

	EXPECT_EQ(-EINVAL, gh_param_set(self->fd, GOHEAP_PARAM_GCPERIOD, 1));
	EXPECT_EQ(-EINVAL, gh_param_set(self->fd, GOHEAP_PARAM_GCPERIOD, 999));
	EXPECT_EQ(-EINVAL, knob_write(&self->heap, "gcperiod", "999"));
	EXPECT_EQ(120000, knob_read(&self->heap, "gcperiod"));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCPERIOD, 1000));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT, 100));
	ASSERT_NE(0, heap_push(&self->heap, 64, 0));
	/* Not the first one. */
	EXPECT_EQ(0, wait_for_cycle(self->fd, 0, 15));
	ASSERT_EQ(0, gh_collect(self->fd));
	EXPECT_LE(2, wait_for_cycle(self->fd, 1, 200));
	ASSERT_EQ(0, gh_cycle(self->fd, 2, &cycle));
	EXPECT_EQ(GOHEAP_CYCLE_PERIODIC, cycle.reason);
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(1, stats.num_forced_gc);
	/* Not with GOGC off, and not without a period. */
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT, -1));
	ASSERT_EQ(0, gh_collect(self->fd));
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(stats.num_gc, wait_for_cycle(self->fd, stats.num_gc, 15));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCPERIOD, 0));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT, 100));
	ASSERT_EQ(0, gh_collect(self->fd));
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(stats.num_gc, wait_for_cycle(self->fd, stats.num_gc, 15));
}

/* Lines of the kernel log that match, from where it is read. */
static unsigned int count_lines(int log, const char *pattern)
{
	unsigned int n = 0;
	char line[8192];
	regex_t regex;
	ssize_t len;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB))
		return ~0U;
	while ((len = read(log, line, sizeof(line) - 1)) > 0 ||
	       (len < 0 && errno == EPIPE)) {
		if (len < 0)
			continue;
		line[len] = '\0';
		n += !regexec(&regex, line, 0, NULL, 0);
	}
	regfree(&regex);
	return n;
}

/* Lines that one collection writes. */
static unsigned int lines_of(struct heap *h, int log, const char *pattern)
{
	lseek(log, 0, SEEK_END);
	if (gh_collect(h->fd))
		return ~0U;
	/* The sweep's line comes before the collection returns, or just after. */
	usleep(300000);
	return count_lines(log, pattern);
}

#define FLOAT	"\\+[0-9]\\.[0-9]{6}e[+-][0-9]{3}"

TEST_F(knobs, traces)
{
	static const char gc[] =
		": gc [0-9]+ @[0-9]+\\.[0-9]{3}s [0-9]+%: [0-9.]+\\+[0-9.]+\\+[0-9.]+ ms clock, [0-9.]+\\+[0-9.]+/[0-9.]+/[0-9.]+\\+[0-9.]+ ms cpu, [0-9]+->[0-9]+->[0-9]+ MB, [0-9]+ MB goal, [0-9]+ MB stacks, [0-9]+ MB globals, [0-9]+ P \\(forced\\)";
	static const char scan[] = ": scan: total 1000 objs";
	static const char *const pacer[] = {
		": pacer: assist ratio=" FLOAT " \\(scan [0-9]+ MB in [0-9]+->[0-9]+ MB\\) workers=[0-9]+\\+" FLOAT,
		": pacer: [0-9]+% CPU \\(25 exp\\.\\) for [0-9]+\\+[0-9]+\\+[0-9]+ B work \\([0-9]+ B exp\\.\\) in [0-9]+ B -> [0-9]+ B \\(.*goal -?[0-9]+, cons/mark " FLOAT "\\)",
		": pacer: sweep done at heap size [0-9]+MB; allocated [0-9]+MB during sweep; swept [0-9]+ pages at " FLOAT " pages/byte",
	};
	struct heap *h = &self->heap;
	unsigned int i;
	int log;

	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log < 0)
		SKIP(return, "no kernel log to read");
	ASSERT_TRUE(make_list(h, self->node, 1000));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GC_PERCENT, 100));
	EXPECT_EQ(0, lines_of(h, log, "goheap: heap .* (gc|pacer|scan)"));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCTRACE, 1));
	EXPECT_EQ(1, lines_of(h, log, gc));
	EXPECT_EQ(0, lines_of(h, log, scan));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCTRACE, 2));
	EXPECT_EQ(1, lines_of(h, log, gc));
	EXPECT_EQ(1, lines_of(h, log, scan));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCTRACE, 0));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCPACERTRACE, 1));
	for (i = 0; i < ARRAY_SIZE(pacer); i++) {
		EXPECT_EQ(1, lines_of(h, log, pacer[i]))
			TH_LOG("line %u", i);
	}
	close(log);
}

/* A heap that writes much is cut off, and takes nothing from others. */
TEST_F(knobs, log_limit)
{
	struct heap h;
	int log, i;

	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log < 0)
		SKIP(return, "no kernel log to read");
	ASSERT_EQ(0, heap_open(&h, GIB, 0));
	ASSERT_NE(0, heap_push(&h, 64, 0));
	ASSERT_EQ(0, gh_param_set(h.fd, GOHEAP_PARAM_GCTRACE, 1));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCTRACE, 2));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_GCPACERTRACE, 1));
	lseek(log, 0, SEEK_END);
	/* 5 lines each. */
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, gh_collect(self->fd));
	}
	EXPECT_GT(400, count_lines(log, "goheap: heap .* (gc|pacer|scan)"));
	EXPECT_EQ(1, lines_of(&h, log, "goheap: heap .* gc "));
	heap_close(&h);
	close(log);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return done;
}

/* The names of this heap's events, one letter for each that is known. */
static void read_events(struct heap *h, char *letters, size_t size)
{
	static const char *const names[] = {
		"goheap_cycle_start:", "goheap_mark_start:",
		"goheap_handshake:", "goheap_mark_done:",
		"goheap_mark_term:", "goheap_worker:",
		"goheap_sweep:", "goheap_sweep_done:", "goheap_refill:",
	};
	char line[1024], id[32];
	unsigned int i;
	size_t n = 0;
	FILE *f;

	sprintf(id, "heap=%u ", h->info.heap_id);
	f = fopen(TRACING "/trace", "re");
	while (f && fgets(line, sizeof(line), f))
		for (i = 0; i < ARRAY_SIZE(names) && n < size - 1; i++)
			if (strstr(line, names[i]) && strstr(line, id))
				letters[n++] = "SmhdtwvVr"[i];
	letters[n] = '\0';
	if (f)
		fclose(f);
}

/* The phases of a cycle, in their order. */
TEST_F(knobs, tracepoints)
{
	char letters[4096] = "";
	regex_t regex;

	mount("tracefs", TRACING, "tracefs", 0, NULL);
	if (access(TRACING "/events/goheap/enable", W_OK))
		SKIP(return, "no tracepoints");
	ASSERT_TRUE(write_file(TRACING "/trace", "\n"));
	ASSERT_TRUE(write_file(TRACING "/events/goheap/enable", "1"));
	EXPECT_NE(0, heap_push(&self->heap, 64, 0));
	EXPECT_EQ(0, gh_collect(self->fd));
	EXPECT_EQ(0, gh_collect(self->fd));
	usleep(300000);
	EXPECT_TRUE(write_file(TRACING "/events/goheap/enable", "0"));
	read_events(&self->heap, letters, sizeof(letters));
	EXPECT_EQ(0, regcomp(&regex, "^r(Smh*dtwvV){2}$", REG_EXTENDED));
	EXPECT_EQ(0, regexec(&regex, letters, 0, NULL, 0))
		TH_LOG("%s", letters);
	regfree(&regex);
}

TEST_HARNESS_MAIN
