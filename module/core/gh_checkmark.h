/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GH_CHECKMARK_H
#define GH_CHECKMARK_H

#include "gh_config.h"
#include "gh_mark.h"

/* References of a path that a report names, from either end. */
#define GH_CHECK_PATH	4

/* Objects that a check reports one by one; all are counted. */
#define GH_CHECK_REPORTS 8

/**
 * struct gh_check_step - a reference on the way from a root to an object
 * @off: offset of the object that holds the reference
 * @word: which word of it does
 */
struct gh_check_step {
	u64 off;
	u64 word;
};

/**
 * struct gh_check_report - an object that should have been marked and is not
 * @off: offset of the object
 * @bytes: bytes of its slot
 * @layout: id of a layout it has
 * @kind: enum gh_root_kind of the root that leads to it
 * @exact: the root is one that its program writes with the barrier; else it may
 *	be what a dead stack frame has left
 * @steps: objects between the root and this one
 * @first: the first of them
 * @last: the last of them, if there are more than @first has room for
 */
struct gh_check_report {
	u64 off;
	u64 bytes;
	u32 layout;
	enum gh_root_kind kind;
	bool exact;
	u64 steps;
	struct gh_check_step first[GH_CHECK_PATH];
	struct gh_check_step last[GH_CHECK_PATH];
};

struct gh_checkmark;
struct gh_heap;

struct gh_checkmark *gh_checkmark_begin(struct gh_heap *heap,
					struct gh_check_report *first);
void gh_checkmark_end(struct gh_checkmark *c);
void gh_checkmark_run(struct gh_heap *heap, struct gh_check_report *first);
void gh_checkmark_refs(struct gh_checkmark *c, const u64 *refs, u64 nr,
		       enum gh_root_kind kind);
void gh_checkmark_words(struct gh_checkmark *c, const u64 *words, u64 nr,
			const struct gh_window *windows, u32 nr_windows,
			enum gh_root_kind kind);

#endif /* GH_CHECKMARK_H */
