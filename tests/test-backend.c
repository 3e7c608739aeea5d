/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lib/backend-kernel.c, reservation.c and kernel-map.c by themselves, where a
 * whole set would hide what happens.
 */
#include "backend.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "assert.h"
#include "kernel-map.h"
#include "reservation.h"
#include "suites.h"
#include "syscalls.h"

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
	suite_add_tcase(suite, tcase);
	return suite;
}
