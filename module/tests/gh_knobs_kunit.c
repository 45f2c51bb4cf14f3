// SPDX-License-Identifier: GPL-2.0
/*
 * What is there to find errors of the collector and of programs: a second
 * opinion on the marks, and the stress modes. A marker that forgets is played
 * by a case that takes marks away.
 */
#include "gh_test_heap.h"
#include "gh_checkmark.h"
#include "trace_line.h"

/* Mark what env->root[] leads to; the world is held for writing afterwards. */
static void mark_all(struct gh_test_env *env)
{
	gh_test_mark_begin(env);
	gh_mark_refs(&env->heap->mark, env->root, GH_TEST_ROOTS, GH_ROOT_BATCH);
	gh_mark_drain(&env->heap->mark, U64_MAX);
}

static u64 *mark_word(struct gh_test_env *env, u64 ref, u64 *bit)
{
	struct gh_span *s = gh_test_span(env, ref);
	u32 idx = gh_span_index(s, gh_test_off(ref));

	*bit = 1ULL << (idx % 64);
	return &s->bits[idx / 64].half[gh_mark_half(env->heap->sweepgen)];
}

static void forget(struct gh_test_env *env, u64 ref)
{
	struct gh_span *s = gh_test_span(env, ref);
	u32 idx = gh_span_index(s, gh_test_off(ref));
	u64 bit, *word = mark_word(env, ref, &bit);

	*word &= ~bit;
	s->bits[idx / 64].scan &= ~bit;
}

static bool marked(struct gh_test_env *env, u64 ref)
{
	u64 bit, *word = mark_word(env, ref, &bit);

	return *word & bit;
}

/* A list of @n nodes, whose first word leads on; the head is in root[0]. */
static void make_list(struct kunit *test, u32 n)
{
	struct gh_test_env *env = test->priv;
	u32 node = gh_test_layout(test, 2, 1);
	u32 i;

	for (i = 0; i < n; i++) {
		u64 ref = gh_test_new(test, node, 16);

		*gh_test_word(env, ref, 0) = env->root[0];
		env->root[0] = ref;
	}
}

/* Node @n of the list. */
static u64 nth(struct gh_test_env *env, u32 n)
{
	u64 ref = env->root[0];

	while (n--)
		ref = *gh_test_word(env, ref, 0);
	return ref;
}

/* All kinds of objects; nothing is wrong with them. */
static void gh_check_silent(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 pair = gh_test_layout(test, 2, 3), odd = gh_test_layout(test, 3, 4);
	u64 array, wide, i;

	make_list(test, 3000);
	array = gh_test_new(test, pair, 200000);
	env->root[1] = array;
	wide = gh_test_new(test, odd, 24 * 100);
	env->root[2] = wide + 40;
	for (i = 0; i < 25000; i += 7)
		*gh_test_word(env, array, i) = gh_test_new(test, 0, i % 300);
	for (i = 2; i < 300; i += 3)
		*gh_test_word(env, wide, i) = gh_test_new(test, pair, 16);
	/* Cycles, and words that only look like references. */
	*gh_test_word(env, array, 1) = array + 8;
	*gh_test_word(env, array, 2) = U64_MAX;
	*gh_test_word(env, array, 3) = (u64)env->heap->tag << 48 | 1ULL << 40;
	env->heap->checkmark = true;
	gh_test_collect(env);
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, env->heap->check_failures, 0);
	KUNIT_EXPECT_EQ(test, env->heap->check_doubts, 0);
}

/* Has the last check found one object, as described? */
static void expect_found(struct kunit *test, const struct gh_check_report *r,
			 u64 ref, u64 steps)
{
	struct gh_test_env *env = test->priv;

	KUNIT_EXPECT_EQ(test, env->heap->check_failures, 1);
	KUNIT_EXPECT_EQ(test, env->heap->check_doubts, 0);
	KUNIT_EXPECT_TRUE(test, r->exact);
	KUNIT_EXPECT_EQ(test, r->off, gh_test_off(ref));
	KUNIT_EXPECT_EQ(test, r->steps, steps);
	gh_mark_drain(&env->heap->mark, U64_MAX);
	KUNIT_EXPECT_TRUE(test, marked(env, ref));
}

