// SPDX-License-Identifier: GPL-2.0
/*
 * The parts of custom.h that are more than a line: locks, memory, RCU, time.
 */
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define GH_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define GH_ASAN 1
#endif

#ifdef GH_ASAN
void __asan_poison_memory_region(void const volatile *p, size_t n);
void __asan_unpoison_memory_region(void const volatile *p, size_t n);
void __sanitizer_print_stack_trace(void);
#endif

__thread int gh_user_cpu;
#ifndef GH_BENCH
#endif
unsigned int gh_user_fence;

void gh_user_bail(const char *file, int line, const char *what)
{
	fflush(stdout);
	printf("Bail out! %s:%d: %s\n", file, line, what);
	fflush(stdout);
#ifdef GH_ASAN
	__sanitizer_print_stack_trace();
#endif
	abort();
}

/* Locks: each thread keeps a list of what it holds. */
#define MAX_HELD	16

#ifndef GH_BENCH
static __thread struct {
	struct gh_user_lock *lock;
	enum gh_user_hold how;
} held[MAX_HELD];
static __thread int nr_held;
static __thread int atomic_depth;

enum gh_user_hold gh_user_held(const struct gh_user_lock *l)
{
	int i;

	for (i = 0; i < nr_held; i++)
		if (held[i].lock == l)
			return held[i].how;
	return GH_USER_NOT_HELD;
}

void gh_user_hold(struct gh_user_lock *l, enum gh_user_hold how)
{
	gh_user_require(nr_held < MAX_HELD, "too many locks held");
	held[nr_held].lock = l;
	held[nr_held++].how = how;
	if (l->spin)
		gh_user_atomic(1);
}

void gh_user_unhold(struct gh_user_lock *l, enum gh_user_hold how)
{
	int i;

	for (i = nr_held; i-- > 0;) {
		if (held[i].lock != l || held[i].how != how)
			continue;
		held[i] = held[--nr_held];
		if (l->spin)
			gh_user_atomic(-1);
		return;
	}
	gh_user_require(false, "unlock of a lock that is not held so");
}

void (*gh_user_scheduler)(void);

bool gh_user_holds_locks(void)
{
	return nr_held || atomic_depth;
}

void gh_user_atomic(int delta)
{
	atomic_depth += delta;
	gh_user_require(atomic_depth >= 0, "unbalanced preempt_enable()");
}

void gh_user_may_sleep(void)
{
	gh_user_require(!atomic_depth, "may sleep in atomic context");
}

static int nr_rcu_readers;

void rcu_read_lock(void)
{
	gh_user_atomic(1);
	__atomic_fetch_add(&nr_rcu_readers, 1, __ATOMIC_SEQ_CST);
}

void rcu_read_unlock(void)
{
	__atomic_fetch_sub(&nr_rcu_readers, 1, __ATOMIC_SEQ_CST);
	gh_user_atomic(-1);
}

void synchronize_rcu(void)
{
	gh_user_may_sleep();
	while (__atomic_load_n(&nr_rcu_readers, __ATOMIC_SEQ_CST))
		sched_yield();
}
#else
#define nr_held 0
void synchronize_rcu(void)
{
}
#endif

