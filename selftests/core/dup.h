/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kernel names that mean here exactly what they mean there.
 */
#ifndef GH_USER_DUP_H
#define GH_USER_DUP_H

#include <limits.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef long long s64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s32 __s32;
typedef s64 __s64;

#define U8_MAX		((u8)~0U)
#define U16_MAX		((u16)~0U)
#define U32_MAX		((u32)~0U)
#define S32_MAX		((s32)(U32_MAX >> 1))
#define U64_MAX		((u64)~0ULL)
#define S64_MAX		((s64)(U64_MAX >> 1))
#define S64_MIN		((s64)(-S64_MAX - 1))
#define BITS_PER_LONG	64
#define BITS_PER_LONG_LONG 64
#define BITS_PER_BYTE	8
#define NSEC_PER_SEC	1000000000L
#define NSEC_PER_MSEC	1000000L
#define USEC_PER_MSEC	1000L
#define NSEC_PER_USEC	1000L
#define SZ_4K		4096UL
#define SZ_1M		(1UL << 20)
#define SZ_4M		(4UL << 20)
#define MAX_ERRNO	4095

#define __percpu
#define __user
#define __force
#define __must_hold(x)
#define __acquires(x)
#define __releases(x)
#define __rcu
#define __init
#define __exit
#define __read_mostly
#define __maybe_unused	__attribute__((unused))
#undef __always_inline
#define __always_inline	inline __attribute__((always_inline))
#define noinline	__attribute__((noinline))
#define __must_check	__attribute__((warn_unused_result))
#define __noreturn	__attribute__((noreturn))
#define __cold		__attribute__((cold))
#define __packed	__attribute__((packed))
#define __aligned(n)	__attribute__((aligned(n)))
#define __printf(a, b)	__attribute__((format(printf, a, b)))

/* What was written, and not what would have been. */
static inline __printf(3, 0) int vscnprintf(char *buf, size_t size,
					    const char *fmt, va_list args)
{
	int n = vsnprintf(buf, size, fmt, args);

	return n < (int)size ? n : size ? (int)size - 1 : 0;
}

static inline __printf(3, 4) int scnprintf(char *buf, size_t size,
					   const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vscnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}
#define ____cacheline_aligned __aligned(64)
#define L1_CACHE_BYTES	64
#if __has_attribute(__fallthrough__)
#define fallthrough	__attribute__((__fallthrough__))
#else
#define fallthrough	do {} while (0)
#endif

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define barrier()	__asm__ __volatile__("" ::: "memory")
#define __stringify_1(x) #x
#define __stringify(x)	__stringify_1(x)

#define BUILD_BUG_ON(c)	_Static_assert(!(c), #c)
#define BUILD_BUG_ON_MSG(c, m) _Static_assert(!(c), m)
#undef static_assert
#define static_assert(e, ...) _Static_assert(e, #e)

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define offsetofend(t, m) (offsetof(t, m) + sizeof(((t *)0)->m))
#define container_of(p, t, m) ((t *)((char *)(p) - offsetof(t, m)))

/* Arithmetic */
#define min(a, b) ({ typeof(a) a_ = (a); typeof(b) b_ = (b); \
		     a_ < b_ ? a_ : b_; })
#define max(a, b) ({ typeof(a) a_ = (a); typeof(b) b_ = (b); \
		     a_ > b_ ? a_ : b_; })
#define min_t(t, a, b)	({ t ta_ = (a); t tb_ = (b); ta_ < tb_ ? ta_ : tb_; })
#define max_t(t, a, b)	({ t ta_ = (a); t tb_ = (b); ta_ > tb_ ? ta_ : tb_; })
#define min3(a, b, c)	min(min(a, b), c)
#define max3(a, b, c)	max(max(a, b), c)
#define clamp(v, l, h)	min(max(v, l), h)
#define clamp_t(t, v, l, h) min_t(t, max_t(t, v, l), h)
#define swap(a, b) do { typeof(a) s_ = (a); (a) = (b); (b) = s_; } while (0)

/* The multiple is a power of two in round_*(), anything in round*(). */
#define round_mask(x, y) ((typeof(x))((y) - 1))
#define round_up(x, y)	((((x) - 1) | round_mask(x, y)) + 1)
#define round_down(x, y) ((x) & ~round_mask(x, y))
#define roundup(x, y)	((((x) + (y) - 1) / (y)) * (y))
#define rounddown(x, y)	((x) - (x) % (y))
#define ALIGN(x, y)	round_up(x, y)
#define ALIGN_DOWN(x, y) round_down(x, y)
#define IS_ALIGNED(x, y) (((x) & round_mask(x, y)) == 0)
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define DIV_ROUND_UP_ULL(n, d) DIV_ROUND_UP((u64)(n), d)

