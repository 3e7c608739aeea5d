/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The mock page table.  Each operation checks that its backend may be called
 * so at all, fails if the test wants it to, and changes the entries.
 */
#include "mock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const op_names[MOCK_OPS] = { "map", "unmap", "protect" };

static struct mock_entry *entry(const struct mock *mock, uintptr_t addr)
{
	return &mock->entries[(addr - mock->bounds.start) / mock->granule];
}

const struct mock_entry *mock_at(const struct mock *mock, uintptr_t addr)
{
	return entry(mock, addr);
}

bool mock_is_free(const struct mock *mock, uintptr_t start, uintptr_t end)
{
	for (uintptr_t at = start; at < end; at += mock->granule) {
		if (entry(mock, at)->owner)
			return false;
	}
	return true;
}

static int violate(struct mock *mock, const struct mock_call *call,
		   const char *what)
{
	fprintf(stderr, "mock: %s of [%#jx, %#jx) by backend %u: %s\n",
		op_names[call->op], (uintmax_t)call->start,
		(uintmax_t)call->end, call->backend, what);
	if (!mock->violation)
		mock->violation = what;
	return -EIO;
}

static bool in_bounds(const struct mock *mock, uintptr_t start, uintptr_t end)
{
	return start < end && start >= mock->bounds.start &&
	       end <= mock->bounds.end && start % mock->granule == 0 &&
	       end % mock->granule == 0;
}

/* Whether the backend may map here: free, or its own if it replaces. */
static const char *bad_map(const struct mock *mock,
			   const struct mock_call *call, uint32_t promises)
{
	for (uintptr_t at = call->start; at < call->end; at += mock->granule) {
		uint8_t owner = entry(mock, at)->owner;

		if (!owner)
			continue;
		if (!(promises & VMSET_BACKEND_REPLACES))
			return "over what is mapped";
		if (owner != call->backend)
			return "over another backend's area";
	}
	return call->flags > UINT8_MAX ? "flags that are no byte" : NULL;
}

static bool same_area(const struct mock_entry *a, const struct mock_entry *b)
{
	return a->base == b->base && a->flags == b->flags;
}

/* Whether the range is the backend's own, and inside one area where it must. */
static const char *bad_change(const struct mock *mock,
			      const struct mock_call *call, bool spans)
{
	const struct mock_entry *first = entry(mock, call->start);

	for (uintptr_t at = call->start; at < call->end; at += mock->granule) {
		const struct mock_entry *this = entry(mock, at);

		if (!this->owner && !(spans && call->op == MOCK_UNMAP))
			return "a hole";
		if (this->owner && this->owner != call->backend)
			return "another backend's area";
		if (!spans && !same_area(first, this))
			return "more than one area";
	}
	return call->flags > UINT8_MAX ? "flags that are no byte" : NULL;
}

/* Whether a call is about one area only, as far as the entries tell. */
static bool is_single(const struct mock *mock, const struct mock_call *call)
{
	return !bad_change(mock, call, false);
}

static const char *bad_call(const struct mock *mock,
			    const struct mock_call *call, uint32_t promises)
{
	if (!in_bounds(mock, call->start, call->end))
		return "empty, misaligned or out of bounds";
	if (call->op == MOCK_MAP)
		return bad_map(mock, call, promises);
	if (call->op == MOCK_PROTECT)
		return bad_change(mock, call, promises & VMSET_BACKEND_JOINS);
	if (mock->forgiving)
		return NULL;
	return bad_change(mock, call, promises & VMSET_BACKEND_SPANS);
}

/* The error that the test wants for this call, counted already, or 0. */
static int wanted_error(const struct mock *mock, const struct mock_call *call)
{
	unsigned int bit = mock->calls > 64 ? 63 : mock->calls - 1;

	if (call->start < mock->sealed.end && mock->sealed.start < call->end)
		return -EPERM;
	return mock->failing >> bit & 1 ? mock->error : 0;
}

static void set_flags(struct mock *mock, uintptr_t start, uintptr_t end,
		      uint32_t flags)
{
	for (uintptr_t at = start; at < end; at += mock->granule)
		entry(mock, at)->flags = (uint8_t)flags;
}

/*
 * A protect of several areas that fails and may leave anything behind: in turn
 * all of it changed, the front, the rear, or nothing.
 */
static void spoil(struct mock *mock, const struct mock_call *call)
{
	size_t units = (call->end - call->start) / mock->granule;
	uintptr_t middle = call->start + units / 2 * mock->granule;
	unsigned int way = mock->calls % 4;

	set_flags(mock, way == 1 ? middle : call->start,
		  way == 2 ? middle : way == 3 ? call->start : call->end,
		  call->flags);
}

static void fill(struct mock *mock, const struct mock_call *call,
		 struct mock_entry with)
{
	for (uintptr_t at = call->start; at < call->end; at += mock->granule)
		*entry(mock, at) = with;
}

