/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A small world: a set over a mock page table, made to be in any state that the
 * model can describe, held against the model, and brought back to where it
 * was by copying its bytes.
 */
#ifndef TESTS_EXHAUST_WORLD_H
#define TESTS_EXHAUST_WORLD_H

#include "exhaust-system.h"
#include "exhaust-model.h"
#include "mock.h"

#define MAX_FLAGS 3

/* What there can be in a world. */
struct space {
	const char *name;
	unsigned int units;
	unsigned int flags;             /* how many of world_flags */
	unsigned int backends;          /* 1 or 2 */
	bool shifts;                    /* more than one class of offsets, */
	bool datas;                     /* of data pointers */
	bool guards;                    /* beside what vmset_alloc places */
	bool lost;                      /* go on from states with lost ranges */
	bool limits;                    /* placements with every limit */
	unsigned int names;             /* ways to name the flags, see below */
	uintptr_t origin;
	uint32_t options;
	uint32_t promises[MOCK_BACKENDS];
};

struct world {
	const struct space *space;
	struct vmset *set;
	struct mock mock;
	/* What world_restore goes back to. */
	struct units base;
	unsigned int shape;             /* built so */
	struct arena_image image;
	struct mock_entry entries[UNITS_MAX];
	uint32_t contents;
	unsigned int depth;             /* of the deepest tree so far */
};

/* The flags that areas have.  0 is special to backends that join. */
extern const uint8_t world_flags[MAX_FLAGS];

/*
 * Flags that are not special are names: states that differ by nothing but which
 * name is where lead to such as differ by the same.  So one of them will do.
 * The ways to give each flag of three the name of another, or its own: the first
 * gives all their own, the first two leave 0 its own.
 */
#define WORLD_NAMES_OWN  1
#define WORLD_NAMES_BUT0 2
#define WORLD_NAMES_ALL  6
uint8_t world_name(unsigned int way, uint8_t flags);
/* The flags that have this name. */
uint8_t world_named(unsigned int way, uint8_t name);

void world_open(struct world *world, const struct space *space);

/* Destroy the set.  What is wrong then, or NULL. */
const char *world_close(struct world *world);

/*
 * Make a new set that is in the state, and remember it for world_restore.  Each
 * shape builds it in another way, so that the tree differs.  What is wrong
 * then, or NULL.
 */
#define WORLD_SHAPES 16
const char *world_build(struct world *world, const struct units *state,
			unsigned int shape);

void world_restore(struct world *world);

/* Remember the page table only, for the contents of its entries. */
void world_keep_page_table(struct world *world);

/* Whether no byte of set and page table has changed. */
bool world_is_untouched(const struct world *world);

/* How the set and the page table differ from the model; NULL: not at all. */
const char *world_check(struct world *world, const struct units *model);

/* An area that is as the unit says. */
struct vmset_area world_area(const struct world *world,
			     const struct unit *unit, uintptr_t start,
			     size_t size);

#endif /* TESTS_EXHAUST_WORLD_H */
