// SPDX-License-Identifier: GPL-2.0
/*
 * The scavenger: its index, its goals, its pace, and what it does to a heap.
 */
#include "gh_test_heap.h"
#include "gh_scavindex.h"

#define CHUNK	GH_CHUNK_PAGES
#define DENSE	GH_SCAV_DENSE_PAGES

/* Index: one chunk. */

static void gh_scavenge_dense(struct kunit *test)
{
	struct gh_scav_chunk c = { .gen = 7 };

	KUNIT_EXPECT_EQ(test, DENSE, 496);
	KUNIT_EXPECT_FALSE(test, gh_scav_chunk_sparse(&c, 7));
	gh_scav_chunk_taken(&c, CHUNK, 7);
	gh_scav_chunk_freed(&c, 16, 7, true);
	KUNIT_EXPECT_EQ(test, c.in_use, 496);
	KUNIT_EXPECT_FALSE(test, gh_scav_chunk_sparse(&c, 7));
	gh_scav_chunk_freed(&c, 1, 7, true);
	KUNIT_EXPECT_TRUE(test, gh_scav_chunk_sparse(&c, 7));
	/* Nothing has memory. */
	c.has_free = 0;
	KUNIT_EXPECT_FALSE(test, gh_scav_chunk_sparse(&c, 7));
	gh_scav_chunk_freed(&c, 1, 7, false);
	KUNIT_EXPECT_FALSE(test, gh_scav_chunk_sparse(&c, 7));
	gh_scav_chunk_freed(&c, 1, 7, true);
	KUNIT_EXPECT_TRUE(test, gh_scav_chunk_sparse(&c, 7));
	gh_scav_chunk_taken(&c, CHUNK - c.in_use, 7);
	KUNIT_EXPECT_FALSE(test, c.has_free);
}

static void gh_scavenge_generations(struct kunit *test)
{
	struct gh_scav_chunk c = { .gen = U32_MAX };

	gh_scav_chunk_taken(&c, 500, U32_MAX);
	gh_scav_chunk_freed(&c, 400, 0, true);
	/* Dense when the last generation ended. */
	KUNIT_EXPECT_EQ(test, (u32)c.last_in_use, 500);
	KUNIT_EXPECT_FALSE(test, gh_scav_chunk_sparse(&c, 0));
	KUNIT_EXPECT_TRUE(test, gh_scav_chunk_sparse(&c, 1));
	/* Dense now, whatever it was. */
	gh_scav_chunk_taken(&c, 396, 2);
	KUNIT_EXPECT_EQ(test, (u32)c.last_in_use, 100);
	KUNIT_EXPECT_FALSE(test, gh_scav_chunk_sparse(&c, 2));
	KUNIT_EXPECT_FALSE(test, gh_scav_chunk_sparse(&c, 3));
	gh_scav_chunk_freed(&c, 1, 2, true);
	KUNIT_EXPECT_TRUE(test, gh_scav_chunk_sparse(&c, 2));
}

/* Index: all of it, against a list of pages. */

#define MODEL_CHUNKS	6
#define MODEL_PAGES	(MODEL_CHUNKS * CHUNK)

enum { USED, BACKED, SCAV };

struct model {
	struct gh_pagealloc pa;
	u8 page[MODEL_PAGES];
	u32 before[MODEL_CHUNKS];	/* in use when the generation began */
	bool touched[MODEL_CHUNKS];
	bool sparse[MODEL_CHUNKS];
	u64 end;			/* sparse_end */
	u64 freed_end;
	u64 seed;
	u32 allocs;			/* per cent of all steps */
	u64 taken;
};

static u32 model_random(struct model *m, u32 below)
{
	m->seed = m->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (m->seed >> 33) % below;
}

static u32 model_in_use(struct model *m, u32 chunk)
{
	u32 i, n = 0;

	for (i = 0; i < CHUNK; i++)
		n += m->page[chunk * CHUNK + i] == USED;
	return n;
}

static void model_find_sparse(struct model *m)
{
	u32 i;

	for (i = 0; i < MODEL_CHUNKS; i++)
		m->sparse[i] = model_in_use(m, i) < DENSE &&
			       (!m->touched[i] || m->before[i] < DENSE);
}

static bool model_sparse(struct model *m, u64 page)
{
	return m->page[page] == BACKED && m->sparse[page / CHUNK];
}

static void model_set(struct model *m, u64 page, u64 n, u8 what)
{
	u64 p;

	for (p = page; p < page + n; p++) {
		m->touched[p / CHUNK] = true;
		m->page[p] = what;
	}
}

