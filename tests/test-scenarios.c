/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Four scenarios that go through mapping, unmapping, protecting and the search
 * for room, each with every area known after each step: on the mock page
 * table, one address a byte, and scaled to pages in a kernel reservation, where
 * /proc/self/maps and the memory itself say what holds.
 */
#include <errno.h>
#include <unistd.h>

#include "assert.h"
#include "layers.h"
#include "maps.h"
#include "suites.h"
#include "touch.h"

/* The smallest step in any scenario but one hint: a page on the kernel. */
#define STEP 0x80

#define AREA 0x1000
#define MOST_AREAS 64

/* Where a scenario plays. */
struct stage {
	struct vmset *set;
	uintptr_t base;         /* the address of the scenario's 0 */
	size_t scale;           /* of its addresses */
	struct layers *layers;  /* NULL on the kernel */
};

static uintptr_t at(const struct stage *stage, uintptr_t addr)
{
	return stage->base + addr * stage->scale;
}

/* The areas that must be there, in the scenario's addresses. */
struct expected {
	struct layers_area areas[MOST_AREAS];
	size_t count;
};

static void add(struct expected *expected, uintptr_t start, uintptr_t end,
		uint32_t flags)
{
	expected->areas[expected->count++] =
		(struct layers_area){ start, end, flags };
}

/* Scale them, and hold the set against them. */
static void check_areas(const struct stage *stage, struct expected *expected)
{
	uintptr_t addr = stage->base;
	struct vmset_area area;

	assert_eq(vmset_len(stage->set), expected->count);
	for (size_t i = 0; i < expected->count; i++, addr = area.end) {
		struct layers_area *want = &expected->areas[i];

		want->start = at(stage, want->start);
		want->end = at(stage, want->end);
		assert_ok(vmset_next(stage->set, addr, &area));
		assert_eq(area.start, want->start);
		assert_eq(area.end, want->end);
		assert_eq(area.flags, want->flags);
	}
	assert_err(vmset_next(stage->set, addr, NULL), -ENOENT);
}

/* These areas, and both layers as they say. */
static void check(const struct stage *stage, struct expected expected)
{
	check_areas(stage, &expected);
	if (stage->layers) {
		layers_expect(stage->layers, expected.areas, expected.count);
		return;
	}
	maps_check_lines(stage->set);
	assert_ok(vmset_verify(stage->set, NULL));
	touch_check(stage->set);
}

static int map(const struct stage *stage, uintptr_t start, size_t size,
	       uint32_t flags, uint32_t how)
{
	return vmset_map(stage->set, at(stage, start), size * stage->scale,
			 flags, how);
}

static int unmap(const struct stage *stage, uintptr_t start, size_t size)
{
	return vmset_unmap(stage->set, at(stage, start), size * stage->scale);
}

/* Sixteen areas that fill the space, flags 1 and 2 in turn. */
static void map_and_unmap(const struct stage *stage)
{
	struct expected all = { 0 }, replaced = { 0 }, left = { 0 };
	struct vmset_area area;

	for (uintptr_t i = 0; i < 16; i++) {
		assert_ok(map(stage, i * AREA, AREA, 1 + i % 2, 0));
		add(&all, i * AREA, (i + 1) * AREA, 1 + i % 2);
		check(stage, all);
	}
	assert_err(map(stage, 0x4000, 0x4000, 3, 0), -EEXIST);
	check(stage, all);

	assert_ok(map(stage, 0x4000, 0x4000, 3, VMSET_REPLACE));
	for (uintptr_t i = 0; i < 16; i++) {
		if (i == 4)
			add(&replaced, 0x4000, 0x8000, 3);
		if (i < 4 || i >= 8)
			add(&replaced, i * AREA, (i + 1) * AREA, 1 + i % 2);
	}
	assert_eq(replaced.count, 13);
	check(stage, replaced);
	assert_ok(vmset_find(stage->set, at(stage, 0x4100), &area));
	assert_eq(area.start, at(stage, 0x4000));
	assert_eq(area.end, at(stage, 0x8000));

	assert_ok(unmap(stage, 0x4000, 0x8000));
	for (uintptr_t i = 0; i < 16; i++) {
		if (i < 4 || i >= 12)
			add(&left, i * AREA, (i + 1) * AREA, 1 + i % 2);
	}
	assert_eq(left.count, 8);
	check(stage, left);

	assert_ok(unmap(stage, 0, 0x20000));
	check(stage, (struct expected){ 0 });
}

/* Eight areas with gaps of the same size between them. */
static void map_eight(const struct stage *stage, uint32_t flags)
{
	struct expected expected = { 0 };

	for (uintptr_t start = 0; start < 0x10000; start += 2 * AREA) {
		assert_ok(map(stage, start, AREA, flags, 0));
		add(&expected, start, start + AREA, flags);
	}
	if (!stage->layers && flags & VMSET_EXEC) {
		for (size_t i = 0; i < expected.count; i++)
			touch_fill(at(stage, expected.areas[i].start),
				   AREA * stage->scale);
	}
	check(stage, expected);
}

/* What is left of an area of eight, if its ends were changed. */
static uintptr_t inner_start(uintptr_t start)
{
	return start ? start + 0x400 : start;
}

