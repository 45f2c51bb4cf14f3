// SPDX-License-Identifier: GPL-2.0
/*
 * Marking beside programs: what threads do to references while the collector
 * looks for them.
 *
 * An object that the collector misses is freed and given out again. Every object
 * here carries a value and hashes of it, and all threads allocate others with
 * other words in the same places all the time, so a lost one is noticed when it is
 * looked at. In the end the heap has exactly the objects that can be reached.
 */
#include <sys/prctl.h>
#include <ucontext.h>

#include "holder.h"

#define TABLES		4
#define WIDTH		64	/* references of a table */

/* Words of an item, and of what it refers to. */
enum { PAYLOAD, VALUE, CHECK, ITEM_WORDS = 4, PAYLOAD_WORDS = 6 };

/* What the processes of a test share. */
struct shared {
	goheap_ref tables[TABLES];
	__u32 item, table;	/* layouts */
	int done;
	int ready;
	unsigned long steps;
	unsigned long taken;
	unsigned long peeks;
	unsigned long moved;
	unsigned long marking;	/* steps that saw marking */
	__u64 hid;
};

FIXTURE(concurrent) {
	struct heap heap;
	int fd;
	__u32 node;		/* { next, value } */
	struct shared *s;
};

FIXTURE_SETUP(concurrent)
{
	struct heap *h = &self->heap;

	ASSERT_EQ(0, heap_open(h, GIB, 0));
	self->fd = h->fd;
	self->node = gh_layout_words(self->fd, 2, 1);
	self->s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->s);
	self->s->item = gh_layout_words(self->fd, ITEM_WORDS, 1 << PAYLOAD);
	self->s->table = gh_layout_words(self->fd, 1, 1);
}

FIXTURE_TEARDOWN(concurrent)
{
	munmap(self->s, PAGE);
	heap_close(&self->heap);
}

static __u64 hash(__u64 value, unsigned int salt)
{
	return (value + salt + 1) * 0x9e3779b97f4a7c15ULL >> 8;
}

enum mode {
	CONSERVATIVE,	/* a mutator whose stack is read */
	PRECISE,	/* a mutator that keeps all on a handle stack */
	BARE,		/* the same without control pages */
};

struct worker {
	struct heap *h;
	struct shared *s;
	enum mode mode;
	bool rude;		/* reports nothing, and believes nothing */
	__u64 seed;
	struct mutator m;
	struct goheap_stack *stack;
	const char *error;
	pthread_t thread;
};

static bool stopped(struct worker *w)
{
	return w->error || __atomic_load_n(&w->s->done, __ATOMIC_ACQUIRE);
}

static void fail(struct worker *w, const char *why)
{
	if (!w->error && !w->rude)
		w->error = why;
}

static void report(struct worker *w, goheap_ref old, goheap_ref ref)
{
	if (w->rude)
		return;
	if (w->mode == BARE) {
		heap_report(w->h, old, ref);
	} else {
		mutator_report(&w->m, old);
		mutator_report(&w->m, ref);
	}
}

/* Keep what a precise thread has found, before it goes from there. */
static void keep(struct worker *w, goheap_ref ref)
{
	if (w->mode == CONSERVATIVE)
		return;
	if (w->rude)
		w->stack->slots[w->stack->top++] = ref;
	else if (w->mode == PRECISE)
		mutator_keep(&w->m, w->h, w->stack, ref);
	else
		stack_keep(w->h, w->stack, ref);
}

/*
 * The barrier with an exchange in place of the store, since others store there,
 * too. What is reported and then not exchanged is reported for nothing.
 */
