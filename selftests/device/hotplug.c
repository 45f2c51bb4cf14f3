// SPDX-License-Identifier: GPL-2.0
/*
 * A CPU that goes away.
 *
 * Each CPU caches for each heap a span per span class, a block for tiny objects
 * and free pages. Nobody allocates from that cache any more once the CPU is
 * offline, so the module takes it apart then. Whether it did can be counted: a
 * thread bound to CPU 1 makes spans of which it uses a few slots, the CPU goes,
 * and exactly as many slots as are left, and as many pages as are idle, can be
 * allocated on another CPU before the heap grows. Collections are off
 * meanwhile, since each of them takes the caches of all CPUs apart, too.
 *
 * Objects, and the counts of what was allocated and freed, belong to no CPU and
 * stay what they were.
 *
 * Whatever happens, the CPU is put back.
 */
#include <stdatomic.h>

#include "movers.h"

#define CPU		1	/* the one that goes */
#define OTHER_CPU	0
#define ONLINE		"/sys/devices/system/cpu/cpu1/online"

static bool cpu_set_online(bool online)
{
	char is = 0;
	bool ok;
	int fd;

	fd = open(ONLINE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = write(fd, online ? "1" : "0", 1) == 1 &&
	     pread(fd, &is, 1, 0) == 1;
	close(fd);
	return ok && is == (online ? '1' : '0');
}

/* Let the calling thread run on one CPU only. */
static int run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

/* The process that runs the tests outlives a test that does not end well. */
static bool put_back;

static void __attribute__((destructor)) put_cpu_back(void)
{
	if (put_back)
		cpu_set_online(true);
}

/* Why there is nothing to test, or NULL; CPU 1 stays as it is. */
static const char *missing(void)
{
	const char *why = NULL;
	cpu_set_t before;
	char is = 0;
	int fd;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return "only one CPU";
	fd = open(ONLINE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return "cannot write " ONLINE;
	if (read(fd, &is, 1) != 1 || is != '1')
		why = "CPU 1 is not online";
	close(fd);
	sched_getaffinity(0, sizeof(before), &before);
	if (!why && (run_on(CPU) || run_on(OTHER_CPU)))
		why = "may not run on CPUs 0 and 1";
	sched_setaffinity(0, sizeof(before), &before);
	return why;
}

static void __attribute__((constructor)) look_for_cpu(void)
{
	put_back = !missing();
}

FIXTURE(hotplug) {
	const char *missing;
	struct heap heap;
	int unused;		/* a heap that is never used */
	cpu_set_t cpus;
};

FIXTURE_SETUP(hotplug)
{
	self->missing = missing();
	ASSERT_EQ(0, sched_getaffinity(0, sizeof(self->cpus), &self->cpus));
	self->unused = open(DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->unused);
}

FIXTURE_TEARDOWN(hotplug)
{
	if (!self->missing) {
		EXPECT_TRUE(cpu_set_online(true));
	}
	sched_setaffinity(0, sizeof(self->cpus), &self->cpus);
	close(self->unused);
}

/* What CPU 1 allocates, each kind of a span class of its own, tiny apart. */
static const struct kind {
	__u64 bytes;
	unsigned int nr;
	bool node;		/* { next, value } */
} kinds[] = {
	{ 16, 5, true },
	{ 5, 3 },		/* tiny: the three share a slot */
	{ 100, 7 },
	{ 1000, 2 },
	{ 5000, 1 },
	{ 9000, 2 },
	{ 20000, 1 },
};

/* Handle stack slot @n is of kind @kinds[kind_of[n]]. */
static unsigned char kind_of[STACK_SLOTS];

static bool push_kind(struct heap *h, __u32 node, unsigned int kind,
		      unsigned int nr)
{
	const struct kind *k = &kinds[kind];
	__u64 first = h->stack->top, i;

	if (heap_push_many(h, k->bytes, k->node ? node : 0, nr) != nr)
		return false;
	for (i = first; i < first + nr; i++) {
		goheap_ref ref = h->stack->slots[i];
		char *p = heap_ptr(h, ref);

		kind_of[i] = kind;
		if (!all_bytes(p, 0, k->bytes))
			return false;
		memset(p, i % 251 + 1, k->bytes);
		if (k->node)
			*heap_word(h, ref, 0) = h->stack->slots[first];
	}
	return true;
}

/* Do the objects in the first @nr slots hold what push_kind() wrote? */
static bool intact(struct heap *h, __u64 nr)
{
	__u64 i;

	for (i = 0; i < nr; i++) {
		const struct kind *k = &kinds[kind_of[i]];
		char *p = heap_ptr(h, h->stack->slots[i]);
		unsigned int skip = k->node ? 8 : 0;

		if (!all_bytes(p + skip, i % 251 + 1, k->bytes - skip))
			return false;
	}
	return true;
}

/* Bytes of free slots in spans that CPUs hold; none is swept meanwhile. */
static __u64 cached(const struct goheap_stats *stats)
{
	return stats->heap_live - stats->alloc;
}

static void reuse(struct __test_metadata *_metadata, struct heap *h)
{
	struct goheap_stats before, gone, stats;
	__u64 room[ARRAY_SIZE(kinds)];
	struct goheap_object obj;
	__u64 first, pages;
	unsigned int i;
	__u32 node;

	node = gh_layout_words(h->fd, 2, 1);
	ASSERT_NE(~0U, node);

	/* Spans with free slots, a tiny block with room, and free pages. */
	ASSERT_EQ(0, run_on(CPU));
	ASSERT_EQ(0, gh_stats(h->fd, &before));
	ASSERT_EQ(0, cached(&before));
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		first = h->stack->top;
		ASSERT_TRUE(push_kind(h, node, i, kinds[i].nr));
		ASSERT_EQ(0, gh_stats(h->fd, &stats));
		ASSERT_EQ(0, gh_object(h->fd, h->stack->slots[first], &obj));
		room[i] = (cached(&stats) - cached(&before)) / obj.bytes;
		ASSERT_LT(0, room[i])
			TH_LOG("%llu bytes", kinds[i].bytes);
		before = stats;
	}
	first = h->stack->top;
	EXPECT_EQ(first, before.mallocs);
	/* Of objects that share a slot all but one count as freed. */
	EXPECT_EQ(2, before.tiny_allocs);
	EXPECT_EQ(2, before.frees);

	ASSERT_EQ(0, run_on(OTHER_CPU));
	ASSERT_TRUE(cpu_set_online(false));
	EXPECT_EQ(-EINVAL, run_on(CPU));
	ASSERT_EQ(0, gh_stats(h->fd, &gone));
	EXPECT_TRUE(stats_same(&before, &gone));
	EXPECT_EQ(before.heap_inuse, gone.heap_inuse);
	EXPECT_EQ(before.heap_sys, gone.heap_sys);
	EXPECT_EQ(0, cached(&gone));
	EXPECT_TRUE(intact(h, first));

	/* Every slot that was left; 16 bytes are of the tiny objects' class. */
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];
		__u64 bytes = k->bytes < 16 ? 16 : k->bytes;

		ASSERT_EQ(room[i], heap_push_many(h, bytes, k->node ? node : 0,
						  room[i]))
			TH_LOG("%llu bytes", k->bytes);
		ASSERT_EQ(0, gh_stats(h->fd, &stats));
		EXPECT_EQ(gone.heap_inuse, stats.heap_inuse)
			TH_LOG("%llu bytes", k->bytes);
	}
	EXPECT_EQ(0, cached(&stats));

	/* Every idle page but the first, which no object ever gets. */
	pages = stats.heap_idle / HEAP_PAGE - 1;
	ASSERT_LT(0, pages);
	ASSERT_EQ(pages, heap_push_many(h, HEAP_PAGE, 0, pages));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(gone.heap_sys, stats.heap_sys);
	EXPECT_EQ(HEAP_PAGE, stats.heap_idle);

	/* And that was all there was. */
	ASSERT_NE(0, heap_push(h, HEAP_PAGE, 0));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_LT(gone.heap_sys, stats.heap_sys);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *k = &kinds[i];
		__u64 inuse = stats.heap_inuse;

		ASSERT_NE(0, heap_push(h, k->bytes, k->node ? node : 0));
		ASSERT_EQ(0, gh_stats(h->fd, &stats));
		EXPECT_LT(inuse, stats.heap_inuse)
			TH_LOG("%llu bytes", k->bytes);
	}
	EXPECT_TRUE(intact(h, first));

	/* The CPU comes back with nothing, and works. */
	ASSERT_TRUE(cpu_set_online(true));
	ASSERT_EQ(0, run_on(CPU));
	EXPECT_EQ(CPU, sched_getcpu());
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		ASSERT_NE(0, heap_push(h, kinds[i].bytes,
				       kinds[i].node ? node : 0));
	}
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(h->stack->top, stats.mallocs);
	EXPECT_EQ(stats.tiny_allocs, stats.frees);
	EXPECT_EQ(h->stack->top - stats.tiny_allocs, heap_live(h));
	EXPECT_TRUE(intact(h, first));
	h->stack->top = 0;
	EXPECT_EQ(0, heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &gone));
	EXPECT_EQ(stats.mallocs, gone.mallocs);
	EXPECT_EQ(stats.mallocs, gone.frees);
	EXPECT_EQ(0, gone.alloc);
}

