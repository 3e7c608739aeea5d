/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Forks.
 *
 * A thread that forks closes a gate, waits until all sets are free, and keeps
 * the list of them locked until the fork is done.  Whoever takes a set's lock
 * looks at the gate after that, and the thread that forks looks at the locks
 * after it closed the gate, so that one of them sees the other.
 *
 * Who holds a set already (a backend or an update function that changes
 * another set) may pass the gate: the fork waits for it.  A callback
 * may fork, too.  Its own set is as it should be then, in parent and child, and
 * in the child areas are left out and wiped when the change is over.  But those
 * it waits for may be waiting for its set, so it does not wait for ever.
 *
 * While a thread has the list its signals are blocked, so that no handler finds
 * it taken; for a fork, until all is over.  But fork handlers of others come in
 * between.  They may make sets, and even fork, so the list can be taken more
 * than once, and a fork inside another finds everything done.  And they may
 * touch what is filled on first touch, so faults are not held back.
 */
#include "fork.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "futex.h"
#include "internal.h"

/* As long as a fork inside a change waits for other changes. */
#define PATIENCE_S 1

static struct {
	struct vmset__lock lock;        /* of the list */
	uint32_t taken;                 /* how often, by its owner */
	sigset_t mask;                  /* from before, of who forks */
	struct vmset *first;
	uint32_t forks;                 /* under way; the gate is open if 0 */
	uint32_t released;              /* counts, while the gate is closed */
	uint32_t installed;             /* 0 or 1; a byte takes libatomic on some */
} sets;

/* ---- the list ---- */

static void take_list(void)
{
	/* -EDEADLK: the thread has it already. */
	vmset__lock(&sets.lock);
	sets.taken++;
}

static void leave_list(void)
{
	if (!--sets.taken)
		vmset__unlock(&sets.lock);
}

static void block_signals(sigset_t *before)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, before);
}

static void lock_list(sigset_t *mask)
{
	block_signals(mask);
	take_list();
}

static void unlock_list(const sigset_t *mask)
{
	leave_list();
	pthread_sigmask(SIG_SETMASK, mask, NULL);
}

static bool is_inside_fork(void)
{
	return sets.taken > 1;
}

#define FOR_EACH(set) \
	for (struct vmset *set = sets.first; set; set = set->member.next)

static bool holds_any(void)
{
	bool any = false;

	FOR_EACH(set)
		any |= vmset__lock_is_own(&set->lock);
	return any;
}

/* For handlers on this thread, which may fork in between. */
static void own_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static int lock_set(struct vmset *set)
{
	int rc = vmset__lock(&set->lock);

	if (!rc) {
		set->member.at_rest = false;
		own_order();
	}
	return rc;
}

/* A fork that comes before this says so is told to the set here. */
static void come_to_rest(struct vmset *set)
{
	for (;;) {
		set->member.at_rest = true;
		own_order();
		if (!set->member.late)
			return;
		set->member.at_rest = false;
		own_order();
		set->member.late = false;
		set->member.in_child(set);
		own_order();
	}
}

/* ---- the gate ---- */

static bool is_closed(void)
{
	return __atomic_load_n(&sets.forks, __ATOMIC_SEQ_CST);
}

static void wait_until_open(void)
{
	uint32_t forks = __atomic_load_n(&sets.forks, __ATOMIC_ACQUIRE);

	if (forks)
		vmset__futex_wait(&sets.forks, forks, NULL);
}

static void tell_forks(void)
{
	__atomic_add_fetch(&sets.released, 1, __ATOMIC_RELEASE);
	vmset__futex_wake(&sets.released, INT_MAX);
}

static bool may_pass(void)
{
	sigset_t mask;
	bool pass;

	lock_list(&mask);
	pass = holds_any();
	unlock_list(&mask);
	return pass;
}

/* With the set locked, while a fork is under way. */
__attribute__((noinline)) static int pass_gate(struct vmset *set)
{
	/* The list is this thread's while it forks. */
	while (!vmset__lock_is_own(&sets.lock)) {
		int rc;

		vmset__release(set);
		if (may_pass())
			return lock_set(set);
		wait_until_open();
		rc = lock_set(set);
		if (rc || !is_closed())
			return rc;
	}
	return 0;
}

int vmset__hold(struct vmset *set)
{
	int rc = lock_set(set);

	return !rc && is_closed() ? pass_gate(set) : rc;
}

void vmset__release(struct vmset *set)
{
	come_to_rest(set);
	vmset__unlock(&set->lock);
	if (is_closed())
		tell_forks();
}

/* ---- fork ---- */

static bool is_of_another(const struct vmset *set)
{
	return !set->member.abandoned && vmset__lock_is_taken(&set->lock) &&
	       !vmset__lock_is_own(&set->lock);
}

