/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every documented error of every function.  Each refused call is followed by a
 * look at both layers: nothing may have changed, and where the arguments
 * alone are wrong, no backend was called.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "assert.h"
#include "internal.h"
#include "layers.h"
#include "suites.h"
#include "syscalls.h"
#include "tools.h"

#define ENTIRE ((struct vmset_range){ 0, 0 })

/* A set with a granule, room on both sides of its bounds, areas and guards. */
#define GRANULE 0x10u
#define LOW 0x1000u
#define HIGH 0x2000u
#define FLAGS_KNOWN 0xffu

static struct layers layers;
static struct snapshot before;

static void open_layers(void)
{
	struct vmset_placement guarded = {
		.size = sizeof(guarded), .hint = 0x1800, .guard_before = 0x20,
		.guard_after = 0x20,
	};
	uintptr_t start;

	layers_open(&layers, (struct layers_config){
		.bounds = { LOW, HIGH }, .granule = GRANULE,
	});
	for (unsigned int i = 0; i < MOCK_BACKENDS; i++)
		layers.mock.backends[i].ops.flags_mask = FLAGS_KNOWN;
	assert_ok(vmset_map(layers.set, 0x1100, 0x100, 1, 0));
	assert_ok(vmset_map(layers.set, 0x1200, 0x100, 2, 0));
	assert_ok(vmset_map(layers.set, 0x1400, 0x100, 3, 0));
	assert_ok(vmset_alloc(layers.set, 0x40, 4, &guarded, &start));
	assert_eq(start, 0x1820 - 0x20);
	mock_heal(&layers.mock);
	snapshot_take(&before, &layers);
}

static void close_layers(void)
{
	snapshot_free(&before);
	layers_close(&layers);
}

/* The call must fail with the error, and must not get as far as the backend. */
#define REFUSED(expr, error)                                                  \
	do {                                                                  \
		assert_err(expr, error);                                      \
		assert_eq(layers.mock.calls, 0);                              \
		snapshot_check(&before, &layers);                             \
	} while (0)

/* ---- making sets ---- */

static struct vmset_config good_config(void)
{
	return (struct vmset_config){
		.size = sizeof(struct vmset_config),
		.bounds = { LOW, HIGH },
		.granule = GRANULE,
		.backend = mock_backend(&layers.mock, 0),
	};
}

static void refuse_config(const struct vmset_config *config)
{
	struct vmset *const untouched = layers.set;
	struct vmset *set = untouched;

	assert_err(vmset_create(&set, config), -EINVAL);
	assert_that(set == untouched);
}

static void accept_config(const struct vmset_config *config)
{
	struct vmset *set;

	assert_ok(vmset_create(&set, config));
	assert_that(vmset_is_empty(set));
	assert_ok(vmset_destroy(set));
}

/* The good configuration, changed by a statement about config. */
#define WITH_CONFIG(what, change)                                             \
	do {                                                                  \
		struct vmset_config config = good_config();                   \
		change;                                                       \
		what(&config);                                                \
	} while (0)

START_TEST(create_checks_its_configuration)
{
	struct vmset_config good = good_config();

	assert_err(vmset_create(NULL, &good), -EINVAL);
	refuse_config(NULL);
	WITH_CONFIG(accept_config, (void)0);
	WITH_CONFIG(accept_config, config.options = VMSET_NO_MERGE);
	WITH_CONFIG(refuse_config, config.size = 0);
	WITH_CONFIG(refuse_config, config.size--);
	WITH_CONFIG(refuse_config, config.bounds.end = LOW);
	WITH_CONFIG(refuse_config, config.bounds.end = LOW - GRANULE);
	WITH_CONFIG(refuse_config, config.bounds.start++);
	WITH_CONFIG(refuse_config, config.bounds.end--);
	WITH_CONFIG(refuse_config, config.granule = 0);
	WITH_CONFIG(refuse_config, config.granule = 0x30);
	WITH_CONFIG(refuse_config, config.backend = NULL);
	WITH_CONFIG(refuse_config, config.options = 2);
	WITH_CONFIG(refuse_config, config.options = ~VMSET_NO_MERGE);
}
END_TEST

START_TEST(create_knows_later_structures)
{
	struct {
		struct vmset_config config;
		uint64_t later;
	} wide = { good_config(), 0 };

	wide.config.size = sizeof(wide);
	accept_config(&wide.config);
	wide.later = 1;
	refuse_config(&wide.config);
	wide.later = UINT64_C(1) << 63;
	refuse_config(&wide.config);
}
END_TEST

/* What a backend must have, for a set and for a single area. */
static void refuse_ops(const struct vmset_backend_ops *ops)
{
	struct vmset_backend backend = { ops, &layers.mock.backends[0] };
	struct vmset_config config = good_config();

	config.backend = &backend;
	refuse_config(&config);
	REFUSED(vmset_map_area(layers.set, &(struct vmset_area){
		.start = 0x1000, .end = 0x1010, .backend = &backend,
	}, 0), -EINVAL);
}

static void accept_ops(const struct vmset_backend_ops *ops)
{
	struct vmset_backend backend = { ops, &layers.mock.backends[0] };
	struct vmset_config config = good_config();

	config.backend = &backend;
	accept_config(&config);
}

#define WITH_OPS(what, change)                                                \
	do {                                                                  \
		struct vmset_backend_ops ops = layers.mock.backends[0].ops;   \
		change;                                                       \
		what(&ops);                                                   \
	} while (0)

START_TEST(backends_are_checked)
{
	struct {
		struct vmset_backend_ops ops;
		uint64_t later;
	} wide = { layers.mock.backends[0].ops, 0 };

	refuse_ops(NULL);
	WITH_OPS(accept_ops, (void)0);
	WITH_OPS(refuse_ops, ops.size = 0);
	WITH_OPS(refuse_ops, ops.size = offsetof(struct vmset_backend_ops,
						 protect));
	WITH_OPS(refuse_ops, ops.map = NULL);
	WITH_OPS(refuse_ops, ops.unmap = NULL);
	WITH_OPS(refuse_ops, ops.protect = NULL);
	WITH_OPS(refuse_ops, ops.promises = VMSET_BACKEND_DISCARDS << 1);
	WITH_OPS(refuse_ops, ops.promises = 1u << 31);
	WITH_OPS(accept_ops, ops.promises = MOCK_PROMISES);
	wide.ops.size = sizeof(wide);
	accept_ops(&wide.ops);
	wide.later = 1;
	refuse_ops(&wide.ops);
}
END_TEST

