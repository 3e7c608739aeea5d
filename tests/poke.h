/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Single accesses to memory that may fault, and then be tried again.
 *
 * Each is a function of its own, called by its address, so that all registers
 * hold what they should when it faults, also under valgrind.
 */
#ifndef TESTS_POKE_H
#define TESTS_POKE_H

#include <stdint.h>

uint8_t poke_read(uintptr_t addr);
void poke_write(uintptr_t addr, uint8_t value);

/* Whether the machine tells a handler what the access was. */
#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__)
#define POKE_TELLS 1
#else
#define POKE_TELLS 0
#endif

/* The access as a fault function is told it. */
#define POKE_ACCESS(access) (POKE_TELLS ? (access) : 0)

/* In a child, fn(arg): the signal that it dies of, or minus its exit status. */
int poke_dies_of(void (*fn)(void *arg), void *arg);

#endif /* TESTS_POKE_H */
