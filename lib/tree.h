/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The ordered index of a set: a B+tree of areas with gap summaries.
 *
 * The tree holds *entries*: struct vmset_area values, non-empty, in order,
 * without overlap.  What they mean is not its business: it never looks at an
 * entry's backend, but to tell areas from the rest.
 *
 * Writers are serialised by the caller.  A change replaces a run of entries by
 * other entries.  It is prepared aside, which may fail for want of memory, and
 * then published by one store, which cannot fail, or discarded.
 *
 * Readers need no lock.  They are the functions named vmset__tree_read_….
 */
#ifndef VMSET_TREE_H
#define VMSET_TREE_H

#include "slab.h"
#include "vmset.h"

/*
 * Entries in a leaf and children of an inner node: from 4 to 32.  Tiny nodes make
 * deep trees in small tests.
 */
#ifndef VMSET_LEAF_SLOTS
#define VMSET_LEAF_SLOTS 32
#endif
#ifndef VMSET_INNER_SLOTS
#define VMSET_INNER_SLOTS 31
#endif

/* More levels than any tree gets, whose nodes split into halves. */
#define VMSET_TREE_LEVELS 40

/* As many alignments can be searched for in turn without work done twice. */
#define VMSET_TREE_ALIGNMENTS 4

struct vmset__alignment {
	size_t align, lead;
	uint32_t use;           /* counts the alignments that had this place */
	uint32_t shift;         /* of the grain */
};

/*
 * An area is *plain* if it is of this backend, its offset is its distance from
 * base, and its data is NULL.  Plain areas take less memory.
 */
struct vmset__plain {
	const struct vmset_backend *backend;
	uintptr_t base;
};

struct vmset__tree {
	uintptr_t root;         /* the root node | its level */
	struct vmset__plain plain;      /* never changes */
	/*
	 * The publication in progress.  While seq is odd, *slot is about to
	 * become fresh, or has become it; len[seq / 2 % 2] is the length
	 * before, the other one the length after.  While it is even, the length
	 * is len[seq / 2 % 2].
	 */
	uintptr_t seq;
	uintptr_t *slot;
	uintptr_t fresh;
	size_t len[2];
	struct vmset__slab slab;
	/* Searches for free room, under the lock, keep notes. */
	struct vmset__alignment alignment[VMSET_TREE_ALIGNMENTS];
	unsigned next_alignment;        /* the place to give away next */
};

/* Field by field: a copy of the whole would wait for stores of its parts. */
static inline void vmset__plain_area(const struct vmset__tree *tree,
				     struct vmset_range range, uint32_t flags,
				     struct vmset_area *area)
{
	area->start = range.start;
	area->end = range.end;
	area->flags = flags;
	area->backend = tree->plain.backend;
	area->offset = range.start - tree->plain.base;
	area->data = NULL;
}

/* Sizes of the nodes, for vmset__slab_init. */
extern const size_t vmset__tree_node_size[VMSET__CLASSES];

/*
 * Make an empty tree over tree->slab, with nodes kept for urgent changes; false
 * without memory.
 */
bool vmset__tree_init(struct vmset__tree *tree, struct vmset__plain plain);

/* ---- readers ---- */

/*
 * The lowest entry with end > addr for which skip returns false.  A NULL skip
 * stands for one that always does.  false if there is none.
 */
typedef bool vmset__skip_fn(const struct vmset_area *entry);
bool vmset__tree_read(const struct vmset__tree *tree, uintptr_t addr,
		      vmset__skip_fn *skip, struct vmset_area *entry);

/*
 * The areas with end > *addr, from the lowest on: those in one leaf, and at most
 * max.  Returns how many, and has *addr where to go on; 0 if there is none.
 */
size_t vmset__tree_read_areas(const struct vmset__tree *tree, uintptr_t *addr,
			      struct vmset_area *areas, size_t max);

/* As vmset__tree_read_areas, of the areas no more than their ranges. */
size_t vmset__tree_read_ranges(const struct vmset__tree *tree, uintptr_t *addr,
			       struct vmset_range *ranges, size_t max);

/* As vmset__tree_read, for the highest entry with end <= addr. */
bool vmset__tree_read_below(const struct vmset__tree *tree, uintptr_t addr,
			    vmset__skip_fn *skip, struct vmset_area *entry);

/*
 * A number for the tree's state.  All that was read between two calls that
 * returned the same is of one moment.
 */
uintptr_t vmset__tree_read_moment(const struct vmset__tree *tree);

/* The length, which is what the changes' len_change add up to. */
size_t vmset__tree_read_len(const struct vmset__tree *tree);

/* ---- writers ---- */

struct vmset__step_of_path {
	struct vmset__inner *node;
	unsigned at;
};

/* A place in the tree, good until the next publication. */
struct vmset__cursor {
	const struct vmset__tree *tree;
	unsigned level;                         /* the root's */
	/* path[l] leads from the node at level l to that at l - 1. */
	struct vmset__step_of_path path[VMSET_TREE_LEVELS];
	struct vmset__leaf *leaf;
	unsigned at;
	bool moved;                             /* on to another leaf */
};

