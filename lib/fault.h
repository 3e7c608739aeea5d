/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The dispatcher of faults, for the library's own files.
 */
#ifndef VMSET_FAULT_H
#define VMSET_FAULT_H

#include "latch.h"
#include "vmset.h"

/* A set's fault function and its argument. */
struct vmset__watch {
	vmset_fault_fn *fn;
	void *arg;
};

/* What the dispatcher keeps in each set. */
struct vmset__watched {
	bool listed;                    /* the dispatcher finds the set */
	VMSET__LATCH(struct vmset__watch) watch;
};

/* Take a set out, which is locked.  0, or the error that prevents it. */
int vmset__fault_forget(struct vmset *set);

/*
 * VMSET_READ, VMSET_WRITE or VMSET_EXEC: what the instruction wanted that faulted
 * with this context.  0 where the machine does not tell.
 */
uint32_t vmset__fault_access(const void *context);

#endif /* VMSET_FAULT_H */
