/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Part of goheap.hpp: heaps, and making objects in them.
 */
#ifndef GOHEAP_HEAP_HPP
#define GOHEAP_HEAP_HPP

#include "handle.hpp"

namespace goheap
{

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

} /* namespace goheap */

#endif /* GOHEAP_HEAP_HPP */
