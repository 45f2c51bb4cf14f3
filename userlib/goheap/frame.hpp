/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Part of goheap.hpp: frames of a thread, and variables that keep what they refer
 * to until their frame ends.
 */
#ifndef GOHEAP_FRAME_HPP
#define GOHEAP_FRAME_HPP

#include "heap.hpp"

namespace goheap
{

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

} /* namespace goheap */

#endif /* GOHEAP_FRAME_HPP */