static bool replace(struct worker *w, goheap_ref *slot, goheap_ref old,
		    goheap_ref ref)
{
	__u64 cycles = heap_cycles(w->h);
	__u32 marking = heap_marking(w->h);
	goheap_ref was = old;

	if (marking)
		report(w, old, ref);
	if (!__atomic_compare_exchange_n(slot, &was, ref, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return false;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (marking ? heap_cycles(w->h) != cycles : heap_marking(w->h))
		report(w, old, ref);
	return true;
}

static goheap_ref *any_slot(struct worker *w)
{
	goheap_ref table = w->s->tables[rnd(&w->seed) % TABLES];

	return heap_word(w->h, table, rnd(&w->seed) % WIDTH);
}

/* A new object, kept as the mode says. */
static goheap_ref make_object(struct worker *w, bool item)
{
	__u64 bytes = (item ? ITEM_WORDS : PAYLOAD_WORDS) * 8;
	__u32 layout = item ? w->s->item : GOHEAP_LAYOUT_NOSCAN;
	goheap_ref ref;

	if (w->mode == CONSERVATIVE) {
		ref = mutator_new(&w->m, w->h->fd, item, bytes, layout);
	} else {
		__u64 top = w->stack->top;

		w->stack->slots[top] = 0;
		w->stack->top = top + 1;
		if (gh_alloc(w->h->fd, bytes, layout, 1,
			     &w->stack->slots[top], NULL))
			w->stack->slots[top] = 0;
		ref = w->stack->slots[top];
	}
	if (!ref)
		fail(w, "no memory");
	return ref;
}

static bool good_payload(struct worker *w, goheap_ref ref, __u64 value)
{
	for (unsigned int i = 0; i < PAYLOAD_WORDS; i++)
		if (*heap_word(w->h, ref, i) != hash(value, i))
			return false;
	return true;
}

static void check_item(struct worker *w, goheap_ref ref, const char *why)
{
	__u64 value;
	goheap_ref payload;

	if (w->rude)
		return;
	value = *heap_word(w->h, ref, VALUE);
	payload = __atomic_load_n(heap_word(w->h, ref, PAYLOAD),
				  __ATOMIC_ACQUIRE);
	if (*heap_word(w->h, ref, CHECK) != hash(value, 99))
		fail(w, why);
	/* Without one while its owner moves it; see move_payload(). */
	else if (payload && !good_payload(w, payload, value))
		fail(w, why);
}

static goheap_ref make_item(struct worker *w, goheap_ref payload, __u64 value)
{
	goheap_ref ref;

	if (!payload) {
		payload = make_object(w, false);
		for (unsigned int i = 0; payload && i < PAYLOAD_WORDS; i++)
			*heap_word(w->h, payload, i) = hash(value, i);
	}
	ref = payload ? make_object(w, true) : 0;
	if (ref) {
		*heap_word(w->h, ref, VALUE) = value;
		*heap_word(w->h, ref, CHECK) = hash(value, 99);
		replace(w, heap_word(w->h, ref, PAYLOAD), 0, payload);
	}
	return ref;
}

/* What the place of a lost object would be given to. */
static void make_poison(struct worker *w)
{
	for (int i = 0; i < 8; i++) {
		goheap_ref ref = make_object(w, i & 1);
		unsigned int words = i & 1 ? ITEM_WORDS : PAYLOAD_WORDS;

		for (unsigned int k = 1; ref && k < words; k++)
			*heap_word(w->h, ref, k) = NO_REF;
		if (w->mode != CONSERVATIVE)
			w->stack->top--;
	}
}

/* Somewhere; an item that finds no place is dropped. */
static void put(struct worker *w, goheap_ref ref)
{
	for (int i = 0; i < 8; i++)
		if (replace(w, any_slot(w), 0, ref))
			return;
}

/* Out of its table: from now on only this thread has it. */
static goheap_ref take(struct worker *w)
{
	for (int i = 0; i < 8; i++) {
		goheap_ref *slot = any_slot(w);
		goheap_ref ref = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

		if (!ref)
			continue;
		keep(w, ref);
		if (replace(w, slot, ref, 0)) {
			__atomic_fetch_add(&w->s->taken, 1, __ATOMIC_RELAXED);
			return ref;
		}
		if (w->mode != CONSERVATIVE)
			w->stack->top--;
	}
	return 0;
}

static void linger(struct worker *w)
{
	switch (rnd(&w->seed) % 4) {
	case 0:
		sched_yield();
		break;
	case 1:
		make_poison(w);
		break;
	case 2:
		for (volatile int i = 0; i < 500; i++)
			;
		break;
	default:
		break;
	}
}

/* From a table to this thread and to another place. */
static void move_item(struct worker *w)
{
	goheap_ref ref = take(w);

	if (!ref)
		return;
	check_item(w, ref, "an item that was taken");
	linger(w);
	check_item(w, ref, "an item that only the thread has");
	put(w, ref);
}

/* The same by way of a handle stack, where alone it is for a while. */
static void move_by_stack(struct worker *w)
{
	goheap_ref ref = take(w);

	if (!ref)
		return;
	if (w->mode == CONSERVATIVE)
		mutator_keep(&w->m, w->h, w->stack, ref);
	ref = 0;
	linger(w);
	/* linger() leaves precise threads' stacks as they were. */
	ref = w->stack->slots[w->stack->top - 1];
	check_item(w, ref, "an item on a handle stack");
	if (w->mode == CONSERVATIVE)
		w->stack->top--;
	linger(w);
	check_item(w, ref, "an item that was on a handle stack");
	put(w, ref);
}

/* From an object to this thread and to another object. */
static void move_payload(struct worker *w)
{
	goheap_ref ref = take(w), payload, other;
	__u64 value;

	if (!ref)
		return;
	value = *heap_word(w->h, ref, VALUE);
	payload = *heap_word(w->h, ref, PAYLOAD);
	if (!payload) {
		fail(w, "an item without payload");
		return;
	}
	keep(w, payload);
	replace(w, heap_word(w->h, ref, PAYLOAD), payload, 0);
	linger(w);
	if (!good_payload(w, payload, value))
		fail(w, "a payload that only the thread has");
	other = make_item(w, payload, value);
	if (!other)
		return;
	__atomic_fetch_add(&w->s->moved, 1, __ATOMIC_RELAXED);
	linger(w);
	check_item(w, other, "a new item");
	put(w, other);
}

/*
 * Loaded, and kept by nothing else as soon as another thread takes it out. Only a
 * thread whose registers are looked at may do that.
 */
static void peek(struct worker *w)
{
	goheap_ref ref = __atomic_load_n(any_slot(w), __ATOMIC_ACQUIRE);

	if (!ref)
		return;
	for (int i = 0; i < 4; i++) {
		check_item(w, ref, "an item that was looked at");
		linger(w);
	}
	__atomic_fetch_add(&w->s->peeks, 1, __ATOMIC_RELAXED);
}

static void step(struct worker *w)
{
	goheap_ref ref;

	switch (rnd(&w->seed) % 8) {
	case 0:
		ref = make_item(w, 0, rnd(&w->seed));
		if (ref)
			put(w, ref);
		break;
	case 1 ... 2:
		move_item(w);
		break;
	case 3:
		move_by_stack(w);
		break;
	case 4:
		/* Who believes nothing does not look into items. */
		if (!w->rude)
			move_payload(w);
		break;
	case 5 ... 6:
		if (w->mode == CONSERVATIVE)
			peek(w);
		break;
	default:
		make_poison(w);
	}
	if (w->mode != CONSERVATIVE)
		w->stack->top = 0;
	__atomic_fetch_add(&w->s->steps, 1, __ATOMIC_RELAXED);
	if (heap_marking(w->h))
		__atomic_fetch_add(&w->s->marking, 1, __ATOMIC_RELAXED);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	w->stack = map_stack(w->h->fd, PAGE);
	if (w->stack == MAP_FAILED) {
		w->error = "no stack";
		return NULL;
	}
	if (w->mode != BARE &&
	    mutator_attach(&w->m, w->h->fd, w->mode == PRECISE)) {
		w->error = "no control pages";
		return NULL;
	}
	while (!stopped(w))
		step(w);
	w->stack->top = 0;
	if (w->mode != BARE)
		mutator_detach(&w->m);
	munmap(w->stack, PAGE);
	return NULL;
}

static void start_workers(struct worker *w, int nr, struct heap *h,
			  struct shared *s, enum mode mode, bool rude)
{
	for (int i = 0; i < nr; i++) {
		w[i] = (struct worker){
			.h = h, .s = s, .mode = mode, .rude = rude,
			.seed = 4711 + i + 100 * mode,
		};
		if (pthread_create(&w[i].thread, NULL, work, &w[i]))
			abort();
	}
}

/* How many of them have found something wrong. */
static int join_workers(struct worker *w, int nr)
{
	int bad = 0;

	for (int i = 0; i < nr; i++) {
		pthread_join(w[i].thread, NULL);
		if (w[i].error) {
			fprintf(stderr, "# mode %d: %s\n", w[i].mode,
				w[i].error);
			bad++;
		}
	}
	return bad;
}

/* A child with workers of its own, and its own mapping. */
static pid_t fork_workers(struct heap *h, struct shared *s, int nr,
			  enum mode mode, bool rude)
{
	pid_t pid = fork();

	if (!pid) {
		struct worker w[4];

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		heap_detach(h);
		CHILD_CHECK(!heap_attach(h));
		start_workers(w, nr, h, s, mode, rude);
		_exit(join_workers(w, nr) ? 1 : 0);
	}
	return pid;
}

static bool make_tables(struct heap *h, struct shared *s)
{
	for (int i = 0; i < TABLES; i++) {
		__u32 id;

		s->tables[i] = heap_push(h, WIDTH * 8, s->table);
		if (!s->tables[i] || gh_root_add(h->fd, s->tables[i], &id))
			return false;
	}
	h->stack->top = 0;
	return true;
}

/* What the tables have is whole; how many objects that is, or 0. */
static unsigned long count_items(struct heap *h, struct shared *s)
{
	struct worker w = { .h = h, .s = s };
	unsigned long n = TABLES;

	for (int i = 0; i < TABLES * WIDTH; i++) {
		goheap_ref ref = *heap_word(h, s->tables[i / WIDTH], i % WIDTH);

		if (!ref)
			continue;
		check_item(&w, ref, "an item that is left");
		if (w.error || !*heap_word(h, ref, PAYLOAD))
			return 0;
		n += 2;
	}
	return n;
}

/* Collect without a break for so many seconds; how many times. */
static long collect_for(int fd, int seconds)
{
	struct timespec a, b;
	long n = 0;

	clock_gettime(CLOCK_MONOTONIC, &a);
	do {
		if (gh_collect(fd))
			return -1;
		n++;
		clock_gettime(CLOCK_MONOTONIC, &b);
	} while (b.tv_sec - a.tv_sec < seconds || n < 20);
	return n;
}

struct crowd {
	enum mode mode;
	int threads;		/* at most 4 */
};

/* The first crowd is threads of this process, each other one a process. */
static void try_crowds(struct __test_metadata *_metadata, struct heap *h,
		       struct shared *s, const struct crowd *crowds, int nr)
{
	struct worker w[4];
	struct goheap_stats stats;
	pid_t pids[4];
	long cycles;

	ASSERT_TRUE(make_tables(h, s));
	ASSERT_EQ(0, gh_param_set(h->fd, GOHEAP_PARAM_MAX_HEAP, 64 * MIB));
	for (int i = 1; i < nr; i++) {
		pids[i] = fork_workers(h, s, crowds[i].threads, crowds[i].mode,
				       false);
		ASSERT_LT(0, pids[i]);
	}
	start_workers(w, crowds[0].threads, h, s, crowds[0].mode, false);
	cycles = collect_for(h->fd, 3);
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, join_workers(w, crowds[0].threads));
	for (int i = 1; i < nr; i++)
		EXPECT_EQ(0, wait_for(pids[i]));
	EXPECT_LT(0, cycles);
	TH_LOG("%ld cycles, %lu steps, %lu of them while it marked; %lu taken, %lu looked at, %lu payloads",
	       cycles, s->steps, s->marking, s->taken, s->peeks, s->moved);
	EXPECT_LT(0, s->marking);
	EXPECT_LT(0, s->taken);
	EXPECT_LT(0, s->moved);
	EXPECT_LT(TABLES, count_items(h, s));
	/* A mutator that has ended is done away with a little later. */
	for (int i = 0; i < 100 && heap_live(h) != count_items(h, s); i++)
		usleep(10000);
	EXPECT_EQ(count_items(h, s), heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(0, stats.invalid_refs);
	EXPECT_EQ(0, stats.evictions);
}

#define TEST_CROWDS(name, ...)						\
	TEST_F(concurrent, name) {					\
		static const struct crowd crowds[] = { __VA_ARGS__ };	\
									\
		try_crowds(_metadata, &self->heap, self->s, crowds,	\
			   ARRAY_SIZE(crowds));				\
	}

TEST_CROWDS(threads, { CONSERVATIVE, 3 })
TEST_CROWDS(precise_threads, { PRECISE, 3 })
TEST_CROWDS(bare_threads, { BARE, 3 })
TEST_CROWDS(processes, { CONSERVATIVE, 1 }, { CONSERVATIVE, 2 },
	    { CONSERVATIVE, 1 })
TEST_CROWDS(mixed_processes, { CONSERVATIVE, 1 }, { PRECISE, 1 }, { BARE, 1 },
	    { CONSERVATIVE, 2 })

/*
 * A thread that switches between stacks of its own and carries the last reference
 * from one to the other, without telling anybody but that it switches.
 */
#define SIDE_BYTES	(64 * KIB)
#define SIDES		2

struct hopper {
	struct worker w;
	ucontext_t main, side[SIDES];
	int cur;
	volatile goheap_ref box;	/* on the thread's first stack */
};

static __thread struct hopper *hopper;

static void switch_stack(struct hopper *x, ucontext_t *from, ucontext_t *to)
{
	struct goheap_mutator_page *page = x->w.m.page;

	__atomic_store_n(&page->switches, page->switches + 1, __ATOMIC_RELEASE);
	swapcontext(from, to);
}

static void side(void)
{
	struct hopper *x = hopper;
	volatile goheap_ref mine;

	for (;;) {
		mine = x->box;
		x->box = 0;
		linger(&x->w);
		switch_stack(x, &x->side[x->cur], &x->main);
		check_item(&x->w, mine, "an item on a stack that was left");
		x->box = mine;
		mine = 0;
		switch_stack(x, &x->side[x->cur], &x->main);
	}
}

static void hop(struct hopper *x)
{
	struct worker *w = &x->w;

	x->box = take(w);
	if (!x->box)
		return;
	x->cur = rnd(&w->seed) % SIDES;
	switch_stack(x, &x->main, &x->side[x->cur]);
	linger(w);
	switch_stack(x, &x->main, &x->side[x->cur]);
	check_item(w, x->box, "an item that was on another stack");
	put(w, x->box);
	x->box = 0;
}

static bool start_sides(struct hopper *x, char *stacks)
{
	for (int i = 0; i < SIDES; i++) {
		char *stack = stacks + i * SIDE_BYTES;

		if (gh_range_add(x->w.h->fd, GOHEAP_RANGE_STACK, stack,
				 SIDE_BYTES))
			return false;
		getcontext(&x->side[i]);
		x->side[i].uc_stack.ss_sp = stack;
		x->side[i].uc_stack.ss_size = SIDE_BYTES;
		makecontext(&x->side[i], side, 0);
	}
	return true;
}

static void *work_hopping(void *arg)
{
	struct worker *shown = arg;
	struct hopper x = { .w = *shown };
	char *stacks = mmap(NULL, SIDES * SIDE_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	hopper = &x;
	x.w.stack = map_stack(x.w.h->fd, PAGE);
	if (stacks == MAP_FAILED || x.w.stack == MAP_FAILED ||
	    mutator_attach(&x.w.m, x.w.h->fd, false) ||
	    !start_sides(&x, stacks)) {
		shown->error = "no stacks";
		return NULL;
	}
	while (!stopped(&x.w)) {
		hop(&x);
		step(&x.w);
	}
	shown->error = x.w.error;
	for (int i = 0; i < SIDES; i++)
		gh_range_remove(x.w.h->fd, stacks + i * SIDE_BYTES);
	mutator_detach(&x.w.m);
	munmap(x.w.stack, PAGE);
	munmap(stacks, SIDES * SIDE_BYTES);
	return NULL;
}

TEST_F(concurrent, switching_threads)
{
	enum { THREADS = 2 };
	struct heap *h = &self->heap;
	struct worker w[THREADS];
	struct goheap_stats stats;
	long cycles;

	ASSERT_TRUE(make_tables(h, self->s));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MAX_HEAP, 64 * MIB));
	for (int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){
			.h = h, .s = self->s, .mode = CONSERVATIVE,
			.seed = 815 + i,
		};
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, work_hopping,
					    &w[i]));
	}
	cycles = collect_for(self->fd, 3);
	__atomic_store_n(&self->s->done, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, join_workers(w, THREADS));
	EXPECT_LT(0, cycles);
	TH_LOG("%ld cycles, %lu steps, %lu of them while it marked; %lu taken",
	       cycles, self->s->steps, self->s->marking, self->s->taken);
	EXPECT_LT(0, self->s->marking);
	EXPECT_LT(TABLES, count_items(h, self->s));
	for (int i = 0; i < 100 && heap_live(h) != count_items(h, self->s); i++)
		usleep(10000);
	EXPECT_EQ(count_items(h, self->s), heap_live(h));
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(0, stats.invalid_refs);
	EXPECT_EQ(0, stats.evictions);
}

