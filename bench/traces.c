/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What real programs did to their address spaces.
 */
#include "traces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "replay.h"

static const struct {
	enum replay_target target;
	const char *peer;
} targets[] = {
	{ REPLAY_SET, "vmset" },
	{ REPLAY_BARE, "bare calls" },
};

#define TARGETS (sizeof(targets) / sizeof(targets[0]))

/* The name of the program that was recorded.  It is never freed. */
static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char *copy = strndup(name, strcspn(name, "."));

	need(copy, "no memory");
	return copy;
}

static void replay(struct results *results, const struct trace *trace,
		   const char *name, size_t target)
{
	struct replay_report report;
	struct result result = {
		.part = TRACES_PART, .work = name, .unit = "ns",
		.peer = targets[target].peer,
	};
	size_t nr;

	need(replay_run(trace, targets[target].target,
			REPLAY_NO_AREAS | REPLAY_NO_MAPS | REPLAY_NO_VERIFY,
			&report) == 0, report.error.reason);
	nr = report.done[TRACE_MAP] + report.done[TRACE_UNMAP] +
	     report.done[TRACE_PROTECT];
	result.areas = nr;
	results_add(results, &result, (double)report.ns / (double)nr);
}

void traces_measure(struct results *results, const char *path,
		    unsigned int rounds)
{
	const char *name = name_of(path);
	struct trace_error error;
	struct trace trace;

	if (trace_read(&trace, path, &error)) {
		fprintf(stderr, "bench: %s: %s\n", path, error.reason);
		exit(EXIT_FAILURE);
	}
	fprintf(stderr, "bench: recorded run %s\n", name);
	for (unsigned int round = 0; round < rounds; round++)
		for (size_t i = 0; i < TARGETS; i++)
			replay(results, &trace, name, (i + round) % TARGETS);
	trace_free(&trace);
}