static void gh_check_finds(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_check_report r = { };
	struct gh_cycle c;
	u64 ref;

	make_list(test, 100);
	mark_all(env);
	ref = nth(env, 50);
	forget(env, ref);
	gh_checkmark_run(env->heap, &r);
	expect_found(test, &r, ref, 50);
	KUNIT_EXPECT_EQ(test, r.bytes, 16);
	KUNIT_EXPECT_EQ(test, r.kind, (int)GH_ROOT_BATCH);
	KUNIT_EXPECT_EQ(test, r.layout, gh_test_span(env, ref)->layout);
	KUNIT_EXPECT_EQ(test, r.first[0].off, gh_test_off(env->root[0]));
	KUNIT_EXPECT_EQ(test, r.first[3].off, gh_test_off(nth(env, 3)));
	KUNIT_EXPECT_EQ(test, r.last[0].off, gh_test_off(nth(env, 46)));
	KUNIT_EXPECT_EQ(test, r.last[3].off, gh_test_off(nth(env, 49)));
	KUNIT_EXPECT_EQ(test, r.last[3].word, 0);
	gh_test_mark_end(env, &c);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, ref));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, nth(env, 99)));
}

/* The root itself; a short way; the word that leads on. */
static void gh_check_path(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 pair = gh_test_layout(test, 2, 3);
	struct gh_check_report r = { };
	struct gh_cycle c;
	u64 array, leaf;

	array = gh_test_new(test, pair, 100000);
	env->root[3] = array;
	leaf = gh_test_new(test, 0, 48);
	*gh_test_word(env, array, 9999) = leaf + 5;
	/* Its neighbour leads somewhere, too. */
	*gh_test_word(env, array, 9998) = gh_test_new(test, 0, 48);
	mark_all(env);
	forget(env, leaf);
	gh_checkmark_run(env->heap, &r);
	expect_found(test, &r, leaf, 1);
	KUNIT_EXPECT_EQ(test, r.first[0].off, gh_test_off(array));
	KUNIT_EXPECT_EQ(test, r.first[0].word, 9999);
	env->heap->check_failures = 0;
	forget(env, array);
	gh_checkmark_run(env->heap, &r);
	expect_found(test, &r, array, 0);
	gh_test_mark_end(env, &c);
}

/* What a find leads to is found, too, and all of it is kept. */
static void gh_check_keeps(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_cycle c;
	u32 i;

	make_list(test, 40);
	mark_all(env);
	for (i = 10; i < 40; i++)
		forget(env, nth(env, i));
	gh_checkmark_run(env->heap, NULL);
	KUNIT_EXPECT_EQ(test, env->heap->check_failures, 30);
	gh_test_mark_end(env, &c);
	for (i = 0; i < 40; i++)
		KUNIT_EXPECT_TRUE(test, gh_test_alive(env, nth(env, i)));
}

/*
 * In a cycle: a marker that has left out all but the first node is made to see
 * to the rest before it ends.
 */
static void gh_check_cycle(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_cycle c;
	u32 i, idx;

	make_list(test, 40);
	gh_test_collect(env);
	/* It takes the first node for scanned. */
	idx = gh_span_index(gh_test_span(env, env->root[0]),
			    gh_test_off(env->root[0]));
	gh_test_span(env, env->root[0])->bits[idx / 64].scan |= 1ULL << idx % 64;
	env->heap->checkmark = true;
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, env->heap->check_failures, 39);
	for (i = 0; i < 40; i++)
		KUNIT_EXPECT_TRUE(test, gh_test_alive(env, nth(env, i)));
	KUNIT_ASSERT_TRUE(test, gh_gc_get_cycle(env->heap, 0, &c));
	KUNIT_EXPECT_EQ(test, c.heap_marked, 40 * 16);
	KUNIT_EXPECT_EQ(test, c.scanned_objs, 39);
	/* And the next one finds nothing. */
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, env->heap->check_failures, 39);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, nth(env, 39)));
}

