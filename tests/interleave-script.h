/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a writer does in a world that is watched: operations that build the
 * set, then others whose stores are logged.  A model tells what the set is
 * after each of them, and so what a reader may answer.
 */
#ifndef TESTS_INTERLEAVE_SCRIPT_H
#define TESTS_INTERLEAVE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmset.h"

#define SPACE 128               /* addresses, from 0 */
#define STEPS_MOST 40
#define BEGIN_MOST 24

enum step_kind { STEP_END, STEP_MAP, STEP_UNMAP, STEP_PROTECT, STEP_FENCED };

/* STEP_FENCED: an area with a guard of one address on each side. */
struct step {
	enum step_kind kind;
	uint8_t from, to;
	uint32_t flags;
};

struct script {
	const char *name;
	/* To begin with: an area of one address at each multiple of spread. */
	unsigned int spread, areas;
	struct step begin[BEGIN_MOST];
	/* What is logged: round after round of these. */
	struct step round[STEPS_MOST];
	bool wide;                      /* its only leaf, by an area at the end */
};

enum question_kind { ASK_FIND, ASK_NEXT, ASK_BELOW, ASK_RUN, ASK_RANGES,
		     ASK_OVERLAPS, ASK_LEN, ASK_EMPTY, ASK_EXPLAIN };

struct question {
	enum question_kind kind;
	uintptr_t addr;
	size_t size;
};

/*
 * What there is to say, the rest is zero.  Of a run of areas: how many, the
 * first start, the last end, the sums of flags and offsets.  Of ranges: how many,
 * the sums of their starts and ends.
 */
struct answer {
	size_t result;
	uintptr_t start, end;
	uint32_t flags;
	uint64_t offset;
	/* Of an explanation: the neighbours. */
	uintptr_t below, above;
};

/* Do as the script says, so many steps of the rounds. */
void script_run(const struct script *script, unsigned int steps);
void script_end(void);

/* The states that the set has gone through: 0 before the first step. */
size_t script_states(void);

/* The store that makes the state; found and noted by who asks all questions. */
size_t script_published(size_t state);
void script_set_published(size_t state, size_t store);

/* The last store of the step that made the state. */
size_t script_step_end(size_t state);

/* What the library says now. */
struct answer script_ask(const struct question *question);

/*
 * What the model says.  Of a run so many areas as the answer has: which of them
 * lie together is the library's business.
 */
struct answer script_expect(size_t state, const struct question *question,
			    const struct answer *answer);

/*
 * Whether the question can be asked here.  A run is of one moment as long as
 * no guards are passed over.
 */
bool script_knows(const struct question *question);

bool answer_is(const struct answer *a, const struct answer *b);

/* The name of a word of the set, for people. */
void script_name(const void *addr, char *text, size_t size);

#endif /* TESTS_INTERLEAVE_SCRIPT_H */
