/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * arena: malloc, realloc and free on a virtual memory set of its own.
 *
 * Blocks of up to 8 KiB are slots of one size in a chunk of 64 KiB.  A larger
 * block is an area of its own, with an inaccessible guard behind it.  What the
 * arena knows about its blocks stands in an area apart, where no overrun of a
 * block reaches it, so every pointer that comes back is checked exactly.
 *
 * The arena calls nothing that calls malloc.  It may be used by one thread at a
 * time.
 */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

struct arena;
struct vmset;

/* How much of its range the arena uses. */
struct arena_usage {
	size_t mapped, peak;    /* bytes in chunks and large blocks */
	size_t records;         /* bytes in the area for the records */
};

/* Make an arena in size bytes of address space.  0 or a negative errno. */
int arena_create(struct arena **arena, size_t size);

/* Give everything back.  0 or a negative errno. */
int arena_destroy(struct arena *arena);

/*
 * A block of at least size bytes, at a multiple of 16.  NULL if there is no
 * room.
 */
void *arena_malloc(struct arena *arena, size_t size);

/*
 * The block in a new size, perhaps elsewhere.  NULL, and the old block as it
 * was, if there is no room or if block is none of the arena's, which is told on
 * stderr.
 */
void *arena_realloc(struct arena *arena, void *block, size_t size);

/*
 * Free a block.  0, also for NULL; or a negative errno, and nothing has
 * changed: -EINVAL if block is not a block in use, which is told on stderr.
 */
int arena_free(struct arena *arena, void *block);

/*
 * Give the chunks with no block in use back to the kernel.  0 or a negative
 * errno.
 */
int arena_purge(struct arena *arena);

/* The set that everything is in: to look at, not to change. */
const struct vmset *arena_set(const struct arena *arena);

struct arena_usage arena_usage(const struct arena *arena);

/*
 * From now on a SIGSEGV inside the arena's range is told on stderr: which block
 * was overrun, and how far.  Then it takes the course it had before.  0 or a
 * negative errno.
 */
int arena_watch(struct arena *arena);

#endif /* ARENA_H */
