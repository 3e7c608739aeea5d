/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Searching the keys of a full-sized node: VMSET__SEARCH_KEYS ascending words.
 *
 * What the machine can do best is chosen when the library is loaded, through a
 * pointer: that needs nothing of the linker or of libc.  Before that, and
 * on other machines, plain C does it.
 *
 * A vector load reads two to eight words, not at one moment but each of them
 * whole, as the machines in question do.  A node that a reader is entitled to
 * does not change, and what others show is forgotten (tree.c).
 */
#ifndef VMSET_SEARCH_H
#define VMSET_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "shared.h"

#define VMSET__SEARCH_KEYS 32

typedef unsigned vmset__search_fn(const uintptr_t *keys, uintptr_t addr);

/* How many of the keys are at most addr. */
extern vmset__search_fn *vmset__search;

/* The ways there are, "plain" first; NULL at the end. */
struct vmset__search_way {
	const char *name;
	vmset__search_fn *search;
	bool (*works)(void);            /* on this machine */
};
extern const struct vmset__search_way vmset__search_ways[];

/* Choose by name, or the best for NULL.  false: not on this machine. */
bool vmset__search_choose(const char *name);

/*
 * The same for any power of two of keys.  Five or six steps without a branch
 * that could be mispredicted.
 */
static inline unsigned vmset__search_plain(const uintptr_t *keys,
					   unsigned slots, uintptr_t addr)
{
	unsigned n = 0;

	for (unsigned half = slots / 2; half; half /= 2)
		n += vmset__load(&keys[n + half - 1]) <= addr ? half : 0;
	return n + (vmset__load(&keys[n]) <= addr);
}

#endif /* VMSET_SEARCH_H */
