/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * goheap: a garbage-collected heap behind /dev/goheap.
 *
 * This header is the whole contract between the module and programs.
 */
#ifndef _UAPI_LINUX_GOHEAP_H
#define _UAPI_LINUX_GOHEAP_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: General rules
 *
 * Every open() of /dev/goheap makes a heap of its own. The heap is shared by
 * inheriting the descriptor or by passing it over a socket, and lives until
 * the last descriptor and the last mapping of it are gone. open() fails with
 * ENOSPC when the module's parameter max_heaps is reached.
 *
 * Every command takes a pointer to a structure whose first member, size, the
 * caller sets to the size of the structure it was compiled with. The kernel
 * treats a shorter structure as if the rest were zero and accepts a longer
 * one if the rest is zero, so both sides may grow. It writes back as much of
 * the structure as both sides know. Flags and reserved members must be zero
 * where no meaning is given.
 *
 * Errors mean the same for every command:
 *
 * - ENOTTY: the command is not known.
 * - E2BIG: the structure is longer than the kernel knows and the rest is not
 *   zero.
 * - EINVAL: a member has a value that is never right: a structure that is too
 *   short, a reserved member or an unknown flag that is not zero, a reference
 *   that is not inside an allocated object of this heap.
 * - EOPNOTSUPP: a known member has a value this kernel does not support.
 * - ENOENT: an identifier (layout, root, parameter, cycle) names nothing.
 * - EFAULT: a pointer given by the caller does not lead to accessible memory.
 * - ENOMEM: there is no memory, or the heap's hard ceiling would be exceeded,
 *   after a full collection has been tried.
 * - ENOSPC: a bounded table (layouts, span classes, roots, heap addresses) is
 *   full.
 * - EBUSY: the heap is already in use and can no longer be set up.
 * - ENOTCONN: the calling process has not mapped the heap's objects.
 * - EPERM: the file was not opened for writing, which all commands but INFO,
 *   OBJECT, STATS, CYCLE, READER and reading a parameter need.
 * - EINTR: a signal handler ran while COLLECT or FREE_OS_MEMORY waited, or the
 *   caller is being killed; nothing was lost. No other command is interrupted.
 *
 * A call that fails has changed nothing, but for one: if only writing back the
 * structure itself fails (EFAULT), the command has taken effect.
 */

#define GOHEAP_IOC_TYPE		0xB9

/* The number to compare with goheap_info.abi; changes once per release. */
#define GOHEAP_ABI		1

/**
 * typedef goheap_ref - reference to a byte of a managed object
 *
 * Bits 63-48 hold the heap's tag, bits 47-0 the offset in the heap. Zero is
 * nil. The offset is also the offset in the file's object region, so a process
 * that mapped it at address base reaches the byte at
 * base + (ref & GOHEAP_REF_OFFSET_MASK).
 */
typedef __u64 goheap_ref;

#define GOHEAP_REF_TAG_SHIFT	48
#define GOHEAP_REF_OFFSET_MASK	((1ULL << GOHEAP_REF_TAG_SHIFT) - 1)

/*
 * Regions of the file, told apart by the offset given to mmap().
 *
 * GOHEAP_MMAP_OBJECTS: the objects. The mapping starts at this offset, is
 * MAP_SHARED, goheap_info.address_space long, and never executable (EACCES).
 * Mapping it attaches the calling process; the attachment, and with it every
 * root of the process, ends when the mapping goes away, at the latest with the
 * process.
 *
 * GOHEAP_MMAP_STACK: a handle stack, struct goheap_stack, of any length that
 * is a multiple of the system page and at most GOHEAP_STACK_MAX. Each mmap()
 * makes a new stack, which belongs to the calling process's attachment and
 * goes with its mapping. It needs a file open for writing (EPERM). Its pages
 * come when they are touched, SIGBUS if there is no memory. A 32-bit program
 * can give this offset to mmap2().
 */
#define GOHEAP_MMAP_OBJECTS	0x0000000000000000ULL
#define GOHEAP_MMAP_STACK	0x0000080000000000ULL
#define GOHEAP_STACK_MAX	(1ULL << 30)

