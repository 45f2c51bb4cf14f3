// SPDX-License-Identifier: GPL-2.0
/*
 * A collection from start to end, and when to start one.
 *
 *	sweep what the last cycle left		beside the programs
 *	phase = mark; tell programs; leases
 *	turn black				setup, a stop
 *	roots; drain; barrier buffers		mark, beside the programs
 *	nothing left? phase = mark termination;
 *	take leases back; flush the mcaches;
 *	sweepgen += 2; new goal			termination, a stop
 *	sweep					beside the programs
 *
 * In a stop gh_heap.world is held for writing, so nobody is in a call that
 * allocates or makes roots, or gets a page mapped. Programs that need nothing of
 * the kernel run on; they are interrupted for a moment (gh_port_sync_users()),
 * which is all that a stop costs them. Its length depends on the number of
 * mutators and CPUs and not on the heap.
 *
 * Why nothing is lost. Go's hybrid barrier: while objects are being marked, a
 * thread that overwrites a reference reports it, and the one that it stores, too
 * (gh_mutator.drained says what has been taken of that). Roots that are written
 * with the barrier - handles, handle stacks, variables - are read first, then
 * threads, which write to their registers and stacks without, each at one moment.
 * From then on what a thread has loaded is either marked, or was reachable when
 * it was loaded by a path through the heap that cannot be cut without a report.
 * Therefore marking is over when nothing is grey and no report is left; a report
 * that is not in a buffer by then belongs to a store that has not been made.
 *
 * A thread may be stopped for as long as one likes between its test of the
 * marking word and its store. If marking begins there, the store is not reported
 * before it is made, and by the time of the second test, after it, what was
 * overwritten is gone. So a thread writes to its control page where it is going to
 * store before it tests (gh_control.slot). What is there when marking begins is
 * marked, before the first thread is read; what others store there later they
 * report. It is looked at whenever barrier buffers are, for the sake of threads
 * that were killed between store and report.
 *
 * One thread, the heap's collector, runs cycles one after another; it alone
 * changes phase and sweepgen, in stops. So whoever holds world for reading sees
 * neither change, and no span is in an mcache across a change of sweepgen.
 *
 * With gh_heap.stop_the_world programs are kept from objects from setup to
 * termination, as debuggers of programs and of the collector may want it.
 *
 * When a cycle starts, and how programs help, is told in gh_pace.c.
 */
#include "gh_internal.h"
#include "gh_checkmark.h"
#include "gh_heap.h"
#include "gh_mutator.h"
#include "gh_port.h"

static void mark_batches(struct gh_heap *heap, struct gh_mark *m)
{
	struct gh_batch *b;

	mutex_lock(&heap->batch_lock);
	list_for_each_entry(b, &heap->batches, node)
		gh_mark_refs(m, b->refs, b->nr, GH_ROOT_BATCH);
	mutex_unlock(&heap->batch_lock);
}

static enum gh_pacer_kind kind_of(struct gh_heap *heap, u32 reason)
{
	if (heap->stop_the_world)
		return GH_PACER_STW;
	return reason == GH_CYCLE_PERIODIC ? GH_PACER_PERIODIC :
					     GH_PACER_NORMAL;
}

/*
 * From here on stores are reported and new objects are black. No thread is in a
 * call, and all others have seen it when gh_port_sync_users() returns.
 */
static void mark_setup(struct gh_heap *heap, const struct gh_cycle *c)
{
	struct gh_mark *m = &heap->mark;

	WRITE_ONCE(heap->phase, GH_PHASE_MARK);
	gh_work_begin(heap);
	gh_pace_limiter(heap, true);
	gh_pace_start(heap, kind_of(heap, c->reason));
	gh_port_set_marking(heap, heap->nr_cycles + 1);
	if (heap->stop_the_world)
		gh_port_hold_users(heap);
	else
		gh_port_sync_users(heap);
	gh_mark_begin(m, heap);
	m->background = true;
	gh_mutator_begin_all(heap, m);
	gh_mcache_begin_all(heap, m);
	mark_batches(heap, m);
	gh_port_event(heap, GH_EVENT_MARK_START, 0, 0);
}

