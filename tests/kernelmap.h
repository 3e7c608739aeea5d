/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the kernel has mapped, read from /proc/self/maps without allocating:
 * a reader that maps memory itself would change, or fall into, what it reads.
 */
#ifndef TESTS_KERNELMAP_H
#define TESTS_KERNELMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "vmset.h"

/* One line of the file, the part of it that is in the range asked for. */
struct kernelmap_line {
	uintptr_t start, end;
	uint32_t prot;          /* as PROT_READ and so on */
	bool anonymous;         /* private, and of no file */
};

/* Returns 0 to go on.  Anything else ends the walk. */
typedef int kernelmap_fn(const struct kernelmap_line *line, void *arg);

/*
 * Call fn for each mapping that meets the range, in address order.  0, what fn
 * returned to end the walk, or a negative errno value.
 */
int kernelmap_walk(struct vmset_range range, kernelmap_fn *fn, void *arg);

#endif /* TESTS_KERNELMAP_H */
