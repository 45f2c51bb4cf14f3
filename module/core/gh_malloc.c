// SPDX-License-Identifier: GPL-2.0
/*
 * Allocation of objects: the mcache of a CPU, the tiny and the large path.
 *
 * An allocation locks the mcache of the CPU it happens to run on and takes
 * slots from the span it holds for the span class; freeindex, alloc_cache and
 * the allocation bits work as in Go: the lowest free slot at or above
 * freeindex is next, and a span is full when freeindex reaches its end. There
 * are no free lists, and nothing is written into free slots. A batch takes free
 * slots that lie side by side as one run, cleared at once.
 *
 *	tiny	no references, less than 16 bytes: several objects share a
 *		16-byte slot, freed when all of them are dead
 *	small	up to 32 KiB: a slot of a span in the mcache
 *	large	a span of its own, from the heap
 *
 * Who allocates holds gh_heap.world, and the collector waits for that at the start
 * and the end of marking, with all others behind it. So a large object's memory is
 * got and cleared before the world is taken, and what it has to pay for by sweeping
 * and marking is paid in steps that let the world go in between.
 *
 * Objects are zero: pages come zeroed from the kernel, and a slot that has
 * been used before is cleared when it is handed out (needzero).
 *
 * The pacer's count of live bytes goes up by all free slots of a span when an
 * mcache takes it, and down by the unused ones when it gives it back, so that
 * it costs something per span, not per object. The trigger is tested then, and
 * for each large object.
 *
 * A batch is registered with the heap from before its first object until its
 * references have reached the program; the collector takes it as roots.
 */
#include "gh_internal.h"
#include "gh_heap.h"
#include "gh_port.h"
#include "gh_sizeclass.h"

/* Memory given back at least when the ceiling is in the way. */
#define GH_CEILING_RELEASE	(1UL << 20)

/* Bytes that are cleared between two looks whether others want the CPU. */
#define FILL_STEP		(256UL << 10)

/* Bytes of a large object that are swept for at a time. */
#define SWEEP_STEP		(1UL << 20)

/* State of one gh_malloc(). */
struct alloc_ctx {
	struct gh_spanclass *sc;
	u64 bytes;
	u32 count;
	bool tiny;			/* may share a slot */
	bool collect;			/* stop when a cycle is due */
	u64 bytes_taken;		/* of spans, to be paid for */
};

/**
 * gh_batch_begin() - protect the objects of a batch from the collector
 * @heap: heap
 * @b: batch of the caller's
 * @refs: room for as many references as will be allocated
 */
void gh_batch_begin(struct gh_heap *heap, struct gh_batch *b, u64 *refs)
{
	b->refs = refs;
	b->nr = 0;
	mutex_lock(&heap->batch_lock);
	list_add(&b->node, &heap->batches);
	mutex_unlock(&heap->batch_lock);
}

/**
 * gh_batch_end() - leave the objects of a batch to the program's roots
 * @heap: heap
 * @b: batch
 */
void gh_batch_end(struct gh_heap *heap, struct gh_batch *b)
{
	mutex_lock(&heap->batch_lock);
	list_del(&b->node);
	mutex_unlock(&heap->batch_lock);
}

static void batch_add(struct gh_heap *heap, struct gh_batch *b, u64 off)
{
	b->refs[b->nr++] = (u64)heap->tag << 48 | off;
}

/* Fill part of a span; it need not be contiguous in the kernel. */
static void fill_range(struct gh_heap *heap, u64 off, u64 bytes, int c)
{
	while (bytes) {
		u64 n = min_t(u64, bytes,
			      GH_PAGE_SIZE - (off & ~GH_PAGE_MASK));

		memset(gh_heap_kaddr(heap, off), c, n);
		off += n;
		bytes -= n;
		if (!(off & (FILL_STEP - 1)))
			cond_resched();
	}
}

/**
 * gh_span_zero() - clear slots of a span
 * @heap: heap
 * @s: span of the caller's
 * @idx: first slot
 * @n: how many
 */
void gh_span_zero(struct gh_heap *heap, struct gh_span *s, u32 idx, u32 n)
{
	u64 first = idx * s->elemsize;

	if (s->npages == 1)
		memset(s->kaddr + first, 0, n * s->elemsize);
	else
		fill_range(heap, s->base + first, n * s->elemsize, 0);
}

/**
 * gh_span_clobber() - fill a dead slot of a span
 * @heap: heap
 * @s: span of the caller's, whose gh_span.needzero will be set
 * @idx: the slot
 */
