/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the parts of the benchmark share.
 */
#include <config.h>

#include "bench.h"

#ifdef HAVE_MALLINFO2
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "peer.h"

void give_up(const char *what)
{
	fflush(stdout);
	fprintf(stderr, "bench: wrong result: %s\n", what);
	exit(EXIT_FAILURE);
}

double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

size_t record_bytes(const struct vmset *set)
{
	struct vmset_stats stats = { .size = sizeof(stats) };

	need(vmset_stats(set, &stats, 0) == 0, "vmset_stats");
	return stats.record_bytes;
}

size_t bench_malloced(void)
{
#ifdef HAVE_MALLINFO2
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
#else
	return 0;
#endif
}
