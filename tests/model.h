/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A model of a set that is too simple to be wrong: for each address, or
 * page, of a small space what should be there.  It shares no code with the
 * library.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmset.h"

enum model_state { MODEL_FREE, MODEL_AREA, MODEL_GUARD_BEFORE,
		   MODEL_GUARD_AFTER };

struct model_cell {
	enum model_state state;
	bool first;             /* an area begins here, if nothing is joined */
	uint32_t flags;
	const struct vmset_backend *backend;
	uint64_t base;          /* the address's offset, less the address */
	void *data;
	unsigned char content;
};

struct model {
	uintptr_t origin;
	size_t granule;
	size_t count;
	bool joins;             /* no VMSET_NO_MERGE */
	struct model_cell *cells;
};

void model_init(struct model *model, uintptr_t origin, size_t granule,
		size_t count, bool joins);
void model_free(struct model *model);

/* Cells are numbered from 0.  Ranges are [from, to). */
uintptr_t model_addr(const struct model *model, size_t cell);

/* Whether all are free; whether one is in an area. */
bool model_is_free(const struct model *model, size_t from, size_t to);
bool model_has_area(const struct model *model, size_t from, size_t to);

/* What the operations do when they succeed. */
void model_unmap(struct model *model, size_t from, size_t to);
void model_map(struct model *model, size_t from, size_t to,
	       const struct model_cell *cell);
void model_guards(struct model *model, size_t from, size_t to, size_t before,
		  size_t after);

/* New flags of an area with the old ones, or the same to leave it. */
typedef uint32_t model_flags_fn(uint32_t old_flags, uint32_t arg);
void model_update(struct model *model, size_t from, size_t to,
		  model_flags_fn *fn, uint32_t arg);

/* The area that begins at or after the cell, which is in none before it. */
bool model_next(const struct model *model, size_t cell,
		struct vmset_area *area);

#endif /* TESTS_MODEL_H */
