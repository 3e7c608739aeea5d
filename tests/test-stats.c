/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Statistics, held against what was done.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "assert.h"
#include "filemap.h"
#include "layers.h"
#include "maps.h"
#include "suites.h"
#include "syscalls.h"
#include "tools.h"

#define RW (VMSET_READ | VMSET_WRITE)

static struct vmset_stats stats_of(const struct vmset *set, uint32_t how)
{
	struct vmset_stats stats = { .size = sizeof(stats) };
	struct vmset_range bounds = vmset_bounds(set);

	assert_ok(vmset_stats(set, &stats, how));
	assert_eq(stats.areas, vmset_len(set));
	assert_eq(stats.area_bytes + stats.guard_bytes + stats.lost_bytes +
			  stats.free_bytes, bounds.end - bounds.start);
	return stats;
}

START_TEST(an_empty_set_is_free)
{
	struct layers layers;
	struct vmset_stats stats;

	layers_open(&layers, (struct layers_config){ .bounds = { 0, 0x100 } });
	stats = stats_of(layers.set, VMSET_COUNT_MAPPINGS);
	assert_eq(stats.free_bytes, 0x100);
	assert_eq(stats.largest_gap, 0x100);
	assert_that(stats.record_bytes && stats.record_bytes <= 16384);
	assert_that(!stats.maps && !stats.unmaps && !stats.protects &&
		    !stats.undone && !stats.mappings &&
		    !stats.mappings_expected);
	layers_close(&layers);
}
END_TEST

START_TEST(bytes_and_calls_are_counted)
{
	const struct vmset_placement guarded = {
		.size = sizeof(guarded), .limit = { 0x40, 0x80 },
		.guard_before = 4, .guard_after = 8,
	};
	struct layers layers;
	struct vmset_stats stats;
	uintptr_t start;

	layers_open(&layers, (struct layers_config){ .bounds = { 0, 0x100 } });
	assert_ok(vmset_map(layers.set, 0x10, 0x10, 1, 0));
	assert_ok(vmset_alloc(layers.set, 0x10, 2, &guarded, &start));
	assert_ok(vmset_protect(layers.set, 0x14, 4, 3));
	mock_fail(&layers.mock, MOCK_CALL(2), -EIO);
	assert_err(vmset_unmap(layers.set, 0x14, 8), -EIO);
	mock_fail(&layers.mock, MOCK_CALL(1), -ENOTRECOVERABLE);
	assert_err(vmset_unmap(layers.set, 0x10, 4), -ENOTRECOVERABLE);
	mock_heal(&layers.mock);
	stats = stats_of(layers.set, 0);
	assert_eq(stats.areas, 3);
	assert_eq(stats.area_bytes, 0x1c);
	assert_eq(stats.guard_bytes, 12);
	assert_eq(stats.lost_bytes, 4);
	assert_eq(stats.largest_gap, 0x100 - 0x5c);
	assert_eq(stats.maps, 3);
	assert_eq(stats.unmaps, 3);
	assert_eq(stats.protects, 1);
	assert_eq(stats.undone, 2);
	layers.mock.forgiving = true;
	assert_ok(vmset_clear(layers.set));
	layers_close(&layers);
}
END_TEST

