/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The steps.  Each operation asks the model what must come of it before, does
 * it, and tells the model after.
 */
#include "steps.h"

#include <errno.h>
#include <unistd.h>

#include "assert.h"
#include "internal.h"
#include "maps.h"

static int one_datum;

/* ---- the set is what the model says ---- */

static void compare_areas(const struct steps *run)
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

static void compare_cell(const struct steps *run, size_t number)
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

void steps_compare(const struct steps *run)
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

static uint32_t below(struct steps *run, uint32_t limit)
{
	return run->choose(run->arg, limit);
}

static uint32_t any_flags(struct steps *run)
{
	return below(run, 8);
}

static uintptr_t start_of(const struct steps *run)
{
	return model_addr(&run->model, run->from);
}

static size_t size_of(const struct steps *run)
{
	return (run->to - run->from) * run->model.granule;
}

static void choose_range(struct steps *run)
{
	uint32_t count = (uint32_t)run->model.count;
	uint32_t len = 1 + below(run, 1 + below(run, run->longest));

	run->from = below(run, count);
	run->to = run->from + len < count ? run->from + len : count;
}

/* The result of an operation, if no call of a backend fails. */
static int map_result(const struct steps *run, uint32_t how)
{
	return how || model_is_free(&run->model, run->from, run->to)
		       ? 0 : -EEXIST;
}

/* How many of the calls since mock_fail were to fail; from the 64th on: one. */
static unsigned int count_failed(const struct mock *mock)
{
	unsigned int failed = 0;

	for (unsigned int i = 0; i < mock->calls && i < 64; i++)
		failed += mock->failing >> i & 1;
	return failed;
}

/* What is lost is unmapped, and all around it must be as it was. */
static void recover(struct steps *run)
{
	struct mock *mock = &run->layers.mock;

	layers_check_lost(&run->layers);
	mock_heal(mock);
	mock->forgiving = true;
	assert_ok(vmset_unmap(run->set, start_of(run), size_of(run)));
	mock->forgiving = false;
	model_unmap(&run->model, run->from, run->to);
}

/*
 * What an operation returns if it is asked for nothing wrong.  One call that
 * fails is its error.  Two: the second was to undo something, which nothing can
 * if unmapping discards.
 */
static int wanted_result(const struct mock *mock, int result)
{
	const uint32_t promises = mock->backends[0].ops.promises;
	const unsigned int failed = count_failed(mock);

	if (failed == 0)
		return 0;
	if (failed > 1 || (promises & VMSET_BACKEND_DISCARDS &&
			   result == -ENOTRECOVERABLE))
		return -ENOTRECOVERABLE;
	return mock->error;
}

/*
 * What an operation returned must be what the model says, or come of calls that
 * failed.  Whether it did its work.
 */
static bool done(struct steps *run, int result, int expected)
{
	if (expected)
		assert_that(run->kernel || run->layers.mock.calls == 0);
	else if (!run->kernel)
		expected = wanted_result(&run->layers.mock, result);
	assert_err(result, expected);
	if (result == -ENOTRECOVERABLE)
		recover(run);
	return !result;
}

/* What vmset_map and vmset_alloc make, with any flags. */
static struct model_cell plain_cell(struct steps *run)
{
	return (struct model_cell){
		.state = MODEL_AREA, .flags = any_flags(run),
		.backend = run->kernel ? NULL
				       : mock_backend(&run->layers.mock, 0),
		.base = (uint64_t)0 - run->model.origin,
	};
}

static void map_plain(struct steps *run)
{
	uint32_t how = below(run, 2) ? VMSET_REPLACE : 0;
	struct model_cell cell = plain_cell(run);
	int result = vmset_map(run->set, start_of(run), size_of(run),
			       cell.flags, how);

	if (done(run, result, map_result(run, how)))
		model_map(&run->model, run->from, run->to, &cell);
}

static void map_area(struct steps *run)
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

static void unmap(struct steps *run)
{
	if (done(run, vmset_unmap(run->set, start_of(run), size_of(run)), 0))
		model_unmap(&run->model, run->from, run->to);
}

static uint32_t give(uint32_t old_flags, uint32_t arg)
{
	(void)old_flags;
	return arg;
}

static void protect(struct steps *run)
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

static void update(struct steps *run)
{
	bool any = model_has_area(&run->model, run->from, run->to);
	uint32_t bits = any_flags(run);

	if (done(run, vmset_update(run->set, start_of(run), size_of(run),
				   turn_or_leave, &bits), any ? 0 : -ENOENT))
		model_update(&run->model, run->from, run->to, turn, bits);
}

/* Any half of a cell, but for cells that have none. */
static uintptr_t any_addr(struct steps *run)
{
	const size_t cell = below(run, (uint32_t)run->model.count);

	return model_addr(&run->model, cell) +
	       below(run, 2) * (run->model.granule / 2);
}

/* Anything that a search may be told but the guards. */
static struct vmset_placement any_placement(struct steps *run)
{
	struct vmset_placement where = { .size = sizeof(where) };
	uintptr_t a, b;

	if (below(run, 2))
		return where;
	where.policy = below(run, VMSET_BEST_FIT + 1);
	where.hint = any_addr(run);
	if (below(run, 2))
		where.align = run->model.granule << below(run, 4);
	if (below(run, 2)) {
		a = any_addr(run);
		b = any_addr(run);
		where.limit.start = a < b ? a : b;
		where.limit.end = a < b ? b : a;
	}
	return where;
}

