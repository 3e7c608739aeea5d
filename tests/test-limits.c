/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The real kernel refusing: each system call of each operation fails with each
 * error that it may give, and then real limits are reached, on the number of
 * mappings, on address space, on data, on what a file or a seal allows.  After
 * every failure all pages are as they were, and the next call works.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "assert.h"
#include "filemap.h"
#include "internal.h"
#include "kernelmap.h"
#include "maps.h"
#include "pages.h"
#include "rng.h"
#include "suites.h"
#include "syscalls.h"
#include "tools.h"

#define R VMSET_READ
#define W VMSET_WRITE
#define X VMSET_EXEC

/* What is passed over is told, and is no success. */
static void not_tried(const char *what, const char *why)
{
	printf("limits: not tried: %s: %s\n", what, why);
	fflush(stdout);
}

/* Limits on memory and on mappings are those of the tool, too. */
static bool cannot_limit(const char *what)
{
	if (tools_slow())
		not_tried(what, "a sanitizer or valgrind needs the memory");
	return tools_slow();
}

/* ---- operations ---- */

enum op { MAP, REPLACE, UNMAP, PROTECT_NONE, PROTECT_R, PROTECT_RW, UPDATE,
	  ALLOC, CLEAR, OPS };

static const char *const op_names[OPS] = {
	"map", "replace", "unmap", "protect ---", "protect r--", "protect rw-",
	"update", "alloc", "clear",
};

/* An operation on the pages [from, to). */
struct deed {
	enum op op;
	size_t from, to;
};

static bool protects(enum op op)
{
	return op >= PROTECT_NONE && op <= PROTECT_RW;
}

static uint32_t protect_flags(enum op op)
{
	return op == PROTECT_NONE ? 0 : op == PROTECT_R ? R : R | W;
}

/* What can be written becomes what can be read only, and the other way. */
static bool exchange(uint32_t old_flags, uint32_t *new_flags, void *arg)
{
	(void)arg;
	if (old_flags & R)
		*new_flags = old_flags ^ W;
	return old_flags & R;
}

static int alloc(const struct pages *pages, struct deed *deed)
{
	struct vmset_placement where = {
		.size = sizeof(where), .policy = VMSET_NEAREST,
		.hint = pages_at(pages, deed->from),
	};
	uintptr_t start = 0;
	int result = vmset_alloc(pages->set, pages->page, R | W, &where,
				 &start);

	assert_eq(start != 0, result == 0);
	if (start) {
		deed->from = (start - pages->base) / pages->page;
		deed->to = deed->from + 1;
	}
	return result;
}

static int attempt(const struct pages *pages, struct deed *deed)
{
	size_t from = deed->from, to = deed->to;

	switch (deed->op) {
	case MAP:
		return pages_map(pages, from, to, R | W, 0);
	case REPLACE:
		return pages_map(pages, from, to, R | W, VMSET_REPLACE);
	case UNMAP:
		return pages_unmap(pages, from, to);
	case UPDATE:
		return vmset_update(pages->set, pages_at(pages, from),
				    (to - from) * pages->page, exchange,
				    NULL);
	case ALLOC:
		return alloc(pages, deed);
	case CLEAR:
		return vmset_clear(pages->set);
	default:
		return pages_protect(pages, from, to, protect_flags(deed->op));
	}
}

/* What it must have done if it returned 0. */
static void note(struct pages *pages, const struct deed *deed)
{
	const struct pages_cell fresh = { .mapped = true, .flags = R | W };
	size_t from = deed->from, to = deed->to;

	switch (deed->op) {
	case MAP:
	case REPLACE:
	case ALLOC:
		pages_are_mapped(pages, from, to, &fresh);
		break;
	case UNMAP:
		pages_are_free(pages, from, to);
		break;
	case UPDATE:
		for (size_t i = from; i < to; i++)
			exchange(pages->cells[i].flags,
				 &pages->cells[i].flags, NULL);
		break;
	case CLEAR:
		pages_are_free(pages, 0, PAGES_COUNT);
		break;
	default:
		pages_are_protected(pages, from, to, protect_flags(deed->op));
	}
}

/* Results that say that there was nothing to do. */
static bool idle(int result)
{
	return result == -EEXIST || result == -ENOENT || result == -ENOSPC;
}

/* ---- each call, each error ---- */

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

