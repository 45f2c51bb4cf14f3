// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of /dev/goheap without the library, each once. Parts of this
 * file stand in uapi.rst; it is also a program that runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/goheap.h>

struct node {
	goheap_ref next;
	uint64_t value;
};

static int fd;
static char *base;
static const volatile struct goheap_status *status;

static void check(int ret, const char *what)
{
	if (ret) {
		fprintf(stderr, "%s: %s\n", what, strerror(errno));
		exit(1);
	}
}

/* [at] */
static void *at(goheap_ref ref)
{
	return ref ? base + (ref & GOHEAP_REF_OFFSET_MASK) : NULL;
}
/* [end at] */

static void set_up(void)
{
	/* [setup] */
	struct goheap_setup setup = {
		.size = sizeof(setup),
		.address_space = 1ULL << 30,	/* 1 GiB of addresses */
		.max_heap = 256 << 20,		/* at most 256 MiB of memory */
	};

	check(ioctl(fd, GOHEAP_IOC_SETUP, &setup), "setup");
	/* [end setup] */
}

static void map(void)
{
	/* [info] */
	struct goheap_info info = { .size = sizeof(info) };

	check(ioctl(fd, GOHEAP_IOC_INFO, &info), "info");
	printf("heap %u, tag %#x, %llu bytes of addresses\n", info.heap_id,
	       info.tag, (unsigned long long)info.address_space);
	/* [end info] */

	/* [map] */
	base = mmap(NULL, info.address_space, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_NORESERVE, fd,
		    (off_t)GOHEAP_MMAP_OBJECTS);
	/* [end map] */
	check(base == MAP_FAILED, "mmap");

	/* [status] */
	status = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd,
		      (off_t)GOHEAP_MMAP_STATUS);
	/* [end status] */
	check(status == MAP_FAILED, "mmap of the status");
}

static struct goheap_stack *map_stack(void)
{
	/* [stack] */
	struct goheap_stack *stack = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_NORESERVE, fd,
					  (off_t)GOHEAP_MMAP_STACK);
	/* [end stack] */
	check(stack == MAP_FAILED, "mmap of a stack");
	return stack;
}

static uint32_t layout_of_node(void)
{
	/* [layout] */
	uint64_t mask = 1 << 0;		/* struct node: word 0 is a reference */
	struct goheap_layout layout = {
		.size = sizeof(layout),
		.elem_size = sizeof(struct node),
		.nr_bits = 1,
		.mask = (uintptr_t)&mask,
	};

	check(ioctl(fd, GOHEAP_IOC_LAYOUT, &layout), "layout");
	return layout.id;
	/* [end layout] */
}

/* [alloc] */
static goheap_ref new_node(struct goheap_stack *stack, uint32_t layout)
{
	uint64_t top = stack->top;
	struct goheap_alloc alloc = {
		.size = sizeof(alloc),
		.bytes = sizeof(struct node),
		.layout = layout,
		.count = 1,
		.refs = (uintptr_t)&stack->slots[top],
	};

	/* The slot counts before it is filled, so that nothing gets lost. */
	stack->slots[top] = 0;
	__atomic_store_n(&stack->top, top + 1, __ATOMIC_RELEASE);
	check(ioctl(fd, GOHEAP_IOC_ALLOC, &alloc), "alloc");
	return stack->slots[top];
}
/* [end alloc] */

static void add_variable(void)
{
	/* [range] */
	static goheap_ref variable;
	struct goheap_range range = {
		.size = sizeof(range),
		.kind = GOHEAP_RANGE_STATIC,
		.start = (uintptr_t)&variable,
		.bytes = sizeof(variable),
	};

	check(ioctl(fd, GOHEAP_IOC_RANGE_ADD, &range), "range add");
	/* [end range] */
	range.bytes = 0;
	check(ioctl(fd, GOHEAP_IOC_RANGE_REMOVE, &range), "range remove");
}

