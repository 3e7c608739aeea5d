/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What becomes of areas that are cut and of areas that touch: offsets, data,
 * when two become one, what an update leaves whole, how long guards live, and
 * how few calls all that takes.
 */
#include <errno.h>

#include "assert.h"
#include "layers.h"
#include "suites.h"

static struct layers layers;

static void open_with(uint32_t options, uint32_t promises)
{
	layers_open(&layers, (struct layers_config){
		.bounds = { 0x1000, 0x2000 }, .options = options,
		.promises = promises,
	});
}

static void open_layers(void)
{
	open_with(0, 0);
}

static void close_layers(void)
{
	layers_close(&layers);
}

static void map_area(struct vmset_area area, uint32_t how)
{
	assert_ok(vmset_map_area(layers.set, &area, how));
}

/* An area with every field given. */
static void expect_area(uintptr_t start, struct vmset_area want)
{
	struct vmset_area area;

	assert_ok(vmset_find(layers.set, start, &area));
	assert_eq(area.start, want.start);
	assert_eq(area.end, want.end);
	assert_eq(area.flags, want.flags);
	assert_eq(area.offset, want.offset);
	assert_that(area.data == want.data);
	assert_that(area.backend == (want.backend ? want.backend :
				     mock_backend(&layers.mock, 0)));
}

/* ---- fields ---- */

static int some_data;

START_TEST(fields_come_back)
{
	struct vmset_area area = {
		.start = 0x1100, .end = 0x1200, .flags = 5,
		.backend = mock_backend(&layers.mock, 1),
		.offset = 0x123456789a, .data = &some_data,
	};
	struct vmset_area copy;

	map_area(area, 0);
	expect_area(0x1180, area);
	assert_eq(layers.mock.log[0].offset, area.offset);
	assert_eq(layers.mock.log[0].backend, 2);

	/* A copy is the caller's. */
	assert_ok(vmset_next(layers.set, 0, &copy));
	copy.start = copy.end = 0;
	copy.data = NULL;
	expect_area(0x1180, area);
}
END_TEST

START_TEST(plain_maps_have_plain_fields)
{
	struct vmset_placement near = {
		.size = sizeof(near), .hint = 0x1800,
	};
	uintptr_t start;

	assert_ok(vmset_map(layers.set, 0x1000, 0x10, 1, 0));
	assert_ok(vmset_map(layers.set, 0x1100, 0x10, 1, 0));
	assert_ok(vmset_alloc(layers.set, 0x10, 1, &near, &start));
	expect_area(0x1000, (struct vmset_area){
		.start = 0x1000, .end = 0x1010, .flags = 1, .offset = 0 });
	expect_area(0x1100, (struct vmset_area){
		.start = 0x1100, .end = 0x1110, .flags = 1, .offset = 0x100 });
	expect_area(0x1800, (struct vmset_area){
		.start = 0x1800, .end = 0x1810, .flags = 1, .offset = 0x800 });
}
END_TEST

/* The two ends of a cut area keep data, and the offset moves on. */
static void expect_ends(uintptr_t cut_start, uintptr_t cut_end)
{
	expect_area(0x1100, (struct vmset_area){
		.start = 0x1100, .end = cut_start, .flags = 3,
		.offset = 0x7000, .data = &some_data });
	expect_area(cut_end, (struct vmset_area){
		.start = cut_end, .end = 0x1500, .flags = 3,
		.offset = 0x7000 + cut_end - 0x1100, .data = &some_data });
	layers_check(&layers);
}

static void map_whole(void)
{
	map_area((struct vmset_area){
		.start = 0x1100, .end = 0x1500, .flags = 3, .offset = 0x7000,
		.data = &some_data }, 0);
}

