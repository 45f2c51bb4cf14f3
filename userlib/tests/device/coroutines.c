// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Coroutines of makecontext() on stacks of their own.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "device.h"

#define STACK 65536

static struct goheap *heap;
static int failures;

/* The contexts are in memory that nobody looks at. */
struct coroutine {
	ucontext_t self;
	ucontext_t from;
	char *stack;
};

struct jump {
	ucontext_t *from;
	const ucontext_t *to;
};

static void jump(void *arg)
{
	const struct jump *j = arg;

	swapcontext(j->from, j->to);
}

static void change_stack(ucontext_t *from, const ucontext_t *to)
{
	struct jump j = { from, to };

	EXPECT(!goheap_stack_call(heap, jump, &j));
}

static struct coroutine *start(void (*run)(struct coroutine *))
{
	struct coroutine *c = calloc(1, sizeof(*c));

	c->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT(!goheap_stack_add(heap, c->stack, STACK));
	getcontext(&c->self);
	c->self.uc_stack.ss_sp = c->stack;
	c->self.uc_stack.ss_size = STACK;
	c->self.uc_link = &c->from;
	makecontext(&c->self, (void (*)(void))run, 1, c);
	return c;
}

static void go_on(struct coroutine *c)
{
	change_stack(&c->from, &c->self);
}

static void go_back(struct coroutine *c)
{
	change_stack(&c->self, &c->from);
}

static void end(struct coroutine *c)
{
	EXPECT(!goheap_range_remove(heap, c->stack));
	munmap(c->stack, STACK);
	free(c);
}

/* Overwrite registers and dead stack frames. */
static __attribute__((noinline)) void clear_stack(void)
{
	volatile char junk[8192];

	memset((void *)junk, 0, sizeof(junk));
	__asm__ volatile("" : : "r"(junk) : "memory");
}

static void make_list_slowly(struct coroutine *c)
{
	int layout = node_layout(heap);
	goheap_ref list = 0;

	for (uint64_t i = 1; i <= 200; i++) {
		goheap_ref ref = goheap_new(heap, layout, sizeof(struct node));
		struct node *node = goheap_ptr(heap, ref);

		node->value = i;
		goheap_store(heap, &node->next, list);
		list = ref;
		go_back(c);
	}
	failures += !check_list(heap, list, 200);
	goheap_stack_switch(heap);
}

void test_coroutines(struct goheap *h)
{
	enum { COROUTINES = 10 };
	struct coroutine *c[COROUTINES];

	heap = h;
	failures = 0;
	for (int i = 0; i < COROUTINES; i++)
		c[i] = start(make_list_slowly);
	for (int round = 0; round <= 200; round++) {
		for (int i = 0; i < COROUTINES; i++)
			go_on(c[i]);
		if (round % 10 == 0)
			EXPECT(!goheap_gc(h));
		for (int i = 0; i < 1000; i++)
			goheap_new(h, GOHEAP_LAYOUT_NOSCAN, 64);
	}
	EXPECT(!failures);
	for (int i = 0; i < COROUTINES; i++)
		end(c[i]);
}

/* Whichever heap the thread has used last, and if it has used none. */
void test_coroutine_heaps(struct goheap *h)
{
	struct goheap *other = goheap_open(0);

	EXPECT(!goheap_stack_switch(h) && goheap_self->heap == h);
	EXPECT(goheap_self->page->switches == 1);
	EXPECT(other && goheap_new(other, GOHEAP_LAYOUT_NOSCAN, 16));
	EXPECT(goheap_self->heap == other && !goheap_stack_switch(h));
	EXPECT(goheap_self->heap == h && goheap_self->page->switches == 2);
	goheap_close(other);
}

#ifdef __x86_64__
/*
 * uint64_t call_with(void (*call)(void *), void *arg, uint64_t hidden): call(arg)
 * while ~hidden is in a register that call() has to preserve, and nowhere else.
 * What is there afterwards, inverted.
 */
#define CALL_WITH(reg)                                                    \
	uint64_t call_with_##reg(void (*call)(struct coroutine *),        \
				 struct coroutine *arg, uint64_t hidden); \
	__asm__(".pushsection .text\n"                                    \
		"call_with_" #reg ":\n"                                   \
		"	push %" #reg "\n"                                 \
		"	mov %rdi, %rax\n"                                       \
		"	mov %rsi, %rdi\n"                                       \
		"	mov %rdx, %" #reg "\n"                            \
		"	not %" #reg "\n"                                  \
		"	call *%rax\n"                                           \
		"	mov %" #reg ", %rax\n"                            \
		"	not %rax\n"                                             \
		"	pop %" #reg "\n"                                  \
		"	ret\n"                                                  \
		".popsection")

CALL_WITH(rbx);
CALL_WITH(rbp);
CALL_WITH(r12);
CALL_WITH(r13);
CALL_WITH(r14);
CALL_WITH(r15);

static uint64_t (*const call_with[])(void (*)(struct coroutine *),
				     struct coroutine *, uint64_t) = {
	call_with_rbx, call_with_rbp, call_with_r12,
	call_with_r13, call_with_r14, call_with_r15,
};

enum { REGISTERS = 6 };

/* For the coroutine that starts next. */
static int with;
static uint64_t hidden;

static void pause_in_register(struct coroutine *c)
{
	uint64_t mine = hidden;

	failures += call_with[with](go_back, c, mine) != mine;
	goheap_stack_switch(heap);
}

static __attribute__((noinline)) uint64_t new_hidden(struct goheap *h)
{
	return ~goheap_new(h, GOHEAP_LAYOUT_NOSCAN, BIG);
}

/* Objects that are in nothing but a register of a coroutine that has left. */
void test_coroutine_registers(struct goheap *h)
{
	struct coroutine *c[REGISTERS];
	uint64_t objects[REGISTERS];
	int left = 0;

	heap = h;
	failures = 0;
	for (with = 0; with < REGISTERS; with++) {
		c[with] = start(pause_in_register);
		objects[with] = hidden = new_hidden(h);
		go_on(c[with]);
	}
	clear_stack();
	EXPECT(!goheap_gc(h));
	for (int i = 0; i < REGISTERS; i++) {
		EXPECT(is_object(h, ~objects[i]));
		go_on(c[i]);
		end(c[i]);
	}
	EXPECT(!failures);
	clear_stack();
	EXPECT(!goheap_gc(h));
	for (int i = 0; i < REGISTERS; i++)
		left += is_object(h, ~objects[i]);
	/* A dead frame may have one or the other. */
	EXPECT(left < REGISTERS / 2);
}
#else
void test_coroutine_registers(struct goheap *h)
{
	(void)h;
}
#endif
