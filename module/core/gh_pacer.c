// SPDX-License-Identifier: GPL-2.0
/*
 * Pacer: when a collection starts and how much the program helps it.
 *
 *	0 ------- marked ------------- trigger ------- goal -----> heap_live
 *	          |<----- program alone ---->|<- marking ->|
 *	                                     |<- runway -->|
 *
 * The goal is how large the heap may be when marking is over: what was live
 * plus GOGC percent of it and of the roots, or what the memory limit leaves,
 * whichever is less. The program goes on allocating while it is marked, so the
 * cycle has to start before that, by the runway: as much as the program is
 * expected to allocate until all is scanned with a quarter of the CPU time.
 *
 * cons/mark says how much that is: bytes allocated for each byte scanned, each
 * divided by the CPU time it took. It is a property of the program and does not
 * depend on how the CPUs were shared, so what one cycle has shown holds for the
 * next. In a cycle with utilization u, which is the planned quarter plus
 * assists, idle workers i, S bytes scanned and A bytes allocated,
 *
 *	cons/mark = A * (u + i) / (S * (1 - u))
 *	runway    = cons/mark * (1 - 1/4) / (1/4) * expected S
 *
 * The largest of the last five cycles counts: to start too early costs memory
 * for a while, to start too late costs assists. What is scanned is expected to
 * be what was scanned last.
 *
 * If that was wrong the program pays: a thread that allocates while marking has
 * to scan as many bytes for each of its own as there are still to scan for each
 * byte left to the goal. When more turns out to be live than last time, the
 * goal gives way in proportion, up to the one that GOGC would set at the
 * present goal; beyond the goal, or that, there is a last tenth of it.
 *
 * The trigger is also where sweeping has to be over, by sweeping so many pages
 * for each byte allocated from the end of marking on.
 *
 * Invariants: heap_marked <= trigger <= goal, with heap_marked < trigger if
 * heap_marked + 64 <= goal; only a goal moved by the memory limit while marking
 * may be below triggered.
 *
 * Numbers are integers and Q32 (gh_fixed.h). Go calculates with floating point;
 * results differ in the last digits, and at poles of its formulas, where this
 * file says what it does. Called by the collector in the order that gh_pacer.h
 * gives; no function takes a lock, sleeps or looks at a clock. Whoever calls
 * serialises.
 */
#include "gh_internal.h"
#include "gh_pacer.h"

/*
 * Bounds of the trigger, in 64ths of the way from heap_marked to the goal
 * (triggerRatioDistance, minTriggerRatioDistance, maxTriggerRatioDistance).
 * Below, the heap would be allocated black nearly all the time; above, there
 * would be no room for what has not been foreseen.
 */
#define TRIGGER_PARTS		64
#define MIN_TRIGGER_PARTS	45
#define MAX_TRIGGER_PARTS	61

/* Goal above where the cycle started, at least (minRunway). */
#define MIN_RUNWAY		(64ULL << 10)

/* Sweeping is over so many bytes before the trigger (sweepMinHeapDistance). */
#define SWEEP_MIN_DISTANCE	(1ULL << 20)

/* Scan work that is left at least, as long as marking goes on (revise). */
#define MIN_WORK_LEFT		1000

/* Beyond the goal 1 / this of it is left (maxOvershoot, 1.1). */
#define OVERSHOOT_DIV		10

/* Of the work that is left, 1 / this may be owed to assists. */
#define OVERDRAFT_DIV		8

/* GOGC in revise() while it is off. */
#define PERCENT_WHEN_OFF	100000

/*
 * Most that utilization counts for cons/mark, where Go has a pole at 1. Our own
 * number; only clocks that disagree get there.
 */
#define MAX_UTILIZATION		(GH_FIX_ONE / 64 * 63)

static u64 total_work(const struct gh_pacer_work *w)
{
	return gh_sat_add(gh_sat_add(w->heap, w->stack), w->globals);
}

/* Bytes to scan in a cycle like the last one. */
static u64 expected_work(const struct gh_pacer *p)
{
	return gh_sat_add(gh_sat_add(p->last_heap_scan, p->last_stack_scan),
			  p->globals_scan);
}

/*
 * What the memory limit leaves for objects: all but overhead, and but for what
 * is beyond the limit already; then headroom for what the pacer cannot foresee.
 */
