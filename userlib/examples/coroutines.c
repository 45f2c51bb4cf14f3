// SPDX-License-Identifier: GPL-2.0
/*
 * coroutines [count]: an interpreter of a small stack machine that runs many
 * coroutines in turn, 10000 unless told otherwise. The values of each are on a
 * managed stack of its own: numbers, lists, and frames that refer to the frame
 * below, which is a slot of the same stack.
 *
 * Each coroutine makes a list of n numbers and adds them up, both by recursion
 * and with a pause at the deepest point, so that all of them are deep at the
 * same time. Then it does so with short lists, while its stack shrinks. Every
 * 1000th coroutine goes very deep. The sums are compared with sums made without
 * the heap.
 *
 * A frame:
 *
 *	base + 2	reference to the caller's base
 *	base + 1	address to return to
 *	base		the argument, later the result
 */
#include <stdio.h>
#include <stdlib.h>

#include <libgoheap.h>

#define ROUNDS 4 /* lists that each coroutine makes */
#define SHORT 8 /* length of all but the first */

enum op {
	PUSH, /* a number */
	LOCAL, /* the value at base + arg */
	STORE, /* pop into base + arg */
	ADD, /* two numbers */
	CONS, /* a list of a number and the list below it */
	FIRST, /* of a list, its number */
	REST, /* of a list, the list without its number */
	JUMP,
	JUMP_NIL, /* if what is popped is nil, or 0 */
	CALL, /* a function of one argument */
	RETURN,
	YIELD,
	HALT,
};

struct insn {
	enum op op;
	int arg;
};

/* Addresses in the program. */
enum {
	MAIN = 0,
	MAIN_END = 16,
	BUILD = 18,
	BUILD_END = 27,
	SUM = 30,
	SUM_END = 39,
};

static const struct insn program[] = {
	/* main: n, rounds left and the sum so far are at base, + 1 and + 2 */
	[MAIN] = { LOCAL, 1 },
	{ JUMP_NIL, MAIN_END },
	{ LOCAL, 0 },
	{ CALL, BUILD },
	{ CALL, SUM },
	{ LOCAL, 2 },
	{ ADD, 0 },
	{ STORE, 2 },
	{ PUSH, SHORT },
	{ STORE, 0 },
	{ LOCAL, 1 },
	{ PUSH, -1 },
	{ ADD, 0 },
	{ STORE, 1 },
	{ YIELD, 0 },
	{ JUMP, MAIN },
	[MAIN_END] = { LOCAL, 2 },
	{ HALT, 0 },
	/* build(n): the list n, n - 1, ... 1 */
	[BUILD] = { LOCAL, 0 },
	{ JUMP_NIL, BUILD_END },
	{ LOCAL, 0 },
	{ PUSH, -1 },
	{ ADD, 0 },
	{ CALL, BUILD },
	{ LOCAL, 0 },
	{ CONS, 0 },
	{ RETURN, 0 },
	[BUILD_END] = { YIELD, 0 },
	{ PUSH, 0 },
	{ RETURN, 0 },
	/* sum(list) */
	[SUM] = { LOCAL, 0 },
	{ JUMP_NIL, SUM_END },
	{ LOCAL, 0 },
	{ REST, 0 },
	{ CALL, SUM },
	{ LOCAL, 0 },
	{ FIRST, 0 },
	{ ADD, 0 },
	{ RETURN, 0 },
	[SUM_END] = { YIELD, 0 },
	{ PUSH, 0 },
	{ RETURN, 0 },
};

struct pair {
	goheap_ref rest;
	int64_t first;
};

struct coroutine {
	struct goheap_hstack *stack;
	uint64_t base;
	unsigned int pc;
	unsigned int n;
	size_t size;
};

static struct goheap *heap;
static int layout;

static void fail(const char *what)
{
	fprintf(stderr, "coroutines: %s: %s\n", what, goheap_error());
	exit(1);
}

static void push(struct coroutine *c, goheap_ref value)
{
	if (goheap_hstack_push(c->stack, value))
		fail("stack");
}

/* The value n slots below the top. */
static goheap_ref below(const struct coroutine *c, unsigned int n)
{
	return goheap_hstack_get(c->stack,
				 goheap_hstack_depth(c->stack) - 1 - n);
}

/* Let the result take the place of the value below the top, and of the top. */
static void replace_two(struct coroutine *c, goheap_ref result)
{
	goheap_hstack_set(c->stack, goheap_hstack_depth(c->stack) - 2, result);
	goheap_hstack_pop(c->stack);
}

static void cons(struct coroutine *c)
{
	goheap_frame frame = goheap_frame_begin(heap);
	goheap_ref ref = goheap_new(heap, layout, sizeof(struct pair));
	struct pair *pair = goheap_ptr(heap, ref);

	if (!pair)
		fail("pair");
	pair->first = (int64_t)below(c, 0);
	goheap_store(heap, &pair->rest, below(c, 1));
	replace_two(c, ref);
	goheap_frame_end(heap, frame);
}

/* Replace the list on the top by its number or by the rest of it. */
static void take(struct coroutine *c, enum op what)
{
	const struct pair *pair = goheap_ptr(heap, below(c, 0));
	goheap_ref value = what == FIRST ? (goheap_ref)pair->first
					 : goheap_load(heap, &pair->rest);

	goheap_hstack_set(c->stack, goheap_hstack_depth(c->stack) - 1, value);
}

