/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sandbox's interpreter.  The input is a byte that chooses, the values of
 * four registers, and code.  The guest has an area of code and two of data, one
 * of them at the end of its 4 GiB, in a kernel reservation that is a page
 * longer: an access behind the 4 GiB is caught as a fault that may not be.
 *
 * The interpreter asks again before each instruction what is code, since no
 * answer holds for more than that.  So the steps are counted, and each
 * instruction is looked at when it is done.
 */
#include "../../examples/sandbox/rv64.h"

#include <string.h>

#include "../../examples/sandbox/trap.h"
#include "../assert.h"
#include "../rv64-known.h"
#include "fuzz.h"
#include "vmset.h"

#define PAGE      UINT64_C(0x1000)
#define CODE      UINT64_C(0x10000)
#define DATA      UINT64_C(0x12000)
#define TOP       (RV64_SPAN - PAGE)
#define MAX_STEPS 1000
#define CHOSEN    4             /* registers in the input, from RV64_A0 on */

#define INSN_ECALL  0x00000073u
#define INSN_EBREAK 0x00100073u

struct guest {
	struct rv64 cpu;
	const struct vmset *set;
	unsigned int fetches;
	/* At the last fetch: */
	uint64_t x[32];
	uint64_t pc, steps;
	bool begun;
};

/* ---- each instruction ---- */

/* A branch and a store have no register that they write. */
static uint32_t written(uint32_t insn)
{
	const uint32_t opcode = insn & 0x7f;

	return opcode == 0x63 || opcode == 0x23 ? 0 : insn >> 7 & 31;
}

/* The instruction in cpu->insn was done; register may have changed. */
static void check_changes(const struct guest *g, uint32_t written_register)
{
	assert_eq(g->cpu.x[0], 0);
	for (uint32_t i = 1; i < 32; i++)
		assert_that(g->cpu.x[i] == g->x[i] || i == written_register);
}

static void check_done(const struct guest *g)
{
	const struct rv64 *cpu = &g->cpu;

	assert_that(rv64_known(cpu->insn));
	assert_that(cpu->insn != INSN_EBREAK);
	assert_eq(cpu->steps, g->steps + 1);
	check_changes(g, written(cpu->insn));
}

static bool allows(const struct guest *g, uint64_t addr, uint32_t flags)
{
	const uintptr_t at = (uintptr_t)g->cpu.base + addr;
	struct vmset_area area;

	return !vmset_find(g->set, at, &area) &&
	       (area.flags & flags) == flags;
}

static void remember(struct guest *g)
{
	memcpy(g->x, g->cpu.x, sizeof(g->x));
	g->pc = g->cpu.pc;
	g->steps = g->cpu.steps;
	g->begun = true;
}

static bool fetch(uint64_t pc, struct rv64_range *code, const void *arg)
{
	/* The interpreter has no business with what is behind its arg. */
	struct guest *const *g = arg;

	assert_eq(pc, (*g)->cpu.pc);
	assert_eq(pc % 4, 0);
	if ((*g)->begun)
		check_done(*g);
	remember(*g);
	*code = (struct rv64_range){ pc, pc };
	return (*g)->fetches++ < MAX_STEPS && allows(*g, pc, VMSET_EXEC);
}

/* ---- the end ---- */

/* Nothing of the instruction that the guest stopped at was done. */
static void check_undone(const struct guest *g)
{
	assert_eq(g->cpu.pc, g->pc);
	assert_eq(g->cpu.steps, g->steps);
	check_changes(g, 0);
}

