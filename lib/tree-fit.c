/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The search for free room: one descent, led by the summaries.
 *
 * The largest gap below a child says at once whether it is worth a visit, unless
 * the alignment is coarser than the areas: a gap may be large enough and
 * still have no aligned place.  Then the child's *room* decides, the largest
 * block that starts aligned in one of its gaps.  Rooms are worked out when
 * first asked for, and forgotten along the path of each change.
 */
#include "tree.h"

#include "range.h"
#include "tree-node.h"

/* Entry i of a leaf, in order. */
static inline struct vmset_range entry_at(const struct vmset__leaf *leaf,
					  unsigned i)
{
	return leaf->range[vmset__slot_of(leaf, i)];
}

/* The lowest place in a gap, without regard to the block's size. */
static bool lowest_place(size_t align, size_t lead, struct vmset_range gap,
			 uintptr_t *block)
{
	uintptr_t at = gap.start + lead;

	if (at < lead || at > UINTPTR_MAX - (align - 1))
		return false;
	*block = ((at + align - 1) & ~(align - 1)) - lead;
	return *block < gap.end;
}

bool vmset__fit_in(const struct vmset__fit *fit, struct vmset_range gap,
		   enum vmset__direction direction, uintptr_t *block)
{
	uintptr_t at;

	if (gap.start >= gap.end || gap.end - gap.start < fit->size)
		return false;
	if (direction == VMSET__UP)
		return lowest_place(fit->align, fit->lead, gap, block) &&
		       gap.end - *block >= fit->size;
	at = (gap.end - fit->size + fit->lead) & ~(fit->align - 1);
	*block = at - fit->lead;
	return at >= fit->lead && *block >= gap.start;
}

/* ---- rooms ---- */

static uintptr_t room_in(const struct vmset__alignment *al, uintptr_t start,
			 uintptr_t end)
{
	uintptr_t block;

	if (!lowest_place(al->align, al->lead,
			  (struct vmset_range){ start, end }, &block))
		return 0;
	return end - block;
}

static uintptr_t leaf_room(const struct vmset__leaf *leaf,
			   const struct vmset__alignment *al)
{
	uintptr_t room = 0;

	for (unsigned i = 1; i < leaf->node.count; i++)
		room = vmset__max(room, room_in(al, entry_at(leaf, i - 1).end,
						entry_at(leaf, i).start));
	return room;
}

/* The room of child i of a node at level, for the alignment at place r. */
static uintptr_t child_room(const struct vmset__tree *tree, unsigned r,
			    struct vmset__inner *inner, unsigned level,
			    unsigned i)
{
	const struct vmset__alignment *al = &tree->alignment[r];
	struct vmset__rooms *rooms = &inner->rooms[r];
	uint32_t bit = UINT32_C(1) << i;
	struct vmset__inner *child;
	uintptr_t room = 0;

	if (rooms->use != al->use) {
		rooms->use = al->use;
		rooms->valid = 0;
	}
	if (rooms->valid & bit)
		return inner->room[r][i];
	if (level == 1) {
		room = leaf_room(vmset__leaf(inner->child[i].node), al);
	} else {
		child = vmset__inner(inner->child[i].node);
		for (unsigned k = 0; k < child->node.count; k++) {
			room = vmset__max(room, child_room(tree, r, child,
							   level - 1, k));
			if (k)
				room = vmset__max(room, room_in(al,
						child->sum[k - 1].last,
						child->sum[k].first));
		}
	}
	inner->room[r][i] = room;
	rooms->valid |= bit;
	return room;
}

/* The place of an alignment in the tree's notes, given to it if it had none. */
static unsigned alignment_place(struct vmset__tree *tree,
				const struct vmset__fit *fit)
{
	size_t lead = fit->lead & (fit->align - 1);
	struct vmset__alignment *al;
	unsigned r;

	for (r = 0; r < VMSET_TREE_ALIGNMENTS; r++) {
		al = &tree->alignment[r];
		if (al->align == fit->align && al->lead == lead)
			return r;
	}
	r = tree->next_alignment;
	tree->next_alignment = (r + 1) % VMSET_TREE_ALIGNMENTS;
	al = &tree->alignment[r];
	*al = (struct vmset__alignment){ fit->align, lead, al->use + 1 };
	return r;
}

/* ---- the descent ---- */

struct search {
	struct vmset__tree *tree;
	const struct vmset__fit *fit;
	enum vmset__direction direction;
	unsigned place;                 /* of the alignment */
	uintptr_t edge;                 /* all on this side of it is seen */
	struct vmset_range gap;         /* the result */
};

/* From the edge to the near end of what comes next. */
static bool gap_fits(struct search *s, uintptr_t next)
{
	bool up = s->direction == VMSET__UP;
	struct vmset_range gap = { up ? s->edge : next, up ? next : s->edge };
	uintptr_t block;

	s->gap = vmset__range_clip(gap, s->fit->window);
	return vmset__fit_in(s->fit, s->gap, s->direction, &block);
}

