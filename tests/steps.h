/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Steps against the model: operations on a set, on the mock or in a kernel
 * reservation, whose results and work are held against a cell an address.  What
 * a step does is chosen by whoever runs it: random numbers, or a fuzzer's
 * input.
 *
 * On the mock, calls of the backend fail as chosen, those that undo too.  What
 * is lost then is looked at, and unmapped before the next step.
 */
#ifndef TESTS_STEPS_H
#define TESTS_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layers.h"
#include "model.h"
#include "vmset.h"

/* A number from 0 to limit - 1, which is less than 2^16. */
typedef uint32_t steps_choose(void *arg, uint32_t limit);

struct steps {
	/* Set before the start. */
	steps_choose *choose;
	void *arg;
	uint32_t longest;               /* range of an operation, in cells */

	struct vmset *set;
	struct model model;
	struct layers layers;           /* not on the kernel */
	bool kernel;
	size_t from, to;                /* the range of this operation */
};

/* An empty set of count cells. */
void steps_start_on_mock(struct steps *run, size_t granule, size_t count,
			 uint32_t promises, uint32_t options);
void steps_start_on_kernel(struct steps *run, size_t count, uint32_t options);

/* One operation, and vmset__check. */
void steps_take(struct steps *run);

/* The set, and what is under it, must be what the model says. */
void steps_compare(const struct steps *run);

void steps_end(struct steps *run);

#endif /* TESTS_STEPS_H */
