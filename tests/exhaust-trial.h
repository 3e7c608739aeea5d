/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One operation tried from one state: as it is, with each call of a backend
 * failing, with undo failing as well, and with memory refused at every point.
 * The first disagreement with the model is reported and ends the program.
 */
#ifndef TESTS_EXHAUST_TRIAL_H
#define TESTS_EXHAUST_TRIAL_H

#include "exhaust-op.h"
#include "exhaust-scarce.h"
#include "exhaust-world.h"

/* How an operation is hindered. */
struct fault {
	uint64_t failing;               /* calls of the backend, as mock_fail */
	int error;
	bool scarce;                    /* memory is: */
	struct scarcity scarcity;
};

struct counts {
	unsigned long states, transitions;
	unsigned long alike;            /* states, by all names of flags */
	unsigned long failures, shortages;      /* of calls, of memory */
	unsigned long depth;                    /* of the deepest tree */
};

/* What came of a trial: what should be, and what is. */
struct outcome {
	struct answer want, got;
	struct units after;
	bool same;                      /* after is the state before */
	unsigned int calls;
	unsigned int refused;           /* requests for memory */
	const char *wrong;              /* what is not as it should be */
};

/* How thorough to be. */
enum thoroughness {
	TRIAL_PLAIN,            /* nothing fails */
	TRIAL_FAILING,          /* each call, then all of its undo; memory */
	TRIAL_EVERY_UNDO        /* each call of its undo; with no memory, too */
};

/* Told of each state that an operation led to. */
typedef void trial_reached_fn(const struct units *state, void *arg);

struct trial {
	struct world *world;
	enum thoroughness thorough;
	trial_reached_fn *reached;      /* may be NULL */
	void *arg;                      /* its */
	struct counts counts;
	/* In hand. */
	const struct op *op;
	struct fault fault;
	struct outcome outcome;
	struct held held;
	bool dirty;                     /* the world is not as it was built */
	bool searched;                  /* and perhaps not after a search */
};

/*
 * Put the world into a state to try from: the state with this number, whatever
 * that means, which decides about the tree's shape.
 */
void trial_begin(struct trial *trial, const struct units *state,
		 unsigned int number);

/* Destroy the world, and count how deep its tree was. */
void trial_end(struct trial *trial);

/* Try the operation in all ways.  An op_fn for op_for_each. */
void trial_every_way(const struct op *op, void *trial);

/*
 * Try the operation once, from wherever the world is and base says it is, and
 * leave things as they are then, also in base.
 */
void trial_step(struct trial *trial, const struct op *op,
		const struct fault *fault);

/* Report what is wrong, and exit. */
_Noreturn void trial_fail(const struct trial *trial, const char *wrong);

#endif /* TESTS_EXHAUST_TRIAL_H */
