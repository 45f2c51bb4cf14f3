// SPDX-License-Identifier: GPL-2.0
/*
 * A heap beside a naive model of it.
 *
 * The model is a list of objects with what is in them: a pattern, and a few
 * edges to other objects. It does what a program does: allocates, links,
 * drops, asks; and what an administrator does: sets GOGC, ceilings, takes
 * memory back. It finds what is reachable by a search of its own. At each step
 * it knows what the heap has to be like:
 *
 *   - a new object lies nowhere that another one lies, and is zero;
 *   - what can be reached holds what was put there;
 *   - after a cycle, what cannot be reached is not allocated; objects of a
 *     tiny block live and die with the block;
 *   - slots handed out and freed, bytes marked, bad references found are the
 *     numbers the model has, exactly;
 *   - above the top of a managed stack nothing counts, nor does what has no
 *     tag below it;
 *   - an allocation fails only if the model has made memory fail, or has set a
 *     ceiling that is really in the way, and leaves all the above true;
 *   - gh_check_heap() finds nothing, nor does gh_heap.checkmark, if it is on.
 *
 * Anything else ends the program by gh_user_bail().
 */
#include "model.h"
#include "gh_sizeclass.h"

static u64 model_offset(u64 ref)
{
	return ref & ((1ULL << 48) - 1);
}

u64 *model_word(struct model *m, const struct object *o, u64 i)
{
	return gh_heap_kaddr(m->heap, model_offset(o->ref) + i * 8);
}

bool model_is_ref(struct model *m, const struct object *o, u64 i)
{
	const struct layout *l = &m->layout[o->layout];

	if (l->stack)
		return i && i <= o->top;
	return l->mask >> (i % l->words) & 1;
}

static u64 pattern_word(struct model *m, const struct object *o, u64 i)
{
	u64 x = (o->pattern + i) * 0x9e3779b97f4a7c15ULL;

	if (m->layout[o->layout].stack && !i)
		return o->top;
	return x ^ x >> 31;
}

/* Occupied bytes of the heap. */
bool model_used(struct model *m, u64 off, u64 n)
{
	for (; n && off % 8; off++, n--)
		if (m->used[off / 8] >> (off % 8) & 1)
			return true;
	if (memchr_inv(&m->used[off / 8], 0, n / 8))
		return true;
	for (off += n / 8 * 8, n %= 8; n; off++, n--)
		if (m->used[off / 8] >> (off % 8) & 1)
			return true;
	return false;
}

static void set_used(struct model *m, u64 off, u64 n, bool v)
{
	for (; n && off % 8; off++, n--)
		m->used[off / 8] = (m->used[off / 8] & ~(1 << off % 8)) |
				   v << off % 8;
	memset(&m->used[off / 8], v ? 0xff : 0, n / 8);
	for (off += n / 8 * 8, n %= 8; n; off++, n--)
		m->used[off / 8] = (m->used[off / 8] & ~(1 << off % 8)) |
				   v << off % 8;
}

/* Of a tiny object only its own bytes, else the slot. */
static void object_used(struct model *m, const struct object *o, bool v)
{
	u64 off = o->tiny ? model_offset(o->ref) : o->base;
	u64 n = o->tiny ? o->bytes : o->slot_bytes;

	if (v)
		check(!model_used(m, off, n));
	set_used(m, off, n, v);
}

bool model_lookup(struct model *m, u64 ref, struct gh_objinfo *info)
{
	int err;

	down_read(&m->heap->world);
	err = gh_heap_lookup(m->heap, ref, info);
	up_read(&m->heap->world);
	check(!err || err == -EINVAL);
	return !err;
}

static void fill(struct model *m, struct object *o)
{
	u64 i;

	if (o->tiny || o->bytes < 8) {
		if (model_is_ref(m, o, 0))
			return;
		memset(model_word(m, o, 0), (u8)pattern_word(m, o, 0), o->bytes);
		return;
	}
	for (i = 0; i < o->bytes / 8; i++)
		if (!model_is_ref(m, o, i))
			*model_word(m, o, i) = pattern_word(m, o, i);
}

