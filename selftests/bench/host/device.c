// SPDX-License-Identifier: GPL-2.0
/*
 * The host device: /dev/goheap inside one process, for benchmarks.
 *
 * The library's files are compiled with redirect.h, so that they call the
 * functions below; the core is its user-space build without checks. Every
 * command first makes a real ioctl() with the same number on a descriptor of
 * /dev/null, which knows no commands: that is the way into the kernel, through
 * the table of descriptors and the security hooks, and back. What is not
 * charged: copying the arguments (some 40 bytes each way), and finding the
 * calling thread in a hash table.
 *
 * Nothing is hostile: arguments are believed.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <linux/membarrier.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "device.h"
#include "gh_port.h"
#include "user.h"

#define ASPACE		(64UL << 30)

__thread struct host_counts host_counts;
const int host_in_process = 1;

clockid_t host_collector(struct goheap *h)
{
	return 0;
}

static struct host_heap heaps[HOST_HEAPS];

static struct host_heap *heap_of(int fd)
{
	int i;

	for (i = 0; i < HOST_HEAPS; i++)
		if (heaps[i].fd == fd)
			return &heaps[i];
	gh_user_bail(__FILE__, __LINE__, "not a heap");
}

int host_open(const char *path, int flags, ...)
{
	static bool initialised;
	struct host_heap *hh = heap_of(0);

	if (!initialised && gh_core_init())
		return -1;
	initialised = true;
	syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0,
		0);
	memset(hh, 0, sizeof(*hh));
	pthread_mutex_init(&hh->lock, NULL);
	host_copy_init(&hh->copy);
	host_scavenger_init(hh);
	hh->number = hh - heaps;
	hh->config.aspace = ASPACE;
	hh->config.tag = 0x6000 + hh->number;
	hh->config.port = hh;
	gh_roots_init(&hh->roots);
	hh->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return hh->fd;
}

/* The file goes with the mapping of its objects. */
int host_close(int fd)
{
	return close(fd);
}

void *host_reserve(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	gh_user_require(p != MAP_FAILED, "no addresses");
	return p;
}

/* The heap, made at its first use. */
static struct gh_heap *core_of(struct host_heap *hh)
{
	if (hh->core)
		return hh->core;
	hh->base = host_reserve(hh->config.aspace);
	hh->core = gh_heap_create(&hh->config);
	gh_user_require(!IS_ERR(hh->core), "no memory");
	host_worker_start(hh);
	host_helpers_start(hh);
	host_scavenger_start(hh);
	return hh->core;
}

/* Commands */
static int cmd_info(struct host_heap *hh, void *arg)
{
	struct goheap_info *info = arg;

	*info = (struct goheap_info){
		.size = sizeof(*info),
		.abi = GOHEAP_ABI,
		.heap_id = hh - heaps,
		.tag = hh->config.tag,
		.address_space = hh->config.aspace,
		.page_size = GH_PAGE_SIZE,
		.nr_size_classes = GH_NR_CLASSES,
		.max_small_size = GH_MAX_SMALL_SIZE,
		.max_layouts = GH_MAX_LAYOUTS,
		.max_object_size = gh_max_object(hh->config.aspace),
		.max_layout_bits = GH_MAX_LAYOUT_BITS,
		.max_batch = GH_MAX_BATCH,
		.max_roots = GH_MAX_ROOTS,
		.features = GOHEAP_FEATURE_MANAGED_STACKS,
	};
	return 0;
}

static int cmd_setup(struct host_heap *hh, void *arg)
{
	struct goheap_setup *setup = arg;

	if (hh->core)
		return -EBUSY;
	hh->config.aspace = setup->address_space ?: ASPACE;
	hh->config.max_heap = setup->max_heap;
	return 0;
}

static int cmd_layout(struct host_heap *hh, void *arg)
{
	struct goheap_layout *l = arg;
	int id = gh_layout_register(core_of(hh), l->elem_size, l->nr_bits,
				    (u64 *)(uintptr_t)l->mask);

	if (id >= 0)
		l->id = id;
	return min(id, 0);
}

static int cmd_alloc(struct host_heap *hh, void *arg)
{
	struct goheap_alloc *a = arg;
	u64 refs[GH_MAX_BATCH];
	struct gh_batch b;
	int err;

	gh_batch_begin(hh->core, &b, refs);
	err = gh_malloc(hh->core, a->layout, a->bytes, a->count, &b);
	memcpy((void *)(uintptr_t)a->refs, refs, b.nr * sizeof(*refs));
	gh_batch_end(hh->core, &b);
	a->done = b.nr;
	a->cycles = hh->core->nr_cycles;
	return err;
}

