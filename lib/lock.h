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

#include <stdbool.h>
#include <stdint.h>

struct vmset__lock {
	/* 0: free; else the owner's thread pointer, | 1: somebody sleeps. */
	uintptr_t word;
};

/*
 * 0; -EDEADLK if the calling thread has the lock already; -ENOTRECOVERABLE if
 * nobody will ever have it again.
 */
int vmset__lock(struct vmset__lock *lock);
void vmset__unlock(struct vmset__lock *lock);

bool vmset__lock_is_own(const struct vmset__lock *lock);

/* In one order with all that takes and frees locks. */
bool vmset__lock_is_taken(const struct vmset__lock *lock);

/* Whether nobody will ever have it again. */
bool vmset__lock_is_abandoned(const struct vmset__lock *lock);

/*
 * In the child of a fork: the owner does not exist.  abandoned: so what it
 * protects stays as it is for ever, else it is free.
 */
void vmset__lock_reset(struct vmset__lock *lock, bool abandoned);

#endif /* VMSET_LOCK_H */
