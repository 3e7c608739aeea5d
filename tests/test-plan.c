/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lib/plan.c, on paper: entries in, calls and entries out.
 */
#include "plan.h"

#include <errno.h>
#include <string.h>

#include "assert.h"
#include "backend.h"
#include "entry.h"
#include "suites.h"

#define MOST 16

static const struct vmset_backend_ops plain_ops = { .size = sizeof plain_ops };
static const struct vmset_backend_ops able_ops = {
	.size = sizeof able_ops,
	.promises = VMSET_BACKEND_REPLACES | VMSET_BACKEND_SPANS |
		    VMSET_BACKEND_JOINS | VMSET_BACKEND_DISCARDS,
	.flags_mask = 7,
};
static const struct vmset_backend plain = { &plain_ops, NULL };
static const struct vmset_backend able = { &able_ops, NULL };

static struct vmset_area old[MOST], fresh[MOST + VMSET__PLAN_MORE_FRESH];
static struct vmset__step steps[MOST + VMSET__PLAN_MORE_STEPS];
static uint32_t flags[MOST];
static struct vmset__plan plan;
static struct vmset_area after[2 * MOST];

static void setup(void)
{
	plan = (struct vmset__plan){ .old = old, .flags = flags,
				     .steps = steps, .fresh = fresh,
				     .merge = true };
}

static void add(uintptr_t start, uintptr_t end, uint32_t its_flags,
		const struct vmset_backend *backend)
{
	old[plan.old_n++] = (struct vmset_area){
		.start = start, .end = end, .flags = its_flags,
		.backend = backend,
		.offset = backend == &plain || backend == &able ? start : 0,
	};
}

static void add_hidden(uintptr_t start, uintptr_t end, enum vmset__kind kind)
{
	add(start, end, 0, &vmset__hidden[kind]);
	old[plan.old_n - 1].data = (void *)(uintptr_t)&able;
}

static struct vmset_area area(uintptr_t start, uintptr_t end, uint32_t its,
			      const struct vmset_backend *backend)
{
	return (struct vmset_area){ .start = start, .end = end, .flags = its,
				    .backend = backend, .offset = start };
}

static void expect_step(size_t i, int call, uintptr_t start, uintptr_t end)
{
	assert_that(i < plan.steps_n);
	assert_eq(steps[i].call, call);
	assert_eq(steps[i].range.start, start);
	assert_eq(steps[i].range.end, end);
}

/* The entries afterwards; how many. */
static size_t afterwards(void)
{
	const struct vmset__splice *splice = &plan.splice;
	size_t n = 0;

	if (!splice->high_end) {
		memcpy(after, old, plan.old_n * sizeof *old);
		return plan.old_n;
	}
	for (const struct vmset_area *e = old; e < plan.from; e++)
		after[n++] = *e;
	for (size_t i = 0; i < splice->n; i++)
		after[n++] = splice->fresh[i];
	for (const struct vmset_area *e = plan.to; e < old + plan.old_n; e++)
		after[n++] = *e;
	return n;
}

static void expect_after(size_t i, uintptr_t start, uintptr_t end,
			 uint32_t its_flags)
{
	assert_that(i < afterwards());
	assert_eq(after[i].start, start);
	assert_eq(after[i].end, end);
	assert_eq(after[i].flags, its_flags);
	if (vmset__is_area(&after[i]))
		assert_eq(after[i].offset, start);
}

static bool joins(uint32_t to)
{
	const struct vmset__step step = {
		.call = VMSET__PROTECT, .range = { 10, 20 },
		.backend = old[1].backend, .flags = to,
		.from = &old[1], .to = &old[2],
	};

	for (size_t i = 0; i < plan.old_n; i++)
		flags[i] = i == 1 ? to : old[i].flags;
	return vmset__step_joins(&plan, &step);
}

