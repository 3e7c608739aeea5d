/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The replay of recorded runs: the reader refuses every kind of damage and says
 * where it is; the engine tells a state that holds from one that does
 * not; and small recorded runs come out as they were.
 */
#include <check.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "replay.h"
#include "suites.h"
#include "tools.h"
#include "trace.h"

#define PAGES "# pages 10\n"
#define ENOUGH 4096
#define NR(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* A run with every kind of line; replayed by several tests. */
static const char good[] =
	"# made by hand\n"
	PAGES
	"s 0\n"
	"m 2 4 rw-\n"
	"m 6 2 rw-\n"
	"m a 2 ---\n"
	"s 2\n"
	"= 2 8 rw-\n"
	"= a c ---\n"
	"p 3 1 r-x\n"
	"u 0 3\n"
	"u c 4\n"
	"m 7 4 r--\n"
	"s 4\n"
	"= 3 4 r-x\n"
	"= 4 7 rw-\n"
	"= 7 b r--\n"
	"= b c ---\n";

/* ---- the reader ---- */

/* Text that is no trace or, as a state, not what comes out. */
struct wrong {
	const char *text;
	size_t line;
	const char *reason;
};

static const struct wrong damages[] = {
	{ "", 0, "no line '# pages N'" },
	{ "# only a comment\n", 0, "no line '# pages N'" },
	{ "s 0\n", 1, "no line '# pages N' before" },
	{ "m 0 1 rw-\n" PAGES "s 0\n", 1, "no line '# pages N' before" },
	{ "# pages\ns 0\n", 1, "number of pages is missing" },
	{ "# pages \ns 0\n", 1, "number of pages is missing" },
	{ "# pages 0\ns 0\n", 1, "number of pages is 0" },
	{ "# pages 1g\ns 0\n", 1, "number of pages is not a hex number" },
	{ "# pages -1\ns 0\n", 1, "number of pages is not a hex number" },
	{ "# pages 0x10\ns 0\n", 1, "number of pages is not a hex number" },
	{ "# pages 1000000000\ns 0\n", 1, "number of pages is too large" },
	{ "# pages 10 10\ns 0\n", 1, "goes on behind its last field" },
	{ PAGES PAGES "s 0\n", 2, "number of pages is there twice" },

	{ PAGES, 1, "does not end with a state" },
	{ PAGES "s 0\nm 0 1 rw-\n", 3, "does not end with a state" },
	{ PAGES "m 0 1 rw-\ns 1\n", 3, "the last state lacks 1" },
	{ PAGES "s 2\n= 0 1 rw-\n", 3, "the last state lacks 1" },
	{ PAGES "s 0", 2, "cut off: no newline" },
	{ PAGES "m 0 1 rw-\ns 1\n= 0 1", 4, "cut off: no newline" },

	{ PAGES "x 0 1\ns 0\n", 2, "is none of" },
	{ PAGES "\ns 0\n", 2, "is none of" },
	{ PAGES " s 0\n", 2, "is none of" },
	{ PAGES "map 0 1 rw-\ns 0\n", 2, "start is missing" },
	{ PAGES "m\ns 0\n", 2, "start is missing" },
	{ PAGES "m  0 1 rw-\ns 0\n", 2, "start is missing" },
	{ PAGES "m 0\ns 0\n", 2, "length is missing" },
	{ PAGES "m 0 1\ns 0\n", 2, "protection is missing" },
	{ PAGES "u 0 1 rw-\ns 0\n", 2, "goes on behind its last field" },
	{ PAGES "u 0 1 \ns 0\n", 2, "goes on behind its last field" },
	{ PAGES "u 0 1\r\ns 0\n", 2, "length is not a hex number" },
	{ PAGES "u A 1\ns 0\n", 2, "start is not a hex number" },
	{ PAGES "u +1 1\ns 0\n", 2, "start is not a hex number" },
	{ PAGES "u 100000000 1\ns 0\n", 2, "start is too large" },
	{ PAGES "u 0 10000000000000001\ns 0\n", 2, "length is too large" },
	{ PAGES "u 0 0\ns 0\n", 2, "length is 0" },
	{ PAGES "u 0 11\ns 0\n", 2, "pages 0 to 11 are not in the range" },
	{ PAGES "u 10 1\ns 0\n", 2, "pages 10 to 11 are not in the range" },
	{ PAGES "u 20 1\ns 0\n", 2, "pages 20 to 21 are not in the range" },
	{ PAGES "u ffffffff ffffffff\ns 0\n", 2,
	  "pages ffffffff to 1fffffffe are not in the range" },
	{ PAGES "m 0 1 rw\ns 0\n", 2, "protection is not like" },
	{ PAGES "m 0 1 rw-p\ns 0\n", 2, "protection is not like" },
	{ PAGES "p 0 1 wr-\ns 0\n", 2, "protection is not like" },
	{ PAGES "p 0 1 RWX\ns 0\n", 2, "protection is not like" },

	{ PAGES "s\n", 2, "number of areas is missing" },
	{ PAGES "s z\n", 2, "number of areas is not a hex number" },
	{ PAGES "s 0 0\n", 2, "goes on behind its last field" },
	{ PAGES "s 0\n= 0 1 rw-\n", 3, "not in the count of a state" },
	{ PAGES "= 0 1 rw-\ns 0\n", 2, "not in the count of a state" },
	{ PAGES "s 1\nm 0 1 rw-\ns 0\n", 3, "the state lacks 1" },
	{ PAGES "s 2\n= 0 1 rw-\ns 0\n", 4, "the state lacks 1" },
	{ PAGES "s 1\n= 1 1 rw-\n", 3, "area 1 to 1 is empty" },
	{ PAGES "s 1\n= 2 1 rw-\n", 3, "area 2 to 1 is empty" },
	{ PAGES "s 1\n= f 11 rw-\n", 3, "area f to 11 is empty or not in" },
	{ PAGES "s 1\n= 0 1\n", 3, "protection is missing" },
	{ PAGES "s 1\n= 0 1 rw- \n", 3, "goes on behind its last field" },
	{ PAGES "s 2\n= 0 4 rw-\n= 3 5 r--\n", 4, "starts before the end" },
	{ PAGES "s 2\n= 4 5 rw-\n= 0 1 r--\n", 4, "starts before the end" },
	{ PAGES "s 2\n= 0 4 rw-\n= 4 5 rw-\n", 4, "is not joined with" },
};

