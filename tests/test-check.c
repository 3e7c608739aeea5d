/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lib/check.c and tree-check.c: every rule is broken once, by a store into a set
 * that is right, and must be the one that is told of.
 */
#include <errno.h>

#include "assert.h"
#include "entry.h"
#include "internal.h"
#include "layers.h"
#include "suites.h"
#include "tree-node.h"

/*
 * What the set has: an area with a guard on each side, two areas beside each
 * other, and from FIRST on so many of them that there are two levels of inner
 * nodes in a plain build, at every STRIDE, too close for a search at that
 * alignment.  The last has data, and with it a wide leaf.
 */
#define START  ((uintptr_t)0x100)
#define TWINS  ((uintptr_t)0x140)
#define FIRST  ((uintptr_t)0x1000)
#define MIDDLE ((uintptr_t)0x8000)
#define END    ((uintptr_t)MOCK_MAX_ADDR)
#define STRIDE ((uintptr_t)16)
#define SIZE   ((uintptr_t)4)
#define LAST   (END - STRIDE)

static struct layers layers;

static void setup(void)
{
	const struct vmset_placement guarded = {
		.size = sizeof(guarded), .guard_before = 16, .guard_after = 16,
	};
	uintptr_t at;

	layers_open(&layers, (struct layers_config){ .bounds = { START, END } });
	assert_ok(vmset_alloc(layers.set, 16, 1, &guarded, &at));
	assert_eq(at, START + 16);
	assert_ok(vmset_map(layers.set, TWINS, 16, 1, 0));
	assert_ok(vmset_map(layers.set, TWINS + 16, 16, 2, 0));
	for (at = FIRST; at < LAST; at += STRIDE)
		assert_ok(vmset_map(layers.set, at, SIZE, 1, 0));
	assert_ok(vmset_map_area(layers.set, &(struct vmset_area){
		.start = LAST, .end = LAST + SIZE, .flags = 1, .data = &layers,
	}, 0));
	assert_err(vmset_find_free_area(layers.set, FIRST, STRIDE - SIZE - 2,
					(struct vmset_range){ FIRST, END },
					STRIDE, &at), -ENOSPC);
	layers_check(&layers);
}

static void teardown(void)
{
	layers_close(&layers);
}

/* ---- what is done to it ---- */

/* The place that a damage is done to: the leaf, and the node above it. */
struct place {
	struct vmset *set;
	struct vmset__leaf *leaf;
	unsigned int at;
	struct vmset__inner *inner;
};

static uint16_t *order(const struct place *p)
{
	return p->leaf->order[p->leaf->turn % 2];
}

static struct vmset_range *range(const struct place *p, unsigned int i)
{
	return &p->leaf->range[vmset__slot_of(p->leaf, i)];
}

static uint32_t *flags(const struct place *p, unsigned int i)
{
	return &p->leaf->flags[vmset__slot_of(p->leaf, i)];
}

static void hide(const struct place *p, unsigned int i)
{
	assert_that(!p->leaf->wide);
	*flags(p, i) = VMSET__LOST;
	p->leaf->hidden |= UINT32_C(1) << vmset__slot_of(p->leaf, i);
}

static void too_many_entries(const struct place *p)
{
	p->leaf->node.count = LEAF_SLOTS + 1;
}

static void no_entries(const struct place *p)
{
	p->leaf->node.count = 0;
}

static void unused_end(const struct place *p)
{
	order(p)[--p->leaf->node.count] = 1;
}

static void slot_used_twice(const struct place *p)
{
	order(p)[1] = order(p)[0];
}

static void slot_not_marked(const struct place *p)
{
	p->leaf->used &= p->leaf->used - 1;
}

static void area_marked_as_none(const struct place *p)
{
	assert_that(p->leaf->wide);
	p->leaf->hidden ^= UINT32_C(1) << vmset__slot_of(p->leaf, p->at);
}

static void unknown_kind(const struct place *p)
{
	*flags(p, p->at - 1) = VMSET__AREA;
}

