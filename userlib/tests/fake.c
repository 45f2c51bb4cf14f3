// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake.h"
#include "tap.h"

#define MAX_RANGES 256

struct goheap_status fake_status;
int fake_ranges;
int fake_room;

static struct goheap_range ranges[MAX_RANGES];

/* Take the place of ioctl() in the library; see the Makefile. */
int __wrap_ioctl(int fd, unsigned long command, ...);
int __real_ioctl(int fd, unsigned long command, ...);

static int fail(int error)
{
	errno = error;
	return -1;
}

static int add(const struct goheap_range *range)
{
	for (int i = 0; i < fake_ranges; i++)
		if (ranges[i].start < range->start + range->bytes &&
		    range->start < ranges[i].start + ranges[i].bytes)
			return fail(EEXIST);
	if (!fake_room || fake_ranges == MAX_RANGES)
		return fail(ENOSPC);
	fake_room--;
	ranges[fake_ranges++] = *range;
	return 0;
}

static int drop(const struct goheap_range *range)
{
	for (int i = 0; i < fake_ranges; i++) {
		if (ranges[i].start == range->start) {
			ranges[i] = ranges[--fake_ranges];
			fake_room++;
			return 0;
		}
	}
	return fail(ENOENT);
}

int __wrap_ioctl(int fd, unsigned long command, ...)
{
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	switch (command) {
	case GOHEAP_IOC_RANGE_ADD:
		return add(arg);
	case GOHEAP_IOC_RANGE_REMOVE:
		return drop(arg);
	default:
		return __real_ioctl(fd, command, arg);
	}
}

/* Is it in a range? */
bool fake_has(uintptr_t address)
{
	for (int i = 0; i < fake_ranges; i++)
		if (ranges[i].start <= address &&
		    address < ranges[i].start + ranges[i].bytes)
			return true;
	return false;
}

/* A heap that has a thread, the caller. */
struct gh_thread *open_fake(struct gh_heap *heap, bool precise)
{
	memset(heap, 0, sizeof(*heap));
	memset(&fake_status, 0, sizeof(fake_status));
	fake_ranges = 0;
	fake_room = INT_MAX;
	heap->fd = memfd_create("goheap", MFD_CLOEXEC);
	EXPECT(!ftruncate(heap->fd, 1LL << 44));
	heap->pub.status = &fake_status;
	heap->attached = true;
	heap->precise = precise;
	heap->max_stack = 1 << 20;
	return gh_thread_get(&heap->pub);
}

void close_fake(struct gh_heap *heap)
{
	pthread_mutex_lock(&gh_lock);
	gh_threads_close(heap);
	pthread_mutex_unlock(&gh_lock);
	gh_variables_remove(heap);
	EXPECT(!fake_ranges);
	close(heap->fd);
	free(heap->variables.v);
}