/* Which neighbours the kernel joins is known as long as nothing is touched. */
START_TEST(mappings_are_counted)
{
	struct vmset_stats stats;
	struct vmset *set;
	uintptr_t start;
	size_t page;

	assert_ok(vmset_reserve(&set, 1u << 20, VMSET_NO_MERGE));
	page = vmset_granule(set);
	start = vmset_bounds(set).start;
	assert_eq(stats_of(set, VMSET_COUNT_MAPPINGS).mappings, 1);
	for (size_t i = 1; i < 5; i++)
		assert_ok(vmset_map(set, start + i * page, page, RW, 0));
	assert_ok(vmset_map(set, start + 5 * page, page, VMSET_READ, 0));
	assert_ok(vmset_map(set, start + 6 * page, page, 0, 0));
	stats = stats_of(set, VMSET_COUNT_MAPPINGS);
	assert_eq(stats.areas, 6);
	assert_eq(stats.mappings_expected, 4);
	assert_eq(stats.mappings, 4);
	stats = stats_of(set, 0);
	assert_eq(stats.mappings, 0);
	/* Of what is more than can be joined, each is one more. */
	*(volatile char *)(start + page) = 1;
	assert_ok(vmset_protect(set, start + 2 * page, page, VMSET_READ));
	*(volatile char *)(start + 3 * page) = 1;
	assert_ok(vmset_protect(set, start + 2 * page, page, RW));
	stats = stats_of(set, VMSET_COUNT_MAPPINGS);
	assert_eq(stats.mappings_expected, 4);
	assert_that(stats.mappings >= 4);
	assert_ok(vmset_destroy(set));
}
END_TEST

/* What different backends mapped is never one mapping. */
START_TEST(mappings_of_two_backends_are_counted)
{
	int file = filemap_file(1);
	const struct vmset_backend backend = { &filemap_ops, &file };
	struct vmset_stats stats;
	struct vmset *set;
	uintptr_t start;
	size_t page;

	assert_ok(vmset_reserve(&set, 1u << 20, 0));
	page = vmset_granule(set);
	start = vmset_bounds(set).start;
	assert_ok(vmset_map(set, start, page, VMSET_READ, 0));
	assert_ok(vmset_map_area(set, &(struct vmset_area){
		.start = start + page, .end = start + 2 * page,
		.flags = VMSET_READ, .backend = &backend }, 0));
	assert_ok(vmset_map(set, start + 2 * page, page, VMSET_READ, 0));
	stats = stats_of(set, VMSET_COUNT_MAPPINGS);
	assert_eq(stats.areas, 3);
	assert_eq(stats.mappings_expected, 4);
	assert_eq(stats.mappings, 4);
	assert_ok(vmset_destroy(set));
	close(file);
}
END_TEST

static void map_and_touch(struct vmset *set, size_t i)
{
	size_t page = vmset_granule(set);
	uintptr_t at = vmset_bounds(set).start + i * page;

	assert_ok(vmset_map(set, at, page, RW, 0));
	*(volatile char *)at = 1;
}

/* Every other page and then those between; all at once, and again. */
START_TEST(the_order_of_first_touch_leaves_no_mappings)
{
	const size_t pages = 512;
	struct vmset_stats stats;
	struct vmset *set;

	assert_ok(vmset_reserve(&set, pages * 4096 * 16, 0));
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 1; i < pages; i += 2)
			map_and_touch(set, i);
		for (size_t i = 0; i < pages; i += 2)
			map_and_touch(set, i);
		assert_eq(vmset_len(set), 1);
		stats = stats_of(set, VMSET_COUNT_MAPPINGS);
		assert_eq(stats.mappings, stats.mappings_expected);
		assert_ok(vmset_clear(set));
		assert_eq(stats_of(set, VMSET_COUNT_MAPPINGS).mappings, 1);
	}
	assert_ok(vmset_destroy(set));
}
END_TEST

START_TEST(bad_requests_change_nothing)
{
	const struct vmset_stats before = { .size = 7, .areas = 99 };
	struct vmset_stats stats = before;
	struct {
		struct vmset_stats stats;
		char more[8];
	} later = { .stats.size = sizeof(later), .more = "more" };
	struct layers layers;

	layers_open(&layers, (struct layers_config){ .bounds = { 0, 0x100 } });
	assert_err(vmset_stats(layers.set, &stats, 0), -EINVAL);
	assert_that(!memcmp(&stats, &before, sizeof(stats)));
	stats.size = sizeof(stats);
	assert_err(vmset_stats(layers.set, &stats, 2), -EINVAL);
	assert_err(vmset_stats(NULL, &stats, 0), -EINVAL);
	assert_err(vmset_stats(layers.set, NULL, 0), -EINVAL);
	assert_eq(stats.areas, 99);
	/* One of a later version: what is not known stays. */
	assert_ok(vmset_stats(layers.set, &later.stats, 0));
	ck_assert_str_eq(later.more, "more");
	assert_eq(later.stats.free_bytes, 0x100);
	layers_close(&layers);
}
END_TEST

