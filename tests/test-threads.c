/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A set used by several threads, and by signal handlers: readers without a
 * lock see one of the states that the writers go through, never one between
 * two; writers in their own parts of the space do not disturb each other.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "assert.h"
#include "layers.h"
#include "rng.h"
#include "suites.h"
#include "tools.h"

/* ---- states that one writer goes through, again and again ---- */

#define STATES 4

/* The step to the next state; each is one call. */
static int advance(struct vmset *set, unsigned int state)
{
	switch (state) {
	case 0:
		return vmset_protect(set, 0x300, 0x200, 2);
	case 1:
		return vmset_map(set, 0x200, 0x600, 3, VMSET_REPLACE);
	case 2:
		return vmset_unmap(set, 0x400, 0x200);
	default:
		return vmset_map(set, 0x100, 0x800, 1, VMSET_REPLACE);
	}
}

/* In each state: which area an address is in, or which comes next. */
static const struct {
	uintptr_t addr;
	bool next;
	struct layers_area legal[STATES];       /* { 0 }: none there */
} answers[] = {
	{ 0x110, false, { { 0x100, 0x900, 1 }, { 0x100, 0x300, 1 },
			  { 0x100, 0x200, 1 }, { 0x100, 0x200, 1 } } },
	{ 0x450, false, { { 0x100, 0x900, 1 }, { 0x300, 0x500, 2 },
			  { 0x200, 0x800, 3 }, { 0, 0, 0 } } },
	{ 0x7ff, false, { { 0x100, 0x900, 1 }, { 0x500, 0x900, 1 },
			  { 0x200, 0x800, 3 }, { 0x600, 0x800, 3 } } },
	{ 0x450, true,  { { 0x100, 0x900, 1 }, { 0x300, 0x500, 2 },
			  { 0x200, 0x800, 3 }, { 0x600, 0x800, 3 } } },
	{ 0x800, true,  { { 0x100, 0x900, 1 }, { 0x500, 0x900, 1 },
			  { 0x800, 0x900, 1 }, { 0x800, 0x900, 1 } } },
};

#define ANSWERS (sizeof(answers) / sizeof(*answers))

/* Areas that never change, so that the tree has some size. */
#define STILL 2000
#define STILL_START 0x1000u

static void open_states(struct layers *layers, uint32_t promises)
{
	layers_open(layers, (struct layers_config){ .promises = promises });
	assert_ok(vmset_map(layers->set, 0x100, 0x800, 1, 0));
	for (uintptr_t i = 0; i < STILL; i++)
		assert_ok(vmset_map(layers->set, STILL_START + 8 * i, 4, 7,
				    0));
}

static bool is_area(const struct vmset_area *area, int result,
		    const struct layers_area *want)
{
	if (want->end == 0)
		return result == -ENOENT;
	return result == 0 && area->start == want->start &&
	       area->end == want->end && area->flags == want->flags;
}

/* Whether the answer is that of some state. */
static bool is_legal(const struct vmset *set, size_t number)
{
	struct vmset_area area = { 0 };
	int result = answers[number].next
			     ? vmset_next(set, answers[number].addr, &area)
			     : vmset_find(set, answers[number].addr, &area);

	for (unsigned int i = 0; i < STATES; i++) {
		if (is_area(&area, result, &answers[number].legal[i]))
			return true;
	}
	return false;
}

/* A walk meets all areas that stay, beside some in which the others are. */
static bool walks_legally(const struct vmset *set)
{
	const struct vmset_area *area;
	struct vmset_iter iter;
	uintptr_t end = 0;
	size_t still = 0;

	vmset_iter_init(&iter, set, 0);
	for (; (area = vmset_iter_next(&iter)); end = area->end) {
		if (area->end <= end)
			return false;
		still += area->start == STILL_START + 8 * still;
	}
	return still == STILL;
}

/* Everything that holds in all states, and one question of each kind. */
static bool reads_legal(const struct vmset *set, unsigned long round)
{
	uintptr_t still = STILL_START + 8 * (round * 7 % STILL);
	const struct layers_area want = { still, still + 4, 7 };
	struct vmset_area area = { 0 };
	size_t len = vmset_len(set);

	return is_legal(set, round % ANSWERS) &&
	       (round % 64 || walks_legally(set)) &&
	       is_area(&area, vmset_find(set, still + 3, &area), &want) &&
	       is_area(&area, vmset_next(set, still - 4, &area), &want) &&
	       (len == STILL + 1 || len == STILL + 3 || len == STILL + 4) &&
	       vmset_overlaps(set, 0x150, 0x300) &&
	       !vmset_overlaps(set, 0x900, 0x700) && !vmset_is_empty(set) &&
	       vmset_granule(set) == 1 &&
	       vmset_bounds(set).end == MOCK_MAX_ADDR;
}

struct reader {
	pthread_t thread;
	const struct vmset *set;
	atomic_bool *stop;
	atomic_ulong rounds;
	bool good;
};

