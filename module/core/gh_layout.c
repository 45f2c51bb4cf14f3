// SPDX-License-Identifier: GPL-2.0
/*
 * Layouts and span classes: which words of an object hold references.
 *
 * A program registers a layout: an element size and a mask with a bit per
 * word. An object is one element or an array of them, so the mask repeats. A
 * span holds objects of one size class and one layout (D5); therefore the
 * marker needs neither a header in the object, which a program could forge,
 * nor a bitmap per object.
 *
 * What counts for a span is the mask of a whole slot: the layout's mask,
 * repeated and cut to the slot. Layouts that give the same slot mask share the
 * span class, so that an array of three pairs and a struct of six references
 * share spans. Words of a slot behind the object's end are zero unless the
 * program wrote there, and zero is nil.
 *
 * Two layouts are there from the beginning: that of objects without references,
 * and that of managed stacks. The objects of the latter say themselves how much
 * of them is in use, so nothing shares their span classes, and no program can
 * register the layout: an array of references is another one.
 *
 * Both tables only grow. An entry is made under gh_heap.lock, is constant from
 * then on and lives as long as the heap; readers find it without a lock
 * through a pointer that is published last.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_sizeclass.h"

static bool mask_bit(const u64 *mask, u32 bit)
{
	return mask[bit / 64] >> (bit % 64) & 1;
}

/* Number of bits up to the last one set, or -EINVAL if one lies beyond. */
static s64 mask_length(const u64 *mask, u32 nr_bits)
{
	u32 nr_words = DIV_ROUND_UP(nr_bits, 64);
	u32 w = nr_words;
	u32 len;

	while (w && !mask[w - 1])
		w--;
	if (!w)
		return 0;
	len = (w - 1) * 64 + fls64(mask[w - 1]);
	if (len > nr_bits)
		return -EINVAL;
	return len;
}

/* One that a program has registered. */
static struct gh_layout *layout_find(struct gh_heap *heap, u64 elem_size,
				     u32 nr_bits, const u64 *mask)
{
	u32 i;

	lockdep_assert_held(&heap->lock);
	for (i = GH_LAYOUT_STACK + 1; i < heap->nr_layouts; i++) {
		struct gh_layout *l = heap->layouts[i];

		if (l->elem_size == elem_size && l->nr_bits == nr_bits &&
		    !memcmp(l->mask, mask, DIV_ROUND_UP(nr_bits, 64) * 8))
			return l;
	}
	return NULL;
}

/* The mask of 64 words of an array, or 0 if elements do not fit evenly. */
static u64 layout_tile(const struct gh_layout *l)
{
	u64 words = l->elem_size / 8;
	u64 tile = 0;
	u32 i;

	if (!l->nr_bits || words > 64 || 64 % words)
		return 0;
	for (i = 0; i < 64; i += words)
		tile |= l->mask[0] << i;
	return tile;
}

static struct gh_layout *layout_add(struct gh_heap *heap, u64 elem_size,
				    u32 nr_bits, const u64 *mask)
{
	u32 nr_words = DIV_ROUND_UP(nr_bits, 64);
	struct gh_layout *l;

	lockdep_assert_held(&heap->lock);
	if (heap->nr_layouts == GH_MAX_LAYOUTS)
		return ERR_PTR(-ENOSPC);
	l = kvzalloc(struct_size(l, mask, nr_words), GH_GFP);
	if (!l)
		return ERR_PTR(-ENOMEM);
	l->id = heap->nr_layouts;
	l->elem_size = elem_size;
	l->nr_bits = nr_bits;
	memcpy(l->mask, mask, nr_words * sizeof(u64));
	l->tile = layout_tile(l);
	gh_stat_add(heap, meta_bytes, struct_size(l, mask, nr_words));

	heap->layouts[l->id] = l;
	/* Pairs with the load in gh_layout_get(). */
	smp_store_release(&heap->nr_layouts, l->id + 1);
	return l;
}

