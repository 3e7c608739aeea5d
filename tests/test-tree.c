/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lib/tree*.c beside a sorted array that has the same entries: splices of every
 * width, the readers, the cursor, and the search for free room, with the tree's
 * own check after each change.
 */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assert.h"
#include "entry.h"
#include "suites.h"
#include "syscalls.h"
#include "tools.h"

#define MAX_ENTRIES 6000
#define SPACE       ((uintptr_t)1 << 20)

static struct vmset__tree tree;
static const struct vmset_range bounds = { 0, SPACE };

static const struct vmset__plain plain = {
	(const struct vmset_backend *)&tree, 77,
};

/* The model. */
static struct vmset_area model[MAX_ENTRIES];
static size_t count;

static uint64_t seed;
static bool strange;                    /* entries that are not plain */

static size_t below(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

static void setup(void)
{
	assert_that(vmset__slab_init(&tree.slab, 64, vmset__tree_node_size));
	assert_that(vmset__tree_init(&tree, plain));
	count = 0;
	seed = 88172645463325252u;
	strange = false;
}

static void teardown(void)
{
	vmset__slab_fini(&tree.slab);
	memset(&tree, 0, sizeof tree);
}

static void check(void)
{
	const char *wrong = vmset__tree_check(&tree, bounds);

	if (wrong)
		ck_abort_msg("%s", wrong);
	assert_eq(vmset__tree_read_len(&tree), count);
}

static bool equal(const struct vmset_area *a, const struct vmset_area *b)
{
	return a->start == b->start && a->end == b->end &&
	       a->flags == b->flags && a->backend == b->backend &&
	       a->offset == b->offset && a->data == b->data;
}

static void check_entries(void)
{
	struct vmset__cursor cursor;
	struct vmset_area entry;

	vmset__cursor_seek(&cursor, &tree, 0);
	for (size_t i = 0; i < count; i++) {
		assert_that(vmset__cursor_get(&cursor, &entry));
		assert_that(equal(&entry, &model[i]));
		vmset__cursor_advance(&cursor);
	}
	assert_that(!vmset__cursor_get(&cursor, &entry));
}

/* The index of the lowest entry with end > addr. */
static size_t model_seek(uintptr_t addr)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (model[middle].end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Prepare to replace model[at .. at + old) by fresh[0 .. n). */
static int prepare(struct vmset__change *change, size_t at, size_t old,
		   const struct vmset_area *fresh, size_t n)
{
	struct vmset__splice splice = {
		.fresh = fresh, .n = n, .low_end = UINTPTR_MAX,
		.len_change = (ptrdiff_t)n - (ptrdiff_t)old,
	};

	if (n) {
		splice.cut.start = splice.cut.end = fresh[0].start;
		splice.low_end = fresh[0].end;
		splice.high_end = fresh[n - 1].end;
	}
	if (old) {
		uintptr_t low = model[at].end, high = model[at + old - 1].end;

		splice.cut.start = model[at].start;
		splice.cut.end = high;
		splice.low_end = low < splice.low_end ? low : splice.low_end;
		splice.high_end = high > splice.high_end ? high :
							   splice.high_end;
	}
	change->routed = false;
	return vmset__tree_prepare(&tree, change, &splice,
				   VMSET__GROWING);
}

static size_t kept_nodes(void)
{
	size_t kept = 0;

	for (int class = 0; class < VMSET__CLASSES; class++)
		kept += tree.slab.pool[class].kept.n;
	return kept;
}

/* A change leaves aside what the next urgent one will need. */
static void splice(size_t at, size_t old, const struct vmset_area *fresh,
		   size_t n)
{
	struct vmset__change change;
	size_t kept;

	assert_that(count - old + n <= MAX_ENTRIES);
	assert_ok(prepare(&change, at, old, fresh, n));
	vmset__tree_publish(&tree, &change);
	kept = kept_nodes();
	assert_that(vmset__tree_keep(&tree));
	assert_eq(kept_nodes(), kept);
	memmove(&model[at + n], &model[at + old],
		(count - at - old) * sizeof model[0]);
	for (size_t i = 0; i < n; i++)
		model[at + i] = fresh[i];
	count = count - old + n;
}

static struct vmset_area plain_entry(uintptr_t start, uintptr_t end)
{
	return (struct vmset_area){
		.start = start, .end = end, .flags = (uint32_t)below(1000),
		.backend = plain.backend, .offset = start - plain.base,
	};
}

/* One that can be beside a plain area. */
static struct vmset_area hidden_entry(uintptr_t start, uintptr_t end)
{
	enum vmset__kind kind = below(VMSET__AREA);

	return (struct vmset_area){
		.start = start, .end = end, .backend = &vmset__hidden[kind],
		.data = kind == VMSET__LOST ? (void *)&tree : NULL,
	};
}

/* Mostly they are plain, in runs of random length. */
static struct vmset_area random_entry(uintptr_t start, uintptr_t end)
{
	struct vmset_area entry = below(8) ? plain_entry(start, end) :
					     hidden_entry(start, end);

	if (strange ? below(8) != 0 : !below(200))
		strange = !strange;
	if (!strange)
		return entry;
	switch (below(4)) {
	case 0:
		entry.backend = (const struct vmset_backend *)&model;
		break;
	case 1:
		entry.offset++;
		break;
	case 2:
		entry.data = &model[below(10)];
		break;
	default:
		if (vmset__is_hidden(&entry))
			entry.flags = 1;
	}
	return entry;
}

/*
 * Replace a run of entries by about as many as wanted, in the room that they and
 * the gaps beside them leave.
 */
static void random_splice(size_t old, size_t wanted)
{
	static struct vmset_area fresh[MAX_ENTRIES];
	size_t at = below(count + 1), n = 0;
	uintptr_t addr, end, piece;

	if (old > count - at)
		old = count - at;
	addr = at ? model[at - 1].end : 0;
	end = at + old < count ? model[at + old].start : SPACE;
	if (wanted > MAX_ENTRIES - count)
		wanted = MAX_ENTRIES - count;
	piece = wanted ? (end - addr) / wanted : 0;
	while (n < wanted && piece >= 2) {
		uintptr_t gap = below(piece / 2 + 1);
		uintptr_t size = 1 + below(piece - gap);

		fresh[n++] = random_entry(addr + gap, addr + gap + size);
		addr += piece;
	}
	if (old || n)
		splice(at, old, fresh, n);
}

START_TEST(empty)
{
	struct vmset__cursor cursor;
	struct vmset_area entry;

	check();
	assert_that(!vmset__tree_read(&tree, 0, NULL, &entry));
	vmset__cursor_seek(&cursor, &tree, 0);
	assert_that(!vmset__cursor_get(&cursor, &entry));
	vmset__cursor_advance(&cursor);
	assert_that(!vmset__cursor_get(&cursor, &entry));
}
END_TEST

START_TEST(random_splices)
{
	for (unsigned long i = tools_rounds(20000); i; i--) {
		switch (below(10)) {
		case 0:
			random_splice(below(200), below(3));
			break;
		case 1:
			random_splice(below(3), below(200));
			break;
		case 2:
			random_splice(below(100), below(100));
			break;
		default:
			random_splice(below(3), below(4));
		}
		if (i % 500 == 0)
			random_splice(count, below(MAX_ENTRIES));
		if (i % 8 == 0 || count < 100)
			check();
		if (i % 64 == 0)
			check_entries();
	}
	while (count) {
		random_splice(count / 2 + 1, 0);
		check();
	}
}
END_TEST

static bool skip_odd(const struct vmset_area *entry)
{
	return entry->flags % 2;
}

START_TEST(reading)
{
	for (unsigned long i = tools_rounds(20000); i; i--) {
		uintptr_t addr = below(SPACE + 10);
		struct vmset_area entry;
		size_t at;
		bool found;

		if (i % 10 == 0)
			random_splice(below(40), below(60));
		at = model_seek(addr);
		found = vmset__tree_read(&tree, addr, NULL, &entry);
		assert_that(found == (at < count));
		assert_that(!found || equal(&entry, &model[at]));
		while (at < count && skip_odd(&model[at]))
			at++;
		found = vmset__tree_read(&tree, addr, skip_odd, &entry);
		assert_that(found == (at < count));
		assert_that(!found || equal(&entry, &model[at]));
	}
}
END_TEST

/* What was prepared and discarded has left no trace, and no node is gone. */
START_TEST(discarding)
{
	const struct vmset_area fresh = random_entry(5, 6);
	struct vmset__change change;

	random_splice(0, 3000);
	splice(0, count, NULL, 0);
	check();
	splice(0, 0, &fresh, 1);
	random_splice(0, 3000);
	for (size_t old = 0; old < count; old += 37) {
		assert_ok(prepare(&change, 0, old, &fresh, old ? 1 : 0));
		vmset__tree_discard(&tree, &change);
		check();
	}
	check_entries();
}
END_TEST

/* Refused memory at each node in turn: -ENOMEM, and nothing has changed. */
START_TEST(out_of_memory)
{
	struct vmset__change change;
	int refused = 0;

	random_splice(0, 2000);
	syscalls_watch((struct vmset_range){ 0, 0 });
	syscalls_starve();
	for (int i = 0; i < 2000; i++) {
		struct vmset_area fresh = model[0];
		int rc = prepare(&change, 0, count, model, count);

		assert_that(rc == 0 || rc == -ENOMEM);
		if (!rc)
			vmset__tree_discard(&tree, &change);
		refused += rc != 0;
		check();
		fresh.flags++;
		if (prepare(&change, 0, 1, &fresh, 1) == 0) {
			vmset__tree_publish(&tree, &change);
			model[0] = fresh;
		}
	}
	syscalls_stop();
	assert_that(refused);
	check_entries();
}
END_TEST

/* All entries go at once: what takes their place is a leaf, too. */
START_TEST(out_of_memory_for_an_empty_tree)
{
	struct vmset__change change;

	while (count <= VMSET_LEAF_SLOTS)
		random_splice(0, 1);
	syscalls_watch((struct vmset_range){ 0, 0 });
	syscalls_starve();
	while (vmset__slab_alloc(&tree.slab, VMSET__LEAF, false) ||
	       vmset__slab_alloc(&tree.slab, VMSET__WIDE_LEAF, false))
		;
	assert_err(prepare(&change, 0, count, NULL, 0), -ENOMEM);
	syscalls_stop();
	check_entries();
	assert_ok(prepare(&change, 0, count, NULL, 0));
	vmset__tree_discard(&tree, &change);
}
END_TEST

/* All nodes of a class but those in use, by made; urgent: also those kept. */
static struct vmset__node *take_all(enum vmset__class class, bool urgent)
{
	struct vmset__node *taken = NULL, *node;

	syscalls_watch((struct vmset_range){ 0, 0 });
	syscalls_starve();
	while ((node = vmset__slab_alloc(&tree.slab, class, urgent))) {
		node->made = taken;
		taken = node;
	}
	return taken;
}

static void put_all(enum vmset__class class, struct vmset__node *taken)
{
	struct vmset__node *node;

	syscalls_stop();
	while ((node = taken)) {
		taken = node->made;
		vmset__slab_unalloc(&tree.slab, class, node);
	}
}

/* Nodes of one class are out, while there are enough of all others. */
START_TEST(out_of_memory_for_a_class)
{
	struct vmset__node *taken;
	struct vmset__change change;

	random_splice(0, 2000);
	assert_ok(prepare(&change, 0, count, model, count));
	vmset__tree_discard(&tree, &change);
	taken = take_all(_i, false);
	assert_err(prepare(&change, 0, count, model, count), -ENOMEM);
	put_all(_i, taken);
	check_entries();
	assert_ok(prepare(&change, 0, count, model, count));
	vmset__tree_publish(&tree, &change);
	check();
	check_entries();
}
END_TEST

/*
 * A tree that becomes one leaf needs no inner nodes, but it may stay as it is, and
 * then urgent changes do.
 */
START_TEST(out_of_memory_for_a_tree_that_stays)
{
	struct vmset__node *taken;
	struct vmset__change change;

	random_splice(0, 4 * VMSET_LEAF_SLOTS);
	taken = take_all(VMSET__INNER, true);
	assert_err(prepare(&change, 0, count, model, 1), -ENOMEM);
	put_all(VMSET__INNER, taken);
	check_entries();
	assert_ok(prepare(&change, 0, count, model, 1));
	vmset__tree_discard(&tree, &change);
}
END_TEST

/* An object that leaves no room for the first node. */
START_TEST(out_of_memory_for_a_tree)
{
	static struct vmset__tree other;
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t chunk = page > 8192 ? page : 8192;

	assert_that(vmset__slab_init(&other.slab, chunk - 128,
				     vmset__tree_node_size));
	syscalls_watch((struct vmset_range){ 0, 0 });
	syscalls_starve();
	assert_that(!vmset__tree_init(&other, plain));
	syscalls_stop();
	assert_that(vmset__tree_init(&other, plain));
	vmset__slab_fini(&other.slab);
}
END_TEST

static size_t in_use(enum vmset__class class)
{
	const struct vmset__pool *pool = &tree.slab.pool[class];

	return pool->total - pool->free.n - pool->kept.n - pool->cooling.n -
	       pool->resting.n;
}

static size_t leaves_in_use(void)
{
	return in_use(VMSET__LEAF) + in_use(VMSET__WIDE_LEAF);
}

/* How well nodes are filled is what memory per area comes from. */
START_TEST(filling)
{
	const size_t n = MAX_ENTRIES;
	struct vmset_area entry;

	for (size_t i = 0; i < n; i++) {
		entry = random_entry(2 * i, 2 * i + 1);
		splice(i, 0, &entry, 1);
	}
	check();
	assert_that(leaves_in_use() * VMSET_LEAF_SLOTS < n * 11 / 10);

	splice(0, count, NULL, 0);
	for (size_t i = n; i-- > 0;) {
		entry = random_entry(2 * i, 2 * i + 1);
		splice(0, 0, &entry, 1);
	}
	check();
	assert_that(leaves_in_use() * VMSET_LEAF_SLOTS < n * 11 / 10);

	/* Random order: about four fifths. */
	splice(0, count, NULL, 0);
	while (count < n) {
		uintptr_t addr = 2 * below(SPACE / 2);
		size_t at = model_seek(addr);

		if (at < count && model[at].start == addr)
			continue;
		entry = random_entry(addr, addr + 1);
		splice(at, 0, &entry, 1);
	}
	check();
	assert_that(leaves_in_use() * VMSET_LEAF_SLOTS < n * 4 / 3);

	/* Nine in ten go: nodes join. */
	while (count > n / 10)
		splice(below(count), 1, NULL, 0);
	check();
	assert_that(leaves_in_use() * VMSET_LEAF_SLOTS < n / 10 * 4);
}
END_TEST

/* ---- free room ---- */

static bool model_fit_in(const struct vmset__fit *fit, uintptr_t start,
			 uintptr_t end, enum vmset__direction direction,
			 uintptr_t *block)
{
	bool found = false;

	if (start < fit->window.start)
		start = fit->window.start;
	if (end > fit->window.end)
		end = fit->window.end;
	for (uintptr_t at = start; at + fit->size <= end; at++) {
		if ((at + fit->lead) % fit->align)
			continue;
		if (!found || direction == VMSET__DOWN)
			*block = at;
		found = true;
		if (direction == VMSET__UP)
			break;
	}
	return found;
}

/* By looking at every gap. */
static bool model_find(const struct vmset__fit *fit,
		       enum vmset__direction direction, uintptr_t *block)
{
	for (size_t n = 0; n <= count; n++) {
		size_t i = direction == VMSET__UP ? n : count - n;
		uintptr_t start = i ? model[i - 1].end : 0;
		uintptr_t end = i < count ? model[i].start : SPACE;

		if (model_fit_in(fit, start, end, direction, block))
			return true;
	}
	return false;
}

static struct vmset__fit random_fit(void)
{
	struct vmset__fit fit = {
		.window = { below(SPACE), below(SPACE) },
		.size = 1 + below(below(2) ? 40 : 4000),
		.align = (size_t)1 << below(10), .grain = 1,
	};

	if (fit.window.start > fit.window.end || below(2))
		fit.window = bounds;
	if (below(4) == 0)
		fit.lead = below(fit.size);
	return fit;
}

static void compare_search(const struct vmset__fit *fit,
			   enum vmset__direction direction)
{
	uintptr_t wanted = 0, got = 0;
	struct vmset_range gap;
	bool exists = model_find(fit, direction, &wanted);
	bool found = vmset__tree_find_gap(&tree, fit, direction, &gap) &&
		     vmset__fit_in(fit, gap, direction, &got);

	assert_that(exists == found);
	assert_eq(wanted, got);
}

START_TEST(searching)
{
	for (unsigned long i = tools_rounds(6000); i; i--) {
		struct vmset__fit fit = random_fit();

		if (i % 8 == 0)
			random_splice(below(20), below(30));
		if (i % 1000 == 0)
			random_splice(count, below(2000));
		compare_search(&fit, VMSET__UP);
		compare_search(&fit, VMSET__DOWN);
		if (i % 16 == 0)
			check();
	}
}
END_TEST

/*
 * Every gap is large enough and not one is aligned but the last: notes of the
 * alignment are what keeps a search from looking at each, and they follow
 * changes.
 */
START_TEST(alignment_notes)
{
	struct vmset__fit fit = { .window = bounds, .size = 8, .align = 16,
				  .grain = 1 };
	struct vmset_area entry;
	uintptr_t hole;

	for (size_t i = 0; i < 5000; i++) {
		entry = random_entry(16 * i, 16 * i + 3);
		splice(i, 0, &entry, 1);
	}
	for (int i = 0; i < 200; i++) {
		compare_search(&fit, VMSET__UP);
		hole = 1 + below(count - 2);
		entry = model[hole];
		splice(hole, 1, NULL, 0);
		compare_search(&fit, VMSET__UP);
		compare_search(&fit, VMSET__DOWN);
		check();
		splice(hole, 0, &entry, 1);
		fit.align = 16u << below(3);
	}
}
END_TEST

/* Rooms for more grains than a note counts: all that is larger is tried. */
START_TEST(large_rooms)
{
	const uintptr_t part = (uintptr_t)1 << 33;
	struct vmset__fit fit = {
		.window = { 0, 4 * part }, .size = part + 180,
		.align = 2 * part, .grain = 1,
	};
	struct vmset_area entry;
	struct vmset_range gap;

	for (size_t i = 0; i < 100; i++) {
		uintptr_t start = 2 * i + (i < 90 ? 0 : 3 * part);

		entry = random_entry(start, start + 1);
		splice(i, 0, &entry, 1);
	}
	for (int way = VMSET__UP; way <= VMSET__DOWN; way++) {
		assert_that(vmset__tree_find_gap(&tree, &fit, way, &gap));
		assert_eq(gap.start, model[89].end);
		fit.size++;
		assert_that(!vmset__tree_find_gap(&tree, &fit, way, &gap));
		fit.size--;
	}
}
END_TEST

/* Every search for small blocks from an end of the window near an address. */
static void compare_near(uintptr_t addr)
{
	struct vmset__fit fit = { .window = bounds, .align = 1, .grain = 1 };

	for (uintptr_t at = addr - 16; at < addr + 16; at++)
		for (fit.size = 1; fit.size < 20; fit.size++) {
			fit.window = (struct vmset_range){ 0, at };
			compare_search(&fit, VMSET__DOWN);
			fit.window = (struct vmset_range){ at, SPACE };
			compare_search(&fit, VMSET__UP);
		}
}

/*
 * At one place after the other there is an entry that begins where four were and
 * ends as the last of them, and lower down a hole.  Somewhere the bound of a
 * leaf lies within the entry, which is in the next leaf then, and the hole is
 * in that leaf.
 */
START_TEST(begun_below_the_bound)
{
	struct vmset_area entry, gone[7];

	for (size_t i = 0; i < 200; i++) {
		entry = random_entry(4 * i, 4 * i + 1);
		splice(i, 0, &entry, 1);
	}
	for (size_t i = 40; i < 120; i++) {
		memcpy(gone, &model[i], sizeof gone);
		for (size_t k = 0; k < 4; k++)
			splice(i + 3, 1, NULL, 0);
		entry = random_entry(4 * i + 18, 4 * i + 25);
		splice(i + 3, 0, &entry, 1);
		for (size_t k = 0; k < 2; k++)
			splice(i, 1, NULL, 0);
		compare_near(4 * i + 18);
		check();
		splice(i + 1, 1, NULL, 0);
		splice(i, 1, NULL, 0);
		for (size_t k = 0; k < 7; k++)
			splice(i + k, 0, &gone[k], 1);
	}
}
END_TEST

/* Blocks at the very ends of the address space. */
START_TEST(ends_of_the_space)
{
	struct vmset__fit fit = {
		.window = { 0, UINTPTR_MAX }, .size = 16, .align = 16,
		.grain = 1,
	};
	const struct vmset_range top = { UINTPTR_MAX - 20, UINTPTR_MAX };
	const struct vmset_range low = { 0, 16 };
	uintptr_t block;

	assert_that(vmset__fit_in(&fit, fit.window, VMSET__UP, &block));
	assert_eq(block, 0);
	assert_that(vmset__fit_in(&fit, fit.window, VMSET__DOWN, &block));
	assert_eq(block, UINTPTR_MAX - 31);
	assert_that(!vmset__fit_in(&fit, top, VMSET__UP, &block));
	assert_that(!vmset__fit_in(&fit, top, VMSET__DOWN, &block));
	fit.lead = 4;
	assert_that(!vmset__fit_in(&fit, low, VMSET__UP, &block));
	assert_that(!vmset__fit_in(&fit, low, VMSET__DOWN, &block));
	fit.align = (size_t)1 << (sizeof(size_t) * 8 - 1);
	fit.lead = 0;
	assert_that(vmset__fit_in(&fit, fit.window, VMSET__DOWN, &block));
	assert_eq(block, fit.align);
	assert_that(!vmset__fit_in(&fit, top, VMSET__UP, &block));
}
END_TEST

Suite *suite_tree(void)
{
	Suite *suite = suite_create("tree");
	TCase *changes = tcase_create("changes");
	TCase *searches = tcase_create("searches");

	tcase_set_timeout(changes, 600);
	tcase_add_checked_fixture(changes, setup, teardown);
	tcase_add_test(changes, empty);
	tcase_add_test(changes, random_splices);
	tcase_add_test(changes, reading);
	tcase_add_test(changes, discarding);
	tcase_add_test(changes, out_of_memory);
	tcase_add_test(changes, out_of_memory_for_an_empty_tree);
	tcase_add_loop_test(changes, out_of_memory_for_a_class,
			    VMSET__WIDE_LEAF, VMSET__CLASSES);
	tcase_add_test(changes, out_of_memory_for_a_tree_that_stays);
	tcase_add_test(changes, out_of_memory_for_a_tree);
	tcase_add_test(changes, filling);
	suite_add_tcase(suite, changes);

	tcase_set_timeout(searches, 600);
	tcase_add_checked_fixture(searches, setup, teardown);
	tcase_add_test(searches, searching);
	tcase_add_test(searches, alignment_notes);
	tcase_add_test(searches, begun_below_the_bound);
	tcase_add_test(searches, large_rooms);
	tcase_add_test(searches, ends_of_the_space);
	suite_add_tcase(suite, searches);
	return suite;
}
