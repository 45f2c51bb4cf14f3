// SPDX-License-Identifier: GPL-2.0
/*
 * Page cache: groups of 64 pages out of the page allocator and back.
 */
#include "gh_internal.h"
#include "gh_pagealloc.h"
#include "gh_test.h"

#define CHUNK		((u64)GH_CHUNK_PAGES)
#define PAGES		(4 * CHUNK)
#define NR_CACHES	4

static u64 random_state;

static u64 rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static const char *check(struct gh_pagealloc *pa)
{
	const char *err = gh_pagealloc_check(pa);

	return err ? err : "fine";
}

#define EXPECT_FINE(test, pa)	KUNIT_EXPECT_STREQ(test, check(pa), "fine")

static void gh_pagecache_fill(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	struct gh_pagecache c;
	u64 n;

	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, CHUNK + 128, &n), 0);
	gh_pagealloc_free(pa, CHUNK + 65, 2, false);
	gh_pagealloc_free(pa, CHUNK + 70, 1, true);
	c = gh_pagealloc_fill_cache(pa);
	KUNIT_EXPECT_EQ(test, c.base, CHUNK + 64);
	KUNIT_EXPECT_EQ(test, c.free, 1 << 1 | 1 << 2 | 1 << 6);
	KUNIT_EXPECT_EQ(test, c.scav, 1 << 6);
	KUNIT_EXPECT_EQ(test, pa->search_page, CHUNK + 128);
	KUNIT_EXPECT_EQ(test, pa->free_pages, PAGES - CHUNK - 128);
	KUNIT_EXPECT_EQ(test, pa->scav_pages, PAGES - CHUNK - 128);
	EXPECT_FINE(test, pa);

	c = gh_pagealloc_fill_cache(pa);
	KUNIT_EXPECT_EQ(test, c.base, CHUNK + 128);
	KUNIT_EXPECT_EQ(test, c.free, U64_MAX);
	KUNIT_EXPECT_EQ(test, c.scav, U64_MAX);
	EXPECT_FINE(test, pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 1, &n), CHUNK + 192);

	/* The last of all pages */
	KUNIT_EXPECT_EQ(test, CHUNK + 193,
			gh_pagealloc_alloc(pa, PAGES - CHUNK - 194, &n));
	c = gh_pagealloc_fill_cache(pa);
	KUNIT_EXPECT_EQ(test, c.base, PAGES - 64);
	KUNIT_EXPECT_EQ(test, c.free, 1ULL << 63);
	KUNIT_EXPECT_EQ(test, pa->search_page, GH_NO_PAGE);
	c = gh_pagealloc_fill_cache(pa);
	KUNIT_EXPECT_TRUE(test, gh_pagecache_empty(&c));
	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 1, &n), GH_NO_PAGE);
	gh_pagecache_flush(&c, pa);
	EXPECT_FINE(test, pa);
}

static void gh_pagecache_runs(struct kunit *test)
{
	struct gh_pagecache c = {
		.base = 640,
		.free = 0xf0f1 | 0xffffULL << 32 | 1ULL << 63,
		.scav = 0x0030 | 0x00ffULL << 32,
	};
	u64 n;

	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 17, &n), GH_NO_PAGE);
	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 64, &n), GH_NO_PAGE);
	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 3, &n), 640 + 4);
	KUNIT_EXPECT_EQ(test, n, 2);
	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 4, &n), 640 + 12);
	KUNIT_EXPECT_EQ(test, n, 0);
	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 1, &n), 640);
	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 1, &n), 640 + 7);
	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 15, &n), 640 + 32);
	KUNIT_EXPECT_EQ(test, n, 8);
	KUNIT_EXPECT_EQ(test, c.scav, 0);
	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 2, &n), GH_NO_PAGE);
	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 1, &n), 640 + 47);
	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 1, &n), 640 + 63);
	KUNIT_EXPECT_TRUE(test, gh_pagecache_empty(&c));
	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 1, &n), GH_NO_PAGE);
	KUNIT_EXPECT_EQ(test, n, 0);
	c.free = U64_MAX;
	c.scav = U64_MAX;
	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 64, &n), 640);
	KUNIT_EXPECT_EQ(test, n, 64);
	KUNIT_EXPECT_TRUE(test, gh_pagecache_empty(&c));
}

static void gh_pagecache_return(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	struct gh_pagecache c;
	u64 n;

	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, PAGES, &n), 0);
	gh_pagealloc_free(pa, 100, 5, false);
	gh_pagealloc_free(pa, 110, 5, true);
	c = gh_pagealloc_fill_cache(pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_unscavenged(pa, 9, &n),
			GH_NO_PAGE);
	KUNIT_EXPECT_EQ(test, gh_pagecache_alloc(&c, 2, &n), 100);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_grow(pa, 1), -ENOSPC);
	gh_pagecache_flush(&c, pa);
	KUNIT_EXPECT_TRUE(test, gh_pagecache_empty(&c));
	KUNIT_EXPECT_EQ(test, c.scav, 0);
	EXPECT_FINE(test, pa);
	KUNIT_EXPECT_EQ(test, pa->free_pages, 8);
	KUNIT_EXPECT_EQ(test, pa->scav_pages, 5);
	KUNIT_EXPECT_EQ(test, pa->search_page, 102);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_unscavenged(pa, 9, &n), 102);
	KUNIT_EXPECT_EQ(test, n, 3);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 5, &n), 110);
	KUNIT_EXPECT_EQ(test, n, 5);
}

