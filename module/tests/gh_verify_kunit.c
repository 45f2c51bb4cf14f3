// SPDX-License-Identifier: GPL-2.0
/*
 * The validator (gh_check.c, gh_pagecheck.c) finds damage and says what it is.
 * Each case damages one thing at a time and mends it again.
 */
#include "gh_test_heap.h"

/* What is wrong is @text. */
static void expect_found(struct kunit *test, const char *text)
{
	struct gh_test_env *env = test->priv;
	const char *why = gh_check_heap(env->heap);

	KUNIT_EXPECT_NOT_NULL_MSG(test, why, "not found: %s", text);
	if (why)
		KUNIT_EXPECT_STREQ(test, why, text);
}

/* With @field being @value that is found as @text. */
#define damage(test, field, value, text) do {				\
	typeof(field) *field_ = &(field);				\
	typeof(field) was_ = *field_;					\
									\
	*field_ = (value);						\
	expect_found(test, text);					\
	*field_ = was_;							\
} while (0)

/* Small objects in spans of their own, kept by root[], and a large one. */
struct scene {
	struct gh_span *partial;	/* not all of its slots are allocated */
	struct gh_span *full;
	struct gh_span *large;
};

static void make_scene(struct kunit *test, struct scene *sc)
{
	struct gh_test_env *env = test->priv;

	env->root[0] = gh_test_new(test, 0, 100000);
	sc->large = gh_test_span(env, env->root[0]);
	gh_test_many(test, 0, 48, GH_PAGE_SIZE / 48 + 1);
	env->root[1] = env->fresh[0];
	env->root[2] = env->fresh[GH_PAGE_SIZE / 48];
	sc->full = gh_test_span(env, env->root[1]);
	sc->partial = gh_test_span(env, env->root[2]);
	gh_test_flush(env);
	KUNIT_ASSERT_PTR_NE(test, sc->full, sc->partial);
	gh_test_check(test);
}

static void gh_verify_slots(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_bits *w, *last;
	u32 mark = gh_mark_half(env->heap->sweepgen);
	struct gh_span *s;
	struct scene sc;

	make_scene(test, &sc);
	s = sc.partial;
	w = &s->bits[0];
	last = &s->bits[s->nr_words - 1];
	damage(test, s->alloc_count, s->alloc_count + 1, "alloc_count");
	damage(test, s->freeindex, s->freeindex + 1, "alloc_count");
	damage(test, s->freeindex, s->nelems + 1, "freeindex");
	damage(test, w->half[!mark], 1ULL << 63, "alloc_count");
	damage(test, w->half[mark], 1, "mark bits of a swept span");
	damage(test, w->scan, 1, "mark bits of a swept span");
	damage(test, last->half[!mark], 1ULL << 63, "bits beyond the last slot");
	damage(test, last->half[mark], 1ULL << 63, "bits beyond the last slot");
	damage(test, s->sweepgen, s->sweepgen + 1, "sweepgen");
	damage(test, s->nelems, s->nelems + 1, "slots beyond the span");
	atomic_set(&s->work, GH_SPAN_QUEUED);
	expect_found(test, "span left on the mark queue");
	atomic_set(&s->work, 0);
	gh_test_check(test);
}

/* After marking and before the sweep, as the collector looks. */
static void gh_verify_marks(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_bits *w;
	struct scene sc;
	u32 alloc;

	make_scene(test, &sc);
	gh_test_mark(env);
	gh_test_check(test);
	alloc = !gh_mark_half(env->heap->sweepgen);
	w = &sc.partial->bits[0];
	KUNIT_EXPECT_EQ(test, hweight64(w->half[alloc]), 1);
	damage(test, w->half[alloc], 7, "marked more than allocated");
	damage(test, sc.full->alloc_count, 0, "marked more than allocated");
	damage(test, sc.large->sweepgen, sc.large->sweepgen + 1, "sweepgen");
	/* Slots that have been freed twice, or never were. */
	damage(test, sc.full->alloc_count, sc.full->alloc_count - 1,
	       "mallocs and frees");
	gh_test_check(test);
}

static void gh_verify_pages(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_span *s;
	struct gh_arena *a;
	struct scene sc;
	u32 page;

	make_scene(test, &sc);
	s = sc.large;
	a = env->heap->arenas[s->base >> GH_ARENA_SHIFT];
	page = (s->base >> GH_PAGE_SHIFT) & (GH_ARENA_PAGES - 1);
	damage(test, s->state, GH_SPAN_DEAD, "span of a page not in use");
	damage(test, s->base, s->base + GH_PAGE_SIZE,
	       "page leads to a span elsewhere");
	damage(test, a->spans[page], NULL, "page leads to a span elsewhere");
	damage(test, a->spans[page + 1], NULL, "page of a span leads elsewhere");
	damage(test, a->spans[page + 1], sc.full, "page of a span leads elsewhere");
	damage(test, a->kaddr[page + 2], NULL, "page of a span not backed");
	gh_test_check(test);
}

