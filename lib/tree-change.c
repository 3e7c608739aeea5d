/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Changes of the tree: built aside, published by one store.
 *
 * A splice touches the leaves from the one where its lowest end belongs to the
 * one where its highest end belongs.  What stays of them and what is new is
 * packed into new leaves, which replace the old ones among the children of
 * their parents; that is a splice one level up.  It ends where one node replaces
 * one node: there a store to the parent's child pointer, or to the root,
 * publishes the whole.  Mostly that is one leaf for one leaf.
 *
 * A node that overflows shares with a neighbour before two become three, so
 * that nodes are about four fifths full after random insertions (the B* rule
 * of Bayer and McCreight, and Knuth).  A run of insertions that goes up, or
 * down, leaves full nodes behind.
 */
#include "tree.h"

#include <errno.h>
#include <string.h>

#include "range.h"
#include "tree-node.h"

/* A node that is emptier joins a neighbour, if both together fill at most FULL. */
#define FEW(slots)  ((slots) / 4)
#define FULL(slots) ((slots) / 4 * 3)

static unsigned slots_at(unsigned level)
{
	return level ? INNER_SLOTS : LEAF_SLOTS;
}

static struct vmset__node *node_of(uintptr_t node)
{
	return (struct vmset__node *)node;
}

/* ---- summaries ---- */

/* The largest gap between the entries [from, to] of a leaf. */
static uintptr_t gap_between(const struct vmset__leaf *leaf, unsigned from,
			     unsigned to)
{
	const struct vmset_range *range = leaf->range;
	uintptr_t gap = 0;

	for (unsigned i = from + 1; i <= to && i < leaf->node.count; i++)
		gap = vmset__max(gap, range[i].start - range[i - 1].end);
	return gap;
}

static struct vmset__summary summarise_leaf(const struct vmset__leaf *leaf)
{
	unsigned count = leaf->node.count;
	const struct vmset_range *range = leaf->range;

