/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * bench: what operations cost, and how that grows with the number of areas.
 *
 * Seeds and order of work are fixed.  Each figure is the median of some rounds,
 * in which the set and its peers take turns, so that a slow moment of the
 * machine does not meet one of them alone.
 */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel.h"
#include "peer.h"
#include "results.h"
#include "work.h"
#ifdef HAVE_LZMA
#include "traces.h"
#endif

#define SIZES 16
#define LEAST_AREAS 100
#define MOST_AREAS 100000000

struct settings {
	size_t areas[SIZES];
	size_t nr_areas;
	size_t rounds;
	const char *csv;
	const char *peers;
	bool kernel;
};

/*
 * At these numbers of areas the kernel is measured.  With the free room between
 * them the last is near 60,000 mappings, about as many as a process may have.
 */
static const size_t kernel_areas[] = { 100, 10000, 30000 };

#define KERNEL_AREAS (sizeof(kernel_areas) / sizeof(kernel_areas[0]))

static const char usage[] =
	"usage: bench [option...] [recorded run...]\n"
	"Measure the set beside other containers of areas, in memory and on\n"
	"the kernel.  Recorded runs are files of tests/traces.\n"
	"\n"
	"  --areas N,...     numbers of areas (1000,10000,100000,1000000)\n"
	"  --rounds N        figures are medians of so many rounds (5)\n"
	"  --peers NAME,...  only these, as the tables name them\n"
	"  --csv FILE        write all medians there, too\n"
	"  --no-kernel       in memory only\n"
	"  --help            print this\n";

/* A number from least to most, and what follows it; or NULL. */
static const char *parse_number(const char *text, size_t least, size_t most,
				size_t *number)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || errno || value < least ||
	    value > most)
		return NULL;
	*number = (size_t)value;
	return end;
}

static bool parse_areas(const char *text, struct settings *settings)
{
	settings->nr_areas = 0;
	while (settings->nr_areas < SIZES) {
		text = parse_number(text, LEAST_AREAS, MOST_AREAS,
				    &settings->areas[settings->nr_areas++]);
		if (!text)
			return false;
		if (!*text)
			return true;
		text += strspn(text, ", ");
	}
	return false;
}

/* Whether each name is that of a peer. */
static bool are_peers(const char *names)
{
	size_t named = 0, found = 0;

	for (const char *at = names; *at; at++)
		named += *at == ',';
	for (size_t i = 0; bench_peers[i]; i++)
		found += bench_peer_is_named(bench_peers[i], names);
	return found == named + 1;
}

static bool parse_option(int option, struct settings *settings)
{
	const char *rest;

	switch (option) {
	case 'a':
		return parse_areas(optarg, settings);
	case 'r':
		rest = parse_number(optarg, 1, 1000, &settings->rounds);
		return rest && !*rest;
	case 'c':
		settings->csv = optarg;
		return true;
	case 'p':
		settings->peers = optarg;
		return are_peers(optarg);
	case 'k':
		settings->kernel = false;
		return true;
	default:
		return false;
	}
}

/* 0; or 'h' for help, or '?'. */
static int parse_options(int argc, char **argv, struct settings *settings)
{
	static const struct option options[] = {
		{ "areas", required_argument, NULL, 'a' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "csv", required_argument, NULL, 'c' },
		{ "peers", required_argument, NULL, 'p' },
		{ "no-kernel", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h')
			return 'h';
		if (!parse_option(option, settings))
			return '?';
	}
	return 0;
}

static void run_in_memory(struct results *results,
			  const struct settings *settings)
{
	size_t i;

	for (i = 0; i < settings->nr_areas; i++)
		work_measure(results, settings->areas[i],
			     (unsigned int)settings->rounds, settings->peers);
	printf("Processor time, medians of %zu rounds.  In memory: ns an "
	       "operation, or bytes;\nlast, what the best peer takes as a "
	       "multiple of what the set takes\n\n", settings->rounds);
	for (i = 0; i < settings->nr_areas; i++)
		results_print(results, WORK_PART, settings->areas[i], stdout);
}

static void run_on_kernel(struct results *results,
			  const struct settings *settings)
{
	size_t most = kernel_most_areas(), i;

	for (i = 0; i < KERNEL_AREAS; i++) {
		if (kernel_areas[i] > most) {
			printf("%zu areas take more mappings than "
			       "vm.max_map_count allows: left out\n",
			       kernel_areas[i]);
			continue;
		}
		kernel_measure(results, kernel_areas[i],
			       (unsigned int)settings->rounds);
	}
	kernel_measure_start(results, (unsigned int)settings->rounds);
	results_print_overhead(results, KERNEL_PART, stdout);
	printf("records of a set of 3 areas: %zu bytes\n\n",
	       kernel_small_set_bytes());
}

#ifdef HAVE_LZMA
static void replay_runs(struct results *results,
			const struct settings *settings, char **paths)
{
	for (; *paths; paths++)
		traces_measure(results, *paths,
			       (unsigned int)settings->rounds);
	results_print_overhead(results, TRACES_PART, stdout);
}
#else
static void replay_runs(struct results *results,
			const struct settings *settings, char **paths)
{
	(void)results, (void)settings;
	if (*paths)
		puts("built without liblzma: recorded runs are left out");
}
#endif

/* Before anything is measured: whether they can be read at all. */
static bool are_there(char **paths)
{
	for (; *paths; paths++) {
		if (access(*paths, R_OK)) {
			fprintf(stderr, "bench: %s: %s\n", *paths,
				strerror(errno));
			return false;
		}
	}
	return true;
}

static int write_csv(const struct results *results, const char *path)
{
	FILE *out = fopen(path, "we");
	int failed;

	if (!out) {
		fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
		return EXIT_FAILURE;
	}
	failed = results_write_csv(results, out);
	if (fclose(out) || failed) {
		fprintf(stderr, "bench: %s: cannot be written\n", path);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct settings settings = {
		.areas = { 1000, 10000, 100000, 1000000 },
		.nr_areas = 4, .rounds = 5, .kernel = true,
	};
	struct results results = { 0 };
	int option = parse_options(argc, argv, &settings);
	int status = EXIT_SUCCESS;

	if (option) {
		fputs(usage, option == 'h' ? stdout : stderr);
		return option == 'h' ? EXIT_SUCCESS : 2;
	}
	if (!are_there(argv + optind))
		return 2;
#ifndef __OPTIMIZE__
	puts("Built without optimisation: these figures say nothing.\n");
#endif
	run_in_memory(&results, &settings);
	if (settings.kernel) {
		fflush(stdout);
		run_on_kernel(&results, &settings);
		replay_runs(&results, &settings, argv + optind);
	}
	if (settings.csv)
		status = write_csv(&results, settings.csv);
	results_free(&results);
	return status;
}
