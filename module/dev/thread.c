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
 * the ABI lets a leaf function use, to its end. The end is that of the mapping
 * the thread's first stack was in, or of a registered range, or of the alternate
 * signal stack, or of whatever mapping the stack pointer points into. If it is
 * not the first stack, all of that is read as well, since a signal handler or
 * coroutine has a caller there. A stack pointer that leads nowhere costs the
 * thread its roots on stacks that nobody knows of, and nothing else; of a stack
 * that nobody has registered, in a large mapping, UNKNOWN_MAX bytes are read.
 *
 * The copy is made in one piece even of a deep stack, because frames far from
 * the stack pointer can change through pointers at any time. Interrupts are off
 * on that CPU for as long as it takes, 2 ms for each MiB in an emulated machine
 * (storm.deep_8_mib in selftests/device). Setting the thread's instruction
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
 * Pages that are not present when they are copied are brought in by the
 * collector, without waiting for whoever serves the fault (FOLL_NOWAIT), and the
 * copy is made again. What has never been written to does not exist and is
 * passed over, unless a userfaultfd says what is there. FOLL_NOWAIT does not
 * keep every file system from waiting, and some are served by programs; so of
 * files only those on devices, and in memory, are brought in, and what is not
 * present of others, and of mappings of drivers, does not exist either.
 *
 * Of what a userfaultfd fills, its server has to be asked first (mapping.c).
 *
 * Once tries in vain have taken PATIENCE since anything was last got, be it because
 * a userfaultfd does not answer or because there is no memory for a copy, the
 * reading ends with an error, and the caller evicts the process; or once they have
 * taken LONG_PATIENCE for the process as a whole. A few tries have to be made in any
 * case: a virtual machine may stand still for longer than that. The mmap lock is
 * waited for longer: a fork of a large process holds it for some time.
 */
#include "gh_internal.h"
#include "gh_heap.h"

#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>
#include <linux/userfaultfd_k.h>

#include "attach.h"
#include "compat.h"
#include "fpregs.h"
#include "mapping.h"
#include "mutator.h"
#include "thread.h"

#define RED_ZONE	128UL
#define BUFFER_MIN	(64UL << 10)
#define BUFFER_MAX	(64UL << 20)
#define PATIENCE	(500 * NSEC_PER_MSEC)
#define LONG_PATIENCE	(10 * NSEC_PER_SEC)
#define FREE_TRIES	4	/* of one reading, if none of them waits */
#define MIN_TRIES	20	/* before a process is given up */
#define BATCH_PAGES	16

/* A stack pointer that is so close to a stack's end is on it. */
#define STACK_GUESS	(64UL << 10)

/* What lies farther above a stack pointer on an unknown stack is not its. */
#define UNKNOWN_MAX	(48UL << 20)

/* Longest piece of a range that is copied at once. */
#define RANGE_STEP	BUFFER_MIN

/* What a try came to, if not to its end. */
enum {
	MOVED = 1,	/* the thread ran meanwhile, or runs elsewhere */
	OUTSIDE,	/* the stack pointer is not between lo and hi */
	TOO_LONG,	/* the stack does not fit the buffer */
	ABSENT,		/* a page is not present */
	GONE,		/* the thread is of another process, or of none */
};

/**
 * struct goheap_copy - what a thread held at one moment
 * @gf: the heap's file
 * @mm: the process
 * @vain_ns: what tries in vain have taken since anything was got
 * @vain: how many there were
 * @total_ns: what tries in vain have taken since the process was begun
 * @ask: whoever fills its pages is being asked, or NULL
 * @least: fewest pages that have been absent at a try of this reading
 * @lock_ns: how long the mmap lock has been waited for
 * @task: the thread
 * @regs: its user registers
 * @fp: its vector registers
 * @fp_words: how many words of them
 * @sp: first address of the stack to be copied
 * @lo: lowest address of the stack
 * @hi: its end; 0 if there is none where @nowhere leads to
 * @nowhere: a stack pointer
 * @absent: pages that could not be copied
 * @first: the first of them
 * @last: the last of them
 * @holes: so many pages of those between @from and @to do not exist
 * @from: first page that has been looked for
 * @to: the last one
 * @result: 0 or one of the above
 * @buffer: where the stack goes
 * @size: bytes of @buffer
 *
 * One for each heap, used by its collector.
 */
