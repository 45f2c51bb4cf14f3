// SPDX-License-Identifier: GPL-2.0
/*
 * cache: a key-value cache in the managed heap under load, for as long as one
 * likes to watch, with a line each second. It is meant to be run in a control
 * group whose limit changes meanwhile: selftests/qemu/cache does that.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../common/texts.h"
#include "cache.h"

static const char help[] =
	"usage: cache [options] files or folders...\n"
	"\n"
	"Keeps pieces of the texts under keys made of their words, and has\n"
	"threads look up, set and delete them. Sizes take K, M or G.\n"
	"\n"
	"  --live BYTES      what the cache keeps (64M)\n"
	"  --seconds N       how long it runs, once it is full (10)\n"
	"  --threads N       threads that use it (one for each CPU)\n"
	"  --keys N          different keys (four times what fits)\n"
	"  --min-value BYTES, --max-value BYTES\n"
	"                    sizes of values (64 and 16K)\n"
	"  --sets PERCENT, --deletes PERCENT\n"
	"                    operations that are not lookups (40 and 2)\n"
	"  --cgroup FOLDER   print the memory of this control group as well\n"
	"  --tsv FILE        the lines for programs, in bytes and ns\n"
	"\n"
	"A line has the operations per second and how many lookups found\n"
	"something; how long operations took; what the heap has allocated, has\n"
	"found live, allows itself before it collects, holds of the machine's\n"
	"memory, may hold, and has given back and not got anew; use and limit\n"
	"of the control group; collections so far.\n"
	"\n"
	"Fails if a value was not that of its key, if the table or its list\n"
	"is damaged in the end, or if nothing was done.\n";

struct options {
	struct workload load;
	uint64_t live;
	uint64_t seconds;
	uint64_t threads;
	const char *cgroup;
	const char *tsv;
};

static int fail(const char *what)
{
	fprintf(stderr, "cache: %s: %s\n", what, goheap_error());
	return -1;
}

/* A whole number, perhaps with a suffix. */
static uint64_t number(const char *text)
{
	static const char suffixes[] = "KMG";
	unsigned long long value;
	const char *suffix;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (suffix) {
		unsigned int shift = 10 * (unsigned int)(suffix - suffixes + 1);

		if (value > UINT64_MAX >> shift)
			errno = ERANGE;
		value <<= shift;
		end++;
	}
	if (errno || *text < '0' || *text > '9' || *end) {
		fprintf(stderr, "cache: not a number: %s\n", text);
		exit(2);
	}
	return value;
}

static uint64_t bounded(const char *text, uint64_t least, uint64_t most)
{
	uint64_t value = number(text);

	if (value < least || value > most) {
		fprintf(stderr, "cache: must be from %llu to %llu: %s\n",
			(unsigned long long)least, (unsigned long long)most,
			text);
		exit(2);
	}
	return value;
}

static void take_option(struct options *o, int c)
{
	struct workload *load = &o->load;

	if (c == 'l')
		o->live = bounded(optarg, 1 << 20, 1ULL << 40);
	else if (c == 's')
		o->seconds = bounded(optarg, 1, 10000000);
	else if (c == 't')
		o->threads = bounded(optarg, 1, 1024);
	else if (c == 'k')
		load->keys = bounded(optarg, 1, UINT32_MAX);
	else if (c == 'm')
		load->min_value = bounded(optarg, 1, 1 << 24);
	else if (c == 'M')
		load->max_value = bounded(optarg, 1, 1 << 24);
	else if (c == 'S')
		load->set_percent = bounded(optarg, 0, 100);
	else if (c == 'D')
		load->delete_percent = bounded(optarg, 0, 100);
	else if (c == 'c')
		o->cgroup = optarg;
	else if (c == 'T')
		o->tsv = optarg;
	else {
		fputs(help, c == 'h' ? stdout : stderr);
		exit(c == 'h' ? 0 : 2);
	}
}