static u64 limit_goal(const struct gh_pacer *p)
{
	const struct gh_pacer_memory *mem = &p->memory;
	u64 used, goal, headroom;

	if (p->memory_limit == S64_MAX)
		return U64_MAX;
	used = gh_sat_sub(mem->mapped_ready,
			  gh_sat_add(mem->heap_free, mem->heap_alloc));
	used = gh_sat_add(used, gh_sat_sub(mem->mapped_ready, p->memory_limit));
	if (used >= p->memory_limit)
		return p->heap_marked;
	goal = p->memory_limit - used;
	headroom = max_t(u64, goal / 100 * GH_LIMIT_HEADROOM_PCT,
			 GH_LIMIT_HEADROOM_MIN);
	goal = max(gh_sat_sub(goal, headroom), headroom);
	return max(goal, p->heap_marked);
}

static u64 part_of_way(const struct gh_pacer *p, u64 goal, u32 parts)
{
	return p->heap_marked + (goal - p->heap_marked) / TRIGGER_PARTS * parts;
}

/* Where to start for @goal, but not before @floor. */
static u64 trigger_for(const struct gh_pacer *p, u64 goal, u64 floor)
{
	u64 lower, upper;

	/* A heap beyond its limit: one cycle after the other. */
	if (p->heap_marked >= goal)
		return goal;
	lower = max3(floor, p->heap_marked,
		     part_of_way(p, goal, MIN_TRIGGER_PARTS));
	/* A cycle with nothing to do costs no more than so much allocation. */
	upper = max3(part_of_way(p, goal, MAX_TRIGGER_PARTS),
		     gh_sat_sub(goal, GH_HEAP_MINIMUM), lower);
	return clamp(gh_sat_sub(goal, p->runway), lower, upper);
}

/* Goal and trigger from all that they depend on (heapGoalInternal, trigger). */
static void update_goal(struct gh_pacer *p)
{
	u64 limit = limit_goal(p);
	u64 goal = p->percent_goal;
	u64 floor = 0;

	if (limit < goal) {
		/* Nothing moves this goal up, whatever it costs. */
		goal = limit;
	} else if (goal != U64_MAX) {
		floor = p->sweep_min_trigger;
		goal = max(goal, floor);
		if (p->marking)
			goal = max(goal, gh_sat_add(p->triggered, MIN_RUNWAY));
	}
	WRITE_ONCE(p->goal, goal);
	WRITE_ONCE(p->trigger, goal == U64_MAX ? U64_MAX :
					trigger_for(p, goal, floor));
}

/**
 * gh_pacer_init() - pacer of a new heap
 * @p: what to fill in
 * @percent: as for gh_pacer_set_percent()
 * @limit: as for gh_pacer_set_limit()
 *
 * Goal and trigger are set as for an empty heap.
 */
void gh_pacer_init(struct gh_pacer *p, s64 percent, s64 limit)
{
	struct gh_pacer_memory none = {};

	memset(p, 0, sizeof(*p));
	p->nr_cpus = 1;
	gh_pacer_set_percent(p, percent);
	gh_pacer_set_limit(p, limit);
	gh_pacer_commit(p, 0, true, &none);
}

/**
 * gh_pacer_set_percent() - set GOGC
 * @p: pacer
 * @percent: up to GH_MAX_GC_PERCENT; negative is off
 *
 * Takes effect with the next gh_pacer_commit(). With 0 there is no minimum,
 * and one cycle follows the other.
 */
void gh_pacer_set_percent(struct gh_pacer *p, s64 percent)
{
	percent = clamp_t(s64, percent, -1, GH_MAX_GC_PERCENT);
	p->gc_percent = percent;
	p->heap_minimum = gh_mul_div(GH_HEAP_MINIMUM, max_t(s64, percent, 0),
				     100);
}

/**
 * gh_pacer_set_limit() - set GOMEMLIMIT
 * @p: pacer
 * @limit: bytes, S64_MAX for none; negative counts as 0
 *
 * Takes effect with the next gh_pacer_commit().
 */
void gh_pacer_set_limit(struct gh_pacer *p, s64 limit)
{
	WRITE_ONCE(p->memory_limit, max_t(s64, limit, 0));
}

/**
 * gh_pacer_set_memory() - say what memory there is
 * @p: pacer
 * @mem: for the memory limit
 *
 * Goal and trigger follow.
 */
void gh_pacer_set_memory(struct gh_pacer *p, const struct gh_pacer_memory *mem)
{
	p->memory = *mem;
	update_goal(p);
}