/* Before pages become free: in these chunks there may be something to take. */
static void model_will_free(struct model *m, u64 page, u64 n, bool backed)
{
	u64 c;

	for (c = page / CHUNK; c <= (page + n - 1) / CHUNK; c++)
		if (backed || model_in_use(m, c) >= DENSE)
			m->freed_end = max(m->freed_end, (c + 1) * CHUNK);
}

static void model_next_gen(struct kunit *test, struct model *m)
{
	u64 p;
	u32 i;

	gh_pagealloc_next_gen(&m->pa);
	for (i = 0; i < MODEL_CHUNKS; i++) {
		m->before[i] = model_in_use(m, i);
		m->touched[i] = false;
	}
	m->end = max(m->end, m->freed_end);
	m->freed_end = 0;
	model_find_sparse(m);
	for (p = m->end; p < MODEL_PAGES; p++)
		KUNIT_ASSERT_FALSE(test, model_sparse(m, p));
}

/* What take_sparse() should take. */
static u64 model_candidate(struct model *m, u64 max, u64 *n)
{
	u64 end, first, page, huge;

	model_find_sparse(m);
	for (end = m->end; end && !model_sparse(m, end - 1); end--)
		;
	first = end;
	while (first && first > round_down(end - 1, (u64)CHUNK) &&
	       m->page[first - 1] == BACKED)
		first--;
	page = end - first > max ? end - max : first;
	huge = page / GH_HUGE_PAGES * GH_HUGE_PAGES;
	/* A whole huge page rather than a part of it. */
	if (huge >= first && huge + GH_HUGE_PAGES <= end)
		page = huge;
	*n = end - page;
	m->end = page;
	return end ? page : GH_NO_PAGE;
}

static void model_take(struct kunit *test, struct model *m)
{
	u64 max = 1 + model_random(m, 64);
	u64 want, n;
	u64 page = model_candidate(m, max, &want);

	KUNIT_ASSERT_EQ(test, gh_pagealloc_take_sparse(&m->pa, max, &n), page);
	KUNIT_ASSERT_EQ(test, n, want);
	if (!n)
		return;
	m->taken++;
	model_set(m, page, n, USED);
	model_will_free(m, page, n, false);
	gh_pagealloc_free(&m->pa, page, n, true);
	model_set(m, page, n, SCAV);
}

static void model_alloc(struct model *m)
{
	u64 n = 1 + model_random(m, model_random(m, 4) ? 16 : 300), scav;
	u64 page = gh_pagealloc_alloc(&m->pa, n, &scav);

	if (page != GH_NO_PAGE)
		model_set(m, page, n, USED);
}

static void model_free(struct model *m)
{
	u64 page = model_random(m, MODEL_PAGES), n = 0;
	u64 max = 1 + model_random(m, model_random(m, 4) ? 16 : 400);

	while (n < max && page + n < MODEL_PAGES && m->page[page + n] == USED)
		n++;
	if (!n)
		return;
	max = model_random(m, 10);
	model_will_free(m, page, n, max);
	gh_pagealloc_free(&m->pa, page, n, !max);
	model_set(m, page, n, max ? BACKED : SCAV);
}

/* A page cache takes a group and gives most of it back. */
static void model_cache(struct model *m)
{
	struct gh_pagecache c = gh_pagealloc_fill_cache(&m->pa);
	u64 keep = c.free & (c.free >> 3) & (c.free >> 7);
	u32 i;

	for (i = 0; i < 64; i++)
		if (c.free >> i & 1)
			model_set(m, c.base + i, 1, USED);
	c.free &= ~keep;
	c.scav &= ~keep;
	if (c.free)
		model_will_free(m, c.base, 1, c.free & ~c.scav);
	gh_pagealloc_give_group(&m->pa, &c);
	for (i = 0; i < 64; i++)
		if (c.free >> i & 1)
			model_set(m, c.base + i, 1,
				  c.scav >> i & 1 ? SCAV : BACKED);
}

static void model_step(struct kunit *test, struct model *m)
{
	u32 op = model_random(m, 100);

	if (op < m->allocs)
		model_alloc(m);
	else if (op < 75)
		model_free(m);
	else if (op < 80)
		model_cache(m);
	else if (op < 98)
		model_take(test, m);
	else
		model_next_gen(test, m);
}

