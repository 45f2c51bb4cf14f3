// SPDX-License-Identifier: GPL-2.0
/*
 * Reading what a thread holds: its registers and its stack.
 *
 * The thread runs on. It writes to its registers and its stack without telling
 * anybody, and a reference may go from one to the other and back. So both are
 * read at one moment, without waking, signalling or asking the thread. What it
 * gives to others it stores with the write barrier.
 *
 * - A thread on a CPU is interrupted there (smp_call_function_single()) and its
 *   registers and stack are copied by the handler, in the thread's own address
 *   space, without faulting. In User-mode Linux an interrupt does not meet it
 *   (GOHEAP_VISIT_CPUS); there the collector takes its CPU, and then it is not on
 *   one.
 * - A thread that is not on a CPU is read where it sleeps, in its address space
 *   (kthread_use_mm()). The reading counts if the thread was off the CPU before
 *   and after it and its context switches were not counted on in between: the
 *   scheduler counts a switch when a thread leaves the CPU, so one that came and
 *   went has another number, and one that is there is seen to be. Otherwise it
 *   is done again.
 *
 * What is copied is struct pt_regs, the vector registers (memcpy() carries
 * references there), and the stack from 128 bytes below the stack pointer, which
 * the ABI lets a leaf function use, to its end. The stack is a registered range,
 * or the alternate signal stack, or else the mapping the stack pointer points
 * into. If it is not the thread's first stack, that one is copied as well, at the
 * same moment, since a signal handler or coroutine has a caller there, and
 * references go from one to the other. Nobody knows how deep it is, so all of its
 * pages that exist are taken, and it is looked afterwards whether there were more.
 *
 * Where the first stack is, a mutator has noted. That of another thread is where
 * the process began, and for those made later where their thread-local variables
 * are, which C libraries put at the upper end of a thread's stack.
 *
 * A signal moves registers to a frame on the stack and back in an order in which
 * for a moment some of them are nowhere else, and the stack pointer does not lead
 * there. Unless the thread sleeps in a system call, where that cannot be, what is
 * below the stack pointer is copied as well, as far as such a frame may reach, and
 * the upper end of the alternate signal stack, where its frame is.
 *
 * A stack pointer that leads nowhere costs the thread its roots on stacks that
 * nobody knows of, and nothing else. UNKNOWN_MAX bytes of a stack in a large
 * mapping are copied. What is beyond them on a first stack is read after that, in
 * pieces, like variables, and has to be written like variables.
 *
 * The copy is made in one piece even of a deep stack, because frames far from
 * the stack pointer can change through pointers at any time. Interrupts are off
 * on that CPU for as long as it takes, 2 ms for each MiB in an emulated machine
 * (deep.mib_8 in selftests/device). Setting the thread's instruction
 * pointer to a place where it would fault and wait has been considered; but a
 * restartable sequence (rseq) that is left so is not aborted when the thread
 * migrates, which breaks the per-CPU caches of other libraries.
 *
 * Whose memory. A mutator belongs to an mm, and its thread may leave it: after
 * vfork() or clone(CLONE_VM) a thread that runs another program has registers
 * and a stack that are none of our business, while its control pages are still
 * mapped by others. So a copy counts only if the thread was of that mm when it
 * was made; which also says that the thread had not begun to exit and had its
 * kernel stack.
 *
 * What is done about pages that are not present when they are copied, and for how
 * long, is said in copy.c.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>

#include <asm/syscall.h>
#include <asm/unistd.h>

#include "attach.h"
#include "compat.h"
#include "copy.h"
#include "fpregs.h"
#include "mapping.h"
#include "mutator.h"
#include "thread.h"

#define RED_ZONE	128UL

/* A stack pointer that is so close to a stack's end is on it. */
#define STACK_GUESS	(64UL << 10)

/* What lies farther above a stack pointer on an unknown stack is not its. */
#define UNKNOWN_MAX	(48UL << 20)

/* Of a first stack that the thread is not on, from an address in it. */
#define FIRST_BELOW	(32UL << 20)
#define FIRST_ABOVE	(8UL << 20)

/* What a try came to, if not to its end. */
enum {
	MOVED = 1,	/* the thread ran meanwhile, or runs elsewhere */
	OUTSIDE,	/* the stack pointer is not between lo and hi */
	TOO_LONG,	/* the stack does not fit the buffer */
	ABSENT,		/* a page is not present */
	GONE,		/* the thread is of another process, or of none */
};

/* Is it on the alternate signal stack? A program may say that to be anywhere. */
static bool on_signal_stack(const struct goheap_copy *c, unsigned long sp)
{
	return c->sas_start < TASK_SIZE_MAX &&
	       c->sas_bytes <= TASK_SIZE_MAX - c->sas_start &&
	       sp >= c->sas_start && sp - c->sas_start < c->sas_bytes;
}

