// SPDX-License-Identifier: GPL-2.0
/*
 * Page allocator: first fit, growth, scavenged pages, and a model of one byte
 * per page that random operations are compared with.
 */
#include "gh_internal.h"
#include "gh_pagealloc.h"
#include "gh_test.h"

#define CHUNK		((u64)GH_CHUNK_PAGES)
#define ROOT		BIT_ULL(21)	/* pages under an entry of level 0 */
#define ASPACE		(4 * ROOT)
#define MODEL_PAGES	(16 * CHUNK)

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
#define ASSERT_FINE(test, pa)	KUNIT_ASSERT_STREQ(test, check(pa), "fine")

static void gh_pagealloc_sizes(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	u64 most = GH_MAX_ASPACE / GH_PAGE_SIZE;
	struct gh_pagealloc bad;
	u64 n;

	KUNIT_EXPECT_EQ(test, gh_pagealloc_init(&bad, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_init(&bad, CHUNK - 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_init(&bad, CHUNK + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_init(&bad, most + CHUNK), -EINVAL);

	gh_pagealloc_destroy(pa);
	KUNIT_ASSERT_EQ(test, gh_pagealloc_init(pa, most), 0);
	KUNIT_EXPECT_LT(test, pa->meta_bytes, 4 << 20);
	EXPECT_FINE(test, pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 1, &n), GH_NO_PAGE);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_unscavenged(pa, 1, &n),
			GH_NO_PAGE);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_fill_cache(pa).free, 0);
	KUNIT_ASSERT_EQ(test, gh_pagealloc_grow(pa, 1), 0);
	EXPECT_FINE(test, pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, CHUNK, &n), 0);
	KUNIT_EXPECT_EQ(test, n, CHUNK);
	EXPECT_FINE(test, pa);
}

static void gh_pagealloc_growth(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	struct gh_pagealloc old;

	KUNIT_EXPECT_EQ(test, gh_pagealloc_grow(pa, 0), 0);
	KUNIT_EXPECT_EQ(test, pa->end_page, 0);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_grow(pa, 1), 0);
	KUNIT_EXPECT_EQ(test, pa->end_page, CHUNK);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_grow(pa, CHUNK + 1), 0);
	KUNIT_EXPECT_EQ(test, pa->end_page, 3 * CHUNK);
	KUNIT_EXPECT_EQ(test, pa->free_pages, 3 * CHUNK);
	KUNIT_EXPECT_EQ(test, pa->scav_pages, 3 * CHUNK);
	KUNIT_EXPECT_EQ(test, pa->search_page, 0);
	EXPECT_FINE(test, pa);

	old = *pa;
	KUNIT_EXPECT_EQ(test, gh_pagealloc_grow(pa, ASPACE - 3 * CHUNK + 1),
			-ENOSPC);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_grow(pa, U64_MAX), -ENOSPC);
	KUNIT_EXPECT_EQ(test, memcmp(&old, pa, sizeof(old)), 0);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_grow(pa, ASPACE - 3 * CHUNK), 0);
	KUNIT_EXPECT_EQ(test, pa->end_page, ASPACE);
	EXPECT_FINE(test, pa);
	old = *pa;
	KUNIT_EXPECT_EQ(test, gh_pagealloc_grow(pa, 1), -ENOSPC);
	KUNIT_EXPECT_EQ(test, memcmp(&old, pa, sizeof(old)), 0);
}

static void gh_pagealloc_first_fit(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	u64 n;

	KUNIT_ASSERT_EQ(test, gh_pagealloc_grow(pa, 2 * CHUNK), 0);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 10, &n), 0);
	KUNIT_EXPECT_EQ(test, n, 10);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 20, &n), 10);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 30, &n), 30);
	gh_pagealloc_free(pa, 0, 10, false);
	gh_pagealloc_free(pa, 15, 5, true);
	EXPECT_FINE(test, pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 11, &n), 60);
	KUNIT_EXPECT_EQ(test, n, 11);
	KUNIT_EXPECT_EQ(test, pa->search_page, 0);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 10, &n), 0);
	KUNIT_EXPECT_EQ(test, n, 0);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 5, &n), 15);
	KUNIT_EXPECT_EQ(test, n, 5);
	KUNIT_EXPECT_EQ(test, pa->scav_pages, 2 * CHUNK - 71);
	EXPECT_FINE(test, pa);
}