/* ROOT_ADD, ROOT_SET and ROOT_REMOVE. */
static int cmd_roots(struct host_heap *hh, u32 command, void *arg)
{
	struct goheap_roots *r = arg;
	const u64 *refs = (u64 *)(uintptr_t)r->refs;
	u32 *ids = (u32 *)(uintptr_t)r->ids;
	bool room = true;
	u32 i;

	down_read(&hh->core->world);
	pthread_mutex_lock(&hh->lock);
	if (command == GOHEAP_CMD_ROOT_ADD)
		room = !gh_roots_reserve(&hh->roots, r->count);
	for (i = 0; room && i < r->count; i++) {
		if (command == GOHEAP_CMD_ROOT_ADD)
			ids[i] = gh_roots_add(&hh->roots, refs[i]);
		else if (command == GOHEAP_CMD_ROOT_SET)
			gh_roots_set(&hh->roots, ids[i], refs[i]);
		else
			gh_roots_remove(&hh->roots, ids[i]);
	}
	if (room && command != GOHEAP_CMD_ROOT_REMOVE)
		gh_mark_shade(hh->core, refs, r->count, NULL, 0);
	pthread_mutex_unlock(&hh->lock);
	up_read(&hh->core->world);
	r->done = r->count;
	return room ? 0 : -ENOSPC;
}

static int cmd_collect(struct host_heap *hh, void *arg)
{
	struct goheap_collect *c = arg;

	core_of(hh);
	host_worker_collect(hh);
	c->cycles = hh->core->nr_cycles;
	return 0;
}

static int cmd_free_os_memory(struct host_heap *hh, void *arg)
{
	struct goheap_free_os_memory *f = arg;

	core_of(hh);
	host_worker_collect(hh);
	f->released = gh_heap_release(hh->core, U64_MAX);
	return 0;
}

static int cmd_param(struct host_heap *hh, void *arg)
{
	struct gh_heap *heap = core_of(hh);
	struct goheap_param *p = arg;
	bool set = p->flags & GOHEAP_PARAM_SET;

	switch (p->id) {
	case GOHEAP_PARAM_GC_PERCENT:
		p->old = heap->pace.pacer.gc_percent;
		if (set)
			gh_gc_set_percent(heap, p->value);
		return 0;
	case GOHEAP_PARAM_MEMORY_LIMIT:
		p->old = heap->pace.limit;
		if (set)
			gh_gc_set_limit(heap, p->value);
		return 0;
	case GOHEAP_PARAM_MAX_HEAP:
		p->old = heap->max_heap;
		if (set)
			heap->max_heap = p->value;
		return 0;
	default:
		p->old = 0;
		return 0;
	}
}

/* What a benchmark may want to know; the other members are 0. */
static int cmd_stats(struct host_heap *hh, void *arg)
{
	struct gh_heap *heap = core_of(hh);
	struct goheap_stats *s = arg;

	*s = (struct goheap_stats){
		.size = sizeof(*s),
		.heap_live = atomic64_read(&heap->heap_live),
		.heap_marked = heap->heap_marked,
		.heap_sys = atomic64_read(&heap->mapped),
		.heap_inuse = gh_user_stat(heap, inuse_pages) * GH_PAGE_SIZE,
		.mspan_inuse = gh_user_stat(heap, span_bytes),
		.mcache_inuse = num_possible_cpus() * sizeof(struct gh_mcache),
		.gc_sys = gh_user_stat(heap, meta_bytes) +
			  heap->pages.meta_bytes +
			  num_possible_cpus() * sizeof(struct gh_stats),
		.next_gc = gh_pacer_goal(&heap->pace.pacer),
		.pause_total_ns = heap->pause_ns,
		.gc_cpu_ns = heap->gc_cpu_ns,
		.num_gc = heap->nr_cycles,
		.num_forced_gc = heap->nr_forced,
		.invalid_refs = heap->invalid_refs,
		.root_count = heap->root_count,
	};
	return 0;
}

