/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libgoheap: the C library of goheap, a garbage-collected heap in the kernel.
 *
 * Objects are named by references (goheap_ref, 64 bits, the same in every
 * process) and reached through goheap_ptr(). They never move. An object lives
 * as long as it can be reached from
 *
 *  - a local variable, argument or temporary of a thread that uses the heap:
 *    registers and stacks are looked at, and a reference or a pointer to any
 *    byte of an object keeps it, or
 *  - a static or thread-local variable of the program or a library, or
 *  - a root made by goheap_root_add(), or
 *  - a managed stack that the program pushed it on, see goheap_hstack_new(), or
 *  - an object that lives, through a word that its layout calls a reference.
 *
 * Memory of malloc() is not looked at unless goheap_range_add() says so. What
 * another thread can see - objects, static variables, another thread's stack -
 * is written with goheap_store(); a thread's own local variables are written as
 * always.
 *
 * A heap opened with GOHEAP_OPEN_PRECISE looks at no stack, register or
 * variable. There, every object that a thread allocates is kept until the frame
 * it was allocated in ends, see goheap_frame_begin(), and goheap_local() and
 * goheap_var() keep what was loaded and not allocated. Elsewhere these functions
 * may be used and are not needed.
 *
 * Functions may be called by any thread at any time unless their description
 * says otherwise; none may be called from a signal handler. They report errors
 * through errno and a result of -1, 0 or NULL, and meet errno with the
 * meanings that <linux/goheap.h> lists; goheap_error() has the words.
 */
#ifndef LIBGOHEAP_H
#define LIBGOHEAP_H

#include <stddef.h>
#include <stdint.h>

#include <linux/goheap.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__cplusplus) || defined(__GNUC_STDC_INLINE__)
#define GOHEAP_INLINE inline
#else
#define GOHEAP_INLINE static inline
#endif

/**
 * struct goheap - an open heap
 * @bias: what goheap_ptr() adds to a reference
 * @base: address of the heap's first byte in this process
 * @tag_bits: the heap's tag, as it stands in a reference
 * @status: what the kernel says of the heap
 *
 * The members are for the inline functions below and change in a child after
 * fork().
 */
struct goheap {
	uintptr_t bias;
	uintptr_t base;
	uint64_t tag_bits;
	const struct goheap_status *status;
};

/* Opening and closing: heap.c */

/* For flags: leave GOGC and GOMEMLIMIT of the environment alone. */
#define GOHEAP_OPEN_NOENV (1U << 0)

/* Look at no register, stack or variable for references: frames keep objects. */
#define GOHEAP_OPEN_PRECISE (1U << 1)

/**
 * struct goheap_open_params - parameters of a new heap
 * @flags: GOHEAP_OPEN_* bits
 * @reserved: must be 0
 * @address_space: bytes of heap addresses, a multiple of 64 MiB; 0 is the
 *	default
 * @max_heap: hard ceiling in bytes: allocation fails with ENOMEM rather than
 *	exceed it; 0 is none
 */
struct goheap_open_params {
	uint32_t flags;
	uint32_t reserved;
	uint64_t address_space;
	uint64_t max_heap;
};

struct goheap *goheap_open(unsigned int flags);
struct goheap *goheap_open_params(const struct goheap_open_params *params);
struct goheap *goheap_from_fd(int fd, unsigned int flags);
int goheap_fd(const struct goheap *h);
int goheap_reader_fd(struct goheap *h);
int goheap_attach(struct goheap *h);
void goheap_close(struct goheap *h);
int goheap_info(struct goheap *h, struct goheap_info *info);
const char *goheap_error(void);

/* Layouts: layout.c */

int goheap_layout(struct goheap *h, size_t elem_size, const uint64_t *mask,
		  size_t nbits);
int goheap_layout_refs(struct goheap *h);
int goheap_layout_fields(struct goheap *h, size_t elem_size,
			 unsigned int nfields, ...);

/*
 * GOHEAP_LAYOUT(h, struct node, left, right) registers the layout of a
 * structure whose members left and right are references or arrays of
 * references. Up to twelve members.
 */
#define GOHEAP_LAYOUT(h, type, ...)                                       \
	goheap_layout_fields(h, sizeof(type), GOHEAP__COUNT(__VA_ARGS__), \
			     GOHEAP__FIELDS(type, __VA_ARGS__))

