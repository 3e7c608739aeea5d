/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Patches its own code.
 */
#include "guest.h"

int main(void)
{
	volatile uint32_t *volatile code =
		(volatile uint32_t *)(uintptr_t)main;

	say("Writing to my own code at 0x%lx ...\n", (long)code);
	*code = 0;
	say("That worked?\n");
	return 1;
}