/*
 * GOHEAP_MMAP_STATUS: one page, struct goheap_status, which the kernel writes
 * and programs can only read (EACCES for a writable mapping).
 *
 * GOHEAP_MMAP_MUTATOR: control pages of the calling thread, which becomes a
 * mutator: struct goheap_mutator_page, then 1 to 256 / GOHEAP_LEASES(page size)
 * pages of leases. EBUSY if the thread is one already, EPERM for a file that is
 * not open for writing. The registers and stacks of all threads of the process
 * are roots from now on. A child does not inherit the mapping and is no mutator.
 *
 * GOHEAP_MMAP_MUTATOR_PRECISE: the same, but the thread's registers and stack are
 * no roots, whatever other threads are, and no others become roots by it.
 */
#define GOHEAP_MMAP_STATUS		0x0000090000000000ULL
#define GOHEAP_MMAP_MUTATOR		0x00000a0000000000ULL
#define GOHEAP_MMAP_MUTATOR_PRECISE	0x00000b0000000000ULL

/**
 * struct goheap_stack - a stack, written by the program only
 * @top: number of slots in use; the collector looks at slots[0 .. top-1] and
 *	treats a larger number than there are as that number
 * @slots: references or zero
 *
 * The format of handle stacks (GOHEAP_MMAP_STACK), whose slots are roots, and
 * of managed stacks (GOHEAP_LAYOUT_STACK), which are objects. On a handle stack
 * a value that is no reference is counted as invalid and ignored, but for the
 * topmost one, which may be of a slot about to be taken; on a managed stack a
 * value without the heap's tag is the program's own business.
 */
struct goheap_stack {
	__u64 top;
	__u64 slots[];
};

/**
 * struct goheap_status - what a heap tells its programs without being asked
 * @marking: not 0: references that are stored, and those they replace, have to
 *	be put in the barrier buffer; another number in each collection
 * @reserved: 0
 * @cycles: completed collections
 */
struct goheap_status {
	__u32 marking;
	__u32 reserved;
	__aligned_u64 cycles;
};

#define GOHEAP_CONTROL_BYTES	4096
#define GOHEAP_BARRIER_REFS	506

/**
 * struct goheap_mutator_page - first control page of a thread
 * @generation: the kernel moves it on when it takes back what leases have
 *	granted; a slot counts as taken only if it is the same after the mask has
 *	been stored as it was at the last REFILL
 * @tiny_allocs: for the statistics: objects put beside others in a slot
 * @tiny: reference to the slot that the thread still puts further objects in,
 *	0 for none; a root while objects are being marked
 * @slot: address of the reference that the thread is going to change; written
 *	before it tests goheap_status.marking, and left as it is afterwards; what
 *	is there is a root, until the thread stores elsewhere or makes a call
 * @nr_barrier: entries of @barrier in use
 * @reserved: 0
 * @barrier: references stored or replaced while goheap_status.marking was not
 *	0; taken as roots. The thread adds entries and counts them afterwards;
 *	GOHEAP_IOC_BARRIER empties a full buffer
 * @switches: counts changes of stack, before which a thread on stacks of
 *	GOHEAP_RANGE_STACK writes it: it waits there while stacks are read
 *
 * The kernel writes @generation, and in calls of the thread @nr_barrier
 * (GOHEAP_IOC_BARRIER) and @slot. The rest is the thread's.
 */
struct goheap_mutator_page {
	__aligned_u64 generation;
	__aligned_u64 tiny_allocs;
	__aligned_u64 tiny;
	__aligned_u64 slot;
	__u32 nr_barrier;
	__u32 reserved;
	__aligned_u64 barrier[GOHEAP_BARRIER_REFS];
	__aligned_u64 switches;
};

/**
 * struct goheap_slots - 64 neighbouring slots of a lease
 * @mask: bit n: slot n may be taken, by clearing the bit
 * @base: reference to slot 0
 */
struct goheap_slots {
	__aligned_u64 mask;
	__aligned_u64 base;
};

/* A lease is this many struct goheap_slots; lease n is the nth of them. */
#define GOHEAP_LEASE_WORDS	32
#define GOHEAP_LEASES(bytes) \
	((bytes) / (GOHEAP_LEASE_WORDS * sizeof(struct goheap_slots)))

/* Numbers of the commands; see the structures of the same name. */
enum {
	GOHEAP_CMD_INFO = 0x00,
	GOHEAP_CMD_SETUP,
	GOHEAP_CMD_LAYOUT,
	GOHEAP_CMD_ALLOC,
	GOHEAP_CMD_OBJECT,
	GOHEAP_CMD_ROOT_ADD,
	GOHEAP_CMD_ROOT_SET,
	GOHEAP_CMD_ROOT_REMOVE,
	GOHEAP_CMD_COLLECT,
	GOHEAP_CMD_PARAM,
	GOHEAP_CMD_STATS,
	GOHEAP_CMD_CYCLE,
	GOHEAP_CMD_FREE_OS_MEMORY,
	GOHEAP_CMD_REFILL,
	GOHEAP_CMD_BARRIER,
	GOHEAP_CMD_RANGE_ADD,
	GOHEAP_CMD_RANGE_REMOVE,
	GOHEAP_CMD_READER,
};

