// SPDX-License-Identifier: GPL-2.0
/*
 * The collector thread of a heap. It alone runs cycles; everybody else posts a
 * request and waits.
 *
 * Cycles are numbered from 1, and four counters say how far the thread is:
 *
 *	wanted >= started >= marked >= swept
 *
 * The thread runs cycle started + 1 when it is wanted, and by then all earlier
 * ones have been swept. Four kinds of requests differ in the cycle n they want
 * and in what they wait for:
 *
 *	a program collects	n = started + 1			swept >= n
 *	the ceiling was hit	n = started + 1			marked >= n
 *	the trigger was reached	the cycle that is marking, if	marked >= n, if
 *				there is one; none, if the	it is overdue; or
 *				trigger is no longer reached;	nothing
 *				otherwise n = started + 1
 *	the kernel needs	none, if there is one that	nothing
 *	memory			has not been swept; else
 *				n = started + 1
 *
 * A cycle looks at roots after it has been started, so cycle started + 1 sees
 * all that was true when the request came, and a cycle that was started before
 * may not. Requests that come before the thread has started that cycle share
 * it. wanted is never more than started + 1, so at most one cycle is owed.
 *
 * If there has been no cycle for some time (GOHEAP_PARAM_GCPERIOD), the thread
 * asks for one itself: what died in an idle heap is not to stay for ever. Not
 * for the first one, and not with GOGC off, as in Go.
 *
 * A caller that stops waiting takes nothing back: the cycle runs.
 *
 * Stopping. At release nobody waits, since whoever waits holds the file. The
 * thread finishes the cycle it is in. It needs no handshake at its start: it
 * finds requests that were posted before its first instruction.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"

#include <linux/kernel_stat.h>
#include <linux/kthread.h>
#include <linux/ratelimit.h>
#include <linux/sched/clock.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "device.h"
#include "trace.h"
#include "trace_line.h"

/* A collector that gets nothing done for so long is not waited for. */
#define PATIENCE	(15 * HZ)

/*
 * Anybody can open a heap; the kernel log is everybody's. A heap has its own
 * share of it, so that one that writes much does not silence the others, as long
 * as there are few of that kind.
 */
#define LOG_INTERVAL	(5 * HZ)
#define LOG_LINES	100
#define LOG_LINES_ALL	1000

static DEFINE_RATELIMIT_STATE(log_limit, LOG_INTERVAL, LOG_LINES_ALL);

static __printf(2, 3) void log_line(struct goheap_file *gf, const char *fmt,
				    ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	if (!__ratelimit(&gf->worker.log_limit) || !__ratelimit(&log_limit))
		return;
	va_start(args, fmt);
	vaf.va = &args;
	pr_info("goheap: heap %u: %pV\n", gf->id, &vaf);
	va_end(args);
}

/*
 * A program's wish outranks the ceiling, that the goal, and that a long time
 * without a cycle, in the records.
 */
static int stronger(int a, int b)
{
	static const u8 rank[] = {
		[GH_CYCLE_PERIODIC] = 0,
		[GH_CYCLE_HEAP] = 1,
		[GH_CYCLE_CEILING] = 2,
		[GH_CYCLE_FORCED] = 3,
	};

	return rank[a] >= rank[b] ? a : b;
}

/* Make sure that cycle started + 1 will run; returns its number. */
static u64 want_next(struct goheap_worker *w, int reason)
{
	u64 n = w->started + 1;

	lockdep_assert_held(&w->lock);
	w->reason = w->wanted == n ? stronger(w->reason, reason) : reason;
	WRITE_ONCE(w->wanted, n);
	wake_up(&w->wake);
	return n;
}

static bool work_to_do(struct goheap_worker *w)
{
	return READ_ONCE(w->wanted) > w->started || kthread_should_stop();
}

/* Begin the next cycle; returns why. */
static int start_cycle(struct goheap_worker *w)
{
	int reason;

	spin_lock(&w->lock);
	w->started++;
	reason = w->reason;
	spin_unlock(&w->lock);
	return reason;
}

/* Publish that @counter has reached the current cycle. */
static void finish(struct goheap_worker *w, u64 *counter)
{
	spin_lock(&w->lock);
	WRITE_ONCE(*counter, w->started);
	spin_unlock(&w->lock);
	wake_up_all(&w->done);
}

