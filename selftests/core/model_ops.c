// SPDX-License-Identifier: GPL-2.0
/*
 * What the model does, one operation at a time; see model.c.
 */
#include "model.h"

static u64 pick_bytes(struct model *m, u32 layout)
{
	u64 n = model_pick(m, 100);

	if (m->layout[layout].stack)
		return GH_STACK_MIN + model_pick(m, n < 90 ? 4096 : 60000);
	if (n < 15)
		return model_pick(m, GH_TINY_SIZE);
	if (n < 75)
		return 1 + model_pick(m, 256);
	if (n < 92)
		return 1 + model_pick(m, 4096);
	if (n < 99)
		return 1 + model_pick(m, 40000);
	return 1 + model_pick(m, 1 << 20);
}

static u32 pick_count(struct model *m, u64 bytes)
{
	u32 n = model_pick(m, 10) ? 1 + model_pick(m, 4) : 1 + model_pick(m, GH_MAX_BATCH);

	if (bytes > 2048)
		n = 1 + n % 4;
	else if (bytes > 256)
		n = 1 + n % 64;
	return bytes > 65536 ? 1 : n;
}

static void do_malloc(struct model *m)
{
	u32 layout = model_pick(m, m->nr_layouts);
	u64 bytes = pick_bytes(m, layout);
	u32 count = pick_count(m, bytes);
	u64 refs[GH_MAX_BATCH];
	u32 first, i;
	struct gh_batch b;
	int err;

	if (m->nr_obj + count > MAX_OBJECTS || m->bytes > MAX_BYTES)
		return;
	gh_batch_begin(m->heap, &b, refs);
	err = gh_malloc(m->heap, m->layout[layout].id, bytes, count, &b);
	check(err ? !b.nr : b.nr && b.nr <= count);
	model_follow(m, &b, max_t(u64, bytes, 1), layout);
	gh_batch_end(m->heap, &b);
	if (err) {
		check(err == -ENOMEM);
		model_refusal(m, &m->layout[layout], bytes);
		return;
	}
	first = m->nr_obj - b.nr;
	for (i = 0; i < 1 + b.nr / 8; i++) {
		u32 to = first + model_pick(m, b.nr);

		model_set_root(m, model_pick(m, MAX_ROOTS), m->obj[to].ref, to);
	}
}

static void do_link(struct model *m)
{
	struct object *from, *to;
	struct edge *e;
	u64 i, word;

	if (!m->nr_obj)
		return;
	from = &m->obj[model_pick(m, m->nr_obj)];
	to = &m->obj[model_pick(m, m->nr_obj)];
	if (from->bytes < 8)
		return;
	word = model_pick(m, from->bytes / 8);
	if (!model_is_ref(m, from, word))
		return;
	for (i = 0; i < from->nr_edges; i++)
		if (from->edge[i].word == word)
			break;
	if (i == NR_EDGES)
		return;
	if (i == from->nr_edges)
		from->nr_edges++;
	e = &from->edge[i];
	e->word = word;
	e->ref = to->ref + model_pick(m, to->bytes);
	e->to = to - m->obj;
	if (!model_pick(m, 50)) {
		e->ref = BAD + model_pick(m, 1 << 20);
		e->to = NOWHERE;
	}
	*model_word(m, from, word) = e->ref;
}

static void do_unlink(struct model *m)
{
	struct object *o;

	if (!m->nr_obj)
		return;
	o = &m->obj[model_pick(m, m->nr_obj)];
	if (o->nr_edges)
		*model_word(m, o, o->edge[--o->nr_edges].word) = 0;
}

static void do_root(struct model *m)
{
	u32 i = model_pick(m, MAX_ROOTS);
	u64 what = model_pick(m, 100);
	u32 to;

	if (what < 60 || !m->nr_obj) {
		model_set_root(m, i, 0, NOWHERE);
	} else if (what < 99) {
		to = model_pick(m, m->nr_obj);
		model_set_root(m, i, m->obj[to].ref + model_pick(m, m->obj[to].bytes), to);
	} else {
		model_set_root(m, i, BAD + what, NOWHERE);
	}
}