#define GOHEAP_IOC_INFO		_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_INFO)
#define GOHEAP_IOC_SETUP	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_SETUP)
#define GOHEAP_IOC_LAYOUT	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_LAYOUT)
#define GOHEAP_IOC_ALLOC	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_ALLOC)
#define GOHEAP_IOC_OBJECT	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_OBJECT)
#define GOHEAP_IOC_ROOT_ADD	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_ROOT_ADD)
#define GOHEAP_IOC_ROOT_SET	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_ROOT_SET)
#define GOHEAP_IOC_ROOT_REMOVE	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_ROOT_REMOVE)
#define GOHEAP_IOC_COLLECT	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_COLLECT)
#define GOHEAP_IOC_PARAM	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_PARAM)
#define GOHEAP_IOC_STATS	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_STATS)
#define GOHEAP_IOC_CYCLE	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_CYCLE)
#define GOHEAP_IOC_FREE_OS_MEMORY \
	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_FREE_OS_MEMORY)

#define GOHEAP_IOC_REFILL	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_REFILL)
#define GOHEAP_IOC_BARRIER	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_BARRIER)
#define GOHEAP_IOC_RANGE_ADD	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_RANGE_ADD)
#define GOHEAP_IOC_RANGE_REMOVE	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_RANGE_REMOVE)
#define GOHEAP_IOC_READER	_IO(GOHEAP_IOC_TYPE, GOHEAP_CMD_READER)

/* Bits of goheap_info.features. */
#define GOHEAP_FEATURE_ROOTS		(1ULL << 0)
#define GOHEAP_FEATURE_HANDLE_STACKS	(1ULL << 1)
#define GOHEAP_FEATURE_MEMORY_LIMIT	(1ULL << 2)
#define GOHEAP_FEATURE_MUTATORS		(1ULL << 3)
#define GOHEAP_FEATURE_RANGES		(1ULL << 4)
#define GOHEAP_FEATURE_MANAGED_STACKS	(1ULL << 5)
#define GOHEAP_FEATURE_READERS		(1ULL << 6)

/**
 * struct goheap_info - GOHEAP_IOC_INFO: what this kernel and this heap offer
 * @size: sizeof(struct goheap_info)
 * @abi: out: GOHEAP_ABI of the kernel
 * @features: out: GOHEAP_FEATURE_* bits
 * @heap_id: out: name of the heap's folder in /sys/kernel/goheap
 * @tag: out: tag of the heap's references, never 0
 * @address_space: out: bytes of heap addresses, the length to map
 * @page_size: out: bytes of a heap page
 * @nr_size_classes: out: number of size classes, class 0 (large) included
 * @max_small_size: out: largest object in bytes that shares a span
 * @max_object_size: out: largest object in bytes
 * @max_layouts: out: number of layouts a heap can hold
 * @max_layout_bits: out: longest pointer mask in bits
 * @max_batch: out: largest goheap_alloc.count
 * @max_roots: out: most roots an attachment can hold
 * @reserved: zero
 *
 * Answers on every open file, before and after GOHEAP_IOC_SETUP. Until the
 * heap is in use, address_space is what the heap would get.
 */
struct goheap_info {
	__u32 size;
	__u32 abi;
	__aligned_u64 features;
	__u32 heap_id;
	__u32 tag;
	__aligned_u64 address_space;
	__u32 page_size;
	__u32 nr_size_classes;
	__u32 max_small_size;
	__u32 max_layouts;
	__aligned_u64 max_object_size;
	__u32 max_layout_bits;
	__u32 max_batch;
	__u32 max_roots;
	__u32 reserved;
};

/**
 * struct goheap_setup - GOHEAP_IOC_SETUP: parameters of a heap before its use
 * @size: sizeof(struct goheap_setup)
 * @flags: must be 0
 * @address_space: bytes of heap addresses; a multiple of 64 MiB up to 64 TiB;
 *	0 takes the default
 * @max_heap: hard ceiling of the memory of objects in bytes; metadata and
 *	handle stacks are not counted; 0 is none
 *
 * EBUSY once the heap is in use: mapped, given a layout or collected. A heap
 * may do without this command.
 */
