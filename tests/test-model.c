/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Long random runs of every operation against a model of a cell an address:
 * small spaces compared in full after each step, with calls of the backend that
 * fail in between; a large one with deep trees; and a kernel reservation, where
 * the model knows the contents of each page too.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "assert.h"
#include "internal.h"
#include "layers.h"
#include "maps.h"
#include "model.h"
#include "rng.h"
#include "suites.h"
#include "tools.h"

struct run {
	struct model model;
	struct rng rng;
	struct vmset *set;
	struct layers layers;           /* its mock NULL bounds on the kernel */
	bool kernel;
	uint32_t longest;               /* range of an operation, in cells */
	size_t from, to;                /* the range of this operation */
};

static int one_datum;

/* ---- the set is what the model says ---- */

static void compare_areas(const struct run *run)
{
	struct vmset_area want, area;
	uintptr_t at = run->model.origin;
	size_t cell = 0, len = 0;

	for (; model_next(&run->model, cell, &want); at = area.end, len++) {
		assert_ok(vmset_next(run->set, at, &area));
		assert_eq(area.start, want.start);
		assert_eq(area.end, want.end);
		assert_eq(area.flags, want.flags);
		assert_eq(area.offset, want.offset);
		assert_that(area.backend == want.backend || run->kernel);
		assert_that(area.data == want.data);
		cell = (want.end - run->model.origin) / run->model.granule;
	}
	assert_err(vmset_next(run->set, at, NULL), -ENOENT);
	assert_eq(vmset_len(run->set), len);
}

static void compare_cell(const struct run *run, size_t number)
{
	const struct model_cell *cell = &run->model.cells[number];
	uintptr_t at = model_addr(&run->model, number);
	const struct mock *mock = &run->layers.mock;
	bool area = cell->state == MODEL_AREA;
	const struct mock_entry *entry;

	assert_eq(vmset_overlaps(run->set, at, run->model.granule),
		  cell->state != MODEL_FREE);
	assert_eq(vmset_find(run->set, at, NULL) == 0, area);
	if (run->kernel) {
		if (area && cell->flags & VMSET_READ)
			assert_eq(*(const unsigned char *)at, cell->content);
		return;
	}
	entry = mock_at(mock, at);
	assert_eq(entry->owner != 0, area);
	assert_eq(entry->flags, cell->flags);
	assert_eq(entry->base, cell->base);
	if (area)
		assert_that(mock_backend(mock, entry->owner - 1u) ==
			    cell->backend);
}

static void compare_all(const struct run *run)
{
	compare_areas(run);
	for (size_t i = 0; i < run->model.count; i++)
		compare_cell(run, i);
	assert_ok(vmset_verify(run->set, NULL));
	if (run->kernel)
		maps_check(run->set);
	else
		assert_that(!run->layers.mock.violation);
}

/* ---- operations ---- */

static uint32_t below(struct run *run, uint32_t limit)
{
	return rng_below(&run->rng, limit);
}

static uint32_t any_flags(struct run *run)
{
	return below(run, 8);
}

static uintptr_t start_of(const struct run *run)
{
	return model_addr(&run->model, run->from);
}

static size_t size_of(const struct run *run)
{
	return (run->to - run->from) * run->model.granule;
}

static void choose_range(struct run *run)
{
	uint32_t count = (uint32_t)run->model.count;
	uint32_t len = 1 + below(run, 1 + below(run, run->longest));

	run->from = below(run, count);
	run->to = run->from + len < count ? run->from + len : count;
}

/* The result of an operation, if no call of a backend fails. */
static int map_result(const struct run *run, uint32_t how)
{
	return how || model_is_free(&run->model, run->from, run->to)
		       ? 0 : -EEXIST;
}

/*
 * What an operation returned must be what the model says, or the error of a
 * call that failed.  Whether it did its work.
 */
static bool done(const struct run *run, int result, int expected)
{
	const struct mock *mock = &run->layers.mock;

	if (expected || run->kernel || !mock->failing) {
		assert_err(result, expected);
		return !expected;
	}
	/* Which call fails is the number of the lowest bit. */
	assert_err(result, mock->calls > (unsigned int)
				   __builtin_ctzll(mock->failing)
				   ? mock->error : 0);
	return result == 0;
}

