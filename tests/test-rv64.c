/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The sandbox's interpreter against the rules of the instruction set.  Programs
 * are put together by the encoders below, which have a line for each format.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../examples/sandbox/rv64.h"
#include "../examples/sandbox/trap.h"
#include "assert.h"
#include "rv64-known.h"
#include "suites.h"

#define ALL_ONES UINT64_MAX
#define MIN64    (UINT64_C(1) << 63)
#define MAX64    (MIN64 - 1)
#define MIN32    UINT64_C(0xffffffff80000000)
#define MAX32    UINT64_C(0x7fffffff)

/* Where the tests have code and data, and the last bytes of the 4 GiB. */
#define CODE     UINT64_C(0x10000)
#define DATA     UINT64_C(0x20000)
#define DATA_END (DATA + 0x10000)
#define TOP      (RV64_SPAN - 0x10000)

enum { ZERO, RA, SP, T0 = 5, T1, T2, A0 = 10, A1, A2, A3, A4, A5 };

/* The formats of instructions, and each with a name. */
#define R(f7, rs2, rs1, f3, rd, op)                                           \
	((uint32_t)(f7) << 25 | (uint32_t)(rs2) << 20 |                       \
	 (uint32_t)(rs1) << 15 | (uint32_t)(f3) << 12 | (uint32_t)(rd) << 7 | \
	 (op))
#define I(imm, rs1, f3, rd, op)                                               \
	((uint32_t)(imm) << 20 | R(0, 0, rs1, f3, rd, op))
#define S(imm, rs2, rs1, f3, op)                                              \
	R((uint32_t)(imm) >> 5 & 127, rs2, rs1, f3, (imm) & 31, op)
#define B(imm, rs2, rs1, f3)                                                  \
	R(((uint32_t)(imm) >> 5 & 63) | ((uint32_t)(imm) >> 6 & 64), rs2,     \
	  rs1, f3, ((imm) & 30) | ((uint32_t)(imm) >> 11 & 1), 0x63)
#define U(imm, rd, op) ((uint32_t)(imm) << 12 | (uint32_t)(rd) << 7 | (op))
#define J(imm, rd)                                                            \
	(((uint32_t)(imm) >> 20 & 1) << 31 |                                  \
	 ((uint32_t)(imm) >> 1 & 0x3ff) << 21 |                               \
	 ((uint32_t)(imm) >> 11 & 1) << 20 | ((uint32_t)(imm) & 0xff000) |     \
	 (uint32_t)(rd) << 7 | 0x6f)

#define OP(f7, f3)     R(f7, A1, A0, f3, A2, 0x33)      /* a2 = a0 op a1 */
#define OP_32(f7, f3)  R(f7, A1, A0, f3, A2, 0x3b)
#define OP_I(imm, f3)  I(imm, A0, f3, A2, 0x13)         /* a2 = a0 op imm */
#define OP_I32(imm, f3) I(imm, A0, f3, A2, 0x1b)

#define ADDI(rd, rs1, imm)  I(imm, rs1, 0, rd, 0x13)
#define ADD(rd, rs1, rs2)   R(0, rs2, rs1, 0, rd, 0x33)
#define REMU(rd, rs1, rs2)  R(1, rs2, rs1, 7, rd, 0x33)
#define LOAD(f3, rd, imm, rs1)   I(imm, rs1, f3, rd, 0x03)
#define STORE(f3, rs2, imm, rs1) S(imm, rs2, rs1, f3, 0x23)
#define LD(rd, imm, rs1)    LOAD(3, rd, imm, rs1)
#define SD(rs2, imm, rs1)   STORE(3, rs2, imm, rs1)
#define BEQ(rs1, rs2, imm)  B(imm, rs2, rs1, 0)
#define BNE(rs1, rs2, imm)  B(imm, rs2, rs1, 1)
#define BLT(rs1, rs2, imm)  B(imm, rs2, rs1, 4)
#define JAL(rd, imm)        J(imm, rd)
#define JALR(rd, rs1, imm)  I(imm, rs1, 0, rd, 0x67)
#define LUI(rd, imm)        U(imm, rd, 0x37)
#define AUIPC(rd, imm)      U(imm, rd, 0x17)
#define ECALL               0x00000073u
#define EBREAK              0x00100073u

