/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Taking nodes away, and giving them back.
 */
#include "exhaust-scarce.h"

#include "internal.h"

/* Worlds with more units than this are large. */
#define SMALL 12

unsigned int scarce_stock(const struct world *world)
{
	return world->space->units > SMALL ? 64 : 24;
}

static bool hold(struct held *held, struct vmset__slab *slab,
		 enum vmset__class class, bool urgent)
{
	struct vmset__node *node = vmset__slab_alloc(slab, class, urgent);

	if (node)
		held->node[class][held->n[class]++] = node;
	return node;
}

static void give_back(struct held *held, struct vmset__slab *slab,
		      enum vmset__class class, unsigned int nodes)
{
	while (nodes-- && held->n[class])
		vmset__slab_unalloc(slab, class,
				    held->node[class][--held->n[class]]);
}

/* Have a stock of nodes, and no more to be carved from what is mapped. */
static void stock_up(struct held *held, struct vmset__slab *slab,
		     unsigned int stock)
{
	for (int class = 0; class < VMSET__CLASSES; class++) {
		struct vmset__pool *pool = &slab->pool[class];

		held->n[class] = 0;
		while (held->n[class] < stock &&
		       hold(held, slab, class, false))
			;
		held->bump[class] = pool->bump;
		held->bump_end[class] = pool->bump_end;
		pool->bump_end = pool->bump;
	}
}

/* A wide leaf does for one that is not. */
static bool is_short(const struct scarcity *scarcity, enum vmset__class class)
{
	return class == scarcity->class || (class == VMSET__WIDE_LEAF &&
					    scarcity->class == VMSET__LEAF);
}

void scarce_begin(struct held *held, const struct world *world,
		  const struct scarcity *scarcity)
{
	struct vmset__slab *slab = &world->set->tree.slab;

	stock_up(held, slab, scarce_stock(world));
	arena_grant(0);
	for (int class = 0; class < VMSET__CLASSES; class++) {
		while (held->n[class] < SCARCE_HELD &&
		       hold(held, slab, class, true))
			;
		give_back(held, slab, class, is_short(scarcity, class) ?
				  scarcity->nodes : SCARCE_HELD);
	}
	arena_grant(scarcity->requests);
}

unsigned int scarce_end(struct held *held, const struct world *world)
{
	struct vmset__slab *slab = &world->set->tree.slab;
	unsigned int refused = arena_refused();

	arena_grant(ARENA_ALL);
	for (int class = 0; class < VMSET__CLASSES; class++) {
		struct vmset__pool *pool = &slab->pool[class];

		/* Unless there is a new chunk. */
		if (pool->bump == held->bump[class])
			pool->bump_end = held->bump_end[class];
		give_back(held, slab, class, SCARCE_HELD);
	}
	return refused;
}
