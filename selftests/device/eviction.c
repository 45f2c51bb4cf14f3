// SPDX-License-Identifier: GPL-2.0
/*
 * Processes that cannot be read, and what they must not do to others.
 *
 * A page that a userfaultfd has to fill, and that nobody fills, stands for
 * whatever keeps memory from coming. A process that has one in a stack or in a
 * range loses the heap: the collection goes on after about half a second, the
 * process is told ENOTCONN, its next look at an object is SIGBUS, also at one that
 * it has looked at before, and what it alone has kept goes. A process that is
 * attached to the same heap keeps its objects.
 *
 * Times are printed, and the limits on them are generous, because a virtual
 * machine may stand still.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <setjmp.h>
#include <sys/prctl.h>

#include "holder.h"

#define ROOTS	20

/* Exit status of a child that can have no userfaultfd for the kernel's faults. */
#define NO_UFFD	77

/*
 * What children and their parent tell each other.
 * @hid: what a victim keeps
 * @step: how far it is
 * @busy: another child allocates
 * @stop: it is to end
 * @gap: the longest time, in ns, that an allocation took it
 */
struct report {
	__u64 hid[ROOTS];
	int step;
	int busy;
	int stop;
	__u64 gap;
};

FIXTURE(eviction) {
	struct heap heap;
	int fd;
	goheap_ref mine;
	struct report *r;
	int go[2];
};

FIXTURE_SETUP(eviction)
{
	struct heap *h = &self->heap;

	ASSERT_EQ(0, heap_open(h, GIB, 0));
	self->fd = h->fd;
	self->mine = heap_push(h, 4096, 0);
	ASSERT_NE(0, self->mine);
	memset(heap_ptr(h, self->mine), 0x5a, 4096);
	self->r = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->r);
	ASSERT_EQ(0, pipe(self->go));
}

FIXTURE_TEARDOWN(eviction)
{
	munmap(self->r, PAGE);
	close(self->go[0]);
	close(self->go[1]);
	heap_close(&self->heap);
}

/* Wait for a child's step: 0, or what it has ended with, as wait_for(). */
static int wait_step(struct report *r, int step, pid_t pid)
{
	int status;

	while (__atomic_load_n(&r->step, __ATOMIC_ACQUIRE) < step) {
		if (waitpid(pid, &status, WNOHANG))
			return WIFEXITED(status) ? WEXITSTATUS(status) :
						   -WTERMSIG(status);
		usleep(100);
	}
	return 0;
}

static void set_step(struct report *r, int step)
{
	__atomic_store_n(&r->step, step, __ATOMIC_RELEASE);
}

/* A userfaultfd for pages that nobody fills. In a child, which ends without. */
static int register_missing(void *page, size_t bytes)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)page, .len = bytes },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 && (errno == EPERM || errno == ENOSYS))
		_exit(NO_UFFD);
	CHILD_CHECK(fd >= 0);
	CHILD_CHECK(!ioctl(fd, UFFDIO_API, &api));
	CHILD_CHECK(!ioctl(fd, UFFDIO_REGISTER, &reg));
	return fd;
}

static sigjmp_buf fault_env;

static void on_sigbus(int sig)
{
	siglongjmp(fault_env, sig);
}

/* In the child, once it has been evicted. */
static void check_evicted(struct heap *h, goheap_ref ref)
{
	struct goheap_lease l = { .bytes = 16 };
	goheap_ref other;
	__u32 id;

	CHILD_CHECK(gh_alloc(h->fd, 16, 0, 1, &other, NULL) == -ENOTCONN);
	CHILD_CHECK(gh_root_add(h->fd, ref, &id) == -ENOTCONN);
	CHILD_CHECK(gh_refill(h->fd, &l, 1, NULL) == -ENOTCONN);
	CHILD_CHECK(gh_barrier(h->fd) == -ENOTCONN);
	CHILD_CHECK(gh_range_add(h->fd, 0, h, 8) == -ENOTCONN);
	signal(SIGBUS, on_sigbus);
	if (!sigsetjmp(fault_env, 1)) {
		*(volatile char *)heap_ptr(h, ref) = 1;
		CHILD_CHECK(!"no SIGBUS");
	}
	if (!sigsetjmp(fault_env, 1)) {
		(void)*(volatile char *)heap_ptr(h, ref);
		CHILD_CHECK(!"no SIGBUS when it is read");
	}
}

