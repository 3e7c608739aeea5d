/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The engine of the replay.  Two targets carry out the operations, a set and
 * bare system calls; everything else is the same for both.
 *
 * In a reservation the kernel shows free room and an area without rights
 * alike, as ---, and joins the two.  So an expected state has two readings:
 * its areas as they stand, for the set and for bare calls, whose unmap leaves
 * real holes; and filled, with all that is not accessible joined into runs of
 * ---, for the kernel's view of a reservation.
 *
 * Nothing allocates between the first operation and the last: with bare calls
 * a buffer of malloc's could come to lie in a hole of the range.
 */
#include "replay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "kernelmap.h"
#include "progress.h"
#include "vmset.h"

struct replay {
	const struct trace *trace;
	const struct target *target;
	const struct replay_watch *watch;
	struct replay_report *report;
	struct vmset *set;              /* REPLAY_SET only */
	struct vmset_range range;
	size_t page;
	unsigned int left_out;
	struct trace_area *filled;      /* room for any state's filled runs */
};

struct target {
	/* These return 0 or a negative errno value. */
	int (*open)(struct replay *replay, size_t size);
	int (*apply)(struct replay *replay, const struct trace_op *op);
	int (*close)(struct replay *replay);
	/* 0, or -1 and the difference in the report. */
	int (*check)(struct replay *replay, const struct trace_op *state);
};

/* Runs that come one after the other, held against those expected. */
struct comparison {
	struct replay *replay;
	struct trace_error *error;
	const char *what;       /* where the runs come from */
	size_t line;
	const struct trace_area *expected;
	size_t nr, at;
};

