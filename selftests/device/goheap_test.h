/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the device tests share.
 *
 * A call returns 0 or the negative errno, so that one EXPECT_EQ() states its
 * exact outcome. The structure of a call is filled with POISON before its
 * inputs are set: what the kernel does not write cannot look right.
 *
 * A heap_push() allocates into the next slot of a handle stack, which keeps
 * the object from its first moment; objects that a test holds only in a
 * variable may be gone after the next collection, and heap_open() therefore
 * turns automatic collections off.
 *
 * Wherever a collection can run beside it, a test stores references with
 * heap_store() and heap_keep(), or with those of mutator.h for a thread that has
 * control pages. A plain store is for tests in which all collections are waited
 * for by the only thread that stores.
 */
#ifndef GOHEAP_TEST_H
#define GOHEAP_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <linux/goheap.h>

#include "kselftest_harness.h"

/* A watchdog against hangs only: emulated machines are slow. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	240

#define DEVICE		"/dev/goheap"
#define POISON		0xa5
#define PAGE		4096UL
#define HEAP_PAGE	8192UL
#define KIB		(1ULL << 10)
#define MIB		(1ULL << 20)
#define GIB		(1ULL << 30)
#define TIB		(1ULL << 40)
#define STACK_BYTES	(1UL << 20)
#define STACK_SLOTS	(STACK_BYTES / 8 - 1)
#define S64_MAX		INT64_MAX

/* A word that is no reference of any heap. */
#define NO_REF		0x0123456789abcdefULL

/* @bias: what makes a reference an address, see heap_ptr() */
struct heap {
	int fd;
	char *base;
	uintptr_t bias;
	struct goheap_stack *stack;
	const struct goheap_status *status;
	struct goheap_info info;
};

#define gh_init(arg) do {						\
	memset((arg), POISON, sizeof(*(arg)));				\
	(arg)->size = sizeof(*(arg));					\
	(arg)->flags = 0;						\
} while (0)

static inline int gh_ioctl(int fd, unsigned int cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? -errno : 0;
}

static inline int gh_info(int fd, struct goheap_info *info)
{
	memset(info, POISON, sizeof(*info));
	info->size = sizeof(*info);
	info->reserved = 0;
	return gh_ioctl(fd, GOHEAP_IOC_INFO, info);
}

static inline int gh_setup(int fd, __u64 address_space, __u64 max_heap)
{
	struct goheap_setup arg;

	gh_init(&arg);
	arg.address_space = address_space;
	arg.max_heap = max_heap;
	return gh_ioctl(fd, GOHEAP_IOC_SETUP, &arg);
}

static inline int gh_layout(int fd, __u64 elem_size, __u32 nr_bits,
			    const __u64 *mask, __u32 *id)
{
	struct goheap_layout arg;
	int ret;

	gh_init(&arg);
	arg.elem_size = elem_size;
	arg.nr_bits = nr_bits;
	arg.mask = (uintptr_t)mask;
	ret = gh_ioctl(fd, GOHEAP_IOC_LAYOUT, &arg);
	if (!ret)
		*id = arg.id;
	return ret;
}

/* Layout of elements of at most 64 words. */
static inline __u32 gh_layout_words(int fd, unsigned int words, __u64 mask)
{
	__u32 id = ~0U;

	gh_layout(fd, words * 8, words, &mask, &id);
	return id;
}

static inline int gh_alloc(int fd, __u64 bytes, __u32 layout, __u32 count,
			   goheap_ref *refs, __u32 *done)
{
	struct goheap_alloc arg;
	int ret;

	gh_init(&arg);
	arg.bytes = bytes;
	arg.layout = layout;
	arg.count = count;
	arg.refs = (uintptr_t)refs;
	ret = gh_ioctl(fd, GOHEAP_IOC_ALLOC, &arg);
	if (done)
		*done = ret ? 0 : arg.done;
	return ret;
}

static inline int gh_object(int fd, goheap_ref ref, struct goheap_object *obj)
{
	gh_init(obj);
	obj->ref = ref;
	obj->reserved = 0;
	return gh_ioctl(fd, GOHEAP_IOC_OBJECT, obj);
}

