// SPDX-License-Identifier: GPL-2.0
/*
 * The index: a hash table of words, each with a list of its postings.
 *
 * All of it lies in managed objects, which refer to each other and are never
 * freed. What a function allocates is kept by its frame until the index refers
 * to it; the index itself is kept by the caller. Pointers into objects that
 * are kept stay good, collections do not move anything.
 */
#include <stdlib.h>
#include <string.h>

#include "wordindex.h"

#define FIRST_BUCKETS 256
#define FIRST_FILES 16

struct goheap *heap;

static int index_layout, word_layout, chunk_layout, refs_layout;

/* Register the layouts of the index's objects. */
int index_init(void)
{
	index_layout = GOHEAP_LAYOUT(heap, struct index, buckets, files);
	word_layout = GOHEAP_LAYOUT(heap, struct word, next, text, first, last);
	chunk_layout = GOHEAP_LAYOUT(heap, struct chunk, next);
	refs_layout = goheap_layout_refs(heap);
	if (index_layout < 0 || word_layout < 0 || chunk_layout < 0)
		return -1;
	return refs_layout < 0 ? -1 : 0;
}

static goheap_ref new_refs(size_t n)
{
	return goheap_new_array(heap, refs_layout, sizeof(goheap_ref), n);
}

/* Bytes in an object of their own. */
static goheap_ref new_bytes(const char *bytes, size_t n)
{
	goheap_ref ref = goheap_new(heap, GOHEAP_LAYOUT_NOSCAN, n);

	if (ref)
		memcpy(goheap_ptr(heap, ref), bytes, n);
	return ref;
}

/* An empty index, kept by the caller's frame; 0 if there is no memory. */
goheap_ref index_new(void)
{
	goheap_frame frame = goheap_frame_begin(heap);
	goheap_ref ref = goheap_new(heap, index_layout, sizeof(struct index));
	goheap_ref buckets = new_refs(FIRST_BUCKETS);
	goheap_ref files = new_refs(FIRST_FILES);
	struct index *index = goheap_ptr(heap, ref);

	if (!ref || !buckets || !files) {
		goheap_frame_end(heap, frame);
		return 0;
	}
	goheap_store(heap, &index->buckets, buckets);
	goheap_store(heap, &index->files, files);
	index->nr_buckets = FIRST_BUCKETS;
	index->max_files = FIRST_FILES;
	return goheap_frame_return(heap, frame, ref);
}

static uint32_t hash_of(const char *letters, size_t length)
{
	uint32_t hash = 0;

	while (length--)
		hash = (hash ^ (unsigned char)*letters++) * 0x9e3779b1U;
	return hash ^ hash >> 15;
}

static goheap_ref *bucket_of(const struct index *index, uint32_t hash)
{
	goheap_ref *buckets = goheap_ptr(heap, index->buckets);

	return &buckets[hash & (index->nr_buckets - 1)];
}

static struct word *find(const struct index *index, const char *letters,
			 size_t length, uint32_t hash)
{
	goheap_ref ref = goheap_load(heap, bucket_of(index, hash));
	struct word *word;

	for (; ref; ref = goheap_load(heap, &word->next)) {
		word = goheap_ptr(heap, ref);
		if (word->hash == hash && word->length == length &&
		    !memcmp(goheap_ptr(heap, word->text), letters, length))
			return word;
	}
	return NULL;
}

/*
 * Move all words to a table twice as long. A collection may come between any
 * two steps, so a word on its way is kept by a variable: taking it out of the
 * old list and changing its next would else lose it or those behind it.
 */
static int grow_buckets(struct index *index)
{
	goheap_frame frame = goheap_frame_begin(heap);
	uint64_t nr = 2 * index->nr_buckets;
	goheap_ref grown = new_refs(nr);
	goheap_ref *moving = goheap_var(heap, 0);
	goheap_ref *old = goheap_ptr(heap, index->buckets);
	goheap_ref *new = goheap_ptr(heap, grown);

	if (!grown || !moving) {
		goheap_frame_end(heap, frame);
		return -1;
	}
	for (uint64_t i = 0; i < index->nr_buckets; i++) {
		while (old[i]) {
			struct word *word = goheap_ptr(heap, old[i]);
			goheap_ref *to = &new[word->hash & (nr - 1)];

			goheap_store(heap, moving, old[i]);
			goheap_store(heap, &old[i], word->next);
			goheap_store(heap, &word->next, *to);
			goheap_store(heap, to, *moving);
		}
	}
	goheap_store(heap, &index->buckets, grown);
	index->nr_buckets = nr;
	goheap_frame_end(heap, frame);
	return 0;
}