static void assert_damaged(const void *bytes, size_t size, size_t line,
			   const char *reason)
{
	struct trace_error error;
	struct trace trace;

	ck_assert_msg(trace_parse(&trace, bytes, size, &error) == -1,
		      "taken for a trace, but: %s", reason);
	ck_assert_msg(error.line == line && strstr(error.reason, reason),
		      "line %zu: %s; expected was line %zu: %s", error.line,
		      error.reason, line, reason);
	ck_assert_ptr_null(trace.ops);
	ck_assert_ptr_null(trace.areas);
}

START_TEST(test_damaged_text)
{
	const struct wrong *damage = &damages[_i];

	assert_damaged(damage->text, strlen(damage->text), damage->line,
		       damage->reason);
}
END_TEST

START_TEST(test_zero_byte)
{
	static const char text[] = PAGES "s 0\0\n";

	assert_damaged(text, sizeof(text) - 1, 2, "is not a hex number");
}
END_TEST

static struct trace parse_good(const void *bytes, size_t size)
{
	struct trace_error error;
	struct trace trace;

	ck_assert_msg(trace_parse(&trace, bytes, size, &error) == 0,
		      "line %zu: %s", error.line, error.reason);
	return trace;
}

static void assert_is_good(const struct trace *trace)
{
	const struct trace_op *op = trace->ops;

	ck_assert_uint_eq(trace->pages, 0x10);
	ck_assert_uint_eq(trace->nr_ops, 10);
	ck_assert_uint_eq(trace->nr_areas, 6);
	ck_assert(op[0].kind == TRACE_STATE && op[0].len == 0);
	ck_assert(op[1].kind == TRACE_MAP && op[1].start == 2 &&
		  op[1].len == 4 && op[1].prot == (PROT_READ | PROT_WRITE));
	ck_assert(op[3].kind == TRACE_MAP && op[3].start == 0xa &&
		  op[3].prot == PROT_NONE);
	ck_assert(op[5].kind == TRACE_PROTECT && op[5].start == 3 &&
		  op[5].len == 1 && op[5].prot == (PROT_READ | PROT_EXEC));
	ck_assert(op[6].kind == TRACE_UNMAP && op[6].start == 0 &&
		  op[6].len == 3 && op[6].line == 11);
	ck_assert(op[9].kind == TRACE_STATE && op[9].start == 2 &&
		  op[9].len == 4 && op[9].line == 14);
	ck_assert(trace->areas[5].start == 0xb && trace->areas[5].end == 0xc &&
		  trace->areas[5].prot == PROT_NONE &&
		  trace->areas[5].line == 18);
}

