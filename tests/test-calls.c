/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The real kernel refusing: each system call of each operation, and of all that a
 * set's life takes, fails with each error that it may give.  After every failure
 * all pages are as they were, and the next call works.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "assert.h"
#include "deeds.h"
#include "internal.h"
#include "maps.h"
#include "pages.h"
#include "suites.h"
#include "syscalls.h"
#include "tools.h"

#define R VMSET_READ
#define W VMSET_WRITE

static const int errors[] = { ENOMEM, EACCES, EPERM, EAGAIN };

static const char *const shapes[] = {
	".ww.rrwrr..wwrr.", "wwwwwwwwwwwwwwww", "wrwxrw-rwxrwr-wr",
	"--ww--rr--..--xx", "ww......rrr.....",
};

#define ERRORS (sizeof(errors) / sizeof(*errors))
#define SHAPES (sizeof(shapes) / sizeof(*shapes))

/* What became of calls that were made to fail. */
struct tally {
	unsigned long refused, survived;
	unsigned int most;              /* number of a call that failed */
};

/*
 * The deed with one call failing, and once more.  Whether there is such a call.
 * An unmap has other ways where memory is what it lacks; and clear tries each
 * area by itself.
 */
static bool fail_call(struct pages *pages, struct deed deed,
		      unsigned int number, int error, struct tally *tally)
{
	const struct deed again = deed;
	unsigned int calls;
	int result;

	syscalls_watch(vmset_bounds(pages->set));
	syscalls_fail(number, 0, error);
	result = deed_try(pages, &deed);
	calls = syscalls_count();
	syscalls_stop();
	if (calls < number) {
		assert_that(result == 0 || deed_is_idle(result));
		return false;
	}
	if (number > tally->most)
		tally->most = number;
	if (result == 0) {
		assert_that(deed.op == CLEAR ||
			    (deed.op == UNMAP && error == ENOMEM));
		deed_note(pages, &deed);
		tally->survived++;
	} else {
		assert_err(result, -error);
		tally->refused++;
	}
	pages_check_lines(pages);
	deed_do(pages, again);
	return true;
}

static void fail_each_call(const char *shape, struct deed deed, int error,
			   struct tally *tally)
{
	struct pages pages;
	unsigned int number = 0;
	bool failed;

	do {
		pages_open(&pages, shape);
		failed = fail_call(&pages, deed, ++number, error, tally);
		pages_close(&pages);
	} while (failed);
}

/* Where ranges begin and end: between, at the ends and inside of areas. */
static const unsigned char cuts[] = { 0, 2, 3, 5, 9, 12, 16 };

#define CUTS (sizeof(cuts) / sizeof(*cuts))

static struct tally fail_all(enum deed_op op, int error)
{
	size_t step = tools_slow() ? 2 : 1;
	struct tally tally = { 0 };

	for (size_t i = 0; i < SHAPES; i++) {
		for (size_t from = 0; from + 1 < CUTS; from += step) {
			for (size_t to = from + 1; to < CUTS; to += step)
				fail_each_call(shapes[i], (struct deed){
					op, cuts[from], cuts[to] }, error,
					&tally);
		}
	}
	return tally;
}

static void print_tally(const char *what, int error,
			const struct tally *tally)
{
	printf("calls: %-12s  %-7s  %4lu refused, %4lu done in another way, "
	       "up to call %u\n", what, assert_name(-error), tally->refused,
	       tally->survived, tally->most);
	fflush(stdout);
}

START_TEST(each_call_with_each_error)
{
	for (size_t i = 0; i < ERRORS; i++) {
		struct tally tally = fail_all((enum deed_op)_i, errors[i]);

		assert_that(tally.refused > 0 ||
			    (_i == CLEAR && tally.survived > 0));
		assert_that(tally.most > 1 || _i < PROTECT_NONE ||
			    _i > UPDATE);
		print_tally(deed_names[_i], errors[i], &tally);
	}
}
END_TEST

#define ALL_MEMORY ((struct vmset_range){ 0, UINTPTR_MAX })

