// SPDX-License-Identifier: GPL-2.0
/*
 * Stack pointers that point anywhere. A stack pointer is a register like any
 * other: a program may set it to what it likes, and make a system call or spin
 * with it. The collector takes from there what it can read. Whatever that is,
 * registers are roots, the thread goes on, nobody is evicted, and the kernel
 * is silent.
 *
 * Each place is tried by a thread that runs and by one that sleeps.
 */
#include <elf.h>
#include <sys/auxv.h>

#include "holder.h"

FIXTURE(stackptr) {
	struct heap heap;
	int fd;
};

FIXTURE_SETUP(stackptr)
{
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	self->fd = self->heap.fd;
}

FIXTURE_TEARDOWN(stackptr)
{
	heap_close(&self->heap);
}

#ifdef __x86_64__

/* With the stack pointer at x->sp, and the object only in a register. */
static void hold_at(struct holder *x, goheap_ref ref)
{
	unsigned long sp = x->sp;
	int *ready = &x->ready, *done = &x->done;
	char c;

	if (x->asleep) {
		long nr = SYS_read;

		__asm__ volatile("mov %%rsp, %%r13\n"
				 "mov %[ref], %%r14\n"
				 "xor %[ref], %[ref]\n"
				 "mov %[sp], %%rsp\n"
				 "movl $1, (%[ready])\n"
				 "syscall\n"
				 "mov %%r13, %%rsp\n"
				 : "+a" (nr), [ref] "+r" (ref)
				 : "D" ((long)x->stop[0]), "S" (&c), "d" (1L),
				   [sp] "r" (sp), [ready] "r" (ready)
				 : "rcx", "r11", "r13", "r14", "memory", "cc");
		x->interrupted = nr != 1;
		return;
	}
	__asm__ volatile("mov %%rsp, %%r13\n"
			 "mov %[ref], %%r14\n"
			 "xor %[ref], %[ref]\n"
			 "mov %[sp], %%rsp\n"
			 "movl $1, (%[ready])\n"
			 "1: pause\n"
			 "cmpl $0, (%[done])\n"
			 "je 1b\n"
			 "mov %%r13, %%rsp\n"
			 : [ref] "+r" (ref)
			 : [done] "r" (done), [ready] "r" (ready),
			   [sp] "r" (sp)
			 : "r13", "r14", "memory", "cc");
}

/* The same on an alternate signal stack that is where it is said to be. */
static stack_t odd_stack;

static void hold_on_odd_stack(struct holder *x, goheap_ref ref)
{
	stack_t off = { .ss_flags = SS_DISABLE };

	/* The library's function may look at it; the kernel does not. */
	if (syscall(SYS_sigaltstack, &odd_stack, NULL))
		x->error = -errno;
	hold_at(x, ref);
	syscall(SYS_sigaltstack, &off, NULL);
}

static void try_at(struct __test_metadata *_metadata, struct heap *h,
		   void (*hold)(struct holder *, goheap_ref), unsigned long sp)
{
	for (int asleep = 0; asleep < 2; asleep++) {
		struct holder x = {
			.hold = hold, .sp = sp, .asleep = asleep,
		};

		ASSERT_EQ(0, holder_start(&x, h, NULL));
		EXPECT_GE(10, survivors(h))
			TH_LOG("sp %#lx asleep %d", sp, asleep);
		EXPECT_TRUE(alive(h, x.hid))
			TH_LOG("sp %#lx asleep %d", sp, asleep);
		holder_stop(&x);
		EXPECT_FALSE(x.interrupted);
		EXPECT_EQ(0, x.error);
		EXPECT_EQ(0, gh_collect(h->fd));
		EXPECT_FALSE(alive(h, x.hid))
			TH_LOG("sp %#lx asleep %d", sp, asleep);
	}
}

TEST_F(stackptr, nowhere)
{
	static const unsigned long places[] = {
		0, 1, 8, 64, 127, 128, 129, PAGE, 0x123456,
		0x7ffffffff000 - 8, 0x7ffffffff000, 0x7fffffffffff,
		0x800000000000, 0x8000000000000000, 0xdead000000000000,
		0xffff888000000000, 0xffff888000001008, 0xffffffff81000000,
		0xffffffffff600000, 0xffffffffff600ff8, -PAGE, -PAGE - 1,
		-129, -128, -127, -64, -8, -1,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++)
		try_at(_metadata, &self->heap, hold_at, places[i]);
}

