// SPDX-License-Identifier: GPL-2.0
/*
 * Each scenario is run with its first allocation failing, then with its
 * second, and so on until it passes untouched. An error is -ENOMEM or what the
 * caller says for want of memory; after it the heap adds up, the same call
 * succeeds, and in the end no block is left.
 */
#include "user.h"

#define check(c)	gh_user_require(c, #c)

static void check_heap(struct gh_heap *heap)
{
	const char *why = gh_check_heap(heap);

	gh_user_require(!why, why);
}

/* -ENOMEM from an operation is right only if an allocation was made to fail. */
static void check_error(int err, u64 failures)
{
	if (err >= 0)
		return;
	check(err == -ENOMEM);
	check(gh_user_failures() > failures);
}

static int allocate(struct gh_heap *heap, u32 layout, u64 bytes, u32 count,
		    u64 *refs)
{
	u64 failures = gh_user_failures();
	struct gh_batch b;
	u32 nr;
	int err;

	gh_batch_begin(heap, &b, refs);
	err = gh_malloc(heap, layout, bytes, count, &b);
	nr = b.nr;
	gh_batch_end(heap, &b);
	check(err ? !nr : nr);
	check_error(err, failures);
	check_heap(heap);
	return err ? err : (int)nr;
}

static int try_allocate(struct gh_heap *heap, u32 layout, u64 bytes, u32 count)
{
	u64 refs[GH_MAX_BATCH];
	struct gh_objinfo info;
	int nr, i;

	nr = allocate(heap, layout, bytes, count, refs);
	if (nr < 0) {
		/* The failure was a single one; nothing is broken by it. */
		nr = allocate(heap, layout, bytes, count, refs);
		check(nr > 0);
	}
	down_read(&heap->world);
	for (i = 0; i < nr; i++) {
		check(!gh_heap_lookup(heap, refs[i], &info));
		check(!*(u8 *)gh_heap_kaddr(heap, info.base));
	}
	up_read(&heap->world);
	return nr;
}

static void small(struct gh_heap *heap)
{
	try_allocate(heap, 0, 1, 40);
	try_allocate(heap, 0, 48, 500);
	try_allocate(heap, 0, 20000, 10);
}

static void large(struct gh_heap *heap)
{
	try_allocate(heap, 0, 100000, 1);
	try_allocate(heap, 0, 5UL << 20, 1);
}

static void layouts(struct gh_heap *heap)
{
	static const u64 mask = 0x5;
	u64 failures = gh_user_failures();
	int id, i;

	for (i = 0; i < 2; i++) {
		id = gh_layout_register(heap, 24, 3, &mask);
		check_error(id, failures);
		if (id > 0)
			break;
	}
	check(id > 0);
	check(gh_layout_register(heap, 24, 3, &mask) == id);
	try_allocate(heap, id, 24, 10);
	try_allocate(heap, id, 2400, 10);
	try_allocate(heap, id, 240000, 1);
}

static void collections(struct gh_heap *heap)
{
	int i;

	for (i = 0; i < 4; i++) {
		try_allocate(heap, 0, 3000, 100);
		try_allocate(heap, 0, 300, 100);
		gh_gc_mark_cycle(heap, GH_CYCLE_FORCED);
		if (i % 2)
			gh_gc_sweep(heap);
		gh_heap_release(heap, U64_MAX);
		check_heap(heap);
	}
	check(heap->nr_cycles >= 4);
}

static void ceiling(struct gh_heap *heap)
{
	int i;

	heap->max_heap = 2UL << 20;
	for (i = 0; i < 40; i++)
		try_allocate(heap, 0, 8192, 20);
	check((u64)atomic64_read(&heap->mapped) <= heap->max_heap);
}

static const struct {
	const char *name;
	void (*run)(struct gh_heap *heap);
} scenarios[] = {
	{ "small", small },
	{ "large", large },
	{ "layouts", layouts },
	{ "collections", collections },
	{ "ceiling", ceiling },
};

/* Make a heap, run, destroy; false if the failing allocation was not reached. */
static bool attempt(void (*run)(struct gh_heap *heap), u64 nth)
{
	u64 failures = gh_user_failures();
	s64 live = gh_user_live();
	struct gh_heap *heap;

	gh_user_fail_at(nth);
	heap = gh_user_heap(4 * GH_ARENA_SIZE, 0);
	check(heap || gh_user_failures() > failures);
	if (heap) {
		run(heap);
		gh_heap_destroy(heap);
	}
	gh_user_fail_at(0);
	check(gh_user_live() == live);
	return gh_user_failures() > failures;
}

int main(void)
{
	s64 live = gh_user_live();
	u64 nth;
	int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%zu\n", ARRAY_SIZE(scenarios) + 1);
	for (nth = 1;; nth++) {
		gh_user_fail_at(nth);
		if (!gh_core_init())
			break;
		check(gh_user_live() == live);
	}
	gh_user_fail_at(0);
	check(nth > 1);
	printf("ok 1 gh_core_init # %llu allocations\n", nth - 1);
	for (i = 0; i < ARRAY_SIZE(scenarios); i++) {
		for (nth = 1; attempt(scenarios[i].run, nth); nth++)
			;
		check(nth > 5);
		printf("ok %d %s # %llu allocations\n", i + 2,
		       scenarios[i].name, nth - 1);
	}
	gh_core_exit();
	check(gh_user_live() == live);
	return 0;
}