static void gh_pagealloc_exhaustion(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	u64 p, n;

	KUNIT_ASSERT_EQ(test, gh_pagealloc_grow(pa, 3 * CHUNK), 0);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 3 * CHUNK + 1, &n),
			GH_NO_PAGE);
	for (p = 0; p < 3 * CHUNK; p++)
		KUNIT_ASSERT_EQ(test, gh_pagealloc_alloc(pa, 1, &n), p);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 1, &n), GH_NO_PAGE);
	KUNIT_EXPECT_EQ(test, pa->search_page, GH_NO_PAGE);
	KUNIT_EXPECT_EQ(test, pa->free_pages, 0);
	KUNIT_EXPECT_EQ(test, pa->scav_pages, 0);
	EXPECT_FINE(test, pa);
	gh_pagealloc_free(pa, 3 * CHUNK - 1, 1, false);
	gh_pagealloc_free(pa, CHUNK, 1, false);
	EXPECT_FINE(test, pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 2, &n), GH_NO_PAGE);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 1, &n), CHUNK);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 1, &n), 3 * CHUNK - 1);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 1, &n), GH_NO_PAGE);
	EXPECT_FINE(test, pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_grow(pa, 1), 0);
	KUNIT_EXPECT_EQ(test, pa->search_page, 3 * CHUNK);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 2, &n), 3 * CHUNK);
}

/* A hole around the edge of entries of one level is found, and only it. */
static void hole(struct kunit *test, u64 edge, u64 below, u64 above)
{
	struct gh_pagealloc *pa = test->priv;
	u64 page = edge - below, npages = below + above;
	u64 n;

	gh_pagealloc_free(pa, page, npages, false);
	/* Something higher that fits as well, and something lower too small. */
	gh_pagealloc_free(pa, ROOT + 5 * CHUNK, 8 * CHUNK, false);
	gh_pagealloc_free(pa, 3, 1, false);
	KUNIT_EXPECT_EQ_MSG(test, gh_pagealloc_alloc(pa, npages, &n), page,
			    "%llu below %llu, %llu above", below, edge, above);
	KUNIT_EXPECT_EQ(test, n, 0);
	gh_pagealloc_free(pa, page, npages, false);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, npages + 1, &n),
			ROOT + 5 * CHUNK);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 1, &n), 3);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, npages, &n), page);
	/* Whatever is left of the higher hole */
	n = pa->free_pages;
	KUNIT_EXPECT_EQ(test, n, 8 * CHUNK - npages - 1);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, n, &n),
			ROOT + 5 * CHUNK + npages + 1);
	KUNIT_EXPECT_EQ(test, pa->free_pages, 0);
}

static void gh_pagealloc_edges(struct kunit *test)
{
	static const u32 shifts[] = { 6, 9, 12, 13, 15, 18, 21 };
	static const u16 sizes[] = { 1, 2, 63, 64, 65, 511, 512, 513, 1100 };
	struct gh_pagealloc *pa = test->priv;
	u32 i, j, k;
	u64 n;

	KUNIT_ASSERT_EQ(test, gh_pagealloc_grow(pa, ROOT + 16 * CHUNK), 0);
	KUNIT_ASSERT_EQ(test, gh_pagealloc_alloc(pa, pa->end_page, &n), 0);
	KUNIT_EXPECT_EQ(test, n, pa->end_page);
	for (i = 0; i < ARRAY_SIZE(shifts); i++) {
		for (j = 0; j < ARRAY_SIZE(sizes); j++) {
			u64 edge = 1ULL << shifts[i];

			if (edge < sizes[j] + 4ULL)
				continue;
			for (k = 0; k < ARRAY_SIZE(sizes); k++)
				hole(test, edge, sizes[j], sizes[k]);
		}
		EXPECT_FINE(test, pa);
	}
}

