/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Readers without a lock, at every moment of a writer:  interleave [NAME]
 *
 * Scripts of operations run once each, in a build of the library with the
 * smallest nodes there can be whose every store to what readers see is logged.
 * Between any two stores, all questions must have the answers of one state
 * of the model (that is what a signal handler sees that interrupts the writer).
 * That shows which store publishes each operation.  Then single calls of
 * readers are followed in all ways in which they can fall among the stores,
 * in order and out of order; each answer must be that of a state between the
 * call's first step and its last.
 *
 * With VMSET_TEST_LONG in the environment calls are followed further.  NAME
 * is one of the scripts below, to do only that.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interleave-explore.h"
#include "interleave-log.h"
#include "interleave-script.h"
#include "tools.h"

#define QUESTIONS_MOST (7 * SPACE + 2)

struct job {
	struct script script;
	unsigned int steps;             /* of the rounds */
};

static const struct job jobs[] = {
	{ { "one leaf",
	    .begin = { { STEP_MAP, 16, 48, 1 } },
	    .round = { { STEP_PROTECT, 24, 40, 2 }, { STEP_MAP, 20, 44, 3 },
		       { STEP_UNMAP, 28, 36, 0 }, { STEP_MAP, 16, 48, 1 } } },
	  12 },
	{ { "one wide leaf", .wide = true,
	    .begin = { { STEP_MAP, 16, 48, 1 } },
	    .round = { { STEP_PROTECT, 24, 40, 2 }, { STEP_UNMAP, 28, 36, 0 },
		       { STEP_MAP, 16, 48, 1 } } },
	  9 },
	{ { "two levels", .spread = 8, .areas = 8,
	    .begin = { { STEP_MAP, 70, 120, 1 } },
	    .round = { { STEP_PROTECT, 80, 100, 2 },
		       { STEP_MAP, 74, 110, 3 }, { STEP_UNMAP, 84, 100, 0 },
		       { STEP_MAP, 70, 120, 1 } } },
	  12 },
	{ { "across leaves", .spread = 4, .areas = 12,
	    .round = { { STEP_PROTECT, 6, 34, 2 }, { STEP_MAP, 7, 35, 3 },
		       { STEP_UNMAP, 11, 31, 0 }, { STEP_PROTECT, 4, 40, 9 },
		       { STEP_MAP, 12, 13, 9 }, { STEP_MAP, 16, 17, 9 },
		       { STEP_MAP, 20, 21, 9 }, { STEP_MAP, 24, 25, 9 } } },
	  10 },
	{ { "three levels", .spread = 3, .areas = 42,
	    .round = { { STEP_PROTECT, 20, 70, 2 }, { STEP_MAP, 25, 65, 3 },
		       { STEP_UNMAP, 31, 61, 0 }, { STEP_PROTECT, 4, 40, 9 },
		       { STEP_MAP, 33, 34, 9 }, { STEP_MAP, 36, 37, 9 },
		       { STEP_MAP, 39, 40, 9 }, { STEP_MAP, 42, 43, 9 } } },
	  8 },
	{ { "up from nothing",
	    .begin = { { STEP_MAP, 60, 61, 1 } },
	    .round = { { STEP_UNMAP, 0, 128, 0 }, { STEP_MAP, 60, 61, 1 },
		       { STEP_MAP, 64, 65, 1 }, { STEP_MAP, 50, 51, 1 },
		       { STEP_MAP, 54, 55, 1 }, { STEP_MAP, 58, 59, 1 },
		       { STEP_MAP, 70, 71, 1 } } },
	  10 },
	/* An area in the second leaf begins where the first leaf has none. */
	{ { "from leaf to leaf", .spread = 4, .areas = 12,
	    .begin = { { STEP_UNMAP, 8, 13, 0 }, { STEP_UNMAP, 16, 17, 0 },
		       { STEP_UNMAP, 20, 21, 0 }, { STEP_UNMAP, 28, 29, 0 },
		       { STEP_MAP, 10, 19, 1 } },
	    .round = { { STEP_MAP, 9, 12, 3 }, { STEP_UNMAP, 9, 12, 0 },
		       { STEP_MAP, 10, 19, 1 } } },
	  7 },
	{ { "guards", .spread = 8, .areas = 6,
	    .round = { { STEP_FENCED, 10, 12, 1 },
		       { STEP_FENCED, 18, 20, 2 }, { STEP_UNMAP, 10, 20, 0 },
		       { STEP_MAP, 16, 17, 9 }, { STEP_FENCED, 4, 6, 1 },
		       { STEP_FENCED, 11, 13, 2 }, { STEP_UNMAP, 0, 14, 0 },
		       { STEP_MAP, 0, 1, 9 } } },
	  10 },
};

#define JOBS (sizeof(jobs) / sizeof(*jobs))

/* In which ways calls are followed. */
enum way { IN_ORDER, OUT_OF_ORDER, GOING_THROUGH, WAYS };

