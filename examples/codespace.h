/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * codespace: memory for machine code, in a set from vmset_reserve.
 *
 * A piece of code is writable or executable, never both.  It is written where
 * it will stand, so that distances in it are right from the start.
 */
#ifndef CODESPACE_H
#define CODESPACE_H

#include <stdint.h>

#include <vmset.h>

struct piece {
	uintptr_t start;
	size_t size;            /* of its pages */
};

/*
 * Get pages for size bytes of code, writable: as near to the address near as
 * can be, and wholly inside within, where {0, 0} is the set's bounds.
 * 0, or the error of vmset_alloc.
 */
int codespace_get(struct vmset *set, size_t size, uintptr_t near,
		  struct vmset_range within, struct piece *piece);

/* Make a piece writable, or executable.  0, or the error of vmset_protect. */
int codespace_write(struct vmset *set, const struct piece *piece);
int codespace_seal(struct vmset *set, const struct piece *piece);

/* The rights of a piece, as in "r-x", by the set and by the kernel. */
struct rights {
	char set[4], kernel[5];
};

/*
 * Look at the whole set and at all that the kernel has mapped in its bounds.
 * NULL, and the rights of the piece; or what is wrong: something is writable
 * and executable, or they disagree, or /proc/self/maps cannot be read.
 */
const char *codespace_check(const struct vmset *set, const struct piece *piece,
			    struct rights *rights);

#endif /* CODESPACE_H */