/* It works when nothing fails. */
static void do_now(struct pages *pages, struct deed deed)
{
	int result = attempt(pages, &deed);

	if (!idle(result)) {
		assert_ok(result);
		note(pages, &deed);
	}
	pages_check_lines(pages);
}

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
	result = attempt(pages, &deed);
	calls = syscalls_count();
	syscalls_stop();
	if (calls < number) {
		assert_that(result == 0 || idle(result));
		return false;
	}
	if (number > tally->most)
		tally->most = number;
	if (result == 0) {
		assert_that(deed.op == CLEAR ||
			    (deed.op == UNMAP && error == ENOMEM));
		note(pages, &deed);
		tally->survived++;
	} else {
		assert_err(result, -error);
		tally->refused++;
	}
	pages_check_lines(pages);
	do_now(pages, again);
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

static struct tally fail_all(enum op op, int error)
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
	printf("limits: %-12s  %-7s  %4lu refused, %4lu done in another way, "
	       "up to call %u\n", what, assert_name(-error), tally->refused,
	       tally->survived, tally->most);
	fflush(stdout);
}

START_TEST(each_call_with_each_error)
{
	for (size_t i = 0; i < ERRORS; i++) {
		struct tally tally = fail_all((enum op)_i, errors[i]);

		assert_that(tally.refused > 0 ||
			    (_i == CLEAR && tally.survived > 0));
		assert_that(tally.most > 1 || _i < PROTECT_NONE ||
			    _i > UPDATE);
		print_tally(op_names[_i], errors[i], &tally);
	}
}
END_TEST

/* Without the program's own and its heap, which grows by a mapping in a child. */
static int count_line(const struct kernelmap_line *line, void *arg)
{
	if (line->start >= (uintptr_t)sbrk(0))
		++*(size_t *)arg;
	return 0;
}

#define ALL_MEMORY ((struct vmset_range){ 0, UINTPTR_MAX })

/* Of the whole process. */
static size_t count_mappings(void)
{
	size_t count = 0;

	assert_ok(kernelmap_walk(ALL_MEMORY, count_line, &count));
	return count;
}

/*
 * Reserving makes two mappings, and three calls between them that may fail.
 * Whichever fails, none is left behind.
 */
