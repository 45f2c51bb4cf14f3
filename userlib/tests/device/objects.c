// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One thread: what is kept and what is not.
 */
#include <string.h>

#include "device.h"

/* A list length, length - 1, ... 1; kept by the caller's frame. */
goheap_ref make_list(struct goheap *h, int layout, uint64_t length)
{
	goheap_frame frame = goheap_frame_begin(h);
	goheap_ref *list = goheap_var(h, 0);

	for (uint64_t i = 1; list && i <= length; i++) {
		goheap_frame inner = goheap_frame_begin(h);
		goheap_ref ref = goheap_new(h, layout, sizeof(struct node));
		struct node *node = goheap_ptr(h, ref);

		if (!node || node->next || node->value) {
			goheap_frame_end(h, frame);
			return 0;
		}
		node->value = i;
		goheap_store(h, &node->next, *list);
		goheap_store(h, list, ref);
		goheap_frame_end(h, inner);
	}
	return goheap_frame_return(h, frame, list ? *list : 0);
}

bool check_list(struct goheap *h, goheap_ref list, uint64_t length)
{
	for (; list; length--) {
		const struct node *node = goheap_ptr(h, list);

		if (node->value != length)
			return false;
		list = goheap_load(h, &node->next);
	}
	return !length;
}

static goheap_ref new_big(struct goheap *h)
{
	return goheap_new(h, GOHEAP_LAYOUT_NOSCAN, BIG);
}

void test_frames(struct goheap *h)
{
	goheap_frame frame = goheap_frame_begin(h);
	goheap_ref ref = new_big(h);
	struct goheap_object object;

	EXPECT(ref && !goheap_gc(h) && is_object(h, ref));
	EXPECT(!goheap_object(h, ref + 100, &object) && object.base == ref &&
	       object.bytes == BIG && object.layout == GOHEAP_LAYOUT_NOSCAN);
	memset(goheap_ptr(h, ref), 0xff, BIG);
	goheap_frame_end(h, frame);
	EXPECT(!goheap_gc(h) && !is_object(h, ref) && errno == EINVAL);
	ref = new_big(h);
	for (int i = 0; ref && i < BIG; i++)
		EXPECT(!((char *)goheap_ptr(h, ref))[i]);
}

void test_nested_frames(struct goheap *h)
{
	goheap_frame outer = goheap_frame_begin(h), inner;
	goheap_ref a = new_big(h), b, c, d;

	inner = goheap_frame_begin(h);
	b = new_big(h);
	c = new_big(h);
	d = goheap_frame_return(h, inner, c);
	EXPECT(a && b && c && d == c && !goheap_gc(h));
	EXPECT(is_object(h, a) && !is_object(h, b) && is_object(h, c));
	inner = goheap_frame_begin(h);
	EXPECT(goheap_frame_return(h, inner, a) == a);
	EXPECT(goheap_frame_return(h, inner, 0) == 0);
	goheap_frame_end(h, inner);
	goheap_frame_end(h, inner + 5);
	EXPECT(!goheap_gc(h) && is_object(h, a) && is_object(h, c));
	goheap_frame_end(h, outer);
	EXPECT(!goheap_gc(h) && !is_object(h, a) && !is_object(h, c));
}

void test_vars(struct goheap *h)
{
	goheap_frame frame = goheap_frame_begin(h), inner;
	goheap_ref *var = goheap_var(h, 0);
	goheap_ref a, b;

	EXPECT(var && !*var);
	inner = goheap_frame_begin(h);
	a = new_big(h);
	goheap_store(h, var, a + BIG - 1);
	goheap_frame_end(h, inner);
	EXPECT(a && !goheap_gc(h) && is_object(h, a));
	inner = goheap_frame_begin(h);
	b = new_big(h);
	EXPECT(goheap_local(h, a) == a && goheap_local(h, 0) == 0);
	goheap_store(h, var, b);
	EXPECT(b && !goheap_gc(h) && is_object(h, a) && is_object(h, b));
	goheap_frame_end(h, inner);
	EXPECT(!goheap_gc(h) && !is_object(h, a) && is_object(h, b));
	goheap_frame_end(h, frame);
	EXPECT(!goheap_gc(h) && !is_object(h, b));
}

void test_roots(struct goheap *h)
{
	goheap_frame frame = goheap_frame_begin(h);
	uint32_t ids[600], id;
	goheap_ref refs[600];

	EXPECT(goheap_alloc_batch(h, 0, BIG, refs, 600) == 600);
	EXPECT(goheap_root_add_many(h, refs, ids, 600) == 600);
	goheap_frame_end(h, frame);
	EXPECT(!goheap_gc(h));
	for (int i = 0; i < 600; i++)
		EXPECT(is_object(h, refs[i]));
	EXPECT(!goheap_root_set(h, ids[0], refs[1]));
	EXPECT(!goheap_root_set(h, ids[1], 0));
	EXPECT(!goheap_root_remove(h, ids[2]));
	EXPECT(!goheap_gc(h) && !is_object(h, refs[0]));
	EXPECT(is_object(h, refs[1]) && !is_object(h, refs[2]));
	EXPECT(goheap_root_remove(h, ids[2]) == -1 && errno == ENOENT);
	EXPECT(goheap_root_add(h, refs[2], &id) == -1 && errno == EINVAL);
	EXPECT(goheap_root_set_many(h, ids + 3, refs + 3, 597) == 597);
	EXPECT(goheap_root_remove_many(h, ids + 3, 597) == 597);
	EXPECT(!goheap_gc(h) && !is_object(h, refs[3]));
	EXPECT(is_object(h, refs[1]));
}

