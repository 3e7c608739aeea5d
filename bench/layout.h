/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where the areas lie: 3 to 16 pages each, behind gaps of a power of two of
 * pages.  As in real address spaces small gaps are common and large ones rare:
 * half are of one page, a quarter of two, and so on, up to 512.  The gap before
 * the last area is 64 MiB, so that it alone takes what is larger than the others.
 * The same in every run.
 */
#ifndef BENCH_LAYOUT_H
#define BENCH_LAYOUT_H

#include "rng.h"
#include "vmset.h"

/* Fits into the last gap only. */
#define LAYOUT_WANTED ((size_t)48 << 20)
/*
 * Sizes that are looked for: from one page to so many, all equally often.  Those
 * to find room for, and no more, were chosen by trial so that it takes as long
 * as a linear search over about 180 areas: the mean is 90, 180, 166 and 189 areas
 * at 1e3, 1e4, 1e5 and 1e6.  Those to allocate fit into so many gaps that it
 * takes 5.
 */
#define LAYOUT_RARE_PAGES 268
#define LAYOUT_COMMON_PAGES 8

struct layout {
	size_t nr;
	struct vmset_range bounds;
	struct vmset_range *areas;      /* in address order */
	/* In random order; copies, so that going through them meets no misses. */
	struct vmset_range *shuffled;
};

/* From base on.  The last gap is of last_gap bytes. */
void layout_make(struct layout *layout, size_t nr, uintptr_t base,
		 size_t last_gap);
void layout_free(struct layout *layout);

void layout_shuffle(uint32_t *order, size_t nr, struct rng *rng);

/* An address in some area. */
uintptr_t layout_address(const struct layout *layout, struct rng *rng);

/* A page with others of the same area on both sides. */
static inline uintptr_t layout_inner_page(const struct vmset_range *area)
{
	return area->start + (area->end - area->start) / 2 / 4096 * 4096;
}

#endif /* BENCH_LAYOUT_H */
