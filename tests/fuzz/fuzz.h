/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A fuzz target: a function with the name that libFuzzer calls, one in each
 * file.  It returns 0 if the input did what it should, and else does not
 * return.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* An input that is a row of choices. */
struct choices {
	const uint8_t *at;
	size_t left;
};

/* The next one, a number below limit, for struct steps; 0 behind the last. */
uint32_t choices_next(void *choices, uint32_t limit);

/* What is said of a bad input: one line for people, of plain letters. */
void reason_check(const char *reason);

#endif /* TESTS_FUZZ_H */
