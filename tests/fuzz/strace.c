/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The reader of strace's output.  The input is the text.
 */
#include "../strace.h"

#include "../assert.h"
#include "fuzz.h"

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

static void check_refused(const struct strace_log *log,
			  const struct trace_error *error, size_t lines)
{
	assert_that(error->reason[0]);
	for (const char *c = error->reason; *c; c++)
		assert_that(*c >= ' ' && *c <= '~');
	assert_that(error->line <= lines);
	assert_that(!log->events && !log->children);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct trace_error error = { 0 };
	struct strace_log log;

	if (strace_parse(&log, bytes, size, NULL, &error))
		check_refused(&log, &error, count_lines(bytes, size));
	else
		check_log(&log, bytes, size);
	strace_free(&log);
	return 0;
}
