/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Alternate signal stacks, each with a page below it that nothing may touch.
 *
 *     page   inaccessible
 *     note   what was before, and how to know that this stack is from here
 *     stack  grows down to the note
 *
 * No thread-local variable: its memory may come from malloc.  The kernel
 * knows where the thread's stack is, and the note is right below.
 */
#pragma GCC visibility push(default)
#include "vmset.h"
#pragma GCC visibility pop

#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "range.h"
#include "reservation.h"

/* The dispatcher, with what is around it in an instrumented build. */
#define DISPATCHER_NEEDS ((size_t)16 << 10)

/*
 * A handler from before that did not ask for an alternate stack knows of no
 * limit, and runs here, too.  What it does not use is never touched.
 */
#define BEFORE_NEEDS ((size_t)256 << 10)

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/* Mixed with its address, this is in no memory by chance. */
#define MARK ((uintptr_t)0x9e3779b97f4a7c15)

struct note {
	uintptr_t mark;
	struct vmset_range all;         /* what is mapped */
	stack_t before;
} __attribute__((aligned(16)));

static uintptr_t mark_of(const struct note *note)
{
	return (uintptr_t)note ^ MARK;
}

/* The note of a stack, or NULL if the stack is not from here. */
static const struct note *note_of(const stack_t *stack)
{
	const struct note *note = (const struct note *)stack->ss_sp - 1;
	const size_t page = vmset__page_size();

	/* Looked at only where it is in the first page of the stack. */
	if (stack->ss_flags & SS_DISABLE ||
	    (uintptr_t)stack->ss_sp % page != sizeof *note)
		return NULL;
	return note->mark == mark_of(note) ? note : NULL;
}

/* The size of the mapping, or 0 if there is none so large. */
static size_t size_for(size_t size, size_t page)
{
	size_t frame = getauxval(AT_MINSIGSTKSZ), least;

	if (!frame)
		frame = MINSIGSTKSZ;
	least = page + sizeof(struct note) + frame + DISPATCHER_NEEDS +
		BEFORE_NEEDS;
	if (size > SIZE_MAX / 2 - least)
		return 0;
	return (least + size + page - 1) & ~(page - 1);
}

static int put_up(size_t wanted, const stack_t *before)
{
	const size_t page = vmset__page_size(), size = size_for(wanted, page);
	char *all;
	struct note *note;
	stack_t stack;

	if (!size)
		return -EINVAL;
	all = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return vmset__why_no_memory();
	note = (struct note *)(void *)(all + page);
	*note = (struct note){
		.mark = mark_of(note), .before = *before,
		.all = { (uintptr_t)all, (uintptr_t)all + size },
	};
	stack = (stack_t){ .ss_sp = note + 1,
			   .ss_size = size - page - sizeof *note };
	if (mprotect(all, page, PROT_NONE) || sigaltstack(&stack, NULL)) {
		const int rc = -errno;

		munmap(all, size);
		return rc == -ENOMEM ? vmset__why_no_memory() : rc;
	}
	return 0;
}

static int take_down(const stack_t *stack)
{
	const struct note *note = note_of(stack);
	struct vmset_range all;
	int rc;

	if (!note)
		return -ENOENT;
	all = note->all;
	if (sigaltstack(&note->before, NULL))
		return -errno;
	if (!munmap((void *)all.start, vmset__range_size(all)))
		return 0;
	/* Near the limit: it may have become one mapping with a neighbour. */
	rc = -errno;
	sigaltstack(stack, NULL);
	return rc == -ENOMEM ? vmset__why_no_memory() : rc;
}

int vmset_fault_stack(size_t size)
{
	stack_t now;

	if (sigaltstack(NULL, &now))
		return -errno;
	if (now.ss_flags & SS_ONSTACK)
		return -EBUSY;
	return size ? put_up(size, &now) : take_down(&now);
}