struct goheap_copy {
	struct goheap_file *gf;
	struct mm_struct *mm;
	u64 vain_ns;
	u32 vain;
	u64 total_ns;
	struct goheap_ask *ask;
	unsigned long least;
	u64 lock_ns;
	struct task_struct *task;
	struct pt_regs regs;
	u32 fp_words;
	u64 fp[GOHEAP_FP_WORDS] __aligned(64);
	unsigned long sp;
	unsigned long lo;
	unsigned long hi;
	unsigned long nowhere;
	unsigned long absent;
	unsigned long first;
	unsigned long last;
	unsigned long holes;
	unsigned long from;
	unsigned long to;
	int result;
	void *buffer;
	size_t size;
};

/**
 * goheap_copy_new() - make room for copies
 *
 * Return: NULL without memory.
 */
struct goheap_copy *goheap_copy_new(void)
{
	struct goheap_copy *c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);

	if (!c)
		return NULL;
	c->size = BUFFER_MIN;
	c->buffer = kvmalloc(c->size, GFP_KERNEL_ACCOUNT);
	if (!c->buffer) {
		kfree(c);
		return NULL;
	}
	return c;
}

/**
 * goheap_copy_free() - undo goheap_copy_new()
 * @c: what it has returned; may be NULL
 */
void goheap_copy_free(struct goheap_copy *c)
{
	if (!c)
		return;
	kvfree(c->buffer);
	kfree(c);
}

/* Be patient again: what was to be read before has been. */
static void begin_reading(struct goheap_copy *c)
{
	c->vain_ns = 0;
	c->vain = 0;
	c->least = ULONG_MAX;
	c->holes = 0;
}

/**
 * goheap_copy_process() - begin to read a process
 * @c: room for the copies
 * @gf: file
 * @mm: the process
 */
void goheap_copy_process(struct goheap_copy *c, struct goheap_file *gf,
			 struct mm_struct *mm)
{
	c->gf = gf;
	c->mm = mm;
	c->total_ns = 0;
	c->lock_ns = 0;
	begin_reading(c);
}

/**
 * goheap_copy_done() - undo goheap_copy_process()
 * @c: room for the copies
 */
void goheap_copy_done(struct goheap_copy *c)
{
	goheap_mapping_ask_end(&c->ask);
}

/* The nth try, begun at @since, was in vain. Is the process to be given up? */
static bool out_of_patience(struct goheap_copy *c, u32 nth, int why, u64 since)
{
	u64 ns = ktime_get_ns() - since;

	if (why == -EBUSY)
		c->lock_ns += ns;
	if (c->lock_ns >= LONG_PATIENCE)
		return true;
	if (why == -EBUSY)
		return false;
	if (!why && nth <= FREE_TRIES)
		return false;
	if (why == -EAGAIN && c->absent < c->least) {
		c->least = c->absent;
		c->vain_ns = 0;
		c->vain = 0;
	}
	c->vain_ns += ns;
	c->total_ns += ns;
	return ++c->vain >= MIN_TRIES && (c->vain_ns >= PATIENCE ||
					  c->total_ns >= LONG_PATIENCE);
}

/**
 * goheap_copy_again() - is what was tried in vain to be tried again?
 * @c: room for the copies
 * @nth: which try it was, from 1
 * @why: -EBUSY for want of the mmap lock, -EAGAIN of a page, -ENOMEM of memory;
 *	0 if the next try is better prepared
 * @since: when it began; out: now
 *
 * Waits a little for what was wanting.
 * Context: may sleep.
 * Return: false if the process is to be given up.
 */