struct goheap_setup {
	__u32 size;
	__u32 flags;
	__aligned_u64 address_space;
	__aligned_u64 max_heap;
};

/* The layout of objects without references; every heap has it. */
#define GOHEAP_LAYOUT_NOSCAN	0

/*
 * The layout of managed stacks, objects in the format of struct goheap_stack;
 * every heap has it if GOHEAP_FEATURE_MANAGED_STACKS is offered. An object of
 * this layout has at least GOHEAP_MANAGED_STACK_MIN bytes (EINVAL for less) and
 * as many slots as fit. No registered layout is equal to it.
 */
#define GOHEAP_LAYOUT_STACK	1
#define GOHEAP_MANAGED_STACK_MIN	1024

/**
 * struct goheap_layout - GOHEAP_IOC_LAYOUT: register where references lie
 * @size: sizeof(struct goheap_layout)
 * @flags: must be 0
 * @elem_size: bytes of one element, a multiple of 8; an object is one element
 *	or an array of them
 * @nr_bits: number of bits in @mask, at most @elem_size / 8
 * @id: out: identifier for goheap_alloc.layout
 * @mask: address of (@nr_bits + 63) / 64 words of 64 bits; bit n of the mask
 *	set says that the 8 bytes at n * 8 of an element hold a reference or 0;
 *	words of the element beyond @nr_bits hold none
 *
 * Equal layouts get equal identifiers. A mask without a bit set gives
 * GOHEAP_LAYOUT_NOSCAN. EINVAL for an element size of 0 or not a multiple of
 * 8, for too many bits, and for bits set beyond @nr_bits.
 */
struct goheap_layout {
	__u32 size;
	__u32 flags;
	__aligned_u64 elem_size;
	__u32 nr_bits;
	__u32 id;
	__aligned_u64 mask;
};

/**
 * struct goheap_alloc - GOHEAP_IOC_ALLOC: allocate objects of one size
 * @size: sizeof(struct goheap_alloc)
 * @flags: must be 0
 * @bytes: bytes of each object; 0 counts as 1
 * @layout: identifier of the layout
 * @count: number of objects, 1 to goheap_info.max_batch
 * @refs: address of @count references to be filled in
 * @done: out: number of objects allocated
 * @cycles: out: number of completed collections, modulo 2^32
 *
 * The objects are zeroed. They are kept until their references have been
 * written to @refs; from then on the program keeps them, and @refs inside a
 * handle stack does so without a gap. The call fails only if it can give no
 * object; with fewer than @count it returns 0 and says so in @done. It may
 * start a collection and wait for it. @bytes need not be a multiple of the
 * layout's element: the mask is cut off. Objects without references that are
 * smaller than 16 bytes may share a slot, and are then freed together.
 */
struct goheap_alloc {
	__u32 size;
	__u32 flags;
	__aligned_u64 bytes;
	__u32 layout;
	__u32 count;
	__aligned_u64 refs;
	__u32 done;
	__u32 cycles;
};

/**
 * struct goheap_object - GOHEAP_IOC_OBJECT: what a reference refers to
 * @size: sizeof(struct goheap_object)
 * @flags: must be 0
 * @ref: any reference into an object
 * @base: out: reference to the object's first byte
 * @bytes: out: bytes of the object's slot, at least what was asked for
 * @layout: out: a layout with the object's references
 * @reserved: must be 0
 */
struct goheap_object {
	__u32 size;
	__u32 flags;
	__aligned_u64 ref;
	__aligned_u64 base;
	__aligned_u64 bytes;
	__u32 layout;
	__u32 reserved;
};

/**
 * struct goheap_roots - GOHEAP_IOC_ROOT_ADD, _SET, _REMOVE: pinned handles
 * @size: sizeof(struct goheap_roots)
 * @flags: must be 0
 * @count: number of roots, 1 to goheap_info.max_batch
 * @done: out: how many were handled
 * @refs: address of @count references; unused by ROOT_REMOVE
 * @ids: address of @count __u32 identifiers; written by ROOT_ADD, read by
 *	ROOT_SET and ROOT_REMOVE
 *
 * A root keeps the object that its reference points into. ROOT_ADD makes
 * roots, ROOT_SET lets existing ones refer to other objects (or to none, with
 * a reference of 0, which ROOT_ADD takes too), ROOT_REMOVE drops them; an
 * identifier given twice names nothing the second time (ENOENT). Roots belong to the process's
 * attachment. A call handles all or none of its roots.
 */
