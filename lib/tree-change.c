/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Changes of the tree: built aside, published by one store.
 *
 * Mostly a splice is all in one leaf, which has slots for what is new: then that
 * leaf's next turn publishes it (tree-node.h).
 *
 * In general a splice touches the leaves from the one where its lowest end belongs
 * to the one where its highest end belongs.  What stays of them and what is new is
 * packed into new leaves, which replace the old ones among the children of
 * their parents; that is a splice one level up.  It ends where one node replaces
 * one node: there a store to the parent's child pointer, or to the root,
 * publishes the whole.
 *
 * A node that overflows shares with a neighbour before two become three, so
 * that nodes are about four fifths full after random insertions (the B* rule
 * of Bayer and McCreight, and Knuth).  A run of insertions that goes up, or
 * down, leaves full nodes behind.
 */
#include "tree.h"

#include <errno.h>
#include <string.h>

#include "entry.h"
#include "range.h"
#include "tree-node.h"

/* A node that is emptier joins a neighbour, if both together fill at most FULL. */
#define FEW(slots)  ((slots) / 4)
#define FULL(slots) ((slots) / 4 * 3)

/*
 * Room that is left in nodes that share what was too much for one: else they
 * overflow again at once.  Wide leaves do: room in them would take too much memory.
 */
#define SPARE(slots) ((slots) / 8)

static unsigned slots_at(unsigned level)
{
	return level ? INNER_SLOTS : LEAF_SLOTS;
}

static struct vmset__node *node_of(uintptr_t node)
{
	return (struct vmset__node *)node;
}

/* ---- summaries ---- */

/* The largest gap between the entries [from, to] of a leaf, by an order. */
static uintptr_t gap_between(const struct vmset__leaf *leaf,
			     const uint16_t *order, unsigned from, unsigned to)
{
	uintptr_t end = leaf->range[vmset__slot(order[from])].end, gap = 0;

	for (unsigned i = from + 1; i <= to; i++) {
		struct vmset_range range = leaf->range[vmset__slot(order[i])];

		gap = vmset__max(gap, range.start - end);
		end = range.end;
	}
	return gap;
}

/* Of a leaf that is not empty; gap: what is known to be its largest. */
static struct vmset__summary sum_with_gap(const struct vmset__leaf *leaf,
					  const uint16_t *order,
					  unsigned count, uintptr_t gap)
{
	return (struct vmset__summary){
		leaf->range[vmset__slot(order[0])].start,
		leaf->range[vmset__slot(order[count - 1])].end, gap,
	};
}

static struct vmset__summary summarise_leaf(const struct vmset__leaf *leaf)
{
	const uint16_t *order = vmset__order(leaf);
	unsigned count = leaf->node.count;

	return sum_with_gap(leaf, order, count,
			    gap_between(leaf, order, 0, count - 1));
}

static struct vmset__summary summarise_inner(const struct vmset__inner *inner)
{
	unsigned count = inner->node.count;
	const struct vmset__summary *child = inner->sum;
	struct vmset__summary sum = {
		child[0].first, child[count - 1].last, child[0].gap,
	};

	for (unsigned i = 1; i < count; i++) {
		uintptr_t between = child[i].first - child[i - 1].last;

		sum.gap = vmset__max(sum.gap, child[i].gap);
		sum.gap = vmset__max(sum.gap, between);
	}
	return sum;
}

struct vmset__summary vmset__summarise(uintptr_t node, unsigned level)
{
	return level ? summarise_inner(vmset__inner(node)) :
		       summarise_leaf(vmset__leaf(node));
}

/* Forget what is known of child i at each alignment.  false: nothing was. */
static bool forget_rooms(struct vmset__inner *inner, unsigned i)
{
	uint32_t bit = UINT32_C(1) << i, known = 0;

	for (unsigned r = 0; r < VMSET_TREE_ALIGNMENTS; r++) {
		known |= inner->rooms[r].valid & bit;
		inner->rooms[r].valid &= ~bit;
	}
	return known != 0;
}

/* The largest of the gaps in child i and beside it. */
static uintptr_t gap_around(const struct vmset__inner *inner, unsigned i)
{
	const struct vmset__summary *child = &inner->sum[i];
	uintptr_t gap = child->gap;

	if (i)
		gap = vmset__max(gap, child->first - child[-1].last);
	if (i + 1 < inner->node.count)
		gap = vmset__max(gap, child[1].first - child->last);
	return gap;
}

/*
 * The summary of an inner node whose largest gap was whole, and the largest around
 * child i was part, before that child changed.
 */
static struct vmset__summary summarise_again(const struct vmset__inner *inner,
					     unsigned i, uintptr_t whole,
					     uintptr_t part)
{
	uintptr_t now = gap_around(inner, i);

	if (now < whole && part == whole)
		return summarise_inner(inner);
	return (struct vmset__summary){
		inner->sum[0].first, inner->sum[inner->node.count - 1].last,
		vmset__max(now, whole),
	};
}

