// SPDX-License-Identifier: GPL-2.0
/*
 * Parameters of a heap.
 *
 * goheap_file.params is what has been set, by command or through sysfs, and
 * what is read; a heap that is in use has its own copy of what the core needs
 * to know. goheap_file.lock keeps the two the same: a heap is made from the
 * parameters under it, and whoever sets one under it tells the heap if there is
 * one. Setting those that move the goal waits for a stop of the heap.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include "device.h"
#include "param.h"

/*
 * Go's forcegcperiod, in ms; and a year. Heaps that are left alone with a short
 * period, as many as a user may have, would keep kernel threads busy at nobody's
 * expense.
 */
#define PERIOD_DEFAULT	(2 * 60 * 1000)
#define PERIOD_MIN	1000
#define PERIOD_MAX	(365LL * 24 * 60 * 60 * 1000)

#define KNOB(_id, _name, _max, _dflt) \
	[GOHEAP_PARAM_##_id] = { \
		.name = (_name), .max = (_max), .dflt = (_dflt), \
	}

const struct goheap_param_info goheap_params[GOHEAP_NR_PARAMS] = {
	[GOHEAP_PARAM_GC_PERCENT] = {
		.name = "gogc", .min = -1, .max = GH_MAX_GC_PERCENT,
		.dflt = 100, .off = -1, .has_off = true,
	},
	[GOHEAP_PARAM_MEMORY_LIMIT] = {
		.name = "gomemlimit", .max = S64_MAX,
		.dflt = S64_MAX, .off = S64_MAX, .has_off = true,
	},
	KNOB(MAX_HEAP, "maxheap", S64_MAX, 0),
	KNOB(GCTRACE, "gctrace", 2, 0),
	KNOB(INVALIDPTR, "invalidptr", 1, 1),
	KNOB(SCAVTRACE, "scavtrace", 1, 0),
	KNOB(MADVDONTNEED, "madvdontneed", 1, 1),
	KNOB(GCPACERTRACE, "gcpacertrace", 1, 0),
	KNOB(GCSTOPTHEWORLD, "gcstoptheworld", 2, 0),
	KNOB(GCCHECKMARK, "gccheckmark", 1, 0),
	KNOB(CLOBBERFREE, "clobberfree", 1, 0),
	KNOB(GCSTRESS, "gcstress", S64_MAX, 0),
	KNOB(GCVERIFY, "gcverify", 1, 0),
	KNOB(GCPERIOD, "gcperiod", PERIOD_MAX, PERIOD_DEFAULT),
};

/* Tell the heap, if it is of the core's interest. */
static void apply(struct gh_heap *heap, u32 id, s64 value)
{
	switch (id) {
	case GOHEAP_PARAM_GC_PERCENT:
		gh_gc_set_percent(heap, value);
		break;
	case GOHEAP_PARAM_MEMORY_LIMIT:
		gh_gc_set_limit(heap, value);
		break;
	case GOHEAP_PARAM_MAX_HEAP:
		WRITE_ONCE(heap->max_heap, value);
		break;
	case GOHEAP_PARAM_INVALIDPTR:
		WRITE_ONCE(heap->invalidptr, value);
		break;
	case GOHEAP_PARAM_MADVDONTNEED:
		WRITE_ONCE(heap->madvdontneed, value);
		break;
	case GOHEAP_PARAM_GCSTOPTHEWORLD:
		gh_gc_set_stop(heap, value);
		break;
	case GOHEAP_PARAM_GCCHECKMARK:
		WRITE_ONCE(heap->checkmark, value);
		break;
	case GOHEAP_PARAM_CLOBBERFREE:
		WRITE_ONCE(heap->clobberfree, value);
		break;
	case GOHEAP_PARAM_GCSTRESS:
		WRITE_ONCE(heap->collect_every, value);
		break;
	case GOHEAP_PARAM_GCVERIFY:
		WRITE_ONCE(heap->verify, value);
		break;
	}
}

/**
 * goheap_params_init() - give a new file the parameters of a new heap
 * @gf: file
 */
void goheap_params_init(struct goheap_file *gf)
{
	u32 id;

	for (id = 0; id < GOHEAP_NR_PARAMS; id++)
		gf->params[id] = goheap_params[id].dflt;
}

/**
 * goheap_params_apply() - tell a new heap its parameters
 * @gf: file
 * @heap: heap that nobody uses yet
 *
 * Context: may sleep; goheap_file.lock held.
 */
void goheap_params_apply(struct goheap_file *gf, struct gh_heap *heap)
{
	u32 id;

	lockdep_assert_held(&gf->lock);
	for (id = 0; id < GOHEAP_NR_PARAMS; id++)
		apply(heap, id, gf->params[id]);
}

static bool is_value(u32 id, s64 value)
{
	if (id == GOHEAP_PARAM_GCPERIOD && value && value < PERIOD_MIN)
		return false;
	return value >= goheap_params[id].min && value <= goheap_params[id].max;
}

/**
 * goheap_param_set() - set a parameter
 * @gf: file
 * @id: enum goheap_param_id, below GOHEAP_NR_PARAMS
 * @value: any number
 * @old: out: what it was
 *
 * Context: may sleep; no lock held.
 * Return: 0; -EINVAL for a value that cannot be; -EINTR if the caller is being
 * killed.
 */
int goheap_param_set(struct goheap_file *gf, u32 id, s64 value, s64 *old)
{
	if (!is_value(id, value))
		return -EINVAL;
	if (mutex_lock_killable(&gf->lock))
		return -EINTR;
	*old = gf->params[id];
	WRITE_ONCE(gf->params[id], value);
	if (gf->heap)
		apply(gf->heap, id, value);
	mutex_unlock(&gf->lock);
	if (id == GOHEAP_PARAM_GCPERIOD)
		goheap_worker_period(gf);
	return 0;
}

/**
 * goheap_param_parse() - read a value
 * @id: enum goheap_param_id, below GOHEAP_NR_PARAMS
 * @text: a number, or "off" where there is such a thing; and a newline perhaps
 * @value: out: the number
 *
 * Return: 0, -EINVAL or -ERANGE.
 */
int goheap_param_parse(u32 id, const char *text, s64 *value)
{
	if (goheap_params[id].has_off && sysfs_streq(text, "off")) {
		*value = goheap_params[id].off;
		return 0;
	}
	return kstrtos64(text, 10, value);
}