static void *read_on(void *arg)
{
	struct reader *reader = arg;
	unsigned long round = 0;

	reader->good = true;
	while (!atomic_load(reader->stop) && reader->good) {
		reader->good = reads_legal(reader->set, round);
		atomic_store(&reader->rounds,
			     reader->good ? ++round : ULONG_MAX);
	}
	return NULL;
}

#define READERS 3

static void start_readers(struct reader *readers, const struct vmset *set,
			  atomic_bool *stop)
{
	for (unsigned int i = 0; i < READERS; i++) {
		readers[i].set = set;
		readers[i].stop = stop;
		atomic_init(&readers[i].rounds, 0);
		assert_ok(pthread_create(&readers[i].thread, NULL, read_on,
					 &readers[i]));
	}
}

/* Whether each reader has had its share, or has found something wrong. */
static bool have_read(struct reader *readers, unsigned long rounds)
{
	for (unsigned int i = 0; i < READERS; i++) {
		if (atomic_load(&readers[i].rounds) < rounds)
			return false;
	}
	return true;
}

static void join_readers(struct reader *readers, atomic_bool *stop)
{
	atomic_store(stop, true);
	for (unsigned int i = 0; i < READERS; i++)
		assert_ok(pthread_join(readers[i].thread, NULL));
	for (unsigned int i = 0; i < READERS; i++)
		assert_that(readers[i].good);
}

/* With no promises, a replace is two calls and a protect is many. */
START_TEST(readers_see_whole_states)
{
	unsigned long least = tools_rounds(4000);
	struct reader readers[READERS];
	atomic_bool stop = false;
	struct layers layers;
	unsigned long round = 0;

	open_states(&layers, _i ? MOCK_PROMISES : 0);
	start_readers(readers, layers.set, &stop);
	for (; round < least || !have_read(readers, least / 10); round++) {
		for (unsigned int state = 0; state < STATES; state++)
			assert_ok(advance(layers.set, state));
	}
	join_readers(readers, &stop);
	layers_check(&layers);
	layers_close(&layers);
}
END_TEST

/* ---- writers, each in its part ---- */

#define WRITERS 3
#define PART 0x1000u
#define CELL 0x10u

struct writer {
	pthread_t thread;
	struct vmset *set;
	struct rng rng;
	uintptr_t start;
	unsigned long steps;
	bool taken[PART / CELL];
	bool good;
};

static bool map_part(struct writer *writer, uint32_t from, uint32_t to)
{
	uintptr_t start = writer->start + from * CELL;
	bool any = memchr(&writer->taken[from], 1, to - from);
	int result = vmset_map(writer->set, start, (to - from) * CELL, 1, 0);

	if (!any)
		memset(&writer->taken[from], true, to - from);
	return result == (any ? -EEXIST : 0) &&
	       vmset_overlaps(writer->set, start, (to - from) * CELL);
}

static bool unmap_part(struct writer *writer, uint32_t from, uint32_t to)
{
	uintptr_t start = writer->start + from * CELL;

	memset(&writer->taken[from], false, to - from);
	return vmset_unmap(writer->set, start, (to - from) * CELL) == 0 &&
	       !vmset_overlaps(writer->set, start, (to - from) * CELL);
}

static bool protect_part(struct writer *writer, uint32_t from, uint32_t to)
{
	uintptr_t start = writer->start + from * CELL;
	bool any = memchr(&writer->taken[from], 1, to - from);

	return vmset_protect(writer->set, start, (to - from) * CELL,
			     rng_below(&writer->rng, 4)) ==
	       (any ? 0 : -ENOENT);
}

/* One operation on some cells, whose result only this writer decides. */
static bool write_once(struct writer *writer)
{
	uint32_t from = rng_below(&writer->rng, PART / CELL);
	uint32_t to = from + 1 + rng_below(&writer->rng, PART / CELL - from);

	switch (rng_below(&writer->rng, 4)) {
	case 0:
		return map_part(writer, from, to);
	case 1:
		return unmap_part(writer, from, to);
	case 2:
		return protect_part(writer, from, to);
	default:
		return vmset_verify(writer->set, NULL) == 0;
	}
}

static void *write_on(void *arg)
{
	struct writer *writer = arg;

	writer->good = true;
	for (unsigned long i = 0; i < writer->steps && writer->good; i++)
		writer->good = write_once(writer);
	return NULL;
}

/* The backend is called by one writer at a time, also if that takes a while. */
static atomic_int inside;
static atomic_bool crowded;

static void be_alone(struct mock *mock, const struct mock_call *call)
{
	(void)mock;
	(void)call;
	if (atomic_fetch_add(&inside, 1))
		atomic_store(&crowded, true);
	sched_yield();
	atomic_fetch_sub(&inside, 1);
}

