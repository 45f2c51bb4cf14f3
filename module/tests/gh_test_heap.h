/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A heap of a test's own, and what suites do with it.
 *
 * Nothing but batches (struct gh_batch) is a root of such a heap, so a test
 * decides what is alive: gh_test_env.root[] is a batch that stands for all that
 * a program may hold. GOGC is off at first, so cycles run when the test says.
 */
#ifndef GH_TEST_HEAP_H
#define GH_TEST_HEAP_H

#include "gh_test.h"	/* first: it includes gh_internal.h */
#include "gh_heap.h"
#include "gh_sizeclass.h"

/*
 * Made by module/dev for kernel runs, by selftests/core/main.c for user space.
 *
 * gh_port_collect() on such a heap must run gh_gc_mark_cycle() before it
 * returns and sweep nothing behind the test's back; no program is attached.
 * create fails an assertion of @test without memory; destroy takes NULL.
 * KUnit of 6.1 runs suites before module_init, that of 6.12 after it, so
 * neither may rely on it; gh_test_env_init() sees to gh_core_init().
 */
struct gh_heap *gh_test_heap_create(struct kunit *test, u64 aspace);
void gh_test_heap_destroy(struct gh_heap *heap);

/* What gh_port_memory_limit() returns from now on, at most. */
void gh_test_heap_limit(struct gh_heap *heap, u64 bytes);

#define GH_TEST_ASPACE	(4 * GH_ARENA_SIZE)
#define GH_TEST_ROOTS	512

struct gh_test_env {
	struct gh_heap *heap;
	struct gh_batch held;
	u64 root[GH_TEST_ROOTS];
	u64 fresh[GH_MAX_BATCH];
};

/* Sum of a field of struct gh_stats over all CPUs. */
#define gh_test_stat(env, field) ({ \
	s64 sum_ = 0; \
	int cpu_; \
	for_each_possible_cpu(cpu_) \
		sum_ += per_cpu_ptr((env)->heap->stats, cpu_)->field; \
	sum_; })

static inline int gh_test_env_init_size(struct kunit *test, u64 aspace)
{
	struct gh_test_env *env;

	env = kunit_kzalloc(test, sizeof(*env), GFP_KERNEL);
	if (!env)
		return -ENOMEM;
	if (gh_core_init())
		return -ENOMEM;
	test->priv = env;
	env->heap = gh_test_heap_create(test, aspace);
	gh_gc_set_percent(env->heap, -1);
	gh_batch_begin(env->heap, &env->held, env->root);
	env->held.nr = GH_TEST_ROOTS;
	return 0;
}

static inline int gh_test_env_init(struct kunit *test)
{
	return gh_test_env_init_size(test, GH_TEST_ASPACE);
}

/* Whatever a case did, the heap it leaves must add up. */
static inline void gh_test_env_exit(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	const char *why;

	if (!env)
		return;
	if (env->heap) {
		why = gh_check_heap(env->heap);
		if (why)
			KUNIT_FAIL(test, "gh_check_heap: %s", why);
		gh_batch_end(env->heap, &env->held);
		gh_test_heap_destroy(env->heap);
	}
	gh_core_exit();
	test->priv = NULL;
}

/* Allocate @count objects into env->fresh[]; they are not roots afterwards. */
static inline int gh_test_try(struct gh_test_env *env, u32 layout, u64 bytes,
			      u32 count)
{
	struct gh_batch b;
	int err;

	gh_batch_begin(env->heap, &b, env->fresh);
	err = gh_malloc(env->heap, layout, bytes, count, &b);
	gh_batch_end(env->heap, &b);
	return err ? err : (int)b.nr;
}

static inline void gh_test_many(struct kunit *test, u32 layout, u64 bytes,
				u32 count)
{
	struct gh_test_env *env = test->priv;

	KUNIT_ASSERT_EQ(test, gh_test_try(env, layout, bytes, count),
			(int)count);
}

