// SPDX-License-Identifier: GPL-2.0
/*
 * Commands about pinned handles: ROOT_ADD, ROOT_SET, ROOT_REMOVE.
 *
 * A call handles all of its roots or none. So everything is copied in first,
 * then everything is checked, and only then the table is changed, which can no
 * longer fail. What comes after, handing the new identifiers to the program, can
 * fail, and then the new roots are removed again.
 *
 * References are checked and entered with the world held for reading, so a root
 * never names an object that was freed before. If objects are being marked the
 * collector may have been at the table already, so new references are marked at
 * once; of old ones it need not be told, since it reads all tables before it reads
 * the first thread. The attachment may end
 * at any time before its lock is taken, and then there is nothing to change.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include <linux/goheap.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "attach.h"
#include "device.h"
#include "ioctl.h"

/**
 * struct root_call - one command at work
 * @heap: heap
 * @att: attachment of current
 * @count: number of roots
 * @refs: their references; not for ROOT_REMOVE
 * @ids: their identifiers
 */
struct root_call {
	struct gh_heap *heap;
	struct goheap_attachment *att;
	u32 count;
	u64 *refs;
	u32 *ids;
};

static void free_call(struct root_call *call)
{
	if (call->att)
		goheap_attachment_put(call->att);
	kfree(call->refs);
	kfree(call->ids);
}

static int copy_in(struct root_call *call, const struct goheap_roots *r,
		   bool refs, bool ids)
{
	if (refs && copy_from_user(call->refs, u64_to_user_ptr(r->refs),
				   r->count * sizeof(*call->refs)))
		return -EFAULT;
	if (ids && copy_from_user(call->ids, u64_to_user_ptr(r->ids),
				  r->count * sizeof(*call->ids)))
		return -EFAULT;
	return 0;
}

/* Check and copy the arguments; on failure nothing is left to be freed. */
static int prepare(struct goheap_file *gf, struct root_call *call,
		   const struct goheap_roots *r, bool refs, bool ids)
{
	int err = -ENOMEM;

	if (r->flags || !r->count || r->count > GH_MAX_BATCH)
		return -EINVAL;
	*call = (struct root_call) { .count = r->count };
	call->att = goheap_attachment_get(gf);
	if (!call->att)
		return -ENOTCONN;
	/* An attachment has a mapping, hence there is a heap. */
	call->heap = goheap_heap(gf);
	call->refs = kmalloc_array(r->count, sizeof(u64), GFP_KERNEL);
	call->ids = kmalloc_array(r->count, sizeof(u32), GFP_KERNEL);
	if (call->refs && call->ids)
		err = copy_in(call, r, refs, ids);
	if (err)
		free_call(call);
	return err;
}

static int lock_roots(struct root_call *call)
{
	if (down_read_killable(&call->heap->world))
		return -EINTR;
	mutex_lock(&call->att->lock);
	if (!call->att->ended)
		return 0;
	mutex_unlock(&call->att->lock);
	up_read(&call->heap->world);
	return -ENOTCONN;
}

static void unlock_roots(struct root_call *call)
{
	mutex_unlock(&call->att->lock);
	up_read(&call->heap->world);
}

/* Every reference must be nil or inside an object. */
static int check_refs(struct root_call *call)
{
	struct gh_objinfo info;
	u32 i;

	lockdep_assert_held_read(&call->heap->world);
	for (i = 0; i < call->count; i++)
		if (call->refs[i] &&
		    gh_heap_lookup(call->heap, call->refs[i], &info))
			return -EINVAL;
	return 0;
}

static int check_ids(struct root_call *call)
{
	u32 i;

	lockdep_assert_held(&call->att->lock);
	for (i = 0; i < call->count; i++)
		if (!gh_roots_has(&call->att->roots, call->ids[i]))
			return -ENOENT;
	return 0;
}

