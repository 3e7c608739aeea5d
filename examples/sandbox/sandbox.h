/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A guest in its range: what sandbox.c and calls.c share.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "rv64.h"
#include "vmset.h"

struct guest {
	const char *name;
	struct vmset *set;
	uintptr_t base;         /* the host address of guest address 0 */
	uint64_t page;
	uint64_t heap_start;    /* a page's start */
	uint64_t heap_end;      /* the break: any byte */
	struct rv64 cpu;
	enum rv64_stop stop;    /* why the interpreter came back */
	bool exited;
	bool in_line;           /* the output does not end with '\n' */
	int status;             /* if it exited */
};

/* n, or the next multiple of the page size; 0 if that is more than 64 bits. */
static inline uint64_t page_up(const struct guest *g, uint64_t n)
{
	return (n + g->page - 1) & ~(g->page - 1);
}

/*
 * An area's flags for PROT_… bits, which have the same values.  A fetch of
 * the interpreter is a read of the host.
 */
static inline uint32_t rights(uint64_t prot)
{
	const uint32_t flags = prot & (VMSET_READ | VMSET_WRITE | VMSET_EXEC);

	return flags & VMSET_EXEC ? flags | VMSET_READ : flags;
}

/*
 * Map the pages [start, end) of the guest.  The name goes along as the area's
 * data, for reports.  0 or a negative errno value.
 */
int map_named(struct guest *g, uint64_t start, uint64_t end, uint32_t flags,
	      const char *name);

/* Do the system call that the guest stopped at; false if there is none such. */
bool serve_call(struct guest *g);

#endif /* SANDBOX_H */