/* The guest's 4 GiB, and the interpreter. */
static struct vmset *set;
static unsigned char *memory;
static struct rv64 cpu;
static unsigned int fetches;

static bool may_fetch(uint64_t pc, struct rv64_range *code, const void *arg)
{
	(void)arg;
	fetches++;
	if (pc < CODE || pc >= DATA)
		return false;
	*code = (struct rv64_range){ CODE, DATA };
	return true;
}

static void open_up(uint64_t start, uint64_t end)
{
	assert_ok(vmset_map(set, (uintptr_t)memory + start, end - start,
			    VMSET_READ | VMSET_WRITE, 0));
}

static void setup(void)
{
	assert_ok(vmset_reserve(&set, RV64_SPAN, 0));
	memory = (unsigned char *)vmset_bounds(set).start;
	open_up(CODE, DATA_END);
	open_up(TOP, RV64_SPAN);
	cpu = (struct rv64){ .base = memory, .fetch = may_fetch, .pc = CODE };
	fetches = 0;
}

static void teardown(void)
{
	assert_ok(vmset_destroy(set));
}

/* Puts the program at CODE, an EBREAK behind it, and runs it from there. */
#define RUN(...)                                                              \
	run((const uint32_t[]){ __VA_ARGS__, EBREAK },                        \
	    sizeof((const uint32_t[]){ __VA_ARGS__, EBREAK }))

static enum rv64_stop run(const uint32_t *program, size_t size)
{
	memcpy(memory + CODE, program, size);
	cpu.pc = CODE;
	cpu.steps = 0;
	return rv64_run(&cpu);
}

/* An instruction that makes a2 of a0 and a1. */
struct op {
	const char *name;
	uint32_t insn;
	uint64_t a0, a1, a2;
};

static void check_op(const struct op *op)
{
	cpu.x[A0] = op->a0;
	cpu.x[A1] = op->a1;
	cpu.x[A2] = 0x5555;
	if (RUN(op->insn) == RV64_EBREAK && cpu.x[A2] == op->a2 &&
	    cpu.pc == CODE + 4 && cpu.steps == 1)
		return;
	ck_abort_msg("%s of %#jx and %#jx is %#jx, not %#jx", op->name,
		     (uintmax_t)op->a0, (uintmax_t)op->a1,
		     (uintmax_t)cpu.x[A2], (uintmax_t)op->a2);
}

static const struct op ops[] = {
	{ "add", OP(0, 0), 2, 3, 5 },
	{ "add", OP(0, 0), MAX64, 1, MIN64 },
	{ "add", OP(0, 0), ALL_ONES, 1, 0 },
	{ "sub", OP(0x20, 0), 2, 3, ALL_ONES },
	{ "sub", OP(0x20, 0), MIN64, 1, MAX64 },
	{ "sll", OP(0, 1), 1, 63, MIN64 },
	{ "sll", OP(0, 1), 1, 64 + 4, 16 },
	{ "slt", OP(0, 2), ALL_ONES, 0, 1 },
	{ "slt", OP(0, 2), MIN64, MAX64, 1 },
	{ "slt", OP(0, 2), 0, 0, 0 },
	{ "sltu", OP(0, 3), ALL_ONES, 0, 0 },
	{ "sltu", OP(0, 3), MAX64, MIN64, 1 },
	{ "xor", OP(0, 4), 0xf0f0, 0xff00, 0x0ff0 },
	{ "srl", OP(0, 5), MIN64, 63, 1 },
	{ "srl", OP(0, 5), 0x100, 64 + 4, 0x10 },
	{ "sra", OP(0x20, 5), MIN64, 63, ALL_ONES },
	{ "sra", OP(0x20, 5), 0x100, 64 + 4, 0x10 },
	{ "or", OP(0, 6), 0xf0f0, 0xff00, 0xfff0 },
	{ "and", OP(0, 7), 0xf0f0, 0xff00, 0xf000 },

	{ "addw", OP_32(0, 0), MAX32, 1, MIN32 },
	{ "addw", OP_32(0, 0), 0xffffffff, 1, 0 },
	{ "addw", OP_32(0, 0), 0x500000000, 0x700000007, 7 },
	{ "subw", OP_32(0x20, 0), 0, 1, ALL_ONES },
	{ "subw", OP_32(0x20, 0), MIN32, 1, MAX32 },
	{ "sllw", OP_32(0, 1), 1, 31, MIN32 },
	{ "sllw", OP_32(0, 1), 0xf00000001, 32 + 4, 16 },
	{ "srlw", OP_32(0, 5), 0xffffffff80000000, 31, 1 },
	{ "srlw", OP_32(0, 5), 0x180000000, 32, MIN32 },
	{ "sraw", OP_32(0x20, 5), 0x80000000, 31, ALL_ONES },
	{ "sraw", OP_32(0x20, 5), 0x140000000, 32 + 30, 1 },
};

