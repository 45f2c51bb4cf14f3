// SPDX-License-Identifier: GPL-2.0
/*
 * A program that works on text (text.h):
 *
 *	cache		a cache of CAPACITY entries that forgets what was used longest
 *			ago; keys are pairs of words, some asked for much
 *			more often than others, values are pieces of text; one
 *			look-up, with what follows if there is nothing
 *	cache/GOGC/P	the same where the heap may grow by P per cent of what is
 *			live: 30, 100 and 300, thus to 1.3, 2 and 4 times of it
 *	cache/mmu/...	utilisation in it (mmu.c)
 */
#include "workload.h"
#include "text.h"

#define BUCKETS		(1L << 16)
#define CAPACITY	100000
#define KEYS		300000ULL
#define KEY_WORDS	65536
#define OPS		500000L

struct entry {
	ref next;
	ref newer;
	ref older;
	ref key;
	ref value;
	uint64_t hash;
	long key_bytes;
};

static struct type entry_type = { sizeof(struct entry), 5 };

static const struct text *text;
static ref table, newest, oldest;
static long nr_entries;
static uint64_t seed = 1;

/* Never of nil, which the compiler cannot know. */
static struct entry *entry_at(ref r)
{
	if (!r)
		__builtin_unreachable();
	return at(r);
}

static ref *bucket_of(uint64_t hash)
{
	return (ref *)at(get(&table)) + hash % BUCKETS;
}

/* Take an entry out of the order of use. */
static void unlink_entry(ref r)
{
	ref newer = get(&entry_at(r)->newer), older = get(&entry_at(r)->older);

	put(newer ? &entry_at(newer)->older : &newest, older);
	put(older ? &entry_at(older)->newer : &oldest, newer);
}

static void make_newest(ref r)
{
	ref second = get(&newest);

	put(&entry_at(r)->newer, 0);
	put(&entry_at(r)->older, second);
	put(second ? &entry_at(second)->newer : &oldest, r);
	put(&newest, r);
}

static void forget_oldest(void)
{
	ref r = get(&oldest), *place;

	require(r);
	place = bucket_of(entry_at(r)->hash);
	while (get(place) != r)
		place = &entry_at(get(place))->next;
	put(place, get(&entry_at(r)->next));
	unlink_entry(r);
	if (HEAP_FREES) {
		drop(get(&entry_at(r)->key));
		drop(get(&entry_at(r)->value));
		drop(r);
	}
	nr_entries--;
}

static void insert(const char *key, size_t bytes, uint64_t hash)
{
	ref r = new_typed(&entry_type), *bucket = bucket_of(hash);
	size_t from = hash % text->words[KEY_WORDS].start;

	entry_at(r)->hash = hash;
	entry_at(r)->key_bytes = bytes;
	put(&entry_at(r)->key, new_text(key, bytes));
	put(&entry_at(r)->value,
	    new_text(text->bytes + from, 32 + hash / 8 % 200));
	put(&entry_at(r)->next, get(bucket));
	put(bucket, r);
	make_newest(r);
	if (++nr_entries > CAPACITY)
		forget_oldest();
}

static void look_up(const char *key, size_t bytes)
{
	uint64_t hash = text_hash(key, bytes);
	ref r;

	for (r = get(bucket_of(hash)); r; r = get(&entry_at(r)->next))
		if (entry_at(r)->hash == hash &&
		    entry_at(r)->key_bytes == bytes &&
		    !memcmp(at(get(&entry_at(r)->key)), key, bytes))
			break;
	if (!r) {
		insert(key, bytes, hash);
	} else {
		unlink_entry(r);
		make_newest(r);
	}
}

/* Key number @i: two words, of those that the caches of a processor hold. */
static size_t make_key(char *key, uint64_t i)
{
	const struct word *a = &text->words[i % KEY_WORDS];
	const struct word *b = &text->words[i * 31 / 7 % KEY_WORDS];
	size_t bytes = a->bytes;

	memcpy(key, text->bytes + a->start, bytes);
	key[bytes++] = ' ';
	memcpy(key + bytes, text->bytes + b->start, b->bytes);
	return bytes + b->bytes;
}

static void use_cache(long n)
{
	char key[40];

	while (n--) {
		uint64_t x = random64(&seed) % KEYS;

		/* The product of two: low numbers are much more frequent. */
		look_up(key, make_key(key, x * (random64(&seed) % KEYS) / KEYS));
		mmu_tick();
	}
}

static void fill_cache(void)
{
	type_init(&entry_type);
	text = text_make();
	put(&table, new_refs(BUCKETS));
	use_cache(OPS);
}

static void report_cache(const char *name)
{
	struct sample from = clocks(), to;

	use_cache(OPS);
	to = clocks();
	printf("%s %.3f %.3f\n", name, (to.cpu - from.cpu) / OPS,
	       (to.wall - from.wall) / OPS);
}

void measure_cache(int unused)
{
	if (!wanted("cache"))
		return;
	fill_cache();
	report_cache("cache");
}

void measure_cache_growth(int percent)
{
	char name[40];

	snprintf(name, sizeof(name), "cache/GOGC/%d", percent);
	if (!wanted(name) || !heap_growth(percent))
		return;
	fill_cache();
	report_cache(name);
}

void measure_cache_mmu(int unused)
{
	if (!HEAP_COLLECTS || !wanted("cache/mmu/1ms"))
		return;
	fill_cache();
	mmu_begin();
	use_cache(OPS);
	mmu_report("cache");
}