/* Add a word that is not there; the caller's frame takes what is allocated. */
static struct word *insert(struct index *index, const char *letters,
			   size_t length, uint32_t hash)
{
	goheap_ref *bucket;
	goheap_ref ref, text;
	struct word *word;

	if (index->nr_words >= index->nr_buckets && grow_buckets(index))
		return NULL;
	ref = goheap_new(heap, word_layout, sizeof(*word));
	text = new_bytes(letters, length);
	if (!ref || !text)
		return NULL;
	word = goheap_ptr(heap, ref);
	word->length = (uint32_t)length;
	word->hash = hash;
	goheap_store(heap, &word->text, text);
	bucket = bucket_of(index, hash);
	goheap_store(heap, &word->next, *bucket);
	goheap_store(heap, bucket, ref);
	index->nr_words++;
	return word;
}

/* Add a place to a word's postings, once for each line. */
static int add_posting(struct word *word, uint32_t file, uint32_t line)
{
	struct chunk *chunk = goheap_ptr(heap, word->last);
	struct posting *posting;
	goheap_ref ref;

	if (chunk) {
		posting = &chunk->postings[chunk->used - 1];
		if (posting->file == file && posting->line == line)
			return 0;
	}
	if (!chunk || chunk->used == CHUNK_POSTINGS) {
		ref = goheap_new(heap, chunk_layout, sizeof(*chunk));
		if (!ref)
			return -1;
		goheap_store(heap, chunk ? &chunk->next : &word->first, ref);
		goheap_store(heap, &word->last, ref);
		chunk = goheap_ptr(heap, ref);
	}
	chunk->postings[chunk->used].file = file;
	chunk->postings[chunk->used].line = line;
	chunk->used++;
	return 0;
}

static int add_occurrence(struct index *index, const char *letters,
			  size_t length, uint32_t file, uint32_t line)
{
	goheap_frame frame = goheap_frame_begin(heap);
	uint32_t hash = hash_of(letters, length);
	struct word *word = find(index, letters, length, hash);
	int ret = -1;

	if (!word)
		word = insert(index, letters, length, hash);
	if (word && !add_posting(word, file, line)) {
		word->count++;
		index->nr_occurrences++;
		ret = 0;
	}
	goheap_frame_end(heap, frame);
	return ret;
}

