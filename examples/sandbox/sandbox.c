/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * sandbox: runs programs for another machine, RISC-V, inside 4 GiB of this
 * process that they cannot leave.
 *
 * The 4 GiB are one struct vmset: address space that is reserved once and then
 * carved into areas.  Guest address a is host address base + a, and a guest's
 * loads and stores simply happen there.  What a guest may touch is decided by
 * the areas' rights, which the set keeps in the kernel's page tables; a wrong
 * access is a page fault.
 *
 * To read, in this order: main() reserves the range; load() makes areas of a
 * program's segments; make_stack() has one placed, with a guard below it; run()
 * interprets, and a page fault ends that, by a fault function in trap.c; calls.c
 * lets the guest change its areas; host_all() verifies and clears the set after
 * each guest; report.c has the set explain what was hit.  The other files are
 * about something else: rv64 interprets, elf parses.
 */
#include "sandbox.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "elf.h"
#include "report.h"
#include "trap.h"

#define STACK_SIZE  ((size_t)1 << 20)
#define STACK_GUARD ((size_t)1 << 20)

/* The guests' name for "the page size follows" at the top of the stack. */
#define GUEST_AT_PAGESZ 6

/* Options of host_all. */
#define SHOW_MAP 1u

static const char help[] =
	"Usage: sandbox [--map] GUEST.elf ...\n"
	"Run static RV64IM programs for Linux, one after the other, inside\n"
	"4 GiB of memory that they cannot leave.\n"
	"\n"
	"  --map   show, after the last guest, the map of its memory as the\n"
	"          set has it and as the kernel has it\n"
	"  --help  show this\n"
	"\n"
	"The exit status is 0 whatever the guests do, and 1 if one of them\n"
	"is no such program, or wants an instruction or a system call that\n"
	"is not here.\n";

/* One line about a guest that cannot run here, or about ourselves. */
__attribute__((format(printf, 2, 3)))
static void complain(const char *about, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "sandbox: %s: ", about);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

int map_named(struct guest *g, uint64_t start, uint64_t end, uint32_t flags,
	      const char *name)
{
	const struct vmset_area area = {
		.start = g->base + start,
		.end = g->base + end,
		.flags = flags,
		.offset = start,
		.data = (void *)(uintptr_t)name,
	};

	return vmset_map_area(g->set, &area, 0);
}

/* Written while writable, and then protected: never writable and executable. */
static int load_segment(struct guest *g, const struct elf_segment *seg)
{
	const char *name = seg->prot & PROT_EXEC ? "text" :
			   seg->prot & PROT_WRITE ? "data" : "constants";
	const uint64_t start = seg->addr & ~(g->page - 1);
	const uint64_t end = page_up(g, seg->addr + seg->mem_size);
	int err = map_named(g, start, end, VMSET_READ | VMSET_WRITE, name);

	if (err)
		return err;
	memcpy((void *)(g->base + seg->addr), seg->bytes, seg->file_size);
	return vmset_protect(g->set, g->base + start, end - start,
			     rights(seg->prot));
}

/* What Linux puts at the top of a stack: arguments, environment, page size. */
static void push_arguments(struct guest *g, uintptr_t top)
{
	const size_t size = strlen(g->name) + 1;
	const uintptr_t name = (top - size) & ~(uintptr_t)15;
	const uint64_t words[] = {
		1, name - g->base, 0,
		0,
		GUEST_AT_PAGESZ, g->page, 0, 0,
	};

	memcpy((void *)name, g->name, size);
	memcpy((void *)(name - sizeof(words)), words, sizeof(words));
	g->cpu.x[RV64_SP] = name - sizeof(words) - g->base;
}

/* At the top of the range, and nothing ever right below it. */
static int make_stack(struct guest *g)
{
	const struct vmset_placement where = {
		.size = sizeof(where),
		.policy = VMSET_HIGHEST,
		.guard_before = STACK_GUARD,
	};
	uintptr_t start;
	int err = vmset_alloc(g->set, STACK_SIZE, VMSET_READ | VMSET_WRITE,
			      &where, &start);

	if (!err)
		push_arguments(g, start + STACK_SIZE);
	return err;
}

static int load(struct guest *g, const struct elf *elf)
{
	unsigned int i;

	for (i = 0; i < elf->count; i++) {
		const struct elf_segment *seg = &elf->segments[i];
		int err = load_segment(g, seg);

		if (err)
			return err;
		g->heap_start = page_up(g, seg->addr + seg->mem_size);
	}
	g->heap_end = g->heap_start;
	g->cpu.pc = elf->entry;
	return make_stack(g);
}

