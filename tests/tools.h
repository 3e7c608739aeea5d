/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the tests run under: valgrind and the sanitizers set limits of their
 * own, and deliberate faults must be hidden from memcheck.
 */
#ifndef TESTS_TOOLS_H
#define TESTS_TOOLS_H

#include <config.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef HAVE_VALGRIND_MEMCHECK_H
#include <valgrind/memcheck.h>
#define ON_VALGRIND (RUNNING_ON_VALGRIND != 0)
#else
#define ON_VALGRIND 0
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_ENABLE_ERROR_REPORTING ((void)0)
#endif

#ifdef __has_feature
#define TOOLS_HAS(feature) __has_feature(feature)
#else
#define TOOLS_HAS(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || TOOLS_HAS(address_sanitizer)
#define ON_ASAN 1
#else
#define ON_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || TOOLS_HAS(thread_sanitizer)
#define ON_TSAN 1
#else
#define ON_TSAN 0
#endif

/* Something that makes the program many times slower watches it. */
static inline bool tools_slow(void)
{
	return ON_VALGRIND || ON_ASAN || ON_TSAN;
}

/*
 * How much of a repeated work to do: full natively, a small part of it where
 * each step is slow, and fifty times of it with VMSET_TEST_LONG in the
 * environment.
 */
static inline unsigned long tools_rounds(unsigned long full)
{
	if (getenv("VMSET_TEST_LONG"))
		return full * 50;
	if (ON_VALGRIND)
		return full / 50 + 1;
	if (ON_TSAN)
		return full / 10 + 1;
	return ON_ASAN ? full / 4 + 1 : full;
}

/*
 * What is passed over is told, and is no success.  what is a test's __func__, to
 * which libcheck has added _fn.
 */
static inline void tools_not_tried(const char *what, const char *why)
{
	const char *end = strstr(what, "_fn");

	printf("not tried: %.*s: %s\n",
	       (int)(end ? (size_t)(end - what) : strlen(what)), what, why);
	fflush(stdout);
}

/*
 * At most so many open files, or as many as there may be.  Without any the
 * kernel cannot be asked.
 */
static inline void tools_limit_files(rlim_t files)
{
	struct rlimit now;

	getrlimit(RLIMIT_NOFILE, &now);
	now.rlim_cur = files < now.rlim_max ? files : now.rlim_max;
	setrlimit(RLIMIT_NOFILE, &now);
}

#ifdef VMSET_COVERAGE
void __gcov_dump(void);
#endif

/* _exit, for a child whose branches count. */
__attribute__((noreturn)) static inline void tools_leave(int status)
{
#ifdef VMSET_COVERAGE
	__gcov_dump();
#endif
	_exit(status);
}

#endif /* TESTS_TOOLS_H */
