// SPDX-License-Identifier: GPL-2.0
/*
 * gh_port.h for user space.
 *
 * Memory of heap pages: under a sanitizer, or wherever bugs are looked for,
 * each page is a block of its own from malloc(), so that it is next to no
 * other and AddressSanitizer sees a use after its release. In benchmarks pages
 * come in order from one large mapping with huge pages, as close as it gets to
 * the direct map of the kernel.
 *
 * A collection runs in the thread that asks for it, one at a time. What it
 * leaves unswept stays so until somebody sweeps, which is harder on the core
 * than a collector that sweeps at once.
 */
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "user.h"
#include "gh_port.h"

#define MAX_HEAPS	16

const struct gh_user_program *gh_user_program;

static struct {
	struct gh_heap *heap;
	struct gh_user_roots *roots;
} heaps[MAX_HEAPS];
static pthread_mutex_t heaps_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t collector = PTHREAD_MUTEX_INITIALIZER;

void gh_user_set_roots(struct gh_heap *heap, struct gh_user_roots *roots)
{
	int i;

	pthread_mutex_lock(&heaps_lock);
	for (i = 0; i < MAX_HEAPS; i++)
		if (heaps[i].heap == heap)
			break;
	for (; i == MAX_HEAPS;)
		for (i = 0; i < MAX_HEAPS && heaps[i].heap; i++)
			;
	heaps[i].heap = roots ? heap : NULL;
	heaps[i].roots = roots;
	pthread_mutex_unlock(&heaps_lock);
}

#ifdef GH_BENCH
#define POOL_BYTES	(64UL << 30)

static char *pool, *pool_end;
static void **pool_free;

static void *page_alloc(void)
{
	void **p = pool_free;

	if (p) {
		pool_free = *p;
		memset(p, 0, GH_PAGE_SIZE);
		return p;
	}
	if (!pool) {
		pool = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (pool == MAP_FAILED)
			return pool = NULL;
		pool_end = pool + POOL_BYTES;
		pool += -(uintptr_t)pool & ((2UL << 20) - 1);
		madvise(pool, pool_end - pool, MADV_HUGEPAGE);
	}
	if (pool_end - pool < (long)GH_PAGE_SIZE)
		return NULL;
	pool += GH_PAGE_SIZE;
	return pool - GH_PAGE_SIZE;
}

static void page_free(void *p)
{
	*(void **)p = pool_free;
	pool_free = p;
}
#else
static void *page_alloc(void)
{
	void *p = aligned_alloc(GH_PAGE_SIZE, GH_PAGE_SIZE);

	if (p)
		memset(p, 0, GH_PAGE_SIZE);
	return p;
}

static void page_free(void *p)
{
	free(p);
}
#endif

int gh_port_populate(struct gh_heap *heap, void **kaddr, u32 npages)
{
	u32 i;

	gh_user_may_sleep();
	lockdep_assert_not_held(&heap->lock);
	if (gh_user_fails())
		return -ENOMEM;
	for (i = 0; i < npages; i++) {
		void *p = page_alloc();

		gh_user_require(p, "the machine has no memory left");
		/* Pairs with whoever looks at an object of another thread. */
		smp_store_release(&kaddr[i], p);
	}
	gh_user_count_live(npages);
	return 0;
}

void gh_port_depopulate(struct gh_heap *heap, u64 page, void **kaddr,
			u32 npages)
{
	u32 i;

	gh_user_may_sleep();
	gh_user_require(page + npages <= heap->pages.end_page,
			"pages beyond the heap");
	for (i = 0; i < npages; i++) {
		gh_user_require(kaddr[i], "a page without memory");
		page_free(kaddr[i]);
	}
	gh_user_count_live(-(s64)npages);
}

void gh_port_hold_users(struct gh_heap *heap)
{
	lockdep_assert_held_write(&heap->world);
	if (gh_user_program)
		gh_user_program->hold();
}

