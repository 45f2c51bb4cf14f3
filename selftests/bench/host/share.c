// SPDX-License-Identifier: GPL-2.0
/*
 * One heap of N processes, or a heap for each of them:
 *
 *	share/N/build		until all can look words up, wall time
 *	share/N/build/cpu	CPU time of all processes until then
 *	share/N/use		one look-up, of all that the processes do at once:
 *				wall time of them by their number
 *	share/N/use/cpu		CPU time of one
 *	share/N/memory		what the cgroup pays for in the end, less what it
 *				did when all processes were there, without a heap
 *				that has anything in it
 *	share/N/pss		the same of what the processes have mapped, what
 *				several have in parts
 *	share/N/sys		what goheap says it has from the system, of all heaps
 *
 * The text is there before anything is measured. goheap's heap is opened by the
 * parent and inherited; the first process indexes the text, and the others get a
 * reference to the index. With BENCH_PRIVATE in the environment, and in all other
 * heaps, each process indexes the text in a heap of its own.
 *
 * Then each process looks up OPS words at random, and each SHARE-th time it adds a
 * place to the word. Where they have one index the others see that; where not,
 * nobody else does: private copies do less.
 *
 * It is measured only with BENCH_CGROUP in the environment, the folder of a memory
 * cgroup that has nobody else in it. The device must be a kernel's: that of the host
 * build is one process's.
 */
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload.h"
#include "index.h"

#define MOST		8
#define OPS		500000L
#define SHARE		16
#define LOCKS		1024
#define MIB		1048576.0

enum phase { PRESENT, BUILT, USED, PHASES };

/**
 * struct member - a process
 * @pid: its number
 * @arrived: it has come to the end of a phase; a pipe
 * @go: it may begin the next; a pipe
 * @cpu: CPU time that it had taken at the end of each phase
 * @sys: what its heap has from the system
 */
struct member {
	pid_t pid;
	int arrived[2];
	int go[2];
	double cpu[PHASES];
	double sys;
};

/* What all processes see. A lock is for some of the words. */
static struct common {
	struct member members[MOST];
	ref index;
	uint32_t locks[LOCKS];
} *common;

static const struct text *text;
static bool shared;

static void lock(uint32_t *l)
{
	while (__atomic_exchange_n(l, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void unlock(uint32_t *l)
{
	__atomic_store_n(l, 0, __ATOMIC_RELEASE);
}

static void add_place(ref found, long word)
{
	const struct word *w = &text->words[word];
	uint32_t *l = &common->locks[text_hash(text->bytes + w->start, w->bytes) %
				     LOCKS];

	if (shared)
		lock(l);
	index_add_place(found, word);
	if (shared)
		unlock(l);
}

static void use_index(uint64_t seed)
{
	long i;

	for (i = 0; i < OPS; i++) {
		long word = random64(&seed) % text->nr_words;
		ref found = index_find(&text->words[word]);

		require(found && get(&((struct found *)at(found))->places));
		if (i % SHARE == 0)
			add_place(found, word);
	}
}

static double heap_sys(void)
{
#ifdef HEAP_GOHEAP
	struct goheap_mem_stats stats;

	require(!goheap_read_mem_stats(heap, &stats));
	return stats.sys;
#else
	return 0;
#endif
}

/* A process is at the end of a phase. */
static void arrive(struct member *m, enum phase phase)
{
	char c = 0;

	m->cpu[phase] = clocks().cpu;
	if (phase == USED && (!shared || m == common->members))
		m->sys = heap_sys();
	require(write(m->arrived[1], &c, 1) == 1);
	require(read(m->go[0], &c, 1) == 1);
}

static void build(void)
{
	long i;

	index_begin();
	for (i = 0; i < text->nr_words; i++)
		index_add(i);
}

/* All that a process does. The first one pays the collector of a shared heap. */
static void live(struct member *m)
{
	bool first = m == common->members;

	if (!shared)
		begin_heap(2);
	else if (!first)
		collector_clock = 0;
	arrive(m, PRESENT);
	if (first || !shared)
		build();
	if (first)
		common->index = get(&index_table);
	arrive(m, BUILT);
	if (shared)
		put(&index_table, common->index);
	use_index(1 + (m - common->members));
	arrive(m, USED);
}

static void start(struct member *m)
{
	pid_t pid;

	require(!pipe(m->arrived) && !pipe(m->go));
	pid = fork();
	require(pid >= 0);
	if (!pid) {
		live(m);
		_exit(0);
	}
	m->pid = pid;
}

/* Wait for all of them; returns the time. The pipe has no other writer then. */
static double wait_for(int nr)
{
	char c;
	int i;

	for (i = 0; i < nr; i++)
		require(read(common->members[i].arrived[0], &c, 1) == 1);
	return now_ns();
}

static double let_go(int nr)
{
	double from = now_ns();
	char c = 0;
	int i;

	for (i = 0; i < nr; i++)
		require(write(common->members[i].go[1], &c, 1) == 1);
	return from;
}

/* Memory that the cgroup pays for, and that its processes have mapped. */
struct memory {
	double charged;
	double pss;
};

static double read_number(const char *path, const char *format)
{
	FILE *file = fopen(path, "r");
	char line[200];
	double value = -1;

	while (file && value < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, format, &value) != 1)
			value = -1;
	if (value < 0) {
		perror(path);
		exit(1);
	}
	fclose(file);
	return value;
}

static struct memory memory_of(int nr)
{
	struct memory m = { 0 };
	char path[200];
	int i;

	snprintf(path, sizeof(path), "%s/memory.current", getenv("BENCH_CGROUP"));
	m.charged = read_number(path, "%lf");
	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "/proc/%d/smaps_rollup",
			 common->members[i].pid);
		m.pss += read_number(path, "Pss: %lf") * 1024;
	}
	return m;
}

