// SPDX-License-Identifier: GPL-2.0
/*
 * Between the heap and its pacer: what the pacer is told, and what allocation
 * does about its answers.
 *
 * The pacer (gh_pacer.c) and the limiter (gh_limiter.c) are arithmetic. They are
 * told how the heap stands at the start and at the end of each marking, and
 * while it goes on whenever a span is taken for allocation.
 *
 * Allocation has to do with it in three ways.
 *
 * - heap_live goes up when a span is taken. At the trigger a cycle is asked for,
 *   and nobody waits for it.
 * - Whoever takes a span while objects are being marked is in debt for its bytes
 *   and pays with marking (an assist), unless collector threads have done more
 *   than their share, which is there for everybody to take (gh_pace.credit). What
 *   was paid in advance is kept with the mutator or the mcache. The ratio is such
 *   that marking is over when the heap reaches its goal. The credit can be
 *   overdrawn by a part of what is left to do: nothing has been done when marking
 *   begins, and whoever allocates first would have to do for all that it takes
 *   what collector threads do a moment later. They repay it, as the overdraft
 *   becomes smaller with what is left.
 * - A tenth beyond the goal whoever allocates waits for the end of marking. That
 *   only happens if the collector does not get the CPU, or objects die so slowly
 *   that there is nothing to assist with.
 *
 * The second and the third are off while the limiter says that the collector has
 * had half of the CPU time, and so is giving memory back to stay within the memory
 * limit (gh_scavenge.c): a heap that cannot be kept within it is to be slow, but not
 * to stand still.
 *
 * A limit below the live heap, or GOGC=0, has the trigger where the last cycle
 * ended. A cycle for each span would do no good; the heap grows by 64 KiB or by
 * 1/64 first.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"

/* Bytes to scan that are worth a second thread. */
#define WORKERS_MIN	(4UL << 20)

#define GROWTH_MIN	(64UL << 10)
#define GROWTH_DIV	64

/* Beyond the goal: a tenth as Go's hard goal, but room for some spans. */
#define OVERDUE_MIN	(256UL << 10)
#define OVERDUE_DIV	10

/* Bytes scanned before others may have the world, or end the caller. */
#define ASSIST_STEP	(1UL << 20)

/* Pages swept since the heap began. */
static u64 swept_pages(struct gh_heap *heap)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(heap->stats, cpu)->swept_pages);
	return sum;
}

/**
 * gh_pace_metadata() - memory of everything but objects
 * @heap: heap
 *
 * Return: bytes that the kernel gave to the heap.
 */
u64 gh_pace_metadata(struct gh_heap *heap)
{
	s64 sum = READ_ONCE(heap->pages.meta_bytes);
	int cpu;

	for_each_possible_cpu(cpu) {
		struct gh_stats *st = per_cpu_ptr(heap->stats, cpu);

		sum += READ_ONCE(st->meta_bytes) + READ_ONCE(st->span_bytes);
	}
	return max_t(s64, sum, 0);
}

static u64 inuse_bytes(struct gh_heap *heap)
{
	s64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(heap->stats, cpu)->inuse_pages);
	return max_t(s64, sum, 0) << GH_PAGE_SHIFT;
}

/* @alloc: bytes of objects, live or not yet swept. */
static struct gh_pacer_memory memory_of(struct gh_heap *heap, u64 alloc)
{
	u64 mapped = atomic64_read(&heap->mapped);
	u64 inuse = inuse_bytes(heap);

	return (struct gh_pacer_memory) {
		.mapped_ready = mapped + gh_pace_metadata(heap),
		.heap_free = mapped > inuse ? mapped - inuse : 0,
		.heap_alloc = alloc,
	};
}

static u64 heap_live(struct gh_heap *heap)
{
	return max_t(s64, atomic64_read(&heap->heap_live), 0);
}

static struct gh_pacer_heap heap_of(struct gh_heap *heap)
{
	struct gh_work *w = &heap->work;

	return (struct gh_pacer_heap) {
		.live = heap_live(heap),
		.scan = max_t(s64, atomic64_read(&heap->pace.heap_scan), 0),
		.max_stack = READ_ONCE(w->root_bytes[GH_ROOT_STACK]),
		.globals = READ_ONCE(w->root_bytes[GH_ROOT_HANDLE]) +
			   READ_ONCE(w->root_bytes[GH_ROOT_STATIC]),
	};
}

static struct gh_pacer_work work_of(struct gh_heap *heap)
{
	struct gh_work *w = &heap->work;

