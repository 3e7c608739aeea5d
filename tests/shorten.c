/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Boundaries are sorted; the new place of each is that of the one before and
 * the length of the stretch between them, perhaps shortened.
 */
#include "shorten.h"

#include <stdbool.h>
#include <stdlib.h>

#define SHORT ((uint64_t)4)

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a;
	const uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static size_t count_ops(const struct spaces *spaces, size_t family)
{
	size_t nr = 0;
	size_t i;

	for (i = 0; i < spaces->nr; i++)
		if (spaces->at[i].family == family)
			nr += spaces->at[i].nr_ops;
	return nr;
}

/* Both ends of each operation, into an array with room for them. */
static void collect(struct shortened *s, const struct space *space)
{
	size_t i;

	for (i = 0; i < space->nr_ops; i++) {
		const struct space_op *op = &space->ops[i];

		if (op->kind == TRACE_STATE)
			continue;
		s->from[s->nr++] = op->start;
		s->from[s->nr++] = op->end;
	}
}

static void drop_equals(struct shortened *s)
{
	size_t nr = 0;
	size_t i;

	for (i = 0; i < s->nr; i++)
		if (!nr || s->from[i] != s->from[nr - 1])
			s->from[nr++] = s->from[i];
	s->nr = nr;
}

/* The number of a boundary, which is there. */
static size_t boundary(const struct shortened *s, uint64_t page)
{
	const uint64_t *at = bsearch(&page, s->from, s->nr, sizeof(page),
				     compare);

	return (size_t)(at - s->from);
}

/*
 * How many maps there ever were of each stretch: to begin with, in s->to, how
 * many more than of the one before.
 */
static void count_maps(struct shortened *s, const struct space *space)
{
	size_t i;

	for (i = 0; i < space->nr_ops; i++) {
		const struct space_op *op = &space->ops[i];

		if (op->kind != TRACE_MAP)
			continue;
		s->to[boundary(s, op->start)]++;
		s->to[boundary(s, op->end)]--;
	}
}

static void place(struct shortened *s, enum shorten how)
{
	uint64_t maps = 0;
	uint64_t at = 0;
	size_t i;

	for (i = 0; i < s->nr; i++) {
		const uint64_t size = i + 1 < s->nr ?
					      s->from[i + 1] - s->from[i] :
					      0;
		const bool keep = how == SHORTEN_HOLES &&
				  (maps += s->to[i]) != 0;

		s->to[i] = at;
		at += keep || size < SHORT ? size : SHORT;
		if (!keep && size > SHORT && size > s->longest)
			s->longest = size;
	}
}

int shorten_prepare(struct shortened *s, const struct spaces *spaces,
		    size_t family, enum shorten how)
{
	const size_t nr = 2 * count_ops(spaces, family) + 1;
	size_t i;

	*s = (struct shortened){
		.from = calloc(nr, sizeof(*s->from)),
		.to = calloc(nr, sizeof(*s->to)),
	};
	if (!s->from || !s->to) {
		shorten_free(s);
		return -1;
	}
	for (i = 0; i < spaces->nr; i++)
		if (spaces->at[i].family == family)
			collect(s, &spaces->at[i]);
	qsort(s->from, s->nr, sizeof(*s->from), compare);
	drop_equals(s);
	for (i = 0; i < spaces->nr; i++)
		if (spaces->at[i].family == family)
			count_maps(s, &spaces->at[i]);
	place(s, how);
	return 0;
}

/* Of a boundary, which fits by now. */
static uint32_t new_page(const struct shortened *s, uint64_t page)
{
	return (uint32_t)s->to[boundary(s, page)];
}

static struct trace_op new_op(const struct shortened *s,
			      const struct space_op *op)
{
	struct trace_op new = {
		.kind = op->kind,
		.prot = op->prot,
		.line = op->line,
	};

	if (op->kind == TRACE_STATE) {
		new.start = (uint32_t)op->start;
		new.len = (uint32_t)(op->end - op->start);
	} else {
		new.start = new_page(s, op->start);
		new.len = new_page(s, op->end) - new.start;
	}
	return new;
}

/* Some page, if there is no operation at all. */
static uint64_t size_of(const struct shortened *s)
{
	return s->nr ? s->to[s->nr - 1] : 1;
}

int shorten_trace(const struct shortened *s, const struct space *space,
		  struct trace *trace, struct trace_error *error)
{
	size_t i;

	*trace = (struct trace){ 0 };
	if (size_of(s) > UINT32_MAX || space->nr_expected > UINT32_MAX)
		return trace_fail(error, space->line,
				  "an address space with "
				  "%llu pages and %zu areas to compare is too "
				  "large",
				  (unsigned long long)size_of(s),
				  space->nr_expected);
	trace->pages = (uint32_t)size_of(s);
	trace->ops = calloc(space->nr_ops + 1, sizeof(*trace->ops));
	trace->areas = calloc(space->nr_expected + 1, sizeof(*trace->areas));
	if (!trace->ops || !trace->areas) {
		trace_free(trace);
		return trace_fail(error, space->line,
				  "no memory for an "
				  "address space");
	}
	for (i = 0; i < space->nr_ops; i++)
		trace->ops[trace->nr_ops++] = new_op(s, &space->ops[i]);
	for (i = 0; i < space->nr_expected; i++) {
		const struct interval *area = &space->expected[i];

		trace->areas[trace->nr_areas++] = (struct trace_area){
			.start = new_page(s, area->start),
			.end = new_page(s, area->end),
			.prot = area->prot,
			.line = space->line,
		};
	}
	return 0;
}

void shorten_free(struct shortened *s)
{
	free(s->from);
	free(s->to);
	*s = (struct shortened){ 0 };
}
