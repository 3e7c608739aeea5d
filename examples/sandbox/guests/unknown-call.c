/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Makes a system call that the sandbox does not have.
 */
#include "guest.h"

#define SYS_getpid 172

int main(void)
{
	say("Asking who I am ...\n");
	say("Number %ld?\n", guest_call(SYS_getpid, 0, 0, 0, 0));
	return 1;
}
