/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Files and bytes that may be packed by xz, as plain bytes in memory.
 */
#ifndef TESTS_UNXZ_H
#define TESTS_UNXZ_H

#include <stddef.h>

struct unxz_bytes {
	char *at;
	size_t size;
};

/*
 * Read the file, and unpack it if it is xz.  NULL, and *out to be freed with
 * unxz_free; or why not.
 */
const char *unxz_file(const char *path, struct unxz_bytes *out);

/* The same for size bytes at in. */
const char *unxz_bytes(const void *in, size_t size, struct unxz_bytes *out);

void unxz_free(struct unxz_bytes *bytes);

#endif /* TESTS_UNXZ_H */