/**
 * gh_pacer_commit() - set goal and trigger
 * @p: pacer
 * @heap_live: bytes, as gh_pacer_heap.live
 * @sweep_done: nothing is left to sweep; if not, sweeping gets some room before
 *	the next cycle, even beyond GOGC's goal
 * @mem: for the memory limit
 *
 * After gh_pacer_end() and whenever a knob was turned.
 */
void gh_pacer_commit(struct gh_pacer *p, u64 heap_live, bool sweep_done,
		     const struct gh_pacer_memory *mem)
{
	u64 expected = expected_work(p);
	u64 roots, extra;

	p->percent_goal = U64_MAX;
	if (p->gc_percent >= 0) {
		roots = gh_sat_add(p->last_stack_scan, p->globals_scan);
		extra = gh_mul_div(gh_sat_add(p->heap_marked, roots),
				   p->gc_percent, 100);
		p->percent_goal = max(gh_sat_add(p->heap_marked, extra),
				      p->heap_minimum);
	}
	p->sweep_min_trigger = sweep_done ? 0 :
			       gh_sat_add(heap_live, SWEEP_MIN_DISTANCE);
	p->runway = gh_fix_mul(expected, gh_sat_mul(p->cons_mark,
						    GH_PACER_UTILIZATION_DIV - 1));
	gh_pacer_set_memory(p, mem);
}

/*
 * A quarter of the CPUs as whole workers where that comes close, within 30 %
 * (maxUtilError); else one less, and the rest as a share of each CPU.
 */
static void plan_workers(struct gh_pacer *p, enum gh_pacer_kind kind)
{
	u64 cpus = p->nr_cpus;
	u64 dedicated = (cpus + GH_PACER_UTILIZATION_DIV / 2) /
			GH_PACER_UTILIZATION_DIV;
	s64 error = dedicated * GH_PACER_UTILIZATION_DIV - cpus;
	u64 miss = error < 0 ? -error : error;

	p->fractional = 0;
	if (miss * 10 > cpus * 3) {
		if (error > 0) {
			dedicated--;
			error -= GH_PACER_UTILIZATION_DIV;
		}
		p->fractional = gh_fix_div(-error,
					   cpus * GH_PACER_UTILIZATION_DIV);
	}
	if (kind == GH_PACER_STW) {
		dedicated = cpus;
		p->fractional = 0;
	}
	p->dedicated = dedicated;
	p->max_idle = cpus - dedicated;
	/* The system is idle: one worker if none is sure to run, or none. */
	if (kind == GH_PACER_PERIODIC)
		p->max_idle = !dedicated;
}

/**
 * gh_pacer_start() - a cycle begins
 * @p: pacer
 * @kind: why it does
 * @nr_cpus: CPUs of the program; 0 counts as 1
 * @now_ns: ns, of any monotonic clock
 * @heap: heap at the start
 *
 * Fills in gh_pacer.dedicated, .fractional and .max_idle for the caller, and
 * the first assist ratios.
 * Context: world stopped.
 */
void gh_pacer_start(struct gh_pacer *p, enum gh_pacer_kind kind, u32 nr_cpus,
		    u64 now_ns, const struct gh_pacer_heap *heap)
{
	const struct gh_pacer_work none = {};

	p->marking = true;
	p->triggered = heap->live;
	p->start_ns = now_ns;
	p->nr_cpus = max(nr_cpus, 1U);
	plan_workers(p, kind);
	update_goal(p);
	gh_pacer_revise(p, heap, &none);

	p->trace.assist_ratio = p->assist_work_per_byte;
	p->trace.heap_scan = heap->scan;
	p->trace.start_live = heap->live;
	p->trace.start_goal = p->goal;
	p->trace.dedicated = p->dedicated;
	p->trace.fractional = p->fractional;
}

/*
 * The goal that gives each byte of @worst as much room as each of @expected
 * had, but no more than GOGC allows to grow a heap that is as large as the
 * goal. With nothing expected it is that, where Go's formula has a pole.
 */