static void check_part(const struct layers *layers,
		       const struct writer *writer)
{
	for (uint32_t i = 0; i < PART / CELL; i++)
		assert_eq(vmset_overlaps(layers->set, writer->start + i * CELL,
					 CELL), writer->taken[i]);
}

START_TEST(writers_do_not_disturb_each_other)
{
	static struct writer writers[WRITERS];
	struct layers layers;

	layers_open(&layers, (struct layers_config){
		.granule = CELL, .promises = (uint32_t)_i,
	});
	atomic_store(&crowded, false);
	layers.mock.hook = be_alone;
	for (unsigned int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){
			.set = layers.set, .start = 2 * i * PART,
			.steps = tools_rounds(2000), .rng = { 77 + i },
		};
		assert_ok(pthread_create(&writers[i].thread, NULL, write_on,
					 &writers[i]));
	}
	for (unsigned int i = 0; i < WRITERS; i++)
		assert_ok(pthread_join(writers[i].thread, NULL));
	assert_that(!atomic_load(&crowded));
	for (unsigned int i = 0; i < WRITERS; i++) {
		assert_that(writers[i].good);
		check_part(&layers, &writers[i]);
	}
	layers_check(&layers);
	layers_close(&layers);
}
END_TEST

/* ---- signal handlers ---- */

/* For the handler, which gets no argument. */
static struct {
	struct vmset *set;
	atomic_ulong runs;              /* of the handler */
	atomic_ulong deadlocks;         /* a lock that this thread holds */
	atomic_bool bad;
} handler;

static void on_signal(int number)
{
	unsigned long round = atomic_fetch_add(&handler.runs, 1);
	uintptr_t start;
	int result;

	(void)number;
	if (!reads_legal(handler.set, round))
		atomic_store(&handler.bad, true);
	result = vmset_find_free_area(handler.set, 0x900, 0x10,
				      (struct vmset_range){ 0, 0 }, 0, &start);
	if (result == -EDEADLK)
		atomic_fetch_add(&handler.deadlocks, 1);
	else if (result || start != 0x900)
		atomic_store(&handler.bad, true);
}

static void raise_signal(struct mock *mock, const struct mock_call *call)
{
	(void)mock;
	(void)call;
	raise(SIGUSR1);
}

static void open_handler(struct layers *layers)
{
	struct sigaction action = { .sa_handler = on_signal };

	open_states(layers, 0);
	memset(&handler, 0, sizeof(handler));
	handler.set = layers->set;
	sigaction(SIGUSR1, &action, NULL);
}

static void close_handler(struct layers *layers)
{
	signal(SIGUSR1, SIG_IGN);
	assert_that(!atomic_load(&handler.bad));
	layers_check(layers);
	layers_close(layers);
}

/* In the middle of each operation, after each of the backend's calls. */
START_TEST(handlers_read_inside_a_write)
{
	struct layers layers;

	open_handler(&layers);
	layers.mock.hook = raise_signal;
	for (unsigned int i = 0; i < 20 * STATES; i++)
		assert_ok(advance(layers.set, i % STATES));
	layers.mock.hook = NULL;
	assert_that(atomic_load(&handler.runs) > 20 * STATES);
	assert_eq(atomic_load(&handler.deadlocks), atomic_load(&handler.runs));
	close_handler(&layers);
}
END_TEST

/* At any moment, by a timer, until enough of them fell into a write. */
START_TEST(handlers_read_at_any_moment)
{
	const unsigned long enough = ON_VALGRIND ? 20 : 300;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGUSR1 };
	struct itimerspec often = { .it_interval.tv_nsec = 50000,
				    .it_value.tv_nsec = 50000 };
	/* ThreadSanitizer puts signals off until a write is over. */
	atomic_ulong *counted = ON_TSAN ? &handler.runs : &handler.deadlocks;
	struct layers layers;
	timer_t timer;

	open_handler(&layers);
	assert_ok(timer_create(CLOCK_MONOTONIC, &event, &timer));
	assert_ok(timer_settime(timer, 0, &often, NULL));
	while (atomic_load(counted) < enough) {
		for (unsigned int state = 0; state < STATES; state++)
			assert_ok(advance(layers.set, state));
		nanosleep(&(struct timespec){ 0, 1 }, NULL);
	}
	assert_ok(timer_delete(timer));
	close_handler(&layers);
}
END_TEST

Suite *suite_threads(void)
{
	Suite *suite = suite_create("threads");
	TCase *tcase = tcase_create("threads and signals");

	tcase_set_timeout(tcase, 3600);
	tcase_add_loop_test(tcase, readers_see_whole_states, 0, 2);
	tcase_add_loop_test(tcase, writers_do_not_disturb_each_other, 0,
			    VMSET_BACKEND_DISCARDS);
	tcase_add_test(tcase, handlers_read_inside_a_write);
	tcase_add_test(tcase, handlers_read_at_any_moment);
	suite_add_tcase(suite, tcase);
	return suite;
}
