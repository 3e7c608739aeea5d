/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What real programs did to their address spaces, done again by a set and by
 * bare system calls.
 */
#ifndef BENCH_TRACES_H
#define BENCH_TRACES_H

#include "results.h"

#define TRACES_PART "recorded runs"

/* A file of tests/traces. */
void traces_measure(struct results *results, const char *path,
		    unsigned int rounds);

#endif /* BENCH_TRACES_H */
