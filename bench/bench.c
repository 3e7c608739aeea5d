/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the parts of the benchmark share.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void need(bool holds, const char *what)
{
	if (holds)
		return;
	fflush(stdout);
	fprintf(stderr, "bench: wrong result: %s\n", what);
	exit(EXIT_FAILURE);
}

double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}
