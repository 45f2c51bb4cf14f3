// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What of static and thread-local variables is registered, and what becomes of a
 * thread if something cannot be.
 */
#include <errno.h>
#include <stdlib.h>

#include "fake.h"
#include "tap.h"

static uintptr_t in_data = 1, in_bss;
static __thread uintptr_t in_tls;

static bool has_all(void)
{
	return fake_has((uintptr_t)&in_data) && fake_has((uintptr_t)&in_bss) &&
	       fake_has((uintptr_t)&in_tls);
}

void test_variables(void)
{
	struct gh_heap heap;
	struct gh_thread *t = open_fake(&heap, false);
	int nr = fake_ranges;

	EXPECT(t && has_all());
	EXPECT(!goheap_update_variables(&heap.pub) && fake_ranges == nr);
	/* A variable that is in one of them cannot be told twice. */
	EXPECT(goheap_range_add(&heap.pub, &in_bss, 8) == -1 &&
	       errno == EEXIST);
	EXPECT(has_all() && fake_ranges == nr);
	close_fake(&heap);
}

void test_variables_precise(void)
{
	struct gh_heap heap;

	EXPECT(open_fake(&heap, true) && !fake_ranges);
	EXPECT(!goheap_update_variables(&heap.pub) && !fake_ranges);
	EXPECT(!goheap_range_add(&heap.pub, &in_bss, 8) && fake_ranges == 1);
	EXPECT(!goheap_range_remove(&heap.pub, &in_bss));
	close_fake(&heap);
}

/* With room for any number of ranges that is too small there is no thread. */
void test_variables_no_room(void)
{
	struct gh_heap heap;
	int need, before;

	EXPECT(open_fake(&heap, false));
	need = fake_ranges;
	close_fake(&heap);
	EXPECT(need > 2);
	EXPECT(open_fake(&heap, true));
	heap.precise = false;
	pthread_mutex_lock(&gh_lock);
	gh_threads_close(&heap);
	pthread_mutex_unlock(&gh_lock);
	for (int room = 0; room < need; room++) {
		before = fake_ranges;
		fake_room = room - before;
		EXPECT(!gh_thread_get(&heap.pub) && errno == ENOSPC);
		EXPECT(!heap.threads && !has_all());
	}
	fake_room = 1000;
	EXPECT(gh_thread_get(&heap.pub) && has_all() && fake_ranges == need);
	close_fake(&heap);
}

/* A range of the program's that came first is an error until it has gone. */
void test_variables_in_the_way(void)
{
	struct gh_heap heap;

	EXPECT(open_fake(&heap, true));
	EXPECT(!goheap_range_add(&heap.pub, &in_bss, 8));
	pthread_mutex_lock(&gh_lock);
	gh_threads_close(&heap);
	pthread_mutex_unlock(&gh_lock);
	heap.precise = false;
	EXPECT(!gh_thread_get(&heap.pub) && errno == EEXIST);
	EXPECT(!goheap_range_remove(&heap.pub, &in_bss));
	EXPECT(gh_thread_get(&heap.pub) && has_all());
	close_fake(&heap);
}
