// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Managed stacks: growth and shrinking, references to their own slots, what
 * they keep and for how long.
 */
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"

#define FIRST 2048

/* A number for a slot, which no heap's tag is in. */
static goheap_ref number(uint64_t i)
{
	return i % 2 ? ~i : i * 3;
}

/* An object that only its place on the stack keeps. */
static goheap_ref push_new(struct goheap_hstack *s, size_t bytes)
{
	goheap_frame frame = goheap_frame_begin(s->heap);
	goheap_ref ref = goheap_new(s->heap, GOHEAP_LAYOUT_NOSCAN, bytes);

	if (!ref || goheap_hstack_push(s, ref))
		ref = 0;
	goheap_frame_end(s->heap, frame);
	return ref;
}

/* Numbers, and at each 1000th slot an object with its number in it. */
static bool push_mixed(struct goheap_hstack *s, uint64_t n)
{
	for (uint64_t i = goheap_hstack_depth(s); i < n; i++) {
		goheap_ref ref;

		if (i % 1000) {
			if (goheap_hstack_push(s, number(i)))
				return false;
			continue;
		}
		ref = push_new(s, BIG);
		if (!ref)
			return false;
		*(uint64_t *)goheap_ptr(s->heap, ref) = i;
	}
	return true;
}

static bool is_mixed(const struct goheap_hstack *s, goheap_ref value,
		     uint64_t i)
{
	if (i % 1000)
		return value == number(i);
	return is_object(s->heap, value) &&
	       *(uint64_t *)goheap_ptr(s->heap, value) == i;
}

static bool check_mixed(const struct goheap_hstack *s, uint64_t n)
{
	if (goheap_hstack_depth(s) != n)
		return false;
	for (uint64_t i = 0; i < n; i++)
		if (!is_mixed(s, goheap_hstack_get(s, i), i))
			return false;
	return true;
}

void test_hstack_growth(struct goheap *h)
{
	struct goheap_hstack *s = goheap_hstack_new(h);
	const uint64_t n = (16 << 20) / 8;
	struct goheap_stats stats;
	uint64_t i = n;

	EXPECT(s && goheap_hstack_size(s) == FIRST && !goheap_hstack_depth(s));
	if (!s)
		return;
	EXPECT(push_mixed(s, 255) && goheap_hstack_size(s) == FIRST);
	EXPECT(push_mixed(s, 256) && goheap_hstack_size(s) == 2 * FIRST);
	EXPECT(check_mixed(s, 256));
	EXPECT(push_mixed(s, n) && goheap_hstack_size(s) == 32 << 20);
	EXPECT(!goheap_gc(h) && check_mixed(s, n));
	while (i && is_mixed(s, goheap_hstack_peek(s), i - 1) &&
	       is_mixed(s, goheap_hstack_pop(s), i - 1))
		i--;
	EXPECT(!i && !goheap_hstack_depth(s));
	EXPECT(!goheap_hstack_pop(s) && errno == EINVAL);
	EXPECT(!strcmp(goheap_error(), "pop from an empty stack"));
	goheap_hstack_free(s);
	EXPECT(!goheap_gc(h) && !goheap_stats(h, &stats));
	EXPECT(stats.num_gc > 2 && !stats.invalid_refs);
	EXPECT(!stats.heap_marked && stats.heap_inuse < 1 << 20);
}

/* Each slot but the first refers to the one below. */
static bool check_chain(const struct goheap_hstack *s)
{
	struct goheap *h = s->heap;
	uint64_t i = goheap_hstack_depth(s);
	goheap_ref ref;

	for (ref = goheap_hstack_slot_ref(s, i - 1); ref; i--) {
		if (goheap_hstack_slot_index(s, ref) != (int64_t)i - 1)
			return false;
		ref = goheap_load(h, goheap_ptr(h, ref));
	}
	return !i;
}

