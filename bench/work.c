/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The works.  In a round each peer does each of them once, with the same
 * addresses, sizes and order, and must come to the same result.  All peers'
 * areas are there all the time; they are made by the first round's inserts in
 * random order, and each work leaves them as they were.
 */
#include "work.h"

#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "layout.h"
#include "peer.h"

#define BASE ((uintptr_t)1 << 32)
#define LARGE_GAP ((size_t)64 << 20)
#define REPEATS ((size_t)65536) /* operations in one measurement, at most */
#define LONG_ENOUGH 2e7         /* ns, of slow operations */
#define PEERS_MOST 8
#define CHURNS 3

struct subject {
	const struct bench_peer *peer;
	void *areas;
};

struct bench {
	struct results *results;
	struct layout layout;
	struct subject subjects[PEERS_MOST];
	size_t nr_subjects;
	unsigned int round;
	/* Of the round, for all peers. */
	uintptr_t addrs[2 * REPEATS];   /* to get warm, to measure */
	uintptr_t hints[REPEATS];       /* with free room of all sizes above */
	size_t rare[REPEATS];           /* sizes for which few gaps are enough */
	size_t common[REPEATS];         /* and those that fit into many */
	uintptr_t found[REPEATS];       /* free room, by any peer; else 0 */
	uint64_t sum;                   /* of the first peer's results */
	bool summed;
};

static void record(const struct bench *b, const struct subject *s,
		   const char *work, const char *unit, double value)
{
	const struct result name = {
		.part = WORK_PART, .work = work, .unit = unit,
		.peer = s->peer->name, .areas = b->layout.nr,
	};

	results_add(b->results, &name, value);
}

/* All peers must come to the same. */
static void agree(struct bench *b, uint64_t sum, const char *what)
{
	need(!b->summed || b->sum == sum, what);
	b->sum = sum;
	b->summed = true;
}

/* ---- making the areas ---- */

static void map_all(const struct bench *b, const struct subject *s)
{
	const struct layout *l = &b->layout;
	/* The linear peer only takes them in order. */
	const struct vmset_range *areas = s->peer->unmap ? l->shuffled :
							    l->areas;
	size_t i;

	for (i = 0; i < l->nr; i++) {
		const struct vmset_range *area = &areas[i];

		need(s->peer->map(s->areas, area->start,
				  area->end - area->start, VMSET_READ), "map");
	}
	need(s->peer->len(s->areas) == l->nr, "the number of areas");
}

static void make_areas(const struct bench *b, struct subject *s)
{
	s->areas = s->peer->create(b->layout.bounds);
	need(s->areas, "no memory");
	map_all(b, s);
}

static void measure_build(struct bench *b, const struct subject *s)
{
	struct subject made = *s;
	double begun;

	if (!s->peer->unmap)
		return;
	begun = cpu_ns();
	make_areas(b, &made);
	record(b, s, "build in random order", "ns",
	       (cpu_ns() - begun) / (double)b->layout.nr);
	s->peer->destroy(made.areas);
}

/* ---- reading ---- */

/* What follows depends on what was found, or it does not. */
static uint64_t find_all(const struct subject *s, const uintptr_t *addrs,
			 bool depend)
{
	struct vmset_area area = { .flags = 0 };
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < REPEATS; i++) {
		/* No area has the highest flag. */
		uintptr_t addr = addrs[i] + (depend ? area.flags >> 31 : 0);

		need(s->peer->find(s->areas, addr, &area), "find");
		sum += area.end;
	}
	return sum;
}

static void measure_find(struct bench *b, const struct subject *s, bool depend)
{
	uint64_t sum;
	double begun;

	if (!s->peer->find)
		return;
	find_all(s, b->addrs, depend);
	begun = cpu_ns();
	sum = find_all(s, b->addrs + REPEATS, depend);
	record(b, s, depend ? "find dependent" :
			      "find independent", "ns",
	       (cpu_ns() - begun) / REPEATS);
	agree(b, sum, "find");
}

static void measure_independent(struct bench *b, const struct subject *s)
{
	measure_find(b, s, false);
}

static void measure_dependent(struct bench *b, const struct subject *s)
{
	measure_find(b, s, true);
}

static void measure_walk(struct bench *b, const struct subject *s,
			 size_t (*walk)(const void *), const char *work)
{
	const size_t times = 1 + REPEATS / b->layout.nr;
	uint64_t sum = 0;
	double begun;
	size_t i;

	if (!walk)
		return;
	walk(s->areas);
	begun = cpu_ns();
	for (i = 0; i < times; i++)
		sum += walk(s->areas);
	record(b, s, work, "ns",
	       (cpu_ns() - begun) / (double)(times * b->layout.nr));
	agree(b, sum, work);
}

