/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The works that the set and its peers do, on areas that no system call stands
 * behind.
 */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include "results.h"

#define WORK_PART "in memory"

/*
 * Measure all at a number of areas, in rounds that the peers of these names (NULL:
 * all) take turns in.
 */
void work_measure(struct results *results, size_t areas, unsigned int rounds,
		  const char *peers);

#endif /* BENCH_WORK_H */
