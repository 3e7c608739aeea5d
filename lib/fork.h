/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * All sets of the process, and how they come through a fork whole.
 *
 * Only the thread that forks goes on in the child.  A set that another thread
 * was changing at that moment would stay half changed there, and locked.  So a
 * fork waits until no set is being changed, and until then no change begins.
 */
#ifndef VMSET_FORK_H
#define VMSET_FORK_H

#include <stdbool.h>

struct vmset;

/*
 * Called in the child for every set of the parent's, while nobody changes it.  One
 * that is abandoned can only be read.
 */
typedef void vmset__in_child_fn(struct vmset *set);

struct vmset__member {
	struct vmset *next, **link;
	vmset__in_child_fn *in_child;
	/* A thread that this process does not have was changing it. */
	bool abandoned;
	/* Whoever has the lock has not begun to change anything, or is done. */
	bool at_rest;
	/* in_child is due when the change ends. */
	bool late;
};

/* From now on the set comes through forks.  false: no memory. */
bool vmset__enrol(struct vmset *set, vmset__in_child_fn *in_child);

/* Before the set, which is held, is freed. */
void vmset__withdraw(struct vmset *set);

/*
 * Begin and end a change: take the set's lock, but not while a fork is under
 * way.  0; -EDEADLK if the calling thread holds the set; or -ENOTRECOVERABLE if a
 * thread that this process does not have left it half changed.
 */
int vmset__hold(struct vmset *set);
void vmset__release(struct vmset *set);

#endif /* VMSET_FORK_H */
