// SPDX-License-Identifier: GPL-2.0
/*
 * Conservative roots: registers and stacks of threads that use the heap, wherever
 * a collection meets them, and registered ranges.
 *
 * What a test knows of objects is kept hidden(); what it wants kept is where a
 * thread would have it. Words left behind in dead stack frames may keep some
 * objects too long, so that what must go is asked of many objects together.
 */
#include <sys/ptrace.h>

#include "side.h"

FIXTURE(threads) {
	struct heap heap;
	int fd;
};

FIXTURE_SETUP(threads)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
}

FIXTURE_TEARDOWN(threads)
{
	heap_close(&self->heap);
}

/* Only in a register, running without a call. */
static void hold_register(struct holder *x, goheap_ref ref)
{
#ifdef __x86_64__
	register __u64 r asm("r12") = ref;

	ref = 0;
	say_ready(x);
	while (!finished(x))
		__asm__ volatile("pause" : "+r" (r));
#else
	volatile goheap_ref local = ref;

	say_ready(x);
	while (!finished(x))
		(void)local;
#endif
}

/* Only in a vector register. */
static void hold_vector(struct holder *x, goheap_ref ref)
{
#ifdef __x86_64__
	int *done = &x->done, *ready = &x->ready;

	__asm__ volatile("movq %[ref], %%xmm9\n"
			 "xor %[ref], %[ref]\n"
			 "movl $1, (%[ready])\n"
			 "1: pause\n"
			 "cmpl $0, (%[done])\n"
			 "je 1b\n"
			 : [ref] "+r" (ref)
			 : [done] "r" (done), [ready] "r" (ready)
			 : "xmm9", "memory", "cc");
#else
	hold_asleep(x, ref);
#endif
}

/* As a pointer into the middle of the object. */
static void hold_pointer(struct holder *x, goheap_ref ref)
{
	char *volatile p = (char *)heap_ptr(x->h, ref) + 60;

	ref = 0;
	say_ready(x);
	while (!finished(x))
		(void)p;
}

/* In a loop of system calls. */
static void hold_calling(struct holder *x, goheap_ref ref)
{
	volatile goheap_ref local = ref;

	say_ready(x);
	while (!finished(x))
		syscall(SYS_getppid);
	(void)local;
}

/* Far from the stack pointer. */
static __attribute__((noinline)) void dive(struct holder *x, unsigned long n)
{
	volatile char frame[1000];

	frame[0] = n;
	if (n) {
		dive(x, n - 1);
	} else {
		say_ready(x);
		while (!finished(x))
			sched_yield();
	}
	(void)frame[0];
}

static void hold_deep(struct holder *x, goheap_ref ref)
{
	volatile goheap_ref local = ref;

	dive(x, 7000);
	(void)local;
}

/* In an ucontext whose stack has been registered. */
static void side(void)
{
	volatile goheap_ref local = ~side_holder->hid;

	side_return();
	(void)local;
}

static void hold_coroutine(struct holder *x, goheap_ref ref)
{
	void *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)ref;
	side_make(x, stack, 65536, side);
	side_go();
	say_ready(x);
	while (!finished(x))
		;
	gh_range_remove(x->h->fd, stack);
}

/*
 * On the first stack, with the thread on one that begins where the first one ends:
 * to the kernel both are one mapping.
 */
#define STACK_BELOW	(256 * KIB)
#define STACK_ABOVE	(64 * KIB)

static void hold_below(struct holder *x, goheap_ref ref)
{
	volatile goheap_ref local = ref;

	side_make(x, x->side, STACK_ABOVE, side_wait);
	side_go();
	gh_range_remove(x->h->fd, x->side);
	(void)local;
}

/* In the frame that a signal handler on another stack has interrupted. */
static void hold_altstack(struct holder *x, goheap_ref ref)
{
	volatile goheap_ref local = ref;

	wait_on_signal_stack(x);
	(void)local;
}

/*
 * On the first stack, below an array in it that the thread is on, as in the example
 * of makecontext(3).
 */
#define STACK_INSIDE	(32 * KIB)

