// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tests of goheap.hpp that need the device: what handles keep, what becomes
 * garbage, what exceptions leave behind. Each test has a heap of its own, which
 * is current. Prints TAP.
 */
#include <goheap.hpp>

#include <sys/wait.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace
{

using goheap::heap;
using goheap::heap_view;
using goheap::ptr;
using goheap::ref;

int failures;

void expect(bool good, const char *what, int line)
{
	if (good)
		return;
	std::printf("# %s:%d: %s\n", __FILE__, line, what);
	failures++;
}

#define EXPECT(condition) expect(condition, #condition, __LINE__)

struct tree {
	ref<tree> left, right;
	long key = 0;
	static constexpr auto goheap_refs =
		goheap::refs(&tree::left, &tree::right);
};

/* Too large for a thread's store, so that it is free once it is garbage. */
struct big {
	ref<big> next;
	long number = 0;
	char space[4080];
	static constexpr auto goheap_refs = goheap::refs(&big::next);
};

bool is_object(goheap_ref raw)
{
	struct goheap_object object;

	return !goheap_object(heap_view::current().c_heap_ptr(), raw, &object);
}

template <class H> bool is_object(const H &handle)
{
	return is_object(handle.raw());
}

bool collect()
{
	return heap_view::current().gc();
}

/* Roots and references in frames and stores, as a collection finds them. */
std::uint64_t root_count()
{
	collect();
	return heap_view::current().stats().root_count;
}

ptr<tree> make_tree(int depth, long key = 1)
{
	goheap::result_frame f;
	auto t = goheap::make<tree>();

	t->key = key;
	if (depth) {
		t->left = make_tree(depth - 1, 2 * key);
		t->right = make_tree(depth - 1, 2 * key + 1);
	}
	return f.keep(t);
}

/* Number of nodes, or -1 if a key is wrong. */
long check_tree(const tree *t, long key = 1)
{
	if (!t)
		return 0;
	if (t->key != key)
		return -1;
	long left = check_tree(t->left.get(), 2 * key);
	long right = check_tree(t->right.get(), 2 * key + 1);

	return left < 0 || right < 0 ? -1 : left + right + 1;
}

void test_tree()
{
	goheap::frame f;
	goheap::local<tree> kept = make_tree(10);

	for (int i = 0; i < 20; i++) {
		goheap::frame inner;

		EXPECT(check_tree(make_tree(10).get()) == 2047);
		EXPECT(collect());
	}
	EXPECT(check_tree(kept.get()) == 2047);
	EXPECT(heap_view::current().stats().invalid_refs == 0);
}

void test_garbage()
{
	heap_view h = heap_view::current();

	goheap::root<tree> root;
	{
		goheap::frame f;

		root = make_tree(14);
		goheap::local<tree> other = make_tree(14);
		collect();
		EXPECT(h.stats().heap_marked >= 2 * 32767 * 24);
	}
	collect();
	EXPECT(h.stats().heap_marked >= 32767 * 24);
	EXPECT(h.stats().heap_marked < 40000 * 24);
	EXPECT(check_tree(root.get()) == 32767);
	root->left = nullptr;
	collect();
	EXPECT(h.stats().heap_marked < 20000 * 24);
	root.reset();
	collect();
	EXPECT(h.stats().heap_marked < 65536 && h.stats().num_gc >= 4);
	EXPECT(h.mem_stats().num_forced_gc >= 4 && h.gc_stats().num_gc >= 4);
}

void test_local()
{
	goheap::frame f;
	goheap_ref a, b;
	{
		goheap::local<big> var;
		{
			goheap::frame inner;

			var = goheap::make<big>();
			a = var.raw();
			var->next = goheap::make<big>();
			b = var->next.raw();
		}
		EXPECT(collect() && is_object(a) && is_object(b));
		var = var->next;
		EXPECT(collect() && !is_object(a) && is_object(b));
		goheap::local<const big> second(var);
		var = nullptr;
		EXPECT(collect() && !var && is_object(second));
	}
	/* The frame goes on, the scope of the local is over. */
	EXPECT(collect() && !is_object(b));
}

/* Leaves one of the two to the caller. */
ptr<big> make_two(goheap_ref &other)
{
	goheap::result_frame f;
	auto a = goheap::make<big>();

	other = goheap::make<big>().raw();
	return f.keep(a);
}

void test_result_frame()
{
	goheap_ref kept, other;
	{
		goheap::frame f;

		kept = make_two(other).raw();
		EXPECT(collect() && is_object(kept) && !is_object(other));
	}
	EXPECT(collect() && !is_object(kept));
}

void test_ref()
{
	goheap::frame f;
	goheap::local<big> top = goheap::make<big>();
	{
		goheap::frame inner;

		top->next = goheap::make<big>();
		top->next->next = goheap::make<big>();
	}
	goheap_ref second = top->next.raw(), third = top->next->next.raw();

	EXPECT(collect() && is_object(second) && is_object(third));
	swap(top->next, top->next->next);
	EXPECT(top->next.raw() == third && is_object(second));
	swap(top->next, top->next);
	EXPECT(top->next.raw() == third);
	/* The second refers to itself now, and nothing to it. */
	EXPECT(collect() && is_object(third) && !is_object(second));
	{
		goheap::frame inner;
		ptr<big> old = top->next.exchange(nullptr);

		EXPECT(collect() && is_object(old) && !top->next);
		EXPECT(old.keep() == old);
	}
	EXPECT(collect() && !is_object(third));
	top->next = top;
	EXPECT(top->next == top && top->next->next.get() == top.get());
	EXPECT(goheap::ptr_to(top.get()) == top);
}

/* Holds everything that a root can do to what it kept. */
void test_roots()
{
	goheap::root<big> a, b;
	std::vector<goheap::root<big>> many;
	{
		goheap::frame f;

		a = goheap::make<big>();
		for (long i = 0; i < 100; i++) {
			many.emplace_back(goheap::make<big>());
			many.back()->number = i;
		}
	}
	EXPECT(collect() && is_object(a));
	EXPECT(root_count() == 101);
	b = std::move(a);
	EXPECT(!a && b && collect() && is_object(b));
	goheap::root<big> c(std::move(b));
	goheap_ref raw = c.raw();
	auto &alias = c;
	c = std::move(alias);
	EXPECT(c.raw() == raw && collect() && is_object(raw));
	c = many[5].value();
	EXPECT(collect() && !is_object(raw) && c == many[5]);
	many.erase(many.begin(), many.begin() + 50);
	std::swap(many[0], many[1]);
	EXPECT(many[0]->number == 51 && many[1]->number == 50);
	EXPECT(collect() && c->number == 5 && is_object(c));
	EXPECT(root_count() == 51);
	many.clear();
	c = nullptr;
	EXPECT(root_count() == 0);
}

void test_root_outlives_heap()
{
	goheap::root<big> old, other;
	{
		heap h(GOHEAP_OPEN_PRECISE);
		goheap::scope in(h);

		old = goheap::make<big>();
	}
	/* Takes the place of the closed one, and perhaps the root's number. */
	heap again(GOHEAP_OPEN_PRECISE);
	goheap::scope in(again);

	{
		goheap::frame f;

		other = goheap::make<big>();
	}
	old.reset();
	EXPECT(root_count() == 1 && is_object(other));
	other.reset();
	EXPECT(root_count() == 0);
}

void test_root_in_child()
{
	auto parents = std::make_unique<goheap::root<big>>();
	goheap_ref raw;
	{
		goheap::frame f;

		*parents = goheap::make<big>();
		(*parents)->next = goheap::make<big>();
		raw = (*parents)->next.raw();
	}
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		/* Its first root may have the number of the parent's. */
		goheap::root<big> mine((*parents)->next);

		(*parents)->next = nullptr;
		parents.reset();
		_exit(root_count() == 2 && is_object(raw) ? 0 : 1);
	}
	EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && !status);
	EXPECT(root_count() == 1 && is_object(*parents) && !is_object(raw));
}

