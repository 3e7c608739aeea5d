/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The set, over a backend that does nothing, and the model beside it, of which
 * each state is kept.
 */
#include "interleave-script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "interleave-log.h"
#include "internal.h"
#include "model.h"

/* An area or a guard is never larger than what is left of the space. */
struct state {
	struct model_cell cells[SPACE];
	struct vmset_area areas[SPACE];
	size_t len;
	size_t published, end;
};

static struct vmset *set;
static struct model model;
static struct state states[STEPS_MOST + 1];
static size_t states_n;

static int do_nothing_to(void *ctx, uintptr_t start, size_t size)
{
	(void)ctx, (void)start, (void)size;
	return 0;
}

static int protect_nothing(void *ctx, uintptr_t start, size_t size,
			   uint32_t flags)
{
	(void)flags;
	return do_nothing_to(ctx, start, size);
}

static int map_nothing(void *ctx, uintptr_t start, size_t size,
		       uint32_t flags, uint64_t offset)
{
	(void)flags, (void)offset;
	return do_nothing_to(ctx, start, size);
}

static const struct vmset_backend backend = {
	.ops = &(const struct vmset_backend_ops){
		.size = sizeof(struct vmset_backend_ops),
		.map = map_nothing,
		.unmap = do_nothing_to,
		.protect = protect_nothing,
		.promises = VMSET_BACKEND_REPLACES | VMSET_BACKEND_SPANS,
	},
};

static void need(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "interleave: %s\n", what);
	exit(EXIT_FAILURE);
}

/* ---- steps ---- */

static uint32_t these_flags(uint32_t old, uint32_t flags)
{
	(void)old;
	return flags;
}

static void fence_off(const struct step *step)
{
	const struct vmset_placement where = {
		.size = sizeof(where),
		.limit = { step->from - 1u, step->to + 1u },
		.guard_before = 1, .guard_after = 1,
	};
	uintptr_t start;

	need(vmset_alloc(set, step->to - step->from, step->flags, &where,
			 &start) == 0 && start == step->from, "vmset_alloc");
	model_guards(&model, step->from, step->to, 1, 1);
}

static void take(const struct step *step)
{
	const size_t size = step->to - step->from;
	const struct model_cell cell = {
		.state = MODEL_AREA, .flags = step->flags,
		.backend = &backend,
	};

	switch (step->kind) {
	case STEP_MAP:
		need(!vmset_map(set, step->from, size, step->flags,
				VMSET_REPLACE), "vmset_map");
		model_map(&model, step->from, step->to, &cell);
		break;
	case STEP_FENCED:
		model_map(&model, step->from, step->to, &cell);
		fence_off(step);
		break;
	case STEP_UNMAP:
		need(!vmset_unmap(set, step->from, size), "vmset_unmap");
		model_unmap(&model, step->from, step->to);
		break;
	default:
		need(!vmset_protect(set, step->from, size, step->flags),
		     "vmset_protect");
		model_update(&model, step->from, step->to, these_flags,
			     step->flags);
		break;
	}
}

static void note_state(void)
{
	struct state *state = &states[states_n++];
	size_t cell = 0;

	memcpy(state->cells, model.cells, sizeof(state->cells));
	state->len = 0;
	while (model_next(&model, cell, &state->areas[state->len]))
		cell = state->areas[state->len++].end;
	state->published = state->end = log_length();
}

/* One with data, at the end of the space. */
static void widen(void)
{
	const struct vmset_area last = {
		.start = SPACE - 1, .end = SPACE, .flags = 9,
		.offset = SPACE - 1, .data = &set,
	};
	const struct model_cell cell = {
		.state = MODEL_AREA, .flags = 9, .backend = &backend,
	};

	need(!vmset_map_area(set, &last, 0), "vmset_map_area");
	model_map(&model, SPACE - 1, SPACE, &cell);
}

static void begin(const struct script *script)
{
	const struct vmset_config config = {
		.size = sizeof(config), .bounds = { 0, SPACE }, .granule = 1,
		.backend = &backend,
	};
	const struct step *step;

	need(!vmset_create(&set, &config), "vmset_create");
	model_init(&model, 0, 1, SPACE, true);
	for (unsigned int i = 0; i < script->areas; i++)
		take(&(struct step){
			STEP_MAP, (uint8_t)(i * script->spread),
			(uint8_t)(i * script->spread + 1), 9 });
	if (script->wide)
		widen();
	for (step = script->begin; step->kind; step++)
		take(step);
}

