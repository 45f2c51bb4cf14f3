// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Open heaps: the device file and the mapping of its objects.
 *
 * fork(): mappings of a heap are not inherited. A child maps each open heap
 * again before fork() returns there, at the same address, which no one else
 * can have taken yet unless an earlier fork handler did; so pointers into the
 * heap usually hold in the child. It starts without roots, handle stacks and
 * managed stacks; the parent's, which still keep the objects, are the parent's
 * to drop.
 *
 * Readers: the file tells, and keeps the process from more than reading. Here that
 * is seen first where it would otherwise be a fault: no thread is made a mutator,
 * and goheap_store() leaves objects alone. What the kernel refuses is left to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

pthread_mutex_t gh_lock = PTHREAD_MUTEX_INITIALIZER;

/* Open heaps; under gh_lock. */
static struct gh_heap *heaps;

/*
 * Not 0 in the process that the mappings belong to: its page is wiped in a child,
 * however that was made and whatever its number. Under gh_lock.
 */
static int *mine;

/* Words for what a reader cannot do. */
int gh_read_only(void)
{
	return gh_error(EPERM, "the heap can only be read here");
}

/* A command that a signal may interrupt. */
int gh_ioctl_once(struct goheap *h, unsigned long command, void *arg)
{
	struct gh_heap *heap = gh_heap_of(h);

	if (ioctl(heap->fd, command, arg) >= 0)
		return 0;
	if (heap->reader && errno == EPERM)
		return gh_read_only();
	return gh_error(errno, "%s", strerror(errno));
}

/* A command that waits again when a signal interrupts it. */
int gh_ioctl(struct goheap *h, unsigned long command, void *arg)
{
	int saved = errno;

	while (gh_ioctl_once(h, command, arg))
		if (errno != EINTR)
			return -1;
	errno = saved;
	return 0;
}

/* Map the objects, at the address they had in the parent if there is one. */
static int map_objects(struct gh_heap *heap)
{
	size_t length = heap->info.address_space;
	uint64_t tag_bits = (uint64_t)heap->info.tag << GOHEAP_REF_TAG_SHIFT;
	int prot = heap->reader ? PROT_READ : PROT_READ | PROT_WRITE;
	void *base = MAP_FAILED;

	if (length != heap->info.address_space)
		return gh_error(ENOMEM,
				"heap is larger than the address space");
	if (heap->pub.base)
		base = mmap((void *)heap->pub.base, length, prot,
			    MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
			    heap->fd, (off_t)GOHEAP_MMAP_OBJECTS);
	if (base == MAP_FAILED)
		base = mmap(NULL, length, prot, MAP_SHARED | MAP_NORESERVE,
			    heap->fd, (off_t)GOHEAP_MMAP_OBJECTS);
	if (base == MAP_FAILED)
		return gh_error(errno, "cannot map the heap: %s",
				strerror(errno));
	madvise(base, length, MADV_DONTFORK);
	heap->pub.base = (uintptr_t)base;
	heap->pub.bias = (uintptr_t)base - (uintptr_t)tag_bits;
	heap->pub.tag_bits = tag_bits;
	heap->attached = true;
	return 0;
}

/* The parent's mappings are not there: start anew. Called under gh_lock. */
void gh_heaps_after_fork(void)
{
	struct gh_heap *heap;

	*mine = 1;
	gh_threads_after_fork(heaps);
	for (heap = heaps; heap; heap = heap->next) {
		heap->attached = false;
		gh_hstacks_lose(heap);
		map_objects(heap);
		gh_variables_again(heap);
	}
}

static void fork_prepare(void)
{
	pthread_mutex_lock(&gh_lock);
	gh_variables_fork();
}

static void fork_parent(void)
{
	gh_variables_forked();
	pthread_mutex_unlock(&gh_lock);
}

static void fork_child(void)
{
	int saved = errno;

	gh_variables_child();
	gh_heaps_after_fork();
	for (struct gh_heap *heap = heaps; heap; heap = heap->next)
		pthread_mutex_init(&heap->trace_lock, NULL);
	pthread_mutex_init(&gh_lock, NULL);
	errno = saved;
}

static void register_fork_handlers(void)
{
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

/* A page that is wiped in children; NULL with errno set. */
static void *map_wiped(void)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED) {
		gh_no_memory();
		return NULL;
	}
	if (!madvise(page, bytes, MADV_WIPEONFORK))
		return page;
	gh_error(errno, "cannot tell children: %s", strerror(errno));
	munmap(page, bytes);
	return NULL;
}

static bool have_mine(void)
{
	bool have;

	pthread_mutex_lock(&gh_lock);
	if (!mine)
		mine = map_wiped();
	have = mine;
	pthread_mutex_unlock(&gh_lock);
	return have;
}

static int get_info(int fd, struct goheap_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	if (!ioctl(fd, GOHEAP_IOC_INFO, info)) {
		if (info->abi && info->tag)
			return 0;
		errno = EPROTO;
	}
	return gh_error(errno, "not a goheap device: %s", strerror(errno));
}

