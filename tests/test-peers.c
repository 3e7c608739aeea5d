/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The traps that the memory_set crate falls into, which this library follows
 * in its design: each with the state in which it goes wrong there, and what is
 * right.
 */
#include <errno.h>

#include "assert.h"
#include "layers.h"
#include "suites.h"

#define ENTIRE ((struct vmset_range){ 0, 0 })

static struct layers layers;

static void open_layers(void)
{
	layers_open(&layers, (struct layers_config){ 0 });
}

static void close_layers(void)
{
	layers_close(&layers);
}

static void map(uintptr_t start, uintptr_t end, uint32_t flags)
{
	assert_ok(vmset_map(layers.set, start, end - start, flags, 0));
}

static int find_free(uintptr_t hint, size_t size, struct vmset_range limit,
		     size_t align, uintptr_t *start)
{
	return vmset_find_free_area(layers.set, hint, size, limit, align,
				    start);
}

/* There: an occupied place, if an area's aligned end is inside another. */
START_TEST(free_area_is_free)
{
	uintptr_t start;

	map(0x1000, 0x3000, 1);
	map(0x3000, 0x8000, 2);
	assert_ok(find_free(0x2000, 0x2000, ENTIRE, 0x2000, &start));
	assert_eq(start, 0x8000);
}
END_TEST

/* There: a place that ends behind the limit. */
START_TEST(free_area_is_inside_the_limit)
{
	const struct vmset_range limit = { 0, 0x2000 };
	uintptr_t start;

	map(0, 0x1000, 1);
	map(0x8000, 0x9000, 1);
	assert_err(find_free(0, 0x2000, limit, 0, &start), -ENOSPC);
	assert_ok(find_free(0, 0x1000, limit, 0, &start));
	assert_eq(start, 0x1000);
}
END_TEST

/* There: a wrap to 0, a division by zero, a misaligned start. */
START_TEST(free_area_takes_any_hint_and_alignment)
{
	uintptr_t start;

	assert_err(find_free(UINTPTR_MAX, 1, ENTIRE, 0, &start), -ENOSPC);
	assert_err(find_free(UINTPTR_MAX - 1, 1, ENTIRE, 0x1000, &start),
		   -ENOSPC);
	assert_err(find_free(0, UINTPTR_MAX, ENTIRE, 0, &start), -ENOSPC);
	assert_err(find_free(0xffff, 1, ENTIRE, 2, &start), -ENOSPC);
	assert_ok(find_free(0x123, 1, ENTIRE, 0, &start));
	assert_eq(start, 0x123);
	assert_err(find_free(0x123, 1, ENTIRE, 3, &start), -EINVAL);
	assert_err(find_free(0x123, 1, ENTIRE, 0x1001, &start), -EINVAL);
	assert_eq(start, 0x123);
}
END_TEST

/* There: the part of the area behind the empty range is lost. */
START_TEST(protect_of_nothing_changes_nothing)
{
	map(0x1000, 0x5000, 3);
	assert_err(vmset_protect(layers.set, 0x3000, 0, 1), -EINVAL);
	LAYERS_EXPECT(&layers, { 0x1000, 0x5000, 3 });
}
END_TEST

/* There: 0, and new flags in the list that the page table does not have. */
START_TEST(protect_reports_the_backend)
{
	map(0x1000, 0x5000, 3);
	mock_fail(&layers.mock, MOCK_FROM(1), -EACCES);
	assert_err(vmset_protect(layers.set, 0x1000, 0x4000, 1), -EACCES);
	assert_err(vmset_protect(layers.set, 0x2000, 0x1000, 1), -EACCES);
	mock_heal(&layers.mock);
	LAYERS_EXPECT(&layers, { 0x1000, 0x5000, 3 });
}
END_TEST

/* What an update function was asked about. */
struct asked {
	uint32_t flags[8];
	size_t count;
};

static bool ask(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	struct asked *asked = arg;

	assert_that(asked->count < 8);
	asked->flags[asked->count++] = old_flags;
	*new_flags = old_flags + 0x10;
	return true;
}

