/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an access to an address gives: nothing, or a signal; and an object that shows
 * whether anything has happened to it.
 */
#ifndef GOHEAP_TEST_TOUCH_H
#define GOHEAP_TEST_TOUCH_H

#include <setjmp.h>

#include "goheap_test.h"

#define SPACE	GIB
#define RW	(PROT_READ | PROT_WRITE)

/* An object of 32 KiB that is to stay as it is, in slot 0; 0 if there is no memory. */
static inline goheap_ref make_witness(struct heap *h)
{
	goheap_ref ref = heap_push(h, 32 * KIB, 0);

	if (ref)
		memset(heap_ptr(h, ref), 0x5c, 32 * KIB);
	return ref;
}

/* Is it, and the only object that is left? */
static inline bool intact(struct heap *h, goheap_ref ref)
{
	return all_bytes(heap_ptr(h, ref), 0x5c, 32 * KIB) &&
	       heap_live(h) == 1 && heap_has(h, ref);
}

static sigjmp_buf fault_env;

static inline void on_fault(int sig)
{
	siglongjmp(fault_env, sig);
}

/* The signal that an access to a byte gives, 0 for none. */
static inline int touch(void *addr, bool write)
{
	struct sigaction action = { .sa_handler = on_fault };
	struct sigaction bus, segv;
	volatile char *p = addr;
	int sig;

	sigaction(SIGBUS, &action, &bus);
	sigaction(SIGSEGV, &action, &segv);
	sig = sigsetjmp(fault_env, 1);
	if (!sig) {
		if (write)
			*p = 1;
		else
			(void)*p;
	}
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return sig;
}

/* Is there any mapping at @addr in this process? */
static inline bool mapped(void *addr)
{
	return msync(addr, PAGE, MS_ASYNC) == 0;
}

#endif /* GOHEAP_TEST_TOUCH_H */