/* Have others mark, too, for as long as marking goes on. */
static void start_workers(struct gh_heap *heap)
{
	u32 idle, nr = gh_pace_workers(heap, &idle);

	gh_port_start_workers(heap, nr, idle);
}

/* Mark until no marker has anything left and no buffer anything new. */
static void mark_phase(struct gh_heap *heap)
{
	struct gh_mark *m = &heap->mark;

	do {
		do {
			gh_mark_drain(m, U64_MAX);
		} while (gh_work_wait_all(m));
		gh_mutator_drain_all(heap, m);
	} while (gh_mark_pending(m));
}

/*
 * Is there nothing left to mark, now that nobody is in a call? A report that
 * cannot be seen yet belongs to a store that cannot be seen either.
 */
static bool mark_done(struct gh_heap *heap)
{
	struct gh_mark *m = &heap->mark;

	gh_mutator_drain_all(heap, m);
	return !gh_mark_pending(m) && gh_work_done(m);
}

/* Have somebody else say what is reachable. World held for writing. */
static void check_marks(struct gh_heap *heap)
{
	if (likely(!READ_ONCE(heap->checkmark)))
		return;
	gh_port_hold_users(heap);
	gh_checkmark_run(heap, NULL);
	while (!mark_done(heap))
		mark_phase(heap);
}

static void mark_termination(struct gh_heap *heap, struct gh_cycle *c)
{
	WRITE_ONCE(heap->phase, GH_PHASE_MARK_TERMINATION);
	c->heap_end = atomic64_read(&heap->heap_live);
	gh_mutator_flush_all(heap);
	gh_mcache_flush_all(heap);
	gh_mark_finish(&heap->mark);
	gh_work_end(heap, c);
	WRITE_ONCE(heap->sweepgen, heap->sweepgen + 2);
	WRITE_ONCE(heap->sweep_class, 0);
	WRITE_ONCE(heap->heap_marked, c->heap_marked);
	gh_scavenge_end_cycle(heap);
	gh_pace_end(heap, c);
	gh_pace_limiter(heap, false);
	gh_port_set_marking(heap, 0);
	WRITE_ONCE(heap->phase, GH_PHASE_OFF);
	gh_port_event(heap, GH_EVENT_MARK_TERM, c->heap_marked, 0);
	if (heap->stop_the_world > 1)
		gh_sweep_stopped(heap);
	gh_check_verify(heap);
}

/* Mark beside the programs. The world is held for writing at the end. */
static void mark_concurrently(struct gh_heap *heap, struct gh_cycle *c)
{
	u64 since = ktime_get_ns();

	down_write(&heap->world);
	mark_setup(heap, c);
	up_write(&heap->world);
	c->setup_ns = ktime_get_ns() - since;
	start_workers(heap);
	if (!heap->pace.pacer.dedicated)
		gh_mark_share(&heap->mark, gh_pace_share(heap));
	gh_port_mark_roots(heap, &heap->mark);
	for (;;) {
		mark_phase(heap);
		since = ktime_get_ns();
		down_write(&heap->world);
		if (mark_done(heap))
			break;
		up_write(&heap->world);
		c->setup_ns += ktime_get_ns() - since;
	}
	gh_mark_share(&heap->mark, 0);
	c->term_ns = since;
}

/* Mark with all programs held off. Likewise. */
static void mark_stopped(struct gh_heap *heap, struct gh_cycle *c)
{
	u64 since = ktime_get_ns();

	down_write(&heap->world);
	mark_setup(heap, c);
	start_workers(heap);
	gh_port_mark_roots(heap, &heap->mark);
	do {
		mark_phase(heap);
	} while (!mark_done(heap));
	c->setup_ns = ktime_get_ns() - since;
	c->term_ns = since + c->setup_ns;
}