static void measure_iterate(struct bench *b, const struct subject *s)
{
	measure_walk(b, s, s->peer->walk, "iterate");
	measure_walk(b, s, s->peer->walk_areas, "iterate, whole areas copied");
}

/* ---- free room ---- */

/* Until the time is long enough, or all is done.  Returns ns for each. */
static double search(struct bench *b, const struct subject *s, bool far_end)
{
	size_t done = 0, until = 1;
	double taken = 0;

	while (done < REPEATS && taken < LONG_ENOUGH) {
		double begun = cpu_ns();
		size_t i;

		for (i = done; i < until; i++) {
			uintptr_t start;

			need(s->peer->find_free(
				     s->areas, b->hints[i],
				     far_end ? LAYOUT_WANTED : b->rare[i],
				     &start), "find_free");
			need(!b->found[i] || b->found[i] == start,
			     "what find_free finds");
			b->found[i] = start;
		}
		taken += cpu_ns() - begun;
		done = until;
		until *= 2;
	}
	return taken / (double)done;
}

static void measure_far_end(struct bench *b, const struct subject *s)
{
	record(b, s, "free area only at the far end", "ns",
	       search(b, s, true));
	need(b->found[0] == b->layout.areas[b->layout.nr - 2].end,
	     "find_free at the far end");
}

static void measure_near(struct bench *b, const struct subject *s)
{
	if (s->peer->unmap)
		record(b, s, "free area random hint and size", "ns",
		       search(b, s, false));
}

/* An area that joins no other, and away with it. */
static void measure_alloc(struct bench *b, const struct subject *s)
{
	uint64_t sum = 0;
	double begun;
	size_t i;

	if (!s->peer->alloc)
		return;
	begun = cpu_ns();
	for (i = 0; i < REPEATS; i++) {
		uintptr_t start;

		need(s->peer->alloc(s->areas, b->hints[i], b->common[i],
				    VMSET_WRITE, &start), "alloc");
		sum += start;
		need(s->peer->unmap(s->areas, start, b->common[i]), "unmap");
	}
	record(b, s, "alloc and unmap", "ns", (cpu_ns() - begun) / REPEATS);
	agree(b, sum, "alloc");
}

/* ---- cutting areas ---- */

static const struct vmset_range *nth(const struct bench *b, size_t i)
{
	return &b->layout.shuffled[i % b->layout.nr];
}

enum cut { UNMAP, REFILL, PROTECT, PUT_BACK, CUTS };

static const char *const cut_names[CUTS] = {
	[UNMAP] = "unmap that splits",
	[REFILL] = "map that fills and joins",
	[PROTECT] = "protect that splits",
	[PUT_BACK] = "protect back which joins",
};

static bool do_cut(const struct subject *s, enum cut cut, uintptr_t page)
{
	switch (cut) {
	case UNMAP:
		return s->peer->unmap(s->areas, page, PAGE);
	case REFILL:
		return s->peer->map(s->areas, page, PAGE, VMSET_READ);
	case PROTECT:
		return s->peer->protect(s->areas, page, PAGE, VMSET_WRITE);
	default:
		return s->peer->protect(s->areas, page, PAGE, VMSET_READ);
	}
}

/*
 * A quarter of the areas are cut, one after the other, and then made whole
 * again, until that was done often enough.
 */
static void measure_pair(struct bench *b, const struct subject *s,
			 enum cut first, size_t more)
{
	const size_t batch = b->layout.nr / 4;
	const size_t batches = 1 + REPEATS / 2 / batch;
	double taken[CUTS] = { 0 };
	size_t turn, i;
	enum cut cut;

	if (!s->peer->unmap)
		return;
	for (turn = 0; turn < batches; turn++) {
		const size_t from = (b->round * batches + turn) * batch;

		for (cut = first; cut < first + 2; cut++) {
			double begun = cpu_ns();

			for (i = from; i < from + batch; i++)
				need(do_cut(s, cut,
					    layout_inner_page(nth(b, i))),
				     cut_names[cut]);
			taken[cut] += cpu_ns() - begun;
			need(s->peer->len(s->areas) == b->layout.nr +
				     (cut == first ? batch * more : 0),
			     cut_names[cut]);
		}
	}
	for (cut = first; cut < first + 2; cut++)
		record(b, s, cut_names[cut], "ns",
		       taken[cut] / (double)(batches * batch));
}

