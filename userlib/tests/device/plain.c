// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Heaps that need no care: references in plain variables, and what a thread
 * takes without a call.
 *
 * Words in dead stack frames may keep some objects longer than they should, so
 * what must go is asked of many objects together.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"

static uint64_t mallocs(struct goheap *h)
{
	struct goheap_mem_stats stats;

	return goheap_read_mem_stats(h, &stats) ? 0 : stats.mallocs;
}

static uint64_t objects(struct goheap *h)
{
	struct goheap_mem_stats stats;

	return goheap_gc(h) || goheap_read_mem_stats(h, &stats)
		       ? 0
		       : stats.heap_objects;
}

static goheap_ref plain_list(struct goheap *h, int layout, uint64_t length)
{
	goheap_ref list = 0;

	for (uint64_t i = 1; i <= length; i++) {
		goheap_ref ref = goheap_new(h, layout, sizeof(struct node));
		struct node *node = goheap_ptr(h, ref);

		if (!node || node->next || node->value)
			return 0;
		node->value = i;
		goheap_store(h, &node->next, list);
		list = ref;
	}
	return list;
}

/* Garbage, and words of it left behind on the stack. */
static __attribute__((noinline)) void litter(struct goheap *h)
{
	for (int i = 0; i < 1000; i++)
		goheap_new(h, GOHEAP_LAYOUT_NOSCAN, 64);
}

void test_plain_locals(struct goheap *h)
{
	int layout = node_layout(h);
	goheap_ref list;

	goheap_set_gc_percent(h, 10);
	for (int i = 0; i < 20; i++) {
		list = plain_list(h, layout, 20000);
		litter(h);
		EXPECT(list && !goheap_gc(h));
		EXPECT(check_list(h, list, 20000));
	}
	list = 0;
	litter(h);
	EXPECT(objects(h) < 40000);
}

static goheap_ref static_list;
static goheap_ref initialised_list = 1;
static __thread goheap_ref thread_list;

void test_plain_variables(struct goheap *h)
{
	int layout = node_layout(h);

	goheap_store(h, &static_list, plain_list(h, layout, 100));
	goheap_store(h, &initialised_list, plain_list(h, layout, 200));
	goheap_store(h, &thread_list, plain_list(h, layout, 300));
	for (int i = 0; i < 10; i++) {
		litter(h);
		EXPECT(!goheap_gc(h));
		plain_list(h, layout, 1000);
	}
	EXPECT(check_list(h, static_list, 100));
	EXPECT(check_list(h, initialised_list, 200));
	EXPECT(check_list(h, thread_list, 300));
	static_list = 0;
	initialised_list = 0;
	thread_list = 0;
}

void test_sizes(struct goheap *h)
{
	goheap_ref kept[200];

	for (int round = 0; round < 3; round++) {
		for (size_t bytes = 1; bytes < 2000; bytes += 7) {
			goheap_ref ref = goheap_new(h, 0, bytes);
			unsigned char *p = goheap_ptr(h, ref);

			EXPECT(p);
			for (size_t i = 0; p && i < bytes; i++)
				EXPECT(!p[i]);
			memset(p, 0xff, bytes);
			kept[bytes % 200] = ref;
		}
		EXPECT(!goheap_gc(h));
	}
	EXPECT(is_object(h, kept[1]) && is_object(h, kept[199]));
}

void test_tiny_objects(struct goheap *h)
{
	uint64_t before = mallocs(h), shared = 0;
	goheap_ref refs[3000];

	for (int i = 0; i < 3000; i++) {
		size_t bytes = 1 + (size_t)i % 15;
		unsigned char *p;

		refs[i] = goheap_new(h, 0, bytes);
		p = goheap_ptr(h, refs[i]);
		EXPECT(p);
		for (size_t k = 0; p && k < bytes; k++)
			EXPECT(!p[k]);
		if (p)
			memset(p, i, bytes);
		if (i && refs[i] >> 4 == refs[i - 1] >> 4)
			shared++;
		if (i % 500 == 499)
			EXPECT(!goheap_gc(h));
	}
	EXPECT(mallocs(h) == before + 3000);
	EXPECT(shared > 500);
	for (int i = 0; i < 3000; i++) {
		unsigned char *p = goheap_ptr(h, refs[i]);

		for (size_t k = 0; k < 1 + (size_t)i % 15; k++)
			EXPECT(p[k] == (unsigned char)i);
	}
}