/* How long there has been no cycle, and how long that may be, in jiffies. */
static unsigned long idle_time(struct goheap_worker *w)
{
	return jiffies - w->ended;
}

static unsigned long period(struct goheap_file *gf)
{
	u64 ms = READ_ONCE(gf->params[GOHEAP_PARAM_GCPERIOD]);

	/* Longer than that nothing sleeps; it looks again then. */
	return ms ? nsecs_to_jiffies(min_t(u64, ms, INT_MAX) *
				     NSEC_PER_MSEC) + 1 :
		    MAX_SCHEDULE_TIMEOUT;
}

/* Is it time for a cycle that nobody has asked for? */
static bool period_over(struct goheap_file *gf)
{
	struct gh_heap *heap = goheap_heap(gf);

	return idle_time(&gf->worker) >= period(gf) && heap &&
	       heap->nr_cycles &&
	       READ_ONCE(gf->params[GOHEAP_PARAM_GC_PERCENT]) >= 0;
}

/* Wait for a request; ask for a cycle if there is none for long. */
static void wait_for_work(struct goheap_file *gf)
{
	struct goheap_worker *w = &gf->worker;

	while (!work_to_do(w)) {
		unsigned long max = period(gf), idle = idle_time(w);
		/* What was over in vain is looked at again after as long. */
		unsigned long timeout = idle < max ? max - idle : max;

		wait_event_idle_timeout(w->wake,
					work_to_do(w) || period(gf) != max,
					timeout);
		if (work_to_do(w) || !period_over(gf))
			continue;
		spin_lock(&w->lock);
		if (w->wanted == w->started)
			want_next(w, GH_CYCLE_PERIODIC);
		spin_unlock(&w->lock);
	}
}

/* The pacer's line about a sweep. */
static void trace_sweep(struct goheap_file *gf, struct gh_heap *heap)
{
	struct gh_pacer_trace t;
	char line[GOHEAP_TRACE_LINE];

	if (!READ_ONCE(gf->params[GOHEAP_PARAM_GCPACERTRACE]))
		return;
	gh_pacer_trace(&heap->pace.pacer, &t);
	goheap_pacer_sweep_line(line, sizeof(line), &t);
	log_line(gf, "%s", line);
}

static int collector(void *data)
{
	struct goheap_file *gf = data;
	struct goheap_worker *w = &gf->worker;
	struct mem_cgroup *old = set_active_memcg(gf->memcg);

	for (;;) {
		struct gh_heap *heap;
		int reason;

		wait_for_work(gf);
		if (kthread_should_stop())
			break;
		reason = start_cycle(w);
		/* Whoever asked for the cycle has seen the heap. */
		heap = goheap_heap(gf);
		gh_gc_mark_cycle(heap, reason);
		finish(w, &w->marked);
		gh_gc_sweep(heap);
		trace_sweep(gf, heap);
		goheap_shrinker_swept(gf);
		w->ended = jiffies;
		finish(w, &w->swept);
	}
	set_active_memcg(old);
	return 0;
}

/* Number of the cycle to wait for because the goal was reached, or 0. */
static u64 want_for_goal(struct gh_heap *heap, struct goheap_worker *w)
{
	bool overdue = gh_gc_overdue(heap);

	lockdep_assert_held(&w->lock);
	if (w->started != w->marked)
		return overdue ? w->started : 0;
	if (!gh_gc_triggered(heap))
		return 0;
	want_next(w, GH_CYCLE_HEAP);
	return overdue ? w->wanted : 0;
}

/* Grows as long as the collector of a heap gets on. */
static u64 progress(struct gh_heap *heap)
{
	u64 sum = READ_ONCE(heap->nr_cycles) + READ_ONCE(heap->work.scanned);
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(heap->stats, cpu)->swept_pages);
	return sum;
}

/* Wait for a cycle that comes to its end; a collector may have no CPU. */
static int wait_marked(struct gh_heap *heap, struct goheap_worker *w, u64 n)
{
	u64 before;
	long left;

	do {
		before = progress(heap);
		left = wait_event_killable_timeout(w->done,
						   READ_ONCE(w->marked) >= n,
						   PATIENCE);
	} while (!left && progress(heap) != before);
	if (left < 0)
		return -EINTR;
	return left ? 0 : -ENOMEM;
}

