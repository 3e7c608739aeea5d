/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Long random runs of every operation against a model of a cell an address:
 * small spaces compared in full after each step, with calls of the backend that
 * fail in between; a large one with deep trees; and a kernel reservation, where
 * the model knows the contents of each page too.
 */
#include <errno.h>

#include "assert.h"
#include "layers.h"
#include "rng.h"
#include "steps.h"
#include "suites.h"
#include "tools.h"

static uint32_t choose(void *arg, uint32_t limit)
{
	return rng_below(arg, limit);
}

/* All promises, with and without merging. */
#define SMALL_RUNS (2 * (MOCK_PROMISES + 1))

START_TEST(small_space)
{
	struct rng rng = rng_start("small space", 0xcafe + (unsigned int)_i);
	struct steps run = { .choose = choose, .arg = &rng, .longest = 40 };
	unsigned long steps = tools_rounds(10000);

	steps_start_on_mock(&run, _i % 3 ? 0x10 : 1, 256, (uint32_t)_i / 2,
			    _i % 2 ? VMSET_NO_MERGE : 0);
	for (unsigned long i = 0; i < steps; i++) {
		steps_take(&run);
		steps_compare(&run);
	}
	steps_end(&run);
}
END_TEST

/* Thousands of areas, so that the tree is deep and changes at many levels. */
START_TEST(large_space)
{
	struct rng rng = rng_start("large space", 0xbeef + (unsigned int)_i);
	struct steps run = { .choose = choose, .arg = &rng,
			     .longest = _i ? 6 : 300 };
	unsigned long steps = tools_rounds(50000);

	steps_start_on_mock(&run, 1, 0x4000,
			    MOCK_PROMISES & ~VMSET_BACKEND_DISCARDS,
			    _i == 2 ? VMSET_NO_MERGE : 0);
	for (unsigned long i = 0; i < steps; i++) {
		steps_take(&run);
		if (i % 512 == 0)
			steps_compare(&run);
	}
	steps_compare(&run);
	steps_end(&run);
}
END_TEST

/* Far more areas than any other test has, made and removed one by one. */
START_TEST(a_hundred_thousand_areas)
{
	const uintptr_t count = tools_rounds(100000);
	struct layers layers;
	uintptr_t start;

	layers_open(&layers, (struct layers_config){
		.bounds = { 0, 2 * count },
	});
	for (uintptr_t i = 0; i < count; i++)
		assert_ok(vmset_map(layers.set, 2 * (i * 7 % count), 1, 1, 0));
	assert_eq(vmset_len(layers.set), count);
	layers_check(&layers);
	assert_err(vmset_find_free_area(layers.set, 0, 2,
					(struct vmset_range){ 0, 0 }, 0,
					&start), -ENOSPC);
	for (uintptr_t i = 0; i < count; i += 2)
		assert_ok(vmset_unmap(layers.set, 2 * (i * 3 % count), 1));
	layers_check(&layers);
	layers_close(&layers);
}
END_TEST

START_TEST(kernel_space)
{
	struct rng rng = rng_start("kernel space", 0xfeed + (unsigned int)_i);
	struct steps run = { .choose = choose, .arg = &rng, .longest = 30 };
	unsigned long steps = tools_rounds(5000);

	steps_start_on_kernel(&run, 128, _i ? VMSET_NO_MERGE : 0);
	for (unsigned long i = 0; i < steps; i++) {
		steps_take(&run);
		steps_compare(&run);
	}
	steps_end(&run);
}
END_TEST

Suite *suite_model(void)
{
	Suite *suite = suite_create("model");
	TCase *tcase = tcase_create("random runs");

	tcase_set_timeout(tcase, 3600);
	tcase_add_loop_test(tcase, small_space, 0, SMALL_RUNS);
	tcase_add_loop_test(tcase, large_space, 0, 3);
	tcase_add_loop_test(tcase, kernel_space, 0, 2);
	tcase_add_test(tcase, a_hundred_thousand_areas);
	suite_add_tcase(suite, tcase);
	return suite;
}
