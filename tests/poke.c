/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The accesses.  Memcheck would call those that fault errors.
 */
#include "poke.h"

#include <check.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools.h"

__attribute__((noinline, no_sanitize("address")))
static uint8_t read_byte(uintptr_t addr)
{
	return *(volatile uint8_t *)addr;
}

__attribute__((noinline, no_sanitize("address")))
static void write_byte(uintptr_t addr, uint8_t value)
{
	*(volatile uint8_t *)addr = value;
}

static uint8_t (*volatile const reader)(uintptr_t addr) = read_byte;
static void (*volatile const writer)(uintptr_t addr, uint8_t value) =
	write_byte;

uint8_t poke_read(uintptr_t addr)
{
	uint8_t value;

	VALGRIND_DISABLE_ERROR_REPORTING;
	value = reader(addr);
	VALGRIND_ENABLE_ERROR_REPORTING;
	return value;
}

void poke_write(uintptr_t addr, uint8_t value)
{
	VALGRIND_DISABLE_ERROR_REPORTING;
	writer(addr, value);
	VALGRIND_ENABLE_ERROR_REPORTING;
}

int poke_dies_of(void (*fn)(void *arg), void *arg)
{
	const pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		VALGRIND_DISABLE_ERROR_REPORTING;
		fn(arg);
		tools_leave(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}