	return (struct gh_pacer_work) {
		.heap = READ_ONCE(w->scanned),
		.stack = READ_ONCE(w->root_bytes[GH_ROOT_STACK]),
		.globals = READ_ONCE(w->root_bytes[GH_ROOT_HANDLE]) +
			   READ_ONCE(w->root_bytes[GH_ROOT_STATIC]),
	};
}

/* The program's limit or that of its surroundings. */
static void read_limit(struct gh_heap *heap)
{
	gh_pacer_set_limit(&heap->pace.pacer,
			   min_t(u64, heap->pace.limit,
				 gh_port_memory_limit(heap)));
}

static void commit(struct gh_heap *heap, u64 alloc)
{
	struct gh_pacer_memory mem = memory_of(heap, alloc);
	struct gh_pacer *p = &heap->pace.pacer;
	u64 inuse = inuse_bytes(heap) >> GH_PAGE_SHIFT;

	read_limit(heap);
	gh_pacer_commit(p, heap_live(heap), !heap->pace.sweeping, &mem);
	gh_pacer_pace_sweep(p, heap_live(heap),
			    heap->pace.sweeping ? inuse : 0,
			    gh_pace_swept_pages(heap));
	gh_scavenge_commit(heap);
}

/**
 * gh_pace_init() - give a new heap GOGC 100 and no limit
 * @heap: heap being made
 */
void gh_pace_init(struct gh_heap *heap)
{
	struct gh_pace *p = &heap->pace;

	spin_lock_init(&p->lock);
	p->limit = S64_MAX;
	p->idle_seen = gh_port_idle_ns();
	gh_pacer_init(&p->pacer, 100, S64_MAX);
	gh_limiter_init(&p->limiter, num_online_cpus(), ktime_get_ns());
	commit(heap, 0);
}

/* A knob was turned. World held for writing. */
static void apply(struct gh_heap *heap)
{
	struct gh_pacer_heap h = heap_of(heap);
	struct gh_pacer_work w = work_of(heap);

	commit(heap, heap_live(heap));
	if (heap->pace.pacer.marking)
		gh_pacer_revise(&heap->pace.pacer, &h, &w);
}

/**
 * gh_gc_set_percent() - set GOGC
 * @heap: heap
 * @percent: 0 to GH_MAX_GC_PERCENT, or -1 for off
 *
 * Context: may sleep; heap->world not held.
 */
void gh_gc_set_percent(struct gh_heap *heap, s64 percent)
{
	down_write(&heap->world);
	percent = clamp_t(s64, percent, -1, GH_MAX_GC_PERCENT);
	gh_pacer_set_percent(&heap->pace.pacer, percent);
	apply(heap);
	up_write(&heap->world);
}

/**
 * gh_gc_set_limit() - set GOMEMLIMIT
 * @heap: heap
 * @limit: bytes, 0 to S64_MAX
 *
 * Context: may sleep; heap->world not held.
 */
void gh_gc_set_limit(struct gh_heap *heap, s64 limit)
{
	down_write(&heap->world);
	WRITE_ONCE(heap->pace.limit, limit);
	apply(heap);
	up_write(&heap->world);
}

/**
 * gh_gc_set_stop() - set what programs are held off for
 * @heap: heap
 * @stop: gh_heap.stop_the_world
 *
 * Not while a cycle is in a stop, which looks at it more than once.
 * Context: may sleep; heap->world not held.
 */
void gh_gc_set_stop(struct gh_heap *heap, u32 stop)
{
	down_write(&heap->world);
	WRITE_ONCE(heap->stop_the_world, stop);
	up_write(&heap->world);
}

/**
 * gh_gc_limit_changed() - compute the goal anew
 * @heap: heap whose gh_port_memory_limit() is another than before
 *
 * Context: may sleep; heap->world not held.
 */
void gh_gc_limit_changed(struct gh_heap *heap)
{
	down_write(&heap->world);
	apply(heap);
	up_write(&heap->world);
}

/* Say whether what was done to the limiter has changed what it says. */
static void limiter_event(struct gh_heap *heap, bool was)
{
	bool is = gh_limiter_limiting(&heap->pace.limiter);

	if (is != was)
		gh_port_event(heap, GH_EVENT_LIMITER, is, 0);
}

/* Time that nobody had a use for since the last look. */
static void add_idle(struct gh_heap *heap)
{
	struct gh_pace *p = &heap->pace;
	u64 idle = gh_port_idle_ns();

	lockdep_assert_held(&p->lock);
	if (idle > p->idle_seen)
		gh_limiter_add_idle(&p->limiter, idle - p->idle_seen);
	p->idle_seen = idle;
}