void test_hstack_self(struct goheap *h)
{
	struct goheap_hstack *s = goheap_hstack_new(h);
	struct goheap_stats stats;
	goheap_ref ref;

	EXPECT(s && !goheap_hstack_slot_ref(s, 0) && errno == EINVAL);
	EXPECT(!goheap_hstack_push(s, 0));
	for (uint64_t i = 1; i < 100000; i++)
		if (goheap_hstack_push(s, goheap_hstack_slot_ref(s, i - 1)))
			break;
	EXPECT(goheap_hstack_depth(s) == 100000 && check_chain(s));
	/* Only the last object of the stack is kept. */
	EXPECT(!goheap_gc(h) && !goheap_stats(h, &stats));
	EXPECT(stats.heap_marked < (1 << 20) + 4096 && !stats.invalid_refs);
	while (goheap_hstack_depth(s) > 2) {
		uint64_t n = goheap_hstack_depth(s);
		size_t size = goheap_hstack_size(s);

		goheap_hstack_frame_end(s, n - n / 8 - 2);
		EXPECT(!goheap_gc(h) && check_chain(s));
		/* A slot that was popped is as good as one that was not. */
		n = goheap_hstack_depth(s);
		ref = goheap_hstack_pop(s);
		EXPECT(n < 2 ||
		       goheap_hstack_slot_index(s, ref) == (int64_t)n - 2);
		EXPECT(goheap_hstack_size(s) == size ||
		       goheap_hstack_size(s) == size / 2);
	}
	EXPECT(goheap_hstack_size(s) == FIRST);
	EXPECT(goheap_hstack_slot_index(s, goheap_hstack_slot_ref(s, 0)) == 0);
	EXPECT(goheap_hstack_slot_index(s, s->heap->tag_bits) == -1);
	EXPECT(!goheap_gc(h) && !goheap_stats(h, &stats));
	EXPECT(!stats.invalid_refs);
	goheap_hstack_free(s);
}

void test_hstack_shrink(struct goheap *h)
{
	struct goheap_hstack *s = goheap_hstack_new(h);
	size_t size = 64 << 10;
	goheap_ref far;

	/* Collections before it has grown do not count. */
	EXPECT(s && push_mixed(s, 255) && !goheap_gc(h));
	EXPECT(push_mixed(s, size / 8 - 1));
	EXPECT(goheap_hstack_size(s) == size);
	far = goheap_hstack_slot_ref(s, size / 8 - 2);
	/* Without a collection it stays. */
	goheap_hstack_frame_end(s, 1001);
	EXPECT(goheap_hstack_size(s) == size && check_mixed(s, 1001));
	EXPECT(!goheap_hstack_push(s, far));
	EXPECT(!goheap_hstack_push(s, goheap_hstack_slot_ref(s, 7)));
	EXPECT(!goheap_hstack_push(s, 1) && !goheap_gc(h));
	EXPECT(goheap_hstack_pop(s) == 1);
	EXPECT(goheap_hstack_size(s) == size / 2);
	EXPECT(goheap_hstack_pop(s) == goheap_hstack_slot_ref(s, 7));
	/* The slot is not in use, and not there any more. */
	EXPECT(goheap_hstack_pop(s) == 0 && check_mixed(s, 1001));
	EXPECT(goheap_hstack_size(s) == size / 2);
	/* 1000 and the top are within a quarter of 32 KiB, not of 16. */
	for (int i = 0; i < 5; i++)
		EXPECT(!goheap_gc(h) && push_mixed(s, 1002) &&
		       goheap_hstack_pop(s) == number(1001));
	EXPECT(goheap_hstack_size(s) == 16 << 10 && check_mixed(s, 1001));
	for (int i = 0; i < 5; i++) {
		goheap_hstack_frame_end(s, 3);
		EXPECT(!goheap_gc(h) && !goheap_hstack_push(s, 1) &&
		       goheap_hstack_pop(s) == 1);
	}
	EXPECT(goheap_hstack_size(s) == FIRST && check_mixed(s, 3));
	goheap_hstack_free(s);
}

