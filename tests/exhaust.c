/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Small worlds, exhausted:  exhaust [UNITS [NAME]]
 *
 * The library, built with the smallest nodes there can be, against a model: in
 * spaces of UNITS addresses (or a few less) from every state that can be
 * reached every operation with every argument, once as it is, and again with
 * each call of a backend failing and with memory refused at every point; and
 * in larger worlds from chosen states.  The first disagreement is reported and
 * ends it.
 *
 * With VMSET_TEST_LONG in the environment UNITS is 6, else 3.  NAME is one of
 * the jobs below, to do only that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exhaust-deep.h"
#include "exhaust-space.h"
#include "exhaust-states.h"
#include "tools.h"

/* Promises. */
#define NONE  0
#define ALL   (VMSET_BACKEND_REPLACES | VMSET_BACKEND_SPANS | \
	       VMSET_BACKEND_JOINS)
#define EVERY (ALL | VMSET_BACKEND_DISCARDS)

#define APART VMSET_NO_MERGE

/* What else there is, beside areas with flags. */
enum { SHIFTS = 1, DATAS = 2, GUARDS = 4, LOSTS = 8, LIMITS = 16 };

/* What is tried: everything, in one of three depths, or in larger worlds. */
enum way { PLAIN, FAILING, UNDOING, FAMILY, FAMILY_UNDOING, WALK };

/* A place where units are aligned in all ways, or an end of all addresses. */
enum place { ODD, LOW, TOP };

/* What there is to do, each in a process of its own. */
struct job {
	const char *name;
	unsigned int flags, backends;
	uint32_t promises[MOCK_BACKENDS];
	uint32_t options;
	unsigned int with;
	unsigned int less;              /* than 6 units, or in proportion */
	enum place place;
	enum way way;
};

/*
 * The largest first.  Where flags, backends, guards and lost ranges come
 * together with every way to fail, there are too many states for six units.
 */
static const struct job jobs[] = {
	{ "areas", 3, 2, { NONE, NONE }, 0, 0, 0, ODD, FAILING },
	{ "apart", 3, 2, { NONE, NONE }, APART, 0, 0, ODD, PLAIN },
	{ "promises", 3, 2, { ALL, ALL }, 0, 0, 0, ODD, PLAIN },
	{ "apart, failing", 3, 2, { NONE, NONE }, APART, 0, 1, ODD, FAILING },
	{ "promises, failing", 3, 2, { ALL, ALL }, 0, 0, 1, ODD, FAILING },
	{ "promises, apart", 3, 2, { ALL, ALL }, APART, 0, 1, ODD, FAILING },
	{ "undo", 3, 2, { NONE, NONE }, 0, 0, 2, ODD, UNDOING },
	{ "undo, promises", 3, 2, { ALL, ALL }, APART, 0, 2, ODD, UNDOING },
	{ "undo, unlike", 3, 2, { NONE, EVERY }, APART, 0, 2, ODD, UNDOING },
	{ "undo, discards", 3, 2, { EVERY, EVERY }, 0, 0, 2, ODD, UNDOING },
	{ "offsets", 2, 2, { NONE, NONE }, 0, SHIFTS, 2, ODD, UNDOING },
	{ "data", 1, 1, { ALL, ALL }, 0, SHIFTS | DATAS, 1, ODD,
	  UNDOING },
	{ "guards", 2, 2, { NONE, NONE }, 0, GUARDS, 2, ODD, FAILING },
	{ "guards, apart", 2, 2, { ALL, NONE }, APART, GUARDS, 2, ODD,
	  FAILING },
	{ "lost", 2, 2, { NONE, NONE }, 0, LOSTS, 2, ODD, UNDOING },
	{ "lost, apart", 2, 2, { ALL, ALL }, APART, LOSTS, 2, ODD,
	  UNDOING },
	{ "lost, unlike", 2, 2, { NONE, EVERY }, 0, LOSTS, 2, ODD,
	  UNDOING },
	{ "guards, lost", 2, 2, { NONE, ALL }, 0, GUARDS | LOSTS, 2,
	  ODD, FAILING },
	{ "limits", 1, 1, { NONE, NONE }, APART, GUARDS | LIMITS, 0,
	  ODD, PLAIN },
	{ "limits, low", 1, 1, { NONE, NONE }, 0, GUARDS | LIMITS, 1,
	  LOW, PLAIN },
	{ "limits, top", 1, 1, { NONE, NONE }, 0, GUARDS | LIMITS, 1,
	  TOP, PLAIN },
	{ "deep", 3, 2, { NONE, NONE }, 0, 0, 0, ODD, FAMILY },
	{ "deep, apart", 3, 2, { ALL, EVERY }, APART, 0, 0, TOP,
	  FAMILY_UNDOING },
	{ "walk", 3, 2, { NONE, NONE }, 0, SHIFTS | DATAS, 0, LOW,
	  WALK },
	{ "walk, apart", 3, 2, { ALL, EVERY }, APART, 0, 0, ODD, WALK },
};