static u64 expected_word(struct model *m, const struct object *o, u64 i)
{
	int e;

	if (!model_is_ref(m, o, i))
		return pattern_word(m, o, i);
	for (e = 0; e < o->nr_edges; e++)
		if (o->edge[e].word == i)
			return o->edge[e].ref;
	return 0;
}

void model_verify(struct model *m, const struct object *o)
{
	struct gh_objinfo info;
	u64 i;

	check(model_lookup(m, o->ref, &info));
	check(info.base == o->base && info.bytes == o->slot_bytes);
	if (o->tiny || o->bytes < 8) {
		u8 byte = model_is_ref(m, o, 0) ? 0 : pattern_word(m, o, 0);

		check(!memchr_inv(model_word(m, o, 0), byte, o->bytes));
		return;
	}
	for (i = 0; i < o->bytes / 8; i++)
		check(*model_word(m, o, i) == expected_word(m, o, i));
}

/* Search from the roots; counts the bad references on the way. */
static u64 search(struct model *m)
{
	u64 bad = 0;
	u32 n = 0, i;
	int e;

	m->search++;
	for (i = 0; i < MAX_ROOTS; i++) {
		u32 to = m->root_to[i];

		if (to == NOWHERE) {
			bad += !!m->root[i];
		} else if (m->obj[to].seen != m->search) {
			m->obj[to].seen = m->search;
			m->stack[n++] = to;
		}
	}
	while (n) {
		struct object *o = &m->obj[m->stack[--n]];

		for (e = 0; e < o->nr_edges; e++) {
			u32 to = o->edge[e].to;

			if (to == NOWHERE) {
				bad += o->edge[e].ref &&
				       !m->layout[o->layout].stack;
			} else if (m->obj[to].seen != m->search) {
				m->obj[to].seen = m->search;
				m->stack[n++] = to;
			}
		}
	}
	return bad;
}

/* Take what the search did not find out of the list; returns how many. */
static u32 bury(struct model *m, struct object *dead)
{
	u32 *moved = m->stack;
	u32 i, n = 0, nr_dead = 0;
	int e;

	for (i = 0; i < m->nr_obj; i++) {
		struct object *o = &m->obj[i];

		if (o->seen != m->search) {
			object_used(m, o, false);
			m->bytes -= o->slot_bytes;
			dead[nr_dead++] = *o;
			continue;
		}
		moved[i] = n;
		m->obj[n++] = *o;
	}
	m->nr_obj = n;
	for (i = 0; i < n; i++)
		for (e = 0; e < m->obj[i].nr_edges; e++)
			if (m->obj[i].edge[e].to != NOWHERE)
				m->obj[i].edge[e].to =
					moved[m->obj[i].edge[e].to];
	for (i = 0; i < MAX_ROOTS; i++)
		if (m->root_to[i] != NOWHERE)
			m->root_to[i] = moved[m->root_to[i]];
	return nr_dead;
}

/* A number of slots in use, or more than there are. */
static u64 pick_top(struct model *m, u32 layout, u64 bytes)
{
	if (!m->layout[layout].stack)
		return 0;
	if (model_pick(m, 8))
		return model_pick(m, bytes / 8);
	return bytes / 8 + (model_pick(m, 1ULL << 32) << 29);
}

