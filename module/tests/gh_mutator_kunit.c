// SPDX-License-Identifier: GPL-2.0
/*
 * Mutators: a test plays the program, which takes slots from leases by the
 * protocol of gh_mutator.c, or breaks it.
 */
#include "gh_test_heap.h"
#include "gh_mutator.h"

#define LEASES	16

static struct gh_control *control(struct gh_mutator *mut)
{
	return mut->pages[0];
}

static struct gh_slots *slots(struct gh_mutator *mut, u32 lease)
{
	void *page = mut->pages[1 + lease / GH_LEASES_PER_PAGE];

	return page + lease % GH_LEASES_PER_PAGE * GH_LEASE_SLOTS_BYTES;
}

/* Where the mutators of this suite see the objects. */
static const struct gh_window window = { 0x7f0000000000, GH_TEST_ASPACE };

static struct gh_mutator *new_mutator(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = gh_mutator_create(env->heap, LEASES, &window);

	KUNIT_ASSERT_NOT_NULL(test, mut);
	return mut;
}

/* Take a slot from what is granted; 0 if nothing is left. */
static u64 take_granted(struct gh_slots *s, u32 words, u64 slot_bytes)
{
	u32 i;

	for (i = 0; i < words; i++) {
		u64 mask = s[i].mask;

		if (!mask)
			continue;
		s[i].mask = mask & (mask - 1);
		return s[i].base + __ffs64(mask) * slot_bytes;
	}
	return 0;
}

static u64 take(struct kunit *test, struct gh_mutator *mut, u32 lease,
		u32 layout, u64 bytes)
{
	struct gh_test_env *env = test->priv;
	u64 slot_bytes = gh_sizeclasses[gh_sizeclass_of(bytes)].size;
	struct gh_refill out;
	u64 ref = 0;

	if (mut->leases[lease] && mut->leases[lease]->sc->elemsize == slot_bytes)
		ref = take_granted(slots(mut, lease), GH_LEASE_WORDS,
				   slot_bytes);
	if (ref)
		return ref;
	KUNIT_ASSERT_EQ(test, gh_mutator_refill(env->heap, mut, lease, layout,
						bytes, &out), 0);
	KUNIT_EXPECT_EQ(test, out.slot_bytes, slot_bytes);
	KUNIT_EXPECT_GT(test, out.words, 0);
	KUNIT_EXPECT_LE(test, out.words, GH_LEASE_WORDS);
	ref = take_granted(slots(mut, lease), out.words, slot_bytes);
	KUNIT_ASSERT_NE(test, ref, 0);
	return ref;
}

static u64 total_mallocs(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 unused[GH_NR_CLASSES] = {};
	u64 sum = 0;
	int c;

	mutex_lock(&env->heap->mutators_lock);
	gh_mutator_unused(env->heap, unused);
	mutex_unlock(&env->heap->mutators_lock);
	for (c = 0; c < GH_NR_CLASSES; c++)
		sum += gh_test_stat(env, mallocs[c]) - unused[c];
	return sum;
}

static void gh_mutator_arguments(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	struct gh_heap *heap = env->heap;
	struct gh_refill out;

	KUNIT_EXPECT_EQ(test, gh_mutator_refill(heap, mut, LEASES, 0, 16, &out),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, gh_mutator_refill(heap, mut, U32_MAX, 0, 16, &out),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, gh_mutator_refill(heap, mut, 0, 0,
						GH_MAX_SMALL_SIZE + 1, &out),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, gh_mutator_refill(heap, mut, 0, 0, U64_MAX, &out),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, gh_mutator_refill(heap, mut, 0, 99, 16, &out),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, gh_mutator_refill(heap, mut, 0, 0, 0, &out), 0);
	KUNIT_EXPECT_EQ(test, out.slot_bytes, 8);
	KUNIT_EXPECT_NULL(test, gh_mutator_page(heap, mut, 1 + LEASES));
	gh_mutator_destroy(heap, mut);
}

