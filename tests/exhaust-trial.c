/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Trials: an operation is tried once to learn which calls it makes, and then
 * with each of them failing.
 */
#include "exhaust-trial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exhaust-expect.h"
#include "exhaust-report.h"
#include "exhaust-scarce.h"

/* Operations on more entries than these may need an array. */
#define FEW 12

void trial_fail(const struct trial *trial, const char *wrong)
{
	report(trial, wrong);
	exit(EXIT_FAILURE);
}

/* ---- comparing ---- */

static bool same_answer(const struct answer *a, const struct answer *b)
{
	return a->rc == b->rc && a->start == b->start &&
	       a->asked == b->asked && memcmp(a->old, b->old, a->asked) == 0;
}

static bool same_state(const struct units *a, const struct units *b)
{
	return memcmp(a->unit, b->unit, a->count * sizeof(*a->unit)) == 0;
}

/* Whether the operation gave unit i new contents, or may have. */
static bool may_be_new(const struct trial *trial,
		       const struct outcome *outcome, unsigned int i)
{
	const struct op *op = trial->op;
	uintptr_t at = outcome->after.origin + i;
	uintptr_t start = op->call == OP_ALLOC ? outcome->got.start : op->start;

	return !outcome->got.rc && op->call != OP_PROTECT &&
	       op->call != OP_UPDATE && at >= start && at - start < op->size;
}

/* Memory of the areas that stay is as it was. */
static const char *check_contents(const struct trial *trial,
				  const struct outcome *outcome)
{
	const struct world *world = trial->world;

	for (unsigned int i = 0; i < outcome->after.count; i++) {
		if (outcome->after.unit[i].kind == AREA &&
		    world->mock.entries[i].content !=
			    world->entries[i].content &&
		    !may_be_new(trial, outcome, i))
			return "contents are lost";
	}
	return NULL;
}

/* A set that stays as it is without a fault has nothing to call about. */
static bool needless_calls(const struct trial *trial,
			   const struct outcome *outcome)
{
	if (trial->fault.failing || !outcome->calls)
		return false;
	return outcome->got.rc || trial->op->call == OP_PROTECT ||
	       trial->op->call == OP_UPDATE;
}

static void compare(struct trial *trial, struct outcome *outcome)
{
	struct world *world = trial->world;

	outcome->same = same_state(&outcome->after, &world->base);
	if (!outcome->wrong && !same_answer(&outcome->want, &outcome->got))
		outcome->wrong = "the answer";
	if (!outcome->wrong && outcome->same &&
	    needless_calls(trial, outcome))
		outcome->wrong = "calls that change nothing";
	if (trial->op->call == OP_FIND_FREE)
		trial->searched = true;
	else
		trial->dirty = !outcome->same || !world_is_untouched(world);
	if (!outcome->wrong && trial->dirty)
		outcome->wrong = world_check(world, &outcome->after);
	if (!outcome->wrong && trial->dirty)
		outcome->wrong = check_contents(trial, outcome);
	if (outcome->wrong)
		trial_fail(trial, outcome->wrong);
}

/* ---- every way ---- */

static const struct outcome *run(struct trial *trial)
{
	struct world *world = trial->world;
	const struct fault *fault = &trial->fault;
	struct outcome *outcome = &trial->outcome;

	outcome->wrong = NULL;
	outcome->refused = 0;
	mock_fail(&world->mock, fault->failing, fault->error);
	if (fault->scarce)
		scarce_begin(&trial->held, world, &fault->scarcity);
	op_on_set(trial->op, world, &outcome->got);
	if (fault->scarce)
		outcome->refused = scarce_end(&trial->held, world);
	outcome->calls = world->mock.calls;
	world->mock.failing = 0;
	expect(trial, outcome);
	compare(trial, outcome);
	return outcome;
}

/*
 * Searches go on from where others left the tree's notes; it is enough to look
 * afterwards whether they have left the rest alone.
 */
static void end_searches(struct trial *trial)
{
	const char *wrong = world_check(trial->world, &trial->world->base);

	if (wrong)
		trial_fail(trial, wrong);
	trial->searched = false;
	trial->dirty = true;
}

static const struct outcome *run_restored(struct trial *trial)
{
	if (trial->searched && trial->op->call != OP_FIND_FREE)
		end_searches(trial);
	if (trial->dirty || trial->fault.scarce)
		world_restore(trial->world);
	trial->dirty = false;
	return run(trial);
}