static void gh_verify_lists(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u32 swept = env->heap->sweepgen / 2 & 1;
	struct gh_central *c, *other;
	struct scene sc;

	make_scene(test, &sc);
	c = &sc.partial->sc->central;
	other = &sc.large->sc->central;
	list_del_init(&sc.partial->node);
	expect_found(test, "span on no list");
	list_add(&sc.partial->node, &c->full[swept]);
	expect_found(test, "span on the list of full ones, or not");
	list_del_init(&sc.partial->node);
	list_add(&sc.partial->node, &c->partial[!swept]);
	expect_found(test, "sweepgen of a span on a list");
	list_del_init(&sc.partial->node);
	list_add(&sc.partial->node, &other->partial[swept]);
	expect_found(test, "span on the list of another class");
	list_del_init(&sc.partial->node);
	list_add(&sc.partial->node, &c->partial[swept]);
	gh_test_check(test);
}

static void gh_verify_counters(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_stats *st = per_cpu_ptr(env->heap->stats, 0);
	struct scene sc;
	u32 class;

	make_scene(test, &sc);
	class = sc.full->sc->sizeclass;
	damage(test, st->mallocs[class], st->mallocs[class] + 1,
	       "mallocs and frees");
	damage(test, st->frees[class], st->frees[class] + 1, "mallocs and frees");
	damage(test, st->frees[0], st->frees[0] + 1, "mallocs and frees");
	damage(test, st->large_alloc_bytes, st->large_alloc_bytes + 8,
	       "bytes of large objects");
	damage(test, st->large_free_bytes, st->large_free_bytes + 8,
	       "bytes of large objects");
	damage(test, st->inuse_pages, st->inuse_pages - 1, "inuse_pages");
	atomic64_add(GH_PAGE_SIZE, &env->heap->mapped);
	expect_found(test, "mapped");
	atomic64_sub(GH_PAGE_SIZE, &env->heap->mapped);
	gh_test_check(test);
}

/* What the page allocator derives from its bitmaps, and those. */
static void gh_verify_pagealloc(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_pagealloc *pa = &env->heap->pages;
	struct gh_pallocdata *d;
	struct gh_scav_chunk *index;
	u64 *sum[GH_SUMMARY_LEVELS];
	struct scene sc;
	u32 i;

	make_scene(test, &sc);
	d = gh_pagealloc_data(pa, 0);
	index = gh_pagealloc_index(pa, 0);
	for (i = 0; i < GH_SUMMARY_LEVELS; i++)
		sum[i] = gh_pagealloc_sum(pa, i, 0);
	damage(test, d->alloc[0], d->alloc[0] & ~1ULL,
	       "in_use of the scavenger's index");
	damage(test, d->scav[0], d->scav[0] | 1, "page in use with scavenged bit");
	damage(test, index->in_use, index->in_use + 1,
	       "in_use of the scavenger's index");
	damage(test, *sum[GH_SUMMARY_LEAF], *sum[GH_SUMMARY_LEAF] + 1,
	       "summary of a chunk");
	for (i = 0; i < GH_SUMMARY_LEAF; i++)
		damage(test, *sum[i], *sum[i] + 1, "summary of an inner level");
	damage(test, gh_pagealloc_block(pa, 0)->nr_backed, 7, "nr_backed");
	damage(test, pa->free_pages, pa->free_pages + 1, "free_pages");
	damage(test, pa->scav_pages, pa->scav_pages + 1, "scav_pages");
	damage(test, pa->search_page, pa->end_page - 1,
	       "free page below search_page");
	damage(test, pa->meta_bytes, pa->meta_bytes + 8, "meta_bytes");
	damage(test, pa->freed_end, pa->end_page + 1,
	       "sparse_end or freed_end beyond end_page");
	gh_test_check(test);
}

static struct kunit_case gh_verify_cases[] = {
	KUNIT_CASE(gh_verify_slots),
	KUNIT_CASE(gh_verify_marks),
	KUNIT_CASE(gh_verify_pages),
	KUNIT_CASE(gh_verify_lists),
	KUNIT_CASE(gh_verify_counters),
	KUNIT_CASE(gh_verify_pagealloc),
	{}
};

static struct kunit_suite gh_verify_suite = {
	.name = "gh_verify",
	.init = gh_test_env_init,
	.exit = gh_test_env_exit,
	.test_cases = gh_verify_cases,
};

gh_test_suite(gh_verify_suite);
