/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Control groups, as tests make them: below the root of cgroup2, wherever that
 * is mounted.
 */
#ifndef GOHEAP_TEST_CGROUP_H
#define GOHEAP_TEST_CGROUP_H

#include <mntent.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include "goheap_test.h"

struct cgroups {
	char root[128];		/* where cgroup2 is mounted */
	bool mounted;		/* by us */
	char home[384];		/* the cgroup we came from */
};

static inline bool write_text(const char *dir, const char *name,
			      const char *text)
{
	size_t len = strlen(text);
	char path[512];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = write(fd, text, len) == (ssize_t)len;
	close(fd);
	return ok;
}

static inline bool read_text(const char *dir, const char *name, char *buf,
			     size_t len)
{
	char path[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, len - 1);
	close(fd);
	if (n < 0)
		return false;
	buf[n] = '\0';
	return true;
}

static inline __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/* Move the calling process. */
static inline bool enter(const char *dir)
{
	return write_text(dir, "cgroup.procs", "0");
}

/* Is a word in a file of words? */
static inline bool has_word(const char *dir, const char *name,
			    const char *word)
{
	char buf[512], *w, *save;

	if (!read_text(dir, name, buf, sizeof(buf)))
		return false;
	for (w = strtok_r(buf, "\n ", &save); w;
	     w = strtok_r(NULL, "\n ", &save))
		if (!strcmp(w, word))
			return true;
	return false;
}

static inline bool find_mount(char *root, size_t len)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent *m = NULL;

	if (!mounts)
		return false;
	while ((m = getmntent(mounts)))
		if (!strcmp(m->mnt_type, "cgroup2"))
			break;
	if (m)
		snprintf(root, len, "%s", m->mnt_dir);
	endmntent(mounts);
	return m;
}

/* Returns what is missing, or NULL. */
static inline const char *cgroups_find(struct cgroups *c)
{
	char buf[512], *path;

	if (!find_mount(c->root, sizeof(c->root))) {
		snprintf(c->root, sizeof(c->root), "/tmp/goheap-cgroup-XXXXXX");
		if (!mkdtemp(c->root))
			return "no folder for a mount";
		c->mounted = !mount("cgroup2", c->root, "cgroup2", 0, NULL);
		if (!c->mounted) {
			rmdir(c->root);
			return "cgroup2 cannot be mounted";
		}
	}
	if (!read_text("/proc/self", "cgroup", buf, sizeof(buf)))
		return "the process has no cgroup";
	path = strstr(buf, "0::");
	if (!path)
		return "the process has no cgroup";
	path += 3;
	path[strcspn(path, "\n")] = '\0';
	snprintf(c->home, sizeof(c->home), "%s%.250s", c->root, path);
	return NULL;
}

static inline void cgroups_leave(struct cgroups *c)
{
	if (!c->mounted)
		return;
	umount(c->root);
	rmdir(c->root);
}

/* Give cgroups a controller; false if they had it, or cannot have it. */
static inline bool cgroups_enable(struct cgroups *c, const char *controller)
{
	char text[32];

	snprintf(text, sizeof(text), "+%s", controller);
	return !has_word(c->root, "cgroup.subtree_control", controller) &&
	       write_text(c->root, "cgroup.subtree_control", text);
}

static inline void cgroups_disable(struct cgroups *c, const char *controller)
{
	char text[32];

	snprintf(text, sizeof(text), "-%s", controller);
	write_text(c->root, "cgroup.subtree_control", text);
}

#endif /* GOHEAP_TEST_CGROUP_H */