START_TEST(reserving_fails_without_a_trace)
{
	size_t size = PAGES_COUNT * (size_t)sysconf(_SC_PAGESIZE);
	int error = errors[_i];

	if (ON_VALGRIND) {
		not_tried(__func__, "valgrind maps memory meanwhile");
		return;
	}
	for (unsigned int number = 1; number <= 5; number++) {
		size_t before = count_mappings();
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
		assert_eq(count_mappings(), before);
		assert_ok(vmset_reserve(&set, size, 0));
		assert_ok(vmset_destroy(set));
		assert_eq(count_mappings(), before);
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
	int result = attempt(pages, &deed);
	bool doomed = is_doomed(doom);

	if (doomed)
		judge(doom, result);
	else
		assert_ok(result);
	if (!result)
		note(pages, &deed);
	if (doom->past)
		pages_check_lines(pages);
	if (result)
		do_now(pages, again);
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

/* Whether there is a call with the number. */
static bool live(unsigned int number, int error, struct tally *tally)
{
	struct doom doom = { .number = number, .error = error,
			     .tally = tally };
	size_t before = count_mappings();
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
	/* What could not be unmapped may have joined its neighbours. */
	if (doom.kept)
		assert_that(count_mappings() <= before + doom.kept);
	else
		assert_eq(count_mappings(), before);
	return doom.past;
}

START_TEST(each_call_of_a_life_fails)
{
	struct tally tally = { 0 };
	unsigned int number = 0;

	if (ON_VALGRIND) {
		not_tried(__func__, "valgrind maps memory meanwhile");
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
	size_t before = count_mappings();
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
	if (doom.kept)
		assert_that(count_mappings() <= before + doom.kept);
	else
		assert_eq(count_mappings(), before);
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
		not_tried(__func__, "valgrind maps memory meanwhile");
		return;
	}
	/* The calls for a chunk are up to four, so that steps of five meet all. */
	while (grow(count, number, errors[_i], &tally))
		number += number < 40 || getenv("VMSET_TEST_LONG") ? 1 : 5;
	assert_that(tally.refused > 2 && tally.survived > 2);
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
	do_now(&pages, (struct deed){ REPLACE, 2, 12 });
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
		note(&pages, &(struct deed){ UNMAP, 1, 5 });
	pages_check_lines(&pages);
	/* Whatever was there, what comes now is fresh. */
	do_now(&pages, (struct deed){ REPLACE, 0, 6 });
	pages_close(&pages);
}
END_TEST

/*
 * Where a protect over areas is refused as if there were too many mappings, they
 * go one by one, and those again that are refused then.  Which calls fail: after
 * the question whether an mmap fits, the protect of all; after that question
 * again and an mmap, the cut that shows why; after an munmap the first area alone;
 * and, of an area that is cut, the advice that would join it again.
 */
static const struct {
	size_t to;
	unsigned long failing;          /* after call 2, a bit each */
	int result;
} protects_again[] = {
	{ 8, 1 << 2 | 1 << 4, 0 },
	{ 3, 1 << 2 | 1 << 4, -EMFILE },
	{ 3, 1 << 2 | 1 << 4 | 1 << 5, -EMFILE },
};

START_TEST(protecting_has_another_way)
{
	size_t to = protects_again[_i].to;
	struct pages pages;
	int result;

	if (ON_VALGRIND) {
		not_tried(__func__, "valgrind makes such calls itself");
		return;
	}
	pages_open(&pages, "rrrrxxxx........");
	syscalls_watch(ALL_MEMORY);
	syscalls_fail(2, protects_again[_i].failing, ENOMEM);
	result = pages_protect(&pages, 0, to, R | W);
	assert_that(syscalls_count() >= 9);
	syscalls_stop();
	if (result)
		assert_err(result, protects_again[_i].result);
	else
		pages_are_protected(&pages, 0, to, R | W);
	assert_eq(result == 0, protects_again[_i].result == 0);
	pages_check_lines(&pages);
	do_now(&pages, (struct deed){ PROTECT_RW, 0, to });
	pages_close(&pages);
}
END_TEST

/* ---- limits of the process ---- */

static rlim_t limit_to(int resource, rlim_t value)
{
	struct rlimit limit;
	rlim_t before;

	assert_ok(getrlimit(resource, &limit));
	before = limit.rlim_cur;
	limit.rlim_cur = value;
	assert_ok(setrlimit(resource, &limit));
	return before;
}

/* A size from /proc/self/status, in bytes. */
static size_t usage(const char *name)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[128];
	size_t size = 0;

	assert_that(file);
	while (!size && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)) == 0)
			sscanf(line + strlen(name), " %zu kB", &size);
	}
	fclose(file);
	assert_that(size);
	return size * 1024;
}

/* What results there are while memory for a failing assertion may lack. */
struct trial {
	int result;
	const char *wrong;
};

static struct trial try(struct pages *pages, struct deed deed)
{
	struct trial trial = { .result = attempt(pages, &deed) };

	if (!trial.result)
		note(pages, &deed);
	trial.wrong = pages_wrong(pages);
	return trial;
}

static void expect(const struct trial *trial, int result)
{
	assert_eq((unsigned int)-trial->result, (unsigned int)-result);
	if (trial->wrong)
		ck_abort_msg("%s", trial->wrong);
}

START_TEST(address_space_is_limited)
{
	struct vmset *set = NULL;
	size_t size, areas = 0;
	struct pages pages;
	uintptr_t start;
	rlim_t before;
	int reserved, mapped, other;

	if (cannot_limit(__func__))
		return;
	pages_open(&pages, shapes[0]);
	size = 8192 * pages.page;
	assert_ok(vmset_reserve(&set, size, 0));
	start = vmset_bounds(set).start;
	before = limit_to(RLIMIT_AS, usage("VmSize:"));
	reserved = vmset_reserve(&(struct vmset *){ NULL }, pages.page, 0);
	/* Records need memory in the end. */
	do
		mapped = vmset_map(set, start + 2 * areas++ * pages.page,
				   pages.page, R, 0);
	while (!mapped && 2 * areas * pages.page < size);
	other = vmset_unmap(set, start, pages.page);
	limit_to(RLIMIT_AS, before);
	assert_err(reserved, -ENOMEM);
	assert_err(mapped, -ENOMEM);
	assert_ok(other);
	assert_eq(vmset_len(set), areas - 2);
	assert_that(!vmset__check(set));
	assert_ok(vmset_verify(set, NULL));
	maps_check_lines(set);
	assert_ok(vmset_map(set, start + 2 * (areas - 1) * pages.page,
			    pages.page, R, 0));
	assert_ok(vmset_destroy(set));
	pages_check_lines(&pages);
	pages_close(&pages);
}
END_TEST

