/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every number of the file is checked before it is used, by subtracting from
 * what is known to be there, so that no sum can wrap.
 */
#include "elf.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* More than any guest needs, and a limit for a path like /dev/zero. */
#define MAX_FILE ((size_t)256 << 20)

__attribute__((format(printf, 2, 3)))
static int refuse(struct elf *elf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(elf->why, sizeof(elf->why), format, args);
	va_end(args);
	return -ENOEXEC;
}

static int check_header(struct elf *elf, const Elf64_Ehdr *head)
{
	const unsigned char *ident = head->e_ident;

	if (memcmp(ident, ELFMAG, SELFMAG))
		return refuse(elf, "not an ELF file");
	if (ident[EI_CLASS] != ELFCLASS64)
		return refuse(elf, "not a 64-bit ELF file");
	if (ident[EI_DATA] != ELFDATA2LSB)
		return refuse(elf, "not a little-endian ELF file");
	if (ident[EI_VERSION] != EV_CURRENT || head->e_version != EV_CURRENT)
		return refuse(elf, "unknown version of ELF");
	if (head->e_machine != EM_RISCV)
		return refuse(elf, "made for machine %u, not RISC-V (%u)",
			      head->e_machine, EM_RISCV);
	if (head->e_type == ET_DYN)
		return refuse(elf, "position-independent: link with "
			      "-static -no-pie");
	if (head->e_type != ET_EXEC)
		return refuse(elf, "not a program, but ELF type %u",
			      head->e_type);
	if (head->e_flags & EF_RISCV_RVC)
		return refuse(elf, "has compressed instructions: compile with "
			      "-march=rv64im");
	if (head->e_flags & (EF_RISCV_FLOAT_ABI | EF_RISCV_RVE))
		return refuse(elf, "not the ABI of plain RV64IM: compile with "
			      "-mabi=lp64");
	return 0;
}

static int check_headers_in_file(struct elf *elf, const Elf64_Ehdr *head,
				 size_t size)
{
	if (head->e_phnum == 0)
		return refuse(elf, "has no segments");
	if (head->e_phentsize != sizeof(Elf64_Phdr))
		return refuse(elf, "program headers of %u bytes, not %zu",
			      head->e_phentsize, sizeof(Elf64_Phdr));
	if (head->e_phoff > size ||
	    head->e_phnum > (size - head->e_phoff) / sizeof(Elf64_Phdr))
		return refuse(elf, "truncated: the program headers do not end "
			      "inside the %zu bytes of the file", size);
	return 0;
}