static __attribute__((noinline)) void enter_inside(struct holder *x)
{
	volatile goheap_ref local = ~x->hid;

	side_go();
	(void)local;
}

static void hold_inside(struct holder *x, goheap_ref ref)
{
	char stack[STACK_INSIDE] __attribute__((aligned(16)));

	(void)ref;
	side_make(x, stack, sizeof(stack), side_wait);
	enter_inside(x);
	gh_range_remove(x->h->fd, stack);
}

static void try_holder_on(struct __test_metadata *_metadata, struct heap *h,
			  struct holder x, const pthread_attr_t *attr)
{
	ASSERT_EQ(0, holder_start(&x, h, attr));
	for (int i = 0; i < 5; i++) {
		EXPECT_GE(10, survivors(h));
		EXPECT_TRUE(alive(h, x.hid));
	}
	holder_stop(&x);
	EXPECT_FALSE(x.interrupted);
	EXPECT_EQ(0, gh_collect(h->fd));
	EXPECT_FALSE(alive(h, x.hid));
}

static void try_holder(struct __test_metadata *_metadata, struct heap *h,
		       void (*hold)(struct holder *, goheap_ref))
{
	try_holder_on(_metadata, h, (struct holder){ .hold = hold }, NULL);
}

#define TEST_HOLDER(name) \
	TEST_F(threads, name) { \
		try_holder(_metadata, &self->heap, hold_##name); \
	}

TEST_HOLDER(asleep)
TEST_HOLDER(register)
TEST_HOLDER(vector)
TEST_HOLDER(pointer)
TEST_HOLDER(calling)
TEST_HOLDER(deep)
TEST_HOLDER(coroutine)
TEST_HOLDER(altstack)
TEST_HOLDER(inside)

TEST_F(threads, below)
{
	char *stack = mmap(NULL, STACK_BELOW + STACK_ABOVE,
			   PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	struct holder x = { .hold = hold_below, .side = stack + STACK_BELOW };
	pthread_attr_t attr;

	ASSERT_NE(MAP_FAILED, (void *)stack);
	ASSERT_EQ(0, pthread_attr_init(&attr));
	ASSERT_EQ(0, pthread_attr_setstack(&attr, stack, STACK_BELOW));
	try_holder_on(_metadata, &self->heap, x, &attr);
	munmap(stack, STACK_BELOW + STACK_ABOVE);
}

TEST_F(threads, own_stack)
{
	struct heap *h = &self->heap;
	struct mutator m;
	volatile goheap_ref local = 0;
	__u64 hid;

	ASSERT_EQ(0, mutator_attach(&m, self->fd, false));
	hid = new_hidden(self->fd);
	local = ~hid;
	EXPECT_GE(10, survivors(h));
	EXPECT_TRUE(alive(h, hid));
	local = 0;
	clear_stack();
	EXPECT_EQ(0, gh_collect(self->fd));
	EXPECT_FALSE(alive(h, hid));
	(void)local;
	mutator_detach(&m);
}

/* A thread whose first call is one of a coroutine, which hands something back. */
static void attach_aside(void)
{
	struct holder *x = side_holder;
	struct mutator m;

	x->error = mutator_attach(&m, x->h->fd, false);
	x->hid = new_hidden(x->h->fd);
	side_return();
	say_ready(x);
	while (!finished(x))
		;
	mutator_detach(&m);
	side_return();
}

static void *first_call_aside(void *arg)
{
	static char stack[64 * KIB] __attribute__((aligned(16)));
	struct holder *x = arg;
	volatile goheap_ref local;

	side_make(x, stack, sizeof(stack), attach_aside);
	if (x->error)
		return arg;
	side_go();
	local = ~x->hid;
	side_go();
	(void)local;
	gh_range_remove(x->h->fd, stack);
	return NULL;
}

TEST_F(threads, first_call_in_coroutine)
{
	struct heap *h = &self->heap;
	struct holder x = { 0 };

	ASSERT_EQ(0, holder_create(&x, h, NULL, first_call_aside));
	for (int i = 0; i < 5; i++) {
		EXPECT_GE(10, survivors(h));
		EXPECT_TRUE(alive(h, x.hid));
	}
	holder_stop(&x);
	EXPECT_EQ(0, gh_collect(self->fd));
	EXPECT_FALSE(alive(h, x.hid));
}

TEST_F(threads, precise)
{
	struct heap *h = &self->heap;
	struct mutator m;
	volatile goheap_ref local;
	__u64 hid;

	ASSERT_EQ(0, mutator_attach(&m, self->fd, true));
	hid = new_hidden(self->fd);
	local = ~hid;
	EXPECT_EQ(0, survivors(h));
	EXPECT_FALSE(alive(h, hid));
	(void)local;
	mutator_detach(&m);
}

/* On a registered stack of which more is in use than can be copied. */
#define STACK_TOO_LONG	(80 * MIB)

static void try_too_long(struct heap *h, int *ready)
{
	struct holder x = { .h = h };
	struct mutator m;
	char *stack = mmap(NULL, STACK_TOO_LONG, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHILD_CHECK(!heap_attach(h));
	CHILD_CHECK(!mutator_attach(&m, h->fd, false));
	side_make(&x, stack, STACK_TOO_LONG, side_wait);
	CHILD_CHECK(!x.error);
	/* At its lower end, so that nearly all of it is in use. */
	side_context.uc_stack.ss_size = MIB;
	makecontext(&side_context, side_wait, 0);
	__atomic_store_n(ready, 1, __ATOMIC_RELEASE);
	side_go();
}

/* Its process loses the heap. */
TEST_F(threads, too_long)
{
	struct heap *h = &self->heap;
	int *ready = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	__u64 evicted = 0;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, ready);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		try_too_long(h, ready);
		_exit(0);
	}
	while (!__atomic_load_n(ready, __ATOMIC_ACQUIRE))
		sched_yield();
	for (int i = 0; !evicted && i < 100; i++) {
		EXPECT_EQ(0, gh_collect(self->fd));
		evicted = heap_metric(h, "memory/evictions:processes");
		usleep(1000);
	}
	EXPECT_EQ(1, evicted);
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_for(pid));
	munmap(ready, PAGE);
}

