// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about what a heap is: INFO, SETUP, PARAM.
 *
 * Until its first use a heap exists only as goheap_file.config, which SETUP and
 * PARAM change and from which the heap is then made. goheap_file.lock decides
 * which of both a change still reaches. Parameters of a heap in use belong to
 * the core; setting those that move the goal waits for a cycle that is marking.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include <linux/goheap.h>

#include "device.h"
#include "ioctl.h"

#define FEATURES	(GOHEAP_FEATURE_ROOTS | GOHEAP_FEATURE_HANDLE_STACKS | \
			 GOHEAP_FEATURE_MEMORY_LIMIT | \
			 GOHEAP_FEATURE_MUTATORS | GOHEAP_FEATURE_RANGES | \
			 GOHEAP_FEATURE_MANAGED_STACKS)

/**
 * goheap_cmd_info() - GOHEAP_IOC_INFO
 * @gf: file
 * @arg: struct goheap_info
 * @may_write: unused
 *
 * Return: 0 or -EINVAL.
 */
int goheap_cmd_info(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_info *info = arg;
	u64 aspace = goheap_aspace(gf);

	if (info->reserved)
		return -EINVAL;
	*info = (struct goheap_info) {
		.abi = GOHEAP_ABI,
		.features = FEATURES,
		.heap_id = gf->id,
		.tag = gf->tag,
		.address_space = aspace,
		.page_size = GH_PAGE_SIZE,
		.nr_size_classes = GH_NR_CLASSES,
		.max_small_size = GH_MAX_SMALL_SIZE,
		.max_layouts = GH_MAX_LAYOUTS,
		.max_object_size = gh_max_object(aspace),
		.max_layout_bits = GH_MAX_LAYOUT_BITS,
		.max_batch = GH_MAX_BATCH,
		.max_roots = GH_MAX_ROOTS,
	};
	return 0;
}

/**
 * goheap_cmd_setup() - GOHEAP_IOC_SETUP
 * @gf: file
 * @arg: struct goheap_setup
 * @may_write: true
 *
 * Return: 0, -EINVAL or -EBUSY.
 */
int goheap_cmd_setup(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_setup *setup = arg;
	u64 aspace = setup->address_space ?: goheap_default_aspace();
	int err = 0;

	if (setup->flags || aspace % GH_ARENA_SIZE || aspace > GH_MAX_ASPACE ||
	    setup->max_heap > S64_MAX)
		return -EINVAL;
	mutex_lock(&gf->lock);
	if (gf->heap) {
		err = -EBUSY;
	} else {
		gf->config.aspace = aspace;
		gf->config.max_heap = setup->max_heap;
	}
	mutex_unlock(&gf->lock);
	return err;
}

/* Smallest and largest value of each parameter. */
static const struct {
	s64 min;
	s64 max;
} params[] = {
	[GOHEAP_PARAM_GC_PERCENT] = { -1, GH_MAX_GC_PERCENT },
	[GOHEAP_PARAM_MEMORY_LIMIT] = { 0, S64_MAX },
	[GOHEAP_PARAM_MAX_HEAP] = { 0, S64_MAX },
	[GOHEAP_PARAM_GCTRACE] = { 0, 1 },
	[GOHEAP_PARAM_INVALIDPTR] = { 0, 1 },
	[GOHEAP_PARAM_SCAVTRACE] = { 0, 1 },
	[GOHEAP_PARAM_MADVDONTNEED] = { 0, 1 },
};

static s64 get_param(struct goheap_file *gf, u32 id)
{
	struct gh_heap *heap = gf->heap;
	struct goheap_config *c = &gf->config;

	lockdep_assert_held(&gf->lock);
	switch (id) {
	case GOHEAP_PARAM_GC_PERCENT:
		return heap ? heap->pace.pacer.gc_percent : c->gc_percent;
	case GOHEAP_PARAM_MEMORY_LIMIT:
		return heap ? heap->pace.limit : c->memory_limit;
	case GOHEAP_PARAM_MAX_HEAP:
		return heap ? heap->max_heap : c->max_heap;
	case GOHEAP_PARAM_GCTRACE:
		return gf->gctrace;
	case GOHEAP_PARAM_SCAVTRACE:
		return gf->scavtrace;
	case GOHEAP_PARAM_MADVDONTNEED:
		return heap ? heap->madvdontneed : c->madvdontneed;
	default:
		return heap ? heap->invalidptr : c->invalidptr;
	}
}

static void set_config(struct goheap_file *gf, u32 id, s64 value)
{
	struct goheap_config *c = &gf->config;

	lockdep_assert_held(&gf->lock);
	switch (id) {
	case GOHEAP_PARAM_GC_PERCENT:
		c->gc_percent = value;
		break;
	case GOHEAP_PARAM_MEMORY_LIMIT:
		c->memory_limit = value;
		break;
	case GOHEAP_PARAM_MAX_HEAP:
		c->max_heap = value;
		break;
	case GOHEAP_PARAM_INVALIDPTR:
		c->invalidptr = value;
		break;
	case GOHEAP_PARAM_MADVDONTNEED:
		c->madvdontneed = value;
		break;
	}
}

static void set_heap(struct goheap_file *gf, u32 id, s64 value)
{
	struct gh_heap *heap = gf->heap;

	lockdep_assert_held(&gf->lock);
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
	}
}

static void set_param(struct goheap_file *gf, u32 id, s64 value)
{
	if (id == GOHEAP_PARAM_GCTRACE)
		WRITE_ONCE(gf->gctrace, value);
	else if (id == GOHEAP_PARAM_SCAVTRACE)
		WRITE_ONCE(gf->scavtrace, value);
	else if (gf->heap)
		set_heap(gf, id, value);
	else
		set_config(gf, id, value);
}

/**
 * goheap_cmd_param() - GOHEAP_IOC_PARAM
 * @gf: file
 * @arg: struct goheap_param
 * @may_write: the file is open for writing
 *
 * Return: 0, -EINVAL, -ENOENT, -EPERM or -EINTR.
 */
int goheap_cmd_param(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_param *p = arg;
	bool set = p->flags & GOHEAP_PARAM_SET;

	if (p->flags & ~GOHEAP_PARAM_SET || p->reserved || (!set && p->value))
		return -EINVAL;
	if (p->id >= ARRAY_SIZE(params))
		return -ENOENT;
	if (set && !may_write)
		return -EPERM;
	if (set && (p->value < params[p->id].min ||
		    p->value > params[p->id].max))
		return -EINVAL;
	if (mutex_lock_killable(&gf->lock))
		return -EINTR;
	p->old = get_param(gf, p->id);
	if (set)
		set_param(gf, p->id, p->value);
	mutex_unlock(&gf->lock);
	return 0;
}
