/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sandbox's signal handler: a fault in the range is a result, and any other
 * signal still ends the process.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../examples/sandbox/trap.h"
#include "assert.h"
#include "suites.h"
#include "tools.h"

/* Three pages: readable, inaccessible, and outside the range. */
static unsigned char *memory;
static size_t page;
static struct vmset_range range;

static void setup(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	memory = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
	ck_assert_int_eq(mprotect(memory, page, PROT_READ), 0);
	range.start = (uintptr_t)memory;
	range.end = range.start + 2 * page;
	/* Neither a sanitizer's handler nor, without fork, an earlier test's. */
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	assert_ok(trap_install());
}

static void teardown(void)
{
	munmap(memory, 3 * page);
}

/* What the functions below have read, so that they do read. */
static volatile unsigned char seen;

static void read_byte(void *arg)
{
	seen = *(volatile unsigned char *)arg;
}

static void write_byte(void *arg)
{
	*(volatile unsigned char *)arg = 1;
}

static void send_signal(void *arg)
{
	raise(*(int *)arg);
}

START_TEST(a_fault_is_a_result)
{
	uintptr_t addr = 1;

	for (int i = 0; i < 3; i++) {
		assert_that(!trap_run(range, read_byte, memory, &addr));
		assert_eq(addr, 1);
		assert_that(trap_run(range, write_byte, memory + 5, &addr));
		assert_eq(addr, range.start + 5);
		assert_that(trap_run(range, read_byte, memory + page, &addr));
		assert_eq(addr, range.start + page);
		assert_that(trap_run(range, read_byte, memory + 2 * page - 1,
				     &addr));
		assert_eq(addr, range.end - 1);
		addr = 1;
	}
}
END_TEST

/* Behind the end of a file there is SIGBUS. */
START_TEST(a_bus_error_is_a_result)
{
	FILE *file = tmpfile();
	uintptr_t addr = 0;

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_eq(mmap(memory + page, page, PROT_READ,
			      MAP_PRIVATE | MAP_FIXED, fileno(file), 0),
			 memory + page);
	assert_that(trap_run(range, read_byte, memory + page + 7, &addr));
	assert_eq(addr, range.start + page + 7);
	fclose(file);
}
END_TEST

enum how { ALONE, IN_TRAP };

/* In a child: calls fn by trap_run, or without.  Returns the deadly signal. */
static int dies_of(void (*fn)(void *arg), void *arg, enum how how)
{
	const pid_t child = fork();
	uintptr_t addr;
	int status;

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		VALGRIND_DISABLE_ERROR_REPORTING;
		if (how == IN_TRAP)
			_exit(trap_run(range, fn, arg, &addr) ? 100 : 101);
		fn(arg);
		_exit(102);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

START_TEST(other_faults_are_deadly)
{
	/* Right behind the range, and anywhere. */
	ck_assert_int_eq(dies_of(read_byte, memory + 2 * page, IN_TRAP),
			 SIGSEGV);
	ck_assert_int_eq(dies_of(write_byte, (void *)16, IN_TRAP), SIGSEGV);
	/* In the range, but nobody asked for it. */
	ck_assert_int_eq(dies_of(write_byte, memory, ALONE), SIGSEGV);
	ck_assert_int_eq(dies_of(write_byte, memory, IN_TRAP), -100);
}
END_TEST

/* A signal that was sent has no address, whatever siginfo holds. */
START_TEST(sent_signals_are_deadly)
{
	int segv = SIGSEGV, bus = SIGBUS;

	range.start = 0;
	ck_assert_int_eq(dies_of(send_signal, &segv, IN_TRAP), SIGSEGV);
	ck_assert_int_eq(dies_of(send_signal, &bus, IN_TRAP), SIGBUS);
	ck_assert_int_eq(dies_of(send_signal, &segv, ALONE), SIGSEGV);
}
END_TEST

static struct sigaction first;
static volatile sig_atomic_t first_called;

static void was_first(int signo)
{
	(void)signo;
	first_called++;
	mprotect(memory, page, PROT_READ | PROT_WRITE);
}

/*
 * Who handled the signal before gets what is not ours.  Valgrind does not run
 * an instruction again with the registers that it had.
 */
START_TEST(the_handler_before_is_called)
{
	uintptr_t addr;

	if (ON_VALGRIND)
		return;
	first.sa_handler = was_first;
	ck_assert_int_eq(sigaction(SIGSEGV, &first, NULL), 0);
	assert_ok(trap_install());
	assert_that(!trap_run(range, read_byte, memory, &addr));
	write_byte(memory);
	assert_eq(first_called, 1);
	assert_eq(memory[0], 1);
}
END_TEST

Suite *suite_trap(void)
{
	Suite *suite = suite_create("trap");
	TCase *tests = tcase_create("trap");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_fault_is_a_result);
	tcase_add_test(tests, a_bus_error_is_a_result);
	tcase_add_test(tests, other_faults_are_deadly);
	tcase_add_test(tests, sent_signals_are_deadly);
	tcase_add_test(tests, the_handler_before_is_called);
	suite_add_tcase(suite, tests);
	return suite;
}
