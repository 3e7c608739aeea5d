/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Arithmetic on half-open ranges of addresses that cannot overflow.
 *
 * The last address of the address space is in no range: an end has to be
 * representable.
 */
#ifndef VMSET_RANGE_H
#define VMSET_RANGE_H

#include "vmset.h"

static inline bool vmset__is_power_of_two(size_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* granule is a power of two, as every align below. */
static inline bool vmset__is_aligned(uintptr_t addr, size_t granule)
{
	return (addr & (granule - 1)) == 0;
}

static inline uintptr_t vmset__min(uintptr_t a, uintptr_t b)
{
	return a < b ? a : b;
}

static inline uintptr_t vmset__max(uintptr_t a, uintptr_t b)
{
	return a > b ? a : b;
}

/* a + b, or the greatest address where that is too much. */
static inline uintptr_t vmset__add_sat(uintptr_t a, uintptr_t b)
{
	return a > UINTPTR_MAX - b ? UINTPTR_MAX : a + b;
}

/* a - b, or 0. */
static inline uintptr_t vmset__sub_sat(uintptr_t a, uintptr_t b)
{
	return a > b ? a - b : 0;
}

/* [start, start + size); false if the end is not representable. */
static inline bool vmset__range_make(uintptr_t start, size_t size,
				     struct vmset_range *range)
{
	if (size > UINTPTR_MAX - start)
		return false;
	*range = (struct vmset_range){ start, start + size };
	return true;
}

static inline size_t vmset__range_size(struct vmset_range r)
{
	return r.end - r.start;
}

static inline bool vmset__range_is_empty(struct vmset_range r)
{
	return r.start >= r.end;
}

static inline bool vmset__range_contains(struct vmset_range outer,
					 struct vmset_range inner)
{
	return outer.start <= inner.start && inner.end <= outer.end;
}

static inline bool vmset__range_overlaps(struct vmset_range a,
					 struct vmset_range b)
{
	return a.start < b.end && b.start < a.end;
}

/* What both have; empty, perhaps with end below start, if nothing. */
static inline struct vmset_range vmset__range_clip(struct vmset_range r,
						   struct vmset_range to)
{
	return (struct vmset_range){ vmset__max(r.start, to.start),
				     vmset__min(r.end, to.end) };
}

#endif /* VMSET_RANGE_H */