static inline int gh_roots(int fd, unsigned int cmd, __u32 count,
			   const goheap_ref *refs, __u32 *ids)
{
	struct goheap_roots arg;

	gh_init(&arg);
	arg.count = count;
	arg.refs = (uintptr_t)refs;
	arg.ids = (uintptr_t)ids;
	return gh_ioctl(fd, cmd, &arg);
}

static inline int gh_root_add(int fd, goheap_ref ref, __u32 *id)
{
	return gh_roots(fd, GOHEAP_IOC_ROOT_ADD, 1, &ref, id);
}

static inline int gh_root_set(int fd, __u32 id, goheap_ref ref)
{
	return gh_roots(fd, GOHEAP_IOC_ROOT_SET, 1, &ref, &id);
}

static inline int gh_root_remove(int fd, __u32 id)
{
	return gh_roots(fd, GOHEAP_IOC_ROOT_REMOVE, 1, NULL, &id);
}

static inline int gh_collect(int fd)
{
	struct goheap_collect arg;

	gh_init(&arg);
	arg.reserved = 0;
	return gh_ioctl(fd, GOHEAP_IOC_COLLECT, &arg);
}

static inline int gh_param(int fd, __u32 flags, __u32 id, __s64 value,
			   __s64 *old)
{
	struct goheap_param arg;
	int ret;

	gh_init(&arg);
	arg.flags = flags;
	arg.id = id;
	arg.reserved = 0;
	arg.value = value;
	ret = gh_ioctl(fd, GOHEAP_IOC_PARAM, &arg);
	if (!ret && old)
		*old = arg.old;
	return ret;
}

static inline int gh_param_set(int fd, __u32 id, __s64 value)
{
	return gh_param(fd, GOHEAP_PARAM_SET, id, value, NULL);
}

static inline int gh_param_get(int fd, __u32 id, __s64 *value)
{
	return gh_param(fd, 0, id, 0, value);
}

static inline int gh_stats(int fd, struct goheap_stats *stats)
{
	gh_init(stats);
	return gh_ioctl(fd, GOHEAP_IOC_STATS, stats);
}

static inline int gh_cycle(int fd, __u64 nr, struct goheap_cycle *cycle)
{
	gh_init(cycle);
	cycle->cycle = nr;
	cycle->reserved = 0;
	return gh_ioctl(fd, GOHEAP_IOC_CYCLE, cycle);
}

static inline int gh_free_os_memory(int fd, __u64 *released)
{
	struct goheap_free_os_memory arg;
	int ret;

	gh_init(&arg);
	ret = gh_ioctl(fd, GOHEAP_IOC_FREE_OS_MEMORY, &arg);
	if (!ret && released)
		*released = arg.released;
	return ret;
}

/* Report references without control pages. */
static inline int gh_report(int fd, const goheap_ref *refs, __u32 count)
{
	struct goheap_barrier arg;

	gh_init(&arg);
	arg.count = count;
	arg.reserved = 0;
	arg.refs = (uintptr_t)refs;
	return gh_ioctl(fd, GOHEAP_IOC_BARRIER, &arg);
}

static inline void *map_objects(int fd, __u64 len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    GOHEAP_MMAP_OBJECTS);
}

static inline void *map_stack(int fd, size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    GOHEAP_MMAP_STACK);
}

static inline void *map_status(int fd)
{
	return mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, GOHEAP_MMAP_STATUS);
}

/* Where the heap is mapped, once its info is there. */
static inline void heap_set_base(struct heap *h, void *base)
{
	h->base = base;
	h->bias = (uintptr_t)base -
		  ((uintptr_t)h->info.tag << GOHEAP_REF_TAG_SHIFT);
}