/* What each page is; those that are in cache n are CACHED + n. */
enum { USED, BACKED, SCAV, CACHED };

struct model {
	struct gh_pagecache c[NR_CACHES];
	u8 page[PAGES];
};

/* Fill or flush: whole words of the model follow the cache. */
static void model_turn(struct kunit *test, struct model *m, u32 nr)
{
	struct gh_pagecache *c = &m->c[nr];
	u64 first = 0, i;

	if (!gh_pagecache_empty(c)) {
		for (i = 0; i < 64; i++) {
			if (c->free >> i & 1)
				m->page[c->base + i] =
					c->scav >> i & 1 ? SCAV : BACKED;
		}
		gh_pagecache_flush(c, test->priv);
		return;
	}
	*c = gh_pagealloc_fill_cache(test->priv);
	while (first < PAGES &&
	       m->page[first] != BACKED && m->page[first] != SCAV)
		first++;
	if (first == PAGES) {
		KUNIT_ASSERT_TRUE(test, gh_pagecache_empty(c));
		return;
	}
	KUNIT_ASSERT_EQ(test, c->base, first / 64 * 64);
	for (i = 0; i < 64; i++) {
		u8 *p = &m->page[c->base + i];
		bool free = *p == BACKED || *p == SCAV;

		KUNIT_ASSERT_EQ(test, c->free >> i & 1, free);
		KUNIT_ASSERT_EQ(test, c->scav >> i & 1, *p == SCAV);
		if (free)
			*p = CACHED + nr;
	}
}

static void model_alloc(struct kunit *test, struct model *m, u32 nr)
{
	struct gh_pagecache *c = &m->c[nr];
	u32 n = rnd() % GH_PAGECACHE_MAX + 1, run = 0, i;
	u64 scav, want = 0, page;

	page = gh_pagecache_alloc(c, n, &scav);
	for (i = 0; i < 64 && run < n; i++)
		run = m->page[c->base + i] == CACHED + nr ? run + 1 : 0;
	if (run < n) {
		KUNIT_ASSERT_EQ(test, page, GH_NO_PAGE);
		return;
	}
	KUNIT_ASSERT_EQ(test, page, c->base + i - n);
	for (; run; run--)
		m->page[c->base + --i] = USED;
	for (i = 0; i < 64; i++)
		want += m->page[c->base + i] == CACHED + nr;
	KUNIT_ASSERT_EQ(test, hweight64(c->free), want);
	KUNIT_ASSERT_EQ(test, c->scav & ~c->free, 0);
	KUNIT_ASSERT_LE(test, scav, n);
}

static void model_free(struct kunit *test, struct model *m)
{
	u64 first = rnd() % PAGES, n = 0, most = rnd() % 30 + 1;
	bool scav = rnd() & 1;

	while (first < PAGES && m->page[first] != USED)
		first++;
	while (first + n < PAGES && m->page[first + n] == USED && n < most)
		m->page[first + n++] = scav ? SCAV : BACKED;
	if (n)
		gh_pagealloc_free(test->priv, first, n, scav);
}

static void gh_pagecache_random(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	struct model *m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	u64 free, scav, i;
	u32 step;

	KUNIT_ASSERT_NOT_NULL(test, m);
	memset(m->page, SCAV, PAGES);
	for (step = 0; step < 4000; step++) {
		u32 nr = rnd() % NR_CACHES, op = rnd() % 8;

		if (op < 2)
			model_turn(test, m, nr);
		else if (op < 5)
			model_alloc(test, m, nr);
		else
			model_free(test, m);
		if (step % 16)
			continue;
		for (free = 0, scav = 0, i = 0; i < PAGES; i++) {
			scav += m->page[i] == SCAV;
			free += m->page[i] == SCAV || m->page[i] == BACKED;
		}
		KUNIT_ASSERT_EQ(test, pa->free_pages, free);
		KUNIT_ASSERT_EQ(test, pa->scav_pages, scav);
		KUNIT_ASSERT_STREQ(test, check(pa), "fine");
	}
}

static int gh_pagecache_setup(struct kunit *test)
{
	int err;

	test->priv = kunit_kzalloc(test, sizeof(struct gh_pagealloc),
				   GFP_KERNEL);
	if (!test->priv)
		return -ENOMEM;
	random_state = 88172645463325252ULL;
	err = gh_pagealloc_init(test->priv, PAGES);
	return err ? err : gh_pagealloc_grow(test->priv, PAGES);
}

static void gh_pagecache_teardown(struct kunit *test)
{
	if (test->priv)
		gh_pagealloc_destroy(test->priv);
}

static struct kunit_case gh_pagecache_cases[] = {
	KUNIT_CASE(gh_pagecache_fill),
	KUNIT_CASE(gh_pagecache_runs),
	KUNIT_CASE(gh_pagecache_return),
	KUNIT_CASE(gh_pagecache_random),
	{}
};

static struct kunit_suite gh_pagecache_suite = {
	.name = "gh_pagecache",
	.init = gh_pagecache_setup,
	.exit = gh_pagecache_teardown,
	.test_cases = gh_pagecache_cases,
};

gh_test_suite(gh_pagecache_suite);