/* Entries of level 0 that are free as a whole */
static void gh_pagealloc_huge(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	u64 size = 2 * ROOT + 3 * CHUNK;
	u64 n;

	KUNIT_ASSERT_EQ(test, gh_pagealloc_grow(pa, size), 0);
	KUNIT_EXPECT_EQ(test, *gh_pagealloc_sum(pa, 0, 0), GH_SUMMARY_ALL);
	KUNIT_EXPECT_EQ(test, *gh_pagealloc_sum(pa, 0, 1), GH_SUMMARY_ALL);
	EXPECT_FINE(test, pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, size, &n), 0);
	KUNIT_EXPECT_EQ(test, n, size);
	EXPECT_FINE(test, pa);
	gh_pagealloc_free(pa, 0, size, true);
	EXPECT_FINE(test, pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, ROOT, &n), 0);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, ROOT, &n), ROOT);
	gh_pagealloc_free(pa, 0, ROOT, false);
	gh_pagealloc_free(pa, ROOT, ROOT, false);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 1, &n), 0);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, ROOT, &n), 1);
	EXPECT_FINE(test, pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, ROOT + 3 * CHUNK, &n),
			GH_NO_PAGE);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, ROOT + 3 * CHUNK - 1, &n),
			ROOT + 1);
	KUNIT_EXPECT_EQ(test, n, 3 * CHUNK);
	KUNIT_EXPECT_EQ(test, pa->free_pages, 0);
	EXPECT_FINE(test, pa);
}

static void gh_pagealloc_unscavenged(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	u64 n;

	KUNIT_ASSERT_EQ(test, gh_pagealloc_grow(pa, 300 * CHUNK), 0);
	/* All free, but none with memory */
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_unscavenged(pa, 10, &n),
			GH_NO_PAGE);
	KUNIT_EXPECT_EQ(test, n, 0);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 300 * CHUNK, &n), 0);
	gh_pagealloc_free(pa, 7, 1, false);
	gh_pagealloc_free(pa, 3 * CHUNK - 70, 80, false);
	gh_pagealloc_free(pa, 200 * CHUNK + 100, 3, true);
	gh_pagealloc_free(pa, 200 * CHUNK + 103, 2, false);

	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_unscavenged(pa, 10, &n),
			200 * CHUNK + 103);
	KUNIT_EXPECT_EQ(test, n, 2);
	EXPECT_FINE(test, pa);
	gh_pagealloc_free(pa, 200 * CHUNK + 103, n, true);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_unscavenged(pa, 15, &n),
			3 * CHUNK + 10 - 15);
	KUNIT_EXPECT_EQ(test, n, 15);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_unscavenged(pa, U64_MAX, &n),
			3 * CHUNK - 70);
	KUNIT_EXPECT_EQ(test, n, 65);
	EXPECT_FINE(test, pa);
	/* Memory was not given back after all */
	gh_pagealloc_free(pa, 3 * CHUNK - 70, 65, false);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_unscavenged(pa, 65, &n),
			3 * CHUNK - 70);
	KUNIT_EXPECT_EQ(test, n, 65);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_unscavenged(pa, 65, &n), 7);
	KUNIT_EXPECT_EQ(test, n, 1);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_take_unscavenged(pa, 65, &n),
			GH_NO_PAGE);
	KUNIT_EXPECT_EQ(test, pa->free_pages, 5);
	KUNIT_EXPECT_EQ(test, pa->scav_pages, 5);
	EXPECT_FINE(test, pa);
	KUNIT_EXPECT_EQ(test, gh_pagealloc_alloc(pa, 5, &n),
			200 * CHUNK + 100);
	KUNIT_EXPECT_EQ(test, n, 5);
	KUNIT_EXPECT_EQ(test, pa->search_page, GH_NO_PAGE);
}

