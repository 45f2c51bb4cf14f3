// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The library without memory: each allocation and each mapping that it makes fails
 * in turn. Then a call fails, says why, and leaves nothing behind; and the next one
 * finds all as it was.
 *
 * The linker has the library's calls come here (--wrap, see the Makefile).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"

/* How many calls of this thread succeed before one fails; -1: none fails. */
static __thread int room = -1;

/* From then on all of them do. */
static __thread bool for_good;

static bool refuse(void)
{
	if (room < 0)
		return false;
	if (room) {
		room--;
		return false;
	}
	if (!for_good)
		room = -1;
	errno = ENOMEM;
	return true;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__real_mmap(void *p, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t off);

void *__wrap_calloc(size_t n, size_t size)
{
	return refuse() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return refuse() ? NULL : __real_realloc(p, size);
}

void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t off)
{
	return refuse() ? MAP_FAILED : __real_mmap(p, n, prot, flags, fd, off);
}

/* What mmap() is where offsets have 64 bits. */
void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t off)
{
	return __wrap_mmap(p, n, prot, flags, fd, off);
}

/* What the process has of heaps: mappings and descriptors. */
static int possessions(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[256];
	int n = 0;

	if (!maps)
		return -1;
	while (fgets(line, sizeof(line), maps))
		n += !!strstr(line, "goheap");
	fclose(maps);
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Something of all that needs memory; false with errno set. */
static bool use_all(unsigned int flags)
{
	struct goheap *h = goheap_open(flags | GOHEAP_OPEN_NOENV);
	struct goheap_hstack *s = NULL;
	goheap_frame frame;
	bool good = false;
	int error = 0;

	if (!h)
		return false;
	frame = goheap_frame_begin(h);
	if (node_layout(h) > 0 && goheap_new(h, 0, 16) && goheap_var(h, 0) &&
	    (s = goheap_hstack_new(h)))
		good = true;
	for (uint64_t i = 0; good && i < 2000; i++)
		good = !goheap_hstack_push(s, i);
	if (good)
		good = !goheap_update_variables(h) && !goheap_gc(h);
	error = errno;
	goheap_frame_end(h, frame);
	goheap_close(h);
	goheap_hstack_free(s);
	errno = error;
	return good;
}

static void fail_in_turn(unsigned int flags)
{
	int before, n;

	EXPECT(use_all(flags));
	before = possessions();
	for (n = 0; n < 100; n++) {
		bool good, spent;

		/* What was said before is not said again. */
		goheap_new_array(NULL, 0, SIZE_MAX, 2);
		room = n;
		good = use_all(flags);
		spent = room < 0;
		room = -1;
		if (!spent) {
			EXPECT(good);
			break;
		}
		/* Some is for convenience only. */
		if (!good)
			EXPECT(errno == ENOMEM &&
			       !strstr(goheap_error(), "array of"));
		EXPECT(possessions() == before);
		EXPECT(use_all(flags));
	}
	printf("# %d allocations\n", n);
	EXPECT(n > 5 && n < 100);
}

void test_no_memory(struct goheap *h)
{
	(void)h;
	fail_in_turn(GOHEAP_OPEN_PRECISE);
	fail_in_turn(0);
}

static bool not_here(void)
{
	bool good = errno == ENOTCONN;

	errno = 0;
	return good;
}

/* What a child does that could not map the heap. */
static bool use_unmapped(struct goheap *h, void *arg)
{
	goheap_ref list = *(goheap_ref *)arg, own = 0;
	uint32_t id;
	bool good;

	good = goheap_attach(h) == -1 && errno == ENOMEM;
	room = -1;
	good &= !goheap_new(h, 0, 16) && not_here();
	good &= !goheap_local(h, list) && not_here();
	good &= goheap_root_add(h, list, &id) == -1 && not_here();
	good &= !goheap_hstack_new(h) && not_here();
	goheap_store(h, &own, list);
	good &= own == list;
	/* The parent is still there, and asking is possible. */
	good &= is_object(h, list);
	good &= !goheap_attach(h) && !goheap_attach(h);
	good &= goheap_local(h, list) && check_list(h, list, 1000);
	good &= !goheap_gc(h) && check_list(h, list, 1000);
	goheap_close(h);
	return good;
}

void test_fork_no_memory(struct goheap *h)
{
	goheap_ref list = make_list(h, node_layout(h), 1000);
	pid_t pid;

	room = 0;
	for_good = true;
	pid = start_child(use_unmapped, h, &list);
	room = -1;
	for_good = false;
	EXPECT(ends_well(pid));
	EXPECT(check_list(h, list, 1000) && !goheap_gc(h));
}
