/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reserving: an inaccessible mapping, which keeps all other mappings out and
 * costs one kernel area.
 */
#include "reservation.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "range.h"

size_t vmset__page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/*
 * Areas that are touched one by one, in any order, should become one mapping in
 * the end.  The kernel joins what shares a record of touched pages (an
 * anon_vma), and gives an area that of its neighbour when it is touched first.
 * So one page in front of the range is touched, and its memory given back: the
 * free room around every area has its record from there.  Where the kernel
 * refuses, all works but for that.
 */
static void seed(char *page, size_t size)
{
	if (mprotect(page, size, PROT_READ | PROT_WRITE))
		return;
	*(volatile char *)page = 0;
	madvise(page, size, MADV_DONTNEED);
	mprotect(page, size, PROT_NONE);
}

int vmset__reservation_get(size_t size, struct vmset_range *range)
{
	size_t page = vmset__page_size();
	char *p = mmap(NULL, page + size, PROT_NONE, VMSET__MAP_FLAGS, -1, 0);

	if (p == MAP_FAILED)
		/* Beyond what addresses there are, valgrind says EINVAL. */
		return errno == ENOMEM || errno == EINVAL ?
			       vmset__why_no_memory() : -errno;
	seed(p, page);
	p += page;
	*range = (struct vmset_range){ (uintptr_t)p, (uintptr_t)p + size };
	return 0;
}

int vmset__reservation_put(struct vmset_range range)
{
	size_t page = vmset__page_size();

	return munmap((void *)(range.start - page),
		      page + vmset__range_size(range)) ? -errno : 0;
}

/* ---- too many mappings, or no memory ---- */

/* Since Linux 4.17.  Before, the address is a hint. */
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/*
 * The kernel looks at the number of mappings first, and only then finds that the
 * place is taken.
 */
bool vmset__no_mmap_fits(void)
{
	size_t page = vmset__page_size();
	char *taken = (char *)__builtin_frame_address(0);
	void *p;

	taken -= (uintptr_t)taken % page;
	p = mmap(taken, page, PROT_NONE,
		 VMSET__MAP_FLAGS | MAP_FIXED_NOREPLACE, -1, 0);
	if (p == MAP_FAILED)
		return errno == ENOMEM;
	munmap(p, page);
	return false;
}

/*
 * Whether no mapping can be cut twice.  Reading alone takes no memory, so what
 * may be in the way is the number of mappings.
 */
static bool no_cut_fits(void)
{
	size_t page = vmset__page_size();
	char *p = mmap(NULL, 3 * page, PROT_NONE, VMSET__MAP_FLAGS, -1, 0);
	bool refused;

	if (p == MAP_FAILED)
		return false;
	refused = mprotect(p + page, page, PROT_READ) && errno == ENOMEM;
	munmap(p, 3 * page);
	return refused;
}

int vmset__why_no_memory(void)
{
	return vmset__no_mmap_fits() || no_cut_fits() ? -EMFILE : -ENOMEM;
}