static void check_stop(const struct guest *g, enum rv64_stop stop)
{
	const struct rv64 *cpu = &g->cpu;
	const struct rv64_access *access = &cpu->access;

	switch (stop) {
	case RV64_ECALL:
		assert_eq(cpu->insn, INSN_ECALL);
		assert_eq(cpu->pc, g->pc + 4);
		check_done(g);
		return;
	case RV64_EBREAK:
		assert_eq(cpu->insn, INSN_EBREAK);
		break;
	case RV64_ILLEGAL:
		assert_that(!rv64_known(cpu->insn));
		break;
	case RV64_MISALIGNED:
		assert_that(access->what == RV64_FETCH && access->addr % 4);
		break;
	case RV64_BEYOND:
		assert_that(access->addr > RV64_SPAN - access->width);
		/* A jump to there was done, and nobody was asked to fetch. */
		if (access->what == RV64_FETCH)
			return;
		break;
	case RV64_NOT_CODE:
		assert_that(access->what == RV64_FETCH);
		assert_that(g->fetches > MAX_STEPS ||
			    !allows(g, cpu->pc, VMSET_EXEC));
		break;
	default:
		ck_abort_msg("rv64_run returned %d", stop);
	}
	check_undone(g);
}

/* The access that was begun is the one that the area does not allow. */
static void check_fault(const struct guest *g, uint64_t addr)
{
	const struct rv64_access *access = &g->cpu.access;

	assert_that(access->what == RV64_LOAD || access->what == RV64_STORE);
	assert_that(addr >= access->addr &&
		    addr - access->addr < access->width);
	assert_that(access->addr <= RV64_SPAN - access->width);
	assert_that(!allows(g, addr, access->what == RV64_LOAD ? VMSET_READ
							       : VMSET_WRITE));
	check_undone(g);
}

/* ---- the guest ---- */

static void interpret(void *arg)
{
	struct guest *g = arg;
	enum rv64_stop stop;

	do {
		g->begun = false;
		stop = rv64_run(&g->cpu);
		check_stop(g, stop);
	} while (stop == RV64_ECALL);
}

/* New memory, which is zero. */
static void map(struct vmset *set, uint64_t addr)
{
	assert_ok(vmset_map(set, vmset_bounds(set).start + addr, PAGE,
			    VMSET_READ | VMSET_WRITE, VMSET_REPLACE));
}

static void load(struct vmset *set, uint32_t rights, const uint8_t *code,
		 size_t size)
{
	const uintptr_t base = vmset_bounds(set).start;

	map(set, CODE);
	map(set, DATA);
	map(set, TOP);
	memcpy((void *)(base + CODE), code, size < PAGE ? size : PAGE);
	assert_ok(vmset_protect(set, base + CODE, PAGE, rights));
}

/* Numbers that matter, in those that a program uses seldom. */
static void set_registers(struct rv64 *cpu, const uint8_t *chosen)
{
	cpu->x[2] = DATA + PAGE;
	cpu->x[5] = DATA;
	cpu->x[6] = CODE;
	cpu->x[7] = RV64_SPAN - 8;
	cpu->x[8] = UINT64_MAX;
	cpu->x[9] = UINT64_C(1) << 63;
	memcpy(&cpu->x[RV64_A0], chosen, CHOSEN * sizeof(cpu->x[0]));
}

static void open_world(struct trap *world)
{
	struct vmset *set = NULL;

	assert_ok(vmset_reserve(&set, RV64_SPAN + PAGE, 0));
	assert_ok(trap_open(world, set));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	/* One for all inputs: the kernel forgets 4 GiB slowly. */
	static struct trap world;
	const size_t head = 1 + CHOSEN * sizeof(uint64_t);
	struct guest guest = { 0 }, *g = &guest;
	uintptr_t base;

	if (size < head)
		return 0;
	if (!world.set)
		open_world(&world);
	load(world.set, VMSET_READ | VMSET_EXEC | (bytes[0] & 1 ? VMSET_WRITE : 0),
	     bytes + head, size - head);
	base = vmset_bounds(world.set).start;
	g->set = world.set;
	g->cpu = (struct rv64){ .base = (unsigned char *)base,
				.pc = CODE, .fetch = fetch, .fetch_arg = &g };
	set_registers(&g->cpu, bytes + 1);
	if (trap_run(&world, interpret, g))
		check_fault(g, world.fault.addr - base);
	return 0;
}
