/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Readers, in threads and in the handler of a timer's signal, beside writers
 * that go to and fro: what they see is a state that the operations lead to,
 * whole.  With two writers of one set, and with operations that change many
 * leaves.
 */
#include <errno.h>
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

#define READERS 2

static atomic_bool stop, bad;
static atomic_ulong judged[READERS + 1];        /* the last: by the handler */
static atomic_ulong written[2];                 /* by each writer */

static void begin(void)
{
	stop = bad = false;
	for (unsigned int i = 0; i <= READERS; i++)
		judged[i] = 0;
	written[0] = written[1] = 0;
}

/* Whether all have had their share, or a reader has found something wrong. */
static bool have_judged(unsigned long enough, unsigned int writers)
{
	bool all = true;

	for (unsigned int i = 0; i < READERS; i++)
		all &= judged[i] >= enough;
	for (unsigned int i = 0; i < writers; i++)
		all &= written[i] >= enough / 4;
	return all || bad;
}

static void start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	assert_ok(pthread_create(thread, NULL, run, arg));
}

static void join(const pthread_t *threads, unsigned int n)
{
	while (n)
		assert_ok(pthread_join(threads[--n], NULL));
}

/* ---- two writers of one set ---- */

#define CELLS 8
#define CELL  0x100u
#define FIRST 0x100u                    /* where the cells begin */
#define STILL 0x1000u                   /* an area that never changes */
#define TOGGLES 2

/* What each writer does in turn; flags 0: unmap. */
static const struct toggle {
	unsigned int from, to;          /* cells */
	uint32_t flags;
	bool protect;
} toggles[2][TOGGLES] = {
	{ { 0, 8, 1, false }, { 1, 7, 3, false } },
	{ { 2, 4, 2, true }, { 3, 5, 0, false } },
};

/* Every state that these lead to: the flags of each cell, 0 where none is. */
#define MOST_STATES 64

static uint8_t states[MOST_STATES][CELLS];
static unsigned int states_n;

static void add_state(const uint8_t *cells)
{
	for (unsigned int i = 0; i < states_n; i++)
		if (!memcmp(states[i], cells, CELLS))
			return;
	assert_that(states_n < MOST_STATES);
	memcpy(states[states_n++], cells, CELLS);
}

static void add_next(const uint8_t *cells, const struct toggle *toggle)
{
	uint8_t next[CELLS];

	memcpy(next, cells, CELLS);
	for (unsigned int i = toggle->from; i < toggle->to; i++)
		if (next[i] || !toggle->protect)
			next[i] = (uint8_t)toggle->flags;
	add_state(next);
}

static void find_states(void)
{
	states_n = 0;
	add_state((const uint8_t[CELLS]){ 1, 1, 1, 1, 1, 1, 1, 1 });
	for (unsigned int i = 0; i < states_n; i++)
		for (unsigned int t = 0; t < 2 * TOGGLES; t++)
			add_next(states[i], &toggles[t / TOGGLES][t % TOGGLES]);
	/* Or everything would be legal. */
	assert_that(states_n > 4 && states_n < MOST_STATES / 2);
}

static int make(struct vmset *set, const struct toggle *toggle)
{
	const uintptr_t at = FIRST + toggle->from * CELL;
	const size_t size = (toggle->to - toggle->from) * CELL;

	if (toggle->protect)
		return vmset_protect(set, at, size, toggle->flags);
	return toggle->flags ? vmset_map(set, at, size, toggle->flags,
					 VMSET_REPLACE) :
			       vmset_unmap(set, at, size);
}

static unsigned int cell_of(uintptr_t addr)
{
	return (unsigned int)((addr - FIRST) / CELL);
}

/* The area, or the free room, that a cell is part of. */
static struct layers_area run_at(const uint8_t *cells, unsigned int i)
{
	unsigned int from = i, to = i + 1;

	while (from > 0 && cells[from - 1] == cells[i])
		from--;
	while (to < CELLS && cells[to] == cells[i])
		to++;
	return (struct layers_area){ FIRST + from * CELL, FIRST + to * CELL,
				     cells[i] };
}

static bool is_run(const struct vmset_area *area, struct layers_area run)
{
	return area->start == run.start && area->end == run.end &&
	       area->flags == run.flags;
}

static bool is_below(const struct vmset_area *area, const uint8_t *cells,
		     uintptr_t end)
{
	unsigned int i = cell_of(end);

	while (i > 0 && !cells[i - 1])
		i--;
	return i ? is_run(area, run_at(cells, i - 1)) : area->end == 0;
}

static bool is_above(const struct vmset_area *area, const uint8_t *cells,
		     uintptr_t start)
{
	unsigned int i = cell_of(start);

	while (i < CELLS && !cells[i])
		i++;
	return i < CELLS ? is_run(area, run_at(cells, i)) :
			   area->start == STILL;
}