static u64 extrapolate(const struct gh_pacer *p, u64 expected, u64 worst)
{
	u64 percent = p->gc_percent < 0 ? PERCENT_WHEN_OFF : p->gc_percent;
	u64 hard = gh_sat_add(p->goal, gh_mul_div(p->goal, percent, 100));
	u64 way, goal;

	if (p->goal >= p->triggered) {
		way = p->goal - p->triggered;
		goal = gh_sat_add(p->triggered,
				  gh_mul_div(way, worst, expected));
	} else {
		way = p->triggered - p->goal;
		goal = gh_sat_sub(p->triggered,
				  gh_mul_div(way, worst, expected));
	}
	return min(goal, hard);
}

/**
 * gh_pacer_revise() - set the assist ratios for what is left to do
 * @p: pacer
 * @heap: heap as it is now
 * @work: bytes scanned so far
 *
 * While not marking only what @heap says of the roots is kept.
 */
void gh_pacer_revise(struct gh_pacer *p, const struct gh_pacer_heap *heap,
		     const struct gh_pacer_work *work)
{
	u64 goal = p->goal;
	u64 done = total_work(work);
	u64 expected, worst, left, room;

	p->globals_scan = heap->globals;
	if (!p->marking)
		return;
	expected = expected_work(p);
	worst = gh_sat_add(gh_sat_add(heap->scan, heap->max_stack),
			   heap->globals);
	if (done > expected) {
		goal = extrapolate(p, expected, worst);
		expected = worst;
	}
	if (heap->live > goal) {
		goal = gh_sat_add(goal, goal / OVERSHOOT_DIV);
		expected = worst;
	}
	/* Never 0: there is always some work, and room for a byte. */
	left = max_t(u64, gh_sat_sub(expected, done), MIN_WORK_LEFT);
	room = max_t(u64, gh_sat_sub(goal, heap->live), 1);
	WRITE_ONCE(p->overdraft, left / OVERDRAFT_DIV);
	WRITE_ONCE(p->assist_work_per_byte, gh_fix_div(left, room));
	WRITE_ONCE(p->assist_bytes_per_work, gh_fix_div(room, left));
}

/*
 * File cons/mark of a cycle. Without allocation or without scanning it has
 * shown nothing, and what is known stays.
 */
static void note_cons_mark(struct gh_pacer *p, u64 allocated, u64 scanned,
			   u64 utilization, u64 idle)
{
	u64 now;
	int i;

	if (!allocated || !scanned)
		return;
	utilization = min(utilization, MAX_UTILIZATION);
	now = gh_mul_div(gh_fix_div(allocated, scanned),
			 gh_sat_add(utilization, idle),
			 GH_FIX_ONE - utilization);
	p->cons_mark = now;
	for (i = 0; i < GH_PACER_HISTORY; i++)
		p->cons_mark = max(p->cons_mark, p->last_cons_mark[i]);
	for (i = 1; i < GH_PACER_HISTORY; i++)
		p->last_cons_mark[i - 1] = p->last_cons_mark[i];
	p->last_cons_mark[GH_PACER_HISTORY - 1] = now;
}

static void trace_end(struct gh_pacer *p, const struct gh_pacer_result *r,
		      u64 utilization)
{
	struct gh_pacer_trace *t = &p->trace;

	t->utilization = utilization;
	t->work = r->work;
	t->expected = expected_work(p);
	t->triggered = p->triggered;
	t->end_live = r->heap_live;
	t->goal_delta = r->heap_live - p->goal;
	t->cons_mark = p->cons_mark;
}

/**
 * gh_pacer_end() - a cycle has marked everything
 * @p: pacer
 * @r: what it has shown
 *
 * gh_pacer_commit() is to follow; until then goal and trigger are the old ones.
 * Context: world stopped.
 */
void gh_pacer_end(struct gh_pacer *p, const struct gh_pacer_result *r)
{
	u64 cpu_ns = gh_sat_mul(gh_sat_sub(r->now_ns, p->start_ns), p->nr_cpus);
	u64 utilization = GH_PACER_UTILIZATION;
	u64 idle = 0;

	if (WARN_ON_ONCE(!p->marking))
		return;
	if (cpu_ns) {
		utilization = gh_sat_add(utilization,
					 gh_fix_div(r->assist_ns, cpu_ns));
		idle = gh_fix_div(r->idle_ns, cpu_ns);
	}
	trace_end(p, r, utilization);
	note_cons_mark(p, gh_sat_sub(r->heap_live, p->triggered),
		       total_work(&r->work), utilization, idle);

	p->marking = false;
	p->heap_marked = r->heap_marked;
	p->last_heap_scan = r->work.heap;
	p->last_stack_scan = r->work.stack;
}

