// SPDX-License-Identifier: GPL-2.0
/*
 * Programs against the collector, one step at a time:
 *
 *	barrier [--ops N] [--seed S] [--checkmark 1] [--large BYTES]
 *
 * Some threads, each a state machine, load references into registers, store them
 * into objects and variables by the protocol of goheap_store(), take objects from
 * leases by that of goheap_new() or by calls, drop them, end, and begin with what
 * another one had in its registers. They do all they can to hide the last reference to an
 * object: few objects, few registers, mostly moves, many of them where others are
 * storing.
 *
 * One step is one access to memory that others look at. The collector runs in the
 * same thread as all others, and wherever it takes or drops a lock, has scanned a
 * span, has loaded a reference and not marked it, tells programs something or
 * reads a thread, the scheduler lets programs do some steps. Who does steps, how
 * many, and which is decided by a random number, so a run is repeated by its seed.
 * A step that is a system call waits until the collector holds no lock. How the
 * steps of a thread look to others in another order (TSO) is the business of the
 * model in Documentation/model.
 *
 * When a cycle ends, every object that a thread or a variable leads to must be
 * allocated, and hold what its maker has put into it. With --checkmark the
 * collector looks for itself, too, before each cycle ends (gccheckmark): what it
 * finds it keeps, so that nothing is lost then, but it must not find anything.
 *
 * Large objects are arrays of nodes. If --large makes them so large that they are
 * scanned in pieces, references are moved across the borders of those.
 */
#include "user.h"
#include "gh_mutator.h"

#define THREADS		4
#define REGS		3
#define GLOBALS		3
#define FIELDS		2	/* words of references at the start of a node */
#define CHECK		2	/* the word after them */
#define NODE_BYTES	48
#define LARGE_BYTES	40000	/* an array of nodes that has a span of its own */
#define PIECE		(131072 / NODE_BYTES)	/* nodes scanned at a time */
#define PLACES		6	/* nodes of such an array that are used */
#define BASE		(1ULL << 46)	/* where programs see the objects */
#define PAGES_SEEN	4096	/* heap pages that nodes are expected in */
#define REPORT_OPS	5000000	/* steps between two signs of life */

#define check(c)	gh_user_require(c, #c)

enum state {
	IDLE,
	STORE_ANNOUNCE, STORE_TEST, STORE_FAST, STORE_LATE_TEST,
	STORE_CYCLE, STORE_OLD, STORE_SLOW, STORE_RECHECK,
	REPORT_OLD, REPORT_NEW,
	TAKE_LOAD, TAKE_STORE, TAKE_CHECK, TAKE_BACK, REFILL, REFILLED, CALL,
};

/*
 * struct thread - what a thread has in its registers
 * @mut: what it shares with the kernel; NULL before it begins
 * @state: next step
 * @reg: local variables
 * @slot: where it is storing to
 * @addr: the same as the program's address
 * @old: what was there
 * @new: what it is storing
 * @cycle: collection that marked when it began to report
 * @after: state to go to when both are reported
 * @word: word of its lease it is taking a slot from
 * @mask: that word, as loaded
 * @taken: the slot
 * @to: register for it
 * @generation: under which its lease was granted
 * @granted: the same as its last call has returned it
 * @read: it has been read for roots in this cycle
 * @stopped: its turns to miss
 */
struct thread {
	struct gh_mutator *mut;
	enum state state;
	u64 reg[REGS];
	u64 *slot;
	u64 addr;
	u64 old;
	u64 new;
	u64 cycle;
	enum state after;
	u32 word;
	u64 mask;
	u64 taken;
	u32 to;
	u64 generation;
	u64 granted;
	bool read;
	u32 stopped;
};

static struct gh_heap *heap;
static u32 node_layout;
static struct thread threads[THREADS];
static u64 global[GLOBALS];
static u64 marking;		/* what the status page says */
static u64 seed;
static u64 ops, max_ops;
static u64 large_bytes;
static u64 place[PLACES];	/* the nodes of a large object */
static u64 made, seen_objects;
static bool busy;		/* the scheduler is at work */
static bool held;		/* programs are held off */

static u64 rnd(u64 below)
{
	return gh_user_random(&seed) % below;
}

static u64 off_of(u64 ref)
{
	return ref & ((1ULL << 48) - 1);
}

