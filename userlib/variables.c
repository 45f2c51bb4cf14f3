// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Static variables as roots: the writable segments of the program and of each
 * library it has loaded, and every thread's thread-local variables.
 *
 * The dynamic linker counts what it loads and unloads, so that most calls find
 * with one look that nothing has changed. The library looks when a heap is
 * opened, when a thread first uses one, and whenever it asks for slots; a
 * program that has loaded a library and stored references in its variables
 * before any of that can call goheap_update_variables().
 *
 * Thread-local variables of a library that is loaded later come into being when
 * a thread first uses them, which nobody counts; after that the thread has to
 * call goheap_update_variables().
 *
 * What is loaded may take the place of what was unloaded, in part, too. Ranges
 * do not overlap, so those that have gone are removed before any is added.
 *
 * Ranges of the program's own do not overlap these. What is loaded is registered
 * before one of them is, so that it is the program that is told. One that comes
 * first all the same, such as that of memory that was unmapped since, is an error
 * of whoever asks for memory: the rest of the variables would not be looked at.
 *
 * Ranges belong to the process's attachment to the heap, so a child registers its
 * own, and a heap that is open twice has those of the first time in the way.
 *
 * The dynamic linker has a lock, which the C library does not make anew in a child:
 * if a thread was looking when another one called fork(), whoever looks in the child
 * waits for ever. So no thread of the library's looks during a fork(), and a child
 * takes over what its parent had found, which is as true there. Others may look.
 */

#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include <sys/ioctl.h>

#include "internal.h"

/**
 * struct gh_range - a registered range
 * @start: its first address
 * @end: behind the last one
 * @found: it is still there
 */
struct gh_range {
	uintptr_t start;
	uintptr_t end;
	bool found;
};

/**
 * struct look - a walk over all that is loaded
 * @heap: the heap
 * @ranges: what has been registered, and is to be what there is
 * @others: other ranges of the library, or NULL: what is in one is left out
 * @add: it is a second walk, for what is new; the first is for what is still there
 * @error: errno of what could not be registered
 */
struct look {
	struct gh_heap *heap;
	struct gh_ranges *ranges;
	const struct gh_ranges *others;
	bool add;
	int error;
};

/* One thread at a time looks; under gh_lock or without it. Held across fork(). */
static pthread_mutex_t walk_lock = PTHREAD_MUTEX_INITIALIZER;

static void walk_all(int (*note)(struct dl_phdr_info *, size_t, void *),
		     void *arg)
{
	pthread_mutex_lock(&walk_lock);
	dl_iterate_phdr(note, arg);
	pthread_mutex_unlock(&walk_lock);
}

/* Let nobody look. Called under gh_lock. */
void gh_variables_fork(void)
{
	pthread_mutex_lock(&walk_lock);
}

/* And again, in the parent. */
void gh_variables_forked(void)
{
	pthread_mutex_unlock(&walk_lock);
}

/* In the child. */
void gh_variables_child(void)
{
	pthread_mutex_init(&walk_lock, NULL);
}

static int change(struct gh_heap *heap, unsigned long command, uintptr_t start,
		  size_t bytes)
{
	struct goheap_range range = {
		.size = sizeof(range),
		.start = start,
		.bytes = bytes,
	};

	return ioctl(heap->fd, command, &range);
}

static struct gh_range *find_range(struct gh_ranges *ranges, uintptr_t start,
				   uintptr_t end)
{
	for (unsigned int i = 0; i < ranges->nr; i++)
		if (ranges->v[i].start == start && ranges->v[i].end == end)
			return &ranges->v[i];
	return NULL;
}

static bool in_others(const struct look *look, uintptr_t start, uintptr_t end)
{
	const struct gh_ranges *others = look->others;

	for (unsigned int i = 0; others && i < others->nr; i++)
		if (others->v[i].start <= start && end <= others->v[i].end)
			return true;
	return false;
}

static int add_range(struct look *look, uintptr_t start, uintptr_t end)
{
	struct gh_ranges *ranges = look->ranges;
	struct gh_range *v;

	v = realloc(ranges->v, (ranges->nr + 1) * sizeof(*v));
	if (!v)
		return -1;
	ranges->v = v;
	if (change(look->heap, GOHEAP_IOC_RANGE_ADD, start, end - start))
		return -1;
	v[ranges->nr++] = (struct gh_range){ start, end, true };
	return 0;
}

