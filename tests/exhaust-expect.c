/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Judging failures.
 */
#include "exhaust-expect.h"

#include <errno.h>

/* A call whose undo, if there has to be one, cannot succeed. */
static bool discards(const struct trial *trial, const struct mock_call *call)
{
	return call->op == MOCK_UNMAP &&
	       trial->world->space->promises[call->backend - 1] &
	       VMSET_BACKEND_DISCARDS;
}

/* All areas that the call unmapped are lost.  Whether there are any. */
static bool lose_areas(const struct trial *trial, const struct mock_call *call,
		       struct units *after)
{
	const struct units *base = &trial->world->base;
	bool lost = false;
	unsigned int end;

	for (unsigned int i = 0; i < base->count; i = end) {
		uintptr_t start = base->origin + i, stop;

		end = units_end(base, i);
		stop = base->origin + end;
		if (base->unit[i].kind != AREA ||
		    base->unit[i].backend != call->backend - 1)
			continue;
		if (start < call->start)
			start = call->start;
		if (stop > call->end)
			stop = call->end;
		if (start >= stop)
			continue;
		units_lose(after, start, stop - start, base->unit[i].backend);
		lost = true;
	}
	return lost;
}

static bool lose_range(const struct mock_call *call, struct units *after)
{
	units_lose(after, call->start, call->end - call->start,
		   call->backend - 1);
	return true;
}

/*
 * A call failed: nothing has changed, but for what cannot be undone, what could
 * not be undone, and the range of a call that says itself that it left a mess.
 * Of what is lost twice, its backend is the one that may have something there.
 */
static void judge(const struct trial *trial, unsigned int failed,
		  struct outcome *outcome)
{
	const struct mock_call *log = trial->world->mock.log;
	struct units *after = &outcome->after;
	bool lost = false;

	*after = trial->world->base;
	for (unsigned int i = 0; i < outcome->calls; i++) {
		if (i < failed && discards(trial, &log[i]))
			lost |= lose_areas(trial, &log[i], after);
		else if (i > failed && log[i].result)
			lost |= lose_range(&log[i], after);
	}
	if (log[failed].result == -ENOTRECOVERABLE)
		lost |= lose_range(&log[failed], after);
	outcome->want.rc = lost ? -ENOTRECOVERABLE : trial->fault.error;
	outcome->want.start = OP_NO_START;
}

/* vmset_clear goes on: what is left is what was refused. */
static void judge_clear(const struct trial *trial, struct outcome *outcome)
{
	const struct mock *mock = &trial->world->mock;
	struct units *after = &outcome->after;
	bool refused[UNITS_MAX] = { false };
	bool left = false;

	*after = trial->world->base;
	for (unsigned int i = 0; i < outcome->calls; i++) {
		const struct mock_call *call = &mock->log[i];

		if (!call->result)
			units_unmap(after, call->start,
				    call->end - call->start);
		if (call->result == -ENOTRECOVERABLE)
			lose_range(call, after);
		for (uintptr_t at = call->start; at < call->end; at++)
			refused[at - after->origin] = call->result;
	}
	for (unsigned int i = 0; i < after->count; i++) {
		if (after->unit[i].kind != AREA && after->unit[i].kind != LOST)
			continue;
		left = true;
		if (!refused[i] && !outcome->refused)
			outcome->wrong = "an area is left that none refused";
	}
	outcome->want.rc = left ? trial->fault.error : 0;
	if (left && outcome->refused && outcome->got.rc == -ENOMEM)
		outcome->want.rc = -ENOMEM;
}

/* The number of the first call that is made to fail; 0: none. */
static unsigned int first_failing(const struct fault *fault)
{
	return fault->failing ?
	       (unsigned int)__builtin_ctzll(fault->failing) + 1 : 0;
}

void expect(const struct trial *trial, struct outcome *outcome)
{
	unsigned int failed = first_failing(&trial->fault);
	bool hindered = (failed && outcome->calls >= failed) ||
			outcome->refused;

	outcome->after = trial->world->base;
	op_on_model(trial->op, trial->world, &outcome->after, &outcome->got,
		    &outcome->want);
	/* Who is refused may have been asked first, or not. */
	if (outcome->want.rc)
		outcome->got.asked = 0;
	if (!hindered)
		return;
	if (trial->op->call == OP_CLEAR) {
		judge_clear(trial, outcome);
	} else if (outcome->refused && outcome->got.rc == -ENOMEM) {
		outcome->after = trial->world->base;
		outcome->want = outcome->got;
		outcome->want.start = OP_NO_START;
		if (outcome->calls)
			outcome->wrong = "a call before all memory is there";
	} else if (failed && outcome->calls >= failed) {
		judge(trial, failed - 1, outcome);
	}
}
