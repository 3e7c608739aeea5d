/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where in a set something could go: the placement policies, each by one or a
 * few searches of the tree.
 */
#ifndef VMSET_PLACE_H
#define VMSET_PLACE_H

#include "internal.h"

/* A struct vmset_placement, with the size of the area itself. */
struct vmset__wish {
	uint32_t policy;
	size_t size;
	uintptr_t hint;
	struct vmset_range limit;
	size_t align, guard_before, guard_after;
};

/* 0, after what stands for a default is filled in, or -EINVAL. */
int vmset__wish_check(const struct vmset *set, struct vmset__wish *wish);

/*
 * The start of the area, or -ENOSPC.  Needs the lock.  below, if not NULL: see
 * struct vmset__fit; only where one search is all it takes.
 */
int vmset__place(struct vmset *set, const struct vmset__wish *wish,
		 uintptr_t *start, struct vmset__cursor *below);

#endif /* VMSET_PLACE_H */
