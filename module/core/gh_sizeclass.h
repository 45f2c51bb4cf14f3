/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Size classes. The table is made by mksizeclasses at build time.
 */
#ifndef GH_SIZECLASS_H
#define GH_SIZECLASS_H

#include "gh_config.h"

/**
 * struct gh_sizeclass - one size class
 * @size: bytes of a slot; 0 for class 0, the large objects
 * @npages: pages of a span
 * @nelems: slots of a span
 * @divmul: floor((2^32 - 1) / size) + 1, 0 for class 0
 */
struct gh_sizeclass {
	u32 size;
	u16 npages;
	u16 nelems;
	u32 divmul;
};

extern const struct gh_sizeclass gh_sizeclasses[GH_NR_CLASSES];

u8 gh_sizeclass_of(u64 bytes);

#endif /* GH_SIZECLASS_H */