/*
 * Reserving makes two mappings, and three calls between them that may fail.
 * Whichever fails, none is left behind.
 */
START_TEST(reserving_fails_without_a_trace)
{
	size_t size = PAGES_COUNT * (size_t)sysconf(_SC_PAGESIZE);
	int error = errors[_i];

	if (ON_VALGRIND) {
		tools_not_tried(__func__, "valgrind maps memory meanwhile");
		return;
	}
	for (unsigned int number = 1; number <= 5; number++) {
		size_t before = maps_count();
		struct vmset *set = NULL;
		int result;

		syscalls_watch(ALL_MEMORY);
		syscalls_fail(number, 0, error);
		result = vmset_reserve(&set, size, 0);
		syscalls_stop();
		if (number > 1 && number < 5) {
			assert_ok(result);
			assert_ok(vmset_destroy(set));
		} else {
			assert_err(result, number == 1 ? -error : -ENOMEM);
			assert_that(!set);
		}
		assert_eq(maps_count(), before);
		assert_ok(vmset_reserve(&set, size, 0));
		assert_ok(vmset_destroy(set));
		assert_eq(maps_count(), before);
	}
}
END_TEST

/*
 * What is done to a set from its reservation to its end, of which each call for
 * memory fails in turn: also those for records, and those that ask why.
 */
static const struct deed life[] = {
	{ MAP, 0, 9 }, { ALLOC, 12, 13 }, { PROTECT_R, 3, 7 },
	{ REPLACE, 5, 11 }, { UNMAP, 2, 4 }, { UPDATE, 0, 16 },
	{ MAP, 14, 16 }, { PROTECT_NONE, 6, 15 }, { CLEAR, 0, 16 },
	{ MAP, 2, 5 }, { ALLOC, 4, 5 },
};

#define DEEDS (sizeof(life) / sizeof(*life))

/* One call of all is to fail. */
struct doom {
	unsigned int number;
	int error;
	bool past;                      /* it has failed */
	unsigned int kept;              /* mappings, since it was a munmap */
	struct tally *tally;
};

/* Whether the call that fails was among those until now, the first time. */
static bool is_doomed(struct doom *doom)
{
	if (doom->past || syscalls_count() < doom->number)
		return false;
	doom->past = true;
	doom->kept = syscalls_kept();
	syscalls_stop();
	return true;
}

/* A call of the library may do without one of the kernel, or tell of it. */
static void judge(const struct doom *doom, int result)
{
	struct tally *tally = doom->tally;

	if (doom->number > tally->most)
		tally->most = doom->number;
	if (result == 0) {
		tally->survived++;
		return;
	}
	/* Records find no memory; or who asks why there is none hears that. */
	if (result != -ENOMEM &&
	    (result != -EMFILE || doom->error != ENOMEM))
		assert_err(result, -doom->error);
	tally->refused++;
}

static int reserve_doomed(struct vmset **set, struct doom *doom)
{
	size_t size = PAGES_COUNT * (size_t)sysconf(_SC_PAGESIZE);
	int result = vmset_reserve(set, size, 0);

	if (!is_doomed(doom))
		return result;
	judge(doom, result);
	assert_eq(*set != NULL, result == 0);
	return result ? vmset_reserve(set, size, 0) : 0;
}

static void do_doomed(struct pages *pages, struct deed deed, struct doom *doom)
{
	const struct deed again = deed;
	int result = deed_try(pages, &deed);
	bool doomed = is_doomed(doom);

	if (doomed)
		judge(doom, result);
	else
		assert_ok(result);
	if (!result)
		deed_note(pages, &deed);
	if (doom->past)
		pages_check_lines(pages);
	if (result)
		deed_do(pages, again);
}

static void destroy_doomed(struct pages *pages, struct doom *doom)
{
	int result = vmset_destroy(pages->set);

	if (!is_doomed(doom)) {
		assert_ok(result);
	} else {
		judge(doom, result);
		if (result) {
			pages_check_lines(pages);
			assert_ok(vmset_destroy(pages->set));
		}
	}
	pages_leave(pages);
}

