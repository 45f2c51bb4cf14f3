/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GOHEAP_COPY_H
#define GOHEAP_COPY_H

#include <linux/ptrace.h>
#include <linux/types.h>

#include "fpregs.h"

struct gh_mark;
struct goheap_ask;
struct goheap_attachment;
struct goheap_file;
struct mm_struct;
struct task_struct;

/* What is copied besides registers. */
enum {
	GOHEAP_PIECE_HERE,	/* of a range, or the stack that the thread is on */
	GOHEAP_PIECE_FIRST,	/* its first stack, if that is another one */
	GOHEAP_PIECE_FRAME,	/* the alternate signal stack's upper end */
	GOHEAP_NR_PIECES
};

/**
 * struct goheap_piece - memory that is copied
 * @from: first address, a multiple of 8
 * @end: behind the last one, likewise
 * @absent: pages that could not be copied
 * @first: the first of them
 * @last: the last of them
 * @holes: so many pages of those between @hole and @last_hole do not exist
 * @hole: first page that has been looked for
 * @last_hole: the last one
 * @ask: a page that a userfaultfd stands for, and that is missing; 0 for none
 */
struct goheap_piece {
	unsigned long from;
	unsigned long end;
	unsigned long absent;
	unsigned long first;
	unsigned long last;
	unsigned long holes;
	unsigned long hole;
	unsigned long last_hole;
	unsigned long ask;
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
 * @at: an address in its first stack, 0 if it has not noted one
 * @regs: its user registers
 * @fp: its vector registers
 * @fp_words: how many words of them
 * @tls: its thread-local variables, 0 if that is not known
 * @sas_start: its alternate signal stack
 * @sas_bytes: bytes of that
 * @lo: lowest address of the stack that it is on
 * @hi: its end; 0 if there is none where @nowhere leads to
 * @guessed: @lo is no more than a guess
 * @known: somebody has told @lo and @hi
 * @nowhere: a stack pointer
 * @used: lowest page of its first stack that exists, if it is not on that
 * @piece: what is copied
 * @rest: parts of the first stack that are not
 * @result: 0 or what the last try came to, see thread.c
 * @buffer: where the pieces go
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
	unsigned long at;
	struct pt_regs regs;
	u32 fp_words;
	u64 fp[GOHEAP_FP_WORDS] __aligned(64);
	unsigned long tls;
	unsigned long sas_start;
	unsigned long sas_bytes;
	unsigned long lo;
	unsigned long hi;
	bool guessed;
	bool known;
	unsigned long nowhere;
	unsigned long used;
	struct goheap_piece piece[GOHEAP_NR_PIECES];
	struct goheap_piece rest[2];
	int result;
	void *buffer;
	size_t size;
};

struct goheap_copy *goheap_copy_new(void);
void goheap_copy_free(struct goheap_copy *c);
void goheap_copy_process(struct goheap_copy *c, struct goheap_file *gf,
			 struct mm_struct *mm);
void goheap_copy_done(struct goheap_copy *c);
void goheap_copy_begin(struct goheap_copy *c);
bool goheap_copy_again(struct goheap_copy *c, u32 nth, int why, u64 *since);
void goheap_piece_set(struct goheap_piece *p, unsigned long from,
		      unsigned long end);
unsigned long goheap_copy_bytes(const struct goheap_copy *c);
bool goheap_copy_pieces(struct goheap_copy *c);
int goheap_copy_grow(struct goheap_copy *c);
int goheap_copy_bring_in(struct goheap_copy *c, u64 *since);
int goheap_range_mark(struct goheap_copy *c, struct goheap_attachment *att,
		      unsigned long start, unsigned long end, bool stack,
		      struct gh_mark *m);

#endif /* GOHEAP_COPY_H */