static void look_on(goheap_ref ref)
{
	struct goheap_info info = { .size = sizeof(info) };

	check(ioctl(fd, GOHEAP_IOC_INFO, &info), "info");
	/* [reader] */
	struct goheap_reader reader = { .size = sizeof(reader) };
	char *view;

	check(ioctl(fd, GOHEAP_IOC_READER, &reader), "reader");
	/* and in the other process: */
	view = mmap(NULL, info.address_space, PROT_READ, MAP_SHARED, reader.fd,
		    GOHEAP_MMAP_OBJECTS);
	/* [end reader] */
	check(view == MAP_FAILED, "what a reader maps");
	check(memcmp(view + (ref & GOHEAP_REF_OFFSET_MASK), at(ref),
		     sizeof(struct node)), "what a reader sees");
	munmap(view, info.address_space);
	close(reader.fd);
}

/* [refill] */
static struct goheap_mutator_page *page;
static struct goheap_slots *slots;	/* of lease 0, the first behind page */

static void become_mutator(void)
{
	page = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    (off_t)GOHEAP_MMAP_MUTATOR);
	check(page == MAP_FAILED, "mmap of control pages");
	slots = (void *)((char *)page + GOHEAP_CONTROL_BYTES);
}

static goheap_ref take_node(uint32_t layout)
{
	struct goheap_lease lease = {
		.layout = layout,
		.bytes = sizeof(struct node),
	};
	struct goheap_refill refill = {
		.size = sizeof(refill),
		.count = 1,
		.leases = (uintptr_t)&lease,
	};

	check(ioctl(fd, GOHEAP_IOC_REFILL, &refill), "refill");
	printf("%u words of slots\n", lease.words);
	/* One thread, no other: nothing is taken back before this. */
	slots->mask &= slots->mask - 1;
	return slots->base;
}
/* [end refill] */

/* [barrier] */
static void report_both(goheap_ref old, goheap_ref ref)
{
	goheap_ref refs[] = { old, ref };
	struct goheap_barrier barrier = {
		.size = sizeof(barrier),
		.count = 2,
		.refs = (uintptr_t)refs,
	};

	check(ioctl(fd, GOHEAP_IOC_BARRIER, &barrier), "barrier");
}

