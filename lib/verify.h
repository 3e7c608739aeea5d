/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Holding a set against what is really there.
 */
#ifndef VMSET_VERIFY_H
#define VMSET_VERIFY_H

#include "internal.h"
#include "kernel-map.h"

/* vmset_verify, under the lock. */
int vmset__verify(const struct vmset *set, struct vmset_mismatch *first);

/* The same, with the kernel asked in the given way. */
int vmset__verify_by(const struct vmset *set, struct vmset_mismatch *first,
		     enum vmset__kernel_source source);

#endif /* VMSET_VERIFY_H */