static void map_plain(struct run *run)
{
	uint32_t how = below(run, 2) ? VMSET_REPLACE : 0;
	struct model_cell cell = {
		.state = MODEL_AREA, .flags = any_flags(run),
		.backend = run->kernel ? NULL
				       : mock_backend(&run->layers.mock, 0),
		.base = (uint64_t)0 - run->model.origin,
	};
	int result = vmset_map(run->set, start_of(run), size_of(run),
			       cell.flags, how);

	if (done(run, result, map_result(run, how)))
		model_map(&run->model, run->from, run->to, &cell);
}

static void map_area(struct run *run)
{
	uint32_t how = below(run, 4) ? VMSET_REPLACE : 0;
	struct vmset_area area = {
		.start = start_of(run), .end = start_of(run) + size_of(run),
		.flags = any_flags(run),
		.offset = start_of(run) + (below(run, 3) << 20),
		.data = below(run, 2) ? &one_datum : NULL,
	};
	struct model_cell cell = {
		.state = MODEL_AREA, .flags = area.flags,
		.base = area.offset - area.start, .data = area.data,
	};

	if (!run->kernel)
		cell.backend = area.backend =
			mock_backend(&run->layers.mock, below(run, 2));
	if (done(run, vmset_map_area(run->set, &area, how),
		 map_result(run, how)))
		model_map(&run->model, run->from, run->to, &cell);
}

static void unmap(struct run *run)
{
	if (done(run, vmset_unmap(run->set, start_of(run), size_of(run)), 0))
		model_unmap(&run->model, run->from, run->to);
}

static uint32_t give(uint32_t old_flags, uint32_t arg)
{
	(void)old_flags;
	return arg;
}

static void protect(struct run *run)
{
	bool any = model_has_area(&run->model, run->from, run->to);
	uint32_t flags = any_flags(run);

	if (done(run, vmset_protect(run->set, start_of(run), size_of(run),
				    flags), any ? 0 : -ENOENT))
		model_update(&run->model, run->from, run->to, give, flags);
}

/* Some flags change, some are given again, and some are left by false. */
static uint32_t turn(uint32_t old_flags, uint32_t arg)
{
	return old_flags & 1 ? old_flags ^ (arg & 6) : old_flags;
}

static bool turn_or_leave(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	const uint32_t *bits = arg;

	*new_flags = turn(old_flags, *bits);
	return old_flags != 4;
}

static void update(struct run *run)
{
	bool any = model_has_area(&run->model, run->from, run->to);
	uint32_t bits = any_flags(run);

	if (done(run, vmset_update(run->set, start_of(run), size_of(run),
				   turn_or_leave, &bits), any ? 0 : -ENOENT))
		model_update(&run->model, run->from, run->to, turn, bits);
}

/* The lowest place for the range's size, or the number of cells. */
static size_t lowest_place(const struct run *run, size_t cells)
{
	size_t at = 0;

	while (at + cells <= run->model.count &&
	       !model_is_free(&run->model, at, at + cells))
		at++;
	return at + cells <= run->model.count ? at : run->model.count;
}

static void alloc(struct run *run)
{
	size_t before = below(run, 3), after = below(run, 3);
	size_t cells = run->to - run->from;
	struct vmset_placement where = {
		.size = sizeof(where),
		.guard_before = before * run->model.granule,
		.guard_after = after * run->model.granule,
	};
	size_t place = lowest_place(run, before + cells + after);
	struct model_cell cell = {
		.state = MODEL_AREA, .flags = any_flags(run),
		.backend = run->kernel ? NULL
				       : mock_backend(&run->layers.mock, 0),
		.base = (uint64_t)0 - run->model.origin,
	};
	uintptr_t start = 0;
	int result = vmset_alloc(run->set, size_of(run), cell.flags, &where,
				 &start);

	if (!done(run, result, place < run->model.count ? 0 : -ENOSPC)) {
		assert_eq(start, 0);
		return;
	}
	place += before;
	assert_eq(start, model_addr(&run->model, place));
	model_map(&run->model, place, place + cells, &cell);
	model_guards(&run->model, place, place + cells, before, after);
}

static void find_free(struct run *run)
{
	size_t cells = run->to - run->from;
	size_t place = lowest_place(run, cells);
	uintptr_t start = 0;
	int result = vmset_find_free_area(run->set, 0, size_of(run),
					  (struct vmset_range){ 0, 0 }, 0,
					  &start);

	assert_err(result, place < run->model.count ? 0 : -ENOSPC);
	if (!result)
		assert_eq(start, model_addr(&run->model, place));
}