void test_arrays()
{
	goheap::frame f;
	auto array = goheap::make_array<ref<tree>>(1000);
	goheap::local<ref<tree>[]> kept = array;
	auto numbers = goheap::make_array<std::int64_t>(100000);
	auto trees = goheap::make_array<tree>(100);

	EXPECT(array.size() == 1000 &&
	       numbers.end() - numbers.begin() == 100000);
	for (std::size_t i = 0; i < array.size(); i++) {
		goheap::frame inner;

		EXPECT(!array[i]);
		array[i] = goheap::make<tree>();
		array[i]->key = static_cast<long>(i);
	}
	for (std::int64_t &n : numbers)
		n = n + 1 + (&n - numbers.data());
	trees.at(99).left = array.at(5);
	ptr<tree> last = trees.ptr_at(99);
	EXPECT(collect());
	for (std::size_t i = 0; i < 1000; i++)
		EXPECT(kept[i]->key == static_cast<long>(i));
	EXPECT(numbers[99999] == 100000 && numbers.at(0) == 1);
	EXPECT(last->left->key == 5 && last.get() == &trees[99]);
	auto part = array.subarray(10, 5);
	EXPECT(part.size() == 5 && part[0]->key == 10);
	EXPECT(array.subarray(1000, 0).empty());
	EXPECT(goheap::make_array<tree>(0) && !goheap::array_ref<tree>());
}