static u64 *word_of(u64 ref, u64 i)
{
	return gh_heap_kaddr(heap, off_of(ref) + i * 8);
}

/* Is it an array that is scanned in pieces? */
static bool is_large(u64 ref)
{
	return large_bytes > PIECE * NODE_BYTES &&
	       !gh_heap_span_of(heap, off_of(ref))->sc->sizeclass;
}

/* How many words of an object are used for references. */
static u64 nr_fields(u64 ref)
{
	return is_large(ref) ? PLACES * FIELDS : FIELDS;
}

/* Which word of the object is field @n. */
static u64 field_word(u64 ref, u64 n)
{
	return place[n / FIELDS] * (NODE_BYTES / 8) + n % FIELDS;
}

static struct gh_control *control_of(struct thread *t)
{
	return t->mut->pages[0];
}

static struct gh_slots *slots_of(struct thread *t)
{
	return t->mut->pages[1];
}

static bool is_storing(const struct thread *t)
{
	return t->state >= STORE_ANNOUNCE && t->state <= REPORT_NEW;
}

/* Is it a variable, or in an object that the thread has a reference to? */
static bool knows(const struct thread *t, u64 addr)
{
	u64 bytes;
	u32 i;

	if (addr - BASE >= heap->aspace)
		return true;
	for (i = 0; i < REGS; i++) {
		if (!t->reg[i])
			continue;
		bytes = is_large(t->reg[i]) ? large_bytes :
					      FIELDS * sizeof(u64);
		if (addr - BASE - off_of(t->reg[i]) < bytes)
			return true;
	}
	return false;
}

/*
 * Choose where to load or store: a variable, a field of an object, or where
 * another thread is storing. Leaves it in @t->slot; false if it leads nowhere.
 */
static bool pick_slot(struct thread *t)
{
	struct thread *other = &threads[rnd(THREADS)];
	u32 i = rnd(REGS);
	u64 field = rnd(FIELDS);

	if (t->reg[i] && is_large(t->reg[i]))
		field = rnd(PLACES * FIELDS);
	if (rnd(2) && is_storing(other) && knows(t, other->addr)) {
		t->slot = other->slot;
		t->addr = other->addr;
	} else if (!rnd(4)) {
		t->slot = &global[rnd(GLOBALS)];
		t->addr = (uintptr_t)t->slot;
	} else {
		if (!t->reg[i])
			return false;
		field = field_word(t->reg[i], field);
		t->slot = word_of(t->reg[i], field);
		t->addr = BASE + off_of(t->reg[i]) + field * 8;
	}
	return true;
}

static void begin_store(struct thread *t)
{
	if (!pick_slot(t))
		return;
	t->new = rnd(16) ? t->reg[rnd(REGS)] : 0;
	t->state = STORE_ANNOUNCE;
}

/*
 * What has been loaded from where others are storing shall be gone from there
 * soon: they go on, and this thread waits.
 */
static void provoke(struct thread *t)
{
	u32 i;

	for (i = 0; i < THREADS; i++) {
		if (!is_storing(&threads[i]) || threads[i].slot != t->slot)
			continue;
		threads[i].stopped = 0;
		t->stopped = rnd(200);
	}
}

static void load(struct thread *t)
{
	u32 to = rnd(REGS);
	u64 ref = pick_slot(t) ? READ_ONCE(*t->slot) : 0;

	/* Mostly 0, which is of little interest. */
	if (ref || !rnd(8))
		t->reg[to] = ref;
	if (ref)
		provoke(t);
}

/* A step of a thread that is in the middle of nothing. */
static void choose(struct thread *t)
{
	switch (rnd(16)) {
	case 0 ... 5:
		load(t);
		break;
	case 6 ... 11:
		begin_store(t);
		break;
	case 12:
		t->reg[rnd(REGS)] = 0;
		break;
	default:
		t->to = rnd(REGS);
		t->state = rnd(8) ? TAKE_LOAD : CALL;
	}
}

/*
 * Put a reference in the barrier buffer; false if it had to be emptied, which a
 * thread may have done whenever it likes.
 */
static bool shade(struct thread *t, u64 ref)
{
	struct gh_control *c = control_of(t);
	u32 nr = READ_ONCE(c->nr_barrier);

	if (!ref)
		return true;
	if (nr >= GH_BARRIER_REFS || !rnd(200)) {
		if (!gh_user_holds_locks())
			gh_mutator_barrier(heap, t->mut);
		return false;
	}
	WRITE_ONCE(c->barrier[nr], ref);
	smp_store_release(&c->nr_barrier, nr + 1);
	return true;
}

