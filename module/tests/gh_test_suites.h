/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The suites, in the order in which they run; from the parts to the whole. A
 * suite is declared and listed; included by gh_selftest.c only.
 */
extern struct kunit_suite * const gh_test_gh_sizeclass_suite;
extern struct kunit_suite * const gh_test_gh_pallocbits_suite;
extern struct kunit_suite * const gh_test_gh_pagealloc_suite;
extern struct kunit_suite * const gh_test_gh_pagecache_suite;
extern struct kunit_suite * const gh_test_gh_limiter_suite;
extern struct kunit_suite * const gh_test_gh_pacer_suite;
extern struct kunit_suite * const gh_test_gh_pacer_sim_suite;
extern struct kunit_suite * const gh_test_gh_roots_suite;
extern struct kunit_suite * const gh_test_gh_layout_suite;
extern struct kunit_suite * const gh_test_gh_heap_suite;
extern struct kunit_suite * const gh_test_gh_malloc_suite;
extern struct kunit_suite * const gh_test_gh_sweep_suite;
extern struct kunit_suite * const gh_test_gh_mark_suite;
extern struct kunit_suite * const gh_test_gh_stack_suite;
extern struct kunit_suite * const gh_test_gh_gc_suite;
extern struct kunit_suite * const gh_test_gh_scavenge_suite;
extern struct kunit_suite * const gh_test_gh_mutator_suite;
extern struct kunit_suite * const gh_test_gh_knobs_suite;
extern struct kunit_suite * const gh_test_gh_verify_suite;

static struct kunit_suite * const * const suites[] = {
	&gh_test_gh_sizeclass_suite,
	&gh_test_gh_pallocbits_suite,
	&gh_test_gh_pagealloc_suite,
	&gh_test_gh_pagecache_suite,
	&gh_test_gh_limiter_suite,
	&gh_test_gh_pacer_suite,
	&gh_test_gh_pacer_sim_suite,
	&gh_test_gh_roots_suite,
	&gh_test_gh_layout_suite,
	&gh_test_gh_heap_suite,
	&gh_test_gh_malloc_suite,
	&gh_test_gh_sweep_suite,
	&gh_test_gh_mark_suite,
	&gh_test_gh_stack_suite,
	&gh_test_gh_gc_suite,
	&gh_test_gh_scavenge_suite,
	&gh_test_gh_mutator_suite,
	&gh_test_gh_knobs_suite,
	&gh_test_gh_verify_suite,
};
