/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Writes past the end of its world, where the host's own memory may be.
 */
#include "guest.h"

static volatile uintptr_t far = 0x7fff12345678;

int main(void)
{
	say("Writing to 0x%lx ...\n", far);
	*(volatile long *)far = 1;
	say("That worked?\n");
	return 1;
}