/* From the end to page 0, through used and scavenged pages */
static void gh_pagealloc_unscavenged_all(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	u64 last = 130 * CHUNK;
	u64 n, p;

	KUNIT_ASSERT_EQ(test, gh_pagealloc_grow(pa, last), 0);
	KUNIT_ASSERT_EQ(test, gh_pagealloc_alloc(pa, last, &n), 0);
	gh_pagealloc_free(pa, 0, last, false);
	while ((p = gh_pagealloc_take_unscavenged(pa, 1000, &n)) !=
	       GH_NO_PAGE) {
		KUNIT_ASSERT_EQ(test, p + n, last);
		KUNIT_ASSERT_EQ(test, n, min(last, 1000ULL));
		last = p;
		gh_pagealloc_free(pa, p, n, true);
	}
	KUNIT_EXPECT_EQ(test, last, 0);
	KUNIT_EXPECT_EQ(test, pa->scav_pages, 130 * CHUNK);
	EXPECT_FINE(test, pa);
}

/* What gh_pagealloc_check() is for: it sees each kind of damage. */
static void gh_pagealloc_damage(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	struct gh_pagealloc old;
	u32 level;
	u64 n;

	KUNIT_ASSERT_EQ(test, gh_pagealloc_grow(pa, CHUNK), 0);
	KUNIT_ASSERT_EQ(test, gh_pagealloc_alloc(pa, 100, &n), 0);
	gh_pagealloc_free(pa, 50, 10, false);
	EXPECT_FINE(test, pa);
	for (level = 0; level < GH_SUMMARY_LEVELS; level++) {
		*gh_pagealloc_sum(pa, level, 0) ^= 1;
		KUNIT_EXPECT_STRNEQ(test, check(pa), "fine");
		*gh_pagealloc_sum(pa, level, 0) ^= 1;
		*gh_pagealloc_sum(pa, level, 1) = 1;
		KUNIT_EXPECT_STRNEQ(test, check(pa), "fine");
		*gh_pagealloc_sum(pa, level, 1) = 0;
	}
	gh_pagealloc_data(pa, 0)->scav[0] ^= 1;
	KUNIT_EXPECT_STRNEQ(test, check(pa), "fine");
	gh_pagealloc_data(pa, 0)->scav[0] ^= 1;
	gh_pagealloc_data(pa, 0)->scav[0] ^= 1ULL << 50;
	KUNIT_EXPECT_STRNEQ(test, check(pa), "fine");
	gh_pagealloc_data(pa, 0)->scav[0] ^= 1ULL << 50;
	gh_pagealloc_block(pa, 0)->nr_backed++;
	KUNIT_EXPECT_STREQ(test, check(pa), "nr_backed");
	gh_pagealloc_block(pa, 0)->nr_backed--;

	old = *pa;
	pa->free_pages--;
	KUNIT_EXPECT_STREQ(test, check(pa), "free_pages");
	*pa = old;
	pa->scav_pages++;
	KUNIT_EXPECT_STREQ(test, check(pa), "scav_pages");
	*pa = old;
	pa->search_page = 51;
	KUNIT_EXPECT_STRNEQ(test, check(pa), "fine");
	pa->search_page = 50;
	EXPECT_FINE(test, pa);
	pa->backed_end = 59;
	KUNIT_EXPECT_STRNEQ(test, check(pa), "fine");
	pa->backed_end = 60;
	EXPECT_FINE(test, pa);
	pa->meta_bytes++;
	KUNIT_EXPECT_STREQ(test, check(pa), "meta_bytes");
	*pa = old;
}

/*
 * The model: what each page from @base on is. Pages before are in use; there
 * are none after.
 */
enum { NONE, USED, BACKED, SCAV };

struct model {
	u64 base;
	u64 nr;
	u8 *page;
};

