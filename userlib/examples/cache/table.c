// SPDX-License-Identifier: GPL-2.0
/*
 * The cache: a hash table whose entries are also in a list in the order of use,
 * in shards that have a lock each. Everything but the locks and the numbers is
 * in managed objects: the tables, the entries, keys and values.
 *
 * Nothing is freed. An entry is taken out of the chain and the list, and a value
 * is replaced, while other threads may still be reading it; they keep it for as
 * long as they do. Nothing is counted for that and nobody is asked.
 *
 * When there is more than the capacity, what was not used for longest goes. The
 * cache knows nothing of limits: its capacity is what its owner has given it,
 * as with any cache, and it is the heap that has to manage with what the
 * control group leaves to it.
 */
#include <pthread.h>
#include <string.h>

#include "cache.h"

#define SHARDS 64 /* a power of two */

struct goheap *heap;

/*
 * An entry. The references to its neighbours are cleared when it leaves the
 * cache: a stale word on some stack that keeps one entry would otherwise keep,
 * through them, all that ever come after it.
 */
struct entry {
	goheap_ref next; /* of the same bucket */
	goheap_ref newer;
	goheap_ref older;
	goheap_ref key;
	goheap_ref value;
	uint64_t hash;
};

/* The references in static variables are found like any. */
static struct shard {
	pthread_mutex_t lock;
	goheap_ref buckets;
	goheap_ref newest;
	goheap_ref oldest;
	uint64_t bytes;
	uint64_t entries;
	uint64_t evicted;
} __attribute__((aligned(64))) shards[SHARDS];

static uint64_t nr_buckets; /* of each shard; a power of two */
static uint64_t shard_capacity;
static int entry_layout;

/*
 * Prepare for so many bytes of entries, of which each has about so many. Returns
 * 0 or -1.
 */
int cache_init(uint64_t capacity, uint64_t mean_bytes)
{
	uint64_t expected = capacity / SHARDS / mean_bytes;

	entry_layout = GOHEAP_LAYOUT(heap, struct entry, next, newer, older,
				     key, value);
	if (entry_layout < 0)
		return -1;
	shard_capacity = capacity / SHARDS;
	for (nr_buckets = 16; nr_buckets < expected; nr_buckets *= 2)
		;
	for (unsigned int i = 0; i < SHARDS; i++) {
		struct shard *shard = &shards[i];
		goheap_ref buckets;

		buckets = goheap_new_array(heap, goheap_layout_refs(heap),
					   sizeof(goheap_ref), nr_buckets);
		if (!buckets)
			return -1;
		pthread_mutex_init(&shard->lock, NULL);
		goheap_store(heap, &shard->buckets, buckets);
		goheap_store(heap, &shard->newest, 0);
		goheap_store(heap, &shard->oldest, 0);
		shard->bytes = 0;
		shard->entries = 0;
		shard->evicted = 0;
	}
	return 0;
}

/* What an entry counts in the cache's capacity. */
uint64_t cache_entry_bytes(uint32_t key_length, uint32_t value_length)
{
	return sizeof(struct entry) + sizeof(struct key) + key_length +
	       sizeof(struct value) + value_length;
}

static struct entry *entry_at(goheap_ref ref)
{
	return goheap_ptr(heap, ref);
}

static uint64_t bytes_of(const struct entry *entry)
{
	const struct key *key = goheap_ptr(heap, entry->key);
	const struct value *value = goheap_ptr(heap, entry->value);

	return cache_entry_bytes(key->length, value->length);
}

/* FNV-1a, and its upper bits mixed into the lower ones. */
static uint64_t hash_of(const char *text, uint32_t length)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	while (length--)
		hash = (hash ^ (unsigned char)*text++) * 0x100000001b3ULL;
	return hash ^ hash >> 32;
}

static struct shard *shard_of(uint64_t hash)
{
	return &shards[hash & (SHARDS - 1)];
}