TEST_F(hotplug, reuse)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	reuse(_metadata, &self->heap);
	heap_close(&self->heap);
}

/* A heap made while the CPU is away. */
TEST_F(hotplug, reuse_opened_without)
{
	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_TRUE(cpu_set_online(false));
	ASSERT_EQ(0, heap_open(&self->heap, GIB, 0));
	ASSERT_TRUE(cpu_set_online(true));
	reuse(_metadata, &self->heap);
	heap_close(&self->heap);
}

/*
 * Threads at work. Each keeps lists whose heads are in its handle stack; a node
 * tells whose it is. One thread goes to CPU 1 whenever it can, and another one
 * collects now and then.
 */
#define LISTS		16
#define SCRATCH		LISTS
#define COLLECTOR	2

struct lister {
	struct heap *heap;
	struct goheap_stack *stack;
	__u32 node;		/* { next, value, check } */
	unsigned int id;
	atomic_ulong steps;
	__u64 allocs;
	__u64 nodes;		/* that its lists have at the end */
	int error;
};

static atomic_bool done;	/* or gone wrong */
static atomic_bool calm;	/* no collections */

static __u64 check_of(const struct lister *w, __u64 value)
{
	return (value ^ w->id) * 0x9e3779b97f4a7c15ULL >> 20;
}