/**
 * gh_port_collect() - have a cycle run and wait for the end of its marking
 * @heap: heap
 * @reason: enum gh_cycle_reason
 *
 * Context: may sleep; no lock held.
 * Return: 0; -EINTR if the caller is being killed; -ENOMEM if the collector has not
 * got on for long. Then who needs its memory fails, and who is only beyond the goal
 * (GH_CYCLE_HEAP, 0) goes on.
 */
int gh_port_collect(struct gh_heap *heap, int reason)
{
	struct goheap_worker *w = &goheap_file_of(heap)->worker;
	int err;
	u64 n;

	might_sleep();
#ifdef GH_TESTS
	/* A test's heap has no thread; the test is its collector. */
	if (!w->task) {
		gh_gc_mark_cycle(heap, reason);
		return 0;
	}
#endif
	spin_lock(&w->lock);
	n = reason == GH_CYCLE_HEAP ? want_for_goal(heap, w) :
				      want_next(w, reason);
	spin_unlock(&w->lock);
	goheap_cgroup_enter(goheap_file_of(heap));
	err = wait_marked(heap, w, n);
	return err == -ENOMEM && reason == GH_CYCLE_HEAP ? 0 : err;
}

/**
 * goheap_worker_collect() - collect because a program says so
 * @gf: file whose heap is in use
 *
 * Waits until a cycle that starts after the call has been swept.
 * Context: may sleep; no lock held.
 * Return: 0, or -ERESTARTNOHAND if a signal came; the cycle runs nevertheless.
 * The call is then made again, unless a handler ran: a program with a timer
 * would else never see it end.
 */
int goheap_worker_collect(struct goheap_file *gf)
{
	struct goheap_worker *w = &gf->worker;
	u64 n;

	might_sleep();
	spin_lock(&w->lock);
	n = want_next(w, GH_CYCLE_FORCED);
	spin_unlock(&w->lock);
	goheap_cgroup_enter(gf);
	if (wait_event_interruptible(w->done, READ_ONCE(w->swept) >= n))
		return -ERESTARTNOHAND;
	return 0;
}

/**
 * goheap_worker_request() - have a cycle run because the kernel needs memory
 * @gf: file whose heap is in use
 *
 * A cycle that is running will do: it frees something.
 * Context: does not sleep; any lock may be held but goheap_worker.lock.
 * Return: true if there will be one that would not have been.
 */
bool goheap_worker_request(struct goheap_file *gf)
{
	struct goheap_worker *w = &gf->worker;
	bool idle;

	spin_lock(&w->lock);
	idle = w->swept == w->wanted;
	if (idle)
		want_next(w, GH_CYCLE_CEILING);
	spin_unlock(&w->lock);
	return idle;
}

/**
 * gh_port_idle_ns() - idle time of all CPUs together in ns
 *
 * Return: since the machine was started, of CPUs that are offline until they
 * went. It is counted in ticks, and that of a CPU that sleeps is added when it
 * wakes up.
 */
u64 gh_port_idle_ns(void)
{
	u64 sum = 0;
	int cpu;

	/* Not only those online: when one comes back its past is nothing new. */
	for_each_possible_cpu(cpu)
		sum += kcpustat_cpu(cpu).cpustat[CPUTIME_IDLE];
	return sum;
}

/**
 * gh_port_cpu_ns() - CPU time of the calling thread in ns
 *
 * The scheduler's sum is as of the last tick or context switch; what came since
 * is added here, and at most the time between two ticks, because the two clocks
 * drift apart where time of interrupts is accounted.
 *
 * Return: nanoseconds.
 */
u64 gh_port_cpu_ns(void)
{
	u64 sum, slice;

	preempt_disable();
	sum = current->se.sum_exec_runtime;
	slice = local_clock() - current->se.exec_start;
	preempt_enable();
	return sum + min_t(u64, slice, TICK_NSEC);
}

/* The pacer's lines about a cycle. */
static void trace_pacer(struct goheap_file *gf, struct gh_heap *heap)
{
	struct gh_pacer_trace t;
	char line[GOHEAP_TRACE_LINE];

	gh_pacer_trace(&heap->pace.pacer, &t);
	goheap_pacer_start_line(line, sizeof(line), &t);
	log_line(gf, "%s", line);
	goheap_pacer_end_line(line, sizeof(line), &t);
	log_line(gf, "%s", line);
}