/* The kernel is asked, but does not say; or from inside a change. */
static bool count_inside(uint32_t old_flags, uint32_t *new_flags, void *set)
{
	struct vmset_stats stats = { .size = sizeof(stats) };

	(void)old_flags;
	(void)new_flags;
	assert_err(vmset_stats(set, &stats, 0), -EDEADLK);
	return false;
}

START_TEST(counting_fails)
{
	const struct vmset_stats before = { .size = sizeof(before),
					    .areas = 99 };
	struct vmset_stats stats = before;
	struct vmset *set;
	size_t page;

	assert_ok(vmset_reserve(&set, 1 << 20, 0));
	page = vmset_granule(set);
	assert_ok(vmset_map(set, vmset_bounds(set).start, page, RW, 0));
	assert_ok(vmset_update(set, vmset_bounds(set).start, page, count_inside,
			       set));
	tools_limit_files(0);
	assert_err(vmset_stats(set, &stats, VMSET_COUNT_MAPPINGS), -EMFILE);
	tools_limit_files(RLIM_INFINITY);
	syscalls_watch((struct vmset_range){ 0, 0 });
	syscalls_fail_ioctl(ENOTTY);
	syscalls_fail_reads(1, 1, EIO);
	assert_err(vmset_stats(set, &stats, VMSET_COUNT_MAPPINGS), -EIO);
	syscalls_fail_reads(1, 1, EIO);
	assert_err(vmset_verify(set, NULL), -EIO);
	syscalls_stop();
	assert_that(!memcmp(&stats, &before, sizeof(stats)));
	assert_ok(vmset_destroy(set));
}
END_TEST

/* What is not there is no mapping. */
START_TEST(a_hole_is_not_counted)
{
	struct vmset *set;
	struct vmset_stats stats;
	uintptr_t start;
	size_t page;

	assert_ok(vmset_reserve(&set, 1 << 20, 0));
	page = vmset_granule(set);
	start = vmset_bounds(set).start;
	assert_ok(vmset_map(set, start, 4 * page, RW, 0));
	assert_ok(munmap((void *)(start + page), page));
	stats = stats_of(set, VMSET_COUNT_MAPPINGS);
	assert_eq(stats.mappings, 3);
	assert_eq(stats.mappings_expected, 2);
	assert_ok(vmset_destroy(set));
}
END_TEST

/* Areas of one unit, with room between them, all over the bounds. */
static void fill_range(struct vmset *set, struct vmset_range range)
{
	for (uintptr_t at = range.start; at < range.end; at += 2)
		assert_ok(vmset_map(set, at, 1, 1, 0));
}

static void fill(struct vmset *set)
{
	fill_range(set, (struct vmset_range){ 0, MOCK_MAX_ADDR });
}

/* One by one. */
static void empty(struct vmset *set)
{
	for (uintptr_t at = 0; at < MOCK_MAX_ADDR; at += 2)
		assert_ok(vmset_unmap(set, at, 1));
}

START_TEST(a_set_that_shrinks_gives_memory_back)
{
	struct layers layers;
	size_t full;

	layers_open(&layers, (struct layers_config){ .granule = 1 });
	fill(layers.set);
	full = stats_of(layers.set, 0).record_bytes;
	/* Few nodes may hold some chunks yet. */
	empty(layers.set);
	assert_that(stats_of(layers.set, 0).record_bytes < full / 2);
	layers_check(&layers);
	fill(layers.set);
	layers_check(&layers);
	assert_that(stats_of(layers.set, 0).record_bytes <= full * 11 / 10);
	assert_ok(vmset_clear(layers.set));
	assert_that(stats_of(layers.set, 0).record_bytes < full / 3);
	layers_close(&layers);
}
END_TEST

