// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about objects: LAYOUT, ALLOC, OBJECT.
 *
 * No user memory is touched with gh_heap.world held, since that memory may be
 * the heap's own. References on their way to the program are in a batch, which
 * the collector takes as roots; the batch ends when they have been written, so
 * that a program that takes them on a handle stack has no moment in which
 * nothing keeps the objects.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include <linux/goheap.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "attach.h"
#include "device.h"
#include "ioctl.h"

/* References that need no memory of their own. */
#define SMALL_BATCH	16

/* The mask of a layout in kernel memory; NULL for no bits. */
static u64 *copy_mask(const struct goheap_layout *l)
{
	u64 bytes = DIV_ROUND_UP_ULL(l->nr_bits, 64) * sizeof(u64);

	if (!bytes)
		return NULL;
	return vmemdup_user(u64_to_user_ptr(l->mask), bytes);
}

/* Sizes as gh_layout_register() wants them. */
static bool layout_sizes_valid(const struct goheap_layout *l)
{
	return l->elem_size && !(l->elem_size % sizeof(u64)) &&
	       l->elem_size <= GH_MAX_ELEM_SIZE &&
	       l->nr_bits <= GH_MAX_LAYOUT_BITS &&
	       l->nr_bits <= l->elem_size / sizeof(u64);
}

/* Has the last word bits that are not of the layout? */
static bool mask_overflows(const struct goheap_layout *l, const u64 *mask)
{
	u32 used = l->nr_bits % 64;

	return used && mask[l->nr_bits / 64] >> used;
}

/*
 * Register a layout that has been checked as far as it can be without a heap: a
 * layout that is refused is no use of the heap.
 */
static int register_layout(struct goheap_file *gf,
			   const struct goheap_layout *l, const u64 *mask)
{
	struct gh_heap *heap = goheap_use(gf);
	struct mem_cgroup *old;
	int id;

	if (IS_ERR(heap))
		return PTR_ERR(heap);
	old = set_active_memcg(gf->memcg);
	id = gh_layout_register(heap, l->elem_size, l->nr_bits, mask);
	set_active_memcg(old);
	return id;
}

/**
 * goheap_cmd_layout() - GOHEAP_IOC_LAYOUT
 * @gf: file
 * @arg: struct goheap_layout
 * @may_write: true
 *
 * Return: 0, -EINVAL, -EFAULT, -ENOMEM or -ENOSPC.
 */
int goheap_cmd_layout(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_layout *l = arg;
	u64 *mask;
	int id;

	if (l->flags || !layout_sizes_valid(l))
		return -EINVAL;
	mask = copy_mask(l);
	if (IS_ERR(mask))
		return PTR_ERR(mask);
	id = mask_overflows(l, mask) ? -EINVAL : register_layout(gf, l, mask);
	kvfree(mask);
	if (id < 0)
		return id;
	l->id = id;
	return 0;
}

/* Allocate and hand over. */
static int alloc_batch(struct goheap_file *gf, struct gh_heap *heap,
		       struct goheap_alloc *a, u64 *refs)
{
	struct mem_cgroup *old;
	struct gh_batch batch;
	int err;

	gh_batch_begin(heap, &batch, refs);
	old = set_active_memcg(gf->memcg);
	err = gh_malloc(heap, a->layout, a->bytes, a->count, &batch);
	set_active_memcg(old);
	if (!err && copy_to_user(u64_to_user_ptr(a->refs), refs,
				 batch.nr * sizeof(*refs)))
		err = -EFAULT;
	gh_batch_end(heap, &batch);
	a->done = batch.nr;
	a->cycles = READ_ONCE(heap->nr_cycles);
	return err;
}

/**
 * goheap_cmd_alloc() - GOHEAP_IOC_ALLOC
 * @gf: file
 * @arg: struct goheap_alloc
 * @may_write: true
 *
 * Return: 0, -EINVAL, -ENOENT, -ENOTCONN, -EFAULT, -ENOMEM, -ENOSPC or -EINTR.
 */
int goheap_cmd_alloc(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_alloc *a = arg;
	u64 small[SMALL_BATCH];
	u64 *refs = small;
	int err;

	BUILD_BUG_ON(GOHEAP_LAYOUT_NOSCAN != GH_LAYOUT_NOSCAN);
	BUILD_BUG_ON(GOHEAP_LAYOUT_STACK != GH_LAYOUT_STACK);
	BUILD_BUG_ON(GOHEAP_MANAGED_STACK_MIN != GH_STACK_MIN);
	if (a->flags || !a->count || a->count > GH_MAX_BATCH)
		return -EINVAL;
	if (!goheap_attached(gf))
		return -ENOTCONN;
	if (a->count > SMALL_BATCH) {
		refs = kmalloc_array(a->count, sizeof(*refs), GFP_KERNEL);
		if (!refs)
			return -ENOMEM;
	}
	err = alloc_batch(gf, goheap_heap(gf), a, refs);
	if (refs != small)
		kfree(refs);
	return err;
}

/**
 * goheap_cmd_object() - GOHEAP_IOC_OBJECT
 * @gf: file
 * @arg: struct goheap_object
 * @may_write: unused
 *
 * Return: 0, -EINVAL or -EINTR.
 */
int goheap_cmd_object(struct goheap_file *gf, void *arg, bool may_write)
{
	struct gh_heap *heap = goheap_heap(gf);
	struct goheap_object *o = arg;
	struct gh_objinfo info;
	int err;

	if (o->flags || o->reserved)
		return -EINVAL;
	/* Before its first use a heap has no object. */
	if (!heap)
		return -EINVAL;
	if (down_read_killable(&heap->world))
		return -EINTR;
	err = gh_heap_lookup(heap, o->ref, &info);
	up_read(&heap->world);
	if (err)
		return err;
	o->base = (u64)gf->tag << GOHEAP_REF_TAG_SHIFT | info.base;
	o->bytes = info.bytes;
	o->layout = info.layout;
	return 0;
}