static void *hold_precise(void *arg)
{
	struct holder *x = arg;
	struct mutator m;

	x->error = mutator_attach(&m, x->h->fd, true);
	x->hid = new_hidden(x->h->fd);
	hold_asleep(x, ~x->hid);
	mutator_detach(&m);
	return NULL;
}

/* A precise mutator's is not looked at either if others' are. */
TEST_F(threads, precise_beside_others)
{
	struct heap *h = &self->heap;
	struct holder x = { 0 };
	struct mutator m;

	ASSERT_EQ(0, mutator_attach(&m, self->fd, false));
	ASSERT_EQ(0, holder_create(&x, h, NULL, hold_precise));
	EXPECT_GE(10, survivors(h));
	EXPECT_FALSE(alive(h, x.hid));
	holder_stop(&x);
	mutator_detach(&m);
}

static goheap_ref variables[16];

TEST_F(threads, ranges)
{
	struct heap *h = &self->heap;
	struct goheap_cycle c;
	__u64 hid;

	EXPECT_EQ(0, gh_range_add(self->fd, GOHEAP_RANGE_STATIC, variables,
				  sizeof(variables)));
	EXPECT_EQ(-EEXIST, gh_range_add(self->fd, GOHEAP_RANGE_STATIC,
					&variables[15], 64));
	hid = new_hidden(self->fd);
	variables[15] = ~hid;
	EXPECT_EQ(0, survivors(h));
	EXPECT_TRUE(alive(h, hid));
	ASSERT_EQ(0, gh_cycle(self->fd, 0, &c));
	EXPECT_EQ(sizeof(variables), c.global_bytes);
	variables[15] = 0;
	EXPECT_EQ(0, gh_collect(self->fd));
	EXPECT_FALSE(alive(h, hid));
	hid = new_hidden(self->fd);
	variables[0] = ~hid;
	EXPECT_EQ(-ENOENT, gh_range_remove(self->fd, &variables[1]));
	EXPECT_EQ(0, gh_range_remove(self->fd, variables));
	EXPECT_EQ(-ENOENT, gh_range_remove(self->fd, variables));
	EXPECT_EQ(0, gh_collect(self->fd));
	EXPECT_FALSE(alive(h, hid));
}