/*
 * Programs that report nothing may lose what is theirs. A list of this process's
 * stays what it was, the kernel keeps count, and the heap goes on.
 */
TEST_F(concurrent, no_barrier)
{
	enum { NODES = 500 };
	struct heap *h = &self->heap;
	struct shared *s = self->s;
	struct goheap_stats stats;
	goheap_ref ref;
	pid_t pids[2];
	__u32 ids[TABLES];
	int i;

	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_INVALIDPTR, 0));
	ASSERT_EQ(0, gh_param_set(self->fd, GOHEAP_PARAM_MAX_HEAP, 64 * MIB));
	for (i = 0; i < TABLES; i++) {
		s->tables[i] = heap_push(h, WIDTH * 8, s->table);
		ASSERT_NE(0, s->tables[i]);
		ASSERT_EQ(0, gh_root_add(self->fd, s->tables[i], &ids[i]));
	}
	h->stack->top = 0;
	pids[0] = fork_workers(h, s, 2, CONSERVATIVE, true);
	ASSERT_LT(0, pids[0]);
	pids[1] = fork_workers(h, s, 2, BARE, true);
	ASSERT_LT(0, pids[1]);
	for (i = 0; i < NODES; i++) {
		ref = heap_push(h, 16, self->node);
		ASSERT_NE(0, ref);
		*heap_word(h, ref, 1) = i * 5;
		if (i)
			heap_set(h, ref, 0, h->stack->slots[0]);
		heap_store(h, &h->stack->slots[0], ref);
		h->stack->top = 1;
		if (i % 10 == 0) {
			ASSERT_EQ(0, gh_collect(self->fd));
		}
	}
	ASSERT_LT(0, collect_for(self->fd, 2));
	for (ref = h->stack->slots[0]; ref; ref = *heap_word(h, ref, 0)) {
		ASSERT_EQ(--i * 5, *heap_word(h, ref, 1));
	}
	EXPECT_EQ(0, i);
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, wait_for(pids[0]));
	EXPECT_EQ(0, wait_for(pids[1]));
	TH_LOG("%lu steps, %lu of them while it marked", s->steps, s->marking);
	EXPECT_LT(0, s->marking);
	ASSERT_EQ(0, gh_roots(self->fd, GOHEAP_IOC_ROOT_REMOVE, TABLES, NULL,
			      ids));
	for (i = 0; i < 100 && heap_live(h) != NODES; i++)
		usleep(10000);
	EXPECT_EQ(NODES, heap_live(h));
	h->stack->top = 0;
	EXPECT_EQ(0, heap_live(h));
	ASSERT_EQ(0, gh_stats(self->fd, &stats));
	EXPECT_EQ(stats.mallocs, stats.frees);
	EXPECT_EQ(0, stats.alloc);
}