/*
 * Nothing stays mapped but what could not be unmapped, and that may have joined
 * its neighbours.  A sanitizer maps memory of its own meanwhile.
 */
static void check_leftover(const struct doom *doom, size_t before)
{
	size_t after = maps_count();

	if (tools_slow())
		return;
	if (doom->kept)
		assert_that(after <= before + doom->kept);
	else
		assert_eq(after, before);
}

/* Whether there is a call with the number. */
static bool live(unsigned int number, int error, struct tally *tally)
{
	struct doom doom = { .number = number, .error = error,
			     .tally = tally };
	size_t before = maps_count();
	struct vmset *set = NULL;
	struct pages pages;

	syscalls_watch(ALL_MEMORY);
	syscalls_fail(number, 0, error);
	assert_ok(reserve_doomed(&set, &doom));
	pages_adopt(&pages, set);
	for (size_t i = 0; i < DEEDS; i++)
		do_doomed(&pages, life[i], &doom);
	destroy_doomed(&pages, &doom);
	syscalls_stop();
	check_leftover(&doom, before);
	return doom.past;
}

START_TEST(each_call_of_a_life_fails)
{
	struct tally tally = { 0 };
	unsigned int number = 0;

	if (ON_VALGRIND) {
		tools_not_tried(__func__, "valgrind maps memory meanwhile");
		return;
	}
	while (live(++number, errors[_i], &tally))
		continue;
	assert_that(tally.most > DEEDS && tally.refused > DEEDS &&
		    tally.survived > 0);
	print_tally("a life", errors[_i], &tally);
}
END_TEST

static int do_nothing_to_map(void *ctx, uintptr_t start, size_t size,
			     uint32_t flags, uint64_t offset)
{
	(void)ctx, (void)start, (void)size, (void)flags, (void)offset;
	return 0;
}

static int do_nothing(void *ctx, uintptr_t start, size_t size)
{
	(void)ctx, (void)start, (void)size;
	return 0;
}

static int do_nothing_to_protect(void *ctx, uintptr_t start, size_t size,
				 uint32_t flags)
{
	(void)ctx, (void)start, (void)size, (void)flags;
	return 0;
}

static const struct vmset_backend_ops nothing_ops = {
	.size = sizeof(nothing_ops), .map = do_nothing_to_map,
	.unmap = do_nothing, .protect = do_nothing_to_protect,
};

static const struct vmset_backend nothing = { &nothing_ops, NULL };

static int create_doomed(struct vmset **set, struct doom *doom)
{
	const struct vmset_config config = {
		.size = sizeof(config), .bounds = { 0, 1 << 20 },
		.granule = 1, .backend = &nothing,
	};
	int result = vmset_create(set, &config);

	if (!is_doomed(doom))
		return result;
	judge(doom, result);
	assert_eq(*set != NULL, result == 0);
	return result ? vmset_create(set, &config) : 0;
}

/* The same, where it may fail, once more if it does. */
static int again_if_doomed(struct vmset *set, int result, size_t areas,
			   struct doom *doom)
{
	if (!is_doomed(doom))
		return result;
	judge(doom, result);
	assert_that(!vmset__check(set));
	assert_eq(vmset_len(set), areas + (result == 0));
	return result;
}

/* Whether there is a call with the number. */
static bool grow(size_t count, unsigned int number, int error,
		 struct tally *tally)
{
	struct doom doom = { .number = number, .error = error,
			     .tally = tally };
	size_t before = maps_count();
	struct vmset *set = NULL;
	int result;

	syscalls_watch(ALL_MEMORY);
	syscalls_fail(number, 0, error);
	assert_ok(create_doomed(&set, &doom));
	/* With a few more when it is past. */
	for (size_t i = 0; i < count; i++) {
		if (doom.past && i + 1000 < count)
			count = i + 1000;
		result = again_if_doomed(set, vmset_map(set, 2 * i, 1, R, 0),
					 i, &doom);
		if (result)
			assert_ok(vmset_map(set, 2 * i, 1, R, 0));
	}
	assert_that(!vmset__check(set));
	assert_eq(vmset_len(set), count);
	/* Nothing of this needs the kernel but the memory of the set itself. */
	result = vmset_destroy(set);
	if (is_doomed(&doom))
		judge(&doom, result);
	assert_ok(result);
	syscalls_stop();
	check_leftover(&doom, before);
	return doom.past;
}