TEST_F(stackptr, unaligned)
{
	char *p = page_with(PROT_READ | PROT_WRITE);

	memset(p, 0, PAGE);
	for (int i = 1; i < 16; i++)
		try_at(_metadata, &self->heap, hold_at,
		       (unsigned long)p + PAGE - 64 + i);
	/* The whole last word, and less than one. */
	for (int i = 0; i <= 8; i++)
		try_at(_metadata, &self->heap, hold_at,
		       (unsigned long)p + PAGE - i);
	munmap(p, PAGE);
}

/* Far from the end of a mapping: only part of it can be read. */
TEST_F(stackptr, large_mapping)
{
	char *p = mmap(NULL, 256 * MIB, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ASSERT_NE(MAP_FAILED, p);
	memset(p + MIB, 0, PAGE);
	try_at(_metadata, &self->heap, hold_at, (unsigned long)p + MIB + 512);
	munmap(p, 256 * MIB);
}

TEST_F(stackptr, other_mappings)
{
	struct heap *h = &self->heap;
	goheap_ref ref = heap_push(h, 16384, 0);
	char *none = page_with(PROT_NONE);
	char *untouched = page_with(PROT_READ | PROT_WRITE);
	char *shared = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int self_fd = open("/proc/self/exe", O_RDONLY);
	char *file = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, self_fd, 0);
	char *beyond = mmap(NULL, GIB, PROT_READ, MAP_PRIVATE, self_fd, 0);
	char *status = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd,
			    GOHEAP_MMAP_STATUS);
	struct mutator m;
	char local;

	ASSERT_NE(0, ref);
	ASSERT_NE(MAP_FAILED, file);
	ASSERT_NE(MAP_FAILED, beyond);
	ASSERT_NE(MAP_FAILED, status);
	ASSERT_EQ(0, mutator_attach(&m, self->fd, true));
	try_at(_metadata, h, hold_at, (unsigned long)none + 512);
	try_at(_metadata, h, hold_at, (unsigned long)untouched + 512);
	try_at(_metadata, h, hold_at, (unsigned long)shared + 512);
	try_at(_metadata, h, hold_at, (unsigned long)file + 512);
	/* Behind the end of the file: SIGBUS for whoever reads it. */
	try_at(_metadata, h, hold_at, (unsigned long)beyond + GIB - 64);
	try_at(_metadata, h, hold_at, getauxval(AT_SYSINFO_EHDR) + 512);
	/* The collector's own. */
	try_at(_metadata, h, hold_at, (unsigned long)h->base);
	try_at(_metadata, h, hold_at, (unsigned long)heap_ptr(h, ref));
	try_at(_metadata, h, hold_at, (unsigned long)h->base +
				      h->info.address_space - 8);
	try_at(_metadata, h, hold_at, (unsigned long)h->stack + 64);
	try_at(_metadata, h, hold_at, (unsigned long)m.page + 64);
	try_at(_metadata, h, hold_at, (unsigned long)status + 64);
	/* The test's own stack, whose thread sleeps and is no mutator's. */
	try_at(_metadata, h, hold_at, (unsigned long)&local);
	mutator_detach(&m);
	close(self_fd);
	munmap(none, PAGE);
	munmap(untouched, PAGE);
	munmap(shared, 4 * PAGE);
	munmap(file, PAGE);
	munmap(beyond, GIB);
	munmap(status, PAGE);
}

/* A signal stack may be said to be anywhere, as long as nobody uses it. */
TEST_F(stackptr, odd_signal_stacks)
{
	static const struct {
		unsigned long start, size, sp;
	} odd[] = {
		{ -16 * PAGE, 16 * PAGE - 8, -256 },
		{ -16 * PAGE, 16 * PAGE - 1, -2 },
		{ -16 * PAGE, 16 * PAGE - 8, -2 * PAGE },
		{ -16 * PAGE, 32 * PAGE, -256 },
		{ 0, 4 * PAGE, 8 },
		{ 0, 65536, 127 },
		{ 0, 65536 - 64, 64 },
		{ 8, 60 * MIB, 16 },
		{ 0, -8UL, PAGE },
		{ 0x7ffffff00000, 2 * MIB, 0x7fffffffff00 },
		{ 0x7ffffff00000, -1UL, 0x7fffffffff00 },
		{ 0xffff888000000000, 64 * KIB, 0xffff888000000100 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++) {
		odd_stack = (stack_t){
			.ss_sp = (void *)odd[i].start, .ss_size = odd[i].size,
		};
		try_at(_metadata, &self->heap, hold_on_odd_stack, odd[i].sp);
	}
}

#endif

TEST_HARNESS_MAIN
