/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is at an address: every cause, in sets of all sizes and while a writer is
 * at work, and the line of text.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "assert.h"
#include "layers.h"
#include "suites.h"
#include "tools.h"

#define RW (VMSET_READ | VMSET_WRITE)

static struct layers layers;

static void setup(void)
{
	layers_open(&layers, (struct layers_config){
		.bounds = { 0x1000, 0x9000 } });
}

static void teardown(void)
{
	layers_close(&layers);
}

static struct vmset_fault explain(uintptr_t addr, uint32_t access)
{
	struct vmset_fault fault;

	memset(&fault, 0xa5, sizeof(fault));
	fault.size = sizeof(fault);
	assert_ok(vmset_explain(layers.set, addr, access, &fault));
	assert_that(fault.set == layers.set && fault.addr == addr &&
		    fault.access == access && fault.size == sizeof(fault));
	assert_that(fault.signal == 0 && fault.code == 0 && !fault.context);
	return fault;
}

static void expect_area(struct vmset_area area, uintptr_t start, uintptr_t end)
{
	assert_eq(area.start, start);
	assert_eq(area.end, end);
}

#define EXPECT_RANGE(fault, from, to)            \
	do {                                     \
		assert_eq((fault).range.start, from); \
		assert_eq((fault).range.end, to);     \
	} while (0)

/*
 *  [0x2000, 0x3000) rw-   [0x3000, 0x3100) guard   [0x5000, 0x6000) r--
 */
static void map_two(void)
{
	const struct vmset_placement where = {
		.size = sizeof(where), .hint = 0x2000, .guard_after = 0x100,
	};
	uintptr_t at;

	assert_ok(vmset_alloc(layers.set, 0x1000, RW, &where, &at));
	assert_eq(at, 0x2000);
	assert_ok(vmset_map(layers.set, 0x5000, 0x1000, VMSET_READ, 0));
}

START_TEST(in_an_area)
{
	struct vmset_fault fault;

	map_two();
	fault = explain(0x5010, VMSET_WRITE);
	assert_eq(fault.cause, VMSET_CAUSE_PROTECTED);
	EXPECT_RANGE(fault, 0x5000, 0x6000);
	expect_area(fault.area, 0x5000, 0x6000);
	assert_eq(fault.area.flags, VMSET_READ);
	assert_eq(fault.area.offset, 0x4000);
	expect_area(fault.below, 0x2000, 0x3000);
	assert_eq(fault.to_below, 0x2010);
	expect_area(fault.above, 0, 0);
	assert_eq(fault.to_above, 0);

	assert_eq(explain(0x5fff, VMSET_READ).cause, VMSET_CAUSE_ALLOWED);
	assert_eq(explain(0x5fff, RW).cause, VMSET_CAUSE_PROTECTED);
	assert_eq(explain(0x5fff, VMSET_EXEC).cause, VMSET_CAUSE_PROTECTED);
	assert_eq(explain(0x5fff, 0).cause, VMSET_CAUSE_PROTECTED);
	assert_eq(explain(0x2000, 0).cause, VMSET_CAUSE_ALLOWED);
	assert_eq(explain(0x2000, RW).cause, VMSET_CAUSE_ALLOWED);
	expect_area(explain(0x2fff, 0).above, 0x5000, 0x6000);
	assert_eq(explain(0x2fff, 0).to_above, 0x2001);
}
END_TEST

START_TEST(in_a_guard)
{
	struct vmset_fault fault;

	map_two();
	fault = explain(0x3000, VMSET_READ);
	assert_eq(fault.cause, VMSET_CAUSE_GUARD);
	EXPECT_RANGE(fault, 0x3000, 0x3100);
	expect_area(fault.area, 0, 0);
	expect_area(fault.below, 0x2000, 0x3000);
	assert_eq(fault.to_below, 0);
	expect_area(fault.above, 0x5000, 0x6000);
	assert_eq(fault.to_above, 0x2000);
	assert_eq(explain(0x30ff, VMSET_READ).cause, VMSET_CAUSE_GUARD);
	assert_eq(explain(0x3100, VMSET_READ).cause, VMSET_CAUSE_FREE);
}
END_TEST

