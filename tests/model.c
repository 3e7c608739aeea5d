/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The model.  Every question is answered by looking at all cells concerned.
 */
#include "model.h"

#include <stdlib.h>

void model_init(struct model *model, uintptr_t origin, size_t granule,
		size_t count, bool joins)
{
	*model = (struct model){
		.origin = origin, .granule = granule, .count = count,
		.joins = joins, .cells = calloc(count, sizeof(*model->cells)),
	};
	if (!model->cells)
		abort();
}

void model_free(struct model *model)
{
	free(model->cells);
}

uintptr_t model_addr(const struct model *model, size_t cell)
{
	return model->origin + cell * model->granule;
}

static bool has_state(const struct model *model, size_t from, size_t to,
		      enum model_state state)
{
	for (size_t i = from; i < to; i++) {
		if (model->cells[i].state == state)
			return true;
	}
	return false;
}

bool model_is_free(const struct model *model, size_t from, size_t to)
{
	return !has_state(model, from, to, MODEL_AREA) &&
	       !has_state(model, from, to, MODEL_GUARD_BEFORE) &&
	       !has_state(model, from, to, MODEL_GUARD_AFTER);
}

bool model_has_area(const struct model *model, size_t from, size_t to)
{
	return has_state(model, from, to, MODEL_AREA);
}

/* The cell is no longer joined to what is before it. */
static void cut_at(struct model *model, size_t cell)
{
	if (cell < model->count && model->cells[cell].state == MODEL_AREA)
		model->cells[cell].first = true;
}

static void empty(struct model *model, size_t cell)
{
	model->cells[cell] = (struct model_cell){ .state = MODEL_FREE };
}

/* A guard is reached from its area; what is cut off from it goes. */
static void prune_guards(struct model *model)
{
	for (size_t i = 1; i < model->count; i++) {
		enum model_state last = model->cells[i - 1].state;

		if (model->cells[i].state == MODEL_GUARD_AFTER &&
		    last != MODEL_GUARD_AFTER && last != MODEL_AREA)
			empty(model, i);
	}
	for (size_t i = model->count - 1; i-- > 0;) {
		enum model_state next = model->cells[i + 1].state;

		if (model->cells[i].state == MODEL_GUARD_BEFORE &&
		    next != MODEL_GUARD_BEFORE && next != MODEL_AREA)
			empty(model, i);
	}
}

void model_unmap(struct model *model, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		empty(model, i);
	cut_at(model, to);
	prune_guards(model);
}

void model_map(struct model *model, size_t from, size_t to,
	       const struct model_cell *cell)
{
	model_unmap(model, from, to);
	for (size_t i = from; i < to; i++)
		model->cells[i] = *cell;
	cut_at(model, from);
}

void model_guards(struct model *model, size_t from, size_t to, size_t before,
		  size_t after)
{
	for (size_t i = from - before; i < from; i++)
		model->cells[i].state = MODEL_GUARD_BEFORE;
	for (size_t i = to; i < to + after; i++)
		model->cells[i].state = MODEL_GUARD_AFTER;
}

void model_update(struct model *model, size_t from, size_t to,
		  model_flags_fn *fn, uint32_t arg)
{
	for (size_t i = from; i < to; i++) {
		struct model_cell *cell = &model->cells[i];
		uint32_t flags = fn(cell->flags, arg);

		if (cell->state != MODEL_AREA || flags == cell->flags)
			continue;
		cell->flags = flags;
		if (i == from)
			cut_at(model, from);
		if (i + 1 == to && i + 1 < model->count &&
		    model->cells[to].state == MODEL_AREA)
			cut_at(model, to);
	}
}

/* Whether an area begins at the cell. */
static bool begins(const struct model *model, size_t cell)
{
	const struct model_cell *this = &model->cells[cell];
	const struct model_cell *last = this - 1;

	if (this->state != MODEL_AREA)
		return false;
	if (cell == 0 || last->state != MODEL_AREA)
		return true;
	if (!model->joins)
		return this->first;
	return this->flags != last->flags || this->backend != last->backend ||
	       this->base != last->base || this->data != last->data;
}

bool model_next(const struct model *model, size_t cell,
		struct vmset_area *area)
{
	const struct model_cell *first;
	size_t end;

	while (cell < model->count && !begins(model, cell))
		cell++;
	if (cell == model->count)
		return false;
	end = cell + 1;
	while (end < model->count && model->cells[end].state == MODEL_AREA &&
	       !begins(model, end))
		end++;
	first = &model->cells[cell];
	*area = (struct vmset_area){
		.start = model_addr(model, cell),
		.end = model_addr(model, end),
		.flags = first->flags, .backend = first->backend,
		.offset = first->base + model_addr(model, cell),
		.data = first->data,
	};
	return true;
}
