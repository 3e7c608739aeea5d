/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the parts of the benchmark share.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE ((size_t)4096)

/* A wrong result is no measurement: end the program, and say what was wrong. */
void need(bool holds, const char *what);

double now_ns(void);

#endif /* BENCH_BENCH_H */
