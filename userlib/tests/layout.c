// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Masks, references, and the table of caches.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "tap.h"

struct record {
	uint64_t number;
	goheap_ref one;
	uint32_t small[2];
	goheap_ref many[3];
};

void test_mask(void)
{
	uint64_t mask[3] = { 0 };

	EXPECT(gh_mask_set(mask, 48, 8, 8) && mask[0] == 2);
	EXPECT(gh_mask_set(mask, 48, 24, 24) && mask[0] == 0x3a);
	EXPECT(!gh_mask_set(mask, 48, 48, 8));
	EXPECT(!gh_mask_set(mask, 48, 44, 8));
	EXPECT(!gh_mask_set(mask, 48, 8, 4));
	EXPECT(!gh_mask_set(mask, 48, 40, 16));
	EXPECT(!gh_mask_set(mask, 48, SIZE_MAX - 7, 8));
	EXPECT(!gh_mask_set(mask, 8, 0, 16));
	EXPECT(mask[0] == 0x3a && !mask[1] && !mask[2]);
	EXPECT(gh_mask_set(mask, 1024, 63 * 8, 16));
	EXPECT(mask[0] == (0x3a | 1ULL << 63) && mask[1] == 1);
	EXPECT(gh_mask_set(mask, 1536, 191 * 8, 8) && mask[2] == 1ULL << 63);
}

/* What the macro hands over, as a text. */
static void members(char *text, unsigned int nfields, ...)
{
	va_list args;

	*text = 0;
	va_start(args, nfields);
	while (nfields--) {
		size_t offset = va_arg(args, size_t);
		size_t bytes = va_arg(args, size_t);

		text += sprintf(text, "%zu:%zu ", offset, bytes);
	}
	va_end(args);
}

#define MEMBERS(text, type, ...)                  \
	members(text, GOHEAP__COUNT(__VA_ARGS__), \
		GOHEAP__FIELDS(type, __VA_ARGS__))

void test_layout_macro(void)
{
	char text[256];

	MEMBERS(text, struct record, one);
	EXPECT(!strcmp(text, "8:8 "));
	MEMBERS(text, struct record, one, many);
	EXPECT(!strcmp(text, "8:8 24:24 "));
	MEMBERS(text, struct record, many[2], one);
	EXPECT(!strcmp(text, "40:8 8:8 "));
	MEMBERS(text, struct record, one, one, one, one, one, one, one, one,
		one, one, one, number);
	EXPECT(!strcmp(text, "8:8 8:8 8:8 8:8 8:8 8:8 8:8 8:8 8:8 8:8 8:8 "
			     "0:8 "));
}

void test_references(void)
{
	static uint64_t memory[16];
	static const struct goheap_status status;
	/* No process has it, so a store has nobody to tell. */
	struct gh_heap heap = { .pub = {
					.base = (uintptr_t)memory,
					.tag_bits = 0x8001ULL
						    << GOHEAP_REF_TAG_SHIFT,
					.status = &status,
				} };
	struct goheap *h = &heap.pub;
	goheap_ref slot = 0;

	h->bias = h->base - (uintptr_t)h->tag_bits;
	EXPECT(!goheap_ptr(h, 0) && !goheap_ref_of(h, NULL));
	EXPECT(goheap_ref_of(h, memory) == h->tag_bits);
	EXPECT(goheap_ref_of(h, &memory[5]) == h->tag_bits + 40);
	EXPECT(goheap_ptr(h, h->tag_bits + 40) == &memory[5]);
	goheap_store(h, &slot, h->tag_bits + 8);
	EXPECT(goheap_ptr(h, goheap_load(h, &slot)) == &memory[1]);
}