struct counts {
	unsigned long handlers, ended, restarts, loads;
	/* Of the beginnings of calls: those followed in all ways, or not. */
	unsigned long all, some;
	unsigned int switches;          /* the fewest of the latter */
};

/* Those that are asked of a script. */
static struct question questions[QUESTIONS_MOST];
static size_t questions_n;

/* ---- a question, asked in an exploration ---- */

struct asked {
	const struct question *question;
	size_t state;                   /* where the answer has to be its */
	struct answer answer;
};

static void ask(void *arg)
{
	struct asked *asked = arg;

	asked->answer = script_ask(asked->question);
}

static bool is_of(const struct asked *asked, size_t state)
{
	struct answer want = script_expect(state, asked->question,
					   &asked->answer);

	return answer_is(&want, &asked->answer);
}

static bool is_of_the_state(void *arg, size_t from, size_t to)
{
	const struct asked *asked = arg;

	(void)from, (void)to;
	return is_of(asked, asked->state);
}

/* Whether the answer is that of a state that was between two stores. */
static bool is_of_a_moment(void *arg, size_t from, size_t to)
{
	for (size_t state = 0; state < script_states(); state++)
		if (script_published(state) <= to &&
		    script_published(state + 1) > from && is_of(arg, state))
			return true;
	return false;
}

static void print_answer(const struct answer *answer)
{
	printf("%zu, [%" PRIuPTR ", %" PRIuPTR ") flags %u, beside it "
	       "%" PRIuPTR " and %" PRIuPTR "\n", answer->result,
	       answer->start, answer->end, answer->flags, answer->below,
	       answer->above);
}

static void report(struct exploration *call, const struct asked *asked)
{
	static const char *const names[] = {
		[ASK_FIND] = "find", [ASK_NEXT] = "next",
		[ASK_BELOW] = "below", [ASK_RUN] = "iterate",
		[ASK_RANGES] = "ranges",
		[ASK_OVERLAPS] = "overlaps", [ASK_LEN] = "len",
		[ASK_EMPTY] = "is_empty", [ASK_EXPLAIN] = "explain",
	};
	const struct question *question = asked->question;

	printf("%s(%" PRIuPTR ", %zu): %s\n", names[question->kind], question->addr,
	       question->size, call->wrong);
	for (size_t state = 0; state < script_states(); state++) {
		struct answer want = script_expect(state, question,
						   &asked->answer);

		printf("  from store %4zu on: ", script_published(state));
		print_answer(&want);
	}
	explore_show(call, script_name);
	printf("  and answers: ");
	print_answer(&asked->answer);
}

/* Whether a call may look at the set more than once. */
static bool looks_again(const struct question *question)
{
	return question->kind == ASK_EXPLAIN || question->kind == ASK_RANGES;
}

/* ---- in a signal handler ---- */

/* Whether all answers at the moment are of the state; if not, one is left. */
static bool are_of(size_t store, size_t state, struct exploration *call,
		   struct asked *asked, struct counts *counts)
{
	for (size_t i = 0; i < questions_n; i++) {
		*asked = (struct asked){ &questions[i], .state = state };
		*call = (struct exploration){
			.call = ask, .right = is_of_the_state, .arg = asked,
			.from = store,
			.go_through = looks_again(&questions[i]),
		};
		counts->handlers++;
		if (!explore(call))
			return false;
		if (call->restarts) {
			call->wrong = "it starts again while nothing changes";
			return false;
		}
	}
	return true;
}

/*
 * Through the stores of the step that makes the state: all see the state
 * before, until one store after which all see the new one.
 */
static bool find_publication(size_t state, struct counts *counts)
{
	size_t store = script_step_end(state - 1);
	struct exploration call = { 0 };
	struct asked asked = { .question = &questions[0] };

	while (store < script_step_end(state) &&
	       are_of(store, state - 1, &call, &asked, counts))
		store++;
	script_set_published(state, store);
	while (store <= script_step_end(state) &&
	       are_of(store, state, &call, &asked, counts))
		store++;
	if (store > script_step_end(state))
		return true;
	report(&call, &asked);
	return false;
}

/* ---- beside the writer ---- */

/* Calls are followed with so many switches, however many ways that makes, */
static unsigned int least_switches(enum way way)
{
	if (tools_slow())
		return 0;
	return way == GOING_THROUGH ? 1 : 2;
}

/* and with more, as long as they do not take more loads than this. */
static unsigned long most_loads(void)
{
	if (getenv("VMSET_TEST_LONG"))
		return 100000;
	return tools_slow() ? 100 : 5000;
}

static void count_call(struct counts *counts, const struct exploration *call)
{
	counts->ended += call->calls;
	counts->restarts += call->restarts;
	counts->loads += call->loads;
	if (!call->more) {
		counts->all++;
		return;
	}
	if (!counts->some++ || call->switches < counts->switches)
		counts->switches = call->switches;
}

/* With ever more switches, until there are no more ways or too many. */
static bool follow_call(const struct exploration *how, unsigned int least,
			struct counts *counts)
{
	struct exploration done, next = *how;