static void model_run(struct kunit *test, struct model *m)
{
	u64 page, n;
	u32 i;

	KUNIT_ASSERT_EQ(test, gh_pagealloc_grow(&m->pa, MODEL_PAGES), 0);
	page = gh_pagealloc_alloc(&m->pa, MODEL_PAGES, &n);
	KUNIT_ASSERT_EQ(test, page, 0);
	for (i = 0; i < 20000; i++) {
		model_step(test, m);
		if (i % 64)
			continue;
		KUNIT_ASSERT_NULL_MSG(test, gh_pagealloc_check(&m->pa), "%s",
				      gh_pagealloc_check(&m->pa));
	}
	KUNIT_EXPECT_GT(test, m->taken, 100);
}

static void gh_scavenge_index(struct kunit *test)
{
	struct model *m;
	u32 i;

	for (i = 0; i < 4; i++) {
		m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, m);
		m->seed = 1000 + i;
		/* From sparse to dense. */
		m->allocs = 36 + 4 * i;
		KUNIT_ASSERT_EQ(test, gh_pagealloc_init(&m->pa, MODEL_PAGES),
				0);
		model_run(test, m);
		gh_pagealloc_destroy(&m->pa);
	}
}

/* A free huge page goes as a whole, with what is asked for above it. */
static void gh_scavenge_huge(struct kunit *test)
{
	struct gh_pagealloc pa;
	u64 n;

	KUNIT_ASSERT_EQ(test, gh_pagealloc_init(&pa, CHUNK), 0);
	KUNIT_ASSERT_EQ(test, gh_pagealloc_grow(&pa, CHUNK), 0);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(&pa, CHUNK, &n), 0);
	gh_pagealloc_free(&pa, GH_HUGE_PAGES, GH_HUGE_PAGES, false);
	gh_pagealloc_free(&pa, 1, GH_HUGE_PAGES - 1, false);
	gh_pagealloc_next_gen(&pa);
	gh_pagealloc_next_gen(&pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_sparse(&pa, 8, &n),
			GH_HUGE_PAGES);
	KUNIT_EXPECT_EQ(test, n, GH_HUGE_PAGES);
	/* Below it page 0 is in use. */
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_sparse(&pa, 8, &n),
			GH_HUGE_PAGES - 8);
	KUNIT_EXPECT_EQ(test, n, 8);
	/* Three pages above a huge page, of which eight are asked for. */
	gh_pagealloc_free(&pa, 0, 1, false);
	gh_pagealloc_free(&pa, GH_HUGE_PAGES - 8, 8 + 3, false);
	gh_pagealloc_next_gen(&pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_sparse(&pa, 8, &n), 0);
	KUNIT_EXPECT_EQ(test, n, GH_HUGE_PAGES + 3);
	gh_pagealloc_destroy(&pa);
}

/* A chunk that was passed over as dense is seen again when it is no more. */
static void gh_scavenge_no_longer_dense(struct kunit *test)
{
	struct gh_pagealloc pa;
	u64 n;

	KUNIT_ASSERT_EQ(test, gh_pagealloc_init(&pa, CHUNK), 0);
	KUNIT_ASSERT_EQ(test, gh_pagealloc_grow(&pa, CHUNK), 0);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(&pa, CHUNK, &n), 0);
	gh_pagealloc_free(&pa, 300, 12, false);
	gh_pagealloc_next_gen(&pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_sparse(&pa, 8, &n), GH_NO_PAGE);
	gh_pagealloc_next_gen(&pa);
	gh_pagealloc_free(&pa, 0, 10, true);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_sparse(&pa, 8, &n), GH_NO_PAGE);
	gh_pagealloc_next_gen(&pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_sparse(&pa, 8, &n), 304);
	KUNIT_EXPECT_EQ(test, n, 8);
	gh_pagealloc_destroy(&pa);
}

/* Goals. */

static void gh_scavenge_percent_goal(struct kunit *test)
{
	u64 mib = 1 << 20;

	/* Before the first cycle. */
	KUNIT_EXPECT_EQ(test, gh_scav_percent_goal(mib, 4 * mib, 0),
			GH_SCAV_NO_GOAL);
	KUNIT_EXPECT_EQ(test, gh_scav_percent_goal(80 * mib, 7, 7), 88 * mib);
	KUNIT_EXPECT_EQ(test, gh_scav_percent_goal(80 * mib, 50, 100),
			44 * mib);
	KUNIT_EXPECT_EQ(test, gh_scav_percent_goal(80 * mib, 300, 100),
			264 * mib);
	KUNIT_EXPECT_EQ(test, gh_scav_percent_goal(1, 1, 1), GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, gh_scav_percent_goal(0, 1, 1), 0);
	/* GOGC was off, is off, has been turned off. */
	KUNIT_EXPECT_EQ(test, gh_scav_percent_goal(80 * mib, mib, U64_MAX),
			88 * mib);
	KUNIT_EXPECT_EQ(test, gh_scav_percent_goal(80 * mib, U64_MAX, U64_MAX),
			88 * mib);
	KUNIT_EXPECT_EQ(test, gh_scav_percent_goal(80 * mib, U64_MAX, mib),
			GH_SCAV_NO_GOAL);
	KUNIT_EXPECT_EQ(test, gh_scav_percent_goal(GH_MAX_ASPACE,
						   (1ULL << 17) - 1, 1),
			round_up((GH_MAX_ASPACE * ((1ULL << 17) - 1)) / 10 * 11,
				 (u64)GH_PAGE_SIZE));
}

