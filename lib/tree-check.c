/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The tree held against its own rules, for tests: order, bounds, padding,
 * summaries, rooms, length of the paths, and an account of every node that
 * the slab has ever carved.
 */
#include "tree.h"

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
	unsigned count = leaf->node.count;

	expect(w, count <= LEAF_SLOTS, "leaf: count");
	for (unsigned i = 0; i < LEAF_SLOTS && !w->wrong; i++) {
		if (i >= count) {
			expect(w, leaf->end[i] == UINTPTR_MAX,
			       "leaf: unused slot not padded");
			continue;
		}
		expect(w, leaf->start[i] < leaf->end[i], "empty entry");
		expect(w, leaf->start[i] >= w->last_end,
		       "entries overlap or are out of order");
		expect(w, leaf->start[i] >= w->bounds.start &&
			  leaf->end[i] <= w->bounds.end,
		       "entry outside the bounds");
		expect(w, leaf->end[i] > low && leaf->end[i] <= high,
		       "entry in a leaf where it is not looked for");
		w->last_end = leaf->end[i];
	}
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
		struct vmset_range gap;

		if (level) {
			room = vmset__max(room, slow_room(al, inner->child[i],
							  level - 1, edge));
			continue;
		}
		gap = (struct vmset_range){ *edge, leaf->start[i] };
		if (vmset__fit_in(&fit, gap, VMSET__UP, &block))
			room = vmset__max(room, gap.end - block);
		*edge = leaf->end[i];
	}
	return room;
}

static void check_rooms(struct walk *w, const struct vmset__inner *inner,
			unsigned level, unsigned i)
{
	for (unsigned r = 0; r < VMSET_TREE_ALIGNMENTS; r++) {
		const struct vmset__alignment *al = &w->tree->alignment[r];
		const struct vmset__rooms *rooms = &inner->rooms[r];
		uintptr_t edge = inner->first[i];

		if (rooms->use != al->use || !(rooms->valid >> i & 1))
			continue;
		expect(w, inner->room[r][i] == slow_room(al, inner->child[i],
						      level - 1, &edge),
		       "summary: room");
	}
}

static void check_node(struct walk *w, uintptr_t node, unsigned level,
		       uintptr_t low, uintptr_t high)
{
	const struct vmset__alignment bytes = { .align = 1 };
	const struct vmset__inner *inner = vmset__inner(node);
	unsigned count = inner->node.count;
	uintptr_t edge;

	w->nodes[vmset__class_of(level)]++;
	if (!level) {
		check_leaf(w, vmset__leaf(node), low, high);
		return;
	}
	expect(w, count >= 1 && count <= INNER_SLOTS, "inner node: count");
	for (unsigned i = 0; i < count && !w->wrong; i++) {
		uintptr_t bound = i + 1 < count ? inner->bound[i] : high;
		struct vmset__summary sum;

		expect(w, i + 1 == count || (bound > low && bound <= high),
		       "inner node: bounds out of order");
		expect(w, ((struct vmset__node *)inner->child[i])->count,
		       "inner node: empty child");
		check_node(w, inner->child[i], level - 1, low, bound);
		if (w->wrong)
			return;
		sum = vmset__summarise(inner->child[i], level - 1);
		expect(w, inner->first[i] == sum.first, "summary: first");
		expect(w, inner->last[i] == sum.last, "summary: last");
		edge = sum.first;
		expect(w, inner->gap[i] == slow_room(&bytes, inner->child[i],
						     level - 1, &edge),
		       "summary: gap");
		check_rooms(w, inner, level, i);
		low = bound;
	}
	for (unsigned i = count; i < INNER_SLOTS; i++)
		expect(w, inner->bound[i] == UINTPTR_MAX,
		       "inner node: unused bound not padded");
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
