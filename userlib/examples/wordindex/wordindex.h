/* SPDX-License-Identifier: GPL-2.0 */
/*
 * wordindex: an inverted index of text files, wholly in a managed heap.
 */
#ifndef WORDINDEX_H
#define WORDINDEX_H

#include <stdbool.h>
#include <stdio.h>

#include <libgoheap.h>

#include "../common/texts.h"

/* index.c: the index, in managed objects */

/**
 * struct posting - where a word is
 * @file: number of the file in the index
 * @line: number of the line, from 1
 */
struct posting {
	uint32_t file;
	uint32_t line;
};

#define CHUNK_POSTINGS 14

/**
 * struct chunk - managed: some of a word's postings
 * @next: the next ones
 * @used: number of entries of @postings
 * @postings: in the order of files and lines
 */
struct chunk {
	goheap_ref next;
	uint64_t used;
	struct posting postings[CHUNK_POSTINGS];
};

/**
 * struct word - managed: a word of the index
 * @next: next word of the same bucket
 * @text: its letters, without a zero at the end
 * @first: first chunk of postings
 * @last: last chunk of postings
 * @count: how often it occurs
 * @length: number of letters
 * @hash: hash of the letters
 */
struct word {
	goheap_ref next;
	goheap_ref text;
	goheap_ref first;
	goheap_ref last;
	uint64_t count;
	uint32_t length;
	uint32_t hash;
};

/**
 * struct index - managed: an inverted index
 * @buckets: array of references to words
 * @files: array of references to file names, which end with a zero
 * @nr_buckets: length of @buckets, a power of two
 * @nr_files: number of files
 * @max_files: length of @files
 * @nr_words: number of words
 * @nr_occurrences: sum of their counts
 */
struct index {
	goheap_ref buckets;
	goheap_ref files;
	uint64_t nr_buckets;
	uint64_t nr_files;
	uint64_t max_files;
	uint64_t nr_words;
	uint64_t nr_occurrences;
};

extern struct goheap *heap;

int index_init(void);
goheap_ref index_new(void);
int index_add_text(goheap_ref index, const struct text *text);
const struct word *index_find(goheap_ref index, const char *word);
const char *index_file_name(goheap_ref index, uint32_t file);
goheap_ref index_words(goheap_ref index, int (*compare)(const struct word *a,
							const struct word *b));
uint64_t index_checksum(goheap_ref index);

/* report.c: what is printed */

int report_counts(goheap_ref index);
int report_top(goheap_ref index, size_t n);
int report_metrics(void);
int report_query(goheap_ref index, const char *word);

/* curve.c: the heap over the rounds */

/**
 * struct curve - the heap while one index replaces another
 * @out: where to print
 * @bound: most bytes in use that are right, 0 if there is no bound
 * @peak: most bytes in use in this round
 * @exceeded: a peak was above the bound
 * @start_ms: when the round began
 */
struct curve {
	FILE *out;
	uint64_t bound;
	uint64_t peak;
	bool exceeded;
	double start_ms;
};

int curve_begin(struct curve *curve, FILE *out);
int curve_set_bound(struct curve *curve);
void curve_round_begin(struct curve *curve);
int curve_sample(struct curve *curve);
int curve_round_end(struct curve *curve, unsigned int round);

#endif /* WORDINDEX_H */
