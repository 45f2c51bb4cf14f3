/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, in /sys/kernel/tracing/events/goheap. Each names the heap by its
 * number, as sysfs does. The phases of a cycle come in this order:
 *
 *	goheap_cycle_start
 *	goheap_mark_start	stores are reported from now on
 *	goheap_handshake	one for each thread that is read
 *	goheap_mark_done	nothing is left to mark
 *	goheap_mark_term	marking is over
 *	goheap_worker		what the collector has done for it
 *	goheap_sweep
 *	goheap_sweep_done
 *
 * Assists, refills, scavenging and the limiter come at any time.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM goheap

#if !defined(GOHEAP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GOHEAP_TRACE_H

#include <linux/goheap.h>
#include <linux/tracepoint.h>

#define goheap_show_reason(reason) \
	__print_symbolic(reason, \
			 { GOHEAP_CYCLE_HEAP, "heap" }, \
			 { GOHEAP_CYCLE_FORCED, "forced" }, \
			 { GOHEAP_CYCLE_CEILING, "ceiling" }, \
			 { GOHEAP_CYCLE_PERIODIC, "periodic" })

TRACE_DEFINE_ENUM(GOHEAP_CYCLE_HEAP);
TRACE_DEFINE_ENUM(GOHEAP_CYCLE_FORCED);
TRACE_DEFINE_ENUM(GOHEAP_CYCLE_CEILING);
TRACE_DEFINE_ENUM(GOHEAP_CYCLE_PERIODIC);

TRACE_EVENT(goheap_cycle_start,
	TP_PROTO(u32 heap, u64 cycle, u32 reason),
	TP_ARGS(heap, cycle, reason),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(u64, cycle)
		__field(u32, reason)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->cycle = cycle;
		__entry->reason = reason;
	),
	TP_printk("heap=%u cycle=%llu reason=%s", __entry->heap,
		  __entry->cycle, goheap_show_reason(__entry->reason))
);

DECLARE_EVENT_CLASS(goheap_phase,
	TP_PROTO(u32 heap, u64 cycle),
	TP_ARGS(heap, cycle),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(u64, cycle)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->cycle = cycle;
	),
	TP_printk("heap=%u cycle=%llu", __entry->heap, __entry->cycle)
);

DEFINE_EVENT(goheap_phase, goheap_mark_start,
	TP_PROTO(u32 heap, u64 cycle),
	TP_ARGS(heap, cycle)
);

DEFINE_EVENT(goheap_phase, goheap_mark_done,
	TP_PROTO(u32 heap, u64 cycle),
	TP_ARGS(heap, cycle)
);

DEFINE_EVENT(goheap_phase, goheap_sweep_done,
	TP_PROTO(u32 heap, u64 cycle),
	TP_ARGS(heap, cycle)
);

TRACE_EVENT(goheap_mark_term,
	TP_PROTO(u32 heap, u64 cycle, u64 live),
	TP_ARGS(heap, cycle, live),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(u64, cycle)
		__field(u64, live)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->cycle = cycle;
		__entry->live = live;
	),
	TP_printk("heap=%u cycle=%llu live=%llu", __entry->heap,
		  __entry->cycle, __entry->live)
);

TRACE_EVENT(goheap_handshake,
	TP_PROTO(u32 heap, pid_t pid, u64 ns, u64 bytes),
	TP_ARGS(heap, pid, ns, bytes),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(pid_t, pid)
		__field(u64, ns)
		__field(u64, bytes)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->pid = pid;
		__entry->ns = ns;
		__entry->bytes = bytes;
	),
	TP_printk("heap=%u pid=%d ns=%llu bytes=%llu", __entry->heap,
		  __entry->pid, __entry->ns, __entry->bytes)
);

DECLARE_EVENT_CLASS(goheap_work,
	TP_PROTO(u32 heap, u64 bytes, u64 ns),
	TP_ARGS(heap, bytes, ns),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(u64, bytes)
		__field(u64, ns)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->bytes = bytes;
		__entry->ns = ns;
	),
	TP_printk("heap=%u bytes=%llu ns=%llu", __entry->heap,
		  __entry->bytes, __entry->ns)
);

DEFINE_EVENT(goheap_work, goheap_assist,
	TP_PROTO(u32 heap, u64 bytes, u64 ns),
	TP_ARGS(heap, bytes, ns)
);

DEFINE_EVENT(goheap_work, goheap_worker,
	TP_PROTO(u32 heap, u64 bytes, u64 ns),
	TP_ARGS(heap, bytes, ns)
);

DEFINE_EVENT(goheap_work, goheap_sweep,
	TP_PROTO(u32 heap, u64 bytes, u64 ns),
	TP_ARGS(heap, bytes, ns)
);

DEFINE_EVENT(goheap_work, goheap_scavenge,
	TP_PROTO(u32 heap, u64 bytes, u64 ns),
	TP_ARGS(heap, bytes, ns)
);

TRACE_EVENT(goheap_refill,
	TP_PROTO(u32 heap, u64 slot, u64 bytes),
	TP_ARGS(heap, slot, bytes),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(u64, slot)
		__field(u64, bytes)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->slot = slot;
		__entry->bytes = bytes;
	),
	TP_printk("heap=%u slot=%llu bytes=%llu", __entry->heap,
		  __entry->slot, __entry->bytes)
);

TRACE_EVENT(goheap_limiter,
	TP_PROTO(u32 heap, bool on),
	TP_ARGS(heap, on),
	TP_STRUCT__entry(
		__field(u32, heap)
		__field(bool, on)
	),
	TP_fast_assign(
		__entry->heap = heap;
		__entry->on = on;
	),
	TP_printk("heap=%u %s", __entry->heap, __entry->on ? "on" : "off")
);

#endif /* GOHEAP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