void script_run(const struct script *script, unsigned int steps)
{
	const struct step *step = script->round;

	begin(script);
	log_start();
	states_n = 0;
	note_state();
	for (unsigned int i = 0; i < steps; i++) {
		take(step++);
		note_state();
		if (!step->kind)
			step = script->round;
	}
	log_stop();
}

void script_end(void)
{
	log_free();
	model_free(&model);
	need(!vmset_destroy(set), "vmset_destroy");
}

/* ---- states ---- */

size_t script_states(void)
{
	return states_n;
}

size_t script_published(size_t state)
{
	return state < states_n ? states[state].published : SIZE_MAX;
}

void script_set_published(size_t state, size_t store)
{
	states[state].published = store;
}

size_t script_step_end(size_t state)
{
	return states[state].end;
}

/* ---- what the model says ---- */

static struct answer area_answer(bool found, const struct vmset_area *area)
{
	if (!found)
		return (struct answer){ .result = 0 };
	return (struct answer){
		.result = 1, .start = area->start, .end = area->end,
		.flags = area->flags, .offset = area->offset,
	};
}

static struct answer run_answer(const struct vmset_area *areas, size_t n)
{
	struct answer answer = { .result = n };

	for (size_t i = 0; i < n; i++) {
		answer.flags += areas[i].flags;
		answer.offset += areas[i].offset;
	}
	if (n) {
		answer.start = areas[0].start;
		answer.end = areas[n - 1].end;
	}
	return answer;
}

static struct answer ranges_answer(const struct vmset_area *areas, size_t n)
{
	struct answer answer = { .result = n };

	for (size_t i = 0; i < n; i++) {
		answer.start += areas[i].start;
		answer.end += areas[i].end;
	}
	return answer;
}

/* As many areas as the answer has, but any that there are if it has none. */
static size_t run_length(const struct answer *answer, size_t left)
{
	return answer->result && answer->result < left ? answer->result : left;
}

static bool is_taken(const struct state *state, uintptr_t addr, size_t size)
{
	for (uintptr_t at = addr; at < addr + size && at < SPACE; at++)
		if (state->cells[at].state != MODEL_FREE)
			return true;
	return false;
}

/* How many areas end at or below the address. */
static size_t areas_below(const struct state *state, uintptr_t addr)
{
	size_t n = 0;

	while (n < state->len && state->areas[n].end <= addr)
		n++;
	return n;
}

/* The addresses around one that nothing tells apart from it. */
static struct vmset_range alike(const struct state *state, uintptr_t addr)
{
	struct vmset_range range = { addr, addr + 1 };
	enum model_state kind = state->cells[addr].state;

	if (kind != MODEL_FREE)
		return range;
	while (range.start && state->cells[range.start - 1].state == kind)
		range.start--;
	while (range.end < SPACE && state->cells[range.end].state == kind)
		range.end++;
	return range;
}

static struct answer expect_explanation(const struct state *state,
					uintptr_t addr)
{
	size_t i = areas_below(state, addr);
	const struct vmset_area *area = &state->areas[i];
	bool inside = i < state->len && area->start <= addr;
	struct vmset_range range = alike(state, addr);
	struct answer answer = area_answer(inside, area);

	answer.result = VMSET_CAUSE_FREE;
	if (inside)
		answer.result = area->flags & VMSET_READ ?
			VMSET_CAUSE_ALLOWED : VMSET_CAUSE_PROTECTED;
	else if (state->cells[addr].state != MODEL_FREE)
		answer.result = VMSET_CAUSE_GUARD;
	if (!inside) {
		answer.start = range.start;
		answer.end = range.end;
	}
	answer.below = i ? area[-1].end : 0;
	answer.above = i + inside < state->len ? area[inside].start : 0;
	return answer;
}