static __u64 evictions(int fd)
{
	struct goheap_stats stats;

	return gh_stats(fd, &stats) ? ~0ULL : stats.evictions;
}

/* Keep what the parent counts, by handles; and touch it. */
static goheap_ref keep_some(struct heap *h, struct report *r)
{
	goheap_ref ref = 0;
	__u32 id;

	for (int i = 0; i < ROOTS; i++) {
		CHILD_CHECK(!gh_alloc(h->fd, 64, 0, 1, &ref, NULL));
		CHILD_CHECK(!gh_root_add(h->fd, ref, &id));
		*(volatile char *)heap_ptr(h, ref) = 1;
		r->hid[i] = hidden(ref);
	}
	return ref;
}

enum { SLEEPS = 1, SHARED = 2, RANGE = 4, ANSWERED = 8, SWITCHES = 16 };

struct victim {
	struct heap h;
	struct report *r;
	int go;
	int how;
	int uffd;
	char *page;		/* the first that is missing */
	goheap_ref (*filling)[PAGE / sizeof(goheap_ref)];	/* or NULL */
	goheap_ref ref;
	struct mutator m;
};

/* A server that takes its time over every page. */
static void *serve(void *arg)
{
	struct victim *v = arg;
	struct uffd_msg msg;

	while (read(v->uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		size_t off = (msg.arg.pagefault.address & -PAGE) -
			     (uintptr_t)v->page;
		struct uffdio_copy copy = {
			.dst = (uintptr_t)v->page + off,
			.src = (uintptr_t)v->filling + off,
			.len = PAGE,
		};

		usleep(50000);
		CHILD_CHECK(!ioctl(v->uffd, UFFDIO_COPY, &copy));
	}
	return NULL;
}

/* Pages from v->page on are missing. */
static void miss_pages(struct victim *v, size_t nr)
{
	pthread_t t;

	v->uffd = register_missing(v->page, nr * PAGE);
	if (!(v->how & ANSWERED))
		return;
	if (!v->filling)
		v->filling = page_with(PROT_READ | PROT_WRITE);
	CHILD_CHECK(!pthread_create(&t, NULL, serve, v));
}

/* Keep what the parent counts in pages that come when they are asked for. */
static void keep_served(struct victim *v)
{
	v->filling = mmap(NULL, ROOTS * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHILD_CHECK(v->filling != MAP_FAILED);
	for (int i = 0; i < ROOTS; i++) {
		goheap_ref *ref = &v->filling[i][i];

		CHILD_CHECK(!gh_alloc(v->h.fd, 64, 0, 1, ref, NULL));
		v->r->hid[i] = hidden(*ref);
	}
}

/* Frames below here: nothing of them above the missing page is touched. */
static __attribute__((noinline)) void below(struct victim *v)
{
	char c;

	set_step(v->r, 2);
	if (v->how & SLEEPS) {
		CHILD_CHECK(read(v->go, &c, 1) == 1);
	} else {
		struct pollfd p = { .fd = v->go, .events = POLLIN };

		while (!poll(&p, 1, 0))
			mutator_report(&v->m, v->ref);
	}
	if (v->how & ANSWERED)
		CHILD_CHECK(heap_push(&v->h, 16, 0));
	else
		check_evicted(&v->h, v->ref);
	_exit(0);
}

static void *on_bad_stack(void *arg)
{
	struct victim *v = arg;
	volatile char frame[4 * PAGE];
	char *page = (char *)(((uintptr_t)frame + 2 * PAGE) & -PAGE);

	CHILD_CHECK(!mutator_attach(&v->m, v->h.fd, false));
	v->ref = keep_some(&v->h, v->r);
	/* What its control page says counts no longer than handles do. */
	v->m.page->tiny = ~v->r->hid[0];
	v->m.page->barrier[0] = ~v->r->hid[1];
	v->m.page->nr_barrier = 1;
	CHILD_CHECK(!madvise(page, PAGE, v->how & SHARED ? MADV_REMOVE :
						   MADV_DONTNEED));
	v->page = page;
	miss_pages(v, 1);
	below(v);
	frame[0] = 0;
	return NULL;
}

static void run_victim(struct heap *h, struct report *r, int go, int how)
{
	static struct victim v;
	size_t bytes = 64 * PAGE;
	pthread_attr_t attr;
	pthread_t t;
	char *stack;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	heap_detach(h);
	CHILD_CHECK(!heap_attach(h));
	v = (struct victim){ .h = *h, .r = r, .go = go, .how = how };
	stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS |
		     (how & SHARED ? MAP_SHARED : MAP_PRIVATE), -1, 0);
	CHILD_CHECK(stack != MAP_FAILED);
	if (how & RANGE) {
		CHILD_CHECK(!gh_range_add(h->fd, how & SWITCHES ?
					  GOHEAP_RANGE_STACK :
					  GOHEAP_RANGE_STATIC, stack, bytes));
		v.page = stack + PAGE;
		if (how & ANSWERED)
			keep_served(&v);
		else
			v.ref = keep_some(h, r);
		miss_pages(&v, how & ANSWERED ? ROOTS : 1);
		below(&v);
	}
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack, bytes);
	CHILD_CHECK(!pthread_create(&t, &attr, on_bad_stack, &v));
	for (;;)
		pause();
}