static void call(struct coroutine *c, unsigned int address)
{
	uint64_t base = goheap_hstack_depth(c->stack) - 1;

	push(c, c->pc);
	push(c, goheap_hstack_slot_ref(c->stack, c->base));
	c->base = base;
	c->pc = address;
}

static void do_return(struct coroutine *c)
{
	struct goheap_hstack *s = c->stack;
	uint64_t base = c->base;

	c->pc = (unsigned int)goheap_hstack_get(s, base + 1);
	c->base = (uint64_t)goheap_hstack_slot_index(
		s, goheap_hstack_get(s, base + 2));
	goheap_hstack_set(s, base, goheap_hstack_peek(s));
	goheap_hstack_frame_end(s, base + 1);
}

/* Run a coroutine until it yields; false when it has come to its end. */
static int resume(struct coroutine *c)
{
	struct goheap_hstack *s = c->stack;

	for (;;) {
		struct insn in = program[c->pc++];

		switch (in.op) {
		case PUSH:
			push(c, (goheap_ref)(int64_t)in.arg);
			break;
		case LOCAL:
			push(c, goheap_hstack_get(s, c->base + in.arg));
			break;
		case STORE:
			goheap_hstack_set(s, c->base + in.arg,
					  goheap_hstack_peek(s));
			goheap_hstack_pop(s);
			break;
		case ADD:
			replace_two(c, below(c, 0) + below(c, 1));
			break;
		case CONS:
			cons(c);
			break;
		case FIRST:
		case REST:
			take(c, in.op);
			break;
		case JUMP:
			c->pc = in.arg;
			break;
		case JUMP_NIL:
			if (!goheap_hstack_pop(s))
				c->pc = in.arg;
			break;
		case CALL:
			call(c, in.arg);
			break;
		case RETURN:
			do_return(c);
			break;
		case YIELD:
			return 1;
		case HALT:
			return 0;
		}
	}
}

static void start(struct coroutine *c, unsigned int i)
{
	c->n = i % 1000 == 999 ? 20000 : 30 + i * 37 % 150;
	c->stack = goheap_hstack_new(heap);
	if (!c->stack)
		fail("stack");
	push(c, c->n);
	push(c, ROUNDS);
	push(c, 0);
}

static void finish(struct coroutine *c)
{
	uint64_t sum = (uint64_t)c->n * (c->n + 1) / 2;

	sum += (uint64_t)(ROUNDS - 1) * SHORT * (SHORT + 1) / 2;
	if (goheap_hstack_peek(c->stack) != sum) {
		fprintf(stderr, "coroutines: sum is %lld and should be %lld\n",
			(long long)goheap_hstack_peek(c->stack),
			(long long)sum);
		exit(1);
	}
	goheap_hstack_free(c->stack);
	c->stack = NULL;
}

/* What there is to say about all coroutines together. */
struct totals {
	unsigned long switches;
	unsigned long grown;
	unsigned long shrunk;
	size_t largest;
	size_t bytes;
	size_t most_bytes;
};

static void note_size(struct totals *t, struct coroutine *c)
{
	size_t size = c->stack ? goheap_hstack_size(c->stack) : 0;

	t->grown += size > c->size && c->size;
	t->shrunk += size < c->size && size;
	t->bytes += size - c->size;
	c->size = size;
	if (size > t->largest)
		t->largest = size;
	if (t->bytes > t->most_bytes)
		t->most_bytes = t->bytes;
}

/* All of them in turn, until the last one has ended. */
static void run(struct coroutine *all, unsigned int count, struct totals *t)
{
	unsigned int running = count;

	while (running) {
		for (unsigned int i = 0; i < count; i++) {
			if (!all[i].stack)
				continue;
			t->switches++;
			if (!resume(&all[i])) {
				finish(&all[i]);
				running--;
			}
			note_size(t, &all[i]);
		}
	}
}

static void report(unsigned int count, const struct totals *t)
{
	struct goheap_stats stats;

	if (goheap_stats(heap, &stats))
		fail("statistics");
	printf("%u coroutines, %lu switches, all sums right\n", count,
	       t->switches);
	printf("stacks: largest %zu KiB, at most %zu KiB together, seen to have "
	       "grown %lu times and shrunk %lu times\n",
	       t->largest >> 10, t->most_bytes >> 10, t->grown, t->shrunk);
	printf("heap: %llu collections, %llu KiB at the end, %llu KiB allocated "
	       "in all\n",
	       (unsigned long long)stats.num_gc,
	       (unsigned long long)stats.heap_inuse >> 10,
	       (unsigned long long)stats.total_alloc >> 10);
	if (stats.invalid_refs) {
		fprintf(stderr, "coroutines: there were bad references\n");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	unsigned int count = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	struct coroutine *all;
	struct totals totals = { 0 };

	if (!count || count > 1000000) {
		fprintf(stderr, "coroutines: 1 to 1000000 of them\n");
		return 2;
	}
	all = calloc(count, sizeof(*all));
	heap = goheap_open(0);
	if (!all || !heap)
		fail("heap");
	layout = GOHEAP_LAYOUT(heap, struct pair, rest);
	if (layout < 0)
		fail("layout");
	for (unsigned int i = 0; i < count; i++) {
		start(&all[i], i);
		note_size(&totals, &all[i]);
	}
	run(all, count, &totals);
	report(count, &totals);
	goheap_close(heap);
	free(all);
	return 0;
}
