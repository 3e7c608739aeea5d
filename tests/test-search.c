/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lib/search.c: all ways of searching a node count the same.
 */
#include "search.h"

#include <string.h>

#include "assert.h"
#include "rng.h"
#include "suites.h"

#define KEYS VMSET__SEARCH_KEYS

/* The definition. */
static unsigned count(const uintptr_t *keys, uintptr_t addr)
{
	unsigned n = 0;

	while (n < KEYS && keys[n] <= addr)
		n++;
	return n;
}

static void check_at(const uintptr_t *keys, uintptr_t addr)
{
	const struct vmset__search_way *way;

	for (way = vmset__search_ways; way->name; way++)
		if (way->works())
			ck_assert_msg(way->search(keys, addr) ==
					      count(keys, addr),
				      "%s: %u, not %u", way->name,
				      way->search(keys, addr),
				      count(keys, addr));
}

/* At each key and on both sides of it, and at the ends of the address space. */
static void check_keys(const uintptr_t *keys)
{
	for (unsigned i = 0; i < KEYS; i++) {
		check_at(keys, keys[i] - 1);
		check_at(keys, keys[i]);
		check_at(keys, keys[i] + 1);
	}
	check_at(keys, 0);
	check_at(keys, UINTPTR_MAX / 2);
	check_at(keys, UINTPTR_MAX / 2 + 1);
	check_at(keys, UINTPTR_MAX);
}

/* Ascending from first, with n of them used, as in a node. */
static void fill(uintptr_t *keys, unsigned n, uintptr_t first, uintptr_t step)
{
	for (unsigned i = 0; i < KEYS; i++)
		keys[i] = i < n ? first + i * step : UINTPTR_MAX;
}

START_TEST(every_count)
{
	uintptr_t keys[KEYS];

	fill(keys, (unsigned)_i, 4096, 4096);
	check_keys(keys);
	/* Across the middle, where signed numbers change their sign. */
	fill(keys, (unsigned)_i, UINTPTR_MAX / 2 - 15, 2);
	check_keys(keys);
	fill(keys, (unsigned)_i, UINTPTR_MAX - KEYS, 1);
	check_keys(keys);
}
END_TEST

START_TEST(random_keys)
{
	struct rng rng = { 1 };
	uintptr_t keys[KEYS];

	for (unsigned round = 0; round < 1000; round++) {
		uintptr_t at = 0;

		for (unsigned i = 0; i < KEYS; i++) {
			at += (uintptr_t)rng_below(&rng, 1u << 31) << 27;
			keys[i] = at;
		}
		check_keys(keys);
	}
}
END_TEST

/* As it was when the library was loaded, whatever a test chose. */
static vmset__search_fn *at_first;

static void setup(void)
{
	at_first = vmset__search;
}

static void teardown(void)
{
	vmset__search = at_first;
}

START_TEST(is_chosen_by_name)
{
	const struct vmset__search_way *way;

	for (way = vmset__search_ways; way->name; way++) {
		vmset__search = NULL;
		assert_eq(vmset__search_choose(way->name), way->works());
		assert_that(vmset__search ==
			    (way->works() ? way->search : NULL));
	}
}
END_TEST

START_TEST(without_a_name_the_best_is_chosen)
{
	const struct vmset__search_way *way, *best = NULL;

	for (way = vmset__search_ways; way->name; way++)
		if (way->works())
			best = way;
	assert_that(best);
	assert_that(vmset__search_choose(NULL));
	assert_that(vmset__search == best->search);
}
END_TEST

START_TEST(an_unknown_name_changes_nothing)
{
	assert_that(!vmset__search_choose("abacus"));
	assert_that(!vmset__search_choose(""));
	assert_that(vmset__search == at_first);
}
END_TEST

Suite *suite_search(void)
{
	Suite *suite = suite_create("search");
	TCase *tcase = tcase_create("search");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, every_count, 0, KEYS + 1);
	tcase_add_test(tcase, random_keys);
	tcase_add_test(tcase, is_chosen_by_name);
	tcase_add_test(tcase, without_a_name_the_best_is_chosen);
	tcase_add_test(tcase, an_unknown_name_changes_nothing);
	suite_add_tcase(suite, tcase);
	return suite;
}