void gh_span_clobber(struct gh_heap *heap, struct gh_span *s, u32 idx)
{
	fill_range(heap, s->base + idx * s->elemsize, s->elemsize, GH_CLOBBER);
}

/* Reload alloc_cache for freeindex, which is at the start of a word. */
static void refill_alloc_cache(struct gh_heap *heap, struct gh_span *s)
{
	u32 half = !gh_mark_half(heap->sweepgen);

	s->alloc_cache = ~s->bits[s->freeindex / 64].half[half];
}

/*
 * Next run of free slots within a word of the bitmap, at most @max; to be passed
 * by pass_run(). Returns its length, 0 when the span is full.
 */
static u32 next_run(struct gh_heap *heap, struct gh_span *s, u32 max,
		    u32 *first)
{
	u32 idx = s->freeindex;
	u32 bit, run;

	while (!s->alloc_cache) {
		idx = round_down(idx, 64) + 64;
		if (idx >= s->nelems)
			goto full;
		WRITE_ONCE(s->freeindex, idx);
		refill_alloc_cache(heap, s);
	}
	bit = __ffs64(s->alloc_cache);
	idx += bit;
	if (idx >= s->nelems)
		goto full;
	s->alloc_cache >>= bit;
	run = ~s->alloc_cache ? __ffs64(~s->alloc_cache) : 64;
	run = min3(run, max, s->nelems - idx);
	s->alloc_cache = s->alloc_cache >> (run - 1) >> 1;
	*first = idx;
	return run;
full:
	WRITE_ONCE(s->freeindex, s->nelems);
	s->alloc_cache = 0;
	return 0;
}

/*
 * Move freeindex behind a run, whose slots are zero: what stale words on stacks
 * lead to counts as allocated from now on, and may be scanned.
 */
static void pass_run(struct gh_heap *heap, struct gh_span *s, u32 end)
{
	/* Pairs with is_allocated(). */
	smp_store_release(&s->freeindex, end);
	if (end % 64 == 0 && end < s->nelems)
		refill_alloc_cache(heap, s);
}

/* Place of a span class in the mcache; NULL without memory for it. */
static struct gh_span **mcache_slot(struct gh_heap *heap, struct gh_mcache *mc,
				    struct gh_spanclass *sc)
{
	struct gh_span ***block = &mc->spans[sc->id / GH_MCACHE_BLOCK];

	lockdep_assert_held(&mc->lock);
	if (unlikely(!*block)) {
		*block = kcalloc(GH_MCACHE_BLOCK, sizeof(**block),
				 GH_GFP);
		if (!*block)
			return NULL;
		gh_stat_add(heap, meta_bytes,
			    GH_MCACHE_BLOCK * sizeof(**block));
	}
	return &(*block)[sc->id % GH_MCACHE_BLOCK];
}

static s64 free_bytes(const struct gh_span *s)
{
	return (s64)(s->nelems - s->alloc_count) * s->elemsize;
}

/* Exchange the mcache's span, which has no free slot, for one that has. */
static int refill(struct gh_heap *heap, struct gh_mcache *mc,
		  struct alloc_ctx *ctx, struct gh_span **place)
{
	struct gh_span *s;

	if (*place) {
		gh_central_uncache_span(heap, *place);
		*place = NULL;
	}
	gh_sweep_pay(heap, (u64)ctx->sc->npages << GH_PAGE_SHIFT);
	s = gh_central_cache_span(heap, mc, ctx->sc);
	if (IS_ERR(s))
		return PTR_ERR(s);
	*place = s;
	gh_pace_add(heap, free_bytes(s), s->noscan);
	ctx->bytes_taken += free_bytes(s);
	gh_port_event(heap, GH_EVENT_REFILL, s->elemsize, free_bytes(s));
	return 0;
}

/* Take slots of the mcache's span until it is full or the batch complete. */
static void take_slots(struct gh_heap *heap, struct gh_span *s,
		       struct alloc_ctx *ctx, struct gh_batch *b)
{
	bool black = READ_ONCE(heap->phase) != GH_PHASE_OFF;
	u64 elemsize = s->elemsize;
	u32 idx, run, i, n = 0;

