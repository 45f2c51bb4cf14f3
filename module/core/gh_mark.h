/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GH_MARK_H
#define GH_MARK_H

#include "gh_config.h"

struct gh_checkmark;
struct gh_cycle;
struct gh_heap;
struct gh_span;

enum gh_root_kind {
	GH_ROOT_HANDLE,		/* pinned handles: count as globals */
	GH_ROOT_STATIC,		/* registered ranges: likewise */
	GH_ROOT_STACK,		/* handle stacks, registers, threads' stacks */
	GH_ROOT_BATCH,		/* allocations on their way, barrier buffers */
	GH_NR_ROOT_KINDS
};

/**
 * struct gh_window - where a program sees the heap's objects
 * @base: address of offset 0
 * @bytes: length of the mapping
 */
struct gh_window {
	u64 base;
	u64 bytes;
};

/**
 * struct gh_work - what the markers of a heap share (Go's work)
 * @lock: protects all below
 * @wait: markers without work, and whoever waits for them
 * @marking: between gh_work_begin() and gh_work_done(): markers may join
 * @head: spans that anybody may scan
 * @tail: where the next one goes
 * @nr_active: markers that may have spans of their own
 * @nr_hungry: markers that wait for spans; read without the lock as well
 * @starved: an assist has found none since spans were last put on the shared
 *	queue; written without the lock, too
 * @bytes: bytes of marked slots, of all markers that have reported
 * @scanned: bytes of slots scanned, likewise
 * @invalid: bad references, likewise
 * @nr_roots: roots offered, likewise
 * @root_bytes: bytes of roots by kind, likewise
 * @nr_objs: objects scanned, likewise
 * @black_bytes: gh_stats.black_bytes of all CPUs when the cycle began
 */
struct gh_work {
	spinlock_t lock;		/* all that follows */
	wait_queue_head_t wait;
	bool marking;
	struct gh_span *head;
	struct gh_span **tail;
	u32 nr_active;
	u32 nr_hungry;
	bool starved;
	u64 bytes;
	u64 scanned;
	u64 invalid;
	u64 nr_roots;
	u64 root_bytes[GH_NR_ROOT_KINDS];
	u64 nr_objs;
	s64 black_bytes;
};

#define GH_MARK_RING	8	/* references per stage of the pipeline */
#define GH_MARK_WINDOW	4	/* spans whose objects are being prefetched */

/**
 * struct gh_pending - a reference on its way through the pipeline
 * @s: its span, NULL for none
 * @off: its offset
 */
struct gh_pending {
	struct gh_span *s;
	u64 off;
};

/**
 * struct gh_mark - a marker: a thread that marks (Go's gcWork)
 * @heap: heap
 * @tag: copy of gh_heap.tag
 * @half: which half of gh_bits takes the marks
 * @end: offsets below have been grown, and perhaps some above
 * @cur: span being scanned
 * @cur_base: offset where it begins
 * @cur_bytes: its length; 0 when none is being scanned
 * @dirty: what has turned grey there by this marker, like GH_SPAN_DIRTY
 * @near_words: which words of @near have been scanned and are not published
 * @near: what this marker has marked there, and not published
 * @head: spans to scan
 * @tail: where the next one goes
 * @pos: moves on with every reference put in @spans
 * @spans: references whose span descriptor is being fetched
 * @words: references whose bitmap word is being fetched
 * @window: spans whose first objects are being fetched
 * @win: moves on with every span put in @window
 * @idle: goes out of the way when somebody else needs its CPU
 * @share: what it may have of a CPU that others wait for, Q32; 0 is all
 * @since: CPU time of its thread when it last rested, ns
 * @background: a collector thread, which others may take the work of
 * @bytes: bytes of slots marked and not reported yet
 * @scanned: bytes of slots scanned, likewise
 * @invalid: bad references, likewise
 * @nr_roots: roots offered, likewise
 * @root_bytes: bytes of roots by kind, likewise
 * @nr_objs: objects scanned, likewise
 * @check: roots are for that check and not to be marked, or NULL
 *
 * Small enough for the stack. Used by one thread between gh_mark_begin() and
 * gh_mark_finish().
 */
struct gh_mark {
	struct gh_heap *heap;
	u64 tag;
	u32 half;
	u64 end;
	struct gh_span *cur;
	u64 cur_base;
	u64 cur_bytes;
	u32 dirty;
	u32 near_words;
	u64 near[GH_MAX_SPAN_WORDS];
	struct gh_span *head;
	struct gh_span **tail;
	u32 pos;
	struct gh_pending spans[GH_MARK_RING];
	struct gh_pending words[GH_MARK_RING];
	struct gh_span *window[GH_MARK_WINDOW];
	u32 win;
	bool idle;
	bool background;
	u64 share;
	u64 since;
	u64 bytes;
	u64 scanned;
	u64 invalid;
	u64 nr_roots;
	u64 root_bytes[GH_NR_ROOT_KINDS];
	u64 nr_objs;
	struct gh_checkmark *check;
};

/* Shared work; module/core/gh_work.c */
void gh_work_init(struct gh_work *w);
void gh_work_begin(struct gh_heap *heap);
void gh_work_end(struct gh_heap *heap, struct gh_cycle *c);
void gh_work_join(struct gh_mark *m);
bool gh_work_try_join(struct gh_mark *m);
void gh_work_leave(struct gh_mark *m);
void gh_work_report(struct gh_mark *m);
void gh_work_give(struct gh_mark *m);
void gh_work_share(struct gh_mark *m, struct gh_span *s);
bool gh_work_take(struct gh_mark *m);
bool gh_work_wait(struct gh_mark *m);
bool gh_work_wait_all(struct gh_mark *m);
bool gh_work_done(struct gh_mark *m);

/* Markers; module/core/gh_mark.c */
void gh_mark_begin(struct gh_mark *m, struct gh_heap *heap);
void gh_mark_finish(struct gh_mark *m);
void gh_mark_share(struct gh_mark *m, u64 share);
void gh_mark_worker(struct gh_heap *heap, bool idle);
void gh_mark_refs(struct gh_mark *m, const u64 *refs, u64 nr,
		  enum gh_root_kind kind);
void gh_mark_words(struct gh_mark *m, const u64 *words, u64 nr,
		   const struct gh_window *windows, u32 nr_windows,
		   enum gh_root_kind kind);
void gh_mark_reported(struct gh_mark *m, const u64 *words, u32 nr);
void gh_mark_place(struct gh_mark *m, u64 off);
u64 gh_mark_drain(struct gh_mark *m, u64 budget);
bool gh_mark_pending(struct gh_mark *m);
void gh_mark_shade(struct gh_heap *heap, const u64 *refs, u64 nr,
		   const struct gh_window *windows, u32 nr_windows);
void gh_mark_black(struct gh_heap *heap, struct gh_span *s, u32 word,
		   u64 mask);
void gh_mark_white(struct gh_heap *heap, struct gh_span *s, u32 word,
		   u64 mask);

/* Does somebody wait for spans, or want some? A guess, of the moment. */
static inline bool gh_work_hungry(const struct gh_work *w)
{
	return READ_ONCE(w->nr_hungry) || READ_ONCE(w->starved);
}

#endif /* GH_MARK_H */
