/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The nodes of the tree.  Only the tree's own files include this.
 *
 * What readers see of a node that is published does not change, but for one word
 * by which a change is published:
 *   - a child pointer of an inner node: one release store replaces a child, with
 *     all below it;
 *   - the turn of a leaf: one release store replaces the order of its entries.
 *
 * A leaf has *slots* for entries, in any order.  The order says which of them are
 * in use, and for what: there are two, and the turn says which one holds.  A
 * change fills slots that are not in use, and the other order, which nobody looks
 * at, and then takes the next turn.  A reader whose turn is over when it has read
 * begins again.  (Indirection with a spare copy, as in the leaves of Masstree:
 * Y. Mao, E. Kohler, R. Morris, "Cache craftiness for fast multicore key-value
 * storage", 2012.)
 *
 * No reader looks at the summaries of an inner node.
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

#include "entry.h"
#include "range.h"
#include "search.h"
#include "shared.h"
#include "tree.h"

#define LEAF_SLOTS  VMSET_LEAF_SLOTS
#define INNER_SLOTS VMSET_INNER_SLOTS

#if LEAF_SLOTS < 4 || LEAF_SLOTS > 32 || INNER_SLOTS < 4 || INNER_SLOTS > 32
#error "VMSET_LEAF_SLOTS and VMSET_INNER_SLOTS: 4 to 32"
#endif

/* A place in the order: the key of an entry's end, and its slot. */
#define SLOT_BITS 5
#define SLOTS_ALL (UINT32_MAX >> (32 - LEAF_SLOTS))

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
 *
 * A leaf's keys leave room for the slot: they are shorter.
 */
struct vmset__scale {
	uintptr_t base;
	uint16_t shift;
};

/* What an entry has beside its range and its flags. */
struct vmset__more {
	uint64_t offset;
	const struct vmset_backend *backend;
	void *data;
};

/*
 * The fields of the entries, by what is looked at together.
 *
 * Leaves are of two classes.  One that is not wide has no more than range and
 * flags of its entries: plain areas, and what can stand beside them; of a hidden
 * entry it has the kind in place of the flags.
 */
struct vmset__leaf {
	struct vmset__node node;
	uintptr_t base;
	uintptr_t turn;
	uint32_t used;                  /* slots, as bits; the writer's */
	uint32_t hidden;                /* those of them that hold no areas */
	uint32_t wide;
	/* Of turn % 2; behind the last entry: NO_PLACE. */
	_Alignas(64) uint16_t order[2][LEAF_KEYS];
	struct vmset_range range[LEAF_SLOTS];
	uint32_t flags[LEAF_SLOTS];
	struct vmset__more more[];      /* LEAF_SLOTS, if wide */
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

static inline enum vmset__class vmset__class_of(uintptr_t node, unsigned level)
{
	if (level)
		return VMSET__INNER;
	return vmset__leaf(node)->wide ? VMSET__WIDE_LEAF : VMSET__LEAF;
}

/* In a branch: keeps it one, so that the machine guesses and need not wait. */
#define SELDOM() __asm__ volatile("")

/*
 * The key of an address, and at most max.  Addresses below the base, or beyond the
 * greatest key, are rare.
 */
static inline uint16_t vmset__key_to(struct vmset__scale scale, uintptr_t addr,
				     uint16_t max)
{
	uintptr_t key = 0;

	if (__builtin_expect(addr < scale.base, 0)) {
		SELDOM();
	} else {
		key = (addr - scale.base) >> scale.shift;
		if (__builtin_expect(key > max, 0)) {
			SELDOM();
			key = max;
		}
	}
	return (uint16_t)key;
}

static inline uint16_t vmset__key(struct vmset__scale scale, uintptr_t addr)
{
	return vmset__key_to(scale, addr, VMSET__KEY_MAX);
}

#define NO_PLACE VMSET__KEY_MAX

/* The greatest key in a leaf, which makes a place that is less than NO_PLACE. */
#define LEAF_KEY_MAX ((NO_PLACE >> SLOT_BITS) - 1)

static inline uint16_t vmset__leaf_place(struct vmset__scale scale,
					 uintptr_t addr, unsigned slot)
{
	unsigned key = vmset__key_to(scale, addr, LEAF_KEY_MAX);

	return (uint16_t)(key << SLOT_BITS | slot);
}

/* The slot of a place that is not NO_PLACE. */
static inline unsigned vmset__slot(uint16_t place)
{
	return (unsigned)place % (1u << SLOT_BITS) % LEAF_SLOTS;
}

static inline const uint16_t *vmset__order_at(const struct vmset__leaf *leaf,
					      uintptr_t turn)
{
	return leaf->order[turn % 2];
}

/* For the writer: the order that holds, and the slot of entry i. */
static inline const uint16_t *vmset__order(const struct vmset__leaf *leaf)
{
	return vmset__order_at(leaf, leaf->turn);
}

static inline unsigned vmset__slot_of(const struct vmset__leaf *leaf,
				      unsigned i)
{
	return vmset__slot(vmset__order(leaf)[i]);
}

/* A function with constant arguments: what it does for others costs nothing. */
#define SPECIALIZED static inline __attribute__((always_inline))

/* The place of entry i in an order of a leaf, or NO_PLACE. */
static inline uint16_t vmset__place_at(const uint16_t *order, unsigned i)
{
	return i < LEAF_KEYS ? vmset__load(&order[i]) : NO_PLACE;
}

/*
 * How many entries of a leaf end at addr or below, by one of its orders, as far as
 * the keys tell: there may be more.
 */
SPECIALIZED unsigned vmset__ends_by_keys(const struct vmset__leaf *leaf,
					 const uint16_t *order, uintptr_t addr,
					 vmset__keys_below_fn *keys_below)
{
	const struct vmset__scale scale = {
		vmset__load(&leaf->base), vmset__load(&leaf->node.shift),
	};

	return keys_below(order, LEAF_KEYS, vmset__leaf_place(scale, addr, 0));
}

/* All of them.  *place becomes that of the next, or NO_PLACE. */
SPECIALIZED unsigned vmset__ends_by_way(const struct vmset__leaf *leaf,
					const uint16_t *order, uintptr_t addr,
					uint16_t *place,
					vmset__keys_below_fn *keys_below)
{
	unsigned i = vmset__ends_by_keys(leaf, order, addr, keys_below);

	while ((*place = vmset__place_at(order, i)) != NO_PLACE &&
	       vmset__load(&leaf->range[vmset__slot(*place)].end) <= addr)
		i++;
	return i;
}

/* For the writer. */
static inline unsigned vmset__ends_by(const struct vmset__leaf *leaf,
				      uintptr_t addr)
{
	uint16_t place;

	return vmset__ends_by_way(leaf, vmset__order(leaf), addr, &place,
				  vmset__keys_below);
}

/*
 * The first child whose bound may be above addr, as far as the keys tell.
 *
 * As the last key is KEY_MAX, it is a child; but where the node has given its page
 * back, there are only zeroes, and any will do.
 */
SPECIALIZED size_t vmset__route_by_keys(const struct vmset__inner *inner,
					uintptr_t addr,
					vmset__keys_below_fn *keys_below)
{
	const struct vmset__scale scale = {
		vmset__load(&inner->base), vmset__load(&inner->node.shift),
	};

	return keys_below(inner->key, INNER_KEYS, vmset__key(scale, addr)) %
	       INNER_KEYS;
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
	size_t i = vmset__route_by_keys(inner, addr, keys_below);

	if (__builtin_expect(vmset__load(&inner->child[i].bound) <= addr, 0))
		i = vmset__route_on(inner, (unsigned)i, addr);
	return (unsigned)i;
}

static inline unsigned vmset__route(const struct vmset__inner *inner,
				    uintptr_t addr)
{
	return vmset__route_way(inner, addr, vmset__keys_below);
}

/*
 * Ask memory for words that will be wanted soon, so that they come all at once
 * and not one after the other.
 */
SPECIALIZED void vmset__prefetch(const void *words, size_t size)
{
	const char *line = words;

#pragma GCC unroll 32
	for (size_t at = 0; at < size; at += 64)
		__builtin_prefetch(line + at);
}

/*
 * A tree with more levels of inner nodes does not fit into the caches that are
 * near.  Then it pays to ask for more of the nodes at these levels than will be
 * wanted: for the children beside the keys, which will tell which of them it is.
 */
#define NEAR_LEVELS 2

SPECIALIZED void vmset__expect_children(const struct vmset__inner *inner,
					unsigned level)
{
	if (level <= NEAR_LEVELS)
		vmset__prefetch(inner->child, sizeof inner->child);
}

static inline bool vmset__overtaken(const struct vmset__tree *tree,
				    uintptr_t epoch)
{
	vmset__fence_acquire();
	return vmset__load(&tree->slab.epoch) - epoch >= 2;
}

/* Whether the epoch has moved at all, which is asked faster. */
static inline bool vmset__moved_on(const struct vmset__tree *tree,
				   uintptr_t epoch)
{
	vmset__fence_acquire();
	return __builtin_expect(vmset__load(&tree->slab.epoch) != epoch, 0);
}

/* The same two for who has read in a leaf. */
static inline bool vmset__moved_on_in(const struct vmset__tree *tree,
				      uintptr_t epoch,
				      const struct vmset__leaf *leaf,
				      uintptr_t turn)
{
	return vmset__moved_on(tree, epoch) ||
	       __builtin_expect(vmset__load(&leaf->turn) != turn, 0);
}

static inline bool vmset__overtaken_in(const struct vmset__tree *tree,
				       uintptr_t epoch,
				       const struct vmset__leaf *leaf,
				       uintptr_t turn)
{
	return vmset__overtaken(tree, epoch) ||
	       vmset__load(&leaf->turn) != turn;
}

/* The data of a hidden entry that can stand beside plain areas. */
static inline void *vmset__plain_data(const struct vmset__tree *tree,
				      enum vmset__kind kind)
{
	/* Only ever read back as what it is. */
	return kind == VMSET__LOST ?
		       (void *)(uintptr_t)tree->plain.backend : NULL;
}

/* Whether an entry is a plain area, or can stand beside such. */
static inline bool vmset__is_plain(const struct vmset__tree *tree,
				   const struct vmset_area *entry)
{
	enum vmset__kind kind = vmset__kind(entry);

	if (kind == VMSET__AREA)
		return entry->backend == tree->plain.backend &&
		       entry->offset == entry->start - tree->plain.base &&
		       !entry->data;
	return !entry->flags && !entry->offset &&
	       entry->data == vmset__plain_data(tree, kind);
}

static inline bool vmset__slot_is_hidden(const struct vmset__leaf *leaf,
					 unsigned slot)
{
	return vmset__load(&leaf->hidden) >> slot & 1;
}

static inline void vmset__read_entry(const struct vmset__tree *tree,
				     const struct vmset__leaf *leaf,
				     unsigned slot, struct vmset_area *entry)
{
	struct vmset_range range = {
		vmset__load(&leaf->range[slot].start),
		vmset__load(&leaf->range[slot].end),
	};
	uint32_t flags = vmset__load(&leaf->flags[slot]);

	vmset__plain_area(tree, range, flags, entry);
	if (vmset__load(&leaf->wide)) {
		entry->backend = vmset__load(&leaf->more[slot].backend);
		entry->offset = vmset__load(&leaf->more[slot].offset);
		entry->data = vmset__load(&leaf->more[slot].data);
	} else if (vmset__slot_is_hidden(leaf, slot)) {
		/* Any number, where the slot is not what it was. */
		enum vmset__kind kind = flags % VMSET__AREA;

		entry->flags = 0;
		entry->backend = &vmset__hidden[kind];
		entry->offset = 0;
		entry->data = vmset__plain_data(tree, kind);
	}
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