void test_exact(struct goheap *h)
{
	struct goheap_mem_stats a, b;

	goheap_read_mem_stats(h, &a);
	for (int i = 0; i < 12345; i++) {
		goheap_new(h, 0, 48);
		if (i % 1000 == 0)
			goheap_gc(h);
	}
	goheap_read_mem_stats(h, &b);
	EXPECT(b.mallocs == a.mallocs + 12345);
	EXPECT(b.total_alloc == a.total_alloc + 12345 * 48);
}

void test_ranges(struct goheap *h)
{
	int layout = node_layout(h);
	goheap_ref *told = malloc(4096);
	uint64_t with;

	memset(told, 0, 4096);
	EXPECT(!goheap_range_add(h, told, 4096));
	EXPECT(goheap_range_add(h, told + 1, 8) == -1 && errno == EEXIST);
	goheap_store(h, &told[511], plain_list(h, layout, 50000));
	litter(h);
	with = objects(h);
	EXPECT(with >= 50000 && check_list(h, told[511], 50000));
	EXPECT(!goheap_range_remove(h, told));
	EXPECT(goheap_range_remove(h, told) == -1 && errno == ENOENT);
	told[511] = 0;
	litter(h);
	EXPECT(objects(h) < 50000);
	free(told);
}

/* A thread whose only object is in a thread-local variable. */
static void *keep_thread_local(void *arg)
{
	struct goheap *h = arg;
	uint64_t hidden;

	goheap_store(h, &thread_list, goheap_new(h, 0, BIG));
	if (!thread_list)
		return NULL;
	hidden = ~thread_list;
	litter(h);
	goheap_gc(h);
	return is_object(h, ~hidden) ? h : NULL;
}

static bool thread_keeps_local(struct goheap *h)
{
	pthread_t thread;
	void *result;

	return !pthread_create(&thread, NULL, keep_thread_local, h) &&
	       !pthread_join(thread, &result) && result;
}

static void *new_without_room(void *arg)
{
	goheap_ref ref = goheap_new(arg, 0, BIG);

	return !ref && errno == ENOSPC &&
			       strstr(goheap_error(), "register variables")
		       ? arg
		       : NULL;
}

/* There is no room for a thread's variables: it can have no objects. */
void test_many_ranges(struct goheap *h)
{
	const size_t max = 65536, bytes = max * 16;
	char *m = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;
	void *result;
	size_t n = 0;

	EXPECT(goheap_new(h, 0, 64));
	while (n < max && !goheap_range_add(h, m + 16 * n, 8))
		n++;
	EXPECT(errno == ENOSPC && n < max);
	EXPECT(!pthread_create(&thread, NULL, new_without_room, h));
	EXPECT(!pthread_join(thread, &result) && result);
	EXPECT(!thread_keeps_local(h));
	EXPECT(!goheap_range_remove(h, m + 16 * --n));
	EXPECT(thread_keeps_local(h) && thread_keeps_local(h));
	while (n)
		EXPECT(!goheap_range_remove(h, m + 16 * --n));
	munmap(m, bytes);
}

struct tree {
	goheap_ref left;
	goheap_ref right;
};

static goheap_ref make_tree(struct goheap *h, int layout, int depth)
{
	goheap_ref ref = goheap_new(h, layout, sizeof(struct tree));
	struct tree *t = goheap_ptr(h, ref);

	if (t && depth) {
		goheap_store(h, &t->left, make_tree(h, layout, depth - 1));
		goheap_store(h, &t->right, make_tree(h, layout, depth - 1));
	}
	return ref;
}