	return (struct vmset__summary){
		range[0].start, range[count - 1].end,
		gap_between(leaf, 0, count - 1),
	};
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
	for (;;) {
		const struct vmset__step_of_path *step = &path->path[++level];
		struct vmset__inner *inner = step->node;
		bool forgot = forget_rooms(inner, step->at);
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

static void store_entry(struct vmset__leaf *to, unsigned at,
			const struct vmset_area *entry)
{
	vmset__store(&to->range[at].start, entry->start);
	vmset__store(&to->range[at].end, entry->end);
	vmset__store(&to->flags[at], entry->flags);
	vmset__store(&to->more[at].offset, entry->offset);
	vmset__store(&to->more[at].backend, entry->backend);
	vmset__store(&to->more[at].data, entry->data);
}

/* Nodes that nobody sees yet, so plain stores will do; but see shared.h. */
#if VMSET_SHARED_WATCHED
static void copy_entries(struct vmset__leaf *to, unsigned at,
			 const struct vmset__leaf *leaf, unsigned from,
			 unsigned n)
{
	for (unsigned i = 0; i < n; i++, at++, from++)
		store_entry(to, at, &(struct vmset_area){
			.start = leaf->range[from].start,
			.end = leaf->range[from].end,
			.flags = leaf->flags[from],
			.backend = leaf->more[from].backend,
			.offset = leaf->more[from].offset,
			.data = leaf->more[from].data,
		});
}
#else
#define COPY(dst, at, src, from, n) \
	memcpy(&(dst)[at], &(src)[from], (n) * sizeof *(dst))

static void copy_entries(struct vmset__leaf *to, unsigned at,
			 const struct vmset__leaf *leaf, unsigned from,
			 unsigned n)
{
	COPY(to->range, at, leaf->range, from, n);
	COPY(to->flags, at, leaf->flags, from, n);
	COPY(to->more, at, leaf->more, from, n);
}
#endif

/* Take n entries from the front of a part. */
static void take_entries(struct vmset__leaf *to, unsigned at,
			 struct part *part, unsigned n)
{
	if (part->kind == OLD_NODE) {
		copy_entries(to, at, vmset__leaf(part->node), part->from, n);
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
	for (unsigned i = 0; i < n; i++) {
		const struct vmset__child *child = &inner->child[from + i];

		vmset__store(&to->child[at + i].bound, child->bound);
		vmset__store(&to->child[at + i].node, child->node);
	}
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

static struct vmset__node *make_node(struct vmset__tree *tree,
				     struct vmset__change *change,
				     unsigned level, bool urgent)
{
	enum vmset__class class = vmset__class_of(level);
	struct vmset__node *node =
		vmset__slab_alloc(&tree->slab, class, urgent);

	if (!node)
		return NULL;
	node->made = change->made[class];
	change->made[class] = node;
	node->link = NULL;
	return node;
}

/* ---- keys ---- */

#define KEY_BITS 15

/* The finest scale on which ends from first to last have keys of their own. */
static struct vmset__scale scale_for(uintptr_t first, uintptr_t last)
{
	unsigned long long span = last - first;
	unsigned bits = 64 - (unsigned)__builtin_clzll(span | 1);

	return (struct vmset__scale){
		first, (uint16_t)(bits > KEY_BITS ? bits - KEY_BITS : 0)
	};
}

/* Whether a scale is good enough for ends from first to last. */
static bool scale_fits(struct vmset__scale scale, uintptr_t first,
		       uintptr_t last)
{
	uintptr_t top = (last - scale.base) >> scale.shift;

	return first >= scale.base && top < VMSET__KEY_MAX &&
	       (top > VMSET__KEY_MAX / 8 || !scale.shift);
}

static void pad_keys(uint16_t *keys, unsigned from, unsigned slots)
{
	for (unsigned i = from; i < slots; i++)
		vmset__store(&keys[i], VMSET__KEY_MAX);
}

static void key_entries(struct vmset__leaf *leaf, struct vmset__scale scale,
			unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		vmset__store(&leaf->key[i],
			     vmset__key(scale, leaf->range[i].end));
}

/* From a leaf of the same scale. */
static void copy_keys(struct vmset__leaf *to, unsigned at,
		      const struct vmset__leaf *leaf, unsigned from,
		      unsigned n)
{
#if VMSET_SHARED_WATCHED
	for (unsigned i = 0; i < n; i++)
		vmset__store(&to->key[at + i], leaf->key[from + i]);
#else
	COPY(to->key, at, leaf->key, from, n);
#endif
}

static void finish_leaf(struct vmset__leaf *leaf, unsigned count,
			struct vmset__scale scale)
{
	pad_keys(leaf->key, count, LEAF_KEYS);
	vmset__store(&leaf->base, scale.base);
	vmset__store(&leaf->node.shift, scale.shift);
	vmset__store(&leaf->node.count, count);
}

/* A leaf that has its entries, but no keys. */
static void scale_leaf(struct vmset__leaf *leaf, unsigned count)
{
	struct vmset__scale scale = { 0, 0 };

	if (count)
		scale = scale_for(leaf->range[0].start,
				  leaf->range[count - 1].end);
	key_entries(leaf, scale, 0, count);
	finish_leaf(leaf, count, scale);
}

static void finish_inner(struct vmset__inner *inner, unsigned count)
{
	struct vmset__scale scale = { 0, 0 };
	const unsigned last = count - 1;

	vmset__store(&inner->child[last].bound, UINTPTR_MAX);

	if (last)
		scale = scale_for(inner->sum[0].first,
				  inner->child[last - 1].bound);
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

/* A new node with the next n entries or children of the job's parts. */
static struct vmset__node *pack_node(struct job *job, struct part **part,
				     unsigned n)
{
	struct vmset__node *node = make_node(job->tree, job->change,
					     job->level, job->urgent);
	unsigned at = 0;

	if (!node)
		return NULL;
	while (at < n) {
		unsigned take = (unsigned)vmset__min(n - at, (*part)->n);

		if (!take)
			(*part)++;
		else if (job->level)
			take_children(vmset__inner((uintptr_t)node), job->level,
				      at, *part, take);
		else
			take_entries(vmset__leaf((uintptr_t)node), at, *part,
				     take);
		at += take;
	}
	if (job->level)
		finish_inner(vmset__inner((uintptr_t)node), n);
	else
		scale_leaf(vmset__leaf((uintptr_t)node), n);
	return node;
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

static bool pack(struct job *job)
{
	size_t slots = slots_at(job->level), m = (job->total + slots - 1) / slots;
	struct vmset__node **link = &job->chain;
	struct part *part = job->part;

	job->chain = NULL;
	job->chain_n = m;
	for (size_t i = 0; i < m; i++) {
		*link = pack_node(job, &part, share(job, m, i));
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

/* How many entries of a leaf stay in front of the cut. */
static unsigned before_cut(const struct vmset__leaf *leaf,
			   struct vmset_range cut)
{
	return vmset__ends_by(leaf, leaf->node.count, cut.start);
}

/* The first entry of a leaf, from one on, that stays behind the cut. */
static unsigned behind_cut(const struct vmset__leaf *leaf, unsigned from,
			   struct vmset_range cut)
{
	unsigned n = from;

	while (n < leaf->node.count && leaf->range[n].end <= cut.end)
		n++;
	return n;
}

/* The job at level 0: what stays of the leaves at both ends, and the new. */
static void begin(struct job *job, const struct vmset__splice *splice)
{
	const struct vmset__leaf *left = job->change->left.leaf;
	const struct vmset__leaf *right = job->change->right.leaf;
	unsigned a = before_cut(left, splice->cut);
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
	job->level = 0;
	job->total = 0;
	job->chain = pack_node(job, NULL, 0);
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

/* For a tree with this root.  While it is one leaf with room, that is copied. */
static bool keep(struct vmset__tree *tree, uintptr_t root, unsigned a_level)
{
	unsigned level = vmset__root_level(root);
	const struct vmset__node *node = node_of(vmset__root_node(root));

	if (level == 0 && node->count + 2 <= LEAF_SLOTS)
		return vmset__slab_keep(&tree->slab, VMSET__LEAF,
					a_level == FOR_URGENT ? 1 : 2);
	return vmset__slab_keep(&tree->slab, VMSET__LEAF, a_level) &&
	       vmset__slab_keep(&tree->slab, VMSET__INNER,
				a_level * level + 2);
}

bool vmset__tree_keep(struct vmset__tree *tree)
{
	return keep(tree, tree->root, FOR_URGENT);
}

/* See to it that there will be nodes when the change is published, too. */
static bool keep_after(struct vmset__tree *tree,
		       const struct vmset__change *change,
		       enum vmset__need need)
{
	bool new_root = change->slot == &tree->root;

	return need == VMSET__URGENT ||
	       keep(tree, new_root ? change->fresh : tree->root,
		    need == VMSET__FREEING ? FOR_URGENT : FOR_MORE);
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

/*
 * The summary of a leaf made of old, whose largest gap is given, with the
 * entries [a, b) replaced by n others.  If that gap may have been at those, and
 * no new one is as large, all have to be looked at.
 */
static struct vmset__summary sum_up(const struct vmset__leaf *leaf, unsigned n,
				    const struct vmset__leaf *old, unsigned a,
				    unsigned b, uintptr_t old_gap)
{
	unsigned from = a ? a - 1 : 0;
	uintptr_t gap = gap_between(leaf, from, a + n);

	if (gap < old_gap && gap_between(old, from, b) == old_gap)
		return summarise_leaf(leaf);
	return (struct vmset__summary){
		leaf->range[0].start, leaf->range[leaf->node.count - 1].end,
		vmset__max(gap, old_gap),
	};
}

/* Whether a splice is all in the leaf to which the left path leads. */
static bool is_in_leaf(const struct vmset__cursor *path,
		       const struct vmset__splice *splice)
{
	return path->level && splice->high_end - 1 <
				      bound_of(path, 1, path->path[1].at);
}

/*
 * The common case: a leaf for a leaf.  The copy differs from the old one between
 * a and b, and needs no neighbour.
 */
static bool prepare_leaf(struct vmset__tree *tree,
			 struct vmset__change *change,
			 const struct vmset__splice *splice, bool urgent,
			 unsigned a, unsigned b)
{
	const struct vmset__step_of_path *step = &change->left.path[1];
	const struct vmset__leaf *old = change->left.leaf;
	const struct vmset__scale scale = { old->base, old->node.shift };
	unsigned n = (unsigned)splice->n, rest = old->node.count - b;
	unsigned count = a + n + rest;
	struct vmset__leaf *leaf =
		(void *)make_node(tree, change, 0, urgent);

	if (!leaf)
		return false;
	copy_entries(leaf, 0, old, 0, a);
	for (unsigned i = 0; i < n; i++)
		store_entry(leaf, a + i, &splice->fresh[i]);
	copy_entries(leaf, a + n, old, b, rest);
	if (scale_fits(scale, leaf->range[0].end,
		       leaf->range[count - 1].end)) {
		copy_keys(leaf, 0, old, 0, a);
		key_entries(leaf, scale, a, a + n);
		copy_keys(leaf, a + n, old, b, rest);
		finish_leaf(leaf, count, scale);
	} else {
		scale_leaf(leaf, count);
	}
	change->slot = &step->node->child[step->at].node;
	change->fresh = (uintptr_t)leaf;
	change->dropped_level = 0;
	change->sum = sum_up(leaf, n, old, a, b, step->node->sum[step->at].gap);
	return true;
}

static bool prepare_any(struct vmset__tree *tree, struct vmset__change *change,
			const struct vmset__splice *splice, bool urgent)
{
	const struct vmset__leaf *old;
	unsigned a, b;
	size_t total;

	if (!change->routed)
		vmset__cursor_route(&change->left, tree, splice->low_end - 1);
	if (is_in_leaf(&change->left, splice)) {
		old = change->left.leaf;
		a = before_cut(old, splice->cut);
		b = behind_cut(old, a, splice->cut);
		total = a + splice->n + (old->node.count - b);
		if (total >= FEW(LEAF_SLOTS) && total <= LEAF_SLOTS)
			return prepare_leaf(tree, change, splice, urgent, a,
					    b);
	}
	return prepare_nodes(tree, change, splice, urgent);
}

int vmset__tree_prepare(struct vmset__tree *tree, struct vmset__change *change,
			const struct vmset__splice *splice,
			enum vmset__need need)
{
	vmset__change_init(change);
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
						   vmset__class_of(level - 1),
						   node_of(child));
			else
				retire(tree, change, child, level - 1,
				       on_left && i == l->at,
				       on_right && i == r->at);
		}
	}
	vmset__slab_retire(&tree->slab, vmset__class_of(level), node_of(node));
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

	if (change->slot == &tree->root)
		old = vmset__root_node(old);
	else
		update_summaries(&change->left, change->dropped_level,
				 change->sum);
	retire(tree, change, old, change->dropped_level, true, true);
	vmset__slab_tidy(&tree->slab);
}

bool vmset__tree_init(struct vmset__tree *tree)
{
	struct vmset__change change = { 0 };
	struct job job = { .tree = tree, .change = &change };

	if (!make_empty(&job))
		return false;
	tree->root = change.fresh;
	return true;
}