	next.switches = least - 1;
	do {
		done = next;
		next = *how;
		next.switches = done.switches + 1;
		if (next.switches > least)
			next.most = most_loads();
		if (!explore(&next)) {
			report(&next, next.arg);
			return false;
		}
	} while (!next.given_up && next.more);
	if (next.given_up)
		done.more = true;
	count_call(counts, next.given_up ? &done : &next);
	return true;
}

static bool follow(const struct question *question, enum way way,
		   struct counts *counts)
{
	struct asked asked = { .question = question };
	struct exploration how = {
		.call = ask, .right = is_of_a_moment, .arg = &asked,
		.out_of_order = way == OUT_OF_ORDER,
		.go_through = way == GOING_THROUGH,
	};

	for (size_t state = 0; state < script_states(); state++) {
		how.from = script_published(state);
		if (!follow_call(&how, least_switches(way), counts))
			return false;
	}
	return true;
}

static bool follow_all(enum way way, struct counts *counts)
{
	for (size_t i = 0; i < questions_n; i++) {
		/* It looks several times, which is not to start again. */
		if (looks_again(&questions[i]) && way != GOING_THROUGH)
			continue;
		if (!follow(&questions[i], way, counts))
			return false;
	}
	return true;
}

/* ---- scripts ---- */

/* Whether two questions have the same answers in all states. */
static bool are_alike(const struct question *a, const struct question *b)
{
	const struct answer one_area = { .result = 1 };

	for (size_t state = 0; state < script_states(); state++) {
		struct answer one = script_expect(state, a, &one_area);
		struct answer other = script_expect(state, b, &one_area);

		if (!answer_is(&one, &other))
			return false;
	}
	return true;
}

/* Of addresses in a row whose answers are alike, the first and the last. */
static void add_questions(enum question_kind kind, size_t size)
{
	struct question last = { kind, 0, size };
	bool alike = false;

	if (!script_knows(&last))
		return;
	for (uintptr_t addr = 0; addr < SPACE; addr++) {
		struct question next = { kind, addr + 1, size };
		bool next_alike = addr + 1 < SPACE && are_alike(&last, &next);

		if (!alike || !next_alike)
			questions[questions_n++] = last;
		alike = next_alike;
		last = next;
	}
}

static void add_all_questions(void)
{
	questions_n = 0;
	add_questions(ASK_FIND, 0);
	add_questions(ASK_NEXT, 0);
	add_questions(ASK_BELOW, 0);
	add_questions(ASK_RUN, 0);
	add_questions(ASK_RANGES, 0);
	add_questions(ASK_OVERLAPS, 3);
	add_questions(ASK_EXPLAIN, 0);
	questions[questions_n++] = (struct question){ .kind = ASK_LEN };
	questions[questions_n++] = (struct question){ .kind = ASK_EMPTY };
}

static unsigned int steps_of(const struct job *job)
{
	if (getenv("VMSET_TEST_LONG"))
		return job->steps * 3 / 2;
	return tools_slow() ? 6 : job->steps;
}

static bool run_way(enum way way, struct counts *counts)
{
	static const char *const names[] = {
		[IN_ORDER] = "in order", [OUT_OF_ORDER] = "out of order",
		[GOING_THROUGH] = "going through",
	};

	if (!follow_all(way, counts))
		return false;
	printf("  %-13s %8lu calls, %8lu start again, %9lu loads; "
	       "%lu starts in all ways", names[way], counts->ended,
	       counts->restarts, counts->loads, counts->all);
	if (counts->some)
		printf(", %lu with at least %u switches", counts->some,
		       counts->switches);
	putchar('\n');
	return true;
}

static void add(struct counts *sum, const struct counts *counts)
{
	sum->handlers += counts->handlers;
	sum->ended += counts->ended;
	sum->restarts += counts->restarts;
	sum->loads += counts->loads;
	sum->all += counts->all;
	sum->some += counts->some;
}

static bool run(const struct job *job, struct counts *sum)
{
	struct counts counts = { 0 };
	bool good = true;

	script_run(&job->script, steps_of(job));
	add_all_questions();
	for (size_t state = 1; state < script_states() && good; state++)
		good = find_publication(state, &counts);
	printf("%s: %zu operations, %zu stores, %lu calls in handlers\n",
	       job->script.name, script_states() - 1, log_length(),
	       counts.handlers);
	add(sum, &counts);
	for (enum way way = 0; way < WAYS && good; way++) {
		counts = (struct counts){ 0 };
		good = run_way(way, &counts);
		add(sum, &counts);
	}
	script_end();
	return good;
}

int main(int argc, char **argv)
{
	struct counts sum = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < JOBS; i++) {
		if (argc > 1 && strcmp(argv[1], jobs[i].script.name) != 0)
			continue;
		if (!run(&jobs[i], &sum))
			return EXIT_FAILURE;
	}
	printf("interleave: %lu calls in handlers, %lu calls beside the "
	       "writer, %lu start again, %lu loads\n", sum.handlers,
	       sum.ended, sum.restarts, sum.loads);
	return EXIT_SUCCESS;
}
