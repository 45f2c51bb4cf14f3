/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * goheap.hpp: typed handles over libgoheap for C++17 and later. Header only.
 *
 * What is what:
 *
 *	heap		owns an open heap; heap_view names one without owning it
 *	scope		makes a heap the thread's current one
 *	ptr<T>		a reference as a value; keeps nothing by itself
 *	ref<T>		a member of a managed object; keeps what it refers to
 *	local<T>	a variable that keeps what it refers to while in scope
 *	root<T>		the same for as long as one likes, from any thread
 *	array_ref<T>	an array with its length, as a value
 *	frame		what a thread allocates is kept until its frame ends
 *	result_frame	a frame that leaves one object to the frame around it
 *
 * ptr<T[]>, ref<T[]>, local<T[]> and root<T[]> refer to arrays without their
 * length.
 *
 * Rules are those of libgoheap.h. A handle has the 64 bits of a reference, and
 * the tag in them says which heap it is of: a table of the process's open heaps
 * leads from tags to heaps, and each thread remembers the last one it came
 * across. So handles work whatever heap is current; the current heap only
 * decides where objects, frames and empty locals are made. References from one
 * heap into another keep nothing. A process opens a heap once: two mappings of
 * the same heap have the same tag.
 *
 * A type lists its reference members once:
 *
 *	struct node {
 *		goheap::ref<node> left, right;
 *		long key;
 *		static constexpr auto goheap_refs =
 *			goheap::refs(&node::left, &node::right);
 *	};
 *
 * Members may be references, arrays of them, and structures that have a list of
 * their own; base<node, parent> in the list stands for the list of a base. The
 * layout is registered when the type is first allocated in a heap. A type
 * without a list must be one whose assignment is trivial, which no type with a
 * handle in it is: so a list cannot be forgotten altogether. Objects have no
 * destructors run, and such as have one that does something are refused.
 *
 * Failures are exceptions: std::bad_alloc where memory is missing, else
 * std::system_error with errno and the words of goheap_error(). Functions whose
 * names begin with try_, and constructors that take std::nothrow, give
 * something empty instead and leave errno set. Without exceptions
 * (-fno-exceptions) the others end the program with a message.
 *
 * The namespace has the name of a structure of the C library. In a file that
 * includes this header the structure is goheap::c_heap, and libgoheap.h must
 * not have been included before. Linkage is that of C, so the two names do not
 * matter to anything else.
 *
 * There are no destructors of static objects here: what describes a heap is
 * used again for the next one and never freed, so that a root may be destroyed
 * after its heap.
 */
#ifndef GOHEAP_HPP
#define GOHEAP_HPP

#if __cplusplus < 201703L
#error "goheap.hpp needs C++17"
#endif
#ifdef LIBGOHEAP_H
#error "include goheap.hpp before libgoheap.h, or alone"
#endif

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include <unistd.h>

/* Headers for C, which -Wpedantic and -Wshadow for C++ do not like. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#define goheap goheap_struct
#include <libgoheap.h>
#undef goheap
#pragma GCC diagnostic pop

namespace goheap
{

/* The C library's struct goheap. */
using c_heap = ::goheap_struct;

template <class T> class ptr;
template <class T> class ref;
template <class T> class local;
template <class T> class root;
template <class T> class array_ref;

/* What every object is aligned to that is no smaller. */
inline constexpr std::size_t max_align = 8;