static bool same_summary(const struct vmset__summary *a,
			 const struct vmset__summary *b)
{
	return a->first == b->first && a->last == b->last && a->gap == b->gap;
}

/*
 * A node at level, with this summary, has taken its place: bring those above it
 * up to date, as far up as something changes.  Nobody has the root's.
 */
static void update_summaries(const struct vmset__cursor *path, unsigned level,
			     struct vmset__summary sum)
{
	/* Nothing is known at any alignment before the first has its place. */
	const bool notes = path->tree->alignment[0].align;

	for (;;) {
		const struct vmset__step_of_path *step = &path->path[++level];
		struct vmset__inner *inner = step->node;
		bool forgot = notes && forget_rooms(inner, step->at);
		uintptr_t part;

		if (!forgot && same_summary(&inner->sum[step->at], &sum))
			return;
		part = gap_around(inner, step->at);
		inner->sum[step->at] = sum;
		vmset__measure(inner, step->at);
		if (step->at + 1 < inner->node.count)
			vmset__measure(inner, step->at + 1);
		if (level == path->level)
			return;
		sum = summarise_again(inner, step->at,
				      step[1].node->sum[step[1].at].gap, part);
	}
}

/* ---- what goes into new nodes ---- */

/* A run of entries, or of children, that goes into new nodes. */
struct part {
	enum { OLD_NODE, FRESH, CHAIN } kind;
	size_t n;
	uintptr_t node;                         /* OLD_NODE, and from where */
	unsigned from;
	const struct vmset_area *fresh;
	const struct vmset__node *chain;        /* new nodes, by link */
	/* What divides the last child of node, or of chain, from the next. */
	uintptr_t bound;
};

#define PARTS 5

/* The splice at one level. */
struct job {
	struct vmset__tree *tree;
	struct vmset__change *change;
	bool urgent;
	unsigned level;
	struct part part[PARTS];
	unsigned parts;
	size_t total;
	bool at_start, at_end;          /* the new is at an end of the nodes */
	struct vmset__node *chain;      /* the result */
	size_t chain_n;
};

static void add_part(struct job *job, struct part part)
{
	job->part[job->parts++] = part;
	job->total += part.n;
}

static void mark(struct vmset__leaf *leaf, unsigned slot, bool hidden)
{
	uint32_t others = leaf->hidden & ~(UINT32_C(1) << slot);

	vmset__store(&leaf->hidden, others | (uint32_t)hidden << slot);
}

/* The entry is plain, or the leaf wide. */
static inline void store_entry(struct vmset__leaf *to, unsigned slot,
			       const struct vmset_area *entry)
{
	enum vmset__kind kind = vmset__kind(entry);
	uint32_t flags = entry->flags;

	vmset__store(&to->range[slot].start, entry->start);
	vmset__store(&to->range[slot].end, entry->end);
	if (to->wide) {
		vmset__store(&to->more[slot].offset, entry->offset);
		vmset__store(&to->more[slot].backend, entry->backend);
		vmset__store(&to->more[slot].data, entry->data);
	} else if (kind != VMSET__AREA) {
		flags = kind;
	}
	vmset__store(&to->flags[slot], flags);
	mark(to, slot, kind != VMSET__AREA);
}

/* To a leaf that nobody sees yet, so plain stores will do; but see shared.h. */
static inline void copy_entry(const struct vmset__tree *tree,
			      struct vmset__leaf *to, unsigned slot,
			      const struct vmset__leaf *leaf, unsigned from)
{
	struct vmset_area entry;

	if (VMSET_SHARED_WATCHED || to->wide != leaf->wide) {
		vmset__read_entry(tree, leaf, from, &entry);
		store_entry(to, slot, &entry);
		return;
	}
	to->range[slot] = leaf->range[from];
	to->flags[slot] = leaf->flags[from];
	if (leaf->wide)
		to->more[slot] = leaf->more[from];
	if (leaf->hidden)
		mark(to, slot, leaf->hidden >> from & 1);
}

/* Entry i of a part. */
static struct vmset_area entry_of(const struct vmset__tree *tree,
				  const struct part *part, size_t i)
{
	const struct vmset__leaf *leaf = vmset__leaf(part->node);
	struct vmset_area entry;

	if (part->kind == FRESH)
		return part->fresh[i];
	vmset__read_entry(tree, leaf,
			  vmset__slot_of(leaf, part->from + (unsigned)i),
			  &entry);
	return entry;
}

static bool is_part_plain(const struct vmset__tree *tree,
			  const struct part *part, size_t n)
{
	if (part->kind == OLD_NODE && !vmset__leaf(part->node)->wide)
		return true;
	for (size_t i = 0; i < n; i++) {
		struct vmset_area entry = entry_of(tree, part, i);

		if (!vmset__is_plain(tree, &entry))
			return false;
	}
	return true;
}

/* Whether the next n entries of the parts can be in a leaf that is not wide. */
static bool are_plain(const struct vmset__tree *tree, const struct part *part,
		      size_t n)
{
	for (; n; part++) {
		size_t take = vmset__min(n, part->n);

		if (!is_part_plain(tree, part, take))
			return false;
		n -= take;
	}
	return true;
}

