/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Memory for a set's records: nodes of the tree from chunks that come from
 * mmap, and scratch arrays.  Never malloc.
 *
 * A node is a node of its class for ever, so that a reader without a lock
 * that still has its address reads a node, never something else.  A node that
 * the tree dropped rests before it is used again:
 *
 *   cooling  dropped in this epoch
 *   resting  dropped in the epoch before
 *   free     dropped earlier: may be used
 *
 * A reader notes the epoch before its first look at the tree.  As long as the
 * epoch has moved by less than two, no node that it could reach has been used
 * again, and what it read holds.  Else it forgets what it read and starts again.
 *
 * Chunks are of one class, and grow with the set.  When many nodes are idle, the
 * chunks that hold no others give their pages back to the kernel.  Their
 * mappings stay: a reader that is late finds zeroes there, and then that it is
 * late.
 */
#ifndef VMSET_SLAB_H
#define VMSET_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What every node begins with. */
struct vmset__node {
	struct vmset__node *link;       /* next of a list; the writer's only */
	struct vmset__node *made;       /* next of those a change made */
	/* The tree's; readers load them. */
	uint32_t count;                 /* entries or children */
	uint16_t shift;                 /* of its keys */
	uint16_t lines;                 /* the slab's: from its chunk's head */
};

enum vmset__class {
	VMSET__LEAF,
	VMSET__WIDE_LEAF,
	VMSET__INNER,
	VMSET__CLASSES
};

struct vmset__list {
	struct vmset__node *head, *tail;
	size_t n;
};

struct vmset__pool {
	size_t node_size;
	struct vmset__list cooling, resting, free;
	struct vmset__list kept;        /* for the case that memory is out */
	size_t total;                   /* nodes carved, wherever they are */
	size_t tidy_at;                 /* with more idle ones, a look is due */
	struct vmset__chunk *chunks;    /* the first is being carved */
	struct vmset__chunk *empty;     /* have given their pages back */
	char *bump, *bump_end;          /* not yet carved */
};

struct vmset__slab {
	uintptr_t epoch;
	struct vmset__pool pool[VMSET__CLASSES];
	size_t mapped;                  /* bytes of all chunks */
	size_t given_back;              /* of them */
	void *scratch;                  /* kept for the next that needs some */
	size_t scratch_size;
};

/*
 * Make a slab and map its first chunk, which begins with room for an object of
 * the caller's: that is what is returned, zeroed, or NULL.  The slab itself may
 * live in it: write *slab there when the call is over.
 */
void *vmset__slab_init(struct vmset__slab *slab, size_t object_size,
		       const size_t node_size[VMSET__CLASSES]);

/* Unmap all of it, the caller's object with it.  slab: a copy outside. */
void vmset__slab_fini(struct vmset__slab *slab);

/*
 * Put n nodes aside, so that they are there when no memory is.  false if there
 * are not that many.
 */
bool vmset__slab_keep_more(struct vmset__slab *slab, enum vmset__class class,
			   size_t n);
static inline bool vmset__slab_keep(struct vmset__slab *slab,
				    enum vmset__class class, size_t n)
{
	return slab->pool[class].kept.n >= n ||
	       vmset__slab_keep_more(slab, class, n);
}

/*
 * A node with undefined contents, or NULL.  urgent: take from what was kept if
 * nothing else is left.
 */
struct vmset__node *vmset__slab_alloc(struct vmset__slab *slab,
				      enum vmset__class class, bool urgent);

/* Take back a node that no reader has ever seen. */
void vmset__slab_unalloc(struct vmset__slab *slab, enum vmset__class class,
			 struct vmset__node *node);

/* Drop a node that readers may be looking at. */
void vmset__slab_retire(struct vmset__slab *slab, enum vmset__class class,
			struct vmset__node *node);

/* Whether so many nodes of a class are idle that chunks may be empty. */
static inline bool vmset__pool_is_idle(const struct vmset__pool *pool)
{
	return pool->cooling.n + pool->resting.n + pool->free.n >=
	       pool->tidy_at + pool->total / 8;
}

/* See to it.  Call it when all that was retired is out of the tree. */
void vmset__slab_give_back(struct vmset__slab *slab);
static inline void vmset__slab_tidy(struct vmset__slab *slab)
{
	for (int class = 0; class < VMSET__CLASSES; class++)
		if (vmset__pool_is_idle(&slab->pool[class]))
			vmset__slab_give_back(slab);
}

/*
 * Memory with undefined contents for the length of an operation, or NULL.  *size
 * becomes how much it is, which put has to be told.  To map some costs as much as
 * many an operation, so a little is kept.
 */
void *vmset__scratch_get(struct vmset__slab *slab, size_t *size);
void vmset__scratch_put(struct vmset__slab *slab, void *scratch, size_t size);

#endif /* VMSET_SLAB_H */
