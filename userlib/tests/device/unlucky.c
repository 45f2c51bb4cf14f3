// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a program does to itself: it forks while its threads allocate, executes
 * another program, jumps out of frames, uses heaps where threads end, and closes
 * them before.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"

#define LENGTH 500

/* What threads do meanwhile. */
struct beside {
	struct goheap *heap;
	int layout;
	bool stop;
	bool failed;
};

/* Calls of all kinds: small objects and large ones, what is loaded, roots. */
static void *go_on(void *arg)
{
	struct beside *b = arg;
	struct goheap *h = b->heap;

	while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED)) {
		goheap_frame frame = goheap_frame_begin(h);
		goheap_ref list = make_list(h, b->layout, 50);
		struct goheap_hstack *s = goheap_hstack_new(h);

		if (!s || !check_list(h, list, 50) || !goheap_new(h, 0, BIG) ||
		    goheap_hstack_push(s, list) || goheap_update_variables(h))
			b->failed = true;
		goheap_hstack_free(s);
		goheap_frame_end(h, frame);
	}
	return NULL;
}

static bool go_on_in_child(struct goheap *h, void *arg)
{
	const struct beside *b = arg;
	goheap_frame frame = goheap_frame_begin(h);
	goheap_ref list = make_list(h, b->layout, LENGTH);
	bool good = goheap_new(h, 0, BIG) && check_list(h, list, LENGTH) &&
		    !goheap_update_variables(h);

	goheap_frame_end(h, frame);
	return good;
}

