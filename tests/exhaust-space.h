/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A space, completely: from the empty set, breadth first, every state that can
 * be reached, and from each of them every operation with every argument.
 */
#ifndef TESTS_EXHAUST_SPACE_H
#define TESTS_EXHAUST_SPACE_H

#include "exhaust-trial.h"

void space_explore(const struct space *space, enum thoroughness thorough,
		   struct counts *counts);

#endif /* TESTS_EXHAUST_SPACE_H */
