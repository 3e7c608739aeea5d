/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Planning an operation: from the entries that meet a range, the calls to make
 * of the backends and the entries that will stand afterwards.
 *
 * Pure: no call but that of an update function, no memory but the arrays that it
 * is given.
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
	/* It does away with, or changes, those of the old entries [from, to) that
	 * are its backend's, as far as they are in range. */
	const struct vmset_area *from, *to;
};

/* Room in fresh beyond the number of old entries, and in steps. */
#define VMSET__PLAN_MORE_FRESH 4
#define VMSET__PLAN_MORE_STEPS 1

struct vmset__plan {
	/*
	 * In: every entry that meets or touches the range of the operation, in
	 * order, and none else.
	 */
	struct vmset_area *old;
	size_t old_n;
	bool merge;
	/* Out: the calls, and to protect, the flags that the entries get. */
	uint32_t *flags;
	struct vmset__step *steps;
	size_t steps_n;
	/*
	 * And the splice for the tree: of old, [from, to) go, and what comes
	 * instead is in fresh.  If nothing changes, its high_end is 0.
	 */
	struct vmset_area *fresh;
	const struct vmset_area *from, *to;
	bool grows;                     /* more come than go */
	struct vmset__splice splice;
};

/*
 * Put area into its range, with guards beside it in what else there is of all.
 * 0, or -EEXIST or -ENOTRECOVERABLE because of what is there.
 */
int vmset__plan_map(struct vmset__plan *plan, const struct vmset_area *area,
		    struct vmset_range all, bool replace);

/* Empty the range. */
void vmset__plan_unmap(struct vmset__plan *plan, struct vmset_range range);

/*
 * Give each area in the range the flags for which fn asks.  0, or -ENOENT,
 * -EINVAL or -ENOTRECOVERABLE because of what is there.  If all have these flags
 * already, there are no steps, and the plan says nothing of a splice.
 */
int vmset__plan_protect(struct vmset__plan *plan, struct vmset_range range,
			vmset_update_fn *fn, void *arg);

/* Replace what is in the range by a lost range.  No calls. */
void vmset__plan_lost(struct vmset__plan *plan, struct vmset_range range,
		      const struct vmset_backend *backend);

/* The part of a step's range that concerns an old entry; empty if none. */
struct vmset_range vmset__step_part(const struct vmset__step *step,
				    const struct vmset_area *old);

/* Whether a protect of a joining backend's cuts a kernel area at an end. */
bool vmset__step_splits(const struct vmset__plan *plan,
			const struct vmset__step *step);

/*
 * Whether a protect may make kernel areas alike that differ, so that they join.
 * Of other backends nothing is known, so theirs may.
 */
bool vmset__step_joins(const struct vmset__plan *plan,
		       const struct vmset__step *step);

#endif /* VMSET_PLAN_H */
