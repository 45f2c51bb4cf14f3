// SPDX-License-Identifier: GPL-2.0
/*
 * Mutators of the model: they take slots from leases by the rules, while cycles
 * run in between, and lose their leases with each. What has been granted and not
 * taken looks allocated and is no object; what has been taken is an object like
 * any other.
 */
#include "model.h"
#include "gh_mutator.h"

#define LEASES	MODEL_LEASES

static struct gh_slots *slots_of(struct gh_mutator *mut, u32 lease)
{
	void *page = mut->pages[1 + lease / GH_LEASES_PER_PAGE];

	return page + lease % GH_LEASES_PER_PAGE * GH_LEASE_SLOTS_BYTES;
}

/* Is a slot granted to a mutator that has not taken it? */
bool model_granted(struct model *m, u64 base)
{
	u32 i, k, w;

	for (i = 0; i < MODEL_MUTATORS; i++) {
		struct gh_mutator *mut = m->mutator[i];

		for (k = 0; mut && k < LEASES; k++) {
			struct gh_lease *l = mut->leases[k];

			for (w = 0; l && w < l->nr; w++) {
				struct gh_slots *s = &slots_of(mut, k)[w];
				u64 off = base - (s->base & ((1ULL << 48) - 1));
				u64 n = off / l->sc->elemsize;

				if (n < 64 && !(off % l->sc->elemsize) &&
				    s->mask >> n & 1)
					return true;
			}
		}
	}
	return false;
}

/* Slots that have been granted and not taken. */
u64 model_unused(struct model *m)
{
	u64 unused[GH_NR_CLASSES] = {};
	u64 sum = 0;
	int c;

	mutex_lock(&m->heap->mutators_lock);
	gh_mutator_unused(m->heap, unused);
	mutex_unlock(&m->heap->mutators_lock);
	for (c = 0; c < GH_NR_CLASSES; c++)
		sum += unused[c];
	return sum;
}

static u32 take(struct gh_mutator *mut, u32 lease, u32 max, u64 *refs)
{
	struct gh_lease *l = mut->leases[lease];
	u32 n = 0, w;

	for (w = 0; l && w < l->nr && n < max; w++) {
		struct gh_slots *s = &slots_of(mut, lease)[w];

		for (; s->mask && n < max; s->mask &= s->mask - 1)
			refs[n++] = s->base +
				    __ffs64(s->mask) * l->sc->elemsize;
	}
	return n;
}

static u64 pick_bytes(struct model *m)
{
	switch (model_pick(m, 10)) {
	case 0:
		return 16 + model_pick(m, GH_MAX_SMALL_SIZE - 15);
	case 1:
	case 2:
		return 16 + model_pick(m, 2000);
	default:
		return 16 + model_pick(m, 200);
	}
}

static void refill(struct model *m, u32 which, u32 lease)
{
	struct model_lease *l = &m->lease[which][lease];
	struct model_lease before = *l;
	struct gh_refill out;
	int err;

	if (!l->bytes || !model_pick(m, 20)) {
		l->bytes = pick_bytes(m);
		do {
			l->layout = model_pick(m, m->nr_layouts);
		} while (m->layout[l->layout].stack);
	}
	err = gh_mutator_refill(m->heap, m->mutator[which], lease,
				m->layout[l->layout].id, l->bytes, &out);
	model_follow(m, NULL, 0, 0);
	check(!err || err == -ENOMEM);
	if (err) {
		model_refusal(m, &m->layout[l->layout], l->bytes);
		/* There may have been no memory even to settle the lease. */
		if (m->mutator[which]->leases[lease] &&
		    m->mutator[which]->leases[lease]->nr)
			*l = before;
		return;
	}
	check(out.words && out.words <= GH_LEASE_WORDS);
	check(out.slot_bytes >= l->bytes);
}

static void take_some(struct model *m, u32 which, u32 lease)
{
	struct model_lease *l = &m->lease[which][lease];
	u64 refs[GH_MAX_BATCH];
	struct gh_batch b = { .refs = refs };
	u32 first = m->nr_obj, max;

	max = 1 + model_pick(m, model_pick(m, 10) ? 20 : GH_MAX_BATCH);
	if (m->nr_obj + max > MAX_OBJECTS || m->bytes > MAX_BYTES)
		return;
	b.nr = take(m->mutator[which], lease, max, refs);
	if (!b.nr)
		return;
	model_follow(m, &b, l->bytes, l->layout);
	for (u32 i = 0; i < 1 + b.nr / 8; i++) {
		u32 to = first + model_pick(m, b.nr);

		model_set_root(m, model_pick(m, MAX_ROOTS), m->obj[to].ref, to);
	}
}

/* Take objects from a lease, after a refill if there are none. */
void model_take(struct model *m)
{
	u32 which = model_pick(m, MODEL_MUTATORS);
	u32 lease = model_pick(m, LEASES);
	struct gh_mutator **mut = &m->mutator[which];

	if (*mut && !model_pick(m, 300)) {
		gh_mutator_destroy(m->heap, *mut);
		*mut = NULL;
		memset(m->lease[which], 0, sizeof(m->lease[which]));
	}
	if (!*mut)
		*mut = gh_mutator_create(m->heap, LEASES,
					 &(struct gh_window){});
	check(*mut || m->failing);
	if (!*mut)
		return;
	if (!(*mut)->leases[lease] || !(*mut)->leases[lease]->nr ||
	    !model_pick(m, 8))
		refill(m, which, lease);
	take_some(m, which, lease);
}

/* The mutators end. */
void model_end_mutators(struct model *m)
{
	u32 i;

	for (i = 0; i < MODEL_MUTATORS; i++)
		if (m->mutator[i])
			gh_mutator_destroy(m->heap, m->mutator[i]);
	memset(m->mutator, 0, sizeof(m->mutator));
}
