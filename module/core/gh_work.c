// SPDX-License-Identifier: GPL-2.0
/*
 * What the markers of a heap share: spans, and the end of marking.
 *
 * Each marker (struct gh_mark) has a queue of spans of its own, which costs it no
 * lock. A marker that has none left takes some of the shared queue, and waits
 * there if that is empty, too. As long as somebody waits (nr_hungry), every
 * other marker puts all but what it is about to scan on the shared queue after
 * each span. So work moves only when it is wanted, and nobody has to look into
 * the queue of another. An assist does not wait; it leaves word that it has found
 * nothing (starved), and those that come after it find something. Both queues go
 * through the span descriptors and need no memory.
 *
 * A large object is on the shared queue in passing only: whoever takes it scans
 * pieces (gh_span.scan_pos says which are left) and puts it back for others
 * first, once at a time (GH_SPAN_SHARED).
 *
 * Marking is over when the shared queue is empty and no marker is active. A
 * marker is active from the moment it joins or takes spans until it has none; it
 * says so under the lock that the queue is under, so that no span is on its way
 * when both are seen. Roots and barrier buffers can bring new work until then,
 * so the collector looks with programs held off (gh_heap.world, write), when none
 * of them can be a marker, and if there is any lets them go and goes on. If there
 * is none nobody joins any more, and what a check of the marks still finds
 * (check_marks()) the collector marks alone.
 *
 * What markers count they report whenever they wait or leave, and after each
 * 64 KiB.
 */
#include "gh_internal.h"
#include "gh_heap.h"

/* Spans taken from the shared queue at once. */
#define TAKE	32

/**
 * gh_work_init() - make it
 * @w: what to fill in
 */
void gh_work_init(struct gh_work *w)
{
	spin_lock_init(&w->lock);
	init_waitqueue_head(&w->wait);
	w->tail = &w->head;
}

static s64 black_bytes(struct gh_heap *heap)
{
	s64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(heap->stats, cpu)->black_bytes);
	return sum;
}

/**
 * gh_work_begin() - let marking begin
 * @heap: heap
 *
 * Context: heap->world held for writing, all spans swept, no marker active.
 */
void gh_work_begin(struct gh_heap *heap)
{
	struct gh_work *w = &heap->work;

	lockdep_assert_held_write(&heap->world);
	spin_lock(&w->lock);
	WARN_ON_ONCE(w->nr_active || w->head);
	WRITE_ONCE(w->starved, false);
	w->bytes = 0;
	w->scanned = 0;
	w->invalid = 0;
	w->nr_roots = 0;
	w->nr_objs = 0;
	memset(w->root_bytes, 0, sizeof(w->root_bytes));
	w->black_bytes = black_bytes(heap);
	WRITE_ONCE(w->marking, true);
	spin_unlock(&w->lock);
	wake_up_all(&w->wait);
}

/**
 * gh_work_end() - end marking and report
 * @heap: heap
 * @c: out: what the markers have found
 *
 * Context: heap->world held for writing; gh_work_done() was true and the
 * collector's marker has finished since.
 */
void gh_work_end(struct gh_heap *heap, struct gh_cycle *c)
{
	struct gh_work *w = &heap->work;

	lockdep_assert_held_write(&heap->world);
	spin_lock(&w->lock);
	WARN_ON_ONCE(w->nr_active || w->head);
	WRITE_ONCE(w->marking, false);
	c->heap_marked = max_t(s64, w->bytes + black_bytes(heap) -
				    w->black_bytes, 0);
	c->scanned = w->scanned;
	c->scanned_objs = w->nr_objs;
	c->stack_bytes = w->root_bytes[GH_ROOT_STACK];
	c->global_bytes = w->root_bytes[GH_ROOT_HANDLE] +
			  w->root_bytes[GH_ROOT_STATIC];
	c->invalid_refs = w->invalid;
	WRITE_ONCE(heap->invalid_refs, heap->invalid_refs + w->invalid);
	WRITE_ONCE(heap->root_count, w->nr_roots);
	spin_unlock(&w->lock);
	wake_up_all(&w->wait);
}

/* Add what a marker has counted. */
static void report(struct gh_work *w, struct gh_mark *m)
{
	u32 i;

	lockdep_assert_held(&w->lock);
	if (m->background)
		atomic64_add(m->scanned, &m->heap->pace.credit);
	w->bytes += m->bytes;
	WRITE_ONCE(w->scanned, w->scanned + m->scanned);
	w->invalid += m->invalid;
	w->nr_roots += m->nr_roots;
	w->nr_objs += m->nr_objs;
	m->bytes = 0;
	m->scanned = 0;
	m->invalid = 0;
	m->nr_roots = 0;
	m->nr_objs = 0;
	for (i = 0; i < GH_NR_ROOT_KINDS; i++) {
		WRITE_ONCE(w->root_bytes[i],
			   w->root_bytes[i] + m->root_bytes[i]);
		m->root_bytes[i] = 0;
	}
}

/**
 * gh_work_report() - add what a marker has counted
 * @m: marker
 */
void gh_work_report(struct gh_mark *m)
{
	struct gh_work *w = &m->heap->work;

	spin_lock(&w->lock);
	report(w, m);
	spin_unlock(&w->lock);
}

/* Move the marker's queue to the shared one. */
static void give(struct gh_work *w, struct gh_mark *m)
{
	lockdep_assert_held(&w->lock);
	if (!m->head)
		return;
	WRITE_ONCE(w->starved, false);
	WRITE_ONCE(*w->tail, m->head);
	w->tail = m->tail;
	m->head = NULL;
	m->tail = &m->head;
}

/**
 * gh_work_join() - a marker begins
 * @m: marker
 */