/* Seldom; and only when no call is to fail, since it goes on then. */
static void clear(struct run *run)
{
	if (below(run, 20))
		return;
	if (!run->kernel)
		mock_heal(&run->layers.mock);
	assert_ok(vmset_clear(run->set));
	model_unmap(&run->model, 0, run->model.count);
}

/* Write to a page of the range that can be written and read. */
static void write_page(struct run *run)
{
	struct model_cell *cell = &run->model.cells[run->from];

	if (!run->kernel || cell->state != MODEL_AREA ||
	    (cell->flags & 3) != (VMSET_READ | VMSET_WRITE))
		return;
	cell->content = (unsigned char)(1 + below(run, 255));
	*(unsigned char *)start_of(run) = cell->content;
}

static void (*const operations[])(struct run *run) = {
	map_plain, map_plain, map_area, map_area, unmap, unmap, unmap, protect,
	protect, update, update, alloc, alloc, find_free, clear, write_page,
};

#define OPERATIONS (sizeof(operations) / sizeof(*operations))

static void step(struct run *run)
{
	const char *wrong;

	choose_range(run);
	if (!run->kernel)
		mock_fail(&run->layers.mock, below(run, 4) ? 0 :
			  MOCK_CALL(1 + below(run, 4)), -EIO);
	operations[below(run, OPERATIONS)](run);
	wrong = vmset__check(run->set);
	if (wrong)
		ck_abort_msg("vmset__check: %s", wrong);
}

/* ---- the runs ---- */

static void start_on_mock(struct run *run, size_t granule, size_t count,
			  uint32_t promises, uint32_t options)
{
	const uintptr_t origin = 0x40000;

	layers_open(&run->layers, (struct layers_config){
		.bounds = { origin, origin + count * granule },
		.granule = granule, .promises = promises, .options = options,
	});
	run->set = run->layers.set;
	model_init(&run->model, origin, granule, count,
		   !(options & VMSET_NO_MERGE));
}

static void end_on_mock(struct run *run)
{
	mock_heal(&run->layers.mock);
	model_free(&run->model);
	layers_close(&run->layers);
}

/* All promises but DISCARDS, with which a failure can be a loss. */
#define SMALL_RUNS (2 * VMSET_BACKEND_DISCARDS)

START_TEST(small_space)
{
	struct run run = { .longest = 40 };
	unsigned long steps = tools_rounds(20000);

	run.rng = rng_start("small space", 0xcafe + (unsigned int)_i);
	start_on_mock(&run, _i % 3 ? 0x10 : 1, 256, (uint32_t)_i / 2,
		      _i % 2 ? VMSET_NO_MERGE : 0);
	for (unsigned long i = 0; i < steps; i++) {
		step(&run);
		compare_all(&run);
	}
	end_on_mock(&run);
}
END_TEST

/* Thousands of areas, so that the tree is deep and changes at many levels. */
START_TEST(large_space)
{
	struct run run = { .longest = _i ? 6 : 300 };
	unsigned long steps = tools_rounds(50000);

	run.rng = rng_start("large space", 0xbeef + (unsigned int)_i);
	start_on_mock(&run, 1, 0x4000, MOCK_PROMISES & ~VMSET_BACKEND_DISCARDS,
		      _i == 2 ? VMSET_NO_MERGE : 0);
	for (unsigned long i = 0; i < steps; i++) {
		step(&run);
		if (i % 512 == 0)
			compare_all(&run);
	}
	compare_all(&run);
	end_on_mock(&run);
}
END_TEST

START_TEST(kernel_space)
{
	struct run run = { .longest = 30, .kernel = true };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	unsigned long steps = tools_rounds(5000);
	const size_t count = 128;

	run.rng = rng_start("kernel space", 0xfeed + (unsigned int)_i);
	assert_ok(vmset_reserve(&run.set, count * page,
				_i ? VMSET_NO_MERGE : 0));
	assert_about(run.set);
	model_init(&run.model, vmset_bounds(run.set).start, page, count, !_i);
	for (unsigned long i = 0; i < steps; i++) {
		step(&run);
		compare_all(&run);
	}
	model_free(&run.model);
	assert_ok(vmset_destroy(run.set));
	assert_about(NULL);
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
	suite_add_tcase(suite, tcase);
	return suite;
}
