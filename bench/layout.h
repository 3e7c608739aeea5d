/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where the areas lie: 3 to 16 pages each, behind gaps of a power of two of
 * pages, 1 to 32.  The gap before the last area is 64 MiB, so that it alone
 * takes what is larger than the others.  The same in every run.
 */
#ifndef BENCH_LAYOUT_H
#define BENCH_LAYOUT_H

#include "rng.h"
#include "vmset.h"

/* Fits into the last gap only. */
#define LAYOUT_WANTED ((size_t)48 << 20)
/* Up to so many fit into many gaps. */
#define LAYOUT_MOST_PAGES 32

struct layout {
	size_t nr;
	struct vmset_range bounds;
	struct vmset_range *areas;      /* in address order */
	uint32_t *order;                /* their indices, shuffled */
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