void test_hstack_limit(struct goheap *h)
{
	struct goheap_hstack *s = goheap_hstack_new(h);
	uint64_t i = 0;

	EXPECT(s && goheap_set_max_stack(h, 12000));
	while (i < 10000 && !goheap_hstack_push(s, number(i)))
		i++;
	EXPECT(errno == ENOSPC && i == 12288 / 8 - 1);
	EXPECT(!strcmp(goheap_error(),
		       "managed stack exceeds its limit of 12288 bytes"));
	EXPECT(goheap_hstack_depth(s) == i);
	EXPECT(goheap_hstack_push(s, 0) == -1 &&
	       goheap_hstack_size(s) == 12288);
	EXPECT(!goheap_gc(h));
	while (i && goheap_hstack_get(s, i - 1) == number(i - 1))
		i--;
	EXPECT(!i);
	EXPECT(goheap_set_max_stack(h, 1 << 20) == 12288);
	EXPECT(!goheap_hstack_push(s, 5) && goheap_hstack_pop(s) == 5);
	EXPECT(goheap_hstack_size(s) == 24576);
	/* Odd sizes are halved, too. */
	goheap_hstack_frame_end(s, 1);
	for (int n = 0; n < 5; n++)
		EXPECT(!goheap_gc(h) && !goheap_hstack_push(s, 5) &&
		       goheap_hstack_pop(s) == 5);
	EXPECT(goheap_hstack_size(s) == FIRST && !goheap_hstack_get(s, 0));
	goheap_hstack_free(s);
}

/* A stack grows to 64 MiB and no further. */
void test_hstack_ceiling(struct goheap *h)
{
	const size_t ceiling = 64 << 20;
	struct goheap_hstack *s = goheap_hstack_new(h);
	uint64_t i = 0;

	EXPECT(s && goheap_set_max_stack(h, ceiling));
	while (i < ceiling && !goheap_hstack_push(s, number(i)))
		i++;
	EXPECT(errno == ENOSPC && i == ceiling / 8 - 1);
	EXPECT(!strcmp(goheap_error(),
		       "managed stack exceeds its limit of 67108864 bytes"));
	EXPECT(goheap_hstack_depth(s) == i);
	EXPECT(goheap_hstack_size(s) == ceiling);
	EXPECT(goheap_hstack_pop(s) == number(--i));
	EXPECT(!goheap_hstack_push(s, 1) && goheap_hstack_push(s, 2) == -1);
	for (uint64_t k = 0; k < i; k += 4099)
		EXPECT(goheap_hstack_get(s, k) == number(k));
	goheap_hstack_free(s);
}

/* How large a stack may be said to become. */
void test_hstack_largest(struct goheap *h)
{
	const size_t largest = 1UL << 30;
	struct goheap_hstack *s;

	EXPECT(goheap_set_max_stack(h, largest));
	EXPECT(goheap_set_max_stack(h, largest) == largest);
	EXPECT(!goheap_set_max_stack(h, largest + 1) && errno == EINVAL);
	EXPECT(!goheap_set_max_stack(h, 0) && errno == EINVAL);
	EXPECT(goheap_set_max_stack(h, largest) == largest);
	s = goheap_hstack_new(h);
	EXPECT(s && push_mixed(s, 1000) && check_mixed(s, 1000));
	goheap_hstack_free(s);
}

