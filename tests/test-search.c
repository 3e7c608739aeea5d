/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lib/search.h and tree-find.c: all ways of searching a node count the same, and
 * all ways of finding an area find the same.
 */
#include <errno.h>
#include <string.h>

#include "assert.h"
#include "layers.h"
#include "internal.h"
#include "rng.h"
#include "suites.h"
#include "tree-find.h"
#include "tree-node.h"

#define KEYS VMSET__SEARCH_KEYS

/* The definition. */
static unsigned count(const uint16_t *keys, unsigned slots, uint16_t key)
{
	unsigned n = 0;

	while (n < slots && keys[n] < key)
		n++;
	return n;
}

static void check_at(const uint16_t *keys, unsigned slots, uint16_t key)
{
	const struct vmset__find_way *way;

	assert_eq(vmset__keys_below(keys, slots, key), count(keys, slots, key));
	for (way = vmset__find_ways; way->name; way++)
		if (way->works())
			ck_assert_msg(way->keys_below(keys, slots, key) ==
					      count(keys, slots, key),
				      "%s: %u of %u, not %u", way->name,
				      way->keys_below(keys, slots, key), slots,
				      count(keys, slots, key));
}

/* At each key and on both sides of it, and at the ends. */
static void check_keys(const uint16_t *keys, unsigned slots)
{
	for (unsigned i = 0; i < slots; i++) {
		if (keys[i])
			check_at(keys, slots, (uint16_t)(keys[i] - 1));
		check_at(keys, slots, keys[i]);
		if (keys[i] < VMSET__KEY_MAX)
			check_at(keys, slots, (uint16_t)(keys[i] + 1));
	}
	check_at(keys, slots, 0);
	check_at(keys, slots, VMSET__KEY_MAX);
}

/* Ascending from first, with n of them used, as in a node. */
static void fill(uint16_t *keys, unsigned n, uint16_t first, uint16_t step)
{
	for (unsigned i = 0; i < KEYS; i++)
		keys[i] = i < n ? (uint16_t)(first + i * step) : VMSET__KEY_MAX;
}

START_TEST(every_count)
{
	_Alignas(16) uint16_t keys[KEYS];

	for (unsigned slots = 4; slots <= KEYS; slots *= 2) {
		if ((unsigned)_i > slots)
			continue;
		fill(keys, (unsigned)_i, 1, 1000);
		check_keys(keys, slots);
		/* Equal keys, and those at the largest. */
		fill(keys, (unsigned)_i, 4096, 0);
		check_keys(keys, slots);
		fill(keys, (unsigned)_i, VMSET__KEY_MAX - KEYS, 1);
		check_keys(keys, slots);
	}
}
END_TEST

START_TEST(random_keys)
{
	struct rng rng = { 1 };
	_Alignas(16) uint16_t keys[KEYS];

	for (unsigned round = 0; round < 1000; round++) {
		uint16_t at = 0;

		for (unsigned i = 0; i < KEYS; i++) {
			at = (uint16_t)(at + rng_below(&rng, 1000));
			keys[i] = at;
		}
		check_keys(keys, KEYS);
	}
}
END_TEST

/* Sizes that are as large as another have widths that are as large as its. */
START_TEST(widths_grow_with_sizes)
{
	struct rng rng = { 3 };

	for (unsigned round = 0; round < 10000; round++) {
		uint64_t one = rng_next(&rng) >> rng_below(&rng, 64);
		uint64_t other = rng_next(&rng) >> rng_below(&rng, 64);

		assert_that(vmset__width(one) == vmset__width(other) ||
			    (one < other) ==
				    (vmset__width(one) < vmset__width(other)));
	}
	for (unsigned bit = 0; bit < 63; bit++)
		assert_that(vmset__width(UINT64_C(1) << bit) <
			    vmset__width(UINT64_C(2) << bit));
	assert_that(vmset__width(0) <= vmset__width(1));
}
END_TEST

START_TEST(widths_are_compared_each)
{
	_Alignas(16) uint8_t widths[VMSET__WIDTHS];
	struct rng rng = { 4 };

	for (unsigned round = 0; round < 1000; round++) {
		uint8_t wanted = (uint8_t)rng_below(&rng, 256);
		uint32_t as_wide;

		for (unsigned i = 0; i < VMSET__WIDTHS; i++)
			widths[i] = rng_below(&rng, 3) ?
				(uint8_t)rng_below(&rng, 256) : wanted;
		as_wide = vmset__as_wide(widths, wanted);
		for (unsigned i = 0; i < VMSET__WIDTHS; i++)
			assert_eq(as_wide >> i & 1, widths[i] >= wanted);
	}
}
END_TEST

