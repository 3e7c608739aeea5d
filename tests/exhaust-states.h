/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The states that were met, each once, in the order in which they were.
 *
 * A state is what the model knows of each unit: kind, flags, backend, class of
 * the offset, data, and whether an entry begins there, which only matters where
 * equal neighbours are not joined.
 */
#ifndef TESTS_EXHAUST_STATES_H
#define TESTS_EXHAUST_STATES_H

#include "exhaust-model.h"

#define STATES_UNITS 10         /* the most that a state can have */

struct states {
	unsigned int names;     /* as a space's; states are one by each */
	uint64_t *key;
	size_t n, room;
	size_t all;             /* with those that are one by other names */
	uint32_t *slot;         /* a hash table: index into key, plus 1 */
	size_t slots;           /* a power of two */
};

/* Add a state, unless it is there, perhaps by other names. */
void states_add(struct states *states, const struct units *model);

/* Make the model what state i was.  Units, origin and merge are given. */
void states_get(const struct states *states, size_t i, struct units *model);

void states_free(struct states *states);

#endif /* TESTS_EXHAUST_STATES_H */
