/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The layout of every structure of the interface, in numbers.
 *
 * A program that was compiled once keeps working as long as no number here
 * changes; a structure grows by new members at its end only. The numbers hold
 * for 64-bit and 32-bit programs alike, and without holes.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stddef.h>

#include <linux/goheap.h>

#define AT(type, member, offset)					\
	_Static_assert(offsetof(struct type, member) == (offset),	\
		       #type "." #member)
#define SIZE(type, bytes)						\
	_Static_assert(sizeof(struct type) == (bytes), #type)

AT(goheap_stack, top, 0);
AT(goheap_stack, slots, 8);
SIZE(goheap_stack, 8);

AT(goheap_info, size, 0);
AT(goheap_info, abi, 4);
AT(goheap_info, features, 8);
AT(goheap_info, heap_id, 16);
AT(goheap_info, tag, 20);
AT(goheap_info, address_space, 24);
AT(goheap_info, page_size, 32);
AT(goheap_info, nr_size_classes, 36);
AT(goheap_info, max_small_size, 40);
AT(goheap_info, max_layouts, 44);
AT(goheap_info, max_object_size, 48);
AT(goheap_info, max_layout_bits, 56);
AT(goheap_info, max_batch, 60);
AT(goheap_info, max_roots, 64);
AT(goheap_info, reserved, 68);
SIZE(goheap_info, 72);

AT(goheap_setup, size, 0);
AT(goheap_setup, flags, 4);
AT(goheap_setup, address_space, 8);
AT(goheap_setup, max_heap, 16);
SIZE(goheap_setup, 24);

AT(goheap_layout, size, 0);
AT(goheap_layout, flags, 4);
AT(goheap_layout, elem_size, 8);
AT(goheap_layout, nr_bits, 16);
AT(goheap_layout, id, 20);
AT(goheap_layout, mask, 24);
SIZE(goheap_layout, 32);

AT(goheap_alloc, size, 0);
AT(goheap_alloc, flags, 4);
AT(goheap_alloc, bytes, 8);
AT(goheap_alloc, layout, 16);
AT(goheap_alloc, count, 20);
AT(goheap_alloc, refs, 24);
AT(goheap_alloc, done, 32);
AT(goheap_alloc, cycles, 36);
SIZE(goheap_alloc, 40);

AT(goheap_object, size, 0);
AT(goheap_object, flags, 4);
AT(goheap_object, ref, 8);
AT(goheap_object, base, 16);
AT(goheap_object, bytes, 24);
AT(goheap_object, layout, 32);
AT(goheap_object, reserved, 36);
SIZE(goheap_object, 40);

AT(goheap_roots, size, 0);
AT(goheap_roots, flags, 4);
AT(goheap_roots, count, 8);
AT(goheap_roots, done, 12);
AT(goheap_roots, refs, 16);
AT(goheap_roots, ids, 24);
SIZE(goheap_roots, 32);

AT(goheap_collect, size, 0);
AT(goheap_collect, flags, 4);
AT(goheap_collect, cycles, 8);
AT(goheap_collect, reserved, 12);
SIZE(goheap_collect, 16);

AT(goheap_param, size, 0);
AT(goheap_param, flags, 4);
AT(goheap_param, id, 8);
AT(goheap_param, reserved, 12);
AT(goheap_param, value, 16);
AT(goheap_param, old, 24);
SIZE(goheap_param, 32);

AT(goheap_class_stats, bytes, 0);
AT(goheap_class_stats, mallocs, 8);
AT(goheap_class_stats, frees, 16);
SIZE(goheap_class_stats, 24);

AT(goheap_stats, size, 0);
AT(goheap_stats, flags, 4);
AT(goheap_stats, alloc, 8);
AT(goheap_stats, total_alloc, 16);
AT(goheap_stats, sys, 24);
AT(goheap_stats, mallocs, 32);
AT(goheap_stats, frees, 40);
AT(goheap_stats, heap_sys, 48);
AT(goheap_stats, heap_idle, 56);
AT(goheap_stats, heap_inuse, 64);
AT(goheap_stats, heap_released, 72);
AT(goheap_stats, heap_objects, 80);
AT(goheap_stats, heap_live, 88);
AT(goheap_stats, heap_marked, 96);
AT(goheap_stats, mspan_inuse, 104);
AT(goheap_stats, mcache_inuse, 112);
AT(goheap_stats, gc_sys, 120);
AT(goheap_stats, next_gc, 128);
AT(goheap_stats, last_gc, 136);
AT(goheap_stats, pause_total_ns, 144);
AT(goheap_stats, gc_cpu_ns, 152);
AT(goheap_stats, num_gc, 160);
AT(goheap_stats, num_forced_gc, 168);
AT(goheap_stats, tiny_allocs, 176);
AT(goheap_stats, large_alloc_bytes, 184);
AT(goheap_stats, large_free_bytes, 192);
AT(goheap_stats, invalid_refs, 200);
AT(goheap_stats, root_count, 208);
AT(goheap_stats, faults, 216);
AT(goheap_stats, fault_pages, 224);
AT(goheap_stats, by_class, 232);
AT(goheap_stats, handshakes, 1864);
AT(goheap_stats, evictions, 1888);
AT(goheap_stats, scav_bg_bytes, 1896);
AT(goheap_stats, scav_assist_ns, 1920);
AT(goheap_stats, check_failures, 1928);
AT(goheap_stats, check_doubts, 1936);
AT(goheap_stats, shortages, 1944);
SIZE(goheap_stats, 1952);

AT(goheap_cycle, size, 0);
AT(goheap_cycle, flags, 4);
AT(goheap_cycle, cycle, 8);
AT(goheap_cycle, start_ns, 16);
AT(goheap_cycle, end_ns, 24);
AT(goheap_cycle, setup_ns, 32);
AT(goheap_cycle, mark_ns, 40);
AT(goheap_cycle, term_ns, 48);
AT(goheap_cycle, cpu_ns, 56);
AT(goheap_cycle, heap_start, 64);
AT(goheap_cycle, heap_end, 72);
AT(goheap_cycle, heap_marked, 80);
AT(goheap_cycle, goal, 88);
AT(goheap_cycle, stack_bytes, 96);
AT(goheap_cycle, global_bytes, 104);
AT(goheap_cycle, nr_cpus, 112);
AT(goheap_cycle, cpu_permille, 116);
AT(goheap_cycle, reason, 120);
AT(goheap_cycle, reserved, 124);
AT(goheap_cycle, assist_ns, 128);
AT(goheap_cycle, idle_ns, 136);
AT(goheap_cycle, scanned_objs, 144);
SIZE(goheap_cycle, 152);

AT(goheap_free_os_memory, size, 0);
AT(goheap_free_os_memory, flags, 4);
AT(goheap_free_os_memory, released, 8);
SIZE(goheap_free_os_memory, 16);

AT(goheap_refill, size, 0);
AT(goheap_refill, flags, 4);
AT(goheap_refill, count, 8);
AT(goheap_refill, done, 12);
AT(goheap_refill, leases, 16);
AT(goheap_refill, cycles, 24);
AT(goheap_refill, reserved, 28);
AT(goheap_refill, generation, 32);
SIZE(goheap_refill, 40);

AT(goheap_lease, index, 0);
AT(goheap_lease, layout, 4);
AT(goheap_lease, bytes, 8);
AT(goheap_lease, words, 16);
AT(goheap_lease, slot_bytes, 20);
SIZE(goheap_lease, 24);

AT(goheap_barrier, size, 0);
AT(goheap_barrier, flags, 4);
AT(goheap_barrier, count, 8);
AT(goheap_barrier, refs, 16);
SIZE(goheap_barrier, 24);

AT(goheap_range, size, 0);
AT(goheap_range, flags, 4);
AT(goheap_range, kind, 8);
AT(goheap_range, reserved, 12);
AT(goheap_range, start, 16);
AT(goheap_range, bytes, 24);
SIZE(goheap_range, 32);

AT(goheap_status, marking, 0);
AT(goheap_status, cycles, 8);
SIZE(goheap_status, 16);

AT(goheap_slots, mask, 0);
AT(goheap_slots, base, 8);
SIZE(goheap_slots, 16);

AT(goheap_mutator_page, generation, 0);
AT(goheap_mutator_page, tiny_allocs, 8);
AT(goheap_mutator_page, tiny, 16);
AT(goheap_mutator_page, slot, 24);
AT(goheap_mutator_page, nr_barrier, 32);
AT(goheap_mutator_page, barrier, 40);
AT(goheap_mutator_page, switches, 4088);
SIZE(goheap_mutator_page, 4096);

AT(goheap_reader, size, 0);
AT(goheap_reader, flags, 4);
AT(goheap_reader, fd, 8);
AT(goheap_reader, reserved, 12);
SIZE(goheap_reader, 16);

#define NUMBER(name, nr)						\
	_Static_assert(GOHEAP_IOC_##name == (0xb900 | (nr)), #name)

NUMBER(INFO, 0);
NUMBER(SETUP, 1);
NUMBER(LAYOUT, 2);
NUMBER(ALLOC, 3);
NUMBER(OBJECT, 4);
NUMBER(ROOT_ADD, 5);
NUMBER(ROOT_SET, 6);
NUMBER(ROOT_REMOVE, 7);
NUMBER(COLLECT, 8);
NUMBER(PARAM, 9);
NUMBER(STATS, 10);
NUMBER(CYCLE, 11);
NUMBER(FREE_OS_MEMORY, 12);
NUMBER(REFILL, 13);
NUMBER(BARRIER, 14);
NUMBER(RANGE_ADD, 15);
NUMBER(RANGE_REMOVE, 16);
NUMBER(READER, 17);

#undef AT
#undef SIZE
#undef NUMBER

#endif /* LAYOUT_H */