#define JOBS (sizeof(jobs) / sizeof(*jobs))

static struct space make_space(const struct job *job, unsigned int units)
{
	const uintptr_t origins[] = { [ODD] = 5, [LOW] = 0,
				      [TOP] = UINTPTR_MAX - units };

	return (struct space){
		.name = job->name, .units = units,
		.origin = origins[job->place],
		.flags = job->flags, .backends = job->backends,
		.promises = { job->promises[0], job->promises[1] },
		.options = job->options,
		.shifts = job->with & SHIFTS, .datas = job->with & DATAS,
		.guards = job->with & GUARDS, .lost = job->with & LOSTS,
		.limits = job->with & LIMITS,
	};
}

static void run_way(const struct job *job, unsigned int units,
		    struct counts *counts)
{
	struct space small = make_space(job, units - job->less * units / 6);
	struct space large = make_space(job, units < 3 ? 16 : 40);
	unsigned int one_in = units < 6 ? 997 : 5;

	switch (job->way) {
	case FAMILY:
		deep_family(&large, TRIAL_FAILING, one_in, counts);
		break;
	case FAMILY_UNDOING:
		deep_family(&large, TRIAL_EVERY_UNDO, one_in, counts);
		break;
	case WALK:
		deep_walk(&large, 1000ul << 2 * units, counts);
		break;
	default:
		space_explore(&small, (enum thoroughness)job->way, counts);
	}
}

static void run_job(const struct job *job, unsigned int units,
		    struct counts *counts)
{
	run_way(job, units, counts);
	printf("%-17s %lu states, %lu transitions, %lu with calls failing, "
	       "%lu short of memory, tree depth %lu\n", job->name,
	       counts->states, counts->transitions, counts->failures,
	       counts->shortages, counts->depth);
}

/* ---- in processes ---- */

static void add(struct counts *sum, const struct counts *counts)
{
	sum->states += counts->states;
	sum->transitions += counts->transitions;
	sum->failures += counts->failures;
	sum->shortages += counts->shortages;
	if (sum->depth < counts->depth)
		sum->depth = counts->depth;
}

/* Do the job in a child, which writes its counts to the pipe. */
static void start(const struct job *job, unsigned int units, int pipe)
{
	struct counts counts = { 0 };
	pid_t child = fork();

	if (child < 0) {
		perror("exhaust: fork");
		exit(EXIT_FAILURE);
	}
	if (child)
		return;
	run_job(job, units, &counts);
	fflush(stdout);
	if (write(pipe, &counts, sizeof(counts)) != sizeof(counts))
		exit(EXIT_FAILURE);
	exit(EXIT_SUCCESS);
}

/* Wait for any child.  Whether all was well. */
static bool finish(void)
{
	int status;

	return wait(&status) > 0 && WIFEXITED(status) &&
	       WEXITSTATUS(status) == EXIT_SUCCESS;
}

/*
 * All jobs, or those with the name, so many at a time.  Returns how many
 * failed; the first ends it.
 */
static unsigned int run_jobs(unsigned int units, const char *name,
			     long at_a_time, int pipe)
{
	unsigned int failures = 0;
	long running = 0;

	for (size_t i = 0; i < JOBS && !failures; i++) {
		if (name && strcmp(name, jobs[i].name) != 0)
			continue;
		start(&jobs[i], units, pipe);
		if (++running < at_a_time)
			continue;
		running--;
		failures += !finish();
	}
	for (; running; running--)
		failures += !finish();
	return failures;
}

static unsigned int choose_units(int argc, char **argv)
{
	unsigned long units = 3;

	if (getenv("VMSET_TEST_LONG"))
		units = 6;
	else if (ON_VALGRIND)
		units = 1;
	if (argc > 1)
		units = strtoul(argv[1], NULL, 10);
	if (argc > 3 || units < 1 || units > STATES_UNITS) {
		fprintf(stderr, "usage: exhaust [UNITS [NAME]], UNITS from 1 "
			"to %d\n", STATES_UNITS);
		exit(EXIT_FAILURE);
	}
	return (unsigned int)units;
}

int main(int argc, char **argv)
{
	unsigned int units = choose_units(argc, argv), failures;
	struct counts sum = { 0 }, counts;
	int ends[2];

	if (pipe(ends)) {
		perror("exhaust: pipe");
		return EXIT_FAILURE;
	}
	failures = run_jobs(units, argc > 2 ? argv[2] : NULL,
			    sysconf(_SC_NPROCESSORS_ONLN), ends[1]);
	close(ends[1]);
	while (read(ends[0], &counts, sizeof(counts)) == sizeof(counts))
		add(&sum, &counts);
	printf("exhaust: %lu states, %lu transitions, %lu with calls failing, "
	       "%lu short of memory, tree depth %lu, %u failures\n",
	       sum.states, sum.transitions, sum.failures, sum.shortages,
	       sum.depth, failures);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