static const struct op immediate_ops[] = {
	{ "addi", OP_I(-1, 0), 0, 0, ALL_ONES },
	{ "addi", OP_I(2047, 0), 1, 0, 2048 },
	{ "addi", OP_I(-2048, 0), 0, 0, UINT64_C(-2048) },
	{ "slti", OP_I(-1, 2), UINT64_C(-2), 0, 1 },
	{ "slti", OP_I(-1, 2), 0, 0, 0 },
	{ "sltiu", OP_I(-1, 3), 0, 0, 1 },
	{ "sltiu", OP_I(1, 3), 0, 0, 1 },
	{ "sltiu", OP_I(1, 3), 1, 0, 0 },
	{ "xori", OP_I(-1, 4), 0x5a, 0, UINT64_C(~0x5a) },
	{ "ori", OP_I(-16, 6), 1, 0, UINT64_C(-15) },
	{ "andi", OP_I(-16, 7), 0x123456789abcdeff, 0, 0x123456789abcdef0 },
	{ "slli", OP_I(63, 1), 3, 0, MIN64 },
	{ "slli", OP_I(32, 1), 3, 0, 0x300000000 },
	{ "srli", OP_I(63, 5), ALL_ONES, 0, 1 },
	{ "srai", OP_I(0x400 + 63, 5), MIN64, 0, ALL_ONES },
	{ "srai", OP_I(0x400 + 33, 5), MAX64, 0, 0x3fffffff },

	{ "addiw", OP_I32(0, 0), 0x180000000, 0, MIN32 },
	{ "addiw", OP_I32(1, 0), MAX32, 0, MIN32 },
	{ "addiw", OP_I32(-1, 0), 0, 0, ALL_ONES },
	{ "slliw", OP_I32(31, 1), 3, 0, MIN32 },
	{ "srliw", OP_I32(4, 5), 0xf80000000, 0, 0x8000000 },
	{ "srliw", OP_I32(0, 5), 0x80000000, 0, MIN32 },
	{ "sraiw", OP_I32(0x400 + 4, 5), 0x80000000, 0, 0xfffffffff8000000 },
	{ "sraiw", OP_I32(0x400 + 31, 5), 0x7fffffff, 0, 0 },
};