#define GOHEAP__FIELD(type, member) \
	offsetof(type, member), sizeof(((type *)0)->member)
#define GOHEAP__NTH(a, b, c, d, e, f, g, h, i, j, k, l, n, ...) n
#define GOHEAP__COUNT(...) \
	GOHEAP__NTH(__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define GOHEAP__FIELDS(type, ...)                                       \
	GOHEAP__NTH(__VA_ARGS__, GOHEAP__F12, GOHEAP__F11, GOHEAP__F10, \
		    GOHEAP__F9, GOHEAP__F8, GOHEAP__F7, GOHEAP__F6,     \
		    GOHEAP__F5, GOHEAP__F4, GOHEAP__F3, GOHEAP__F2,     \
		    GOHEAP__F1, 0)                                      \
	(type, __VA_ARGS__)
#define GOHEAP__F1(t, m) GOHEAP__FIELD(t, m)
#define GOHEAP__F2(t, m, ...) GOHEAP__FIELD(t, m), GOHEAP__F1(t, __VA_ARGS__)
#define GOHEAP__F3(t, m, ...) GOHEAP__FIELD(t, m), GOHEAP__F2(t, __VA_ARGS__)
#define GOHEAP__F4(t, m, ...) GOHEAP__FIELD(t, m), GOHEAP__F3(t, __VA_ARGS__)
#define GOHEAP__F5(t, m, ...) GOHEAP__FIELD(t, m), GOHEAP__F4(t, __VA_ARGS__)
#define GOHEAP__F6(t, m, ...) GOHEAP__FIELD(t, m), GOHEAP__F5(t, __VA_ARGS__)
#define GOHEAP__F7(t, m, ...) GOHEAP__FIELD(t, m), GOHEAP__F6(t, __VA_ARGS__)
#define GOHEAP__F8(t, m, ...) GOHEAP__FIELD(t, m), GOHEAP__F7(t, __VA_ARGS__)
#define GOHEAP__F9(t, m, ...) GOHEAP__FIELD(t, m), GOHEAP__F8(t, __VA_ARGS__)
#define GOHEAP__F10(t, m, ...) GOHEAP__FIELD(t, m), GOHEAP__F9(t, __VA_ARGS__)
#define GOHEAP__F11(t, m, ...) GOHEAP__FIELD(t, m), GOHEAP__F10(t, __VA_ARGS__)
#define GOHEAP__F12(t, m, ...) GOHEAP__FIELD(t, m), GOHEAP__F11(t, __VA_ARGS__)

/* References and pointers */

/**
 * goheap_ptr() - address of what a reference refers to
 * @h: the heap
 * @ref: a reference of this heap, or 0
 *
 * The address holds in this process as long as the heap is open. It does not
 * keep the object.
 *
 * Return: the address, NULL for 0.
 */
GOHEAP_INLINE void *goheap_ptr(const struct goheap *h, goheap_ref ref)
{
	return ref ? (void *)(h->bias + (uintptr_t)ref) : NULL;
}

/**
 * goheap_ref_of() - reference to an address in a heap
 * @h: the heap
 * @ptr: an address in an object of this heap, or NULL
 *
 * Return: the reference, 0 for NULL.
 */
GOHEAP_INLINE goheap_ref goheap_ref_of(const struct goheap *h, const void *ptr)
{
	return ptr ? ((uintptr_t)ptr - h->base) | h->tag_bits : 0;
}

void goheap_store_marking(struct goheap *h, goheap_ref *slot, goheap_ref ref);
void goheap_store_late(struct goheap *h, goheap_ref ref);

#define GOHEAP__UNLIKELY(x) __builtin_expect(!!(x), 0)

/**
 * goheap_load() - load a reference
 * @h: the heap
 * @slot: a reference in an object, or a variable of goheap_var()
 *
 * Return: the reference or 0. Nothing but the place it was loaded from keeps
 * its object.
 */
GOHEAP_INLINE goheap_ref goheap_load(const struct goheap *h,
				     const goheap_ref *slot)
{
	(void)h;
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

/* Allocation: alloc.c, cache.c, thread.c */

/* Largest object in bytes that comes from a thread's cache. */
#define GOHEAP_CACHE_BYTES 8192

/*
 * Smaller objects without references share a block of this size; but for those
 * of 8 bytes, which as slots of their own take no more room, and less time.
 */
#define GOHEAP_TINY_BYTES 16

/**
 * struct goheap_cache - slots for objects of one layout and size
 * @key: goheap_cache_key() of layout and size
 * @cur: word of slots to take from
 * @end: after the last one
 * @slot_bytes: distance of slots
 * @lease: number of the lease
 */
struct goheap_cache {
	uint64_t key;
	struct goheap_slots *cur;
	struct goheap_slots *end;
	uint32_t slot_bytes;
	uint32_t lease;
};

/* Entries of a thread's table of caches; a power of two. */
#define GOHEAP_CACHE_BITS 9
#define GOHEAP_CACHES (1 << GOHEAP_CACHE_BITS)

/**
 * struct goheap_thread - what a thread has of a heap
 * @plain: the same as @heap, but NULL if the heap is precise
 * @page: what it shares with the kernel
 * @generation: goheap_mutator_page.generation under which its slots were
 *	granted
 * @tiny: block that tiny objects share, 0 without one
 * @tiny_used: bytes of the block at @tiny in use
 * @precise: new objects are pushed to @locals
 * @heap: the heap, NULL if none
 * @locals: handle stack of the thread's frames; without room as long as there is
 *	none
 * @nr_locals: number of slots of @locals
 * @caches: hash table of caches, open addressing
 *
 * Written by the thread only. The members are for the inline functions below.
 */
struct goheap_thread {
	struct goheap *plain;
	struct goheap_mutator_page *page;
	uint64_t generation;
	goheap_ref tiny;
	uint32_t tiny_used;
	int precise;
	struct goheap *heap;
	struct goheap_stack *locals;
	uint64_t nr_locals;
	struct goheap_cache caches[GOHEAP_CACHES];
};

/* The calling thread and the heap it used last. */
extern __thread struct goheap_thread *goheap_self
	__attribute__((tls_model("initial-exec")));

/**
 * goheap_store() - store a reference
 * @h: the heap
 * @slot: where to: a reference in an object, a static variable, or any other
 *	place that another thread can see
 * @ref: a reference of this heap, or 0
 *
 * What the thread wrote before is seen by whoever loads the reference with
 * goheap_load(). All references in objects must be stored through this
 * function. While the collector marks, the reference and the one it replaces
 * are reported to it. In a heap that can only be read, see goheap_from_fd(), only
 * the program's own variables are stored to. Marking may begin between the test and the store: the
 * collector looks at what is in @slot then, and the second test sees to @ref.
 */
GOHEAP_INLINE void goheap_store(struct goheap *h, goheap_ref *slot,
				goheap_ref ref)
{
	struct goheap_thread *t = goheap_self;

	if (GOHEAP__UNLIKELY(t->heap != h)) {
		goheap_store_marking(h, slot, ref);
		return;
	}
	__atomic_store_n(&t->page->slot, (uintptr_t)slot, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (GOHEAP__UNLIKELY(
		    __atomic_load_n(&h->status->marking, __ATOMIC_RELAXED))) {
		goheap_store_marking(h, slot, ref);
		return;
	}
	__atomic_store_n(slot, ref, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (GOHEAP__UNLIKELY(
		    __atomic_load_n(&h->status->marking, __ATOMIC_RELAXED)))
		goheap_store_late(h, ref);
}

/*
 * Put a reference on a stack and let its top rise over it. The collector looks
 * at a stack once while it marks; if that may be over by now it is told.
 */
GOHEAP_INLINE void goheap__push(struct goheap *h, struct goheap_stack *stack,
				uint64_t top, goheap_ref ref)
{
	__atomic_store_n(&stack->slots[top], ref, __ATOMIC_RELAXED);
	__atomic_store_n(&stack->top, top + 1, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (GOHEAP__UNLIKELY(
		    __atomic_load_n(&h->status->marking, __ATOMIC_RELAXED)))
		goheap_store_late(h, ref);
}

goheap_ref goheap_new_slow(struct goheap *h, int layout, size_t bytes);
goheap_ref goheap_new_array(struct goheap *h, int layout, size_t elem_size,
			    size_t n);
size_t goheap_alloc_batch(struct goheap *h, int layout, size_t bytes,
			  goheap_ref *refs, size_t n);

/* In units of 8 bytes up to 1 KiB, then of 128, as all size classes are. */
GOHEAP_INLINE uint64_t goheap_cache_key(int layout, size_t bytes)
{
	uint64_t units = bytes <= 1024 ? (bytes + 7) / 8
				       : 120 + (bytes + 127) / 128;

	return ((uint64_t)(uint32_t)layout << 8) | units;
}

GOHEAP_INLINE struct goheap_cache *goheap_cache_first(struct goheap_thread *t,
						      uint64_t key)
{
	/* The odd number next to 2^64 divided by the golden ratio. */
	return &t->caches[(key * 0x9e3779b97f4a7c15ULL) >>
			  (64 - GOHEAP_CACHE_BITS)];
}

/*
 * A new object is the thread's if the kernel has not taken it back until here;
 * from here on a collection finds @ref in a register.
 */
GOHEAP_INLINE int goheap_is_ours(const struct goheap_thread *t, goheap_ref ref)
{
	__asm__ volatile("" : : "r"(ref) : "memory");
	return __atomic_load_n(&t->page->generation, __ATOMIC_RELAXED) ==
	       t->generation;
}

/* Take a slot from the cache's current word; false if there is none. */
GOHEAP_INLINE int goheap_cache_take(struct goheap_thread *t,
				    struct goheap_cache *cache, goheap_ref *ref)
{
	struct goheap_slots *s = cache->cur;
	uint64_t mask = __atomic_load_n(&s->mask, __ATOMIC_RELAXED);

	if (GOHEAP__UNLIKELY(!mask))
		return 0;
	*ref = s->base + (uint64_t)(unsigned int)__builtin_ctzll(mask) *
				 cache->slot_bytes;
	/* Once the slot counts as taken, a collection finds it in a register. */
	__asm__ volatile("" : : "r"(*ref) : "memory");
	__atomic_store_n(&s->mask, mask & (mask - 1), __ATOMIC_RELAXED);
	if (GOHEAP__UNLIKELY(!goheap_is_ours(t, *ref))) {
		/* The kernel may not have counted yet what is left. */
		__atomic_store_n(&s->mask, mask, __ATOMIC_RELAXED);
		return 0;
	}
	return 1;
}

GOHEAP_INLINE int goheap_is_tiny(int layout, size_t bytes)
{
	return layout == GOHEAP_LAYOUT_NOSCAN && bytes < GOHEAP_TINY_BYTES &&
	       bytes != 8;
}

/* Where in the shared block an object would go; as Go aligns it. */
GOHEAP_INLINE uint32_t goheap_tiny_offset(const struct goheap_thread *t,
					  size_t bytes)
{
	uint32_t align = !(bytes & 7)	? 8
			 : !(bytes & 3) ? 4
			 : bytes & 1	? 1
					: 2;

	return (t->tiny_used + align - 1) & ~(align - 1);
}

/* Take part of the shared block if there is room; false if there is none. */
GOHEAP_INLINE int goheap_tiny_take(struct goheap_thread *t, size_t bytes,
				   goheap_ref *ref)
{
	uint32_t off = goheap_tiny_offset(t, bytes);

	if (off + bytes > GOHEAP_TINY_BYTES)
		return 0;
	*ref = t->tiny + off;
	t->tiny_used = off + (uint32_t)bytes;
	t->page->tiny_allocs++;
	if (GOHEAP__UNLIKELY(!goheap_is_ours(t, *ref))) {
		t->page->tiny_allocs--;
		t->tiny_used = GOHEAP_TINY_BYTES;
		return 0;
	}
	return 1;
}

/**
 * goheap_new() - allocate an object
 * @h: the heap
 * @layout: where its references lie, see goheap_layout();
 *	GOHEAP_LAYOUT_NOSCAN for an object without any
 * @bytes: its size; an array is a whole number of elements of the layout
 *
 * The object is zero. May wait for a collection.
 *
 * Return: the reference, or 0 with errno ENOMEM (no memory, or the ceiling is
 * reached), ENOSPC (the thread's handle stack is full), ENOENT (no such
 * layout), EINVAL (larger than any object may be), ENOTCONN (see
 * goheap_attach()), or as goheap_update_variables() sets it.
 */
GOHEAP_INLINE goheap_ref goheap_new(struct goheap *h, int layout, size_t bytes)
{
	struct goheap_thread *t = goheap_self;
	goheap_ref ref;

	if (GOHEAP__UNLIKELY(t->plain != h))
		return goheap_new_slow(h, layout, bytes);
	if (goheap_is_tiny(layout, bytes)) {
		if (goheap_tiny_take(t, bytes, &ref))
			return ref;
	} else if (bytes <= GOHEAP_CACHE_BYTES) {
		uint64_t key = goheap_cache_key(layout, bytes);
		struct goheap_cache *cache = goheap_cache_first(t, key);

		if (cache->key == key && goheap_cache_take(t, cache, &ref))
			return ref;
	}
	return goheap_new_slow(h, layout, bytes);
}

/* Memory of the program's own: variables.c */

int goheap_update_variables(struct goheap *h);
int goheap_range_add(struct goheap *h, const void *start, size_t bytes);
int goheap_range_remove(struct goheap *h, const void *start);
int goheap_stack_add(struct goheap *h, const void *start, size_t bytes);

/* Stacks that the program switches between by itself: stack.c */

int goheap_stack_call(struct goheap *h, void (*leave)(void *arg), void *arg);
int goheap_stack_switch_slow(struct goheap *h);

/**
 * goheap_stack_switch() - the thread is about to change its stack
 * @h: the heap
 *
 * What goheap_stack_call() does before its call. It is enough by itself where the
 * thread leaves nothing in registers: at the end of a coroutine, and right before
 * code that first pushes the registers that functions preserve to the stack it
 * leaves. Waits while a collection reads stacks, so that none of them changes
 * unseen.
 *
 * Return: 0, or -1 with errno as goheap_new() sets it if the thread cannot use
 * the heap.
 */
GOHEAP_INLINE int goheap_stack_switch(struct goheap *h)
{
	struct goheap_thread *t = goheap_self;

	if (GOHEAP__UNLIKELY(t->heap != h))
		return goheap_stack_switch_slow(h);
	__atomic_store_n(&t->page->switches, t->page->switches + 1,
			 __ATOMIC_RELEASE);
	return 0;
}

/* Frames: frame.c */

/**
 * typedef goheap_frame - the height of the thread's handle stack
 */
typedef uint64_t goheap_frame;

goheap_frame goheap_frame_begin_slow(struct goheap *h);
void goheap_frame_end_slow(struct goheap *h, goheap_frame frame);
goheap_ref goheap_frame_return(struct goheap *h, goheap_frame frame,
			       goheap_ref ref);
goheap_ref *goheap_var_slow(struct goheap *h, goheap_ref ref);
size_t goheap_set_max_stack(struct goheap *h, size_t bytes);

/**
 * goheap_frame_begin() - begin a frame
 * @h: the heap
 *
 * Frames nest. Each thread has frames of its own.
 *
 * Return: what goheap_frame_end() or goheap_frame_return() needs.
 */
GOHEAP_INLINE goheap_frame goheap_frame_begin(struct goheap *h)
{
	struct goheap_thread *t = goheap_self;

	if (t->heap == h)
		return t->locals->top;
	return goheap_frame_begin_slow(h);
}

/**
 * goheap_frame_end() - end a frame
 * @h: the heap
 * @frame: result of goheap_frame_begin() in the same thread
 *
 * Objects that were allocated or pushed since the frame began are no longer
 * kept by the thread. Frames that began later end with it.
 */
GOHEAP_INLINE void goheap_frame_end(struct goheap *h, goheap_frame frame)
{
	struct goheap_thread *t = goheap_self;

	if (t->heap != h)
		goheap_frame_end_slow(h, frame);
	else if (frame < t->locals->top)
		__atomic_store_n(&t->locals->top, frame, __ATOMIC_RELEASE);
}

/**
 * goheap_var() - a variable that keeps what it refers to
 * @h: the heap
 * @ref: its first value, or 0
 *
 * The variable is written with goheap_store() and lives until the thread's
 * current frame ends.
 *
 * Return: the variable, or NULL with errno ENOSPC if the thread's handle stack
 * is full, or as goheap_new() sets it if it could not be made.
 */
GOHEAP_INLINE goheap_ref *goheap_var(struct goheap *h, goheap_ref ref)
{
	struct goheap_thread *t = goheap_self;
	struct goheap_stack *locals = t->locals;
	uint64_t top;

	top = locals->top;
	if (GOHEAP__UNLIKELY(t->heap != h || top >= t->nr_locals))
		return goheap_var_slow(h, ref);
	goheap__push(h, locals, top, ref);
	return &locals->slots[top];
}

/**
 * goheap_local() - keep an object until the current frame ends
 * @h: the heap
 * @ref: a reference that was loaded from somewhere, or 0
 *
 * Return: @ref, or 0 with errno as goheap_var().
 */
GOHEAP_INLINE goheap_ref goheap_local(struct goheap *h, goheap_ref ref)
{
	return ref && goheap_var(h, ref) ? ref : 0;
}

/* Managed stacks: hstack.c */

/**
 * struct goheap_hstack - a managed stack
 * @heap: its heap; NULL if the stack is lost: the heap was closed, or the stack
 *	is that of the process that this one was forked from
 * @stack: the object that is the stack at the moment
 * @top: number of slots in use
 * @nr_slots: number of slots
 * @low: with so many slots in use a pop looks whether the stack is too large
 *
 * The members are for the inline functions below.
 */
struct goheap_hstack {
	struct goheap *heap;
	struct goheap_stack *stack;
	uint64_t top;
	uint64_t nr_slots;
	uint64_t low;
};

struct goheap_hstack *goheap_hstack_new(struct goheap *h);
void goheap_hstack_free(struct goheap_hstack *s);
goheap_ref goheap_hstack_slot_ref(const struct goheap_hstack *s, uint64_t i);
int64_t goheap_hstack_slot_index(const struct goheap_hstack *s, goheap_ref ref);

int goheap_hstack_push_slow(struct goheap_hstack *s, goheap_ref ref);
goheap_ref goheap_hstack_pop_slow(struct goheap_hstack *s);
void goheap_hstack_frame_end_slow(struct goheap_hstack *s, goheap_frame frame);
int goheap_hstack_no_slot(const struct goheap_hstack *s, uint64_t i);

void goheap_drop_marking(struct goheap *h, struct goheap_stack *stack,
			 uint64_t from, uint64_t to);

/*
 * Let the top of a stack that is an object fall; the barrier of what is dropped.
 * If marking begins after the test, what the thread has of it is in its
 * registers. A thread's locals need none of this: the collector has looked at
 * them before it looks at the first thread.
 */
GOHEAP_INLINE void goheap__drop(struct goheap *h, struct goheap_stack *stack,
				uint64_t from, uint64_t to)
{
	if (GOHEAP__UNLIKELY(
		    __atomic_load_n(&h->status->marking, __ATOMIC_RELAXED)))
		goheap_drop_marking(h, stack, from, to);
	__atomic_store_n(&stack->top, to, __ATOMIC_RELEASE);
}

/**
 * goheap_hstack_push() - push a reference or a number
 * @s: the stack
 * @ref: a reference that something keeps, 0, or a number without the heap's tag
 *	in its upper 16 bits, such as those from -2^47 to 2^47 - 1
 *
 * A full stack grows: it is copied to an object of twice the size, and all
 * references to its own slots that are on it, @ref included, are rewritten.
 *
 * Return: 0, or -1 with the stack as it was and errno ENOSPC if it may not grow
 * (see goheap_set_max_stack()), ENOTCONN if it is lost, else as goheap_new().
 */
GOHEAP_INLINE int goheap_hstack_push(struct goheap_hstack *s, goheap_ref ref)
{
	uint64_t top = s->top;

	if (top >= s->nr_slots)
		return goheap_hstack_push_slow(s, ref);
	goheap__push(s->heap, s->stack, top, ref);
	s->top = top + 1;
	return 0;
}

/**
 * goheap_hstack_pop() - take the top slot off
 * @s: the stack
 *
 * The stack does not keep the object any more. What is needed longer is read
 * with goheap_hstack_peek() and stored elsewhere first.
 *
 * Return: what was in the slot; 0 with errno EINVAL from an empty stack.
 */
GOHEAP_INLINE goheap_ref goheap_hstack_pop(struct goheap_hstack *s)
{
	uint64_t top = s->top;
	goheap_ref ref;

	if (top <= s->low)
		return goheap_hstack_pop_slow(s);
	ref = goheap_load(s->heap, &s->stack->slots[top - 1]);
	s->top = top - 1;
	goheap__drop(s->heap, s->stack, top, top - 1);
	return ref;
}

/**
 * goheap_hstack_get() - read a slot
 * @s: the stack
 * @i: which one, from 0 for the one that was pushed first
 *
 * Return: what is in the slot; 0 with errno EINVAL if it is not in use.
 */
GOHEAP_INLINE goheap_ref goheap_hstack_get(const struct goheap_hstack *s,
					   uint64_t i)
{
	if (i < s->top)
		return goheap_load(s->heap, &s->stack->slots[i]);
	goheap_hstack_no_slot(s, i);
	return 0;
}

/**
 * goheap_hstack_set() - change a slot
 * @s: the stack
 * @i: which one, from 0 for the one that was pushed first
 * @ref: as for goheap_hstack_push()
 *
 * Return: 0, or -1 with errno EINVAL if the slot is not in use.
 */
GOHEAP_INLINE int goheap_hstack_set(struct goheap_hstack *s, uint64_t i,
				    goheap_ref ref)
{
	if (i >= s->top)
		return goheap_hstack_no_slot(s, i);
	goheap_store(s->heap, &s->stack->slots[i], ref);
	return 0;
}

/**
 * goheap_hstack_peek() - read the top slot
 * @s: the stack
 *
 * Return: what is in the slot; 0 with errno EINVAL if the stack is empty.
 */
GOHEAP_INLINE goheap_ref goheap_hstack_peek(const struct goheap_hstack *s)
{
	return goheap_hstack_get(s, s->top - 1);
}

/**
 * goheap_hstack_depth() - number of slots in use
 * @s: the stack
 *
 * Return: the number.
 */
GOHEAP_INLINE uint64_t goheap_hstack_depth(const struct goheap_hstack *s)
{
	return s->top;
}

/**
 * goheap_hstack_size() - size of a stack
 * @s: the stack
 *
 * Return: bytes of the object that is the stack at the moment, 0 if it is lost.
 */
GOHEAP_INLINE size_t goheap_hstack_size(const struct goheap_hstack *s)
{
	return s->heap ? (s->nr_slots + 1) * sizeof(goheap_ref) : 0;
}

/**
 * goheap_hstack_frame_begin() - begin a frame on a managed stack
 * @s: the stack
 *
 * Return: what goheap_hstack_frame_end() needs.
 */
GOHEAP_INLINE goheap_frame
goheap_hstack_frame_begin(const struct goheap_hstack *s)
{
	return s->top;
}

/**
 * goheap_hstack_frame_end() - end a frame on a managed stack
 * @s: the stack
 * @frame: result of goheap_hstack_frame_begin()
 *
 * Takes off what was pushed since the frame began. Frames that began later end
 * with it.
 */
GOHEAP_INLINE void goheap_hstack_frame_end(struct goheap_hstack *s,
					   goheap_frame frame)
{
	if (frame >= s->top)
		return;
	if (frame < s->low) {
		goheap_hstack_frame_end_slow(s, frame);
		return;
	}
	goheap__drop(s->heap, s->stack, s->top, frame);
	s->top = frame;
}

/* Roots: roots.c */

int goheap_root_add(struct goheap *h, goheap_ref ref, uint32_t *id);
int goheap_root_set(struct goheap *h, uint32_t id, goheap_ref ref);
int goheap_root_remove(struct goheap *h, uint32_t id);
size_t goheap_root_add_many(struct goheap *h, const goheap_ref *refs,
			    uint32_t *ids, size_t n);
size_t goheap_root_set_many(struct goheap *h, const uint32_t *ids,
			    const goheap_ref *refs, size_t n);
size_t goheap_root_remove_many(struct goheap *h, const uint32_t *ids, size_t n);

/* The collector and its parameters: control.c */

int goheap_gc(struct goheap *h);
int64_t goheap_free_os_memory(struct goheap *h);
int goheap_read_param(struct goheap *h, enum goheap_param_id id,
		      int64_t *value);
int goheap_set_gc_percent(struct goheap *h, int percent);
int64_t goheap_set_memory_limit(struct goheap *h, int64_t bytes);
int64_t goheap_set_max_heap(struct goheap *h, int64_t bytes);

/* Statistics: stats.c */

#define GOHEAP_NR_PAUSES 256

/**
 * struct goheap_mem_stats - the heap in numbers, named after Go's MemStats
 * @alloc: bytes of allocated objects; those not yet swept count
 * @total_alloc: bytes allocated since the heap began
 * @sys: bytes obtained from the kernel, all the parts below together
 * @mallocs: objects allocated since the heap began
 * @frees: objects freed since the heap began
 * @heap_alloc: the same as @alloc
 * @heap_sys: bytes of heap addresses in use or free
 * @heap_idle: bytes of pages without objects
 * @heap_inuse: bytes of pages with objects
 * @heap_released: bytes of @heap_idle without memory behind them
 * @heap_objects: objects allocated and not freed
 * @stack_inuse: bytes of handle stacks that the last collection looked at
 * @mspan_inuse: bytes of span descriptors
 * @mcache_inuse: bytes of per-CPU caches
 * @gc_sys: bytes of other metadata
 * @next_gc: heap size in bytes at which the next collection begins
 * @last_gc: end of the last collection, ns since 1970
 * @pause_total_ns: ns the heap was stopped, all collections together
 * @pause_ns: ns the heap was stopped by recent collections; that of
 *	collection n is at index (n + 255) % 256
 * @pause_end: ends of these pauses, ns since 1970
 * @num_gc: completed collections
 * @num_forced_gc: those that a program asked for
 * @gc_cpu_fraction: share of the machine's CPU time spent collecting since the
 *	heap was opened
 * @enable_gc: 1
 * @heap_live: bytes live as the pacer counts them
 * @heap_marked: bytes found live by the last collection
 * @invalid_refs: references to nothing that collections met
 * @by_size: by size class, from the smallest objects; class 0 is the large ones
 */
struct goheap_mem_stats {
	uint64_t alloc;
	uint64_t total_alloc;
	uint64_t sys;
	uint64_t mallocs;
	uint64_t frees;
	uint64_t heap_alloc;
	uint64_t heap_sys;
	uint64_t heap_idle;
	uint64_t heap_inuse;
	uint64_t heap_released;
	uint64_t heap_objects;
	uint64_t stack_inuse;
	uint64_t mspan_inuse;
	uint64_t mcache_inuse;
	uint64_t gc_sys;
	uint64_t next_gc;
	uint64_t last_gc;
	uint64_t pause_total_ns;
	uint64_t pause_ns[GOHEAP_NR_PAUSES];
	uint64_t pause_end[GOHEAP_NR_PAUSES];
	uint64_t num_gc;
	uint64_t num_forced_gc;
	double gc_cpu_fraction;
	int enable_gc;
	uint64_t heap_live;
	uint64_t heap_marked;
	uint64_t invalid_refs;
	struct goheap_class_stats by_size[GOHEAP_NR_SIZE_CLASSES];
};

/**
 * struct goheap_gc_stats - recent collections, named after Go's GCStats
 * @last_gc: end of the last collection, ns since 1970
 * @num_gc: completed collections
 * @pause_total: ns the heap was stopped, all collections together
 * @nr_pauses: number of entries of @pause and @pause_end
 * @pause: ns the heap was stopped, the latest collection first
 * @pause_end: ends of these pauses, ns since 1970
 * @pause_quantiles: least, 25 %, 50 %, 75 % and greatest of @pause
 */
struct goheap_gc_stats {
	uint64_t last_gc;
	uint64_t num_gc;
	uint64_t pause_total;
	unsigned int nr_pauses;
	uint64_t pause[GOHEAP_NR_PAUSES];
	uint64_t pause_end[GOHEAP_NR_PAUSES];
	uint64_t pause_quantiles[5];
};

int goheap_stats(struct goheap *h, struct goheap_stats *stats);
int goheap_read_mem_stats(struct goheap *h, struct goheap_mem_stats *stats);
int goheap_read_gc_stats(struct goheap *h, struct goheap_gc_stats *stats);
int goheap_object(struct goheap *h, goheap_ref ref,
		  struct goheap_object *object);

#ifdef __cplusplus
}
#endif

#endif /* LIBGOHEAP_H */
