/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The tree held against its own rules, for tests: order, bounds, padding,
 * summaries, rooms, length of the paths, and an account of every node that
 * the slab has ever carved.
 */
#include "tree.h"

#include "entry.h"
#include "range.h"
#include "tree-node.h"

struct walk {
	const struct vmset__tree *tree;
	struct vmset_range bounds;
	uintptr_t last_end;             /* of the entry before */
	size_t nodes[VMSET__CLASSES];
	const char *wrong;
};

static void expect(struct walk *w, bool holds, const char *message)
{
	if (!holds && !w->wrong)
		w->wrong = message;
}

static void check_leaf(struct walk *w, const struct vmset__leaf *leaf,
		       uintptr_t low, uintptr_t high)
{
	const struct vmset__scale scale = { leaf->base, leaf->node.shift };
	const uint16_t *order = vmset__order(leaf);
	unsigned count = leaf->node.count;
	uint32_t used = 0;

	expect(w, count <= LEAF_SLOTS, "leaf: count");
	for (unsigned i = 0; i < LEAF_KEYS && !w->wrong; i++) {
		struct vmset_range range;
		struct vmset_area entry;
		unsigned slot;

		if (i >= count) {
			expect(w, order[i] == NO_PLACE,
			       "leaf: order goes on behind the last entry");
			continue;
		}
		slot = vmset__slot(order[i]);
		expect(w, !(used >> slot & 1), "leaf: slot used twice");
		used |= UINT32_C(1) << slot;
		range = leaf->range[slot];
		expect(w, range.start < range.end, "empty entry");
		expect(w, range.start >= w->last_end,
		       "entries overlap or are out of order");
		expect(w, vmset__range_contains(w->bounds, range),
		       "entry outside the bounds");
		expect(w, range.end > low && range.end <= high,
		       "entry in a leaf where it is not looked for");
		expect(w, order[i] == vmset__leaf_place(scale, range.end, slot),
		       "leaf: key");
		vmset__read_entry(w->tree, leaf, slot, &entry);
		expect(w, (leaf->hidden >> slot & 1) == vmset__is_hidden(&entry),
		       "leaf: hidden entries");
		expect(w, leaf->wide || vmset__is_area(&entry) ||
				  leaf->flags[slot] < VMSET__AREA,
		       "leaf: kind of a hidden entry");
		w->last_end = range.end;
	}
	expect(w, used == leaf->used, "leaf: slots in use");
}

/*
 * The room of a subtree, from its entries alone; at alignment 1 that is the
 * largest gap.
 */
static uintptr_t slow_room(const struct vmset__alignment *al, uintptr_t node,
			   unsigned level, uintptr_t *edge)
{
	const struct vmset__inner *inner = vmset__inner(node);
	const struct vmset__leaf *leaf = vmset__leaf(node);
	unsigned count = ((struct vmset__node *)node)->count;
	uintptr_t room = 0, block;
	struct vmset__fit fit = { .size = 1, .align = al->align,
				  .lead = al->lead };

	for (unsigned i = 0; i < count; i++) {
		struct vmset_range gap, entry;

		if (level) {
			room = vmset__max(room,
					  slow_room(al, inner->child[i].node,
						    level - 1, edge));
			continue;
		}
		entry = leaf->range[vmset__slot_of(leaf, i)];
		gap = (struct vmset_range){ *edge, entry.start };
		if (vmset__fit_in(&fit, gap, VMSET__UP, &block))
			room = vmset__max(room, gap.end - block);
		*edge = entry.end;
	}
	return room;
}

static void check_rooms(struct walk *w, const struct vmset__inner *inner,
			unsigned level, unsigned i)
{
	for (unsigned r = 0; r < VMSET_TREE_ALIGNMENTS; r++) {
		const struct vmset__alignment *al = &w->tree->alignment[r];
		const struct vmset__rooms *rooms = &inner->rooms[r];
		uintptr_t edge = inner->sum[i].first;

		if (rooms->use != al->use || !(rooms->valid >> i & 1))
			continue;
		expect(w, inner->room[r][i] ==
				  vmset__in_grains(al, slow_room(al,
					  inner->child[i].node, level - 1,
					  &edge)),
		       "summary: room");
	}
}

static void check_node(struct walk *w, uintptr_t node, unsigned level,
		       uintptr_t low, uintptr_t high)
{
	const struct vmset__alignment bytes = { .align = 1 };
	const struct vmset__inner *inner = vmset__inner(node);
	const struct vmset__scale scale = { inner->base, inner->node.shift };
	unsigned count = inner->node.count;
	uintptr_t edge;

	w->nodes[vmset__class_of(node, level)]++;
	if (!level) {
		check_leaf(w, vmset__leaf(node), low, high);
		return;
	}
	expect(w, count >= 1 && count <= INNER_SLOTS, "inner node: count");
	for (unsigned i = 0; i < INNER_KEYS && !w->wrong; i++)
		expect(w, inner->key[i] == (i + 1 < count ?
			vmset__key(scale, inner->child[i].bound) :
			VMSET__KEY_MAX), "inner node: key");
	for (unsigned i = 0; i < count && !w->wrong; i++) {
		const struct vmset__child *child = &inner->child[i];
		uintptr_t bound = i + 1 < count ? child->bound : high;
		struct vmset__summary sum;

		expect(w, i + 1 == count || (bound > low && bound <= high),
		       "inner node: bounds out of order");
		expect(w, ((struct vmset__node *)child->node)->count,
		       "inner node: empty child");
		check_node(w, child->node, level - 1, low, bound);
		if (w->wrong)
			return;
		sum = vmset__summarise(child->node, level - 1);
		expect(w, inner->sum[i].first == sum.first, "summary: first");
		expect(w, inner->sum[i].last == sum.last, "summary: last");
		edge = sum.first;
		expect(w, inner->sum[i].gap ==
				  slow_room(&bytes, child->node, level - 1,
					    &edge),
		       "summary: gap");
		expect(w, inner->width[i] == vmset__width(vmset__max(
			inner->sum[i].gap,
			i ? inner->sum[i].first - inner->sum[i - 1].last :
			    0)), "summary: width");
		check_rooms(w, inner, level, i);
		low = bound;
	}
}

static size_t list_length(const struct vmset__list *list)
{
	size_t n = 0;

	for (const struct vmset__node *node = list->head; node;
	     node = node->link)
		n++;
	return n;
}

static void check_slab(struct walk *w)
{
	for (int class = 0; class < VMSET__CLASSES; class++) {
		const struct vmset__pool *pool = &w->tree->slab.pool[class];
		const struct vmset__list *lists[] = {
			&pool->cooling, &pool->resting, &pool->free,
			&pool->kept,
		};
		size_t n = w->nodes[class];

		for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
			expect(w, list_length(lists[i]) == lists[i]->n,
			       "slab: length of a list");
			n += lists[i]->n;
		}
		expect(w, n == pool->total, "slab: nodes lost or doubled");
	}
}

const char *vmset__tree_check(const struct vmset__tree *tree,
			      struct vmset_range bounds)
{
	struct walk w = { .tree = tree, .bounds = bounds };

	expect(&w, tree->seq % 2 == 0, "a publication did not end");
	check_node(&w, vmset__root_node(tree->root),
		   vmset__root_level(tree->root), 0, UINTPTR_MAX);
	if (!w.wrong)
		check_slab(&w);
	return w.wrong;
}