static void report_share(int nr, const char *what, double value)
{
	char name[40];

	snprintf(name, sizeof(name), "share/%d/%s", nr, what);
	report(name, value);
}

static void report_phase(int nr, const char *what, enum phase phase, double wall,
			 double ops)
{
	double cpu = 0;
	char name[20];
	int i;

	for (i = 0; i < nr; i++)
		cpu += common->members[i].cpu[phase] -
		       common->members[i].cpu[phase - 1];
	report_share(nr, what, wall / ops);
	snprintf(name, sizeof(name), "%s/cpu", what);
	report_share(nr, name, cpu / ops);
}

static void report_memory(int nr, struct memory before, struct memory after)
{
	double sys = 0;
	int i;

	report_share(nr, "memory", (after.charged - before.charged) / MIB);
	report_share(nr, "pss", (after.pss - before.pss) / MIB);
	for (i = 0; i < nr; i++)
		sys += common->members[i].sys;
	if (sys)
		report_share(nr, "sys", sys / MIB);
}

static void run(int nr)
{
	struct memory before, after;
	double from, built, used;
	int i;

	for (i = 0; i < nr; i++)
		start(&common->members[i]);
	wait_for(nr);
	before = memory_of(nr);
	from = let_go(nr);
	built = wait_for(nr) - from;
	from = let_go(nr);
	used = wait_for(nr) - from;
	after = memory_of(nr);
	let_go(nr);
	for (i = 0; i < nr; i++) {
		int status;

		require(waitpid(common->members[i].pid, &status, 0) > 0);
		require(!status);
	}
	report_phase(nr, "build", BUILT, built, 1);
	report_phase(nr, "use", USED, used, (double)OPS * nr);
	report_memory(nr, before, after);
}

void measure_share(int nr)
{
	char name[20];

	snprintf(name, sizeof(name), "share/%d/build", nr);
	if (!getenv("BENCH_CGROUP") || !wanted(name))
		return;
	text = index_text();
	common = mmap(NULL, sizeof(*common), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	require(common != MAP_FAILED);
#ifdef HEAP_GOHEAP
	require(!host_in_process);
	shared = !getenv("BENCH_PRIVATE");
	if (shared)
		begin_heap(2);
#endif
	run(nr);
}
