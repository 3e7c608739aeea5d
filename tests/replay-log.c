/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * From text to calls, from calls to operations in each space, from operations
 * to a trace, which is replayed as any other.
 */
#include "replay-log.h"

#include <stdlib.h>

struct job {
	const struct replay_log_how *how;
	struct replay_log_report *report;
	struct trace_error *error;
};

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static void add(struct replay_report *sum, const struct replay_report *one)
{
	const struct calls none = { 0 };
	size_t i;

	for (i = 0; i < TRACE_KINDS; i++)
		sum->done[i] += one->done[i];
	sum->most_areas = larger(sum->most_areas, one->most_areas);
	sum->most_vmas = larger(sum->most_vmas, one->most_vmas);
	sum->last_areas += one->last_areas;
	sum->last_vmas += one->last_vmas;
	sum->ns += one->ns;
	calls_add_since(&sum->calls, &none, &one->calls);
}

static int run_space(const struct job *job, const struct shortened *shortened,
		     size_t number)
{
	const struct replay_log_how *how = job->how;
	const struct space *space = &job->report->spaces.at[number];
	struct replay_report *one = &job->report->each[number];
	struct trace trace;
	int err = shorten_trace(shortened, space, &trace, job->error);

	if (err)
		return err;
	if (trace.pages > job->report->pages)
		job->report->pages = trace.pages;
	err = replay_run_watched(&trace, how->target, how->left_out,
				 &how->watch, one);
	trace_free(&trace);
	if (err)
		*job->error = one->error;
	job->report->copied += space->copied;
	add(&job->report->sum, one);
	return err;
}

static int run_family(const struct job *job, size_t family)
{
	const struct spaces *spaces = &job->report->spaces;
	struct shortened shortened;
	size_t i;
	int err = 0;

	if (shorten_prepare(&shortened, spaces, family, job->how->shorten))
		return trace_fail(job->error, 0, "no memory to shorten it");
	if (shortened.longest > job->report->longest)
		job->report->longest = shortened.longest;
	for (i = 0; !err && i < spaces->nr; i++)
		if (spaces->at[i].family == family)
			err = run_space(job, &shortened, i);
	shorten_free(&shortened);
	return err;
}

static int run_spaces(const struct job *job)
{
	struct replay_log_report *report = job->report;
	size_t i;
	int err = 0;

	report->each = calloc(report->spaces.nr + 1, sizeof(*report->each));
	if (!report->each)
		return trace_fail(job->error, 0, "no memory for the reports");
	for (i = 0; !err && i < report->spaces.nr_families; i++)
		err = run_family(job, i);
	return err;
}

int replay_log(const void *bytes, size_t size, const struct replay_log_how *how,
	       struct replay_log_report *report, struct trace_error *error)
{
	const struct job job = { how, report, error };
	struct progress *progress = how->watch.progress;
	struct strace_log log;
	int err;

	*report = (struct replay_log_report){ 0 };
	err = strace_parse(&log, bytes, size, progress, error);
	if (err)
		return err;
	report->lines = log.nr_lines;
	report->others = log.nr_others;
	err = spaces_build(&report->spaces, &log, how->every, progress, error);
	strace_free(&log);
	if (!err)
		err = run_spaces(&job);
	if (err)
		replay_log_free(report);
	return err;
}

void replay_log_free(struct replay_log_report *report)
{
	spaces_free(&report->spaces);
	free(report->each);
	*report = (struct replay_log_report){ 0 };
}