static u64 model_find(struct model *m, u64 n, u64 *nr_scav)
{
	u64 run = 0, i;

	*nr_scav = 0;
	for (i = 0; i < m->nr && run < n; i++) {
		if (m->page[i] == USED)
			*nr_scav = run = 0;
		else
			run++;
		*nr_scav += m->page[i] == SCAV;
		/* A run restarts; scavenged pages before it do not count. */
		if (!run)
			*nr_scav = 0;
	}
	if (run < n) {
		*nr_scav = 0;
		return GH_NO_PAGE;
	}
	memset(m->page + i - n, USED, n);
	return m->base + i - n;
}

static u64 model_take(struct model *m, u64 most, u64 *n)
{
	u64 i = m->nr;

	*n = 0;
	while (i && m->page[i - 1] != BACKED)
		i--;
	while (i && m->page[i - 1] == BACKED && *n < most) {
		m->page[--i] = USED;
		++*n;
	}
	return *n ? m->base + i : GH_NO_PAGE;
}

static u64 random_size(void)
{
	switch (rnd() % 8) {
	case 0:
		return rnd() % 200 + 1;
	case 1:
		return rnd() % 1500 + 1;
	default:
		return rnd() % 12 + 1;
	}
}

static void model_free(struct kunit *test, struct model *m)
{
	u64 first = rnd() % (m->nr + 1), n = 0, most = random_size();
	bool scav = rnd() % 3 == 0;

	while (first < m->nr && m->page[first] != USED)
		first++;
	while (first + n < m->nr && m->page[first + n] == USED && n < most)
		m->page[first + n++] = scav ? SCAV : BACKED;
	if (n)
		gh_pagealloc_free(test->priv, m->base + first, n, scav);
}

static void model_grow(struct kunit *test, struct model *m)
{
	u64 n = rnd() % 1000 + 1;
	u64 nr = m->nr + round_up(n, CHUNK);
	int err = gh_pagealloc_grow(test->priv, n);

	if (nr > MODEL_PAGES) {
		KUNIT_ASSERT_EQ(test, err, -ENOSPC);
		return;
	}
	KUNIT_ASSERT_EQ(test, err, 0);
	memset(m->page + m->nr, SCAV, nr - m->nr);
	m->nr = nr;
}

static void model_step(struct kunit *test, struct model *m)
{
	struct gh_pagealloc *pa = test->priv;
	u64 size = random_size();
	u64 n, want;
	u32 op = rnd() % 100;

	if (op < 48) {
		u64 page = model_find(m, size, &want);

		KUNIT_ASSERT_EQ(test, gh_pagealloc_alloc(pa, size, &n), page);
		KUNIT_ASSERT_EQ(test, n, want);
	} else if (op < 88) {
		model_free(test, m);
	} else if (op < 98) {
		u64 page = model_take(m, size, &want);

		KUNIT_ASSERT_EQ(test, page,
				gh_pagealloc_take_unscavenged(pa, size, &n));
		KUNIT_ASSERT_EQ(test, n, want);
		if (!n)
			return;
		gh_pagealloc_free(pa, page, n, op < 95);
		memset(m->page + page - m->base, op < 95 ? SCAV : BACKED, n);
	} else {
		model_grow(test, m);
	}
}

static void model_compare(struct kunit *test, struct model *m)
{
	struct gh_pagealloc *pa = test->priv;
	u64 free = 0, scav = 0;
	u64 i;

	for (i = 0; i < m->nr; i++) {
		free += m->page[i] != USED;
		scav += m->page[i] == SCAV;
	}
	KUNIT_ASSERT_EQ(test, pa->free_pages, free);
	KUNIT_ASSERT_EQ(test, pa->scav_pages, scav);
	KUNIT_ASSERT_EQ(test, pa->end_page, m->base + m->nr);
	ASSERT_FINE(test, pa);
}