static int cmd_cycle(struct host_heap *hh, void *arg)
{
	struct goheap_cycle *out = arg;
	struct gh_cycle c;

	if (!gh_gc_get_cycle(core_of(hh), out->cycle, &c))
		return -ENOENT;
	*out = (struct goheap_cycle){
		.size = sizeof(*out),
		.cycle = c.cycle,
		.start_ns = c.start_ns,
		.end_ns = c.end_ns,
		.setup_ns = c.setup_ns,
		.mark_ns = c.mark_ns,
		.term_ns = c.term_ns,
		.cpu_ns = c.cpu_ns,
		.heap_start = c.heap_start,
		.heap_end = c.heap_end,
		.heap_marked = c.heap_marked,
		.goal = c.goal,
		.stack_bytes = c.stack_bytes,
		.global_bytes = c.global_bytes,
		.nr_cpus = c.nr_cpus,
		.cpu_permille = c.cpu_permille,
		.reason = c.reason,
		.assist_ns = c.assist_ns,
		.idle_ns = c.idle_ns,
		.scanned_objs = c.scanned_objs,
	};
	return 0;
}

static u64 granted(struct gh_mutator *mut, u32 index)
{
	const struct gh_lease *l = mut->leases[index];
	u64 sum = 0;
	u32 i;

	for (i = 0; i < l->nr; i++)
		sum += hweight64(l->grants[i].mask);
	return sum;
}

static int refill_one(struct host_heap *hh, struct goheap_lease *l,
		      u64 *generation)
{
	struct gh_mutator *mut = host_thread_mutator(hh);
	struct gh_refill out = {};
	u64 start = 0;
	int err;

	if (host_counts.timed)
		start = gh_port_cpu_ns();
	err = gh_mutator_refill(hh->core, mut, l->index, l->layout, l->bytes,
				&out);
	l->words = out.words;
	l->slot_bytes = out.slot_bytes;
	*generation = out.generation;
	if (host_counts.timed && !err) {
		host_counts.refill_ns += gh_port_cpu_ns() - start;
		host_counts.granted += granted(mut, l->index);
	}
	return err;
}

static int cmd_refill(struct host_heap *hh, void *arg)
{
	struct goheap_refill *r = arg;
	struct goheap_lease *leases = (void *)(uintptr_t)r->leases;
	int err = 0;

	host_counts.refills++;
	for (r->done = 0; r->done < r->count && !err; r->done++)
		err = refill_one(hh, &leases[r->done], &r->generation);
	r->cycles = hh->core->nr_cycles;
	return err;
}

static int add_range(struct host_heap *hh, const struct goheap_range *r)
{
	if (hh->nr_ranges == HOST_RANGES)
		return -ENOSPC;
	hh->ranges[hh->nr_ranges++] = (struct gh_window){ r->start, r->bytes };
	return 0;
}

static int remove_range(struct host_heap *hh, const struct goheap_range *r)
{
	u32 i;

	for (i = 0; i < hh->nr_ranges && hh->ranges[i].base != r->start; i++)
		;
	if (i == hh->nr_ranges)
		return -ENOENT;
	hh->ranges[i] = hh->ranges[--hh->nr_ranges];
	return 0;
}

static int cmd_range(struct host_heap *hh, bool add, const void *arg)
{
	int err;

	pthread_mutex_lock(&hh->lock);
	err = add ? add_range(hh, arg) : remove_range(hh, arg);
	pthread_mutex_unlock(&hh->lock);
	return err;
}

static int command_of(struct host_heap *hh, unsigned long command, void *arg)
{
	switch (_IOC_NR(command)) {
	case GOHEAP_CMD_REFILL:
		return cmd_refill(hh, arg);
	case GOHEAP_CMD_ALLOC:
		return cmd_alloc(hh, arg);
	case GOHEAP_CMD_BARRIER:
		gh_mutator_barrier(hh->core, host_thread_mutator(hh));
		return 0;
	case GOHEAP_CMD_INFO:
		return cmd_info(hh, arg);
	case GOHEAP_CMD_SETUP:
		return cmd_setup(hh, arg);
	case GOHEAP_CMD_LAYOUT:
		return cmd_layout(hh, arg);
	case GOHEAP_CMD_ROOT_ADD:
	case GOHEAP_CMD_ROOT_SET:
	case GOHEAP_CMD_ROOT_REMOVE:
		return cmd_roots(hh, _IOC_NR(command), arg);
	case GOHEAP_CMD_COLLECT:
		return cmd_collect(hh, arg);
	case GOHEAP_CMD_FREE_OS_MEMORY:
		return cmd_free_os_memory(hh, arg);
	case GOHEAP_CMD_PARAM:
		return cmd_param(hh, arg);
	case GOHEAP_CMD_STATS:
		return cmd_stats(hh, arg);
	case GOHEAP_CMD_CYCLE:
		return cmd_cycle(hh, arg);
	case GOHEAP_CMD_RANGE_ADD:
	case GOHEAP_CMD_RANGE_REMOVE:
		return cmd_range(hh, _IOC_NR(command) == GOHEAP_CMD_RANGE_ADD,
				 arg);
	default:
		return -ENOTTY;
	}
}

