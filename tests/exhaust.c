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
 * With VMSET_TEST_LONG in the environment UNITS is 6, else 3, or less where each
 * step is dear.  NAME is one of the jobs below, to do only that.
 *
 * Exit status 1: there is a disagreement; 2: the arguments make no sense.
 */
#include <errno.h>
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
 * The largest first.  Where backends, guards and lost ranges come together with
 * every way to fail, there are too many states for six units.
 */
static const struct job jobs[] = {
	{ "areas", 3, 2, { NONE, NONE }, 0, 0, 0, ODD, FAILING },
	{ "apart", 3, 2, { NONE, NONE }, APART, 0, 0, ODD, FAILING },
	{ "promises", 3, 2, { ALL, ALL }, 0, 0, 1, ODD, FAILING },
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

/* Small worlds are tried by all names, too, which shows that they are only that. */
static unsigned int names_of(const struct job *job, unsigned int units)
{
	bool joins = (job->promises[0] | job->promises[1]) &
		     VMSET_BACKEND_JOINS;

	if (units < 5 || job->flags < MAX_FLAGS || job->way >= FAMILY)
		return WORLD_NAMES_OWN;
	return joins ? WORLD_NAMES_BUT0 : WORLD_NAMES_ALL;
}

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
		.names = names_of(job, units),
	};
}

/* The size of the job's world where those of others have so many units. */
static unsigned int size_world(const struct job *job, unsigned int units)
{
	if (job->way >= FAMILY)
		return units < 3 ? 16 : 40;
	return units - job->less * units / 6;
}

static void run_way(const struct job *job, const struct space *space,
		    unsigned int units, struct counts *counts)
{
	unsigned int one_in = units < 6 ? 997 : 5;

	switch (job->way) {
	case FAMILY:
		deep_family(space, TRIAL_FAILING, one_in, counts);
		break;
	case FAMILY_UNDOING:
		deep_family(space, TRIAL_EVERY_UNDO, one_in, counts);
		break;
	case WALK:
		deep_walk(space, 1000ul << 2 * units, counts);
		break;
	default:
		space_explore(space, (enum thoroughness)job->way, counts);
	}
}

static void run_job(const struct job *job, unsigned int units,
		    struct counts *counts)
{
	struct space space = make_space(job, size_world(job, units));

	run_way(job, &space, units, counts);
	printf("%-17s %u units, %lu states", job->name, space.units,
	       counts->states);
	if (space.names > WORLD_NAMES_OWN)
		printf(" for %lu that are like them", counts->alike);
	printf(", %lu transitions, %lu with calls failing, "
	       "%lu short of memory, tree depth %lu\n", counts->transitions,
	       counts->failures, counts->shortages, counts->depth);
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

/* ---- arguments ---- */

_Noreturn static void explain_usage(void)
{
	fprintf(stderr, "usage: exhaust [UNITS [NAME]], UNITS from 1 to %d, "
		"NAME one of\n", STATES_UNITS);
	for (size_t i = 0; i < JOBS; i++)
		fprintf(stderr, "\t%s\n", jobs[i].name);
	exit(2);
}

static unsigned int parse_units(const char *text)
{
	unsigned long units;
	char *end;

	errno = 0;
	units = strtoul(text, &end, 10);
	if (end == text || *end || errno || units < 1 || units > STATES_UNITS)
		explain_usage();
	return (unsigned int)units;
}

static unsigned int usual_units(void)
{
	if (getenv("VMSET_TEST_LONG"))
		return 6;
	if (ON_VALGRIND)
		return 1;
	return tools_slow() ? 2 : 3;
}

static void check_name(const char *name)
{
	size_t i = 0;

	while (i < JOBS && strcmp(name, jobs[i].name) != 0)
		i++;
	if (i == JOBS)
		explain_usage();
}

int main(int argc, char **argv)
{
	unsigned int units = argc > 1 ? parse_units(argv[1]) : usual_units();
	unsigned int failures;
	struct counts sum = { 0 }, counts;
	int ends[2];

	if (argc > 3)
		explain_usage();
	if (argc > 2)
		check_name(argv[2]);
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
