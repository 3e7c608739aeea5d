/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A quick look at how the cost of an operation grows with the number of areas.
 *
 * The backend does nothing, so that only the set is measured.  Areas of 3 to
 * 16 pages lie behind gaps of a power of two of pages; the gap before the last
 * area is 64 MiB, and the only one that the free-area search can use.  Seed and
 * order of work are fixed.  Each figure is the median of some rounds, in which
 * sizes and works take turns, so that a slow moment of the machine does not
 * meet one of them alone.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmset.h"

#define PAGE ((size_t)4096)
#define BASE ((uintptr_t)1 << 32)
#define LARGE_GAP ((size_t)64 << 20)
#define WANTED ((size_t)48 << 20)
#define ROUNDS 7
#define REPEATS 32768           /* operations in one measurement, about */

enum work { FIND, FREE_AREA, SPLIT, REFILL, WORKS };

static const char *const work_names[WORKS] = {
	[FIND] = "find, at random",
	[FREE_AREA] = "free area, only at the far end",
	[SPLIT] = "unmap that splits",
	[REFILL] = "map that fills and joins",
};

static const size_t sizes[] = { 1000, 10000, 100000 };

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

struct bench {
	struct vmset *set;
	struct vmset_range *areas;      /* in address order */
	size_t *order;                  /* their indices, shuffled */
	size_t nr;
	uint64_t random;
	double ns[WORKS][ROUNDS];
};

static int null_map(void *ctx, uintptr_t start, size_t size, uint32_t flags,
		    uint64_t offset)
{
	(void)ctx, (void)start, (void)size, (void)flags, (void)offset;
	return 0;
}

static int null_unmap(void *ctx, uintptr_t start, size_t size)
{
	(void)ctx, (void)start, (void)size;
	return 0;
}

static int null_protect(void *ctx, uintptr_t start, size_t size,
			uint32_t flags)
{
	(void)ctx, (void)start, (void)size, (void)flags;
	return 0;
}

static const struct vmset_backend_ops null_ops = {
	.size = sizeof(null_ops),
	.map = null_map,
	.unmap = null_unmap,
	.protect = null_protect,
	.name = "null",
};

static const struct vmset_backend null_backend = { .ops = &null_ops };

/* A wrong result is no measurement. */
static void need(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "quick: wrong result: %s\n", what);
	exit(EXIT_FAILURE);
}

/* xorshift64*, by Vigna: the high half is the good one. */
static uint32_t next_random(struct bench *b)
{
	b->random ^= b->random >> 12;
	b->random ^= b->random << 25;
	b->random ^= b->random >> 27;
	return (uint32_t)((b->random * 0x2545f4914f6cdd1du) >> 32);
}

