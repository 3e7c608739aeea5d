/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lib/fault-chain.c by itself, where the default action is to do nothing, and
 * the stacks of lib/fault-stack.c where the kernel refuses.
 */
#define _GNU_SOURCE                     /* codes of signals */

#include "fault-chain.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "assert.h"
#include "suites.h"
#include "syscalls.h"
#include "vmset.h"

static struct vmset__before before;
static volatile sig_atomic_t calls;

static void handler(int signo)
{
	(void)signo;
	calls++;
}

static void setup(void)
{
	memset(&before, 0, sizeof(before));
	calls = 0;
}

static void set_before(void (*fn)(int signo), int flags)
{
	const struct sigaction action = { .sa_handler = fn, .sa_flags = flags };

	vmset__before_set(&before, &action);
}

static void call_before(int signo, int code)
{
	siginfo_t info = { .si_signo = signo, .si_code = code };

	vmset__before_call(&before, signo, &info, NULL);
}

/* The handler that the signal has now; and it has this one again. */
static void (*handler_of(int signo))(int signo)
{
	const struct sigaction action = { .sa_handler = handler };
	struct sigaction now;

	ck_assert_int_eq(sigaction(signo, &action, &now), 0);
	return now.sa_handler;
}

/* What is ignored stays so, but for an instruction that faults for ever. */
static const struct {
	int signo, code;
	bool again;
} ignored[] = {
	{ SIGSEGV, SI_USER, false },
	{ SIGSEGV, SEGV_MAPERR, true },
	{ SIGSEGV, 8, false },          /* a memory tag, checked late */
	{ SIGBUS, SI_QUEUE, false },
	{ SIGBUS, BUS_ADRERR, true },
	{ SIGBUS, 8, true },
	{ SIGBUS, BUS_MCEERR_AO, false },
};

#define IGNORED ((int)(sizeof(ignored) / sizeof(*ignored)))

START_TEST(what_is_ignored)
{
	const int signo = ignored[_i].signo;

	set_before(SIG_IGN, 0);
	handler_of(signo);
	call_before(signo, ignored[_i].code);
	assert_that(handler_of(signo) ==
		    (ignored[_i].again ? SIG_DFL : handler));
	assert_eq(calls, 0);
	signal(signo, SIG_DFL);
}
END_TEST

/*
 * What was sent is sent again with what the sender said.  Here it is blocked, so
 * that it can be looked at before the kernel acts on it.
 */
START_TEST(what_was_sent)
{
	siginfo_t info;
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &usr1, NULL), 0);
	set_before(SIG_DFL, 0);
	handler_of(SIGUSR1);
	call_before(SIGUSR1, SI_TIMER);
	assert_that(handler_of(SIGUSR1) == SIG_DFL);
	ck_assert_int_eq(sigwaitinfo(&usr1, &info), SIGUSR1);
	ck_assert_int_eq(info.si_code, SI_TIMER);
	/* With an instruction that faults again, nothing has to be sent. */
	call_before(SIGUSR1, 1);
	ck_assert_int_eq(sigtimedwait(&usr1, &info, &(struct timespec){ 0, 0 }),
			 -1);
	/* No such signal: it cannot be sent either, and that is all. */
	call_before(SIGRTMAX + 1, SI_USER);
	ck_assert_int_eq(sigprocmask(SIG_UNBLOCK, &usr1, NULL), 0);
	signal(SIGUSR1, SIG_DFL);
}
END_TEST

START_TEST(handlers_are_spent_once)
{
	set_before(handler, SA_RESETHAND);
	assert_that(vmset__before_get(&before).sa_handler == handler);
	call_before(SIGURG, SI_USER);
	assert_eq(calls, 1);
	assert_that(vmset__before_get(&before).sa_handler == SIG_DFL);
	call_before(SIGURG, SI_USER);
	assert_eq(calls, 1);
	set_before(handler, 0);
	call_before(SIGURG, SI_USER);
	call_before(SIGURG, SI_USER);
	assert_eq(calls, 3);
}
END_TEST

/* ---- stacks ---- */

static stack_t stack_now(void)
{
	stack_t now;

	ck_assert_int_eq(sigaltstack(NULL, &now), 0);
	return now;
}