static void gh_scavenge_limit_goal(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, gh_scav_limit_goal(S64_MAX), GH_SCAV_NO_GOAL);
	KUNIT_EXPECT_EQ(test, gh_scav_limit_goal(1000), 950);
	KUNIT_EXPECT_EQ(test, gh_scav_limit_goal(0), 0);
	KUNIT_EXPECT_LT(test, gh_scav_limit_goal(S64_MAX - 1), S64_MAX);
}

/* Pace. */

/* Share of CPU time over ten minutes, in millionths. */
static u64 pace(u32 nr_cpus, u64 work_ns)
{
	struct gh_scav_pacer p;
	u64 seed = work_ns, worked = 0, wall = 0;

	gh_scav_pacer_init(&p);
	while (wall < 600ULL * NSEC_PER_SEC) {
		u64 w, s;

		seed = seed * 6364136223846793005ULL + 1;
		w = work_ns + (seed >> 33) % work_ns / 2;
		s = max_t(u64, gh_scav_pacer_sleep(&p, w), NSEC_PER_MSEC);
		gh_scav_pacer_update(&p, w, s, nr_cpus);
		worked += w;
		wall += w + s;
	}
	return worked * 1000000 / (wall * nr_cpus);
}

static void gh_scavenge_pace(struct kunit *test)
{
	static const u32 nr_cpus[] = { 1, 2, 4, 8 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(nr_cpus); i++) {
		u64 share = pace(nr_cpus[i], NSEC_PER_MSEC);

		KUNIT_EXPECT_GE_MSG(test, share, 8500, "%u CPUs", nr_cpus[i]);
		KUNIT_EXPECT_LE_MSG(test, share, 11500, "%u CPUs", nr_cpus[i]);
	}
	/* Rounds that are longer than they should be. */
	KUNIT_EXPECT_LE(test, pace(2, 3 * NSEC_PER_MSEC), 13000);
	/* One CPU of many, all the time, is less than there is to be had. */
	KUNIT_EXPECT_LE(test, pace(512, NSEC_PER_MSEC), 2000);
}

static void gh_scavenge_pace_bounds(struct kunit *test)
{
	struct gh_scav_pacer p;
	u32 i;

	gh_scav_pacer_init(&p);
	/* A millisecond of work is followed by a second at first. */
	KUNIT_EXPECT_GE(test, gh_scav_pacer_sleep(&p, NSEC_PER_MSEC),
			NSEC_PER_SEC);
	KUNIT_EXPECT_LE(test, gh_scav_pacer_sleep(&p, NSEC_PER_MSEC),
			NSEC_PER_SEC / 99 * 100);
	gh_scav_pacer_update(&p, 0, 0, 1);
	KUNIT_EXPECT_EQ(test, p.ratio, GH_PACE_RATIO_MIN);
	for (i = 0; i < 1000; i++) {
		gh_scav_pacer_update(&p, 1, NSEC_PER_SEC, 4);
		KUNIT_ASSERT_GE(test, p.ratio, GH_PACE_RATIO_MIN);
		KUNIT_ASSERT_LE(test, p.ratio, GH_PACE_RATIO_MAX);
	}
	KUNIT_EXPECT_GT(test, p.ratio, GH_PACE_ONE);
	KUNIT_EXPECT_FALSE(test, p.failed);
}