/* After a protect of the middle one of three, or of a part of it. */
START_TEST(kernel_areas_join)
{
	const struct vmset_backend *kernel = &vmset__kernel_backend;

	add(0, 10, 1, kernel);
	add(10, 20, 3, kernel);
	add(20, 30, 5, kernel);
	assert_that(joins(0) && joins(1) && joins(5));
	assert_that(joins(5 | VMSET_WIPEONFORK));
	assert_that(!joins(7));
	/* In the same operation another may get what this one gets. */
	old[2].flags = 1;
	assert_that(!joins(5));
	flags[2] = 5;
	assert_that(vmset__step_joins(&plan, &(struct vmset__step){
		.range = { 10, 20 }, .backend = kernel, .flags = 5,
		.from = &old[1], .to = &old[2],
	}));
	old[1].end = 25;
	old[2].start = 25;
	assert_that(!joins(1 << 1) && joins(1));
	old[0].end = 5;
	assert_that(!joins(1));
	old[0].end = 10;
	old[0].backend = &vmset__hidden[VMSET__GUARD_BEFORE];
	assert_that(!joins(1));
	old[0].backend = &vmset__hidden[VMSET__LOST];
	assert_that(joins(1));
	old[0].backend = &able;
	assert_that(joins(7));
	old[0].backend = kernel;
	old[1].backend = &able;
	assert_that(joins(7));
}
END_TEST

/* A neighbour that differs in no more than what a fork does is one with it. */
START_TEST(kernel_areas_split)
{
	const struct vmset_backend *kernel = &vmset__kernel_backend;
	const struct vmset__step step = {
		.range = { 10, 20 }, .backend = kernel, .flags = 1,
		.from = &old[1], .to = &old[2],
	};

	add(0, 10, 1, kernel);
	add(10, 20, 3, kernel);
	add(20, 30, 1, kernel);
	assert_that(!vmset__step_splits(&plan, &step));
	old[0].flags = 3 | VMSET_DONTFORK;
	assert_that(vmset__step_splits(&plan, &step));
	old[0].flags = 1;
	old[2].flags = 3 | VMSET_WIPEONFORK;
	assert_that(vmset__step_splits(&plan, &step));
	old[2].backend = old[1].backend = &able;
	assert_that(!vmset__step_splits(&plan, &step));
}
END_TEST

static int put(const struct vmset_area *its, bool replace)
{
	return vmset__plan_map(&plan, its, vmset__entry_range(its), replace);
}

START_TEST(kinds)
{
	const struct vmset_area a = area(0, 1, 0, &plain);

	assert_that(vmset__is_area(&a));
	add_hidden(0, 1, VMSET__GUARD_BEFORE);
	add_hidden(1, 2, VMSET__GUARD_AFTER);
	add_hidden(2, 3, VMSET__LOST);
	assert_eq(vmset__kind(&old[0]), VMSET__GUARD_BEFORE);
	assert_eq(vmset__kind(&old[1]), VMSET__GUARD_AFTER);
	assert_eq(vmset__kind(&old[2]), VMSET__LOST);
	assert_that(vmset__is_guard(&old[1]) && !vmset__is_guard(&old[2]));
	assert_that(vmset__entry_backend(&old[2]) == &able);
	assert_that(vmset__entry_backend(&a) == &plain);
}
END_TEST

/* What a call does to an entry: nothing, if it is not of its backend. */
START_TEST(parts_of_steps)
{
	const struct vmset__step step = { .call = VMSET__UNMAP,
					  .range = { 10, 20 },
					  .backend = &able };
	struct vmset_range part;

	add(5, 15, 1, &able);
	add(15, 20, 1, &plain);
	add_hidden(20, 30, VMSET__LOST);
	part = vmset__step_part(&step, &old[0]);
	assert_eq(part.start, 10);
	assert_eq(part.end, 15);
	for (unsigned int i = 1; i < 3; i++) {
		part = vmset__step_part(&step, &old[i]);
		assert_eq(part.start, part.end);
	}
}
END_TEST

/* A map that fills a gap joins both neighbours; one call. */
START_TEST(map_joins)
{
	const struct vmset_area a = area(20, 30, 3, &plain);

	add(10, 20, 3, &plain);
	add(30, 40, 3, &plain);
	assert_ok(put(&a, false));
	assert_eq(plan.steps_n, 1);
	expect_step(0, VMSET__MAP, 20, 30);
	assert_eq(afterwards(), 1);
	expect_after(0, 10, 40, 3);

	plan.merge = false;
	assert_ok(put(&a, false));
	assert_eq(afterwards(), 3);
}
END_TEST