/* Go to the lowest entry with end > addr. */
void vmset__cursor_seek(struct vmset__cursor *cursor,
			const struct vmset__tree *tree, uintptr_t addr);

/* The entry at the cursor; false behind the last one. */
bool vmset__cursor_get(const struct vmset__cursor *cursor,
		       struct vmset_area *entry);
void vmset__cursor_advance(struct vmset__cursor *cursor);

/*
 * Copy the entries from the cursor on that start at end or below, but at most
 * max, and leave the cursor behind them all.  Returns how many there are.
 */
size_t vmset__cursor_take(struct vmset__cursor *cursor, uintptr_t end,
			  struct vmset_area *entries, size_t max);

/*
 * Replace all entries in cut by fresh[0 .. n), which lie where those were and in
 * the free room around.  cut begins and ends where an entry does; to insert, it
 * is empty and lies where the new entries begin.
 */
struct vmset__splice {
	struct vmset_range cut;
	uintptr_t low_end, high_end;    /* lowest and highest end, old or new */
	const struct vmset_area *fresh;
	size_t n;
	ptrdiff_t len_change;
};

/* First start, last end, and largest gap between them. */
struct vmset__summary {
	uintptr_t first, last, gap;
};

struct vmset__change {
	/*
	 * May be set, for prepare, by who has sought an address below the
	 * lowest end with left, and gone on with it behind the cut, but not
	 * beyond that leaf.
	 */
	bool routed;
	uintptr_t *slot;                /* the word to store */
	uintptr_t fresh;                /* and its new value */
	ptrdiff_t len_change;
	struct vmset__summary sum;      /* of fresh; not for a new root */
	/* A leaf whose next turn it is, what will be used of it; or NULL. */
	struct vmset__leaf *leaf;
	uint32_t used, count;
	struct vmset__node *made[VMSET__CLASSES];
	/*
	 * Nodes dropped by it: at each level the children [low, high] of the
	 * nodes on the paths to the ends of the cut.  dropped_level is the level
	 * of the topmost one.
	 */
	struct vmset__cursor left, right;
	unsigned low[VMSET_TREE_LEVELS], high[VMSET_TREE_LEVELS];
	unsigned dropped_level;
};

/* A change that has nothing to publish or to discard. */
static inline void vmset__change_init(struct vmset__change *change)
{
	for (int class = 0; class < VMSET__CLASSES; class++)
		change->made[class] = NULL;
}

/* What a change is for, when memory is short. */
enum vmset__need {
	VMSET__GROWING,         /* leaves enough for the others */
	VMSET__FREEING,         /* adds no entry; leaves enough for urgent ones */
	VMSET__URGENT           /* cannot fail */
};

/*
 * See to it that urgent changes will have their nodes: as many changes as there
 * are, one after the other, that together add at most two entries.  false: no
 * memory.
 */
bool vmset__tree_keep(struct vmset__tree *tree);

/*
 * 0 or -ENOMEM.  What is prepared can be published or discarded.  Either way
 * there are nodes for urgent changes.
 */
int vmset__tree_prepare(struct vmset__tree *tree, struct vmset__change *change,
			const struct vmset__splice *splice,
			enum vmset__need need);
void vmset__tree_publish(struct vmset__tree *tree,
			 const struct vmset__change *change);
void vmset__tree_discard(struct vmset__tree *tree,
			 struct vmset__change *change);

/* ---- free room ---- */

/*
 * A block of size bytes at b, with window.start <= b, b + size <= window.end,
 * and b + lead a multiple of align.  All entries begin and end at multiples of
 * grain.  lead is less than size.
 */
struct vmset__fit {
	struct vmset_range window;
	size_t size, align, lead, grain;
	/*
	 * Not NULL: the search leaves the cursor at the entry below the gap, where
	 * the one above is in the same leaf; else its leaf is NULL.
	 */
	struct vmset__cursor *below;
};

enum vmset__direction { VMSET__UP, VMSET__DOWN };

/*
 * The first gap between entries, from one end of the window or the other, that
 * has room for the block.  What is returned is the part of the gap that is in
 * the window.  Gaps reach to the ends of the window.
 *
 * O(log n).  For an alignment coarser than the grain that is so once the tree's
 * notes for it are there; the first search that needs them makes them,
 * in O(n) for what it looks at, and the tree keeps those of
 * VMSET_TREE_ALIGNMENTS alignments up to date.  Not for readers without the
 * lock.
 */
bool vmset__tree_find_gap(struct vmset__tree *tree,
			  const struct vmset__fit *fit,
			  enum vmset__direction direction,
			  struct vmset_range *gap);

/* The lowest, or highest, place for the block in a gap; false if none. */
bool vmset__fit_in(const struct vmset__fit *fit, struct vmset_range gap,
		   enum vmset__direction direction, uintptr_t *block);

/* ---- for tests ---- */

/*
 * Walk the whole tree.  NULL if every invariant holds, else what does not.  Adds
 * up the nodes it meets, for the slab's account.
 */
const char *vmset__tree_check(const struct vmset__tree *tree,
			      struct vmset_range bounds);

#endif /* VMSET_TREE_H */