/* What only a register or a stack leads to proves nothing. */
static void gh_check_doubts(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_checkmark *check;
	struct gh_cycle c;
	u64 words[2];

	make_list(test, 4);
	words[0] = gh_test_new(test, 0, 64);
	words[1] = env->root[0];
	env->root[5] = words[0];
	mark_all(env);
	forget(env, words[0]);
	forget(env, words[1]);
	check = gh_checkmark_begin(env->heap, NULL);
	KUNIT_EXPECT_NOT_NULL(test, check);
	if (check) {
		/* First, but what is certain goes before. */
		gh_checkmark_words(check, words, 2, NULL, 0, GH_ROOT_STACK);
		gh_checkmark_refs(check, &words[1], 1, GH_ROOT_HANDLE);
		gh_checkmark_end(check);
	}
	KUNIT_EXPECT_EQ(test, env->heap->check_failures, 1);
	KUNIT_EXPECT_EQ(test, env->heap->check_doubts, 1);
	gh_test_mark_end(env, &c);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, words[0]));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, words[1]));
}

/* A managed stack holds what lies below its top. */
static void gh_check_stack(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_cycle c;
	u64 stack, below, above;

	stack = gh_test_new(test, GH_LAYOUT_STACK, 4096);
	below = gh_test_new(test, 0, 64);
	above = gh_test_new(test, 0, 64);
	env->root[0] = stack;
	*gh_test_word(env, stack, 0) = 2;
	*gh_test_word(env, stack, 2) = below;
	*gh_test_word(env, stack, 3) = above;
	mark_all(env);
	KUNIT_EXPECT_TRUE(test, marked(env, below));
	KUNIT_EXPECT_FALSE(test, marked(env, above));
	gh_checkmark_run(env->heap, NULL);
	KUNIT_EXPECT_EQ(test, env->heap->check_failures, 0);
	forget(env, below);
	gh_checkmark_run(env->heap, NULL);
	KUNIT_EXPECT_EQ(test, env->heap->check_failures, 1);
	gh_test_mark_end(env, &c);
}

/* Deeper than a chunk has steps. */
static void gh_check_deep(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_check_report r = { };
	struct gh_cycle c;
	u64 last;

	make_list(test, 10000);
	last = nth(env, 9999);
	mark_all(env);
	forget(env, last);
	gh_checkmark_run(env->heap, &r);
	expect_found(test, &r, last, 9999);
	KUNIT_EXPECT_EQ(test, r.last[3].off, gh_test_off(nth(env, 9998)));
	KUNIT_EXPECT_EQ(test, r.first[3].off, gh_test_off(nth(env, 3)));
	gh_test_mark_end(env, &c);
}

/* Bytes of @ref that are GH_CLOBBER. */
static u64 clobbered(struct gh_test_env *env, u64 ref, u64 bytes)
{
	u64 n = 0, i;

	for (i = 0; i < bytes; i++)
		n += *((u8 *)gh_test_word(env, ref, i / 8) + i % 8) ==
		     GH_CLOBBER;
	return n;
}

static void gh_clobber_dead(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 dead, live, large, i;

	env->heap->clobberfree = true;
	gh_test_many(test, 0, 48, 100);
	dead = env->fresh[3];
	live = env->fresh[4];
	env->root[0] = live;
	env->root[1] = env->fresh[99];
	for (i = 0; i < 100; i++)
		gh_test_fill(env, env->fresh[i], 48, i);
	large = gh_test_new(test, 0, 100000);
	gh_test_fill(env, large, 100000, 1);
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, clobbered(env, dead, 48), 48);
	KUNIT_EXPECT_EQ(test, clobbered(env, live, 48), 0);
	KUNIT_EXPECT_EQ(test, clobbered(env, env->root[1], 48), 0);
	KUNIT_EXPECT_EQ(test, clobbered(env, large, 100000), 100000);
	/* And none of it is in new objects. */
	gh_test_many(test, 0, 48, 100);
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env, env->fresh[i], 48));
	large = gh_test_new(test, 0, 100000);
	KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env, large, 100000));
}