static inline u64 gh_test_new(struct kunit *test, u32 layout, u64 bytes)
{
	struct gh_test_env *env = test->priv;

	gh_test_many(test, layout, bytes, 1);
	return env->fresh[0];
}

/* Layout of @words words of which those in @mask are references. */
static inline u32 gh_test_layout(struct kunit *test, u32 words, u64 mask)
{
	struct gh_test_env *env = test->priv;
	int id = gh_layout_register(env->heap, words * 8, words, &mask);

	KUNIT_ASSERT_GE(test, id, 0);
	return id;
}

static inline u64 gh_test_off(u64 ref)
{
	return ref & ((1ULL << 48) - 1);
}

/* Word @i of an object. */
static inline u64 *gh_test_word(struct gh_test_env *env, u64 ref, u64 i)
{
	return gh_heap_kaddr(env->heap, gh_test_off(ref) + i * 8);
}

static inline struct gh_span *gh_test_span(struct gh_test_env *env, u64 ref)
{
	return gh_heap_span_of(env->heap, gh_test_off(ref));
}

static inline int gh_test_lookup(struct gh_test_env *env, u64 ref,
				 struct gh_objinfo *info)
{
	int err;

	down_read(&env->heap->world);
	err = gh_heap_lookup(env->heap, ref, info);
	up_read(&env->heap->world);
	return err;
}

static inline bool gh_test_alive(struct gh_test_env *env, u64 ref)
{
	struct gh_objinfo info;

	return !gh_test_lookup(env, ref, &info);
}

static inline void gh_test_flush(struct gh_test_env *env)
{
	down_read(&env->heap->world);
	gh_mcache_flush_all(env->heap);
	up_read(&env->heap->world);
}

/* A cycle without, or with, the sweep that belongs to it. */
static inline void gh_test_mark(struct gh_test_env *env)
{
	gh_gc_mark_cycle(env->heap, GH_CYCLE_FORCED);
}

static inline void gh_test_collect(struct gh_test_env *env)
{
	gh_test_mark(env);
	gh_gc_sweep(env->heap);
}

/*
 * The parts of a cycle, for cases that mark by hand: the world is held for
 * writing in between, and &env->heap->mark is the marker.
 */
static inline void gh_test_mark_begin(struct gh_test_env *env)
{
	struct gh_heap *heap = env->heap;

	gh_sweep_all(heap);
	down_write(&heap->world);
	WRITE_ONCE(heap->phase, GH_PHASE_MARK);
	gh_work_begin(heap);
	gh_mark_begin(&heap->mark, heap);
}

static inline void gh_test_mark_end(struct gh_test_env *env,
				    struct gh_cycle *c)
{
	struct gh_heap *heap = env->heap;

	gh_mark_drain(&heap->mark, U64_MAX);
	gh_mcache_flush_all(heap);
	gh_mark_finish(&heap->mark);
	gh_work_end(heap, c);
	WRITE_ONCE(heap->sweepgen, heap->sweepgen + 2);
	WRITE_ONCE(heap->phase, GH_PHASE_OFF);
	up_write(&heap->world);
	gh_sweep_all(heap);
}

static inline void gh_test_check(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	const char *why = gh_check_heap(env->heap);

	KUNIT_EXPECT_NULL_MSG(test, why, "%s", why);
}

static inline bool gh_test_zeroed(struct gh_test_env *env, u64 ref, u64 bytes)
{
	u64 i;

	for (i = 0; i < bytes / 8; i++)
		if (*gh_test_word(env, ref, i))
			return false;
	return true;
}

static inline void gh_test_fill(struct gh_test_env *env, u64 ref, u64 bytes,
				u64 value)
{
	u64 i;

	for (i = 0; i < bytes / 8; i++)
		*gh_test_word(env, ref, i) = value;
}

#endif /* GH_TEST_HEAP_H */
