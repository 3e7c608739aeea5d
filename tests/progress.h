/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Telling people how far a long piece of work is, on standard error.
 */
#ifndef TESTS_PROGRESS_H
#define TESTS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	const char *name;       /* of what is worked on */
	bool always;            /* tell of short work, too, in whole lines */
	bool shown;
	uint64_t next;          /* when to tell again */
};

/*
 * done of total are done.  Cheap, so call it for every piece.  Tells once a
 * second, and of the end if asked to tell always.  progress may be NULL.
 */
void progress_step(struct progress *progress, const char *what, size_t done,
		   size_t total);

/* Take the line away, before something else is printed. */
void progress_hide(struct progress *progress);

#endif /* TESTS_PROGRESS_H */