static inline u64 div64_u64(u64 a, u64 b)
{
	return a / b;
}

static inline s64 div64_s64(s64 a, s64 b)
{
	return a / b;
}

static inline u64 div_u64(u64 a, u32 b)
{
	return a / b;
}

static inline u64 mul_u64_u64_div_u64(u64 a, u64 b, u64 c)
{
	return (u64)((unsigned __int128)a * b / c);
}

static inline u64 mul_u64_u32_div(u64 a, u32 b, u32 c)
{
	return (u64)((unsigned __int128)a * b / c);
}

static inline u64 mul_u64_u32_shr(u64 a, u32 b, unsigned int shift)
{
	return (u64)((unsigned __int128)a * b >> shift);
}

static inline u64 mul_u64_u64_shr(u64 a, u64 b, unsigned int shift)
{
	return (u64)((unsigned __int128)a * b >> shift);
}

#define check_add_overflow(a, b, d) __builtin_add_overflow(a, b, d)
#define check_sub_overflow(a, b, d) __builtin_sub_overflow(a, b, d)
#define check_mul_overflow(a, b, d) __builtin_mul_overflow(a, b, d)

static inline size_t size_mul(size_t a, size_t b)
{
	size_t r;

	return check_mul_overflow(a, b, &r) ? SIZE_MAX : r;
}

static inline size_t size_add(size_t a, size_t b)
{
	size_t r;

	return check_add_overflow(a, b, &r) ? SIZE_MAX : r;
}

#define array_size(a, b) size_mul(a, b)
#define flex_array_size(p, m, n) size_mul(n, sizeof((p)->m[0]))
#define struct_size(p, m, n) size_add(sizeof(*(p)), flex_array_size(p, m, n))

/* Bits */
#define BIT(n)		(1UL << (n))
#define BIT_ULL(n)	(1ULL << (n))
#define BIT_MASK(n)	(1UL << ((n) % BITS_PER_LONG))
#define BIT_WORD(n)	((n) / BITS_PER_LONG)
#define BITS_TO_LONGS(n) DIV_ROUND_UP(n, BITS_PER_LONG)
#define BITS_TO_U64(n)	DIV_ROUND_UP(n, 64)
#define GENMASK(h, l)	((~0UL << (l)) & (~0UL >> (BITS_PER_LONG - 1 - (h))))
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define DECLARE_BITMAP(name, n) unsigned long name[BITS_TO_LONGS(n)]

#define hweight64(w)	((unsigned int)__builtin_popcountll(w))
#define hweight32(w)	((unsigned int)__builtin_popcount(w))
#define hweight_long(w)	((unsigned int)__builtin_popcountl(w))
#define __ffs64(w)	((unsigned int)__builtin_ctzll(w))
#define __ffs(w)	((unsigned int)__builtin_ctzl(w))
#define __fls(w)	((unsigned int)(63 - __builtin_clzl(w)))
#define ffz(w)		__ffs(~(w))

static inline int fls64(u64 w)
{
	return w ? 64 - __builtin_clzll(w) : 0;
}

static inline int fls(u32 w)
{
	return w ? 32 - __builtin_clz(w) : 0;
}

#define ilog2(n)	(fls64(n) - 1)
#define is_power_of_2(n) ((n) && !((n) & ((n) - 1)))
#define roundup_pow_of_two(n) (1UL << fls64((u64)(n) - 1))
#define rounddown_pow_of_two(n) (1UL << ilog2(n))
#define order_base_2(n)	((n) > 1 ? ilog2((u64)(n) - 1) + 1 : 0)

static inline u64 rol64(u64 w, unsigned int n)
{
	return (w << (n & 63)) | (w >> (-n & 63));
}

static inline u64 ror64(u64 w, unsigned int n)
{
	return (w >> (n & 63)) | (w << (-n & 63));
}

static inline bool test_bit(unsigned long n, const unsigned long *p)
{
	return __atomic_load_n(&p[BIT_WORD(n)], __ATOMIC_RELAXED) & BIT_MASK(n);
}

