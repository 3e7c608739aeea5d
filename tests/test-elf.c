/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sandbox's loader: what is wrong with a file is said, whatever it holds.
 *
 * The image is made of bytes at the offsets that the ELF specification gives,
 * and parsed from a block of just its size, so that memcheck and the
 * sanitizers see a read beyond it.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../examples/sandbox/elf.h"
#include "assert.h"
#include "elf-check.h"
#include "suites.h"
#include "tools.h"

#define PAGE 0x1000

/* A header, three program headers, 32 bytes of code and 16 of data. */
#define PHDR(i)    (64 + 56 * (i))
#define CODE_AT    PHDR(3)
#define DATA_AT    (CODE_AT + 32)
#define IMAGE_SIZE (DATA_AT + 16)

#define TEXT_ADDR 0x10000u
#define DATA_ADDR 0x20000u

static unsigned char image[IMAGE_SIZE];
static struct elf elf;

static void put(size_t offset, size_t width, uint64_t value)
{
	for (; width--; value >>= 8)
		image[offset++] = (unsigned char)value;
}

static void put_segment(unsigned int i, uint32_t type, uint32_t flags,
			uint64_t offset, uint64_t addr, uint64_t file_size,
			uint64_t mem_size)
{
	put(PHDR(i), 4, type);
	put(PHDR(i) + 4, 4, flags);
	put(PHDR(i) + 8, 8, offset);
	put(PHDR(i) + 16, 8, addr);
	put(PHDR(i) + 24, 8, addr);
	put(PHDR(i) + 32, 8, file_size);
	put(PHDR(i) + 40, 8, mem_size);
	put(PHDR(i) + 48, 8, PAGE);
}

static void make_image(void)
{
	memset(image, 0, sizeof(image));
	memcpy(image, "\x7f" "ELF\2\1\1", 7);
	put(16, 2, 2);                  /* a program */
	put(18, 2, 243);                /* RISC-V */
	put(20, 4, 1);
	put(24, 8, TEXT_ADDR + 8);      /* entry */
	put(32, 8, PHDR(0));
	put(52, 2, 64);
	put(54, 2, 56);
	put(56, 2, 3);
	put_segment(0, 1, 6, DATA_AT, DATA_ADDR + 0x10, 16, 0x2000);
	put_segment(1, 0x6474e551, 7, 0, 0, 0, 0); /* GNU_STACK: ignored */
	put_segment(2, 1, 5, CODE_AT, TEXT_ADDR, 32, 32);
	memset(image + CODE_AT, 0xc0, 32);
	memset(image + DATA_AT, 0xda, 16);
}

/* Parses the first size bytes of the image, for elf_free to free. */
static int parse(size_t size)
{
	unsigned char *copy = malloc(size ? size : 1);
	int err;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, image, size);
	err = elf_parse(&elf, copy, size, PAGE);
	elf.file = copy;
	return err;
}

static void forget(void)
{
	elf_free(&elf);
}

START_TEST(good_image)
{
	const struct elf_segment *text = &elf.segments[0];
	const struct elf_segment *data = &elf.segments[1];

	assert_ok(parse(IMAGE_SIZE));
	elf_check(&elf, elf.file, IMAGE_SIZE, PAGE);
	assert_eq(elf.entry, TEXT_ADDR + 8);
	assert_eq(elf.count, 2);
	assert_eq(text->addr, TEXT_ADDR);
	assert_eq(text->mem_size, 32);
	assert_eq(text->file_size, 32);
	assert_eq(text->prot, PROT_READ | PROT_EXEC);
	assert_that(text->bytes == elf.file + CODE_AT);
	assert_eq(data->addr, DATA_ADDR + 0x10);
	assert_eq(data->mem_size, 0x2000);
	assert_eq(data->file_size, 16);
	assert_eq(data->prot, PROT_READ | PROT_WRITE);
	assert_eq(data->bytes[15], 0xda);
}
END_TEST