/* A table from before the optional operations: nothing behind it counts. */
START_TEST(short_tables_of_operations_work)
{
	struct vmset_backend_ops ops = layers.mock.backends[0].ops;
	struct vmset_backend backend = { &ops, &layers.mock.backends[0] };
	struct vmset_config config = good_config();
	struct vmset *set;

	ops.size = offsetof(struct vmset_backend_ops, promises);
	ops.promises = UINT32_MAX;
	ops.flags_mask = 1;
	config.backend = &backend;
	accept_config(&config);
	assert_ok(vmset_create(&set, &config));
	assert_ok(vmset_map(set, 0x1000, 0x10, 2, 0));
	assert_err(vmset_verify(set, NULL), -ENOTSUP);
	assert_ok(vmset_destroy(set));
}
END_TEST

START_TEST(reserve_checks_its_arguments)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct vmset *const untouched = layers.set;
	struct vmset *set = untouched;

	assert_err(vmset_reserve(NULL, page, 0), -EINVAL);
	assert_err(vmset_reserve(&set, 0, 0), -EINVAL);
	assert_err(vmset_reserve(&set, 1, 0), -EINVAL);
	assert_err(vmset_reserve(&set, page - 1, 0), -EINVAL);
	assert_err(vmset_reserve(&set, page + 1, 0), -EINVAL);
	assert_err(vmset_reserve(&set, page, 2), -EINVAL);
	assert_err(vmset_reserve(&set, page, ~VMSET_NO_MERGE), -EINVAL);
	/* valgrind has an opinion of its own about sizes no range can have. */
	if (ON_VALGRIND)
		assert_err(vmset_reserve(&set, SIZE_MAX - page + 1, 0));
	else
		assert_err(vmset_reserve(&set, SIZE_MAX - page + 1, 0),
			   -ENOMEM);
	assert_that(set == untouched);
}
END_TEST

/* ---- mapping ---- */

/* Ranges that no function takes that needs one inside the bounds. */
static const struct {
	uintptr_t start;
	size_t size;
} bad_ranges[] = {
	{ 0x1008, 0x10 },               /* misaligned */
	{ 0x1000, 0x18 },
	{ 0x1001, 0x0f },
	{ UINTPTR_MAX - 0xf, 0x10 },    /* the end is 0 */
	{ UINTPTR_MAX - 0xf, 0x100 },   /* and passes it */
	{ 0x1100, SIZE_MAX - 0xf },
	{ UINTPTR_MAX - 0xff, SIZE_MAX - 0xf },
};

#define BAD_RANGES (sizeof(bad_ranges) / sizeof(*bad_ranges))

/* Ranges that are not inside the bounds. */
static const struct {
	uintptr_t start;
	size_t size;
} outside[] = {
	{ 0x0000, 0x10 }, { 0x0ff0, 0x10 }, { 0x0ff0, 0x20 }, { 0x2000, 0x10 },
	{ 0x1ff0, 0x20 }, { 0x0000, 0x3000 }, { 0x0000, 0x1010 },
};

#define OUTSIDE (sizeof(outside) / sizeof(*outside))

static int map_area(uintptr_t start, uintptr_t end, uint64_t offset,
		    uint32_t how)
{
	return vmset_map_area(layers.set, &(struct vmset_area){
		.start = start, .end = end, .flags = 1, .offset = offset,
	}, how);
}

static void refuse_map(uintptr_t start, size_t size, int error)
{
	REFUSED(vmset_map(layers.set, start, size, 1, 0), error);
	REFUSED(map_area(start, start + size, 0, 0), error);
	if (error == -EINVAL) {
		REFUSED(vmset_map(layers.set, start, size, 1, VMSET_REPLACE),
			error);
		REFUSED(map_area(start, start + size, 0, VMSET_REPLACE), error);
	}
}

START_TEST(map_checks_its_arguments)
{
	refuse_map(0x1000, 0, -EINVAL);
	refuse_map(0, 0, -EINVAL);
	for (size_t i = 0; i < BAD_RANGES; i++)
		refuse_map(bad_ranges[i].start, bad_ranges[i].size, -EINVAL);
	for (size_t i = 0; i < OUTSIDE; i++)
		refuse_map(outside[i].start, outside[i].size, -EINVAL);
	REFUSED(vmset_map(NULL, 0x1000, 0x10, 1, 0), -EINVAL);
	REFUSED(vmset_map(layers.set, 0x1000, 0x10, 1, 2), -EINVAL);
	REFUSED(vmset_map(layers.set, 0x1000, 0x10, 1, ~VMSET_REPLACE),
		-EINVAL);
	REFUSED(vmset_map(layers.set, 0x1000, 0x10, FLAGS_KNOWN + 1, 0),
		-EINVAL);
	REFUSED(vmset_map(layers.set, 0x1100, 0x10, 1u << 31, VMSET_REPLACE),
		-EINVAL);
}
END_TEST

START_TEST(map_area_checks_its_arguments)
{
	struct vmset_area area = { .start = 0x1000, .end = 0x1010 };

	REFUSED(vmset_map_area(NULL, &area, 0), -EINVAL);
	REFUSED(vmset_map_area(layers.set, NULL, 0), -EINVAL);
	REFUSED(vmset_map_area(layers.set, &area, 2), -EINVAL);
	REFUSED(map_area(0x1010, 0x1000, 0, 0), -EINVAL);
	REFUSED(map_area(UINTPTR_MAX - 0xf, 0x1000, 0, 0), -EINVAL);
	REFUSED(map_area(0x1000, 0x1010, UINT64_MAX, 0), -EINVAL);
	REFUSED(map_area(0x1000, 0x1010, UINT64_MAX - 0xf, 0), -EINVAL);
	area.flags = FLAGS_KNOWN + 1;
	REFUSED(vmset_map_area(layers.set, &area, 0), -EINVAL);
	area.backend = mock_backend(&layers.mock, 1);
	REFUSED(vmset_map_area(layers.set, &area, 0), -EINVAL);
	assert_ok(map_area(0x1000, 0x1010, UINT64_MAX - 0x10, 0));
}
END_TEST

/* Areas [0x1100, 0x1300), [0x1400, 0x1500), [0x1800, 0x1840), guards beside. */
START_TEST(map_does_not_map_over)
{
	refuse_map(0x1100, 0x100, -EEXIST);
	refuse_map(0x10f0, 0x20, -EEXIST);
	refuse_map(0x12f0, 0x20, -EEXIST);
	refuse_map(0x1180, 0x10, -EEXIST);
	refuse_map(0x1000, 0x1000, -EEXIST);
	refuse_map(0x17f0, 0x10, -EEXIST);
	refuse_map(0x17d0, 0x20, -EEXIST);
	refuse_map(0x1850, 0x20, -EEXIST);
	assert_ok(vmset_map(layers.set, 0x1860, 0x10, 1, 0));
	assert_ok(vmset_map(layers.set, 0x17d0, 0x10, 1, 0));
	layers_check(&layers);
}
END_TEST

/* ---- unmapping and protecting ---- */