/* The place that refers to the entry of a key, or to nothing if there is none. */
static goheap_ref *find(struct shard *shard, uint64_t hash, const char *text,
			uint32_t length)
{
	goheap_ref *buckets = goheap_ptr(heap, shard->buckets);
	goheap_ref *place = &buckets[hash / SHARDS & (nr_buckets - 1)];

	for (; *place; place = &entry_at(*place)->next) {
		const struct entry *entry = entry_at(*place);
		const struct key *key;

		if (entry->hash != hash)
			continue;
		key = goheap_ptr(heap, entry->key);
		if (key->length == length && !memcmp(key->text, text, length))
			break;
	}
	return place;
}

static void list_add(struct shard *shard, goheap_ref ref)
{
	struct entry *entry = entry_at(ref);

	goheap_store(heap, &entry->older, shard->newest);
	if (shard->newest)
		goheap_store(heap, &entry_at(shard->newest)->newer, ref);
	else
		goheap_store(heap, &shard->oldest, ref);
	goheap_store(heap, &shard->newest, ref);
}

static void list_remove(struct shard *shard, goheap_ref ref)
{
	struct entry *entry = entry_at(ref);
	goheap_ref newer = entry->newer;
	goheap_ref older = entry->older;

	goheap_store(heap, newer ? &entry_at(newer)->older : &shard->newest,
		     older);
	goheap_store(heap, older ? &entry_at(older)->newer : &shard->oldest,
		     newer);
	goheap_store(heap, &entry->newer, 0);
	goheap_store(heap, &entry->older, 0);
}

static void touch(struct shard *shard, goheap_ref ref)
{
	if (shard->newest == ref)
		return;
	list_remove(shard, ref);
	list_add(shard, ref);
}

/* Take the entry that a place refers to out of the cache. */
static void drop(struct shard *shard, goheap_ref *place)
{
	goheap_ref ref = *place;
	struct entry *entry = entry_at(ref);

	shard->bytes -= bytes_of(entry);
	shard->entries--;
	list_remove(shard, ref);
	goheap_store(heap, place, entry->next);
	goheap_store(heap, &entry->next, 0);
}

static void drop_oldest(struct shard *shard)
{
	struct entry *entry = entry_at(shard->oldest);
	const struct key *key = goheap_ptr(heap, entry->key);

	drop(shard, find(shard, entry->hash, key->text, key->length));
	shard->evicted++;
}

static void make_room(struct shard *shard)
{
	while (shard->bytes > shard_capacity && shard->oldest != shard->newest)
		drop_oldest(shard);
}

/* The value of a key, 0 if it is not in the cache. */
goheap_ref cache_get(const char *text, uint32_t length)
{
	uint64_t hash = hash_of(text, length);
	struct shard *shard = shard_of(hash);
	goheap_ref value = 0;
	goheap_ref ref;

	pthread_mutex_lock(&shard->lock);
	ref = *find(shard, hash, text, length);
	if (ref) {
		touch(shard, ref);
		value = goheap_load(heap, &entry_at(ref)->value);
	}
	pthread_mutex_unlock(&shard->lock);
	return value;
}

/* Replace the value of a key if it is in the cache. The shard is locked. */
static bool replace(struct shard *shard, uint64_t hash, const char *text,
		    uint32_t length, goheap_ref value)
{
	goheap_ref ref = *find(shard, hash, text, length);
	struct entry *entry = entry_at(ref);

	if (!ref)
		return false;
	shard->bytes -= bytes_of(entry);
	goheap_store(heap, &entry->value, value);
	shard->bytes += bytes_of(entry);
	touch(shard, ref);
	make_room(shard);
	return true;
}

static goheap_ref new_entry(uint64_t hash, const char *text, uint32_t length,
			    goheap_ref value)
{
	goheap_ref key = goheap_new(heap, GOHEAP_LAYOUT_NOSCAN,
				    sizeof(struct key) + length);
	goheap_ref ref = goheap_new(heap, entry_layout, sizeof(struct entry));
	struct entry *entry = entry_at(ref);
	struct key *k = goheap_ptr(heap, key);

	if (!key || !ref)
		return 0;
	k->length = length;
	memcpy(k->text, text, length);
	entry->hash = hash;
	goheap_store(heap, &entry->key, key);
	goheap_store(heap, &entry->value, value);
	return ref;
}