/* One field of the good image changed, and what is said then. */
static const struct {
	size_t offset, width;
	uint64_t value;
	const char *why;
} bad_fields[] = {
	{ 0, 1, 0x7e, "not an ELF file" },
	{ 4, 1, 1, "not a 64-bit ELF file" },
	{ 5, 1, 2, "not a little-endian ELF file" },
	{ 6, 1, 2, "unknown version of ELF" },
	{ 20, 4, 2, "unknown version of ELF" },
	{ 18, 2, 62, "made for machine 62, not RISC-V (243)" },
	{ 16, 2, 3, "position-independent: link with -static -no-pie" },
	{ 16, 2, 1, "not a program, but ELF type 1" },
	{ 48, 4, 1, "has compressed instructions: compile with -march=rv64im" },
	{ 48, 4, 4, "not the ABI of plain RV64IM: compile with -mabi=lp64" },
	{ 48, 4, 8, "not the ABI of plain RV64IM: compile with -mabi=lp64" },
	{ 54, 2, 32, "program headers of 32 bytes, not 56" },
	{ 56, 2, 0, "has no segments" },
	{ 56, 2, 5, "truncated: the program headers do not end inside the 280 "
		    "bytes of the file" },
	{ 56, 2, 0xffff, "truncated: the program headers do not end" },
	{ 32, 8, IMAGE_SIZE - 3 * 56 + 1, "truncated: the program headers" },
	{ 32, 8, UINT64_MAX - 8, "truncated: the program headers" },
	{ 24, 8, 0, "entry point 0x0 is not in code" },
	{ 24, 8, TEXT_ADDR + 2, "entry point 0x10002 is not in code" },
	{ 24, 8, TEXT_ADDR + 32, "entry point 0x10020 is not in code" },
	{ 24, 8, DATA_ADDR + 0x10, "entry point 0x20010 is not in code" },
	{ PHDR(1), 4, 3, "dynamically linked: link with -static" },
	{ PHDR(1), 4, 2, "dynamically linked: link with -static" },
	{ PHDR(0) + 4, 4, 7, "segment 0 is both writable and executable" },
	{ PHDR(0) + 8, 8, DATA_AT + 1, "truncated: segment 0 does not end" },
	{ PHDR(0) + 8, 8, UINT64_MAX - 7, "truncated: segment 0 does not end" },
	{ PHDR(0) + 32, 8, 17, "truncated: segment 0 does not end inside the "
			       "280 bytes of the file" },
	{ PHDR(0) + 32, 8, UINT64_MAX, "truncated: segment 0 does not end" },
	{ PHDR(0) + 40, 8, 15, "segment 0 has more bytes in the file than in "
			       "memory" },
	{ PHDR(0) + 16, 8, 0, "segment 0 is at 0x0, below 0x10000" },
	{ PHDR(0) + 16, 8, 0xffff, "segment 0 is at 0xffff, below 0x10000" },
	{ PHDR(0) + 16, 8, ELF_HIGHEST, "segment 0 does not end below 4 GiB" },
	{ PHDR(0) + 16, 8, ELF_HIGHEST - 0x1fff,
	  "segment 0 does not end below 4 GiB" },
	{ PHDR(0) + 16, 8, UINT64_MAX, "segment 0 does not end below 4 GiB" },
	{ PHDR(0) + 40, 8, ELF_HIGHEST, "segment 0 does not end below 4 GiB" },
	{ PHDR(0) + 40, 8, UINT64_MAX, "segment 0 does not end below 4 GiB" },
	{ PHDR(0) + 16, 8, TEXT_ADDR + PAGE - 1,
	  "segments overlap in the page at 0x10000" },
	{ PHDR(2) + 40, 8, DATA_ADDR - TEXT_ADDR + 1,
	  "segments overlap in the page at 0x20000" },
	{ PHDR(2) + 40, 8, 0x1000000,
	  "segments overlap in the page at 0x20000" },
};

START_TEST(bad_field)
{
	const char *why = bad_fields[_i].why;

	put(bad_fields[_i].offset, bad_fields[_i].width, bad_fields[_i].value);
	assert_err(parse(IMAGE_SIZE), -ENOEXEC);
	if (strncmp(elf.why, why, strlen(why)))
		ck_abort_msg("\"%s\", not \"%s\"", elf.why, why);
}
END_TEST

/* What is at the limit, and still good. */
static const struct {
	size_t offset, width;
	uint64_t value;
} good_fields[] = {
	{ 24, 8, TEXT_ADDR + 28 },
	{ PHDR(0) + 16, 8, ELF_HIGHEST - 0x2000 },
	{ PHDR(0) + 16, 8, TEXT_ADDR + PAGE },
	{ PHDR(0) + 40, 8, ELF_HIGHEST - DATA_ADDR - 0x10 },
	{ PHDR(0) + 40, 8, 16 },
	{ PHDR(0) + 32, 8, 0 },
	{ PHDR(2) + 40, 8, DATA_ADDR - TEXT_ADDR },
	{ PHDR(2) + 4, 4, 1 },
	{ 56, 2, 3 },
};

START_TEST(good_field)
{
	put(good_fields[_i].offset, good_fields[_i].width,
	    good_fields[_i].value);
	assert_ok(parse(IMAGE_SIZE));
	elf_check(&elf, elf.file, IMAGE_SIZE, PAGE);
}
END_TEST

