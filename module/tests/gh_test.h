/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One text of a test, three places to run it.
 *
 * Suites are written with KUnit's names and registered by
 *
 *	gh_test_suite(gh_something_suite);
 *
 * 1. Kernel with CONFIG_KUNIT: that is kunit_test_suite(). Each use puts a
 *    pointer into the section .kunit_test_suites; the linker joins the sections
 *    of all objects of the module, the module loader passes the result on, and
 *    KUnit runs it: 6.1 before module_init, 6.12 after. The module keeps its
 *    own module_init and module_exit, and no suite may rely on either.
 * 2. Kernel without: this header gives the names, and a debug build of the
 *    module calls gh_selftest_run() first of all; it loads if that returns 0.
 * 3. User space: the same, called from selftests/core/main.c.
 *
 * For 2 the suites are listed in gh_test_suites.h: Debian's kernels run no
 * constructors of modules, and `ld -r` makes no bounds of sections. 3 does run
 * constructors, and fails if a suite registers that is not on the list.
 *
 * Only what exists in the KUnit of 6.1 is offered. An ASSERT that fails ends
 * the case: in the kernel each case is a thread of its own, which ends, and in
 * user space by longjmp(). Either way init and exit of the suite stay in charge
 * of cleaning up, and what kunit_kzalloc() gave is freed after exit.
 */
#ifndef GH_TEST_H
#define GH_TEST_H

#include "gh_internal.h"

#ifdef __KERNEL__
#include <linux/kconfig.h>
#if IS_ENABLED(CONFIG_KUNIT)
#define GH_TEST_KUNIT
#endif
#endif

#ifdef GH_TEST_KUNIT

#include <kunit/test.h>

#define gh_test_suite(s)	kunit_test_suite(s)

static inline int gh_selftest_run(void)
{
	return 0;
}

#else /* !GH_TEST_KUNIT */

#ifdef __KERNEL__
#include <linux/completion.h>
#else
#include <setjmp.h>
#endif

/**
 * struct kunit - a test case that runs
 * @priv: for the suite
 * @name: of the case
 * @failed: an expectation was not met
 * @skipped: why the case was skipped, or NULL
 * @managed: memory to free when it is over
 * @done: the thread of the case has ended
 * @abort: where a failed assertion goes
 */
struct kunit {
	void *priv;
	const char *name;
	bool failed;
	const char *skipped;
	struct list_head managed;
#ifdef __KERNEL__
	struct completion done;
#else
	jmp_buf abort;
#endif
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char name[64];
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(f)	{ .run_case = f, .name = #f }

int gh_selftest_run(void);
/* Does not return; objtool does not believe modules that say so. */
void gh_test_abort(struct kunit *test);
void gh_test_fail(struct kunit *test, const char *file, int line,
		  const char *what, const char *fmt, ...) __printf(5, 6);
void *gh_test_alloc(struct kunit *test, size_t n, size_t size, bool zero);

#ifdef __KERNEL__
#define gh_test_suite(s) \
	extern struct kunit_suite * const gh_test_##s; \
	struct kunit_suite * const gh_test_##s = &(s)
#else
void gh_test_register(struct kunit_suite *suite);
extern const char *gh_test_filter;
#define gh_test_suite(s) \
	extern struct kunit_suite * const gh_test_##s; \
	struct kunit_suite * const gh_test_##s = &(s); \
	__attribute__((constructor)) static void gh_test_ctor_##s(void) \
	{ \
		gh_test_register(&(s)); \
	} \
	extern struct kunit_suite * const gh_test_##s
#endif

#define kunit_kmalloc(test, n, gfp)	gh_test_alloc(test, 1, n, false)
#define kunit_kzalloc(test, n, gfp)	gh_test_alloc(test, 1, n, true)
#define kunit_kmalloc_array(test, n, s, gfp) gh_test_alloc(test, n, s, false)
#define kunit_kcalloc(test, n, s, gfp)	gh_test_alloc(test, n, s, true)

#define kunit_skip(test, ...) do { \
	(test)->skipped = "" __VA_ARGS__; \
	gh_test_abort(test); \
} while (0)

#define kunit_info(test, ...)	((void)(test))

/*
 * Everything below is built on one macro: @l @op @r must hold, @how is
 * gh_test_go_on or gh_test_abort.
 */
#define gh_test_go_on(test)	((void)(test))

#define gh_test_binary(test, how, l, op, r, conv, fmt, ...) do { \
	const typeof(l) l_ = (l); \
	const typeof(r) r_ = (r); \
	if (!(l_ op r_)) { \
		gh_test_fail(test, __FILE__, __LINE__, #l " " #op " " #r, \
			     "left %lld, right %lld. " fmt, \
			     (long long)conv(l_), (long long)conv(r_), \
			     ##__VA_ARGS__); \
		how(test); \
	} \
} while (0)

#define gh_test_true(test, how, c, want, fmt, ...) do { \
	const bool c_ = (c); \
	if (c_ != (want)) { \
		gh_test_fail(test, __FILE__, __LINE__, #c, \
			     "is not %s. " fmt, (want) ? "true" : "false", \
			     ##__VA_ARGS__); \
		how(test); \
	} \
} while (0)

#define gh_test_str(test, how, l, op, r) do { \
	const char *l_ = (l); \
	const char *r_ = (r); \
	if (!(strcmp(l_, r_) op 0)) { \
		gh_test_fail(test, __FILE__, __LINE__, #l " " #op " " #r, \
			     "left \"%s\", right \"%s\"", l_, r_); \
		how(test); \
	} \
} while (0)