	while (b->nr < ctx->count) {
		u64 off;

		run = next_run(heap, s, ctx->count - b->nr, &idx);
		if (!run)
			break;
		off = s->base + idx * elemsize;
		if (s->needzero)
			gh_span_zero(heap, s, idx, run);
		pass_run(heap, s, idx + run);
		/* A marker may look at it from now on. */
		if (unlikely(black))
			gh_mark_black(heap, s, idx / 64,
				      ~0ULL >> (64 - run) << idx % 64);
		for (i = 0; i < run; i++)
			batch_add(heap, b, off + i * elemsize);
		n += run;
	}
	s->alloc_count += n;
	gh_stat_add(heap, mallocs[s->sc->sizeclass], n);
}

static int alloc_small(struct gh_heap *heap, struct gh_mcache *mc,
		       struct alloc_ctx *ctx, struct gh_batch *b)
{
	struct gh_span **place = mcache_slot(heap, mc, ctx->sc);

	if (!place)
		return -ENOMEM;
	for (;;) {
		int err;

		if (*place)
			take_slots(heap, *place, ctx, b);
		if (b->nr == ctx->count)
			return 0;
		if (ctx->collect && gh_gc_triggered(heap))
			return -EAGAIN;
		err = refill(heap, mc, ctx, place);
		if (err)
			return err;
	}
}

/* Alignment of a tiny object in its block, as in Go. */
static u32 tiny_align(u32 bytes)
{
	if (!(bytes & 7))
		return 8;
	if (!(bytes & 3))
		return 4;
	return bytes & 1 ? 1 : 2;
}

/* A new block; keeps the old one if that has more room left. */
static int tiny_block(struct gh_heap *heap, struct gh_mcache *mc,
		      struct alloc_ctx *ctx, struct gh_batch *b)
{
	struct alloc_ctx one = *ctx;
	int err;

	one.count = b->nr + 1;
	err = alloc_small(heap, mc, &one, b);
	if (err)
		return err;
	if (!mc->tiny || ctx->bytes < mc->tiny_used) {
		mc->tiny = b->refs[b->nr - 1] & ((1ULL << 48) - 1);
		mc->tiny_used = ctx->bytes;
	}
	return 0;
}

static int alloc_tiny(struct gh_heap *heap, struct gh_mcache *mc,
		      struct alloc_ctx *ctx, struct gh_batch *b)
{
	u32 align = tiny_align(ctx->bytes);
	u32 shared = 0;
	int err = 0;

	while (b->nr < ctx->count) {
		u32 off = round_up(mc->tiny_used, align);

		if (mc->tiny && off + ctx->bytes <= GH_TINY_SIZE) {
			batch_add(heap, b, mc->tiny + off);
			mc->tiny_used = off + ctx->bytes;
			shared++;
			continue;
		}
		err = tiny_block(heap, mc, ctx, b);
		if (err)
			break;
	}
	gh_stat_add(heap, tiny_allocs, shared);
	return err;
}

/* Sweep as much as is due for a large object, unless a cycle is due. */
static int begin_large(struct gh_heap *heap, struct alloc_ctx *ctx, u64 bytes)
{
	u64 n = 0;
	bool due;

	do {
		n = min_t(u64, n + SWEEP_STEP, bytes);
		if (down_read_killable(&heap->world))
			return -EINTR;
		due = ctx->collect && gh_gc_triggered(heap);
		if (!due)
			gh_sweep_pay(heap, n);
		up_read(&heap->world);
		if (due)
			return -EAGAIN;
	} while (n < bytes);
	return 0;
}

/* A span that has memory, all of it zero, becomes a large object. */
static void finish_large(struct gh_heap *heap, struct gh_span *s,
			 struct gh_batch *b)
{
	gh_heap_publish_span(heap, s);
	if (unlikely(READ_ONCE(heap->phase) != GH_PHASE_OFF))
		gh_mark_black(heap, s, 0, 1);
	s->alloc_count = 1;
	s->alloc_cache = 0;
	/* Pairs with the load in gh_span_slot_allocated(). */
	smp_store_release(&s->freeindex, 1);
	gh_pace_add(heap, s->elemsize, s->noscan);
	gh_stat_add(heap, mallocs[0], 1);
	gh_stat_add(heap, large_alloc_bytes, s->elemsize);
	batch_add(heap, b, s->base);
	gh_central_push_swept(heap, s);
}

/* Allocate as far as it goes. */
static int alloc_large(struct gh_heap *heap, struct alloc_ctx *ctx,
		       struct gh_batch *b)
{
	struct gh_mcache *mc = per_cpu_ptr(heap->mcaches,
					   raw_smp_processor_id());
	u64 npages = DIV_ROUND_UP(ctx->bytes, GH_PAGE_SIZE);