bool goheap_copy_again(struct goheap_copy *c, u32 nth, int why, u64 *since)
{
	bool again;

	if (why)
		usleep_range(50, 100);
	else
		cond_resched();
	again = !out_of_patience(c, nth, why, *since);
	*since = ktime_get_ns();
	return again;
}

/*
 * Copy user memory of the current address space; pages that are not present
 * are noted and read as zero. @to is at most TASK_SIZE_MAX. May run with
 * interrupts disabled.
 */
static void copy_pages(struct goheap_copy *c, unsigned long from,
		       unsigned long to)
{
	unsigned long addr, next;

	c->absent = 0;
	for (addr = from; addr < to; addr = next) {
		void *dst = c->buffer + (addr - from);

		next = min((addr | ~PAGE_MASK) + 1, to);
		if (!copy_from_user_nofault(dst, (void __user *)addr,
					    next - addr))
			continue;
		memset(dst, 0, next - addr);
		if (!c->absent++)
			c->first = addr & PAGE_MASK;
		c->last = addr & PAGE_MASK;
	}
}

/* Has all been copied but what does not exist? */
static bool copied_all(const struct goheap_copy *c)
{
	return !c->absent || (c->absent <= c->holes && c->first == c->from &&
			      c->last == c->to);
}

/*
 * Copy registers and stack of @c->task, in its address space. A task that ends
 * meanwhile takes its kernel stack with it.
 */
static void copy_state(struct goheap_copy *c, bool running)
{
	unsigned long sp;

	c->result = MOVED;
	if (copy_from_kernel_nofault(&c->regs, task_pt_regs(c->task),
				     sizeof(c->regs)))
		return;
	if (running && goheap_fp_moving(c->task))
		return;
	c->fp_words = goheap_fp_copy(c->task, running, c->fp);
	sp = user_stack_pointer(&c->regs);
	c->sp = round_down(sp - min(sp, RED_ZONE), sizeof(u64));
	c->result = 0;
	if (!c->hi) {
		/* By now it may be on a stack again. */
		if (sp != c->nowhere)
			c->result = OUTSIDE;
		return;
	}
	if (sp < c->lo || sp >= c->hi)
		c->result = OUTSIDE;
	else if (c->hi - c->sp > c->size)
		c->result = TOO_LONG;
	else
		copy_pages(c, c->sp, c->hi);
	if (!c->result && !copied_all(c))
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

/* Is it on the alternate signal stack? A program may say that to be anywhere. */
static bool on_signal_stack(struct goheap_copy *c, unsigned long sp)
{
	unsigned long start = READ_ONCE(c->task->sas_ss_sp);
	unsigned long size = READ_ONCE(c->task->sas_ss_size);

	if (start >= TASK_SIZE_MAX || size > TASK_SIZE_MAX - start ||
	    sp < start || sp - start >= size)
		return false;
	c->lo = start;
	c->hi = start + size;
	return true;
}

/* Is it on a stack that the program has registered? */
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

/* Find the stack that the thread is on: c->lo and c->hi, both 0 for none. */
static int find_stack(struct goheap_copy *c, struct goheap_attachment *att)
{
	unsigned long sp = user_stack_pointer(&c->regs);
	u64 since = ktime_get_ns();
	int err;

	if (on_range(c, att, sp))
		return 0;
	if (on_signal_stack(c, sp))
		return 0;
	err = goheap_mapping_find(att->mm, sp, &c->lo, &c->hi);
	c->lock_ns += ktime_get_ns() - since;
	if (err)
		return err;
	c->nowhere = sp;
	c->hi = min(c->hi, round_down(sp, PAGE_SIZE) + UNKNOWN_MAX);
	return 0;
}

static int grow_buffer(struct goheap_copy *c)
{
	size_t size = roundup_pow_of_two(c->hi - c->sp + PAGE_SIZE);
	void *buffer;

	if (size > BUFFER_MAX)
		return -EFBIG;
	buffer = kvmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL |
				__GFP_NOWARN);
	if (!buffer)
		return -ENOMEM;
	kvfree(c->buffer);
	c->buffer = buffer;
	c->size = size;
	return 0;
}

