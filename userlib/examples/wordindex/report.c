// SPDX-License-Identifier: GPL-2.0
/*
 * Answers from the index, and from the kernel about its heap.
 */
#define _XOPEN_SOURCE 700 /* nftw() */
#include <ftw.h>
#include <string.h>

#include "wordindex.h"

/* By the letters, as LC_ALL=C sorts them. */
static int by_text(const struct word *a, const struct word *b)
{
	uint32_t length = a->length < b->length ? a->length : b->length;
	int order = memcmp(goheap_ptr(heap, a->text), goheap_ptr(heap, b->text),
			   length);

	if (order)
		return order;
	return (a->length > b->length) - (a->length < b->length);
}

/* The most frequent first. */
static int by_count(const struct word *a, const struct word *b)
{
	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return by_text(a, b);
}

/* Print the first @n words in some order. */
static int print_words(goheap_ref index, const char *format, size_t n,
		       int (*compare)(const struct word *a,
				      const struct word *b))
{
	goheap_frame frame = goheap_frame_begin(heap);
	size_t nr = ((struct index *)goheap_ptr(heap, index))->nr_words;
	goheap_ref array = index_words(index, compare);
	const goheap_ref *words = goheap_ptr(heap, array);

	for (size_t i = 0; words && i < n && i < nr; i++) {
		const struct word *word = goheap_ptr(heap, words[i]);

		printf(format, (unsigned long long)word->count,
		       (int)word->length,
		       (const char *)goheap_ptr(heap, word->text));
	}
	goheap_frame_end(heap, frame);
	return array ? 0 : -1;
}

/* All words and how often each occurs, sorted by word. */
int report_counts(goheap_ref index)
{
	return print_words(index, "%llu %.*s\n", SIZE_MAX, by_text);
}

/* The most frequent words. */
int report_top(goheap_ref index, size_t n)
{
	return print_words(index, "%8llu %.*s\n", n, by_count);
}

/* Where a word is; 1 if it is nowhere. */
int report_query(goheap_ref index, const char *text)
{
	const struct word *word = index_find(index, text);
	const struct chunk *chunk;

	if (!word)
		return 1;
	for (goheap_ref c = word->first; c; c = chunk->next) {
		chunk = goheap_ptr(heap, c);
		for (uint64_t i = 0; i < chunk->used; i++)
			printf("%s:%u\n",
			       index_file_name(index, chunk->postings[i].file),
			       chunk->postings[i].line);
	}
	return 0;
}

static int print_metric(const char *path, const struct stat *st, int type,
			struct FTW *place)
{
	char value[64];
	FILE *file;

	(void)st;
	(void)place;
	if (type != FTW_F)
		return 0;
	file = fopen(path, "r");
	if (!file)
		return -1;
	if (fgets(value, sizeof(value), file))
		printf("%-64s %s", path + strlen("/sys/kernel/goheap/"), value);
	fclose(file);
	return 0;
}

/* What the kernel says of this heap while the index is in it. */
int report_metrics(void)
{
	struct goheap_info info = { .size = sizeof(info) };
	char folder[64];

	if (goheap_info(heap, &info))
		return -1;
	snprintf(folder, sizeof(folder), "/sys/kernel/goheap/%u", info.heap_id);
	printf("metrics of this heap, from %s:\n", folder);
	return nftw(folder, print_metric, 8, FTW_PHYS);
}