static bool never(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	(void)old_flags;
	(void)new_flags;
	(void)arg;
	ck_abort_msg("asked about a range that is refused");
	return true;
}

static bool set_flags(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	(void)old_flags;
	*new_flags = *(const uint32_t *)arg;
	return true;
}

static void refuse_protect(uintptr_t start, size_t size, int error)
{
	REFUSED(vmset_protect(layers.set, start, size, 1), error);
	REFUSED(vmset_update(layers.set, start, size, never, NULL), error);
}

START_TEST(unmap_checks_its_arguments)
{
	for (size_t i = 0; i < BAD_RANGES; i++)
		REFUSED(vmset_unmap(layers.set, bad_ranges[i].start,
				    bad_ranges[i].size), -EINVAL);
	REFUSED(vmset_unmap(NULL, 0x1100, 0x10), -EINVAL);
	REFUSED(vmset_unmap(NULL, 0, 0), -EINVAL);
	REFUSED(vmset_clear(NULL), -EINVAL);
	/* What is no error. */
	REFUSED(vmset_unmap(layers.set, 0x1100, 0), 0);
	REFUSED(vmset_unmap(layers.set, 0, 0x1000), 0);
	REFUSED(vmset_unmap(layers.set, 0x2000, 0x1000), 0);
	REFUSED(vmset_unmap(layers.set, 0x1000, 0x100), 0);
	REFUSED(vmset_unmap(layers.set, 0x1300, 0x100), 0);
	REFUSED(vmset_unmap(layers.set, 0, 0x1100), 0);
}
END_TEST

START_TEST(protect_checks_its_arguments)
{
	uint32_t unknown = FLAGS_KNOWN + 1;

	refuse_protect(0x1100, 0, -EINVAL);
	refuse_protect(0, 0, -EINVAL);
	for (size_t i = 0; i < BAD_RANGES; i++)
		refuse_protect(bad_ranges[i].start, bad_ranges[i].size,
			       -EINVAL);
	REFUSED(vmset_protect(NULL, 0x1100, 0x10, 1), -EINVAL);
	REFUSED(vmset_update(NULL, 0x1100, 0x10, set_flags, &unknown),
		-EINVAL);
	REFUSED(vmset_update(layers.set, 0x1100, 0x10, NULL, NULL), -EINVAL);
	REFUSED(vmset_protect(layers.set, 0x1100, 0x10, unknown), -EINVAL);
	REFUSED(vmset_update(layers.set, 0x1000, 0x1000, set_flags, &unknown),
		-EINVAL);
}
END_TEST

START_TEST(protect_needs_an_area)
{
	/* Gaps, guards, and what is outside: a set from vmset_create clips. */
	static const struct vmset_range empty[] = {
		{ 0x1000, 0x1100 }, { 0x1300, 0x1400 }, { 0x1500, 0x1600 },
		{ 0x17e0, 0x1800 }, { 0x1840, 0x1860 }, { 0x0000, 0x1000 },
		{ 0x0000, 0x1100 }, { 0x2000, 0x3000 },
	};

	for (size_t i = 0; i < sizeof(empty) / sizeof(*empty); i++)
		refuse_protect(empty[i].start, empty[i].end - empty[i].start,
			       -ENOENT);
	assert_ok(vmset_protect(layers.set, 0x0000, 0x4000, 5));
	layers_check(&layers);
}
END_TEST

/* One of two backends does not know the flags: nothing changes in either. */
START_TEST(protect_asks_all_backends)
{
	layers.mock.backends[1].ops.flags_mask = 0x0f;
	assert_ok(vmset_map_area(layers.set, &(struct vmset_area){
		.start = 0x1300, .end = 0x1400, .flags = 1,
		.backend = mock_backend(&layers.mock, 1),
	}, 0));
	mock_heal(&layers.mock);
	snapshot_free(&before);
	snapshot_take(&before, &layers);
	REFUSED(vmset_protect(layers.set, 0x1000, 0x1000, 0x10), -EINVAL);
	assert_ok(vmset_protect(layers.set, 0x1000, 0x300, 0x10));
	layers_check(&layers);
}
END_TEST

/* A set over the kernel takes ranges inside its bounds only. */
START_TEST(reserved_sets_do_not_clip)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct vmset_range bounds;
	struct vmset *set;
	uintptr_t start;

	assert_ok(vmset_reserve(&set, 8 * page, 0));
	assert_about(set);
	bounds = vmset_bounds(set);
	start = bounds.start;
	assert_ok(vmset_map(set, start, 8 * page, 1, 0));
	for (unsigned int i = 0; i < 4; i++) {
		uintptr_t from = i % 2 ? start - page : start + 7 * page;
		size_t size = (i < 2 ? 2 : 1) * page;

		if (i == 2)
			from = bounds.end;
		assert_err(vmset_unmap(set, from, size), -EINVAL);
		assert_err(vmset_protect(set, from, size, 3), -EINVAL);
		assert_err(vmset_update(set, from, size, never, NULL), -EINVAL);
		assert_err(vmset_map(set, from, size, 3, VMSET_REPLACE),
			   -EINVAL);
	}
	assert_err(vmset_map(set, start, page, 8, VMSET_REPLACE), -EINVAL);
	assert_err(vmset_protect(set, start, page, 8), -EINVAL);
	assert_err(vmset_protect(set, start, page, 1u << 31), -EINVAL);
	assert_err(vmset_unmap(set, start + 1, page), -EINVAL);
	assert_err(vmset_alloc(set, page, 8, NULL, &start), -EINVAL);
	assert_eq(vmset_len(set), 1);
	assert_ok(vmset_verify(set, NULL));
	assert_ok(vmset_destroy(set));
	assert_about(NULL);
}
END_TEST

/* ---- placing ---- */

static void refuse_placement(size_t size, const struct vmset_placement *where,
			     int error)
{
	const uintptr_t untouched = 0x123;
	uintptr_t start = untouched;

	REFUSED(vmset_alloc(layers.set, size, 1, where, &start), error);
	assert_eq(start, untouched);
}

#define REFUSE_PLACEMENT(bytes, error, change)                                \
	do {                                                                  \
		struct vmset_placement where = { .size = sizeof(where) };     \
		change;                                                       \
		refuse_placement(bytes, &where, error);                       \
	} while (0)