/*
 * New roots while objects are marked. A thread holds an object in a variable, and
 * a large range has the collector at work before it looks at threads. Meanwhile
 * the object gets a root that the collector may have been past already, and the
 * thread drops it. Delays differ, so that it happens at every stage.
 */
#define ROUNDS		12

static char *new_range(int fd)
{
	size_t bytes = 32 * MIB;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		       MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* Words that the collector looks at, and that mean nothing. */
	memset(p, 0x11, bytes);
	return gh_range_add(fd, GOHEAP_RANGE_STATIC, p, bytes) ? NULL : p;
}

static void *collect_once(void *arg)
{
	struct heap *h = arg;

	return gh_collect(h->fd) ? arg : NULL;
}

static __u64 handshakes(int fd)
{
	struct goheap_stats stats;

	return gh_stats(fd, &stats) ? ~0ULL : stats.handshakes;
}

struct newcomer {
	struct heap *h;
	struct shared *s;
	__u32 id;		/* a root for ROOT_SET */
	goheap_ref *words;	/* a page for RANGE_ADD */
	struct goheap_stack *stack;
	pthread_t thread;
	pid_t pid;
	int ready, stop;
	__u64 hid;
};

/* Give the object another root; false if that failed. */
typedef bool (*give_fn)(struct newcomer *n, goheap_ref ref);
/* Undo that. */
typedef void (*undo_fn)(struct newcomer *n);

