/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Workers: threads that move references about as fast as they can while the
 * collector looks for them.
 *
 * An object that the collector misses is freed and given out again. Every object
 * here carries a value and hashes of it, and all threads allocate others with
 * other words in the same places all the time, so a lost one is noticed when it is
 * looked at. In the end the heap has exactly the objects that can be reached.
 *
 * What a worker finds first ends it, and nothing of it goes back to where others
 * would find it, too: the earliest finding is nearest to the cause.
 */
#ifndef GOHEAP_TEST_CROWD_H
#define GOHEAP_TEST_CROWD_H

#include <sys/prctl.h>

#include "mutator.h"

#define TABLES		4
#define WIDTH		64	/* references of a table */

/* Words of an item, and of what it refers to. */
enum { PAYLOAD, VALUE, CHECK, ITEM_WORDS = 4, PAYLOAD_WORDS = 6 };

/* What the processes of a test share. */
struct shared {
	goheap_ref tables[TABLES];
	__u32 roots[TABLES];	/* of the tables */
	__u32 item, table;	/* layouts */
	int done;
	unsigned long steps;
	unsigned long taken;
	unsigned long peeks;
	unsigned long moved;
	unsigned long refused;	/* allocations of those who are patient */
	unsigned long marking;	/* steps that saw marking */
};

static inline __u64 hash(__u64 value, unsigned int salt)
{
	return (value + salt + 1) * 0x9e3779b97f4a7c15ULL >> 8;
}

enum mode {
	CONSERVATIVE,	/* a mutator whose stack is read */
	PRECISE,	/* a mutator that keeps all on a handle stack */
	BARE,		/* the same without control pages */
};

/*
 * struct finding - what a worker has found wrong first
 * @why: what with; NULL as long as there is nothing
 * @ref: the item, or 0
 * @item: words of it
 * @payload: what it refers to, or did
 * @words: words of that, if it is an object
 * @cycles: collections begun until then
 * @marking: was another one marking?
 * @ns: CLOCK_MONOTONIC, which all processes share
 */
struct finding {
	const char *why;
	goheap_ref ref;
	__u64 item[ITEM_WORDS];
	goheap_ref payload;
	__u64 words[PAYLOAD_WORDS];
	__u64 cycles;
	__u32 marking;
	__u64 ns;
};

struct worker {
	struct heap *h;
	struct shared *s;
	enum mode mode;
	bool rude;		/* reports nothing, and believes nothing */
	bool patient;		/* makes a refused allocation again */
	__u64 seed;
	struct mutator m;
	struct goheap_stack *stack;
	struct finding bad;
	pthread_t thread;
};

static inline bool stopped(struct worker *w)
{
	return w->bad.why || __atomic_load_n(&w->s->done, __ATOMIC_ACQUIRE);
}

static inline void fail(struct worker *w, const char *why)
{
	if (w->bad.why || w->rude)
		return;
	w->bad = (struct finding){
		.why = why,
		.cycles = heap_cycles(w->h),
		.marking = heap_marking(w->h),
		.ns = now_ns(),
	};
}

/* The same with what can be seen of an item. */
static inline void fail_item(struct worker *w, const char *why, goheap_ref ref,
		      goheap_ref payload)
{
	struct finding *f = &w->bad;

	if (f->why || w->rude)
		return;
	fail(w, why);
	f->ref = ref;
	f->payload = payload;
	memcpy(f->item, heap_ptr(w->h, ref), sizeof(f->item));
	if (heap_has(w->h, payload))
		memcpy(f->words, heap_ptr(w->h, payload), sizeof(f->words));
}

static inline void print_finding(const struct worker *w)
{
	static const char * const modes[] = { "conservative", "precise", "bare" };
	const struct finding *f = &w->bad;

	fprintf(stderr,
		"# %s worker, %llu.%09llu s, cycle %llu, marking %u: %s\n"
		"#   item %#llx: %#llx %#llx %#llx %#llx\n"
		"#   payload %#llx: %#llx %#llx %#llx %#llx %#llx %#llx\n",
		modes[w->mode], f->ns / 1000000000, f->ns % 1000000000,
		f->cycles, f->marking, f->why, f->ref, f->item[0], f->item[1],
		f->item[2], f->item[3], f->payload, f->words[0], f->words[1],
		f->words[2], f->words[3], f->words[4], f->words[5]);
}

