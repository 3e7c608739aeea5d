/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The writers' lock: three states in a word (free, taken, taken with
 * sleepers), after U. Drepper, "Futexes Are Tricky", with the owner in it.
 */
#include "lock.h"

#include <errno.h>
#include <pthread.h>

#include "futex.h"

#define SLEEPERS ((uintptr_t)1)

/* Owned by no thread that there is. */
#define ABANDONED (~SLEEPERS)

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
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static uintptr_t owner_of(const struct vmset__lock *lock)
{
	return __atomic_load_n(&lock->word, __ATOMIC_SEQ_CST) & ~SLEEPERS;
}

/* Who has seen that it is another's. */
__attribute__((noinline)) static int wait_and_take(struct vmset__lock *lock,
						   uintptr_t seen)
{
	/*
	 * From now on this thread cannot know whether others sleep, so it takes
	 * the lock with the bit set.
	 */
	const uintptr_t owner = self() | SLEEPERS;

	do {
		if ((seen & ~SLEEPERS) == self())
			return -EDEADLK;
		if ((seen & ~SLEEPERS) == ABANDONED)
			return -ENOTRECOVERABLE;
		if (!(seen & SLEEPERS) &&
		    !__atomic_compare_exchange_n(&lock->word, &seen,
						 seen | SLEEPERS, false,
						 __ATOMIC_RELAXED,
						 __ATOMIC_RELAXED))
			continue;
		vmset__futex_wait(futex_of(lock), (uint32_t)(seen | SLEEPERS),
				  NULL);
	} while (!take(lock, &seen, owner));
	return 0;
}

int vmset__lock(struct vmset__lock *lock)
{
	uintptr_t seen;

	return take(lock, &seen, self()) ? 0 : wait_and_take(lock, seen);
}

void vmset__unlock(struct vmset__lock *lock)
{
	if (__atomic_exchange_n(&lock->word, 0, __ATOMIC_SEQ_CST) & SLEEPERS)
		vmset__futex_wake(futex_of(lock), 1);
}

bool vmset__lock_is_own(const struct vmset__lock *lock)
{
	return owner_of(lock) == self();
}

bool vmset__lock_is_taken(const struct vmset__lock *lock)
{
	return owner_of(lock) != 0;
}

bool vmset__lock_is_abandoned(const struct vmset__lock *lock)
{
	return owner_of(lock) == ABANDONED;
}

void vmset__lock_reset(struct vmset__lock *lock, bool abandoned)
{
	__atomic_store_n(&lock->word, abandoned ? ABANDONED : 0,
			 __ATOMIC_RELEASE);
}