START_TEST(map_over)
{
	const struct vmset_area by_plain = area(15, 35, 5, &plain);
	const struct vmset_area by_able = area(15, 35, 5, &able);

	add(10, 20, 3, &plain);
	add(20, 25, 1, &able);
	add(30, 40, 3, &plain);
	assert_err(put(&by_plain, false), -EEXIST);

	/* What discards goes last; the map is the very last. */
	assert_ok(put(&by_plain, true));
	assert_eq(plan.steps_n, 4);
	expect_step(0, VMSET__UNMAP, 15, 20);
	expect_step(1, VMSET__UNMAP, 30, 35);
	expect_step(2, VMSET__UNMAP, 20, 25);
	expect_step(3, VMSET__MAP, 15, 35);
	assert_eq(afterwards(), 3);
	expect_after(0, 10, 15, 3);
	expect_after(1, 15, 35, 5);
	expect_after(2, 35, 40, 3);

	/* A map that replaces spares the unmap of its own. */
	assert_ok(put(&by_able, true));
	assert_eq(plan.steps_n, 3);
	expect_step(0, VMSET__UNMAP, 15, 20);
	expect_step(1, VMSET__UNMAP, 30, 35);
	expect_step(2, VMSET__MAP, 15, 35);
}
END_TEST

/* One call over any number of areas and holes, but not over another's. */
START_TEST(unmap_spans)
{
	add(0, 10, 1, &able);
	add(15, 20, 2, &able);
	add(20, 30, 3, &able);
	vmset__plan_unmap(&plan, (struct vmset_range){ 5, 25 });
	assert_eq(plan.steps_n, 1);
	expect_step(0, VMSET__UNMAP, 5, 25);
	assert_that(steps[0].from == old);
	assert_that(steps[0].to == old + 3);
	assert_eq(afterwards(), 2);
	expect_after(0, 0, 5, 1);
	expect_after(1, 25, 30, 3);

	old[1].backend = &plain;
	vmset__plan_unmap(&plan, (struct vmset_range){ 5, 25 });
	assert_eq(plan.steps_n, 3);
	expect_step(0, VMSET__UNMAP, 15, 20);
	expect_step(1, VMSET__UNMAP, 5, 10);
	expect_step(2, VMSET__UNMAP, 20, 25);
}
END_TEST

START_TEST(unmap_splits)
{
	add(0, 30, 1, &plain);
	vmset__plan_unmap(&plan, (struct vmset_range){ 10, 20 });
	assert_eq(plan.steps_n, 1);
	expect_step(0, VMSET__UNMAP, 10, 20);
	assert_eq(afterwards(), 2);
	expect_after(0, 0, 10, 1);
	expect_after(1, 20, 30, 1);
}
END_TEST

static bool give(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	assert_that(*new_flags == old_flags);
	*new_flags = *(const uint32_t *)arg;
	return true;
}

static int protect(uintptr_t start, uintptr_t end, uint32_t to)
{
	return vmset__plan_protect(&plan, (struct vmset_range){ start, end },
				   give, &to);
}

/* Neighbours in one call where nothing splits; else what splits comes first. */
START_TEST(protect_joins)
{
	add(0, 10, 1, &able);
	add(10, 20, 2, &able);
	add(20, 30, 1, &able);
	add(30, 40, 2, &able);
	assert_ok(protect(0, 40, 5));
	assert_eq(plan.steps_n, 1);
	expect_step(0, VMSET__PROTECT, 0, 40);

	assert_ok(protect(5, 35, 5));
	assert_eq(plan.steps_n, 3);
	expect_step(0, VMSET__PROTECT, 30, 35);
	expect_step(1, VMSET__PROTECT, 5, 10);
	expect_step(2, VMSET__PROTECT, 10, 30);
	assert_eq(afterwards(), 3);
	expect_after(1, 5, 35, 5);

	/* One that has the flags is left out of the call. */
	assert_ok(protect(0, 40, 2));
	assert_eq(plan.steps_n, 2);
	expect_step(0, VMSET__PROTECT, 0, 10);
	expect_step(1, VMSET__PROTECT, 20, 30);
	assert_eq(afterwards(), 1);
	expect_after(0, 0, 40, 2);
}
END_TEST

START_TEST(protect_piece_by_piece)
{
	add(0, 10, 1, &plain);
	add(10, 20, 2, &plain);
	add(25, 30, 1, &plain);
	assert_ok(protect(5, 30, 9));
	assert_eq(plan.steps_n, 3);
	expect_step(0, VMSET__PROTECT, 5, 10);
	expect_step(1, VMSET__PROTECT, 10, 20);
	expect_step(2, VMSET__PROTECT, 25, 30);
}
END_TEST

