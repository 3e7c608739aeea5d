/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Counts of the system calls that change mappings.
 */
#ifndef TESTS_CALLS_H
#define TESTS_CALLS_H

#include <stddef.h>

struct calls {
	size_t mmap, munmap, mprotect;
	size_t other;           /* madvise, msync */
};

/* What there was from one count to another, on top of sum. */
static inline void calls_add_since(struct calls *sum,
				   const struct calls *before,
				   const struct calls *after)
{
	sum->mmap += after->mmap - before->mmap;
	sum->munmap += after->munmap - before->munmap;
	sum->mprotect += after->mprotect - before->mprotect;
	sum->other += after->other - before->other;
}

/*
 * All that the program made until now.  For programs that are linked with
 * --wrap for each of these calls; what libc makes on its own is not counted.
 */
void calls_count(struct calls *calls);

#endif /* TESTS_CALLS_H */