/* Its frame is below the one of host_ioctl(), whose words are looked at. */
static noinline int enter(int fd, unsigned long command, void *arg)
{
	struct host_heap *hh = heap_of(fd);
	int saved = errno;
	int err;

	host_thread_enter(__builtin_frame_address(0));
	host_counts.entries++;
	ioctl(fd, command, arg);
	errno = saved;
	err = command_of(hh, command, arg);
	host_thread_leave();
	if (err)
		errno = -err;
	return err ? -1 : 0;
}

/* Saves the registers that the caller expects to find again in its frame. */
int host_ioctl(int fd, unsigned long command, ...)
{
	va_list ap;
	void *arg;
	int ret;

	__builtin_unwind_init();
	va_start(ap, command);
	arg = va_arg(ap, void *);
	va_end(ap);
	ret = enter(fd, command, arg);
	barrier();
	return ret;
}

/* Mappings */
static void *map_objects(struct host_heap *hh)
{
	core_of(hh);
	return hh->base;
}

static struct host_mapping *free_mapping(struct host_heap *hh)
{
	struct host_mapping *map = hh->mappings;

	while (map->start)
		gh_user_require(++map < hh->mappings + HOST_MAPPINGS,
				"too many mappings");
	return map;
}

void *host_mmap(void *addr, size_t length, int prot, int flags, int fd,
		off_t offset)
{
	struct host_mapping map = { .bytes = length, .what = offset };
	struct host_heap *hh;

	if (fd < 0)
		return mmap(addr, length, prot, flags, fd, offset);
	hh = heap_of(fd);
	if (offset == GOHEAP_MMAP_OBJECTS)
		return map_objects(hh);
	map.start = host_reserve(length);
	map.thread = pthread_self();
	if (offset == GOHEAP_MMAP_MUTATOR ||
	    offset == GOHEAP_MMAP_MUTATOR_PRECISE)
		map.mut = host_thread_begin(hh, &map);
	if (offset == GOHEAP_MMAP_STATUS)
		hh->status = (void *)map.start;
	pthread_mutex_lock(&hh->lock);
	*free_mapping(hh) = map;
	pthread_mutex_unlock(&hh->lock);
	return map.start;
}

/* The program's last word: the library closes the file before. */
static void end_heap(struct host_heap *hh)
{
	host_worker_stop(hh);
	host_helpers_stop(hh);
	host_scavenger_stop(hh);
	gh_heap_destroy(hh->core);
	host_copy_destroy(&hh->copy);
	gh_roots_destroy(&hh->roots);
	munmap(hh->base, hh->config.aspace);
	hh->core = NULL;
	hh->base = NULL;
}

/* Take the mapping at an address out of the table. */
static bool take_mapping(struct host_heap *hh, void *addr,
			 struct host_mapping *map)
{
	bool found = false;
	int i;

	pthread_mutex_lock(&hh->lock);
	for (i = 0; i < HOST_MAPPINGS && !found; i++) {
		if (hh->mappings[i].start != addr)
			continue;
		found = true;
		*map = hh->mappings[i];
		hh->mappings[i].start = NULL;
	}
	pthread_mutex_unlock(&hh->lock);
	return found;
}

static bool unmap(struct host_heap *hh, void *addr)
{
	struct host_mapping map;

	if (!take_mapping(hh, addr, &map))
		return false;
	if (map.mut)
		host_thread_end(hh, &map);
	if (map.what == GOHEAP_MMAP_STATUS)
		hh->status = NULL;
	munmap(map.start, map.bytes);
	if (!hh->core)
		hh->fd = 0;	/* the status page goes last */
	return true;
}

int host_munmap(void *addr, size_t length)
{
	int i;

	for (i = 0; i < HOST_HEAPS; i++) {
		if (!heaps[i].fd)
			continue;
		if (heaps[i].base == addr) {
			end_heap(&heaps[i]);
			return 0;
		}
		if (unmap(&heaps[i], addr))
			return 0;
	}
	errno = EINVAL;
	return -1;
}

int host_madvise(void *addr, size_t length, int advice)
{
	return madvise(addr, length, advice);
}