/* All classes: zeroed, usable at once, counted, freed when nothing holds them. */
static void gh_mutator_classes(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	struct gh_objinfo info;
	u64 n = 0;
	int c, i, round;

	for (round = 0; round < 2; round++) {
		for (c = 1; c < GH_NR_CLASSES; c++) {
			u64 size = gh_sizeclasses[c].size;

			for (i = 0; i < 3; i++, n++) {
				u64 ref = take(test, mut, c % LEASES, 0, size);

				KUNIT_ASSERT_EQ(test, gh_test_lookup(env, ref, &info), 0);
				KUNIT_EXPECT_EQ(test, info.base, gh_test_off(ref));
				KUNIT_EXPECT_EQ(test, info.bytes, size);
				KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env, ref, size));
				gh_test_fill(env, ref, size, ~0ULL);
			}
		}
		KUNIT_EXPECT_EQ(test, total_mallocs(test), n);
		gh_test_collect(env);
		KUNIT_EXPECT_EQ(test, total_mallocs(test), n);
		KUNIT_EXPECT_EQ(test, gh_test_stat(env, inuse_pages), 0);
		gh_test_check(test);
	}
	gh_mutator_destroy(env->heap, mut);
}

/* No slot is given twice, and all of a span are given. */
static void gh_mutator_distinct(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut[2];
	u64 *seen;
	u64 i;

	mut[0] = new_mutator(test);
	mut[1] = new_mutator(test);
	seen = kunit_kzalloc(test, (1UL << 20) / 32 / 8, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	for (i = 0; i < 20000; i++) {
		u64 ref = i % 5 == 4 ? gh_test_new(test, 0, 32) :
			  take(test, mut[i & 1], 3, 0, 32);
		u64 slot = gh_test_off(ref) / 32;

		KUNIT_ASSERT_LT(test, slot, (1UL << 20) / 32);
		KUNIT_ASSERT_FALSE(test, seen[slot / 64] >> slot % 64 & 1);
		seen[slot / 64] |= 1ULL << slot % 64;
	}
	KUNIT_EXPECT_EQ(test, total_mallocs(test), 20000);
	KUNIT_EXPECT_LE(test, gh_test_stat(env, inuse_pages), 100);
	gh_test_check(test);
	gh_mutator_destroy(env->heap, mut[0]);
	gh_mutator_destroy(env->heap, mut[1]);
	KUNIT_EXPECT_EQ(test, total_mallocs(test), 20000);
	gh_test_check(test);
}

/* What was not taken is free for others after a flush, what was taken is not. */
static void gh_mutator_settle(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	u64 kept[100];
	u32 generation;
	int i;

	for (i = 0; i < 100; i++) {
		kept[i] = take(test, mut, 0, 0, 16);
		env->root[i] = kept[i];
		gh_test_fill(env, kept[i], 16, i + 1);
	}
	generation = control(mut)->generation;
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, control(mut)->generation, generation + 1);
	for (i = 0; i < GH_LEASE_WORDS; i++)
		KUNIT_EXPECT_EQ(test, slots(mut, 0)[i].mask, 0);
	for (i = 0; i < 100; i++) {
		KUNIT_EXPECT_TRUE(test, gh_test_alive(env, kept[i]));
		KUNIT_EXPECT_EQ(test, *gh_test_word(env, kept[i], 0), i + 1);
	}
	KUNIT_EXPECT_EQ(test, total_mallocs(test), 100);
	/* One span of 512 slots is all that is needed for the rest of it. */
	for (i = 0; i < 412; i++) {
		u64 ref = i & 1 ? take(test, mut, 0, 0, 16) :
				  gh_test_new(test, 0, 16);

		KUNIT_EXPECT_TRUE(test, gh_test_zeroed(env, ref, 16));
		gh_test_fill(env, ref, 16, ~0ULL);
	}
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_EQ(test, *gh_test_word(env, kept[i], 0), i + 1);
	KUNIT_EXPECT_LE(test, gh_test_stat(env, inuse_pages), 2);
	gh_test_check(test);
	gh_mutator_destroy(env->heap, mut);
}