/*
 * Bytes of a signal frame that the thread's registers may be on their way to, or
 * from; 0 if it sleeps in a system call, since a signal's frame is written after
 * that and its registers taken from it before.
 */
static unsigned long frame_bytes(struct goheap_copy *c, bool running)
{
	int nr = syscall_get_nr(c->task, &c->regs);

	if (!running && READ_ONCE(c->task->__state) != TASK_RUNNING &&
	    nr >= 0 && nr != __NR_rt_sigreturn)
		return 0;
	return goheap_frame_bytes(c->task);
}

/* Set the pieces of the stack it is on; false if that is not the one. */
static bool place_pieces(struct goheap_copy *c, unsigned long frame)
{
	unsigned long sp = user_stack_pointer(&c->regs);
	unsigned long from = sp - min(sp, RED_ZONE + frame);
	unsigned long top = c->sas_start + c->sas_bytes;

	goheap_piece_set(&c->piece[GOHEAP_PIECE_HERE], 0, 0);
	goheap_piece_set(&c->piece[GOHEAP_PIECE_FRAME], 0, 0);
	if (frame && c->sas_bytes && on_signal_stack(c, top - 1) &&
	    !on_signal_stack(c, sp))
		goheap_piece_set(&c->piece[GOHEAP_PIECE_FRAME],
				 top - min(c->sas_bytes, frame), top);
	if (!c->hi)
		return sp == c->nowhere;
	if (sp < c->lo || sp >= c->hi || (c->guessed && from < c->lo))
		return false;
	from = max(round_down(from, sizeof(u64)), c->lo);
	goheap_piece_set(&c->piece[GOHEAP_PIECE_HERE], from, c->hi);
	return true;
}

/*
 * Copy registers and stack of @c->task, in its address space. A task that ends
 * meanwhile takes its kernel stack with it.
 */
static void copy_state(struct goheap_copy *c, bool running)
{
	c->result = MOVED;
	if (copy_from_kernel_nofault(&c->regs, task_pt_regs(c->task),
				     sizeof(c->regs)))
		return;
	if (running && goheap_fp_moving(c->task))
		return;
	c->fp_words = goheap_fp_copy(c->task, running, c->fp);
	c->tls = goheap_tls(c->task, &c->regs, running);
	c->sas_start = READ_ONCE(c->task->sas_ss_sp);
	c->sas_bytes = READ_ONCE(c->task->sas_ss_size);
	c->result = 0;
	/* By now it may be on another stack, where there was none as well. */
	if (!place_pieces(c, frame_bytes(c, running)))
		c->result = OUTSIDE;
	else if (goheap_copy_bytes(c) > c->size)
		c->result = TOO_LONG;
	else if (!goheap_copy_pieces(c))
		c->result = ABSENT;
}

/* In the interrupt on the thread's CPU. */
static void copy_here(void *data)
{
	struct goheap_copy *c = data;

	if (current != c->task)
		return;
	c->result = GONE;
	if (current->mm == c->mm)
		copy_state(c, true);
}

static unsigned long nr_switches(struct task_struct *task)
{
	return READ_ONCE(task->nvcsw) + READ_ONCE(task->nivcsw);
}

/* Of a thread that is off the CPU, and stays there meanwhile. */
static void copy_there(struct goheap_copy *c)
{
	unsigned long switches = nr_switches(c->task);

	if (goheap_task_on_cpu(c->task))
		return;
	/* Registers and stack are read after the thread was seen off the CPU. */
	smp_rmb();
	copy_state(c, false);
	/* And before it is seen not to have been back. */
	smp_rmb();
	if (goheap_task_on_cpu(c->task) || nr_switches(c->task) != switches)
		c->result = MOVED;
	else if (READ_ONCE(c->task->mm) != c->mm)
		c->result = GONE;
}

/* Of a thread on a CPU where an interrupt would not meet it. */
static void copy_visiting(struct goheap_copy *c)
{
	struct goheap_visit visit;

	goheap_visit_begin(&visit);
	goheap_visit_cpu(task_cpu(c->task));
	copy_there(c);
	goheap_visit_end(&visit);
}

/* A try; c->lo and c->hi say which stack. */
static int try_copy(struct goheap_copy *c)
{
	c->result = MOVED;
	if (!goheap_task_on_cpu(c->task))
		copy_there(c);
	else if (GOHEAP_VISIT_CPUS)
		copy_visiting(c);
	else
		smp_call_function_single(task_cpu(c->task), copy_here, c, 1);
	return c->result;
}