START_TEST(alloc_checks_its_arguments)
{
	struct vmset_placement lowest = { .size = sizeof(lowest) };
	uintptr_t start;

	REFUSED(vmset_alloc(NULL, 0x10, 1, NULL, &start), -EINVAL);
	REFUSED(vmset_alloc(layers.set, 0x10, 1, NULL, NULL), -EINVAL);
	REFUSED(vmset_alloc(layers.set, 0x10, FLAGS_KNOWN + 1, &lowest, &start),
		-EINVAL);
	refuse_placement(0, NULL, -EINVAL);
	refuse_placement(8, NULL, -EINVAL);
	refuse_placement(0x11, NULL, -EINVAL);
	REFUSE_PLACEMENT(0, -EINVAL, (void)0);
	REFUSE_PLACEMENT(0x10, -EINVAL, where.size = 0);
	REFUSE_PLACEMENT(0x10, -EINVAL, where.size--);
	REFUSE_PLACEMENT(0x10, -EINVAL, where.policy = VMSET_RANDOM + 1);
	REFUSE_PLACEMENT(0x10, -EINVAL, where.policy = UINT32_MAX);
	REFUSE_PLACEMENT(0x10, -EINVAL, where.align = 8);
	REFUSE_PLACEMENT(0x10, -EINVAL, where.align = 1);
	REFUSE_PLACEMENT(0x10, -EINVAL, where.align = 0x30);
	REFUSE_PLACEMENT(0x10, -EINVAL, where.guard_before = 8);
	REFUSE_PLACEMENT(0x10, -EINVAL, where.guard_after = 0x1f);
	REFUSE_PLACEMENT(0x10, -EINVAL, where.limit.start = 1);
	/* More than an address space, and back to little if it wrapped. */
	REFUSE_PLACEMENT(0x10, -EINVAL, where.guard_after = SIZE_MAX - 0xf);
	REFUSE_PLACEMENT(0x10, -EINVAL, where.guard_before = SIZE_MAX - 0xf);
	REFUSE_PLACEMENT(0x10, -EINVAL, where.guard_after = SIZE_MAX - 0x2f;
			 where.guard_before = 0x30);
}
END_TEST

START_TEST(alloc_knows_later_structures)
{
	struct {
		struct vmset_placement where;
		uint64_t later;
	} wide = { { .size = sizeof(wide) }, 1 };
	uintptr_t start;

	refuse_placement(0x10, &wide.where, -EINVAL);
	wide.later = 0;
	assert_ok(vmset_alloc(layers.set, 0x10, 1, &wide.where, &start));
	assert_eq(start, LOW);
}
END_TEST

/* For each policy, requests that no place is free for. */
START_TEST(alloc_finds_no_room)
{
	uint32_t policy = (uint32_t)_i;

	REFUSE_PLACEMENT(0x1000, -ENOSPC, where.policy = policy);
	REFUSE_PLACEMENT(0x7d0, -ENOSPC, where.policy = policy);
	REFUSE_PLACEMENT(SIZE_MAX - 0xf, -ENOSPC, where.policy = policy);
	REFUSE_PLACEMENT(0x400, -ENOSPC, where.policy = policy;
			 where.guard_before = 0x3c0; where.guard_after = 0x10);
	REFUSE_PLACEMENT(0x10, -ENOSPC, where.policy = policy;
			 where.limit.start = 0x1100; where.limit.end = 0x1300);
	REFUSE_PLACEMENT(0x20, -ENOSPC, where.policy = policy;
			 where.limit.start = 0x10f0; where.limit.end = 0x1310);
	REFUSE_PLACEMENT(0x10, -ENOSPC, where.policy = policy;
			 where.limit.end = LOW);
	REFUSE_PLACEMENT(0x10, -ENOSPC, where.policy = policy;
			 where.limit.start = where.limit.end = HIGH);
	REFUSE_PLACEMENT(0x10, -ENOSPC, where.policy = policy;
			 where.limit.start = HIGH;
			 where.limit.end = UINTPTR_MAX);
	REFUSE_PLACEMENT(0x10, -ENOSPC, where.policy = policy;
			 where.align = 0x4000);
	if (policy == VMSET_LOWEST)
		REFUSE_PLACEMENT(0x10, -ENOSPC, where.hint = HIGH);
	if (policy == VMSET_HIGHEST)
		REFUSE_PLACEMENT(0x10, -ENOSPC, where.policy = policy;
				 where.hint = LOW - 1);
}
END_TEST

static int find_free(size_t size, struct vmset_range limit, size_t align)
{
	const uintptr_t untouched = 0x123;
	uintptr_t start = untouched;
	int result = vmset_find_free_area(layers.set, 0, size, limit, align,
					  &start);

	if (result)
		assert_eq(start, untouched);
	return result;
}

START_TEST(find_free_area_checks_its_arguments)
{
	const struct vmset_range backward = { 0x1800, 0x1700 };
	const struct vmset_range below = { 0, LOW };
	uintptr_t start;

	REFUSED(vmset_find_free_area(NULL, 0, 1, ENTIRE, 0, &start), -EINVAL);
	REFUSED(vmset_find_free_area(layers.set, 0, 1, ENTIRE, 0, NULL),
		-EINVAL);
	REFUSED(find_free(0, ENTIRE, 0), -EINVAL);
	REFUSED(find_free(1, ENTIRE, 8), -EINVAL);
	REFUSED(find_free(1, ENTIRE, 0x18), -EINVAL);
	REFUSED(find_free(1, ENTIRE, SIZE_MAX), -EINVAL);
	REFUSED(find_free(1, backward, 0), -EINVAL);
	REFUSED(find_free(1, below, 0), -ENOSPC);
	REFUSED(find_free(0x7a1, ENTIRE, 0), -ENOSPC);
	REFUSED(find_free(SIZE_MAX, ENTIRE, 0), -ENOSPC);
	REFUSED(find_free(0x7a0, ENTIRE, 0), 0);
}
END_TEST

/* ---- reading ---- */

START_TEST(readers_find_nothing)
{
	static const uintptr_t nowhere[] = {
		0, 0xfff, 0x1000, 0x10ff, 0x1300, 0x13ff, 0x1500, 0x17df,
		0x17e0, 0x17ff, 0x1840, 0x185f, 0x1860, 0x1fff, 0x2000,
		UINTPTR_MAX,
	};
	struct vmset_area area = { .start = 0x123 };
	struct vmset_range range = { .start = 0x123 };
	uintptr_t addr = 0x1840;
	struct vmset_iter iter;

	for (size_t i = 0; i < sizeof(nowhere) / sizeof(*nowhere); i++) {
		REFUSED(vmset_find(layers.set, nowhere[i], &area), -ENOENT);
		REFUSED(vmset_find(layers.set, nowhere[i], NULL), -ENOENT);
	}
	REFUSED(vmset_next(layers.set, 0x1840, &area), -ENOENT);
	REFUSED(vmset_next(layers.set, UINTPTR_MAX, &area), -ENOENT);
	REFUSED(vmset_find(NULL, 0x1100, &area), -EINVAL);
	REFUSED(vmset_next(NULL, 0x1100, &area), -EINVAL);
	REFUSED(vmset_iter_init(&iter, NULL, 0), -EINVAL);
	REFUSED(vmset_iter_init(NULL, layers.set, 0), -EINVAL);
	assert_ok(vmset_iter_init(&iter, layers.set, 0x1840));
	assert_that(!vmset_iter_next(&iter));
	assert_eq(vmset_next_ranges(layers.set, &addr, &range, 1), 0);
	addr = 0x1100;
	assert_eq(vmset_next_ranges(NULL, &addr, &range, 1), 0);
	assert_eq(vmset_next_ranges(layers.set, NULL, &range, 1), 0);
	assert_eq(vmset_next_ranges(layers.set, &addr, NULL, 1), 0);
	assert_eq(vmset_next_ranges(layers.set, &addr, &range, 0), 0);
	assert_eq(addr, 0x1100);
	assert_eq(range.start, 0x123);
	assert_eq(area.start, 0x123);
	assert_ok(vmset_find(layers.set, 0x1100, NULL));
	assert_ok(vmset_next(layers.set, 0, NULL));
	assert_ok(vmset_next(layers.set, 0x183f, NULL));
}
END_TEST

