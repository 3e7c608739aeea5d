/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Finding the area at an address: the reader that has to be fast.
 *
 * There is a way to do it for each width of vectors; the best that the machine
 * has is chosen when the library is loaded, and plain C does it until then.
 */
#ifndef VMSET_TREE_FIND_H
#define VMSET_TREE_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "search.h"
#include "tree.h"

typedef int vmset__find_fn(const struct vmset__tree *tree, uintptr_t addr,
			   struct vmset_area *area);

/*
 * 0, and in *area, unless that is NULL, the area that addr is in; -ENOENT if it is in
 * none.
 */
extern vmset__find_fn *vmset__tree_find;

/* The ways there are, "plain" first; NULL at the end. */
struct vmset__find_way {
	const char *name;
	vmset__find_fn *find;
	vmset__keys_below_fn *keys_below;       /* which it searches nodes by */
	bool (*works)(void);                    /* on this machine */
};
extern const struct vmset__find_way vmset__find_ways[];

/* Choose by name, or the best for NULL.  false: not on this machine. */
bool vmset__find_choose(const char *name);

#endif /* VMSET_TREE_FIND_H */