static void split_on_unmap(const struct stage *stage)
{
	struct expected shrunk = { 0 }, split = { 0 };

	map_eight(stage, 3);
	for (uintptr_t start = 0; start < 0x10000; start += 2 * AREA) {
		assert_ok(unmap(stage, start + 0xc00, 0x1800));
		add(&shrunk, inner_start(start), start + 0xc00, 3);
	}
	assert_eq(shrunk.count, 8);
	check(stage, shrunk);

	for (uintptr_t start = 0; start < 0x10000; start += 2 * AREA) {
		assert_ok(unmap(stage, start + 0x800, 0x100));
		add(&split, inner_start(start), start + 0x800, 3);
		add(&split, start + 0x900, start + 0xc00, 3);
	}
	assert_eq(split.count, 16);
	check(stage, split);
}

/* New low three bits, the high ones kept. */
static bool low_bits(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	const uint32_t *bits = arg;

	*new_flags = (old_flags & ~7u) | (*bits & 7);
	return true;
}

/* Give the low bits to a range at the same place from each area's start. */
static void update_eight(const struct stage *stage, uintptr_t from,
			 size_t size, uint32_t bits)
{
	for (uintptr_t start = 0; start < 0x10000; start += 2 * AREA)
		assert_ok(vmset_update(stage->set, at(stage, start + from),
				       size * stage->scale, low_bits, &bits));
}

static void protect(const struct stage *stage)
{
	struct expected outer = { 0 }, inner = { 0 };

	map_eight(stage, 7);
	update_eight(stage, 0xc00, 0x1800, 1);
	for (uintptr_t start = 0; start < 0x10000; start += 2 * AREA) {
		if (start)
			add(&outer, start, start + 0x400, 1);
		add(&outer, inner_start(start), start + 0xc00, 7);
		add(&outer, start + 0xc00, start + AREA, 1);
	}
	assert_eq(outer.count, 23);
	check(stage, outer);

	update_eight(stage, 0x800, 0x100, 0x13);
	for (size_t i = 0; i < outer.count; i++) {
		const struct layers_area *area = &outer.areas[i];
		uintptr_t middle = (area->start & ~0xfffu) + 0x800;

		if (area->flags == 7) {
			add(&inner, area->start, middle, 7);
			add(&inner, middle, middle + 0x100, 3);
			add(&inner, middle + 0x100, area->end, 7);
		} else {
			add(&inner, area->start, area->end, area->flags);
		}
	}
	assert_eq(inner.count, 39);
	check(stage, inner);

	update_eight(stage, 0x880, 0x80, 3);
	check(stage, inner);
}

/* The place for size bytes from hint on, and where it must be. */
static const struct {
	uintptr_t hint;
	size_t size;
	uintptr_t start;
} places[] = {
	{ 0x0000, 0x1000, 0x1000 },
	{ 0x0800, 0x0800, 0x1000 },
	{ 0x1800, 0x0800, 0x1800 },
	{ 0x1800, 0x1000, 0x3000 },
	{ 0x2000, 0x1000, 0x3000 },
	{ 0xf000, 0x1000, 0xf000 },
};

static void free_areas(const struct stage *stage)
{
	const struct vmset_range all = { 0, 0 };
	const uintptr_t untouched = 0x123;
	uintptr_t start;

	map_eight(stage, 1);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		assert_ok(vmset_find_free_area(stage->set,
					       at(stage, places[i].hint),
					       places[i].size * stage->scale,
					       all, 0, &start));
		assert_eq(start, at(stage, places[i].start));
	}
	start = untouched;
	assert_err(vmset_find_free_area(stage->set, at(stage, 0xf001),
					0x1000 * stage->scale, all, 0, &start),
		   -ENOSPC);
	assert_eq(start, untouched);
}

/* The span is what the last steps of a scenario need beyond 0x10000. */
static const struct {
	void (*play)(const struct stage *stage);
	size_t span;
} scenarios[] = {
	{ map_and_unmap, 0x20000 },
	{ split_on_unmap, 0x20000 },
	{ protect, 0x20000 },
	{ free_areas, 0x10000 },
};

#define SCENARIOS ((int)(sizeof(scenarios) / sizeof(*scenarios)))

/* Each scenario with each set of promises: what the set does is the same. */
START_TEST(on_the_mock)
{
	struct layers layers;
	struct stage stage = { .scale = 1, .layers = &layers };

	layers_open(&layers, (struct layers_config){
		.promises = (uint32_t)(_i / SCENARIOS),
	});
	stage.set = layers.set;
	scenarios[_i % SCENARIOS].play(&stage);
	layers_close(&layers);
}
END_TEST

START_TEST(on_the_kernel)
{
	size_t scale = (size_t)sysconf(_SC_PAGESIZE) / STEP;
	struct stage stage = { .scale = scale };

	assert_ok(vmset_reserve(&stage.set, scenarios[_i].span * scale, 0));
	assert_about(stage.set);
	stage.base = vmset_bounds(stage.set).start;
	check(&stage, (struct expected){ 0 });
	scenarios[_i].play(&stage);
	assert_ok(vmset_destroy(stage.set));
	assert_about(NULL);
	assert_that(maps_is_hole((struct vmset_range){
		stage.base, stage.base + scenarios[_i].span * scale }));
}
END_TEST

Suite *suite_scenarios(void)
{
	Suite *suite = suite_create("scenarios");
	TCase *tcase = tcase_create("scenarios");

	tcase_add_loop_test(tcase, on_the_mock, 0,
			    SCENARIOS * (MOCK_PROMISES + 1));
	tcase_add_loop_test(tcase, on_the_kernel, 0, SCENARIOS);
	suite_add_tcase(suite, tcase);
	return suite;
}
