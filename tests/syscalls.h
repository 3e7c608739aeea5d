/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The memory system calls of the program, watched and made to fail.  The
 * program's own mmap, munmap, mprotect, madvise, ioctl, read and getrandom
 * stand before libc's; they pass every call on but those that a test wants to
 * fail.
 *
 * For tests with one thread.
 */
#ifndef TESTS_SYSCALLS_H
#define TESTS_SYSCALLS_H

#include <stdbool.h>

#include "vmset.h"

/*
 * Count the calls that change something in the range, from 0, and fail none,
 * until syscalls_stop.
 */
void syscalls_watch(struct vmset_range range);
void syscalls_stop(void);

/* How many there were since syscalls_watch. */
unsigned int syscalls_count(void);

/* How many of them were a munmap and failed, so that something stays mapped. */
unsigned int syscalls_kept(void);

/*
 * Fail the call with the number, counted from 1, and with each further bit a
 * later one.  Each returns error, a positive errno value.
 */
void syscalls_fail(unsigned int number, unsigned long also, int error);

/*
 * From now on no mmap elsewhere than in the range gets memory.  One that must not
 * replace, which asks whether a place is taken, gets its answer.
 */
void syscalls_starve(void);

/*
 * From now on an mmap that must not replace is refused, as it is by the kernel
 * when there are too many mappings, wherever it is for; or is taken for one
 * that may go elsewhere, as by kernels that do not know the flag.
 */
void syscalls_crowd(void);
void syscalls_forget_noreplace(void);

/* Fail getrandom, from the call with the number on, counted from 1. */
void syscalls_fail_random(unsigned int number);

/*
 * Fail n calls of read, from the one with the number on, counted from 1.
 * Whether all of them came is told afterwards.
 */
void syscalls_fail_reads(unsigned int number, unsigned int n, int error);
bool syscalls_reads_failed(void);

/* Every ioctl fails with error from now on; 0: none.  How many there were. */
void syscalls_fail_ioctl(int error);
unsigned int syscalls_ioctls(void);

#endif /* TESTS_SYSCALLS_H */