/* A cycle for each so many spans, however low the heap is. */
static void gh_stress_refills(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 before = env->heap->nr_cycles, cycles;

	env->heap->collect_every = 4;
	env->heap->verify = true;
	gh_test_many(test, 0, 1024, 1024);
	gh_sweep_all(env->heap);
	gh_test_many(test, 0, 1024, 1024);
	cycles = env->heap->nr_cycles - before;
	KUNIT_EXPECT_GE(test, cycles, 2);
	env->heap->collect_every = 0;
	gh_test_many(test, 0, 1024, 1024);
	KUNIT_EXPECT_EQ(test, env->heap->nr_cycles - before, cycles);
}

/* Everything at once, with a heap that changes. */
static void gh_stress_all(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 node = gh_test_layout(test, 4, 5);
	u64 seed = 1, i;

	env->heap->verify = true;
	env->heap->checkmark = true;
	env->heap->clobberfree = true;
	env->heap->collect_every = 3;
	for (i = 0; i < 5000; i++) {
		u64 ref = gh_test_new(test, i % 3 ? node : 0, 32);
		u64 *slot;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		slot = &env->root[(seed >> 33) % GH_TEST_ROOTS];
		if (i % 3)
			*gh_test_word(env, ref, 0) = *slot;
		*slot = seed >> 63 ? ref : 0;
	}
	gh_test_collect(env);
	KUNIT_EXPECT_GT(test, env->heap->nr_cycles, 1);
	KUNIT_EXPECT_EQ(test, env->heap->check_failures, 0);
}

/* A stop that ends with everything swept. */
static void gh_stop_sweeps(struct kunit *test)
{
	struct gh_test_env *env = test->priv;

	env->heap->stop_the_world = 2;
	env->heap->verify = true;
	gh_test_many(test, 0, 1024, 1000);
	env->root[0] = env->fresh[500];
	gh_test_mark(env);
	/* Live is one page; it has been swept, and so have all others. */
	KUNIT_EXPECT_EQ(test, gh_test_stat(env, inuse_pages), 1);
	KUNIT_EXPECT_EQ(test, gh_test_span(env, env->root[0])->sweepgen,
			env->heap->sweepgen);
	env->heap->stop_the_world = 1;
	gh_test_many(test, 0, 1024, 1000);
	gh_test_mark(env);
	KUNIT_EXPECT_GT(test, gh_test_stat(env, inuse_pages), 1);
	KUNIT_EXPECT_EQ(test, gh_sweep_all(env->heap) > 0, 1);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, env->root[0]));
}

/* How many objects were scanned is counted once for each. */
static void gh_trace_objects(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 pair = gh_test_layout(test, 2, 3);
	struct gh_cycle c = { };

	make_list(test, 500);
	env->root[1] = gh_test_new(test, pair, 1 << 20);
	env->root[2] = gh_test_new(test, 0, 64);
	gh_test_collect(env);
	KUNIT_EXPECT_TRUE(test, gh_gc_get_cycle(env->heap, 0, &c));
	KUNIT_EXPECT_EQ(test, c.scanned_objs, 501);
}

