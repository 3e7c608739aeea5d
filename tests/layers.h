/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A set over a mock page table, and checks that hold each layer against the
 * other: the list of areas, read with vmset_next, and the page table's entries,
 * unmapped ones too.  And snapshots of both, to show that a call that failed
 * changed neither.
 */
#ifndef TESTS_LAYERS_H
#define TESTS_LAYERS_H

#include <stddef.h>
#include <stdint.h>

#include "mock.h"
#include "vmset.h"

struct layers {
	struct vmset *set;
	struct mock mock;
	uint32_t options;
};

/* How to make them.  What is zero has the default that stands beside it. */
struct layers_config {
	struct vmset_range bounds;      /* [0, MOCK_MAX_ADDR) */
	size_t granule;                 /* 1 */
	uint32_t options;
	uint32_t promises;
};

/* Make an empty set over an empty page table, and have assertions dump it. */
void layers_open(struct layers *layers, struct layers_config config);

/* Destroy the set, which must leave nothing in the page table. */
void layers_close(struct layers *layers);

/*
 * Everything must fit: the library's own check, each area and its entries,
 * each gap and its entries, the readers among each other, vmset_verify, and
 * no violation by any backend call so far.
 */
void layers_check(const struct layers *layers);

/* The same while ranges are lost: entries there, and verify, say nothing. */
void layers_check_lost(const struct layers *layers);

/* The areas must be these, in this order, and the layers must fit. */
struct layers_area {
	uintptr_t start, end;
	uint32_t flags;
};
void layers_expect(const struct layers *layers,
		   const struct layers_area *areas, size_t count);

/* layers_expect with the areas written out as { start, end, flags }, … */
#define LAYERS_EXPECT(layers, ...)                                            \
	layers_expect(layers, (const struct layers_area[]){ __VA_ARGS__ },    \
		      sizeof((const struct layers_area[]){ __VA_ARGS__ }) /   \
		      sizeof(struct layers_area))

/* The set must have no area, and the page table no entry. */
void layers_expect_empty(const struct layers *layers);

/* Whether anything but an area is in the way there: a guard, a lost range. */
bool layers_fenced(const struct layers *layers, uintptr_t addr);

/* Both layers as they were at some time. */
struct snapshot {
	size_t len;
	struct vmset_area *areas;
	struct mock_entry *entries;
	uint8_t *taken;         /* an entry each: what vmset_overlaps said */
};

void snapshot_take(struct snapshot *snapshot, const struct layers *layers);
void snapshot_free(struct snapshot *snapshot);

/* Nothing in the set or the page table may differ from the snapshot. */
void snapshot_check(const struct snapshot *snapshot,
		    const struct layers *layers);

/* The same, but that the contents of what was mapped may be new. */
void snapshot_check_mapping(const struct snapshot *snapshot,
			    const struct layers *layers);

#endif /* TESTS_LAYERS_H */
