/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The writers' lock: three states in a word (free, taken, taken with
 * sleepers), after U. Drepper, "Futexes Are Tricky", with the owner in it.
 */
#include "lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLEEPERS ((uintptr_t)1)

static uintptr_t self(void)
{
	return (uintptr_t)pthread_self();
}

/* The half of the word that holds the SLEEPERS bit; a futex has 32 bits. */
static uint32_t *futex_of(struct vmset__lock *lock)
{
	uint32_t *half = (uint32_t *)(void *)&lock->word;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	half += sizeof lock->word / sizeof *half - 1;
#endif
	return half;
}

static bool take(struct vmset__lock *lock, uintptr_t *seen, uintptr_t owner)
{
	*seen = 0;
	return __atomic_compare_exchange_n(&lock->word, seen, owner, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

int vmset__lock(struct vmset__lock *lock)
{
	uintptr_t owner = self(), seen;

	while (!take(lock, &seen, owner)) {
		if ((seen & ~SLEEPERS) == self())
			return -EDEADLK;
		/*
		 * From now on this thread cannot know whether others sleep, so
		 * it takes the lock with the bit set.
		 */
		owner = self() | SLEEPERS;
		if (!(seen & SLEEPERS) &&
		    !__atomic_compare_exchange_n(&lock->word, &seen,
						 seen | SLEEPERS, false,
						 __ATOMIC_RELAXED,
						 __ATOMIC_RELAXED))
			continue;
		syscall(SYS_futex, futex_of(lock), FUTEX_WAIT_PRIVATE,
			(uint32_t)(seen | SLEEPERS), NULL, NULL, 0);
	}
	return 0;
}

void vmset__unlock(struct vmset__lock *lock)
{
	if (__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) & SLEEPERS)
		syscall(SYS_futex, futex_of(lock), FUTEX_WAKE_PRIVATE, 1, NULL,
			NULL, 0);
}
