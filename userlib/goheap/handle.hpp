/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Part of goheap.hpp: what handles have in common, and those that keep nothing by
 * themselves: ptr as a value, ref as a member of an object.
 */
#ifndef GOHEAP_HANDLE_HPP
#define GOHEAP_HANDLE_HPP

#include "layout.hpp"

namespace goheap
{

namespace detail
{

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

} /* namespace goheap */

#endif /* GOHEAP_HANDLE_HPP */
