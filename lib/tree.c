/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The tree for those who look: readers without a lock, and the writer's cursor.
 *
 * A reader descends from the root by acquire loads.  Before it follows a child
 * pointer, and before it returns, it asks whether the epoch has moved by two
 * (slab.h); if not, no node that it read has been used again.  If the leaf's turn
 * is the same, too, then what it read there is the state at the moment when it
 * loaded the turn, or when the leaf was replaced, if that was earlier.
 *
 * An answer that needs more than one leaf has to be the same at one moment too:
 * then no publication may come between the first look and the last, which
 * the version tells.
 */
#include "tree.h"

#include "entry.h"
#include "range.h"
#include "tree-node.h"

/*
 * An odd number of cache lines: with an even one the heads of all nodes would share
 * a part of the cache, and push each other out of it.
 */
#define ODD_LINES(size) (((size) + 63) / 64 * 64 | 64)

const size_t vmset__tree_node_size[VMSET__CLASSES] = {
	[VMSET__LEAF] = ODD_LINES(sizeof(struct vmset__leaf)),
	[VMSET__WIDE_LEAF] = ODD_LINES(sizeof(struct vmset__leaf) +
				       sizeof(struct vmset__more[LEAF_SLOTS])),
	[VMSET__INNER] = ODD_LINES(sizeof(struct vmset__inner)),
};

/* ---- readers ---- */

/* A moment in the life of a tree: publications so far, and the length. */
struct version {
	uintptr_t number;
	size_t len;
};

/*
 * The length changes with the store that publishes, not before or after: while
 * a publication is under way, the word that it stores tells on which side of it
 * we are.
 */
static struct version read_version(const struct vmset__tree *tree)
{
	for (;;) {
		uintptr_t seq = vmset__load_acquire(&tree->seq);
		const uintptr_t *slot = vmset__load(&tree->slot);
		uintptr_t fresh = vmset__load(&tree->fresh);
		size_t before = vmset__load(&tree->len[seq / 2 % 2]);
		size_t after = vmset__load(&tree->len[(seq / 2 + 1) % 2]);
		bool published;

		vmset__fence_acquire();
		if (vmset__load(&tree->seq) != seq)
			continue;
		if (seq % 2 == 0)
			return (struct version){ seq, before };
		published = vmset__load_acquire(slot) == fresh;
		vmset__fence_acquire();
		if (vmset__load(&tree->seq) != seq)
			continue;
		return published ? (struct version){ seq + 1, after } :
				   (struct version){ seq - 1, before };
	}
}

size_t vmset__tree_read_len(const struct vmset__tree *tree)
{
	return read_version(tree).len;
}

uintptr_t vmset__tree_read_moment(const struct vmset__tree *tree)
{
	vmset__fence_acquire();
	return read_version(tree).number;
}

enum outcome { FOUND, NONE, GO_ON, OVERTAKEN };

/* From addr on up, those with end > addr; or down, those with end <= addr. */
enum way { UP, DOWN };

/* What a reader is after: up to max entries in a row, but not those to skip. */
struct quest {
	enum way way;
	vmset__skip_fn *skip;
	struct vmset_area *entries;
	size_t max;
};

struct catch {
	size_t n;
	uintptr_t end;                  /* of the last entry it looked at */
};

/*
 * The leaf to which addr leads, or NULL if the reader was overtaken.  *beside
 * becomes what divides the leaf from the next on the way, and stays as it is if
 * none follows.
 */
SPECIALIZED const struct vmset__leaf *descend(const struct vmset__tree *tree,
					      uintptr_t epoch, enum way way,
					      uintptr_t addr,
					      uintptr_t *beside)
{
	uintptr_t root = vmset__load_acquire(&tree->root);
	uintptr_t node = vmset__root_node(root);

	for (unsigned level = vmset__root_level(root); level; level--) {
		const struct vmset__inner *inner = vmset__inner(node);
		unsigned count, i;

		if (vmset__overtaken(tree, epoch))
			return NULL;
		i = vmset__route(inner, addr);
		count = vmset__load(&inner->node.count);
		if (way == UP ? i + 1 < count : i > 0)
			*beside = vmset__load(
				&inner->child[i - (way == DOWN)].bound);
		node = vmset__load_acquire(&inner->child[i].node);
	}
	return vmset__overtaken(tree, epoch) ? NULL : vmset__leaf(node);
}