static void report(struct thread *t, enum state after)
{
	t->state = REPORT_OLD;
	t->after = after;
}

static void store_step(struct thread *t)
{
	switch (t->state) {
	case STORE_ANNOUNCE:
		WRITE_ONCE(control_of(t)->slot, t->addr);
		t->state = STORE_TEST;
		break;
	case STORE_TEST:
		t->state = marking ? STORE_CYCLE : STORE_FAST;
		break;
	case STORE_FAST:
		WRITE_ONCE(*t->slot, t->new);
		t->state = STORE_LATE_TEST;
		break;
	case STORE_LATE_TEST:
		t->state = IDLE;
		t->old = 0;
		if (marking)
			report(t, IDLE);
		break;
	case STORE_CYCLE:
		t->cycle = marking;
		t->state = t->cycle ? STORE_OLD : STORE_SLOW;
		break;
	case STORE_OLD:
		t->old = READ_ONCE(*t->slot);
		report(t, STORE_SLOW);
		break;
	case STORE_SLOW:
		WRITE_ONCE(*t->slot, t->new);
		t->state = STORE_RECHECK;
		break;
	case STORE_RECHECK:
		t->state = IDLE;
		t->old = 0;
		if (marking && marking != t->cycle)
			report(t, IDLE);
		break;
	case REPORT_OLD:
		if (shade(t, t->old))
			t->state = REPORT_NEW;
		break;
	default:
		if (shade(t, t->new))
			t->state = t->after;
	}
	if (t->state == IDLE) {
		t->old = 0;
		t->new = 0;
	}
}

static void refill(struct thread *t)
{
	struct gh_refill out;

	if (gh_user_holds_locks())
		return;
	check(!gh_mutator_refill(heap, t->mut, 0, node_layout, NODE_BYTES,
				 &out));
	t->granted = out.generation;
	t->state = REFILLED;
}

/* The object is the thread's: nobody else has got it. */
static void got(struct thread *t)
{
	u64 *w = word_of(t->taken, 0);
	struct gh_objinfo info;

	if (!gh_user_holds_locks()) {
		down_read(&heap->world);
		check(!gh_heap_lookup(heap, t->taken, &info));
		up_read(&heap->world);
	}
	check(!w[0] && !w[1] && !w[CHECK]);
	w[CHECK] = t->taken ^ 0x5bd1e995;
	t->reg[t->to] = t->taken;
	t->taken = 0;
	made++;
}

/* Have an object allocated, small or large. */
static void call(struct thread *t)
{
	bool large = !rnd(large_bytes > LARGE_BYTES ? 2 : 16);
	struct gh_batch b;

	if (gh_user_holds_locks())
		return;
	gh_batch_begin(heap, &b, &t->taken);
	check(!gh_malloc(heap, node_layout, large ? large_bytes : NODE_BYTES,
			 1, &b));
	gh_batch_end(heap, &b);
	t->state = IDLE;
	got(t);
}

static void take_step(struct thread *t)
{
	struct gh_slots *s = slots_of(t);

	switch (t->state) {
	case TAKE_LOAD:
		if (!s || control_of(t)->generation != t->generation ||
		    t->word == GH_LEASE_WORDS) {
			t->state = REFILL;
			break;
		}
		t->mask = READ_ONCE(s[t->word].mask);
		if (!t->mask) {
			t->word++;
			break;
		}
		t->taken = s[t->word].base + __ffs64(t->mask) * NODE_BYTES;
		t->state = TAKE_STORE;
		break;
	case TAKE_STORE:
		WRITE_ONCE(s[t->word].mask, t->mask & (t->mask - 1));
		t->state = TAKE_CHECK;
		break;
	case TAKE_CHECK:
		t->state = TAKE_BACK;
		if (control_of(t)->generation == t->generation) {
			t->state = IDLE;
			got(t);
		}
		t->taken = 0;
		break;
	case TAKE_BACK:
		WRITE_ONCE(s[t->word].mask, t->mask);
		t->state = REFILL;
		break;
	case REFILLED:
		t->generation = t->granted;
		t->word = 0;
		t->state = TAKE_LOAD;
		break;
	case REFILL:
		refill(t);
		break;
	default:
		call(t);
	}
}

