/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What came of a replay, for people to read.
 */
#ifndef TESTS_REPLAY_PRINT_H
#define TESTS_REPLAY_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "replay-log.h"

struct replay_print {
	bool areas;             /* the areas of sets are known */
	bool vmas;              /* those of the kernel are */
	bool timed;
	bool spaces;            /* a line for each address space of a log */
};

/* The first line of the table of recorded runs, and one for a run. */
void replay_print_heading(const struct replay_print *how, FILE *out);
void replay_print_run(const char *path, const struct replay_print *how,
		      const struct replay_report *report, FILE *out);

/* All about a log. */
void replay_print_log(const char *path, const struct replay_print *how,
		      const struct replay_log_report *report, FILE *out);

#endif /* TESTS_REPLAY_PRINT_H */