/* File the record; readers see the cycle as finished from here on. */
static void publish_cycle(struct gh_heap *heap, struct gh_cycle *c)
{
	u64 total = ktime_get_ns() - heap->birth_ns;

	heap->gc_cpu_ns += c->cpu_ns + c->assist_ns + c->idle_ns;
	heap->pause_ns += c->stopped_ns;
	if (c->reason == GH_CYCLE_FORCED)
		heap->nr_forced++;
	c->nr_cpus = num_online_cpus();
	c->cpu_permille = div64_u64(heap->gc_cpu_ns * 1000,
				    max_t(u64, total * c->nr_cpus, 1));
	spin_lock(&heap->cycle_lock);
	c->cycle = heap->nr_cycles + 1;
	heap->cycles[c->cycle % GH_NR_CYCLES] = *c;
	WRITE_ONCE(heap->nr_cycles, c->cycle);
	spin_unlock(&heap->cycle_lock);
}

/**
 * gh_gc_mark_cycle() - run a cycle up to the start of its sweep
 * @heap: heap
 * @reason: why
 *
 * Context: may sleep; the heap's collector only, no lock held.
 */
void gh_gc_mark_cycle(struct gh_heap *heap, enum gh_cycle_reason reason)
{
	struct gh_cycle c = { .reason = reason };
	u64 begin = ktime_get_ns(), marking, end;
	u64 cpu = gh_port_cpu_ns();

	c.start_ns = begin - heap->birth_ns;
	c.heap_start = atomic64_read(&heap->heap_live);
	c.goal = gh_pacer_goal(&heap->pace.pacer);
	gh_port_event(heap, GH_EVENT_CYCLE_START, reason, 0);
	gh_sweep_all(heap);

	marking = ktime_get_ns();
	if (READ_ONCE(heap->stop_the_world))
		mark_stopped(heap, &c);
	else
		mark_concurrently(heap, &c);
	gh_port_event(heap, GH_EVENT_MARK_DONE, 0, 0);
	check_marks(heap);
	mark_termination(heap, &c);
	up_write(&heap->world);
	end = ktime_get_ns();
	gh_port_stop_workers(heap);

	c.end_ns = ktime_get_real_ns();
	c.mark_ns = c.term_ns - marking - min(c.setup_ns, c.term_ns - marking);
	c.term_ns = end - c.term_ns;
	c.stopped_ns = c.setup_ns + c.term_ns;
	c.cpu_ns = gh_port_cpu_ns() - cpu +
		   atomic64_read(&heap->pace.worker_ns);
	publish_cycle(heap, &c);
	gh_port_trace_cycle(heap, &c);
}

/**
 * gh_gc_sweep() - sweep after a cycle, and keep to the memory limit
 * @heap: heap
 *
 * Context: may sleep; no lock held.
 * Return: pages freed.
 */
u64 gh_gc_sweep(struct gh_heap *heap)
{
	u64 since = ktime_get_ns();
	u64 freed = gh_sweep_background(heap);
	u64 excess = gh_pace_swept(heap);

	if (excess)
		gh_heap_release(heap, excess);
	gh_port_event(heap, GH_EVENT_SWEEP, freed, ktime_get_ns() - since);
	gh_port_event(heap, GH_EVENT_SWEEP_DONE, 0, 0);
	if (unlikely(READ_ONCE(heap->verify))) {
		down_write(&heap->world);
		gh_check_verify(heap);
		up_write(&heap->world);
	}
	gh_scavenge_swept(heap);
	return freed;
}

/**
 * gh_gc_get_cycle() - read the record of a cycle
 * @heap: heap
 * @cycle: its number, 0 for the last one
 * @c: out: the record
 *
 * Return: false if the cycle has not ended, or its record is gone.
 */
bool gh_gc_get_cycle(struct gh_heap *heap, u64 cycle, struct gh_cycle *c)
{
	bool found;

	spin_lock(&heap->cycle_lock);
	if (!cycle)
		cycle = heap->nr_cycles;
	found = cycle && cycle <= heap->nr_cycles &&
		heap->nr_cycles - cycle < GH_NR_CYCLES;
	if (found)
		*c = heap->cycles[cycle % GH_NR_CYCLES];
	spin_unlock(&heap->cycle_lock);
	return found;
}