/* Now every mmap is refused.  Still memory can be given back. */
START_TEST(address_space_is_overdrawn)
{
	struct trial trials[5];
	struct pages pages;
	rlim_t before;

	if (cannot_limit(__func__))
		return;
	pages_open(&pages, ".ww.rrwxx..wwrr.");
	before = limit_to(RLIMIT_AS, usage("VmSize:") / 2);
	trials[0] = try(&pages, (struct deed){ MAP, 9, 11 });
	trials[1] = try(&pages, (struct deed){ REPLACE, 5, 10 });
	trials[2] = try(&pages, (struct deed){ UNMAP, 12, 14 });
	trials[3] = try(&pages, (struct deed){ PROTECT_R, 0, 16 });
	trials[4] = try(&pages, (struct deed){ UNMAP, 0, 11 });
	limit_to(RLIMIT_AS, before);
	expect(&trials[0], -ENOMEM);
	expect(&trials[1], -ENOMEM);
	for (size_t i = 2; i < 5; i++)
		expect(&trials[i], 0);
	pages_check_lines(&pages);
	do_now(&pages, (struct deed){ MAP, 0, 9 });
	pages_close(&pages);
}
END_TEST

/* Room for so many pages of data, so that a protect is refused midway. */
static int protect_with_room(size_t room)
{
	struct trial trials[2];
	struct pages pages;
	rlim_t before;

	pages_open(&pages, "rrxx-rrxxxrr.rrx");
	before = limit_to(RLIMIT_DATA,
			  usage("VmData:") + room * pages.page);
	trials[0] = try(&pages, (struct deed){ PROTECT_RW, 0, 16 });
	trials[1] = try(&pages, (struct deed){ PROTECT_NONE, 1, 9 });
	limit_to(RLIMIT_DATA, before);
	expect(&trials[0], trials[0].result ? -ENOMEM : 0);
	expect(&trials[1], 0);
	pages_check_lines(&pages);
	do_now(&pages, (struct deed){ PROTECT_RW, 0, 16 });
	pages_close(&pages);
	return trials[0].result;
}

START_TEST(data_is_limited)
{
	struct trial trials[3];
	struct pages pages;
	rlim_t before;

	if (cannot_limit(__func__))
		return;
	for (size_t room = 0; room < 16; room++)
		assert_that(protect_with_room(room) == -ENOMEM || room > 8);
	assert_ok(protect_with_room(64));

	pages_open(&pages, shapes[0]);
	before = limit_to(RLIMIT_DATA, pages.page);
	trials[0] = try(&pages, (struct deed){ MAP, 9, 11 });
	trials[1] = try(&pages, (struct deed){ REPLACE, 2, 14 });
	trials[2] = try(&pages, (struct deed){ UNMAP, 2, 7 });
	limit_to(RLIMIT_DATA, before);
	expect(&trials[0], -ENOMEM);
	expect(&trials[1], -ENOMEM);
	expect(&trials[2], 0);
	do_now(&pages, (struct deed){ REPLACE, 2, 14 });
	pages_close(&pages);
}
END_TEST

/* ---- what may not be written, what is sealed ---- */

/* Files at 3 to 5, 6 to 7 and 10 to 13, beside the kernel's pages. */
static void map_files(struct pages *pages, const struct vmset_backend *file)
{
	static const unsigned char places[][2] = {
		{ 3, 5 }, { 6, 7 }, { 10, 13 },
	};

	for (size_t n = 0; n < 3; n++) {
		size_t from = places[n][0], to = places[n][1];

		assert_ok(vmset_map_area(pages->set, &(struct vmset_area){
			.start = pages_at(pages, from),
			.end = pages_at(pages, to), .flags = R,
			.backend = file, .offset = from * pages->page,
		}, VMSET_REPLACE));
		for (size_t i = from; i < to; i++)
			pages->cells[i] = (struct pages_cell){
				.mapped = true, .flags = R, .backend = file,
				.content = (unsigned char)(i + 1),
			};
	}
}

