/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GH_MODEL_H
#define GH_MODEL_H

#include "user.h"

struct gh_mutator;
struct model;

/*
 * struct model_source - where decisions come from
 * @pick: a number below @below; anything will do, so will always 0
 */
struct model_source {
	u64 (*pick)(struct model_source *src, u64 below);
};

struct model *model_create(struct model_source *src);
void model_step(struct model *m);
void model_finish(struct model *m);
void model_report(struct model *m);

#define ASPACE		(4 * GH_ARENA_SIZE)
#define MAX_OBJECTS	60000
#define MAX_BYTES	(40UL << 20)	/* known objects, dead or alive */
#define MAX_ROOTS	1024
#define NR_LAYOUTS	24
#define NR_EDGES	4
#define BAD		0xdead000000000000ULL	/* no heap's tag */

#define check(c)	gh_user_require(c, #c)

struct edge {
	u64 word;
	u32 to;			/* index of an object, or NOWHERE */
	u64 ref;
};

#define NOWHERE		U32_MAX

struct object {
	u64 ref;
	u64 bytes;		/* asked for */
	u64 base;		/* of its slot */
	u64 slot_bytes;
	u64 pattern;
	u64 top;		/* of a stack: its first word, any number */
	u32 layout;
	u32 seen;		/* search that found it last */
	bool tiny;
	u8 nr_edges;
	struct edge edge[NR_EDGES];
};

struct layout {
	u32 id;
	u32 words;
	u64 mask;
	bool stack;
};

#define MODEL_MUTATORS	2
#define MODEL_LEASES	8

/* What a mutator allocates from a lease. */
struct model_lease {
	u64 bytes;
	u32 layout;
};

struct model {
	struct model_source *src;
	struct gh_heap *heap;
	u8 *used;		/* a bit per byte of the heap */
	struct object *obj;
	u32 nr_obj;
	u64 bytes;
	u32 *stack;
	u32 search;
	struct layout layout[NR_LAYOUTS];
	u32 nr_layouts;
	u64 root[MAX_ROOTS];
	u32 root_to[MAX_ROOTS];
	struct gh_user_roots roots;
	struct gh_mutator *mutator[MODEL_MUTATORS];
	struct model_lease lease[MODEL_MUTATORS][MODEL_LEASES];
	u64 cycles;		/* of the heap, as far as the model followed */
	u64 invalid;
	bool failing;		/* memory is made to fail */

	u64 allocated;		/* objects, ever */
	u64 steps;
	u64 refused;
	u64 forced;
};

static inline u64 model_pick(struct model *m, u64 below)
{
	return below > 1 ? m->src->pick(m->src, below) : 0;
}

static inline void model_set_root(struct model *m, u32 i, u64 ref, u32 to)
{
	m->root[i] = ref;
	m->root_to[i] = to;
}

/* model_lease.c */
bool model_granted(struct model *m, u64 base);
u64 model_unused(struct model *m);
void model_take(struct model *m);
void model_end_mutators(struct model *m);

/* model.c, for the others */
u64 *model_word(struct model *m, const struct object *o, u64 i);
bool model_is_ref(struct model *m, const struct object *o, u64 i);
bool model_used(struct model *m, u64 off, u64 n);
bool model_lookup(struct model *m, u64 ref, struct gh_objinfo *info);
void model_verify(struct model *m, const struct object *o);
void model_follow(struct model *m, const struct gh_batch *b, u64 bytes,
		  u32 layout);
void model_check_heap(struct model *m);
void model_full_check(struct model *m);
void model_refusal(struct model *m, const struct layout *l, u64 bytes);

#endif /* GH_MODEL_H */
