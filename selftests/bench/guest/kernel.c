// SPDX-License-Identifier: GPL-2.0
/*
 * What the workloads ask of the device (host.h) where it is the kernel's.
 *
 * Commands are counted on their way into the kernel: the linker is told --wrap,
 * and so the library, which is the one that programs use, calls the function
 * below instead of ioctl().
 *
 * The collector is a kernel thread, and no CPU time of the program's. Its name
 * has the heap's number, and a clock of its CPU time can be had as for any
 * process; it is exact when the thread sleeps, and lags by no more than a tick
 * when it runs.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libgoheap.h>

#include "host.h"

__thread struct host_counts host_counts;
const int host_in_process;

void host_set_markers(int nr)
{
}

int __real_ioctl(int fd, unsigned long command, void *arg);
int __wrap_ioctl(int fd, unsigned long command, void *arg);

int __wrap_ioctl(int fd, unsigned long command, void *arg)
{
	host_counts.entries++;
	return __real_ioctl(fd, command, arg);
}

static int has_name(const char *pid, const char *wanted)
{
	char path[300], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%31s", name) != 1)
		name[0] = '\0';
	fclose(file);
	return !strcmp(name, wanted);
}

static pid_t find_process(const char *name)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t pid = 0;

	while (proc && !pid && (entry = readdir(proc)))
		if (has_name(entry->d_name, name))
			pid = atoi(entry->d_name);
	if (proc)
		closedir(proc);
	return pid;
}

/* Figures without the collector would be wrong: better none. */
clockid_t host_collector(struct goheap *h)
{
	struct goheap_info info;
	clockid_t clock;
	char name[32];
	pid_t pid;

	if (goheap_info(h, &info)) {
		perror("goheap_info");
		exit(1);
	}
	snprintf(name, sizeof(name), "goheap-gc/%u", info.heap_id);
	pid = find_process(name);
	if (!pid || clock_getcpuclockid(pid, &clock)) {
		fprintf(stderr, "%s has no clock\n", name);
		exit(1);
	}
	return clock;
}
