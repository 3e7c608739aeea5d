/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Statistics: one walk over the entries, and one over the kernel's mappings where
 * that is asked for.
 */
#include "stats.h"

#include <string.h>

#include "backend.h"
#include "entry.h"
#include "kernel-map.h"
#include "range.h"

/*
 * The mappings that a reservation needs: neighbours with the same rights are one,
 * and free room has those of an area without any.
 */
struct runs {
	bool reserved;
	const struct vmset_backend *backend;
	uint32_t rights;
	size_t n;
};

/* A stretch of a backend's, or nobody's. */
static void add_stretch(struct runs *runs, const struct vmset_backend *backend,
			uint32_t rights)
{
	if (!runs->reserved)
		return;
	if (runs->n && runs->backend == backend && runs->rights == rights)
		return;
	runs->backend = backend;
	runs->rights = rights;
	runs->n++;
}

static void add_gap(struct vmset_stats *stats, struct runs *runs,
		    const struct vmset *set, struct vmset_range gap)
{
	size_t size = vmset__range_size(gap);

	if (!size)
		return;
	stats->free_bytes += size;
	stats->largest_gap = vmset__max(stats->largest_gap, size);
	add_stretch(runs, set->backend, 0);
}

static void add_entry(struct vmset_stats *stats, struct runs *runs,
		      const struct vmset *set, const struct vmset_area *entry)
{
	size_t size = vmset__range_size(vmset__entry_range(entry));

	switch (vmset__kind(entry)) {
	case VMSET__AREA:
		stats->areas++;
		stats->area_bytes += size;
		add_stretch(runs, entry->backend,
			    vmset__told_flags(entry->backend, entry->flags));
		break;
	case VMSET__LOST:
		stats->lost_bytes += size;
		add_stretch(runs, NULL, 0);
		break;
	default:
		stats->guard_bytes += size;
		add_stretch(runs, set->backend, 0);
	}
}

static void walk(const struct vmset *set, struct vmset_stats *stats)
{
	struct runs runs = { .reserved = set->reserved };
	uintptr_t at = set->bounds.start;
	struct vmset__cursor cursor;
	struct vmset_area entry;

	vmset__cursor_seek(&cursor, &set->tree, at);
	for (; vmset__cursor_get(&cursor, &entry); at = entry.end) {
		add_gap(stats, &runs, set,
			(struct vmset_range){ at, entry.start });
		add_entry(stats, &runs, set, &entry);
		vmset__cursor_advance(&cursor);
	}
	add_gap(stats, &runs, set, (struct vmset_range){ at, set->bounds.end });
	stats->mappings_expected = runs.n;
}

static int count_mappings(const struct vmset *set, size_t *n)
{
	struct vmset__kernel_area area = { .range.end = set->bounds.start };
	struct vmset__kernel_map map;
	int rc = vmset__kernel_map_open(&map, VMSET__BEST_SOURCE);

	if (rc)
		return rc;
	while (!rc && area.range.end < set->bounds.end) {
		rc = vmset__kernel_map_at(&map, area.range.end, &area);
		*n += !rc && area.mapped;
	}
	vmset__kernel_map_close(&map);
	return rc;
}

int vmset__stats(const struct vmset *set, struct vmset_stats *stats,
		 uint32_t how)
{
	const struct vmset__slab *slab = &set->tree.slab;
	const struct vmset__tally *tally = &set->tally;
	struct vmset_stats counted = {
		.size = stats->size,
		.record_bytes = slab->mapped - slab->given_back +
				slab->scratch_size,
		.maps = tally->calls[VMSET__MAP],
		.unmaps = tally->calls[VMSET__UNMAP],
		.protects = tally->calls[VMSET__PROTECT],
		.undone = tally->undone,
	};
	int rc = 0;

	walk(set, &counted);
	if (how & VMSET_COUNT_MAPPINGS && set->reserved)
		rc = count_mappings(set, &counted.mappings);
	if (!rc)
		memcpy(stats, &counted,
		       vmset__min(stats->size, sizeof counted));
	return rc;
}
