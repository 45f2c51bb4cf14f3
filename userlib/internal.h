/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library's files share. Nothing here is seen by programs.
 *
 * Locks, outermost first:
 *
 *  1. gh_lock: the list of heaps, each heap's lists of threads and of managed
 *     stacks and its mapping. Held across fork().
 *  2. gh_heap.trace_lock: the cycle traced last.
 *
 * A thread's own state is used by that thread without a lock; others touch it
 * only under gh_lock while its heap is being closed, or in a child after
 * fork(), where there are no others.
 */
#ifndef GOHEAP_INTERNAL_H
#define GOHEAP_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>

#include "libgoheap.h"

#define GH_DEVICE "/dev/goheap"

/* Bytes of address space of a thread's handle stacks. */
#define GH_LOCALS_BYTES (64UL << 20)
#define GH_CACHE_STACK_BYTES (16UL << 20)

/* Bytes of a managed stack: the first, and the last unless it is said. */
#define GH_HSTACK_MIN 2048
#define GH_HSTACK_MAX GOHEAP_STACK_MAX

/* A cache asks for so many objects first, then for twice as many each time. */
#define GH_BATCH_MIN 8
#define GH_BATCH_MAX 256
#define GH_BATCH_BYTES (32 * 1024)

#define GH_NO_KEY UINT64_MAX

/**
 * struct gh_heap - an open heap
 * @pub: what inline functions see
 * @fd: the open device file
 * @info: answer of GOHEAP_IOC_INFO
 * @attached: the objects are mapped in this process
 * @max_stack: bytes of the next thread's locals; atomic
 * @max_hstack: bytes that managed stacks grow to; atomic
 * @cycles: completed collections, modulo 2^32, as of the kernel's last answer;
 *	atomic
 * @threads: list of thread states; gh_lock
 * @hstacks: list of managed stacks; gh_lock
 * @next: next open heap; gh_lock
 * @gctrace: GODEBUG=gctrace=1
 * @traced: number of the last cycle written to stderr; atomic, changes under
 *	@trace_lock
 * @trace_lock: see above
 */
struct gh_heap {
	struct goheap pub;
	int fd;
	struct goheap_info info;
	bool attached;
	size_t max_stack;
	size_t max_hstack;
	uint32_t cycles;
	struct gh_thread *threads;
	struct gh_hstack *hstacks;
	struct gh_heap *next;
	bool gctrace;
	uint64_t traced;
	pthread_mutex_t trace_lock;
};

/**
 * struct gh_thread - what a thread has of a heap
 * @pub: what inline functions see; its heap is NULL once the heap is closed
 * @locals_bytes: length of the mapping of pub.locals
 * @stack: handle stack of the caches
 * @nr_caches: entries of pub.caches in use
 * @next: next state of the same thread
 * @heap_next: next state of the same heap; gh_lock
 * @heap_prev: where the heap's list refers to this state; gh_lock
 */
struct gh_thread {
	struct goheap_thread pub;
	size_t locals_bytes;
	struct goheap_stack *stack;
	unsigned int nr_caches;
	struct gh_thread *next;
	struct gh_thread *heap_next;
	struct gh_thread **heap_prev;
};

/**
 * struct gh_hstack - a managed stack
 * @pub: what inline functions see; its heap is NULL once the stack is lost
 * @ref: the object
 * @bytes: its size
 * @root: number of the root that keeps it
 * @cycle: gh_cycles() when the size changed last, or when that was considered
 * @next: next managed stack of the heap; gh_lock
 * @prev: where the heap's list refers to this one; gh_lock
 */
struct gh_hstack {
	struct goheap_hstack pub;
	goheap_ref ref;
	size_t bytes;
	uint32_t root;
	uint32_t cycle;
	struct gh_hstack *next;
	struct gh_hstack **prev;
};

extern pthread_mutex_t gh_lock;

static inline struct gh_heap *gh_heap_of(const struct goheap *h)
{
	return (struct gh_heap *)h;
}

/* Completed collections, modulo 2^32, as far as the library knows. */
static inline uint32_t gh_cycles(const struct gh_heap *heap)
{
	return __atomic_load_n(&heap->cycles, __ATOMIC_RELAXED);
}

/* error.c */
int gh_error(int error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void gh_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* heap.c */
int gh_ioctl(struct goheap *h, unsigned long command, void *arg);
void gh_heaps_after_fork(void);

/* thread.c */
struct gh_thread *gh_thread_find(struct goheap *h);
struct gh_thread *gh_thread_get(struct goheap *h);
void gh_threads_close(struct gh_heap *heap);
void gh_threads_after_fork(struct gh_heap *heaps);

/* hstack.c */
void gh_hstacks_lose(struct gh_heap *heap);

/* cache.c */
#define GH_CACHES_MIN 64

int gh_caches_init(struct gh_thread *t);
struct goheap_cache *gh_cache_get(struct gh_thread *t, uint64_t key);
void gh_caches_drop(struct gh_thread *t);

/* env.c */

/**
 * struct gh_debug - what GODEBUG asks for
 * @gctrace: 1 to write a line for each collection
 * @invalidptr: value for GOHEAP_PARAM_INVALIDPTR, -1 if not given
 */
struct gh_debug {
	int gctrace;
	int invalidptr;
};

bool gh_parse_gogc(const char *text, int64_t *percent);
bool gh_parse_size(const char *text, int64_t *bytes);
bool gh_parse_debug(const char *text, struct gh_debug *debug);
const char *gh_env_device(void);
bool gh_env_gogc(int64_t *percent);
bool gh_env_memlimit(int64_t *bytes);
void gh_env_debug(struct gh_debug *debug);

/* layout.c */
bool gh_mask_set(uint64_t *mask, size_t elem_size, size_t offset, size_t bytes);

/* trace.c */
size_t gh_trace_format(char *line, size_t size, const struct goheap_cycle *c);
void gh_trace_init(struct gh_heap *heap);
void gh_trace_new(struct gh_heap *heap);

/*
 * The kernel's answer says how many collections have ended: remember that, and
 * write the lines of those that ended since the last call, if asked.
 */
static inline void gh_saw_cycles(struct gh_heap *heap, uint32_t cycles)
{
	uint64_t traced = __atomic_load_n(&heap->traced, __ATOMIC_RELAXED);

	__atomic_store_n(&heap->cycles, cycles, __ATOMIC_RELAXED);
	if (heap->gctrace && (uint32_t)traced != cycles)
		gh_trace_new(heap);
}

/* stats.c */
void gh_quantiles(const uint64_t *values, unsigned int n, uint64_t out[5]);
uint64_t gh_pause(const struct goheap_cycle *cycle);

#endif /* GOHEAP_INTERNAL_H */