/* Length of a list, or -1 if a node of it is not what it was. */
static long list_length(struct lister *w, unsigned int list)
{
	struct heap *h = w->heap;
	goheap_ref ref;
	long n = 0;

	for (ref = w->stack->slots[list]; ref; ref = *heap_word(h, ref, 0)) {
		if (*heap_word(h, ref, 2) !=
		    check_of(w, *heap_word(h, ref, 1)))
			return -1;
		n++;
	}
	return n;
}

static int add_node(struct lister *w, unsigned int list, __u64 value)
{
	goheap_ref *slots = w->stack->slots;
	struct heap *h = w->heap;
	int err;

	err = gh_alloc(h->fd, 24, w->node, 1, &slots[SCRATCH], NULL);
	if (err)
		return err;
	w->allocs++;
	*heap_word(h, slots[SCRATCH], 1) = value;
	*heap_word(h, slots[SCRATCH], 2) = check_of(w, value);
	heap_set(h, slots[SCRATCH], 0, slots[list]);
	heap_store(h, &slots[list], slots[SCRATCH]);
	return 0;
}

static int add_garbage(struct lister *w, __u64 bytes)
{
	goheap_ref refs[8];
	__u32 nr;
	int err;

	err = gh_alloc(w->heap->fd, bytes, 0, ARRAY_SIZE(refs), refs, &nr);
	if (!err)
		w->allocs += nr;
	return err;
}

