/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A signal handler has no argument of ours, so what it needs is in one static
 * variable.
 *
 * Memcheck would count each fault as an error of this program.  It is asked to
 * be silent while fn runs.
 */
#include "trap.h"

#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

#ifdef HAVE_VALGRIND_MEMCHECK_H
#include <valgrind/memcheck.h>
#else
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_ENABLE_ERROR_REPORTING  ((void)0)
#endif

static struct {
	volatile sig_atomic_t armed;    /* back is valid */
	sigjmp_buf back;
	struct vmset_range range;
	uintptr_t addr;
	struct sigaction old_segv, old_bus;
	max_align_t stack[4096];
} trap;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	const uintptr_t addr = (uintptr_t)info->si_addr;
	const bool sent = info->si_code <= 0;   /* by kill: no address */

	(void)context;
	if (trap.armed && !sent && addr >= trap.range.start &&
	    addr < trap.range.end) {
		trap.addr = addr;
		siglongjmp(trap.back, 1);
	}
	/* Not ours.  The instruction runs again, with the handler before us. */
	sigaction(signo, signo == SIGSEGV ? &trap.old_segv : &trap.old_bus,
		  NULL);
	if (sent)
		raise(signo);
}

int trap_install(void)
{
	const stack_t stack = {
		.ss_sp = trap.stack,
		.ss_size = sizeof(trap.stack),
	};
	struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	sigemptyset(&action.sa_mask);
	if (sigaltstack(&stack, NULL) ||
	    sigaction(SIGSEGV, &action, &trap.old_segv) ||
	    sigaction(SIGBUS, &action, &trap.old_bus))
		return -errno;
	return 0;
}

bool trap_run(struct vmset_range range, void (*fn)(void *arg), void *arg,
	      uintptr_t *addr)
{
	bool faulted = true;

	trap.range = range;
	VALGRIND_DISABLE_ERROR_REPORTING;
	if (sigsetjmp(trap.back, 1) == 0) {
		trap.armed = 1;
		fn(arg);
		faulted = false;
	}
	trap.armed = 0;
	VALGRIND_ENABLE_ERROR_REPORTING;
	if (faulted)
		*addr = trap.addr;
	return faulted;
}
