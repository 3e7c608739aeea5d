/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The model: every operation is a loop over the units.
 */
#include "exhaust-model.h"

#include <errno.h>
#include <string.h>

unsigned int units_end(const struct units *m, unsigned int i)
{
	while (++i < m->count && !m->unit[i].first && m->unit[i].kind != FREE)
		;
	return i;
}

/* Entries begin where units differ, and stay apart unless they are to join. */
static void settle(struct units *m)
{
	for (unsigned int i = 0; i < m->count; i++) {
		struct unit *u = &m->unit[i];
		bool may = !u->first || (m->merge && u->kind == AREA);
		bool joins = may && i && !memcmp(u - 1, u, UNIT_ITSELF);

		u->first = u->kind != FREE && !joins;
	}
}

/* The part of the range that is in the bounds, as units [*s, *e). */
static int clip(const struct units *m, uintptr_t start, size_t size,
		unsigned int *s, unsigned int *e)
{
	uintptr_t end = start + size, top = m->origin + m->count;

	if (!size || end < start)
		return -EINVAL;
	*s = *e = 0;
	if (start < top && end > m->origin) {
		*s = start > m->origin ? start - m->origin : 0;
		*e = (end < top ? end : top) - m->origin;
	}
	return 0;
}

static bool in(unsigned int i, unsigned int s, unsigned int e)
{
	return i >= s && i < e;
}

static unsigned int how_many(const struct units *m, unsigned int s,
			     unsigned int e, enum unit_kind kind)
{
	unsigned int n = 0;

	while (s < e)
		n += m->unit[s++].kind == kind;
	return n;
}

/* Fill [s, e).  Guards beside it go with the end of their area. */
static void put(struct units *m, unsigned int s, unsigned int e,
		struct unit like)
{
	for (unsigned int i = 0; i < m->count; i++) {
		struct unit *u = &m->unit[i];

		if (in(i, s, e))
			*u = like;
		else if ((u->kind == GUARD_BEFORE && in(i + 1, s, e)) ||
			 (u->kind == GUARD_AFTER && in(i - 1, s, e)))
			*u = (struct unit){ .kind = FREE };
		u->first |= i == s || i == e;
	}
	settle(m);
}

int units_map(struct units *m, uintptr_t start, size_t size, struct unit like,
	      bool replace, bool before, bool after)
{
	unsigned int s, e;

	if (clip(m, start, size, &s, &e) || e - s != size)
		return -EINVAL;
	if (how_many(m, s, e, LOST))
		return -ENOTRECOVERABLE;
	if (!replace && how_many(m, s, e, FREE) != size)
		return -EEXIST;
	put(m, s, e, like);
	if (before)
		put(m, s - 1, s, (struct unit){ .kind = GUARD_BEFORE });
	if (after)
		put(m, e, e + 1, (struct unit){ .kind = GUARD_AFTER });
	return 0;
}

int units_unmap(struct units *m, uintptr_t start, size_t size)
{
	unsigned int s, e;
	int rc = size ? clip(m, start, size, &s, &e) : 0;

	if (size && !rc)
		put(m, s, e, (struct unit){ .kind = FREE });
	return rc;
}

void units_lose(struct units *m, uintptr_t start, size_t size, uint8_t backend)
{
	unsigned int s, e;

	if (!clip(m, start, size, &s, &e))
		put(m, s, e, (struct unit){ .kind = LOST, .backend = backend });
}

int units_update(struct units *m, uintptr_t start, size_t size,
		 vmset_update_fn *fn, void *arg)
{
	unsigned int s, e, end;

	if (clip(m, start, size, &s, &e))
		return -EINVAL;
	if (how_many(m, s, e, LOST))
		return -ENOTRECOVERABLE;
	if (!how_many(m, s, e, AREA))
		return -ENOENT;
	for (unsigned int i = 0; i < e; i = end) {
		uint32_t flags = m->unit[i].flags;

		end = units_end(m, i);
		if (m->unit[i].kind != AREA || end <= s ||
		    !fn(flags, &flags, arg) || flags == m->unit[i].flags)
			continue;
		for (unsigned int k = i; k < end; k++) {
			m->unit[k].first |= k == s || k == e;
			if (in(k, s, e))
				m->unit[k].flags = (uint8_t)flags;
		}
	}
	settle(m);
	return 0;
}

/* How bad a place is for the policy, if it is one at all. */
static uintptr_t badness(const struct vmset_placement *where, uintptr_t at,
			 size_t gap)
{
	if (where->policy == VMSET_LOWEST)
		return at;
	if (where->policy == VMSET_HIGHEST)
		return ~at;
	if (where->policy == VMSET_NEAREST)
		return at > where->hint ? at - where->hint : where->hint - at;
	return gap;
}

int units_place(const struct units *m, const struct vmset_placement *where,
		size_t size, uintptr_t *start)
{
	size_t block = where->guard_before + size + where->guard_after;
	size_t gap = 0, align = where->align ? where->align : 1;
	struct vmset_range limit = where->limit;
	uint8_t free[UNITS_MAX + 1] = { 0 };
	uintptr_t best = 0, hint = where->hint;
	int rc = -ENOSPC;

	if (!size || where->policy > VMSET_RANDOM || align & (align - 1) ||
	    limit.start > limit.end)
		return -EINVAL;
	for (unsigned int i = m->count; i-- > 0;) {
		if (m->unit[i].kind == FREE && m->origin + i >= limit.start &&
		    (m->origin + i < limit.end || !limit.end))
			free[i] = free[i + 1] + 1;
	}
	for (unsigned int i = 0; i < m->count; i++) {
		uintptr_t at = m->origin + i + where->guard_before;

		if (!i || !free[i - 1])
			gap = free[i];
		if (free[i] < block || at % align ||
		    (where->policy == VMSET_LOWEST && at < hint) ||
		    (where->policy == VMSET_HIGHEST && hint && at > hint) ||
		    (!rc && badness(where, at, gap) >= best))
			continue;
		best = badness(where, at, gap);
		*start = at;
		rc = 0;
	}
	return rc;
}
