/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The account of an address: what it is in, what lies beside that, and why an
 * access would fault.  It takes several looks at the tree.  If a change was
 * published between the first and the last, they are taken again.
 */
#pragma GCC visibility push(default)
#include "vmset.h"
#pragma GCC visibility pop

#include "explain.h"

#include <errno.h>
#include <string.h>

#include "entry.h"
#include "internal.h"
#include "range.h"

#define RIGHTS (VMSET_READ | VMSET_WRITE | VMSET_EXEC)

/* What is at the address, by itself. */
struct place {
	bool taken;                     /* entry is around addr */
	struct vmset_area entry;
	struct vmset_range range;
};

static bool is_inside(const struct vmset *set, uintptr_t addr)
{
	return addr >= set->bounds.start && addr < set->bounds.end;
}

/* The room around an address that nothing in the set is at. */
static struct vmset_range room_at(const struct vmset *set, uintptr_t addr,
				  uintptr_t next)
{
	struct vmset_area before;

	if (addr < set->bounds.start)
		return (struct vmset_range){ 0, set->bounds.start };
	if (addr >= set->bounds.end)
		return (struct vmset_range){ set->bounds.end, UINTPTR_MAX };
	if (!vmset__tree_read_below(&set->tree, addr, NULL, &before))
		before.end = set->bounds.start;
	return (struct vmset_range){ before.end, next };
}

static struct place look_at(const struct vmset *set, uintptr_t addr)
{
	struct place place;

	if (!vmset__tree_read(&set->tree, addr, NULL, &place.entry))
		place.entry.start = set->bounds.end;
	place.taken = place.entry.start <= addr && is_inside(set, addr);
	place.range = place.taken ? vmset__entry_range(&place.entry) :
				    room_at(set, addr, place.entry.start);
	return place;
}

/* The nearest areas on both sides of the place; what there is not, is zero. */
static void look_around(const struct vmset *set, const struct place *place,
			struct vmset_fault *fault)
{
	const uintptr_t addr = fault->addr;
	const uintptr_t from = place->taken ? place->range.end : addr;

	if (vmset__tree_read_below(&set->tree, addr, vmset__is_hidden,
				   &fault->below))
		fault->to_below = addr - fault->below.end;
	else
		fault->below = (struct vmset_area){ 0 };
	if (vmset__tree_read(&set->tree, from, vmset__is_hidden,
			     &fault->above))
		fault->to_above = fault->above.start - addr;
	else
		fault->above = (struct vmset_area){ 0 };
}

/* One that is not known may be a read or a write: only both together are safe. */
static bool allows(uint32_t flags, uint32_t access)
{
	if (!access)
		access = VMSET_READ | VMSET_WRITE;
	return (access & ~flags) == 0;
}

static uint32_t find_cause(const struct vmset *set, const struct place *place,
			   const struct vmset_fault *fault)
{
	if (!is_inside(set, fault->addr))
		return VMSET_CAUSE_OUTSIDE;
	if (!place->taken)
		return VMSET_CAUSE_FREE;
	if (vmset__is_guard(&place->entry))
		return VMSET_CAUSE_GUARD;
	if (!vmset__is_area(&place->entry))
		return VMSET_CAUSE_LOST;
	return allows(place->entry.flags, fault->access) ?
		       VMSET_CAUSE_ALLOWED : VMSET_CAUSE_PROTECTED;
}

void vmset__explain(const struct vmset *set, uintptr_t addr, uint32_t access,
		    struct vmset_fault *fault)
{
	struct place place;
	uintptr_t moment;

	do {
		*fault = (struct vmset_fault){
			.size = sizeof *fault,
			.set = (struct vmset *)(uintptr_t)set,
			.addr = addr, .access = access,
		};
		moment = vmset__tree_read_moment(&set->tree);
		place = look_at(set, addr);
		look_around(set, &place, fault);
	} while (vmset__tree_read_moment(&set->tree) != moment);
	fault->range = place.range;
	fault->cause = find_cause(set, &place, fault);
	if (place.taken && vmset__is_area(&place.entry))
		fault->area = place.entry;
}

int vmset_explain(const struct vmset *set, uintptr_t addr, uint32_t access,
		  struct vmset_fault *fault)
{
	size_t size;

	if (!set || !fault || fault->size < sizeof *fault || access & ~RIGHTS)
		return -EINVAL;
	size = fault->size;
	vmset__explain(set, addr, access, fault);
	memset((char *)fault + sizeof *fault, 0, size - sizeof *fault);
	fault->size = size;
	return 0;
}