/* Whether a child with a gap that is large enough may have an aligned place. */
static bool worth_a_visit(const struct search *s, struct vmset__inner *inner,
			  unsigned level, unsigned i)
{
	const struct vmset__fit *fit = s->fit;

	if (fit->align <= fit->grain ||
	    inner->sum[i].gap - fit->size >= fit->align - 1)
		return true;
	return child_room(s->tree, s->place, inner, level, i) >= fit->size;
}

/*
 * How many of a node's entries or children certainly lie below the window: they
 * need no look.
 */
static unsigned below_window(const struct search *s, uintptr_t node,
			     unsigned level)
{
	uintptr_t start = s->fit->window.start;

	if (s->edge > start)
		return 0;
	if (level)
		return vmset__route(vmset__inner(node), start);
	return vmset__ends_by(vmset__leaf(node), start);
}

static bool search_up(struct search *s, uintptr_t node, unsigned level);
static bool search_down(struct search *s, uintptr_t node, unsigned level);

/* The way goes through child i, or the gap lies beside entry i. */
static inline void note_child(const struct search *s, unsigned level,
			      struct vmset__inner *inner, unsigned i)
{
	if (s->fit->below)
		s->fit->below->path[level] =
			(struct vmset__step_of_path){ inner, i };
}

static inline void note_entry(const struct search *s, struct vmset__leaf *leaf,
			      unsigned n, unsigned below)
{
	struct vmset__cursor *cursor = s->fit->below;

	/* Where n is 0, what is on the other side is in another leaf. */
	if (cursor && n) {
		cursor->leaf = leaf;
		cursor->at = below;
	}
}

/*
 * Go through a node, in the direction, from the edge on.  The same code for
 * both; most gaps are too small, so that one comparison has to do for them.
 */
static inline __attribute__((always_inline)) bool
search_node(struct search *s, uintptr_t node, unsigned level, const bool up)
{
	struct vmset__inner *inner = vmset__inner(node);
	struct vmset__leaf *leaf = vmset__leaf(node);
	const struct vmset_range window = s->fit->window;
	const size_t size = s->fit->size;
	unsigned count = ((struct vmset__node *)node)->count;
	uintptr_t edge = up ? vmset__max(s->edge, window.start) :
			      vmset__min(s->edge, window.end);

	for (unsigned n = up ? below_window(s, node, level) : 0;
	     n < count; n++) {
		unsigned i = up ? n : count - 1 - n;
		uintptr_t first = level ? inner->sum[i].first :
					  entry_at(leaf, i).start;
		uintptr_t last = level ? inner->sum[i].last :
					 entry_at(leaf, i).end;
		uintptr_t near = up ? first : last, far = up ? last : first;

		if (up ? far <= window.start : far >= window.end)
			continue;
		/* Negative where the edge is inside what comes next. */
		s->edge = edge;
		if ((up ? near - edge : edge - near) >= size &&
		    gap_fits(s, near)) {
			if (!level)
				note_entry(s, leaf, n, up ? i - 1 : i);
			return true;
		}
		s->edge = near;
		if (up ? near >= window.end : near <= window.start)
			return false;
		if (level && inner->sum[i].gap >= size &&
		    worth_a_visit(s, inner, level, i)) {
			note_child(s, level, inner, i);
			if (up ? search_up(s, inner->child[i].node, level - 1) :
				 search_down(s, inner->child[i].node,
					     level - 1))
				return true;
		}
		edge = far;
	}
	s->edge = edge;
	return false;
}

static bool search_up(struct search *s, uintptr_t node, unsigned level)
{
	return search_node(s, node, level, true);
}

static bool search_down(struct search *s, uintptr_t node, unsigned level)
{
	return search_node(s, node, level, false);
}

bool vmset__tree_find_gap(struct vmset__tree *tree,
			  const struct vmset__fit *fit,
			  enum vmset__direction direction,
			  struct vmset_range *gap)
{
	bool up = direction == VMSET__UP;
	struct search s = {
		.tree = tree, .fit = fit, .direction = direction,
		.edge = up ? fit->window.start : fit->window.end,
	};

	if (vmset__range_is_empty(fit->window))
		return false;
	if (fit->align > fit->grain)
		s.place = alignment_place(tree, fit);
	if (fit->below) {
		fit->below->tree = tree;
		fit->below->level = vmset__root_level(tree->root);
		fit->below->leaf = NULL;
		fit->below->moved = false;
	}
	if (!(up ? search_up : search_down)(&s, vmset__root_node(tree->root),
					    vmset__root_level(tree->root)) &&
	    !gap_fits(&s, up ? fit->window.end : fit->window.start))
		return false;
	*gap = s.gap;
	return true;
}