/**
 * gh_layout_register() - find or make a layout
 * @heap: heap
 * @elem_size: bytes of an element, a multiple of 8, 0 < size <=
 *	GH_MAX_ELEM_SIZE
 * @nr_bits: bits in @mask, at most GH_MAX_LAYOUT_BITS and elem_size / 8
 * @mask: whole words; bits beyond @nr_bits must be zero
 *
 * Context: may sleep.
 * Return: the layout's id; -EINVAL for bad arguments, -ENOSPC with
 * GH_MAX_LAYOUTS layouts, -ENOMEM.
 */
int gh_layout_register(struct gh_heap *heap, u64 elem_size, u32 nr_bits,
		       const u64 *mask)
{
	struct gh_layout *l;
	s64 len;

	if (!elem_size || elem_size % 8 || elem_size > GH_MAX_ELEM_SIZE)
		return -EINVAL;
	if (nr_bits > GH_MAX_LAYOUT_BITS || nr_bits > elem_size / 8)
		return -EINVAL;
	len = mask_length(mask, nr_bits);
	if (len <= 0)
		return len;

	mutex_lock(&heap->lock);
	l = layout_find(heap, elem_size, len, mask);
	if (!l)
		l = layout_add(heap, elem_size, len, mask);
	mutex_unlock(&heap->lock);
	return IS_ERR(l) ? PTR_ERR(l) : l->id;
}

/**
 * gh_layout_init() - give a new heap the layouts that every heap has
 * @heap: heap being made
 *
 * Return: 0 or -ENOMEM.
 */
int gh_layout_init(struct gh_heap *heap)
{
	const u64 mask = 1;
	struct gh_layout *l;

	heap->layouts = kvcalloc(GH_MAX_LAYOUTS, sizeof(*heap->layouts),
				 GH_GFP);
	heap->spanclasses = kvcalloc(GH_MAX_SPANCLASSES,
				     sizeof(*heap->spanclasses),
				     GH_GFP);
	if (!heap->layouts || !heap->spanclasses)
		return -ENOMEM;
	gh_stat_add(heap, meta_bytes, GH_MAX_LAYOUTS * sizeof(void *) +
		    GH_MAX_SPANCLASSES * sizeof(void *));
	mutex_lock(&heap->lock);
	l = layout_add(heap, 8, 0, NULL);
	if (!IS_ERR(l))
		l = layout_add(heap, 8, 1, &mask);
	mutex_unlock(&heap->lock);
	return PTR_ERR_OR_ZERO(l);
}

/**
 * gh_layout_get() - layout by id
 * @heap: heap
 * @id: any number
 *
 * Return: the layout, or NULL if there is none.
 */
struct gh_layout *gh_layout_get(struct gh_heap *heap, u32 id)
{
	/* Pairs with the store in layout_add(). */
	if (id >= smp_load_acquire(&heap->nr_layouts))
		return NULL;
	return heap->layouts[array_index_nospec(id, GH_MAX_LAYOUTS)];
}

/* Fill the mask of a slot; returns the words up to the last reference. */
static u32 slot_mask(const struct gh_layout *l, u32 slot_words, u64 *mask)
{
	u64 elem_words = l->elem_size / 8;
	u32 w, last = 0;

	for (w = 0; w < slot_words; w++) {
		u64 bit = w % elem_words;

		if (bit < l->nr_bits && mask_bit(l->mask, bit)) {
			mask[w / 64] |= 1ULL << (w % 64);
			last = w + 1;
		}
	}
	return last;
}

static struct gh_spanclass *spanclass_new(struct gh_heap *heap,
					  struct gh_layout *l, u8 sizeclass)
{
	const struct gh_sizeclass *c = &gh_sizeclasses[sizeclass];
	u32 mask_words = DIV_ROUND_UP(c->size / 8, 64);
	struct gh_spanclass *sc;