/* What the interpreter asks before it fetches: the set knows what is code. */
static bool fetch(uint64_t pc, struct rv64_range *code, const void *arg)
{
	const struct guest *g = arg;
	struct vmset_area area;

	if (vmset_find(g->set, g->base + pc, &area) ||
	    !(area.flags & VMSET_EXEC))
		return false;
	code->start = area.start - g->base;
	code->end = area.end - g->base;
	return true;
}

static void interpret(void *arg)
{
	struct guest *g = arg;

	g->stop = rv64_run(&g->cpu);
}

/* How the guest ended.  False if that is because it cannot run here. */
static bool tell_end(const struct guest *g, const char *path,
		     const struct vmset_fault *fault)
{
	const struct rv64 *cpu = &g->cpu;

	if (g->in_line)
		putchar('\n');
	if (g->exited) {
		printf("    exits with %d after %" PRIu64 " instructions\n",
		       g->status, cpu->steps);
		return true;
	}
	if (g->stop == RV64_ECALL) {
		complain(path, "system call %" PRIu64 " at pc 0x%08" PRIx64
			 " is not served here", cpu->x[RV64_A7], cpu->pc - 4);
		return false;
	}
	if (g->stop == RV64_ILLEGAL) {
		complain(path, "0x%08" PRIx32 " at pc 0x%08" PRIx64 " is no "
			 "instruction of RV64IM (%s)", cpu->insn, cpu->pc,
			 report_extension(cpu->insn));
		return false;
	}
	report_fault(g->set, cpu, g->stop, fault);
	printf("    killed after %" PRIu64 " instructions\n", cpu->steps);
	return true;
}

/* To the guest's end, however it ends.  False if it cannot run here. */
static bool run(struct guest *g, struct trap *trap, const char *path)
{
	bool served;

	do {
		served = false;
		if (trap_run(trap, interpret, g))
			g->stop = RV64_PAGE_FAULT;
		else if (g->stop == RV64_ECALL)
			served = serve_call(g);
	} while (served && !g->exited);
	return tell_end(g, path, &trap->fault);
}

/* One guest in the range, which is empty before. */
static bool host(struct trap *trap, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct guest g = {
		.name = slash ? slash + 1 : path,
		.set = trap->set,
		.base = vmset_bounds(trap->set).start,
		.page = vmset_granule(trap->set),
	};
	struct elf elf;
	bool good;
	int err;

	g.cpu.base = (unsigned char *)g.base;
	g.cpu.fetch = fetch;
	g.cpu.fetch_arg = &g;
	if (elf_load(&elf, path, g.page)) {
		complain(path, "%s", elf.why);
		elf_free(&elf);
		return false;
	}
	err = load(&g, &elf);
	elf_free(&elf);
	if (err) {
		complain(path, "no room for it and its stack: %s",
			 strerror(-err));
		return false;
	}
	printf("%s\n", g.name);
	good = run(&g, trap, path);
	printf("\n");
	return good;
}

/* All guests, and between them nothing is left.  Whether all was well. */
static bool host_all(struct trap *trap, char *const *paths,
		     unsigned int options)
{
	struct vmset *set = trap->set;
	bool good = true;

	for (; *paths; paths++) {
		bool differs;
		int err;

		good &= host(trap, *paths);
		if ((options & SHOW_MAP) && !paths[1])
			report_map(set);
		differs = vmset_verify(set, NULL) > 0;
		err = vmset_clear(set);
		if (differs || err) {
			complain("the range", "%s", differs ?
				 "the set and the kernel differ" :
				 strerror(-err));
			return false;
		}
	}
	return good;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "map", no_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct vmset *set = NULL;
	unsigned int options = 0;
	struct trap trap;
	int option, err;
	bool good;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'h')
			return fputs(help, stdout) == EOF;
		if (option != 'm')
			return EXIT_FAILURE;
		options |= SHOW_MAP;
	}
	if (optind == argc) {
		fputs(help, stderr);
		return EXIT_FAILURE;
	}
	err = vmset_reserve(&set, RV64_SPAN, 0);
	if (!err)
		err = trap_open(&trap, set);
	if (err) {
		complain("cannot reserve 4 GiB", "%s", strerror(-err));
		return EXIT_FAILURE;
	}
	good = host_all(&trap, argv + optind, options);
	err = trap_close(&trap);
	if (!err)
		err = vmset_destroy(set);
	if (err || fflush(stdout) || ferror(stdout)) {
		complain("at the end", "%s", strerror(err ? -err : errno));
		return EXIT_FAILURE;
	}
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