void gh_work_join(struct gh_mark *m)
{
	struct gh_work *w = &m->heap->work;

	spin_lock(&w->lock);
	WRITE_ONCE(w->nr_active, w->nr_active + 1);
	spin_unlock(&w->lock);
}

/**
 * gh_work_try_join() - a marker begins, if objects are being marked
 * @m: marker
 *
 * Return: false if they are not.
 */
bool gh_work_try_join(struct gh_mark *m)
{
	struct gh_work *w = &m->heap->work;
	bool marking;

	spin_lock(&w->lock);
	marking = w->marking;
	if (marking)
		WRITE_ONCE(w->nr_active, w->nr_active + 1);
	spin_unlock(&w->lock);
	return marking;
}

/**
 * gh_work_leave() - a marker ends; others scan what it has left
 * @m: marker whose pipeline and window are empty
 */
void gh_work_leave(struct gh_mark *m)
{
	struct gh_work *w = &m->heap->work;

	spin_lock(&w->lock);
	give(w, m);
	report(w, m);
	WRITE_ONCE(w->nr_active, w->nr_active - 1);
	spin_unlock(&w->lock);
	wake_up_all(&w->wait);
}

/**
 * gh_work_give() - let others have the marker's queue
 * @m: marker
 */
void gh_work_give(struct gh_mark *m)
{
	struct gh_work *w = &m->heap->work;

	spin_lock(&w->lock);
	give(w, m);
	spin_unlock(&w->lock);
	wake_up_all(&w->wait);
}

/**
 * gh_work_share() - let others help with a large object
 * @m: marker
 * @s: its span, which the marker has taken off a queue; may be shared already
 */
void gh_work_share(struct gh_mark *m, struct gh_span *s)
{
	struct gh_work *w = &m->heap->work;

	if (atomic_fetch_or(GH_SPAN_SHARED, &s->work) & GH_SPAN_SHARED)
		return;
	spin_lock(&w->lock);
	s->next_queued = NULL;
	WRITE_ONCE(*w->tail, s);
	w->tail = &s->next_queued;
	spin_unlock(&w->lock);
	wake_up_all(&w->wait);
}

/**
 * gh_work_take() - get spans of the shared queue
 * @m: marker without spans
 *
 * Return: false if there are none.
 */
bool gh_work_take(struct gh_mark *m)
{
	struct gh_work *w = &m->heap->work;
	struct gh_span *last;
	int n;

	if (!READ_ONCE(w->head)) {
		if (!m->background && !READ_ONCE(w->starved))
			WRITE_ONCE(w->starved, true);
		return false;
	}
	spin_lock(&w->lock);
	last = w->head;
	if (last) {
		for (n = 1; n < TAKE && last->next_queued; n++)
			last = last->next_queued;
		*m->tail = w->head;
		m->tail = &last->next_queued;
		WRITE_ONCE(w->head, last->next_queued);
		if (!w->head)
			w->tail = &w->head;
		last->next_queued = NULL;
	}
	spin_unlock(&w->lock);
	return last;
}

/* A marker has nothing to do. */
static void go_passive(struct gh_work *w, struct gh_mark *m)
{
	spin_lock(&w->lock);
	report(w, m);
	WRITE_ONCE(w->nr_active, w->nr_active - 1);
	WRITE_ONCE(w->nr_hungry, w->nr_hungry + 1);
	spin_unlock(&w->lock);
	wake_up_all(&w->wait);
}

/**
 * gh_work_wait() - wait for spans to scan
 * @m: marker without spans, pipeline and window empty
 *
 * Others may take them first.
 * Context: may sleep; gh_heap.world not held.
 * Return: false when marking is over; the marker has left then.
 */
bool gh_work_wait(struct gh_mark *m)
{
	struct gh_work *w = &m->heap->work;
	bool marking;

	go_passive(w, m);
	wait_event_idle(w->wait, READ_ONCE(w->head) || !READ_ONCE(w->marking));
	spin_lock(&w->lock);
	WRITE_ONCE(w->nr_hungry, w->nr_hungry - 1);
	/* Marking does not end while this marker is active. */
	marking = w->marking;
	if (marking)
		WRITE_ONCE(w->nr_active, w->nr_active + 1);
	spin_unlock(&w->lock);
	return marking;
}

/**
 * gh_work_wait_all() - wait for spans to scan, or for all other markers
 * @m: marker of the collector, without spans, pipeline and window empty
 *
 * The collector stays active even when gh_work_done() has said that marking is
 * over: it may be that there is more to mark (check_marks()).
 * Context: may sleep; gh_heap.world not held, or marking is over.
 * Return: false when there was no other active marker and nothing to scan.
 */
bool gh_work_wait_all(struct gh_mark *m)
{
	struct gh_work *w = &m->heap->work;
	bool found;

	go_passive(w, m);
	wait_event_idle(w->wait,
			READ_ONCE(w->head) || !READ_ONCE(w->nr_active));
	spin_lock(&w->lock);
	found = w->head;
	WRITE_ONCE(w->nr_hungry, w->nr_hungry - 1);
	WRITE_ONCE(w->nr_active, w->nr_active + 1);
	spin_unlock(&w->lock);
	return found;
}

/**
 * gh_work_done() - is there nothing left to scan?
 * @m: marker of the collector, gh_mark_pending() false
 *
 * Context: heap->world held for writing.
 * Return: true if so; no marker joins from then on.
 */
bool gh_work_done(struct gh_mark *m)
{
	struct gh_work *w = &m->heap->work;
	bool done;

	lockdep_assert_held_write(&m->heap->world);
	spin_lock(&w->lock);
	done = !w->head && w->nr_active == 1;
	if (done)
		WRITE_ONCE(w->marking, false);
	spin_unlock(&w->lock);
	if (done)
		wake_up_all(&w->wait);
	return done;
}
