// SPDX-License-Identifier: GPL-2.0
/*
 * Commands of mutators: REFILL, BARRIER, RANGE_ADD, RANGE_REMOVE.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_mutator.h"

#include <linux/compat.h>
#include <linux/goheap.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "attach.h"
#include "device.h"
#include "ioctl.h"
#include "mutator.h"

#define REPORT_REFS	64	/* copied in at a time */

/* The mutator that current is, of a process that is attached. */
static struct goheap_mutator *get_mutator(struct goheap_file *gf)
{
	struct goheap_mutator *mut = goheap_mutator_get(gf);

	return mut ? mut : ERR_PTR(-ENOTCONN);
}

static int refill_one(struct goheap_file *gf, struct goheap_mutator *mut,
		      struct goheap_lease *l, u64 *generation)
{
	struct gh_refill out = { };
	int err;

	err = gh_mutator_refill(gf->heap, mut->core, l->index, l->layout,
				l->bytes, &out);
	l->words = out.words;
	l->slot_bytes = out.slot_bytes;
	if (!err)
		*generation = out.generation;
	return err;
}

/* Fill leases one after the other until one cannot be. */
static int refill(struct goheap_file *gf, struct goheap_mutator *mut,
		  struct goheap_lease *leases, struct goheap_refill *r)
{
	struct mem_cgroup *old = set_active_memcg(gf->memcg);
	int err = 0;

	for (r->done = 0; r->done < r->count; r->done++) {
		err = refill_one(gf, mut, &leases[r->done], &r->generation);
		if (err)
			break;
	}
	set_active_memcg(old);
	return r->done ? 0 : err;
}

/**
 * goheap_cmd_refill() - GOHEAP_IOC_REFILL
 * @gf: file
 * @arg: struct goheap_refill
 * @may_write: true
 *
 * Return: 0, -EINVAL, -EFAULT, -ENOTCONN, or as gh_mutator_refill().
 */
int goheap_cmd_refill(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_lease leases[GOHEAP_MAX_REFILL];
	struct goheap_refill *r = arg;
	void __user *user = u64_to_user_ptr(r->leases);
	struct goheap_mutator *mut;
	size_t bytes;
	int err;

	if (r->flags || r->reserved || !r->count ||
	    r->count > GOHEAP_MAX_REFILL)
		return -EINVAL;
	bytes = r->count * sizeof(*leases);
	if (copy_from_user(leases, user, bytes))
		return -EFAULT;
	mut = get_mutator(gf);
	if (IS_ERR(mut))
		return PTR_ERR(mut);
	err = refill(gf, mut, leases, r);
	goheap_mutator_put(mut);
	r->cycles = READ_ONCE(gf->heap->nr_cycles);
	if (!err && copy_to_user(user, leases, bytes))
		err = -EFAULT;
	return err;
}

static int empty_buffer(struct goheap_file *gf)
{
	struct goheap_mutator *mut = get_mutator(gf);

	if (IS_ERR(mut))
		return PTR_ERR(mut);
	gh_mutator_barrier(gf->heap, mut->core);
	goheap_mutator_put(mut);
	return 0;
}

static int report(struct goheap_file *gf, const void __user *user, u32 count)
{
	u64 refs[REPORT_REFS];
	u32 n;

	for (; count; count -= n, user += n * sizeof(*refs)) {
		n = min_t(u32, count, REPORT_REFS);
		if (copy_from_user(refs, user, n * sizeof(*refs)))
			return -EFAULT;
		if (down_read_killable(&gf->heap->world))
			return -EINTR;
		gh_mark_shade(gf->heap, refs, n, NULL, 0);
		up_read(&gf->heap->world);
	}
	return 0;
}

/**
 * goheap_cmd_barrier() - GOHEAP_IOC_BARRIER
 * @gf: file
 * @arg: struct goheap_barrier
 * @may_write: true
 *
 * Return: 0, -EINVAL, -EFAULT, -ENOTCONN or -EINTR.
 */
int goheap_cmd_barrier(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_barrier *b = arg;

	if (b->flags || b->reserved || b->count > GH_MAX_BATCH)
		return -EINVAL;
	if (!goheap_attached(gf))
		return -ENOTCONN;
	return b->count ? report(gf, u64_to_user_ptr(b->refs), b->count) :
			  empty_buffer(gf);
}

static bool range_valid(const struct goheap_range *r)
{
	u64 end;

	return !r->flags && !r->reserved && r->kind <= GOHEAP_RANGE_STACK &&
	       r->bytes && !(r->start % sizeof(u64)) &&
	       !(r->bytes % sizeof(u64)) &&
	       !check_add_overflow(r->start, r->bytes, &end) &&
	       end <= TASK_SIZE_MAX;
}

/**
 * goheap_cmd_range_add() - GOHEAP_IOC_RANGE_ADD
 * @gf: file
 * @arg: struct goheap_range
 * @may_write: true
 *
 * The words of a 32-bit program are too short for references.
 *
 * Return: 0, -EINVAL, -EOPNOTSUPP, -ENOTCONN, -EEXIST, -ENOSPC or -ENOMEM.
 */
int goheap_cmd_range_add(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_range *r = arg;

	if (!range_valid(r))
		return -EINVAL;
	if (in_compat_syscall())
		return -EOPNOTSUPP;
	return goheap_attach_range(gf, r->start, r->start + r->bytes,
				   r->kind == GOHEAP_RANGE_STACK);
}

/**
 * goheap_cmd_range_remove() - GOHEAP_IOC_RANGE_REMOVE
 * @gf: file
 * @arg: struct goheap_range
 * @may_write: true
 *
 * Return: 0, -EINVAL, -ENOTCONN or -ENOENT.
 */
int goheap_cmd_range_remove(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_range *r = arg;

	if (r->flags || r->reserved || r->kind || r->bytes)
		return -EINVAL;
	return goheap_attach_range(gf, r->start, 0, false);
}
