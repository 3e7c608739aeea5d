/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Carrying out and undoing.  The only file that calls the operations of backends
 * which change something.
 */
#include "apply.h"

#include <errno.h>

#include "backend.h"
#include "entry.h"
#include "range.h"

struct undo {
	struct vmset__tally *tally;
	vmset__lost_fn *lost;
	void *arg;
	int result;
	struct vmset_range given_up;    /* by the backend itself */
};

static inline int do_step(const struct vmset__step *step,
			  struct vmset__tally *tally)
{
	const struct vmset_backend_ops *ops = step->backend->ops;
	void *ctx = step->backend->ctx;
	uintptr_t start = step->range.start;
	size_t size = vmset__range_size(step->range);

	tally->calls[step->call]++;
	switch (step->call) {
	case VMSET__MAP:
		return ops->map(ctx, start, size, step->flags, step->offset);
	case VMSET__UNMAP:
		return ops->unmap(ctx, start, size);
	default:
		return ops->protect(ctx, start, size, step->flags);
	}
}

static void give_up(struct undo *undo, struct vmset_range range,
		    const struct vmset_backend *backend)
{
	undo->lost(range, backend, undo->arg);
	undo->result = -ENOTRECOVERABLE;
}

/* Bring back what a step did to a part of an area. */
static int undo_part(const struct vmset__step *step,
		     const struct vmset_area *old, struct vmset_range part,
		     struct vmset__tally *tally)
{
	bool unmap = step->call == VMSET__UNMAP;
	struct vmset__step back = {
		.call = unmap ? VMSET__MAP : VMSET__PROTECT,
		.range = part, .backend = step->backend, .flags = old->flags,
		.offset = vmset__offset_at(old, part.start),
	};

	if (unmap &&
	    vmset__promises(step->backend) & VMSET_BACKEND_DISCARDS)
		return -ENOTRECOVERABLE;
	return do_step(&back, tally);
}

/*
 * A map is the last step of its plan, so it never has to be undone.  Nothing is
 * brought back to where nobody knows what there is.
 */
static void undo_step(const struct vmset__step *step, struct undo *undo)
{
	for (const struct vmset_area *old = step->to; old-- > step->from;) {
		struct vmset_range part = vmset__step_part(step, old);

		if (vmset__range_is_empty(part) ||
		    vmset__range_contains(undo->given_up, part))
			continue;
		if (undo_part(step, old, part, undo->tally))
			give_up(undo, part, step->backend);
	}
}

/* Whether a call that failed may have changed a part of its range. */
static bool may_be_half_done(const struct vmset__step *step)
{
	return step->call == VMSET__PROTECT &&
	       vmset__promises(step->backend) & VMSET_BACKEND_JOINS;
}

/* The step has failed: undo what was done.  Returns why. */
__attribute__((noinline)) static int take_back(const struct vmset__plan *plan,
					       const struct vmset__step *step,
					       struct undo *undo)
{
	undo->tally->undone++;
	if (undo->result == -ENOTRECOVERABLE) {
		undo->given_up = step->range;
		give_up(undo, step->range, step->backend);
	} else if (may_be_half_done(step)) {
		undo_step(step, undo);
	}
	while (step-- > plan->steps)
		undo_step(step, undo);
	return undo->result;
}

int vmset__apply(const struct vmset__plan *plan, struct vmset__tally *tally,
		 vmset__lost_fn *lost, void *arg)
{
	const struct vmset__step *step = plan->steps;
	const struct vmset__step *end = step + plan->steps_n;

	for (; step < end; step++) {
		int rc = do_step(step, tally);

		if (rc)
			return take_back(plan, step, &(struct undo){
				.tally = tally, .lost = lost, .arg = arg,
				.result = rc,
			});
	}
	return 0;
}
