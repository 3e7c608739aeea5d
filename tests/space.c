/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What each call does to an address space.
 *
 * Memory from before the log began is not known: the program itself and its
 * stack after an execve, or all of a process that strace was attached to.  It
 * is taken as mapped from the first call on that could not have been done
 * without it.
 */
#include "space.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "vector.h"

/* A call on its way into a space. */
struct call {
	struct space *space;
	const struct strace_event *event;
	struct notes *notes;
	struct trace_error *error;
};

static int fail(const struct call *call, const char *why)
{
	return trace_fail(call->error, call->event->line, "%s: %s",
			  strace_name(call->event->call), why);
}

static int no_memory(const struct call *call)
{
	return fail(call, "no memory to keep it");
}

static void note(const struct call *call, enum note what)
{
	call->notes->nr[what]++;
}

/* ---- operations ---- */

static int add_op(struct space *space, const struct space_op *op)
{
	struct space_op *at = vector_room(space->ops, space->nr_ops + 1,
					  &space->ops_room, sizeof(*at));

	if (!at)
		return -1;
	space->ops = at;
	space->ops[space->nr_ops++] = *op;
	return 0;
}

int space_expect(struct space *space, uint32_t line)
{
	const size_t nr = space->areas.nr;
	const size_t first = space->nr_expected;
	struct interval *at = vector_room(space->expected, first + nr + 1,
					  &space->expected_room, sizeof(*at));
	const struct space_op op = {
		.kind = TRACE_STATE,
		.start = first,
		.end = first + nr,
		.line = line,
	};
	size_t i;

	if (!at)
		return -1;
	space->expected = at;
	for (i = 0; i < nr; i++)
		at[first + i] = space->areas.at[i];
	space->nr_expected += nr;
	space->unchecked = 0;
	return add_op(space, &op);
}

/*
 * However many areas there are, writing all of them down takes no more than
 * the operations in between.
 */
static bool is_due(const struct space *space)
{
	return space->every && space->unchecked >= space->every &&
	       space->unchecked >= space->areas.nr;
}

static int operate(struct space *space, const struct space_op *op)
{
	int err;

	if (op->kind == TRACE_UNMAP)
		err = intervals_clear(&space->areas, op->start, op->end);
	else
		err = intervals_set(&space->areas,
				    (struct interval){ op->start, op->end,
						       op->prot });
	if (!err)
		err = add_op(space, op);
	if (err)
		return err;
	space->unchecked++;
	return is_due(space) ? space_expect(space, op->line) : 0;
}

static int do_op(const struct call *call, enum trace_kind kind,
		 struct interval pages)
{
	const struct space_op op = {
		.kind = kind,
		.start = pages.start,
		.end = pages.end,
		.prot = pages.prot,
		.line = call->event->line,
	};

	return operate(call->space, &op) ? no_memory(call) : 0;
}

int space_copy(struct space *space, const struct space *from, uint32_t line)
{
	size_t i;

	space->brk = from->brk;
	for (i = 0; i < from->areas.nr; i++) {
		const struct interval *area = &from->areas.at[i];
		const struct space_op op = {
			.kind = TRACE_MAP,
			.start = area->start,
			.end = area->end,
			.prot = area->prot,
			.line = line,
		};

		if (operate(space, &op))
			return -1;
	}
	space->copied = from->areas.nr;
	return 0;
}

/* ---- addresses ---- */

/* [addr, addr + len) in whole pages.  len rounds up, addr must be on a page. */
static int take_pages(const struct call *call, uint64_t addr, uint64_t len,
		      struct interval *pages)
{
	const uint64_t whole = len / SPACE_PAGE + (len % SPACE_PAGE != 0);

	if (addr % SPACE_PAGE)
		return fail(call, "its address is not that of a page");
	if (!whole)
		return fail(call, "its length is 0");
	pages->start = addr / SPACE_PAGE;
	if (whole > UINT64_MAX / SPACE_PAGE - pages->start)
		return fail(call, "its range goes beyond all addresses");
	pages->end = pages->start + whole;
	return 0;
}

/* Map what must have been there, between that what is known to be. */
static int find_rest(const struct call *call, struct interval pages)
{
	const struct intervals *areas = &call->space->areas;
	bool found = false;
	int err = 0;

	while (!err && pages.start < pages.end) {
		const size_t i = intervals_find(areas, pages.start);
		struct interval gap = pages;

		if (i < areas->nr && areas->at[i].start < gap.end)
			gap.end = areas->at[i].start > gap.start ?
					  areas->at[i].start :
					  gap.start;
		if (gap.start == gap.end) {
			pages.start = areas->at[i].end;
			continue;
		}
		found = true;
		pages.start = gap.end;
		err = do_op(call, TRACE_MAP, gap);
	}
	if (found)
		note(call, NOTE_FOUND);
	return err;
}

