/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * readers: how many finds a second threads make beside a writer.
 *
 * The set, whose readers take no lock, beside the two ways in which one would
 * share a container without it: an ordered map behind a pthread_rwlock, and
 * one sequence counter around a sorted array, whose readers look again when
 * the counter has moved. The writer gives whole areas other flags, so that the
 * array never moves and its readers stay in it: a write there is a search and
 * one store, where the set plans, calls a backend and publishes.
 *
 * Last, what the readers' protocol costs: the set's own tree, searched by
 * vmset_find and by a bare descent that looks at no epoch and loads as if nobody
 * wrote. Both by the vectors that every machine of the kind has, as the descent
 * is compiled for those.
 */
#include <config.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "entry.h"
#include "internal.h"
#include "layout.h"
#include "peer.h"
#include "results.h"
#include "shared.h"
#include "tree-find.h"
#include "tree-node.h"

#define PART      "readers"
#define AREAS     ((size_t)100000)
#define ADDRESSES ((size_t)1 << 16)
#define BATCH     64            /* finds between two looks at the clock */
#define MOST_READERS 2
#define CELL_NS   2e8           /* a figure takes so long */
#define PACE_NS   2000.0        /* of the writer that is not flat out */

static struct layout layout;
static uintptr_t addresses[ADDRESSES];

/* ---- what is compared ---- */

struct subject {
	const char *name;
	void (*open)(void);
	void (*close)(void);
	bool (*find)(uintptr_t addr, struct vmset_area *area);
	void (*write)(const struct vmset_range *area, uint32_t flags);
};

static void *open_peer(const struct bench_peer *peer)
{
	void *self = peer->create(layout.bounds);

	need(self, "create");
	for (size_t i = 0; i < layout.nr; i++) {
		const struct vmset_range *area = &layout.areas[i];

		need(peer->map(self, area->start, area->end - area->start, 1),
		     "map");
	}
	return self;
}

static struct vmset *set;

static void set_open(void)
{
	vmset__find_choose(NULL);
	set = open_peer(&bench_vmset);
}

#if VMSET__SEARCH_SSE2
#define COMMON_SEARCH "sse2"
#elif VMSET__SEARCH_NEON
#define COMMON_SEARCH "neon"
#else
#define COMMON_SEARCH "plain"
#endif

static void set_open_common(void)
{
	vmset__find_choose(COMMON_SEARCH);
	set = open_peer(&bench_vmset);
}

static void set_close(void)
{
	bench_vmset.destroy(set);
}

static bool set_find(uintptr_t addr, struct vmset_area *area)
{
	return vmset_find(set, addr, area) == 0;
}

static void set_write(const struct vmset_range *area, uint32_t flags)
{
	need(vmset_protect(set, area->start, area->end - area->start,
			   flags) == 0, "vmset_protect");
}

#ifdef BENCH_CXX
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static void *map;

static void map_open(void)
{
	map = open_peer(&bench_std_map);
}

static void map_close(void)
{
	bench_std_map.destroy(map);
}

static bool map_find(uintptr_t addr, struct vmset_area *area)
{
	bool found;

	pthread_rwlock_rdlock(&rwlock);
	found = bench_std_map.find(map, addr, area);
	pthread_rwlock_unlock(&rwlock);
	return found;
}

static void map_write(const struct vmset_range *area, uint32_t flags)
{
	pthread_rwlock_wrlock(&rwlock);
	need(bench_std_map.protect(map, area->start, area->end - area->start,
				   flags), "protect");
	pthread_rwlock_unlock(&rwlock);
}
#endif

/* Sorted by address; changed under seq, which is odd meanwhile. */
static struct vmset_area *array;
static uintptr_t seq;

static void array_open(void)
{
	array = calloc(layout.nr, sizeof(*array));
	need(array, "calloc");
	for (size_t i = 0; i < layout.nr; i++) {
		array[i].start = layout.areas[i].start;
		array[i].end = layout.areas[i].end;
		array[i].flags = 1;
	}
}

static void array_close(void)
{
	free(array);
}

/* The first that ends above addr. */
static size_t array_search(uintptr_t addr)
{
	size_t low = 0;

	for (size_t n = layout.nr; n;) {
		size_t half = n / 2;
		bool below = vmset__load(&array[low + half].end) <= addr;

		low = below ? low + half + 1 : low;
		n = below ? n - half - 1 : half;
	}
	return low;
}

