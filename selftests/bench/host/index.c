// SPDX-License-Identifier: GPL-2.0
/*
 * See index.h.
 *
 *	wordindex	where each word of the text is, 5 times from the beginning:
 *			one word
 */
#include "workload.h"
#include "index.h"

#define BUCKETS		(1L << 16)

static struct type found_type = { sizeof(struct found), 3 };
static struct type place_type = { sizeof(struct place), 1 };

static const struct text *text;
ref index_table;

/* The text that words are from; it is made before there is a heap, if need be. */
const struct text *index_text(void)
{
	if (!text)
		text = text_make();
	return text;
}

/* An index without a word. */
void index_begin(void)
{
	if (!found_type.layout) {
		type_init(&found_type);
		type_init(&place_type);
	}
	put(&index_table, new_refs(BUCKETS));
}

static ref *bucket_of(const struct word *w)
{
	return (ref *)at(get(&index_table)) +
	       text_hash(text->bytes + w->start, w->bytes) % BUCKETS;
}

static ref find_in(const ref *bucket, const struct word *w)
{
	const char *start = text->bytes + w->start;
	struct found *f;
	ref r;

	for (r = get(bucket); r; r = get(&f->next)) {
		f = at(r);
		if (f->key_bytes == w->bytes &&
		    !memcmp(at(get(&f->key)), start, w->bytes))
			break;
	}
	return r;
}

/* A word of the index, or nil. */
ref index_find(const struct word *w)
{
	return find_in(bucket_of(w), w);
}

static ref find_or_add(const struct word *w)
{
	ref *bucket = bucket_of(w), r = find_in(bucket, w);
	struct found *f;

	if (r)
		return r;
	r = new_typed(&found_type);
	f = at(r);
	f->key_bytes = w->bytes;
	put(&f->key, new_text(text->bytes + w->start, w->bytes));
	put(&f->next, get(bucket));
	put(bucket, r);
	return r;
}

/* One more place of a word. Nobody else may add one to it at the same time. */
void index_add_place(ref found, long word)
{
	struct found *f = at(found);
	ref r = new_typed(&place_type);

	((struct place *)at(r))->word = word;
	put(&((struct place *)at(r))->next, get(&f->places));
	put(&f->places, r);
}

/* The word with that number in the text. */
void index_add(long word)
{
	index_add_place(find_or_add(&text->words[word]), word);
}

static void drop_index(void)
{
	ref *buckets = at(get(&index_table)), r, p, next;
	long i;

	for (i = 0; i < BUCKETS; i++) {
		for (r = buckets[i]; r; r = next) {
			struct found *f = at(r);

			for (p = f->places; p; p = next) {
				next = ((struct place *)at(p))->next;
				drop(p);
			}
			next = f->next;
			drop(f->key);
			drop(r);
		}
	}
	drop(get(&index_table));
}

static void index_words(long n)
{
	long i;

	for (i = 0; i < n; i++) {
		long word = i % text->nr_words;

		if (!word) {
			if (HEAP_FREES && i)
				drop_index();
			index_begin();
		}
		index_add(word);
	}
	if (HEAP_FREES)
		drop_index();
}

void measure_index(int unused)
{
	if (!wanted("wordindex"))
		return;
	samples = 1;
	measure("wordindex", index_words, index_text()->nr_words * 5);
}