/* A reference to a slot not taken yet is none once the lease is gone. */
static void gh_mutator_untaken(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	u64 first = take(test, mut, 0, 0, 64);
	u64 second = slots(mut, 0)[0].base + 64 * __ffs64(slots(mut, 0)[0].mask);
	u64 invalid;

	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, first));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, second));
	env->root[0] = first;
	env->root[1] = second;
	invalid = env->heap->invalid_refs;
	gh_test_collect(env);
	/* It could be taken at any time while objects are being marked. */
	KUNIT_EXPECT_EQ(test, env->heap->invalid_refs, invalid);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, first));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, second));
	gh_mutator_destroy(env->heap, mut);
}

/* Words granted double while they are used up and halve when they are not. */
static void gh_mutator_adapts(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	struct gh_refill out;
	u32 want = 1;
	int i;

	for (i = 0; i < 12; i++) {
		KUNIT_ASSERT_EQ(test, gh_mutator_refill(env->heap, mut, 0, 0, 8,
							&out), 0);
		KUNIT_EXPECT_EQ(test, out.words, want);
		while (take_granted(slots(mut, 0), out.words, 8))
			;
		want = min(want * 2, (u32)GH_LEASE_WORDS);
	}
	gh_mutator_refill(env->heap, mut, 0, 0, 8, &out);
	for (i = 0; i < 7; i++)
		gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, mut->leases[0]->want, GH_LEASE_WORDS / 2);
	/* 64 KiB is more than a word of this class may have. */
	gh_mutator_refill(env->heap, mut, 1, 0, 32768, &out);
	KUNIT_EXPECT_EQ(test, out.words, 1);
	gh_mutator_destroy(env->heap, mut);
}

/* A lease number can be used for one class after the other. */
/* Refill and take all of it, as long as more is granted each time. */
static void grow_lease(struct kunit *test, struct gh_mutator *mut, u32 lease,
		       u64 bytes, struct gh_refill *out)
{
	struct gh_test_env *env = test->priv;
	u32 before;

	out->words = 0;
	do {
		before = out->words;
		KUNIT_ASSERT_EQ(test, gh_mutator_refill(env->heap, mut, lease, 0,
							bytes, out), 0);
		while (take_granted(slots(mut, lease), out->words, bytes))
			;
	} while (out->words > before);
}

/* What has to be paid for with marking at once is granted in smaller pieces. */
static void gh_mutator_while_marking(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	struct gh_pacer *p = &env->heap->pace.pacer;
	struct gh_refill out;
	struct gh_cycle c;

	grow_lease(test, mut, 0, 8, &out);
	KUNIT_EXPECT_EQ(test, out.words, GH_LEASE_WORDS);
	gh_test_mark_begin(env);
	up_write(&env->heap->world);
	/* Two bytes for each that is taken is not much. */
	p->assist_work_per_byte = 2 * GH_FIX_ONE;
	KUNIT_EXPECT_EQ(test, gh_mutator_refill(env->heap, mut, 0, 0, 8, &out),
			0);
	KUNIT_EXPECT_EQ(test, out.words, GH_LEASE_WORDS);
	while (take_granted(slots(mut, 0), out.words, 8))
		;
	p->assist_work_per_byte = 3 * GH_FIX_ONE;
	KUNIT_EXPECT_EQ(test, gh_mutator_refill(env->heap, mut, 0, 0, 8, &out),
			0);
	KUNIT_EXPECT_EQ(test, out.words, GH_LEASE_WORDS / 4);
	/* At least one word, whatever the size. */
	KUNIT_EXPECT_EQ(test, gh_mutator_refill(env->heap, mut, 1, 0, 1024,
						&out), 0);
	KUNIT_EXPECT_EQ(test, out.words, 1);
	down_write(&env->heap->world);
	gh_mutator_flush_all(env->heap);
	gh_test_mark_end(env, &c);
	gh_mutator_refill(env->heap, mut, 0, 0, 8, &out);
	KUNIT_EXPECT_EQ(test, out.words, GH_LEASE_WORDS / 2);
	gh_test_check(test);
	gh_mutator_destroy(env->heap, mut);
}

