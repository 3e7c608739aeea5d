/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Checks of a set against its page table.  They trust neither: what the set
 * says is asked in every way there is, and each entry is looked at.
 */
#include "layers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "assert.h"
#include "internal.h"

void layers_open(struct layers *layers, struct layers_config config)
{
	struct vmset_range bounds = config.bounds;
	size_t granule = config.granule ? config.granule : 1;

	if (bounds.start == bounds.end)
		bounds.end = MOCK_MAX_ADDR;
	mock_init(&layers->mock, bounds, granule);
	mock_promise(&layers->mock, config.promises);
	layers->options = config.options;
	assert_ok(vmset_create(&layers->set, &(struct vmset_config){
		.size = sizeof(struct vmset_config),
		.bounds = bounds,
		.granule = granule,
		.backend = mock_backend(&layers->mock, 0),
		.options = config.options,
	}));
	assert_about(layers->set);
}

void layers_close(struct layers *layers)
{
	const struct mock *mock = &layers->mock;

	assert_ok(vmset_destroy(layers->set));
	assert_about(NULL);
	layers->set = NULL;
	assert_that(!mock->violation);
	assert_that(mock_is_free(mock, mock->bounds.start, mock->bounds.end));
	mock_free(&layers->mock);
}

bool layers_fenced(const struct layers *layers, uintptr_t addr)
{
	return vmset_find(layers->set, addr, NULL) == -ENOENT &&
	       vmset_overlaps(layers->set, addr, layers->mock.granule);
}

static bool same_area(const struct vmset_area *a, const struct vmset_area *b)
{
	return a->start == b->start && a->end == b->end &&
	       a->flags == b->flags && a->backend == b->backend &&
	       a->offset == b->offset && a->data == b->data;
}

/* Ask for the area in other ways than the walk that found it. */
static void check_readers(const struct vmset *set,
			  const struct vmset_area *area)
{
	struct vmset_area again;

	assert_ok(vmset_find(set, area->start, &again));
	assert_that(same_area(area, &again));
	assert_ok(vmset_find(set, area->end - 1, &again));
	assert_that(same_area(area, &again));
	assert_ok(vmset_next(set, area->end - 1, &again));
	assert_that(same_area(area, &again));
	assert_that(vmset_overlaps(set, area->start, 1));
	assert_that(vmset_overlaps(set, area->end - 1, 1));
}

/* Each entry of the area is mapped as the area says. */
static void check_entries(const struct mock *mock,
			  const struct vmset_area *area)
{
	const struct mock_backend *backend = area->backend->ctx;

	for (uintptr_t at = area->start; at < area->end; at += mock->granule) {
		const struct mock_entry *entry = mock_at(mock, at);

		assert_eq(entry->owner, backend->owner);
		assert_eq(entry->flags, area->flags);
		assert_eq(entry->base, area->offset - area->start);
	}
}

/* Nothing is mapped between two areas, or it is lost. */
static void check_gap(const struct layers *layers, uintptr_t start,
		      uintptr_t end, bool lost)
{
	const struct mock *mock = &layers->mock;

	for (uintptr_t at = start; at < end; at += mock->granule) {
		assert_err(vmset_find(layers->set, at, NULL), -ENOENT);
		if (mock_is_free(mock, at, at + mock->granule))
			continue;
		assert_that(lost && layers_fenced(layers, at));
	}
}

static void check_shape(const struct mock *mock, const struct vmset_area *area)
{
	assert_that(area->start < area->end);
	assert_that(area->start >= mock->bounds.start);
	assert_that(area->end <= mock->bounds.end);
	assert_eq(area->start % mock->granule, 0);
	assert_eq(area->end % mock->granule, 0);
}

static bool could_be_one(const struct vmset_area *a,
			 const struct vmset_area *b)
{
	return a->end == b->start && a->flags == b->flags &&
	       a->backend == b->backend && a->data == b->data &&
	       a->offset + (a->end - a->start) == b->offset;
}

/* Walk the ranges beside the areas. */
static void check_ranges(const struct vmset *set, uintptr_t start)
{
	struct vmset_range ranges[100];
	struct vmset_area area = { .end = start };
	size_t n;

	while ((n = vmset_next_ranges(set, &start, ranges, 100)))
		for (size_t i = 0; i < n; i++) {
			assert_ok(vmset_next(set, area.end, &area));
			assert_eq(ranges[i].start, area.start);
			assert_eq(ranges[i].end, area.end);
		}
	assert_err(vmset_next(set, area.end, &area), -ENOENT);
}