namespace detail
{

/* Errors */

[[noreturn]] inline void die(const char *text) noexcept
{
	std::fprintf(stderr, "goheap: %s\n", text);
	std::abort();
}

[[noreturn]] inline void raise(int error, const char *text)
{
#ifdef __cpp_exceptions
	throw std::system_error(error, std::generic_category(), text);
#else
	(void)error;
	die(text);
#endif
}

/* After a function of the C library failed. */
[[noreturn]] inline void raise_errno()
{
	raise(errno, ::goheap_error());
}

[[noreturn]] inline void raise_alloc()
{
#ifdef __cpp_exceptions
	if (errno == ENOMEM)
		throw std::bad_alloc();
#endif
	raise_errno();
}

[[noreturn]] inline void raise_range()
{
#ifdef __cpp_exceptions
	throw std::out_of_range("goheap: index outside of the array");
#else
	die("index outside of the array");
#endif
}

/* Open heaps */

/* A layout that was registered; the type is named by its layout_cache. */
struct layout_entry {
	const void *type;
	int layout;
	layout_entry *next;
};

inline constexpr std::size_t nr_layout_lists = 32;

/*
 * An open heap, or one that was: then serial is 0, and the entry waits to be
 * used again. Serials are not. The tag is learned from the first reference.
 */
struct heap_node {
	std::atomic<std::uint64_t> tag{ 0 };
	std::atomic<c_heap *> heap{ nullptr };
	std::atomic<std::uint32_t> serial{ 0 };
	std::atomic<layout_entry *> layouts[nr_layout_lists] = {};
	heap_node *next = nullptr;
};

/* The list only grows, so that it can be walked at any time. */
inline std::atomic<heap_node *> heap_nodes{ nullptr };
inline std::atomic<std::uint32_t> last_serial{ 0 };

/* Stands where there is no heap; what it has as a tag is none. */
inline heap_node no_heap{ { UINT64_MAX } };

/* What a thread remembers: its current heap, and the one it used last. */
struct thread_heaps {
	heap_node *current;
	heap_node *last;
};

inline thread_heaps &self() noexcept
{
	static thread_local thread_heaps heaps = { &no_heap, &no_heap };

	return heaps;
}

inline std::uint64_t tag_of(goheap_ref raw) noexcept
{
	return raw >> GOHEAP_REF_TAG_SHIFT;
}

/* Apart from node_of(), which is everywhere. */
[[gnu::noinline, gnu::cold]] inline heap_node *
find_node(std::uint64_t tag) noexcept
{
	heap_node *n = heap_nodes.load(std::memory_order_acquire);

	if (!tag)
		die("nil refers to nothing");
	while (n && n->tag.load(std::memory_order_acquire) != tag)
		n = n->next;
	if (!n)
		die("a reference to a heap that is not open");
	self().last = n;
	return n;
}

/* The heap of a reference that is not 0. */
inline heap_node *node_of(goheap_ref raw) noexcept
{
	heap_node *n = self().last;
	std::uint64_t tag = tag_of(raw);

	return n->tag.load(std::memory_order_relaxed) == tag ? n
							     : find_node(tag);
}

inline c_heap *heap_of(goheap_ref raw) noexcept
{
	return node_of(raw)->heap.load(std::memory_order_relaxed);
}

/* A reference that is known to be of a heap: learn the tag. */
inline goheap_ref note(heap_node *n, goheap_ref raw) noexcept
{
	if (raw && n->tag.load(std::memory_order_relaxed) != tag_of(raw))
		n->tag.store(tag_of(raw), std::memory_order_release);
	return raw;
}

/* Take an entry that no heap uses, or make one. */
inline heap_node *claim_node() noexcept
{
	std::uint32_t serial = ++last_serial;
	heap_node *n = heap_nodes.load(std::memory_order_acquire);

	for (; n; n = n->next) {
		std::uint32_t unused = 0;

		if (n->serial.compare_exchange_strong(unused, serial))
			return n;
	}
	n = new (std::nothrow) heap_node;
	if (!n)
		return nullptr;
	n->serial.store(serial);
	n->next = heap_nodes.load();
	while (!heap_nodes.compare_exchange_weak(n->next, n))
		;
	return n;
}

/* Give a heap an entry. Closes it, with errno set, if that cannot be. */
inline heap_node *add_heap(c_heap *h) noexcept
{
	heap_node *n = h ? claim_node() : nullptr;

	if (n) {
		n->heap.store(h, std::memory_order_release);
	} else if (h) {
		::goheap_close(h);
		errno = ENOMEM;
	}
	return n;
}

/* The heap goes its own way; whoever gets it closes it. */
inline c_heap *remove_heap(heap_node *n) noexcept
{
	c_heap *h = n->heap.exchange(nullptr);

	n->tag.store(0);
	for (auto &list : n->layouts) {
		layout_entry *e = list.exchange(nullptr);

		while (e)
			delete std::exchange(e, e->next);
	}
	n->serial.store(0, std::memory_order_release);
	return h;
}

/*
 * Loads and stores of references. The heap that the C library wants to know is
 * that of the value; nil that replaces nil is of none, and needs none.
 */
inline goheap_ref load(const goheap_ref *slot) noexcept
{
	goheap_ref raw = __atomic_load_n(slot, __ATOMIC_RELAXED);

	return raw ? ::goheap_load(heap_of(raw), slot) : 0;
}

inline void store(goheap_ref *slot, goheap_ref raw) noexcept
{
	goheap_ref any = raw ? raw : __atomic_load_n(slot, __ATOMIC_RELAXED);

	if (any)
		::goheap_store(heap_of(any), slot, raw);
}

/* Ends the frame that begins with it, unless heap is set to nullptr. */
struct frame_guard {
	c_heap *heap;
	goheap_frame frame;

	explicit frame_guard(c_heap *h) noexcept
		: heap(h), frame(h ? ::goheap_frame_begin(h) : 0)
	{
	}

	frame_guard(const frame_guard &) = delete;
	frame_guard &operator=(const frame_guard &) = delete;

