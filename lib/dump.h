/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Showing a set to people.
 */
#ifndef VMSET_DUMP_H
#define VMSET_DUMP_H

#include "internal.h"

/* vmset_dump with its arguments checked. */
int vmset__dump(const struct vmset *set, FILE *out);

#endif /* VMSET_DUMP_H */
