/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * goheap.hpp: typed handles over libgoheap for C++17 and later. Headers only:
 * this is the one to include, and has those of goheap/ in their order.
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

#include "goheap/base.hpp"
#include "goheap/layout.hpp"
#include "goheap/handle.hpp"
#include "goheap/heap.hpp"
#include "goheap/frame.hpp"
#include "goheap/root.hpp"
#include "goheap/array.hpp"
#include "goheap/compare.hpp"

#endif /* GOHEAP_HPP */