static bool any_lost(const struct units *model)
{
	unsigned int i = 0;

	while (i < model->count && model->unit[i].kind != LOST)
		i++;
	return i < model->count;
}

static unsigned int entries(const struct units *model)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < model->count; i++)
		n += model->unit[i].first;
	return n;
}

/* Go on from where an operation led to, if that belongs to the space. */
static void reach(const struct trial *trial)
{
	const struct outcome *outcome = &trial->outcome;

	if (trial->reached && !outcome->same &&
	    (trial->world->space->lost || !any_lost(&outcome->after)))
		trial->reached(&outcome->after, trial->arg);
}

/* With calls that fail.  Returns how many there were. */
static unsigned int run_failing(struct trial *trial, uint64_t failing,
				int error)
{
	unsigned int calls;

	trial->fault = (struct fault){ .failing = failing, .error = error };
	calls = run_restored(trial)->calls;
	trial->counts.failures++;
	reach(trial);
	return calls;
}

/* With that many nodes of a class.  Whether any request was refused. */
static bool run_short(struct trial *trial, enum vmset__class class,
		      unsigned int nodes)
{
	trial->fault.scarcity.class = class;
	trial->fault.scarcity.nodes = nodes;
	trial->counts.shortages++;
	return run_restored(trial)->refused;
}

/*
 * With memory refused at every point: mmap fails, and there are no nodes of a
 * class, one, and so on until none is missing.  An operation on many entries
 * begins with an mmap of its own, which fails as well, but once only.
 */
static void run_scarce(struct trial *trial, uint64_t failing, int error)
{
	unsigned int most = scarce_stock(trial->world);

	trial->fault = (struct fault){ .failing = failing, .error = error,
				       .scarce = true };
	if (entries(&trial->world->base) > FEW)
		trial->fault.scarcity.requests =
			run_short(trial, VMSET__LEAF, most);
	for (int class = 0; class < VMSET__CLASSES; class++) {
		unsigned int nodes = 0;

		while (nodes < most && run_short(trial, class, nodes))
			nodes++;
		if (nodes == most)
			trial_fail(trial, "the test has too few nodes");
	}
}

/* Call k fails, and then calls that should undo the others. */
static void fail_call(struct trial *trial, unsigned int k)
{
	unsigned int calls = run_failing(trial, MOCK_CALL(k), -EIO);

	run_failing(trial, MOCK_CALL(k), -ENOTRECOVERABLE);
	if (calls > k)
		run_failing(trial, MOCK_FROM(k), -EIO);
	if (calls == k || trial->thorough < TRIAL_EVERY_UNDO)
		return;
	run_scarce(trial, MOCK_FROM(k), -EIO);
	for (unsigned int undo = k + 1; undo <= calls && undo <= 64; undo++)
		run_failing(trial, MOCK_CALL(k) | MOCK_CALL(undo), -EIO);
}

void trial_begin(struct trial *trial, const struct units *state,
		 unsigned int number)
{
	const char *wrong;

	if (trial->searched)
		end_searches(trial);
	trial->dirty = false;
	trial->op = NULL;
	trial->outcome.wrong = NULL;
	trial->counts.states++;
	wrong = world_build(trial->world, state, number % WORLD_SHAPES);
	if (wrong)
		trial_fail(trial, wrong);
}

void trial_end(struct trial *trial)
{
	const char *wrong;

	trial->op = NULL;
	trial->outcome.wrong = NULL;
	wrong = world_close(trial->world);
	if (wrong)
		trial_fail(trial, wrong);
	if (trial->counts.depth < trial->world->depth)
		trial->counts.depth = trial->world->depth;
}

void trial_every_way(const struct op *op, void *arg)
{
	struct trial *trial = arg;
	const struct outcome *outcome;
	unsigned int calls;

	trial->op = op;
	trial->fault = (struct fault){ 0 };
	outcome = run_restored(trial);
	calls = outcome->calls;
	trial->counts.transitions++;
	reach(trial);
	if (trial->thorough == TRIAL_PLAIN || (outcome->same && !calls))
		return;
	for (unsigned int k = 1; k <= calls && k <= 64; k++)
		fail_call(trial, k);
	run_scarce(trial, 0, 0);
}

void trial_step(struct trial *trial, const struct op *op,
		const struct fault *fault)
{
	trial->op = op;
	trial->fault = *fault;
	run(trial);
	trial->counts.transitions++;
	trial->counts.failures += fault->failing != 0;
	trial->counts.shortages += fault->scarce;
	trial->world->base = trial->outcome.after;
	world_keep_page_table(trial->world);
}
