/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What examples/sandbox/elf.h promises of a file that was parsed, as
 * assertions.
 */
#ifndef TESTS_ELF_CHECK_H
#define TESTS_ELF_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "../examples/sandbox/elf.h"

/* A result of elf_parse with these arguments. */
void elf_check(const struct elf *elf, const unsigned char *file, size_t size,
	       uint64_t page);

/* The same after an error: one line for people. */
void elf_check_refused(const struct elf *elf);

#endif /* TESTS_ELF_CHECK_H */