void gh_port_sync_users(struct gh_heap *heap)
{
	gh_user_preempt();
	syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

void gh_port_set_marking(struct gh_heap *heap, u64 cycle)
{
	gh_user_require(!cycle == (heap->phase != GH_PHASE_MARK),
			"marking announced in the wrong phase");
	if (gh_user_program)
		gh_user_program->set_marking(heap, cycle);
}

void gh_port_mark_roots(struct gh_heap *heap, struct gh_mark *m)
{
	struct gh_user_roots *r = NULL;
	u64 k;
	int i;

	if (gh_user_program)
		gh_user_program->mark_roots(heap, m);
	pthread_mutex_lock(&heaps_lock);
	for (i = 0; i < MAX_HEAPS; i++)
		if (heaps[i].heap == heap)
			r = heaps[i].roots;
	pthread_mutex_unlock(&heaps_lock);
	for (k = 0; r && k < r->nr; k++) {
		u64 ref = READ_ONCE(r->refs[k]);

		gh_mark_refs(m, &ref, 1, GH_ROOT_HANDLE);
	}
}

#define MAX_WORKERS	8

u32 gh_user_workers;

static pthread_t workers[MAX_WORKERS];
static u32 nr_workers;

static void *work(void *heap)
{
	gh_mark_worker(heap, true);
	return NULL;
}

/* One cycle at a time, so one set of threads. */
void gh_port_start_workers(struct gh_heap *heap, u32 nr, u32 idle)
{
	for (nr_workers = 0; nr_workers < gh_user_workers; nr_workers++)
		gh_user_require(!pthread_create(&workers[nr_workers], NULL,
						work, heap), "no thread");
}

void gh_port_stop_workers(struct gh_heap *heap)
{
	while (nr_workers)
		pthread_join(workers[--nr_workers], NULL);
}

int gh_port_collect(struct gh_heap *heap, int reason)
{
	gh_user_may_sleep();
	pthread_mutex_lock(&collector);
	gh_gc_mark_cycle(heap, reason);
	pthread_mutex_unlock(&collector);
	return 0;
}

void gh_port_trace_cycle(struct gh_heap *heap, const struct gh_cycle *c)
{
	gh_user_may_sleep();
	gh_user_require(c->cycle <= heap->nr_cycles, "cycle not published");
}

void gh_port_event(struct gh_heap *heap, enum gh_event event, u64 a, u64 b)
{
}

void gh_port_checkmark(struct gh_heap *heap, const struct gh_check_report *r)
{
	gh_user_may_sleep();
	lockdep_assert_held_write(&heap->world);
}

/* Tests run the scavenger themselves. */
void gh_port_wake_scavenger(struct gh_heap *heap)
{
}

void gh_port_shortage(struct gh_heap *heap)
{
}

void gh_port_trace_scavenge(struct gh_heap *heap,
			    const struct gh_scav_trace *t)
{
	gh_user_may_sleep();
}

/* Of a machine that has been idle for long, and is not any more. */
u64 gh_port_idle_ns(void)
{
	return 1ULL << 50;
}

/* Now and then. */
bool gh_port_cpu_wanted(void)
{
	static __thread u32 asked;

	return ++asked % 64 == 0;
}

void gh_port_rest(u64 ns)
{
	cond_resched();
	gh_user_require(ns <= GH_MAX_REST, "rests for too long");
}

u64 gh_port_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

struct gh_heap *gh_user_heap(u64 aspace, u64 max_heap)
{
	struct gh_config cfg = {
		.aspace = aspace,
		.tag = GH_USER_TAG,
		.max_heap = max_heap,
	};
	struct gh_heap *heap = gh_heap_create(&cfg);

	return IS_ERR(heap) ? NULL : heap;
}

u64 gh_user_arg(int argc, char **argv, const char *name, u64 dflt)
{
	int i;

	for (i = 1; i + 1 < argc; i++)
		if (!strncmp(argv[i], "--", 2) && !strcmp(argv[i] + 2, name))
			return strtoull(argv[i + 1], NULL, 0);
	return dflt;
}

u64 gh_port_memory(void)
{
	return (u64)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

/*
 * One limit for all heaps of the process; whoever sets it takes it back.
 */
static u64 memory_limit = U64_MAX;

void gh_user_set_limit(u64 bytes)
{
	WRITE_ONCE(memory_limit, bytes);
}

u64 gh_port_memory_limit(struct gh_heap *heap)
{
	return READ_ONCE(memory_limit);
}
