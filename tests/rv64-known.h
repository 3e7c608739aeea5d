/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is an instruction for the sandbox's interpreter, and what is none.
 */
#ifndef TESTS_RV64_KNOWN_H
#define TESTS_RV64_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

bool rv64_known(uint32_t insn);

#endif /* TESTS_RV64_KNOWN_H */