/* Map an open heap into this process, with a handle stack. */
static inline int heap_attach(struct heap *h)
{
	int ret;

	ret = gh_info(h->fd, &h->info);
	if (ret)
		return ret;
	heap_set_base(h, map_objects(h->fd, h->info.address_space));
	if (h->base == MAP_FAILED)
		return -errno;
	h->status = map_status(h->fd);
	if (h->status == MAP_FAILED)
		return -errno;
	h->stack = map_stack(h->fd, STACK_BYTES);
	if (h->stack == MAP_FAILED)
		return -errno;
	h->stack->top = 0;
	return 0;
}

static inline void heap_detach(struct heap *h)
{
	munmap((void *)h->status, PAGE);
	munmap(h->stack, STACK_BYTES);
	munmap(h->base, h->info.address_space);
}

/* Open a heap, 0 for the default of @space and @max_heap, and map it. */
static inline int heap_open(struct heap *h, __u64 space, __u64 max_heap)
{
	int ret;

	h->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (h->fd < 0)
		return -errno;
	ret = gh_setup(h->fd, space, max_heap);
	if (!ret)
		ret = gh_param_set(h->fd, GOHEAP_PARAM_GC_PERCENT, -1);
	if (!ret)
		ret = heap_attach(h);
	return ret;
}

static inline void heap_close(struct heap *h)
{
	heap_detach(h);
	close(h->fd);
}

/*
 * Where an object is. The whole reference goes into the sum: with its offset taken
 * out first, that could be all that is left of it in a register, which the
 * collector does not recognise.
 */
static inline void *heap_ptr(const struct heap *h, goheap_ref ref)
{
	return (void *)(h->bias + ref);
}

/* A word of an object, as the collector would read it. */
static inline __u64 *heap_word(const struct heap *h, goheap_ref ref,
			       unsigned int n)
{
	return (__u64 *)heap_ptr(h, ref) + n;
}

/* Are objects being marked? */
static inline __u32 heap_marking(const struct heap *h)
{
	return __atomic_load_n(&h->status->marking, __ATOMIC_ACQUIRE);
}

static inline __u64 heap_cycles(const struct heap *h)
{
	return __atomic_load_n(&h->status->cycles, __ATOMIC_ACQUIRE);
}

/* Until marking begins, or a cycle ends whose marking nobody has seen. */
static inline void wait_for_marking(const struct heap *h, __u64 cycles)
{
	while (!heap_marking(h) && heap_cycles(h) == cycles)
		;
}

/* What cannot be reported may be lost, and the test would not say why. */
static inline void heap_report(const struct heap *h, goheap_ref old,
			       goheap_ref ref)
{
	goheap_ref refs[] = { old, ref };
	int ret = gh_report(h->fd, refs, 2);

	if (ret && ret != -ENOTCONN) {
		fprintf(stderr, "# a report failed: %d\n", ret);
		abort();
	}
}

/*
 * Store a reference where the collector looks: in an object, a slot of a handle
 * stack, a range. Something else has to keep @ref until this returns.
 */
