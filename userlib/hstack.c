// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Managed stacks: what a coroutine, or an interpreter, has its values on.
 *
 * A managed stack is an object of the layout GOHEAP_LAYOUT_STACK, of which the
 * collector looks at the slots below the top, and a root that keeps it. It
 * begins with 2 KiB. When it is full it is copied to an object of twice the
 * size; when a collection has ended and less than a quarter of it is in use,
 * to one of half the size. Between collections its size only grows, so that a
 * stack that goes up and down is not copied all the time.
 *
 * A stack may hold references to its own slots, as a stack of frames does. When
 * it is copied they are rewritten to the same slots of the copy. One to a slot
 * that is not in use and that the copy does not have becomes 0.
 *
 * Copying. Up to the call that moves the root, the old object is what keeps
 * everything; the new one is kept by the thread's frame. The new one has all
 * slots before it has their number, and has both before it is the stack. So a
 * collection between any two instructions finds all that is in use, and a
 * failure leaves the stack as it was.
 *
 * Whether a stack is too large is looked at where its top falls below a quarter,
 * by pop and frame end. Pushing makes no stack smaller, so it need not ask.
 *
 * The number of slots in use is kept twice, since everybody who shares the heap
 * can write to the object. The library believes its own.
 *
 * A stack belongs to its process. A child has a copy of the structure but not
 * the root, and the object is the parent's to change; there, as after the heap
 * was closed, the stack is lost: empty, and without room for anything.
 */
#include <errno.h>
#include <stdlib.h>

#include "internal.h"

/**
 * struct move - a stack changes its place
 * @from: reference to the old object
 * @from_bytes: its size
 * @to: reference to the new one
 * @to_bytes: its size
 */
struct move {
	goheap_ref from;
	size_t from_bytes;
	goheap_ref to;
	size_t to_bytes;
};

static struct gh_hstack *hstack_of(const struct goheap_hstack *s)
{
	return (struct gh_hstack *)s;
}

/* A value of a slot as it has to be after the move. */
static goheap_ref adjust(const struct move *m, goheap_ref ref)
{
	uint64_t offset = ref - m->from;

	if (offset >= m->from_bytes)
		return ref;
	return offset < m->to_bytes ? m->to + offset : 0;
}

static void copy(struct gh_hstack *hs, const struct move *m)
{
	struct goheap *h = hs->pub.heap;
	const struct goheap_stack *from = hs->pub.stack;
	struct goheap_stack *to = goheap_ptr(h, m->to);

	for (uint64_t i = 0; i < hs->pub.top; i++)
		goheap_store(h, &to->slots[i],
			     adjust(m, goheap_load(h, &from->slots[i])));
	__atomic_store_n(&to->top, hs->pub.top, __ATOMIC_RELEASE);
}

/* An object is the stack from now on. */
static void adopt(struct gh_hstack *hs, goheap_ref ref, size_t bytes)
{
	hs->ref = ref;
	hs->bytes = bytes;
	hs->cycle = gh_cycles(gh_heap_of(hs->pub.heap));
	hs->pub.stack = goheap_ptr(hs->pub.heap, ref);
	hs->pub.nr_slots = bytes / sizeof(goheap_ref) - 1;
	/* A word is the top's, so that so many slots are less than a quarter. */
	hs->pub.low = bytes > GH_HSTACK_MIN ? bytes / sizeof(goheap_ref) / 4 - 1
					    : 0;
}

/* Copy a stack to an object of another size. */
static int move_to(struct gh_hstack *hs, size_t bytes, struct move *m)
{
	struct goheap *h = hs->pub.heap;
	goheap_frame frame = goheap_frame_begin(h);
	int ret = -1;

	*m = (struct move){
		.from = hs->ref,
		.from_bytes = hs->bytes,
		.to = goheap_new(h, GOHEAP_LAYOUT_STACK, bytes),
		.to_bytes = bytes,
	};
	if (m->to) {
		copy(hs, m);
		ret = goheap_root_set(h, hs->root, m->to);
		if (!ret)
			adopt(hs, m->to, bytes);
	}
	goheap_frame_end(h, frame);
	return ret;
}

/* How large a stack may be: what is set, and what one object can be. */
static size_t limit(const struct gh_heap *heap)
{
	size_t max = __atomic_load_n(&heap->max_hstack, __ATOMIC_RELAXED);

	return max < heap->info.max_object_size ? max
						: heap->info.max_object_size;
}

static int grow(struct gh_hstack *hs, struct move *m)
{
	size_t max = limit(gh_heap_of(hs->pub.heap));
	size_t bytes = hs->bytes * 2;

	if (bytes > max)
		bytes = max;
	if (bytes <= hs->bytes)
		return gh_error(ENOSPC,
				"managed stack exceeds its limit of %zu bytes",
				max);
	return move_to(hs, bytes, m);
}

/*
 * Less than a quarter is in use: halve the stack if a collection has ended since
 * it was last considered. If there is no memory for that, it stays as it is.
 */
static void consider(struct gh_hstack *hs)
{
	uint32_t cycles = gh_cycles(gh_heap_of(hs->pub.heap));
	size_t bytes = hs->bytes / 2 & ~(sizeof(goheap_ref) - 1);
	int saved = errno;
	struct move m;

	if (hs->cycle == cycles)
		return;
	hs->cycle = cycles;
	move_to(hs, bytes < GH_HSTACK_MIN ? GH_HSTACK_MIN : bytes, &m);
	errno = saved;
}

/* goheap_hstack_push() to a stack that is full. */
int goheap_hstack_push_slow(struct goheap_hstack *s, goheap_ref ref)
{
	struct move m;

	if (!s->heap)
		return gh_error(ENOTCONN, "the stack's heap is not there");
	if (grow(hstack_of(s), &m))
		return -1;
	return goheap_hstack_push(s, adjust(&m, ref));
}

