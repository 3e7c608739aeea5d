/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs the suites that are named on the command line or, without arguments,
 * all of them.  libcheck's own variables work too: CK_RUN_SUITE, CK_RUN_CASE,
 * CK_FORK, CK_VERBOSITY.
 */
#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

struct entry {
	const char *name;
	Suite *(*make)(void);
};

#define SUITE_ENTRY(name) { #name, suite_##name },

static const struct entry entries[] = { SUITES(SUITE_ENTRY) };
static const size_t entry_count = sizeof(entries) / sizeof(entries[0]);

static int list(FILE *out)
{
	fputs("suites:", out);
	for (size_t i = 0; i < entry_count; i++)
		fprintf(out, " %s", entries[i].name);
	return fputs("\n", out) < 0;
}

static bool is_known(const char *name)
{
	for (size_t i = 0; i < entry_count; i++) {
		if (strcmp(entries[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Without names every suite is wanted. */
static bool is_wanted(const char *name, char *const *names)
{
	if (!*names)
		return true;
	for (; *names; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

static int run(char *const *names)
{
	SRunner *runner = srunner_create(NULL);
	int ran, failed;

	for (size_t i = 0; i < entry_count; i++) {
		if (is_wanted(entries[i].name, names))
			srunner_add_suite(runner, entries[i].make());
	}
	srunner_run_all(runner, CK_ENV);
	ran = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (!ran)
		fputs("no test was run\n", stderr);
	return ran && !failed ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--list") == 0)
		return list(stdout);
	for (int i = 1; i < argc; i++) {
		if (is_known(argv[i]))
			continue;
		fprintf(stderr, "no suite is named %s\n", argv[i]);
		list(stderr);
		return 2;
	}
	return run(argv + 1);
}
