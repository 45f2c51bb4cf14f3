/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Threads that hold an object on their first stack, or on another one, and are
 * somewhere else: on a stack that they have registered and changed to by
 * themselves, or in a signal handler on its own.
 */
#ifndef GOHEAP_TEST_SIDE_H
#define GOHEAP_TEST_SIDE_H

#include <ucontext.h>

#include "holder.h"

/* One thread at a time has these. */
static ucontext_t main_context, side_context;
static __thread struct holder *side_holder;

/* Register a stack, for swapcontext() to @run on it. */
static inline void side_make(struct holder *x, void *stack, size_t bytes,
			     void (*run)(void))
{
	side_holder = x;
	x->error = gh_range_add(x->h->fd, GOHEAP_RANGE_STACK, stack, bytes);
	getcontext(&side_context);
	side_context.uc_stack.ss_sp = stack;
	side_context.uc_stack.ss_size = bytes;
	makecontext(&side_context, run, 0);
}

/* Change to it. */
static inline void side_go(void)
{
	swapcontext(&main_context, &side_context);
}

/* And back. */
static inline void side_return(void)
{
	swapcontext(&side_context, &main_context);
}

/* What may run there, until the test is done. */
static inline void side_wait(void)
{
	say_ready(side_holder);
	while (!finished(side_holder))
		;
	side_return();
}

static __thread struct holder *signal_holder;

static inline void on_signal_stack(int sig)
{
	(void)sig;
	say_ready(signal_holder);
	wait_until_done(signal_holder);
}

/* Be in a signal handler on another stack until the test is done. */
static inline void wait_on_signal_stack(struct holder *x)
{
	stack_t ss = { .ss_size = 65536, .ss_sp = malloc(65536) };
	struct sigaction sa = {
		.sa_handler = on_signal_stack, .sa_flags = SA_ONSTACK,
	};

	signal_holder = x;
	sigaltstack(&ss, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	raise(SIGUSR2);
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
	free(ss.ss_sp);
}

#endif /* GOHEAP_TEST_SIDE_H */