	~frame_guard()
	{
		if (heap)
			::goheap_frame_end(heap, frame);
	}
};

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

/* Handles */

/* Makes handles of references; for the other classes. */
struct access {
	template <class T> static constexpr ptr<T> make(goheap_ref raw) noexcept
	{
		return ptr<T>(raw, 0);
	}
};

/* Whether a pointer to U is one to T; arrays only if they differ in const. */
template <class U, class T>
inline constexpr bool is_pointer_to = std::is_convertible_v<U *, T *>;

/* An argument of a constructor; a ref, which is not copied, as a ptr. */
template <class A> decltype(auto) pass(A &&arg) noexcept
{
	using type = std::remove_cv_t<std::remove_reference_t<A>>;

	if constexpr (is_ref<type>::value)
		return arg.value();
	else
		return std::forward<A>(arg);
}

/* Whether a handle, or nullptr, can be had as a ptr<T>. */
template <class H, class T>
using if_source =
	std::enable_if_t<std::is_convertible_v<const H &, ptr<T>>, int>;

/*
 * What handles have in common. D::raw() is the reference.
 */
template <class D, class T> class handle
{
public:
	/* Type of the object, or of the elements of the array. */
	using element_type = std::remove_extent_t<T>;
	/* Type as the handle has it, with [] for an array. */
	using target_type = T;

	/* The address, which keeps nothing; nullptr for nil. */
	element_type *get() const noexcept
	{
		goheap_ref raw = derived().raw();

		return raw ? static_cast<element_type *>(
				     ::goheap_ptr(heap_of(raw), raw))
			   : nullptr;
	}

	/* These end the program, with a message, if there is no object. */
	element_type &operator*() const noexcept
	{
		return *object();
	}

	element_type *operator->() const noexcept
	{
		return object();
	}

	/* An element of an array; the index is not checked. */
	template <class U = T, std::enable_if_t<std::is_array_v<U>, int> = 0>
	element_type &operator[](std::size_t i) const noexcept
	{
		return object()[i];
	}

	explicit operator bool() const noexcept
	{
		return derived().raw() != 0;
	}

	/* As a value, which keeps nothing. */
	ptr<T> value() const noexcept
	{
		return access::make<T>(derived().raw());
	}

	template <class U, std::enable_if_t<is_pointer_to<T, U> &&
						    !std::is_same_v<D, ptr<T>>,
					    int> = 0>
	operator ptr<U>() const noexcept
	{
		return ptr<U>(value());
	}

private:
	/* heap_of() does not return for nil, but compilers do not see that. */
	element_type *object() const noexcept
	{
		goheap_ref raw = derived().raw();
		void *address = ::goheap_ptr(heap_of(raw), raw);

		if (!address)
			__builtin_unreachable();
		return static_cast<element_type *>(address);
	}

	const D &derived() const noexcept
	{
		return static_cast<const D &>(*this);
	}
};

template <class H, class = void> struct is_handle : std::false_type {
};

template <class H>
struct is_handle<H, std::void_t<typename H::target_type>>
	: std::is_base_of<handle<H, typename H::target_type>, H> {
};

template <class A, class B>
using if_handles =
	std::enable_if_t<is_handle<A>::value && is_handle<B>::value, int>;

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

/**
 * class ptr - a reference as a value
 *
 * For parameters, results and variables while something else keeps the object:
 * the frame it was allocated in, or the place it was loaded from. Copied like a
 * number. Its assignment is not trivial in the sense of the language so that a
 * managed object with a ptr in it is noticed.
 */
template <class T> class ptr : public detail::handle<ptr<T>, T>
{
public:
	constexpr ptr() noexcept = default;
	constexpr ptr(std::nullptr_t) noexcept
	{
	}

	constexpr ptr(const ptr &) noexcept = default;

	constexpr ptr &operator=(const ptr &other) noexcept
	{
		raw_ = other.raw_;
		return *this;
	}

	/* From one to a derived type, or to the same without const. */
	template <class U, std::enable_if_t<detail::is_pointer_to<U, T> &&
						    !std::is_same_v<U, T>,
					    int> = 0>
	ptr(ptr<U> other) noexcept : raw_(other.raw())
	{
		if constexpr (!std::is_same_v<std::remove_cv_t<U>,
					      std::remove_cv_t<T>> &&
			      !std::is_array_v<T>) {
			U *from = other.get();
			T *to = from;

			if (from)
				raw_ += static_cast<goheap_ref>(
					reinterpret_cast<std::uintptr_t>(to) -
					reinterpret_cast<std::uintptr_t>(from));
		}
	}

	/* The 64 bits, which mean the same in every process. */
	constexpr goheap_ref raw() const noexcept
	{
		return raw_;
	}

	/* Have the thread's current frame keep the object. */
	ptr keep() const
	{
		if (!try_keep())
			detail::raise_alloc();
		return *this;
	}

	bool try_keep() const noexcept
	{
		return !raw_ || ::goheap_local(detail::heap_of(raw_), raw_);
	}

private:
	friend struct detail::access;

	constexpr ptr(goheap_ref raw, int) noexcept : raw_(raw)
	{
	}

	goheap_ref raw_ = 0;
};

/**
 * static_ptr_cast() - static_cast of what a handle refers to
 * @p: the handle
 */
template <class U, class T> ptr<U> static_ptr_cast(ptr<T> p) noexcept
{
	T *from = p.get();
	U *to = static_cast<U *>(from);

	if (!from)
		return nullptr;
	return detail::access::make<U>(
		p.raw() + static_cast<goheap_ref>(
				  reinterpret_cast<std::uintptr_t>(to) -
				  reinterpret_cast<std::uintptr_t>(from)));
}

/**
 * class ref - a reference in a managed object
 *
 * Eight bytes. Every assignment is a goheap_store(), reading is a
 * goheap_load(). It is a member of managed objects only: anywhere else it would
 * keep nothing. So it cannot be copied into a variable; ptr and local can be
 * made of it.
 */
template <class T>
class alignas(goheap_ref) ref : public detail::handle<ref<T>, T>
{
public:
	ref() noexcept = default;
	ref(const ref &) = delete;

