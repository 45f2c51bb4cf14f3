/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel names that behave differently on purpose.
 *
 * Locks know who holds them, for how long a thread may not sleep, and stop the
 * run when a rule is broken. Memory comes through one function that a test can
 * tell to fail, and what is not given back is found. A thread is on the CPU
 * that the test says. A warning ends the run, as panic_on_warn=1 would.
 */
#ifndef GH_USER_CUSTOM_H
#define GH_USER_CUSTOM_H

#define NR_CPUS		8

/* CPUs that the core is to count with. */
#ifndef GH_USER_ONLINE
#define GH_USER_ONLINE	NR_CPUS
#endif

/* Warnings */
void gh_user_bail(const char *file, int line, const char *what)
	__attribute__((noreturn, cold));

#define gh_user_require(c, what) do { \
	if (unlikely(!(c))) \
		gh_user_bail(__FILE__, __LINE__, what); \
} while (0)

#define WARN_ON(c) ({ \
	bool w_ = !!(c); \
	if (unlikely(w_)) \
		gh_user_bail(__FILE__, __LINE__, "WARN_ON(" #c ")"); \
	w_; })
#define WARN_ON_ONCE(c)		WARN_ON(c)
#define WARN(c, ...)		WARN_ON(c)
#define WARN_ONCE(c, ...)	WARN_ON(c)
#define BUG_ON(c)		((void)WARN_ON(c))
#define BUG()			BUG_ON(1)
#define VM_WARN_ON_ONCE(c)	BUG_ON(c)

/*
 * Locks. One word each: 0 is free, GH_USER_WRITER is held for writing or
 * exclusively, anything else is a number of readers, GH_USER_WAITS says that a
 * writer waits, so that new readers wait too. Who waits for long sleeps on the
 * word, and is counted, so that it is woken; for a spinlock nobody sleeps.
 */
#define GH_USER_WRITER	(1U << 31)
#define GH_USER_WAITS	(1U << 30)

struct gh_user_lock {
	u32 word;
	u32 sleepers;
	bool spin;
};

struct mutex {
	struct gh_user_lock l;
};

struct rw_semaphore {
	struct gh_user_lock l;
};

typedef struct spinlock {
	struct gh_user_lock l;
} spinlock_t;

/* What the calling thread holds. */
enum gh_user_hold {
	GH_USER_NOT_HELD,
	GH_USER_READ,
	GH_USER_WRITE,
};

#ifdef GH_BENCH
static inline void gh_user_hold(struct gh_user_lock *l, enum gh_user_hold how)
{
}
static inline void gh_user_unhold(struct gh_user_lock *l,
				  enum gh_user_hold how)
{
}
#define gh_user_held(l)		GH_USER_WRITE
#define gh_user_may_sleep()	do { } while (0)
#define gh_user_atomic(d)	do { } while (0)
#else
void gh_user_hold(struct gh_user_lock *l, enum gh_user_hold how);
void gh_user_unhold(struct gh_user_lock *l, enum gh_user_hold how);
enum gh_user_hold gh_user_held(const struct gh_user_lock *l);
void gh_user_may_sleep(void);
void gh_user_atomic(int delta);
#endif

void gh_user_write_slow(struct gh_user_lock *l);
void gh_user_read_slow(struct gh_user_lock *l);
void gh_user_wake(struct gh_user_lock *l);

/*
 * Points where a deterministic scheduler may let others run: NULL, or a function
 * that is called with whatever locks the thread holds at that moment.
 */
#ifdef GH_BENCH
#define gh_user_preempt()	((void)0)
#else
extern void (*gh_user_scheduler)(void);
bool gh_user_holds_locks(void);

static inline void gh_user_preempt(void)
{
	if (unlikely(gh_user_scheduler))
		gh_user_scheduler();
}
#endif

/* Where a marker waits for memory, and where it has just loaded a reference. */
/*
 * GCC takes a function that does nothing but prefetch for one without effects,
 * and drops calls of it; the barrier is an effect. The kernel's are volatile.
 */
#define prefetch(p)						\
do {								\
	gh_user_preempt();					\
	__builtin_prefetch(p);					\
	__asm__ volatile("");					\
} while (0)
#define prefetchw(p)						\
do {								\
	gh_user_preempt();					\
	__builtin_prefetch(p, 1);				\
	__asm__ volatile("");					\
} while (0)
#define array_index_nospec(i, n)	(gh_user_preempt(), (i))

static inline void gh_user_lock_init(struct gh_user_lock *l, bool spin)
{
	l->word = 0;
	l->sleepers = 0;
	l->spin = spin;
}

