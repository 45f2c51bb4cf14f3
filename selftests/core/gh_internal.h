/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seam of the core, user side. It has the guard of module/core/gh_internal.h
 * and is given to the compiler with -include, so that the kernel's one is empty
 * when a file of the core gets to it, and the same source builds over libc.
 *
 * What it gives is sorted by how much it can be believed:
 *
 *   dup.h	means exactly what the kernel means: types, bit search, lists,
 *		overflow checks, atomics. A difference would be a bug.
 *   custom.h	behaves differently on purpose: locks that know their owner,
 *		memory that can be told to fail and is counted, CPUs that a test
 *		chooses, warnings that end the run.
 *   stubs.h	does nothing. What depends on it is not tested here.
 *
 * GH_BENCH builds (make bench) leave out every check, and keep only what costs
 * about as much as in the kernel.
 */
#ifndef GH_INTERNAL_H
#define GH_INTERNAL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dup.h"
#include "custom.h"
#include "stubs.h"

#endif /* GH_INTERNAL_H */
