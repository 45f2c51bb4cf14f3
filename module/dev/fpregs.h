/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Vector registers of a thread, as words. Architectures other than x86-64 have
 * none here: references that are nowhere but in a vector register are missed.
 */
#ifndef GOHEAP_FPREGS_H
#define GOHEAP_FPREGS_H

#include <linux/sched.h>
#include <linux/uaccess.h>

#ifdef CONFIG_X86_64
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>

#include "compat.h"

/* x87, SSE, AVX and AVX-512, with header: what XSAVE writes for them. */
#define GOHEAP_FP_BYTES	2688
#define GOHEAP_FP_WORDS	(GOHEAP_FP_BYTES / 8)
#define GOHEAP_FP_MASK	0xe7

/* Registers of the CPU that runs the thread, from an interrupt on it. */
static inline u32 goheap_fp_live(u64 *words)
{
	if (boot_cpu_has(X86_FEATURE_XSAVE)) {
		memset(words, 0, GOHEAP_FP_BYTES);
		asm volatile("xsave64 (%0)"
			     : : "r" (words), "a" (GOHEAP_FP_MASK), "d" (0)
			     : "memory");
		return GOHEAP_FP_WORDS;
	}
	asm volatile("fxsave64 (%0)" : : "r" (words) : "memory");
	return 512 / 8;
}

/* What was saved when the thread left its CPU, or the kernel used the FPU. */
static inline u32 goheap_fp_saved(struct task_struct *task, u64 *words)
{
	const struct fpstate *fps = READ_ONCE(goheap_fpu(task)->fpstate);
	u32 bytes = min_t(u32, READ_ONCE(fps->size), GOHEAP_FP_BYTES);

	if (copy_from_kernel_nofault(words, &fps->regs, round_down(bytes, 8)))
		return 0;
	return bytes / 8;
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

#else

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

#endif

#endif /* GOHEAP_FPREGS_H */
