// SPDX-License-Identifier: GPL-2.0
/*
 * The lines of gctrace, scavtrace and gccheckmark, the first two as Go's
 * runtime writes them. That of a cycle:
 *
 *	gc 7 @1.234s 5%: 0.10+2.3+0.052 ms clock, 0.20+0/2.1/0+0.10 ms cpu,
 *	4->4->2 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P (forced)
 *
 * (in one line). The three wall times are those of the stop before marking, of
 * marking beside the programs, and of the stop that ends it. CPU time of the
 * stops is counted for all CPUs, as Go does, though programs that need nothing
 * of the kernel run on; that of marking is assists, collector, and idle
 * workers. With gctrace=2 a line says how many objects were scanned:
 *
 *	scan: total 4711 objs
 *
 * Milliseconds have two significant digits, but no digits below a microsecond
 * and none below the point from 10 ms on. No floating point: a number is kept
 * in microseconds and cut to a number of decimals.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_checkmark.h"

#include "trace_line.h"

/* A buffer that is being filled. */
struct line {
	char *buf;
	size_t size;
	int len;
};

static __printf(2, 3) void add(struct line *l, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	l->len += vscnprintf(l->buf + l->len, l->size - l->len, fmt, args);
	va_end(args);
}

/* @value / 10^@decimals. */
static void add_decimal(struct line *l, u64 value, unsigned int decimals)
{
	u32 unit = 1;
	unsigned int i;

	for (i = 0; i < decimals; i++)
		unit *= 10;
	add(l, "%llu", value / unit);
	if (decimals)
		add(l, ".%0*llu", decimals, value % unit);
}

static void add_ms(struct line *l, u64 ns)
{
	unsigned int decimals = 3;
	u64 us = ns / NSEC_PER_USEC;

	if (!us || us >= 10 * USEC_PER_MSEC) {
		add(l, "%llu", us / USEC_PER_MSEC);
		return;
	}
	for (; us >= 100; us /= 10)
		decimals--;
	add_decimal(l, us, decimals);
}

static void add_times(struct line *l, const struct gh_cycle *c)
{
	add_ms(l, c->setup_ns);
	add(l, "+");
	add_ms(l, c->mark_ns);
	add(l, "+");
	add_ms(l, c->term_ns);
	add(l, " ms clock, ");
	add_ms(l, c->setup_ns * c->nr_cpus);
	add(l, "+");
	add_ms(l, c->assist_ns);
	add(l, "/");
	add_ms(l, min(c->cpu_ns, c->mark_ns * c->nr_cpus));
	add(l, "/");
	add_ms(l, c->idle_ns);
	add(l, "+");
	add_ms(l, c->term_ns * c->nr_cpus);
	add(l, " ms cpu, ");
}

/**
 * goheap_trace_line() - write the line of a cycle
 * @buf: where to
 * @size: size of @buf, GOHEAP_TRACE_LINE
 * @c: record of the cycle
 *
 * Return: length of the line, without a newline.
 */
int goheap_trace_line(char *buf, size_t size, const struct gh_cycle *c)
{
	struct line l = { .buf = buf, .size = size };

	add(&l, "gc %llu @", c->cycle);
	add_decimal(&l, c->start_ns / NSEC_PER_MSEC, 3);
	add(&l, "s %u%%: ", c->cpu_permille / 10);
	add_times(&l, c);
	add(&l, "%llu->%llu->%llu MB, ", c->heap_start >> 20,
	    c->heap_end >> 20, c->heap_marked >> 20);
	add(&l, "%llu MB goal, %llu MB stacks, %llu MB globals, %u P",
	    c->goal >> 20, c->stack_bytes >> 20, c->global_bytes >> 20,
	    c->nr_cpus);
	if (c->reason == GH_CYCLE_FORCED)
		add(&l, " (forced)");
	return l.len;
}

/**
 * goheap_scan_line() - write what gctrace=2 adds
 * @buf: where to
 * @size: size of @buf, GOHEAP_TRACE_LINE
 * @c: record of the cycle
 *
 * Return: length of the line, without a newline.
 */
int goheap_scan_line(char *buf, size_t size, const struct gh_cycle *c)
{
	return scnprintf(buf, size, "scan: total %llu objs", c->scanned_objs);
}

static void add_steps(struct line *l, u64 tag, const struct gh_check_step *s,
		      u64 nr)
{
	for (; nr; nr--, s++)
		add(l, "%#llx+%llu -> ", tag << 48 | s->off, s->word * 8);
}

/**
 * goheap_check_line() - write what a check of the marks has found
 * @buf: where to
 * @size: size of @buf, GOHEAP_TRACE_LINE
 * @tag: tag of the heap
 * @r: the object and the way to it
 *
 * Return: length of the line, without a newline.
 */
int goheap_check_line(char *buf, size_t size, u16 tag,
		      const struct gh_check_report *r)
{
	static const char *const kinds[GH_NR_ROOT_KINDS] = {
		[GH_ROOT_HANDLE] = "handle",
		[GH_ROOT_STATIC] = "variable",
		[GH_ROOT_STACK] = "stack",
		[GH_ROOT_BATCH] = "allocation",
	};
	u64 nr = min_t(u64, r->steps, GH_CHECK_PATH);
	u64 rest = r->steps - nr;
	struct line l = { .buf = buf, .size = size };

	add(&l, "checkmark: object of %llu bytes, layout %u, is %s: ",
	    r->bytes, r->layout,
	    r->exact ? "reachable and not marked" :
		       "on a stack and not marked, which proves nothing");
	add(&l, "%s -> ", kinds[r->kind]);
	add_steps(&l, tag, r->first, nr);
	if (rest > GH_CHECK_PATH)
		add(&l, "(%llu more) -> ", rest - GH_CHECK_PATH);
	rest = min_t(u64, rest, GH_CHECK_PATH);
	add_steps(&l, tag, r->last + GH_CHECK_PATH - rest, rest);
	add(&l, "%#llx", (u64)tag << 48 | r->off);
	return l.len;
}

/**
 * goheap_scav_line() - write a line of scavtrace
 * @buf: where to
 * @size: size of @buf, GOHEAP_TRACE_LINE
 * @t: what the scavenger did since the last line
 *
 * In Go's format: given back in the background, given back otherwise, without
 * memory now, and how much of the memory that there is belongs to spans.
 *
 * Return: length of the line, without a newline.
 */
int goheap_scav_line(char *buf, size_t size, const struct gh_scav_trace *t)
{
	struct line l = { .buf = buf, .size = size };

	add(&l, "scav %llu KiB work (bg), %llu KiB work (eager), ",
	    t->bg_bytes >> 10, t->eager_bytes >> 10);
	add(&l, "%llu KiB now, %llu%% util", t->released >> 10,
	    t->in_use * 100 / max_t(u64, t->retained, 1));
	if (t->forced)
		add(&l, " (forced)");
	else if (t->reset)
		add(&l, " [controller reset]");
	return l.len;
}