/* Is it the kernel alone that fills the pages of a mapping? */
static bool filled_by_kernel(const struct vm_area_struct *vma)
{
	const struct super_block *sb;

	if (!goheap_vma_memory(vma))
		return false;
	if (!vma->vm_file || !vma->vm_ops)
		return true;
	if (!S_ISREG(file_inode(vma->vm_file)->i_mode))
		return false;
	sb = file_inode(vma->vm_file)->i_sb;
	switch (sb->s_magic) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case HUGETLBFS_MAGIC:
		return true;
	case FUSE_SUPER_MAGIC:
		return false;
	default:
		return sb->s_type->fs_flags & FS_REQUIRES_DEV;
	}
}

/*
 * Bring in the page at @addr of a mapping and what follows, up to @end. Returns
 * how many, 0 if one is on its way, or -EFAULT if it does not exist.
 */
static long bring_in_some(struct mm_struct *mm, struct vm_area_struct *vma,
			  unsigned long addr, unsigned long end)
{
	unsigned long want = min((end - addr) / PAGE_SIZE,
				 (unsigned long)BATCH_PAGES);
	struct page *pages[BATCH_PAGES];
	unsigned int flags = FOLL_NOWAIT;
	long n, i;

	if (!filled_by_kernel(vma))
		flags = FOLL_NOFAULT;
	else if (!userfaultfd_missing(vma))
		flags |= FOLL_DUMP;
	n = goheap_get_user_pages(mm, addr, want, flags, pages);
	for (i = 0; i < n; i++)
		put_page(pages[i]);
	if (n >= 0)
		return n;
	return n == -EFAULT || n == -EHWPOISON ? -EFAULT : 0;
}

/*
 * Have absent pages brought in, and count those that do not exist. Returns
 * -EAGAIN as long as one is on its way, -EBUSY without the mmap lock.
 */
static int bring_in(struct goheap_copy *c, struct mm_struct *mm)
{
	unsigned long addr = c->first, end = c->last + PAGE_SIZE, ask = 0;
	struct vm_area_struct *vma;
	int err = 0;

	c->holes = 0;
	c->from = c->first;
	c->to = c->last;
	if (!mmap_read_trylock(mm))
		return -EBUSY;
	while (addr < end) {
		unsigned long next = end;
		long n = -EFAULT;

		vma = find_vma(mm, addr);
		if (vma && vma->vm_start <= addr) {
			n = bring_in_some(mm, vma, addr,
					  min(end, vma->vm_end));
			next = addr + max(n, 1L) * PAGE_SIZE;
		} else if (vma) {
			next = min(end, vma->vm_start);
		}
		if (n < 0)
			c->holes += (next - addr) / PAGE_SIZE;
		else if (!n)
			err = -EAGAIN;
		if (!n && !ask && userfaultfd_armed(vma))
			ask = addr;
		addr = next;
	}
	mmap_read_unlock(mm);
	if (ask)
		goheap_mapping_ask(&c->ask, mm, ask, end);
	/* As long as one is missing that exists, no number of holes is right. */
	if (err)
		c->holes = 0;
	return err;
}

