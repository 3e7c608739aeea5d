/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is this pointer?  Asked by free, by realloc and when a fault comes.
 *
 * Only reads.  The set's readers are right in a signal handler too, even one
 * that interrupted vmset_alloc or vmset_unmap half-way.
 */
#include "arena-internal.h"

#include <errno.h>
#include <signal.h>

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

/* A signal handler has no other way to learn them. */
static const struct arena *watched;
static struct sigaction old_action;

/* The record of the block whose guard addr is in, or NULL. */
static const struct chunk *overrun(const struct arena *a, uintptr_t addr)
{
	const struct chunk *c;
	struct vmset_area area;

	/* A guard is in no area, and one granule long in this arena. */
	if (vmset_find(a->set, addr, NULL) == 0 ||
	    vmset_find(a->set, addr - a->granule, &area) < 0)
		return NULL;
	c = chunk_of(a, area.start);
	return c->slots == 1 ? c : NULL;
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	const uintptr_t addr = (uintptr_t)info->si_addr;
	const struct chunk *c;

	(void)context;
	if (in_bounds(watched, addr)) {
		c = overrun(watched, addr);
		if (c != NULL)
			say("fault at %p: byte %zu behind the end of the block "
			    "%p of %zu bytes", (void *)addr,
			    addr - c->first - c->slot + 1, (void *)c->first,
			    c->slot);
		else
			tell(watched, "fault at", addr);
	}
	sigaction(sig, &old_action, NULL);      /* the fault comes again */
}

int arena_watch(const struct arena *a)
{
	struct sigaction action = { .sa_flags = SA_SIGINFO };

	watched = a;
	action.sa_sigaction = on_fault;
	sigemptyset(&action.sa_mask);
	return sigaction(SIGSEGV, &action, &old_action) < 0 ? -errno : 0;
}