/* Whether the size and its guards could be there, by anything but the hint. */
static bool fits(const struct steps *run, const struct vmset_placement *where,
		 uintptr_t at, size_t size)
{
	const struct model *model = &run->model;
	uintptr_t start = at - where->guard_before;
	uintptr_t end = at + size + where->guard_after;
	size_t from = (start - model->origin) / model->granule;
	size_t to = (end - model->origin) / model->granule;

	if (where->limit.end &&
	    (start < where->limit.start || end > where->limit.end))
		return false;
	return to <= model->count && model_is_free(model, from, to) &&
	       (!where->align || at % where->align == 0);
}

static uintptr_t distance(uintptr_t a, uintptr_t b)
{
	return a < b ? b - a : a - b;
}

/* Whether the policy takes a place above one that it has, 0 for none. */
static bool takes(const struct vmset_placement *where, uintptr_t at,
		  uintptr_t best)
{
	switch (where->policy) {
	case VMSET_LOWEST:
		return at >= where->hint && !best;
	case VMSET_HIGHEST:
		return at <= where->hint;
	case VMSET_NEAREST:
		return !best || distance(at, where->hint) <
				distance(best, where->hint);
	default:
		return !best;
	}
}

/* The place that a search must find, or 0; for BEST_FIT any that fits. */
static uintptr_t best_place(const struct steps *run,
			    const struct vmset_placement *where, size_t size)
{
	uintptr_t at = run->model.origin + where->guard_before;
	uintptr_t end = model_addr(&run->model, run->model.count);
	uintptr_t best = 0;

	for (; at < end; at += run->model.granule) {
		if (takes(where, at, best) && fits(run, where, at, size))
			best = at;
	}
	return best;
}

static void alloc(struct steps *run)
{
	struct vmset_placement where = any_placement(run);
	const size_t before = below(run, 3), after = below(run, 3);
	const size_t cells = run->to - run->from;
	struct model_cell cell = plain_cell(run);
	uintptr_t place, start = 0;
	int result;

	where.guard_before = before * run->model.granule;
	where.guard_after = after * run->model.granule;
	place = best_place(run, &where, size_of(run));
	result = vmset_alloc(run->set, size_of(run), cell.flags, &where,
			     &start);
	if (!done(run, result, place ? 0 : -ENOSPC)) {
		assert_eq(start, 0);
		return;
	}
	if (where.policy != VMSET_BEST_FIT)
		assert_eq(start, place);
	assert_that(fits(run, &where, start, size_of(run)));
	run->from = (start - run->model.origin) / run->model.granule;
	run->to = run->from + cells;
	model_map(&run->model, run->from, run->to, &cell);
	model_guards(&run->model, run->from, run->to, before, after);
}

static void find_free(struct steps *run)
{
	struct vmset_placement where = any_placement(run);
	uintptr_t place, start = 0;
	int result;

	where.policy = VMSET_LOWEST;
	place = best_place(run, &where, size_of(run));
	result = vmset_find_free_area(run->set, where.hint, size_of(run),
				      where.limit, where.align, &start);
	assert_err(result, place ? 0 : -ENOSPC);
	assert_eq(start, place);
}

/* Seldom; and only when no call is to fail, since it goes on then. */
static void clear(struct steps *run)
{
	if (below(run, 20))
		return;
	if (!run->kernel)
		mock_heal(&run->layers.mock);
	assert_ok(vmset_clear(run->set));
	model_unmap(&run->model, 0, run->model.count);
}

/* Write to a page of the range that can be written and read. */
static void write_page(struct steps *run)
{
	struct model_cell *cell = &run->model.cells[run->from];

	if (!run->kernel || cell->state != MODEL_AREA ||
	    (cell->flags & 3) != (VMSET_READ | VMSET_WRITE))
		return;
	cell->content = (unsigned char)(1 + below(run, 255));
	*(unsigned char *)start_of(run) = cell->content;
}

static void (*const operations[])(struct steps *run) = {
	map_plain, map_plain, map_area, map_area, unmap, unmap, unmap, protect,
	protect, update, update, alloc, alloc, find_free, clear, write_page,
};

#define OPERATIONS (sizeof(operations) / sizeof(*operations))

/* None, one, or any of the first, so that undoing fails too. */
static uint64_t any_failing(struct steps *run)
{
	switch (below(run, 8)) {
	case 0:
		return MOCK_CALL(1 + below(run, 6));
	case 1:
		return below(run, 256);
	default:
		return 0;
	}
}

void steps_take(struct steps *run)
{
	const char *wrong;

	choose_range(run);
	if (!run->kernel)
		mock_fail(&run->layers.mock, any_failing(run), -EIO);
	operations[below(run, OPERATIONS)](run);
	wrong = vmset__check(run->set);
	if (wrong)
		ck_abort_msg("vmset__check: %s", wrong);
}

/* ---- start and end ---- */

void steps_start_on_mock(struct steps *run, size_t granule, size_t count,
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

void steps_start_on_kernel(struct steps *run, size_t count, uint32_t options)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	run->kernel = true;
	assert_ok(vmset_reserve(&run->set, count * page, options));
	assert_about(run->set);
	model_init(&run->model, vmset_bounds(run->set).start, page, count,
		   !(options & VMSET_NO_MERGE));
}

void steps_end(struct steps *run)
{
	model_free(&run->model);
	if (!run->kernel) {
		mock_heal(&run->layers.mock);
		layers_close(&run->layers);
		return;
	}
	assert_ok(vmset_destroy(run->set));
	assert_about(NULL);
}
