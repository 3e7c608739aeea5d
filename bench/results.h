/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What was measured: a value for each part, work, number of areas, peer and
 * round.  Tables, and a CSV file, of their medians.
 */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include <stddef.h>
#include <stdio.h>

/* The strings must live as long as the results, and have no commas in them. */
struct result {
	const char *part, *work, *peer, *unit;
	size_t areas;
	double *values;
	size_t nr;              /* one for each round */
};

struct results {
	struct result *all;     /* in the order of their first values */
	size_t nr, room;
};

/* One more round of a result that has no values of its own but its name. */
void results_add(struct results *results, const struct result *name,
		 double value);

/*
 * The median of what was measured for a name without its unit; negative if
 * nothing was.
 */
double results_median(const struct results *results, const char *part,
		      const char *work, const char *peer, size_t areas);

/*
 * A table of a part at a number of areas: a line for each work, a column for
 * each peer, and how the best of the others compares to the first.
 */
void results_print(const struct results *results, const char *part,
		   size_t areas, FILE *out);

/*
 * A table of a part with two peers, one bare: a line for each work and number
 * of areas, and what the other takes more, in percent.
 */
void results_print_overhead(const struct results *results, const char *part,
			    FILE *out);

/* All parts.  Returns whether out took it. */
int results_write_csv(const struct results *results, FILE *out);

void results_free(struct results *results);

#endif /* BENCH_RESULTS_H */