/**
 * gh_pacer_pace_sweep() - spread sweeping over the way to the trigger
 * @p: pacer
 * @heap_live: bytes, as gh_pacer_heap.live
 * @pages_in_use: pages of all spans
 * @pages_swept: of those, pages swept in this cycle; @pages_in_use if all are
 *
 * The ratio is rounded up, so that all is swept when it is to be.
 * Context: world stopped, after gh_pacer_commit().
 */
void gh_pacer_pace_sweep(struct gh_pacer *p, u64 heap_live, u64 pages_in_use,
			 u64 pages_swept)
{
	u64 todo = gh_sat_sub(pages_in_use, pages_swept);
	u64 way = gh_sat_sub(gh_sat_sub(p->trigger, heap_live),
			     SWEEP_MIN_DISTANCE);
	u64 ratio = 0;

	way = max_t(u64, way, GH_PAGE_SIZE);
	if (todo)
		ratio = gh_sat_add(gh_fix_div(todo, way), 1);
	WRITE_ONCE(p->sweep_live_basis, heap_live);
	WRITE_ONCE(p->sweep_pages_basis, pages_swept);
	WRITE_ONCE(p->sweep_ratio, ratio);
}

/**
 * gh_pacer_sweep_target() - how much must be swept before a span is allocated
 * @p: pacer
 * @bytes: bytes of the span
 * @heap_live: bytes, as gh_pacer_heap.live, without it
 * @caller_pages: pages that the caller has swept for it already
 *
 * Context: any, if the world is not stopped; no lock.
 * Return: pages swept in this cycle that there have to be. The caller sweeps
 * until there are, or gh_pacer_sweep_done() has been called.
 */
u64 gh_pacer_sweep_target(const struct gh_pacer *p, u64 bytes, u64 heap_live,
			  u64 caller_pages)
{
	u64 ratio = READ_ONCE(p->sweep_ratio);
	u64 live;

	if (!ratio)
		return 0;
	live = gh_sat_sub(heap_live, READ_ONCE(p->sweep_live_basis));
	return gh_sat_add(READ_ONCE(p->sweep_pages_basis),
			  gh_sat_sub(gh_fix_mul(gh_sat_add(live, bytes), ratio),
				     caller_pages));
}

/**
 * gh_pacer_sweep_done() - nothing is left to sweep
 * @p: pacer
 * @heap_live: bytes, as gh_pacer_heap.live
 * @pages_swept: pages swept in this cycle
 */
void gh_pacer_sweep_done(struct gh_pacer *p, u64 heap_live, u64 pages_swept)
{
	struct gh_pacer_trace *t = &p->trace;

	t->sweep_live = heap_live;
	t->sweep_allocated = gh_sat_sub(heap_live, p->sweep_live_basis);
	t->swept_pages = pages_swept;
	t->sweep_ratio = p->sweep_ratio;
	WRITE_ONCE(p->sweep_ratio, 0);
}

/**
 * gh_pacer_assist_work() - what a thread has to scan for what it has allocated
 * @p: pacer
 * @debt: bytes it has allocated while marking and not paid for
 *
 * Context: any, no lock.
 * Return: bytes to scan, at least GH_PACER_OVER_ASSIST.
 */
u64 gh_pacer_assist_work(const struct gh_pacer *p, u64 debt)
{
	u64 work = gh_fix_mul(debt, READ_ONCE(p->assist_work_per_byte));

	return max_t(u64, work, GH_PACER_OVER_ASSIST);
}

/**
 * gh_pacer_assist_bytes() - what a thread has earned by scanning
 * @p: pacer
 * @work: bytes it has scanned
 *
 * One more than the ratio says, so that a thread gets out of debt however it is
 * rounded.
 * Context: any, no lock.
 * Return: bytes that it may allocate for that.
 */
u64 gh_pacer_assist_bytes(const struct gh_pacer *p, u64 work)
{
	u64 bytes = gh_fix_mul(work, READ_ONCE(p->assist_bytes_per_work));

	return gh_sat_add(bytes, 1);
}

/**
 * gh_pacer_trace() - what there is to print for gcpacertrace=1
 * @p: pacer
 * @trace: out: start and end of the last cycle, end of the last sweep
 */
void gh_pacer_trace(const struct gh_pacer *p, struct gh_pacer_trace *trace)
{
	*trace = p->trace;
}
