/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A fuzz target without the fuzzer:  PROGRAM FILE...
 *
 * Each file is an input.  One that does not do what it should ends the program,
 * and its name is the last that was printed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

#define MAX_INPUT ((size_t)1 << 20)

/* A copy of just its size lets sanitizers and memcheck see what is beyond. */
static void run(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	for (size_t i = 0; i < size; i++)
		copy[i] = bytes[i];
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static bool run_file(const char *path, uint8_t *room)
{
	FILE *file = fopen(path, "rbe");
	bool good = false;
	size_t size = 0;

	if (file) {
		size = fread(room, 1, MAX_INPUT, file);
		good = !ferror(file) && feof(file);
		fclose(file);
	}
	if (!good) {
		fprintf(stderr, "%s: cannot be read, or is too large\n", path);
		return false;
	}
	printf("%s\n", path);
	fflush(stdout);
	run(room, size);
	return true;
}

int main(int argc, char **argv)
{
	uint8_t *room = malloc(MAX_INPUT);
	bool good = argc > 1 && room;

	if (argc < 2)
		fprintf(stderr, "Usage: %s FILE...\n", argv[0]);
	for (int i = 1; i < argc && good; i++)
		good = run_file(argv[i], room);
	free(room);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
