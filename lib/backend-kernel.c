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

/*
 * What becomes of an area in a child is done there, when there is one.  To
 * madvise it now would cut kernel areas, and a reservation would get holes.
 */
static bool fork_flags_used;

static uint32_t rights(uint32_t flags)
{
	if (flags & VMSET_FORK_FLAGS)
		__atomic_store_n(&fork_flags_used, true, __ATOMIC_RELAXED);
	return flags & ~VMSET_FORK_FLAGS;
}

bool vmset__kernel_knows_forks(void)
{
	return __atomic_load_n(&fork_flags_used, __ATOMIC_RELAXED);
}

void vmset__kernel_wipe(struct vmset_range range)
{
	madvise((void *)range.start, vmset__range_size(range), MADV_DONTNEED);
}

static int kernel_map(void *ctx, uintptr_t start, size_t size, uint32_t flags,
		      uint64_t offset)
{
	(void)ctx;
	(void)offset;
	return replace(start, size, (int)rights(flags));
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
 * Whether rights may be taken from the part of a kernel area that is in the
 * range.  It must not have to be cut for that, nor be sealed: then it does not
 * even take the rights that it has.
 */
static bool yields(const struct vmset__kernel_area *area,
		   struct vmset_range range)
{
	struct vmset_range part = vmset__range_clip(area->range, range);
	bool whole = vmset__range_size(part) ==
		     vmset__range_size(area->range);

	return area->mapped && (whole || !area->flags) &&
	       !mprotect((void *)part.start, vmset__range_size(part),
			 (int)area->flags);
}

static bool all_yields(struct vmset_range range)
{
	struct vmset__kernel_area area = { .range.end = range.start };
	struct vmset__kernel_map map;
	bool good = true;

	if (vmset__kernel_map_open(&map, VMSET__BEST_SOURCE))
		return false;
	while (good && area.range.end < range.end)
		good = !vmset__kernel_map_at(&map, area.range.end, &area) &&
		       yields(&area, range);
	vmset__kernel_map_close(&map);
	return good;
}

/*
 * With as many mappings as there may be, mmap is refused even where it would
 * leave fewer, and so it is if RLIMIT_AS was set below what there is.  Taking
 * the rights away is not, and mostly lets mappings join, so that the mmap may do
 * now.  Else the pages at least are given back, but not the commit charge.
 */
static int unmap_when_refused(uintptr_t start, size_t size, int why)
{
	if (!all_yields((struct vmset_range){ start, start + size }))
		return why;
	if (mprotect((void *)start, size, PROT_NONE))
		return -ENOTRECOVERABLE;
	if (map_fixed(start, size, PROT_NONE))
		madvise((void *)start, size, MADV_DONTNEED);
	return 0;
}

static int kernel_unmap(void *ctx, uintptr_t start, size_t size)
{
	int rc = replace(start, size, PROT_NONE);

	(void)ctx;
	return rc == -EMFILE || rc == -ENOMEM ?
		       unmap_when_refused(start, size, rc) : rc;
}

/* Whether all of the range has the rights already. */
static bool has_rights(struct vmset_range range, uint32_t flags)
{
	struct vmset_query found = { .end = range.start };

	while (found.end < range.end)
		if (kernel_query(NULL, found.end, range.end, &found) ||
		    found.flags != flags)
			return false;
	return true;
}

/*
 * Where two cuts are needed, and too many mappings allow one, the kernel leaves
 * that one.  Undoing earlier calls may need it.  The parts join when something
 * about them becomes alike: here the advice, which is at worst forgotten.
 */
static void join_again(struct vmset_range part)
{
	struct vmset__kernel_area area;
	struct vmset__kernel_map map;
	bool known;

	if (vmset__kernel_map_open(&map, VMSET__BEST_SOURCE))
		return;
	known = !vmset__kernel_map_at(&map, part.start, &area);
	vmset__kernel_map_close(&map);
	if (known && area.range.start == part.start &&
	    area.range.end > part.end &&
	    !madvise((void *)part.start, vmset__range_size(area.range),
		     MADV_SEQUENTIAL))
		madvise((void *)part.start, vmset__range_size(area.range),
			MADV_NORMAL);
}

/*
 * Give each kernel area in the range the rights, if it takes them.  Returns how
 * many have others still; in *changed, how many have not any more.
 */
static size_t protect_each(struct vmset_range range, uint32_t flags,
			   size_t *changed)
{
	struct vmset__kernel_area area = { .range.end = range.start };
	struct vmset__kernel_map map;
	struct vmset_range part;
	size_t left = 0;

	*changed = 0;
	if (vmset__kernel_map_open(&map, VMSET__BEST_SOURCE))
		return 1;
	while (area.range.end < range.end) {
		if (vmset__kernel_map_at(&map, area.range.end, &area)) {
			left++;
			break;
		}
		part = vmset__range_clip(area.range, range);
		if (area.anonymous && area.flags == flags)
			continue;
		if (!mprotect((void *)part.start, vmset__range_size(part),
			      (int)flags)) {
			++*changed;
			continue;
		}
		left++;
		if (errno == ENOMEM)
			join_again(part);
	}
	vmset__kernel_map_close(&map);
	return left;
}

/*
 * mprotect over several kernel areas stops at the first that refuses, and leaves
 * those before it changed.  If that is because of too many mappings, a later one
 * may make room; and whoever puts back what was changed is refused at the
 * same place, a sealed one for example, when all is as it should be.
 */
static int kernel_protect(void *ctx, uintptr_t start, size_t size,
			  uint32_t flags)
{
	struct vmset_range range = { start, start + size };
	size_t left = 1, changed = 1;
	int rc;

	(void)ctx;
	flags = rights(flags);
	if (!mprotect((void *)start, size, (int)flags))
		return 0;
	rc = error_of(errno);
	while (rc == -EMFILE && left && changed)
		left = protect_each(range, flags, &changed);
	return left && !has_rights(range, flags) ? rc : 0;
}

static const struct vmset_backend_ops kernel_ops = {
	.size = sizeof kernel_ops,
	.map = kernel_map,
	.unmap = kernel_unmap,
	.protect = kernel_protect,
	.promises = VMSET_BACKEND_REPLACES | VMSET_BACKEND_SPANS |
		    VMSET_BACKEND_JOINS | VMSET_BACKEND_DISCARDS,
	.flags_mask = VMSET_READ | VMSET_WRITE | VMSET_EXEC | VMSET_FORK_FLAGS,
	.query = kernel_query,
	.name = "kernel",
};

const struct vmset_backend vmset__kernel_backend = { &kernel_ops, NULL };
