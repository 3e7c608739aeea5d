/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Stands in for the accesses of lib/shared.h in a build of the library for
 * tests that want to be between any two of them: each one calls a function of
 * the test's.
 */
#ifndef TESTS_SHARED_HOOKS_H
#define TESTS_SHARED_HOOKS_H

#include <stddef.h>

/* What an access promises about the order of others. */
enum hook_order { HOOK_NONE, HOOK_ACQUIRE, HOOK_RELEASE };

/* Before a load of the word: where to load from instead, mostly the word. */
void *hook_load(const void *word, enum hook_order order);

/* Before and after a store. */
void hook_storing(const void *word, size_t size);
void hook_stored(const void *word, enum hook_order order);

void hook_fence(enum hook_order order);

#define HOOK_LOAD(ptr, order)                                        \
	__atomic_load_n((__typeof__(ptr))hook_load((ptr), (order)), \
			__ATOMIC_SEQ_CST)

#define HOOK_STORE(ptr, val, order)                            \
	do {                                                   \
		__typeof__(ptr) word_ = (ptr);                 \
		hook_storing(word_, sizeof(*word_));           \
		__atomic_store_n(word_, (val), __ATOMIC_SEQ_CST); \
		hook_stored(word_, (order));                   \
	} while (0)

#define vmset__load(ptr)               HOOK_LOAD(ptr, HOOK_NONE)
#define vmset__store(ptr, val)         HOOK_STORE(ptr, val, HOOK_NONE)
#define vmset__load_acquire(ptr)       HOOK_LOAD(ptr, HOOK_ACQUIRE)
#define vmset__store_release(ptr, val) HOOK_STORE(ptr, val, HOOK_RELEASE)
#define vmset__fence_acquire()         hook_fence(HOOK_ACQUIRE)
#define vmset__fence_release()         hook_fence(HOOK_RELEASE)

#endif /* TESTS_SHARED_HOOKS_H */