static void add_object(struct model *m, u64 ref, u64 bytes, u32 layout)
{
	struct object *o = &m->obj[m->nr_obj];
	struct gh_objinfo info;
	u64 i;

	check(m->nr_obj < MAX_OBJECTS);
	check(model_lookup(m, ref, &info));
	*o = (struct object) {
		.ref = ref,
		.bytes = bytes,
		.base = info.base,
		.slot_bytes = info.bytes,
		.pattern = m->allocated++ << 20,
		.top = pick_top(m, layout, bytes),
		.layout = layout,
		.tiny = !m->layout[layout].mask && bytes < GH_TINY_SIZE,
	};
	check(o->tiny || model_offset(ref) == info.base);
	check(model_offset(ref) + bytes <= info.base + info.bytes);
	object_used(m, o, true);
	if (o->tiny) {
		check(!memchr_inv(model_word(m, o, 0), 0, bytes));
	} else {
		for (i = 0; i < info.bytes / 8; i++)
			check(!*model_word(m, o, i));
	}
	fill(m, o);
	m->bytes += o->slot_bytes;
	m->nr_obj++;
}

/*
 * Follow the heap after an operation in which cycles may have run, and which
 * has allocated @b. What @b holds was a root all the time.
 */
void model_follow(struct model *m, const struct gh_batch *b, u64 bytes,
		   u32 layout)
{
	u64 ran = m->heap->nr_cycles - m->cycles;
	struct object *dead = NULL;
	struct gh_objinfo info;
	u32 nr_dead = 0, i;

	if (ran) {
		dead = malloc(m->nr_obj * sizeof(*dead) + 1);
		check(dead);
		m->invalid += ran * search(m);
		check(m->heap->invalid_refs == m->invalid);
		nr_dead = bury(m, dead);
		m->cycles += ran;
	}
	for (i = 0; b && i < b->nr; i++)
		add_object(m, b->refs[i], bytes, layout);
	/*
	 * Where an object died, either nothing is allocated or a known one; but
	 * for blocks that were still open for tiny objects.
	 */
	for (i = 0; i < nr_dead; i++)
		if (!dead[i].tiny && model_lookup(m, dead[i].ref, &info))
			check(model_used(m, info.base, info.bytes) ||
			      model_granted(m, info.base));
	free(dead);
}

static s64 sum_classes(struct model *m, bool frees)
{
	s64 sum = 0;
	int c;

	for (c = 0; c < GH_NR_CLASSES; c++)
		sum += frees ? gh_user_stat(m->heap, frees[c]) :
			       gh_user_stat(m->heap, mallocs[c]);
	return sum;
}

