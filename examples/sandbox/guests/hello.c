/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The first guest: says hello and where it lives.
 */
#include "guest.h"

static int in_data = 1;

int main(int argc, char **argv)
{
	int on_stack = argc;

	say("Hello from %s!\n", argv[0]);
	say("My code is at 0x%lx, my data at 0x%lx, my stack at 0x%lx.\n",
	    (long)main, (long)&in_data, (long)&on_stack);
	return 0;
}
