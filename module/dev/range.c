// SPDX-License-Identifier: GPL-2.0
/*
 * Ranges of a process's memory that are roots: static variables, and stacks the
 * program switches to by itself.
 *
 * A sorted array. Ranges are registered when a library is loaded or a coroutine
 * is made, and looked up by the collector for each thread, so lookups are what
 * has to be fast.
 *
 * Locking is the caller's, see struct goheap_attachment.
 */
#include "gh_internal.h"

#include "gh_config.h"
#include "range.h"

#define MAX_RANGES	65536
#define MAX_BYTES	(4ULL << 30)

/* Index of the first range that ends behind an address. */
static u32 first_behind(const struct goheap_ranges *r, unsigned long addr)
{
	u32 lo = 0, hi = r->nr;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (r->v[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/**
 * goheap_ranges_destroy() - drop all ranges
 * @r: ranges; empty afterwards
 */
void goheap_ranges_destroy(struct goheap_ranges *r)
{
	kvfree(r->v);
	memset(r, 0, sizeof(*r));
}

static int make_room(struct goheap_ranges *r)
{
	u32 max = max_t(u32, r->max * 2, 16);
	struct goheap_memory *v;

	if (r->nr < r->max)
		return 0;
	v = kvcalloc(max, sizeof(*v), GH_GFP);
	if (!v)
		return -ENOMEM;
	if (r->nr)
		memcpy(v, r->v, r->nr * sizeof(*v));
	kvfree(r->v);
	r->v = v;
	r->max = max;
	return 0;
}

/**
 * goheap_ranges_add() - add a range
 * @r: ranges
 * @start: first address
 * @end: behind the last one, greater than @start
 * @stack: a stack, else variables
 *
 * Return: 0, -EEXIST if it overlaps another one, -ENOSPC, -ENOMEM.
 */
int goheap_ranges_add(struct goheap_ranges *r, unsigned long start,
		      unsigned long end, bool stack)
{
	u32 i = first_behind(r, start);
	int err;

	if (i < r->nr && r->v[i].start < end)
		return -EEXIST;
	if (r->nr == MAX_RANGES || end - start > MAX_BYTES - r->bytes)
		return -ENOSPC;
	err = make_room(r);
	if (err)
		return err;
	memmove(&r->v[i + 1], &r->v[i], (r->nr - i) * sizeof(*r->v));
	r->v[i] = (struct goheap_memory) {
		.start = start, .end = end, .stack = stack,
	};
	r->nr++;
	r->bytes += end - start;
	return 0;
}

/**
 * goheap_ranges_remove() - remove a range
 * @r: ranges
 * @start: its first address
 *
 * Return: 0, or -ENOENT if none starts there.
 */
int goheap_ranges_remove(struct goheap_ranges *r, unsigned long start)
{
	u32 i = first_behind(r, start);

	if (i == r->nr || r->v[i].start != start)
		return -ENOENT;
	r->bytes -= r->v[i].end - start;
	r->nr--;
	memmove(&r->v[i], &r->v[i + 1], (r->nr - i) * sizeof(*r->v));
	return 0;
}

/**
 * goheap_ranges_next() - the first range that ends behind an address
 * @r: ranges
 * @addr: any address
 * @out: out: the range
 *
 * Return: false if there is none.
 */
bool goheap_ranges_next(const struct goheap_ranges *r, unsigned long addr,
			struct goheap_memory *out)
{
	u32 i = first_behind(r, addr);

	if (i == r->nr)
		return false;
	*out = r->v[i];
	return true;
}

/**
 * goheap_ranges_find() - the range that an address is in
 * @r: ranges
 * @addr: any address
 *
 * Return: the range or NULL.
 */
const struct goheap_memory *goheap_ranges_find(const struct goheap_ranges *r,
					       unsigned long addr)
{
	u32 i = first_behind(r, addr);

	return i < r->nr && r->v[i].start <= addr ? &r->v[i] : NULL;
}
