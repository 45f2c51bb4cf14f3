// SPDX-License-Identifier: GPL-2.0
/*
 * Metrics: the numbers in sysfs, under the names that Go's runtime/metrics has
 * for them and with the same meaning.
 *
 * All are differences of two 64-bit members of struct goheap_view, or one
 * member. So a metric is a row of a table, a sum over heaps is a sum of views
 * word by word, and a difference of sums is the sum of the differences.
 *
 * A heap that has ended leaves its cumulative numbers behind: objects it still
 * had count as freed, all else is gone.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include "device.h"
#include "metrics.h"
#include "stats.h"

#define VIEW(_member)	offsetof(struct goheap_view, _member)

#define METRIC(_folder, _name, _value)					\
	{ GOHEAP_FOLDER_##_folder, _name, VIEW(_value), 0, true }
#define DIFFERENCE(_folder, _name, _value, _minus)			\
	{ GOHEAP_FOLDER_##_folder, _name, VIEW(_value), VIEW(_minus), true }
#define OF_ONE_HEAP(_folder, _name, _value)				\
	{ GOHEAP_FOLDER_##_folder, _name, VIEW(_value), 0, false }
#define BUCKET(_nr, _name)						\
	METRIC(GC_TIMES, _name, handshake_times[_nr])

const struct goheap_metric goheap_metrics[GOHEAP_NR_METRICS] = {
	DIFFERENCE(GC_CYCLES, "automatic:gc-cycles",
		   st.num_gc, st.num_forced_gc),
	METRIC(GC_CYCLES, "forced:gc-cycles", st.num_forced_gc),
	METRIC(GC_CYCLES, "total:gc-cycles", st.num_gc),
	OF_ONE_HEAP(GC, "gogc:percent", gc_percent),
	OF_ONE_HEAP(GC, "gomemlimit:bytes", memory_limit),
	METRIC(GC_HEAP, "allocs:bytes", st.total_alloc),
	DIFFERENCE(GC_HEAP, "allocs:objects", st.mallocs, st.tiny_allocs),
	DIFFERENCE(GC_HEAP, "frees:bytes", st.total_alloc, st.alloc),
	DIFFERENCE(GC_HEAP, "frees:objects", st.frees, st.tiny_allocs),
	OF_ONE_HEAP(GC_HEAP, "goal:bytes", st.next_gc),
	METRIC(GC_HEAP, "live:bytes", st.heap_marked),
	METRIC(GC_HEAP, "objects:objects", st.heap_objects),
	METRIC(GC_TINY, "allocs:objects", st.tiny_allocs),
	METRIC(GC_SCAN, "globals:bytes", global_scan),
	METRIC(GC_SCAN, "heap:bytes", heap_scan),
	METRIC(GC_SCAN, "stack:bytes", stack_scan),
	METRIC(GC_SCAN, "total:bytes", total_scan),
	DIFFERENCE(HEAP, "free:bytes", st.heap_idle, st.heap_released),
	METRIC(HEAP, "objects:bytes", st.alloc),
	METRIC(HEAP, "released:bytes", st.heap_released),
	METRIC(HEAP, "stacks:bytes", stacks),
	DIFFERENCE(HEAP, "unused:bytes", st.heap_inuse, st.alloc),
	METRIC(MCACHE, "inuse:bytes", st.mcache_inuse),
	METRIC(MSPAN, "inuse:bytes", st.mspan_inuse),
	METRIC(METADATA, "other:bytes", st.gc_sys),
	METRIC(CLASSES, "total:bytes", st.sys),
	OF_ONE_HEAP(SCHED, "gomaxprocs:threads", nr_cpus),
	/* Not Go's. */
	OF_ONE_HEAP(GC, "effective-limit:bytes", limit),
	OF_ONE_HEAP(GC, "handshake-max:ns", st.handshake_max_ns),
	METRIC(GC, "checkmark-doubts:objects", st.check_doubts),
	METRIC(GC, "checkmark-failures:objects", st.check_failures),
	METRIC(GC, "handshake-total:ns", st.handshake_total_ns),
	METRIC(GC, "handshakes:threads", st.handshakes),
	BUCKET(0, "1024ns:threads"),
	BUCKET(1, "2048ns:threads"),
	BUCKET(2, "4096ns:threads"),
	BUCKET(3, "8192ns:threads"),
	BUCKET(4, "16384ns:threads"),
	BUCKET(5, "32768ns:threads"),
	BUCKET(6, "65536ns:threads"),
	BUCKET(7, "131072ns:threads"),
	BUCKET(8, "262144ns:threads"),
	BUCKET(9, "524288ns:threads"),
	BUCKET(10, "1048576ns:threads"),
	BUCKET(11, "2097152ns:threads"),
	BUCKET(12, "4194304ns:threads"),
	BUCKET(13, "8388608ns:threads"),
	BUCKET(14, "16777216ns:threads"),
	BUCKET(15, "longer:threads"),
	METRIC(GC, "invalid-refs:refs", st.invalid_refs),
	METRIC(GC, "pause-total:ns", st.pause_total_ns),
	METRIC(MEMORY, "evictions:processes", st.evictions),
	METRIC(MEMORY, "shortages:allocations", st.shortages),
	METRIC(MEMORY, "faults:faults", st.faults),
	METRIC(MEMORY, "fault-pages:pages", st.fault_pages),
	METRIC(MEMORY, "scavenged-background:bytes", st.scav_bg_bytes),
	METRIC(MEMORY, "scavenged-eager:bytes", st.scav_eager_bytes),
	/* Go's, but for the unit. */
	METRIC(SCAVENGE, "assist:cpu-ns", st.scav_assist_ns),
	METRIC(SCAVENGE, "background:cpu-ns", st.scav_bg_ns),
	METRIC(SCAVENGE, "total:cpu-ns", scav_ns),
	METRIC(MEMORY, "shrinker-calls:calls", shrink_calls),
	METRIC(MEMORY, "shrinker-cycles:gc-cycles", shrink_cycles),
	METRIC(MEMORY, "shrinker-released:bytes", shrink_bytes),
};

