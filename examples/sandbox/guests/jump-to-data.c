/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Puts an instruction into a variable and calls it.
 */
#include "guest.h"

static uint32_t code[] = { 0x00008067 };        /* ret */

int main(void)
{
	void (*volatile function)(void) = (void (*)(void))(uintptr_t)code;

	say("Jumping to data at 0x%lx ...\n", (long)code);
	function();
	say("That worked?\n");
	return 1;
}
