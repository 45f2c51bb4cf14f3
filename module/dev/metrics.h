/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_METRICS_H
#define GOHEAP_METRICS_H

#include <linux/goheap.h>
#include <linux/types.h>

struct goheap_file;

/*
 * Times by powers of two: the first bucket is for less than 1024 ns, each other
 * for up to twice as much, the last for all that is longer.
 */
#define GOHEAP_NR_BUCKETS	16
#define GOHEAP_BUCKET_SHIFT	10

/**
 * struct goheap_view - what metrics are computed from
 * @st: statistics
 * @stack_scan: bytes of stacks and registers that the last cycle scanned
 * @global_scan: bytes of pinned roots and variables that it scanned
 * @heap_scan: bytes of objects with references that it scanned
 * @total_scan: all three together
 * @stacks: bytes of handle stacks
 * @scav_ns: CPU time of the scavenger, all of it
 * @gc_percent: GOGC, -1 for off
 * @memory_limit: GOMEMLIMIT
 * @limit: the lower of @memory_limit and what the cgroups leave
 * @nr_cpus: CPUs that the heap can use
 * @shrink_calls: times the kernel asked for memory
 * @shrink_bytes: given back to it then
 * @shrink_cycles: collections started for that
 * @handshake_times: threads read, by the time that took
 *
 * Members of 64 bits only.
 */
struct goheap_view {
	struct goheap_stats st;
	u64 stack_scan;
	u64 global_scan;
	u64 heap_scan;
	u64 total_scan;
	u64 stacks;
	u64 scav_ns;
	u64 gc_percent;
	u64 memory_limit;
	u64 limit;
	u64 nr_cpus;
	u64 shrink_calls;
	u64 shrink_bytes;
	u64 shrink_cycles;
	u64 handshake_times[GOHEAP_NR_BUCKETS];
};

/* Folders of metrics; each one's parent comes before it. */
enum goheap_folder {
	GOHEAP_FOLDER_TOP,
	GOHEAP_FOLDER_GC,
	GOHEAP_FOLDER_GC_CYCLES,
	GOHEAP_FOLDER_GC_HEAP,
	GOHEAP_FOLDER_GC_TINY,
	GOHEAP_FOLDER_GC_SCAN,
	GOHEAP_FOLDER_GC_TIMES,
	GOHEAP_FOLDER_MEMORY,
	GOHEAP_FOLDER_CLASSES,
	GOHEAP_FOLDER_HEAP,
	GOHEAP_FOLDER_METADATA,
	GOHEAP_FOLDER_MCACHE,
	GOHEAP_FOLDER_MSPAN,
	GOHEAP_FOLDER_SCHED,
	GOHEAP_FOLDER_CPU,
	GOHEAP_FOLDER_CPU_CLASSES,
	GOHEAP_FOLDER_SCAVENGE,
	GOHEAP_FOLDER_KNOBS,
	GOHEAP_NR_FOLDERS,
};

/**
 * struct goheap_metric - one file
 * @folder: enum goheap_folder
 * @name: name of the file: name and unit of the metric
 * @value: offset of the value in struct goheap_view
 * @minus: offset of what is subtracted from it, 0 for nothing
 * @summed: has a sum over all heaps
 */
struct goheap_metric {
	u8 folder;
	const char *name;
	u16 value;
	u16 minus;
	bool summed;
};

#define GOHEAP_NR_METRICS	(47 + GOHEAP_NR_BUCKETS)

extern const struct goheap_metric goheap_metrics[GOHEAP_NR_METRICS];

s64 goheap_metric_value(const struct goheap_metric *m,
			const struct goheap_view *v);
void goheap_view_read(struct goheap_file *gf, struct goheap_view *v);
void goheap_view_add(struct goheap_view *sum, const struct goheap_view *v);
void goheap_view_bury(struct goheap_view *dead, const struct goheap_view *v);

#endif /* GOHEAP_METRICS_H */
