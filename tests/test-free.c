/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The search for free room, and placement by every policy, against a model
 * that tries every place of a small space.
 */
#include <errno.h>
#include <string.h>

#include "assert.h"
#include "layers.h"
#include "rng.h"
#include "suites.h"
#include "syscalls.h"
#include "tools.h"

#define MOST_UNITS 4096

/* A set, and for each granule of it whether it is taken. */
struct space {
	struct layers layers;
	struct rng rng;
	uintptr_t origin;
	size_t granule;
	uint32_t units;
	bool taken[MOST_UNITS];
	uint32_t run[MOST_UNITS + 1];   /* free units from there on */
};

/* What to look for: a placement, in bytes. */
struct wish {
	size_t size;
	struct vmset_placement where;
};

/* Where the spaces lie; up to the end of the address space. */
static const struct {
	uintptr_t origin;
	size_t granule;
	uint32_t units;
} spaces[] = {
	{ 0, 1, 64 },
	{ 0x1000, 1, 512 },
	{ 0x7fff00000000, 0x1000, 200 },
	{ UINTPTR_MAX - 300, 1, 300 },
	{ (UINTPTR_MAX << 12) - (300 << 12), 0x1000, 300 },
	{ 0x10040, 0x10, MOST_UNITS },
};

#define SPACES ((int)(sizeof(spaces) / sizeof(*spaces)))

static uintptr_t unit_at(const struct space *space, uint32_t unit)
{
	return space->origin + unit * space->granule;
}

static void open_space(struct space *space, int number, const char *name)
{
	memset(space, 0, sizeof(*space));
	space->rng = rng_start(name, 0x5eed + (unsigned int)number);
	space->origin = spaces[number].origin;
	space->granule = spaces[number].granule;
	space->units = spaces[number].units;
	layers_open(&space->layers, (struct layers_config){
		.bounds = { space->origin, unit_at(space, space->units) },
		.granule = space->granule,
	});
}

static void count_runs(struct space *space)
{
	space->run[space->units] = 0;
	for (uint32_t i = space->units; i-- > 0;)
		space->run[i] = space->taken[i] ? 0 : space->run[i + 1] + 1;
}

/* Mark a range, given in bytes, and see that the set says the same. */
static void mark(struct space *space, uintptr_t start, uintptr_t end,
		 bool taken)
{
	for (uint32_t i = 0; i < space->units; i++) {
		uintptr_t at = unit_at(space, i);

		if (at >= start && at < end)
			space->taken[i] = taken;
		assert_eq(vmset_overlaps(space->layers.set, at,
					 space->granule), space->taken[i]);
	}
	count_runs(space);
}

/* Random areas: few or many, long or short. */
static void fill(struct space *space)
{
	uint32_t longest = 1 + rng_below(&space->rng, 16);
	uint32_t gap = 1 + rng_below(&space->rng, 24);
	uint32_t at = rng_below(&space->rng, gap);

	assert_ok(vmset_clear(space->layers.set));
	memset(space->taken, 0, sizeof(space->taken));
	while (at < space->units) {
		uint32_t len = 1 + rng_below(&space->rng, longest);

		if (len > space->units - at)
			len = space->units - at;
		assert_ok(vmset_map(space->layers.set, unit_at(space, at),
				    len * space->granule,
				    rng_below(&space->rng, 4), 0));
		memset(&space->taken[at], true, len);
		at += len + rng_below(&space->rng, gap);
	}
	count_runs(space);
}

/* An address in the space, near its ends, or anywhere. */
static uintptr_t any_address(struct space *space)
{
	size_t bytes = space->units * space->granule;
	uint64_t number = rng_next(&space->rng);

	switch (rng_below(&space->rng, 8)) {
	case 0:
		return (uintptr_t)number;
	case 1:
		return space->origin + bytes - (uintptr_t)(number % 64);
	case 2:
		return space->origin - (uintptr_t)(number % 64);
	case 3:
		return space->origin + (uintptr_t)(number % bytes);
	default:
		return unit_at(space, (uint32_t)(number % space->units));
	}
}

static struct vmset_range any_limit(struct space *space)
{
	struct vmset_range limit = { 0, 0 };
	uintptr_t a = any_address(space), b = any_address(space);

	if (rng_below(&space->rng, 2))
		return limit;
	limit.start = a < b ? a : b;
	limit.end = a < b ? b : a;
	return limit;
}

static size_t any_align(struct space *space)
{
	uint32_t shift = rng_below(&space->rng, 12);

	if (rng_below(&space->rng, 2))
		return 0;
	return rng_below(&space->rng, 64) ? space->granule << shift
					  : SIZE_MAX / 2 + 1;
}

/* The limit, inside the bounds. */
static struct vmset_range window(const struct space *space,
				 const struct wish *wish)
{
	struct vmset_range window = wish->where.limit;
	uintptr_t end = unit_at(space, space->units);

	if (window.start == 0 && window.end == 0)
		window.end = end;
	if (window.start < space->origin)
		window.start = space->origin;
	if (window.end > end)
		window.end = end;
	return window;
}