/* Is it on a stack that the program has registered? Then note that one. */
static bool on_range(struct goheap_copy *c, struct goheap_attachment *att,
		     unsigned long sp)
{
	const struct goheap_memory *range;
	bool on;

	mutex_lock(&att->lock);
	range = goheap_ranges_find(&att->ranges, sp);
	on = range && range->stack;
	if (on) {
		c->lo = range->start;
		c->hi = range->end;
	}
	mutex_unlock(&att->lock);
	return on;
}

/* Is it on a stack whose bounds somebody has told? Then note them. */
static bool on_known_stack(struct goheap_copy *c, struct goheap_attachment *att)
{
	unsigned long sp = user_stack_pointer(&c->regs);

	if (on_range(c, att, sp))
		return true;
	if (!on_signal_stack(c, sp))
		return false;
	c->lo = c->sas_start;
	c->hi = c->sas_start + c->sas_bytes;
	return true;
}

static bool within(unsigned long addr, unsigned long lo, unsigned long hi)
{
	return lo <= addr && addr < hi;
}

/* An address in the thread's first stack; may be 0. */
static unsigned long first_at(const struct goheap_copy *c)
{
	if (c->at)
		return c->at;
	return thread_group_leader(c->task) ? c->mm->start_stack : c->tls;
}

/*
 * Is a mapping that of the thread's first stack? The thread-local variables of the
 * first thread of a program are somewhere else, but that of a fork may be on the
 * stack of any thread.
 */
static bool is_first(const struct goheap_copy *c, unsigned long lo,
		     unsigned long hi)
{
	if (c->at)
		return within(c->at, lo, hi);
	if (within(c->mm->start_stack, lo, hi))
		return true;
	return within(c->tls, lo, hi) && (!thread_group_leader(c->task) ||
					  c->task->flags & PF_FORKNOEXEC);
}

/*
 * The end of a first stack, in a mapping that other memory may be part of. A stack
 * has no frames behind its thread-local variables.
 */
static unsigned long first_end(const struct goheap_copy *c, unsigned long at,
			       const struct goheap_mapping *map)
{
	if (within(c->mm->start_stack, map->lo, map->hi) ||
	    !within(c->tls, at, map->hi))
		return map->hi;
	return round_up(c->tls, PAGE_SIZE);
}

/* Find the first stack of a thread that is on another one. */
static int find_first(struct goheap_copy *c)
{
	struct goheap_piece *p = &c->piece[GOHEAP_PIECE_FIRST];
	unsigned long at = first_at(c), end;
	struct goheap_mapping map;
	int err;

	if (!at)
		return 0;
	err = goheap_mapping_find(c->mm, at, FIRST_BELOW, &map, &c->lock_ns);
	if (err || !map.hi)
		return err;
	c->used = map.used;
	end = first_end(c, at, &map);
	goheap_piece_set(p, map.used,
			 min(end, round_down(at, PAGE_SIZE) + FIRST_ABOVE));
	goheap_piece_set(&c->rest[0], p->end, end);
	if (at > FIRST_BELOW)
		goheap_piece_set(&c->rest[1], map.lo,
				 max(map.lo, round_down(at - FIRST_BELOW,
							PAGE_SIZE)));
	return 0;
}

/* Find the mapping that the thread's stack pointer points into. */
static int find_mapping(struct goheap_copy *c)
{
	unsigned long sp = user_stack_pointer(&c->regs), end, room;
	struct goheap_mapping map;
	bool first;
	int err;

	err = goheap_mapping_find(c->mm, sp, 0, &map, &c->lock_ns);
	if (err)
		return err;
	first = is_first(c, map.lo, map.hi);
	if (!first) {
		err = find_first(c);
		if (err)
			return err;
	}
	c->nowhere = sp;
	c->lo = map.lo;
	end = first ? first_end(c, sp, &map) : map.hi;
	room = UNKNOWN_MAX - goheap_copy_bytes(c);
	c->hi = min(end, round_down(sp, PAGE_SIZE) + room);
	/* If its end is not known, it may be other memory that is beyond. */
	if (first && (end < map.hi || first_at(c) >= c->hi))
		goheap_piece_set(&c->rest[0], c->hi, end);
	return 0;
}

/* Find the stack that the thread is on: c->lo and c->hi, both 0 for none. */
static int find_stack(struct goheap_copy *c, struct goheap_attachment *att)
{
	int err;

	c->guessed = false;
	memset(c->piece, 0, sizeof(c->piece));
	memset(c->rest, 0, sizeof(c->rest));
	c->known = on_known_stack(c, att);
	err = c->known ? find_first(c) : find_mapping(c);
	/* Without knowing where its first stack is, no stack is right. */
	if (err) {
		c->lo = 1;
		c->hi = 1;
	}
	return err;
}

