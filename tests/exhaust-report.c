/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reports of exhaustive tests.
 */
#include "exhaust-report.h"

#include <inttypes.h>
#include <stdio.h>

#include "assert.h"

static void print_state(const struct units *model, FILE *out)
{
	static const char *const kinds[] = { "free", "area", "guard before",
					     "guard after", "lost" };

	for (unsigned int i = 0; i < model->count; i++) {
		const struct unit *unit = &model->unit[i];

		if (!unit->first)
			continue;
		fprintf(out, "  [%#" PRIxPTR ", %#" PRIxPTR ") %s",
			model->origin + i, model->origin + units_end(model, i),
			kinds[unit->kind]);
		if (unit->kind == AREA)
			fprintf(out, ", flags %u, offset class %u, data %u",
				unit->flags, unit->shift, unit->data);
		if (unit->kind == AREA || unit->kind == LOST)
			fprintf(out, ", backend %u", unit->backend);
		fprintf(out, "\n");
	}
}

static void print_space(const struct space *space, FILE *out)
{
	fprintf(out, "space \"%s\": [%#" PRIxPTR ", %#" PRIxPTR "), %s; "
		"backend 0 promises %#" PRIx32 ", backend 1 %#" PRIx32 "\n",
		space->name, space->origin, space->origin + space->units,
		space->options & VMSET_NO_MERGE ? "VMSET_NO_MERGE" : "merging",
		space->promises[0], space->promises[1]);
}

static void print_fault(const struct fault *fault, FILE *out)
{
	static const char *const classes[VMSET__CLASSES] = {
		"leaf", "wide leaf", "inner",
	};

	if (fault->failing)
		fprintf(out, "calls that fail (bit 0: the first): %#" PRIx64
			", with %s\n", fault->failing,
			assert_name(fault->error));
	if (fault->scarce)
		fprintf(out, "memory: %u %s nodes, %u times mmap\n",
			fault->scarcity.nodes, classes[fault->scarcity.class],
			fault->scarcity.requests);
}

static void print_calls(const struct mock *mock, FILE *out)
{
	static const char *const names[MOCK_OPS] = { "map", "unmap",
						     "protect" };

	for (unsigned int i = 0; i < mock->calls && i < MOCK_LOG; i++) {
		const struct mock_call *call = &mock->log[i];

		fprintf(out, "  %s [%#" PRIxPTR ", %#" PRIxPTR ") flags %"
			PRIu32 " backend %u: %s\n", names[call->op],
			call->start, call->end, call->flags, call->backend - 1,
			assert_name(call->result));
	}
}

static void print_answer(const char *which, const struct answer *answer,
			 FILE *out)
{
	fprintf(out, "%s: %s", which, assert_name(answer->rc));
	if (answer->start != OP_NO_START)
		fprintf(out, ", start %#" PRIxPTR, answer->start);
	if (answer->asked)
		fprintf(out, ", update function called %u times",
			answer->asked);
	fprintf(out, "\n");
}

static void print_outcome(const struct outcome *outcome, FILE *out)
{
	print_answer("expected", &outcome->want, out);
	print_state(&outcome->after, out);
	print_answer("got", &outcome->got, out);
}

void report(const struct trial *trial, const char *wrong)
{
	const struct world *world = trial->world;

	fprintf(stderr, "exhaust: FAILED: %s\n", wrong);
	print_space(world->space, stderr);
	fprintf(stderr, "state, built in shape %u:\n", world->shape);
	print_state(&world->base, stderr);
	if (trial->op) {
		fprintf(stderr, "operation: ");
		op_print(trial->op, world->space, stderr);
		fprintf(stderr, "\n");
		print_fault(&trial->fault, stderr);
	}
	if (trial->outcome.wrong)
		print_outcome(&trial->outcome, stderr);
	fprintf(stderr, "calls:\n");
	print_calls(&world->mock, stderr);
	vmset_dump(world->set, stderr);
}