/* Slots that lie apart take long to clear: fewer are granted at once. */
static void gh_mutator_pieces(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	const u32 nr = 8192, batch = 512, most = 512;
	struct gh_refill out;
	u32 l, i, j;
	u64 keeper;

	l = gh_test_layout(test, 1, 0x1);
	keeper = gh_test_new(test, l, nr / 2 * sizeof(u64));
	env->root[0] = keeper;
	for (i = 0; i < nr; i += batch) {
		gh_test_many(test, 0, 16, batch);
		for (j = 0; j < batch; j += 2)
			*gh_test_word(env, keeper, (i + j) / 2) = env->fresh[j];
	}
	gh_test_collect(env);
	grow_lease(test, mut, 0, 16, &out);
	KUNIT_EXPECT_EQ(test, out.words, most / 32);
	/* Side by side they are as many as ever. */
	grow_lease(test, mut, 1, 8, &out);
	KUNIT_EXPECT_EQ(test, out.words, GH_LEASE_WORDS);
	gh_test_check(test);
	gh_mutator_destroy(env->heap, mut);
}

static void gh_mutator_takeover(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	u32 refs = gh_test_layout(test, 1, 1);
	struct gh_objinfo info;
	struct gh_refill out;
	int i;

	for (i = 0; i < 40; i++) {
		u32 layout = i % 3 ? refs : 0;
		u64 size = i % 2 ? 48 : 64;
		u64 ref;

		KUNIT_ASSERT_EQ(test, gh_mutator_refill(env->heap, mut, 5,
							layout, size, &out), 0);
		ref = take_granted(slots(mut, 5), out.words, size);
		KUNIT_ASSERT_EQ(test, gh_test_lookup(env, ref, &info), 0);
		KUNIT_EXPECT_EQ(test, info.bytes, size);
		KUNIT_EXPECT_EQ(test, info.layout, layout);
	}
	KUNIT_EXPECT_EQ(test, total_mallocs(test), 40);
	gh_test_check(test);
	gh_mutator_destroy(env->heap, mut);
	/* What was not taken is not live. */
	KUNIT_EXPECT_EQ(test, atomic64_read(&env->heap->heap_live),
			20 * 48 + 20 * 64);
}

/* A hostile mutator fills what it can write with anything. */
static void gh_mutator_scribble(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	struct gh_refill out;
	u64 seed = 88172645463325252ULL;
	int i, k;

	for (i = 0; i < 200; i++) {
		u64 *words = mut->pages[i % 3];

		for (k = 0; words && k < PAGE_SIZE / 8; k++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			words[k] = seed;
		}
		gh_mutator_refill(env->heap, mut, i % LEASES, 0,
				  16 << i % 5, &out);
		if (i % 10 == 9)
			gh_test_collect(env);
		gh_test_check(test);
	}
	gh_mutator_destroy(env->heap, mut);
}

/* Bits that were not granted, or that come back, give nothing to anybody. */
static void gh_mutator_forged(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	u64 refs[64];
	u32 n;

	/* Bits behind the last slot of a span, settled by another class. */
	take(test, mut, 1, 0, 256);
	slots(mut, 1)[0].mask = ~0ULL;
	take(test, mut, 1, 0, 512);
	gh_test_check(test);
	/* Half of a span belongs to others. */
	for (n = 0; n < 64; n++) {
		refs[n] = gh_test_new(test, 0, 128);
		env->root[n] = refs[n];
	}
	take(test, mut, 0, 0, 128);
	for (n = 0; n < GH_LEASE_WORDS; n++)
		slots(mut, 0)[n].mask = ~0ULL;
	gh_test_collect(env);
	for (n = 0; n < 64; n++)
		KUNIT_EXPECT_TRUE(test, gh_test_alive(env, refs[n]));
	gh_test_check(test);
	gh_mutator_destroy(env->heap, mut);
}