static void *keep_lists(void *arg)
{
	struct lister *w = arg;
	__u64 seed = w->id + 1;
	unsigned int list;
	long n;

	w->stack->top = LISTS + 1;
	while (!atomic_load(&done) && !w->error) {
		list = rnd(&seed) % LISTS;
		switch (rnd(&seed) % 32) {
		case 0:
			heap_store(w->heap, &w->stack->slots[list], 0);
			break;
		case 1:
			if (list_length(w, list) < 0)
				w->error = -EIO;
			break;
		case 2 ... 4:
			w->error = add_garbage(w, rnd(&seed) % 3000);
			break;
		case 8:
			/* Refused while the CPU is away. */
			if (w->id == CPU)
				run_on(CPU);
			break;
		case 9:
			if (w->id == COLLECTOR && !atomic_load(&calm))
				w->error = gh_collect(w->heap->fd);
			break;
		default:
			w->error = add_node(w, list, seed);
		}
		atomic_fetch_add(&w->steps, 1);
	}
	atomic_store(&done, true);
	for (list = 0; list < LISTS; list++) {
		n = list_length(w, list);
		if (n < 0)
			w->error = -EIO;
		else
			w->nodes += n;
	}
	return NULL;
}

/* Wait until a counter has moved on; what does not move is a hang. */
static void wait_for_more(atomic_ulong *counter, unsigned long more)
{
	unsigned long start = atomic_load(counter);

	while (atomic_load(counter) - start < more && !atomic_load(&done))
		usleep(1000);
}

static void wait_for_all(struct lister *listers, unsigned int nr,
			 unsigned long steps)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		wait_for_more(&listers[i].steps, steps);
}

TEST_F(hotplug, at_work)
{
	enum { THREADS = 3, STEPS = 200 };
	static struct lister listers[THREADS];
	pthread_t threads[THREADS];
	struct heap *h = &self->heap;
	__u64 nodes = 0, allocs = 0;
	struct goheap_stats stats;
	unsigned int round, i;
	bool ok = true;
	__u32 node;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, heap_open(h, GIB, 0));
	node = gh_layout_words(h->fd, 3, 1);
	ASSERT_EQ(0, gh_param_set(h->fd, GOHEAP_PARAM_MAX_HEAP, 64 * MIB));
	for (i = 0; i < THREADS; i++) {
		listers[i].heap = h;
		listers[i].stack = map_stack(h->fd, PAGE);
		listers[i].node = node;
		listers[i].id = i;
		ASSERT_NE(MAP_FAILED, listers[i].stack);
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, keep_lists,
					    &listers[i]));
	}

	/* No ASSERT: the threads have to be told. */
	for (round = 0; ok && round < 10U * test_length(); round++) {
		/* It goes amid collections, or without any: with full caches. */
		atomic_store(&calm, round % 2);
		ok = !gh_param_set(h->fd, GOHEAP_PARAM_GC_PERCENT,
				   round % 2 ? -1 : 100);
		wait_for_all(listers, THREADS, STEPS);
		ok = ok && cpu_set_online(false);
		atomic_store(&calm, false);
		wait_for_all(listers, THREADS, STEPS);
		ok = ok && cpu_set_online(true);
	}
	EXPECT_TRUE(ok)
		TH_LOG("round %u", round);
	EXPECT_FALSE(atomic_load(&done));
	atomic_store(&done, true);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(0, listers[i].error)
			TH_LOG("thread %u", i);
		nodes += listers[i].nodes;
		allocs += listers[i].allocs;
	}

	EXPECT_LT(0, nodes);
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_LT(0, stats.num_forced_gc);
	/* A block that is open for tiny objects outlives one collection. */
	EXPECT_EQ(0, gh_collect(h->fd));
	EXPECT_EQ(nodes, heap_live(h));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(allocs, stats.mallocs);
	EXPECT_EQ(allocs, stats.frees + nodes);
	EXPECT_EQ(nodes * 24, stats.alloc);
	EXPECT_EQ(0, stats.invalid_refs);
	heap_close(h);
}