START_TEST(test_good_text)
{
	struct trace trace = parse_good(good, sizeof(good) - 1);

	assert_is_good(&trace);
	trace_free(&trace);
}
END_TEST

/* Where a run may be cut and still be one: behind its states. */
static int is_whole(size_t size)
{
	struct trace trace = parse_good(good, sizeof(good) - 1);
	size_t lines = 0;
	size_t i;
	int whole = 0;

	for (i = 0; i < size; i++)
		lines += good[i] == '\n';
	for (i = 0; i < trace.nr_ops; i++) {
		const struct trace_op *op = &trace.ops[i];

		if (op->kind == TRACE_STATE && lines == op->line + op->len)
			whole = good[size - 1] == '\n';
	}
	trace_free(&trace);
	return whole;
}

START_TEST(test_every_cut)
{
	size_t size;

	for (size = 0; size < sizeof(good) - 1; size++) {
		struct trace_error error;
		struct trace trace;
		int err = trace_parse(&trace, good, size, &error);

		ck_assert_msg(err == (size && is_whole(size) ? 0 : -1),
			      "%d from the first %zu bytes", err, size);
		trace_free(&trace);
	}
}
END_TEST

/* ---- xz ---- */

static size_t pack_good(uint8_t packed[ENOUGH])
{
	size_t size = 0;

	ck_assert(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL,
					  (const uint8_t *)good,
					  sizeof(good) - 1, packed, &size,
					  ENOUGH) == LZMA_OK);
	return size;
}

START_TEST(test_good_xz)
{
	uint8_t packed[ENOUGH];
	const size_t size = pack_good(packed);
	struct trace trace = parse_good(packed, size);

	assert_is_good(&trace);
	trace_free(&trace);
}
END_TEST

START_TEST(test_cut_xz)
{
	uint8_t packed[ENOUGH];
	const size_t size = pack_good(packed);
	size_t cut;

	/* With less than the six magic bytes it is text, and bad as such. */
	for (cut = 6; cut < size; cut++)
		assert_damaged(packed, cut, 0, "xz data is cut off");
}
END_TEST

START_TEST(test_damaged_xz)
{
	uint8_t packed[ENOUGH];
	const size_t size = pack_good(packed);
	size_t at;

	for (at = 6; at < size; at++) {
		packed[at] ^= 0x10;
		assert_damaged(packed, size, 0, "xz data");
		packed[at] ^= 0x10;
	}
	memset(packed + size, 'x', 64);
	assert_damaged(packed, size + 64, 0, "something follows it");
}
END_TEST

START_TEST(test_no_file)
{
	struct trace_error error;
	struct trace trace;

	ck_assert_int_eq(trace_read(&trace, "/nowhere/trace", &error), -1);
	ck_assert_uint_eq(error.line, 0);
	ck_assert_str_eq(error.reason, "No such file or directory");
	ck_assert_int_eq(trace_read(&trace, "/", &error), -1);
	ck_assert_str_eq(error.reason, "not a regular file");
}
END_TEST

/* ---- the engine ---- */

static const enum replay_target targets[] = { REPLAY_SET, REPLAY_BARE };