	while (b->nr < ctx->count) {
		struct gh_span *s;
		int err;

		err = begin_large(heap, ctx, npages << GH_PAGE_SHIFT);
		if (err)
			return err;
		s = gh_heap_prepare_span(heap, NULL, ctx->sc, npages);
		if (IS_ERR(s))
			return PTR_ERR(s);
		if (s->needzero)
			fill_range(heap, s->base, s->elemsize, 0);
		if (down_read_killable(&heap->world)) {
			gh_heap_drop_span(heap, s);
			return -EINTR;
		}
		finish_large(heap, s, b);
		gh_pace_pay(heap, &mc->credit, npages << GH_PAGE_SHIFT);
		up_read(&heap->world);
	}
	return 0;
}

/* Likewise. */
static int alloc_cached(struct gh_heap *heap, struct alloc_ctx *ctx,
			struct gh_batch *b)
{
	struct gh_mcache *mc = per_cpu_ptr(heap->mcaches,
					   raw_smp_processor_id());
	int err;

	if (down_read_killable(&heap->world))
		return -EINTR;
	ctx->bytes_taken = 0;
	mutex_lock(&mc->lock);
	if (ctx->tiny)
		err = alloc_tiny(heap, mc, ctx, b);
	else
		err = alloc_small(heap, mc, ctx, b);
	mutex_unlock(&mc->lock);
	gh_pace_pay(heap, &mc->credit, ctx->bytes_taken);
	up_read(&heap->world);
	return err;
}

static int flush_mcaches(struct gh_heap *heap)
{
	if (down_read_killable(&heap->world))
		return -EINTR;
	gh_mcache_flush_all(heap);
	up_read(&heap->world);
	return 0;
}

/* A full collection that leaves no free memory unused. */
static int collect_hard(struct gh_heap *heap)
{
	int err;

	/* A block that is open for tiny objects would live on. */
	err = flush_mcaches(heap);
	if (!err)
		err = gh_port_collect(heap, GH_CYCLE_CEILING);
	if (err)
		return err;
	gh_sweep_all(heap);
	return flush_mcaches(heap);
}

/**
 * gh_malloc_make_room() - do something about an allocation that has failed
 * @heap: heap
 * @bytes: size of the object
 * @why: the error: memory, the ceiling or the end of heap addresses is in the
 *	way, or the caller is being killed
 * @tries: calls made before for the same allocation, 0 at first; moved on
 *
 * First free pages elsewhere in the heap give theirs, then a collection finds
 * more; before that one who wants to know of it is told. If it is the kernel that has no memory, all of them do: a cgroup's limit
 * may have been lowered by far more than the object takes.
 * Context: may sleep; no lock held.
 * Return: 0: try again; else the error to report.
 */
int gh_malloc_make_room(struct gh_heap *heap, u64 bytes, int why, int *tries)
{
	u64 need = why == -ENOMEM ? U64_MAX :
				    max_t(u64, bytes, GH_CEILING_RELEASE);
	int err;

	if (why == -EINTR)
		return why;
	switch ((*tries)++) {
	case 0:
		if (gh_heap_release(heap, need))
			return 0;
		(*tries)++;
		fallthrough;
	case 1:
		gh_port_shortage(heap);
		err = collect_hard(heap);
		gh_heap_release(heap, need);
		return err;
	default:
		return why == -ENOSPC ? -ENOSPC : -ENOMEM;
	}
}

/*
 * Can there ever be memory for an object? Asked before addresses, and tables
 * for them, are got for it.
 */
static bool object_fits(struct gh_heap *heap, u64 bytes)
{
	u64 max = READ_ONCE(heap->max_heap) ?: gh_port_memory();

	return round_up(bytes, GH_PAGE_SIZE) <= max;
}

static int alloc_ctx_init(struct gh_heap *heap, struct alloc_ctx *ctx,
			  u32 layout, u64 bytes, u32 count)
{
	struct gh_layout *l = gh_layout_get(heap, layout);
	u8 sizeclass;

	if (!l)
		return -ENOENT;
	if (!count || count > GH_MAX_BATCH ||
	    bytes > gh_max_object(heap->aspace))
		return -EINVAL;
	if (layout == GH_LAYOUT_STACK && bytes < GH_STACK_MIN)
		return -EINVAL;
	if (bytes > GH_MAX_SMALL_SIZE && !object_fits(heap, bytes))
		return -ENOMEM;
	ctx->bytes = max_t(u64, bytes, 1);
	ctx->count = count;
	ctx->collect = true;
	ctx->tiny = !l->nr_bits && ctx->bytes < GH_TINY_SIZE;
	sizeclass = ctx->tiny ? GH_TINY_CLASS : gh_sizeclass_of(ctx->bytes);
	ctx->sc = gh_spanclass_get(heap, l, sizeclass);
	return PTR_ERR_OR_ZERO(ctx->sc);
}

