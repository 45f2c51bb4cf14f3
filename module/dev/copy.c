// SPDX-License-Identifier: GPL-2.0
/*
 * Copies of a process's memory, for a collector that looks for references in it:
 * of ranges, a step at a time, and of the stacks of a thread (thread.c), several
 * pieces at one moment.
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
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <linux/userfaultfd_k.h>

#include "attach.h"
#include "compat.h"
#include "copy.h"
#include "mapping.h"

#define BUFFER_MIN	(64UL << 10)
#define BUFFER_MAX	(64UL << 20)
#define PATIENCE	(500 * NSEC_PER_MSEC)
#define LONG_PATIENCE	(10 * NSEC_PER_SEC)
#define FREE_TRIES	4	/* of one reading, if none of them waits */
#define MIN_TRIES	20	/* before a process is given up */

/* Longest piece of a range that is copied at once. */
#define RANGE_STEP	BUFFER_MIN

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

/**
 * goheap_copy_begin() - be patient again: what was to be read before has been
 * @c: room for the copies
 */
void goheap_copy_begin(struct goheap_copy *c)
{
	c->vain_ns = 0;
	c->vain = 0;
	c->least = ULONG_MAX;
	memset(c->piece, 0, sizeof(c->piece));
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
	goheap_copy_begin(c);
}

/**
 * goheap_copy_done() - undo goheap_copy_process()
 * @c: room for the copies
 */
void goheap_copy_done(struct goheap_copy *c)
{
	goheap_mapping_ask_end(&c->ask);
}

static unsigned long nr_absent(const struct goheap_copy *c)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < GOHEAP_NR_PIECES; i++)
		sum += c->piece[i].absent;
	return sum;
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
	if (why == -EAGAIN && nr_absent(c) < c->least) {
		c->least = nr_absent(c);
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
 * are noted and read as zero. It ends at TASK_SIZE_MAX at most. May run with
 * interrupts disabled.
 */
static void copy_piece(struct goheap_piece *p, void *to)
{
	unsigned long addr, next;

	p->absent = 0;
	for (addr = p->from; addr < p->end; addr = next) {
		void *dst = to + (addr - p->from);

		next = min((addr | ~PAGE_MASK) + 1, p->end);
		if (!copy_from_user_nofault(dst, (void __user *)addr,
					    next - addr))
			continue;
		memset(dst, 0, next - addr);
		if (!p->absent++)
			p->first = addr & PAGE_MASK;
		p->last = addr & PAGE_MASK;
	}
}

/* Has all been copied but what does not exist? */
static bool copied_all(const struct goheap_piece *p)
{
	return !p->absent || (p->absent <= p->holes && p->first == p->hole &&
			      p->last == p->last_hole);
}

/**
 * goheap_copy_bytes() - how much is to be copied, or has been
 * @c: room for the copies
 *
 * Return: bytes of all pieces.
 */
unsigned long goheap_copy_bytes(const struct goheap_copy *c)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < GOHEAP_NR_PIECES; i++)
		sum += c->piece[i].end - c->piece[i].from;
	return sum;
}

/**
 * goheap_piece_set() - a piece of whole words of what is between two addresses
 * @p: the piece
 * @from: the first one
 * @end: behind the last one
 *
 * The last word that a program could have is left out: User-mode Linux does not let
 * it be copied.
 */
void goheap_piece_set(struct goheap_piece *p, unsigned long from,
		      unsigned long end)
{
	p->end = round_down(min(end, TASK_SIZE_MAX - 1), sizeof(u64));
	p->from = min(round_up(from, sizeof(u64)), p->end);
}

/**
 * goheap_copy_pieces() - copy all pieces
 * @c: room for them, which is enough
 *
 * Context: may run with interrupts disabled, in the process's address space.
 * Return: false if there are pages that have not been copied and may exist.
 */
bool goheap_copy_pieces(struct goheap_copy *c)
{
	void *to = c->buffer;
	bool all = true;
	int i;

	for (i = 0; i < GOHEAP_NR_PIECES; i++) {
		struct goheap_piece *p = &c->piece[i];

		copy_piece(p, to);
		to += p->end - p->from;
		if (!copied_all(p))
			all = false;
	}
	return all;
}

