/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A few words that are replaced as one while signal handlers read them.
 *
 * There are two copies.  A writer fills the one that nobody is sent to, and then
 * sends readers there by counting the version up.  A reader whose version
 * has moved meanwhile reads again; a writer that was interrupted, even
 * by the reader itself, holds nobody up.  Writers take turns by a lock.
 */
#ifndef VMSET_LATCH_H
#define VMSET_LATCH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shared.h"

/* The words that an object of the type fills, which must be a whole number. */
#define VMSET__WORDS(type) (sizeof(type) / sizeof(uintptr_t))

#define VMSET__LATCH(type)                                             \
	struct {                                                       \
		uintptr_t version;      /* 0: all zero, never written */ \
		uintptr_t words[2][VMSET__WORDS(type)];                \
	}

static inline void vmset__latch_write(uintptr_t *version, uintptr_t *copies,
				      const void *value, size_t n)
{
	const uintptr_t next = *version + 1;
	uintptr_t *copy = copies + next % 2 * n;
	uintptr_t word;

	/* No word of this copy before the version that led away from it. */
	vmset__fence_release();
	for (size_t i = 0; i < n; i++) {
		memcpy(&word, (const char *)value + i * sizeof word,
		       sizeof word);
		vmset__store(&copy[i], word);
	}
	vmset__store_release(version, next);
}

/* Returns the version that was read. */
static inline uintptr_t vmset__latch_read(const uintptr_t *version,
					  const uintptr_t *copies,
					  void *value, size_t n)
{
	for (;;) {
		const uintptr_t now = vmset__load_acquire(version);
		const uintptr_t *copy = copies + now % 2 * n;

		for (size_t i = 0; i < n; i++) {
			uintptr_t word = vmset__load(&copy[i]);

			memcpy((char *)value + i * sizeof word, &word,
			       sizeof word);
		}
		vmset__fence_acquire();
		if (vmset__load(version) == now)
			return now;
	}
}

#define VMSET__LATCH_WRITE(latch, value)                               \
	vmset__latch_write(&(latch)->version, (latch)->words[0], value, \
			   VMSET__WORDS(*(value)))

#define VMSET__LATCH_READ(latch, value)                                \
	vmset__latch_read(&(latch)->version, (latch)->words[0], value, \
			  VMSET__WORDS(*(value)))

#endif /* VMSET_LATCH_H */
