/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Both sides of the comparison, the kernel's and the set's, become a list of
 * lines, and then the lists must be the same.
 */
#include "maps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "assert.h"
#include "kernelmap.h"

struct maps {
	struct kernelmap_line *lines;
	size_t count;
	bool join;              /* neighbours that could be one line */
};

static bool joins(const struct kernelmap_line *a,
		  const struct kernelmap_line *b)
{
	return a->end == b->start && a->prot == b->prot &&
	       a->anonymous == b->anonymous;
}

/* Add a line at the end.  An empty one is none. */
static int add(const struct kernelmap_line *line, void *arg)
{
	struct maps *maps = arg;
	struct kernelmap_line *last = NULL, *lines;

	if (line->start == line->end)
		return 0;
	if (maps->join && maps->count)
		last = &maps->lines[maps->count - 1];
	if (last && joins(last, line)) {
		last->end = line->end;
		return 0;
	}
	lines = realloc(maps->lines, (maps->count + 1) * sizeof(*lines));
	assert_that(lines);
	maps->lines = lines;
	maps->lines[maps->count++] = *line;
	return 0;
}

static void add_range(struct maps *maps, uintptr_t start, uintptr_t end,
		      uint32_t flags)
{
	add(&(struct kernelmap_line){ start, end, flags, true }, maps);
}

/* The lines that the kernel should have for the set. */
static struct maps wanted(const struct vmset *set)
{
	struct vmset_range bounds = vmset_bounds(set);
	struct maps maps = { .join = true };
	uintptr_t at = bounds.start;
	struct vmset_area area;

	for (; vmset_next(set, at, &area) == 0; at = area.end) {
		add_range(&maps, at, area.start, 0);
		add_range(&maps, area.start, area.end, area.flags);
	}
	add_range(&maps, at, bounds.end, 0);
	return maps;
}

static void print(const char *who, const struct maps *maps)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct kernelmap_line *line = &maps->lines[i];

		fprintf(stderr, "%s: %" PRIxPTR "-%" PRIxPTR " %c%c%c%s\n", who,
			line->start, line->end,
			line->prot & VMSET_READ ? 'r' : '-',
			line->prot & VMSET_WRITE ? 'w' : '-',
			line->prot & VMSET_EXEC ? 'x' : '-',
			line->anonymous ? "" : " not anonymous or not private");
	}
}

static bool same(const struct maps *a, const struct maps *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (a->lines[i].start != b->lines[i].start ||
		    a->lines[i].end != b->lines[i].end ||
		    a->lines[i].prot != b->lines[i].prot ||
		    a->lines[i].anonymous != b->lines[i].anonymous)
			return false;
	}
	return true;
}

static void compare(const struct vmset *set, bool join)
{
	struct maps kernel = { .join = join };
	struct maps want = wanted(set);
	bool equal;

	assert_ok(kernelmap_walk(vmset_bounds(set), add, &kernel));
	equal = same(&want, &kernel);
	if (!equal) {
		print("set", &want);
		print("kernel", &kernel);
	}
	free(want.lines);
	free(kernel.lines);
	assert_that(equal);
}

void maps_check(const struct vmset *set)
{
	compare(set, true);
}

void maps_check_lines(const struct vmset *set)
{
	compare(set, false);
}

bool maps_is_hole(struct vmset_range range)
{
	struct maps kernel = { .join = true };

	assert_ok(kernelmap_walk(range, add, &kernel));
	free(kernel.lines);
	return kernel.count == 0;
}

static int count_line(const struct kernelmap_line *line, void *arg)
{
	if (line->start >= (uintptr_t)sbrk(0))
		++*(size_t *)arg;
	return 0;
}

size_t maps_count(void)
{
	const struct vmset_range all = { 0, UINTPTR_MAX };
	size_t count = 0;

	assert_ok(kernelmap_walk(all, count_line, &count));
	return count;
}

size_t maps_limit(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	size_t limit = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%zu", &limit) != 1 || limit > 100000)
		limit = 0;
	fclose(file);
	return limit;
}

int maps_seal(struct vmset_range range)
{
	return syscall(462, range.start, range.end - range.start, 0) ? -errno :
								       0;
}
