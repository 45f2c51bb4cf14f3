// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Stacks that a program switches between by itself.
 *
 * Two things can hide a reference. The stacks are read one after the other, so no
 * thread may change from one to another unseen meanwhile: it touches its control
 * page before it does, which the kernel holds back. And a coroutine that has left
 * its stack has registers, those that functions preserve, which swapcontext() puts
 * into a ucontext_t and longjmp() takes from a jmp_buf. These are no stack: in
 * memory of malloc() they are not read, and in a variable they are read earlier
 * than the thread is, and then written without a barrier.
 *
 * So all of these registers have to be on the stack that is left, in a frame that
 * ends after the coroutine has come back. Something inline that spilled them
 * would not do: after it a compiler is free to take them from the stack again and
 * to jump to swapcontext().
 */
#include "internal.h"

/* The thread has used another heap last, or none. */
int goheap_stack_switch_slow(struct goheap *h)
{
	return gh_thread_get(h) ? goheap_stack_switch(h) : -1;
}

/**
 * goheap_stack_call() - change the stack
 * @h: the heap
 * @leave: does it, by swapcontext() or the like; it returns when something has
 *	changed back
 * @arg: its argument
 *
 * For each change from or to a stack of goheap_stack_add(). What the caller has in
 * registers is on its stack while @leave runs; @leave itself has its argument only.
 * If references of several heaps are on the stacks, @leave begins with
 * goheap_stack_switch() for each of the others. Waits while a collection reads
 * stacks.
 *
 * Return: 0 after @leave has returned; -1 without having called it, with errno as
 * goheap_new() sets it if the thread cannot use the heap.
 */
__attribute__((noinline)) int
goheap_stack_call(struct goheap *h, void (*leave)(void *arg), void *arg)
{
	__builtin_unwind_init();
	if (goheap_stack_switch(h))
		return -1;
	leave(arg);
	/* It is a call, and no jump after this frame. */
	__asm__ volatile("" : : : "memory");
	return 0;
}
