/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A set from vmset_reserve of which every page is known: whether it is in an
 * area, with which flags, and what it holds.  Tests do something to the set and
 * tell what must have come of it; the check holds all of it against the set,
 * the kernel and the memory itself.
 */
#ifndef TESTS_PAGES_H
#define TESTS_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmset.h"

#define PAGES_COUNT 16

struct pages {
	struct vmset *set;
	uintptr_t base;
	size_t page;
	int memory;             /* of the process, read whatever the rights */
	struct pages_cell {
		bool mapped;
		uint32_t flags;
		const struct vmset_backend *backend;    /* NULL: the set's */
		unsigned char content;                  /* of each byte */
	} cells[PAGES_COUNT];
};

/*
 * A letter a page: . for none, - r w x for an area that may not be used, read,
 * written and read, run and read.  Neighbours that are alike are one area.
 * Pages in areas get contents that differ from each other's.
 */
void pages_open(struct pages *pages, const char *shape);
void pages_close(struct pages *pages);

/* The same for a set that is there, without an area, and stays or is gone. */
void pages_adopt(struct pages *pages, struct vmset *set);
void pages_leave(struct pages *pages);

/* Pages are numbered from 0. */
uintptr_t pages_at(const struct pages *pages, size_t number);

/* Operations on the pages from the first up to, and without, the last. */
int pages_map(const struct pages *pages, size_t from, size_t to,
	      uint32_t flags, uint32_t how);
int pages_unmap(const struct pages *pages, size_t from, size_t to);
int pages_protect(const struct pages *pages, size_t from, size_t to,
		  uint32_t flags);

/* What has become of the pages. */
void pages_are_mapped(struct pages *pages, size_t from, size_t to,
		      const struct pages_cell *cell);
void pages_are_free(struct pages *pages, size_t from, size_t to);
void pages_are_protected(struct pages *pages, size_t from, size_t to,
			 uint32_t flags);

/* Give a page that can be written new contents. */
void pages_fill(struct pages *pages, size_t number, unsigned char content);

/*
 * What differs, in words, or NULL: the set's areas and records, what
 * vmset_verify says, the contents of pages that may be read.  Takes no memory.
 */
const char *pages_wrong(const struct pages *pages);

/* That nothing does, also contents of pages that may not be read. */
void pages_check(const struct pages *pages);

/* The same, and /proc/self/maps has the lines; no backend but the set's. */
void pages_check_lines(const struct pages *pages);

#endif /* TESTS_PAGES_H */
