/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A fault function that jumps back.  fn was code of ours that holds nothing, so
 * it may be left at any instruction.
 *
 * Memcheck would count each fault as an error of this program.  It is asked to
 * be silent while fn runs.
 */
#include "trap.h"

#include <config.h>

#ifdef HAVE_VALGRIND_MEMCHECK_H
#include <valgrind/memcheck.h>
#else
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_ENABLE_ERROR_REPORTING  ((void)0)
#endif

/* More than a copy of the account and a jump need. */
#define STACK_SIZE ((size_t)16 << 10)

static uint32_t on_fault(const struct vmset_fault *fault, void *arg)
{
	struct trap *trap = arg;

	if (!trap->armed)
		return VMSET_FAULT_PASS;
	trap->fault = *fault;
	siglongjmp(trap->back, 1);
}

int trap_open(struct trap *trap, struct vmset *set)
{
	int err = vmset_fault_stack(STACK_SIZE);

	if (err)
		return err;
	trap->set = set;
	trap->armed = 0;
	err = vmset_fault_install(VMSET_FAULT_ALTSTACK);
	if (!err) {
		err = vmset_on_fault(set, on_fault, trap);
		if (err)
			vmset_fault_remove();
	}
	if (err)
		vmset_fault_stack(0);
	return err;
}

int trap_close(struct trap *trap)
{
	int err = vmset_on_fault(trap->set, NULL, NULL);

	if (!err)
		err = vmset_fault_remove();
	return err ? err : vmset_fault_stack(0);
}

bool trap_run(struct trap *trap, void (*fn)(void *arg), void *arg)
{
	/* Not in a register, which the jump would take back. */
	volatile bool faulted = true;

	VALGRIND_DISABLE_ERROR_REPORTING;
	if (sigsetjmp(trap->back, 1) == 0) {
		trap->armed = 1;
		fn(arg);
		faulted = false;
	}
	trap->armed = 0;
	VALGRIND_ENABLE_ERROR_REPORTING;
	return faulted;
}