/* Take n entries from the front of a part into slots. */
static void take_entries(const struct vmset__tree *tree,
			 struct vmset__leaf *to, unsigned at,
			 struct part *part, unsigned n)
{
	if (part->kind == OLD_NODE) {
		const struct vmset__leaf *leaf = vmset__leaf(part->node);
		const uint16_t *order = vmset__order(leaf);

		for (unsigned i = 0; i < n; i++)
			copy_entry(tree, to, at + i, leaf,
				   vmset__slot(order[part->from + i]));
		part->from += n;
	} else {
		for (unsigned i = 0; i < n; i++)
			store_entry(to, at + i, part->fresh++);
	}
	part->n -= n;
}

static void copy_children(struct vmset__inner *to, unsigned at,
			  const struct vmset__inner *inner, unsigned from,
			  unsigned n, uintptr_t last_bound)
{
#if VMSET_SHARED_WATCHED
	for (unsigned i = 0; i < n; i++) {
		const struct vmset__child *child = &inner->child[from + i];

		vmset__store(&to->child[at + i].bound, child->bound);
		vmset__store(&to->child[at + i].node, child->node);
	}
#else
	memcpy(&to->child[at], &inner->child[from], n * sizeof *to->child);
#endif
	memcpy(&to->sum[at], &inner->sum[from], n * sizeof *to->sum);
	if (from + n == inner->node.count)
		vmset__store(&to->child[at + n - 1].bound, last_bound);
}

static void store_child(struct vmset__inner *to, unsigned at, uintptr_t child,
			unsigned level, uintptr_t bound)
{
	struct vmset__summary sum = vmset__summarise(child, level);

	vmset__store(&to->child[at].bound, bound ? bound : sum.last);
	vmset__store(&to->child[at].node, child);
	to->sum[at] = sum;
}

/* Take n children from the front of a part into a node at level. */
static void take_children(struct vmset__inner *to, unsigned level,
			  unsigned at, struct part *part, unsigned n)
{
	if (part->kind == OLD_NODE) {
		copy_children(to, at, vmset__inner(part->node), part->from, n,
			      part->bound);
		part->from += n;
	} else {
		for (unsigned i = 0; i < n; i++) {
			bool last = part->n == i + 1;

			store_child(to, at + i, (uintptr_t)part->chain,
				    level - 1, last ? part->bound : 0);
			part->chain = part->chain->link;
		}
	}
	part->n -= n;
}

static struct vmset__node *make_node(const struct job *job,
				     enum vmset__class class)
{
	struct vmset__change *change = job->change;
	struct vmset__node *node =
		vmset__slab_alloc(&job->tree->slab, class, job->urgent);

	if (!node)
		return NULL;
	node->made = change->made[class];
	change->made[class] = node;
	node->link = NULL;
	return node;
}

/* A leaf for the next n entries of the parts. */
static struct vmset__leaf *make_leaf(const struct job *job,
				     const struct part *part, unsigned n)
{
	enum vmset__class class = are_plain(job->tree, part, n) ?
					  VMSET__LEAF : VMSET__WIDE_LEAF;
	struct vmset__leaf *leaf = (void *)make_node(job, class);

	/* A wide one will do as well. */
	if (!leaf && class == VMSET__LEAF) {
		class = VMSET__WIDE_LEAF;
		leaf = (void *)make_node(job, class);
	}
	if (!leaf)
		return NULL;
	vmset__store(&leaf->wide, class == VMSET__WIDE_LEAF);
	vmset__store(&leaf->hidden, 0);
	return leaf;
}

/* ---- keys ---- */

#define KEY_BITS      15
#define LEAF_KEY_BITS (KEY_BITS - SLOT_BITS)

/*
 * The finest scale on which ends from first to last have keys of their own, of so
 * many bits.
 */
static struct vmset__scale scale_for(uintptr_t first, uintptr_t last,
				     unsigned key_bits)
{
	unsigned long long span = last - first;
	unsigned bits = 64 - (unsigned)__builtin_clzll(span | 1);

	return (struct vmset__scale){
		first, (uint16_t)(bits > key_bits ? bits - key_bits : 0)
	};
}

/* Whether a leaf's scale is good enough for ends from first to last. */
static bool scale_fits(struct vmset__scale scale, uintptr_t first,
		       uintptr_t last)
{
	uintptr_t top = (last - scale.base) >> scale.shift;

	return first >= scale.base && top <= LEAF_KEY_MAX &&
	       (top > LEAF_KEY_MAX / 8 || !scale.shift);
}

static void pad_keys(uint16_t *keys, unsigned from, unsigned slots)
{
	for (unsigned i = from; i < slots; i++)
		vmset__store(&keys[i], VMSET__KEY_MAX);
}

