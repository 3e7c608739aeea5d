/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Access to memory that readers without a lock look at while a writer works.
 *
 * Readers load every shared word atomically; a relaxed load is a plain one to
 * the machine.  Writers fill nodes, and slots, that no reader is entitled to with
 * plain stores.  A reader that was overtaken may still see them; it finds out by
 * the epoch (slab.h) or a leaf's turn, and forgets what it read.  The order of
 * those against the node's words is kept by pairs of fences, as in a sequence lock
 * (H.-J. Boehm, "Can seqlocks get along with programming language memory
 * models?", 2012).
 *
 * ThreadSanitizer knows no fences, so under it every access is an
 * acquire or a release.
 *
 * Tests that want to be between any two accesses put a header with others in
 * place of these: VMSET_SHARED_HOOKS is its name.
 */
#ifndef VMSET_SHARED_H
#define VMSET_SHARED_H

#if defined(__SANITIZE_THREAD__)
#define VMSET_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VMSET_TSAN 1
#endif
#endif
#ifndef VMSET_TSAN
#define VMSET_TSAN 0
#endif

/* Somebody watches: every shared word has to be accessed by itself. */
#ifdef VMSET_SHARED_HOOKS
#define VMSET_SHARED_WATCHED 1
#else
#define VMSET_SHARED_WATCHED VMSET_TSAN
#endif

#ifdef VMSET_SHARED_HOOKS
#include VMSET_SHARED_HOOKS
#else

#if VMSET_TSAN
#define VMSET_SHARED_ORDER_LOAD  __ATOMIC_ACQUIRE
#define VMSET_SHARED_ORDER_STORE __ATOMIC_RELEASE
#define vmset__fence_acquire()   ((void)0)
#define vmset__fence_release()   ((void)0)
#else
#define VMSET_SHARED_ORDER_LOAD  __ATOMIC_RELAXED
#define VMSET_SHARED_ORDER_STORE __ATOMIC_RELAXED
#define vmset__fence_acquire()   __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define vmset__fence_release()   __atomic_thread_fence(__ATOMIC_RELEASE)
#endif

/* One word of a node, or one that a fence orders. */
#define vmset__load(ptr)       __atomic_load_n(ptr, VMSET_SHARED_ORDER_LOAD)
#define vmset__store(ptr, val) \
	__atomic_store_n(ptr, val, VMSET_SHARED_ORDER_STORE)

/* A pointer to what was made before it was published. */
#define vmset__load_acquire(ptr) __atomic_load_n(ptr, __ATOMIC_ACQUIRE)
#define vmset__store_release(ptr, val) \
	__atomic_store_n(ptr, val, __ATOMIC_RELEASE)

#endif /* VMSET_SHARED_HOOKS */

#endif /* VMSET_SHARED_H */