/* Whether the deed meets a page of a file that it would make writable. */
static bool meets_file(const struct pages *pages, const struct deed *deed)
{
	for (size_t i = deed->from; i < deed->to; i++) {
		if (pages->cells[i].backend)
			return deed->op == PROTECT_RW || deed->op == UPDATE;
	}
	return false;
}

/* Each range of pages. */
#define FOR_EACH_RANGE(from, to)                                              \
	for (size_t from = 0; from < PAGES_COUNT; from++)                     \
		for (size_t to = from + 1; to <= PAGES_COUNT; to++)

static void write_files(struct pages *pages, struct deed deed)
{
	bool refused = meets_file(pages, &deed);
	int result = attempt(pages, &deed);

	if (refused)
		assert_err(result, -EACCES);
	else if (!idle(result))
		assert_ok(result);
	if (!result)
		note(pages, &deed);
	pages_check(pages);
}

/* Shared, and open for reading only.  The backend joins, or does not. */
START_TEST(files_may_be_read_only)
{
	static const enum op ops[] = { PROTECT_RW, UPDATE, PROTECT_NONE };
	int file = filemap_file(PAGES_COUNT), fd = filemap_read_only(file);
	struct vmset_backend_ops backend_ops = filemap_query_ops;
	struct vmset_backend backend = { &backend_ops, &fd };
	unsigned int n = 0;

	if (_i)
		backend_ops.promises |= VMSET_BACKEND_JOINS;
	FOR_EACH_RANGE(from, to) {
		struct pages pages;

		/* One of the three, in turn. */
		if (tools_slow() && (from + to) % 5)
			continue;
		pages_open(&pages, "wwrrr-xxrrrrrrww");
		map_files(&pages, &backend);
		pages_check(&pages);
		write_files(&pages, (struct deed){ ops[n++ % 3], from, to });
		write_files(&pages, (struct deed){ UNMAP, from, to });
		pages_close(&pages);
	}
	close(fd);
	close(file);
}
END_TEST

/* A set with a sealed page can never be given back. */
#define SEALED 7

/* Whether a page is sealed now, which needs a kernel that can. */
static bool open_sealed(struct pages *pages)
{
	pages_open(pages, "wwrrxxwwrr..ww-x");
	return maps_seal((struct vmset_range){
		pages_at(pages, SEALED), pages_at(pages, SEALED + 1) }) == 0;
}

static void not_sealed(const char *what)
{
	not_tried(what, "this kernel has no mseal");
}

static bool meets_sealed(const struct pages *pages, const struct deed *deed)
{
	const struct pages_cell *cell = &pages->cells[SEALED];

	if (deed->from > SEALED || deed->to <= SEALED)
		return false;
	return deed->op == UNMAP || deed->op == REPLACE ||
	       deed->op == UPDATE ||
	       cell->flags != protect_flags(deed->op);
}

/* Before, over and behind the sealed page. */
START_TEST(sealed_pages_refuse)
{
	static const enum op ops[] = { UNMAP, REPLACE, PROTECT_NONE,
				       PROTECT_R, PROTECT_RW, UPDATE };
	struct deed deed = { .op = ops[_i] };
	struct pages pages;
	int result;

	FOR_EACH_RANGE(from, to) {
		deed.from = from;
		deed.to = to;
		if (!open_sealed(&pages)) {
			not_sealed(__func__);
			return;
		}
		result = attempt(&pages, &deed);
		if (meets_sealed(&pages, &deed))
			assert_err(result, -EPERM);
		else if (!idle(result))
			assert_ok(result);
		if (!result)
			note(&pages, &deed);
		pages_check_lines(&pages);
		do_now(&pages, (struct deed){ REPLACE, 8, 15 });
		assert_err(vmset_destroy(pages.set), -EPERM);
		pages_check_lines(&pages);
		close(pages.memory);
	}
	assert_about(NULL);
}
END_TEST

/* ---- the number of mappings ---- */

/* A set whose areas are so many that the process can have no more mappings. */
struct filler {
	struct vmset *set;
	uintptr_t base;
	size_t page, areas;
};

static int filler_grow(struct filler *filler)
{
	int result = vmset_map(filler->set,
			       filler->base + 2 * filler->areas * filler->page,
			       filler->page, R, 0);

	if (!result)
		filler->areas++;
	return result;
}