/* There: the function is asked about areas that only come after the range. */
START_TEST(update_stays_in_the_range)
{
	struct asked asked = { 0 };

	for (uint32_t i = 0; i < 6; i++)
		map(i * 0x1000, (i + 1) * 0x1000, i + 1);
	assert_ok(vmset_update(layers.set, 0x1800, 0x2000, ask, &asked));
	assert_eq(asked.count, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_eq(asked.flags[i], i + 2);
	LAYERS_EXPECT(&layers, { 0x0000, 0x1000, 1 }, { 0x1000, 0x1800, 2 },
		      { 0x1800, 0x2000, 0x12 }, { 0x2000, 0x3000, 0x13 },
		      { 0x3000, 0x3800, 0x14 }, { 0x3800, 0x4000, 4 },
		      { 0x4000, 0x5000, 5 }, { 0x5000, 0x6000, 6 });

	asked.count = 0;
	assert_ok(vmset_update(layers.set, 0x1000, 0x800, ask, &asked));
	assert_eq(asked.count, 1);
}
END_TEST

/* There: sixteen areas where one was, and a cut for the flags it has. */
START_TEST(toggling_leaves_no_trace)
{
	map(0, 0x10000, 3);
	for (uintptr_t page = 0; page < 0x10000; page += 0x1000) {
		assert_ok(vmset_protect(layers.set, page, 0x1000, 1));
		assert_ok(vmset_protect(layers.set, page, 0x1000, 3));
		LAYERS_EXPECT(&layers, { 0, 0x10000, 3 });
	}
	mock_heal(&layers.mock);
	assert_ok(vmset_protect(layers.set, 0x4000, 0x1000, 3));
	assert_eq(layers.mock.calls, 0);
	LAYERS_EXPECT(&layers, { 0, 0x10000, 3 });
}
END_TEST

/* Ranges that meet [0x2000, 0x6000) in every way: all, ends, middle. */
static const struct vmset_range cuts[] = {
	{ 0x2000, 0x6000 }, { 0x1000, 0x7000 }, { 0x2000, 0x3000 },
	{ 0x1000, 0x3000 }, { 0x5000, 0x6000 }, { 0x5000, 0x7000 },
	{ 0x3000, 0x5000 },
};

#define CUTS ((int)(sizeof(cuts) / sizeof(*cuts)))

/* There: a part forgotten though mapped, the whole forgotten, or a panic. */
START_TEST(failing_unmap_forgets_nothing)
{
	map(0x2000, 0x6000, 3);
	mock_fail(&layers.mock, MOCK_FROM(1), -EIO);
	assert_err(vmset_unmap(layers.set, cuts[_i].start,
			       cuts[_i].end - cuts[_i].start), -EIO);
	mock_heal(&layers.mock);
	LAYERS_EXPECT(&layers, { 0x2000, 0x6000, 3 });
}
END_TEST

/* There: the old mapping is gone and the new one is not there. */
START_TEST(failing_replace_keeps_the_old)
{
	map(0x2000, 0x6000, 3);
	for (unsigned int call = 1; call <= 2; call++) {
		mock_fail(&layers.mock, MOCK_CALL(call), -ENOMEM);
		assert_err(vmset_map(layers.set, cuts[_i].start,
				     cuts[_i].end - cuts[_i].start, 1,
				     VMSET_REPLACE), -ENOMEM);
		mock_heal(&layers.mock);
		LAYERS_EXPECT(&layers, { 0x2000, 0x6000, 3 });
	}
}
END_TEST

/* There: it stops at the refusal, and lists areas that are gone. */
START_TEST(clear_goes_on)
{
	for (uintptr_t start = 0; start < 0x8000; start += 0x2000)
		map(start, start + 0x1000, 3);
	mock_fail(&layers.mock, MOCK_CALL(2), -EBUSY);
	assert_err(vmset_clear(layers.set), -EBUSY);
	assert_eq(layers.mock.by_op[MOCK_UNMAP], 4);
	LAYERS_EXPECT(&layers, { 0x2000, 0x3000, 3 });
	mock_heal(&layers.mock);
	assert_ok(vmset_clear(layers.set));
	layers_expect_empty(&layers);
}
END_TEST

/* There: no granule at all, and ranges off the pages. */
START_TEST(alignment_is_checked)
{
	static const struct vmset_range bad[] = {
		{ 0x1001, 0x3000 }, { 0x1000, 0x3001 }, { 0x1800, 0x2800 },
		{ 0x10, 0x20 },
	};
	struct layers paged;

	layers_open(&paged, (struct layers_config){ .granule = 0x1000 });
	assert_ok(vmset_map(paged.set, 0, 0x8000, 3, 0));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		uintptr_t start = bad[i].start;
		size_t size = bad[i].end - bad[i].start;

		assert_err(vmset_map(paged.set, start, size, 1, VMSET_REPLACE),
			   -EINVAL);
		assert_err(vmset_unmap(paged.set, start, size), -EINVAL);
		assert_err(vmset_protect(paged.set, start, size, 1), -EINVAL);
		LAYERS_EXPECT(&paged, { 0, 0x8000, 3 });
	}
	assert_eq(paged.mock.calls, 1);
	layers_close(&paged);
}
END_TEST