START_TEST(in_free_room)
{
	struct vmset_fault fault;

	map_two();
	fault = explain(0x4fff, VMSET_EXEC);
	assert_eq(fault.cause, VMSET_CAUSE_FREE);
	EXPECT_RANGE(fault, 0x3100, 0x5000);
	expect_area(fault.area, 0, 0);
	expect_area(fault.below, 0x2000, 0x3000);
	assert_eq(fault.to_below, 0x1fff);
	assert_eq(fault.to_above, 1);

	fault = explain(0x1000, VMSET_READ);
	EXPECT_RANGE(fault, 0x1000, 0x2000);
	expect_area(fault.below, 0, 0);
	assert_eq(fault.to_below, 0);
	fault = explain(0x8fff, VMSET_READ);
	EXPECT_RANGE(fault, 0x6000, 0x9000);
	assert_eq(fault.to_below, 0x2fff);
}
END_TEST

START_TEST(in_an_empty_set)
{
	struct vmset_fault fault = explain(0x1234, VMSET_READ);

	assert_eq(fault.cause, VMSET_CAUSE_FREE);
	EXPECT_RANGE(fault, 0x1000, 0x9000);
	expect_area(fault.below, 0, 0);
	expect_area(fault.above, 0, 0);
}
END_TEST

START_TEST(outside_the_bounds)
{
	struct vmset_fault fault;

	map_two();
	fault = explain(0xfff, VMSET_READ);
	assert_eq(fault.cause, VMSET_CAUSE_OUTSIDE);
	EXPECT_RANGE(fault, 0, 0x1000);
	expect_area(fault.above, 0x2000, 0x3000);
	assert_eq(fault.to_above, 0x1001);
	fault = explain(0x9000, VMSET_READ);
	assert_eq(fault.cause, VMSET_CAUSE_OUTSIDE);
	EXPECT_RANGE(fault, 0x9000, UINTPTR_MAX);
	assert_eq(fault.to_below, 0x3000);
	fault = explain(UINTPTR_MAX, VMSET_READ);
	assert_eq(fault.cause, VMSET_CAUSE_OUTSIDE);
	expect_area(fault.below, 0x5000, 0x6000);
	assert_eq(explain(0, 0).cause, VMSET_CAUSE_OUTSIDE);
}
END_TEST

START_TEST(in_a_lost_range)
{
	struct vmset_fault fault;

	assert_ok(vmset_map(layers.set, 0x2000, 0x100, 1, 0));
	assert_ok(vmset_map(layers.set, 0x2100, 0x100, 2, 0));
	mock_fail(&layers.mock, MOCK_FROM(2), -EIO);
	assert_err(vmset_protect(layers.set, 0x2000, 0x200, 4),
		   -ENOTRECOVERABLE);
	fault = explain(0x2010, VMSET_READ);
	assert_eq(fault.cause, VMSET_CAUSE_LOST);
	EXPECT_RANGE(fault, 0x2000, 0x2100);
	expect_area(fault.area, 0, 0);
	expect_area(fault.above, 0x2100, 0x2200);
	expect_area(explain(0x2110, 0).below, 0, 0);
	mock_heal(&layers.mock);
	assert_ok(vmset_clear(layers.set));
}
END_TEST

/* ---- in large trees ---- */

#define MANY 3000

/* Every third of the areas has a guard. */
START_TEST(at_every_address)
{
	struct layers many;
	uintptr_t below = 0;
	uintptr_t at;

	layers_open(&many, (struct layers_config){
		.options = VMSET_NO_MERGE });
	for (uintptr_t i = 0; i < MANY; i++) {
		const struct vmset_placement here = {
			.size = sizeof(here), .hint = 8 * i, .guard_after = 1,
		};

		if (i % 3 == 0)
			assert_ok(vmset_alloc(many.set, 2, 1, &here, &at));
		else
			assert_ok(vmset_map(many.set, 8 * i, 3, 1, 0));
	}
	for (uintptr_t addr = 0; addr < 8 * MANY; addr++) {
		const uintptr_t i = addr / 8, size = i % 3 == 0 ? 2 : 3;
		const uintptr_t in = addr % 8;
		struct vmset_fault fault = { .size = sizeof(fault) };

		assert_ok(vmset_explain(many.set, addr, 1, &fault));
		if (in == size)
			below = 8 * i + size;
		assert_eq(fault.below.end, below);
		assert_eq(fault.above.start, i + 1 < MANY ? 8 * (i + 1) : 0);
		if (in < size)
			assert_eq(fault.cause, VMSET_CAUSE_ALLOWED);
		else if (i % 3 == 0 && in == 2)
			assert_eq(fault.cause, VMSET_CAUSE_GUARD);
		else
			assert_eq(fault.cause, VMSET_CAUSE_FREE);
		if (fault.cause == VMSET_CAUSE_FREE) {
			assert_eq(fault.range.start, 8 * i + 3);
			assert_eq(fault.range.end, i + 1 < MANY ?
				  8 * (i + 1) : MOCK_MAX_ADDR);
		}
	}
	layers_close(&many);
}
END_TEST

