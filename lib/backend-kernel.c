/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The backend for anonymous private memory in a reservation.
 *
 * Inside a reservation nothing is ever unmapped by munmap: another thread's mmap
 * could take the hole.  Mapping and unmapping are one mmap with MAP_FIXED, which
 * replaces whatever is there, is all or nothing, frees the pages, and lets the
 * kernel join equal neighbours.
 *
 * Kernels before 6.12 may lose what was mapped when such an mmap fails late.
 * Then there is a hole: it is filled at once, and the range given up.
 */
#include <errno.h>
#include <sys/mman.h>

#include "backend.h"
#include "kernel-map.h"
#include "range.h"
#include "reservation.h"

_Static_assert(VMSET_READ == PROT_READ && VMSET_WRITE == PROT_WRITE &&
	       VMSET_EXEC == PROT_EXEC, "flags are what mmap and mprotect take");

static int error_of(int error)
{
	return error == ENOMEM ? vmset__why_no_memory() : -error;
}

static int map_fixed(uintptr_t start, size_t size, int prot)
{
	void *p = mmap((void *)start, size, prot, VMSET__MAP_FLAGS | MAP_FIXED,
		       -1, 0);

	return p == MAP_FAILED ? error_of(errno) : 0;
}

static bool has_hole(uintptr_t start, size_t size)
{
	struct vmset__kernel_area area = { .range = { start, start },
					   .mapped = true };
	struct vmset__kernel_map map;

	if (vmset__kernel_map_open(&map, VMSET__BEST_SOURCE))
		return false;
	while (area.mapped && area.range.end - start < size)
		if (vmset__kernel_map_at(&map, area.range.end, &area))
			break;
	vmset__kernel_map_close(&map);
	return !area.mapped;
}

static int replace(uintptr_t start, size_t size, int prot)
{
	int rc = map_fixed(start, size, prot);

	if (!rc || !has_hole(start, size))
		return rc;
	map_fixed(start, size, PROT_NONE);
	return -ENOTRECOVERABLE;
}

static int kernel_map(void *ctx, uintptr_t start, size_t size, uint32_t flags,
		      uint64_t offset)
{
	(void)ctx;
	(void)offset;
	return replace(start, size, (int)flags);
}

/* Memory without rights cannot be told from what is only reserved. */
static int kernel_query(void *ctx, uintptr_t addr, uintptr_t limit,
			struct vmset_query *out)
{
	struct vmset__kernel_area area;
	struct vmset__kernel_map map;
	int rc;

	(void)ctx;
	rc = vmset__kernel_map_open(&map, VMSET__BEST_SOURCE);
	if (rc)
		return rc;
	rc = vmset__kernel_map_at(&map, addr, &area);
	vmset__kernel_map_close(&map);
	if (rc)
		return rc;
	out->end = vmset__min(area.range.end, limit);
	out->flags = area.anonymous ? area.flags : 0;
	out->mapped = out->flags != 0;
	return 0;
}

/*
 * Whether the kernel areas at both ends of the range end there too, or have no
 * rights: then taking the rights from the range cuts none of them in two.
 */
static bool cuts_nothing(uintptr_t start, uintptr_t end)
{
	struct vmset__kernel_area first, last;
	struct vmset__kernel_map map;
	bool known;

	if (vmset__kernel_map_open(&map, VMSET__BEST_SOURCE))
		return false;
	known = !vmset__kernel_map_at(&map, start, &first) &&
		!vmset__kernel_map_at(&map, end - 1, &last);
	vmset__kernel_map_close(&map);
	return known && (first.range.start == start || !first.flags) &&
	       (last.range.end == end || !last.flags);
}

/*
 * With as many mappings as there may be, mmap is refused even where it would
 * leave fewer.  Taking the rights and the pages away is not, and mostly lets
 * mappings join, so that the mmap may do now: it gives the commit charge back.
 */
static int unmap_when_full(uintptr_t start, size_t size)
{
	if (!cuts_nothing(start, start + size))
		return -EMFILE;
	if (mprotect((void *)start, size, PROT_NONE) ||
	    madvise((void *)start, size, MADV_DONTNEED))
		return -ENOTRECOVERABLE;
	map_fixed(start, size, PROT_NONE);
	return 0;
}

static int kernel_unmap(void *ctx, uintptr_t start, size_t size)
{
	int rc = replace(start, size, PROT_NONE);

	(void)ctx;
	return rc == -EMFILE ? unmap_when_full(start, size) : rc;
}

/* Whether all of the range has the rights already. */
static bool has_rights(uintptr_t start, size_t size, uint32_t flags)
{
	struct vmset_query found = { .end = start };
	uintptr_t end = start + size;

	while (found.end < end)
		if (kernel_query(NULL, found.end, end, &found) ||
		    found.flags != flags)
			return false;
	return true;
}

/*
 * mprotect over several kernel areas stops at the first that refuses, one that
 * is sealed for example, and leaves those before it changed.  Putting them back
 * is then refused at the same place, when all is as it should be.
 */
static int kernel_protect(void *ctx, uintptr_t start, size_t size,
			  uint32_t flags)
{
	int error;

	(void)ctx;
	if (!mprotect((void *)start, size, (int)flags))
		return 0;
	error = errno;
	return has_rights(start, size, flags) ? 0 : error_of(error);
}

static const struct vmset_backend_ops kernel_ops = {
	.size = sizeof kernel_ops,
	.map = kernel_map,
	.unmap = kernel_unmap,
	.protect = kernel_protect,
	.promises = VMSET_BACKEND_REPLACES | VMSET_BACKEND_SPANS |
		    VMSET_BACKEND_JOINS | VMSET_BACKEND_DISCARDS,
	.flags_mask = VMSET_READ | VMSET_WRITE | VMSET_EXEC,
	.query = kernel_query,
	.name = "kernel",
};

const struct vmset_backend vmset__kernel_backend = { &kernel_ops, NULL };