struct goheap_roots {
	__u32 size;
	__u32 flags;
	__u32 count;
	__u32 done;
	__aligned_u64 refs;
	__aligned_u64 ids;
};

/**
 * struct goheap_collect - GOHEAP_IOC_COLLECT: collect and wait
 * @size: sizeof(struct goheap_collect)
 * @flags: must be 0
 * @cycles: out: completed collections, modulo 2^32
 * @reserved: must be 0
 *
 * Returns when a collection that started after the call has marked and swept
 * the whole heap. Interrupted by a signal handler it returns EINTR and the
 * collection goes on.
 */
struct goheap_collect {
	__u32 size;
	__u32 flags;
	__u32 cycles;
	__u32 reserved;
};

/**
 * enum goheap_param_id - parameters of a heap
 * @GOHEAP_PARAM_GC_PERCENT: GOGC: the heap may grow by so many percent of what
 *	the last collection found live before the next one, at most 10000000;
 *	-1 is off
 * @GOHEAP_PARAM_MEMORY_LIMIT: GOMEMLIMIT: soft limit in bytes of the memory
 *	the heap holds: collections start early enough for it, and then give
 *	back free memory beyond it; S64_MAX is none
 * @GOHEAP_PARAM_MAX_HEAP: hard ceiling in bytes; 0 is none
 * @GOHEAP_PARAM_GCTRACE: 1 writes a line to the kernel log for each cycle, as
 *	long as the heap writes no more than 100 in 5 seconds, and all heaps
 *	together 1000; 2 adds how many objects it has scanned
 * @GOHEAP_PARAM_INVALIDPTR: 1 has a collection that finds bad references write
 *	their number to the kernel log; 0 only counts
 * @GOHEAP_PARAM_SCAVTRACE: 1 writes a line to the kernel log when a sweep or a
 *	FREE_OS_MEMORY is over, that says what was given back since the last
 *	line; counted with those of GCTRACE
 * @GOHEAP_PARAM_MADVDONTNEED: 1 has free memory beyond what the heap will need
 *	soon given back in the background; 0 leaves it until the kernel, the
 *	limit or the ceiling needs it
 * @GOHEAP_PARAM_GCPACERTRACE: 1 writes two lines to the kernel log for each
 *	cycle, and one for each sweep, about the pacer
 * @GOHEAP_PARAM_GCSTOPTHEWORLD: 1 has programs wait for objects while they are
 *	marked; 2 also while they are swept
 * @GOHEAP_PARAM_GCCHECKMARK: 1 has what is reachable looked for a second time
 *	after each marking, with programs held off; what is not marked is
 *	reported in the kernel log, counted, and kept
 * @GOHEAP_PARAM_CLOBBERFREE: 1 fills dead objects with bytes of 0xdb
 * @GOHEAP_PARAM_GCSTRESS: start a cycle each time so many spans have been taken
 *	for allocation; 0 does not. For tests
 * @GOHEAP_PARAM_GCVERIFY: 1 has the heap's structures checked after each marking
 *	and each sweep; a fault makes the kernel warn. For tests
 * @GOHEAP_PARAM_GCPERIOD: start a cycle when there has been none for so many
 *	milliseconds, 1000 or more, but for the first and with GC_PERCENT off; 0
 *	does not
 */
enum goheap_param_id {
	GOHEAP_PARAM_GC_PERCENT = 0,
	GOHEAP_PARAM_MEMORY_LIMIT,
	GOHEAP_PARAM_MAX_HEAP,
	GOHEAP_PARAM_GCTRACE,
	GOHEAP_PARAM_INVALIDPTR,
	GOHEAP_PARAM_SCAVTRACE,
	GOHEAP_PARAM_MADVDONTNEED,
	GOHEAP_PARAM_GCPACERTRACE,
	GOHEAP_PARAM_GCSTOPTHEWORLD,
	GOHEAP_PARAM_GCCHECKMARK,
	GOHEAP_PARAM_CLOBBERFREE,
	GOHEAP_PARAM_GCSTRESS,
	GOHEAP_PARAM_GCVERIFY,
	GOHEAP_PARAM_GCPERIOD,
};

#define GOHEAP_PARAM_SET	(1U << 0)

/**
 * struct goheap_param - GOHEAP_IOC_PARAM: read or change a parameter
 * @size: sizeof(struct goheap_param)
 * @flags: GOHEAP_PARAM_SET to set the parameter to @value
 * @id: enum goheap_param_id
 * @reserved: must be 0
 * @value: new value; must be 0 without GOHEAP_PARAM_SET
 * @old: out: value before the call
 */
