/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a set should be, as plainly as it can be said: an array of units.  It
 * shares nothing with the library but vmset.h.
 */
#ifndef TESTS_EXHAUST_MODEL_H
#define TESTS_EXHAUST_MODEL_H

#include "vmset.h"

#define UNITS_MAX 64

enum unit_kind { FREE, AREA, GUARD_BEFORE, GUARD_AFTER, LOST };

/* Bytes only, so that units can be compared as such, up to first. */
#define UNIT_ITSELF offsetof(struct unit, first)

struct unit {
	uint8_t kind;
	uint8_t flags;
	uint8_t backend;        /* of an area or a lost range, by number */
	uint8_t shift;          /* of the offset, from that of vmset_map */
	uint8_t data;
	uint8_t first;          /* 1: an entry begins here */
};

struct units {
	uintptr_t origin;       /* the bounds are [origin, origin + count) */
	unsigned int count;
	bool merge;
	struct unit unit[UNITS_MAX];
};

/* Behind the last unit of the entry that unit i is in. */
unsigned int units_end(const struct units *model, unsigned int i);

/*
 * As the functions of the library with these names.  like: what each unit shall
 * be.  Room for guards, of at most one unit, is known to be free.
 */
int units_map(struct units *model, uintptr_t start, size_t size,
	      struct unit like, bool replace, bool before, bool after);
int units_unmap(struct units *model, uintptr_t start, size_t size);
int units_update(struct units *model, uintptr_t start, size_t size,
		 vmset_update_fn *fn, void *arg);

/* Nobody knows any more what is in [start, start + size). */
void units_lose(struct units *model, uintptr_t start, size_t size,
		uint8_t backend);

/* Where vmset_alloc places an area; RANDOM: one of the possible places. */
int units_place(const struct units *model, const struct vmset_placement *where,
		size_t size, uintptr_t *start);

#endif /* TESTS_EXHAUST_MODEL_H */
