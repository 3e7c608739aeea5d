/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One line that is written over again and again; or, to be kept, whole lines.
 */
#include "progress.h"

#include <stdio.h>
#include <time.h>

/* So many pieces between two looks at the clock. */
#define STEPS 1024

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static bool is_due(struct progress *progress)
{
	const uint64_t now = now_ms();
	const bool first = !progress->next;

	if (now < progress->next)
		return false;
	progress->next = now + 1000;
	return !first;
}

void progress_step(struct progress *progress, const char *what, size_t done,
		   size_t total)
{
	if (!progress)
		return;
	if (!(progress->always && done == total) &&
	    (done % STEPS || !is_due(progress)))
		return;
	fprintf(stderr, "%s%s: %s %zu of %zu%s", progress->always ? "" : "\r",
		progress->name, what, done, total,
		progress->always ? "\n" : "\033[K");
	progress->shown = !progress->always;
}

void progress_hide(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}