/* As println() of Go writes them. */
static void gh_trace_float(struct kunit *test)
{
	static const struct {
		u64 fix;
		const char *text;
	} numbers[] = {
		{ 0, "+0.000000e+000" },
		{ 1ULL << 32, "+1.000000e+000" },
		{ 3ULL << 31, "+1.500000e+000" },
		{ 1ULL << 31, "+5.000000e-001" },
		{ 1, "+2.328306e-010" },
		{ 10ULL << 32, "+1.000000e+001" },
		{ 1234567ULL << 32, "+1.234567e+006" },
		{ 12345678ULL << 32, "+1.234568e+007" },
		{ 99999995ULL << 32, "+1.000000e+008" },
		{ 99999994ULL << 32, "+9.999999e+007" },
		{ U64_MAX, "+4.294967e+009" },
		/* 0.1, 1/3 and 9.99999995 as near as it gets */
		{ 429496730, "+1.000000e-001" },
		{ 1431655765, "+3.333333e-001" },
		{ 42949672745ULL, "+1.000000e+001" },
	};
	char buf[GOHEAP_FLOAT];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		KUNIT_EXPECT_STREQ(test, goheap_float(buf, numbers[i].fix),
				   numbers[i].text);
}

static void gh_trace_pacer_lines(struct kunit *test)
{
	const struct gh_pacer_trace t = {
		.assist_ratio = 3ULL << 31, .heap_scan = 3 << 20,
		.start_live = 4 << 20, .start_goal = 8 << 20, .dedicated = 1,
		.utilization = (1ULL << 32) / 100 * 27 + 100,
		.work = { .heap = 1, .stack = 2, .globals = 3 },
		.expected = 6, .triggered = 4, .end_live = 5, .goal_delta = -3,
		.cons_mark = 1ULL << 32,
		.sweep_live = 3 << 20, .sweep_allocated = 1 << 20,
		.swept_pages = 70,
	};
	char *line = kunit_kzalloc(test, GOHEAP_TRACE_LINE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, line);
	goheap_pacer_start_line(line, GOHEAP_TRACE_LINE, &t);
	KUNIT_EXPECT_STREQ(test, line,
			   "pacer: assist ratio=+1.500000e+000 (scan 3 MB in 4->8 MB) workers=1++0.000000e+000");
	goheap_pacer_end_line(line, GOHEAP_TRACE_LINE, &t);
	KUNIT_EXPECT_STREQ(test, line,
			   "pacer: 27% CPU (25 exp.) for 1+2+3 B work (6 B exp.) in 4 B -> 5 B (∆goal -3, cons/mark +1.000000e+000)");
	goheap_pacer_sweep_line(line, GOHEAP_TRACE_LINE, &t);
	KUNIT_EXPECT_STREQ(test, line,
			   "pacer: sweep done at heap size 3MB; allocated 1MB during sweep; swept 70 pages at +0.000000e+000 pages/byte");
}

static void gh_trace_gc_line(struct kunit *test)
{
	const struct gh_cycle c = {
		.cycle = 7, .start_ns = 12034567890ULL, .setup_ns = 21000,
		.mark_ns = 1234000, .term_ns = 5000, .cpu_ns = 1100000,
		.assist_ns = 345000, .idle_ns = 12000, .heap_start = 4 << 20,
		.heap_end = 5 << 20, .heap_marked = (2 << 20) - 1,
		.goal = 8 << 20, .nr_cpus = 2, .cpu_permille = 37,
		.reason = GH_CYCLE_FORCED,
	};
	char *line = kunit_kzalloc(test, GOHEAP_TRACE_LINE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, line);
	goheap_trace_line(line, GOHEAP_TRACE_LINE, &c);
	KUNIT_EXPECT_STREQ(test, line,
			   "gc 7 @12.034s 3%: 0.021+1.2+0.005 ms clock, 0.042+0.34/1.1/0.012+0.010 ms cpu, 4->5->1 MB, 8 MB goal, 0 MB stacks, 0 MB globals, 2 P (forced)");
}