/*
 * Set the value of a key. Allocation may wait for a collection, so no lock is
 * held meanwhile. Returns 0, or -1 if there is no memory.
 */
int cache_set(const char *text, uint32_t length, goheap_ref value)
{
	uint64_t hash = hash_of(text, length);
	struct shard *shard = shard_of(hash);
	goheap_ref *place;
	goheap_ref ref;
	bool done;

	pthread_mutex_lock(&shard->lock);
	done = replace(shard, hash, text, length, value);
	pthread_mutex_unlock(&shard->lock);
	if (done)
		return 0;
	ref = new_entry(hash, text, length, value);
	if (!ref)
		return -1;
	pthread_mutex_lock(&shard->lock);
	/* Another thread may have come first. */
	if (!replace(shard, hash, text, length, value)) {
		place = find(shard, hash, text, length);
		goheap_store(heap, place, ref);
		list_add(shard, ref);
		shard->bytes += bytes_of(entry_at(ref));
		shard->entries++;
		make_room(shard);
	}
	pthread_mutex_unlock(&shard->lock);
	return 0;
}

/* Returns whether the key was in the cache. */
bool cache_delete(const char *text, uint32_t length)
{
	uint64_t hash = hash_of(text, length);
	struct shard *shard = shard_of(hash);
	goheap_ref *place;
	bool found;

	pthread_mutex_lock(&shard->lock);
	place = find(shard, hash, text, length);
	found = *place;
	if (found)
		drop(shard, place);
	pthread_mutex_unlock(&shard->lock);
	return found;
}

/* There is no memory: let go of the oldest entry of each shard. */
void cache_give_way(void)
{
	for (unsigned int i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&shards[i].lock);
		if (shards[i].oldest)
			drop_oldest(&shards[i]);
		pthread_mutex_unlock(&shards[i].lock);
	}
}

void cache_use(struct cache_use *use)
{
	*use = (struct cache_use){ 0 };
	for (unsigned int i = 0; i < SHARDS; i++) {
		pthread_mutex_lock(&shards[i].lock);
		use->bytes += shards[i].bytes;
		use->entries += shards[i].entries;
		use->evicted += shards[i].evicted;
		pthread_mutex_unlock(&shards[i].lock);
	}
}

/* Compare what is in a shard's chains with its numbers. */
static const char *check_chains(struct shard *shard)
{
	const goheap_ref *buckets = goheap_ptr(heap, shard->buckets);
	uint64_t entries = 0;
	uint64_t bytes = 0;

	for (uint64_t i = 0; i < nr_buckets; i++) {
		const struct entry *entry;

		for (goheap_ref r = buckets[i]; r; r = entry->next) {
			const struct key *key;

			entry = entry_at(r);
			if ((entry->hash / SHARDS & (nr_buckets - 1)) != i)
				return "an entry is in a wrong chain";
			key = goheap_ptr(heap, entry->key);
			if (hash_of(key->text, key->length) != entry->hash)
				return "a key is not what it was";
			if (++entries > shard->entries)
				return "there are too many entries";
			bytes += bytes_of(entry);
		}
	}
	if (entries != shard->entries || bytes != shard->bytes)
		return "entries are missing";
	return NULL;
}

static const char *check_list(struct shard *shard)
{
	goheap_ref newer = 0;
	uint64_t entries = 0;

	for (goheap_ref r = shard->newest; r; r = entry_at(r)->older) {
		if (entry_at(r)->newer != newer)
			return "the list is torn";
		if (++entries > shard->entries)
			return "the list is too long";
		newer = r;
	}
	if (shard->oldest != newer || entries != shard->entries)
		return "the list has lost its end";
	return NULL;
}

/* What is wrong with the cache, or NULL. Nobody else may use it meanwhile. */
const char *cache_check(void)
{
	for (unsigned int i = 0; i < SHARDS; i++) {
		const char *wrong = check_chains(&shards[i]);

		if (!wrong)
			wrong = check_list(&shards[i]);
		if (wrong)
			return wrong;
	}
	return NULL;
}
