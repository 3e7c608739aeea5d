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

#include "range.h"
#include "search.h"
#include "shared.h"
#include "tree.h"

#define LEAF_SLOTS  VMSET_LEAF_SLOTS
#define INNER_SLOTS VMSET_INNER_SLOTS

#if LEAF_SLOTS < 4 || LEAF_SLOTS > 32 || INNER_SLOTS < 4 || INNER_SLOTS > 32
#error "VMSET_LEAF_SLOTS and VMSET_INNER_SLOTS: 4 to 32"
#endif

#define LEAF_KEYS  VMSET__SEARCH_ROOM(LEAF_SLOTS)
#define INNER_KEYS VMSET__SEARCH_ROOM(INNER_SLOTS)

/*
 * What orders the children of a node, or its entries, is an *end*: a bound, or the
 * end of an entry.  A node has a short key for each of them, so that one cache
 * line tells where to look: the distance of the end from the node's base,
 * shifted right by its shift, and at most VMSET__KEY_MAX.
 *
 * An end whose key is less than that of an address is less than the address.
 * Ends with the same key, and those at VMSET__KEY_MAX, have to be looked at.  So
 * any base and any shift give right answers; good ones, fast answers.
 */
struct vmset__scale {
	uintptr_t base;
	uint16_t shift;
};

/* What only those need who have found an entry. */
struct vmset__more {
	uint64_t offset;
	const struct vmset_backend *backend;
	void *data;
};

/* The fields of the entries, by what is looked at together. */
struct vmset__leaf {
	struct vmset__node node;
	uintptr_t base;
	_Alignas(16) uint16_t key[LEAF_KEYS];           /* unused: KEY_MAX */
	struct vmset_range range[LEAF_SLOTS];
	uint32_t flags[LEAF_SLOTS];
	struct vmset__more more[LEAF_SLOTS];
};

/*
 * For each child the largest block that its gaps could take at one alignment,
 * filled in when a search asks for it.  rooms[r] is for tree->alignment[r].  A
 * child whose room is known knows those of all its children.  It is counted in
 * grains, up to VMSET__MOST_ROOM, which stands for all that is as large or larger.
 */
#define VMSET__MOST_ROOM UINT32_MAX

struct vmset__rooms {
	uint32_t use;                   /* for this use of the alignment */
	uint32_t valid;                 /* bit i: room[r][i] is right */
};

struct vmset__child {
	uintptr_t bound;                /* the last one's is ~0 */
	uintptr_t node;                 /* of the level below */
};

struct vmset__inner {
	struct vmset__node node;
	uintptr_t base;
	_Alignas(16) uint16_t key[INNER_KEYS];  /* from the last child on: KEY_MAX */
	/* Of the largest gap that is in child i or between it and child i - 1. */
	_Alignas(16) uint8_t width[VMSET__WIDTHS];
	struct vmset__child child[INNER_SLOTS];
	struct vmset__rooms rooms[VMSET_TREE_ALIGNMENTS];
	struct vmset__summary sum[INNER_SLOTS];         /* of child i */
	uint32_t room[VMSET_TREE_ALIGNMENTS][INNER_SLOTS];
};

static inline uint32_t vmset__in_grains(const struct vmset__alignment *al,
					uintptr_t room)
{
	return (uint32_t)vmset__min(room >> al->shift, VMSET__MOST_ROOM);
}

/* The sum of child i, or of that before it, has changed. */
static inline void vmset__measure(struct vmset__inner *inner, unsigned i)
{
	const struct vmset__summary *child = &inner->sum[i];
	uintptr_t gap = child->gap;

	if (i)
		gap = vmset__max(gap, child->first - child[-1].last);
	inner->width[i] = vmset__width(gap);
}

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

/* Without a branch: its outcome would be known late, when the node is. */
static inline uint16_t vmset__key(struct vmset__scale scale, uintptr_t addr)
{
	uintptr_t above = -(uintptr_t)(addr >= scale.base);
	uintptr_t key = ((addr - scale.base) & above) >> scale.shift;

	return (uint16_t)vmset__min(key, VMSET__KEY_MAX);
}

/* A function with constant arguments: what it does for others costs nothing. */
#define SPECIALIZED static inline __attribute__((always_inline))