#define gh_test_int(x)	(x)
#define gh_test_ptr(x)	((unsigned long)(x))
#define gh_test_expect(t, l, op, r, ...) \
	gh_test_binary(t, gh_test_go_on, l, op, r, gh_test_int, "" __VA_ARGS__)
#define gh_test_assert(t, l, op, r, ...) \
	gh_test_binary(t, gh_test_abort, l, op, r, gh_test_int, "" __VA_ARGS__)

#define KUNIT_EXPECT_EQ(t, l, r)	gh_test_expect(t, l, ==, r)
#define KUNIT_EXPECT_NE(t, l, r)	gh_test_expect(t, l, !=, r)
#define KUNIT_EXPECT_LT(t, l, r)	gh_test_expect(t, l, <, r)
#define KUNIT_EXPECT_LE(t, l, r)	gh_test_expect(t, l, <=, r)
#define KUNIT_EXPECT_GT(t, l, r)	gh_test_expect(t, l, >, r)
#define KUNIT_EXPECT_GE(t, l, r)	gh_test_expect(t, l, >=, r)
#define KUNIT_EXPECT_EQ_MSG(t, l, r, ...) gh_test_expect(t, l, ==, r, __VA_ARGS__)
#define KUNIT_EXPECT_NE_MSG(t, l, r, ...) gh_test_expect(t, l, !=, r, __VA_ARGS__)
#define KUNIT_EXPECT_LT_MSG(t, l, r, ...) gh_test_expect(t, l, <, r, __VA_ARGS__)
#define KUNIT_EXPECT_LE_MSG(t, l, r, ...) gh_test_expect(t, l, <=, r, __VA_ARGS__)
#define KUNIT_EXPECT_GT_MSG(t, l, r, ...) gh_test_expect(t, l, >, r, __VA_ARGS__)
#define KUNIT_EXPECT_GE_MSG(t, l, r, ...) gh_test_expect(t, l, >=, r, __VA_ARGS__)
#define KUNIT_ASSERT_EQ(t, l, r)	gh_test_assert(t, l, ==, r)
#define KUNIT_ASSERT_NE(t, l, r)	gh_test_assert(t, l, !=, r)
#define KUNIT_ASSERT_LT(t, l, r)	gh_test_assert(t, l, <, r)
#define KUNIT_ASSERT_LE(t, l, r)	gh_test_assert(t, l, <=, r)
#define KUNIT_ASSERT_GT(t, l, r)	gh_test_assert(t, l, >, r)
#define KUNIT_ASSERT_GE(t, l, r)	gh_test_assert(t, l, >=, r)
#define KUNIT_ASSERT_EQ_MSG(t, l, r, ...) gh_test_assert(t, l, ==, r, __VA_ARGS__)
#define KUNIT_ASSERT_NE_MSG(t, l, r, ...) gh_test_assert(t, l, !=, r, __VA_ARGS__)
#define KUNIT_ASSERT_LT_MSG(t, l, r, ...) gh_test_assert(t, l, <, r, __VA_ARGS__)
#define KUNIT_ASSERT_LE_MSG(t, l, r, ...) gh_test_assert(t, l, <=, r, __VA_ARGS__)
#define KUNIT_ASSERT_GT_MSG(t, l, r, ...) gh_test_assert(t, l, >, r, __VA_ARGS__)
#define KUNIT_ASSERT_GE_MSG(t, l, r, ...) gh_test_assert(t, l, >=, r, __VA_ARGS__)

#define KUNIT_EXPECT_TRUE(t, c)		gh_test_true(t, gh_test_go_on, c, true, "")
#define KUNIT_EXPECT_FALSE(t, c)	gh_test_true(t, gh_test_go_on, c, false, "")
#define KUNIT_ASSERT_TRUE(t, c)		gh_test_true(t, gh_test_abort, c, true, "")
#define KUNIT_ASSERT_FALSE(t, c)	gh_test_true(t, gh_test_abort, c, false, "")
#define KUNIT_EXPECT_TRUE_MSG(t, c, ...) \
	gh_test_true(t, gh_test_go_on, c, true, __VA_ARGS__)