/* ---- one moment ---- */

struct mover {
	struct vmset *set;
	atomic_bool stop;
};

/* From state to state, each by one call. */
static void *move(void *arg)
{
	struct mover *mover = arg;

	while (!atomic_load(&mover->stop)) {
		/* One area around addr; two with a gap there; none. */
		assert_ok(vmset_map(mover->set, 0x4000, 0x300, 1,
				    VMSET_REPLACE));
		assert_ok(vmset_unmap(mover->set, 0x4100, 0x100));
		assert_ok(vmset_unmap(mover->set, 0x4000, 0x300));
	}
	return NULL;
}

static bool is_of_one_moment(const struct vmset_fault *fault)
{
	const struct vmset_area *area = &fault->area;
	const uintptr_t below = fault->below.end, above = fault->above.start;

	if (fault->cause == VMSET_CAUSE_ALLOWED)
		return area->start == 0x4000 && area->end == 0x4300 &&
		       below == 0x3ff8 && above == 0x4400;
	if (fault->cause != VMSET_CAUSE_FREE)
		return false;
	if (fault->range.start == 0x4100)
		return fault->range.end == 0x4200 && below == 0x4100 &&
		       above == 0x4200;
	return fault->range.start == 0x3ff8 && fault->range.end == 0x4400 &&
	       below == 0x3ff8 && above == 0x4400;
}

START_TEST(of_one_moment)
{
	struct mover mover;
	unsigned int seen[VMSET_CAUSE_ALLOWED + 1] = { 0 };
	pthread_t thread;

	/* Many others, so that what is beside it may be in other leaves. */
	for (uintptr_t at = 0x1000; at < 0x4000; at += 16)
		assert_ok(vmset_map(layers.set, at, 8, 1, 0));
	for (uintptr_t at = 0x4400; at < 0x8000; at += 16)
		assert_ok(vmset_map(layers.set, at, 8, 1, 0));
	mover.set = layers.set;
	atomic_init(&mover.stop, false);
	assert_ok(pthread_create(&thread, NULL, move, &mover));
	for (unsigned long i = tools_rounds(200000);
	     i || !seen[VMSET_CAUSE_FREE] || !seen[VMSET_CAUSE_ALLOWED];
	     i -= i > 0) {
		struct vmset_fault fault = explain(0x4180, 1);

		assert_that(is_of_one_moment(&fault));
		seen[fault.cause]++;
	}
	atomic_store(&mover.stop, true);
	assert_ok(pthread_join(thread, NULL));
}
END_TEST

/* ---- arguments ---- */

START_TEST(arguments)
{
	struct {
		struct vmset_fault fault;
		char later[16];
	} large;
	struct vmset_fault fault = { .size = sizeof(fault) };

	assert_err(vmset_explain(NULL, 0, 0, &fault), -EINVAL);
	assert_err(vmset_explain(layers.set, 0, 0, NULL), -EINVAL);
	assert_err(vmset_explain(layers.set, 0, 8, &fault), -EINVAL);
	fault.size--;
	assert_err(vmset_explain(layers.set, 0, 0, &fault), -EINVAL);

	memset(&large, 0xff, sizeof(large));
	large.fault.size = sizeof(large) - 1;
	assert_ok(vmset_explain(layers.set, 0x2000, 0, &large.fault));
	assert_eq(large.fault.size, sizeof(large) - 1);
	for (size_t i = 0; i < sizeof(large.later); i++)
		assert_eq(large.later[i] & 0xff, i == 15 ? 0xff : 0);
}
END_TEST

/* ---- text ---- */

