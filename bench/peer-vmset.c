/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The set, over a backend that does nothing and promises everything.
 */
#include "bench.h"
#include "peer.h"

static int null_map(void *ctx, uintptr_t start, size_t size, uint32_t flags,
		    uint64_t offset)
{
	(void)ctx, (void)start, (void)size, (void)flags, (void)offset;
	return 0;
}

static int null_unmap(void *ctx, uintptr_t start, size_t size)
{
	(void)ctx, (void)start, (void)size;
	return 0;
}

static int null_protect(void *ctx, uintptr_t start, size_t size,
			uint32_t flags)
{
	(void)ctx, (void)start, (void)size, (void)flags;
	return 0;
}

static const struct vmset_backend_ops null_ops = {
	.size = sizeof(null_ops),
	.map = null_map,
	.unmap = null_unmap,
	.protect = null_protect,
	.promises = VMSET_BACKEND_REPLACES | VMSET_BACKEND_SPANS |
		    VMSET_BACKEND_JOINS | VMSET_BACKEND_DISCARDS,
	.name = "null",
};

static const struct vmset_backend null_backend = { .ops = &null_ops };

static void *create(struct vmset_range bounds)
{
	const struct vmset_config config = {
		.size = sizeof(config), .bounds = bounds, .granule = PAGE,
		.backend = &null_backend,
	};
	struct vmset *set;

	return vmset_create(&set, &config) ? NULL : set;
}

static void destroy(void *self)
{
	need(vmset_destroy(self) == 0, "vmset_destroy");
}

static bool map(void *self, uintptr_t start, size_t size, uint32_t flags)
{
	return vmset_map(self, start, size, flags, 0) == 0;
}

static bool unmap(void *self, uintptr_t start, size_t size)
{
	return vmset_unmap(self, start, size) == 0;
}

static bool protect(void *self, uintptr_t start, size_t size, uint32_t flags)
{
	return vmset_protect(self, start, size, flags) == 0;
}

static bool find(const void *self, uintptr_t addr, struct vmset_area *area)
{
	return vmset_find(self, addr, area) == 0;
}

static bool find_free(const void *self, uintptr_t hint, size_t size,
		      uintptr_t *start)
{
	const struct vmset_range whole = { 0, 0 };

	return vmset_find_free_area(self, hint, size, whole, 0, start) == 0;
}

static bool alloc(void *self, uintptr_t hint, size_t size, uint32_t flags,
		  uintptr_t *start)
{
	const struct vmset_placement where = {
		.size = sizeof(where), .policy = VMSET_LOWEST, .hint = hint,
	};

	return vmset_alloc(self, size, flags, &where, start) == 0;
}

static size_t walk(const void *self)
{
	uintptr_t addr = vmset_bounds(self).start;
	struct vmset_range ranges[256];
	size_t sum = 0, n, i;

	while ((n = vmset_next_ranges(self, &addr, ranges, 256)))
		for (i = 0; i < n; i++)
			sum += ranges[i].end - ranges[i].start;
	return sum;
}

static size_t walk_areas(const void *self)
{
	const struct vmset_area *area;
	struct vmset_iter iter;
	size_t sum = 0;

	need(vmset_iter_init(&iter, self, vmset_bounds(self).start) == 0,
	     "vmset_iter_init");
	while ((area = vmset_iter_next(&iter)))
		sum += area->end - area->start;
	return sum;
}

static size_t len(const void *self)
{
	return vmset_len(self);
}

static size_t bytes(const void *self)
{
	return record_bytes(self);
}

const struct bench_peer bench_vmset = {
	.name = "vmset",
	.create = create,
	.destroy = destroy,
	.map = map,
	.unmap = unmap,
	.protect = protect,
	.find = find,
	.find_free = find_free,
	.alloc = alloc,
	.walk = walk,
	.walk_areas = walk_areas,
	.len = len,
	.bytes = bytes,
};
