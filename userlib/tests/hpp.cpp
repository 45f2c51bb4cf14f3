// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * goheap.hpp as far as it needs no device: what the types are, where members
 * are found, what fails without a heap. Prints only what is wrong.
 */
#include <goheap.hpp>

#include <cstdio>
#include <map>
#include <unordered_set>

namespace
{

using goheap::base;
using goheap::ptr;
using goheap::ref;
using goheap::refs;

struct plain {
	long number;
	char text[20];
};

struct pair {
	ref<plain> first;
	ref<const plain> second;
	static constexpr auto goheap_refs = refs(&pair::first, &pair::second);
};

struct node {
	long key;
	ref<node> left;
	char c;
	ref<node> right;
	ref<plain[]> names;
	static constexpr auto goheap_refs =
		refs(&node::left, &node::right, &node::names);
};

struct deep : node {
	ref<pair> grid[2][2];
	std::array<ref<node>, 3> more;
	long gap;
	pair pairs[2];
	static constexpr auto goheap_refs =
		refs(base<deep, node>, &deep::grid, &deep::more, &deep::pairs);
};

/* Its first base has nothing to list, its second one is not at 0. */
struct mixed : plain, pair {
	ref<mixed> next;
	static constexpr auto goheap_refs =
		refs(base<mixed, pair>, &mixed::next);
};

struct only_base : pair {
	long number;
	static constexpr auto goheap_refs = refs(base<only_base, pair>);
};

/* Long enough for a second word of the mask. */
struct wide {
	long space[100];
	ref<wide> last;
	long end[50];
	static constexpr auto goheap_refs = refs(&wide::last);
};

/* Has assignment of its own but nothing to list. */
struct busy {
	busy &operator=(const busy &)
	{
		return *this;
	}
	long number;
	static constexpr auto goheap_refs = refs<busy>();
};

/* What a member may be. */
static_assert(sizeof(ref<node>) == 8 && alignof(ref<node>) == 8);
static_assert(std::is_standard_layout_v<ref<node>>);
static_assert(std::is_standard_layout_v<node>);
static_assert(std::is_trivially_destructible_v<node>);
static_assert(std::is_nothrow_default_constructible_v<ref<node>>);
static_assert(!std::is_copy_constructible_v<ref<node>>);
static_assert(!std::is_move_constructible_v<ref<node>>);
static_assert(std::is_nothrow_copy_assignable_v<ref<node>>);
static_assert(std::is_swappable_v<ref<node>>);
static_assert(!std::is_trivially_copy_assignable_v<ptr<node>>);
static_assert(std::is_trivially_copy_constructible_v<ptr<node>>);

/* Which handle comes from which. */
static_assert(std::is_convertible_v<ptr<deep>, ptr<node>>);
static_assert(std::is_convertible_v<ref<deep>, ptr<const node>>);
static_assert(!std::is_convertible_v<ptr<node>, ptr<deep>>);
static_assert(!std::is_convertible_v<ptr<const node>, ptr<node>>);
static_assert(!std::is_convertible_v<ptr<deep[]>, ptr<node[]>>);
static_assert(std::is_convertible_v<ptr<node[]>, ptr<const node[]>>);
static_assert(!std::is_convertible_v<ptr<node[]>, ptr<node>>);
static_assert(std::is_convertible_v<goheap::array_ref<node>, ptr<node[]>>);
static_assert(std::is_assignable_v<ref<node> &, goheap::local<deep> &>);
static_assert(!std::is_assignable_v<ref<deep> &, goheap::local<node> &>);
static_assert(std::is_assignable_v<goheap::root<node> &, std::nullptr_t>);

/* Owners move, and what belongs to a scope does not. */
static_assert(std::is_nothrow_move_constructible_v<goheap::heap>);
static_assert(std::is_nothrow_move_assignable_v<goheap::heap>);
static_assert(!std::is_copy_constructible_v<goheap::heap>);
static_assert(std::is_nothrow_move_constructible_v<goheap::root<node>>);
static_assert(std::is_nothrow_move_assignable_v<goheap::root<node>>);
static_assert(!std::is_copy_constructible_v<goheap::root<node>>);
static_assert(!std::is_move_constructible_v<goheap::local<node>>);
static_assert(!std::is_move_constructible_v<goheap::frame>);
static_assert(!std::is_move_constructible_v<goheap::result_frame>);
static_assert(!std::is_move_constructible_v<goheap::scope>);

/* Which types have references. */
static_assert(goheap::detail::check_type<node>());
static_assert(goheap::detail::check_type<deep>());
static_assert(goheap::detail::check_type<ref<node>>());
static_assert(goheap::detail::check_type<std::array<ref<node>, 2>>());
static_assert(!goheap::detail::check_type<plain>());
static_assert(!goheap::detail::check_type<busy>());
static_assert(!goheap::detail::check_type<char>());
static_assert(!goheap::detail::check_type<const char *>());

int failures;

void expect(bool good, const char *what, int line)
{
	if (good)
		return;
	std::printf("# %s:%d: %s\n", __FILE__, line, what);
	failures++;
}

#define EXPECT(condition) expect(condition, #condition, __LINE__)

template <class T> std::uint64_t mask(std::size_t word = 0)
{
	return goheap::detail::make_mask<T>().words.at(word);
}

/* Bits of the words of a member, as the compiler places it. */
template <class T, class M>
std::uint64_t bits(const T &object, const M &member, std::size_t words = 1)
{
	auto offset = reinterpret_cast<const char *>(&member) -
		      reinterpret_cast<const char *>(&object);

	return ((std::uint64_t{ 1 } << words) - 1) << offset / 8;
}

void test_masks()
{
	static const node n{};
	static const deep d{};
	static const mixed m{};

	EXPECT(mask<ref<node>>() == 1);
	EXPECT((mask<std::array<ref<node>, 3>>() == 7));
	EXPECT(mask<pair>() == 3);
	EXPECT(mask<only_base>() == 3);
	EXPECT(mask<node>() ==
	       (bits(n, n.left) | bits(n, n.right) | bits(n, n.names)));
	EXPECT(mask<deep>() ==
	       (bits(d, d.left) | bits(d, d.right) | bits(d, d.names) |
		bits(d, d.grid, 4) | bits(d, d.more, 3) | bits(d, d.pairs, 4)));
	EXPECT(mask<mixed>() ==
	       (bits(m, m.first) | bits(m, m.second) | bits(m, m.next)));
	EXPECT(mask<wide>() == 0 && mask<wide>(1) == 1ULL << 36);
	EXPECT(goheap::detail::make_mask<wide>().length() == 101);
	EXPECT(goheap::detail::make_mask<node>().length() == 5);
}

/* Nil in all its forms needs no heap. */
void test_nil()
{
	ptr<node> p, q = nullptr;
	ptr<const node> c = p;
	node n{};
	goheap::root<node> r, s(std::move(r));
	goheap::array_ref<node> a;
	std::unordered_set<ptr<node>> set;
	std::map<ptr<node>, int> map;

	set.insert(p);
	map[q] = 1;
	EXPECT(!p && p == q && p == nullptr && nullptr == q && !p.get());
	EXPECT(c == p && n.left == p && n.left == n.right && s == n.left);
	EXPECT(!(p != q) && !(n.left != nullptr) && !(nullptr != r));
	n.left = p;
	n.right = n.left;
	n.left = nullptr;
	swap(n.left, n.right);
	r = std::move(s);
	r = nullptr;
	r.reset();
	EXPECT(!n.left && !n.right && !n.left.raw() && !r);
	EXPECT(!a && a.empty() && a.begin() == a.end() && !a.data());
	EXPECT(set.count(p) == 1 && map.count(p) == 1 && p.try_keep());
	EXPECT(!goheap::static_ptr_cast<deep>(p));
}

void test_no_heap()
{
	goheap::heap h = goheap::heap::try_open(1U << 31);
	goheap::local<node> l(std::nothrow, nullptr);

	EXPECT(!h);
	h = goheap::heap::try_from_fd(-1);
	EXPECT(!h && errno == EBADF);
	EXPECT(!l.ok() && !l);
	EXPECT(!goheap::heap_view::current() && h == goheap::heap_view());
	errno = 0;
	EXPECT(!goheap::try_make<node>() && errno == ENODEV);
	EXPECT(!goheap::try_make_array<char>(5) && errno == ENODEV);
	EXPECT(h.try_layout<node>() == -1);
	h.close();
}

#ifdef __cpp_exceptions
/* The number of the error that a function throws; 0 for none. */
template <class F> int error_of(F function)
{
	try {
		function();
	} catch (const std::system_error &e) {
		return e.code() == std::error_code(e.code().value(),
						   std::generic_category())
			       ? e.code().value()
			       : -1;
	}
	return 0;
}

void test_exceptions()
{
	goheap::array_ref<char> none;
	bool caught = false;

	EXPECT(error_of([] { goheap::heap h(1U << 31); }) == EINVAL);
	EXPECT(error_of([] { goheap::heap::from_fd(-1); }) == EBADF);
	EXPECT(error_of([] { goheap::make<node>(); }) == ENODEV);
	EXPECT(error_of([] { goheap::make_array<int>(1); }) == ENODEV);
	EXPECT(error_of([] { goheap::frame f; }) == ENODEV);
	EXPECT(error_of([] { goheap::result_frame f; }) == ENODEV);
	EXPECT(error_of([] { goheap::local<node> l; }) == ENODEV);
	EXPECT(error_of([] { goheap::heap_view().gc(); }) == ENODEV);
	EXPECT(error_of([] { goheap::root<node> r; }) == 0);
	try {
		none.at(0);
	} catch (const std::out_of_range &) {
		caught = true;
	}
	EXPECT(caught);
	try {
		goheap::heap h(1U << 31);
	} catch (const std::system_error &e) {
		EXPECT(std::strstr(e.what(), "unknown flags"));
	}
}
#else
void test_exceptions()
{
}
#endif

} /* namespace */

int main()
{
	test_masks();
	test_nil();
	test_no_heap();
	test_exceptions();
	return failures ? 1 : 0;
}