START_TEST(nothing_is_known_of_no_set)
{
	assert_eq(vmset_len(NULL), 0);
	assert_that(vmset_is_empty(NULL));
	assert_that(!vmset_overlaps(NULL, 0, SIZE_MAX));
	assert_eq(vmset_bounds(NULL).start, 0);
	assert_eq(vmset_bounds(NULL).end, 0);
	assert_eq(vmset_granule(NULL), 0);
	assert_ok(vmset_destroy(NULL));
	assert_err(vmset_verify(NULL, NULL), -EINVAL);
	assert_err(vmset_dump(NULL, stdout), -EINVAL);
	REFUSED(vmset_dump(layers.set, NULL), -EINVAL);
}
END_TEST

/* Neither size nor start need be aligned, and the end may pass the top. */
START_TEST(overlaps_takes_any_range)
{
	static const struct {
		uintptr_t start;
		size_t size;
		bool taken;
	} ranges[] = {
		{ 0x1100, 0, false }, { 0x10ff, 1, false }, { 0x10ff, 2, true },
		{ 0x1100, 1, true }, { 0x12ff, 1, true }, { 0x1300, 1, false },
		{ 0x1300, 0x100, false }, { 0x1300, 0x101, true },
		{ 0, 0x1100, false }, { 0, 0x1101, true },
		{ 0, SIZE_MAX, true },
		{ 0x1860, SIZE_MAX, false }, { 0x185f, SIZE_MAX, true },
		{ UINTPTR_MAX, SIZE_MAX, false }, { UINTPTR_MAX, 1, false },
		{ 0x17df, 1, false }, { 0x17e0, 1, true }, { 0x185f, 1, true },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		assert_eq(vmset_overlaps(layers.set, ranges[i].start,
					 ranges[i].size), ranges[i].taken);
}
END_TEST

START_TEST(dump_reports_a_full_disk)
{
	FILE *full = fopen("/dev/full", "w");

	assert_that(full);
	setvbuf(full, NULL, _IONBF, 0);
	REFUSED(vmset_dump(layers.set, full), -EIO);
	fclose(full);
}
END_TEST

/* Sizes in the largest unit, and a backend that has no name and no query. */
START_TEST(dump_shortens_what_is_long)
{
	static const struct {
		size_t size;
		const char *text;
	} sizes[] = {
		{ 9999, "  9999 B  " }, { 10000, "  9.7 KiB  " },
		{ ((size_t)3 << 20) + 1, "  3.0 MiB  " },
		{ ((size_t)5 << 29) + 1, "  2.5 GiB  " },
		{ (size_t)1 << 43, "  8 TiB  " },
	};
	struct vmset_backend_ops ops = layers.mock.backends[0].ops;
	struct vmset_backend backend = { &ops, &layers.mock.backends[0] };
	struct vmset_config config = good_config();

	ops.size = offsetof(struct vmset_backend_ops, promises);
	config.backend = &backend;
	config.granule = 1;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		char text[1024] = { 0 };
		FILE *out = fmemopen(text, sizeof(text) - 1, "w");
		struct vmset *set;

		config.bounds = (struct vmset_range){ 0x1000,
						      0x1000 + sizes[i].size };
		assert_ok(vmset_create(&set, &config));
		assert_ok(vmset_map(set, 0x1000, 0x10, 1, 0));
		assert_that(out);
		assert_ok(vmset_dump(set, out));
		fclose(out);
		ck_assert_msg(strstr(text, sizes[i].text), "%s", text);
		assert_ok(vmset_destroy(set));
	}
}
END_TEST

/* ---- destroying ---- */

static int accept_map(void *ctx, uintptr_t start, size_t size, uint32_t flags,
		      uint64_t offset)
{
	(void)ctx, (void)start, (void)size, (void)flags, (void)offset;
	return 0;
}

static int ask_unmap(void *ctx, uintptr_t start, size_t size)
{
	(void)start, (void)size;
	return *(const int *)ctx;
}

static int accept_protect(void *ctx, uintptr_t start, size_t size,
			  uint32_t flags)
{
	(void)ctx, (void)start, (void)size, (void)flags;
	return 0;
}

/* Areas of another backend are not given back with the reservation. */
START_TEST(others_keep_a_reservation)
{
	static const struct vmset_backend_ops ops = {
		.size = sizeof(ops), .map = accept_map, .unmap = ask_unmap,
		.protect = accept_protect,
	};
	int result = -EIO;
	const struct vmset_backend backend = { &ops, &result };
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct vmset *set;

	assert_ok(vmset_reserve(&set, 8 * page, 0));
	for (unsigned int i = 0; i < 4; i++) {
		struct vmset_area area = { .flags = i % 2 };

		area.start = vmset_bounds(set).start + i * page;
		area.end = area.start + page;
		area.backend = i == 2 ? NULL : &backend;
		assert_ok(vmset_map_area(set, &area, 0));
	}
	assert_err(vmset_destroy(set), -EIO);
	assert_eq(vmset_len(set), 4);
	result = 0;
	assert_ok(vmset_destroy(set));
}
END_TEST

/* ---- verify ---- */

static int query_nothing(void *ctx, uintptr_t addr, uintptr_t limit,
			 struct vmset_query *out)
{
	(void)ctx;
	(void)limit;
	*out = (struct vmset_query){ .end = addr };
	return 0;
}

START_TEST(verify_ends)
{
	layers.mock.backends[0].ops.query = query_nothing;
	assert_err(vmset_verify(layers.set, NULL), -EIO);
	layers.mock.backends[0].ops.query = layers.mock.backends[1].ops.query;
	assert_ok(vmset_verify(layers.set, NULL));
}
END_TEST

