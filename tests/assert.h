/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Assertions on the results of library calls.  A failing one prints the
 * expression, the name of the result, and a dump of the set that the test
 * works on, and ends the test in the way of libcheck.
 *
 * One that holds costs nothing (libcheck's own write to a file each time), so
 * they can stand in loops that run millions of times.
 */
#ifndef TESTS_ASSERT_H
#define TESTS_ASSERT_H

#include <check.h>
#include <stdint.h>

struct vmset;

/* The set to dump when an assertion fails from now on.  NULL: none. */
void assert_about(const struct vmset *set);

/* The name of a result: "0", "-EEXIST", "-1234". */
const char *assert_name(int result);

/*
 * Print the dump, and say in a static buffer what went wrong: the assertion as
 * it was written, the result's name, and what was wanted.
 */
const char *assert_describe(const char *assertion, int result,
			    const char *wanted);

/* The same for a condition, and for two values that are not equal. */
const char *assert_describe_false(const char *condition);
const char *assert_describe_values(const char *values, uintmax_t a,
				   uintmax_t b);

/* The condition must hold. */
#define assert_that(condition)                                                \
	do {                                                                  \
		if (condition)                                                \
			break;                                                \
		ck_abort_msg("%s", assert_describe_false(#condition));        \
	} while (0)

/* Two whole numbers that are not negative must be equal. */
#define assert_eq(a, b)                                                       \
	do {                                                                  \
		uintmax_t assert_a_ = (a), assert_b_ = (b);                   \
		if (assert_a_ == assert_b_)                                   \
			break;                                                \
		ck_abort_msg("%s", assert_describe_values(#a " == " #b,       \
							  assert_a_,          \
							  assert_b_));        \
	} while (0)

/* The call must return 0. */
#define assert_ok(expr)                                                       \
	ASSERT_THAT("assert_ok(" #expr ")", expr, assert_result_ == 0, "0")

/*
 * assert_err(expr): the call must return a negative errno value.
 * assert_err(expr, -EEXIST): and this one.
 */
#define assert_err(...)                                                       \
	ASSERT_PICK(__VA_ARGS__, ASSERT_ERR_IS, ASSERT_ERR_ANY, )             \
	("assert_err(" #__VA_ARGS__ ")", __VA_ARGS__)

#define ASSERT_PICK(expr, error, which, ...) which

#define ASSERT_ERR_ANY(text, expr)                                            \
	ASSERT_THAT(text, expr, assert_result_ < 0, "an error")

#define ASSERT_ERR_IS(text, expr, error)                                      \
	ASSERT_THAT(text, expr, assert_result_ == (error), assert_name(error))

#define ASSERT_THAT(text, expr, condition, wanted)                            \
	do {                                                                  \
		int assert_result_ = (expr);                                  \
		if (condition)                                                \
			break;                                                \
		ck_abort_msg("%s", assert_describe(text, assert_result_,      \
						   wanted));                  \
	} while (0)

#endif /* TESTS_ASSERT_H */