static void do_drop_many(struct model *m)
{
	u32 first = model_pick(m, MAX_ROOTS), n = model_pick(m, MAX_ROOTS);
	u32 i;

	for (i = first; i < MAX_ROOTS && i < first + n; i++)
		model_set_root(m, i, 0, NOWHERE);
}

static void do_lookup(struct model *m)
{
	struct gh_objinfo info;

	if (m->nr_obj)
		model_verify(m, &m->obj[model_pick(m, m->nr_obj)]);
	/* Anywhere: what is allocated is known. */
	if (model_lookup(m, (u64)GH_USER_TAG << 48 | model_pick(m, ASPACE), &info) &&
	    info.bytes > GH_TINY_SIZE)
		check(model_used(m, info.base, info.bytes) ||
		      model_granted(m, info.base));
	check(!model_lookup(m, model_pick(m, ASPACE), &info));
}

static void do_collect(struct model *m)
{
	switch (model_pick(m, 5)) {
	case 0:
		model_full_check(m);
		break;
	case 1:
		gh_gc_mark_cycle(m->heap, GH_CYCLE_HEAP);
		model_follow(m, NULL, 0, 0);
		model_check_heap(m);
		break;
	case 2:
		gh_gc_sweep(m->heap);
		model_check_heap(m);
		break;
	case 3:
		gh_heap_release(m->heap, model_pick(m, 8UL << 20));
		model_check_heap(m);
		break;
	case 4:
		gh_scavenge_run(m->heap);
		model_check_heap(m);
		break;
	}
}

static void do_flush(struct model *m)
{
	down_read(&m->heap->world);
	gh_mcache_flush(m->heap, model_pick(m, NR_CPUS));
	up_read(&m->heap->world);
}

static void do_layout(struct model *m)
{
	struct layout *l = &m->layout[m->nr_layouts];
	u64 mask;
	int id;

	if (m->nr_layouts == NR_LAYOUTS)
		return;
	l->words = 1 + model_pick(m, model_pick(m, 4) ? 8 : 64);
	mask = model_pick(m, 1ULL << 32) | model_pick(m, 1ULL << 32) << 32;
	if (l->words < 64)
		mask &= (1ULL << l->words) - 1;
	l->mask = mask;
	id = gh_layout_register(m->heap, l->words * 8, l->words, &mask);
	check(id >= 0 || (id == -ENOMEM && m->failing));
	if (id < 0)
		return;
	check(!mask == !id);
	l->id = id;
	m->nr_layouts++;
}

static void do_settings(struct model *m)
{
	static const s64 percent[] = { 100, -1, 10, 50, 400 };

	switch (model_pick(m, 4)) {
	case 0:
		gh_gc_set_percent(m->heap, percent[model_pick(m, 5)]);
		break;
	case 1:
		gh_gc_set_limit(m->heap, model_pick(m, 3) ? S64_MAX :
				(s64)model_pick(m, 64UL << 20));
		break;
	case 2:
		m->heap->max_heap = 0;
		if (!model_pick(m, 2))
			m->heap->max_heap = atomic64_read(&m->heap->mapped) +
					    model_pick(m, 4UL << 20);
		break;
	case 3:
		m->failing = !model_pick(m, 3);
		gh_user_fail_one_in(m->failing ? 2 + model_pick(m, 100) : 0,
				    model_pick(m, 1UL << 31));
		break;
	}
}

/**
 * model_step() - do one operation
 * @m: model
 */
void model_step(struct model *m)
{
	u64 what = model_pick(m, 10000);

	if (!model_pick(m, 8))
		gh_user_cpu = model_pick(m, NR_CPUS);
	if (what < 1300)
		do_malloc(m);
	else if (what < 2500)
		model_take(m);
	else if (what < 6500)
		do_link(m);
	else if (what < 7500)
		do_unlink(m);
	else if (what < 8500)
		do_root(m);
	else if (what < 9860)
		do_lookup(m);
	else if (what < 9890)
		do_layout(m);
	else if (what < 9940)
		do_settings(m);
	else if (what < 9975)
		do_flush(m);
	else if (what < 9980)
		do_drop_many(m);
	else
		do_collect(m);
	m->steps++;
}
