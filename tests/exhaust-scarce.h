/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Scarce memory for a set's records: the nodes that it has in store are taken
 * away, but for so many, and mmap is refused.
 */
#ifndef TESTS_EXHAUST_SCARCE_H
#define TESTS_EXHAUST_SCARCE_H

#include "exhaust-world.h"
#include "slab.h"

/* How scarce it is. */
struct scarcity {
	enum vmset__class class;        /* of this class, or of both kinds of leaves */
	unsigned int nodes;             /* there are so many nodes, */
	unsigned int requests;          /* and mmap works so often */
};

/* Nodes kept from the set for the length of an operation. */
#define SCARCE_HELD 512

struct held {
	struct vmset__node *node[VMSET__CLASSES][SCARCE_HELD];
	unsigned int n[VMSET__CLASSES];
	char *bump[VMSET__CLASSES], *bump_end[VMSET__CLASSES];
};

/* At least so many nodes of a class there are that could be given. */
unsigned int scarce_stock(const struct world *world);

void scarce_begin(struct held *held, const struct world *world,
		  const struct scarcity *scarcity);

/* Give all back.  Returns how often mmap was refused. */
unsigned int scarce_end(struct held *held, const struct world *world);

#endif /* TESTS_EXHAUST_SCARCE_H */
