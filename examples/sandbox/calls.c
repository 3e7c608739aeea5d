/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The guests' system calls, served by the set.
 *
 * Numbers, arguments, results and errors are those of Linux on RISC-V, in a
 * world of 4 GiB.  What the set refuses with the error that Linux would give, a
 * misaligned address for one, is left to the set.  A guest's pointer is looked
 * up in the set before the host follows it.  Requests to write and execute the
 * same memory are refused.
 */
#include "sandbox.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>

#include "elf.h"
#include "report.h"

/* Bits of the guests' mmap; a host's may differ. */
#define GUEST_MAP_SHARED          0x01u
#define GUEST_MAP_PRIVATE         0x02u
#define GUEST_MAP_TYPE            0x03u
#define GUEST_MAP_FIXED           0x10u
#define GUEST_MAP_ANONYMOUS       0x20u
#define GUEST_MAP_FIXED_NOREPLACE 0x100000u

static bool in_world(uint64_t addr, uint64_t size)
{
	return addr <= RV64_SPAN && size <= RV64_SPAN - addr;
}

/* Whether all of [addr, addr + size) is in areas that have the flags. */
static bool covered(const struct guest *g, uint64_t addr, uint64_t size,
		    uint32_t flags)
{
	uintptr_t at = g->base + addr;
	const uintptr_t end = at + size;
	struct vmset_area area;

	if (!in_world(addr, size))
		return false;
	while (at < end) {
		if (vmset_find(g->set, at, &area) ||
		    (area.flags & flags) != flags)
			return false;
		at = area.end;
	}
	return true;
}

static int64_t call_write(struct guest *g, const uint64_t *args)
{
	const char *text = (const char *)(g->base + args[1]);
	uint64_t i;

	if (args[0] != 1 && args[0] != 2)
		return -EBADF;
	if (!covered(g, args[1], args[2], VMSET_READ))
		return -EFAULT;
	for (i = 0; i < args[2]; i++) {
		if (!g->in_line)
			fputs("    | ", stdout);
		putchar(text[i]);
		g->in_line = text[i] != '\n';
	}
	return (int64_t)args[2];
}

static int64_t call_exit(struct guest *g, const uint64_t *args)
{
	g->exited = true;
	g->status = (int)(args[0] & 0xff);
	return 0;
}

/*
 * The pages that the heap gains are mapped right behind those it has.  Rights,
 * data and offsets go on, so the set joins them: the heap is always one area.
 */
static int64_t call_brk(struct guest *g, const uint64_t *args)
{
	const uint64_t end = args[0];
	const uint64_t from = page_up(g, g->heap_end), to = page_up(g, end);
	int err = 0;

	if (end < g->heap_start || !in_world(end, 0))
		return (int64_t)g->heap_end;
	if (to > from)
		err = map_named(g, from, to, VMSET_READ | VMSET_WRITE, "heap");
	else if (to < from)
		err = vmset_unmap(g->set, g->base + to, from - to);
	if (!err)
		g->heap_end = end;
	return (int64_t)g->heap_end;
}

static bool is_wx(uint64_t prot)
{
	return (prot & PROT_WRITE) && (prot & PROT_EXEC);
}

static int64_t refuse_wx(const char *call, const uint64_t *args)
{
	printf("    REFUSED  %s(0x%" PRIx64 ", %" PRIu64 ", %s): writable and "
	       "executable at once\n", call, args[0], args[1],
	       report_rights((uint32_t)args[2]).text);
	return -EACCES;
}

/* Where the guest says; what is there is replaced if how says so. */
static int64_t map_fixed(struct guest *g, uint64_t addr, uint64_t size,
			 uint32_t flags, uint32_t how)
{
	int err;

	if (!in_world(addr, size))
		return -ENOMEM;
	if (addr < ELF_LOWEST)
		return -EPERM;
	err = vmset_map(g->set, g->base + addr, size, flags, how);
	return err ? err : (int64_t)addr;
}

/*
 * At the hint if that is free, else below it; without a hint, or if there is no
 * room below it, as high as there is room.
 */
static int64_t map_anywhere(struct guest *g, uint64_t hint, uint64_t size,
			    uint32_t flags)
{
	struct vmset_placement where = {
		.size = sizeof(where),
		.policy = VMSET_HIGHEST,
		.hint = hint && in_world(hint, 0) ? g->base + hint : 0,
		.limit = { g->base + ELF_LOWEST, g->base + RV64_SPAN },
	};
	uintptr_t start = 0;
	int err = vmset_alloc(g->set, size, flags, &where, &start);

	if (err == -ENOSPC && where.hint) {
		where.hint = 0;
		err = vmset_alloc(g->set, size, flags, &where, &start);
	}
	if (err)
		return err == -ENOSPC ? -ENOMEM : err;
	return (int64_t)(start - g->base);
}

static int64_t call_mmap(struct guest *g, const uint64_t *args)
{
	const uint64_t addr = args[0], size = page_up(g, args[1]);
	const uint64_t how = args[3], type = how & GUEST_MAP_TYPE;
	const uint32_t flags = rights(args[2]);

	if (is_wx(args[2]))
		return refuse_wx("mmap", args);
	if (args[1] == 0 || args[5] % g->page ||
	    (type != GUEST_MAP_PRIVATE && type != GUEST_MAP_SHARED))
		return -EINVAL;
	if (!(how & GUEST_MAP_ANONYMOUS))
		return -ENODEV;
	if (args[1] > RV64_SPAN)
		return -ENOMEM;
	if (how & GUEST_MAP_FIXED_NOREPLACE)
		return map_fixed(g, addr, size, flags, 0);
	if (how & GUEST_MAP_FIXED)
		return map_fixed(g, addr, size, flags, VMSET_REPLACE);
	return map_anywhere(g, addr & ~(g->page - 1), size, flags);
}

static int64_t call_munmap(struct guest *g, const uint64_t *args)
{
	const uint64_t addr = args[0], size = page_up(g, args[1]);

	if (size == 0 || !in_world(addr, size))
		return -EINVAL;
	return vmset_unmap(g->set, g->base + addr, size);
}

/* Linux goes as far as the first gap; the set leaves all or changes all. */
static int64_t call_mprotect(struct guest *g, const uint64_t *args)
{
	const uint64_t addr = args[0], size = page_up(g, args[1]);

	if (is_wx(args[2]))
		return refuse_wx("mprotect", args);
	if (addr % g->page || (args[2] & ~(uint64_t)(PROT_READ | PROT_WRITE |
						     PROT_EXEC)))
		return -EINVAL;
	if (args[1] == 0)
		return 0;
	if (size == 0 || !covered(g, addr, size, 0))
		return -ENOMEM;
	return vmset_protect(g->set, g->base + addr, size, rights(args[2]));
}

static const struct {
	uint64_t number;
	int64_t (*serve)(struct guest *g, const uint64_t *args);
} calls[] = {
	{ 64, call_write },
	{ 93, call_exit },
	{ 94, call_exit },      /* exit_group */
	{ 214, call_brk },
	{ 215, call_munmap },
	{ 222, call_mmap },
	{ 226, call_mprotect },
};

bool serve_call(struct guest *g)
{
	uint64_t *const x = g->cpu.x;
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].number != x[RV64_A7])
			continue;
		x[RV64_A0] = (uint64_t)calls[i].serve(g, &x[RV64_A0]);
		return true;
	}
	return false;
}
