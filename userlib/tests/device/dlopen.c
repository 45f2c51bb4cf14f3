// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Variables of shared objects that come and go while a heap is in use: data, bss
 * and thread-local ones keep what they refer to as soon as the library has looked
 * at them, whatever was at their place before, and nothing keeps anything once
 * they have gone.
 *
 * The test's own references are inverted, so that they keep nothing. A program of
 * its own because it is not static; it carries the shared objects along.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "plugin.h"

int tap_failures;

/*
 * Of plugins.S: two shared objects, as they would be in files. Where one was there
 * is room for the other, and hardly anywhere else.
 */
extern const char plugin_small[], plugin_small_end[];
extern const char plugin_large[], plugin_large_end[];

/**
 * struct loaded - a shared object that is loaded
 * @dl: of dlopen()
 * @variables: where they are
 * @thread_local_refs: the calling thread's
 * @hidden: references of objects, inverted
 */
struct loaded {
	void *dl;
	struct plugin (*variables)(void);
	goheap_ref *(*thread_local_refs)(void);
	goheap_ref hidden[PLUGIN_REFS];
};

static bool load(struct loaded *l, const char *start, const char *end)
{
	char path[64];
	int fd = memfd_create("plugin", MFD_CLOEXEC);

	l->dl = NULL;
	if (fd < 0 || write(fd, start, (size_t)(end - start)) != end - start)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	l->dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	close(fd);
	if (!l->dl) {
		printf("# %s\n", dlerror());
		return false;
	}
	*(void **)&l->variables = dlsym(l->dl, "plugin_variables");
	*(void **)&l->thread_local_refs = dlsym(l->dl, "plugin_thread_local");
	return l->variables && l->thread_local_refs;
}

#define LOAD(l, name) load(l, plugin_##name, plugin_##name##_end)

/* Overwrite registers and dead stack frames. */
static __attribute__((noinline)) void clear_stack(void)
{
	volatile char junk[16384];

	memset((void *)junk, 0, sizeof(junk));
	__asm__ volatile("" : : "r"(junk) : "memory");
}

/* Objects that nothing but @to keeps. */
static __attribute__((noinline)) void fill(struct goheap *h, struct loaded *l,
					   goheap_ref *to)
{
	for (int i = 0; i < PLUGIN_REFS; i++) {
		goheap_ref ref = goheap_new(h, GOHEAP_LAYOUT_NOSCAN, 64);

		EXPECT(ref);
		l->hidden[i] = ~ref;
		goheap_store(h, &to[i], ref);
	}
}

static __attribute__((noinline)) int survivors(struct goheap *h,
					       const struct loaded *l)
{
	int n = 0;

	clear_stack();
	EXPECT(!goheap_gc(h));
	for (int i = 0; i < PLUGIN_REFS; i++)
		n += is_object(h, ~l->hidden[i]);
	return n;
}

static void forget(struct goheap *h, goheap_ref *refs)
{
	for (int i = 0; i < PLUGIN_REFS; i++)
		goheap_store(h, &refs[i], 0);
}

/* All are kept, and when they are overwritten only what the stack may have. */
static void try_variables(struct goheap *h, struct loaded *l, goheap_ref *refs)
{
	fill(h, l, refs);
	for (int i = 0; i < 3; i++)
		EXPECT(survivors(h, l) == PLUGIN_REFS);
	forget(h, refs);
	EXPECT(survivors(h, l) < PLUGIN_REFS / 4);
}

/* What a thread has taken it goes on with, and does not look. */
static void look(struct goheap *h)
{
	EXPECT(!goheap_update_variables(h));
}

static void try_all(struct goheap *h, struct loaded *l)
{
	try_variables(h, l, l->variables().data);
	try_variables(h, l, l->variables().bss);
	try_variables(h, l, l->variables().refs);
}

/* Load one while the heap is in use; false if that cannot be. */
static bool load_beside(struct goheap *h, struct loaded *l)
{
	EXPECT(goheap_new(h, 0, 64));
	EXPECT(LOAD(l, small));
	return l->dl;
}

static void test_loaded_later(struct goheap *h)
{
	struct loaded l;

	if (!load_beside(h, &l))
		return;
	look(h);
	try_all(h, &l);
	dlclose(l.dl);
}

/* Nobody says that something was loaded: asking for memory is enough. */
static void test_noticed(struct goheap *h)
{
	struct loaded l;

	if (!load_beside(h, &l))
		return;
	EXPECT(goheap_new(h, GOHEAP_LAYOUT_NOSCAN, BIG));
	try_variables(h, &l, l.variables().refs);
	dlclose(l.dl);
}

static void test_unloaded(struct goheap *h)
{
	struct goheap_stats stats;
	struct loaded l;

	EXPECT(LOAD(&l, large));
	if (!l.dl)
		return;
	look(h);
	fill(h, &l, l.variables().refs);
	EXPECT(survivors(h, &l) == PLUGIN_REFS);
	dlclose(l.dl);
	/* Whether it has been noticed or not. */
	EXPECT(survivors(h, &l) < PLUGIN_REFS / 4);
	look(h);
	EXPECT(survivors(h, &l) < PLUGIN_REFS / 4);
	EXPECT(!goheap_stats(h, &stats) && !stats.evictions);
}