static void apply(struct mock *mock, const struct mock_call *call,
		  uint32_t promises)
{
	struct mock_entry with = { 0 };

	if (call->op == MOCK_PROTECT) {
		set_flags(mock, call->start, call->end, call->flags);
		return;
	}
	if (call->op == MOCK_MAP) {
		with.base = call->offset - call->start;
		with.owner = (uint8_t)call->backend;
		with.flags = (uint8_t)call->flags;
	}
	if (call->op == MOCK_MAP && promises & VMSET_BACKEND_DISCARDS)
		with.content = ++mock->contents;
	fill(mock, call, with);
}

static int run(struct mock *mock, const struct mock_call *call,
	       uint32_t promises)
{
	const char *bad = bad_call(mock, call, promises);
	int error = wanted_error(mock, call);

	if (bad)
		return violate(mock, call, bad);
	if (mock->hook)
		mock->hook(mock, call);
	if (!error)
		apply(mock, call, promises);
	else if (call->op == MOCK_PROTECT && !is_single(mock, call))
		spoil(mock, call);
	return error;
}

static int record(void *ctx, struct mock_call call, size_t size)
{
	const struct mock_backend *backend = ctx;
	struct mock *mock = backend->mock;
	unsigned int number = mock->calls++;

	call.backend = backend->owner;
	call.end = call.start + size;
	mock->by_op[call.op]++;
	call.result = run(mock, &call, backend->ops.promises);
	if (number < MOCK_LOG)
		mock->log[number] = call;
	return call.result;
}

static int mock_map(void *ctx, uintptr_t start, size_t size, uint32_t flags,
		    uint64_t offset)
{
	return record(ctx, (struct mock_call){ .op = MOCK_MAP, .start = start,
					       .flags = flags,
					       .offset = offset }, size);
}

static int mock_unmap(void *ctx, uintptr_t start, size_t size)
{
	return record(ctx, (struct mock_call){ .op = MOCK_UNMAP,
					       .start = start }, size);
}

static int mock_protect(void *ctx, uintptr_t start, size_t size,
			uint32_t flags)
{
	return record(ctx, (struct mock_call){ .op = MOCK_PROTECT,
					       .start = start,
					       .flags = flags }, size);
}

static int mock_query(void *ctx, uintptr_t addr, uintptr_t limit,
		      struct vmset_query *out)
{
	const struct mock_backend *backend = ctx;
	struct mock *mock = backend->mock;
	const struct mock_entry *first, *this;
	uintptr_t end;

	mock->queries++;
	if (!in_bounds(mock, addr, limit)) {
		mock->violation = "query empty, misaligned or out of bounds";
		return -EIO;
	}
	if (mock->query_error)
		return mock->query_error;
	first = entry(mock, addr);
	for (end = addr + mock->granule; end < limit; end += mock->granule) {
		this = entry(mock, end);
		if (!this->owner != !first->owner ||
		    this->flags != first->flags)
			break;
	}
	*out = (struct vmset_query){ .end = end, .mapped = first->owner,
				     .flags = first->flags };
	return 0;
}

static void init_backend(struct mock *mock, unsigned int number)
{
	static const char *const names[MOCK_BACKENDS] = { "mock", "other" };
	struct mock_backend *backend = &mock->backends[number];

	backend->mock = mock;
	backend->owner = (uint8_t)(number + 1);
	backend->ops = (struct vmset_backend_ops){
		.size = sizeof(backend->ops),
		.map = mock_map,
		.unmap = mock_unmap,
		.protect = mock_protect,
		.query = mock_query,
		.name = names[number],
	};
	backend->handle.ops = &backend->ops;
	backend->handle.ctx = backend;
}

void mock_init(struct mock *mock, struct vmset_range bounds, size_t granule)
{
	memset(mock, 0, sizeof(*mock));
	mock->bounds = bounds;
	mock->granule = granule;
	mock->count = (bounds.end - bounds.start) / granule;
	mock->entries = calloc(mock->count, sizeof(*mock->entries));
	if (!mock->entries)
		abort();
	for (unsigned int i = 0; i < MOCK_BACKENDS; i++)
		init_backend(mock, i);
}

void mock_free(struct mock *mock)
{
	free(mock->entries);
	mock->entries = NULL;
}

void mock_promise(struct mock *mock, uint32_t promises)
{
	for (unsigned int i = 0; i < MOCK_BACKENDS; i++)
		mock->backends[i].ops.promises = promises;
}

const struct vmset_backend *mock_backend(const struct mock *mock,
					 unsigned int number)
{
	return &mock->backends[number].handle;
}

void mock_fail(struct mock *mock, uint64_t failing, int error)
{
	mock->calls = 0;
	memset(mock->by_op, 0, sizeof(mock->by_op));
	mock->failing = failing;
	mock->error = error;
}

void mock_heal(struct mock *mock)
{
	mock_fail(mock, 0, 0);
}
