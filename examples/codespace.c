/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory for machine code: see codespace.h. */
#include "codespace.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "under-valgrind.h"

int codespace_get(struct vmset *set, size_t size, uintptr_t near,
		  struct vmset_range within, struct piece *piece)
{
	const size_t granule = vmset_granule(set);
	const struct vmset_placement where = {
		.size = sizeof where,
		.policy = VMSET_NEAREST,
		.hint = near,
		.limit = within,
	};

	piece->size = (size + granule - 1) & ~(granule - 1);
	return vmset_alloc(set, piece->size, VMSET_READ | VMSET_WRITE, &where,
			   &piece->start);
}

int codespace_write(struct vmset *set, const struct piece *piece)
{
	return vmset_protect(set, piece->start, piece->size,
			     VMSET_READ | VMSET_WRITE);
}

int codespace_seal(struct vmset *set, const struct piece *piece)
{
	char *const start = (char *)piece->start;
	const int r = vmset_protect(set, piece->start, piece->size,
				    VMSET_READ | VMSET_EXEC);

	if (r < 0)
		return r;
	/* The processor, or valgrind, may remember what stood there before. */
	__builtin___clear_cache(start, start + piece->size);
	VALGRIND_DISCARD_TRANSLATIONS(start, piece->size);
	return 0;
}

static const char *check_set(const struct vmset *set)
{
	const uint32_t both = VMSET_WRITE | VMSET_EXEC;
	struct vmset_area area = { .end = vmset_bounds(set).start };

	while (vmset_next(set, area.end, &area) == 0)
		if ((area.flags & both) == both)
			return "an area of the set is writable and executable";
	return NULL;
}

/* rights: those of what is mapped at addr. */
static const char *check_maps(FILE *maps, struct vmset_range bounds,
			      uintptr_t addr, char rights[5])
{
	char line[512], perms[5];
	uintptr_t start, end;

	while (fgets(line, sizeof line, maps) != NULL) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end,
			   perms) != 3 ||
		    end <= bounds.start || start >= bounds.end)
			continue;
		if (strchr(perms, 'w') != NULL && strchr(perms, 'x') != NULL)
			return "a mapping is writable and executable";
		if (start <= addr && addr < end)
			memcpy(rights, perms, sizeof perms);
	}
	return NULL;
}

static const char *check_kernel(const struct vmset *set, uintptr_t addr,
				char rights[5])
{
	FILE *const maps = fopen("/proc/self/maps", "r");
	const char *wrong;

	if (maps == NULL)
		return "/proc/self/maps cannot be read";
	wrong = check_maps(maps, vmset_bounds(set), addr, rights);
	fclose(maps);
	return wrong;
}

const char *codespace_check(const struct vmset *set, const struct piece *piece,
			    struct rights *rights)
{
	struct vmset_area area;
	const char *wrong = check_set(set);

	memset(rights, 0, sizeof *rights);
	if (wrong == NULL)
		wrong = check_kernel(set, piece->start, rights->kernel);
	if (wrong != NULL)
		return wrong;
	if (vmset_find(set, piece->start, &area) < 0)
		return "the piece is not in the set";
	rights->set[0] = area.flags & VMSET_READ ? 'r' : '-';
	rights->set[1] = area.flags & VMSET_WRITE ? 'w' : '-';
	rights->set[2] = area.flags & VMSET_EXEC ? 'x' : '-';
	if (strncmp(rights->set, rights->kernel, 3) != 0)
		return "the kernel gives the piece other rights than the set";
	return NULL;
}
