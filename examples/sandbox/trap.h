/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Faults in one range of addresses, as results instead of the process's end.
 */
#ifndef TRAP_H
#define TRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "vmset.h"

/*
 * Take over SIGSEGV and SIGBUS, on a stack of their own.  0 or a negative errno
 * value.
 */
int trap_install(void);

/*
 * Call fn(arg).  If it touches memory in range that it may not, it ends there:
 * true, and the address in *addr.  If it returns: false.
 *
 * Any other fault, in fn or elsewhere, does what it would do without us.  For
 * one thread, and not from inside fn.
 */
bool trap_run(struct vmset_range range, void (*fn)(void *arg), void *arg,
	      uintptr_t *addr);

#endif /* TRAP_H */