static inline void report(struct worker *w, goheap_ref old, goheap_ref ref)
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
static inline void keep(struct worker *w, goheap_ref ref)
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
static inline bool replace(struct worker *w, goheap_ref *slot, goheap_ref old,
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

static inline goheap_ref *any_slot(struct worker *w)
{
	goheap_ref table = w->s->tables[rnd(&w->seed) % TABLES];

	return heap_word(w->h, table, rnd(&w->seed) % WIDTH);
}

/* The same on a handle stack. */
static inline goheap_ref push_object(struct worker *w, __u64 bytes,
				     __u32 layout)
{
	__u64 top = w->stack->top;

	w->stack->slots[top] = 0;
	w->stack->top = top + 1;
	if (gh_alloc(w->h->fd, bytes, layout, 1, &w->stack->slots[top], NULL))
		w->stack->slots[top] = 0;
	return w->stack->slots[top];
}

/* A new object, kept as the mode says. */
static inline goheap_ref make_object(struct worker *w, bool item)
{
	__u64 bytes = (item ? ITEM_WORDS : PAYLOAD_WORDS) * 8;
	__u32 layout = item ? w->s->item : GOHEAP_LAYOUT_NOSCAN;
	goheap_ref ref;

	if (w->mode != CONSERVATIVE)
		ref = push_object(w, bytes, layout);
	else
		ref = mutator_new(&w->m, w->h->fd, item, bytes, layout);
	while (!ref && w->patient && !stopped(w)) {
		__atomic_fetch_add(&w->s->refused, 1, __ATOMIC_RELAXED);
		ref = mutator_new(&w->m, w->h->fd, item, bytes, layout);
	}
	if (!ref && !w->patient)
		fail(w, "no memory");
	return ref;
}

static inline bool good_payload(struct worker *w, goheap_ref ref, __u64 value)
{
	for (unsigned int i = 0; i < PAYLOAD_WORDS; i++)
		if (*heap_word(w->h, ref, i) != hash(value, i))
			return false;
	return true;
}

static inline void check_item(struct worker *w, goheap_ref ref, const char *why)
{
	__u64 value;
	goheap_ref payload;

	if (w->rude)
		return;
	value = *heap_word(w->h, ref, VALUE);
	payload = __atomic_load_n(heap_word(w->h, ref, PAYLOAD),
				  __ATOMIC_ACQUIRE);
	/* Without one while its owner moves it; see move_payload(). */
	if (*heap_word(w->h, ref, CHECK) != hash(value, 99) ||
	    (payload && !good_payload(w, payload, value)))
		fail_item(w, why, ref, payload);
}

static inline goheap_ref make_item(struct worker *w, goheap_ref payload, __u64 value)
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
static inline void make_poison(struct worker *w)
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

/* Somewhere; an item that finds no place, or is bad, is dropped. */
static inline void put(struct worker *w, goheap_ref ref)
{
	if (w->bad.why)
		return;
	for (int i = 0; i < 8; i++)
		if (replace(w, any_slot(w), 0, ref))
			return;
}

/* Out of its table: from now on only this thread has it. */
static inline goheap_ref take(struct worker *w)
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

static inline void linger(struct worker *w)
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
static inline void move_item(struct worker *w)
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
static inline void move_by_stack(struct worker *w)
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
static inline void move_payload(struct worker *w)
{
	goheap_ref ref = take(w), payload, other;
	__u64 value;

	if (!ref)
		return;
	check_item(w, ref, "an item whose payload is to move");
	value = *heap_word(w->h, ref, VALUE);
	payload = *heap_word(w->h, ref, PAYLOAD);
	if (!payload)
		fail_item(w, "an item without payload", ref, 0);
	if (w->bad.why)
		return;
	keep(w, payload);
	replace(w, heap_word(w->h, ref, PAYLOAD), payload, 0);
	linger(w);
	if (!good_payload(w, payload, value))
		fail_item(w, "a payload that only the thread has", ref, payload);
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
static inline void peek(struct worker *w)
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

static inline void step(struct worker *w)
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

static inline void *work(void *arg)
{
	struct worker *w = arg;

	w->stack = map_stack(w->h->fd, PAGE);
	if (w->stack == MAP_FAILED) {
		fail(w, "no stack");
		return NULL;
	}
	if (w->mode != BARE &&
	    mutator_attach(&w->m, w->h->fd, w->mode == PRECISE)) {
		fail(w, "no control pages");
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

static inline void start_worker(struct worker *w)
{
	if (pthread_create(&w->thread, NULL, work, w))
		abort();
}

static inline void start_workers(struct worker *w, int nr, struct heap *h,
			  struct shared *s, enum mode mode, bool rude)
{
	for (int i = 0; i < nr; i++) {
		w[i] = (struct worker){
			.h = h, .s = s, .mode = mode, .rude = rude,
			.seed = 4711 + i + 100 * mode,
		};
		start_worker(&w[i]);
	}
}

/* How many of them have found something wrong. */
static inline int join_workers(struct worker *w, int nr)
{
	int bad = 0;

	for (int i = 0; i < nr; i++) {
		pthread_join(w[i].thread, NULL);
		if (w[i].bad.why) {
			print_finding(&w[i]);
			bad++;
		}
	}
	return bad;
}

/* A child with workers of its own, and its own mapping at another address. */
static inline pid_t fork_workers(struct heap *h, struct shared *s, int nr,
			  enum mode mode, bool rude)
{
	pid_t pid = fork();

	if (!pid) {
		struct worker w[4];
		char *old = h->base;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		heap_detach(h);
		CHILD_CHECK(mmap(old, PAGE, PROT_NONE, MAP_PRIVATE |
				 MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
			    old);
		CHILD_CHECK(!heap_attach(h));
		CHILD_CHECK(h->base != old);
		start_workers(w, nr, h, s, mode, rude);
		_exit(join_workers(w, nr) ? 1 : 0);
	}
	return pid;
}

/* Tables and layouts; false if they are not to be had. */
static inline bool fill_shared(struct shared *s, struct heap *h)
{
	s->item = gh_layout_words(h->fd, ITEM_WORDS, 1 << PAYLOAD);
	s->table = gh_layout_words(h->fd, 1, 1);
	for (int i = 0; i < TABLES; i++) {
		s->tables[i] = heap_push(h, WIDTH * 8, s->table);
		if (!s->tables[i] ||
		    gh_root_add(h->fd, s->tables[i], &s->roots[i]))
			return false;
	}
	h->stack->top = 0;
	return true;
}

/* The same for several processes and a small heap; NULL without. */
static inline struct shared *make_shared(struct heap *h)
{
	struct shared *s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED ||
	    gh_param_set(h->fd, GOHEAP_PARAM_MAX_HEAP, 64 * MIB) ||
	    !fill_shared(s, h))
		return NULL;
	return s;
}

/* What the tables have is whole; how many objects that is, or 0. */
static inline unsigned long count_items(struct heap *h, struct shared *s)
{
	struct worker w = { .h = h, .s = s };
	unsigned long n = TABLES;

	for (int i = 0; i < TABLES * WIDTH; i++) {
		goheap_ref ref = *heap_word(h, s->tables[i / WIDTH], i % WIDTH);

		if (!ref)
			continue;
		check_item(&w, ref, "an item that is left");
		if (!*heap_word(h, ref, PAYLOAD))
			fail_item(&w, "an item left without payload", ref, 0);
		if (w.bad.why) {
			print_finding(&w);
			return 0;
		}
		n += 2;
	}
	return n;
}

/*
 * Collect without a break for a second, or more if the environment says so; how
 * many times.
 */
static inline long collect_on(int fd)
{
	__u64 end = now_ns() + test_length() * 1000000000ULL;
	long n = 0;

	do {
		if (gh_collect(fd))
			return -1;
		n++;
	} while (now_ns() < end || n < 20);
	return n;
}

/*
 * Objects that are more than the tables have and some others, after collections. A
 * mutator that has ended is done away with a little later.
 */
static inline __u64 surplus(struct heap *h, struct shared *s, __u64 others)
{
	__u64 want = count_items(h, s) + others, live = heap_live(h);

	for (int i = 0; live != want && i < 100; i++) {
		usleep(10000);
		live = heap_live(h);
	}
	return live - want;
}

/* Workers are done; what they have left is what there is. */
static inline void check_end(struct __test_metadata *_metadata, struct heap *h,
		      struct shared *s)
{
	struct goheap_stats stats;

	EXPECT_LT(0, s->marking);
	EXPECT_LT(0, s->taken);
	EXPECT_LT(0, s->moved);
	EXPECT_LT(TABLES, count_items(h, s));
	EXPECT_EQ(0, surplus(h, s, 0));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(0, stats.invalid_refs);
	EXPECT_EQ(0, stats.evictions);
}

#endif /* GOHEAP_TEST_CROWD_H */
