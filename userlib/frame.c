// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Frames and locals: the part of a thread's handle stack that the program
 * pushes to and pops from.
 *
 * A slot is written before top rises over it, and what a thread stored into
 * objects is stored before top falls; goheap_store() and the stores to top
 * are releases. What is pushed while the collector marks is reported to it, what
 * is dropped is not: it reads all handle stacks before it reads the first thread.
 */
#include <errno.h>
#include <unistd.h>

#include "internal.h"

/* goheap_frame_begin() for another heap than the thread used last. */
goheap_frame goheap_frame_begin_slow(struct goheap *h)
{
	struct gh_thread *t = gh_thread_find(h);

	return t ? t->pub.locals->top : 0;
}

/* goheap_frame_end() for another heap than the thread used last. */
void goheap_frame_end_slow(struct goheap *h, goheap_frame frame)
{
	if (gh_thread_find(h))
		goheap_frame_end(h, frame);
}

static goheap_ref *push(struct gh_thread *t, goheap_ref ref)
{
	struct goheap_stack *locals;
	uint64_t top;

	if (!gh_thread_locals(t))
		return NULL;
	locals = t->pub.locals;
	top = locals->top;
	if (top >= t->pub.nr_locals) {
		gh_error(ENOSPC, "handle stack exceeds its limit of %zu bytes",
			 t->locals_bytes);
		return NULL;
	}
	goheap__push(t->pub.heap, locals, top, ref);
	return &locals->slots[top];
}

/**
 * goheap_frame_return() - end a frame but keep one object
 * @h: the heap
 * @frame: result of goheap_frame_begin() in the same thread
 * @ref: the object, which something must still keep; or 0
 *
 * As goheap_frame_end(), but the frame around it keeps @ref.
 *
 * Return: @ref; 0 with errno ENOSPC if the thread's handle stack is full,
 * which cannot be if the frame allocated anything.
 */
goheap_ref goheap_frame_return(struct goheap *h, goheap_frame frame,
			       goheap_ref ref)
{
	struct gh_thread *t = (struct gh_thread *)goheap_self;

	if (!ref) {
		goheap_frame_end(h, frame);
		return 0;
	}
	if (t->pub.heap != h)
		t = gh_thread_get(h);
	if (!t)
		return 0;
	if (!t->pub.precise && !t->pub.nr_locals)
		return ref;
	if (frame >= t->pub.locals->top)
		return push(t, ref) ? ref : 0;
	goheap__push(h, t->pub.locals, frame, ref);
	return ref;
}

/* goheap_var() without a handle stack at hand, or with a full one. */
goheap_ref *goheap_var_slow(struct goheap *h, goheap_ref ref)
{
	struct gh_thread *t = gh_thread_get(h);

	return t ? push(t, ref) : NULL;
}

/**
 * goheap_set_max_stack() - limit of the locals of a thread and of managed stacks
 * @h: the heap
 * @bytes: largest size in bytes, 8 for each slot; rounded up to whole pages
 *
 * Holds for the locals of threads that first use the heap after the call, and
 * for the growth of all managed stacks (goheap_hstack_push()) from then on; one
 * that is larger stays as it is. Until the first call the locals of a thread
 * have 64 MiB, and managed stacks grow to GOHEAP_STACK_MAX, 1 GiB. Memory is
 * used only for what is in use.
 *
 * Return: the limit of locals before the call, or 0 with errno EINVAL for a limit
 * of 0 or above GOHEAP_STACK_MAX.
 */
size_t goheap_set_max_stack(struct goheap *h, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!bytes || bytes > GOHEAP_STACK_MAX) {
		gh_error(EINVAL, "a handle stack has 1 to %llu bytes",
			 (unsigned long long)GOHEAP_STACK_MAX);
		return 0;
	}
	bytes = (bytes + page - 1) & ~(page - 1);
	__atomic_store_n(&gh_heap_of(h)->max_hstack, bytes, __ATOMIC_RELAXED);
	return __atomic_exchange_n(&gh_heap_of(h)->max_stack, bytes,
				   __ATOMIC_RELAXED);
}