START_TEST(verify_needs_a_query)
{
	struct vmset_mismatch first = { .addr = 0x123 };

	layers.mock.query_error = -EACCES;
	assert_err(vmset_verify(layers.set, &first), -EACCES);
	layers.mock.query_error = 0;
	layers.mock.backends[0].ops.query = NULL;
	assert_err(vmset_verify(layers.set, &first), -ENOTSUP);
	assert_eq(first.addr, 0x123);
	layers.mock.backends[0].ops.query = layers.mock.backends[1].ops.query;
	assert_ok(vmset_verify(layers.set, &first));
}
END_TEST

/* Differences made behind the set's back, and what verify says of them. */
static const struct {
	uintptr_t addr;
	struct mock_entry entry;
	struct vmset_mismatch mismatch;
} planted[] = {
	{ 0x1000, { .owner = 1, .flags = 7 }, { 0x1000, 0, 7, false, true } },
	{ 0x1000, { .owner = 1 }, { 0x1000, 0, 0, false, true } },
	{ 0x1180, { .owner = 1, .flags = 9 }, { 0x1180, 1, 9, true, true } },
	{ 0x11f0, { .owner = 0 }, { 0x11f0, 1, 0, true, false } },
	{ 0x1200, { .owner = 1, .flags = 1 }, { 0x1200, 2, 1, true, true } },
	{ 0x1300, { .owner = 1, .flags = 2 }, { 0x1300, 0, 2, false, true } },
	{ 0x17e0, { .owner = 1, .flags = 4 }, { 0x17e0, 0, 4, false, true } },
	{ 0x1ff0, { .owner = 1, .flags = 4 }, { 0x1ff0, 0, 4, false, true } },
};

#define PLANTED ((int)(sizeof(planted) / sizeof(*planted)))

START_TEST(verify_finds_a_difference)
{
	struct mock *mock = &layers.mock;
	size_t at = (planted[_i].addr - LOW) / GRANULE;
	struct mock_entry right = mock->entries[at];
	const struct vmset_mismatch *want = &planted[_i].mismatch;
	struct vmset_mismatch first;

	mock->entries[at] = planted[_i].entry;
	/* A later one does not matter. */
	if (planted[_i].addr < 0x1ff0)
		mock->entries[mock->count - 1].owner = 1;
	assert_eq(vmset_verify(layers.set, NULL), 1);
	assert_eq(vmset_verify(layers.set, &first), 1);
	assert_eq(first.addr, want->addr);
	assert_eq(first.expected, want->expected);
	assert_eq(first.actual, want->actual);
	assert_eq(first.expected_mapped, want->expected_mapped);
	assert_eq(first.actual_mapped, want->actual_mapped);
	mock->entries[mock->count - 1].owner = 0;
	mock->entries[at] = right;
	snapshot_check(&before, &layers);
}
END_TEST

/* ---- calls from inside ---- */

/* All functions that write, or wait for a writer. */
static void refuse_to_write(struct vmset *set)
{
	struct vmset_area area = { .start = 0x1000, .end = 0x1010 };
	uint32_t flags = 9;
	uintptr_t start = 0x123;

	assert_err(vmset_map(set, 0x1000, 0x10, 1, 0), -EDEADLK);
	assert_err(vmset_map_area(set, &area, VMSET_REPLACE), -EDEADLK);
	assert_err(vmset_unmap(set, 0x1100, 0x10), -EDEADLK);
	assert_err(vmset_protect(set, 0x1100, 0x10, 1), -EDEADLK);
	assert_err(vmset_update(set, 0x1100, 0x10, set_flags, &flags),
		   -EDEADLK);
	assert_err(vmset_clear(set), -EDEADLK);
	assert_err(vmset_alloc(set, 0x10, 1, NULL, &start), -EDEADLK);
	assert_err(vmset_find_free_area(set, 0, 1, ENTIRE, 0, &start),
		   -EDEADLK);
	assert_err(vmset_verify(set, NULL), -EDEADLK);
	assert_err(vmset_destroy(set), -EDEADLK);
	assert_eq(start, 0x123);
}

/* Readers work, and see the set as it was. */
static void read_as_before(struct vmset *set)
{
	uintptr_t at = LOW;
	struct vmset_area area;

	assert_eq(vmset_len(set), before.len);
	assert_that(!vmset_is_empty(set));
	for (size_t i = 0; i < before.len; i++, at = area.end) {
		const struct vmset_area *want = &before.areas[i];

		assert_ok(vmset_next(set, at, &area));
		assert_eq(area.start, want->start);
		assert_eq(area.end, want->end);
		assert_eq(area.flags, want->flags);
		assert_that(vmset_overlaps(set, want->start, 1));
		assert_ok(vmset_find(set, want->start, NULL));
	}
	assert_eq(vmset_bounds(set).start, LOW);
	assert_eq(vmset_granule(set), GRANULE);
}

static unsigned int inside;

static void call_from_inside(struct mock *mock, const struct mock_call *call)
{
	struct vmset *other = mock->hook_arg;

	(void)call;
	inside++;
	refuse_to_write(layers.set);
	read_as_before(layers.set);
	/* Another set has nothing to do with it. */
	assert_ok(vmset_map(other, 0x1000, 0x10, 1, 0));
	assert_ok(vmset_unmap(other, 0x1000, 0x10));
}

static int nothing_to_map(void *ctx, uintptr_t start, size_t size,
			  uint32_t flags, uint64_t offset)
{
	(void)ctx;
	(void)start;
	(void)size;
	(void)flags;
	(void)offset;
	return 0;
}

static int nothing_to_unmap(void *ctx, uintptr_t start, size_t size)
{
	return nothing_to_map(ctx, start, size, 0, 0);
}

static int nothing_to_protect(void *ctx, uintptr_t start, size_t size,
			      uint32_t flags)
{
	return nothing_to_map(ctx, start, size, flags, 0);
}

/* A backend with nothing behind it, for bounds that no page table can have. */
static const struct vmset_backend_ops nothing_ops = {
	.size = sizeof(nothing_ops),
	.map = nothing_to_map,
	.unmap = nothing_to_unmap,
	.protect = nothing_to_protect,
};
static const struct vmset_backend nothing = { &nothing_ops, NULL };

static struct vmset *create_over_nothing(uintptr_t start, uintptr_t end,
					 size_t granule)
{
	struct vmset_config config = {
		.size = sizeof(config), .bounds = { start, end },
		.granule = granule, .backend = &nothing,
	};
	struct vmset *set;

	assert_ok(vmset_create(&set, &config));
	return set;
}

static bool ask_from_inside(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	call_from_inside(&layers.mock, NULL);
	return set_flags(old_flags, new_flags, arg);
}

