// SPDX-License-Identifier: GPL-2.0
/*
 * wordindex: reads text files, builds an inverted index of their words in the
 * managed heap, builds it anew several times so that old indexes become
 * garbage, and answers from the last one.
 */
#include <getopt.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wordindex.h"

static const char help[] =
	"usage: wordindex [options] [files or folders...]\n"
	"\n"
	"Indexes /usr/share/common-licenses, and ./Documentation and ./README*\n"
	"if they are there, unless told what else. A word is a run of the\n"
	"letters A to Z; upper and lower case are the same.\n"
	"\n"
	"  --rounds N    build the index N times more (20)\n"
	"  --top N       print the N most frequent words (20)\n"
	"  --counts      print all words with their counts, sorted by word\n"
	"  --query WORD  print where a word is, as file:line; may be repeated\n"
	"  --metrics     print the heap's folder in /sys/kernel/goheap\n"
	"  --files       print the names of the files\n"
	"\n"
	"Prints how the heap developed, on stderr if there are other answers,\n"
	"and fails if the heap outgrew its bound or an index was damaged.\n";

struct options {
	unsigned long rounds;
	unsigned long top;
	bool counts;
	bool metrics;
	bool files;
	char **queries;
	size_t nr_queries;
};

static int fail(const char *what)
{
	fprintf(stderr, "wordindex: %s: %s\n", what, goheap_error());
	return -1;
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!*text || *text == '-' || *end) {
		fprintf(stderr, "wordindex: not a number: %s\n", text);
		exit(2);
	}
	return value;
}

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "top", required_argument, NULL, 't' },
		{ "counts", no_argument, NULL, 'c' },
		{ "query", required_argument, NULL, 'q' },
		{ "metrics", no_argument, NULL, 'm' },
		{ "files", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*options = (struct options){ .rounds = 20, .top = 20 };
	options->queries = calloc((size_t)argc, sizeof(char *));
	if (!options->queries)
		exit(1);
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'r')
			options->rounds = number(optarg);
		else if (c == 't')
			options->top = number(optarg);
		else if (c == 'c')
			options->counts = true;
		else if (c == 'm')
			options->metrics = true;
		else if (c == 'f')
			options->files = true;
		else if (c == 'q')
			options->queries[options->nr_queries++] = optarg;
		else {
			fputs(help, c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
}

static int default_texts(struct texts *texts)
{
	glob_t readmes;
	int ret = texts_add(texts, "/usr/share/common-licenses");

	if (!ret && !access("Documentation", F_OK))
		ret = texts_add(texts, "Documentation");
	if (!ret && !glob("README*", 0, NULL, &readmes)) {
		for (size_t i = 0; i < readmes.gl_pathc && !ret; i++)
			ret = texts_add(texts, readmes.gl_pathv[i]);
		globfree(&readmes);
	}
	return ret;
}

static int add_texts(struct texts *texts, char **paths)
{
	int ret = 0;

	if (!*paths)
		return default_texts(texts);
	while (*paths && !ret)
		ret = texts_add(texts, *paths++);
	return ret;
}

/* An index of all texts, kept by the caller's frame. */
static goheap_ref build(const struct texts *texts, struct curve *curve)
{
	goheap_ref index = index_new();

	for (size_t i = 0; index && i < texts->nr; i++)
		if (index_add_text(index, &texts->list[i]) ||
		    curve_sample(curve))
			return 0;
	return index;
}

/* Build the index anew in place of the current one. */
static int one_round(const struct texts *texts, struct curve *curve,
		     goheap_ref *current, unsigned int round)
{
	goheap_frame frame = goheap_frame_begin(heap);
	uint64_t sum = *current ? index_checksum(*current) : 0;
	goheap_ref index;

	curve_round_begin(curve);
	index = build(texts, curve);
	if (!index)
		return fail("index");
	if (*current &&
	    (index_checksum(*current) != sum || index_checksum(index) != sum)) {
		fprintf(stderr, "wordindex: an index was damaged\n");
		return -1;
	}
	goheap_store(heap, current, index);
	goheap_frame_end(heap, frame);
	return curve_round_end(curve, round);
}

static int all_rounds(const struct options *options, const struct texts *texts,
		      goheap_ref *current, FILE *out)
{
	struct curve curve;

	curve_begin(&curve, out);
	for (unsigned long round = 0; round <= options->rounds; round++) {
		if (one_round(texts, &curve, current, round))
			return -1;
		if (!round && curve_set_bound(&curve))
			return fail("bound");
	}
	if (!curve.exceeded)
		return 0;
	fprintf(stderr, "wordindex: the heap outgrew its bound\n");
	return -1;
}

static void print_summary(goheap_ref ref, FILE *out)
{
	const struct index *index = goheap_ptr(heap, ref);

	fprintf(out, "%llu files, %llu words, %llu different\n",
		(unsigned long long)index->nr_files,
		(unsigned long long)index->nr_occurrences,
		(unsigned long long)index->nr_words);
}

/* Print what was asked for. Returns the exit status. */
static int answer(const struct options *options, goheap_ref index)
{
	if (options->counts && report_counts(index)) {
		fail("counts");
		return 1;
	}
	for (size_t i = 0; i < options->nr_queries; i++)
		if (report_query(index, options->queries[i]))
			fprintf(stderr, "wordindex: no such word: %s\n",
				options->queries[i]);
	if (!options->counts && !options->nr_queries &&
	    report_top(index, options->top)) {
		fail("words");
		return 1;
	}
	return 0;
}

static int run(const struct options *options, const struct texts *texts)
{
	FILE *out = options->counts || options->nr_queries ? stderr : stdout;
	goheap_ref *current;
	int status;

	heap = goheap_open(0);
	if (!heap || index_init())
		return fail("heap"), 1;
	current = goheap_var(heap, 0);
	if (!current)
		return fail("heap"), 1;
	if (all_rounds(options, texts, current, out))
		return 1;
	print_summary(*current, out);
	status = answer(options, *current);
	if (options->metrics && report_metrics()) {
		fail("metrics");
		status = 1;
	}
	goheap_close(heap);
	return status;
}

int main(int argc, char **argv)
{
	struct texts texts = { 0 };
	struct options options;
	int status;

	parse_options(argc, argv, &options);
	if (add_texts(&texts, argv + optind))
		return 1;
	if (options.files) {
		for (size_t i = 0; i < texts.nr; i++)
			puts(texts.list[i].name);
		status = 0;
	} else {
		status = run(&options, &texts);
	}
	texts_free(&texts);
	free(options.queries);
	return fflush(stdout) ? 1 : status;
}
