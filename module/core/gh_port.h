/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the core needs from outside. module/dev implements it for the kernel,
 * selftests/core for user space. Nothing else of either is visible here.
 */
#ifndef GH_PORT_H
#define GH_PORT_H

#include "gh_config.h"

/**
 * enum gh_event - what happens in a heap, for whoever follows it
 * @GH_EVENT_CYCLE_START: a cycle begins; a: enum gh_cycle_reason
 * @GH_EVENT_MARK_START: stores are reported from now on
 * @GH_EVENT_MARK_DONE: nothing is left to mark
 * @GH_EVENT_MARK_TERM: marking is over; a: bytes found live
 * @GH_EVENT_SWEEP_DONE: nothing is left to sweep
 * @GH_EVENT_ASSIST: a program has marked; a: bytes scanned, b: ns
 * @GH_EVENT_SWEEP: the collector has swept; a: pages freed, b: ns
 * @GH_EVENT_SCAVENGE: memory was given back; a: bytes, b: ns
 * @GH_EVENT_REFILL: a span was taken for allocation; a: bytes of a slot, b:
 *	bytes free in it
 * @GH_EVENT_LIMITER: the collector's share of CPU time; a: it is limited
 */
enum gh_event {
	GH_EVENT_CYCLE_START,
	GH_EVENT_MARK_START,
	GH_EVENT_MARK_DONE,
	GH_EVENT_MARK_TERM,
	GH_EVENT_SWEEP_DONE,
	GH_EVENT_ASSIST,
	GH_EVENT_SWEEP,
	GH_EVENT_SCAVENGE,
	GH_EVENT_REFILL,
	GH_EVENT_LIMITER,
};

struct gh_check_report;
struct gh_heap;
struct gh_mark;
struct gh_cycle;
struct gh_scav_trace;

/**
 * gh_port_populate() - get zeroed memory for heap pages
 * @heap: heap to charge
 * @kaddr: out: kernel address of each page, GH_PAGE_SIZE contiguous bytes; part
 *	of gh_arena.kaddr, so each is stored with smp_store_release() when the
 *	page is zeroed, and faults read it with smp_load_acquire()
 * @npages: number of pages
 *
 * Context: may sleep; gh_mcache.lock may be held, gh_heap.lock not.
 * Return: 0, or -ENOMEM and no memory.
 */
int gh_port_populate(struct gh_heap *heap, void **kaddr, u32 npages);

/**
 * gh_port_depopulate() - give the memory of heap pages back
 * @heap: heap
 * @page: first page
 * @kaddr: their kernel addresses
 * @npages: number of pages, adjacent in the heap, none of which has a span or
 *	can get one meanwhile
 *
 * Takes the pages out of every user mapping before it frees them. The caller
 * has cleared gh_arena.kaddr under gh_heap.backing (write), so no fault maps
 * them again.
 * Context: may sleep.
 */
void gh_port_depopulate(struct gh_heap *heap, u64 page, void **kaddr,
			u32 npages);

/**
 * gh_port_hold_users() - keep programs from the heap until the world starts
 * @heap: heap whose world the caller has stopped
 *
 * When it returns no thread of any program can read or write objects or handle
 * stacks without waiting for gh_heap.world first. Only for a collection that
 * stops the world (gh_heap.stop_the_world).
 * Context: may sleep; gh_heap.world held for writing.
 */
void gh_port_hold_users(struct gh_heap *heap);

/**
 * gh_port_sync_users() - have every thread of a program pass a barrier
 * @heap: heap
 *
 * When it returns each thread that can touch the heap has been between two
 * instructions since the call, with all stores before that point done and all
 * loads after it still to come.
 * Context: may sleep.
 */
void gh_port_sync_users(struct gh_heap *heap);

/**
 * gh_port_set_marking() - tell programs that references are being marked
 * @heap: heap
 * @cycle: number of the cycle that marks, so that stores have to be reported; 0: it
 *	has ended
 *
 * A program may not have seen it before the next gh_port_sync_users().
 * Context: gh_heap.world held for writing.
 */
void gh_port_set_marking(struct gh_heap *heap, u64 cycle);

/**
 * gh_port_mark_roots() - offer every root outside of the core to the marker
 * @heap: heap
 * @m: marker to pass to gh_mark_refs()
 *
 * Programs run meanwhile and report what they store (gh_port_set_marking()). So
 * first comes what is written with the barrier, such as handles, handle stacks
 * and variables; then threads, one by one, each at one moment. A root that is
 * made meanwhile is offered by whoever makes it (gh_mark_shade()).
 * Context: may sleep; gh_heap.world not held, or held for writing if the world is
 * stopped.
 */