/* Aligned words of variables. */
static void note(struct look *look, uintptr_t start, size_t bytes)
{
	uintptr_t from = (start + 7) & ~(uintptr_t)7;
	uintptr_t to = (start + bytes) & ~(uintptr_t)7;
	struct gh_range *r;

	if (from >= to || in_others(look, from, to))
		return;
	r = find_range(look->ranges, from, to);
	if (r)
		r->found = true;
	else if (look->add && add_range(look, from, to))
		look->error = errno;
}

static int note_segments(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && p->p_flags & PF_W)
			note(arg, info->dlpi_addr + p->p_vaddr, p->p_memsz);
	}
	return 0;
}

static int note_tls(struct dl_phdr_info *info, size_t size, void *arg)
{
	if (size < offsetof(struct dl_phdr_info, dlpi_tls_data) +
			    sizeof(info->dlpi_tls_data) ||
	    !info->dlpi_tls_data)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_TLS)
			note(arg, (uintptr_t)info->dlpi_tls_data,
			     info->dlpi_phdr[i].p_memsz);
	return 0;
}

static void remove_lost(struct gh_heap *heap, struct gh_ranges *ranges)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < ranges->nr; i++) {
		struct gh_range *r = &ranges->v[i];

		if (r->found)
			ranges->v[kept++] = *r;
		else
			change(heap, GOHEAP_IOC_RANGE_REMOVE, r->start, 0);
	}
	ranges->nr = kept;
}

/* Make ranges what is there now. Returns 0 or -1. */
static int update(struct gh_heap *heap, struct gh_ranges *ranges,
		  const struct gh_ranges *others,
		  int (*walk)(struct dl_phdr_info *, size_t, void *))
{
	struct look look = {
		.heap = heap,
		.ranges = ranges,
		.others = others,
	};

	for (unsigned int i = 0; i < ranges->nr; i++)
		ranges->v[i].found = false;
	walk_all(walk, &look);
	remove_lost(heap, ranges);
	look.add = true;
	walk_all(walk, &look);
	if (look.error)
		return gh_error(
			look.error, "cannot register variables: %s",
			look.error == EEXIST
				? "a range of the program's is in the way"
				: strerror(look.error));
	return 0;
}

/* What the dynamic linker has loaded and unloaded so far. */
static int count(struct dl_phdr_info *info, size_t size, void *arg)
{
	uint64_t *changes = arg;

	*changes = 1;
	if (size >=
	    offsetof(struct dl_phdr_info, dlpi_subs) + sizeof(info->dlpi_subs))
		*changes += info->dlpi_adds + info->dlpi_subs;
	return 1;
}

/* Register what has been loaded since the last call. Called under gh_lock. */
int gh_variables_update(struct gh_heap *heap)
{
	uint64_t changes = 0;

	if (heap->precise || !heap->attached)
		return 0;
	walk_all(count, &changes);
	if (changes == heap->static_changes)
		return 0;
	if (update(heap, &heap->variables, NULL, note_segments))
		return -1;
	heap->static_changes = changes;
	return 0;
}

/* Has anything been loaded or unloaded? */
bool gh_variables_changed(const struct gh_heap *heap)
{
	uint64_t changes = 0;

	if (heap->precise)
		return false;
	walk_all(count, &changes);
	return changes != heap->static_changes;
}

/*
 * In a child, whose attachment is new: the same again. What cannot be registered is
 * looked for when the child first asks for memory. Called under gh_lock.
 */
void gh_variables_again(struct gh_heap *heap)
{
	struct gh_ranges *ranges = &heap->variables;

	for (unsigned int i = 0; i < ranges->nr; i++) {
		struct gh_range *r = &ranges->v[i];

		if (!heap->attached || change(heap, GOHEAP_IOC_RANGE_ADD,
					      r->start, r->end - r->start)) {
			ranges->nr = i;
			heap->static_changes = 0;
		}
	}
}

/*
 * Register the thread-local variables that the calling thread has now. Those of the
 * first thread are static variables in some C libraries.
 */
