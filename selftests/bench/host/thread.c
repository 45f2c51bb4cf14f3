// SPDX-License-Identifier: GPL-2.0
/*
 * Threads of a program: their control pages, their CPU, and what they hold.
 *
 * A thread is a mutator from the time it maps control pages until it unmaps them,
 * as in the module, and as long it is one of the core's CPUs, which nobody shares
 * with it. That is what a thread has that keeps running on one CPU of a machine;
 * so no more threads can use heaps than NR_CPUS leaves for them.
 *
 * Reading a thread. The module interrupts the CPU it runs on, or reads it where it
 * sleeps; both are done to a thread that runs on, at one moment, in some us. In
 * user space a signal comes closest: the kernel writes all registers of the
 * thread, vector registers included, to its stack, in one piece between the
 * handler's frame and the words that the thread had there, 128 bytes below its
 * stack pointer that a leaf function may use included. So the handler copies
 * everything from the struct it is given up to the end of the stack, and the
 * collector marks the copy. It costs more than an interrupt, some 3 us on a CPU that
 * runs the thread, and more than reading where the thread sleeps, which is woken
 * for it. That is part of what is measured, but not too little.
 *
 * The other way would have been handle stacks, which need no signal. Programs in
 * C and C++ have conservative heaps unless they ask for a precise one, so that is
 * what is compared.
 *
 * A thread in a command is not looked at in the middle of it: the kernel sees what
 * it had when it called. host_ioctl() saves the registers in its frame and says
 * where that is; what is below it is the device's.
 *
 * The signal cannot be missed: it is queued with the place for the copy, and
 * threads that end first unmap their control pages, for which they need the lock
 * that is held until the copy is there. The handler takes no lock.
 *
 * Words that another thread writes meanwhile are copied without its consent, so
 * the copying is not for sanitizers to see. Under ThreadSanitizer, which holds
 * signals back until a thread calls something, only precise heaps work.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "device.h"
#include "gh_port.h"

#define READ_SIGNAL	SIGRTMIN
#define FIRST_WORDS	(64UL << 10)

/**
 * struct self - the calling thread
 * @frame: frame of the call it is in, NULL if in none
 * @end: end of its stack
 * @nr: its mutators
 * @mut: by number of the heap
 */
static __thread struct self {
	u64 *frame;
	u64 *end;
	u32 nr;
	struct gh_mutator *mut[HOST_HEAPS];
} self;

/* CPUs of threads; bit n: taken. */
static u32 cpus;

/* Threads that are mutators, of all heaps, and do not wait for a collector. */
static int running;

static int take_cpu(void)
{
	u32 old = READ_ONCE(cpus), cpu;

	do {
		cpu = __builtin_ctz(~old);
		gh_user_require(cpu < HOST_HELPER, "too many threads");
	} while (!try_cmpxchg(&cpus, &old, old | 1U << cpu));
	return cpu;
}

static void put_cpu_back(int cpu)
{
	__atomic_fetch_and(&cpus, ~(1U << cpu), __ATOMIC_RELEASE);
}

void host_thread_enter(u64 *frame)
{
	WRITE_ONCE(self.frame, frame);
	barrier();
}

void host_thread_leave(void)
{
	barrier();
	WRITE_ONCE(self.frame, NULL);
}

struct gh_mutator *host_thread_mutator(struct host_heap *hh)
{
	return self.mut[hh->number];
}

/* Copies */
static noinline __attribute__((no_sanitize_address, no_sanitize_thread))
void copy(u64 *to, const u64 *from, size_t nr)
{
	while (nr--)
		*to++ = READ_ONCE(*from++);
}

static void make_room(struct host_copy *c, size_t nr)
{
	if (c->words)
		munmap(c->words, c->max * sizeof(u64));
	c->max = nr;
	c->words = host_reserve(c->max * sizeof(u64));
}

void host_copy_init(struct host_copy *c)
{
	sem_init(&c->done, 0, 0);
	make_room(c, FIRST_WORDS);
}

void host_copy_destroy(struct host_copy *c)
{
	munmap(c->words, c->max * sizeof(u64));
	sem_destroy(&c->done);
}

u64 *host_copy_words(struct host_copy *c, const u64 *from, size_t nr)
{
	if (nr > c->max)
		make_room(c, nr);
	copy(c->words, from, nr);
	return c->words;
}

