/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Atomics. The kernel's memory model is mapped one to one on that of C11:
 * what returns a value is fully ordered unless its name says otherwise, what
 * does not is relaxed. ThreadSanitizer does not know fences, so smp_mb() is a
 * read-modify-write of one shared word in its builds.
 */
#ifndef GH_USER_DUP_ATOMIC_H
#define GH_USER_DUP_ATOMIC_H

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define smp_store_mb(x, v)	__atomic_store_n(&(x), v, __ATOMIC_SEQ_CST)
#define data_race(x)		(x)

#ifdef __SANITIZE_THREAD__
extern unsigned int gh_user_fence;
#define smp_mb()	((void)__atomic_fetch_add(&gh_user_fence, 1, \
						  __ATOMIC_SEQ_CST))
#define smp_rmb()	smp_mb()
#define smp_wmb()	smp_mb()
#else
#define smp_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb()	__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb()	__atomic_thread_fence(__ATOMIC_RELEASE)
#endif
#define smp_mb__before_atomic()	smp_mb()
#define smp_mb__after_atomic()	smp_mb()

#define gh_user_cmpxchg(p, old, new, ok, fail) ({ \
	typeof(*(p)) o_ = (old); \
	__atomic_compare_exchange_n(p, &o_, new, false, ok, fail); \
	o_; })
#define cmpxchg(p, old, new) \
	gh_user_cmpxchg(p, old, new, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
#define cmpxchg_relaxed(p, old, new) \
	gh_user_cmpxchg(p, old, new, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define cmpxchg_acquire(p, old, new) \
	gh_user_cmpxchg(p, old, new, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define cmpxchg_release(p, old, new) \
	gh_user_cmpxchg(p, old, new, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define try_cmpxchg(p, oldp, new) \
	__atomic_compare_exchange_n(p, oldp, new, false, __ATOMIC_SEQ_CST, \
				    __ATOMIC_RELAXED)
#define xchg(p, v)	__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic64_t;

#define ATOMIC_INIT(i)		{ (i) }
#define ATOMIC64_INIT(i)	{ (i) }

#define GH_USER_ATOMIC(name, type) \
static inline type name##_read(const name##_t *v) \
{ \
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED); \
} \
static inline type name##_read_acquire(const name##_t *v) \
{ \
	return __atomic_load_n(&v->counter, __ATOMIC_ACQUIRE); \
} \
static inline void name##_set(name##_t *v, type i) \
{ \
	__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED); \
} \
static inline void name##_set_release(name##_t *v, type i) \
{ \
	__atomic_store_n(&v->counter, i, __ATOMIC_RELEASE); \
} \
static inline void name##_add(type i, name##_t *v) \
{ \
	__atomic_fetch_add(&v->counter, i, __ATOMIC_RELAXED); \
} \
static inline void name##_sub(type i, name##_t *v) \
{ \
	__atomic_fetch_sub(&v->counter, i, __ATOMIC_RELAXED); \
} \
static inline void name##_inc(name##_t *v) \
{ \
	__atomic_fetch_add(&v->counter, 1, __ATOMIC_RELAXED); \
} \
static inline void name##_dec(name##_t *v) \
{ \
	__atomic_fetch_sub(&v->counter, 1, __ATOMIC_RELAXED); \
} \
static inline type name##_add_return(type i, name##_t *v) \
{ \
	return __atomic_add_fetch(&v->counter, i, __ATOMIC_SEQ_CST); \
} \
static inline type name##_sub_return(type i, name##_t *v) \
{ \
	return __atomic_sub_fetch(&v->counter, i, __ATOMIC_SEQ_CST); \
} \
static inline type name##_fetch_add(type i, name##_t *v) \
{ \
	return __atomic_fetch_add(&v->counter, i, __ATOMIC_SEQ_CST); \
} \
static inline type name##_fetch_or(type i, name##_t *v) \
{ \
	return __atomic_fetch_or(&v->counter, i, __ATOMIC_SEQ_CST); \
} \
static inline type name##_fetch_andnot(type i, name##_t *v) \
{ \
	return __atomic_fetch_and(&v->counter, ~i, __ATOMIC_SEQ_CST); \
} \
static inline type name##_inc_return(name##_t *v) \
{ \
	return __atomic_add_fetch(&v->counter, 1, __ATOMIC_SEQ_CST); \
} \
static inline bool name##_dec_and_test(name##_t *v) \
{ \
	return __atomic_sub_fetch(&v->counter, 1, __ATOMIC_SEQ_CST) == 0; \
} \
static inline type name##_xchg(name##_t *v, type i) \
{ \
	return __atomic_exchange_n(&v->counter, i, __ATOMIC_SEQ_CST); \
} \
static inline type name##_cmpxchg(name##_t *v, type old, type new) \
{ \
	return cmpxchg(&v->counter, old, new); \
} \
static inline bool name##_try_cmpxchg(name##_t *v, type *old, type new) \
{ \
	return try_cmpxchg(&v->counter, old, new); \
}

GH_USER_ATOMIC(atomic, int)
GH_USER_ATOMIC(atomic64, s64)

#endif /* GH_USER_DUP_ATOMIC_H */
