/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads what the sandbox needs of a static ELF program for RV64IM: the entry
 * point and the segments.  Nothing in the file is trusted.
 */
#ifndef ELF_H
#define ELF_H

#include <stddef.h>
#include <stdint.h>

/* A guest's addresses: nothing below the first, so that NULL faults. */
#define ELF_LOWEST  UINT64_C(0x10000)
#define ELF_HIGHEST (UINT64_C(1) << 32)

#define ELF_MAX_SEGMENTS 16

struct elf_segment {
	uint64_t addr;          /* the first byte's */
	uint64_t mem_size;      /* never 0; behind those of the file: zeros */
	const unsigned char *bytes; /* in the file */
	size_t file_size;
	uint32_t prot;          /* PROT_…; never PROT_WRITE with PROT_EXEC */
};

struct elf {
	uint64_t entry;         /* inside a segment with PROT_EXEC */
	unsigned int count;
	struct elf_segment segments[ELF_MAX_SEGMENTS]; /* in address order */
	unsigned char *file;    /* owned, if elf_load made it */
	char why[128];          /* after an error: one line for people */
};

/*
 * Parses size bytes of file, which the result points into.  No two segments
 * share a page of page bytes.
 *
 * 0, or -ENOEXEC and the reason in elf->why
 */
int elf_parse(struct elf *elf, const unsigned char *file, size_t size,
	      uint64_t page);

/*
 * The same for the file at path.  elf_free frees it, also after an error.
 *
 * 0, or a negative errno value and the reason in elf->why
 */
int elf_load(struct elf *elf, const char *path, uint64_t page);
void elf_free(struct elf *elf);

#endif /* ELF_H */