/* ---- calls ---- */

/* Huge pages are mapped whole. */
static uint64_t mmap_len(const struct strace_event *event)
{
	const uint64_t over = event->huge ? event->len % event->huge : 0;

	if (!over || event->len > UINT64_MAX - event->huge)
		return event->len;
	return event->len - over + event->huge;
}

static int do_mmap(const struct call *call)
{
	const struct strace_event *event = call->event;
	struct interval pages = { .prot = event->prot };
	int err = take_pages(call, event->ret, mmap_len(event), &pages);

	if (err)
		return err;
	if (space_clashes(call->space, event))
		note(call, NOTE_OCCUPIED);
	if (event->flags & STRACE_SHARED || !(event->flags & STRACE_ANONYMOUS))
		note(call, NOTE_FILE);
	if (event->flags & STRACE_GROWSDOWN)
		note(call, NOTE_GROWS);
	return do_op(call, TRACE_MAP, pages);
}

static int do_munmap(const struct call *call)
{
	const struct strace_event *event = call->event;
	struct interval pages = { 0 };
	int err = take_pages(call, event->addr, event->len, &pages);

	if (err)
		return err;
	if (!intervals_meet(&call->space->areas, pages.start, pages.end))
		note(call, NOTE_NOTHING);
	return do_op(call, TRACE_UNMAP, pages);
}

/* PROT_GROWSDOWN: from the start of the area on, as of a stack. */
static void grow_down(const struct call *call, struct interval *pages)
{
	const struct intervals *areas = &call->space->areas;
	const size_t i = intervals_find(areas, pages->start);

	if (i < areas->nr && areas->at[i].start < pages->start)
		pages->start = areas->at[i].start;
}

static int do_mprotect(const struct call *call)
{
	const struct strace_event *event = call->event;
	struct interval pages = { .prot = event->prot };
	int err;

	if (!event->len)
		return 0;
	err = take_pages(call, event->addr, event->len, &pages);
	if (err)
		return err;
	if (event->flags & STRACE_GROWSDOWN)
		grow_down(call, &pages);
	if (event->flags & STRACE_MORE_PROT)
		note(call, NOTE_MORE_PROT);
	err = find_rest(call, pages);
	return err ? err : do_op(call, TRACE_PROTECT, pages);
}

/* The first pages of old, as they are, at to.  Both have room for all. */
static int copy_pages(const struct call *call, const struct intervals *old,
		      uint64_t from, struct interval to)
{
	const uint64_t size = to.end - to.start;
	size_t i = intervals_find(old, from);
	int err = 0;

	for (; !err && i < old->nr && old->at[i].start - from < size; i++) {
		const struct interval *area = &old->at[i];
		const uint64_t end = area->end - from;
		struct interval pages = { .prot = area->prot };

		pages.start = to.start + (area->start - from);
		pages.end = to.start + (end < size ? end : size);
		err = do_op(call, TRACE_MAP, pages);
	}
	return err;
}

/* What old holds in the pages, alone and cut to them. */
static int take_copy(const struct intervals *areas, struct interval pages,
		     struct intervals *copy)
{
	size_t i = intervals_find(areas, pages.start);

	for (; i < areas->nr && areas->at[i].start < pages.end; i++) {
		struct interval area = areas->at[i];

		if (area.start < pages.start)
			area.start = pages.start;
		if (area.end > pages.end)
			area.end = pages.end;
		if (intervals_set(copy, area))
			return -1;
	}
	return 0;
}

/*
 * The new place gets what the old one has, and what is behind that gets the
 * rights of its last page.
 */
static int fill_new(const struct call *call, const struct intervals *copy,
		    struct interval old, struct interval new)
{
	const uint64_t size = old.end - old.start;
	struct interval common = new;
	struct interval more = new;
	int err;

	if (size < new.end - new.start)
		common.end = more.start = new.start + size;
	else
		more.start = new.end;
	err = copy_pages(call, copy, old.start, common);
	if (err || more.start == more.end)
		return err;
	more.prot = copy->at[copy->nr - 1].prot;
	return do_op(call, TRACE_MAP, more);
}

static int move(const struct call *call, struct interval old,
		struct interval new)
{
	struct intervals copy = { 0 };
	int err;

	note(call, NOTE_MOVED);
	err = take_copy(&call->space->areas, old, &copy) ? no_memory(call) : 0;
	if (!err && !(call->event->flags & STRACE_DONTUNMAP))
		err = do_op(call, TRACE_UNMAP, old);
	if (!err)
		err = fill_new(call, &copy, old, new);
	intervals_free(&copy);
	return err;
}

