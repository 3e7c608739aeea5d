/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Planning.
 *
 * What comes instead of the entries that go is made from left to right: what
 * sticks out of the range before it, what will be in it, what sticks out behind
 * it; neighbours that are alike are joined on the way, also with the entry
 * before those that go, and the one behind.
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

/* ---- the entries afterwards ---- */

/* While fresh is filled: the place for the next entry, and how many are areas. */
struct draft {
	struct vmset_area *at;
	ptrdiff_t areas;
};

/* Begin to fill fresh with what comes instead of [from, to). */
static inline struct draft draft_open(const struct vmset__plan *plan)
{
	return (struct draft){ plan->fresh, 0 };
}

/*
 * Take in what was put at the place for the next entry.  The first may join the
 * entry before all that goes, which then goes, too.
 */
static inline void emitted(struct vmset__plan *plan, struct draft *draft,
			   bool is_area)
{
	struct vmset_area *at = draft->at;
	const struct vmset_area *before = NULL;

	if (at > plan->fresh)
		before = at - 1;
	else if (plan->from > plan->old)
		before = plan->from - 1;
	if (plan->merge && before && vmset__can_join(before, at)) {
		if (at > plan->fresh) {
			at[-1].end = at->end;
			return;
		}
		at->start = before->start;
		at->offset = before->offset;
		plan->from = before;
	}
	draft->at++;
	draft->areas += is_area;
}

/* The part [start, end) of the entry, with flags. */
static inline void emit_part(struct vmset__plan *plan, struct draft *draft,
			     const struct vmset_area *entry, uintptr_t start,
			     uintptr_t end, uint32_t flags)
{
	struct vmset_area *part = draft->at;
	bool is_area = vmset__is_area(entry);

	part->start = start;
	part->end = end;
	part->flags = flags;
	part->backend = entry->backend;
	part->offset = is_area ? vmset__offset_at(entry, start) : 0;
	part->data = entry->data;
	emitted(plan, draft, is_area);
}

static void emit_hidden(struct vmset__plan *plan, struct draft *draft,
			enum vmset__kind kind, uintptr_t start, uintptr_t end,
			void *data)
{
	*draft->at = (struct vmset_area){
		.start = start, .end = end, .backend = &vmset__hidden[kind],
		.data = data,
	};
	emitted(plan, draft, false);
}

static inline ptrdiff_t count_areas(const struct vmset_area *from,
				    const struct vmset_area *to)
{
	ptrdiff_t areas = 0;

	for (; from < to; from++)
		areas += vmset__is_area(from);
	return areas;
}

/* The splice that puts [fresh, end) where [from, to) are. */
static inline void make_splice(struct vmset__splice *splice,
			       const struct vmset_area *from,
			       const struct vmset_area *to,
			       const struct vmset_area *fresh,
			       const struct vmset_area *end)
{
	splice->fresh = fresh;
	splice->n = (size_t)(end - fresh);
	splice->low_end = UINTPTR_MAX;
	splice->high_end = 0;
	if (fresh < end) {
		splice->cut.start = splice->cut.end = fresh->start;
		splice->low_end = fresh->end;
		splice->high_end = end[-1].end;
	}
	if (from < to) {
		splice->cut.start = from->start;
		splice->cut.end = to[-1].end;
		splice->low_end = vmset__min(splice->low_end, from->end);
		splice->high_end = vmset__max(splice->high_end, to[-1].end);
	}
}

static const struct vmset_area *old_end(const struct vmset__plan *plan)
{
	return plan->old + plan->old_n;
}

/* All is there but the entry behind, which may join, and then goes, too. */
static inline void draft_close(struct vmset__plan *plan, struct draft draft)
{
	const struct vmset_area *fresh = plan->fresh;

	if (plan->merge && draft.at > fresh && plan->to < old_end(plan) &&
	    vmset__can_join(draft.at - 1, plan->to))
		draft.at[-1].end = plan->to++->end;
	plan->grows = draft.at - fresh > plan->to - plan->from;
	plan->splice.len_change = draft.areas - count_areas(plan->from,
							    plan->to);
	make_splice(&plan->splice, plan->from, plan->to, fresh, draft.at);
}

