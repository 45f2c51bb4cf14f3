// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What must not compile, a case for each CASE. After the number stands a part
 * of what compilers must say then. CASE=0 compiles.
 */
#include <goheap.hpp>

struct node {
	goheap::ref<node> next;
	long key;
	static constexpr auto goheap_refs = goheap::refs(&node::next);
};

struct other {
	long key;
};

inline goheap::ptr<node> p;
inline goheap::ptr<other> q;

#if CASE == 1 // no destructor is run
struct refused {
	long key;
	~refused()
	{
	}
};
#elif CASE == 2 // aligned to 8 bytes at most
struct alignas(16) refused {
	long key;
};
#elif CASE == 3 // list the goheap::ref members
struct refused {
	goheap::ref<node> forgotten;
};
#elif CASE == 4 // list the goheap::ref members
struct refused {
	goheap::ptr<node> keeps_nothing;
};
#elif CASE == 5 // has no ref
struct refused {
	goheap::ref<node> next;
	long key;
	static constexpr auto goheap_refs =
		goheap::refs(&refused::next, &refused::key);
};
#elif CASE == 6 // give the derived type its own
struct refused : node {
	goheap::ref<node> forgotten;
};
#elif CASE == 7 // of one type
struct refused : node {
	goheap::ref<node> more;
	static constexpr auto goheap_refs =
		goheap::refs(&refused::next, &refused::more);
};
#elif CASE == 8 // not a base
struct refused {
	goheap::ref<node> next;
	static constexpr auto goheap_refs =
		goheap::refs(goheap::base<refused, node>, &refused::next);
};
#elif CASE == 9 // list the goheap::ref members
class refused
{
	goheap::ref<node> next;
	static constexpr auto goheap_refs = goheap::refs(&refused::next);
};
#elif CASE == 10 // list the goheap::ref members
struct refused {
	const goheap::ptr<node> keeps_nothing;
	refused() = default;
};
#else
using refused = node;
#endif

int main()
{
	goheap::make<refused>();
#if CASE == 11 // delete
	auto copy = p->next;
#elif CASE == 12 // ref<node>
	p->next = q;
#elif CASE == 13 // delete
	goheap::local<node> a, b = a;
#elif CASE == 14 // delete
	goheap::root<node> a, b(a);
#elif CASE == 15 // swap
	std::swap<goheap::ref<node>>(p->next, p->next);
#elif CASE == 16 // not a type of objects
	goheap::make<const node>();
#elif CASE == 17 // ptr<node>
	goheap::ptr<node> r = goheap::ptr<const node>(p);
#elif CASE == 18 // operator==
	return p == q;
#elif CASE == 19 // delete
	goheap::heap h, i(h);
#elif CASE == 20 // construct
	goheap::make<other>(p);
#endif
	return 0;
}
