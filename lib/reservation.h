/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Ranges of the process's address space, held against everybody else.
 */
#ifndef VMSET_RESERVATION_H
#define VMSET_RESERVATION_H

#include "vmset.h"

/*
 * The flags of every mapping in a reservation, so that the kernel's areas join
 * again: private anonymous memory without a reserve of swap.
 */
#define VMSET__MAP_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* Read from the system. */
size_t vmset__page_size(void);

/*
 * Reserve size bytes, a multiple of the page size, and a page in front of them.
 * 0 or a negative errno.
 */
int vmset__reservation_get(size_t size, struct vmset_range *range);

/* Give it back, with all that is mapped in it.  0 or a negative errno. */
int vmset__reservation_put(struct vmset_range range);

/*
 * The error for memory that the kernel has just refused: -EMFILE if the process
 * has as many mappings as it may have, or nearly, else -ENOMEM.  The kernel
 * says ENOMEM to both.
 */
int vmset__why_no_memory(void);

/* Whether the process has so many mappings that the kernel refuses any mmap. */
bool vmset__no_mmap_fits(void);

#endif /* VMSET_RESERVATION_H */