void gh_port_mark_roots(struct gh_heap *heap, struct gh_mark *m);

/**
 * gh_port_start_workers() - have threads call gh_mark_worker()
 * @heap: heap
 * @nr: how many at most
 * @idle: how many of them with idle set, and only on CPUs that nobody else needs
 *
 * Context: may sleep; the collector.
 */
void gh_port_start_workers(struct gh_heap *heap, u32 nr, u32 idle);

/**
 * gh_port_stop_workers() - wait until they have returned
 * @heap: heap whose marking is over
 *
 * Context: may sleep; the collector, gh_heap.world not held.
 */
void gh_port_stop_workers(struct gh_heap *heap);

/**
 * gh_port_collect() - have a cycle run and wait for the end of its marking
 * @heap: heap
 * @reason: enum gh_cycle_reason
 *
 * With GH_CYCLE_HEAP it waits only if gh_gc_overdue().
 * Context: may sleep; no lock held.
 * Return: 0; -EINTR if the caller is being killed; -ENOMEM if the collector has not
 * got on for long, but 0 with GH_CYCLE_HEAP.
 */
int gh_port_collect(struct gh_heap *heap, int reason);

/**
 * gh_port_memory() - bytes of memory that the machine has
 */
u64 gh_port_memory(void);

/**
 * gh_port_memory_limit() - bytes that the heap's surroundings leave to it
 * @heap: heap
 *
 * The same measure as gh_pace.limit: backed pages and metadata. Asked
 * whenever the goal is computed and after each sweep; whoever learns in between
 * that it has changed calls gh_gc_limit_changed().
 * Context: gh_heap.world may be held, for writing, too; does not sleep.
 * Return: bytes, at least S64_MAX for no limit.
 */
u64 gh_port_memory_limit(struct gh_heap *heap);

/**
 * gh_port_idle_ns() - idle time of all CPUs together in ns
 *
 * Context: does not sleep; a lock may be held.
 * Return: since some moment. That of a CPU may come late, and all at once.
 */
u64 gh_port_idle_ns(void);

/**
 * gh_port_cpu_wanted() - is there somebody else who waits for the caller's CPU?
 *
 * Return: true if so, as far as can be told without waiting.
 */
bool gh_port_cpu_wanted(void);

/**
 * gh_port_rest() - let others have the CPU
 * @ns: for so long, about; at most GH_MAX_REST
 *
 * Context: sleeps.
 */
void gh_port_rest(u64 ns);

/**
 * gh_port_cpu_ns() - CPU time of the calling thread in ns
 */
u64 gh_port_cpu_ns(void);

/**
 * gh_port_shortage() - an allocation has found no room, and a collection is next
 * @heap: heap
 *
 * Context: may sleep; no lock held.
 */
void gh_port_shortage(struct gh_heap *heap);

/**
 * gh_port_trace_cycle() - report a finished cycle where gctrace asks for it
 * @heap: heap
 * @c: its record
 *
 * Context: collector; no lock held.
 */
void gh_port_trace_cycle(struct gh_heap *heap, const struct gh_cycle *c);

/**
 * gh_port_event() - something has happened
 * @heap: heap
 * @event: what
 * @a: see enum gh_event
 * @b: likewise
 *
 * Context: any; does not sleep. Cheap when nobody follows.
 */
void gh_port_event(struct gh_heap *heap, enum gh_event event, u64 a, u64 b);

/**
 * gh_port_checkmark() - report what a check of the marks has found
 * @heap: heap
 * @r: an object that is reachable and has no mark; NULL if the check is
 *	incomplete because there was no memory for it
 *
 * Context: may sleep; collector, gh_heap.world held for writing.
 */
void gh_port_checkmark(struct gh_heap *heap, const struct gh_check_report *r);

/**
 * gh_port_wake_scavenger() - have gh_scavenge_run() called
 * @heap: heap
 *
 * Soon, but not before the time that its last call said, if there was one and
 * it gave something back.
 * Context: does not sleep; gh_heap.world may be held.
 */
void gh_port_wake_scavenger(struct gh_heap *heap);

/**
 * gh_port_trace_scavenge() - report the scavenger's work where scavtrace asks
 *	for it
 * @heap: heap
 * @t: what it did since the last report
 *
 * Context: may sleep; no lock held.
 */
void gh_port_trace_scavenge(struct gh_heap *heap,
			    const struct gh_scav_trace *t);

#endif /* GH_PORT_H */