static bool all_free(void)
{
	FOR_EACH(set)
		if (is_of_another(set))
			return false;
	return true;
}

static struct timespec now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time;
}

/* Whether there is time left until the deadline; how much. */
static bool time_left(const struct timespec *deadline, struct timespec *left)
{
	struct timespec time = now();

	left->tv_sec = deadline->tv_sec - time.tv_sec;
	left->tv_nsec = deadline->tv_nsec - time.tv_nsec;
	if (left->tv_nsec < 0) {
		left->tv_nsec += 1000000000;
		left->tv_sec--;
	}
	return left->tv_sec >= 0;
}

/*
 * With the list locked, but not while it sleeps.  Whether all sets are free: who
 * takes a lock after that only sees that the gate is closed.
 */
static bool wait_until_free(void)
{
	struct timespec deadline = now(), left;
	bool patient = !holds_any();

	deadline.tv_sec += PATIENCE_S;
	for (;;) {
		uint32_t released = __atomic_load_n(&sets.released,
						    __ATOMIC_ACQUIRE);

		if (all_free())
			return true;
		if (!patient && !time_left(&deadline, &left))
			return false;
		leave_list();
		vmset__futex_wait(&sets.released, released,
				  patient ? NULL : &left);
		take_list();
	}
}

static void let_faults_through(const sigset_t *mask)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE,
				      SIGILL,  SIGTRAP, SIGSYS };
	sigset_t unblocked;

	sigemptyset(&unblocked);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		if (!sigismember(mask, faults[i]))
			sigaddset(&unblocked, faults[i]);
	pthread_sigmask(SIG_UNBLOCK, &unblocked, NULL);
}

static void before_fork(void)
{
	sigset_t mask;
	bool free;

	lock_list(&mask);
	if (is_inside_fork()) {
		pthread_sigmask(SIG_SETMASK, &mask, NULL);
		return;
	}
	__atomic_add_fetch(&sets.forks, 1, __ATOMIC_SEQ_CST);
	free = wait_until_free();
	FOR_EACH(set)
		set->member.abandoned |= !free && is_of_another(set);
	sets.mask = mask;
	let_faults_through(&mask);
}

/* The signals are the thread's again. */
static void end_fork(void)
{
	const sigset_t mask = sets.mask;

	leave_list();
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static void after_fork_in_parent(void)
{
	if (is_inside_fork()) {
		leave_list();
		return;
	}
	block_signals(NULL);
	FOR_EACH(set)
		if (!vmset__lock_is_abandoned(&set->lock))
			set->member.abandoned = false;
	if (!__atomic_sub_fetch(&sets.forks, 1, __ATOMIC_SEQ_CST))
		vmset__futex_wake(&sets.forks, INT_MAX);
	end_fork();
}

static void come_through(struct vmset *set)
{
	struct vmset__member *member = &set->member;

	if (!vmset__lock_is_own(&set->lock)) {
		vmset__lock_reset(&set->lock, member->abandoned);
	} else if (!member->at_rest) {
		member->late = true;
		return;
	}
	member->in_child(set);
}

static void after_fork_in_child(void)
{
	FOR_EACH(set)
		come_through(set);
	/* The forks of the parent's other threads are none of the child's. */
	sets.forks = is_inside_fork();
	if (is_inside_fork()) {
		leave_list();
		return;
	}
	block_signals(NULL);
	end_fork();
}

/* ---- members ---- */

static bool install(void)
{
	if (__atomic_exchange_n(&sets.installed, 1, __ATOMIC_ACQ_REL))
		return true;
	if (!pthread_atfork(before_fork, after_fork_in_parent,
			    after_fork_in_child))
		return true;
	__atomic_store_n(&sets.installed, 0, __ATOMIC_RELEASE);
	return false;
}

/*
 * Handlers of a fork run in an order: what uses the library is installed later,
 * and so it is done with its own locks before the gate is closed.
 */
__attribute__((constructor)) static void install_early(void)
{
	install();
}

bool vmset__enrol(struct vmset *set, vmset__in_child_fn *in_child)
{
	struct vmset__member *member = &set->member;
	sigset_t mask;

	if (!install())
		return false;
	member->in_child = in_child;
	lock_list(&mask);
	member->next = sets.first;
	member->link = &sets.first;
	if (sets.first)
		sets.first->member.link = &member->next;
	sets.first = set;
	unlock_list(&mask);
	return true;
}

void vmset__withdraw(struct vmset *set)
{
	struct vmset__member *member = &set->member;
	sigset_t mask;

	lock_list(&mask);
	*member->link = member->next;
	if (member->next)
		member->next->member.link = member->link;
	if (is_closed())
		tell_forks();
	unlock_list(&mask);
}