static inline void heap_store(const struct heap *h, goheap_ref *slot,
			      goheap_ref ref)
{
	goheap_ref old = __atomic_load_n(slot, __ATOMIC_RELAXED);
	__u32 before = heap_marking(h), after;

	if (before)
		heap_report(h, old, ref);
	__atomic_store_n(slot, ref, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	after = heap_marking(h);
	if (after && after != before)
		heap_report(h, old, ref);
}

/* The same for a word of an object. */
static inline void heap_set(const struct heap *h, goheap_ref obj,
			    unsigned int n, goheap_ref ref)
{
	heap_store(h, heap_word(h, obj, n), ref);
}

/* Put a reference that something keeps on a handle stack. */
static inline void stack_keep(const struct heap *h, struct goheap_stack *stack,
			      goheap_ref ref)
{
	__u64 top = stack->top;

	__atomic_store_n(&stack->slots[top], ref, __ATOMIC_RELAXED);
	__atomic_store_n(&stack->top, top + 1, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (heap_marking(h))
		heap_report(h, 0, ref);
}

static inline void heap_keep(const struct heap *h, goheap_ref ref)
{
	stack_keep(h, h->stack, ref);
}

/* Allocate one object into the next slot of the handle stack; 0 if refused. */
static inline goheap_ref heap_push(struct heap *h, __u64 bytes, __u32 layout)
{
	__u64 top = h->stack->top;
	__u32 done;

	h->stack->slots[top] = 0;
	h->stack->top = top + 1;
	if (gh_alloc(h->fd, bytes, layout, 1, &h->stack->slots[top], &done) ||
	    done != 1) {
		h->stack->top = top;
		return 0;
	}
	return h->stack->slots[top];
}

/* Allocate @count objects into the next slots; how many there were. */
static inline __u32 heap_push_many(struct heap *h, __u64 bytes, __u32 layout,
				   __u32 count)
{
	__u64 top = h->stack->top;
	__u32 sum = 0;

	memset(&h->stack->slots[top], 0, count * 8ULL);
	h->stack->top = top + count;
	while (sum < count) {
		__u32 n = count - sum, done;

		if (n > h->info.max_batch)
			n = h->info.max_batch;
		if (gh_alloc(h->fd, bytes, layout, n,
			     &h->stack->slots[top + sum], &done) || !done)
			break;
		sum += done;
	}
	h->stack->top = top + sum;
	return sum;
}

/* A thread that collects @arg once; NULL if that went well. */
static inline void *collect_once(void *arg)
{
	struct heap *h = arg;

	return gh_collect(h->fd) ? arg : NULL;
}

/* Is there an allocated object at @ref? */
static inline bool heap_has(const struct heap *h, goheap_ref ref)
{
	struct goheap_object obj;

	return gh_object(h->fd, ref, &obj) == 0;
}

/* Number of objects after a full collection, or ~0. */
static inline __u64 heap_live(const struct heap *h)
{
	struct goheap_stats stats;

	if (gh_collect(h->fd) || gh_stats(h->fd, &stats))
		return ~0ULL;
	return stats.heap_objects;
}

/* A file of the heap's folder in sysfs; a value that none has without it. */
static inline __u64 heap_metric(const struct heap *h, const char *name)
{
	char path[256];
	__u64 value;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/goheap/%u/%s",
		 h->info.heap_id, name);
	f = fopen(path, "re");
	if (!f)
		return NO_REF;
	if (fscanf(f, "%llu", &value) != 1)
		value = NO_REF;
	fclose(f);
	return value;
}

/* Did nothing get allocated or freed between two readings? */
static inline bool stats_same(const struct goheap_stats *a,
			      const struct goheap_stats *b)
{
	return a->alloc == b->alloc && a->total_alloc == b->total_alloc &&
	       a->mallocs == b->mallocs && a->frees == b->frees &&
	       a->heap_objects == b->heap_objects &&
	       a->tiny_allocs == b->tiny_allocs &&
	       a->large_alloc_bytes == b->large_alloc_bytes &&
	       a->large_free_bytes == b->large_free_bytes &&
	       a->num_gc == b->num_gc && a->next_gc == b->next_gc &&
	       !memcmp(a->by_class, b->by_class, sizeof(a->by_class));
}

static inline bool all_bytes(const void *p, unsigned char c, size_t len)
{
	const unsigned char *b = p;

	return !len || (b[0] == c && !memcmp(b, b + 1, len - 1));
}

static inline __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* How many times as long as usual the environment has tests of chance go on. */
static inline int test_length(void)
{
	const char *length = getenv("gh_length");

	return length ? atoi(length) : 1;
}

/* xorshift64*: the same numbers in every run. */
static inline __u64 rnd(__u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* A page that may be read, or not even that, where a buffer should be. */
static inline void *page_with(int prot)
{
	return mmap(NULL, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* In a child, which must not run the harness: say what is wrong, and end. */
#define CHILD_CHECK(cond) do {						\
	if (!(cond)) {							\
		fprintf(stderr, "# %s:%d: in the child: %s, errno %d\n",	\
			__FILE__, __LINE__, #cond, errno);		\
		_exit(1);						\
	}								\
} while (0)

/* Exit status of a child, or minus the signal that ended it. */
static inline int wait_for(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1000;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

#endif /* GOHEAP_TEST_H */
