/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The interpreter, in the order of the instruction set's manual: fields and
 * immediates, arithmetic, memory, control, and the loop.
 *
 * Registers are unsigned, so that overflow wraps as the manual wants it.  Where
 * it says "signed", a value is converted; gcc and clang keep the bits.
 */
#include "rv64.h"

#include <stdatomic.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "guest memory is read and written as the host does it");
_Static_assert(sizeof(uintptr_t) == 8, "4 GiB must fit the address space");

enum opcode {
	LOAD = 0x03,
	FENCE = 0x0f,
	OP_IMM = 0x13,
	AUIPC = 0x17,
	OP_IMM_32 = 0x1b,
	STORE = 0x23,
	OP = 0x33,
	LUI = 0x37,
	OP_32 = 0x3b,
	BRANCH = 0x63,
	JALR = 0x67,
	JAL = 0x6f,
	SYSTEM = 0x73,
};

#define INSN_ECALL  0x00000073u
#define INSN_EBREAK 0x00100073u

/* What execute returns when there is no reason to stop. */
#define GO_ON ((enum rv64_stop)0)

/* clang-format off */
static uint32_t opcode(uint32_t insn) { return insn & 0x7f; }
static uint32_t rd(uint32_t insn) { return insn >> 7 & 31; }
static uint32_t funct3(uint32_t insn) { return insn >> 12 & 7; }
static uint32_t rs1(uint32_t insn) { return insn >> 15 & 31; }
static uint32_t rs2(uint32_t insn) { return insn >> 20 & 31; }
static uint32_t funct7(uint32_t insn) { return insn >> 25; }
/* clang-format on */

static uint64_t sext32(uint64_t value)
{
	return (uint64_t)(int64_t)(int32_t)value;
}

/* The top bits of insn from bit on, sign extended. */
static uint64_t top(uint32_t insn, unsigned int bit)
{
	return (uint64_t)(int64_t)((int32_t)insn >> bit);
}

static uint64_t imm_i(uint32_t insn)
{
	return top(insn, 20);
}

static uint64_t imm_s(uint32_t insn)
{
	return (top(insn, 20) & ~UINT64_C(31)) | rd(insn);
}

static uint64_t imm_b(uint32_t insn)
{
	return (top(insn, 19) & ~UINT64_C(0xfff)) | (insn << 4 & 0x800) |
	       (insn >> 20 & 0x7e0) | (insn >> 7 & 0x1e);
}

static uint64_t imm_u(uint32_t insn)
{
	return sext32(insn & 0xfffff000);
}

static uint64_t imm_j(uint32_t insn)
{
	return (top(insn, 11) & ~UINT64_C(0xfffff)) | (insn & 0xff000) |
	       (insn >> 9 & 0x800) | (insn >> 20 & 0x7fe);
}

static void set(struct rv64 *cpu, uint32_t reg, uint64_t value)
{
	cpu->x[reg] = value;
	cpu->x[0] = 0;
}

/* The number of an operation: funct3, and for SUB and SRA this bit. */
#define ALT 8u

static bool alu(uint32_t op, uint64_t a, uint64_t b, uint64_t *out)
{
	switch (op) {
	case 0: *out = a + b; return true;
	case 0 | ALT: *out = a - b; return true;
	case 1: *out = a << (b & 63); return true;
	case 2: *out = (int64_t)a < (int64_t)b; return true;
	case 3: *out = a < b; return true;
	case 4: *out = a ^ b; return true;
	case 5: *out = a >> (b & 63); return true;
	case 5 | ALT: *out = (uint64_t)((int64_t)a >> (b & 63)); return true;
	case 6: *out = a | b; return true;
	case 7: *out = a & b; return true;
	}
	return false;
}

/* The same on 32 bits; every result is sign extended. */
static bool alu_32(uint32_t op, uint64_t a, uint64_t b, uint64_t *out)
{
	switch (op) {
	case 0: *out = sext32(a + b); return true;
	case 0 | ALT: *out = sext32(a - b); return true;
	case 1: *out = sext32(a << (b & 31)); return true;
	case 5: *out = sext32((uint32_t)a >> (b & 31)); return true;
	case 5 | ALT: *out = sext32((uint64_t)((int32_t)a >> (b & 31)));
		return true;
	}
	return false;
}

/*
 * Division never traps: by zero it gives all ones and leaves the dividend as
 * the remainder.  The one quotient that does not fit is the dividend again.
 */
static uint64_t div_signed(int64_t a, int64_t b)
{
	if (b == 0)
		return UINT64_MAX;
	return b == -1 ? -(uint64_t)a : (uint64_t)(a / b);
}