/*
 * One after the other at the same place, more or less, and nobody looks in
 * between.
 */
static void test_replaced(struct goheap *h)
{
	struct loaded l;

	for (int i = 0; i < 6; i++) {
		if (i % 2 ? !LOAD(&l, small) : !LOAD(&l, large)) {
			EXPECT(l.dl);
			return;
		}
		look(h);
		try_all(h, &l);
		dlclose(l.dl);
	}
}

static void test_thread_local(struct goheap *h)
{
	struct loaded l;

	EXPECT(goheap_new(h, 0, 64));
	for (int i = 0; i < 3; i++) {
		goheap_ref *refs;

		EXPECT(LOAD(&l, small));
		if (!l.dl)
			return;
		/* They come into being when they are first used. */
		refs = l.thread_local_refs();
		look(h);
		try_variables(h, &l, refs);
		dlclose(l.dl);
	}
}

/* Variables are known to the library first, whatever the program says of them. */
static void test_range_of_variables(struct goheap *h)
{
	struct loaded l;

	if (!load_beside(h, &l))
		return;
	EXPECT(goheap_range_add(h, l.variables().bss, 800) == -1 &&
	       errno == EEXIST);
	EXPECT(goheap_new(h, GOHEAP_LAYOUT_NOSCAN, BIG));
	try_all(h, &l);
	dlclose(l.dl);
}

/* Somebody has registered a part of them behind the library's back. */
static void test_range_in_the_way(struct goheap *h)
{
	struct goheap_range range = { .size = sizeof(range), .bytes = 8 };
	struct loaded l;

	if (!load_beside(h, &l))
		return;
	range.start = (uintptr_t)(l.variables().bss + 1000);
	EXPECT(!ioctl(goheap_fd(h), GOHEAP_IOC_RANGE_ADD, &range));
	EXPECT(goheap_update_variables(h) == -1 && errno == EEXIST);
	EXPECT(!goheap_new(h, GOHEAP_LAYOUT_NOSCAN, BIG) && errno == EEXIST);
	EXPECT(!strcmp(goheap_error(), "cannot register variables: a range of "
				       "the program's is in the way"));
	EXPECT(!goheap_range_remove(h, l.variables().bss + 1000));
	try_variables(h, &l, l.variables().refs);
	dlclose(l.dl);
}

/* The same of thread-local ones, which nobody knows of before they are used. */
static void test_range_of_thread_local(struct goheap *h)
{
	struct loaded l;
	goheap_ref *refs;

	if (!load_beside(h, &l))
		return;
	look(h);
	refs = l.thread_local_refs();
	EXPECT(!goheap_range_add(h, refs, 8));
	EXPECT(goheap_update_variables(h) == -1 && errno == EEXIST);
	EXPECT(!goheap_range_remove(h, refs));
	look(h);
	try_variables(h, &l, refs);
	dlclose(l.dl);
}

static struct goheap *heap;

static void *load_and_end(void *arg)
{
	struct loaded *l = arg;

	if (!LOAD(l, small))
		return NULL;
	look(heap);
	fill(heap, l, l->variables().refs);
	return l;
}

/* Variables outlive the thread that has loaded them. */
static void test_by_thread(struct goheap *h)
{
	struct loaded l = { 0 };
	pthread_t thread;
	void *result;

	heap = h;
	EXPECT(goheap_new(h, 0, 64));
	EXPECT(!pthread_create(&thread, NULL, load_and_end, &l));
	EXPECT(!pthread_join(thread, &result) && result);
	if (!l.dl)
		return;
	EXPECT(survivors(h, &l) == PLUGIN_REFS);
	dlclose(l.dl);
	look(h);
	EXPECT(survivors(h, &l) < PLUGIN_REFS / 4);
}

static const struct {
	const char *name;
	void (*run)(struct goheap *h);
} tests[] = {
	{ "variables of what is loaded later", test_loaded_later },
	{ "it is noticed when memory is asked for", test_noticed },
	{ "variables of what is unloaded", test_unloaded },
	{ "one takes the place of another", test_replaced },
	{ "thread-local variables of what is loaded later", test_thread_local },
	{ "what another thread has loaded", test_by_thread },
	{ "a range of variables that are new", test_range_of_variables },
	{ "a range in the way of new variables", test_range_in_the_way },
	{ "a range in the way of thread-local variables",
	  test_range_of_thread_local },
};

int main(void)
{
	size_t nr = sizeof(tests) / sizeof(tests[0]);
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%zu\n", nr);
	for (size_t i = 0; i < nr; i++) {
		struct goheap *h = goheap_open(0);

		tap_failures = 0;
		if (h)
			tests[i].run(h);
		else
			tap_failures = 1;
		goheap_close(h);
		printf("%sok %zu - %s\n", tap_failures ? "not " : "", i + 1,
		       tests[i].name);
		failed += !!tap_failures;
	}
	return failed ? 1 : 0;
}
