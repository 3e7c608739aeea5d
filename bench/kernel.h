/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The same operations on the kernel, by a set from vmset_reserve and by bare
 * system calls.
 */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

#include "results.h"

#define KERNEL_PART "on the kernel"

/* Measure at a number of areas.  Each takes two mappings. */
void kernel_measure(struct results *results, size_t areas,
		    unsigned int rounds);

/* Reserving 64 TiB, and the first map in it. */
void kernel_measure_start(struct results *results, unsigned int rounds);

/* The most areas that the system has mappings for. */
size_t kernel_most_areas(void);

/* What a set of three areas takes for its records, in bytes. */
size_t kernel_small_set_bytes(void);

#endif /* BENCH_KERNEL_H */
