/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host device: what the library calls instead of the system, and what a
 * benchmark can ask about it. See device.c.
 */
#ifndef GH_HOST_H
#define GH_HOST_H

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

int host_open(const char *path, int flags, ...);
int host_close(int fd);
int host_ioctl(int fd, unsigned long command, ...);
void *host_mmap(void *addr, size_t length, int prot, int flags, int fd,
		off_t offset);
int host_munmap(void *addr, size_t length);
int host_madvise(void *addr, size_t length, int advice);

struct goheap;

/* Whether the device is a part of the process; else it is the kernel's. */
extern const int host_in_process;

/**
 * host_collector() - the thread that collects for the heap
 * @h: heap
 *
 * Return: the clock of its CPU time, or 0 if collections run in threads of the
 * process.
 */
clockid_t host_collector(struct goheap *h);

/**
 * host_set_markers() - how many threads may mark at once
 * @nr: from 1; the device of a kernel decides itself
 */
void host_set_markers(int nr);

/**
 * struct host_counts - what the calling thread has done since it began
 * @entries: commands, each with a system call
 * @refills: of them REFILL
 * @refill_ns: CPU time in them without the system call, if @timed
 * @granted: slots granted while @timed
 * @timed: set by the benchmark: measure @refill_ns, which costs time itself
 */
struct host_counts {
	unsigned long entries;
	unsigned long refills;
	unsigned long refill_ns;
	unsigned long granted;
	int timed;
};

extern __thread struct host_counts host_counts;

#endif /* GH_HOST_H */
