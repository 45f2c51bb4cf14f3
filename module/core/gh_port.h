/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the core needs from outside. module/dev implements it for the kernel,
 * selftests/core for user space. Nothing else of either is visible here.
 */
#ifndef GH_PORT_H
#define GH_PORT_H

#include "gh_config.h"

struct gh_heap;
struct gh_mark;
struct gh_cycle;

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
 * stacks without waiting for gh_heap.world first.
 * Context: may sleep; gh_heap.world held for writing.
 */
void gh_port_hold_users(struct gh_heap *heap);

/**
 * gh_port_set_marking() - tell programs that references are being marked
 * @heap: stopped heap
 * @marking: they are, so stores have to be reported; else a cycle has ended
 *
 * Context: gh_heap.world held for writing.
 */
void gh_port_set_marking(struct gh_heap *heap, bool marking);

/**
 * gh_port_mark_roots() - offer every root outside of the core to the marker
 * @heap: stopped heap
 * @m: marker to pass to gh_mark_refs()
 *
 * Context: may sleep; gh_heap.world held for writing.
 */
void gh_port_mark_roots(struct gh_heap *heap, struct gh_mark *m);

/**
 * gh_port_collect() - have a cycle run and wait for the end of its marking
 * @heap: heap
 * @reason: enum gh_cycle_reason
 *
 * Context: may sleep; no lock held.
 * Return: 0, or -EINTR if the caller is being killed.
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
 * The same measure as gh_heap.memory_limit: backed pages and metadata. Asked
 * whenever the goal is computed and after each sweep; whoever learns in between
 * that it has changed calls gh_gc_limit_changed().
 * Context: gh_heap.world may be held, for writing, too; does not sleep.
 * Return: bytes, at least S64_MAX for no limit.
 */
u64 gh_port_memory_limit(struct gh_heap *heap);

/**
 * gh_port_cpu_ns() - CPU time of the calling thread in ns
 */
u64 gh_port_cpu_ns(void);

/**
 * gh_port_trace_cycle() - report a finished cycle where gctrace asks for it
 * @heap: heap
 * @c: its record
 *
 * Context: collector; no lock held.
 */
void gh_port_trace_cycle(struct gh_heap *heap, const struct gh_cycle *c);

#endif /* GH_PORT_H */
