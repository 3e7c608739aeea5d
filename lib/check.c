/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A set held against its own rules, for tests: those of the tree, and what the
 * kinds of entries promise about their neighbours.
 */
#include "entry.h"
#include "internal.h"
#include "plan.h"

/* Whether a guard stands beside an area, as its kind says. */
static bool is_beside_area(const struct vmset_area *before,
			   const struct vmset_area *guard,
			   const struct vmset_area *behind)
{
	if (vmset__kind(guard) == VMSET__GUARD_AFTER)
		return vmset__is_area(before) && before->end == guard->start;
	return vmset__is_area(behind) && behind->start == guard->end;
}

/* Guards are checked when what follows them is known. */
static const char *check_entries(const struct vmset *set)
{
	const struct vmset_area none = {
		.backend = &vmset__hidden[VMSET__LOST],
	};
	struct vmset_area before = none, at = none, behind;
	struct vmset__cursor cursor;
	size_t areas = 0;
	bool more;

	vmset__cursor_seek(&cursor, &set->tree, 0);
	do {
		more = vmset__cursor_get(&cursor, &behind);
		if (!more)
			behind = none;
		if (vmset__is_guard(&at) &&
		    !is_beside_area(&before, &at, &behind))
			return "guard without an area";
		if (more && !(set->options & VMSET_NO_MERGE) &&
		    vmset__can_join(&at, &behind))
			return "equal neighbours are not joined";
		areas += more && vmset__is_area(&behind);
		before = at;
		at = behind;
		vmset__cursor_advance(&cursor);
	} while (more);
	if (areas != vmset__tree_read_len(&set->tree))
		return "length is not the number of areas";
	return NULL;
}

const char *vmset__check(const struct vmset *set)
{
	const char *wrong = vmset__tree_check(&set->tree, set->bounds);

	return wrong ? wrong : check_entries(set);
}
