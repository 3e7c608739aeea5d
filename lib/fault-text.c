/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * An account as a line of text, written without stdio: in a signal handler there
 * is nothing else.
 */
#pragma GCC visibility push(default)
#include "vmset.h"
#pragma GCC visibility pop

struct line {
	char *text;
	size_t size;
	size_t length;                  /* also of what has no room */
};

static void put_char(struct line *line, char c)
{
	if (line->length < line->size)
		line->text[line->length] = c;
	line->length++;
}

static void put(struct line *line, const char *text)
{
	for (; *text; text++)
		put_char(line, *text);
}

static void put_number(struct line *line, uintptr_t number, unsigned base)
{
	char digits[3 * sizeof number];
	size_t n = 0;

	do {
		digits[n++] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number);
	while (n)
		put_char(line, digits[--n]);
}

static void put_addr(struct line *line, uintptr_t addr)
{
	put(line, "0x");
	put_number(line, addr, 16);
}

static void put_bytes(struct line *line, uintptr_t n)
{
	put_number(line, n, 10);
	put(line, n == 1 ? " byte" : " bytes");
}

static void put_area(struct line *line, const struct vmset_area *area)
{
	put(line, "area ");
	put_addr(line, area->start);
	put(line, "-");
	put_addr(line, area->end);
	put(line, area->flags & VMSET_READ ? " r" : " -");
	put(line, area->flags & VMSET_WRITE ? "w" : "-");
	put(line, area->flags & VMSET_EXEC ? "x" : "-");
}

static bool is_there(const struct vmset_area *area)
{
	return area->start < area->end;
}

static void put_neighbours(struct line *line, const struct vmset_fault *fault)
{
	if (is_there(&fault->below)) {
		put(line, ", ");
		if (fault->to_below)
			put_bytes(line, fault->to_below);
		put(line, fault->to_below ? " above " : "right above ");
		put_area(line, &fault->below);
	}
	if (is_there(&fault->above)) {
		put(line, ", ");
		put_bytes(line, fault->to_above);
		put(line, " below ");
		put_area(line, &fault->above);
	}
}

static const char *name_of_access(uint32_t access)
{
	switch (access) {
	case VMSET_READ:
		return "read of ";
	case VMSET_WRITE:
		return "write to ";
	case VMSET_EXEC:
		return "fetch from ";
	default:
		return "access to ";
	}
}

static const char *name_of_cause(uint32_t cause)
{
	static const char *const names[] = {
		[VMSET_CAUSE_OUTSIDE] = "outside the set's bounds",
		[VMSET_CAUSE_FREE] = "in free room",
		[VMSET_CAUSE_GUARD] = "in a guard",
		[VMSET_CAUSE_LOST] = "in a lost range",
		[VMSET_CAUSE_PROTECTED] = ", which does not allow it",
		[VMSET_CAUSE_BEYOND] = ", beyond the end of what it maps",
		[VMSET_CAUSE_ALLOWED] = ", which allows it",
	};

	return cause < sizeof names / sizeof *names ? names[cause] :
						      "for a cause that is not known";
}

size_t vmset_fault_text(const struct vmset_fault *fault, char *text,
			size_t size)
{
	struct line line = { .text = text, .size = size };

	if (!fault)
		return 0;
	put(&line, name_of_access(fault->access));
	put_addr(&line, fault->addr);
	put(&line, ": ");
	if (is_there(&fault->area)) {
		put_bytes(&line, fault->addr - fault->area.start);
		put(&line, " into ");
		put_area(&line, &fault->area);
		put(&line, name_of_cause(fault->cause));
	} else {
		put(&line, name_of_cause(fault->cause));
		put_neighbours(&line, fault);
	}
	if (size)
		text[line.length < size ? line.length : size - 1] = 0;
	return line.length;
}
