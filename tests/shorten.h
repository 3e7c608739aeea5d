/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From a program's own addresses to pages of a reservation: what was done in
 * an address space as a trace.
 *
 * Each stretch in which no operation ever began or ended, in the space and in
 * those that it shares an origin with, becomes four pages or, if it has fewer,
 * stays.  So order is kept, and what touches.  Or only those in which nothing
 * was ever mapped are shortened.
 */
#ifndef TESTS_SHORTEN_H
#define TESTS_SHORTEN_H

#include "spaces.h"
#include "trace.h"

enum shorten { SHORTEN_ALL, SHORTEN_HOLES };

/* Where the stretches of a family of spaces begin, there and here. */
struct shortened {
	uint64_t *from;
	uint64_t *to;
	size_t nr;              /* of boundaries */
	uint64_t longest;       /* stretch that was shortened, in pages */
};

/* For the spaces of one family.  0, or -1: no memory. */
int shorten_prepare(struct shortened *shortened, const struct spaces *spaces,
		    size_t family, enum shorten how);

/* A space as a trace.  0, or -1 and the reason in *error. */
int shorten_trace(const struct shortened *shortened, const struct space *space,
		  struct trace *trace, struct trace_error *error);

void shorten_free(struct shortened *shortened);

#endif /* TESTS_SHORTEN_H */
