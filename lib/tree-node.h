/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The nodes of the tree.  Only the tree's own files include this.
 *
 * A node does not change once it is published, but for
 *   - the child pointers of an inner node: one release store replaces a child,
 *     with all below it, and thereby publishes a change;
 *   - the summaries of an inner node, which no reader looks at.
 *
 * bound[i] divides child i from child i + 1: ends of entries in child i are at
 * most bound[i], those in child i + 1 are greater.  It is fixed when the
 * node is built and may be larger than the last end there is.  The bound of the
 * last child means nothing: the child takes all that comes to its parent.
 *
 * An entry may begin below the bound before it (when the entries there are
 * gone).  A search that ends behind the last entry of a leaf goes on with the
 * next leaf, so it finds it.
 */
#ifndef VMSET_TREE_NODE_H
#define VMSET_TREE_NODE_H

#include "search.h"
#include "shared.h"
#include "tree.h"

#define LEAF_SLOTS  VMSET_LEAF_SLOTS
#define INNER_SLOTS VMSET_INNER_SLOTS

#if LEAF_SLOTS < 4 || LEAF_SLOTS > 32 || (LEAF_SLOTS & (LEAF_SLOTS - 1)) != 0
#error "VMSET_LEAF_SLOTS: 4, 8, 16 or 32"
#endif
#if INNER_SLOTS < 4 || INNER_SLOTS > 32 || \
	(INNER_SLOTS & (INNER_SLOTS - 1)) != 0
#error "VMSET_INNER_SLOTS: 4, 8, 16 or 32"
#endif

/* What only those need who have found an entry. */
struct vmset__more {
	uint64_t offset;
	const struct vmset_backend *backend;
	void *data;
};

/*
 * The fields of the entries.  Those that are searched have arrays of their own,
 * of whole cache lines.  Unused ends are ~0.
 */
struct vmset__leaf {
	struct vmset__node node;
	_Alignas(64) uintptr_t end[LEAF_SLOTS];
	uintptr_t start[LEAF_SLOTS];
	uint32_t flags[LEAF_SLOTS];
	struct vmset__more more[LEAF_SLOTS];
};

/*
 * For each child the largest block that its gaps could take at one alignment,
 * filled in when a search asks for it.  rooms[r] is for tree->alignment[r].  A
 * child whose room is known knows those of all its children.
 */
struct vmset__rooms {
	uint32_t use;                   /* for this use of the alignment */
	uint32_t valid;                 /* bit i: room[r][i] is right */
};

struct vmset__inner {
	struct vmset__node node;
	/* Beside the node's head, since every change looks at them. */
	struct vmset__rooms rooms[VMSET_TREE_ALIGNMENTS];
	_Alignas(64) uintptr_t bound[INNER_SLOTS];      /* unused: ~0 */
	uintptr_t child[INNER_SLOTS];   /* nodes of the level below */
	/* Summaries: first start, last end, and largest gap between, in child i. */
	uintptr_t first[INNER_SLOTS];
	uintptr_t last[INNER_SLOTS];
	uintptr_t gap[INNER_SLOTS];
	uintptr_t room[VMSET_TREE_ALIGNMENTS][INNER_SLOTS];
};

/* A root word: nodes are aligned to more than there are levels. */
#define LEVEL_MASK ((uintptr_t)63)

static inline uintptr_t vmset__root(const void *node, unsigned level)
{
	return (uintptr_t)node | level;
}

static inline unsigned vmset__root_level(uintptr_t root)
{
	return (unsigned)(root & LEVEL_MASK);
}

static inline uintptr_t vmset__root_node(uintptr_t root)
{
	return root & ~LEVEL_MASK;
}

static inline struct vmset__leaf *vmset__leaf(uintptr_t node)
{
	return (struct vmset__leaf *)node;
}

static inline struct vmset__inner *vmset__inner(uintptr_t node)
{
	return (struct vmset__inner *)node;
}

static inline enum vmset__class vmset__class_of(unsigned level)
{
	return level ? VMSET__INNER : VMSET__LEAF;
}

/* How many of the ascending keys are at most addr; slots is that of a node. */
static inline unsigned vmset__count_le(const uintptr_t *keys, unsigned slots,
				       uintptr_t addr)
{
	return slots == VMSET__SEARCH_KEYS ?
		       vmset__search(keys, addr) :
		       vmset__search_plain(keys, slots, addr);
}

/*
 * The child of an inner node in which to look for the lowest end > addr.  An
 * address without one in any child goes to the last.
 */
static inline unsigned vmset__route(const struct vmset__inner *inner,
				    unsigned count, uintptr_t addr)
{
	unsigned i = vmset__count_le(inner->bound, INNER_SLOTS, addr);

	return i < count ? i : count - 1;
}

/*
 * Go to where addr leads, as vmset__cursor_seek, but stay in that leaf also
 * when nothing there ends above addr.
 */
void vmset__cursor_route(struct vmset__cursor *cursor,
			 const struct vmset__tree *tree, uintptr_t addr);

/* Of what is below a node; the node is not empty. */
struct vmset__summary vmset__summarise(uintptr_t node, unsigned level);

#endif /* VMSET_TREE_NODE_H */