static uint64_t rem_signed(int64_t a, int64_t b)
{
	if (b == 0)
		return (uint64_t)a;
	return b == -1 ? 0 : (uint64_t)(a % b);
}

static bool muldiv(uint32_t op, uint64_t a, uint64_t b, uint64_t *out)
{
	const __int128 sa = (int64_t)a, sb = (int64_t)b;

	switch (op) {
	case 0: *out = a * b; return true;
	case 1: *out = (uint64_t)((sa * sb) >> 64); return true;
	case 2: *out = (uint64_t)((sa * (__int128)b) >> 64); return true;
	case 3: *out = (uint64_t)(((unsigned __int128)a * b) >> 64);
		return true;
	case 4: *out = div_signed((int64_t)a, (int64_t)b); return true;
	case 5: *out = b ? a / b : UINT64_MAX; return true;
	case 6: *out = rem_signed((int64_t)a, (int64_t)b); return true;
	case 7: *out = b ? a % b : a; return true;
	}
	return false;
}

static bool muldiv_32(uint32_t op, uint64_t a, uint64_t b, uint64_t *out)
{
	const bool is_signed = op == 4 || op == 6;

	if (op >= 1 && op <= 3)
		return false;
	a = is_signed ? sext32(a) : (uint32_t)a;
	b = is_signed ? sext32(b) : (uint32_t)b;
	if (!muldiv(op, a, b, out))
		return false;
	*out = sext32(*out);
	return true;
}

static enum rv64_stop op_reg(struct rv64 *cpu, uint32_t insn)
{
	const uint64_t a = cpu->x[rs1(insn)], b = cpu->x[rs2(insn)];
	const bool is_32 = opcode(insn) == OP_32;
	uint32_t op = funct3(insn);
	bool known = false;
	uint64_t out = 0;

	switch (funct7(insn)) {
	case 0x20:
		op |= ALT;
		/* fall through */
	case 0x00:
		known = is_32 ? alu_32(op, a, b, &out) : alu(op, a, b, &out);
		break;
	case 0x01:
		known = is_32 ? muldiv_32(op, a, b, &out) :
				muldiv(op, a, b, &out);
		break;
	}
	if (!known)
		return RV64_ILLEGAL;
	set(cpu, rd(insn), out);
	return GO_ON;
}

/*
 * A shift by a constant has its kind where other immediates have their top:
 * above 6 bits of amount, or 5 in a 32-bit operation.
 */
static enum rv64_stop op_imm(struct rv64 *cpu, uint32_t insn)
{
	const uint64_t a = cpu->x[rs1(insn)], imm = imm_i(insn);
	const bool is_32 = opcode(insn) == OP_IMM_32;
	uint32_t op = funct3(insn);
	uint64_t out;

	if (op == 1 || op == 5) {
		const uint64_t amount = is_32 ? 31 : 63;

		if (op == 5 && (imm & 0xfff & ~amount) == 0x400)
			op |= ALT;
		else if (imm & 0xfff & ~amount)
			return RV64_ILLEGAL;
	}
	if (!(is_32 ? alu_32(op, a, imm, &out) : alu(op, a, imm, &out)))
		return RV64_ILLEGAL;
	set(cpu, rd(insn), out);
	return GO_ON;
}

/*
 * The host address of an access, or NULL if it does not end below 4 GiB.
 *
 * The access itself may end in a signal handler that reads *cpu: all must be
 * stored by then.
 */
static unsigned char *reach(struct rv64 *cpu, enum rv64_what what,
			    uint64_t addr, unsigned int width)
{
	cpu->access = (struct rv64_access){ what, width, addr };
	if (addr > RV64_SPAN - width)
		return NULL;
	atomic_signal_fence(memory_order_seq_cst);
	return cpu->base + addr;
}

static enum rv64_stop load(struct rv64 *cpu, uint32_t insn)
{
	const uint64_t addr = cpu->x[rs1(insn)] + imm_i(insn);
	const uint32_t op = funct3(insn);
	const unsigned char *p;
	uint64_t value = 0;
	uint32_t word;
	int16_t half;
	int8_t byte;

	if (op == 7)
		return RV64_ILLEGAL;
	p = reach(cpu, RV64_LOAD, addr, 1u << (op & 3));
	if (!p)
		return RV64_BEYOND;
	switch (op) {
	case 0: memcpy(&byte, p, 1); value = (uint64_t)byte; break;
	case 1: memcpy(&half, p, 2); value = (uint64_t)half; break;
	case 2: memcpy(&word, p, 4); value = sext32(word); break;
	case 3: memcpy(&value, p, 8); break;
	case 4: memcpy(&value, p, 1); break;
	case 5: memcpy(&value, p, 2); break;
	case 6: memcpy(&value, p, 4); break;
	}
	set(cpu, rd(insn), value);
	return GO_ON;
}