START_TEST(a_backend_must_not_write)
{
	struct vmset *other = create_over_nothing(LOW, HIGH, GRANULE);
	uintptr_t start;

	inside = 0;
	layers.mock.hook_arg = other;
	layers.mock.hook = call_from_inside;
	mock_fail(&layers.mock, MOCK_FROM(1), -EIO);
	assert_err(vmset_map(layers.set, 0x1000, 0x10, 1, 0), -EIO);
	assert_err(vmset_alloc(layers.set, 0x10, 1, NULL, &start), -EIO);
	assert_err(vmset_unmap(layers.set, 0x1100, 0x10), -EIO);
	assert_err(vmset_protect(layers.set, 0x1100, 0x10, 5), -EIO);
	assert_eq(inside, 4);
	/* Of four areas in clear, the first cannot be seen when it is gone. */
	assert_err(vmset_clear(layers.set), -EIO);
	assert_eq(inside, 8);
	layers.mock.hook = NULL;
	mock_heal(&layers.mock);
	snapshot_check(&before, &layers);
	assert_ok(vmset_destroy(other));
}
END_TEST

START_TEST(an_update_function_must_not_write)
{
	struct vmset *other = create_over_nothing(LOW, HIGH, GRANULE);
	uint32_t flags = 9;

	inside = 0;
	layers.mock.hook_arg = other;
	assert_ok(vmset_update(layers.set, 0x1100, 0x200, ask_from_inside,
			       &flags));
	assert_eq(inside, 2);
	LAYERS_EXPECT(&layers, { 0x1100, 0x1300, 9 }, { 0x1400, 0x1500, 3 },
		      { 0x1800, 0x1840, 4 });
	assert_ok(vmset_destroy(other));
}
END_TEST

/* ---- the ends of the address space ---- */

#define TOP (UINTPTR_MAX - 0xfff)

START_TEST(bounds_may_end_at_the_top)
{
	struct layers top;
	uintptr_t start;

	layers_open(&top, (struct layers_config){
		.bounds = { TOP, UINTPTR_MAX },
	});
	assert_ok(vmset_map(top.set, UINTPTR_MAX - 1, 1, 1, 0));
	assert_ok(vmset_map(top.set, TOP, 0x10, 2, 0));
	LAYERS_EXPECT(&top, { TOP, TOP + 0x10, 2 },
		      { UINTPTR_MAX - 1, UINTPTR_MAX, 1 });
	assert_err(vmset_map(top.set, UINTPTR_MAX - 2, 2, 1, 0), -EEXIST);
	assert_err(vmset_map(top.set, UINTPTR_MAX - 2, 3, 1, 0), -EINVAL);
	assert_err(vmset_map(top.set, UINTPTR_MAX, 1, 1, 0), -EINVAL);
	assert_err(vmset_unmap(top.set, UINTPTR_MAX - 1, 3), -EINVAL);
	assert_err(vmset_protect(top.set, TOP, SIZE_MAX, 1), -EINVAL);
	assert_err(vmset_find(top.set, UINTPTR_MAX, NULL), -ENOENT);
	assert_err(vmset_next(top.set, UINTPTR_MAX, NULL), -ENOENT);
	assert_ok(vmset_next(top.set, UINTPTR_MAX - 1, NULL));
	assert_that(vmset_overlaps(top.set, UINTPTR_MAX - 1, SIZE_MAX));
	assert_that(!vmset_overlaps(top.set, UINTPTR_MAX, SIZE_MAX));
	assert_ok(vmset_find_free_area(top.set, TOP, 0xfee, ENTIRE, 0,
				       &start));
	assert_eq(start, TOP + 0x10);
	assert_err(vmset_find_free_area(top.set, TOP, 0xfef, ENTIRE, 0,
					&start), -ENOSPC);
	assert_err(vmset_find_free_area(top.set, UINTPTR_MAX - 1, 1, ENTIRE, 2,
					&start), -ENOSPC);
	assert_ok(vmset_protect(top.set, TOP, UINTPTR_MAX - TOP, 5));
	assert_ok(vmset_unmap(top.set, TOP + 8, UINTPTR_MAX - TOP - 8));
	LAYERS_EXPECT(&top, { TOP, TOP + 8, 5 });
	layers_close(&top);
	assert_about(layers.set);
}
END_TEST

static void check_alloc(struct vmset *set, size_t size, uint32_t policy,
			uintptr_t hint, uintptr_t want)
{
	struct vmset_placement where = {
		.size = sizeof(where), .policy = policy, .hint = hint,
	};
	const char *wrong;
	uintptr_t start;

	assert_ok(vmset_alloc(set, size, 1, &where, &start));
	assert_eq(start, want);
	wrong = vmset__check(set);
	if (wrong)
		ck_abort_msg("%s", wrong);
}

START_TEST(bounds_may_be_everything)
{
	struct vmset *set = create_over_nothing(0, UINTPTR_MAX, 1);
	const uintptr_t half = UINTPTR_MAX / 2 + 1;
	uintptr_t start;

	assert_ok(vmset_find_free_area(set, 0, UINTPTR_MAX, ENTIRE, 0,
				       &start));
	assert_eq(start, 0);
	assert_err(vmset_find_free_area(set, 1, UINTPTR_MAX, ENTIRE, 0,
					&start), -ENOSPC);
	assert_ok(vmset_find_free_area(set, 1, half - 1, ENTIRE, half,
				       &start));
	assert_eq(start, half);
	check_alloc(set, 1, VMSET_HIGHEST, 0, UINTPTR_MAX - 1);
	check_alloc(set, 1, VMSET_HIGHEST, UINTPTR_MAX, UINTPTR_MAX - 2);
	check_alloc(set, 1, VMSET_NEAREST, UINTPTR_MAX, UINTPTR_MAX - 3);
	check_alloc(set, 1, VMSET_LOWEST, UINTPTR_MAX - 4, UINTPTR_MAX - 4);
	check_alloc(set, UINTPTR_MAX - 4, VMSET_BEST_FIT, 0, 0);
	assert_err(vmset_alloc(set, 1, 1, NULL, &start), -ENOSPC);
	assert_eq(vmset_len(set), 1);
	assert_ok(vmset_unmap(set, half, 1));
	assert_eq(vmset_len(set), 2);
	check_alloc(set, 1, VMSET_RANDOM, 0, half);
	assert_ok(vmset_unmap(set, 0, UINTPTR_MAX));
	assert_that(vmset_is_empty(set));
	assert_ok(vmset_destroy(set));
}
END_TEST

/* ---- no memory ---- */