/* Whether the area may start at the unit: all but the hint. */
static bool is_place(const struct space *space, const struct wish *wish,
		     uint32_t unit)
{
	struct vmset_range in = window(space, wish);
	size_t before = wish->where.guard_before;
	size_t total = before + wish->size + wish->where.guard_after;
	uintptr_t start = unit_at(space, unit);
	uint32_t guard = (uint32_t)(before / space->granule);

	if (wish->where.align && start % wish->where.align)
		return false;
	if (guard > unit || start - before < in.start || in.end < in.start ||
	    start - before > in.end || in.end - (start - before) < total)
		return false;
	return space->run[unit - guard] * space->granule >= total;
}

/* The size of the gap that the unit is in, as far as the limit lets one see. */
static size_t gap_around(const struct space *space, const struct wish *wish,
			 uint32_t unit)
{
	struct vmset_range in = window(space, wish);
	uint32_t first = unit;
	uintptr_t start, end;

	while (first > 0 && !space->taken[first - 1])
		first--;
	start = unit_at(space, first);
	end = start + space->run[first] * space->granule;
	return (end < in.end ? end : in.end) -
	       (start > in.start ? start : in.start);
}

/* Whether the hint allows a place at all. */
static bool hint_allows(const struct wish *wish, uintptr_t start)
{
	if (wish->where.policy == VMSET_LOWEST)
		return start >= wish->where.hint;
	if (wish->where.policy == VMSET_HIGHEST)
		return !wish->where.hint || start <= wish->where.hint;
	return true;
}

/* How bad a place is.  The lowest of the best places is the one to take. */
static uintptr_t badness(const struct space *space, const struct wish *wish,
			 uint32_t unit)
{
	uintptr_t start = unit_at(space, unit), hint = wish->where.hint;

	switch (wish->where.policy) {
	case VMSET_LOWEST:
		return start;
	case VMSET_HIGHEST:
		return UINTPTR_MAX - start;
	case VMSET_NEAREST:
		return start > hint ? start - hint : hint - start;
	default:
		return gap_around(space, wish, unit);
	}
}

/* The unit to take, or the number of units if there is none. */
static uint32_t best_place(const struct space *space, const struct wish *wish)
{
	uint32_t best = space->units;

	for (uint32_t i = 0; i < space->units; i++) {
		if (!is_place(space, wish, i) ||
		    !hint_allows(wish, unit_at(space, i)))
			continue;
		if (best == space->units ||
		    badness(space, wish, i) < badness(space, wish, best))
			best = i;
	}
	return best;
}

/* ---- vmset_find_free_area ---- */

static void search(struct space *space)
{
	const uintptr_t untouched = 0x123;
	uintptr_t start = untouched;
	struct wish wish = {
		.size = 1 + rng_below(&space->rng,
				      20 * (uint32_t)space->granule),
		.where = {
			.hint = rng_below(&space->rng, 4) ? any_address(space)
							  : 0,
			.limit = any_limit(space),
			.align = any_align(space),
		},
	};
	int result = vmset_find_free_area(space->layers.set, wish.where.hint,
					  wish.size, wish.where.limit,
					  wish.where.align, &start);
	uint32_t want = best_place(space, &wish);

	assert_err(result, want < space->units ? 0 : -ENOSPC);
	assert_eq(start, result ? untouched : unit_at(space, want));
}

/* Try something many times in each of many random sets. */
static void try(int number, const char *name,
		void (*once)(struct space *space))
{
	struct space space;
	unsigned long times;

	open_space(&space, number, name);
	times = tools_rounds(space.units > 1000 ? 60 : 1000);
	for (unsigned int round = 0; round < 40; round++) {
		fill(&space);
		for (unsigned long i = 0; i < times; i++)
			once(&space);
		layers_check(&space.layers);
	}
	layers_close(&space.layers);
}

START_TEST(find_free_area_finds_the_lowest)
{
	try(_i, "find_free_area", search);
}
END_TEST

/* ---- vmset_alloc ---- */

static struct wish any_wish(struct space *space)
{
	struct wish wish = { .size = 1 + rng_below(&space->rng, 12) };
	struct vmset_placement *where = &wish.where;

	wish.size *= space->granule;
	where->size = sizeof(*where);
	where->policy = rng_below(&space->rng, VMSET_RANDOM + 1);
	where->limit = any_limit(space);
	where->align = any_align(space);
	if (rng_below(&space->rng, 4))
		where->hint = any_address(space);
	if (rng_below(&space->rng, 3) == 0)
		where->guard_before = rng_below(&space->rng, 6) *
				      space->granule;
	if (rng_below(&space->rng, 3) == 0)
		where->guard_after = rng_below(&space->rng, 6) *
				     space->granule;
	return wish;
}