/* Areas are of one unit at even addresses; the first and the last one stay. */
struct late {
	const struct vmset *set;
	int stop;
};

static void *read_late(void *arg)
{
	struct late *late = arg;
	struct vmset_area area;
	uintptr_t addr = 0;

	while (!__atomic_load_n(&late->stop, __ATOMIC_RELAXED)) {
		addr = (addr + 4999) % (MOCK_MAX_ADDR - 1);
		if (!vmset_find(late->set, addr, &area))
			assert_that(area.start == addr && addr % 2 == 0 &&
				    area.end == addr + 1 && area.flags == 1);
		assert_that(!vmset_next(late->set, addr, &area));
		assert_that(area.start >= addr && area.start % 2 == 0 &&
			    area.end == area.start + 1);
		assert_that(!vmset_find(late->set, 0, &area));
	}
	return NULL;
}

/* Readers whose nodes give their pages back while they look at them. */
START_TEST(late_readers_read_on)
{
	const struct vmset_range middle = { 2, MOCK_MAX_ADDR - 2 };
	int rounds = tools_slow() ? 2 : 10;
	struct layers layers;
	struct late late;
	pthread_t readers[2];

	layers_open(&layers, (struct layers_config){ .granule = 1 });
	fill(layers.set);
	late = (struct late){ .set = layers.set };
	for (int i = 0; i < 2; i++)
		assert_ok(pthread_create(&readers[i], NULL, read_late, &late));
	while (rounds--) {
		assert_ok(vmset_unmap(layers.set, middle.start,
				      middle.end - middle.start));
		fill_range(layers.set, middle);
	}
	__atomic_store_n(&late.stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		assert_ok(pthread_join(readers[i], NULL));
	layers_check(&layers);
	layers_close(&layers);
}
END_TEST

static bool leave(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	(void)arg;
	*new_flags = old_flags;
	return true;
}

START_TEST(what_a_large_call_keeps_is_counted)
{
	struct layers layers;
	size_t before, after;

	layers_open(&layers, (struct layers_config){ .bounds = { 0, 0x100 } });
	for (uintptr_t at = 0; at < 64; at++)
		assert_ok(vmset_map(layers.set, at, 1,
				    at % 2 ? RW : VMSET_READ, 0));
	before = stats_of(layers.set, 0).record_bytes;
	assert_ok(vmset_update(layers.set, 0, 64, leave, NULL));
	after = stats_of(layers.set, 0).record_bytes;
	assert_that(after > before && after - before <= 64 << 10);
	/* The next such call makes do with that. */
	assert_ok(vmset_update(layers.set, 0, 64, leave, NULL));
	assert_eq(stats_of(layers.set, 0).record_bytes, after);
	layers_close(&layers);
}
END_TEST

Suite *suite_stats(void)
{
	Suite *suite = suite_create("stats");
	TCase *tcase = tcase_create("stats");

	tcase_add_test(tcase, an_empty_set_is_free);
	tcase_add_test(tcase, bytes_and_calls_are_counted);
	tcase_add_test(tcase, mappings_are_counted);
	tcase_add_test(tcase, mappings_of_two_backends_are_counted);
	tcase_add_test(tcase, the_order_of_first_touch_leaves_no_mappings);
	tcase_add_test(tcase, bad_requests_change_nothing);
	tcase_add_test(tcase, counting_fails);
	tcase_add_test(tcase, a_hole_is_not_counted);
	tcase_add_test(tcase, a_set_that_shrinks_gives_memory_back);
	tcase_add_test(tcase, what_a_large_call_keeps_is_counted);
	tcase_add_test(tcase, late_readers_read_on);
	suite_add_tcase(suite, tcase);
	return suite;
}