static __attribute__((noinline)) bool hold_and_give(struct newcomer *n,
						    give_fn give,
						    pthread_t *collector,
						    unsigned int delay)
{
	volatile goheap_ref ref = 0;
	bool ok;

	if (gh_alloc(n->h->fd, 64, 0, 1, (goheap_ref *)&ref, NULL))
		return false;
	n->hid = hidden(ref);
	memset(heap_ptr(n->h, ref), 0x5a, 64);
	if (pthread_create(collector, NULL, collect_once, n->h))
		return false;
	while (!heap_marking(n->h))
		;
	for (volatile unsigned int i = 0; i < delay; i++)
		;
	ok = give(n, ref);
	ref = 0;
	return ok;
}

static void try_newcomer(struct __test_metadata *_metadata, struct heap *h,
			 struct shared *s, give_fn give, undo_fn undo)
{
	struct newcomer n = { .h = h, .s = s };
	char *range = new_range(h->fd);
	struct mutator m;
	int before = 0, lost = 0, spoilt = 0, left = 0;

	ASSERT_NE(NULL, range);
	n.words = page_with(PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, n.words);
	ASSERT_EQ(0, mutator_attach(&m, h->fd, false));
	for (int i = 0; i < ROUNDS; i++) {
		__u64 seen, hands = handshakes(h->fd);
		pthread_t t;
		void *bad;

		ASSERT_EQ(0, gh_root_add(h->fd, 0, &n.id));
		ASSERT_TRUE(hold_and_give(&n, give, &t, i * i * 8000));
		clear_stack();
		seen = handshakes(h->fd);
		/* Dropped before any thread has been read? */
		before += heap_marking(h) && seen == hands;
		pthread_join(t, &bad);
		ASSERT_EQ(NULL, bad);
		if (!alive(h, n.hid))
			lost++;
		else if (!all_bytes(heap_ptr(h, ~n.hid), 0x5a, 64))
			spoilt++;
		clear_stack();
		ASSERT_EQ(0, gh_collect(h->fd));
		lost += !alive(h, n.hid);
		undo(&n);
		ASSERT_EQ(0, gh_root_remove(h->fd, n.id));
		clear_stack();
		ASSERT_EQ(0, gh_collect(h->fd));
		left += alive(h, n.hid);
	}
	TH_LOG("%d of %d dropped before a thread was read", before, ROUNDS);
	EXPECT_EQ(0, lost);
	EXPECT_EQ(0, spoilt);
	EXPECT_LT(0, before);
	/* Nothing but the new root has kept it. */
	EXPECT_GE(ROUNDS / 4, left);
	mutator_detach(&m);
	ASSERT_EQ(0, gh_range_remove(h->fd, range));
	munmap(range, 32 * MIB);
	munmap(n.words, PAGE);
}

