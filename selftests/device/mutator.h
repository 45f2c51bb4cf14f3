/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A mutator by hand: what the library does in its fast paths, for tests that
 * want to see each step.
 */
#ifndef GOHEAP_TEST_MUTATOR_H
#define GOHEAP_TEST_MUTATOR_H

#include "goheap_test.h"

#define MUTATOR_PAGES	3	/* control page, and 16 leases */
#define MUTATOR_LEASES	16

struct mutator {
	struct goheap_mutator_page *page;
	struct goheap_slots *slots;
	int fd;
	__u64 generation;
	__u32 slot_bytes[MUTATOR_LEASES];
	__u32 words[MUTATOR_LEASES];
};

static inline void *map_mutator(int fd, size_t pages, bool precise)
{
	return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    precise ? GOHEAP_MMAP_MUTATOR_PRECISE :
			      GOHEAP_MMAP_MUTATOR);
}

static inline int mutator_attach(struct mutator *m, int fd, bool precise)
{
	memset(m, 0, sizeof(*m));
	m->page = map_mutator(fd, MUTATOR_PAGES, precise);
	if (m->page == MAP_FAILED)
		return -errno;
	m->slots = (void *)((char *)m->page + GOHEAP_CONTROL_BYTES);
	m->fd = fd;
	return 0;
}

static inline void mutator_detach(struct mutator *m)
{
	munmap(m->page, MUTATOR_PAGES * PAGE);
}

static inline int gh_refill_arg(int fd, struct goheap_refill *arg,
				struct goheap_lease *leases, __u32 count)
{
	gh_init(arg);
	arg->count = count;
	arg->leases = (uintptr_t)leases;
	arg->reserved = 0;
	return gh_ioctl(fd, GOHEAP_IOC_REFILL, arg);
}

static inline int gh_refill(int fd, struct goheap_lease *leases, __u32 count,
			    __u32 *done)
{
	struct goheap_refill arg;
	int ret = gh_refill_arg(fd, &arg, leases, count);

	if (done)
		*done = ret ? 0 : arg.done;
	return ret;
}

static inline int mutator_refill(struct mutator *m, int fd, __u32 lease,
				 __u64 bytes, __u32 layout)
{
	struct goheap_lease l = {
		.index = lease, .layout = layout, .bytes = bytes,
		.words = ~0U, .slot_bytes = ~0U,
	};
	struct goheap_refill arg;
	int ret = gh_refill_arg(fd, &arg, &l, 1);

	if (!ret) {
		/* What the page says may be of a lease that is being settled. */
		m->generation = arg.generation;
		m->slot_bytes[lease] = l.slot_bytes;
		m->words[lease] = l.words;
	}
	return ret;
}

/* Take a slot that has been granted; 0 if there is none. */
static inline goheap_ref mutator_take(struct mutator *m, __u32 lease)
{
	struct goheap_slots *s = &m->slots[lease * GOHEAP_LEASE_WORDS];

	for (__u32 i = 0; i < m->words[lease]; i++) {
		__u64 mask = s[i].mask;
		goheap_ref ref;

		if (!mask)
			continue;
		/*
		 * The slot is an object as soon as its bit is clear, so a
		 * collection must find the reference from before that on.
		 */
		ref = s[i].base + __builtin_ctzll(mask) * m->slot_bytes[lease];
		__asm__ volatile("" : "+r" (ref) : : "memory");
		__atomic_store_n(&s[i].mask, mask & (mask - 1),
				 __ATOMIC_RELAXED);
		__asm__ volatile("" : "+r" (ref) : : "memory");
		if (m->page->generation == m->generation)
			return ref;
		/* Taken back meanwhile. */
		s[i].mask = mask;
		return 0;
	}
	return 0;
}

static inline goheap_ref mutator_new(struct mutator *m, int fd, __u32 lease,
				     __u64 bytes, __u32 layout)
{
	goheap_ref ref = mutator_take(m, lease);

	while (!ref && !mutator_refill(m, fd, lease, bytes, layout))
		ref = mutator_take(m, lease);
	return ref;
}

static inline int gh_range_add(int fd, __u32 kind, const void *start,
			       __u64 bytes)
{
	struct goheap_range arg;

	gh_init(&arg);
	arg.kind = kind;
	arg.reserved = 0;
	arg.start = (uintptr_t)start;
	arg.bytes = bytes;
	return gh_ioctl(fd, GOHEAP_IOC_RANGE_ADD, &arg);
}

static inline int gh_range_remove(int fd, const void *start)
{
	struct goheap_range arg;

	gh_init(&arg);
	arg.kind = 0;
	arg.reserved = 0;
	arg.start = (uintptr_t)start;
	arg.bytes = 0;
	return gh_ioctl(fd, GOHEAP_IOC_RANGE_REMOVE, &arg);
}

static inline int gh_barrier(int fd)
{
	struct goheap_barrier arg;

	gh_init(&arg);
	arg.count = 0;
	arg.reserved = 0;
	return gh_ioctl(fd, GOHEAP_IOC_BARRIER, &arg);
}

/* Put a reference in the barrier buffer, and count it then. */
static inline void mutator_report(struct mutator *m, goheap_ref ref)
{
	__u32 nr = __atomic_load_n(&m->page->nr_barrier, __ATOMIC_RELAXED);

	if (!ref)
		return;
	if (nr >= GOHEAP_BARRIER_REFS) {
		gh_barrier(m->fd);
		nr = 0;
	}
	__atomic_store_n(&m->page->barrier[nr], ref, __ATOMIC_RELAXED);
	__atomic_store_n(&m->page->nr_barrier, nr + 1, __ATOMIC_RELEASE);
}

/* heap_store() of a thread with control pages. */
static inline void mutator_store(struct mutator *m, const struct heap *h,
				 goheap_ref *slot, goheap_ref ref)
{
	__u32 before, after;

	__atomic_store_n(&m->page->slot, (uintptr_t)slot, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	before = heap_marking(h);
	if (before) {
		mutator_report(m, __atomic_load_n(slot, __ATOMIC_RELAXED));
		mutator_report(m, ref);
	}
	__atomic_store_n(slot, ref, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	after = heap_marking(h);
	if (after && after != before)
		mutator_report(m, ref);
}

/* stack_keep() of a thread with control pages. */
static inline void mutator_keep(struct mutator *m, const struct heap *h,
				struct goheap_stack *stack, goheap_ref ref)
{
	__u64 top = stack->top;

	__atomic_store_n(&stack->slots[top], ref, __ATOMIC_RELAXED);
	__atomic_store_n(&stack->top, top + 1, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (heap_marking(h))
		mutator_report(m, ref);
}

/*
 * References as no scan recognises them, so that a test can know of objects
 * without keeping them.
 */
static inline __u64 hidden(goheap_ref ref)
{
	return ~ref;
}

/* Overwrite registers and what lies below the stack pointer. */
static __attribute__((noinline, unused)) void clear_stack(void)
{
	volatile char junk[16384];

	memset((void *)junk, 0, sizeof(junk));
	__asm__ volatile("" : : "r" (junk) : "memory");
}

#endif /* GOHEAP_TEST_MUTATOR_H */
