// SPDX-License-Identifier: GPL-2.0
/*
 * The rules that hold for every command: how sizes, flags, reserved members
 * and pointers are checked, and who may call what.
 *
 * One row of the table below is one command with arguments that are right. A
 * test breaks exactly one thing of them, expects the errno of that thing, and
 * then looks at the heap, which must be as it was. No row may fail without
 * being broken, and the first test sees to that.
 */
#include "layout.h"
#include "mutator.h"

#define BUF_BYTES	16384
#define NO_MEMBER	0xffff

FIXTURE(abi) {
	struct heap heap;
	int fresh;		/* a heap that is not in use, for SETUP */
	goheap_ref ref;		/* a rooted object, also in slot 0 */
	__u32 root;		/* a root of it */
	__u64 mask;
	goheap_ref out_ref;
	__u32 out_id;
	struct mutator mutator;
	struct goheap_lease lease;
	__u64 variable[2];
	struct goheap_stats before;
	char *buf;		/* BUF_BYTES, below 4 GiB, for the structure */
};

FIXTURE_SETUP(abi)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fresh = open(DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fresh);
	self->ref = heap_push(&self->heap, 64, GOHEAP_LAYOUT_NOSCAN);
	ASSERT_NE(0, self->ref);
	ASSERT_EQ(0, gh_root_add(self->heap.fd, self->ref, &self->root));
	ASSERT_EQ(0, gh_collect(self->heap.fd));
	ASSERT_EQ(0, mutator_attach(&self->mutator, self->heap.fd, true));
	self->lease.bytes = 64;
	self->mask = 1;
	self->buf = mmap(NULL, BUF_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buf);
}

FIXTURE_TEARDOWN(abi)
{
	close(self->fresh);
	mutator_detach(&self->mutator);
	heap_close(&self->heap);
}

typedef FIXTURE_DATA(abi) abi_t;

static void fill_setup(abi_t *self, void *p)
{
	struct goheap_setup *arg = p;

	(void)self;
	arg->address_space = GIB;
	arg->max_heap = 0;
}

static void fill_layout(abi_t *self, void *p)
{
	struct goheap_layout *arg = p;

	arg->elem_size = 16;
	arg->nr_bits = 1;
	arg->mask = (uintptr_t)&self->mask;
}

static void fill_alloc(abi_t *self, void *p)
{
	struct goheap_alloc *arg = p;

	arg->bytes = 64;
	arg->layout = GOHEAP_LAYOUT_NOSCAN;
	arg->count = 1;
	arg->refs = (uintptr_t)&self->out_ref;
}

static void fill_object(abi_t *self, void *p)
{
	struct goheap_object *arg = p;

	arg->ref = self->ref;
}

static void fill_root_add(abi_t *self, void *p)
{
	struct goheap_roots *arg = p;

	arg->count = 1;
	arg->refs = (uintptr_t)&self->ref;
	arg->ids = (uintptr_t)&self->out_id;
}

static void fill_root_set(abi_t *self, void *p)
{
	struct goheap_roots *arg = p;

	arg->count = 1;
	arg->refs = (uintptr_t)&self->ref;
	arg->ids = (uintptr_t)&self->root;
}

static void fill_root_remove(abi_t *self, void *p)
{
	struct goheap_roots *arg = p;

	gh_root_add(self->heap.fd, self->ref, &self->out_id);
	arg->count = 1;
	arg->ids = (uintptr_t)&self->out_id;
}

static void fill_param(abi_t *self, void *p)
{
	struct goheap_param *arg = p;

	(void)self;
	arg->id = GOHEAP_PARAM_GC_PERCENT;
	arg->value = 0;
}

static void fill_cycle(abi_t *self, void *p)
{
	struct goheap_cycle *arg = p;

	(void)self;
	arg->cycle = 1;
}

static void fill_refill(abi_t *self, void *p)
{
	struct goheap_refill *arg = p;

	/* Nothing is left of an earlier one, so that statistics do not change. */
	mutator_refill(&self->mutator, self->heap.fd, 0, 64, 0);
	arg->count = 1;
	arg->leases = (uintptr_t)&self->lease;
}