static void store(goheap_ref *slot, goheap_ref ref)
{
	goheap_ref old = __atomic_load_n(slot, __ATOMIC_RELAXED);
	uint64_t cycles = __atomic_load_n(&status->cycles, __ATOMIC_ACQUIRE);
	uint32_t marking = __atomic_load_n(&status->marking, __ATOMIC_ACQUIRE);

	if (marking)
		report_both(old, ref);
	__atomic_store_n(slot, ref, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (marking ? status->cycles != cycles : status->marking)
		report_both(old, ref);
}
/* [end barrier] */

/* [buffer] */
static void report_one(goheap_ref ref)
{
	struct goheap_barrier barrier = { .size = sizeof(barrier) };
	uint32_t nr = page->nr_barrier;

	if (nr == GOHEAP_BARRIER_REFS) {
		check(ioctl(fd, GOHEAP_IOC_BARRIER, &barrier), "barrier");
		nr = 0;
	}
	__atomic_store_n(&page->barrier[nr], ref, __ATOMIC_RELAXED);
	__atomic_store_n(&page->nr_barrier, nr + 1, __ATOMIC_RELEASE);
}
/* [end buffer] */

static uint32_t pin(goheap_ref ref)
{
	/* [root] */
	uint32_t id;
	struct goheap_roots roots = {
		.size = sizeof(roots),
		.count = 1,
		.refs = (uintptr_t)&ref,
		.ids = (uintptr_t)&id,
	};

	check(ioctl(fd, GOHEAP_IOC_ROOT_ADD, &roots), "root add");
	return id;
	/* [end root] */
}

static void unpin(uint32_t id)
{
	/* [unroot] */
	struct goheap_roots roots = {
		.size = sizeof(roots),
		.count = 1,
		.ids = (uintptr_t)&id,
	};

	check(ioctl(fd, GOHEAP_IOC_ROOT_REMOVE, &roots), "root remove");
	/* [end unroot] */
}

static void repin(uint32_t id, goheap_ref ref)
{
	/* [reroot] */
	struct goheap_roots roots = {
		.size = sizeof(roots),
		.count = 1,
		.refs = (uintptr_t)&ref,
		.ids = (uintptr_t)&id,
	};

	check(ioctl(fd, GOHEAP_IOC_ROOT_SET, &roots), "root set");
	/* [end reroot] */
}

static void collect(void)
{
	/* [collect] */
	struct goheap_collect collect = { .size = sizeof(collect) };

	check(ioctl(fd, GOHEAP_IOC_COLLECT, &collect), "collect");
	printf("%u collections\n", collect.cycles);
	/* [end collect] */
}

/* [object] */
static int is_object(goheap_ref ref)
{
	struct goheap_object object = { .size = sizeof(object), .ref = ref };

	if (!ioctl(fd, GOHEAP_IOC_OBJECT, &object))
		return 1;
	check(errno != EINVAL, "object");
	return 0;
}
/* [end object] */

static void tune(void)
{
	/* [param] */
	struct goheap_param param = {
		.size = sizeof(param),
		.flags = GOHEAP_PARAM_SET,
		.id = GOHEAP_PARAM_GC_PERCENT,
		.value = 50,
	};

	check(ioctl(fd, GOHEAP_IOC_PARAM, &param), "param");
	printf("GOGC was %lld\n", (long long)param.old);
	/* [end param] */
}

static void report(void)
{
	/* [stats] */
	struct goheap_stats stats = { .size = sizeof(stats) };

	check(ioctl(fd, GOHEAP_IOC_STATS, &stats), "stats");
	printf("%llu objects, %llu bytes\n",
	       (unsigned long long)stats.heap_objects,
	       (unsigned long long)stats.alloc);
	/* [end stats] */

	/* [cycle] */
	struct goheap_cycle cycle = { .size = sizeof(cycle) };	/* the last */

	check(ioctl(fd, GOHEAP_IOC_CYCLE, &cycle), "cycle");
	printf("collection %llu found %llu bytes live\n",
	       (unsigned long long)cycle.cycle,
	       (unsigned long long)cycle.heap_marked);
	/* [end cycle] */
}

static void give_back(void)
{
	/* [free] */
	struct goheap_free_os_memory arg = { .size = sizeof(arg) };

	check(ioctl(fd, GOHEAP_IOC_FREE_OS_MEMORY, &arg), "free OS memory");
	printf("%llu bytes given back\n", (unsigned long long)arg.released);
	/* [end free] */
}

int main(void)
{
	struct goheap_stack *stack;
	goheap_ref first, second;
	struct node *node;
	uint32_t layout, root;

	fd = open("/dev/goheap", O_RDWR | O_CLOEXEC);
	check(fd < 0, "/dev/goheap");
	set_up();
	map();
	stack = map_stack();
	layout = layout_of_node();
	tune();

	/* first -> second, kept by a root alone */
	first = new_node(stack, layout);
	second = new_node(stack, layout);
	node = at(first);
	store(&node->next, second);
	root = pin(first);
	__atomic_store_n(&stack->top, 0, __ATOMIC_RELEASE);
	collect();
	check(!is_object(first) || !is_object(second), "both are kept");

	repin(root, second);
	collect();
	check(is_object(first) || !is_object(second), "the second is kept");

	unpin(root);
	collect();
	check(is_object(second), "none is kept");
	report();
	give_back();

	look_on(new_node(stack, layout));
	add_variable();
	become_mutator();
	check(!is_object(take_node(layout)), "a taken slot is an object");
	for (int i = 0; i <= GOHEAP_BARRIER_REFS; i++)
		report_one(0);
	check(page->nr_barrier != 1, "the buffer was emptied once");
	return 0;
}