static bool is_reader(int fd)
{
	return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
}

static int set_up(int fd, const struct goheap_open_params *params)
{
	struct goheap_setup setup = {
		.size = sizeof(setup),
		.address_space = params->address_space,
		.max_heap = params->max_heap,
	};

	if (!params->address_space && !params->max_heap)
		return 0;
	if (ioctl(fd, GOHEAP_IOC_SETUP, &setup))
		return gh_error(errno, "cannot set up the heap: %s",
				strerror(errno));
	return 0;
}

static void link_heap(struct gh_heap *heap)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_fork_handlers);
	pthread_mutex_lock(&gh_lock);
	if (!*mine)
		gh_heaps_after_fork();
	heap->next = heaps;
	heaps = heap;
	pthread_mutex_unlock(&gh_lock);
}

static int map_status(struct gh_heap *heap)
{
	void *status = mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED,
			    heap->fd, (off_t)GOHEAP_MMAP_STATUS);

	if (status == MAP_FAILED)
		return gh_error(errno, "cannot map the status page: %s",
				strerror(errno));
	heap->pub.status = status;
	return 0;
}

/* Undo open_fd() but for the descriptor; errno stays. */
static void unmap(struct gh_heap *heap)
{
	int error = errno;

	if (heap->attached)
		munmap((void *)heap->pub.base, heap->info.address_space);
	if (heap->pub.status)
		munmap((void *)heap->pub.status, sysconf(_SC_PAGESIZE));
	pthread_mutex_destroy(&heap->trace_lock);
	free(heap->variables.v);
	free(heap);
	errno = error;
}

static struct goheap *open_fd(int fd, bool precise)
{
	struct gh_heap *heap;
	int error;

	if (!have_mine())
		return NULL;
	heap = calloc(1, sizeof(*heap));
	if (!heap) {
		gh_no_memory();
		return NULL;
	}
	heap->fd = fd;
	heap->max_stack = GH_LOCALS_BYTES;
	heap->max_hstack = GH_HSTACK_MAX;
	pthread_mutex_init(&heap->trace_lock, NULL);
	heap->reader = is_reader(fd);
	heap->precise = precise || heap->reader;
	if (get_info(fd, &heap->info) || map_status(heap) ||
	    map_objects(heap) || goheap_update_variables(&heap->pub)) {
		error = errno;
		gh_variables_remove(heap);
		errno = error;
		unmap(heap);
		return NULL;
	}
	gh_trace_init(heap);
	link_heap(heap);
	return &heap->pub;
}

/* Set a parameter to what GODEBUG says, unless it says nothing. */
static void apply_debug(struct goheap *h, unsigned int id, int64_t value)
{
	struct goheap_param param = {
		.size = sizeof(param),
		.flags = GOHEAP_PARAM_SET,
		.id = id,
		.value = value,
	};

	/* A kernel that does not know it will do without. */
	if (value >= 0 && gh_ioctl(h, GOHEAP_IOC_PARAM, &param) &&
	    errno != ENOENT)
		gh_warn("GODEBUG not obeyed: %s", goheap_error());
}

/* What the environment says about a new heap. */
static void apply_env(struct goheap *h)
{
	struct gh_debug debug;
	int64_t value;

	if (gh_env_gogc(&value) && goheap_set_gc_percent(h, (int)value) < 0 &&
	    errno)
		gh_warn("GOGC not set: %s", goheap_error());
	if (gh_env_memlimit(&value) && goheap_set_memory_limit(h, value) < 0)
		gh_warn("GOMEMLIMIT not set: %s", goheap_error());
	gh_env_debug(&debug);
	for (unsigned int id = 0; id < GH_NR_PARAMS; id++)
		apply_debug(h, id, debug.params[id]);
}

/**
 * goheap_open_params() - make a heap
 * @params: see struct goheap_open_params
 *
 * Opens the device, /dev/goheap unless the environment says otherwise in
 * GOHEAP_DEVICE, which makes a heap of its own. GOGC, GOMEMLIMIT and GODEBUG
 * apply to it.
 *
 * Return: the heap, or NULL with errno as open() and mmap() set it, EINVAL for
 * parameters that cannot be, ENOSPC for a table of heaps that is full, EPROTO
 * for a file that is something else.
 */
struct goheap *goheap_open_params(const struct goheap_open_params *params)
{
	const char *path = gh_env_device();
	struct goheap *h;
	int error;
	int fd;

	if (params->flags & ~(GOHEAP_OPEN_NOENV | GOHEAP_OPEN_PRECISE) ||
	    params->reserved) {
		gh_error(EINVAL, "unknown flags");
		return NULL;
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		gh_error(errno, "%s: %s", path, strerror(errno));
		return NULL;
	}
	h = set_up(fd, params)
		    ? NULL
		    : open_fd(fd, params->flags & GOHEAP_OPEN_PRECISE);
	if (!h) {
		error = errno;
		close(fd);
		errno = error;
		return NULL;
	}
	if (!(params->flags & GOHEAP_OPEN_NOENV))
		apply_env(h);
	return h;
}