static int run_text(const char *text, enum replay_target target,
		    unsigned int left_out, struct replay_report *report)
{
	struct trace trace = parse_good(text, strlen(text));
	int err = replay_run(&trace, target, left_out, report);

	trace_free(&trace);
	return err;
}

START_TEST(test_good_run)
{
	const enum replay_target target = targets[_i];
	struct replay_report report;
	int err = run_text(good, target, 0, &report);

	ck_assert_msg(err == 0, "line %zu: %s", report.error.line,
		      report.error.reason);
	ck_assert_uint_eq(report.done[TRACE_MAP], 4);
	ck_assert_uint_eq(report.done[TRACE_UNMAP], 2);
	ck_assert_uint_eq(report.done[TRACE_PROTECT], 1);
	ck_assert_uint_eq(report.done[TRACE_STATE], 3);
	ck_assert_uint_eq(report.most_areas, target == REPLAY_SET ? 4 : 0);
	/* In a reservation: what is free before, and what is not accessible. */
	ck_assert_uint_eq(report.most_vmas, target == REPLAY_SET ? 5 : 4);
}
END_TEST

/* Wrong states after "m 2 4 rw-" and "m 8 2 ---", which are lines 2 and 3. */
static const struct wrong differences[] = {
	{ "s 0\n", 4, " has pages 2 to 6 rw-, and nothing more is expected" },
	{ "s 1\n= 2 6 rw-\n", 4,
	  " has pages 8 to a ---, and nothing more is expected" },
	{ "s 3\n= 2 6 rw-\n= 8 a ---\n= c d r--\n", 4,
	  " ends, expected are pages c to d r--" },
	{ "s 2\n= 2 6 r--\n= 8 a ---\n", 4,
	  " has pages 2 to 6 rw-, expected are 2 to 6 r--" },
	{ "s 2\n= 1 6 rw-\n= 8 a ---\n", 4,
	  " has pages 2 to 6 rw-, expected are 1 to 6 rw-" },
	{ "s 2\n= 2 7 rw-\n= 8 a ---\n", 4,
	  " has pages 2 to 6 rw-, expected are 2 to 7 rw-" },
	{ "s 3\n= 2 4 rw-\n= 4 6 rwx\n= 8 a ---\n", 4,
	  " has pages 2 to 6 rw-, expected are 2 to 4 rw-" },
	{ "s 2\n= 2 6 rw-\n= 8 a ---\nu 0 10\ns 1\n= 0 1 rw-\n", 8,
	  " ends, expected are pages 0 to 1 rw-" },
};

START_TEST(test_wrong_state)
{
	const struct wrong *wrong = &differences[_i / NR(targets)];
	const enum replay_target target = targets[_i % NR(targets)];
	const char *what = target == REPLAY_SET ? "the set"
						: "/proc/self/maps";
	struct replay_report report;
	const char *reason;
	char text[256];

	snprintf(text, sizeof(text), PAGES "m 2 4 rw-\nm 8 2 ---\n%s",
		 wrong->text);
	ck_assert_int_eq(run_text(text, target, 0, &report), -1);
	reason = report.error.reason;
	ck_assert_uint_eq(report.error.line, wrong->line);
	ck_assert_msg(strncmp(reason, what, strlen(what)) == 0 &&
		      strcmp(reason + strlen(what), wrong->reason) == 0,
		      "%s", reason);
}
END_TEST

/* The kernel alone is held against the state, in its own reading of it. */
START_TEST(test_kernel_only)
{
	const unsigned int kernel = REPLAY_NO_AREAS | REPLAY_NO_VERIFY;
	const char hidden[] = PAGES "m 2 4 rw-\nm 8 2 ---\n"
			      "s 1\n= 2 6 rw-\n";
	const char wrong[] = PAGES "m 2 4 rw-\nm 8 2 ---\n"
			     "s 1\n= 2 5 rw-\n";
	struct replay_report report;

	ck_assert_int_eq(run_text(hidden, REPLAY_SET, kernel, &report), 0);
	ck_assert_int_eq(run_text(hidden, REPLAY_SET, 0, &report), -1);
	ck_assert_int_eq(run_text(hidden, REPLAY_BARE, 0, &report), -1);
	ck_assert_int_eq(run_text(wrong, REPLAY_SET, kernel, &report), -1);
	ck_assert_str_eq(report.error.reason,
			 "/proc/self/maps has pages 2 to 6 rw-, expected are 2 "
			 "to 5 rw-");
	ck_assert_int_eq(run_text(wrong, REPLAY_SET,
				  kernel | REPLAY_NO_MAPS, &report), 0);
}
END_TEST

