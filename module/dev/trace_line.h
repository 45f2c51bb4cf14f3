/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_TRACE_LINE_H
#define GOHEAP_TRACE_LINE_H

#include <linux/types.h>

struct gh_cycle;
struct gh_scav_trace;

/* Enough for every number at its longest. */
#define GOHEAP_TRACE_LINE	352

int goheap_trace_line(char *buf, size_t size, const struct gh_cycle *c);
int goheap_scav_line(char *buf, size_t size, const struct gh_scav_trace *t);

#endif /* GOHEAP_TRACE_LINE_H */
