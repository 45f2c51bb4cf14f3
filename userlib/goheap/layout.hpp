/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Part of goheap.hpp: the list of a type's reference members, and the layout that
 * is made of it.
 */
#ifndef GOHEAP_LAYOUT_HPP
#define GOHEAP_LAYOUT_HPP

#include "base.hpp"

namespace goheap
{

namespace detail
{

/* Layouts */

/* The list that refs() makes: what it belongs to, and pointers to members. */
template <class Owner, class... Entries> struct ref_list {
	using owner = Owner;
	std::tuple<Entries...> entries;
};

/* Stands for the list of a base. */
template <class Derived, class Base> struct base_entry {
};

template <class Entry> struct entry_owner;

template <class C, class M> struct entry_owner<M C::*> {
	using type = C;
};

template <class Derived, class Base>
struct entry_owner<base_entry<Derived, Base>> {
	using type = Derived;
};

template <class T, class = void> struct has_list : std::false_type {
};

template <class T>
struct has_list<T, std::void_t<decltype(T::goheap_refs)>> : std::true_type {
};

template <class T> struct list_length;

template <class Owner, class... Entries>
struct list_length<ref_list<Owner, Entries...>>
	: std::integral_constant<std::size_t, sizeof...(Entries)> {
};

template <class T> struct is_ref : std::false_type {
};

template <class T> struct is_ref<ref<T>> : std::true_type {
};

template <class T> struct is_std_array : std::false_type {
};

template <class T, std::size_t N>
struct is_std_array<std::array<T, N>> : std::true_type {
};

/* Whether objects of a type have references. Refuses what it cannot know. */
template <class T> constexpr bool has_refs()
{
	if constexpr (std::is_const_v<T>) {
		return has_refs<std::remove_const_t<T>>();
	} else if constexpr (is_ref<T>::value) {
		return true;
	} else if constexpr (std::is_array_v<T>) {
		return has_refs<std::remove_extent_t<T>>();
	} else if constexpr (is_std_array<T>::value) {
		return has_refs<typename T::value_type>();
	} else if constexpr (has_list<T>::value) {
		using list = std::remove_const_t<decltype(T::goheap_refs)>;

		static_assert(std::is_same_v<typename list::owner, T>,
			      "goheap_refs is that of a base: give the derived "
			      "type its own, with goheap::base<>");
		return list_length<list>::value != 0;
	} else {
		static_assert(
			std::is_trivially_copy_assignable_v<T>,
			"list the goheap::ref members in a public "
			"goheap_refs; goheap::refs<T>() if there is none");
		return false;
	}
}

/* What every type of managed objects must be. */
template <class T> constexpr bool check_type()
{
	static_assert(std::is_object_v<T> && !std::is_array_v<T> &&
			      !std::is_const_v<T> && !std::is_volatile_v<T>,
		      "not a type of objects");
	static_assert(std::is_trivially_destructible_v<T>,
		      "no destructor is run for a managed object");
	static_assert(alignof(T) <= max_align,
		      "managed objects are aligned to 8 bytes at most");
	return has_refs<T>();
}

/*
 * Offset of a member. The C++ ABI of all Linux compilers says (2.3, data member
 * pointers) that a pointer to member is this offset as a ptrdiff_t; an object
 * to take addresses in is not needed, and may not be had.
 */
template <class T, class M> std::size_t offset_of(M T::*member) noexcept
{
	std::ptrdiff_t offset;

	static_assert(sizeof(member) == sizeof(offset), "another C++ ABI");
	std::memcpy(&offset, &member, sizeof(offset));
	return static_cast<std::size_t>(offset);
}

/* The words of a T that hold references. */
template <class T> struct ref_mask {
	static constexpr std::size_t nr_bits = sizeof(T) / sizeof(goheap_ref);
	std::array<std::uint64_t, (nr_bits + 63) / 64> words{};

	void set(std::size_t offset) noexcept
	{
		std::size_t bit = offset / sizeof(goheap_ref);

		words[bit / 64] |= std::uint64_t{ 1 } << bit % 64;
	}

	/* Without the zeros at the end, of which a long array has many. */
	std::size_t length() const noexcept
	{
		std::size_t n = nr_bits;

		while (n && !(words[(n - 1) / 64] >> (n - 1) % 64 & 1))
			n--;
		return n;
	}
};

template <class Whole, class Part, class Mask>
void mark_list(Mask &mask, std::size_t offset) noexcept;

/* Note the references in a T that lies at an offset. */
template <class T, class Mask>
void mark(Mask &mask, std::size_t offset) noexcept
{
	if constexpr (std::is_const_v<T>) {
		mark<std::remove_const_t<T>>(mask, offset);
	} else if constexpr (is_ref<T>::value) {
		mask.set(offset);
	} else if constexpr (std::is_array_v<T>) {
		using element = std::remove_extent_t<T>;

		for (std::size_t i = 0; i < std::extent_v<T>; i++)
			mark<element>(mask, offset + i * sizeof(element));
	} else if constexpr (is_std_array<T>::value) {
		using element = typename T::value_type;

		for (std::size_t i = 0; i < std::tuple_size_v<T>; i++)
			mark<element>(mask, offset + i * sizeof(element));
	} else {
		mark_list<T, T>(mask, offset);
	}
}

template <class Whole, class M, class C, class Mask>
void mark_entry(Mask &mask, std::size_t offset, M C::*member) noexcept
{
	M Whole::*of_whole = member;

	static_assert(has_refs<M>(), "a member in goheap_refs has no ref");
	mark<M>(mask, offset + offset_of(of_whole));
}

template <class Whole, class Derived, class Base, class Mask>
void mark_entry(Mask &mask, std::size_t offset,
		base_entry<Derived, Base>) noexcept
{
	static_assert(std::is_base_of_v<Base, Derived>, "not a base");
	static_assert(has_list<Base>::value, "the base has no goheap_refs");
	mark_list<Whole, Base>(mask, offset);
}

/* The list of a T itself or of a base of it. */
template <class Whole, class Part, class Mask>
void mark_list(Mask &mask, std::size_t offset) noexcept
{
	const auto mark_all = [&](auto... entries) {
		(mark_entry<Whole>(mask, offset, entries), ...);
	};

	has_refs<Part>();
	std::apply(mark_all, Part::goheap_refs.entries);
}

template <class T> ref_mask<T> make_mask() noexcept
{
	ref_mask<T> mask;

	mark<T>(mask, 0);
	return mask;
}

template <class T> int register_layout(c_heap *h) noexcept
{
	ref_mask<T> mask = make_mask<T>();

	return ::goheap_layout(h, sizeof(T), mask.words.data(), mask.length());
}

/*
 * Look a type up in a heap's table, or register it. Two threads that meet here
 * both ask the kernel, which gives both the same number.
 */
inline int find_layout(heap_node *n, const void *type,
		       int (*make)(c_heap *h) noexcept) noexcept
{
	std::size_t hash = reinterpret_cast<std::uintptr_t>(type) / 8;
	auto &list = n->layouts[hash % nr_layout_lists];
	layout_entry *first = list.load(std::memory_order_acquire);
	c_heap *h = n->heap.load(std::memory_order_relaxed);
	int layout;

	for (layout_entry *e = first; e; e = e->next)
		if (e->type == type)
			return e->layout;
	layout = make(h);
	if (layout < 0)
		return layout;
	layout_entry *e = new (std::nothrow)
		layout_entry{ type, layout, first };
	while (e && !list.compare_exchange_weak(e->next, e))
		;
	return layout;
}

/* A type's layout in the heap that it was last asked for: serial, number. */
template <class T> inline std::atomic<std::uint64_t> layout_cache{ 0 };

/* A type's layout, or -1 with errno set. */
template <class T> int layout_of(heap_node *n) noexcept
{
	if constexpr (!check_type<T>()) {
		return GOHEAP_LAYOUT_NOSCAN;
	} else {
		auto &cache = layout_cache<T>;
		std::uint64_t cached = cache.load(std::memory_order_relaxed);
		std::uint32_t serial =
			n->serial.load(std::memory_order_relaxed);
		int layout;

		if (cached >> 32 == serial)
			return static_cast<int>(cached & 0xffffffff);
		layout = find_layout(n, &cache, register_layout<T>);
		if (layout >= 0)
			cache.store(std::uint64_t{ serial } << 32 |
					    static_cast<std::uint32_t>(layout),
				    std::memory_order_relaxed);
		return layout;
	}
}

} /* namespace detail */

/**
 * refs() - the list of a type's reference members
 * @first: pointer to a member that is a ref, an array of them or a structure
 *	with a list of its own; or base<>
 * @rest: more of them
 *
 * For a static constexpr member goheap_refs. refs<T>() is the list of a type
 * without references that has to have a list because its assignment is not
 * trivial.
 */
template <class First, class... Rest>
constexpr auto refs(First first, Rest... rest) noexcept
{
	using owner = typename detail::entry_owner<First>::type;

	static_assert(
		(std::is_same_v<owner, typename detail::entry_owner<Rest>::type> &&
		 ...),
		"all members of a list are of one type; for those of a base "
		"there is goheap::base<>");
	return detail::ref_list<owner, First, Rest...>{ { first, rest... } };
}

template <class Owner> constexpr detail::ref_list<Owner> refs() noexcept
{
	return {};
}

/* In a list of Derived: all that Base has in its list. */
template <class Derived, class Base>
inline constexpr detail::base_entry<Derived, Base> base{};

} /* namespace goheap */

#endif /* GOHEAP_LAYOUT_HPP */
