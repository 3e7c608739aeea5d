/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sandbox's trap: a fault in its set is a result, and any other signal still
 * ends the process.
 */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../examples/sandbox/trap.h"
#include "assert.h"
#include "poke.h"
#include "suites.h"

/* Two pages that are a set, readable and free; and one that is not in it. */
static struct vmset *set;
static unsigned char *memory, *outside;
static size_t page;
static struct trap trap;

static void setup(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	assert_ok(vmset_reserve(&set, 2 * page, 0));
	memory = (unsigned char *)vmset_bounds(set).start;
	assert_ok(vmset_map(set, (uintptr_t)memory, page, VMSET_READ, 0));
	outside = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	ck_assert_ptr_ne(outside, MAP_FAILED);
	/* Neither a sanitizer's handler nor, without fork, an earlier test's. */
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	assert_ok(trap_open(&trap, set));
}

static void teardown(void)
{
	assert_ok(trap_close(&trap));
	assert_ok(vmset_destroy(set));
	munmap(outside, page);
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

/* It must fault there, for that cause. */
static void expect_fault(void (*fn)(void *arg), unsigned char *at,
			 uint32_t cause)
{
	memset(&trap.fault, 0, sizeof(trap.fault));
	assert_that(trap_run(&trap, fn, at));
	assert_eq(trap.fault.addr, (uintptr_t)at);
	assert_eq(trap.fault.cause, cause);
	assert_that(trap.fault.set == set);
}

START_TEST(a_fault_is_a_result)
{
	for (int i = 0; i < 3; i++) {
		assert_that(!trap_run(&trap, read_byte, memory));
		expect_fault(write_byte, memory + 5, VMSET_CAUSE_PROTECTED);
		expect_fault(read_byte, memory + page, VMSET_CAUSE_FREE);
		expect_fault(read_byte, memory + 2 * page - 1,
			     VMSET_CAUSE_FREE);
		assert_eq(trap.fault.to_below, page - 1);
	}
}
END_TEST

/* Behind the end of a file there is SIGBUS. */
START_TEST(a_bus_error_is_a_result)
{
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_eq(mmap(memory, page, PROT_READ, MAP_PRIVATE | MAP_FIXED,
			      fileno(file), 0), memory);
	expect_fault(read_byte, memory + 7, VMSET_CAUSE_BEYOND);
	fclose(file);
}
END_TEST

struct call {
	void (*fn)(void *arg);
	void *arg;
};

static void call_in_trap(void *arg)
{
	const struct call *call = arg;

	_exit(trap_run(&trap, call->fn, call->arg) ? 100 : 101);
}

static int dies_in_trap_of(void (*fn)(void *arg), void *arg)
{
	struct call call = { fn, arg };

	return poke_dies_of(call_in_trap, &call);
}

START_TEST(other_faults_are_deadly)
{
	/* In no set, and nowhere. */
	ck_assert_int_eq(dies_in_trap_of(read_byte, outside), SIGSEGV);
	ck_assert_int_eq(dies_in_trap_of(write_byte, (void *)16), SIGSEGV);
	/* In the set, but nobody asked for it. */
	ck_assert_int_eq(poke_dies_of(write_byte, memory), SIGSEGV);
	ck_assert_int_eq(dies_in_trap_of(write_byte, memory), -100);
}
END_TEST

/* A signal that was sent has no address, whatever siginfo holds. */
START_TEST(sent_signals_are_deadly)
{
	int segv = SIGSEGV, bus = SIGBUS;

	ck_assert_int_eq(dies_in_trap_of(send_signal, &segv), SIGSEGV);
	ck_assert_int_eq(dies_in_trap_of(send_signal, &bus), SIGBUS);
	ck_assert_int_eq(poke_dies_of(send_signal, &segv), SIGSEGV);
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
	suite_add_tcase(suite, tests);
	return suite;
}
