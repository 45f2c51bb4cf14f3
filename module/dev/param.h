/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_PARAM_H
#define GOHEAP_PARAM_H

#include <linux/goheap.h>
#include <linux/types.h>

struct gh_heap;
struct goheap_file;

#define GOHEAP_NR_PARAMS	(GOHEAP_PARAM_GCPERIOD + 1)

/**
 * struct goheap_param_info - what there is to know of a parameter
 * @name: name of its file in the folder "knobs" of the heap
 * @min: smallest value; GOHEAP_PARAM_GCPERIOD has a gap above it
 * @max: largest value
 * @dflt: value of a new heap
 * @off: value that "off" stands for, if @has_off
 * @has_off: it can be switched off by that word
 */
struct goheap_param_info {
	const char *name;
	s64 min;
	s64 max;
	s64 dflt;
	s64 off;
	bool has_off;
};

extern const struct goheap_param_info goheap_params[GOHEAP_NR_PARAMS];

void goheap_params_init(struct goheap_file *gf);
void goheap_params_apply(struct goheap_file *gf, struct gh_heap *heap);
int goheap_param_set(struct goheap_file *gf, u32 id, s64 value, s64 *old);
int goheap_param_parse(u32 id, const char *text, s64 *value);

#endif /* GOHEAP_PARAM_H */
