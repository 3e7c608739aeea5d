/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What a backend offers beyond the three operations that each has.
 *
 * A table of operations may have been compiled against an older header: what
 * lies behind its size is not there.
 */
#ifndef VMSET_BACKEND_H
#define VMSET_BACKEND_H

#include "vmset.h"

/* Anonymous private memory in a reservation. */
extern const struct vmset_backend vmset__kernel_backend;

/* What its areas may have in flags beside rights: VMSET_DONTFORK and so on. */
#define VMSET_FORK_FLAGS (VMSET_DONTFORK | VMSET_WIPEONFORK)

/* Whether any area ever had them. */
bool vmset__kernel_knows_forks(void);

/* Make its memory in the range, all of it mapped, read as zeros. */
void vmset__kernel_wipe(struct vmset_range range);

/* The part of flags that a backend's query can tell. */
static inline uint32_t vmset__told_flags(const struct vmset_backend *backend,
					 uint32_t flags)
{
	return backend == &vmset__kernel_backend ? flags & ~VMSET_FORK_FLAGS :
						   flags;
}

#define VMSET_BACKEND_HAS(ops, member)                                 \
	((ops)->size >= offsetof(struct vmset_backend_ops, member) +   \
			sizeof (ops)->member)

#define VMSET_PROMISES                                                 \
	(VMSET_BACKEND_REPLACES | VMSET_BACKEND_SPANS |                \
	 VMSET_BACKEND_JOINS | VMSET_BACKEND_DISCARDS)

static inline uint32_t vmset__promises(const struct vmset_backend *backend)
{
	const struct vmset_backend_ops *ops = backend->ops;

	return VMSET_BACKEND_HAS(ops, promises) ? ops->promises : 0;
}

/* Whether the backend understands all of the flags. */
static inline bool vmset__knows_flags(const struct vmset_backend *backend,
				      uint32_t flags)
{
	const struct vmset_backend_ops *ops = backend->ops;

	return !VMSET_BACKEND_HAS(ops, flags_mask) || ops->flags_mask == 0 ||
	       (flags & ~ops->flags_mask) == 0;
}

static inline bool vmset__can_query(const struct vmset_backend *backend)
{
	return VMSET_BACKEND_HAS(backend->ops, query) && backend->ops->query;
}

static inline bool vmset__can_fault(const struct vmset_backend *backend)
{
	return VMSET_BACKEND_HAS(backend->ops, fault) && backend->ops->fault;
}

/* NULL if it has none. */
static inline const char *vmset__name(const struct vmset_backend *backend)
{
	return VMSET_BACKEND_HAS(backend->ops, name) ? backend->ops->name :
						       NULL;
}

#endif /* VMSET_BACKEND_H */
