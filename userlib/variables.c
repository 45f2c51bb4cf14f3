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
 * Ranges belong to the heap's attachment, so a child registers its own.
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

struct look {
	struct gh_heap *heap;
	int error;
};

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

static struct gh_range *find_range(struct gh_heap *heap, uintptr_t start)
{
	for (unsigned int i = 0; i < heap->nr_variables; i++)
		if (heap->variables[i].start == start)
			return &heap->variables[i];
	return NULL;
}

static int add_range(struct gh_heap *heap, uintptr_t start, uintptr_t end)
{
	struct gh_range *r;

	r = realloc(heap->variables, (heap->nr_variables + 1) * sizeof(*r));
	if (!r)
		return -1;
	heap->variables = r;
	if (change(heap, GOHEAP_IOC_RANGE_ADD, start, end - start) &&
	    errno != EEXIST)
		return -1;
	r[heap->nr_variables++] = (struct gh_range){ start, end, true };
	return 0;
}

/* Aligned words of a segment. */
static void words_of(uintptr_t start, size_t bytes, uintptr_t *from,
		     uintptr_t *to)
{
	*from = (start + 7) & ~(uintptr_t)7;
	*to = (start + bytes) & ~(uintptr_t)7;
}

static int look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct look *look = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		struct gh_range *r;
		uintptr_t from, to;

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_W))
			continue;
		words_of(info->dlpi_addr + p->p_vaddr, p->p_memsz, &from, &to);
		if (from >= to)
			continue;
		r = find_range(look->heap, from);
		if (r && r->end == to)
			r->found = true;
		else if (add_range(look->heap, from, to))
			look->error = errno;
	}
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

static void remove_lost(struct gh_heap *heap)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < heap->nr_variables; i++) {
		struct gh_range *r = &heap->variables[i];

		if (r->found)
			heap->variables[kept++] = *r;
		else
			change(heap, GOHEAP_IOC_RANGE_REMOVE, r->start, 0);
	}
	heap->nr_variables = kept;
}

/* Register what has been loaded since the last call. Called under gh_lock. */
int gh_variables_update(struct gh_heap *heap)
{
	struct look look = { heap, 0 };
	uint64_t changes = 0;

	if (heap->precise || !heap->attached)
		return 0;
	dl_iterate_phdr(count, &changes);
	if (changes == heap->static_changes)
		return 0;
	for (unsigned int i = 0; i < heap->nr_variables; i++)
		heap->variables[i].found = false;
	dl_iterate_phdr(look_at, &look);
	remove_lost(heap);
	if (look.error)
		return gh_error(look.error, "cannot register variables: %s",
				strerror(look.error));
	heap->static_changes = changes;
	return 0;
}

/* Has anything been loaded or unloaded? */
bool gh_variables_changed(const struct gh_heap *heap)
{
	uint64_t changes = 0;

	if (heap->precise)
		return false;
	dl_iterate_phdr(count, &changes);
	return changes != heap->static_changes;
}

/* In a child, whose attachment is new. Called under gh_lock. */
void gh_variables_forget(struct gh_heap *heap)
{
	heap->nr_variables = 0;
	heap->static_changes = 0;
}

static int add_tls(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct gh_thread *t = arg;
	uintptr_t from, to;
	size_t bytes = 0;

	if (size < offsetof(struct dl_phdr_info, dlpi_tls_data) +
			    sizeof(info->dlpi_tls_data) ||
	    !info->dlpi_tls_data)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_TLS)
			bytes = info->dlpi_phdr[i].p_memsz;
	words_of((uintptr_t)info->dlpi_tls_data, bytes, &from, &to);
	if (from < to && t->nr_tls < GH_MAX_TLS &&
	    !change(gh_heap_of(t->pub.heap), GOHEAP_IOC_RANGE_ADD, from,
		    to - from))
		t->tls[t->nr_tls++] = from;
	return 0;
}

/* Thread-local variables that the calling thread has at this moment. */
void gh_variables_add_thread(struct gh_thread *t)
{
	dl_iterate_phdr(add_tls, t);
}

/* Forget them; t->pub.heap is still set. */
void gh_variables_remove_thread(struct gh_thread *t)
{
	while (t->nr_tls)
		change(gh_heap_of(t->pub.heap), GOHEAP_IOC_RANGE_REMOVE,
		       t->tls[--t->nr_tls], 0);
}

/**
 * goheap_update_variables() - look for variables of newly loaded libraries
 * @h: the heap
 *
 * Needed only where references are stored in variables of a library before the
 * thread that has loaded it asks for memory.
 *
 * Return: 0, or -1 with errno ENOMEM or ENOSPC.
 */
int goheap_update_variables(struct goheap *h)
{
	int ret;

	pthread_mutex_lock(&gh_lock);
	ret = gh_variables_update(gh_heap_of(h));
	pthread_mutex_unlock(&gh_lock);
	return ret;
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
 * Return: 0, or -1 with errno EINVAL, EEXIST (overlaps another range), ENOSPC,
 * ENOMEM, ENOTCONN.
 */
int goheap_range_add(struct goheap *h, const void *start, size_t bytes)
{
	struct goheap_range range = {
		.size = sizeof(range),
		.kind = GOHEAP_RANGE_STATIC,
		.start = (uintptr_t)start,
		.bytes = bytes,
	};

	return gh_ioctl(h, GOHEAP_IOC_RANGE_ADD, &range);
}

/**
 * goheap_stack_add() - a stack that the program switches to by itself
 * @h: the heap
 * @start: its lowest address, a multiple of 8
 * @bytes: its length, a multiple of 8
 *
 * For coroutines made with makecontext() and the like. Each switch from or to
 * such a stack is announced by goheap_stack_switch(). Until
 * goheap_range_remove(), before the stack is freed.
 *
 * Return: as goheap_range_add().
 */
int goheap_stack_add(struct goheap *h, const void *start, size_t bytes)
{
	struct goheap_range range = {
		.size = sizeof(range),
		.kind = GOHEAP_RANGE_STACK,
		.start = (uintptr_t)start,
		.bytes = bytes,
	};

	return gh_ioctl(h, GOHEAP_IOC_RANGE_ADD, &range);
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
