/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The address spaces of all processes in strace's output, and what was done in
 * each.
 *
 * Which space a call belongs to is said by clone, fork, vfork and execve, if
 * they are in the log (-e trace=memory,process).  Where they are not, it is
 * worked out, and noted as such:
 *
 *   - A pid that a SIGCHLD names is a process of its own, and begins with a
 *     copy of the receiver's space.
 *   - Another pid that appears is a thread of the space that was used last
 *     among those that its first call suits, by the addresses it works on; and
 *     a process with a copy of the one used last if it suits none.
 *   - A question for the break whose answer is not the break means an execve.
 *   - A thread by this rule that is given addresses that are taken in its space
 *     is a process after all, and from then on has a copy of the space.
 *
 * A line without pid belongs to the one that is alone, or was first.
 */
#ifndef TESTS_SPACES_H
#define TESTS_SPACES_H

#include <stddef.h>
#include <stdint.h>

#include "space.h"
#include "strace.h"

struct progress;

struct spaces {
	struct space *at;       /* in the order in which they came to be */
	size_t nr, room;
	size_t nr_families;
	size_t tasks;           /* threads and processes, all in all */
	size_t calls[STRACE_CALLS];     /* in the log, by strace_name */
	struct notes notes;
};

/*
 * Work out what was done.  every is that of struct space.  0, and *spaces to be
 * freed with spaces_free; or -1 and the reason in *error.  progress may be
 * NULL.
 */
int spaces_build(struct spaces *spaces, const struct strace_log *log,
		 size_t every, struct progress *progress,
		 struct trace_error *error);

void spaces_free(struct spaces *spaces);

/* What a note means, in words. */
const char *spaces_note(enum note note);

#endif /* TESTS_SPACES_H */
