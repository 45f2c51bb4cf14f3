// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * goheap_store() while the collector marks: the hybrid write barrier of Go.
 *
 * The reference that is stored and the one that it replaces go into the
 * thread's barrier buffer, which the collector takes as roots, before the store.
 * If marking begins between the test and the store, the collector sees to what is
 * replaced, for which the thread has written down where that is, and the thread
 * reports what it has stored afterwards. Two threads may store to one place at
 * the same time.
 *
 * A thread may be stopped between its report and its store for so long that the
 * collection it has reported to is over and the next one marks. So after the
 * store it looks whether it is still the same, and else reports again.
 */
#include "internal.h"

/* Empty a full buffer. */
static void flush(struct goheap *h)
{
	struct goheap_barrier barrier = { .size = sizeof(barrier) };

	gh_ioctl(h, GOHEAP_IOC_BARRIER, &barrier);
}

/* Report both references, of which either may be 0, to the collector. */
static void shade(struct goheap *h, struct goheap_thread *t, goheap_ref old,
		  goheap_ref ref)
{
	struct goheap_mutator_page *page = t->page;
	uint32_t nr = __atomic_load_n(&page->nr_barrier, __ATOMIC_RELAXED);

	if (GOHEAP__UNLIKELY(nr > GOHEAP_BARRIER_REFS - 2)) {
		flush(h);
		nr = 0;
	}
	/* Without a branch: whether a place was empty is hard to foretell. */
	__atomic_store_n(&page->barrier[nr], old, __ATOMIC_RELAXED);
	nr += old != 0;
	__atomic_store_n(&page->barrier[nr], ref, __ATOMIC_RELAXED);
	nr += ref != 0;
	__atomic_store_n(&page->nr_barrier, nr, __ATOMIC_RELEASE);
}

/* The same by a call, from a thread that can have no buffer. */
static void call(struct goheap *h, goheap_ref old, goheap_ref ref)
{
	goheap_ref refs[] = { old, ref };
	struct goheap_barrier barrier = {
		.size = sizeof(barrier),
		.count = 2,
		.refs = (uintptr_t)refs,
	};

	gh_ioctl(h, GOHEAP_IOC_BARRIER, &barrier);
}

static void report(struct goheap *h, struct goheap_thread *t, goheap_ref old,
		   goheap_ref ref)
{
	if (GOHEAP__UNLIKELY(!t))
		call(h, old, ref);
	else
		shade(h, t, old, ref);
}

/* The calling thread's state for a heap; NULL if it can have none. */
static struct goheap_thread *self(struct goheap *h)
{
	struct gh_thread *t;

	if (goheap_self->heap == h)
		return goheap_self;
	t = gh_thread_get(h);
	return t ? &t->pub : NULL;
}

/* Which collection marks; 0 if none does. */
static uint32_t marking(const struct goheap *h)
{
	return __atomic_load_n(&h->status->marking, __ATOMIC_ACQUIRE);
}

/* Where the heap can only be read: to what is the program's own. */
static void store_reader(struct gh_heap *heap, goheap_ref *slot, goheap_ref ref)
{
	if ((uintptr_t)slot - heap->pub.base < heap->info.address_space)
		gh_read_only();
	else
		__atomic_store_n(slot, ref, __ATOMIC_RELEASE);
}

/* goheap_store() that has seen marking, or whose thread has used another heap. */
void goheap_store_marking(struct goheap *h, goheap_ref *slot, goheap_ref ref)
{
	uint32_t before, after;
	struct goheap_thread *t;

	/* No thread has a state for a heap that it can only read. */
	if (GOHEAP__UNLIKELY(goheap_self->heap != h) && gh_heap_of(h)->reader) {
		store_reader(gh_heap_of(h), slot, ref);
		return;
	}
	t = self(h);
	if (t)
		__atomic_store_n(&t->page->slot, (uintptr_t)slot,
				 __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	before = marking(h);
	if (before)
		report(h, t, __atomic_load_n(slot, __ATOMIC_RELAXED), ref);
	__atomic_store_n(slot, ref, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	after = marking(h);
	if (after && after != before)
		report(h, t, 0, ref);
}

/* Slots are about to be dropped from a stack, and the collector marks. */
void goheap_drop_marking(struct goheap *h, struct goheap_stack *stack,
			 uint64_t from, uint64_t to)
{
	struct goheap_thread *t = self(h);

	while (from-- > to)
		report(h, t, goheap_load(h, &stack->slots[from]), 0);
}

/* A reference has been stored, and marking begun after a first look. */
void goheap_store_late(struct goheap *h, goheap_ref ref)
{
	report(h, self(h), 0, ref);
}