/* Enter a file name. Returns its number, or -1. */
static int64_t add_file(struct index *index, const char *name)
{
	goheap_frame frame = goheap_frame_begin(heap);
	goheap_ref text = new_bytes(name, strlen(name) + 1);
	goheap_ref *files = goheap_ptr(heap, index->files);
	int64_t ret = -1;
	goheap_ref grown;

	if (index->nr_files == index->max_files) {
		grown = new_refs(2 * index->max_files);
		if (!grown)
			goto out;
		memcpy(goheap_ptr(heap, grown), files,
		       index->max_files * sizeof(*files));
		goheap_store(heap, &index->files, grown);
		index->max_files *= 2;
		files = goheap_ptr(heap, grown);
	}
	if (text) {
		goheap_store(heap, &files[index->nr_files], text);
		ret = (int64_t)index->nr_files++;
	}
out:
	goheap_frame_end(heap, frame);
	return ret;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The word of @length letters at @from, in lower case, is on @line. */
static int add_letters(struct index *index, const char *from, size_t length,
		       uint32_t file, uint32_t line)
{
	char small[64];
	char *letters = length <= sizeof(small) ? small : malloc(length);
	int ret;

	if (!letters)
		return -1;
	for (size_t i = 0; i < length; i++)
		letters[i] = from[i] | 0x20;
	ret = add_occurrence(index, letters, length, file, line);
	if (letters != small)
		free(letters);
	return ret;
}

/* Add all words of a file to an index. */
int index_add_text(goheap_ref ref, const struct text *text)
{
	struct index *index = goheap_ptr(heap, ref);
	int64_t file = add_file(index, text->name);
	uint32_t line = 1;
	size_t i = 0;

	if (file < 0)
		return -1;
	while (i < text->length) {
		size_t begin = i;

		while (i < text->length && is_letter(text->data[i]))
			i++;
		if (i > begin && add_letters(index, text->data + begin,
					     i - begin, (uint32_t)file, line))
			return -1;
		if (i < text->length && text->data[i++] == '\n')
			line++;
	}
	return 0;
}

/* The entry of a word in lower case; NULL if there is none. */
const struct word *index_find(goheap_ref index, const char *word)
{
	size_t length = strlen(word);

	return find(goheap_ptr(heap, index), word, length,
		    hash_of(word, length));
}

const char *index_file_name(goheap_ref ref, uint32_t file)
{
	const struct index *index = goheap_ptr(heap, ref);
	const goheap_ref *files = goheap_ptr(heap, index->files);

	return goheap_ptr(heap, files[file]);
}

static int compare_refs(const void *a, const void *b, void *compare)
{
	int (*of_words)(const struct word *a, const struct word *b) = compare;

	return of_words(goheap_ptr(heap, *(const goheap_ref *)a),
			goheap_ptr(heap, *(const goheap_ref *)b));
}

/*
 * All words in order, as a managed array kept by the caller's frame; 0 if there
 * is no memory. Sorting may have a reference in ordinary memory only for a
 * while: the index keeps the word.
 */
goheap_ref index_words(goheap_ref ref, int (*compare)(const struct word *a,
						      const struct word *b))
{
	const struct index *index = goheap_ptr(heap, ref);
	const goheap_ref *buckets = goheap_ptr(heap, index->buckets);
	goheap_ref array = new_refs(index->nr_words);
	goheap_ref *words = goheap_ptr(heap, array);
	size_t n = 0;

	if (!array)
		return 0;
	for (uint64_t i = 0; i < index->nr_buckets; i++) {
		const struct word *word;

		for (goheap_ref w = buckets[i]; w; w = word->next) {
			word = goheap_ptr(heap, w);
			goheap_store(heap, &words[n++], w);
		}
	}
	qsort_r(words, n, sizeof(*words), compare_refs, compare);
	return array;
}

static uint64_t mix(uint64_t sum, uint64_t value)
{
	sum = (sum ^ value) * 0x9e3779b97f4a7c15ULL;
	return sum ^ sum >> 32;
}

static uint64_t mix_bytes(uint64_t sum, const char *bytes, size_t n)
{
	while (n--)
		sum = mix(sum, (unsigned char)*bytes++);
	return sum;
}

static uint64_t word_checksum(const struct word *word)
{
	uint64_t sum = mix_bytes(word->count, goheap_ptr(heap, word->text),
				 word->length);
	const struct chunk *chunk;

	for (goheap_ref c = word->first; c; c = chunk->next) {
		chunk = goheap_ptr(heap, c);
		for (uint64_t i = 0; i < chunk->used; i++)
			sum = mix(sum, (uint64_t)chunk->postings[i].file << 32 |
					       chunk->postings[i].line);
	}
	return sum;
}

/* A number that depends on every object of the index and on its order. */
uint64_t index_checksum(goheap_ref ref)
{
	const struct index *index = goheap_ptr(heap, ref);
	const goheap_ref *buckets = goheap_ptr(heap, index->buckets);
	uint64_t sum = mix(index->nr_words, index->nr_occurrences);

	for (uint64_t i = 0; i < index->nr_files; i++) {
		const char *name = index_file_name(ref, i);

		sum = mix_bytes(sum, name, strlen(name));
	}
	for (uint64_t i = 0; i < index->nr_buckets; i++) {
		const struct word *word;

		for (goheap_ref w = buckets[i]; w; w = word->next) {
			word = goheap_ptr(heap, w);
			sum = mix(sum, word_checksum(word));
		}
	}
	return sum;
}
