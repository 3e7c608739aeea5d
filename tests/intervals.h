/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A plain map of pages to protections, to hold a set against: a sorted array
 * of intervals, none of them empty, in which equal neighbours are one.  It
 * shares no code with the library.
 */
#ifndef TESTS_INTERVALS_H
#define TESTS_INTERVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The pages from start up to, without, end. */
struct interval {
	uint64_t start, end;
	uint32_t prot;
};

/* All zero is an empty map. */
struct intervals {
	struct interval *at;
	size_t nr, room;
};

/* What is in [start, end) from now on: prot everywhere, or nothing. */
int intervals_set(struct intervals *map, struct interval interval);
int intervals_clear(struct intervals *map, uint64_t start, uint64_t end);

/* Make to, which is empty, a copy.  Like the above 0, or -1: no memory. */
int intervals_copy(struct intervals *to, const struct intervals *from);

/* The number of the first interval that ends behind page; nr if none does. */
size_t intervals_find(const struct intervals *map, uint64_t page);

/* Whether there is anything in [start, end). */
bool intervals_meet(const struct intervals *map, uint64_t start, uint64_t end);

void intervals_free(struct intervals *map);

#endif /* TESTS_INTERVALS_H */