/* Where there is none, its address means nothing. */
static bool is_stack(stack_t a, stack_t b)
{
	return (a.ss_flags & SS_DISABLE) == (b.ss_flags & SS_DISABLE) &&
	       (a.ss_flags & SS_DISABLE || a.ss_sp == b.ss_sp);
}

/* Whatever call is refused, the stack stays what it was. */
START_TEST(stacks_that_are_refused)
{
	const stack_t none = stack_now();
	const struct vmset_range all = { 0, UINTPTR_MAX };

	syscalls_watch(all);
	syscalls_fail(1, 0, ENOMEM);
	assert_err(vmset_fault_stack(0x4000), -ENOMEM);
	syscalls_fail(2, 0, EACCES);
	assert_err(vmset_fault_stack(0x4000), -EACCES);
	syscalls_fail(2, 0, ENOMEM);
	assert_err(vmset_fault_stack(0x4000), -ENOMEM);
	syscalls_stop();
	assert_that(is_stack(stack_now(), none));
	assert_ok(vmset_fault_stack(0x4000));
	assert_that(!is_stack(stack_now(), none));
	syscalls_watch(all);
	syscalls_fail(1, 0, EACCES);
	assert_err(vmset_fault_stack(0), -EACCES);
	syscalls_fail(1, 0, ENOMEM);
	assert_err(vmset_fault_stack(0), -ENOMEM);
	syscalls_stop();
	/* It is still there. */
	assert_that(!is_stack(stack_now(), none));
	assert_ok(vmset_fault_stack(0));
	assert_that(is_stack(stack_now(), none));
}
END_TEST

/* Wherever it begins. */
START_TEST(stacks_of_others_are_left_alone)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 64 << 10;
	const stack_t none = stack_now();
	char *memory = mmap(NULL, page + size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_that(memory != MAP_FAILED);
	for (size_t at = 0; at < page; at += 16) {
		stack_t stack = { .ss_sp = memory + at, .ss_size = size };

		ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
		assert_err(vmset_fault_stack(0), -ENOENT);
		assert_that(stack_now().ss_sp == stack.ss_sp);
	}
	ck_assert_int_eq(sigaltstack(&none, NULL), 0);
	munmap(memory, page + size);
}
END_TEST

/* ---- the list of sets ---- */

static uint32_t pass_on(const struct vmset_fault *fault, void *arg)
{
	(void)fault, (void)arg;
	return VMSET_FAULT_PASS;
}

/* Whoever needs it first has it made; nothing is done if that fails. */
START_TEST(no_memory_for_the_list)
{
	struct vmset *set;
	struct sigaction now;

	assert_ok(vmset_reserve(&set, 1u << 20, 0));
	/* A sanitizer's handler may be there. */
	signal(SIGBUS, SIG_DFL);
	syscalls_watch((struct vmset_range){ 0, UINTPTR_MAX });
	syscalls_fail(1, 0, ENOMEM);
	assert_err(vmset_on_fault(set, pass_on, NULL), -ENOMEM);
	syscalls_fail(1, 0, ENOMEM);
	assert_err(vmset_fault_install(0), -ENOMEM);
	syscalls_stop();
	ck_assert_int_eq(sigaction(SIGBUS, NULL, &now), 0);
	assert_that(now.sa_handler == SIG_DFL);
	assert_err(vmset_fault_remove(), -ENOENT);
	assert_ok(vmset_on_fault(set, pass_on, NULL));
	assert_ok(vmset_fault_install(0));
	assert_ok(vmset_fault_remove());
	assert_ok(vmset_destroy(set));
}
END_TEST

Suite *suite_chain(void)
{
	Suite *suite = suite_create("chain");
	TCase *tcase = tcase_create("chain");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, what_is_ignored, 0, IGNORED);
	tcase_add_test(tcase, what_was_sent);
	tcase_add_test(tcase, handlers_are_spent_once);
	tcase_add_test(tcase, stacks_that_are_refused);
	tcase_add_test(tcase, stacks_of_others_are_left_alone);
	tcase_add_test(tcase, no_memory_for_the_list);
	suite_add_tcase(suite, tcase);
	return suite;
}