/*
 * In the middle of cycles: the CPU comes and goes as fast as it can while threads
 * move references, and the collector with its helpers marks without a break.
 */
static atomic_uint toggles;

static void *toggle(void *arg __attribute__((unused)))
{
	long ok = 1;

	while (!atomic_load(&done) && ok) {
		ok = cpu_set_online(false) && cpu_set_online(true);
		atomic_fetch_add(&toggles, 1);
	}
	atomic_store(&done, true);
	return (void *)ok;
}

TEST_F(hotplug, in_a_cycle)
{
	enum { TOGGLES = 10, CYCLES = 15 };
	struct heap *h = &self->heap;
	struct goheap_stats stats;
	unsigned int cycles;
	struct movers all;
	pthread_t t;
	void *ok;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	ASSERT_EQ(0, heap_open(h, GIB, 0));
	ASSERT_EQ(0, gh_param_set(h->fd, GOHEAP_PARAM_MAX_HEAP, 64 * MIB));
	/* More than 4 MiB, so that there are helpers. */
	ASSERT_EQ(0, movers_start(&all, h, 5 * MIB));
	ASSERT_EQ(0, pthread_create(&t, NULL, toggle, NULL));
	for (cycles = 0; cycles < CYCLES || atomic_load(&toggles) < TOGGLES;
	     cycles++) {
		if (gh_collect(h->fd) || movers_failed(&all) ||
		    atomic_load(&done))
			break;
	}
	movers_wait(&all, 1);
	atomic_store(&done, true);
	pthread_join(t, &ok);
	EXPECT_NE(NULL, ok);
	EXPECT_EQ(0, movers_stop(&all));
	TH_LOG("%u cycles, away %u times, %lu items moved", cycles,
	       atomic_load(&toggles), all.s.moved);
	EXPECT_LE(CYCLES, cycles);
	EXPECT_LT(0, all.s.moved);
	EXPECT_EQ(0, movers_surplus(&all));
	ASSERT_EQ(0, gh_stats(h->fd, &stats));
	EXPECT_EQ(0, stats.invalid_refs);
	EXPECT_EQ(0, stats.evictions);
	heap_close(h);
}

/* Heaps come and go, too. */

static atomic_ulong heaps;

static long one_heap(void)
{
	struct heap h;
	long err;

	err = heap_open(&h, GIB, 0);
	if (err)
		return err;
	if (heap_push_many(&h, 100, 0, 50) != 50 || heap_live(&h) != 50)
		err = -EIO;
	heap_close(&h);
	return err;
}

static void *open_and_close(void *arg __attribute__((unused)))
{
	long err = 0;

	while (!atomic_load(&done) && !err) {
		err = one_heap();
		atomic_fetch_add(&heaps, 1);
	}
	atomic_store(&done, true);
	return (void *)err;
}

TEST_F(hotplug, open_and_close)
{
	enum { THREADS = 2, ROUNDS = 10 };
	pthread_t threads[THREADS];
	unsigned int round, i;
	bool ok = true;
	void *ret;

	if (self->missing)
		SKIP(return, "%s", self->missing);
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, open_and_close,
					    NULL));
	}
	for (round = 0; ok && round < 2 * ROUNDS; round++) {
		ok = cpu_set_online(round % 2);
		wait_for_more(&heaps, 2);
	}
	EXPECT_TRUE(ok)
		TH_LOG("round %u", round);
	EXPECT_FALSE(atomic_load(&done));
	atomic_store(&done, true);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &ret);
		EXPECT_EQ(NULL, ret);
	}
}

TEST_HARNESS_MAIN