/**
 * goheap_copy_grow() - make room for all pieces
 * @c: where there is less
 *
 * Return: 0, -EFBIG if that is too much, -ENOMEM.
 */
int goheap_copy_grow(struct goheap_copy *c)
{
	size_t size = roundup_pow_of_two(goheap_copy_bytes(c) + PAGE_SIZE);
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

/*
 * Have absent pages brought in, and count those that do not exist. Returns
 * -EAGAIN as long as one is on its way. The mmap lock is held.
 */
static int bring_in_piece(struct goheap_piece *p, struct mm_struct *mm)
{
	unsigned long addr = p->first, end = p->last + PAGE_SIZE;
	struct vm_area_struct *vma;
	int err = 0;

	p->holes = 0;
	p->hole = p->first;
	p->last_hole = p->last;
	p->ask = 0;
	while (addr < end) {
		unsigned long next = end;
		long n = -EFAULT;

		vma = find_vma(mm, addr);
		if (vma && vma->vm_start <= addr) {
			n = goheap_mapping_bring_in(vma, addr, end);
			next = addr + max(n, 1L) * PAGE_SIZE;
		} else if (vma) {
			next = min(end, vma->vm_start);
		}
		if (n < 0)
			p->holes += (next - addr) / PAGE_SIZE;
		else if (!n)
			err = -EAGAIN;
		if (!n && !p->ask && userfaultfd_armed(vma))
			p->ask = addr;
		addr = next;
	}
	/* As long as one is missing that exists, no number of holes is right. */
	if (err)
		p->holes = 0;
	return err;
}

/* Pieces with pages to be brought in, and whether one is on its way. */
struct missing {
	struct goheap_piece piece[GOHEAP_NR_PIECES];
	int err;
};

static void bring_in(struct mm_struct *mm, void *data)
{
	struct missing *x = data;
	int i;

	for (i = 0; i < GOHEAP_NR_PIECES; i++)
		if (x->piece[i].absent && bring_in_piece(&x->piece[i], mm))
			x->err = -EAGAIN;
}

/**
 * goheap_copy_bring_in() - have pages brought in that have not been copied
 * @c: room for the copies
 * @since: when the try began; moved on by what waiting for the mmap lock took
 *
 * Return: 0; -EAGAIN as long as one is on its way; -EBUSY without the mmap lock;
 * -ENOMEM.
 */
int goheap_copy_bring_in(struct goheap_copy *c, u64 *since)
{
	struct missing x = {};
	u64 waited = 0;
	int i, err;

	memcpy(x.piece, c->piece, sizeof(x.piece));
	err = goheap_mapping_locked(c->mm, bring_in, &x, sizeof(x), &waited);
	c->lock_ns += waited;
	*since += waited;
	if (err)
		return err;
	memcpy(c->piece, x.piece, sizeof(c->piece));
	for (i = 0; i < GOHEAP_NR_PIECES; i++)
		if (c->piece[i].absent && c->piece[i].ask)
			goheap_mapping_ask(&c->ask, c->mm, c->piece[i].ask,
					   c->piece[i].last + PAGE_SIZE);
	return x.err;
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
static int range_copy(struct goheap_copy *c, unsigned long start,
		      unsigned long n)
{
	struct goheap_piece *p = &c->piece[GOHEAP_PIECE_HERE];
	u64 since = ktime_get_ns();
	u32 nth;
	int err;

	goheap_copy_begin(c);
	goheap_piece_set(p, start, start + n);
	copy_piece(p, c->buffer);
	for (nth = 1; !copied_all(p); nth++) {
		err = goheap_copy_bring_in(c, &since);
		if (!goheap_copy_again(c, nth, err, &since))
			return -ETIMEDOUT;
		copy_piece(p, c->buffer);
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
		int err = range_copy(c, start, n);

		if (err)
			return err;
		gh_mark_words(m, c->buffer, goheap_copy_bytes(c) / sizeof(u64),
			      att->seen, att->nr_seen,
			      stack ? GH_ROOT_STACK : GH_ROOT_STATIC);
		start += n;
		if (c->piece[GOHEAP_PIECE_HERE].absent)
			start = skip_unmapped(att->mm, start, end);
		cond_resched();
	}
	return 0;
}
