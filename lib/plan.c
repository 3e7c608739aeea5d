/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Planning.
 *
 * The entries afterwards are made from left to right: what sticks out of the
 * range before it, what will be in it, what sticks out behind it; neighbours
 * that are alike are joined on the way.
 *
 * The calls are put in an order that keeps the whole undoable: a call that
 * throws contents away comes after all that do not, and a protect that splits
 * a kernel area, which may fail for want of areas, before those that cannot.
 */
#include "plan.h"

#include <errno.h>
#include <string.h>

#include "backend.h"
#include "entry.h"
#include "range.h"

const struct vmset_backend vmset__hidden[VMSET__AREA] = { { NULL, NULL } };

uint64_t vmset__offset_at(const struct vmset_area *area, uintptr_t addr)
{
	return area->offset + (addr - area->start);
}

/* ---- the entries afterwards ---- */

/*
 * Only areas join.  Lost ranges stay as they were lost: a backend that has one
 * half of it mapped, and the other not, would not unmap both at once.
 */
bool vmset__can_join(const struct vmset_area *a, const struct vmset_area *b)
{
	return a->end == b->start && a->backend == b->backend &&
	       a->flags == b->flags && a->data == b->data &&
	       vmset__is_area(a) &&
	       vmset__offset_at(a, a->end) == b->offset;
}

/* Take in what was put at the end of fresh. */
static void emitted(struct vmset__plan *plan)
{
	struct vmset_area *at = &plan->fresh[plan->fresh_n];

	if (plan->merge && plan->fresh_n && vmset__can_join(at - 1, at))
		at[-1].end = at->end;
	else
		plan->fresh_n++;
}

static void emit(struct vmset__plan *plan, const struct vmset_area *entry)
{
	plan->fresh[plan->fresh_n] = *entry;
	emitted(plan);
}

/* The part of the entry that is in the range, if any, with flags. */
static void emit_part(struct vmset__plan *plan, const struct vmset_area *entry,
		      struct vmset_range range, uint32_t flags)
{
	struct vmset_area *part = &plan->fresh[plan->fresh_n];

	range = vmset__range_clip(vmset__entry_range(entry), range);
	if (vmset__range_is_empty(range))
		return;
	*part = *entry;
	part->start = range.start;
	part->end = range.end;
	if (vmset__is_area(entry))
		part->offset = vmset__offset_at(entry, range.start);
	part->flags = flags;
	emitted(plan);
}

/*
 * What is left of a guard when the range is emptied: the part between the range
 * and its area, unless that end of the area goes.
 */
static struct vmset_range guard_left(const struct vmset_area *guard,
				     struct vmset_range range)
{
	const struct vmset_range none = { 0, 0 };
	struct vmset_range left = vmset__entry_range(guard);

	if (vmset__kind(guard) == VMSET__GUARD_BEFORE) {
		if (range.start <= guard->end && guard->end < range.end)
			return none;
		if (vmset__range_overlaps(left, range))
			left.start = range.end;
	} else {
		if (range.start < guard->start && guard->start <= range.end)
			return none;
		if (vmset__range_overlaps(left, range))
			left.end = range.start;
	}
	return left;
}

/* Emit what is outside the range on one side of it. */
static void emit_outside(struct vmset__plan *plan, struct vmset_range side,
			 struct vmset_range range)
{
	for (size_t i = 0; i < plan->old_n; i++) {
		const struct vmset_area *old = &plan->old[i];

		if (vmset__is_guard(old))
			emit_part(plan, old,
				  vmset__range_clip(side,
						    guard_left(old, range)),
				  old->flags);
		else
			emit_part(plan, old, side, old->flags);
	}
}

/* The range holds inside[0 .. n) instead of what is there. */
static void replace_entries(struct vmset__plan *plan, struct vmset_range range,
			    const struct vmset_area *inside, size_t n)
{
	const struct vmset_range before = { 0, range.start };
	const struct vmset_range behind = { range.end, UINTPTR_MAX };

	plan->fresh_n = 0;
	emit_outside(plan, before, range);
	for (size_t i = 0; i < n; i++)
		emit(plan, &inside[i]);
	emit_outside(plan, behind, range);
}

