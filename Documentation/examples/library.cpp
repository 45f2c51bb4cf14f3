// SPDX-License-Identifier: GPL-2.0
/*
 * What a C++ program does with goheap.hpp, piece by piece. Parts of this file
 * stand in library.rst; it is also a program that runs.
 */
#include <goheap.hpp>

#include <cstdio>
#include <string_view>

/* [tree] */
using goheap::ptr;
using goheap::ref;

struct tree {
	ref<tree> left;
	ref<tree> right;
	ref<char[]> name;
	std::size_t length;
	long key;

	static constexpr auto goheap_refs =
		goheap::refs(&tree::left, &tree::right, &tree::name);
};
/* [end tree] */

/* [base] */
struct dated_tree : tree {
	ref<tree> before;

	static constexpr auto goheap_refs = goheap::refs(
		goheap::base<dated_tree, tree>, &dated_tree::before);
};
/* [end base] */

/* [new] */
/* Allocates twice; the caller's frame keeps the tree, which keeps its name. */
static ptr<tree> new_tree(std::string_view name, long key)
{
	goheap::result_frame f;
	auto text = goheap::make_array<char>(name.size());
	auto t = goheap::make<tree>();

	for (std::size_t i = 0; i < name.size(); i++)
		text.at(i) = name[i];
	t->name = text;
	t->length = name.size();
	t->key = key;
	return f.keep(t);
}
/* [end new] */

/* [walk] */
/* Loading needs neither frame nor local while something keeps the tree. */
static long sum(const tree &t)
{
	return t.key + (t.left ? sum(*t.left) : 0) +
	       (t.right ? sum(*t.right) : 0);
}
/* [end walk] */

/* [detach] */
/* A local keeps the left part when the tree no longer does. */
static long drop_left(ptr<tree> t)
{
	goheap::local<tree> left = t->left;

	t->left = nullptr;
	return left ? sum(*left) : 0;
}
/* [end detach] */

static void show()
{
	/* [open] */
	goheap::heap heap;
	goheap::scope in(heap);
	goheap::frame f;
	/* [end open] */

	/* [root] */
	goheap::root<tree> top(new_tree("top", 1));
	/* [end root] */
	top->left = new_tree("left", 2);
	top->right = goheap::make<dated_tree>();
	heap.gc();
	long left = drop_left(top.value());
	std::printf("%ld + %ld\n", left, sum(*top));
}

int main()
{
	/* [errors] */
	try {
		show();
	} catch (const std::bad_alloc &) {
		std::fprintf(stderr, "no memory\n");
		return 1;
	} catch (const std::system_error &e) {
		std::fprintf(stderr, "%s\n", e.what());
		return 1;
	}
	/* [end errors] */
	return 0;
}