	template <class H, detail::if_source<H, T> = 0> ref(const H &h) noexcept
	{
		detail::store(&raw_, ptr<T>(h).raw());
	}

	ref &operator=(const ref &other) noexcept
	{
		detail::store(&raw_, other.raw());
		return *this;
	}

	template <class H, detail::if_source<H, T> = 0>
	ref &operator=(const H &h) noexcept
	{
		detail::store(&raw_, ptr<T>(h).raw());
		return *this;
	}

	goheap_ref raw() const noexcept
	{
		return detail::load(&raw_);
	}

	/* Store, and have the current frame keep what was there before. */
	ptr<T> exchange(ptr<T> p)
	{
		ptr<T> old = this->value().keep();

		*this = p;
		return old;
	}

	/* What each refers to is kept all the while. Not atomic. */
	friend void swap(ref &a, ref &b)
	{
		ptr<T> old = a.value();
		detail::frame_guard guard(old ? detail::heap_of(old.raw())
					      : nullptr);

		old.keep();
		a = b;
		b = old;
	}

private:
	goheap_ref raw_ = 0;
};

/**
 * class heap_view - a heap, not owned
 *
 * All that can be done with a heap. Copies are the same heap; a view is good
 * for as long as the heap is open.
 */
class heap_view
{
public:
	constexpr heap_view() noexcept = default;

	/* The calling thread's current heap, see class scope. */
	static heap_view current() noexcept
	{
		return heap_view(detail::self().current);
	}

	explicit operator bool() const noexcept
	{
		return c_heap_ptr();
	}

	/* For functions of the C library; nullptr if there is no heap. */
	c_heap *c_heap_ptr() const noexcept
	{
		return node_->heap.load(std::memory_order_relaxed);
	}

	/* The descriptor, which the heap keeps. */
	int fd() const
	{
		return ::goheap_fd(need());
	}

	/*
	 * A new one, the caller's, that can only read the heap; from_fd() of
	 * class heap takes it. There make() and all that keeps an object fail.
	 */
	int reader_fd() const
	{
		int fd = ::goheap_reader_fd(need());

		if (fd < 0)
			detail::raise_errno();
		return fd;
	}

	/* A T's layout in this heap; try_layout() gives -1 for an error. */
	template <class T> int layout() const
	{
		int number = try_layout<T>();

		if (number < 0)
			detail::raise_alloc();
		return number;
	}

	template <class T> int try_layout() const noexcept
	{
		return c_heap_ptr() ? detail::layout_of<T>(node_) : no_heap();
	}

	/**
	 * make() - allocate and construct an object
	 * @args: for its constructor, or for its members if it is an aggregate
	 *
	 * The thread's current frame keeps it. If the constructor throws, the
	 * frame keeps nothing that was allocated meanwhile.
	 */
	template <class T, class... Args> ptr<T> make(Args &&...args) const
	{
		ptr<T> p = try_make<T>(std::forward<Args>(args)...);

		if (!p)
			detail::raise_alloc();
		return p;
	}

	/* The same with nullptr and errno if it could not be allocated. */
	template <class T, class... Args> ptr<T> try_make(Args &&...args) const
	{
		detail::frame_guard guard(c_heap_ptr());
		int number = try_layout<T>();
		goheap_ref raw = 0;

		if (number >= 0)
			raw = ::goheap_new(guard.heap, number, sizeof(T));
		if (detail::note(node_, raw))
			construct<T>(::goheap_ptr(guard.heap, raw),
				     detail::pass(std::forward<Args>(args))...);
		guard.heap = nullptr;
		return detail::access::make<T>(raw);
	}

	/**
	 * make_array() - allocate an array, its elements value-initialized
	 * @n: number of elements
	 */
	template <class T> array_ref<T> make_array(std::size_t n) const
	{
		array_ref<T> array = try_make_array<T>(n);

		if (!array)
			detail::raise_alloc();
		return array;
	}

