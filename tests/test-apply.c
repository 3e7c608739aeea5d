/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lib/apply.c: the order of the calls and of their undoing, and what is said to
 * be lost.
 */
#include "apply.h"

#include <errno.h>
#include <string.h>

#include "assert.h"
#include "suites.h"

#define MOST 32

/* A letter and the start of each call: "m10 u20 ". */
static char calls[MOST * 4 + 1];
static unsigned made, failing;  /* bit i of failing: the call i, from 0 */
static int error;
static char lost[MOST * 4 + 1];

static int record(char letter, uintptr_t start)
{
	size_t at = strlen(calls);

	assert_that(at + 4 < sizeof calls);
	calls[at] = letter;
	calls[at + 1] = (char)('0' + start / 10);
	calls[at + 2] = (char)('0' + start % 10);
	calls[at + 3] = ' ';
	calls[at + 4] = 0;
	return failing >> made++ & 1 ? error : 0;
}

static int map(void *ctx, uintptr_t start, size_t size, uint32_t flags,
	       uint64_t offset)
{
	(void)ctx;
	(void)size;
	(void)flags;
	assert_eq(offset, start + 100);
	return record('m', start);
}

static int unmap(void *ctx, uintptr_t start, size_t size)
{
	(void)ctx;
	(void)size;
	return record('u', start);
}

static int protect(void *ctx, uintptr_t start, size_t size, uint32_t flags)
{
	(void)ctx;
	(void)size;
	return record(flags == 9 ? 'p' : 'r', start);
}

static struct vmset_backend_ops ops = {
	.size = sizeof ops, .map = map, .unmap = unmap, .protect = protect,
};
static const struct vmset_backend backend = { &ops, NULL };

/* Areas [10, 20), [20, 30), [30, 40), and steps on the hull [12, 38). */
static struct vmset_area old[3];
static struct vmset__step steps[3];
static struct vmset__plan plan;
static struct vmset__tally tally;

static void setup(void)
{
	ops.promises = 0;
	calls[0] = lost[0] = 0;
	made = failing = 0;
	error = -EIO;
	plan = (struct vmset__plan){ .old = old, .old_n = 3, .steps = steps };
	for (unsigned i = 0; i < 3; i++)
		old[i] = (struct vmset_area){
			.start = 10 + 10 * i, .end = 20 + 10 * i, .flags = 1,
			.backend = &backend, .offset = 110 + 10 * i,
		};
}

static void add_step(enum vmset__call call, uintptr_t start, uintptr_t end,
		     size_t from, size_t to)
{
	struct vmset__step *step = &steps[plan.steps_n++];

	memset(step, 0, sizeof *step);
	step->call = call;
	step->range = (struct vmset_range){ start, end };
	step->backend = &backend;
	step->flags = 9;
	step->offset = start + 100;
	step->from = old + from;
	step->to = old + to;
}

static void on_lost(struct vmset_range range,
		    const struct vmset_backend *whose, void *arg)
{
	size_t at = strlen(lost);

	assert_that(whose == &backend);
	assert_that(arg == lost);
	lost[at] = (char)('0' + range.start / 10);
	lost[at + 1] = (char)('0' + range.start % 10);
	lost[at + 2] = ' ';
	lost[at + 3] = 0;
}

static void expect(int result, const char *its_calls, const char *its_lost)
{
	assert_eq(-vmset__apply(&plan, &tally, on_lost, lost), -result);
	ck_assert_str_eq(calls, its_calls);
	ck_assert_str_eq(lost, its_lost);
}

static void three_unmaps(void)
{
	add_step(VMSET__UNMAP, 12, 20, 0, 1);
	add_step(VMSET__UNMAP, 20, 30, 1, 2);
	add_step(VMSET__UNMAP, 30, 38, 2, 3);
}

START_TEST(nothing_to_do)
{
	expect(0, "", "");
}
END_TEST

