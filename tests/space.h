/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One address space of a traced program: what is mapped in it, as far as its
 * calls tell, and the operations on a set that do the same.
 */
#ifndef TESTS_SPACE_H
#define TESTS_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intervals.h"
#include "strace.h"
#include "trace.h"

/* What is not replayed, and what is replayed otherwise than the program did. */
enum note {
	NOTE_FAILED,
	NOTE_UNKNOWN,
	NOTE_HEADLESS,
	NOTE_IDLE,
	NOTE_SEGMENT,
	NOTE_SEAL,
	NOTE_SHADOW,
	NOTE_BREAK,
	NOTE_LOST_PID,
	NOTES_NOT_REPLAYED,     /* how many of those there are */
	NOTE_FILE = NOTES_NOT_REPLAYED,
	NOTE_MOVED,
	NOTE_FOUND,
	NOTE_NOTHING,
	NOTE_OCCUPIED,
	NOTE_MORE_PROT,
	NOTE_GROWS,
	NOTE_THREAD,
	NOTE_FORK,
	NOTE_EXEC,
	NOTE_SPLIT,
	NOTE_NO_PID,
	NOTES,
};

struct notes {
	size_t nr[NOTES];
};

/*
 * An operation, in pages of the program's own addresses.  A state: its areas
 * are those from number start up to, without, end in space.expected.
 */
struct space_op {
	uint64_t start, end;
	enum trace_kind kind;
	uint32_t prot;
	uint32_t line;
};

enum space_birth { SPACE_FIRST, SPACE_FORKED, SPACE_EXECED };

struct space {
	enum space_birth birth;
	uint32_t pid;           /* whose call made it; 0: not known */
	uint32_t line;          /* of that call */
	size_t family;          /* the same for all that are copies of others */
	size_t tasks;           /* threads that live in it */
	uint64_t used;          /* a number that grows with each call */
	struct intervals areas; /* what is mapped now */
	uint64_t brk;           /* in bytes; 0: not known yet */
	struct space_op *ops;
	size_t nr_ops, ops_room;
	struct interval *expected;
	size_t nr_expected, expected_room;
	size_t copied;          /* of ops: made to be like another */
	size_t unchecked;       /* operations since the last state */
	size_t every;           /* a state after so many, 0: at the end only */
};

/* The unit of addresses in the log. */
#define SPACE_PAGE ((uint64_t)4096)

/* Whether the call, if done, shows that it was made in another space. */
bool space_clashes(const struct space *space, const struct strace_event *event);

/* Whether it works on something that is in this space. */
bool space_suits(const struct space *space, const struct strace_event *event);

/*
 * Do a call that was done.  0; or -1 and the reason in *error if no kernel
 * would have done it.
 */
int space_call(struct space *space, const struct strace_event *event,
	       struct notes *notes, struct trace_error *error);

/* Make the space, which is new, a copy.  0 or -1: no memory. */
int space_copy(struct space *space, const struct space *from, uint32_t line);

/* Expect the areas as they are now.  0 or -1: no memory. */
int space_expect(struct space *space, uint32_t line);

void space_free(struct space *space);

#endif /* TESTS_SPACE_H */