/* Sleep that takes no time is more than the controller can bear. */
static void gh_scavenge_pace_fails(struct kunit *test)
{
	struct gh_scav_pacer p;
	u32 i;

	gh_scav_pacer_init(&p);
	for (i = 0; i < 100 && !p.failed; i++)
		gh_scav_pacer_update(&p, 100 * NSEC_PER_SEC, 0, 1);
	KUNIT_ASSERT_TRUE(test, p.failed);
	KUNIT_EXPECT_EQ(test, p.ratio, GH_PACE_RATIO_MIN);
	KUNIT_EXPECT_EQ(test, p.integral, 0);
	/* It has no say for five seconds, and begins anew. */
	gh_scav_pacer_update(&p, NSEC_PER_MSEC, 4 * NSEC_PER_SEC, 1);
	KUNIT_EXPECT_EQ(test, p.integral, 0);
	gh_scav_pacer_update(&p, NSEC_PER_MSEC, NSEC_PER_SEC, 1);
	KUNIT_EXPECT_EQ(test, p.integral, 0);
	KUNIT_EXPECT_EQ(test, p.cooldown_ns, 0);
	gh_scav_pacer_update(&p, NSEC_PER_MSEC, NSEC_PER_SEC, 1);
	KUNIT_EXPECT_NE(test, p.integral, 0);
}

/* A heap. */

#define BLOCK	(8 * GH_PAGE_SIZE)

static u64 mapped(struct gh_test_env *env)
{
	return atomic64_read(&env->heap->mapped);
}

static u64 in_use(struct gh_test_env *env)
{
	return gh_test_stat(env, inuse_pages) * GH_PAGE_SIZE;
}

/* Objects of BLOCK bytes, filled with their number. */
static void fill_blocks(struct kunit *test, u32 nr)
{
	struct gh_test_env *env = test->priv;
	u32 i;

	for (i = 0; i < nr; i++) {
		env->root[i] = gh_test_new(test, 0, BLOCK);
		gh_test_fill(env, env->root[i], BLOCK, i + 1);
	}
}

static void expect_block(struct kunit *test, u32 i)
{
	struct gh_test_env *env = test->priv;
	u64 w;

	for (w = 0; w < BLOCK / 8; w++)
		if (*gh_test_word(env, env->root[i], w) != i + 1)
			break;
	KUNIT_EXPECT_EQ(test, w, BLOCK / 8);
}

/* Drop all blocks but each @every th, and have their memory looked at. */
static void drop_blocks(struct gh_test_env *env, u32 nr, u32 every)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (i % every)
			env->root[i] = 0;
	gh_test_collect(env);
	gh_test_collect(env);
}

/* End of the highest page with memory. */
static u64 top(struct gh_test_env *env)
{
	u64 page = env->heap->pages.end_page;

	while (page && !gh_heap_kaddr(env->heap, (page - 1) << GH_PAGE_SHIFT))
		page--;
	return page;
}

static void gh_scavenge_background(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_heap *heap = env->heap;
	u32 nr = 3 * GH_CHUNK_SIZE / BLOCK - 1, i;
	u64 huge = GH_HUGE_PAGES * GH_PAGE_SIZE;
	u64 full, goal, n, last;

	fill_blocks(test, nr);
	full = mapped(env);
	KUNIT_EXPECT_EQ(test, gh_scavenge_step(heap, U64_MAX), 0);
	for (i = 4; i < nr; i++)
		env->root[i] = 0;
	gh_test_collect(env);
	/* What the last cycle needed is all there is. */
	KUNIT_EXPECT_EQ(test, gh_scavenge_excess(heap), 0);
	KUNIT_EXPECT_EQ(test, gh_scavenge_step(heap, U64_MAX), 0);
	gh_test_collect(env);
	goal = round_up(4 * BLOCK / 10 * 11, GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, heap->scav.percent_goal, goal);
	KUNIT_EXPECT_EQ(test, gh_scavenge_excess(heap), full - goal);

	last = top(env);
	while ((n = gh_scavenge_step(heap, GH_SCAV_QUANTUM))) {
		/* From the top, 64 KiB or whole huge pages. */
		KUNIT_EXPECT_TRUE(test, n <= GH_SCAV_QUANTUM ||
				  (n >= huge && n < huge + GH_SCAV_QUANTUM));
		KUNIT_ASSERT_LE(test, top(env) + n / GH_PAGE_SIZE, last);
		last = top(env);
	}
	KUNIT_EXPECT_LE(test, mapped(env), goal);
	KUNIT_EXPECT_GE(test, mapped(env), in_use(env));
	KUNIT_EXPECT_GE(test, mapped(env) + GH_SCAV_QUANTUM, goal);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&heap->scav.bg_bytes),
			full - mapped(env));
	KUNIT_EXPECT_EQ(test, atomic64_read(&heap->scav.eager_bytes), 0);
	for (i = 0; i < 4; i++)
		expect_block(test, i);
	gh_test_check(test);
	/* What comes back is zero, backed again or not given up. */
	for (i = 4; i < nr; i++) {
		u64 ref = gh_test_new(test, 0, BLOCK);

		KUNIT_ASSERT_TRUE(test, gh_test_zeroed(env, ref, BLOCK));
		env->root[i] = ref;
	}
	for (i = 0; i < 4; i++)
		expect_block(test, i);
}