int gh_variables_update_thread(struct gh_thread *t)
{
	struct gh_heap *heap = gh_heap_of(t->pub.heap);
	int ret;

	pthread_mutex_lock(&gh_lock);
	ret = update(heap, &t->tls, &heap->variables, note_tls);
	pthread_mutex_unlock(&gh_lock);
	return ret;
}

static void remove_all(struct gh_heap *heap, struct gh_ranges *ranges)
{
	for (unsigned int i = 0; i < ranges->nr; i++)
		ranges->v[i].found = false;
	remove_lost(heap, ranges);
}

/* Forget them; t->pub.heap is still set. */
void gh_variables_remove_thread(struct gh_thread *t)
{
	remove_all(gh_heap_of(t->pub.heap), &t->tls);
}

/* The heap is closing; the process may stay attached to it by another mapping. */
void gh_variables_remove(struct gh_heap *heap)
{
	remove_all(heap, &heap->variables);
}

/**
 * goheap_update_variables() - look for variables of newly loaded libraries
 * @h: the heap
 *
 * Needed only where references are stored in variables of a library before the
 * thread that has loaded it asks for memory; and in each thread that stores them
 * in thread-local variables of a library that was loaded after the thread's first
 * use of the heap, once it has used one of these.
 *
 * Return: 0, or -1 with errno ENOMEM, ENOSPC (there is no room for more ranges) or
 * EEXIST (a range of the program's is in the way).
 */
int goheap_update_variables(struct goheap *h)
{
	struct gh_thread *t = gh_thread_find(h);
	int ret;

	pthread_mutex_lock(&gh_lock);
	ret = gh_variables_update(gh_heap_of(h));
	pthread_mutex_unlock(&gh_lock);
	if (!ret && t && !t->pub.precise)
		ret = gh_variables_update_thread(t);
	return ret;
}

/* A range of the program's own, after those of what is loaded by now. */
static int add_own(struct goheap *h, uint32_t kind, const void *start,
		   size_t bytes)
{
	struct gh_heap *heap = gh_heap_of(h);
	struct goheap_range range = {
		.size = sizeof(range),
		.kind = kind,
		.start = (uintptr_t)start,
		.bytes = bytes,
	};

	if (gh_variables_changed(heap) && goheap_update_variables(h))
		return -1;
	return gh_ioctl(h, GOHEAP_IOC_RANGE_ADD, &range);
}

/**
 * goheap_range_add() - more memory that holds references
 * @h: the heap
 * @start: its first byte, a multiple of 8
 * @bytes: its length, a multiple of 8
 *
 * For memory of the program's own, such as a block of malloc(), that has
 * references or pointers into the heap in aligned words. References in it are
 * stored with goheap_store(). Until goheap_range_remove() or the process's end.
 *
 * Return: 0, or -1 with errno EINVAL, EEXIST (overlaps another range, or variables,
 * which are looked at anyway), ENOSPC, ENOMEM, ENOTCONN.
 */
int goheap_range_add(struct goheap *h, const void *start, size_t bytes)
{
	return add_own(h, GOHEAP_RANGE_STATIC, start, bytes);
}

/**
 * goheap_stack_add() - a stack that the program switches to by itself
 * @h: the heap
 * @start: its lowest address, a multiple of 8
 * @bytes: its length, a multiple of 8
 *
 * For coroutines made with makecontext() and the like. Each change from or to
 * such a stack goes through goheap_stack_call(). Until goheap_range_remove(),
 * before the stack is freed.
 *
 * Return: as goheap_range_add().
 */
int goheap_stack_add(struct goheap *h, const void *start, size_t bytes)
{
	return add_own(h, GOHEAP_RANGE_STACK, start, bytes);
}

/**
 * goheap_range_remove() - undo goheap_range_add() or goheap_stack_add()
 * @h: the heap
 * @start: as it was given
 *
 * Return: 0, or -1 with errno ENOENT or ENOTCONN.
 */
int goheap_range_remove(struct goheap *h, const void *start)
{
	struct goheap_range range = {
		.size = sizeof(range),
		.start = (uintptr_t)start,
	};

	return gh_ioctl(h, GOHEAP_IOC_RANGE_REMOVE, &range);
}