static int by_base(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* Slots and their bytes of all objects known, after a full collection. */
static void verify_slots(struct model *m)
{
	u64 *tiny = malloc(m->nr_obj * sizeof(*tiny) + 1);
	u64 slots = 0, bytes = 0;
	u32 n = 0, i;

	check(tiny);
	for (i = 0; i < m->nr_obj; i++) {
		if (m->obj[i].tiny) {
			tiny[n++] = m->obj[i].base;
		} else {
			slots++;
			bytes += m->obj[i].slot_bytes;
		}
	}
	qsort(tiny, n, sizeof(*tiny), by_base);
	for (i = 0; i < n; i++) {
		if (!i || tiny[i] != tiny[i - 1]) {
			slots++;
			bytes += GH_TINY_SIZE;
		}
	}
	free(tiny);
	check(sum_classes(m, false) - sum_classes(m, true) == slots);
	check(m->heap->heap_marked == bytes);
	check(atomic64_read(&m->heap->heap_live) == bytes);
	check(gh_user_stat(m->heap, large_alloc_bytes) -
	      gh_user_stat(m->heap, large_free_bytes) <= bytes);
}

void model_check_heap(struct model *m)
{
	const char *why = gh_check_heap(m->heap);

	gh_user_require(!why, why);
	check(!m->heap->check_failures && !m->heap->check_doubts);
	check(sum_classes(m, false) + gh_user_stat(m->heap, tiny_allocs) ==
	      m->allocated + model_unused(m));
}

/* A full collection, and everything that must be so after it. */
void model_full_check(struct model *m)
{
	u32 i;

	/* No block open for tiny objects, which would live on. */
	down_read(&m->heap->world);
	gh_mcache_flush_all(m->heap);
	up_read(&m->heap->world);
	gh_gc_mark_cycle(m->heap, GH_CYCLE_FORCED);
	m->forced++;
	model_follow(m, NULL, 0, 0);
	gh_gc_sweep(m->heap);
	verify_slots(m);
	model_check_heap(m);
	for (i = 0; i < m->nr_obj; i++)
		model_verify(m, &m->obj[i]);
	check(m->heap->nr_forced == m->forced);
}

/* Was the ceiling really in the way of @bytes? */
void model_refusal(struct model *m, const struct layout *l, u64 bytes)
{
	u64 max = m->heap->max_heap, need;
	u8 class = gh_sizeclass_of(max_t(u64, bytes, 1));

	m->refused++;
	if (m->failing)
		return;
	check(max);
	if (!l->mask && bytes < GH_TINY_SIZE)
		class = GH_TINY_CLASS;
	need = class ? gh_sizeclasses[class].npages * GH_PAGE_SIZE :
		       round_up(bytes, GH_PAGE_SIZE);
	model_full_check(m);
	down_read(&m->heap->world);
	gh_mcache_flush_all(m->heap);
	up_read(&m->heap->world);
	gh_heap_release(m->heap, U64_MAX);
	check(atomic64_read(&m->heap->mapped) + need > max);
}

/**
 * model_create() - make a heap and its model
 * @src: where decisions come from
 *
 * There is one at a time. Its tables are kept for the next one, as the fuzzer
 * makes many: a model that ends leaves no byte of the heap used.
 */
struct model *model_create(struct model_source *src)
{
	static struct model model;
	struct model *m = &model;
	u8 *used = model.used;
	struct object *obj = model.obj;
	u32 *stack = model.stack;
	u32 i;

	memset(m, 0, sizeof(*m));
	m->src = src;
	m->used = used ?: calloc(ASPACE / 8, 1);
	m->obj = obj ?: malloc(MAX_OBJECTS * sizeof(*m->obj));
	m->stack = stack ?: malloc(MAX_OBJECTS * sizeof(*m->stack));
	gh_user_cpu = 0;
	m->heap = gh_user_heap(ASPACE, 0);
	check(m->used && m->obj && m->stack && m->heap);
	m->layout[GH_LAYOUT_NOSCAN].words = 1;
	m->layout[GH_LAYOUT_STACK] = (struct layout) {
		.id = GH_LAYOUT_STACK,
		.words = 1,
		.mask = 1,
		.stack = true,
	};
	m->nr_layouts = 2;
	for (i = 0; i < MAX_ROOTS; i++)
		m->root_to[i] = NOWHERE;
	m->roots.refs = m->root;
	m->roots.nr = MAX_ROOTS;
	gh_user_set_roots(m->heap, &m->roots);
	return m;
}

/**
 * model_finish() - check all once more, drop everything, check that it is gone
 * @m: model
 */
void model_finish(struct model *m)
{
	u32 i;

	gh_user_fail_one_in(0, 0);
	m->failing = false;
	model_full_check(m);
	model_end_mutators(m);
	model_check_heap(m);
	for (i = 0; i < MAX_ROOTS; i++)
		model_set_root(m, i, 0, NOWHERE);
	model_full_check(m);
	check(!m->nr_obj && !m->bytes);
	check(!gh_user_stat(m->heap, inuse_pages));
	gh_heap_release(m->heap, U64_MAX);
	check(!atomic64_read(&m->heap->mapped));
	gh_user_set_roots(m->heap, NULL);
	gh_heap_destroy(m->heap);
}

/**
 * model_report() - say how much has been done
 * @m: model
 */
void model_report(struct model *m)
{
	printf("# %llu steps, %llu objects, %llu cycles, %llu KiB known, %llu refused, %llu allocations made to fail\n",
	       m->steps, m->allocated, m->heap->nr_cycles, m->bytes >> 10,
	       m->refused, gh_user_failures());
}