START_TEST(protect_refuses)
{
	assert_err(protect(0, 10, 1), -ENOENT);
	add_hidden(0, 10, VMSET__GUARD_AFTER);
	assert_err(protect(0, 10, 1), -ENOENT);
	add(10, 20, 1, &able);
	assert_err(protect(0, 20, 8), -EINVAL);
	add_hidden(20, 30, VMSET__LOST);
	assert_err(protect(0, 21, 1), -ENOTRECOVERABLE);
	assert_ok(protect(0, 20, 2));
}
END_TEST

/* Nothing is cut where nothing changes, also when nothing would be joined. */
START_TEST(unchanged_stays_whole)
{
	plan.merge = false;
	add(0, 30, 1, &plain);
	add(30, 40, 2, &plain);
	assert_ok(protect(10, 20, 1));
	assert_eq(plan.steps_n, 0);
	assert_ok(protect(10, 40, 1));
	assert_eq(plan.steps_n, 1);
	assert_eq(afterwards(), 2);
	assert_eq(plan.splice.n, 1);
	assert_eq(plan.splice.fresh->start, 30u);
}
END_TEST

/*
 * A plan gets what meets or touches the range only.  Returns how many guards
 * are left, with those.
 */
static size_t guards_left(const struct vmset_area *all, size_t n,
			  struct vmset_range range)
{
	size_t guards = 0;

	plan.old_n = 0;
	for (size_t i = 0; i < n; i++)
		if (all[i].end < range.start || range.end < all[i].start)
			guards += vmset__is_guard(&all[i]);
		else
			old[plan.old_n++] = all[i];
	vmset__plan_unmap(&plan, range);
	for (size_t i = 0, left = afterwards(); i < left; i++)
		guards += vmset__is_guard(&after[i]);
	return guards;
}

/* Each way to empty a range around a guard before, and behind, its area. */
START_TEST(guards)
{
	static const struct {
		uintptr_t start, end;
		size_t guards;          /* left */
		uintptr_t before, behind;       /* where they begin, or end */
	} cases[] = {
		{ 0, 10, 2, 10, 50 },           /* touches only */
		{ 0, 15, 2, 15, 50 },           /* cuts the far part off */
		{ 12, 15, 2, 15, 50 },          /* the part beyond goes, too */
		{ 0, 20, 1, 0, 50 },            /* the whole guard */
		{ 15, 25, 1, 0, 50 },           /* the area's edge */
		{ 20, 21, 1, 0, 50 },
		{ 21, 39, 2, 10, 50 },          /* the middle of the area */
		{ 39, 40, 1, 10, 0 },
		{ 40, 50, 1, 10, 0 },
		{ 45, 60, 2, 10, 45 },
		{ 45, 48, 2, 10, 45 },
		{ 20, 40, 0, 0, 0 },
		{ 50, 60, 2, 10, 50 },
	};

	struct vmset_area all[3];

	add_hidden(10, 20, VMSET__GUARD_BEFORE);
	add(20, 40, 3, &able);
	add_hidden(40, 50, VMSET__GUARD_AFTER);
	memcpy(all, old, sizeof all);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct vmset_range range = { cases[i].start, cases[i].end };

		assert_eq(guards_left(all, 3, range), cases[i].guards);
		for (size_t k = 0; k < afterwards(); k++) {
			enum vmset__kind kind = vmset__kind(&after[k]);

			if (kind == VMSET__GUARD_BEFORE) {
				assert_eq(after[k].start, cases[i].before);
				assert_eq(after[k].end, 20);
			}
			if (kind == VMSET__GUARD_AFTER) {
				assert_eq(after[k].start, 40);
				assert_eq(after[k].end, cases[i].behind);
			}
		}
	}
}
END_TEST

