/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Asks for memory that can be written and executed, in three ways.
 */
#include "guest.h"

#define WX (PROT_READ | PROT_WRITE | PROT_EXEC)

static long data;

static int refused(const char *what, long result)
{
	say("%s: %s (%ld)\n", what, result < 0 ? "refused" : "granted?",
	    result);
	return result == -EACCES;
}

static uintptr_t unit(uintptr_t addr)
{
	return addr & ~(PAGE - 1);
}

int main(void)
{
	int good;

	good = refused("New memory, writable and executable",
		       sys_mmap(0, PAGE, WX, 0));
	good &= refused("My code made writable",
			sys_mprotect(unit((uintptr_t)main), PAGE, WX));
	good &= refused("My data made executable",
			sys_mprotect(unit((uintptr_t)&data), PAGE, WX));
	return !good;
}
