/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Addresses in a fault report are the guest's: the same in every run.  Those in
 * a map are the host's, as the kernel prints them.
 */
#include "report.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const register_names[32] = {
	"zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2",
	"s0",   "s1", "a0", "a1", "a2",  "a3",  "a4", "a5",
	"a6",   "a7", "s2", "s3", "s4",  "s5",  "s6", "s7",
	"s8",   "s9", "s10", "s11", "t3", "t4", "t5", "t6",
};

/* For each enum rv64_what: its name, and the right it needs. */
static const struct {
	const char *name, *right;
	uint32_t flag;
} kinds[] = {
	[RV64_FETCH] = { "fetch", "executable", VMSET_EXEC },
	[RV64_LOAD] = { "load", "readable", VMSET_READ },
	[RV64_STORE] = { "store", "writable", VMSET_WRITE },
};

struct report_rights report_rights(uint32_t flags)
{
	return (struct report_rights){ {
		flags & VMSET_READ ? 'r' : '-',
		flags & VMSET_WRITE ? 'w' : '-',
		flags & VMSET_EXEC ? 'x' : '-',
	} };
}

/* The load or store that was at work, as an assembler writes it. */
static void print_insn(const struct rv64 *cpu)
{
	static const char *const loads[] = {
		"lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "?",
	};
	static const char *const stores[] = {
		"sb", "sh", "sw", "sd", "?", "?", "?", "?",
	};
	const uint32_t insn = cpu->insn, op = insn >> 12 & 7;
	const bool is_load = cpu->access.what == RV64_LOAD;
	const uint32_t base = insn >> 15 & 31;
	const uint32_t reg = insn >> (is_load ? 7 : 20) & 31;
	const uint64_t offset = cpu->access.addr - cpu->x[base];

	printf("%s %s,%" PRId64 "(%s)", is_load ? loads[op] : stores[op],
	       register_names[reg], (int64_t)offset, register_names[base]);
}

/* A number of bytes: exact where that helps, else in short. */
static void print_bytes(uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB" };
	double amount = (double)bytes / 1024;
	unsigned int unit = 0;

	if (bytes < UINT64_C(1) << 17) {
		printf("%" PRIu64 " byte%s", bytes, bytes == 1 ? "" : "s");
		return;
	}
	while (amount >= 1024 && unit < 2) {
		amount /= 1024;
		unit++;
	}
	printf("%.1f %s", amount, units[unit]);
}

static const char *area_name(const struct vmset *set,
			     const struct vmset_area *area)
{
	if (area->data)
		return area->data;
	return area->end == vmset_bounds(set).end ? "stack" : "mapping";
}

static void print_area(const struct vmset *set, const struct vmset_area *area)
{
	const uintptr_t base = vmset_bounds(set).start;

	printf("%s 0x%08" PRIxPTR "-0x%08" PRIxPTR " %s", area_name(set, area),
	       area->start - base, area->end - base,
	       report_rights(area->flags).text);
}

/* Nothing may be accessed at the address: what is there, and what beside it? */
static void print_gap(const struct vmset_fault *fault)
{
	const struct vmset_area *above = &fault->above, *below = &fault->below;

	printf("    hit    %s\n", fault->cause == VMSET_CAUSE_GUARD ?
	       "a guard, where nothing is ever placed" : "free room");
	if (above->end) {
		printf("    above  ");
		print_area(fault->set, above);
		printf(", its start is ");
		print_bytes(fault->to_above);
		printf(" up\n");
	}
	if (below->end) {
		printf("    below  ");
		print_area(fault->set, below);
		printf(", its end is ");
		print_bytes(fault->to_below);
		printf(" down\n");
	}
}

static void print_hit(const struct vmset_fault *fault, enum rv64_what what)
{
	const struct vmset_area *area = &fault->area;

	if (!area->end) {
		print_gap(fault);
		return;
	}
	printf("    hit    ");
	print_area(fault->set, area);
	printf(", ");
	print_bytes(fault->addr - area->start);
	printf(" into it: %s%s\n", area->flags & kinds[what].flag ?
	       "no memory, though it is " : "not ", kinds[what].right);
}