struct goheap_param {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 reserved;
	__s64 value;
	__s64 old;
};

#define GOHEAP_NR_SIZE_CLASSES	68

/**
 * struct goheap_class_stats - allocations of one size class
 * @bytes: bytes of a slot; 0 for the large objects of class 0
 * @mallocs: slots handed out since the heap began
 * @frees: slots freed
 */
struct goheap_class_stats {
	__aligned_u64 bytes;
	__aligned_u64 mallocs;
	__aligned_u64 frees;
};

/**
 * struct goheap_stats - GOHEAP_IOC_STATS: Go's MemStats
 * @size: sizeof(struct goheap_stats)
 * @flags: must be 0
 * @alloc: bytes of allocated objects, not yet swept ones included
 * @total_alloc: bytes allocated since the heap began
 * @sys: bytes obtained from the kernel, metadata included, and released ones
 * @mallocs: objects allocated
 * @frees: objects freed
 * @heap_sys: bytes of heap addresses in use or free
 * @heap_idle: bytes of pages without a span, released ones included
 * @heap_inuse: bytes of spans in use
 * @heap_released: bytes of heap addresses without memory behind them
 * @heap_objects: objects allocated and not freed; those that share a slot count
 *	once
 * @heap_live: bytes live as the pacer counts them
 * @heap_marked: bytes found live by the last collection
 * @mspan_inuse: bytes of span descriptors
 * @mcache_inuse: bytes of per-CPU caches
 * @gc_sys: bytes of other metadata: arenas, summaries, work buffers
 * @next_gc: heap size in bytes at which the next collection begins
 * @last_gc: end of the last collection, ns since 1970
 * @pause_total_ns: ns the heap was stopped, all collections together
 * @gc_cpu_ns: ns of CPU time spent collecting
 * @num_gc: completed collections
 * @num_forced_gc: those asked for by a program
 * @tiny_allocs: objects that share a slot
 * @large_alloc_bytes: bytes of large objects allocated
 * @large_free_bytes: bytes of large objects freed
 * @invalid_refs: bad references found by collections
 * @root_count: roots and handle stack slots seen by the last collection
 * @faults: page faults answered on the object region
 * @fault_pages: system pages mapped by them
 * @by_class: by size class
 * @handshakes: threads read by collections
 * @handshake_total_ns: ns that took, all together
 * @handshake_max_ns: ns that the longest of them took
 * @evictions: processes that could not be read and lost the heap
 * @scav_bg_bytes: bytes of memory given back in the background
 * @scav_eager_bytes: bytes given back by allocations, at the limit or the
 *	ceiling, by FREE_OS_MEMORY
 * @scav_bg_ns: ns of CPU time of the background scavenger
 * @check_failures: objects that were reachable and not marked when
 *	GOHEAP_PARAM_GCCHECKMARK had that looked for
 * @check_doubts: objects without a mark that only registers and stacks led to,
 *	which may have been garbage
 * @scav_assist_ns: ns that allocations spent giving memory back
 * @shortages: allocations that found no room and had a collection run to make it;
 *	the file memory/shortages:allocations in sysfs can be polled
 */
struct goheap_stats {
	__u32 size;
	__u32 flags;
	__aligned_u64 alloc;
	__aligned_u64 total_alloc;
	__aligned_u64 sys;
	__aligned_u64 mallocs;
	__aligned_u64 frees;
	__aligned_u64 heap_sys;
	__aligned_u64 heap_idle;
	__aligned_u64 heap_inuse;
	__aligned_u64 heap_released;
	__aligned_u64 heap_objects;
	__aligned_u64 heap_live;
	__aligned_u64 heap_marked;
	__aligned_u64 mspan_inuse;
	__aligned_u64 mcache_inuse;
	__aligned_u64 gc_sys;
	__aligned_u64 next_gc;
	__aligned_u64 last_gc;
	__aligned_u64 pause_total_ns;
	__aligned_u64 gc_cpu_ns;
	__aligned_u64 num_gc;
	__aligned_u64 num_forced_gc;
	__aligned_u64 tiny_allocs;
	__aligned_u64 large_alloc_bytes;
	__aligned_u64 large_free_bytes;
	__aligned_u64 invalid_refs;
	__aligned_u64 root_count;
	__aligned_u64 faults;
	__aligned_u64 fault_pages;
	struct goheap_class_stats by_class[GOHEAP_NR_SIZE_CLASSES];
	__aligned_u64 handshakes;
	__aligned_u64 handshake_total_ns;
	__aligned_u64 handshake_max_ns;
	__aligned_u64 evictions;
	__aligned_u64 scav_bg_bytes;
	__aligned_u64 scav_eager_bytes;
	__aligned_u64 scav_bg_ns;
	__aligned_u64 scav_assist_ns;
	__aligned_u64 check_failures;
	__aligned_u64 check_doubts;
	__aligned_u64 shortages;
};

