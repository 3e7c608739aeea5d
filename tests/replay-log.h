/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Replay what strace printed: each address space in it by a set of its own,
 * one after the other.
 */
#ifndef TESTS_REPLAY_LOG_H
#define TESTS_REPLAY_LOG_H

#include <stddef.h>

#include "replay.h"
#include "shorten.h"
#include "spaces.h"

struct replay_log_how {
	enum replay_target target;
	unsigned int left_out;          /* REPLAY_NO_… */
	enum shorten shorten;
	size_t every;                   /* compare after so many operations */
	struct replay_watch watch;
};

struct replay_log_report {
	struct spaces spaces;
	size_t lines;
	size_t others;                  /* calls that are no concern of sets */
	struct replay_report *each;     /* for each space */
	struct replay_report sum;       /* most_…: the largest of them */
	size_t copied;                  /* maps that only copy a space */
	uint64_t pages;                 /* of the largest reservation */
	uint64_t longest;               /* stretch that was shortened */
};

/*
 * 0, and *report to be freed with replay_log_free; or -1 and the reason in
 * *error.
 */
int replay_log(const void *bytes, size_t size, const struct replay_log_how *how,
	       struct replay_log_report *report, struct trace_error *error);

void replay_log_free(struct replay_log_report *report);

#endif /* TESTS_REPLAY_LOG_H */