	template <class T> array_ref<T> try_make_array(std::size_t n) const;

	/* A reference that came from elsewhere: another process, the C side. */
	template <class T> ptr<T> from_raw(goheap_ref raw) const;

	/* The reference to an object at an address, such as this. */
	template <class T> ptr<T> ptr_to(T *p) const
	{
		return detail::access::make<T>(
			detail::note(node_, ::goheap_ref_of(need(), p)));
	}

	/* Collect and wait; false if a signal came meanwhile. */
	bool gc() const
	{
		if (!::goheap_gc(need()))
			return true;
		if (errno != EINTR)
			detail::raise_errno();
		return false;
	}

	/* Setters return the value before. */
	int set_gc_percent(int percent) const
	{
		c_heap *h = need();

		errno = 0;
		return check(::goheap_set_gc_percent(h, percent), errno);
	}

	std::int64_t set_memory_limit(std::int64_t bytes) const
	{
		return check(::goheap_set_memory_limit(need(), bytes), 1);
	}

	std::int64_t set_max_heap(std::int64_t bytes) const
	{
		return check(::goheap_set_max_heap(need(), bytes), 1);
	}

	std::int64_t free_os_memory() const
	{
		return check(::goheap_free_os_memory(need()), 1);
	}

	struct goheap_stats stats() const
	{
		struct goheap_stats stats;

		check(::goheap_stats(need(), &stats), 1);
		return stats;
	}

	struct goheap_mem_stats mem_stats() const
	{
		struct goheap_mem_stats stats;

		check(::goheap_read_mem_stats(need(), &stats), 1);
		return stats;
	}

	struct goheap_gc_stats gc_stats() const
	{
		struct goheap_gc_stats stats;

		check(::goheap_read_gc_stats(need(), &stats), 1);
		return stats;
	}

	friend bool operator==(heap_view a, heap_view b) noexcept
	{
		return a.node_ == b.node_;
	}

	friend bool operator!=(heap_view a, heap_view b) noexcept
	{
		return a.node_ != b.node_;
	}

protected:
	explicit constexpr heap_view(detail::heap_node *n) noexcept : node_(n)
	{
	}

	static int no_heap() noexcept
	{
		errno = ENODEV;
		return -1;
	}

	c_heap *need() const
	{
		c_heap *h = c_heap_ptr();

		if (!h)
			detail::raise(ENODEV, "no heap");
		return h;
	}

	/* A result of -1 is an error if errno, or what stands for it, is. */
	template <class N> static N check(N result, int error)
	{
		if (result == -1 && error)
			detail::raise_errno();
		return result;
	}

	template <class T, class... Args>
	static void construct(void *place, Args &&...args)
	{
		if constexpr (std::is_constructible_v<T, Args...>)
			::new (place) T(std::forward<Args>(args)...);
		else
			::new (place) T{ std::forward<Args>(args)... };
	}

	template <class> friend class local;
	template <class> friend class root;
	friend class heap;
	friend class scope;
	friend class frame;
	friend class result_frame;

	detail::heap_node *node_ = &detail::no_heap;
};

/**
 * class heap - an open heap and its owner
 *
 * Roots may outlive it; frames and locals must not. Empty heaps, which the
 * try_ functions give for an error, convert to false.
 */
class heap : public heap_view
{
public:
	/* Make a heap; see goheap_open() and goheap_open_params(). */
	explicit heap(unsigned int flags = 0) : heap(try_open(flags))
	{
		if (!*this)
			detail::raise_alloc();
	}

	explicit heap(const struct goheap_open_params &params)
		: heap(try_open(params))
	{
		if (!*this)
			detail::raise_alloc();
	}

	/* Take over a heap of the C library. */
	static heap adopt(c_heap *h)
	{
		heap result = try_adopt(h);

		if (!result)
			detail::raise_alloc();
		return result;
	}

	/* Use a heap that another process made; see goheap_from_fd(). */
	static heap from_fd(int fd, unsigned int flags = 0)
	{
		heap h = try_from_fd(fd, flags);

		if (!h)
			detail::raise_alloc();
		return h;
	}

	static heap try_open(unsigned int flags = 0) noexcept
	{
		return try_adopt(::goheap_open(flags));
	}

	static heap try_open(const struct goheap_open_params &params) noexcept
	{
		return try_adopt(::goheap_open_params(&params));
	}

	static heap try_from_fd(int fd, unsigned int flags = 0) noexcept
	{
		return try_adopt(::goheap_from_fd(fd, flags));
	}

	static heap try_adopt(c_heap *h) noexcept
	{
		return heap(detail::add_heap(h), 0);
	}

	heap(heap &&other) noexcept
		: heap_view(std::exchange(other.node_, &detail::no_heap))
	{
	}

