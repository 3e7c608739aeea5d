/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Keeps a pointer to memory that it has given back.
 */
#include "guest.h"

int main(void)
{
	const long start = sys_mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, 0);
	volatile long *middle = (volatile long *)(start + (long)PAGE + 40);

	*middle = 42;
	say("Mapped three units of memory, wrote %ld to the middle one.\n",
	    *middle);
	sys_munmap((uintptr_t)start + PAGE, PAGE);
	say("Unmapped the middle one. Reading it again ...\n");
	say("There is %ld?\n", *middle);
	return 1;
}
