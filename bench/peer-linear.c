/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A sorted array and a plain scan for free room: what a list of areas without
 * summaries of its gaps comes to.  It is filled in order, and not changed.
 */
#include <stdlib.h>

#include "peer.h"

struct linear {
	struct vmset_range bounds;
	struct vmset_range *areas;
	size_t nr, room;
};

static void *create(struct vmset_range bounds)
{
	struct linear *l = calloc(1, sizeof(*l));

	if (l)
		l->bounds = bounds;
	return l;
}

static void destroy(void *self)
{
	struct linear *l = self;

	free(l->areas);
	free(l);
}

/* Behind all others only. */
static bool map(void *self, uintptr_t start, size_t size, uint32_t flags)
{
	struct linear *l = self;

	(void)flags;
	if (l->nr == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		void *areas = realloc(l->areas, room * sizeof(*l->areas));

		if (!areas)
			return false;
		l->areas = areas;
		l->room = room;
	}
	l->areas[l->nr++] = (struct vmset_range){ start, start + size };
	return true;
}

/* The first area that ends above addr. */
static size_t lower_bound(const struct linear *l, uintptr_t addr)
{
	size_t low = 0, high = l->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->areas[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool find_free(const void *self, uintptr_t hint, size_t size,
		      uintptr_t *start)
{
	const struct linear *l = self;
	uintptr_t at = hint > l->bounds.start ? hint : l->bounds.start;
	size_t i;

	for (i = lower_bound(l, at); i < l->nr; i++) {
		if (l->areas[i].start >= at && l->areas[i].start - at >= size)
			break;
		at = l->areas[i].end;
	}
	*start = at;
	return at <= l->bounds.end && l->bounds.end - at >= size;
}

static size_t len(const void *self)
{
	return ((const struct linear *)self)->nr;
}

const struct bench_peer bench_linear = {
	.name = "linear",
	.create = create,
	.destroy = destroy,
	.map = map,
	.find_free = find_free,
	.len = len,
};