/* Until it is as bad as it gets: 0, or what it has ended with. */
static int start_victim(FIXTURE_DATA(eviction) *self, int how, pid_t *pid)
{
	self->r->step = 0;
	*pid = fork();
	if (!*pid)
		run_victim(&self->heap, self->r, self->go[0], how);
	return *pid < 0 ? *pid : wait_step(self->r, 2, *pid);
}

static void try_victim(struct __test_metadata *_metadata,
		       FIXTURE_DATA(eviction) *self, int how)
{
	struct heap *h = &self->heap;
	int status, gone = 0;
	long ms;
	pid_t pid;

	status = start_victim(self, how, &pid);
	if (status == NO_UFFD)
		SKIP(return, "no userfaultfd for the kernel's faults");
	ASSERT_EQ(0, status);
	ms = timed_collect(self->fd);
	TH_LOG("a collection of %ld ms", ms);
	EXPECT_LE(0, ms);
	EXPECT_GT(20000, ms);
	/* That one may have seen the victim's handles before its stack. */
	ms = timed_collect(self->fd);
	TH_LOG("the next one: %ld ms", ms);
	EXPECT_GT(20000, ms);
	for (int i = 0; i < ROOTS; i++)
		gone += !alive(h, self->r->hid[i]);
	EXPECT_EQ(how & ANSWERED ? 0 : ROOTS, gone);
	EXPECT_TRUE(all_bytes(heap_ptr(h, self->mine), 0x5a, 4096));
	ASSERT_EQ(1, write(self->go[1], "", 1));
	status = wait_for(pid);
	EXPECT_EQ(0, status);
	EXPECT_TRUE(heap_has(h, self->mine));
	EXPECT_NE(0, heap_push(h, 64, 0));
	h->stack->top = 1;
	/* Who has asked for the victim's pages may hold its memory for a moment. */
	for (int i = 0; i < 100 && heap_live(h) != 1; i++)
		usleep(20000);
	EXPECT_EQ(1, heap_live(h));
	EXPECT_EQ(how & ANSWERED ? 0 : 1, evictions(self->fd));
}

TEST_F(eviction, stack_asleep)
{
	try_victim(_metadata, self, SLEEPS);
}

