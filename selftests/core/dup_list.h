/* SPDX-License-Identifier: GPL-2.0 */
/* Circular doubly linked lists. */
#ifndef GH_USER_DUP_LIST_H
#define GH_USER_DUP_LIST_H

struct list_head {
	struct list_head *next;
	struct list_head *prev;
};

#define LIST_HEAD_INIT(name)	{ &(name), &(name) }
#define LIST_HEAD(name)		struct list_head name = LIST_HEAD_INIT(name)

static inline void INIT_LIST_HEAD(struct list_head *h)
{
	h->next = h;
	h->prev = h;
}

static inline bool list_empty(const struct list_head *h)
{
	return __atomic_load_n(&h->next, __ATOMIC_RELAXED) == h;
}

static inline bool list_is_singular(const struct list_head *h)
{
	return h->next != h && h->next == h->prev;
}

/* Make @b the successor of @a. */
static inline void gh_user_list_link(struct list_head *a, struct list_head *b)
{
	__atomic_store_n(&a->next, b, __ATOMIC_RELAXED);
	b->prev = a;
}

static inline void list_add(struct list_head *n, struct list_head *h)
{
	gh_user_list_link(n, h->next);
	gh_user_list_link(h, n);
}

static inline void list_add_tail(struct list_head *n, struct list_head *h)
{
	gh_user_list_link(h->prev, n);
	gh_user_list_link(n, h);
}

static inline void list_del_init(struct list_head *n)
{
	gh_user_list_link(n->prev, n->next);
	INIT_LIST_HEAD(n);
}

/* What is not on a list any more faults when taken for an element of one. */
static inline void list_del(struct list_head *n)
{
	gh_user_list_link(n->prev, n->next);
	n->next = (struct list_head *)0x100;
	n->prev = (struct list_head *)0x122;
}

static inline void list_move(struct list_head *n, struct list_head *h)
{
	gh_user_list_link(n->prev, n->next);
	list_add(n, h);
}

static inline void list_move_tail(struct list_head *n, struct list_head *h)
{
	gh_user_list_link(n->prev, n->next);
	list_add_tail(n, h);
}

static inline void list_splice_tail_init(struct list_head *from,
					 struct list_head *h)
{
	if (from->next == from)
		return;
	gh_user_list_link(h->prev, from->next);
	gh_user_list_link(from->prev, h);
	INIT_LIST_HEAD(from);
}

static inline void list_splice_init(struct list_head *from, struct list_head *h)
{
	struct list_head *first = h->next;

	if (from->next == from)
		return;
	gh_user_list_link(from->prev, first);
	gh_user_list_link(h, from->next);
	INIT_LIST_HEAD(from);
}

#define list_entry(p, t, m)		container_of(p, t, m)
#define list_first_entry(h, t, m)	list_entry((h)->next, t, m)
#define list_last_entry(h, t, m)	list_entry((h)->prev, t, m)
#define list_next_entry(p, m)		list_entry((p)->m.next, typeof(*(p)), m)
#define list_first_entry_or_null(h, t, m) \
	(list_empty(h) ? NULL : list_first_entry(h, t, m))
#define list_for_each(p, h) \
	for ((p) = (h)->next; (p) != (h); (p) = (p)->next)
#define list_for_each_entry(p, h, m) \
	for ((p) = list_first_entry(h, typeof(*(p)), m); &(p)->m != (h); \
	     (p) = list_next_entry(p, m))
#define list_for_each_entry_safe(p, n, h, m) \
	for ((p) = list_first_entry(h, typeof(*(p)), m), \
	     (n) = list_next_entry(p, m); &(p)->m != (h); \
	     (p) = (n), (n) = list_next_entry(n, m))

#endif /* GH_USER_DUP_LIST_H */