/* In the thread that is to be read. */
static void read_self(int signal, siginfo_t *info, void *context)
{
	struct host_copy *c = info->si_value.sival_ptr;
	const u64 *from = READ_ONCE(self.frame) ?: (u64 *)context;
	int saved = errno;

	c->nr = self.end - from;
	if (c->nr <= c->max)
		copy(c->words, from, c->nr);
	sem_post(&c->done);
	errno = saved;
}

static void read_thread(struct host_copy *c, pthread_t thread)
{
	union sigval value = { .sival_ptr = c };

	gh_user_require(!pthread_sigqueue(thread, READ_SIGNAL, value),
			"a thread that cannot be read");
	while (sem_wait(&c->done))
		;
}

void host_thread_mark(struct host_heap *hh, const struct host_mapping *map,
		      struct gh_mark *m)
{
	struct gh_window window = {
		.base = (uintptr_t)hh->base,
		.bytes = hh->config.aspace,
	};
	struct host_copy *c = &hh->copy;

	read_thread(c, map->thread);
	while (c->nr > c->max) {
		make_room(c, c->nr * 2);
		read_thread(c, map->thread);
	}
	gh_mark_words(m, c->words, c->nr, &window, 1, GH_ROOT_STACK);
}

/* Mutators */
static void begin_thread(void)
{
	struct sigaction action = {
		.sa_sigaction = read_self,
		.sa_flags = SA_SIGINFO | SA_RESTART,
	};
	pthread_attr_t attr;
	size_t bytes;
	void *start;

	sigaction(READ_SIGNAL, &action, NULL);
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstack(&attr, &start, &bytes);
	pthread_attr_destroy(&attr);
	self.end = start + bytes;
	gh_user_cpu = take_cpu();
}

/*
 * Control pages are one mapping here, and the core gets each page of it. Until it
 * has, its own page counts.
 */
struct gh_mutator *host_thread_begin(struct host_heap *hh,
				     struct host_mapping *map)
{
	u32 nr_pages = map->bytes / HOST_OS_PAGE, i;
	struct gh_window window = {
		.base = (uintptr_t)hh->base,
		.bytes = hh->core->aspace,
	};
	struct gh_mutator *mut;
	void *first;

	if (!self.nr++)
		begin_thread();
	mut = gh_mutator_create(hh->core, (nr_pages - 1) * GH_LEASES_PER_PAGE,
				&window);
	gh_user_require(mut, "no memory");
	mutex_lock(&hh->core->mutators_lock);
	mutex_lock(&mut->lock);
	first = mut->pages[0];
	memcpy(map->start, first, HOST_OS_PAGE);
	for (i = 0; i < nr_pages; i++)
		mut->pages[i] = map->start + i * HOST_OS_PAGE;
	mutex_unlock(&mut->lock);
	mutex_unlock(&hh->core->mutators_lock);
	free_page((unsigned long)first);
	self.mut[hh->number] = mut;
	__atomic_fetch_add(&running, 1, __ATOMIC_RELAXED);
	return mut;
}

/* The calling thread waits for the collector, or does not any more. */
void host_thread_waits(bool waits)
{
	__atomic_fetch_add(&running, waits ? -1 : 1, __ATOMIC_RELAXED);
}

/*
 * A thread of the collector's asks. The collector itself is one more that runs,
 * and a helper another one. Threads of the program that sleep count as well.
 */
bool gh_port_cpu_wanted(void)
{
	int others = gh_user_cpu == HOST_COLLECTOR ? 0 : 1;

	return __atomic_load_n(&running, __ATOMIC_RELAXED) + others >=
	       GH_USER_ONLINE;
}

/* The core frees pages at the end: give it some that are its own. */
void host_thread_end(struct host_heap *hh, struct host_mapping *map)
{
	struct gh_mutator *mut = map->mut;
	u32 i;

	mutex_lock(&hh->core->mutators_lock);
	mutex_lock(&mut->lock);
	for (i = 0; i < map->bytes / HOST_OS_PAGE; i++) {
		void *page = (void *)get_zeroed_page(GFP_KERNEL);

		gh_user_require(page, "no memory");
		memcpy(page, mut->pages[i], HOST_OS_PAGE);
		mut->pages[i] = page;
	}
	mutex_unlock(&mut->lock);
	mutex_unlock(&hh->core->mutators_lock);
	__atomic_fetch_sub(&running, 1, __ATOMIC_RELAXED);
	gh_mutator_destroy(hh->core, mut);
	self.mut[hh->number] = NULL;
	if (!--self.nr)
		put_cpu_back(gh_user_cpu);
}