static inline bool gh_user_trywrite(struct gh_user_lock *l)
{
	u32 old = 0;

	if (!__atomic_compare_exchange_n(&l->word, &old, GH_USER_WRITER, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	gh_user_hold(l, GH_USER_WRITE);
	return true;
}

static inline void gh_user_write(struct gh_user_lock *l)
{
	if (!l->spin)
		gh_user_may_sleep();
	if (unlikely(!gh_user_trywrite(l)))
		gh_user_write_slow(l);
	if (!l->spin)
		gh_user_preempt();
}

/* After the word has changed; pairs with sleep_on() in shim.c. */
static inline void gh_user_wake_sleepers(struct gh_user_lock *l)
{
	if (unlikely(__atomic_load_n(&l->sleepers, __ATOMIC_SEQ_CST)))
		gh_user_wake(l);
}

static inline void gh_user_unwrite(struct gh_user_lock *l)
{
	bool spin = l->spin;

	gh_user_unhold(l, GH_USER_WRITE);
	if (spin) {
		__atomic_fetch_and(&l->word, ~GH_USER_WRITER, __ATOMIC_RELEASE);
		return;
	}
	__atomic_fetch_and(&l->word, ~GH_USER_WRITER, __ATOMIC_SEQ_CST);
	gh_user_wake_sleepers(l);
	gh_user_preempt();
}

static inline bool gh_user_tryread(struct gh_user_lock *l)
{
	u32 old = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

	if (old & (GH_USER_WRITER | GH_USER_WAITS))
		return false;
	if (!__atomic_compare_exchange_n(&l->word, &old, old + 1, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	gh_user_hold(l, GH_USER_READ);
	return true;
}

static inline void gh_user_read(struct gh_user_lock *l)
{
	gh_user_may_sleep();
	if (unlikely(!gh_user_tryread(l)))
		gh_user_read_slow(l);
}

static inline void gh_user_unread(struct gh_user_lock *l)
{
	gh_user_unhold(l, GH_USER_READ);
	__atomic_fetch_sub(&l->word, 1, __ATOMIC_SEQ_CST);
	gh_user_wake_sleepers(l);
}

#define mutex_init(m)		gh_user_lock_init(&(m)->l, false)
#define mutex_destroy(m)	gh_user_require(!(m)->l.word, "destroyed held")
#define mutex_lock(m)		gh_user_write(&(m)->l)
#define mutex_lock_killable(m)	(gh_user_write(&(m)->l), 0)
#define mutex_lock_nested(m, c)	gh_user_write(&(m)->l)
#define mutex_trylock(m)	gh_user_trywrite(&(m)->l)
#define mutex_unlock(m)		gh_user_unwrite(&(m)->l)
#define mutex_is_locked(m)	(READ_ONCE((m)->l.word) != 0)
#define spin_lock_init(s)	gh_user_lock_init(&(s)->l, true)
#define spin_lock(s)		gh_user_write(&(s)->l)
#define spin_trylock(s)		gh_user_trywrite(&(s)->l)
#define spin_unlock(s)		gh_user_unwrite(&(s)->l)
#define init_rwsem(r)		gh_user_lock_init(&(r)->l, false)
#define down_read(r)		gh_user_read(&(r)->l)
#define down_read_killable(r)	(gh_user_read(&(r)->l), 0)
#define down_read_trylock(r)	gh_user_tryread(&(r)->l)
#define up_read(r)		gh_user_unread(&(r)->l)
#define down_write(r)		gh_user_write(&(r)->l)
#define down_write_killable(r)	(gh_user_write(&(r)->l), 0)
#define down_write_trylock(r)	gh_user_trywrite(&(r)->l)
#define up_write(r)		gh_user_unwrite(&(r)->l)
#define downgrade_write(r)	gh_user_downgrade(&(r)->l)
#define rwsem_is_locked(r)	(READ_ONCE((r)->l.word) != 0)
#define DEFINE_MUTEX(m)		struct mutex m
#define DEFINE_SPINLOCK(s)	spinlock_t s = { .l = { .spin = true } }

static inline void gh_user_downgrade(struct gh_user_lock *l)
{
	gh_user_unhold(l, GH_USER_WRITE);
	gh_user_hold(l, GH_USER_READ);
	__atomic_fetch_add(&l->word, 1U - GH_USER_WRITER, __ATOMIC_SEQ_CST);
	gh_user_wake_sleepers(l);
}

/* Waiting: whoever changes a condition wakes all who wait for it. */
typedef struct wait_queue_head {
	u32 wakeups;
	u32 sleepers;
} wait_queue_head_t;

void gh_user_wait(wait_queue_head_t *q, u32 wakeups);
void wake_up_all(wait_queue_head_t *q);

#define init_waitqueue_head(q)	((void)(*(q) = (wait_queue_head_t){}))
#define wait_event_idle(q, c) do { \
	gh_user_may_sleep(); \
	for (;;) { \
		u32 w_ = smp_load_acquire(&(q).wakeups); \
		if (c) \
			break; \
		gh_user_wait(&(q), w_); \
	} \
} while (0)

#define lockdep_is_held(x)	(gh_user_held(&(x)->l) != GH_USER_NOT_HELD)
#define lockdep_assert_held(x) \
	gh_user_require(lockdep_is_held(x), "lock not held: " #x)
#define lockdep_assert_held_write(x) \
	gh_user_require(gh_user_held(&(x)->l) == GH_USER_WRITE, \
			"lock not held for writing: " #x)
#define lockdep_assert_held_read(x)	lockdep_assert_held(x)
#define lockdep_assert_not_held(x) \
	gh_user_require(IS_BENCH || !lockdep_is_held(x), "lock held: " #x)
#ifdef GH_BENCH
#define IS_BENCH 1
#else
#define IS_BENCH 0
#endif

#define might_sleep()		gh_user_may_sleep()
#define cond_resched() do { \
	gh_user_may_sleep(); \
	gh_user_preempt(); \
} while (0)
#define preempt_disable()	gh_user_atomic(1)
#define preempt_enable()	gh_user_atomic(-1)
#define migrate_disable()	do { } while (0)
#define migrate_enable()	do { } while (0)

/* A reader may not sleep; synchronize_rcu() waits for all there are. */
#ifdef GH_BENCH
#define rcu_read_lock()		barrier()
#define rcu_read_unlock()	barrier()
#else
void rcu_read_lock(void);
void rcu_read_unlock(void);
#endif
void synchronize_rcu(void);
#define rcu_dereference(p)	READ_ONCE(p)
#define rcu_dereference_raw(p)	READ_ONCE(p)
#define rcu_dereference_protected(p, c) (gh_user_require(c, #c), (p))
#define rcu_assign_pointer(p, v) smp_store_release(&(p), v)

/* CPUs: eight; a thread is on the one it was last told. */
extern __thread int gh_user_cpu;

#define nr_cpu_ids		NR_CPUS
#define raw_smp_processor_id()	gh_user_cpu
#define smp_processor_id()	gh_user_cpu
#define get_cpu()		(preempt_disable(), gh_user_cpu)
#define put_cpu()		preempt_enable()
#define num_possible_cpus()	((unsigned int)NR_CPUS)
#define num_online_cpus()	((unsigned int)GH_USER_ONLINE)
#define cpu_possible(c)		((unsigned int)(c) < NR_CPUS)
#define cpu_online(c)		cpu_possible(c)
#define for_each_possible_cpu(c) for ((c) = 0; (c) < NR_CPUS; (c)++)
#define for_each_online_cpu(c)	for_each_possible_cpu(c)

/* Per-CPU memory: one slot in each of NR_CPUS units. */
#define GH_USER_PERCPU_UNIT	(1UL << 20)
void *gh_user_percpu_alloc(size_t size);
void free_percpu(void *p);
#define alloc_percpu(t)		((t *)gh_user_percpu_alloc(sizeof(t)))
#define alloc_percpu_gfp(t, g)	alloc_percpu(t)
#define per_cpu_ptr(p, c) \
	((typeof(p))((char *)(p) + (size_t)(c) * GH_USER_PERCPU_UNIT))
#define this_cpu_ptr(p)		per_cpu_ptr(p, gh_user_cpu)
#define raw_cpu_ptr(p)		per_cpu_ptr(p, gh_user_cpu)
/* One instruction in the kernel: another CPU never writes, a task may move. */
#ifdef GH_BENCH
#define this_cpu_add(x, n)	(*per_cpu_ptr(&(x), gh_user_cpu) += (n))
#else
#define this_cpu_add(x, n) \
	((void)__atomic_fetch_add(per_cpu_ptr(&(x), gh_user_cpu), (n), \
				  __ATOMIC_RELAXED))
#endif
#define this_cpu_sub(x, n)	this_cpu_add(x, -(typeof(x))(n))
#define this_cpu_inc(x)		this_cpu_add(x, 1)
#define this_cpu_dec(x)		this_cpu_sub(x, 1)
#define this_cpu_read(x)	READ_ONCE(*per_cpu_ptr(&(x), gh_user_cpu))

/* Memory */
typedef unsigned int gfp_t;

#define __GFP_ZERO		0x0100U
#define __GFP_NOWARN		0x0200U
#define __GFP_NORETRY		0x0400U
#define __GFP_ACCOUNT		0x0800U
#define __GFP_NOFAIL		0x1000U
#define __GFP_RETRY_MAYFAIL	0x2000U
#define __GFP_DIRECT_RECLAIM	0x0001U
#define GFP_KERNEL		0x0001U
#define GFP_KERNEL_ACCOUNT	(GFP_KERNEL | __GFP_ACCOUNT)
#define GFP_NOWAIT		0x0002U
#define GFP_ATOMIC		0x0004U

void *gh_user_alloc(size_t size, size_t align, gfp_t gfp);
void gh_user_free(const void *p);
void *gh_user_realloc(const void *p, size_t old, size_t size, gfp_t gfp);

#define kmalloc(n, g)		gh_user_alloc(n, 8, g)
#define kzalloc(n, g)		gh_user_alloc(n, 8, (g) | __GFP_ZERO)
#define kmalloc_array(n, s, g)	gh_user_alloc(array_size(n, s), 8, g)
#define kcalloc(n, s, g) \
	gh_user_alloc(array_size(n, s), 8, (g) | __GFP_ZERO)
#define kmalloc_node(n, g, node) kmalloc(n, g)
#define kfree(p)		gh_user_free(p)
#define kvmalloc(n, g)		kmalloc(n, g)
#define kvzalloc(n, g)		kzalloc(n, g)
#define kvmalloc_array(n, s, g)	kmalloc_array(n, s, g)
#define kvcalloc(n, s, g)	kcalloc(n, s, g)
#define kvfree(p)		gh_user_free(p)
#define vmalloc(n)		kmalloc(n, GFP_KERNEL)
#define vzalloc(n)		kzalloc(n, GFP_KERNEL)
#define vcalloc(n, s)		kcalloc(n, s, GFP_KERNEL)
#define vfree(p)		gh_user_free(p)
#define krealloc(p, n, g)	gh_user_realloc(p, SIZE_MAX, n, g)
#define kvrealloc(p, o, n, g)	gh_user_realloc(p, o, n, g)
#define bitmap_alloc(n, g) \
	((unsigned long *)kcalloc(BITS_TO_LONGS(n), sizeof(long), g))
#define bitmap_zalloc(n, g)	bitmap_alloc(n, (g) | __GFP_ZERO)
#define bitmap_free(p)		kfree(p)

#define PAGE_SIZE		4096UL
#define get_zeroed_page(g) \
	((unsigned long)gh_user_alloc(PAGE_SIZE, PAGE_SIZE, (g) | __GFP_ZERO))
#define free_page(p)		gh_user_free((void *)(p))

static inline void *kmemdup(const void *p, size_t n, gfp_t gfp)
{
	void *q = kmalloc(n, gfp);

	return q ? memcpy(q, p, n) : NULL;
}

/*
 * Caches keep their slabs until they are destroyed, which is what
 * SLAB_TYPESAFE_BY_RCU promises about readers; an object may be given out again
 * at once. Without that flag the objects come from malloc() one by one, so that
 * AddressSanitizer sees what is used too late.
 */
#define SLAB_HWCACHE_ALIGN	0x1U
#define SLAB_TYPESAFE_BY_RCU	0x2U
#define SLAB_ACCOUNT		0x4U
#define SLAB_PANIC		0x8U
#define SLAB_RECLAIM_ACCOUNT	0x10U

struct kmem_cache;
struct kmem_cache *kmem_cache_create(const char *name, unsigned int size,
				     unsigned int align, unsigned int flags,
				     void (*ctor)(void *p));
void kmem_cache_destroy(struct kmem_cache *c);
void *kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp);
void kmem_cache_free(struct kmem_cache *c, void *p);
#define kmem_cache_zalloc(c, g)	kmem_cache_alloc(c, (g) | __GFP_ZERO)
#define KMEM_CACHE(s, flags) \
	kmem_cache_create(#s, sizeof(struct s), __alignof__(struct s), flags, \
			  NULL)

/*
 * What tests do with all this.
 *
 * gh_user_fail_at(n): the nth allocation from now fails, 0 for none;
 * gh_user_fail_one_in(n, seed): about one in n fails, 0 for none;
 * gh_user_failures(): how many failed so since the program began;
 * gh_user_live(): blocks not given back; the caller compares.
 */
void gh_user_fail_at(u64 n);
void gh_user_fail_one_in(u32 n, u64 seed);
u64 gh_user_failures(void);
s64 gh_user_live(void);
bool gh_user_fails(void);
void gh_user_count_live(s64 delta);

/* Time */
u64 ktime_get_ns(void);
u64 ktime_get_real_ns(void);
#define ktime_get_boottime_ns()	ktime_get_ns()

#endif /* GH_USER_CUSTOM_H */