void test_batch(struct goheap *h)
{
	goheap_frame frame = goheap_frame_begin(h);
	goheap_ref refs[1000];
	struct goheap_stats stats;

	EXPECT(goheap_alloc_batch(h, 0, 2048, refs, 1000) == 1000);
	EXPECT(!goheap_gc(h));
	for (int i = 0; i < 1000; i++)
		EXPECT(is_object(h, refs[i]));
	EXPECT(!goheap_stats(h, &stats) && stats.heap_marked >= 2048000);
	goheap_frame_end(h, frame);
	EXPECT(!goheap_gc(h) && !goheap_stats(h, &stats));
	EXPECT(stats.heap_marked < 65536 && !stats.invalid_refs);
}

void test_lists(struct goheap *h)
{
	goheap_frame frame = goheap_frame_begin(h);
	int layout = node_layout(h);
	struct goheap_stats stats;
	goheap_ref kept, ref;

	EXPECT(layout > 0 && layout == node_layout(h));
	kept = make_list(h, layout, 100000);
	EXPECT(check_list(h, kept, 100000));
	for (int i = 0; i < 30; i++) {
		goheap_frame inner = goheap_frame_begin(h);

		ref = make_list(h, layout, 50000);
		EXPECT(check_list(h, ref, 50000));
		goheap_frame_end(h, inner);
	}
	EXPECT(check_list(h, kept, 100000));
	EXPECT(!goheap_stats(h, &stats) && stats.num_gc > 1);
	EXPECT(!stats.invalid_refs && stats.heap_inuse < 16 << 20);
	goheap_frame_end(h, frame);
}

void test_arrays(struct goheap *h)
{
	goheap_frame frame = goheap_frame_begin(h);
	int refs_layout = goheap_layout_refs(h);
	goheap_ref array = goheap_new_array(h, refs_layout, 8, 10000);
	goheap_ref *refs = goheap_ptr(h, array);

	EXPECT(refs_layout > 0 && refs);
	for (uint32_t i = 0; refs && i < 10000; i++) {
		goheap_frame inner = goheap_frame_begin(h);
		goheap_ref ref = goheap_new(h, 0, i % 100);

		if (ref && i % 100 >= 4)
			memcpy(goheap_ptr(h, ref), &i, 4);
		goheap_store(h, &refs[i], ref);
		goheap_frame_end(h, inner);
	}
	EXPECT(!goheap_gc(h));
	for (uint32_t i = 0; refs && i < 10000; i++)
		EXPECT(refs[i] &&
		       (i % 100 < 4 || !memcmp(goheap_ptr(h, refs[i]), &i, 4)));
	EXPECT(!goheap_new_array(h, 0, SIZE_MAX / 2, 3) && errno == ENOMEM);
	EXPECT(!goheap_new(h, 0, SIZE_MAX) && errno);
	EXPECT(!goheap_new(h, 12345, 16) && errno == ENOENT);
	EXPECT(!goheap_new(h, -1, 16) && errno == ENOENT);
	EXPECT(GOHEAP_LAYOUT(h, struct node, next, value) != node_layout(h));
	EXPECT(goheap_layout(h, 12, NULL, 0) == -1 && errno == EINVAL);
	goheap_frame_end(h, frame);
}

void test_stack_limit(struct goheap *h)
{
	goheap_frame frame;
	goheap_ref refs[600];
	int n = 0;

	EXPECT(!goheap_set_max_stack(h, 0) && errno == EINVAL);
	EXPECT(goheap_set_max_stack(h, 4000) == 64 << 20);
	frame = goheap_frame_begin(h);
	while (n < 1000 && goheap_new(h, 0, 16))
		n++;
	EXPECT(n == 511 && errno == ENOSPC);
	EXPECT(!strcmp(goheap_error(),
		       "handle stack exceeds its limit of 4096 bytes"));
	EXPECT(!goheap_var(h, 0) && errno == ENOSPC);
	EXPECT(!goheap_new(h, 0, BIG) && errno == ENOSPC);
	EXPECT(goheap_set_max_stack(h, 1 << 20) == 4096);
	goheap_frame_end(h, frame);
	EXPECT(goheap_new(h, 0, 16));
	EXPECT(goheap_alloc_batch(h, 0, 16, refs, 600) == 510);
	EXPECT(errno == ENOSPC);
}