/* In its place: cut the end off, or add to it. */
static int resize(const struct call *call, struct interval old,
		  struct interval new)
{
	const struct intervals *areas = &call->space->areas;
	struct interval rest = old;

	if (new.end == old.end)
		return 0;
	if (new.end < old.end) {
		rest.start = new.end;
		return do_op(call, TRACE_UNMAP, rest);
	}
	rest.prot = areas->at[intervals_find(areas, old.end - 1)].prot;
	rest.start = old.end;
	rest.end = new.end;
	return do_op(call, TRACE_MAP, rest);
}

/* A length of 0 maps shared memory a second time. */
static int do_mremap(const struct call *call)
{
	const struct strace_event *event = call->event;
	const bool second = !event->len;
	struct interval old = { .prot = PROT_READ | PROT_WRITE };
	struct interval new = old;
	struct strace_event kept = *event;
	struct call again = *call;
	int err;

	err = take_pages(call, event->addr, second ? SPACE_PAGE : event->len,
			 &old);
	if (!err)
		err = take_pages(call, event->ret, event->new_len, &new);
	if (!err)
		err = find_rest(call, old);
	if (err)
		return err;
	if (event->ret == event->addr)
		return resize(call, old, new);
	if (second)
		kept.flags |= STRACE_DONTUNMAP;
	again.event = &kept;
	return move(&again, old, new);
}

/*
 * The first answer tells where the break is.  Later ones that differ from what
 * was asked for are a question, or a refusal.
 */
static int do_brk(const struct call *call)
{
	const struct strace_event *event = call->event;
	struct space *space = call->space;
	struct interval pages = { .prot = PROT_READ | PROT_WRITE };
	const uint64_t to = event->ret / SPACE_PAGE +
			    (event->ret % SPACE_PAGE != 0);
	const uint64_t from = space->brk / SPACE_PAGE +
			      (space->brk % SPACE_PAGE != 0);
	const bool known = space->brk;

	if (!known && event->addr)
		note(call, NOTE_BREAK);
	if (known && event->ret != event->addr) {
		if (event->addr)
			note(call, NOTE_FAILED);
		return 0;
	}
	space->brk = event->ret;
	if (!known || from == to)
		return 0;
	pages.start = from < to ? from : to;
	pages.end = from < to ? to : from;
	return do_op(call, from < to ? TRACE_MAP : TRACE_UNMAP, pages);
}

int space_call(struct space *space, const struct strace_event *event,
	       struct notes *notes, struct trace_error *error)
{
	const struct call call = { space, event, notes, error };

	switch (event->kind) {
	case STRACE_BRK:
		return do_brk(&call);
	case STRACE_MMAP:
		return do_mmap(&call);
	case STRACE_MUNMAP:
		return do_munmap(&call);
	case STRACE_MPROTECT:
		return do_mprotect(&call);
	case STRACE_MREMAP:
		return do_mremap(&call);
	case STRACE_SEGMENT:
		note(&call, NOTE_SEGMENT);
		return 0;
	case STRACE_SEAL:
		note(&call, NOTE_SEAL);
		return 0;
	case STRACE_SHADOW:
		note(&call, NOTE_SHADOW);
		return 0;
	default:
		note(&call, NOTE_IDLE);
		return 0;
	}
}

/* ---- whose call it was ---- */

bool space_clashes(const struct space *space, const struct strace_event *event)
{
	const uint64_t start = event->ret / SPACE_PAGE;
	const uint64_t len = mmap_len(event);
	const uint64_t pages = len / SPACE_PAGE + (len % SPACE_PAGE != 0);

	if (event->kind == STRACE_BRK)
		return !event->addr && space->brk && event->ret != space->brk;
	return event->kind == STRACE_MMAP && !(event->flags & STRACE_FIXED) &&
	       intervals_meet(&space->areas, start, start + pages);
}

bool space_suits(const struct space *space, const struct strace_event *event)
{
	const uint64_t page = event->addr / SPACE_PAGE;

	switch (event->kind) {
	case STRACE_BRK:
		return event->addr ? space->brk : event->ret == space->brk;
	case STRACE_MUNMAP:
	case STRACE_MPROTECT:
	case STRACE_MREMAP:
		return intervals_meet(&space->areas, page, page + 1);
	default:
		return !space_clashes(space, event);
	}
}

void space_free(struct space *space)
{
	intervals_free(&space->areas);
	free(space->ops);
	free(space->expected);
}