static u64 member(const struct goheap_view *v, u16 offset)
{
	return *(const u64 *)((const char *)v + offset);
}

/**
 * goheap_metric_value() - compute a metric
 * @m: metric
 * @v: of one heap or of a sum
 *
 * Members are read one after another from a heap at work, so that a difference
 * can come out negative for once; it is 0 then.
 *
 * Return: the number to show.
 */
s64 goheap_metric_value(const struct goheap_metric *m,
			const struct goheap_view *v)
{
	s64 value = member(v, m->value);

	if (!m->minus)
		return value;
	return max_t(s64, value - (s64)member(v, m->minus), 0);
}

/**
 * goheap_view_read() - read all that metrics need
 * @gf: file, its heap in use or not
 * @v: out
 */
void goheap_view_read(struct goheap_file *gf, struct goheap_view *v)
{
	struct gh_heap *heap = goheap_heap(gf);
	struct gh_cycle c = { };
	int i;

	BUILD_BUG_ON(sizeof(*v) % sizeof(u64));
	memset(v, 0, sizeof(*v));
	goheap_stats_read(gf, &v->st);
	if (heap)
		gh_gc_get_cycle(heap, 0, &c);
	v->stack_scan = c.stack_bytes;
	v->global_scan = c.global_bytes;
	v->heap_scan = c.scanned;
	v->total_scan = c.stack_bytes + c.global_bytes + c.scanned;
	v->stacks = goheap_stack_bytes(gf);
	v->scav_ns = v->st.scav_bg_ns + v->st.scav_assist_ns;
	v->gc_percent = READ_ONCE(gf->params[GOHEAP_PARAM_GC_PERCENT]);
	v->memory_limit = READ_ONCE(gf->params[GOHEAP_PARAM_MEMORY_LIMIT]);
	v->limit = min(v->memory_limit, READ_ONCE(gf->limit.bytes));
	v->nr_cpus = num_online_cpus();
	v->shrink_calls = atomic64_read(&gf->shrink.calls);
	v->shrink_bytes = atomic64_read(&gf->shrink.bytes);
	v->shrink_cycles = atomic64_read(&gf->shrink.collections);
	for (i = 0; i < GOHEAP_NR_BUCKETS; i++)
		v->handshake_times[i] = READ_ONCE(gf->handshake_times[i]);
}

/**
 * goheap_view_add() - add a view to a sum
 * @sum: sum
 * @v: what to add
 */
void goheap_view_add(struct goheap_view *sum, const struct goheap_view *v)
{
	const u64 *from = (const u64 *)v;
	u64 *to = (u64 *)sum;
	size_t i;

	for (i = 0; i < sizeof(*v) / sizeof(u64); i++)
		to[i] += from[i];
}

/**
 * goheap_view_bury() - add what outlives a heap to a sum
 * @dead: sum of heaps that have ended
 * @v: last view of a heap
 */
void goheap_view_bury(struct goheap_view *dead, const struct goheap_view *v)
{
	struct goheap_stats *st = &dead->st;
	int i;

	st->total_alloc += v->st.total_alloc;
	st->mallocs += v->st.mallocs;
	st->frees += v->st.mallocs;
	st->tiny_allocs += v->st.tiny_allocs;
	st->num_gc += v->st.num_gc;
	st->num_forced_gc += v->st.num_forced_gc;
	st->pause_total_ns += v->st.pause_total_ns;
	st->invalid_refs += v->st.invalid_refs;
	st->faults += v->st.faults;
	st->fault_pages += v->st.fault_pages;
	st->handshakes += v->st.handshakes;
	st->handshake_total_ns += v->st.handshake_total_ns;
	st->evictions += v->st.evictions;
	st->shortages += v->st.shortages;
	st->scav_bg_bytes += v->st.scav_bg_bytes;
	st->scav_eager_bytes += v->st.scav_eager_bytes;
	st->scav_bg_ns += v->st.scav_bg_ns;
	st->scav_assist_ns += v->st.scav_assist_ns;
	st->check_failures += v->st.check_failures;
	st->check_doubts += v->st.check_doubts;
	dead->scav_ns += v->scav_ns;
	dead->shrink_calls += v->shrink_calls;
	dead->shrink_bytes += v->shrink_bytes;
	dead->shrink_cycles += v->shrink_cycles;
	for (i = 0; i < GOHEAP_NR_BUCKETS; i++)
		dead->handshake_times[i] += v->handshake_times[i];
}