START_TEST(cuts_carry_offset_and_data)
{
	map_whole();
	assert_ok(vmset_unmap(layers.set, 0x1200, 0x10));
	expect_ends(0x1200, 0x1210);
	assert_ok(vmset_unmap(layers.set, 0x1000, 0x1000));

	map_whole();
	assert_ok(vmset_protect(layers.set, 0x1280, 0x100, 1));
	expect_ends(0x1280, 0x1380);
	expect_area(0x1280, (struct vmset_area){
		.start = 0x1280, .end = 0x1380, .flags = 1,
		.offset = 0x7180, .data = &some_data });
	assert_ok(vmset_unmap(layers.set, 0x1000, 0x1000));

	map_whole();
	assert_ok(vmset_map(layers.set, 0x1300, 0x100, 3, VMSET_REPLACE));
	expect_ends(0x1300, 0x1400);
	expect_area(0x1300, (struct vmset_area){
		.start = 0x1300, .end = 0x1400, .flags = 3, .offset = 0x300 });
	assert_eq(vmset_len(layers.set), 3);
}
END_TEST

/* ---- joining ---- */

/* Each way to fill three places one after the other. */
static const unsigned char orders[][3] = {
	{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 },
	{ 2, 1, 0 },
};

#define ORDERS ((int)(sizeof(orders) / sizeof(*orders)))

START_TEST(neighbours_become_one)
{
	for (unsigned int i = 0; i < 3; i++) {
		assert_ok(vmset_map(layers.set, 0x1100 + 0x10 * orders[_i][i],
				    0x10, 7, 0));
		layers_check(&layers);
	}
	LAYERS_EXPECT(&layers, { 0x1100, 0x1130, 7 });
	assert_eq(layers.mock.calls, 3);
}
END_TEST

