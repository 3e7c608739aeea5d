/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Calling the handler from before, whatever the dispatcher itself was called
 * with, and doing the default action, which is the kernel's alone: it is made
 * to come.
 */
#define _GNU_SOURCE                     /* codes of signals, sigorset */

#include "fault-chain.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(struct sigaction) % sizeof(uintptr_t) == 0,
	       "an action is a whole number of words");

static const struct sigaction by_default = { .sa_handler = SIG_DFL };

void vmset__before_set(struct vmset__before *before,
		       const struct sigaction *action)
{
	VMSET__LATCH_WRITE(&before->action, action);
}

struct sigaction vmset__before_get(const struct vmset__before *before)
{
	struct sigaction action;
	const uintptr_t version = VMSET__LATCH_READ(&before->action, &action);

	return vmset__load(&before->spent) == version ? by_default : action;
}

/* The same for a call, which spends a handler that has one only. */
static struct sigaction take(struct vmset__before *before)
{
	struct sigaction action;
	const uintptr_t version = VMSET__LATCH_READ(&before->action, &action);

	if (action.sa_flags & SA_RESETHAND &&
	    __atomic_exchange_n(&before->spent, version, __ATOMIC_ACQ_REL) ==
	    version)
		return by_default;
	return action;
}

/* Linux 5.10, for memory tags that are checked late. */
#ifndef SEGV_MTEAERR
#define SEGV_MTEAERR 8
#endif

bool vmset__comes_again(int signo, const siginfo_t *info)
{
	return info->si_code > 0 &&
	       info->si_code != (signo == SIGBUS ? BUS_MCEERR_AO :
						   SEGV_MTEAERR);
}

static void act_by_default(int signo, siginfo_t *info, bool ignored)
{
	const bool again = vmset__comes_again(signo, info);

	if (ignored && !again)
		return;
	sigaction(signo, &by_default, NULL);
	/* With what the sender said, for the core. */
	if (!again && syscall(SYS_rt_tgsigqueueinfo, getpid(),
			      (pid_t)syscall(SYS_gettid), signo, info))
		raise(signo);
}

static void call(const struct sigaction *action, int signo, siginfo_t *info,
		 void *context)
{
	sigset_t mask, ours;

	pthread_sigmask(SIG_BLOCK, NULL, &ours);
	mask = ours;
	if (action->sa_flags & SA_NODEFER)
		sigdelset(&mask, signo);
	else
		sigaddset(&mask, signo);
	sigorset(&mask, &mask, &action->sa_mask);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (action->sa_flags & SA_SIGINFO)
		action->sa_sigaction(signo, info, context);
	else
		action->sa_handler(signo);
	pthread_sigmask(SIG_SETMASK, &ours, NULL);
}

void vmset__before_call(struct vmset__before *before, int signo,
			siginfo_t *info, void *context)
{
	const struct sigaction action = take(before);

	if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN)
		act_by_default(signo, info, action.sa_handler == SIG_IGN);
	else
		call(&action, signo, info, context);
}