static bool is_account(const struct vmset_fault *fault, const uint8_t *cells)
{
	const struct layers_area run = run_at(cells, cell_of(fault->addr));

	return (run.flags ? is_run(&fault->area, run) :
			    fault->cause == VMSET_CAUSE_FREE) &&
	       is_below(&fault->below, cells, run.start) &&
	       is_above(&fault->above, cells, run.end);
}

static size_t count_areas(const uint8_t *cells)
{
	size_t n = 1;                   /* the one that never changes */

	for (unsigned int i = 0; i < CELLS; i++)
		n += cells[i] && (!i || cells[i] != cells[i - 1]);
	return n;
}

/* Whether what is told of an address is that of one state; the number, too. */
static bool is_legal(const struct vmset *set, unsigned int cell)
{
	struct vmset_fault fault = { .size = sizeof(fault) };
	const size_t len = vmset_len(set);
	bool known = false, counted = false;

	if (vmset_explain(set, FIRST + cell * CELL + 5, 0, &fault))
		return false;
	for (unsigned int i = 0; i < states_n; i++) {
		known |= is_account(&fault, states[i]);
		counted |= count_areas(states[i]) == len;
	}
	return known && counted;
}

/* A run of areas that is copied at once is of one state, too. */
static bool walks_legally(const struct vmset *set)
{
	struct vmset_iter iter;

	vmset_iter_init(&iter, set, 0);
	if (!vmset_iter_next(&iter))
		return false;
	/* With small nodes it takes more than one run. */
	if (iter.areas[iter.n - 1].start != STILL)
		return true;
	for (unsigned int i = 0; i < states_n; i++) {
		bool same = count_areas(states[i]) == iter.n;

		for (size_t n = 0; same && n + 1 < iter.n; n++)
			same = is_run(&iter.areas[n],
				      run_at(states[i],
					     cell_of(iter.areas[n].start)));
		if (same)
			return true;
	}
	return false;
}

static void judge(const struct vmset *set, unsigned int who)
{
	const unsigned long round = judged[who];

	if (!is_legal(set, round % CELLS) || !walks_legally(set))
		bad = true;
	judged[who] = round + 1;
}

struct party {
	struct vmset *set;
	unsigned int number;            /* of the reader or writer */
};

static void *judge_on(void *arg)
{
	const struct party *party = arg;

	while (!stop && !bad)
		judge(party->set, party->number);
	return NULL;
}

static void *toggle_on(void *arg)
{
	const struct party *party = arg;

	while (!stop && !bad) {
		const unsigned long i = written[party->number]++;

		if (make(party->set, &toggles[party->number][i % TOGGLES]))
			bad = true;
	}
	return NULL;
}

static struct vmset *judged_set;
static atomic_flag in_handler;

/* One at a time: they share a count. */
static void on_timer(int signo)
{
	const int saved = errno;

	(void)signo;
	if (!atomic_flag_test_and_set(&in_handler)) {
		judge(judged_set, READERS);
		atomic_flag_clear(&in_handler);
	}
	errno = saved;
}

static timer_t start_timer(void)
{
	const struct sigaction action = { .sa_handler = on_timer,
					  .sa_flags = SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGUSR1 };
	const long ns = tools_slow() ? 5000000 : 100000;
	const struct itimerspec often = { { 0, ns }, { 0, ns } };
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	assert_ok(timer_create(CLOCK_MONOTONIC, &event, &timer));
	assert_ok(timer_settime(timer, 0, &often, NULL));
	return timer;
}

/* The signal comes to any thread, to a writer in the middle of a change. */
START_TEST(two_writers_of_one_set)
{
	const unsigned long enough = tools_rounds(40000);
	struct party parties[READERS];
	pthread_t threads[READERS + 2];
	struct layers layers;
	timer_t timer;

	find_states();
	begin();
	layers_open(&layers, (struct layers_config){
		.promises = _i ? MOCK_PROMISES : 0 });
	judged_set = layers.set;
	assert_ok(make(layers.set, &toggles[0][0]));
	assert_ok(vmset_map(layers.set, STILL, 0x10, 7, 0));
	timer = start_timer();
	for (unsigned int i = 0; i < READERS; i++) {
		parties[i] = (struct party){ layers.set, i };
		start(&threads[2 * i], toggle_on, &parties[i]);
		start(&threads[2 * i + 1], judge_on, &parties[i]);
	}
	while (!have_judged(enough, 2) || (!judged[READERS] && !bad))
		nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
	assert_ok(timer_delete(timer));
	stop = true;
	join(threads, READERS + 2);
	signal(SIGUSR1, SIG_IGN);
	assert_that(!bad);
	layers_check(&layers);
	layers_close(&layers);
}
END_TEST

/* ---- operations that change many leaves ---- */

#define MANY  100u                      /* areas, or one instead of them */
#define SIZE  0x10u                     /* of each */
#define ALL   (MANY * SIZE)

/* Nothing is under it: flags count up. */
static int no_map(void *ctx, uintptr_t at, size_t size, uint32_t flags,
		  uint64_t offset)
{
	(void)ctx, (void)at, (void)size, (void)flags, (void)offset;
	return 0;
}