/* End a thread, or begin one that has what another one has. */
static void live_or_die(struct thread *t)
{
	const struct gh_window window = { BASE, heap->aspace };
	struct thread *parent = &threads[rnd(THREADS)];

	if (gh_user_holds_locks())
		return;
	if (t->mut) {
		gh_mutator_destroy(heap, t->mut);
		memset(t, 0, sizeof(*t));
		return;
	}
	t->mut = gh_mutator_create(heap, 1, &window);
	check(t->mut);
	t->generation = ~0ULL;
	memcpy(t->reg, parent->reg, sizeof(t->reg));
	t->read = parent->read;
}

/* Now and then a thread is not run for long, be it in the middle of something. */
static bool is_stopped(struct thread *t)
{
	if (t->stopped)
		return t->stopped--;
	if (!rnd(12))
		t->stopped = rnd(8) ? rnd(100) : rnd(3000);
	return false;
}

static void step(struct thread *t)
{
	if (is_stopped(t))
		return;
	if (!t->mut || (t->state == IDLE && !rnd(1000)))
		live_or_die(t);
	else if (t->state == IDLE)
		choose(t);
	else if (t->state < TAKE_LOAD)
		store_step(t);
	else
		take_step(t);
	ops++;
}

/*
 * Often nobody runs, else one thread, not for long: what it has got hold of it
 * should still have when the cycle ends.
 */
static void schedule(void)
{
	struct thread *t = &threads[rnd(THREADS)];
	u64 n;

	if (busy || held || rnd(2))
		return;
	busy = true;
	for (n = rnd(8); n; n--)
		step(t);
	busy = false;
}

/* What the thread is found to hold, at one moment; marking that takes longer. */
static void mark_thread(struct gh_mark *m, struct thread *t)
{
	u64 words[REGS + 3];

	memcpy(words, t->reg, sizeof(t->reg));
	/* What is overwritten need not be there: see goheap_store(). */
	words[REGS] = 0;
	words[REGS + 1] = t->new;
	words[REGS + 2] = t->taken;
	t->read = true;
	gh_mark_words(m, words, REGS + 3, NULL, 0, GH_ROOT_STACK);
}

/* Threads that begin meanwhile are read as well, unless their parent was. */
static struct thread *unread_thread(void)
{
	u32 first = rnd(THREADS), i;

	for (i = 0; i < THREADS; i++) {
		struct thread *t = &threads[(first + i) % THREADS];

		if (t->mut && !t->read)
			return t;
	}
	return NULL;
}

static void mark_roots(struct gh_heap *h, struct gh_mark *m)
{
	struct thread *t;
	u64 ref;
	u32 i;

	/* Those that are being stored to, then all of them. */
	for (i = 0; i < THREADS; i++) {
		u64 addr = threads[i].mut ? gh_mutator_slot(threads[i].mut) : 0;

		if (!addr || addr - BASE < heap->aspace)
			continue;
		ref = READ_ONCE(*(u64 *)(uintptr_t)addr);
		gh_mark_refs(m, &ref, 1, GH_ROOT_STATIC);
	}
	for (i = 0; i < GLOBALS; i++) {
		schedule();
		ref = READ_ONCE(global[i]);
		gh_mark_refs(m, &ref, 1, GH_ROOT_STATIC);
	}
	/* A check of the marks reads all of them once more. */
	for (i = 0; m->check && i < THREADS; i++)
		if (threads[i].mut)
			mark_thread(m, &threads[i]);
	while ((t = unread_thread())) {
		mark_thread(m, t);
		schedule();
	}
}

static u8 *visited;
static u64 *todo;
static u64 nr_todo;

static void visit(u64 ref)
{
	struct gh_objinfo info;
	u64 n = off_of(ref) / NODE_BYTES;

	if (!ref)
		return;
	check(n < PAGES_SEEN * GH_PAGE_SIZE / NODE_BYTES);
	if (visited[n])
		return;
	visited[n] = 1;
	gh_user_require(!gh_heap_lookup(heap, ref, &info),
			"a reachable object has been freed");
	check(info.base == off_of(ref));
	check(*word_of(ref, CHECK) == (ref ^ 0x5bd1e995));
	todo[nr_todo++] = ref;
}