template <class F> bool out_of_range(F function)
{
	try {
		function();
	} catch (const std::out_of_range &) {
		return true;
	}
	return false;
}

void test_bounds()
{
	goheap::frame f;
	auto array = goheap::make_array<char>(10);

	EXPECT(!out_of_range([&] { array.at(9); }));
	EXPECT(out_of_range([&] { array.at(10); }));
	EXPECT(out_of_range([&] { array.ptr_at(10); }));
	EXPECT(out_of_range([&] { array.subarray(11, 0); }));
	EXPECT(out_of_range([&] { array.subarray(5, 6); }));
	EXPECT(out_of_range([&] { array.subarray(5, SIZE_MAX); }));
}

goheap_ref seen;

struct thrower {
	ref<big> first;
	char space[4096];
	static constexpr auto goheap_refs = goheap::refs(&thrower::first);

	explicit thrower(bool bad) : first(goheap::make<big>())
	{
		seen = first.raw();
		if (bad)
			throw std::string("bad");
	}
};

void test_throwing_constructor()
{
	goheap::frame f;
	goheap_ref before = 0;
	bool caught = false;

	auto good = goheap::make<thrower>(false);
	EXPECT(collect() && is_object(good) && is_object(seen));
	before = seen;
	try {
		goheap::make<thrower>(true);
	} catch (const std::string &) {
		caught = true;
	}
	EXPECT(caught && seen != before);
	EXPECT(collect() && !is_object(seen) && is_object(before));
}

/* Frames and locals between a throw and its handler come to an end. */
void test_unwinding()
{
	goheap_ref a = 0, b = 0;

	try {
		goheap::frame f;
		goheap::local<big> l = goheap::make<big>();
		goheap::result_frame inner;

		a = l.raw();
		b = goheap::make<big>().raw();
		throw 1;
	} catch (int) {
	}
	EXPECT(a && b && collect() && !is_object(b) && !is_object(a));
}

void test_no_memory()
{
	struct goheap_open_params params = {};

	params.flags = GOHEAP_OPEN_PRECISE;
	params.max_heap = 8 << 20;
	heap small(params);
	goheap::scope in(small);
	int caught = 0;
	{
		goheap::frame f;

		try {
			for (;;)
				goheap::make<big>();
		} catch (const std::bad_alloc &) {
			caught++;
		}
		EXPECT(!goheap::try_make<big>() && errno == ENOMEM);
		EXPECT(!goheap::try_make_array<char>(16 << 20));
		EXPECT(!goheap::try_make_array<long>(SIZE_MAX / 4));
		EXPECT(errno == ENOMEM);
	}
	EXPECT(caught == 1 && goheap::try_make<big>());
	EXPECT(small.set_max_heap(0) == 8 << 20);
	EXPECT(small.set_gc_percent(50) == 100);
	EXPECT(small.set_gc_percent(-1) == 50);
	EXPECT(small.set_gc_percent(100) == -1);
	EXPECT(small.set_memory_limit(1 << 30) == INT64_MAX);
	EXPECT(small.free_os_memory() > 0);
}

/* A type for each number; some are alike, and all are kept apart. */
template <std::size_t N> struct numbered {
	ref<numbered> self;
	long space[N];
	ref<numbered> again;
	static constexpr auto goheap_refs =
		goheap::refs(&numbered::self, &numbered::again);
};

template <std::size_t N> bool use_type(heap_view h)
{
	goheap::frame f(h);
	auto p = h.make<numbered<N>>();

	p->self = p;
	p->again = h.make<numbered<N>>();
	p->again->space[N - 1] = N;
	return h.layout<numbered<N>>() == h.layout<numbered<N>>() && h.gc() &&
	       p->self == p && p->again->space[N - 1] == N;
}

