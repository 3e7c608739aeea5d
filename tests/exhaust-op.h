/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Operations with all their arguments: one after the other, on a set, on the
 * model, and as text.
 */
#ifndef TESTS_EXHAUST_OP_H
#define TESTS_EXHAUST_OP_H

#include <stdio.h>

#include "exhaust-world.h"

struct op {
	enum {
		OP_MAP, OP_MAP_AREA, OP_UNMAP, OP_PROTECT, OP_UPDATE,
		OP_ALLOC, OP_FIND_FREE, OP_CLEAR
	} call;
	uintptr_t start;                /* start and size of a range, */
	size_t size;                    /* or the size to place */
	struct unit like;               /* flags, and what else an area has */
	uint32_t how;
	unsigned int update;            /* the number of an update function, */
	unsigned int names;             /* and the names by which it knows flags */
	struct vmset_placement where;
};

#define OP_UPDATES 5

/* What came of it. */
struct answer {
	int rc;
	uintptr_t start;                /* of a placement */
	unsigned int asked;             /* how often an update function was */
	uint8_t old[UNITS_MAX];       /* so many areas had these flags */
};

/* What an answer's start is before, and stays where nothing is placed. */
#define OP_NO_START ((uintptr_t)0xdead)

void op_on_set(const struct op *op, const struct world *world,
	       struct answer *got);

/* got: the set's answer, which tells a random choice. */
void op_on_model(const struct op *op, const struct world *world,
		 struct units *model, const struct answer *got,
		 struct answer *want);

void op_print(const struct op *op, const struct space *space, FILE *out);

/* Every operation with every argument, for a space. */
typedef void op_fn(const struct op *op, void *arg);
void op_for_each(const struct space *space, op_fn *fn, void *arg);

#endif /* TESTS_EXHAUST_OP_H */