/* All that programs can reach is alive. World held for writing. */
static void verify(void)
{
	u32 i, k;

	memset(visited, 0, min(heap->pages.end_page, PAGES_SEEN) *
			   GH_PAGE_SIZE / NODE_BYTES);
	nr_todo = 0;
	for (i = 0; i < GLOBALS; i++)
		visit(global[i]);
	for (i = 0; i < THREADS; i++)
		for (k = 0; k < REGS; k++)
			visit(threads[i].reg[k]);
	while (nr_todo) {
		u64 ref = todo[--nr_todo];

		seen_objects++;
		for (k = 0; k < nr_fields(ref); k++)
			visit(*word_of(ref, field_word(ref, k)));
	}
}

static void set_marking(struct gh_heap *h, u64 cycle)
{
	u32 i;

	for (i = 0; cycle && i < THREADS; i++)
		threads[i].read = false;
	if (!cycle)
		verify();
	held = false;
	schedule();
	marking = cycle;
	schedule();
}

static void hold(void)
{
	held = true;
}

static void show_progress(void)
{
	printf("# %llu steps, %llu objects, %llu cycles, %llu seen alive\n", ops,
	       made, heap->nr_cycles, seen_objects);
}

static void run(void)
{
	u64 n, next = REPORT_OPS;

	while (ops < max_ops) {
		gh_gc_mark_cycle(heap, GH_CYCLE_FORCED);
		/* A doubt is an error here: these threads have no dead frames. */
		gh_user_require(!heap->check_failures && !heap->check_doubts,
				"a reachable object was not marked");
		if (rnd(2))
			gh_gc_sweep(heap);
		busy = true;
		for (n = rnd(100); n; n--)
			step(&threads[rnd(THREADS)]);
		busy = false;
		/* Not too much, or there is no last reference to hide. */
		if (!rnd(20))
			memset(global, 0, sizeof(global));
		if (ops < next)
			continue;
		show_progress();
		next += REPORT_OPS;
	}
}

static void finish(void)
{
	const char *why;
	u32 i;

	gh_user_scheduler = NULL;
	gh_user_program = NULL;
	for (i = 0; i < THREADS; i++)
		if (threads[i].mut)
			gh_mutator_destroy(heap, threads[i].mut);
	gh_gc_mark_cycle(heap, GH_CYCLE_FORCED);
	gh_gc_sweep(heap);
	why = gh_check_heap(heap);
	gh_user_require(!why, why);
	check(!heap->invalid_refs);
	show_progress();
	gh_heap_destroy(heap);
	gh_core_exit();
	check(!gh_user_live());
}

/* The first and the last node of the object, and those beside the borders. */
static void choose_places(void)
{
	u64 last = large_bytes / NODE_BYTES - 1;

	place[1] = last;
	place[2] = min(PIECE - 1, last);
	place[3] = min(PIECE, last);
	place[4] = min(2 * PIECE - 1, last);
	place[5] = min(2 * PIECE, last);
}

int main(int argc, char **argv)
{
	static const struct gh_user_program program = {
		.set_marking = set_marking,
		.mark_roots = mark_roots,
		.hold = hold,
	};
	u64 nodes = PAGES_SEEN * GH_PAGE_SIZE / NODE_BYTES;
	u64 mask = (1 << FIELDS) - 1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	max_ops = gh_user_arg(argc, argv, "ops", 20000000);
	seed = gh_user_arg(argc, argv, "seed", 0);
	large_bytes = gh_user_arg(argc, argv, "large", LARGE_BYTES);
	choose_places();
	if (!seed)
		seed = ktime_get_real_ns() % 1000000007 + 1;
	printf("TAP version 13\n1..1\n# barrier --ops %llu --seed %llu\n",
	       max_ops, seed);
	visited = malloc(nodes);
	todo = malloc(nodes * sizeof(*todo));
	check(visited && todo && !gh_core_init());
	heap = gh_user_heap(GH_ARENA_SIZE, 0);
	check(heap);
	gh_gc_set_percent(heap, -1);
	heap->checkmark = gh_user_arg(argc, argv, "checkmark", 0);
	node_layout = gh_layout_register(heap, NODE_BYTES, FIELDS, &mask);
	gh_user_program = &program;
	gh_user_scheduler = schedule;
	run();
	finish();
	free(visited);
	free(todo);
	printf("ok 1 barrier\n");
	return 0;
}