static const struct op muldiv_ops[] = {
	{ "mul", OP(1, 0), 6, 7, 42 },
	{ "mul", OP(1, 0), ALL_ONES, ALL_ONES, 1 },
	{ "mul", OP(1, 0), MIN64, 2, 0 },
	{ "mulh", OP(1, 1), ALL_ONES, ALL_ONES, 0 },
	{ "mulh", OP(1, 1), MIN64, MIN64, MIN64 >> 1 },
	{ "mulh", OP(1, 1), MIN64, 2, ALL_ONES },
	{ "mulhsu", OP(1, 2), ALL_ONES, ALL_ONES, ALL_ONES },
	{ "mulhsu", OP(1, 2), MIN64, ALL_ONES, MIN64 },
	{ "mulhsu", OP(1, 2), 2, ALL_ONES, 1 },
	{ "mulhu", OP(1, 3), ALL_ONES, ALL_ONES, ALL_ONES - 1 },
	{ "mulhu", OP(1, 3), MIN64, 2, 1 },
	{ "div", OP(1, 4), UINT64_C(-7), 2, UINT64_C(-3) },
	{ "div", OP(1, 4), 7, UINT64_C(-2), UINT64_C(-3) },
	{ "div", OP(1, 4), 7, ALL_ONES, UINT64_C(-7) },
	{ "div", OP(1, 4), 7, 0, ALL_ONES },
	{ "div", OP(1, 4), MIN64, ALL_ONES, MIN64 },
	{ "divu", OP(1, 5), ALL_ONES, 2, MAX64 },
	{ "divu", OP(1, 5), 7, 0, ALL_ONES },
	{ "divu", OP(1, 5), MIN64, ALL_ONES, 0 },
	{ "rem", OP(1, 6), UINT64_C(-7), 2, ALL_ONES },
	{ "rem", OP(1, 6), 7, UINT64_C(-2), 1 },
	{ "rem", OP(1, 6), UINT64_C(-7), 0, UINT64_C(-7) },
	{ "rem", OP(1, 6), MIN64, ALL_ONES, 0 },
	{ "remu", OP(1, 7), ALL_ONES, 16, 15 },
	{ "remu", OP(1, 7), 7, 0, 7 },
	{ "remu", OP(1, 7), MIN64, ALL_ONES, MIN64 },

	{ "mulw", OP_32(1, 0), 0x10000, 0x8000, MIN32 },
	{ "mulw", OP_32(1, 0), 0x100000003, 0x200000005, 15 },
	{ "divw", OP_32(1, 4), 0xfffffff9, 2, UINT64_C(-3) },
	{ "divw", OP_32(1, 4), 0x100000007, 0, ALL_ONES },
	{ "divw", OP_32(1, 4), 0x80000000, 0xffffffff, MIN32 },
	{ "divuw", OP_32(1, 5), 0xffffffff, 1, ALL_ONES },
	{ "divuw", OP_32(1, 5), 0xffffffff, 2, MAX32 },
	{ "divuw", OP_32(1, 5), 7, 0x100000000, ALL_ONES },
	{ "remw", OP_32(1, 6), 0xfffffff9, 2, ALL_ONES },
	{ "remw", OP_32(1, 6), 0x80000000, 0, MIN32 },
	{ "remw", OP_32(1, 6), 0x80000000, 0xffffffff, 0 },
	{ "remuw", OP_32(1, 7), 0xffffffff, 16, 15 },
	{ "remuw", OP_32(1, 7), 0x180000000, 0, MIN32 },
	{ "remuw", OP_32(1, 7), 0x80000000, 0xffffffff, MIN32 },
};

#define CHECK_OPS(table)                                                      \
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)         \
		check_op(&table[i])

START_TEST(register_operations)
{
	CHECK_OPS(ops);
}
END_TEST

START_TEST(immediate_operations)
{
	CHECK_OPS(immediate_ops);
}
END_TEST

START_TEST(multiplication_and_division)
{
	CHECK_OPS(muldiv_ops);
}
END_TEST

START_TEST(upper_immediates)
{
	assert_eq(RUN(LUI(A0, 0x12345), LUI(A1, 0x80000), AUIPC(A2, 0),
		      AUIPC(A3, 0xfffff), AUIPC(A4, 0x7ffff)), RV64_EBREAK);
	assert_eq(cpu.x[A0], 0x12345000);
	assert_eq(cpu.x[A1], MIN32);
	assert_eq(cpu.x[A2], CODE + 8);
	assert_eq(cpu.x[A3], CODE + 12 - 0x1000);
	assert_eq(cpu.x[A4], CODE + 16 + 0x7ffff000);
}
END_TEST

/* Whatever has register 0 as its target leaves it 0. */
START_TEST(register_zero)
{
	cpu.x[A0] = DATA;
	memset(memory + DATA, 0xff, 8);
	assert_eq(RUN(ADDI(ZERO, ZERO, 5), ADD(ZERO, A0, A0),
		      OP_I32(7, 0) & ~(31u << 7), OP_32(0, 0) & ~(31u << 7),
		      LUI(ZERO, 1), AUIPC(ZERO, 1), LD(ZERO, 0, A0),
		      JAL(ZERO, 4), REMU(ZERO, A0, ZERO), AUIPC(T0, 0),
		      JALR(ZERO, T0, 8), ADD(A2, ZERO, ZERO)), RV64_EBREAK);
	assert_eq(cpu.x[ZERO], 0);
	assert_eq(cpu.x[A2], 0);
	assert_eq(cpu.steps, 12);
}
END_TEST

