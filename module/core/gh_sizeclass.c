// SPDX-License-Identifier: GPL-2.0
/*
 * Size classes.
 *
 * A small object takes a slot of the smallest of 67 sizes that holds it; class
 * 0 stands for larger objects, which have a span to themselves. The table of
 * classes and the two tables that lead from a size to its class are computed at
 * build time by mksizeclasses and never change, so there is nothing to lock.
 *
 * Sizes up to 1024 are looked up in steps of 8, larger ones in steps of 128:
 * no class ends inside a step.
 */
#include "gh_internal.h"
#include "gh_sizeclass.h"
#include "gh_sizeclass_table.h"

/**
 * gh_sizeclass_of() - smallest size class that holds an object
 * @bytes: size of the object; 0 counts as 1
 *
 * Context: any.
 * Return: the class, 0 for objects above GH_MAX_SMALL_SIZE.
 */
u8 gh_sizeclass_of(u64 bytes)
{
	if (bytes > GH_MAX_SMALL_SIZE)
		return 0;
	if (bytes > GH_SIZECLASS_SMALL_MAX) {
		bytes -= GH_SIZECLASS_SMALL_MAX;
		bytes += GH_SIZECLASS_LARGE_STEP - 1;
		return gh_sizeclass_large[bytes / GH_SIZECLASS_LARGE_STEP];
	}
	bytes += GH_SIZECLASS_SMALL_STEP - 1;
	return gh_sizeclass_small[bytes / GH_SIZECLASS_SMALL_STEP];
}