static void print_access(const struct rv64_access *access)
{
	printf("    FAULT  %s of %u byte%s at 0x%08" PRIx64 "\n",
	       kinds[access->what].name, access->width,
	       access->width == 1 ? "" : "s", access->addr);
}

static void print_pc(const struct rv64 *cpu)
{
	printf("    by     pc 0x%08" PRIx64 ": ", cpu->pc);
	if (cpu->access.what == RV64_FETCH)
		printf("ra is 0x%08" PRIx64, cpu->x[1]);
	else
		print_insn(cpu);
	printf("\n");
}

void report_fault(const struct vmset *set, const struct rv64 *cpu,
		  enum rv64_stop stop, const struct vmset_fault *fault)
{
	struct vmset_fault not_code = { .size = sizeof(not_code) };

	switch (stop) {
	case RV64_EBREAK:
		printf("    FAULT  breakpoint at pc 0x%08" PRIx64 "\n",
		       cpu->pc);
		return;
	case RV64_MISALIGNED:
		printf("    FAULT  jump to 0x%08" PRIx64 " from pc 0x%08" PRIx64
		       ": not a multiple of 4\n", cpu->access.addr, cpu->pc);
		return;
	default:
		break;
	}
	print_access(&cpu->access);
	print_pc(cpu);
	if (stop == RV64_BEYOND) {
		printf("    hit    nothing: a guest's world ends at 4 GiB\n");
		return;
	}
	/* The set has been asked before the fetch, so nothing faulted. */
	if (stop == RV64_NOT_CODE) {
		vmset_explain(set, vmset_bounds(set).start + cpu->pc,
			      VMSET_EXEC, &not_code);
		fault = &not_code;
	}
	print_hit(fault, cpu->access.what);
}

const char *report_extension(uint32_t insn)
{
	if (insn == 0 || insn == UINT32_MAX)
		return "no instruction at all";
	if ((insn & 3) != 3)
		return "compressed, extension C";
	switch (insn & 0x7f) {
	case 0x2f:
		return "atomic, extension A";
	case 0x07: case 0x27: case 0x43: case 0x47:
	case 0x4b: case 0x4f: case 0x53: case 0x57:
		return "floating point or vector, extensions F, D, V";
	case 0x73:
		return "control and status, or privileged";
	}
	return "unknown";
}

/* The kernel's lines that meet the range, but for the blanks at their ends. */
static void print_kernel_lines(struct vmset_range range)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	uintptr_t start, end;
	char *line = NULL;
	size_t room = 0;
	ssize_t size;

	if (!maps) {
		printf("  (/proc/self/maps cannot be read)\n");
		return;
	}
	while ((size = getline(&line, &room, maps)) > 0) {
		while (size > 0 && strchr(" \n", line[size - 1]))
			size--;
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &start, &end) == 2 &&
		    start < range.end && end > range.start)
			printf("  %.*s\n", (int)size, line);
	}
	free(line);
	fclose(maps);
}

void report_map(const struct vmset *set)
{
	struct vmset_mismatch first;
	int result;

	printf("The range as the set has it, by vmset_dump; guest address 0 is "
	       "0x%" PRIxPTR ":\n\n", vmset_bounds(set).start);
	vmset_dump(set, stdout);
	fflush(stdout);
	printf("\nThe same range as the kernel has it, in /proc/self/maps:"
	       "\n\n");
	print_kernel_lines(vmset_bounds(set));
	printf("\nvmset_verify: ");
	result = vmset_verify(set, &first);
	if (result == 0)
		printf("the set and the kernel agree on every page.\n");
	else if (result < 0)
		printf("cannot tell: %s\n", strerror(-result));
	else
		printf("they differ at 0x%" PRIxPTR ": %s in the set, %s in "
		       "the kernel\n", first.addr,
		       report_rights(first.expected).text,
		       report_rights(first.actual).text);
}