/* Between objects in use, too; all of them stay as they are. */
static void gh_scavenge_in_use(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 nr = 2 * GH_CHUNK_SIZE / BLOCK - 1, i;

	fill_blocks(test, nr);
	drop_blocks(env, nr, 3);
	env->heap->scav.percent_goal = 0;
	while (gh_scavenge_step(env->heap, GH_SCAV_QUANTUM))
		;
	KUNIT_EXPECT_EQ(test, mapped(env), in_use(env));
	gh_test_check(test);
	for (i = 0; i < nr; i += 3)
		expect_block(test, i);
}

static void gh_scavenge_dense_chunk(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_heap *heap = env->heap;
	u32 i;

	for (i = 0; i < CHUNK - 1; i++)
		env->root[i] = gh_test_new(test, 0, GH_PAGE_SIZE);
	for (i = 1; i <= 16; i++)
		env->root[i * 20] = 0;
	gh_test_collect(env);
	gh_test_collect(env);
	heap->scav.percent_goal = 0;
	KUNIT_EXPECT_EQ(test, gh_pagealloc_index(&heap->pages, 0)->in_use,
			CHUNK - 16);
	KUNIT_EXPECT_EQ(test, gh_scavenge_step(heap, U64_MAX), 0);
	/* One page less is sparse, but only after a generation. */
	env->root[1] = 0;
	gh_test_collect(env);
	heap->scav.percent_goal = 0;
	KUNIT_EXPECT_EQ(test, gh_scavenge_step(heap, U64_MAX), 0);
	gh_test_collect(env);
	heap->scav.percent_goal = 0;
	KUNIT_EXPECT_EQ(test, gh_scavenge_step(heap, U64_MAX),
			17 * GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, mapped(env), in_use(env));
}

/* By force dense chunks are no exception. */
static void gh_scavenge_forced(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 i;

	for (i = 0; i < CHUNK - 1; i++)
		env->root[i] = gh_test_new(test, 0, GH_PAGE_SIZE);
	env->root[7] = 0;
	env->root[99] = 0;
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, gh_heap_release(env->heap, U64_MAX),
			2 * GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&env->heap->scav.eager_bytes),
			2 * GH_PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic64_read(&env->heap->scav.bg_bytes), 0);
}

static void gh_scavenge_lazy(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_heap *heap = env->heap;
	u64 before;

	fill_blocks(test, 100);
	drop_blocks(env, 100, 10);
	before = mapped(env);
	heap->madvdontneed = false;
	KUNIT_EXPECT_EQ(test, gh_scavenge_step(heap, U64_MAX), 0);
	KUNIT_EXPECT_EQ(test, mapped(env), before);
	KUNIT_EXPECT_EQ(test, heap->scav.lazy_bytes,
			gh_scavenge_excess(heap));
	/* It is there for whoever needs it. */
	KUNIT_EXPECT_EQ(test, gh_heap_release(heap, U64_MAX),
			before - in_use(env));
	KUNIT_EXPECT_EQ(test, gh_scavenge_step(heap, U64_MAX), 0);
	KUNIT_EXPECT_EQ(test, heap->scav.lazy_bytes, 0);
}

/* Addresses grow because the free pages are in pieces; those go. */
static void gh_scavenge_growth(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_heap *heap = env->heap;
	u32 nr = GH_CHUNK_SIZE / BLOCK * 3 / 2;
	u64 before, ref;

	fill_blocks(test, nr);
	drop_blocks(env, nr, 2);
	before = mapped(env);
	heap->scav.percent_goal = before;
	ref = gh_test_new(test, 0, GH_CHUNK_SIZE / 4 * 3);
	KUNIT_EXPECT_GE(test, gh_test_off(ref), GH_CHUNK_SIZE);
	/*
	 * No more than the growth, and that is more than there is; of what was
	 * free the last block is a part of the new object.
	 */
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&heap->scav.eager_bytes),
			before - (nr / 2 + 1) * BLOCK);
	KUNIT_EXPECT_EQ(test, mapped(env), in_use(env));
	expect_block(test, 0);
	expect_block(test, nr - 2);
	gh_test_check(test);
}

