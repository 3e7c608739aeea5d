/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What an entry of the tree stands for.  Most are areas.  Guards and lost ranges
 * are entries too, so that whatever looks for free room avoids them and
 * whatever changes a range meets them; nothing but their backend tells them
 * apart.
 */
#ifndef VMSET_ENTRY_H
#define VMSET_ENTRY_H

#include "range.h"
#include "vmset.h"

enum vmset__kind {
	VMSET__GUARD_BEFORE,    /* ends where its area begins */
	VMSET__GUARD_AFTER,     /* begins where its area ends */
	VMSET__LOST,            /* data: the backend that lost it */
	VMSET__AREA
};

/* Stand-ins for a backend, by enum vmset__kind; never called. */
extern const struct vmset_backend vmset__hidden[VMSET__AREA];

static inline enum vmset__kind vmset__kind(const struct vmset_area *entry)
{
	uintptr_t at = (uintptr_t)entry->backend - (uintptr_t)vmset__hidden;

	if (at >= sizeof vmset__hidden)
		return VMSET__AREA;
	return (enum vmset__kind)(at / sizeof *vmset__hidden);
}

static inline bool vmset__is_area(const struct vmset_area *entry)
{
	return vmset__kind(entry) == VMSET__AREA;
}

/* A vmset__skip_fn, for readers that want areas only. */
static inline bool vmset__is_hidden(const struct vmset_area *entry)
{
	return !vmset__is_area(entry);
}

static inline bool vmset__is_guard(const struct vmset_area *entry)
{
	return vmset__kind(entry) < VMSET__LOST;
}

static inline struct vmset_range vmset__entry_range(
	const struct vmset_area *entry)
{
	return (struct vmset_range){ entry->start, entry->end };
}

/*
 * Who has to be called about the range of an area or a lost range.
 */
static inline const struct vmset_backend *vmset__entry_backend(
	const struct vmset_area *entry)
{
	if (vmset__kind(entry) == VMSET__LOST)
		return entry->data;
	return entry->backend;
}

/* The offset of addr, which is in the area. */
static inline uint64_t vmset__offset_at(const struct vmset_area *area,
					uintptr_t addr)
{
	return area->offset + (addr - area->start);
}

/*
 * Whether a and b, in this order, can be one entry.  Only areas join.  Lost
 * ranges stay as they were lost: a backend that has one half of it mapped, and
 * the other not, would not unmap both at once.
 */
static inline bool vmset__can_join(const struct vmset_area *a,
				   const struct vmset_area *b)
{
	return a->end == b->start && a->backend == b->backend &&
	       a->flags == b->flags && a->data == b->data &&
	       vmset__is_area(a) &&
	       vmset__offset_at(a, a->end) == b->offset;
}

#endif /* VMSET_ENTRY_H */