TEST_F(threads, bad_ranges)
{
	struct heap *h = &self->heap;
	char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u64 hid;

	EXPECT_EQ(-EINVAL, gh_range_add(self->fd, 2, p, 8));
	EXPECT_EQ(-EINVAL, gh_range_add(self->fd, 0, p + 1, 8));
	EXPECT_EQ(-EINVAL, gh_range_add(self->fd, 0, p, 7));
	EXPECT_EQ(-EINVAL, gh_range_add(self->fd, 0, p, 0));
	EXPECT_EQ(-EINVAL, gh_range_add(self->fd, 0, (void *)-64L, 64));
	EXPECT_EQ(-EINVAL, gh_range_add(self->fd, 0, (void *)-64L, 128));
	EXPECT_EQ(-ENOSPC, gh_range_add(self->fd, 0, p, 5 * GIB));
	/* Holes, protected pages, the heap itself: passed over. */
	EXPECT_EQ(0, gh_range_add(self->fd, 0, p, 16 * PAGE));
	hid = new_hidden(self->fd);
	*(goheap_ref *)(p + 16 * PAGE - 8) = ~hid;
	munmap(p + 3 * PAGE, 5 * PAGE);
	mprotect(p + 9 * PAGE, PAGE, PROT_NONE);
	EXPECT_EQ(0, gh_range_add(self->fd, 0, h->base, MIB));
	EXPECT_EQ(0, gh_collect(self->fd));
	EXPECT_TRUE(alive(h, hid));
	EXPECT_EQ(0, gh_range_remove(self->fd, p));
	EXPECT_EQ(0, gh_collect(self->fd));
	EXPECT_FALSE(alive(h, hid));
	munmap(p, 16 * PAGE);
}

#ifdef __x86_64__
/*
 * In a frame while a signal handler runs on another stack, and in a register after
 * it has returned: whoever looks at one after the other must not miss it.
 */
#define LINGER	20000

static void on_brief(int sig)
{
	(void)sig;
	for (int i = 0; i < LINGER; i++)
		__asm__ volatile("pause");
}