static void fill_barrier(abi_t *self, void *arg)
{
	struct goheap_barrier *b = arg;

	b->count = 1;
	b->refs = (uintptr_t)&self->ref;
}

static void fill_range_add(abi_t *self, void *p)
{
	struct goheap_range *arg = p;

	gh_range_remove(self->heap.fd, &self->variable);
	arg->kind = GOHEAP_RANGE_STATIC;
	arg->start = (uintptr_t)&self->variable;
	arg->bytes = sizeof(self->variable);
}

static void fill_range_remove(abi_t *self, void *p)
{
	struct goheap_range *arg = p;

	gh_range_add(self->heap.fd, GOHEAP_RANGE_STATIC, &self->variable,
		     sizeof(self->variable));
	arg->kind = 0;
	arg->start = (uintptr_t)&self->variable;
	arg->bytes = 0;
}

#define INPUTS	3

/* A pointer member: where it is, and whether the kernel writes through it. */
struct pointer {
	unsigned short member;
	bool written;
};

/* A command: right arguments, and what can be wrong with them. */
struct command {
	const char *name;
	unsigned int cmd;
	__u32 size;
	__u32 min;		/* least size that makes sense */
	__u32 known_flags;
	unsigned short reserved;
	bool changes;		/* needs a descriptor that is open for writing */
	bool attached;		/* needs a mapping */
	bool fresh;		/* needs a heap that is not in use */
	struct pointer pointers[2];
	void (*fill)(abi_t *self, void *arg);
};