#define KUNIT_EXPECT_FALSE_MSG(t, c, ...) \
	gh_test_true(t, gh_test_go_on, c, false, __VA_ARGS__)
#define KUNIT_ASSERT_TRUE_MSG(t, c, ...) \
	gh_test_true(t, gh_test_abort, c, true, __VA_ARGS__)
#define KUNIT_ASSERT_FALSE_MSG(t, c, ...) \
	gh_test_true(t, gh_test_abort, c, false, __VA_ARGS__)

#define gh_test_pointer(t, how, l, op, r, ...) \
	gh_test_binary(t, how, l, op, r, gh_test_ptr, "" __VA_ARGS__)
#define KUNIT_EXPECT_PTR_EQ(t, l, r)	gh_test_pointer(t, gh_test_go_on, l, ==, r)
#define KUNIT_EXPECT_PTR_NE(t, l, r)	gh_test_pointer(t, gh_test_go_on, l, !=, r)
#define KUNIT_ASSERT_PTR_EQ(t, l, r)	gh_test_pointer(t, gh_test_abort, l, ==, r)
#define KUNIT_ASSERT_PTR_NE(t, l, r)	gh_test_pointer(t, gh_test_abort, l, !=, r)
#define KUNIT_EXPECT_PTR_EQ_MSG(t, l, r, ...) \
	gh_test_pointer(t, gh_test_go_on, l, ==, r, __VA_ARGS__)
#define KUNIT_EXPECT_PTR_NE_MSG(t, l, r, ...) \
	gh_test_pointer(t, gh_test_go_on, l, !=, r, __VA_ARGS__)
#define KUNIT_ASSERT_PTR_EQ_MSG(t, l, r, ...) \
	gh_test_pointer(t, gh_test_abort, l, ==, r, __VA_ARGS__)
#define KUNIT_ASSERT_PTR_NE_MSG(t, l, r, ...) \
	gh_test_pointer(t, gh_test_abort, l, !=, r, __VA_ARGS__)

#define KUNIT_EXPECT_NULL(t, p)		KUNIT_EXPECT_TRUE(t, !(p))
#define KUNIT_EXPECT_NOT_NULL(t, p)	KUNIT_EXPECT_TRUE(t, (p) != NULL)
#define KUNIT_ASSERT_NULL(t, p)		KUNIT_ASSERT_TRUE(t, !(p))
#define KUNIT_ASSERT_NOT_NULL(t, p)	KUNIT_ASSERT_TRUE(t, (p) != NULL)
#define KUNIT_EXPECT_NULL_MSG(t, p, ...) \
	KUNIT_EXPECT_TRUE_MSG(t, !(p), __VA_ARGS__)
#define KUNIT_EXPECT_NOT_NULL_MSG(t, p, ...) \
	KUNIT_EXPECT_TRUE_MSG(t, (p) != NULL, __VA_ARGS__)
#define KUNIT_ASSERT_NULL_MSG(t, p, ...) \
	KUNIT_ASSERT_TRUE_MSG(t, !(p), __VA_ARGS__)
#define KUNIT_ASSERT_NOT_NULL_MSG(t, p, ...) \
	KUNIT_ASSERT_TRUE_MSG(t, (p) != NULL, __VA_ARGS__)
#define KUNIT_EXPECT_NOT_ERR_OR_NULL(t, p) \
	KUNIT_EXPECT_FALSE(t, IS_ERR_OR_NULL(p))
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(t, p) \
	KUNIT_ASSERT_FALSE(t, IS_ERR_OR_NULL(p))

#define KUNIT_EXPECT_STREQ(t, l, r)	gh_test_str(t, gh_test_go_on, l, ==, r)
#define KUNIT_EXPECT_STRNEQ(t, l, r)	gh_test_str(t, gh_test_go_on, l, !=, r)
#define KUNIT_ASSERT_STREQ(t, l, r)	gh_test_str(t, gh_test_abort, l, ==, r)
#define KUNIT_ASSERT_STRNEQ(t, l, r)	gh_test_str(t, gh_test_abort, l, !=, r)

#define KUNIT_SUCCEED(t)		((void)(t))
#define KUNIT_FAIL(t, ...) \
	gh_test_fail(t, __FILE__, __LINE__, "KUNIT_FAIL", __VA_ARGS__)

#endif /* !GH_TEST_KUNIT */

#endif /* GH_TEST_H */
