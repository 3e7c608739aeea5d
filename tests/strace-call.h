/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One call in strace's notation:
 *
 *     mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, 3</lib/x>, 0) = 0x7f01c5a0e000
 *     munmap(0x1000, 1) = -1 EINVAL (Invalid argument)
 */
#ifndef TESTS_STRACE_CALL_H
#define TESTS_STRACE_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "strace.h"

/* The text from at up to, without, end.  What is taken goes from the front. */
struct strace_text {
	const char *at, *end;
};

/* Blanks at the front. */
void strace_skip_blanks(struct strace_text *text);

/* The word, if the text starts with it.  Whether it did. */
bool strace_take(struct strace_text *text, const char *word);

/* A decimal or hex number or NULL, at most 64 bits.  Whether there was one. */
bool strace_take_number(struct strace_text *text, uint64_t *number);

/* A pid, followed by a blank or, with -Y, by <name>. */
bool strace_take_pid(struct strace_text *text, uint32_t *pid);

/* The name of a call.  Whether there was one, with ( behind it. */
bool strace_take_name(struct strace_text *text, struct strace_text *name);

/*
 * Read all about a call.  NULL, and *event but for pid and line; *known says
 * whether it is one that has a number.  Or what is wrong.
 */
const char *strace_call_parse(struct strace_text text,
			      struct strace_event *event, bool *known);

#endif /* TESTS_STRACE_CALL_H */
