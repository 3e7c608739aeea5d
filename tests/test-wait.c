/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who waits for whom: a thread is held up inside a backend of one set.  Writers
 * of that set wait for it, asleep; whatever is done with other sets goes on.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "assert.h"
#include "suites.h"
#include "tools.h"
#include "vmset.h"

#define PAGE ((size_t)0x1000)
#define RW   (VMSET_READ | VMSET_WRITE)

/* ---- a backend that holds up its first map ---- */

static sem_t inside, go_on;
static atomic_bool holds_up;

static int slow_map(void *ctx, uintptr_t start, size_t size, uint32_t flags,
		    uint64_t offset)
{
	(void)ctx, (void)start, (void)size, (void)flags, (void)offset;
	if (!atomic_exchange(&holds_up, false))
		return 0;
	sem_post(&inside);
	while (sem_wait(&go_on))
		;
	return 0;
}

static int slow_unmap(void *ctx, uintptr_t start, size_t size)
{
	(void)ctx, (void)start, (void)size;
	return 0;
}

static int slow_protect(void *ctx, uintptr_t start, size_t size,
			uint32_t flags)
{
	(void)ctx, (void)start, (void)size, (void)flags;
	return 0;
}

static const struct vmset_backend_ops slow_ops = {
	.size = sizeof(slow_ops),
	.map = slow_map, .unmap = slow_unmap, .protect = slow_protect,
};
static const struct vmset_backend slow = { .ops = &slow_ops };

static struct vmset *held;
static pthread_t holder;

static void *map_first(void *arg)
{
	*(int *)arg = vmset_map(held, 0, PAGE, 1, 0);
	return NULL;
}

static void hold_up(int *result)
{
	const struct vmset_config config = {
		.size = sizeof(config), .granule = PAGE,
		.bounds = { 0, 16 * PAGE }, .backend = &slow,
	};

	holds_up = true;
	assert_ok(sem_init(&inside, 0, 0));
	assert_ok(sem_init(&go_on, 0, 0));
	assert_ok(vmset_create(&held, &config));
	assert_ok(pthread_create(&holder, NULL, map_first, result));
	while (sem_wait(&inside))
		;
}

static void let_go(void)
{
	assert_ok(sem_post(&go_on));
	assert_ok(pthread_join(holder, NULL));
}

static void close_held(void)
{
	assert_ok(vmset_destroy(held));
	sem_destroy(&inside);
	sem_destroy(&go_on);
}

/* ---- other sets ---- */

static bool clear_write(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	(void)arg;
	*new_flags = old_flags & ~VMSET_WRITE;
	return true;
}

/* Everything that takes a set, from making it to its end. */
static void use_another(void)
{
	const struct vmset_range all = { 0, 0 };
	struct vmset_stats stats = { .size = sizeof(stats) };
	struct vmset_area area;
	struct vmset *set;
	uintptr_t start, at;
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	assert_ok(vmset_reserve(&set, 64 * page, 0));
	start = vmset_bounds(set).start;
	assert_ok(vmset_map(set, start, 4 * page, RW, 0));
	area = (struct vmset_area){ .start = start + 4 * page,
				    .end = start + 6 * page, .flags = RW };
	assert_ok(vmset_map_area(set, &area, 0));
	assert_ok(vmset_alloc(set, page, RW, NULL, &at));
	assert_ok(vmset_unmap(set, start + page, page));
	assert_ok(vmset_protect(set, start, page, VMSET_READ));
	assert_ok(vmset_update(set, start, 4 * page, clear_write, NULL));
	assert_ok(vmset_find_free_area(set, 0, page, all, 0, &at));
	assert_ok(vmset_verify(set, NULL));
	assert_ok(vmset_stats(set, &stats, 0));
	assert_ok(vmset_on_fault(set, vmset_fault_pass, NULL));
	assert_ok(vmset_fault_install(0));
	assert_ok(vmset_fault_remove());
	assert_ok(vmset_clear(set));
	assert_ok(vmset_destroy(set));
}

/* And those who only look at the one that is held up see it as it was. */
static void look_at_held(void)
{
	struct vmset_fault fault = { .size = sizeof(fault) };

	assert_eq(vmset_len(held), 0);
	assert_err(vmset_find(held, 0, NULL), -ENOENT);
	assert_err(vmset_next(held, 0, NULL), -ENOENT);
	assert_that(!vmset_overlaps(held, 0, PAGE));
	assert_ok(vmset_explain(held, 0, 0, &fault));
	assert_eq(fault.cause, VMSET_CAUSE_FREE);
}

/* It would hang here if one waited. */
START_TEST(sets_do_not_wait_for_each_other)
{
	int result = 1;

	hold_up(&result);
	for (unsigned int i = 0; i < 3; i++) {
		use_another();
		look_at_held();
	}
	assert_eq(result, 1);
	let_go();
	assert_ok(result);
	assert_eq(vmset_len(held), 1);
	close_held();
}
END_TEST

/* ---- the same set ---- */

struct waiter {
	pthread_t thread;
	atomic_bool done;
	int result;
	double cpu, wall;               /* seconds, of the call */
};

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *map_second(void *arg)
{
	struct waiter *waiter = arg;

	waiter->wall = -seconds(CLOCK_MONOTONIC);
	waiter->cpu = -seconds(CLOCK_THREAD_CPUTIME_ID);
	waiter->result = vmset_map(held, 4 * PAGE, PAGE, 1, 0);
	waiter->cpu += seconds(CLOCK_THREAD_CPUTIME_ID);
	waiter->wall += seconds(CLOCK_MONOTONIC);
	waiter->done = true;
	return NULL;
}

#define WAIT_NS  500000000
#define WAIT_S   (WAIT_NS * 1e-9)
#define AWAKE_S  0.05           /* far more than it takes to fall asleep */

START_TEST(writers_wait_asleep)
{
	const struct timespec wait = { .tv_nsec = WAIT_NS };
	struct waiter waiter = { .result = 1 };
	int result = 1;

	hold_up(&result);
	assert_ok(pthread_create(&waiter.thread, NULL, map_second, &waiter));
	while (nanosleep(&wait, NULL))
		;
	assert_that(!waiter.done);
	let_go();
	assert_ok(pthread_join(waiter.thread, NULL));
	assert_ok(result);
	assert_ok(waiter.result);
	assert_eq(vmset_len(held), 2);
	/* Unless the thread was started late; then it says nothing. */
	if (waiter.wall > WAIT_S / 2 && !tools_slow())
		assert_that(waiter.cpu < AWAKE_S);
	close_held();
}
END_TEST

Suite *suite_wait(void)
{
	Suite *suite = suite_create("wait");
	TCase *tcase = tcase_create("wait");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, sets_do_not_wait_for_each_other);
	tcase_add_test(tcase, writers_wait_asleep);
	suite_add_tcase(suite, tcase);
	return suite;
}
