/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Breadth-first exploration.
 *
 * Which states belong to a space is up to its operations: what they lead to is
 * explored in turn.  Lost ranges, which come of failures, are followed only
 * where the space says so; elsewhere they are checked and left at that.
 */
#include "exhaust-space.h"

#include "exhaust-states.h"

static void reached(const struct units *state, void *states)
{
	states_add(states, state);
}

/*
 * How many states there are, by arithmetic: each unit is free or one of several
 * kinds, and between equal neighbours there is a boundary or, where areas are
 * joined, never one.  0: guards or lost ranges make it less simple.
 */
static size_t count_states(const struct space *space)
{
	size_t kinds = (size_t)space->flags * space->backends *
		       (1u + space->shifts) * (1u + space->datas);
	size_t free = 1, used = kinds;

	if (space->guards || space->lost)
		return 0;
	for (unsigned int i = 1; i < space->units; i++) {
		size_t apart = space->options & VMSET_NO_MERGE ? used : 0;
		size_t all = free + used;

		used = kinds * all + apart;
		free = all;
	}
	return free + used;
}

void space_explore(const struct space *space, enum thoroughness thorough,
		   struct counts *counts)
{
	struct units state = { .origin = space->origin, .count = space->units,
			       .merge = !(space->options & VMSET_NO_MERGE) };
	struct states states = { .names = space->names };
	struct world world;
	struct trial trial = { .world = &world, .thorough = thorough,
			       .reached = reached, .arg = &states };
	size_t wanted = count_states(space);

	world_open(&world, space);
	states_add(&states, &state);
	for (size_t i = 0; i < states.n; i++) {
		states_get(&states, i, &state);
		trial_begin(&trial, &state, (unsigned int)i);
		op_for_each(space, trial_every_way, &trial);
	}
	if (wanted && wanted != states.all)
		trial_fail(&trial, "as many states as there are were not reached");
	trial_end(&trial);
	trial.counts.alike = states.all;
	states_free(&states);
	*counts = trial.counts;
}