	heap &operator=(heap &&other) noexcept
	{
		heap taken(std::move(other));

		std::swap(node_, taken.node_);
		return *this;
	}

	~heap()
	{
		close();
	}

	/* As goheap_close(): no thread may use the heap any more. */
	void close() noexcept
	{
		c_heap *h = release();

		if (h)
			::goheap_close(h);
	}

	/* Give the heap up without closing it; handles to it die. */
	c_heap *release() noexcept
	{
		detail::heap_node *n = std::exchange(node_, &detail::no_heap);

		return n == &detail::no_heap ? nullptr : detail::remove_heap(n);
	}

private:
	heap(detail::heap_node *n, int) noexcept
		: heap_view(n ? n : &detail::no_heap)
	{
	}
};

/**
 * class scope - make a heap the thread's current one while in scope
 */
class scope
{
public:
	explicit scope(heap_view h) noexcept
		: outer_(std::exchange(detail::self().current, h.node_))
	{
	}

	scope(const scope &) = delete;
	scope &operator=(const scope &) = delete;

	~scope()
	{
		detail::self().current = outer_;
	}

private:
	detail::heap_node *outer_;
};

/**
 * class frame - end a frame at the end of the scope
 *
 * What the thread allocated in the heap since the frame began is no longer kept
 * by the thread then. Frames end in reverse order, as scopes do.
 */
class frame
{
public:
	explicit frame(heap_view h = heap_view::current())
		: heap_(h.need()), frame_(::goheap_frame_begin(heap_))
	{
	}

	frame(const frame &) = delete;
	frame &operator=(const frame &) = delete;

	~frame()
	{
		::goheap_frame_end(heap_, frame_);
	}

private:
	c_heap *heap_;
	goheap_frame frame_;
};

/**
 * class result_frame - a frame that leaves an object to the frame around it
 *
 *	goheap::ptr<node> make_pair()
 *	{
 *		goheap::result_frame f;
 *		...
 *		return f.keep(p);
 *	}
 */
class result_frame
{
public:
	explicit result_frame(heap_view h = heap_view::current())
		: heap_(h.need()), slot_(::goheap_var(heap_, 0)),
		  frame_(::goheap_frame_begin(heap_))
	{
		if (!slot_)
			detail::raise_alloc();
	}

	result_frame(const result_frame &) = delete;
	result_frame &operator=(const result_frame &) = delete;

	~result_frame()
	{
		::goheap_frame_end(heap_, frame_);
	}

	/* The frame around this one keeps what this was last called with. */
	template <class T> ptr<T> keep(ptr<T> p) noexcept
	{
		::goheap_store(heap_, slot_, p.raw());
		return p;
	}