TEST_F(eviction, stack_running)
{
	try_victim(_metadata, self, 0);
}

TEST_F(eviction, shared_stack_asleep)
{
	try_victim(_metadata, self, SLEEPS | SHARED);
}

TEST_F(eviction, shared_stack_running)
{
	try_victim(_metadata, self, SHARED);
}

TEST_F(eviction, range)
{
	try_victim(_metadata, self, RANGE | SLEEPS);
}

TEST_F(eviction, shared_range)
{
	try_victim(_metadata, self, RANGE | SHARED | SLEEPS);
}

TEST_F(eviction, switched_stack)
{
	try_victim(_metadata, self, RANGE | SWITCHES | SLEEPS);
}

/*
 * A program that fills its memory when it is asked for, as one does that has been
 * restored from a checkpoint, is not evicted, though all of it takes a second.
 */
TEST_F(eviction, answered_stack)
{
	try_victim(_metadata, self, ANSWERED | SLEEPS);
}

TEST_F(eviction, answered_range)
{
	try_victim(_metadata, self, ANSWERED | RANGE | SLEEPS);
}

TEST_F(eviction, answered_shared_range)
{
	try_victim(_metadata, self, ANSWERED | SHARED | RANGE | SLEEPS);
}

static void run_busy(struct heap *h, struct report *r)
{
	struct mutator m;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	heap_detach(h);
	CHILD_CHECK(!heap_attach(h));
	CHILD_CHECK(!mutator_attach(&m, h->fd, false));
	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		__u64 ns = now_ns();

		CHILD_CHECK(mutator_new(&m, h->fd, 0, 16, 0));
		ns = now_ns() - ns;
		if (ns > r->gap)
			r->gap = ns;
		__atomic_store_n(&r->busy, 1, __ATOMIC_RELEASE);
		usleep(100);
	}
	_exit(0);
}

/* Another process goes on, also where its control pages are taken away. */
TEST_F(eviction, others_go_on)
{
	struct report *r = self->r;
	pid_t victim, busy;
	int status;
	long ms;

	status = start_victim(self, RANGE | SWITCHES | SLEEPS, &victim);
	if (status == NO_UFFD)
		SKIP(return, "no userfaultfd for the kernel's faults");
	ASSERT_EQ(0, status);
	busy = fork();
	ASSERT_LE(0, busy);
	if (!busy)
		run_busy(&self->heap, r);
	while (!__atomic_load_n(&r->busy, __ATOMIC_ACQUIRE))
		usleep(100);
	ms = timed_collect(self->fd);
	__atomic_store_n(&r->stop, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, wait_for(busy));
	TH_LOG("a collection of %ld ms, an allocation of %llu us meanwhile", ms,
	       r->gap / 1000);
	EXPECT_EQ(1, evictions(self->fd));
	EXPECT_LT(0, ms);
	EXPECT_GT(ms * 1000000 / 2, r->gap);
	kill(victim, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_for(victim));
}

/* However many ranges cannot be read, a process is waited for once. */
TEST_F(eviction, many_ranges)
{
	enum { N = 8 };
	struct heap *h = &self->heap;
	pid_t pid = fork();
	int status;
	long ms;

	ASSERT_LE(0, pid);
	if (!pid) {
		heap_detach(h);
		CHILD_CHECK(!heap_attach(h));
		for (int i = 0; i < N; i++) {
			/* Not side by side: each is a mapping of its own. */
			char *p = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE |
				       MAP_ANONYMOUS, -1, 0) + PAGE;

			CHILD_CHECK(!mprotect(p, PAGE, PROT_READ | PROT_WRITE));
			CHILD_CHECK(!gh_range_add(h->fd, 0, p, PAGE));
			register_missing(p, PAGE);
		}
		set_step(self->r, 2);
		for (;;)
			pause();
	}
	status = wait_step(self->r, 2, pid);
	if (status == NO_UFFD)
		SKIP(return, "no userfaultfd for the kernel's faults");
	ASSERT_EQ(0, status);
	ms = timed_collect(self->fd);
	TH_LOG("a collection of %ld ms", ms);
	EXPECT_GT(20000, ms);
	EXPECT_EQ(1, evictions(self->fd));
	EXPECT_TRUE(heap_has(h, self->mine));
	ASSERT_EQ(0, kill(pid, 0));
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, wait_for(pid));
}

