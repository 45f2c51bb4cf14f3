/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An index of a text: for each word a list of the places where it is, the last one
 * first. The words are in a hash table of chains, to which they are only added; so
 * who looks one up needs no lock.
 */
#ifndef INDEX_H
#define INDEX_H

#include "text.h"

/* A word, and the last of its places. */
struct found {
	ref next;
	ref key;
	ref places;
	long key_bytes;
};

struct place {
	ref next;
	long word;
};

/* An array of references: all of the index. */
extern ref index_table;

const struct text *index_text(void);
void index_begin(void);
ref index_find(const struct word *w);
void index_add(long word);
void index_add_place(ref found, long word);

#endif /* INDEX_H */