void test_ceiling(struct goheap *h)
{
	struct goheap_open_params params = { .flags = GOHEAP_OPEN_PRECISE,
					     .max_heap = 8 << 20 };
	struct goheap *small = goheap_open_params(&params);
	goheap_frame frame;
	size_t n = 0;

	if (!small) {
		EXPECT(small);
		return;
	}
	frame = goheap_frame_begin(small);
	while (n < 1000000 && goheap_new(small, 0, 64))
		n++;
	EXPECT(errno == ENOMEM && n > 50000 && n <= (8 << 20) / 64);
	EXPECT(!goheap_new(small, 0, 1 << 20) && errno == ENOMEM);
	goheap_frame_end(small, frame);
	for (n = 0; n < 100000; n++) {
		frame = goheap_frame_begin(small);
		if (!goheap_new(small, 0, 64 + 8 * (n % 100)))
			break;
		goheap_frame_end(small, frame);
	}
	EXPECT(n == 100000);
	EXPECT(goheap_set_max_heap(small, -1) == 8 << 20);
	EXPECT(goheap_set_max_heap(small, 0) == 8 << 20);
	EXPECT(goheap_new(small, 0, 16 << 20));
	goheap_close(small);
	EXPECT(goheap_set_max_heap(h, -1) == 0);
}

void test_parameters(struct goheap *h)
{
	goheap_frame frame = goheap_frame_begin(h);
	struct goheap_info info;
	goheap_ref ref;
	int64_t value;

	EXPECT(!goheap_info(h, &info) && info.abi == GOHEAP_ABI);
	EXPECT(goheap_set_gc_percent(h, 50) == 100 && !errno);
	EXPECT(goheap_set_gc_percent(h, -7) == 50 && !errno);
	EXPECT(goheap_set_gc_percent(h, 200) == -1 && !errno);
	EXPECT(!goheap_read_param(h, GOHEAP_PARAM_GC_PERCENT, &value));
	EXPECT(value == 200);
	EXPECT(goheap_set_memory_limit(h, -1) == INT64_MAX);
	EXPECT(goheap_set_memory_limit(h, 1 << 30) == INT64_MAX);
	EXPECT(goheap_set_memory_limit(h, INT64_MAX) == 1 << 30);
	ref = goheap_new(h, 0, 32 << 20);
	EXPECT(ref);
	memset(goheap_ptr(h, ref), 1, 32 << 20);
	goheap_frame_end(h, frame);
	EXPECT(goheap_free_os_memory(h) >= 32 << 20);
}

void test_statistics(struct goheap *h)
{
	struct goheap_mem_stats mem;
	struct goheap_gc_stats gc;
	uint64_t mallocs = 0, frees = 0;
	goheap_frame frame = goheap_frame_begin(h);

	EXPECT(!goheap_read_gc_stats(h, &gc) && !gc.nr_pauses && !gc.num_gc);
	EXPECT(make_list(h, node_layout(h), 50000));
	for (int i = 0; i < 5; i++)
		EXPECT(!goheap_gc(h));
	EXPECT(!goheap_read_mem_stats(h, &mem));
	EXPECT(!goheap_read_gc_stats(h, &gc));
	EXPECT(mem.num_gc >= 5 && mem.num_forced_gc == 5);
	EXPECT(gc.num_gc == mem.num_gc && gc.nr_pauses == mem.num_gc);
	EXPECT(gc.last_gc == mem.last_gc && gc.last_gc == gc.pause_end[0]);
	EXPECT(mem.pause_ns[(mem.num_gc + 255) % 256] == gc.pause[0]);
	EXPECT(gc.pause_quantiles[0] && gc.pause_quantiles[4]);
	EXPECT(mem.heap_objects == mem.mallocs - mem.frees);
	EXPECT(mem.heap_objects >= 50000 && mem.alloc >= 800000);
	EXPECT(mem.heap_inuse + mem.heap_idle == mem.heap_sys);
	for (int i = 0; i < GOHEAP_NR_SIZE_CLASSES; i++) {
		mallocs += mem.by_size[i].mallocs;
		frees += mem.by_size[i].frees;
	}
	EXPECT(mallocs <= mem.mallocs && frees <= mem.frees);
	EXPECT(mem.by_size[2].bytes == 16 && mem.by_size[2].mallocs >= 50000);
	goheap_frame_end(h, frame);
}

void test_two_heaps(struct goheap *h)
{
	struct goheap *other = goheap_open(GOHEAP_OPEN_PRECISE);
	int layout = node_layout(h);
	int other_layout = other ? node_layout(other) : -1;
	goheap_frame frame = goheap_frame_begin(h);
	goheap_ref a, b;

	if (!other) {
		EXPECT(other);
		return;
	}
	for (int i = 0; i < 20; i++) {
		goheap_frame inner = goheap_frame_begin(other);

		a = make_list(h, layout, 1000 + i);
		b = make_list(other, other_layout, 2000 + i);
		EXPECT(check_list(h, a, 1000 + i));
		EXPECT(check_list(other, b, 2000 + i));
		EXPECT(!is_object(other, a) && !is_object(h, b));
		goheap_frame_end(h, frame);
		goheap_frame_end(other, inner);
	}
	goheap_close(other);
	EXPECT(check_list(h, make_list(h, layout, 100), 100));
}
