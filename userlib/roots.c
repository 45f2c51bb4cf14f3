// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Roots: references that the process keeps until it drops them or ends.
 */
#include <errno.h>

#include "internal.h"

/*
 * One command for up to as many roots as one command takes. Returns how many
 * were handled.
 */
static size_t handle_many(struct goheap *h, unsigned long command,
			  const goheap_ref *refs, const uint32_t *ids, size_t n)
{
	size_t sum = 0;

	while (sum < n) {
		uint32_t count = gh_heap_of(h)->info.max_batch;
		struct goheap_roots roots = {
			.size = sizeof(roots),
			.refs = refs ? (uintptr_t)(refs + sum) : 0,
			.ids = (uintptr_t)(ids + sum),
		};

		if (count > n - sum)
			count = (uint32_t)(n - sum);
		roots.count = count;
		if (gh_ioctl(h, command, &roots))
			break;
		sum += count;
	}
	return sum;
}

/**
 * goheap_root_add_many() - make roots
 * @h: the heap
 * @refs: what they keep
 * @ids: receives their numbers
 * @n: how many
 *
 * A reference anywhere into an object keeps it.
 *
 * Return: how many were made; if fewer than @n, errno is EINVAL for a reference
 * that is not inside an object, ENOSPC if the process can have no more roots,
 * ENOMEM, or ENOTCONN.
 */
size_t goheap_root_add_many(struct goheap *h, const goheap_ref *refs,
			    uint32_t *ids, size_t n)
{
	return handle_many(h, GOHEAP_IOC_ROOT_ADD, refs, ids, n);
}

/**
 * goheap_root_set_many() - let roots keep other objects
 * @h: the heap
 * @ids: numbers of the roots
 * @refs: what they keep from now on; 0 for nothing
 * @n: how many
 *
 * Return: how many were set; if fewer than @n, errno is ENOENT for a number
 * that is no root, else as goheap_root_add_many().
 */
size_t goheap_root_set_many(struct goheap *h, const uint32_t *ids,
			    const goheap_ref *refs, size_t n)
{
	return handle_many(h, GOHEAP_IOC_ROOT_SET, refs, ids, n);
}

/**
 * goheap_root_remove_many() - drop roots
 * @h: the heap
 * @ids: numbers of the roots
 * @n: how many
 *
 * Return: how many were dropped; if fewer than @n, errno is ENOENT or ENOTCONN.
 */
size_t goheap_root_remove_many(struct goheap *h, const uint32_t *ids, size_t n)
{
	return handle_many(h, GOHEAP_IOC_ROOT_REMOVE, NULL, ids, n);
}

/**
 * goheap_root_add() - make a root
 * @h: the heap
 * @ref: what it keeps
 * @id: receives its number
 *
 * Return: 0, or -1 with errno as goheap_root_add_many().
 */
int goheap_root_add(struct goheap *h, goheap_ref ref, uint32_t *id)
{
	return goheap_root_add_many(h, &ref, id, 1) == 1 ? 0 : -1;
}

/**
 * goheap_root_set() - let a root keep another object
 * @h: the heap
 * @id: the root's number
 * @ref: what it keeps from now on; 0 for nothing
 *
 * Return: 0, or -1 with errno as goheap_root_set_many().
 */
int goheap_root_set(struct goheap *h, uint32_t id, goheap_ref ref)
{
	return goheap_root_set_many(h, &id, &ref, 1) == 1 ? 0 : -1;
}

/**
 * goheap_root_remove() - drop a root
 * @h: the heap
 * @id: the root's number
 *
 * Return: 0, or -1 with errno as goheap_root_remove_many().
 */
int goheap_root_remove(struct goheap *h, uint32_t id)
{
	return goheap_root_remove_many(h, &id, 1) == 1 ? 0 : -1;
}
