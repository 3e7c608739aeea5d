/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lib/range.h: arithmetic at the ends of the address space.
 */
#include "range.h"

#include "assert.h"
#include "suites.h"

START_TEST(powers_of_two)
{
	assert_that(!vmset__is_power_of_two(0));
	assert_that(vmset__is_power_of_two(1));
	assert_that(!vmset__is_power_of_two(3));
	assert_that(vmset__is_power_of_two(SIZE_MAX / 2 + 1));
	assert_that(!vmset__is_power_of_two(SIZE_MAX));
}
END_TEST

START_TEST(alignment)
{
	assert_that(vmset__is_aligned(0, 4096));
	assert_that(vmset__is_aligned(UINTPTR_MAX, 1));
	assert_that(!vmset__is_aligned(UINTPTR_MAX, 2));
	assert_that(vmset__is_aligned(UINTPTR_MAX - 4095, 4096));
}
END_TEST

START_TEST(saturation)
{
	assert_eq(vmset__add_sat(1, 2), 3u);
	assert_eq(vmset__add_sat(UINTPTR_MAX, 0), UINTPTR_MAX);
	assert_eq(vmset__add_sat(UINTPTR_MAX - 1, 1), UINTPTR_MAX);
	assert_eq(vmset__add_sat(UINTPTR_MAX, UINTPTR_MAX), UINTPTR_MAX);
	assert_eq(vmset__sub_sat(3, 2), 1u);
	assert_eq(vmset__sub_sat(2, 3), 0u);
	assert_eq(vmset__sub_sat(0, UINTPTR_MAX), 0u);
}
END_TEST

START_TEST(making)
{
	struct vmset_range range;

	assert_that(vmset__range_make(0x1000, 0x2000, &range));
	assert_eq(range.start, 0x1000u);
	assert_eq(range.end, 0x3000u);
	assert_that(vmset__range_make(1, UINTPTR_MAX - 1, &range));
	assert_eq(range.end, UINTPTR_MAX);
	assert_that(!vmset__range_make(1, UINTPTR_MAX, &range));
	assert_that(!vmset__range_make(UINTPTR_MAX, 1, &range));
	assert_that(vmset__range_make(UINTPTR_MAX, 0, &range));
	assert_that(vmset__range_is_empty(range));
}
END_TEST

START_TEST(relations)
{
	const struct vmset_range a = { 10, 20 }, inside = { 10, 20 };
	const struct vmset_range touching = { 20, 30 }, over = { 19, 30 };
	const struct vmset_range far = { 40, 50 };
	struct vmset_range clip;

	assert_that(vmset__range_contains(a, inside));
	assert_that(!vmset__range_contains(a, over));
	assert_that(!vmset__range_overlaps(a, touching));
	assert_that(!vmset__range_overlaps(touching, a));
	assert_that(vmset__range_overlaps(a, over));
	clip = vmset__range_clip(a, over);
	assert_eq(clip.start, 19u);
	assert_eq(clip.end, 20u);
	assert_eq(vmset__range_size(clip), 1u);
	assert_that(vmset__range_is_empty(vmset__range_clip(a, touching)));
	assert_that(vmset__range_is_empty(vmset__range_clip(a, far)));
	assert_that(vmset__range_is_empty(vmset__range_clip(far, a)));
}
END_TEST

Suite *suite_range(void)
{
	Suite *suite = suite_create("range");
	TCase *tcase = tcase_create("range");

	tcase_add_test(tcase, powers_of_two);
	tcase_add_test(tcase, alignment);
	tcase_add_test(tcase, saturation);
	tcase_add_test(tcase, making);
	tcase_add_test(tcase, relations);
	suite_add_tcase(suite, tcase);
	return suite;
}