static inline void __set_bit(unsigned long n, unsigned long *p)
{
	p[BIT_WORD(n)] |= BIT_MASK(n);
}

static inline void __clear_bit(unsigned long n, unsigned long *p)
{
	p[BIT_WORD(n)] &= ~BIT_MASK(n);
}

static inline void __assign_bit(unsigned long n, unsigned long *p, bool v)
{
	if (v)
		__set_bit(n, p);
	else
		__clear_bit(n, p);
}

static inline bool __test_and_set_bit(unsigned long n, unsigned long *p)
{
	bool old = p[BIT_WORD(n)] & BIT_MASK(n);

	__set_bit(n, p);
	return old;
}

static inline bool __test_and_clear_bit(unsigned long n, unsigned long *p)
{
	bool old = p[BIT_WORD(n)] & BIT_MASK(n);

	__clear_bit(n, p);
	return old;
}

static inline void set_bit(unsigned long n, unsigned long *p)
{
	__atomic_fetch_or(&p[BIT_WORD(n)], BIT_MASK(n), __ATOMIC_RELAXED);
}

static inline void clear_bit(unsigned long n, unsigned long *p)
{
	__atomic_fetch_and(&p[BIT_WORD(n)], ~BIT_MASK(n), __ATOMIC_RELAXED);
}

static inline bool test_and_set_bit(unsigned long n, unsigned long *p)
{
	return __atomic_fetch_or(&p[BIT_WORD(n)], BIT_MASK(n),
				 __ATOMIC_SEQ_CST) & BIT_MASK(n);
}

/* First bit at or after @at that is set (@flip 0) or clear (@flip ~0). */
static inline unsigned long gh_user_find_bit(const unsigned long *p,
					     unsigned long n, unsigned long at,
					     unsigned long flip)
{
	while (at < n) {
		unsigned long w = (p[BIT_WORD(at)] ^ flip) >>
				  (at % BITS_PER_LONG);

		if (w)
			return min(at + __ffs(w), n);
		at = round_down(at, (unsigned long)BITS_PER_LONG) +
		     BITS_PER_LONG;
	}
	return n;
}

#define find_first_bit(p, n)		gh_user_find_bit(p, n, 0, 0)
#define find_next_bit(p, n, at)		gh_user_find_bit(p, n, at, 0)
#define find_first_zero_bit(p, n)	gh_user_find_bit(p, n, 0, ~0UL)
#define find_next_zero_bit(p, n, at)	gh_user_find_bit(p, n, at, ~0UL)
#define for_each_set_bit(b, p, n) \
	for ((b) = find_first_bit(p, n); (b) < (n); \
	     (b) = find_next_bit(p, n, (b) + 1))

static inline void bitmap_zero(unsigned long *p, unsigned int n)
{
	memset(p, 0, BITS_TO_LONGS(n) * sizeof(*p));
}

static inline void bitmap_set(unsigned long *p, unsigned int at, unsigned int n)
{
	while (n--)
		__set_bit(at++, p);
}

static inline void bitmap_clear(unsigned long *p, unsigned int at,
				unsigned int n)
{
	while (n--)
		__clear_bit(at++, p);
}

static inline unsigned int bitmap_weight(const unsigned long *p, unsigned int n)
{
	unsigned int i, sum = 0;

	for (i = 0; i < n; i++)
		sum += test_bit(i, p);
	return sum;
}

/* Errors in pointers */
static inline void *ERR_PTR(long error)
{
	return (void *)error;
}

static inline long PTR_ERR(const void *p)
{
	return (long)p;
}

static inline bool IS_ERR(const void *p)
{
	return (unsigned long)p >= (unsigned long)-MAX_ERRNO;
}

static inline bool IS_ERR_OR_NULL(const void *p)
{
	return !p || IS_ERR(p);
}

static inline void *ERR_CAST(const void *p)
{
	return (void *)p;
}

static inline int PTR_ERR_OR_ZERO(const void *p)
{
	return IS_ERR(p) ? (int)PTR_ERR(p) : 0;
}

#define upper_32_bits(n) ((u32)((u64)(n) >> 32))
#define lower_32_bits(n) ((u32)(n))

static inline void *memchr_inv(const void *p, int c, size_t n)
{
	const u8 *b = p;

	for (; n; n--, b++)
		if (*b != (u8)c)
			return (void *)b;
	return NULL;
}

#include "dup_list.h"
#include "dup_atomic.h"

#endif /* GH_USER_DUP_H */
