/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library's files share. Nothing here is seen by programs.
 *
 * Locks, outermost first:
 *
 *  1. gh_lock: the list of heaps, each heap's lists of threads and of managed
 *     stacks and its mapping. Held across fork().
 *  2. The one of variables.c, of whoever looks at what is loaded. Held across
 *     fork().
 *  3. gh_heap.trace_lock: the cycle traced last.
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

/* Bytes of a managed stack: the first, and the last unless it is said. */
#define GH_HSTACK_MIN 2048
#define GH_HSTACK_MAX GOHEAP_STACK_MAX

/* Leases of a thread, and the bytes of its control pages. */
#define GH_NR_LEASES 256
#define GH_MUTATOR_BYTES        \
	(GOHEAP_CONTROL_BYTES + \
	 GH_NR_LEASES * GOHEAP_LEASE_WORDS * sizeof(struct goheap_slots))

#define GH_NO_KEY UINT64_MAX

struct gh_range;

/**
 * struct gh_ranges - registered ranges
 * @v: allocated by malloc()
 * @nr: how many there are
 */
struct gh_ranges {
	struct gh_range *v;
	unsigned int nr;
};

/**
 * struct gh_heap - an open heap
 * @pub: what inline functions see
 * @fd: the open device file
 * @info: answer of GOHEAP_IOC_INFO
 * @attached: the objects are mapped in this process
 * @precise: registers, stacks and variables are not looked at
 * @reader: the file can only read the heap; then precise is set too
 * @variables: registered variables; gh_lock
 * @static_changes: what the dynamic linker had done when they were registered
 * @max_stack: bytes of the next thread's locals; atomic
 * @max_hstack: bytes that managed stacks grow to; atomic
 * @threads: list of thread states; gh_lock
 * @hstacks: list of managed stacks; gh_lock
 * @next: next open heap; gh_lock
 * @gctrace: GODEBUG=gctrace=, 0 to 2
 * @traced: number of the last cycle written to stderr; atomic, changes under
 *	@trace_lock
 * @trace_lock: see above
 */
struct gh_heap {
	struct goheap pub;
	int fd;
	struct goheap_info info;
	bool attached;
	bool precise;
	bool reader;
	struct gh_ranges variables;
	uint64_t static_changes;
	size_t max_stack;
	size_t max_hstack;
	struct gh_thread *threads;
	struct gh_hstack *hstacks;
	struct gh_heap *next;
	int gctrace;
	uint64_t traced;
	pthread_mutex_t trace_lock;
};

/**
 * struct gh_thread - what a thread has of a heap
 * @pub: what inline functions see; its heap is NULL once the heap is closed
 * @locals_bytes: length of the mapping of pub.locals
 * @slots: leases, behind pub.page
 * @tls: registered thread-local variables
 * @nr_caches: entries of pub.caches in use
 * @late: 0, or the number of a thread that was about to end when it was made
 * @owner: that thread
 * @next: next state of the same thread
 * @heap_next: next state of the same heap; gh_lock
 * @heap_prev: where the heap's list refers to this state; gh_lock
 */
struct gh_thread {
	struct goheap_thread pub;
	size_t locals_bytes;
	struct goheap_slots *slots;
	struct gh_ranges tls;
	unsigned int nr_caches;
	pid_t late;
	pthread_t owner;
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

/* Completed collections, modulo 2^32. */
static inline uint32_t gh_cycles(const struct gh_heap *heap)
{
	return (uint32_t)__atomic_load_n(&heap->pub.status->cycles,
					 __ATOMIC_RELAXED);
}

/* error.c */
int gh_error(int error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
int gh_no_memory(void);
void gh_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* heap.c */
int gh_read_only(void);
int gh_ioctl_once(struct goheap *h, unsigned long command, void *arg);
int gh_ioctl(struct goheap *h, unsigned long command, void *arg);
void gh_heaps_after_fork(void);

/* thread.c */
struct gh_thread *gh_thread_find(struct goheap *h);
struct gh_thread *gh_thread_get(struct goheap *h);
bool gh_thread_locals(struct gh_thread *t);
void gh_threads_close(struct gh_heap *heap);
void gh_threads_after_fork(struct gh_heap *heaps);

/* hstack.c */
void gh_hstacks_lose(struct gh_heap *heap);

/* cache.c */
void gh_caches_init(struct gh_thread *t);
struct goheap_cache *gh_cache_get(struct gh_thread *t, uint64_t key);
void gh_caches_void(struct gh_thread *t, uint64_t generation);
goheap_ref gh_cache_take(struct gh_thread *t, struct goheap_cache *cache);
goheap_ref gh_tiny_take(struct gh_thread *t, size_t bytes);

/*
 * Keep a new object in the frame if the heap is precise; the caller has seen
 * that there is room. False if the kernel has taken the object back before it
 * was there.
 */
static inline bool gh_keep_new(struct goheap_thread *t, goheap_ref ref)
{
	uint64_t top;

	if (!t->precise)
		return true;
	top = t->locals->top;
	goheap__push(t->heap, t->locals, top, ref);
	if (goheap_is_ours(t, ref))
		return true;
	t->locals->top = top;
	return false;
}

/* variables.c */
int gh_variables_update(struct gh_heap *heap);
bool gh_variables_changed(const struct gh_heap *heap);
void gh_variables_fork(void);
void gh_variables_forked(void);
void gh_variables_child(void);
void gh_variables_again(struct gh_heap *heap);
void gh_variables_remove(struct gh_heap *heap);
int gh_variables_update_thread(struct gh_thread *t);
void gh_variables_remove_thread(struct gh_thread *t);

/* env.c */

/* Parameters that the library knows. */
#define GH_NR_PARAMS (GOHEAP_PARAM_GCPERIOD + 1)

/**
 * struct gh_debug - what GODEBUG asks for
 * @gctrace: 1 to write a line for each collection, 2 for a second one, about
 *	the objects scanned
 * @params: values for parameters of the heap by enum goheap_param_id, -1 if not
 *	given
 */
struct gh_debug {
	int gctrace;
	int64_t params[GH_NR_PARAMS];
};

bool gh_parse_gogc(const char *text, int64_t *percent);
bool gh_parse_size(const char *text, int64_t *bytes);
bool gh_parse_debug(const char *text, struct gh_debug *debug);
const char *gh_env_device(void);
bool gh_env_gogc(int64_t *percent);
bool gh_env_memlimit(int64_t *bytes);
void gh_env_debug(struct gh_debug *debug);
void gh_debug_init(struct gh_debug *debug);

/* layout.c */
bool gh_mask_set(uint64_t *mask, size_t elem_size, size_t offset, size_t bytes);

/* trace.c */
size_t gh_trace_format(char *line, size_t size, const struct goheap_cycle *c);
size_t gh_trace_format_scan(char *line, size_t size,
			    const struct goheap_cycle *c);
void gh_trace_init(struct gh_heap *heap);
void gh_trace_new(struct gh_heap *heap);

/* Write the lines of collections that ended since the last call, if asked. */
static inline void gh_trace(struct gh_heap *heap, uint32_t cycles)
{
	uint64_t traced = __atomic_load_n(&heap->traced, __ATOMIC_RELAXED);

	if (heap->gctrace && (uint32_t)traced != cycles)
		gh_trace_new(heap);
}

/* stats.c */
void gh_quantiles(const uint64_t *values, unsigned int n, uint64_t out[5]);
uint64_t gh_pause(const struct goheap_cycle *cycle);

#endif /* GOHEAP_INTERNAL_H */