/*
 * Was the thread on another stack when it was copied, one that lies in the middle of
 * that in which its stack pointer was?
 */
static bool elsewhere(struct goheap_copy *c, struct goheap_attachment *att)
{
	unsigned long lo = c->lo, hi = c->hi;

	return on_known_stack(c, att) &&
	       (!c->known || c->lo != lo || c->hi != hi);
}

/* Had its first stack, which it was not on, become deeper when it was copied? */
static bool deeper(struct goheap_copy *c)
{
	struct goheap_mapping map;

	if (!c->piece[GOHEAP_PIECE_FIRST].end)
		return false;
	return goheap_mapping_find(c->mm, first_at(c), FIRST_BELOW, &map,
				   &c->lock_ns) ||
	       (map.hi && map.used < c->used);
}

/* Do what a try lacked. */
static int prepare(struct goheap_copy *c, struct goheap_attachment *att,
		   u64 *since)
{
	switch (c->result) {
	case OUTSIDE:
		return find_stack(c, att);
	case TOO_LONG:
		return goheap_copy_grow(c);
	case ABSENT:
		return goheap_copy_bring_in(c, since);
	default:
		return 0;
	}
}

static bool exiting(struct task_struct *task)
{
	return READ_ONCE(task->flags) & PF_EXITING ||
	       READ_ONCE(task->exit_state);
}

static void mark_copy(struct goheap_copy *c, struct goheap_attachment *att,
		      struct gh_mark *m)
{
	/* A mapping that was there when it was read, or has come since. */
	att->nr_seen = goheap_attach_windows(c->gf, att, att->seen);
	gh_mark_words(m, (u64 *)&c->regs, sizeof(c->regs) / sizeof(u64),
		      att->seen, att->nr_seen, GH_ROOT_STACK);
	gh_mark_words(m, c->fp, c->fp_words, att->seen, att->nr_seen,
		      GH_ROOT_STACK);
	gh_mark_words(m, c->buffer, goheap_copy_bytes(c) / sizeof(u64), att->seen,
		      att->nr_seen, GH_ROOT_STACK);
}

/* Copy it; 0 if that is what it held. */
static int try_thread(struct goheap_copy *c, struct goheap_attachment *att)
{
	if (!try_copy(c) && (elsewhere(c, att) || deeper(c)))
		c->result = OUTSIDE;
	return c->result;
}

/* Until the thread has been read, is gone, or cannot be read. */
static int copy_until(struct goheap_copy *c, struct goheap_attachment *att)
{
	u64 since = ktime_get_ns();
	u32 nth;
	int err;

	for (nth = 1; try_thread(c, att); nth++) {
		if (c->result == GONE || exiting(c->task))
			return -ESRCH;
		err = prepare(c, att, &since);
		if (err == -EFBIG)
			return err;
		/* A stack that grows meanwhile is no reason to give up. */
		if (c->result == OUTSIDE)
			since = ktime_get_ns();
		if (!goheap_copy_again(c, nth, err, &since))
			return -ETIMEDOUT;
	}
	return 0;
}

/* What is on its first stack too far from the rest to be copied with it. */
static int mark_rest(struct goheap_copy *c, struct goheap_attachment *att,
		     struct gh_mark *m)
{
	int i, err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(c->rest); i++)
		err = goheap_range_mark(c, att, c->rest[i].from,
					c->rest[i].end, true, m);
	return err;
}

/**
 * goheap_thread_mark() - offer what a thread holds to the marker
 * @c: room for the copy
 * @att: attachment of the thread's process
 * @task: the thread
 * @at: an address in the stack that it had at first, 0 if that is not known
 * @hi: end of that stack at the time; memory beside it may have come and gone
 * @m: marker
 *
 * Context: may sleep; a kernel thread that uses the process's address space,
 * after goheap_copy_process().
 * Return: 0; -ETIMEDOUT or -EFBIG if it could not be read.
 */
int goheap_thread_mark(struct goheap_copy *c, struct goheap_attachment *att,
		       struct task_struct *task, unsigned long at,
		       unsigned long hi, struct gh_mark *m)
{
	int err;

	if (exiting(task))
		return 0;
	c->task = task;
	c->at = at;
	goheap_copy_begin(c);
	memset(c->rest, 0, sizeof(c->rest));
	/* Usually the same as last time, but for its lower end. */
	c->guessed = true;
	c->known = false;
	c->lo = hi > STACK_GUESS ? hi - STACK_GUESS : 1;
	c->hi = max(hi, 1UL);
	err = copy_until(c, att);
	if (err)
		return err == -ESRCH ? 0 : err;
	mark_copy(c, att, m);
	return mark_rest(c, att, m);
}