START_TEST(neighbours_stay_apart_on_request)
{
	close_layers();
	open_with(VMSET_NO_MERGE, 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_ok(vmset_map(layers.set, 0x1100 + 0x10 * orders[_i][i],
				    0x10, 7, 0));
	LAYERS_EXPECT(&layers, { 0x1100, 0x1110, 7 }, { 0x1110, 0x1120, 7 },
		      { 0x1120, 0x1130, 7 });
	/* What was cut stays cut, but only what changed is cut at all. */
	assert_ok(vmset_protect(layers.set, 0x1108, 0x10, 7));
	assert_eq(vmset_len(layers.set), 3);
	assert_ok(vmset_protect(layers.set, 0x1114, 0x8, 1));
	assert_ok(vmset_protect(layers.set, 0x1114, 0x8, 7));
	LAYERS_EXPECT(&layers, { 0x1100, 0x1110, 7 }, { 0x1110, 0x1114, 7 },
		      { 0x1114, 0x111c, 7 }, { 0x111c, 0x1120, 7 },
		      { 0x1120, 0x1130, 7 });
	assert_ok(vmset_map(layers.set, 0x1108, 0x20, 7, VMSET_REPLACE));
	LAYERS_EXPECT(&layers, { 0x1100, 0x1108, 7 }, { 0x1108, 0x1128, 7 },
		      { 0x1128, 0x1130, 7 });
}
END_TEST

/* Each field alone keeps a neighbour apart; none does if all fit. */
START_TEST(every_field_counts)
{
	struct vmset_area left = {
		.start = 0x1100, .end = 0x1110, .flags = 3, .offset = 0x500,
		.data = &some_data,
	};
	struct vmset_area right = left;

	right.start = 0x1110;
	right.end = 0x1120;
	right.offset = 0x510;
	if (_i == 1)
		right.flags = 2;
	if (_i == 2)
		right.data = NULL;
	if (_i == 3)
		right.offset = 0x500;
	if (_i == 4)
		right.offset = 0x520;
	if (_i == 5)
		right.backend = mock_backend(&layers.mock, 1);
	map_area(_i % 2 ? left : right, 0);
	map_area(_i % 2 ? right : left, 0);
	assert_eq(vmset_len(layers.set), _i ? 2 : 1);
	if (_i)
		expect_area(0x1110, right);
	layers_check(&layers);
}
END_TEST

/* A new area between two joins with both, with one, or with none. */
/* Their offsets follow each other, but between them there is free room. */
START_TEST(a_gap_keeps_areas_apart)
{
	map_area((struct vmset_area){ .start = 0x1100, .end = 0x1110,
				      .flags = 3, .offset = 0x500 }, 0);
	map_area((struct vmset_area){ .start = 0x1120, .end = 0x1130,
				      .flags = 3, .offset = 0x510 }, 0);
	assert_ok(vmset_unmap(layers.set, 0x1110, 0x10));
	layers_check(&layers);
	assert_ok(vmset_protect(layers.set, 0x1100, 0x30, 1));
	layers_check(&layers);
	assert_eq(vmset_len(layers.set), 2);
}
END_TEST

START_TEST(joining_by_replacing)
{
	map_area((struct vmset_area){ .start = 0x1100, .end = 0x1300,
				      .flags = 1, .offset = 0x100 }, 0);
	map_area((struct vmset_area){ .start = 0x1180, .end = 0x1200,
				      .flags = 2, .offset = 0 },
		 VMSET_REPLACE);
	assert_eq(vmset_len(layers.set), 3);
	map_area((struct vmset_area){ .start = 0x1180, .end = 0x1200,
				      .flags = 1, .offset = 0 },
		 VMSET_REPLACE);
	assert_eq(vmset_len(layers.set), 3);
	assert_ok(vmset_map(layers.set, 0x1180, 0x40, 1, VMSET_REPLACE));
	assert_eq(vmset_len(layers.set), 3);
	assert_ok(vmset_map(layers.set, 0x11c0, 0x40, 1, VMSET_REPLACE));
	LAYERS_EXPECT(&layers, { 0x1100, 0x1300, 1 });
}
END_TEST

START_TEST(joining_by_protecting)
{
	for (uint32_t i = 0; i < 5; i++)
		assert_ok(vmset_map(layers.set, 0x1100 + 0x10 * i, 0x10, i + 1,
				    0));
	assert_ok(vmset_protect(layers.set, 0x1110, 0x10, 1));
	LAYERS_EXPECT(&layers, { 0x1100, 0x1120, 1 }, { 0x1120, 0x1130, 3 },
		      { 0x1130, 0x1140, 4 }, { 0x1140, 0x1150, 5 });
	assert_ok(vmset_protect(layers.set, 0x1128, 0x20, 1));
	LAYERS_EXPECT(&layers, { 0x1100, 0x1120, 1 }, { 0x1120, 0x1128, 3 },
		      { 0x1128, 0x1148, 1 }, { 0x1148, 0x1150, 5 });
	assert_ok(vmset_protect(layers.set, 0x1000, 0x1000, 4));
	LAYERS_EXPECT(&layers, { 0x1100, 0x1150, 4 });
}
END_TEST

/* ---- update ---- */

/* Flags by flags: 0 stays as it is by false, others change or are the same. */
struct wanted {
	uint32_t flags[16];
	uint32_t asked[16];
	unsigned int count;
};

static bool look_up(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	struct wanted *wanted = arg;

	assert_that(wanted->count < 16);
	wanted->asked[wanted->count++] = old_flags;
	*new_flags = wanted->flags[old_flags] ? wanted->flags[old_flags] : 0xf;
	return wanted->flags[old_flags];
}

static void map_four(void)
{
	for (uint32_t i = 0; i < 4; i++)
		assert_ok(vmset_map(layers.set, 0x1100 + 0x20 * i, 0x20, i + 1,
				    0));
	mock_heal(&layers.mock);
}

static void update(struct wanted *wanted)
{
	assert_ok(vmset_update(layers.set, 0x1110, 0x60, look_up, wanted));
}

START_TEST(update_leaves_whole_what_stays)
{
	/* 1 stays by false, 2 gets what it has, 3 changes, 4 stays. */
	struct wanted wanted = { .flags = { [2] = 2, [3] = 9 } };

	close_layers();
	open_with(_i ? VMSET_NO_MERGE : 0, 0);
	map_four();
	update(&wanted);
	assert_eq(wanted.count, 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_eq(wanted.asked[i], i + 1);
	assert_eq(layers.mock.calls, 1);
	LAYERS_EXPECT(&layers, { 0x1100, 0x1120, 1 }, { 0x1120, 0x1140, 2 },
		      { 0x1140, 0x1160, 9 }, { 0x1160, 0x1180, 4 });

	/* Those at the ends are cut if they change. */
	wanted = (struct wanted){ .flags = { [1] = 5, [4] = 6, [9] = 9 } };
	update(&wanted);
	assert_eq(wanted.count, 4);
	assert_eq(layers.mock.calls, 3);
	LAYERS_EXPECT(&layers, { 0x1100, 0x1110, 1 }, { 0x1110, 0x1120, 5 },
		      { 0x1120, 0x1140, 2 }, { 0x1140, 0x1160, 9 },
		      { 0x1160, 0x1170, 6 }, { 0x1170, 0x1180, 4 });
}
END_TEST

START_TEST(update_that_changes_nothing)
{
	struct wanted wanted = { .flags = { [1] = 1, [2] = 2 } };

	map_four();
	update(&wanted);
	assert_eq(wanted.count, 4);
	assert_eq(layers.mock.calls, 0);
	LAYERS_EXPECT(&layers, { 0x1100, 0x1120, 1 }, { 0x1120, 0x1140, 2 },
		      { 0x1140, 0x1160, 3 }, { 0x1160, 0x1180, 4 });
	/* Neither at the edges of areas. */
	wanted.count = 0;
	assert_ok(vmset_update(layers.set, 0x1120, 0x20, look_up, &wanted));
	assert_eq(wanted.count, 1);
	assert_eq(wanted.asked[0], 2);
}
END_TEST

/* Gaps and guards are no areas, and are not asked about. */
START_TEST(update_skips_what_is_no_area)
{
	struct wanted wanted = { .flags = { [3] = 4 } };
	struct vmset_placement guarded = {
		.size = sizeof(guarded), .hint = 0x1200, .guard_before = 0x20,
		.guard_after = 0x20,
	};
	uintptr_t start;

	assert_ok(vmset_alloc(layers.set, 0x10, 3, &guarded, &start));
	guarded.hint = 0x1400;
	assert_ok(vmset_alloc(layers.set, 0x10, 3, &guarded, &start));
	assert_ok(vmset_update(layers.set, 0x1000, 0x1000, look_up, &wanted));
	assert_eq(wanted.count, 2);
	LAYERS_EXPECT(&layers, { 0x1200, 0x1210, 4 }, { 0x1400, 0x1410, 4 });
	assert_that(layers_fenced(&layers, 0x11e0));
	assert_that(layers_fenced(&layers, 0x142f));
}
END_TEST

/* ---- the number of calls ---- */

#define RUN 12

/* Areas that all differ: side by side, or with gaps. */
static void map_run(size_t distance)
{
	for (uint32_t i = 0; i < RUN; i++)
		assert_ok(vmset_map(layers.set, 0x1100 + distance * i, 0x10,
				    i + 1, 0));
	assert_eq(vmset_len(layers.set), RUN);
	mock_heal(&layers.mock);
}

/* With each combination of promises: as few calls as they allow. */
START_TEST(calls_are_few)
{
	uint32_t promises = (uint32_t)_i;
	unsigned int replace = 1, unmap = RUN;

	if (promises & VMSET_BACKEND_SPANS)
		unmap = 1;
	if (!(promises & VMSET_BACKEND_REPLACES))
		replace += unmap;
	close_layers();
	open_with(0, promises);

	map_run(0x20);
	assert_ok(vmset_unmap(layers.set, 0x1000, 0x1000));
	assert_eq(layers.mock.calls, unmap);
	layers_expect_empty(&layers);

	map_run(0x20);
	assert_ok(vmset_unmap(layers.set, 0x1108, 0x20 * RUN - 0x20));
	assert_eq(layers.mock.calls, unmap);
	assert_eq(vmset_len(layers.set), 2);
	assert_ok(vmset_clear(layers.set));

	map_run(0x20);
	assert_ok(vmset_map(layers.set, 0x1000, 0x1000, 1, VMSET_REPLACE));
	assert_eq(layers.mock.calls, replace);
	LAYERS_EXPECT(&layers, { 0x1000, 0x2000, 1 });
	assert_ok(vmset_clear(layers.set));

	map_run(0x20);
	assert_ok(vmset_clear(layers.set));
	assert_eq(layers.mock.calls, unmap);
	layers_expect_empty(&layers);
}
END_TEST

START_TEST(protect_calls_are_few)
{
	uint32_t promises = (uint32_t)_i;
	bool joins = promises & VMSET_BACKEND_JOINS;

	close_layers();
	open_with(0, promises);
	map_run(0x10);
	assert_ok(vmset_protect(layers.set, 0x1100, 0x10 * RUN, 0x40));
	assert_eq(layers.mock.calls, joins ? 1 : RUN);
	LAYERS_EXPECT(&layers, { 0x1100, 0x1100 + 0x10 * RUN, 0x40 });

	/* Gaps end a call, and so does what has the flags already. */
	assert_ok(vmset_clear(layers.set));
	map_run(0x20);
	assert_ok(vmset_protect(layers.set, 0x1000, 0x1000, 0x40));
	assert_eq(layers.mock.calls, RUN);

	assert_ok(vmset_clear(layers.set));
	map_run(0x10);
	assert_ok(vmset_protect(layers.set, 0x1000, 0x1000, 3));
	assert_eq(layers.mock.calls, joins ? 2 : RUN - 1);
	LAYERS_EXPECT(&layers, { 0x1100, 0x1100 + 0x10 * RUN, 3 });
}
END_TEST

/* ---- guards ---- */

/* An area [0x1120, 0x1140), guards [0x1110, 0x1120) and [0x1140, 0x1150). */
static void alloc_guarded(void)
{
	struct vmset_placement guarded = {
		.size = sizeof(guarded), .hint = 0x1120, .guard_before = 0x10,
		.guard_after = 0x10,
	};
	uintptr_t start;

	assert_ok(vmset_alloc(layers.set, 0x20, 3, &guarded, &start));
	assert_eq(start, 0x1120);
}

/* Fenced are these two ranges, either of which may be empty. */
static void expect_fenced(struct vmset_range a, struct vmset_range b)
{
	layers_check(&layers);
	for (uintptr_t at = 0x1000; at < 0x2000; at++)
		assert_eq(layers_fenced(&layers, at),
			  (at >= a.start && at < a.end) ||
			  (at >= b.start && at < b.end));
}

#define BEFORE { 0x1110, 0x1120 }
#define AFTER { 0x1140, 0x1150 }
#define NONE { 0, 0 }

/* What is emptied, or replaced, and what is left of the guards then. */
static const struct {
	uintptr_t start, end;
	struct vmset_range before, after;
} emptied[] = {
	{ 0x1000, 0x1110, BEFORE, AFTER },
	{ 0x1150, 0x2000, BEFORE, AFTER },
	{ 0x1121, 0x113f, BEFORE, AFTER },
	{ 0x1120, 0x1121, NONE, AFTER },
	{ 0x113f, 0x1140, BEFORE, NONE },
	{ 0x1120, 0x1140, NONE, NONE },
	{ 0x1110, 0x1120, NONE, AFTER },
	{ 0x1140, 0x1150, BEFORE, NONE },
	{ 0x1000, 0x1118, { 0x1118, 0x1120 }, AFTER },
	{ 0x1148, 0x2000, BEFORE, { 0x1140, 0x1148 } },
	{ 0x1112, 0x1118, { 0x1118, 0x1120 }, AFTER },
	{ 0x1148, 0x114c, BEFORE, { 0x1140, 0x1148 } },
	{ 0x1000, 0x1121, NONE, AFTER },
	{ 0x1000, 0x2000, NONE, NONE },
};

#define EMPTIED ((int)(sizeof(emptied) / sizeof(*emptied)))

START_TEST(guards_go_with_their_end)
{
	uintptr_t start = emptied[_i].start;
	size_t size = emptied[_i].end - start;

	alloc_guarded();
	expect_fenced((struct vmset_range)BEFORE, (struct vmset_range)AFTER);
	assert_ok(vmset_unmap(layers.set, start, size));
	expect_fenced(emptied[_i].before, emptied[_i].after);
	assert_ok(vmset_unmap(layers.set, 0x1000, 0x1000));

	alloc_guarded();
	assert_ok(vmset_map(layers.set, start, size, 9, VMSET_REPLACE));
	expect_fenced(emptied[_i].before, emptied[_i].after);
	assert_ok(vmset_clear(layers.set));
	assert_that(!vmset_overlaps(layers.set, 0x1000, 0x1000));
}
END_TEST

/* Where the guard's owner stays, a neighbour behind the guard may go. */
START_TEST(guards_have_one_owner)
{
	assert_ok(vmset_map(layers.set, 0x1100, 0x10, 3, 0));
	assert_ok(vmset_map(layers.set, 0x1150, 0x10, 3, 0));
	alloc_guarded();
	assert_eq(vmset_len(layers.set), 3);
	assert_ok(vmset_unmap(layers.set, 0x1100, 0x10));
	assert_ok(vmset_unmap(layers.set, 0x1150, 0x10));
	expect_fenced((struct vmset_range)BEFORE, (struct vmset_range)AFTER);
	assert_eq(vmset_len(layers.set), 1);
}
END_TEST

START_TEST(guards_outlive_protect)
{
	alloc_guarded();
	mock_heal(&layers.mock);
	assert_ok(vmset_protect(layers.set, 0x1000, 0x1000, 1));
	assert_ok(vmset_protect(layers.set, 0x1120, 1, 2));
	assert_eq(layers.mock.calls, 2);
	expect_fenced((struct vmset_range)BEFORE, (struct vmset_range)AFTER);
	/* A guard is worth no call at all. */
	assert_ok(vmset_unmap(layers.set, 0x1110, 0x10));
	assert_ok(vmset_unmap(layers.set, 0x1140, 0x10));
	assert_eq(layers.mock.calls, 2);
	expect_fenced((struct vmset_range)NONE, (struct vmset_range)NONE);
}
END_TEST

Suite *suite_merge(void)
{
	Suite *suite = suite_create("merge");
	TCase *tcase = tcase_create("cut and join");

	tcase_add_checked_fixture(tcase, open_layers, close_layers);
	tcase_add_test(tcase, fields_come_back);
	tcase_add_test(tcase, plain_maps_have_plain_fields);
	tcase_add_test(tcase, cuts_carry_offset_and_data);
	tcase_add_loop_test(tcase, neighbours_become_one, 0, ORDERS);
	tcase_add_loop_test(tcase, neighbours_stay_apart_on_request, 0, ORDERS);
	tcase_add_loop_test(tcase, every_field_counts, 0, 6);
	tcase_add_test(tcase, a_gap_keeps_areas_apart);
	tcase_add_test(tcase, joining_by_replacing);
	tcase_add_test(tcase, joining_by_protecting);
	tcase_add_loop_test(tcase, update_leaves_whole_what_stays, 0, 2);
	tcase_add_test(tcase, update_that_changes_nothing);
	tcase_add_test(tcase, update_skips_what_is_no_area);
	tcase_add_loop_test(tcase, calls_are_few, 0, MOCK_PROMISES + 1);
	tcase_add_loop_test(tcase, protect_calls_are_few, 0,
			    MOCK_PROMISES + 1);
	tcase_add_loop_test(tcase, guards_go_with_their_end, 0, EMPTIED);
	tcase_add_test(tcase, guards_have_one_owner);
	tcase_add_test(tcase, guards_outlive_protect);
	suite_add_tcase(suite, tcase);
	return suite;
}
