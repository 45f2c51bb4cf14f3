/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Part of goheap.hpp: handles compared, ordered, and as keys.
 */
#ifndef GOHEAP_COMPARE_HPP
#define GOHEAP_COMPARE_HPP

#include "frame.hpp"
#include "root.hpp"

namespace goheap
{

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

#endif /* GOHEAP_COMPARE_HPP */
