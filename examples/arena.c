/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The arena: how to build an allocator on a virtual memory set.
 *
 * Where a chunk or a large block stands is the set's business: vmset_alloc
 * finds the room, keeps the guard and maps, in one step.  Both start at a
 * multiple of CHUNK, so a pointer's record is found by a division; the set is
 * asked only when something is wrong with the pointer.  By VMSET_NO_MERGE each
 * chunk and each large block stays an area of its own.
 */
#include "arena-internal.h"

#include <errno.h>
#include <string.h>

static size_t round_up(size_t size, size_t to)
{
	return (size + to - 1) & ~(to - 1);
}

/* The classes: 16, 32, … 128 bytes, then four for each power of two. */
static unsigned class_of(size_t size)
{
	const size_t u = size ? (size - 1) / UNIT : 0;
	const unsigned shift = u < 8 ? 0 : 61 - (unsigned)__builtin_clzll(u);

	return 4 * shift + (unsigned)(u >> shift);
}

static size_t class_size(unsigned class)
{
	const unsigned shift = class < 8 ? 0 : class / 4 - 1;

	return (size_t)(class - 4 * shift + 1) * UNIT << shift;
}

static void list_add(struct chunk **list, struct chunk *c)
{
	c->next = *list;
	c->link = list;
	if (c->next != NULL)
		c->next->link = &c->next;
	*list = c;
}

static void list_del(struct chunk *c)
{
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
}

int arena_create(struct arena **arena, size_t size)
{
	struct vmset_placement where = { .size = sizeof where };
	struct arena *a;
	struct vmset *set;
	uintptr_t start;
	size_t records;
	int r = vmset_reserve(&set, size, VMSET_NO_MERGE);

	if (r < 0)
		return r;
	where.guard_after = vmset_granule(set);
	records = round_up(sizeof *a + (size / CHUNK + 2) * sizeof *a->chunks,
			   vmset_granule(set));
	r = vmset_alloc(set, records, VMSET_READ | VMSET_WRITE, &where, &start);
	if (r < 0) {
		vmset_destroy(set);
		return r;
	}
	a = (struct arena *)start;
	a->set = set;
	a->bounds = vmset_bounds(set);
	a->granule = vmset_granule(set);
	a->usage.records = records;
	a->chunks = (struct chunk *)(a + 1);
	*arena = a;
	return 0;
}

int arena_destroy(struct arena *a)
{
	return vmset_destroy(a->set);
}

/* A new area for a chunk or a large block.  NULL: no room, nothing changed. */
static struct chunk *area_new(struct arena *a, size_t size, size_t guard)
{
	const struct vmset_placement where = {
		.size = sizeof where,
		.align = CHUNK,
		.guard_after = guard,
	};
	struct chunk *c;
	uintptr_t start;

	if (vmset_alloc(a->set, size, VMSET_READ | VMSET_WRITE, &where, &start))
		return NULL;
	a->usage.mapped += size;
	if (a->usage.peak < a->usage.mapped)
		a->usage.peak = a->usage.mapped;
	c = chunk_of(a, start);
	c->first = start;
	return c;
}

static int area_free(struct arena *a, uintptr_t start, size_t size)
{
	const int r = vmset_unmap(a->set, start, size);

	if (r == 0)
		a->usage.mapped -= size;
	return r;
}

/* A chunk with free slots for the class: an empty one if there is one. */
static struct chunk *chunk_new(struct arena *a, unsigned class)
{
	struct chunk *c = a->empty;

	if (c != NULL)
		list_del(c);
	else if ((c = area_new(a, CHUNK, 0)) == NULL)
		return NULL;
	c->slot = class_size(class);
	c->slots = CHUNK / c->slot;
	c->hint = 0;
	list_add(&a->partial[class], c);
	return c;
}

/* The block ends where its guard begins, but for what UNIT leaves over. */
static void *large_new(struct arena *a, size_t size)
{
	const size_t room = round_up(size, a->granule);
	struct chunk *const c = area_new(a, room, a->granule);

	if (c == NULL)
		return NULL;
	c->first += room - round_up(size, UNIT);
	c->slot = size;
	c->slots = 1;
	c->bits[0] = 1;
	return (void *)c->first;
}

void *arena_malloc(struct arena *a, size_t size)
{
	struct chunk *c;
	size_t word, bit;

	if (size > PTRDIFF_MAX)
		return NULL;
	if (size > SMALL_MAX)
		return large_new(a, size);
	c = a->partial[class_of(size)];
	if (c == NULL && (c = chunk_new(a, class_of(size))) == NULL)
		return NULL;
	for (word = c->hint; c->bits[word] == UINT64_MAX; word++)
		;
	bit = (size_t)__builtin_ctzll(~c->bits[word]);
	c->bits[word] |= UINT64_C(1) << bit;
	c->hint = word;
	if (++c->used == c->slots)
		list_del(c);
	return (void *)(c->first + (64 * word + bit) * c->slot);
}

static int large_free(struct arena *a, struct chunk *c)
{
	const size_t room = round_up(c->slot, a->granule);
	const uintptr_t end = c->first + round_up(c->slot, UNIT);
	const int r = area_free(a, end - room, room);

	if (r == 0)
		c->bits[0] = 0;
	return r;
}

static int block_free(struct arena *a, const struct block *b)
{
	struct chunk *const c = b->chunk;

	if (c->slots == 1)
		return large_free(a, c);
	c->bits[b->n / 64] &= ~(UINT64_C(1) << b->n % 64);
	if (c->hint > b->n / 64)
		c->hint = b->n / 64;
	if (c->used-- == c->slots)
		list_add(&a->partial[class_of(c->slot)], c);
	if (c->used == 0) {
		list_del(c);
		list_add(&a->empty, c);
	}
	return 0;
}

int arena_free(struct arena *a, void *p)
{
	struct block b;

	if (p == NULL)
		return 0;
	return arena_find_block(a, "free", p, &b) ? block_free(a, &b) : -EINVAL;
}

void *arena_realloc(struct arena *a, void *p, size_t size)
{
	struct block b;
	void *q;

	if (p == NULL)
		return arena_malloc(a, size);
	if (!arena_find_block(a, "realloc", p, &b))
		return NULL;
	if (size <= SMALL_MAX && class_of(size) == class_of(b.chunk->slot))
		return p;
	q = arena_malloc(a, size);
	if (q == NULL)
		return NULL;
	memcpy(q, p, size < b.chunk->slot ? size : b.chunk->slot);
	if (block_free(a, &b) == 0)
		return q;
	arena_free(a, q);
	return NULL;
}

int arena_purge(struct arena *a)
{
	int r;

	while (a->empty != NULL) {
		r = area_free(a, a->empty->first, CHUNK);
		if (r < 0)
			return r;
		list_del(a->empty);
	}
	return 0;
}

const struct vmset *arena_set(const struct arena *a)
{
	return a->set;
}

struct arena_usage arena_usage(const struct arena *a)
{
	return a->usage;
}
