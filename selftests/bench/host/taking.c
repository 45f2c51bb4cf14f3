// SPDX-License-Identifier: GPL-2.0
/*
 * How a thread may take a slot so that no collection comes in between: the four
 * ways of Documentation/design.rst, "Mutators: allocation without calls". The step
 * alone, in ns, the best of several loops. A program of its own:
 *
 *	cc -O2 -o taking taking.c && ./taking
 *
 * Instructions in a registered range cost what they do without protection, which
 * is what "range" measures; that they cannot be inlined is not in it.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define LOOPS	7
#define STEPS	20000000

/* What the kernel shares with the thread; in memory, as there. */
static struct {
	uint64_t mask;
	uint64_t base;
	uint64_t generation;
	uint64_t sequence;
} page = { .base = 0x1234000000000000 };

static uint64_t generation;

#define load(p)		__atomic_load_n(p, __ATOMIC_RELAXED)
#define store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define keep(v)		__asm__ volatile("" : : "r"(v) : "memory")

static inline uint64_t slot(uint64_t mask)
{
	return page.base + (uint64_t)__builtin_ctzll(mask) * 48;
}

/* The library asks the kernel here; the tests have always slots. */
static inline uint64_t mask_now(void)
{
	uint64_t mask = load(&page.mask);

	if (__builtin_expect(!mask, 0)) {
		mask = ~0ULL;
		store(&page.mask, mask);
	}
	return mask;
}

static inline uint64_t take_range(void)
{
	uint64_t mask = mask_now(), ref = slot(mask);

	keep(ref);
	store(&page.mask, mask & (mask - 1));
	return ref;
}

static inline uint64_t take_sequence(void)
{
	uint64_t sequence = page.sequence, ref;

	store(&page.sequence, sequence + 1);
	__asm__ volatile("" : : : "memory");
	ref = take_range();
	__asm__ volatile("" : : : "memory");
	store(&page.sequence, sequence + 2);
	return ref;
}

static inline uint64_t take_generation(void)
{
	uint64_t ref = take_range();

	keep(ref);
	return load(&page.generation) == generation ? ref : 0;
}

#ifdef __x86_64__
static inline uint64_t take_exchange(void)
{
	uint64_t mask = mask_now(), ref = slot(mask), old = mask;

	__asm__ volatile("cmpxchg %2, %1"
			 : "+a"(old), "+m"(page.mask)
			 : "r"(mask & (mask - 1))
			 : "cc", "memory");
	return old == mask ? ref : 0;
}
#endif

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Each way is inlined into a loop of its own. */
#define MEASURE(name)                                            \
	do {                                                     \
		double best = 1e9;                               \
								 \
		for (int i = 0; i < LOOPS; i++) {                \
			double start = now();                    \
								 \
			for (int k = 0; k < STEPS; k++)          \
				keep(take_##name());             \
			start = (now() - start) / STEPS;         \
			best = start < best ? start : best;      \
		}                                                \
		printf("%-12s%.2f\n", #name, best);              \
	} while (0)

int main(void)
{
	MEASURE(range);
	MEASURE(sequence);
#ifdef __x86_64__
	MEASURE(exchange);
#endif
	MEASURE(generation);
	return 0;
}