START_TEST(truncated_at_every_length)
{
	for (size_t size = 0; size < IMAGE_SIZE; size++) {
		assert_err(parse(size), -ENOEXEC);
		if (size < 4)
			ck_assert_str_eq(elf.why, "not an ELF file");
		else
			ck_assert_int_eq(strncmp(elf.why, "truncated: ", 11),
					 0);
		elf_free(&elf);
	}
}
END_TEST

/* Any value in any byte: refused with words, or a result that is sound. */
START_TEST(every_byte_changed)
{
	unsigned int refused = 0, accepted = 0;

	for (size_t i = 0; i < CODE_AT; i++) {
		const unsigned char before = image[i];

		for (unsigned int value = 0; value < 256; value++) {
			image[i] = (unsigned char)value;
			if (parse(IMAGE_SIZE) == 0) {
				elf_check(&elf, elf.file, IMAGE_SIZE, PAGE);
				accepted++;
			} else {
				elf_check_refused(&elf);
				refused++;
			}
			elf_free(&elf);
		}
		image[i] = before;
	}
	assert_that(accepted > 1000 && refused > 1000);
}
END_TEST

/* One more than there is room for. */
START_TEST(too_many_segments)
{
	enum { COUNT = ELF_MAX_SEGMENTS + 1, SIZE = 64 + 56 * COUNT };
	unsigned char *file = calloc(1, SIZE);

	ck_assert_ptr_nonnull(file);
	memcpy(file, image, 64);
	for (unsigned int i = 0; i < COUNT; i++) {
		put_segment(2, 1, 5, 0, TEXT_ADDR + i * PAGE, 0, 32);
		memcpy(file + PHDR(i), image + PHDR(2), 56);
	}
	file[56] = COUNT;
	assert_err(elf_parse(&elf, file, SIZE, PAGE), -ENOEXEC);
	ck_assert_str_eq(elf.why, "more than 16 segments");
	file[56] = COUNT - 1;
	assert_ok(elf_parse(&elf, file, SIZE, PAGE));
	assert_eq(elf.count, COUNT - 1);
	elf.file = file;
}
END_TEST

START_TEST(nothing_to_load)
{
	put(PHDR(0), 4, 4);
	put(PHDR(2), 4, 0);
	assert_err(parse(IMAGE_SIZE), -ENOEXEC);
	ck_assert_str_eq(elf.why, "has nothing to load");
	elf_free(&elf);
	/* Segments without memory do not count. */
	put_segment(0, 1, 6, 0, 0, 0, 0);
	assert_err(parse(IMAGE_SIZE), -ENOEXEC);
	ck_assert_str_eq(elf.why, "has nothing to load");
}
END_TEST

START_TEST(files)
{
	char path[] = "test-elf.XXXXXX";
	const int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, image, IMAGE_SIZE), IMAGE_SIZE);
	close(fd);
	assert_ok(elf_load(&elf, path, PAGE));
	unlink(path);
	elf_check(&elf, elf.file, IMAGE_SIZE, PAGE);
	elf_free(&elf);

	assert_err(elf_load(&elf, path, PAGE), -ENOENT);
	ck_assert_str_eq(elf.why, "No such file or directory");
	elf_free(&elf);
	assert_err(elf_load(&elf, "/", PAGE), -EISDIR);
	elf_free(&elf);
	assert_err(elf_load(&elf, "/dev/null", PAGE), -ENOEXEC);
	ck_assert_str_eq(elf.why, "not an ELF file");
	elf_free(&elf);
	/* A file without an end.  Memcheck takes too long for 256 MiB. */
	if (!ON_VALGRIND)
		assert_err(elf_load(&elf, "/dev/zero", PAGE), -EFBIG);
}
END_TEST

#define COUNT_OF(table) ((int)(sizeof(table) / sizeof(table[0])))

Suite *suite_elf(void)
{
	Suite *suite = suite_create("elf");
	TCase *tests = tcase_create("elf");

	tcase_add_checked_fixture(tests, make_image, forget);
	tcase_add_test(tests, good_image);
	tcase_add_loop_test(tests, bad_field, 0, COUNT_OF(bad_fields));
	tcase_add_loop_test(tests, good_field, 0, COUNT_OF(good_fields));
	tcase_add_test(tests, truncated_at_every_length);
	tcase_add_test(tests, every_byte_changed);
	tcase_add_test(tests, too_many_segments);
	tcase_add_test(tests, nothing_to_load);
	tcase_add_test(tests, files);
	suite_add_tcase(suite, tests);
	return suite;
}
