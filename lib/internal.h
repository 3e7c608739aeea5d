/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a set consists of, for the files that look inside one: vmset.c, dump.c
 * and verify.c.  The functions of vmset.h are the only ones that are exported.
 */
#ifndef VMSET_INTERNAL_H
#define VMSET_INTERNAL_H

#include "apply.h"
#include "fork.h"
#include "fault.h"
#include "lock.h"
#include "tree.h"
#include "vmset.h"

struct vmset {
	struct vmset__lock lock;        /* see vmset__hold */
	struct vmset__member member;
	/* Never change. */
	struct vmset_range bounds;
	size_t granule;
	const struct vmset_backend *backend;
	uint32_t options;
	bool reserved;                  /* over the kernel, from vmset_reserve */
	/* Changes under the lock; the dispatcher's handler reads it without. */
	struct vmset__watched watched;
	/* Changes under the lock. */
	struct vmset__tally tally;
	/* Changes under the lock; readers read it without. */
	struct vmset__tree tree;
};

/*
 * For tests: hold the set's own records against their rules.  NULL if all hold,
 * else what does not.  No other thread may be writing to the set.
 */
const char *vmset__check(const struct vmset *set);

#endif /* VMSET_INTERNAL_H */