static int no_unmap(void *ctx, uintptr_t at, size_t size)
{
	(void)ctx, (void)at, (void)size;
	return 0;
}

static int no_protect(void *ctx, uintptr_t at, size_t size, uint32_t flags)
{
	(void)ctx, (void)at, (void)size, (void)flags;
	return 0;
}

static const struct vmset_backend_ops no_ops = {
	.size = sizeof(no_ops),
	.map = no_map, .unmap = no_unmap, .protect = no_protect,
};
static const struct vmset_backend no_backend = { .ops = &no_ops };

static struct vmset *many;
/* Odd while the areas are made one by one. */
static atomic_uint phase;

static void open_many(void)
{
	const struct vmset_config config = {
		.size = sizeof(config), .granule = 1, .bounds = { 0, ALL },
		.backend = &no_backend,
	};

	begin();
	phase = 0;
	assert_ok(vmset_create(&many, &config));
}

/* The many, which differ in what they are for the caller. */
static void map_many(uint32_t flags)
{
	for (uintptr_t i = 0; i < MANY; i++) {
		const struct vmset_area area = {
			.start = i * SIZE, .end = (i + 1) * SIZE,
			.flags = flags, .data = &phase + i,
		};

		assert_ok(vmset_map_area(many, &area, VMSET_REPLACE));
	}
}

static bool is_cell(const struct vmset_area *area, unsigned int i)
{
	return area->start == i * SIZE && area->end == (i + 1) * SIZE;
}

static bool is_all(const struct vmset_fault *fault)
{
	return fault->area.start == 0 && fault->area.end == ALL &&
	       !fault->below.end && !fault->above.end;
}

/* With both neighbours, of the same moment. */
static bool is_one_of_many(const struct vmset_fault *fault, unsigned int i)
{
	const uint32_t flags = fault->area.flags;

	return is_cell(&fault->area, i) &&
	       (i == 0 ? !fault->below.end :
			 is_cell(&fault->below, i - 1) &&
				 fault->below.flags == flags) &&
	       (i == MANY - 1 ? !fault->above.end :
				is_cell(&fault->above, i + 1) &&
					fault->above.flags == flags);
}

/*
 * Look at one area and its neighbours, then at another far away: that one is
 * not older.  And where there is one area instead, no other is left.
 */
static bool sees_whole(struct rng *rng)
{
	const unsigned int i = rng_below(rng, MANY), j = rng_below(rng, MANY);
	struct vmset_fault fault = { .size = sizeof(fault) };
	const size_t len = vmset_len(many);
	struct vmset_area other;
	bool all;

	if (vmset_explain(many, i * SIZE + 3, 0, &fault) ||
	    vmset_find(many, j * SIZE + 3, &other))
		return false;
	all = is_all(&fault);
	return (all || is_one_of_many(&fault, i)) &&
	       (len == MANY || (len == 1 && all)) &&
	       (all ? other.start == 0 && other.end == ALL :
		      is_cell(&other, j) || other.end == ALL) &&
	       other.flags >= fault.area.flags;
}

/* What is seen while areas are made one by one does not count. */
static void *judge_many(void *arg)
{
	const unsigned int number = *(const unsigned int *)arg;
	struct rng rng = { number + 1 };

	while (!stop && !bad) {
		const unsigned int before = phase;
		bool good;

		if (before % 2) {
			sched_yield();
			continue;
		}
		good = sees_whole(&rng);
		if (phase != before)
			continue;
		judged[number]++;
		if (!good)
			bad = true;
	}
	return NULL;
}

/* From the many to one, and back where nobody looks. */
static void replace_many(uint32_t flags)
{
	phase++;
	map_many(flags);
	phase++;
	sched_yield();
	assert_ok(vmset_map(many, 0, ALL, flags + 1, VMSET_REPLACE));
	sched_yield();
}

static void protect_many(uint32_t flags)
{
	assert_ok(vmset_protect(many, 0, ALL, flags));
	assert_ok(vmset_protect(many, 0, ALL, flags + 1));
}

static void (*const writes[])(uint32_t flags) = { replace_many,
						  protect_many };

START_TEST(many_areas_change_at_once)
{
	const unsigned long enough = tools_rounds(40000);
	const unsigned int numbers[READERS] = { 0, 1 };
	pthread_t threads[READERS];
	uint32_t flags = 1;

	open_many();
	map_many(flags);
	for (unsigned int i = 0; i < READERS; i++)
		start(&threads[i], judge_many, (void *)(uintptr_t)&numbers[i]);
	for (; !have_judged(enough, 1); written[0] += 20)
		writes[_i](flags += 2);
	stop = true;
	join(threads, READERS);
	assert_that(!bad);
	assert_ok(vmset_destroy(many));
}
END_TEST

Suite *suite_toggle(void)
{
	Suite *suite = suite_create("toggle");
	TCase *tcase = tcase_create("toggle");

	tcase_set_timeout(tcase, 600);
	tcase_add_loop_test(tcase, two_writers_of_one_set, 0, 2);
	tcase_add_loop_test(tcase, many_areas_change_at_once, 0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}
