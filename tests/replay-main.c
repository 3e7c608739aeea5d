/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * replay: what real programs did to their address spaces, done again by a set
 * over a kernel reservation.  A table with a line for each; exit status 1 if
 * any of them is damaged or does not come out as recorded.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "replay.h"

struct settings {
	enum replay_target target;
	unsigned int left_out;
	bool quiet, timed;
};

static const char usage[] =
	"usage: replay [option...] trace...\n"
	"Replay recorded runs, plain or packed by xz, and compare each state.\n"
	"\n"
	"  --bare       by mmap, munmap and mprotect, without a set\n"
	"  --no-areas   do not compare the areas of the set\n"
	"  --no-maps    do not compare /proc/self/maps\n"
	"  --no-verify  do not call vmset_verify\n"
	"  --time       print the time spent in the operations\n"
	"  --quiet      print nothing but what goes wrong\n"
	"  --help       print this\n";

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int complain(const char *path, const struct trace_error *error)
{
	if (error->line)
		fprintf(stderr, "%s: line %zu: %s\n", path, error->line,
			error->reason);
	else
		fprintf(stderr, "%s: %s\n", path, error->reason);
	return 1;
}

static void print_heading(const struct settings *settings)
{
	printf("%-23s %6s %6s %8s %6s %10s %9s", "recorded run", "maps",
	       "unmaps", "protects", "states", "most areas", "most VMAs");
	puts(settings->timed ? "        ms  ns a call" : "");
}

/* A figure, or a dash where it was not asked for. */
static void print_most(int width, size_t most, bool known)
{
	if (known)
		printf(" %*zu", width, most);
	else
		printf(" %*s", width, "-");
}

static void print_report(const char *path, const struct settings *settings,
			 const struct replay_report *report)
{
	const size_t *done = report->done;
	const size_t calls = done[TRACE_MAP] + done[TRACE_UNMAP] +
			     done[TRACE_PROTECT];

	printf("%-23s %6zu %6zu %8zu %6zu", base_name(path), done[TRACE_MAP],
	       done[TRACE_UNMAP], done[TRACE_PROTECT], done[TRACE_STATE]);
	print_most(10, report->most_areas, settings->target == REPLAY_SET);
	print_most(9, report->most_vmas,
		   !(settings->left_out & REPLAY_NO_MAPS));
	if (settings->timed)
		printf(" %9.2f %10.0f", (double)report->ns / 1e6,
		       calls ? (double)report->ns / (double)calls : 0.0);
	puts("  ok");
}

static int replay_file(const char *path, const struct settings *settings)
{
	struct replay_report report;
	struct trace_error error;
	struct trace trace;
	int err;

	if (trace_read(&trace, path, &error))
		return complain(path, &error);
	err = replay_run(&trace, settings->target, settings->left_out,
			 &report);
	trace_free(&trace);
	if (err)
		return complain(path, &report.error);
	if (!settings->quiet)
		print_report(path, settings, &report);
	return 0;
}

static int parse_options(int argc, char **argv, struct settings *settings)
{
	static const struct option options[] = {
		{ "bare", no_argument, NULL, 'b' },
		{ "no-areas", no_argument, NULL, 'a' },
		{ "no-maps", no_argument, NULL, 'm' },
		{ "no-verify", no_argument, NULL, 'v' },
		{ "time", no_argument, NULL, 't' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'b':
			settings->target = REPLAY_BARE;
			break;
		case 'a':
			settings->left_out |= REPLAY_NO_AREAS;
			break;
		case 'm':
			settings->left_out |= REPLAY_NO_MAPS;
			break;
		case 'v':
			settings->left_out |= REPLAY_NO_VERIFY;
			break;
		case 't':
			settings->timed = true;
			break;
		case 'q':
			settings->quiet = true;
			break;
		default:
			return option;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct settings settings = { .target = REPLAY_SET };
	int option = parse_options(argc, argv, &settings);
	int status = 0;
	int i;

	if (option == 'h')
		return fputs(usage, stdout) < 0;
	if (option || optind == argc) {
		fputs(usage, stderr);
		return 2;
	}
	if (!settings.quiet)
		print_heading(&settings);
	for (i = optind; i < argc; i++)
		status |= replay_file(argv[i], &settings);
	if (fflush(stdout)) {
		perror("replay: standard output");
		status = 1;
	}
	return status;
}
