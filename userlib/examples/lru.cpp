// SPDX-License-Identifier: GPL-2.0
/*
 * lru [operations [capacity]]: a cache of limited size with texts as keys that
 * forgets what was not used for longest, wholly in managed objects.
 *
 * An entry is in a chain of a hash table and in a list in the order of use. To
 * forget one is to take it out of both; nobody frees it. Its key and its value
 * are arrays of characters of their own, and whoever found a value may keep it
 * for longer than the cache does.
 *
 * The program checks the cache against one made of the C++ library's
 * containers, operation by operation, and in the end that the heap has not
 * grown beyond what the cache holds.
 */
#include <goheap.hpp>

#include <algorithm>
#include <cstdio>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace
{

using goheap::ptr;
using goheap::ref;

/* A text in the heap. */
struct text {
	ref<char[]> bytes;
	std::size_t length;
	static constexpr auto goheap_refs = goheap::refs(&text::bytes);

	void set(std::string_view s)
	{
		auto copy = goheap::make_array<char>(s.size());

		std::copy(s.begin(), s.end(), copy.begin());
		bytes = copy;
		length = s.size();
	}

	std::string_view view() const
	{
		return { bytes.get(), length };
	}
};

struct entry {
	ref<entry> chain;
	ref<entry> newer;
	ref<entry> older;
	text key;
	text value;
	static constexpr auto goheap_refs =
		goheap::refs(&entry::chain, &entry::newer, &entry::older,
			     &entry::key, &entry::value);
};

/* The cache; a managed object like any other. */
struct lru {
	ref<ref<entry>[]> buckets;
	ref<entry> newest;
	ref<entry> oldest;
	std::size_t nr_buckets;
	std::size_t capacity;
	std::size_t size = 0;
	static constexpr auto goheap_refs =
		goheap::refs(&lru::buckets, &lru::newest, &lru::oldest);

	explicit lru(std::size_t n)
		: buckets(goheap::make_array<ref<entry>>(n)), nr_buckets(n),
		  capacity(n)
	{
	}

	ptr<entry> get(std::string_view key);
	void put(std::string_view key, std::string_view value);

private:
	/* The place in a chain that leads to a key, or to nothing. */
	ref<entry> *find(std::string_view key)
	{
		std::size_t hash = std::hash<std::string_view>()(key);
		ref<entry> *place = &buckets[hash % nr_buckets];

		while (*place && (*place)->key.view() != key)
			place = &(*place)->chain;
		return place;
	}

	void unlink(ptr<entry> e);
	void push(ptr<entry> e);
	void forget_oldest();
};

/* Take an entry that something keeps out of the list. */
void lru::unlink(ptr<entry> e)
{
	ref<entry> &from_older = e->older ? e->older->newer : oldest;
	ref<entry> &from_newer = e->newer ? e->newer->older : newest;

	from_older = e->newer;
	from_newer = e->older;
	e->older = e->newer = nullptr;
}

void lru::push(ptr<entry> e)
{
	e->older = newest;
	if (newest)
		newest->newer = e;
	else
		oldest = e;
	newest = e;
}

void lru::forget_oldest()
{
	goheap::local<entry> e = oldest;
	ref<entry> *place = find(e->key.view());

	unlink(e);
	*place = e->chain;
	size--;
}

/* What belongs to a key, which is the newest then; nullptr if nothing does. */
ptr<entry> lru::get(std::string_view key)
{
	ptr<entry> e = *find(key);

	/* Its chain keeps it while it is out of the list. */
	if (e) {
		unlink(e);
		push(e);
	}
	return e;
}

void lru::put(std::string_view key, std::string_view value)
{
	goheap::frame f;
	ptr<entry> e = get(key);

	if (!e) {
		if (size == capacity)
			forget_oldest();
		e = goheap::make<entry>();
		e->key.set(key);
		*find(key) = e;
		push(e);
		size++;
	}
	e->value.set(value);
}

/* The same of the library's parts, to compare with. */
class model
{
public:
	explicit model(std::size_t capacity) : capacity_(capacity)
	{
	}

	const std::string *get(const std::string &key)
	{
		auto found = index_.find(key);

		if (found == index_.end())
			return nullptr;
		order_.splice(order_.begin(), order_, found->second);
		return &found->second->second;
	}

	void put(const std::string &key, const std::string &value)
	{
		if (get(key)) {
			order_.front().second = value;
			return;
		}
		if (index_.size() == capacity_) {
			index_.erase(order_.back().first);
			order_.pop_back();
		}
		order_.emplace_front(key, value);
		index_[key] = order_.begin();
	}

	/* Whether a cache has the same entries in the same order. */
	bool same(const lru &cache) const
	{
		ptr<entry> e = cache.newest;

		for (const auto &[key, value] : order_) {
			if (!e || e->key.view() != key ||
			    e->value.view() != value)
				return false;
			e = e->older;
		}
		return !e && cache.size == order_.size();
	}

private:
	using pair = std::pair<std::string, std::string>;

	std::size_t capacity_;
	std::list<pair> order_;
	std::unordered_map<std::string, std::list<pair>::iterator> index_;
};

unsigned long random_number()
{
	static unsigned long state = 88172645463325252UL;

	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* One look-up and, after a miss and sometimes after a hit, one insertion. */
bool step(lru &cache, model &copy, long i, long &hits)
{
	/* Smaller numbers are more frequent. */
	unsigned long range = random_number() % (4 * cache.capacity) + 1;
	std::string key = "key " + std::to_string(random_number() % range);
	ptr<entry> found = cache.get(key);
	const std::string *expected = copy.get(key);

	if (!found != !expected || (found && found->value.view() != *expected))
		return false;
	hits += found != nullptr;
	if (!found || i % 8 == 0) {
		std::string value(random_number() % 200, 'v');

		value += std::to_string(i);
		cache.put(key, value);
		copy.put(key, value);
	}
	return true;
}

int run(long operations, std::size_t capacity)
{
	goheap::heap heap;
	goheap::scope in(heap);
	goheap::frame f;
	goheap::local<lru> cache = goheap::make<lru>(capacity);
	model copy(capacity);
	long hits = 0;

	for (long i = 0; i < operations; i++) {
		if (!step(*cache, copy, i, hits)) {
			std::fprintf(stderr, "lru: wrong at %ld\n", i);
			return 1;
		}
	}
	heap.gc();
	auto stats = heap.mem_stats();
	std::printf("%ld operations, %ld hits, %zu entries, %llu collections\n",
		    operations, hits, cache->size,
		    static_cast<unsigned long long>(stats.num_gc));
	std::printf("%llu KiB allocated, %llu KiB live\n",
		    static_cast<unsigned long long>(stats.total_alloc >> 10),
		    static_cast<unsigned long long>(stats.heap_marked >> 10));
	if (!copy.same(*cache) ||
	    stats.heap_marked > capacity * 1024 + 1048576) {
		std::fprintf(stderr, "lru: not what it should be\n");
		return 1;
	}
	return 0;
}

} /* namespace */

int main(int argc, char **argv)
{
	long operations = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 200000;
	long capacity = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 1000;

	if (operations < 0 || capacity < 1) {
		std::fprintf(stderr, "usage: lru [operations [capacity]]\n");
		return 2;
	}
	try {
		return run(operations, static_cast<std::size_t>(capacity));
	} catch (const std::exception &e) {
		std::fprintf(stderr, "lru: %s\n", e.what());
		return 1;
	}
}
