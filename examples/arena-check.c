/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is this pointer?  Asked by free, by realloc and when a fault comes.
 *
 * Only reads.  The set's readers are right in a signal handler too, even one
 * that interrupted vmset_alloc or vmset_unmap half-way; and a fault function is
 * told what it would ask them.
 */
#include "arena-internal.h"

#include "say.h"

enum verdict { BLOCK, INSIDE, UNUSED, FOREIGN };

static bool in_bounds(const struct arena *a, uintptr_t p)
{
	return p >= a->bounds.start && p < a->bounds.end;
}

/* Which slot of c is p in?  false: in none. */
static bool slot_at(struct chunk *c, uintptr_t p, struct block *b)
{
	if (p < c->first || p - c->first >= c->slots * c->slot)
		return false;
	b->chunk = c;
	b->n = (p - c->first) / c->slot;
	b->start = c->first + b->n * c->slot;
	return true;
}

static bool is_used(const struct block *b)
{
	return b->chunk->bits[b->n / 64] >> b->n % 64 & 1;
}

/*
 * The first answer is that for all blocks in use.  Else p may be far inside
 * a large block, whose record is that of its area's start.
 */
static enum verdict look(const struct arena *a, uintptr_t p, struct block *b)
{
	struct vmset_area area;
	uintptr_t start = p;

	if (!in_bounds(a, p))
		return FOREIGN;
	if (slot_at(chunk_of(a, p), p, b) && b->start == p && is_used(b))
		return BLOCK;
	if (vmset_find(a->set, p, &area) == 0)
		start = area.start;
	if (!slot_at(chunk_of(a, start), p, b))
		return FOREIGN;
	return is_used(b) ? INSIDE : UNUSED;
}

static void tell(const struct arena *a, const char *what, uintptr_t p)
{
	struct block b;
	const enum verdict v = look(a, p, &b);

	if (v == FOREIGN)
		say("%s %p: in no block of this arena", what, (void *)p);
	else
		say("%s %p: byte %zu of the block %p of %zu bytes%s", what,
		    (void *)p, p - b.start, (void *)b.start, b.chunk->slot,
		    v == UNUSED ? ", which is not in use: freed before?" : "");
}

bool arena_find_block(const struct arena *a, const char *what, const void *p,
		      struct block *b)
{
	if (look(a, (uintptr_t)p, b) == BLOCK)
		return true;
	tell(a, what, (uintptr_t)p);
	return false;
}

/* The record of the block in whose guard it was, or NULL. */
static const struct chunk *overrun(const struct arena *a,
				   const struct vmset_fault *fault)
{
	const struct chunk *c;

	if (fault->cause != VMSET_CAUSE_GUARD ||
	    fault->below.end != fault->range.start)
		return NULL;
	c = chunk_of(a, fault->below.start);
	return c->slots == 1 ? c : NULL;
}

static uint32_t on_fault(const struct vmset_fault *fault, void *arg)
{
	const struct arena *a = arg;
	const struct chunk *c = overrun(a, fault);

	if (c != NULL)
		say("fault at %p: byte %zu behind the end of the block %p of "
		    "%zu bytes", (void *)fault->addr,
		    fault->addr - c->first - c->slot + 1, (void *)c->first,
		    c->slot);
	else
		tell(a, "fault at", fault->addr);
	return VMSET_FAULT_PASS;
}

int arena_watch(struct arena *a)
{
	const int err = vmset_on_fault(a->set, on_fault, a);

	return err ? err : vmset_fault_install(0);
}