/* The calls that need records of the set. */
static int need_memory(unsigned int which, uint32_t flags)
{
	uintptr_t start = 0;
	int result;

	switch (which) {
	case 0:
		return vmset_map(layers.set, 0x1ff0, 0x10, flags, 0);
	case 1:
		return vmset_map(layers.set, LOW, HIGH - LOW, flags,
				 VMSET_REPLACE);
	case 2:
		return vmset_unmap(layers.set, LOW, HIGH - LOW);
	case 3:
		return vmset_protect(layers.set, LOW, HIGH - LOW, flags);
	case 4:
		return vmset_update(layers.set, LOW, HIGH - LOW, set_flags,
				    &flags);
	default:
		result = vmset_alloc(layers.set, 0x10, flags, NULL, &start);
		assert_eq(start != 0, result == 0);
		return result;
	}
}

#define NEED_MEMORY 6

/* Areas at every other granule, far more than an operation has room for. */
static void fill(void)
{
	mock_heal(&layers.mock);
	assert_ok(vmset_clear(layers.set));
	for (uintptr_t at = LOW; at < HIGH; at += 2 * GRANULE)
		assert_ok(vmset_map(layers.set, at, GRANULE, 1, 0));
	mock_heal(&layers.mock);
	snapshot_free(&before);
	snapshot_take(&before, &layers);
}

/* An operation over many areas needs memory of its own, and says so. */
START_TEST(large_operations_run_out_of_memory)
{
	fill();
	for (unsigned int which = 1; which < 5; which++) {
		syscalls_watch(ENTIRE);
		syscalls_starve();
		REFUSED(need_memory(which, 9), -ENOMEM);
		syscalls_stop();
	}
}
END_TEST

/* Enough small areas to use up what a slab has, without another page. */
START_TEST(small_operations_run_out_of_memory)
{
	const uintptr_t end = (uintptr_t)1 << 40;
	struct vmset *set = create_over_nothing(0, end, 1);
	uintptr_t at = 0;
	size_t len;
	int result;

	assert_about(set);
	syscalls_watch(ENTIRE);
	syscalls_starve();
	do {
		len = vmset_len(set);
		result = vmset_map(set, at, 1, 1, 0);
		at += 2;
	} while (!result && at < end);
	assert_err(result, -ENOMEM);
	assert_eq(vmset_len(set), len);
	assert_that(!vmset_overlaps(set, at - 2, 1));
	assert_that(!vmset__check(set));
	assert_err(vmset_map(set, at - 2, 1, 1, 0), -ENOMEM);
	syscalls_stop();
	assert_ok(vmset_map(set, at - 2, 1, 1, 0));
	assert_eq(vmset_len(set), len + 1);
	assert_ok(vmset_destroy(set));
	assert_about(layers.set);
}
END_TEST

START_TEST(sets_are_not_made_without_memory)
{
	struct vmset *const untouched = layers.set;
	struct vmset *set = untouched;
	struct vmset_config config = good_config();
	int created, reserved;

	syscalls_watch(ENTIRE);
	syscalls_starve();
	created = vmset_create(&set, &config);
	reserved = vmset_reserve(&set, (size_t)sysconf(_SC_PAGESIZE), 0);
	syscalls_stop();
	assert_err(created, -ENOMEM);
	assert_err(reserved, -ENOMEM);
	assert_that(set == untouched);
}
END_TEST

/* ---- what the backend says ---- */

/* Any error of the backend comes back as it is. */
START_TEST(backend_errors_pass_through)
{
	static const int errors[] = {
		-EPERM, -EIO, -ENOMEM, -EACCES, -EAGAIN, -EINVAL, -EEXIST,
		-ENOENT, -ENOSPC, -4095,
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		for (unsigned int which = 0; which < NEED_MEMORY; which++) {
			mock_fail(&layers.mock, MOCK_CALL(1), errors[i]);
			assert_err(need_memory(which, 9), errors[i]);
			assert_that(layers.mock.calls > 0);
			mock_heal(&layers.mock);
			snapshot_check(&before, &layers);
		}
	}
}
END_TEST

static void add_making(TCase *tcase)
{
	tcase_add_test(tcase, create_checks_its_configuration);
	tcase_add_test(tcase, create_knows_later_structures);
	tcase_add_test(tcase, backends_are_checked);
	tcase_add_test(tcase, short_tables_of_operations_work);
	tcase_add_test(tcase, reserve_checks_its_arguments);
}

static void add_changing(TCase *tcase)
{
	tcase_add_test(tcase, map_checks_its_arguments);
	tcase_add_test(tcase, map_area_checks_its_arguments);
	tcase_add_test(tcase, map_does_not_map_over);
	tcase_add_test(tcase, unmap_checks_its_arguments);
	tcase_add_test(tcase, protect_checks_its_arguments);
	tcase_add_test(tcase, protect_needs_an_area);
	tcase_add_test(tcase, protect_asks_all_backends);
	tcase_add_test(tcase, reserved_sets_do_not_clip);
	tcase_add_test(tcase, alloc_checks_its_arguments);
	tcase_add_test(tcase, alloc_knows_later_structures);
	tcase_add_loop_test(tcase, alloc_finds_no_room, VMSET_LOWEST,
			    VMSET_RANDOM + 1);
}

static void add_reading(TCase *tcase)
{
	tcase_add_test(tcase, find_free_area_checks_its_arguments);
	tcase_add_test(tcase, readers_find_nothing);
	tcase_add_test(tcase, nothing_is_known_of_no_set);
	tcase_add_test(tcase, overlaps_takes_any_range);
	tcase_add_test(tcase, dump_reports_a_full_disk);
	tcase_add_test(tcase, dump_shortens_what_is_long);
	tcase_add_test(tcase, others_keep_a_reservation);
	tcase_add_test(tcase, verify_ends);
	tcase_add_test(tcase, verify_needs_a_query);
	tcase_add_loop_test(tcase, verify_finds_a_difference, 0, PLANTED);
}

static void add_circumstances(TCase *tcase)
{
	tcase_add_test(tcase, a_backend_must_not_write);
	tcase_add_test(tcase, an_update_function_must_not_write);
	tcase_add_test(tcase, bounds_may_end_at_the_top);
	tcase_add_test(tcase, bounds_may_be_everything);
	tcase_add_test(tcase, large_operations_run_out_of_memory);
	tcase_add_test(tcase, small_operations_run_out_of_memory);
	tcase_add_test(tcase, sets_are_not_made_without_memory);
	tcase_add_test(tcase, backend_errors_pass_through);
}

Suite *suite_errors(void)
{
	static const struct {
		const char *name;
		void (*add)(TCase *tcase);
	} cases[] = {
		{ "making sets", add_making },
		{ "changing sets", add_changing },
		{ "reading sets", add_reading },
		{ "circumstances", add_circumstances },
	};
	Suite *suite = suite_create("errors");

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		TCase *tcase = tcase_create(cases[i].name);

		tcase_add_checked_fixture(tcase, open_layers, close_layers);
		cases[i].add(tcase);
		suite_add_tcase(suite, tcase);
	}
	return suite;
}