static void expect_text(const struct vmset_fault *fault, const char *want)
{
	const size_t length = strlen(want);
	char text[256], cut[256];

	assert_eq(vmset_fault_text(fault, text, sizeof(text)), length);
	ck_assert_str_eq(text, want);
	/* In any room, and not a byte behind it. */
	for (size_t size = 1; size <= length + 1; size++) {
		memset(cut, '#', sizeof(cut));
		assert_eq(vmset_fault_text(fault, cut, size), length);
		assert_that(memcmp(cut, want, size - 1) == 0);
		assert_that(cut[size - 1] == 0);
		assert_that(cut[size] == '#');
	}
	assert_eq(vmset_fault_text(fault, NULL, 0), length);
}

static void expect_line(uintptr_t addr, uint32_t access, const char *want)
{
	const struct vmset_fault fault = explain(addr, access);

	expect_text(&fault, want);
}

START_TEST(text_of_each_cause)
{
	struct vmset_fault fault;

	expect_line(0x2000, 0, "access to 0x2000: in free room");
	map_two();
	expect_line(0x3010, VMSET_WRITE, "write to 0x3010: in a guard, "
		    "16 bytes above area 0x2000-0x3000 rw-, "
		    "8176 bytes below area 0x5000-0x6000 r--");
	expect_line(0x6000, VMSET_READ, "read of 0x6000: in free room, "
		    "right above area 0x5000-0x6000 r--");
	expect_line(0x1fff, VMSET_EXEC, "fetch from 0x1fff: in free room, "
		    "1 byte below area 0x2000-0x3000 rw-");
	expect_line(0x5001, VMSET_WRITE, "write to 0x5001: 1 byte into "
		    "area 0x5000-0x6000 r--, which does not allow it");
	expect_line(0x5000, VMSET_READ, "read of 0x5000: 0 bytes into "
		    "area 0x5000-0x6000 r--, which allows it");
	expect_line(0x9010, VMSET_READ, "read of 0x9010: outside the set's "
		    "bounds, 12304 bytes above area 0x5000-0x6000 r--");
	assert_ok(vmset_map(layers.set, 0x7f00, 0x10, VMSET_WRITE, 0));
	expect_line(0x7f01, VMSET_READ, "read of 0x7f01: 1 byte into "
		    "area 0x7f00-0x7f10 -w-, which does not allow it");
	assert_ok(vmset_unmap(layers.set, 0x7f00, 0x10));
	fault = explain(0x5002, RW);
	fault.cause = VMSET_CAUSE_BEYOND;
	expect_text(&fault, "access to 0x5002: 2 bytes into "
		    "area 0x5000-0x6000 r--, beyond the end of what it maps");
	fault = explain(0x7000, 0);
	fault.cause = VMSET_CAUSE_LOST;
	expect_text(&fault, "access to 0x7000: in a lost range, "
		    "4096 bytes above area 0x5000-0x6000 r--");
	fault.cause = 77;
	fault.below = (struct vmset_area){ 0 };
	expect_text(&fault, "access to 0x7000: for a cause that is not known");
	fault.addr = UINTPTR_MAX;
	fault.cause = VMSET_CAUSE_OUTSIDE;
	fault.below.end = 0x10;
	fault.below.flags = 7;
	fault.to_below = UINTPTR_MAX - 0x10;
	if (UINTPTR_MAX == UINT64_MAX)
		expect_text(&fault, "access to 0xffffffffffffffff: outside the "
			    "set's bounds, 18446744073709551599 bytes above "
			    "area 0x0-0x10 rwx");
	assert_eq(vmset_fault_text(NULL, NULL, 0), 0);
}
END_TEST

Suite *suite_explain(void)
{
	Suite *suite = suite_create("explain");
	TCase *tests = tcase_create("explain");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, in_an_area);
	tcase_add_test(tests, in_a_guard);
	tcase_add_test(tests, in_free_room);
	tcase_add_test(tests, in_an_empty_set);
	tcase_add_test(tests, outside_the_bounds);
	tcase_add_test(tests, in_a_lost_range);
	tcase_add_test(tests, at_every_address);
	tcase_add_test(tests, of_one_moment);
	tcase_add_test(tests, arguments);
	tcase_add_test(tests, text_of_each_cause);
	suite_add_tcase(suite, tests);
	return suite;
}
