/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The tree for those who look: readers without a lock, and the writer's cursor.
 *
 * A reader descends from the root by acquire loads.  Before it follows a child
 * pointer, and before it returns, it asks whether the epoch has moved by two
 * (slab.h); if not, no node that it read has been used again, and what it read
 * in one leaf is the state at the moment when it loaded the pointer to it.
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
	uintptr_t end = *addr;
	unsigned count, i;
	size_t n;

	if (!leaf)
		return OVERTAKEN;
	count = vmset__load(&leaf->node.count);
	i = vmset__ends_by(leaf, count, *addr) - (way == DOWN);
	if (quest.max > 1)
		vmset__prefetch(leaf, sizeof *leaf);
	/* Down from the first, i wraps: that is no entry either. */
	for (n = 0; i < count && n < quest.max; i += way == UP ? 1 : -1u) {
		vmset__read_entry(leaf, i, entry);
		end = entry->end;
		if (!quest.skip || !quest.skip(entry)) {
			entry++;
			n++;
		}
	}
	*got = (struct catch){ n, end };
	if (vmset__overtaken(tree, epoch))
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

/* ---- the writer's cursor ---- */

/* Most who go to a leaf will copy it, to the node that is free next. */
static void expect_copy(const struct vmset__tree *tree,
			const struct vmset__leaf *leaf)
{
	const struct vmset__node *next =
		tree->slab.pool[VMSET__LEAF].free.head;

	vmset__prefetch(leaf, sizeof *leaf);
	if (next)
		vmset__prefetch(next, sizeof *leaf);
}

void vmset__cursor_route(struct vmset__cursor *cursor,
			 const struct vmset__tree *tree, uintptr_t addr)
{
	uintptr_t node = vmset__root_node(tree->root);

	cursor->tree = tree;
	cursor->level = vmset__root_level(tree->root);
	for (unsigned level = cursor->level; level; level--) {
		struct vmset__inner *inner = vmset__inner(node);
		unsigned i = vmset__route(inner, addr);

		cursor->path[level].node = inner;
		cursor->path[level].at = i;
		node = inner->child[i].node;
	}
	cursor->leaf = vmset__leaf(node);
	expect_copy(tree, cursor->leaf);
	cursor->at = vmset__ends_by(cursor->leaf, cursor->leaf->node.count,
				    addr);
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
	vmset__read_entry(cursor->leaf, cursor->at, entry);
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
	size_t n = 0;

	do {
		leaf = cursor->leaf;
		while (cursor->at < leaf->node.count &&
		       leaf->range[cursor->at].start <= end) {
			if (n < max)
				vmset__read_entry(leaf, cursor->at,
						  &entries[n]);
			n++;
			cursor->at++;
		}
		if (cursor->at == leaf->node.count)
			to_next_leaf(cursor);
	} while (cursor->leaf != leaf);
	return n;
}
