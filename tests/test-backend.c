/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lib/backend-kernel.c, reservation.c and kernel-map.c by themselves, where a
 * whole set would hide what happens.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "assert.h"
#include "kernel-map.h"
#include "reservation.h"
#include "suites.h"
#include "syscalls.h"
#include "tools.h"

#define PAGES 8

static const struct vmset_backend_ops *ops;
static struct vmset_range range;
static size_t page;

static void setup(void)
{
	ops = vmset__kernel_backend.ops;
	page = vmset__page_size();
	assert_ok(vmset__reservation_get(PAGES * page, &range));
}

static void teardown(void)
{
	assert_ok(vmset__reservation_put(range));
}

static struct vmset__kernel_area area_at(uintptr_t addr)
{
	struct vmset__kernel_map map;
	struct vmset__kernel_area area;

	assert_ok(vmset__kernel_map_open(&map, VMSET__BEST_SOURCE));
	assert_ok(vmset__kernel_map_at(&map, addr, &area));
	vmset__kernel_map_close(&map);
	return area;
}

/*
 * A kernel that drops what was there and then refuses the new mapping: the hole
 * is filled before anybody else falls into it, and the range is given up.
 */
START_TEST(a_hole_is_filled)
{
	const uintptr_t start = range.start + page;

	for (int unmap = 0; unmap < 2; unmap++) {
		assert_ok(ops->map(NULL, start, 4 * page, 3, 0));
		assert_ok(munmap((void *)(start + 2 * page), page));
		assert_that(!area_at(start + 2 * page).mapped);
		syscalls_watch(range);
		syscalls_fail(1, 0, ENOMEM);
		assert_err(unmap ? ops->unmap(NULL, start, 4 * page) :
				   ops->map(NULL, start, 4 * page, 3, 0),
			   -ENOTRECOVERABLE);
		syscalls_stop();
		assert_that(area_at(start + 2 * page).mapped);
		assert_eq(area_at(start).flags, 0);
	}
}
END_TEST

/* A refusal that changed nothing is passed on as it is. */
START_TEST(a_refusal_is_passed_on)
{
	syscalls_watch(range);
	syscalls_fail(1, ~0UL, EAGAIN);
	assert_err(ops->map(NULL, range.start, page, 3, 0), -EAGAIN);
	assert_err(ops->unmap(NULL, range.start, page), -EAGAIN);
	assert_err(ops->protect(NULL, range.start, page, 3), -EAGAIN);
	syscalls_stop();
	assert_err(ops->protect(NULL, 0, page, 3), -ENOMEM);
}
END_TEST

/* Whether smaps has the flag for the mapping at addr. */
static bool has_vm_flag(uintptr_t addr, const char *flag)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	bool here = false, has = false;
	uintptr_t start, end;
	char line[512];

	assert_that(smaps);
	while (fgets(line, sizeof line, smaps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &start, &end)
		    == 2)
			here = start <= addr && addr < end;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			has = strstr(line, flag) != NULL;
	}
	fclose(smaps);
	return has;
}

/* All mappings of a reservation have the same kernel flags, so they can join. */
START_TEST(no_swap_is_reserved)
{
	assert_ok(ops->map(NULL, range.start + page, page, 3, 0));
	assert_that(has_vm_flag(range.start + page, " nr"));
	assert_that(has_vm_flag(range.start, " nr"));
	assert_ok(ops->unmap(NULL, range.start + page, page));
	assert_eq(area_at(range.start).flags, 0);
	assert_that(area_at(range.start).range.end >= range.end);
}
END_TEST

START_TEST(pages_are_of_their_size)
{
	assert_that(page >= 4096);
	assert_err(vmset__reservation_get(SIZE_MAX - page + 1, &range),
		   -ENOMEM);
	assert_err(vmset__reservation_put((struct vmset_range){ 1, 2 }),
		   -EINVAL);
}
END_TEST

