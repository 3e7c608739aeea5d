/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Verifying: two walks side by side, over the entries of the set and over what
 * the kernel or a backend reports, each as runs of addresses that are alike.
 */
#include "verify.h"

#include <errno.h>

#include "backend.h"
#include "entry.h"
#include "range.h"

/* What the set says of a run of addresses. */
struct claim {
	uintptr_t end;
	struct vmset_area entry;        /* its backend NULL: free room */
};

struct walk {
	const struct vmset *set;
	struct vmset__cursor cursor;
	struct vmset__kernel_map map;
};

static struct claim claim_at(struct walk *walk, uintptr_t addr)
{
	struct claim claim = { .end = walk->set->bounds.end };
	struct vmset_area entry;

	while (vmset__cursor_get(&walk->cursor, &entry)) {
		if (entry.end <= addr) {
			vmset__cursor_advance(&walk->cursor);
			continue;
		}
		if (entry.start > addr) {
			claim.end = entry.start;
			break;
		}
		claim.end = entry.end;
		claim.entry = entry;
		break;
	}
	return claim;
}

static bool claims_area(const struct claim *claim)
{
	return claim->entry.backend && vmset__is_area(&claim->entry);
}

/* The flags that a query should tell of an area. */
static uint32_t claimed_flags(const struct claim *claim)
{
	return vmset__told_flags(claim->entry.backend, claim->entry.flags);
}

static bool claims_lost(const struct claim *claim)
{
	return claim->entry.backend &&
	       vmset__kind(&claim->entry) == VMSET__LOST;
}

/*
 * The kernel's word on a run.  Reserved and inaccessible is what free room is,
 * and also what an area without rights is.  true: the reservation is whole.
 */
static int ask_kernel(struct walk *walk, uintptr_t addr,
		      const struct claim *claim, struct vmset_query *answer,
		      bool *whole)
{
	struct vmset__kernel_area area;
	int rc = vmset__kernel_map_at(&walk->map, addr, &area);

	if (rc)
		return rc;
	*whole = area.mapped && area.anonymous;
	answer->end = area.range.end;
	answer->flags = *whole ? area.flags : 0;
	answer->mapped = answer->flags ||
			 (*whole && claims_area(claim) && !claimed_flags(claim));
	return 0;
}

static int ask_backend(const struct vmset_backend *backend, uintptr_t addr,
		       uintptr_t limit, struct vmset_query *answer)
{
	int rc;

	if (!vmset__can_query(backend))
		return -ENOTSUP;
	rc = backend->ops->query(backend->ctx, addr, limit, answer);
	if (rc)
		return rc;
	/* Without progress the walk would not end. */
	return answer->end > addr ? 0 : -EIO;
}

/* 0, 1 with *first filled in, or a negative errno.  *end: of what was held. */
static int compare(struct walk *walk, uintptr_t addr, uintptr_t *end,
		   struct vmset_mismatch *first)
{
	struct claim claim = claim_at(walk, addr);
	const struct vmset_backend *backend = walk->set->backend;
	struct vmset_query answer = { 0 };
	bool whole = true;
	int rc;

	if (claims_area(&claim))
		backend = claim.entry.backend;
	if (walk->set->reserved && backend == walk->set->backend)
		rc = ask_kernel(walk, addr, &claim, &answer, &whole);
	else
		rc = ask_backend(backend, addr, claim.end, &answer);
	if (rc)
		return rc;
	*first = (struct vmset_mismatch){
		.addr = addr,
		.expected = claims_area(&claim) ? claimed_flags(&claim) : 0,
		.expected_mapped = claims_area(&claim) || !whole,
		.actual = answer.mapped ? answer.flags : 0,
		.actual_mapped = answer.mapped,
	};
	*end = vmset__min(claim.end, answer.end);
	return claims_lost(&claim) || first->expected != first->actual ||
	       first->expected_mapped != first->actual_mapped;
}

static int walk_bounds(struct walk *walk, struct vmset_mismatch *first)
{
	struct vmset_range bounds = walk->set->bounds;
	struct vmset_mismatch found;
	uintptr_t addr = bounds.start;

	vmset__cursor_seek(&walk->cursor, &walk->set->tree, addr);
	while (addr < bounds.end) {
		int rc = compare(walk, addr, &addr, &found);

		if (rc == 1)
			*first = found;
		if (rc)
			return rc;
	}
	return 0;
}

int vmset__verify_by(const struct vmset *set, struct vmset_mismatch *first,
		     enum vmset__kernel_source source)
{
	struct walk walk = { .set = set };
	int rc;

	if (!set->reserved)
		return walk_bounds(&walk, first);
	rc = vmset__kernel_map_open(&walk.map, source);
	if (rc)
		return rc;
	rc = walk_bounds(&walk, first);
	vmset__kernel_map_close(&walk.map);
	return rc;
}

int vmset__verify(const struct vmset *set, struct vmset_mismatch *first)
{
	return vmset__verify_by(set, first, VMSET__BEST_SOURCE);
}