static int fail_call(struct replay *replay, size_t line, const char *call,
		     int err)
{
	return trace_fail(&replay->report->error, line, "%s failed: %d, %s",
			  call, err, strerror(-err));
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- comparing ---- */

/* An address as a page of the range. */
static unsigned long page_of(const struct replay *replay, uintptr_t addr)
{
	return (addr - replay->range.start) / replay->page;
}

/* The run that should come next, or NULL. */
static const struct trace_area *wanted_next(const struct comparison *c)
{
	return c->at < c->nr ? &c->expected[c->at] : NULL;
}

static int unexpected(const struct comparison *c, uintptr_t start,
		      uintptr_t end, uint32_t prot)
{
	const struct trace_area *wanted = wanted_next(c);
	const unsigned long first = page_of(c->replay, start);
	const unsigned long last = page_of(c->replay, end);
	char is[4], want[4];

	trace_prot(prot, is);
	if (!wanted)
		return trace_fail(c->error, c->line,
				  "%s has pages %lx to %lx %s, and nothing "
				  "more is expected", c->what, first, last, is);
	return trace_fail(c->error, c->line,
			  "%s has pages %lx to %lx %s, expected are %x to %x "
			  "%s", c->what, first, last, is, wanted->start,
			  wanted->end, trace_prot(wanted->prot, want));
}

static int compare_run(struct comparison *c, uintptr_t start, uintptr_t end,
		       uint32_t prot)
{
	const struct replay *replay = c->replay;
	const struct trace_area *wanted = wanted_next(c);
	const uintptr_t base = replay->range.start;

	if (!wanted || prot != wanted->prot ||
	    start != base + wanted->start * replay->page ||
	    end != base + wanted->end * replay->page)
		return unexpected(c, start, end, prot);
	c->at++;
	return 0;
}

static int compare_end(const struct comparison *c)
{
	const struct trace_area *wanted = wanted_next(c);
	char want[4];

	if (!wanted)
		return 0;
	return trace_fail(c->error, c->line,
			  "%s ends, expected are pages %x to %x %s", c->what,
			  wanted->start, wanted->end,
			  trace_prot(wanted->prot, want));
}

static struct comparison compare_begin(struct replay *replay, const char *what,
				       const struct trace_op *state)
{
	return (struct comparison){
		.replay = replay,
		.error = &replay->report->error,
		.what = what,
		.line = state->line,
		.expected = state->len ? &replay->trace->areas[state->start]
				       : NULL,
		.nr = state->len,
	};
}

static int compare_line(const struct kernelmap_line *line, void *arg)
{
	struct comparison *c = arg;

	if (line->anonymous)
		return compare_run(c, line->start, line->end, line->prot) != 0;
	trace_explain(c->error, c->line, "%s has something that is not private "
		   "anonymous memory at page %lx", c->what,
		   page_of(c->replay, line->start));
	return 1;
}

static int compare_maps(struct comparison *c)
{
	struct replay_report *report = c->replay->report;
	int ret = kernelmap_walk(c->replay->range, compare_line, c);

	if (ret < 0)
		return fail_call(c->replay, c->line, c->what, ret);
	if (ret)
		return -1;
	report->last_vmas = c->at;
	if (c->at > report->most_vmas)
		report->most_vmas = c->at;
	return compare_end(c);
}

/* ---- the set ---- */

static int set_open(struct replay *replay, size_t size)
{
	int err = vmset_reserve(&replay->set, size, 0);

	if (!err)
		replay->range = vmset_bounds(replay->set);
	return err;
}

static int set_apply(struct replay *replay, const struct trace_op *op)
{
	const uintptr_t start = replay->range.start + op->start * replay->page;
	const size_t size = op->len * replay->page;

	switch (op->kind) {
	case TRACE_MAP:
		return vmset_map(replay->set, start, size, op->prot,
				 VMSET_REPLACE);
	case TRACE_UNMAP:
		return vmset_unmap(replay->set, start, size);
	default:
		return vmset_protect(replay->set, start, size, op->prot);
	}
}

static int compare_set(struct comparison *c)
{
	const struct vmset *set = c->replay->set;
	uintptr_t at = c->replay->range.start;
	struct vmset_area area;

	while (vmset_next(set, at, &area) == 0) {
		int err = compare_run(c, area.start, area.end, area.flags);

		if (err)
			return err;
		at = area.end;
	}
	if (vmset_len(set) != c->at)
		return trace_fail(c->error, c->line, "%s has %zu areas, its "
				  "length is %zu", c->what, c->at,
				  vmset_len(set));
	return compare_end(c);
}

/* Append a run.  Two that are not accessible become one. */
static size_t fill(struct trace_area *runs, size_t nr, uint32_t start,
		   uint32_t end, uint32_t prot)
{
	if (start == end)
		return nr;
	if (nr && !prot && !runs[nr - 1].prot) {
		runs[nr - 1].end = end;
		return nr;
	}
	runs[nr] = (struct trace_area){ .start = start, .end = end,
					.prot = prot };
	return nr + 1;
}

/* Expect the kernel's view of a reservation instead of the areas alone. */
static void expect_filled(struct comparison *c)
{
	struct replay *replay = c->replay;
	uint32_t at = 0;
	size_t nr = 0;
	size_t i;

	for (i = 0; i < c->nr; i++) {
		const struct trace_area *area = &c->expected[i];

		nr = fill(replay->filled, nr, at, area->start, PROT_NONE);
		nr = fill(replay->filled, nr, area->start, area->end,
			  area->prot);
		at = area->end;
	}
	nr = fill(replay->filled, nr, at, replay->trace->pages, PROT_NONE);
	c->expected = replay->filled;
	c->nr = nr;
}

static int check_verify(struct replay *replay, const struct trace_op *state)
{
	struct vmset_mismatch first;
	char is[4], want[4];
	int ret = vmset_verify(replay->set, &first);

	if (ret < 0)
		return fail_call(replay, state->line, "vmset_verify", ret);
	if (!ret)
		return 0;
	trace_prot(first.expected, want);
	trace_prot(first.actual, is);
	return trace_fail(&replay->report->error, state->line,
			  "vmset_verify: page %lx is %s in the set, %s in the "
			  "kernel", page_of(replay, first.addr),
			  first.expected_mapped ? want : "not mapped",
			  first.actual_mapped ? is : "not mapped");
}

static int set_check(struct replay *replay, const struct trace_op *state)
{
	struct comparison areas = compare_begin(replay, "the set", state);
	struct comparison maps = compare_begin(replay, "/proc/self/maps",
					       state);
	int err = 0;

	expect_filled(&maps);
	if (!(replay->left_out & REPLAY_NO_AREAS))
		err = compare_set(&areas);
	if (!err && !(replay->left_out & REPLAY_NO_MAPS))
		err = compare_maps(&maps);
	if (!err && !(replay->left_out & REPLAY_NO_VERIFY))
		err = check_verify(replay, state);
	return err;
}

static int set_close(struct replay *replay)
{
	return vmset_destroy(replay->set);
}

static const struct target set_target = {
	.open = set_open,
	.apply = set_apply,
	.check = set_check,
	.close = set_close,
};

/* ---- bare calls ---- */

#define BARE_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* Find a stretch of addresses that is free, and leave it so. */
static int bare_open(struct replay *replay, size_t size)
{
	void *at = mmap(NULL, size, PROT_NONE, BARE_FLAGS, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	replay->range.start = (uintptr_t)at;
	replay->range.end = replay->range.start + size;
	return munmap(at, size) ? -errno : 0;
}

static int bare_apply(struct replay *replay, const struct trace_op *op)
{
	void *start = (void *)(replay->range.start + op->start * replay->page);
	const size_t size = op->len * replay->page;
	int ret;

	switch (op->kind) {
	case TRACE_MAP:
		ret = mmap(start, size, (int)op->prot, BARE_FLAGS | MAP_FIXED,
			   -1, 0) == MAP_FAILED;
		break;
	case TRACE_UNMAP:
		ret = munmap(start, size);
		break;
	default:
		ret = mprotect(start, size, (int)op->prot);
		break;
	}
	return ret ? -errno : 0;
}

static int bare_check(struct replay *replay, const struct trace_op *state)
{
	struct comparison maps = compare_begin(replay, "/proc/self/maps",
					       state);

	return replay->left_out & REPLAY_NO_MAPS ? 0 : compare_maps(&maps);
}

static int bare_close(struct replay *replay)
{
	const struct vmset_range *range = &replay->range;

	return munmap((void *)range->start, range->end - range->start) ? -errno
								       : 0;
}

static const struct target bare_target = {
	.open = bare_open,
	.apply = bare_apply,
	.check = bare_check,
	.close = bare_close,
};

/* ---- the run ---- */

static struct calls count_calls(const struct replay *replay)
{
	struct calls calls = { 0 };

	if (replay->watch->count)
		replay->watch->count(&calls);
	return calls;
}

static int apply(struct replay *replay, const struct trace_op *op)
{
	static const char *const names[] = {
		[TRACE_MAP] = "map",
		[TRACE_UNMAP] = "unmap",
		[TRACE_PROTECT] = "protect",
	};
	struct replay_report *report = replay->report;
	const struct calls before = count_calls(replay);
	const int err = replay->target->apply(replay, op);
	const struct calls after = count_calls(replay);

	if (err)
		return fail_call(replay, op->line, names[op->kind], err);
	calls_add_since(&report->calls, &before, &after);
	report->last_areas = vmset_len(replay->set);
	if (report->last_areas > report->most_areas)
		report->most_areas = report->last_areas;
	return 0;
}

static int run_ops(struct replay *replay)
{
	const struct trace *trace = replay->trace;
	struct replay_report *report = replay->report;
	uint64_t begun = now_ns();
	size_t i;

	for (i = 0; i < trace->nr_ops; i++) {
		const struct trace_op *op = &trace->ops[i];
		int err;

		if (op->kind == TRACE_STATE) {
			report->ns += now_ns() - begun;
			err = replay->target->check(replay, op);
			begun = now_ns();
		} else {
			err = apply(replay, op);
		}
		if (err)
			return err;
		report->done[op->kind]++;
		progress_step(replay->watch->progress, "operations replayed",
			      i + 1, trace->nr_ops);
	}
	return 0;
}

/* Room for the filled runs of the largest state: a gap beside each area. */
static struct trace_area *alloc_filled(const struct trace *trace)
{
	size_t most = 0;
	size_t i;

	for (i = 0; i < trace->nr_ops; i++) {
		const struct trace_op *op = &trace->ops[i];

		if (op->kind == TRACE_STATE && op->len > most)
			most = op->len;
	}
	return calloc(2 * most + 1, sizeof(struct trace_area));
}

static int open_run_close(struct replay *replay)
{
	const size_t pages = replay->trace->pages;
	int err, close_err;

	if (pages > SIZE_MAX / replay->page)
		return trace_fail(&replay->report->error, 0,
				  "the range has too many pages");
	err = replay->target->open(replay, pages * replay->page);
	if (err)
		return fail_call(replay, 0, "reserving the range", err);
	err = run_ops(replay);
	close_err = replay->target->close(replay);
	/* The first thing that went wrong is the one to tell. */
	if (!err && close_err)
		err = fail_call(replay, 0, "giving the range back", close_err);
	return err;
}

int replay_run_watched(const struct trace *trace, enum replay_target target,
		       unsigned int left_out, const struct replay_watch *watch,
		       struct replay_report *report)
{
	struct replay replay = {
		.trace = trace,
		.target = target == REPLAY_SET ? &set_target : &bare_target,
		.watch = watch,
		.report = report,
		.page = (size_t)sysconf(_SC_PAGESIZE),
		.left_out = left_out,
		.filled = alloc_filled(trace),
	};
	int err;

	*report = (struct replay_report){ 0 };
	if (!replay.filled)
		return fail_call(&replay, 0, "replay", -ENOMEM);
	err = open_run_close(&replay);
	free(replay.filled);
	return err;
}

int replay_run(const struct trace *trace, enum replay_target target,
	       unsigned int left_out, struct replay_report *report)
{
	const struct replay_watch nobody = { NULL, NULL };

	return replay_run_watched(trace, target, left_out, &nobody, report);
}
