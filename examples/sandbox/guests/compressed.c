/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Has an instruction of another extension: c.nop of C.
 */
#include "guest.h"

int main(void)
{
	say("Running a compressed instruction ...\n");
	__asm__ volatile(".half 0x0001, 0x0001");
	say("That worked?\n");
	return 1;
}