#define TEST_NEWCOMER(name)						\
	TEST_F(concurrent, name) {					\
		try_newcomer(_metadata, &self->heap, self->s,		\
			     give_##name, undo_##name);			\
	}

static bool give_root_add(struct newcomer *n, goheap_ref ref)
{
	gh_root_remove(n->h->fd, n->id);
	return !gh_root_add(n->h->fd, ref, &n->id);
}

/* The handle stack of the thread, which has been looked at when it is pushed. */
static bool give_push(struct newcomer *n, goheap_ref ref)
{
	heap_keep(n->h, ref);
	return true;
}

static void undo_push(struct newcomer *n)
{
	n->h->stack->top--;
}

/* Stored, not pushed. */
static bool give_stack_slot(struct newcomer *n, goheap_ref ref)
{
	heap_keep(n->h, 0);
	heap_store(n->h, &n->h->stack->slots[n->h->stack->top - 1], ref);
	return true;
}

#define undo_stack_slot	undo_push

static bool give_root_set(struct newcomer *n, goheap_ref ref)
{
	return !gh_root_set(n->h->fd, n->id, ref);
}

static void undo_nothing(struct newcomer *n)
{
	(void)n;
}

#define undo_root_add	undo_nothing
#define undo_root_set	undo_nothing

/* In the last word of a range that ends where memory does, or in its first. */
static bool give_range_add(struct newcomer *n, goheap_ref ref)
{
	unsigned int word = n->hid / 64 % 2 ? PAGE / 8 - 1 : 0;

	memset(n->words, 0, PAGE);
	n->words[word] = ref;
	return !gh_range_add(n->h->fd, GOHEAP_RANGE_STATIC, n->words, PAGE);
}

static void undo_range_add(struct newcomer *n)
{
	gh_range_remove(n->h->fd, n->words);
}

/* A handle stack that is made when all have been noted. */
static bool give_new_stack(struct newcomer *n, goheap_ref ref)
{
	n->stack = map_stack(n->h->fd, PAGE);
	if (n->stack == MAP_FAILED)
		return false;
	stack_keep(n->h, n->stack, ref);
	return true;
}

static void undo_new_stack(struct newcomer *n)
{
	munmap(n->stack, PAGE);
}

/* A thread that is made when all have been noted. */
static void *newcomer_thread(void *arg)
{
	struct newcomer *n = arg;
	volatile goheap_ref local = ~n->hid;

	__atomic_store_n(&n->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&n->stop, __ATOMIC_ACQUIRE))
		sched_yield();
	(void)local;
	return NULL;
}

static bool start_newcomer(struct newcomer *n, void *(*run)(void *))
{
	n->ready = 0;
	n->stop = 0;
	if (pthread_create(&n->thread, NULL, run, n))
		return false;
	while (!__atomic_load_n(&n->ready, __ATOMIC_ACQUIRE))
		sched_yield();
	return true;
}