/* A place by the kernel's random numbers: any that is one. */
static void check_random(const struct space *space, const struct wish *wish,
			 uintptr_t start)
{
	assert_that(start >= space->origin);
	assert_eq((start - space->origin) % space->granule, 0);
	assert_that((start - space->origin) / space->granule < space->units);
	assert_that(is_place(space, wish, (uint32_t)((start - space->origin) /
						     space->granule)));
}

/* Place something, look at it and its guards, and perhaps take it away. */
static void place(struct space *space)
{
	const uintptr_t untouched = 0x123;
	struct wish wish = any_wish(space);
	uint32_t want = best_place(space, &wish);
	uintptr_t start = untouched;
	int result = vmset_alloc(space->layers.set, wish.size, 7, &wish.where,
				 &start);
	uintptr_t low = start - wish.where.guard_before;
	uintptr_t high = start + wish.size + wish.where.guard_after;

	assert_err(result, want < space->units ? 0 : -ENOSPC);
	if (result) {
		assert_eq(start, untouched);
		return;
	}
	if (wish.where.policy == VMSET_RANDOM)
		check_random(space, &wish, start);
	else
		assert_eq(start, unit_at(space, want));
	mark(space, low, high, true);
	assert_ok(vmset_find(space->layers.set, start + wish.size - 1, NULL));
	if (rng_below(&space->rng, 3) == 0)
		return;
	assert_ok(vmset_unmap(space->layers.set, start, wish.size));
	mark(space, low, high, false);
}

START_TEST(alloc_places_by_its_policy)
{
	try(_i, "alloc", place);
}
END_TEST

/* Random placement comes to every place there is, with and without limits. */
START_TEST(random_reaches_every_place)
{
	bool seen[MOST_UNITS] = { false };
	struct space space;
	struct wish wish;
	uint32_t left = 0;
	uintptr_t start;

	open_space(&space, 0, NULL);
	for (unsigned int i = 0; i <= (unsigned int)_i; i++) {
		fill(&space);
		wish = any_wish(&space);
	}
	wish.size = 2;
	wish.where.policy = VMSET_RANDOM;
	wish.where.align = _i % 2 ? 4 : 1;
	if (_i % 3)
		wish.where.limit = (struct vmset_range){ 5, 60 };
	for (uint32_t i = 0; i < space.units; i++)
		left += is_place(&space, &wish, i);
	for (unsigned long draws = 0; left; draws++) {
		assert_that(draws < 1000000);
		assert_ok(vmset_alloc(space.layers.set, wish.size, 7,
				      &wish.where, &start));
		check_random(&space, &wish, start);
		left -= !seen[start];
		seen[start] = true;
		assert_ok(vmset_unmap(space.layers.set, start, wish.size));
	}
	layers_close(&space.layers);
}
END_TEST

/* No placement at all is the lowest place. */
START_TEST(no_placement_is_the_lowest)
{
	struct layers layers;
	uintptr_t start;

	layers_open(&layers, (struct layers_config){
		.bounds = { 0x1000, 0x2000 }, .granule = 0x10,
	});
	for (uintptr_t at = 0x1000; at < 0x2000; at += 0x20) {
		assert_ok(vmset_alloc(layers.set, 0x20, 1, NULL, &start));
		assert_eq(start, at);
	}
	LAYERS_EXPECT(&layers, { 0x1000, 0x2000, 1 });
	layers_close(&layers);
}
END_TEST

/* Two numbers are drawn, one for the gap and one for the place in it. */
START_TEST(random_needs_numbers)
{
	const struct vmset_placement where = {
		.size = sizeof(where), .policy = VMSET_RANDOM,
	};
	struct layers layers;
	uintptr_t start = 17;

	layers_open(&layers, (struct layers_config){ .granule = 0x10 });
	for (unsigned int number = 1; number <= 2; number++) {
		syscalls_watch((struct vmset_range){ 0, 0 });
		syscalls_fail_random(number);
		assert_err(vmset_alloc(layers.set, 0x20, 1, &where, &start),
			   -ENOSYS);
		assert_eq(start, 17);
		syscalls_stop();
	}
	layers_expect_empty(&layers);
	assert_ok(vmset_alloc(layers.set, 0x20, 1, &where, &start));
	layers_close(&layers);
}
END_TEST

Suite *suite_free(void)
{
	Suite *suite = suite_create("free");
	TCase *tcase = tcase_create("free room");

	tcase_add_test(tcase, no_placement_is_the_lowest);
	tcase_add_test(tcase, random_needs_numbers);
	tcase_set_timeout(tcase, 3600);
	tcase_add_loop_test(tcase, find_free_area_finds_the_lowest, 0, SPACES);
	tcase_add_loop_test(tcase, alloc_places_by_its_policy, 0, SPACES);
	tcase_add_loop_test(tcase, random_reaches_every_place, 0, 12);
	suite_add_tcase(suite, tcase);
	return suite;
}