template <std::size_t... N>
bool use_types(heap_view h, std::index_sequence<N...>)
{
	return (use_type<N + 1>(h) && ...);
}

void test_types()
{
	heap_view h = heap_view::current();
	heap other;

	for (int i = 0; i < 3; i++) {
		EXPECT(use_types(h, std::make_index_sequence<50>()));
		EXPECT(use_types(other, std::make_index_sequence<50>()));
	}
	EXPECT(h.layout<char>() == GOHEAP_LAYOUT_NOSCAN);
	EXPECT(h.layout<numbered<3>>() != h.layout<numbered<4>>());
	EXPECT(h.layout<ref<tree>>() == h.layout<ref<big>>());
}

template <class T> bool aligned()
{
	goheap::frame f;
	bool good = true;

	for (int i = 0; i < 100; i++) {
		auto address = reinterpret_cast<std::uintptr_t>(
			goheap::make<T>().get());

		good = good && address % alignof(T) == 0;
	}
	return good;
}

void test_alignment()
{
	struct six {
		short s[3];
	};
	struct twelve {
		int i[3];
	};

	EXPECT(aligned<char>() && aligned<short>() && aligned<six>());
	EXPECT(aligned<int>() && aligned<twelve>() && aligned<double>());
	EXPECT(aligned<tree>() && aligned<big>());
}

struct shape {
	ref<big> data;
	static constexpr auto goheap_refs = goheap::refs(&shape::data);
};

struct named {
	char name[8];
};

struct circle : named, shape {
	ref<circle> next;
	static constexpr auto goheap_refs =
		goheap::refs(goheap::base<circle, shape>, &circle::next);
};

struct pair {
	ref<tree> a;
	ref<tree> b;
	int number;
	static constexpr auto goheap_refs = goheap::refs(&pair::a, &pair::b);
};

void test_inheritance()
{
	goheap::frame f;
	goheap::local<shape> base;
	goheap_ref data;
	{
		goheap::frame inner;
		auto c = goheap::make<circle>();

		c->data = goheap::make<big>();
		c->next = c;
		data = c->data.raw();
		base = c;
		EXPECT(base.raw() == c.raw() + sizeof(named) && base == c);
	}
	EXPECT(collect() && is_object(base) && is_object(data));
	auto c = goheap::static_ptr_cast<circle>(base.value());
	EXPECT(c->next == c && c->data.raw() == data && c == base);
	/* An aggregate; a reference in it may be given as any handle. */
	auto p = goheap::make<pair>(make_tree(1), nullptr, 7);
	auto q = goheap::make<pair>(p->a, make_tree(2), 8);
	EXPECT(check_tree(q->a.get()) == 3 && check_tree(q->b.get()) == 7);
	EXPECT(p->b == nullptr && p->number == 7 && q->number == 8);
}

void test_two_heaps()
{
	heap_view first = heap_view::current();
	heap second;
	goheap::frame f, g(second);
	goheap::local<tree> a = make_tree(5);
	goheap::local<tree> b(second);
	bool caught = false;
	{
		goheap::scope in(second);

		EXPECT(heap_view::current() == second);
		b = make_tree(6);
	}
	EXPECT(heap_view::current() == first && first != second);
	for (int i = 0; i < 10; i++) {
		EXPECT(first.gc() && second.gc());
		EXPECT(check_tree(a.get()) == 63);
		EXPECT(check_tree(b.get()) == 127);
		a->right->right = nullptr;
		a->right->right = make_tree(3, 7);
	}
	try {
		a = b;
	} catch (const std::system_error &e) {
		caught = e.code().value() == EXDEV;
	}
	EXPECT(caught && check_tree(a.get()) == 63);
	EXPECT(second.from_raw<tree>(b.raw()) == b);
	heap moved = std::move(second);
	EXPECT(!second && moved.gc() && check_tree(b.get()) == 127);
	second = std::move(moved);
	EXPECT(!moved && second.gc() && check_tree(b.get()) == 127);
}

