/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Part of goheap.hpp: what keeps an object for as long as one likes.
 */
#ifndef GOHEAP_ROOT_HPP
#define GOHEAP_ROOT_HPP

#include "heap.hpp"

namespace goheap
{

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

} /* namespace goheap */

#endif /* GOHEAP_ROOT_HPP */