static void hold_by_turns(struct holder *x, goheap_ref ref)
{
	static char stack[64 * KIB];
	stack_t ss = { .ss_size = sizeof(stack), .ss_sp = stack };
	struct sigaction sa = { .sa_handler = on_brief, .sa_flags = SA_ONSTACK };
	volatile goheap_ref local = ref;

	ref = 0;
	sigaltstack(&ss, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	say_ready(x);
	while (!finished(x)) {
		int n = LINGER;

		raise(SIGUSR1);
		__asm__ volatile("mov %[local], %%r13\n"
				 "movq $0, %[local]\n"
				 "1: pause\n"
				 "decl %[n]\n"
				 "jnz 1b\n"
				 "mov %%r13, %[local]\n"
				 "xor %%r13, %%r13\n"
				 : [local] "+m" (local), [n] "+r" (n)
				 : : "r13", "memory", "cc");
	}
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
}

/* Collect while the thread goes on; is its object still there in the end? */
static void collect_beside(struct __test_metadata *_metadata, struct heap *h,
			   struct holder *x, int times)
{
	for (int i = 0; i < times * test_length(); i++) {
		ASSERT_EQ(0, gh_collect(h->fd));
		ASSERT_TRUE(alive(h, x->hid))
			TH_LOG("collection %d", i);
	}
	EXPECT_GE(10, survivors(h));
}

TEST_F(threads, handler_returns)
{
	struct heap *h = &self->heap;
	struct holder x = { .hold = hold_by_turns };

	ASSERT_EQ(0, holder_start(&x, h, NULL));
	collect_beside(_metadata, h, &x, 300);
	holder_stop(&x);
	EXPECT_EQ(0, gh_collect(h->fd));
	EXPECT_FALSE(alive(h, x.hid));
}

/* Only in a register, while signals move it to the stack and back. */
static void on_nothing(int sig)
{
	(void)sig;
}

static void hold_in_storm(struct holder *x, goheap_ref ref)
{
	static char stack[64 * KIB];
	stack_t ss = { .ss_size = sizeof(stack), .ss_sp = stack };

	(void)ref;
	if (x->depth & 1)
		sigaltstack(&ss, NULL);
	if (x->depth & 2)
		hold_vector(x, ~x->hid);
	else
		hold_register(x, ~x->hid);
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
}

static void *send_signals(void *arg)
{
	struct holder *x = arg;

	while (!finished(x))
		syscall(SYS_tgkill, getpid(), x->tid, SIGUSR1);
	return NULL;
}

TEST_F(threads, storm_of_signals)
{
	struct sigaction sa = { .sa_handler = on_nothing };
	struct heap *h = &self->heap;

	for (unsigned long i = 0; i < 4; i++) {
		struct holder x = { .hold = hold_in_storm, .depth = i };
		pthread_t sender;

		sa.sa_flags = i & 1 ? SA_ONSTACK : 0;
		ASSERT_EQ(0, sigaction(SIGUSR1, &sa, NULL));
		ASSERT_EQ(0, holder_start(&x, h, NULL));
		ASSERT_EQ(0, pthread_create(&sender, NULL, send_signals, &x));
		collect_beside(_metadata, h, &x, 1000);
		__atomic_store_n(&x.done, 1, __ATOMIC_RELEASE);
		pthread_join(sender, NULL);
		holder_stop(&x);
		EXPECT_EQ(0, gh_collect(h->fd));
		EXPECT_FALSE(alive(h, x.hid));
	}
}

/* A stack pointer that points nowhere costs stack roots and nothing else. */
static void hold_lost(struct holder *x, goheap_ref ref)
{
	int *done = &x->done, *ready = &x->ready;

	__asm__ volatile("mov %%rsp, %%r13\n"
			 "mov $0x123456, %%rsp\n"
			 "mov %[ref], %%r14\n"
			 "movl $1, (%[ready])\n"
			 "1: pause\n"
			 "cmpl $0, (%[done])\n"
			 "je 1b\n"
			 "mov %%r13, %%rsp\n"
			 : : [ref] "r" (ref), [done] "r" (done),
			   [ready] "r" (ready)
			 : "r13", "r14", "memory", "cc");
}

TEST_HOLDER(lost)
#endif

TEST_F(threads, stopped)
{
	struct heap *h = &self->heap;
	int to[2];
	char c;
	pid_t pid;

	ASSERT_EQ(0, pipe(to));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		volatile goheap_ref local;
		struct mutator m;

		CHILD_CHECK(!heap_attach(h));
		CHILD_CHECK(!mutator_attach(&m, h->fd, false));
		local = ~new_hidden(h->fd);
		CHILD_CHECK(write(to[1], (void *)&local, 8) == 8);
		for (;;)
			(void)local;
	}
	goheap_ref ref;

	ASSERT_EQ(8, read(to[0], &ref, 8));
	__u64 hid = hidden(ref);

	ref = 0;
	kill(pid, SIGSTOP);
	EXPECT_GE(10, survivors(h));
	EXPECT_TRUE(alive(h, hid));
	kill(pid, SIGCONT);
	EXPECT_GE(10, survivors(h));
	EXPECT_TRUE(alive(h, hid));
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid, 0, 0));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, pid, 0, 0));
	ASSERT_EQ(pid, waitpid(pid, NULL, __WALL));
	EXPECT_GE(10, survivors(h));
	EXPECT_TRUE(alive(h, hid));
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_for(pid));
	EXPECT_EQ(0, gh_collect(self->fd));
	EXPECT_FALSE(alive(h, hid));
	(void)c;
	close(to[0]);
	close(to[1]);
}

TEST_HARNESS_MAIN
