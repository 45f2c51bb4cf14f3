// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Layouts: which words of an object are references.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "internal.h"

/**
 * goheap_layout() - register a layout
 * @h: the heap
 * @elem_size: bytes of an element, a multiple of 8; objects are one element or
 *	an array of them
 * @mask: bit n of word n / 64 is set if the 8 bytes at n * 8 are a reference
 * @nbits: number of bits in @mask, at most @elem_size / 8
 *
 * The same layout has the same number in every process, so that each may
 * register it.
 *
 * Return: the layout's number, or -1 with errno EINVAL for a size or bits that
 * cannot be or a mask that is too long, ENOSPC if the heap can hold no more
 * layouts, ENOMEM.
 */
int goheap_layout(struct goheap *h, size_t elem_size, const uint64_t *mask,
		  size_t nbits)
{
	struct goheap_layout layout = {
		.size = sizeof(layout),
		.elem_size = elem_size,
		.nr_bits = (uint32_t)nbits,
		.mask = (uintptr_t)mask,
	};

	if (nbits > UINT32_MAX)
		return gh_error(EINVAL, "mask of %zu bits", nbits);
	if (gh_ioctl(h, GOHEAP_IOC_LAYOUT, &layout))
		return -1;
	return (int)layout.id;
}

/**
 * goheap_layout_refs() - layout of an array of references
 * @h: the heap
 *
 * Return: as goheap_layout().
 */
int goheap_layout_refs(struct goheap *h)
{
	static const uint64_t mask = 1;

	return goheap_layout(h, sizeof(goheap_ref), &mask, 1);
}

/* Set the bits of a member; false if it cannot be one or more references. */
bool gh_mask_set(uint64_t *mask, size_t elem_size, size_t offset, size_t bytes)
{
	if (offset % sizeof(goheap_ref) || bytes % sizeof(goheap_ref) ||
	    bytes > elem_size || offset > elem_size - bytes)
		return false;
	for (size_t bit = offset / 8; bit < (offset + bytes) / 8; bit++)
		mask[bit / 64] |= 1ULL << (bit % 64);
	return true;
}

/* Number of bits up to the last one that is set. */
static size_t mask_length(const uint64_t *mask, size_t words)
{
	while (words && !mask[words - 1])
		words--;
	if (!words)
		return 0;
	return words * 64 - (size_t)__builtin_clzll(mask[words - 1]);
}

/**
 * goheap_layout_fields() - register the layout of a structure
 * @h: the heap
 * @elem_size: its size in bytes, a multiple of 8
 * @nfields: number of members that are references or arrays of them
 * @...: offset and size in bytes of each, as size_t; see GOHEAP_LAYOUT()
 *
 * Return: as goheap_layout(); EINVAL also for a member that is not aligned to
 * 8 bytes or not within the structure.
 */
int goheap_layout_fields(struct goheap *h, size_t elem_size,
			 unsigned int nfields, ...)
{
	size_t words = elem_size / 512 + 1;
	uint64_t *mask = calloc(words, sizeof(*mask));
	bool good = true;
	int ret = -1;
	int error;
	va_list args;

	if (!mask)
		return gh_no_memory();
	va_start(args, nfields);
	for (unsigned int i = 0; i < nfields && good; i++) {
		size_t offset = va_arg(args, size_t);
		size_t bytes = va_arg(args, size_t);

		good = gh_mask_set(mask, elem_size, offset, bytes);
	}
	va_end(args);
	if (good)
		ret = goheap_layout(h, elem_size, mask,
				    mask_length(mask, words));
	else
		gh_error(EINVAL, "a member is not an aligned reference");
	error = errno;
	free(mask);
	errno = error;
	return ret;
}