/* The text and the ioctl tell the same, hole by hole. */
START_TEST(both_sources_agree)
{
	struct vmset__kernel_map text, query;
	struct vmset__kernel_area a, b;

	if (vmset__kernel_map_open(&query, VMSET__PROCMAP_QUERY))
		return;
	assert_ok(ops->map(NULL, range.start + page, page, 1, 0));
	assert_ok(ops->map(NULL, range.start + 2 * page, page, 3, 0));
	assert_ok(ops->map(NULL, range.start + 4 * page, page, 4, 0));
	assert_ok(munmap((void *)(range.start + 6 * page), page));
	assert_ok(vmset__kernel_map_open(&text, VMSET__MAPS_TEXT));
	for (uintptr_t at = range.start; at < range.end; at = a.range.end) {
		assert_ok(vmset__kernel_map_at(&text, at, &a));
		assert_ok(vmset__kernel_map_at(&query, at, &b));
		assert_eq(a.range.end, b.range.end);
		assert_eq(a.mapped, b.mapped);
		assert_eq(a.flags, b.flags);
		assert_eq(a.anonymous, b.anonymous);
	}
	vmset__kernel_map_close(&text);
	vmset__kernel_map_close(&query);
}
END_TEST

/* ---- asking the kernel fails ---- */

/* From now on what would change the range fails, and the text is all there is. */
static void refuse(int error)
{
	syscalls_watch(range);
	syscalls_fail(1, ~0UL, error);
	syscalls_fail_ioctl(ENOTTY);
}

/* Nothing can be opened: what the refusal was stays the answer. */
START_TEST(no_file_may_be_opened)
{
	struct vmset_query found;
	int results[5];

	assert_ok(ops->map(NULL, range.start, 4 * page, 1, 0));
	tools_limit_files(0);
	results[0] = ops->query(NULL, range.start, range.end, &found);
	refuse(EAGAIN);
	results[1] = ops->map(NULL, range.start, page, 3, 0);
	refuse(ENOMEM);
	results[2] = ops->unmap(NULL, range.start, page);
	results[3] = ops->protect(NULL, range.start, page, 3);
	syscalls_crowd();
	results[4] = ops->protect(NULL, range.start, page, 3);
	syscalls_stop();
	tools_limit_files(RLIM_INFINITY);
	assert_err(results[0], -EMFILE);
	assert_err(results[1], -EAGAIN);
	assert_err(results[2], -ENOMEM);
	assert_err(results[3], -ENOMEM);
	assert_err(results[4], -EMFILE);
	assert_eq(area_at(range.start).flags, 1);
}
END_TEST

/* One file may be, which is open when the next is wanted. */
START_TEST(one_file_may_be_opened)
{
	const int fd = dup(0);
	int result;

	assert_that(fd >= 0);
	close(fd);
	assert_ok(ops->map(NULL, range.start, 4 * page, 1, 0));
	refuse(ENOMEM);
	syscalls_crowd();
	tools_limit_files((rlim_t)fd + 1);
	result = ops->protect(NULL, range.start, page, 3);
	tools_limit_files(RLIM_INFINITY);
	syscalls_stop();
	assert_err(result, -EMFILE);
	assert_eq(area_at(range.start).flags, 1);
}
END_TEST

/* As much of a refused call as asks the kernel, and what it returns then. */
static int refused_map(void)
{
	return ops->map(NULL, range.start + page, 2 * page, 3, 0);
}

static int refused_unmap(void)
{
	return ops->unmap(NULL, range.start + page, 2 * page);
}

static int refused_protect(void)
{
	return ops->protect(NULL, range.start + page, 2 * page, 3);
}

static int refused_wide_protect(void)
{
	return ops->protect(NULL, range.start, 5 * page, 3);
}

static int (*const refused[])(void) = {
	refused_map, refused_unmap, refused_protect, refused_wide_protect,
};

#define REFUSED ((int)(sizeof(refused) / sizeof(*refused)))

/* Each read of the text in turn, and all from it on. */
START_TEST(reading_fails)
{
	for (unsigned int all = 0; all < 2; all++) {
		unsigned int number = 0;
		bool failed;
		int result;

		assert_ok(ops->map(NULL, range.start, 5 * page, 1, 0));
		do {
			refuse(ENOMEM);
			syscalls_crowd();
			syscalls_fail_reads(++number, all ? UINT_MAX : 1, EIO);
			result = refused[_i]();
			failed = all ? number < 20 : syscalls_reads_failed();
			syscalls_stop();
			assert_err(result, -EMFILE);
			assert_eq(area_at(range.start).flags, 1);
			assert_that(area_at(range.start).range.end >=
				    range.start + 5 * page);
		} while (failed);
		assert_that(number > 1);
	}
}
END_TEST

