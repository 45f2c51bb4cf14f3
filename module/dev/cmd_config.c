// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about what a heap is: INFO, SETUP, PARAM, READER.
 *
 * Until its first use a heap exists only as goheap_file.aspace and .params,
 * which SETUP and PARAM change and from which the heap is then made.
 * goheap_file.lock decides which of both a change still reaches. See param.c.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include <linux/file.h>
#include <linux/goheap.h>

#include "device.h"
#include "ioctl.h"

#define FEATURES	(GOHEAP_FEATURE_ROOTS | GOHEAP_FEATURE_HANDLE_STACKS | \
			 GOHEAP_FEATURE_MEMORY_LIMIT | \
			 GOHEAP_FEATURE_MUTATORS | GOHEAP_FEATURE_RANGES | \
			 GOHEAP_FEATURE_MANAGED_STACKS | GOHEAP_FEATURE_READERS)

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
		gf->aspace = aspace;
		WRITE_ONCE(gf->params[GOHEAP_PARAM_MAX_HEAP], setup->max_heap);
	}
	mutex_unlock(&gf->lock);
	return err;
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
	u32 id;

	if (p->flags & ~GOHEAP_PARAM_SET || p->reserved || (!set && p->value))
		return -EINVAL;
	if (p->id >= GOHEAP_NR_PARAMS)
		return -ENOENT;
	id = array_index_nospec(p->id, GOHEAP_NR_PARAMS);
	if (set && !may_write)
		return -EPERM;
	if (set)
		return goheap_param_set(gf, id, p->value, &p->old);
	p->old = READ_ONCE(gf->params[id]);
	return 0;
}

/**
 * goheap_cmd_reader() - GOHEAP_IOC_READER
 * @gf: file
 * @arg: struct goheap_reader
 * @fd: out: number for the file, reserved
 *
 * A reader may call it: it gives away no more than it has.
 * Return: the file, or ERR_PTR of -EINVAL, -EMFILE, -ENFILE or -ENOMEM.
 */
struct file *goheap_cmd_reader(struct goheap_file *gf, void *arg, int *fd)
{
	struct goheap_reader *r = arg;
	struct file *file;

	if (r->flags || r->reserved)
		return ERR_PTR(-EINVAL);
	*fd = get_unused_fd_flags(O_CLOEXEC);
	if (*fd < 0)
		return ERR_PTR(*fd);
	file = goheap_reader_new(gf);
	if (IS_ERR(file))
		put_unused_fd(*fd);
	else
		r->fd = *fd;
	return file;
}