static void futex(u32 *word, int op, u32 value)
{
	syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

/* Looks at a lock before it is slept for; about as long as a system call. */
#define PATIENCE	100

/* Until the word may be another than @old. */
static void sleep_on(struct gh_user_lock *l, u32 old)
{
	__atomic_fetch_add(&l->sleepers, 1, __ATOMIC_SEQ_CST);
	futex(&l->word, FUTEX_WAIT, old);
	__atomic_fetch_sub(&l->sleepers, 1, __ATOMIC_RELAXED);
}

/* The @nth look at a lock was in vain: its word was @old. */
static void wait_for(struct gh_user_lock *l, int nth, u32 old)
{
	if (l->spin || nth == PATIENCE / 2)
		sched_yield();
	else if (nth > PATIENCE)
		sleep_on(l, old);
}

void gh_user_wake(struct gh_user_lock *l)
{
	futex(&l->word, FUTEX_WAKE, INT_MAX);
}

void gh_user_write_slow(struct gh_user_lock *l)
{
	int nth;

	gh_user_require(!nr_held || gh_user_held(l) == GH_USER_NOT_HELD,
			"lock taken twice");
	for (nth = 0;; nth++) {
		u32 old = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

		/* Whoever gets it clears the mark; who still waits sets it again. */
		if (!(old & ~GH_USER_WAITS) &&
		    __atomic_compare_exchange_n(&l->word, &old, GH_USER_WRITER,
						false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			break;
		old = __atomic_fetch_or(&l->word, GH_USER_WAITS,
					__ATOMIC_RELAXED);
		if (old & ~GH_USER_WAITS)
			wait_for(l, nth, old | GH_USER_WAITS);
	}
	gh_user_hold(l, GH_USER_WRITE);
}

void gh_user_read_slow(struct gh_user_lock *l)
{
	int nth;

	gh_user_require(!nr_held || gh_user_held(l) == GH_USER_NOT_HELD,
			"lock taken twice");
	for (nth = 0; !gh_user_tryread(l); nth++) {
		u32 old = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

		if (old & (GH_USER_WRITER | GH_USER_WAITS))
			wait_for(l, nth, old);
	}
}

/* Until somebody has woken the queue since @wakeups was read. */
void gh_user_wait(wait_queue_head_t *q, u32 wakeups)
{
	__atomic_fetch_add(&q->sleepers, 1, __ATOMIC_SEQ_CST);
	futex(&q->wakeups, FUTEX_WAIT, wakeups);
	__atomic_fetch_sub(&q->sleepers, 1, __ATOMIC_RELAXED);
}

void wake_up_all(wait_queue_head_t *q)
{
	__atomic_fetch_add(&q->wakeups, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&q->sleepers, __ATOMIC_SEQ_CST))
		futex(&q->wakeups, FUTEX_WAKE, INT_MAX);
}

/* Memory: a header before each block, so that krealloc() knows its size. */
static u64 fail_at;
static u32 fail_one_in;
static u64 fail_seed;
static u64 nr_failures;
static s64 nr_live;

struct block {
	void *start;
	size_t size;
};

bool gh_user_fails(void)
{
#ifndef GH_BENCH
	bool fails = false;

	if (READ_ONCE(fail_at))
		fails = __atomic_sub_fetch(&fail_at, 1, __ATOMIC_RELAXED) == 0;
	if (READ_ONCE(fail_one_in)) {
		u64 x = READ_ONCE(fail_seed) * 6364136223846793005ULL + 1442695;

		WRITE_ONCE(fail_seed, x);
		fails |= (x >> 33) % READ_ONCE(fail_one_in) == 0;
	}
	if (fails)
		__atomic_fetch_add(&nr_failures, 1, __ATOMIC_RELAXED);
	return fails;
#else
	return false;
#endif
}

void gh_user_fail_at(u64 n)
{
	WRITE_ONCE(fail_at, n);
}

void gh_user_fail_one_in(u32 n, u64 seed)
{
	WRITE_ONCE(fail_seed, seed);
	WRITE_ONCE(fail_one_in, n);
}

u64 gh_user_failures(void)
{
	return READ_ONCE(nr_failures);
}

s64 gh_user_live(void)
{
	return READ_ONCE(nr_live);
}

void gh_user_count_live(s64 delta)
{
	__atomic_fetch_add(&nr_live, delta, __ATOMIC_RELAXED);
}

/* Memory that was not asked to be zeroed holds what nobody expects. */
void *gh_user_alloc(size_t size, size_t align, gfp_t gfp)
{
	struct block *b;
	char *p, *q;

	if (gfp & __GFP_DIRECT_RECLAIM)
		gh_user_may_sleep();
	if (!(gfp & __GFP_NOFAIL) && gh_user_fails())
		return NULL;
	if (size > SIZE_MAX / 2)
		return NULL;
	align = max(align, sizeof(*b));
	/* Large tables that are hardly used cost nothing where they are zero. */
	p = gfp & __GFP_ZERO ? calloc(1, size + align + sizeof(*b)) :
			       malloc(size + align + sizeof(*b));
	if (!p)
		return NULL;
	q = p + sizeof(*b);
	q += -(uintptr_t)q & (align - 1);
	b = (struct block *)q - 1;
	b->start = p;
	b->size = size;
	if (!(gfp & __GFP_ZERO) && !IS_BENCH)
		memset(q, 0xa5, size);
	gh_user_count_live(1);
	return q;
}

void gh_user_free(const void *p)
{
	if (!p)
		return;
	gh_user_count_live(-1);
	free(((const struct block *)p - 1)->start);
}

void *gh_user_realloc(const void *p, size_t old, size_t size, gfp_t gfp)
{
	void *q = gh_user_alloc(size, 8, gfp);

	if (!q || !p)
		return q;
	if (old == SIZE_MAX)
		old = ((const struct block *)p - 1)->size;
	memcpy(q, p, min(old, size));
	gh_user_free(p);
	return q;
}

#define SLAB_BYTES	65536

struct kmem_cache {
	unsigned int size;
	unsigned int align;
	unsigned int flags;
	s64 nr_live;
	pthread_mutex_t lock;
	void **free;
	unsigned int nr_free;
	unsigned int max_free;
	void **slabs;
	unsigned int nr_slabs;
};

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size,
				     unsigned int align, unsigned int flags,
				     void (*ctor)(void *p))
{
	struct kmem_cache *c;

	gh_user_require(!ctor && name, "constructors are not made up here");
	c = gh_user_alloc(sizeof(*c), 8, GFP_KERNEL | __GFP_ZERO);
	if (!c)
		return NULL;
	align = max(align, 8U);
	if (flags & SLAB_HWCACHE_ALIGN)
		align = max(align, 64U);
	c->size = round_up(size, align);
	c->align = align;
	c->flags = flags;
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void kmem_cache_destroy(struct kmem_cache *c)
{
	unsigned int i;

	if (!c)
		return;
	gh_user_require(!c->nr_live, "kmem_cache destroyed with live objects");
	for (i = 0; i < c->nr_slabs; i++)
		free(c->slabs[i]);
	free(c->slabs);
	free(c->free);
	pthread_mutex_destroy(&c->lock);
	gh_user_free(c);
}

static void add_slab(struct kmem_cache *c)
{
	unsigned int n = SLAB_BYTES / c->size, i;
	char *slab = aligned_alloc(4096, SLAB_BYTES);

	c->slabs = realloc(c->slabs, (c->nr_slabs + 1) * sizeof(void *));
	c->max_free += n;
	c->free = realloc(c->free, c->max_free * sizeof(void *));
	gh_user_require(slab && c->slabs && c->free && n, "no memory");
	memset(slab, 0xa5, SLAB_BYTES);
	c->slabs[c->nr_slabs++] = slab;
	for (i = n; i-- > 0;)
		c->free[c->nr_free++] = slab + i * c->size;
}

void *kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp)
{
	void *p;

	if (!(c->flags & SLAB_TYPESAFE_BY_RCU)) {
		p = gh_user_alloc(c->size, c->align, gfp);
		if (p)
			__atomic_fetch_add(&c->nr_live, 1, __ATOMIC_RELAXED);
		return p;
	}
	if (gfp & __GFP_DIRECT_RECLAIM)
		gh_user_may_sleep();
	if (gh_user_fails())
		return NULL;
	pthread_mutex_lock(&c->lock);
	if (!c->nr_free)
		add_slab(c);
	p = c->free[--c->nr_free];
	c->nr_live++;
	pthread_mutex_unlock(&c->lock);
	if (gfp & __GFP_ZERO)
		memset(p, 0, c->size);
	return p;
}

void kmem_cache_free(struct kmem_cache *c, void *p)
{
	if (!p)
		return;
	if (!(c->flags & SLAB_TYPESAFE_BY_RCU)) {
		__atomic_fetch_sub(&c->nr_live, 1, __ATOMIC_RELAXED);
		gh_user_free(p);
		return;
	}
	pthread_mutex_lock(&c->lock);
	gh_user_require(c->nr_live-- > 0, "kmem_cache_free() too often");
	c->free[c->nr_free++] = p;
	pthread_mutex_unlock(&c->lock);
}

/* Per-CPU memory: NR_CPUS units; an area is the same slot of each. */
#define PERCPU_SLOT	32768UL
#define PERCPU_SLOTS	(GH_USER_PERCPU_UNIT / PERCPU_SLOT)

static char *percpu_base;
static u32 percpu_used;
static pthread_mutex_t percpu_lock = PTHREAD_MUTEX_INITIALIZER;

void *gh_user_percpu_alloc(size_t size)
{
	unsigned int slot, cpu;
	char *p;

	gh_user_may_sleep();
	gh_user_require(size <= PERCPU_SLOT, "per-CPU area too large");
	if (gh_user_fails())
		return NULL;
	pthread_mutex_lock(&percpu_lock);
	if (!percpu_base) {
		percpu_base = mmap(NULL, NR_CPUS * GH_USER_PERCPU_UNIT,
				   PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		gh_user_require(percpu_base != MAP_FAILED, "no memory");
	}
	slot = __ffs(~(unsigned long)percpu_used);
	gh_user_require(slot < PERCPU_SLOTS, "out of per-CPU memory");
	percpu_used |= 1U << slot;
	pthread_mutex_unlock(&percpu_lock);
	p = percpu_base + slot * PERCPU_SLOT;
	for_each_possible_cpu(cpu) {
#ifdef GH_ASAN
		__asan_unpoison_memory_region(per_cpu_ptr(p, cpu), size);
#endif
		memset(per_cpu_ptr(p, cpu), 0, size);
	}
	gh_user_count_live(1);
	return p;
}

void free_percpu(void *p)
{
	unsigned int slot;
#ifdef GH_ASAN
	unsigned int cpu;
#endif

	if (!p)
		return;
	slot = ((char *)p - percpu_base) / PERCPU_SLOT;
#ifdef GH_ASAN
	for_each_possible_cpu(cpu)
		__asan_poison_memory_region(per_cpu_ptr(p, cpu), PERCPU_SLOT);
#endif
	pthread_mutex_lock(&percpu_lock);
	gh_user_require(percpu_used & (1U << slot), "per-CPU area freed twice");
	percpu_used &= ~(1U << slot);
	pthread_mutex_unlock(&percpu_lock);
	gh_user_count_live(-1);
}

static u64 clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

u64 ktime_get_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

u64 ktime_get_real_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}