/* Have the limiter count the time up to now, if it is time. */
static void update_limiter(struct gh_heap *heap, u64 now)
{
	struct gh_limiter *l = &heap->pace.limiter;
	bool was = gh_limiter_limiting(l);

	if (!gh_limiter_need_update(l, now))
		return;
	add_idle(heap);
	gh_limiter_update(l, now);
	limiter_event(heap, was);
}

/**
 * gh_pace_limiter() - the collector begins or ends to take CPU time
 * @heap: heap
 * @marking: it begins
 *
 * Context: world held for writing.
 */
void gh_pace_limiter(struct gh_heap *heap, bool marking)
{
	struct gh_limiter *l = &heap->pace.limiter;
	u64 now = ktime_get_ns();
	bool was = gh_limiter_limiting(l);

	spin_lock(&heap->pace.lock);
	add_idle(heap);
	if (!marking)
		gh_limiter_add_idle(l, atomic64_read(&heap->pace.idle_ns));
	if (!marking && l->nr_cpus != num_online_cpus())
		gh_limiter_reset_capacity(l, num_online_cpus(), now);
	gh_limiter_start_transition(l, marking, heap->nr_cycles + 1, now);
	gh_limiter_finish_transition(l, ktime_get_ns());
	limiter_event(heap, was);
	spin_unlock(&heap->pace.lock);
}

/**
 * gh_pace_start() - marking begins
 * @heap: heap
 * @kind: what kind of cycle it is
 *
 * Context: world held for writing, gh_work_begin() has been called.
 */
void gh_pace_start(struct gh_heap *heap, enum gh_pacer_kind kind)
{
	struct gh_pacer_heap h = heap_of(heap);
	struct gh_pace *p = &heap->pace;

	lockdep_assert_held_write(&heap->world);
	atomic64_set(&p->credit, 0);
	atomic64_set(&p->assist_ns, 0);
	atomic64_set(&p->idle_ns, 0);
	atomic64_set(&p->worker_ns, 0);
	atomic64_set(&heap->nr_refills, 0);
	gh_pacer_start(&p->pacer, kind, num_online_cpus(), ktime_get_ns(), &h);
}

/**
 * gh_pace_share() - what a fractional worker may have of a CPU others wait for
 * @heap: heap that is being marked
 *
 * The shares that it has of all CPUs, together.
 * Return: Q32; 0 if there is no such worker.
 */
u64 gh_pace_share(struct gh_heap *heap)
{
	const struct gh_pacer *p = &heap->pace.pacer;

	return p->fractional * p->nr_cpus;
}

/**
 * gh_pace_rest() - how long to rest after some work
 * @share: share of the CPU to keep to, Q32, not 0
 * @worked_ns: how long that was
 *
 * Return: ns.
 */
u64 gh_pace_rest(u64 share, u64 worked_ns)
{
	u64 all = gh_mul_div(worked_ns, GH_FIX_ONE, share);

	return min_t(u64, gh_sat_sub(all, worked_ns), GH_MAX_REST);
}

/**
 * gh_pace_workers() - how many threads are to mark besides the collector
 * @heap: heap that is being marked
 * @idle: out: how many of them only on CPUs that nobody else needs
 *
 * As the pacer has planned, one for each CPU at most. What takes a thread no
 * longer than others need to wake up it does alone.
 * Return: number of threads.
 */
u32 gh_pace_workers(struct gh_heap *heap, u32 *idle)
{
	const struct gh_pacer *p = &heap->pace.pacer;
	u32 sure = p->dedicated + !!p->fractional;
	u32 all = p->nr_cpus - 1;

	*idle = 0;
	if (atomic64_read(&heap->pace.heap_scan) < (s64)WORKERS_MIN)
		return 0;
	/* The collector is one of them. */
	sure = min(max(sure, 1U) - 1, all);
	*idle = min(p->max_idle, all - sure);
	return sure + *idle;
}

/**
 * gh_pace_revise() - marking or allocation has gone on
 * @heap: heap
 *
 * Context: world held for reading, gh_heap.phase is GH_PHASE_MARK.
 */
void gh_pace_revise(struct gh_heap *heap)
{
	struct gh_pace *p = &heap->pace;
	struct gh_pacer_heap h;
	struct gh_pacer_work w;
	u64 now = ktime_get_ns();

	if (!spin_trylock(&p->lock))
		return;
	h = heap_of(heap);
	w = work_of(heap);
	gh_pacer_revise(&p->pacer, &h, &w);
	update_limiter(heap, now);
	spin_unlock(&p->lock);
}

