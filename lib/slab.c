/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The slab: chunks from mmap, carved into nodes of a class, the three lists
 * through which a dropped node comes back into use, chunks that give their
 * pages back, and scratch.
 */
#include "slab.h"

#include <sys/mman.h>
#include <unistd.h>

#include "shared.h"

/* Tiny nodes in small tests make do with less. */
#ifndef VMSET_CHUNK_MIN
#define VMSET_CHUNK_MIN (8 << 10)
#endif

#define NODE_ALIGN ((size_t)64)         /* a cache line */
#define CHUNK_MIN  ((size_t)VMSET_CHUNK_MIN)
#define CHUNK_MAX  ((size_t)2 << 20)

/* How many nodes of a class may rest: a part of all, within these. */
#define REST_SHARE 32
#define REST_MIN   2
#define REST_MAX   64

/*
 * Chunks are looked at when so many more nodes of a class are idle than after the
 * last look, and a part of all.
 */
#define TIDY_MIN 32

/* How much is mapped for scratch at least, and kept at most: powers of two. */
#define SCRATCH_MIN  ((size_t)16 << 10)
#define SCRATCH_KEPT ((size_t)64 << 10)

struct vmset__chunk {
	struct vmset__chunk *next;
	size_t size;
	size_t nodes;                   /* carved from it */
	size_t idle;                    /* of them: only while they are counted */
	bool pinned;                    /* has the caller's object in it */
};

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t round_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

#ifdef MADV_HUGEPAGE
#define HUGE_PAGE ((size_t)2 << 20)
#else
#define HUGE_PAGE SIZE_MAX
#endif

