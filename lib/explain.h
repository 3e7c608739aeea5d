/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is at an address.
 */
#ifndef VMSET_EXPLAIN_H
#define VMSET_EXPLAIN_H

#include "vmset.h"

/* vmset_explain without the checks; fills all of *fault. */
void vmset__explain(const struct vmset *set, uintptr_t addr, uint32_t access,
		    struct vmset_fault *fault);

#endif /* VMSET_EXPLAIN_H */
