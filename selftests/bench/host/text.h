/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Real text: the words of the project's documentation, outside of the heap.
 */
#ifndef TEXT_H
#define TEXT_H

/**
 * struct word - a word of the text
 * @start: its first letter; no zero follows
 * @bytes: its length
 */
struct word {
	const char *start;
	unsigned int bytes;
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

const struct text *text_read(void);

#endif /* TEXT_H */