/* As printScavTrace() of Go writes it, and the line of gctrace=2. */
static void gh_trace_scav_line(struct kunit *test)
{
	struct gh_scav_trace t = {
		.bg_bytes = 7 << 10, .eager_bytes = (9 << 10) - 1,
		.released = 123456ULL << 10, .in_use = 2 << 20,
		.retained = 3 << 20,
	};
	const struct gh_cycle c = { .scanned_objs = 4711 };
	char *line = kunit_kzalloc(test, GOHEAP_TRACE_LINE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, line);
	goheap_scav_line(line, GOHEAP_TRACE_LINE, &t);
	KUNIT_EXPECT_STREQ(test, line,
			   "scav 7 KiB work (bg), 8 KiB work (eager), 123456 KiB now, 66% util");
	t.reset = true;
	goheap_scav_line(line, GOHEAP_TRACE_LINE, &t);
	KUNIT_EXPECT_STREQ(test, line,
			   "scav 7 KiB work (bg), 8 KiB work (eager), 123456 KiB now, 66% util [controller reset]");
	/* With nothing left there is nothing to divide by. */
	t = (struct gh_scav_trace){ .forced = true, .reset = true };
	goheap_scav_line(line, GOHEAP_TRACE_LINE, &t);
	KUNIT_EXPECT_STREQ(test, line,
			   "scav 0 KiB work (bg), 0 KiB work (eager), 0 KiB now, 0% util (forced)");
	goheap_scan_line(line, GOHEAP_TRACE_LINE, &c);
	KUNIT_EXPECT_STREQ(test, line, "scan: total 4711 objs");
}

/* The way to an object, and how long a line gets. */
static void gh_trace_check_line(struct kunit *test)
{
	struct gh_check_report r = {
		.off = 0x4000, .bytes = 48, .layout = 5, .exact = true,
		.kind = GH_ROOT_HANDLE, .steps = 1, .first = { { 0x2000, 3 } },
	};
	char *line = kunit_kzalloc(test, GOHEAP_TRACE_LINE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, line);
	goheap_check_line(line, GOHEAP_TRACE_LINE, 0x8123, &r);
	KUNIT_EXPECT_STREQ(test, line,
			   "checkmark: object of 48 bytes, layout 5, is reachable and not marked: handle -> 0x8123000000002000+24 -> 0x8123000000004000");
	memset(&r, 0xff, sizeof(r));
	r.kind = GH_ROOT_BATCH;
	r.exact = false;
	r.off = (1ULL << 48) - 1;
	KUNIT_EXPECT_LT(test, goheap_check_line(line, GOHEAP_TRACE_LINE,
						0x8123, &r),
			GOHEAP_TRACE_LINE - 1);
	KUNIT_EXPECT_NOT_NULL(test, strstr(line, " more) -> "));
}

static struct kunit_case gh_knobs_cases[] = {
	KUNIT_CASE(gh_check_silent),
	KUNIT_CASE(gh_check_finds),
	KUNIT_CASE(gh_check_path),
	KUNIT_CASE(gh_check_keeps),
	KUNIT_CASE(gh_check_cycle),
	KUNIT_CASE(gh_check_doubts),
	KUNIT_CASE(gh_check_stack),
	KUNIT_CASE(gh_check_deep),
	KUNIT_CASE(gh_clobber_dead),
	KUNIT_CASE(gh_stress_refills),
	KUNIT_CASE(gh_stress_all),
	KUNIT_CASE(gh_stop_sweeps),
	KUNIT_CASE(gh_trace_objects),
	KUNIT_CASE(gh_trace_float),
	KUNIT_CASE(gh_trace_pacer_lines),
	KUNIT_CASE(gh_trace_gc_line),
	KUNIT_CASE(gh_trace_scav_line),
	KUNIT_CASE(gh_trace_check_line),
	{}
};

static struct kunit_suite gh_knobs_suite = {
	.name = "gh_knobs",
	.init = gh_test_env_init,
	.exit = gh_test_env_exit,
	.test_cases = gh_knobs_cases,
};

gh_test_suite(gh_knobs_suite);
