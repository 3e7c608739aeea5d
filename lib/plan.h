/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Planning an operation: from the entries that meet a range, the calls to make
 * of the backends and the entries that will stand afterwards.
 *
 * Pure: no call of a backend, no memory but the arrays that it is given.
 */
#ifndef VMSET_PLAN_H
#define VMSET_PLAN_H

#include "tree.h"
#include "vmset.h"

enum vmset__call { VMSET__MAP, VMSET__UNMAP, VMSET__PROTECT, VMSET__CALLS };

/* A call of a backend. */
struct vmset__step {
	enum vmset__call call;
	struct vmset_range range;
	const struct vmset_backend *backend;
	uint32_t flags;                 /* MAP and PROTECT */
	uint64_t offset;                /* MAP */
	/* It does away with, or changes, those of old[from .. to) that are its
	 * backend's, as far as they are in range. */
	size_t from, to;
};

/* Room in fresh beyond the number of old entries, and in steps. */
#define VMSET__PLAN_MORE_FRESH 4
#define VMSET__PLAN_MORE_STEPS 1

struct vmset__plan {
	/*
	 * In: every entry that meets or touches the range of the operation, in
	 * order, and, to protect, the flags that each of them shall have.
	 */
	struct vmset_area *old;
	uint32_t *flags;
	size_t old_n;
	bool merge;
	/* Out. */
	struct vmset__step *steps;
	size_t steps_n;
	struct vmset_area *fresh;
	size_t fresh_n;
};

/*
 * Put area into its range, with guards of the given sizes beside it.  0, or
 * -EEXIST or -ENOTRECOVERABLE because of what is there.
 */
int vmset__plan_map(struct vmset__plan *plan, const struct vmset_area *area,
		    size_t guard_before, size_t guard_after, bool replace);

/* Empty the range. */
void vmset__plan_unmap(struct vmset__plan *plan, struct vmset_range range);

/*
 * Give what is in the range the plan's flags.  0, or -ENOENT, -EINVAL or
 * -ENOTRECOVERABLE because of what is there.  If they have these flags already,
 * there are no steps, and the plan says nothing of the entries afterwards.
 */
int vmset__plan_protect(struct vmset__plan *plan, struct vmset_range range);

/* Replace what is in the range by a lost range.  No calls. */
void vmset__plan_lost(struct vmset__plan *plan, struct vmset_range range,
		      const struct vmset_backend *backend);

/* The splice that leads from old to fresh; false if they are the same. */
bool vmset__plan_splice(const struct vmset__plan *plan,
			struct vmset__splice *splice);

/* The part of a step's range that concerns an old entry; empty if none. */
struct vmset_range vmset__step_part(const struct vmset__step *step,
				    const struct vmset_area *old);

/* Whether a protect of a joining backend's cuts a kernel area at an end. */
bool vmset__step_splits(const struct vmset__plan *plan,
			const struct vmset__step *step);

/* Whether a and b, in this order, can be one entry. */
bool vmset__can_join(const struct vmset_area *a, const struct vmset_area *b);

/* The offset of addr, which is in the area. */
uint64_t vmset__offset_at(const struct vmset_area *area, uintptr_t addr);

#endif /* VMSET_PLAN_H */