/* How many entries of a leaf, which has count, end at addr or below. */
SPECIALIZED unsigned vmset__ends_by_way(const struct vmset__leaf *leaf,
					unsigned count, uintptr_t addr,
					vmset__keys_below_fn *keys_below)
{
	const struct vmset__scale scale = {
		vmset__load(&leaf->base), vmset__load(&leaf->node.shift),
	};
	unsigned i = keys_below(leaf->key, LEAF_KEYS, vmset__key(scale, addr));

	while (i < count && vmset__load(&leaf->range[i].end) <= addr)
		i++;
	return i < count ? i : count;
}

static inline unsigned vmset__ends_by(const struct vmset__leaf *leaf,
				      unsigned count, uintptr_t addr)
{
	return vmset__ends_by_way(leaf, count, addr, vmset__keys_below);
}

/* From child i on, where the key of its bound was not enough to tell. */
static inline unsigned vmset__route_on(const struct vmset__inner *inner,
				       unsigned i, uintptr_t addr)
{
	unsigned last = vmset__load(&inner->node.count) - 1;

	if (last >= INNER_SLOTS)
		last = 0;
	while (i < last && vmset__load(&inner->child[i].bound) <= addr)
		i++;
	return i;
}

/*
 * The child of an inner node in which to look for the lowest end > addr.  An
 * address without one in any child goes to the last.
 */
SPECIALIZED unsigned vmset__route_way(const struct vmset__inner *inner,
				      uintptr_t addr,
				      vmset__keys_below_fn *keys_below)
{
	const struct vmset__scale scale = {
		vmset__load(&inner->base), vmset__load(&inner->node.shift),
	};
	unsigned i = keys_below(inner->key, INNER_KEYS,
				vmset__key(scale, addr)) % INNER_KEYS;

	/*
	 * As the last key is KEY_MAX, i is a child; but where the node has given
	 * its page back, there are only zeroes, and any i will do.
	 */
	if (__builtin_expect(vmset__load(&inner->child[i].bound) <= addr, 0))
		i = vmset__route_on(inner, i, addr);
	return i;
}

static inline unsigned vmset__route(const struct vmset__inner *inner,
				    uintptr_t addr)
{
	return vmset__route_way(inner, addr, vmset__keys_below);
}

/*
 * Ask memory for words that will be wanted soon, so that they come all at once
 * and not one after the other.  Up to three cache lines more do no harm.
 */
static inline void vmset__prefetch(const void *words, size_t size)
{
	const char *line = words;

	for (const char *end = line + size; line < end; line += 256) {
		__builtin_prefetch(line);
		__builtin_prefetch(line + 64);
		__builtin_prefetch(line + 128);
		__builtin_prefetch(line + 192);
	}
}

static inline bool vmset__overtaken(const struct vmset__tree *tree,
				    uintptr_t epoch)
{
	vmset__fence_acquire();
	return vmset__load(&tree->slab.epoch) - epoch >= 2;
}

static inline void vmset__read_entry(const struct vmset__leaf *leaf, unsigned i,
				     struct vmset_area *entry)
{
	*entry = (struct vmset_area){
		.start = vmset__load(&leaf->range[i].start),
		.end = vmset__load(&leaf->range[i].end),
		.flags = vmset__load(&leaf->flags[i]),
		.backend = vmset__load(&leaf->more[i].backend),
		.offset = vmset__load(&leaf->more[i].offset),
		.data = vmset__load(&leaf->more[i].data),
	};
}

/*
 * Go to where addr leads, as vmset__cursor_seek, but stay in that leaf also
 * when nothing there ends above addr.
 */
void vmset__cursor_route(struct vmset__cursor *cursor,
			 const struct vmset__tree *tree, uintptr_t addr);

/* As vmset__tree_read without skip, for a reader that loaded the epoch before. */
bool vmset__tree_read_since(const struct vmset__tree *tree, uintptr_t epoch,
			    uintptr_t addr, struct vmset_area *entry);

/* Of what is below a node; the node is not empty. */
struct vmset__summary vmset__summarise(uintptr_t node, unsigned level);

#endif /* VMSET_TREE_NODE_H */
