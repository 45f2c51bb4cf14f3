// SPDX-License-Identifier: GPL-2.0
/*
 * The lines of gcpacertrace, as Go's runtime writes them:
 *
 *	pacer: assist ratio=+1.5e+000 (scan 3 MB in 4->8 MB) workers=1++0.0e+000
 *	pacer: 27% CPU (25 exp.) for 1+2+3 B work (6 B exp.) in 4 B -> 5 B
 *	(∆goal -3, cons/mark +1.0e+000)
 *	pacer: sweep done at heap size 3MB; allocated 1MB during sweep; swept 70
 *	pages at +0.0e+000 pages/byte
 *
 * The second, and the third, in one line, and numbers with six digits behind
 * the point: println() of Go writes a float64 with its sign, one digit, six
 * more, and an exponent of three digits, rounded half up. Ours have 32 bits
 * behind the binary point; none is negative.
 */
#include "gh_internal.h"
#include "gh_pacer.h"

#include "trace_line.h"

#define DIGITS		1000000ULL	/* 10 to the power of digits behind */

/* The exponent of @num / @den; makes it a number from 1 to below 10. */
static int normalise(u64 *num, u64 *den)
{
	int exp = 0;

	for (; *num / 10 >= *den; exp++) {
		/* What is lost is far behind the last digit. */
		if (*den >> 55) {
			*num >>= 4;
			*den >>= 4;
		}
		*den *= 10;
	}
	for (; *num < *den; exp--)
		*num *= 10;
	return exp;
}

/**
 * goheap_float() - write a number as Go's println() does
 * @buf: where to
 * @fix: the number, Q32
 *
 * Return: @buf.
 */
const char *goheap_float(char buf[GOHEAP_FLOAT], u64 fix)
{
	u64 den = GH_FIX_ONE, digits = 0;
	int exp = 0, i;

	if (fix) {
		exp = normalise(&fix, &den);
		for (i = 0; i < 7; i++) {
			digits = digits * 10 + fix / den;
			fix = fix % den * 10;
		}
		/* @fix is ten times what is left. */
		digits += fix / 10 >= den - den / 2;
		if (digits == 10 * DIGITS) {
			digits = DIGITS;
			exp++;
		}
	}
	scnprintf(buf, GOHEAP_FLOAT, "+%llu.%06llue%c%03u", digits / DIGITS,
		  digits % DIGITS, exp < 0 ? '-' : '+', abs(exp));
	return buf;
}

/**
 * goheap_pacer_start_line() - write what a cycle began with
 * @buf: where to
 * @size: size of @buf, GOHEAP_TRACE_LINE
 * @t: numbers
 *
 * Return: length of the line, without a newline.
 */
int goheap_pacer_start_line(char *buf, size_t size,
			    const struct gh_pacer_trace *t)
{
	char ratio[GOHEAP_FLOAT], fractional[GOHEAP_FLOAT];

	return scnprintf(buf, size,
			 "pacer: assist ratio=%s (scan %llu MB in %llu->%llu MB) workers=%u+%s",
			 goheap_float(ratio, t->assist_ratio),
			 t->heap_scan >> 20, t->start_live >> 20,
			 t->start_goal >> 20, t->dedicated,
			 goheap_float(fractional, t->fractional));
}

/**
 * goheap_pacer_end_line() - write what has become of it
 * @buf: where to
 * @size: size of @buf, GOHEAP_TRACE_LINE
 * @t: numbers
 *
 * Return: length of the line, without a newline.
 */
int goheap_pacer_end_line(char *buf, size_t size,
			  const struct gh_pacer_trace *t)
{
	char cons_mark[GOHEAP_FLOAT];

	return scnprintf(buf, size,
			 "pacer: %llu%% CPU (%u exp.) for %llu+%llu+%llu B work (%llu B exp.) in %llu B -> %llu B (∆goal %lld, cons/mark %s)",
			 gh_fix_mul(100, t->utilization),
			 100 / GH_PACER_UTILIZATION_DIV, t->work.heap,
			 t->work.stack, t->work.globals, t->expected,
			 t->triggered, t->end_live, t->goal_delta,
			 goheap_float(cons_mark, t->cons_mark));
}

/**
 * goheap_pacer_sweep_line() - write what a sweep has come to
 * @buf: where to
 * @size: size of @buf, GOHEAP_TRACE_LINE
 * @t: numbers
 *
 * Return: length of the line, without a newline.
 */
int goheap_pacer_sweep_line(char *buf, size_t size,
			    const struct gh_pacer_trace *t)
{
	char ratio[GOHEAP_FLOAT];

	return scnprintf(buf, size,
			 "pacer: sweep done at heap size %lluMB; allocated %lluMB during sweep; swept %llu pages at %s pages/byte",
			 t->sweep_live >> 20, t->sweep_allocated >> 20,
			 t->swept_pages, goheap_float(ratio, t->sweep_ratio));
}