static int filler_shrink(struct filler *filler)
{
	int result = vmset_unmap(filler->set, filler->base +
				 2 * (filler->areas - 1) * filler->page,
				 filler->page);

	if (!result)
		filler->areas--;
	return result;
}

/* Two mappings each time, and then one if there is room for it. */
static int fill_up(struct filler *filler, size_t limit)
{
	int result;

	filler->page = (size_t)sysconf(_SC_PAGESIZE);
	assert_ok(vmset_reserve(&filler->set, 2 * limit * filler->page, 0));
	filler->base = vmset_bounds(filler->set).start;
	do
		result = filler_grow(filler);
	while (!result);
	vmset_map(filler->set, filler->base + (2 * filler->areas - 1) *
		  filler->page, filler->page, R | W, 0);
	return result;
}

/* Whether there is no result to be had, which is told. */
static bool cannot_fill(const char *what)
{
	if (cannot_limit(what))
		return true;
	if (!maps_limit())
		not_tried(what, "vm.max_map_count is unknown, or so large "
			  "that filling up to it takes too long");
	return !maps_limit();
}

START_TEST(whole_areas_go_at_the_limit)
{
	/* Each of the areas, and in the end what is beside each other. */
	static const struct deed deeds[] = {
		{ UNMAP, 1, 3 }, { UNMAP, 4, 6 }, { UNMAP, 7, 8 },
		{ UNMAP, 10, 12 }, { UNMAP, 12, 16 },
	};
	enum { COUNT = sizeof(deeds) / sizeof(*deeds) };
	struct filler filler = { 0 };
	struct trial trials[COUNT];
	struct trial refused;
	struct pages pages;
	int filled;

	if (cannot_fill(__func__))
		return;
	pages_open(&pages, ".ww.rr.-..xxwwrr");
	filled = fill_up(&filler, maps_limit());
	refused = try(&pages, (struct deed){ UNMAP, 13, 14 });
	for (size_t i = 0; i < COUNT; i++) {
		trials[i] = try(&pages, deeds[i]);
		/* What is given back is taken at once. */
		while (filler_grow(&filler) == 0)
			continue;
	}
	assert_ok(vmset_destroy(filler.set));
	assert_err(filled, -EMFILE);
	expect(&refused, -EMFILE);
	for (size_t i = 0; i < COUNT; i++)
		expect(&trials[i], 0);
	pages_check_lines(&pages);
	do_now(&pages, (struct deed){ MAP, 0, 16 });
	pages_close(&pages);
}
END_TEST

/*
 * Two cuts are needed where there is room for one mapping, or for none: what the
 * kernel has cut before it refuses is joined again.
 */
START_TEST(a_refused_cut_leaves_no_mapping)
{
	enum { ROOMS = 4 };
	size_t before[ROOMS], after[ROOMS], refused = 0;
	const struct deed deed = { PROTECT_R, 7, 8 };
	struct filler filler = { 0 };
	struct trial trials[ROOMS];
	struct pages pages;
	uintptr_t beside;

	if (cannot_fill(__func__))
		return;
	pages_open(&pages, "wwwwwwwwwwwwwwww");
	fill_up(&filler, maps_limit());
	while (refused < ROOMS) {
		before[refused] = count_mappings();
		trials[refused] = try(&pages, deed);
		after[refused] = count_mappings();
		if (trials[refused].result == 0)
			break;
		/* Two back and one of them taken, that one back, and two more. */
		if (++refused != 2)
			filler_shrink(&filler);
		beside = filler.base + (2 * filler.areas - 1) * filler.page;
		if (refused == 1)
			vmset_map(filler.set, beside, filler.page, R | W, 0);
		else if (refused == 2)
			vmset_unmap(filler.set, beside, filler.page);
	}
	assert_ok(vmset_destroy(filler.set));
	assert_that(refused > 1 && refused < ROOMS);
	for (size_t i = 0; i < refused; i++) {
		expect(&trials[i], -EMFILE);
		assert_eq(after[i], before[i]);
	}
	expect(&trials[refused], 0);
	pages_check_lines(&pages);
	pages_close(&pages);
}
END_TEST