static enum rv64_stop store(struct rv64 *cpu, uint32_t insn)
{
	const uint64_t addr = cpu->x[rs1(insn)] + imm_s(insn);
	const uint64_t value = cpu->x[rs2(insn)];
	const uint32_t op = funct3(insn);
	unsigned char *p;

	if (op > 3)
		return RV64_ILLEGAL;
	p = reach(cpu, RV64_STORE, addr, 1u << op);
	if (!p)
		return RV64_BEYOND;
	switch (op) {
	case 0: memcpy(p, &value, 1); break;
	case 1: memcpy(p, &value, 2); break;
	case 2: memcpy(p, &value, 4); break;
	case 3: memcpy(p, &value, 8); break;
	}
	return GO_ON;
}

static bool taken(uint32_t op, uint64_t a, uint64_t b)
{
	switch (op & 6) {
	case 0: return (a == b) ^ (op & 1);
	case 4: return ((int64_t)a < (int64_t)b) ^ (op & 1);
	default: return (a < b) ^ (op & 1);
	}
}

static enum rv64_stop branch(struct rv64 *cpu, uint32_t insn, uint64_t *next)
{
	const uint32_t op = funct3(insn);

	if ((op & 6) == 2)
		return RV64_ILLEGAL;
	if (taken(op, cpu->x[rs1(insn)], cpu->x[rs2(insn)]))
		*next = cpu->pc + imm_b(insn);
	return GO_ON;
}

/* JAL and JALR: they write no register if the target is misaligned. */
static enum rv64_stop jump(struct rv64 *cpu, uint32_t insn, uint64_t *next)
{
	const uint64_t back = *next;

	if (opcode(insn) == JAL)
		*next = cpu->pc + imm_j(insn);
	else if (funct3(insn) == 0)
		*next = (cpu->x[rs1(insn)] + imm_i(insn)) & ~UINT64_C(1);
	else
		return RV64_ILLEGAL;
	if (*next % 4 == 0)
		set(cpu, rd(insn), back);
	return GO_ON;
}

static enum rv64_stop execute(struct rv64 *cpu, uint32_t insn, uint64_t *next)
{
	switch (opcode(insn)) {
	case OP_IMM:
	case OP_IMM_32:
		return op_imm(cpu, insn);
	case OP:
	case OP_32:
		return op_reg(cpu, insn);
	case LOAD:
		return load(cpu, insn);
	case STORE:
		return store(cpu, insn);
	case BRANCH:
		return branch(cpu, insn, next);
	case JAL:
	case JALR:
		return jump(cpu, insn, next);
	case LUI:
		set(cpu, rd(insn), imm_u(insn));
		return GO_ON;
	case AUIPC:
		set(cpu, rd(insn), cpu->pc + imm_u(insn));
		return GO_ON;
	case FENCE:
		/* One thread, and code is fetched afresh: nothing to do. */
		return funct3(insn) <= 1 ? GO_ON : RV64_ILLEGAL;
	case SYSTEM:
		if (insn == INSN_ECALL)
			return RV64_ECALL;
		return insn == INSN_EBREAK ? RV64_EBREAK : RV64_ILLEGAL;
	}
	return RV64_ILLEGAL;
}

enum rv64_stop rv64_run(struct rv64 *cpu)
{
	struct rv64_range code = { 0, 0 };

	for (;;) {
		enum rv64_stop stop;
		uint64_t next = cpu->pc + 4;

		if (cpu->pc < code.start || cpu->pc >= code.end) {
			const uint64_t pc = cpu->pc;

			cpu->access = (struct rv64_access){ RV64_FETCH, 4, pc };
			if (pc > RV64_SPAN - 4)
				return RV64_BEYOND;
			if (!cpu->fetch(pc, &code, cpu->fetch_arg))
				return RV64_NOT_CODE;
		}
		memcpy(&cpu->insn, cpu->base + cpu->pc, sizeof(cpu->insn));
		stop = execute(cpu, cpu->insn, &next);
		if (stop && stop != RV64_ECALL)
			return stop;
		if (next % 4) {
			cpu->access = (struct rv64_access){ RV64_FETCH, 4,
							    next };
			return RV64_MISALIGNED;
		}
		cpu->pc = next;
		cpu->steps++;
		if (stop)
			return stop;
	}
}