/* A new leaf that has its entries, in as many slots from the first one on. */
static void finish_leaf(struct vmset__leaf *leaf, unsigned count)
{
	struct vmset__scale scale = { 0, 0 };

	if (count)
		scale = scale_for(leaf->range[0].start,
				  leaf->range[count - 1].end, LEAF_KEY_BITS);
	for (unsigned i = 0; i < count; i++)
		vmset__store(&leaf->order[0][i],
			     vmset__leaf_place(scale, leaf->range[i].end, i));
	pad_keys(leaf->order[0], count, LEAF_KEYS);
	vmset__store(&leaf->base, scale.base);
	vmset__store(&leaf->node.shift, scale.shift);
	vmset__store(&leaf->turn, 0);
	leaf->node.count = count;
	leaf->used = count ? UINT32_MAX >> (32 - count) : 0;
}

static void finish_inner(struct vmset__inner *inner, unsigned count)
{
	struct vmset__scale scale = { 0, 0 };
	const unsigned last = count - 1;

	vmset__store(&inner->child[last].bound, UINTPTR_MAX);

	if (last)
		scale = scale_for(inner->sum[0].first,
				  inner->child[last - 1].bound, KEY_BITS);
	for (unsigned i = 0; i < last; i++)
		vmset__store(&inner->key[i],
			     vmset__key(scale, inner->child[i].bound));
	pad_keys(inner->key, last, INNER_KEYS);
	for (unsigned r = 0; r < VMSET_TREE_ALIGNMENTS; r++)
		inner->rooms[r].valid = 0;
	for (unsigned i = 0; i < count; i++)
		vmset__measure(inner, i);
	vmset__store(&inner->base, scale.base);
	vmset__store(&inner->node.shift, scale.shift);
	vmset__store(&inner->node.count, count);
}

/* ---- packing ---- */

/* Of n more in a new node: how many to take from the front of which part. */
static unsigned next_part(struct part **part, unsigned n)
{
	while (!(*part)->n)
		(*part)++;
	return (unsigned)vmset__min(n, (*part)->n);
}

/* A new leaf with the next n entries of the job's parts. */
static struct vmset__node *pack_leaf(const struct job *job, struct part **part,
				     unsigned n)
{
	struct vmset__leaf *leaf = make_leaf(job, *part, n);

	if (!leaf)
		return NULL;
	for (unsigned at = 0, take; at < n; at += take) {
		take = next_part(part, n - at);
		take_entries(job->tree, leaf, at, *part, take);
	}
	finish_leaf(leaf, n);
	return &leaf->node;
}

/* A new inner node with the next n children of the job's parts. */
static struct vmset__node *pack_inner(const struct job *job, struct part **part,
				      unsigned n)
{
	struct vmset__inner *inner = (void *)make_node(job, VMSET__INNER);

	if (!inner)
		return NULL;
	for (unsigned at = 0, take; at < n; at += take) {
		take = next_part(part, n - at);
		take_children(inner, job->level, at, *part, take);
	}
	finish_inner(inner, n);
	return &inner->node;
}

/* How many of the total the i-th of m new nodes gets. */
static unsigned share(const struct job *job, size_t m, size_t i)
{
	size_t slots = slots_at(job->level), left = job->total - (m - 1) * slots;

	if (m > 1 && job->at_end)
		return (unsigned)(i == m - 1 ? left : slots);
	if (m > 1 && job->at_start)
		return (unsigned)(i == 0 ? left : slots);
	return (unsigned)(job->total / m + (i < job->total % m));
}

/* How many new nodes. */
static size_t nodes_for(const struct job *job)
{
	size_t slots = slots_at(job->level);

	if (job->total > slots && !job->at_start && !job->at_end &&
	    (job->level || are_plain(job->tree, job->part, job->total)))
		slots -= SPARE(slots);
	return (job->total + slots - 1) / slots;
}

static bool pack(struct job *job)
{
	size_t m = nodes_for(job);
	struct vmset__node **link = &job->chain;
	struct part *part = job->part;

	job->chain = NULL;
	job->chain_n = m;
	for (size_t i = 0; i < m; i++) {
		unsigned n = share(job, m, i);

		*link = job->level ? pack_inner(job, &part, n) :
				     pack_leaf(job, &part, n);
		if (!*link)
			return false;
		link = &(*link)->link;
	}
	return true;
}

/* ---- from level to level ---- */

/* What divides child i of the cursor's node at level from what follows. */
static uintptr_t bound_of(const struct vmset__cursor *path, unsigned level,
			  unsigned i)
{
	const struct vmset__inner *inner = path->path[level].node;

	while (i + 1 == inner->node.count) {
		if (level++ == path->level)
			return UINTPTR_MAX;
		inner = path->path[level].node;
		i = path->path[level].at;
	}
	return inner->child[i].bound;
}

static unsigned child_count(const struct vmset__inner *inner, unsigned i)
{
	return node_of(inner->child[i].node)->count;
}

/* Whether the job, with a neighbour that has count, is better off. */
static bool should_join(const struct job *job, unsigned count)
{
	size_t slots = slots_at(job->level);

	if (job->total < FEW(slots))
		return job->total && job->total + count <= FULL(slots);
	return job->total > slots && job->total <= 2 * slots &&
	       !job->at_start && !job->at_end;
}