static size_t random_below(struct bench *b, size_t limit)
{
	return (size_t)(((uint64_t)next_random(b) * limit) >> 32);
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ---- the set ---- */

static uintptr_t lay_out(struct bench *b)
{
	uintptr_t at = BASE;
	size_t i;

	for (i = 0; i < b->nr; i++) {
		at += i + 1 == b->nr ? LARGE_GAP
				     : PAGE << random_below(b, 6);
		b->areas[i].start = at;
		at += (3 + random_below(b, 14)) * PAGE;
		b->areas[i].end = at;
	}
	return at;
}

static void shuffle(struct bench *b)
{
	size_t i;

	for (i = 0; i < b->nr; i++) {
		size_t other = random_below(b, i + 1);

		b->order[i] = b->order[other];
		b->order[other] = i;
	}
}

static void build(struct bench *b, size_t nr)
{
	struct vmset_config config = {
		.size = sizeof(config),
		.bounds.start = BASE,
		.granule = PAGE,
		.backend = &null_backend,
	};
	size_t i;

	b->nr = nr;
	b->random = 0x9e3779b97f4a7c15u;
	b->areas = calloc(nr, sizeof(*b->areas));
	b->order = calloc(nr, sizeof(*b->order));
	need(b->areas && b->order, "no memory");
	config.bounds.end = lay_out(b);
	shuffle(b);
	need(vmset_create(&b->set, &config) == 0, "vmset_create");
	for (i = 0; i < nr; i++) {
		const struct vmset_range *area = &b->areas[b->order[i]];

		need(vmset_map(b->set, area->start, area->end - area->start,
			       VMSET_READ, 0) == 0, "vmset_map");
	}
	need(vmset_len(b->set) == nr, "vmset_len");
}

static void destroy(struct bench *b)
{
	need(vmset_destroy(b->set) == 0, "vmset_destroy");
	free(b->areas);
	free(b->order);
}

/* ---- the works ---- */

/* Look all addresses up.  Every one of them is in an area. */
static void find_all(const struct vmset *set, const uintptr_t addrs[REPEATS])
{
	struct vmset_area area;
	size_t hits = 0;
	size_t i;

	for (i = 0; i < REPEATS; i++)
		hits += vmset_find(set, addrs[i], &area) == 0 &&
			area.start <= addrs[i] && addrs[i] < area.end;
	need(hits == REPEATS, "vmset_find");
}

static double measure_find(struct bench *b)
{
	static uintptr_t addrs[REPEATS];
	double begun;
	size_t i;

	for (i = 0; i < REPEATS; i++) {
		const struct vmset_range *at =
			&b->areas[random_below(b, b->nr)];

		addrs[i] = at->start + random_below(b, at->end - at->start);
	}
	/* Once for the caches, which the size before has filled. */
	find_all(b->set, addrs);
	begun = now_ns();
	find_all(b->set, addrs);
	return (now_ns() - begun) / REPEATS;
}

static double measure_free_area(struct bench *b)
{
	const struct vmset_range whole = { 0, 0 };
	const uintptr_t expected = b->areas[b->nr - 2].end;
	uintptr_t hints[256];
	double begun;
	size_t i;

	for (i = 0; i < 256; i++)
		hints[i] = b->areas[random_below(b, b->nr / 2)].start;
	begun = now_ns();
	for (i = 0; i < REPEATS; i++) {
		uintptr_t start = 0;
		int err = vmset_find_free_area(b->set, hints[i % 256], WANTED,
					       whole, 0, &start);

		need(err == 0 && start == expected, "vmset_find_free_area");
	}
	return (now_ns() - begun) / REPEATS;
}

/* The page to take out of the i-th area in the order of work. */
static uintptr_t inner_page(const struct bench *b, size_t i)
{
	const struct vmset_range *area = &b->areas[b->order[i % b->nr]];
	const size_t pages = (area->end - area->start) / PAGE;

	return area->start + pages / 2 * PAGE;
}

/*
 * A quarter of the areas are cut in two, one after the other, and then made
 * whole again, until that was done often enough.
 */
static void measure_split(struct bench *b, size_t round)
{
	const size_t batch = b->nr / 4;
	const size_t batches = REPEATS / batch + 1;
	double split = 0, refill = 0;
	size_t turn, i;

	for (turn = 0; turn < batches; turn++) {
		const size_t first = (round * batches + turn) * batch;
		double begun = now_ns();

		for (i = first; i < first + batch; i++)
			need(vmset_unmap(b->set, inner_page(b, i), PAGE) == 0,
			     "vmset_unmap");
		split += now_ns() - begun;
		need(vmset_len(b->set) == b->nr + batch, "vmset_unmap");
		begun = now_ns();
		for (i = first; i < first + batch; i++)
			need(vmset_map(b->set, inner_page(b, i), PAGE,
				       VMSET_READ, 0) == 0, "vmset_map");
		refill += now_ns() - begun;
		need(vmset_len(b->set) == b->nr, "vmset_map");
	}
	b->ns[SPLIT][round] = split / (double)(batches * batch);
	b->ns[REFILL][round] = refill / (double)(batches * batch);
}

/* ---- the table ---- */

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *ns)
{
	double sorted[ROUNDS];

	memcpy(sorted, ns, sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(*sorted), compare);
	return sorted[ROUNDS / 2];
}

/* The growth from each size to the next, and from the first to the last. */
static void print_growth(const double value[SIZES])
{
	size_t i;

	for (i = 1; i < SIZES; i++)
		printf("%8.2f", value[i] / value[i - 1]);
	printf("%8.2f\n", value[SIZES - 1] / value[0]);
}

static void print_table(const struct bench benches[SIZES])
{
	double value[SIZES];
	size_t work, i;

	printf("Null backend, ns an operation, median of %d rounds\n\n"
	       "%-32s", ROUNDS, "areas");
	for (i = 0; i < SIZES; i++)
		printf("%8zu", benches[i].nr);
	for (i = 1; i < SIZES; i++)
		printf("      x%zu", benches[i].nr / benches[i - 1].nr);
	printf("    x%zu\n", benches[SIZES - 1].nr / benches[0].nr);
	for (work = 0; work < WORKS; work++) {
		printf("%-32s", work_names[work]);
		for (i = 0; i < SIZES; i++) {
			value[i] = median(benches[i].ns[work]);
			printf("%8.1f", value[i]);
		}
		print_growth(value);
	}
	for (i = 0; i < SIZES; i++)
		value[i] = log2((double)benches[i].nr);
	printf("%-32s%*s", "the logarithm of the number", (int)SIZES * 8, "");
	print_growth(value);
}

int main(void)
{
	static struct bench benches[SIZES];
	size_t round, i;

#ifndef __OPTIMIZE__
	puts("Built without optimisation: these figures say nothing.\n");
#endif
	for (i = 0; i < SIZES; i++)
		build(&benches[i], sizes[i]);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < SIZES; i++) {
			struct bench *b = &benches[i];

			b->ns[FIND][round] = measure_find(b);
			b->ns[FREE_AREA][round] = measure_free_area(b);
			measure_split(b, round);
		}
	}
	print_table(benches);
	for (i = 0; i < SIZES; i++)
		destroy(&benches[i]);
	return 0;
}
