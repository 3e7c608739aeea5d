/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The writers' lock of a set.
 *
 * A pthread mutex would do but for one thing: the thread that holds the lock
 * has to be told so, also in a signal handler that interrupted it at any
 * instruction, and pthread_mutex_lock may not be called there.  So owner and
 * state are one word, changed by one compare-and-swap, and who has to wait
 * sleeps on a futex.
 */
#ifndef VMSET_LOCK_H
#define VMSET_LOCK_H

#include <stdint.h>

struct vmset__lock {
	/* 0: free; else the owner's thread pointer, | 1: somebody sleeps. */
	uintptr_t word;
};

/* 0, or -EDEADLK if the calling thread has the lock already. */
int vmset__lock(struct vmset__lock *lock);
void vmset__unlock(struct vmset__lock *lock);

#endif /* VMSET_LOCK_H */