/* The hole is not seen at first, and there is nothing to take rights from. */
START_TEST(a_hole_is_seen_late)
{
	if (ON_VALGRIND)        /* which makes calls of its own of ours */
		return;
	assert_ok(ops->map(NULL, range.start, 4 * page, 3, 0));
	assert_ok(munmap((void *)(range.start + page), page));
	syscalls_watch(range);
	syscalls_fail(1, 0, ENOMEM);
	syscalls_fail_ioctl(ENOTTY);
	syscalls_fail_reads(1, 1, EIO);
	assert_err(ops->unmap(NULL, range.start + page, page), -ENOMEM);
	assert_eq(syscalls_count(), 1);
	syscalls_stop();
	assert_that(!area_at(range.start + page).mapped);
}
END_TEST

START_TEST(a_query_fails)
{
	struct vmset_query found;

	refuse(EIO);
	/* -EPERM has the value of EOF. */
	syscalls_fail_reads(1, 1, EPERM);
	assert_err(ops->query(NULL, range.start, range.end, &found), -EPERM);
	syscalls_fail_reads(1, 1, EINTR);
	assert_ok(ops->query(NULL, range.start, range.end, &found));
	assert_that(!found.mapped);
	syscalls_stop();
}
END_TEST

/* ---- too many mappings, and among them some that are not of a set ---- */