START_TEST(all_goes_well)
{
	three_unmaps();
	expect(0, "u12 u20 u30 ", "");
}
END_TEST

/* What was done first is undone last; the offset is that of the piece. */
START_TEST(undo_is_in_reverse)
{
	three_unmaps();
	failing = 4;
	expect(-EIO, "u12 u20 u30 m20 m12 ", "");
}
END_TEST

START_TEST(the_first_fails)
{
	three_unmaps();
	failing = 1;
	error = -EPERM;
	expect(-EPERM, "u12 ", "");
}
END_TEST

/* An undo that fails does not keep the others from being tried. */
START_TEST(an_undo_fails)
{
	three_unmaps();
	failing = 4 | 8;
	expect(-ENOTRECOVERABLE, "u12 u20 u30 m20 m12 ", "20 ");
}
END_TEST

/* A step over several areas is undone area by area. */
START_TEST(a_span_is_undone)
{
	add_step(VMSET__UNMAP, 12, 38, 0, 3);
	add_step(VMSET__MAP, 12, 38, 0, 0);
	failing = 2;
	expect(-EIO, "u12 m12 m30 m20 m12 ", "");
}
END_TEST

START_TEST(what_is_discarded_is_lost)
{
	ops.promises = VMSET_BACKEND_DISCARDS;
	add_step(VMSET__UNMAP, 12, 30, 0, 2);
	add_step(VMSET__MAP, 12, 38, 0, 0);
	failing = 2;
	expect(-ENOTRECOVERABLE, "u12 m12 ", "20 12 ");
}
END_TEST

/* A protect that failed is put back itself where it may be half done. */
START_TEST(a_protect_fails)
{
	add_step(VMSET__PROTECT, 12, 20, 0, 1);
	add_step(VMSET__PROTECT, 20, 38, 1, 3);
	failing = 2;
	expect(-EIO, "p12 p20 r12 ", "");
}
END_TEST

START_TEST(a_joined_protect_fails)
{
	ops.promises = VMSET_BACKEND_JOINS;
	add_step(VMSET__PROTECT, 12, 20, 0, 1);
	add_step(VMSET__PROTECT, 20, 38, 1, 3);
	failing = 2;
	expect(-EIO, "p12 p20 r30 r20 r12 ", "");
}
END_TEST

/* The backend gives up a range of its own accord. */
START_TEST(the_backend_loses_a_range)
{
	three_unmaps();
	failing = 2;
	error = -ENOTRECOVERABLE;
	expect(-ENOTRECOVERABLE, "u12 u20 m12 ", "20 ");
}
END_TEST

/* Nothing is put back into it. */
START_TEST(a_map_loses_its_range)
{
	add_step(VMSET__UNMAP, 10, 12, 0, 1);
	add_step(VMSET__UNMAP, 12, 38, 0, 3);
	add_step(VMSET__MAP, 12, 38, 0, 0);
	failing = 4;
	error = -ENOTRECOVERABLE;
	expect(-ENOTRECOVERABLE, "u10 u12 m12 m10 ", "12 ");
}
END_TEST

Suite *suite_apply(void)
{
	Suite *suite = suite_create("apply");
	TCase *tcase = tcase_create("apply");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, nothing_to_do);
	tcase_add_test(tcase, all_goes_well);
	tcase_add_test(tcase, undo_is_in_reverse);
	tcase_add_test(tcase, the_first_fails);
	tcase_add_test(tcase, an_undo_fails);
	tcase_add_test(tcase, a_span_is_undone);
	tcase_add_test(tcase, what_is_discarded_is_lost);
	tcase_add_test(tcase, a_protect_fails);
	tcase_add_test(tcase, a_joined_protect_fails);
	tcase_add_test(tcase, the_backend_loses_a_range);
	tcase_add_test(tcase, a_map_loses_its_range);
	suite_add_tcase(suite, tcase);
	return suite;
}