/* Once with so many areas that their records lie on huge pages. */
START_TEST(each_call_for_records_fails)
{
	bool large = errors[_i] == ENOMEM || getenv("VMSET_TEST_LONG");
	size_t count = large && !tools_slow() ? 150000 : 5000;
	struct tally tally = { 0 };
	unsigned int number = 1;

	if (ON_VALGRIND) {
		tools_not_tried(__func__, "valgrind maps memory meanwhile");
		return;
	}
	/* The calls for a chunk are up to four, so that steps of five meet all. */
	while (grow(count, number, errors[_i], &tally))
		number += number < 40 || getenv("VMSET_TEST_LONG") ? 1 : 5;
	assert_that(tally.refused > 0 && tally.survived > 0);
	print_tally("records", errors[_i], &tally);
}
END_TEST

/* A munmap that fails leaves all of the set. */
START_TEST(destroying_fails_whole)
{
	struct vmset_range bounds;
	struct pages pages;
	int result;

	pages_open(&pages, shapes[0]);
	bounds = vmset_bounds(pages.set);
	bounds.start -= pages.page;     /* its page in front */
	syscalls_watch(bounds);
	syscalls_fail(1, 0, errors[_i]);
	result = vmset_destroy(pages.set);
	assert_eq(syscalls_count(), 1);
	syscalls_stop();
	assert_err(result, -errors[_i]);
	pages_check_lines(&pages);
	deed_do(&pages, (struct deed){ REPLACE, 2, 12 });
	pages_close(&pages);
}
END_TEST

/*
 * Where mmap is refused for want of memory, an unmap goes this way instead: see
 * that the range may be had, take the rights, and mmap or at least madvise.
 * Calls from 1 on, a bit each, that fail, and what comes of it.
 */
static const struct {
	unsigned long failing;
	int result;
	unsigned int calls;
} ways[] = {
	{ 1 << 0, 0, 4 },                       /* mmap */
	{ 1 << 0 | 1 << 1, -ENOMEM, 2 },        /* and it may not be had */
	{ 1 << 0 | 1 << 3, 0, 5 },              /* nor does the second mmap */
	{ 1 << 0 | 1 << 3 | 1 << 4, 0, 5 },     /* nor madvise */
	{ 1 << 0 | 1 << 2, -ENOTRECOVERABLE, 3 },
};

#define WAYS ((int)(sizeof(ways) / sizeof(*ways)))

START_TEST(unmapping_has_other_ways)
{
	struct pages pages;
	int result;

	pages_open(&pages, ".wwww.rrrrrrrrrr");
	syscalls_watch(vmset_bounds(pages.set));
	syscalls_fail(1, ways[_i].failing >> 1, ENOMEM);
	result = pages_unmap(&pages, 1, 5);
	assert_eq(syscalls_count(), ways[_i].calls);
	syscalls_stop();
	assert_err(result ? result : -EAGAIN,
		   ways[_i].result ? ways[_i].result : -EAGAIN);
	if (result == -ENOTRECOVERABLE) {
		assert_eq(vmset_verify(pages.set, NULL), 1);
		assert_ok(pages_unmap(&pages, 1, 5));
	}
	if (result != -ENOMEM)
		deed_note(&pages, &(struct deed){ UNMAP, 1, 5 });
	pages_check_lines(&pages);
	/* Whatever was there, what comes now is fresh. */
	deed_do(&pages, (struct deed){ REPLACE, 0, 6 });
	pages_close(&pages);
}
END_TEST

/*
 * The calls of a protect.  Whether an mmap fits is asked only where areas may
 * join that would have to be cut again if something fails.
 */
