/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Calls itself without end.
 */
#include "guest.h"

static volatile long deepest = 1000000000;

static long dive(long depth)
{
	volatile long here = depth;

	if (depth < deepest)
		return dive(depth + 1) + here;
	return here;
}

int main(void)
{
	say("Calling myself without end ...\n");
	say("Came back with %ld?\n", dive(0));
	return 1;
}
