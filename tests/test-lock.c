/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lib/lock.c: one at a time, the owner is told, and who waits is woken.
 */
#include "lock.h"

#include <errno.h>
#include <pthread.h>

#include "assert.h"
#include "suites.h"
#include "tools.h"

#define THREADS 4

static struct vmset__lock lock;
static unsigned long guarded;

START_TEST(owner_is_told)
{
	assert_ok(vmset__lock(&lock));
	assert_err(vmset__lock(&lock), -EDEADLK);
	assert_err(vmset__lock(&lock), -EDEADLK);
	vmset__unlock(&lock);
	assert_ok(vmset__lock(&lock));
	vmset__unlock(&lock);
	assert_eq(lock.word, 0);
}
END_TEST

static void *count_up(void *rounds)
{
	for (unsigned long i = *(unsigned long *)rounds; i; i--) {
		if (vmset__lock(&lock))
			return &lock;
		guarded++;
		vmset__unlock(&lock);
	}
	return NULL;
}

START_TEST(one_at_a_time)
{
	unsigned long rounds = tools_rounds(200000);
	pthread_t thread[THREADS];
	void *error;

	guarded = 0;
	for (int i = 0; i < THREADS; i++)
		assert_ok(pthread_create(&thread[i], NULL, count_up, &rounds));
	for (int i = 0; i < THREADS; i++) {
		assert_ok(pthread_join(thread[i], &error));
		assert_that(!error);
	}
	assert_eq(guarded, THREADS * rounds);
	assert_eq(lock.word, 0);
}
END_TEST

/* All of them sleep when the lock is given free; each wakes the next. */
START_TEST(sleepers_wake)
{
	unsigned long once = 1;
	pthread_t thread[THREADS];

	guarded = 0;
	assert_ok(vmset__lock(&lock));
	for (int i = 0; i < THREADS; i++)
		assert_ok(pthread_create(&thread[i], NULL, count_up, &once));
	while (!(__atomic_load_n(&lock.word, __ATOMIC_RELAXED) & 1))
		;
	assert_eq(guarded, 0);
	vmset__unlock(&lock);
	for (int i = 0; i < THREADS; i++)
		assert_ok(pthread_join(thread[i], NULL));
	assert_eq(guarded, THREADS);
}
END_TEST

Suite *suite_lock(void)
{
	Suite *suite = suite_create("lock");
	TCase *tcase = tcase_create("lock");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, owner_is_told);
	tcase_add_test(tcase, one_at_a_time);
	tcase_add_test(tcase, sleepers_wake);
	suite_add_tcase(suite, tcase);
	return suite;
}