static int add_roots(struct root_call *call)
{
	struct gh_roots *roots = &call->att->roots;
	int err;
	u32 i;

	err = lock_roots(call);
	if (err)
		return err;
	err = check_refs(call);
	if (!err)
		err = gh_roots_reserve(roots, call->count);
	for (i = 0; !err && i < call->count; i++)
		call->ids[i] = gh_roots_add(roots, call->refs[i]);
	if (!err)
		gh_mark_shade(call->heap, call->refs, call->count, NULL, 0);
	unlock_roots(call);
	return err;
}

/*
 * Remove roots whose identifiers the program did not get. Not to be interrupted,
 * and careful, because another thread may have guessed one of them.
 */
static void undo_add(struct root_call *call)
{
	struct gh_roots *roots = &call->att->roots;
	u32 i;

	down_read(&call->heap->world);
	mutex_lock(&call->att->lock);
	for (i = 0; i < call->count; i++)
		if (gh_roots_has(roots, call->ids[i]))
			gh_roots_remove(roots, call->ids[i]);
	unlock_roots(call);
}

/**
 * goheap_cmd_root_add() - GOHEAP_IOC_ROOT_ADD
 * @gf: file
 * @arg: struct goheap_roots
 * @may_write: true
 *
 * Return: 0, -EINVAL, -ENOTCONN, -ENOSPC, -ENOMEM, -EFAULT or -EINTR.
 */
int goheap_cmd_root_add(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_roots *r = arg;
	struct root_call call;
	int err;

	err = prepare(gf, &call, r, true, false);
	if (err)
		return err;
	err = add_roots(&call);
	if (!err && copy_to_user(u64_to_user_ptr(r->ids), call.ids,
				 call.count * sizeof(*call.ids))) {
		undo_add(&call);
		err = -EFAULT;
	}
	free_call(&call);
	r->done = r->count;
	return err;
}

/**
 * goheap_cmd_root_set() - GOHEAP_IOC_ROOT_SET
 * @gf: file
 * @arg: struct goheap_roots
 * @may_write: true
 *
 * Return: 0, -EINVAL, -ENOENT, -ENOTCONN, -ENOMEM, -EFAULT or -EINTR.
 */
int goheap_cmd_root_set(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_roots *r = arg;
	struct root_call call;
	int err;
	u32 i;

	err = prepare(gf, &call, r, true, true);
	if (err)
		return err;
	err = lock_roots(&call);
	if (err)
		goto free_call;
	err = check_ids(&call);
	if (!err)
		err = check_refs(&call);
	for (i = 0; !err && i < call.count; i++)
		gh_roots_set(&call.att->roots, call.ids[i], call.refs[i]);
	if (!err)
		gh_mark_shade(call.heap, call.refs, call.count, NULL, 0);
	unlock_roots(&call);
free_call:
	free_call(&call);
	r->done = r->count;
	return err;
}

static int compare_ids(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

/* An identifier that comes twice names nothing the second time. */
static int check_distinct(struct root_call *call)
{
	u32 i;

	sort(call->ids, call->count, sizeof(u32), compare_ids, NULL);
	for (i = 1; i < call->count; i++)
		if (call->ids[i] == call->ids[i - 1])
			return -ENOENT;
	return 0;
}

/**
 * goheap_cmd_root_remove() - GOHEAP_IOC_ROOT_REMOVE
 * @gf: file
 * @arg: struct goheap_roots
 * @may_write: true
 *
 * Return: 0, -EINVAL, -ENOENT, -ENOTCONN, -ENOMEM, -EFAULT or -EINTR.
 */
int goheap_cmd_root_remove(struct goheap_file *gf, void *arg, bool may_write)
{
	struct goheap_roots *r = arg;
	struct root_call call;
	int err;
	u32 i;

	err = prepare(gf, &call, r, false, true);
	if (err)
		return err;
	err = check_distinct(&call);
	if (!err)
		err = lock_roots(&call);
	if (err)
		goto free_call;
	err = check_ids(&call);
	for (i = 0; !err && i < call.count; i++)
		gh_roots_remove(&call.att->roots, call.ids[i]);
	unlock_roots(&call);
free_call:
	free_call(&call);
	r->done = r->count;
	return err;
}