static bool give_new_thread(struct newcomer *n, goheap_ref ref)
{
	(void)ref;
	return start_newcomer(n, newcomer_thread);
}

static void undo_new_thread(struct newcomer *n)
{
	__atomic_store_n(&n->stop, 1, __ATOMIC_RELEASE);
	pthread_join(n->thread, NULL);
}

/* One that becomes a mutator, too, before the object is dropped elsewhere. */
static void *newcomer_mutator(void *arg)
{
	struct newcomer *n = arg;
	volatile goheap_ref local = ~n->hid;
	struct mutator m;

	if (mutator_attach(&m, n->h->fd, false))
		abort();
	__atomic_store_n(&n->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&n->stop, __ATOMIC_ACQUIRE))
		sched_yield();
	local = 0;
	mutator_detach(&m);
	(void)local;
	return NULL;
}

static bool give_new_mutator(struct newcomer *n, goheap_ref ref)
{
	(void)ref;
	return start_newcomer(n, newcomer_mutator);
}

#define undo_new_mutator	undo_new_thread

/* A process that attaches, and has the object from its parent. */
static void run_child(struct newcomer *n, goheap_ref ref)
{
	volatile goheap_ref local = ref;
	struct heap h = *n->h;
	struct mutator m;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CHILD_CHECK(!mutator_attach(&m, h.fd, false));
	__atomic_store_n(&n->s->ready, 1, __ATOMIC_RELEASE);
	for (;;)
		(void)local;
}

static bool give_new_process(struct newcomer *n, goheap_ref ref)
{
	n->s->ready = 0;
	n->pid = fork();
	if (!n->pid)
		run_child(n, ref);
	while (!__atomic_load_n(&n->s->ready, __ATOMIC_ACQUIRE))
		sched_yield();
	return n->pid > 0;
}

static void undo_new_process(struct newcomer *n)
{
	kill(n->pid, SIGKILL);
	wait_for(n->pid);
}

TEST_NEWCOMER(root_add)
TEST_NEWCOMER(root_set)
TEST_NEWCOMER(push)
TEST_NEWCOMER(stack_slot)
TEST_NEWCOMER(range_add)
TEST_NEWCOMER(new_stack)
TEST_NEWCOMER(new_thread)
TEST_NEWCOMER(new_mutator)
TEST_NEWCOMER(new_process)

/*
 * A range whose end, or start, is not mapped: what is there is a root at once all
 * the same.
 */
static bool give_ragged_range(struct newcomer *n, goheap_ref ref)
{
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		       MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	n->stack = (void *)p;
	*(goheap_ref *)(p + (n->hid / 64 % 2 ? PAGE : 2 * PAGE - 8)) = ref;
	munmap(p, PAGE);
	munmap(p + 2 * PAGE, PAGE);
	/* Starts and ends a little outside. */
	return !gh_range_add(n->h->fd, GOHEAP_RANGE_STATIC, p + PAGE - 64,
			     PAGE + 128);
}

static void undo_ragged_range(struct newcomer *n)
{
	gh_range_remove(n->h->fd, (char *)n->stack + PAGE - 64);
	munmap((char *)n->stack + PAGE, PAGE);
}

TEST_NEWCOMER(ragged_range)

/* Nodes that keep the collector busy; the last one comes last. */
static goheap_ref long_list(struct heap *h, __u32 node, unsigned int nodes,
			    __u64 bytes)
{
	enum { BATCH = 1000 };
	goheap_ref *head = &h->stack->slots[0];
	goheap_ref *batch = &h->stack->slots[1];
	goheap_ref last = 0;
	__u32 done;

	*head = 0;
	memset(batch, 0, BATCH * 8);
	h->stack->top = 1 + BATCH;
	for (unsigned int i = 0; i < nodes; i += done) {
		if (gh_alloc(h->fd, bytes, node, BATCH, batch, &done) || !done)
			return 0;
		/* In strides, so that neighbours are far apart in the list. */
		for (__u32 n = 0; n < done; n++) {
			goheap_ref ref = batch[n * 7 % done];

			if (!last)
				last = ref;
			heap_set(h, ref, 0, *head);
			heap_store(h, head, ref);
		}
		if (done % 7 == 0)
			return 0;
	}
	h->stack->top = 1;
	return last;
}

enum how { BY_BUFFER, BY_CALL, BY_FULL_BUFFER, NOT_AT_ALL };

/*
 * The end of a long list has the only reference to an object. It is reported
 * while the collector marks and then overwritten. @how tells by which way.
 */
static int try_report(struct heap *h, goheap_ref last, enum how how)
{
	goheap_ref *slot = heap_word(h, last, 0);
	goheap_ref ref = 0;
	struct mutator m;
	pthread_t t;
	int ret;

	if (mutator_attach(&m, h->fd, true) ||
	    gh_alloc(h->fd, 64, 0, 1, slot, NULL))
		return -1;
	ref = *slot;
	if (how == BY_FULL_BUFFER)
		m.page->nr_barrier = GOHEAP_BARRIER_REFS;
	if (pthread_create(&t, NULL, collect_once, h))
		return -1;
	while (!heap_marking(h))
		;
	if (how == BY_CALL)
		ret = gh_report(h->fd, &ref, 1);
	else if (how != NOT_AT_ALL)
		mutator_report(&m, ref);
	*slot = 0;
	/* Too late to say anything? */
	ret = heap_marking(h) ? 0 : -2;
	pthread_join(t, NULL);
	if (!ret)
		ret = heap_has(h, ref);
	mutator_detach(&m);
	return ret;
}

