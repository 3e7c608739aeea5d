/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sets in the child of a fork: whichever thread forks and whatever the others
 * are doing, the child's sets are whole, tell the truth and can be changed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "assert.h"
#include "internal.h"
#include "poke.h"
#include "rng.h"
#include "suites.h"
#include "tools.h"

#define RW    (VMSET_READ | VMSET_WRITE)
#define PAGES 64
#define KEPT  2                 /* pages behind them that nobody changes */
#define SETS  3

static size_t page;

/* Sets that threads write to. */
static struct vmset *sets[SETS];
static atomic_bool stop;

static void open_sets(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < SETS; i++)
		assert_ok(vmset_reserve(&sets[i], (PAGES + KEPT) * page, 0));
	stop = false;
}

static void close_sets(void)
{
	for (size_t i = 0; i < SETS; i++)
		assert_ok(vmset_destroy(sets[i]));
}

static uintptr_t page_at(const struct vmset *set, size_t i)
{
	return vmset_bounds(set).start + i * page;
}

/* One change or another; every one can be made. */
static int change(struct vmset *set, struct rng *rng)
{
	size_t at = rng_below(rng, PAGES - 8), n = 1 + rng_below(rng, 8);
	uintptr_t start = page_at(set, at);
	int rc;

	switch (rng_below(rng, 3)) {
	case 0:
		return vmset_map(set, start, n * page,
				 rng_below(rng, 2) ? RW : VMSET_READ,
				 VMSET_REPLACE);
	case 1:
		return vmset_unmap(set, start, n * page);
	default:
		rc = vmset_protect(set, start, n * page, VMSET_READ);
		return rc == -ENOENT ? 0 : rc;
	}
}

/* In the pages that nobody changes: one to be wiped, one to be left out. */
static void keep_secrets(struct vmset *set)
{
	for (size_t i = 0; i < KEPT; i++) {
		assert_ok(vmset_map(set, page_at(set, PAGES + i), page,
				    RW | (i ? VMSET_DONTFORK :
					      VMSET_WIPEONFORK), 0));
		*(char *)page_at(set, PAGES + i) = 's';
	}
}

static bool has_secret(const struct vmset *set, size_t i)
{
	return !vmset_find(set, page_at(set, PAGES + i), NULL) &&
	       *(char *)page_at(set, PAGES + i) == 's';
}

static bool has_secrets(const struct vmset *set)
{
	return has_secret(set, 0) && has_secret(set, 1);
}

static bool has_no_secrets(const struct vmset *set)
{
	return !vmset_find(set, page_at(set, PAGES), NULL) &&
	       *(char *)page_at(set, PAGES) == 0 &&
	       vmset_find(set, page_at(set, PAGES + 1), NULL) == -ENOENT;
}

/* Whether a set is whole, true, and as good as ever. */
static bool is_good(struct vmset *set)
{
	uintptr_t start = page_at(set, 9);

	return !vmset__check(set) && vmset_verify(set, NULL) == 0 &&
	       !vmset_map(set, start, 2 * page, RW, VMSET_REPLACE) &&
	       (memset((void *)start, 1, 2 * page), 1) &&
	       !vmset_unmap(set, start + page, page) &&
	       vmset_verify(set, NULL) == 0 && !vmset__check(set);
}

static void leave_child(bool good)
{
	tools_leave(good ? 0 : 1);
}

