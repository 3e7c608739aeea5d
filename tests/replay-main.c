/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * replay: what programs did to their address spaces, done again by sets over
 * kernel reservations.  A line for each recorded run, a paragraph for each log
 * of strace's; exit status 1 if any of them is damaged or does not come out as
 * it should.
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "progress.h"
#include "replay-log.h"
#include "replay-print.h"
#include "replay.h"
#include "strace.h"
#include "unxz.h"

struct settings {
	struct replay_log_how how;
	struct replay_print print;
	bool quiet, progress;
	bool headed;            /* the table of recorded runs has begun */
};

static const char usage[] =
	"usage: replay [option...] file...\n"
	"Replay what programs did to their address spaces, by a set, and\n"
	"compare what comes out.  A file, plain or packed by xz, is a\n"
	"recorded run (see tests/traces/README) or the output of strace:\n"
	"\n"
	"  strace -f -e trace=memory,process -o FILE COMMAND\n"
	"\n"
	"memory alone will do; then, who is a thread and who a process is\n"
	"guessed.  Each process gets a set of its own.  Long stretches are\n"
	"shortened to four pages; order, and what touches what, are kept.\n"
	"\n"
	"  --bare       by mmap, munmap and mprotect, without a set\n"
	"  --keep       strace: shorten only what is never mapped\n"
	"  --every N    strace: compare after every N operations (256), or as\n"
	"               many as there are areas; 0: only at the end of each\n"
	"               process and of each program in it\n"
	"  --spaces     strace: a line for each address space, too\n"
	"  --no-areas   do not compare the areas of the set\n"
	"  --no-maps    do not compare /proc/self/maps\n"
	"  --no-verify  do not call vmset_verify\n"
	"  --time       print the time spent in the operations\n"
	"  --progress   tell on standard error how far it is, in whole lines;\n"
	"               a terminal is told once a second\n"
	"  --quiet      print nothing but what goes wrong\n"
	"  --help       print this\n";

static int complain(const char *path, const struct trace_error *error)
{
	if (error->line)
		fprintf(stderr, "%s: line %zu: %s\n", path, error->line,
			error->reason);
	else
		fprintf(stderr, "%s: %s\n", path, error->reason);
	return 1;
}

static void end_progress(const struct settings *settings)
{
	if (settings->how.watch.progress)
		progress_hide(settings->how.watch.progress);
}

static int replay_recorded(const char *path, const struct unxz_bytes *text,
			   struct settings *settings)
{
	const struct replay_log_how *how = &settings->how;
	struct replay_report report;
	struct trace_error error;
	struct trace trace;
	int err;

	if (trace_parse(&trace, text->at, text->size, &error))
		return complain(path, &error);
	err = replay_run_watched(&trace, how->target, how->left_out,
				 &how->watch, &report);
	trace_free(&trace);
	end_progress(settings);
	if (err)
		return complain(path, &report.error);
	if (settings->quiet)
		return 0;
	if (!settings->headed)
		replay_print_heading(&settings->print, stdout);
	settings->headed = true;
	replay_print_run(path, &settings->print, &report, stdout);
	return 0;
}

static int replay_strace(const char *path, const struct unxz_bytes *text,
			 struct settings *settings)
{
	struct replay_log_report report;
	struct trace_error error;
	int err = replay_log(text->at, text->size, &settings->how, &report,
			     &error);

	end_progress(settings);
	if (err)
		return complain(path, &error);
	if (!settings->quiet)
		replay_print_log(path, &settings->print, &report, stdout);
	settings->headed = false;
	replay_log_free(&report);
	return 0;
}

/* The number of the first line with anything on it, or of the last. */
static size_t first_line(const struct unxz_bytes *text)
{
	size_t line = 1, i;

	for (i = 0; i + 1 < text->size && text->at[i] == '\n'; i++)
		line++;
	return line;
}

/* By what the file begins with. */
static int replay_text(const char *path, const struct unxz_bytes *text,
		       struct settings *settings)
{
	const struct trace_error neither = {
		.line = first_line(text),
		.reason = "neither a recorded run nor the output of strace",
	};

	if (strace_is_log(text->at, text->size))
		return replay_strace(path, text, settings);
	if (text->size && *text->at == '#')
		return replay_recorded(path, text, settings);
	return complain(path, &neither);
}

static int replay_file(const char *path, struct settings *settings)
{
	struct progress progress = {
		.name = path, .always = settings->progress,
	};
	struct unxz_bytes text;
	const char *why = unxz_file(path, &text);
	int status;

	if (why) {
		fprintf(stderr, "%s: %s\n", path, why);
		return 1;
	}
	if (settings->progress || (!settings->quiet && isatty(STDERR_FILENO)))
		settings->how.watch.progress = &progress;
	status = replay_text(path, &text, settings);
	settings->how.watch.progress = NULL;
	unxz_free(&text);
	return status;
}

/* Whether it is one. */
static bool parse_number(const char *text, size_t *number)
{
	char *end;

	errno = 0;
	*number = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

static int parse_option(int option, struct settings *settings)
{
	switch (option) {
	case 'b':
		settings->how.target = REPLAY_BARE;
		return 0;
	case 'k':
		settings->how.shorten = SHORTEN_HOLES;
		return 0;
	case 'e':
		return parse_number(optarg, &settings->how.every) ? 0 : '?';
	case 's':
		settings->print.spaces = true;
		return 0;
	case 'a':
		settings->how.left_out |= REPLAY_NO_AREAS;
		return 0;
	case 'm':
		settings->how.left_out |= REPLAY_NO_MAPS;
		return 0;
	case 'v':
		settings->how.left_out |= REPLAY_NO_VERIFY;
		return 0;
	case 't':
		settings->print.timed = true;
		return 0;
	case 'p':
		settings->progress = true;
		return 0;
	case 'q':
		settings->quiet = true;
		return 0;
	default:
		return option;
	}
}

static int parse_options(int argc, char **argv, struct settings *settings)
{
	static const struct option options[] = {
		{ "bare", no_argument, NULL, 'b' },
		{ "keep", no_argument, NULL, 'k' },
		{ "every", required_argument, NULL, 'e' },
		{ "spaces", no_argument, NULL, 's' },
		{ "no-areas", no_argument, NULL, 'a' },
		{ "no-maps", no_argument, NULL, 'm' },
		{ "no-verify", no_argument, NULL, 'v' },
		{ "time", no_argument, NULL, 't' },
		{ "progress", no_argument, NULL, 'p' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option, other;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		other = parse_option(option, settings);
		if (other)
			return other;
	}
	settings->print.areas = settings->how.target == REPLAY_SET;
	settings->print.vmas = !(settings->how.left_out & REPLAY_NO_MAPS);
	return 0;
}

int main(int argc, char **argv)
{
	struct settings settings = {
		.how = {
			.target = REPLAY_SET, .shorten = SHORTEN_ALL,
			.every = 256, .watch = { .count = calls_count },
		},
	};
	int option = parse_options(argc, argv, &settings);
	int status = 0;
	int i;

	if (option == 'h')
		return fputs(usage, stdout) < 0;
	if (option || optind == argc) {
		fputs(usage, stderr);
		return 2;
	}
	for (i = optind; i < argc; i++)
		status |= replay_file(argv[i], &settings);
	if (fflush(stdout)) {
		perror("replay: standard output");
		status = 1;
	}
	return status;
}