static void *map_pages(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/*
 * Chunks of a large set lie on huge pages, if there are any: a search meets
 * nodes all over the chunks, and most of its time would go to page tables.
 */
static void *map_chunk(size_t size)
{
	char *p, *aligned;

	if (size % HUGE_PAGE)
		return map_pages(size);
	p = map_pages(size + HUGE_PAGE);
	if (!p)
		return map_pages(size);
	aligned = (char *)round_up((uintptr_t)p, HUGE_PAGE);
	if (aligned != p)
		munmap(p, (size_t)(aligned - p));
	if (p + HUGE_PAGE != aligned)
		munmap(aligned + size, (size_t)(p + HUGE_PAGE - aligned));
	madvise(aligned, size, MADV_HUGEPAGE);
	return aligned;
}

static struct vmset__node *pop(struct vmset__list *list)
{
	struct vmset__node *node = list->head;

	if (!node)
		return NULL;
	list->head = node->link;
	if (!list->head)
		list->tail = NULL;
	list->n--;
	return node;
}

static void push(struct vmset__list *list, struct vmset__node *node)
{
	node->link = list->head;
	list->head = node;
	if (!list->tail)
		list->tail = node;
	list->n++;
}

/* Put all of from in front of to. */
static void move_all(struct vmset__list *to, struct vmset__list *from)
{
	if (!from->head)
		return;
	from->tail->link = to->head;
	if (!to->tail)
		to->tail = from->tail;
	to->head = from->head;
	to->n += from->n;
	*from = (struct vmset__list){ 0 };
}

/*
 * Begin a new epoch.  The publications that dropped the nodes come before the
 * store to the epoch: who notes the new epoch cannot reach those any more.  The
 * stores into nodes that become free by it come after.
 */
static void advance(struct vmset__slab *slab)
{
	vmset__store_release(&slab->epoch, slab->epoch + 1);
	vmset__fence_release();
	for (int c = 0; c < VMSET__CLASSES; c++) {
		move_all(&slab->pool[c].free, &slab->pool[c].resting);
		move_all(&slab->pool[c].resting, &slab->pool[c].cooling);
	}
}

/* Advance until a node of the pool is free, if that helps. */
static void wake(struct vmset__slab *slab, const struct vmset__pool *pool)
{
	while (!pool->free.n && pool->resting.n + pool->cooling.n)
		advance(slab);
}

static bool rested_enough(const struct vmset__pool *pool)
{
	size_t least = pool->total / REST_SHARE;

	if (least < REST_MIN)
		least = REST_MIN;
	if (least > REST_MAX)
		least = REST_MAX;
	return pool->resting.n + pool->cooling.n >= 2 * least;
}

static char *first_node(struct vmset__chunk *chunk)
{
	return (char *)chunk + round_up(sizeof *chunk, NODE_ALIGN);
}

/* Carve the next nodes of the pool from a chunk. */
static void carve_from(struct vmset__pool *pool, struct vmset__chunk *chunk)
{
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	pool->bump = first_node(chunk);
	pool->bump_end = (char *)chunk + chunk->size;
}

/* Map a chunk for more nodes: a small one first, larger ones as they get many. */
static bool grow(struct vmset__slab *slab, struct vmset__pool *pool)
{
	size_t least = pool->chunks ? 2 * CHUNK_MIN : CHUNK_MIN;
	size_t size = pool->total * pool->node_size / 16;
	struct vmset__chunk *chunk;

	if (size < least)
		size = least;
	if (size > CHUNK_MAX / 8)
		size = CHUNK_MAX;
	size = round_up(size, page_size());
	chunk = map_chunk(size);
	if (!chunk)
		return false;
	*chunk = (struct vmset__chunk){ .size = size };
	carve_from(pool, chunk);
	slab->mapped += size;
	return true;
}

/* What a chunk can give back: all but the page with its head. */
static size_t spare(const struct vmset__chunk *chunk)
{
	return chunk->size - page_size();
}

/* Have a chunk to carve, of those that are empty or a new one. */
static bool get_chunk(struct vmset__slab *slab, struct vmset__pool *pool)
{
	struct vmset__chunk *chunk = pool->empty;

	if (!chunk)
		return grow(slab, pool);
	pool->empty = chunk->next;
	slab->given_back -= spare(chunk);
	carve_from(pool, chunk);
	return true;
}

static struct vmset__node *carve(struct vmset__pool *pool)
{
	struct vmset__node *node = (struct vmset__node *)(void *)pool->bump;
	struct vmset__chunk *chunk = pool->chunks;

	if ((size_t)(pool->bump_end - pool->bump) < pool->node_size)
		return NULL;
	node->lines = (uint16_t)((size_t)(pool->bump - (char *)chunk) /
				 NODE_ALIGN);
	pool->bump += pool->node_size;
	pool->total++;
	chunk->nodes++;
	return node;
}

void *vmset__slab_init(struct vmset__slab *slab, size_t object_size,
		       const size_t node_size[VMSET__CLASSES])
{
	struct vmset__pool *pool = &slab->pool[VMSET__LEAF];
	char *object;

	*slab = (struct vmset__slab){ 0 };
	for (int c = 0; c < VMSET__CLASSES; c++) {
		slab->pool[c].node_size = round_up(node_size[c], NODE_ALIGN);
		slab->pool[c].tidy_at = TIDY_MIN;
	}
	if (!grow(slab, pool))
		return NULL;
	pool->chunks->pinned = true;
	object = pool->bump;
	pool->bump += round_up(object_size, NODE_ALIGN);
	return object;
}

static void unmap_chunks(struct vmset__chunk *chunk)
{
	while (chunk) {
		struct vmset__chunk *next = chunk->next;

		munmap(chunk, chunk->size);
		chunk = next;
	}
}

void vmset__slab_fini(struct vmset__slab *slab)
{
	for (int c = 0; c < VMSET__CLASSES; c++) {
		unmap_chunks(slab->pool[c].empty);
		unmap_chunks(slab->pool[c].chunks);
	}
	if (slab->scratch)
		munmap(slab->scratch, slab->scratch_size);
}

/* ---- giving back ---- */

static struct vmset__chunk *chunk_of(struct vmset__node *node)
{
	return (struct vmset__chunk *)(void *)((char *)node -
					       node->lines * NODE_ALIGN);
}

static bool is_empty(const struct vmset__chunk *chunk)
{
	return chunk->idle == chunk->nodes && !chunk->pinned;
}

/* Count the free nodes of each chunk.  false: none is empty. */
static bool count_idle(struct vmset__pool *pool)
{
	struct vmset__chunk *chunk;
	struct vmset__node *node;
	bool found = false;

	for (chunk = pool->chunks; chunk; chunk = chunk->next)
		chunk->idle = 0;
	for (node = pool->free.head; node; node = node->link)
		chunk_of(node)->idle++;
	for (chunk = pool->chunks; chunk; chunk = chunk->next)
		found |= is_empty(chunk);
	return found;
}

/* The nodes of empty chunks are free no more: they will be carved again. */
static void forget_nodes(struct vmset__pool *pool)
{
	struct vmset__list kept = { 0 };
	struct vmset__node *node;

	while ((node = pop(&pool->free)))
		if (!is_empty(chunk_of(node)))
			push(&kept, node);
	pool->free = kept;
}

static void empty_chunks(struct vmset__slab *slab, struct vmset__pool *pool)
{
	struct vmset__chunk **link = &pool->chunks, *chunk;

	while ((chunk = *link)) {
		if (!is_empty(chunk)) {
			link = &chunk->next;
			continue;
		}
		if (chunk == pool->chunks)
			pool->bump = pool->bump_end = NULL;
		*link = chunk->next;
		chunk->next = pool->empty;
		pool->empty = chunk;
		pool->total -= chunk->nodes;
		chunk->nodes = 0;
		slab->given_back += spare(chunk);
		madvise((char *)chunk + page_size(), spare(chunk),
			MADV_DONTNEED);
	}
}

void vmset__slab_give_back(struct vmset__slab *slab)
{
	/* So that all that is idle is free. */
	advance(slab);
	advance(slab);
	for (int c = 0; c < VMSET__CLASSES; c++) {
		struct vmset__pool *pool = &slab->pool[c];
		size_t kept = pool->kept.n;

		if (!vmset__pool_is_idle(pool))
			continue;
		/* Any nodes can be kept: better not such as hold a chunk. */
		move_all(&pool->free, &pool->kept);
		if (count_idle(pool)) {
			forget_nodes(pool);
			empty_chunks(slab, pool);
		}
		/* There are so many, free or in chunks, so this cannot fail. */
		vmset__slab_keep_more(slab, c, kept);
		pool->tidy_at = pool->free.n + TIDY_MIN;
	}
}

/* ---- nodes ---- */

struct vmset__node *vmset__slab_alloc(struct vmset__slab *slab,
				      enum vmset__class class, bool urgent)
{
	struct vmset__pool *pool = &slab->pool[class];
	struct vmset__node *node;

	if (!pool->free.n && rested_enough(pool))
		wake(slab, pool);
	node = pop(&pool->free);
	if (!node)
		node = carve(pool);
	if (!node && get_chunk(slab, pool))
		node = carve(pool);
	if (!node) {
		wake(slab, pool);
		node = pop(&pool->free);
	}
	if (!node && urgent)
		node = pop(&pool->kept);
	return node;
}

bool vmset__slab_keep_more(struct vmset__slab *slab, enum vmset__class class,
			   size_t n)
{
	struct vmset__pool *pool = &slab->pool[class];

	while (pool->kept.n < n) {
		struct vmset__node *node =
			vmset__slab_alloc(slab, class, false);

		if (!node)
			return false;
		push(&pool->kept, node);
	}
	return true;
}

void vmset__slab_unalloc(struct vmset__slab *slab, enum vmset__class class,
			 struct vmset__node *node)
{
	push(&slab->pool[class].free, node);
}

void vmset__slab_retire(struct vmset__slab *slab, enum vmset__class class,
			struct vmset__node *node)
{
	push(&slab->pool[class].cooling, node);
}

/* ---- scratch ---- */

void *vmset__scratch_get(struct vmset__slab *slab, size_t *size)
{
	size_t wanted = SCRATCH_MIN;
	void *scratch = slab->scratch;

	if (scratch && slab->scratch_size >= *size) {
		*size = slab->scratch_size;
		slab->scratch = NULL;
		slab->scratch_size = 0;
		return scratch;
	}
	while (wanted < *size && wanted < SCRATCH_KEPT)
		wanted *= 2;
	if (*size > wanted)
		wanted = *size;
	scratch = map_pages(wanted);
	if (scratch)
		*size = wanted;
	return scratch;
}

void vmset__scratch_put(struct vmset__slab *slab, void *scratch, size_t size)
{
	void *less = scratch;
	size_t less_size = size;

	if (size <= SCRATCH_KEPT && size > slab->scratch_size) {
		less = slab->scratch;
		less_size = slab->scratch_size;
		slab->scratch = scratch;
		slab->scratch_size = size;
	}
	if (less)
		munmap(less, less_size);
}