/**
 * gh_port_trace_cycle() - report a finished cycle where gctrace asks for it
 * @heap: heap
 * @c: its record
 *
 * Context: collector; no lock held.
 */
void gh_port_trace_cycle(struct gh_heap *heap, const struct gh_cycle *c)
{
	struct goheap_file *gf = goheap_file_of(heap);
	char line[GOHEAP_TRACE_LINE];

	if (c->invalid_refs && READ_ONCE(heap->invalidptr))
		log_line(gf, "gc %llu: %llu bad references", c->cycle,
			 c->invalid_refs);
	trace_goheap_worker(gf->id, c->scanned, c->cpu_ns);
	if (READ_ONCE(gf->params[GOHEAP_PARAM_GCPACERTRACE]))
		trace_pacer(gf, heap);
	if (!READ_ONCE(gf->params[GOHEAP_PARAM_GCTRACE]))
		return;
	goheap_trace_line(line, sizeof(line), c);
	log_line(gf, "%s", line);
	if (READ_ONCE(gf->params[GOHEAP_PARAM_GCTRACE]) < 2)
		return;
	goheap_scan_line(line, sizeof(line), c);
	log_line(gf, "%s", line);
}

/**
 * gh_port_checkmark() - report what a check of the marks has found
 * @heap: heap
 * @r: an object that has no mark; NULL if the check is incomplete
 *
 * Context: collector, gh_heap.world held for writing.
 */
void gh_port_checkmark(struct gh_heap *heap, const struct gh_check_report *r)
{
	struct goheap_file *gf = goheap_file_of(heap);
	char line[GOHEAP_TRACE_LINE];

	if (!r) {
		log_line(gf, "checkmark: no memory for all of the check");
		return;
	}
	goheap_check_line(line, sizeof(line), heap->tag, r);
	log_line(gf, "%s", line);
}

/**
 * gh_port_trace_scavenge() - report the scavenger's work where scavtrace asks
 *	for it
 * @heap: heap
 * @t: what it did since the last report
 *
 * Context: may sleep; no lock held.
 */
void gh_port_trace_scavenge(struct gh_heap *heap,
			    const struct gh_scav_trace *t)
{
	struct goheap_file *gf = goheap_file_of(heap);
	char line[GOHEAP_TRACE_LINE];

	if (!READ_ONCE(gf->params[GOHEAP_PARAM_SCAVTRACE]))
		return;
	goheap_scav_line(line, sizeof(line), t);
	log_line(gf, "%s", line);
}

/**
 * goheap_worker_period() - GOHEAP_PARAM_GCPERIOD has changed
 * @gf: file
 */
void goheap_worker_period(struct goheap_file *gf)
{
	wake_up(&gf->worker.wake);
}

/**
 * goheap_worker_init() - make a new file ready for its collector
 * @gf: file
 */
void goheap_worker_init(struct goheap_file *gf)
{
	struct goheap_worker *w = &gf->worker;

	spin_lock_init(&w->lock);
	init_waitqueue_head(&w->wake);
	init_waitqueue_head(&w->done);
	w->ended = jiffies;
	ratelimit_state_init(&w->log_limit, LOG_INTERVAL, LOG_LINES);
}

/**
 * goheap_worker_start() - start the collector thread of a new file
 * @gf: file
 *
 * Return: 0 or -errno.
 */
int goheap_worker_start(struct goheap_file *gf)
{
	struct goheap_worker *w = &gf->worker;

	w->task = kthread_run(collector, gf, "goheap-gc/%u", gf->id);
	return PTR_ERR_OR_ZERO(w->task);
}

/**
 * goheap_worker_stop() - end the collector thread
 * @gf: file that nobody uses any more
 *
 * Context: may sleep; waits for a cycle that is under way.
 */
void goheap_worker_stop(struct goheap_file *gf)
{
	struct goheap_worker *w = &gf->worker;
	struct task_struct *task = get_task_struct(w->task);

	/* Only to find mistakes: nothing depends on the answer. */
	WARN_ON_ONCE(waitqueue_active(&w->done));
	goheap_cgroup_stop(gf);
	kthread_stop(task);
	goheap_cgroup_ended(gf, task);
	put_task_struct(task);
}
