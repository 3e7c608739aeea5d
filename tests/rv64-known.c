/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The instructions, as masks: another form than the interpreter's, on purpose.
 */
#include "rv64-known.h"

#include <stddef.h>

/* All of RV64IM: the bits of an instruction that are given, and the rest. */
static const struct {
	uint32_t mask, match;
} known[] = {
	{ 0x7f, 0x37 },                 /* lui */
	{ 0x7f, 0x17 },                 /* auipc */
	{ 0x7f, 0x6f },                 /* jal */
	{ 0x707f, 0x67 },               /* jalr */
	{ 0x607f, 0x0063 },             /* beq, bne */
	{ 0x407f, 0x4063 },             /* blt, bge, bltu, bgeu */
	{ 0x407f, 0x0003 },             /* lb, lh, lw, ld */
	{ 0x607f, 0x4003 },             /* lbu, lhu */
	{ 0x707f, 0x6003 },             /* lwu */
	{ 0x407f, 0x0023 },             /* sb, sh, sw, sd */
	{ 0x707f, 0x0013 },             /* addi */
	{ 0x607f, 0x2013 },             /* slti, sltiu */
	{ 0x707f, 0x4013 },             /* xori */
	{ 0x607f, 0x6013 },             /* ori, andi */
	{ 0xfc00707f, 0x00001013 },     /* slli */
	{ 0xbc00707f, 0x00005013 },     /* srli, srai */
	{ 0xfe00007f, 0x00000033 },     /* add, sll, slt, ... and */
	{ 0xfe00707f, 0x40000033 },     /* sub */
	{ 0xfe00707f, 0x40005033 },     /* sra */
	{ 0xfe00007f, 0x02000033 },     /* mul, ... remu */
	{ 0x707f, 0x001b },             /* addiw */
	{ 0xfe00707f, 0x0000101b },     /* slliw */
	{ 0xbe00707f, 0x0000501b },     /* srliw, sraiw */
	{ 0xfe00707f, 0x0000003b },     /* addw */
	{ 0xfe00707f, 0x4000003b },     /* subw */
	{ 0xfe00707f, 0x0000103b },     /* sllw */
	{ 0xbe00707f, 0x0000503b },     /* srlw, sraw */
	{ 0xfe00707f, 0x0200003b },     /* mulw */
	{ 0xfe00407f, 0x0200403b },     /* divw, divuw, remw, remuw */
	{ 0x607f, 0x000f },             /* fence, fence.i */
	{ 0xffffffff, 0x00000073 },     /* ecall */
	{ 0xffffffff, 0x00100073 },     /* ebreak */
};

bool rv64_known(uint32_t insn)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if ((insn & known[i].mask) == known[i].match)
			return true;
	}
	return false;
}