TEST_F(concurrent, reports)
{
	enum { NODES = 200000 };
	struct heap *h = &self->heap;
	goheap_ref last = long_list(h, self->node, NODES, 16);
	int kept[4] = {}, tried[4] = {};

	ASSERT_NE(0, last);
	for (int i = 0; i < 40; i++) {
		int ret = try_report(h, last, i % 4);

		ASSERT_NE(-1, ret);
		if (ret < 0)
			continue;
		tried[i % 4]++;
		kept[i % 4] += ret;
	}
	for (enum how how = BY_BUFFER; how < NOT_AT_ALL; how++) {
		EXPECT_LT(0, tried[how]);
		EXPECT_EQ(tried[how], kept[how])
			TH_LOG("way %d", how);
	}
	/* Else this test has not tested anything. */
	EXPECT_LT(kept[NOT_AT_ALL], tried[NOT_AT_ALL])
		TH_LOG("what was not reported was kept, too");
	EXPECT_EQ(NODES, heap_live(h));
}

/*
 * A thread that allocates and stores goes on while a large heap is marked. The
 * longest gap between two of its steps is a fraction of the time it takes; if the
 * heap were stopped it would be all of it.
 */
struct spinner {
	struct heap *h;
	__u32 node;
	int done;
	int error;
	__u64 gap;		/* longest, ns; taken and reset by others */
	unsigned long steps;	/* while objects were marked */
};

static __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void *spin(void *arg)
{
	struct spinner *x = arg;
	struct heap *h = x->h;
	volatile goheap_ref head = 0;
	struct mutator m;
	__u64 last, cycles;
	__u32 marking = 0;

	x->error = mutator_attach(&m, h->fd, false);
	cycles = heap_cycles(h);
	last = now_ns();
	for (int i = 0; !x->error; i++) {
		goheap_ref ref = mutator_new(&m, h->fd, 0, 16, x->node);
		__u32 was = marking;
		__u64 now;

		if (!ref) {
			x->error = -ENOMEM;
			break;
		}
		if (i % 64)
			mutator_store(&m, h, heap_word(h, ref, 0), head);
		head = ref;
		marking = heap_marking(h);
		now = now_ns();
		if (was || marking || heap_cycles(h) != cycles) {
			if (now - last >
			    __atomic_load_n(&x->gap, __ATOMIC_RELAXED))
				__atomic_store_n(&x->gap, now - last,
						 __ATOMIC_RELAXED);
			cycles = heap_cycles(h);
		}
		if (marking)
			__atomic_fetch_add(&x->steps, 1, __ATOMIC_RELAXED);
		last = now;
		if (__atomic_load_n(&x->done, __ATOMIC_ACQUIRE))
			break;
	}
	head = 0;
	mutator_detach(&m);
	return NULL;
}

TEST_F(concurrent, stops)
{
	enum { CYCLES = 8, BYTES = 128, NODES = 64 * MIB / BYTES };
	struct heap *h = &self->heap;
	struct spinner x = { .h = h, .node = self->node };
	unsigned long least = ~0UL;
	struct goheap_cycle c;
	pthread_t t;
	int good = 0;
	__u32 wide;

	/* Every word a reference or none: all of it is looked at. */
	wide = gh_layout_words(self->fd, BYTES / 8, (1ULL << BYTES / 8) - 1);
	ASSERT_NE(0, long_list(h, wide, NODES, BYTES));
	ASSERT_EQ(0, gh_collect(self->fd));
	ASSERT_EQ(0, pthread_create(&t, NULL, spin, &x));
	for (int i = 0; i < CYCLES; i++) {
		unsigned long steps;
		__u64 gap;

		usleep(10000);
		__atomic_store_n(&x.gap, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&x.steps, 0, __ATOMIC_RELAXED);
		ASSERT_EQ(0, gh_collect(self->fd));
		gap = __atomic_load_n(&x.gap, __ATOMIC_RELAXED);
		steps = __atomic_load_n(&x.steps, __ATOMIC_RELAXED);
		ASSERT_EQ(0, gh_cycle(self->fd, 0, &c));
		TH_LOG("marked %llu MiB in %llu us: gap %llu us, %lu steps, stops of %llu and %llu us",
		       c.heap_marked / MIB, c.mark_ns / 1000, gap / 1000, steps,
		       c.setup_ns / 1000, c.term_ns / 1000);
		EXPECT_LE(64 * MIB, c.heap_marked);
		good += gap < c.mark_ns / 4;
		if (steps < least)
			least = steps;
	}
	__atomic_store_n(&x.done, 1, __ATOMIC_RELEASE);
	pthread_join(t, NULL);
	EXPECT_EQ(0, x.error);
	/* A machine may stand still now and then; a stopped heap always does. */
	EXPECT_LE(CYCLES / 2, good);
	EXPECT_LT(100, least);
}

TEST_HARNESS_MAIN