/*
 * Take a neighbour of the nodes that are replaced into the job, if that keeps
 * the nodes well filled: the emptier of the two.
 */
static void join_neighbour(struct job *job)
{
	struct vmset__change *change = job->change;
	unsigned level = job->level, none = UINT32_MAX;
	unsigned *low = &change->low[level], *high = &change->high[level];
	const struct vmset__inner *left, *right;
	unsigned before = none, behind = none;

	if (level >= change->left.level)
		return;
	left = change->left.path[level + 1].node;
	right = change->right.path[level + 1].node;
	if (*low > 0)
		before = child_count(left, *low - 1);
	if (*high + 1 < right->node.count)
		behind = child_count(right, *high + 1);
	if (before <= behind && before != none && should_join(job, before)) {
		--*low;
		memmove(&job->part[1], &job->part[0],
			job->parts * sizeof job->part[0]);
		job->part[0] = (struct part){
			.kind = OLD_NODE, .n = before,
			.node = left->child[*low].node,
			.bound = left->child[*low].bound,
		};
		job->parts++;
		job->total += before;
	} else if (behind != none && should_join(job, behind)) {
		++*high;
		add_part(job, (struct part){
			.kind = OLD_NODE, .n = behind,
			.node = right->child[*high].node,
			.bound = bound_of(&change->right, level + 1, *high),
		});
	}
}

/*
 * How many entries of the leaf at the end of a path stay in front of the cut.  The
 * path is at the entry behind those, or farther on.
 */
static unsigned before_cut(const struct vmset__cursor *path,
			   struct vmset_range cut)
{
	const struct vmset__leaf *leaf = path->leaf;
	const uint16_t *order = vmset__order(leaf);
	unsigned n = path->at;

	while (n &&
	       leaf->range[vmset__slot(order[n - 1])].end > cut.start)
		n--;
	return n;
}

/* The first entry of a leaf, from one on, that stays behind the cut. */
static unsigned behind_cut(const struct vmset__leaf *leaf, unsigned from,
			   struct vmset_range cut)
{
	const uint16_t *order = vmset__order(leaf);
	unsigned n = from;

	while (n < leaf->node.count &&
	       leaf->range[vmset__slot(order[n])].end <= cut.end)
		n++;
	return n;
}

/* The job at level 0: what stays of the leaves at both ends, and the new. */
static void begin(struct job *job, const struct vmset__splice *splice)
{
	const struct vmset__leaf *left = job->change->left.leaf;
	const struct vmset__leaf *right = job->change->right.leaf;
	unsigned a = before_cut(&job->change->left, splice->cut);
	unsigned b = behind_cut(right, left == right ? a : 0, splice->cut);

	add_part(job, (struct part){ .kind = OLD_NODE, .n = a,
				     .node = (uintptr_t)left });
	add_part(job, (struct part){ .kind = FRESH, .n = splice->n,
				     .fresh = splice->fresh });
	add_part(job, (struct part){ .kind = OLD_NODE, .from = b,
				     .n = right->node.count - b,
				     .node = (uintptr_t)right });
	job->at_start = a == 0;
	job->at_end = b == right->node.count;
}

/* The job one level up: the chain among the children of the parents. */
static void ascend(struct job *job)
{
	struct vmset__change *change = job->change;
	unsigned level = job->level++;
	unsigned low = change->low[level], high = change->high[level];
	const struct vmset__inner *left = change->left.path[level + 1].node;
	const struct vmset__inner *right = change->right.path[level + 1].node;
	struct part chain = { .kind = CHAIN, .n = job->chain_n,
			      .chain = job->chain, .bound = UINTPTR_MAX };

	job->parts = 0;
	job->total = 0;
	job->at_start = job->at_end = false;
	if (level >= change->left.level) {
		add_part(job, chain);
		return;
	}
	chain.bound = bound_of(&change->right, level + 1, high);
	add_part(job, (struct part){ .kind = OLD_NODE, .n = low,
				     .node = (uintptr_t)left });
	add_part(job, chain);
	add_part(job, (struct part){
		.kind = OLD_NODE, .from = high + 1,
		.n = right->node.count - high - 1, .node = (uintptr_t)right,
		.bound = bound_of(&change->right, level + 1,
				  right->node.count - 1),
	});
	job->at_start = low == 0;
	job->at_end = high + 1 == right->node.count;
	if (job->level < change->left.level) {
		change->low[job->level] = change->left.path[level + 2].at;
		change->high[job->level] = change->right.path[level + 2].at;
	}
}

/* The only child that the parts of an inner level hold. */
static uintptr_t only_child(const struct job *job)
{
	const struct part *part = job->part;

	while (!part->n)
		part++;
	return part->kind == CHAIN ? (uintptr_t)part->chain :
			     vmset__inner(part->node)->child[part->from].node;
}