/* An allocation that grows nothing, or a heap below its goal, releases none. */
static void gh_scavenge_no_growth(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 nr = GH_CHUNK_SIZE / BLOCK * 3 / 2;

	fill_blocks(test, nr);
	drop_blocks(env, nr, 2);
	env->heap->scav.percent_goal = 0;
	env->root[1] = gh_test_new(test, 0, BLOCK);
	KUNIT_EXPECT_EQ(test, atomic64_read(&env->heap->scav.eager_bytes), 0);
	env->heap->scav.percent_goal = 2 * mapped(env);
	env->root[3] = gh_test_new(test, 0, GH_CHUNK_SIZE / 4 * 3);
	KUNIT_EXPECT_EQ(test, atomic64_read(&env->heap->scav.eager_bytes), 0);
}

/* As long as there is something free, the heap stays below its limit. */
static void gh_scavenge_limit(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_heap *heap = env->heap;
	u32 nr = 200, i;
	u64 limit;

	fill_blocks(test, nr);
	drop_blocks(env, nr, 2);
	limit = mapped(env) + gh_pace_metadata(heap) + BLOCK;
	/* Not by gh_gc_set_limit(): no cycle shall come in between. */
	heap->pace.pacer.memory_limit = limit;
	for (i = 0; i < 80; i++) {
		env->root[2 * i + 1] = gh_test_new(test, 0, BLOCK + 1);
		KUNIT_EXPECT_LE(test, mapped(env) + gh_pace_metadata(heap),
				limit + GH_PAGE_SIZE);
	}
	KUNIT_EXPECT_GT(test, atomic64_read(&heap->scav.eager_bytes),
			80 * BLOCK);
	KUNIT_EXPECT_GT(test, atomic64_read(&heap->scav.assist_ns), 0);
	for (i = 0; i < nr; i += 2)
		expect_block(test, i);
	gh_test_check(test);
	/* With nothing left to give back the limit gives way. */
	for (i = 0; i < 20; i++)
		gh_test_new(test, 0, BLOCK + 1);
	KUNIT_EXPECT_GT(test, mapped(env) + gh_pace_metadata(heap), limit);
	heap->pace.pacer.memory_limit = S64_MAX;
}

/* The limiter knows of what allocations do for the limit, and can forbid it. */
static void gh_scavenge_limited(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_heap *heap = env->heap;
	struct gh_limiter *l = &heap->pace.limiter;
	u64 pool, eager;
	s64 ns;

	fill_blocks(test, 400);
	drop_blocks(env, 400, 4);
	heap->scav.percent_goal = GH_SCAV_NO_GOAL;
	/* Its clock stands, so that nothing but this case drains or fills it. */
	l->last_update = U64_MAX;
	gh_limiter_accumulate(l, 0, l->capacity);
	KUNIT_ASSERT_TRUE(test, gh_limiter_limiting(l));
	pool = l->assist_pool;
	heap->pace.pacer.memory_limit = mapped(env) + gh_pace_metadata(heap);
	gh_test_new(test, 0, 80 * BLOCK);
	KUNIT_EXPECT_EQ(test, atomic64_read(&heap->scav.eager_bytes), 0);
	KUNIT_EXPECT_EQ(test, l->assist_pool, pool);
	KUNIT_EXPECT_GT(test, mapped(env) + gh_pace_metadata(heap),
			heap->pace.pacer.memory_limit);

	gh_limiter_accumulate(l, 1, 0);
	KUNIT_ASSERT_FALSE(test, gh_limiter_limiting(l));
	gh_test_new(test, 0, 20 * BLOCK);
	eager = atomic64_read(&heap->scav.eager_bytes);
	ns = atomic64_read(&heap->scav.assist_ns);
	KUNIT_EXPECT_GT(test, eager, 80 * BLOCK);
	KUNIT_EXPECT_LE(test, mapped(env) + gh_pace_metadata(heap),
			heap->pace.pacer.memory_limit + GH_PAGE_SIZE);
	KUNIT_EXPECT_GT(test, ns, 0);
	KUNIT_EXPECT_EQ(test, l->assist_pool, pool + ns);
	heap->pace.pacer.memory_limit = S64_MAX;
	l->last_update = ktime_get_ns();
}

