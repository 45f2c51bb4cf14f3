// SPDX-License-Identifier: GPL-2.0
/*
 * gh_port.h for the host device: threads that help a collector to mark.
 *
 * The kernel has a queue of work for them; here each heap has threads of its own
 * that sleep between cycles. As in the kernel one that is idle in the sense of Go
 * has the weakest priority there is. A thread without privileges does not get its
 * own back, so there are two kinds of threads.
 *
 * States of a helper:
 *
 *	ASLEEP	-> WANTED	by the collector, when marking begins
 *	WANTED	-> AWAKE	by the helper
 *	WANTED	-> ASLEEP	by the collector, when it ends before that
 *	AWAKE	-> ASLEEP	by the helper
 *	ASLEEP	-> GONE		by whoever closes the heap
 */
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "device.h"
#include "gh_port.h"

#define NICEST	19

enum {
	ASLEEP,
	WANTED,
	AWAKE,
	GONE,
};

/* Helpers that may run at once. */
static u32 allowed = HOST_HELPERS;

void host_set_markers(int nr)
{
	WRITE_ONCE(allowed, min_t(u32, nr - 1, HOST_HELPERS));
}

static bool change(struct host_helper *h, u32 from, u32 to)
{
	return cmpxchg(&h->state, from, to) == from;
}

static void *help(void *data)
{
	struct host_helper *h = data;
	struct host_helpers *hs = &h->hh->helpers;

	gh_user_cpu = HOST_HELPER + (h - hs->v[h->idle]);
	if (h->idle)
		setpriority(PRIO_PROCESS, syscall(SYS_gettid), NICEST);
	for (;;) {
		wait_event_idle(h->wake, READ_ONCE(h->state) != ASLEEP);
		if (READ_ONCE(h->state) == GONE)
			return NULL;
		if (!change(h, WANTED, AWAKE))
			continue;
		gh_mark_worker(h->hh->core, h->idle);
		smp_store_release(&h->state, ASLEEP);
		wake_up_all(&hs->done);
	}
}

static void order(struct host_helper *h, u32 state)
{
	WRITE_ONCE(h->state, state);
	wake_up_all(&h->wake);
}

void gh_port_start_workers(struct gh_heap *heap, u32 nr, u32 idle)
{
	struct host_helpers *hs = &((struct host_heap *)heap->port)->helpers;
	u32 i;

	nr = min(nr, READ_ONCE(allowed));
	for (i = 0; i < nr; i++)
		/* The first ones are those that have to run. */
		order(&hs->v[i >= nr - min(idle, nr)][i], WANTED);
}

static void stop(struct host_helpers *hs, struct host_helper *h)
{
	if (!change(h, WANTED, ASLEEP))
		wait_event_idle(hs->done,
				smp_load_acquire(&h->state) == ASLEEP);
}

void gh_port_stop_workers(struct gh_heap *heap)
{
	struct host_helpers *hs = &((struct host_heap *)heap->port)->helpers;
	u32 i;

	for (i = 0; i < HOST_HELPERS; i++) {
		stop(hs, &hs->v[false][i]);
		stop(hs, &hs->v[true][i]);
	}
}

void host_helpers_start(struct host_heap *hh)
{
	u32 i, idle;

	for (i = 0; i < HOST_HELPERS; i++) {
		for (idle = 0; idle < 2; idle++) {
			struct host_helper *h = &hh->helpers.v[idle][i];

			h->hh = hh;
			h->idle = idle;
			gh_user_require(!pthread_create(&h->thread, NULL, help,
							h), "no thread");
		}
	}
}

void host_helpers_stop(struct host_heap *hh)
{
	u32 i, idle;

	for (i = 0; i < HOST_HELPERS; i++)
		for (idle = 0; idle < 2; idle++)
			order(&hh->helpers.v[idle][i], GONE);
	for (i = 0; i < HOST_HELPERS; i++)
		for (idle = 0; idle < 2; idle++)
			pthread_join(hh->helpers.v[idle][i].thread, NULL);
}