static void finish_root(struct job *job, uintptr_t node, unsigned level)
{
	job->change->slot = &job->tree->root;
	job->change->fresh = vmset__root(node_of(node), level);
	job->change->dropped_level = job->change->left.level;
}

/*
 * Whether the change can end here: true if the slot to publish it by is known.
 * Called when the level is packed.
 */
static bool finished(struct job *job)
{
	struct vmset__change *change = job->change;
	unsigned level = job->level;
	struct vmset__inner *parent;

	if (job->chain_n != 1)
		return false;
	if (level >= change->left.level) {
		finish_root(job, (uintptr_t)job->chain, level);
		return true;
	}
	parent = change->left.path[level + 1].node;
	if (parent != change->right.path[level + 1].node ||
	    change->low[level] != change->high[level])
		return false;
	change->slot = &parent->child[change->low[level]].node;
	change->fresh = (uintptr_t)job->chain;
	change->sum = vmset__summarise(change->fresh, level);
	change->dropped_level = level;
	return true;
}

/* The root has lost all its children: an empty leaf. */
static bool make_empty(struct job *job)
{
	struct part *none = job->part;

	job->level = 0;
	job->total = 0;
	job->chain = pack_leaf(job, &none, 0);
	if (job->chain)
		finish_root(job, (uintptr_t)job->chain, 0);
	return job->chain;
}

static bool build(struct job *job, const struct vmset__splice *splice)
{
	unsigned root_level = job->change->left.level;

	begin(job, splice);
	for (;;) {
		if (job->level == root_level && job->total == 0)
			return make_empty(job);
		if (job->level == root_level && job->level &&
		    job->total == 1) {
			finish_root(job, only_child(job), job->level - 1);
			return true;
		}
		join_neighbour(job);
		if (!pack(job))
			return false;
		if (finished(job))
			return true;
		if (job->level + 2 == VMSET_TREE_LEVELS)
			return false;
		ascend(job);
	}
}

/* ---- prepare, publish, discard ---- */

/*
 * How many nodes a level needs to be kept for the urgent changes of one
 * operation.  Together they add at most two entries, where areas are cut at its
 * ends, so that at most two nodes become more.  A change needs its nodes before
 * it retires the old ones: three in place of two where it is long, which only
 * the first one is, else one, beside the two; a retired node can be used again
 * at once.
 */
#define FOR_URGENT 3

/* The same, and two more for a change that adds nothing. */
#define FOR_MORE (FOR_URGENT + 2)

/* For a tree whose root has count.  While it is one leaf with room, it stays that. */
static inline bool keep(struct vmset__tree *tree, unsigned level,
			unsigned count, unsigned a_level)
{
	size_t leaves = a_level, inner = (size_t)a_level * level + 2;

	if (level == 0 && count + 2 <= LEAF_SLOTS) {
		leaves = a_level == FOR_URGENT ? 1 : 2;
		inner = 0;
	}
	return vmset__slab_keep(&tree->slab, VMSET__LEAF, leaves) &&
	       vmset__slab_keep(&tree->slab, VMSET__WIDE_LEAF, leaves) &&
	       vmset__slab_keep(&tree->slab, VMSET__INNER, inner);
}

static unsigned root_count(uintptr_t root)
{
	return node_of(vmset__root_node(root))->count;
}

bool vmset__tree_keep(struct vmset__tree *tree)
{
	return keep(tree, vmset__root_level(tree->root),
		    root_count(tree->root), FOR_URGENT);
}

/* See to it that there will be nodes when the change is published, and if not. */
static bool keep_after(struct vmset__tree *tree,
		       const struct vmset__change *change,
		       enum vmset__need need)
{
	uintptr_t root = change->slot == &tree->root ? change->fresh :
						       tree->root;
	unsigned level = vmset__root_level(root);

	return need == VMSET__URGENT ||
	       (keep(tree, level,
		     level || !change->leaf ? root_count(root) : change->count,
		     need == VMSET__FREEING ? FOR_URGENT : FOR_MORE) &&
		(change->slot != &tree->root || vmset__tree_keep(tree)));
}

/* In general.  The left path may have been good for the common case only. */
static bool prepare_nodes(struct vmset__tree *tree,
			  struct vmset__change *change,
			  const struct vmset__splice *splice, bool urgent)
{
	struct job job = { .tree = tree, .change = change, .urgent = urgent };

	vmset__cursor_route(&change->left, tree, splice->low_end - 1);
	vmset__cursor_route(&change->right, tree, splice->high_end - 1);
	if (change->left.level) {
		change->low[0] = change->left.path[1].at;
		change->high[0] = change->right.path[1].at;
	}
	return build(&job, splice);
}

/* Whether a splice is all in the leaf to which the left path leads. */
static bool is_in_leaf(const struct vmset__cursor *path,
		       const struct vmset__splice *splice)
{
	return !path->level || splice->high_end - 1 <
				       bound_of(path, 1, path->path[1].at);
}

