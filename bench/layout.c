/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where the areas lie.
 */
#include "layout.h"

#include <stdlib.h>

#include "bench.h"

#define SEED UINT64_C(0x9e3779b97f4a7c15)
#define MOST_GAP UINT32_C(512)  /* pages */

void layout_shuffle(uint32_t *order, size_t nr, struct rng *rng)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		size_t other = rng_below(rng, (uint32_t)i + 1);

		order[i] = order[other];
		order[other] = (uint32_t)i;
	}
}

/* In pages: 2 to the k with probability 2 to the -(k + 1), for each k. */
static uintptr_t draw_gap(struct rng *rng)
{
	return (uintptr_t)1 << __builtin_ctz(rng_below(rng, MOST_GAP) |
					     MOST_GAP);
}

void layout_make(struct layout *layout, size_t nr, uintptr_t base,
		 size_t last_gap)
{
	struct rng rng = { SEED };
	uintptr_t at = base;
	uint32_t *order;
	size_t i;

	*layout = (struct layout){ .nr = nr };
	layout->areas = calloc(nr, sizeof(*layout->areas));
	layout->shuffled = calloc(nr, sizeof(*layout->shuffled));
	order = calloc(nr, sizeof(*order));
	need(layout->areas && layout->shuffled && order, "no memory");
	for (i = 0; i < nr; i++) {
		at += i + 1 == nr ? last_gap : draw_gap(&rng) * PAGE;
		layout->areas[i].start = at;
		at += (3 + rng_below(&rng, 14)) * PAGE;
		layout->areas[i].end = at;
	}
	layout->bounds = (struct vmset_range){ base, at };
	layout_shuffle(order, nr, &rng);
	for (i = 0; i < nr; i++)
		layout->shuffled[i] = layout->areas[order[i]];
	free(order);
}

void layout_free(struct layout *layout)
{
	free(layout->areas);
	free(layout->shuffled);
}

uintptr_t layout_address(const struct layout *layout, struct rng *rng)
{
	const struct vmset_range *area =
		&layout->areas[rng_below(rng, (uint32_t)layout->nr)];

	return area->start + rng_below(rng,
				       (uint32_t)(area->end - area->start));
}
