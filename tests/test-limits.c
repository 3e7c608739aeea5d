/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The real kernel at its limits, on the number of mappings, on address space, on
 * data, on what a file or a seal allows.  After every failure all pages are as
 * they were, and the next call works.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "assert.h"
#include "deeds.h"
#include "filemap.h"
#include "internal.h"
#include "maps.h"
#include "pages.h"
#include "rng.h"
#include "suites.h"
#include "tools.h"

#define R VMSET_READ
#define W VMSET_WRITE

/* Areas of all kinds, and free room between them. */
#define SHAPE ".ww.rrwrr..wwrr."

/* Limits on memory and on mappings are those of the tool, too. */
static bool cannot_limit(const char *what)
{
	if (tools_slow())
		tools_not_tried(what, "a sanitizer or valgrind needs the memory");
	return tools_slow();
}

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
	struct trial trial = { .result = deed_try(pages, &deed) };

	if (!trial.result)
		deed_note(pages, &deed);
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
	pages_open(&pages, SHAPE);
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
	deed_do(&pages, (struct deed){ MAP, 0, 9 });
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
	deed_do(&pages, (struct deed){ PROTECT_RW, 0, 16 });
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

	pages_open(&pages, SHAPE);
	before = limit_to(RLIMIT_DATA, pages.page);
	trials[0] = try(&pages, (struct deed){ MAP, 9, 11 });
	trials[1] = try(&pages, (struct deed){ REPLACE, 2, 14 });
	trials[2] = try(&pages, (struct deed){ UNMAP, 2, 7 });
	limit_to(RLIMIT_DATA, before);
	expect(&trials[0], -ENOMEM);
	expect(&trials[1], -ENOMEM);
	expect(&trials[2], 0);
	deed_do(&pages, (struct deed){ REPLACE, 2, 14 });
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
	int result = deed_try(pages, &deed);

	if (refused)
		assert_err(result, -EACCES);
	else if (!deed_is_idle(result))
		assert_ok(result);
	if (!result)
		deed_note(pages, &deed);
	pages_check(pages);
}

/* Shared, and open for reading only.  The backend joins, or does not. */
START_TEST(files_may_be_read_only)
{
	static const enum deed_op ops[] = { PROTECT_RW, UPDATE, PROTECT_NONE };
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
	tools_not_tried(what, "this kernel has no mseal");
}

static bool meets_sealed(const struct pages *pages, const struct deed *deed)
{
	const struct pages_cell *cell = &pages->cells[SEALED];

	if (deed->from > SEALED || deed->to <= SEALED)
		return false;
	return deed->op == UNMAP || deed->op == REPLACE ||
	       deed->op == UPDATE ||
	       cell->flags != deed_flags(deed->op);
}

/* Before, over and behind the sealed page. */
START_TEST(sealed_pages_refuse)
{
	static const enum deed_op ops[] = { UNMAP, REPLACE, PROTECT_NONE,
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
		result = deed_try(&pages, &deed);
		if (meets_sealed(&pages, &deed))
			assert_err(result, -EPERM);
		else if (!deed_is_idle(result))
			assert_ok(result);
		if (!result)
			deed_note(&pages, &deed);
		pages_check_lines(&pages);
		deed_do(&pages, (struct deed){ REPLACE, 8, 15 });
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
		tools_not_tried(what, "vm.max_map_count is unknown, or so large "
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
	deed_do(&pages, (struct deed){ MAP, 0, 16 });
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
		before[refused] = maps_count();
		trials[refused] = try(&pages, deed);
		after[refused] = maps_count();
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
	pages_open(&pages, SHAPE);
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
		return (deed->op == UPDATE || deed_protects(deed->op)) && !mapped;
	default:
		return false;
	}
}

/* Clearing, which leaves nothing for the others, comes now and then. */
static enum deed_op choose_op(struct walk *walk)
{
	if (walk->clears && rng_below(&walk->rng, 64) == 0)
		return CLEAR;
	return (enum deed_op)rng_below(&walk->rng, walk->clears ? CLEAR : ALLOC);
}

static void step(struct walk *walk)
{
	uint32_t from = rng_below(&walk->rng, PAGES_COUNT);
	enum deed_op op = choose_op(walk);
	uint32_t most = from + 6 < PAGES_COUNT ? 6 : PAGES_COUNT - from;
	struct deed deed = { op, from,
			     from + 1 + rng_below(&walk->rng, most) };
	int result = deed_try(&walk->pages, &deed);

	if (result == 0) {
		walk->done[op]++;
		deed_note(&walk->pages, &deed);
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
			       "%7lu refused\n", deed_names[i], walk->done[i],
			       walk->refused[i]);
	}
	fflush(stdout);
}

/* What is free costs no mapping, so all of the set can be given up. */
static void check_walk(const struct walk *walk)
{
	enum deed_op last = walk->clears ? CLEAR : UPDATE;

	for (enum deed_op op = 0; op <= last; op++) {
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
	pages_open(&walk.pages, SHAPE);
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
	deed_do(&walk.pages, (struct deed){ REPLACE, 0, 16 });
	pages_close(&walk.pages);
}
END_TEST

Suite *suite_limits(void)
{
	Suite *suite = suite_create("limits");
	TCase *tcase = tcase_create("limits");
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