/* Fill unused slots of a leaf.  places: of the new entries. */
static void fill_slots(struct vmset__change *change,
		       const struct vmset__splice *splice, uint16_t *places)
{
	struct vmset__leaf *leaf = change->leaf;
	const struct vmset__scale scale = { leaf->base, leaf->node.shift };

	for (size_t i = 0; i < splice->n; i++) {
		const struct vmset_area *entry = &splice->fresh[i];
		unsigned slot = (unsigned)__builtin_ctz(~change->used);

		change->used |= UINT32_C(1) << slot;
		store_entry(leaf, slot, entry);
		places[i] = vmset__leaf_place(scale, entry->end, slot);
	}
}

/*
 * An order: the old one, with n places instead of [a, b).  All others are taken
 * from where they are there, or from as far beside it as they move, and what is
 * behind them there with them; whatever comes from behind the end is put right.
 */
static void make_order(uint16_t *restrict to, const uint16_t *restrict old,
		       unsigned a, unsigned b, const uint16_t *places,
		       unsigned n)
{
	/* A signed number: SSE2 compares no others. */
	const int16_t behind = (int16_t)a;
	const int16_t keys = LEAF_KEYS;
	const uint16_t *moved = old + b - (a + n);

	_Static_assert(offsetof(struct vmset__leaf, order) >=
			       sizeof(uint16_t[LEAF_KEYS]) &&
		       sizeof(struct vmset_range[LEAF_SLOTS]) >=
			       sizeof(uint16_t[LEAF_KEYS]),
		       "words on both sides of the orders");
	for (int16_t i = 0; i < keys; i++) {
		uint16_t there = old[i], beside = moved[i];
		uint16_t place = i < behind ? there : beside;

#if VMSET_SHARED_WATCHED
		vmset__store(&to[i], place);
#else
		to[i] = place;
#endif
	}
	for (unsigned i = 0; i < n; i++)
		vmset__store(&to[a + i], places[i]);
	if (b > a + n)
		pad_keys(to, LEAF_KEYS - (b - (a + n)), LEAF_KEYS);
}

/*
 * The summary of a leaf, whose largest gap was old_gap, when its order is fresh,
 * with n places instead of [a, b) of count.  If that gap may have been at those,
 * and no new one is as large, all have to be looked at.
 */
static struct vmset__summary sum_up(const struct vmset__change *change,
				    const uint16_t *fresh, unsigned a,
				    unsigned b, unsigned n, uintptr_t old_gap)
{
	const struct vmset__leaf *leaf = change->leaf;
	const uint16_t *old = vmset__order(leaf);
	unsigned from = a ? a - 1 : 0, last = change->count - 1;
	unsigned old_last = leaf->node.count - 1;
	uintptr_t gap = gap_between(leaf, fresh, from,
				    a + n < last ? a + n : last);

	if (gap >= old_gap)
		old_gap = gap;
	else if (gap_between(leaf, old, from, b < old_last ? b : old_last) ==
		 old_gap)
		old_gap = gap_between(leaf, fresh, 0, last);
	return sum_with_gap(leaf, fresh, change->count, old_gap);
}

/* The slots of the places [a, b), as bits. */
static uint32_t slots_of(const struct vmset__leaf *leaf, unsigned a, unsigned b)
{
	uint32_t slots = 0;

	for (; a < b; a++)
		slots |= UINT32_C(1) << vmset__slot_of(leaf, a);
	return slots;
}

/* What will be the leaf's next turn, with the splice instead of [a, b). */
static void prepare_turn(struct vmset__change *change,
			 const struct vmset__splice *splice, unsigned a,
			 unsigned b)
{
	struct vmset__leaf *leaf = change->leaf;
	const struct vmset__step_of_path *step = &change->left.path[1];
	uint16_t *fresh = leaf->order[(leaf->turn + 1) % 2];
	unsigned n = (unsigned)splice->n;
	uint16_t places[LEAF_SLOTS];

	/* No word of this turn before the end of the last one. */
	vmset__fence_release();
	fill_slots(change, splice, places);
	make_order(fresh, vmset__order(leaf), a, b, places, n);
	change->used &= ~slots_of(leaf, a, b);
	change->slot = &leaf->turn;
	change->fresh = leaf->turn + 1;
	change->dropped_level = 0;
	if (change->left.level)
		change->sum = sum_up(change, fresh, a, b, n,
				     step->node->sum[step->at].gap);
}

/* Whether the splice leaves a leaf with good keys. */
static bool keys_stay_good(const struct vmset__leaf *leaf,
			   const struct vmset__splice *splice, unsigned b)
{
	const struct vmset__scale scale = { leaf->base, leaf->node.shift };
	unsigned count = leaf->node.count;
	uintptr_t last = splice->high_end;

	if (b < count)
		last = leaf->range[vmset__slot_of(leaf, count - 1)].end;
	return scale_fits(scale, splice->low_end, last);
}

static bool all_plain(const struct vmset__tree *tree,
		      const struct vmset__splice *splice)
{
	for (size_t i = 0; i < splice->n; i++)
		if (!vmset__is_plain(tree, &splice->fresh[i]))
			return false;
	return true;
}