static void gh_scavenge_limit_background(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_heap *heap = env->heap;
	u64 limit;

	fill_blocks(test, 200);
	drop_blocks(env, 200, 4);
	limit = mapped(env) + gh_pace_metadata(heap);
	gh_gc_set_limit(heap, limit);
	KUNIT_EXPECT_EQ(test, heap->scav.limit_goal, limit - limit / 20);
	heap->scav.percent_goal = GH_SCAV_NO_GOAL;
	while (gh_scavenge_step(heap, GH_SCAV_QUANTUM))
		;
	KUNIT_EXPECT_LE(test, mapped(env) + gh_pace_metadata(heap),
			limit - limit / 20);
	KUNIT_EXPECT_GE(test, mapped(env) + gh_pace_metadata(heap) +
			GH_HUGE_PAGES * GH_PAGE_SIZE, limit - limit / 20);
	/* Met: there is none until the next time. */
	gh_gc_set_limit(heap, limit);
	KUNIT_EXPECT_EQ(test, heap->scav.limit_goal, GH_SCAV_NO_GOAL);
}

static void gh_scavenge_rounds(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_heap *heap = env->heap;
	u64 sleep, done = 0;
	u32 i;

	KUNIT_EXPECT_EQ(test, gh_scavenge_run(heap), 0);
	fill_blocks(test, 400);
	drop_blocks(env, 400, 50);
	for (i = 0; i < 1000; i++) {
		sleep = gh_scavenge_run(heap);
		if (!heap->scav.worked_ns)
			break;
		KUNIT_ASSERT_GT(test, sleep, 0);
		KUNIT_ASSERT_GT(test, (u64)atomic64_read(&heap->scav.bg_bytes),
				done);
		done = atomic64_read(&heap->scav.bg_bytes);
	}
	KUNIT_EXPECT_EQ(test, sleep, 0);
	KUNIT_EXPECT_GT(test, done, 300 * BLOCK);
	KUNIT_EXPECT_GT(test, atomic64_read(&heap->scav.bg_ns), 0);
	KUNIT_EXPECT_EQ(test, gh_scavenge_excess(heap), 0);
}

/* Without cycles a generation ends by itself. */
static void gh_scavenge_ages(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_heap *heap = env->heap;
	u64 sleep;
	u32 i;

	fill_blocks(test, 100);
	memset(&env->root[10], 0, 90 * sizeof(u64));
	gh_test_collect(env);
	heap->scav.percent_goal = 0;
	sleep = gh_scavenge_run(heap);
	KUNIT_EXPECT_GT(test, sleep, GH_SCAV_PERIOD_NS / 2);
	KUNIT_EXPECT_LE(test, sleep, GH_SCAV_PERIOD_NS);
	KUNIT_EXPECT_EQ(test, atomic64_read(&heap->scav.bg_bytes), 0);
	heap->scav.gen_ns -= GH_SCAV_PERIOD_NS;
	for (i = 0; i < 1000 && gh_scavenge_run(heap); i++)
		;
	KUNIT_EXPECT_LT(test, i, 1000);
	KUNIT_EXPECT_EQ(test, mapped(env), in_use(env));
	KUNIT_EXPECT_GT(test, atomic64_read(&heap->scav.bg_bytes),
			80 * BLOCK);
}

static struct kunit_case gh_scavenge_cases[] = {
	KUNIT_CASE(gh_scavenge_dense),
	KUNIT_CASE(gh_scavenge_generations),
	KUNIT_CASE(gh_scavenge_index),
	KUNIT_CASE(gh_scavenge_huge),
	KUNIT_CASE(gh_scavenge_no_longer_dense),
	KUNIT_CASE(gh_scavenge_percent_goal),
	KUNIT_CASE(gh_scavenge_limit_goal),
	KUNIT_CASE(gh_scavenge_pace),
	KUNIT_CASE(gh_scavenge_pace_bounds),
	KUNIT_CASE(gh_scavenge_pace_fails),
	KUNIT_CASE(gh_scavenge_background),
	KUNIT_CASE(gh_scavenge_in_use),
	KUNIT_CASE(gh_scavenge_dense_chunk),
	KUNIT_CASE(gh_scavenge_forced),
	KUNIT_CASE(gh_scavenge_lazy),
	KUNIT_CASE(gh_scavenge_growth),
	KUNIT_CASE(gh_scavenge_no_growth),
	KUNIT_CASE(gh_scavenge_limit),
	KUNIT_CASE(gh_scavenge_limited),
	KUNIT_CASE(gh_scavenge_limit_background),
	KUNIT_CASE(gh_scavenge_rounds),
	KUNIT_CASE(gh_scavenge_ages),
	{}
};

static struct kunit_suite gh_scavenge_suite = {
	.name = "gh_scavenge",
	.init = gh_test_env_init,
	.exit = gh_test_env_exit,
	.test_cases = gh_scavenge_cases,
};

gh_test_suite(gh_scavenge_suite);