START_TEST(shared_memory_takes_rights_too)
{
	assert_ok(ops->map(NULL, range.start, 3 * page, 3, 0));
	assert_that(mmap((void *)(range.start + page), page, PROT_READ,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
		    MAP_FAILED);
	syscalls_watch(range);
	syscalls_fail(1, 0, ENOMEM);
	syscalls_crowd();
	assert_ok(ops->protect(NULL, range.start, 3 * page, 1));
	assert_eq(syscalls_count(), 4);
	syscalls_stop();
	for (unsigned int i = 0; i < 3; i++)
		assert_eq(area_at(range.start + i * page).flags, 1);
}
END_TEST

/* Memory of a file that was opened for reading never becomes writable. */
START_TEST(a_file_does_not_take_rights)
{
	const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_that(fd >= 0);
	assert_ok(ops->map(NULL, range.start, 3 * page, 1, 0));
	assert_that(mmap((void *)(range.start + page), page, PROT_READ,
			 MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	close(fd);
	syscalls_watch(range);
	syscalls_fail(1, 0, ENOMEM);
	syscalls_crowd();
	assert_err(ops->protect(NULL, range.start, 3 * page, 3), -EMFILE);
	syscalls_stop();
	assert_eq(area_at(range.start).flags, 3);
	assert_eq(area_at(range.start + page).flags, 1);
	assert_eq(area_at(range.start + 2 * page).flags, 3);
}
END_TEST

/* Which is how too many mappings are told from no memory. */
START_TEST(old_kernels_put_it_elsewhere)
{
	syscalls_watch((struct vmset_range){ 0, 0 });
	syscalls_forget_noreplace();
	assert_that(!vmset__no_mmap_fits());
	syscalls_crowd();
	assert_that(vmset__no_mmap_fits());
	syscalls_stop();
}
END_TEST

/* A cut that is refused for another reason than the number of mappings. */
START_TEST(no_cut_is_refused_for_its_rights)
{
	static const int errors[] = { EACCES, ENOMEM };

	if (ON_VALGRIND)        /* which makes calls of its own of ours */
		return;
	for (unsigned int i = 0; i < 2; i++) {
		syscalls_watch((struct vmset_range){ 0, UINTPTR_MAX });
		/* After the mmap that must not replace, and the one to cut. */
		syscalls_fail(3, 0, errors[i]);
		assert_err(vmset__why_no_memory(), i ? -EMFILE : -ENOMEM);
		syscalls_stop();
	}
}
END_TEST

/* ---- the text ---- */

static const struct {
	const char *text;
	int result;
	struct vmset__kernel_area area;         /* at address 0x2000 */
} texts[] = {
	{ "", 0, { { 0x2000, UINTPTR_MAX }, false, false, 0 } },
	{ "1000-2000 rw-p 0 00:00 0\n", 0,
	  { { 0x2000, UINTPTR_MAX }, false, false, 0 } },
	{ "1000-3000 rwxp 0 00:00 0\n", 0, { { 0x1000, 0x3000 }, true, true, 7 } },
	{ "1000-3000 r--s 0 00:00 0 \n", 0,
	  { { 0x1000, 0x3000 }, true, false, 1 } },
	{ "1000-3000 r--p f 0f:a1 9 /a b\n", 0,
	  { { 0x1000, 0x3000 }, true, false, 1 } },
	{ "2abc-3000 r--p 0 00:00 0\n", 0,
	  { { 0x2000, 0x2abc }, false, false, 0 } },
	{ "g", -EIO, { .flags = 0 } },
	{ "1000 2000 rw-p 0 00:00 0\n", -EIO, { .flags = 0 } },
	{ "1000-3000-rw-p 0 00:00 0\n", -EIO, { .flags = 0 } },
	{ "1000-3000 rw-x 0 00:00 0\n", -EIO, { .flags = 0 } },
	{ "1000-3000 rw-p-0 00:00 0\n", -EIO, { .flags = 0 } },
	{ "1000-3000 rw-p 0-00:00 0\n", -EIO, { .flags = 0 } },
	{ "1000-3000 rw-p 0 00-00 0\n", -EIO, { .flags = 0 } },
	{ "1000-3000 rw-p 0 00:00-0\n", -EIO, { .flags = 0 } },
	{ "1000-3000 rw-p 0 00:00 0", -EIO, { .flags = 0 } },
	{ "1000-3000 rw-p 0 00:00 0 [hea", -EIO, { .flags = 0 } },
};

#define TEXTS ((int)(sizeof(texts) / sizeof(*texts)))

START_TEST(text_is_read_strictly)
{
	const struct vmset__kernel_area *want = &texts[_i].area;
	const size_t size = strlen(texts[_i].text);
	struct vmset__kernel_area area = { .flags = 0 };
	struct vmset__kernel_map map;
	int ends[2], result;

	assert_ok(pipe(ends));
	assert_eq((size_t)write(ends[1], texts[_i].text, size), size);
	close(ends[1]);
	assert_ok(vmset__kernel_map_open(&map, VMSET__MAPS_TEXT));
	assert_eq((unsigned int)dup2(ends[0], map.fd), (unsigned int)map.fd);
	close(ends[0]);
	result = vmset__kernel_map_at(&map, 0x2000, &area);
	vmset__kernel_map_close(&map);
	ck_assert_int_eq(result, texts[_i].result);
	if (result)
		return;
	assert_eq(area.range.start, want->range.start);
	assert_eq(area.range.end, want->range.end);
	assert_eq(area.mapped, want->mapped);
	assert_eq(area.anonymous, want->anonymous);
	assert_eq(area.flags, want->flags);
}
END_TEST

/* Above the last mapping, and where the address space ends. */
START_TEST(nothing_is_above_all)
{
	static const enum vmset__kernel_source sources[] = {
		VMSET__BEST_SOURCE, VMSET__MAPS_TEXT,
	};

	for (unsigned int i = 0; i < 2; i++) {
		struct vmset__kernel_area area;
		struct vmset__kernel_map map;

		assert_ok(vmset__kernel_map_open(&map, sources[i]));
		assert_ok(vmset__kernel_map_at(&map, UINTPTR_MAX - page + 1,
					       &area));
		vmset__kernel_map_close(&map);
		assert_that(!area.mapped);
		assert_eq(area.range.start, UINTPTR_MAX - page + 1);
		assert_eq(area.range.end, UINTPTR_MAX);
	}
}
END_TEST

Suite *suite_backend(void)
{
	Suite *suite = suite_create("backend");
	TCase *tcase = tcase_create("backend");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_hole_is_filled);
	tcase_add_test(tcase, a_refusal_is_passed_on);
	tcase_add_test(tcase, no_swap_is_reserved);
	tcase_add_test(tcase, pages_are_of_their_size);
	tcase_add_test(tcase, both_sources_agree);
	tcase_add_test(tcase, no_file_may_be_opened);
	tcase_add_test(tcase, one_file_may_be_opened);
	tcase_add_loop_test(tcase, reading_fails, 0, REFUSED);
	tcase_add_test(tcase, a_hole_is_seen_late);
	tcase_add_test(tcase, a_query_fails);
	tcase_add_test(tcase, shared_memory_takes_rights_too);
	tcase_add_test(tcase, a_file_does_not_take_rights);
	tcase_add_test(tcase, old_kernels_put_it_elsewhere);
	tcase_add_test(tcase, no_cut_is_refused_for_its_rights);
	tcase_add_loop_test(tcase, text_is_read_strictly, 0, TEXTS);
	tcase_add_test(tcase, nothing_is_above_all);
	suite_add_tcase(suite, tcase);
	return suite;
}
