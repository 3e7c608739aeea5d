/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A mock page table: one entry with a flag byte for each address, or for each
 * granule.  Backends map, unmap and protect in it.  It is strict: a call that
 * a backend with its promises must not get is a violation, answered with -EIO
 * and remembered.  It records every call and fails those that a test chooses.
 */
#ifndef TESTS_MOCK_H
#define TESTS_MOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmset.h"

#define MOCK_MAX_ADDR 0x10000
#define MOCK_BACKENDS 2
#define MOCK_LOG 512

enum mock_op { MOCK_MAP, MOCK_UNMAP, MOCK_PROTECT, MOCK_OPS };

/* What the page table holds for one address. */
struct mock_entry {
	uint64_t base;          /* the address's offset, less the address */
	uint32_t content;       /* new for each map, if unmaps discard */
	uint8_t owner;          /* the backend's number, from 1; 0: free */
	uint8_t flags;
	uint16_t zero;          /* so that entries can be compared as bytes */
};

struct mock_call {
	enum mock_op op;
	unsigned int backend;
	uintptr_t start, end;
	uint32_t flags;
	uint64_t offset;
	int result;
};

struct mock;

/* One of the backends that share the page table. */
struct mock_backend {
	struct mock *mock;
	uint8_t owner;
	struct vmset_backend_ops ops;
	struct vmset_backend handle;
};

/* Called in each changing call of a backend, before it does anything. */
typedef void mock_hook(struct mock *mock, const struct mock_call *call);

struct mock {
	struct vmset_range bounds;
	size_t granule;
	size_t count;                   /* of entries */
	struct mock_entry *entries;
	struct mock_backend backends[MOCK_BACKENDS];

	unsigned int calls;             /* since mock_fail or mock_heal */
	unsigned int by_op[MOCK_OPS];
	unsigned int queries;
	struct mock_call log[MOCK_LOG]; /* the first of them */

	uint64_t failing;               /* bit i: fail call i + 1 */
	int error;                      /* with this */
	struct vmset_range sealed;      /* any call that meets it: -EPERM */
	int query_error;
	bool forgiving;                 /* unmap what is only partly mapped */

	mock_hook *hook;
	void *hook_arg;

	uint32_t contents;              /* handed out so far */
	const char *violation;          /* the first one */
};

/* Every promise there is. */
#define MOCK_PROMISES                                                         \
	(VMSET_BACKEND_REPLACES | VMSET_BACKEND_SPANS | VMSET_BACKEND_JOINS | \
	 VMSET_BACKEND_DISCARDS)

/* An empty page table for the bounds.  Its backends promise nothing. */
void mock_init(struct mock *mock, struct vmset_range bounds, size_t granule);
void mock_free(struct mock *mock);

/* What the backends promise from now on: before a set uses them. */
void mock_promise(struct mock *mock, uint32_t promises);

/* The backend with the number, from 0. */
const struct vmset_backend *mock_backend(const struct mock *mock,
					 unsigned int number);

/*
 * Count the calls from 1 again, and let those with a bit in failing return
 * error.  The top bit stands for all calls from the 64th on.
 */
void mock_fail(struct mock *mock, uint64_t failing, int error);

/* The bits for one call, and for it and all that follow. */
#define MOCK_CALL(number) (UINT64_C(1) << ((number) - 1))
#define MOCK_FROM(number) (~UINT64_C(0) << ((number) - 1))

/* Count from 1 again, and fail nothing. */
void mock_heal(struct mock *mock);

/* The entry of an address. */
const struct mock_entry *mock_at(const struct mock *mock, uintptr_t addr);

/* Whether nothing is mapped in [start, end). */
bool mock_is_free(const struct mock *mock, uintptr_t start, uintptr_t end);

#endif /* TESTS_MOCK_H */