/**
 * enum goheap_cycle_reason - why a collection was started
 * @GOHEAP_CYCLE_HEAP: the heap reached its goal
 * @GOHEAP_CYCLE_FORCED: a program asked for it
 * @GOHEAP_CYCLE_CEILING: the hard ceiling or the end of memory was reached, or
 *	the kernel was short of memory
 * @GOHEAP_CYCLE_PERIODIC: there had been none for long
 */
enum goheap_cycle_reason {
	GOHEAP_CYCLE_HEAP = 0,
	GOHEAP_CYCLE_FORCED,
	GOHEAP_CYCLE_CEILING,
	GOHEAP_CYCLE_PERIODIC,
};

/**
 * struct goheap_cycle - GOHEAP_IOC_CYCLE: record of one collection
 * @size: sizeof(struct goheap_cycle)
 * @flags: must be 0
 * @cycle: number of the collection, from 1; 0 asks for the last one
 * @start_ns: out: start, ns since the heap was opened
 * @end_ns: out: end of marking, ns since 1970
 * @setup_ns: out: wall time for which the heap was stopped before marking, and
 *	to see whether it was over; with GOHEAP_PARAM_GCSTOPTHEWORLD all of the
 *	marking
 * @mark_ns: out: wall time of marking beside the programs
 * @term_ns: out: wall time for which the heap was stopped to end the cycle
 * @cpu_ns: out: CPU time of the collector in this cycle, sweeping excluded
 * @heap_start: out: live bytes at the start
 * @heap_end: out: live bytes at the end of marking
 * @heap_marked: out: bytes found live
 * @goal: out: heap goal of the cycle in bytes
 * @stack_bytes: out: bytes of stacks, registers and handle stacks scanned
 * @global_bytes: out: bytes of pinned roots and registered variables scanned
 * @nr_cpus: out: number of CPUs
 * @cpu_permille: out: share of CPU time since the heap was opened, 1/1000
 * @reason: out: enum goheap_cycle_reason
 * @reserved: must be 0
 * @assist_ns: out: CPU time for which programs that allocate have marked
 * @idle_ns: out: CPU time for which CPUs without work have marked
 * @scanned_objs: out: objects scanned
 *
 * ENOENT for a cycle that has not ended or is older than the last 256.
 */
struct goheap_cycle {
	__u32 size;
	__u32 flags;
	__aligned_u64 cycle;
	__aligned_u64 start_ns;
	__aligned_u64 end_ns;
	__aligned_u64 setup_ns;
	__aligned_u64 mark_ns;
	__aligned_u64 term_ns;
	__aligned_u64 cpu_ns;
	__aligned_u64 heap_start;
	__aligned_u64 heap_end;
	__aligned_u64 heap_marked;
	__aligned_u64 goal;
	__aligned_u64 stack_bytes;
	__aligned_u64 global_bytes;
	__u32 nr_cpus;
	__u32 cpu_permille;
	__u32 reason;
	__u32 reserved;
	__aligned_u64 assist_ns;
	__aligned_u64 idle_ns;
	__aligned_u64 scanned_objs;
};

/**
 * struct goheap_free_os_memory - GOHEAP_IOC_FREE_OS_MEMORY: debug.FreeOSMemory
 * @size: sizeof(struct goheap_free_os_memory)
 * @flags: must be 0
 * @released: out: bytes given back by this call
 *
 * Collects, sweeps, and gives all memory without a span back to the kernel.
 */
struct goheap_free_os_memory {
	__u32 size;
	__u32 flags;
	__aligned_u64 released;
};

#define GOHEAP_MAX_REFILL	16

/**
 * struct goheap_lease - what GOHEAP_IOC_REFILL is to do with one lease
 * @index: number of the lease, below what the mapping has room for
 * @layout: identifier of the objects' layout
 * @bytes: bytes of an object, up to goheap_info.max_small_size; 0 counts as 1
 * @words: out: number of struct goheap_slots filled, from the lease's first
 * @slot_bytes: out: bytes from one slot to the next
 */
