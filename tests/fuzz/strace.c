/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The reader of strace's output.  The input is the text.  What was read and is
 * small is sorted by address spaces, and replayed by sets.
 */
#include "../strace.h"

#include "../assert.h"
#include "../replay-log.h"
#include "../spaces.h"
#include "fuzz.h"

/* What is replayed: a state costs reading /proc/self/maps. */
#define SMALL_EVENTS 32

static void check_event(const struct strace_event *event)
{
	assert_that(event->kind <= STRACE_HEADLESS);
	assert_that(event->result <= STRACE_UNKNOWN);
	assert_that(event->prot < 8);
	assert_that(event->flags < 2 * STRACE_MORE_PROT);
	assert_that(event->call < STRACE_CALLS && strace_name(event->call));
}

/* What the header promises; and that a file with this text is taken for one. */
static void check_log(const struct strace_log *log, const uint8_t *bytes,
		      size_t size)
{
	for (size_t i = 0; i < log->nr_events; i++) {
		const struct strace_event *event = &log->events[i];

		check_event(event);
		assert_that(event->line >= 1 && event->line <= log->nr_lines);
		assert_that(i == 0 || event->line > event[-1].line);
	}
	for (size_t i = 1; i < log->nr_children; i++)
		assert_that(log->children[i].pid >= log->children[i - 1].pid);
	assert_that(strace_is_log(bytes, size) || log->nr_events == 0);
}

static size_t count_lines(const uint8_t *bytes, size_t size)
{
	size_t lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += bytes[i] == '\n';
	return lines;
}

static void check_error(const struct trace_error *error, size_t lines)
{
	reason_check(error->reason);
	assert_that(error->line <= lines);
}

/* Once it is known what was done in each space, sets can do it, too. */
static void replay(const struct strace_log *log, const uint8_t *bytes,
		   size_t size)
{
	const struct replay_log_how how = {
		.target = REPLAY_SET, .shorten = SHORTEN_ALL, .every = 8,
	};
	struct replay_log_report report;
	struct trace_error error = { 0 };
	struct spaces spaces;

	if (log->nr_events > SMALL_EVENTS)
		return;
	if (spaces_build(&spaces, log, 1, NULL, &error)) {
		check_error(&error, log->nr_lines);
		return;
	}
	spaces_free(&spaces);
	if (replay_log(bytes, size, &how, &report, &error))
		ck_abort_msg("line %zu: %s", error.line, error.reason);
	replay_log_free(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct trace_error error = { 0 };
	struct strace_log log;

	if (strace_parse(&log, bytes, size, NULL, &error)) {
		check_error(&error, count_lines(bytes, size));
		assert_that(!log.events && !log.children);
	} else {
		check_log(&log, bytes, size);
		replay(&log, bytes, size);
	}
	strace_free(&log);
	return 0;
}