/*
 * What is to go when a range is emptied: all but an entry that only touches it,
 * unless that is a guard whose area is on the other side.
 */
static inline void cut_out(struct vmset__plan *plan, struct vmset_range range)
{
	const struct vmset_area *from = plan->old, *to = old_end(plan);

	if (from < to && from->end <= range.start &&
	    vmset__kind(from) != VMSET__GUARD_BEFORE)
		from++;
	if (from < to && to[-1].start >= range.end &&
	    vmset__kind(&to[-1]) != VMSET__GUARD_AFTER)
		to--;
	plan->from = from;
	plan->to = to;
}

/*
 * What is left of the first of those, in front of the range.  A guard goes that
 * was cut off from its area.
 */
static inline void emit_before(struct vmset__plan *plan, struct draft *draft,
			       struct vmset_range range)
{
	const struct vmset_area *old = plan->from;

	if (old < plan->to && old->start < range.start &&
	    vmset__kind(old) != VMSET__GUARD_BEFORE)
		emit_part(plan, draft, old, old->start, range.start,
			  old->flags);
}

/* The same of the last, behind the range. */
static inline void emit_behind(struct vmset__plan *plan, struct draft *draft,
			       struct vmset_range range)
{
	const struct vmset_area *old = plan->to;

	if (plan->from < old && (--old)->end > range.end &&
	    vmset__kind(old) != VMSET__GUARD_AFTER)
		emit_part(plan, draft, old, range.end, old->end, old->flags);
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

/* A call about what the old entries [from, to) have in the range. */
static inline struct vmset__step *add_step(struct vmset__plan *plan,
					   enum vmset__call call,
					   struct vmset_range range,
					   const struct vmset_backend *backend,
					   const struct vmset_area *from,
					   const struct vmset_area *to)
{
	struct vmset__step *step = &plan->steps[plan->steps_n++];

	step->call = call;
	step->range = range;
	step->backend = backend;
	step->from = from;
	step->to = to;
	return step;
}

/*
 * Some calls go first.  Which those are is known when all are: so all are made
 * in one go, and only if there are both kinds again, one after the other.
 */
enum { FIRST = 1, LATER = 2 };

/*
 * Unmap what is in the range, but for areas of the backend except, as far as the
 * calls are wanted: first those of backends that do not discard.  Returns which
 * there are.
 */
static inline unsigned unmap_steps_of(struct vmset__plan *plan,
				      struct vmset_range range,
				      const struct vmset_backend *except,
				      unsigned wanted)
{
	struct vmset__step *open = NULL;
	unsigned seen = 0;

	for (const struct vmset_area *old = plan->from; old < plan->to; old++) {
		const struct vmset_backend *backend;
		struct vmset_range part =
			vmset__range_clip(vmset__entry_range(old), range);
		uint32_t promises;
		unsigned turn;

		if (vmset__range_is_empty(part) || vmset__is_guard(old))
			continue;
		backend = vmset__entry_backend(old);
		if (open && open->backend == backend) {
			open->range.end = part.end;
			open->to = old + 1;
			continue;
		}
		open = NULL;
		if (backend == except)
			continue;
		promises = vmset__promises(backend);
		turn = promises & VMSET_BACKEND_DISCARDS ? LATER : FIRST;
		seen |= turn;
		if (!(turn & wanted))
			continue;
		open = add_step(plan, VMSET__UNMAP, part, backend, old,
				old + 1);
		if (!(promises & VMSET_BACKEND_SPANS))
			open = NULL;
	}
	return seen;
}

static void unmap_in_turn(struct vmset__plan *plan, struct vmset_range range,
			  const struct vmset_backend *except)
{
	plan->steps_n = 0;
	unmap_steps_of(plan, range, except, FIRST);
	unmap_steps_of(plan, range, except, LATER);
}

static inline void unmap_steps(struct vmset__plan *plan,
			       struct vmset_range range,
			       const struct vmset_backend *except)
{
	plan->steps_n = 0;
	if (unmap_steps_of(plan, range, except, FIRST | LATER) ==
	    (FIRST | LATER))
		unmap_in_turn(plan, range, except);
}

static inline bool changes(const struct vmset__plan *plan, size_t i)
{
	return plan->flags[i] != plan->old[i].flags;
}

/* Whether a and b, in this order, are one to a backend that joins. */
static inline bool adjoin(const struct vmset_area *a,
			  const struct vmset_area *b)
{
	return a->end == b->start && a->backend == b->backend;
}

/* What the kernel tells areas apart by. */
static inline uint32_t rights(const struct vmset_area *area)
{
	return vmset__told_flags(area->backend, area->flags);
}

/*
 * Whether a protect of [first, last] in the range cuts a kernel area in two at
 * one of its ends: an area that goes on there, or an equal neighbour.  Rights
 * of 0 are those of the free room around; one that has them is by itself or
 * among its like.
 */
static inline bool splits(const struct vmset__plan *plan,
			  struct vmset_range range,
			  const struct vmset_area *first,
			  const struct vmset_area *last)
{
	return first->start < range.start || range.end < last->end ||
	       rights(first) == 0 ||
	       (first > plan->old && adjoin(&first[-1], first) &&
		rights(&first[-1]) == rights(first)) ||
	       (last + 1 < old_end(plan) && adjoin(last, &last[1]) &&
		rights(&last[1]) == rights(last));
}

bool vmset__step_splits(const struct vmset__plan *plan,
			const struct vmset__step *step)
{
	return splits(plan, step->range, step->from, step->to - 1);
}

/*
 * Whether a neighbour, which shall have the flags, may be one to the kernel with
 * what gets the rights.
 */
static bool may_join(const struct vmset_area *neighbour, uint32_t flags,
		     uint32_t to)
{
	if (neighbour->backend != &vmset__kernel_backend)
		return !vmset__is_guard(neighbour);
	return rights(neighbour) == to ||
	       vmset__told_flags(neighbour->backend, flags) == to;
}

bool vmset__step_joins(const struct vmset__plan *plan,
		       const struct vmset__step *step)
{
	const struct vmset_area *first = step->from, *last = step->to - 1;
	const uint32_t *flags = plan->flags + (first - plan->old);
	uint32_t to = vmset__told_flags(step->backend, step->flags);

	/* Rights of 0 are those of the free room around. */
	if (step->backend != &vmset__kernel_backend || first != last || !to)
		return true;
	return (first > plan->old && first[-1].end == step->range.start &&
		may_join(&first[-1], flags[-1], to)) ||
	       (last + 1 < old_end(plan) &&
		last[1].start == step->range.end &&
		may_join(&last[1], flags[1], to));
}

/*
 * Whether the call with old[i] may go on with the next area: if that adjoins and
 * gets the same flags.
 */
static inline bool goes_on(const struct vmset__plan *plan, size_t i)
{
	const struct vmset_area *old = &plan->old[i];

	return old + 1 < plan->to && changes(plan, i + 1) &&
	       plan->flags[i + 1] == plan->flags[i] && adjoin(old, &old[1]);
}

/* The last of the areas that are in one call with old[i] and equal to it. */
static inline size_t last_equal(const struct vmset__plan *plan, size_t i)
{
	while (goes_on(plan, i) && plan->old[i + 1].flags == plan->old[i].flags)
		i++;
	return i;
}

/*
 * The last area in the next call to a backend that joins.  Equal areas go
 * together, and such groups go together as long as none of them splits: a call
 * that splits is about one kernel area only, so that it is whole or not at all.
 */
static inline size_t last_joined(const struct vmset__plan *plan,
				 struct vmset_range range, size_t i,
				 bool *split)
{
	const struct vmset_area *old = plan->old;
	size_t last = last_equal(plan, i), next;

	*split = splits(plan, range, &old[i], &old[last]);
	while (!*split && goes_on(plan, last)) {
		next = last_equal(plan, last + 1);
		if (splits(plan, range, &old[last + 1], &old[next]))
			break;
		last = next;
	}
	return last;
}

/*
 * The calls that are wanted, first those that split.  old[i] is the first area
 * that changes.  Returns which calls there are.
 */
static inline unsigned protect_steps_of(struct vmset__plan *plan,
					struct vmset_range range, size_t i,
					unsigned wanted)
{
	unsigned seen = 0;

	for (; &plan->old[i] < plan->to; i++) {
		const struct vmset_area *old = &plan->old[i], *last = old;
		bool split = false;
		unsigned turn;

		if (!changes(plan, i))
			continue;
		if (vmset__promises(old->backend) & VMSET_BACKEND_JOINS) {
			i = last_joined(plan, range, i, &split);
			last = &plan->old[i];
		}
		turn = split ? FIRST : LATER;
		seen |= turn;
		if (turn & wanted)
			add_step(plan, VMSET__PROTECT, (struct vmset_range){
				vmset__max(old->start, range.start),
				vmset__min(last->end, range.end),
			}, old->backend, old, last + 1)->flags = plan->flags[i];
	}
	return seen;
}

/* Of the calls that there are now, the last goes first. */
static void last_first(struct vmset__plan *plan)
{
	struct vmset__step last = plan->steps[plan->steps_n - 1];

	memmove(&plan->steps[1], &plan->steps[0],
		(plan->steps_n - 1) * sizeof last);
	plan->steps[0] = last;
}

/* Those that split, the last of them first; then the others. */
static void protect_steps(struct vmset__plan *plan, struct vmset_range range,
			  size_t i)
{
	unsigned seen = protect_steps_of(plan, range, i, FIRST | LATER);

	if (plan->steps_n == 1 || seen == LATER)
		return;
	if (seen & LATER) {
		plan->steps_n = 0;
		protect_steps_of(plan, range, i, FIRST);
	}
	last_first(plan);
	if (seen & LATER)
		protect_steps_of(plan, range, i, LATER);
}

/* ---- the operations ---- */

#define KIND(kind) (1u << (kind))

/* Of what kinds the entries are that have a part in the range. */
static inline unsigned kinds_in(const struct vmset__plan *plan,
				struct vmset_range range)
{
	unsigned kinds = 0;