/**
 * gh_pace_limiting() - is the collector to do without help, by now?
 * @heap: heap
 *
 * Context: does not sleep; any lock may be held but that of gh_pace.
 * Return: what gh_limiter_limiting() says when all time has been counted.
 */
bool gh_pace_limiting(struct gh_heap *heap)
{
	struct gh_pace *p = &heap->pace;
	u64 now = ktime_get_ns();

	if (gh_limiter_need_update(&p->limiter, now) &&
	    spin_trylock(&p->lock)) {
		update_limiter(heap, now);
		spin_unlock(&p->lock);
	}
	return gh_limiter_limiting(&p->limiter);
}

/**
 * gh_pace_helped() - a program has done some of the collector's work
 * @heap: heap
 * @ns: for how long
 */
void gh_pace_helped(struct gh_heap *heap, u64 ns)
{
	struct gh_pace *p = &heap->pace;

	spin_lock(&p->lock);
	gh_limiter_add_assist(&p->limiter, ns);
	spin_unlock(&p->lock);
}

/**
 * gh_pace_end() - marking is over
 * @heap: heap
 * @c: what it has found
 *
 * Context: world held for writing; heap->heap_live is still as at the end of
 * marking and becomes what is live.
 */
void gh_pace_end(struct gh_heap *heap, struct gh_cycle *c)
{
	struct gh_pace *p = &heap->pace;
	struct gh_pacer_result r = {
		.now_ns = ktime_get_ns(),
		.assist_ns = atomic64_read(&p->assist_ns),
		.idle_ns = atomic64_read(&p->idle_ns),
		.heap_live = heap_live(heap),
		.heap_marked = c->heap_marked,
		.work = work_of(heap),
	};

	lockdep_assert_held_write(&heap->world);
	c->assist_ns = r.assist_ns;
	c->idle_ns = r.idle_ns;
	p->swept_before = swept_pages(heap);
	gh_pacer_end(&p->pacer, &r);
	atomic64_set(&heap->heap_live, c->heap_marked);
	atomic64_set(&p->heap_scan, c->scanned);
	p->sweeping = true;
	commit(heap, r.heap_live);
}

/**
 * gh_pace_swept() - nothing is left to sweep
 * @heap: heap
 *
 * Context: may sleep; world not held.
 * Return: bytes by which the heap's memory is beyond its limit.
 */
u64 gh_pace_swept(struct gh_heap *heap)
{
	struct gh_pacer *p = &heap->pace.pacer;
	struct gh_pacer_memory mem;
	u64 excess = 0;

	/* Programs go on: they read one word at a time. */
	down_read(&heap->world);
	mem = memory_of(heap, heap_live(heap));
	spin_lock(&heap->pace.lock);
	heap->pace.sweeping = false;
	read_limit(heap);
	gh_pacer_sweep_done(p, heap_live(heap), gh_pace_swept_pages(heap));
	gh_pacer_set_memory(p, &mem);
	if (mem.mapped_ready > p->memory_limit)
		excess = mem.mapped_ready - p->memory_limit;
	spin_unlock(&heap->pace.lock);
	up_read(&heap->world);
	return excess;
}

/**
 * gh_pace_swept_pages() - pages swept since the last cycle's marking ended
 * @heap: heap
 *
 * Context: gh_heap.world held.
 */
u64 gh_pace_swept_pages(struct gh_heap *heap)
{
	return swept_pages(heap) - heap->pace.swept_before;
}

/**
 * gh_pace_sweep_target() - how many pages there have to be
 * @heap: heap
 * @bytes: bytes of a span that is to be taken
 *
 * Context: gh_heap.world held for reading.
 * Return: 0 if sweeping is over.
 */
u64 gh_pace_sweep_target(struct gh_heap *heap, u64 bytes)
{
	return gh_pacer_sweep_target(&heap->pace.pacer, bytes, heap_live(heap),
				     0);
}

/**
 * gh_pace_add() - slots have been taken for allocation, or given back
 * @heap: heap
 * @bytes: how many bytes; less than 0: given back
 * @noscan: without references
 */
void gh_pace_add(struct gh_heap *heap, s64 bytes, bool noscan)
{
	if (bytes > 0 && unlikely(READ_ONCE(heap->collect_every)))
		atomic64_inc(&heap->nr_refills);
	atomic64_add(bytes, &heap->heap_live);
	if (!noscan)
		atomic64_add(bytes, &heap->pace.heap_scan);
}