static void empty_entry(const struct place *p)
{
	range(p, p->at)->start = range(p, p->at)->end;
}

static void overlap(const struct place *p)
{
	assert_that(p->leaf->node.count > 1);
	range(p, 1)->start = range(p, 0)->end - 1;
}

static void below_bounds(const struct place *p)
{
	range(p, p->at)->start = START - 1;
}

static void above_bounds(const struct place *p)
{
	range(p, p->at)->end = END + 1;
}

static struct vmset__leaf *child(const struct place *p, unsigned int i)
{
	assert_that(p->inner->node.count > 2);
	return vmset__leaf(p->inner->child[i].node);
}

/* With its key, so that nothing but the bound is wrong. */
static void set_bound(const struct place *p, unsigned int i, uintptr_t bound)
{
	const struct vmset__scale scale = {
		p->inner->base, p->inner->node.shift,
	};

	p->inner->child[i].bound = bound;
	p->inner->key[i] = vmset__key(scale, bound);
}

static void bound_above_entry(const struct place *p)
{
	set_bound(p, 0, child(p, 1)->range[0].end);
}

static void bound_below_entry(const struct place *p)
{
	set_bound(p, 0, child(p, 0)->range[0].end);
}

static void equal_bounds(const struct place *p)
{
	assert_that(p->inner->node.count > 2);
	set_bound(p, 1, p->inner->child[0].bound);
}

static void bound_above_all(const struct place *p)
{
	set_bound(p, 0, UINTPTR_MAX - 1);
}

static void too_many_children(const struct place *p)
{
	p->inner->node.count = INNER_SLOTS + 1;
}

static void no_children(const struct place *p)
{
	/* As the root: from above it this is another fault. */
	p->inner->node.count = 0;
	p->set->tree.root = vmset__root(p->inner, 1);
}

static void unused_bound(const struct place *p)
{
	assert_that(p->inner->node.count > 1);
	p->inner->node.count = 1;
	p->set->tree.root = vmset__root(p->inner, 1);
}

static void wrong_key_of_entry(const struct place *p)
{
	order(p)[p->at] ^= 1u << SLOT_BITS;
}

static void wrong_key_of_bound(const struct place *p)
{
	p->inner->key[0] ^= 1;
}

static void wrong_scale(const struct place *p)
{
	p->leaf->node.shift++;
	p->leaf->base -= 8;
}

static void wrong_first(const struct place *p)
{
	p->inner->sum[0].first++;
}

static void wrong_last(const struct place *p)
{
	p->inner->sum[0].last++;
}

static void wrong_gap(const struct place *p)
{
	p->inner->sum[0].gap++;
}

static void wrong_width(const struct place *p)
{
	p->inner->width[0]++;
}

static void wrong_room(const struct place *p)
{
	unsigned int wrong = 0;

	for (unsigned int r = 0; r < VMSET_TREE_ALIGNMENTS; r++)
		if (p->inner->rooms[r].valid & 1)
			wrong = ++p->inner->room[r][0] != 0;
	assert_that(wrong);
}

static void publishing(const struct place *p)
{
	p->set->tree.seq++;
}

static void wrong_list(const struct place *p)
{
	p->set->tree.slab.pool[VMSET__LEAF].free.n++;
}

static void lost_node(const struct place *p)
{
	p->set->tree.slab.pool[VMSET__INNER].total++;
}

static void wrong_length(const struct place *p)
{
	p->set->tree.len[p->set->tree.seq / 2 % 2]++;
}

static void no_area_behind(const struct place *p)
{
	hide(p, p->at);
}

static void no_area_before(const struct place *p)
{
	assert_that(p->at > 0);
	*flags(p, p->at - 1) = *flags(p, p->at);
	hide(p, p->at);
	p->leaf->hidden &= ~(UINT32_C(1) << vmset__slot_of(p->leaf, p->at - 1));
}

static void area_begins_later(const struct place *p)
{
	range(p, p->at)->start++;
}