/* An unchanged area stays whole, also where nothing is joined. */
static void change_flags(struct vmset__plan *plan, struct vmset_range range)
{
	const struct vmset_range before = { 0, range.start };
	const struct vmset_range behind = { range.end, UINTPTR_MAX };

	plan->fresh_n = 0;
	for (size_t i = 0; i < plan->old_n; i++) {
		const struct vmset_area *old = &plan->old[i];

		if (plan->flags[i] == old->flags) {
			emit(plan, old);
			continue;
		}
		emit_part(plan, old, before, old->flags);
		emit_part(plan, old, range, plan->flags[i]);
		emit_part(plan, old, behind, old->flags);
	}
}

/* ---- the calls ---- */

struct vmset_range vmset__step_part(const struct vmset__step *step,
				    const struct vmset_area *old)
{
	const struct vmset_range none = { 0, 0 };

	if (!vmset__is_area(old) || old->backend != step->backend)
		return none;
	return vmset__range_clip(vmset__entry_range(old), step->range);
}

static void add_step(struct vmset__plan *plan, struct vmset__step step)
{
	plan->steps[plan->steps_n++] = step;
}

/*
 * Unmap what is in the range, but for areas of the backend except.  Only
 * backends that discard, or only those that do not: whether there are others is
 * what it returns.
 */
static bool unmap_steps_of(struct vmset__plan *plan, struct vmset_range range,
			   const struct vmset_backend *except, bool discard)
{
	struct vmset__step *open = NULL;
	bool others = false;

	for (size_t i = 0; i < plan->old_n; i++) {
		const struct vmset_area *old = &plan->old[i];
		const struct vmset_backend *backend = vmset__entry_backend(old);
		struct vmset_range part =
			vmset__range_clip(vmset__entry_range(old), range);
		uint32_t promises;

		if (vmset__is_guard(old) || vmset__range_is_empty(part))
			continue;
		promises = vmset__promises(backend);
		if (open && open->backend == backend) {
			open->range.end = part.end;
			open->to = i + 1;
			continue;
		}
		open = NULL;
		if (backend == except)
			continue;
		if (discard != !!(promises & VMSET_BACKEND_DISCARDS)) {
			others = true;
			continue;
		}
		add_step(plan, (struct vmset__step){
			.call = VMSET__UNMAP, .range = part,
			.backend = backend, .from = i, .to = i + 1,
		});
		if (promises & VMSET_BACKEND_SPANS)
			open = &plan->steps[plan->steps_n - 1];
	}
	return others;
}

static void unmap_steps(struct vmset__plan *plan, struct vmset_range range,
			const struct vmset_backend *except)
{
	plan->steps_n = 0;
	if (unmap_steps_of(plan, range, except, false))
		unmap_steps_of(plan, range, except, true);
}

static bool changes(const struct vmset__plan *plan, size_t i)
{
	return plan->flags[i] != plan->old[i].flags;
}

/* Whether old[i] and old[i + 1] are one to a backend that joins. */
static bool adjoin(const struct vmset__plan *plan, size_t i)
{
	const struct vmset_area *a = &plan->old[i], *b = a + 1;

	return i + 1 < plan->old_n && a->end == b->start &&
	       a->backend == b->backend;
}

/* What the kernel tells areas apart by. */
static uint32_t rights(const struct vmset_area *area)
{
	return vmset__told_flags(area->backend, area->flags);
}

/*
 * Whether a protect of old[from .. to) in the range cuts a kernel area in two at
 * one of its ends: an area that goes on there, or an equal neighbour.  Rights
 * of 0 are those of the free room around; one that has them is by itself or
 * among its like.
 */