/**
 * gh_malloc() - allocate objects
 * @heap: heap
 * @layout: id of a layout
 * @bytes: bytes of each object; 0 counts as 1
 * @count: number of objects, 1 to GH_MAX_BATCH
 * @b: batch begun by the caller, with room for @count; filled in
 *
 * Starts a cycle and waits for it when one is due.
 * Context: may sleep; no lock held.
 * Return: 0 with b->nr objects, at least one; without any: -EINVAL (also for a
 * managed stack of less than GH_STACK_MIN bytes), -ENOENT (layout), -ENOMEM, -ENOSPC (heap addresses, span classes), -EINTR if the
 * caller is being killed.
 */
int gh_malloc(struct gh_heap *heap, u32 layout, u64 bytes, u32 count,
	      struct gh_batch *b)
{
	struct alloc_ctx ctx;
	int tries = 0;
	int err;

	err = alloc_ctx_init(heap, &ctx, layout, bytes, count);
	while (!err && b->nr < count) {
		if (ctx.sc->sizeclass)
			err = alloc_cached(heap, &ctx, b);
		else
			err = alloc_large(heap, &ctx, b);
		if (err == -EAGAIN) {
			err = gh_port_collect(heap, GH_CYCLE_HEAP);
			ctx.collect = false;
		} else if (err && !b->nr) {
			err = gh_malloc_make_room(heap, ctx.bytes, err,
						  &tries);
		}
	}
	return b->nr ? 0 : err;
}

static void flush_spans(struct gh_heap *heap, struct gh_mcache *mc)
{
	u32 i, j;

	for (i = 0; i * GH_MCACHE_BLOCK < READ_ONCE(heap->nr_spanclasses);
	     i++) {
		if (!mc->spans[i])
			continue;
		for (j = 0; j < GH_MCACHE_BLOCK; j++) {
			struct gh_span *s = mc->spans[i][j];

			if (!s)
				continue;
			mc->spans[i][j] = NULL;
			gh_pace_add(heap, -free_bytes(s), s->noscan);
			gh_central_uncache_span(heap, s);
		}
	}
}

/**
 * gh_mcache_flush() - give back what the mcache of a CPU holds
 * @heap: heap
 * @cpu: CPU, online or not
 *
 * Context: may sleep; heap->world held.
 */
void gh_mcache_flush(struct gh_heap *heap, int cpu)
{
	struct gh_mcache *mc = per_cpu_ptr(heap->mcaches, cpu);

	mutex_lock(&mc->lock);
	flush_spans(heap, mc);
	mc->tiny = 0;
	mc->tiny_used = 0;
	if (!gh_pagecache_empty(&mc->pages)) {
		mutex_lock(&heap->lock);
		gh_pagecache_flush(&mc->pages, &heap->pages);
		mutex_unlock(&heap->lock);
	}
	mutex_unlock(&mc->lock);
}

/**
 * gh_mcache_begin_all() - let marking begin for all mcaches
 * @heap: heap
 * @m: marker; takes the blocks that tiny objects still go into: all that is in
 *	such a block may be dead, and the next object to come into it will not be
 *
 * Context: may sleep; heap->world held for writing.
 */
void gh_mcache_begin_all(struct gh_heap *heap, struct gh_mark *m)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct gh_mcache *mc = per_cpu_ptr(heap->mcaches, cpu);
		u64 ref = (u64)heap->tag << 48 | mc->tiny;

		if (mc->tiny)
			gh_mark_words(m, &ref, 1, NULL, 0, GH_ROOT_BATCH);
		atomic64_set(&mc->credit, 0);
	}
}

/**
 * gh_mcache_flush_all() - give back what every mcache holds
 * @heap: heap
 *
 * Context: may sleep; heap->world held.
 */
void gh_mcache_flush_all(struct gh_heap *heap)
{
	int cpu;

	for_each_possible_cpu(cpu)
		gh_mcache_flush(heap, cpu);
}