/* What a late reader finds where a node has given its page back. */
START_TEST(zeroes_lead_nowhere_else)
{
	static const struct vmset__inner inner;
	static const struct vmset__leaf leaf;
	const uintptr_t addrs[] = { 0, 1, VMSET__KEY_MAX, 1u << 20, UINTPTR_MAX };
	const struct vmset__find_way *way;
	uint16_t place;

	for (size_t i = 0; i < sizeof(addrs) / sizeof(*addrs); i++)
		for (way = vmset__find_ways; way->name; way++) {
			if (!way->works())
				continue;
			assert_that(vmset__route_way(&inner, addrs[i],
						     way->keys_below) <
				    INNER_SLOTS);
			vmset__ends_by_way(&leaf, leaf.order[0], addrs[i],
					   &place, way->keys_below);
			assert_eq(place, NO_PLACE);
		}
}
END_TEST

/*
 * A set whose areas lie anyhow: far from each other and close, and with a
 * span so large that many ends have the same key.
 */
#define AREAS 2000

static struct layers layers;

static uintptr_t fill_set(void)
{
	struct rng rng = { 2 };
	uintptr_t at = 0x100;

	layers_open(&layers,
		    (struct layers_config){ .bounds = { at, MOCK_MAX_ADDR } });
	for (unsigned i = 0; i < AREAS && at < MOCK_MAX_ADDR - 64; i++) {
		uintptr_t size = 1 + rng_below(&rng, 3);

		assert_ok(vmset_map(layers.set, at, size, 1 + i % 3, 0));
		at += size + (rng_below(&rng, 20) ? rng_below(&rng, 3) :
						    rng_below(&rng, 300));
	}
	return at;
}

static bool same_area(const struct vmset_area *a, const struct vmset_area *b)
{
	return a->start == b->start && a->end == b->end &&
	       a->flags == b->flags && a->backend == b->backend &&
	       a->offset == b->offset && a->data == b->data;
}

START_TEST(all_ways_find_the_same)
{
	const struct vmset__find_way *way;
	uintptr_t end = fill_set();

	for (uintptr_t addr = 0; addr < end; addr++) {
		struct vmset_area next, found;
		bool inside = !vmset_next(layers.set, addr, &next) &&
			      next.start <= addr;

		for (way = vmset__find_ways; way->name; way++) {
			if (!way->works())
				continue;
			ck_assert_msg(way->find(&layers.set->tree, addr,
						&found) ==
					      (inside ? 0 : -ENOENT),
				      "%s: wrong at %#lx", way->name,
				      (unsigned long)addr);
			ck_assert_msg(!inside || same_area(&found, &next),
				      "%s: another area at %#lx", way->name,
				      (unsigned long)addr);
		}
	}
	layers_close(&layers);
}
END_TEST

/* As it was when the library was loaded, whatever a test chose. */
static vmset__find_fn *at_first;

static void setup(void)
{
	at_first = vmset__tree_find;
}

static void teardown(void)
{
	vmset__tree_find = at_first;
}

START_TEST(is_chosen_by_name)
{
	const struct vmset__find_way *way;

	for (way = vmset__find_ways; way->name; way++) {
		vmset__tree_find = NULL;
		assert_eq(vmset__find_choose(way->name), way->works());
		assert_that(vmset__tree_find ==
			    (way->works() ? way->find : NULL));
	}
}
END_TEST

START_TEST(without_a_name_the_best_is_chosen)
{
	const struct vmset__find_way *way, *best = NULL;

	for (way = vmset__find_ways; way->name; way++)
		if (way->works())
			best = way;
	assert_that(best);
	assert_that(vmset__find_choose(NULL));
	assert_that(vmset__tree_find == best->find);
}
END_TEST

START_TEST(an_unknown_name_changes_nothing)
{
	assert_that(!vmset__find_choose("abacus"));
	assert_that(!vmset__find_choose(""));
	assert_that(vmset__tree_find == at_first);
}
END_TEST

Suite *suite_search(void)
{
	Suite *suite = suite_create("search");
	TCase *tcase = tcase_create("search");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, every_count, 0, KEYS + 1);
	tcase_add_test(tcase, random_keys);
	tcase_add_test(tcase, widths_grow_with_sizes);
	tcase_add_test(tcase, widths_are_compared_each);
	tcase_add_test(tcase, zeroes_lead_nowhere_else);
	tcase_add_test(tcase, all_ways_find_the_same);
	tcase_add_test(tcase, is_chosen_by_name);
	tcase_add_test(tcase, without_a_name_the_best_is_chosen);
	tcase_add_test(tcase, an_unknown_name_changes_nothing);
	suite_add_tcase(suite, tcase);
	return suite;
}
