// SPDX-License-Identifier: GPL-2.0
/*
 * The background scavenger of a host heap: calls gh_scavenge_run() when it is
 * woken, and then again after the time that was said. A wake meanwhile changes
 * nothing unless it only sleeps to look again (module/dev/scavenger.c).
 */
#include <time.h>

#include "device.h"
#include "gh_port.h"

/* Sleep until woken, or for so long; 0: for ever. */
static void sleep_ns(struct host_scavenger *s, u64 ns, bool keep_pace)
{
	u64 until = ktime_get_real_ns() + ns;
	struct timespec ts = { until / NSEC_PER_SEC, until % NSEC_PER_SEC };
	int err = 0;

	while (!err && !s->stop && (keep_pace || !s->wanted))
		err = ns ? pthread_cond_timedwait(&s->wake, &s->lock, &ts) :
			   pthread_cond_wait(&s->wake, &s->lock);
}

static void *scavenge(void *data)
{
	struct host_heap *hh = data;
	struct host_scavenger *s = &hh->scavenger;
	u64 ns = 0;

	gh_user_cpu = HOST_SCAVENGER;
	pthread_mutex_lock(&s->lock);
	for (;;) {
		sleep_ns(s, ns, ns && hh->core->scav.worked_ns);
		if (s->stop)
			break;
		s->wanted = false;
		pthread_mutex_unlock(&s->lock);
		ns = gh_scavenge_run(hh->core);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

void gh_port_wake_scavenger(struct gh_heap *heap)
{
	struct host_scavenger *s =
		&((struct host_heap *)heap->port)->scavenger;

	pthread_mutex_lock(&s->lock);
	if (!s->wanted)
		pthread_cond_signal(&s->wake);
	s->wanted = true;
	pthread_mutex_unlock(&s->lock);
}

/* A heap that is being made wakes it already. */
void host_scavenger_init(struct host_heap *hh)
{
	pthread_mutex_init(&hh->scavenger.lock, NULL);
	pthread_cond_init(&hh->scavenger.wake, NULL);
}

void host_scavenger_start(struct host_heap *hh)
{
	struct host_scavenger *s = &hh->scavenger;

	gh_user_require(!pthread_create(&s->thread, NULL, scavenge, hh),
			"no thread");
}

void host_scavenger_stop(struct host_heap *hh)
{
	struct host_scavenger *s = &hh->scavenger;

	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
}
