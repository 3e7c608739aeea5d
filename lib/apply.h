/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Carrying out the calls of a plan, and undoing them when one fails.
 */
#ifndef VMSET_APPLY_H
#define VMSET_APPLY_H

#include "plan.h"

/* How many calls were made of each kind, and operations undone. */
struct vmset__tally {
	uint64_t calls[VMSET__CALLS], undone;
};

/* Told of each range whose state nobody knows any more, and whose it was. */
typedef void vmset__lost_fn(struct vmset_range range,
			    const struct vmset_backend *backend, void *arg);

/*
 * Make the calls, and count them.  0; or what the call that failed returned, after all before
 * it were undone; or -ENOTRECOVERABLE, after lost was called for every range
 * where that did not work.
 */
int vmset__apply(const struct vmset__plan *plan, struct vmset__tally *tally,
		 vmset__lost_fn *lost, void *arg);

#endif /* VMSET_APPLY_H */