void test_hstack_keeps(struct goheap *h)
{
	struct goheap_hstack *s = goheap_hstack_new(h);
	goheap_ref a = push_new(s, BIG), b, c, d;
	goheap_frame frame = goheap_hstack_frame_begin(s), inner;

	b = push_new(s, BIG);
	inner = goheap_hstack_frame_begin(s);
	c = push_new(s, BIG);
	EXPECT(!goheap_gc(h) && a && b && c);
	EXPECT(is_object(h, a) && is_object(h, b) && is_object(h, c));
	goheap_hstack_frame_end(s, inner);
	goheap_hstack_frame_end(s, inner + 5);
	EXPECT(goheap_hstack_peek(s) == b && !goheap_gc(h));
	EXPECT(is_object(h, b) && !is_object(h, c));
	d = push_new(s, BIG);
	EXPECT(!goheap_hstack_set(s, 1, goheap_hstack_get(s, 2)));
	EXPECT(goheap_hstack_pop(s) == d && !goheap_gc(h));
	EXPECT(is_object(h, d) && !is_object(h, b) && is_object(h, a));
	EXPECT(goheap_hstack_set(s, 2, 0) == -1 && errno == EINVAL);
	EXPECT(!strcmp(goheap_error(), "slot 2 of a stack of depth 2"));
	EXPECT(!goheap_hstack_get(s, 2) && errno == EINVAL);
	goheap_hstack_frame_end(s, frame);
	EXPECT(!goheap_gc(h) && !is_object(h, d) && is_object(h, a));
	goheap_hstack_free(s);
	EXPECT(!goheap_gc(h) && !is_object(h, a));
	goheap_hstack_free(NULL);
}

void test_hstack_many(struct goheap *h)
{
	enum { STACKS = 1000 };
	struct goheap_hstack *s[STACKS];
	struct goheap_stats stats;
	uint64_t depth;

	for (int i = 0; i < STACKS; i++)
		s[i] = goheap_hstack_new(h);
	for (int round = 0; round < 5; round++) {
		for (uint64_t i = 0; i < STACKS; i++) {
			/* Up and down, each at another time. */
			depth = (i * 7 + (uint64_t)round * 977) % 1000 + 1;
			if (depth < goheap_hstack_depth(s[i]))
				goheap_hstack_frame_end(s[i], depth);
			if (!push_mixed(s[i], depth))
				EXPECT(!"push_mixed");
		}
		EXPECT(!goheap_gc(h));
		for (uint64_t i = 0; i < STACKS; i++) {
			depth = (i * 7 + (uint64_t)round * 977) % 1000 + 1;
			if (!check_mixed(s[i], depth))
				EXPECT(!"check_mixed");
		}
	}
	for (int i = 0; i < STACKS; i++)
		goheap_hstack_free(s[i]);
	EXPECT(!goheap_gc(h) && !goheap_stats(h, &stats));
	EXPECT(!stats.heap_marked && !stats.invalid_refs);
}

static bool stop;

static void *collect(void *h)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		if (goheap_gc(h))
			return NULL;
	return h;
}

/* Objects that nothing but their stack keeps, while it grows and shrinks. */
static bool up_and_down(struct goheap *h)
{
	struct goheap_hstack *s = goheap_hstack_new(h);
	bool good = s;
	uint64_t i;

	for (i = 0; good && i < 6000; i++) {
		goheap_ref ref = push_new(s, 24);

		good = ref;
		if (good)
			*(uint64_t *)goheap_ptr(h, ref) = i;
	}
	while (good && i) {
		goheap_ref ref = goheap_hstack_peek(s);

		good = *(uint64_t *)goheap_ptr(h, ref) == --i;
		good = good && goheap_hstack_pop(s) == ref;
	}
	goheap_hstack_free(s);
	return good;
}

static void *up_and_down_often(void *h)
{
	for (int i = 0; i < 40; i++)
		if (!up_and_down(h))
			return NULL;
	return h;
}

/* Copies that are long enough for a collection to begin and end meanwhile. */
static void *up_and_down_far(void *h)
{
	const uint64_t n = 1 << 20;
	bool good = true;

	for (int i = 0; good && i < 2; i++) {
		struct goheap_hstack *s = goheap_hstack_new(h);

		good = s && push_mixed(s, n) && check_mixed(s, n);
		for (uint64_t k = n / 5; good && k > 100; k /= 2) {
			goheap_hstack_frame_end(s, k);
			good = check_mixed(s, k);
		}
		goheap_hstack_free(s);
	}
	return good ? h : NULL;
}