static bool splits(const struct vmset__plan *plan, struct vmset_range range,
		   size_t from, size_t to)
{
	const struct vmset_area *first = &plan->old[from];
	const struct vmset_area *last = &plan->old[to - 1];

	return first->start < range.start || range.end < last->end ||
	       rights(first) == 0 ||
	       (from && adjoin(plan, from - 1) &&
		rights(&first[-1]) == rights(first)) ||
	       (adjoin(plan, to - 1) && rights(&last[1]) == rights(last));
}

bool vmset__step_splits(const struct vmset__plan *plan,
			const struct vmset__step *step)
{
	return splits(plan, step->range, step->from, step->to);
}

/*
 * Where the call ends that begins with old[i], which changes: further areas may
 * be in it if they adjoin, get the same flags and, unless mixed, have
 * the same.
 */
static size_t run_end(const struct vmset__plan *plan, struct vmset_range range,
		      size_t i, bool mixed)
{
	size_t end = i + 1;

	while (adjoin(plan, end - 1) && plan->old[end].start < range.end &&
	       changes(plan, end) && plan->flags[end] == plan->flags[i] &&
	       (mixed || plan->old[end].flags == plan->old[i].flags))
		end++;
	return end;
}

/*
 * Where the next call to a backend that joins ends.  Equal areas go together,
 * and such groups go together as long as none of them splits: a call that
 * splits is about one kernel area only, so that it is whole or not at all.
 */
static size_t joined_end(const struct vmset__plan *plan,
			 struct vmset_range range, size_t i, bool *split)
{
	size_t limit = run_end(plan, range, i, true);
	size_t end = run_end(plan, range, i, false);

	*split = splits(plan, range, i, end);
	while (!*split && end < limit) {
		size_t next = run_end(plan, range, end, false);

		if (splits(plan, range, end, next))
			break;
		end = next;
	}
	return end;
}

/* The calls that split, or those that do not, in order. */
static void protect_steps_of(struct vmset__plan *plan,
			     struct vmset_range range, bool wanted)
{
	size_t end;

	for (size_t i = 0; i < plan->old_n; i = end) {
		const struct vmset_backend *backend = plan->old[i].backend;
		bool split = false;

		end = i + 1;
		if (!changes(plan, i))
			continue;
		if (vmset__promises(backend) & VMSET_BACKEND_JOINS)
			end = joined_end(plan, range, i, &split);
		if (split != wanted)
			continue;
		add_step(plan, (struct vmset__step){
			.call = VMSET__PROTECT,
			.range = {
				vmset__max(plan->old[i].start, range.start),
				vmset__min(plan->old[end - 1].end, range.end),
			},
			.backend = backend, .flags = plan->flags[i],
			.from = i, .to = end,
		});
	}
}

static void protect_steps(struct vmset__plan *plan, struct vmset_range range)
{
	struct vmset__step last;

	protect_steps_of(plan, range, true);
	if (plan->steps_n > 1) {
		last = plan->steps[plan->steps_n - 1];
		memmove(&plan->steps[1], &plan->steps[0],
			(plan->steps_n - 1) * sizeof last);
		plan->steps[0] = last;
	}
	protect_steps_of(plan, range, false);
}

/* ---- the operations ---- */

#define KIND(kind) (1u << (kind))

/* Of what kinds the entries are that have a part in the range. */
static unsigned kinds_in(const struct vmset__plan *plan,
			 struct vmset_range range)
{
	unsigned kinds = 0;

	for (size_t i = 0; i < plan->old_n; i++) {
		const struct vmset_area *old = &plan->old[i];

		if (vmset__range_overlaps(vmset__entry_range(old), range))
			kinds |= KIND(vmset__kind(old));
	}
	return kinds;
}