/* Lost ranges: no way in, one call to get rid of them, and they stay apart. */
START_TEST(lost)
{
	const struct vmset_area a = area(15, 18, 1, &able);

	add(0, 10, 1, &able);
	add_hidden(10, 20, VMSET__LOST);
	assert_err(put(&a, true), -ENOTRECOVERABLE);
	vmset__plan_unmap(&plan, (struct vmset_range){ 5, 15 });
	assert_eq(plan.steps_n, 1);
	expect_step(0, VMSET__UNMAP, 5, 15);
	assert_that(vmset__range_is_empty(
		vmset__step_part(&steps[0], &old[1])));
	assert_eq(afterwards(), 2);
	expect_after(1, 15, 20, 0);
	vmset__plan_lost(&plan, (struct vmset_range){ 5, 10 }, &able);
	assert_eq(plan.steps_n, 0);
	assert_eq(afterwards(), 3);
	expect_after(0, 0, 5, 1);
	expect_after(1, 5, 10, 0);
	expect_after(2, 10, 20, 0);
}
END_TEST

/* The splice leaves out what stays the same at both ends. */
START_TEST(splices)
{
	const struct vmset__splice *splice = &plan.splice;

	add(0, 10, 1, &plain);
	add(10, 20, 2, &plain);
	add(20, 30, 1, &plain);
	vmset__plan_unmap(&plan, (struct vmset_range){ 10, 20 });
	assert_eq(splice->n, 0);
	assert_eq(splice->cut.start, 10);
	assert_eq(splice->cut.end, 20);
	assert_eq(splice->low_end, 20);
	assert_eq(splice->high_end, 20);
	assert_that(splice->len_change == -1);
	old[0] = old[2];
	plan.old_n = 1;
	vmset__plan_unmap(&plan, (struct vmset_range){ 30, 40 });
	assert_eq(splice->high_end, 0);
}
END_TEST

/* An area that fills a hole: beside it, joined with it, and both at once. */
START_TEST(splices_in_a_hole)
{
	const struct vmset__splice *splice = &plan.splice;
	const struct vmset_area a = area(10, 20, 1, &plain);

	add(0, 10, 1, &plain);
	add(20, 30, 1, &plain);
	assert_ok(put(&a, false));
	assert_eq(splice->n, 1);
	assert_eq(splice->cut.start, 0);
	assert_eq(splice->cut.end, 30);
	assert_eq(splice->low_end, 10);
	assert_that(splice->len_change == -1);

	old[0].flags = 2;
	assert_ok(put(&a, false));
	assert_eq(splice->cut.start, 20);
	assert_eq(splice->cut.end, 30);
	assert_eq(splice->fresh->start, 10);
	assert_that(splice->len_change == 0);

	old[1].flags = 2;
	assert_ok(put(&a, false));
	assert_eq(splice->cut.start, 10);
	assert_eq(splice->cut.end, 10);
	assert_eq(splice->high_end, 20);
	assert_that(splice->len_change == 1);
}
END_TEST

/* A map over a part of its equal is made, and leaves the entries alone. */
START_TEST(map_over_equals)
{
	const struct vmset_area a = area(10, 20, 1, &plain);

	add(0, 30, 1, &plain);
	assert_ok(put(&a, true));
	assert_eq(plan.steps_n, 2);
	assert_eq(plan.splice.high_end, 0);

	plan.merge = false;
	assert_ok(put(&a, true));
	assert_eq(afterwards(), 3);
	assert_that(plan.splice.len_change == 2);

	old[0] = a;
	assert_ok(put(&a, true));
	assert_eq(plan.splice.high_end, 0);
}
END_TEST

Suite *suite_plan(void)
{
	Suite *suite = suite_create("plan");
	TCase *tcase = tcase_create("plan");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, kinds);
	tcase_add_test(tcase, parts_of_steps);
	tcase_add_test(tcase, map_joins);
	tcase_add_test(tcase, map_over);
	tcase_add_test(tcase, unmap_spans);
	tcase_add_test(tcase, unmap_splits);
	tcase_add_test(tcase, protect_joins);
	tcase_add_test(tcase, protect_piece_by_piece);
	tcase_add_test(tcase, protect_refuses);
	tcase_add_test(tcase, kernel_areas_join);
	tcase_add_test(tcase, kernel_areas_split);
	tcase_add_test(tcase, unchanged_stays_whole);
	tcase_add_test(tcase, guards);
	tcase_add_test(tcase, lost);
	tcase_add_test(tcase, splices);
	tcase_add_test(tcase, splices_in_a_hole);
	tcase_add_test(tcase, map_over_equals);
	suite_add_tcase(suite, tcase);
	return suite;
}
