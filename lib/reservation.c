/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reserving: an inaccessible mapping, which keeps all other mappings out and
 * costs one kernel area.
 */
#include "reservation.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel-map.h"
#include "range.h"

size_t vmset__page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int vmset__reservation_get(size_t size, struct vmset_range *range)
{
	void *p = mmap(NULL, size, PROT_NONE, VMSET__MAP_FLAGS, -1, 0);

	if (p == MAP_FAILED)
		/* Beyond what addresses there are, valgrind says EINVAL. */
		return errno == ENOMEM || errno == EINVAL ?
			       vmset__why_no_memory() : -errno;
	*range = (struct vmset_range){ (uintptr_t)p, (uintptr_t)p + size };
	return 0;
}

int vmset__reservation_put(struct vmset_range range)
{
	return munmap((void *)range.start, vmset__range_size(range)) ? -errno :
								       0;
}