/*
 * Look in the leaf to which *addr leads.  GO_ON: there is nothing, but there
 * is a leaf beside it on that way, and *addr now leads there.
 */
SPECIALIZED enum outcome read_leaf(const struct vmset__tree *tree,
				   uintptr_t epoch, const struct quest quest,
				   uintptr_t *addr, struct catch *got)
{
	const enum way way = quest.way;
	uintptr_t route = way == UP ? *addr : vmset__sub_sat(*addr, 1);
	uintptr_t beside = *addr;
	const struct vmset__leaf *leaf = descend(tree, epoch, way, route,
						 &beside);
	struct vmset_area *entry = quest.entries;
	uintptr_t end = *addr, turn;
	const uint16_t *order;
	uint16_t place;
	unsigned i;
	size_t n = 0;

	if (!leaf)
		return OVERTAKEN;
	turn = vmset__load_acquire(&leaf->turn);
	order = vmset__order_at(leaf, turn);
	i = vmset__ends_by_way(leaf, order, *addr, &place, vmset__keys_below);
	/* Down from the first, i wraps: that is no entry either. */
	if (way == DOWN)
		place = vmset__place_at(order, --i);
	if (quest.max > 1)
		vmset__prefetch(leaf, sizeof *leaf);
	while (place != NO_PLACE) {
		vmset__read_entry(tree, leaf, vmset__slot(place), entry);
		end = entry->end;
		if (!quest.skip || !quest.skip(entry)) {
			entry++;
			if (++n == quest.max)
				break;
		}
		i += way == UP ? 1 : -1u;
		place = vmset__place_at(order, i);
	}
	*got = (struct catch){ n, end };
	if (vmset__overtaken_in(tree, epoch, leaf, turn))
		return OVERTAKEN;
	if (n)
		return FOUND;
	if (beside == *addr)
		return NONE;
	*addr = beside;
	return GO_ON;
}

/* Beginning in an epoch that was loaded. */
SPECIALIZED size_t read_since(const struct vmset__tree *tree, uintptr_t epoch,
			      const struct quest quest, uintptr_t addr,
			      struct catch *got)
{
	for (;; epoch = vmset__load_acquire(&tree->slab.epoch)) {
		uintptr_t from = addr;
		enum outcome outcome = read_leaf(tree, epoch, quest, &from,
						 got);

		if (outcome == GO_ON) {
			uintptr_t number = read_version(tree).number;

			from = addr;
			do {
				outcome = read_leaf(tree, epoch, quest, &from,
						    got);
			} while (outcome == GO_ON);
			if (vmset__tree_read_moment(tree) != number)
				continue;
		}
		if (outcome != OVERTAKEN)
			return got->n;
	}
}

SPECIALIZED size_t read_entries(const struct vmset__tree *tree,
				const struct quest quest, uintptr_t addr)
{
	struct catch got;

	return read_since(tree, vmset__load_acquire(&tree->slab.epoch), quest,
			  addr, &got);
}

bool vmset__tree_read(const struct vmset__tree *tree, uintptr_t addr,
		      vmset__skip_fn *skip, struct vmset_area *entry)
{
	const struct quest quest = { UP, skip, entry, 1 };

	return read_entries(tree, quest, addr);
}

bool vmset__tree_read_below(const struct vmset__tree *tree, uintptr_t addr,
			    vmset__skip_fn *skip, struct vmset_area *entry)
{
	const struct quest quest = { DOWN, skip, entry, 1 };

	return read_entries(tree, quest, addr);
}

bool vmset__tree_read_since(const struct vmset__tree *tree, uintptr_t epoch,
			    uintptr_t addr, struct vmset_area *entry)
{
	const struct quest quest = { UP, NULL, entry, 1 };
	struct catch got;

	return read_since(tree, epoch, quest, addr, &got);
}

size_t vmset__tree_read_areas(const struct vmset__tree *tree, uintptr_t *addr,
			      struct vmset_area *areas, size_t max)
{
	const struct quest quest = { UP, vmset__is_hidden, areas, max };
	struct catch got;

	if (read_since(tree, vmset__load_acquire(&tree->slab.epoch), quest,
		       *addr, &got))
		*addr = got.end;
	return got.n;
}

/* ---- many ranges ---- */

