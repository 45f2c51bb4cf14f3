// SPDX-License-Identifier: GPL-2.0
/*
 * Host program: prints gh_sizeclass_table.h, the table of size classes and the
 * two tables that lead from a size to its class. Runs once per build.
 *
 * The classes are Go's. Sizes are tried in steps that are an eighth of the size
 * at most (so that rounding up wastes at most that), each gets the shortest
 * span whose tail wastes at most an eighth of it, and a size that makes spans
 * of the same shape as the one before replaces it. In the end each slot is
 * widened as far as the number of slots stays the same.
 *
 * Nothing is printed unless the result has the expected number of classes, each
 * size finds the smallest class that holds it, and the multiplication that
 * replaces the division by the slot size is right for every byte of a span.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "gh_config.h"

#define MIN_ALIGN	8
#define SMALL_MAX	1024	/* the first lookup table ends here */
#define SMALL_STEP	8
#define LARGE_STEP	128
#define NR_SMALL	(SMALL_MAX / SMALL_STEP + 1)
#define NR_LARGE	((GH_MAX_SMALL_SIZE - SMALL_MAX) / LARGE_STEP + 1)

struct sizeclass {
	unsigned int size;
	unsigned int npages;
};

/* Room for one class too many, to be able to notice it. */
static struct sizeclass classes[GH_NR_CLASSES + 1];
static unsigned int nr_classes = 1;	/* class 0 is for large objects */

static unsigned int span_bytes(const struct sizeclass *c)
{
	return c->npages * GH_PAGE_SIZE;
}

static unsigned int nr_slots(const struct sizeclass *c)
{
	return span_bytes(c) / c->size;
}

static unsigned int magic(const struct sizeclass *c)
{
	return UINT32_MAX / c->size + 1;
}

static void fail(const char *what, unsigned int n)
{
	fprintf(stderr, "mksizeclasses: %s: %u\n", what, n);
	exit(1);
}

/* Step between sizes from a power of two on, given the step below it. */
static unsigned int step_from(unsigned int size, unsigned int step)
{
	if (size >= 2048)
		return 256;
	if (size >= 128)
		return size / 8;
	if (size >= 32)
		return 16;
	return step;
}

static void add_size(unsigned int size)
{
	struct sizeclass *last = &classes[nr_classes - 1];
	struct sizeclass c = { .size = size, .npages = 1 };

	while (span_bytes(&c) % size > span_bytes(&c) / 8)
		c.npages++;
	if (nr_classes > 1 && last->npages == c.npages &&
	    nr_slots(last) == nr_slots(&c)) {
		last->size = size;
		return;
	}
	if (nr_classes == GH_NR_CLASSES)
		fail("too many size classes", nr_classes);
	classes[nr_classes++] = c;
}

static void make_classes(void)
{
	unsigned int step = MIN_ALIGN;
	unsigned int size, wide, i;

	for (size = MIN_ALIGN; size <= GH_MAX_SMALL_SIZE; size += step) {
		if (!(size & (size - 1)))
			step = step_from(size, step);
		add_size(size);
	}
	for (i = 1; i < nr_classes; i++) {
		wide = span_bytes(&classes[i]) / nr_slots(&classes[i]);
		wide -= wide % LARGE_STEP;
		if (wide > classes[i].size)
			classes[i].size = wide;
	}
}

static unsigned int class_of(unsigned int size)
{
	unsigned int i = 1;

	while (i < nr_classes && classes[i].size < size)
		i++;
	return i;
}

/* The last offset tried is the one past the end: limits are looked up too. */
static void check_class(const struct sizeclass *c)
{
	unsigned long long mul = magic(c);
	unsigned long long off;

	if (nr_slots(c) > GH_MAX_OBJS_PER_SPAN)
		fail("too many slots of size", c->size);
	for (off = 0; off <= span_bytes(c); off++)
		if ((off * mul) >> 32 != off / c->size)
			fail("wrong multiplier for size", c->size);
}

/* A table's entry must be right for all sizes that are rounded up to it. */
static void check_lookup(void)
{
	unsigned int size, step;

	for (size = 1; size <= GH_MAX_SMALL_SIZE; size++) {
		step = size <= SMALL_MAX ? SMALL_STEP : LARGE_STEP;
		if (class_of(size) != class_of((size + step - 1) / step * step))
			fail("lookup too coarse for size", size);
	}
}

static void check(void)
{
	unsigned int i;

	if (nr_classes != GH_NR_CLASSES)
		fail("wrong number of size classes", nr_classes);
	if (classes[nr_classes - 1].size != GH_MAX_SMALL_SIZE)
		fail("wrong last size", classes[nr_classes - 1].size);
	if (classes[GH_TINY_CLASS].size != GH_TINY_SIZE)
		fail("wrong size of tiny blocks", classes[GH_TINY_CLASS].size);
	for (i = 1; i < nr_classes; i++) {
		if (classes[i].size <= classes[i - 1].size)
			fail("sizes do not rise at class", i);
		check_class(&classes[i]);
	}
	check_lookup();
}

static void print_lookup(const char *name, unsigned int nr, unsigned int base,
			 unsigned int step)
{
	unsigned int i;

	printf("\nstatic const u8 %s[%u] = {", name, nr);
	for (i = 0; i < nr; i++)
		printf("%s%u,", i % 16 ? " " : "\n\t",
		       class_of(base + i * step));
	printf("\n};\n");
}

static void print(void)
{
	const struct sizeclass *c;
	unsigned int i;

	printf("/* %s: GPL-2.0 */\n", "SPDX-License-Identifier");
	printf("/* Made by mksizeclasses; included by gh_sizeclass.c only. */\n");
	printf("\nconst struct gh_sizeclass gh_sizeclasses[GH_NR_CLASSES] = {\n");
	for (i = 1; i < nr_classes; i++) {
		c = &classes[i];
		printf("\t[%u] = { .size = %u, .npages = %u, ", i, c->size,
		       c->npages);
		printf(".nelems = %u, .divmul = %uU },\n", nr_slots(c),
		       magic(c));
	}
	printf("};\n");
	printf("\n#define GH_SIZECLASS_SMALL_MAX\t%u\n", SMALL_MAX);
	printf("#define GH_SIZECLASS_SMALL_STEP\t%u\n", SMALL_STEP);
	printf("#define GH_SIZECLASS_LARGE_STEP\t%u\n", LARGE_STEP);
	print_lookup("gh_sizeclass_small", NR_SMALL, 0, SMALL_STEP);
	print_lookup("gh_sizeclass_large", NR_LARGE, SMALL_MAX, LARGE_STEP);
}

int main(void)
{
	make_classes();
	check();
	print();
	return 0;
}