/* The same of a child that may hang, which is killed after a while. */
static bool ends_soon(pid_t pid)
{
	int status = -1;

	for (int i = 0; i < 20000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return !status;
		usleep(1000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return false;
}

/* A child has one of the threads, in whatever the others were. */
void test_fork_beside(struct goheap *h)
{
	struct beside b = { .heap = h, .layout = node_layout(h) };
	pthread_t threads[3];
	bool good = true;

	for (int i = 0; i < 3; i++)
		EXPECT(!pthread_create(&threads[i], NULL, go_on, &b));
	for (int i = 0; good && i < 100; i++)
		good = ends_soon(start_child(go_on_in_child, h, &b));
	EXPECT(good);
	__atomic_store_n(&b.stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		EXPECT(!pthread_join(threads[i], NULL));
	EXPECT(!b.failed);
	EXPECT(!goheap_gc(h) && go_on_in_child(h, &b));
}

/*
 * Another program: this one, which sees by a variable that it is meant, and what it
 * has been handed.
 */
#define OTHER "GOHEAP_TEST_OTHER"

static void __attribute__((constructor)) other_program(void)
{
	const char *text = getenv(OTHER);
	struct goheap *h;
	unsigned long list;
	int fd, closed;

	if (!text || sscanf(text, "%d %d %lx", &fd, &closed, &list) != 3)
		return;
	unsetenv(OTHER);
	if (fcntl(closed, F_GETFD) >= 0)
		_exit(2);
	h = goheap_from_fd(fd, GOHEAP_OPEN_PRECISE);
	if (!h || !check_list(h, list, LENGTH))
		_exit(3);
	if (!goheap_new(h, 0, 64) || goheap_gc(h))
		_exit(4);
	goheap_close(h);
	_exit(0);
}

static bool execute(struct goheap *h, void *arg)
{
	char text[100];
	char *argv[] = { (char *)"other", NULL };
	char *envp[] = { text, NULL };

	snprintf(text, sizeof(text), OTHER "=%d %d %lx", dup(goheap_fd(h)),
		 goheap_fd(h), (unsigned long)*(goheap_ref *)arg);
	goheap_new(h, 0, 64);
	execve("/proc/self/exe", argv, envp);
	return false;
}

void test_exec(struct goheap *h)
{
	goheap_ref list = make_list(h, node_layout(h), LENGTH);

	for (int i = 0; i < 5; i++)
		EXPECT(ends_well(start_child(execute, h, &list)));
	EXPECT(!goheap_gc(h) && check_list(h, list, LENGTH));
}

static jmp_buf out;

/* Frames in frames, out of all of which it jumps. */
static __attribute__((noinline)) void jump_out(struct goheap *h, int layout,
					       goheap_ref *last, int depth)
{
	goheap_frame frame = goheap_frame_begin(h);

	*last = goheap_new(h, layout, BIG);
	if (depth)
		jump_out(h, layout, last, depth - 1);
	else if (*last)
		longjmp(out, 1);
	goheap_frame_end(h, frame);
}

/* They end with the frame that the program has jumped to, and not before. */
void test_longjmp(struct goheap *h)
{
	static goheap_ref before, last, after;
	volatile goheap_frame frame;

	for (volatile int i = 0; i < 20; i++) {
		volatile goheap_frame outer = goheap_frame_begin(h);

		before = goheap_new(h, 0, BIG);
		frame = goheap_frame_begin(h);
		if (!setjmp(out))
			jump_out(h, 0, &last, i);
		EXPECT(!goheap_gc(h));
		EXPECT(is_object(h, before) && is_object(h, last));
		after = goheap_new(h, 0, BIG);
		goheap_frame_end(h, goheap_frame_begin(h) - 1);
		EXPECT(!goheap_gc(h) && is_object(h, last));
		EXPECT(!is_object(h, after));
		goheap_frame_end(h, outer);
		/* One that has ended with it. */
		goheap_frame_end(h, frame);
		EXPECT(!goheap_gc(h));
		EXPECT(!is_object(h, before) && !is_object(h, last));
	}
}

/* A thread's destructor that uses the heap as often as it is let. */
static pthread_key_t last_words;
static struct goheap *heap;
static __thread goheap_ref thread_list;
static int words_said;
static bool words_failed;

static void say_last_words(void *layout)
{
	goheap_ref list = make_list(heap, *(int *)layout, LENGTH);

	if (!list || !check_list(heap, list, LENGTH))
		words_failed = true;
	goheap_store(heap, &thread_list, list);
	pthread_setspecific(last_words, layout);
	words_said++;
}

static void *use_and_end(void *layout)
{
	thread_list = make_list(heap, *(int *)layout, LENGTH);
	pthread_setspecific(last_words, layout);
	return check_list(heap, thread_list, LENGTH) ? layout : NULL;
}

/* Each of them has its stack and its variables where the one before had them. */
void test_last_words(struct goheap *h)
{
	int layout = node_layout(h);
	struct goheap_stats stats;
	pthread_t thread;
	void *result;

	heap = h;
	words_failed = false;
	words_said = 0;
	EXPECT(!pthread_key_create(&last_words, say_last_words));
	for (int i = 0; i < 30; i++) {
		EXPECT(!pthread_create(&thread, NULL, use_and_end, &layout));
		EXPECT(!pthread_join(thread, &result) && result);
		if (i % 10 == 0)
			EXPECT(!goheap_gc(h));
	}
	EXPECT(!words_failed && words_said >= 2 * 30);
	pthread_key_delete(last_words);
	EXPECT(!goheap_gc(h) && !goheap_stats(h, &stats));
	EXPECT(stats.heap_objects < 20 * LENGTH && !stats.evictions);
}

static pthread_barrier_t barrier;

/* Ends without having seen that its heap is gone. */
static void *outlive_and_end(void *unused)
{
	goheap_ref ref = goheap_new(heap, 0, 16);

	(void)unused;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return ref ? &barrier : NULL;
}

void test_close_and_end(struct goheap *h)
{
	enum { N = 4 };
	pthread_t threads[N];
	void *result;

	(void)h;
	for (int round = 0; round < 10; round++) {
		heap = goheap_open(round % 2 ? GOHEAP_OPEN_PRECISE : 0);
		EXPECT(heap);
		pthread_barrier_init(&barrier, NULL, N + 1);
		for (int i = 0; i < N; i++)
			EXPECT(!pthread_create(&threads[i], NULL,
					       outlive_and_end, NULL));
		pthread_barrier_wait(&barrier);
		goheap_close(heap);
		pthread_barrier_wait(&barrier);
		for (int i = 0; i < N; i++)
			EXPECT(!pthread_join(threads[i], &result) && result);
		pthread_barrier_destroy(&barrier);
	}
}

static void *new_in_thread(void *arg)
{
	return goheap_new(arg, 0, 16) || errno != EBADF ? NULL : arg;
}

static bool new_in_child(struct goheap *h, void *unused)
{
	(void)unused;
	return !goheap_new(h, 0, BIG) && errno == ENOTCONN &&
	       goheap_attach(h) == -1 && errno == EBADF;
}

/* The program has closed all descriptors that it does not know, as daemons do. */
void test_descriptor_closed(struct goheap *h)
{
	struct goheap *mine = goheap_open(GOHEAP_OPEN_PRECISE);
	goheap_ref list;
	pthread_t thread;
	void *result;
	uint32_t id;

	(void)h;
	EXPECT(mine);
	if (!mine)
		return;
	list = make_list(mine, node_layout(mine), LENGTH);
	close(goheap_fd(mine));
	EXPECT(check_list(mine, list, LENGTH));
	EXPECT(!goheap_new(mine, 0, BIG) && errno == EBADF);
	EXPECT(goheap_gc(mine) == -1 && errno == EBADF);
	EXPECT(goheap_root_add(mine, list, &id) == -1 && errno == EBADF);
	EXPECT(goheap_local(mine, list) == list);
	EXPECT(!pthread_create(&thread, NULL, new_in_thread, mine));
	EXPECT(!pthread_join(thread, &result) && result);
	EXPECT(ends_soon(start_child(new_in_child, mine, NULL)));
	EXPECT(check_list(mine, list, LENGTH));
	goheap_close(mine);
}

/* A thread is one of a heap's once, by whichever of two it was first. */
void test_open_twice(struct goheap *h)
{
	goheap_ref list = make_list(h, node_layout(h), LENGTH);
	struct goheap *again;
	struct node *node;

	again = goheap_from_fd(dup(goheap_fd(h)), GOHEAP_OPEN_PRECISE);
	EXPECT(again);
	if (!again)
		return;
	EXPECT(check_list(again, list, LENGTH));
	EXPECT(!goheap_new(again, 0, 16) && errno == EBUSY);
	EXPECT(strstr(goheap_error(), "already"));
	node = goheap_ptr(again, list);
	goheap_store(again, &node->next, node->next);
	EXPECT(!goheap_gc(again) && check_list(h, list, LENGTH));
	EXPECT(goheap_new(h, 0, 16) && goheap_new(h, 0, BIG));
	goheap_close(again);
	EXPECT(goheap_new(h, 0, 16) && goheap_new(h, 0, BIG));
	EXPECT(!goheap_gc(h) && check_list(h, list, LENGTH));
}