struct goheap_lease {
	__u32 index;
	__u32 layout;
	__aligned_u64 bytes;
	__u32 words;
	__u32 slot_bytes;
};

/**
 * struct goheap_refill - GOHEAP_IOC_REFILL: slots for the calling thread
 * @size: sizeof(struct goheap_refill)
 * @flags: must be 0
 * @count: number of leases, 1 to GOHEAP_MAX_REFILL
 * @done: out: how many were filled
 * @leases: address of @count struct goheap_lease
 * @cycles: out: number of completed collections, modulo 2^32
 * @reserved: must be 0
 * @generation: out: goheap_mutator_page.generation under which they were filled
 *
 * Takes back what is left of each lease and fills it anew with zeroed slots of
 * the class it is asked for. How many follows from how the last ones were used.
 * Slots are objects from the moment they are taken; those that are not taken go
 * back when the lease is refilled, at each collection, and when the thread's
 * mapping or its process ends. The call fails only if no lease could be filled,
 * with the first one's error; it may start a collection and wait for it.
 * ENOTCONN: the calling thread is no mutator.
 */
struct goheap_refill {
	__u32 size;
	__u32 flags;
	__u32 count;
	__u32 done;
	__aligned_u64 leases;
	__u32 cycles;
	__u32 reserved;
	__aligned_u64 generation;
};

/**
 * struct goheap_barrier - GOHEAP_IOC_BARRIER: report references
 * @size: sizeof(struct goheap_barrier)
 * @flags: must be 0
 * @count: number of references, 0 to goheap_info.max_batch
 * @reserved: must be 0
 * @refs: address of an array of them; what is no reference is passed over
 *
 * They are marked if the collector marks. With a @count of 0 the barrier buffer
 * of the calling thread, which is a mutator then (ENOTCONN), is taken in their
 * place and emptied. After EFAULT some of them may have been marked.
 */
struct goheap_barrier {
	__u32 size;
	__u32 flags;
	__u32 count;
	__u32 reserved;
	__aligned_u64 refs;
};

/**
 * enum goheap_range_kind - memory of the process that holds references
 * @GOHEAP_RANGE_STATIC: variables; all of it is looked at
 * @GOHEAP_RANGE_STACK: a stack that the program switches to by itself; when a
 *	mutator runs on it, what lies above its stack pointer, else all
 */
enum goheap_range_kind {
	GOHEAP_RANGE_STATIC = 0,
	GOHEAP_RANGE_STACK,
};

/**
 * struct goheap_range - GOHEAP_IOC_RANGE_ADD, _REMOVE: conservative roots
 * @size: sizeof(struct goheap_range)
 * @flags: must be 0
 * @kind: enum goheap_range_kind; must be 0 for RANGE_REMOVE
 * @reserved: must be 0
 * @start: address of the first byte, a multiple of 8
 * @bytes: length, a multiple of 8, not 0; must be 0 for RANGE_REMOVE
 *
 * Every aligned word of the range that is a reference, or an address in a
 * mapping of the objects, keeps the object it leads into; other words mean
 * nothing. What is not mapped is passed over. Ranges belong to the process's
 * attachment and do not overlap (EEXIST). RANGE_REMOVE names a range by its
 * start (ENOENT). ENOSPC: there are 65536 ranges, or 4 GiB of them.
 *
 * Programs store references to memory that is a range, or to the stack of another
 * thread, as they do to objects: while goheap_status.marking is not 0, the new
 * and the old value go to the barrier buffer before the store. A thread's own
 * stack needs nothing.
 */
struct goheap_range {
	__u32 size;
	__u32 flags;
	__u32 kind;
	__u32 reserved;
	__aligned_u64 start;
	__aligned_u64 bytes;
};

/**
 * struct goheap_reader - GOHEAP_IOC_READER: a file that can only read the heap
 * @size: sizeof(struct goheap_reader)
 * @flags: must be 0
 * @fd: out: descriptor, which execve() closes
 * @reserved: must be 0
 *
 * For processes that are to see the objects and not to change them: it maps the
 * objects for reading alone, takes only commands that change nothing, and cannot
 * be opened anew for writing. It keeps the heap as other descriptors do. What is
 * held by a process that has no other file of the heap is no root: it reads what
 * those that write have made reachable.
 */
struct goheap_reader {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
};

#endif /* _UAPI_LINUX_GOHEAP_H */