static void expect_good(pid_t child)
{
	int status;

	assert_that(child > 0);
	assert_that(waitpid(child, &status, 0) == child);
	assert_that(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void *write_to_set(void *arg)
{
	struct vmset *set = arg;
	struct rng rng = { (uintptr_t)&rng };
	int rc = 0;

	while (!rc && !stop)
		rc = change(set, &rng);
	return (void *)(intptr_t)rc;
}

static void start_threads(pthread_t *threads, size_t n, void *(*run)(void *))
{
	for (size_t i = 0; i < n; i++)
		assert_that(!pthread_create(&threads[i], NULL, run,
					    sets[i % SETS]));
}

static void stop_threads(const pthread_t *threads, size_t n)
{
	void *result;

	stop = true;
	for (size_t i = 0; i < n; i++) {
		assert_that(!pthread_join(threads[i], &result));
		assert_that(!result);
	}
}

static bool all_good(void)
{
	for (size_t i = 0; i < SETS; i++)
		if (!is_good(sets[i]))
			return false;
	return true;
}

static void fork_often(unsigned long times)
{
	while (times--) {
		pid_t child = fork();

		if (!child)
			leave_child(all_good());
		expect_good(child);
	}
}

/* Two threads for one of the sets, so that some wait for a lock. */
START_TEST(threads_write_while_another_forks)
{
	pthread_t threads[SETS + 1];

	open_sets();
	start_threads(threads, SETS + 1, write_to_set);
	fork_often(tools_rounds(1000));
	stop_threads(threads, SETS + 1);
	assert_that(all_good());
	close_sets();
}
END_TEST

/* An update function that changes the next set, too. */
static bool change_next(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	struct vmset *set = arg;
	size_t i = 0;

	while (sets[i] != set)
		i++;
	*new_flags = old_flags ^ VMSET_WRITE;
	if (i + 1 < SETS &&
	    vmset_map(sets[i + 1], page_at(sets[i + 1], i), page, RW,
		      VMSET_REPLACE))
		stop = true;
	return true;
}

static void *write_to_two(void *arg)
{
	struct vmset *set = arg;
	uintptr_t start = page_at(set, 20);
	int rc = vmset_map(set, start, page, RW, VMSET_REPLACE);

	while (!rc && !stop)
		rc = vmset_update(set, start, page, change_next, set);
	return (void *)(intptr_t)rc;
}

/* Who holds a set and wants another one is not kept from it by a fork. */
START_TEST(callbacks_change_other_sets_while_another_forks)
{
	pthread_t threads[SETS];

	open_sets();
	start_threads(threads, SETS, write_to_two);
	fork_often(tools_rounds(250));
	assert_that(!stop);
	stop_threads(threads, SETS);
	close_sets();
}
END_TEST

/* Sets come and go while a thread forks. */
static void *make_sets(void *arg)
{
	int rc = 0;

	(void)arg;
	while (!rc && !stop) {
		struct vmset *set;

		rc = vmset_reserve(&set, PAGES * page, 0);
		if (!rc)
			rc = vmset_map(set, page_at(set, 1), page, RW, 0);
		if (!rc)
			rc = vmset_destroy(set);
	}
	return (void *)(intptr_t)rc;
}

START_TEST(sets_are_made_while_another_forks)
{
	pthread_t threads[2];

	open_sets();
	start_threads(threads, 2, make_sets);
	fork_often(tools_rounds(250));
	stop_threads(threads, 2);
	close_sets();
}
END_TEST

/* Two threads that fork, with writers beside. */
static void *fork_some(void *arg)
{
	(void)arg;
	fork_often(tools_rounds(300));
	return NULL;
}

START_TEST(several_threads_fork)
{
	pthread_t writers[SETS], forkers[2];

	open_sets();
	start_threads(writers, SETS, write_to_set);
	start_threads(forkers, 2, fork_some);
	for (size_t i = 0; i < 2; i++)
		assert_that(!pthread_join(forkers[i], NULL));
	stop_threads(writers, SETS);
	close_sets();
}
END_TEST

/* ---- a lock of the program's, with handlers of its own ---- */

static pthread_mutex_t own_lock = PTHREAD_MUTEX_INITIALIZER;

static void take_own_lock(void)
{
	pthread_mutex_lock(&own_lock);
}

static void free_own_lock(void)
{
	pthread_mutex_unlock(&own_lock);
}

static void *write_under_lock(void *arg)
{
	struct vmset *set = arg;
	struct rng rng = { (uintptr_t)&rng };
	int rc = 0;

	while (!rc && !stop) {
		pthread_mutex_lock(&own_lock);
		rc = change(set, &rng);
		pthread_mutex_unlock(&own_lock);
	}
	return (void *)(intptr_t)rc;
}

/* Its handlers are installed before the first set is made. */
START_TEST(handlers_of_the_program_come_first)
{
	pthread_t threads[2];

	assert_that(!pthread_atfork(take_own_lock, free_own_lock,
				    free_own_lock));
	open_sets();
	start_threads(threads, 2, write_under_lock);
	fork_often(tools_rounds(250));
	stop_threads(threads, 2);
	close_sets();
}
END_TEST

/* ---- forks inside a change ---- */

struct forked {
	pid_t pid;
	int inner;              /* of a change of the same set */
	bool had_secrets;       /* until the change was over */
	pthread_barrier_t *both;
};

static bool fork_inside(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	struct forked *forked = arg;

	if (forked->both)
		pthread_barrier_wait(forked->both);
	forked->pid = fork();
	forked->inner = vmset_unmap(sets[0], page_at(sets[0], 0), page);
	forked->had_secrets = has_secrets(sets[0]);
	*new_flags = old_flags ^ VMSET_WRITE;
	return true;
}

START_TEST(an_update_function_forks)
{
	struct forked forked = { .both = NULL };
	pthread_t threads[2];

	open_sets();
	for (size_t i = 0; i < 2; i++)
		keep_secrets(sets[i]);
	assert_ok(vmset_map(sets[0], page_at(sets[0], 3), page, RW, 0));
	for (size_t i = 0; i < 2; i++)
		assert_that(!pthread_create(&threads[i], NULL, write_to_set,
					    sets[1 + i]));
	for (unsigned long i = tools_rounds(200); i; i--) {
		int rc = vmset_update(sets[0], page_at(sets[0], 3), page,
				      fork_inside, &forked);

		if (forked.pid == 0)
			leave_child(!rc && forked.inner == -EDEADLK &&
				    forked.had_secrets &&
				    has_no_secrets(sets[0]) &&
				    has_no_secrets(sets[1]) && all_good());
		assert_that(!rc && forked.inner == -EDEADLK);
		assert_that(has_secrets(sets[0]) && has_secrets(sets[1]));
		expect_good(forked.pid);
	}
	stop_threads(threads, 2);
	close_sets();
}
END_TEST

/* A handler that has interrupted who has the lock, but is not changing anything. */
START_TEST(a_fork_before_a_change_begins)
{
	pid_t child;

	open_sets();
	keep_secrets(sets[0]);
	assert_ok(vmset_unmap(sets[0], page_at(sets[0], 0), page));
	assert_ok(vmset__lock(&sets[0]->lock));
	child = fork();
	if (!child) {
		const bool good = has_no_secrets(sets[0]);

		vmset__unlock(&sets[0]->lock);
		leave_child(good && all_good());
	}
	vmset__unlock(&sets[0]->lock);
	expect_good(child);
	assert_that(has_secrets(sets[0]));
	close_sets();
}
END_TEST

/* Update a set by a function that forks; what its child exits with. */
enum { BAD = 1, OTHER_IS_GOOD, OTHER_IS_ABANDONED };

/* What cannot be left out is wiped. */
static bool has_zeros(const struct vmset *set)
{
	return !vmset_find(set, page_at(set, PAGES), NULL) &&
	       *(char *)page_at(set, PAGES) == 0 &&
	       !vmset_find(set, page_at(set, PAGES + 1), NULL) &&
	       *(char *)page_at(set, PAGES + 1) == 0;
}

/* A set that is given up holds up no fork. */
static bool can_fork_again(void)
{
	const pid_t child = fork();
	int status;

	if (!child)
		leave_child(vmset_unmap(sets[2], page_at(sets[2], 0), page) ==
			    0);
	return child > 0 && waitpid(child, &status, 0) == child && !status;
}

static int judge_other(struct vmset *other)
{
	if (vmset_find(other, page_at(other, 3), NULL) || !can_fork_again())
		return BAD;
	if (!has_no_secrets(other) && !has_zeros(other))
		return BAD;
	if (vmset_unmap(other, page_at(other, 5), page) != -ENOTRECOVERABLE)
		return is_good(other) ? OTHER_IS_GOOD : BAD;
	return vmset_destroy(other) == -ENOTRECOVERABLE ? OTHER_IS_ABANDONED :
							  BAD;
}

static int fork_inside_update(size_t i, pthread_barrier_t *both)
{
	struct forked forked = { .both = both };
	struct vmset *set = sets[i];
	int rc = vmset_update(set, page_at(set, 3), page, fork_inside, &forked);
	int status;

	if (!forked.pid)
		tools_leave(!rc && has_no_secrets(set) && is_good(set) &&
					    is_good(sets[2]) ?
				    judge_other(sets[1 - i]) : BAD);
	if (rc || waitpid(forked.pid, &status, 0) != forked.pid)
		return BAD;
	return WIFEXITED(status) ? WEXITSTATUS(status) : BAD;
}

static void *fork_in_second(void *both)
{
	return (void *)(intptr_t)fork_inside_update(1, both);
}

/* They would wait for each other for ever. */
START_TEST(two_update_functions_fork_at_once)
{
	pthread_barrier_t both;
	pthread_t thread;
	void *second;
	int first;

	open_sets();
	for (size_t i = 0; i < SETS; i++) {
		assert_ok(vmset_map(sets[i], page_at(sets[i], 3), page, RW, 0));
		keep_secrets(sets[i]);
	}
	assert_that(!pthread_barrier_init(&both, NULL, 2));
	assert_that(!pthread_create(&thread, NULL, fork_in_second, &both));
	first = fork_inside_update(0, &both);
	assert_that(!pthread_join(thread, &second));
	assert_that(first != BAD && (intptr_t)second != BAD);
	assert_that(first == OTHER_IS_ABANDONED ||
		    (intptr_t)second == OTHER_IS_ABANDONED);
	assert_that(all_good());
	pthread_barrier_destroy(&both);
	close_sets();
}
END_TEST

/* ---- forks inside a fork ---- */

/*
 * Called once in a fork, after the library's own handler, which is installed
 * later and so comes first: all sets are held by then.
 */
static void (*inside_fork)(void);
static volatile pid_t inner;

static void call_inside_fork(void)
{
	void (*now)(void) = inside_fork;

	inside_fork = NULL;
	if (now)
		now();
}

__attribute__((constructor(101))) static void install_first(void)
{
	pthread_atfork(call_inside_fork, NULL, NULL);
}

static void fork_inner(void)
{
	inner = fork();
}

static void fork_inner_by_signal(int signal)
{
	(void)signal;
	fork_inner();
}

static void raise_signal(void)
{
	raise(SIGUSR1);
}

/* Whether none is but SIGUSR2, and SIGFPE, which is one of a fault. */
static bool blocks_as_before(void)
{
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (int signal = 1; signal < SIGRTMIN; signal++)
		if (sigismember(&mask, signal) !=
		    (signal == SIGUSR2 || signal == SIGFPE))
			return false;
	return true;
}

/* How many children there are; 1000 more for one that is bad. */
static unsigned int wait_for_children(void)
{
	unsigned int n = 0;
	int status;

	while (wait(&status) > 0)
		n += WIFEXITED(status) && !WEXITSTATUS(status) ? 1 : 1001;
	return n;
}

/* Whoever calls it inside a fork: a handler of a signal, or of the fork. */
static void (*const ways_inside[])(void) = { raise_signal, fork_inner };

START_TEST(a_fork_inside_a_fork)
{
	const struct sigaction action = { .sa_handler = fork_inner_by_signal };
	sigset_t two;
	pid_t outer;

	open_sets();
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&two);
	sigaddset(&two, SIGUSR2);
	sigaddset(&two, SIGFPE);
	pthread_sigmask(SIG_SETMASK, &two, NULL);
	inside_fork = ways_inside[_i];
	outer = fork();
	if (!outer || !inner)
		leave_child(blocks_as_before() && all_good() &&
			    wait_for_children() < 1000);
	assert_that(blocks_as_before());
	assert_that(all_good());
	assert_eq(wait_for_children(), 2);
	close_sets();
}
END_TEST

/* A page that is opened when it is touched. */
static uint32_t open_touched(const struct vmset_fault *fault, void *arg)
{
	const uintptr_t start = fault->addr & ~(page - 1);

	(void)arg;
	return vmset_map(fault->set, start, page, RW, VMSET_REPLACE) ?
		       VMSET_FAULT_PASS : VMSET_FAULT_RETRY;
}

static void touch_page(void)
{
	poke_write(page_at(sets[0], 3), 7);
}

/* Also one of a handler that has nothing to do with this library's. */
START_TEST(a_fault_inside_a_fork)
{
	pid_t child;

	open_sets();
	assert_ok(vmset_on_fault(sets[0], open_touched, NULL));
	assert_ok(vmset_fault_install(0));
	inside_fork = touch_page;
	child = fork();
	if (!child)
		leave_child(poke_read(page_at(sets[0], 3)) == 7 && all_good());
	expect_good(child);
	assert_eq(poke_read(page_at(sets[0], 3)), 7);
	assert_ok(vmset_fault_remove());
	close_sets();
}
END_TEST

static sem_t in_fork;
static atomic_int made;

static void *make_one(void *arg)
{
	struct vmset *set;

	while (sem_wait(&in_fork))
		;
	if (!vmset_reserve(&set, page, 0)) {
		made = 1;
		vmset_destroy(set);
	}
	return arg;
}

/* Make a set and take it down; does that let others at the list? */
static void make_inside_fork(void)
{
	struct vmset *set;

	if (!vmset_reserve(&set, page, 0) && !vmset_destroy(set))
		sem_post(&in_fork);
	nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
	made = made ? 2 : 0;
}

START_TEST(a_fork_handler_makes_a_set)
{
	pthread_t thread;
	pid_t child;

	open_sets();
	made = 0;
	assert_that(!sem_init(&in_fork, 0, 0));
	assert_that(!pthread_create(&thread, NULL, make_one, NULL));
	inside_fork = make_inside_fork;
	child = fork();
	if (!child)
		leave_child(!made && all_good());
	expect_good(child);
	assert_that(!pthread_join(thread, NULL));
	assert_eq(made, 1);
	sem_destroy(&in_fork);
	close_sets();
}
END_TEST

/* ---- a signal handler forks ---- */

static volatile sig_atomic_t handler_forked, handler_interrupted;
static volatile pid_t handler_child;

static void fork_in_handler(int signal)
{
	int saved = errno;

	(void)signal;
	if (handler_forked)
		return;
	handler_interrupted +=
		vmset_unmap(sets[0], page_at(sets[0], 63), page) == -EDEADLK;
	handler_child = fork();
	handler_forked = 1;
	errno = saved;
}

static void every(long microseconds)
{
	struct itimerval timer = { { 0, microseconds }, { 0, microseconds } };

	setitimer(ITIMER_REAL, &timer, NULL);
}

START_TEST(a_handler_forks_in_the_middle_of_a_change)
{
	struct sigaction action = { .sa_handler = fork_in_handler,
				    .sa_flags = SA_RESTART };
	struct rng rng = { 1 };

	open_sets();
	keep_secrets(sets[0]);
	sigaction(SIGALRM, &action, NULL);
	for (unsigned long i = tools_rounds(300); i; i--) {
		handler_forked = 0;
		every(300);
		while (!handler_forked)
			assert_ok(change(sets[0], &rng));
		every(0);
		if (!handler_child)
			leave_child(has_no_secrets(sets[0]) && all_good());
		expect_good(handler_child);
		assert_that(has_secrets(sets[0]));
	}
	/* The test is none if it never hit. */
	assert_that(tools_slow() || handler_interrupted);
	close_sets();
}
END_TEST

/* ---- a timer forks ---- */

/* At most: where forks are slow, nothing else would get on. */
#define TIMER_FORKS 200

static atomic_bool timer_stops;
static atomic_ulong timer_forks, timer_bad;

/* Not again before the thread has got on. */
static void once(long microseconds)
{
	struct itimerval timer = { .it_value.tv_usec = microseconds };

	setitimer(ITIMER_REAL, &timer, NULL);
}

/*
 * glibc's fork takes locks of its own, for some instructions each, and waits for
 * ever in a handler that interrupted it there.  Elsewhere in libc such a thread is
 * in a call of the kernel, or just out of it.
 */
static bool may_hold_libc_locks(const ucontext_t *context)
{
#ifdef REG_RIP
	extern const unsigned char __executable_start[], etext[];
	const uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
	const unsigned char *before = (const unsigned char *)pc - 2;

	return (pc < (uintptr_t)__executable_start || pc >= (uintptr_t)etext) &&
	       memcmp(before, "\x0f\x05", 2); /* syscall */
#else
	(void)context;
	return false;
#endif
}

static void fork_by_timer(int signal, siginfo_t *info, void *context)
{
	const int saved = errno;
	pid_t child;
	int status;

	(void)signal, (void)info;
	if (may_hold_libc_locks(context)) {
		if (!timer_stops)
			once(200);
		return;
	}
	child = fork();
	if (!child)
		leave_child(all_good());
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		timer_bad++;
	if (++timer_forks < TIMER_FORKS && !timer_stops)
		once(200);
	errno = saved;
}

static void hold_alarms(int how)
{
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(how, &alarm, NULL);
}

/* No fork while a thread begins or ends: malloc may have its locks then. */
static pthread_barrier_t both_fork;

static void *fork_some_unheld(void *arg)
{
	pthread_barrier_wait(&both_fork);
	hold_alarms(SIG_UNBLOCK);
	fork_some(arg);
	hold_alarms(SIG_BLOCK);
	pthread_barrier_wait(&both_fork);
	return NULL;
}

/* Only threads that fork are interrupted, wherever the library has its part. */
START_TEST(a_timer_forks_while_threads_fork)
{
	struct sigaction action = { .sa_sigaction = fork_by_timer,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	pthread_t writers[SETS], forkers[2];

	open_sets();
	timer_forks = timer_bad = 0;
	timer_stops = false;
	sigaction(SIGALRM, &action, NULL);
	hold_alarms(SIG_BLOCK);
	assert_that(!pthread_barrier_init(&both_fork, NULL, 2));
	start_threads(writers, SETS, write_to_set);
	start_threads(forkers, 2, fork_some_unheld);
	once(200);
	for (size_t i = 0; i < 2; i++)
		assert_that(!pthread_join(forkers[i], NULL));
	timer_stops = true;
	once(0);
	pthread_barrier_destroy(&both_fork);
	stop_threads(writers, SETS);
	assert_eq(timer_bad, 0);
	/* The test is none if it never hit. */
	assert_that(tools_slow() || timer_forks);
	/* One may be waiting still. */
	signal(SIGALRM, SIG_IGN);
	hold_alarms(SIG_UNBLOCK);
	close_sets();
}
END_TEST

/* ---- memory ---- */

static char *at(const struct vmset *set, size_t i)
{
	return (char *)page_at(set, i);
}

/* Areas 1 to 4: copied, left out, wiped, left out and at once beside one. */
static void map_of_every_kind(struct vmset *set)
{
	const uint32_t flags[] = { RW, RW | VMSET_DONTFORK,
				   RW | VMSET_WIPEONFORK,
				   RW | VMSET_DONTFORK | VMSET_WIPEONFORK };

	for (size_t i = 0; i < 4; i++) {
		assert_ok(vmset_map(set, page_at(set, 4 * i), 3 * page,
				    flags[i], 0));
		memset(at(set, 4 * i), 'a' + (int)i, 3 * page);
	}
	/* Cut by a protect that keeps what it is for a fork. */
	assert_ok(vmset_protect(set, page_at(set, 5), page,
				VMSET_READ | VMSET_DONTFORK));
	/* And one that changes only that. */
	assert_ok(vmset_protect(set, page_at(set, 2), page,
				RW | VMSET_WIPEONFORK));
}

static bool is_free(const struct vmset *set, size_t i)
{
	return vmset_find(set, page_at(set, i), NULL) == -ENOENT;
}

static bool child_has_its_part(struct vmset *set)
{
	return vmset_verify(set, NULL) == 0 && !vmset__check(set) &&
	       vmset_len(set) == 3 &&
	       *at(set, 0) == 'a' && *at(set, 1) == 'a' && *at(set, 2) == 0 &&
	       is_free(set, 4) && is_free(set, 5) && is_free(set, 6) &&
	       *at(set, 8) == 0 && *at(set, 10) == 0 && is_free(set, 12) &&
	       is_good(set);
}

START_TEST(areas_are_left_out_or_wiped)
{
	pid_t child;

	open_sets();
	map_of_every_kind(sets[0]);
	assert_eq(vmset_len(sets[0]), 7);
	assert_ok(vmset_verify(sets[0], NULL));
	child = fork();
	if (!child)
		leave_child(child_has_its_part(sets[0]));
	expect_good(child);
	assert_eq(vmset_len(sets[0]), 7);
	assert_that(*at(sets[0], 2) == 'a' && *at(sets[0], 4) == 'b' &&
		    *at(sets[0], 8) == 'c' && *at(sets[0], 14) == 'd');
	assert_ok(vmset_verify(sets[0], NULL));
	close_sets();
}
END_TEST

/* Shared memory, as a backend of the user's would map it. */
static int shared_map(void *ctx, uintptr_t start, size_t size, uint32_t flags,
		      uint64_t offset)
{
	void *p = mmap((void *)start, size, (int)flags, MAP_SHARED | MAP_FIXED,
		       *(const int *)ctx, (off_t)offset);

	return p == MAP_FAILED ? -errno : 0;
}

static int shared_unmap(void *ctx, uintptr_t start, size_t size)
{
	(void)ctx;
	return mmap((void *)start, size, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		    0) == MAP_FAILED ? -errno : 0;
}

static int shared_protect(void *ctx, uintptr_t start, size_t size,
			  uint32_t flags)
{
	(void)ctx;
	return mprotect((void *)start, size, (int)flags) ? -errno : 0;
}

START_TEST(private_is_copied_and_shared_is_shared)
{
	static const struct vmset_backend_ops ops = {
		.size = sizeof(ops), .map = shared_map, .unmap = shared_unmap,
		.protect = shared_protect,
	};
	int fd = memfd_create("shared", 0);
	const struct vmset_backend backend = { &ops, &fd };
	struct vmset_area area;
	pid_t child;

	open_sets();
	assert_that(fd >= 0 && !ftruncate(fd, (off_t)page));
	area = (struct vmset_area){ .start = page_at(sets[0], 1),
				    .end = page_at(sets[0], 2), .flags = RW,
				    .backend = &backend };
	assert_ok(vmset_map_area(sets[0], &area, 0));
	assert_ok(vmset_map(sets[0], page_at(sets[0], 0), page, RW, 0));
	/* So that the child looks at each area. */
	assert_ok(vmset_map(sets[0], page_at(sets[0], 2), page,
			    RW | VMSET_WIPEONFORK, 0));
	child = fork();
	if (!child) {
		*at(sets[0], 0) = *at(sets[0], 1) = 'c';
		leave_child(!vmset_unmap(sets[0], page_at(sets[0], 0),
					 2 * page));
	}
	expect_good(child);
	assert_that(*at(sets[0], 0) == 0 && *at(sets[0], 1) == 'c');
	assert_eq(vmset_len(sets[0]), 3);
	close_sets();
	close(fd);
}
END_TEST

/* What is wrong here hangs. */
static TCase *tcase_inside_a_fork(bool any_thread)
{
	TCase *tcase = tcase_create("inside a fork");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, a_fork_inside_a_fork, 0, 2);
	tcase_add_test(tcase, a_fault_inside_a_fork);
	tcase_add_test(tcase, a_fork_handler_makes_a_set);
	if (any_thread)
		tcase_add_test(tcase, a_timer_forks_while_threads_fork);
	return tcase;
}

Suite *suite_fork(void)
{
	Suite *suite = suite_create("fork");
	TCase *tcase = tcase_create("fork");
	/*
	 * In the child of a thread that is not the first, memcheck takes libc's
	 * records of the other threads for lost, and changes the exit status.
	 */
	bool any_thread = !ON_VALGRIND;

	tcase_set_timeout(tcase, 600);
	tcase_add_test(tcase, threads_write_while_another_forks);
	tcase_add_test(tcase, callbacks_change_other_sets_while_another_forks);
	tcase_add_test(tcase, sets_are_made_while_another_forks);
	if (any_thread)
		tcase_add_test(tcase, several_threads_fork);
	tcase_add_test(tcase, handlers_of_the_program_come_first);
	tcase_add_test(tcase, an_update_function_forks);
	tcase_add_test(tcase, a_fork_before_a_change_begins);
	if (any_thread)
		tcase_add_test(tcase, two_update_functions_fork_at_once);
	tcase_add_test(tcase, a_handler_forks_in_the_middle_of_a_change);
	tcase_add_test(tcase, areas_are_left_out_or_wiped);
	tcase_add_test(tcase, private_is_copied_and_shared_is_shared);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, tcase_inside_a_fork(any_thread));
	return suite;
}
