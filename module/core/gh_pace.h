/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GH_PACE_H
#define GH_PACE_H

#include "gh_limiter.h"
#include "gh_pacer.h"

struct gh_cycle;
struct gh_heap;

/**
 * struct gh_pace - how a heap keeps to its goal
 * @lock: protects @pacer and @limiter where gh_heap.world is not held for
 *	writing; allocation reads words of @pacer without either
 * @pacer: goal, trigger, assist ratio
 * @limiter: share of CPU time that the collector has had
 * @limit: GOMEMLIMIT, S64_MAX for none; that of @pacer may be lower
 * @heap_scan: of gh_heap.heap_live, bytes of objects with references
 * @credit: bytes that collector threads have scanned in this cycle and nobody has
 *	taken for an assist yet; less than 0: that were taken before
 * @assist_ns: CPU time of assists in this cycle
 * @idle_ns: CPU time of idle workers in this cycle
 * @worker_ns: CPU time of other workers in this cycle
 * @swept_before: pages that had been swept when this cycle ended
 * @sweeping: not all has been swept since; changes like @pacer
 * @idle_seen: idle time of all CPUs that @limiter knows of
 */
struct gh_pace {
	spinlock_t lock;		/* pacer, limiter */
	struct gh_pacer pacer;
	struct gh_limiter limiter;
	s64 limit;
	atomic64_t heap_scan;
	atomic64_t credit;
	atomic64_t assist_ns;
	atomic64_t idle_ns;
	atomic64_t worker_ns;
	u64 swept_before;
	bool sweeping;
	u64 idle_seen;
};

void gh_pace_init(struct gh_heap *heap);
u64 gh_pace_metadata(struct gh_heap *heap);
void gh_pace_start(struct gh_heap *heap, enum gh_pacer_kind kind);
void gh_pace_revise(struct gh_heap *heap);
void gh_pace_end(struct gh_heap *heap, struct gh_cycle *c);
u64 gh_pace_swept(struct gh_heap *heap);
u64 gh_pace_swept_pages(struct gh_heap *heap);
u64 gh_pace_sweep_target(struct gh_heap *heap, u64 bytes);
u64 gh_pace_share(struct gh_heap *heap);
u64 gh_pace_rest(u64 share, u64 worked_ns);
u32 gh_pace_workers(struct gh_heap *heap, u32 *idle);
void gh_pace_limiter(struct gh_heap *heap, bool marking);
bool gh_pace_limiting(struct gh_heap *heap);
void gh_pace_helped(struct gh_heap *heap, u64 ns);

void gh_pace_add(struct gh_heap *heap, s64 bytes, bool noscan);
void gh_pace_pay(struct gh_heap *heap, atomic64_t *credit, u64 bytes);
bool gh_gc_triggered(struct gh_heap *heap);
bool gh_gc_overdue(struct gh_heap *heap);

void gh_gc_set_percent(struct gh_heap *heap, s64 percent);
void gh_gc_set_limit(struct gh_heap *heap, s64 limit);
void gh_gc_set_stop(struct gh_heap *heap, u32 stop);
void gh_gc_limit_changed(struct gh_heap *heap);

#endif /* GH_PACE_H */