	sc = kvzalloc(sizeof(*sc) + mask_words * sizeof(u64),
		      GH_GFP);
	if (!sc)
		return NULL;
	sc->sizeclass = sizeclass;
	sc->layout = l;
	sc->stack = l->id == GH_LAYOUT_STACK;
	sc->npages = c->npages;
	sc->elemsize = c->size;
	sc->divmul = c->divmul;
	sc->nelems = sizeclass ? c->nelems : 1;
	sc->nr_words = DIV_ROUND_UP(sc->nelems, 64);
	gh_central_init(&sc->central);
	if (sizeclass) {
		sc->mask = (u64 *)(sc + 1);
		sc->ptr_words = slot_mask(l, c->size / 8, sc->mask);
		sc->mask0 = sc->mask[0];
	} else {
		sc->ptr_words = l->nr_bits;
	}
	gh_stat_add(heap, meta_bytes, sizeof(*sc) + mask_words * sizeof(u64));
	return sc;
}

/* Does an existing span class scan a slot in the same way? */
static bool spanclass_same(const struct gh_spanclass *a,
			   const struct gh_spanclass *b)
{
	if (a->ptr_words != b->ptr_words || a->stack != b->stack)
		return false;
	if (!a->ptr_words)
		return true;
	return a->mask && b->mask &&
	       !memcmp(a->mask, b->mask, DIV_ROUND_UP(a->ptr_words, 64) * 8);
}

static struct gh_spanclass *spanclass_share(struct gh_heap *heap,
					    struct gh_spanclass *sc)
{
	struct gh_spanclass *old;

	lockdep_assert_held(&heap->lock);
	for (old = heap->by_size[sc->sizeclass]; old; old = old->same_size)
		if (spanclass_same(old, sc))
			return old;
	return NULL;
}

static struct gh_spanclass *spanclass_make(struct gh_heap *heap,
					   struct gh_layout *l, u8 sizeclass)
{
	struct gh_spanclass *sc, *old;
	u32 max = GH_MAX_SPANCLASSES;

	lockdep_assert_held(&heap->lock);
	sc = spanclass_new(heap, l, sizeclass);
	if (!sc)
		return ERR_PTR(-ENOMEM);
	old = spanclass_share(heap, sc);
	/* The last ones are for objects without references. */
	if (l->id)
		max -= GH_NR_CLASSES;
	if (old || heap->nr_spanclasses >= max) {
		gh_stat_add(heap, meta_bytes, -(s64)(sizeof(*sc) +
			    DIV_ROUND_UP(sc->elemsize / 8, 64) * sizeof(u64)));
		kvfree(sc);
		return old ?: ERR_PTR(-ENOSPC);
	}
	sc->id = heap->nr_spanclasses;
	sc->same_size = heap->by_size[sizeclass];
	heap->by_size[sizeclass] = sc;
	heap->spanclasses[sc->id] = sc;
	/* Pairs with the load in gh_sweep_all(). */
	smp_store_release(&heap->nr_spanclasses, sc->id + 1);
	return sc;
}

/**
 * gh_spanclass_get() - span class of a layout and a size class
 * @heap: heap
 * @layout: one of its layouts
 * @sizeclass: size class, 0 for large objects
 *
 * Context: may sleep when it is asked for the first time.
 * Return: the span class; ERR_PTR(-ENOMEM), ERR_PTR(-ENOSPC).
 */
struct gh_spanclass *gh_spanclass_get(struct gh_heap *heap,
				      struct gh_layout *layout, u8 sizeclass)
{
	struct gh_spanclass *sc;

	/* Pairs with the store below. */
	sc = smp_load_acquire(&layout->classes[sizeclass]);
	if (likely(sc))
		return sc;

	mutex_lock(&heap->lock);
	sc = layout->classes[sizeclass];
	if (!sc) {
		sc = spanclass_make(heap, layout, sizeclass);
		if (!IS_ERR(sc))
			/* Pairs with the load above. */
			smp_store_release(&layout->classes[sizeclass], sc);
	}
	mutex_unlock(&heap->lock);
	return sc;
}

/**
 * gh_layout_destroy_all() - free both tables of a heap without spans
 * @heap: heap that nothing uses any more, or that was made in part
 */
void gh_layout_destroy_all(struct gh_heap *heap)
{
	u32 i;

	for (i = 0; i < heap->nr_spanclasses; i++)
		kvfree(heap->spanclasses[i]);
	for (i = 0; i < heap->nr_layouts; i++)
		kvfree(heap->layouts[i]);
	kvfree(heap->spanclasses);
	kvfree(heap->layouts);
}
