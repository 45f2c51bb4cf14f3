/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Part of goheap.hpp: arrays with their length.
 */
#ifndef GOHEAP_ARRAY_HPP
#define GOHEAP_ARRAY_HPP

#include "heap.hpp"

namespace goheap
{

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

} /* namespace goheap */

#endif /* GOHEAP_ARRAY_HPP */
