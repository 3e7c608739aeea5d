/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Worlds that are too large to be exhausted, but large enough for deep trees.
 */
#ifndef TESTS_EXHAUST_DEEP_H
#define TESTS_EXHAUST_DEEP_H

#include "exhaust-trial.h"

/*
 * From a family of states, with the tree in many shapes, every operation that
 * changes something (or one in so many), so that each node is met at every
 * place; and a sample of the many placements.
 */
void deep_family(const struct space *space, enum thoroughness thorough,
		 unsigned int one_in, struct counts *counts);

/* A walk of so many steps at random, with failures and shortages on the way. */
void deep_walk(const struct space *space, unsigned long steps,
	       struct counts *counts);

#endif /* TESTS_EXHAUST_DEEP_H */