/* There: dropping the set leaves its mappings behind. */
START_TEST(destroy_unmaps)
{
	struct layers full;

	layers_open(&full, (struct layers_config){ 0 });
	for (uintptr_t start = 0; start < 0x10000; start += 0x400)
		assert_ok(vmset_map(full.set, start, 0x200, start % 7, 0));
	assert_eq(vmset_len(full.set), 0x40);
	layers_close(&full);
}
END_TEST

/*
 * There: time that grows with the areas that have nothing to do with the
 * range.  Here no backend call concerns them, however many there are.
 */
START_TEST(others_do_not_matter)
{
	static const size_t gaps[] = { 0x8000, 0x800, 0x80, 0x8 };
	size_t gap = gaps[_i];
	uintptr_t start;

	for (uintptr_t area = 0; area < 0x10000; area += gap)
		map(area, area + gap / 2, 3);
	assert_eq(vmset_len(layers.set), 0x10000 / gap);
	mock_heal(&layers.mock);
	assert_ok(vmset_protect(layers.set, 0x8001, 1, 1));
	assert_eq(layers.mock.calls, 1);
	assert_ok(vmset_unmap(layers.set, 0x8001, 1));
	assert_eq(layers.mock.calls, 2);
	assert_ok(find_free(0x8000, 1, ENTIRE, 0, &start));
	assert_eq(start, 0x8001);
	assert_ok(vmset_map(layers.set, 0x8001, 1, 3, 0));
	assert_eq(layers.mock.calls, 3);
	assert_eq(vmset_len(layers.set), 0x10000 / gap);
	layers_check(&layers);
}
END_TEST

Suite *suite_peers(void)
{
	Suite *suite = suite_create("peers");
	TCase *tcase = tcase_create("memory_set");

	tcase_add_checked_fixture(tcase, open_layers, close_layers);
	tcase_add_test(tcase, free_area_is_free);
	tcase_add_test(tcase, free_area_is_inside_the_limit);
	tcase_add_test(tcase, free_area_takes_any_hint_and_alignment);
	tcase_add_test(tcase, protect_of_nothing_changes_nothing);
	tcase_add_test(tcase, protect_reports_the_backend);
	tcase_add_test(tcase, update_stays_in_the_range);
	tcase_add_test(tcase, toggling_leaves_no_trace);
	tcase_add_loop_test(tcase, failing_unmap_forgets_nothing, 0, CUTS);
	tcase_add_loop_test(tcase, failing_replace_keeps_the_old, 0, CUTS);
	tcase_add_test(tcase, clear_goes_on);
	tcase_add_test(tcase, alignment_is_checked);
	tcase_add_test(tcase, destroy_unmaps);
	tcase_add_loop_test(tcase, others_do_not_matter, 0, 4);
	suite_add_tcase(suite, tcase);
	return suite;
}
