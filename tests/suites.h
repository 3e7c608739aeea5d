/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The list of all suites.  A suite NAME is made by suite_NAME(), in
 * tests/test-NAME.c; a new one needs a line here and one in tests/local.mk.
 */
#ifndef TESTS_SUITES_H
#define TESTS_SUITES_H

#include <check.h>

#define SUITES(SUITE) \
	SUITE(apply) \
	SUITE(backend) \
	SUITE(calls) \
	SUITE(chain) \
	SUITE(check) \
	SUITE(elf) \
	SUITE(errors) \
	SUITE(explain) \
	SUITE(failures) \
	SUITE(fault) \
	SUITE(fork) \
	SUITE(free) \
	SUITE(kernel) \
	SUITE(limits) \
	SUITE(lock) \
	SUITE(merge) \
	SUITE(model) \
	SUITE(pager) \
	SUITE(peers) \
	SUITE(plan) \
	SUITE(range) \
	SUITE(replay) \
	SUITE(rv64) \
	SUITE(scenarios) \
	SUITE(search) \
	SUITE(slab) \
	SUITE(stats) \
	SUITE(strace) \
	SUITE(threads) \
	SUITE(toggle) \
	SUITE(trap) \
	SUITE(tree) \
	SUITE(wait)

#define SUITE_DECLARE(name) Suite *suite_##name(void);
SUITES(SUITE_DECLARE)
#undef SUITE_DECLARE

#endif /* TESTS_SUITES_H */
