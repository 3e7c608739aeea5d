/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Operations on pages that are known, as values: so that they can be listed,
 * chosen at random, and done once more.
 */
#ifndef TESTS_DEEDS_H
#define TESTS_DEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pages.h"

enum deed_op { MAP, REPLACE, UNMAP, PROTECT_NONE, PROTECT_R, PROTECT_RW, UPDATE,
	       ALLOC, CLEAR, OPS };

extern const char *const deed_names[OPS];

/* An operation on the pages [from, to); ALLOC is given the page that it gets. */
struct deed {
	enum deed_op op;
	size_t from, to;
};

/* Whether it is one of those that protect; to which flags. */
bool deed_protects(enum deed_op op);
uint32_t deed_flags(enum deed_op op);

/* Do it.  The result is the library's. */
int deed_try(const struct pages *pages, struct deed *deed);

/* What it must have done if it returned 0. */
void deed_note(struct pages *pages, const struct deed *deed);

/* Results that say that there was nothing to do. */
bool deed_is_idle(int result);

/* It works, or is idle, and all is as it must be then. */
void deed_do(struct pages *pages, struct deed deed);

#endif /* TESTS_DEEDS_H */
