/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Checks of a set from vmset_reserve against /proc/self/maps, line by line.
 */
#ifndef TESTS_MAPS_H
#define TESTS_MAPS_H

#include "vmset.h"

/*
 * The lines must be those of the set's areas and, inaccessible, of the room
 * between them.  There must be no hole and nothing foreign.  Neighbouring lines
 * with the same rights count as one: the kernel keeps what was touched apart.
 */
void maps_check(const struct vmset *set);

/* The same, and the kernel has no line too many. */
void maps_check_lines(const struct vmset *set);

/* Whether there is nothing at all in the range. */
bool maps_is_hole(struct vmset_range range);

/*
 * How many mappings the process has, without the program's own and its heap,
 * which grows by one more in a child.
 */
size_t maps_count(void);

/* vm.max_map_count, or 0 where that is more than a test should make. */
size_t maps_limit(void);

/* mseal, which C libraries of today do not have.  0 or a negative errno. */
int maps_seal(struct vmset_range range);

#endif /* TESTS_MAPS_H */