/* Do what a try lacked. */
static int prepare(struct goheap_copy *c, struct goheap_attachment *att)
{
	switch (c->result) {
	case OUTSIDE:
		c->holes = 0;
		return find_stack(c, att);
	case TOO_LONG:
		return grow_buffer(c);
	case ABSENT:
		return bring_in(c, att->mm);
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
	if (c->hi)
		gh_mark_words(m, c->buffer, (c->hi - c->sp) / sizeof(u64),
			      att->seen, att->nr_seen, GH_ROOT_STACK);
}

/* Until the thread has been read, is gone, or cannot be read. */
static int copy_until(struct goheap_copy *c, struct goheap_attachment *att)
{
	u64 since = ktime_get_ns();
	u32 nth;
	int err;

	for (nth = 1; try_copy(c); nth++) {
		if (c->result == GONE || exiting(c->task))
			return -ESRCH;
		err = prepare(c, att);
		if (err == -EFBIG)
			return err;
		/* What it took to get the mmap lock is counted as that. */
		if (c->result == OUTSIDE)
			since = ktime_get_ns();
		if (!goheap_copy_again(c, nth, err, &since))
			return -ETIMEDOUT;
	}
	return 0;
}

/*
 * The thread is on another stack than its first one: a signal handler's or a
 * coroutine's, and who called that is on the first.
 */
static int mark_first_stack(struct goheap_copy *c, struct goheap_attachment *att,
			    unsigned long at, struct gh_mark *m)
{
	u64 since = ktime_get_ns();
	u32 nth;
	int err;

	for (nth = 1;; nth++) {
		err = goheap_mapping_find(c->mm, at, &c->lo, &c->hi);
		if (!err)
			break;
		if (!goheap_copy_again(c, nth, err, &since))
			return -ETIMEDOUT;
	}
	return goheap_range_mark(c, att, c->lo, c->hi, true, m);
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
	begin_reading(c);
	/* Usually the same as last time, but for its lower end. */
	c->lo = hi > STACK_GUESS ? hi - STACK_GUESS : 1;
	c->hi = max(hi, 1UL);
	err = copy_until(c, att);
	if (err)
		return err == -ESRCH ? 0 : err;
	mark_copy(c, att, m);
	if (!at || (c->lo <= at && at < c->hi))
		return 0;
	return mark_first_stack(c, att, at, m);
}

/* The first address from @start on that is mapped, if that is easy to find. */
static unsigned long skip_unmapped(struct mm_struct *mm, unsigned long start,
				   unsigned long end)
{
	struct vm_area_struct *vma;

	if (start >= end || !mmap_read_trylock(mm))
		return start;
	vma = find_vma(mm, start);
	start = vma ? min(max(start, vma->vm_start), end) : end;
	mmap_read_unlock(mm);
	return start;
}

/* A step of a range. */
static int range_copy(struct goheap_copy *c, struct goheap_attachment *att,
		      unsigned long start, unsigned long n)
{
	u64 since = ktime_get_ns();
	u32 nth;
	int err;

	begin_reading(c);
	copy_pages(c, start, start + n);
	for (nth = 1; !copied_all(c); nth++) {
		err = bring_in(c, att->mm);
		if (!goheap_copy_again(c, nth, err, &since))
			return -ETIMEDOUT;
		copy_pages(c, start, start + n);
	}
	return 0;
}

/**
 * goheap_range_mark() - offer memory of a process to the marker
 * @c: room for the copy
 * @att: attachment of the process
 * @start: first address, a multiple of 8
 * @end: behind the last one, likewise
 * @stack: for the statistics
 * @m: marker
 *
 * Memory that is not mapped is passed over.
 * Context: as goheap_thread_mark().
 * Return: 0 or -ETIMEDOUT.
 */
int goheap_range_mark(struct goheap_copy *c, struct goheap_attachment *att,
		      unsigned long start, unsigned long end, bool stack,
		      struct gh_mark *m)
{
	while (start < end) {
		unsigned long n = min(end - start, RANGE_STEP);
		int err = range_copy(c, att, start, n);

		if (err)
			return err;
		gh_mark_words(m, c->buffer, n / sizeof(u64), att->seen,
			      att->nr_seen,
			      stack ? GH_ROOT_STACK : GH_ROOT_STATIC);
		start += n;
		if (c->absent)
			start = skip_unmapped(att->mm, start, end);
		cond_resched();
	}
	return 0;
}