START_TEST(loads)
{
	static const struct {
		uint32_t funct3;
		int offset;
		uint64_t value;
	} cases[] = {
		{ 0, 0, 0x01 },
		{ 0, 7, 0xffffffffffffffef },
		{ 1, 6, 0xffffffffffffefcd },
		{ 1, 1, 0x4523 },
		{ 2, 0, 0x67452301 },
		{ 2, 4, 0xffffffffefcdab89 },
		{ 2, 1, 0xffffffff89674523 },
		{ 3, 0, 0xefcdab8967452301 },
		{ 3, -3, 0x8967452301000000 },
		{ 4, 7, 0xef },
		{ 5, 6, 0xefcd },
		{ 6, 4, 0xefcdab89 },
	};

	memcpy(memory + DATA + 0x800, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
	cpu.x[A0] = DATA + 0x800;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_eq(RUN(LOAD(cases[i].funct3, A1, cases[i].offset, A0)),
			  RV64_EBREAK);
		assert_eq(cpu.x[A1], cases[i].value);
		assert_eq(cpu.access.what, RV64_LOAD);
		assert_eq(cpu.access.width, 1u << (cases[i].funct3 & 3));
		assert_eq(cpu.access.addr,
			  DATA + 0x800 + (uint64_t)cases[i].offset);
	}
	/* The ends of the offset, and a target that is the base. */
	memory[DATA] = 17;
	memory[DATA + 0x800 + 2047] = 18;
	assert_eq(RUN(LOAD(4, A1, -2048, A0), LOAD(4, A0, 2047, A0)),
		  RV64_EBREAK);
	assert_eq(cpu.x[A1], 17);
	assert_eq(cpu.x[A0], 18);
}
END_TEST

START_TEST(stores)
{
	unsigned char wanted[16];

	for (uint32_t funct3 = 0; funct3 < 4; funct3++) {
		for (int offset = 1; offset < 8; offset++) {
			memset(memory + DATA, 0xaa, 16);
			memset(wanted, 0xaa, 16);
			for (int i = 0; i < 1 << funct3; i++)
				wanted[offset + i] = (unsigned char)(0xf1 + i);
			cpu.x[A0] = DATA;
			cpu.x[A1] = 0xf8f7f6f5f4f3f2f1;
			assert_eq(RUN(STORE(funct3, A1, offset, A0)),
				  RV64_EBREAK);
			assert_that(!memcmp(memory + DATA, wanted, 16));
			assert_eq(cpu.access.what, RV64_STORE);
			assert_eq(cpu.access.width, 1u << funct3);
			assert_eq(cpu.access.addr, DATA + (uint64_t)offset);
		}
	}
	cpu.x[A0] = DATA + 0x800;
	assert_eq(RUN(STORE(0, A1, -2048, A0), STORE(0, A1, 2047, A0)),
		  RV64_EBREAK);
	assert_eq(memory[DATA], 0xf1);
	assert_eq(memory[DATA + 0x800 + 2047], 0xf1);
}
END_TEST

/* The only check in software: the last byte is below 4 GiB. */
START_TEST(end_of_the_world)
{
	for (uint32_t funct3 = 0; funct3 < 4; funct3++) {
		const uint64_t width = 1u << funct3;

		cpu.x[A0] = RV64_SPAN - width;
		cpu.x[A1] = 0x8182838485868788;
		assert_eq(RUN(STORE(funct3, A1, 0, A0),
			      LOAD(funct3, A2, 0, A0)), RV64_EBREAK);
		assert_eq(cpu.x[A2], (uint64_t)((int64_t)(cpu.x[A1] << (64 - 8 *
			  width)) >> (64 - 8 * width)));
		assert_eq(RUN(STORE(funct3, A1, 1, A0)), RV64_BEYOND);
		assert_eq(cpu.pc, CODE);
		assert_eq(cpu.access.addr, RV64_SPAN - width + 1);
		assert_eq(RUN(LOAD(funct3, A2, 1, A0)), RV64_BEYOND);
		assert_eq(cpu.access.width, width);
		cpu.x[A0] = 0;
		assert_eq(RUN(LOAD(funct3, A2, -1, A0)), RV64_BEYOND);
		assert_eq(cpu.access.addr, ALL_ONES);
		cpu.x[A0] = MIN64 + DATA;
		assert_eq(RUN(STORE(funct3, A1, 0, A0)), RV64_BEYOND);
	}
	/* The code may go up to the end, but not over it. */
	cpu.x[A0] = RV64_SPAN;
	assert_eq(RUN(JALR(RA, A0, 0)), RV64_BEYOND);
	assert_eq(cpu.access.what, RV64_FETCH);
	assert_eq(cpu.pc, RV64_SPAN);
	cpu.x[A0] = RV64_SPAN - 4;
	assert_eq(RUN(JALR(RA, A0, 0)), RV64_NOT_CODE);
}
END_TEST