void test_hstack_threads(struct goheap *h)
{
	pthread_t threads[2], collector;
	struct goheap_stats stats;
	void *result;

	stop = false;
	EXPECT(!pthread_create(&collector, NULL, collect, h));
	EXPECT(!pthread_create(&threads[0], NULL, up_and_down_often, h));
	EXPECT(!pthread_create(&threads[1], NULL, up_and_down_far, h));
	for (int i = 0; i < 2; i++)
		EXPECT(!pthread_join(threads[i], &result) && result);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	EXPECT(!pthread_join(collector, &result) && result);
	EXPECT(!goheap_stats(h, &stats) && !stats.invalid_refs);
	EXPECT(stats.num_forced_gc > 10);
}

/* Growth without memory fails, and the stack is what it was. */
void test_hstack_no_memory(struct goheap *h)
{
	struct goheap_open_params params = { .max_heap = 2 << 20 };
	struct goheap *small = goheap_open_params(&params);
	struct goheap_hstack *s = small ? goheap_hstack_new(small) : NULL;
	uint64_t i = 0;

	(void)h;
	EXPECT(s);
	while (s && i < 1000000 && !goheap_hstack_push(s, number(i)))
		i++;
	EXPECT(s && errno == ENOMEM && goheap_hstack_size(s) == 1 << 20);
	EXPECT(goheap_hstack_depth(s) == i && i == (1 << 17) - 1);
	while (i && goheap_hstack_pop(s) == number(i - 1))
		i--;
	EXPECT(!i);
	/* Stacks that are left when their heap is closed are only to be freed. */
	goheap_close(small);
	EXPECT(!goheap_hstack_depth(s) && !goheap_hstack_size(s));
	EXPECT(goheap_hstack_push(s, 1) == -1 && errno == ENOTCONN);
	goheap_hstack_free(s);
}

/* What a child has of its parent's stacks: nothing. */
static bool use_in_child(struct goheap *h, struct goheap_hstack *s)
{
	struct goheap_hstack *own = goheap_hstack_new(h);
	bool good = own && !goheap_hstack_depth(s) && !goheap_hstack_pop(s) &&
		    errno == EINVAL && goheap_hstack_push(s, 1) == -1 &&
		    errno == ENOTCONN;

	goheap_hstack_frame_end(s, 0);
	goheap_hstack_free(s);
	good = good && push_mixed(own, 5000) && !goheap_gc(h) &&
	       check_mixed(own, 5000);
	goheap_close(h);
	goheap_hstack_free(own);
	return good;
}

void test_hstack_fork(struct goheap *h)
{
	struct goheap_hstack *s = goheap_hstack_new(h);
	int status = -1;
	pid_t pid;

	EXPECT(s && push_mixed(s, 3001));
	pid = fork();
	if (!pid)
		_exit(use_in_child(h, s) ? 0 : 1);
	EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && !status);
	EXPECT(!goheap_gc(h) && check_mixed(s, 3001));
	EXPECT(push_mixed(s, 20000) && check_mixed(s, 20000));
	goheap_hstack_free(s);
}

/* The object is everybody's who has the heap; the library's numbers are not. */
void test_hstack_hostile(struct goheap *h)
{
	static const uint64_t tops[] = { 0, 1, 5000, 1ULL << 61, ~0ULL };
	struct goheap_hstack *s = goheap_hstack_new(h);
	struct goheap_stats stats;

	for (int i = 0; s && i < 5; i++) {
		goheap_hstack_frame_end(s, 0);
		EXPECT(push_mixed(s, 300));
		s->stack->top = tops[i];
		EXPECT(!goheap_hstack_push(s, number(300)));
		s->stack->top = tops[i];
		EXPECT(!goheap_gc(h) && goheap_hstack_depth(s) == 301);
		EXPECT(goheap_hstack_pop(s) == number(300));
		EXPECT(s->stack->top == 300);
	}
	EXPECT(s && !goheap_stats(h, &stats) && !stats.invalid_refs);
	goheap_hstack_free(s);
}