/* Where ranges are copied to, and what is there already. */
struct gathering {
	struct vmset_range *ranges;
	size_t n, max;
	uintptr_t end;                  /* of the last entry, also of a hidden one */
};

static inline void copy_range(struct vmset_range *to,
			      const struct vmset__leaf *leaf, unsigned slot)
{
#if VMSET_SHARED_WATCHED
	to->start = vmset__load(&leaf->range[slot].start);
	to->end = vmset__load(&leaf->range[slot].end);
#else
	/* Two words, each of them whole, as in search.h. */
	*to = leaf->range[slot];
#endif
}

/*
 * Copy the ranges at n places, but hidden ones, at most room.  Returns how many;
 * *seen becomes how many places that took.
 */
SPECIALIZED size_t copy_ranges(struct vmset_range *to, size_t room,
			       const struct vmset__leaf *leaf,
			       const uint16_t *places, size_t n, size_t *seen)
{
	const uint32_t hidden = vmset__load(&leaf->hidden);
	size_t copied = 0, i;

	if (!hidden) {
		n = vmset__min(n, room);
#pragma GCC unroll 4
		for (i = 0; i < n; i++)
			copy_range(&to[i], leaf,
				   vmset__slot(vmset__load(&places[i])));
		*seen = n;
		return n;
	}
	for (i = 0; i < n && copied < room; i++) {
		unsigned slot = vmset__slot(vmset__load(&places[i]));

		if (!(hidden >> slot & 1))
			copy_range(&to[copied++], leaf, slot);
	}
	*seen = i;
	return copied;
}

/* Add a leaf's areas that end above addr; false: what was added is worthless. */
SPECIALIZED bool gather_leaf(const struct vmset__tree *tree, uintptr_t epoch,
			     const struct vmset__leaf *leaf, uintptr_t addr,
			     struct gathering *all)
{
	const uintptr_t turn = vmset__load_acquire(&leaf->turn);
	const uint16_t *order = vmset__order_at(leaf, turn);
	struct gathering more = *all;
	uint16_t place;
	/* Above 0 all of them end. */
	unsigned from = addr ? vmset__ends_by_way(leaf, order, addr, &place,
						  vmset__keys_below) : 0;
	unsigned count = vmset__keys_below(order, LEAF_KEYS, NO_PLACE);
	size_t seen = 0;

	if (from < count)
		more.n += copy_ranges(&more.ranges[more.n], more.max - more.n,
				      leaf, &order[from], count - from, &seen);
	if (seen) {
		place = vmset__load(&order[from + seen - 1]);
		more.end = vmset__load(&leaf->range[vmset__slot(place)].end);
	}
	if (vmset__overtaken_in(tree, epoch, leaf, turn))
		return false;
	*all = more;
	return true;
}

/* What a walk will look at in a leaf. */
static void expect_ranges(uintptr_t leaf)
{
	vmset__prefetch(vmset__leaf(leaf), offsetof(struct vmset__leaf, flags));
}

/*
 * Gather from the leaves of one inner node, or from the only leaf there is, as long
 * as nothing is published meanwhile.
 */
static void gather_leaves(const struct vmset__tree *tree, uintptr_t epoch,
			  uintptr_t addr, struct gathering *all)
{
	const uintptr_t seq = vmset__load_acquire(&tree->seq);
	uintptr_t root = vmset__load_acquire(&tree->root);
	uintptr_t node = vmset__root_node(root);
	const struct vmset__inner *inner;
	struct gathering more = *all;
	unsigned count, i;

	if (!vmset__root_level(root)) {
		gather_leaf(tree, epoch, vmset__leaf(node), addr, all);
		return;
	}
	for (unsigned level = vmset__root_level(root);; level--) {
		inner = vmset__inner(node);
		if (vmset__overtaken(tree, epoch))
			return;
		i = vmset__route(inner, addr);
		if (level == 1)
			break;
		node = vmset__load_acquire(&inner->child[i].node);
	}
	count = vmset__load(&inner->node.count);
	for (; i < count && more.n < more.max; i++) {
		node = vmset__load_acquire(&inner->child[i].node);
		if (i + 2 < count)
			expect_ranges(vmset__load(&inner->child[i + 2].node));
		if (vmset__overtaken(tree, epoch) ||
		    !gather_leaf(tree, epoch, vmset__leaf(node), addr, &more) ||
		    seq % 2 || vmset__load(&tree->seq) != seq)
			return;
		*all = more;
		/* The next leaf is wanted whole. */
		addr = 0;
	}
}