void test_descriptor()
{
	goheap::frame f;
	heap_view h = heap_view::current();
	goheap_ref raw = make_tree(4).raw();
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		heap other = heap::from_fd(dup(h.fd()), GOHEAP_OPEN_PRECISE);
		goheap::scope in(other);
		auto p = other.from_raw<tree>(raw);

		_exit(check_tree(p.get()) == 31 ? 0 : 1);
	}
	EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && !status);
	heap adopted = heap::adopt(goheap_open(GOHEAP_OPEN_PRECISE));
	EXPECT(adopted && adopted.make<tree>());
	goheap_close(adopted.release());
	EXPECT(!adopted);
}

void churn(heap_view h, bool &good)
{
	goheap::scope in(h);
	goheap::frame f;
	goheap::local<tree> kept = make_tree(8);

	good = true;
	for (int i = 0; i < 40; i++) {
		goheap::frame inner;

		good = good && use_type<2>(h) && use_type<60>(h);
		good = good && check_tree(make_tree(7).get()) == 255;
		good = good && check_tree(kept.get()) == 511;
	}
}

/* A process that has no other descriptor of the heap. */
bool reads_only(int fd, goheap_ref raw)
{
	heap r = heap::from_fd(fd);
	goheap::scope in(r);
	ptr<tree> t = r.from_raw<tree>(raw);
	bool good = check_tree(t.get()) == 127;

	for (int what = 0; what < 3; what++)
		try {
			if (what == 0)
				(void)goheap::make<tree>();
			else if (what == 1)
				goheap::local<tree> kept(t);
			else
				goheap::root<tree> kept(t);
			good = false;
		} catch (const std::system_error &e) {
			good = good && e.code().value() == EPERM;
		}
	errno = 0;
	t->left = nullptr;
	return good && errno == EPERM && check_tree(t.get()) == 127;
}

void test_reader()
{
	heap h(GOHEAP_OPEN_PRECISE);
	goheap::scope in(h);
	goheap::root<tree> kept;
	int fd = h.reader_fd();
	int status = -1;
	pid_t pid;

	{
		goheap::frame f;

		kept = make_tree(6);
	}
	pid = fork();
	if (!pid) {
		goheap_ref raw = kept.raw();

		h.close();
		_exit(!reads_only(fd, raw));
	}
	close(fd);
	EXPECT(waitpid(pid, &status, 0) == pid && !status);
	EXPECT(collect() && check_tree(kept.get()) == 127);
}

void test_threads()
{
	heap_view h = heap_view::current();
	heap other;
	bool good[4] = {};
	std::vector<std::thread> threads;

	for (int i = 0; i < 4; i++)
		threads.emplace_back(churn, i % 2 ? h : heap_view(other),
				     std::ref(good[i]));
	for (std::thread &t : threads)
		t.join();
	EXPECT(good[0] && good[1] && good[2] && good[3]);
	EXPECT(h.gc() && other.gc());
	EXPECT(h.stats().heap_marked < 65536 && !h.stats().invalid_refs);
}

struct two {
	ref<big> a, b;
	static constexpr auto goheap_refs = goheap::refs(&two::a, &two::b);
};

/* Whenever a collection comes, both objects are somewhere. */
void test_swap()
{
	heap_view h = heap_view::current();
	goheap::frame f;
	goheap::local<two> pair = goheap::make<two>();
	std::atomic<bool> stop{ false };
	{
		goheap::frame inner;

		pair->a = goheap::make<big>();
		pair->b = goheap::make<big>();
	}
	std::thread collector([&] {
		for (int i = 0; i < 200; i++)
			h.gc();
		stop = true;
	});
	while (!stop)
		swap(pair->a, pair->b);
	collector.join();
	EXPECT(is_object(pair->a) && is_object(pair->b));
	EXPECT(pair->a != pair->b && !h.stats().invalid_refs);
}

constexpr int SHELVES = 64, PLACES = 8, ITEMS = 128, CYCLES = 30;

struct shelf {
	ref<big> places[PLACES];
	static constexpr auto goheap_refs = goheap::refs(&shelf::places);
};

struct stock {
	ref<shelf> shelves[SHELVES];
	ref<tree> trees[SHELVES];
	static constexpr auto goheap_refs =
		goheap::refs(&stock::shelves, &stock::trees);

	ref<big> &place(unsigned n)
	{
		return shelves[n / PLACES % SHELVES]->places[n % PLACES];
	}
};