/* All of a set can be given up, and then there is room again. */
START_TEST(clearing_works_at_the_limit)
{
	struct filler filler = { 0 };
	struct trial trials[2];
	struct pages pages;
	int filled, cleared, lost, verified;

	if (cannot_fill(__func__))
		return;
	pages_open(&pages, shapes[0]);
	filled = fill_up(&filler, maps_limit());
	trials[0] = try(&pages, (struct deed){ PROTECT_NONE, 6, 14 });
	lost = vmset_verify(filler.set, NULL);
	cleared = vmset_clear(filler.set);
	verified = vmset_verify(filler.set, NULL);
	trials[1] = try(&pages, (struct deed){ PROTECT_NONE, 6, 14 });
	maps_check_lines(filler.set);
	assert_ok(vmset_destroy(filler.set));
	assert_err(filled, -EMFILE);
	expect(&trials[0], -EMFILE);
	assert_ok(lost);
	assert_ok(cleared);
	assert_ok(verified);
	expect(&trials[1], 0);
	pages_check_lines(&pages);
	pages_close(&pages);
}
END_TEST

/* Two reasons to refuse at once. */
START_TEST(sealed_pages_refuse_at_the_limit)
{
	static const struct deed deeds[] = {
		{ UNMAP, 0, 16 }, { UNMAP, 0, 8 }, { UNMAP, 6, 10 },
		{ PROTECT_R, 0, 10 }, { UNMAP, 2, 6 }, { UNMAP, 8, 16 },
	};
	struct filler filler = { 0 };
	struct trial trials[6];
	struct pages pages;

	if (cannot_fill(__func__))
		return;
	if (!open_sealed(&pages)) {
		not_sealed(__func__);
		return;
	}
	fill_up(&filler, maps_limit());
	for (size_t i = 0; i < 6; i++) {
		trials[i] = try(&pages, deeds[i]);
		while (filler_grow(&filler) == 0)
			continue;
	}
	assert_ok(vmset_destroy(filler.set));
	for (size_t i = 0; i < 4; i++) {
		assert_that(trials[i].result == -EMFILE ||
			    trials[i].result == -EPERM);
		expect(&trials[i], trials[i].result);
	}
	expect(&trials[4], 0);
	expect(&trials[5], 0);
	pages_check_lines(&pages);
}
END_TEST

/* ---- at random, near the limit ---- */

struct walk {
	struct rng rng;
	bool clears;                    /* and allocs, which the first did not */
	struct pages pages;
	struct filler filler;
	unsigned long done[OPS], refused[OPS];
	const char *wrong;
};

static bool any_mapped(const struct pages *pages, const struct deed *deed)
{
	for (size_t i = deed->from; i < deed->to; i++) {
		if (pages->cells[i].mapped)
			return true;
	}
	return false;
}

/* Some of the new pages, in some order: the kernel does not join all then. */
static void fill_some(struct walk *walk, const struct deed *deed)
{
	size_t count = deed->to - deed->from;

	for (size_t i = 0; i < count; i++) {
		uint32_t n = rng_below(&walk->rng, (uint32_t)count);

		if (i % 2)
			pages_fill(&walk->pages, deed->from + n,
				   (unsigned char)rng_next(&walk->rng));
	}
}

static bool all_mapped(const struct pages *pages)
{
	for (size_t i = 0; i < PAGES_COUNT; i++) {
		if (!pages->cells[i].mapped)
			return false;
	}
	return true;
}

/* Nothing refuses but what is there already, and too many mappings. */
static bool is_due(const struct pages *pages, const struct deed *deed,
		   int result)
{
	bool mapped = any_mapped(pages, deed);

	switch (result) {
	case -EMFILE:
		return true;
	case -EEXIST:
		return deed->op == MAP && mapped;
	case -ENOSPC:
		return deed->op == ALLOC && all_mapped(pages);
	case -ENOENT:
		return (deed->op == UPDATE || protects(deed->op)) && !mapped;
	default:
		return false;
	}
}

/* Clearing, which leaves nothing for the others, comes now and then. */
static enum op choose_op(struct walk *walk)
{
	if (walk->clears && rng_below(&walk->rng, 64) == 0)
		return CLEAR;
	return (enum op)rng_below(&walk->rng, walk->clears ? CLEAR : ALLOC);
}

