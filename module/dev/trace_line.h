/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_TRACE_LINE_H
#define GOHEAP_TRACE_LINE_H

#include <linux/types.h>

struct gh_check_report;
struct gh_cycle;
struct gh_pacer_trace;
struct gh_scav_trace;

/* Enough for every number at its longest. */
#define GOHEAP_TRACE_LINE	544

/* Enough for a number as Go prints it. */
#define GOHEAP_FLOAT		16

int goheap_trace_line(char *buf, size_t size, const struct gh_cycle *c);
int goheap_scan_line(char *buf, size_t size, const struct gh_cycle *c);
int goheap_scav_line(char *buf, size_t size, const struct gh_scav_trace *t);
int goheap_check_line(char *buf, size_t size, u16 tag,
		      const struct gh_check_report *r);

const char *goheap_float(char buf[GOHEAP_FLOAT], u64 fix);
int goheap_pacer_start_line(char *buf, size_t size,
			    const struct gh_pacer_trace *t);
int goheap_pacer_end_line(char *buf, size_t size,
			  const struct gh_pacer_trace *t);
int goheap_pacer_sweep_line(char *buf, size_t size,
			    const struct gh_pacer_trace *t);

#endif /* GOHEAP_TRACE_LINE_H */
