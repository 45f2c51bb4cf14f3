// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The inline functions of libgoheap.h as functions that can be called, for
 * other languages and for compilers that do not inline.
 */
#include "libgoheap.h"

extern inline void *goheap_ptr(const struct goheap *h, goheap_ref ref);
extern inline goheap_ref goheap_ref_of(const struct goheap *h, const void *ptr);
extern inline void goheap_store(struct goheap *h, goheap_ref *slot,
				goheap_ref ref);
extern inline goheap_ref goheap_load(const struct goheap *h,
				     const goheap_ref *slot);
extern inline uint64_t goheap_cache_key(int layout, size_t bytes);
extern inline struct goheap_cache *goheap_cache_first(struct goheap_thread *t,
						      uint64_t key);
extern inline int goheap_is_ours(const struct goheap_thread *t, goheap_ref ref);
extern inline int goheap_cache_take(struct goheap_thread *t,
				    struct goheap_cache *cache,
				    goheap_ref *ref);
extern inline int goheap_is_tiny(int layout, size_t bytes);
extern inline uint32_t goheap_tiny_offset(const struct goheap_thread *t,
					  size_t bytes);
extern inline int goheap_tiny_take(struct goheap_thread *t, size_t bytes,
				   goheap_ref *ref);
extern inline int goheap_stack_switch(struct goheap *h);
extern inline goheap_ref goheap_new(struct goheap *h, int layout, size_t bytes);
extern inline goheap_frame goheap_frame_begin(struct goheap *h);
extern inline void goheap_frame_end(struct goheap *h, goheap_frame frame);
extern inline void goheap__drop(struct goheap *h, struct goheap_stack *stack,
				uint64_t from, uint64_t to);
extern inline int goheap_hstack_push(struct goheap_hstack *s, goheap_ref ref);
extern inline goheap_ref goheap_hstack_pop(struct goheap_hstack *s);
extern inline goheap_ref goheap_hstack_get(const struct goheap_hstack *s,
					   uint64_t i);
extern inline int goheap_hstack_set(struct goheap_hstack *s, uint64_t i,
				    goheap_ref ref);
extern inline goheap_ref goheap_hstack_peek(const struct goheap_hstack *s);
extern inline uint64_t goheap_hstack_depth(const struct goheap_hstack *s);
extern inline size_t goheap_hstack_size(const struct goheap_hstack *s);
extern inline goheap_frame
goheap_hstack_frame_begin(const struct goheap_hstack *s);
extern inline void goheap_hstack_frame_end(struct goheap_hstack *s,
					   goheap_frame frame);
extern inline goheap_ref *goheap_var(struct goheap *h, goheap_ref ref);
extern inline goheap_ref goheap_local(struct goheap *h, goheap_ref ref);