/* The address space ends with the model. */
static void model_run(struct kunit *test, u64 base, u32 steps, u32 every)
{
	struct gh_pagealloc *pa = test->priv;
	struct model m = { .base = base };
	u32 i;
	u64 n;

	m.page = kunit_kzalloc(test, MODEL_PAGES, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, m.page);
	gh_pagealloc_destroy(pa);
	KUNIT_ASSERT_EQ(test, gh_pagealloc_init(pa, base + MODEL_PAGES), 0);
	if (base) {
		KUNIT_ASSERT_EQ(test, gh_pagealloc_grow(pa, base), 0);
		KUNIT_ASSERT_EQ(test, gh_pagealloc_alloc(pa, base, &n), 0);
	}
	for (i = 0; i < steps; i++) {
		model_step(test, &m);
		if (i % every == 0)
			model_compare(test, &m);
	}
	model_compare(test, &m);
}

static void gh_pagealloc_random(struct kunit *test)
{
	model_run(test, 0, 6000, 4);
}

/* The same around the edge of two entries of level 0 */
static void gh_pagealloc_random_edge(struct kunit *test)
{
	model_run(test, ROOT - 3 * CHUNK, 10000, 500);
}

#ifndef __KERNEL__
/* Here allocations can be told to fail: each in turn, and nothing changes. */
static void gh_pagealloc_no_memory(struct kunit *test)
{
	struct gh_pagealloc *pa = test->priv;
	static const u64 sizes[] = { 1, 127 * 512, 1, ROOT - 512, 1 };
	struct gh_pagealloc old;
	s64 live = gh_user_live();
	u32 i, n;
	int err;

	for (n = 1; n <= 6; n++) {
		gh_user_fail_at(n);
		KUNIT_EXPECT_EQ(test, gh_pagealloc_init(&old, CHUNK), -ENOMEM);
		KUNIT_EXPECT_EQ(test, gh_user_live(), live);
	}
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		old = *pa;
		live = gh_user_live();
		for (n = 1;; n++) {
			gh_user_fail_at(n);
			err = gh_pagealloc_grow(pa, sizes[i]);
			gh_user_fail_at(0);
			if (!err)
				break;
			KUNIT_ASSERT_EQ(test, err, -ENOMEM);
			KUNIT_ASSERT_EQ(test, gh_user_live(), live);
			KUNIT_ASSERT_EQ(test, memcmp(&old, pa, sizeof(old)), 0);
		}
		EXPECT_FINE(test, pa);
	}
}
#endif

static int gh_pagealloc_setup(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct gh_pagealloc),
				   GFP_KERNEL);
	if (!test->priv)
		return -ENOMEM;
	random_state = 88172645463325252ULL;
	return gh_pagealloc_init(test->priv, ASPACE);
}

static void gh_pagealloc_teardown(struct kunit *test)
{
	if (test->priv)
		gh_pagealloc_destroy(test->priv);
}

static struct kunit_case gh_pagealloc_cases[] = {
	KUNIT_CASE(gh_pagealloc_sizes),
	KUNIT_CASE(gh_pagealloc_growth),
	KUNIT_CASE(gh_pagealloc_first_fit),
	KUNIT_CASE(gh_pagealloc_exhaustion),
	KUNIT_CASE(gh_pagealloc_edges),
	KUNIT_CASE(gh_pagealloc_huge),
	KUNIT_CASE(gh_pagealloc_unscavenged),
	KUNIT_CASE(gh_pagealloc_unscavenged_all),
	KUNIT_CASE(gh_pagealloc_damage),
	KUNIT_CASE(gh_pagealloc_random),
	KUNIT_CASE(gh_pagealloc_random_edge),
#ifndef __KERNEL__
	KUNIT_CASE(gh_pagealloc_no_memory),
#endif
	{}
};

static struct kunit_suite gh_pagealloc_suite = {
	.name = "gh_pagealloc",
	.init = gh_pagealloc_setup,
	.exit = gh_pagealloc_teardown,
	.test_cases = gh_pagealloc_cases,
};

gh_test_suite(gh_pagealloc_suite);
