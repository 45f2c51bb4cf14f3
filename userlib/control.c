// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Asking for collections, and the parameters that start them.
 */
#include <errno.h>

#include "internal.h"

/**
 * goheap_gc() - collect and wait for it
 * @h: the heap
 *
 * All objects that could not be reached when the call began are free when it
 * returns, but for those that threads have in store for allocation.
 *
 * Return: 0, or -1 with errno EINTR if a signal handler ran meanwhile; the
 * collection then goes on. (Waiting again would be for the next one, and might
 * never end in a program with a timer.)
 */
int goheap_gc(struct goheap *h)
{
	struct goheap_collect collect = { .size = sizeof(collect) };

	if (gh_ioctl_once(h, GOHEAP_IOC_COLLECT, &collect))
		return -1;
	gh_trace(gh_heap_of(h), collect.cycles);
	return 0;
}

/**
 * goheap_free_os_memory() - collect and return all free memory to the system
 * @h: the heap
 *
 * Return: number of bytes returned, or -1 with errno EINTR if a signal handler
 * ran meanwhile.
 */
int64_t goheap_free_os_memory(struct goheap *h)
{
	struct goheap_free_os_memory arg = { .size = sizeof(arg) };

	if (gh_ioctl_once(h, GOHEAP_IOC_FREE_OS_MEMORY, &arg))
		return -1;
	if (gh_heap_of(h)->gctrace)
		gh_trace_new(gh_heap_of(h));
	return (int64_t)arg.released;
}

static int set_param(struct goheap *h, uint32_t id, uint32_t flags,
		     int64_t value, int64_t *old)
{
	struct goheap_param param = {
		.size = sizeof(param),
		.flags = flags,
		.id = id,
		.value = flags ? value : 0,
	};

	if (gh_ioctl(h, GOHEAP_IOC_PARAM, &param))
		return -1;
	*old = param.old;
	return 0;
}

/**
 * goheap_read_param() - read a parameter of the heap
 * @h: the heap
 * @id: which one, see <linux/goheap.h>
 * @value: receives its value
 *
 * Return: 0, or -1 with errno ENOENT for a parameter the kernel does not know.
 */
int goheap_read_param(struct goheap *h, enum goheap_param_id id, int64_t *value)
{
	return set_param(h, id, 0, 0, value);
}

/**
 * goheap_set_gc_percent() - how much the heap may grow between collections
 * @h: the heap
 * @percent: percent of what the last collection found live; negative turns
 *	collections by growth off
 *
 * Overrides GOGC of the environment.
 *
 * Return: the value before the call, -1 for off. -1 is also what a failure
 * returns; errno is 0 after a success.
 */
int goheap_set_gc_percent(struct goheap *h, int percent)
{
	int64_t old;

	if (set_param(h, GOHEAP_PARAM_GC_PERCENT, GOHEAP_PARAM_SET,
		      percent < 0 ? -1 : percent, &old))
		return -1;
	errno = 0;
	return (int)old;
}

/**
 * goheap_set_memory_limit() - soft limit of the heap's memory
 * @h: the heap
 * @bytes: collections keep the heap below so many bytes if they can;
 *	INT64_MAX is no limit, and a negative number changes nothing
 *
 * Overrides GOMEMLIMIT of the environment.
 *
 * Return: the limit before the call, or -1 with errno set.
 */
int64_t goheap_set_memory_limit(struct goheap *h, int64_t bytes)
{
	int64_t old;

	if (set_param(h, GOHEAP_PARAM_MEMORY_LIMIT,
		      bytes < 0 ? 0 : GOHEAP_PARAM_SET, bytes, &old))
		return -1;
	return old;
}

/**
 * goheap_set_max_heap() - hard ceiling of the heap's memory
 * @h: the heap
 * @bytes: allocation fails with ENOMEM, after a collection, rather than exceed
 *	so many bytes; 0 is no ceiling, and a negative number changes nothing
 *
 * Return: the ceiling before the call, or -1 with errno set.
 */
int64_t goheap_set_max_heap(struct goheap *h, int64_t bytes)
{
	int64_t old;

	if (set_param(h, GOHEAP_PARAM_MAX_HEAP,
		      bytes < 0 ? 0 : GOHEAP_PARAM_SET, bytes, &old))
		return -1;
	return old;
}
