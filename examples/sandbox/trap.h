/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Faults in a set as results, instead of the process's end.
 */
#ifndef TRAP_H
#define TRAP_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>

#include "vmset.h"

struct trap {
	struct vmset *set;
	/* What the last fault was, and what the set had there. */
	struct vmset_fault fault;
	volatile sig_atomic_t armed;    /* back is valid */
	sigjmp_buf back;
};

/*
 * Have the library's dispatcher bring the faults in set here, on a stack of
 * their own.  For the calling thread; trap must stay where it is.  0 or a
 * negative errno value.
 */
int trap_open(struct trap *trap, struct vmset *set);
int trap_close(struct trap *trap);

/*
 * Call fn(arg).  If it touches memory in the set that it may not, it ends there:
 * true, and the account in trap->fault.  If it returns: false.
 *
 * Any other fault, in fn or elsewhere, does what it would do without us.  Not
 * from inside fn.
 */
bool trap_run(struct trap *trap, void (*fn)(void *arg), void *arg);

#endif /* TRAP_H */
