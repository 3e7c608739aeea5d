/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sleeping until a word changes: futex(2), for the threads of one process.
 */
#ifndef VMSET_FUTEX_H
#define VMSET_FUTEX_H

#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/*
 * Until somebody wakes, or the time is over (NULL: it never is), or at once
 * unless *word is expected.  May be early.
 */
static inline void vmset__futex_wait(const uint32_t *word, uint32_t expected,
				     const struct timespec *time)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, time, NULL, 0);
}

static inline void vmset__futex_wake(const uint32_t *word, int sleepers)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, sleepers, NULL, NULL, 0);
}

#endif /* VMSET_FUTEX_H */
