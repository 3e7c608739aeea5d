/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * In place: the set and the bare calls work on the same areas of the same
 * reservation, in turns of a few operations, so that both find the kernel and
 * the caches in the same state.  A work leaves all as it was; so the bare
 * calls can do it behind the set's back.
 *
 * Pages are never touched.  Page faults would take longer than all else, and
 * hide what the set takes.
 */
#include "kernel.h"

#include <sys/mman.h>

#include "bench.h"
#include "layout.h"
#include "vmset.h"

#define OPERATIONS ((size_t)16384)      /* of each, in a round */
#define TURN ((size_t)128)              /* of one, until the other's turn */
#define STRETCH ((size_t)64)            /* areas that are unmapped at once */
#define RESERVED ((size_t)64 << 40)
#define GAP ((size_t)4 << 20)
#define SOME_MAPPINGS 2000              /* for all else in the process */

static const char set_name[] = "vmset", bare_name[] = "bare calls";

enum { RW = VMSET_READ | VMSET_WRITE };

struct bench {
	struct results *results;
	struct layout layout;
	struct vmset *set;
	size_t at;                      /* in the order of work */
};

/* ---- bare calls ---- */

static void bare_map(uintptr_t start, size_t size, int prot)
{
	need(mmap((void *)start, size, prot, MAP_FIXED | MAP_PRIVATE |
		  MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == (void *)start,
	     "mmap");
}

static void bare_protect(uintptr_t start, size_t size, int prot)
{
	need(mprotect((void *)start, size, prot) == 0, "mprotect");
}

static void bare_remap(const struct bench *b, const struct vmset_range *area)
{
	size_t size = area->end - area->start;

	(void)b;
	bare_map(area->start, size, PROT_NONE);
	bare_map(area->start, size, PROT_READ | PROT_WRITE);
}

static void bare_flip(const struct bench *b, const struct vmset_range *area)
{
	size_t size = area->end - area->start;

	(void)b;
	bare_protect(area->start, size, PROT_READ);
	bare_protect(area->start, size, PROT_READ | PROT_WRITE);
}

static void bare_same(const struct bench *b, const struct vmset_range *area)
{
	(void)b;
	bare_protect(area->start, area->end - area->start,
		     PROT_READ | PROT_WRITE);
}

/* ---- by the set ---- */

static void set_remap(const struct bench *b, const struct vmset_range *area)
{
	size_t size = area->end - area->start;

	need(vmset_unmap(b->set, area->start, size) == 0, "vmset_unmap");
	need(vmset_map(b->set, area->start, size, RW, 0) == 0, "vmset_map");
}

static void set_flip(const struct bench *b, const struct vmset_range *area)
{
	size_t size = area->end - area->start;

	need(vmset_protect(b->set, area->start, size, VMSET_READ) == 0 &&
	     vmset_protect(b->set, area->start, size, RW) == 0,
	     "vmset_protect");
}

static void set_same(const struct bench *b, const struct vmset_range *area)
{
	need(vmset_protect(b->set, area->start, area->end - area->start,
			   RW) == 0, "vmset_protect");
}

/* ---- in turns ---- */

typedef void operation_fn(const struct bench *b,
			  const struct vmset_range *area);

static const struct work {
	const char *name;
	operation_fn *set, *bare;
} works[] = {
	{ "unmap an area and map it again", set_remap, bare_remap },
	{ "protect an area and back", set_flip, bare_flip },
	{ "protect to the flags it has", set_same, bare_same },
};

#define WORKS (sizeof(works) / sizeof(works[0]))

static void record(const struct bench *b, const char *work, const char *peer,
		   double ns)
{
	const struct result name = {
		.part = KERNEL_PART, .work = work, .unit = "ns", .peer = peer,
		.areas = b->layout.nr,
	};

	results_add(b->results, &name, ns);
}

/* A few operations on areas that were not in turn for the longest time. */
static double take_turn(struct bench *b, operation_fn *operation)
{
	double begun = cpu_ns();
	size_t i;

	for (i = 0; i < TURN; i++)
		operation(b, &b->layout.shuffled[b->at++ % b->layout.nr]);
	return cpu_ns() - begun;
}

static void measure(struct bench *b, const struct work *work)
{
	double set = 0, bare = 0;
	size_t i;

	for (i = 0; i < OPERATIONS / TURN; i++) {
		set += take_turn(b, work->set);
		bare += take_turn(b, work->bare);
	}
	record(b, work->name, set_name, set / OPERATIONS);
	record(b, work->name, bare_name, bare / OPERATIONS);
}

/* ---- a stretch of areas ---- */

static void map_again(const struct bench *b, size_t from, bool bare)
{
	size_t i;

	for (i = from; i < from + STRETCH; i++) {
		const struct vmset_range *area = &b->layout.areas[i];
		size_t size = area->end - area->start;

		if (bare)
			bare_map(area->start, size, PROT_READ | PROT_WRITE);
		else
			need(vmset_map(b->set, area->start, size, RW, 0) == 0,
			     "vmset_map");
	}
}

/* One mmap is what a program can do that knows that nobody else is there. */
static double unmap_stretch(const struct bench *b, size_t from, bool bare)
{
	uintptr_t start = b->layout.areas[from].start;
	size_t size = b->layout.areas[from + STRETCH - 1].end - start;
	double begun = cpu_ns(), taken;

	if (bare)
		bare_map(start, size, PROT_NONE);
	else
		need(vmset_unmap(b->set, start, size) == 0, "vmset_unmap");
	taken = cpu_ns() - begun;
	map_again(b, from, bare);
	return taken;
}

/* Whoever comes first finds the areas cold: each does as often. */
static void measure_stretch(struct bench *b)
{
	const size_t times = OPERATIONS / STRETCH;
	double set = 0, bare = 0;
	size_t i;

	for (i = 0; i < times; i++) {
		size_t from = i * STRETCH % (b->layout.nr - STRETCH);
		bool bare_first = i % 2;

		if (bare_first)
			bare += unmap_stretch(b, from, true);
		set += unmap_stretch(b, from, false);
		if (!bare_first)
			bare += unmap_stretch(b, from, true);
	}
	record(b, "unmap 64 areas by one call", set_name, set / (double)times);
	record(b, "unmap 64 areas by one call", bare_name,
	       bare / (double)times);
}

void kernel_measure(struct results *results, size_t areas,
		    unsigned int rounds)
{
	struct bench b = { .results = results };
	struct vmset_mismatch first;
	size_t i;

	layout_make(&b.layout, areas, 0, GAP);
	need(vmset_reserve(&b.set, b.layout.bounds.end, 0) == 0,
	     "vmset_reserve");
	layout_free(&b.layout);
	layout_make(&b.layout, areas, vmset_bounds(b.set).start, GAP);
	for (i = 0; i < areas; i++) {
		const struct vmset_range *area = &b.layout.shuffled[i];

		need(vmset_map(b.set, area->start, area->end - area->start,
			       RW, 0) == 0, "vmset_map");
	}
	for (unsigned int round = 0; round < rounds; round++) {
		fprintf(stderr, "bench: %zu areas on the kernel, "
			"round %u of %u\n", areas, round + 1, rounds);
		for (i = 0; i < WORKS; i++)
			measure(&b, &works[i]);
		if (areas > STRETCH)
			measure_stretch(&b);
	}
	need(vmset_verify(b.set, &first) == 0, "the kernel disagrees");
	need(vmset_destroy(b.set) == 0, "vmset_destroy");
	layout_free(&b.layout);
}

/* ---- beginning ---- */

static struct vmset *start_set(void)
{
	struct vmset *set;

	need(vmset_reserve(&set, RESERVED, 0) == 0, "vmset_reserve");
	need(vmset_map(set, vmset_bounds(set).start, PAGE, RW, 0) == 0,
	     "vmset_map");
	return set;
}

static void *start_bare(void)
{
	void *at = mmap(NULL, RESERVED, PROT_NONE, MAP_PRIVATE |
			MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	need(at != MAP_FAILED, "mmap");
	bare_map((uintptr_t)at, PAGE, PROT_READ | PROT_WRITE);
	return at;
}

void kernel_measure_start(struct results *results, unsigned int rounds)
{
	const struct bench b = { .results = results, .layout.nr = 1 };
	static const char work[] = "reserve 64 TiB and map a page";

	for (unsigned int round = 0; round < rounds; round++) {
		double begun = cpu_ns();
		struct vmset *set = start_set();
		void *bare;

		record(&b, work, set_name, cpu_ns() - begun);
		need(vmset_destroy(set) == 0, "vmset_destroy");
		begun = cpu_ns();
		bare = start_bare();
		record(&b, work, bare_name, cpu_ns() - begun);
		need(munmap(bare, RESERVED) == 0, "munmap");
	}
}

size_t kernel_most_areas(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	size_t mappings = 65530;

	if (file) {
		if (fscanf(file, "%zu", &mappings) != 1)
			mappings = 65530;
		fclose(file);
	}
	return mappings > SOME_MAPPINGS ? (mappings - SOME_MAPPINGS) / 2 : 0;
}

size_t kernel_small_set_bytes(void)
{
	struct vmset *set;
	uintptr_t start;
	size_t bytes;
	int i;

	need(vmset_reserve(&set, RESERVED, 0) == 0, "vmset_reserve");
	start = vmset_bounds(set).start;
	for (i = 0; i < 3; i++)
		need(vmset_map(set, start + (size_t)i * 2 * PAGE, PAGE, RW,
			       0) == 0, "vmset_map");
	bytes = record_bytes(set);
	need(vmset_destroy(set) == 0, "vmset_destroy");
	return bytes;
}