static const struct {
	size_t from, to;
	uint32_t flags;
	unsigned calls;
} protects[] = {
	{ 0, 4, R | W, 0 },             /* has the flags */
	{ 1, 3, R | W, 0 },
	{ 0, 4, R, 1 },                 /* a kernel area by itself */
	{ 1, 3, R, 1 },                 /* joins nothing */
	{ 4, 7, R | VMSET_EXEC, 1 },
	{ 1, 3, 0, 2 },                 /* ... the free room */
	{ 2, 4, R, 2 },                 /* ... the neighbour behind */
	{ 4, 6, R | W, 2 },             /* ... the one before */
	{ 0, 8, R | VMSET_EXEC, 2 },             /* ... each other */
	{ 2, 6, R | VMSET_EXEC, 3 },
};

START_TEST(protecting_asks_where_it_matters)
{
	size_t from = protects[_i].from, to = protects[_i].to;
	struct pages pages;
	unsigned calls;

	if (ON_VALGRIND) {
		tools_not_tried(__func__, "valgrind makes such calls itself");
		return;
	}
	pages_open(&pages, "wwwwrrrr........");
	syscalls_watch(ALL_MEMORY);
	assert_ok(pages_protect(&pages, from, to, protects[_i].flags));
	calls = syscalls_count();
	syscalls_stop();
	assert_eq(calls, protects[_i].calls);
	pages_are_protected(&pages, from, to, protects[_i].flags);
	pages_check_lines(&pages);
	pages_close(&pages);
}
END_TEST

/*
 * Where a protect over areas is refused as if there were too many mappings, they
 * go one by one, and those again that are refused then.  Which calls fail: after
 * the question whether an mmap fits, if that is asked, the protect of all; after
 * that question and an mmap, the cut that shows why; after an munmap the first
 * area alone; and, of an area that is cut, the advice that would join it again.
 */
static const struct {
	size_t to;
	unsigned first;                 /* the first call that fails */
	unsigned long failing;          /* after that, a bit each */
	int result;
} protects_again[] = {
	{ 8, 2, 1 << 2 | 1 << 4, 0 },
	{ 3, 1, 1 << 2 | 1 << 4, -EMFILE },
	{ 3, 1, 1 << 2 | 1 << 4 | 1 << 5, -EMFILE },
};

START_TEST(protecting_has_another_way)
{
	size_t to = protects_again[_i].to;
	struct pages pages;
	int result;

	if (ON_VALGRIND) {
		tools_not_tried(__func__, "valgrind makes such calls itself");
		return;
	}
	pages_open(&pages, "rrrrxxxx........");
	syscalls_watch(ALL_MEMORY);
	syscalls_fail(protects_again[_i].first, protects_again[_i].failing,
		      ENOMEM);
	result = pages_protect(&pages, 0, to, R | W);
	assert_that(syscalls_count() >= protects_again[_i].first + 7);
	syscalls_stop();
	if (result)
		assert_err(result, protects_again[_i].result);
	else
		pages_are_protected(&pages, 0, to, R | W);
	assert_eq(result == 0, protects_again[_i].result == 0);
	pages_check_lines(&pages);
	deed_do(&pages, (struct deed){ PROTECT_RW, 0, to });
	pages_close(&pages);
}
END_TEST

Suite *suite_calls(void)
{
	Suite *suite = suite_create("calls");
	TCase *tcase = tcase_create("calls that fail");

	tcase_set_timeout(tcase, 3600);
	tcase_add_loop_test(tcase, each_call_with_each_error, 0, OPS);
	tcase_add_loop_test(tcase, reserving_fails_without_a_trace, 0,
			    (int)ERRORS);
	tcase_add_loop_test(tcase, each_call_of_a_life_fails, 0, (int)ERRORS);
	tcase_add_loop_test(tcase, each_call_for_records_fails, 0,
			    (int)ERRORS);
	tcase_add_loop_test(tcase, destroying_fails_whole, 0, (int)ERRORS);
	tcase_add_loop_test(tcase, unmapping_has_other_ways, 0, WAYS);
	tcase_add_loop_test(tcase, protecting_asks_where_it_matters, 0,
			    sizeof(protects) / sizeof(*protects));
	tcase_add_loop_test(tcase, protecting_has_another_way, 0, 3);
	suite_add_tcase(suite, tcase);
	return suite;
}