#define NONE	{ NO_MEMBER }
#define COMMAND(NAME, type, last)					\
	.name = #NAME, .cmd = GOHEAP_IOC_##NAME,			\
	.size = sizeof(struct goheap_##type),				\
	.min = offsetof(struct goheap_##type, last) +			\
	       sizeof(((struct goheap_##type *)0)->last)
#define RESERVED(type)							\
	.reserved = offsetof(struct goheap_##type, reserved)
#define NO_RESERVED	.reserved = NO_MEMBER
#define READ_BY(type, name)	{ offsetof(struct goheap_##type, name), false }
#define WRITTEN(type, name)	{ offsetof(struct goheap_##type, name), true }

/* The member named in a row is the last that the structure must have. */
static const struct command commands[] = {
	{ COMMAND(INFO, info, abi), RESERVED(info),
	  .pointers = { NONE, NONE } },
	{ COMMAND(SETUP, setup, max_heap), NO_RESERVED, .changes = true,
	  .fresh = true, .pointers = { NONE, NONE }, .fill = fill_setup },
	{ COMMAND(LAYOUT, layout, mask), NO_RESERVED, .changes = true,
	  .pointers = { READ_BY(layout, mask), NONE }, .fill = fill_layout },
	{ COMMAND(ALLOC, alloc, cycles), NO_RESERVED, .changes = true,
	  .attached = true,
	  .pointers = { WRITTEN(alloc, refs), NONE }, .fill = fill_alloc },
	{ COMMAND(OBJECT, object, reserved), RESERVED(object),
	  .pointers = { NONE, NONE }, .fill = fill_object },
	{ COMMAND(ROOT_ADD, roots, ids), NO_RESERVED, .changes = true,
	  .attached = true,
	  .pointers = { READ_BY(roots, refs), WRITTEN(roots, ids) },
	  .fill = fill_root_add },
	{ COMMAND(ROOT_SET, roots, ids), NO_RESERVED, .changes = true,
	  .attached = true,
	  .pointers = { READ_BY(roots, refs), READ_BY(roots, ids) },
	  .fill = fill_root_set },
	{ COMMAND(ROOT_REMOVE, roots, ids), NO_RESERVED, .changes = true,
	  .attached = true, .pointers = { READ_BY(roots, ids), NONE },
	  .fill = fill_root_remove },
	{ COMMAND(COLLECT, collect, reserved), RESERVED(collect),
	  .changes = true, .pointers = { NONE, NONE } },
	{ COMMAND(PARAM, param, old), RESERVED(param),
	  .known_flags = GOHEAP_PARAM_SET,
	  .pointers = { NONE, NONE }, .fill = fill_param },
	{ COMMAND(STATS, stats, alloc), NO_RESERVED,
	  .pointers = { NONE, NONE } },
	{ COMMAND(CYCLE, cycle, start_ns), RESERVED(cycle),
	  .pointers = { NONE, NONE }, .fill = fill_cycle },
	{ COMMAND(FREE_OS_MEMORY, free_os_memory, released), NO_RESERVED,
	  .changes = true, .pointers = { NONE, NONE } },
	{ COMMAND(REFILL, refill, generation), RESERVED(refill),
	  .changes = true, .attached = true,
	  .pointers = { WRITTEN(refill, leases), NONE },
	  .fill = fill_refill },
	{ COMMAND(BARRIER, barrier, refs), RESERVED(barrier),
	  .changes = true, .attached = true,
	  .pointers = { READ_BY(barrier, refs), NONE },
	  .fill = fill_barrier },
	{ COMMAND(RANGE_ADD, range, bytes), RESERVED(range), .changes = true,
	  .attached = true, .pointers = { NONE, NONE },
	  .fill = fill_range_add },
	{ COMMAND(RANGE_REMOVE, range, bytes), RESERVED(range),
	  .changes = true, .attached = true, .pointers = { NONE, NONE },
	  .fill = fill_range_remove },
	{ COMMAND(READER, reader, reserved), RESERVED(reader),
	  .pointers = { NONE, NONE } },
};

#define for_each_command(c)						\
	for (c = commands; c < commands + ARRAY_SIZE(commands); c++)

#define FLAGS_OFFSET	4	/* of all structures but goheap_info */

/* Right arguments for @c at @arg, and in the other members @poison. */
static void prepare_with(abi_t *self, const struct command *c, void *arg,
			 int poison)
{
	memset(arg, poison, c->size);
	*(__u32 *)arg = c->size;
	if (c->cmd != GOHEAP_IOC_INFO)
		*(__u32 *)(arg + FLAGS_OFFSET) = 0;
	if (c->reserved != NO_MEMBER)
		*(__u32 *)(arg + c->reserved) = 0;
	if (c->fill)
		c->fill(self, arg);
	gh_stats(self->heap.fd, &self->before);
}

static void prepare(abi_t *self, const struct command *c, void *arg)
{
	prepare_with(self, c, arg, POISON);
}

static int fd_of(abi_t *self, const struct command *c)
{
	return c->fresh ? self->fresh : self->heap.fd;
}

static int call(abi_t *self, const struct command *c, void *arg)
{
	return gh_ioctl(fd_of(self, c), c->cmd, arg);
}

static bool unchanged(abi_t *self)
{
	struct goheap_stats now;

	return !gh_stats(self->heap.fd, &now) &&
	       stats_same(&self->before, &now) &&
	       heap_has(&self->heap, self->ref);
}

TEST_F(abi, right_arguments)
{
	const struct command *c;

	for_each_command(c) {
		memset(self->buf, POISON, BUF_BYTES);
		prepare(self, c, self->buf);
		EXPECT_EQ(0, call(self, c, self->buf))
			TH_LOG("%s", c->name);
		/* No byte is written behind the structure. */
		EXPECT_TRUE(all_bytes(self->buf + c->size, POISON,
				      BUF_BYTES - c->size))
			TH_LOG("%s", c->name);
		EXPECT_EQ(c->size, *(__u32 *)self->buf)
			TH_LOG("%s", c->name);
	}
}

/* What an answer says does not depend on what was in the buffer. */
TEST_F(abi, answers_are_written)
{
	static const unsigned int pure[] = {
		GOHEAP_IOC_INFO, GOHEAP_IOC_OBJECT, GOHEAP_IOC_CYCLE,
		GOHEAP_IOC_PARAM, GOHEAP_IOC_LAYOUT,
	};
	const struct command *c;
	char other[512];
	unsigned int i;

	for_each_command(c) {
		for (i = 0; i < ARRAY_SIZE(pure); i++)
			if (pure[i] == c->cmd)
				break;
		if (i == ARRAY_SIZE(pure))
			continue;
		prepare_with(self, c, self->buf, POISON);
		prepare_with(self, c, other, POISON ^ 0xff);
		ASSERT_EQ(0, call(self, c, self->buf));
		ASSERT_EQ(0, call(self, c, other));
		for (i = 0; i < c->size; i++) {
			EXPECT_EQ(self->buf[i], other[i])
				TH_LOG("%s, byte %u", c->name, i);
		}
	}
}

TEST_F(abi, too_short)
{
	const struct command *c;
	__u32 size;

	for_each_command(c) {
		for (size = 0; size < c->min; size++) {
			prepare(self, c, self->buf);
			*(__u32 *)self->buf = size;
			EXPECT_EQ(-EINVAL, call(self, c, self->buf))
				TH_LOG("%s, size %u", c->name, size);
			EXPECT_TRUE(unchanged(self))
				TH_LOG("%s, size %u", c->name, size);
		}
	}
}

/* An older program's structure ends before the kernel's. */
TEST_F(abi, shorter)
{
	const struct command *c;
	char full[4096];
	__u32 size;

	for_each_command(c) {
		for (size = c->min; size < c->size; size += 4) {
			prepare_with(self, c, full, 0);
			ASSERT_EQ(0, call(self, c, full));
			memset(self->buf, POISON, BUF_BYTES);
			prepare(self, c, self->buf);
			memset(self->buf + size, POISON, c->size - size);
			*(__u32 *)self->buf = size;
			EXPECT_EQ(0, call(self, c, self->buf))
				TH_LOG("%s, size %u", c->name, size);
			EXPECT_EQ(size, *(__u32 *)self->buf);
			EXPECT_TRUE(all_bytes(self->buf + size, POISON, 4096))
				TH_LOG("%s, size %u", c->name, size);
			/* Readings of clocks apart, the answer is the same. */
			if (c->cmd == GOHEAP_IOC_STATS)
				continue;
			EXPECT_EQ(0, memcmp(self->buf + 4, full + 4, size - 4))
				TH_LOG("%s, size %u", c->name, size);
		}
	}
}

TEST_F(abi, longer_and_zero)
{
	static const unsigned int tails[] = { 1, 4, 8, 64, 1024, 2000 };
	const struct command *c;
	unsigned int i;

	for_each_command(c) {
		for (i = 0; i < ARRAY_SIZE(tails); i++) {
			memset(self->buf, POISON, BUF_BYTES);
			prepare(self, c, self->buf);
			*(__u32 *)self->buf = c->size + tails[i];
			memset(self->buf + c->size, 0, tails[i]);
			EXPECT_EQ(0, call(self, c, self->buf))
				TH_LOG("%s, +%u", c->name, tails[i]);
			EXPECT_TRUE(all_bytes(self->buf + c->size, 0, tails[i]))
				TH_LOG("%s, +%u", c->name, tails[i]);
			EXPECT_TRUE(all_bytes(self->buf + c->size + tails[i],
					      POISON, 64))
				TH_LOG("%s, +%u", c->name, tails[i]);
		}
	}
}

TEST_F(abi, longer_and_not_zero)
{
	static const unsigned int tails[] = { 1, 4, 8, 64, 1024, 2000 };
	const struct command *c;
	unsigned int i, last;

	for_each_command(c) {
		for (i = 0; i < ARRAY_SIZE(tails) * 2; i++) {
			unsigned int tail = tails[i / 2];

			/* The first and the last byte of the tail. */
			last = i % 2 ? tail - 1 : 0;
			prepare(self, c, self->buf);
			*(__u32 *)self->buf = c->size + tail;
			memset(self->buf + c->size, 0, tail);
			self->buf[c->size + last] = 1;
			EXPECT_EQ(-E2BIG, call(self, c, self->buf))
				TH_LOG("%s, byte %u of +%u", c->name, last, tail);
			EXPECT_TRUE(unchanged(self))
				TH_LOG("%s, byte %u of +%u", c->name, last, tail);
		}
	}
}

/* A size beyond all sense ends at the first page that is not there. */
TEST_F(abi, endless)
{
	const struct command *c;
	int ret;

	for_each_command(c) {
		prepare(self, c, self->buf);
		*(__u32 *)self->buf = ~0U;
		memset(self->buf + c->size, 0, BUF_BYTES - c->size);
		ret = call(self, c, self->buf);
		EXPECT_TRUE(ret == -EFAULT || ret == -E2BIG)
			TH_LOG("%s: %d", c->name, ret);
		EXPECT_TRUE(unchanged(self))
			TH_LOG("%s", c->name);
	}
}

TEST_F(abi, unknown_flags)
{
	const struct command *c;
	unsigned int bit;

	for_each_command(c) {
		if (c->cmd == GOHEAP_IOC_INFO)
			continue;
		for (bit = 0; bit < 32; bit++) {
			if (c->known_flags & 1U << bit)
				continue;
			prepare(self, c, self->buf);
			*(__u32 *)(self->buf + FLAGS_OFFSET) = 1U << bit;
			EXPECT_EQ(-EINVAL, call(self, c, self->buf))
				TH_LOG("%s, bit %u", c->name, bit);
			EXPECT_TRUE(unchanged(self))
				TH_LOG("%s, bit %u", c->name, bit);
		}
	}
}

TEST_F(abi, reserved_members)
{
	const struct command *c;
	unsigned int bit;

	for_each_command(c) {
		if (c->reserved == NO_MEMBER)
			continue;
		for (bit = 0; bit < 32; bit++) {
			prepare(self, c, self->buf);
			*(__u32 *)(self->buf + c->reserved) = 1U << bit;
			EXPECT_EQ(-EINVAL, call(self, c, self->buf))
				TH_LOG("%s, bit %u", c->name, bit);
			EXPECT_TRUE(unchanged(self))
				TH_LOG("%s, bit %u", c->name, bit);
		}
	}
}

/* Addresses at which no program has memory. */
static __u64 bad_address(abi_t *self, unsigned int n)
{
	switch (n) {
	case 0:
		return 0;
	case 1:
		return 8;
	case 2:		/* a kernel address */
		return 0xffff888000001000ULL;
	case 3:		/* in no half of the address space */
		return 0x8000000000001000ULL;
	case 4:
		return (uintptr_t)page_with(PROT_NONE);
	case 5:		/* an object page without an object */
		return (uintptr_t)self->heap.base +
		       self->heap.info.address_space - HEAP_PAGE;
	default:
		return ~0ULL - 3;
	}
}

#define NR_BAD_ADDRESSES	7

TEST_F(abi, structure_out_of_reach)
{
	const struct command *c;
	unsigned int n;

	for_each_command(c) {
		prepare(self, c, self->buf);
		for (n = 0; n < NR_BAD_ADDRESSES; n++) {
			EXPECT_EQ(-EFAULT, call(self, c, (void *)(uintptr_t)
						bad_address(self, n)))
				TH_LOG("%s, address %u", c->name, n);
			EXPECT_TRUE(unchanged(self))
				TH_LOG("%s, address %u", c->name, n);
		}
	}
}

/* The structure begins in one page, and the next is not there. */
TEST_F(abi, structure_cut_off)
{
	const struct command *c;
	char *page, *arg;

	page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, munmap(page + PAGE, PAGE));
	for_each_command(c) {
		prepare(self, c, self->buf);
		arg = page + PAGE - 4;
		memcpy(arg, self->buf, 4);
		EXPECT_EQ(-EFAULT, call(self, c, arg))
			TH_LOG("%s", c->name);
		EXPECT_TRUE(unchanged(self))
			TH_LOG("%s", c->name);
	}
}

/*
 * A structure that can be read but not written: what the call did may stand,
 * as for a program that dies at that moment, but the heap must stay sound.
 */
TEST_F(abi, structure_read_only)
{
	const struct command *c;
	char *page;

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	for_each_command(c) {
		prepare(self, c, self->buf);
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ | PROT_WRITE));
		memcpy(page, self->buf, c->size);
		ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
		if (c->cmd == GOHEAP_IOC_SETUP)
			continue;	/* has no answer to write */
		EXPECT_EQ(-EFAULT, call(self, c, page))
			TH_LOG("%s", c->name);
	}
	/* Only the rooted object is left of all that. */
	EXPECT_EQ(1, heap_live(&self->heap));
	EXPECT_TRUE(heap_has(&self->heap, self->ref));
}

TEST_F(abi, pointer_out_of_reach)
{
	const struct command *c;
	unsigned int i, n;

	for_each_command(c) {
		for (i = 0; i < ARRAY_SIZE(c->pointers); i++) {
			const struct pointer *p = &c->pointers[i];

			if (p->member == NO_MEMBER)
				continue;
			for (n = 0; n < NR_BAD_ADDRESSES; n++) {
				prepare(self, c, self->buf);
				*(__u64 *)(self->buf + p->member) =
					bad_address(self, n);
				EXPECT_EQ(-EFAULT, call(self, c, self->buf))
					TH_LOG("%s, member %u, address %u",
					       c->name, p->member, n);
			}
			if (!p->written)
				continue;
			prepare(self, c, self->buf);
			*(__u64 *)(self->buf + p->member) =
				(uintptr_t)page_with(PROT_READ);
			EXPECT_EQ(-EFAULT, call(self, c, self->buf))
				TH_LOG("%s, member %u, read-only",
				       c->name, p->member);
		}
	}
	EXPECT_EQ(1, heap_live(&self->heap));
}

TEST_F(abi, unknown_commands)
{
	static const unsigned char types[] = { 0xb8, 0xba, 0x39, 0xf9, 0x9b };
	unsigned int nr, i;

	memset(self->buf, 0, BUF_BYTES);
	*(__u32 *)self->buf = 64;
	gh_stats(self->heap.fd, &self->before);
	for (nr = ARRAY_SIZE(commands); nr < 256; nr++) {
		EXPECT_EQ(-ENOTTY, gh_ioctl(self->heap.fd,
					    _IO(GOHEAP_IOC_TYPE, nr), self->buf))
			TH_LOG("number %u", nr);
	}
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		for (nr = 0; nr < ARRAY_SIZE(commands); nr++) {
			EXPECT_EQ(-ENOTTY, gh_ioctl(self->heap.fd,
						    _IO(types[i], nr), self->buf))
				TH_LOG("type %#x, number %u", types[i], nr);
		}
	}
	/* Direction and size are parts of a number, too. */
	for (nr = 0; nr < ARRAY_SIZE(commands); nr++) {
		EXPECT_EQ(-ENOTTY,
			  gh_ioctl(self->heap.fd,
				   _IOC(_IOC_READ | _IOC_WRITE, GOHEAP_IOC_TYPE,
					nr, commands[nr].size), self->buf))
			TH_LOG("number %u", nr);
		EXPECT_EQ(-ENOTTY, gh_ioctl(self->heap.fd,
					    _IOC(_IOC_NONE, GOHEAP_IOC_TYPE,
						 nr, 64), self->buf))
			TH_LOG("number %u", nr);
	}
	EXPECT_TRUE(unchanged(self));
}

/* A descriptor that is open for reading asks, and changes nothing. */
TEST_F(abi, read_only_descriptor)
{
	const struct command *c;
	struct goheap_cycle cycle;
	struct goheap_stats stats;
	struct goheap_info info;
	__s64 value = 0;
	int fd;

	fd = open(DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	for_each_command(c) {
		if (!c->changes)
			continue;
		prepare(self, c, self->buf);
		EXPECT_EQ(-EPERM, gh_ioctl(fd, c->cmd, self->buf))
			TH_LOG("%s", c->name);
	}
	EXPECT_EQ(-EPERM, gh_param_set(fd, GOHEAP_PARAM_GC_PERCENT, 50));
	EXPECT_EQ(0, gh_param_get(fd, GOHEAP_PARAM_GC_PERCENT, &value));
	EXPECT_EQ(100, value);
	EXPECT_EQ(0, gh_info(fd, &info));
	EXPECT_EQ(0, gh_stats(fd, &stats));
	EXPECT_EQ(0, stats.mallocs);
	EXPECT_EQ(-ENOENT, gh_cycle(fd, 0, &cycle));
	close(fd);
}

TEST_F(abi, no_mapping)
{
	const struct command *c;
	void *stack;

	for_each_command(c) {
		if (!c->attached)
			continue;
		prepare(self, c, self->buf);
		EXPECT_EQ(-ENOTCONN, gh_ioctl(self->fresh, c->cmd, self->buf))
			TH_LOG("%s", c->name);
	}
	errno = 0;
	stack = map_stack(self->fresh, PAGE);
	EXPECT_EQ(MAP_FAILED, stack);
	EXPECT_EQ(ENOTCONN, errno);
}

TEST_F(abi, nonblocking_descriptor)
{
	goheap_ref ref = NO_REF;
	struct heap h;

	h.fd = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, h.fd);
	ASSERT_EQ(0, gh_setup(h.fd, GIB, 0));
	ASSERT_EQ(0, heap_attach(&h));
	EXPECT_EQ(0, gh_alloc(h.fd, 8, 0, 1, &ref, NULL));
	EXPECT_EQ(h.info.tag, ref >> GOHEAP_REF_TAG_SHIFT);
	EXPECT_EQ(0, gh_collect(h.fd));
	EXPECT_EQ(0, heap_live(&h));
	heap_close(&h);
}

#ifdef __x86_64__
#define NR_IOCTL_32	54

/* A 32-bit program's system call: all pointers are below 4 GiB. */
static int ioctl_32(int fd, unsigned int cmd, void *arg)
{
	long ret;

	asm volatile("int $0x80" : "=a"(ret)
		     : "a"(NR_IOCTL_32), "b"(fd), "c"(cmd), "d"(arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

TEST_F(abi, from_32_bit)
{
	const struct command *c;
	int ret;

	/* Does this kernel have 32-bit system calls at all? */
	prepare(self, &commands[0], self->buf);
	switch (fork()) {
	case 0:
		/* User-mode Linux takes it for setsockopt() of 64 bits. */
		ret = ioctl_32(self->heap.fd, GOHEAP_IOC_INFO, self->buf);
		_exit(ret == -ENOSYS || ret == -ENOTSOCK);
	case -1:
		ASSERT_TRUE(false);
	}
	wait(&ret);
	if (ret)
		SKIP(return, "no 32-bit system calls");

	for_each_command(c) {
		/* Conservative roots are nothing for 32-bit words. */
		int right = c->cmd == GOHEAP_IOC_RANGE_ADD ? -EOPNOTSUPP : 0;

		prepare(self, c, self->buf);
		EXPECT_EQ(right, ioctl_32(fd_of(self, c), c->cmd, self->buf))
			TH_LOG("%s", c->name);
		prepare(self, c, self->buf);
		*(__u32 *)self->buf = 0;
		EXPECT_EQ(-EINVAL, ioctl_32(fd_of(self, c), c->cmd, self->buf))
			TH_LOG("%s", c->name);
		EXPECT_EQ(-EFAULT, ioctl_32(fd_of(self, c), c->cmd, NULL))
			TH_LOG("%s", c->name);
	}
	EXPECT_EQ(-ENOTTY, ioctl_32(self->heap.fd, _IO(GOHEAP_IOC_TYPE, 0x80),
				    self->buf));
}
#endif

TEST_HARNESS_MAIN
