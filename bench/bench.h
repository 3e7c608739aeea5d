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
__attribute__((noreturn)) void give_up(const char *what);
static inline void need(bool holds, const char *what)
{
	if (!holds)
		give_up(what);
}

/*
 * The time that this thread has had a processor, in the kernel too: what else
 * runs on the machine counts only as far as it takes caches away.
 */
double cpu_ns(void);

/* What a set takes for its own records. */
struct vmset;
size_t record_bytes(const struct vmset *set);

#endif /* BENCH_BENCH_H */