/*
 * Try to change no more than the turn of the leaf to which the left path leads.
 * false: it has not enough slots, or no room for all that an entry has, or would
 * have too few entries, or bad keys.
 */
static bool take_turn(const struct vmset__tree *tree,
		      struct vmset__change *change,
		      const struct vmset__splice *splice)
{
	struct vmset__leaf *leaf = change->left.leaf;
	unsigned a = before_cut(&change->left, splice->cut);
	unsigned b = behind_cut(leaf, a, splice->cut);
	size_t count = leaf->node.count - (b - a) + splice->n;

	if (leaf->node.count + splice->n > LEAF_SLOTS ||
	    !(leaf->wide || all_plain(tree, splice)) ||
	    (change->left.level && count < FEW(LEAF_SLOTS)) ||
	    !keys_stay_good(leaf, splice, b))
		return false;
	change->leaf = leaf;
	change->used = leaf->used;
	change->count = (unsigned)count;
	prepare_turn(change, splice, a, b);
	return true;
}

static bool prepare_any(struct vmset__tree *tree, struct vmset__change *change,
			const struct vmset__splice *splice, bool urgent)
{
	if (!change->routed)
		vmset__cursor_route(&change->left, tree, splice->low_end - 1);
	return (is_in_leaf(&change->left, splice) &&
		take_turn(tree, change, splice)) ||
	       prepare_nodes(tree, change, splice, urgent);
}

int vmset__tree_prepare(struct vmset__tree *tree, struct vmset__change *change,
			const struct vmset__splice *splice,
			enum vmset__need need)
{
	vmset__change_init(change);
	change->leaf = NULL;
	change->len_change = splice->len_change;
	if (prepare_any(tree, change, splice, need != VMSET__GROWING) &&
	    keep_after(tree, change, need))
		return 0;
	vmset__tree_discard(tree, change);
	return -ENOMEM;
}

void vmset__tree_discard(struct vmset__tree *tree, struct vmset__change *change)
{
	for (int class = 0; class < VMSET__CLASSES; class++) {
		struct vmset__node *node = change->made[class];

		while (node) {
			struct vmset__node *next = node->made;

			vmset__slab_unalloc(&tree->slab, class, node);
			node = next;
		}
		change->made[class] = NULL;
	}
}

/*
 * Retire the children of a node that were replaced; which of its sides lie on
 * the paths tells how much of it that is.  A neighbour that was taken in (a
 * child beside the paths) is replaced itself, but its children live on.
 */
static void retire(struct vmset__tree *tree, const struct vmset__change *change,
		   uintptr_t node, unsigned level, bool on_left, bool on_right)
{
	if (level) {
		const struct vmset__inner *inner = vmset__inner(node);
		const struct vmset__step_of_path *l = &change->left.path[level];
		const struct vmset__step_of_path *r = &change->right.path[level];
		unsigned from = on_left ? change->low[level - 1] : 0;
		unsigned to = on_right ? change->high[level - 1] :
					 inner->node.count - 1;

		for (unsigned i = from; i <= to; i++) {
			uintptr_t child = inner->child[i].node;

			if ((on_left && i < l->at) || (on_right && i > r->at))
				vmset__slab_retire(&tree->slab,
						   vmset__class_of(child,
								   level - 1),
						   node_of(child));
			else
				retire(tree, change, child, level - 1,
				       on_left && i == l->at,
				       on_right && i == r->at);
		}
	}
	vmset__slab_retire(&tree->slab, vmset__class_of(node, level),
			   node_of(node));
}

void vmset__tree_publish(struct vmset__tree *tree,
			 const struct vmset__change *change)
{
	uintptr_t seq = tree->seq, old = *change->slot;
	size_t len = tree->len[seq / 2 % 2];

	/* No word of the announcement before the end of the last one. */
	vmset__fence_release();
	vmset__store(&tree->slot, change->slot);
	vmset__store(&tree->fresh, change->fresh);
	vmset__store(&tree->len[(seq / 2 + 1) % 2],
		     len + (size_t)change->len_change);
	vmset__store_release(&tree->seq, seq + 1);
	vmset__store_release(change->slot, change->fresh);
	vmset__store_release(&tree->seq, seq + 2);

	if (change->dropped_level < change->left.level)
		update_summaries(&change->left, change->dropped_level,
				 change->sum);
	if (change->leaf) {
		change->leaf->used = change->used;
		change->leaf->node.count = change->count;
		return;
	}
	if (change->slot == &tree->root)
		old = vmset__root_node(old);
	retire(tree, change, old, change->dropped_level, true, true);
	vmset__slab_tidy(&tree->slab);
}

bool vmset__tree_init(struct vmset__tree *tree, struct vmset__plain plain)
{
	struct vmset__change change = { 0 };
	struct job job = { .tree = tree, .change = &change };

	tree->plain = plain;
	if (!make_empty(&job))
		return false;
	tree->root = change.fresh;
	return vmset__tree_keep(tree);
}
