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

/* From where entry i of a leaf, whose order that is, begins to where it ends. */
static inline struct vmset_range entry_at(const struct vmset__leaf *leaf,
					  const uint16_t *order, unsigned i)
{
	return leaf->range[vmset__slot(order[i])];
}

/* It will be gone through soon. */
static inline void expect_leaf(const struct vmset__leaf *leaf)
{
	vmset__prefetch(leaf->order, sizeof leaf->order + sizeof leaf->range);
}

/* And all entries below child i. */
static inline struct vmset_range span_at(const struct vmset__inner *inner,
					 unsigned i)
{
	return (struct vmset_range){ inner->sum[i].first, inner->sum[i].last };
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

static uint32_t room_in(const struct vmset__alignment *al, uintptr_t start,
			uintptr_t end)
{
	uintptr_t block;

	if (!lowest_place(al->align, al->lead,
			  (struct vmset_range){ start, end }, &block))
		return 0;
	return vmset__in_grains(al, end - block);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t leaf_room(const struct vmset__leaf *leaf,
			  const struct vmset__alignment *al)
{
	const uint16_t *order = vmset__order(leaf);
	uint32_t room = 0;

	for (unsigned i = 1; i < leaf->node.count; i++)
		room = larger(room, room_in(al, entry_at(leaf, order, i - 1).end,
					    entry_at(leaf, order, i).start));
	return room;
}

/* The room of child i of a node at level, for the alignment at place r. */
static uint32_t child_room(const struct vmset__tree *tree, unsigned r,
			   struct vmset__inner *inner, unsigned level,
			   unsigned i)
{
	const struct vmset__alignment *al = &tree->alignment[r];
	struct vmset__rooms *rooms = &inner->rooms[r];
	uint32_t bit = UINT32_C(1) << i;
	struct vmset__inner *child;
	uint32_t room = 0;

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
			room = larger(room, child_room(tree, r, child,
						       level - 1, k));
			if (k)
				room = larger(room, room_in(al,
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
	*al = (struct vmset__alignment){
		.align = fit->align, .lead = lead, .use = al->use + 1,
		.shift = (uint32_t)__builtin_ctzl(fit->grain),
	};
	return r;
}

/* ---- the descent ---- */

struct search {
	struct vmset__tree *tree;
	const struct vmset__fit *fit;
	enum vmset__direction direction;
	unsigned place;                 /* of the alignment */
	uint8_t width;                  /* of the size */
	/* A gap larger than the size by so much is good at any alignment. */
	size_t slack;
	uintptr_t edge;                 /* where all on this side of it is seen */
	struct vmset_range *gap;        /* the result */
};

/*
 * The same code goes both ways; up is a constant.  What comes next on the way has
 * a near end and a far end.  Between the edge and the near end there is a gap.
 */
SPECIALIZED uintptr_t near_end(struct vmset_range next, const bool up)
{
	return up ? next.start : next.end;
}

SPECIALIZED uintptr_t far_end(struct vmset_range next, const bool up)
{
	return up ? next.end : next.start;
}

SPECIALIZED size_t distance(uintptr_t edge, uintptr_t near, const bool up)
{
	return up ? near - edge : edge - near;
}

/* The one of two addresses that is farther on the way. */
SPECIALIZED uintptr_t farther(uintptr_t a, uintptr_t b, const bool up)
{
	return up ? vmset__max(a, b) : vmset__min(a, b);
}

/* Where the way begins and where it ends, of the window. */
SPECIALIZED uintptr_t beginning(const struct search *s, const bool up)
{
	return near_end(s->fit->window, up);
}

SPECIALIZED bool is_beyond(const struct search *s, uintptr_t near,
			   const bool up)
{
	return up ? near >= s->fit->window.end : near <= s->fit->window.start;
}

/* Whether the part of a gap that is in the window takes the block. */
static bool gap_fits(struct search *s, uintptr_t edge, uintptr_t near)
{
	bool up = s->direction == VMSET__UP;
	struct vmset_range gap = { up ? edge : near, up ? near : edge };
	uintptr_t block;

	gap = vmset__range_clip(gap, s->fit->window);
	*s->gap = gap;
	return vmset__fit_in(s->fit, gap, s->direction, &block);
}

/* Whether a child with a gap that is large enough may have an aligned place. */
static inline bool worth_a_visit(const struct search *s,
				 struct vmset__inner *inner, unsigned level,
				 unsigned i)
{
	const size_t size = s->fit->size;
	uint32_t room;

	if (inner->sum[i].gap - size >= s->slack)
		return true;
	room = child_room(s->tree, s->place, inner, level, i);
	return room == VMSET__MOST_ROOM ||
	       (uintptr_t)room << s->tree->alignment[s->place].shift >= size;
}

/* The way goes through child i, or the gap lies beside entry i. */
static inline void note_child(const struct search *s, unsigned level,
			      struct vmset__inner *inner, unsigned i)
{
	if (s->fit->below)
		s->fit->below->path[level] =
			(struct vmset__step_of_path){ inner, i };
}

static inline void note_entry(const struct search *s, struct vmset__leaf *leaf,
			      unsigned i, const bool up)
{
	struct vmset__cursor *cursor = s->fit->below;

	/* Beside the outermost entry, what is on the other side is elsewhere. */
	if (cursor && i != (up ? 0 : leaf->node.count - 1u)) {
		cursor->leaf = leaf;
		cursor->at = up ? i - 1 : i;
	}
}

/*
 * Go through a leaf from entry i on, which comes after the edge.  Most gaps are
 * too small: one comparison has to do for them.
 */
SPECIALIZED bool search_leaf(struct search *s, struct vmset__leaf *leaf,
			     unsigned i, uintptr_t edge, const bool up)
{
	const uint16_t *order = vmset__order(leaf);
	const struct vmset_range *range = leaf->range;
	const unsigned stop = up ? leaf->node.count : -1u;
	const size_t size = s->fit->size;

	for (; i != stop; i += up ? 1 : -1u) {
		struct vmset_range next = range[vmset__slot(order[i])];
		uintptr_t near = near_end(next, up);

		if (distance(edge, near, up) >= size &&
		    gap_fits(s, edge, near)) {
			note_entry(s, leaf, i, up);
			return true;
		}
		edge = far_end(next, up);
	}
	s->edge = edge;
	return false;
}

static bool whole_child_up(struct search *s, struct vmset__inner *inner,
			   unsigned level, unsigned i);
static bool whole_child_down(struct search *s, struct vmset__inner *inner,
			     unsigned level, unsigned i);

/* The gap below child i. */
SPECIALIZED bool search_below(struct search *s, const struct vmset__inner *inner,
			      unsigned i, const bool up)
{
	uintptr_t start = i ? inner->sum[i - 1].last : 0;
	uintptr_t end = inner->sum[i].first;

	return i && end - start >= s->fit->size &&
	       gap_fits(s, up ? start : end, up ? end : start);
}

SPECIALIZED bool search_child(struct search *s, struct vmset__inner *inner,
			      unsigned level, unsigned i, const bool up)
{
	return inner->sum[i].gap >= s->fit->size &&
	       (up ? whole_child_up(s, inner, level, i) :
		     whole_child_down(s, inner, level, i));
}

/*
 * Go through those children of a node that are in the set, each with the gap below
 * it, if their widths say that a gap may be large enough.
 */
SPECIALIZED bool search_inner(struct search *s, struct vmset__inner *inner,
			      unsigned level, uint32_t set, const bool up)
{
	set &= vmset__as_wide(inner->width, s->width);
	while (set) {
		unsigned i = (unsigned)(up ? __builtin_ctz(set) :
					     31 - __builtin_clz(set));

		set &= ~(UINT32_C(1) << i);
		if (up && search_below(s, inner, i, up))
			return true;
		if (is_beyond(s, near_end(span_at(inner, i), up), up))
			break;
		if (search_child(s, inner, level, i, up))
			return true;
		if (!up && search_below(s, inner, i, up))
			return true;
	}
	return false;
}

/* The children of a node, but for those below i. */
static inline uint32_t from_child(const struct vmset__inner *inner, unsigned i)
{
	return (uint32_t)((UINT64_C(1) << inner->node.count) -
			  (UINT64_C(1) << i));
}

/* Go through child i, all of which is on the way. */
SPECIALIZED bool whole_child(struct search *s, struct vmset__inner *inner,
			     unsigned level, unsigned i, const bool up)
{
	const uintptr_t node = inner->child[i].node;
	const uintptr_t edge = near_end(span_at(inner, i), up);
	const unsigned last = ((struct vmset__node *)node)->count - 1u;

	if (!worth_a_visit(s, inner, level, i))
		return false;
	note_child(s, level, inner, i);
	if (level == 1)
		return search_leaf(s, vmset__leaf(node), up ? 0 : last, edge,
				   up);
	return search_inner(s, vmset__inner(node), level - 1,
			    from_child(vmset__inner(node), 0), up);
}

static bool whole_child_up(struct search *s, struct vmset__inner *inner,
			   unsigned level, unsigned i)
{
	return whole_child(s, inner, level, i, true);
}

static bool whole_child_down(struct search *s, struct vmset__inner *inner,
			     unsigned level, unsigned i)
{
	return whole_child(s, inner, level, i, false);
}

/*
 * Begin in a leaf.  Those entries that end at the beginning or below lie on one
 * side of it; the next one may lie on both.
 */
SPECIALIZED bool begin_in_leaf(struct search *s, struct vmset__leaf *leaf,
			       uintptr_t edge, const bool up)
{
	const uint16_t *order = vmset__order(leaf);
	unsigned i = vmset__ends_by(leaf, beginning(s, up));

	if (i < leaf->node.count)
		edge = vmset__min(edge, entry_at(leaf, order, i).start);
	return search_leaf(s, leaf, up ? i : i - 1, edge, up);
}

static bool begin_up(struct search *s, uintptr_t node, unsigned level,
		     uintptr_t edge);
static bool begin_down(struct search *s, uintptr_t node, unsigned level,
		       uintptr_t edge);

/*
 * Begin in a node, with the child to which the beginning leads.  All before that
 * child is on the other side.
 */
SPECIALIZED bool begin(struct search *s, uintptr_t node, unsigned level,
		       uintptr_t edge, const bool up)
{
	struct vmset__inner *inner = vmset__inner(node);
	struct vmset_range next;
	uintptr_t near;
	uint32_t set;
	unsigned i;

	if (!level)
		return begin_in_leaf(s, vmset__leaf(node), edge, up);
	i = vmset__route(inner, beginning(s, up));
	/* Its first entry may begin before the bound. */
	if (!up && i + 1 < inner->node.count)
		edge = vmset__min(edge, inner->sum[i + 1].first);
	next = span_at(inner, i);
	near = farther(edge, near_end(next, up), up);
	if (distance(edge, near, up) >= s->fit->size && gap_fits(s, edge, near))
		return true;
	if (inner->sum[i].gap >= s->fit->size && !is_beyond(s, near, up) &&
	    worth_a_visit(s, inner, level, i)) {
		if (level == 1)
			expect_leaf(vmset__leaf(inner->child[i].node));
		note_child(s, level, inner, i);
		if (up ? begin_up(s, inner->child[i].node, level - 1, edge) :
			 begin_down(s, inner->child[i].node, level - 1, edge))
			return true;
	}
	if (!up && search_below(s, inner, i, up))
		return true;
	set = from_child(inner, up ? i + 1 : 0) ^
	      (up ? 0 : from_child(inner, i));
	if (search_inner(s, inner, level, set, up))
		return true;
	i = up ? inner->node.count - 1u : 0;
	s->edge = farther(beginning(s, up), far_end(span_at(inner, i), up), up);
	return false;
}

static bool begin_up(struct search *s, uintptr_t node, unsigned level,
		     uintptr_t edge)
{
	return begin(s, node, level, edge, true);
}

static bool begin_down(struct search *s, uintptr_t node, unsigned level,
		       uintptr_t edge)
{
	return begin(s, node, level, edge, false);
}

bool vmset__tree_find_gap(struct vmset__tree *tree,
			  const struct vmset__fit *fit,
			  enum vmset__direction direction,
			  struct vmset_range *gap)
{
	bool up = direction == VMSET__UP;
	struct search s = {
		.tree = tree, .fit = fit, .direction = direction, .gap = gap,
		.width = vmset__width(fit->size),
	};

	if (vmset__range_is_empty(fit->window))
		return false;
	if (fit->align > fit->grain) {
		s.place = alignment_place(tree, fit);
		s.slack = fit->align - 1;
	}
	if (fit->below) {
		fit->below->tree = tree;
		fit->below->level = vmset__root_level(tree->root);
		fit->below->leaf = NULL;
		fit->below->moved = false;
	}
	return (up ? begin_up : begin_down)(&s, vmset__root_node(tree->root),
					    vmset__root_level(tree->root),
					    beginning(&s, up)) ||
	       gap_fits(&s, s.edge, up ? fit->window.end : fit->window.start);
}