static void step(struct walk *walk)
{
	uint32_t from = rng_below(&walk->rng, PAGES_COUNT);
	enum op op = choose_op(walk);
	uint32_t most = from + 6 < PAGES_COUNT ? 6 : PAGES_COUNT - from;
	struct deed deed = { op, from,
			     from + 1 + rng_below(&walk->rng, most) };
	int result = attempt(&walk->pages, &deed);

	if (result == 0) {
		walk->done[op]++;
		note(&walk->pages, &deed);
		if (op == MAP || op == REPLACE || op == ALLOC)
			fill_some(walk, &deed);
	} else if (!is_due(&walk->pages, &deed, result)) {
		walk->wrong = assert_name(result);
	} else if (result == -EMFILE) {
		walk->refused[op]++;
	}
}

/* Others take mappings, and sometimes give some back. */
static void move_limit(struct walk *walk)
{
	uint32_t count = 1 + rng_below(&walk->rng, 3);

	if (rng_below(&walk->rng, 4)) {
		filler_grow(&walk->filler);
		return;
	}
	while (count--)
		filler_shrink(&walk->filler);
}

static void walk_along(struct walk *walk, unsigned long steps)
{
	for (unsigned long i = 0; i < steps && !walk->wrong; i++) {
		if (rng_below(&walk->rng, 4) == 0)
			move_limit(walk);
		step(walk);
		if (!walk->wrong)
			walk->wrong = pages_wrong(&walk->pages);
		if (i % 64 == 0 && !walk->wrong)
			pages_check(&walk->pages);
	}
}

static void print_walk(const struct walk *walk)
{
	for (size_t i = 0; i < OPS; i++) {
		if (walk->done[i])
			printf("limits: %-12s  near the limit  %7lu done, "
			       "%7lu refused\n", op_names[i], walk->done[i],
			       walk->refused[i]);
	}
	fflush(stdout);
}

/* What is free costs no mapping, so all of the set can be given up. */
static void check_walk(const struct walk *walk)
{
	enum op last = walk->clears ? CLEAR : UPDATE;

	for (enum op op = 0; op <= last; op++) {
		assert_that(walk->done[op] > 100);
		assert_eq(walk->refused[op] > 100, op != CLEAR);
	}
}

/* The first two once found a way to half-changed areas. */
static const struct {
	uint64_t seed;
	bool clears;
} walks[] = { { 77, false }, { 201, false }, { 1, true } };

#define WALKS ((int)(sizeof(walks) / sizeof(*walks)))

START_TEST(nothing_is_half_done_near_the_limit)
{
	struct walk walk = { .rng = rng_start(NULL, walks[_i].seed),
			     .clears = walks[_i].clears };

	if (cannot_fill(__func__))
		return;
	pages_open(&walk.pages, shapes[0]);
	fill_up(&walk.filler, maps_limit());
	walk_along(&walk, tools_rounds(50000));
	if (!walk.wrong && vmset_verify(walk.filler.set, NULL))
		walk.wrong = "the filler is not the same";
	assert_ok(vmset_destroy(walk.filler.set));
	if (walk.wrong)
		ck_abort_msg("%s", walk.wrong);
	print_walk(&walk);
	check_walk(&walk);
	pages_check_lines(&walk.pages);
	do_now(&walk.pages, (struct deed){ REPLACE, 0, 16 });
	pages_close(&walk.pages);
}
END_TEST

Suite *suite_limits(void)
{
	Suite *suite = suite_create("limits");
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
	tcase_add_loop_test(tcase, protecting_has_another_way, 0, 3);
	suite_add_tcase(suite, tcase);

	tcase = tcase_create("limits");
	tcase_set_timeout(tcase, 3600);
	tcase_add_test(tcase, address_space_is_limited);
	tcase_add_test(tcase, address_space_is_overdrawn);
	tcase_add_test(tcase, data_is_limited);
	tcase_add_loop_test(tcase, files_may_be_read_only, 0, 2);
	tcase_add_loop_test(tcase, sealed_pages_refuse, 0, 6);
	tcase_add_test(tcase, whole_areas_go_at_the_limit);
	tcase_add_test(tcase, a_refused_cut_leaves_no_mapping);
	tcase_add_test(tcase, clearing_works_at_the_limit);
	tcase_add_test(tcase, sealed_pages_refuse_at_the_limit);
	tcase_add_loop_test(tcase, nothing_is_half_done_near_the_limit, 0,
			    WALKS);
	suite_add_tcase(suite, tcase);
	return suite;
}
