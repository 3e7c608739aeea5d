/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The library as a program gets it: the shared object, by vmset.h alone.  Calls
 * every function once, so that one that is not exported cannot go unseen.
 */
#include "vmset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PAGES 16

static int failures;

#define expect(condition)                                             \
	do {                                                          \
		if (condition)                                        \
			break;                                        \
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,    \
			#condition);                                  \
		failures++;                                           \
	} while (0)

static int no_map(void *ctx, uintptr_t start, size_t size, uint32_t flags,
		  uint64_t offset)
{
	(void)ctx, (void)start, (void)size, (void)flags, (void)offset;
	return -EIO;
}

static int no_unmap(void *ctx, uintptr_t start, size_t size)
{
	(void)ctx, (void)start, (void)size;
	return -EIO;
}

static int no_protect(void *ctx, uintptr_t start, size_t size, uint32_t flags)
{
	(void)ctx, (void)start, (void)size, (void)flags;
	return -EIO;
}

/* A set over a backend of the program's own, which refuses everything. */
static void try_own_backend(void)
{
	const struct vmset_backend_ops ops = {
		.size = sizeof(ops),
		.map = no_map,
		.unmap = no_unmap,
		.protect = no_protect,
	};
	const struct vmset_backend backend = { .ops = &ops };
	const struct vmset_config config = {
		.size = sizeof(config),
		.bounds = { 0x1000, 0x2000 },
		.granule = 1,
		.backend = &backend,
	};
	struct vmset *set;

	if (vmset_create(&set, &config)) {
		expect(!"vmset_create");
		return;
	}
	expect(vmset_map(set, 0x1000, 1, 0, 0) == -EIO);
	expect(vmset_is_empty(set));
	expect(vmset_destroy(set) == 0);
}

static bool drop_write(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	(void)arg;
	*new_flags = old_flags & ~VMSET_WRITE;
	return true;
}

static void try_readers(const struct vmset *set, uintptr_t start, size_t page)
{
	const struct vmset_range bounds = vmset_bounds(set);
	struct vmset_area area;
	uintptr_t at;

	expect(bounds.start == start);
	expect(bounds.end == start + PAGES * page);
	expect(vmset_len(set) == 2);
	expect(!vmset_is_empty(set));
	expect(vmset_overlaps(set, start, page));
	expect(vmset_find(set, start, &area) == 0);
	expect(area.end == start + 2 * page);
	expect(vmset_next(set, area.end, &area) == 0);
	expect(area.start == start + 4 * page);
	expect(vmset_find_free_area(set, 0, page, (struct vmset_range){ 0, 0 },
				    0, &at) == 0);
	expect(at == start + 2 * page);
	expect(vmset_dump(set, stdout) == 0);
	expect(vmset_verify(set, NULL) == 0);
}

/* A set over the kernel. */
static void try_reservation(struct vmset *set)
{
	const size_t page = vmset_granule(set);
	const uintptr_t start = vmset_bounds(set).start;
	struct vmset_area area = {
		.start = start + 4 * page,
		.end = start + 6 * page,
		.flags = VMSET_READ | VMSET_WRITE,
	};
	uintptr_t at = 0;

	expect(vmset_alloc(set, 2 * page, VMSET_READ | VMSET_WRITE, NULL,
			   &at) == 0);
	expect(at == start);
	expect(vmset_map(set, at, page, VMSET_READ, 0) == -EEXIST);
	expect(vmset_map_area(set, &area, 0) == 0);
	try_readers(set, start, page);
	expect(vmset_protect(set, at, page, VMSET_READ) == 0);
	expect(vmset_len(set) == 3);
	expect(vmset_update(set, at, 2 * page, drop_write, NULL) == 0);
	expect(vmset_len(set) == 2);
	expect(vmset_unmap(set, at, 2 * page) == 0);
	expect(vmset_len(set) == 1);
	expect(vmset_clear(set) == 0);
	expect(vmset_is_empty(set));
	expect(vmset_verify(set, NULL) == 0);
}

static uint32_t pass_on(const struct vmset_fault *fault, void *arg)
{
	return vmset_fault_pass(fault, arg);
}

static void try_faults(struct vmset *set)
{
	struct vmset_fault fault = { .size = sizeof(fault) };
	char line[16];

	expect(vmset_explain(set, vmset_bounds(set).start, VMSET_READ,
			     &fault) == 0);
	expect(fault.cause == VMSET_CAUSE_FREE);
	expect(vmset_fault_text(&fault, line, sizeof(line)) > sizeof(line));
	expect(vmset_fault_install(0) == 0);
	expect(vmset_on_fault(set, pass_on, NULL) == 0);
	expect(vmset_fault_remove() == 0);
	expect(vmset_fault_remove() == -ENOENT);
	expect(vmset_fault_stack(4096) == 0);
	expect(vmset_fault_stack(0) == 0);
}

/* Large enough for PAGES pages of any size that Linux has, 64 KiB at most. */
static struct vmset *reserve(void)
{
	struct vmset *set, *fitting;
	size_t page;

	if (vmset_reserve(&set, PAGES << 16, 0))
		return NULL;
	page = vmset_granule(set);
	expect(vmset_destroy(set) == 0);
	return vmset_reserve(&fitting, PAGES * page, 0) ? NULL : fitting;
}

int main(void)
{
	struct vmset *set = reserve();

	if (!set) {
		fputs("vmset_reserve failed\n", stderr);
		return EXIT_FAILURE;
	}
	try_reservation(set);
	try_faults(set);
	expect(vmset_destroy(set) == 0);
	try_own_backend();
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