/* Walk the set and its page table side by side.  Returns the areas' number. */
static size_t check_walk(const struct layers *layers, bool lost)
{
	const struct mock *mock = &layers->mock;
	struct vmset_area area, last = { .end = mock->bounds.start };
	const struct vmset_area *same;
	struct vmset_iter iter;
	size_t len = 0;

	check_ranges(layers->set, last.end);
	assert_ok(vmset_iter_init(&iter, layers->set, last.end));
	for (; vmset_next(layers->set, last.end, &area) == 0; last = area) {
		same = vmset_iter_next(&iter);
		assert_that(same && same_area(same, &area));
		check_shape(mock, &area);
		assert_that(area.start >= last.end);
		assert_that(layers->options & VMSET_NO_MERGE || len == 0 ||
			  !could_be_one(&last, &area));
		check_readers(layers->set, &area);
		check_entries(mock, &area);
		check_gap(layers, last.end, area.start, lost);
		len++;
	}
	assert_err(vmset_next(layers->set, last.end, NULL), -ENOENT);
	assert_that(!vmset_iter_next(&iter) && !vmset_iter_next(&iter));
	check_gap(layers, last.end, mock->bounds.end, lost);
	return len;
}

static void check(const struct layers *layers, bool lost)
{
	const char *wrong = vmset__check(layers->set);
	size_t len;

	if (wrong)
		ck_abort_msg("vmset__check: %s", wrong);
	if (layers->mock.violation)
		ck_abort_msg("mock: %s", layers->mock.violation);
	len = check_walk(layers, lost);
	assert_eq(len, vmset_len(layers->set));
	assert_eq(len == 0, vmset_is_empty(layers->set));
}

void layers_check(const struct layers *layers)
{
	check(layers, false);
	assert_ok(vmset_verify(layers->set, NULL));
}

void layers_check_lost(const struct layers *layers)
{
	check(layers, true);
}

void layers_expect(const struct layers *layers,
		   const struct layers_area *areas, size_t count)
{
	uintptr_t at = layers->mock.bounds.start;
	struct vmset_area area;

	layers_check(layers);
	for (size_t i = 0; i < count; i++, at = area.end) {
		assert_ok(vmset_next(layers->set, at, &area));
		assert_eq(area.start, areas[i].start);
		assert_eq(area.end, areas[i].end);
		assert_eq(area.flags, areas[i].flags);
	}
	assert_eq(vmset_len(layers->set), count);
}

void layers_expect_empty(const struct layers *layers)
{
	layers_expect(layers, NULL, 0);
}

static void *must_alloc(size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	assert_that(memory);
	return memory;
}

void snapshot_take(struct snapshot *snapshot, const struct layers *layers)
{
	const struct mock *mock = &layers->mock;
	uintptr_t at = mock->bounds.start;

	snapshot->len = vmset_len(layers->set);
	snapshot->areas = must_alloc(snapshot->len, sizeof(*snapshot->areas));
	snapshot->entries = must_alloc(mock->count, sizeof(*mock->entries));
	snapshot->taken = must_alloc(mock->count, 1);
	for (size_t i = 0; i < snapshot->len; i++) {
		assert_ok(vmset_next(layers->set, at, &snapshot->areas[i]));
		at = snapshot->areas[i].end;
	}
	memcpy(snapshot->entries, mock->entries,
	       mock->count * sizeof(*mock->entries));
	for (size_t i = 0; i < mock->count; i++) {
		at = mock->bounds.start + i * mock->granule;
		snapshot->taken[i] = vmset_overlaps(layers->set, at,
						    mock->granule);
	}
}

void snapshot_free(struct snapshot *snapshot)
{
	free(snapshot->areas);
	free(snapshot->entries);
	free(snapshot->taken);
}

void snapshot_check_mapping(const struct snapshot *snapshot,
			    const struct layers *layers)
{
	const struct mock *mock = &layers->mock;
	uintptr_t at = mock->bounds.start;
	struct vmset_area area;

	layers_check(layers);
	assert_eq(vmset_len(layers->set), snapshot->len);
	for (size_t i = 0; i < snapshot->len; i++, at = area.end) {
		assert_ok(vmset_next(layers->set, at, &area));
		assert_that(same_area(&area, &snapshot->areas[i]));
	}
	for (size_t i = 0; i < mock->count; i++) {
		at = mock->bounds.start + i * mock->granule;
		assert_eq(vmset_overlaps(layers->set, at, mock->granule),
				 snapshot->taken[i]);
	}
}

void snapshot_check(const struct snapshot *snapshot,
		    const struct layers *layers)
{
	const struct mock *mock = &layers->mock;

	snapshot_check_mapping(snapshot, layers);
	assert_that(memcmp(mock->entries, snapshot->entries,
			   mock->count * sizeof(*mock->entries)) == 0);
}
