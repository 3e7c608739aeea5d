/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Requests to valgrind: nothing where it was not there to build with. */
#ifndef UNDER_VALGRIND_H
#define UNDER_VALGRIND_H

#include <config.h>

#ifdef HAVE_VALGRIND_MEMCHECK_H
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_DISCARD_TRANSLATIONS(address, size) ((void)0)
#endif

#endif /* UNDER_VALGRIND_H */
