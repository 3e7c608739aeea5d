/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Counting what a set consists of.
 */
#ifndef VMSET_STATS_H
#define VMSET_STATS_H

#include "internal.h"

/* The size of the structure in the first version that had it. */
#define VMSET__STATS_LEAST \
	(offsetof(struct vmset_stats, undone) + sizeof(uint64_t))

/*
 * Fill in as much of *stats as its size says, with the lock held.  0 or a negative
 * errno; then *stats is as it was.
 */
int vmset__stats(const struct vmset *set, struct vmset_stats *stats,
		 uint32_t how);

#endif /* VMSET_STATS_H */
