/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What programs of this folder share besides the core: the port's controls,
 * random numbers, arguments.
 */
#ifndef GH_USER_H
#define GH_USER_H

#include "gh_heap.h"

/*
 * struct gh_user_roots - roots of a heap, read by gh_port_mark_roots()
 * @refs: references
 * @nr: how many
 */
struct gh_user_roots {
	u64 *refs;
	u64 nr;
};

#define GH_USER_TAG	0x60a1

/* At most one set of roots per heap; NULL takes it away. */
void gh_user_set_roots(struct gh_heap *heap, struct gh_user_roots *roots);

/*
 * A test's own programs: told when marking begins and ends (under gh_heap.world,
 * write), asked for roots, and told to keep off objects until marking ends.
 */
struct gh_user_program {
	void (*set_marking)(struct gh_heap *heap, u64 cycle);
	void (*mark_roots)(struct gh_heap *heap, struct gh_mark *m);
	void (*hold)(void);
};

extern const struct gh_user_program *gh_user_program;
/* Limit of gh_port_memory_limit(); U64_MAX, as at first, is none. */
void gh_user_set_limit(u64 bytes);

/* Threads that help to mark, whatever the heap's size; at most 8. */
extern u32 gh_user_workers;

/* A heap of GH_USER_TAG; NULL without memory. */
struct gh_heap *gh_user_heap(u64 aspace, u64 max_heap);

/* Sum of a field of struct gh_stats over all CPUs. */
#define gh_user_stat(heap, field) ({ \
	s64 sum_ = 0; \
	int cpu_; \
	for_each_possible_cpu(cpu_) \
		sum_ += READ_ONCE(per_cpu_ptr((heap)->stats, cpu_)->field); \
	sum_; })

/* xorshift64*; the state must not be 0. */
static inline u64 gh_user_random(u64 *state)
{
	u64 x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

/* Value of "--name N" among the arguments, or @dflt. */
u64 gh_user_arg(int argc, char **argv, const char *name, u64 dflt);

#endif /* GH_USER_H */
