// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a thread has of each heap: control pages, which make it a mutator, and
 * a handle stack for its frames, the locals, if it needs one; mapped when the
 * thread first needs them and unmapped when it ends.
 *
 * goheap_self is the state that the thread used last. It never is NULL: a
 * thread that has used no heap has a state whose heap is NULL, and so has one
 * whose heap was closed by another thread, which must not free what the owner
 * may be looking at.
 *
 * Destructors of the program's may use a heap after the library's has run, which is
 * then run again; but not for ever, and what the last of them leave behind is in the
 * way of a thread that is given the same place for its variables. So a state that is
 * made late knows its thread, and who makes one ends those whose thread is gone.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

/* The handle stack of a thread that has none: empty, and full. */
static const struct goheap_stack no_locals;

#define NO_LOCALS ((struct goheap_stack *)&no_locals)

/* Constant, so that its table is no variable for collections to look at. */
static const struct gh_thread no_thread = { .pub.locals = NO_LOCALS };

#define NO_THREAD ((struct goheap_thread *)&no_thread.pub)

__thread struct goheap_thread *goheap_self = NO_THREAD;

/* All states of the calling thread. */
static __thread struct gh_thread *states;

/* It is about to end. */
static __thread bool ending;

static pthread_key_t exit_key;
static bool have_exit_key;

/* Take a state off its heap's list; under gh_lock. */
static void unlink_from_heap(struct gh_thread *t)
{
	*t->heap_prev = t->heap_next;
	if (t->heap_next)
		t->heap_next->heap_prev = t->heap_prev;
	t->pub.heap = NULL;
	t->pub.plain = NULL;
}

static void link_to_heap(struct gh_thread *t, struct gh_heap *heap)
{
	t->heap_prev = &heap->threads;
	t->heap_next = heap->threads;
	if (t->heap_next)
		t->heap_next->heap_prev = &t->heap_next;
	heap->threads = t;
}

static void free_state(struct gh_thread *t)
{
	free(t->tls.v);
	free(t);
}

static void unmap_all(struct gh_thread *t)
{
	gh_variables_remove_thread(t);
	if (t->pub.nr_locals)
		munmap(t->pub.locals, t->locals_bytes);
	if (t->pub.page)
		munmap(t->pub.page, GH_MUTATOR_BYTES);
	t->pub.locals = NO_LOCALS;
	t->pub.nr_locals = 0;
	t->pub.page = NULL;
}

/* Unless its heap is closed, end what the thread has of it. */
static void retire(struct gh_thread *t)
{
	pthread_mutex_lock(&gh_lock);
	if (t->pub.heap) {
		unmap_all(t);
		unlink_from_heap(t);
	}
	pthread_mutex_unlock(&gh_lock);
	free_state(t);
}

static void thread_exit(void *unused)
{
	struct gh_thread *t;

	(void)unused;
	ending = true;
	goheap_self = NO_THREAD;
	while ((t = states)) {
		states = t->next;
		retire(t);
	}
}

static void make_exit_key(void)
{
	have_exit_key = !pthread_key_create(&exit_key, thread_exit);
}

static int register_exit(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_exit_key);
	if (!have_exit_key)
		return gh_error(EAGAIN, "no key for the ends of threads");
	return pthread_setspecific(exit_key, &no_thread) ? gh_no_memory() : 0;
}

static struct goheap_stack *map_stack(struct gh_heap *heap, size_t bytes)
{
	void *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_NORESERVE, heap->fd,
			   (off_t)GOHEAP_MMAP_STACK);

	if (stack == MAP_FAILED) {
		gh_error(errno, "cannot map a handle stack of %zu bytes: %s",
			 bytes, strerror(errno));
		return NULL;
	}
	madvise(stack, bytes, MADV_DONTFORK);
	return stack;
}

/* Make sure that the thread has a handle stack; false with errno set. */
bool gh_thread_locals(struct gh_thread *t)
{
	struct gh_heap *heap = gh_heap_of(t->pub.heap);
	size_t bytes = __atomic_load_n(&heap->max_stack, __ATOMIC_RELAXED);

	struct goheap_stack *locals;

	if (t->pub.nr_locals)
		return true;
	locals = map_stack(heap, bytes);
	if (!locals)
		return false;
	t->pub.locals = locals;
	t->locals_bytes = bytes;
	t->pub.nr_locals =
		(bytes - sizeof(*t->pub.locals)) / sizeof(goheap_ref);
	return true;
}

