/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Who handled a signal before: kept, and called as the kernel would.
 */
#ifndef VMSET_FAULT_CHAIN_H
#define VMSET_FAULT_CHAIN_H

#include <signal.h>
#include <stdbool.h>

#include "latch.h"

struct vmset__before {
	VMSET__LATCH(struct sigaction) action;
	uintptr_t spent;                /* the version that SA_RESETHAND ended */
};

void vmset__before_set(struct vmset__before *before,
		       const struct sigaction *action);

/* As it would be by now if it had been in place. */
struct sigaction vmset__before_get(const struct vmset__before *before);

/*
 * Whether the instruction faults again when the handler returns.  What was sent
 * does not, nor what the machine reported late, of other accesses.
 */
bool vmset__comes_again(int signo, const siginfo_t *info);

/* Hand a signal on.  Async-signal-safe. */
void vmset__before_call(struct vmset__before *before, int signo,
			siginfo_t *info, void *context);

#endif /* VMSET_FAULT_CHAIN_H */