/* What is in a barrier buffer is a root of the next cycle, once. */
static void gh_mutator_barrier_buffer(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	struct gh_control *c = control(mut);
	u64 behind, late;
	u32 i;

	for (i = 0; i < GH_BARRIER_REFS; i++)
		c->barrier[i] = gh_test_new(test, 0, 16);
	/* What follows the buffer looks like one more. */
	behind = gh_test_new(test, 0, 16);
	c->switches = behind;
	c->nr_barrier = GH_BARRIER_REFS - 1;
	gh_test_collect(env);
	for (i = 0; i < GH_BARRIER_REFS - 1; i++)
		KUNIT_EXPECT_TRUE(test, gh_test_alive(env, c->barrier[i]));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, c->barrier[i]));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, behind));
	/* Each report is good for one cycle, and no count leads beyond. */
	late = gh_test_new(test, 0, 16);
	behind = gh_test_new(test, 0, 16);
	c->barrier[i] = late;
	c->switches = behind;
	c->nr_barrier = U32_MAX;
	gh_test_collect(env);
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, c->barrier[0]));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, late));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, behind));
	/* Backwards, which only a hostile program goes: nothing new. */
	c->nr_barrier = 1;
	gh_test_collect(env);
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, late));
	c->barrier[1] = gh_test_new(test, 0, 16);
	c->nr_barrier = 2;
	gh_test_collect(env);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, c->barrier[1]));
	/* A mutator that empties it begins anew. */
	gh_mutator_barrier(env->heap, mut);
	KUNIT_EXPECT_EQ(test, c->nr_barrier, 0);
	c->barrier[0] = gh_test_new(test, 0, 16);
	c->nr_barrier = 1;
	gh_test_collect(env);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, c->barrier[0]));
	gh_mutator_destroy(env->heap, mut);
}

/* What is where a mutator stores is a root; a hostile address is nothing. */
static void gh_mutator_place(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	u64 box = gh_test_new(test, gh_test_layout(test, 2, 0x3), 16);
	const u64 bad[] = { 0, 1, 8, ~0ULL, ~7ULL, window.base,
		window.base + window.bytes, window.base + window.bytes - 8 };
	u64 ref, i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		control(mut)->slot = bad[i];
		gh_test_collect(env);
	}
	box = gh_test_new(test, gh_test_layout(test, 2, 0x3), 16);
	env->root[0] = box;
	ref = gh_test_new(test, 0, 64);
	/* No reference leads to it, not even from a word that is one. */
	*gh_test_word(env, box, 1) = ref;
	control(mut)->slot = window.base + gh_test_off(box) + 4;
	gh_test_mark_begin(env);
	gh_mutator_begin_all(env->heap, &env->heap->mark);
	*gh_test_word(env, box, 1) = 0;
	gh_test_mark_end(env, &(struct gh_cycle){});
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, ref));
	ref = gh_test_new(test, 0, 64);
	*gh_test_word(env, box, 1) = ref;
	control(mut)->slot = window.base + gh_test_off(box) + 8;
	gh_test_mark_begin(env);
	gh_mutator_begin_all(env->heap, &env->heap->mark);
	*gh_test_word(env, box, 1) = 0;
	gh_test_mark_end(env, &(struct gh_cycle){});
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, ref));
	KUNIT_EXPECT_EQ(test, env->heap->invalid_refs, 0);
	gh_mutator_destroy(env->heap, mut);
}

/* Once a mutator has no objects, what it has said counts once, and no more. */
static void gh_mutator_ended(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	struct gh_control *c = control(mut);
	u64 box = gh_test_new(test, gh_test_layout(test, 2, 0x0), 16);
	u64 said = gh_test_new(test, 0, 64), stored = gh_test_new(test, 0, 64);
	u64 tiny = gh_test_new(test, 0, 16), late = gh_test_new(test, 0, 64);

	env->root[0] = box;
	*gh_test_word(env, box, 1) = stored;
	c->slot = window.base + gh_test_off(box) + 8;
	c->barrier[0] = said;
	c->barrier[1] = late;
	c->nr_barrier = 1;
	c->tiny = tiny;
	gh_mutator_end(mut);
	gh_test_collect(env);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, said));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, stored));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, tiny));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, late));
	c->barrier[1] = said;
	c->nr_barrier = 2;
	gh_test_collect(env);
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, said));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, stored));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, box));
	gh_mutator_destroy(env->heap, mut);
}