	for (const struct vmset_area *old = plan->from; old < plan->to; old++)
		if (vmset__range_overlaps(vmset__entry_range(old), range))
			kinds |= KIND(vmset__kind(old));
	return kinds;
}

static bool same(const struct vmset_area *a, const struct vmset_area *b)
{
	return a->start == b->start && a->end == b->end &&
	       a->flags == b->flags && a->backend == b->backend &&
	       a->offset == b->offset && a->data == b->data;
}

int vmset__plan_map(struct vmset__plan *plan, const struct vmset_area *area,
		    struct vmset_range all, bool replace)
{
	struct vmset_range range = vmset__entry_range(area);
	struct vmset__step *step;
	struct draft draft;
	unsigned kinds;

	cut_out(plan, all);
	kinds = kinds_in(plan, all);
	if (kinds & KIND(VMSET__LOST))
		return -ENOTRECOVERABLE;
	if (kinds && !replace)
		return -EEXIST;
	plan->steps_n = 0;
	if (kinds)
		unmap_steps(plan, range, vmset__promises(area->backend) &
			VMSET_BACKEND_REPLACES ? area->backend : NULL);
	step = add_step(plan, VMSET__MAP, range, area->backend, plan->old,
			old_end(plan));
	step->flags = area->flags;
	step->offset = area->offset;
	draft = draft_open(plan);
	emit_before(plan, &draft, all);
	if (all.start < range.start)
		emit_hidden(plan, &draft, VMSET__GUARD_BEFORE, all.start,
			    range.start, NULL);
	*draft.at = *area;
	emitted(plan, &draft, true);
	if (range.end < all.end)
		emit_hidden(plan, &draft, VMSET__GUARD_AFTER, range.end,
			    all.end, NULL);
	emit_behind(plan, &draft, all);
	draft_close(plan, draft);
	/* An equal one over what is there. */
	if (kinds && plan->splice.n == 1 && plan->to - plan->from == 1 &&
	    same(plan->from, plan->splice.fresh))
		plan->splice.high_end = 0;
	return 0;
}

void vmset__plan_unmap(struct vmset__plan *plan, struct vmset_range range)
{
	struct draft draft;

	cut_out(plan, range);
	unmap_steps(plan, range, NULL);
	draft = draft_open(plan);
	emit_before(plan, &draft, range);
	emit_behind(plan, &draft, range);
	draft_close(plan, draft);
}

/*
 * The range cuts only the first and the last that change.  What does not change
 * is between them, or stays out of it, also where nothing is joined.
 */
static void change_flags(struct vmset__plan *plan, struct vmset_range range,
			 const uint32_t *flags)
{
	struct draft draft = draft_open(plan);

	for (const struct vmset_area *old = plan->from; old < plan->to;
	     old++, flags++) {
		uintptr_t start = vmset__max(old->start, range.start);
		uintptr_t end = vmset__min(old->end, range.end);

		if (old->start < start)
			emit_part(plan, &draft, old, old->start, start,
				  old->flags);
		emit_part(plan, &draft, old, start, end, *flags);
		if (end < old->end)
			emit_part(plan, &draft, old, end, old->end,
				  old->flags);
	}
	draft_close(plan, draft);
}

/* Beside the kinds: an area was to have flags that its backend does not know. */
#define UNKNOWN KIND(VMSET__AREA + 1)

/*
 * Ask for the new flags of each area in the range; those that change lie in
 * [from, to), with from NULL if there are none.  Of what kinds the entries are.
 */
static unsigned ask(struct vmset__plan *plan, struct vmset_range range,
		    vmset_update_fn *fn, void *arg)
{
	const struct vmset_area *old = plan->old, *end = old_end(plan);
	uint32_t *its = plan->flags;
	unsigned kinds = 0;

	plan->from = NULL;
	for (; old < end; old++, its++) {
		uint32_t flags = *its = old->flags;

		if (!vmset__range_overlaps(vmset__entry_range(old), range))
			continue;
		kinds |= KIND(vmset__kind(old));
		if (!vmset__is_area(old) || !fn(old->flags, &flags, arg) ||
		    flags == old->flags)
			continue;
		*its = flags;
		if (!vmset__knows_flags(old->backend, flags))
			kinds |= UNKNOWN;
		if (!plan->from)
			plan->from = old;
		plan->to = old + 1;
	}
	return kinds;
}

int vmset__plan_protect(struct vmset__plan *plan, struct vmset_range range,
			vmset_update_fn *fn, void *arg)
{
	unsigned kinds = ask(plan, range, fn, arg);
	size_t first;

	plan->steps_n = 0;
	if (kinds & KIND(VMSET__LOST))
		return -ENOTRECOVERABLE;
	if (!(kinds & KIND(VMSET__AREA)))
		return -ENOENT;
	if (kinds & UNKNOWN)
		return -EINVAL;
	if (plan->from) {
		first = (size_t)(plan->from - plan->old);
		protect_steps(plan, range, first);
		change_flags(plan, range, &plan->flags[first]);
	}
	return 0;
}

void vmset__plan_lost(struct vmset__plan *plan, struct vmset_range range,
		      const struct vmset_backend *backend)
{
	struct draft draft;

	plan->steps_n = 0;
	cut_out(plan, range);
	draft = draft_open(plan);
	emit_before(plan, &draft, range);
	/* Only ever read back as what it is. */
	emit_hidden(plan, &draft, VMSET__LOST, range.start, range.end,
		    (void *)(uintptr_t)backend);
	emit_behind(plan, &draft, range);
	draft_close(plan, draft);
}
