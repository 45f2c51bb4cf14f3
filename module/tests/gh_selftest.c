// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the suites where KUnit does not: see gh_test.h.
 *
 * A case runs in a thread of its own in the kernel, as under KUnit, because
 * that is the only way to end it in the middle of any function. The thread
 * ends by kthread_complete_and_exit(), so that none of its instructions are
 * the module's once the runner goes on, and the module may be freed.
 *
 * In user space every block that a case has allocated must be back when it is
 * over; a leak is a failure of that case.
 *
 * The log is KTAP, without nesting, as names of cases are unique in a suite:
 *
 *	1..2
 *	ok 1 gh_roots.gh_roots_add
 *	not ok 2 gh_roots.gh_roots_set
 */
#define pr_fmt(fmt) "goheap: " fmt

#include "gh_test.h"

#ifndef GH_TEST_KUNIT

#ifdef __KERNEL__
#include <linux/kthread.h>
#include <linux/stdarg.h>

#define say(fmt, ...)	pr_info(fmt, ##__VA_ARGS__)
#define live()		0
#define wanted(s, c)	true
#else
#include <stdarg.h>

#define say(fmt, ...)	printf(fmt, ##__VA_ARGS__)
#define live()		gh_user_live()

const char *gh_test_filter;

static bool wanted(const struct kunit_suite *s, const struct kunit_case *c)
{
	return !gh_test_filter || strstr(s->name, gh_test_filter) ||
	       strstr(c->name, gh_test_filter);
}
#endif

#include "gh_test_suites.h"

struct managed {
	struct list_head node;
	u64 data[];
};

void *gh_test_alloc(struct kunit *test, size_t n, size_t size, bool zero)
{
	struct managed *m;

	m = kvmalloc(size_add(sizeof(*m), array_size(n, size)),
		     zero ? GFP_KERNEL | __GFP_ZERO : GFP_KERNEL);
	if (!m)
		return NULL;
	list_add(&m->node, &test->managed);
	return m->data;
}

void gh_test_fail(struct kunit *test, const char *file, int line,
		  const char *what, const char *fmt, ...)
{
	char text[160];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	WRITE_ONCE(test->failed, true);
	say("# %s: %s:%d: %s: %s\n", test->name, file, line, what, text);
}

#ifdef __KERNEL__
struct run {
	struct kunit *test;
	struct kunit_suite *suite;
	struct kunit_case *c;
};

void gh_test_abort(struct kunit *test)
{
	kthread_complete_and_exit(&test->done, 0);
}

static int case_thread(void *arg)
{
	struct run *run = arg;
	struct kunit *test = run->test;

	if (run->suite->init && run->suite->init(test))
		KUNIT_FAIL(test, "init of the suite");
	else
		run->c->run_case(test);
	gh_test_abort(test);
	return 0;
}

static void run_body(struct kunit_suite *suite, struct kunit_case *c,
		     struct kunit *test)
{
	struct run run = { .test = test, .suite = suite, .c = c };
	struct task_struct *task;

	init_completion(&test->done);
	task = kthread_run(case_thread, &run, "goheap_test");
	if (IS_ERR(task))
		KUNIT_FAIL(test, "no thread");
	else
		wait_for_completion(&test->done);
}
#else
void gh_test_abort(struct kunit *test)
{
	longjmp(test->abort, 1);
}

static void run_body(struct kunit_suite *suite, struct kunit_case *c,
		     struct kunit *test)
{
	gh_user_cpu = 0;
	if (setjmp(test->abort))
		return;
	if (suite->init && suite->init(test))
		KUNIT_FAIL(test, "init of the suite");
	else
		c->run_case(test);
}
#endif

static void run_case(struct kunit_suite *suite, struct kunit_case *c,
		     struct kunit *test)
{
	struct managed *m, *next;
	long long before = live();

	test->name = c->name;
	INIT_LIST_HEAD(&test->managed);
	run_body(suite, c, test);
	if (suite->exit)
		suite->exit(test);
	list_for_each_entry_safe(m, next, &test->managed, node)
		kvfree(m);
	if (live() != before)
		KUNIT_FAIL(test, "%lld blocks not freed",
			   live() - before);
}

/* Failures, after a line for each case. */
int gh_selftest_run(void)
{
	unsigned int nr = 0, failed = 0, s;
	struct kunit_case *c;
	struct kunit *test;

	for (s = 0; s < ARRAY_SIZE(suites); s++)
		for (c = (*suites[s])->test_cases; c->run_case; c++)
			nr += wanted(*suites[s], c);
	say("KTAP version 1\n");
	say("1..%u\n", nr);
	test = kmalloc(sizeof(*test), GFP_KERNEL);
	if (!test)
		return nr;

	for (s = 0, nr = 0; s < ARRAY_SIZE(suites); s++) {
		for (c = (*suites[s])->test_cases; c->run_case; c++) {
			if (!wanted(*suites[s], c))
				continue;
			memset(test, 0, sizeof(*test));
			run_case(*suites[s], c, test);
			failed += test->failed;
			say("%sok %u %s.%s%s%s\n", test->failed ? "not " : "",
			    ++nr, (*suites[s])->name, c->name,
			    test->skipped ? " # SKIP " : "",
			    test->skipped ? test->skipped : "");
		}
	}
	kfree(test);
	return failed;
}

#ifndef __KERNEL__
void gh_test_register(struct kunit_suite *suite)
{
	unsigned int s;

	for (s = 0; s < ARRAY_SIZE(suites); s++)
		if (*suites[s] == suite)
			return;
	gh_user_bail(__FILE__, __LINE__, "a suite is not in gh_test_suites.h");
}
#endif

#endif /* !GH_TEST_KUNIT */
