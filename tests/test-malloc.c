/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The library can be used under malloc: none of its functions calls malloc or
 * its like, neither itself nor through libc.  A program of its own, since its
 * malloc stands before libc's and counts.
 *
 * A sanitizer or valgrind brings a malloc that comes first.  Then the same
 * calls are made, and only the counting is left out.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "assert.h"
#include "layers.h"
#include "syscalls.h"
#include "tools.h"

#if defined(__GLIBC__) && !ON_ASAN && !ON_TSAN
#define COUNTING (!ON_VALGRIND)
#else
#define COUNTING 0
#endif

/*
 * The program has one malloc, and so one count.  Volatile, since compilers know
 * that malloc has no effects.
 */
static volatile struct {
	bool on;
	unsigned long calls;
} count;

#if defined(__GLIBC__) && !ON_ASAN && !ON_TSAN

/* What libc's own functions are called beside their names. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t number, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *memory);

static void note(void)
{
	count.calls += count.on;
}

void *malloc(size_t size)
{
	note();
	return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
	note();
	return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
	note();
	return __libc_realloc(old, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	note();
	return __libc_memalign(align, size);
}

int posix_memalign(void **memory, size_t align, size_t size)
{
	note();
	*memory = __libc_memalign(align, size);
	return *memory ? 0 : ENOMEM;
}

void free(void *memory)
{
	note();
	__libc_free(memory);
}

#endif

static void begin(void)
{
	count.calls = 0;
	count.on = true;
}

/* Returns how often malloc and its like were called since begin. */
static unsigned long end(void)
{
	count.on = false;
	return count.calls;
}

/* ---- that counting works ---- */

static void *volatile keep;

START_TEST(calls_are_counted)
{
	begin();
	keep = malloc(10);
	free(keep);
	keep = calloc(1, 10);
	keep = realloc(keep, 20);
	free(keep);
	assert_eq(end(), COUNTING ? 5 : count.calls);
}
END_TEST

/* What vmset.h says: the FILE may call it. */
START_TEST(only_a_file_allocates)
{
	FILE *file = fopen("/dev/null", "w");
	struct layers layers;

	assert_that(file);
	layers_open(&layers, (struct layers_config){ 0 });
	begin();
	assert_ok(vmset_dump(layers.set, file));
	assert_that(end() > 0 || !COUNTING);
	begin();
	assert_ok(vmset_dump(layers.set, file));
	assert_eq(end(), 0);
	fclose(file);
	layers_close(&layers);
}
END_TEST

/* ---- every function ---- */

/* A place for everything: a set, its bounds, and a step between areas. */
struct place {
	struct vmset *set;
	uintptr_t start;
	size_t unit;
};

static bool give_one(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	(void)arg;
	*new_flags = 1;
	return old_flags != 2;
}

#define MANY 1000

/* Areas by the thousand, and operations over all of them. */
static void use_much(const struct place *place)
{
	struct vmset *set = place->set;
	size_t unit = place->unit;

	for (size_t i = 0; i < MANY; i++)
		assert_ok(vmset_map(set, place->start + 2 * i * unit, unit,
				    1 + i % 3, 0));
	assert_ok(vmset_protect(set, place->start + unit, MANY * unit, 3));
	assert_ok(vmset_update(set, place->start, 2 * MANY * unit, give_one,
			       NULL));
	assert_ok(vmset_map(set, place->start + unit, MANY * unit, 2,
			    VMSET_REPLACE));
	assert_ok(vmset_unmap(set, place->start + 8 * unit, MANY * unit));
	assert_ok(vmset_clear(set));
}

static void place_some(const struct place *place)
{
	struct vmset_placement where = {
		.size = sizeof(where), .guard_after = place->unit,
		.align = 4 * place->unit,
	};
	uintptr_t start;

	for (uint32_t policy = 0; policy <= VMSET_RANDOM; policy++) {
		where.policy = policy;
		assert_ok(vmset_alloc(place->set, place->unit, 1, &where,
				      &start));
	}
	assert_ok(vmset_alloc(place->set, place->unit, 1, NULL, &start));
	assert_ok(vmset_find_free_area(place->set, start, place->unit,
				       (struct vmset_range){ 0, 0 }, 0,
				       &start));
}