static uint64_t count_tree(struct goheap *h, goheap_ref ref)
{
	struct tree *t = goheap_ptr(h, ref);

	return t ? 1 + count_tree(h, goheap_load(h, &t->left)) +
			       count_tree(h, goheap_load(h, &t->right))
		 : 0;
}

struct builder {
	struct goheap *h;
	int layout;
	int failures;
	pthread_t thread;
};

static void *build_trees(void *arg)
{
	struct builder *b = arg;
	goheap_ref kept = make_tree(b->h, b->layout, 12);

	for (int i = 0; i < 100; i++) {
		goheap_ref tree = make_tree(b->h, b->layout, 9);

		b->failures += count_tree(b->h, tree) != 1023;
	}
	b->failures += count_tree(b->h, kept) != 8191;
	return NULL;
}

void test_trees(struct goheap *h)
{
	struct builder b[4];
	struct goheap_mem_stats stats;

	goheap_set_gc_percent(h, 20);
	for (int i = 0; i < 4; i++) {
		b[i] = (struct builder){ .h = h,
					 .layout = GOHEAP_LAYOUT(h, struct tree,
								 left, right) };
		pthread_create(&b[i].thread, NULL, build_trees, &b[i]);
	}
	for (int i = 0; i < 30; i++) {
		EXPECT(!goheap_gc(h));
		usleep(1000);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(b[i].thread, NULL);
		EXPECT(!b[i].failures);
	}
	goheap_read_mem_stats(h, &stats);
	EXPECT(stats.mallocs >= 4 * (100 * 1023 + 8191));
	EXPECT(!stats.invalid_refs);
}

void test_plain_fork(struct goheap *h)
{
	int layout = node_layout(h);
	goheap_ref list = plain_list(h, layout, 1000);
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		goheap_ref mine = plain_list(h, layout, 5000);

		litter(h);
		if (goheap_gc(h) || !check_list(h, mine, 5000) ||
		    !check_list(h, list, 1000))
			_exit(1);
		_exit(0);
	}
	for (int i = 0; i < 10; i++) {
		litter(h);
		EXPECT(!goheap_gc(h));
	}
	EXPECT(waitpid(pid, &status, 0) == pid && !status);
	EXPECT(check_list(h, list, 1000));
}

static void *short_life(void *arg)
{
	struct goheap *h = arg;
	int layout = node_layout(h);
	goheap_ref list = plain_list(h, layout, 100);

	return (void *)(uintptr_t)!check_list(h, list, 100);
}

void test_thread_storm(struct goheap *h)
{
	uint64_t before = mallocs(h);
	uint64_t made = 50 * 8 * 100;

	for (int i = 0; i < 50; i++) {
		pthread_t t[8];
		void *failed;

		for (int k = 0; k < 8; k++)
			pthread_create(&t[k], NULL, short_life, h);
		if (i % 5 == 0)
			EXPECT(!goheap_gc(h));
		for (int k = 0; k < 8; k++) {
			pthread_join(t[k], &failed);
			EXPECT(!failed);
		}
	}
	/* What a thread had taken is counted when it is gone, a little later. */
	for (int i = 0; i < 100 && mallocs(h) != before + made; i++)
		usleep(10000);
	EXPECT(mallocs(h) == before + made);
}

void test_plain_frames(struct goheap *h)
{
	int layout = node_layout(h);
	goheap_frame frame = goheap_frame_begin(h);
	goheap_ref *var = goheap_var(h, plain_list(h, layout, 100));
	goheap_ref ref;

	EXPECT(var && goheap_local(h, *var) == *var);
	litter(h);
	EXPECT(!goheap_gc(h) && check_list(h, *var, 100));
	ref = goheap_frame_return(h, frame, *var);
	litter(h);
	EXPECT(!goheap_gc(h) && check_list(h, ref, 100));
}
