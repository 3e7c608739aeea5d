/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What arena.c and arena-check.c share: the records of an arena. */
#ifndef ARENA_INTERNAL_H
#define ARENA_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <vmset.h>

#include "arena.h"

#define CHUNK     ((size_t)64 << 10)    /* a multiple of any page size */
#define UNIT      ((size_t)16)          /* blocks are multiples of it */
#define SMALL_MAX ((size_t)8 << 10)
#define CLASSES   32

/*
 * What is known about a chunk, or about a large block, which is one slot.  The
 * record outlives the memory, so that a second free is told from a pointer
 * that never was a block.
 */
struct chunk {
	struct chunk *next, **link;     /* in a list of the arena */
	uintptr_t first;                /* address of the first slot */
	size_t slot;                    /* bytes in one; large: as asked for */
	size_t slots, used;
	size_t hint;                    /* words below it have no slot free */
	uint64_t bits[CHUNK / UNIT / 64];       /* 1: in use */
};

/* Stands in the area for records, and the chunks' records behind it. */
struct arena {
	struct vmset *set;
	struct vmset_range bounds;
	size_t granule;
	struct arena_usage usage;
	struct chunk *partial[CLASSES]; /* some slots free, some used */
	struct chunk *empty;            /* all slots free */
	struct chunk *chunks;           /* one for each CHUNK of the range */
};

/* A slot of a chunk. */
struct block {
	struct chunk *chunk;
	size_t n;
	uintptr_t start;
};

/* The record for p, which is inside the bounds. */
static inline struct chunk *chunk_of(const struct arena *a, uintptr_t p)
{
	return &a->chunks[p / CHUNK - a->bounds.start / CHUNK];
}

/*
 * Fill in the block that starts at p.  false if there is none in use: then what
 * is there instead is told on stderr, behind the word what.
 */
bool arena_find_block(const struct arena *arena, const char *what,
		      const void *p, struct block *block);

#endif /* ARENA_INTERNAL_H */