static void measure_unmap(struct bench *b, const struct subject *s)
{
	measure_pair(b, s, UNMAP, 1);
}

static void measure_protect(struct bench *b, const struct subject *s)
{
	measure_pair(b, s, PROTECT, 2);
}

/* ---- memory ---- */

/* Remove nine of ten areas and put them back in another order. */
static void churn(const struct bench *b, const struct subject *s,
		  struct rng *rng)
{
	const struct layout *l = &b->layout;
	const size_t out = l->nr - l->nr / 10;
	uint32_t *order = calloc(l->nr, sizeof(*order));
	uint32_t *back = calloc(out, sizeof(*back));
	size_t i;

	need(order && back, "no memory");
	layout_shuffle(order, l->nr, rng);
	layout_shuffle(back, out, rng);
	for (i = 0; i < out; i++) {
		const struct vmset_range *area = &l->areas[order[i]];

		need(s->peer->unmap(s->areas, area->start,
				    area->end - area->start), "unmap");
	}
	for (i = 0; i < out; i++) {
		const struct vmset_range *area = &l->areas[order[back[i]]];

		need(s->peer->map(s->areas, area->start,
				  area->end - area->start, VMSET_READ), "map");
	}
	free(order);
	free(back);
	need(s->peer->len(s->areas) == l->nr, "the number of areas");
}

/* The same in every round. */
static void measure_bytes(struct bench *b, const struct subject *s)
{
	const double areas = (double)b->layout.nr;
	struct subject made = *s;
	struct rng rng = { 1 };
	unsigned int i;

	if (!s->peer->bytes || b->round)
		return;
	make_areas(b, &made);
	if (s->peer->bytes(made.areas)) {
		record(b, s, "memory of an area", "bytes",
		       (double)s->peer->bytes(made.areas) / areas);
		for (i = 0; i < CHURNS; i++)
			churn(b, &made, &rng);
		record(b, s, "memory of an area after churn", "bytes",
		       (double)s->peer->bytes(made.areas) / areas);
	}
	s->peer->destroy(made.areas);
}

/* ---- rounds ---- */

static void (*const works[])(struct bench *, const struct subject *) = {
	measure_build, measure_independent, measure_dependent,
	measure_iterate, measure_far_end, measure_near, measure_unmap,
	measure_protect, measure_alloc, measure_bytes,
};

#define WORKS (sizeof(works) / sizeof(works[0]))

static void draw(struct bench *b)
{
	struct rng rng = { 2 * b->round + 1 };
	size_t i;

	/* The first numbers of neighbouring seeds are alike. */
	for (i = 0; i < 16; i++)
		rng_next(&rng);
	for (i = 0; i < 2 * REPEATS; i++)
		b->addrs[i] = layout_address(&b->layout, &rng);
	for (i = 0; i < REPEATS; i++) {
		uint32_t at = rng_below(&rng, (uint32_t)b->layout.nr / 2);

		b->hints[i] = b->layout.areas[at].start;
		b->rare[i] = (1 + rng_below(&rng, LAYOUT_RARE_PAGES)) * PAGE;
		b->common[i] = (1 + rng_below(&rng, LAYOUT_COMMON_PAGES)) *
			       PAGE;
	}
}

static void run_round(struct bench *b)
{
	size_t work, i;

	draw(b);
	for (work = 0; work < WORKS; work++) {
		b->summed = false;
		memset(b->found, 0, sizeof(b->found));
		for (i = 0; i < b->nr_subjects; i++) {
			/* Each is first at some time. */
			size_t turn = (i + b->round) % b->nr_subjects;

			works[work](b, &b->subjects[turn]);
		}
	}
}

void work_measure(struct results *results, size_t areas, unsigned int rounds,
		  const char *peers)
{
	static struct bench b;
	size_t i;

	b.results = results;
	b.nr_subjects = 0;
	layout_make(&b.layout, areas, BASE, LARGE_GAP);
	for (i = 0; bench_peers[i]; i++) {
		struct subject *subject = &b.subjects[b.nr_subjects];

		if (!bench_peer_is_named(bench_peers[i], peers))
			continue;
		subject->peer = bench_peers[i];
		make_areas(&b, subject);
		b.nr_subjects++;
	}
	for (b.round = 0; b.round < rounds; b.round++) {
		fprintf(stderr, "bench: %zu areas in memory, round %u of %u\n",
			areas, b.round + 1, rounds);
		run_round(&b);
	}
	for (i = 0; i < b.nr_subjects; i++)
		b.subjects[i].peer->destroy(b.subjects[i].areas);
	layout_free(&b.layout);
}
