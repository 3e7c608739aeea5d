/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sandbox's ELF loader.  The input is the file, which is parsed in memory
 * and loaded as a file; both must come to the same.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../examples/sandbox/elf.h"
#include "../assert.h"
#include "../elf-check.h"
#include "fuzz.h"

#define PAGE 0x1000

/* The bytes that a segment has are there to be read. */
static void read_segments(const struct elf *elf, size_t page)
{
	unsigned char copy[PAGE];

	for (unsigned int i = 0; i < elf->count; i++) {
		const struct elf_segment *seg = &elf->segments[i];

		for (size_t at = 0; at < seg->file_size; at += page) {
			const size_t left = seg->file_size - at;

			memcpy(copy, seg->bytes + at,
			       left < page ? left : page);
		}
	}
}

static void load(const struct elf *parsed, int wanted, const uint8_t *bytes,
		 size_t size)
{
	const int fd = memfd_create("elf", MFD_CLOEXEC);
	struct elf elf;
	char path[64];

	assert_that(fd >= 0);
	assert_that(write(fd, bytes, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_err(elf_load(&elf, path, PAGE), wanted);
	close(fd);
	assert_that(!strcmp(elf.why, parsed->why));
	if (!wanted) {
		elf_check(&elf, elf.file, size, PAGE);
		assert_eq(elf.entry, parsed->entry);
		assert_eq(elf.count, parsed->count);
	}
	elf_free(&elf);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct elf elf;
	const int err = elf_parse(&elf, bytes, size, PAGE);

	if (err) {
		assert_err(err, -ENOEXEC);
		elf_check_refused(&elf);
	} else {
		elf_check(&elf, bytes, size, PAGE);
		read_segments(&elf, PAGE);
	}
	load(&elf, err, bytes, size);
	return 0;
}
