/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A crowd for tests of what is done to the collector meanwhile: a few threads whose
 * stacks are read. An allocation that is refused is made again. Beside what they
 * move there is a ballast that takes a collection some time.
 */
#ifndef GOHEAP_TEST_MOVERS_H
#define GOHEAP_TEST_MOVERS_H

#include "crowd.h"

#define MOVERS		3

struct movers {
	struct heap *h;
	__u64 ballast;		/* objects */
	struct shared s;
	struct worker w[MOVERS];
};

/* Start them, with so much ballast. */
static inline int movers_start(struct movers *all, struct heap *h,
			       __u64 ballast)
{
	__u32 refs = gh_layout_words(h->fd, 1, 1);

	memset(all, 0, sizeof(*all));
	all->h = h;
	all->ballast = ballast / (64 * KIB);
	if (!fill_shared(&all->s, h) ||
	    heap_push_many(h, 64 * KIB, refs, all->ballast) != all->ballast)
		return -ENOMEM;
	for (int i = 0; i < MOVERS; i++) {
		all->w[i] = (struct worker){
			.h = h, .s = &all->s, .mode = CONSERVATIVE,
			.patient = true, .seed = 1 + i,
		};
		start_worker(&all->w[i]);
	}
	return 0;
}

/* Has one of them found something wrong? */
static inline bool movers_failed(const struct movers *all)
{
	for (int i = 0; i < MOVERS; i++)
		if (__atomic_load_n(&all->w[i].bad.why, __ATOMIC_RELAXED))
			return true;
	return false;
}

/* Wait until they have made so many steps more; what does not move is a hang. */
static inline void movers_wait(struct movers *all, unsigned long more)
{
	unsigned long *steps = &all->s.steps, *moved = &all->s.moved;
	unsigned long start = __atomic_load_n(steps, __ATOMIC_RELAXED);

	while ((__atomic_load_n(steps, __ATOMIC_RELAXED) - start < more ||
		!__atomic_load_n(moved, __ATOMIC_RELAXED)) &&
	       !movers_failed(all))
		usleep(1000);
}

/* Stop them; how many have found something wrong. */
static inline int movers_stop(struct movers *all)
{
	__atomic_store_n(&all->s.done, 1, __ATOMIC_RELEASE);
	return join_workers(all->w, MOVERS);
}

/* Objects that are more than there should be, when all are stopped. */
static inline __u64 movers_surplus(struct movers *all)
{
	return surplus(all->h, &all->s, all->ballast);
}

#endif /* GOHEAP_TEST_MOVERS_H */