/*
 * goheap_hstack_pop() from a stack that is empty or may be too large. The value
 * is on the stack while that is copied, since it may be a reference to a slot.
 */
goheap_ref goheap_hstack_pop_slow(struct goheap_hstack *s)
{
	goheap_ref ref;

	if (!s->top) {
		gh_error(EINVAL, "pop from an empty stack");
		return 0;
	}
	consider(hstack_of(s));
	s->top--;
	ref = goheap_load(s->heap, &s->stack->slots[s->top]);
	goheap__drop(s->heap, s->stack, s->top + 1, s->top);
	return ref;
}

/* goheap_hstack_frame_end() of a stack that may be too large. */
void goheap_hstack_frame_end_slow(struct goheap_hstack *s, goheap_frame frame)
{
	goheap__drop(s->heap, s->stack, s->top, frame);
	s->top = frame;
	consider(hstack_of(s));
}

/* There is no such slot. */
int goheap_hstack_no_slot(const struct goheap_hstack *s, uint64_t i)
{
	return gh_error(EINVAL, "slot %llu of a stack of depth %llu",
			(unsigned long long)i, (unsigned long long)s->top);
}

/**
 * goheap_hstack_slot_ref() - reference to a slot of a stack
 * @s: the stack
 * @i: which slot, from 0 for the one that was pushed first
 *
 * For storing on the same stack, where it is rewritten whenever the stack is
 * copied. Anywhere else it refers to the stack as it is now, and keeps that.
 *
 * Return: the reference, or 0 with errno EINVAL if the slot is not in use.
 */
goheap_ref goheap_hstack_slot_ref(const struct goheap_hstack *s, uint64_t i)
{
	if (i >= s->top) {
		goheap_hstack_no_slot(s, i);
		return 0;
	}
	return goheap_ref_of(s->heap, &s->stack->slots[i]);
}

/**
 * goheap_hstack_slot_index() - which slot of a stack a reference refers to
 * @s: the stack
 * @ref: any value
 *
 * Return: the slot's number, or -1 with errno EINVAL if @ref is no reference to
 * a slot in use of this stack.
 */
int64_t goheap_hstack_slot_index(const struct goheap_hstack *s, goheap_ref ref)
{
	uint64_t offset = ref - hstack_of(s)->ref;
	uint64_t i = offset / sizeof(goheap_ref) - 1;

	if (offset % sizeof(goheap_ref) || i >= s->top)
		return gh_error(EINVAL, "no reference to a slot of the stack");
	return (int64_t)i;
}

/* Make the first object of a stack, and the root. */
static int make_object(struct gh_hstack *hs, struct goheap *h)
{
	goheap_frame frame = goheap_frame_begin(h);
	goheap_ref ref = goheap_new(h, GOHEAP_LAYOUT_STACK, GH_HSTACK_MIN);
	int ret = ref ? goheap_root_add(h, ref, &hs->root) : -1;

	if (!ret) {
		hs->pub.heap = h;
		adopt(hs, ref, GH_HSTACK_MIN);
	}
	goheap_frame_end(h, frame);
	return ret;
}

/**
 * goheap_hstack_new() - make a managed stack
 * @h: the heap
 *
 * The stack is empty. It keeps what is pushed on it until that is taken off,
 * the stack is freed, the heap is closed or the process ends. One thread at a
 * time may use it. It takes one of the process's roots.
 *
 * Return: the stack, or NULL with errno ENOMEM, ENOSPC if the process can have
 * no more roots, EOPNOTSUPP if the kernel knows no managed stacks, else as
 * goheap_new().
 */
struct goheap_hstack *goheap_hstack_new(struct goheap *h)
{
	struct gh_heap *heap = gh_heap_of(h);
	struct gh_hstack *hs;

	if (!(heap->info.features & GOHEAP_FEATURE_MANAGED_STACKS)) {
		gh_error(EOPNOTSUPP, "the kernel knows no managed stacks");
		return NULL;
	}
	hs = calloc(1, sizeof(*hs));
	if (!hs) {
		gh_no_memory();
		return NULL;
	}
	if (make_object(hs, h)) {
		free(hs);
		return NULL;
	}
	pthread_mutex_lock(&gh_lock);
	hs->prev = &heap->hstacks;
	hs->next = heap->hstacks;
	if (hs->next)
		hs->next->prev = &hs->next;
	heap->hstacks = hs;
	pthread_mutex_unlock(&gh_lock);
	return &hs->pub;
}

/* Under gh_lock. */
static void unlink_from_heap(struct gh_hstack *hs)
{
	*hs->prev = hs->next;
	if (hs->next)
		hs->next->prev = hs->prev;
}

/**
 * goheap_hstack_free() - free a managed stack
 * @s: the stack, or NULL
 *
 * What only the stack kept is no longer kept.
 */
void goheap_hstack_free(struct goheap_hstack *s)
{
	struct gh_hstack *hs = hstack_of(s);
	int saved = errno;

	if (!s)
		return;
	if (s->heap) {
		pthread_mutex_lock(&gh_lock);
		unlink_from_heap(hs);
		pthread_mutex_unlock(&gh_lock);
		goheap_root_remove(s->heap, hs->root);
	}
	free(hs);
	errno = saved;
}

/* The heap is closing, or this is a child. Called under gh_lock. */
void gh_hstacks_lose(struct gh_heap *heap)
{
	struct gh_hstack *hs;

	while ((hs = heap->hstacks)) {
		unlink_from_heap(hs);
		hs->pub = (struct goheap_hstack){ 0 };
		hs->ref = 0;
	}
}