static void read_all(const struct place *place)
{
	struct vmset_range bounds = vmset_bounds(place->set);
	uintptr_t at = bounds.start;
	struct vmset_mismatch first;
	struct vmset_area area;

	for (; vmset_next(place->set, at, &area) == 0; at = area.end)
		assert_ok(vmset_find(place->set, area.start, &area));
	assert_that(vmset_overlaps(place->set, bounds.start, SIZE_MAX));
	assert_that(vmset_len(place->set) > 0);
	assert_that(!vmset_is_empty(place->set));
	assert_eq(vmset_granule(place->set), place->unit);
	assert_ok(vmset_verify(place->set, &first));
}

/* What is refused. */
static void be_refused(const struct place *place)
{
	struct vmset *set = place->set, *none = NULL;
	uintptr_t start = place->start;
	size_t unit = place->unit;

	assert_err(vmset_create(&none, NULL), -EINVAL);
	assert_err(vmset_reserve(&none, 0, 0), -EINVAL);
	assert_err(vmset_map(set, start, 0, 1, 0), -EINVAL);
	assert_err(vmset_map_area(set, NULL, 0), -EINVAL);
	assert_err(vmset_map(set, start, (MANY * 2 + 1) * unit, 1, 0));
	assert_err(vmset_unmap(set, UINTPTR_MAX - unit + 1, 2 * unit),
		   -EINVAL);
	assert_err(vmset_protect(set, start, 0, 1), -EINVAL);
	assert_err(vmset_alloc(set, SIZE_MAX - unit + 1, 1, NULL, &start),
		   -ENOSPC);
	assert_err(vmset_find(set, UINTPTR_MAX, NULL), -ENOENT);
	assert_err(vmset_next(set, UINTPTR_MAX, NULL), -ENOENT);
	assert_ok(vmset_map(set, start, unit, 1, VMSET_REPLACE));
	assert_err(vmset_map(set, start, unit, 1, 0), -EEXIST);
}

static void use(const struct place *place)
{
	use_much(place);
	place_some(place);
	read_all(place);
	be_refused(place);
}

/* Calls that fail, undo that fails, what is lost and comes back. */
static void fail_calls(struct layers *layers)
{
	assert_ok(vmset_clear(layers->set));
	for (uintptr_t at = 0; at < 100; at += 2)
		assert_ok(vmset_map(layers->set, at, 1, 1, 0));
	mock_fail(&layers->mock, MOCK_CALL(7), -EIO);
	assert_err(vmset_protect(layers->set, 0, 100, 2), -EIO);
	mock_fail(&layers->mock, MOCK_FROM(7), -EIO);
	assert_err(vmset_protect(layers->set, 0, 100, 2), -ENOTRECOVERABLE);
	mock_fail(&layers->mock, MOCK_FROM(3), -EIO);
	assert_err(vmset_clear(layers->set), -EIO);
	mock_heal(&layers->mock);
	assert_ok(vmset_clear(layers->set));
}

START_TEST(mock_sets_do_not_allocate)
{
	struct layers layers;
	struct vmset *set;

	layers_open(&layers, (struct layers_config){ 0 });
	begin();
	use(&(struct place){ .set = layers.set, .unit = 1 });
	fail_calls(&layers);
	assert_ok(vmset_create(&set, &(struct vmset_config){
		.size = sizeof(struct vmset_config), .bounds = { 0, 16 },
		.granule = 1, .backend = mock_backend(&layers.mock, 0) }));
	assert_ok(vmset_map(set, 0, 1, 1, 0));
	assert_ok(vmset_destroy(set));
	assert_eq(end(), 0);
	layers_close(&layers);
}
END_TEST

START_TEST(kernel_sets_do_not_allocate)
{
	struct place place = { .unit = (size_t)sysconf(_SC_PAGESIZE) };
	struct vmset_mismatch first;

	begin();
	assert_ok(vmset_reserve(&place.set, 2 * MANY * place.unit, 0));
	place.start = vmset_bounds(place.set).start;
	use(&place);
	/* Without the ioctl, verify reads the text. */
	syscalls_watch((struct vmset_range){ 0, 0 });
	syscalls_fail_ioctl(ENOTTY);
	assert_ok(vmset_verify(place.set, &first));
	syscalls_watch(vmset_bounds(place.set));
	syscalls_fail(1, 1, ENOMEM);
	assert_err(vmset_unmap(place.set, place.start, place.unit), -ENOMEM);
	syscalls_stop();
	assert_ok(vmset_destroy(place.set));
	assert_eq(end(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("malloc");
	TCase *tcase = tcase_create("malloc");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, calls_are_counted);
	tcase_add_test(tcase, only_a_file_allocates);
	tcase_add_test(tcase, mock_sets_do_not_allocate);
	tcase_add_test(tcase, kernel_sets_do_not_allocate);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