static int check_segment(struct elf *elf, unsigned int i,
			 const Elf64_Phdr *head, size_t size)
{
	if (head->p_offset > size || head->p_filesz > size - head->p_offset)
		return refuse(elf, "truncated: segment %u does not end inside "
			      "the %zu bytes of the file", i, size);
	if (head->p_filesz > head->p_memsz)
		return refuse(elf, "segment %u has more bytes in the file "
			      "than in memory", i);
	if (head->p_vaddr < ELF_LOWEST)
		return refuse(elf, "segment %u is at 0x%" PRIx64 ", below 0x%"
			      PRIx64, i, head->p_vaddr, ELF_LOWEST);
	if (head->p_vaddr >= ELF_HIGHEST ||
	    head->p_memsz > ELF_HIGHEST - head->p_vaddr)
		return refuse(elf, "segment %u does not end below 4 GiB", i);
	if ((head->p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
		return refuse(elf, "segment %u is both writable and "
			      "executable", i);
	return 0;
}

/* Keeps the segments in address order. */
static int add_segment(struct elf *elf, const unsigned char *file,
		       const Elf64_Phdr *head)
{
	unsigned int i = elf->count;

	if (i == ELF_MAX_SEGMENTS)
		return refuse(elf, "more than %u segments", ELF_MAX_SEGMENTS);
	while (i > 0 && elf->segments[i - 1].addr > head->p_vaddr) {
		elf->segments[i] = elf->segments[i - 1];
		i--;
	}
	elf->segments[i] = (struct elf_segment){
		.addr = head->p_vaddr,
		.mem_size = head->p_memsz,
		.bytes = file + head->p_offset,
		.file_size = head->p_filesz,
		.prot = (head->p_flags & PF_R ? PROT_READ : 0) |
			(head->p_flags & PF_W ? PROT_WRITE : 0) |
			(head->p_flags & PF_X ? PROT_EXEC : 0),
	};
	elf->count++;
	return 0;
}

static int parse_segments(struct elf *elf, const unsigned char *file,
			  size_t size, const Elf64_Ehdr *head)
{
	unsigned int i;

	for (i = 0; i < head->e_phnum; i++) {
		Elf64_Phdr seg;
		int err;

		memcpy(&seg, file + head->e_phoff + i * sizeof(seg),
		       sizeof(seg));
		if (seg.p_type == PT_INTERP || seg.p_type == PT_DYNAMIC)
			return refuse(elf, "dynamically linked: link with "
				      "-static");
		if (seg.p_type != PT_LOAD || seg.p_memsz == 0)
			continue;
		err = check_segment(elf, i, &seg, size);
		if (!err)
			err = add_segment(elf, file, &seg);
		if (err)
			return err;
	}
	return elf->count ? 0 : refuse(elf, "has nothing to load");
}

static int check_pages(struct elf *elf, uint64_t page)
{
	unsigned int i;

	for (i = 1; i < elf->count; i++) {
		const struct elf_segment *low = &elf->segments[i - 1];
		const uint64_t last = low->addr + low->mem_size - 1;

		if (last / page >= elf->segments[i].addr / page)
			return refuse(elf, "segments overlap in the page at 0x%"
				      PRIx64, elf->segments[i].addr / page *
				      page);
	}
	return 0;
}

static bool holds(const struct elf_segment *seg, uint64_t addr)
{
	return addr >= seg->addr && addr - seg->addr < seg->mem_size;
}

static int check_entry(struct elf *elf)
{
	unsigned int i;

	for (i = 0; i < elf->count; i++) {
		const struct elf_segment *seg = &elf->segments[i];

		if (holds(seg, elf->entry) && (seg->prot & PROT_EXEC) &&
		    elf->entry % 4 == 0)
			return 0;
	}
	return refuse(elf, "entry point 0x%" PRIx64 " is not in code",
		      elf->entry);
}

int elf_parse(struct elf *elf, const unsigned char *file, size_t size,
	      uint64_t page)
{
	Elf64_Ehdr head = { 0 };
	int err;

	*elf = (struct elf){ 0 };
	if (size)
		memcpy(&head, file, size < sizeof(head) ? size : sizeof(head));
	if (size >= SELFMAG && size < sizeof(head) &&
	    !memcmp(head.e_ident, ELFMAG, SELFMAG))
		return refuse(elf, "truncated: %zu bytes, less than an ELF "
			      "header", size);
	err = check_header(elf, &head);
	if (!err)
		err = check_headers_in_file(elf, &head, size);
	if (!err)
		err = parse_segments(elf, file, size, &head);
	if (!err)
		err = check_pages(elf, page);
	if (err)
		return err;
	elf->entry = head.e_entry;
	return check_entry(elf);
}

/* The whole of a stream, which may be a pipe, in memory for the caller. */
static int read_all(FILE *in, unsigned char **out, size_t *size)
{
	size_t room = (size_t)64 << 10, have = 0;
	unsigned char *data = malloc(room);

	while (data) {
		unsigned char *more;

		*out = data;
		errno = 0;
		have += fread(data + have, 1, room - have, in);
		*size = have;
		if (ferror(in))
			return errno ? -errno : -EIO;
		if (have < room)
			return 0;
		if (room >= MAX_FILE)
			return -EFBIG;
		room *= 2;
		more = realloc(data, room);
		if (!more)
			break;
		data = more;
	}
	return -ENOMEM;
}

int elf_load(struct elf *elf, const char *path, uint64_t page)
{
	unsigned char *file = NULL;
	size_t size = 0;
	FILE *in = fopen(path, "rb");
	int err = in ? read_all(in, &file, &size) : -errno;

	if (in)
		fclose(in);
	if (err) {
		*elf = (struct elf){ 0 };
		refuse(elf, "%s", strerror(-err));
	} else {
		err = elf_parse(elf, file, size, page);
	}
	elf->file = file;
	return err;
}

void elf_free(struct elf *elf)
{
	free(elf->file);
	elf->file = NULL;
}