int vmset__plan_map(struct vmset__plan *plan, const struct vmset_area *area,
		    size_t guard_before, size_t guard_after, bool replace)
{
	struct vmset_range range = vmset__entry_range(area);
	struct vmset_range all = { range.start - guard_before,
				   range.end + guard_after };
	uint32_t promises = vmset__promises(area->backend);
	unsigned kinds = kinds_in(plan, all);
	struct vmset_area inside[3];
	size_t n = 0;

	if (kinds & KIND(VMSET__LOST))
		return -ENOTRECOVERABLE;
	if (kinds && !replace)
		return -EEXIST;
	if (guard_before)
		inside[n++] = (struct vmset_area){
			.start = all.start, .end = range.start,
			.backend = &vmset__hidden[VMSET__GUARD_BEFORE],
		};
	inside[n++] = *area;
	if (guard_after)
		inside[n++] = (struct vmset_area){
			.start = range.end, .end = all.end,
			.backend = &vmset__hidden[VMSET__GUARD_AFTER],
		};
	replace_entries(plan, all, inside, n);
	unmap_steps(plan, range, promises & VMSET_BACKEND_REPLACES ?
					 area->backend : NULL);
	add_step(plan, (struct vmset__step){
		.call = VMSET__MAP, .range = range, .backend = area->backend,
		.flags = area->flags, .offset = area->offset,
		.to = plan->old_n,
	});
	return 0;
}

void vmset__plan_unmap(struct vmset__plan *plan, struct vmset_range range)
{
	replace_entries(plan, range, NULL, 0);
	unmap_steps(plan, range, NULL);
}

int vmset__plan_protect(struct vmset__plan *plan, struct vmset_range range)
{
	unsigned kinds = kinds_in(plan, range);
	size_t changing = 0;

	plan->steps_n = 0;
	if (kinds & KIND(VMSET__LOST))
		return -ENOTRECOVERABLE;
	if (!(kinds & KIND(VMSET__AREA)))
		return -ENOENT;
	for (size_t i = 0; i < plan->old_n; i++) {
		if (!changes(plan, i))
			continue;
		if (!vmset__knows_flags(plan->old[i].backend, plan->flags[i]))
			return -EINVAL;
		changing++;
	}
	if (!changing)
		return 0;
	change_flags(plan, range);
	protect_steps(plan, range);
	return 0;
}

void vmset__plan_lost(struct vmset__plan *plan, struct vmset_range range,
		      const struct vmset_backend *backend)
{
	struct vmset_area lost = {
		.start = range.start, .end = range.end,
		.backend = &vmset__hidden[VMSET__LOST],
		/* Only ever read back as what it is. */
		.data = (void *)(uintptr_t)backend,
	};

	plan->steps_n = 0;
	replace_entries(plan, range, &lost, 1);
}

/* ---- from the plan to the tree ---- */

static bool same(const struct vmset_area *a, const struct vmset_area *b)
{
	return a->start == b->start && a->end == b->end &&
	       a->flags == b->flags && a->backend == b->backend &&
	       a->offset == b->offset && a->data == b->data;
}

static ptrdiff_t count_areas(const struct vmset_area *entries, size_t n)
{
	ptrdiff_t areas = 0;

	for (size_t i = 0; i < n; i++)
		areas += vmset__is_area(&entries[i]);
	return areas;
}

bool vmset__plan_splice(const struct vmset__plan *plan,
			struct vmset__splice *splice)
{
	const struct vmset_area *old = plan->old, *fresh = plan->fresh;
	size_t old_n = plan->old_n, n = plan->fresh_n;

	while (old_n && n && same(old, fresh)) {
		old++, fresh++;
		old_n--, n--;
	}
	while (old_n && n && same(&old[old_n - 1], &fresh[n - 1])) {
		old_n--;
		n--;
	}
	if (!old_n && !n)
		return false;
	*splice = (struct vmset__splice){
		.low_end = UINTPTR_MAX, .fresh = fresh, .n = n,
		.len_change = count_areas(fresh, n) - count_areas(old, old_n),
	};
	if (n) {
		splice->cut.start = splice->cut.end = fresh[0].start;
		splice->low_end = fresh[0].end;
		splice->high_end = fresh[n - 1].end;
	}
	if (old_n) {
		splice->cut.start = old[0].start;
		splice->cut.end = old[old_n - 1].end;
		splice->low_end = vmset__min(splice->low_end, old[0].end);
		splice->high_end = vmset__max(splice->high_end,
					      splice->cut.end);
	}
	return true;
}