/* Shelves, with trees between them that take time to mark, and items. */
ptr<stock> make_stock()
{
	goheap::result_frame f;
	auto s = goheap::make<stock>();

	for (int i = 0; i < SHELVES; i++) {
		goheap::frame inner;

		s->shelves[i] = goheap::make<shelf>();
		s->trees[i] = make_tree(9);
	}
	for (int i = 0; i < ITEMS; i++) {
		goheap::frame inner;

		s->place(i) = goheap::make<big>();
		s->place(i)->number = i;
	}
	return f.keep(s);
}

/* Bring an item to another place, where there is none. Nothing else keeps it. */
void bring(ref<big> &from, ref<big> &to)
{
	if (!from || to)
		return;
	to = from;
	from = nullptr;
}

/* All items that there were, each once. */
bool all_there(stock &s)
{
	long sum = 0;
	int n = 0;

	for (int i = 0; i < SHELVES * PLACES; i++) {
		if (!s.place(i))
			continue;
		if (!is_object(s.place(i)))
			return false;
		sum += s.place(i)->number;
		n++;
	}
	return n == ITEMS && sum == ITEMS * (ITEMS - 1) / 2;
}

/* Items change places by assignment while another thread collects. */
void move_about(heap_view h)
{
	goheap::frame f;
	goheap::local<stock> s = make_stock();
	std::atomic<bool> stop{ false };
	unsigned long moves = 0, marking = 0;
	unsigned r = 1;

	std::thread collector([&] {
		for (int i = 0; i < CYCLES; i++)
			h.gc();
		stop = true;
	});
	for (; !stop; moves++) {
		r = r * 1664525 + 1013904223;
		bring(s->place(r >> 8), s->place(r >> 20));
		marking += h.c_heap_ptr()->status->marking != 0;
	}
	collector.join();
	std::printf("# %lu moves, %lu while objects were marked\n", moves,
		    marking);
	EXPECT(marking && all_there(*s));
	EXPECT(h.gc() && all_there(*s) && !h.stats().invalid_refs);
}

void test_moves()
{
	heap plain;

	move_about(heap_view::current());
	{
		goheap::scope in(plain);

		move_about(plain);
	}
}

/* A thread's objects reach another one by way of a root. */
void test_handing_over()
{
	heap_view h = heap_view::current();
	goheap::root<tree> passed;

	std::thread([&] {
		goheap::scope in(h);

		passed = make_tree(6);
	}).join();
	EXPECT(collect() && check_tree(passed.get()) == 127);
}

const struct {
	const char *name;
	void (*run)();
} tests[] = {
	{ "a local keeps a tree", test_tree },
	{ "what nothing keeps goes", test_garbage },
	{ "a local keeps while in scope", test_local },
	{ "a result is left to the caller", test_result_frame },
	{ "references in objects", test_ref },
	{ "roots move", test_roots },
	{ "a root outlives its heap", test_root_outlives_heap },
	{ "a root does nothing in a child", test_root_in_child },
	{ "arrays", test_arrays },
	{ "bounds of arrays", test_bounds },
	{ "a constructor that throws keeps nothing",
	  test_throwing_constructor },
	{ "an exception ends frames", test_unwinding },
	{ "no memory", test_no_memory },
	{ "many types", test_types },
	{ "alignment", test_alignment },
	{ "bases and aggregates", test_inheritance },
	{ "two heaps", test_two_heaps },
	{ "a heap from a descriptor", test_descriptor },
	{ "a heap that can only be read", test_reader },
	{ "threads", test_threads },
	{ "references change places while another thread collects", test_swap },
	{ "what changes places is in one place only", test_moves },
	{ "from thread to thread", test_handing_over },
};

/* Run a test in a heap of its own; whether it was good. */
bool run(void (*test)())
{
	failures = 0;
	try {
		heap h(GOHEAP_OPEN_PRECISE);
		goheap::scope in(h);

		test();
	} catch (const std::exception &e) {
		std::printf("# %s\n", e.what());
		failures++;
	}
	return !failures;
}

} /* namespace */

int main()
{
	int nr = 0, failed = 0;

	std::setvbuf(stdout, nullptr, _IOLBF, 0);
	std::printf("TAP version 13\n1..%zu\n", std::size(tests));
	for (const auto &test : tests) {
		bool good = run(test.run);

		std::printf("%sok %d - %s\n", good ? "" : "not ", ++nr,
			    test.name);
		failed += !good;
	}
	return failed ? 1 : 0;
}
