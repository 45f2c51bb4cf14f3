/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Part of goheap.hpp: the C library, words for errors, and the table that leads
 * from tags to open heaps.
 */
#ifndef GOHEAP_BASE_HPP
#define GOHEAP_BASE_HPP

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

} /* namespace detail */

} /* namespace goheap */

#endif /* GOHEAP_BASE_HPP */
