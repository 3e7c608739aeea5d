/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Replay a recorded run and hold what comes out against what was recorded.
 *
 * REPLAY_SET does the calls by a set over a kernel reservation.  At every
 * expected state the areas of the set, the kernel's mappings and vmset_verify
 * must agree with it.
 *
 * REPLAY_BARE does the same calls by mmap, munmap and mprotect, and compares
 * the kernel's mappings.  It shows that the trace is right, and what the calls
 * cost alone.
 */
#ifndef TESTS_REPLAY_H
#define TESTS_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "calls.h"
#include "trace.h"

struct progress;

enum replay_target {
	REPLAY_SET,
	REPLAY_BARE,
};

/* What to leave out at the states. */
#define REPLAY_NO_AREAS  1u
#define REPLAY_NO_MAPS   2u
#define REPLAY_NO_VERIFY 4u

struct replay_report {
	size_t done[TRACE_KINDS];       /* operations, and states that agree */
	size_t most_areas;              /* REPLAY_SET: after any operation */
	size_t most_vmas;               /* at any state, if maps is compared */
	size_t last_areas, last_vmas;   /* at the last state */
	struct calls calls;             /* of the operations, if counted */
	uint64_t ns;                    /* spent in the operations */
	struct trace_error error;       /* what went wrong first */
};

/* What looks on.  Either may be NULL. */
struct replay_watch {
	/* How many system calls there were until now. */
	void (*count)(struct calls *calls);
	struct progress *progress;
};

/* 0; or -1 and what went wrong in report->error. */
int replay_run(const struct trace *trace, enum replay_target target,
	       unsigned int left_out, struct replay_report *report);

/* The same while somebody looks on. */
int replay_run_watched(const struct trace *trace, enum replay_target target,
		       unsigned int left_out, const struct replay_watch *watch,
		       struct replay_report *report);

#endif /* TESTS_REPLAY_H */