struct answer script_expect(size_t number, const struct question *question,
			    const struct answer *answer)
{
	const struct state *state = &states[number];
	const uintptr_t addr = question->addr;
	size_t i = areas_below(state, addr), left = state->len - i;
	const struct vmset_area *area = &state->areas[i];

	switch (question->kind) {
	case ASK_LEN:
		return (struct answer){ .result = state->len };
	case ASK_EMPTY:
		return (struct answer){ .result = state->len == 0 };
	case ASK_OVERLAPS:
		return (struct answer){
			.result = is_taken(state, addr, question->size) };
	case ASK_EXPLAIN:
		return expect_explanation(state, addr);
	case ASK_RUN:
		return run_answer(area, run_length(answer, left));
	case ASK_RANGES:
		return ranges_answer(area, run_length(answer, left));
	case ASK_BELOW:
		return area_answer(i, area - 1);
	case ASK_NEXT:
		return area_answer(left, area);
	default:
		return area_answer(left && area->start <= addr, area);
	}
}

bool script_knows(const struct question *question)
{
	bool guards = false;

	for (size_t i = 0; i < states_n; i++)
		for (size_t at = 0; at < SPACE; at++)
			guards |= states[i].cells[at].state ==
				  MODEL_GUARD_AFTER;
	return (question->kind != ASK_RUN && question->kind != ASK_RANGES) ||
	       !guards;
}

/* ---- what the library says ---- */

static struct answer explain(uintptr_t addr)
{
	struct vmset_fault fault = { .size = sizeof(fault) };
	int result = vmset_explain(set, addr, VMSET_READ, &fault);

	return (struct answer){
		.result = result ? 0 : fault.cause,
		.start = fault.range.start, .end = fault.range.end,
		.flags = fault.area.flags, .offset = fault.area.offset,
		.below = fault.below.end, .above = fault.above.start,
	};
}

static struct answer ask_run(uintptr_t addr)
{
	struct vmset_iter iter;

	if (vmset_iter_init(&iter, set, addr) || !vmset_iter_fill(&iter))
		return (struct answer){ .result = 0 };
	return run_answer(iter.areas, iter.n);
}

static struct answer ask_ranges(uintptr_t addr)
{
	struct vmset_range ranges[SPACE];
	struct vmset_area areas[SPACE] = { { .start = 0 } };
	size_t n = vmset_next_ranges(set, &addr, ranges, SPACE);

	for (size_t i = 0; i < n; i++) {
		areas[i].start = ranges[i].start;
		areas[i].end = ranges[i].end;
	}
	return ranges_answer(areas, n);
}

struct answer script_ask(const struct question *question)
{
	const uintptr_t addr = question->addr;
	struct vmset_area area = { 0 };

	switch (question->kind) {
	case ASK_LEN:
		return (struct answer){ .result = vmset_len(set) };
	case ASK_EMPTY:
		return (struct answer){ .result = vmset_is_empty(set) };
	case ASK_OVERLAPS:
		return (struct answer){
			.result = vmset_overlaps(set, addr, question->size) };
	case ASK_EXPLAIN:
		return explain(addr);
	case ASK_RUN:
		return ask_run(addr);
	case ASK_RANGES:
		return ask_ranges(addr);
	case ASK_BELOW:
		return area_answer(vmset__tree_read_below(&set->tree, addr,
							  vmset__is_hidden,
							  &area), &area);
	case ASK_NEXT:
		return area_answer(!vmset_next(set, addr, &area), &area);
	default:
		return area_answer(!vmset_find(set, addr, &area), &area);
	}
}

bool answer_is(const struct answer *a, const struct answer *b)
{
	return a->result == b->result && a->start == b->start &&
	       a->end == b->end && a->flags == b->flags &&
	       a->offset == b->offset && a->below == b->below &&
	       a->above == b->above;
}

/* ---- names ---- */

void script_name(const void *addr, char *text, size_t size)
{
	const struct vmset__tree *tree = &set->tree;
	const struct {
		const void *addr;
		const char *name;
	} names[] = {
		{ &tree->root, "root" },
		{ &tree->seq, "seq" },
		{ &tree->slot, "slot" },
		{ &tree->fresh, "fresh" },
		{ &tree->len[0], "len[0]" },
		{ &tree->len[1], "len[1]" },
		{ &tree->slab.epoch, "epoch" },
	};

	snprintf(text, size, "node + %#tx",
		 (const char *)addr - (const char *)set);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].addr == addr)
			snprintf(text, size, "%s", names[i].name);
}