/* The heap's goal is kept, and a lease that is due for a cycle waits for it. */
static void gh_mutator_triggers(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	u64 cycles = env->heap->nr_cycles;
	u64 i;

	gh_gc_set_percent(env->heap, 100);
	for (i = 0; i < (12UL << 20) / 64; i++)
		take(test, mut, 0, 0, 64);
	KUNIT_EXPECT_GE(test, env->heap->nr_cycles, cycles + 2);
	KUNIT_EXPECT_LE(test, env->heap->nr_cycles, cycles + 4);
	gh_gc_set_percent(env->heap, -1);
	gh_test_collect(env);
	KUNIT_EXPECT_EQ(test, atomic64_read(&env->heap->heap_live), 0);
	gh_mutator_destroy(env->heap, mut);
}

/* The ceiling holds for leases; what others do not use can be had. */
static void gh_mutator_ceiling(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	struct gh_mutator *mut = new_mutator(test);
	struct gh_refill out;
	u64 held = 0;
	int err, n;

	env->heap->max_heap = 1UL << 20;
	for (n = 0; n < GH_TEST_ROOTS; n++) {
		err = gh_mutator_refill(env->heap, mut, 0, 0, 8192, &out);
		if (err)
			break;
		env->root[n] = take_granted(slots(mut, 0), out.words, 8192);
		held++;
	}
	KUNIT_EXPECT_EQ(test, err, -ENOMEM);
	KUNIT_EXPECT_EQ(test, held, 128);
	memset(env->root, 0, sizeof(env->root));
	KUNIT_EXPECT_EQ(test, gh_mutator_refill(env->heap, mut, 0, 0, 8192,
						&out), 0);
	gh_mutator_destroy(env->heap, mut);
}

/* Words of a thread: references and addresses count, anything else does not. */
static void gh_mutator_words(struct kunit *test)
{
	struct gh_test_env *env = test->priv;
	u64 a = gh_test_new(test, 0, 64), b = gh_test_new(test, 0, 64);
	u64 c = gh_test_new(test, 0, 64), dead = gh_test_new(test, 0, 64);
	u64 words[] = {
		a + 63, window.base + gh_test_off(b) + 8, 0, ~0ULL,
		gh_test_off(c), c + (1ULL << 48), window.base - 1,
		window.base + window.bytes, window.base + window.bytes - 1,
		a - gh_test_off(a) + GH_TEST_ASPACE, a | ((1ULL << 48) - 1),
	};
	struct gh_cycle cycle = {};

	gh_test_mark_begin(env);
	gh_mark_words(&env->heap->mark, words, ARRAY_SIZE(words), &window, 1,
		      GH_ROOT_STACK);
	gh_test_mark_end(env, &cycle);
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, a));
	KUNIT_EXPECT_TRUE(test, gh_test_alive(env, b));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, c));
	KUNIT_EXPECT_FALSE(test, gh_test_alive(env, dead));
	KUNIT_EXPECT_EQ(test, cycle.stack_bytes, sizeof(words));
	KUNIT_EXPECT_EQ(test, cycle.invalid_refs, 0);
}

static struct kunit_case gh_mutator_cases[] = {
	KUNIT_CASE(gh_mutator_arguments),
	KUNIT_CASE(gh_mutator_classes),
	KUNIT_CASE(gh_mutator_distinct),
	KUNIT_CASE(gh_mutator_settle),
	KUNIT_CASE(gh_mutator_untaken),
	KUNIT_CASE(gh_mutator_adapts),
	KUNIT_CASE(gh_mutator_while_marking),
	KUNIT_CASE(gh_mutator_pieces),
	KUNIT_CASE(gh_mutator_takeover),
	KUNIT_CASE(gh_mutator_scribble),
	KUNIT_CASE(gh_mutator_forged),
	KUNIT_CASE(gh_mutator_barrier_buffer),
	KUNIT_CASE(gh_mutator_place),
	KUNIT_CASE(gh_mutator_ended),
	KUNIT_CASE(gh_mutator_triggers),
	KUNIT_CASE(gh_mutator_ceiling),
	KUNIT_CASE(gh_mutator_words),
	{}
};

static struct kunit_suite gh_mutator_suite = {
	.name = "gh_mutator",
	.init = gh_test_env_init,
	.exit = gh_test_env_exit,
	.test_cases = gh_mutator_cases,
};

gh_test_suite(gh_mutator_suite);
