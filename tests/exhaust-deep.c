/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Families of states, and walks.
 */
#include "exhaust-deep.h"

#include <errno.h>
#include <string.h>

#include "rng.h"

/* ---- the family ---- */

#define PATTERNS 8

/* What a pattern has from unit i on: how many units, and what they are. */
static unsigned int pattern(unsigned int number, unsigned int i,
			    unsigned int units, struct unit *like)
{
	*like = (struct unit){ .kind = AREA };
	switch (number) {
	case 0: /* flags in turn */
		like->flags = world_flags[i % 2];
		return 1;
	case 1: /* every other unit free */
		like->kind = i % 2 ? FREE : AREA;
		return 1;
	case 2: /* two of a backend, two of the other, one free */
		like->backend = i % 5 / 2 % 2;
		like->kind = i % 5 == 4 ? FREE : AREA;
		return i % 5 == 4 ? 1 : 2;
	case 3: /* backends in turn */
		like->backend = i % 2;
		like->flags = world_flags[i / 2 % 2];
		return 1;
	case 4: /* equal but for offsets */
		like->shift = i % 2;
		return 1;
	case 5: /* longer and longer, with gaps between */
		like->kind = i % 3 ? AREA : FREE;
		return 1 + i / 6;
	case 6: /* one area */
		return units;
	default: /* the lower half full, above it nothing */
		like->flags = world_flags[i % 2];
		like->kind = i < units / 2 ? AREA : FREE;
		return 1;
	}
}

static void make_pattern(struct units *model, unsigned int number)
{
	unsigned int n;

	memset(model->unit, 0, sizeof(model->unit));
	for (unsigned int i = 0; i < model->count; i += n) {
		struct unit like;

		n = pattern(number, i, model->count, &like);
		if (n > model->count - i)
			n = model->count - i;
		if (like.kind == AREA)
			units_map(model, model->origin + i, n, like, true,
				  false, false);
	}
}

/* One in so many operations is tried, another one from each state. */
struct sample {
	struct trial *trial;
	unsigned int one_in, op;
};

/* Searches by far outnumber all else. */
#define MORE_PLACES   97
#define MORE_SEARCHES 9973

static void try_some(const struct op *op, void *arg)
{
	struct sample *sample = arg;
	unsigned int one_in = sample->one_in;

	if (op->call == OP_ALLOC)
		one_in *= MORE_PLACES;
	if (op->call == OP_FIND_FREE)
		one_in *= MORE_SEARCHES;
	if (sample->op++ % one_in == 0)
		trial_every_way(op, sample->trial);
}

static struct units empty(const struct space *space)
{
	return (struct units){
		.origin = space->origin, .count = space->units,
		.merge = !(space->options & VMSET_NO_MERGE),
	};
}

void deep_family(const struct space *space, enum thoroughness thorough,
		 unsigned int one_in, struct counts *counts)
{
	struct units state = empty(space);
	struct world world;
	struct trial trial = { .world = &world, .thorough = thorough };
	struct sample sample = { .trial = &trial, .one_in = one_in };

	world_open(&world, space);
	for (unsigned int i = 0; i < PATTERNS * WORLD_SHAPES; i++) {
		make_pattern(&state, i / WORLD_SHAPES);
		trial_begin(&trial, &state, i);
		op_for_each(space, try_some, &sample);
	}
	trial_end(&trial);
	*counts = trial.counts;
}

/* ---- the walk ---- */

static bool one_in(struct rng *rng, uint32_t n)
{
	return rng_below(rng, n) == 0;
}

/* Small ranges mostly, so that there are many areas. */
static void random_range(const struct space *space, struct rng *rng,
			 struct op *op)
{
	uint32_t at = rng_below(rng, space->units);
	uint32_t most = space->units - at;

	if (most > 4 && !one_in(rng, 10))
		most = 4;
	op->start = space->origin + at;
	op->size = 1 + rng_below(rng, most);
}

static void random_placement(const struct space *space, struct rng *rng,
			     struct op *op)
{
	struct vmset_placement *where = &op->where;

	where->size = sizeof(*where);
	where->hint = space->origin + rng_below(rng, space->units);
	where->align = (size_t)1 << rng_below(rng, 4);
	if (op->call == OP_FIND_FREE)
		return;
	where->policy = rng_below(rng, VMSET_RANDOM + 1);
	where->guard_before = one_in(rng, 4);
	where->guard_after = one_in(rng, 4);
}

static struct op random_op(const struct space *space, struct rng *rng)
{
	struct op op = { .call = rng_below(rng, OP_CLEAR) };

	if (one_in(rng, 2000))
		op.call = OP_CLEAR;
	random_range(space, rng, &op);
	op.like.kind = AREA;
	op.like.flags = world_flags[rng_below(rng, space->flags)];
	if (op.call == OP_MAP_AREA) {
		op.like.backend = (uint8_t)rng_below(rng, space->backends);
		op.like.shift = space->shifts && one_in(rng, 2);
		op.like.data = space->datas && one_in(rng, 2);
	}
	op.how = rng_below(rng, 2);
	op.update = rng_below(rng, OP_UPDATES);
	if (op.call == OP_ALLOC || op.call == OP_FIND_FREE)
		random_placement(space, rng, &op);
	return op;
}

static struct fault random_fault(struct rng *rng)
{
	struct fault fault = { .error = -EIO };
	unsigned int call = 1 + rng_below(rng, 4);

	if (one_in(rng, 4))
		fault.failing = MOCK_CALL(call);
	if (one_in(rng, 16))
		fault.failing = MOCK_FROM(call);
	if (one_in(rng, 16))
		fault.error = -ENOTRECOVERABLE;
	fault.scarce = one_in(rng, 4);
	fault.scarcity.class = rng_below(rng, VMSET__CLASSES);
	fault.scarcity.nodes = rng_below(rng, 8);
	fault.scarcity.requests = rng_below(rng, 2);
	return fault;
}

void deep_walk(const struct space *space, unsigned long steps,
	       struct counts *counts)
{
	struct rng rng = rng_start(space->name, 0x5eed);
	struct units state = empty(space);
	struct world world;
	struct trial trial = { .world = &world };

	world_open(&world, space);
	trial_begin(&trial, &state, 0);
	/* What is in a lost range, nobody knows. */
	world.mock.forgiving = true;
	while (steps--) {
		struct op op = random_op(space, &rng);
		struct fault fault = random_fault(&rng);

		trial_step(&trial, &op, &fault);
	}
	trial_end(&trial);
	*counts = trial.counts;
}
