/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads where nothing ever was.
 */
#include "guest.h"

static volatile uintptr_t wild = 0x7eadbeec;

int main(void)
{
	say("Reading from 0x%lx ...\n", wild);
	say("There is %ld?\n", (long)*(const volatile int *)wild);
	return 1;
}
