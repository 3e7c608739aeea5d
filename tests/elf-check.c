/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The promises, in the order of the header.
 */
#include "elf-check.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "assert.h"

void elf_check(const struct elf *elf, const unsigned char *file, size_t size,
	       uint64_t page)
{
	uint64_t free_from = ELF_LOWEST;
	bool entry_found = false;

	assert_that(elf->count >= 1 && elf->count <= ELF_MAX_SEGMENTS);
	for (unsigned int i = 0; i < elf->count; i++) {
		const struct elf_segment *seg = &elf->segments[i];
		const size_t at = (size_t)(seg->bytes - file);

		assert_that(seg->addr >= free_from);
		assert_that(seg->mem_size > 0);
		assert_that(seg->mem_size <= ELF_HIGHEST - seg->addr);
		assert_that(seg->file_size <= seg->mem_size);
		assert_that(at <= size && seg->file_size <= size - at);
		assert_that((seg->prot & (PROT_WRITE | PROT_EXEC)) !=
			    (PROT_WRITE | PROT_EXEC));
		if (elf->entry - seg->addr < seg->mem_size)
			entry_found = seg->prot & PROT_EXEC;
		free_from = (seg->addr + seg->mem_size + page - 1) /
			    page * page;
	}
	assert_that(entry_found && elf->entry % 4 == 0);
}

void elf_check_refused(const struct elf *elf)
{
	assert_that(elf->why[0] && !strchr(elf->why, '\n'));
}
