/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Keeping, summing up and printing what was measured.
 */
#include "results.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "vector.h"

#define PEERS 8
#define COLUMN 11

static struct result *look_up(const struct results *results, const char *part,
			      const char *work, const char *peer, size_t areas)
{
	size_t i;

	for (i = 0; i < results->nr; i++) {
		struct result *r = &results->all[i];

		if (r->areas == areas && !strcmp(r->part, part) &&
		    !strcmp(r->work, work) && !strcmp(r->peer, peer))
			return r;
	}
	return NULL;
}

void results_add(struct results *results, const struct result *name,
		 double value)
{
	struct result *r = look_up(results, name->part, name->work, name->peer,
				   name->areas);

	if (!r) {
		void *all = vector_room(results->all, results->nr + 1,
					&results->room, sizeof(*r));

		need(all, "no memory");
		results->all = all;
		r = &results->all[results->nr++];
		*r = *name;
		r->values = NULL;
		r->nr = 0;
	}
	r->values = realloc(r->values, (r->nr + 1) * sizeof(*r->values));
	need(r->values, "no memory");
	r->values[r->nr++] = value;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The share of the values that is below the result, from 0 to 1. */
static double quantile(const struct result *r, double share)
{
	double *sorted = malloc(r->nr * sizeof(*sorted));
	double value;

	need(sorted != NULL, "no memory");
	memcpy(sorted, r->values, r->nr * sizeof(*sorted));
	qsort(sorted, r->nr, sizeof(*sorted), compare);
	value = sorted[(size_t)(share * (double)(r->nr - 1) + 0.5)];
	free(sorted);
	return value;
}

double results_median(const struct results *results, const char *part,
		      const char *work, const char *peer, size_t areas)
{
	const struct result *r = look_up(results, part, work, peer, areas);

	return r ? quantile(r, 0.5) : -1;
}

/* ---- tables ---- */

static void print_value(double value, FILE *out)
{
	if (value < 0)
		fprintf(out, "%*s", COLUMN, "-");
	else
		fprintf(out, "%*.*f", COLUMN, value < 100 ? 1 : 0, value);
}

/* How many times one is the other. */
static void print_ratio(double ratio, FILE *out)
{
	fprintf(out, "%*.*fx", COLUMN - 1, ratio < 100 ? 1 : 0, ratio);
}

/* Whether it is the first of its part, number of areas and work. */
static bool is_first(const struct results *results, const struct result *r)
{
	const struct result *other = results->all;

	while (other->areas != r->areas || strcmp(other->part, r->part) ||
	       strcmp(other->work, r->work))
		other++;
	return other == r;
}

static size_t list_peers(const struct results *results, const char *part,
			 const char *peers[PEERS])
{
	size_t i, k, n = 0;

	for (i = 0; i < results->nr; i++) {
		const struct result *r = &results->all[i];

		if (strcmp(r->part, part))
			continue;
		for (k = 0; k < n && strcmp(peers[k], r->peer); k++)
			;
		if (k == n && n < PEERS)
			peers[n++] = r->peer;
	}
	return n;
}

static void print_line(const struct results *results, const struct result *r,
		       const char *const *peers, size_t nr_peers, FILE *out)
{
	double best = -1, first = -1;
	size_t i;

	fprintf(out, "%-32s%-6s", r->work, r->unit);
	for (i = 0; i < nr_peers; i++) {
		double value = results_median(results, r->part, r->work,
					      peers[i], r->areas);

		print_value(value, out);
		if (i == 0)
			first = value;
		else if (value >= 0 && (best < 0 || value < best))
			best = value;
	}
	if (first > 0 && best >= 0)
		print_ratio(best / first, out);
	fputc('\n', out);
}

void results_print(const struct results *results, const char *part,
		   size_t areas, FILE *out)
{
	const char *peers[PEERS];
	size_t nr_peers = list_peers(results, part, peers);
	size_t i;

	fprintf(out, "%-10zu%-22s%-6s", areas, "areas", "");
	for (i = 0; i < nr_peers; i++)
		fprintf(out, "%*s", COLUMN, peers[i]);
	fprintf(out, "%*s\n", COLUMN, "best peer");
	for (i = 0; i < results->nr; i++) {
		const struct result *r = &results->all[i];

		if (r->areas == areas && !strcmp(r->part, part) &&
		    is_first(results, r))
			print_line(results, r, peers, nr_peers, out);
	}
	fputc('\n', out);
}

void results_print_overhead(const struct results *results, const char *part,
			    FILE *out)
{
	const char *peers[PEERS];
	size_t nr_peers = list_peers(results, part, peers);
	size_t i;

	if (nr_peers < 2)
		return;
	fprintf(out, "%-40s%9s%-6s%*s%*s%12s\n", part, "areas", "", COLUMN,
		peers[0], COLUMN, peers[1], "more, %");
	for (i = 0; i < results->nr; i++) {
		const struct result *r = &results->all[i];
		double with, bare;

		if (strcmp(r->part, part) || !is_first(results, r))
			continue;
		with = results_median(results, part, r->work, peers[0],
				      r->areas);
		bare = results_median(results, part, r->work, peers[1],
				      r->areas);
		fprintf(out, "%-40s%9zu %-5s", r->work, r->areas, r->unit);
		print_value(with, out);
		print_value(bare, out);
		if (with >= 0 && bare > 0)
			fprintf(out, "%+12.1f", (with / bare - 1) * 100);
		fputc('\n', out);
	}
	fputc('\n', out);
}

int results_write_csv(const struct results *results, FILE *out)
{
	size_t i;

	fputs("part,work,areas,peer,unit,median,least,most,rounds\n", out);
	for (i = 0; i < results->nr; i++) {
		const struct result *r = &results->all[i];

		fprintf(out, "%s,%s,%zu,%s,%s,%.2f,%.2f,%.2f,%zu\n",
			r->part, r->work, r->areas, r->peer, r->unit,
			quantile(r, 0.5), quantile(r, 0), quantile(r, 1),
			r->nr);
	}
	return fflush(out);
}

void results_free(struct results *results)
{
	size_t i;

	for (i = 0; i < results->nr; i++)
		free(results->all[i].values);
	free(results->all);
}