/*
 * A large range of which little exists takes time, and is no reason to evict;
 * nor are mappings of the heap itself, as when a program registers all of its
 * writable memory.
 */
TEST_F(eviction, not_for_holes)
{
	struct heap *h = &self->heap;
	char *p = mmap(NULL, 4 * GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct mutator m;
	__u64 hid;
	long ms;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, mutator_attach(&m, self->fd, true));
	ASSERT_EQ(0, gh_range_add(self->fd, 0, p, GIB));
	ASSERT_EQ(0, gh_range_add(self->fd, 0, h->stack, STACK_BYTES));
	ASSERT_EQ(0, gh_range_add(self->fd, 0, m.page, MUTATOR_PAGES * PAGE));
	hid = new_hidden(self->fd);
	*(goheap_ref *)(p + GIB - 8) = ~hid;
	*(goheap_ref *)(p + 17 * PAGE) = ~hid;
	ms = timed_collect(self->fd);
	TH_LOG("1 GiB of holes: %ld ms", ms);
	EXPECT_TRUE(alive(h, hid));
	munmap(p + MIB, GIB - 2 * MIB);
	ms = timed_collect(self->fd);
	TH_LOG("1 GiB of nothing: %ld ms", ms);
	EXPECT_TRUE(alive(h, hid));
	EXPECT_NE(0, mutator_new(&m, self->fd, 0, 16, 0));
	EXPECT_EQ(0, gh_range_remove(self->fd, p));
	EXPECT_EQ(0, gh_collect(self->fd));
	EXPECT_FALSE(alive(h, hid));
	mutator_detach(&m);
	munmap(p, 4 * GIB);
}

/* Attached again, an evicted process begins anew. */
TEST_F(eviction, attaches_again)
{
	struct heap *h = &self->heap;
	pid_t pid = fork();
	int status;

	ASSERT_LE(0, pid);
	if (!pid) {
		struct mutator m, again;
		struct heap old;
		char *p;

		heap_detach(h);
		CHILD_CHECK(!heap_attach(h));
		/* Not before: it would lie where the parent's stack was. */
		p = page_with(PROT_READ | PROT_WRITE);
		CHILD_CHECK(!mutator_attach(&m, h->fd, false));
		CHILD_CHECK(!gh_range_add(h->fd, 0, p, PAGE));
		register_missing(p, PAGE);
		CHILD_CHECK(all_bytes(heap_ptr(h, self->mine), 0x5a, 4096));
		CHILD_CHECK(!gh_collect(h->fd));
		old = *h;
		check_evicted(&old, self->mine);
		CHILD_CHECK(!heap_attach(h));
		CHILD_CHECK(!mutator_attach(&again, h->fd, false));
		CHILD_CHECK(mutator_new(&again, h->fd, 0, 16, 0));
		CHILD_CHECK(heap_push(h, 16, 0));
		CHILD_CHECK(!gh_collect(h->fd));
		CHILD_CHECK(heap_has(h, h->stack->slots[0]));
		CHILD_CHECK(all_bytes(heap_ptr(h, self->mine), 0x5a, 4096));
		/* The old mappings stay what they are. */
		mutator_detach(&m);
		heap_detach(&old);
		CHILD_CHECK(mutator_new(&again, h->fd, 0, 16, 0));
		_exit(0);
	}
	status = wait_for(pid);
	if (status == NO_UFFD)
		SKIP(return, "no userfaultfd for the kernel's faults");
	EXPECT_EQ(0, status);
	EXPECT_EQ(1, evictions(self->fd));
	EXPECT_EQ(1, heap_live(h));
}

TEST_HARNESS_MAIN