START_TEST(branches)
{
	static const struct {
		uint32_t funct3;
		uint64_t a, b;
		bool taken;
	} cases[] = {
		{ 0, 1, 1, true },          { 0, 1, 2, false },
		{ 0, 1, MIN64 + 1, false }, { 1, 1, 1, false },
		{ 1, 0, MIN64, true },      { 4, ALL_ONES, 0, true },
		{ 4, 0, ALL_ONES, false },  { 4, 3, 3, false },
		{ 5, ALL_ONES, 0, false },  { 5, 0, ALL_ONES, true },
		{ 5, 3, 3, true },          { 6, ALL_ONES, 0, false },
		{ 6, 0, ALL_ONES, true },   { 6, 3, 3, false },
		{ 7, ALL_ONES, 0, true },   { 7, 0, ALL_ONES, false },
		{ 7, 3, 3, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cpu.x[A0] = cases[i].a;
		cpu.x[A1] = cases[i].b;
		assert_eq(RUN(B(8, A1, A0, cases[i].funct3), EBREAK),
			  RV64_EBREAK);
		assert_eq(cpu.pc, CODE + (cases[i].taken ? 8 : 4));
	}
}
END_TEST

/* Runs one instruction in the middle of the code: where does it go? */
static uint64_t target(uint32_t insn)
{
	const uint32_t nowhere = EBREAK;

	for (uint64_t pc = CODE; pc < DATA; pc += 4)
		memcpy(memory + pc, &nowhere, 4);
	cpu.pc = CODE + 0x8000;
	memcpy(memory + cpu.pc, &insn, 4);
	rv64_run(&cpu);
	return cpu.pc - (CODE + 0x8000);
}

START_TEST(reach_of_jumps)
{
	for (int bit = 2; bit < 12; bit++) {
		assert_eq(target(BEQ(ZERO, ZERO, 1 << bit)),
			  UINT64_C(1) << bit);
		assert_eq(target(BEQ(ZERO, ZERO, -(1 << bit))),
			  -(UINT64_C(1) << bit));
	}
	assert_eq(target(BEQ(ZERO, ZERO, 4092)), 4092);
	assert_eq(target(BEQ(ZERO, ZERO, -4096)), UINT64_C(-4096));
	for (int bit = 2; bit < 20; bit++) {
		assert_eq(target(JAL(RA, 1 << bit)), UINT64_C(1) << bit);
		assert_eq(target(JAL(RA, -(1 << bit))), -(UINT64_C(1) << bit));
		assert_eq(cpu.x[RA], CODE + 0x8004);
	}
	assert_eq(target(JAL(RA, 0xffffc)), 0xffffc);
	assert_eq(target(JAL(RA, -0x100000)), UINT64_C(-0x100000));
}
END_TEST

START_TEST(indirect_jumps)
{
	/* The lowest bit is dropped; the base may be the target register. */
	cpu.x[A0] = CODE + 9;
	assert_eq(RUN(JALR(A0, A0, 0), EBREAK), RV64_EBREAK);
	assert_eq(cpu.pc, CODE + 8);
	assert_eq(cpu.x[A0], CODE + 4);
	cpu.x[A0] = CODE + 2000;
	assert_eq(RUN(JALR(RA, A0, -1996), ADDI(A1, ZERO, 9)), RV64_EBREAK);
	assert_eq(cpu.x[A1], 9);
}
END_TEST

/* Jumps to half a word stop at the jump and have done nothing. */
START_TEST(misaligned_jumps)
{
	cpu.x[RA] = 77;
	cpu.x[A0] = CODE + 6;
	assert_eq(RUN(JALR(RA, A0, 0)), RV64_MISALIGNED);
	assert_eq(cpu.pc, CODE);
	assert_eq(cpu.access.addr, CODE + 6);
	assert_eq(cpu.x[RA], 77);
	assert_eq(RUN(JAL(RA, 6)), RV64_MISALIGNED);
	assert_eq(cpu.x[RA], 77);
	assert_eq(RUN(BEQ(ZERO, ZERO, 6)), RV64_MISALIGNED);
	assert_eq(cpu.pc, CODE);
	assert_eq(cpu.steps, 0);
	/* A branch that is not taken may point anywhere. */
	assert_eq(RUN(BNE(ZERO, ZERO, 6)), RV64_EBREAK);
}
END_TEST

START_TEST(calls_and_breaks)
{
	assert_eq(RUN(ADDI(A0, ZERO, 1), ECALL, ADDI(A0, ZERO, 2)), RV64_ECALL);
	assert_eq(cpu.pc, CODE + 8);
	assert_eq(cpu.steps, 2);
	assert_eq(cpu.x[A0], 1);
	assert_eq(rv64_run(&cpu), RV64_EBREAK);
	assert_eq(cpu.pc, CODE + 12);
	assert_eq(cpu.x[A0], 2);
	/* And a break is no instruction that one gets past. */
	assert_eq(rv64_run(&cpu), RV64_EBREAK);
	assert_eq(cpu.pc, CODE + 12);
	assert_eq(cpu.steps, 3);
}
END_TEST

/* Code is asked for once a run, and again when the program leaves it. */
START_TEST(fetches_are_asked_for)
{
	assert_eq(RUN(ADDI(A0, ZERO, 1), ADDI(A0, ZERO, 2), ECALL), RV64_ECALL);
	assert_eq(fetches, 1);
	assert_eq(rv64_run(&cpu), RV64_EBREAK);
	assert_eq(fetches, 2);
	cpu.x[A0] = DATA;
	assert_eq(RUN(JALR(RA, A0, 0)), RV64_NOT_CODE);
	assert_eq(fetches, 4);
	assert_eq(cpu.pc, DATA);
	assert_eq(cpu.access.what, RV64_FETCH);
	assert_eq(cpu.access.addr, DATA);
	/* Running off the end is leaving, too. */
	cpu.pc = DATA - 4;
	memcpy(memory + cpu.pc, &(uint32_t){ ADDI(ZERO, ZERO, 0) }, 4);
	assert_eq(rv64_run(&cpu), RV64_NOT_CODE);
	assert_eq(cpu.pc, DATA);
}
END_TEST

/* Every opcode, funct3 and funct7, with registers that make it harmless. */
START_TEST(all_that_is_illegal)
{
	unsigned int legal = 0;

	for (uint32_t i = 0; i < 1u << 17; i++) {
		const uint32_t insn = R(i >> 10, T2, T1, i >> 7 & 7, T0,
					i & 127);
		bool illegal;

		cpu.x[T1] = DATA + 0x8000;
		/* A jump may meet nothing legal at its target. */
		illegal = RUN(insn) == RV64_ILLEGAL && cpu.pc == CODE;
		if (illegal == rv64_known(insn))
			ck_abort_msg("%#x is %s", insn, illegal ? "refused" :
				     "accepted");
		if (illegal)
			assert_that(cpu.steps == 0 && cpu.insn == insn);
		legal += !illegal;
	}
	assert_that(legal > 1000);
	assert_eq(RUN(ECALL | 1u << 7), RV64_ILLEGAL);
	assert_eq(RUN(EBREAK | 1u << 15), RV64_ILLEGAL);
	assert_eq(RUN(0), RV64_ILLEGAL);
	assert_eq(RUN(UINT32_MAX), RV64_ILLEGAL);
}
END_TEST

START_TEST(fences_do_nothing)
{
	const struct rv64 before = cpu;

	assert_eq(RUN(0x0ff0000f, 0x0000100f), RV64_EBREAK);
	assert_that(!memcmp(before.x, cpu.x, sizeof(before.x)));
	assert_eq(cpu.steps, 2);
}
END_TEST

START_TEST(program_gcd)
{
	cpu.x[A0] = 1071;
	cpu.x[A1] = 462;
	assert_eq(RUN(REMU(T0, A0, A1), ADD(A0, A1, ZERO), ADD(A1, T0, ZERO),
		      BNE(A1, ZERO, -12)), RV64_EBREAK);
	assert_eq(cpu.x[A0], 21);
}
END_TEST

/* fib(a0), recursive, with a stack. */
START_TEST(program_fibonacci)
{
	cpu.x[SP] = DATA_END;
	cpu.x[A0] = 15;
	assert_eq(RUN(JAL(RA, 8), EBREAK,
		      ADDI(T0, ZERO, 2), BLT(A0, T0, 56),
		      ADDI(SP, SP, -24), SD(RA, 0, SP), SD(A0, 8, SP),
		      ADDI(A0, A0, -1), JAL(RA, -24), SD(A0, 16, SP),
		      LD(A0, 8, SP), ADDI(A0, A0, -2), JAL(RA, -40),
		      LD(T0, 16, SP), ADD(A0, A0, T0), LD(RA, 0, SP),
		      ADDI(SP, SP, 24), JALR(ZERO, RA, 0)), RV64_EBREAK);
	assert_eq(cpu.x[A0], 610);
	assert_eq(cpu.x[SP], DATA_END);
}
END_TEST

/* Code that the program writes is what it runs next. */
START_TEST(program_that_patches_itself)
{
	const uint32_t patch = ADDI(A0, ZERO, 42);

	memcpy(memory + DATA, &patch, 4);
	cpu.x[A1] = DATA;
	assert_eq(RUN(LOAD(2, T0, 0, A1), AUIPC(T1, 0), STORE(2, T0, 8, T1),
		      ADDI(A0, ZERO, 1)), RV64_EBREAK);
	assert_eq(cpu.x[A0], 42);
}
END_TEST

static void interpret(void *arg)
{
	(void)arg;
	rv64_run(&cpu);
}

/* A page fault in the middle leaves all that a report needs. */
START_TEST(state_at_a_page_fault)
{
	const uintptr_t base = (uintptr_t)memory;
	const uint64_t edge = DATA_END - 3;
	struct trap trap;

	assert_ok(trap_open(&trap, set));
	cpu.x[A0] = DATA;
	RUN(ADDI(A2, ZERO, 7), SD(A1, 0, A0), ADDI(A2, ZERO, 8));
	cpu.x[A0] = edge;
	cpu.pc = CODE;
	cpu.steps = 0;
	assert_that(trap_run(&trap, interpret, NULL));
	assert_eq(trap.fault.addr - base, DATA_END);
	assert_eq(cpu.pc, CODE + 4);
	assert_eq(cpu.steps, 1);
	assert_eq(cpu.x[A2], 7);
	assert_eq(cpu.access.what, RV64_STORE);
	assert_eq(cpu.access.addr, edge);

	memcpy(memory + CODE + 4, &(uint32_t){ LOAD(2, A0, 0, A0) }, 4);
	cpu.x[A0] = TOP - 8;
	cpu.pc = CODE;
	assert_that(trap_run(&trap, interpret, NULL));
	assert_eq(trap.fault.addr - base, TOP - 8);
	assert_eq(cpu.x[A0], TOP - 8);
	assert_eq(cpu.access.what, RV64_LOAD);
	assert_eq(cpu.access.width, 4);
	assert_ok(trap_close(&trap));
}
END_TEST

Suite *suite_rv64(void)
{
	Suite *suite = suite_create("rv64");
	TCase *tests = tcase_create("rv64");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, register_operations);
	tcase_add_test(tests, immediate_operations);
	tcase_add_test(tests, multiplication_and_division);
	tcase_add_test(tests, upper_immediates);
	tcase_add_test(tests, register_zero);
	tcase_add_test(tests, loads);
	tcase_add_test(tests, stores);
	tcase_add_test(tests, end_of_the_world);
	tcase_add_test(tests, branches);
	tcase_add_test(tests, reach_of_jumps);
	tcase_add_test(tests, indirect_jumps);
	tcase_add_test(tests, misaligned_jumps);
	tcase_add_test(tests, calls_and_breaks);
	tcase_add_test(tests, fetches_are_asked_for);
	tcase_add_test(tests, all_that_is_illegal);
	tcase_add_test(tests, fences_do_nothing);
	tcase_add_test(tests, program_gcd);
	tcase_add_test(tests, program_fibonacci);
	tcase_add_test(tests, program_that_patches_itself);
	tcase_add_test(tests, state_at_a_page_fault);
	suite_add_tcase(suite, tests);
	return suite;
}