static void parse_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "live", required_argument, NULL, 'l' },
		{ "seconds", required_argument, NULL, 's' },
		{ "threads", required_argument, NULL, 't' },
		{ "keys", required_argument, NULL, 'k' },
		{ "min-value", required_argument, NULL, 'm' },
		{ "max-value", required_argument, NULL, 'M' },
		{ "sets", required_argument, NULL, 'S' },
		{ "deletes", required_argument, NULL, 'D' },
		{ "cgroup", required_argument, NULL, 'c' },
		{ "tsv", required_argument, NULL, 'T' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*o = (struct options){
		.load = { .min_value = 64,
			  .max_value = 16384,
			  .set_percent = 40,
			  .delete_percent = 2 },
		.live = 64 << 20,
		.seconds = 10,
		.threads = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN),
	};
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		take_option(o, c);
	if (o->load.min_value > o->load.max_value ||
	    o->load.set_percent + o->load.delete_percent > 100 ||
	    optind == argc) {
		fputs(help, stderr);
		exit(2);
	}
}

/* All texts one after another. */
static char *join(const struct texts *texts, size_t *length)
{
	char *all, *p;

	*length = 0;
	for (size_t i = 0; i < texts->nr; i++)
		*length += texts->list[i].length;
	all = malloc(*length + 1);
	if (!all)
		return NULL;
	p = all;
	for (size_t i = 0; i < texts->nr; i++) {
		memcpy(p, texts->list[i].data, texts->list[i].length);
		p += texts->list[i].length;
	}
	return all;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sleep_until(double when)
{
	struct timespec t = {
		.tv_sec = (time_t)when,
		.tv_nsec = (long)((when - floor(when)) * 1e9),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) ==
	       EINTR)
		;
}

/*
 * A line each second while threads use the cache. One that is late is about all
 * the time since the one before.
 */
static int watch(const struct options *o, struct worker_counts *counts)
{
	struct crew *crew = crew_start((unsigned int)o->threads);
	double start = now();
	double second = 0;
	int result = 0;

	if (!crew)
		return fail("threads");
	while (second < (double)o->seconds && !result) {
		sleep_until(start + floor(second + 1));
		second = now() - start;
		result = report_line(crew, second);
	}
	crew_stop(crew, counts);
	return result ? fail("report") : 0;
}

static int fill(const struct options *o, uint64_t nr_keys)
{
	double start = now();
	struct cache_use use;

	if (workload_fill((unsigned int)o->threads, nr_keys))
		return fail("no memory to fill the cache");
	cache_use(&use);
	printf("%llu entries, %.1f MiB, set in %.1f s; %llu keys\n",
	       (unsigned long long)use.entries, use.bytes / 1048576.0,
	       now() - start, (unsigned long long)o->load.keys);
	fflush(stdout);
	return 0;
}

/* What the run comes to. Returns the exit status. */
static int judge(const struct worker_counts *counts)
{
	const char *wrong = cache_check();
	struct cache_use use;

	cache_use(&use);
	printf("%llu lookups, %llu sets, %llu deletes, %llu evicted; %llu refused, %llu wrong\n",
	       (unsigned long long)counts->gets,
	       (unsigned long long)counts->sets,
	       (unsigned long long)counts->deletes,
	       (unsigned long long)use.evicted,
	       (unsigned long long)counts->refused,
	       (unsigned long long)counts->damaged);
	if (wrong)
		fprintf(stderr, "cache: damaged: %s\n", wrong);
	return wrong || counts->damaged || !counts->hits;
}

static int run(struct options *o)
{
	struct worker_counts counts;
	uint64_t mean, fits;

	mean = cache_entry_bytes(32, (uint32_t)workload_mean_value(&o->load));
	fits = o->live / mean + 1;
	if (!o->load.keys)
		o->load.keys = 4 * fits;
	heap = goheap_open(0);
	if (!heap || cache_init(o->live, mean))
		return fail("heap"), 1;
	if (workload_init(&o->load)) {
		fprintf(stderr, "cache: no words in the texts\n");
		return 1;
	}
	if (fill(o, fits) || report_begin(o->cgroup, o->tsv))
		return fail("start"), 1;
	if (watch(o, &counts))
		return 1;
	report_end();
	workload_exit();
	return judge(&counts);
}

int main(int argc, char **argv)
{
	struct texts texts = { 0 };
	struct options options;
	char *all;
	int status;

	parse_options(argc, argv, &options);
	for (int i = optind; i < argc; i++)
		if (texts_add(&texts, argv[i]))
			return 1;
	all = join(&texts, &options.load.text_length);
	texts_free(&texts);
	if (!all) {
		perror("cache");
		return 1;
	}
	options.load.text = all;
	status = run(&options);
	goheap_close(heap);
	free(all);
	return fflush(stdout) ? 1 : status;
}