static bool array_look(uintptr_t addr, struct vmset_area *area)
{
	size_t i = array_search(addr);

	if (i == layout.nr)
		return false;
	area->start = vmset__load(&array[i].start);
	area->end = vmset__load(&array[i].end);
	area->flags = vmset__load(&array[i].flags);
	area->offset = vmset__load(&array[i].offset);
	return area->start <= addr;
}

static bool array_find(uintptr_t addr, struct vmset_area *area)
{
	for (;;) {
		uintptr_t before = vmset__load_acquire(&seq);
		bool found;

		if (before % 2)
			continue;
		found = array_look(addr, area);
		vmset__fence_acquire();
		if (vmset__load(&seq) == before)
			return found;
	}
}

static void array_write(const struct vmset_range *area, uint32_t flags)
{
	vmset__store(&seq, seq + 1);
	vmset__fence_release();
	vmset__store(&array[array_search(area->start)].flags, flags);
	vmset__store_release(&seq, seq + 1);
}

/*
 * vmset_find, less the protocol: only while nobody writes. The address is in an
 * area, and nothing was removed, so that it is in the leaf that is met.
 */
static bool bare_find(uintptr_t addr, struct vmset_area *area)
{
	const uintptr_t root = set->tree.root;
	uintptr_t node = vmset__root_node(root);
	const struct vmset__leaf *leaf;
	struct vmset_area found;
	unsigned i;

	for (unsigned level = vmset__root_level(root); level; level--) {
		const struct vmset__inner *inner = vmset__inner(node);

		node = inner->child[vmset__route(inner, addr)].node;
	}
	leaf = vmset__leaf(node);
	i = vmset__ends_by(leaf, addr);
	if (i == leaf->node.count)
		return false;
	vmset__read_entry(&set->tree, leaf, vmset__slot_of(leaf, i), &found);
	if (found.start > addr || vmset__is_hidden(&found))
		return false;
	*area = found;
	return true;
}

static const struct subject subjects[] = {
	{ "vmset", set_open, set_close, set_find, set_write },
#ifdef BENCH_CXX
	{ "rwlock+map", map_open, map_close, map_find, map_write },
#endif
	{ "sequence", array_open, array_close, array_find, array_write },
	/* Without a writer, for one of them cannot have any. */
	{ "protocol", set_open_common, set_close, set_find, NULL },
	{ "no protocol", set_open_common, set_close, bare_find, NULL },
};

#define SUBJECTS (sizeof(subjects) / sizeof(*subjects))

/* ---- threads ---- */

enum writer { NO_WRITER, PACED, FLAT_OUT, WRITERS };

static const char *const works[MOST_READERS][WRITERS] = {
	{ "1 reader alone", "1 reader; a write each 2 us",
	  "1 reader; writes flat out" },
	{ "2 readers alone", "2 readers; a write each 2 us",
	  "2 readers; writes flat out" },
};

static const struct subject *subject;
static enum writer writer;
static bool stop;

static double wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static bool stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

/* Finds from the address with index *arg on; counts them there. */
static void *read_on(void *arg)
{
	size_t *count = arg, at = *count, n = 0;
	struct vmset_area area = { 0 };

	for (; !stopped(); n += BATCH)
		for (size_t i = 0; i < BATCH; i++) {
			uintptr_t addr = addresses[at++ % ADDRESSES];

			need(subject->find(addr, &area) &&
			     area.start <= addr && addr < area.end, "find");
		}
	*count = n;
	return NULL;
}

static void *write_on(void *arg)
{
	size_t *count = arg;
	double due = wall_ns();

	for (*count = 0; !stopped(); ++*count) {
		subject->write(&layout.shuffled[*count % layout.nr],
			       2 + (uint32_t)(*count / layout.nr % 2));
		due += PACE_NS;
		while (writer == PACED && wall_ns() < due)
			;
	}
	return NULL;
}

struct rates {
	double reads, writes;           /* millions a second */
};

static struct rates run(unsigned int readers)
{
	const struct timespec time = { .tv_nsec = (long)CELL_NS };
	pthread_t threads[MOST_READERS + 1];
	size_t reads[MOST_READERS] = { 0, ADDRESSES / 2 }, writes = 0;
	unsigned int n = 0;
	struct rates rates = { 0 };
	double begin, took;

