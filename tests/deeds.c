/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Each operation as the call that it is, and as what becomes of the pages.
 */
#include "deeds.h"

#include <errno.h>

#include "assert.h"

#define R VMSET_READ
#define W VMSET_WRITE

const char *const deed_names[OPS] = {
	"map", "replace", "unmap", "protect ---", "protect r--", "protect rw-",
	"update", "alloc", "clear",
};

bool deed_protects(enum deed_op op)
{
	return op >= PROTECT_NONE && op <= PROTECT_RW;
}

uint32_t deed_flags(enum deed_op op)
{
	return op == PROTECT_NONE ? 0 : op == PROTECT_R ? R : R | W;
}

/* What can be written becomes what can be read only, and the other way. */
static bool exchange(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	(void)arg;
	if (old_flags & R)
		*new_flags = old_flags ^ W;
	return old_flags & R;
}

static int alloc(const struct pages *pages, struct deed *deed)
{
	struct vmset_placement where = {
		.size = sizeof(where), .policy = VMSET_NEAREST,
		.hint = pages_at(pages, deed->from),
	};
	uintptr_t start = 0;
	int result = vmset_alloc(pages->set, pages->page, R | W, &where,
				 &start);

	assert_eq(start != 0, result == 0);
	if (start) {
		deed->from = (start - pages->base) / pages->page;
		deed->to = deed->from + 1;
	}
	return result;
}

int deed_try(const struct pages *pages, struct deed *deed)
{
	size_t from = deed->from, to = deed->to;

	switch (deed->op) {
	case MAP:
		return pages_map(pages, from, to, R | W, 0);
	case REPLACE:
		return pages_map(pages, from, to, R | W, VMSET_REPLACE);
	case UNMAP:
		return pages_unmap(pages, from, to);
	case UPDATE:
		return vmset_update(pages->set, pages_at(pages, from),
				    (to - from) * pages->page, exchange,
				    NULL);
	case ALLOC:
		return alloc(pages, deed);
	case CLEAR:
		return vmset_clear(pages->set);
	default:
		return pages_protect(pages, from, to, deed_flags(deed->op));
	}
}

void deed_note(struct pages *pages, const struct deed *deed)
{
	const struct pages_cell fresh = { .mapped = true, .flags = R | W };
	size_t from = deed->from, to = deed->to;

	switch (deed->op) {
	case MAP:
	case REPLACE:
	case ALLOC:
		pages_are_mapped(pages, from, to, &fresh);
		break;
	case UNMAP:
		pages_are_free(pages, from, to);
		break;
	case UPDATE:
		for (size_t i = from; i < to; i++)
			exchange(pages->cells[i].flags,
				 &pages->cells[i].flags, NULL);
		break;
	case CLEAR:
		pages_are_free(pages, 0, PAGES_COUNT);
		break;
	default:
		pages_are_protected(pages, from, to, deed_flags(deed->op));
	}
}

bool deed_is_idle(int result)
{
	return result == -EEXIST || result == -ENOENT || result == -ENOSPC;
}

void deed_do(struct pages *pages, struct deed deed)
{
	int result = deed_try(pages, &deed);

	if (!deed_is_idle(result)) {
		assert_ok(result);
		deed_note(pages, &deed);
	}
	pages_check_lines(pages);
}