	template <class H,
		  std::enable_if_t<detail::is_handle<H>::value, int> = 0>
	auto keep(const H &h) noexcept
	{
		return keep(h.value());
	}

private:
	c_heap *heap_;
	goheap_ref *slot_;
	goheap_frame frame_;
};

/**
 * class local - a variable that keeps what it refers to
 *
 * Lives in the thread's current frame and must not outlive it: so it is neither
 * copied nor returned, a function returns a ptr. An empty one belongs to the
 * current heap, else to that of its first object. When its scope ends it keeps
 * nothing any more, even if the frame goes on.
 */
template <class T> class local : public detail::handle<local<T>, T>
{
public:
	local() : local(heap_view::current())
	{
	}

	explicit local(heap_view h, ptr<T> p = nullptr)
		: local(std::nothrow, h, p)
	{
		if (!slot_)
			detail::raise_alloc();
	}

	local(ptr<T> p) : local(home(p), p)
	{
	}

	template <class H, detail::if_source<H, T> = 0>
	local(const H &h) : local(ptr<T>(h))
	{
	}

	/* Has no place to keep anything if that fails; then ok() is false. */
	local(std::nothrow_t, heap_view h, ptr<T> p = nullptr) noexcept
		: heap_(h.c_heap_ptr()),
		  slot_(heap_ ? ::goheap_var(heap_, p.raw()) : nullptr),
		  node_(h.node_)
	{
		if (!heap_)
			errno = ENODEV;
	}

	local(std::nothrow_t, ptr<T> p) noexcept
		: local(std::nothrow, home(p), p)
	{
	}

	local(const local &) = delete;

	local &operator=(const local &other)
	{
		set(other.value());
		return *this;
	}

	template <class H, detail::if_source<H, T> = 0>
	local &operator=(const H &h)
	{
		set(ptr<T>(h));
		return *this;
	}

	~local()
	{
		if (slot_ && *slot_)
			::goheap_store(heap_, slot_, 0);
	}

	goheap_ref raw() const noexcept
	{
		return slot_ ? ::goheap_load(heap_, slot_) : 0;
	}

	bool ok() const noexcept
	{
		return slot_;
	}

private:
	static heap_view home(ptr<T> p) noexcept
	{
		return p ? heap_view(detail::node_of(p.raw()))
			 : heap_view::current();
	}

	void set(ptr<T> p)
	{
		if (!slot_ || (p && detail::node_of(p.raw()) != node_))
			detail::raise(EXDEV, "a local of another heap");
		::goheap_store(heap_, slot_, p.raw());
	}

	c_heap *heap_;
	goheap_ref *slot_;
	detail::heap_node *node_;
};

template <class H> local(const H &) -> local<typename H::target_type>;

/**
 * class root - keep an object from anywhere
 *
 * Movable; one system call for each new object and one at the end. Belongs to
 * the process that made it: in a child of fork() it keeps nothing, and nothing
 * happens when it ends there. It may outlive the heap.
 */
template <class T> class root : public detail::handle<root<T>, T>
{
public:
	root() noexcept = default;

	template <class H, detail::if_source<H, T> = 0>
	explicit root(const H &h) : root(std::nothrow, ptr<T>(h))
	{
		if (!*this && ptr<T>(h))
			detail::raise_alloc();
	}

	/* Empty, with errno set, if there can be no root. */
	root(std::nothrow_t, ptr<T> p) noexcept
	{
		if (p)
			add(p.raw());
	}

	root(root &&other) noexcept : state_(std::exchange(other.state_, {}))
	{
	}

	root &operator=(root &&other) noexcept
	{
		root taken(std::move(other));

		std::swap(state_, taken.state_);
		return *this;
	}

	template <class H, detail::if_source<H, T> = 0>
	root &operator=(const H &h)
	{
		if (!try_set(ptr<T>(h)))
			detail::raise_alloc();
		return *this;
	}

	~root()
	{
		reset();
	}

	/* Keep another object; if that fails, go on keeping the one before. */
	bool try_set(ptr<T> p) noexcept
	{
		if (!p || !is_mine() ||
		    detail::node_of(p.raw()) != state_.node) {
			root other(std::nothrow, p);

			if (p && !other)
				return false;
			*this = std::move(other);
			return true;
		}
		if (::goheap_root_set(heap(), state_.id, p.raw()))
			return false;
		state_.raw = p.raw();
		return true;
	}

	void reset() noexcept
	{
		int saved = errno;

		if (is_mine())
			::goheap_root_remove(heap(), state_.id);
		state_ = {};
		errno = saved;
	}

	goheap_ref raw() const noexcept
	{
		return state_.raw;
	}

private:
	/* The serial tells whether the node still is the same open heap. */
	struct state {
		goheap_ref raw = 0;
		detail::heap_node *node = nullptr;
		std::uint32_t serial = 0;
		std::uint32_t id = 0;
		::pid_t process = 0;
	};

	c_heap *heap() const noexcept
	{
		return state_.node->heap.load(std::memory_order_relaxed);
	}

	/* The heap is still open and this process has the root. */
	bool is_mine() const noexcept
	{
		return state_.raw &&
		       state_.node->serial.load() == state_.serial &&
		       state_.process == ::getpid();
	}

	void add(goheap_ref raw) noexcept
	{
		state_.node = detail::node_of(raw);
		state_.serial = state_.node->serial.load();
		state_.process = ::getpid();
		if (!::goheap_root_add(heap(), raw, &state_.id))
			state_.raw = raw;
	}

	state state_;
};

template <class H> root(const H &) -> root<typename H::target_type>;

/**
 * class array_ref - an array and its length, as a value
 *
 * What std::span is to memory. Keeps nothing by itself; a member ref<T[]>, a
 * local<T[]> or a root<T[]> that is made of it keeps the array.
 */
template <class T> class array_ref
{
public:
	using element_type = T;
	using value_type = std::remove_cv_t<T>;
	using target_type = T[];
	using iterator = T *;

	constexpr array_ref() noexcept = default;

	/* A reference to an array of at least so many elements. */
	constexpr array_ref(ptr<T[]> start, std::size_t size) noexcept
		: start_(start), size_(size)
	{
	}

	T *data() const noexcept
	{
		return start_.get();
	}

	constexpr std::size_t size() const noexcept
	{
		return size_;
	}

	constexpr bool empty() const noexcept
	{
		return !size_;
	}

	/* Whether there is an array, which may be empty. */
	explicit operator bool() const noexcept
	{
		return start_.raw() != 0;
	}

	T *begin() const noexcept
	{
		return data();
	}

	T *end() const noexcept
	{
		return data() + size_;
	}

	T &operator[](std::size_t i) const noexcept
	{
		return start_[i];
	}

	/* The same with a check: std::out_of_range. */
	T &at(std::size_t i) const
	{
		if (i >= size_)
			detail::raise_range();
		return start_[i];
	}

	/* A reference to an element, which keeps the whole array. */
	ptr<T> ptr_at(std::size_t i) const
	{
		if (i >= size_)
			detail::raise_range();
		return detail::access::make<T>(start_.raw() + i * sizeof(T));
	}

	/* A part, which keeps the whole array. */
	array_ref subarray(std::size_t first, std::size_t n) const
	{
		if (first > size_ || n > size_ - first)
			detail::raise_range();
		return array_ref(detail::access::make<T[]>(start_.raw() +
							   first * sizeof(T)),
				 n);
	}

	constexpr ptr<T[]> start() const noexcept
	{
		return start_;
	}

	constexpr operator ptr<T[]>() const noexcept
	{
		return start_;
	}

private:
	ptr<T[]> start_;
	std::size_t size_ = 0;
};

/* Memory is zero already, but that makes no objects of types that are more. */
template <class T> array_ref<T> heap_view::try_make_array(std::size_t n) const
{
	detail::frame_guard guard(c_heap_ptr());
	int number = try_layout<T>();
	goheap_ref raw = 0;

	if (number >= 0)
		raw = ::goheap_new_array(guard.heap, number, sizeof(T), n);
	if constexpr (!std::is_trivially_default_constructible_v<T>) {
		T *elements = static_cast<T *>(
			raw ? ::goheap_ptr(guard.heap, raw) : nullptr);

		for (std::size_t i = 0; elements && i < n; i++)
			::new (static_cast<void *>(elements + i)) T();
	}
	guard.heap = nullptr;
	return array_ref<T>(detail::access::make<T[]>(detail::note(node_, raw)),
			    raw ? n : 0);
}

/* The tag must be known to tell a reference of this heap from others. */
template <class T> ptr<T> heap_view::from_raw(goheap_ref raw) const
{
	c_heap *h = need();

	detail::note(node_, h->tag_bits);
	if (raw && detail::tag_of(raw) != node_->tag.load())
		detail::raise(EINVAL, "a reference of another heap");
	return detail::access::make<T>(raw);
}

/* The same as the members of that name, in the current heap. */

template <class T, class... Args> ptr<T> make(Args &&...args)
{
	return heap_view::current().make<T>(std::forward<Args>(args)...);
}

template <class T, class... Args> ptr<T> try_make(Args &&...args)
{
	return heap_view::current().try_make<T>(std::forward<Args>(args)...);
}

template <class T> array_ref<T> make_array(std::size_t n)
{
	return heap_view::current().make_array<T>(n);
}

template <class T> array_ref<T> try_make_array(std::size_t n)
{
	return heap_view::current().try_make_array<T>(n);
}

template <class T> ptr<T> ptr_to(T *p)
{
	return heap_view::current().ptr_to(p);
}

/* Handles of any kind are compared as pointers are. */

template <class A, class B, detail::if_handles<A, B> = 0>
auto operator==(const A &a, const B &b) noexcept -> decltype(a.get() == b.get())
{
	if constexpr (std::is_same_v<typename A::element_type,
				     typename B::element_type>)
		return a.raw() == b.raw();
	else
		return a.get() == b.get();
}

template <class A, class B, detail::if_handles<A, B> = 0>
auto operator!=(const A &a, const B &b) noexcept -> decltype(a.get() == b.get())
{
	return !(a == b);
}

template <class A, detail::if_handles<A, A> = 0>
bool operator==(const A &a, std::nullptr_t) noexcept
{
	return !a.raw();
}

template <class A, detail::if_handles<A, A> = 0>
bool operator==(std::nullptr_t, const A &a) noexcept
{
	return !a.raw();
}

template <class A, detail::if_handles<A, A> = 0>
bool operator!=(const A &a, std::nullptr_t) noexcept
{
	return a.raw();
}

template <class A, detail::if_handles<A, A> = 0>
bool operator!=(std::nullptr_t, const A &a) noexcept
{
	return a.raw();
}

/* An order for ordered containers; that of a heap's addresses. */
template <class T> bool operator<(ptr<T> a, ptr<T> b) noexcept
{
	return a.raw() < b.raw();
}

} /* namespace goheap */

/* Objects do not move, so a reference is as good a key as any. */
template <class T> struct std::hash<goheap::ptr<T>> {
	std::size_t operator()(const goheap::ptr<T> &p) const noexcept
	{
		return std::hash<goheap_ref>()(p.raw());
	}
};

template <class T> struct std::hash<goheap::ref<T>> {
	std::size_t operator()(const goheap::ref<T> &p) const noexcept
	{
		return std::hash<goheap_ref>()(p.raw());
	}
};

template <class T> struct std::hash<goheap::local<T>> {
	std::size_t operator()(const goheap::local<T> &p) const noexcept
	{
		return std::hash<goheap_ref>()(p.raw());
	}
};

template <class T> struct std::hash<goheap::root<T>> {
	std::size_t operator()(const goheap::root<T> &p) const noexcept
	{
		return std::hash<goheap_ref>()(p.raw());
	}
};

#endif /* GOHEAP_HPP */