static int map_control(struct gh_thread *t, struct gh_heap *heap)
{
	off_t offset = (off_t)(heap->precise ? GOHEAP_MMAP_MUTATOR_PRECISE
					     : GOHEAP_MMAP_MUTATOR);
	void *page = mmap(NULL, GH_MUTATOR_BYTES, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_NORESERVE, heap->fd, offset);

	if (page == MAP_FAILED)
		return gh_error(errno, "cannot map control pages: %s",
				errno == EBUSY ? "the thread has them already"
					       : strerror(errno));
	t->pub.page = page;
	t->slots = (struct goheap_slots *)((char *)page + GOHEAP_CONTROL_BYTES);
	gh_caches_void(t, t->pub.page->generation);
	return 0;
}

/* What the thread needs before it can be used. */
static int set_up(struct gh_thread *t, struct gh_heap *heap)
{
	if (register_exit() || map_control(t, heap))
		return -1;
	t->pub.precise = heap->precise;
	if (heap->precise)
		return gh_thread_locals(t) ? 0 : -1;
	return gh_variables_update_thread(t);
}

/* Make it one of the heap's, once all that is loaded by now is looked at. */
static int join_heap(struct gh_thread *t, struct gh_heap *heap)
{
	int ret;

	pthread_mutex_lock(&gh_lock);
	ret = gh_variables_update(heap);
	if (!ret)
		link_to_heap(t, heap);
	pthread_mutex_unlock(&gh_lock);
	return ret;
}

static bool is_gone(const struct gh_thread *t)
{
	return t->late && (pthread_equal(t->owner, pthread_self()) ||
			   syscall(SYS_tgkill, getpid(), t->late, 0));
}

/* End what threads have left behind; the caller has nothing of the heap yet. */
static void end_left_behind(struct gh_heap *heap)
{
	struct gh_thread *t, *next;
	int saved = errno;

	pthread_mutex_lock(&gh_lock);
	for (t = heap->threads; t; t = next) {
		next = t->heap_next;
		if (is_gone(t)) {
			unmap_all(t);
			unlink_from_heap(t);
			free_state(t);
		}
	}
	pthread_mutex_unlock(&gh_lock);
	errno = saved;
}

static struct gh_thread *new_state(struct gh_heap *heap)
{
	struct gh_thread *t = calloc(1, sizeof(*t));
	int error;

	if (!t) {
		gh_no_memory();
		return NULL;
	}
	end_left_behind(heap);
	if (ending) {
		t->late = (pid_t)syscall(SYS_gettid);
		t->owner = pthread_self();
	}
	t->pub.heap = &heap->pub;
	t->pub.plain = heap->precise ? NULL : &heap->pub;
	t->pub.locals = NO_LOCALS;
	gh_caches_init(t);
	if (set_up(t, heap) || join_heap(t, heap)) {
		error = errno;
		unmap_all(t);
		free_state(t);
		errno = error;
		return NULL;
	}
	t->next = states;
	states = t;
	return t;
}

/* Free what the thread has of heaps that were closed. */
static void sweep_states(void)
{
	struct gh_thread **link = &states;
	struct gh_thread *t;

	while ((t = *link)) {
		if (t->pub.heap) {
			link = &t->next;
			continue;
		}
		if (goheap_self == &t->pub)
			goheap_self = NO_THREAD;
		*link = t->next;
		free_state(t);
	}
}

/* The calling thread's state for a heap, which goheap_self is then; or NULL. */
struct gh_thread *gh_thread_find(struct goheap *h)
{
	struct gh_thread *t;

	for (t = states; t; t = t->next) {
		if (t->pub.heap == h) {
			goheap_self = &t->pub;
			return t;
		}
	}
	return NULL;
}

/* The same, made if there is none; NULL with errno set if it cannot be made. */
struct gh_thread *gh_thread_get(struct goheap *h)
{
	struct gh_heap *heap = gh_heap_of(h);
	struct gh_thread *t = gh_thread_find(h);

	if (t)
		return t;
	sweep_states();
	if (heap->reader) {
		gh_read_only();
		return NULL;
	}
	if (!heap->attached) {
		gh_error(ENOTCONN, "the heap is not mapped in this process");
		return NULL;
	}
	t = new_state(heap);
	if (t)
		goheap_self = &t->pub;
	return t;
}

/* The heap is closing: drop all mappings. Called under gh_lock. */
void gh_threads_close(struct gh_heap *heap)
{
	while (heap->threads) {
		unmap_all(heap->threads);
		unlink_from_heap(heap->threads);
	}
}

/*
 * In a child: only the calling thread exists, and none of its mappings. Called
 * under gh_lock.
 */
void gh_threads_after_fork(struct gh_heap *heaps)
{
	struct gh_heap *heap;
	struct gh_thread *t;

	goheap_self = NO_THREAD;
	while ((t = states)) {
		states = t->next;
		if (t->pub.heap)
			unlink_from_heap(t);
		free_state(t);
	}
	for (heap = heaps; heap; heap = heap->next) {
		while ((t = heap->threads)) {
			unlink_from_heap(t);
			free_state(t);
		}
	}
}