size_t vmset__tree_read_ranges(const struct vmset__tree *tree, uintptr_t *addr,
			       struct vmset_range *ranges, size_t max)
{
	struct gathering all = { ranges, 0, max, *addr };
	struct vmset_area area;

	gather_leaves(tree, vmset__load_acquire(&tree->slab.epoch), *addr, &all);
	/* Others change the set just now, or it goes on below another node. */
	if (!all.n && vmset__tree_read(tree, *addr, vmset__is_hidden, &area)) {
		ranges[all.n++] = (struct vmset_range){ area.start, area.end };
		all.end = area.end;
	}
	if (all.n)
		*addr = all.end;
	return all.n;
}

/* ---- the writer's cursor ---- */

void vmset__cursor_route(struct vmset__cursor *cursor,
			 const struct vmset__tree *tree, uintptr_t addr)
{
	uintptr_t node = vmset__root_node(tree->root);

	cursor->tree = tree;
	cursor->level = vmset__root_level(tree->root);
	for (unsigned level = cursor->level; level; level--) {
		struct vmset__inner *inner = vmset__inner(node);
		unsigned i;

		/* In any tree: a writer's system calls leave little in the caches. */
		vmset__expect_children(inner, level);
		i = vmset__route(inner, addr);
		vmset__prefetch(&inner->sum[i], sizeof inner->sum[i]);
		cursor->path[level].node = inner;
		cursor->path[level].at = i;
		node = inner->child[i].node;
	}
	cursor->leaf = vmset__leaf(node);
	vmset__prefetch(cursor->leaf, sizeof *cursor->leaf);
	cursor->at = vmset__ends_by(cursor->leaf, addr);
	cursor->moved = false;
}

/* From behind the last entry of a leaf to the first of the next, if any. */
static void to_next_leaf(struct vmset__cursor *cursor)
{
	unsigned level = 1;
	uintptr_t node;

	while (level <= cursor->level &&
	       cursor->path[level].at + 1 == cursor->path[level].node->node.count)
		level++;
	if (level > cursor->level)
		return;
	node = cursor->path[level].node->child[++cursor->path[level].at].node;
	while (--level) {
		cursor->path[level].node = vmset__inner(node);
		cursor->path[level].at = 0;
		node = vmset__inner(node)->child[0].node;
	}
	cursor->leaf = vmset__leaf(node);
	cursor->at = 0;
	cursor->moved = true;
}

void vmset__cursor_seek(struct vmset__cursor *cursor,
			const struct vmset__tree *tree, uintptr_t addr)
{
	vmset__cursor_route(cursor, tree, addr);
	if (cursor->at == cursor->leaf->node.count)
		to_next_leaf(cursor);
}

bool vmset__cursor_get(const struct vmset__cursor *cursor,
		       struct vmset_area *entry)
{
	if (cursor->at >= cursor->leaf->node.count)
		return false;
	vmset__read_entry(cursor->tree, cursor->leaf,
			  vmset__slot_of(cursor->leaf, cursor->at), entry);
	return true;
}

void vmset__cursor_advance(struct vmset__cursor *cursor)
{
	if (cursor->at < cursor->leaf->node.count)
		cursor->at++;
	if (cursor->at == cursor->leaf->node.count)
		to_next_leaf(cursor);
}

size_t vmset__cursor_take(struct vmset__cursor *cursor, uintptr_t end,
			  struct vmset_area *entries, size_t max)
{
	const struct vmset__leaf *leaf;
	const uint16_t *order;
	unsigned at, slot;
	size_t n = 0;

	do {
		leaf = cursor->leaf;
		order = vmset__order(leaf);
		for (at = cursor->at; at < leaf->node.count; at++) {
			slot = vmset__slot(order[at]);
			if (leaf->range[slot].start > end)
				break;
			if (n < max)
				vmset__read_entry(cursor->tree, leaf, slot,
						  &entries[n]);
			n++;
		}
		cursor->at = at;
		if (at == leaf->node.count)
			to_next_leaf(cursor);
	} while (cursor->leaf != leaf);
	return n;
}
