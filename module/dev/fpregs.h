/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Vector registers of a thread, as words. Architectures other than x86-64 have
 * none here: references that are nowhere but in a vector register are missed.
 */
#ifndef GOHEAP_FPREGS_H
#define GOHEAP_FPREGS_H

#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#if defined(CONFIG_X86_64)
/* x87, SSE, AVX and AVX-512, with header: what XSAVE writes for them. */
#define GOHEAP_FP_BYTES	2688
#define GOHEAP_FP_WORDS	(GOHEAP_FP_BYTES / 8)
#define GOHEAP_FP_MASK	0xe7

/* Of a signal frame without these; with what alignment takes. */
#define GOHEAP_FRAME_BYTES	1024

/* Where SSE's registers and the header end, and AVX's; which of them are used. */
#define GOHEAP_FP_LEGACY	576
#define GOHEAP_FP_AVX		832
#define GOHEAP_FP_HEADER	(512 / 8)
#define GOHEAP_FP_USES_AVX	0x04
#define GOHEAP_FP_USES_AVX512	0xe0

/* Bytes that hold anything, of @bytes that begin with the header. */
static inline u32 goheap_fp_used(const u64 *words, u32 bytes)
{
	u64 used;

	if (bytes <= GOHEAP_FP_LEGACY)
		return bytes;
	used = words[GOHEAP_FP_HEADER];
	if (used & GOHEAP_FP_USES_AVX512)
		return bytes;
	return used & GOHEAP_FP_USES_AVX ? min_t(u32, bytes, GOHEAP_FP_AVX) :
					   GOHEAP_FP_LEGACY;
}

#ifndef CONFIG_UML
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fsgsbase.h>

#include "compat.h"

/* Registers of the CPU that runs the thread, from an interrupt on it. */
static inline u32 goheap_fp_live(u64 *words)
{
	if (boot_cpu_has(X86_FEATURE_XSAVE)) {
		memset(words, 0, GOHEAP_FP_BYTES);
		asm volatile("xsave64 (%0)"
			     : : "r" (words), "a" (GOHEAP_FP_MASK), "d" (0)
			     : "memory");
		return goheap_fp_used(words, GOHEAP_FP_BYTES) / 8;
	}
	asm volatile("fxsave64 (%0)" : : "r" (words) : "memory");
	return 512 / 8;
}

/* What @regs points to: a save area of that many bytes at least, if used. */
static inline u32 goheap_fp_read(const void *regs, u32 bytes, u64 *words)
{
	u32 first = min_t(u32, bytes, GOHEAP_FP_LEGACY);

	if (copy_from_kernel_nofault(words, regs, first))
		return 0;
	bytes = round_down(goheap_fp_used(words, bytes), 8);
	if (bytes > first &&
	    copy_from_kernel_nofault(words + first / 8, regs + first,
				     bytes - first))
		return 0;
	return bytes / 8;
}

/* What was saved when the thread left its CPU, or the kernel used the FPU. */
static inline u32 goheap_fp_saved(struct task_struct *task, u64 *words)
{
	const struct fpstate *fps = READ_ONCE(goheap_fpu(task)->fpstate);
	u32 bytes = min_t(u32, READ_ONCE(fps->size), GOHEAP_FP_BYTES);

	return goheap_fp_read(&fps->regs, bytes, words);
}

/*
 * From the interrupt: have the registers been given up and perhaps not saved yet?
 * kernel_fpu_begin() says that the kernel uses the FPU, then that the registers
 * are in memory, and only then puts them there.
 */
static inline bool goheap_fp_moving(struct task_struct *task)
{
	return test_tsk_thread_flag(task, TIF_NEED_FPU_LOAD) &&
	       !irq_fpu_usable();
}

static inline u32 goheap_fp_copy(struct task_struct *task, bool running,
				 u64 *words)
{
	if (running && !test_tsk_thread_flag(task, TIF_NEED_FPU_LOAD))
		return goheap_fp_live(words);
	return goheap_fp_saved(task, words);
}

/* Room that a signal takes on a stack: the registers' part, and the others'. */
static inline unsigned long goheap_frame_bytes(struct task_struct *task)
{
	const struct fpstate *fps = READ_ONCE(goheap_fpu(task)->fpstate);

	return GOHEAP_FRAME_BYTES + READ_ONCE(fps->user_size);
}

/* Where its thread-local variables are, as @goheap_fp_copy() is called. */
static inline unsigned long goheap_tls(struct task_struct *task,
				       const struct pt_regs *regs,
				       bool running)
{
	return running ? x86_fsbase_read_cpu() : READ_ONCE(task->thread.fsbase);
}

#else /* CONFIG_UML */

/*
 * Bytes that XSAVE writes on this machine, which is what the task has room for;
 * they differ with the maker of the CPU.
 */
static inline u32 goheap_fp_size(void)
{
	static u32 size;
	u32 a = 0xd, b = READ_ONCE(size), c = 0, d;

	/* A virtual machine has this instruction emulated, which takes long. */
	if (!b) {
		asm volatile("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
		WRITE_ONCE(size, b);
	}
	return b;
}

/* User-mode Linux saves them with the others whenever it takes over. */
static inline bool goheap_fp_moving(struct task_struct *task)
{
	return false;
}

static inline u32 goheap_fp_copy(struct task_struct *task, bool running,
				 u64 *words)
{
	/* They are part of the task, which the caller has a reference to. */
	const void *regs = task_pt_regs(task)->regs.fp;
	u32 bytes = min_t(u32, goheap_fp_size(), GOHEAP_FP_BYTES);

	if (bytes < GOHEAP_FP_LEGACY)
		return 0;
	memcpy(words, regs, GOHEAP_FP_LEGACY);
	bytes = round_down(goheap_fp_used(words, bytes), 8);
	memcpy((void *)words + GOHEAP_FP_LEGACY, regs + GOHEAP_FP_LEGACY,
	       bytes - GOHEAP_FP_LEGACY);
	return bytes / 8;
}

static inline unsigned long goheap_frame_bytes(struct task_struct *task)
{
	return GOHEAP_FRAME_BYTES + goheap_fp_size();
}

static inline unsigned long goheap_tls(struct task_struct *task,
				       const struct pt_regs *regs,
				       bool running)
{
	return regs->regs.gp[HOST_FS_BASE];
}

#endif

#else /* CONFIG_X86_64 */

#define GOHEAP_FP_WORDS	1

static inline bool goheap_fp_moving(struct task_struct *task)
{
	return false;
}

static inline u32 goheap_fp_copy(struct task_struct *task, bool running,
				 u64 *words)
{
	return 0;
}

/* Enough for most. */
static inline unsigned long goheap_frame_bytes(struct task_struct *task)
{
	return 8192;
}

static inline unsigned long goheap_tls(struct task_struct *task,
				       const struct pt_regs *regs,
				       bool running)
{
	return 0;
}

#endif

#endif /* GOHEAP_FPREGS_H */
