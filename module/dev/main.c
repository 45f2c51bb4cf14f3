// SPDX-License-Identifier: GPL-2.0
/*
 * Loading and unloading. The device comes last and goes first: while it is
 * there, everything that an open heap needs is there, too. Unloading is refused
 * by the module's reference count as long as a heap lives.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include <linux/module.h>

#include "cpuhp.h"
#include "device.h"
#include "helpers.h"
#include "mapping.h"
#include "shrinker.h"
#include "sysfs.h"

#ifdef GH_TESTS
#include "gh_test.h"

/* A debug build that fails its own suites does not load. */
static int run_selftests(void)
{
	return gh_selftest_run() ? -EINVAL : 0;
}
#else
static int run_selftests(void)
{
	return 0;
}
#endif

static int __init goheap_init(void)
{
	int err;

	err = gh_core_init();
	if (err)
		return err;
	err = run_selftests();
	if (err)
		goto exit_core;
	err = goheap_cpuhp_init();
	if (err)
		goto exit_core;
	err = goheap_shrinker_init();
	if (err)
		goto exit_cpuhp;
	err = goheap_helpers_init();
	if (err)
		goto exit_shrinker;
	err = goheap_mapping_init();
	if (err)
		goto exit_helpers;
	err = goheap_sysfs_init();
	if (err)
		goto exit_mapping;
	err = goheap_device_init();
	if (err)
		goto exit_sysfs;
	return 0;

exit_sysfs:
	goheap_sysfs_exit();
exit_mapping:
	goheap_mapping_exit();
exit_helpers:
	goheap_helpers_exit();
exit_shrinker:
	goheap_shrinker_exit();
exit_cpuhp:
	goheap_cpuhp_exit();
exit_core:
	gh_core_exit();
	return err;
}

static void __exit goheap_exit(void)
{
	goheap_device_exit();
	goheap_sysfs_exit();
	goheap_mapping_exit();
	goheap_helpers_exit();
	goheap_shrinker_exit();
	goheap_cpuhp_exit();
	gh_core_exit();
}

module_init(goheap_init);
module_exit(goheap_exit);

MODULE_DESCRIPTION("Garbage-collected heap for programs");
MODULE_AUTHOR("The goheap project");
MODULE_LICENSE("GPL");