/* A call that fails ends the run with its line and the error's name. */
START_TEST(test_failing_call)
{
	const char *text = PAGES "s 0\np 3 2 r--\ns 0\n";
	struct replay_report report;

	ck_assert_int_eq(run_text(text, targets[_i], 0, &report), -1);
	ck_assert_uint_eq(report.error.line, 3);
	ck_assert_str_eq(report.error.reason, targets[_i] == REPLAY_SET ?
			 "protect failed: -2, No such file or directory" :
			 "protect failed: -12, Cannot allocate memory");
}
END_TEST

/* Addresses run out: the sanitizers and valgrind cannot live with a limit. */
START_TEST(test_no_room)
{
	struct replay_report report;
	struct rlimit old, small;
	int err;

	if (tools_slow()) {
		tools_not_tried(__func__, "who watches needs the memory");
		return;
	}
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &old), 0);
	small = old;
	small.rlim_cur = (rlim_t)1 << 32;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &small), 0);
	err = run_text("# pages ffffffff\ns 0\n", targets[_i], 0, &report);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &old), 0);
	ck_assert_int_eq(err, -1);
	ck_assert_uint_eq(report.error.line, 0);
	ck_assert_str_eq(report.error.reason,
			 "reserving the range failed: -12, "
			 "Cannot allocate memory");
}
END_TEST

/* Small enough for valgrind; test-replay.sh replays the others too. */
static const char *const small_runs[] = {
	"go", "luajit", "qemu-luajit", "redis", "rustc",
};

START_TEST(test_recorded_run)
{
	const char *top = getenv("top_srcdir");
	struct replay_report report;
	struct trace_error error;
	struct trace trace;
	char path[ENOUGH];
	int err;

	snprintf(path, sizeof(path), "%s/tests/traces/%s.sq.xz",
		 top ? top : ".", small_runs[_i]);
	ck_assert_msg(trace_read(&trace, path, &error) == 0, "%s: line %zu: %s",
		      path, error.line, error.reason);
	err = replay_run(&trace, REPLAY_SET, 0, &report);
	ck_assert_msg(err == 0, "%s: line %zu: %s", path, report.error.line,
		      report.error.reason);
	ck_assert_uint_gt(report.done[TRACE_STATE], 10);
	trace_free(&trace);
}
END_TEST

Suite *suite_replay(void)
{
	Suite *suite = suite_create("replay");
	TCase *tc = tcase_create("reader");

	tcase_add_loop_test(tc, test_damaged_text, 0, NR(damages));
	tcase_add_test(tc, test_zero_byte);
	tcase_add_test(tc, test_good_text);
	tcase_add_test(tc, test_every_cut);
	tcase_add_test(tc, test_good_xz);
	tcase_add_test(tc, test_cut_xz);
	tcase_add_test(tc, test_damaged_xz);
	tcase_add_test(tc, test_no_file);
	suite_add_tcase(suite, tc);

	tc = tcase_create("engine");
	tcase_add_loop_test(tc, test_good_run, 0, NR(targets));
	tcase_add_loop_test(tc, test_wrong_state, 0,
			    NR(differences) * NR(targets));
	tcase_add_test(tc, test_kernel_only);
	tcase_add_loop_test(tc, test_failing_call, 0, NR(targets));
	tcase_add_loop_test(tc, test_no_room, 0, NR(targets));
	tcase_add_loop_test(tc, test_recorded_run, 0, NR(small_runs));
	suite_add_tcase(suite, tc);
	return suite;
}