	stop = false;
	begin = wall_ns();
	for (; n < readers; n++)
		need(!pthread_create(&threads[n], NULL, read_on, &reads[n]),
		     "pthread_create");
	if (writer != NO_WRITER)
		need(!pthread_create(&threads[n++], NULL, write_on, &writes),
		     "pthread_create");
	nanosleep(&time, NULL);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	took = wall_ns() - begin;
	while (n)
		pthread_join(threads[--n], NULL);
	for (unsigned int i = 0; i < readers; i++)
		rates.reads += (double)reads[i] * 1e3 / took;
	rates.writes = (double)writes * 1e3 / took;
	return rates;
}

/* ---- rounds and tables ---- */

static struct result name_of(const char *work, const char *unit)
{
	return (struct result){
		.part = PART, .work = work, .peer = subject->name,
		.unit = unit, .areas = AREAS,
	};
}

static void measure(struct results *results, unsigned int readers)
{
	const char *work = works[readers - 1][writer];
	struct result name = name_of(work, "Mreads/s");
	struct rates rates = run(readers);

	results_add(results, &name, rates.reads);
	if (writer == NO_WRITER)
		return;
	name = name_of(readers == 1 ? writer == PACED ? "writes beside 1, paced"
						      : "writes beside 1"
				    : writer == PACED ? "writes beside 2, paced"
						      : "writes beside 2",
		       "Mwrites/s");
	results_add(results, &name, rates.writes);
}

static void measure_subject(struct results *results)
{
	enum writer writers = subject->write ? WRITERS : NO_WRITER + 1;

	subject->open();
	for (writer = NO_WRITER; writer < writers; writer++)
		for (unsigned int n = 1; n <= MOST_READERS; n++)
			measure(results, n);
	subject->close();
}

static void print_line(const struct results *results, const char *work)
{
	printf("%-28s", work);
	for (size_t i = 0; i < SUBJECTS; i++) {
		double value = results_median(results, PART, work,
					      subjects[i].name, AREAS);

		if (value < 0)
			printf("%13s", "-");
		else
			printf("%13.3f", value);
	}
	putchar('\n');
}

static void print_tables(const struct results *results)
{
	double with = results_median(results, PART, works[0][NO_WRITER],
				     "protocol", AREAS);
	double without = results_median(results, PART, works[0][NO_WRITER],
					"no protocol", AREAS);

	printf("\nMillions of finds a second, all readers together, and of "
	       "writes\n%-28s", "");
	for (size_t i = 0; i < SUBJECTS; i++)
		printf("%13s", subjects[i].name);
	putchar('\n');
	for (unsigned int n = 0; n < MOST_READERS; n++)
		for (int w = 0; w < WRITERS; w++)
			print_line(results, works[n][w]);
	print_line(results, "writes beside 1, paced");
	print_line(results, "writes beside 1");
	print_line(results, "writes beside 2, paced");
	print_line(results, "writes beside 2");
	printf("\nA write of \"sequence\" is a search and one store; nothing "
	       "ever moves there.\n"
	       "A find takes %.1f ns with the readers' protocol and %.1f ns "
	       "without: %+.0f %%\n(\"protocol\" and \"no protocol\": both "
	       "search by " COMMON_SEARCH ", and nobody writes)\n", 1e3 / with,
	       1e3 / without, (without / with - 1) * 100);
}

static void prepare(void)
{
	struct rng rng = { 1 };

	layout_make(&layout, AREAS, (uintptr_t)1 << 32, (size_t)64 << 20);
	for (size_t i = 0; i < ADDRESSES; i++)
		addresses[i] = layout_address(&layout, &rng);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 5;
	struct results results = { 0 };
	FILE *csv = NULL;
	int failed = 0;

	if (argc > 3 || rounds < 1 || rounds > 1000) {
		fputs("usage: readers [ROUNDS [CSV]]\n", stderr);
		return 2;
	}
	if (argc > 2 && !(csv = fopen(argv[2], "we"))) {
		perror(argv[2]);
		return EXIT_FAILURE;
	}
	prepare();
	printf("%zu areas, medians of %ld rounds, %ld processors: with fewer "
	       "than threads\nthey take turns\n", AREAS, rounds,
	       sysconf(_SC_NPROCESSORS_ONLN));
	for (long round = 0; round < rounds; round++)
		for (size_t i = 0; i < SUBJECTS; i++) {
			subject = &subjects[i];
			measure_subject(&results);
			fprintf(stderr, "round %ld of %ld: %s\n", round + 1,
				rounds, subject->name);
		}
	print_tables(&results);
	if (csv)
		failed = results_write_csv(&results, csv) | fclose(csv);
	results_free(&results);
	layout_free(&layout);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
