/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What stands in for the system.  The program is linked with --wrap for all
 * that a set over a mock asks of the kernel: mmap, munmap and getrandom, and
 * the library's own vmset__why_no_memory.
 *
 * What the library maps comes from a small array.  All that a set is can thus
 * be copied away and brought back at once, and memory can be refused.  Random
 * numbers are the same in every run.
 */
#ifndef TESTS_EXHAUST_SYSTEM_H
#define TESTS_EXHAUST_SYSTEM_H

#include <stddef.h>

/* Everything that was mapped is given up. */
void arena_reset(void);

/* Bytes mapped and not unmapped. */
size_t arena_live(void);

/* Grant so many requests from now on, and refuse all others. */
#define ARENA_ALL (~0u)
void arena_grant(unsigned int requests);

/* How many were refused since arena_grant. */
unsigned int arena_refused(void);

/* A copy of what there is below an address in the arena. */
struct arena_image {
	unsigned char *bytes;
	size_t size, used, live;
};

void arena_save(struct arena_image *image, const void *top);
void arena_restore(const struct arena_image *image);

/* Whether the bytes are those of the image. */
_Bool arena_is(const struct arena_image *image);

#endif /* TESTS_EXHAUST_SYSTEM_H */