/**
 * goheap_open() - make a heap with default parameters
 * @flags: GOHEAP_OPEN_* bits
 *
 * Return: as goheap_open_params().
 */
struct goheap *goheap_open(unsigned int flags)
{
	struct goheap_open_params params = { .flags = flags };

	return goheap_open_params(&params);
}

/**
 * goheap_from_fd() - use a heap that another process made
 * @fd: descriptor of the heap, inherited or received; the library owns it from
 *	now on unless the call fails
 * @flags: 0 or GOHEAP_OPEN_PRECISE, for this process
 *
 * The heap keeps its parameters; of the environment only GODEBUG=gctrace
 * counts. A process may have a heap twice; each thread then allocates by one of
 * the two, and gets EBUSY for the other.
 *
 * With a descriptor of goheap_reader_fd() the process can read the heap and no
 * more. Whatever would change it fails with EPERM, goheap_local() and
 * goheap_frame_return() with an object included: nothing in the process keeps an
 * object. goheap_store() sets errno to EPERM and leaves the object as it is.
 *
 * Return: the heap, or NULL with errno EPROTO or ENOTTY for a file that is
 * something else, EACCES for one that is open for writing alone, EEXIST if the
 * process has the heap open already and neither time with GOHEAP_OPEN_PRECISE, or
 * what mmap() sets.
 */
struct goheap *goheap_from_fd(int fd, unsigned int flags)
{
	if (flags & ~GOHEAP_OPEN_PRECISE) {
		gh_error(EINVAL, "unknown flags");
		return NULL;
	}
	return open_fd(fd, flags & GOHEAP_OPEN_PRECISE);
}

/**
 * goheap_fd() - the heap's descriptor
 * @h: the heap
 *
 * For passing it on. It is closed on exec; dup() gives one that is not.
 *
 * Return: the descriptor, which the library keeps.
 */
int goheap_fd(const struct goheap *h)
{
	return gh_heap_of(h)->fd;
}

/**
 * goheap_reader_fd() - make a descriptor that can only read the heap
 * @h: the heap
 *
 * For a process that is to see the objects and not to change them, which it gives
 * to goheap_from_fd(). Whoever has it cannot make more of it. It is closed on
 * exec; dup() gives one that is not. It keeps the heap as others do, and none of
 * its objects.
 *
 * Return: the descriptor, which is the caller's to close; or -1 with errno EMFILE,
 * ENFILE, ENOMEM, or ENOTTY if the kernel knows no readers.
 */
int goheap_reader_fd(struct goheap *h)
{
	struct goheap_reader reader = { .size = sizeof(reader) };

	return gh_ioctl(h, GOHEAP_IOC_READER, &reader) ? -1 : reader.fd;
}

/**
 * goheap_attach() - make sure that the process has the heap mapped
 * @h: the heap
 *
 * Needed only in a child made by clone() rather than fork(), which runs no
 * fork handlers, and where other calls report ENOTCONN because mapping the
 * heap in a child failed. To be called by a child's only thread. Pointers into
 * the heap are to be had anew from goheap_ptr() afterwards.
 *
 * Return: 0, or -1 with errno as mmap() sets it.
 */
int goheap_attach(struct goheap *h)
{
	struct gh_heap *heap = gh_heap_of(h);
	int ret = 0;

	pthread_mutex_lock(&gh_lock);
	if (!*mine)
		gh_heaps_after_fork();
	if (!heap->attached) {
		ret = map_objects(heap);
		if (!ret)
			ret = gh_variables_update(heap);
	}
	pthread_mutex_unlock(&gh_lock);
	return ret;
}

/**
 * goheap_close() - close a heap
 * @h: the heap, or NULL
 *
 * Drops the process's roots, handle stacks and managed stacks, and all pointers
 * into the heap become invalid. Of a managed stack goheap_hstack_free() is left
 * to be called. The heap itself ends when no process has it any more. No
 * other thread may use the heap during the call or later.
 */
void goheap_close(struct goheap *h)
{
	struct gh_heap *heap = gh_heap_of(h);
	struct gh_heap **link;

	if (!h)
		return;
	if (heap->gctrace)
		gh_trace_new(heap);
	pthread_mutex_lock(&gh_lock);
	for (link = &heaps; *link != heap; link = &(*link)->next)
		;
	*link = heap->next;
	gh_threads_close(heap);
	gh_hstacks_lose(heap);
	gh_variables_remove(heap);
	pthread_mutex_unlock(&gh_lock);
	close(heap->fd);
	unmap(heap);
}

/**
 * goheap_info() - limits and features
 * @h: the heap
 * @info: filled in; see <linux/goheap.h>
 *
 * Return: 0.
 */
int goheap_info(struct goheap *h, struct goheap_info *info)
{
	*info = gh_heap_of(h)->info;
	return 0;
}
