/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * workload: random calls to a malloc, the same ones whenever the seed is.
 *
 * A block that is held is not overlapped by any other: each is filled with a
 * byte of its own, and looked at when it is freed or resized.
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/* A malloc to drive. */
struct heap {
	struct arena *arena;
	void *(*malloc)(struct arena *arena, size_t size);
	void *(*realloc)(struct arena *arena, void *block, size_t size);
	int (*free)(struct arena *arena, void *block);
};

#define WORK_HELD 4096u         /* blocks at once, at most */

/* Start with all zero but the heap, the seed (not 0) and the two choices. */
struct work {
	const struct heap *heap;
	uint64_t seed;
	bool small;             /* no block above 8 KiB */
	bool checked;           /* fill and check whole blocks, not two bytes */
	size_t mallocs, reallocs, frees;
	size_t bytes, peak;     /* asked for */
	struct held {
		unsigned char *p;
		size_t size;
		unsigned char fill;
	} held[WORK_HELD];
};

/* Make calls.  NULL, or what went wrong. */
const char *work_run(struct work *work, size_t calls);

/* Free all held blocks but the first keep.  NULL, or what went wrong. */
const char *work_drop(struct work *work, size_t keep);

#endif /* WORKLOAD_H */
