/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's threads that serve heaps, as a test finds them: by name.
 */
#ifndef GOHEAP_TEST_KTHREAD_H
#define GOHEAP_TEST_KTHREAD_H

#include <dirent.h>

#include "goheap_test.h"

/* Threads whose names begin with @prefix; how many, at most @max. */
static inline int kthreads(const char *prefix, pid_t *pids, int max)
{
	struct dirent *entry;
	int nr = 0;
	DIR *proc;

	proc = opendir("/proc");
	while (proc && nr < max && (entry = readdir(proc))) {
		char path[300], name[64] = "";
		FILE *f;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f) &&
		    !strncmp(name, prefix, strlen(prefix)))
			pids[nr++] = atoi(entry->d_name);
		fclose(f);
	}
	if (proc)
		closedir(proc);
	return nr;
}

/* The collector of a heap, or 0. */
static inline pid_t collector_of(const struct heap *h)
{
	char name[32];
	pid_t pid;

	/* With the newline, so that 1 is not 12. */
	snprintf(name, sizeof(name), "goheap-gc/%u\n", h->info.heap_id);
	return kthreads(name, &pid, 1) == 1 ? pid : 0;
}

#endif /* GOHEAP_TEST_KTHREAD_H */