/* Take of what collector threads have done, or are about to do. */
static u64 steal(struct gh_pace *p, u64 work)
{
	s64 have = atomic64_read(&p->credit) +
		   (s64)READ_ONCE(p->pacer.overdraft);
	u64 n = have > 0 ? min_t(u64, have, work) : 0;

	/* Another may have taken it as well: a little less is done then. */
	if (n)
		atomic64_sub(n, &p->credit);
	return n;
}

/* Mark until so many bytes have been scanned, or there are no more. */
static u64 assist_step(struct gh_heap *heap, u64 work)
{
	struct gh_pace *p = &heap->pace;
	u64 since = ktime_get_ns(), done, ns;
	struct gh_mark m;

	gh_mark_begin(&m, heap);
	done = gh_mark_drain(&m, work);
	gh_mark_finish(&m);
	ns = ktime_get_ns() - since;
	atomic64_add(ns, &p->assist_ns);
	gh_pace_helped(heap, ns);
	gh_port_event(heap, GH_EVENT_ASSIST, done, ns);
	return done;
}

/* The same in steps; whoever waits to stop the world may do so after each. */
static u64 assist(struct gh_heap *heap, u64 work)
{
	u64 cycle = READ_ONCE(heap->nr_cycles), done = 0, n;

	do {
		n = assist_step(heap, min_t(u64, work - done, ASSIST_STEP));
		done += n;
		if (!n || done >= work || fatal_signal_pending(current))
			break;
		up_read(&heap->world);
		down_read(&heap->world);
	} while (READ_ONCE(heap->phase) == GH_PHASE_MARK &&
		 READ_ONCE(heap->nr_cycles) == cycle);
	return done;
}

/**
 * gh_pace_pay() - pay for slots with marking
 * @heap: heap
 * @credit: of whoever has taken them, bytes; set to 0 when marking begins
 * @bytes: how many
 *
 * What is not paid when the cycle ends is forgotten.
 * Context: may sleep; heap->world held for reading, no other lock, and it may be
 * given up and taken again.
 */
void gh_pace_pay(struct gh_heap *heap, atomic64_t *credit, u64 bytes)
{
	struct gh_pace *p = &heap->pace;
	u64 cycle = READ_ONCE(heap->nr_cycles);
	u64 work, done;
	s64 have;

	lockdep_assert_held_read(&heap->world);
	if (READ_ONCE(heap->phase) != GH_PHASE_MARK || !bytes)
		return;
	gh_pace_revise(heap);
	have = atomic64_sub_return(bytes, credit);
	if (have >= 0 || gh_limiter_limiting(&p->limiter))
		return;
	work = gh_pacer_assist_work(&p->pacer, -have);
	done = steal(p, work);
	if (done < work)
		done += assist(heap, work - done);
	if (READ_ONCE(heap->nr_cycles) == cycle)
		atomic64_add(gh_pacer_assist_bytes(&p->pacer, done), credit);
}

/* For tests: have so many spans been taken that a cycle is due? */
static bool stressed(struct gh_heap *heap)
{
	u64 every = READ_ONCE(heap->collect_every);

	return every && atomic64_read(&heap->nr_refills) >= every;
}

/**
 * gh_gc_triggered() - has an allocation to see to a cycle?
 * @heap: heap
 *
 * Context: heap->world held for reading, so that the phase does not change.
 * Return: true if a cycle is due, or has been for too long.
 */
bool gh_gc_triggered(struct gh_heap *heap)
{
	u64 marked = READ_ONCE(heap->heap_marked);
	u64 least = marked + max_t(u64, marked / GROWTH_DIV, GROWTH_MIN);

	if (READ_ONCE(heap->phase) != GH_PHASE_OFF)
		return gh_gc_overdue(heap);
	if (unlikely(stressed(heap)))
		return true;
	return heap_live(heap) >= max(gh_pacer_trigger(&heap->pace.pacer),
				      least);
}

/**
 * gh_gc_overdue() - has whoever allocates to wait for the cycle's end?
 * @heap: heap
 */
bool gh_gc_overdue(struct gh_heap *heap)
{
	u64 goal = max(gh_pacer_goal(&heap->pace.pacer),
		       READ_ONCE(heap->heap_marked));
	u64 hard = goal + max_t(u64, goal / OVERDUE_DIV, OVERDUE_MIN);

	/* A test is to see the same each time. */
	if (unlikely(stressed(heap)))
		return true;
	return hard > goal && heap_live(heap) >= hard &&
	       !gh_limiter_limiting(&heap->pace.limiter);
}
