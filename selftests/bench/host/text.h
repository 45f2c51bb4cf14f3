/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A text that is the same for all heaps and never changes, outside of the heap.
 *
 * It is made of a vocabulary of 65535 words, and how often a word comes is about
 * the inverse of its rank, as in a natural language (Zipf). Frequent words are
 * shorter ones.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "heap.h"

/**
 * struct word - a word of the text
 * @start: where in the text it begins; no zero follows
 * @bytes: its length
 */
struct word {
	uint32_t start;
	uint32_t bytes;
};

/**
 * struct text - a text
 * @bytes: all of it
 * @size: its length
 * @words: its words in order
 * @nr_words: how many
 */
struct text {
	char *bytes;
	size_t size;
	struct word *words;
	long nr_words;
};

const struct text *text_make(void);
uint64_t text_hash(const char *s, size_t n);

/* A piece of text on the heap. */
static inline ref new_text(const char *s, size_t n)
{
	ref r = new_bytes(n);

	memcpy(at(r), s, n);
	return r;
}

#endif /* TEXT_H */