static void area_ends_earlier(const struct place *p)
{
	const struct vmset__scale scale = {
		p->leaf->base, p->leaf->node.shift,
	};

	range(p, p->at)->end--;
	order(p)[p->at] = vmset__leaf_place(scale, range(p, p->at)->end,
					    vmset__slot_of(p->leaf, p->at));
}

static void equal_neighbours(const struct place *p)
{
	*flags(p, p->at) = 2;
}

static const struct {
	uintptr_t addr;
	void (*damage)(const struct place *place);
	const char *told;
} damages[] = {
	{ MIDDLE, too_many_entries, "leaf: count" },
	{ MIDDLE, no_entries, "inner node: empty child" },
	{ MIDDLE, unused_end, "leaf: order goes on behind the last entry" },
	{ MIDDLE, slot_used_twice, "leaf: slot used twice" },
	{ MIDDLE, slot_not_marked, "leaf: slots in use" },
	{ LAST, area_marked_as_none, "leaf: hidden entries" },
	{ START + 16, unknown_kind, "leaf: kind of a hidden entry" },
	{ MIDDLE, empty_entry, "empty entry" },
	{ MIDDLE, overlap, "entries overlap or are out of order" },
	{ START, below_bounds, "entry outside the bounds" },
	{ LAST, above_bounds, "entry outside the bounds" },
	{ MIDDLE, bound_above_entry,
	  "entry in a leaf where it is not looked for" },
	{ MIDDLE, bound_below_entry,
	  "entry in a leaf where it is not looked for" },
	{ MIDDLE, equal_bounds, "inner node: bounds out of order" },
	{ MIDDLE, bound_above_all, "inner node: bounds out of order" },
	{ MIDDLE, too_many_children, "inner node: count" },
	{ MIDDLE, no_children, "inner node: count" },
	{ MIDDLE, unused_bound, "inner node: key" },
	{ MIDDLE, wrong_key_of_entry, "leaf: key" },
	{ MIDDLE, wrong_scale, "leaf: key" },
	{ MIDDLE, wrong_key_of_bound, "inner node: key" },
	{ MIDDLE, wrong_first, "summary: first" },
	{ MIDDLE, wrong_last, "summary: last" },
	{ MIDDLE, wrong_gap, "summary: gap" },
	{ MIDDLE, wrong_width, "summary: width" },
	{ MIDDLE, wrong_room, "summary: room" },
	{ MIDDLE, publishing, "a publication did not end" },
	{ MIDDLE, wrong_list, "slab: length of a list" },
	{ MIDDLE, lost_node, "slab: nodes lost or doubled" },
	{ MIDDLE, wrong_length, "length is not the number of areas" },
	{ START + 16, no_area_behind, "guard without an area" },
	{ START + 16, no_area_before, "guard without an area" },
	{ START + 16, area_begins_later, "guard without an area" },
	{ START + 16, area_ends_earlier, "guard without an area" },
	{ TWINS, equal_neighbours, "equal neighbours are not joined" },
};

#define DAMAGES ((int)(sizeof(damages) / sizeof(*damages)))

START_TEST(damage_is_told)
{
	struct vmset__tree *tree = &layers.set->tree;
	const struct vmset__tree good_tree = *tree;
	struct vmset__cursor cursor;
	struct vmset__inner inner;
	struct vmset__leaf leaf;
	const char *told;

	vmset__cursor_seek(&cursor, tree, damages[_i].addr);
	leaf = *cursor.leaf;
	inner = *cursor.path[1].node;
	damages[_i].damage(&(struct place){
		.set = layers.set, .leaf = cursor.leaf, .at = cursor.at,
		.inner = cursor.path[1].node,
	});
	told = vmset__check(layers.set);
	*cursor.leaf = leaf;
	*cursor.path[1].node = inner;
	*tree = good_tree;
	ck_assert_pstr_eq(told, damages[_i].told);
	layers_check(&layers);
}
END_TEST

Suite *suite_check(void)
{
	Suite *suite = suite_create("check");
	TCase *tcase = tcase_create("check");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, damage_is_told, 0, DAMAGES);
	suite_add_tcase(suite, tcase);
	return suite;
}
